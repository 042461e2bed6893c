//! What was tried for a file and a language, and when it may be tried again. Does not know what was tried.

use crate::clock::Millis;
use crate::queue::{Mark, Queue, Result};

const HOUR_MS: Millis = 3_600_000;
const DAY_MS: Millis = 24 * HOUR_MS;
/// The first pause after a failure, doubled with each.
const FIRST_PAUSE_MS: Millis = HOUR_MS / 4;
const LONGEST_PAUSE_MS: Millis = 7 * DAY_MS;
/// What Bazarr had and misses again was taken away by somebody: not at once a second time.
const DONE_MS: Millis = 30 * DAY_MS;

/// The marks, kept beside the queue.
pub struct Marks<'a>(pub &'a Queue);

impl Marks<'_> {
    /// It may be tried now.
    pub fn free(&self, name: &str, now: Millis) -> Result<bool> {
        Ok(self.read(name)?.until <= now)
    }

    /// Another try has failed.
    pub fn failed(&self, name: &str, now: Millis) -> Result<()> {
        let tries = self.read(name)?.tries;
        let pause = (FIRST_PAUSE_MS << tries.min(20)).min(LONGEST_PAUSE_MS);
        self.write(name, Mark { tries: tries.saturating_add(1), until: now.saturating_add(pause) })
    }

    /// Another try would give the same: the file has to change first, or much time to pass.
    pub fn vain(&self, name: &str, now: Millis) -> Result<()> {
        self.done(name, now)
    }

    pub fn done(&self, name: &str, now: Millis) -> Result<()> {
        self.write(name, Mark { tries: 0, until: now.saturating_add(DONE_MS) })
    }

    fn read(&self, name: &str) -> Result<Mark> {
        Ok(self.0.mark(name)?.unwrap_or_default())
    }

    fn write(&self, name: &str, mark: Mark) -> Result<()> {
        self.0.set_mark(name, mark)
    }
}
