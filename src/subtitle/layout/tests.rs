//! Cues as a reader sees them, and the hard limits on any words at all. Knows nothing of costs.

use super::{cues, cues_within};
use crate::subtitle::Regroup;
use crate::subtitle::profile::Name;
use crate::subtitle::scripts::{columns, is_printable};
use crate::subtitle::{Cue, Profile, Word, check};
use proptest::prelude::*;

/// Words at an even pace: 60 ms a character, 40 ms between words, 250 ms after a comma, 600 ms after a sentence;
/// a bare number in the text is a silence of so many milliseconds.
fn speak(text: &str) -> Vec<Word> {
    let mut at_ms = 0;
    let mut words = Vec::new();
    for token in text.split_whitespace() {
        if let Some(ms) = token.strip_prefix('+').and_then(|ms| ms.parse::<i64>().ok()) {
            at_ms += ms;
            continue;
        }
        let end_ms = at_ms + 60 * token.chars().count() as i64;
        words.push(Word { text: format!(" {token}"), start_ms: at_ms, end_ms, p: 0.9 });
        at_ms = end_ms
            + match token.chars().next_back() {
                Some('.' | '?' | '!') => 600,
                Some(',' | ';') => 250,
                _ => 40,
            };
    }
    words
}

/// Lines of one cue joined by `/`, cues by line ends.
fn check(language: &str, text: &str, expected: &[&str]) {
    let cues = cues(&speak(text), language.parse().unwrap(), &Profile::netflix());
    let texts: Vec<String> = cues.iter().map(|c| c.lines.join("/")).collect();
    assert_eq!(texts, expected);
}

#[test]
fn a_short_sentence_is_one_line() {
    check("en", "And so it begins.", &["And so it begins."]);
    check("en", "", &[]);
    check("en", "... !", &[]);
}

#[test]
fn sentences_are_cut_before_clauses_and_clauses_before_words() {
    check(
        "en",
        "You are about to enter an echo test. In this mode everything you say will be repeated back to you, \
         just as soon as it is received.",
        &[
            "You are about to enter an echo test.",
            "In this mode everything you say/will be repeated back to you,",
            "just as soon as it is received.",
        ],
    );
}

#[test]
fn lines_break_at_the_comma_or_before_a_small_word_and_never_after_an_article() {
    check(
        "en",
        "If you open the old wooden door, you will see the garden.",
        &["If you open the old wooden door,/you will see the garden."],
    );
    check(
        "en",
        "She had left her umbrella and her coat in the restaurant.",
        &["She had left her umbrella/and her coat in the restaurant."],
    );
    check(
        "de",
        "Er wartete den ganzen Tag auf die Antwort seiner Schwester.",
        &["Er wartete den ganzen Tag/auf die Antwort seiner Schwester."],
    );
}

#[test]
fn abbreviations_and_numbers_end_no_sentence() {
    check("en", "Mr. Smith paid 1,000 dollars.", &["Mr. Smith paid 1,000 dollars."]);
    check(
        "en",
        "The house on the corner of the street was sold to Dr. John Watson.",
        &["The house on the corner of the street/was sold to Dr. John Watson."],
    );
}

#[test]
fn no_cue_spans_a_long_silence() {
    check("en", "Wait +1001 for me.", &["Wait", "for me."]);
    check("en", "Wait +900 for me.", &["Wait for me."]);
}

#[test]
fn no_word_is_left_alone_at_the_end_of_a_sentence() {
    for cue in cues(
        &speak(
            "It is of the first importance that every single letter that is used in it should be fine in form today.",
        ),
        "en".parse().unwrap(),
        &Profile::netflix(),
    ) {
        assert!(cue.words.len() > 3, "{:?}", cue.lines);
    }
}

#[test]
fn japanese_is_cut_after_its_marks_and_never_starts_a_line_with_one() {
    let words: Vec<Word> = "昨日友達と一緒に東京へ行って、美味しいものをたくさん食べました。"
        .chars()
        .enumerate()
        .map(|(k, c)| Word {
            text: c.to_string(),
            start_ms: k as i64 * 150,
            end_ms: k as i64 * 150 + 150,
            p: 1.0,
        })
        .collect();
    let cues = cues(&words, "ja".parse().unwrap(), &Profile::netflix());
    let texts: Vec<String> = cues.iter().map(|c| c.lines.join("/")).collect();
    assert_eq!(texts, ["昨日友達と一緒に/東京へ行って、", "美味しいものをたくさん/食べました。"]);
}

