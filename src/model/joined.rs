//! Several files read as one, and a reader that never passes their end. Knows nothing of what is in them.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Files one behind the other, as if they were one.
pub(super) struct Joined {
    /// Each file with the place of its first byte.
    parts: Vec<(File, u64)>,
    len: u64,
    at: u64,
}

impl Joined {
    /// Opens all files. Fails as `File::open` does, naming the one.
    pub fn open(paths: &[PathBuf]) -> Result<Joined, (PathBuf, io::Error)> {
        let mut joined = Joined { parts: Vec::with_capacity(paths.len()), len: 0, at: 0 };
        for path in paths {
            let (file, bytes) = open(path).map_err(|e| (path.clone(), e))?;
            joined.parts.push((file, joined.len));
            joined.len = joined
                .len
                .checked_add(bytes)
                .ok_or_else(|| (path.clone(), io::Error::from(io::ErrorKind::FileTooLarge)))?;
        }
        Ok(joined)
    }
}

/// A regular file and its length: a folder, a pipe or a device is refused, because reading it may never end.
pub(super) fn open(path: &Path) -> io::Result<(File, u64)> {
    let about = std::fs::metadata(path)?;
    if about.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    Ok((file, about.len()))
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // From the last part that begins at or before this place; empty parts are passed over.
        let index = self.parts.partition_point(|(_, start)| *start <= self.at);
        let end = self.parts.get(index).map_or(self.len, |(_, start)| *start);
        let Some((file, start)) = index.checked_sub(1).and_then(|i| self.parts.get_mut(i)) else {
            return Ok(0);
        };
        let room = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        file.seek(SeekFrom::Start(self.at - *start))?;
        let got = file.read(&mut buffer[..room])?;
        self.at += got as u64;
        Ok(got)
    }
}

impl Seek for Joined {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(n) => (n, 0),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (self.len, by),
        };
        self.at = base.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Why a value could not be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The input ends before it.
    Short {
        at: u64,
    },
    Io(io::Error),
}

/// Reads little-endian values and passes over data without reading it, never beyond the end.
pub(super) struct Bounded<R> {
    inner: BufReader<R>,
    at: u64,
    len: u64,
}

impl Bounded<Joined> {
    pub fn joined(files: Joined) -> Bounded<Joined> {
        let len = files.len;
        Bounded::new(files, len)
    }
}

impl<R: Read + Seek> Bounded<R> {
    /// `len`: bytes of `inner`, which stands at its start.
    pub fn new(inner: R, len: u64) -> Bounded<R> {
        Bounded { inner: BufReader::with_capacity(1 << 16, inner), at: 0, len }
    }

    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn left(&self) -> u64 {
        self.len.saturating_sub(self.at)
    }

    fn room(&self, n: u64) -> Result<(), Fault> {
        if n > self.left() { Err(Fault::Short { at: self.len }) } else { Ok(()) }
    }

    pub fn exact(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        self.room(out.len() as u64)?;
        self.inner.read_exact(out).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Short { at: self.at },
            _ => Fault::Io(e),
        })?;
        self.at += out.len() as u64;
        Ok(())
    }

    /// As many bytes; the caller has made sure that their number is small.
    pub fn bytes(&mut self, n: usize) -> Result<Vec<u8>, Fault> {
        self.room(n as u64)?;
        let mut out = vec![0; n];
        self.exact(&mut out)?;
        Ok(out)
    }

    pub fn u8(&mut self) -> Result<u8, Fault> {
        let mut b = [0; 1];
        self.exact(&mut b)?;
        Ok(b[0])
    }

    pub fn u16(&mut self) -> Result<u16, Fault> {
        let mut b = [0; 2];
        self.exact(&mut b)?;
        Ok(u16::from_le_bytes(b))
    }

    pub fn u32(&mut self) -> Result<u32, Fault> {
        let mut b = [0; 4];
        self.exact(&mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    pub fn i32(&mut self) -> Result<i32, Fault> {
        self.u32().map(u32::cast_signed)
    }

    /// Goes on behind the next `n` bytes without reading them.
    pub fn skip(&mut self, n: u64) -> Result<(), Fault> {
        self.room(n)?;
        let by = i64::try_from(n).map_err(|_| Fault::Short { at: self.len })?;
        self.inner.seek_relative(by).map_err(Fault::Io)?;
        self.at += n;
        Ok(())
    }

    /// Goes to a place that was seen before.
    pub fn go(&mut self, to: u64) -> Result<(), Fault> {
        self.inner.seek(SeekFrom::Start(to)).map_err(Fault::Io)?;
        self.at = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, Fault, Joined};
    use std::path::PathBuf;

    fn parts(contents: &[&[u8]]) -> (tempfile::TempDir, Joined) {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..contents.len()).map(|i| folder.path().join(i.to_string())).collect();
        for (path, content) in paths.iter().zip(contents) {
            std::fs::write(path, content).unwrap();
        }
        let joined = Joined::open(&paths).unwrap();
        (folder, joined)
    }

    #[test]
    fn values_reach_over_the_edge_of_a_part() {
        let (_folder, joined) = parts(&[&[1, 2, 3], &[], &[4, 5], &[6]]);
        let mut reader = Bounded::joined(joined);
        assert_eq!(reader.u16().unwrap(), 0x0201);
        assert_eq!(reader.u16().unwrap(), 0x0403);
        reader.go(1).unwrap();
        assert_eq!(reader.bytes(5).unwrap(), [2, 3, 4, 5, 6]);
        assert_eq!(reader.left(), 0);
    }

    #[test]
    fn nothing_is_read_or_skipped_beyond_the_end() {
        let (_folder, joined) = parts(&[&[1, 2], &[3]]);
        let mut reader = Bounded::joined(joined);
        assert!(matches!(reader.u32(), Err(Fault::Short { at: 3 })));
        assert!(matches!(reader.skip(u64::MAX), Err(Fault::Short { .. })));
        assert!(matches!(reader.bytes(4), Err(Fault::Short { .. })));
        assert_eq!(reader.u8().unwrap(), 1);
    }
}
