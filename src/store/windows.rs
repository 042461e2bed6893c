//! The windows of a job in the database: checkpoints, marks of those in flight, deaths counted. Decides nothing
//! about them; who calls has made sure that the claim holds.

use super::db::{Read, Tx};
use super::error::Result;
use super::sql;
use crate::clock::Millis;
use crate::job::JobId;

/// Marks a window as being decoded; doing so twice is as once.
pub fn mark(tx: &mut dyn Tx, job: JobId, index: u32, now: Millis) -> Result<()> {
    unmark(tx, job, index)?;
    tx.execute(&sql::WINDOW_BEGIN, &[job.into(), index.into(), now.into()])?;
    Ok(())
}

pub fn unmark(tx: &mut dyn Tx, job: JobId, index: u32) -> Result<()> {
    tx.execute(&sql::WINDOW_OVER, &[job.into(), index.into()])?;
    Ok(())
}

pub fn unmark_all(tx: &mut dyn Tx, job: JobId) -> Result<()> {
    tx.execute(&sql::WINDOWS_OVER, &[job.into()])?;
    Ok(())
}

pub fn in_flight(read: &mut dyn Read, job: JobId) -> Result<Vec<u32>> {
    let rows = read.query(&sql::WINDOWS_IN_FLIGHT, &[job.into()])?;
    rows.iter().map(|row| row.small("idx")).collect()
}

/// How many processes died in a row with this window in flight.
pub fn deaths(read: &mut dyn Read, job: JobId, index: u32) -> Result<u32> {
    let rows = read.query(&sql::WINDOW_DEATHS, &[job.into(), index.into()])?;
    rows.first().map_or(Ok(0), |row| row.small("deaths"))
}

pub fn count_death(tx: &mut dyn Tx, job: JobId, index: u32) -> Result<()> {
    let args = [job.into(), index.into()];
    if tx.execute(&sql::WINDOW_DEATH_AGAIN, &args)? == 0 {
        tx.execute(&sql::WINDOW_DEATH_FIRST, &args)?;
    }
    Ok(())
}

pub fn forget_deaths(tx: &mut dyn Tx, job: JobId, of: [u32; 2]) -> Result<()> {
    tx.execute(&sql::WINDOW_DEATHS_FORGET, &[job.into(), of[0].into(), of[1].into()])?;
    Ok(())
}

pub fn forget_all_deaths(tx: &mut dyn Tx, job: JobId) -> Result<()> {
    tx.execute(&sql::WINDOWS_DEATHS_FORGET, &[job.into()])?;
    Ok(())
}

/// Stores what a window gave, in place of what it gave before.
pub fn put_checkpoint(tx: &mut dyn Tx, job: JobId, index: u32, body: &str) -> Result<()> {
    tx.execute(&sql::CHECKPOINT_DROP, &[job.into(), index.into()])?;
    tx.execute(&sql::CHECKPOINT_PUT, &[job.into(), index.into(), body.into()])?;
    Ok(())
}

/// By index.
pub fn checkpoints(read: &mut dyn Read, job: JobId) -> Result<Vec<(u32, String)>> {
    let rows = read.query(&sql::CHECKPOINTS, &[job.into()])?;
    rows.iter().map(|row| Ok((row.small("idx")?, row.text("body")?.to_owned()))).collect()
}

/// Removes checkpoints, marks and counts: the job is done.
pub fn forget(tx: &mut dyn Tx, job: JobId) -> Result<()> {
    tx.execute(&sql::CHECKPOINTS_DROP, &[job.into()])?;
    unmark_all(tx, job)?;
    forget_all_deaths(tx, job)
}
