//! The jobs of the queue over HTTP. Knows nothing of how they are worked on.

use super::error::{Detail, Error};
use super::held::{SLOW_POLL, stopped};
use super::params::{Json, Params};
use super::submit::{self, CreateJob};
use super::view::{JobPage, JobStats, JobView, Message};
use super::{Shared, ask};
use crate::job::{Job, JobId, JobKind, JobState, Source};
use crate::queue::{self, Moved, Stored};
use crate::subtitle::{Format, Transcript, formats};
use actix_web::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The longest long-poll, in seconds.
const MAX_WAIT_S: u32 = 120;

/// Lists jobs, newest first.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs",
    params(
        ("status_filter" = Option<String>, Query),
        ("page" = Option<u32>, Query, description = "From 1"),
        ("page_size" = Option<u32>, Query, description = "1 to 500; 50 when absent"),
    ),
    responses((status = 200, body = JobPage), (status = 400, body = Detail), (status = 422, body = Detail)))]
pub async fn list(shared: Data<Shared>, params: Params) -> Result<HttpResponse, Error> {
    let state: Option<JobState> =
        params.text("status_filter").map(str::parse).transpose().map_err(Error::Bad)?;
    let page = params.number("page", 1, 1..=u32::MAX)?;
    let page_size = params.number("page_size", 50, 1..=500)?;
    let queue = shared.queue.clone();
    let (jobs, total) = ask(move || queue.list(state, page, page_size)).await?;
    let jobs = jobs.iter().map(JobView::from).collect();
    Ok(HttpResponse::Ok().json(JobPage { jobs, total, page, page_size }))
}

/// Counts the jobs of each state.
#[utoipa::path(get, path = "/api/jobs/stats", tag = "jobs", responses((status = 200, body = JobStats)))]
pub async fn stats(shared: Data<Shared>) -> Result<HttpResponse, Error> {
    let queue = shared.queue.clone();
    let counts = ask(move || queue.counts()).await?;
    Ok(HttpResponse::Ok().json(JobStats::from(&counts)))
}

/// Shows one job. With `wait` the answer comes when the job is at its end or the time is over.
#[utoipa::path(get, path = "/api/jobs/{id}", tag = "jobs",
    params(
        ("id" = String, Path),
        ("wait" = Option<u32>, Query, description = "Seconds to wait for the job's end, at most 120"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the answer at hand"),
    ),
    responses((status = 200, body = JobView, headers(("ETag" = String))), (status = 304), (status = 404, body = Detail)))]
pub async fn get(
    req: HttpRequest,
    shared: Data<Shared>,
    id: Path<String>,
    params: Params,
) -> Result<HttpResponse, Error> {
    let wait_s = params.number("wait", 0, 0..=MAX_WAIT_S)?;
    let mut job = find(&shared, &id).await?;
    if wait_s > 0 && !job.state.is_end() {
        until_end(&shared, job.id, Duration::from_secs(wait_s.into())).await?;
        job = find(&shared, &id).await?;
    }
    let body = serde_json::to_vec(&JobView::from(&job)).map_err(|e| Error::Internal(e.to_string()))?;
    let tag = format!("\"{}\"", &blake3::hash(&body).to_hex()[..16]);
    let known = req.headers().get(IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|t| t.trim().trim_start_matches("W/") == tag)) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, tag)).finish());
    }
    Ok(HttpResponse::Ok().insert_header((ETAG, tag)).content_type("application/json").body(body))
}

/// Asks for the subtitle of a media file.
#[utoipa::path(post, path = "/api/jobs", tag = "jobs", request_body = CreateJob,
    responses(
        (status = 201, body = JobView), (status = 400, body = Detail), (status = 403, body = Detail),
        (status = 409, body = Detail), (status = 422, body = Detail),
    ))]
pub async fn create(shared: Data<Shared>, Json(asked): Json<CreateJob>) -> Result<HttpResponse, Error> {
    let submitted = submit::create(&shared, asked).await?;
    let job = find(&shared, &submitted.id.to_string()).await?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/api/jobs/{}", job.id)))
        .json(JobView::from(&job)))
}

