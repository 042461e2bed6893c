//! Uploads on disk, named by the hash of their bytes. Knows nothing of HTTP, jobs or what the audio says.

mod evict;

pub use evict::{Evicted, Keep, Need};

use evict::Bell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use uuid::Uuid;

/// Uploads being written stand under this prefix and vanish at the next start.
const PARTIAL: &str = ".partial-";

/// Bytes looked at to tell a container from raw samples.
const HEAD: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the disk that holds {} is full: free some space, the upload can then be sent again", .0.display())]
    Full(PathBuf),
    #[error(
        "all uploads kept are still needed and fill their quota: raise the setting spool_quota_gb, or ask again later"
    )]
    OverQuota,
    #[error("cannot {what} {}: {source}", .path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

pub type Result<T> = std::result::Result<T, Error>;

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full(path),
        _ => Error::Io { what, path, source },
    }
}

/// A folder of uploads.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    bell: Arc<Bell>,
    /// What is kept fills the quota and none of it can go.
    over: AtomicBool,
}

/// A finished upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// BLAKE3 of all bytes, 64 hex digits.
    pub hash: String,
    pub bytes: u64,
    /// Samples without a header: s16le, mono, 16 kHz.
    pub raw: bool,
}

impl Spool {
    /// Opens the folder, makes it when it is missing, and removes what a dead process left half written.
    pub fn open(dir: &Path) -> Result<Spool> {
        fs::create_dir_all(dir).map_err(failed("make the folder", dir))?;
        for entry in fs::read_dir(dir).map_err(failed("read the folder", dir))? {
            let entry = entry.map_err(failed("read the folder", dir))?;
            if entry.file_name().as_encoded_bytes().starts_with(PARTIAL.as_bytes()) {
                fs::remove_file(entry.path()).map_err(failed("remove the left-over", &entry.path()))?;
            }
        }
        Ok(Spool { dir: dir.to_path_buf(), bell: Arc::default(), over: AtomicBool::new(false) })
    }

