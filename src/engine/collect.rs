//! From the tokens that a search found to words with their times. Knows nothing of sessions or of how tokens are found.

use super::Ask;
use super::align::{self, FRAME_MS};
use super::decoder::Choice;
use super::decoder::search::Found;
use super::decoder::vocabulary::Vocabulary;
use super::pass::{Decoded, Listened, PER_MS, Pass};
use super::times::{Loudness, Said, place};
use crate::job::Task;
use crate::language::Language;
use std::ops::Range;

/// Behind the last time stamp, where the text goes no further, so much is listened to for its last words.
const BEHIND_MS: i64 = 500;

/// The text up to its last time stamp, with its times.
pub(super) fn collect(found: &Found, vocabulary: &Vocabulary, samples: &[f32], ask: &Ask) -> Pass {
    let mut pass = Pass { no_speech: Some(found.no_speech), ..Pass::default() };
    let sound_ms = samples.len() as i64 / PER_MS;
    let last = found.text.iter().enumerate().rfind(|(_, c)| vocabulary.is_stamp(c.id));
    let last = last.filter(|(at, c)| *at > 0 && c.id > vocabulary.first_stamp);
    // Text behind the last stamp has no end: it is gone over again from there on. So is what lies behind a stamp that
    // ends the text, where the detector heard speech there (OpenAI takes that for silence).
    let (text, end_ms) = match last {
        Some((at, c)) => (&found.text[..=at], vocabulary.stamp_ms(c.id)),
        None => (&found.text[..], sound_ms),
    };
    let is_over = |end_ms: i64| end_ms + 100 >= sound_ms;
    let segments = between_stamps(text, end_ms, vocabulary);
    // A translation's words stand in another order than they are said in.
    let heard_ms = if is_over(end_ms) { sound_ms } else { end_ms + BEHIND_MS };
    let aligned = (ask.task == Task::Transcribe).then(|| {
        let mut quiet = align::quiet(samples);
        quiet.truncate((heard_ms / FRAME_MS) as usize);
        let tokens = segments.iter().flat_map(|(places, within_ms)| {
            places.clone().map(|at| align::Heard {
                text: vocabulary.text(text[at].id),
                trace: &found.traces[at],
                within_ms: within_ms.clone(),
            })
        });
        align::align(&tokens.collect::<Vec<_>>(), &quiet, ask.language.is_unspaced())
    });
    let aligned = aligned.flatten();
    let is_aligned = aligned.is_some();
    let times = aligned.unwrap_or_else(|| {
        let loudness = Loudness::of(samples);
        let said = |places: &Range<usize>| text[places.clone()].iter().map(|c| decoded(c, vocabulary).said);
        let placed = |(places, span_ms): &(_, Range<i64>)| place(said(places), span_ms.clone(), &loudness);
        segments.iter().flat_map(placed).collect()
    });
    let mut times = &times[..];
    // Where the segments so far end that were said, and where the text does when no more of it was.
    let (mut said_ms, mut ends_ms) = (None, Some(end_ms));
    for (places, span_ms) in segments {
        let mut tokens: Vec<Decoded<'_>> =
            text[places.clone()].iter().map(|c| decoded(c, vocabulary)).collect();
        let (mut own, rest) = times.split_at(tokens.len());
        times = rest;
        if is_aligned {
            if rest.is_empty() && is_over(end_ms) {
                tokens.truncate(said_in_time(&tokens, own, ask.language));
                own = &own[..tokens.len()];
            }
            let listened = found.traces[places].iter().zip(own).map(|(trace, time)| trace.over(time));
            let listened = Listened::of(&tokens, listened);
            // What was not listened to was not said: it came again, or was made up. What follows is gone over again.
            if is_squeezed(&tokens, own, ask.language) || listened.is_made_up() {
                ends_ms = said_ms;
                continue;
            }
            pass.listened.add(listened);
        }
        (said_ms, ends_ms) = (Some(span_ms.end), Some(end_ms));
        pass.add(&tokens, own);
    }
    pass.stopped_at = ends_ms.filter(|ms| !is_over(*ms)).map(|ms| ms * PER_MS);
    pass
}

/// Letters in a second that nobody says; in scripts without spaces a letter is a syllable.
const SQUEEZED: i64 = 40;
const SQUEEZED_UNSPACED: i64 = 14;
/// Fewer letters may stand where they have no time: the end of a word that the sound breaks off in.
const LETTERS: i64 = 6;

/// Words at the end of the sound without time from which on nobody says them.
const WORDS_WITHOUT_TIME: usize = 3;

