//! Whisper through whisper.cpp. Knows nothing of windows of a film: it is given at most 30 s and the places of speech.
//!
//! One encoder run a call where that is enough: whisper.cpp's own loop would encode again from the last
//! time stamp on, be the rest silence. We stop it there and go on only where the voice detector heard
//! speech after the last word, on that tail alone.

use super::encoder::{Encoder, seat};
use super::mel::Mel;
use super::prompt;
use super::times::{Loudness, Said, place};
use super::words::{Token, join};
use super::{Ask, Context, Engine, Error, Heard, LanguageOdds, Part, Session, Sound};
use crate::job::Task;
use crate::language::Language;
use std::ffi::c_void;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState, whisper_rs_sys,
};

/// Samples per millisecond.
const PER_MS: i64 = 16;
/// Samples for one position of the encoder: 20 ms.
const PER_POSITION: usize = 320;
/// The encoder's positions for 30 s.
const POSITIONS: usize = 1500;
/// `audio_ctx` goes in steps of 64, which the fast kernels need; the rounding never exceeds 1472.
const POSITION_STEP: usize = 64;
const POSITIONS_ROUNDED: usize = 1472;
/// Fewer positions make the decoder loop on short sounds (seen: one sentence three times over at 256).
const POSITIONS_LEAST: usize = 512;
/// A tail is decoded when this much speech lies behind the last time stamp.
const TAIL_SPEECH: i64 = 400 * PER_MS;
const TAIL_LEAD: i64 = 200 * PER_MS;
const TAILS: u32 = 4;

/// Where and how a model runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The number of the GPU, or `None` for the CPU.
    pub gpu: Option<u32>,
    /// Threads of each session.
    pub threads: usize,
}

/// One set of weights on a device.
#[derive(Clone)]
pub struct Whisper {
    pub(super) context: Arc<WhisperContext>,
    pub(super) threads: usize,
    mel: Arc<Mel>,
    /// Ours, on CPU; on a GPU whisper.cpp's own is used.
    encoder: Option<Arc<Encoder>>,
}

impl Whisper {
    /// Loads a ggml model file that `model::check` has passed: whisper.cpp aborts the process on others. `parts`: where
    /// `model::parts` found them in it.
    ///
    /// Flash attention is slower on CPU (engine-speed measurements) and faster on GPUs.
    pub fn load(path: &Path, parts: Vec<Part>, place: &Place) -> Result<Whisper, Error> {
        quiet_logs();
        let encoder = Encoder::open(path, parts)?;
        let mel = Arc::new(Mel::new(&encoder.mel_filters()?));
        let mut params = WhisperContextParameters::default();
        params.use_gpu(place.gpu.is_some()).flash_attn(place.gpu.is_some());
        params.gpu_device(place.gpu.unwrap_or(0) as i32);
        let context = WhisperContext::new_with_params(path, params)
            .map_err(|e| Error::Load(path.display().to_string(), e.to_string()))?;
        let encoder = place.gpu.is_none().then(|| Arc::new(encoder));
        Ok(Whisper { context: Arc::new(context), threads: place.threads.max(1), mel, encoder })
    }

    /// With whisper.cpp's own encoder in place of ours, for comparing the two.
    pub fn with_foreign_encoder(self) -> Whisper {
        Whisper { encoder: None, ..self }
    }
}

impl Whisper {
    /// A state of a session that encoded `last` last.
    pub(super) fn state(&self, last: &Arc<Mutex<seat::Last>>) -> Result<WhisperState, Error> {
        let offer = self.encoder.clone().map(|encoder| (encoder, last.clone()));
        seat::offering(offer, || self.context.create_state()).map_err(|e| Error::Session(e.to_string()))
    }
}

impl Engine for Whisper {
    fn session(&self) -> Result<Box<dyn Session>, Error> {
        let last = Arc::default();
        let state = Some(self.state(&last)?);
        let end_of_text = self.context.token_eot();
        let multilingual = self.context.is_multilingual();
        let first_stamp = self.context.token_beg();
        Ok(Box::new(State { state, whisper: self.clone(), last, end_of_text, first_stamp, multilingual }))
    }
}

