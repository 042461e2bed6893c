//! What people do to jobs and to the queue: cancel, retry, reorder, pause, clear. Knows no faces.

use super::{Mark, Notice, Queue, Result};
use crate::clock::Millis;
use crate::job::{Event, Job, JobId, JobState};
use crate::store::db::{Durability, Tx};
use crate::store::{self, deliveries, facts, jobs, results, windows};

/// The fact that `claim_pick` looks at.
const PAUSED: &str = "queue_paused";

/// Nobody comes back after this: neither for a failed work whose time is over, nor with a receiver for old words.
const FORGOTTEN_MS: Millis = 30 * 24 * 3_600_000;

/// How a person's wish about a job went.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "it is passed on at once, never kept in numbers")]
pub enum Moved {
    /// The job as it is now.
    Done(Job),
    NotFound,
    /// Not possible in the state it is in. For `retry` this may also be an end state: then other work with the
    /// same key is already live.
    Refused(JobState),
}

impl Queue {
    /// Ends a queued or processing job. The holder of its claim learns it by a notice or its next write.
    pub fn cancel(&self, id: JobId) -> Result<Moved> {
        let now = self.now();
        let moved = self.act(id, Some(Event::Cancel), |tx, job| {
            windows::unmark_all(tx, id)?;
            let ended = jobs::cancel(tx, id, job.state, now)?;
            if ended {
                self.tell_end(tx, id, now)?;
            }
            Ok(ended)
        })?;
        if matches!(moved, Moved::Done(_)) {
            self.announce(Notice::Cancelled(id));
        }
        Ok(moved)
    }

    /// Queues a failed or cancelled job again, with all its attempts and nothing held against it. Windows that
    /// ended well are not decoded again. Refused while another live job has the same key.
    pub fn retry(&self, id: JobId) -> Result<Moved> {
        let moved = self.act(id, Some(Event::Retry), |tx, job| {
            if jobs::live(tx, &job.key)?.is_some() {
                return Ok(false);
            }
            windows::forget_all_deaths(tx, id)?;
            facts::drop_failed_key(tx, &job.key)?;
            jobs::retry(tx, id, job.state)
        })?;
        if matches!(moved, Moved::Done(_)) {
            self.announce(Notice::Added(id));
        }
        Ok(moved)
    }

    /// Sets the priority as it counts, the origin's bonus included. Refused once the job has ended.
    pub fn set_priority(&self, id: JobId, priority: i64) -> Result<Moved> {
        let moved = self.act(id, None, |tx, _| jobs::set_priority(tx, id, priority))?;
        if matches!(moved, Moved::Done(_)) {
            self.announce(Notice::Moved(id));
        }
        Ok(moved)
    }

    /// Runs `change` on the job if `event` is legal in its state; `change` says whether its guard held.
    fn act(
        &self,
        id: JobId,
        event: Option<Event>,
        mut change: impl FnMut(&mut dyn Tx, &Job) -> store::Result<bool>,
    ) -> Result<Moved> {
        Ok(self.store.write(Durability::Full, |tx| {
            let Some(job) = jobs::by_id(tx, id)? else { return Ok(Moved::NotFound) };
            let legal = event.is_none_or(|event| job.state.after(event).is_some());
            if !legal || !change(tx, &job)? {
                return Ok(Moved::Refused(job.state));
            }
            Ok(jobs::by_id(tx, id)?.map_or(Moved::NotFound, Moved::Done))
        })?)
    }

    /// Removes all completed jobs with their results. Gives their number.
    pub fn clear_completed(&self) -> Result<u64> {
        Ok(jobs::clear_completed(&self.store)?)
    }

    /// Retention: removes jobs that ended before `jobs_before` and the results of jobs completed before
    /// `results_before`, and what nobody has come back to for a month, however long jobs are kept. Gives the number of
    /// jobs and results removed.
    pub fn prune(&self, jobs_before: Millis, results_before: Millis) -> Result<u64> {
        let past = self.now().saturating_sub(FORGOTTEN_MS);
        Ok(self.store.write(Durability::Normal, |tx| {
            deliveries::prune(tx, past)?;
            facts::prune_marks(tx, past)?;
            facts::prune_failed_keys(tx, past)?;
            Ok(jobs::prune(tx, jobs_before)? + results::prune(tx, results_before)?)
        })?)
    }

    /// Forgets which keys have failed, so that all may be asked for again: there is a new model or a new version.
    /// Gives their number.
    pub fn forget_failures(&self) -> Result<u64> {
        Ok(facts::drop_all_failed_keys(&self.store)?)
    }

    /// While paused nothing is claimed, on any node; what is claimed goes on. Outlives a restart.
    pub fn set_paused(&self, paused: bool) -> Result<()> {
        facts::set_fact(&self.store, PAUSED, if paused { "1" } else { "0" })?;
        if !paused && let Some(job) = self.list(Some(JobState::Queued), 1, 1)?.0.first() {
            // One that waits is enough: whoever hears it looks for the most urgent.
            self.announce(Notice::Added(job.id));
        }
        Ok(())
    }

    pub fn paused(&self) -> Result<bool> {
        Ok(facts::fact(&self.store, PAUSED)?.as_deref() == Some("1"))
    }

    /// What was marked under this name by those who use the queue.
    pub fn mark(&self, name: &str) -> Result<Option<Mark>> {
        Ok(facts::mark(&self.store, name)?)
    }

    /// Marks in place of what was there. Outlives a restart, and goes a month after `until`.
    pub fn set_mark(&self, name: &str, mark: Mark) -> Result<()> {
        Ok(facts::set_mark(&self.store, name, mark)?)
    }
}
