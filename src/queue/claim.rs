//! A claim from taking to giving back: who gets which job, and how it ends. Does not know windows' contents.

use super::{Notice, Outcome, Progress, Queue, Result};
use crate::clock::Millis;
use crate::job::{Claim, Job, JobKind};
use crate::store::db::{Durability, Tx};
use crate::store::{self, facts, jobs, results, windows};

/// The wait before the first new attempt; it doubles with each.
const FIRST_DELAY_MS: Millis = 30_000;
/// How soon a job is looked at again that waits for something missing.
const LATER_MS: Millis = 20_000;
/// How long a key is held back after its first, second, third and each later failure.
const BACK_OFF_MS: [Millis; 4] = [10 * 60_000, 3_600_000, 6 * 3_600_000, 24 * 3_600_000];

/// What a device can take.
#[derive(Debug, Clone)]
pub struct ClaimAsk<'a> {
    /// The device's name on this node: `cpu`, `cuda:0`.
    pub device: String,
    pub kinds: &'a [JobKind],
    /// Only jobs that are more urgent than this one, by a point at least.
    pub above: Option<Place>,
    pub lease_ms: Millis,
    /// So many milliseconds of waiting are worth one point of priority; 0: only priority counts, age decides ties.
    pub ageing_ms_per_point: Millis,
}

/// What a job's place in the queue hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// With the origin's bonus.
    pub priority: i64,
    pub created_at: Millis,
}

impl Place {
    /// The greater, the more urgent; jobs that are equal here go by age. With ageing it counts in milliseconds, and is
    /// the same at any time: all that wait grow older together (`claim_pick.sql`, `claim_pick_aged.sql`).
    pub fn urgency(self, ageing_ms_per_point: Millis) -> i64 {
        match ageing_ms_per_point {
            0 => self.priority,
            ms => self.priority.saturating_mul(ms).saturating_sub(self.created_at),
        }
    }
}

/// Whether a failure is worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Back to the queue with growing delay until `max_retries` are used up, then failed.
    Yes,
    /// Something on this machine is missing that may come (a model, ffmpeg, room on a disk): asked again soon, nothing
    /// is counted.
    Later,
    Never,
}

impl Queue {
    /// Takes the most urgent job: by priority, then age, then id, among those that this node can read and whose
    /// retry delay is over. `None`: nothing fits, or the queue is paused.
    pub fn claim(&self, ask: &ClaimAsk<'_>) -> Result<Option<(Job, Claim)>> {
        let now = self.now();
        let ageing = ask.ageing_ms_per_point;
        // A point, or what it is worth.
        let least = ask.above.map(|place| place.urgency(ageing).saturating_add(ageing.max(1)));
        let pick = jobs::Pick { node: &self.node, kinds: ask.kinds, least, ageing_ms_per_point: ageing };
        let claimed = self.store.write(Durability::Normal, |tx| {
            let Some(id) = jobs::pick(tx, &pick, now)? else { return Ok(None) };
            let claim = jobs::new_claim(id, now.saturating_add(ask.lease_ms));
            if !jobs::take(tx, &claim, &self.node, &ask.device, now)? {
                return Ok(None);
            }
            Ok(jobs::by_id(tx, id)?.map(|job| (job, claim)))
        })?;
        if let Some((job, _)) = &claimed {
            self.announce(Notice::Changed(job.id));
        }
        Ok(claimed)
    }

    /// Holds the job for `lease_ms` more from now. `false`: you lost the job.
    pub fn renew(&self, claim: &Claim, lease_ms: Millis) -> Result<bool> {
        let until = self.now().saturating_add(lease_ms);
        Ok(self.store.write(Durability::Normal, |tx| jobs::renew(tx, claim, until))?)
    }

    /// `false`: you lost the job.
    pub fn progress(&self, claim: &Claim, p: &Progress) -> Result<bool> {
        let held = self.store.write(Durability::Normal, |tx| jobs::progress(tx, claim, p))?;
        Ok(self.tell(held, Notice::Changed(claim.job)))
    }

