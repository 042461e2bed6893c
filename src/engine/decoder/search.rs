//! The way through the tokens: the likeliest one at each step, or some beams side by side. Knows nothing of words.

use super::rules::{Choice, Rules};
use super::vocabulary::Vocabulary;
use super::{Decoder, Desk, Next, Said, Sound};
use crate::engine::Error;
use crate::engine::encoder::math::soft_max;
use crate::engine::pass::SPEECHLESS;
use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stamp so close to the end of the sound ends the text.
const NEAR_END_MS: i64 = 100;
/// A text with a mean log probability below this is tried again with dice, and so is one whose last tokens are too much
/// alike (in nats; whisper.cpp's limits). Where nobody seems to speak an improbable text is none.
const UNSURE: f32 = -1.0;
const ALIKE: f32 = 2.4;
const ALIKE_OVER: usize = 32;
/// So many tokens that are one or two are a loop.
const STUCK_OVER: usize = 20;
/// From this temperature on the prompt is left out.
const UNPROMPTED: f32 = 0.5;
/// Temperatures of the dice.
const HEATS: [f32; 3] = [0.2, 0.5, 0.8];

/// What to look for.
pub(in crate::engine) struct Search<'a> {
    /// What stands before the text: a prompt, and what the text is to be.
    pub before: &'a [u32],
    /// Which of those is the start of the text.
    pub start: usize,
    pub beams: usize,
    pub dice: bool,
    pub sound_ms: i64,
    /// No more tokens than these.
    pub most: usize,
}

/// What was found.
#[derive(Debug, Default)]
pub(in crate::engine) struct Found {
    /// Text and stamps.
    pub text: Vec<Choice>,
    /// The probability that nobody speaks, as it stands behind the start.
    pub no_speech: f32,
}

/// A text in the making.
#[derive(Clone)]
struct Beam {
    /// The end is a part of it.
    text: Vec<Choice>,
    path: Vec<u32>,
    sum: f32,
    /// It ended in the same tokens over and over.
    loops: bool,
}

impl Beam {
    fn mean(&self) -> f32 {
        self.sum / self.text.len().max(1) as f32
    }

    /// The better is the greater. What goes round in circles is sure of itself: anything else is better.
    fn compare(&self, other: &Beam) -> Order {
        other.loops.cmp(&self.loops).then(self.mean().total_cmp(&other.mean()))
    }
}

/// Tokens one behind the other, from the first node on.
pub(in crate::engine) fn in_line(tokens: &[u32]) -> Vec<Next> {
    tokens.iter().zip(0..).map(|(&token, at)| Next { token, path: (0..at).collect() }).collect()
}

impl Decoder {
    /// Finds the text of a sound. Fails only when `stop` is raised.
    pub fn search(
        &self,
        rules: &Rules,
        sound: &Sound,
        ask: &Search<'_>,
        (said, desk): (&mut Said, &mut Desk),
        stop: &AtomicBool,
    ) -> Result<Found, Error> {
        said.clear();
        let mut logits = Vec::new();
        let wanted = [ask.start, ask.before.len() - 1];
        self.step(sound, said, &in_line(ask.before), &wanted, desk, &mut logits);
        let all = logits.len() / 2;
        let (at_start, first) = logits.split_at_mut(all);
        soft_max(at_start, all, 1.0);
        let no_speech = at_start[self.vocabulary.no_speech as usize];
        let mut first = first.to_vec();
        let mut begin = said.nodes();
        // Where nobody speaks dice find something all the same.
        let heats = if ask.dice && no_speech <= SPEECHLESS { &HEATS[..] } else { &[] };
        let mut best: Option<Beam> = None;
        let mut prompted = ask.start > 0;
        for heat in std::iter::once(0.0).chain(heats.iter().copied()) {
            if prompted && heat >= UNPROMPTED {
                // What is wrong may be the prompt's doing.
                prompted = false;
                said.clear();
                let bare = &ask.before[ask.start..];
                self.step(sound, said, &in_line(bare), &[bare.len() - 1], desk, &mut first);
                begin = said.nodes();
            }
            said.nodes = begin;
            let found = self.run(rules, sound, ask, first.clone(), heat, (said, desk), stop)?;
            let done = !found.loops && found.mean() >= UNSURE;
            if best.as_ref().is_none_or(|best| found.compare(best).is_gt()) {
                best = Some(found);
            }
            if done {
                break;
            }
        }
        let mut text =
            best.filter(|best| no_speech <= SPEECHLESS || best.mean() >= UNSURE).map(|beam| beam.text);
        if let Some(text) = &mut text {
            text.retain(|c| c.id != self.vocabulary.end);
        }
        Ok(Found { text: text.unwrap_or_default(), no_speech })
    }

