//! A session on CPU: our encoder and our decoder. Knows nothing of windows of a film; of whisper.cpp it takes the numbers
//! of languages alone, and what reads its weights that of ggml's types.

use super::collect::collect;
use super::decoder::search::{Search, in_line};
use super::decoder::vocabulary::Vocabulary;
use super::decoder::{Decoder, Desk, Next, Rules, Said as Nodes, Sound as Attended};
use super::encoder::{self, Encoder};
use super::mel::Mel;
use super::pass::{PER_MS, PER_POSITION, Pass, able, context, most_tokens, passes, positions};
use super::whisper::as_prompt;
use super::{Ask, Error, Heard, LanguageOdds, Part, Session, Sound, pages, prompt};
use crate::job::Task;
use crate::language::Language;
use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Searches that went beside others and are kept: those of a window and of its tails, looked at with and without a prompt.
const KEPT: usize = 10;

/// What all sessions of a model share.
pub struct Model {
    encoder: Encoder,
    pub(super) decoder: Decoder,
    rules: Rules,
    mel: Mel,
}

impl Model {
    /// As [`super::whisper::Whisper::load`].
    pub(super) fn open(path: &Path, parts: Vec<Part>) -> Result<Model, Error> {
        let encoder = Encoder::open(path, parts.clone())?;
        let decoder = Decoder::open(path, parts)?;
        let rules = Rules::new(&decoder.vocabulary, decoder.has_stamps());
        let mel = Mel::new(&encoder.mel_filters()?);
        Ok(Model { encoder, decoder, rules, mel })
    }
}

/// One session.
pub struct Own {
    model: Arc<Model>,
    /// The hash of what was encoded last: a sound is often looked at again, for its language or with more beams.
    last: Option<blake3::Hash>,
    /// What was found beside other searches, by what was looked for.
    beside: VecDeque<(blake3::Hash, Pass)>,
    attended: Attended,
    nodes: Nodes,
    desk: Desk,
}

impl Own {
    pub fn new(model: Arc<Model>) -> Own {
        Own {
            model,
            last: None,
            beside: VecDeque::new(),
            attended: Attended::default(),
            nodes: Nodes::default(),
            desk: Desk::default(),
        }
    }

    /// Makes ready what is attended to of the samples, over so many positions.
    pub fn encode(&mut self, samples: &[f32], positions: usize, stop: &AtomicBool) -> Result<(), Error> {
        self.encode_as(hash_of(samples, positions), samples, positions, stop)
    }

    /// As [`Own::encode`], of a sound whose hash is known.
    fn encode_as(
        &mut self,
        sound: blake3::Hash,
        samples: &[f32],
        positions: usize,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        if self.last == Some(sound) {
            return Ok(());
        }
        self.last = None;
        // The encoder needs as much, and a session never has both.
        (self.nodes, self.attended) = (Nodes::default(), Attended::default());
        let model = self.model.clone();
        let frames = 2 * positions;
        let mel = model.mel.frames(samples, frames);
        let mut rows = Vec::new();
        pages::resize(&mut rows, positions * model.encoder.width(), 0.0);
        let stopped = || stop.load(Ordering::Relaxed);
        model.encoder.run(&mel, frames, &mut rows, stopped)?;
        drop(mel);
        if stopped() {
            return Err(Error::Stopped);
        }
        model.decoder.attend(&rows, &mut self.attended)?;
        self.last = Some(sound);
        drop(rows);
        encoder::seat::give_back();
        Ok(())
    }

    /// What is thought of every token behind a text.
    pub fn opinion(&mut self, text: &[u32]) -> Vec<f32> {
        self.nodes.clear();
        let mut logits = Vec::new();
        let (nodes, desk) = (&mut self.nodes, &mut self.desk);
        self.model.decoder.step(&self.attended, nodes, &in_line(text), &[text.len() - 1], desk, &mut logits);
        logits
    }

    fn pass(&mut self, samples: &[f32], ask: &Ask, stop: &AtomicBool) -> Result<Pass, Error> {
        let model = self.model.clone();
        let vocabulary = &model.decoder.vocabulary;
        let mut before = Vec::new();
        if let Some(prompt) = &ask.prompt {
            let tokens = vocabulary.tokens(&as_prompt(prompt));
            let room = model.decoder.context() / 2 - 1;
            before.push(vocabulary.previous);
            before.extend(&tokens[tokens.len().saturating_sub(room)..]);
        }
        let start = before.len();
        before.push(vocabulary.start);
        if vocabulary.is_multilingual() {
            let language = language_number(ask.language).filter(|number| *number < vocabulary.languages);
            let language = language.ok_or_else(|| unknown(ask.language))?;
            before.push(vocabulary.start + 1 + language);
            before.push(match ask.task {
                Task::Translate => vocabulary.translate,
                Task::Transcribe => vocabulary.transcribe,
            });
        }
        if !model.decoder.has_stamps() {
            before.push(vocabulary.first_stamp - 1);
        }
        let sound_ms = samples.len() as i64 / PER_MS;
        let most = most_tokens(samples.len()).min(model.decoder.context() / 2 - 4);
        let context = context(ask.context, samples.len());
        let sound = hash_of(samples, context);
        let key = |beams: u32| {
            let mut hash = blake3::Hasher::new();
            hash.update(sound.as_bytes()).update(bytemuck::cast_slice(&before));
            hash.update(&beams.to_le_bytes()).update(&[u8::from(ask.dice)]).finalize()
        };
        let beams = ask.beam.max(1);
        let beside = ask.beside.filter(|beside| beams == 1 && beside.beams > 1);
        let search = Search { before: &before, start, beams, beside, dice: ask.dice, sound_ms, most };
        if let Some(found) = self.found_beside(key(beams)) {
            return Ok(found);
        }
        self.encode_as(sound, samples, context, stop)?;
        let room = (&mut self.nodes, &mut self.desk);
        let (found, other) = model.decoder.search(&model.rules, &self.attended, &search, room, stop)?;
        if let (Some(other), Some(beside)) = (other, beside) {
            self.beside.truncate(KEPT - 1);
            self.beside.push_front((key(beside.beams), collect(&other, vocabulary, samples, ask)));
        }
        Ok(collect(&found, vocabulary, samples, ask))
    }

