//! Long silences that may hold speech after all. Pure: takes odds and levels, knows nothing of detectors, files or
//! Whisper.
//!
//! The detector misses speech under loud music, in noise and in echo, but hardly ever without a trace: over 25 minutes
//! of music and noise its odds stayed near zero (highest mean over 3 s mostly under 0.01), while they rose where it
//! missed speech that can be understood (0.012 to 0.11). So a silence is doubted where it is not quiet and the
//! detector wavered.

use super::PER_MS;
use super::windows::{FRAME, Span};
use std::collections::VecDeque;

/// A shorter silence is not doubted.
const LEAST: i64 = 5_000 * PER_MS / FRAME;
/// A longer one is judged in parts, cut between these places where the odds are lowest.
const CUT_FROM: i64 = 15_000 * PER_MS / FRAME;
const CUT_TO: i64 = 20_000 * PER_MS / FRAME;
/// Speech fades in the odds: so much beside it tells nothing.
const EDGE: i64 = 1_000 * PER_MS / FRAME;
/// Left to the window that holds the speech beside it, which takes half of it as padding.
const PAD: i64 = 640 * PER_MS / FRAME;
/// The detector wavers where its odds are this high over 3 s.
const WAVERS: f32 = 0.012;
const WAVERS_OVER: usize = (3_000 * PER_MS / FRAME) as usize;
/// Not quiet: one frame in ten is this much above the level that one in ten of the file so far is below, in dB.
const OVER_FLOOR: f32 = 8.0;

/// The level of a frame in dB: 0 for the loudest square wave, -100 for silence.
pub fn level(samples: &[f32]) -> f32 {
    let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32;
    (10.0 * power.max(1e-10).log10()).clamp(-100.0, 0.0)
}

/// Follows the sound frame by frame and gives the silences to be doubted.
#[derive(Debug)]
pub struct Silences {
    /// Odds and level of the frames from `first` on.
    frames: VecDeque<(f32, f32)>,
    /// Where the silence begins that is heard now.
    first: i64,
    /// Speech stands before it.
    behind_speech: bool,
    /// How many frames of each level there were, in steps of 1 dB from -100 on.
    levels: [u64; 101],
}

impl Default for Silences {
    fn default() -> Silences {
        Silences { frames: VecDeque::new(), first: 0, behind_speech: false, levels: [0; 101] }
    }
}

impl Silences {
    /// The first frame that may be part of a silence to be doubted.
    pub fn needed_from(&self) -> i64 {
        self.first
    }

    /// Takes the next frame, whatever it holds.
    pub fn push(&mut self, odds: f32, level: f32) {
        self.frames.push_back((odds, level));
        self.levels[(level + 100.0).round().clamp(0.0, 100.0) as usize] += 1;
    }

    /// The head of a silence that has become too long to be judged at once, in samples. To be called where no speech is
    /// open.
    pub fn part(&mut self) -> Option<Span> {
        if (self.frames.len() as i64) < CUT_TO + LEAST {
            return None;
        }
        let odds = |at: i64| self.frames.range(at as usize..at as usize + 10).map(|f| f.0).sum::<f32>();
        let cut = (CUT_FROM..CUT_TO).min_by(|&a, &b| odds(a).total_cmp(&odds(b))).unwrap_or(CUT_TO);
        let found = self.judge(cut, false);
        self.frames.drain(..cut as usize);
        self.first += cut;
        self.behind_speech = false;
        found
    }

    /// Speech from frame `start` on ends the silence; the next may begin at `end`. Gives what is to be doubted, in samples.
    pub fn speech(&mut self, start: i64, end: i64) -> Option<Span> {
        let found = self.judge(start - self.first, true);
        self.frames.drain(..(end - self.first).clamp(0, self.frames.len() as i64) as usize);
        self.first = end;
        self.behind_speech = true;
        found
    }

    /// The silence at the end of the sound.
    pub fn finish(&mut self) -> Option<Span> {
        let found = self.judge(self.frames.len() as i64, false);
        self.first += self.frames.len() as i64;
        self.frames.clear();
        found
    }

