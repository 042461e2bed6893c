//! The values that subtitles are made of. Knows nothing of how they are laid out or written.

use crate::job::Task;
use crate::language::Language;
use serde::{Deserialize, Serialize};

/// One spoken word (in scripts without spaces: one token) with its time in the media.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// As Whisper writes it: punctuation attached, a leading space where one stands before the word.
    pub text: String,
    pub start_ms: i64,
    /// Never before `start_ms`.
    pub end_ms: i64,
    /// Probability, 0 to 1.
    pub p: f32,
}

impl Word {
    /// What two hearings of it have in common: its letters and digits, in lower case.
    pub fn plain(&self) -> String {
        plain(&self.text)
    }
}

/// Letters and digits in lower case.
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What stands on the screen at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cue {
    pub start_ms: i64,
    pub end_ms: i64,
    /// One or two, without line breaks.
    pub lines: Vec<String>,
    /// The words of the lines in order.
    pub words: Vec<Word>,
}

/// So many cues, in words: "no cues", "1 cue", "7 cues".
pub fn counted(cues: usize) -> String {
    match cues {
        0 => "no cues".to_owned(),
        1 => "1 cue".to_owned(),
        n => format!("{n} cues"),
    }
}

/// A finished subtitle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The language of the text.
    pub language: Language,
    /// The language that was spoken.
    pub spoken: Language,
    pub task: Task,
    pub duration_ms: i64,
    pub cues: Vec<Cue>,
}
