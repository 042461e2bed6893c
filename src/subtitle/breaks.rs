//! How good a place between two units is for a break. Knows nothing of time, widths or cost.

use super::phrases::{Kind, is_abbreviation, small_words};
use super::scripts::{is_han, is_hiragana, is_katakana, is_unspaced};
use super::units::Unit;
use crate::language::Language;
use std::collections::HashMap;

/// From the best place for a break to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// After the end of a sentence.
    Sentence,
    /// After a semicolon, colon, dash or dots.
    Clause,
    /// After a comma.
    Comma,
    /// Before a conjunction or relative word; in Japanese after a phrase's particles.
    Conjunction,
    /// Before a preposition, or between a noun and its auxiliary.
    Preposition,
    /// Before `of` and its like.
    Of,
    /// Between words that nothing is known of.
    Plain,
    /// Inside a phrase: auxiliary and verb, number and unit, subject and verb.
    Bound,
    /// Between article and noun, preposition and its noun, first and last name.
    Tight,
}

/// One grade for each inner boundary: `grades[k]` stands before unit `k`; the first is `Sentence`.
pub fn grades(units: &[Unit], language: Language) -> Vec<Grade> {
    let kinds = small_words(language.whisper_code());
    let lower: Vec<String> = units.iter().map(|u| bare(&u.text)).collect();
    let kind: Vec<Option<Kind>> = lower.iter().map(|w| kind_of(w, &kinds)).collect();
    let mut out = vec![Grade::Sentence; units.len()];
    for k in 1..units.len() {
        let (a, b) = (&units[k - 1].text, &units[k].text);
        out[k] = after_mark(a, b, language).unwrap_or_else(|| {
            let unspaced = !units[k].space && (a.ends_with(is_unspaced) || b.starts_with(is_unspaced));
            match (unspaced, units[k].space && language.is_unspaced()) {
                (true, _) => between_tokens(a, b, language),
                (_, true) if a.ends_with(is_unspaced) || b.starts_with(is_unspaced) => Grade::Comma,
                _ => between_words(
                    (a, kind[k - 1]),
                    (b, kind[k]),
                    k < 2 || out[k - 1] == Grade::Sentence,
                    language,
                ),
            }
        });
    }
    out
}

/// A word in lower case without the punctuation around it, apostrophes made straight.
fn bare(text: &str) -> String {
    text.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .to_lowercase()
        .replace('’', "'")
}

fn kind_of(word: &str, kinds: &HashMap<&'static str, Kind>) -> Option<Kind> {
    kinds.get(word).copied()
}

/// The last character that is no closing quote or bracket, with the text up to it.
fn last_mark(text: &str) -> (&str, Option<char>) {
    let inner = text.trim_end_matches(['"', '\'', '”', '’', '»', '›', '」', '』', ')', '）', ']', ' ']);
    (inner, inner.chars().next_back())
}

/// Whether the text looks like the end of a sentence by itself: `Mr.` does not.
pub fn is_sentence_end(text: &str) -> bool {
    let (inner, mark) = last_mark(text);
    match mark {
        Some('.') => !is_abbreviation(inner),
        Some('!' | '?' | '。' | '！' | '？' | '؟' | '۔' | '।' | '॥' | '｡' | '…' | '။' | '។' | '։') => {
            true
        }
        _ => false,
    }
}

/// The grade that punctuation gives, if it gives one.
fn after_mark(a: &str, b: &str, language: Language) -> Option<Grade> {
    let (inner, mark) = last_mark(a);
    let goes_on = b.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_lowercase);
    if is_sentence_end(a) {
        let ordinal = ORDINALS.contains(&language.whisper_code())
            && inner.strip_suffix('.').is_some_and(|n| n.len() < 3 && n.chars().all(|c| c.is_ascii_digit()));
        let dots = inner.ends_with("..") || mark == Some('…');
        return match (ordinal, goes_on, dots) {
            (true, _, _) => Some(Grade::Bound),
            (_, true, true) => Some(Grade::Clause),
            // "Hm! what" is rare and "Yahoo! mail" rarer: a lower-case word continues the sentence.
            (_, true, false) => Some(Grade::Comma),
            _ => Some(Grade::Sentence),
        };
    }
    match mark {
        Some('.') => Some(Grade::Tight),
        Some(';' | ':' | '；' | '：' | '—' | '–' | '؛' | '·') => Some(Grade::Clause),
        Some('-') if inner.ends_with("--") || inner.ends_with(" -") => Some(Grade::Clause),
        Some(',' | '、' | '，' | '،' | '､') => Some(Grade::Comma),
        _ if b.starts_with(['(', '（', '«', '“', '„', '「', '『', '—', '–', '¿', '¡']) => {
            Some(Grade::Comma)
        }
        _ => None,
    }
}

