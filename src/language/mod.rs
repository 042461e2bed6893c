//! Languages by every name they go by. Knows nothing of files or subtitles.

mod table;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use table::TABLE;

/// One row of the table: the names of a language.
#[derive(Debug)]
struct Entry {
    /// Whisper's code (mostly ISO 639-1; `haw`, `yue`, `jw` are its own).
    whisper: &'static str,
    /// ISO 639-1, or empty.
    iso1: &'static str,
    iso2b: &'static str,
    iso2t: &'static str,
    iso3: &'static str,
    english: &'static str,
    native: &'static str,
    /// Whisper's own name where it is not the English one in lower case; else empty.
    own: &'static str,
    /// Other spellings that are understood, in lower case.
    aliases: &'static [&'static str],
}

/// A language that Whisper knows. Copy, compares by Whisper's code, serialises as Whisper's code.
#[derive(Clone, Copy)]
pub struct Language(&'static Entry);

/// How a subtitle file names its language (`subtitle_language_naming_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Naming {
    /// `de`; where ISO 639-1 has no code, the ISO 639-3 one.
    #[serde(rename = "ISO_639_1")]
    Iso639_1,
    /// `ger`: the bibliographic code.
    #[default]
    #[serde(rename = "ISO_639_2_B")]
    Iso639_2B,
    /// `deu`: the terminological code.
    #[serde(rename = "ISO_639_2_T")]
    Iso639_2T,
    /// `German`.
    #[serde(rename = "NAME")]
    Name,
    /// `Deutsch`.
    #[serde(rename = "NATIVE")]
    Native,
}

impl Naming {
    pub const ALL: &'static [Naming] =
        &[Naming::Iso639_1, Naming::Iso639_2B, Naming::Iso639_2T, Naming::Name, Naming::Native];

    /// The value of the setting, `ISO_639_2_B`.
    pub fn as_str(self) -> &'static str {
        match self {
            Naming::Iso639_1 => "ISO_639_1",
            Naming::Iso639_2B => "ISO_639_2_B",
            Naming::Iso639_2T => "ISO_639_2_T",
            Naming::Name => "NAME",
            Naming::Native => "NATIVE",
        }
    }
}

impl fmt::Display for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Naming {
    type Err = String;
    /// Fails with one sentence that names the value and those allowed.
    fn from_str(s: &str) -> Result<Naming, String> {
        let wanted = s.trim().to_uppercase();
        Naming::ALL.iter().copied().find(|n| n.as_str() == wanted).ok_or_else(|| {
            let all: Vec<_> = Naming::ALL.iter().map(|n| n.as_str()).collect();
            format!("unknown language naming '{s}': use one of {}", all.join(", "))
        })
    }
}

impl Language {
    pub const ENGLISH: Language = Language(&TABLE[0]);

    /// All hundred, in Whisper's order: the index is Whisper's language id.
    pub fn all() -> impl Iterator<Item = Language> {
        TABLE.iter().map(Language)
    }

    /// Whisper's own code, as in its token `<|de|>`.
    pub fn whisper_code(self) -> &'static str {
        self.0.whisper
    }

    /// Whisper's own name, in lower case: `german`, `haitian creole`, `myanmar`.
    pub fn whisper_name(self) -> String {
        if self.0.own.is_empty() { self.0.english.to_lowercase() } else { self.0.own.to_string() }
    }

    /// `None` for Hawaiian and Cantonese, which ISO 639-1 does not have.
    pub fn iso639_1(self) -> Option<&'static str> {
        (!self.0.iso1.is_empty()).then_some(self.0.iso1)
    }

    /// The bibliographic code of ISO 639-2, `ger`.
    pub fn iso639_2b(self) -> &'static str {
        self.0.iso2b
    }

    /// The terminological code of ISO 639-2, `deu`.
    pub fn iso639_2t(self) -> &'static str {
        self.0.iso2t
    }

    pub fn iso639_3(self) -> &'static str {
        self.0.iso3
    }

    pub fn english_name(self) -> &'static str {
        self.0.english
    }

    pub fn native_name(self) -> &'static str {
        self.0.native
    }

    /// What our API answers: ISO 639-1 where there is one, else ISO 639-3.
    pub fn answer_code(self) -> &'static str {
        self.iso639_1().unwrap_or(self.0.iso3)
    }

    /// As the naming setting asks, for file names.
    pub fn named(self, naming: Naming) -> &'static str {
        match naming {
            Naming::Iso639_1 => self.answer_code(),
            Naming::Iso639_2B => self.iso639_2b(),
            Naming::Iso639_2T => self.iso639_2t(),
            Naming::Name => self.english_name(),
            Naming::Native => self.native_name(),
        }
    }

    /// Code and name that Bazarr's language detection can read.
    ///
    /// Those are Whisper's pairs (`jw` and `haw` are found by their names there), but Cantonese throttles
    /// the provider for ten minutes and is therefore given as Chinese.
    pub fn bazarr_pair(self) -> (&'static str, String) {
        match self.0.whisper {
            "yue" => ("zh", "chinese".to_string()),
            code => (code, self.whisper_name()),
        }
    }

    /// True where no spaces stand between words: a word is then one token.
    pub fn is_unspaced(self) -> bool {
        matches!(self.0.whisper, "ja" | "zh" | "yue" | "th" | "lo" | "my" | "km")
    }

    /// True where text runs from right to left.
    pub fn is_rtl(self) -> bool {
        matches!(self.0.whisper, "ar" | "he" | "fa" | "ur" | "yi" | "ps" | "sd")
    }
}

/// The row that goes by exactly this name (in lower case, with hyphens).
fn find(name: &str) -> Option<Language> {
    let codes = |e: &&Entry| {
        !name.is_empty() && [e.whisper, e.iso1, e.iso2b, e.iso2t, e.iso3, e.own].contains(&name)
            || e.aliases.contains(&name)
    };
    let names = |e: &&Entry| e.english.to_lowercase() == name || e.native.to_lowercase() == name;
    TABLE.iter().find(codes).or_else(|| TABLE.iter().find(names)).map(Language)
}

impl FromStr for Language {
    type Err = String;

    /// Takes every code and name, in any case, with region or script (`pt-BR`, `zh_Hans_CN`, `Spanish (Mexico)`).
    ///
    /// Fails with one sentence that says what would do.
    fn from_str(s: &str) -> Result<Language, String> {
        let name = s.trim().to_lowercase().replace('_', "-");
        let plain = name.split('(').next().unwrap_or_default().trim();
        let base = plain.split('-').next().unwrap_or_default();
        find(&name).or_else(|| find(plain)).or_else(|| find(base)).ok_or_else(|| {
            format!(
                "unknown language '{}': use a code such as 'de' or 'deu', or a name such as 'German'",
                s.trim()
            )
        })
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Language) -> bool {
        self.0.whisper == other.0.whisper
    }
}

impl Eq for Language {}

impl Hash for Language {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.whisper.hash(state);
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({})", self.0.whisper)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.english)
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.whisper_code())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Language, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
