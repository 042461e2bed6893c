//! Parts of a window that stand apart in the film, heard again by themselves where their words do not fit. Knows nothing
//! of threads, queues or models.
//!
//! A window joins what long silences part. Whisper then may spread one sentence over a noise that the detector took for
//! speech and the speech behind it, write a foreign line in the language of its neighbours, or leave out a quiet voice
//! behind a loud one. That shows: too few letters for the time, too many beside a part without any, or improbable words.

use super::alone::{self, Alone};
use super::guard;
use super::hear::{CAREFUL_BEAM, Spoken, language_of};
use super::words::ends_sentence;
use crate::audio::PER_MS;
use crate::audio::windows::Span;
use crate::engine::{Ask, Error, Heard, Session, Sound};
use crate::subtitle::Word;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// A silence of the film from which on two parts stand apart.
const APART: i64 = 1_000 * PER_MS;
/// Letters in a second of speech: nobody speaks slower or faster for long; in scripts without spaces a letter is a syllable.
const SLOWEST: f32 = 6.5;
const FASTEST: f32 = 20.0;
const UNSPACED: f32 = 0.35;
/// Less speech has no rate.
const RATED_MS: i64 = 800;
/// The mean log probability of words that are doubted: foreign lines lie below, clear speech above -0.25.
const UNSURE: f32 = -0.4;
/// And less speech than this tells no language.
const TELLING_MS: i64 = 1_500;
/// Words of a part that are found again in what its neighbours say by themselves were theirs.
const THEIRS: f32 = 0.6;

/// One part.
#[derive(Debug, Clone, PartialEq)]
struct Island {
    /// From the first to the last speech, in samples of the window.
    place: Range<i64>,
    spoken_ms: i64,
    words: Vec<Word>,
}

/// Why a part is heard again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Slow,
    Fast,
    Unsure,
    /// Its sentence goes on in a part that is heard again.
    Linked,
    /// Without words, beside one whose words may be its own.
    Empty,
}

/// Looks at the parts of a window, hears those again whose words do not fit, and puts what is better in place. Gives the
/// places of those parts too, in samples of the window: there is nothing more to be heard in them.
///
/// `speech` is the window's in samples of the film, `sound.speech` the same in samples of the window; the words' times
/// are the window's.
pub(super) fn hear(
    session: &mut dyn Session,
    sound: Sound<'_>,
    speech: &[Span],
    heard: Heard,
    ask: &Ask,
    spoken: Spoken,
    stop: &AtomicBool,
) -> Result<(Heard, Vec<Range<i64>>), Error> {
    let islands = split(heard.words.clone(), sound.speech, speech);
    let why = doubts(&islands, ask.language.is_unspaced());
    if islands.len() < 2 || why.iter().all(Option::is_none) {
        return Ok((heard, Vec::new()));
    }
    let mut again: Vec<Option<Alone>> = Vec::with_capacity(islands.len());
    for (island, why) in islands.iter().zip(&why) {
        again.push(match why {
            None => None,
            Some(why) => {
                let mut ask = ask.clone();
                if *why == Why::Unsure && spoken == Spoken::Found && island.spoken_ms >= TELLING_MS {
                    let (samples, _) = alone::cut(sound, &island.place);
                    ask.language = language_of(session, samples, ask.language)?;
                }
                if *why != Why::Linked {
                    ask.beam = CAREFUL_BEAM;
                }
                Some(alone::hear(session, sound, &island.place, &ask, stop)?)
            }
        });
    }
    let mut words = Vec::new();
    for (i, island) in islands.iter().enumerate() {
        words.extend(match &again[i] {
            Some(alone) if replaces(alone, &island.words, why[i]) => alone.words.clone(),
            // What sounds like humming by itself has no words that take so long.
            Some(alone) if why[i] == Some(Why::Slow) && guard::is_humming(&alone.words) => Vec::new(),
            Some(_) if theirs(&island.words, &again, i) => Vec::new(),
            _ => island.words.clone(),
        });
    }
    let avg_logprob = if words.is_empty() { 0.0 } else { surety(&words).max(heard.avg_logprob) };
    let looked_at = islands.iter().zip(&why).filter(|(_, why)| why.is_some()).map(|(i, _)| i.place.clone());
    Ok((Heard { words, avg_logprob, ..heard }, looked_at.collect()))
}

/// The words and the speech, parted where the film is silent for long.
fn split(words: Vec<Word>, inside: &[Range<i64>], film: &[Span]) -> Vec<Island> {
    let mut islands: Vec<Island> = Vec::new();
    if inside.len() != film.len() {
        return islands;
    }
    for (i, place) in inside.iter().enumerate() {
        let spoken_ms = (place.end - place.start) / PER_MS;
        match islands.last_mut() {
            Some(last) if film[i].start - film[i - 1].end < APART => {
                last.place.end = place.end;
                last.spoken_ms += spoken_ms;
            }
            _ => islands.push(Island { place: place.clone(), spoken_ms, words: Vec::new() }),
        }
    }
    let seams: Vec<i64> =
        islands.windows(2).map(|pair| (pair[0].place.end + pair[1].place.start) / 2 / PER_MS).collect();
    let mut at = 0;
    for word in words {
        let middle = (word.start_ms + word.end_ms) / 2;
        while at < seams.len() && middle >= seams[at] {
            at += 1;
        }
        if let Some(island) = islands.get_mut(at) {
            island.words.push(word);
        }
    }
    islands
}

