//! Whisper through whisper.cpp. Knows nothing of windows of a film: it is given at most 30 s and the places of speech.
//!
//! One encoder run a call where that is enough: whisper.cpp's own loop would encode again from the last
//! time stamp on, be the rest silence. We stop it there and go on only where the voice detector heard
//! speech after the last word, on that tail alone.

use super::encoder::math::soft_max;
use super::encoder::{Encoder, seat};
use super::mel::Mel;
use super::own::{Model, Own};
use super::pass::{
    Decoded, PER_MS, POSITIONS, Pass, SPEECHLESS, UNSURE, able, context, most_tokens, passes, positions,
};
use super::times::{Loudness, Said, place};
use super::{Ask, Engine, Error, Heard, LanguageOdds, Part, Session, Sound, decoder, has_gpu, prompt};
use crate::job::Task;
use crate::language::Language;
use std::ffi::c_void;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState, whisper_rs_sys,
};

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
pub enum Whisper {
    /// Our encoder and decoder, on a CPU that they have kernels for.
    Own(Arc<Model>),
    /// whisper.cpp.
    Cpp(Cpp),
}

/// Weights that whisper.cpp has loaded.
#[derive(Clone)]
pub struct Cpp {
    pub(super) context: Arc<WhisperContext>,
    pub(super) threads: usize,
    mel: Arc<Mel>,
    /// On a GPU, with flash attention: on CPU that is slower (engine-speed measurements).
    on_gpu: bool,
    /// Ours, on CPU; on a GPU whisper.cpp's own is used.
    encoder: Option<Arc<Encoder>>,
}

impl Whisper {
    /// Loads a ggml model file that `model::check` has passed: whisper.cpp aborts the process on others. `parts`: where
    /// `model::parts` found them in it.
    pub fn load(path: &Path, parts: Vec<Part>, place: &Place) -> Result<Whisper, Error> {
        quiet_logs();
        match is_own(place.gpu.is_some()) {
            true => Ok(Whisper::Own(Arc::new(Model::open(path, parts)?))),
            false => Ok(Whisper::Cpp(Cpp::load(path, parts, place)?)),
        }
    }
}

/// Whether our decoder does the work; `gpu`: that of a GPU.
pub fn is_own(gpu: bool) -> bool {
    !gpu && decoder::is_here()
}

impl Cpp {
    /// As [`Whisper::load`], whatever the CPU.
    pub fn load(path: &Path, parts: Vec<Part>, place: &Place) -> Result<Cpp, Error> {
        quiet_logs();
        let encoder = Encoder::open(path, parts)?;
        let mel = Arc::new(Mel::new(&encoder.mel_filters()?));
        let mut params = WhisperContextParameters::default();
        let on_gpu = place.gpu.is_some();
        params.use_gpu(on_gpu).flash_attn(on_gpu);
        params.gpu_device(place.gpu.unwrap_or(0) as i32);
        if place.gpu.is_some_and(|gpu| !has_gpu(gpu)) {
            let why = "the GPU is not there, and whisper.cpp would take the CPU".to_owned();
            return Err(Error::Load(path.display().to_string(), why));
        }
        let context = WhisperContext::new_with_params(path, params)
            .map_err(|e| Error::Load(path.display().to_string(), e.to_string()))?;
        let encoder = (!on_gpu).then(|| Arc::new(encoder));
        Ok(Cpp { context: Arc::new(context), threads: place.threads.max(1), mel, on_gpu, encoder })
    }

    /// With whisper.cpp's own encoder in place of ours, for comparing the two.
    pub fn with_foreign_encoder(self) -> Cpp {
        Cpp { encoder: None, ..self }
    }

    /// The positions that are looked at.
    ///
    /// With flash attention whisper.cpp attends to keys up to the next multiple of 256, and what stands there was left by a
    /// sound that was looked at over another number of positions: with one number alone, and that the model's own, it is
    /// zeros.
    fn positions(&self, wanted: usize) -> usize {
        if self.on_gpu { POSITIONS } else { wanted }
    }

    /// A state of a session that encoded `last` last.
    pub(super) fn state(&self, last: &Arc<Mutex<seat::Last>>) -> Result<WhisperState, Error> {
        let offer = self.encoder.clone().map(|encoder| (encoder, last.clone()));
        seat::offering(offer, || self.context.create_state()).map_err(|e| Error::Session(e.to_string()))
    }
}

impl Engine for Whisper {
    fn session(&self) -> Result<Box<dyn Session>, Error> {
        match self {
            Whisper::Own(model) => Ok(Box::new(Own::new(model.clone()))),
            Whisper::Cpp(cpp) => cpp.session(),
        }
    }
}

impl Engine for Cpp {
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
    whisper: Cpp,
    last: Arc<Mutex<seat::Last>>,
    /// Tokens from this one on are not text.
    end_of_text: i32,
    /// The time stamp of 0 s; the next ones follow in steps of 20 ms.
    first_stamp: i32,
    multilingual: bool,
}