    /// Whether the first `count` frames are to be doubted; `before_speech`: speech stands behind them.
    fn judge(&self, count: i64, before_speech: bool) -> Option<Span> {
        if count < LEAST {
            return None;
        }
        let (head, tail) = (i64::from(self.behind_speech), i64::from(before_speech));
        let inner = self.frames.range((head * EDGE) as usize..(count - tail * EDGE) as usize);
        let (odds, mut levels): (Vec<f32>, Vec<f32>) = inner.copied().unzip();
        let over = WAVERS_OVER.min(odds.len());
        let highest = odds.windows(over).map(|w| w.iter().sum::<f32>()).fold(0.0, f32::max) / over as f32;
        levels.sort_by(f32::total_cmp);
        let loud = levels[levels.len() * 9 / 10];
        if highest < WAVERS || loud < self.floor() + OVER_FLOOR {
            return None;
        }
        let (start, end) = (self.first + head * PAD, self.first + count - tail * PAD);
        Some(Span { start: start * FRAME, end: end * FRAME })
    }

    /// The level that a tenth of the frames so far is below.
    fn floor(&self) -> f32 {
        let mut left = self.levels.iter().sum::<u64>() / 10;
        for (db, &count) in (-100i16..).zip(&self.levels) {
            if count > left {
                return f32::from(db);
            }
            left -= count;
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stretches of (seconds, odds, level), silence before and behind; what is doubted, in tenths of seconds.
    fn check(stretches: &[(f64, f32, f32)], expected: &[(i64, i64)]) {
        let mut silences = Silences::default();
        let mut found = Vec::new();
        for &(seconds, odds, level) in stretches {
            for _ in 0..(seconds / 0.032).round() as i64 {
                silences.push(odds, level);
                found.extend(silences.part());
            }
        }
        found.extend(silences.finish());
        let tenth = |samples: i64| (samples as f64 / 1600.0).round() as i64;
        let got: Vec<(i64, i64)> = found.iter().map(|s| (tenth(s.start), tenth(s.end))).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_silence_is_doubted_where_it_is_not_quiet_and_the_detector_wavers() {
        check(&[(3.0, 0.0, -60.0), (8.0, 0.05, -30.0)], &[(0, 110)]);
        check(&[(3.0, 0.0, -60.0), (8.0, 0.005, -30.0)], &[]);
        check(&[(3.0, 0.0, -60.0), (8.0, 0.05, -55.0)], &[]);
        check(&[(4.0, 0.05, -30.0)], &[]);
        check(&[], &[]);
    }

    #[test]
    fn what_is_loud_all_the_time_is_the_floor() {
        check(&[(60.0, 0.05, -20.0)], &[]);
    }

    #[test]
    fn a_long_silence_is_judged_in_parts() {
        let stretches = [(5.0, 0.0, -60.0), (12.0, 0.04, -20.0), (0.6, 0.0, -20.0), (30.0, 0.04, -20.0)];
        let mut silences = Silences::default();
        let mut parts = Vec::new();
        for (seconds, odds, level) in stretches {
            for _ in 0..(seconds / 0.032) as i64 {
                silences.push(odds, level);
                parts.extend(silences.part());
            }
        }
        parts.extend(silences.finish());
        assert_eq!(parts.iter().map(|p| p.len()).sum::<i64>() / 1_600, 475);
        assert!(parts.windows(2).all(|p| p[0].end == p[1].start));
        assert!(parts.iter().all(|p| p.len() <= (CUT_TO + LEAST) * FRAME && p.len() >= LEAST * FRAME));
        assert!((16.9..17.6).contains(&(parts[0].end as f64 / 16_000.0)), "{parts:?}");
    }

    #[test]
    fn beside_speech_its_fading_is_no_doubt() {
        let mut silences = Silences::default();
        let push = |silences: &mut Silences, seconds: f64, odds, level| {
            (0..(seconds / 0.032) as i64).for_each(|_| silences.push(odds, level))
        };
        push(&mut silences, 3.0, 0.0, -60.0);
        push(&mut silences, 2.0, 0.9, -20.0);
        assert_eq!(silences.speech(93, 155), None);
        push(&mut silences, 0.6, 0.1, -30.0);
        push(&mut silences, 7.0, 0.001, -30.0);
        push(&mut silences, 1.0, 0.9, -20.0);
        assert_eq!(silences.speech(391, 422), None);
        assert_eq!(silences.needed_from(), 422);
    }

    #[test]
    fn levels_are_in_decibels() {
        assert_eq!(level(&[1.0; 512]), 0.0);
        assert_eq!(level(&[0.1, -0.1]).round(), -20.0);
        assert_eq!((level(&[]), level(&[0.0; 4])), (-100.0, -100.0));
    }
}
