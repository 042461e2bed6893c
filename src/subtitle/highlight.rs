//! Where each word stands in its cue, for highlighting it while it is spoken. Knows nothing of markup.

use super::{Cue, Word};
use std::ops::Range;

/// A stretch of one line, with the word that is spoken there (`None` for the spaces between).
#[derive(Debug, PartialEq)]
pub(super) struct Stretch<'a> {
    pub line: usize,
    pub text: &'a str,
    pub word: Option<&'a Word>,
}

/// The cue's lines cut at its words, in order; `None` when the lines do not consist of the words (a translation).
pub(super) fn stretches(cue: &Cue) -> Option<Vec<Stretch<'_>>> {
    let mut out: Vec<Stretch> = Vec::new();
    let (mut line, mut at) = (0, 0);
    for word in &cue.words {
        let text = word.text.trim();
        let range = loop {
            let rest = cue.lines.get(line)?.get(at..)?;
            if rest.trim_start().is_empty() {
                line += 1;
                at = 0;
                continue;
            }
            break find(rest, text, at)?;
        };
        if range.start > at {
            out.push(Stretch { line, text: &cue.lines[line][at..range.start], word: None });
        }
        at = range.end;
        out.push(Stretch { line, text: &cue.lines[line][range], word: Some(word) });
    }
    let over = cue.lines.get(line)?.get(at..)?.trim().is_empty() && line + 1 == cue.lines.len();
    (over && !out.is_empty()).then_some(out)
}

/// The word at the start of `rest`, after spaces, as a range of the line that `rest` starts at `from`.
fn find(rest: &str, word: &str, from: usize) -> Option<Range<usize>> {
    let spaces = rest.len() - rest.trim_start().len();
    (!word.is_empty() && rest[spaces..].starts_with(word)).then(|| from + spaces..from + spaces + word.len())
}

#[cfg(test)]
mod tests {
    use super::stretches;
    use crate::subtitle::{Cue, Word};

    fn check(lines: &[&str], words: &[&str], expected: Option<&str>) {
        let word = |t: &&str| Word { text: t.to_string(), start_ms: 0, end_ms: 0, p: 1.0 };
        let cue = Cue {
            start_ms: 0,
            end_ms: 1,
            lines: lines.iter().map(|l| l.to_string()).collect(),
            words: words.iter().map(word).collect(),
        };
        let found = stretches(&cue).map(|s| {
            let mark = |s: &super::Stretch| match s.word {
                Some(_) => format!("{}<{}>", s.line, s.text),
                None => s.text.to_string(),
            };
            s.iter().map(mark).collect::<String>()
        });
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn words_are_found_where_they_stand() {
        check(
            &["Hello, big", "world."],
            &[" Hello", ",", " big", " world."],
            Some("0<Hello>0<,> 0<big>1<world.>"),
        );
        check(&["日本", "語。"], &["日", "本", "語。"], Some("0<日>0<本>1<語。>"));
    }

    #[test]
    fn lines_that_are_not_made_of_the_words_have_no_places() {
        check(&["Hallo Welt"], &[" Hello", " world"], None);
        check(&["Hello world"], &[" Hello"], None);
        check(&["Hello"], &[], None);
        check(&["Hello"], &[" Hello", " world"], None);
    }
}
