//! Any media as samples, through a pipe from ffmpeg. Knows nothing of which track is the right one.

use super::probe::Track;
use super::raw::append_s16le;
use super::{Error, PER_MS, Pcm, mix};
use ffmpeg_sidecar::child::FfmpegChild;
use ffmpeg_sidecar::command::FfmpegCommand;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::thread::JoinHandle;

/// A running ffmpeg; ended when dropped.
pub struct Decoder {
    child: FfmpegChild,
    stdout: ChildStdout,
    /// Collects what ffmpeg complains of, so that its pipe never fills.
    complaints: Option<JoinHandle<String>>,
    path: PathBuf,
    bytes: Vec<u8>,
    any: bool,
    /// Samples of silence still to come before the first sound.
    lead: i64,
    /// Begun somewhere else than at the start: there may be nothing behind it.
    later: bool,
}

/// Fills holes with silence, so that a sample's number is its time in the film.
///
/// Not with `first_pts=0` for the beginning: where the channels change in the midst of a track, as in recorded
/// broadcasts, ffmpeg makes its filters anew, and they would put all the time before in once more; and of an MPEG stream
/// it counts from the first sound on, not from the first picture.
const FILLED: &str = "aresample=async=1";

/// Starts ffmpeg on an audio track, `start_ms` into the file. Silence stands before `begins_ms`, where the track's sound
/// begins.
pub fn open(path: &Path, track: &Track, begins_ms: i64, start_ms: i64) -> Result<Decoder, Error> {
    let mut command = FfmpegCommand::new();
    command.hide_banner().args(["-nostdin", "-loglevel", "error"]);
    if start_ms > 0 {
        command.seek(format!("{start_ms}ms"));
    }
    let mixed = mix::filter(track.channels as usize, track.layout.as_deref());
    let filter = mixed.map_or(FILLED.to_owned(), |mixed| format!("{mixed},{FILLED}"));
    let mut child = command
        .input(as_file_url(path))
        .args(["-map", &format!("0:a:{}", track.index), "-vn", "-sn", "-dn"])
        .args(["-af", &filter, "-ac", "1", "-ar", "16000"])
        .args(["-f", "s16le", "-acodec", "pcm_s16le", "-"])
        .spawn()
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::NoFfmpeg { tool: "ffmpeg" },
            _ => Error::io(path, e),
        })?;
    drop(child.take_stdin());
    let stdout = child.take_stdout().ok_or(Error::NoFfmpeg { tool: "ffmpeg" })?;
    let complaints = child.take_stderr().map(|mut stderr| {
        std::thread::spawn(move || {
            let (mut text, mut block) = (Vec::new(), [0u8; 4096]);
            while let Ok(n @ 1..) = stderr.read(&mut block) {
                // The first complaints tell the cause; a broken file can make millions.
                if text.len() < 16_384 {
                    text.extend_from_slice(&block[..n]);
                }
            }
            String::from_utf8_lossy(&text).into_owned()
        })
    });
    Ok(Decoder {
        child,
        stdout,
        complaints,
        path: path.to_owned(),
        bytes: Vec::new(),
        any: false,
        lead: (begins_ms - start_ms.max(0)).max(0) * PER_MS,
        later: start_ms > 0,
    })
}

impl Decoder {
    /// What ffmpeg's end means: its exit status and complaints as an error, or nothing.
    fn ended(&mut self) -> Result<(), Error> {
        let Some(complaints) = self.complaints.take() else { return Ok(()) };
        let why = last_line(&complaints.join().unwrap_or_default());
        let good = self.child.wait().is_ok_and(|status| status.success());
        let path = self.path.clone();
        match (good, self.any) {
            (true, false) if !self.later => {
                let why = "its audio track is empty, or the file was cut off before it".to_owned();
                Err(Error::NotMedia { path, why })
            }
            (true, _) => Ok(()),
            (false, true) => Err(Error::Broken { path, why }),
            (false, false) => Err(Error::NotMedia { path, why }),
        }
    }
}

impl Pcm for Decoder {
    fn read(&mut self, out: &mut Vec<f32>, max: usize) -> Result<usize, Error> {
        let silent = self.lead.min(max as i64);
        if silent > 0 {
            self.lead -= silent;
            out.extend(std::iter::repeat_n(0.0, silent as usize));
            return Ok(silent as usize);
        }
        self.bytes.clear();
        let wanted = (max * 2) as u64;
        (&mut self.stdout).take(wanted).read_to_end(&mut self.bytes).map_err(|e| Error::io(&self.path, e))?;
        let count = append_s16le(&self.bytes, out);
        self.any |= count > 0;
        if count == 0 {
            self.ended()?;
        }
        Ok(count)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        if self.complaints.is_some() {
            // Ended before its end: whoever reads has what they need. An error here means it is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The path as ffmpeg must be given it: `file:` keeps names with colons or a leading dash from being options
/// or protocols.
pub(super) fn as_file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

/// The last line with something in it: where ffmpeg puts the reason.
pub(super) fn last_line(text: &str) -> String {
    let line = text.lines().map(str::trim).rfind(|l| !l.is_empty());
    line.unwrap_or("it gave no reason").to_owned()
}
