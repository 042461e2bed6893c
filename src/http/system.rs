//! How the daemon is: its first page, its health, its numbers, its pause. Knows nothing of single jobs.

use super::error::Error;
use super::view::Message;
use super::workers::WorkerStats;
use super::{Shared, ask};
use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

/// The first page in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Hello {
    pub name: &'static str,
    pub version: &'static str,
    pub status: &'static str,
    pub message: &'static str,
}

/// The status page; JSON for those who accept it by name.
#[utoipa::path(get, path = "/", tag = "system", responses((status = 200, body = Hello)))]
pub async fn home(req: HttpRequest) -> HttpResponse {
    let accept = req.headers().get(ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !accept.contains("application/json") {
        let page = include_str!("pages/home.html");
        return HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page);
    }
    HttpResponse::Ok().json(Hello {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        status: "running",
        message: env!("CARGO_PKG_DESCRIPTION"),
    })
}

/// Whether work can be done. `reasons` says in sentences what is missing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `healthy`, `degraded` (it answers, but something is missing) or `unhealthy` (the database cannot be read, or has no room).
    pub status: &'static str,
    /// `connected` or `error`.
    pub database: &'static str,
    pub workers: usize,
    pub queue_size: u64,
    pub reasons: Vec<String>,
}

/// Really asks the database, and writes to it when a write has failed lately.
#[utoipa::path(get, path = "/health", tag = "system", responses((status = 200, body = Health), (status = 503, body = Health)))]
pub async fn health(shared: Data<Shared>) -> HttpResponse {
    let (queue, reasons) = (shared.queue.clone(), shared.health.clone());
    let mut reasons = actix_web::web::block(move || reasons()).await.unwrap_or_default();
    let workers = (shared.pool)().workers.len();
    match ask(move || queue.check_room().and_then(|()| queue.counts())).await {
        Ok(counts) => HttpResponse::Ok().json(Health {
            status: if reasons.is_empty() { "healthy" } else { "degraded" },
            database: "connected",
            workers,
            queue_size: counts.queued,
            reasons,
        }),
        Err(e) => {
            reasons.insert(0, e.to_string());
            let health = Health { status: "unhealthy", database: "error", workers, queue_size: 0, reasons };
            HttpResponse::ServiceUnavailable().json(health)
        }
    }
}

/// The daemon in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    pub system: SystemStatus,
    pub workers: WorkersStatus,
    pub queue: QueueStatus,
    pub scanner: ScannerStatus,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SystemStatus {
    pub status: &'static str,
    pub uptime_seconds: f64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WorkersStatus {
    pub total_workers: usize,
    pub cpu_workers: usize,
    pub gpu_workers: usize,
    pub idle_workers: usize,
    pub busy_workers: usize,
    pub total_jobs_completed: u64,
    pub total_jobs_failed: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct QueueStatus {
    pub total_jobs: u64,
    pub queued: u64,
    pub processing: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// Since midnight UTC.
    pub completed_today: u64,
    pub failed_today: u64,
    /// Nothing new is begun until it is resumed.
    pub paused: bool,
}

#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ScannerStatus {
    pub scheduler_enabled: bool,
    pub scheduler_running: bool,
    pub next_scan_time: Option<String>,
    pub watcher_enabled: bool,
    pub watcher_running: bool,
}

/// Shows all of it.
#[utoipa::path(get, path = "/api/status", tag = "system", responses((status = 200, body = Status)))]
pub async fn status(shared: Data<Shared>) -> Result<HttpResponse, Error> {
    let queue = shared.queue.clone();
    let (counts, paused) = ask(move || queue.counts().and_then(|c| Ok((c, queue.paused()?)))).await?;
    let stats = WorkerStats::from(&(shared.pool)());
    Ok(HttpResponse::Ok().json(Status {
        system: SystemStatus { status: "running", uptime_seconds: shared.started.elapsed().as_secs_f64() },
        workers: WorkersStatus {
            total_workers: stats.total_workers,
            cpu_workers: stats.cpu_workers,
            gpu_workers: stats.gpu_workers,
            idle_workers: stats.idle_workers,
            busy_workers: stats.busy_workers,
            total_jobs_completed: stats.total_jobs_completed,
            total_jobs_failed: stats.total_jobs_failed,
        },
        queue: QueueStatus {
            total_jobs: counts.total,
            queued: counts.queued,
            processing: counts.processing,
            completed: counts.completed,
            failed: counts.failed,
            cancelled: counts.cancelled,
            completed_today: counts.completed_today,
            failed_today: counts.failed_today,
            paused,
        },
        scanner: ScannerStatus::default(),
    }))
}

/// Lets nothing new begin, on any node and also after a restart; what runs goes on.
#[utoipa::path(post, path = "/api/queue/pause", tag = "system", responses((status = 200, body = Message)))]
pub async fn pause(shared: Data<Shared>) -> Result<HttpResponse, Error> {
    let queue = shared.queue.clone();
    ask(move || queue.set_paused(true)).await?;
    Ok(HttpResponse::Ok().json(Message::new("Queue paused")))
}

/// Ends the pause.
#[utoipa::path(post, path = "/api/queue/resume", tag = "system", responses((status = 200, body = Message)))]
pub async fn resume(shared: Data<Shared>) -> Result<HttpResponse, Error> {
    let queue = shared.queue.clone();
    ask(move || queue.set_paused(false)).await?;
    Ok(HttpResponse::Ok().json(Message::new("Queue resumed")))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "system", responses((status = 200, content_type = "application/json", body = Object)))]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().json(super::openapi())
}
