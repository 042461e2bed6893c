//! A word or two that are a sentence by themselves, with silence around them, and of which the decoder is not sure. Knows
//! nothing of threads, queues or models.
//!
//! Of a single word in noise Whisper makes now one thing, now another, as a few milliseconds more or less are around it, or
//! as it is said a little faster. What it makes most often, and with the least doubt, is mostly what was said.

use super::alone::{FAINT, FEW};
use super::guard::{self, Doubt};
use super::hear::{CAREFUL_BEAM, TELLING_MS, unprompted};
use super::islands::surety;
use super::looked::{Island, Looked};
use super::words::ends_sentence;
use crate::audio::PER_MS;
use crate::engine::{Ask, Context, Error, Heard, Session, Sound};
use crate::job::Task;
use crate::subtitle::Word;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// The mean log probability below which words are not sure.
const UNSURE: f32 = -0.8;
/// Parts of a window that are heard so often, the least sure first.
const PARTS: usize = 3;
/// So much is heard before and behind the speech.
const LEADS_MS: [i64; 3] = [0, 120, 280];
/// And so many times as fast. Of twelve single words in noise nine looks at three speeds got eleven right, ten at one nine.
const SPEEDS: [f64; 3] = [0.9, 1.0, 1.1];
/// Looks that must agree at least; those with nothing to say do not count.
const LEAST: usize = 3;

/// Hears the parts of a window again that are a word or two, and not sure; what is heard most often takes their place. Of a
/// translation none is sure. The words' times are the window's.
pub(super) fn hear(
    session: &mut dyn Session,
    looked: Looked<'_>,
    heard: Heard,
    ask: &Ask,
    stop: &AtomicBool,
) -> Result<Heard, Error> {
    let mut islands = looked.parted(heard.words.clone());
    let strange = looked.are_strange(&islands, ask.language);
    let mut unsure: Vec<usize> = (0..islands.len())
        .filter(|&i| ask.task == Task::Transcribe && !strange[i] && is_unsure(&islands, i))
        .collect();
    if unsure.is_empty() {
        return Ok(heard);
    }
    unsure.sort_by(|&a, &b| surety(&islands[a].words).total_cmp(&surety(&islands[b].words)));
    for &i in unsure.iter().take(PARTS) {
        let Island { place, words, .. } = &mut islands[i];
        let before = Heard { avg_logprob: surety(words), words: words.clone(), ..Heard::default() };
        if let Some(found) = hear_often(session, looked.sound, place, &before, ask, stop)? {
            *words = found;
        }
    }
    Ok(Heard { words: islands.into_iter().flat_map(|island| island.words).collect(), ..heard })
}

/// Whether a part is a sentence of a word or two that are not sure.
fn is_unsure(islands: &[Island], i: usize) -> bool {
    let words = &islands[i].words;
    let before = islands[..i].iter().rev().find_map(|island| island.words.last());
    (1..FEW).contains(&words.len())
        && islands[i].spoken_ms < TELLING_MS
        && words.last().is_some_and(|w| ends_sentence(&w.text))
        && before.is_none_or(|w| ends_sentence(&w.text))
        && surety(words) < UNSURE
        && !guard::is_humming(words)
}

/// The same words as they are heard in several looks.
struct Ballot {
    letters: String,
    looks: usize,
    weight: f32,
    /// The surest of them, with times of the window.
    best: Heard,
}

/// Hears a stretch, in samples, several times. Gives the words for which most speaks; none where they are those that stand
/// there, or a piece of them, or where too few agree.
fn hear_often(
    session: &mut dyn Session,
    sound: Sound<'_>,
    place: &Range<i64>,
    before: &Heard,
    ask: &Ask,
    stop: &AtomicBool,
) -> Result<Option<Vec<Word>>, Error> {
    let context = Context::Ample;
    let ask = Ask { dice: false, beam: CAREFUL_BEAM, beside: None, context, ..unprompted(ask) };
    // What others say beside it is not heard.
    let first = sound.speech.iter().map(|s| s.end).filter(|end| *end <= place.start).max().unwrap_or(0);
    let all = sound.samples.len() as i64;
    let last = sound.speech.iter().map(|s| s.start).find(|start| *start >= place.end).unwrap_or(all).min(all);
    let mut cuts: Vec<(i64, i64)> = LEADS_MS
        .iter()
        .map(|lead| ((place.start - lead * PER_MS).max(first), (place.end + lead * PER_MS).min(last)))
        .collect();
    cuts.dedup();
    let there = guard::plain_words(&before.words).concat();
    let speech_ms = (place.end - place.start) / PER_MS;
    let mut ballots = Vec::new();
    cast(&mut ballots, before.clone(), &there, speech_ms);
    for (from, to) in cuts {
        let Some(samples) = sound.samples.get(from as usize..to as usize) else { continue };
        for speed in SPEEDS {
            let at_speed = |sample: i64| ((sample - from) as f64 / speed) as i64;
            let said = at_speed(place.start)..at_speed(place.end);
            let look = Sound { samples: &faster(samples, speed), speech: std::slice::from_ref(&said) };
            let mut heard = session.transcribe(look, &ask, stop)?;
            let in_window = |ms: i64| (ms as f64 * speed) as i64 + from / PER_MS;
            for word in &mut heard.words {
                (word.start_ms, word.end_ms) = (in_window(word.start_ms), in_window(word.end_ms));
            }
            cast(&mut ballots, heard, &there, speech_ms);
        }
    }
    let most = ballots.into_iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
    // A stretch that begins too late has but a piece of them.
    let found = most.filter(|most| most.looks >= LEAST && !there.contains(&most.letters));
    // Nobody is thanked instead.
    Ok(found.map(|most| most.best.words).filter(|words| !guard::is_stock(words)))
}

