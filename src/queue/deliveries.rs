//! Ends of jobs that somebody is to be told of. The words are kept in the very change that ends the job, so no death of
//! any process loses them. Knows neither the words nor who hears them.

use super::{Queue, Result};
use crate::clock::Millis;
use crate::job::{Job, JobId, Origin};
use crate::store::db::{Durability, Tx};
use crate::store::{self, deliveries, jobs};
use serde::{Deserialize, Serialize};

pub use crate::store::deliveries::Delivery;

/// Whose ends are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    #[default]
    None,
    /// All but those of provider requests.
    Own,
    All,
}

/// Puts the end of a job into words: JSON. The event is `job.` and the state.
pub type Words = fn(event: &str, job: &Job) -> serde_json::Result<String>;

impl Queue {
    /// This queue, keeping words about the ends it makes.
    pub fn telling(self, told: Told, words: Words) -> Queue {
        Queue { telling: (told != Told::None).then_some((told, words)), ..self }
    }

    /// Part of the change that has just ended the job.
    pub(super) fn tell_end(&self, tx: &mut dyn Tx, id: JobId, now: Millis) -> store::Result<()> {
        let Some((told, words)) = self.telling else { return Ok(()) };
        let Some(job) = jobs::by_id(tx, id)? else { return Ok(()) };
        if told == Told::Own && job.origin == Origin::Provider {
            return Ok(());
        }
        let event = format!("job.{}", job.state);
        let body = words(&event, &job).map_err(|e| store::Error::Other(e.to_string()))?;
        deliveries::put(tx, id, &event, &body, now)
    }

    /// Takes what is due, at most so many, and counts a try of each. Who takes one says soon how it went: after
    /// `hold_ms` it is due again, for the taker is dead then.
    pub fn take_deliveries(&self, at_most: u32, hold_ms: Millis) -> Result<Vec<Delivery>> {
        let now = self.now();
        let mut due = deliveries::next(&mut &self.store, at_most)?;
        due.retain(|one| one.due <= now);
        if due.is_empty() {
            return Ok(due);
        }
        Ok(self.store.write(Durability::Normal, |tx| {
            let mut taken = Vec::new();
            for one in &due {
                if deliveries::take(tx, one, now.saturating_add(hold_ms))? {
                    taken.push(Delivery { tries: one.tries + 1, ..one.clone() });
                }
            }
            Ok(taken)
        })?)
    }

    /// Milliseconds until the next is due; `None`: there is none.
    pub fn next_delivery_in(&self) -> Result<Option<Millis>> {
        let next = deliveries::next(&mut &self.store, 1)?;
        Ok(next.first().map(|one| one.due.saturating_sub(self.now()).max(0)))
    }

    /// A taken delivery was not heard: it is due again after `pause_ms`.
    pub fn put_off_delivery(&self, one: &Delivery, pause_ms: Millis) -> Result<()> {
        let due = self.now().saturating_add(pause_ms);
        Ok(self.store.write(Durability::Normal, |tx| deliveries::put_off(tx, one, due))?)
    }

    /// A taken delivery was heard, or is given up.
    pub fn drop_delivery(&self, one: &Delivery) -> Result<()> {
        Ok(self.store.write(Durability::Normal, |tx| deliveries::drop(tx, one.id))?)
    }
}