/// Languages that write `3.` for `third`.
const ORDINALS: &[&str] = &[
    "de", "da", "no", "nn", "fi", "cs", "sk", "sl", "hr", "bs", "sr", "hu", "et", "lv", "pl", "tr", "is",
    "lb",
];

fn between_words(a: (&str, Option<Kind>), b: (&str, Option<Kind>), first: bool, language: Language) -> Grade {
    let capital = |t: &str| t.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_uppercase);
    let number = |t: &str| t.ends_with(|c: char| c.is_numeric());
    if b.1 == Some(Kind::Enclitic) {
        return Grade::Tight;
    }
    match a.1 {
        Some(Kind::Article | Kind::Preposition | Kind::Of) => return Grade::Tight,
        Some(Kind::Auxiliary | Kind::Negation | Kind::Subject | Kind::Conjunction) => return Grade::Bound,
        _ if b.1 == Some(Kind::Negation) => return Grade::Bound,
        _ => {}
    }
    // German writes all nouns with a capital; elsewhere two in a row are a name.
    let names = language.whisper_code() != "de" && !(first && a.1.is_some());
    if names && capital(a.0) && capital(b.0) && b.1.is_none() {
        return Grade::Tight;
    }
    if number(a.0) && b.1.is_none() {
        return Grade::Bound;
    }
    match b.1 {
        Some(Kind::Conjunction) => Grade::Conjunction,
        Some(Kind::Preposition | Kind::Auxiliary) => Grade::Preposition,
        Some(Kind::Of) => Grade::Of,
        _ => Grade::Plain,
    }
}

/// Between two tokens of a script without spaces, by the characters on both sides.
fn between_tokens(a: &str, b: &str, language: Language) -> Grade {
    let (Some(x), Some(y)) = (a.chars().next_back(), b.chars().next()) else {
        return Grade::Plain;
    };
    let word = |c: char| c.is_alphanumeric() && !is_unspaced(c);
    if word(x) && word(y) || is_katakana(x) && is_katakana(y) {
        Grade::Tight
    } else if language.whisper_code() == "ja" || is_hiragana(x) || is_hiragana(y) {
        between_japanese(x, y)
    } else if is_han(x) && is_han(y) {
        between_chinese(x, y)
    } else {
        Grade::Plain
    }
}

/// A phrase ends in hiragana (particles, endings) and the next begins with another script.
fn between_japanese(x: char, y: char) -> Grade {
    const PARTICLES: &str = "はがをにでともへや";
    match (is_hiragana(x), is_hiragana(y)) {
        // The little tsu and prefixes belong to what follows, の ties two nouns.
        (true, false) if "のっおご".contains(x) => Grade::Bound,
        (true, false) => Grade::Conjunction,
        (true, true) if PARTICLES.contains(x) && !PARTICLES.contains(y) => Grade::Plain,
        (true, true) => Grade::Bound,
        (false, true) => Grade::Tight,
        (false, false) if is_katakana(x) != is_katakana(y) => Grade::Plain,
        (false, false) => Grade::Bound,
    }
}

fn between_chinese(x: char, y: char) -> Grade {
    const ENCLITICS: &str = "的了吗呢吧啊着过们地得";
    const OPENERS: &str = "和但而因所如在从对把被跟与或当虽并";
    if ENCLITICS.contains(y) {
        Grade::Tight
    } else if OPENERS.contains(x) {
        Grade::Bound
    } else if OPENERS.contains(y) {
        Grade::Preposition
    } else if "了吗呢吧啊".contains(x) {
        Grade::Conjunction
    } else {
        Grade::Plain
    }
}
