//! Words from the time of a window to the time of the film. Pure; knows nothing of threads or engines.

use crate::audio::PER_MS;
use crate::audio::windows::{Span, TimeMap};
use crate::language::Language;
use crate::subtitle::{SmallWords, Word, is_abbreviation, is_raised};

/// A word keeps at least this length.
const LEAST_MS: i64 = 20;
/// What is heard of a word beyond the detector's edge.
const SLACK_MS: i64 = 60;

/// A silence that stands in no word, as the detector hears it.
const WORD_PAUSE_MS: i64 = 250;

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
        start = over_pause(start, end, &speech);
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
    part(&mut placed);
    placed
}

/// Words that begin at one moment, at an edge of speech, share the time up to the end of the last of them.
fn part(words: &mut [Word]) {
    let mut from = 0;
    while from < words.len() {
        let start = words[from].start_ms;
        let to = words.partition_point(|w| w.start_ms < start + LEAST_MS).max(from + 1);
        if to > from + 1 {
            let least = start + LEAST_MS * (to - from) as i64;
            let next = words.get(to).map_or(i64::MAX, |w| w.start_ms);
            let end = words[to - 1].end_ms.max(least).min(next);
            share_out(&mut words[from..to], start, end);
        }
        from = to;
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

/// The start of a word: nobody pauses in the midst of one, so where one spans a pause, and most of it lies behind, it begins
/// there. (Before it lies the end of what is said before, or a breath.)
fn over_pause(start: i64, end: i64, speech: &[(i64, i64)]) -> i64 {
    let behind = speech.windows(2).find(|pair| start < pair[0].1 && pair[1].0 < end);
    match behind.map(|pair| (pair[0].1, pair[1].0)) {
        Some((ends, next)) if next - ends >= WORD_PAUSE_MS && end - next >= ends - start => next,
        _ => start,
    }
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
        // What stands alone in the speech before the pause is said there.
        let is_alone = from > 0 && words[from - 1].end_ms <= begins;
        if next - ends < PARTS_MS
            || is_alone
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
    let word = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().replace('\u{2019}', "'");
    is_raised(text) && small.faces(&word).front.is_some()
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
#[path = "words_tests.rs"]
mod tests;
