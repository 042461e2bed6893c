//! In which language's manner a text is written, by its script: a Japanese line in an English film has the lines of a
//! Japanese subtitle. (Not the other way round: an English line is at ease in the limits of a Japanese film.) Knows nothing of
//! lines or cues.

use super::breaks::is_sentence_end;
use super::scripts::{is_han, is_hiragana, is_katakana};
use super::{Profile, Word};
use crate::language::Language;
use std::ops::Range;

/// Letters of another script that have its manner where they stand between pauses or sentence ends, and anywhere.
const APART: usize = 6;
const ANYWHERE: usize = 12;
/// A silence that parts a line from its neighbours.
const PAUSE_MS: i64 = 250;

/// Scripts that have a manner of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Kana,
    Han,
    Hangul,
    Thai,
    /// All others.
    Spaced,
}

impl Script {
    fn of(c: char) -> Option<Script> {
        match u32::from(c) {
            _ if is_hiragana(c) || is_katakana(c) => Some(Script::Kana),
            _ if is_han(c) => Some(Script::Han),
            0x1100..=0x11FF | 0x3130..=0x318F | 0xAC00..=0xD7A3 => Some(Script::Hangul),
            0x0E00..=0x0E7F => Some(Script::Thai),
            _ if c.is_alphabetic() => Some(Script::Spaced),
            _ => None,
        }
    }

    /// Whether texts in the language are written in it.
    fn is_of(self, language: Language) -> bool {
        match language.whisper_code() {
            "ko" => matches!(self, Script::Hangul | Script::Han | Script::Spaced),
            _ if language.is_unspaced() => true,
            _ => self == Script::Spaced,
        }
    }

    /// The language whose manner it has where it is foreign.
    fn language(self) -> Option<Language> {
        let code = match self {
            Script::Kana => "ja",
            Script::Han => "zh",
            Script::Hangul => "ko",
            Script::Thai => "th",
            Script::Spaced => return None,
        };
        code.parse().ok()
    }
}

/// Of Han and kana together it is kana.
fn together(a: Script, b: Script) -> Script {
    if a == Script::Han && b == Script::Kana { b } else { a }
}

/// Columns of a line in the manner of `own` in a text of `main`: what is wider than the film's lines is too wide for it.
pub fn columns(own: Language, main: Language, profile: &Profile) -> usize {
    profile.columns(own).min(profile.columns(main))
}

/// The language whose limits a cue's text has, in a text of `main`.
pub fn of_cue(text: &str, main: Language) -> Language {
    let scripts: Vec<Script> = text.chars().filter_map(Script::of).collect();
    match scripts.iter().copied().reduce(together) {
        Some(script)
            if scripts.len() >= ANYWHERE
                && scripts.iter().all(|s| !s.is_of(main) && together(*s, script) == script) =>
        {
            script.language().unwrap_or(main)
        }
        _ => main,
    }
}

/// The words in runs that are written in one manner each.
pub fn runs(words: &[Word], main: Language) -> Vec<(Language, Range<usize>)> {
    let mut runs: Vec<(Option<Script>, Range<usize>)> = Vec::new();
    for (k, word) in words.iter().enumerate() {
        let script = word.text.chars().filter_map(Script::of).reduce(together);
        let own = script.map(|s| Some(s).filter(|s| !s.is_of(main)));
        match (runs.last_mut(), own) {
            // Marks and digits go with what stands before them.
            (Some((_, run)), None) => run.end = k + 1,
            (Some((last, run)), Some(own)) if *last == own => run.end = k + 1,
            (Some((Some(Script::Han), run)), Some(Some(Script::Kana))) => {
                let from = run.start;
                runs.pop();
                runs.push((Some(Script::Kana), from..k + 1));
            }
            (Some((Some(Script::Kana), run)), Some(Some(Script::Han))) => run.end = k + 1,
            (_, own) => runs.push((own.flatten(), k..k + 1)),
        }
    }
    // Marks at the beginning go with what follows.
    let is_marks =
        |run: &Range<usize>| !words[run.clone()].iter().any(|w| w.text.contains(char::is_alphabetic));
    if runs.len() > 1 && is_marks(&runs[0].1) {
        runs.remove(0);
        runs[0].1.start = 0;
    }
    let mut out: Vec<(Language, Range<usize>)> = Vec::new();
    for (script, run) in runs {
        let letters = words[run.clone()].iter().flat_map(|w| w.text.chars()).filter_map(Script::of).count();
        let parts = |k: usize| {
            k == 0
                || k == words.len()
                || is_sentence_end(&words[k - 1].text)
                || words[k].start_ms - words[k - 1].end_ms >= PAUSE_MS
        };
        let is_apart = parts(run.start) && parts(run.end);
        let foreign = script.filter(|_| letters >= if is_apart { APART } else { ANYWHERE });
        let language = foreign.and_then(Script::language).unwrap_or(main);
        match out.last_mut() {
            Some((last, before)) if *last == language => before.end = run.end,
            _ => out.push((language, run)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` has a space before each word, and `|` where a second of silence is; runs as `language:words`.
    fn check(main: &str, text: &str, expected: &[&str]) {
        let mut at_ms = 0;
        let mut words = Vec::new();
        for part in text.split('|') {
            for text in part.split_whitespace() {
                words.push(Word { text: text.to_owned(), start_ms: at_ms, end_ms: at_ms + 200, p: 1.0 });
                at_ms += 200;
            }
            at_ms += 1_000;
        }
        let written = |(language, run): (Language, Range<usize>)| {
            let texts: Vec<&str> = words[run].iter().map(|w| w.text.as_str()).collect();
            format!("{}:{}", language.whisper_code(), texts.join(" "))
        };
        let got: Vec<String> = runs(&words, main.parse().unwrap()).into_iter().map(written).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_line_in_another_script_has_its_own_manner() {
        check(
            "en",
            "He said | 電球 が 止まって しまった 。 | Then.",
            &["en:He said", "ja:電球 が 止まって しまった 。", "en:Then."],
        );
        check(
            "en",
            "He said | 我们 今天 去 北京 | Then.",
            &["en:He said", "zh:我们 今天 去 北京", "en:Then."],
        );
        check("ja", "電球 が | What can I do? | 止まって", &["ja:電球 が What can I do? 止まって"]);
        check("ja", "今日 は 晴れ", &["ja:今日 は 晴れ"]);
        check("en", "- 我们 今天 去 北京 | Then.", &["zh:- 我们 今天 去 北京", "en:Then."]);
        check("en", "", &[]);
    }

    #[test]
    fn a_word_in_another_script_has_the_manner_of_its_neighbours() {
        check("ja", "私 の iPhone Pro が", &["ja:私 の iPhone Pro が"]);
        check("en", "the 電球 is new", &["en:the 電球 is new"]);
        check("ru", "Это film о 3 людях", &["ru:Это film о 3 людях"]);
    }

    #[test]
    fn a_cue_has_the_limits_of_its_script() {
        let check = |main: &str, text: &str, expected: &str| {
            assert_eq!(of_cue(text, main.parse().unwrap()).whisper_code(), expected, "{text}");
        };
        check("en", "マッピルマナのぎ、キャンプの外れの", "ja");
        check("en", "我们今天去北京看一个老朋友的房子", "zh");
        check("en", "電球 is new", "en");
        check("en", "ガケガケガケ릯밷훷줷뮮삂쟂", "en");
        check("ja", "What can I do about that?", "ja");
        check("ja", "今日は晴れ、また明日", "ja");
        check("en", "...", "en");
    }
}
