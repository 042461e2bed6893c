//! A window as it was looked at, and its parts: what stands apart in the film, or is in another language than what is beside
//! it. Knows nothing of threads, queues or models, nor what is to be done about a part.

use super::hear::{Spoken, TELLING_MS};
use crate::audio::PER_MS;
use crate::audio::windows::Span;
use crate::engine::{Error, Session, Sound};
use crate::language::Language;
use crate::subtitle::Word;
use std::ops::Range;

/// A silence of the film from which on two parts stand apart.
const APART: i64 = 1_000 * PER_MS;
/// Letters in a second of speech: nobody speaks slower or faster for long; in scripts without spaces a letter is a syllable.
const SLOWEST: f32 = 6.5;
const FASTEST: f32 = 20.0;
const UNSPACED: f32 = 0.35;
/// Less speech has no rate.
const RATED_MS: i64 = 800;
/// Odds of the window's language below which a part may be in another.
const STRANGE: f32 = 0.1;

/// One part.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Island {
    /// From the first to the last speech, in samples of the window.
    pub place: Range<i64>,
    pub spoken_ms: i64,
    pub words: Vec<Word>,
}

impl Island {
    /// Letters in a second.
    fn rate(&self) -> f32 {
        let letters: usize = self.words.iter().map(|w| w.plain().chars().count()).sum();
        letters as f32 * 1000.0 / self.spoken_ms.max(1) as f32
    }

    /// Whether there is speech enough to have a rate.
    pub fn is_rated(&self) -> bool {
        self.spoken_ms >= RATED_MS
    }

    /// Too few letters for the time.
    pub fn is_slow(&self, language: Language) -> bool {
        self.is_rated() && self.rate() < SLOWEST * scale(language)
    }

    /// Too many letters for the time.
    pub fn is_fast(&self, language: Language) -> bool {
        self.rate() > FASTEST * scale(language)
    }
}

/// How many letters a language has for what others say in one.
fn scale(language: Language) -> f32 {
    if language.is_unspaced() { UNSPACED } else { 1.0 }
}

/// A window as it was looked at.
#[derive(Clone, Copy)]
pub(super) struct Looked<'a> {
    pub sound: Sound<'a>,
    /// In samples of the film; `sound.speech` has the same in samples of the window.
    pub speech: &'a [Span],
    pub spoken: Spoken,
    /// The language of most of the film.
    pub usual: Language,
    /// The language of each stretch of speech (`tongues`); none where nothing was told.
    pub tongues: &'a [Language],
    /// Which of the parts that stand apart seem to be in another language than the window ([`Looked::strangers`]).
    pub strangers: &'a [bool],
    /// What another look at it gave, which was not better.
    pub other: &'a [Word],
}

impl Looked<'_> {
    /// The words of the window, parted: by silences, and where the language changes.
    pub fn parted(&self, words: Vec<Word>) -> Vec<Island> {
        split(words, self.sound.speech, self.speech, self.tongues)
    }

    /// The places of the parts that stand apart, whatever language they are in.
    pub fn apart(&self) -> Vec<Range<i64>> {
        let islands = split(Vec::new(), self.sound.speech, self.speech, &[]);
        islands.into_iter().map(|island| island.place).collect()
    }

    /// Which parts seem to be in another language, where that may be: Whisper writes them in the window's, and is sure of it.
    pub fn strangers(&self, session: &mut dyn Session, language: Language) -> Result<Vec<bool>, Error> {
        let islands = self.parted(Vec::new());
        let mut strange = vec![false; islands.len()];
        if self.spoken == Spoken::Told || islands.len() < 2 {
            return Ok(strange);
        }
        let telling: Vec<usize> =
            (0..islands.len()).filter(|&i| islands[i].spoken_ms >= TELLING_MS).collect();
        let places: Vec<Range<i64>> = telling.iter().map(|&i| islands[i].place.clone()).collect();
        for (i, odds) in telling.into_iter().zip(session.detect_parts(self.sound, &places)?) {
            strange[i] = odds.of(language) < STRANGE;
        }
        Ok(strange)
    }

    /// Which of the islands are in another language, as far as is known.
    pub fn are_strange(&self, islands: &[Island], language: Language) -> Vec<bool> {
        let parts = self.apart();
        let is_strange = |island: &Island| {
            let first = self.sound.speech.iter().position(|stretch| stretch.start == island.place.start);
            let is_other =
                first.and_then(|first| self.tongues.get(first)).is_some_and(|tongue| *tongue != language);
            // What was told of a part that has been parted further says nothing of the pieces.
            let part = parts.iter().position(|place| *place == island.place);
            is_other || part.and_then(|part| self.strangers.get(part)).is_some_and(|strange| *strange)
        };
        islands.iter().map(is_strange).collect()
    }

    /// How many parts would have no words, or too few for their time.
    pub fn gaps(&self, words: &[Word], language: Language) -> usize {
        let islands = self.parted(words.to_vec());
        islands.iter().filter(|island| island.words.is_empty() || island.is_slow(language)).count()
    }
}

/// The words and the speech, parted where the film is silent for long or the language changes.
fn split(words: Vec<Word>, inside: &[Range<i64>], film: &[Span], tongues: &[Language]) -> Vec<Island> {
    let mut islands: Vec<Island> = Vec::new();
    if inside.len() != film.len() {
        return islands;
    }
    let is_one = |i: usize| film[i].start - film[i - 1].end < APART && tongues.get(i) == tongues.get(i - 1);
    for (i, place) in inside.iter().enumerate() {
        let spoken_ms = (place.end - place.start) / PER_MS;
        match islands.last_mut() {
            Some(last) if is_one(i) => {
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
