//! The way through the tokens: the likeliest one at each step, or some beams side by side. Knows nothing of words.

use super::rules::{Choice, Rules};
use super::vocabulary::Vocabulary;
use super::{Decoder, Desk, Next, Said, Sound};
use crate::engine::align::Trace;
use crate::engine::encoder::math::soft_max;
use crate::engine::pass::{ALIKE, ALIKE_OVER, SPEECHLESS, UNSURE, entropy};
use crate::engine::{Beside, Error};
use std::cmp::Ordering as Order;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stamp so close to the end of the sound ends the text.
const NEAR_END_MS: i64 = 100;
/// So many tokens that are one or two are a loop.
const STUCK_OVER: usize = 20;
/// From this temperature on the prompt is left out.
const UNPROMPTED: f32 = 0.5;
/// So many words' tokens tell whether a text is in doubt.
const TELLING: usize = 8;
/// So many nodes more are let stand before those are given up that nothing goes on from.
const CROWD: usize = 96;
/// Temperatures of the dice.
const HEATS: [f32; 3] = [0.2, 0.5, 0.8];

/// What to look for.
pub(in crate::engine) struct Search<'a> {
    /// What stands before the text: a prompt, and what the text is to be.
    pub before: &'a [u32],
    /// Which of those is the start of the text.
    pub start: usize,
    pub beams: u32,
    /// Another search that may go beside the first.
    pub beside: Option<Beside>,
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
    /// What was attended to while each of them was chosen.
    pub traces: Vec<Arc<Trace>>,
    /// The probability that nobody speaks, as it stands behind the start.
    pub no_speech: f32,
}

/// A text in the making.
#[derive(Clone)]
struct Beam {
    /// The end is a part of it.
    text: Vec<Choice>,
    path: Vec<u32>,
    /// What was attended to before each token of the text, and before the next.
    traces: Vec<Arc<Trace>>,
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

    fn is_good(&self) -> bool {
        !self.loops && self.mean() >= UNSURE
    }

    /// Whether its words, where there are some, are less probable than that.
    fn is_doubted(&self, below: f32, vocabulary: &Vocabulary) -> bool {
        let words = self.text.iter().filter(|c| c.id < vocabulary.end);
        let (count, sum) = words.fold((0, 0.0), |(count, sum), c| (count + 1, sum + ln(c.p)));
        count >= TELLING && sum / (count as f32) < below
    }
}

/// A search in the making: beams side by side.
struct Way {
    wanted: usize,
    heat: f32,
    dice: Dice,
    going: Vec<Beam>,
    ended: Vec<Beam>,
}

impl Way {
    fn new(beams: u32, heat: f32, path: Vec<u32>, trace: Arc<Trace>) -> Way {
        let wanted = beams as usize;
        let going = vec![Beam { text: Vec::new(), path, traces: vec![trace], sum: 0.0, loops: false }];
        Way { wanted, heat, dice: Dice(1), going, ended: Vec::new() }
    }

