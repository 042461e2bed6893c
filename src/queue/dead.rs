//! Claims whose holder is gone: taken back, and the crash charged to the windows in flight. Knows no processes.

use super::claim::put_back;
use super::{Notice, OPENING, Queue, Result};
use crate::clock::Millis;
use crate::job::{Claim, Job, JobId};
use crate::store::db::{Durability, Tx};
use crate::store::{self, jobs, windows};

/// A window is never blamed before it has died alone: twice beside others, once by itself.
const FEWEST_DEATHS: u32 = 3;

impl Queue {
    /// The process of `device` on this node died. Its jobs go back to the queue, each window in flight is charged
    /// one death, and a job with a window that has died too often in a row (`max_retries`, at least three: never
    /// before it died alone) is failed. Gives all jobs that were taken back.
    pub fn release_dead(&self, device: &str) -> Result<Vec<JobId>> {
        let now = self.now();
        let taken = self.store.write(Durability::Full, |tx| {
            let claims = jobs::claims_of_device(tx, &self.node, device)?;
            self.charge_all(tx, &claims, now)
        })?;
        Ok(self.tell_taken(taken))
    }

    /// At start: this node's claims are stale, whatever device held them. Nothing is charged.
    pub fn release_node(&self) -> Result<Vec<JobId>> {
        let now = self.now();
        let taken = self.store.write(Durability::Normal, |tx| {
            let claims = jobs::claims_of_node(tx, &self.node)?;
            put_all_back(tx, &claims, now)
        })?;
        Ok(self.tell_taken(taken))
    }

    /// The process of `device` on this node was ended from outside: its jobs go back to the queue, nothing is charged.
    pub fn release_device(&self, device: &str) -> Result<Vec<JobId>> {
        let now = self.now();
        let taken = self.store.write(Durability::Normal, |tx| {
            let claims = jobs::claims_of_device(tx, &self.node, device)?;
            put_all_back(tx, &claims, now)
        })?;
        Ok(self.tell_taken(taken))
    }

    /// Takes back the jobs of every node whose lease has ended, and charges them as `release_dead` does.
    pub fn reap(&self) -> Result<Vec<JobId>> {
        let now = self.now();
        if jobs::claims_expired(&mut &self.store, now)?.is_empty() {
            return Ok(Vec::new());
        }
        let taken = self.store.write(Durability::Full, |tx| {
            let claims = jobs::claims_expired(tx, now)?;
            self.charge_all(tx, &claims, now)
        })?;
        Ok(self.tell_taken(taken))
    }

    fn charge_all(
        &self,
        tx: &mut dyn Tx,
        claims: &[Claim],
        now: Millis,
    ) -> store::Result<Vec<(JobId, Fate)>> {
        let mut taken = Vec::new();
        for claim in claims {
            if let Some(fate) = self.charge(tx, claim, now)? {
                taken.push((claim.job, fate));
            }
        }
        Ok(taken)
    }

    /// `None`: the claim was given back meanwhile.
    fn charge(&self, tx: &mut dyn Tx, claim: &Claim, now: Millis) -> store::Result<Option<Fate>> {
        if !jobs::holds(tx, claim)? {
            return Ok(None);
        }
        let Some(job) = jobs::by_id(tx, claim.job)? else { return Ok(None) };
        let mut worst = (0, 0);
        for index in windows::in_flight(tx, job.id)? {
            windows::count_death(tx, job.id, index)?;
            worst = worst.max((windows::deaths(tx, job.id, index)?, index));
        }
        let (deaths, index) = worst;
        if deaths < job.max_retries.max(FEWEST_DEATHS) {
            return Ok(put_back(tx, claim, now)?.then_some(Fate::Queued));
        }
        let error = blame(&job, deaths, index);
        Ok(self.give_up(tx, &job, claim, &error, now)?.then_some(Fate::Failed))
    }

    fn tell_taken(&self, taken: Vec<(JobId, Fate)>) -> Vec<JobId> {
        for (id, fate) in &taken {
            self.announce(match fate {
                Fate::Queued => Notice::Added(*id),
                Fate::Failed => Notice::Changed(*id),
            });
        }
        taken.into_iter().map(|(id, _)| id).collect()
    }
}

enum Fate {
    Queued,
    Failed,
}

fn put_all_back(tx: &mut dyn Tx, claims: &[Claim], now: Millis) -> store::Result<Vec<(JobId, Fate)>> {
    let mut taken = Vec::new();
    for claim in claims {
        if put_back(tx, claim, now)? {
            taken.push((claim.job, Fate::Queued));
        }
    }
    Ok(taken)
}

fn blame(job: &Job, deaths: u32, index: u32) -> String {
    let name = &job.file_name;
    if index == OPENING {
        return format!(
            "the engine died {deaths} times in a row while opening '{name}': check the file, then retry the job"
        );
    }
    let number = index.saturating_add(1);
    format!(
        "the engine died {deaths} times in a row on the same part of '{name}' (window {number}, at most 30 s of audio): retry with another model"
    )
}