/// Puts a failed or cancelled job back into the queue.
#[utoipa::path(post, path = "/api/jobs/{id}/retry", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = JobView), (status = 400, body = Detail), (status = 404, body = Detail)))]
pub async fn retry(shared: Data<Shared>, id: Path<String>) -> Result<HttpResponse, Error> {
    let (id, queue) = (job_id(&id)?, shared.queue.clone());
    its_audio_is_here(&shared, id).await?;
    let job = match ask(move || queue.retry(id)).await? {
        Moved::Refused(state @ (JobState::Failed | JobState::Cancelled)) => {
            let why = "another job for the same work is queued or running";
            return Err(Error::Bad(format!("a job that is {state} cannot be retried while {why}")));
        }
        other => moved(id, other, "retried")?,
    };
    Ok(HttpResponse::Ok().json(JobView::from(&job)))
}

/// Fails with 400 for a job whose upload has made room for others: it could only fail, and the same upload sent again
/// would then be held back.
async fn its_audio_is_here(shared: &Data<Shared>, id: JobId) -> Result<(), Error> {
    let theirs = shared.clone();
    let gone = ask(move || {
        let job = theirs.queue.get(id)?;
        let again = job.filter(|job| matches!(job.state, JobState::Failed | JobState::Cancelled));
        Ok::<_, queue::Error>(again.is_some_and(|job| match &job.source {
            Source::Spool { hash, .. } if job.home.as_deref() == Some(&theirs.settings.node) => {
                !theirs.spool.path(hash).exists()
            }
            _ => false,
        }))
    });
    if gone.await? {
        return Err(Error::Bad(format!("the audio of job {id} is no longer kept: send it again")));
    }
    Ok(())
}

/// Ends a job that is not at its end.
#[utoipa::path(post, path = "/api/jobs/{id}/cancel", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = Message), (status = 400, body = Detail), (status = 404, body = Detail)))]
pub async fn cancel(shared: Data<Shared>, id: Path<String>) -> Result<HttpResponse, Error> {
    let (id, queue) = (job_id(&id)?, shared.queue.clone());
    let job = moved(id, ask(move || queue.cancel(id)).await?, "cancelled")?;
    Ok(HttpResponse::Ok().json(Message::new(format!("Job {} cancelled", job.id))))
}

/// The same as cancel.
#[utoipa::path(delete, path = "/api/jobs/{id}", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, body = Message), (status = 400, body = Detail), (status = 404, body = Detail)))]
pub async fn remove(shared: Data<Shared>, id: Path<String>) -> Result<HttpResponse, Error> {
    cancel(shared, id).await
}

/// The body of `PATCH /api/jobs/{id}`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChangeJob {
    /// Higher goes first; counts as it is: a manual job has 5, Bazarr's have 10.
    pub priority: i64,
}

/// Changes the priority of a job that is not at its end.
#[utoipa::path(patch, path = "/api/jobs/{id}", tag = "jobs", params(("id" = String, Path)), request_body = ChangeJob,
    responses((status = 200, body = JobView), (status = 400, body = Detail), (status = 404, body = Detail), (status = 422, body = Detail)))]
pub async fn change(
    shared: Data<Shared>,
    id: Path<String>,
    Json(asked): Json<ChangeJob>,
) -> Result<HttpResponse, Error> {
    let (id, queue) = (job_id(&id)?, shared.queue.clone());
    let job = moved(id, ask(move || queue.set_priority(id, asked.priority)).await?, "moved in the queue")?;
    Ok(HttpResponse::Ok().json(JobView::from(&job)))
}

/// Forgets all completed jobs.
#[utoipa::path(post, path = "/api/jobs/queue/clear", tag = "jobs", responses((status = 200, body = Message)))]
pub async fn clear(shared: Data<Shared>) -> Result<HttpResponse, Error> {
    let queue = shared.queue.clone();
    let cleared = ask(move || queue.clear_completed()).await?;
    Ok(HttpResponse::Ok().json(Message::new(format!("Cleared {cleared} completed jobs"))))
}

