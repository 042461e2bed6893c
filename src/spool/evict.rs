//! Makes room: what was used least recently goes first. Knows no jobs: the caller says what is needed.

use super::{Error, PARTIAL, Result, Spool, failed};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Why room may be wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// An upload has come in: perhaps the quota is exceeded.
    Quota,
    /// The disk is full: everything that can go should.
    Disk,
}

/// Tells whoever makes room that it is wanted, and keeps new names and removals apart.
#[derive(Debug, Default)]
pub(super) struct Bell {
    need: Mutex<Option<Need>>,
    rung: Condvar,
    names: Mutex<()>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half changed by a panic: each holder does one thing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bell {
    pub(super) fn ring(&self, need: Need) {
        let mut now = locked(&self.need);
        *now = (*now).max(Some(need));
        self.rung.notify_all();
    }

    /// Rings when the disk is full.
    pub(super) fn heard<T>(&self, done: Result<T>) -> Result<T> {
        if matches!(done, Err(Error::Full(_))) {
            self.ring(Need::Disk);
        }
        done
    }

    /// Does it while nothing is removed.
    pub(super) fn quietly<T>(&self, change: impl FnOnce() -> T) -> T {
        let _names = locked(&self.names);
        change()
    }
}

/// What must stay.
#[derive(Debug, Clone)]
pub struct Keep {
    /// Hashes that live jobs need.
    pub used: HashSet<String>,
    /// What came in after this stays too: its job may not be entered yet, or another request for it follows.
    pub since: SystemTime,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evicted {
    pub files: u64,
    pub bytes: u64,
    /// Bytes that are left.
    pub left: u64,
}

impl Spool {
    /// Waits until room may be wanted, at most so long. `None`: the time was over.
    pub fn wait_for_need(&self, at_most: Duration) -> Option<Need> {
        let waiting =
            self.bell.rung.wait_timeout_while(locked(&self.bell.need), at_most, |need| need.is_none());
        waiting.unwrap_or_else(PoisonError::into_inner).0.take()
    }

    /// Bytes of all finished uploads. Blocks on the disk.
    pub fn bytes(&self) -> Result<u64> {
        Ok(self.finished()?.iter().map(|(_, _, bytes)| bytes).sum())
    }

    /// Removes uploads, those longest unused first, until at most `quota` bytes are left or all others are to be
    /// kept.
    pub fn evict(&self, quota: u64, keep: &Keep) -> Result<Evicted> {
        let mut kept = self.finished()?;
        kept.sort();
        let mut done = Evicted { left: kept.iter().map(|(_, _, bytes)| bytes).sum(), ..Evicted::default() };
        for (_, hash, bytes) in &kept {
            if done.left <= quota {
                break;
            }
            if !keep.used.contains(hash) && self.remove_if_old(hash, keep.since)? {
                done = Evicted { files: done.files + 1, bytes: done.bytes + bytes, left: done.left - bytes };
            }
        }
        Ok(done)
    }

    /// Fails while what is kept fills the quota.
    pub fn room(&self) -> Result<()> {
        if !self.over.load(Ordering::Relaxed) {
            return Ok(());
        }
        // Jobs may have ended since.
        self.bell.ring(Need::Quota);
        Err(Error::OverQuota)
    }

    /// The upload came in but nobody has entered a job for it: unless one needs it all the same, it goes first.
    pub fn disown(&self, hash: &str) {
        // When its time cannot be set, it goes with the others.
        let old = |file: fs::File| file.set_modified(SystemTime::UNIX_EPOCH);
        let _ = fs::File::options().write(true).open(self.path(hash)).and_then(old);
        self.bell.ring(Need::Disk);
    }

    /// Whether `room` fails.
    pub fn set_over_quota(&self, over: bool) {
        self.over.store(over, Ordering::Relaxed);
    }

    /// Looks at the time again: the same audio may have come in a second time meanwhile.
    fn remove_if_old(&self, hash: &str, since: SystemTime) -> Result<bool> {
        let path = self.path(hash);
        self.bell.quietly(|| {
            let gone = |e: io::Error| if e.kind() == io::ErrorKind::NotFound { Ok(false) } else { Err(e) };
            let old = |facts: fs::Metadata| facts.modified().map(|at| at < since);
            let old = fs::metadata(&path).and_then(old).or_else(gone).map_err(failed("read", &path))?;
            if old {
                fs::remove_file(&path).or_else(|e| gone(e).map(drop)).map_err(failed("remove", &path))?;
            }
            Ok(old)
        })
    }

