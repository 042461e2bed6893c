//! Copies ggml model files in, and stores their matrices another way. Knows nothing of other formats.

use super::Error;
use super::catalogue::by_sha1;
use super::check::{Plan, check, plan};
use super::header::Header;
use super::import::{CHUNK, Imported, keep, widen_f16};
use super::joined::{Bounded, Fault};
use super::naming;
use super::tensors::Kind;
use super::weights::WeightType;
use super::write::{Digests, Output};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Bytes copied at a time.
const COPY: u64 = 1 << 20;

/// A model file that was written with other weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    pub path: PathBuf,
    /// Of the new file, hex.
    pub sha1: String,
    /// The published model that the new file is, byte for byte.
    pub published: Option<&'static str>,
    /// SHA-1 of the file it was made from, hex.
    pub as_f16: String,
}

/// Writes the f16 model file `ggml` again as `out`, its matrices in another type.
///
/// Fails when `ggml` does not pass [`check`](super::check()) or is quantised already, and for types that cannot be made.
pub fn convert(ggml: &Path, to: WeightType, out: &Path) -> Result<Converted, Error> {
    let mut source = Source::open(ggml)?;
    let mut output = source.rewrite(to, out, &mut |_, _| {})?;
    output.sync()?;
    check(output.temporary())?;
    let Digests { sha1, as_f16 } = output.digests();
    output.finish(out)?;
    let published = by_sha1(&sha1).map(|model| model.name);
    Ok(Converted { path: out.to_owned(), sha1, published, as_f16 })
}

/// The ggml half of `import`: the file is copied when it has the type asked for, converted from f16 when not.
/// A quantised file is taken as it is when f16, which cannot be had from it, is asked for.
pub(super) fn bring(
    ggml: &Path,
    dir: &Path,
    name: Option<&str>,
    weights: WeightType,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Imported, Error> {
    let mut source = Source::open(ggml)?;
    let has = source.plan.header.ftype;
    let near = dir.join("model");
    let output = if has == weights || weights == WeightType::F16 {
        source.copy(&near, progress)?
    } else {
        source.rewrite(weights, &near, progress)?
    };
    let ftype = if has == WeightType::F16 { weights } else { has };
    let header = Header { ftype, ..source.plan.header };
    keep(output, &header, dir, name, || naming::name(ggml))
}

struct Source<'a> {
    path: &'a Path,
    reader: Bounded<File>,
    plan: Plan,
}

impl Source<'_> {
    fn open(path: &Path) -> Result<Source<'_>, Error> {
        let (reader, plan) = plan(path)?;
        Ok(Source { path, reader, plan })
    }

    fn read(&mut self, at: u64, bytes: u64) -> Result<Vec<u8>, Error> {
        self.reader.go(at).and_then(|()| self.reader.bytes(bytes as usize)).map_err(|fault| match fault {
            Fault::Short { .. } => Error::Damaged {
                path: self.path.to_owned(),
                why: "it became shorter while it was read".into(),
            },
            Fault::Io(source) => Error::Io { doing: "read", path: self.path.to_owned(), source },
        })
    }

    /// Copies bytes as they are.
    fn pass(
        &mut self,
        mut at: u64,
        end: u64,
        with: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        while at < end {
            let bytes = self.read(at, COPY.min(end - at))?;
            with(&bytes)?;
            at += bytes.len() as u64;
        }
        Ok(())
    }

    fn copy(&mut self, near: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Output, Error> {
        // As far as the writer is concerned these are bytes, so no other form is hashed beside them.
        let mut output = Output::begin(near, WeightType::F16)?;
        let total = self.reader.at() + self.reader.left();
        self.pass(0, total, &mut |bytes| {
            output.put(bytes)?;
            progress(output.written(), total);
            Ok(())
        })?;
        Ok(output)
    }

    fn rewrite(
        &mut self,
        to: WeightType,
        near: &Path,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Output, Error> {
        if !to.is_writable() {
            return Err(Error::NotWritable(to));
        }
        let from = self.plan.header.ftype;
        if from != WeightType::F16 {
            let why = format!(
                "its weights are {from} already; {to} can be made from the f16 form of the model alone"
            );
            return Err(Error::Unusable { path: self.path.to_owned(), why });
        }
        let tensors = std::mem::take(&mut self.plan.tensors);
        let prologue = self.plan.prologue.clone();
        let total = prologue.end + tensors.iter().map(|(t, _)| t.head_bytes() + t.bytes(to)).sum::<u64>();
        let mut output = Output::begin(near, to)?;
        output.put_header(&self.plan.header)?;
        self.pass(prologue.start, prologue.end, &mut |bytes| output.put(bytes))?;
        let mut values = Vec::new();
        for (tensor, at) in &tensors {
            output.put_tensor_head(tensor)?;
            let end = at + tensor.bytes(from);
            if tensor.kind != Kind::Matrix {
                self.pass(*at, end, &mut |bytes| output.put(bytes))?;
                continue;
            }
            let mut at = *at;
            while at < end {
                let bytes = self.read(at, (CHUNK * 2).min(end - at))?;
                widen_f16(&bytes, &mut values);
                if !values.iter().all(|v| v.is_finite()) {
                    let why = format!("its tensor '{}' holds values that are not numbers", tensor.name);
                    return Err(Error::Damaged { path: self.path.to_owned(), why });
                }
                output.put_values(tensor.kind, &values, Some(&bytes))?;
                at += bytes.len() as u64;
                progress(output.written(), total);
            }
        }
        Ok(output)
    }
}