/// Which parts are to be heard again: those that do not fit, and those that share a sentence with one of them.
fn doubts(islands: &[Island], unspaced: bool) -> Vec<Option<Why>> {
    let mut why: Vec<Option<Why>> =
        (0..islands.len()).map(|i| doubt(islands, i, if unspaced { UNSPACED } else { 1.0 })).collect();
    let open = |i: usize| {
        let (here, next) = (&islands[i].words, &islands[i + 1].words);
        here.last().is_some_and(|w| !ends_sentence(&w.text)) && !next.is_empty()
    };
    let reach = |why: &mut [Option<Why>], from: usize, to: usize| {
        if why[to].is_some() || why[from].is_none() {
        } else if islands[to].words.is_empty() {
            why[to] = matches!(why[from], Some(Why::Slow | Why::Empty)).then_some(Why::Empty);
        } else if open(from.min(to)) {
            why[to] = Some(Why::Linked);
        }
    };
    (1..islands.len()).for_each(|i| reach(&mut why, i - 1, i));
    (1..islands.len()).rev().for_each(|i| reach(&mut why, i, i - 1));
    why
}

fn doubt(islands: &[Island], i: usize, scale: f32) -> Option<Why> {
    let island = &islands[i];
    if island.words.is_empty() {
        return None;
    }
    let empty = |j: Option<usize>| {
        j.and_then(|j| islands.get(j))
            .is_some_and(|other| other.words.is_empty() && other.spoken_ms >= RATED_MS)
    };
    let letters: usize = island.words.iter().map(|w| guard::plain(&w.text).chars().count()).sum();
    let rate = letters as f32 * 1000.0 / island.spoken_ms.max(1) as f32;
    if island.spoken_ms >= RATED_MS && rate < SLOWEST * scale {
        Some(Why::Slow)
    } else if rate > FASTEST * scale && (empty(i.checked_sub(1)) || empty(Some(i + 1))) {
        Some(Why::Fast)
    } else if island.spoken_ms >= TELLING_MS && surety(&island.words) < UNSURE {
        Some(Why::Unsure)
    } else {
        None
    }
}

/// The mean log probability of the words.
fn surety(words: &[Word]) -> f32 {
    words.iter().map(|w| w.p.max(1e-4).ln()).sum::<f32>() / words.len().max(1) as f32
}

/// Whether what was heard of a part by itself stands for what was heard of it among its neighbours.
fn replaces(alone: &Alone, before: &[Word], why: Option<Why>) -> bool {
    let surer = why != Some(Why::Unsure) || surety(&alone.words) > surety(before);
    alone.believed && surer && !guard::is_stock(&alone.words)
}

/// Whether the words of a part, the one of that number, are said, by themselves, in other parts of the window.
fn theirs(mine: &[Word], again: &[Option<Alone>], number: usize) -> bool {
    let others =
        again.iter().enumerate().filter(|(i, _)| *i != number).filter_map(|(_, alone)| alone.as_ref());
    let believed = others.filter(|alone| alone.believed).flat_map(|alone| &alone.words);
    let said: Vec<String> = believed.map(|w| guard::plain(&w.text)).collect();
    let mine: Vec<String> = mine.iter().map(|w| guard::plain(&w.text)).collect();
    let found = mine.iter().filter(|w| said.contains(w)).count();
    found as f32 >= THEIRS * mine.len() as f32 || said.concat().contains(&mine.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::scripted::Scripted;
    use crate::engine::{Context, Engine, LanguageOdds};
    use crate::job::Task;
    use crate::language::Language;

    /// A part: seconds of speech, 2 s of silence behind; what was heard of it among the others and with which log
    /// probability, what is heard of it alone, in which language.
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
        // In the window half a second lies between two parts; samples are the number of their part.
        let (mut samples, mut inside, mut film, mut heard) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (number, Part(seconds, text, logprob, _)) in parts.iter().enumerate() {
            let start = samples.len() as i64;
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
            let known = ask.language.whisper_code() == language;
            let words = if known { words(text, 200, seconds, logprob) } else { Vec::new() };
            Ok(Heard { words, no_speech: None, avg_logprob: logprob })
        });
        let heard = Heard { words: heard, no_speech: None, avg_logprob: -0.3 };
        let (beam, context) = (1, Context::Fitted);
        let ask = Ask {
            language: Language::ENGLISH,
            task: Task::Transcribe,
            beam,
            beside: None,
            context,
            prompt: None,
            dice: true,
        };
        let sound = Sound { samples: &samples, speech: &inside };
        let (mut session, stop) = (engine.session().unwrap(), AtomicBool::new(false));
        let (got, _) = hear(session.as_mut(), sound, &film, heard, &ask, Spoken::Found, &stop).unwrap();
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
}
