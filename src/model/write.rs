//! Writes a model file of whisper.cpp: temporary first, hashed on the way. Does not know where the values come from.

use super::Error;
use super::header::Header;
use super::quantize;
use super::tensors::{Kind, Tensor};
use super::weights::WeightType;
use sha1::{Digest, Sha1};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The first four bytes of a ggml file, as a number.
pub(super) const MAGIC: u32 = 0x6767_6d6c;

/// What unfinished files are called, so that later ones can clear them away: `.import-<pid>-<n>.tmp`.
const TEMPORARY: (&str, &str) = (".import-", ".tmp");

/// A model file in the making. Dropped unfinished, it leaves nothing behind.
pub(super) struct Output {
    file: BufWriter<File>,
    temporary: PathBuf,
    weights: WeightType,
    sha1: Sha1,
    /// The hash of the same model with f16 weights, by which a published model is known whatever is written.
    plain: Option<Sha1>,
    written: u64,
    bytes: Vec<u8>,
    plain_bytes: Vec<u8>,
}

/// SHA-1 in hex of the file and of its f16 form.
pub(super) struct Digests {
    pub sha1: String,
    pub as_f16: String,
}

impl Output {
    /// Begins a file of which `path` is the place or a neighbour; its folder is made when missing, and what a
    /// killed process left there is removed. `weights` is how matrices will be stored.
    pub fn begin(path: &Path, weights: WeightType) -> Result<Output, Error> {
        let folder = folder_of(path);
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        clear(folder);
        let (temporary, file) = create(folder)?;
        Ok(Output::over(file, temporary, weights))
    }

    fn over(file: File, temporary: PathBuf, weights: WeightType) -> Output {
        let plain = (weights != WeightType::F16).then(Sha1::new);
        Output {
            file: BufWriter::with_capacity(1 << 20, file),
            temporary,
            weights,
            sha1: Sha1::new(),
            plain,
            written: 0,
            bytes: Vec::new(),
            plain_bytes: Vec::new(),
        }
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Where it is being written.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Bytes that are the same whatever the weight type.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(plain) = &mut self.plain {
            plain.update(bytes);
        }
        self.put_own(bytes)
    }

    fn put_own(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sha1.update(bytes);
        self.file.write_all(bytes).map_err(Error::io("write", &self.temporary))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// A number that depends on the weight type.
    fn put_either(&mut self, own: i32, plain: i32) -> Result<(), Error> {
        if let Some(hash) = &mut self.plain {
            hash.update(plain.to_le_bytes());
        }
        self.put_own(&own.to_le_bytes())
    }

    /// Magic and header.
    pub fn put_header(&mut self, h: &Header) -> Result<(), Error> {
        self.put(&MAGIC.to_le_bytes())?;
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
        ];
        for n in numbers {
            self.put(&n.to_le_bytes())?;
        }
        self.put_either(self.weights.ftype(), WeightType::F16.ftype())
    }

    /// What stands before a tensor's data.
    pub fn put_tensor_head(&mut self, t: &Tensor) -> Result<(), Error> {
        self.put(&(t.shape.len() as u32).to_le_bytes())?;
        self.put(&(t.name.len() as u32).to_le_bytes())?;
        self.put_either(t.stored_type(self.weights), t.stored_type(WeightType::F16))?;
        for n in t.shape.iter().rev() {
            self.put(&n.to_le_bytes())?;
        }
        self.put(t.name.as_bytes())
    }

