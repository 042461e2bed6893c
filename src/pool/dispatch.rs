//! Claims jobs for a device, keeps them open, reads their sources, gives them back. Knows nothing of words.

use super::device::{Event, Shared};
use super::hints::Order;
use super::open::Open;
use super::reader::{self, Reader};
use super::{finish, label, source, worker};
use crate::job::{Claim, Job, JobId, JobKind, Stage};
use crate::language::Language;
use crate::queue::{Again, Begun, ClaimAsk, OPENING, Place};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Covers a lost hint.
const SLOW_POLL: Duration = Duration::from_secs(5);
/// Language detections open at once: one is listened to, and each holds a reader, an ffmpeg and a few windows.
const DETECTIONS: usize = 4;

/// Runs until told to stop, or until nothing was to be done for `idle_ms`. Gives the open jobs back.
pub fn run(shared: &Arc<Shared>, events: &Receiver<Event>) {
    let mut idle_since = Instant::now();
    let renew_every = Duration::from_millis((shared.setup.lease_ms / 3).max(1) as u64);
    let mut renewed = Instant::now();
    loop {
        reorder(shared);
        claim(shared);
        if !shared.board.opened().is_empty() {
            idle_since = Instant::now();
        } else if shared.setup.idle_ms > 0 && idle_since.elapsed().as_millis() as i64 >= shared.setup.idle_ms
        {
            log::info!("device {}: nothing to do, its memory is given back", shared.setup.device);
            return stop(shared);
        }
        match events.recv_timeout(SLOW_POLL.min(renew_every)) {
            Ok(Event::Order(Order::Cancelled(id))) => {
                shared.board.cancel(id);
            }
            Ok(Event::Order(Order::Stop) | Event::Gone) | Err(RecvTimeoutError::Disconnected) => {
                return stop(shared);
            }
            Ok(Event::Order(Order::Added | Order::Begin(_)) | Event::Closed)
            | Err(RecvTimeoutError::Timeout) => {}
        }
        // Without room in the database this is tried at every turn, lest the lease is over when there is some.
        if renewed.elapsed() >= renew_every && renew(shared) {
            renewed = Instant::now();
        }
    }
}

/// Opens what may be open: up to the limit, and the more urgent in place of the least urgent.
fn claim(shared: &Arc<Shared>) {
    loop {
        let opened = shared.board.opened();
        let words = opened.iter().filter(|o| o.job.kind == JobKind::Transcription).count();
        // A detection has a lane of its own and takes no transcription's place.
        if opened.len() - words < DETECTIONS
            && let Some((job, claim)) = ask(shared, &[JobKind::LanguageDetection], None)
        {
            open(shared, job, claim);
            continue;
        }
        let full = words >= shared.setup.concurrent.max(1);
        let least = shared.board.least_urgent(JobKind::Transcription).filter(|_| full);
        let above = least.as_ref().map(|(_, place)| *place);
        let Some((job, claim)) = ask(shared, &[JobKind::Transcription], above) else { return };
        if let Some((least, _)) = &least {
            log::info!("job {} gives way to job {} and goes on later", least.job.id, job.id);
            give_back(shared, least);
        }
        open(shared, job, claim);
    }
}

/// Takes up what people have decided about the order meanwhile.
fn reorder(shared: &Shared) {
    for open in shared.board.opened() {
        match shared.queue.get(open.job.id) {
            Ok(Some(job)) => shared.board.set_priority(&open, job.priority),
            // Its next guarded write notices.
            Ok(None) => {}
            Err(e) => log::warn!("priority of job {}: {e}", open.job.id),
        }
    }
}

fn ask(shared: &Shared, kinds: &[JobKind], above: Option<Place>) -> Option<(Job, Claim)> {
    let ask = ClaimAsk {
        device: shared.setup.device.clone(),
        kinds,
        above,
        lease_ms: shared.setup.lease_ms,
        ageing_ms_per_point: shared.setup.ageing_ms_per_point,
    };
    shared.queue.claim(&ask).unwrap_or_else(|e| {
        log::error!("cannot look for jobs: {e}");
        None
    })
}

/// Opens a claimed job: its checkpoints are known, a thread begins to read its source.
fn open(shared: &Arc<Shared>, job: Job, claim: Claim) {
    log::info!("job {} ({}) begins", job.id, job.file_name);
    let stored = shared.queue.checkpoints(claim.job).unwrap_or_else(|e| {
        log::error!("job {}: {e}", job.id);
        Vec::new()
    });
    let decided = label::decided(&stored);
    let already: HashSet<u32> = stored.into_iter().map(|(index, _)| index).collect();
    let open = Open::new(job, claim);
    let language = match decided {
        Some(spoken) => {
            open.task.get_or_init(|| spoken.task);
            Some(spoken.language)
        }
        None if label::unproved(&open.job, !already.is_empty()).is_some() => None,
        None => open.job.source_lang.filter(|_| open.job.kind == JobKind::Transcription),
    };
    let open = Arc::new(open);
    shared.board.open(open.clone(), language, already);
    let (theirs, reading) = (shared.clone(), open.clone());
    let spawned = std::thread::Builder::new().name("reader".into()).spawn(move || {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&theirs, &reading)));
        if done.is_err() {
            worker::fail(&theirs, &reading, "an internal error while reading, see the log", Again::Yes);
        }
    });
    if let Err(e) = spawned {
        worker::fail(shared, &open, &format!("no thread for reading: {e}"), Again::Later);
    }
}

