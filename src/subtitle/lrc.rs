//! LRC, the lyrics format of music players: cues to text. Knows nothing of files or layout.

use super::Cue;
use super::escape::lrc as escape;
use super::formats::Highlight;
use super::highlight::stretches;
use super::scripts::{joined, seam};
use super::srt::clean_lines;

/// Silence after which the display is cleared by an empty line.
const CLEAR_AFTER_MS: i64 = 2000;

/// One line a cue. With highlighting each word has its time (the "enhanced" form, `<mm:ss.xx>`).
pub fn render(cues: &[Cue], highlight: Highlight) -> String {
    let mut out = String::new();
    for (k, cue) in cues.iter().enumerate() {
        let timed = if highlight == Highlight::On { timed(cue) } else { None };
        let text = timed.unwrap_or_else(|| escape(&joined(&clean_lines(&cue.lines))));
        if text.is_empty() {
            continue;
        }
        out.push_str(&format!("[{}]{text}\n", stamp(cue.start_ms)));
        if cues.get(k + 1).is_none_or(|next| next.start_ms - cue.end_ms > CLEAR_AFTER_MS) {
            out.push_str(&format!("[{}]\n", stamp(cue.end_ms)));
        }
    }
    out
}

/// `mm:ss.xx`; minutes go on past 99.
fn stamp(ms: i64) -> String {
    let cs = (ms.max(0) + 5) / 10;
    format!("{:02}:{:02}.{:02}", cs / 6000, cs / 100 % 60, cs % 100)
}

fn timed(cue: &Cue) -> Option<String> {
    let mut out = String::new();
    let mut line = 0;
    for stretch in stretches(cue)? {
        if stretch.line > line {
            out.push_str(seam(&out, stretch.text));
            line = stretch.line;
        }
        if let Some(word) = stretch.word {
            out.push_str(&format!("<{}>", stamp(word.start_ms.clamp(cue.start_ms, cue.end_ms))));
        }
        out.push_str(&escape(stretch.text));
    }
    Some(out)
}