/// The sound as it is at another speed, and as much higher.
fn faster(samples: &[f32], speed: f64) -> Vec<f32> {
    let count = (samples.len() as f64 / speed) as usize;
    let at = |i: usize| {
        let place = i as f64 * speed;
        let (before, part) = (place as usize, place.fract() as f32);
        let behind = samples.get(before + 1).or(samples.last()).copied().unwrap_or_default();
        samples.get(before).map_or(behind, |before| before + (behind - before) * part)
    };
    (0..count).map(at).collect()
}

/// Counts a look, unless it has nothing to say that may be meant. `there`: the letters that stand there, which may.
fn cast(ballots: &mut Vec<Ballot>, heard: Heard, there: &str, speech_ms: i64) {
    let letters = guard::plain_words(&heard.words).concat();
    let doubt = guard::doubt(&heard, speech_ms);
    let made_up =
        heard.avg_logprob < FAINT || matches!(doubt, Some(Doubt::Loop | Doubt::Crowded | Doubt::Hum));
    if letters.is_empty() || (made_up && letters != there) {
        return;
    }
    let weight = heard.avg_logprob.exp();
    match ballots.iter_mut().find(|ballot| ballot.letters == letters) {
        Some(ballot) => {
            ballot.looks += 1;
            ballot.weight += weight;
            if heard.avg_logprob > ballot.best.avg_logprob {
                ballot.best = heard;
            }
        }
        None => ballots.push(Ballot { letters, looks: 1, weight, best: heard }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::hear::Spoken;
    use super::*;
    use crate::audio::windows::Span;
    use crate::engine::scripted::{self, Scripted};
    use crate::engine::{Engine, LanguageOdds};
    use crate::language::Language;

    fn words(text: &str) -> Vec<Word> {
        let word = |(i, text): (usize, &str)| {
            let start_ms = i as i64 * 300;
            Word { text: format!(" {text}"), start_ms, end_ms: start_ms + 250, p: 0.4 }
        };
        text.split_whitespace().enumerate().map(word).collect()
    }

    fn ask() -> Ask {
        Ask { prompt: Some("Goodbye.".into()), ..scripted::ask() }
    }

    /// `looks`: what is heard with each lead, the slowest first.
    fn check(before: (&str, f32), looks: [(&'static str, f32); 9], expected: Option<&str>) {
        let place = 1_000 * PER_MS..1_800 * PER_MS;
        let ways = LEADS_MS.into_iter().flat_map(|lead| SPEEDS.map(|speed| (lead, speed)));
        let length = |(lead, speed)| ((800 + 2 * lead) as f64 * PER_MS as f64 / speed) as usize;
        let lengths: Vec<usize> = ways.map(length).collect();
        let engine = Scripted::new(LanguageOdds::default(), move |sound, ask, _| {
            assert_eq!((ask.prompt.as_deref(), ask.dice), (None, false));
            let at = lengths.iter().position(|length| *length == sound.samples.len()).unwrap();
            let (text, avg_logprob) = looks[at];
            let mut words = words(text);
            // It is said where the speech is.
            let said = sound.speech[0].start / PER_MS;
            words.iter_mut().for_each(|w| (w.start_ms, w.end_ms) = (w.start_ms + said, w.end_ms + said));
            Ok(Heard { words, avg_logprob, ..Heard::default() })
        });
        let ask = ask();
        let samples = vec![0.1; 3 * 16_000];
        let sound = Sound { samples: &samples, speech: &[] };
        let before = Heard { words: words(before.0), avg_logprob: before.1, ..Heard::default() };
        let (mut session, stop) = (engine.session().unwrap(), AtomicBool::new(false));
        let found = hear_often(session.as_mut(), sound, &place, &before, &ask, &stop).unwrap();
        let text =
            |words: &[Word]| words.iter().map(|w| w.text.as_str()).collect::<String>().trim().to_owned();
        assert_eq!(found.as_deref().map(text).as_deref(), expected, "{before:?}");
        if let Some(words) = found {
            assert!((997..=1_000).contains(&words[0].start_ms), "{words:?}");
        }
    }

    #[test]
    fn what_is_heard_most_often_and_surest_takes_the_place_of_what_is_not_sure() {
        let (bye, luck, none) = (("Good bye.", -0.9), ("Good luck!", -0.9), ("", 0.0));
        let surer = ("Goodbye", -0.8);
        check(("Good luck!", -1.4), [luck, luck, luck, bye, bye, surer, bye, bye, bye], Some("Goodbye"));
        check(("Good night!", -1.1), [bye, bye, luck, none, none, none, luck, none, bye], Some("Good bye."));
        check(("You're", -2.3), [none, none, none, none, none, none, bye, bye, bye], Some("Good bye."));
        // As many, and one of them surer.
        let surer = ("Good bye.", -0.5);
        check(("Good luck!", -1.4), [luck, luck, none, none, none, none, bye, bye, surer], Some("Good bye."));
    }

    #[test]
    fn what_stands_there_stays_where_it_is_heard_again_or_too_few_agree() {
        let (bye, luck, none) = (("Good bye.", -0.9), ("Good luck!", -0.9), ("", 0.0));
        check(("Goodbye!", -1.1), [luck, luck, luck, luck, bye, bye, bye, bye, none], None);
        check(("Good night!", -1.1), [bye, bye, luck, none, none, none, none, luck, ("Good", -0.9)], None);
        // A stretch that begins too late has a piece of it; and nobody hums or gives thanks instead.
        check(("Good bye.", -0.9), [("Bye.", -0.1); 9], None);
        check(("Goodbye!", -1.1), [("Hmm.", -0.1); 9], None);
        check(("Goodbye!", -1.1), [("Thanks for watching.", -0.2); 9], None);
        check(("Goodbye!", -1.1), [none; 9], None);
        check(("You're", -2.0), [("Well.", -1.9); 9], None);
        // What stands there may be thanks.
        let (thanks, god) = (("Thank you.", -0.9), ("Thank God.", -1.1));
        check(("Thank you.", -0.9), [thanks, thanks, thanks, god, god, god, thanks, thanks, none], None);
    }

    #[test]
    fn a_sound_at_another_speed_is_as_much_shorter() {
        let sound: Vec<f32> = (0..8).map(|i| i as f32).collect();
        assert_eq!(faster(&sound, 1.0), sound);
        assert_eq!(faster(&sound, 2.0), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(faster(&sound[..3], 0.5), [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]);
        assert!(faster(&[], 0.9).is_empty());
    }

    /// Parts with their seconds, and what most looks make of each.
    fn check_parts(parts: &'static [(i64, &'static str, &'static str)], task: Task, expected: &str) {
        let second = 1_000 * PER_MS;
        let (mut samples, mut inside, mut film, mut heard) = (vec![], vec![], vec![], vec![]);
        for (number, (seconds, text, _)) in parts.iter().enumerate() {
            let start = samples.len() as i64;
            heard.extend(words(text).into_iter().map(|w| Word {
                start_ms: w.start_ms + start / PER_MS,
                end_ms: w.end_ms + start / PER_MS,
                ..w
            }));
            inside.push(start..start + seconds * second);
            let place = number as i64 * 60 * second;
            film.push(Span { start: place, end: place + seconds * second });
            samples.resize(samples.len() + ((seconds * 2 + 1) * second / 2) as usize, number as f32);
        }
        let engine = Scripted::new(LanguageOdds::default(), |sound, _, _| {
            let (_, _, text) = parts[sound.samples[sound.samples.len() / 2] as usize];
            Ok(Heard { words: words(text), avg_logprob: -0.9, ..Heard::default() })
        });
        let looked = Looked {
            sound: Sound { samples: &samples, speech: &inside },
            speech: &film,
            spoken: Spoken::Found,
            usual: Language::ENGLISH,
            tongues: &[],
            strangers: &[],
            other: &[],
        };
        let ask = Ask { task, ..ask() };
        let heard = Heard { words: heard, ..Heard::default() };
        let (mut session, stop) = (engine.session().unwrap(), AtomicBool::new(false));
        let found = hear(session.as_mut(), looked, heard, &ask, &stop).unwrap();
        let text: String = found.words.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(text.trim(), expected);
        assert!(found.words.is_sorted_by_key(|w| w.start_ms), "{:?}", found.words);
    }

    #[test]
    fn only_a_sentence_of_a_word_or_two_is_heard_again() {
        let farewell: &[_] = &[(1, "Good luck!", "Goodbye!"), (1, "Goodbye!", "Goodbye!")];
        check_parts(farewell, Task::Transcribe, "Goodbye! Goodbye!");
        check_parts(farewell, Task::Translate, "Good luck! Goodbye!");
        check_parts(
            &[(1, "Good luck", "never"), (1, "to you.", "never")],
            Task::Transcribe,
            "Good luck to you.",
        );
        check_parts(&[(1, "Good luck to you!", "never")], Task::Transcribe, "Good luck to you!");
        check_parts(&[(1, "Hmm.", "never")], Task::Transcribe, "Hmm.");
        check_parts(&[(2, "Good luck!", "never")], Task::Transcribe, "Good luck!");
        check_parts(&[], Task::Transcribe, "");
        // Of many only some.
        let many: &[_] = &[(1, "Go!", "Ask."), (1, "Up!", "Be."), (1, "On!", "See."), (1, "By!", "Die.")];
        check_parts(many, Task::Transcribe, "Ask. Be. See. By!");
    }
}
