//! Words from the time of a window to the time of the film. Pure; knows nothing of threads or engines.

use crate::audio::PER_MS;
use crate::audio::windows::{Span, TimeMap};
use crate::language::Language;
use crate::subtitle::{SmallWords, Word, is_abbreviation};

/// A word keeps at least this length.
const LEAST_MS: i64 = 20;
/// What is heard of a word beyond the detector's edge.
const SLACK_MS: i64 = 60;

/// A word moved over a silence keeps at most this length.
const MOVED_MOST_MS: i64 = 400;
/// Behind speech by no more than this, a word is its end.
const PAUSE_MS: i64 = 1_000;

/// A pause from which on the first words of a sentence do not stand before it, and how many they may be.
const PARTS_MS: i64 = 700;
/// Over a longer pause no whole sentence is moved.
const FILLED_MS: i64 = 2_500;
const CARRIED: usize = 3;
/// A letter takes about this long to say.
const LETTER_MS: i64 = 60;

/// A first word as long as this, and as unsure, is not said all that time: the decoder listened to a noise before it too.
const DRAWN_OUT_MS: i64 = 1_500;
const UNSURE: f32 = 0.4;

/// The first word of a stretch of speech may be found this late.
const LATE_MS: i64 = 450;

/// Maps words to the film and snaps them to the edges of speech: a start that lies in silence moves to the
/// speech that follows, an end to the speech before it. Starts never go back.
pub fn place(words: Vec<Word>, map: &TimeMap, speech: &[Span], language: Language) -> Vec<Word> {
    let speech: Vec<(i64, i64)> = speech.iter().map(|s| (s.start / PER_MS, s.end / PER_MS)).collect();
    let mut placed: Vec<Word> = Vec::with_capacity(words.len());
    for mut word in words {
        let span = map.to_file(Span { start: word.start_ms * PER_MS, end: word.end_ms * PER_MS });
        let ended = placed.last().is_none_or(|w| ends_sentence(&w.text));
        let (mut start, end) = snap(span.start / PER_MS, span.end / PER_MS, &speech, ended);
        // The first word of a stretch begins with it: the decoder tends to be late there.
        let before = placed.last().map_or(i64::MIN, |w| w.start_ms);
        if let Some(edge) = speech.iter().map(|s| s.0).rfind(|&at| at <= start)
            && before < edge
            && start - edge <= LATE_MS
        {
            start = edge;
        }
        let floor = placed.last().map_or(0, |w| w.start_ms);
        word.start_ms = start.max(floor);
        word.end_ms = end.max(word.start_ms + LEAST_MS);
        if let Some(last) = placed.last_mut() {
            last.end_ms = last.end_ms.min(word.start_ms.max(last.start_ms + LEAST_MS));
        }
        placed.push(word);
    }
    draw_up(&mut placed, &speech);
    carry_back(&mut placed, &speech);
    carry_over(&mut placed, &speech, language);
    draw_back(&mut placed, &speech);
    placed
}

/// A word's times moved to where speech is. `begins`: it is the first of a sentence, so that in silence it belongs
/// to the speech that follows, where a later word belongs to the nearer.
fn snap(mut start: i64, mut end: i64, speech: &[(i64, i64)], begins: bool) -> (i64, i64) {
    let touches = speech.iter().any(|&(from, to)| from < end.max(start + 1) && start < to);
    if !touches {
        let next = speech.iter().find(|s| s.0 >= start);
        let last = speech.iter().rfind(|s| s.1 <= start);
        let length = (end - start).clamp(LEAST_MS, MOVED_MOST_MS);
        let forward = match (next, last) {
            (Some(next), Some(last)) => begins || next.0 - end < start - last.1,
            (Some(_), None) => true,
            _ => false,
        };
        return match (forward, next, last) {
            (true, Some(next), _) => (next.0, (next.0 + length).min(next.1)),
            (false, _, Some(last)) if start - last.1 <= PAUSE_MS => (start, end.min(start + SLACK_MS)),
            _ => (start, end),
        };
    }
    let inside = |at: i64| speech.iter().any(|&(from, to)| from <= at && at < to);
    if !inside(start)
        && let Some(next) = speech.iter().map(|s| s.0).find(|&at| at >= start)
        && next < end
    {
        start = next;
    }
    if let Some(last) = speech.iter().map(|s| s.1).rfind(|&at| at < end)
        && last > start
        && !speech.iter().any(|&(from, to)| from < end && end <= to)
    {
        end = end.min(last + SLACK_MS);
    }
    (start, end)
}