struct State {
    /// None when it has to be made anew.
    state: Option<WhisperState>,
    whisper: Whisper,
    last: Arc<Mutex<seat::Last>>,
    /// Tokens from this one on are not text.
    end_of_text: i32,
    /// The time stamp of 0 s; the next ones follow in steps of 20 ms.
    first_stamp: i32,
    multilingual: bool,
}

/// What one encoder run gave.
struct Pass {
    tokens: Vec<Token>,
    no_speech: f32,
    logprob_sum: f32,
    /// The end of the last segment, in samples, when whisper.cpp wanted to encode again from there.
    stopped_at: Option<i64>,
}

impl Session for State {
    fn transcribe(&mut self, sound: Sound<'_>, ask: &Ask, stop: &AtomicBool) -> Result<Heard, Error> {
        if !self.multilingual && (ask.language != Language::ENGLISH || ask.task == Task::Translate) {
            return Err(Error::Unable(format!(
                "this model knows English only and cannot {} {}: use a model without '.en' in its name",
                ask.task, ask.language
            )));
        }
        let mut heard = Heard::default();
        let (mut logprob, mut count, mut from) = (0.0, 0usize, 0i64);
        for _ in 0..=TAILS {
            let tail = sound.samples.get(from as usize..).unwrap_or_default();
            let pass = self.pass(tail, ask, stop)?;
            logprob += pass.logprob_sum;
            count += pass.tokens.len();
            heard.no_speech = heard.no_speech.max(pass.no_speech);
            let mut words = join(&pass.tokens, ask.language.is_unspaced());
            for word in &mut words {
                word.start_ms += from / PER_MS;
                word.end_ms += from / PER_MS;
            }
            heard.words.extend(words);
            match pass.stopped_at.and_then(|at| unheard(sound.speech, from + at)) {
                Some(next) if next > from => from = next,
                _ => break,
            }
        }
        heard.avg_logprob = if count == 0 { 0.0 } else { logprob / count as f32 };
        Ok(heard)
    }

    fn fitting<'p>(&self, prompt: &'p str) -> &'p str {
        // Half of the decoder's context, less the token that says what this is.
        let room = (self.whisper.context.n_text_ctx() / 2 - 1).max(0) as usize;
        // A token has a byte at least.
        let tokens = |text: &str| {
            self.whisper.context.tokenize(&as_prompt(text), text.len() + 2).ok().map(|t| t.len())
        };
        prompt::fitting(prompt, room, tokens)
    }

    fn detect(&mut self, sound: Sound<'_>) -> Result<LanguageOdds, Error> {
        if !self.multilingual {
            return Ok(LanguageOdds(vec![(Language::ENGLISH, 1.0)]));
        }
        let failed = |e: whisper_rs::WhisperError| Error::Failed(format!("language detection: {e}"));
        // A run that ends before its encoder sets spectrogram and context length.
        let never = AtomicBool::new(false);
        let watch = self.watch(sound.samples, positions(sound.samples.len()), &never, 0);
        let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        let threads = self.whisper.threads;
        params.set_n_threads(threads as i32);
        let state = self.state()?;
        run(state, params, &watch, sound.samples.len()).map_err(failed)?;
        let (_, odds) = seat::stoppable(&never, || state.lang_detect(0, threads))?.map_err(failed)?;
        let mut known: Vec<(Language, f32)> = odds
            .iter()
            .enumerate()
            .filter_map(|(id, p)| Some((whisper_rs::get_lang_str(id as i32)?.parse().ok()?, *p)))
            .collect();
        known.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(LanguageOdds(known))
    }
}

impl State {
    fn state(&mut self) -> Result<&mut WhisperState, Error> {
        if self.state.is_none() {
            self.state = Some(self.whisper.state(&self.last)?);
        }
        self.state.as_mut().ok_or_else(|| Error::Session("none".into()))
    }

