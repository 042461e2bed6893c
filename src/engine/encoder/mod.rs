//! Whisper's encoder on CPU, in place of whisper.cpp's. Knows nothing of decoding, sessions or the C interface.
//!
//! whisper.cpp's own runs its matrices at a third of what the CPU can do, and keeps a whole graph of buffers for each
//! session. Here the products of layers are done by `bytes` where the CPU multiplies those, of what is made of the sound by
//! `half` (bf16); what a CPU lacks of the two by `gemm` (f32, kernels for AVX-512, AVX2 and NEON chosen at run time), else by
//! `plain`. Weights are read from the file each time they are used, and attention and MLP are worked on some rows at a time:
//! what is between two products stays in the cache, and needs little memory.

mod bytes;
mod half;
pub(super) mod math;
mod plain;
pub(super) mod ready;
pub(super) mod seat;
pub(super) mod weights;

use super::{Error, Part, pages};
use bytes::Values;
use math::{Into, View, add_to_rows, gelu, layer_norm, powers, product};
use ready::{Columns, Form, Reading, Rows};
pub use ready::{READ, of_layers, of_sound};
use std::path::Path;
use weights::Weights;

/// Width of an attention head in every Whisper.
pub const HEAD: usize = 64;
/// Rows of the attention and of the MLP that are worked on at once: their scores and insides stay in the cache.
pub const BLOCK: usize = 96;
/// Taps of both convolutions.
const TAPS: usize = 3;

/// The weights of one model's encoder, shared by all sessions of a device.
pub(super) struct Encoder {
    weights: Weights,
    /// Numbers that describe one position.
    width: usize,
    bands: usize,
    positions: usize,
    blocks: Vec<Block>,
    conv: [Conv; 2],
    last: Norm,
}

/// The small parts of a block; its matrices stay in the file.
struct Block {
    /// What its parts' names begin with.
    at: String,
    before_attention: Norm,
    query: Vec<f32>,
    value: Vec<f32>,
    out: Vec<f32>,
    before_mlp: Norm,
    inner: Vec<f32>,
    outer: Vec<f32>,
}

pub(super) struct Norm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Norm {
    pub fn read(weights: &Weights, at: &str) -> Result<Norm, Error> {
        let part = |name| weights.vector(&format!("{at}.{name}"));
        Ok(Norm { weight: part("weight")?, bias: part("bias")? })
    }

    pub fn apply(&self, out: &mut [f32], rows: &[f32]) {
        layer_norm(out, rows, &self.weight, &self.bias);
    }
}

struct Conv {
    weight: &'static str,
    bias: Vec<f32>,
}

/// What the blocks of one run work in.
struct Desk {
    reading: Reading,
    /// Some rows of the residual stream after a norm, and all of them made ready; then what a head says.
    block: Vec<f32>,
    normed: Rows,
    /// Queries, keys and values of a group of heads; the four layers that they and the result are made with, of which the
    /// first two are those of the MLP after them.
    made: [Vec<f32>; 3],
    layers: [Columns; 4],
    queries: Rows,
    keys: Columns,
    values: Columns,
    /// Scores of some rows, and the shares that they become.
    scores: Vec<f32>,
    shares: Rows,
    /// What all heads say, then the inside of the MLP made ready, which before that is here.
    heads: Rows,
    inside: Vec<f32>,
}

impl Desk {
    fn new() -> Desk {
        let (layers, sound) = (Form::of_layers(), Form::of_sound());
        Desk {
            reading: Reading::default(),
            block: Vec::new(),
            normed: Rows::new(layers),
            made: Default::default(),
            layers: [layers; 4].map(Columns::new),
            queries: Rows::new(sound),
            keys: Columns::new(sound),
            values: Columns::beside(Values::Positive, sound),
            scores: Vec::new(),
            shares: Rows::of(Values::Positive, sound),
            heads: Rows::new(layers),
            inside: Vec::new(),
        }
    }

    /// What one head says of all positions: the one at column `head` of a group of `step` columns, which begins at `first`.
    /// Its keys and values are made ready once; the scores of some rows stay in the cache.
    fn attend_head(&mut self, first: usize, head: usize, step: usize) {
        let positions = self.made[0].len() / step;
        self.queries.put(0, 0, HEAD, (&self.made[0][head..], step));
        self.keys.take((&self.made[1][head..], step), HEAD, true);
        self.values.take((&self.made[2][head..], step), HEAD, false);
        let whole = Form::of_sound().whole(positions);
        for from in (0..positions).step_by(BLOCK) {
            let count = BLOCK.min(positions - from);
            self.scores.resize(count * whole, 0.0);
            self.block.resize(count * HEAD, 0.0);
            self.shares.shape(count, whole);
            let queries = (&self.queries, from..from + count);
            self.keys.product(&mut self.scores, whole, queries, 0..positions, Into::Instead);
            let mut sums = [0.0; BLOCK];
            let rows = self.scores.chunks_exact_mut(whole).zip(&mut sums);
            for (i, (row, sum)) in rows.enumerate() {
                *sum = powers(&mut row[..positions]);
                row[positions..].fill(0.0);
                self.shares.put(i, 0, whole, (row, whole));
            }
            self.values.product(&mut self.block, HEAD, (&self.shares, 0..count), 0..HEAD, Into::Instead);
            for (row, sum) in self.block.chunks_exact_mut(HEAD).zip(sums) {
                row.iter_mut().for_each(|v| *v /= sum);
            }
            self.heads.put(from, first + head, HEAD, (&self.block, HEAD));
        }
    }
}

