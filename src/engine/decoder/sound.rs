//! What the decoder attends to of a sound. Knows nothing of tokens.

use super::super::Error;
use super::super::encoder::math::{Into, add_to_rows, soft_max, turn};
use super::super::encoder::ready::{Columns, Form, Reading, Rows};
use super::super::encoder::{HEAD, group};
use super::Decoder;
use super::matrix::{self, BLOCK, Kind, Matrix, Store};
use std::ops::Range;

/// What the decoder attends to of a sound: keys and values of every layer and head, in bytes. Behind the last position are
/// zeros up to whole blocks.
#[derive(Default)]
pub(in crate::engine) struct Sound {
    store: Store,
    /// Of each head of each layer.
    keys: Vec<Matrix>,
    values: Vec<Matrix>,
    positions: usize,
    /// Of each token that goes through it together with others the positions that it attends to; empty: to all.
    parts: Vec<Range<usize>>,
}

impl Decoder {
    /// Makes ready what is attended to of the encoder's rows.
    pub fn attend(&self, rows: &[f32], sound: &mut Sound) -> Result<(), Error> {
        let (width, heads) = (self.width, self.width / HEAD);
        let positions = rows.len() / width;
        sound.lay_out(self.blocks.len() * heads, positions)?;
        let Sound { store, keys, values, .. } = sound;
        let form = Form::of_layers();
        let mut ready = Rows::new(form);
        ready.shape(positions, width);
        ready.put(0, 0, width, (rows, width));
        let (mut layer, mut reading, mut made) = (Columns::new(form), Reading::default(), Vec::new());
        let mut of_head = Vec::new();
        for (i, block) in self.blocks.iter().enumerate() {
            for name in ["key", "value"] {
                let at = format!("{}.cross_attn.{name}", block.at);
                layer.read(&self.weights, &format!("{at}.weight"), &mut reading)?;
                // Keys have none.
                let bias = match name {
                    "key" => None,
                    _ => Some(self.weights.vector(&format!("{at}.bias"))?),
                };
                for first in (0..width).step_by(group()) {
                    let group = first..width.min(first + group());
                    let step = group.len();
                    made.resize(positions * step, 0.0);
                    layer.product(&mut made, step, (&ready, 0..positions), group.clone(), Into::Instead);
                    if let Some(bias) = &bias {
                        add_to_rows(&mut made, &bias[group]);
                    }
                    for head in (0..step).step_by(HEAD) {
                        let (place, made) = (i * heads + (first + head) / HEAD, &made[head..]);
                        let to = match name {
                            "key" => {
                                of_head.clear();
                                made.chunks(step).for_each(|row| of_head.extend_from_slice(&row[..HEAD]));
                                &keys[place]
                            }
                            _ => {
                                turn((made, step), HEAD, positions.next_multiple_of(BLOCK), &mut of_head);
                                &values[place]
                            }
                        };
                        store.put(to, 0, &of_head);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Sound {
    /// From now on the first token of a step attends to the first part alone, and so on; to none: each to all.
    pub fn attend_to(&mut self, parts: Vec<Range<usize>>) {
        self.parts = parts;
    }

    /// Finds places for the keys and values of so many heads.
    fn lay_out(&mut self, heads: usize, positions: usize) -> Result<(), Error> {
        let mut used = 0;
        self.positions = positions;
        (self.keys, self.values) = (Vec::with_capacity(heads), Vec::with_capacity(heads));
        let padded = positions.next_multiple_of(BLOCK);
        for _ in 0..heads {
            self.keys.push(Matrix::new(padded, HEAD, Kind::Bytes, &mut used)?);
            self.values.push(Matrix::new(HEAD, padded, Kind::Bytes, &mut used)?);
        }
        self.store = Store::new(used);
        Ok(())
    }

    /// How many there are.
    pub(super) fn positions(&self) -> usize {
        self.positions
    }

    /// Attends to it, head by head, for all tokens together. `attention`: what some of them attend to is added up there, a row
    /// of positions for each.
    #[expect(clippy::too_many_arguments, reason = "parts of one desk, borrowed apart")]
    pub(super) fn listen(
        &self,
        layer: usize,
        queries: &[f32],
        width: usize,
        scores: &mut Vec<f32>,
        gathered: &mut [f32],
        room: &mut matrix::Room,
        mut attention: Option<(&[usize], &mut [f32])>,
        mixed: &mut [f32],
    ) {
        let (count, heads) = (queries.len() / width, width / HEAD);
        let padded = self.positions.next_multiple_of(BLOCK);
        scores.resize(count * padded, 0.0);
        for head in 0..heads {
            let (keys, values) = (&self.keys[layer * heads + head], &self.values[layer * heads + head]);
            let of_head = &mut gathered[..count * HEAD];
            for (to, from) in of_head.chunks_exact_mut(HEAD).zip(queries.chunks_exact(width)) {
                to.copy_from_slice(&from[head * HEAD..(head + 1) * HEAD]);
            }
            self.store.product(keys, of_head, room, scores);
            for (i, row) in scores.chunks_exact_mut(padded).enumerate() {
                let part = self.parts.get(i).cloned().unwrap_or(0..self.positions);
                row[..part.start].fill(f32::MIN);
                row[part.end..].fill(f32::MIN);
            }
            soft_max(scores, padded, 1.0 / (HEAD as f32).sqrt());
            if let Some((wanted, sums)) = &mut attention {
                for (sum, row) in sums.chunks_exact_mut(self.positions).zip(*wanted) {
                    sum.iter_mut().zip(&scores[row * padded..]).for_each(|(sum, part)| *sum += part);
                }
            }
            self.store.product(values, scores, room, of_head);
            for (to, from) in mixed.chunks_exact_mut(width).zip(of_head.chunks_exact(HEAD)) {
                to[head * HEAD..(head + 1) * HEAD].copy_from_slice(from);
            }
        }
    }
}
