//! Headerless s16le samples from a file. Knows nothing of containers.

use super::{Error, Pcm};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Reads a file of little-endian 16-bit samples.
pub struct Raw {
    file: File,
    path: PathBuf,
    bytes: Vec<u8>,
}

/// Opens the file at sample `from` and gives the number of samples in the whole; an odd last byte is no sample.
pub fn open(path: &Path, from: i64) -> Result<(Raw, i64), Error> {
    let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
    file.seek(SeekFrom::Start(from.max(0) as u64 * 2)).map_err(|e| Error::io(path, e))?;
    let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
    Ok((Raw { file, path: path.to_owned(), bytes: Vec::new() }, (length / 2) as i64))
}

impl Pcm for Raw {
    fn read(&mut self, out: &mut Vec<f32>, max: usize) -> Result<usize, Error> {
        self.bytes.clear();
        let wanted = (max * 2) as u64;
        (&mut self.file).take(wanted).read_to_end(&mut self.bytes).map_err(|e| Error::io(&self.path, e))?;
        Ok(append_s16le(&self.bytes, out))
    }
}

/// Appends the samples of whole byte pairs; gives their number.
pub(super) fn append_s16le(bytes: &[u8], out: &mut Vec<f32>) -> usize {
    out.extend(bytes.chunks_exact(2).map(s16le));
    bytes.len() / 2
}

/// The sample in the first two of some bytes.
pub(super) fn s16le(bytes: &[u8]) -> f32 {
    f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_samples_come_back_in_blocks_of_the_size_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcm");
        let samples: Vec<i16> = (0..1000).map(|i| (i * 31) as i16).collect();
        let mut bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        bytes.push(7);
        std::fs::write(&path, bytes).unwrap();

        let (mut raw, count) = open(&path, 0).unwrap();
        let (mut out, mut reads) = (Vec::new(), Vec::new());
        loop {
            match raw.read(&mut out, 300).unwrap() {
                0 => break,
                n => reads.push(n),
            }
        }
        assert_eq!((count, reads), (1000, vec![300, 300, 300, 100]));
        assert!(out.iter().zip(&samples).all(|(f, s)| (f * 32768.0) as i16 == *s));
    }

    #[test]
    fn a_file_that_is_gone_is_said_to_be_gone() {
        assert!(matches!(open(Path::new("/no/such.pcm"), 0), Err(Error::Vanished(_))));
    }
}
