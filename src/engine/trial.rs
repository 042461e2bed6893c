//! What a model makes of a made-up sound, to tell whether two forms of it agree. Knows nothing of files or weight types.
//!
//! ggml has kernels for each pair of a CPU and a weight type, and some were wrong: its AMX kernels were 0.13 to 0.26 off in
//! every product. So the same sound goes through both forms, through the encoder and some steps of the decoder, and what
//! the decoder thinks of every possible next token is compared.

use super::Error;
use super::encoder::seat;
use super::own::{Model, Own};
use super::whisper::{Cpp, Whisper};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use whisper_rs::{FullParams, SamplingStrategy};

/// Steps of the decoder.
const STEPS: usize = 6;
/// 3 s at 16 kHz.
const SAMPLES: usize = 48_000;
/// Encoder positions: 10 s.
const POSITIONS: i32 = 512;

/// The decoder's opinion of every token at each step, and the token it went on with.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    steps: Vec<(Vec<f32>, i32)>,
}

impl Whisper {
    /// Hears the made-up sound. The decoder goes the way of `follow`, so that the steps of two forms can be compared,
    /// else its own.
    pub fn trial(&self, follow: Option<&Trial>) -> Result<Trial, Error> {
        match self {
            Whisper::Own(model) => own(model, follow),
            Whisper::Cpp(cpp) => foreign(cpp, follow),
        }
    }
}

/// Gathers steps.
struct Steps<'a> {
    follow: Option<&'a Trial>,
    /// Tokens before this one are text.
    end: usize,
    steps: Vec<(Vec<f32>, i32)>,
}

impl Steps<'_> {
    /// Notes what was thought, and gives the next token.
    fn take(&mut self, logits: &[f32]) -> i32 {
        let token = match self.follow.and_then(|trial| trial.steps.get(self.steps.len())) {
            Some((_, taken)) => *taken,
            None => likeliest(&logits[..self.end]),
        };
        self.steps.push((logits.to_vec(), token));
        token
    }
}

fn own(model: &Arc<Model>, follow: Option<&Trial>) -> Result<Trial, Error> {
    let vocabulary = &model.decoder.vocabulary;
    let mut steps = Steps { follow, end: vocabulary.end as usize, steps: Vec::with_capacity(STEPS) };
    let mut session = Own::new(model.clone());
    session.encode(&sound(), POSITIONS as usize, &AtomicBool::new(false))?;
    let mut text = vec![vocabulary.start];
    if vocabulary.is_multilingual() {
        text.extend([vocabulary.start + 1, vocabulary.transcribe]);
    }
    text.push(vocabulary.first_stamp);
    for _ in 0..STEPS {
        let token = steps.take(&session.opinion(&text));
        text.push(token.unsigned_abs());
    }
    Ok(Trial { steps: steps.steps })
}

fn foreign(cpp: &Cpp, follow: Option<&Trial>) -> Result<Trial, Error> {
    let failed = |e: whisper_rs::WhisperError| Error::Failed(format!("the trial of a model: {e}"));
    let mut state = cpp.state(&Arc::default())?;
    // A run over the first 100 ms ends before its encoder, but sets spectrogram and context length.
    let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    params.set_print_progress(false);
    params.set_n_threads(cpp.threads as i32);
    params.set_audio_ctx(POSITIONS);
    params.set_duration_ms(100);
    state.full(params, &sound()).map_err(failed)?;
    let never = AtomicBool::new(false);
    seat::stoppable(&never, || state.encode(0, cpp.threads))?.map_err(failed)?;
    let mut start = vec![cpp.context.token_sot()];
    if cpp.context.is_multilingual() {
        start.extend([cpp.context.token_lang(0), cpp.context.token_transcribe()]);
    }
    state.decode(&start, 0, cpp.threads).map_err(failed)?;
    let mut steps = Steps { follow, end: cpp.context.token_eot() as usize, steps: Vec::with_capacity(STEPS) };
    let mut token = cpp.context.token_beg();
    for step in 0..STEPS {
        state.decode(&[token], start.len() + step, cpp.threads).map_err(failed)?;
        token = steps.take(state.get_logits().map_err(failed)?);
    }
    Ok(Trial { steps: steps.steps })
}

