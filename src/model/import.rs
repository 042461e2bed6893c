//! Brings models in from disk: faster-whisper folders, parts of them, ggml files. Knows nothing of downloads.

use super::Error;
use super::catalogue::by_sha1;
use super::check::check;
use super::convert;
use super::ct2::{Ct2, Dtype};
use super::gather::{Found, gather};
use super::header::Header;
use super::mapping::{self, Place};
use super::tensors::{Kind, Tensor, demanded};
use super::weights::WeightType;
use super::write::Output;
use super::{mel, naming, vocabulary};
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use std::path::{Path, PathBuf};

/// Values held in memory at a time; a multiple of every block.
pub(super) const CHUNK: u64 = 1 << 18;

/// A model that was brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub path: PathBuf,
    pub name: String,
    /// Of the file as it is now, hex.
    pub sha1: String,
    /// True when the file is one of whisper.cpp's published files, byte for byte.
    pub published: bool,
    /// The published model whose weights these are, also where nobody publishes them in this weight type.
    pub stock: Option<&'static str>,
}

/// Brings a model into the models folder `dir`, as `ggml-NAME.bin`, and checks it against the published SHA-1s.
///
/// `from`: a CTranslate2 (faster-whisper) folder, several folders or files that hold the parts `model.bin.part1`,
/// `.part2`, ... of one, or one ggml file. `weights` is how the matrices are stored; a ggml file whose type is
/// another is converted from f16, and a quantised one is taken as it is when f16 is asked for. Without `name`
/// the model is called what it is. `progress` hears of bytes done and in all.
///
/// The file gets its name when it is whole and synced, in place of an older one of that name. Fails when the source
/// is no Whisper model, is incomplete or already quantised by CTranslate2, and when the disk is full; nothing is left.
pub fn import(
    from: &[PathBuf],
    dir: &Path,
    name: Option<&str>,
    weights: WeightType,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Imported, Error> {
    if !weights.is_writable() {
        return Err(Error::NotWritable(weights));
    }
    match gather(from)? {
        Found::Ggml(file) => convert::bring(&file, dir, name, weights, progress),
        Found::Ct2 { at, parts, folders } => {
            let ct2 = Ct2::open(&at, &parts)?;
            let (output, header) = rewrite(ct2, &folders, dir, weights, progress)?;
            keep(output, &header, dir, name, || naming::of_folder(&at, &header))
        }
    }
}

/// Checks the written file, decides its name and puts it there. `own` names a model that is not published.
pub(super) fn keep(
    mut output: Output,
    header: &Header,
    dir: &Path,
    name: Option<&str>,
    own: impl FnOnce() -> String,
) -> Result<Imported, Error> {
    output.sync()?;
    check(output.temporary())?;
    let digests = output.digests();
    let published = by_sha1(&digests.sha1);
    let stock = by_sha1(&digests.as_f16).or(published).map(|model| naming::without_type(model.name));
    let name = match (name, stock) {
        (Some(name), _) => name.to_owned(),
        (None, Some(name)) => name.to_owned(),
        (None, None) => own(),
    };
    let name = naming::with_type(&name, header.ftype);
    let path = naming::path(dir, &name)?;
    output.finish(&path)?;
    Ok(Imported { path, name, sha1: digests.sha1, published: published.is_some(), stock })
}

/// Writes the whole ggml file under a temporary name.
fn rewrite(
    mut ct2: Ct2,
    folders: &[PathBuf],
    dir: &Path,
    weights: WeightType,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Output, Header), Error> {
    let header = mapping::header(&mut ct2, weights)?;
    if ct2.has_own("decoder/projection/weight") {
        return Err(ct2.refuse("its output has weights of its own, for which a ggml model has no place"));
    }
    let tokens = vocabulary::load(folders, header.n_vocab)?;
    for place in mapping::key_biases(&header) {
        let source = slice(&ct2, &place, &[header.n_text_state])?;
        let mut zero = true;
        each(&mut ct2, &source, &mut |_, values| {
            zero &= values.iter().all(|v| *v == 0.0);
            Ok(())
        })?;
        if !zero {
            return Err(ct2.refuse("its keys have a bias, for which a ggml model has no place"));
        }
    }
    let tensors = demanded(&header);
    let mel = mel::filters(header.n_mels as usize);
    let tokens_bytes: u64 = tokens.iter().map(|t| 4 + t.len() as u64).sum();
    let tensor_bytes: u64 = tensors.iter().map(|t| t.head_bytes() + t.bytes(weights)).sum();
    let total = 56 + mel.len() as u64 * 4 + 4 + tokens_bytes + tensor_bytes;

    let mut output = Output::begin(&dir.join("model"), weights)?;
    output.put_header(&header)?;
    output.put(&header.n_mels.to_le_bytes())?;
    output.put(&(mel::BINS as u32).to_le_bytes())?;
    output.put_values(Kind::Single, &mel, None)?;
    output.put(&(tokens.len() as u32).to_le_bytes())?;
    for token in &tokens {
        output.put(&(token.len() as u32).to_le_bytes())?;
        output.put(token)?;
    }
    for tensor in &tensors {
        output.put_tensor_head(tensor)?;
        let source = source(&ct2, tensor)?;
        each(&mut ct2, &source, &mut |bytes, values| {
            // What is f16 on both sides is copied bit by bit.
            output.put_values(tensor.kind, values, (source.dtype == Dtype::F16).then_some(bytes))?;
            progress(output.written(), total);
            Ok(())
        })?;
    }
    Ok((output, header))
}

/// Values that follow each other in the source.
struct Slice {
    variable: String,
    dtype: Dtype,
    offset: u64,
    values: u64,
}

/// Where the values of a tensor are, its shape checked.
fn source(ct2: &Ct2, tensor: &Tensor) -> Result<Slice, Error> {
    let place = mapping::place(&tensor.name)
        .ok_or_else(|| ct2.refuse(format!("nothing is known to hold '{}'", tensor.name)))?;
    // The biases of convolutions have a second dimension of one in ggml alone.
    let shape = match tensor.shape.as_slice() {
        [rows, 1] => &[*rows],
        shape => shape,
    };
    slice(ct2, &place, shape)
}

fn slice(ct2: &Ct2, place: &Place, shape: &[u32]) -> Result<Slice, Error> {
    let name = &place.variable;
    let variable = ct2.variable(name)?;
    if matches!(variable.dtype, Dtype::I8 | Dtype::I16 | Dtype::I32) {
        return Err(ct2.refuse(
            "its weights are whole numbers (int8 or int16), so their precision is gone; import the float16 or float32 \
             form of the model and let `--weights q8_0` make it small",
        ));
    }
    let wanted: Vec<u32> =
        shape.iter().enumerate().map(|(i, &n)| if i == 0 { n.saturating_mul(place.of) } else { n }).collect();
    if variable.shape != wanted {
        return Err(ct2.refuse(format!("'{name}' has the shape {:?}, not {wanted:?}", variable.shape)));
    }
    let values: u64 = shape.iter().map(|&n| u64::from(n)).product();
    let offset = variable.offset + u64::from(place.part) * values * variable.dtype.bytes();
    Ok(Slice { variable: name.clone(), dtype: variable.dtype, offset, values })
}

/// What is done with a chunk: its bytes as stored, and its values.
type With<'a> = &'a mut dyn FnMut(&[u8], &[f32]) -> Result<(), Error>;

/// Calls `with` for each chunk: its bytes and its values. Fails when a value is no number.
fn each(ct2: &mut Ct2, source: &Slice, with: With<'_>) -> Result<(), Error> {
    let size = source.dtype.bytes();
    let mut done = 0;
    let mut values = Vec::new();
    while done < source.values {
        let count = CHUNK.min(source.values - done);
        let bytes = ct2.read(source.offset + done * size, (count * size) as usize)?;
        widen(&bytes, source.dtype, &mut values);
        if !values.iter().all(|v| v.is_finite()) {
            return Err(ct2.refuse(format!("'{}' holds values that are not numbers", source.variable)));
        }
        with(&bytes, &values)?;
        done += count;
    }
    Ok(())
}

/// Little-endian floats of any width as f32, exactly.
fn widen(bytes: &[u8], dtype: Dtype, values: &mut Vec<f32>) {
    values.clear();
    match dtype {
        Dtype::F32 => values.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
        Dtype::Bf16 => {
            let wide = |b: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
            values.extend(bytes.as_chunks::<2>().0.iter().map(wide));
        }
        _ => widen_f16(bytes, values),
    }
}

/// f16 as f32, exactly.
pub(super) fn widen_f16(bytes: &[u8], values: &mut Vec<f32>) {
    let halves: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
    values.clear();
    values.resize(halves.len(), 0.0);
    halves.reinterpret_cast::<f16>().convert_to_f32_slice(values);
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
