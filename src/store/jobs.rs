//! Jobs in the database: found, entered, moved. Decides nothing: each move is guarded by the state or the
//! claim it starts from, and `false` says that the guard did not hold.

use super::db::{Durability, Read, Tx, Value};
use super::error::Result;
use super::results::Outcome;
use super::{Store, row, sql};
use crate::clock::Millis;
use crate::job::{Claim, Job, JobId, JobKind, JobState, NewJob, Preset, Stage};
use crate::language::Language;
use std::path::Path;
use uuid::Uuid;

fn one(read: &mut dyn Read, sql: &sql::Sql, args: &[Value]) -> Result<Option<Job>> {
    read.query(sql, args)?.first().map(row::job).transpose()
}

pub fn by_id(read: &mut dyn Read, id: JobId) -> Result<Option<Job>> {
    one(read, &sql::JOB_BY_ID, &[id.into()])
}

/// The job that has not ended and has this key: there is at most one.
pub fn live(read: &mut dyn Read, key: &str) -> Result<Option<Job>> {
    one(read, &sql::JOB_BY_LIVE_KEY, &[key.into()])
}

/// The best completed job with this key whose result is stored and ranks at least `rank`.
pub fn with_result(read: &mut dyn Read, key: &str, rank: i64) -> Result<Option<Job>> {
    one(read, &sql::JOB_WITH_RESULT, &[key.into(), rank.into()])
}

/// Fails with `Conflict` when a live job has the key.
pub fn insert(tx: &mut dyn Tx, job: &NewJob, id: JobId, priority: i64, now: Millis) -> Result<()> {
    tx.execute(&sql::JOB_INSERT, &row::arguments(job, id, priority, now)?)?;
    Ok(())
}

/// A second asker for a live job: its priority, and where it wants the file if nobody has said so.
pub fn join(tx: &mut dyn Tx, id: JobId, priority: i64, output: Option<&Path>) -> Result<()> {
    tx.execute(&sql::JOB_JOIN, &[id.into(), priority.into(), row::opt_utf8(output)?.into()])?;
    Ok(())
}

/// Makes more of a job that nobody has started.
pub fn upgrade(tx: &mut dyn Tx, id: JobId, preset: Preset, rank: i64) -> Result<()> {
    tx.execute(&sql::JOB_UPGRADE, &[id.into(), preset.as_str().into(), rank.into()])?;
    Ok(())
}

/// Newest first.
pub fn newest(read: &mut dyn Read, state: Option<JobState>, skip: u64, at_most: u32) -> Result<Vec<Job>> {
    let mut args = vec![at_most.into(), i64::try_from(skip).unwrap_or(i64::MAX).into()];
    let sql = match state {
        None => &sql::JOBS_NEWEST,
        Some(state) => {
            args.push(state.as_str().into());
            &sql::JOBS_NEWEST_IN_STATE
        }
    };
    read.query(sql, &args)?.iter().map(row::job).collect()
}

/// How many there are in each state that has any.
pub fn count_by_state(read: &mut dyn Read) -> Result<Vec<(JobState, u64)>> {
    let rows = read.query(&sql::JOBS_COUNT_BY_STATE, &[])?;
    rows.iter().map(|row| Ok((row.parsed("state")?, row.small("jobs")?))).collect()
}

pub fn count_ended_since(read: &mut dyn Read, state: JobState, since: Millis) -> Result<u64> {
    let rows = read.query(&sql::JOBS_COUNT_ENDED_SINCE, &[state.as_str().into(), since.into()])?;
    rows.first().map_or(Ok(0), |row| row.small("jobs"))
}

/// The uploads on `node` that live jobs read.
pub fn spools_in_use(read: &mut dyn Read, node: &str) -> Result<Vec<String>> {
    let rows = read.query(&sql::SPOOLS_IN_USE, &[node.into()])?;
    rows.iter().map(|row| Ok(row.text("spool_hash")?.to_owned())).collect()
}

/// Which jobs a claimer can take.
pub struct Pick<'a> {
    pub node: &'a str,
    pub kinds: &'a [JobKind],
    /// The least urgency: of the priority, or with ageing of the priority in milliseconds less the time of birth.
    pub least: Option<i64>,
    /// So many milliseconds of waiting are worth one point of priority; 0: waiting is worth nothing.
    pub ageing_ms_per_point: Millis,
}

/// The most urgent job that fits. `None` also while the queue is paused.
pub fn pick(tx: &mut dyn Tx, pick: &Pick<'_>, now: Millis) -> Result<Option<JobId>> {
    // There are two kinds of jobs; the statement has a place for each.
    let (Some(first), Some(last)) = (pick.kinds.first(), pick.kinds.last()) else { return Ok(None) };
    let least = pick.least.unwrap_or(i64::MIN);
    let mut args =
        vec![now.into(), pick.node.into(), first.as_str().into(), last.as_str().into(), least.into()];
    let sql = if pick.ageing_ms_per_point > 0 {
        args.push(pick.ageing_ms_per_point.into());
        &sql::CLAIM_PICK_AGED
    } else {
        &sql::CLAIM_PICK
    };
    tx.query(sql, &args)?.first().map(|row| row.parsed("id")).transpose()
}

pub fn take(tx: &mut dyn Tx, claim: &Claim, node: &str, device: &str, now: Millis) -> Result<bool> {
    let args =
        [claim.job.into(), claim.token.into(), node.into(), device.into(), now.into(), claim.until.into()];
    Ok(tx.execute(&sql::CLAIM_TAKE, &args)? > 0)
}

