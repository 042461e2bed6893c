//! Waiting for a job's end, and the notices that shorten it. Knows no sockets: what another process hears
//! comes in by `announce`.

use super::{Error, Queue, Result};
use crate::job::{Job, JobId};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// A listener that falls further behind looks into the database instead.
pub(super) const NOTICES_KEPT: usize = 1024;

/// A hint that a job is worth a look. The truth is in the database; a hint may be lost or come twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It waits to be claimed: new, given back, or queued again.
    Added(JobId),
    /// Its place in the queue is another.
    Moved(JobId),
    /// Anything else about it, its end included.
    Changed(JobId),
    /// It was cancelled: whoever works on it stops.
    Cancelled(JobId),
}

impl Notice {
    pub fn job(self) -> JobId {
        match self {
            Notice::Added(id) | Notice::Moved(id) | Notice::Changed(id) | Notice::Cancelled(id) => id,
        }
    }
}

impl Queue {
    /// What happens from now on. A slow listener gets `Lagged` and has to look for itself.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Passes on what another process has changed.
    pub fn announce(&self, n: Notice) {
        // Fails when nobody listens, which is fine.
        let _ = self.notices.send(n);
    }

    /// Waits until the job is at an end and gives it. Looks when a notice names the job, and every `slow_poll` in
    /// case one was lost. A database that is busy, full or away is waited for too.
    ///
    /// Fails with `Gone` when there is no such job. Needs a tokio runtime with time; the database is read on its
    /// blocking threads.
    pub async fn wait(&self, id: JobId, slow_poll: Duration) -> Result<Job> {
        // Before the first look, so that no end falls between the two.
        let mut notices = self.notices();
        loop {
            match self.look(id).await {
                Ok(Some(job)) if job.state.is_end() => return Ok(job),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Error::Gone(id)),
                Err(Error::Store(e)) if e.passes() => log::warn!("still waiting for job {id}: {e}"),
                Err(e) => return Err(e),
            }
            // Both ends of this mean the same: look again.
            let _ = tokio::time::timeout(slow_poll, heard_of(id, &mut notices)).await;
        }
    }

    async fn look(&self, id: JobId) -> Result<Option<Job>> {
        let queue = self.clone();
        tokio::task::spawn_blocking(move || queue.get(id)).await.map_err(|_| Error::Stopping)?
    }
}

/// Ends at the next notice about the job, or when notices were missed.
async fn heard_of(id: JobId, notices: &mut broadcast::Receiver<Notice>) {
    loop {
        match notices.recv().await {
            Ok(notice) if notice.job() == id => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
