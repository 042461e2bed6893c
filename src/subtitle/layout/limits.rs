//! The hard limits on any words at all. Knows nothing of costs.

use super::{cues, cues_within};
use crate::subtitle::profile::Name;
use crate::subtitle::scripts::{columns, is_printable};
use crate::subtitle::{Cue, Profile, Regroup, Word, check};
use proptest::prelude::*;

/// With and without spaces, from both sides, with small words and without.
const LANGUAGES: [&str; 16] =
    ["en", "de", "fr", "ru", "hi", "ko", "ja", "zh", "yue", "th", "lo", "my", "km", "ar", "he", "haw"];

/// The hard rules of the style guide, said again without the code that counts them in reports.
pub(super) fn hard_faults(cues: &[Cue], language: &str) -> Vec<String> {
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
            let one_word =
                !line.contains(' ') && !["ja", "zh", "yue", "th", "lo", "my", "km"].contains(&language);
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
        1 => " ?[א-ת]{1,9}[.,!?]?",
        1 => " ?[ກ-ຮ][ະ-ູ]?",
        1 => " ?[က-အ][ါ-ူ]?[်]?",
        1 => " ?[ក-អ](្[ក-អ])?[ា-ៅ]?",
        1 => " [ऄ-ह][ा-ौ]?[क-ह]{0,6}।?",
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
        language in proptest::sample::select(LANGUAGES.to_vec()),
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
        language in proptest::sample::select(LANGUAGES.to_vec()),
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
    fn no_cue_outlasts_the_media(words in any_stream(), past_ms in 0i64..1500, language in proptest::sample::select(LANGUAGES.to_vec())) {
        // What is said in the film is said before its end, whatever the times say.
        let said_ms = words.iter().map(|w| w.start_ms).max().unwrap_or(0);
        let until = (said_ms + past_ms).max(60_000);
        let cues = cues_within(&words, language.parse().unwrap(), &Profile::netflix(), None, until);
        prop_assert_eq!(hard_faults(&cues, language), Vec::<String>::new());
        let over = cues.last().map_or(0, |c| c.end_ms - until);
        prop_assert!(over <= 250, "{} ms over", over);
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