/// True while the claim is the job's; in a change it then stays so until the commit.
pub fn holds(read: &mut dyn Read, claim: &Claim) -> Result<bool> {
    Ok(!read.query(&sql::CLAIM_HOLDS, &guard(claim, []))?.is_empty())
}

pub fn renew(tx: &mut dyn Tx, claim: &Claim, until: Millis) -> Result<bool> {
    Ok(tx.execute(&sql::CLAIM_RENEW, &guard(claim, [until.into()]))? > 0)
}

pub fn claims_of_device(read: &mut dyn Read, node: &str, device: &str) -> Result<Vec<Claim>> {
    read.query(&sql::CLAIMS_OF_DEVICE, &[node.into(), device.into()])?.iter().map(row::claim).collect()
}

pub fn claims_of_node(read: &mut dyn Read, node: &str) -> Result<Vec<Claim>> {
    read.query(&sql::CLAIMS_OF_NODE, &[node.into()])?.iter().map(row::claim).collect()
}

/// Claims whose lease has ended at `now`.
pub fn claims_expired(read: &mut dyn Read, now: Millis) -> Result<Vec<Claim>> {
    read.query(&sql::CLAIMS_EXPIRED, &[now.into()])?.iter().map(row::claim).collect()
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// 0 to 100; what lies outside is cut off.
    pub percent: f64,
    pub stage: Stage,
    pub eta_ms: Option<Millis>,
    /// The language that was heard; `None` leaves what is known.
    pub source_lang: Option<Language>,
}

pub fn progress(tx: &mut dyn Tx, claim: &Claim, p: &Progress) -> Result<bool> {
    let percent = if p.percent.is_nan() { 0.0 } else { p.percent.clamp(0.0, 100.0) };
    let new = [p.stage.as_str().into(), percent.into(), p.eta_ms.into(), p.source_lang.into()];
    Ok(tx.execute(&sql::JOB_PROGRESS, &guard(claim, new))? > 0)
}

pub fn complete(tx: &mut dyn Tx, claim: &Claim, outcome: &Outcome, now: Millis) -> Result<bool> {
    let new = [
        now.into(),
        outcome.segments_count.into(),
        outcome.model_used.clone().into(),
        outcome.device_used.clone().into(),
        row::opt_utf8(outcome.output_path.as_deref())?.into(),
    ];
    Ok(tx.execute(&sql::JOB_COMPLETE, &guard(claim, new))? > 0)
}

pub fn fail(tx: &mut dyn Tx, claim: &Claim, error: &str, now: Millis) -> Result<bool> {
    Ok(tx.execute(&sql::JOB_FAIL, &guard(claim, [now.into(), error.into()]))? > 0)
}

pub fn release(tx: &mut dyn Tx, claim: &Claim, now: Millis) -> Result<bool> {
    Ok(tx.execute(&sql::JOB_RELEASE, &guard(claim, [now.into()]))? > 0)
}

/// Back to the queue until `not_before`, with the reason, and without counting an attempt.
pub fn postpone(
    tx: &mut dyn Tx,
    claim: &Claim,
    error: &str,
    not_before: Millis,
    now: Millis,
) -> Result<bool> {
    let new = [now.into(), error.into(), not_before.into()];
    Ok(tx.execute(&sql::JOB_POSTPONE, &guard(claim, new))? > 0)
}

/// Back to the queue, one attempt the poorer, to be claimed from `not_before` on.
pub fn try_again(
    tx: &mut dyn Tx,
    claim: &Claim,
    error: &str,
    not_before: Millis,
    now: Millis,
) -> Result<bool> {
    let new = [now.into(), error.into(), not_before.into()];
    Ok(tx.execute(&sql::JOB_TRY_AGAIN, &guard(claim, new))? > 0)
}

pub fn cancel(tx: &mut dyn Tx, id: JobId, from: JobState, now: Millis) -> Result<bool> {
    Ok(tx.execute(&sql::JOB_CANCEL, &[id.into(), from.as_str().into(), now.into()])? > 0)
}

/// Back to the queue by hand, as if new. Fails with `Conflict` when a live job has the key.
pub fn retry(tx: &mut dyn Tx, id: JobId, from: JobState) -> Result<bool> {
    Ok(tx.execute(&sql::JOB_RETRY, &[id.into(), from.as_str().into()])? > 0)
}

pub fn set_priority(tx: &mut dyn Tx, id: JobId, priority: i64) -> Result<bool> {
    Ok(tx.execute(&sql::JOB_SET_PRIORITY, &[id.into(), priority.into()])? > 0)
}

pub fn clear_completed(store: &Store) -> Result<u64> {
    store.write(Durability::Full, |tx| tx.execute(&sql::JOBS_CLEAR_COMPLETED, &[]))
}

/// Removes jobs that ended before `before`, with all that belongs to them.
pub fn prune(tx: &mut dyn Tx, before: Millis) -> Result<u64> {
    tx.execute(&sql::JOBS_PRUNE, &[before.into()])
}

/// A claim nobody has had before.
pub fn new_claim(job: JobId, until: Millis) -> Claim {
    Claim { job, token: Uuid::new_v4(), until }
}

/// Job and token, which guard every write of a holder, then the statement's own arguments.
fn guard<const N: usize>(claim: &Claim, new: [Value; N]) -> Vec<Value> {
    [claim.job.into(), claim.token.into()].into_iter().chain(new).collect()
}
