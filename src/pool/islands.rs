//! Parts of a window that stand apart in the film, or are in another language than what is beside them, heard again by
//! themselves where their words do not fit. Knows nothing of threads, queues or models.
//!
//! A window joins what long silences part. Whisper then may spread one sentence over a noise that the detector took for
//! speech and the speech behind it, write a foreign line in the language of its neighbours, or leave out a quiet voice
//! behind a loud one. That shows: too few letters for the time, too many beside a part without any, or improbable words.

use super::alone::{self, Alone, agreement};
use super::guard;
use super::hear::{CAREFUL_BEAM, Spoken, TELLING_MS, clearly};
use super::looked::{Island, Looked};
use super::words::ends_sentence;
use crate::engine::{Ask, Error, Heard, Session, Sound};
use crate::language::Language;
use crate::subtitle::Word;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// The mean log probability of words that are doubted: foreign lines lie below, clear speech above -0.25.
const UNSURE: f32 = -0.4;
/// So much more of one look than of the other in a third decides against it.
const TWICE: f32 = 0.2;
/// Words at a seam that may stand on both sides of it.
const SEAM: usize = 4;
/// Words that begin so much later than others, or end so much earlier, leave out a sentence.
const LEFT_OUT_MS: i64 = 3_000;
/// Words of a part that are found again in what its neighbours say by themselves were theirs.
const THEIRS: f32 = 0.6;

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
    /// In another language than the window, as it seems.
    Foreign,
}

impl Looked<'_> {
    /// The language of a part by itself: that of the window, unless it is clearly another, or that of the film is likelier.
    fn tell(&self, session: &mut dyn Session, samples: &[f32], windows: Language) -> Result<Language, Error> {
        let odds = session.detect(Sound { samples, speech: &[] })?;
        let found = clearly(&odds, windows);
        let likelier = found == windows && odds.of(self.usual) > odds.of(windows);
        Ok(if likelier { self.usual } else { found })
    }

    /// Hears a part by itself, in the language that it is found to be in where it seems to be in another, or where what is
    /// heard in the window's makes no sense. Gives the language too; nothing where the window was right about it.
    fn hear_alone(
        &self,
        session: &mut dyn Session,
        island: &Island,
        (why, strange): (Why, bool),
        ask: &Ask,
        stop: &AtomicBool,
    ) -> Result<Option<(Alone, Language)>, Error> {
        let mut ask = ask.clone();
        let tells = self.spoken == Spoken::Found && island.spoken_ms >= TELLING_MS;
        let (samples, _) = alone::cut(self.sound, &island.place);
        let asked = tells && (strange || why == Why::Unsure);
        if asked {
            let found = self.tell(session, samples, ask.language)?;
            if why == Why::Foreign && found == ask.language {
                return Ok(None);
            }
            ask.language = found;
        }
        if why != Why::Linked {
            ask.beam = CAREFUL_BEAM;
        }
        let alone = alone::hear(session, self.sound, &island.place, &ask, stop)?;
        if alone.believed || !tells || asked {
            return Ok(Some((alone, ask.language)));
        }
        let language = self.tell(session, samples, ask.language)?;
        if language != ask.language {
            let ask = Ask { language, beam: CAREFUL_BEAM, ..ask };
            let foreign = alone::hear(session, self.sound, &island.place, &ask, stop)?;
            if foreign.believed {
                return Ok(Some((foreign, language)));
            }
        }
        Ok(Some((alone, ask.language)))
    }
}

