//! How much memory models and sessions take, and how much of it is allowed. Knows nothing of files, threads or jobs.
//!
//! What a device's process takes = [`REST`] + [`OPEN_JOB`] for each job that may be open + the weights of each model +
//! a share for each session. The shares are computed from the model's header; ARCHITECTURE.md has the measurements.

use super::setup::Setup;
use crate::device;
use crate::engine::{encoder, whisper};
use crate::model::{Header, WeightType};

/// The daemon, the worker process without a model, their databases.
pub const REST: u64 = 56_000_000;
/// A job that is read: the voice detector, two minutes of sound at most, the windows that are ready, ffmpeg.
pub const OPEN_JOB: u64 = 64_000_000;
/// Jobs that are only listened to for their language hold a few windows and are soon closed: all of them together.
const LISTENED: u64 = 32_000_000;

/// Positions of the encoder for 30 s of sound, and those of the caches that whisper.cpp makes (padded to 256).
const POSITIONS: u64 = 1500;
const CROSS_CELLS: u64 = 1536;
const SELF_CELLS: u64 = 512;
/// Beams of a careful decoding (`hear::CAREFUL_BEAM`); whisper.cpp makes room for two more.
const BEAMS: u64 = super::hear::CAREFUL_BEAM as u64;
const SPARE_BEAMS: u64 = 2;
/// whisper.cpp uses as many tokens of a prompt at most (half of the text context).
const PROMPT_TOKENS: u64 = 224;
/// What is kept of a vocabulary, for each token.
const TOKEN_NAMES: u64 = 180;
/// Tokens of the longest text of a window.
const MOST_TOKENS: u64 = 220;
/// What the `gemm` crate makes ready of two matrices.
const GEMM: u64 = 3_000_000;
/// The window that a session hears, as f32.
const SOUND: u64 = 2_000_000;
/// Of our session all that is small.
const STATE: u64 = 4_000_000;
/// Biases and norms of a block, for each number of its width.
const SMALL_PARTS: u64 = 80;
/// The descriptions of whisper.cpp's graphs, once a session.
const GRAPHS: u64 = 9_000_000;
/// What CUDA takes on a GPU before anything is done, and what its products work in for each session.
const GPU_REST: u64 = 620_000_000;
const GPU_PRODUCTS: u64 = 40_000_000;

/// What a model takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Once, however many sessions there are.
    pub weights: u64,
    /// Each session that decodes; the beams of a careful decoding are in it.
    pub session: u64,
    /// A session that tells languages only.
    pub listener: u64,
    /// Of both for each token of a prompt.
    pub token: u64,
}

impl Needs {
    /// Of a model whose file, with its matrices of that type, has so many bytes; `gpu`: computed there, by whisper.cpp.
    pub fn of(header: &Header, weights: WeightType, file_bytes: u64, gpu: bool) -> Needs {
        if whisper::is_own(gpu) { Needs::own(header, weights) } else { Needs::cpp(header, file_bytes, gpu) }
    }

    /// With our encoder and decoder. The encoder's weights stay in the file.
    fn own(header: &Header, weights: WeightType) -> Needs {
        let [width, text, layers] =
            [header.n_audio_state, header.n_text_state, header.n_text_layer].map(u64::from);
        let vocabulary = u64::from(header.n_vocab);
        // Of a block four matrices of its own attention, two of that to the sound, eight of its MLP.
        let values = text * (vocabulary + layers * 14 * text);
        let matrices = match weights {
            WeightType::F16 | WeightType::Bf16 => values * 2,
            // A byte, and a scale for each 32 of them.
            _ => values + values / 8,
        };
        // What is thought of each token before and in a text, the sound, and all that is small.
        let always = 3 * vocabulary * 4 + SOUND + STATE;
        // Keys and values of the sound, in bytes with a scale for each 32.
        let attended = 2 * layers * text * (POSITIONS + POSITIONS / 8);
        // They are made of the encoder's rows, which are made ready too, with a layer's matrix for a group of heads.
        let made = POSITIONS * encoder::group() as u64 * 4 + encoder::READ as u64 * 6 * width;
        let attending = attended + rows(width) + encoder::of_layers(rows(width) / 4 + width * width) + made;
        // Keys and values of a token, in f32.
        let node = 8 * layers * text;
        // A greedy search goes beside them.
        let beams = (BEAMS + 1) * (MOST_TOKENS * node + vocabulary * 4);
        // The encoder's memory is given back before the decoder begins, and all of that before the encoder does.
        let listener = run(header, width).max(attending);
        Needs {
            weights: matrices + vocabulary * TOKEN_NAMES + SMALL_PARTS * layers * text,
            session: always + listener.max(attended + beams),
            listener: always + listener,
            // Its node, its rows while it is gone through, and what it attends to.
            token: node + 64 * text + 8 * POSITIONS,
        }
    }