#[test]
fn right_to_left_text_stays_in_logical_order() {
    check("ar", "نعم، بالتأكيد.", &["نعم، بالتأكيد."]);
    let text = "في البداية كنا نعتقد أن الأمر سيكون سهلا، لكننا اكتشفنا ذلك.";
    let lines = cues(&speak(text), "ar".parse().unwrap(), &Profile::netflix())[0].lines.join(" ");
    assert_eq!(lines, text);
}

#[test]
fn the_same_word_again_is_not_the_same_cue_again() {
    let cues = cues(
        &speak("No. No. No. No. No. No. No. No. No. No. No. No."),
        "en".parse().unwrap(),
        &Profile::netflix(),
    );
    assert!(cues.windows(2).all(|c| c[0].lines != c[1].lines), "{cues:?}");
}

#[test]
fn another_house_has_shorter_lines_and_longer_gaps() {
    let text = "If you open the old wooden door, you will see the garden. It is green.";
    let bbc = Profile::of(Name::Bbc);
    let cues = cues(&speak(text), "en".parse().unwrap(), &bbc);
    let lines: Vec<&String> = cues.iter().flat_map(|c| &c.lines).collect();
    assert!(lines.iter().all(|l| columns(l) <= 37), "{lines:?}");
    assert!(cues.windows(2).all(|c| c[1].start_ms - c[0].end_ms >= 120));
    let narrow = Profile { max_lines: 1, columns: Some(20), ..Profile::of(Name::Custom) };
    let narrow = super::cues(&speak(text), "en".parse().unwrap(), &narrow);
    assert!(narrow.iter().all(|c| c.lines.len() == 1 && columns(&c.lines[0]) <= 20), "{narrow:?}");
}

/// As `check`, with a regrouping.
fn check_regrouped(regroup: &str, text: &str, expected: &[&str]) {
    let regroup: Regroup = regroup.parse().unwrap();
    let (language, profile) = ("en".parse().unwrap(), Profile::netflix());
    let cues = cues_within(&speak(text), language, &profile, Some(&regroup), i64::MAX);
    let texts: Vec<String> = cues.iter().map(|c| c.lines.join("/")).collect();
    assert_eq!(texts, expected);
}

#[test]
fn a_regrouping_cuts_cues_where_it_says_and_the_limits_do_the_rest() {
    let text = "You are about to enter an echo test. In this mode everything you say will be repeated back to you, \
                just as soon as it is received.";
    check_regrouped(
        "cm_sl=84_sl=42++++++1",
        text,
        &[
            "You are about to enter an echo test.",
            "In this mode everything/you say will be repeated",
            "back to you, just as/soon as it is received.",
        ],
    );
    check_regrouped("sl=+3+0", "Who is there? It is me again.", &["Who is there?", "It is me", "again."]);
    // Everything in one group: no cue may be that long.
    check_regrouped(
        "ms",
        text,
        &[
            "You are about to enter an echo test./In this mode everything you say",
            "will be repeated back to you,/just as soon as it is received.",
        ],
    );
}

#[test]
fn nothing_ends_after_the_media() {
    let words = speak("This is the end. +200 Bye.");
    let until = words[words.len() - 1].start_ms + 300;
    let cues = cues_within(&words, "en".parse().unwrap(), &Profile::netflix(), None, until);
    assert_eq!(cues[cues.len() - 1].end_ms, until);
    assert_eq!(hard_faults(&cues, "en"), Vec::<String>::new());
}

#[test]
fn a_word_longer_than_a_line_stands_alone_on_its_line() {
    let long = "x".repeat(60);
    let cues = cues(&speak(&format!("We say {long} here.")), "en".parse().unwrap(), &Profile::netflix());
    assert!(cues.iter().any(|c| c.lines.contains(&long)));
    assert_eq!(hard_faults(&cues, "en"), Vec::<String>::new());
}

