//! What models and their files are called. Knows nothing of what is in the files.

use super::Error;
use super::catalogue::catalogued;
use super::header::Header;
use super::weights::WeightType;
use std::path::{Path, PathBuf};

/// The file of a model in the models folder: `ggml-NAME.bin`. Fails for a name that would leave the folder.
pub(super) fn path(dir: &Path, name: &str) -> Result<PathBuf, Error> {
    if is_name(name) {
        Ok(dir.join(format!("ggml-{name}.bin")))
    } else {
        Err(Error::BadName(name.to_owned()))
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

/// The model's name out of its file's: `ggml-base.bin` and `base.bin` are both `base`.
pub(super) fn name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = file.strip_suffix(".bin").unwrap_or(&file);
    stem.strip_prefix("ggml-").unwrap_or(stem).to_owned()
}

/// The name without its weight type: `base.en` of `base.en-q8_0`.
pub(super) fn without_type(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((model, last)) if last.parse::<WeightType>().is_ok() => model,
        _ => name,
    }
}

/// The name as the models folder has it: no `ggml-`, no `.bin`, and with the weight type that it really has.
pub(super) fn with_type(name: &str, weights: WeightType) -> String {
    format!("{}{}", without_type(&self::name(Path::new(name))), weights.suffix())
}

/// What a model out of a folder is called when it is none of the published ones: after the innermost folder
/// that is named as models are (`small-german` for `models--me--faster-whisper-small-german/snapshots/4f1c`).
/// Never the name of a published model.
pub(super) fn of_folder(from: &Path, header: &Header) -> String {
    let from = std::fs::canonicalize(from).unwrap_or_else(|_| from.to_owned());
    let known = ["faster-whisper-", "faster-distil-whisper-", "whisper-"];
    let found = from.components().rev().find_map(|part| {
        let part = part.as_os_str().to_str()?.rsplit("--").next()?;
        let name = known.iter().find_map(|prefix| part.strip_prefix(prefix))?;
        is_name(name).then(|| name.to_owned())
    });
    let name = found.or_else(|| header.family()).unwrap_or_else(|| "imported".to_owned());
    if catalogued(&name).is_some() { format!("{name}-custom") } else { name }
}

#[cfg(test)]
mod tests {
    use super::{of_folder, path, with_type, without_type};
    use crate::model::WeightType;
    use crate::model::header::tests::header;
    use std::path::Path;

    fn check(folder: &str, expected: &str) {
        assert_eq!(of_folder(Path::new(folder), &header(51865, 8, 6, 6)), expected);
    }

    #[test]
    fn a_model_of_ones_own_is_called_after_its_folder() {
        check("/c/models--me--faster-whisper-base-german/snapshots/4f1c", "base-german");
        check("/c/faster-whisper-base", "base-custom");
        check("/c/data", "base-custom");
    }

    #[test]
    fn a_name_says_the_weight_type_that_the_file_has() {
        assert_eq!(with_type("base", WeightType::Bf16), "base-bf16");
        assert_eq!(with_type("base-q8_0", WeightType::Q5_1), "base-q5_1");
        assert_eq!(with_type("ggml-mine.bin", WeightType::F16), "mine");
        assert_eq!(with_type("base.en", WeightType::F16), "base.en");
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        for bad in ["", "../base", "a/b", ".hidden", "a b", "a\0b"] {
            assert!(path(Path::new("/m"), bad).is_err(), "{bad}");
        }
        assert_eq!(path(Path::new("/m"), "base.en-q8_0").unwrap(), Path::new("/m/ggml-base.en-q8_0.bin"));
    }

    #[test]
    fn the_weight_type_comes_off_a_name() {
        assert_eq!(without_type("large-v3-turbo-q5_0"), "large-v3-turbo");
        assert_eq!(without_type("large-v3-turbo"), "large-v3-turbo");
        assert_eq!(without_type("base"), "base");
    }
}
