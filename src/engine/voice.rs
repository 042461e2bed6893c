//! The voice detector: Silero VAD inside whisper.cpp. Knows nothing of windows or words.
//!
//! The weights (MIT, Silero Team; `voice/SILERO-LICENSE`, made by `voice/make_weights.py`) are in the binary.
//! Quiet speech is heard because the sound is scaled to a local peak of 0.9 first, for the detector alone.

use super::Error;
use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use whisper_rs::{WhisperVadContext, WhisperVadContextParams};

static WEIGHTS: &[u8] = include_bytes!("voice/silero-v6-16k.bin");

/// Samples for one value of the detector.
const FRAME: usize = 512;
/// New frames a call: 20 s. Each call starts from a reset state, so it begins `WARM` frames early.
const BLOCK: usize = 625;
/// 1.02 s.
const WARM: usize = 32;
/// The local peak is taken over 3 s, in steps of three frames (96 ms).
const STEP: usize = 3 * FRAME;
const REACH: usize = 16;
const PEAK: f32 = 0.9;
const MOST: f32 = 20.0;

/// Hears speech in a stream of samples, in blocks; holds about 25 s.
pub struct Voice {
    context: WhisperVadContext,
    /// Samples from `first` on: the warm-up, then what is not yet judged.
    held: VecDeque<f32>,
    /// Frames at the head of `held` that are judged already.
    judged: usize,
}

impl Voice {
    /// Loads the built-in weights. Fails only when memory or file handles have run out.
    pub fn new() -> Result<Voice, Error> {
        super::whisper::quiet_logs();
        let failed = |e: String| Error::Load("of the voice detector".into(), e);
        let file = in_memory(WEIGHTS).map_err(|e| failed(e.to_string()))?;
        let mut params = WhisperVadContextParams::new();
        params.set_n_threads(1);
        params.set_use_gpu(false);
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let context = WhisperVadContext::new(&path, params).map_err(|e| failed(e.to_string()))?;
        Ok(Voice { context, held: VecDeque::new(), judged: 0 })
    }

    /// Takes samples and gives the odds of speech for the frames that can be judged by now, in order.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<f32>, Error> {
        self.held.extend(samples);
        let mut odds = Vec::new();
        while self.held.len() >= (self.judged + BLOCK) * FRAME + REACH * STEP {
            odds.extend(self.judge(BLOCK)?);
        }
        Ok(odds)
    }

    /// The odds of the last frames (the very last may be a part of one); ready for another stream then.
    pub fn finish(&mut self) -> Result<Vec<f32>, Error> {
        let mut odds = Vec::new();
        while self.held.len() > self.judged * FRAME {
            let left = self.held.len().div_ceil(FRAME) - self.judged;
            odds.extend(self.judge(left.min(BLOCK))?);
        }
        self.held.clear();
        self.judged = 0;
        Ok(odds)
    }

    /// Judges the next `frames` frames and forgets all but the warm-up of the following call.
    fn judge(&mut self, frames: usize) -> Result<Vec<f32>, Error> {
        let end = ((self.judged + frames) * FRAME).min(self.held.len());
        let sound = self.held.make_contiguous();
        let scaled = scale(sound, end);
        self.context
            .detect_speech(&scaled)
            .map_err(|e| Error::Failed(format!("the voice detector stopped: {e}")))?;
        let odds = self.context.probabilities();
        let fresh = odds.get(self.judged..).unwrap_or_default().to_vec();
        let judged = self.judged + frames;
        let keep = judged.min(WARM);
        self.held.drain(..((judged - keep) * FRAME).min(self.held.len()));
        self.judged = keep;
        Ok(fresh)
    }
}

/// The first `end` samples, each scaled so that the loudest within 1.5 s reaches `PEAK`; louder at most `MOST` times.
fn scale(sound: &[f32], end: usize) -> Vec<f32> {
    let peaks: Vec<f32> =
        sound.chunks(STEP).map(|c| c.iter().fold(0.0f32, |peak, s| peak.max(s.abs()))).collect();
    let gains: Vec<f32> = (0..peaks.len())
        .map(|i| {
            let near = &peaks[i.saturating_sub(REACH)..(i + REACH + 1).min(peaks.len())];
            let peak = near.iter().copied().fold(0.0, f32::max);
            if peak > 0.0 { (PEAK / peak).clamp(1.0, MOST) } else { 1.0 }
        })
        .collect();
    // Between the middles of two steps the gain goes over in a line: a jump would be a click.
    sound[..end]
        .iter()
        .enumerate()
        .map(|(i, s)| {
            let at = (i as f32 / STEP as f32 - 0.5).clamp(0.0, (gains.len() - 1) as f32);
            let (low, part) = (at as usize, at.fract());
            let high = (low + 1).min(gains.len() - 1);
            s * (gains[low] * (1.0 - part) + gains[high] * part)
        })
        .collect()
}

/// An anonymous file with these bytes: whisper.cpp takes the weights by path alone.
fn in_memory(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    // SAFETY: the name is a NUL-terminated literal; a negative result is checked before it is owned.
    let fd = unsafe { libc::memfd_create(c"silero".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: `fd` was just made and is owned by nobody else.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    std::fs::File::from(file.try_clone()?).write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, level: f32) -> Vec<f32> {
        let mut state = 1u32;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / 8_388_608.0 * level - level
            })
            .collect()
    }

    #[test]
    fn every_frame_has_one_value_whatever_the_blocks() {
        let mut voice = Voice::new().unwrap();
        for count in [0, 1, 512, 513, 700_000] {
            let sound = noise(count, 0.01);
            let mut odds = Vec::new();
            for block in sound.chunks(9_999) {
                odds.extend(voice.push(block).unwrap());
            }
            odds.extend(voice.finish().unwrap());
            assert_eq!(odds.len(), count.div_ceil(FRAME));
            assert!(odds.iter().skip(32).all(|&p| p < 0.35), "noise of {count} samples passes for speech");
        }
    }

    #[test]
    fn quiet_sound_is_scaled_up_and_loud_sound_left_alone() {
        let quiet = scale(&noise(64_000, 0.1), 64_000);
        assert!(quiet.iter().fold(0.0f32, |m, s| m.max(s.abs())) > 0.85);
        assert!(quiet.iter().all(|s| s.abs() <= 1.0));
        let loud = noise(64_000, 0.95);
        assert_eq!(scale(&loud, 64_000), loud);
        assert!(scale(&vec![0.0; 5_000], 5_000).iter().all(|&s| s == 0.0));
    }
}
