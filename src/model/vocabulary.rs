//! The tokens of a model as raw bytes, out of the files that come with CTranslate2 models.

use super::Error;
use std::path::{Path, PathBuf};

/// Tokens that a model file lists: those with text. The loader makes up the names of the later ones.
pub(super) const LISTED: usize = 50257;

/// The names a vocabulary goes by, best first.
const NAMES: [&str; 3] = ["vocabulary.txt", "vocabulary.json", "tokenizer.json"];

/// The first [`LISTED`] tokens out of the first vocabulary file in `folders`.
///
/// `n_vocab`: tokens that the model has. Fails when there is no such file, when it does not fit the model, or
/// when a token is not written in GPT-2's alphabet.
pub(super) fn load(folders: &[PathBuf], n_vocab: u32) -> Result<Vec<Vec<u8>>, Error> {
    let found =
        NAMES.iter().find_map(|name| folders.iter().map(|f| f.join(name)).find(|path| path.is_file()));
    let Some(path) = found else {
        let path = folders.first().cloned().unwrap_or_default();
        let why = format!("it has no vocabulary; one of {} belongs beside model.bin", NAMES.join(", "));
        return Err(Error::Source { path, why });
    };
    let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
    let refuse = |why: String| Error::Source { path: path.clone(), why };
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8 text".into()))?;
    let entries = match path.extension() {
        Some(e) if e == "txt" => from_lines(&text),
        _ => from_json(&path, &text).map_err(refuse)?,
    };
    tokens(&entries, n_vocab, !path.ends_with("tokenizer.json")).map_err(refuse)
}

/// One token a line. Only LF ends a line: other line breaks of Unicode are tokens.
fn from_lines(text: &str) -> Vec<String> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::to_owned).collect()
}

fn from_json(path: &Path, text: &str) -> Result<Vec<String>, String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|e| format!("it is not JSON ({e})"))?;
    if path.ends_with("vocabulary.json") {
        return serde_json::from_value(json).map_err(|e| format!("it is not a list of tokens ({e})"));
    }
    let ids = json.pointer("/model/vocab").and_then(|v| v.as_object()).ok_or("it has no model.vocab")?;
    let mut by_id: Vec<(u64, String)> = Vec::with_capacity(ids.len());
    for (token, id) in ids {
        by_id.push((id.as_u64().ok_or_else(|| format!("the token '{token}' has no number"))?, token.clone()));
    }
    by_id.sort_unstable();
    let gap = by_id.iter().zip(0..).take(LISTED).find(|((id, _), place)| id != place);
    match gap {
        Some((_, place)) => Err(format!("no token, or more than one, has the number {place}")),
        None => Ok(by_id.into_iter().map(|(_, token)| token).collect()),
    }
}

/// Checks the entries against the model and turns them into bytes. `whole`: the file lists special tokens too.
fn tokens(entries: &[String], n_vocab: u32, whole: bool) -> Result<Vec<Vec<u8>>, String> {
    if whole && entries.len() as u64 != u64::from(n_vocab) {
        return Err(format!(
            "it has {} tokens and the model {n_vocab}: they do not belong together",
            entries.len()
        ));
    }
    let multilingual = n_vocab > 51864;
    let mut listed = entries.get(..LISTED).unwrap_or(entries).to_vec();
    if !whole && multilingual && listed.len() == LISTED - 1 {
        // The empty token has no place in a map that lists what text can become.
        listed.push(String::new());
    }
    if !whole && !multilingual && listed.len() == LISTED - 1 {
        listed.push("<|endoftext|>".to_owned());
    }
    if listed.len() != LISTED {
        return Err(format!("it has {} tokens, at least {LISTED} expected", listed.len()));
    }
    let last = &listed[LISTED - 1];
    let landmark = if multilingual { "" } else { "<|endoftext|>" };
    if last != landmark {
        return Err(format!("its token 50256 is '{last}', not '{landmark}': is it that of another model?"));
    }
    let alphabet = Alphabet::new();
    listed.iter().enumerate().map(|(id, token)| alphabet.bytes(token).map_err(|c| bad_char(id, c))).collect()
}

fn bad_char(id: usize, c: char) -> String {
    format!("its token {id} has the character {c:?}, which GPT-2's alphabet has not")
}

/// GPT-2's printable alphabet: each byte has a character. Source: `bytes_to_unicode` of GPT-2's encoder.
struct Alphabet {
    /// The bytes of U+0100 and on: those that are not printable themselves, in ascending order.
    hidden: Vec<u8>,
}

fn is_printable(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff)
}

impl Alphabet {
    fn new() -> Alphabet {
        Alphabet { hidden: (0..=255).filter(|&byte| !is_printable(byte)).collect() }
    }

    /// The raw bytes of a token, or the first character that does not belong.
    fn bytes(&self, token: &str) -> Result<Vec<u8>, char> {
        token.chars().map(|c| self.byte(c).ok_or(c)).collect()
    }

    fn byte(&self, c: char) -> Option<u8> {
        match u8::try_from(c) {
            Ok(byte) => is_printable(byte).then_some(byte),
            Err(_) => self.hidden.get((u32::from(c) as usize).checked_sub(0x100)?).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Alphabet, LISTED, from_json, from_lines, tokens};
    use std::path::Path;

    fn entries(n: usize, last: &str) -> Vec<String> {
        let mut all = vec!["a".to_owned(); n];
        all[LISTED - 1] = last.to_owned();
        all
    }

    #[test]
    fn every_byte_has_its_character() {
        let alphabet = Alphabet::new();
        assert_eq!(alphabet.bytes("ĠhiĊ"), Ok(b" hi\n".to_vec()));
        assert_eq!(alphabet.bytes("Ń¡"), Ok(vec![0xad, 0xa1]));
        assert_eq!(alphabet.bytes("a b"), Err(' '));
        assert_eq!(alphabet.bytes("ń"), Err('ń'));
        let all: std::collections::HashSet<u8> =
            (0u32..0x144).filter_map(char::from_u32).filter_map(|c| alphabet.byte(c)).collect();
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn only_a_line_feed_ends_a_line() {
        assert_eq!(from_lines("a\n\nb\u{2028}c\r\n"), ["a", "", "b\u{2028}c\r"]);
    }

    #[test]
    fn the_landmark_tells_multilingual_from_english() {
        assert_eq!(tokens(&entries(51865, ""), 51865, true).unwrap()[LISTED - 1], b"");
        assert_eq!(
            tokens(&entries(51864, "<|endoftext|>"), 51864, true).unwrap()[LISTED - 1],
            b"<|endoftext|>"
        );
        assert!(tokens(&entries(51865, "<|endoftext|>"), 51865, true).unwrap_err().contains("50256"));
    }

    #[test]
    fn a_vocabulary_of_another_length_is_refused() {
        assert!(tokens(&entries(51864, ""), 51865, true).unwrap_err().contains("belong together"));
    }

    #[test]
    fn a_tokenizer_is_read_by_number_and_gaps_are_refused() {
        let read = |vocab: &str| {
            from_json(Path::new("tokenizer.json"), &format!("{{\"model\":{{\"vocab\":{vocab}}}}}"))
        };
        assert_eq!(read(r#"{"b":1,"a":0}"#).unwrap(), ["a", "b"]);
        assert!(read(r#"{"b":2,"a":0}"#).unwrap_err().contains("number 1"));
        assert!(read(r#"{"b":"x"}"#).is_err());
    }
}
