//! Opens what a job is to be heard from. Knows nothing of windows.

use crate::audio::{self, Opened, Wish};
use crate::job::{Job, JobKind, Source, Task};
use std::path::Path;

/// Places that a language is told from, in parts of the whole length.
const PLACES: [f64; 4] = [0.08, 0.3, 0.55, 0.8];
/// Below this length a language is told from the beginning on.
const SHORT_MS: i64 = 180_000;

/// The job's sound from `start_ms` on.
pub fn open(job: &Job, spool: &Path, start_ms: i64) -> Result<Opened, audio::Error> {
    match &job.source {
        Source::Spool { hash, raw: true } => audio::open_raw(&spool.join(hash), start_ms),
        Source::Spool { hash, raw: false } => audio::open_media(&spool.join(hash), wish(job, None), start_ms),
        Source::Path { path, track } => audio::open_media(path, wish(job, *track), start_ms),
    }
}

/// The track that is meant: text of speech in the wanted language is best made of a track in that language.
fn wish(job: &Job, track: Option<u32>) -> Wish<'_> {
    let wanted = job.target_lang.filter(|_| job.task == Task::Transcribe);
    Wish { track, language: job.source_lang.or(wanted), preferred: &job.options.audio_languages }
}

/// Where to listen: once from the start for words, in several places for a language.
pub fn starts(job: &Job, duration_ms: i64) -> Vec<i64> {
    match job.kind {
        JobKind::LanguageDetection if duration_ms >= SHORT_MS => {
            PLACES.iter().map(|part| (part * duration_ms as f64) as i64).collect()
        }
        _ => vec![0],
    }
}
