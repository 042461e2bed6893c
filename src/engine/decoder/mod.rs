//! Whisper's decoder on CPU, in place of whisper.cpp's. Knows nothing of which token is taken next, or of sessions.
//!
//! whisper.cpp's own takes three times as long for a step and, with beams, a multiple of that: its products wait for
//! the computing of scales, the keys and values of the sound go through a general product of f16, and each beam sorts the
//! whole vocabulary. Here weights lie as `matrix` has them, all beams go through each matrix together, and beams share
//! what they have in common: each token is a node with its keys and values, a beam is a path of nodes.

mod matrix;
mod nodes;
mod rules;
pub(super) mod search;
mod sound;
pub(super) mod vocabulary;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::align::Trace;
use super::encoder::math::{add_to_rows, gelu};
use super::encoder::weights::{self, Weights};
use super::encoder::{HEAD, Norm};
use super::{Error, Part};
use matrix::{Kind, Matrix, Store};
use std::path::Path;
use std::sync::Arc;
use vocabulary::Vocabulary;

pub(super) use matrix::{is_here, vectors};
pub(super) use nodes::Said;
pub(super) use rules::{Choice, Rules};
pub(super) use sound::Sound;

/// Norms 3 × 2, attentions 2 × (4 matrices and 3 biases), MLP 2 × 2.
const PARTS_OF_A_BLOCK: usize = 24;
/// The tokens of large-v3 and of what was made of it.
const TURBO_TOKENS: u32 = 51_866;
/// Rows of a matrix that are read at once.
const READ_ROWS: usize = 1024;
/// ggml's numbers of types that are kept as f16: f32, f16, bf16.
const HALVES: [u32; 3] = [0, 1, 30];

/// The weights of one model's decoder, shared by all sessions of a device.
pub(super) struct Decoder {
    weights: Weights,
    pub vocabulary: Vocabulary,
    /// Numbers that describe one token.
    width: usize,
    /// Tokens that a text may have, the prompt among them.
    context: usize,
    store: Store,
    tokens: Matrix,
    positions: Vec<f32>,
    blocks: Vec<Block>,
    last: Norm,
}

struct Block {
    /// What its parts' names begin with.
    at: String,
    before_own: Norm,
    own_query: Linear,
    own_keys: Matrix,
    own_values: Linear,
    own_out: Linear,
    before_sound: Norm,
    /// Its key and value are used once a sound, and stay in the file.
    sound_query: Linear,
    sound_out: Linear,
    before_mlp: Norm,
    inner: Linear,
    outer: Linear,
}

struct Linear {
    matrix: Matrix,
    bias: Vec<f32>,
}

/// A token to go through, behind the nodes of a path.
pub(in crate::engine) struct Next {
    pub token: u32,
    pub path: Vec<u32>,
}

/// What a session works in.
#[derive(Default)]
pub(super) struct Desk {
    stream: Vec<f32>,
    normed: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    heads: Vec<f32>,
    scores: Vec<f32>,
    inner: Vec<f32>,
    attention: Vec<f32>,
    room: matrix::Room,
    /// What each of the tokens of the last step attended to that were wanted.
    pub traces: Vec<Arc<Trace>>,
}

impl Decoder {
    /// Reads all weights but those that are used once a sound. Fails when a part is missing that `model::check` demands,
    /// or the file cannot be read.
    pub fn open(path: &Path, parts: Vec<Part>) -> Result<Decoder, Error> {
        let weights = Weights::open(path, parts)?;
        // First where all stands, then what it is: so that all of it lies in one piece.
        let (mut used, mut names) = (0, Vec::new());
        let mut matrix = |name: String| {
            let [rows, columns] = *weights.shape(&name)? else {
                return Err(Error::Failed(format!("{name} is no matrix")));
            };
            let kind = if HALVES.contains(&weights.ggml_type(&name)?) { Kind::Half } else { Kind::Bytes };
            let matrix = Matrix::new(rows, columns, kind, &mut used)?;
            names.push((name, matrix));
            Ok(matrix)
        };
        let bias = |at: &str| weights.vector(&format!("{at}.bias"));
        let mut blocks = Vec::new();
        for i in 0..weights.count("decoder.blocks.") / PARTS_OF_A_BLOCK {
            let at = format!("decoder.blocks.{i}");
            let mut full = |name: &str| {
                let at = format!("{at}.{name}");
                Ok::<_, Error>(Linear { matrix: matrix(format!("{at}.weight"))?, bias: bias(&at)? })
            };
            let norm = |name: &str| Norm::read(&weights, &format!("{at}.{name}"));
            let own_query = full("attn.query")?;
            let (own_values, own_out) = (full("attn.value")?, full("attn.out")?);
            let (sound_query, sound_out) = (full("cross_attn.query")?, full("cross_attn.out")?);
            let (inner, outer) = (full("mlp.0")?, full("mlp.2")?);
            let own_keys = matrix(format!("{at}.attn.key.weight"))?;
            blocks.push(Block {
                before_own: norm("attn_ln")?,
                own_query,
                own_keys,
                own_values,
                own_out,
                before_sound: norm("cross_attn_ln")?,
                sound_query,
                sound_out,
                before_mlp: norm("mlp_ln")?,
                inner,
                outer,
                at,
            });
        }
        let tokens = matrix("decoder.token_embedding.weight".to_owned())?;
        let mut store = Store::new(used);
        for (name, matrix) in &names {
            fill(&mut store, matrix, &weights, name)?;
        }
        let [context, width] = *weights.shape("decoder.positional_embedding")? else {
            return Err(Error::Failed("the model's positions have an odd shape".into()));
        };
        let positions = weights.vector("decoder.positional_embedding")?;
        let vocabulary = Vocabulary::read(&weights.bytes("vocabulary")?, tokens.rows())?;
        let last = Norm::read(&weights, "decoder.ln")?;
        Ok(Decoder { weights, vocabulary, width, context, store, tokens, positions, blocks, last })
    }

