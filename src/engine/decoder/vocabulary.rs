//! Whisper's tokens: their bytes, what the special ones mean, and text cut into them. Knows nothing of weights.
//!
//! A model file lists the tokens that are text; the others follow in an order that OpenAI's tokenizer sets
//! (`whisper/tokenizer.py`), with one token for each language that the model knows.

use super::super::Error;
use std::collections::HashMap;

/// The first stamp is followed by one for each 20 ms up to 30 s.
pub(super) const STAMP_MS: i64 = 20;
/// Tokens of every model but its text, its languages and the stamps: how many languages there are follows from that.
const BESIDE_LANGUAGES: usize = 51_765;
/// Models with fewer tokens know English alone.
const MULTILINGUAL: usize = 51_865;

/// What is never said though it could be written: OpenAI's list of symbols for annotations and music.
static UNSPOKEN: &[&str] = &[
    "\"",
    "#",
    "(",
    ")",
    "*",
    "+",
    "/",
    ":",
    ";",
    "<",
    "=",
    ">",
    "@",
    "[",
    "\\",
    "]",
    "^",
    "_",
    "`",
    "{",
    "|",
    "}",
    "~",
    "「",
    "」",
    "『",
    "』",
    "<<",
    ">>",
    "<<<",
    ">>>",
    "--",
    "---",
    "-(",
    "-[",
    "('",
    "(\"",
    "((",
    "))",
    "(((",
    ")))",
    "[[",
    "]]",
    "{{",
    "}}",
    "♪♪",
    "♪♪♪",
    "♩",
    "♪",
    "♫",
    "♬",
    "♭",
    "♮",
    "♯",
];
/// Hyphens and quotes stand inside words, not before them.
static NOT_BEFORE_WORDS: &[&str] = &[" -", " '"];

/// The tokens of a model.
pub(in crate::engine) struct Vocabulary {
    bytes: Vec<Vec<u8>>,
    ids: HashMap<Vec<u8>, u32>,
    /// With which a text ends; all before it are text.
    pub end: u32,
    pub start: u32,
    /// How many languages have a token, the first of them right behind `start`.
    pub languages: u32,
    pub translate: u32,
    pub transcribe: u32,
    /// Before a prompt.
    pub previous: u32,
    pub no_speech: u32,
    /// The stamp of 0 s.
    pub first_stamp: u32,
    pub count: u32,
}

impl Vocabulary {
    /// `listed`: the block of a model file that begins with how many tokens it lists; `count`: those of the model.
    pub fn read(listed: &[u8], count: usize) -> Result<Vocabulary, Error> {
        let mut rest = listed;
        let number = |from: &mut &[u8]| -> Option<usize> {
            let (four, behind) = from.split_first_chunk::<4>()?;
            *from = behind;
            Some(u32::from_le_bytes(*four) as usize)
        };
        let mut read = || {
            let listed = number(&mut rest)?;
            let mut bytes = Vec::with_capacity(listed.min(count));
            for _ in 0..listed {
                let length = number(&mut rest)?;
                let (token, behind) = rest.split_at_checked(length)?;
                rest = behind;
                bytes.push(token.to_vec());
            }
            Some(bytes)
        };
        let bytes = read().ok_or_else(|| Error::Failed("the model's vocabulary breaks off".into()))?;
        // Where two tokens are the same bytes the first stands for them.
        let mut ids = HashMap::with_capacity(bytes.len());
        for (token, id) in bytes.iter().zip(0..) {
            ids.entry(token.clone()).or_insert(id);
        }
        let multilingual = count >= MULTILINGUAL;
        let end = if multilingual { 50_257 } else { 50_256 };
        let languages = match multilingual {
            true => count.saturating_sub(BESIDE_LANGUAGES + 1) as u32,
            false => 99,
        };
        let first = end + 2 + languages;
        let first_stamp = first + 6;
        if (first_stamp as usize) >= count || bytes.len() > count {
            return Err(Error::Failed(format!("no Whisper has {count} tokens")));
        }
        Ok(Vocabulary {
            bytes,
            ids,
            end,
            start: end + 1,
            languages: if multilingual { languages } else { 0 },
            translate: first,
            transcribe: first + 1,
            previous: first + 3,
            no_speech: first + 4,
            first_stamp,
            count: count as u32,
        })
    }

    pub fn is_multilingual(&self) -> bool {
        self.languages > 0
    }

    pub fn is_stamp(&self, token: u32) -> bool {
        token >= self.first_stamp
    }

    /// Milliseconds of a stamp.
    pub fn stamp_ms(&self, token: u32) -> i64 {
        i64::from(token - self.first_stamp) * STAMP_MS
    }