/// The finished subtitle in any format.
#[utoipa::path(get, path = "/api/jobs/{id}/subtitle", tag = "jobs",
    params(
        ("id" = String, Path),
        ("format" = Option<String>, Query, description = "`srt` (default), `vtt`, `txt`, `tsv`, `json`, `verbose_json`, `lrc`, `ass`"),
        ("word_highlight" = Option<bool>, Query, description = "Marks each word while it is spoken, in `srt`, `vtt`, `lrc` and `ass`; default: as `word_level_highlight` was"),
    ),
    responses(
        (status = 200, content_type = "text/plain", body = String), (status = 404, body = Detail),
        (status = 409, body = Detail), (status = 422, body = Detail),
    ))]
pub async fn subtitle(shared: Data<Shared>, id: Path<String>, params: Params) -> Result<HttpResponse, Error> {
    let format = params.one_of("format")?.unwrap_or(Format::Srt);
    let job = find(&shared, &id).await?;
    let highlight = params.switch("word_highlight").unwrap_or(job.options.word_highlight).into();
    let stored = finished(&shared, job).await?;
    let transcript: Transcript = serde_json::from_str(&stored.result)
        .map_err(|e| Error::Internal(format!("the stored result of job {id} cannot be read: {e}")))?;
    let text = formats::render(&transcript, format, highlight);
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, format.content_type())).body(text))
}

/// The quality report of a finished subtitle.
#[utoipa::path(get, path = "/api/jobs/{id}/report", tag = "jobs", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/json", body = Object), (status = 404, body = Detail), (status = 409, body = Detail)))]
pub async fn report(shared: Data<Shared>, id: Path<String>) -> Result<HttpResponse, Error> {
    let stored = finished(&shared, find(&shared, &id).await?).await?;
    let report = stored.report.ok_or_else(|| Error::NotFound(format!("job '{id}' has no quality report")))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(report))
}

fn job_id(text: &str) -> Result<JobId, Error> {
    text.parse().map_err(|_| Error::no_job(text))
}

pub async fn find(shared: &Data<Shared>, text: &str) -> Result<Job, Error> {
    let (id, queue) = (job_id(text)?, shared.queue.clone());
    ask(move || queue.get(id)).await?.ok_or_else(|| Error::no_job(id))
}

/// Waits for the job's end, for the end of the time, or for the server's.
async fn until_end(shared: &Data<Shared>, id: JobId, at_most: Duration) -> Result<(), Error> {
    let mut stopping = shared.stopping.clone();
    tokio::select! {
        ended = shared.queue.wait(id, SLOW_POLL) => Ok(ended.map(drop)?),
        _ = tokio::time::sleep(at_most) => Ok(()),
        _ = stopped(&mut stopping) => Ok(()),
    }
}

fn moved(id: JobId, moved: Moved, what: &str) -> Result<Job, Error> {
    match moved {
        Moved::Done(job) => Ok(job),
        Moved::NotFound => Err(Error::no_job(id)),
        Moved::Refused(state) => Err(Error::Bad(format!("a job that is {state} cannot be {what}"))),
    }
}

/// The stored result of a completed transcription; 409 before its end, 404 for a detection.
async fn finished(shared: &Data<Shared>, job: Job) -> Result<Stored, Error> {
    let id = job.id;
    match (job.kind, job.state) {
        (JobKind::LanguageDetection, _) => {
            return Err(Error::NotFound(format!("job '{id}' detects a language: it makes no subtitle")));
        }
        (_, JobState::Completed) => {}
        (_, state) => {
            let why = job.error.map(|e| format!(" ({e})")).unwrap_or_default();
            return Err(Error::conflict(format!("job '{id}' is {state}, it has no subtitle{why}")));
        }
    }
    let queue = shared.queue.clone();
    let missing = || Error::NotFound(format!("the result of job '{id}' is no longer kept"));
    ask(move || queue.result(id)).await?.ok_or_else(missing)
}
