//! The shapes of rest-api.md that show jobs. Knows nothing of where jobs come from.

use crate::clock::rfc3339;
use crate::job::{Job, JobState, Source};
use crate::language::Language;
use crate::queue::Counts;
use serde::Serialize;
use utoipa::ToSchema;

/// A job (rest-api.md, "J"). Times are RFC 3339 UTC, languages ISO 639-1 where one exists, else 639-3.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    pub id: String,
    /// The media file, or `upload:HASH`.
    pub file_path: String,
    pub file_name: String,
    /// `transcription` or `language_detection`.
    pub job_type: &'static str,
    /// `queued`, `processing`, `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    pub priority: i64,
    pub source_lang: Option<&'static str>,
    pub target_lang: Option<&'static str>,
    pub quality_preset: &'static str,
    pub transcribe_or_translate: &'static str,
    /// 0 to 100.
    pub progress: f64,
    pub current_stage: &'static str,
    pub eta_seconds: Option<i64>,
    pub created_at: String,
    pub started_at: Option<String>,
    pub completed_at: Option<String>,
    pub output_path: Option<String>,
    pub segments_count: Option<u32>,
    pub error: Option<String>,
    /// What there is to say of a job that went well: that no words were found, and no subtitle file was written.
    pub note: Option<String>,
    pub retry_count: u32,
    pub max_retries: u32,
    pub worker_id: Option<String>,
    pub vram_used_mb: Option<u64>,
    pub processing_time_seconds: Option<f64>,
    pub model_used: Option<String>,
    pub device_used: Option<String>,
}

impl From<&Job> for JobView {
    fn from(job: &Job) -> JobView {
        JobView {
            id: job.id.to_string(),
            file_path: match &job.source {
                Source::Path { path, .. } => path.to_string_lossy().into_owned(),
                Source::Spool { hash, .. } => format!("upload:{hash}"),
            },
            file_name: job.file_name.clone(),
            job_type: job.kind.as_str(),
            status: job.state.as_str(),
            priority: job.priority,
            source_lang: job.source_lang.map(Language::answer_code),
            target_lang: job.target_lang.map(Language::answer_code),
            quality_preset: job.preset.as_str(),
            transcribe_or_translate: job.task.as_str(),
            progress: job.progress,
            current_stage: job.stage.as_str(),
            eta_seconds: job.eta_ms.map(|ms| (ms + 999).div_euclid(1000)),
            created_at: rfc3339(job.created_at),
            started_at: job.started_at.map(rfc3339),
            completed_at: job.completed_at.map(rfc3339),
            output_path: job.output_path.as_ref().map(|p| p.to_string_lossy().into_owned()),
            segments_count: job.segments_count,
            error: job.error.clone(),
            note: note(job),
            retry_count: job.retry_count,
            max_retries: job.max_retries,
            worker_id: job.worker.clone(),
            vram_used_mb: None,
            processing_time_seconds: job.processing_ms.map(|ms| ms as f64 / 1000.0),
            model_used: job.model_used.clone(),
            device_used: job.device_used.clone(),
        }
    }
}

fn note(job: &Job) -> Option<String> {
    let silent = job.state == JobState::Completed && job.segments_count == Some(0);
    silent.then(|| match job.output {
        Some(_) => "no words were found, no subtitle file was written".into(),
        None => "no words were found".into(),
    })
}

/// One page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobPage {
    pub jobs: Vec<JobView>,
    /// On all pages together.
    pub total: u64,
    pub page: u32,
    pub page_size: u32,
}

/// How many jobs are in each state.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobStats {
    pub total_jobs: u64,
    pub queued: u64,
    pub processing: u64,
    pub completed: u64,
    pub failed: u64,
    pub cancelled: u64,
}

impl From<&Counts> for JobStats {
    fn from(c: &Counts) -> JobStats {
        JobStats {
            total_jobs: c.total,
            queued: c.queued,
            processing: c.processing,
            completed: c.completed,
            failed: c.failed,
            cancelled: c.cancelled,
        }
    }
}

/// What was done, in one sentence.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    pub message: String,
}

impl Message {
    pub fn new(message: impl Into<String>) -> Message {
        Message { message: message.into() }
    }
}
