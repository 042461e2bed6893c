//! Each format against its golden file. Knows nothing of how the cues came about.

use super::{Format, Highlight, render};
use crate::job::Task;
use crate::subtitle::{Cue, Transcript, Word};

/// Two cues of an English text with what each format must escape, and silence between them.
fn english() -> Transcript {
    let word =
        |(text, start_ms, end_ms): (&str, i64, i64)| Word { text: text.into(), start_ms, end_ms, p: 0.875 };
    let cue = |start_ms, end_ms, lines: &[&str], words: &[(&str, i64, i64)]| Cue {
        start_ms,
        end_ms,
        lines: lines.iter().map(|l| l.to_string()).collect(),
        words: words.iter().copied().map(word).collect(),
    };
    Transcript {
        language: "en".parse().unwrap(),
        spoken: "en".parse().unwrap(),
        task: Task::Transcribe,
        duration_ms: 3_725_500,
        cues: vec![
            cue(
                1_000,
                2_500,
                &["Tom & Jerry,", "5 > 4 {sic}"],
                &[
                    (" Tom", 1_000, 1_200),
                    (" &", 1_200, 1_300),
                    (" Jerry,", 1_300, 1_600),
                    (" 5", 1_700, 1_800),
                    (" >", 1_800, 1_800),
                    (" 4", 1_900, 2_000),
                    (" {sic}", 2_000, 2_300),
                ],
            ),
            cue(3_723_004, 3_724_337, &["Ünïcode --> naïve"], &[]),
        ],
    }
}

/// A Japanese text whose lines are joined without a space.
fn japanese() -> Transcript {
    let word =
        |(text, start_ms): (&str, i64)| Word { text: text.into(), start_ms, end_ms: start_ms + 400, p: 1.0 };
    Transcript {
        language: "ja".parse().unwrap(),
        spoken: "ja".parse().unwrap(),
        task: Task::Transcribe,
        duration_ms: 3_000,
        cues: vec![Cue {
            start_ms: 500,
            end_ms: 2_400,
            lines: vec!["今日は".into(), "良い天気です。".into()],
            words: [("今日は", 500), ("良い", 900), ("天気です。", 1_300)].into_iter().map(word).collect(),
        }],
    }
}

/// What some format or its players would take for markup, two scripts written from the right, and faces.
fn marks() -> Transcript {
    let line = |(k, lines): (i64, &[&str])| {
        let (start_ms, end_ms) = (k * 3_000, k * 3_000 + 2_000);
        let words: Vec<&str> = lines.iter().flat_map(|l| l.split(' ')).collect();
        let word = |(n, text): (usize, &&str)| Word {
            text: format!(" {text}"),
            start_ms: start_ms + n as i64 * 200,
            end_ms: start_ms + n as i64 * 200 + 200,
            p: 1.0,
        };
        let words = words.iter().enumerate().map(word).collect();
        Cue { start_ms, end_ms, lines: lines.iter().map(|l| l.to_string()).collect(), words }
    };
    let cues: [&[&str]; 6] = [
        &["<i>No</i> & &lt;b&gt;", "5 < 6 <3 R&D"],
        &["{\\an8}Top\\Nnotch", "{Y:i} {} \\o/"],
        &["[12:30.00] <00:01.00>", "[ar: nobody] [sic]"],
        &["00:00:09,000 --> 00:00:10,000", "WEBVTT NOTE"],
        &["שלום, עולם!", "مرحبا (بالعالم)؟"],
        &["👩‍👩‍👧 🇩🇪 ♪ la", "‘quoted’ — e\u{301}té"],
    ];
    Transcript { cues: (0..).zip(cues).map(line).collect(), duration_ms: 20_000, ..english() }
}

/// `UPDATE_GOLDEN=1` writes the file anew.
fn check(transcript: &Transcript, format: Format, highlight: Highlight, golden: &str) {
    let path = format!("{}/tests/golden/subtitle/{golden}", env!("CARGO_MANIFEST_DIR"));
    let written = render(transcript, format, highlight);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == expected, "{golden} differs; it would now read:\n{written}");
}

#[test]
fn every_format_is_the_golden_one() {
    for format in Format::ALL {
        check(&english(), *format, Highlight::Off, &format!("english.{format}"));
        check(&japanese(), *format, Highlight::Off, &format!("japanese.{format}"));
        check(&marks(), *format, Highlight::Off, &format!("marks.{format}"));
    }
}

#[test]
fn words_are_highlighted_where_a_format_can() {
    for format in [Format::Srt, Format::Vtt, Format::Lrc, Format::Ass] {
        check(&english(), format, Highlight::On, &format!("english.words.{format}"));
        check(&japanese(), format, Highlight::On, &format!("japanese.words.{format}"));
        check(&marks(), format, Highlight::On, &format!("marks.words.{format}"));
    }
}

#[test]
fn a_silent_film_has_a_file_of_every_format() {
    let silent = Transcript { cues: Vec::new(), ..english() };
    let empty = |format| render(&silent, format, Highlight::Off);
    assert_eq!(empty(Format::Srt), "");
    assert_eq!(empty(Format::Txt), "");
    assert_eq!(empty(Format::Vtt), "WEBVTT\n\n");
    assert_eq!(empty(Format::Tsv), "start\tend\ttext\n");
    let json: serde_json::Value = serde_json::from_str(&empty(Format::VerboseJson)).unwrap();
    assert_eq!(json["segments"], serde_json::json!([]));
}

#[test]
fn formats_are_known_by_their_names() {
    for format in Format::ALL {
        assert_eq!(format.as_str().parse(), Ok(*format));
    }
    assert_eq!("TEXT".parse(), Ok(Format::Txt));
    assert_eq!(
        "doc".parse::<Format>().unwrap_err().to_string(),
        "unknown subtitle format 'doc': use one of srt, vtt, txt, tsv, json, verbose_json, lrc, ass"
    );
}
