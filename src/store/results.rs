//! What jobs gave, compressed. Does not know what is in it: a transcript or the odds of languages, as JSON.

use super::db::{Read, Tx};
use super::error::{Error, Result};
use super::sql;
use crate::clock::Millis;
use crate::job::JobId;
use crate::language::Language;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read as _, Write};
use std::path::PathBuf;

/// What a finished job gave.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// JSON: a transcript, or the odds of languages.
    pub result: String,
    /// The conformance report, JSON.
    pub report: Option<String>,
    /// The language of the text, or the one detected.
    pub language: Option<Language>,
    pub segments_count: Option<u32>,
    pub model_used: Option<String>,
    pub device_used: Option<String>,
    /// Where the subtitle file was written.
    pub output_path: Option<PathBuf>,
}

/// A stored result.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// JSON.
    pub result: String,
    /// The conformance report, JSON.
    pub report: Option<String>,
    pub language: Option<Language>,
}

/// A result ready to be stored: packed before the change begins, so that the change stays short.
pub struct Packed {
    body: Vec<u8>,
    report: Option<String>,
    language: Option<Language>,
}

pub fn pack(outcome: &Outcome) -> Result<Packed> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    let body = gz.write_all(outcome.result.as_bytes()).and_then(|()| gz.finish());
    let body = body.map_err(|e| Error::Other(e.to_string()))?;
    Ok(Packed { body, report: outcome.report.clone(), language: outcome.language })
}

/// Stores it in place of an earlier result of the job.
pub fn put(tx: &mut dyn Tx, job: JobId, packed: &Packed) -> Result<()> {
    tx.execute(&sql::RESULT_DROP, &[job.into()])?;
    let args = [job.into(), packed.body.clone().into(), packed.report.clone().into(), packed.language.into()];
    tx.execute(&sql::RESULT_PUT, &args)?;
    Ok(())
}

pub fn get(read: &mut dyn Read, job: JobId) -> Result<Option<Stored>> {
    let rows = read.query(&sql::RESULT_GET, &[job.into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let mut result = String::new();
    GzDecoder::new(row.blob("body")?)
        .read_to_string(&mut result)
        .map_err(|e| Error::Corrupt(format!("the result of job {job}: {e}")))?;
    let report = row.opt_text("report")?.map(str::to_owned);
    Ok(Some(Stored { result, report, language: row.opt_parsed("language")? }))
}

/// Removes the results of jobs that were completed before `before`; the jobs stay.
pub fn prune(tx: &mut dyn Tx, before: Millis) -> Result<u64> {
    tx.execute(&sql::RESULTS_PRUNE, &[before.into()])
}
