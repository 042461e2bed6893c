//! `transcriptord model` as a program, with the real model where it was fetched. Knows nothing of the file format.

use std::path::Path;
use std::process::{Command, Output};

fn model(words: &[&str], models: &Path) -> Output {
    let mut all = vec!["model"];
    all.extend(words);
    Command::new(env!("CARGO_BIN_EXE_transcriptord"))
        .args(all)
        .arg("--models-dir")
        .arg(models)
        .env_clear()
        .env("HOME", models)
        .current_dir(models)
        .output()
        .unwrap()
}

#[test]
fn a_list_names_what_can_be_pulled() {
    let dir = tempfile::tempdir().unwrap();
    let output = model(&["list"], dir.path());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["  none\n", "\n  base ", "\n  large-v3-turbo ", "English only", "99 languages, translates"] {
        assert!(text.contains(part), "no '{part}' in:\n{text}");
    }
    let installed = model(&["list", "--installed"], dir.path());
    assert!(!String::from_utf8(installed.stdout).unwrap().contains("base"));
}

#[test]
fn a_file_that_is_no_model_is_listed_with_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ggml-base.bin"), "<!DOCTYPE html>").unwrap();
    let text = String::from_utf8(model(&["list", "--installed"], dir.path()).stdout).unwrap();
    assert!(text.contains("  none\n  not usable: ") && text.contains("a web page"), "{text}");
}

#[test]
fn weights_that_cannot_be_made_are_refused_with_those_that_can() {
    let dir = tempfile::tempdir().unwrap();
    let output = model(&["import", "--weights", "q4", "."], dir.path());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--weights: 'q4' is not one of f16, bf16, q8_0, q5_1"), "{text}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_model_that_is_absent_is_answered_with_the_ways_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let output = model(&["path", "base"], dir.path());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("model pull") && text.contains("model import"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_is_no_model_folder_is_refused_and_leaves_nothing_behind() {
    let (dir, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(from.path().join("model.bin"), "not a model").unwrap();
    std::fs::write(from.path().join("vocabulary.txt"), "a\nb\n").unwrap();
    let output = model(&["import", &from.path().display().to_string()], dir.path());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// The parts of `base` may lie in several folders, as two Python packages leave them.
#[test]
fn real_parts_in_several_folders_make_the_published_base_model() {
    let Ok(parts) = std::env::var("TRANSCRIPTORD_TEST_MODEL_CT2") else {
        eprintln!("skipped: TRANSCRIPTORD_TEST_MODEL_CT2 names no model; 'make test' fetches one");
        return;
    };
    let (dir, one, two) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in parts.split(':') {
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let home = if file.extension().is_some_and(|e| e == "part2") { &two } else { &one };
            std::os::unix::fs::symlink(&file, home.path().join(file.file_name().unwrap())).unwrap();
        }
    }
    let (one, two) = (one.path().display().to_string(), two.path().display().to_string());
    let output = model(&["import", &one, &two, "--name", "base"], dir.path());
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("verified: it is the published file"), "{err}");
    let file = dir.path().join("ggml-base.bin");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", file.display()));
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 147_951_465);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let path = model(&["path", "base"], dir.path());
    assert_eq!(String::from_utf8(path.stdout).unwrap(), format!("{}\n", file.display()));
}
