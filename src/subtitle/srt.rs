//! SubRip: cues to text and back. Knows nothing of files, encodings or layout.

use super::{Cue, Error};
use std::fmt::Write;

/// Numbered blocks with a blank line after each; cues without text are left out.
///
/// No blank line stands inside a block, and an arrow in the text cannot be taken for a time line.
pub fn render(cues: &[Cue]) -> String {
    let mut out = String::new();
    let shown = cues.iter().map(|c| (c, clean_lines(&c.lines))).filter(|(_, lines)| !lines.is_empty());
    for (n, (cue, lines)) in shown.enumerate() {
        let lines = lines.join("\n").replace("-->", "→");
        let (start, end) = (stamp(cue.start_ms, ','), stamp(cue.end_ms, ','));
        // Writing to a String cannot fail.
        let _ = write!(out, "{}\n{start} --> {end}\n{lines}\n\n", n + 1);
    }
    out
}

/// The lines that hold text, without what would break them in a file.
pub(super) fn clean_lines(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .map(|l| {
            l.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ")
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
/// that has no time line among its first two, with the number of the line.
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
        let lines = block[at + 1..].iter().map(|l| l.to_string()).collect();
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
mod tests {
    use super::{parse, render};
    use crate::subtitle::Cue;
    use proptest::prelude::*;

    fn cue(start_ms: i64, end_ms: i64, lines: &[&str]) -> Cue {
        Cue { start_ms, end_ms, lines: lines.iter().map(|l| l.to_string()).collect(), words: vec![] }
    }

    #[test]
    fn nothing_inside_a_cue_can_end_it() {
        let out = render(&[
            cue(0, 1000, &["a --> b", "", " ", "c\n\nd"]),
            cue(1, 2, &["", "\t"]),
            cue(2000, 3000, &["1"]),
        ]);
        assert_eq!(
            out,
            "1\n00:00:00,000 --> 00:00:01,000\na → b\nc  d\n\n2\n00:00:02,000 --> 00:00:03,000\n1\n\n"
        );
    }

    #[test]
    fn files_from_the_wild_are_read() {
        let text = "\u{feff}\n\n1\r\n00:00:01,5 --> 00:00:02.250 X1:40\r\nHi\r\n\r\n\r\n01:02 --> 100:00:03,000\nno number\n\n7\n00:00:09,000 --> 00:00:10,000";
        let expected =
            [cue(1500, 2250, &["Hi"]), cue(62_000, 360_003_000, &["no number"]), cue(9000, 10_000, &[])];
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!(parse(" \n\n").unwrap(), []);
    }

    #[test]
    fn a_block_without_a_time_is_named_by_its_line() {
        let check = |text: &str, line: &str| {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line} should hold a time")), "{error}");
        };
        check("{\"error\": \"no\"}", "1");
        check("1\n00:00:01,000 --> 00:00:02,000\nHi\n\n2\n00:00:xx,000 --> 1\nHo", "6");
        check("1\n00:00:01,000 -> 00:00:02,000\nHi", "2");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(cues in proptest::collection::vec(
            (0i64..400_000_000, 0i64..10_000, proptest::collection::vec("[^\\p{C}\\p{Z}]([^\\p{C}\u{2028}\u{2029}]{0,40}[^\\p{C}\\p{Z}])?", 1..3)), 0..20)
        ) {
            let cues: Vec<Cue> = cues
                .into_iter()
                .map(|(at, d, lines)| Cue {
                    start_ms: at,
                    end_ms: at + d,
                    lines: lines.into_iter().map(|l| l.replace("-->", "")).filter(|l| !l.trim().is_empty()).collect(),
                    words: vec![],
                })
                .filter(|c| !c.lines.is_empty() && c.lines.iter().all(|l| l.trim() == l))
                .collect();
            prop_assert_eq!(parse(&render(&cues)).unwrap(), cues);
        }

        #[test]
        fn any_text_is_read_or_refused_but_never_breaks_the_reader(text in "(\\PC|[\n\r0-9:,>-]){0,200}") {
            if let Ok(cues) = parse(&text) {
                prop_assert_eq!(render(&parse(&render(&cues)).unwrap()), render(&cues));
            }
        }
    }
}
