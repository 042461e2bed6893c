//! A word or two that nothing stands beside, and of which the decoder is not sure. Knows nothing of threads, queues or models.
//!
//! Of a single word in noise Whisper makes now one thing, now another, as a few milliseconds more or less are before it, or
//! as it is said a little faster. What it makes most often, and with the least doubt, is mostly what was said.

use super::alone::{FAINT, FEW};
use super::guard::{self, Doubt};
use super::hear::{CAREFUL_BEAM, unprompted};
use crate::audio::PER_MS;
use crate::engine::{Ask, Context, Error, Heard, Session, Sound};
use crate::job::Task;
use crate::subtitle::Word;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// The mean log probability below which words are not sure.
const UNSURE: f32 = -0.8;
/// So much is heard before and behind the speech.
const LEADS_MS: [i64; 3] = [0, 120, 280];
/// And so many times as fast. Of twelve words in noise the nine looks told eleven, ten at one speed nine.
const SPEEDS: [f64; 3] = [0.9, 1.0, 1.1];
/// Looks that must agree at least.
const LEAST: usize = 3;

/// Whether words are so few and unsure that they are to be heard again. Of a translation none is sure.
pub(super) fn is_unsure(words: &[Word], surety: f32, task: Task) -> bool {
    (1..FEW).contains(&words.len())
        && surety < UNSURE
        && task == Task::Transcribe
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

/// Hears a stretch, in samples, several times. Gives the words that most looks have; none where they are those that stand
/// there, or a piece of them, or where too few agree.
pub(super) fn hear(
    session: &mut dyn Session,
    sound: Sound<'_>,
    place: &Range<i64>,
    before: &Heard,
    ask: &Ask,
    stop: &AtomicBool,
) -> Result<Option<Vec<Word>>, Error> {
    let context = Context::Ample;
    let ask = Ask { dice: false, beam: CAREFUL_BEAM, beside: None, context, ..unprompted(ask) };
    let there = guard::plain_words(&before.words).concat();
    let speech_ms = (place.end - place.start) / PER_MS;
    let mut ballots = Vec::new();
    cast(&mut ballots, before.clone(), speech_ms);
    for lead in LEADS_MS {
        let from = (place.start - lead * PER_MS).max(0);
        let to = (place.end + lead * PER_MS).min(sound.samples.len() as i64);
        let Some(samples) = sound.samples.get(from as usize..to as usize) else { continue };
        for speed in SPEEDS {
            let at_speed = |sample: i64| ((sample - from) as f64 / speed) as i64;
            let speech = [at_speed(place.start)..at_speed(place.end)];
            let look = Sound { samples: &faster(samples, speed), speech: &speech };
            let mut heard = session.transcribe(look, &ask, stop)?;
            let in_window = |ms: i64| (ms as f64 * speed) as i64 + from / PER_MS;
            for word in &mut heard.words {
                (word.start_ms, word.end_ms) = (in_window(word.start_ms), in_window(word.end_ms));
            }
            cast(&mut ballots, heard, speech_ms);
        }
    }
    let most = ballots.into_iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
    // A stretch that begins too late has but a piece of them.
    let found = most.filter(|most| most.looks >= LEAST && !there.contains(&most.letters));
    Ok(found.map(|most| most.best.words))
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

/// Counts a look, unless it has nothing to say that may be meant.
fn cast(ballots: &mut Vec<Ballot>, heard: Heard, speech_ms: i64) {
    let letters = guard::plain_words(&heard.words).concat();
    let made_up = guard::doubt(&heard, speech_ms).is_some_and(|doubt| doubt != Doubt::Unsure);
    if letters.is_empty() || heard.avg_logprob < FAINT || made_up || guard::is_stock(&heard.words) {
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
    use super::*;
    use crate::engine::scripted::Scripted;
    use crate::engine::{Engine, LanguageOdds};
    use crate::language::Language;

    fn words(text: &str) -> Vec<Word> {
        let word = |(i, text): (usize, &str)| {
            let start_ms = i as i64 * 300;
            Word { text: format!(" {text}"), start_ms, end_ms: start_ms + 250, p: 0.4 }
        };
        text.split_whitespace().enumerate().map(word).collect()
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
        let ask = Ask {
            language: Language::ENGLISH,
            task: Task::Transcribe,
            beam: 1,
            beside: None,
            context: Context::Fitted,
            prompt: Some("Goodbye.".into()),
            dice: true,
        };
        let samples = vec![0.1; 3 * 16_000];
        let sound = Sound { samples: &samples, speech: &[] };
        let before = Heard { words: words(before.0), avg_logprob: before.1, ..Heard::default() };
        let (mut session, stop) = (engine.session().unwrap(), AtomicBool::new(false));
        let found = hear(session.as_mut(), sound, &place, &before, &ask, &stop).unwrap();
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
    }

    #[test]
    fn a_sound_at_another_speed_is_as_much_shorter() {
        let sound: Vec<f32> = (0..8).map(|i| i as f32).collect();
        assert_eq!(faster(&sound, 1.0), sound);
        assert_eq!(faster(&sound, 2.0), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(faster(&sound[..3], 0.5), [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]);
        assert!(faster(&[], 0.9).is_empty());
    }

    #[test]
    fn a_word_or_two_are_unsure_where_their_text_is_not_a_translation() {
        assert!(is_unsure(&words("Good luck!"), -0.9, Task::Transcribe));
        assert!(!is_unsure(&words("Good luck!"), -0.7, Task::Transcribe));
        assert!(!is_unsure(&words("Good luck!"), -0.9, Task::Translate));
        assert!(!is_unsure(&words("Good luck to you!"), -0.9, Task::Transcribe));
        assert!(!is_unsure(&words("Hmm."), -0.9, Task::Transcribe));
        assert!(!is_unsure(&[], 0.0, Task::Transcribe));
    }
}
