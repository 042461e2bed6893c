//! Checks a model file from its first byte to its last before whisper.cpp sees it. Reads no weights.

use super::Error;
use super::header::Header;
use super::joined::{Bounded, Fault, open};
use super::mel::BINS;
use super::tensors::{Tensor, demanded};
use super::weights::WeightType;
use super::write::MAGIC;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// Tokens that any converter lists at least; see `vocabulary`.
const FEWEST_TOKENS: u32 = 50256;
/// Bytes of the longest token that is believed; real ones stay under 150.
const LONGEST_TOKEN: u32 = 1024;

/// What was found in a whole file.
pub(super) struct Plan {
    pub header: Header,
    /// Bytes from the mel block to the last token, between header and tensors.
    pub prologue: std::ops::Range<u64>,
    /// Each tensor in the order of `demanded`, with the place of its data.
    pub tensors: Vec<(Tensor, u64)>,
}

/// Checks the whole structure of a model file: kind, header, mel filters, vocabulary, each tensor's name, type
/// and shape against what the header demands, and that nothing is missing, double or left over at its end.
///
/// Reads a few hundred kilobytes, whatever the size. Fails when whisper.cpp would fail, abort or read rubbish.
pub fn check(path: &Path) -> Result<Header, Error> {
    Ok(plan(path)?.1.header)
}

/// A tensor in the file: name, ggml's type, sides (outermost first), bytes.
pub type Placed = (String, u32, Vec<usize>, std::ops::Range<usize>);

/// As [`check`], with the places of the mel filters (`mel_filters`) and of all tensors.
pub fn parts(path: &Path) -> Result<Vec<Placed>, Error> {
    let plan = plan(path)?.1;
    let weights = plan.header.ftype;
    let part = |tensor: &Tensor, at: u64| {
        let shape = tensor.shape.iter().map(|n| *n as usize).collect();
        let place = at as usize..(at + tensor.bytes(weights)) as usize;
        (tensor.name.clone(), tensor.stored_type(weights) as u32, shape, place)
    };
    let bands = plan.header.n_mels as usize;
    // Two counts stand before the filters.
    let filters = plan.prologue.start as usize + 8;
    let vocabulary = filters + bands * BINS * 4;
    let mel = ("mel_filters".to_owned(), 0, vec![bands, BINS], filters..vocabulary);
    // A count, then each token's length and bytes.
    let end = plan.prologue.end as usize;
    let vocabulary = ("vocabulary".to_owned(), 0, vec![end - vocabulary], vocabulary..end);
    Ok([mel, vocabulary]
        .into_iter()
        .chain(plan.tensors.iter().map(|(tensor, at)| part(tensor, *at)))
        .collect())
}

/// As [`check`], with the file and the places of all its parts.
pub(super) fn plan(path: &Path) -> Result<(Bounded<File>, Plan), Error> {
    let (file, len) = open(path).map_err(Error::io("read", path))?;
    let mut reader = Bounded::new(file, len);
    let plan = read(&mut reader, path)?;
    Ok((reader, plan))
}

/// Names files that people take for models. `start`: the first bytes of the file.
pub(super) fn foreign(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let import = "give the folder it came in to `transcriptord model import`";
    let other = "download or import a Whisper model";
    let lower = start.to_ascii_lowercase();
    let text = lower.trim_ascii_start();
    match start {
        [] => Some(("empty", "delete it and get the model again")),
        _ if start.starts_with(b"lmgg\x0a\0\0\0silero") => Some(("a voice detector (Silero)", other)),
        _ if start.starts_with(b"GGUF") => Some(("a GGUF file, a model for llama.cpp", other)),
        _ if start.starts_with(b"tjgg") || start.starts_with(b"fmgg") => {
            Some(("an old language model", other))
        }
        _ if start.starts_with(b"PK\x03\x04") || start.starts_with(b"\x80\x02") => {
            Some(("a PyTorch checkpoint", "get the same model in ggml or faster-whisper form"))
        }
        _ if start.get(8..10) == Some(b"{\"") => {
            Some(("a safetensors file", "get the same model in ggml or faster-whisper form"))
        }
        _ if start.get(4..17) == Some(b"\x0c\0WhisperSpec") => Some(("a CTranslate2 model", import)),
        _ if text.starts_with(b"<!doctype") || text.starts_with(b"<html") => {
            Some(("a web page", "the download was answered with a page instead of the file: get it again"))
        }
        _ if start.starts_with(b"version https://git-lfs") => Some((
            "a pointer of Git LFS",
            "run `git lfs pull` where it came from, or download the file itself",
        )),
        _ => None,
    }
}

fn read<R: Read + Seek>(reader: &mut Bounded<R>, path: &Path) -> Result<Plan, Error> {
    let mut checker = Checker { reader, path };
    checker.kind()?;
    let header = checker.header()?;
    let start = checker.reader.at();
    checker.mel(&header)?;
    checker.vocabulary(&header)?;
    let prologue = start..checker.reader.at();
    let tensors = checker.tensors(&header)?;
    Ok(Plan { header, prologue, tensors })
}

struct Checker<'a, R> {
    reader: &'a mut Bounded<R>,
    path: &'a Path,
}

