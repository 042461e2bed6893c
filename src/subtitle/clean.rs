//! Keeps what is spoken: sound tags, notes and speaker marks are dropped. Knows nothing of layout.
//!
//! Bazarr names a file "for the hard of hearing" when it finds brackets or a pair of notes around text.

use super::Word;
use super::breaks::is_sentence_end;
use super::scripts::is_spoken;

/// A tag is closed within so many characters, or it is none.
const TAG_CHARS: usize = 60;

/// A tag in round brackets has no more words than that; more are an aside that somebody speaks.
const TAG_WORDS: usize = 4;

#[rustfmt::skip]
static SOUNDS: &[&str] = &[
    "music", "applause", "laughter", "laughs", "laughing", "chuckles", "sighs", "cheering", "cheers", "crying", "coughs",
    "gasps", "silence", "inaudible", "speaking", "singing", "noise", "clapping", "whistles", "screams", "bell", "beep",
    "musik", "applaus", "lachen", "gelächter", "beifall", "stille", "seufzt", "musique", "applaudissements", "rires", "soupir",
    "música", "aplausos", "risas", "suspira", "musica", "applausi", "risate", "risos", "музыка", "аплодисменты", "смех",
    "muziek", "gelach", "muzyka", "śmiech", "音楽", "拍手", "笑", "笑い", "音乐", "掌声", "笑声", "음악", "박수", "웃음",
];

/// The words that are spoken, with their punctuation: no `[Music]`, `(applause)`, `*sighs*`, `♪`, `>>` or lone dots.
///
/// Words that are sung stay, as do those that stand in round brackets but are speech: only the marks go.
pub fn spoken(words: &[Word]) -> Vec<Word> {
    let chars: Vec<(usize, char)> =
        words.iter().enumerate().flat_map(|(k, w)| w.text.chars().map(move |c| (k, c))).collect();
    let mut keep = vec![true; chars.len()];
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at].1;
        if matches!(c, '♪' | '♫' | '♬' | '♩' | '\u{fe0f}') || is_speaker_mark(&chars, at) {
            keep[at] = false;
        } else if let Some(close) = closing(c).filter(|_| c != '*' || hugs(&chars, at)) {
            let end = end_of_tag(&chars, at, close);
            match end {
                Some(end) if is_sound(&chars, at, end) => {
                    keep[at..=end].fill(false);
                    at = end;
                }
                Some(end) => {
                    keep[at] = false;
                    keep[end] = false;
                }
                // A bracket that stays open is noise.
                None => keep[at] = false,
            }
        } else if matches!(c, ']' | '】' | '}') {
            keep[at] = false;
        }
        at += 1;
    }
    let mut texts = vec![String::new(); words.len()];
    for ((word, c), keep) in chars.iter().zip(&keep) {
        if *keep {
            texts[*word].push(*c);
        }
    }
    let mut out: Vec<Word> = Vec::with_capacity(words.len());
    for (word, text) in words.iter().zip(texts) {
        let changed = text != word.text;
        if says_something(&text, changed, out.last()) {
            out.push(Word { text: if changed { tidy(&text) } else { text }, ..word.clone() });
        }
    }
    out
}