    #[expect(clippy::too_many_arguments, reason = "one search in two functions")]
    fn run(
        &self,
        rules: &Rules,
        sound: &Sound,
        ask: &Search<'_>,
        mut logits: Vec<f32>,
        heat: f32,
        (said, desk): (&mut Said, &mut Desk),
        stop: &AtomicBool,
    ) -> Result<Beam, Error> {
        let before = (0..said.nodes() as u32).collect();
        let mut beams = vec![Beam { text: Vec::new(), path: before, sum: 0.0, loops: false }];
        let mut ended: Vec<Beam> = Vec::new();
        let wanted = if heat > 0.0 { 1 } else { ask.beams };
        let mut dice = Dice(1);
        for length in 1.. {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let mut ways: Vec<(usize, Choice, f32)> = Vec::new();
            let rows = logits.chunks_exact_mut(self.vocabulary.count as usize);
            for (i, (beam, row)) in beams.iter().zip(rows).enumerate() {
                let mut best = rules.choices(&self.vocabulary, row, &beam.text, wanted, heat);
                if heat > 0.0 {
                    dice.take(&mut best, row, &self.vocabulary);
                }
                ways.extend(best.into_iter().map(|c| (i, c, beam.sum + c.p.max(1e-30).ln())));
            }
            ways.sort_by(|a, b| b.2.total_cmp(&a.2));
            let mut going = Vec::with_capacity(wanted);
            for (rank, (from, choice, sum)) in ways.into_iter().enumerate() {
                if going.len() == wanted {
                    break;
                }
                // That nothing is said ends a search only where nothing is more probable: it is short, and looks good
                // beside any longer text.
                let has_text = || beams[from].text.iter().any(|c| c.id < self.vocabulary.end);
                if rank > 0 && choice.id == self.vocabulary.end && !has_text() {
                    continue;
                }
                let mut beam = beams[from].clone();
                beam.sum = sum;
                beam.text.push(choice);
                let at_end = self.vocabulary.is_stamp(choice.id)
                    && beam.text.len() > 1
                    && self.vocabulary.stamp_ms(choice.id) + NEAR_END_MS >= ask.sound_ms;
                let done = choice.id == self.vocabulary.end || at_end || is_stuck(&beam.text);
                if done || length >= ask.most {
                    ended.push(beam);
                } else {
                    going.push(beam);
                }
            }
            if ended.len() >= wanted || going.is_empty() {
                break;
            }
            beams = going;
            let next: Vec<Next> = beams
                .iter()
                .map(|beam| Next { token: beam.text[length - 1].id, path: beam.path.clone() })
                .collect();
            let node = said.nodes() as u32;
            let rows: Vec<usize> = (0..next.len()).collect();
            self.step(sound, said, &next, &rows, desk, &mut logits);
            beams.iter_mut().zip(node..).for_each(|(beam, node)| beam.path.push(node));
        }
        if ended.is_empty() {
            ended = beams;
        }
        for beam in &mut ended {
            beam.loops = is_looping(&beam.text, &self.vocabulary);
        }
        // There is one at least: each beam that does not go on has ended.
        ended.into_iter().max_by(Beam::compare).ok_or_else(|| Error::Failed("a search without a beam".into()))
    }
}

/// The last tokens are one or two, over and over: nothing else comes any more.
fn is_stuck(text: &[Choice]) -> bool {
    let Some(last) = text.last_chunk::<STUCK_OVER>() else { return false };
    let other = last.iter().find(|c| c.id != last[0].id).map(|c| c.id);
    last.iter().all(|c| c.id == last[0].id || Some(c.id) == other)
}

/// The last tokens are too much alike.
fn is_looping(text: &[Choice], vocabulary: &Vocabulary) -> bool {
    let words: Vec<u32> = text.iter().map(|c| c.id).filter(|id| *id < vocabulary.end).collect();
    let alike = |last: &[u32]| entropy(last) < ALIKE;
    is_stuck(text) || (words.len() > ALIKE_OVER && alike(&words[words.len() - ALIKE_OVER..]))
}

/// Of the tokens, in nats: 0 when all are the same.
fn entropy(tokens: &[u32]) -> f32 {
    let share = |id: &u32| tokens.iter().filter(|t| *t == id).count() as f32 / tokens.len() as f32;
    tokens.iter().map(|id| -share(id).ln() / tokens.len() as f32).sum()
}

/// Chance that is the same in every run.
struct Dice(u64);

impl Dice {
    /// Puts a token in place of the best that is as probable as `row` says; of stamps alone, where those were best.
    fn take(&mut self, best: &mut [Choice], row: &[f32], vocabulary: &Vocabulary) {
        let Some(best) = best.first_mut() else { return };
        let first = vocabulary.first_stamp as usize;
        let from = if vocabulary.is_stamp(best.id) { first } else { 0 };
        let open = &row[from..];
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut left = (self.0 >> 40) as f32 / (1 << 24) as f32 * open.iter().sum::<f32>();
        for (i, p) in open.iter().enumerate() {
            left -= p;
            if left < 0.0 {
                (best.id, best.p) = ((from + i) as u32, *p);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::entropy;

    #[test]
    fn what_is_said_over_and_over_has_little_entropy() {
        assert_eq!(entropy(&[7; 32]), 0.0);
        assert!((entropy(&(0..32).collect::<Vec<_>>()) - 32f32.ln()).abs() < 1e-4);
        assert!(entropy(&(0..32).map(|i| i % 8).collect::<Vec<_>>()) < super::ALIKE);
    }
}
