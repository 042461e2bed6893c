//! Words that Whisper, which has read many old books, spells as they did, as they are spelt now. Knows nothing of cues.

use super::Word;
use crate::language::Language;

/// English words once written in two, with or without a hyphen between.
const PARTED: [(&str, &str); 5] =
    [("good", "bye"), ("good", "byes"), ("to", "day"), ("to", "morrow"), ("to", "night")];

/// The same words as they are spelt now: "Good-bye" and "Good bye" as "Goodbye", "to-morrow" as "tomorrow". Only "to day"
/// and its like, parted by a space, may be meant. Words of other languages are left alone.
pub fn modern(words: Vec<Word>, language: Language) -> Vec<Word> {
    if language != Language::ENGLISH {
        return words;
    }
    let mut out: Vec<Word> = Vec::with_capacity(words.len());
    for mut word in words {
        if let Some(at) = hyphen(&word.text) {
            word.text = joined(&word.text[..at], &word.text[at + 1..]);
        }
        match out.last_mut() {
            Some(last) if is_parted(&last.text, &word.text) => {
                last.text = joined(&last.text, word.text.trim_start());
                last.end_ms = last.end_ms.max(word.end_ms);
                last.p = last.p.min(word.p);
            }
            _ => out.push(word),
        }
    }
    out
}

/// Where the hyphen of a word stands that has none any more.
fn hyphen(text: &str) -> Option<usize> {
    let (before, behind) = text.split_once('-')?;
    is_one(first_letters(before)?, &letters(behind)).then_some(before.len())
}

/// Whether two words are "good" and "bye".
fn is_parted(before: &str, behind: &str) -> bool {
    let first = first_letters(before).filter(|first| first.eq_ignore_ascii_case("good"));
    behind.starts_with(' ') && first.is_some_and(|first| is_one(first, &letters(behind.trim_start())))
}

/// One word of two; a name's capital inside goes, unless all are.
fn joined(first: &str, second: &str) -> String {
    let shouted = !first.contains(char::is_lowercase);
    if shouted { format!("{first}{second}") } else { format!("{first}{}", second.to_lowercase()) }
}

fn is_one(first: &str, second: &str) -> bool {
    PARTED.iter().any(|(a, b)| a.eq_ignore_ascii_case(first) && b.eq_ignore_ascii_case(second))
}

/// A word's letters, where nothing stands behind them.
fn first_letters(text: &str) -> Option<&str> {
    let word = text.trim_start_matches(|c: char| !c.is_alphabetic());
    (!word.is_empty() && word.chars().all(char::is_alphabetic)).then_some(word)
}

/// The letters that a text begins with.
fn letters(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphabetic()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let words = |text: &str| -> Vec<Word> {
            let word = |(i, text): (i64, &str)| {
                let start_ms = i * 300;
                Word { text: format!(" {text}"), start_ms, end_ms: start_ms + 250, p: 0.5 + 0.1 * i as f32 }
            };
            (0..).zip(text.split(' ')).map(word).collect()
        };
        let got = modern(words(text), Language::ENGLISH);
        assert_eq!(got.iter().map(|w| w.text.as_str()).collect::<String>().trim_start(), expected);
        assert_eq!(got.last().map(|w| w.end_ms), words(text).last().map(|w| w.end_ms));
        let german: Language = "de".parse().unwrap();
        assert_eq!(modern(words(text), german), words(text));
    }

    #[test]
    fn english_words_are_spelt_as_they_are_now() {
        check("Good-bye!", "Goodbye!");
        check("\"Good-Bye,\" he said.", "\"Goodbye,\" he said.");
        check("Good bye.", "Goodbye.");
        check("GOOD-BYE", "GOODBYE");
        check("Say good Bye, to-morrow or to-night?", "Say goodbye, tomorrow or tonight?");
        check("all the good-byes of to-day's men", "all the goodbyes of today's men");
    }

    #[test]
    fn what_may_be_meant_is_left_alone() {
        for text in [
            "Good. Bye!",
            "a good by-product",
            "from day to day",
            "to night owls",
            "good-for-nothing",
            "too-day",
        ] {
            check(text, text);
        }
    }
}