pub(super) fn ends_sentence(text: &str) -> bool {
    let ends =
        text.trim_end_matches(['"', '”', '»', ')', '\'']).ends_with(['.', '!', '?', '…', '。', '！', '？']);
    ends && !is_abbreviation(text.trim(), "")
}

/// Draws the first word of a sentence, where it lasts over a noise before the speech, up to where the sentence goes on.
fn draw_up(words: &mut [Word], speech: &[(i64, i64)]) {
    for i in 0..words.len() {
        let (word, begins) = (&words[i], i == 0 || ends_sentence(&words[i - 1].text));
        if !begins
            || word.p >= UNSURE
            || word.end_ms - word.start_ms < DRAWN_OUT_MS
            || ends_sentence(&word.text)
        {
            continue;
        }
        let (ends, takes) = (word.end_ms, letters(&words[i..=i]) * LETTER_MS / 2);
        let begin_of = |at: i64| speech.iter().map(|s| s.0).rfind(|&from| from <= at);
        let next = words.get(i + 1).map(|next| (next.start_ms, next.end_ms));
        if let Some(own) = begin_of(ends - takes).filter(|&from| from > word.start_ms) {
            words[i].start_ms = own;
        } else if let Some((start, end)) = next
            && let Some(own) = begin_of(start).filter(|&from| from > word.start_ms && from - ends < FILLED_MS)
        {
            share_out(&mut words[i..=i + 1], own, end);
        }
    }
}

/// Carries the last word of a sentence back over a pause that it stands behind without any time to be said there. The
/// word before it shares its time, which goes on to the end of the speech.
fn carry_back(words: &mut [Word], speech: &[(i64, i64)]) {
    for i in 1..words.len() {
        let [before, last] = [&words[i - 1], &words[i]];
        let takes = letters(&words[i..=i]) * LETTER_MS;
        if !ends_sentence(&before.text)
            && ends_sentence(&last.text)
            && last.start_ms - before.end_ms >= PARTS_MS
            && last.end_ms - last.start_ms < takes / 4
            && !last.text.trim_start().starts_with(char::is_uppercase)
        {
            let start = before.start_ms;
            let end = speech.iter().find(|&&(from, to)| from <= start && start < to).map_or(0, |&(_, to)| to);
            let end = end.clamp(before.end_ms, (before.end_ms + takes).min(last.start_ms));
            share_out(&mut words[i - 1..=i], start, end);
        }
    }
}

/// Carries the first words of a sentence over the pause that they stand before: nobody says "Had", waits, and goes on
/// with "he married". The decoder puts them there because they follow the sentence before without a mark of time.
///
/// And a short sentence into the speech behind it that has no words at all, where others stay behind.
fn carry_over(words: &mut [Word], speech: &[(i64, i64)], language: Language) {
    let small = SmallWords::of(language.whisper_code());
    for pair in speech.windows(2) {
        let [(begins, ends), (next, next_ends)] = [pair[0], pair[1]];
        let later = words.partition_point(|w| w.start_ms < next);
        let close = words.get(later).is_some_and(|w| w.start_ms < next_ends);
        if !close && (PARTS_MS..FILLED_MS).contains(&(next - ends)) {
            fill(&mut words[..later], begins, (next, next_ends));
        }
        let mut head = words[..later].iter().rev().take_while(|w| !ends_sentence(&w.text)).count();
        if head > CARRIED {
            // The sentence before may have no mark at its end.
            head = (1..=CARRIED).rev().find(|k| begins_anew(&words[later - k].text, &small)).unwrap_or(head);
        }
        let from = later - head;
        if next - ends < PARTS_MS
            || !close
            || head == 0
            || head > CARRIED
            || from == 0
            || words[from].start_ms < begins
        {
            continue;
        }
        // They share the time of the words behind them, of as many as it takes to say them all.
        let mut to = later + 1;
        while to < words.len()
            && words[to].start_ms < next_ends
            && words[to - 1].end_ms - next < letters(&words[from..to]) * LETTER_MS
        {
            to += 1;
        }
        let end = words[to - 1].end_ms;
        share_out(&mut words[from..to], next, end);
    }
}

