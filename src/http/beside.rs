//! The video beside an upload: when the upload is the wrong one of its audio tracks, the right one is read from the
//! file, and its title can be a prompt. Knows nothing of how either is decoded.
//!
//! Bazarr up to 2025 sends the track that ffmpeg takes by itself, labelled as the language wanted.

use crate::audio::probe::{self, Track};
use crate::dedup::{self, Audio};
use crate::job::{NewJob, Source};
use crate::language::Language;
use crate::library::Library;
use crate::title;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::Semaphore;

/// What looking at the file may cost before the answer's headers leave.
const PATIENCE: Duration = Duration::from_secs(2);
/// Looks at once: a mount that hangs holds its threads, and others need some.
static LOOKS: Semaphore = Semaphore::const_new(16);

/// The job, of the file's track where that is the better sound. Never fails: in doubt it stays with the upload.
pub async fn better(job: NewJob, video_file: Option<&str>, library: &Library) -> NewJob {
    let (Some(named), Some(language)) = (video_file, job.source_lang) else { return job };
    if library.roots.is_empty() {
        return job;
    }
    let Ok(permit) = LOOKS.try_acquire() else { return job };
    let (library, named) = (library.clone(), named.to_owned());
    let look = actix_web::web::block(move || {
        let found = look(&library, &named, language);
        // Kept until the look is over, however long nobody waits for it any more.
        drop(permit);
        found
    });
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(Some(found))) => found.instead(job),
        Ok(_) => job,
        Err(_) => {
            log::warn!("'{}' did not answer in {PATIENCE:?}: the upload is used as it is", job.file_name);
            job
        }
    }
}

/// Title and names of the film as a prompt: from the file, where it is in the library and answers in time, else from
/// its name alone.
pub async fn title(video_file: Option<&str>, library: &Library) -> Option<String> {
    let named = video_file?.to_owned();
    let by_name = title::named(&named);
    let Ok(permit) = LOOKS.try_acquire() else { return by_name };
    let library = library.clone();
    let look = actix_web::web::block(move || {
        let found = library.find(&named).and_then(|path| title::of(&path));
        drop(permit);
        found
    });
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(Ok(found)) => found.or(by_name),
        _ => by_name,
    }
}

/// A track of a file that is to be heard instead of the upload.
struct Found {
    path: PathBuf,
    track: u32,
    bytes: u64,
    modified_ms: i64,
}

fn look(library: &Library, named: &str, language: Language) -> Option<Found> {
    let path = library.find(named)?;
    let facts = path.metadata().ok()?;
    let media = probe::probe(&path).map_err(|e| log::debug!("{e}; the upload is used")).ok()?;
    let track = instead_of_upload(&media.tracks, language)?;
    let since_1970 = facts.modified().ok().and_then(|m| m.duration_since(UNIX_EPOCH).ok());
    let modified_ms = since_1970.map_or(0, |d| d.as_millis() as i64);
    Some(Found { path, track, bytes: facts.len(), modified_ms })
}

impl Found {
    /// The same work on this track: also the key is that of what is really heard.
    fn instead(self, job: NewJob) -> NewJob {
        let Found { path, track, bytes, modified_ms } = self;
        log::info!("'{}': audio track {track} of the file is heard, not the upload", job.file_name);
        let audio = Audio::File { path: Path::new(&path), bytes, modified_ms, track: Some(track) };
        let key = dedup::key(audio, job.kind, job.task, job.source_lang, job.target_lang, &job.options);
        NewJob { key, home: None, source: Source::Path { path, track: Some(track) }, ..job }
    }
}

/// The index of the track that is in `language` (no commentary, then most channels, then first), when the upload may be
/// another one. With one track, or when the right one is what every ffmpeg takes by itself, the upload is right.
fn instead_of_upload(tracks: &[Track], language: Language) -> Option<u32> {
    if tracks.len() < 2 {
        return None;
    }
    let speaks = |t: &&Track| t.spoken() == Some(language);
    let best = |t: &&Track| (t.channels, std::cmp::Reverse(t.index));
    let right = tracks.iter().filter(|t| !t.commentary).filter(speaks).max_by_key(best)?;
    // Up to ffmpeg 4.2 channels alone count; later ones put the track marked default before them.
    let most_channels = tracks.iter().max_by_key(best)?;
    let default_first = tracks.iter().max_by_key(|t| (t.default, best(t)))?;
    (right.index != most_channels.index || right.index != default_first.index).then_some(right.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tracks as (tag, channels, marks): `d` is default, `c` commentary.
    fn check(tracks: &[(&str, u32, &str)], wanted: &str, expected: Option<u32>) {
        let tracks: Vec<Track> = tracks
            .iter()
            .zip(0..)
            .map(|(&(tag, channels, marks), index)| Track {
                index,
                codec: "aac".into(),
                language: (!tag.is_empty()).then(|| tag.to_string()),
                channels,
                default: marks.contains('d'),
                commentary: marks.contains('c'),
                ..Track::default()
            })
            .collect();
        assert_eq!(instead_of_upload(&tracks, wanted.parse().unwrap()), expected);
    }

    #[test]
    fn one_track_stays_with_the_upload_whatever_its_tag() {
        check(&[("jpn", 2, "d")], "en", None);
        check(&[], "en", None);
    }

    #[test]
    fn the_track_in_the_language_is_read_when_ffmpeg_would_take_another() {
        check(&[("jpn", 2, "d"), ("eng", 2, "")], "en", Some(1));
        check(&[("eng", 2, ""), ("jpn", 6, "")], "en", Some(0));
        check(&[("eng", 6, ""), ("jpn", 2, "d")], "en", Some(0));
    }

    #[test]
    fn the_upload_is_kept_when_it_is_the_right_track() {
        check(&[("eng", 6, "d"), ("jpn", 2, "")], "en", None);
        check(&[("eng", 2, ""), ("jpn", 2, "")], "en", None);
    }

    #[test]
    fn a_commentary_is_never_taken_and_more_channels_win() {
        check(&[("jpn", 6, "d"), ("eng", 2, "c"), ("eng", 2, ""), ("eng", 6, "")], "en", Some(3));
        check(&[("jpn", 6, "d"), ("eng", 2, "c")], "en", None);
    }

    #[test]
    fn without_a_track_of_that_language_the_upload_is_kept() {
        check(&[("jpn", 2, ""), ("", 6, "d"), ("und", 2, "")], "en", None);
    }
}
