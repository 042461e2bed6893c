//! A job that is open on a device. Knows nothing of its windows or of who works on them.

use crate::job::{Claim, Job, Task};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Instant;

/// A job that is open here.
pub struct Open {
    pub job: Job,
    pub claim: Claim,
    /// Raised when nobody wants the windows any more: cancelled, lost, stopped.
    pub stop: AtomicBool,
    pub opened: Instant,
    /// Of the source, in milliseconds; 0 while or when unknown.
    pub duration_ms: AtomicI64,
    /// What is done instead of the job's own task, when its language label was found wrong.
    pub task: OnceLock<Task>,
}

impl Open {
    pub fn new(job: Job, claim: Claim) -> Open {
        let (stop, duration_ms) = (AtomicBool::new(false), AtomicI64::new(0));
        Open { job, claim, stop, opened: Instant::now(), duration_ms, task: OnceLock::new() }
    }

    pub fn task(&self) -> Task {
        *self.task.get().unwrap_or(&self.job.task)
    }
}
