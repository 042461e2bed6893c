//! A session that somebody has for a while. Knows nothing of who else has one.

use super::residents::{Residents, Wanted};
use crate::engine::{Ask, Error, Heard, LanguageOdds, Session, Sound};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A session, and where it goes back to when this is dropped.
pub struct Seat {
    /// Of the model.
    pub name: String,
    /// So many sessions like this one may be at work at once.
    pub staff: usize,
    session: Option<Box<dyn Session>>,
    home: Option<(Arc<Residents>, PathBuf, u64)>,
}

impl Seat {
    /// A session that belongs to nobody else.
    pub fn of(name: &str, session: Box<dyn Session>) -> Seat {
        Seat { name: name.to_owned(), staff: usize::MAX, session: Some(session), home: None }
    }

    pub(super) fn new(
        residents: Arc<Residents>,
        wanted: &Wanted,
        session: Option<Box<dyn Session>>,
        bytes: u64,
    ) -> Seat {
        let home = Some((residents, wanted.path.clone(), bytes));
        Seat { name: wanted.name.clone(), staff: usize::MAX, session, home }
    }

    pub(super) fn fill(&mut self, session: Box<dyn Session>) {
        self.session = Some(session);
    }

    /// Ends the session: it is not wanted again soon.
    pub fn dismiss(mut self) {
        self.session = None;
    }

    fn session(&mut self) -> Result<&mut Box<dyn Session>, Error> {
        self.session.as_mut().ok_or_else(|| Error::Session("it was given back".into()))
    }
}

impl Session for Seat {
    fn transcribe(&mut self, sound: Sound<'_>, ask: &Ask, stop: &AtomicBool) -> Result<Heard, Error> {
        self.session()?.transcribe(sound, ask, stop)
    }

    fn detect(&mut self, sound: Sound<'_>) -> Result<LanguageOdds, Error> {
        self.session()?.detect(sound)
    }

    fn detect_parts(&mut self, sound: Sound<'_>, parts: &[Range<i64>]) -> Result<Vec<LanguageOdds>, Error> {
        self.session()?.detect_parts(sound, parts)
    }

    fn tells_parts_at_once(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.tells_parts_at_once())
    }

    fn fitting<'p>(&self, prompt: &'p str) -> &'p str {
        self.session.as_ref().map_or(prompt, |session| session.fitting(prompt))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // After a panic the session may be in any state.
        let session = self.session.take().filter(|_| !std::thread::panicking());
        if let Some((residents, path, bytes)) = self.home.take() {
            residents.give_back(&path, bytes, session);
        }
    }
}
