//! WebVTT: cues to text. Knows nothing of files or layout. Source: W3C WebVTT.

use super::Cue;
use super::escape::vtt as escape;
use super::formats::Highlight;
use super::highlight::stretches;
use super::srt::{clean_lines, stamp};
use std::fmt::Write;

/// A WebVTT file. With highlighting each word has its time inside the cue, which players show as `:past` and `:future`.
pub fn render(cues: &[Cue], highlight: Highlight) -> String {
    let mut out = String::from("WEBVTT\n\n");
    for cue in cues {
        let timed = if highlight == Highlight::On { timed(cue) } else { None };
        let text = timed.unwrap_or_else(|| escape(&clean_lines(&cue.lines).join("\n")));
        if !text.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, "{} --> {}\n{text}\n\n", stamp(cue.start_ms, '.'), stamp(cue.end_ms, '.'));
        }
    }
    out
}

/// The lines with a time tag before each word but the first; tags rise strictly and lie inside the cue.
fn timed(cue: &Cue) -> Option<String> {
    let mut out = String::new();
    let (mut line, mut last_ms) = (0, cue.start_ms);
    for stretch in stretches(cue)? {
        if stretch.line > line {
            out.push('\n');
            line = stretch.line;
        }
        if let Some(word) = stretch.word
            && word.start_ms > last_ms
            && word.start_ms < cue.end_ms
        {
            last_ms = word.start_ms;
            let _ = write!(out, "<{}>", stamp(word.start_ms, '.'));
        }
        out.push_str(&escape(stretch.text));
    }
    Some(out)
}