    fn found_beside(&mut self, key: blake3::Hash) -> Option<Pass> {
        let at = self.beside.iter().position(|(of, _)| *of == key)?;
        self.beside.remove(at).map(|(_, found)| found)
    }
}

/// Of a sound that is looked at over so many positions.
fn hash_of(samples: &[f32], positions: usize) -> blake3::Hash {
    let mut hash = blake3::Hasher::new();
    hash.update(bytemuck::cast_slice(samples)).update(&positions.to_le_bytes());
    hash.finalize()
}

impl Session for Own {
    fn transcribe(&mut self, sound: Sound<'_>, ask: &Ask, stop: &AtomicBool) -> Result<Heard, Error> {
        able(self.model.decoder.vocabulary.is_multilingual(), ask)?;
        passes(sound, ask, |samples| self.pass(samples, ask, stop))
    }

    fn fitting<'p>(&self, prompt: &'p str) -> &'p str {
        // Half of the decoder's context, less the token that says what this is.
        let room = self.model.decoder.context() / 2 - 1;
        prompt::fitting(prompt, room, |text| {
            Some(self.model.decoder.vocabulary.tokens(&as_prompt(text)).len())
        })
    }

    fn detect(&mut self, sound: Sound<'_>) -> Result<LanguageOdds, Error> {
        let model = self.model.clone();
        let vocabulary = &model.decoder.vocabulary;
        if !vocabulary.is_multilingual() {
            return Ok(LanguageOdds(vec![(Language::ENGLISH, 1.0)]));
        }
        let never = AtomicBool::new(false);
        self.encode(sound.samples, positions(sound.samples.len()), &never)?;
        Ok(odds(&self.opinion(&[vocabulary.start]), vocabulary))
    }

    fn tells_parts_at_once(&self) -> bool {
        true
    }

    /// The sound is encoded once, and each part told by what the decoder hears when it attends to nothing else.
    fn detect_parts(&mut self, sound: Sound<'_>, parts: &[Range<i64>]) -> Result<Vec<LanguageOdds>, Error> {
        let model = self.model.clone();
        let vocabulary = &model.decoder.vocabulary;
        if !vocabulary.is_multilingual() || parts.is_empty() {
            return parts.iter().map(|_| self.detect(sound)).collect();
        }
        let all = positions(sound.samples.len());
        self.encode(sound.samples, all, &AtomicBool::new(false))?;
        let at = |sample: i64| sample as usize / PER_POSITION;
        let place = |part: &Range<i64>| {
            let start = at(part.start).min(all - 1);
            start..at(part.end).clamp(start + 1, all)
        };
        self.attended.attend_to(parts.iter().map(place).collect());
        let next: Vec<Next> =
            parts.iter().map(|_| Next { token: vocabulary.start, path: Vec::new() }).collect();
        let wanted: Vec<usize> = (0..next.len()).collect();
        let mut logits = Vec::new();
        self.nodes.clear();
        let (nodes, desk) = (&mut self.nodes, &mut self.desk);
        model.decoder.step(&self.attended, nodes, &next, &wanted, desk, &mut logits);
        self.attended.attend_to(Vec::new());
        Ok(logits.chunks_exact(logits.len() / next.len()).map(|row| odds(row, vocabulary)).collect())
    }
}

/// The odds of the languages, of what is thought of every token behind the first.
fn odds(logits: &[f32], vocabulary: &Vocabulary) -> LanguageOdds {
    let first = vocabulary.start as usize + 1;
    let mut odds = logits[first..first + vocabulary.languages as usize].to_vec();
    let all = odds.len();
    encoder::math::soft_max(&mut odds, all, 1.0);
    let known = odds.iter().enumerate().filter_map(|(id, p)| Some((language_of(id)?, *p)));
    let mut known: Vec<(Language, f32)> = known.collect();
    known.sort_by(|a, b| b.1.total_cmp(&a.1));
    LanguageOdds(known)
}

fn language_number(language: Language) -> Option<u32> {
    u32::try_from(whisper_rs::get_lang_id(language.whisper_code())?).ok()
}

fn unknown(language: Language) -> Error {
    Error::Unable(format!("this model does not know {language}: use large-v3, or a model made of it"))
}

fn language_of(id: usize) -> Option<Language> {
    whisper_rs::get_lang_str(id as i32)?.parse().ok()
}
