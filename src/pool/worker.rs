//! A worker: a thread with a session, one window in, words out. Knows nothing of how jobs are claimed or sources read.

use super::board::{Lane, Work};
use super::device::Shared;
use super::finish::{self, Checkpoint};
use super::hear::{self, Spoken};
use super::open::Open;
use super::progress;
use super::reader::Window;
use super::weights;
use super::{label, prompt, prove, tongues};
use crate::engine::{self, Ask, Context, LanguageOdds, Session, Sound};
use crate::job::{Job, JobKind, Preset, Stage};
use crate::language::Language;
use crate::queue::{self, Again, Begun, Outcome, Progress};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a write is tried again while the disk is full or the database busy.
const WRITE_AGAIN: Duration = Duration::from_secs(2);

/// Works until the pool stops. `number` is the worker's place in the status list.
pub fn work(shared: &Shared, lane: Lane, number: usize) {
    let patience = Duration::from_millis(shared.setup.idle_ms.max(1_000) as u64);
    loop {
        match shared.board.next_within(lane, number, patience) {
            Err(_) => return,
            // Nothing for a while: what sessions take goes back, the weights with the process.
            Ok(None) => shared.weights.rest(),
            Ok(Some(work)) => {
                let (Work::Window { open, .. } | Work::Detect { open, .. }) = &work;
                let open = open.clone();
                shared.busy(number, Some(&open.job));
                let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| step(shared, work)));
                if done.is_err() {
                    // The panic's own words went to the log.
                    fail(shared, &open, "an internal error, see the log", Again::Yes);
                }
                shared.busy(number, None);
            }
        }
    }
}

fn step(shared: &Shared, work: Work) {
    match work {
        Work::Window { open, window, language } => {
            let begun = insist(&open, || shared.queue.begin_window(&open.claim, window.index));
            match begun {
                None | Some(Begun::Lost) => lost(shared, &open),
                Some(Begun::Go) => decode(shared, &open, &window, language),
                Some(Begun::Alone) => {
                    log::warn!(
                        "job {}: window {} was open at two deaths of its process and runs alone now",
                        open.job.id,
                        window.index
                    );
                    shared.board.alone(|| decode(shared, &open, &window, language));
                }
            }
        }
        Work::Detect { open, windows } => detect(shared, &open, &windows),
    }
}

fn decode(shared: &Shared, open: &Arc<Open>, window: &Window, language: Language) {
    let id = open.job.id;
    match listen(shared, open, window, language) {
        Ok((checkpoint, model)) => {
            shared.note_model(id, &model);
            let text = match serde_json::to_string(&checkpoint) {
                Ok(text) => text,
                Err(e) => return fail(shared, open, &e.to_string(), Again::Never),
            };
            match insist(open, || shared.queue.end_window(&open.claim, window.index, &text)) {
                Some(true) => {
                    let complete = shared.board.done(open);
                    if complete {
                        end(shared, open, language)
                    } else {
                        tell(shared, open, Stage::Transcribing)
                    }
                }
                _ => lost(shared, open),
            }
        }
        Err(e) => {
            // A failed write here leaves the mark of a window in flight: the release of the job clears it.
            let _ = shared.queue.drop_window(&open.claim, window.index);
            shared.board.dropped(open);
            match e {
                Fault::Stopped => log::debug!("job {id}: window {} was given up in its midst", window.index),
                Fault::Give(why, again) => fail(shared, open, &why, again),
            }
        }
    }
}

pub(super) enum Fault {
    Stopped,
    Give(String, Again),
}

impl From<engine::Error> for Fault {
    fn from(e: engine::Error) -> Fault {
        match e {
            engine::Error::Stopped => Fault::Stopped,
            engine::Error::Unable(why) => Fault::Give(why, Again::Never),
            other => Fault::Give(other.to_string(), Again::Yes),
        }
    }
}

