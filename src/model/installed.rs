//! Which models lie in the models folder. Knows nothing of where they came from.

use super::check::check;
use super::header::Header;
use super::tensors::demanded;
use super::weights::WeightType;
use super::{Error, naming};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

/// A model file that passed the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Of `ggml-NAME.bin`.
    pub name: String,
    pub path: PathBuf,
    pub bytes: u64,
    pub header: Header,
}

impl Installed {
    /// True for another file of the same model: its name and its sizes are the same but for the weight type.
    pub fn is_form_of(&self, other: &Installed) -> bool {
        let sizes = |model: &Installed| Header { ftype: WeightType::F16, ..model.header.clone() };
        naming::without_type(&self.name) == naming::without_type(&other.name) && sizes(self) == sizes(other)
    }

    /// Bytes of the file with its matrices in another type.
    pub fn bytes_as(&self, weights: WeightType) -> u64 {
        let as_type = |ftype| {
            let header = Header { ftype, ..self.header.clone() };
            demanded(&header).iter().map(|tensor| tensor.bytes(ftype)).sum::<u64>()
        };
        (self.bytes + as_type(weights)).saturating_sub(as_type(self.header.ftype))
    }
}

/// What was found of a file, valid as long as its size and its time of change stay.
type Known = HashMap<PathBuf, ((u64, Option<SystemTime>), Header)>;
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// Checks a file, or remembers that it was checked.
pub(super) fn look(path: &Path, name: String) -> Result<Installed, Error> {
    let about = fs::metadata(path).map_err(Error::io("read", path))?;
    let stamp = (about.len(), about.modified().ok());
    let installed = |header| Installed { name, path: path.to_owned(), bytes: about.len(), header };
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
    if let Some((then, header)) = known.filter(|(then, _)| *then == stamp && then.1.is_some()) {
        debug_assert_eq!(then, stamp);
        return Ok(installed(header));
    }
    let header = check(path)?;
    let entry = (stamp, header.clone());
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), entry);
    Ok(installed(header))
}

/// The models of a folder that pass the check, best first, then by name. A folder that is missing has none.
pub fn installed(dir: &Path) -> Vec<Installed> {
    survey(dir).0
}

/// As [`installed`], with what is wrong with the other files that are named as models are.
pub fn survey(dir: &Path) -> (Vec<Installed>, Vec<Error>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        // Silero's detectors are distributed under such names too, and belong to whisper.cpp's users.
        if !file.starts_with("ggml-") || !file.ends_with(".bin") || file.starts_with("ggml-silero") {
            continue;
        }
        match look(&entry.path(), naming::name(Path::new(file))) {
            Ok(model) => good.push(model),
            Err(error) => bad.push(error),
        }
    }
    good.sort_by(|a, b| b.header.rank().cmp(&a.header.rank()).then_with(|| a.name.cmp(&b.name)));
    (good, bad)
}

/// A model by name (`base`), by file name (`ggml-base.bin`) or by path.
///
/// A name that is not there in f16 stands for any form of that model (see `choose`). Fails when there is none,
/// saying how to get it, and when the file that is meant does not pass the check, saying why.
pub fn find(dir: &Path, name_or_path: &str) -> Result<Installed, Error> {
    let given = Path::new(name_or_path);
    let is_path =
        given.is_absolute() || name_or_path.contains('/') || (given.is_file() && !dir.join(given).is_file());
    if is_path {
        return look(given, naming::name(given));
    }
    let name = naming::name(given);
    let path = naming::path(dir, &name)?;
    if path.is_file() {
        return look(&path, name);
    }
    let forms: Vec<Installed> =
        installed(dir).into_iter().filter(|model| naming::without_type(&model.name) == name).collect();
    super::choose::preferred(forms.iter(), WeightType::F16)
        .cloned()
        .ok_or_else(|| Error::NotInstalled { name, dir: dir.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{find, installed, survey};
    use crate::model::WeightType;
    use crate::model::samples::{self, sample};
    use std::fs;

    #[test]
    fn broken_files_are_told_apart_from_models() {
        let dir = tempfile::tempdir().unwrap();
        samples::write(&dir.path().join("ggml-mine.bin"), &sample(WeightType::F16));
        fs::write(dir.path().join("ggml-bad.bin"), "<!DOCTYPE html>").unwrap();
        fs::write(dir.path().join("ggml-base.bin.part"), "half").unwrap();
        fs::write(dir.path().join("ggml-silero-v6.bin"), "").unwrap();
        let (good, bad) = survey(dir.path());
        assert_eq!(good.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["mine"]);
        assert_eq!(bad.len(), 1);
        assert!(bad[0].to_string().contains("a web page"), "{}", bad[0]);
    }

    #[test]
    fn a_folder_that_is_missing_has_no_models() {
        assert!(installed(&tempfile::tempdir().unwrap().path().join("none")).is_empty());
    }

    #[test]
    fn a_model_is_found_by_name_file_name_and_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ggml-mine-q8_0.bin");
        samples::write(&path, &sample(WeightType::Q8_0));
        for given in ["mine-q8_0", "ggml-mine-q8_0.bin", path.to_str().unwrap(), "mine"] {
            assert_eq!(find(dir.path(), given).unwrap().path, path, "{given}");
        }
    }

    #[test]
    fn a_file_that_was_replaced_is_checked_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ggml-mine.bin");
        samples::write(&path, &sample(WeightType::F16));
        assert!(find(dir.path(), "mine").is_ok());
        fs::write(&path, "GGUF").unwrap();
        assert!(find(dir.path(), "mine").unwrap_err().to_string().contains("llama.cpp"));
    }

    #[test]
    fn a_missing_model_names_the_three_ways_in() {
        let dir = tempfile::tempdir().unwrap();
        let error = find(dir.path(), "small").unwrap_err().to_string();
        for way in ["model pull small", "model import PATH", "ggml-small.bin", dir.path().to_str().unwrap()] {
            assert!(error.contains(way), "{error}");
        }
    }
}