    /// With whisper.cpp's decoder, and on a GPU its encoder.
    fn cpp(header: &Header, file_bytes: u64, gpu: bool) -> Needs {
        let [width, text, layers] =
            [header.n_audio_state, header.n_text_state, header.n_text_layer].map(u64::from);
        let vocabulary = u64::from(header.n_vocab);
        let rows = rows(width);
        // Keys and values of the decoder, in f16.
        let cell = 4 * text * layers;
        let caches = cell * (SELF_CELLS + CROSS_CELLS) + 4 * width * CROSS_CELLS;
        let encoder = if gpu { 12 * rows } else { run(header, width) };
        // Probabilities in four forms, what the decoder thinks of each token, and what its graph needs for that.
        let words = vocabulary * 64;
        let beams = cell * SELF_CELLS * (BEAMS + SPARE_BEAMS - 1) + words * (BEAMS - 1);
        // A GPU's buffers are held whole, also what only the longest prompt would fill.
        let whole = if gpu { 2 * PROMPT_TOKENS * vocabulary * 4 + GPU_PRODUCTS } else { 0 };
        let always = caches + 8 * rows + words + GRAPHS + whole;
        // Our encoder's memory is given back before the decoder begins, and that of beams when it ends.
        let session = always + if gpu { encoder + beams } else { encoder.max(beams) };
        Needs {
            weights: file_bytes + vocabulary * TOKEN_NAMES,
            session,
            listener: always + encoder,
            token: if gpu { 0 } else { 8 * vocabulary },
        }
    }

    /// A decoding session for a prompt of so many bytes: no token is shorter than one.
    pub fn with_prompt(&self, bytes: usize) -> u64 {
        self.session + self.token * (bytes as u64).min(PROMPT_TOKENS)
    }

    /// What one session takes, all in all.
    pub fn least(&self, base: u64) -> u64 {
        base + self.weights + self.session
    }
}

/// A row of the encoder for each position, in f32.
fn rows(width: u64) -> u64 {
    POSITIONS * width * 4
}

/// A run of our encoder: first its convolutions, then its blocks, of which the MLP has the largest matrices.
fn run(header: &Header, width: u64) -> u64 {
    let (rows, square) = (rows(width), width * width);
    let (block, head, group) = (encoder::BLOCK as u64, encoder::HEAD as u64, encoder::group() as u64);
    let sound = u64::from(header.n_mels) * 2 * POSITIONS * 4;
    // The result of the first is twice as long; a layer as f32 and as in the file; what `gemm` makes ready.
    let convolutions = sound + 3 * rows + 18 * square + GEMM;
    // All rows, and before and behind the attention made ready; both layers of the MLP, two of the attention.
    let whole = rows + encoder::of_layers(2 * rows / 4 + 10 * square);
    // Queries, keys and values of a group; of a head made ready; scores and shares of some rows; what is inside the MLP of
    // them, and what is read at once.
    let heads = POSITIONS * 3 * group * 4 + encoder::of_sound(POSITIONS * 3 * head);
    let some = block * POSITIONS * 4
        + encoder::of_sound(block * POSITIONS)
        + block * 20 * width
        + encoder::READ as u64 * 24 * width;
    sound + convolutions.max(whole + heads + some)
}

/// What a device takes without any model.
pub fn base(setup: &Setup) -> u64 {
    match setup.gpu() {
        // Its own memory counts, and nothing of the jobs is in there.
        Some(_) => GPU_REST,
        None => REST + LISTENED + OPEN_JOB * setup.concurrent.max(1) as u64,
    }
}

/// How many sessions of `session` bytes there may be, at most `wanted`. Where there is room for more than one, a session
/// that tells languages is left room for beside them; else it takes turns with the one.
pub fn fitting(room: u64, session: u64, beside: u64, wanted: usize) -> usize {
    let many = room.saturating_sub(beside) / session.max(1);
    let one = u64::from(room >= session);
    usize::try_from(many.max(one)).unwrap_or(usize::MAX).min(wanted)
}

/// The share of free memory that is taken when nothing is set: the rest is for the system's cache and for others.
const SHARE: (u64, u64) = (3, 4);