/// Looks at the parts of a window, hears those again whose words do not fit, and puts what is better in place. Gives the
/// places of those parts too, in samples of the window: there is nothing more to be heard in them.
///
/// The words' times are the window's.
pub(super) fn hear(
    session: &mut dyn Session,
    looked: Looked<'_>,
    heard: Heard,
    ask: &Ask,
    stop: &AtomicBool,
) -> Result<(Heard, Vec<Range<i64>>), Error> {
    let islands = looked.parted(heard.words.clone());
    let mut why = doubts(&islands, ask.language);
    let strangers = looked.are_strange(&islands, ask.language);
    for (why, strange) in why.iter_mut().zip(&strangers) {
        if *strange {
            why.get_or_insert(Why::Foreign);
        }
    }
    if islands.len() < 2 || why.iter().all(Option::is_none) {
        return Ok((heard, Vec::new()));
    }
    let mut again: Vec<Option<Alone>> = Vec::with_capacity(islands.len());
    let mut languages = vec![ask.language; islands.len()];
    for (i, island) in islands.iter().enumerate() {
        let strange = strangers[i];
        let found = why[i].map(|why| looked.hear_alone(session, island, (why, strange), ask, stop));
        let found = found.transpose()?.flatten();
        again.push(found.map(|(alone, language)| {
            languages[i] = if alone.believed { language } else { ask.language };
            // Of words in the wrong language Whisper may well be surer.
            if strange && languages[i] != ask.language {
                why[i] = Some(Why::Foreign);
            }
            alone
        }));
    }
    // A line goes on in the language of the part beside it.
    for i in 0..islands.len() {
        let beside = [i.checked_sub(1), Some(i + 1)].into_iter().flatten().filter_map(|j| languages.get(j));
        let foreign = beside.copied().find(|language| *language != ask.language);
        if let (Some(language), Some(false)) = (foreign, again[i].as_ref().map(|alone| alone.believed)) {
            let ask = Ask { language, beam: CAREFUL_BEAM, ..ask.clone() };
            let alone = alone::hear(session, looked.sound, &islands[i].place, &ask, stop)?;
            again[i] = if alone.believed { Some(alone) } else { again[i].take() };
        }
    }
    // Another look in another language has nothing to say.
    let mut other = looked.parted(looked.other.to_vec());
    let foreign = other.iter_mut().zip(&languages).filter(|(_, language)| **language != ask.language);
    foreign.for_each(|(other, _)| other.words.clear());
    let words = put_together(&islands, &why, &again, &other);
    let avg_logprob = if words.is_empty() { 0.0 } else { surety(&words).max(heard.avg_logprob) };
    let looked_at =
        islands.iter().zip(&again).filter(|(_, again)| again.is_some()).map(|(i, _)| i.place.clone());
    Ok((Heard { words, avg_logprob, ..heard }, looked_at.collect()))
}

/// Of each part the words that were heard of it by itself, or among its neighbours.
fn put_together(
    islands: &[Island],
    why: &[Option<Why>],
    again: &[Option<Alone>],
    other: &[Island],
) -> Vec<Word> {
    let other = |i: usize| other.get(i).map_or(&[][..], |island| &island.words);
    let better: Vec<bool> = (0..islands.len())
        .map(|i| again[i].as_ref().is_some_and(|alone| replaces(alone, &islands[i].words, why[i], other(i))))
        .collect();
    // What its neighbours say themselves; and where by itself there is nothing, what went on in a neighbour that is whole.
    let gone: Vec<bool> = (0..islands.len())
        .map(|i| {
            let Some(alone) = again[i].as_ref().filter(|_| !better[i]) else { return false };
            let beside = i > 0 && better[i - 1] || better.get(i + 1).is_some_and(|better| *better);
            let nothing = alone.words.is_empty() || guard::is_humming(&alone.words);
            let went_on = why[i] == Some(Why::Linked) && beside && nothing;
            went_on || theirs(&islands[i].words, again, i)
        })
        .collect();
    let mut words: Vec<Word> = Vec::new();
    let mut was_alone = false;
    for (i, island) in islands.iter().enumerate() {
        let says = |alone: &Alone| {
            alone.believed && (0..islands.len()).any(|j| gone[j] && has_any(&alone.words, &islands[j].words))
        };
        let is_alone = again[i].as_ref().is_some_and(|alone| better[i] || says(alone));
        let mut here = match &again[i] {
            Some(alone) if is_alone => alone.words.clone(),
            // What sounds like humming by itself has no words that take so long.
            Some(alone) if why[i] == Some(Why::Slow) && guard::is_humming(&alone.words) => Vec::new(),
            Some(_) if gone[i] => Vec::new(),
            _ => island.words.clone(),
        };
        if is_alone != was_alone && i > 0 {
            let twice = said_twice(&words, &here);
            // What was on both sides from the first was said on both.
            let before = said_twice(&islands[i - 1].words, &island.words);
            let twice = if before < twice { twice } else { 0 };
            match is_alone {
                true => words.truncate(words.len() - twice),
                false => drop(here.drain(..twice)),
            }
        }
        words.append(&mut here);
        was_alone = is_alone;
    }
    words
}

