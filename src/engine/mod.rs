//! Speech recognition as a door: samples in, words out. Knows nothing of jobs, files, windows of a film or subtitles.
//!
//! `whisper`, `own`, `trial`, `kernels`, `voice` and the encoder's `seat` and `weights` alone know whisper_rs. Times in here
//! are milliseconds from the first sample given.

mod align;
mod collect;
mod decoder;
pub mod encoder;
mod kernels;
mod mel;
mod own;
mod pages;
mod pass;
mod prompt;
pub mod scripted;
mod times;
mod trial;
pub mod voice;
pub mod whisper;
mod words;

pub use kernels::{Kernels, gpus, has_gpu, ours};
pub use trial::Trial;

use crate::job::Task;
use crate::language::Language;
use crate::subtitle::Word;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// What to make of the samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The language spoken.
    pub language: Language,
    pub task: Task,
    /// Beams to follow; 1 is greedy.
    pub beam: u32,
    /// What will be asked for next if this is in doubt, when all else stays the same.
    pub beside: Option<Beside>,
    pub context: Context,
    /// What was said before, as it were; [`Session::fitting`] has cut it.
    pub prompt: Option<String>,
    /// Where the decoder is unsure it rolls dice, hotter each time: finds words in bad
    /// sound, and in no speech at all.
    pub dice: bool,
}

/// Another search beside a greedy one, over the same sound at the same time: much cheaper than one after the other where an
/// engine can do it. When it is then asked for it is there already.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    pub beams: u32,
    /// It is begun where the first is less sure than this, in mean log probability.
    pub below: f32,
}

/// A tensor in a model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    /// ggml's number of the type of its values.
    pub ggml_type: u32,
    /// Lengths of its sides, outermost first.
    pub shape: Vec<usize>,
    /// Its bytes in the file.
    pub place: Range<usize>,
}

/// How much of its 30 s the encoder looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// As much as there is sound, at least 10 s: what lies behind the sound costs time and tells nothing.
    Fitted,
    /// 20 s for what is not longer, else all of it: nearly as steady as the whole on short sounds.
    Ample,
    /// All of it, as the model was trained: slower, steadier on short sounds.
    Whole,
}

impl Context {
    /// The next larger one.
    pub fn wider(self) -> Context {
        match self {
            Context::Fitted => Context::Ample,
            Context::Ample | Context::Whole => Context::Whole,
        }
    }
}

/// Samples with what the voice detector heard in them.
#[derive(Debug, Clone, Copy)]
pub struct Sound<'a> {
    /// 16 kHz mono, at most 30 s.
    pub samples: &'a [f32],
    /// Stretches of speech in sample numbers, ascending.
    pub speech: &'a [Range<i64>],
}

/// What was understood.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    pub words: Vec<Word>,
    /// Whisper's probability that nobody speaks, the highest of the passes, 0 to 1; None from an engine that cannot tell.
    pub no_speech: Option<f32>,
    /// Mean log probability of the tokens; 0 without any.
    pub avg_logprob: f32,
    /// How much the decoder listened to where the words are said, while it wrote them: 1.4 to 2.2 where somebody says three
    /// words or more, below 1 where they are made up. None without words, and from an engine that cannot tell.
    pub listened: Option<f32>,
}

/// Languages with their odds, best first; the odds of all languages sum to 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LanguageOdds(pub Vec<(Language, f32)>);

impl LanguageOdds {
    /// The mean of several samples' odds, each weighed by its length.
    pub fn mean(parts: &[(LanguageOdds, f32)]) -> LanguageOdds {
        let whole: f32 = parts.iter().map(|(_, weight)| weight).sum();
        let mut sums: Vec<(Language, f32)> = Vec::new();
        for (odds, weight) in parts {
            for (language, p) in &odds.0 {
                match sums.iter_mut().find(|(l, _)| l == language) {
                    Some((_, sum)) => *sum += p * weight / whole,
                    None => sums.push((*language, p * weight / whole)),
                }
            }
        }
        sums.sort_by(|a, b| b.1.total_cmp(&a.1));
        LanguageOdds(sums)
    }