    /// When each was used last, its hash, its bytes.
    fn finished(&self) -> Result<Vec<(SystemTime, String, u64)>> {
        let unreadable = || failed("read the folder", &self.dir);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(unreadable())? {
            let entry = entry.map_err(unreadable())?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A file that vanished under our eyes takes no room.
            let Ok(facts) = entry.metadata() else { continue };
            if facts.is_file() && !name.starts_with(PARTIAL) {
                found.push((facts.modified().unwrap_or(SystemTime::UNIX_EPOCH), name, facts.len()));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    /// A spool with three uploads of ten bytes, the first used longest ago.
    fn three() -> (tempfile::TempDir, Spool, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let hashes = (0..3u8).map(|i| put(&spool, &[i; 10])).collect::<Vec<_>>();
        for (hash, age_s) in hashes.iter().zip([300, 200, 100]) {
            let at = SystemTime::now() - Duration::from_secs(age_s);
            File::options().write(true).open(spool.path(hash)).unwrap().set_modified(at).unwrap();
        }
        (dir, spool, hashes)
    }

    fn put(spool: &Spool, bytes: &[u8]) -> String {
        let mut upload = spool.begin().unwrap();
        upload.write(bytes).unwrap();
        upload.finish(true).unwrap().hash
    }

    fn keep(used: &[&String]) -> Keep {
        Keep { used: used.iter().map(|h| h.to_string()).collect(), since: SystemTime::now() }
    }

    fn left(spool: &Spool, hashes: &[String]) -> Vec<bool> {
        hashes.iter().map(|hash| spool.path(hash).exists()).collect()
    }

    #[test]
    fn what_was_used_least_recently_goes_until_the_quota_is_met() {
        let (_dir, spool, hashes) = three();
        assert_eq!(spool.evict(30, &keep(&[])).unwrap(), Evicted { files: 0, bytes: 0, left: 30 });
        assert_eq!(spool.evict(25, &keep(&[])).unwrap(), Evicted { files: 1, bytes: 10, left: 20 });
        assert_eq!(left(&spool, &hashes), [false, true, true]);
        assert_eq!(spool.bytes().unwrap(), 20);
    }

    #[test]
    fn what_a_job_needs_stays_whatever_the_quota_is() {
        let (_dir, spool, hashes) = three();
        let done = spool.evict(0, &keep(&[&hashes[0]])).unwrap();
        assert_eq!(done, Evicted { files: 2, bytes: 20, left: 10 });
        assert_eq!(left(&spool, &hashes), [true, false, false]);
    }

    #[test]
    fn the_same_audio_sent_again_counts_as_used_now() {
        let (_dir, spool, hashes) = three();
        let keep = Keep { used: HashSet::new(), since: SystemTime::now() - Duration::from_secs(50) };
        assert_eq!(put(&spool, &[0; 10]), hashes[0]);
        spool.evict(0, &keep).unwrap();
        assert_eq!(left(&spool, &hashes), [true, false, false]);
    }

    #[test]
    fn a_disowned_upload_goes_at_once_unless_a_job_needs_it() {
        let (_dir, spool, hashes) = three();
        spool.wait_for_need(Duration::ZERO);
        let newest = &hashes[2];
        let keep =
            |used: &[&String]| Keep { since: SystemTime::now() - Duration::from_secs(150), ..keep(used) };
        spool.disown(newest);
        assert_eq!(spool.wait_for_need(Duration::ZERO), Some(Need::Disk));
        spool.evict(0, &keep(&[newest])).unwrap();
        assert_eq!(left(&spool, &hashes), [false, false, true]);
        spool.evict(0, &keep(&[])).unwrap();
        assert_eq!(left(&spool, &hashes), [false, false, false]);
    }

    #[test]
    fn an_upload_that_is_still_coming_in_is_left_alone() {
        let (_dir, spool, _) = three();
        let mut half = spool.begin().unwrap();
        half.write(b"half").unwrap();
        spool.evict(0, &keep(&[])).unwrap();
        half.finish(true).unwrap();
        assert_eq!(spool.bytes().unwrap(), 4);
    }

    #[test]
    fn each_upload_and_a_full_disk_ring_the_bell() {
        let (_dir, spool, _) = three();
        assert_eq!(spool.wait_for_need(Duration::ZERO), Some(Need::Quota));
        assert_eq!(spool.wait_for_need(Duration::ZERO), None);
        spool.bell.ring(Need::Disk);
        spool.bell.ring(Need::Quota);
        assert_eq!(spool.wait_for_need(Duration::ZERO), Some(Need::Disk), "the greater need counts");
    }
}