    /// Goes one token on; `rows`: what is thought of every token behind each beam that goes on.
    fn go<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r mut [f32]>,
        rules: &Rules,
        vocabulary: &Vocabulary,
        ask: &Search<'_>,
    ) {
        let mut ways: Vec<(usize, Choice, f32)> = Vec::new();
        for (i, (beam, row)) in self.going.iter().zip(rows).enumerate() {
            let mut best = rules.choices(vocabulary, row, &beam.text, self.wanted, self.heat);
            if self.heat > 0.0 {
                self.dice.take(&mut best, row, vocabulary);
            }
            ways.extend(best.into_iter().map(|c| (i, c, beam.sum + ln(c.p))));
        }
        ways.sort_by(|a, b| b.2.total_cmp(&a.2));
        let mut going = Vec::with_capacity(self.wanted);
        for (rank, (from, choice, sum)) in ways.into_iter().enumerate() {
            if going.len() == self.wanted {
                break;
            }
            let from = &self.going[from];
            // That nothing is said ends a search only where nothing is more probable: it is short, and looks good
            // beside any longer text.
            let has_text = || from.text.iter().any(|c| c.id < vocabulary.end);
            if rank > 0 && choice.id == vocabulary.end && !has_text() {
                continue;
            }
            let mut beam = from.clone();
            beam.sum = sum;
            beam.text.push(choice);
            let at_end = vocabulary.is_stamp(choice.id)
                && beam.text.len() > 1
                && vocabulary.stamp_ms(choice.id) + NEAR_END_MS >= ask.sound_ms;
            let done = choice.id == vocabulary.end || at_end || is_stuck(&beam.text);
            if done || beam.text.len() >= ask.most {
                self.ended.push(beam);
            } else {
                going.push(beam);
            }
        }
        if self.ended.len() >= self.wanted {
            going.clear();
        } else if going.is_empty() && self.ended.is_empty() {
            self.ended.append(&mut self.going);
        }
        self.going = going;
    }

    /// The last token of each beam that goes on.
    fn next(&self) -> impl Iterator<Item = Next> {
        let beams = self.going.iter();
        beams.filter_map(|beam| Some(Next { token: beam.text.last()?.id, path: beam.path.clone() }))
    }

    /// The best of what has ended.
    fn best(mut self, vocabulary: &Vocabulary) -> Option<Beam> {
        for beam in &mut self.ended {
            beam.loops = is_looping(&beam.text, vocabulary);
        }
        self.ended.into_iter().max_by(Beam::compare)
    }
}

/// Tokens one behind the other, from the first node on.
pub(in crate::engine) fn in_line(tokens: &[u32]) -> Vec<Next> {
    tokens.iter().zip(0..).map(|(&token, at)| Next { token, path: (0..at).collect() }).collect()
}

impl Decoder {
    /// Finds the text of a sound, and what the other search found that went beside. Fails only when `stop` is raised.
    pub fn search(
        &self,
        rules: &Rules,
        sound: &Sound,
        ask: &Search<'_>,
        (said, desk): (&mut Said, &mut Desk),
        stop: &AtomicBool,
    ) -> Result<(Found, Option<Found>), Error> {
        said.clear();
        let mut logits = Vec::new();
        let wanted = [ask.start, ask.before.len() - 1];
        self.step(sound, said, &in_line(ask.before), &wanted, desk, &mut logits);
        let all = logits.len() / 2;
        let (at_start, first) = logits.split_at_mut(all);
        soft_max(at_start, all, 1.0);
        let no_speech = at_start[self.vocabulary.no_speech as usize];
        let mut first = (first.to_vec(), desk.traces[1].clone());
        let mut begin = said.nodes();
        // Where nobody speaks dice find something all the same.
        let heats = if ask.dice && no_speech <= SPEECHLESS { &HEATS[..] } else { &[] };
        said.nodes = begin;
        let mut looks = self.run(rules, sound, ask, (0.0, ask.beside), &first, (said, desk), stop)?;
        let mut prompted = ask.start > 0;
        for heat in heats.iter().copied() {
            if looks.iter().all(Beam::is_good) {
                break;
            }
            if prompted && heat >= UNPROMPTED {
                // What is wrong may be the prompt's doing.
                prompted = false;
                said.clear();
                let bare = &ask.before[ask.start..];
                self.step(sound, said, &in_line(bare), &[bare.len() - 1], desk, &mut first.0);
                first.1 = desk.traces[0].clone();
                begin = said.nodes();
            }
            said.nodes = begin;
            let found = self.run(rules, sound, ask, (heat, None), &first, (said, desk), stop)?;
            // Whatever number of beams, the same dice come after them. What is good is better than all that is not.
            for other in found {
                let worse = |look: &&mut Beam| !look.is_good() && other.compare(look).is_gt();
                looks.iter_mut().filter(worse).for_each(|look| look.clone_from(&other));
            }
        }
        let found = |best: Beam| {
            let is_spoken = no_speech <= SPEECHLESS || best.mean() >= UNSURE;
            let text = if is_spoken { best.text } else { Vec::new() };
            let told = text.into_iter().zip(best.traces).filter(|(c, _)| c.id != self.vocabulary.end);
            let (text, traces) = told.unzip();
            Found { text, traces, no_speech }
        };
        let mut looks = looks.into_iter().map(found);
        Ok((looks.next().unwrap_or_default(), looks.next()))
    }