impl Encoder {
    /// Reads the small parts. Fails when a part is missing that `model::check` demands, or the file cannot be read.
    pub fn open(path: &Path, parts: Vec<Part>) -> Result<Encoder, Error> {
        let weights = Weights::open(path, parts)?;
        let norm = |at: &str| Norm::read(&weights, at);
        let block = |i: usize| {
            let at = format!("encoder.blocks.{i}");
            let bias = |name: &str| weights.vector(&format!("{at}.{name}.bias"));
            Ok(Block {
                before_attention: norm(&format!("{at}.attn_ln"))?,
                query: bias("attn.query")?,
                value: bias("attn.value")?,
                out: bias("attn.out")?,
                before_mlp: norm(&format!("{at}.mlp_ln"))?,
                inner: bias("mlp.0")?,
                outer: bias("mlp.2")?,
                at,
            })
        };
        let blocks = (0..weights.count("encoder.blocks.") / PARTS_OF_A_BLOCK)
            .map(block)
            .collect::<Result<_, Error>>()?;
        let conv = |weight, bias| Ok::<_, Error>(Conv { weight, bias: weights.vector(bias)? });
        let conv = [
            conv("encoder.conv1.weight", "encoder.conv1.bias")?,
            conv("encoder.conv2.weight", "encoder.conv2.bias")?,
        ];
        let last = norm("encoder.ln_post")?;
        let [width, bands, TAPS] = *weights.shape("encoder.conv1.weight")? else {
            return Err(Error::Failed("the model's first convolution has an odd shape".into()));
        };
        let positions = weights.shape("encoder.positional_embedding")?[0];
        Ok(Encoder { width, bands, positions, blocks, conv, last, weights })
    }

    /// Numbers that describe one position.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The filters that the model's spectrograms are made with.
    pub fn mel_filters(&self) -> Result<Vec<f32>, Error> {
        self.weights.vector("mel_filters")
    }

    /// Encodes `frames` frames of sound (`mel[band * frames + frame]`) into `frames / 2` rows.
    ///
    /// Ends early, with an unfinished result, when `stop` says so.
    pub fn run(
        &self,
        mel: &[f32],
        frames: usize,
        rows: &mut [f32],
        stop: impl Fn() -> bool,
    ) -> Result<(), Error> {
        let positions = frames / 2;
        let fits = positions > 0 && positions <= self.positions && mel.len() == self.bands * frames;
        if !fits || rows.len() != positions * self.width {
            return Err(Error::Failed(format!(
                "{frames} frames of {} values do not fit the encoder",
                mel.len()
            )));
        }
        self.convolve(mel, frames, rows)?;
        let mut desk = Desk::new();
        for block in &self.blocks {
            if stop() {
                return Ok(());
            }
            self.attend(&mut desk, block, rows)?;
            self.think(&mut desk, block, rows)?;
        }
        for rows in rows.chunks_mut(BLOCK * self.width) {
            desk.block.resize(rows.len(), 0.0);
            self.last.apply(&mut desk.block, rows);
            rows.copy_from_slice(&desk.block);
        }
        Ok(())
    }

    /// Both convolutions and the positions. A convolution is one product for each of its taps; in f32, for what is lost
    /// here is lost in all blocks.
    fn convolve(&self, mel: &[f32], frames: usize, rows: &mut [f32]) -> Result<(), Error> {
        let (width, bands) = (self.width, self.bands);
        let (mut bytes, mut matrix) = (weights::Room::default(), Vec::new());
        // The sound with a frame of nothing at each end, then the first convolution's result with the same.
        let padded = frames + 2;
        let mut sound = vec![0.0; bands * padded];
        for (to, from) in sound.chunks_exact_mut(padded).zip(mel.chunks_exact(frames)) {
            to[1..=frames].copy_from_slice(from);
        }
        let mut wide = Vec::new();
        pages::resize(&mut wide, padded * width, 0.0);
        let first = &mut wide[width..(frames + 1) * width];
        self.weights.read(self.conv[0].weight, &mut bytes, &mut matrix)?;
        for tap in 0..TAPS {
            let sound =
                View { data: &sound[tap..], rows: frames, columns: bands, row_step: 1, column_step: padded };
            product(first, width, sound, tap_of(&matrix, tap, bands, width), into(tap));
        }
        add_to_rows(first, &self.conv[0].bias);
        gelu(first);
        self.weights.read(self.conv[1].weight, &mut bytes, &mut matrix)?;
        for tap in 0..TAPS {
            let data = &wide[tap * width..];
            let every_other =
                View { data, rows: frames / 2, columns: width, row_step: 2 * width, column_step: 1 };
            product(rows, width, every_other, tap_of(&matrix, tap, width, width), into(tap));
        }
        drop((wide, sound));
        add_to_rows(rows, &self.conv[1].bias);
        gelu(rows);
        self.weights.read("encoder.positional_embedding", &mut bytes, &mut matrix)?;
        rows.iter_mut().zip(&matrix).for_each(|(row, at)| *row += at);
        Ok(())
    }