impl<R: Read + Seek> Checker<'_, R> {
    fn damaged(&self, why: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.to_owned(), why: why.into() }
    }

    fn unusable(&self, why: impl Into<String>) -> Error {
        Error::Unusable { path: self.path.to_owned(), why: why.into() }
    }

    /// Reads, and says which part of the file was being read when it ended.
    fn get<T>(
        &mut self,
        part: &str,
        read: impl FnOnce(&mut Bounded<R>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        read(self.reader).map_err(|fault| match fault {
            Fault::Short { at } => self.damaged(format!("it ends at byte {at}, inside {part}")),
            Fault::Io(source) => Error::Io { doing: "read", path: self.path.to_owned(), source },
        })
    }

    fn kind(&mut self) -> Result<(), Error> {
        let len = self.reader.left().min(64) as usize;
        let start = self.get("its first bytes", |r| r.bytes(len))?;
        if let Some((what, hint)) = foreign(&start) {
            return Err(Error::WrongKind { path: self.path.to_owned(), what, hint });
        }
        if !start.starts_with(&MAGIC.to_le_bytes()) {
            let hint = "download or import a Whisper model";
            return Err(Error::WrongKind { path: self.path.to_owned(), what: "something unknown", hint });
        }
        self.get("its first bytes", |r| r.go(MAGIC.to_le_bytes().len() as u64))
    }

    fn header(&mut self) -> Result<Header, Error> {
        let mut n = [0u32; 10];
        for n in &mut n {
            *n = self.get("its header", Bounded::u32)?;
        }
        let ftype = self.get("its header", Bounded::i32)?;
        if ftype % 1000 == 0 {
            return Err(self.unusable(
                "all its weights are f32, on which whisper.cpp aborts; convert it to f16, q8_0 or bf16",
            ));
        }
        let ftype = WeightType::from_ftype(ftype).ok_or_else(|| {
            self.unusable(format!("its weight type {ftype} is not one that can be read here"))
        })?;
        let header = Header {
            n_vocab: n[0],
            n_audio_ctx: n[1],
            n_audio_state: n[2],
            n_audio_head: n[3],
            n_audio_layer: n[4],
            n_text_ctx: n[5],
            n_text_state: n[6],
            n_text_head: n[7],
            n_text_layer: n[8],
            n_mels: n[9],
            ftype,
        };
        match header.implausible() {
            None => Ok(header),
            Some(why) => Err(self.unusable(format!("{why}; it is damaged or no Whisper model"))),
        }
    }

    fn mel(&mut self, header: &Header) -> Result<(), Error> {
        let bands = self.get("its mel filters", Bounded::u32)?;
        let bins = self.get("its mel filters", Bounded::u32)?;
        if bands != header.n_mels || bins as usize != BINS {
            return Err(self
                .damaged(format!("its mel filters are {bands} by {bins}, not {} by {BINS}", header.n_mels)));
        }
        let bytes = self.get("its mel filters", |r| r.bytes(bands as usize * BINS * 4))?;
        let (values, _) = bytes.as_chunks::<4>();
        let sound = |b: &[u8; 4]| (0.0..1.0).contains(&f32::from_le_bytes(*b));
        if values.iter().all(sound) {
            Ok(())
        } else {
            Err(self.damaged("its mel filters hold impossible values"))
        }
    }

    fn vocabulary(&mut self, header: &Header) -> Result<(), Error> {
        let count = self.get("its vocabulary", Bounded::u32)?;
        if !(FEWEST_TOKENS..=header.n_vocab).contains(&count) {
            return Err(self.damaged(format!(
                "its vocabulary lists {count} tokens, {FEWEST_TOKENS} to {} expected",
                header.n_vocab
            )));
        }
        for token in 0..count {
            let bytes = self.get("its vocabulary", Bounded::u32)?;
            if bytes > LONGEST_TOKEN {
                return Err(self.damaged(format!("its token {token} is {bytes} bytes long")));
            }
            self.get("its vocabulary", |r| r.skip(u64::from(bytes)))?;
        }
        Ok(())
    }

    fn tensors(&mut self, header: &Header) -> Result<Vec<(Tensor, u64)>, Error> {
        let demanded = demanded(header);
        let by_name: HashMap<&str, usize> =
            demanded.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
        let longest = demanded.iter().map(|t| t.name.len()).max().unwrap_or(0);
        let mut places: Vec<Option<u64>> = vec![None; demanded.len()];
        while self.reader.left() > 0 {
            let (rank, name_bytes, stored) =
                self.get("a tensor's head", |r| Ok((r.u32()?, r.u32()?, r.i32()?)))?;
            if rank > 4 || name_bytes as usize > longest {
                let at = self.reader.at() - 12;
                return Err(self.damaged(format!("what stands at byte {at} is not the head of a tensor")));
            }
            let mut shape = (0..rank)
                .map(|_| self.get("a tensor's head", Bounded::u32))
                .collect::<Result<Vec<u32>, Error>>()?;
            shape.reverse();
            let name = self.get("a tensor's head", |r| r.bytes(name_bytes as usize))?;
            let name = String::from_utf8_lossy(&name);
            let Some(&index) = by_name.get(name.as_ref()) else {
                return Err(self.damaged(format!(
                    "it has the tensor '{}', which no such model has",
                    name.escape_debug()
                )));
            };
            let tensor = &demanded[index];
            if shape != tensor.shape {
                return Err(self.damaged(format!(
                    "its tensor '{name}' has the shape {shape:?}, not {:?}",
                    tensor.shape
                )));
            }
            let wanted = tensor.stored_type(header.ftype);
            if stored != wanted {
                return Err(self.damaged(format!("its tensor '{name}' is of type {stored}, not {wanted}")));
            }
            if places[index].replace(self.reader.at()).is_some() {
                return Err(self.damaged(format!("it has the tensor '{name}' twice")));
            }
            self.get(&format!("the tensor '{name}'"), |r| r.skip(tensor.bytes(header.ftype)))?;
        }
        let missing =
            |t: &Tensor| self.damaged(format!("it lacks the tensor '{}'; it was cut short", t.name));
        let place = |(tensor, place): (Tensor, Option<u64>)| match place {
            Some(at) => Ok((tensor, at)),
            None => Err(missing(&tensor)),
        };
        demanded.into_iter().zip(places).map(place).collect()
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
