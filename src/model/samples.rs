//! Small models for tests: a Whisper of one layer and one head, as ggml and as CTranslate2.

use super::header::Header;
use super::header::tests::header;
use super::mapping::place;
use super::mel;
use super::tensors::{Tensor, demanded};
use super::vocabulary::LISTED;
use super::weights::WeightType;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// What to write; tests spoil it first.
pub struct Sample {
    pub header: Header,
    /// The `ftype` number as written.
    pub ftype: i32,
    pub mel: Vec<f32>,
    pub tokens: u32,
    pub(super) tensors: Vec<Tensor>,
    /// Appended at the end.
    pub rest: Vec<u8>,
}

/// A sound model of one layer.
pub fn sample(weights: WeightType) -> Sample {
    of(Header { ftype: weights, ..header(51864, 1, 1, 1) })
}

/// A sound model with that header.
pub fn of(header: Header) -> Sample {
    Sample {
        ftype: header.ftype.ftype(),
        mel: mel::filters(header.n_mels as usize),
        tokens: LISTED as u32,
        tensors: demanded(&header),
        rest: Vec::new(),
        header,
    }
}

/// Writes the sample with holes where the weights would be, so that it takes no room.
pub fn write(path: &Path, sample: &Sample) {
    write_with(path, sample, &mut |out, tensor| {
        out.seek(SeekFrom::Current(tensor.bytes(sample.header.ftype) as i64)).unwrap();
    });
}

/// Writes an f16 sample with weights that an engine can run: always the same, small, of both signs.
pub fn write_filled(path: &Path, sample: &Sample) {
    let mut seed = 1u32;
    write_with(path, sample, &mut |out, tensor| {
        for _ in 0..tensor.values() {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = (seed >> 8) as f32 / (1 << 24) as f32 - 0.5;
            match tensor.stored_type(WeightType::F16) {
                0 => out.write_all(&value.to_le_bytes()).unwrap(),
                _ => out.write_all(&half::f16::from_f32(value).to_le_bytes()).unwrap(),
            }
        }
    });
}

fn write_with(path: &Path, sample: &Sample, fill: &mut dyn FnMut(&mut BufWriter<File>, &Tensor)) {
    let mut out = BufWriter::new(File::create(path).unwrap());
    let h = &sample.header;
    out.write_all(b"lmgg").unwrap();
    let numbers = [
        h.n_vocab,
        h.n_audio_ctx,
        h.n_audio_state,
        h.n_audio_head,
        h.n_audio_layer,
        h.n_text_ctx,
        h.n_text_state,
        h.n_text_head,
        h.n_text_layer,
        h.n_mels,
        sample.ftype as u32,
        h.n_mels,
        201,
    ];
    numbers.iter().for_each(|n| out.write_all(&n.to_le_bytes()).unwrap());
    sample.mel.iter().for_each(|v| out.write_all(&v.to_le_bytes()).unwrap());
    out.write_all(&sample.tokens.to_le_bytes()).unwrap();
    (0..sample.tokens).for_each(|_| out.write_all(b"\x01\0\0\0a").unwrap());
    for tensor in &sample.tensors {
        let numbers = [tensor.shape.len() as i32, tensor.name.len() as i32, tensor.stored_type(h.ftype)];
        numbers.iter().for_each(|n| out.write_all(&n.to_le_bytes()).unwrap());
        tensor.shape.iter().rev().for_each(|n| out.write_all(&n.to_le_bytes()).unwrap());
        out.write_all(tensor.name.as_bytes()).unwrap();
        fill(&mut out, tensor);
    }
    out.write_all(&sample.rest).unwrap();
    let end = out.stream_position().unwrap();
    out.into_inner().unwrap().set_len(end).unwrap();
}

/// A variable of a CTranslate2 model: shape, number of its type, data.
pub type Variable = (Vec<u32>, u8, Vec<u8>);

/// A CTranslate2 model to write; tests spoil it first.
pub struct Ct2Sample {
    pub variables: BTreeMap<String, Variable>,
    pub aliases: Vec<(String, String)>,
    /// Lines of vocabulary.txt.
    pub tokens: Vec<String>,
}

/// A sound f16 model of one layer, English only; every weight is 0.5, the biases of keys are 0.
pub fn ct2_sample() -> Ct2Sample {
    let header = header(51864, 1, 1, 1);
    let mut variables = BTreeMap::new();
    for tensor in demanded(&header) {
        let place = place(&tensor.name).unwrap();
        let mut shape = tensor.shape.clone();
        shape.truncate(if shape.last() == Some(&1) { 1 } else { 3 });
        shape[0] *= place.of;
        let values: u32 = shape.iter().product();
        let mut data = [0x00, 0x38].repeat(values as usize);
        if place.variable.ends_with("linear_0/bias") && place.of == 3 {
            data[128..256].fill(0);
        }
        if place.variable.ends_with("/attention/linear_1/bias") {
            data[..128].fill(0);
        }
        variables.insert(place.variable, (shape, 4, data));
    }
    for side in ["encoder", "decoder"] {
        variables.insert(format!("{side}/num_heads"), (vec![], 2, vec![1, 0]));
        variables.insert(format!("{side}/pre_norm"), (vec![], 1, vec![1]));
    }
    let mut tokens = vec!["a".to_owned(); header.n_vocab as usize];
    tokens[LISTED - 1] = "<|endoftext|>".to_owned();
    let aliases = vec![("decoder/projection/weight".to_owned(), "decoder/embeddings/weight".to_owned())];
    Ct2Sample { variables, aliases, tokens }
}

/// The bytes of `model.bin`.
pub fn ct2_bytes(sample: &Ct2Sample) -> Vec<u8> {
    let mut out = Vec::new();
    let string = |out: &mut Vec<u8>, s: &str| {
        out.extend((s.len() as u16 + 1).to_le_bytes());
        out.extend(s.as_bytes());
        out.push(0);
    };
    out.extend(6u32.to_le_bytes());
    string(&mut out, "WhisperSpec");
    out.extend(3u32.to_le_bytes());
    out.extend((sample.variables.len() as u32).to_le_bytes());
    for (name, (shape, dtype, data)) in &sample.variables {
        string(&mut out, name);
        out.push(shape.len() as u8);
        shape.iter().for_each(|n| out.extend(n.to_le_bytes()));
        out.push(*dtype);
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(data);
    }
    out.extend((sample.aliases.len() as u32).to_le_bytes());
    for (alias, name) in &sample.aliases {
        string(&mut out, alias);
        string(&mut out, name);
    }
    out
}

/// Writes `model.bin` and `vocabulary.txt` into a folder.
pub fn write_ct2(folder: &Path, sample: &Ct2Sample) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("model.bin"), ct2_bytes(sample)).unwrap();
    write_vocabulary(folder, sample);
}

pub fn write_vocabulary(folder: &Path, sample: &Ct2Sample) {
    std::fs::write(folder.join("vocabulary.txt"), sample.tokens.join("\n") + "\n").unwrap();
}
