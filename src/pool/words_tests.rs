//! Tests of words that are put in their place: times alone, no engine.

use super::*;

fn check(words: &[(i64, i64)], pieces: &[(i64, i64)], speech: &[(i64, i64)], expected: &[(i64, i64)]) {
    let span = |&(start, end): &(i64, i64)| Span { start: start * PER_MS, end: end * PER_MS };
    let words = words
        .iter()
        .map(|&(start_ms, end_ms)| Word { text: " w".into(), start_ms, end_ms, p: 1.0 })
        .collect();
    let map = TimeMap::new(pieces.iter().map(span).collect());
    let speech: Vec<Span> = speech.iter().map(span).collect();
    let got: Vec<(i64, i64)> =
        place(words, &map, &speech, Language::ENGLISH).iter().map(|w| (w.start_ms, w.end_ms)).collect();
    assert_eq!(got, expected);
}

#[test]
fn times_move_with_their_piece() {
    check(
        &[(600, 800), (1_600, 1_800)],
        &[(10_000, 11_000), (20_000, 21_000)],
        &[(10_000, 11_000), (20_000, 21_000)],
        &[(10_600, 10_800), (20_600, 20_800)],
    );
}

#[test]
fn starts_and_ends_in_silence_snap_to_speech() {
    check(&[(0, 900)], &[(0, 2_000)], &[(300, 700)], &[(300, 760)]);
    check(&[(350, 600)], &[(0, 2_000)], &[(300, 700)], &[(300, 600)]);
    check(&[(320, 340), (900, 1_000)], &[(0, 2_000)], &[(300, 1_200)], &[(300, 340), (900, 1_000)]);
    check(&[(1_000, 1_500)], &[(0, 2_000)], &[(300, 700)], &[(300, 700)]);
}

#[test]
fn a_word_over_a_pause_begins_where_most_of_it_is() {
    let check_last = |last: (i64, i64), speech: &[(i64, i64)], expected: (i64, i64)| {
        check(&[(100, 900), last], &[(0, 3_000)], speech, &[(0, 900), expected]);
    };
    check_last((950, 1_900), &[(0, 1_100), (1_600, 2_600)], (1_600, 1_900));
    // Most of it lies before; and what is too short for a pause.
    check_last((950, 1_700), &[(0, 1_100), (1_600, 2_600)], (950, 1_700));
    check_last((950, 1_900), &[(0, 1_100), (1_300, 2_600)], (950, 1_900));
}

#[test]
fn a_sentence_that_begins_in_silence_begins_with_the_next_speech() {
    let (map, speech) = (&[(0, 1_000), (4_000, 6_000)], &[(0, 700), (4_300, 5_500)]);
    check(&[(800, 950), (1_400, 1_700)], map, speech, &[(4_300, 4_400), (4_400, 4_700)]);
}

#[test]
fn the_first_words_of_a_sentence_are_carried_over_a_pause_to_the_others() {
    let word = |(text, start_ms, end_ms): &(&str, i64, i64)| Word {
        text: format!(" {text}"),
        start_ms: *start_ms,
        end_ms: *end_ms,
        p: 1.0,
    };
    let check = |words: &[(&str, i64, i64)], expected: &[(i64, i64)]| {
        let mut words: Vec<Word> = words.iter().map(word).collect();
        carry_over(&mut words, &[(0, 1_000), (3_000, 5_000)], Language::ENGLISH);
        assert_eq!(words.iter().map(|w| (w.start_ms, w.end_ms)).collect::<Vec<_>>(), expected);
    };
    check(
        &[("Thanks.", 0, 600), ("Had", 600, 1_000), ("he", 3_000, 3_200), ("married", 3_200, 4_000)],
        &[(0, 600), (3_000, 3_266), (3_266, 3_466), (3_466, 4_000)],
    );
    check(&[("Thanks.", 0, 600), ("Bye now.", 600, 1_000)], &[(0, 600), (600, 1_000)]);
    let goodbye = [("Thanks.", 0, 600), ("Goodbye", 600, 800), ("to", 800, 900), ("both.", 900, 1_000)];
    check(&goodbye, &[(0, 600), (3_000, 3_941), (3_941, 4_294), (4_294, 5_000)]);
    // Words that stand alone in their speech are said there.
    let mut alone =
        [("Americans.", 0, 600), ("Ask", 1_400, 1_700), ("not", 1_700, 2_000), ("what", 3_000, 3_300)]
            .map(|w| word(&w));
    carry_over(&mut alone, &[(0, 700), (1_300, 2_100), (3_000, 5_000)], Language::ENGLISH);
    assert_eq!(alone.each_ref().map(|w| w.start_ms), [0, 1_400, 1_700, 3_000]);
    // The whole sentence, one that has gone on for a while, one that ends at the pause.
    check(&[("Had", 600, 1_000), ("he", 3_000, 3_200)], &[(600, 1_000), (3_000, 3_200)]);
    let long = [("A.", 0, 100), ("b", 100, 200), ("c", 200, 300), ("d", 300, 400), ("e", 400, 500)];
    let long: Vec<_> = long.into_iter().chain([("f", 3_000, 3_100)]).collect();
    check(&long, &[(0, 100), (100, 200), (200, 300), (300, 400), (400, 500), (3_000, 3_100)]);
    // Behind a sentence without a mark a small word with a capital shows where the next begins.
    let check_last = |last: &str, expected_ms: i64| {
        let texts = ["by", "the", "grave", last];
        let mut words: Vec<_> = (0..).map(|i| i * 200).zip(texts).map(|(at, t)| (t, at, at + 200)).collect();
        words.push(("so", 3_000, 3_400));
        let mut words: Vec<Word> = words.iter().map(word).collect();
        carry_over(&mut words, &[(0, 1_000), (3_000, 5_000)], Language::ENGLISH);
        assert_eq!(words[3].start_ms, expected_ms, "{last}");
    };
    check_last("And", 3_000);
    check_last("and", 600);
    check_last("Mary", 600);
    check_last("I", 600);
    check(
        &[("So", 0, 300), ("he.", 300, 900), ("Then", 3_000, 3_300)],
        &[(0, 300), (300, 900), (3_000, 3_300)],
    );
}

