//! Any media as samples, through a pipe from ffmpeg. Knows nothing of which track is the right one.

use super::damage::{self, Damage, Told};
use super::probe::Track;
use super::raw::{append_s16le, s16le};
use super::{Error, PER_MS, Pcm, RATE, mix};
use ffmpeg_sidecar::child::FfmpegChild;
use ffmpeg_sidecar::command::FfmpegCommand;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ChildStdout};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A running ffmpeg; ended when dropped.
pub struct Decoder {
    child: FfmpegChild,
    stdout: ChildStdout,
    /// What ffmpeg tells of the sound, and who takes it down, so that its pipe never fills.
    told: Arc<Told>,
    scribe: Option<JoinHandle<()>>,
    path: PathBuf,
    bytes: Vec<u8>,
    /// Two channels, one after the other, come from ffmpeg; of any other number one.
    pair: Option<mix::Pair>,
    any: bool,
    /// Where in the film its first sample is.
    from_ms: i64,
    /// Samples of silence still to come before the first sound.
    lead: i64,
    /// Begun somewhere else than at the start: there may be nothing behind it.
    later: bool,
}

/// No message is longer.
const LINE: u64 = 65_536;

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
    command.hide_banner().args(["-nostdin", "-nostats", "-loglevel", damage::LOGLEVEL]);
    if start_ms > 0 {
        command.seek(format!("{start_ms}ms"));
    }
    let mixed = mix::filter(track.channels as usize, track.layout.as_deref());
    let pair = mix::Pair::of(track.channels, RATE);
    let channels = if pair.is_some() { "2" } else { "1" };
    let filter = mixed.map_or(FILLED.to_owned(), |mixed| format!("{mixed},{FILLED}"));
    let mut child = command
        .input(as_file_url(path))
        .args(["-map", &format!("0:a:{}", track.index), "-vn", "-sn", "-dn"])
        .args(["-af", &filter, "-ac", channels, "-ar", "16000"])
        .args(["-f", "s16le", "-acodec", "pcm_s16le", "-"])
        .spawn()
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::NoFfmpeg { tool: "ffmpeg" },
            _ => Error::io(path, e),
        })?;
    drop(child.take_stdin());
    let stdout = child.take_stdout().ok_or(Error::NoFfmpeg { tool: "ffmpeg" })?;
    let told = Arc::new(Told::default());
    let scribe = child.take_stderr().map(|stderr| {
        let told = told.clone();
        std::thread::spawn(move || take_down(stderr, &told))
    });
    Ok(Decoder {
        child,
        stdout,
        told,
        scribe,
        path: path.to_owned(),
        bytes: Vec::new(),
        pair,
        any: false,
        from_ms: begins_ms.max(start_ms),
        lead: (begins_ms - start_ms.max(0)).max(0) * PER_MS,
        later: start_ms > 0,
    })
}

fn take_down(stderr: ChildStderr, told: &Told) {
    let (mut stderr, mut line) = (BufReader::new(stderr), Vec::new());
    while let Ok(1..) = (&mut stderr).take(LINE).read_until(b'\n', &mut line) {
        told.line(&String::from_utf8_lossy(&line));
        line.clear();
    }
}

impl Decoder {
    /// What ffmpeg's end means: its exit status and complaints as an error, or nothing.
    fn ended(&mut self) -> Result<(), Error> {
        let Some(scribe) = self.scribe.take() else { return Ok(()) };
        // It has all that ffmpeg had to say once this one ends.
        let _ = scribe.join();
        let good = self.child.wait().is_ok_and(|status| status.success());
        let path = self.path.clone();
        let why = reason(&self.told.last(), &path);
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
        let wanted = (max * if self.pair.is_some() { 4 } else { 2 }) as u64;
        (&mut self.stdout).take(wanted).read_to_end(&mut self.bytes).map_err(|e| Error::io(&self.path, e))?;
        let count = match &mut self.pair {
            Some(pair) => {
                out.extend(self.bytes.chunks_exact(4).map(|both| pair.mix(s16le(both), s16le(&both[2..]))));
                self.bytes.len() / 4
            }
            None => append_s16le(&self.bytes, out),
        };
        self.any |= count > 0;
        self.told.read(count);
        if count == 0 {
            self.ended()?;
        }
        Ok(count)
    }

    fn damage(&self) -> Vec<Damage> {
        let from = self.from_ms;
        let in_film = |d: Damage| Damage { start_ms: d.start_ms + from, end_ms: d.end_ms + from, ..d };
        self.told.damage().into_iter().map(in_film).collect()
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        if self.scribe.is_some() {
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

/// The last line with something in it, where ffmpeg puts the reason; without the file's name, which the errors here tell
/// themselves.
pub(super) fn reason(said: &str, path: &Path) -> String {
    let line = said.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("it gave no reason");
    line.replace(&format!("file:{}: ", path.display()), "")
}
