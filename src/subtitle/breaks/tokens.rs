//! Between tokens of scripts without spaces, by the characters on both sides. Knows no words.

use super::Grade;
use crate::language::Language;
use crate::subtitle::scripts::{is_han, is_hiragana, is_katakana, is_unspaced};

/// The grade between two units without a space and a mark between them.
pub fn between(a: &str, b: &str, language: Language) -> Grade {
    let (Some(x), Some(y)) = (a.chars().next_back(), b.chars().next()) else {
        return Grade::Plain;
    };
    let word = |c: char| c.is_alphanumeric() && !is_unspaced(c);
    if word(x) && word(y) || is_katakana(x) && is_katakana(y) {
        Grade::Tight
    } else if language.whisper_code() == "ja" || is_hiragana(x) || is_hiragana(y) {
        japanese(x, y)
    } else if is_han(x) && is_han(y) {
        chinese(x, y)
    } else if is_syllabic(x) && is_syllabic(y) {
        syllables(x, b)
    } else {
        Grade::Plain
    }
}

/// A phrase ends in hiragana (particles, endings) and the next begins with another script.
fn japanese(x: char, y: char) -> Grade {
    const PARTICLES: &str = "はがをにでともへや";
    match (is_hiragana(x), is_hiragana(y)) {
        // No word begins with it.
        (_, true) if y == 'ん' => Grade::Tight,
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

fn chinese(x: char, y: char) -> Grade {
    const ENCLITICS: &str = "的了吗呢吧啊着过们地得嗎過們著";
    const OPENERS: &str = "和但而因所如在从對对把被跟与與或当當虽雖并並從";
    // Adverbs, determiners and numerals belong to what follows.
    const BINDERS: &str = "不没沒很再就都也更最太这這那每第一二三四五六七八九十百千";
    if ENCLITICS.contains(y) {
        Grade::Tight
    } else if OPENERS.contains(x) || BINDERS.contains(x) {
        Grade::Bound
    } else if OPENERS.contains(y) {
        Grade::Preposition
    } else if "了吗嗎呢吧啊".contains(x) {
        Grade::Conjunction
    } else {
        Grade::Plain
    }
}

/// Thai, Lao, Burmese, Khmer.
fn is_syllabic(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF)
}

/// Without a dictionary: where a syllable surely begins or has ended, better than where one might be cut. A vowel that
/// is written before its consonant begins one, and some signs end one.
fn syllables(x: char, b: &str) -> Grade {
    let mut next = b.chars();
    let (first, second) = (next.next().unwrap_or_default(), next.next());
    let begins = matches!(u32::from(first), 0x0E40..=0x0E44 | 0x0EC0..=0x0EC4);
    let ended = matches!(u32::from(x), 0x0E2F..=0x0E30 | 0x0E33 | 0x0E46 | 0x0EB0 | 0x0EB3 | 0x0EC6 | 0x1038);
    // A Burmese consonant that its sign makes the end of a syllable.
    let ends = second == Some('\u{103a}');
    match (ends, begins || ended) {
        (true, _) => Grade::Tight,
        (_, true) => Grade::Plain,
        _ => Grade::Near,
    }
}
