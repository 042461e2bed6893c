//! Where speech really begins: the detector's edge, moved back over a soft onset. Pure; knows nothing of detectors.

use super::PER_MS;
use super::windows::Span;

/// Loudness is taken over 10 ms.
const STEP: i64 = 10 * PER_MS;
/// How far back is looked; the detector is late by up to a third of a second on a soft first sound.
const BACK: i64 = 300 * PER_MS;
/// Dips in a soft onset that do not end it, in steps: the closing before a plosive.
const DIP: i64 = 4;
/// Sound counts from this many times the floor, and from this part of the loudest that follows.
const OVER_FLOOR: f32 = 3.0;
const OF_PEAK: f32 = 0.05;
/// With a floor above this part of the peak (music, noise) loudness tells nothing.
const NOISY: f32 = 0.15;

/// The start of a stretch of speech in `samples`, moved back to where its sound begins; never before `floor`.
pub fn refine(samples: &[f32], speech: Span, floor: i64) -> i64 {
    let loudness = |from: i64| -> f32 {
        let (a, b) = (from.max(0) as usize, (from + STEP).clamp(0, samples.len() as i64) as usize);
        if a >= b {
            return 0.0;
        }
        (samples[a..b].iter().map(|s| s * s).sum::<f32>() / (b - a) as f32).sqrt()
    };
    let earliest = (speech.start - BACK).max(floor).max(0);
    let steps = (speech.start - earliest) / STEP;
    if steps < 8 {
        return speech.start;
    }
    let mut before: Vec<f32> = (1..=steps).map(|i| loudness(speech.start - i * STEP)).collect();
    let peak = (0..40).map(|i| loudness(speech.start + i * STEP)).fold(0.0, f32::max);
    let mut sorted = before.clone();
    sorted.sort_by(f32::total_cmp);
    let quiet = sorted[..sorted.len() / 4].iter().sum::<f32>() / (sorted.len() / 4) as f32;
    if peak == 0.0 || quiet > peak * NOISY {
        return speech.start;
    }
    let least = (quiet * OVER_FLOOR).max(peak * OF_PEAK);
    let (mut reached, mut dip) = (0, 0);
    for (i, loud) in before.drain(..).enumerate() {
        if loud >= least {
            (reached, dip) = (i as i64 + 1, 0);
        } else {
            dip += 1;
            if dip > DIP {
                break;
            }
        }
    }
    speech.start - reached * STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stretches of (milliseconds, level); the detector's edge and the expected start in milliseconds.
    fn check(stretches: &[(i64, f32)], edge_ms: i64, expected_ms: i64) {
        let samples: Vec<f32> = stretches
            .iter()
            .flat_map(|&(ms, level)| (0..ms * PER_MS).map(move |i| if i % 2 == 0 { level } else { -level }))
            .collect();
        let speech = Span { start: edge_ms * PER_MS, end: samples.len() as i64 };
        assert_eq!(refine(&samples, speech, 0) / PER_MS, expected_ms);
    }

    #[test]
    fn a_soft_onset_before_the_edge_is_taken_in() {
        check(&[(500, 0.001), (200, 0.05), (1000, 0.4)], 700, 500);
        check(&[(500, 0.001), (100, 0.05), (30, 0.001), (70, 0.1), (1000, 0.4)], 700, 500);
    }

    #[test]
    fn silence_and_noise_leave_the_edge_where_it_is() {
        check(&[(700, 0.001), (1000, 0.4)], 700, 700);
        check(&[(700, 0.1), (1000, 0.4)], 700, 700);
        check(&[(1000, 0.4)], 0, 0);
        check(&[(1000, 0.0)], 500, 500);
    }

    #[test]
    fn an_earlier_sound_behind_a_real_pause_is_not_taken_in() {
        check(&[(400, 0.001), (100, 0.3), (100, 0.001), (100, 0.2), (1000, 0.4)], 700, 600);
    }
}
