//! From the words of all windows to a finished subtitle. Knows nothing of engines or workers.

use super::open::Open;
use crate::audio::Damage;
use crate::engine::Heard;
use crate::job::{Job, Options, Task};
use crate::language::Language;
use crate::subtitle::quality::{self, Quality, Stretch};
use crate::subtitle::{Profile, Regroup, Transcript, Word, check, clean, cue, layout, spelling, srt};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// More than the subtitle of a long film takes.
const ROOM: usize = 256 << 10;
/// Bytes of a file's name that its temporary name has too: no name is longer than 255.
const NAME_MOST: usize = 200;
/// Temporary names that were given.
static PARTIALS: AtomicU64 = AtomicU64::new(0);

/// What is kept of a window when it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// With times of the film.
    pub heard: Heard,
    /// How it went, for the report.
    pub stretch: Stretch,
}

/// The subtitle of a job.
pub struct Finished {
    pub transcript: Transcript,
    pub quality: Quality,
}

impl Finished {
    /// In a few words, for the log.
    pub fn says(&self) -> String {
        let (score, Transcript { cues, language, .. }) = (self.quality.score, &self.transcript);
        let spoken = if cues.is_empty() { String::new() } else { format!(" in {language}") };
        format!("{}{spoken}, score {score}", cue::counted(cues.len()))
    }
}

/// How a job wants its text laid out.
pub struct Layout {
    pub profile: Profile,
    pub regroup: Option<Regroup>,
}

impl Layout {
    /// Fails with the reason when the options are not ours: another version wrote the job.
    pub fn of(options: &Options) -> Result<Layout, String> {
        let profile = options.profile.clone().map_or(Ok(Profile::netflix()), serde_json::from_value);
        let profile = profile.map_err(|e| format!("the job's subtitle profile cannot be read: {e}"))?;
        let regroup = options.regroup.as_deref().map(str::parse).transpose();
        let regroup = regroup.map_err(|e| format!("the job's regrouping cannot be read: {e}"))?;
        Ok(Layout { profile, regroup })
    }
}

/// Lays the checkpoints' words out. Pure.
pub fn lay_out(
    checkpoints: Vec<Checkpoint>,
    spoken: Language,
    task: Task,
    duration_ms: i64,
    layout: &Layout,
) -> Finished {
    let Layout { profile, regroup } = layout;
    let language = if task == Task::Translate { Language::ENGLISH } else { spoken };
    let stretches: Vec<Stretch> = checkpoints.iter().map(|c| c.stretch.clone()).collect();
    let words: Vec<Word> = checkpoints.into_iter().flat_map(|c| c.heard.words).collect();
    let words = spelling::modern(clean::spoken(&words), language);
    let cues = layout::cues_within(&words, language, profile, regroup.as_ref(), duration_ms);
    let mut quality = quality::judge(check::report(&cues, language, profile), &cues, &stretches);
    quality.mistold(spoken, &stretches);
    quality.unclear(&stretches, duration_ms);
    Finished { transcript: Transcript { language, spoken, task, duration_ms, cues }, quality }
}

/// Says what was amiss with the job besides its words: in the report, and in the log.
pub fn complain(open: &Open, read_ms: i64, quality: &mut Quality) {
    let (job, promised_ms) = (&open.job, open.promised_ms.load(Ordering::Relaxed));
    let damage = open.damage.get().map_or(&[][..], Vec::as_slice);
    quality.damaged(damage.iter().map(stretch_of).collect(), lost_ms(damage), read_ms);
    // Other containers guess at their length; but what is missing of a damaged sound went with what is damaged.
    let guessed_ms = if damage.is_empty() { 0 } else { open.duration_ms.load(Ordering::Relaxed) };
    quality.cut_off(read_ms, if promised_ms == 0 { guessed_ms } else { promised_ms });
    for warning in &quality.warnings {
        log::warn!("job {} ({}): {warning}", job.id, job.file_name);
    }
    // This one stands in the log since it was found.
    quality.warnings.extend(open.prompt.get().and_then(|prompt| prompt.cut.clone()));
}

fn lost_ms(damage: &[Damage]) -> i64 {
    damage.iter().map(|d| d.lost_ms).sum()
}

fn stretch_of(damage: &Damage) -> Stretch {
    let Damage { start_ms, end_ms, .. } = *damage;
    let doubt = Some("damaged".to_owned());
    Stretch { start_ms, end_ms, speech_ms: 0, wordless_ms: 0, doubt, sounds_like: None }
}

/// Writes the subtitle file of a job that wants one; gives its path. Where nobody speaks there is none.
///
/// The file is complete or absent: temporary name beside it, fsync, rename, fsync of the folder.
pub fn write(job: &Job, transcript: &Transcript) -> io::Result<Option<PathBuf>> {
    let Some(path) = job.output.as_ref().filter(|_| !transcript.cues.is_empty()) else { return Ok(None) };
    let text = srt::render(&transcript.cues, job.options.word_highlight.into());
    write_whole(path, text.as_bytes())?;
    Ok(Some(path.clone()))
}

/// Fails as writing the subtitle file would, now instead of after hours of work. What it writes for that is gone again.
pub fn try_out(path: &Path) -> io::Result<()> {
    if is_no_file(path) {
        return Ok(());
    }
    let partial = partial(path)?;
    let written = std::fs::write(&partial, vec![0; ROOM]);
    // Made by nobody but us; that it cannot be removed changes nothing.
    let _ = std::fs::remove_file(&partial);
    written
}

/// Whether an error means that the disk is full.
pub fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A device or a pipe.
fn is_no_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|there| !there.is_file())
}

/// Beside the file, under a name that nothing looks for.
fn partial(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let name = name.to_string_lossy();
    let short = &name[..name.floor_char_boundary(NAME_MOST)];
    let (process, number) = (std::process::id(), PARTIALS.fetch_add(1, Ordering::Relaxed));
    Ok(path.with_file_name(format!(".{short}.{process}-{number}.partial")))
}

/// Writes a file so that it is complete or absent whatever happens meanwhile. What is there and no file (a device, a
/// pipe) is written to: a rename would put a file in its place.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_no_file(path) {
        return File::options().write(true).open(path)?.write_all(bytes);
    }
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = partial(path)?;
    let written = (|| {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    })();
    if let Err(e) = written {
        // The half-written file is of no use to anyone; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&partial);
        return Err(e);
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("film.eng.srt");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_name_may_be_as_long_as_names_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("{}.eng.srt", "ä".repeat(123)));
        try_out(&path).unwrap();
        write_whole(&path, b"one").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_pipe_is_written_to_and_stays_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
        // SAFETY: `name` is a C string that outlives the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let theirs = path.clone();
        let reader = std::thread::spawn(move || std::fs::read_to_string(theirs).unwrap());
        write_whole(&path, b"text").unwrap();
        assert_eq!(reader.join().unwrap(), "text");
        assert!(!path.metadata().unwrap().is_file());
    }

    #[test]
    fn what_can_be_written_is_tried_out_without_a_trace() {
        let dir = tempfile::tempdir().unwrap();
        try_out(&dir.path().join("film.eng.srt")).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(try_out(Path::new("/no/such/folder/a.srt")).is_err());
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error_and_leaves_nothing() {
        assert!(write_whole(Path::new("/no/such/folder/a.srt"), b"x").is_err());
    }
}
