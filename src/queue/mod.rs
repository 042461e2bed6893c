//! The queue: who is first, what is the same work, what is tried again. Knows no SQL and no engine.
//!
//! Every method is one short call to the database and blocks for it; only `wait` is asynchronous.
//! Invariant: whoever works on a job holds its claim, and each write of a holder is guarded by it. A method that
//! takes a claim answers `false` (or `Begun::Lost`) when the job is no longer the holder's: stop, write nothing.

mod claim;
mod dead;
mod deliveries;
mod look;
mod moves;
mod submit;
mod wait;
mod windows;

pub use crate::store::facts::Mark;
pub use crate::store::jobs::Progress;
pub use crate::store::results::{Outcome, Stored};
pub use claim::{Again, ClaimAsk, Place};
pub use deliveries::{Delivery, Told, Words};
pub use look::Counts;
pub use moves::Moved;
pub use submit::Submitted;
pub use wait::Notice;
pub use windows::{Begun, OPENING};

use crate::clock::{Clock, Millis};
use crate::job::JobId;
use crate::store::{self, Store};
use std::sync::Arc;
use tokio::sync::broadcast;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Waited for, and nobody knows it (any more).
    #[error("there is no job {0}: it was cleared, or never was")]
    Gone(JobId),
    #[error("the program is stopping: ask again when it is back")]
    Stopping,
}

/// The queue of this node. Cheap to clone; clones share the notices.
#[derive(Clone)]
pub struct Queue {
    store: Store,
    node: Arc<str>,
    clock: Arc<dyn Clock>,
    notices: broadcast::Sender<Notice>,
    telling: Option<(Told, Words)>,
}

impl Queue {
    /// `node` is this machine's name among those that share the database.
    pub fn new(store: Store, node: String, clock: Arc<dyn Clock>) -> Queue {
        let (notices, _) = broadcast::channel(wait::NOTICES_KEPT);
        Queue { store, node: node.into(), clock, notices, telling: None }
    }

    fn now(&self) -> Millis {
        self.clock.now()
    }
}
