//! The numbers that a good subtitle keeps to. Knows nothing of how cues are cut.

use crate::language::Language;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Whose numbers they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    #[default]
    Netflix,
    Amazon,
    Arte,
    Bbc,
    /// Somebody's own: Netflix's where nothing else is said.
    Custom,
}

impl Name {
    pub const ALL: [Name; 5] = [Name::Netflix, Name::Amazon, Name::Arte, Name::Bbc, Name::Custom];

    pub fn as_str(self) -> &'static str {
        match self {
            Name::Netflix => "netflix",
            Name::Amazon => "amazon",
            Name::Arte => "arte",
            Name::Bbc => "bbc",
            Name::Custom => "custom",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Name {
    type Err = String;
    fn from_str(s: &str) -> Result<Name, String> {
        Name::ALL
            .into_iter()
            .find(|n| n.as_str().eq_ignore_ascii_case(s))
            .ok_or_else(|| format!("'{s}' is not one of {}", Name::ALL.map(Name::as_str).join(", ")))
    }
}

/// Limits of cues. The times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    pub name: Name,
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
        Profile::of(Name::Netflix)
    }

    /// The numbers of a house.
    ///
    /// Amazon's and Arte's as Subtitle Edit encodes them (7 s at 24 frames a second are 7.007 there); the BBC's
    /// subtitle guidelines give 37 characters of teletext and 180 words a minute, and want gaps of at least a second
    /// or none; the shortest time is that of four words at 0.3 s each, and the gap is that of three frames at 25.
    pub fn of(name: Name) -> Profile {
        let netflix = Profile {
            name,
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
        };
        match name {
            Name::Netflix | Name::Custom => netflix,
            Name::Amazon => Profile { min_ms: 1000, ..netflix },
            Name::Arte => Profile { min_ms: 1000, max_ms: 10_000, gap_ms: 200, ..netflix },
            Name::Bbc => Profile { min_ms: 1200, gap_ms: 120, close_gap_ms: 1000, ..netflix },
        }
    }

    /// Columns a line may have: 13 full-width characters in Japanese, 16 in Chinese and Korean, 35 in Thai, else what the
    /// house says.
    pub fn columns(&self, language: Language) -> usize {
        let by_language = match (language.whisper_code(), self.name) {
            ("ja", _) => 26,
            ("zh" | "yue" | "ko", _) => 32,
            ("th", _) => 35,
            (_, Name::Arte) => 40,
            (_, Name::Bbc) => 37,
            _ => 42,
        };
        self.columns.unwrap_or(by_language).max(8)
    }

    /// The reading speed of adults.
    pub fn chars_per_second(&self, language: Language) -> f64 {
        let by_language = match (language.whisper_code(), self.name) {
            ("ar", _) => 20.0,
            ("hi", _) => 22.0,
            ("ko", _) => 12.0,
            ("zh" | "yue", _) => 9.0,
            ("ja", _) => 4.0,
            (_, Name::Arte) => 20.0,
            // 180 words a minute, of five letters and a space.
            (_, Name::Bbc) => 18.0,
            ("en", Name::Netflix | Name::Custom) => 20.0,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_house_has_its_numbers_and_each_language_its_own() {
        let check = |name: Name, language: &str, columns, cps| {
            let (profile, language) = (Profile::of(name), language.parse().unwrap());
            assert_eq!((profile.columns(language), profile.chars_per_second(language)), (columns, cps));
        };
        check(Name::Netflix, "en", 42, 20.0);
        check(Name::Netflix, "de", 42, 17.0);
        check(Name::Amazon, "en", 42, 17.0);
        check(Name::Arte, "de", 40, 20.0);
        check(Name::Bbc, "en", 37, 18.0);
        for name in Name::ALL {
            check(name, "ja", 26, 4.0);
            check(name, "ar", Profile::of(name).columns(Language::ENGLISH), 20.0);
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        let own = Profile { columns: Some(30), chars_per_second: Some(12.5), ..Profile::of(Name::Custom) };
        assert_eq!((own.columns("ja".parse().unwrap()), own.chars_per_second(Language::ENGLISH)), (30, 12.5));
    }
}