    /// What a token of text is written as.
    pub fn text(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// The token that is just this text.
    pub fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text.as_bytes()).copied().filter(|id| *id < self.end)
    }

    /// Tokens that are never the next one: symbols that nobody says, and what gives orders.
    pub fn forbidden(&self) -> Vec<u32> {
        let spaced = UNSPOKEN.iter().map(|text| format!(" {text}"));
        let unspoken = UNSPOKEN.iter().chain(NOT_BEFORE_WORDS).map(|text| (*text).to_owned()).chain(spaced);
        let text = unspoken.filter_map(|text| self.id(&text));
        text.chain(self.end + 1..self.first_stamp).collect()
    }

    /// A text in tokens: in pieces as GPT-2 cuts it, each in the longest tokens that there are from its start on.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        for piece in pieces(text) {
            let mut rest = piece.as_bytes();
            while !rest.is_empty() {
                let longest = (1..=rest.len()).rev().find_map(|n| Some((n, *self.ids.get(&rest[..n])?)));
                let (length, token) = longest.unwrap_or((1, self.end));
                if token < self.end {
                    tokens.push(token);
                }
                rest = &rest[length..];
            }
        }
        tokens
    }
}

/// What follows a word behind its apostrophe.
static SHORTENED: &[&str] = &["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// Words with the space before them, numbers, runs of marks, and what is left of spaces.
fn pieces(text: &str) -> Vec<&str> {
    #[derive(PartialEq)]
    enum Sort {
        Letters,
        Digits,
        Marks,
        Space,
    }
    let sort = |c: char| match c {
        c if c.is_whitespace() => Sort::Space,
        c if c.is_alphabetic() => Sort::Letters,
        c if c.is_numeric() => Sort::Digits,
        _ => Sort::Marks,
    };
    let mut pieces = Vec::new();
    let mut rest = text;
    let shortened = |rest: &str| SHORTENED.iter().find(|end| rest.starts_with(**end)).map(|end| end.len());
    while let Some(first) = rest.chars().next() {
        let spaces = rest.len() - rest.trim_start_matches(|c| sort(c) == Sort::Space).len();
        // One space goes with what follows, the others stand by themselves.
        let led = first == ' ' && spaces == 1 && rest.len() > 1;
        let length = if let Some(length) = shortened(rest) {
            length
        } else if spaces > 0 && !led {
            let last = rest[..spaces].chars().next_back().map_or(0, char::len_utf8);
            if rest[..spaces].ends_with(' ') && spaces > last && spaces < rest.len() {
                spaces - 1
            } else {
                spaces
            }
        } else {
            let body = &rest[usize::from(led)..];
            let kind = body.chars().next().map(sort);
            let end = body.find(|c| Some(sort(c)) != kind).unwrap_or(body.len());
            usize::from(led) + end
        };
        let (piece, behind) = rest.split_at(length);
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(tokens: &[&str], count: usize) -> Vocabulary {
        let mut listed = (tokens.len() as u32).to_le_bytes().to_vec();
        for token in tokens {
            listed.extend((token.len() as u32).to_le_bytes());
            listed.extend(token.as_bytes());
        }
        Vocabulary::read(&listed, count).unwrap()
    }

    #[test]
    fn special_tokens_are_where_openai_puts_them() {
        let check = |count, expected: [u32; 7]| {
            let v = sample(&["a"], count);
            let found = [v.end, v.start, v.languages, v.translate, v.transcribe, v.no_speech, v.first_stamp];
            assert_eq!(found, expected, "{count}");
        };
        check(51_864, [50_256, 50_257, 0, 50_357, 50_358, 50_361, 50_363]);
        check(51_865, [50_257, 50_258, 99, 50_358, 50_359, 50_362, 50_364]);
        check(51_866, [50_257, 50_258, 100, 50_359, 50_360, 50_363, 50_365]);
    }

    #[test]
    fn texts_are_cut_as_gpt_2_cuts_them() {
        let check = |text, expected: &[&str]| assert_eq!(pieces(text), expected, "{text}");
        check(" Hello world, it's 1984!", &[" Hello", " world", ",", " it", "'s", " 1984", "!"]);
        check("a  b", &["a", " ", " b"]);
        check("  ", &["  "]);
        check("", &[]);
        check(" Ödön", &[" Ödön"]);
    }

    #[test]
    fn the_longest_tokens_are_taken_and_unknown_bytes_left_out() {
        let v = sample(&["a", " a", "b", "ab", " abc"], 51_865);
        assert_eq!(v.tokens(" abcab aXb"), [4, 3, 1, 2]);
        assert_eq!((v.text(3), v.id("b"), v.id("zz")), (&b"ab"[..], Some(2), None));
    }

    #[test]
    fn symbols_and_orders_are_never_next() {
        let v = sample(&["(", " (", "so", " -", "-"], 51_865);
        let forbidden = v.forbidden();
        assert!(
            [0, 1, 3, v.start, v.translate, v.no_speech, v.start + 1].iter().all(|t| forbidden.contains(t))
        );
        assert!([2, 4, v.end, v.first_stamp].iter().all(|t| !forbidden.contains(t)));
    }

    #[test]
    fn a_vocabulary_that_breaks_off_is_refused() {
        assert!(Vocabulary::read(&[3, 0, 0, 0, 9, 0, 0, 0, b'a'], 51_865).is_err());
        assert!(Vocabulary::read(&[0, 0, 0, 0], 40_000).is_err());
    }
}
