//! Words about ends of jobs, kept until they were said. Knows neither who is to hear them nor what they mean.

use super::db::{Read, Row, Tx};
use super::error::Result;
use super::sql;
use crate::clock::Millis;
use crate::job::JobId;
use uuid::Uuid;

/// One message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The same at each try: who hears it twice can tell.
    pub id: Uuid,
    pub job: JobId,
    pub event: String,
    /// JSON.
    pub body: String,
    /// Begun so far.
    pub tries: u32,
    /// Not sent earlier.
    pub due: Millis,
}

fn delivery(row: &Row) -> Result<Delivery> {
    Ok(Delivery {
        id: row.parsed("id")?,
        job: row.parsed("job_id")?,
        event: row.text("event")?.to_owned(),
        body: row.text("body")?.to_owned(),
        tries: row.small("tries")?,
        due: row.int("due")?,
    })
}

/// Due at once.
pub fn put(tx: &mut dyn Tx, job: JobId, event: &str, body: &str, now: Millis) -> Result<()> {
    let args = [Uuid::new_v4().into(), job.into(), event.into(), body.into(), now.into()];
    tx.execute(&sql::DELIVERY_PUT, &args)?;
    Ok(())
}

/// Those that are due first, also when it is not time yet.
pub fn next(read: &mut dyn Read, at_most: u32) -> Result<Vec<Delivery>> {
    read.query(&sql::DELIVERIES_NEXT, &[at_most.into()])?.iter().map(delivery).collect()
}

/// Counts a try. `false`: somebody else has it.
pub fn take(tx: &mut dyn Tx, one: &Delivery, due: Millis) -> Result<bool> {
    Ok(tx.execute(&sql::DELIVERY_TAKE, &[one.id.into(), one.tries.into(), due.into()])? > 0)
}

/// Not before `due` again, unless somebody else has it meanwhile.
pub fn put_off(tx: &mut dyn Tx, one: &Delivery, due: Millis) -> Result<()> {
    tx.execute(&sql::DELIVERY_PUT_OFF, &[one.id.into(), one.tries.into(), due.into()])?;
    Ok(())
}

pub fn drop(tx: &mut dyn Tx, id: Uuid) -> Result<()> {
    tx.execute(&sql::DELIVERY_DROP, &[id.into()])?;
    Ok(())
}

/// Removes those of ends before `before`.
pub fn prune(tx: &mut dyn Tx, before: Millis) -> Result<u64> {
    tx.execute(&sql::DELIVERIES_PRUNE, &[before.into()])
}