    /// Some of a tensor's values, whole blocks of them, all finite. `halves` are the same as f16, where the caller
    /// has them.
    pub fn put_values(&mut self, kind: Kind, values: &[f32], halves: Option<&[u8]>) -> Result<(), Error> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let outcome = match kind {
            Kind::Single => {
                quantize::f32_bytes(values, &mut bytes);
                self.put(&bytes)
            }
            Kind::Conv => match halves {
                Some(halves) => self.put(halves),
                None => {
                    quantize::f16_bytes(values, &mut bytes);
                    self.put(&bytes)
                }
            },
            Kind::Matrix => self.put_matrix(values, halves, &mut bytes),
        };
        self.bytes = bytes;
        outcome
    }

    fn put_matrix(
        &mut self,
        values: &[f32],
        halves: Option<&[u8]>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if let (Some(halves), WeightType::F16) = (halves, self.weights) {
            return self.put(halves);
        }
        if !quantize::matrix_bytes(values, self.weights, bytes) {
            return Err(Error::NotWritable(self.weights));
        }
        if let Some(plain) = &mut self.plain {
            let halves = halves.unwrap_or_else(|| {
                self.plain_bytes.clear();
                quantize::f16_bytes(values, &mut self.plain_bytes);
                &self.plain_bytes
            });
            plain.update(halves);
        }
        self.put_own(bytes)
    }

    /// Makes sure that all is on the disk; the file still has its temporary name.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(Error::io("write", &self.temporary))?;
        self.file.get_ref().sync_all().map_err(Error::io("write", &self.temporary))
    }

    /// The hashes of what was written.
    pub fn digests(&self) -> Digests {
        let sha1 = hex(self.sha1.clone());
        let as_f16 = self.plain.clone().map_or_else(|| sha1.clone(), hex);
        Digests { sha1, as_f16 }
    }

    /// Gives the synced file its name, in one step, in place of an older one.
    pub fn finish(self, target: &Path) -> Result<(), Error> {
        place(&self.temporary, target)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // After `finish` there is nothing of that name any more.
        fs::remove_file(&self.temporary).ok();
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Renames, and makes the new name last through a power cut.
pub(super) fn place(temporary: &Path, target: &Path) -> Result<(), Error> {
    fs::rename(temporary, target).map_err(Error::io("put the model at", target))?;
    let folder = folder_of(target);
    File::open(folder).and_then(|f| f.sync_all()).map_err(Error::io("sync the folder", folder))
}

fn create(folder: &Path) -> Result<(PathBuf, File), Error> {
    let mut n = 0u32;
    loop {
        let path = folder.join(format!("{}{}-{n}{}", TEMPORARY.0, std::process::id(), TEMPORARY.1));
        match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => {
                // The lock says that its writer lives; a file system without locks does without.
                file.try_lock().ok();
                return Ok((path, file));
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
            Err(e) => return Err(Error::io("write", &path)(e)),
        }
    }
}

/// Removes temporary files whose writer is gone.
fn clear(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let left_over = name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1);
        if left_over && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// A SHA-1 as 40 hex digits.
pub(super) fn hex(hash: Sha1) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Output, WeightType};
    use std::fs::{self, File};

    #[test]
    fn a_file_that_takes_nothing_more_says_so_and_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        let temporary = dir.path().join(".import-1-0.tmp");
        fs::write(&temporary, "").unwrap();
        // Open for reading only: every write to it fails, on any system and for any user.
        let shut = File::open(&temporary).unwrap();
        let mut output = Output::over(shut, temporary.clone(), WeightType::F16);
        let error = output.put(&[0; 2 << 20]).and_then(|()| output.sync()).unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.contains(".import-1-0.tmp"), "{error}");
        drop(output);
        assert!(!temporary.exists());
    }

    #[test]
    fn an_unfinished_file_goes_away_and_a_finished_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new/ggml-x.bin");
        let mut output = Output::begin(&target, WeightType::F16).unwrap();
        output.put(b"one").unwrap();
        drop(output);
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 0);
        let mut output = Output::begin(&target, WeightType::F16).unwrap();
        output.put(b"two").unwrap();
        output.sync().unwrap();
        output.finish(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"two");
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn two_at_a_time_do_not_disturb_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("ggml-x.bin");
        let one = Output::begin(&target, WeightType::F16).unwrap();
        let two = Output::begin(&target, WeightType::F16).unwrap();
        assert!(one.temporary().exists() && two.temporary().exists());
        assert_ne!(one.temporary(), two.temporary());
    }
}
