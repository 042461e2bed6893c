//! What is in memory: models, their sessions, and who has one of them. Lets nobody in for whom there is no room.
//! Knows nothing of jobs, or of how models are chosen.
//!
//! Whoever needs room waits in line and holds nothing meanwhile, so that no two wait for each other. Room is made by
//! dropping what nobody uses: sessions first, then models.

use super::memory::Short;
use super::seat::Seat;
use super::weights::Error;
use crate::engine::{self, Engine, Session};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Models kept though nobody uses them: that of the last jobs, and the small one of language detection.
const KEPT: usize = 2;
/// How soon somebody in line notices that his job was stopped, or that others gave memory back to the system.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The bytes that may be taken in all, given those that are accounted for here.
pub type Allowed = dyn Fn(u64) -> u64 + Send + Sync;

/// A session that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    /// Of the model's file, by which it is known here.
    pub path: PathBuf,
    pub multilingual: bool,
    /// Bytes of the model and of this session.
    pub weights: u64,
    pub session: u64,
}

/// The models and sessions of one device.
pub struct Residents {
    /// Bytes that are taken in any case.
    base: u64,
    allowed: Box<Allowed>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The one used last is the last.
    models: Vec<Resident>,
    /// Bytes that are lent for something else.
    lent: u64,
    line: VecDeque<u64>,
    tickets: u64,
}

struct Resident {
    wanted: Wanted,
    /// None while it is being loaded.
    engine: Option<Arc<dyn Engine>>,
    /// Sessions with their bytes.
    idle: Vec<(Box<dyn Session>, u64)>,
    busy: Vec<u64>,
}

impl Resident {
    fn is_free(&self) -> bool {
        self.engine.is_some() && self.busy.is_empty()
    }

    /// Bytes that cannot be had from it now.
    fn held(&self) -> u64 {
        if self.is_free() { 0 } else { self.wanted.weights + self.busy.iter().sum::<u64>() }
    }

    fn bytes(&self) -> u64 {
        self.wanted.weights + self.idle.iter().map(|(_, bytes)| bytes).chain(&self.busy).sum::<u64>()
    }
}

impl State {
    fn at(&self, path: &Path) -> Option<usize> {
        self.models.iter().position(|m| m.wanted.path == path)
    }

    fn used(&self) -> u64 {
        self.lent + self.models.iter().map(Resident::bytes).sum::<u64>()
    }

    /// Somebody will give something back.
    fn is_busy(&self) -> bool {
        self.lent > 0 || self.models.iter().any(|m| !m.is_free())
    }

    /// Drops one thing that nobody uses: a session of another model than that of `path`, another model, a session of
    /// this one. False when there is none.
    fn drop_one(&mut self, path: &Path) -> bool {
        let other = |m: &Resident| m.wanted.path != path;
        if let Some(idle) = self.models.iter_mut().find(|m| other(m) && !m.idle.is_empty()) {
            return idle.idle.pop().is_some();
        }
        self.drop_model(path) || self.models.iter_mut().any(|m| m.idle.pop().is_some())
    }

    /// Drops the model that nobody uses for the longest time, but not that of `path`.
    fn drop_model(&mut self, path: &Path) -> bool {
        let Some(at) = self.models.iter().position(|m| m.wanted.path != path && m.is_free()) else {
            return false;
        };
        let gone = self.models.remove(at);
        log::info!("model {} leaves the memory, another is needed", gone.wanted.name);
        true
    }
}

