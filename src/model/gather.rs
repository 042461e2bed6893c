//! Finds out what kind of model lies at the places given to `import`. Reads no more than first bytes.

use super::Error;
use super::check::foreign;
use super::joined::open;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What lies at the given places.
pub(super) enum Found {
    Ggml(PathBuf),
    /// `at` is for names and messages, `folders` is where the vocabulary may be.
    Ct2 {
        at: PathBuf,
        parts: Vec<PathBuf>,
        folders: Vec<PathBuf>,
    },
}

/// The number of a `model.bin.partN`.
fn part_number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("model.bin.part")?.parse().ok()
}

/// Finds the model among files and folders. Fails when there is none, more than one, or a part is missing.
pub(super) fn gather(from: &[PathBuf]) -> Result<Found, Error> {
    let at = from.first().cloned().unwrap_or_default();
    let refuse = |why: String| Err(Error::Source { path: at.clone(), why });
    let (mut whole, mut parts, mut folders) = (Vec::new(), BTreeMap::new(), Vec::new());
    for path in from {
        let about = fs::metadata(path).map_err(Error::io("read", path))?;
        let (files, folder) =
            if about.is_dir() { in_folder(path)? } else { (vec![path.clone()], path.clone()) };
        folders.push(if about.is_dir() { folder } else { path.parent().unwrap_or(Path::new("")).to_owned() });
        for file in files {
            match part_number(&file) {
                None => whole.push(file),
                Some(n) => {
                    if let Some(other) = parts.insert(n, file.clone()) {
                        return refuse(format!(
                            "part {n} is there twice, as '{}' and '{}'",
                            other.display(),
                            file.display()
                        ));
                    }
                }
            }
        }
    }
    let parts: Vec<PathBuf> = match whole.as_slice() {
        [one] => {
            let mut start = Vec::new();
            let (file, _) = open(one).map_err(Error::io("read", one))?;
            file.take(64).read_to_end(&mut start).map_err(Error::io("read", one))?;
            match foreign(&start) {
                None if start.starts_with(b"lmgg") => return Ok(Found::Ggml(one.clone())),
                Some((what, hint)) if !what.contains("CTranslate2") => {
                    return Err(Error::WrongKind { path: one.clone(), what, hint });
                }
                _ => vec![one.clone()],
            }
        }
        [] if parts.is_empty() => {
            return refuse(
                "there is no model.bin; give the folder that holds model.bin and vocabulary.txt".into(),
            );
        }
        [] => {
            let first = parts.keys().next().copied().unwrap_or(1).min(1);
            if let Some((n, _)) = (first..).zip(parts.keys()).find(|(n, part)| n != *part) {
                return refuse(format!("model.bin.part{n} is missing; give all folders that hold parts"));
            }
            parts.into_values().collect()
        }
        [one, other, ..] => {
            return refuse(format!(
                "there are several models ('{}', '{}'); give one",
                one.display(),
                other.display()
            ));
        }
    };
    Ok(Found::Ct2 { at, parts, folders })
}

/// `model.bin` or its parts in a folder, or in the one snapshot of a download cache, and the folder itself.
fn in_folder(folder: &Path) -> Result<(Vec<PathBuf>, PathBuf), Error> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, Error> {
        let entries = fs::read_dir(folder).map_err(Error::io("read the folder", folder))?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    };
    let whole = folder.join("model.bin");
    if whole.is_file() {
        return Ok((vec![whole], folder.to_owned()));
    }
    let parts: Vec<PathBuf> = list(folder)?.into_iter().filter(|path| part_number(path).is_some()).collect();
    let snapshots = folder.join("snapshots");
    if parts.is_empty() && snapshots.is_dir() {
        let mut models = list(&snapshots)?;
        models.retain(|snapshot| snapshot.join("model.bin").is_file());
        if let [one] = models.as_slice() {
            return Ok((vec![one.join("model.bin")], one.clone()));
        }
    }
    Ok((parts, folder.to_owned()))
}
