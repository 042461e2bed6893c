//! SubRip: cues to text and back. Knows nothing of files, encodings or layout.

use super::escape::{JOINER, subrip};
use super::formats::Highlight;
use super::highlight::stretches;
use super::{Cue, Error};
use std::fmt::Write;

/// Numbered blocks with a blank line after each; cues without text are left out.
///
/// No blank line stands inside a block, and no text can be taken for a time line or a tag. With highlighting each cue
/// stands there once for each of its words, that word underlined: SubRip knows no times inside a cue.
pub fn render(cues: &[Cue], highlight: Highlight) -> String {
    let mut blocks = Blocks::default();
    for cue in cues {
        match underlined(cue).filter(|_| highlight == Highlight::On) {
            Some(parts) => parts.iter().for_each(|(from, to, text)| blocks.push(*from, *to, text)),
            None => blocks.push(cue.start_ms, cue.end_ms, &subrip(&clean_lines(&cue.lines).join("\n"))),
        }
    }
    blocks.text
}

#[derive(Default)]
struct Blocks {
    text: String,
    count: usize,
}

impl Blocks {
    fn push(&mut self, start_ms: i64, end_ms: i64, text: &str) {
        if text.is_empty() {
            return;
        }
        self.count += 1;
        let (start, end) = (stamp(start_ms, ','), stamp(end_ms, ','));
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{}\n{start} --> {end}\n{text}\n\n", self.count);
    }
}

/// Start, end and text for each word that is marked; `None` when it is not known where the words stand.
fn underlined(cue: &Cue) -> Option<Vec<(i64, i64, String)>> {
    let stretches = stretches(cue)?;
    let words: Vec<usize> = (0..stretches.len()).filter(|k| stretches[*k].word.is_some()).collect();
    let start = |n: usize| match words.get(n).and_then(|k| stretches[*k].word) {
        _ if n == 0 => cue.start_ms,
        Some(word) => word.start_ms.clamp(cue.start_ms, cue.end_ms),
        None => cue.end_ms,
    };
    let text = |marked: usize| {
        let mut lines = vec![String::new(); cue.lines.len()];
        for (k, stretch) in stretches.iter().enumerate() {
            let text = subrip(stretch.text);
            lines[stretch.line] += &if k == marked { format!("<u>{text}</u>") } else { text };
        }
        lines.join("\n")
    };
    let shown = words.iter().enumerate().filter(|(n, _)| start(n + 1) > start(*n));
    Some(shown.map(|(n, marked)| (start(n), start(n + 1), text(*marked))).collect())
}

/// The lines that hold text, without what would break them in a file.
pub(super) fn clean_lines(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .map(|l| {
            l.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ")
                .replace(JOINER, "")
                .trim()
                .to_string()
        })
        .filter(|l| !l.is_empty())
        .collect()
}

/// `HH:MM:SS,mmm` with the given decimal mark. Times before zero are zero.
pub(super) fn stamp(ms: i64, mark: char) -> String {
    let ms = ms.max(0);
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{h:02}:{m:02}:{s:02}{mark}{:03}", ms % 1000)
}

/// Reads SubRip as it is found in the wild: byte order mark, any line ends, missing numbers, dots for commas.
///
/// The words of the cues are empty: a file does not say when each is spoken. Fails at the first block
/// that has no time line among its first two, with the number of the line. Joiners that keep text from being markup
/// are left out.
pub fn parse(text: &str) -> Result<Vec<Cue>, Error> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let mut cues = Vec::new();
    let mut lines = text.split('\n').enumerate().peekable();
    while let Some((number, first)) = lines.next() {
        if first.trim().is_empty() {
            continue;
        }
        let mut block = vec![first];
        while let Some((_, next)) = lines.next_if(|(_, l)| !l.trim().is_empty()) {
            block.push(next);
        }
        let Some((at, time)) = block.iter().take(2).enumerate().find_map(|(k, l)| Some((k, times(l)?)))
        else {
            let at = usize::from(block.len() > 1 && block[0].trim().parse::<u64>().is_ok());
            return Err(Error::NoTime { line: number + at + 1, text: block[at].chars().take(60).collect() });
        };
        let lines = block[at + 1..].iter().map(|l| l.replace(JOINER, "")).collect();
        cues.push(Cue { start_ms: time.0, end_ms: time.1, lines, words: Vec::new() });
    }
    Ok(cues)
}

/// `00:00:01,000 --> 00:00:02,500`, with whatever follows the second time ignored.
fn times(line: &str) -> Option<(i64, i64)> {
    let (start, end) = line.split_once("-->")?;
    Some((time(start.trim())?, time(end.split_whitespace().next()?)?))
}

fn time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once([',', '.']).unwrap_or((text, "0"));
    let digits =
        |s: &str| (!s.is_empty() && s.len() < 10 && s.bytes().all(|b| b.is_ascii_digit())).then_some(());
    digits(fraction)?;
    let ms: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let mut seconds = 0i64;
    let parts: Vec<&str> = clock.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    for part in parts {
        digits(part)?;
        seconds = seconds * 60 + part.parse::<i64>().ok()?;
    }
    Some(seconds * 1000 + ms)
}

#[cfg(test)]
mod tests;