impl Session for State {
    fn transcribe(&mut self, sound: Sound<'_>, ask: &Ask, stop: &AtomicBool) -> Result<Heard, Error> {
        able(self.multilingual, ask)?;
        passes(sound, ask, |samples| self.pass(samples, ask, stop))
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
        let positions = self.whisper.positions(positions(sound.samples.len()));
        let watch = self.watch(sound.samples, positions, &never, 0);
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

    /// As our own decoder goes on: dice only where somebody seems to speak, and no improbable text where nobody does.
    fn pass(&mut self, samples: &[f32], ask: &Ask, stop: &AtomicBool) -> Result<Pass, Error> {
        let pass = self.judged(samples, ask, stop);
        if ask.beam > 1 && !self.whisper.on_gpu {
            // whisper.cpp keeps what it took for the beams: as much again as all the rest of a session. A GPU takes long to
            // make room anew.
            self.state = None;
        }
        pass
    }

    fn judged(&mut self, samples: &[f32], ask: &Ask, stop: &AtomicBool) -> Result<Pass, Error> {
        let mut pass = self.run(samples, ask, false, stop)?;
        let no_speech = self.no_speech(stop)?;
        if ask.dice && no_speech <= SPEECHLESS && (pass.is_looping() || pass.mean() < UNSURE) {
            pass = pass.or_better(self.run(samples, ask, true, stop)?);
        }
        if no_speech > SPEECHLESS && pass.mean() < UNSURE {
            pass = Pass::default();
        }
        pass.no_speech = Some(no_speech);
        Ok(pass)
    }

    /// One run of whisper.cpp; with `dice` some, hotter each time, until one is good enough for it.
    fn run(&mut self, samples: &[f32], ask: &Ask, dice: bool, stop: &AtomicBool) -> Result<Pass, Error> {
        let context = self.whisper.positions(context(ask.context, samples.len()));
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
        if dice {
            params.set_temperature(FIRST_HEAT);
        } else {
            params.set_temperature_inc(0.0);
        }
        params.set_suppress_nst(true);
        params.set_max_tokens(most_tokens(samples.len()) as i32);
        if let Some(prompt) = &ask.prompt {
            params.set_initial_prompt(&as_prompt(prompt));
        }
        let state = self.state()?;
        let done = seat::stoppable(stop, || run(state, params, &watch, samples.len()));
        let wanted_more = watch.encoded.load(Ordering::Relaxed) > watch.may_encode;
        match done {
            _ if stop.load(Ordering::Relaxed) => Err(Error::Stopped),
            Err(e) => Err(e),
            Ok(Err(e)) => {
                // What whisper.cpp could not make room for it has freed itself, all of it.
                if matches!(e, whisper_rs::WhisperError::GenericError(NO_ROOM)) {
                    std::mem::forget(self.state.take());
                }
                Err(Error::Failed(e.to_string()))
            }
            Ok(Ok(())) => Ok(self.collect(wanted_more, &Loudness::of(samples))),
        }
    }

    /// The probability that nobody speaks in what was encoded last, as it stands behind the start of the text.
    ///
    /// What whisper.cpp itself calls so is read behind another token, and next to 0 on noise too.
    fn no_speech(&mut self, stop: &AtomicBool) -> Result<f32, Error> {
        let failed = |e: whisper_rs::WhisperError| Error::Failed(format!("no-speech probability: {e}"));
        let context = self.whisper.context.clone();
        let (start, token, threads) =
            (context.token_sot(), context.token_nosp() as usize, self.whisper.threads);
        let state = self.state()?;
        seat::stoppable(stop, || state.decode(&[start], 0, threads))?.map_err(failed)?;
        let mut odds = state.get_logits().map_err(failed)?.to_vec();
        let all = odds.len();
        soft_max(&mut odds, all, 1.0);
        Ok(odds[token])
    }

    /// `may_encode`: encoder runs that are allowed.
    fn watch<'a>(&self, samples: &[f32], context: usize, stop: &'a AtomicBool, may_encode: u32) -> Watch<'a> {
        let (bands, frames) = (self.whisper.mel.bands(), 2 * context);
        let mel = self.whisper.mel.frames(samples, frames);
        Watch { encoded: AtomicU32::new(0), may_encode, stop, mel, bands, frames }
    }

    fn collect(&self, wanted_more: bool, loudness: &Loudness) -> Pass {
        let mut pass = Pass::default();
        let mut last = 0;
        for segment in self.state.iter().flat_map(WhisperState::as_iter) {
            last = segment.end_timestamp() * 10 * PER_MS;
            let tokens = (0..segment.n_tokens()).filter_map(|i| segment.get_token(i)).filter_map(|token| {
                let data = token.token_data();
                Some((data, token.to_bytes().ok()?)).filter(|_| data.id < self.end_of_text)
            });
            let tokens: Vec<_> = tokens.collect();
            let decoded = tokens.iter().map(|(data, text)| Decoded {
                said: Said {
                    text,
                    stamp_ms: i64::from(data.tid - self.first_stamp) * 20,
                    stamp_p: data.pt,
                    stamps_p: data.ptsum,
                },
                p: data.p,
                logprob: data.plog,
            });
            let span = segment.start_timestamp() * 10..segment.end_timestamp() * 10;
            let decoded: Vec<Decoded<'_>> = decoded.collect();
            pass.add(&decoded, &place(decoded.iter().map(|t| t.said), span, loudness));
        }
        pass.stopped_at = wanted_more.then_some(last);
        pass
    }
}

/// With the space that a word begins with inside a text, and without what no C string holds.
pub(super) fn as_prompt(text: &str) -> String {
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

/// The temperature of the first dice.
const FIRST_HEAT: f32 = 0.2;
/// What `whisper_full` gives when it finds no room for beams.
const NO_ROOM: i32 = -7;
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
    quiet_logs();
    whisper_rs::print_system_info().trim().to_owned()
}