/// The bytes that a device may take in all: `memory_limit_mb`, or what it has taken already and a share of what is free.
/// Without a word from the system about its memory there is no limit.
pub fn allowed(setup: &Setup, taken: u64) -> u64 {
    if setup.memory_limit_mb > 0 {
        return setup.memory_limit_mb << 20;
    }
    let free = match setup.gpu() {
        None => device::memory().map(|memory| memory.available),
        Some(gpu) => device::gpus().into_iter().find(|g| g.index == gpu).map(|g| g.memory_free),
    };
    free.map_or(u64::MAX, |free| taken + free / SHARE.1 * SHARE.0)
}

/// What the limit is, in the midst of a sentence.
pub fn says(setup: &Setup) -> String {
    match setup.memory_limit_mb {
        0 => "three quarters of what is free may be taken (memory_limit_mb)".to_owned(),
        mb => format!("{mb} MB are allowed (memory_limit_mb)"),
    }
}

/// There is not enough memory for one session. Says what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model {model} needs {} MB of memory for one session, and {} MB may be taken: raise memory_limit_mb (0 takes up to \
     three quarters of what is free), or use a smaller model", mb_above(*.needed), .allowed >> 20
)]
pub struct Short {
    pub model: String,
    pub needed: u64,
    pub allowed: u64,
}

/// In whole MB, so that as many are enough.
pub fn mb_above(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::{Needs, Short, allowed, base, fitting};
    use crate::model::Header;
    use crate::model::{WeightType, samples};
    use crate::pool::setup::Setup;
    use crate::pool::setup::tests::setup;

    const MB: u64 = 1 << 20;

    fn header(heads: u32, audio_layers: u32, text_layers: u32) -> Header {
        let sizes = Header {
            n_vocab: 51865,
            n_audio_state: heads * 64,
            n_audio_head: heads,
            n_audio_layer: audio_layers,
            n_text_state: heads * 64,
            n_text_head: heads,
            n_text_layer: text_layers,
            ..samples::sample(WeightType::F16).header
        };
        samples::of(sizes).header
    }

    /// What was measured (MB of anonymous memory), and so much more at most.
    fn check(header: &Header, measured: u64, above_percent: u64) {
        let session = Needs::cpp(header, 0, false).session / MB;
        let most = measured + measured * above_percent / 100;
        assert!((measured..=most).contains(&session), "{session} MB instead of {measured}");
    }

    #[test]
    fn sessions_take_what_was_measured_or_a_little_more() {
        check(&header(6, 4, 4), 71, 10);
        check(&header(8, 6, 6), 101, 10);
    }

    #[test]
    fn sessions_are_as_many_as_fit_and_leave_room_for_a_detection() {
        let check = |room, expected| assert_eq!(fitting(room, 100, 60, 3), expected, "{room}");
        check(99, 0);
        check(100, 1);
        check(259, 1);
        check(260, 2);
        check(360, 3);
        check(10_000, 3);
    }

    #[test]
    fn a_prompt_takes_more_the_longer_it_is_up_to_what_is_used_of_it() {
        let needs = Needs::cpp(&header(8, 6, 6), 0, false);
        let more = |bytes| needs.with_prompt(bytes) - needs.session;
        assert_eq!(more(0), 0);
        assert_eq!(more(10) * 2, more(20));
        assert_eq!(more(224), more(100_000));
        assert!((85 * MB..95 * MB).contains(&more(224)), "{}", more(224));
    }

    #[test]
    fn more_open_jobs_take_more_memory_but_none_of_a_gpu() {
        let one = Setup { concurrent: 1, ..setup("cpu", 0, 0) };
        assert!(base(&setup("cpu", 0, 0)) > base(&one));
        let gpu = |concurrent| base(&Setup { concurrent, ..setup("cuda:0", 0, 0) });
        assert_eq!(gpu(1), gpu(2));
    }

    #[test]
    fn what_is_set_is_the_limit_and_else_a_share_of_what_is_free() {
        let free = setup("cpu", 0, 0);
        let set = Setup { memory_limit_mb: 512, ..free.clone() };
        assert_eq!(allowed(&set, 7 * MB), 512 * MB);
        let (less, more) = (allowed(&free, 0), allowed(&free, 1 << 50));
        assert!(less > 0 && more > less, "what is taken already counts beside what is free");
    }

    #[test]
    fn who_has_too_little_learns_how_much_would_do_and_where_it_is_set() {
        let short = Short { model: "small".into(), needed: 900 * MB - 1, allowed: 500 * MB }.to_string();
        assert!(short.contains("small needs 900 MB") && short.contains("500 MB may be taken"), "{short}");
        assert!(short.contains("raise memory_limit_mb"), "{short}");
    }
}
