//! Whisper's tokens as words with times. Knows nothing of whisper_rs or of what is done with the words.

use crate::subtitle::Word;

/// A text token of a decoded segment.
#[derive(Debug, Clone)]
pub struct Token {
    /// Maybe a part of a character.
    pub bytes: Vec<u8>,
    pub start_ms: i64,
    pub end_ms: i64,
    pub p: f32,
}

/// Joins tokens to words: a word begins at a leading space, in scripts without spaces at every whole
/// character run; punctuation belongs to the word before it and does not stretch its time, since the
/// token of a full stop takes the pause behind it.
pub fn join(tokens: &[Token], unspaced: bool) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut bytes: Vec<u8> = Vec::new();
    let mut begun: Option<Token> = None;
    for token in tokens {
        bytes.extend_from_slice(&token.bytes);
        let part = begun.get_or_insert_with(|| token.clone());
        part.end_ms = part.end_ms.max(token.end_ms);
        part.p = part.p.min(token.p);
        let Ok(text) = std::str::from_utf8(&bytes) else {
            // A character goes on in the next token, unless this can never become one.
            if bytes.len() > 16 {
                bytes.clear();
                begun = None;
            }
            continue;
        };
        add(&mut words, text, part, unspaced);
        bytes.clear();
        begun = None;
    }
    words.retain(|w| !w.text.trim().is_empty());
    words
}

fn add(words: &mut Vec<Word>, text: &str, part: &Token, unspaced: bool) {
    let mark = !text.trim().is_empty() && text.trim().chars().all(|c| !c.is_alphanumeric());
    let begins = text.starts_with(char::is_whitespace) || (unspaced && !mark);
    match words.last_mut() {
        Some(last) if !begins || (mark && closes(text)) => {
            last.text.push_str(if mark && begins { text.trim_start() } else { text });
            if !mark {
                last.end_ms = last.end_ms.max(part.end_ms);
                last.p = last.p.min(part.p);
            }
        }
        _ => words.push(Word {
            text: text.to_owned(),
            start_ms: part.start_ms,
            end_ms: part.end_ms.max(part.start_ms),
            p: part.p,
        }),
    }
}

/// Punctuation that belongs to the word before it even when a space was written.
fn closes(text: &str) -> bool {
    text.trim().chars().all(|c| ".,!?;:…%)]}»”’、。！？，；：）」』".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parts: &[(&[u8], i64, i64)], unspaced: bool, expected: &[(&str, i64, i64)]) {
        let tokens: Vec<Token> = parts
            .iter()
            .map(|&(bytes, start_ms, end_ms)| Token { bytes: bytes.to_vec(), start_ms, end_ms, p: 0.5 })
            .collect();
        let words = join(&tokens, unspaced);
        let got: Vec<(&str, i64, i64)> =
            words.iter().map(|w| (w.text.as_str(), w.start_ms, w.end_ms)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn tokens_join_at_spaces_and_punctuation_takes_no_time() {
        check(
            &[
                (b" And", 0, 200),
                (b" so", 200, 400),
                (b",", 400, 900),
                (b" Amer", 900, 1100),
                (b"icans", 1100, 1300),
            ],
            false,
            &[(" And", 0, 200), (" so,", 200, 400), (" Americans", 900, 1300)],
        );
    }

    #[test]
    fn a_character_split_over_tokens_is_whole_again() {
        let e = "é".as_bytes();
        check(&[(b" caf", 0, 10), (&e[..1], 10, 20), (&e[1..], 20, 30)], false, &[(" café", 0, 30)]);
        let snow = "雪国".as_bytes();
        check(
            &[(&snow[..2], 0, 10), (&snow[2..3], 10, 20), (&snow[3..], 20, 30)],
            true,
            &[("雪", 0, 20), ("国", 20, 30)],
        );
    }

    #[test]
    fn in_scripts_without_spaces_marks_stay_with_their_word() {
        check(&[("です".as_bytes(), 0, 10), ("。".as_bytes(), 10, 90)], true, &[("です。", 0, 10)]);
    }

    #[test]
    fn bytes_that_are_no_text_are_left_out() {
        check(&[(&[0xff; 20], 0, 10), (b" ok", 10, 20)], false, &[(" ok", 10, 20)]);
    }
}
