//! Which tensors a model has, in the order of the published files. Knows nothing of reading or writing them.

use super::header::Header;
use super::weights::WeightType;

/// How a tensor is stored, whatever the model's weight type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Vectors and positions: f32 always.
    Single,
    /// Convolutions: f16 always.
    Conv,
    /// Matrices: in the weight type of the model.
    Matrix,
}

/// One tensor that a header demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub name: String,
    /// Outermost first; files have it the other way round.
    pub shape: Vec<u32>,
    pub kind: Kind,
}

impl Tensor {
    /// Number of values. Cannot overflow for a header that is plausible.
    pub fn values(&self) -> u64 {
        self.shape.iter().map(|&n| u64::from(n)).product()
    }

    /// ggml's number of the type it is stored in.
    pub fn stored_type(&self, weights: WeightType) -> i32 {
        match self.kind {
            Kind::Single => 0,
            Kind::Conv => 1,
            Kind::Matrix => weights.tensor_type(),
        }
    }

    /// Bytes of its data in a file.
    pub fn bytes(&self, weights: WeightType) -> u64 {
        match self.kind {
            Kind::Single => self.values() * 4,
            Kind::Conv => self.values() * 2,
            Kind::Matrix => self.values() / weights.block_values() * weights.block_bytes(),
        }
    }

    /// Bytes of what stands before its data: dimensions, name, type, shape.
    pub fn head_bytes(&self) -> u64 {
        12 + 4 * self.shape.len() as u64 + self.name.len() as u64
    }
}

/// All tensors that a plausible header demands, in the order in which the published files have them.
pub(super) fn demanded(h: &Header) -> Vec<Tensor> {
    let d = h.n_audio_state;
    let mut list =
        List(Vec::with_capacity(11 + 24 * h.n_text_layer as usize + 15 * h.n_audio_layer as usize));
    list.add("decoder.positional_embedding", &[h.n_text_ctx, d], Kind::Single);
    list.add("encoder.positional_embedding", &[h.n_audio_ctx, d], Kind::Single);
    list.add("decoder.token_embedding.weight", &[h.n_vocab, d], Kind::Matrix);
    for i in 0..h.n_text_layer {
        list.block(&format!("decoder.blocks.{i}"), d);
        list.attention(&format!("decoder.blocks.{i}.cross_attn"), d);
    }
    list.pair("decoder.ln", &[d], Kind::Single);
    for (conv, inputs) in [("encoder.conv1", h.n_mels), ("encoder.conv2", d)] {
        list.add(&format!("{conv}.weight"), &[d, inputs, 3], Kind::Conv);
        list.add(&format!("{conv}.bias"), &[d, 1], Kind::Single);
    }
    for i in 0..h.n_audio_layer {
        list.block(&format!("encoder.blocks.{i}"), d);
    }
    list.pair("encoder.ln_post", &[d], Kind::Single);
    list.0
}

struct List(Vec<Tensor>);

impl List {
    fn add(&mut self, name: &str, shape: &[u32], kind: Kind) {
        self.0.push(Tensor { name: name.to_owned(), shape: shape.to_owned(), kind });
    }

    /// A weight of the given shape and a bias as long as its rows are many.
    fn pair(&mut self, name: &str, shape: &[u32], kind: Kind) {
        self.add(&format!("{name}.weight"), shape, kind);
        self.add(&format!("{name}.bias"), &shape[..1], Kind::Single);
    }

    fn block(&mut self, at: &str, d: u32) {
        self.pair(&format!("{at}.mlp_ln"), &[d], Kind::Single);
        self.pair(&format!("{at}.mlp.0"), &[4 * d, d], Kind::Matrix);
        self.pair(&format!("{at}.mlp.2"), &[d, 4 * d], Kind::Matrix);
        self.attention(&format!("{at}.attn"), d);
    }

    /// Norm, query, key, value, out; keys have no bias.
    fn attention(&mut self, at: &str, d: u32) {
        self.pair(&format!("{at}_ln"), &[d], Kind::Single);
        self.pair(&format!("{at}.query"), &[d, d], Kind::Matrix);
        self.add(&format!("{at}.key.weight"), &[d, d], Kind::Matrix);
        self.pair(&format!("{at}.value"), &[d, d], Kind::Matrix);
        self.pair(&format!("{at}.out"), &[d, d], Kind::Matrix);
    }
}

#[cfg(test)]
mod tests {
    use super::demanded;
    use crate::model::header::tests::header;
    use std::collections::HashSet;

    #[test]
    fn base_has_245_tensors_with_names_of_their_own() {
        let tensors = demanded(&header(51865, 8, 6, 6));
        assert_eq!(tensors.len(), 245);
        assert_eq!(tensors.iter().map(|t| &t.name).collect::<HashSet<_>>().len(), 245);
    }
}
