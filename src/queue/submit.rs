//! A job is asked for: the same work is never queued twice. Does not know how keys are made.

use super::{Notice, Queue, Result};
use crate::clock::Millis;
use crate::job::{Job, JobId, JobState, NewJob, Origin};
use crate::store::db::{Durability, Tx};
use crate::store::{self, facts, jobs};

/// Where a request ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    pub id: JobId,
    /// True: the job was there before.
    pub joined: bool,
    /// Of the job: `Completed` has a result to fetch, `Failed` is not tried again yet.
    pub state: JobState,
}

impl Queue {
    /// Enters a job, or joins the one that does, has done or has failed to do the same:
    ///
    /// 1. a live job with the same key: its priority rises to the new one's if that is higher; while nobody has
    ///    started it, also its preset and rank;
    /// 2. a completed job with the same key and a stored result of at least this rank;
    /// 3. a job with the same key that failed so lately that trying again is not worth it. A person's request
    ///    (`Origin::Manual`) is not held back by that.
    ///
    /// On `Ok` the job outlives a power cut. Fails for a path that is not UTF-8 and as the database fails.
    pub fn submit(&self, job: NewJob) -> Result<Submitted> {
        let (id, now) = (JobId::new(), self.now());
        let submitted = self.store.write(Durability::Full, |tx| enter(tx, &job, id, now))?;
        if !submitted.state.is_end() {
            let notice = if submitted.joined { Notice::Moved } else { Notice::Added };
            self.announce(notice(submitted.id));
        }
        Ok(submitted)
    }
}

fn enter(tx: &mut dyn Tx, job: &NewJob, id: JobId, now: Millis) -> store::Result<Submitted> {
    let priority = job.priority.saturating_add(job.origin.priority_bonus());
    if let Some(live) = jobs::live(tx, &job.key)? {
        jobs::join(tx, live.id, live.priority.max(priority), job.output.as_deref())?;
        if live.rank < job.rank {
            jobs::upgrade(tx, live.id, job.preset, job.rank)?;
        }
        return Ok(joined(&live));
    }
    if let Some(done) = jobs::with_result(tx, &job.key, job.rank)? {
        return Ok(joined(&done));
    }
    if job.origin != Origin::Manual
        && let Some(failed) = held_back(tx, &job.key, now)?
    {
        return Ok(joined(&failed));
    }
    jobs::insert(tx, job, id, priority, now)?;
    Ok(Submitted { id, joined: false, state: JobState::Queued })
}

/// The failed job that stands for `key` until its back-off is over.
fn held_back(tx: &mut dyn Tx, key: &str, now: Millis) -> store::Result<Option<Job>> {
    let Some(failed) = facts::failed_key(tx, key)?.filter(|f| now < f.until) else { return Ok(None) };
    Ok(jobs::by_id(tx, failed.job)?.filter(|job| job.state == JobState::Failed))
}

fn joined(job: &Job) -> Submitted {
    Submitted { id: job.id, joined: true, state: job.state }
}
