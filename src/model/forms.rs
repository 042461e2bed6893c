//! Other forms of f16 model files: made once, kept in a cache folder with what was found out about each. Knows no engine.

use super::convert::convert;
use super::installed::{Installed, look};
use super::weights::WeightType;
use super::{Error, naming, write};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A trial that never came to an end this many times is believed to have taken its process with it.
const TRIES: u32 = 3;

/// How far a form can be trusted on one kind of machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Not there, or made from what is no longer the file.
    Missing,
    /// There, and not yet compared with f16.
    Unproved,
    /// Agrees with f16: this far apart.
    Agrees(f32),
    /// Not to be used, for this reason.
    Refused(String),
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    /// The form is this far from f16, and that is little enough or not.
    Compared { apart: f32, agrees: bool },
    /// It could not be made: another time.
    Open,
}

/// One form of one f16 file, there or not.
#[derive(Debug, Clone)]
pub struct Form {
    source: PathBuf,
    /// Of the source, by which a change of it is noticed.
    stamp: (u64, i64),
    /// What it is called: `base-bf16`.
    pub name: String,
    pub weights: WeightType,
    pub path: PathBuf,
}

/// What is kept beside a form, as JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    source: PathBuf,
    bytes: u64,
    modified_ms: i64,
    /// SHA-1 of the source, hex: verdicts are about these weights.
    sha1: String,
    verdicts: Vec<Verdict>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Verdict {
    /// CPU and build.
    on: String,
    /// Trials begun without an end.
    tries: u32,
    apart: Option<f32>,
    agrees: Option<bool>,
}

impl Form {
    /// The form of `source`, an f16 file, that `dir` has or would have. Fails when the source cannot be looked at.
    pub fn of(dir: &Path, source: &Installed, weights: WeightType) -> Result<Form, Error> {
        let path = fs::canonicalize(&source.path).map_err(Error::io("read", &source.path))?;
        let about = fs::metadata(&path).map_err(Error::io("read", &path))?;
        let name = naming::with_type(&source.name, weights);
        // Files of one name in two folders are two models.
        let place = write::hex(Sha1::new_with_prefix(path.as_os_str().as_bytes()));
        let file = format!("ggml-{name}-{}.bin", &place[..8]);
        Ok(Form { source: path, stamp: stamp(&about), name, weights, path: dir.join(file) })
    }

    /// What is known of it on the machine that is called `on`.
    pub fn standing(&self, on: &str) -> Standing {
        let record = self.record().filter(|r| (r.bytes, r.modified_ms) == self.stamp);
        let Some(record) = record else { return Standing::Missing };
        let there = self.path.is_file();
        match record.verdicts.iter().find(|v| v.on == on) {
            Some(Verdict { agrees: Some(false), apart, .. }) => {
                let apart = apart.unwrap_or(f32::NAN);
                Standing::Refused(format!("{} is {apart:.2} apart from f16 on this CPU", self.weights))
            }
            Some(Verdict { agrees: None, tries, .. }) if *tries >= TRIES => {
                Standing::Refused(format!("{} has ended its process {tries} times", self.weights))
            }
            Some(Verdict { agrees: Some(true), apart, .. }) if there => {
                Standing::Agrees(apart.unwrap_or(f32::NAN))
            }
            _ if there => Standing::Unproved,
            _ => Standing::Missing,
        }
    }

    /// The form as a model. Fails when it is not there or not whole.
    pub fn made(&self) -> Result<Installed, Error> {
        look(&self.path, self.name.clone())
    }

    /// Makes it, and clears away forms whose source is gone. Nothing is left when it fails.
    pub fn make(&self) -> Result<(), Error> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        // The same weights in a file that was touched: what was found out about them holds.
        let old = self.record();
        sweep(dir);
        let sha1 = convert(&self.source, self.weights, &self.path)?.as_f16;
        let old = old.filter(|r| r.sha1 == sha1);
        let (bytes, modified_ms) = self.stamp;
        let verdicts = old.map(|r| r.verdicts).unwrap_or_default();
        self.keep(&Record { source: self.source.clone(), bytes, modified_ms, sha1, verdicts })
    }

    /// Notes that a trial begins, so that one that ends the process is not begun for ever.
    pub fn begin_trial(&self, on: &str) -> Result<(), Error> {
        self.change(on, |verdict| verdict.tries += 1)
    }

    /// Notes how the trial ended; a form that disagrees is deleted.
    pub fn end_trial(&self, on: &str, ending: Ending) -> Result<(), Error> {
        self.change(on, |verdict| {
            verdict.tries = verdict.tries.saturating_sub(1);
            if let Ending::Compared { apart, agrees } = ending {
                // JSON has no number for "not a number".
                verdict.apart = Some(apart).filter(|apart| apart.is_finite());
                verdict.agrees = Some(agrees);
            }
        })?;
        match ending {
            Ending::Compared { agrees: false, .. } => {
                fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))
            }
            _ => Ok(()),
        }
    }

    fn record_path(&self) -> PathBuf {
        self.path.with_extension("json")
    }

    fn record(&self) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.record_path()).ok()?).ok()
    }

    fn change(&self, on: &str, change: impl FnOnce(&mut Verdict)) -> Result<(), Error> {
        let mut record = self.record().unwrap_or_default();
        let mut verdict = match record.verdicts.iter().position(|v| v.on == on) {
            Some(at) => record.verdicts.swap_remove(at),
            None => Verdict { on: on.to_owned(), tries: 0, apart: None, agrees: None },
        };
        change(&mut verdict);
        record.verdicts.push(verdict);
        self.keep(&record)
    }

    fn keep(&self, record: &Record) -> Result<(), Error> {
        let path = self.record_path();
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let text = serde_json::to_vec_pretty(record).unwrap_or_default();
        fs::write(&temporary, text)
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(Error::io("write", &path))
    }
}

/// Size, and time of change in milliseconds.
fn stamp(about: &Metadata) -> (u64, i64) {
    let since_1970 = about.modified().ok().and_then(|m| m.duration_since(UNIX_EPOCH).ok());
    (about.len(), since_1970.map_or(0, |d| d.as_millis() as i64))
}

/// Removes forms whose source has gone or changed. Files that are none of ours are left alone.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with("ggml-") || !name.ends_with(".json") {
            continue;
        }
        let Some(record) = fs::read(&path).ok().and_then(|b| serde_json::from_slice::<Record>(&b).ok())
        else {
            continue;
        };
        let same = |about: Metadata| stamp(&about) == (record.bytes, record.modified_ms);
        if !fs::metadata(&record.source).is_ok_and(same) {
            // Its verdicts are about what nobody has any more; a failure leaves it to the next time.
            let _ = fs::remove_file(path.with_extension("bin"));
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
#[path = "forms_tests.rs"]
mod tests;