    /// Stores the result and ends the job; its checkpoints go. On `Ok(true)` the result outlives a power cut.
    /// `false`: you lost the job, nothing is stored.
    pub fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<bool> {
        let now = self.now();
        let packed = results::pack(outcome)?;
        let held = self.store.write(Durability::Full, |tx| {
            if !jobs::complete(tx, claim, outcome, now)? {
                return Ok(false);
            }
            results::put(tx, claim.job, &packed)?;
            windows::forget(tx, claim.job)?;
            if let Some(job) = jobs::by_id(tx, claim.job)? {
                facts::drop_failed_key(tx, &job.key)?;
            }
            self.tell_end(tx, claim.job, now)?;
            Ok(true)
        })?;
        Ok(self.tell(held, Notice::Changed(claim.job)))
    }

    /// Ends the attempt with `error`, one sentence for people. Checkpoints stay for the next attempt.
    /// `false`: you lost the job.
    pub fn fail(&self, claim: &Claim, error: &str, again: Again) -> Result<bool> {
        let now = self.now();
        let held = self.store.write(Durability::Full, |tx| {
            if !jobs::holds(tx, claim)? {
                return Ok(false);
            }
            windows::unmark_all(tx, claim.job)?;
            let Some(job) = jobs::by_id(tx, claim.job)? else { return Ok(false) };
            match again {
                Again::Later => jobs::postpone(tx, claim, error, now.saturating_add(LATER_MS), now),
                Again::Yes if job.retry_count < job.max_retries => {
                    let not_before = now.saturating_add(retry_delay(job.retry_count));
                    jobs::try_again(tx, claim, error, not_before, now)
                }
                Again::Yes | Again::Never => self.give_up(tx, &job, claim, error, now),
            }
        })?;
        Ok(self.tell(held, Notice::Changed(claim.job)))
    }

    /// Gives the job back to the queue without counting an attempt; its checkpoints stay.
    /// `false`: you had lost the job.
    pub fn release(&self, claim: &Claim) -> Result<bool> {
        let now = self.now();
        let held = self.store.write(Durability::Normal, |tx| put_back(tx, claim, now))?;
        Ok(self.tell(held, Notice::Added(claim.job)))
    }

    /// Fails the job for good and holds its key back, longer each time.
    pub(super) fn give_up(
        &self,
        tx: &mut dyn Tx,
        job: &Job,
        claim: &Claim,
        error: &str,
        now: Millis,
    ) -> store::Result<bool> {
        if !jobs::fail(tx, claim, error, now)? {
            return Ok(false);
        }
        windows::unmark_all(tx, claim.job)?;
        let before = facts::failed_key(tx, &job.key)?.map_or(0, |f| f.times);
        let until = now.saturating_add(back_off(before));
        let failed = facts::FailedKey { times: before.saturating_add(1), until, job: job.id };
        facts::put_failed_key(tx, &job.key, failed)?;
        self.tell_end(tx, claim.job, now)?;
        Ok(true)
    }

    fn tell(&self, held: bool, notice: Notice) -> bool {
        if held {
            self.announce(notice);
        }
        held
    }
}

pub(super) fn put_back(tx: &mut dyn Tx, claim: &Claim, now: Millis) -> store::Result<bool> {
    let held = jobs::release(tx, claim, now)?;
    if held {
        windows::unmark_all(tx, claim.job)?;
    }
    Ok(held)
}

/// 30 s, 1 min, 2 min … at most about 8.5 h.
fn retry_delay(attempts_before: u32) -> Millis {
    FIRST_DELAY_MS << attempts_before.min(10)
}

fn back_off(failures_before: u32) -> Millis {
    let step = usize::try_from(failures_before).unwrap_or(usize::MAX);
    BACK_OFF_MS[step.min(BACK_OFF_MS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retry_delay_doubles_and_stays_finite() {
        let check = |before, expected_s: Millis| assert_eq!(retry_delay(before), expected_s * 1000);
        check(0, 30);
        check(1, 60);
        check(4, 480);
        check(u32::MAX, 30_720);
    }

    #[test]
    fn a_failed_key_is_held_back_for_ten_minutes_then_an_hour_then_six_then_a_day() {
        let check = |before, expected_min: Millis| assert_eq!(back_off(before), expected_min * 60_000);
        check(0, 10);
        check(1, 60);
        check(2, 360);
        check(3, 1440);
        check(99, 1440);
    }
}
