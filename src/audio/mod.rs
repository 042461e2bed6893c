//! Sound as 16 kHz mono samples, whatever it came in. Knows nothing of speech detection, Whisper or jobs.
//!
//! Three doors lead to the same [`Pcm`] stream: raw samples from Bazarr (`raw`), WAV without ffmpeg
//! (`wav`), and everything else through an ffmpeg pipe (`decode`). Nothing here holds a whole file.

pub mod damage;
pub mod decode;
mod mix;
pub mod onset;
pub mod probe;
pub mod raw;
pub mod silences;
mod start;
pub mod wav;
pub mod windows;

pub use damage::Damage;
pub use probe::Wish;
use std::collections::VecDeque;
use std::ops::Range;
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

    /// Where the source was found damaged so far, in the order of time. Silence stands there for what is lost.
    fn damage(&self) -> Vec<Damage> {
        Vec::new()
    }
}

/// Samples as they are kept while they wait, in 16 bits: what nearly all sound comes in, and half of the memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept(VecDeque<i16>);

impl Kept {
    /// Keeps these, without room for more.
    pub fn of(samples: &[f32]) -> Kept {
        let mut kept = Kept(VecDeque::with_capacity(samples.len()));
        kept.extend(samples);
        kept
    }

    /// Keeps more behind the others. What is beyond full scale becomes full scale.
    pub fn extend(&mut self, samples: &[f32]) {
        self.0.extend(samples.iter().map(|v| (v * 32_768.0).round() as i16));
    }

    /// Forgets the first `count`.
    pub fn forget(&mut self, count: usize) {
        self.0.drain(..count.min(self.0.len()));
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// As they were, right to 16 bits.
    pub fn samples(&self, range: Range<usize>) -> Vec<f32> {
        self.0.range(range).map(|v| f32::from(*v) / 32_768.0).collect()
    }
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
    #[error("{path}: has no audio track {track}, they are numbered from 0: {there}")]
    NoTrack { path: PathBuf, track: u32, there: String },
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
    /// The length of this track's sound where the container says it for sure and the end may be missing; else 0.
    pub promised_ms: i64,
}

/// Opens raw s16le mono 16 kHz samples without a header, as Bazarr sends them, from `start_ms` on.
pub fn open_raw(path: &Path, start_ms: i64) -> Result<Opened, Error> {
    let (pcm, samples) = raw::open(path, start_ms * PER_MS)?;
    Ok(Opened { pcm: Box::new(pcm), duration_ms: samples / PER_MS, promised_ms: 0 })
}

/// Opens a media file from `start_ms` on; of several audio tracks the one that the wish means.
///
/// WAV is read here; what our reader does not know of it, and all else, goes to ffmpeg.
pub fn open_media(path: &Path, wish: Wish<'_>, start_ms: i64) -> Result<Opened, Error> {
    if wish.track.unwrap_or(0) == 0
        && let Some((pcm, duration_ms)) = wav::open(path, start_ms)?
    {
        return Ok(Opened { pcm: Box::new(pcm), duration_ms, promised_ms: duration_ms });
    }
    let media = probe::probe(path)?;
    let chosen = media.choose(path, wish)?;
    let first = start::first_frame_ms(path, chosen.index).unwrap_or(media.begins_ms);
    let begins_ms = (first - media.begins_ms).max(0);
    // A time stamp behind the end is nonsense, not hours of silence.
    let begins_ms = if (1..begins_ms).contains(&media.duration_ms) { 0 } else { begins_ms };
    let pcm = decode::open(path, chosen, begins_ms, start_ms)?;
    let promised_ms = media.promised_ms(chosen, begins_ms);
    Ok(Opened { pcm: Box::new(pcm), duration_ms: media.duration_ms, promised_ms })
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

#[cfg(test)]
mod kept {
    use super::Kept;

    #[test]
    fn samples_come_back_as_they_were_and_none_beyond_full_scale() {
        let mut kept = Kept::of(&[0.5, -1.0, 1.0 / 32_768.0]);
        assert_eq!(kept.samples(0..3), [0.5, -1.0, 1.0 / 32_768.0]);
        kept.extend(&[1.0, 1.5, -2.0, f32::NAN, f32::INFINITY, 0.3]);
        let most = 32_767.0 / 32_768.0;
        assert_eq!(kept.samples(3..8), [most, most, -1.0, 0.0, most]);
        assert!((kept.samples(8..9)[0] - 0.3).abs() < 1.0 / 32_768.0);
        kept.forget(8);
        assert_eq!(kept.count(), 1);
        kept.forget(9);
        assert_eq!(kept.count(), 0);
    }
}