/// Single spaces, one at the start where there was one.
fn tidy(text: &str) -> String {
    let space = if text.starts_with(char::is_whitespace) { " " } else { "" };
    format!("{space}{}", text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Spoken characters do; so do marks that belong to a word. What a tag leaves behind and lone dots do not.
fn says_something(text: &str, changed: bool, before: Option<&Word>) -> bool {
    if text.contains(is_spoken) {
        return true;
    }
    let marks = text.trim();
    let dots = marks.chars().all(|c| matches!(c, '.' | '…' | '。' | '・' | ' '));
    let lone = dots && text.starts_with(' ');
    !(marks.is_empty() || changed || lone) && before.is_some()
}

/// `>>` or `>>>` where a speaker changes.
fn is_speaker_mark(chars: &[(usize, char)], at: usize) -> bool {
    let arrow = |k: usize| chars.get(k).is_some_and(|c| c.1 == '>');
    arrow(at) && (arrow(at + 1) || at > 0 && arrow(at - 1))
}

/// A star that opens emphasis stands at a word: `*sighs*`, not `2 * 3`.
fn hugs(chars: &[(usize, char)], at: usize) -> bool {
    chars.get(at + 1).is_some_and(|c| !c.1.is_whitespace())
}

fn closing(open: char) -> Option<char> {
    Some(match open {
        '[' => ']',
        '{' => '}',
        '(' => ')',
        '（' => '）',
        '【' => '】',
        '［' => '］',
        '*' => '*',
        _ => return None,
    })
}

fn end_of_tag(chars: &[(usize, char)], at: usize, close: char) -> Option<usize> {
    (at + 1..chars.len().min(at + TAG_CHARS)).find(|k| chars[*k].1 == close)
}

/// Square and curly brackets and stars always hold a sound; round ones when they name one or stand apart.
fn is_sound(chars: &[(usize, char)], at: usize, end: usize) -> bool {
    if !matches!(chars[at].1, '(' | '（') {
        return true;
    }
    let inside: String = chars[at + 1..end].iter().map(|c| c.1).collect::<String>().to_lowercase();
    let mut words = inside.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    if words.clone().any(|w| SOUNDS.contains(&w)) {
        return true;
    }
    let from = at.saturating_sub(20);
    let before: String = chars[from..at].iter().map(|c| c.1).collect();
    let apart = before.trim().is_empty() || is_sentence_end(before.trim_end());
    apart && words.nth(TAG_WORDS).is_none()
}

#[cfg(test)]
mod tests {
    use super::spoken;
    use crate::subtitle::Word;

    /// The words of `text` are cut before each space.
    fn check(text: &str, expected: &str) {
        let mut words: Vec<Word> = Vec::new();
        for c in text.chars() {
            if c == ' ' || words.is_empty() {
                words.push(Word { text: String::new(), start_ms: 0, end_ms: 0, p: 1.0 });
            }
            if let Some(w) = words.last_mut() {
                w.text.push(c);
            }
        }
        let kept = spoken(&words);
        assert!(kept.iter().all(|w| !w.text.trim().is_empty()));
        assert_eq!(kept.iter().map(|w| w.text.as_str()).collect::<String>(), expected);
    }

    #[test]
    fn sound_tags_are_dropped_with_what_is_left_of_them() {
        check(" [Music]", "");
        check(" Hello. [door opens]. Come in.", " Hello. Come in.");
        check(" (audience applause) Thank you.", " Thank you.");
        check(" Well. (sighs deeply) No.", " Well. No.");
        check(" *laughs* So {noise} it is.", " So it is.");
        check(" 【笑】はい（拍手）", " はい");
    }

    #[test]
    fn notes_go_and_what_is_sung_stays() {
        check(" ♪ Happy birthday to you ♪", " Happy birthday to you");
        check("♪♪", "");
    }

    #[test]
    fn speech_in_round_brackets_stays_without_them() {
        check(" He said (and I agree with him here) yes.", " He said and I agree with him here yes.");
        check(" The EU (European Union) grew.", " The EU European Union grew.");
    }

    #[test]
    fn brackets_that_stay_open_and_lone_dots_are_noise() {
        check(" [Music and so on", " Music and so on");
        check(" . . . .", "");
        check(" Yes ... no", " Yes no");
        check(" >> Who is it?", " Who is it?");
    }

    #[test]
    fn plain_speech_is_left_as_it_is() {
        let text = " Mr. Smith -- the one I know – paid 1,000 dollars (or so it seems to all of us here). Quoi ? 5 > 4";
        check(text, &text.replace(['(', ')'], ""));
    }
}
