//! Which CTranslate2 variable holds which tensor of a model. Knows nothing of bytes.

use super::Error;
use super::ct2::Ct2;
use super::header::Header;
use super::weights::WeightType;
use std::collections::BTreeSet;

/// Where a tensor's values are: slice `part` of `of` equal slices, along the rows of a variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub variable: String,
    pub part: u32,
    pub of: u32,
}

/// The header that a CTranslate2 model asks for. Fails when it cannot be that of a Whisper model.
pub(super) fn header(ct2: &mut Ct2, weights: WeightType) -> Result<Header, Error> {
    let (n_vocab, n_text_state) = matrix(ct2, "decoder/embeddings/weight")?;
    let (n_text_ctx, _) = matrix(ct2, "decoder/position_encodings/encodings")?;
    let (n_audio_ctx, n_audio_state) = matrix(ct2, "encoder/position_encodings/encodings")?;
    let n_mels = match ct2.variable("encoder/conv1/weight")?.shape[..] {
        [_, n_mels, 3] => n_mels,
        ref other => return Err(ct2.refuse(format!("'encoder/conv1/weight' has the shape {other:?}"))),
    };
    let header = Header {
        n_vocab,
        n_audio_ctx,
        n_audio_state,
        n_audio_head: heads(ct2, "encoder/num_heads")?,
        n_audio_layer: layers(ct2, "encoder")?,
        n_text_ctx,
        n_text_state,
        n_text_head: heads(ct2, "decoder/num_heads")?,
        n_text_layer: layers(ct2, "decoder")?,
        n_mels,
        ftype: weights,
    };
    match header.implausible() {
        None => Ok(header),
        Some(why) => Err(ct2.refuse(why)),
    }
}

fn matrix(ct2: &Ct2, name: &str) -> Result<(u32, u32), Error> {
    match ct2.variable(name)?.shape[..] {
        [rows, columns] => Ok((rows, columns)),
        ref other => Err(ct2.refuse(format!("'{name}' has the shape {other:?}, not rows and columns"))),
    }
}

fn heads(ct2: &mut Ct2, name: &str) -> Result<u32, Error> {
    let n = ct2.number(name)?;
    u32::try_from(n).map_err(|_| ct2.refuse(format!("'{name}' is {n}")))
}

/// The number of layers on a side. Fails when one before the last is missing.
fn layers(ct2: &Ct2, side: &str) -> Result<u32, Error> {
    let there: BTreeSet<u32> = ct2
        .names()
        .filter_map(|name| name.strip_prefix(side)?.strip_prefix("/layer_")?.split('/').next()?.parse().ok())
        .collect();
    match (0u32..).zip(&there).find(|(wanted, found)| wanted != *found) {
        Some((wanted, _)) => Err(ct2.refuse(format!("its {side} has no layer {wanted}"))),
        None => Ok(there.len() as u32),
    }
}

/// Where the tensor's values are in a CTranslate2 model. `None` for a name that no model has.
pub(super) fn place(tensor: &str) -> Option<Place> {
    let whole = |variable: String| Some(Place { variable, part: 0, of: 1 });
    match tensor {
        "decoder.positional_embedding" => return whole("decoder/position_encodings/encodings".into()),
        "encoder.positional_embedding" => return whole("encoder/position_encodings/encodings".into()),
        "decoder.token_embedding.weight" => return whole("decoder/embeddings/weight".into()),
        _ => {}
    }
    let (owner, what) = tensor.rsplit_once('.')?;
    let norm = if what == "weight" { "gamma" } else { "beta" };
    match owner {
        "decoder.ln" => return whole(format!("decoder/layer_norm/{norm}")),
        "encoder.ln_post" => return whole(format!("encoder/layer_norm/{norm}")),
        "encoder.conv1" | "encoder.conv2" => return whole(format!("{}/{what}", owner.replace('.', "/"))),
        _ => {}
    }
    let (side, rest) = owner.split_once(".blocks.")?;
    let (layer, module) = rest.split_once('.')?;
    let (path, part, of) = match module {
        "attn.query" => ("self_attention/linear_0", 0, 3),
        "attn.key" => ("self_attention/linear_0", 1, 3),
        "attn.value" => ("self_attention/linear_0", 2, 3),
        "attn.out" => ("self_attention/linear_1", 0, 1),
        "cross_attn.query" => ("attention/linear_0", 0, 1),
        "cross_attn.key" => ("attention/linear_1", 0, 2),
        "cross_attn.value" => ("attention/linear_1", 1, 2),
        "cross_attn.out" => ("attention/linear_2", 0, 1),
        "mlp.0" => ("ffn/linear_0", 0, 1),
        "mlp.2" => ("ffn/linear_1", 0, 1),
        "attn_ln" => ("self_attention/layer_norm", 0, 1),
        "cross_attn_ln" => ("attention/layer_norm", 0, 1),
        "mlp_ln" => ("ffn/layer_norm", 0, 1),
        _ => return None,
    };
    let what = if module.ends_with("_ln") { norm } else { what };
    Some(Place { variable: format!("{side}/layer_{layer}/{path}/{what}"), part, of })
}

/// The biases of keys, which must be zero because the model file has no place for them.
pub(super) fn key_biases(h: &Header) -> Vec<Place> {
    let own = |side: &'static str, n: u32| {
        (0..n).map(move |i| Place {
            variable: format!("{side}/layer_{i}/self_attention/linear_0/bias"),
            part: 1,
            of: 3,
        })
    };
    let cross = (0..h.n_text_layer).map(|i| Place {
        variable: format!("decoder/layer_{i}/attention/linear_1/bias"),
        part: 0,
        of: 2,
    });
    own("encoder", h.n_audio_layer).chain(own("decoder", h.n_text_layer)).chain(cross).collect()
}

#[cfg(test)]
mod tests {
    use super::place;
    use crate::model::header::tests::header;
    use crate::model::tensors::demanded;
    use std::collections::HashSet;

    #[test]
    fn every_tensor_has_a_place_of_its_own() {
        let tensors = demanded(&header(51865, 8, 2, 3));
        let places: HashSet<_> =
            tensors.iter().map(|t| place(&t.name).unwrap()).map(|p| (p.variable, p.part)).collect();
        assert_eq!(places.len(), tensors.len());
    }

    #[test]
    fn fused_rows_are_told_apart() {
        let place = place("decoder.blocks.11.cross_attn.value.bias").unwrap();
        assert_eq!(
            (place.variable.as_str(), place.part, place.of),
            ("decoder/layer_11/attention/linear_1/bias", 1, 2)
        );
    }
}
