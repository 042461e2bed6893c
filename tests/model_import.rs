//! A real model becomes the published files, byte for byte. Runs when TRANSCRIPTORD_TEST_MODEL_CT2 names the
//! folders (separated by colons) that hold the multilingual `base` in CTranslate2 form.

use std::path::{Path, PathBuf};
use transcriptord::model::{self, WeightType};

fn folders() -> Option<Vec<PathBuf>> {
    let value = std::env::var_os("TRANSCRIPTORD_TEST_MODEL_CT2").filter(|v| !v.is_empty());
    if value.is_none() {
        eprintln!("skipped: TRANSCRIPTORD_TEST_MODEL_CT2 is not set");
    }
    Some(std::env::split_paths(&value?).collect())
}

fn check(from: &[PathBuf], dir: &Path, weights: WeightType, sha1: Option<&str>) {
    let mut last = (0, 1);
    let mut progress = |done, total| last = (done, total);
    let imported = model::import(from, dir, None, weights, &mut progress).unwrap();
    assert_eq!(imported.stock, Some("base"), "{weights}");
    assert_eq!(imported.name, format!("base{}", weights.suffix()));
    assert_eq!(imported.published, sha1.is_some(), "{weights}");
    if let Some(sha1) = sha1 {
        assert_eq!(imported.sha1, sha1, "{weights}");
    }
    assert_eq!(last.0, last.1, "progress ends at the end");
    assert_eq!(last.1, std::fs::metadata(&imported.path).unwrap().len());
    assert_eq!(model::find(dir, &imported.name).unwrap().header.ftype, weights);
}

#[test]
fn base_becomes_the_published_files() {
    let Some(from) = folders() else { return };
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = dir.path();
    check(&from, dir, WeightType::F16, Some("465707469ff3a37a2b9b8d8f89f2f99de7299dac"));
    check(&from, dir, WeightType::Q8_0, Some("7bb89bb49ed6955013b166f1b6a6c04584a20fbe"));
    check(&from, dir, WeightType::Q5_1, Some("a3733eda680ef76256db5fc5dd9de8629e62c5e7"));
    check(&from, dir, WeightType::Bf16, None);

    // The same again from the f16 file.
    let plain = dir.join("ggml-base.bin");
    for (weights, published) in [
        (WeightType::Q8_0, Some("base-q8_0")),
        (WeightType::Q5_1, Some("base-q5_1")),
        (WeightType::Bf16, None),
    ] {
        let out = dir.join(format!("again-{weights}.bin"));
        assert_eq!(model::convert(&plain, weights, &out).unwrap().published, published);
        let first = dir.join(format!("ggml-base-{weights}.bin"));
        assert!(std::fs::read(&out).unwrap() == std::fs::read(&first).unwrap(), "{weights}");
    }
    let (models, broken) = model::survey(dir);
    assert_eq!(models.len(), 4);
    assert!(broken.is_empty(), "{broken:?}");
}
