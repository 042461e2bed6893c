//! Whether words stand in a window only because the prompt has them. Pure; decodes nothing.
//!
//! Over music and noise Whisper is apt to write down its prompt. Whoever speaks may say the same words, so they are
//! doubted first, and believed when the decoder listened to them, or when a decoding without the prompt has something that
//! sounds like them.

use super::alone::FEW;
use super::guard::plain_words;
use crate::engine::Heard;
use crate::subtitle::Word;
use crate::subtitle::cue::plain;
use std::ops::Range;

/// A run of this many words as they stand in the prompt is doubted.
const RUN: usize = 4;
/// The part of its letters that may be written otherwise without the prompt.
const APART: f32 = 0.5;
/// Names that were said were listened to as much as this, echoes of them less: 1.56 to 1.86 of 20 synthetic sentences, up
/// to 1.42 of five echoes over music and noise.
const LISTENED: f32 = 1.5;
/// As much is listened to for other words.
const OTHERS: f32 = 1.85;

/// The words to be doubted: all, where the window has no word that the prompt has not; else the longest run of the
/// prompt's, if it is long.
pub fn suspect(words: &[Word], prompt: &str) -> Option<Range<usize>> {
    let heard = plain_words(words);
    let told: Vec<String> = prompt.split_whitespace().map(plain).filter(|w| !w.is_empty()).collect();
    if !heard.is_empty() && heard.iter().all(|w| told.contains(w)) {
        return Some(0..heard.len());
    }
    let starts = (0..heard.len()).flat_map(|i| (0..told.len()).map(move |j| (i, j)));
    let run = |(i, j): (usize, usize)| {
        let same = heard[i..].iter().zip(&told[j..]).take_while(|(a, b)| a == b && !a.is_empty()).count();
        i..i + same
    };
    starts.map(run).max_by_key(Range::len).filter(|run| run.len() >= RUN)
}

/// Whether the words in doubt were listened to while they were written, as far as the mean of all words tells: they must
/// be half of them.
pub fn is_listened(heard: &Heard, doubted: &Range<usize>) -> bool {
    let part = doubted.len() as f32 / heard.words.len().max(1) as f32;
    let least = LISTENED * part + OTHERS * (1.0 - part);
    doubted.len() >= FEW && part >= 0.5 && heard.listened.is_some_and(|listened| listened >= least)
}

/// Whether the letters of `doubted` also stand, more or less, in what was heard without the prompt.
pub fn is_confirmed(doubted: &[Word], bare: &[Word]) -> bool {
    let letters = |words: &[Word]| words.iter().flat_map(|w| w.plain().chars().collect::<Vec<_>>()).collect();
    let (doubted, bare): (Vec<char>, Vec<char>) = (letters(doubted), letters(bare));
    // The least number of letters to change so that it is a part of the other (Sellers).
    let mut row = vec![0usize; bare.len() + 1];
    for (i, a) in doubted.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in bare.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    let least = row.into_iter().min().unwrap_or(doubted.len());
    least as f32 <= APART * doubted.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        let word = |w: &str| Word { text: format!(" {w}"), start_ms: 0, end_ms: 100, p: 0.5 };
        text.split_whitespace().map(word).collect()
    }

    fn check_suspect(text: &str, prompt: &str, expected: Option<Range<usize>>) {
        assert_eq!(suspect(&words(text), prompt), expected, "{text}");
    }

    const CAST: &str = "Frodo Baggins, Samwise Gamgee, Gandalf. The Lord of the Rings.";

    #[test]
    fn a_window_of_nothing_but_the_prompt_is_doubted() {
        check_suspect("Frodo Baggins.", CAST, Some(0..2));
        check_suspect("Gandalf! Gandalf!", CAST, Some(0..2));
        check_suspect("Gandalf, look!", CAST, None);
        check_suspect("", CAST, None);
        check_suspect("Frodo.", "", None);
    }

    #[test]
    fn a_long_run_of_the_prompt_is_doubted_wherever_it_stands() {
        check_suspect("And so Frodo Baggins, Samwise Gamgee, Gandalf went home", CAST, Some(2..7));
        check_suspect("one to find the lord of the rings again", CAST, Some(3..8));
        check_suspect("My name is Frodo Baggins, not Samwise", CAST, None);
    }

    #[test]
    fn what_was_listened_to_is_believed_where_it_is_half_of_the_words() {
        let check = |text: &str, listened, doubted, expected| {
            let heard = Heard { words: words(text), listened, ..Heard::default() };
            assert_eq!(is_listened(&heard, &doubted), expected, "{text}");
        };
        check("Frodo Baggins, Samwise Gamgee.", Some(1.7), 0..4, true);
        check("Frodo Baggins, Samwise Gamgee.", Some(1.4), 0..4, false);
        check("Frodo Baggins, Samwise Gamgee.", None, 0..4, false);
        check("Frodo Baggins.", Some(1.7), 0..2, false);
        // What others were listened to says nothing of these.
        check("Tell Frodo Baggins, Samwise Gamgee now.", Some(1.7), 1..5, true);
        check("Tell Frodo Baggins, Samwise Gamgee now.", Some(1.59), 1..5, false);
        check("Tell Frodo Baggins, Samwise Gamgee and all the others", Some(1.9), 1..5, false);
    }

    #[test]
    fn what_sounds_like_it_without_the_prompt_confirms_it() {
        let check = |doubted: &str, bare: &str, expected| {
            assert_eq!(is_confirmed(&words(doubted), &words(bare)), expected, "{doubted} / {bare}");
        };
        check("Melchior Sternfels von Fuchshaim", "namens Melcher Sternfelz von Fuchsheim wie wo wann", true);
        check("Gandalf", "Gen Dolf", true);
        check("Frodo", "Throdo!", true);
        check("Frodo", "Photo!", false);
        check("Frodo Baggins", "", false);
        check("Frodo Baggins, Samwise Gamgee", "Thank you for watching", false);
        check("Gandalf", "you", false);
    }
}