    /// Starts an upload. Blocks on the disk, as all of its methods do.
    pub fn begin(&self) -> Result<Upload> {
        let path = self.dir.join(format!("{PARTIAL}{}", Uuid::new_v4()));
        let file = self.bell.heard(File::create_new(&path).map_err(failed("create", &path)))?;
        let partial = Partial { path };
        Ok(Upload {
            dir: self.dir.clone(),
            bell: self.bell.clone(),
            file,
            partial,
            hasher: blake3::Hasher::new(),
            bytes: 0,
            head: Vec::with_capacity(HEAD),
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the upload of this hash is, or would be.
    pub fn path(&self, hash: &str) -> PathBuf {
        self.dir.join(hash)
    }
}

/// Removes the file unless it was renamed away before.
#[derive(Debug)]
struct Partial {
    path: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// An upload being written; dropping it removes what was written.
#[derive(Debug)]
pub struct Upload {
    dir: PathBuf,
    bell: Arc<Bell>,
    file: File,
    partial: Partial,
    hasher: blake3::Hasher,
    bytes: u64,
    head: Vec<u8>,
}

impl Upload {
    /// Appends to the file and to the hash.
    pub fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let missing = HEAD.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..missing]);
        self.hasher.update(chunk);
        self.bytes += chunk.len() as u64;
        self.bell.heard(self.file.write_all(chunk).map_err(failed("write", &self.partial.path)))
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Brings the upload safely to the disk under its hash; the same bytes sent twice are kept once.
    ///
    /// It counts as raw samples only when the sender says so (`raw_hint`) and no known container begins it.
    pub fn finish(self, raw_hint: bool) -> Result<Entry> {
        let hash = self.hasher.finalize().to_hex().to_string();
        let (from, to) = (&self.partial.path, self.dir.join(&hash));
        self.bell.heard(self.file.sync_all().map_err(failed("write", from)))?;
        // Its time is that of this use, however long the upload took.
        let _ = self.file.set_modified(std::time::SystemTime::now());
        self.bell.quietly(|| fs::rename(from, &to)).map_err(failed("rename to", &to))?;
        // The new name itself must outlive a power cut too.
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(failed("write the folder", &self.dir))?;
        self.bell.ring(Need::Quota);
        Ok(Entry { hash, bytes: self.bytes, raw: raw_hint && !is_container(&self.head) })
    }
}

/// True when the first bytes are those of a media container or of a coded stream with a header of its own.
///
/// ADTS and MPEG frames (`FF Fx`) are not looked for: raw samples near zero begin that way.
fn is_container(head: &[u8]) -> bool {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let form = |outer: &[u8], inner: &[u8]| at(0, outer) && at(8, inner);
    form(b"RIFF", b"WAVE")
        || form(b"RF64", b"WAVE")
        || form(b"RIFF", b"AVI ")
        || form(b"FORM", b"AIFF")
        || form(b"FORM", b"AIFC")
        || at(4, b"ftyp")
        || [
            &[0x1A, 0x45, 0xDF, 0xA3][..], // EBML: Matroska, WebM
            b"OggS",
            b"fLaC",
            b"ID3",
            b"#!AMR",
            b".snd",
            b"caff",
            b"wvpk",
            b"MAC ",
            b"ADIF",
            &[0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11], // ASF: WMA, WMV
            &[0x00, 0x00, 0x01, 0xBA],                         // MPEG program stream
            b"FLV\x01",
        ]
        .iter()
        .any(|magic| at(0, magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn upload(spool: &Spool, chunks: &[&[u8]], raw_hint: bool) -> Entry {
        let mut upload = spool.begin().unwrap();
        for chunk in chunks {
            upload.write(chunk).unwrap();
        }
        upload.finish(raw_hint).unwrap()
    }

    #[test]
    fn an_upload_is_kept_once_under_the_hash_of_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let one = upload(&spool, &[b"ab", b"c"], true);
        let two = upload(&spool, &[b"abc"], true);
        assert_eq!(one, two);
        assert_eq!(one.hash, blake3::hash(b"abc").to_hex().to_string());
        assert_eq!(one.bytes, 3);
        assert_eq!(fs::read(spool.path(&one.hash)).unwrap(), b"abc");
        assert_eq!(names(dir.path()), [one.hash]);
    }

    #[test]
    fn a_dropped_upload_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let mut half = spool.begin().unwrap();
        half.write(b"half").unwrap();
        assert_eq!(names(dir.path()).len(), 1);
        drop(half);
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn a_start_removes_what_a_dead_process_left_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let kept = upload(&spool, &[b"kept"], false);
        fs::write(dir.path().join(".partial-dead"), b"half").unwrap();
        Spool::open(dir.path()).unwrap();
        assert_eq!(names(dir.path()), [kept.hash]);
    }

    #[test]
    fn only_what_is_called_raw_and_has_no_header_is_raw() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let check = |head: &[u8], hint, expected| {
            assert_eq!(upload(&spool, &[head], hint).raw, expected, "{head:?}");
        };
        check(b"\x00\x00\x01\x00\x02\x00", true, true);
        check(b"\x00\x00\x01\x00\x02\x00", false, false);
        check(b"RIFF\x10\x00\x00\x00WAVEfmt ", true, false);
        check(b"RIFF", true, true);
        check(b"\x1A\x45\xDF\xA3 matroska", true, false);
        check(b"\x00\x00\x00\x20ftypisom", true, false);
        check(b"OggS", true, false);
        check(b"fLaC", true, false);
        check(b"ID3\x04", true, false);
        check(b"", true, true);
    }

    #[test]
    fn a_header_that_comes_in_pieces_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let entry = upload(&spool, &[b"RI", b"FF\x10\x00\x00", b"\x00WAVE", b"fmt and more"], true);
        assert!(!entry.raw);
    }
}
