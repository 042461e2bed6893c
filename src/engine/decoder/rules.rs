//! Which token may come next, and how probable each is. Knows nothing of weights or of where a search goes.
//!
//! The rules are those of OpenAI's `whisper/decoding.py` as whisper.cpp has them: stamps come in pairs but before the end,
//! never go back, and are taken when they are together more probable than any text.

use super::super::encoder::math::soft_max;
use super::vocabulary::{STAMP_MS, Vocabulary};

/// The first stamp is at most so late.
const FIRST_STAMP_MS: i64 = 1_000;

/// What is forbidden keeps no more probability than this.
const FORBIDDEN: f32 = 1e-30;

/// A token that was taken or may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::engine) struct Choice {
    pub id: u32,
    /// Its probability among all that may come next.
    pub p: f32,
    /// The most probable stamp in its place, that one's part of the probability of all stamps, and the latter.
    pub stamp: u32,
    pub stamp_p: f32,
    pub stamps_p: f32,
}

/// What never comes next.
pub(in crate::engine) struct Rules {
    forbidden: Vec<u32>,
    blank: Option<u32>,
    /// The model writes stamps.
    stamps: bool,
}

impl Rules {
    pub fn new(vocabulary: &Vocabulary, stamps: bool) -> Rules {
        Rules { forbidden: vocabulary.forbidden(), blank: vocabulary.id(" "), stamps }
    }

    /// The best `count` tokens behind the text so far, most probable first. `logits` becomes probabilities; `heat`, where
    /// it is not 0, is the temperature they are taken at.
    pub fn choices(
        &self,
        vocabulary: &Vocabulary,
        logits: &mut [f32],
        text: &[Choice],
        count: usize,
        heat: f32,
    ) -> Vec<Choice> {
        const NEVER: f32 = f32::NEG_INFINITY;
        let first = vocabulary.first_stamp as usize;
        let end = vocabulary.end as usize;
        if heat > 0.0 {
            logits.iter_mut().for_each(|l| *l /= heat);
        }
        self.forbidden.iter().for_each(|id| logits[*id as usize] = NEVER);
        let is_stamp = |back: usize| text.len().checked_sub(back).map(|i| vocabulary.is_stamp(text[i].id));
        match (is_stamp(1), is_stamp(2)) {
            (None, _) => {
                logits[end] = NEVER;
                if let Some(blank) = self.blank {
                    logits[blank as usize] = NEVER;
                }
                logits[first + (FIRST_STAMP_MS / STAMP_MS) as usize + 1..].fill(NEVER);
            }
            (Some(true), None | Some(true)) => logits[first..].fill(NEVER),
            (Some(true), Some(false)) => logits[..end].fill(NEVER),
            _ => {}
        }
        if let Some(last) = text.iter().rev().find(|c| vocabulary.is_stamp(c.id)) {
            logits[first..last.id as usize].fill(NEVER);
        }
        if !self.stamps {
            logits[first..].fill(NEVER);
        }
        let all = logits.len();
        soft_max(logits, all, 1.0);
        let (words, stamps) = logits.split_at(first);
        let stamps_p: f32 = stamps.iter().sum();
        let (best, best_p) = best_of(stamps);
        let known = if stamps_p > 1e-20 { best_p / stamps_p } else { 0.0 };
        let choice = |id: usize, p: f32| Choice {
            id: id as u32,
            p,
            stamp: (first + best) as u32,
            stamp_p: known,
            stamps_p,
        };
        let (from, open) = if stamps_p > best_of(words).1 { (first, stamps) } else { (0, &logits[..]) };
        let best = greatest(open, count).into_iter().filter(|(_, p)| *p > FORBIDDEN);
        best.map(|(i, p)| choice(from + i, p)).collect()
    }
}

fn best_of(values: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::MIN);
    for (i, v) in values.iter().enumerate() {
        if *v > best.1 {
            best = (i, *v);
        }
    }
    best
}