impl From<weights::Error> for Fault {
    fn from(e: weights::Error) -> Fault {
        match e {
            weights::Error::Engine(e) => e.into(),
            // Others may end, or the setting be changed: it waits, as for a model.
            weights::Error::Short(e) => Fault::Give(e.to_string(), Again::Later),
            weights::Error::Model(e) => {
                let again = if e.may_come() { Again::Later } else { Again::Never };
                Fault::Give(e.to_string(), again)
            }
        }
    }
}

fn listen(
    shared: &Shared,
    open: &Open,
    window: &Window,
    language: Language,
) -> Result<(Checkpoint, String), Fault> {
    let (beam, context) = match open.job.preset {
        Preset::Best => (hear::CAREFUL_BEAM, Context::Ample),
        Preset::Fast | Preset::Balanced => (1, Context::Fitted),
    };
    let mut ask = Ask {
        language,
        task: open.task(),
        beam,
        beside: None,
        context,
        prompt: prompt::compose(&open.job.options),
        dice: true,
    };
    if shared.model_of(open.job.id).is_none() {
        tell(shared, open, Stage::LoadingModel);
    }
    let mut seat = shared.weights.for_words(&as_done(open), &ask, &open.stop)?;
    shared.staff(seat.staff);
    ask.prompt = open.prompt(&seat);
    // Also what the check of a label has decided: it holds for the whole film.
    let told = open.job.source_lang.is_some();
    let spoken = if told { Spoken::Told } else { Spoken::Found };
    let (heard, stretch) = hear::hear(&mut seat, window, &ask, open.job.preset, spoken, &open.stop)?;
    Ok((Checkpoint { heard, stretch }, seat.name.clone()))
}

fn detect(shared: &Shared, open: &Arc<Open>, windows: &[Arc<Window>]) {
    tell(shared, open, Stage::DetectingLanguage);
    if let Some(label) = label::unproved(&open.job, false) {
        let whole = |windows: &[Arc<Window>]| odds(shared, open, windows, Until::End, tongues::whole);
        return prove::prove(shared, open, label, windows, whole);
    }
    // Where text in one language is wanted the odds of others count too, and an answer has all of them.
    // A language that is told or wanted is gone from only where whole windows are clearly in another.
    let (until, tell): (Until, Tell) = match (open.job.kind, open.job.target_lang) {
        (JobKind::Transcription, None) => (Until::Settled, tongues::odds),
        (JobKind::Transcription, Some(_)) => (Until::End, tongues::whole),
        (JobKind::LanguageDetection, _) => (Until::End, tongues::odds),
    };
    let odds = match odds(shared, open, windows, until, tell) {
        Ok(odds) => odds,
        Err(Fault::Stopped) => return,
        Err(Fault::Give(why, again)) => return fail(shared, open, &why, again),
    };
    if open.job.kind == JobKind::LanguageDetection {
        return answer(shared, open, &odds);
    }
    match label::found(&open.job, &odds) {
        Ok(spoken) => settle(shared, open, spoken),
        Err(why) => fail(shared, open, &why, Again::Never),
    }
}

/// Stores what is spoken and what is made of it, and lets the windows go.
///
/// It stands beside the job, not in it: a later life of the job goes by it, and still knows what was told and what
/// was heard.
pub(super) fn settle(shared: &Shared, open: &Open, spoken: label::Spoken) {
    let text = match serde_json::to_string(&spoken) {
        Ok(text) => text,
        Err(e) => return fail(shared, open, &e.to_string(), Again::Never),
    };
    match insist(open, || shared.queue.end_window(&open.claim, label::MARK, &text)) {
        Some(true) => {
            open.task.get_or_init(|| spoken.task);
            shared.board.tell_language(open, spoken.language)
        }
        _ => shared.lost(open),
    }
}

/// The job with the task that is really done.
pub(super) fn as_done(open: &Open) -> Job {
    Job { task: open.task(), ..open.job.clone() }
}