    /// Searches at a temperature, and beside that with more beams where the first is in doubt: the best beam of each.
    #[expect(clippy::too_many_arguments, reason = "one search in two functions")]
    fn run(
        &self,
        rules: &Rules,
        sound: &Sound,
        ask: &Search<'_>,
        (heat, beside): (f32, Option<Beside>),
        first: &(Vec<f32>, Arc<Trace>),
        (said, desk): (&mut Said, &mut Desk),
        stop: &AtomicBool,
    ) -> Result<Vec<Beam>, Error> {
        let vocabulary = &self.vocabulary;
        let before: Vec<u32> = (0..said.nodes() as u32).collect();
        let mut ways =
            vec![Way::new(if heat > 0.0 { 1 } else { ask.beams }, heat, before.clone(), first.1.clone())];
        let mut logits = first.0.clone();
        let mut crowded = before.len() + CROWD;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let mut rows = logits.chunks_exact_mut(vocabulary.count as usize);
            for way in &mut ways {
                let count = way.going.len();
                way.go(rows.by_ref().take(count), rules, vocabulary, ask);
            }
            let doubted = |below| {
                ways[0].going.iter().chain(&ways[0].ended).any(|beam| beam.is_doubted(below, vocabulary))
            };
            match beside {
                Some(beside) if ways.len() == 1 && !ways[0].going.is_empty() && doubted(beside.below) => {
                    let mut other = Way::new(beside.beams, 0.0, before.clone(), first.1.clone());
                    other.go(std::iter::once(&mut first.0.clone()[..]), rules, vocabulary, ask);
                    ways.push(other);
                }
                // Nobody will ask for it.
                Some(beside) if ways.len() == 2 && ways[0].going.is_empty() && !doubted(beside.below) => {
                    ways.truncate(1);
                }
                _ => {}
            }
            let next: Vec<Next> = ways.iter().flat_map(Way::next).collect();
            if next.is_empty() {
                break;
            }
            let node = said.nodes() as u32;
            let rows: Vec<usize> = (0..next.len()).collect();
            self.step(sound, said, &next, &rows, desk, &mut logits);
            let beams = ways.iter_mut().flat_map(|way| &mut way.going);
            for ((beam, node), trace) in beams.zip(node..).zip(&desk.traces) {
                beam.path.push(node);
                beam.traces.push(trace.clone());
            }
            if said.nodes() >= crowded {
                thin(said, &before, &mut ways, self.width);
                crowded = said.nodes() + CROWD;
            }
        }
        // There is one at least: each beam that does not go on has ended.
        let none = || Error::Failed("a search without a beam".into());
        ways.into_iter().map(|way| way.best(vocabulary).ok_or_else(none)).collect()
    }
}

/// Gives up the nodes that no beam goes on from: most of them, for beams have nearly all in common.
fn thin(said: &mut Said, before: &[u32], ways: &mut [Way], width: usize) {
    let beams = || ways.iter().flat_map(|way| &way.going);
    let mut live: Vec<u32> = beams().flat_map(|beam| &beam.path).chain(before).copied().collect();
    live.sort_unstable();
    live.dedup();
    for node in ways.iter_mut().flat_map(|way| &mut way.going).flat_map(|beam| &mut beam.path) {
        *node = live.partition_point(|other| other < node) as u32;
    }
    said.keep(&live, width);
}

fn ln(p: f32) -> f32 {
    p.max(1e-30).ln()
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
        assert_eq!(entropy(&[7u32; 32]), 0.0);
        assert!((entropy(&(0..32).collect::<Vec<_>>()) - 32f32.ln()).abs() < 1e-4);
        assert!(entropy(&(0..32).map(|i| i % 8).collect::<Vec<_>>()) < super::ALIKE);
    }
}