/// Whether a segment has so little time that nobody said it: its place on the way through the sound is where none was left.
fn is_squeezed(tokens: &[Decoded<'_>], times: &[Range<i64>], language: Language) -> bool {
    let text: Vec<u8> = tokens.iter().flat_map(|t| t.said.text).copied().collect();
    let letters = String::from_utf8_lossy(&text).chars().filter(|c| c.is_alphanumeric()).count() as i64;
    let ms: i64 = times.iter().map(|t| t.end - t.start).sum();
    let most = if language.is_unspaced() { SQUEEZED_UNSPACED } else { SQUEEZED };
    letters >= LETTERS && letters * 1_000 > ms * most
}

/// How many of the last segment's tokens the sound has time for. Where it breaks off, Whisper may go on without it ("from
/// wood, wood, wood, and wood,"); a word or two may be the end of one.
fn said_in_time(tokens: &[Decoded<'_>], times: &[Range<i64>], language: Language) -> usize {
    let with_time = times.iter().rposition(|t| t.end - t.start > FRAME_MS).map_or(0, |at| at + 1);
    let begins = |at: &usize| tokens[*at].said.text.starts_with(b" ") || language.is_unspaced();
    let word = (with_time..tokens.len()).find(begins).unwrap_or(tokens.len());
    let words = (word..tokens.len()).filter(begins).count();
    let goes_on = words >= WORDS_WITHOUT_TIME && is_squeezed(&tokens[word..], &times[word..], language);
    if goes_on { word } else { tokens.len() }
}

/// Where the segments between the time stamps stand in a text, each with its stamps; what has no last one ends at `end_ms`.
fn between_stamps(text: &[Choice], end_ms: i64, vocabulary: &Vocabulary) -> Vec<(Range<usize>, Range<i64>)> {
    let (mut segments, mut begin, mut begin_ms) = (Vec::new(), 0, 0);
    for (at, choice) in text.iter().enumerate().filter(|(_, c)| vocabulary.is_stamp(c.id)) {
        let ms = vocabulary.stamp_ms(choice.id);
        segments.push((begin..at, begin_ms..ms));
        (begin, begin_ms) = (at + 1, ms);
    }
    segments.push((begin..text.len(), begin_ms..end_ms));
    segments.retain(|(places, _)| !places.is_empty());
    segments
}

fn decoded<'v>(choice: &Choice, vocabulary: &'v Vocabulary) -> Decoded<'v> {
    Decoded {
        said: Said {
            text: vocabulary.text(choice.id),
            stamp_ms: vocabulary.stamp_ms(choice.stamp),
            stamp_p: choice.stamp_p,
            stamps_p: choice.stamps_p,
        },
        p: choice.p,
        logprob: choice.p.max(1e-30).ln(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_without_time_was_not_said() {
        let check = |texts: &[&str], each_ms: i64, language: &str, expected| {
            let tokens: Vec<Decoded<'_>> = texts.iter().map(|text| Decoded::sure(text)).collect();
            let times: Vec<Range<i64>> =
                (0..texts.len() as i64).map(|i| i * 300..i * 300 + each_ms).collect();
            let squeezed = is_squeezed(&tokens, &times, language.parse().unwrap());
            assert_eq!(squeezed, expected, "{texts:?} {each_ms} {language}");
        };
        let line: &[&str] = &[" He", " might", " even", " have", " been", " made", "."];
        check(line, 20, "en", true);
        check(line, 120, "en", false);
        check(&[" Bible"], 20, "en", false);
        check(&["電", "球", "が", "止", "ま", "って"], 40, "ja", true);
        check(&["電", "球", "が", "止", "ま", "って"], 120, "ja", false);
    }

    #[test]
    fn where_the_sound_breaks_off_nobody_says_more() {
        let check = |texts: &[&str], with_time: usize, expected: usize| {
            let tokens: Vec<Decoded<'_>> = texts.iter().map(|text| Decoded::sure(text)).collect();
            let each_ms = |i: i64| if i < with_time as i64 { 200 } else { FRAME_MS };
            let times: Vec<Range<i64>> =
                (0..texts.len() as i64).map(|i| i * 200..i * 200 + each_ms(i)).collect();
            assert_eq!(said_in_time(&tokens, &times, Language::ENGLISH), expected, "{texts:?}");
        };
        let line = &[" from", " wood", ",", " wood", ",", " wood", ",", " and", " wood", ","];
        check(line, 2, 3);
        check(line, line.len(), line.len());
        // Two words that the sound breaks off in, and the rest of one.
        check(&[" printed", " from", " wood", " blocks"], 2, 4);
        check(&[" in", " to", "geth", "er", "ness"], 1, 5);
    }
}