/// How long windows are heard for a language.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// What is best can no longer change.
    Settled,
    End,
}

/// How one window is told.
type Tell = fn(&mut dyn Session, Sound<'_>, &AtomicBool) -> Result<LanguageOdds, engine::Error>;

/// None where there is no speech to tell a language from.
fn odds(
    shared: &Shared,
    open: &Open,
    windows: &[Arc<Window>],
    until: Until,
    tell: Tell,
) -> Result<LanguageOdds, Fault> {
    if windows.is_empty() {
        return Ok(LanguageOdds::default());
    }
    let mut seat = shared.weights.for_languages(&open.stop)?;
    let length = |window: &Arc<Window>| window.speech.iter().map(|s| (s.end - s.start) as f32).sum::<f32>();
    let mut parts = Vec::new();
    let mut rest: f32 = windows.iter().map(length).sum();
    for window in windows {
        if open.stop.load(Ordering::Relaxed) {
            return Err(Fault::Stopped);
        }
        let (samples, speech) = (window.samples(), window.speech_inside());
        let odds = tell(&mut seat, Sound { samples: &samples, speech: &speech }, &open.stop)?;
        parts.push((odds, length(window)));
        rest -= length(window);
        if until == Until::Settled && LanguageOdds::is_settled(&parts, rest) {
            break;
        }
    }
    // A lane of its own means a session of its own only while it is needed.
    seat.dismiss();
    Ok(LanguageOdds::mean(&parts))
}

/// Ends a detection with its odds.
fn answer(shared: &Shared, open: &Open, odds: &LanguageOdds) {
    let best = odds.best();
    let code = best.map(|(language, _)| language.whisper_code());
    let listed: Vec<(&str, f32)> = odds.0.iter().map(|(l, p)| (l.whisper_code(), *p)).collect();
    let outcome = Outcome {
        result: serde_json::json!({ "language": code, "odds": listed }).to_string(),
        report: None,
        language: best.map(|(language, _)| language),
        segments_count: None,
        model_used: None,
        device_used: Some(shared.setup.device.clone()),
        output_path: None,
    };
    let said = best.map_or("no language".into(), |(language, p)| {
        format!("{}, {:.0} % sure", language.english_name(), p * 100.0)
    });
    finished(shared, open, &outcome, &said);
}

/// Makes the subtitle of a job whose windows are all done, and ends it.
pub(super) fn end(shared: &Shared, open: &Arc<Open>, language: Language) {
    let Some(stored) = insist(open, || shared.queue.checkpoints(open.job.id)) else {
        return lost(shared, open);
    };
    let checkpoints: Result<Vec<Checkpoint>, _> = {
        let words = stored.iter().filter(|(index, _)| *index != label::MARK);
        words.map(|(_, text)| serde_json::from_str(text)).collect()
    };
    let checkpoints = match checkpoints {
        Ok(checkpoints) => checkpoints,
        Err(e) => return fail(shared, open, &format!("a checkpoint cannot be read: {e}"), Again::Never),
    };
    // Where nobody speaks no language was heard, whatever had to be taken for one.
    let said = checkpoints.iter().any(|c| !c.heard.words.is_empty());
    let found = Some(language).filter(|_| said && open.job.source_lang.is_none());
    let making =
        Progress { percent: 99.0, stage: Stage::GeneratingSubtitles, eta_ms: Some(0), source_lang: found };
    if insist(open, || shared.queue.progress(&open.claim, &making)) != Some(true) {
        return lost(shared, open);
    }
    let duration_ms = shared.board.standing(open).map_or(0, |s| s.read_ms);
    let layout = match finish::Layout::of(&open.job.options) {
        Ok(layout) => layout,
        Err(why) => return fail(shared, open, &format!("{why}; submit it again"), Again::Never),
    };
    let mut finished_text = finish::lay_out(checkpoints, language, open.task(), duration_ms, &layout);
    finish::complain(open, duration_ms, &mut finished_text.quality);
    let output_path = match finish::write(&open.job, &finished_text.transcript) {
        Ok(path) => path,
        Err(e) => return unwritten(shared, open, &e),
    };
    let (result, report) = match (
        serde_json::to_string(&finished_text.transcript),
        serde_json::to_string(&finished_text.quality),
    ) {
        (Ok(result), Ok(report)) => (result, report),
        (Err(e), _) | (_, Err(e)) => return fail(shared, open, &e.to_string(), Again::Never),
    };
    let outcome = Outcome {
        result,
        report: Some(report),
        language: found.or(open.job.source_lang),
        segments_count: Some(finished_text.transcript.cues.len() as u32),
        model_used: shared.model_of(open.job.id),
        device_used: Some(shared.setup.device.clone()),
        output_path,
    };
    let said = finished_text.says();
    finished(shared, open, &outcome, &said);
}

/// `said`: the outcome in a few words, for the log.
fn finished(shared: &Shared, open: &Open, outcome: &Outcome, said: &str) {
    match insist(open, || shared.queue.finish(&open.claim, outcome)) {
        Some(true) => {
            log::info!("job {} ({}) is done: {said}", open.job.id, open.job.file_name);
            shared.closed(open, true)
        }
        _ => shared.lost(open),
    }
}

/// The subtitle file cannot be written. Room on the disk is waited for, the work done is kept meanwhile.
pub(super) fn unwritten(shared: &Shared, open: &Open, e: &io::Error) {
    let path = open.job.output.as_deref().unwrap_or(Path::new("")).display();
    if finish::is_full(e) {
        let why =
            format!("cannot write {path}: the disk is full; free some space, then the job goes on by itself");
        return fail(shared, open, &why, Again::Later);
    }
    fail(shared, open, &format!("cannot write {path}: {e}"), Again::Yes)
}

/// Fails the attempt and closes the job here.
pub(super) fn fail(shared: &Shared, open: &Open, why: &str, again: Again) {
    log::warn!("job {} ({}): {why}", open.job.id, open.job.file_name);
    let _ = insist(open, || shared.queue.fail(&open.claim, why, again));
    match again {
        // It waits; nothing has failed that counts.
        Again::Later => shared.lost(open),
        Again::Yes | Again::Never => shared.closed(open, false),
    }
}

fn lost(shared: &Shared, open: &Open) {
    shared.lost(open);
}

/// Writes stage, progress and the time left.
pub(super) fn tell(shared: &Shared, open: &Open, stage: Stage) {
    let Some(standing) = shared.board.standing(open) else { return };
    let percent =
        progress::percent(&standing, open.duration_ms.load(Ordering::Relaxed)).max(open.job.progress);
    let elapsed = open.opened.elapsed().as_millis() as i64;
    let eta_ms = progress::eta_ms(elapsed, open.job.progress, percent);
    shared.progress(open.job.id, percent, eta_ms);
    // Progress is for the eye: what cannot be written now is written with the next window.
    match shared.queue.progress(&open.claim, &Progress { percent, stage, eta_ms, source_lang: None }) {
        Ok(true) => {}
        Ok(false) => shared.lost(open),
        Err(e) => log::warn!("progress of job {}: {e}", open.job.id),
    }
}

/// Tries a write until it succeeds, fails for good, or nobody wants the job any more (`None`).
///
/// A full disk or a busy database costs time, not work.
pub(super) fn insist<T>(open: &Open, mut write: impl FnMut() -> queue::Result<T>) -> Option<T> {
    loop {
        match write() {
            Ok(value) => return Some(value),
            Err(queue::Error::Store(e)) if e.passes() && !open.stop.load(Ordering::Relaxed) => {
                log::error!("job {}: {e}; trying again", open.job.id);
                std::thread::sleep(WRITE_AGAIN);
            }
            Err(e) => {
                log::error!("job {}: {e}", open.job.id);
                return None;
            }
        }
    }
}
