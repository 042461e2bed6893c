//! The encoder's weights where they lie, in the mapped model file. Knows the format of no file: it is told the places.

use super::super::{Error, Part};
use memmap2::Mmap;
use std::fs::File;
use std::path::Path;
use whisper_rs::whisper_rs_sys;

/// A model file in the address space, not in memory: its pages come when they are read and go when memory is short.
pub(in crate::engine) struct Weights {
    file: Mmap,
    parts: Vec<Part>,
}

impl Weights {
    /// `parts`: where `model::parts` found them in this very file.
    pub fn open(path: &Path, parts: Vec<Part>) -> Result<Weights, Error> {
        let failed = |why: String| Error::Load(path.display().to_string(), why);
        let file = File::open(path).map_err(|e| failed(e.to_string()))?;
        // SAFETY: a file that another program cut short while it is mapped would end this process (SIGBUS). Model files
        // are replaced by renaming, never written in place, and the process that holds them is a worker's.
        let file = unsafe { Mmap::map(&file) }.map_err(|e| failed(e.to_string()))?;
        match parts.iter().find(|part| part.place.end > file.len()) {
            Some(part) => Err(failed(format!("it ends inside {}", part.name))),
            None => Ok(Weights { file, parts }),
        }
    }

    /// How many parts have names that begin so.
    pub fn count(&self, prefix: &str) -> usize {
        self.parts.iter().filter(|part| part.name.starts_with(prefix)).count()
    }

    /// The lengths of a part's sides, outermost first.
    pub fn shape(&self, name: &str) -> Result<&[usize], Error> {
        Ok(&self.part(name)?.shape)
    }

    /// Writes the numbers of a part as f32 to `out`, which becomes as long as they are many.
    pub fn read(&self, name: &str, room: &mut Room, out: &mut Vec<f32>) -> Result<(), Error> {
        let part = self.part(name)?;
        let bytes = &self.file[part.place.clone()];
        let values: usize = part.shape.iter().product();
        out.resize(values, 0.0);
        // To where a block may begin: in the file it stands anywhere.
        room.0.resize(bytes.len().div_ceil(8), 0);
        let aligned: &mut [u8] = bytemuck::cast_slice_mut(&mut room.0);
        aligned[..bytes.len()].copy_from_slice(bytes);
        if part.ggml_type == 0 {
            let (numbers, _) = aligned[..bytes.len()].as_chunks::<4>();
            out.iter_mut().zip(numbers).for_each(|(v, b)| *v = f32::from_le_bytes(*b));
            return Ok(());
        }
        // SAFETY: the traits of a type that `model::check` has passed exist for ever; the block holds as many values
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

    /// As [`Weights::read`], for what is small and kept.
    pub fn vector(&self, name: &str) -> Result<Vec<f32>, Error> {
        let mut out = Vec::new();
        self.read(name, &mut Room::default(), &mut out)?;
        Ok(out)
    }

    fn part(&self, name: &str) -> Result<&Part, Error> {
        self.parts
            .iter()
            .find(|part| part.name == name)
            .ok_or_else(|| Error::Failed(format!("no {name} in the model")))
    }
}

/// Memory for the bytes of one part, used again for the next.
#[derive(Default)]
pub(in crate::engine) struct Room(Vec<u64>);