    fn pass(&mut self, samples: &[f32], ask: &Ask, stop: &AtomicBool) -> Result<Pass, Error> {
        let context = match ask.context {
            Context::Fitted => positions(samples.len()),
            Context::Whole => POSITIONS,
        };
        let watch = self.watch(samples, context, stop, 1);
        let strategy = match ask.beam {
            0 | 1 => SamplingStrategy::Greedy { best_of: 1 },
            beam => SamplingStrategy::BeamSearch { beam_size: beam as i32, patience: -1.0 },
        };
        let mut params = FullParams::new(strategy);
        params.set_n_threads(self.whisper.threads as i32);
        params.set_language(Some(ask.language.whisper_code()));
        params.set_translate(ask.task == Task::Translate);
        params.set_no_context(true);
        if !ask.dice {
            params.set_temperature_inc(0.0);
        }
        params.set_suppress_nst(true);
        if let Some(prompt) = &ask.prompt {
            params.set_initial_prompt(&as_prompt(prompt));
        }
        let state = self.state()?;
        let done = seat::stoppable(stop, || run(state, params, &watch, samples.len()));
        let wanted_more = watch.encoded.load(Ordering::Relaxed) > watch.may_encode;
        let pass = match done {
            _ if stop.load(Ordering::Relaxed) => Err(Error::Stopped),
            Err(e) => Err(e),
            Ok(Err(e)) => Err(Error::Failed(e.to_string())),
            Ok(Ok(())) => Ok(self.collect(wanted_more, &Loudness::of(samples))),
        };
        if ask.beam > 1 {
            // whisper.cpp keeps what it took for the beams: as much again as all the rest of a session.
            self.state = None;
        }
        pass
    }

    /// `may_encode`: encoder runs that are allowed.
    fn watch<'a>(&self, samples: &[f32], context: usize, stop: &'a AtomicBool, may_encode: u32) -> Watch<'a> {
        let (bands, frames) = (self.whisper.mel.bands(), 2 * context);
        let mel = self.whisper.mel.frames(samples, frames);
        Watch { encoded: AtomicU32::new(0), may_encode, stop, mel, bands, frames }
    }

    fn collect(&self, wanted_more: bool, loudness: &Loudness) -> Pass {
        let mut pass = Pass { tokens: Vec::new(), no_speech: 0.0, logprob_sum: 0.0, stopped_at: None };
        let mut last = 0;
        for segment in self.state.iter().flat_map(WhisperState::as_iter) {
            pass.no_speech = pass.no_speech.max(segment.no_speech_probability());
            last = segment.end_timestamp() * 10 * PER_MS;
            let tokens = (0..segment.n_tokens()).filter_map(|i| segment.get_token(i)).filter_map(|token| {
                let data = token.token_data();
                Some((data, token.to_bytes().ok()?)).filter(|_| data.id < self.end_of_text)
            });
            let tokens: Vec<_> = tokens.collect();
            let said: Vec<Said<'_>> = tokens
                .iter()
                .map(|(data, text)| Said {
                    text,
                    stamp_ms: i64::from(data.tid - self.first_stamp) * 20,
                    stamp_p: data.pt,
                    stamps_p: data.ptsum,
                })
                .collect();
            let span = segment.start_timestamp() * 10..segment.end_timestamp() * 10;
            for ((data, text), time) in tokens.iter().zip(place(&said, span, loudness)) {
                pass.logprob_sum += data.plog;
                let (start_ms, end_ms) = (time.start, time.end);
                pass.tokens.push(Token { bytes: text.to_vec(), start_ms, end_ms, p: data.p });
            }
        }
        pass.stopped_at = wanted_more.then_some(last);
        pass
    }
}

/// With the space that a word begins with inside a text, and without what no C string holds.
fn as_prompt(text: &str) -> String {
    format!(" {}", text.trim().replace('\0', " "))
}

