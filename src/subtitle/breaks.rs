//! How good a place between two units is for a break. Knows nothing of time, widths or cost.

mod phrase;
mod tokens;

use super::phrases::{is_abbreviation, is_raised};
use super::scripts::is_unspaced;
use super::units::Unit;
use crate::language::Language;
use phrase::Phrase;

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
    /// Between words that may belong together: after a determiner and one word.
    Near,
    /// Inside a phrase: auxiliary and verb, number and unit, subject and verb.
    Bound,
    /// Between article and noun, preposition and its noun, first and last name.
    Tight,
}

/// One grade for each inner boundary: `grades[k]` stands before unit `k`; the first is `Sentence`.
pub fn grades(units: &[Unit], language: Language) -> Vec<Grade> {
    let marks: Vec<Option<Grade>> = (0..units.len())
        .map(|k| match k {
            0 => Some(Grade::Sentence),
            k => after_mark(&units[k - 1].text, &units[k].text, language),
        })
        .collect();
    let phrase = Phrase::new(units, &marks, language);
    let grade = |k: usize| {
        let unspaced =
            k > 0 && (units[k - 1].text.ends_with(is_unspaced) || units[k].text.starts_with(is_unspaced));
        match marks[k] {
            Some(Grade::Comma) => phrase.after_comma(k),
            Some(grade) => grade,
            None if unspaced && !units[k].space => {
                tokens::between(&units[k - 1].text, &units[k].text, language)
            }
            // Where no spaces part words, one parts phrases.
            None if unspaced && language.is_unspaced() => Grade::Comma,
            None if begins_clause(&units[k - 1], &units[k], language) => match phrase.between(k) {
                Grade::Tight => Grade::Tight,
                grade => grade.min(Grade::Comma),
            },
            None => phrase.between(k),
        }
    };
    (0..units.len()).map(grade).collect()
}

/// A silence from which on a capital is heard as a beginning.
const BEGINNING_MS: i64 = 300;
/// Languages that write nouns with a capital.
const CAPITAL_NOUNS: [&str; 2] = ["de", "lb"];

/// Whether a unit begins something though no mark stands before it: Whisper leaves out the marks where it is unsure, but not
/// the capitals ("for you | Ask what you can").
fn begins_clause(before: &Unit, unit: &Unit, language: Language) -> bool {
    unit.start_ms - before.end_ms >= BEGINNING_MS
        && is_raised(&unit.text)
        && !CAPITAL_NOUNS.contains(&language.whisper_code())
}

/// The last character that is no closing quote or bracket, with the text up to it.
fn last_mark(text: &str) -> (&str, Option<char>) {
    let inner = text.trim_end_matches(['"', '\'', '”', '’', '»', '›', '」', '』', ')', '）', ']', ' ']);
    (inner, inner.chars().next_back())
}

/// Whether the text looks like the end of a sentence by itself: `Mr.` does not.
pub fn is_sentence_end(text: &str) -> bool {
    ends_sentence(text, "")
}

fn ends_sentence(text: &str, next: &str) -> bool {
    let (inner, mark) = last_mark(text);
    match mark {
        Some('.') => !is_abbreviation(inner, next),
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
    if ends_sentence(a, b) {
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
        // "Ein- und Ausgang": the word is not whole yet.
        Some('-') if inner.chars().count() > 1 => Some(Grade::Tight),
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

#[cfg(test)]
mod tests;
