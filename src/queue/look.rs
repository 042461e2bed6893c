//! What the queue tells of itself. Changes nothing.

use super::{Queue, Result, Stored};
use crate::job::{Job, JobId, JobState};
use crate::store::{facts, jobs, results};

const DAY_MS: i64 = 86_400_000;
/// The fact that is written to see whether there is room.
const LAST_CHECK: &str = "written_at";

/// How many jobs there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub total: u64,
    pub queued: u64,
    pub processing: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// Since midnight UTC.
    pub completed_today: u64,
    /// Since midnight UTC.
    pub failed_today: u64,
}

impl Queue {
    pub fn get(&self, id: JobId) -> Result<Option<Job>> {
        Ok(jobs::by_id(&mut &self.store, id)?)
    }

    /// One page, newest first, and how many there are on all pages. The first page is 1.
    pub fn list(&self, state: Option<JobState>, page: u32, page_size: u32) -> Result<(Vec<Job>, u64)> {
        let skip = u64::from(page.saturating_sub(1)) * u64::from(page_size);
        let found = jobs::newest(&mut &self.store, state, skip, page_size)?;
        let counts = jobs::count_by_state(&mut &self.store)?;
        let total = counts.iter().filter(|(s, _)| state.is_none_or(|wanted| *s == wanted)).map(|(_, n)| n);
        Ok((found, total.sum()))
    }

    pub fn counts(&self) -> Result<Counts> {
        let midnight = self.now().div_euclid(DAY_MS) * DAY_MS;
        let read = &mut &self.store;
        let mut counts = Counts {
            completed_today: jobs::count_ended_since(read, JobState::Completed, midnight)?,
            failed_today: jobs::count_ended_since(read, JobState::Failed, midnight)?,
            ..Counts::default()
        };
        for (state, jobs) in jobs::count_by_state(read)? {
            counts.total += jobs;
            match state {
                JobState::Queued => counts.queued = jobs,
                JobState::Processing => counts.processing = jobs,
                JobState::Completed => counts.completed = jobs,
                JobState::Failed => counts.failed = jobs,
                JobState::Cancelled => counts.cancelled = jobs,
            }
        }
        Ok(counts)
    }

    /// `None`: not completed, or the result's time was up. Fails with `Corrupt` when it cannot be unpacked.
    pub fn result(&self, id: JobId) -> Result<Option<Stored>> {
        Ok(results::get(&mut &self.store, id)?)
    }

    /// The result of the best job with this key, whatever its rank.
    pub fn result_of(&self, key: &str) -> Result<Option<Stored>> {
        let read = &mut &self.store;
        let Some(job) = jobs::with_result(read, key, i64::MIN)? else { return Ok(None) };
        Ok(results::get(read, job.id)?)
    }

    /// Fails while there is no room to write. Writes only when a write of this process has failed for that.
    pub fn check_room(&self) -> Result<()> {
        let write = || facts::set_fact(&self.store, LAST_CHECK, &self.now().to_string());
        Ok(self.store.check_room(write)?)
    }

    /// The hashes of the uploads on this node that jobs still need.
    pub fn spools_in_use(&self) -> Result<Vec<String>> {
        Ok(jobs::spools_in_use(&mut &self.store, &self.node)?)
    }
}
