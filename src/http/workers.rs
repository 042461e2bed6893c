//! The workers over HTTP, to be looked at. Knows nothing of how they are started or stopped.

use super::Shared;
use super::error::{Detail, Error};
use crate::pool::status::{PoolStatus, WorkerStatus};
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde::Serialize;
use utoipa::ToSchema;

/// The pool in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkerStats {
    pub total_workers: usize,
    pub cpu_workers: usize,
    pub gpu_workers: usize,
    pub idle_workers: usize,
    pub busy_workers: usize,
    pub stopped_workers: usize,
    pub error_workers: usize,
    pub total_jobs_completed: u64,
    pub total_jobs_failed: u64,
    pub uptime_seconds: f64,
    pub is_running: bool,
}

impl From<&PoolStatus> for WorkerStats {
    fn from(pool: &PoolStatus) -> WorkerStats {
        let (total_jobs_completed, total_jobs_failed) = pool.totals();
        WorkerStats {
            total_workers: pool.workers.len(),
            cpu_workers: pool.count_type("cpu"),
            gpu_workers: pool.count_type("gpu"),
            idle_workers: pool.count("idle"),
            busy_workers: pool.count("busy"),
            stopped_workers: pool.count("stopped"),
            error_workers: pool.count("error"),
            total_jobs_completed,
            total_jobs_failed,
            uptime_seconds: pool.uptime_seconds,
            is_running: pool.running,
        }
    }
}

/// Lists the workers.
#[utoipa::path(get, path = "/api/workers", tag = "workers", responses((status = 200, body = [WorkerStatus])))]
pub async fn list(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json((shared.pool)().workers)
}

/// The workers in numbers.
#[utoipa::path(get, path = "/api/workers/stats", tag = "workers", responses((status = 200, body = WorkerStats)))]
pub async fn stats(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(WorkerStats::from(&(shared.pool)()))
}

/// Shows one worker.
#[utoipa::path(get, path = "/api/workers/{worker_id}", tag = "workers", params(("worker_id" = String, Path)),
    responses((status = 200, body = WorkerStatus), (status = 404, body = Detail)))]
pub async fn get(shared: Data<Shared>, worker_id: Path<String>) -> Result<HttpResponse, Error> {
    let worker = (shared.pool)().workers.into_iter().find(|w| w.worker_id == *worker_id);
    let worker = worker.ok_or_else(|| Error::NotFound(format!("there is no worker '{worker_id}'")))?;
    Ok(HttpResponse::Ok().json(worker))
}
