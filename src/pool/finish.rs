//! From the words of all windows to a finished subtitle. Knows nothing of engines or workers.

use crate::engine::Heard;
use crate::job::{Job, Options, Task};
use crate::language::Language;
use crate::subtitle::quality::{self, Quality, Stretch};
use crate::subtitle::{Profile, Regroup, Transcript, Word, check, clean, layout, srt};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    let cues = layout::cues_within(&clean::spoken(&words), language, profile, regroup.as_ref(), duration_ms);
    let quality = quality::judge(check::report(&cues, language, profile), &cues, &stretches);
    Finished { transcript: Transcript { language, spoken, task, duration_ms, cues }, quality }
}

/// Writes the subtitle file of a job that wants one; gives its path.
///
/// The file is complete or absent: temporary name beside it, fsync, rename, fsync of the folder.
pub fn write(job: &Job, transcript: &Transcript) -> io::Result<Option<PathBuf>> {
    let Some(path) = &job.output else { return Ok(None) };
    write_whole(path, srt::render(&transcript.cues).as_bytes())?;
    Ok(Some(path.clone()))
}

/// Writes a file so that it is complete or absent whatever happens meanwhile.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut partial = std::ffi::OsString::from(".");
    partial.push(name);
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = dir.join(partial);
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
    fn a_folder_that_is_gone_is_an_error_and_leaves_nothing() {
        assert!(write_whole(Path::new("/no/such/folder/a.srt"), b"x").is_err());
    }
}
