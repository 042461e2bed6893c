//! A job as a row and back. Knows no statement.

use super::db::{Row, Value};
use super::error::{Error, Result};
use crate::clock::Millis;
use crate::job::{Claim, Job, JobId, NewJob, Source};
use std::path::{Path, PathBuf};

/// The arguments of `job_insert`, in its order. Fails for a path that is not UTF-8.
pub fn arguments(job: &NewJob, id: JobId, priority: i64, now: Millis) -> Result<Vec<Value>> {
    let (path, track, hash, raw) = match &job.source {
        Source::Path { path, track } => (Some(utf8(path)?), *track, None, false),
        Source::Spool { hash, raw } => (None, None, Some(hash.clone()), *raw),
    };
    let options = serde_json::to_string(&job.options).map_err(|e| Error::Other(e.to_string()))?;
    Ok(vec![
        id.into(),
        job.kind.as_str().into(),
        job.origin.as_str().into(),
        path.into(),
        track.into(),
        hash.into(),
        raw.into(),
        job.home.clone().into(),
        job.file_name.as_str().into(),
        job.task.as_str().into(),
        job.source_lang.into(),
        job.target_lang.into(),
        job.preset.as_str().into(),
        options.into(),
        priority.into(),
        job.key.as_str().into(),
        job.rank.into(),
        opt_utf8(job.output.as_deref())?.into(),
        now.into(),
        job.max_retries.into(),
    ])
}

/// A path as the database keeps it.
pub fn opt_utf8(path: Option<&Path>) -> Result<Option<String>> {
    path.map(utf8).transpose()
}

fn utf8(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| Error::NotUtf8(path.to_owned()))
}

/// The job in a row of `SELECT * FROM jobs`. Fails with `Corrupt` for what no version has written.
pub fn job(row: &Row) -> Result<Job> {
    let path = |column| Ok::<_, Error>(row.opt_text(column)?.map(PathBuf::from));
    let text = |column| Ok::<_, Error>(row.opt_text(column)?.map(str::to_owned));
    let source = match (path("source_path")?, text("spool_hash")?) {
        (Some(path), None) => Source::Path { path, track: row.opt_small("source_track")? },
        (None, Some(hash)) => Source::Spool { hash, raw: row.int("spool_raw")? != 0 },
        _ => return Err(Error::Corrupt("a job has neither a file nor an upload, or both".to_owned())),
    };
    let options = serde_json::from_str(row.text("options")?)
        .map_err(|e| Error::Corrupt(format!("the options of a job: {e}")))?;
    let worker = match (row.opt_text("claim_node")?, row.opt_text("claim_device")?) {
        (Some(node), Some(device)) => Some(format!("{node}/{device}")),
        _ => None,
    };
    Ok(Job {
        id: row.parsed("id")?,
        kind: row.parsed("kind")?,
        origin: row.parsed("origin")?,
        source,
        home: text("home")?,
        file_name: row.text("file_name")?.to_owned(),
        task: row.parsed("task")?,
        source_lang: row.opt_parsed("source_lang")?,
        target_lang: row.opt_parsed("target_lang")?,
        preset: row.parsed("preset")?,
        options,
        priority: row.int("priority")?,
        key: row.text("dedup_key")?.to_owned(),
        rank: row.int("result_rank")?,
        output: path("output")?,
        state: row.parsed("state")?,
        stage: row.parsed("stage")?,
        progress: row.real("progress")?,
        eta_ms: row.opt_int("eta_ms")?,
        created_at: row.int("created_at")?,
        started_at: row.opt_int("started_at")?,
        completed_at: row.opt_int("completed_at")?,
        error: text("error")?,
        retry_count: row.small("retry_count")?,
        max_retries: row.small("max_retries")?,
        worker,
        segments_count: row.opt_small("segments_count")?,
        model_used: text("model_used")?,
        device_used: text("device_used")?,
        processing_ms: row.opt_int("processing_ms")?,
        output_path: path("output_path")?,
    })
}

/// The claim in a row of `claims_of_…`.
pub fn claim(row: &Row) -> Result<Claim> {
    Ok(Claim { job: row.parsed("id")?, token: row.parsed("claim_token")?, until: row.int("lease_until")? })
}
