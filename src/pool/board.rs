//! Who works on what, on one device: open jobs with their ready windows, and the next window of the most
//! urgent job for each worker that asks. Knows nothing of databases, engines or processes.

use super::reader::Window;
use crate::job::{Claim, Job, JobId, JobKind, Task};
use crate::language::Language;
use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

/// Windows of speech that a language is told from.
pub const SAMPLES: usize = 3;
/// Silences that are doubted, kept ready beside the windows of speech: a language is not told from them.
const SILENCES: usize = 6;

/// A job that is open here.
pub struct Open {
    pub job: Job,
    pub claim: Claim,
    /// Raised when nobody wants the windows any more: cancelled, lost, stopped.
    pub stop: AtomicBool,
    pub opened: Instant,
    /// Of the source, in milliseconds; 0 while or when unknown.
    pub duration_ms: AtomicI64,
    /// What is done instead of the job's own task, when its language label was found wrong.
    pub task: OnceLock<Task>,
}

impl Open {
    pub fn new(job: Job, claim: Claim) -> Open {
        let (stop, duration_ms) = (AtomicBool::new(false), AtomicI64::new(0));
        Open { job, claim, stop, opened: Instant::now(), duration_ms, task: OnceLock::new() }
    }

    pub fn task(&self) -> Task {
        *self.task.get().unwrap_or(&self.job.task)
    }
}

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
    fn spoken_ready(&self) -> usize {
        self.ready.iter().filter(|w| w.is_spoken()).count()
    }

    /// No more windows are taken; `ahead` is for those of speech.
    fn is_full(&self, ahead: usize) -> bool {
        self.spoken_ready() >= ahead || self.ready.len() >= ahead + SILENCES
    }

    /// The same job under another claim is another entry: threads of an earlier life may still come with theirs.
    fn is(&self, open: &Open) -> bool {
        self.open.claim.token == open.claim.token
    }
}

#[derive(Default)]
struct State {
    jobs: Vec<Entry>,
    /// A suspect window runs: nothing beside it.
    alone: bool,
    stopping: bool,
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
        Board {
            state: Mutex::default(),
            changed: Condvar::new(),
            ahead: (workers + 1).max(SAMPLES),
            ageing_ms: 0,
        }
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

    /// In the order in which the queue gives jobs out (`claim_pick.sql`, `claim_pick_aged.sql`).
    fn sort(&self, state: &mut State) {
        let worth = |e: &Entry| match self.ageing_ms {
            0 => e.priority,
            ms => e.priority.saturating_mul(ms).saturating_sub(e.open.job.created_at),
        };
        state.jobs.sort_by_key(|e| (Reverse(worth(e)), e.open.job.created_at, e.open.job.id));
    }

    /// The job's next windows go before or after those of others from now on.
    pub fn set_priority(&self, open: &Open, priority: i64) {
        let mut state = self.lock();
        if let Some(entry) = state.jobs.iter_mut().find(|e| e.is(open) && e.priority != priority) {
            entry.priority = priority;
            self.sort(&mut state);
        }
    }

    /// The job of this kind whose windows come last, with its priority.
    pub fn least_urgent(&self, kind: JobKind) -> Option<(Arc<Open>, i64)> {
        let state = self.lock();
        state.jobs.iter().rfind(|e| e.open.job.kind == kind).map(|e| (e.open.clone(), e.priority))
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
            let ahead = self.ahead;
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

    /// The next work of the most urgent job that has some; waits for it. `None`: the pool stops.
    pub fn next(&self, lane: Lane) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return None;
            }
            if !state.alone
                && let Some(work) = take(&mut state, lane, self.ahead)
            {
                // A reader may wait for the room.
                self.changed.notify_all();
                return Some(work);
            }
            state = self.wait(state);
        }
    }

    /// As [`Board::next`], but gives up after `patience`: `Ok(None)` then, `Err(())` when the pool stops.
    pub fn next_within(&self, lane: Lane, patience: Duration) -> Result<Option<Work>, Stopped> {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            if state.stopping {
                return Err(Stopped);
            }
            if !state.alone
                && let Some(work) = take(&mut state, lane, self.ahead)
            {
                self.changed.notify_all();
                return Ok(Some(work));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            state = match self.changed.wait_timeout(state, left) {
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

    /// Runs `f` with no other window beside it on this device: the window is under suspicion.
    pub fn alone<T>(&self, f: impl FnOnce() -> T) -> T {
        let mut state = self.lock();
        while state.alone {
            state = self.wait(state);
        }
        state.alone = true;
        while state.jobs.iter().map(|e| e.standing.in_flight).sum::<u32>() > 1 && !state.stopping {
            state = self.wait(state);
        }
        drop(state);
        let result = f();
        self.lock().alone = false;
        self.changed.notify_all();
        result
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

/// The pool is being stopped.
#[derive(Debug, PartialEq, Eq)]
pub struct Stopped;

fn take(state: &mut State, lane: Lane, ahead: usize) -> Option<Work> {
    for entry in &mut state.jobs {
        match (lane, entry.language) {
            (Lane::Words, Some(language)) => {
                if let Some(window) = entry.ready.pop_front() {
                    entry.standing.in_flight += 1;
                    return Some(Work::Window { open: entry.open.clone(), window, language });
                }
            }
            (Lane::Languages, None) if !entry.detecting => {
                let enough =
                    entry.spoken_ready() >= SAMPLES || entry.is_full(ahead) || entry.standing.read_all;
                if enough && !entry.ready.is_empty() {
                    entry.detecting = true;
                    let spoken = entry.ready.iter().filter(|w| w.is_spoken());
                    let windows = spoken.take(SAMPLES + 1).cloned().collect();
                    return Some(Work::Detect { open: entry.open.clone(), windows });
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
