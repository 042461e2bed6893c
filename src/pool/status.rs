//! What the pool says of itself to those who ask. Knows nothing of processes, threads or HTTP.

use crate::job::JobId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One worker as the API shows it (rest-api.md, "W").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkerStatus {
    pub worker_id: String,
    /// `cpu` or `gpu`.
    pub worker_type: String,
    /// The number of the GPU; none for a CPU worker.
    pub device_id: Option<u32>,
    /// One of `idle busy stopping stopped error`.
    pub status: String,
    #[schema(value_type = Option<String>)]
    pub current_job_id: Option<JobId>,
    pub jobs_completed: u64,
    pub jobs_failed: u64,
    pub uptime_seconds: f64,
    /// 0 to 100; 0 when idle.
    pub current_job_progress: f64,
    /// Seconds.
    pub current_job_eta: Option<i64>,
}

/// The pool at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PoolStatus {
    pub workers: Vec<WorkerStatus>,
    /// Jobs are being claimed as they come: false before the start, after the stop, and with no device at all.
    pub running: bool,
    pub uptime_seconds: f64,
}

impl PoolStatus {
    /// How many workers have this status.
    pub fn count(&self, status: &str) -> usize {
        self.workers.iter().filter(|w| w.status == status).count()
    }

    /// How many workers are of this type.
    pub fn count_type(&self, worker_type: &str) -> usize {
        self.workers.iter().filter(|w| w.worker_type == worker_type).count()
    }

    /// Jobs completed and failed by the workers that are there now.
    pub fn totals(&self) -> (u64, u64) {
        self.workers
            .iter()
            .fold((0, 0), |(done, failed), w| (done + w.jobs_completed, failed + w.jobs_failed))
    }
}
