//! Who works on what, on one device: open jobs with their ready windows, and the next window of the most
//! urgent job for each worker that asks. Knows nothing of databases, engines or processes.

use super::open::{Open, Standing};
use super::reader::Window;
use crate::job::{JobId, JobKind};
use crate::language::Language;
use crate::queue::Place;
use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Windows that a job's language is told from; a detection hears one more, since it has nothing else to wait for.
pub const SAMPLES: usize = 3;
/// Silences that are doubted, kept ready beside the windows of speech: a language is not told from them.
const SILENCES: usize = 6;

fn samples(kind: JobKind) -> usize {
    match kind {
        JobKind::Transcription => SAMPLES,
        JobKind::LanguageDetection => SAMPLES + 1,
    }
}

/// A job opened so lately has its first window soon, as has one whose language is being told: a free worker waits for
/// it instead of beginning a window of a less urgent job, which may take it many seconds. Longer than that is waited
/// for no source that is slow to read.
pub const SOON: Duration = Duration::from_secs(2);

/// What a worker is given.
pub enum Work {
    /// Decode this window; `language` is known by then.
    Window { open: Arc<Open>, window: Arc<Window>, language: Language },
    /// Tell the language from these windows of speech; there may be none.
    Detect { open: Arc<Open>, windows: Vec<Arc<Window>> },
}

/// Which work a worker takes: detection has a lane of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Words,
    Languages,
}

struct Entry {
    open: Arc<Open>,
    /// As it is now: it may have changed since the job was opened.
    priority: i64,
    ready: VecDeque<Arc<Window>>,
    standing: Standing,
    /// Windows done in an earlier life, by their checkpoints.
    already: HashSet<u32>,
    language: Option<Language>,
    detecting: bool,
    /// The end was taken in hand by somebody: nobody else may.
    ending: bool,
}

impl Entry {
    /// How much longer its first window is worth waiting for; `None` when it has begun or is none for words.
    fn begins_within(&self) -> Option<Duration> {
        let begun = self.language.is_some() && self.standing.found > 0;
        match self.open.job.kind {
            JobKind::LanguageDetection => None,
            JobKind::Transcription if self.detecting => Some(Duration::MAX),
            JobKind::Transcription if begun => None,
            JobKind::Transcription => SOON.checked_sub(self.open.opened.elapsed()),
        }
    }

    fn spoken_ready(&self) -> usize {
        self.ready.iter().filter(|w| w.is_spoken()).count()
    }

    /// No more windows are taken; `ahead` is for those of speech, from which a language is told.
    fn is_full(&self, ahead: usize) -> bool {
        let silences = if self.language.is_some() { 0 } else { SILENCES };
        self.spoken_ready() >= ahead || self.ready.len() >= ahead + silences
    }

    /// The same job under another claim is another entry: threads of an earlier life may still come with theirs.
    fn is(&self, open: &Open) -> bool {
        self.open.claim.token == open.claim.token
    }

    fn place(&self) -> Place {
        Place { priority: self.priority, created_at: self.open.job.created_at }
    }
}

#[derive(Default)]
struct State {
    jobs: Vec<Entry>,
    /// A suspect window runs: nothing beside it.
    alone: bool,
    /// Suspects that wait for their turn: in flight, but nothing is decoded of them yet.
    suspects: u32,
    stopping: bool,
    /// So many workers of words are on duty, where there is no room for all.
    staff: Option<usize>,
}

impl State {
    fn in_flight(&self) -> u32 {
        self.jobs.iter().map(|e| e.standing.in_flight).sum()
    }
}

/// The shared board of a device.
pub struct Board {
    state: Mutex<State>,
    changed: Condvar,
    /// Windows kept ready for each job.
    ahead: usize,
    /// So many milliseconds of waiting are worth one point of priority; 0: none are.
    ageing_ms: i64,
}

impl Board {
    /// `workers` decides how far a job's source is read ahead.
    pub fn new(workers: usize) -> Board {
        Board { state: Mutex::default(), changed: Condvar::new(), ahead: workers + 1, ageing_ms: 0 }
    }

