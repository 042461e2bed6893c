//! A model's weights where they lie, in the model file. Knows the format of no file: it is told the places.

use super::super::{Error, Part};
use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use whisper_rs::whisper_rs_sys;

/// An open model file. What is read of it stands in the system's cache, which is no memory of ours: it goes when memory
/// is short, and comes back from the disk.
pub(in crate::engine) struct Weights {
    file: File,
    parts: HashMap<String, Part>,
}

impl Weights {
    /// `parts`: where `model::parts` found them in this very file.
    pub fn open(path: &Path, parts: Vec<Part>) -> Result<Weights, Error> {
        let failed = |why: String| Error::Load(path.display().to_string(), why);
        let file = File::open(path).map_err(|e| failed(e.to_string()))?;
        let bytes = file.metadata().map_err(|e| failed(e.to_string()))?.len();
        match parts.iter().find(|part| part.place.end as u64 > bytes) {
            Some(part) => Err(failed(format!("it ends inside {}", part.name))),
            None => {
                Ok(Weights { file, parts: parts.into_iter().map(|part| (part.name.clone(), part)).collect() })
            }
        }
    }

    /// How many parts have names that begin so.
    pub fn count(&self, prefix: &str) -> usize {
        self.parts.keys().filter(|name| name.starts_with(prefix)).count()
    }

    /// The lengths of a part's sides, outermost first.
    pub fn shape(&self, name: &str) -> Result<&[usize], Error> {
        Ok(&self.part(name)?.shape)
    }

    /// ggml's number of the type of a part's values.
    pub fn ggml_type(&self, name: &str) -> Result<u32, Error> {
        Ok(self.part(name)?.ggml_type)
    }

    /// Writes the numbers of a part as f32 to `out`, which becomes as long as they are many. Fails when the file cannot
    /// be read any more.
    pub fn read(&self, name: &str, room: &mut Room, out: &mut Vec<f32>) -> Result<(), Error> {
        let rows = self.part(name)?.shape.first().copied().unwrap_or(0);
        self.read_rows(name, 0..rows, room, out)
    }

    /// As [`Weights::read`], of some of its rows (the first side) alone.
    pub fn read_rows(
        &self,
        name: &str,
        rows: Range<usize>,
        room: &mut Room,
        out: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let part = self.part(name)?;
        let all = part.shape.first().copied().unwrap_or(0).max(1);
        let (of_row, row_bytes) = (part.shape.iter().product::<usize>() / all, part.place.len() / all);
        let (bytes, values) = (row_bytes * rows.len(), of_row * rows.len());
        out.resize(values, 0.0);
        let aligned = self.fetch(part.place.start + row_bytes * rows.start, bytes, room)?;
        if part.ggml_type == 0 {
            let (numbers, _) = aligned.as_chunks::<4>();
            out.iter_mut().zip(numbers).for_each(|(v, b)| *v = f32::from_le_bytes(*b));
            return Ok(());
        }
        // SAFETY: the traits of a type that `model::check` has passed exist for ever; the bytes hold as many values
        // of that type as `place` says, `out` has room for them, and both are aligned.
        unsafe {
            let traits = whisper_rs_sys::ggml_get_type_traits(part.ggml_type);
            let Some(to_float) = (*traits).to_float else {
                return Err(Error::Failed(format!("{name} cannot be read as numbers")));
            };
            to_float(aligned.as_ptr().cast(), out.as_mut_ptr(), values as i64);
        }
        Ok(())
    }

    /// The bytes of a part as they are.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, Error> {
        let place = &self.part(name)?.place;
        let mut room = Room::default();
        Ok(self.fetch(place.start, place.len(), &mut room)?.to_vec())
    }

    /// Bytes of the file, to where a block may begin: in the file it stands anywhere.
    fn fetch<'r>(&self, at: usize, bytes: usize, room: &'r mut Room) -> Result<&'r [u8], Error> {
        room.0.resize(bytes.div_ceil(8), 0);
        let aligned: &mut [u8] = bytemuck::cast_slice_mut(&mut room.0);
        self.file
            .read_exact_at(&mut aligned[..bytes], at as u64)
            .map_err(|e| Error::Failed(format!("the model file can no longer be read: {e}")))?;
        Ok(&aligned[..bytes])
    }

    /// As [`Weights::read`], for what is small and kept.
    pub fn vector(&self, name: &str) -> Result<Vec<f32>, Error> {
        let mut out = Vec::new();
        self.read(name, &mut Room::default(), &mut out)?;
        Ok(out)
    }

    fn part(&self, name: &str) -> Result<&Part, Error> {
        self.parts.get(name).ok_or_else(|| Error::Failed(format!("no {name} in the model")))
    }
}

/// Memory for the bytes of one part, used again for the next.
#[derive(Default)]
pub(in crate::engine) struct Room(Vec<u64>);