/// How many words at the end of some are those at the beginning of others.
fn said_twice(before: &[Word], behind: &[Word]) -> usize {
    let most = before.len().min(behind.len()).min(SEAM);
    let before = guard::plain_words(&before[before.len() - most..]);
    let behind = guard::plain_words(&behind[..most]);
    (1..=most).rev().find(|n| before[most - n..] == behind[..*n]).unwrap_or(0)
}

/// Which parts are to be heard again: those that do not fit, and those that share a sentence with one of them.
fn doubts(islands: &[Island], language: Language) -> Vec<Option<Why>> {
    let mut why: Vec<Option<Why>> = (0..islands.len()).map(|i| doubt(islands, i, language)).collect();
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

fn doubt(islands: &[Island], i: usize, language: Language) -> Option<Why> {
    let island = &islands[i];
    if island.words.is_empty() {
        return None;
    }
    let empty = |j: Option<usize>| {
        j.and_then(|j| islands.get(j)).is_some_and(|other| other.words.is_empty() && other.is_rated())
    };
    if island.is_slow(language) {
        Some(Why::Slow)
    } else if island.is_fast(language) && (empty(i.checked_sub(1)) || empty(Some(i + 1))) {
        Some(Why::Fast)
    } else if island.spoken_ms >= TELLING_MS && surety(&island.words) < UNSURE {
        Some(Why::Unsure)
    } else {
        None
    }
}

/// The mean log probability of the words.
pub(super) fn surety(words: &[Word]) -> f32 {
    words.iter().map(|w| w.p.max(1e-4).ln()).sum::<f32>() / words.len().max(1) as f32
}

/// Whether what was heard of a part by itself stands for what was heard of it among its neighbours. `other` is what
/// another look had there: of two unsure ones, what was heard twice is more.
fn replaces(alone: &Alone, before: &[Word], why: Option<Why>, other: &[Word]) -> bool {
    let surer = || {
        let twice = agreement(before, other) - agreement(&alone.words, other);
        twice < TWICE && surety(&alone.words) > surety(before) && !leaves_out(&alone.words, before)
    };
    alone.believed && (why != Some(Why::Unsure) || surer()) && !guard::is_stock(&alone.words)
}

/// Whether some words leave out a sentence of others: who leaves out what is hard to hear is surer of the rest.
fn leaves_out(words: &[Word], of: &[Word]) -> bool {
    let ends = |words: &[Word]| Some((words.first()?.start_ms, words.last()?.end_ms));
    let Some(((start, end), (of_start, of_end))) = ends(words).zip(ends(of)) else { return false };
    start - of_start > LEFT_OUT_MS || of_end - end > LEFT_OUT_MS
}

/// Whether one of some words is among others.
fn has_any(words: &[Word], of: &[Word]) -> bool {
    let of = guard::plain_words(of);
    words.iter().any(|w| of.contains(&w.plain()))
}

/// Whether the words of a part, the one of that number, are said, by themselves, in other parts of the window.
fn theirs(mine: &[Word], again: &[Option<Alone>], number: usize) -> bool {
    let others =
        again.iter().enumerate().filter(|(i, _)| *i != number).filter_map(|(_, alone)| alone.as_ref());
    let believed = others.filter(|alone| alone.believed).flat_map(|alone| &alone.words);
    let said: Vec<String> = believed.map(|w| w.plain()).collect();
    let mine = guard::plain_words(mine);
    let found = mine.iter().filter(|w| said.contains(w)).count();
    found as f32 >= THEIRS * mine.len() as f32 || said.concat().contains(&mine.concat())
}

#[cfg(test)]
#[path = "islands_tests.rs"]
mod tests;