    /// Those of one language, 0 to 1.
    pub fn of(&self, language: Language) -> f32 {
        self.0.iter().find(|(l, _)| *l == language).map_or(0.0, |(_, p)| *p)
    }

    pub fn best(&self) -> Option<(Language, f32)> {
        self.0.first().copied()
    }

    /// Whether samples of `rest` more, of whatever language, could not change which is the best of all.
    pub fn is_settled(parts: &[(LanguageOdds, f32)], rest: f32) -> bool {
        let told: f32 = parts.iter().map(|(_, weight)| weight).sum();
        let mean = LanguageOdds::mean(parts);
        let at = |i: usize| mean.0.get(i).map_or(0.0, |(_, p)| *p);
        (at(0) - at(1)) * told > rest
    }
}

/// Why nothing was understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller raised the stop flag.
    #[error("stopped")]
    Stopped,
    #[error("the model {0} cannot be loaded: {1}")]
    Load(String, String),
    #[error("there is not enough memory for another session: use fewer workers or a smaller model ({0})")]
    Session(String),
    #[error("the engine failed: {0}")]
    Failed(String),
    #[error("{0}")]
    Unable(String),
}

/// A set of weights that sessions share.
pub trait Engine: Send + Sync {
    fn session(&self) -> Result<Box<dyn Session>, Error>;
}

/// One decoder's state; owned by one thread.
pub trait Session: Send {
    /// Writes down what is said; ends early with [`Error::Stopped`] when `stop` is raised.
    fn transcribe(&mut self, sound: Sound<'_>, ask: &Ask, stop: &AtomicBool) -> Result<Heard, Error>;

    /// Tells the language of the samples.
    fn detect(&mut self, sound: Sound<'_>) -> Result<LanguageOdds, Error>;

    /// Tells the language of each of some parts of the samples.
    fn detect_parts(&mut self, sound: Sound<'_>, parts: &[Range<i64>]) -> Result<Vec<LanguageOdds>, Error> {
        let of = |part: &Range<i64>| {
            let end = (part.end.max(0) as usize).min(sound.samples.len());
            &sound.samples[(part.start.max(0) as usize).min(end)..end]
        };
        parts.iter().map(|part| self.detect(Sound { samples: of(part), speech: &[] })).collect()
    }

    /// Whether it tells the language of many parts as easily as that of one.
    fn tells_parts_at_once(&self) -> bool {
        false
    }

    /// As much of the end of a prompt as there is room for, in whole words.
    fn fitting<'p>(&self, prompt: &'p str) -> &'p str {
        prompt
    }
}

#[cfg(test)]
mod tests {
    use super::{Language, LanguageOdds};

    #[test]
    fn a_language_is_settled_when_no_rest_could_change_it() {
        let odds = |english: f32| {
            LanguageOdds::mean(&[(
                LanguageOdds(vec![(Language::ENGLISH, english), ("ja".parse().unwrap(), 1.0 - english)]),
                1.0,
            )])
        };
        let check = |parts: &[(f32, f32)], rest: f32, expected: bool| {
            let parts: Vec<_> = parts.iter().map(|&(p, weight)| (odds(p), weight)).collect();
            assert_eq!(LanguageOdds::is_settled(&parts, rest), expected, "{parts:?}, {rest}");
            let best = LanguageOdds::mean(&parts).best().map(|(l, _)| l);
            // The rest speaks for the other with all its weight.
            let against = if best == Some(Language::ENGLISH) { 0.0 } else { 1.0 };
            let all: Vec<_> = parts.into_iter().chain([(odds(against), rest)]).collect();
            assert_eq!(LanguageOdds::mean(&all).best().map(|(l, _)| l) == best, expected);
        };
        check(&[(0.95, 25.0)], 20.0, true);
        check(&[(0.85, 25.0)], 20.0, false);
        check(&[(0.95, 20.0)], 40.0, false);
        check(&[(0.95, 20.0), (0.9, 20.0)], 20.0, true);
        check(&[(0.1, 20.0), (0.9, 20.0)], 20.0, false);
        check(&[(0.1, 20.0), (0.2, 20.0)], 20.0, true);
        assert!(!LanguageOdds::is_settled(&[], 1.0));
    }
}
