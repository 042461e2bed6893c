//! The tokens that were gone through, and how a token attends to those before it. Knows nothing of weights.

use super::super::encoder::HEAD;
use super::super::encoder::math::{soft_max, with_vectors};

/// Nodes that room is made for at once.
const MORE_NODES: usize = 64;

/// The tokens that were gone through, as nodes with their keys and values.
#[derive(Default)]
pub(in crate::engine) struct Said {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    pub(super) nodes: usize,
}

impl Said {
    /// Room for so many layers.
    pub(super) fn prepare(&mut self, layers: usize) {
        self.keys.resize_with(layers, Vec::new);
        self.values.resize_with(layers, Vec::new);
    }

    /// Adds the keys and values of new nodes in a layer, in place of what stood behind the nodes there are.
    pub(super) fn add(&mut self, layer: usize, keys: &[f32], values: &[f32], width: usize) {
        for (all, new) in [(&mut self.keys[layer], keys), (&mut self.values[layer], values)] {
            all.truncate(self.nodes * width);
            if all.capacity() - all.len() < new.len() {
                all.reserve_exact(new.len().max(MORE_NODES * width));
            }
            all.extend_from_slice(new);
        }
    }

    /// Attends in a layer to a path of nodes and the node behind it.
    pub(super) fn attend(
        &self,
        layer: usize,
        query: &[f32],
        way: (&[u32], u32),
        scores: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        look_back(query, (&self.keys[layer], &self.values[layer]), way, scores, out);
    }

    /// Keeps these nodes alone, which ascend, and numbers them anew in their order.
    pub(super) fn keep(&mut self, nodes: &[u32], width: usize) {
        for all in self.keys.iter_mut().chain(&mut self.values) {
            for (to, from) in nodes.iter().map(|&node| node as usize * width).enumerate() {
                all.copy_within(from..from + width, to * width);
            }
            all.truncate(nodes.len() * width);
        }
        self.nodes = nodes.len();
    }

    /// Forgets all tokens.
    pub fn clear(&mut self) {
        self.nodes = 0;
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes
    }
}

/// Attends to a path of nodes and the node behind it.
fn look_back(
    query: &[f32],
    (keys, values): (&[f32], &[f32]),
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
