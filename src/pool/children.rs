//! The side of `serve`: starts a device's process when there is work, passes hints, notices its death at once.
//! Knows nothing of HTTP or of what the process does inside.

use super::builds::{self, Build, Builds};
use super::device;
use super::hints::{self, Order, Report};
use super::setup::Setup;
use super::status::{PoolStatus, WorkerStatus};
use crate::queue::{Notice, Queue};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fmt, io};

/// Covers a lost hint, and a model that was put in its place.
const SLOW_POLL: Duration = Duration::from_secs(3);
/// A process that lived shorter than this is started again with a growing pause.
const SHORT_LIFE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where the pool's threads run.
#[derive(Debug)]
pub enum Place {
    /// In a process of their own, made from the best build of this program.
    Process(Box<Builds>),
    /// Inside `serve`.
    Here,
}

/// One device's supervision.
pub struct Children {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    setup: Setup,
    queue: Queue,
    place: Place,
    /// Says why no job can be done now (no model), or nothing.
    missing: Box<dyn Fn() -> Option<String> + Send + Sync>,
    state: Mutex<State>,
    started: Instant,
}

#[derive(Default)]
struct State {
    /// To the running process.
    link: Option<UnixStream>,
    pid: Option<u32>,
    workers: Vec<WorkerStatus>,
    stopping: bool,
}

enum Running {
    Process(Child, Build),
    Here(JoinHandle<io::Result<()>>),
}

impl Children {
    /// Begins to watch the queue. Nothing is started before there is a job and `missing` answers `None`.
    pub fn start(
        setup: Setup,
        queue: Queue,
        place: Place,
        missing: Box<dyn Fn() -> Option<String> + Send + Sync>,
    ) -> io::Result<Children> {
        let shared = Arc::new(Shared {
            setup,
            queue,
            place,
            missing,
            state: Mutex::default(),
            started: Instant::now(),
        });
        let (wake, woken) = mpsc::channel();
        let (passing, supervising) = (shared.clone(), shared.clone());
        let pass =
            std::thread::Builder::new().name("hints".into()).spawn(move || pass_on(&passing, &wake))?;
        let supervise = std::thread::Builder::new()
            .name("children".into())
            .spawn(move || supervise(&supervising, &woken))?;
        drop(pass);
        Ok(Children { shared, threads: Mutex::new(vec![supervise]) })
    }

    pub fn status(&self) -> PoolStatus {
        let state = self.shared.lock();
        PoolStatus {
            workers: if state.link.is_some() { state.workers.clone() } else { self.shared.resting() },
            running: !state.stopping,
            uptime_seconds: self.shared.started.elapsed().as_secs_f64(),
        }
    }

    /// The process id of the device's process while it runs; `None` also when the pool is in `serve`.
    pub fn pid(&self) -> Option<u32> {
        self.shared.lock().pid
    }

