//! Whisper's encoder on CPU, in place of whisper.cpp's. Knows nothing of decoding, sessions or the C interface.
//!
//! whisper.cpp's own runs its matrices at a third of what the CPU can do, and keeps a whole graph of buffers for each
//! session. Here the products are done by `half` (bf16) where the CPU multiplies that, else by `gemm` (f32, kernels for
//! AVX-512, AVX2 and NEON chosen at run time), else by `plain`; weights are turned to f32 one matrix at a time, and
//! attention is worked on a block of rows at a time.

mod half;
pub(super) mod math;
mod plain;
pub(super) mod seat;
pub(super) mod weights;

use super::{Error, Part, pages};
pub(super) use half::is_here as multiplies_bf16;
use math::{Into, Right, Room, View, add_to_rows, gelu, layer_norm, product, soft_max};
use std::path::Path;
use weights::Weights;

/// Width of an attention head in every Whisper.
pub(super) const HEAD: usize = 64;
/// Rows of the attention that are worked on at once: their scores stay in the cache.
const BLOCK: usize = 192;
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

/// What one run works in.
#[derive(Default)]
pub(super) struct Desk {
    /// A matrix of weights as f32, and its bytes.
    matrix: Vec<f32>,
    bytes: weights::Room,
    /// The sound with a frame of nothing at each end, then the first convolution's result with the same.
    sound: Vec<f32>,
    /// Four rows' widths a position: queries, keys, values and heads, or the inside of the MLP.
    wide: Vec<f32>,
    /// The residual stream after a norm.
    normed: Vec<f32>,
    scores: Vec<f32>,
    /// What products work in.
    room: Room,
    other_room: Room,
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
        desk: &mut Desk,
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
        self.convolve(desk, mel, frames, rows)?;
        for block in &self.blocks {
            if stop() {
                return Ok(());
            }
            self.attend(desk, block, rows)?;
            self.think(desk, block, rows)?;
        }
        desk.normed.resize(rows.len(), 0.0);
        self.last.apply(&mut desk.normed, rows);
        rows.copy_from_slice(&desk.normed);
        Ok(())
    }

    /// Both convolutions and the positions. A convolution is one product for each of its taps; in f32, for what is lost
    /// here is lost in all blocks.
    fn convolve(&self, desk: &mut Desk, mel: &[f32], frames: usize, rows: &mut [f32]) -> Result<(), Error> {
        let (width, bands) = (self.width, self.bands);
        let padded = frames + 2;
        desk.sound.clear();
        desk.sound.resize(bands * padded, 0.0);
        for (to, from) in desk.sound.chunks_exact_mut(padded).zip(mel.chunks_exact(frames)) {
            to[1..=frames].copy_from_slice(from);
        }
        desk.wide.clear();
        pages::resize(&mut desk.wide, padded * width, 0.0);
        let first = &mut desk.wide[width..(frames + 1) * width];
        self.weights.read(self.conv[0].weight, &mut desk.bytes, &mut desk.matrix)?;
        for tap in 0..TAPS {
            let sound = View {
                data: &desk.sound[tap..],
                rows: frames,
                columns: bands,
                row_step: 1,
                column_step: padded,
            };
            product(first, width, sound, tap_of(&desk.matrix, tap, bands, width), into(tap));
        }
        add_to_rows(first, &self.conv[0].bias);
        gelu(first);
        self.weights.read(self.conv[1].weight, &mut desk.bytes, &mut desk.matrix)?;
        for tap in 0..TAPS {
            let data = &desk.wide[tap * width..];
            let every_other =
                View { data, rows: frames / 2, columns: width, row_step: 2 * width, column_step: 1 };
            product(rows, width, every_other, tap_of(&desk.matrix, tap, width, width), into(tap));
        }
        add_to_rows(rows, &self.conv[1].bias);
        gelu(rows);
        self.weights.read("encoder.positional_embedding", &mut desk.bytes, &mut desk.matrix)?;
        rows.iter_mut().zip(&desk.matrix).for_each(|(row, at)| *row += at);
        Ok(())
    }

    fn attend(&self, desk: &mut Desk, block: &Block, rows: &mut [f32]) -> Result<(), Error> {
        let (width, len) = (self.width, rows.len());
        let positions = len / width;
        pages::resize(&mut desk.normed, len, 0.0);
        pages::resize(&mut desk.wide, 4 * len, 0.0);
        block.before_attention.apply(&mut desk.normed, rows);
        let none = vec![0.0; width];
        let (inputs, heads) = desk.wide.split_at_mut(3 * len);
        for (to, (name, bias)) in inputs.chunks_exact_mut(len).zip([
            ("query", &block.query),
            ("key", &none),
            ("value", &block.value),
        ]) {
            let name = format!("{}.attn.{name}.weight", block.at);
            self.weights.read(&name, &mut desk.bytes, &mut desk.matrix)?;
            let normed = View::rows(&desk.normed, positions, width);
            let mut weights = Right::new(linear(&desk.matrix, width), &mut desk.room);
            weights.product(to, width, normed, Into::Instead);
            add_to_rows(to, bias);
        }
        let (queries, rest) = inputs.split_at(len);
        let (keys, values) = rest.split_at(len);
        let scale = 1.0 / (HEAD as f32).sqrt();
        // The scores of a block stay in the cache; the keys and values of a head are made ready once.
        for head in (0..width).step_by(HEAD) {
            let of_head = |data, rows| View { data, rows, columns: HEAD, row_step: width, column_step: 1 };
            let mut keys = Right::new(of_head(&keys[head..], positions).transposed(), &mut desk.room);
            let mut values = Right::new(of_head(&values[head..], positions), &mut desk.other_room);
            for from in (0..positions).step_by(BLOCK) {
                let count = BLOCK.min(positions - from);
                let at = from * width + head;
                desk.scores.resize(count * positions, 0.0);
                keys.product(&mut desk.scores, positions, of_head(&queries[at..], count), Into::Instead);
                soft_max(&mut desk.scores, positions, scale);
                let shares = View::rows(&desk.scores, count, positions);
                values.product(&mut heads[at..], width, shares, Into::Instead);
            }
        }
        self.weights.read(&format!("{}.attn.out.weight", block.at), &mut desk.bytes, &mut desk.matrix)?;
        let mut weights = Right::new(linear(&desk.matrix, width), &mut desk.room);
        weights.product(rows, width, View::rows(heads, positions, width), Into::Added);
        add_to_rows(rows, &block.out);
        Ok(())
    }

    fn think(&self, desk: &mut Desk, block: &Block, rows: &mut [f32]) -> Result<(), Error> {
        let (width, inner) = (self.width, 4 * self.width);
        let positions = rows.len() / width;
        block.before_mlp.apply(&mut desk.normed, rows);
        self.weights.read(&format!("{}.mlp.0.weight", block.at), &mut desk.bytes, &mut desk.matrix)?;
        let normed = View::rows(&desk.normed, positions, width);
        let mut weights = Right::new(linear(&desk.matrix, width), &mut desk.room);
        weights.product(&mut desk.wide, inner, normed, Into::Instead);
        add_to_rows(&mut desk.wide, &block.inner);
        gelu(&mut desk.wide);
        self.weights.read(&format!("{}.mlp.2.weight", block.at), &mut desk.bytes, &mut desk.matrix)?;
        let thought = View::rows(&desk.wide, positions, inner);
        let mut weights = Right::new(linear(&desk.matrix, inner), &mut desk.room);
        weights.product(rows, width, thought, Into::Added);
        add_to_rows(rows, &block.outer);
        Ok(())
    }
}

/// Norms 2 × 2, attention 4 matrices and 3 biases, MLP 2 × 2.
const PARTS_OF_A_BLOCK: usize = 15;

/// A layer's matrix, a row for each output, as it is multiplied with.
pub(super) fn linear(matrix: &[f32], inputs: usize) -> View<'_> {
    View::rows(matrix, matrix.len() / inputs, inputs).transposed()
}

/// One tap of a convolution's weights (`[outputs][inputs][taps]`).
fn tap_of(matrix: &[f32], tap: usize, inputs: usize, outputs: usize) -> View<'_> {
    View { data: &matrix[tap..], rows: inputs, columns: outputs, row_step: TAPS, column_step: TAPS * inputs }
}

/// The first tap begins the sum, the others add to it.
fn into(tap: usize) -> Into {
    if tap == 0 { Into::Instead } else { Into::Added }
}
