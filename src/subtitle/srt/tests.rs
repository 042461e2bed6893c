//! What is written is read back, whatever it is, and files from elsewhere are read too. Knows no golden files.

use super::{parse, render};
use crate::subtitle::{Cue, Highlight, Word};
use proptest::prelude::*;

fn cue(start_ms: i64, end_ms: i64, lines: &[&str]) -> Cue {
    Cue { start_ms, end_ms, lines: lines.iter().map(|l| l.to_string()).collect(), words: vec![] }
}

fn plain(cues: &[Cue]) -> String {
    render(cues, Highlight::Off)
}

#[test]
fn nothing_inside_a_cue_can_end_it() {
    let out = plain(&[
        cue(0, 1000, &["a --> b", "", " ", "c\n\nd"]),
        cue(1, 2, &["", "\t"]),
        cue(2000, 3000, &["1", "00:00:09,000 --> 00:00:10,000"]),
    ]);
    assert_eq!(
        out.replace('\u{2060}', "|"),
        "1\n00:00:00,000 --> 00:00:01,000\na -|-> b\nc  d\n\n\
         2\n00:00:02,000 --> 00:00:03,000\n1\n00:00:09,000 -|-> 00:00:10,000\n\n"
    );
}

#[test]
fn each_word_is_underlined_in_its_time_and_nothing_else_is_markup() {
    let word =
        |(text, start_ms): (&str, i64)| Word { text: text.into(), start_ms, end_ms: start_ms + 100, p: 1.0 };
    let words = [(" <i>", 100), (" two", 400), (" three", 400), (" four", 900)];
    let cue =
        Cue { words: words.into_iter().map(word).collect(), ..cue(0, 1500, &["<i> two", "three four"]) };
    let read = parse(&render(&[cue], Highlight::On)).unwrap();
    let shown: Vec<_> = read.iter().map(|c| (c.start_ms, c.end_ms, c.lines.join("/"))).collect();
    // Two words that begin at one moment: the second is marked.
    assert_eq!(
        shown,
        [
            (0, 400, "<u><i></u> two/three four".to_string()),
            (400, 900, "<i> two/<u>three</u> four".to_string()),
            (900, 1500, "<i> two/three <u>four</u>".to_string()),
        ]
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

/// Lines of any writing, and of what a careless writer or reader of the format stumbles over.
fn any_line() -> impl Strategy<Value = String> {
    let hard = proptest::sample::select(vec![
        "-->",
        "--->",
        "00:00:01,000 --> 00:00:02,000",
        "1",
        "<i>",
        "</font>",
        "<",
        "&amp;",
        "&",
        "{\\an8}",
        "{Y:i}",
        "\\N",
        "[music]",
        "♪",
        "👩‍👩‍👧 🇩🇪",
        "שלום, עולם!",
        "مرحبا؟",
        "「ー」",
        "e\u{301}",
        "\u{200f}",
        "\u{a0}",
    ]);
    let part = prop_oneof![3 => hard.prop_map(str::to_string), 2 => "\\PC{1,12}", 1 => Just(" ".to_string())];
    // A joiner is ours alone, what ends a line ends it here too; the line's edges are those of its text.
    proptest::collection::vec(part, 1..5)
        .prop_map(|parts| parts.concat().replace(['\u{2060}', '\u{2028}', '\u{2029}'], "").trim().to_string())
}

fn any_cue() -> impl Strategy<Value = Cue> {
    let lines = proptest::collection::vec(any_line().prop_filter("text", |l| !l.is_empty()), 1..4);
    (0i64..400_000_000, 0i64..10_000, lines).prop_map(|(at, lasts, lines)| Cue {
        start_ms: at,
        end_ms: at + lasts,
        lines,
        words: vec![],
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(cues in proptest::collection::vec(any_cue(), 0..20)) {
        prop_assert_eq!(parse(&plain(&cues)).unwrap(), cues);
    }

    #[test]
    fn any_text_is_read_or_refused_but_never_breaks_the_reader(text in "(\\PC|[\n\r0-9:,>-]){0,200}") {
        if let Ok(cues) = parse(&text) {
            prop_assert_eq!(plain(&parse(&plain(&cues)).unwrap()), plain(&cues));
        }
    }
}