    /// Lets `ms_per_point` of waiting count as a point of priority; 0: none does.
    pub fn ageing(self, ms_per_point: i64) -> Board {
        Board { ageing_ms: ms_per_point, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the lists whole: each change below is a single step.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Opens a job; `already` are its windows with a checkpoint.
    pub fn open(&self, open: Arc<Open>, language: Option<Language>, already: HashSet<u32>) {
        let mut state = self.lock();
        state.jobs.push(Entry {
            priority: open.job.priority,
            open,
            ready: VecDeque::new(),
            standing: Standing::default(),
            already,
            language,
            detecting: false,
            ending: false,
        });
        self.sort(&mut state);
    }

    /// In the order in which the queue gives jobs out.
    fn sort(&self, state: &mut State) {
        let urgency = |e: &Entry| e.place().urgency(self.ageing_ms);
        state.jobs.sort_by_key(|e| (Reverse(urgency(e)), e.open.job.created_at, e.open.job.id));
    }

    /// The job's next windows go before or after those of others from now on.
    pub fn set_priority(&self, open: &Open, priority: i64) {
        let mut state = self.lock();
        if let Some(entry) = state.jobs.iter_mut().find(|e| e.is(open) && e.priority != priority) {
            entry.priority = priority;
            self.sort(&mut state);
        }
    }

    /// The job of this kind whose windows come last, with its place in the queue.
    pub fn least_urgent(&self, kind: JobKind) -> Option<(Arc<Open>, Place)> {
        let state = self.lock();
        state.jobs.iter().rfind(|e| e.open.job.kind == kind).map(|e| (e.open.clone(), e.place()))
    }

    /// Closes a job: its windows are dropped, those being decoded are told to stop.
    pub fn close(&self, open: &Open) {
        open.stop.store(true, Ordering::Relaxed);
        let mut state = self.lock();
        state.jobs.retain(|e| !e.is(open));
        self.changed.notify_all();
    }

    /// As [`Board::close`], by the job's id: it was cancelled.
    pub fn cancel(&self, id: JobId) -> Option<Arc<Open>> {
        let mut state = self.lock();
        let at = state.jobs.iter().position(|e| e.open.job.id == id)?;
        let entry = state.jobs.remove(at);
        entry.open.stop.store(true, Ordering::Relaxed);
        self.changed.notify_all();
        Some(entry.open)
    }

    /// The jobs that are open, most urgent first.
    pub fn opened(&self) -> Vec<Arc<Open>> {
        self.lock().jobs.iter().map(|e| e.open.clone()).collect()
    }

    pub fn standing(&self, open: &Open) -> Option<Standing> {
        self.lock().jobs.iter().find(|e| e.is(open)).map(|e| e.standing)
    }

    /// A reader brings a window; waits until there is room. False: the job is closed, stop reading.
    pub fn offer(&self, open: &Open, window: Window, read_ms: i64) -> bool {
        let mut state = self.lock();
        loop {
            let ahead = self.ahead.max(samples(open.job.kind));
            let Some(entry) = state.jobs.iter_mut().find(|e| e.is(open)) else { return false };
            if entry.already.contains(&window.index) {
                entry.standing.found += 1;
                entry.standing.done += 1;
                entry.standing.read_ms = read_ms;
                return true;
            }
            if !entry.is_full(ahead) {
                entry.standing.found += 1;
                entry.standing.read_ms = read_ms;
                entry.ready.push_back(Arc::new(window));
                self.changed.notify_all();
                return true;
            }
            state = self.wait(state);
        }
    }

    /// The source is read to its end. True: the job is complete, and the caller is the one to end it.
    pub fn read_all(&self, open: &Open, read_ms: i64) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.jobs.iter_mut().find(|e| e.is(open)) else { return false };
        entry.standing.read_all = true;
        entry.standing.read_ms = read_ms;
        let mine = entry.standing.complete() && !std::mem::replace(&mut entry.ending, true);
        self.changed.notify_all();
        mine
    }

    /// Only the first `count` workers of words get work from now on. True: they are more or fewer than before.
    pub fn staff(&self, count: usize) -> bool {
        let was = self.lock().staff.replace(count);
        self.changed.notify_all();
        was != Some(count)
    }

    /// The next work of the most urgent job that has some, for a lane's worker of that number; waits for it, but no longer
    /// than `patience`: `Ok(None)` then. A job that will begin soon is waited for as if it had begun: see [`SOON`].
    pub fn next_within(
        &self,
        lane: Lane,
        number: usize,
        patience: Duration,
    ) -> Result<Option<Work>, Stopped> {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            if state.stopping {
                return Err(Stopped);
            }
            let idle = state.alone || (lane == Lane::Words && state.staff.is_some_and(|n| number >= n));
            let found = if idle { Err(Duration::MAX) } else { take(&mut state, lane, self.ahead) };
            let look_again = match found {
                Ok(work) => {
                    // A reader may wait for the room.
                    self.changed.notify_all();
                    return Ok(Some(work));
                }
                Err(look_again) => look_again,
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            state = match self.changed.wait_timeout(state, left.min(look_again)) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// The language is known: its windows may go.
    pub fn tell_language(&self, open: &Open, language: Language) {
        let mut state = self.lock();
        if let Some(entry) = state.jobs.iter_mut().find(|e| e.is(open)) {
            entry.language = Some(language);
            entry.detecting = false;
        }
        self.changed.notify_all();
    }

    pub fn language(&self, open: &Open) -> Option<Language> {
        self.lock().jobs.iter().find(|e| e.is(open)).and_then(|e| e.language)
    }

    /// A window is done. True: the job is complete, and the caller is the one to end it.
    pub fn done(&self, open: &Open) -> bool {
        self.land(open, 1)
    }

    /// A window was given up (stop, cancel): it is nobody's any more.
    pub fn dropped(&self, open: &Open) {
        self.land(open, 0);
    }

    fn land(&self, open: &Open, done: u32) -> bool {
        let mut state = self.lock();
        self.changed.notify_all();
        let Some(entry) = state.jobs.iter_mut().find(|e| e.is(open)) else { return false };
        entry.standing.in_flight = entry.standing.in_flight.saturating_sub(1);
        entry.standing.done += done;
        entry.standing.complete() && !std::mem::replace(&mut entry.ending, true)
    }

    /// Runs `f` with no other window beside it on this device: it is under suspicion. Suspects go one after the other.
    pub fn alone<T>(&self, f: impl FnOnce() -> T) -> T {
        let mut state = self.lock();
        state.suspects += 1;
        // Whoever is alone already need not wait for this one.
        self.changed.notify_all();
        while state.alone && !state.stopping {
            state = self.wait(state);
        }
        state.suspects -= 1;
        state.alone = true;
        let _alone = Alone(self);
        while state.in_flight() > 1 + state.suspects && !state.stopping {
            state = self.wait(state);
        }
        drop(state);
        f()
    }

    /// Ends all waiting; the open jobs are told to stop and handed back.
    pub fn stop(&self) -> Vec<Arc<Open>> {
        let mut state = self.lock();
        state.stopping = true;
        self.changed.notify_all();
        let jobs = std::mem::take(&mut state.jobs);
        jobs.into_iter()
            .map(|entry| {
                entry.open.stop.store(true, Ordering::Relaxed);
                entry.open
            })
            .collect()
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Lets the others go on when it is dropped, also after a panic.
struct Alone<'a>(&'a Board);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.lock().alone = false;
        self.0.changed.notify_all();
    }
}

/// The pool is being stopped.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped;

/// The next work, or how long until time alone may bring some.
fn take(state: &mut State, lane: Lane, ahead: usize) -> Result<Work, Duration> {
    let (mut held_back, mut look_again) = (i64::MIN, Duration::MAX);
    for entry in &mut state.jobs {
        match (lane, entry.language) {
            (Lane::Words, _) if entry.priority < held_back => {}
            (Lane::Words, language) => {
                if let Some(language) = language
                    && let Some(window) = entry.ready.pop_front()
                {
                    entry.standing.in_flight += 1;
                    return Ok(Work::Window { open: entry.open.clone(), window, language });
                }
                if let Some(left) = entry.begins_within() {
                    held_back = held_back.max(entry.priority);
                    look_again = look_again.min(left);
                }
            }
            (Lane::Languages, None) if !entry.detecting => {
                let wanted = samples(entry.open.job.kind);
                let enough = entry.spoken_ready() >= wanted
                    || entry.is_full(ahead.max(wanted))
                    || entry.standing.read_all;
                if enough && !entry.ready.is_empty() {
                    entry.detecting = true;
                    let spoken = entry.ready.iter().filter(|w| w.is_spoken());
                    let windows = spoken.take(wanted).cloned().collect();
                    return Ok(Work::Detect { open: entry.open.clone(), windows });
                }
            }
            (Lane::Languages, _) => {}
        }
    }
    Err(look_again)
}

#[cfg(test)]
#[path = "board_tests.rs"]
pub(super) mod tests;
