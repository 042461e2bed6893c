//! Small things to remember: named facts, marks of tries, and keys whose jobs failed. Decides nothing by them.

use super::db::{Durability, Read, Tx};
use super::error::Result;
use super::{Store, sql};
use crate::clock::Millis;
use crate::job::JobId;

pub fn fact(store: &Store, name: &str) -> Result<Option<String>> {
    let mut read = store;
    let rows = read.query(&sql::FACT_GET, &[name.into()])?;
    rows.first().map(|row| Ok(row.text("value")?.to_owned())).transpose()
}

/// Remembers `value` under `name`, in place of what was there.
pub fn set_fact(store: &Store, name: &str, value: &str) -> Result<()> {
    store.write(Durability::Full, |tx| {
        tx.execute(&sql::FACT_DROP, &[name.into()])?;
        tx.execute(&sql::FACT_PUT, &[name.into(), value.into()])?;
        Ok(())
    })
}

/// What became of something that is tried now and then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    pub tries: u32,
    /// Not tried again before.
    pub until: Millis,
}

pub fn mark(store: &Store, name: &str) -> Result<Option<Mark>> {
    let mut read = store;
    let rows = read.query(&sql::MARK_GET, &[name.into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Mark { tries: row.small("tries")?, until: row.int("until")? }))
}

/// Remembers `mark` under `name`, in place of what was there.
pub fn set_mark(store: &Store, name: &str, mark: Mark) -> Result<()> {
    store.write(Durability::Full, |tx| {
        tx.execute(&sql::MARK_DROP, &[name.into()])?;
        tx.execute(&sql::MARK_PUT, &[name.into(), mark.tries.into(), mark.until.into()])?;
        Ok(())
    })
}

pub fn prune_marks(tx: &mut dyn Tx, before: Millis) -> Result<u64> {
    tx.execute(&sql::MARKS_PRUNE, &[before.into()])
}

/// A key whose last job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedKey {
    /// How often in a row.
    pub times: u32,
    /// Not tried again before.
    pub until: Millis,
    /// The job that failed last.
    pub job: JobId,
}

pub fn failed_key(read: &mut dyn Read, key: &str) -> Result<Option<FailedKey>> {
    let rows = read.query(&sql::FAILED_KEY_GET, &[key.into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(FailedKey { times: row.small("times")?, until: row.int("until")?, job: row.parsed("job_id")? }))
}

pub fn put_failed_key(tx: &mut dyn Tx, key: &str, failed: FailedKey) -> Result<()> {
    drop_failed_key(tx, key)?;
    let args = [key.into(), failed.times.into(), failed.until.into(), failed.job.into()];
    tx.execute(&sql::FAILED_KEY_PUT, &args)?;
    Ok(())
}

pub fn drop_failed_key(tx: &mut dyn Tx, key: &str) -> Result<()> {
    tx.execute(&sql::FAILED_KEY_DROP, &[key.into()])?;
    Ok(())
}

pub fn drop_all_failed_keys(store: &Store) -> Result<u64> {
    store.write(Durability::Full, |tx| tx.execute(&sql::FAILED_KEYS_DROP_ALL, &[]))
}

pub fn prune_failed_keys(tx: &mut dyn Tx, before: Millis) -> Result<u64> {
    tx.execute(&sql::FAILED_KEYS_PRUNE, &[before.into()])
}
