//! Parts of a window, heard by a scripted engine. Knows nothing of real models.

use super::*;
use crate::audio::PER_MS;
use crate::audio::windows::Span;
use crate::engine::scripted::{self, Scripted};
use crate::engine::{Engine, LanguageOdds};

/// A part: seconds of speech, 2 s of silence behind; what was heard of it among the others and with which log
/// probability, what is heard of it alone, in which language; before a bar what is heard in another.
struct Part(i64, &'static str, f32, (&'static str, f32, &'static str));

/// As many words as the text has, spread over so many seconds.
fn words(text: &str, from_ms: i64, seconds: i64, logprob: f32) -> Vec<Word> {
    let count = text.split_whitespace().count() as i64;
    let word = |(i, text): (i64, &str)| {
        let (start_ms, each) = (from_ms + i * seconds * 1_000 / count, seconds * 1_000 / count);
        Word { text: format!(" {text}"), start_ms, end_ms: start_ms + each, p: logprob.exp() }
    };
    (0..).zip(text.split_whitespace()).map(word).collect()
}

fn check(parts: &'static [Part], expected: &str) {
    check_with(parts, Spoken::Found, &[], &vec![""; parts.len()], expected);
}

/// With what seems to be in another language, and with what another look had for each part.
fn check_with(parts: &'static [Part], spoken: Spoken, strangers: &[bool], others: &[&str], expected: &str) {
    // In the window half a second lies between two parts; samples are the number of their part.
    let (mut samples, mut inside, mut film) = (Vec::new(), Vec::new(), Vec::new());
    let (mut heard, mut other) = (Vec::new(), Vec::new());
    for (number, Part(seconds, text, logprob, _)) in parts.iter().enumerate() {
        let start = samples.len() as i64;
        other.extend(words(others[number], start / PER_MS, *seconds, *logprob));
        heard.extend(words(text, start / PER_MS, *seconds, *logprob));
        samples.resize(samples.len() + (*seconds * 1_000 * PER_MS) as usize, number as f32);
        inside.push(start..samples.len() as i64);
        let start = number as i64 * 60_000 * PER_MS;
        film.push(Span { start, end: start + seconds * 1_000 * PER_MS });
        samples.resize(samples.len() + (500 * PER_MS) as usize, number as f32);
    }
    let odds = LanguageOdds(vec![("pt".parse().unwrap(), 0.9), (Language::ENGLISH, 0.02)]);
    let engine = Scripted::new(odds, |sound, ask, _| {
        let middle = sound.samples[sound.samples.len() / 2] as usize;
        let Part(seconds, _, _, (text, logprob, language)) = parts[middle];
        let (wrong, right) = text.split_once('|').unwrap_or(("", text));
        let text = if ask.language.whisper_code() == language { right } else { wrong };
        let words = words(text, 200, seconds, logprob);
        Ok(Heard { words, no_speech: None, avg_logprob: logprob, listened: None })
    });
    let heard = Heard { words: heard, no_speech: None, avg_logprob: -0.3, listened: None };
    let ask = scripted::ask();
    let sound = Sound { samples: &samples, speech: &inside };
    let (mut session, stop) = (engine.session().unwrap(), AtomicBool::new(false));
    let looked =
        Looked { sound, speech: &film, spoken, usual: ask.language, tongues: &[], strangers, other: &other };
    let (got, _) = hear(session.as_mut(), looked, heard, &ask, &stop).unwrap();
    let text: String = got.words.iter().map(|w| w.text.as_str()).collect();
    assert_eq!(text.trim(), expected);
    assert!(got.words.windows(2).all(|w| w[0].start_ms <= w[1].start_ms));
}

#[test]
fn words_that_fit_their_part_are_left_alone() {
    check(
        &[
            Part(3, "This is what a crocodile sounds like.", -0.1, ("never", -0.1, "en")),
            Part(3, "We are expecting some turbulence now.", -0.2, ("asked", -0.1, "en")),
        ],
        "This is what a crocodile sounds like. We are expecting some turbulence now.",
    );
}

#[test]
fn a_sentence_spread_over_a_noise_goes_back_to_who_says_it() {
    check(
        &[
            Part(2, "He might", -0.4, ("Hmm.", -0.2, "en")),
            Part(3, "even have been.", -0.4, ("He might even have been.", -0.2, "en")),
        ],
        "He might even have been.",
    );
    // Without speech behind it that explains them, words stay, however slow they are.
    check(
        &[
            Part(2, "No! Never!", -0.1, ("Go on home now.", -2.0, "en")),
            Part(3, "We are expecting some turbulence now.", -0.2, ("asked", -0.1, "en")),
        ],
        "No! Never! We are expecting some turbulence now.",
    );
}

#[test]
fn a_part_left_empty_beside_words_that_are_its_own_gets_them() {
    check(
        &[
            Part(2, "Good bye!", -0.1, ("Hmm.", -0.2, "en")),
            Part(1, "", 0.0, ("Goodbye and thanks.", -0.1, "en")),
        ],
        "Goodbye and thanks.",
    );
}

#[test]
fn a_foreign_line_is_written_in_its_language() {
    check(
        &[
            Part(
                4,
                "A group of children is walking at the river.",
                -0.6,
                ("Um grupo de crianças anda no rio.", -0.2, "pt"),
            ),
            Part(3, "We are expecting some turbulence now.", -0.2, ("asked", -0.1, "en")),
        ],
        "Um grupo de crianças anda no rio. We are expecting some turbulence now.",
    );
}

#[test]
fn a_foreign_line_that_the_decoder_is_sure_of_is_written_in_its_language_where_it_sounds_strange() {
    let parts: &[Part] = &[
        Part(
            4,
            "A group of children is walking at the river.",
            -0.05,
            ("Um grupo de crianças anda no rio.", -0.2, "pt"),
        ),
        Part(3, "We are expecting some turbulence now.", -0.2, ("asked", -0.1, "en")),
    ];
    let others = ["A group of children is walking at the river.", ""];
    let (as_it_was, foreign) = (
        "A group of children is walking at the river. We are expecting some turbulence now.",
        "Um grupo de crianças anda no rio. We are expecting some turbulence now.",
    );
    check_with(parts, Spoken::Found, &[false, false], &others, as_it_was);
    check_with(parts, Spoken::Found, &[true, false], &others, foreign);
}

#[test]
fn a_strange_part_is_told_by_itself_before_what_is_heard_of_it_is_believed() {
    let parts: &[Part] = &[
        Part(
            4,
            "Walking.",
            -0.3,
            ("Children walk at the river.|Um grupo de crianças anda no rio.", -0.2, "pt"),
        ),
        Part(3, "We are expecting some turbulence now.", -0.2, ("asked", -0.1, "en")),
    ];
    let (translated, foreign) = (
        "Children walk at the river. We are expecting some turbulence now.",
        "Um grupo de crianças anda no rio. We are expecting some turbulence now.",
    );
    check_with(parts, Spoken::Found, &[false, false], &["", ""], translated);
    check_with(parts, Spoken::Found, &[true, false], &["", ""], foreign);
}

#[test]
fn what_makes_no_sense_in_the_language_of_the_window_is_heard_in_its_own() {
    check(
        &[
            Part(3, "Well.", -0.4, ("Um grupo de crianças anda no rio.", -0.2, "pt")),
            Part(3, "We are expecting some turbulence now.", -0.2, ("asked", -0.1, "en")),
        ],
        "Um grupo de crianças anda no rio. We are expecting some turbulence now.",
    );
    // A word before it, too short to tell a language, is in that of what follows.
    check(
        &[
            Part(1, "Well", -0.4, ("Um grupo", -0.2, "pt")),
            Part(3, "no.", -0.4, ("de crianças anda no rio.", -0.2, "pt")),
            Part(3, "We are expecting some turbulence now.", -0.2, ("asked", -0.1, "en")),
        ],
        "Um grupo de crianças anda no rio. We are expecting some turbulence now.",
    );
}

#[test]
fn words_that_a_neighbour_says_are_taken_from_where_they_were_only_with_what_it_says() {
    check(
        &[
            Part(1, "I'm", -2.0, ("Well.", -2.0, "en")),
            Part(2, "Abigail", -0.3, ("Guys there.", -2.0, "en")),
            Part(
                3,
                "Claflin. You can call me Abby.",
                -0.45,
                ("I'm Abigail Claflin. You can call me Abby.", -0.5, "en"),
            ),
        ],
        "I'm Abigail Claflin. You can call me Abby.",
    );
}

#[test]
fn what_went_on_in_a_whole_sentence_goes_where_nothing_is_heard_by_itself() {
    check(
        &[
            Part(2, "an ill-sposed", -0.1, ("", -0.1, "en")),
            Part(3, "young man.", -0.1, ("He was not an ill-disposed young man.", -0.1, "en")),
        ],
        "He was not an ill-disposed young man.",
    );
    // In a sentence of its own they may have been said.
    check(
        &[
            Part(1, "Quite so.", -0.1, ("", -0.1, "en")),
            Part(3, "young man.", -0.1, ("He was not an ill-disposed young man.", -0.1, "en")),
        ],
        "Quite so. He was not an ill-disposed young man.",
    );
}

#[test]
fn a_word_on_both_sides_of_a_seam_is_said_once() {
    check(
        &[
            Part(3, "Ask", -0.3, ("Ask what you can do for your country.", -0.1, "en")),
            Part(3, "country. You can call me Abby now.", -0.2, ("Well.", -2.0, "en")),
        ],
        "Ask what you can do for your country. You can call me Abby now.",
    );
    // Unless two say it.
    check(
        &[
            Part(2, "No.", -0.3, ("Oh no.", -0.2, "en")),
            Part(2, "No. I never said that.", -0.2, ("asked", -0.1, "en")),
        ],
        "Oh no. No. I never said that.",
    );
}

#[test]
fn of_two_that_are_unsure_the_one_that_was_heard_twice_stays() {
    let parts: &[Part] = &[
        Part(3, "And I beg you, you can call me Abby.", -0.8, ("Then this is how to add it.", -0.6, "en")),
        Part(3, "We are expecting some turbulence now.", -0.2, ("asked", -0.1, "en")),
    ];
    let rest = "We are expecting some turbulence now.";
    let others = ["I'll be there, you can call me Abby.", rest];
    check_with(parts, Spoken::Told, &[], &["", rest], &format!("Then this is how to add it. {rest}"));
    check_with(parts, Spoken::Told, &[], &others, &format!("And I beg you, you can call me Abby. {rest}"));
}

#[test]
fn parts_without_words_or_with_too_few_for_their_time_are_gaps() {
    let samples = vec![0.0; 160_000];
    let inside = [0..32_000, 64_000..96_000, 128_000..160_000];
    let film = [(0, 32_000), (640_000, 672_000), (1_280_000, 1_312_000)];
    let film = film.map(|(start, end)| Span { start, end });
    let sound = Sound { samples: &samples, speech: &inside };
    let looked = Looked {
        sound,
        speech: &film,
        spoken: Spoken::Told,
        usual: Language::ENGLISH,
        tongues: &[],
        strangers: &[],
        other: &[],
    };
    let mut heard = words("This is what it sounds like.", 0, 2, -0.1);
    assert_eq!(looked.gaps(&heard, Language::ENGLISH), 2);
    heard.extend(words("Hm.", 4_000, 2, -0.1));
    assert_eq!(looked.gaps(&heard, Language::ENGLISH), 2);
    heard.extend(words("Somebody says a whole sentence.", 8_000, 2, -0.1));
    assert_eq!(looked.gaps(&heard, Language::ENGLISH), 1);
}

#[test]
fn words_that_begin_or_end_seconds_apart_from_others_leave_out_a_sentence() {
    let check = |ms: [i64; 2], of: [i64; 2], expected| {
        let words = |[start, end]: [i64; 2]| words("one two three four", start, (end - start) / 1_000, -0.1);
        assert_eq!(leaves_out(&words(ms), &words(of)), expected, "{ms:?} {of:?}");
    };
    check([0, 9_000], [0, 9_000], false);
    check([2_000, 9_000], [0, 9_000], false);
    check([4_000, 9_000], [0, 9_000], true);
    check([0, 5_000], [0, 9_000], true);
    check([0, 9_000], [4_000, 5_000], false);
    assert!(!leaves_out(&[], &words("one", 0, 9, -0.1)));
}

#[test]
fn a_line_in_another_language_is_a_part_however_close_its_neighbours() {
    let samples = vec![0.0; 96_000];
    let inside = [0..32_000, 36_000..60_000, 64_000..96_000];
    let film = inside.clone().map(|stretch| Span { start: stretch.start, end: stretch.end });
    let sound = Sound { samples: &samples, speech: &inside };
    let english = Language::ENGLISH;
    let check = |tongues: &[Language], expected: &[Range<i64>], strange: &[bool]| {
        let strangers = &[true];
        let looked = Looked {
            sound,
            speech: &film,
            spoken: Spoken::Found,
            usual: english,
            tongues,
            strangers,
            other: &[],
        };
        let islands = looked.parted(Vec::new());
        let places: Vec<Range<i64>> = islands.iter().map(|island| island.place.clone()).collect();
        assert_eq!(places, expected);
        assert_eq!(looked.are_strange(&islands, english), strange);
    };
    check(&[english, "ru".parse().unwrap(), english], &inside, &[false, true, false]);
    // Where nothing was told it is one, and strange as a whole.
    let whole = 0..96_000;
    check(&[], std::slice::from_ref(&whole), &[true]);
    check(&[english; 3], std::slice::from_ref(&whole), &[true]);
}
