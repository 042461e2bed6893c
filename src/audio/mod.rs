//! Sound as 16 kHz mono samples, whatever it came in. Knows nothing of speech detection, Whisper or jobs.
//!
//! Three doors lead to the same [`Pcm`] stream: raw samples from Bazarr (`raw`), WAV without ffmpeg
//! (`wav`), and everything else through an ffmpeg pipe (`decode`). Nothing here holds a whole file.

pub mod decode;
pub mod onset;
pub mod probe;
pub mod raw;
pub mod silences;
pub mod wav;
pub mod windows;

use crate::language::Language;
use std::path::{Path, PathBuf};

/// Samples per second, everywhere behind this door.
pub const RATE: u32 = 16_000;

/// Samples per millisecond.
pub const PER_MS: i64 = 16;

/// A stream of mono samples at 16 kHz, -1 to 1.
pub trait Pcm: Send {
    /// Appends at most `max` samples to `out` and gives their number; 0 only at the end.
    ///
    /// Fails when the source breaks off in a way that loses sound; what was read before stays valid.
    fn read(&mut self, out: &mut Vec<f32>, max: usize) -> Result<usize, Error>;
}

/// Why there is no sound.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{0}: no such file, it was moved or deleted since the job was made: run the scan again or submit the new path"
    )]
    Vanished(PathBuf),
    #[error("{path}: cannot be read: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{tool} is not installed, and only raw PCM and WAV can be read without it: install the package 'ffmpeg' (apt install ffmpeg)"
    )]
    NoFfmpeg { tool: &'static str },
    #[error("{path}: not audio or video that ffmpeg can read: {why}")]
    NotMedia { path: PathBuf, why: String },
    #[error("{0}: has no audio track")]
    NoAudio(PathBuf),
    #[error("{path}: has no audio track {track}, there are {count} (numbered from 0)")]
    NoTrack { path: PathBuf, track: u32, count: usize },
    #[error("{path}: decoding broke off: {why}")]
    Broken { path: PathBuf, why: String },
}

impl Error {
    /// True when another try can go better: an unreadable disk, an ffmpeg not there yet.
    pub fn may_pass(&self) -> bool {
        matches!(self, Error::NoFfmpeg { .. })
            || matches!(self, Error::Io { source, .. } if source.kind() != std::io::ErrorKind::PermissionDenied)
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Error {
        if source.kind() == std::io::ErrorKind::NotFound {
            Error::Vanished(path.to_owned())
        } else {
            Error::Io { path: path.to_owned(), source }
        }
    }
}

/// An open source with what is known of it beforehand.
pub struct Opened {
    pub pcm: Box<dyn Pcm>,
    /// Length of the whole sound; 0 when the container does not say.
    pub duration_ms: i64,
}

/// Opens raw s16le mono 16 kHz samples without a header, as Bazarr sends them, from `start_ms` on.
pub fn open_raw(path: &Path, start_ms: i64) -> Result<Opened, Error> {
    let (pcm, samples) = raw::open(path, start_ms * PER_MS)?;
    Ok(Opened { pcm: Box::new(pcm), duration_ms: samples / PER_MS })
}

/// Opens a media file from `start_ms` on; `track` counts its audio streams from 0, `None` takes the best for speech in
/// the language `wanted`.
///
/// WAV is read here; what our reader does not know of it, and all else, goes to ffmpeg.
pub fn open_media(
    path: &Path,
    track: Option<u32>,
    wanted: Option<Language>,
    start_ms: i64,
) -> Result<Opened, Error> {
    if track.unwrap_or(0) == 0
        && let Some((pcm, duration_ms)) = wav::open(path, start_ms)?
    {
        return Ok(Opened { pcm: Box::new(pcm), duration_ms });
    }
    let media = probe::probe(path)?;
    let chosen = media.choose(path, track, wanted)?;
    let pcm = decode::open(path, chosen.index, chosen.layout, start_ms)?;
    Ok(Opened { pcm: Box::new(pcm), duration_ms: media.duration_ms })
}

/// What cannot be read here for want of a tool, one sentence each.
pub fn missing_tools() -> Vec<String> {
    let missing = |tool, path: PathBuf| {
        let found = if path.is_absolute() {
            path.exists()
        } else {
            let folders = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&folders).any(|folder| folder.join(&path).is_file())
        };
        (!found).then(|| Error::NoFfmpeg { tool }.to_string())
    };
    let ffmpeg = missing("ffmpeg", ffmpeg_sidecar::paths::ffmpeg_path());
    let ffprobe = missing("ffprobe", ffmpeg_sidecar::ffprobe::ffprobe_path());
    ffmpeg.into_iter().chain(ffprobe).collect()
}
