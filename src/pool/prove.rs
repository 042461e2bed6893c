//! Proves the language that Bazarr says by what is heard, before the first window is written. Does not know what
//! follows from a wrong label.

use super::device::Shared;
use super::label;
use super::open::Open;
use super::reader::Window;
use super::worker::{Fault, fail, settle};
use crate::dedup::{self, Audio};
use crate::engine::LanguageOdds;
use crate::job::{Job, JobKind, Options, Source, Task};
use crate::language::Language;
use crate::queue::Again;
use std::sync::Arc;

/// Checks the label by what is heard, stores the decision, and lets the windows go.
///
/// `listen` hears windows; it is not called when an earlier detection of the same sound has its odds stored. What keeps
/// the check from being made (no multilingual model, an engine's fault) keeps the label: the check is a help, not a
/// condition.
pub(super) fn prove(
    shared: &Shared,
    open: &Arc<Open>,
    label: Language,
    windows: &[Arc<Window>],
    listen: impl FnOnce(&[Arc<Window>]) -> Result<LanguageOdds, Fault>,
) {
    let id = open.job.id;
    let heard = match odds_known(shared, open)
        .map_or_else(|| listen(&windows[..windows.len().min(label::SAMPLES)]), Ok)
    {
        Ok(odds) => odds,
        Err(Fault::Stopped) => return,
        Err(Fault::Give(why, _)) => {
            log::warn!("job {id}: the language label could not be checked: {why}");
            LanguageOdds::default()
        }
    };
    let spoken = label::decide(label, open.job.task, &heard);
    if let Some(complaint) = label::complaint(label, &heard, spoken) {
        log::warn!("job {id} ({}): {complaint}", open.job.file_name);
    }
    let job = Job { task: spoken.task, ..open.job.clone() };
    if spoken.task != open.job.task
        && let Err(e) = shared.weights.look(&job, spoken.language)
    {
        let (label, heard) = (label.english_name(), spoken.language.english_name());
        let why =
            format!("the request says {label}, but {heard} is spoken and would have to be translated: {e}");
        let again = if e.may_come() { Again::Later } else { Again::Never };
        return fail(shared, open, &why, again);
    }
    settle(shared, open, spoken)
}

/// What an earlier `/detect-language` of the same sound told.
fn odds_known(shared: &Shared, open: &Open) -> Option<LanguageOdds> {
    let Source::Spool { hash, raw } = &open.job.source else { return None };
    let audio = Audio::Upload { hash, raw: *raw };
    let kind = JobKind::LanguageDetection;
    let key = dedup::key(audio, kind, Task::Transcribe, None, None, &Options::default());
    let stored = shared.queue.result_of(&key).ok()??;
    label::odds(&stored.result)
}