/// A small word with a capital: in the midst of a sentence it has none. Not so "I", nor what German capitalizes.
fn begins_anew(text: &str, small: &SmallWords) -> bool {
    let word = text.trim_matches(|c: char| !c.is_alphanumeric());
    let capital = word.chars().next().is_some_and(char::is_uppercase);
    let word = word.to_lowercase().replace('\u{2019}', "'");
    capital && word != "i" && !word.starts_with("i'") && small.faces(&word).front.is_some()
}

/// Draws words that stand behind all speech back into the last of it, if that has no words.
fn draw_back(words: &mut [Word], speech: &[(i64, i64)]) {
    let Some(&(start, end)) = speech.last() else { return };
    let from = words.partition_point(|w| w.start_ms < start);
    if words.get(from).is_some_and(|first| first.start_ms > end && first.start_ms - end < FILLED_MS) {
        share_out(&mut words[from..], start, end);
    }
}

/// Moves the last sentence of the words into a stretch, if it could be what is said there, and is not all that is said in
/// the one that it stands in, which begins at `begins`.
fn fill(words: &mut [Word], begins: i64, (start, end): (i64, i64)) {
    let Some((last, before)) = words.split_last() else { return };
    let from = before.len() - before.iter().rev().take_while(|w| !ends_sentence(&w.text)).count();
    let fits = (end - start) * 3 / 10..(end - start) * 16 / 10;
    let ended = ends_sentence(&last.text) && from > 0 && words[from - 1].start_ms >= begins;
    if ended && fits.contains(&(letters(&words[from..]) * LETTER_MS)) {
        share_out(&mut words[from..], start, end);
    }
}

/// Gives each word its part of the time, by its letters.
fn share_out(words: &mut [Word], start: i64, end: i64) {
    let (whole, span) = (letters(words).max(1), (end - start).max(0));
    let mut said = 0;
    for word in words {
        word.start_ms = start + span * said / whole;
        said += word.text.chars().count() as i64;
        word.end_ms = (start + span * said / whole).max(word.start_ms + LEAST_MS);
    }
}

fn letters(words: &[Word]) -> i64 {
    words.iter().map(|w| w.text.chars().count() as i64).sum()
}

#[cfg(test)]
mod tests {
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
        // The whole sentence, one that has gone on for a while, one that ends at the pause.
        check(&[("Had", 600, 1_000), ("he", 3_000, 3_200)], &[(600, 1_000), (3_000, 3_200)]);
        let long = [("A.", 0, 100), ("b", 100, 200), ("c", 200, 300), ("d", 300, 400), ("e", 400, 500)];
        let long: Vec<_> = long.into_iter().chain([("f", 3_000, 3_100)]).collect();
        check(&long, &[(0, 100), (100, 200), (200, 300), (300, 400), (400, 500), (3_000, 3_100)]);
        // Behind a sentence without a mark a small word with a capital shows where the next begins.
        let check_last = |last: &str, expected_ms: i64| {
            let texts = ["by", "the", "grave", last];
            let mut words: Vec<_> =
                (0..).map(|i| i * 200).zip(texts).map(|(at, t)| (t, at, at + 200)).collect();
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
    fn words_never_go_back_or_overlap() {
        check(
            &[(500, 900), (400, 450), (450, 450)],
            &[(0, 2_000)],
            &[(0, 2_000)],
            &[(500, 520), (500, 520), (500, 520)],
        );
    }
}