impl Trial {
    /// How far `other` is off: the root mean square of the differences, over that of what there is to differ. 0 is the
    /// same; above 1 nothing is left of it. Not a number where there is nothing to compare.
    pub fn apart(&self, other: &Trial) -> f32 {
        let (mut wrong, mut all) = (0.0f64, 0.0f64);
        for ((mine, _), (theirs, _)) in self.steps.iter().zip(&other.steps) {
            if mine.len() != theirs.len() {
                return f32::NAN;
            }
            // What is added to all of them alike says nothing.
            let mean = |of: &[f32]| of.iter().map(|v| f64::from(*v)).sum::<f64>() / of.len() as f64;
            let (my_mean, their_mean) = (mean(mine), mean(theirs));
            for (a, b) in mine.iter().zip(theirs) {
                let (a, b) = (f64::from(*a) - my_mean, f64::from(*b) - their_mean);
                wrong += (a - b) * (a - b);
                all += a * a;
            }
        }
        (wrong / all).sqrt() as f32
    }
}

fn likeliest(logits: &[f32]) -> i32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(at, _)| at as i32)
}

/// Something between a voice and an engine: pulses of a moving pitch through two resonances that move too, in bursts.
fn sound() -> Vec<f32> {
    const RATE: f32 = 16_000.0;
    const TURN: f32 = std::f32::consts::TAU;
    let (mut phase, mut filters) = (0.0f32, [[0.0f32; 2]; 2]);
    let mut sound = Vec::with_capacity(SAMPLES);
    for i in 0..SAMPLES {
        let t = i as f32 / RATE;
        phase += (130.0 + 40.0 * (5.0 * t).sin()) / RATE;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase -= phase.floor();
        let peaks = [500.0 + 300.0 * (7.0 * t).sin(), 1_600.0 + 700.0 * (3.0 * t).cos()];
        let mut sum = 0.0;
        for (peak, [last, before]) in peaks.into_iter().zip(&mut filters) {
            const NARROW: f32 = 0.97;
            let now = pulse + 2.0 * NARROW * (TURN * peak / RATE).cos() * *last - NARROW * NARROW * *before;
            (*before, *last) = (*last, now);
            sum += now;
        }
        sound.push(0.1 * sum * (0.55 + 0.45 * (TURN * 3.0 * t).sin()));
    }
    sound
}

#[cfg(test)]
mod tests {
    use super::{SAMPLES, Trial, sound};

    fn trial(logits: &[&[f32]]) -> Trial {
        Trial { steps: logits.iter().map(|l| (l.to_vec(), 0)).collect() }
    }

    fn check(one: &[&[f32]], other: &[&[f32]], expected: f32) {
        let apart = trial(one).apart(&trial(other));
        assert!((apart - expected).abs() < 1e-4, "{apart}");
    }

    #[test]
    fn forms_are_as_far_apart_as_what_they_make_of_the_sound() {
        check(&[&[1.0, -1.0], &[2.0, -2.0]], &[&[1.0, -1.0], &[2.0, -2.0]], 0.0);
        check(&[&[1.0, -1.0]], &[&[11.0, 9.0]], 0.0);
        check(&[&[1.0, -1.0]], &[&[1.1, -1.1]], 0.1);
        check(&[&[1.0, -1.0]], &[&[-1.0, 1.0]], 2.0);
    }

    #[test]
    fn where_nothing_can_be_compared_there_is_no_number() {
        assert!(trial(&[&[0.0, 0.0]]).apart(&trial(&[&[0.0, 0.0]])).is_nan());
        assert!(trial(&[&[1.0]]).apart(&trial(&[&[1.0, 2.0]])).is_nan());
        assert!(trial(&[&[1.0, 2.0]]).apart(&trial(&[&[f32::NAN, 2.0]])).is_nan());
    }

    #[test]
    fn the_sound_is_loud_and_not_too_loud() {
        let sound = sound();
        let peak = sound.iter().fold(0.0f32, |peak, v| peak.max(v.abs()));
        assert_eq!(sound.len(), SAMPLES);
        assert!((0.1..1.0).contains(&peak), "{peak}");
    }
}