/// The hard rules of the style guide, said again without the code that counts them in reports.
fn hard_faults(cues: &[Cue], language: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let columns_of = |code: &str| match code {
        "ja" => 26,
        "zh" | "ko" | "yue" => 32,
        "th" => 35,
        _ => 42,
    };
    for (k, c) in cues.iter().enumerate() {
        let mut fault =
            |what: &str| faults.push(format!("cue {k}: {what}: {c:?} then {:?}", cues.get(k + 1)));
        if c.lines.is_empty() || c.lines.len() > 2 {
            fault("number of lines");
        }
        for line in &c.lines {
            let one_word = !line.contains(' ') && !["ja", "zh", "th", "yue"].contains(&language);
            if line.trim() != line || line.is_empty() || (columns(line) > columns_of(language) && !one_word) {
                fault("line");
            }
        }
        let lasts = c.end_ms - c.start_ms;
        if lasts <= 0 || lasts > 7000 {
            fault("duration");
        }
        match cues.get(k + 1) {
            Some(next) => {
                let gap = next.start_ms - c.end_ms;
                if gap < 83 || (84..=500).contains(&gap) {
                    fault("gap");
                }
                if lasts < 833 && gap != 83 {
                    fault("short though there is room");
                }
            }
            None if lasts < 833 => fault("short at the end"),
            None => {}
        }
        if c.words.windows(2).any(|w| w[1].start_ms - w[0].end_ms > 1000) {
            fault("pause");
        }
    }
    faults
}

/// Any text that Whisper might write, and some that it never would.
fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "( |)[a-z]{1,12}[.,?!;:]?",
        2 => "( |)[A-Z][a-zé]{1,9}",
        1 => " [a-z]{30,70}",
        1 => "[ ]{0,2}[0-9]{1,4}(,[0-9]{3})?",
        1 => "( |)[-–—.,!?…«»\"'()\\[\\]¿¡%♪]{1,3}",
        2 => "[一-十あ-のア-ノ]{1,4}[、。！？」]?",
        1 => "[一-十あ-の]{20,40}",
        1 => " ?[ก-ฮ][ะ-ู]?[ก-ฮ]?[่-้]?",
        1 => " [가-힣]{1,20}",
        1 => " [ا-ي]{1,9}[،؟]?",
        1 => "\\PC{0,6}",
        1 => "[ \t\n\u{200b}\u{0}]{0,3}",
    ]
}

/// Steps to the next word and lengths, in milliseconds.
fn any_stream() -> impl Strategy<Value = Vec<Word>> {
    let step = prop_oneof![6 => 50i64..600, 2 => Just(0i64), 1 => -400i64..0, 2 => 600i64..4000];
    let length = prop_oneof![6 => 40i64..700, 1 => Just(0i64), 1 => 700i64..12_000];
    proptest::collection::vec((any_word(), step, length), 0..120).prop_map(|words| {
        let mut at_ms: i64 = 0;
        let word = |(text, step, length): (String, i64, i64)| {
            at_ms = (at_ms + step).max(0);
            Word { text, start_ms: at_ms, end_ms: at_ms + length, p: 0.5 }
        };
        words.into_iter().map(word).collect()
    })
}

/// Profiles as the settings allow them.
fn any_profile() -> impl Strategy<Value = Profile> {
    let lines = (1usize..=2, proptest::option::of(12usize..=100), proptest::option::of(1.0f64..100.0));
    let times = (100i64..=5_000, 2_000i64..=30_000, 0i64..=500, 0i64..=2_000, 200i64..=5_000, 0i64..=5_000);
    let named = proptest::sample::select(Name::ALL.to_vec()).prop_map(Profile::of);
    let own = (lines, times).prop_map(|((max_lines, columns, chars_per_second), t)| Profile {
        max_lines,
        columns,
        chars_per_second,
        min_ms: t.0.min(t.1 - t.3).max(1),
        max_ms: t.1,
        gap_ms: t.2.min(t.3),
        close_gap_ms: t.3,
        pause_ms: t.4,
        linger_ms: t.5,
        ..Profile::of(Name::Custom)
    });
    prop_oneof![named, own]
}

