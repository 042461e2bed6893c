//! Words from the time of a window to the time of the film. Pure; knows nothing of threads or engines.

use crate::audio::PER_MS;
use crate::audio::windows::{Span, TimeMap};
use crate::subtitle::Word;

/// A word keeps at least this length.
const LEAST_MS: i64 = 20;
/// What is heard of a word beyond the detector's edge.
const SLACK_MS: i64 = 60;

/// A word moved over a silence keeps at most this length.
const MOVED_MOST_MS: i64 = 400;
/// Behind speech by no more than this, a word is its end.
const PAUSE_MS: i64 = 1_000;

/// No further behind a sentence, a word is stranded there.
const STRANDED_MS: i64 = 700;

/// The first word of a stretch of speech may be found this late.
const LATE_MS: i64 = 450;

/// Maps words to the film and snaps them to the edges of speech: a start that lies in silence moves to the
/// speech that follows, an end to the speech before it. Starts never go back.
pub fn place(words: Vec<Word>, map: &TimeMap, speech: &[Span]) -> Vec<Word> {
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
    rejoin(&mut placed);
    placed
}

/// Moves the first word of a sentence over a silence to the rest of it, where it was left right behind the sentence
/// before: what follows a sentence there is a breath or an echo, which the decoder hangs the next word on.
fn rejoin(words: &mut [Word]) {
    for k in 1..words.len().saturating_sub(1) {
        let (last, word, next) = (&words[k - 1], &words[k], &words[k + 1]);
        let stranded = ends_sentence(&last.text)
            && word.start_ms - last.end_ms <= STRANDED_MS
            && next.start_ms - word.end_ms > PAUSE_MS;
        // A mark after it, or a capital, and it was said by itself.
        let goes_on = word.text.ends_with(char::is_alphanumeric)
            && next.text.trim_start().starts_with(char::is_lowercase);
        if stranded && goes_on {
            let from = next.start_ms;
            (words[k].start_ms, words[k].end_ms) = (from, from + LEAST_MS);
            let next = &mut words[k + 1];
            next.start_ms = (from + LEAST_MS).min(next.end_ms);
            next.end_ms = next.end_ms.max(next.start_ms + LEAST_MS);
        }
    }
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

fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '»', ')', '\'']).ends_with(['.', '!', '?', '…', '。', '！', '？'])
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
            place(words, &map, &speech).iter().map(|w| (w.start_ms, w.end_ms)).collect();
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
        check(&[(1_000, 1_500)], &[(0, 2_000)], &[(300, 700)], &[(1_000, 1_060)]);
    }

    #[test]
    fn a_sentence_that_begins_in_silence_begins_with_the_next_speech() {
        let (map, speech) = (&[(0, 1_000), (4_000, 6_000)], &[(0, 700), (4_300, 5_500)]);
        check(&[(800, 950), (1_400, 1_700)], map, speech, &[(4_300, 4_400), (4_400, 4_700)]);
    }

    #[test]
    fn the_first_word_of_a_sentence_is_not_left_behind_the_one_before() {
        let check = |texts: [&str; 3], moved: bool| {
            let times = [(0, 500), (900, 1_100), (3_000, 3_400)];
            let words = texts.iter().zip(times).map(|(text, (start_ms, end_ms))| Word {
                text: text.to_string(),
                start_ms,
                end_ms,
                p: 1.0,
            });
            let span = |(start, end): (i64, i64)| Span { start: start * PER_MS, end: end * PER_MS };
            let speech = [(0, 500), (900, 1_100), (3_000, 4_000)].map(span);
            let placed = place(words.collect(), &TimeMap::new(vec![span((0, 4_000))]), &speech);
            let got: Vec<(i64, i64)> = placed.iter().map(|w| (w.start_ms, w.end_ms)).collect();
            let expected = if moved {
                [(0, 500), (3_000, 3_020), (3_020, 3_400)]
            } else {
                [(0, 500), (900, 1_100), (3_000, 3_400)]
            };
            assert_eq!(got, expected, "{texts:?}");
        };
        check([" begins!", " This", " is"], true);
        check([" begins", " this", " is"], false);
        check([" begins!", " Well,", " is"], false);
        check([" begins!", " Yes.", " Is"], false);
        check([" begins!", " John", " Smith"], false);
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
