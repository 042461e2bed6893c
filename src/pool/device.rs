//! A device's pool: its threads, and what they share. Runs in a process of its own or inside `serve`.
//! Knows nothing of who started it but the socket to them.

use super::board::{Board, Lane};
use super::hints::{self, Order, Report};
use super::open::Open;
use super::setup::Setup;
use super::status::WorkerStatus;
use super::weights::{Folder, Weights};
use super::{dispatch, forms, worker};
use crate::engine::Kernels;
use crate::job::{Job, JobId};
use crate::queue::Queue;
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

/// What wakes the dispatcher.
pub enum Event {
    Order(Order),
    /// `serve` is gone.
    Gone,
    /// A job was closed: there is room.
    Closed,
}

/// What the threads of a device share.
pub struct Shared {
    pub setup: Setup,
    pub queue: Queue,
    pub board: Board,
    pub weights: Arc<dyn Weights>,
    events: Mutex<Sender<Event>>,
    /// To `serve`, when it listens.
    link: Option<UnixStream>,
    notes: Mutex<Notes>,
    started: Instant,
}

/// What is known of the workers and the open jobs for the eye.
#[derive(Default)]
struct Notes {
    workers: Vec<WorkerStatus>,
    /// So many of them are on duty.
    staff: usize,
    models: HashMap<JobId, String>,
}

impl Shared {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// So many workers of words go on: there is no memory for more, or for more again.
    pub(super) fn staff(&self, count: usize) {
        if self.board.staff(count) {
            let mut notes = self.notes();
            notes.staff = count;
            self.report_workers(&mut notes);
        }
    }

    /// A worker takes up a job, or is free.
    pub(super) fn busy(&self, number: usize, job: Option<&Job>) {
        let mut notes = self.notes();
        if let Some(worker) = notes.workers.get_mut(number) {
            worker.status = if job.is_some() { "busy" } else { "idle" }.into();
            worker.current_job_id = job.map(|j| j.id);
            if job.is_none() {
                worker.current_job_progress = 0.0;
                worker.current_job_eta = None;
            }
        }
        self.report_workers(&mut notes);
    }

    pub(super) fn progress(&self, id: JobId, percent: f64, eta_ms: Option<i64>) {
        let mut notes = self.notes();
        for worker in notes.workers.iter_mut().filter(|w| w.current_job_id == Some(id)) {
            worker.current_job_progress = percent;
            worker.current_job_eta = eta_ms.map(|ms| ms / 1000);
        }
        self.report_workers(&mut notes);
        drop(notes);
        self.changed(id);
    }

    pub(super) fn note_model(&self, id: JobId, model: &str) {
        self.notes().models.entry(id).or_insert_with(|| model.to_owned());
    }

    pub(super) fn model_of(&self, id: JobId) -> Option<String> {
        self.notes().models.get(&id).cloned()
    }

    /// The job has ended here, well or not.
    pub(super) fn closed(&self, open: &Open, well: bool) {
        self.board.close(open);
        let mut notes = self.notes();
        notes.models.remove(&open.job.id);
        // Counted once, on the worker that had its last window; on the first if none had.
        let at = notes.workers.iter().position(|w| w.current_job_id == Some(open.job.id)).unwrap_or(0);
        if let Some(worker) = notes.workers.get_mut(at) {
            if well {
                worker.jobs_completed += 1;
            } else {
                worker.jobs_failed += 1;
            }
        }
        self.report_workers(&mut notes);
        drop(notes);
        self.changed(open.job.id);
        self.wake();
    }

    /// Somebody else has the job, it was cancelled, or it waits: stop, don't shout.
    pub(super) fn lost(&self, open: &Open) {
        self.board.close(open);
        self.changed(open.job.id);
        self.wake();
    }

    pub(super) fn changed(&self, id: JobId) {
        self.report(&Report::Changed(id));
    }

    fn wake(&self) {
        let events = self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Fails only when the dispatcher has ended: then nobody needs waking.
        let _ = events.send(Event::Closed);
    }

