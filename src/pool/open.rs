//! A job that is open on a device, and how far it is. Knows nothing of its windows or of who works on them.

use super::prompt::Prompt;
use crate::audio::Damage;
use crate::engine::Session;
use crate::job::{Claim, Job, Task};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Instant;

/// A job that is open here.
pub struct Open {
    pub job: Job,
    pub claim: Claim,
    /// Raised when nobody wants the windows any more: cancelled, lost, stopped.
    pub stop: AtomicBool,
    pub opened: Instant,
    /// Of the source, in milliseconds; 0 while or when unknown.
    pub duration_ms: AtomicI64,
    /// The length of its sound that the source says for sure; 0 when it says none.
    pub promised_ms: AtomicI64,
    /// Where its sound is damaged; set when all of it was read.
    pub damage: OnceLock<Vec<Damage>>,
    /// What is done instead of the job's own task, when its language label was found wrong.
    pub task: OnceLock<Task>,
    /// What Whisper is told beforehand; made with the first window.
    pub prompt: OnceLock<Prompt>,
}

impl Open {
    pub fn new(job: Job, claim: Claim) -> Open {
        Open {
            job,
            claim,
            stop: AtomicBool::new(false),
            opened: Instant::now(),
            duration_ms: AtomicI64::new(0),
            promised_ms: AtomicI64::new(0),
            damage: OnceLock::new(),
            task: OnceLock::new(),
            prompt: OnceLock::new(),
        }
    }

    pub fn task(&self) -> Task {
        *self.task.get().unwrap_or(&self.job.task)
    }

    /// The prompt for this session: all that hear a job's windows have the same vocabulary.
    pub fn prompt(&self, session: &dyn Session) -> Option<String> {
        let made = self.prompt.get_or_init(|| {
            let prompt = Prompt::of(&self.job.options, session);
            prompt
                .cut
                .iter()
                .for_each(|why| log::warn!("job {} ({}): {why}", self.job.id, self.job.file_name));
            prompt
        });
        made.text.clone()
    }
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Standing {
    pub done: u32,
    /// Windows found so far.
    pub found: u32,
    /// All of the source was read, so `found` is the whole.
    pub read_all: bool,
    /// Milliseconds of the source read so far.
    pub read_ms: i64,
    pub in_flight: u32,
}

impl Standing {
    /// Every window is done.
    pub fn complete(&self) -> bool {
        self.read_all && self.done == self.found
    }
}
