//! Whisper's decoder on CPU, in place of whisper.cpp's. Knows nothing of which token is taken next, or of sessions.
//!
//! whisper.cpp's own takes three times as long for a step and, with beams, a multiple of that: its products wait for
//! the computing of scales, the keys and values of the sound go through a general product of f16, and each beam sorts the
//! whole vocabulary. Here weights lie as `matrix` has them, all beams go through each matrix together, and beams share
//! what they have in common: each token is a node with its keys and values, a beam is a path of nodes.

mod matrix;
mod rules;
pub(super) mod search;
pub(super) mod vocabulary;

use super::encoder::math::{Into, Right, View, add_to_rows, gelu, soft_max, with_vectors};
use super::encoder::weights::{self, Weights};
use super::encoder::{HEAD, Norm, linear};
use super::{Error, Part};
use half::f16;
use half::slice::HalfFloatSliceExt;
use matrix::{Kind, Matrix, SIDE, Store};
use std::path::Path;
use vocabulary::Vocabulary;

pub(super) use matrix::is_here;
pub(super) use rules::Rules;

/// Norms 3 × 2, attentions 2 × (4 matrices and 3 biases), MLP 2 × 2.
const PARTS_OF_A_BLOCK: usize = 24;
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

/// What the decoder attends to of a sound: keys and values of every layer and head.
#[derive(Default)]
pub(super) struct Sound {
    store: Store,
    /// Of each head of each layer.
    keys: Vec<Matrix>,
    values: Vec<Matrix>,
    positions: usize,
}

/// The tokens that were gone through, as nodes with their keys and values.
#[derive(Default)]
pub(super) struct Said {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    nodes: usize,
}

/// A token to go through, behind the nodes of a path.
pub(super) struct Next {
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
    room: matrix::Room,
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

    /// The bytes that its matrices take.
    pub fn size(&self) -> usize {
        self.store.size()
    }