    fn attend(&self, desk: &mut Desk, block: &Block, rows: &mut [f32]) -> Result<(), Error> {
        let width = self.width;
        let positions = rows.len() / width;
        desk.normed.shape(positions, width);
        desk.heads.shape(positions, width);
        desk.queries.shape(positions, HEAD);
        for (i, rows) in rows.chunks(BLOCK * width).enumerate() {
            desk.block.resize(rows.len(), 0.0);
            block.before_attention.apply(&mut desk.block, rows);
            desk.normed.put(i * BLOCK, 0, width, (&desk.block, width));
        }
        for (layer, name) in desk.layers.iter_mut().zip(["query", "key", "value", "out"]) {
            layer.read(&self.weights, &format!("{}.attn.{name}.weight", block.at), &mut desk.reading)?;
        }
        let none = vec![0.0; width];
        let scale = 1.0 / (HEAD as f32).sqrt();
        for first in (0..width).step_by(group()) {
            let group = first..width.min(first + group());
            let step = group.len();
            for ((to, layer), bias) in
                desk.made.iter_mut().zip(&desk.layers).zip([&block.query, &none, &block.value])
            {
                to.resize(positions * step, 0.0);
                layer.product(to, step, (&desk.normed, 0..positions), group.clone(), Into::Instead);
                add_to_rows(to, &bias[group.clone()]);
            }
            desk.made[0].iter_mut().for_each(|v| *v *= scale);
            for head in (0..step).step_by(HEAD) {
                desk.attend_head(first, head, step);
            }
        }
        desk.layers[3].product(rows, width, (&desk.heads, 0..positions), 0..width, Into::Added);
        add_to_rows(rows, &block.out);
        Ok(())
    }

    fn think(&self, desk: &mut Desk, block: &Block, rows: &mut [f32]) -> Result<(), Error> {
        let (width, inside) = (self.width, 4 * self.width);
        for (layer, name) in desk.layers.iter_mut().zip(["0", "2"]) {
            layer.read(&self.weights, &format!("{}.mlp.{name}.weight", block.at), &mut desk.reading)?;
        }
        for rows in rows.chunks_mut(BLOCK * width) {
            let count = rows.len() / width;
            desk.block.resize(rows.len(), 0.0);
            block.before_mlp.apply(&mut desk.block, rows);
            desk.normed.shape(count, width);
            desk.normed.put(0, 0, width, (&desk.block, width));
            desk.inside.resize(count * inside, 0.0);
            desk.layers[0].product(
                &mut desk.inside,
                inside,
                (&desk.normed, 0..count),
                0..inside,
                Into::Instead,
            );
            add_to_rows(&mut desk.inside, &block.inner);
            gelu(&mut desk.inside);
            desk.heads.shape(count, inside);
            desk.heads.put(0, 0, inside, (&desk.inside, inside));
            desk.layers[1].product(rows, width, (&desk.heads, 0..count), 0..width, Into::Added);
            add_to_rows(rows, &block.outer);
        }
        Ok(())
    }
}

/// Numbers of a row whose keys and values are made at once: a head, or some where each product makes its matrices ready
/// anew (`gemm`).
pub fn group() -> usize {
    if Form::of_layers() == Form::Plain { 4 * HEAD } else { HEAD }
}

/// What products are made with on this CPU: those of layers, and those of what is made of the sound.
pub fn numbers() -> String {
    let sound = Form::of_sound().to_string();
    let layers = Form::of_layers().to_string();
    if layers == sound { sound } else { format!("{layers} and {sound}") }
}

/// Norms 2 × 2, attention 4 matrices and 3 biases, MLP 2 × 2.
const PARTS_OF_A_BLOCK: usize = 15;

/// One tap of a convolution's weights (`[outputs][inputs][taps]`).
fn tap_of(matrix: &[f32], tap: usize, inputs: usize, outputs: usize) -> View<'_> {
    View { data: &matrix[tap..], rows: inputs, columns: outputs, row_step: TAPS, column_step: TAPS * inputs }
}

/// The first tap begins the sum, the others add to it.
fn into(tap: usize) -> Into {
    if tap == 0 { Into::Instead } else { Into::Added }
}
