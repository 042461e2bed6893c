//! An engine for tests: it says what its script says. Knows nothing of sound; never used by the daemon.

use super::{Ask, Context, Engine, Error, Heard, LanguageOdds, Session, Sound};
use crate::job::Task;
use crate::language::Language;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What to answer: called with the sound and the ask.
pub type Line = dyn Fn(Sound<'_>, &Ask, &AtomicBool) -> Result<Heard, Error> + Send + Sync;

/// A first, quick look at English.
pub fn ask() -> Ask {
    Ask {
        language: Language::ENGLISH,
        task: Task::Transcribe,
        beam: 1,
        beside: None,
        context: Context::Fitted,
        prompt: None,
        dice: true,
    }
}

/// Answers every window through one function, and every detection with fixed odds.
#[derive(Clone)]
pub struct Scripted {
    line: Arc<Line>,
    odds: LanguageOdds,
}

impl Scripted {
    pub fn new(
        odds: LanguageOdds,
        line: impl Fn(Sound<'_>, &Ask, &AtomicBool) -> Result<Heard, Error> + Send + Sync + 'static,
    ) -> Scripted {
        Scripted { line: Arc::new(line), odds }
    }
}

impl Engine for Scripted {
    fn session(&self) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(self.clone()))
    }
}

impl Session for Scripted {
    fn transcribe(&mut self, sound: Sound<'_>, ask: &Ask, stop: &AtomicBool) -> Result<Heard, Error> {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        (self.line)(sound, ask, stop)
    }

    fn detect(&mut self, _: Sound<'_>) -> Result<LanguageOdds, Error> {
        Ok(self.odds.clone())
    }
}