#[test]
fn a_first_word_that_lasts_over_a_noise_begins_with_its_speech() {
    let check = |p, (start_ms, end_ms), expected: [(i64, i64); 2]| {
        let first = Word { text: " Today".into(), start_ms, end_ms, p };
        let next = Word { text: " only".into(), start_ms: 3_000, end_ms: 3_700, p: 0.9 };
        let mut words = [first, next];
        draw_up(&mut words, &[(0, 2_000), (3_000, 5_000)]);
        assert_eq!(words.map(|w| (w.start_ms, w.end_ms)), expected);
    };
    let check_alone = |text: &str, speech: &[(i64, i64)], expected: (i64, i64)| {
        let word = |text: &str, start_ms, end_ms| Word { text: text.into(), start_ms, end_ms, p: 0.2 };
        let (far, near) = (word(" Today", 0, 2_000), word(text, 9_000, 9_400));
        let mut words = [Word { text: text.into(), ..far }, Word { text: " only".into(), ..near }];
        draw_up(&mut words, speech);
        assert_eq!((words[0].start_ms, words[0].end_ms), expected, "{text}");
    };
    // A sentence of its own, and one that goes on much later.
    check_alone(" What?", &[(0, 2_000), (9_000, 9_900)], (0, 2_000));
    check_alone(" Today", &[(0, 2_000), (9_000, 9_900)], (0, 2_000));
    check_alone(" Today", &[(0, 2_000), (4_000, 9_900)], (4_000, 6_945));
    check(0.2, (0, 2_000), [(3_000, 3_381), (3_381, 3_700)]);
    check(0.2, (0, 3_100), [(3_000, 3_381), (3_381, 3_700)]);
    // Sure of it, or no longer than a word.
    check(0.8, (0, 2_000), [(0, 2_000), (3_000, 3_700)]);
    check(0.2, (900, 2_000), [(900, 2_000), (3_000, 3_700)]);
}

#[test]
fn a_last_word_without_time_behind_a_pause_is_said_before_it() {
    let check = |texts: [&str; 2], times: (i64, i64), expected: [(i64, i64); 2]| {
        let word = |text: &str, (start_ms, end_ms)| Word { text: text.into(), start_ms, end_ms, p: 1.0 };
        let mut words = [word(texts[0], (600, 1_000)), word(texts[1], times)];
        carry_back(&mut words, &[(0, 1_200), (3_000, 4_000)]);
        assert_eq!(words.map(|w| (w.start_ms, w.end_ms)), expected, "{texts:?}");
    };
    check([" for", " them."], (3_000, 3_050), [(600, 840), (840, 1_200)]);
    // Said there, near, a sentence of its own, and the beginning of one.
    check([" for", " them."], (3_000, 3_300), [(600, 1_000), (3_000, 3_300)]);
    check([" for", " them."], (1_100, 1_150), [(600, 1_000), (1_100, 1_150)]);
    check([" you.", " Them."], (3_000, 3_050), [(600, 1_000), (3_000, 3_050)]);
    check([" for", " them"], (3_000, 3_050), [(600, 1_000), (3_000, 3_050)]);
    check([" for", " Yes."], (3_000, 3_050), [(600, 1_000), (3_000, 3_050)]);
}

#[test]
fn a_short_sentence_is_carried_into_speech_without_words_but_leaves_none_behind() {
    let check = |thanks: (i64, i64), goodbye: (i64, i64), expected: (i64, i64)| {
        let word = |text: &str, (start_ms, end_ms)| Word { text: text.into(), start_ms, end_ms, p: 1.0 };
        let mut words = [word(" Thanks.", thanks), word(" Goodbye.", goodbye)];
        carry_over(&mut words, &[(0, 700), (1_500, 2_300), (3_300, 4_100)], Language::ENGLISH);
        assert_eq!((words[1].start_ms, words[1].end_ms), expected);
    };
    check((1_500, 1_700), (1_700, 2_200), (3_300, 4_100));
    check((0, 600), (1_500, 2_000), (1_500, 2_000));
}

#[test]
fn words_behind_all_speech_are_drawn_back_into_what_has_none() {
    let (map, speech) = (&[(0, 6_000)], &[(0, 700), (2_000, 2_800)]);
    check(&[(100, 600), (4_100, 4_500)], map, speech, &[(0, 600), (2_000, 2_800)]);
    check(
        &[(100, 600), (2_100, 2_300), (4_100, 4_500)],
        map,
        speech,
        &[(0, 600), (2_000, 2_300), (4_100, 4_500)],
    );
}

#[test]
fn words_that_begin_at_one_edge_share_their_time() {
    check(
        &[(0, 100), (150, 440), (500, 700)],
        &[(0, 2_000)],
        &[(240, 1_000)],
        &[(240, 340), (340, 440), (500, 700)],
    );
}

#[test]
fn words_never_go_back_or_overlap() {
    check(
        &[(500, 900), (400, 450), (450, 450)],
        &[(0, 2_000)],
        &[(0, 2_000)],
        &[(500, 520), (520, 540), (540, 560)],
    );
}