    /// Tells the process to end, waits for it; ends it by force after `patience`.
    pub fn stop(&self, patience: Duration) {
        {
            let mut state = self.shared.lock();
            state.stopping = true;
            if let Some(link) = &state.link {
                // When this fails the process is gone already.
                let _ = hints::send(link, &Order::Stop);
            }
        }
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        let until = Instant::now() + patience;
        for thread in threads {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            if !thread.is_finished()
                && let Some(pid) = self.pid()
            {
                log::warn!("process {pid} did not end in {} s and is killed", patience.as_secs());
                // SAFETY: kill has no memory effects; the pid is that of our own child, not yet waited for.
                unsafe { libc::kill(pid as i32, libc::SIGKILL) };
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The workers as they would be: what is shown while no process runs.
    fn resting(&self) -> Vec<WorkerStatus> {
        let cores = crate::device::cores();
        device::workers(&self.setup, self.setup.sessions(cores).0)
    }

    fn stopping(&self) -> bool {
        self.lock().stopping
    }
}

/// Passes what `serve` hears of the queue on to the process, and wakes the supervisor.
fn pass_on(shared: &Shared, wake: &Sender<()>) {
    use tokio::sync::broadcast::error::RecvError;
    let mut notices = shared.queue.notices();
    loop {
        let order = match notices.blocking_recv() {
            Ok(Notice::Added(_) | Notice::Moved(_)) | Err(RecvError::Lagged(_)) => Order::Added,
            Ok(Notice::Cancelled(id)) => Order::Cancelled(id),
            Ok(Notice::Changed(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        if let Some(link) = &shared.lock().link {
            // A lost hint costs a slow poll.
            let _ = hints::send(link, &order);
        }
        if wake.send(()).is_err() {
            return;
        }
    }
}

fn supervise(shared: &Arc<Shared>, woken: &Receiver<()>) {
    let mut pause = Duration::ZERO;
    let mut told = None;
    while !shared.stopping() {
        if !has_work(shared, &mut told) {
            match woken.recv_timeout(SLOW_POLL) {
                Err(RecvTimeoutError::Disconnected) => return,
                _ => continue,
            }
        }
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
        let begun = Instant::now();
        let well = match launch(shared) {
            Ok((running, link)) => attend(shared, running, &link),
            Err(e) => {
                log::error!("the process of device {} cannot be started: {e}", shared.setup.device);
                false
            }
        };
        pause = match (well, begun.elapsed() < SHORT_LIFE) {
            (true, _) => Duration::ZERO,
            (false, true) => (pause * 2).clamp(Duration::from_millis(250), LONGEST_PAUSE),
            (false, false) => Duration::from_millis(250),
        };
    }
}

/// True when a job waits and can be done; says once why not.
fn has_work(shared: &Shared, told: &mut Option<String>) -> bool {
    match shared.queue.counts() {
        Ok(counts) if counts.queued == 0 => return false,
        Ok(_) => {}
        Err(e) => {
            log::error!("cannot look for jobs: {e}");
            return false;
        }
    }
    if shared.queue.paused().unwrap_or(false) {
        return false;
    }
    let missing = (shared.missing)();
    if missing != *told {
        match &missing {
            Some(why) => log::warn!("jobs wait: {why}"),
            None => log::info!("what was missing is there, jobs go on"),
        }
        told.clone_from(&missing);
    }
    missing.is_none()
}

fn launch(shared: &Shared) -> io::Result<(Running, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let running = match &shared.place {
        Place::Here => {
            let (setup, queue) = (shared.setup.clone(), shared.queue.clone());
            let thread = std::thread::Builder::new()
                .name("device".into())
                .spawn(move || device::run(setup, queue, Some(theirs)))?;
            Running::Here(thread)
        }
        Place::Process(builds) => {
            let (child, build) = spawn(builds, theirs.as_raw_fd())?;
            log::info!("device {}: process {} started", shared.setup.device, child.id());
            hints::send(&ours, &Order::Begin(Box::new(shared.setup.clone())))?;
            Running::Process(child, build)
        }
    };
    let mut state = shared.lock();
    state.link = Some(ours.try_clone()?);
    state.pid = match &running {
        Running::Process(child, _) => Some(child.id()),
        Running::Here(_) => None,
    };
    if state.stopping {
        let _ = hints::send(&ours, &Order::Stop);
    }
    Ok((running, ours))
}

/// Starts the build in use, or the next lower one where it cannot be run. `link` is its end of the socket pair.
fn spawn(builds: &Builds, link: RawFd) -> io::Result<(Child, Build)> {
    loop {
        let build = builds.used();
        let mut command = build.command();
        command.args(["worker", "--hints", &link.to_string()]).stdin(Stdio::null());
        // It says as much as this process does.
        command.args(["--log-level", log::max_level().as_str()]);
        // SAFETY: between fork and exec only async-signal-safe calls are made.
        unsafe {
            // The process inherits its end of the pair, and only that.
            command.pre_exec(move || builds::pass_on(link));
        }
        match command.spawn() {
            Ok(child) => return Ok((child, build)),
            Err(e) => match builds.give_up(&build, &format!("it cannot be run: {e}")) {
                Some(told) => log::warn!("{told}"),
                None => return Err(e),
            },
        }
    }
}

/// How a process ended.
struct How {
    well: bool,
    /// By SIGKILL and not by the kernel for want of memory, or because its build does not suit the CPU: nothing that was
    /// being decoded is to blame.
    blameless: bool,
    words: String,
}

impl How {
    /// The end of a process that nothing outside of it has caused.
    fn of_itself(well: bool, words: impl fmt::Display) -> How {
        How { well, blameless: false, words: words.to_string() }
    }
}

/// How many processes the kernel has killed for want of memory, on this machine and in this control group; what cannot
/// be read counts 0.
fn memory_kills() -> u64 {
    let count = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse::<u64>().ok());
        line.unwrap_or(0)
    };
    count("/proc/vmstat", "oom_kill ") + count("/sys/fs/cgroup/memory.events", "oom_kill ")
}

/// True when the build that died of SIGILL was not this program itself: another does the work from now on.
fn unsuited(shared: &Shared, build: &Build) -> bool {
    let Place::Process(builds) = &shared.place else { return false };
    let told = builds.give_up_illegal(build);
    if let Some(told) = &told {
        log::warn!("{told}");
    }
    told.is_some()
}

/// Hears a process out until its end. True when it ended well.
fn attend(shared: &Shared, running: Running, link: &UnixStream) -> bool {
    let mut bye = false;
    let kills_before = memory_kills();
    loop {
        match hints::receive(link) {
            Ok(Some(Report::Changed(id))) => shared.queue.announce(Notice::Changed(id)),
            Ok(Some(Report::Workers(workers))) => shared.lock().workers = workers,
            Ok(Some(Report::Bye)) => {
                bye = true;
                break;
            }
            Ok(None) => break,
            Err(e) => {
                log::error!("the socket to the process of device {} failed: {e}", shared.setup.device);
                break;
            }
        }
    }
    let how = match running {
        Running::Process(mut child, build) => {
            let ended = child.wait();
            shared.lock().pid = None;
            match ended {
                Ok(status) => {
                    let killed = status.signal() == Some(libc::SIGKILL) && memory_kills() == kills_before;
                    let unfit = status.signal() == Some(libc::SIGILL) && unsuited(shared, &build);
                    How { blameless: killed || unfit, ..How::of_itself(status.success(), status) }
                }
                Err(e) => How::of_itself(false, e),
            }
        }
        Running::Here(thread) => match thread.join() {
            Ok(Ok(())) => How::of_itself(true, "ended"),
            Ok(Err(e)) => How::of_itself(false, e),
            Err(_) => How::of_itself(false, "panicked"),
        },
    };
    let mut state = shared.lock();
    state.link = None;
    let stopping = state.stopping;
    drop(state);
    if bye && how.well {
        return true;
    }
    let words = &how.words;
    log::error!(
        "the process of device {} died ({words}); its jobs go on from their last window",
        shared.setup.device
    );
    // Death at a stop is nobody's fault: what is left is released uncharged at the next start.
    if !stopping {
        let released = if how.blameless {
            log::warn!("no part of the sound is to blame, nothing is charged");
            shared.queue.release_device(&shared.setup.device)
        } else {
            shared.queue.release_dead(&shared.setup.device)
        };
        match released {
            Ok(released) => log::info!("{} jobs are back in the queue", released.len()),
            Err(e) => {
                log::error!("the dead process's jobs could not be released, their leases will end: {e}")
            }
        }
    }
    false
}