    fn report_workers(&self, notes: &mut Notes) {
        let uptime = self.started.elapsed().as_secs_f64();
        for worker in &mut notes.workers {
            worker.uptime_seconds = uptime;
        }
        self.report(&Report::Workers(notes.workers.iter().take(notes.staff).cloned().collect()));
    }

    fn report(&self, report: &Report) {
        if let Some(link) = &self.link {
            // A hint that cannot be sent is lost; the reader of the orders notices that serve is gone.
            let _ = hints::send(link, report);
        }
    }
}

/// Runs a device until it is told to stop, is idle for long, or `serve` is gone. Blocks.
pub fn run(setup: Setup, queue: Queue, link: Option<UnixStream>) -> std::io::Result<()> {
    crate::device::return_freed_memory();
    let weights = Arc::new(Folder::new(setup.clone()));
    run_with(setup, queue, link, weights)
}

/// As [`run`], with engines of the caller's choice.
pub fn run_with(
    setup: Setup,
    queue: Queue,
    link: Option<UnixStream>,
    weights: Arc<dyn Weights>,
) -> std::io::Result<()> {
    let cores = crate::device::cores();
    let (sessions, threads) = setup.sessions(cores);
    let (wanted, compute) = (forms::wanted(&setup, &Kernels::here()), setup.compute);
    log::info!(
        "device {}: {sessions} sessions with {threads} threads each, weights as {wanted} ({compute})",
        setup.device
    );
    let (sender, events) = mpsc::channel();
    let workers = workers(&setup, sessions);
    let notes = Mutex::new(Notes { workers, staff: sessions, models: HashMap::new() });
    let orders = link.as_ref().map(UnixStream::try_clone).transpose()?;
    let shared = Arc::new(Shared {
        board: Board::new(sessions).ageing(setup.ageing_ms_per_point),
        queue,
        weights,
        events: Mutex::new(sender.clone()),
        link,
        notes,
        started: Instant::now(),
        setup,
    });
    if let Some(orders) = orders {
        std::thread::Builder::new().name("orders".into()).spawn(move || obey(&orders, &sender))?;
    }
    let mut threads = Vec::new();
    for number in 0..=sessions {
        // One more than the sessions: the lane of languages, which no transcription can occupy.
        let lane = if number == sessions { Lane::Languages } else { Lane::Words };
        let theirs = shared.clone();
        let name = format!("worker-{}", number + 1);
        threads
            .push(std::thread::Builder::new().name(name).spawn(move || worker::work(&theirs, lane, number))?);
    }
    shared.report_workers(&mut shared.notes());
    dispatch::run(&shared, &events);
    for thread in threads {
        if thread.join().is_err() {
            log::error!("a worker thread ended with a panic");
        }
    }
    shared.weights.unload();
    shared.report(&Report::Bye);
    Ok(())
}

/// The status list of a device whose workers have done nothing yet.
pub fn workers(setup: &Setup, sessions: usize) -> Vec<WorkerStatus> {
    let gpu = setup.gpu();
    let worker = |n| WorkerStatus {
        worker_id: format!("{}-{n}", setup.device.replace(':', "-")),
        worker_type: if gpu.is_some() { "gpu" } else { "cpu" }.into(),
        device_id: gpu,
        status: "idle".into(),
        current_job_id: None,
        jobs_completed: 0,
        jobs_failed: 0,
        uptime_seconds: 0.0,
        current_job_progress: 0.0,
        current_job_eta: None,
    };
    (1..=sessions).map(worker).collect()
}

/// Passes the orders of `serve` on, and its end.
fn obey(orders: &UnixStream, events: &Sender<Event>) {
    loop {
        let event = match hints::receive(orders) {
            Ok(Some(order)) => Event::Order(order),
            Ok(None) => Event::Gone,
            Err(e) => {
                log::error!("the socket to serve failed: {e}");
                Event::Gone
            }
        };
        let gone = matches!(event, Event::Gone);
        if events.send(event).is_err() || gone {
            return;
        }
    }
}