impl Residents {
    /// `base`: bytes that the process takes without any model.
    pub fn new(base: u64, allowed: Box<Allowed>) -> Arc<Residents> {
        Arc::new(Residents { base, allowed, state: Mutex::default(), changed: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that models and sessions may take in all.
    pub fn room(&self) -> u64 {
        (self.allowed)(self.base + self.lock().used()).saturating_sub(self.base)
    }

    /// A session of the model, which `load` loads if it is not there. Waits for room as long as somebody else has some;
    /// fails when there is too little without anybody else, when loading fails, and once `stop` is raised.
    pub fn take(
        self: &Arc<Self>,
        wanted: &Wanted,
        stop: &AtomicBool,
        load: impl FnOnce() -> Result<Arc<dyn Engine>, Error>,
    ) -> Result<Seat, Error> {
        let found = self.in_line(|| stop.load(Ordering::Relaxed), |state| self.turn(state, wanted))?;
        let made = found.is_none();
        let (session, bytes) =
            found.map_or((None, wanted.session), |(session, bytes)| (Some(session), bytes));
        // From here on the seat gives back what is accounted for, whatever fails.
        let mut seat = Seat::new(self.clone(), wanted, session, bytes);
        if made {
            let engine = match self.engine(&wanted.path) {
                Some(engine) => engine,
                None => self.arrived(&wanted.path, load()?),
            };
            seat.fill(engine.session()?);
        }
        Ok(seat)
    }

    /// Waits at the head of the line until `turn` has something.
    fn in_line<T>(
        &self,
        stopped: impl Fn() -> bool,
        mut turn: impl FnMut(&mut State) -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let mut state = self.lock();
        let ticket = state.tickets;
        state.tickets += 1;
        state.line.push_back(ticket);
        let done = loop {
            if stopped() {
                break Err(engine::Error::Stopped.into());
            }
            if state.line.front() == Some(&ticket)
                && let Some(done) = turn(&mut state).transpose()
            {
                break done;
            }
            state = match self.changed.wait_timeout(state, LOOK_AGAIN) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        };
        state.line.retain(|other| *other != ticket);
        self.changed.notify_all();
        done
    }

    /// `Some(Some)`: a session that is there; `Some(None)`: there is room to make one, and it is taken.
    #[expect(clippy::type_complexity, reason = "read in one place")]
    fn turn(
        &self,
        state: &mut State,
        wanted: &Wanted,
    ) -> Result<Option<Option<(Box<dyn Session>, u64)>>, Error> {
        if let Some(at) = state.at(&wanted.path) {
            if state.models[at].engine.is_none() {
                return Ok(None);
            }
            // Used now, dropped last.
            let mut model = state.models.remove(at);
            let fits = model.idle.iter().position(|(_, bytes)| *bytes >= wanted.session);
            let found = fits.map(|at| model.idle.swap_remove(at));
            model.busy.extend(found.as_ref().map(|(_, bytes)| *bytes));
            state.models.push(model);
            if found.is_some() {
                return Ok(Some(found));
            }
        }
        let there = state.at(&wanted.path).is_some();
        while !there && state.models.len() >= KEPT && state.drop_model(&wanted.path) {}
        let weights = if there { 0 } else { wanted.weights };
        if !self.make_room(state, wanted, weights + wanted.session)? {
            return Ok(None);
        }
        match state.at(&wanted.path) {
            Some(at) => state.models[at].busy.push(wanted.session),
            None => state.models.push(Resident {
                wanted: wanted.clone(),
                engine: None,
                idle: Vec::new(),
                busy: vec![wanted.session],
            }),
        }
        Ok(Some(None))
    }

    /// True when so many bytes more may be taken, false when that has to be waited for. Fails when it is in vain.
    fn make_room(&self, state: &mut State, wanted: &Wanted, bytes: u64) -> Result<bool, Error> {
        loop {
            let used = self.base + state.used();
            let allowed = (self.allowed)(used);
            if used + bytes <= allowed {
                return Ok(true);
            }
            if !state.drop_one(&wanted.path) {
                let needed = self.base + wanted.weights + wanted.session;
                let model = wanted.name.clone();
                return if state.is_busy() {
                    Ok(false)
                } else {
                    Err(Short { model, needed, allowed }.into())
                };
            }
        }
    }

    fn engine(&self, path: &Path) -> Option<Arc<dyn Engine>> {
        let state = self.lock();
        state.models[state.at(path)?].engine.clone()
    }

    fn arrived(&self, path: &Path, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
        let mut state = self.lock();
        if let Some(at) = state.at(path) {
            state.models[at].engine = Some(engine.clone());
        }
        self.changed.notify_all();
        engine
    }

    /// Somebody is done with a session of so many bytes; without one it is not used again.
    pub(super) fn give_back(&self, path: &Path, bytes: u64, session: Option<Box<dyn Session>>) {
        let mut state = self.lock();
        if let Some(at) = state.at(path) {
            let model = &mut state.models[at];
            if let Some(mine) = model.busy.iter().position(|busy| *busy == bytes) {
                model.busy.swap_remove(mine);
            }
            model.idle.extend(session.map(|session| (session, bytes)));
            if model.engine.is_none() {
                // It could not be loaded.
                state.models.remove(at);
            }
        }
        self.changed.notify_all();
    }

    /// Room for something else than a session, while what is returned lives. Waits for it as [`Residents::take`] does.
    pub fn lend(self: &Arc<Self>, name: &str, bytes: u64) -> Result<Lent, Error> {
        let (name, path) = (name.to_owned(), PathBuf::new());
        let wanted = Wanted { name, path, multilingual: false, weights: bytes, session: 0 };
        self.in_line(
            || false,
            |state| Ok(self.make_room(state, &wanted, bytes)?.then(|| state.lent += bytes)),
        )?;
        Ok(Lent { residents: self.clone(), bytes })
    }

    /// Whether the session can be had at once, beside those that others use.
    pub fn has_room(&self, wanted: &Wanted) -> bool {
        let state = self.lock();
        let there = state.models.iter().find(|m| m.wanted.path == wanted.path);
        let more = wanted.session + if there.is_some_and(|m| !m.is_free()) { 0 } else { wanted.weights };
        let held = self.base + state.lent + state.models.iter().map(Resident::held).sum::<u64>();
        held + more <= (self.allowed)(self.base + state.used())
    }

    /// The model used last among those in memory that know other languages than English.
    pub fn multilingual(&self) -> Option<Wanted> {
        let state = self.lock();
        state.models.iter().rev().map(|m| &m.wanted).find(|wanted| wanted.multilingual).cloned()
    }

    /// Drops the sessions that nobody uses.
    pub fn rest(&self) {
        self.lock().models.iter_mut().for_each(|m| m.idle.clear());
    }

    /// Drops all that nobody uses.
    pub fn unload(&self) {
        self.lock().models.retain(|m| !m.is_free());
    }
}

/// Room that is taken, until this is dropped.
pub struct Lent {
    residents: Arc<Residents>,
    bytes: u64,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.residents.lock().lent -= self.bytes;
        self.residents.changed.notify_all();
    }
}

#[cfg(test)]
#[path = "residents_tests.rs"]
mod tests;