/// The greatest `count` values with their places, greatest first.
fn greatest(values: &[f32], count: usize) -> Vec<(usize, f32)> {
    let mut found: Vec<(usize, f32)> = Vec::with_capacity(count + 1);
    let mut least = f32::MIN;
    for (i, v) in values.iter().enumerate() {
        if *v > least {
            let at = found.partition_point(|(_, other)| other >= v);
            found.insert(at, (i, *v));
            found.truncate(count);
            if found.len() == count {
                least = found[count - 1].1;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::vocabulary::Vocabulary;
    use super::*;

    fn vocabulary() -> Vocabulary {
        let mut listed = 4u32.to_le_bytes().to_vec();
        for token in ["a", " ", "(", "b"] {
            listed.extend((token.len() as u32).to_le_bytes());
            listed.extend(token.as_bytes());
        }
        Vocabulary::read(&listed, 51_865).unwrap()
    }

    fn taken(ids: &[u32]) -> Vec<Choice> {
        ids.iter().map(|&id| Choice { id, p: 1.0, stamp: 0, stamp_p: 0.0, stamps_p: 0.0 }).collect()
    }

    /// Logits that are 0 but for some; the ids of the best.
    fn check(text: &[u32], logits: &[(u32, f32)], expected: &[u32]) {
        let v = vocabulary();
        let mut all = vec![0.0; v.count as usize];
        logits.iter().for_each(|(id, l)| all[*id as usize] = *l);
        let best = Rules::new(&v, true).choices(&v, &mut all, &taken(text), expected.len(), 0.0);
        assert_eq!(best.iter().map(|c| c.id).collect::<Vec<_>>(), expected);
        assert!((all.iter().sum::<f32>() - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_text_begins_neither_with_nothing_nor_late() {
        let v = vocabulary();
        let (end, first) = (v.end, v.first_stamp);
        check(&[], &[(end, 30.0), (1, 29.0), (2, 28.0), (3, 27.0), (0, 26.0)], &[3, 0]);
        check(&[], &[(first + 51, 30.0), (first + 50, 20.0)], &[first + 50]);
    }

    #[test]
    fn stamps_come_in_pairs_and_never_go_back() {
        let v = vocabulary();
        let (end, first) = (v.end, v.first_stamp);
        // Behind the first stamp comes text, behind one that ends a text another stamp or the end.
        check(&[first], &[(first + 9, 30.0), (0, 20.0)], &[0]);
        check(&[first, 0, first + 9], &[(0, 40.0), (first + 8, 30.0), (first + 9, 20.0)], &[first + 9]);
        check(&[first, 0, first + 9], &[(0, 40.0), (end, 30.0)], &[end]);
        check(&[first, 0, first + 9, first + 9], &[(first + 10, 30.0), (3, 20.0)], &[3]);
    }

    #[test]
    fn a_model_without_stamps_writes_none() {
        let v = vocabulary();
        let mut logits = vec![0.0; v.count as usize];
        (logits[v.first_stamp as usize], logits[3]) = (30.0, 10.0);
        let best = Rules::new(&v, false).choices(&v, &mut logits, &[], 1, 0.0);
        assert_eq!(best[0].id, 3);
    }

    #[test]
    fn stamps_that_are_together_more_probable_than_any_text_are_taken() {
        let v = vocabulary();
        let first = v.first_stamp;
        let stamps: Vec<(u32, f32)> = (1..10).map(|i| (first + i, 20.0)).chain([(0, 21.0)]).collect();
        check(&[first, 3], &stamps, &[first + 1]);
        check(&[first, 3], &[(first + 1, 20.0), (0, 21.0)], &[0, first + 1]);
    }

    #[test]
    fn the_greatest_are_found_in_order() {
        assert_eq!(greatest(&[1.0, 5.0, 3.0, 4.0], 3), [(1, 5.0), (3, 4.0), (2, 3.0)]);
        assert_eq!(greatest(&[1.0], 3), [(0, 1.0)]);
    }
}
