//! Throws away what is no longer needed: audio over the quota, results and jobs past their time. Knows nothing of how
//! either is stored.

use crate::clock::{Clock, Millis};
use crate::device;
use crate::queue::{self, Queue};
use crate::spool::{self, Evicted, Keep, Need, Spool};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How often old jobs are looked for.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// How often the quota is looked at when nothing comes in: jobs end, and their audio may then go.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// An upload's job is entered within this.
const ENTRY: Duration = Duration::from_secs(60);
/// With less than this left on its disk the daemon is in danger: the database of a large queue takes as much.
const FEW_BYTES: u64 = 64 << 20;
/// Bazarr's `/asr` follows its `/detect-language` within minutes.
const GRACE: Duration = Duration::from_secs(15 * 60);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Queue(#[from] queue::Error),
    #[error(transparent)]
    Spool(#[from] spool::Error),
}

/// The bytes left on the disk that holds `path`, when they are few.
pub fn nearly_full(path: &Path) -> Option<u64> {
    device::free_bytes(path).filter(|free| *free < FEW_BYTES)
}

/// What is kept, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Of all uploads together; `None`: no limit.
    pub quota_bytes: Option<u64>,
    /// After a job's end; `None`: for ever.
    pub results_ms: Option<Millis>,
    /// After its end; `None`: for ever.
    pub jobs_ms: Option<Millis>,
    /// Uploads younger than this stay, unless there would be no room for others.
    pub grace: Duration,
}

impl Rules {
    /// From the settings' units; 0 means no limit.
    pub fn new(quota_gb: u64, result_days: u64, job_days: u64) -> Rules {
        let days =
            |n: u64| (n > 0).then(|| Millis::try_from(n).unwrap_or(Millis::MAX).saturating_mul(86_400_000));
        Rules {
            quota_bytes: (quota_gb > 0).then(|| quota_gb.saturating_mul(1 << 30)),
            results_ms: days(result_days),
            jobs_ms: days(job_days),
            grace: GRACE,
        }
    }
}

/// Keeps house in a thread of its own as long as the process lives.
pub fn start(queue: Queue, spool: Arc<Spool>, clock: Arc<dyn Clock>, rules: Rules) -> std::io::Result<()> {
    let keep_house = move || {
        let mut pruned: Option<Instant> = None;
        loop {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
                pruned = Some(Instant::now());
                match prune(&queue, &spool, &rules, clock.now()) {
                    Ok(0) => {}
                    Ok(n) => log::info!("{n} old jobs and results were removed"),
                    Err(e) => log::warn!("old jobs cannot be removed: {e}"),
                }
            }
            let heard = spool.wait_for_need(LOOK_EVERY);
            if heard.is_none() {
                give_memory_back();
            }
            let mut need = heard.unwrap_or(Need::Quota);
            // The database needs room too, and so do the files beside the films.
            if nearly_full(spool.dir()).is_some() {
                need = Need::Disk;
            }
            match make_room(&queue, &spool, &rules, need) {
                Ok(done) if done.files > 0 => {
                    log::info!("{} uploads were removed to make room ({} MB)", done.files, done.bytes >> 20)
                }
                Ok(_) => {}
                Err(e) => log::warn!("no room can be made for uploads: {e}"),
            }
        }
    };
    std::thread::Builder::new().name("housekeeping".into()).spawn(keep_house)?;
    Ok(())
}

/// Hands freed memory to the system, which glibc keeps: after many connections at once that is most of what it has.
fn give_memory_back() {
    // SAFETY: it touches free memory alone, under the allocator's own locks.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Removes jobs and results whose time is over, and the audio of such jobs. Gives their number.
pub fn prune(queue: &Queue, spool: &Spool, rules: &Rules, now: Millis) -> Result<u64, Error> {
    let before = |kept: Option<Millis>| kept.map_or(Millis::MIN, |kept| now.saturating_sub(kept));
    let jobs_before = before(rules.jobs_ms);
    let pruned = queue.prune(jobs_before, before(rules.results_ms))?;
    let since = u64::try_from(jobs_before).map_or(UNIX_EPOCH, |ms| UNIX_EPOCH + Duration::from_millis(ms));
    let used = queue.spools_in_use()?.into_iter().collect();
    spool.evict(0, &Keep { used, since })?;
    Ok(pruned)
}

/// Brings the uploads under their quota, or removes all that can go when the disk is full.
pub fn make_room(queue: &Queue, spool: &Spool, rules: &Rules, need: Need) -> Result<Evicted, Error> {
    let allowed = rules.quota_bytes.unwrap_or(u64::MAX);
    let target = match need {
        Need::Quota => allowed,
        Need::Disk => 0,
    };
    let bytes = spool.bytes()?;
    if bytes <= target {
        spool.set_over_quota(false);
        return Ok(Evicted { left: bytes, ..Evicted::default() });
    }
    let used = queue.spools_in_use()?.into_iter().collect();
    let since = |age: Duration| SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH);
    let mut keep = Keep { used, since: since(rules.grace) };
    let mut done = spool.evict(target, &keep)?;
    if done.left > target {
        // Better to have an upload sent twice than to refuse one.
        keep.since = since(rules.grace.min(ENTRY));
        let more = spool.evict(target, &keep)?;
        done = Evicted { files: done.files + more.files, bytes: done.bytes + more.bytes, left: more.left };
    }
    if done.left > allowed && spool.room().is_ok() {
        log::warn!(
            "uploads that are still needed take {} MB, more than spool_quota_gb allows: new ones are refused",
            done.left >> 20
        );
    }
    spool.set_over_quota(done.left > allowed);
    Ok(done)
}