/// One run of whisper.cpp over the sound that `watch` holds the spectrogram of.
///
/// whisper.cpp is given next to no samples, so that it makes next to no spectrogram of its own (slowly), and ours
/// before it encodes.
fn run(
    state: &mut WhisperState,
    mut params: FullParams<'_, '_>,
    watch: &Watch<'_>,
    samples: usize,
) -> Result<(), whisper_rs::WhisperError> {
    params.set_duration_ms((samples.max(SHORTEST) as i64 / PER_MS) as i32);
    params.set_audio_ctx((watch.frames / 2) as i32);
    params.set_print_progress(false);
    params.set_print_realtime(false);
    params.set_print_timestamps(false);
    params.set_print_special(false);
    let watching = std::ptr::from_ref(watch).cast::<c_void>().cast_mut();
    // SAFETY: both callbacks are called only inside `full` below, while `watch` lives, and read it shared.
    unsafe {
        params.set_abort_callback(Some(should_stop));
        params.set_abort_callback_user_data(watching);
        params.set_start_encoder_callback(Some(may_encode));
        params.set_start_encoder_callback_user_data(watching);
    }
    state.full(params, &[0.0; FEWEST_SAMPLES])
}

/// Where to go on when enough speech lies behind `from`, in samples.
fn unheard(speech: &[Range<i64>], from: i64) -> Option<i64> {
    let rest: i64 = speech.iter().map(|s| (s.end - s.start.max(from)).max(0)).sum();
    let next = speech.iter().find(|s| s.end > from)?;
    (rest >= TAIL_SPEECH).then(|| from.max(next.start - TAIL_LEAD))
}

/// The encoder positions that hold so many samples.
fn positions(samples: usize) -> usize {
    let rounded = samples.div_ceil(PER_POSITION).next_multiple_of(POSITION_STEP).max(POSITIONS_LEAST);
    if rounded > POSITIONS_ROUNDED { POSITIONS } else { rounded }
}

/// A sound shorter than this is given so much silence.
const SHORTEST: usize = 16_000;
/// As few samples as whisper.cpp's spectrogram can be made of: it mirrors the first 200.
const FEWEST_SAMPLES: usize = 480;

/// What whisper.cpp's callbacks see of a run.
struct Watch<'a> {
    /// Times the encoder was to run.
    encoded: AtomicU32,
    may_encode: u32,
    stop: &'a AtomicBool,
    /// The spectrogram, one band after the other.
    mel: Vec<f32>,
    bands: usize,
    frames: usize,
}

unsafe extern "C" fn should_stop(user: *mut c_void) -> bool {
    // SAFETY: `user` is the `Watch` of the running `full`.
    let watch = unsafe { &*user.cast::<Watch<'_>>() };
    watch.stop.load(Ordering::Relaxed)
}

unsafe extern "C" fn may_encode(
    context: *mut whisper_rs_sys::whisper_context,
    state: *mut whisper_rs_sys::whisper_state,
    user: *mut c_void,
) -> bool {
    // SAFETY: as above.
    let watch = unsafe { &*user.cast::<Watch<'_>>() };
    let before = watch.encoded.fetch_add(1, Ordering::Relaxed);
    if before == 0 {
        // SAFETY: both pointers are those of the running `full`, which looks at its spectrogram only when this has
        // returned; the spectrogram is copied.
        let taken = unsafe {
            let (mel, frames, bands) = (watch.mel.as_ptr(), watch.frames as i32, watch.bands as i32);
            whisper_rs_sys::whisper_set_mel_with_state(context, state, mel, frames, bands)
        };
        if taken != 0 {
            return false;
        }
    }
    before < watch.may_encode
}

/// Keeps whisper.cpp's own chatter off the terminal.
pub(super) fn quiet_logs() {
    whisper_rs::install_logging_hooks();
}

pub(super) fn system_info() -> String {
    whisper_rs::print_system_info().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_context_fits_the_sound_in_steps_of_64() {
        let check = |ms: usize, expected| assert_eq!(positions(ms * 16), expected, "{ms} ms");
        check(100, 512);
        check(10_240, 512);
        check(10_260, 576);
        check(29_300, 1472);
        check(29_460, 1500);
        check(30_000, 1500);
    }

    #[test]
    fn only_speech_behind_the_last_word_is_gone_on_with() {
        let speech = [0..32_000, 80_000..120_000];
        assert_eq!(unheard(&speech, 118_000), None);
        assert_eq!(unheard(&speech, 40_000), Some(80_000 - TAIL_LEAD));
        assert_eq!(unheard(&speech, 90_000), Some(90_000));
        assert_eq!(unheard(&[], 0), None);
    }
}
