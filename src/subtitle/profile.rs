//! The numbers that a good subtitle keeps to. Knows nothing of how cues are cut.

use crate::language::Language;
use serde::{Deserialize, Serialize};

/// Limits of cues. The times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// 1 or 2; more is read as 2.
    pub max_lines: usize,
    /// Columns a line; `None`: by language. A full-width character takes two.
    pub columns: Option<usize>,
    /// Characters a second, as text with one space for a line break; `None`: by language.
    pub chars_per_second: Option<f64>,
    pub min_ms: i64,
    pub max_ms: i64,
    /// Smallest gap between two cues.
    pub gap_ms: i64,
    /// Gaps from `gap_ms` up to this are closed to `gap_ms`.
    pub close_gap_ms: i64,
    /// A cue never spans a longer silence.
    pub pause_ms: i64,
    /// How late after its first word a cue may start.
    pub late_ms: i64,
    /// How long after its last word a cue may stand.
    pub linger_ms: i64,
}

impl Profile {
    /// Netflix's general timed text guide: the default.
    pub fn netflix() -> Profile {
        Profile {
            max_lines: 2,
            columns: None,
            chars_per_second: None,
            min_ms: 833,
            max_ms: 7000,
            gap_ms: 83,
            close_gap_ms: 500,
            pause_ms: 1000,
            late_ms: 80,
            linger_ms: 500,
        }
    }

    /// Columns a line may have: 13 full-width characters in Japanese, 16 in Chinese and Korean, 35 in Thai, else 42.
    pub fn columns(&self, language: Language) -> usize {
        let by_language = match language.whisper_code() {
            "ja" => 26,
            "zh" | "yue" | "ko" => 32,
            "th" => 35,
            _ => 42,
        };
        self.columns.unwrap_or(by_language).max(8)
    }

    /// The reading speed of adults.
    pub fn chars_per_second(&self, language: Language) -> f64 {
        let by_language = match language.whisper_code() {
            "en" | "ar" => 20.0,
            "hi" => 22.0,
            "ko" => 12.0,
            "zh" | "yue" => 9.0,
            "ja" => 4.0,
            _ => 17.0,
        };
        self.chars_per_second.unwrap_or(by_language).max(0.1)
    }
}

impl Default for Profile {
    fn default() -> Profile {
        Profile::netflix()
    }
}