    /// Tokens that a text may have, the prompt among them.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Makes ready what is attended to of the encoder's rows.
    pub fn attend(&self, rows: &[f32], sound: &mut Sound) -> Result<(), Error> {
        let (width, heads) = (self.width, self.width / HEAD);
        let positions = rows.len() / width;
        sound.lay_out(self.blocks.len() * heads, positions)?;
        let Sound { store, keys, values, .. } = sound;
        let (mut matrix, mut bytes) = (Vec::new(), weights::Room::default());
        let (mut made, mut room) = (vec![0.0; rows.len()], Default::default());
        for (layer, block) in self.blocks.iter().enumerate() {
            for name in ["key", "value"] {
                let at = format!("{}.cross_attn.{name}", block.at);
                self.weights.read(&format!("{at}.weight"), &mut bytes, &mut matrix)?;
                let mut right = Right::new(linear(&matrix, width), &mut room);
                right.product(&mut made, width, View::rows(rows, positions, width), Into::Instead);
                if name == "value" {
                    add_to_rows(&mut made, &self.weights.vector(&format!("{at}.bias"))?);
                }
                for head in 0..heads {
                    let place = layer * heads + head;
                    match name {
                        "key" => pack_keys(&made[head * HEAD..], width, positions, store.halves(&keys[place])),
                        _ => pack_values(&made[head * HEAD..], width, positions, store.halves(&values[place])),
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes through tokens together, each behind its path, and makes nodes of them, numbered on from [`Said::nodes`]; a
    /// path may hold nodes that are made here before its own. `logits` gets what is thought of every token behind each
    /// of the `wanted`, one row after the other.
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
        said.keys.resize_with(self.blocks.len(), Vec::new);
        said.values.resize_with(self.blocks.len(), Vec::new);
        let Desk { stream, normed, queries, keys, values, heads: mixed, scores, inner, room } = desk;
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
        for (layer, block) in self.blocks.iter().enumerate() {
            block.before_own.apply(normed, stream);
            self.apply(&block.own_query, normed, room, queries);
            self.store.product(&block.own_keys, normed, room, keys);
            self.apply(&block.own_values, normed, room, values);
            let (all_keys, all_values) = (&mut said.keys[layer], &mut said.values[layer]);
            all_keys.truncate(said.nodes * width);
            all_values.truncate(said.nodes * width);
            all_keys.extend_from_slice(keys);
            all_values.extend_from_slice(values);
            for (i, next) in next.iter().enumerate() {
                let row = i * width..(i + 1) * width;
                let node = (said.nodes + i) as u32;
                look_back(&queries[row.clone()], all_keys, all_values, (&next.path, node), scores, &mut mixed[row]);
            }
            self.apply(&block.own_out, mixed, room, normed);
            add(stream, normed);

            block.before_sound.apply(normed, stream);
            self.apply(&block.sound_query, normed, room, queries);
            sound.listen(layer, queries, width, scores, values, room, mixed);
            self.apply(&block.sound_out, mixed, room, normed);
            add(stream, normed);

            block.before_mlp.apply(normed, stream);
            self.apply(&block.inner, normed, room, inner);
            gelu(inner);
            self.apply(&block.outer, inner, room, normed);
            add(stream, normed);
        }
        said.nodes += count;
        for (to, row) in wanted.iter().enumerate() {
            keys[to * width..(to + 1) * width].copy_from_slice(&stream[row * width..(row + 1) * width]);
        }
        let chosen = wanted.len() * width;
        self.last.apply(&mut normed[..chosen], &keys[..chosen]);
        logits.resize(wanted.len() * self.tokens.rows(), 0.0);
        self.store.product(&self.tokens, &normed[..chosen], room, logits);
    }

    fn apply(&self, linear: &Linear, vectors: &[f32], room: &mut matrix::Room, out: &mut [f32]) {
        self.store.product(&linear.matrix, vectors, room, out);
        add_to_rows(out, &linear.bias);
    }
}

impl Sound {
    /// Finds places for the keys and values of so many heads.
    fn lay_out(&mut self, heads: usize, positions: usize) -> Result<(), Error> {
        let mut used = 0;
        self.positions = positions;
        (self.keys, self.values) = (Vec::with_capacity(heads), Vec::with_capacity(heads));
        for _ in 0..heads {
            self.keys.push(Matrix::new(positions, HEAD, Kind::Half, &mut used)?);
            self.values.push(Matrix::new(HEAD, positions, Kind::Half, &mut used)?);
        }
        self.store.grow(used);
        Ok(())
    }

    /// Attends to it, head by head, for all tokens together.
    #[expect(clippy::too_many_arguments, reason = "parts of one desk, borrowed apart")]
    fn listen(
        &self,
        layer: usize,
        queries: &[f32],
        width: usize,
        scores: &mut Vec<f32>,
        gathered: &mut [f32],
        room: &mut matrix::Room,
        mixed: &mut [f32],
    ) {
        let (count, heads) = (queries.len() / width, width / HEAD);
        scores.resize(count * self.positions, 0.0);
        for head in 0..heads {
            let (keys, values) = (&self.keys[layer * heads + head], &self.values[layer * heads + head]);
            let of_head = &mut gathered[..count * HEAD];
            for (to, from) in of_head.chunks_exact_mut(HEAD).zip(queries.chunks_exact(width)) {
                to.copy_from_slice(&from[head * HEAD..(head + 1) * HEAD]);
            }
            self.store.product(keys, of_head, room, scores);
            soft_max(scores, self.positions, 1.0 / (HEAD as f32).sqrt());
            self.store.product(values, scores, room, of_head);
            for (to, from) in mixed.chunks_exact_mut(width).zip(of_head.chunks_exact(HEAD)) {
                to[head * HEAD..(head + 1) * HEAD].copy_from_slice(from);
            }
        }
    }
}

impl Said {
    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.nodes = 0;
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes
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

/// A head's keys, a row for each position.
fn pack_keys(rows: &[f32], width: usize, positions: usize, to: &mut [u16]) {
    let mut sixteen = [0.0; SIDE * HEAD];
    for (side, to) in to.chunks_exact_mut(SIDE * HEAD).enumerate() {
        sixteen.fill(0.0);
        for lane in 0..SIDE.min(positions - side * SIDE) {
            let row = &rows[(side * SIDE + lane) * width..][..HEAD];
            sixteen.iter_mut().skip(lane).step_by(SIDE).zip(row).for_each(|(to, v)| *to = *v);
        }
        halve(&sixteen, to);
    }
}

/// A head's values, a column for each position.
fn pack_values(rows: &[f32], width: usize, positions: usize, to: &mut [u16]) {
    for (side, to) in to.chunks_exact_mut(SIDE * positions).enumerate() {
        for (position, to) in to.chunks_exact_mut(SIDE).enumerate() {
            halve(&rows[position * width + side * SIDE..][..SIDE], to);
        }
    }
}

fn halve(from: &[f32], to: &mut [u16]) {
    let to: &mut [f16] = half::slice::HalfBitsSliceExt::reinterpret_cast_mut(to);
    to.convert_from_f32_slice(from);
}

/// Attends to a path of nodes and the node behind it.
fn look_back(
    query: &[f32],
    keys: &[f32],
    values: &[f32],
    (path, node): (&[u32], u32),
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let width = query.len();
    let nodes = || path.iter().chain(std::iter::once(&node)).map(|n| *n as usize);
    scores.resize(path.len() + 1, 0.0);
    for head in (0..width).step_by(HEAD) {
        let query = query[head..].first_chunk::<HEAD>().expect("heads are whole");
        with_vectors(
            #[inline(always)]
            || {
                for (score, node) in scores.iter_mut().zip(nodes()) {
                    let key = keys[node * width + head..].first_chunk::<HEAD>().expect("heads are whole");
                    let mut strands = [0.0f32; 16];
                    for (q, k) in query.as_chunks::<16>().0.iter().zip(key.as_chunks::<16>().0) {
                        (0..16).for_each(|i| strands[i] += q[i] * k[i]);
                    }
                    *score = strands.iter().sum();
                }
            },
        );
        let count = scores.len();
        soft_max(scores, count, 1.0 / (HEAD as f32).sqrt());
        let out: &mut [f32; HEAD] = out[head..].first_chunk_mut().expect("heads are whole");
        out.fill(0.0);
        with_vectors(
            #[inline(always)]
            || {
                for (score, node) in scores.iter().zip(nodes()) {
                    let value = values[node * width + head..].first_chunk::<HEAD>().expect("heads are whole");
                    (0..HEAD).for_each(|i| out[i] += score * value[i]);
                }
            },
        );
    }
}
