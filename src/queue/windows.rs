//! A window's life: begun, ended, dropped, so that a death can be charged to it. Knows nothing of audio.

use super::{Queue, Result};
use crate::job::{Claim, JobId};
use crate::store::db::{Durability, Tx};
use crate::store::{self, jobs, windows};

/// The index that stands for work on a job before any of its windows: opening its file, hearing where speech is.
/// Begin it and drop it like a window; any window that ends well clears its deaths too.
pub const OPENING: u32 = i32::MAX as u32;

/// So many deaths in a row make a window suspect.
const SUSPECT: u32 = 2;

/// How to decode a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    Go,
    /// It was in flight when the process died, twice in a row: decode it with nothing beside it.
    Alone,
    /// The job is not yours any more: stop.
    Lost,
}

impl Queue {
    /// Says that window `index` is about to be decoded. Written before, so that a death is charged to it.
    pub fn begin_window(&self, claim: &Claim, index: u32) -> Result<Begun> {
        let now = self.now();
        Ok(self.store.write(Durability::Normal, |tx| {
            if !jobs::holds(tx, claim)? {
                return Ok(Begun::Lost);
            }
            windows::mark(tx, claim.job, index, now)?;
            let deaths = windows::deaths(tx, claim.job, index)?;
            Ok(if deaths < SUSPECT { Begun::Go } else { Begun::Alone })
        })?)
    }

    /// Stores what the window gave (JSON) and forgets its deaths. `false`: you lost the job, nothing is stored.
    pub fn end_window(&self, claim: &Claim, index: u32, checkpoint: &str) -> Result<bool> {
        self.if_held(claim, |tx| {
            windows::put_checkpoint(tx, claim.job, index, checkpoint)?;
            windows::unmark(tx, claim.job, index)?;
            windows::forget_deaths(tx, claim.job, [index, OPENING])
        })
    }

    /// The window was not finished and is not to blame: a stop, a cancel, a park. Deaths so far stay counted.
    /// `false`: you lost the job.
    pub fn drop_window(&self, claim: &Claim, index: u32) -> Result<bool> {
        self.if_held(claim, |tx| windows::unmark(tx, claim.job, index))
    }

    /// What the windows that ended gave, by index. Gone once the job is completed.
    pub fn checkpoints(&self, id: JobId) -> Result<Vec<(u32, String)>> {
        Ok(windows::checkpoints(&mut &self.store, id)?)
    }

    fn if_held(
        &self,
        claim: &Claim,
        mut change: impl FnMut(&mut dyn Tx) -> store::Result<()>,
    ) -> Result<bool> {
        Ok(self.store.write(Durability::Normal, |tx| {
            let held = jobs::holds(tx, claim)?;
            if held {
                change(tx)?;
            }
            Ok(held)
        })?)
    }
}