/// Reads the source to its end, or until nobody wants it.
fn read(shared: &Arc<Shared>, open: &Arc<Open>) {
    let id = open.job.id;
    match shared.queue.begin_window(&open.claim, OPENING) {
        Ok(Begun::Lost) => return shared.lost(open),
        Ok(_) => {}
        Err(e) => log::warn!("job {id}: {e}"),
    }
    if let Some(Err(e)) = open.job.output.as_deref().map(finish::try_out) {
        return worker::unwritten(shared, open, &e);
    }
    worker::tell(shared, open, Stage::ExtractingAudio);
    let read = (|| {
        let sound = source::open(&open.job, &shared.setup.spool_dir, 0)?;
        open.duration_ms.store(sound.duration_ms, Ordering::Relaxed);
        open.promised_ms.store(sound.promised_ms, Ordering::Relaxed);
        let starts = source::starts(&open.job, sound.duration_ms);
        if starts.len() > 1 {
            return listen_around(shared, open, &starts);
        }
        let words = open.job.kind == JobKind::Transcription;
        let mut reader = if words { Reader::new(sound)? } else { Reader::of_speech(sound)? };
        while let Some(window) = reader.next_window()? {
            if !shared.board.offer(open, window, reader.read_ms()) {
                return Ok(None);
            }
        }
        open.damage.get_or_init(|| reader.damage());
        Ok(Some(reader.read_ms()))
    })();
    // The mark of the opening goes in any case but a death.
    let _ = shared.queue.drop_window(&open.claim, OPENING);
    match read {
        Ok(None) => {}
        Ok(Some(read_ms)) => {
            if shared.board.read_all(open, read_ms) {
                silent_or_done(shared, open);
            }
        }
        Err(_) if open.stop.load(Ordering::Relaxed) => {}
        Err(reader::Error::Audio(e)) => {
            let again = match &e {
                crate::audio::Error::NoFfmpeg { .. } => Again::Later,
                e if e.may_pass() => Again::Yes,
                _ => Again::Never,
            };
            worker::fail(shared, open, &e.to_string(), again);
        }
        Err(reader::Error::Engine(e)) => worker::fail(shared, open, &e.to_string(), Again::Yes),
    }
}

/// The first window of speech in each of several places, for a language.
fn listen_around(shared: &Shared, open: &Open, starts: &[i64]) -> Result<Option<i64>, reader::Error> {
    let mut index = 0;
    for &start in starts {
        let mut reader = Reader::of_speech(source::open(&open.job, &shared.setup.spool_dir, start)?)?;
        if let Some(mut window) = reader.next_within(PATIENCE_MS)? {
            window.index = index;
            index += 1;
            if !shared.board.offer(open, window, start) {
                return Ok(None);
            }
        }
    }
    Ok(Some(open.duration_ms.load(Ordering::Relaxed)))
}

/// How far a place without speech is searched for some.
const PATIENCE_MS: i64 = 90_000;

/// All windows were done before the end was read, or there was no speech at all.
fn silent_or_done(shared: &Arc<Shared>, open: &Arc<Open>) {
    if open.job.kind == JobKind::LanguageDetection {
        let why = "no speech was found to tell a language from";
        return worker::fail(shared, open, why, Again::Never);
    }
    let language = shared.board.language(open).or(open.job.source_lang).unwrap_or(Language::ENGLISH);
    worker::end(shared, open, language);
}

/// False: not every lease could be written.
fn renew(shared: &Shared) -> bool {
    let mut written = true;
    for open in shared.board.opened() {
        match shared.queue.renew(&open.claim, shared.setup.lease_ms) {
            Ok(true) => {}
            Ok(false) => shared.lost(&open),
            Err(e) => {
                log::warn!("lease of job {}: {e}", open.job.id);
                written = false;
            }
        }
    }
    written
}

fn give_back(shared: &Shared, open: &Open) {
    shared.board.close(open);
    release(shared, open.job.id, &open.claim);
}

fn release(shared: &Shared, id: JobId, claim: &Claim) {
    match shared.queue.release(claim) {
        Ok(_) => shared.changed(id),
        Err(e) => log::error!("job {id} could not be given back, its lease will end: {e}"),
    }
}

fn stop(shared: &Shared) {
    for open in shared.board.stop() {
        release(shared, open.job.id, &open.claim);
    }
}