/// Regroupings of up to six methods.
fn any_regroup() -> impl Strategy<Value = Regroup> {
    let method = prop_oneof![
        Just("da".to_string()),
        Just("ms".to_string()),
        Just("us".to_string()),
        Just("isp".to_string()),
        "cm(=[0-9](\\+[0-9](\\+[01])?)?)?",
        "sg=0?\\.[0-9](\\+[01](\\+[01])?)?",
        "sp=[.,]\\* /[?!](\\+[01](\\+[01](\\+[1-9](\\+[1-9]0)?)?)?)?",
        "sl=[1-9][0-9]?(\\+[1-9](\\+[01](\\+[01](\\+[01](\\+(\\+[01])?)?)?)?)?)?",
        "sd=[0-9]\\.[1-9](\\+[01](\\+[01](\\+[01](\\+(\\+[01])?)?)?)?)?",
        "mg=[0-2]\\.[0-9](\\+[1-9](\\+[1-9]0(\\+[01](\\+[01](\\+[01])?)?)?)?)?",
        "mp=[,.](\\+[1-9](\\+[1-9]0)?)?",
        "l=[a-e](\\+[.,](\\+[01](\\+[01])?)?)?",
    ];
    proptest::collection::vec(method, 1..6).prop_map(|m| m.join("_").parse().unwrap())
}

/// Everything but spaces and what no screen shows.
fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && is_printable(*c)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_words_at_any_times_keep_the_hard_limits(
        words in any_stream(),
        language in proptest::sample::select(vec!["en", "de", "ja", "zh", "ko", "th", "ar", "yue", "haw"]),
    ) {
        let profile = Profile::netflix();
        let cues = cues(&words, language.parse().unwrap(), &profile);
        prop_assert_eq!(hard_faults(&cues, language), Vec::<String>::new());
        let report = check::report(&cues, language.parse().unwrap(), &profile);
        prop_assert_eq!(report.hard_violations, 0, "{:?}", report.offenders);
        let shown: String = cues.iter().flat_map(|c| &c.lines).map(|l| letters(l)).collect();
        let said: String = words.iter().map(|w| letters(&w.text)).collect();
        if said.contains(char::is_alphanumeric) {
            prop_assert_eq!(&shown, &said);
        }
        let kept: String = cues.iter().flat_map(|c| &c.words).map(|w| letters(&w.text)).collect();
        prop_assert_eq!(kept, shown);
    }

    #[test]
    fn the_limits_of_any_profile_are_kept(
        words in any_stream(),
        language in proptest::sample::select(vec!["en", "ja", "th", "ar"]),
        profile in any_profile(),
    ) {
        let cues = cues(&words, language.parse().unwrap(), &profile);
        let report = check::report(&cues, language.parse().unwrap(), &profile);
        prop_assert_eq!(report.hard_violations, 0, "{:?}", report.offenders);
    }

    #[test]
    fn the_limits_are_kept_whatever_the_regrouping(words in any_stream(), regroup in any_regroup()) {
        let (language, profile) = ("en".parse().unwrap(), Profile::netflix());
        let until = words.iter().map(|w| w.end_ms).max().unwrap_or(0) + 5_000;
        let cues = cues_within(&words, language, &profile, Some(&regroup), until);
        prop_assert_eq!(hard_faults(&cues, "en"), Vec::<String>::new());
        let plain = cues_within(&words, language, &profile, None, until);
        let text = |cues: &[Cue]| cues.iter().flat_map(|c| &c.lines).map(|l| letters(l)).collect::<String>();
        prop_assert_eq!(text(&cues), text(&plain));
    }

    #[test]
    fn cues_start_with_their_first_word_and_end_soon_after_their_last(
        words in proptest::collection::vec(("[a-z]{1,9}[.,]?", 100i64..600, 0i64..2500), 1..150)
    ) {
        let mut at_ms = 0;
        let word = |(text, length, pause): (String, i64, i64)| {
            let start_ms = at_ms;
            at_ms += length + pause;
            Word { text: format!(" {text}"), start_ms, end_ms: start_ms + length, p: 0.5 }
        };
        let words: Vec<Word> = words.into_iter().map(word).collect();
        for cue in cues(&words, "en".parse().unwrap(), &Profile::netflix()) {
            let (first, last) = (&cue.words[0], &cue.words[cue.words.len() - 1]);
            prop_assert!((0..=80).contains(&(cue.start_ms - first.start_ms)));
            prop_assert!(cue.end_ms - last.end_ms <= 500 || cue.end_ms - cue.start_ms <= 833 + 417, "{:?}", cue);
        }
    }
}
