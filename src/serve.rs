//! The daemon, put together: socket, database, spool, pool, HTTP, and the order in which they end.
//! The only place that knows all rooms; decides nothing about jobs.

mod place;
mod values;

pub use place::check_device;
pub use values::{node, options, rank, setup};

use crate::bazarr;
use crate::clock::System;
use crate::config::{Config, PoolMode};
use crate::device;
use crate::handover::{self, Successor};
use crate::housekeeping::{self, Rules};
use crate::http;
use crate::job::JobId;
use crate::notify::{self, Event};
use crate::pool::builds;
use crate::pool::children::Children;
use crate::pool::hints::{self, Order};
use crate::pool::{self, setup::Setup};
use crate::push;
use crate::queue::{self, Queue};
use crate::spool::{self, Spool};
use crate::store::{self, Store};
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use values::{missing_model, reasons, receiver, settings, uses};

/// How often leases of nodes that are gone are looked for.
const REAP_EVERY: Duration = Duration::from_secs(15);
/// A worker process that does not end by itself in this time is killed: systemd waits 90 s.
const PATIENCE: Duration = Duration::from_secs(8);
/// How soon a database that cannot answer yet is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Connections accepted just now reach their thread in this time.
const ACCEPTED: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "cannot listen on {at}: {why}; is another transcriptord running? --listen ADDR:PORT takes another"
    )]
    Listen { at: SocketAddr, why: std::io::Error },
    #[error(transparent)]
    Handover(#[from] handover::Error),
    #[error("the new program could not take over ({0}): start it by hand")]
    Successor(std::io::Error),
    #[error("the data folder {}: {why}; --data-dir DIR takes another", .dir.display())]
    DataDir { dir: PathBuf, why: std::io::Error },
    #[error("another transcriptord uses the data folder {}: stop it, or give this one its own with --data-dir", .0.display())]
    InUse(PathBuf),
    #[error(transparent)]
    Device(#[from] builds::Trouble),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Key(#[from] http::key::Error),
    #[error(transparent)]
    Queue(#[from] queue::Error),
    #[error(transparent)]
    Spool(#[from] spool::Error),
    #[error(transparent)]
    Bazarr(#[from] bazarr::Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Runs the daemon until SIGTERM or SIGINT; at SIGUSR2 the program that is installed by then takes over.
///
/// The socket listens first: nothing that follows may cost a client a refused connection.
pub fn run(config: Config) -> Result<(), Error> {
    if !builds::has_one_for(config.device) {
        return Err(builds::Trouble::no_program(config.device).into());
    }
    handover::ignore_signal();
    let successor = Arc::new(Successor::of(builds::front(&std::env::current_exe()?)));
    let listener = listen(config.listen)?;
    let at = listener.local_addr()?;
    log::info!("transcriptord {} listens on http://{at}", env!("CARGO_PKG_VERSION"));
    // Stays open when the server closes its own: the kernel holds connections until a successor accepts them.
    let kept = listener.try_clone()?;
    let (place, kernels, reach) = place::place(&config)?;
    let _lock = lock(&config.data_dir)?;
    let store = insist(|| Ok(Store::open(&config.database_url)?))?;
    let setup = setup(&config);
    let queue = values::queue(store, setup.node.clone(), setup.told);
    take_up(&config, &queue)?;
    let spool = Arc::new(Spool::open(&config.data_dir.join("spool"))?);
    let reach = Arc::new(reach);
    let missing = {
        let (config, reach) = (config.clone(), reach.clone());
        move || reach.trouble().or_else(|| missing_model(&config))
    };
    let children = Arc::new(Children::start(setup, queue.clone(), place, Box::new(missing))?);
    reach.trouble().iter().for_each(|why| log::warn!("{why}"));
    log_what_is_missing(&config);
    for line in uses(&config, &kernels) {
        log::info!("{line}");
    }
    reap_now_and_then(queue.clone())?;
    let doors = &config.doors;
    let rules = Rules::new(doors.spool_quota_gb, doors.result_retention_days, doors.job_retention_days);
    housekeeping::start(queue.clone(), spool.clone(), Arc::new(System), rules)?;
    if let Some(receiver) = receiver(&config) {
        http::callback::start(queue.clone(), receiver)?;
    }
    if let Some(push) = values::push(&config, queue.clone())? {
        push::start(push, Arc::new(System))?;
    }

    let (stop, stopping) = tokio::sync::watch::channel(false);
    let shared = http::Shared {
        queue: queue.clone(),
        spool,
        settings: settings(&config)?,
        pool: {
            let children = children.clone();
            Arc::new(move || children.status())
        },
        health: {
            let (config, children) = (config.clone(), children.clone());
            let worker = move || children.pid().map_or(0, |pid| device::resident(Some(pid)));
            Arc::new(move || {
                let reasons = reasons(&config, device::resident(None) + worker());
                reach.trouble().into_iter().chain(reasons).collect()
            })
        },
        started: Instant::now(),
        stopping,
    };
    let next = successor.clone();
    let ending = actix_web::rt::System::new().block_on(async move {
        let server = http::server(listener, shared)?;
        let handle = server.handle();
        let server = actix_web::rt::spawn(server);
        watch_over(queue, at)?;
        let ending = wait_for_end(next).await?;
        log::info!("stopping: open answers are ended, running jobs go on at the next start");
        // Who connects from now on waits for the successor, if there is one.
        handle.pause().await;
        actix_web::rt::time::sleep(ACCEPTED).await;
        // Open bodies end first, whole and empty; then connections; then the pool gives its jobs back.
        let _ = stop.send(true);
        handle.stop(true).await;
        let ended = actix_web::rt::task::spawn_blocking(move || children.stop(PATIENCE)).await;
        if let Err(e) = ended {
            log::error!("the pool did not stop in good order: {e}");
        }
        server.await.map_err(std::io::Error::other)??;
        log::info!("stopped");
        Ok::<_, Error>(ending)
    })?;
    match ending {
        Ending::Stop => Ok(()),
        Ending::Handover => Err(Error::Successor(successor.become_with(&kept))),
    }
}

/// Gives the jobs of this node's earlier life back to the queue.
fn take_up(config: &Config, queue: &Queue) -> Result<(), Error> {
    if config.pool == PoolMode::InProcess {
        // A crash in here took the whole daemon: it is charged now.
        wait_or(queue.release_dead(&config.device.to_string()))?;
    }
    let released = wait_or(queue.release_node())?;
    if !released.is_empty() {
        log::info!("{} jobs that were being done go on", released.len());
    }
    Ok(())
}

/// What passes by itself is no reason not to start.
fn wait_or(released: queue::Result<Vec<JobId>>) -> Result<Vec<JobId>, Error> {
    match released {
        Err(queue::Error::Store(e)) if e.passes() => {
            log::error!("{e}; jobs that were being done go on when their leases have ended");
            Ok(Vec::new())
        }
        other => Ok(other?),
    }
}

/// The socket that somebody listens on for us, else one of our own.
fn listen(at: SocketAddr) -> Result<TcpListener, Error> {
    let listener = match handover::inherited()? {
        Some(listener) => listener,
        None => TcpListener::bind(at).map_err(|why| Error::Listen { at, why })?,
    };
    handover::deepen(&listener);
    Ok(listener)
}

/// Asks the database until it answers: what passes by itself (a lock, a full disk) is waited for while the socket listens.
/// To end here would close the port, and Bazarr answers that with hours of silence.
fn insist<T>(mut ask: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    loop {
        match ask() {
            Err(Error::Store(e) | Error::Queue(queue::Error::Store(e))) if e.passes() => {
                log::warn!("waiting to start: {e}");
                std::thread::sleep(ASK_AGAIN);
            }
            answer => return answer,
        }
    }
}

/// Tells a service manager that watches that the database answers and the server serves, as long as both do.
fn watch_over(queue: Queue, at: SocketAddr) -> std::io::Result<()> {
    let Some(silence) = notify::watchdog() else { return Ok(()) };
    notify::keep_alive(silence, move |patience| {
        match queue.paused() {
            // What passes by itself is not mended by a restart.
            Err(queue::Error::Store(e)) if e.passes() => log::warn!("{e}"),
            Err(e) => return Err(format!("the database does not answer: {e}")),
            Ok(_) => {}
        }
        http::answers(at, patience).map_err(|e| format!("the server does not answer: {e}"))
    })
}

/// A worker process started by `serve`: its setup comes as the first frame on the socket `fd`.
pub fn attached(fd: i32) -> Result<(), Error> {
    // SAFETY: `serve` made this descriptor for us alone; nothing else in this process knows it.
    let link = unsafe { UnixStream::from_raw_fd(fd) };
    // A terminal's Ctrl-C and a service's stop reach the whole group: `serve` decides when we end, by the socket.
    // SAFETY: setting a disposition has no other effect.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_IGN);
        libc::signal(libc::SIGTERM, libc::SIG_IGN);
    }
    yield_to_others();
    let setup = match hints::receive(&link)? {
        Some(Order::Begin(setup)) => *setup,
        _ => return Ok(()),
    };
    check_device(setup.device.parse().map_err(std::io::Error::other)?)?;
    let queue = values::queue(Store::open(&setup.database_url)?, setup.node.clone(), setup.told);
    Ok(pool::device::run(setup, queue, Some(link))?)
}

/// A worker on its own, beside daemons that share its database: claims, works, and gives its jobs back at SIGTERM.
pub fn worker(config: &Config) -> Result<(), Error> {
    check_device(config.device)?;
    let setup = Setup { idle_ms: 0, ..setup(config) };
    let queue = values::queue(Store::open(&config.database_url)?, setup.node.clone(), setup.told);
    log_what_is_missing(config);
    let (ours, theirs) = UnixStream::pair()?;
    let pool = std::thread::Builder::new()
        .name("device".into())
        .spawn(move || pool::device::run(setup, queue, Some(theirs)))?;
    let mut reports = ours.try_clone()?;
    // Nobody reads the reports here; unread they would fill the socket and hold the pool up.
    std::thread::Builder::new()
        .name("reports".into())
        .spawn(move || std::io::copy(&mut reports, &mut std::io::sink()))?;
    actix_web::rt::System::new().block_on(wait_for_signal())?;
    log::info!("stopping: running jobs go back to the queue");
    hints::send(&ours, &Order::Stop)?;
    pool.join().map_err(|_| std::io::Error::other("the pool panicked"))??;
    Ok(())
}

/// Heartbeats and uploads go before inference; and when memory ends, inference is what the kernel should take.
fn yield_to_others() {
    // SAFETY: changes this process's scheduling alone.
    unsafe { libc::nice(5) };
    // Not permitted in some containers; nothing depends on it.
    let _ = std::fs::write("/proc/self/oom_score_adj", "500");
}

/// One daemon a data folder: the lock goes with the process, however it ends.
fn lock(dir: &Path) -> Result<File, Error> {
    let failed = |why| Error::DataDir { dir: dir.to_owned(), why };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let file = File::create(dir.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse(dir.to_owned())),
        Err(std::fs::TryLockError::Error(why)) => Err(failed(why)),
    }
}

fn log_what_is_missing(config: &Config) {
    for reason in reasons(config, device::resident(None)) {
        log::warn!("{reason}");
    }
}

fn reap_now_and_then(queue: Queue) -> std::io::Result<()> {
    let reap = move || {
        let mut failed = false;
        loop {
            std::thread::sleep(REAP_EVERY);
            if failed {
                // Who could not renew a lease for want of room comes first when there is some.
                failed = queue.check_room().is_err();
                continue;
            }
            match queue.reap() {
                Ok(ids) if !ids.is_empty() => {
                    log::warn!("{} jobs of a node that is gone go on here", ids.len())
                }
                Ok(_) => {}
                Err(e) => {
                    log::warn!("cannot look for leases that ended: {e}");
                    failed = true;
                }
            }
        }
    };
    std::thread::Builder::new().name("reaper".into()).spawn(reap)?;
    Ok(())
}

/// What comes after the end of this program.
enum Ending {
    Stop,
    Handover,
}

/// Says that the daemon is ready, and waits for its end; the service manager is told both. A successor that does not run is refused.
async fn wait_for_end(successor: Arc<Successor>) -> std::io::Result<Ending> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut asked = signal(SignalKind::user_defined2())?;
    // Not before: who hears it may ask for a hand-over at once.
    notify::tell(Event::Ready);
    loop {
        tokio::select! {
            stop = wait_for_signal() => {
                stop?;
                notify::tell(Event::Stopping);
                return Ok(Ending::Stop);
            }
            _ = asked.recv() => {}
        }
        let next = successor.clone();
        let checked = actix_web::rt::task::spawn_blocking(move || next.check());
        match checked.await.map_err(std::io::Error::other)? {
            Ok(()) => {
                notify::tell(Event::Reloading);
                return Ok(Ending::Handover);
            }
            Err(why) => log::error!("there is no hand-over, this program goes on: {why}"),
        }
    }
}

async fn wait_for_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