    /// Whether it writes time stamps: the first distilled models (two layers) lost that.
    pub fn has_stamps(&self) -> bool {
        self.blocks.len() != 2 || self.vocabulary.count == TURBO_TOKENS
    }

    /// Tokens that a text may have, the prompt among them.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Goes through tokens together, each behind its path, and makes nodes of them, numbered on from [`Said::nodes`]; a
    /// path may hold nodes that are made here before its own. `logits` gets what is thought of every token behind each
    /// of the `wanted`, one row after the other, and [`Desk::traces`] what each of those attended to.
    pub fn step(
        &self,
        sound: &Sound,
        said: &mut Said,
        next: &[Next],
        wanted: &[usize],
        desk: &mut Desk,
        logits: &mut Vec<f32>,
    ) {
        let (width, count) = (self.width, next.len());
        let size = count * width;
        said.prepare(self.blocks.len());
        let Desk {
            stream,
            normed,
            queries,
            keys,
            values,
            heads: mixed,
            scores,
            inner,
            attention,
            room,
            traces,
        } = desk;
        stream.resize(size, 0.0);
        for (row, next) in stream.chunks_exact_mut(width).zip(next) {
            self.store.row(&self.tokens, next.token as usize, row);
            let at = next.path.len().min(self.context - 1) * width;
            row.iter_mut().zip(&self.positions[at..]).for_each(|(v, p)| *v += p);
        }
        for part in [&mut *normed, queries, keys, values, mixed] {
            part.resize(size, 0.0);
        }
        inner.resize(4 * size, 0.0);
        attention.clear();
        attention.resize(wanted.len() * sound.positions(), 0.0);
        // Where a token is said is what the later layers attend to.
        let telling = self.blocks.len() / 2;
        for (layer, block) in self.blocks.iter().enumerate() {
            block.before_own.apply(normed, stream);
            self.apply(&block.own_query, normed, room, queries);
            self.store.product(&block.own_keys, normed, room, keys);
            self.apply(&block.own_values, normed, room, values);
            said.add(layer, keys, values, width);
            for (i, next) in next.iter().enumerate() {
                let row = i * width..(i + 1) * width;
                let node = (said.nodes + i) as u32;
                said.attend(layer, &queries[row.clone()], (&next.path, node), scores, &mut mixed[row]);
            }
            self.apply(&block.own_out, mixed, room, normed);
            add(stream, normed);

            block.before_sound.apply(normed, stream);
            self.apply(&block.sound_query, normed, room, queries);
            let attention = (layer >= telling).then_some((wanted, &mut attention[..]));
            sound.listen(layer, queries, width, scores, values, room, attention, mixed);
            self.apply(&block.sound_out, mixed, room, normed);
            add(stream, normed);

            block.before_mlp.apply(normed, stream);
            self.apply(&block.inner, normed, room, inner);
            gelu(inner);
            self.apply(&block.outer, inner, room, normed);
            add(stream, normed);
        }
        said.nodes += count;
        let heads = ((self.blocks.len() - telling) * (width / HEAD)) as f32;
        attention.iter_mut().for_each(|sum| *sum /= heads);
        traces.clear();
        traces.extend(attention.chunks_exact(sound.positions()).map(|row| Arc::new(Trace::of(row))));
        let chosen = wanted.len() * width;
        keys.resize(chosen, 0.0);
        normed.resize(chosen, 0.0);
        for (to, row) in wanted.iter().enumerate() {
            keys[to * width..(to + 1) * width].copy_from_slice(&stream[row * width..(row + 1) * width]);
        }
        self.last.apply(&mut normed[..chosen], &keys[..chosen]);
        logits.resize(wanted.len() * self.tokens.rows(), 0.0);
        self.store.product(&self.tokens, &normed[..chosen], room, logits);
    }

    fn apply(&self, linear: &Linear, vectors: &[f32], room: &mut matrix::Room, out: &mut [f32]) {
        self.store.product(&linear.matrix, vectors, room, out);
        add_to_rows(out, &linear.bias);
    }
}

fn add(stream: &mut [f32], more: &[f32]) {
    stream.iter_mut().zip(more).for_each(|(v, m)| *v += m);
}

/// Reads a matrix into its place.
fn fill(store: &mut Store, matrix: &Matrix, weights: &Weights, name: &str) -> Result<(), Error> {
    let (mut bytes, mut values) = (weights::Room::default(), Vec::new());
    for first in (0..matrix.rows()).step_by(READ_ROWS) {
        let rows = first..matrix.rows().min(first + READ_ROWS);
        weights.read_rows(name, rows, &mut bytes, &mut values)?;
        store.put(matrix, first, &values);
    }
    Ok(())
}
