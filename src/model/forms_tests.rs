//! Forms in a cache folder, of small models that no engine runs.

use super::{Ending, Form, Standing};
use crate::model::samples::{self, sample};
use crate::model::{Installed, WeightType, find};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const HERE: &str = "this CPU";

fn source(dir: &Path) -> Installed {
    let path = dir.join("ggml-mine.bin");
    samples::write(&path, &sample(WeightType::F16));
    find(dir, "mine").unwrap()
}

fn dirs() -> (TempDir, TempDir) {
    (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap())
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn a_form_is_made_once_and_found_again() {
    let (models, cache) = dirs();
    let source = source(models.path());
    let form = Form::of(cache.path(), &source, WeightType::Q8_0).unwrap();
    assert_eq!((form.name.as_str(), form.standing(HERE)), ("mine-q8_0", Standing::Missing));
    form.make().unwrap();
    let again = Form::of(cache.path(), &source, WeightType::Q8_0).unwrap();
    assert_eq!(again.standing(HERE), Standing::Unproved);
    let made = again.made().unwrap();
    assert_eq!((made.name.as_str(), made.header.ftype), ("mine-q8_0", WeightType::Q8_0));
    assert_eq!(made.bytes, source.bytes_as(WeightType::Q8_0));
    assert_eq!((files(cache.path()), files(models.path())), (2, 1));
}

#[test]
fn a_verdict_holds_for_one_machine() {
    let (models, cache) = dirs();
    let form = Form::of(cache.path(), &source(models.path()), WeightType::Bf16).unwrap();
    form.make().unwrap();
    form.begin_trial(HERE).unwrap();
    form.end_trial(HERE, Ending::Compared { apart: 0.03, agrees: true }).unwrap();
    assert_eq!(form.standing(HERE), Standing::Agrees(0.03));
    assert_eq!(form.standing("another CPU"), Standing::Unproved);
}

#[test]
fn a_form_that_disagrees_is_deleted_and_not_made_again() {
    let (models, cache) = dirs();
    let form = Form::of(cache.path(), &source(models.path()), WeightType::Bf16).unwrap();
    form.make().unwrap();
    form.begin_trial(HERE).unwrap();
    form.end_trial(HERE, Ending::Compared { apart: 0.9, agrees: false }).unwrap();
    assert_eq!(form.standing(HERE), Standing::Refused("bf16 is 0.90 apart from f16 on this CPU".into()));
    assert!(!form.path.exists());
    assert_eq!(form.standing("another CPU"), Standing::Missing);
}

#[test]
fn a_trial_that_ends_the_process_is_given_up_in_the_end() {
    let (models, cache) = dirs();
    let form = Form::of(cache.path(), &source(models.path()), WeightType::Bf16).unwrap();
    form.make().unwrap();
    form.begin_trial(HERE).unwrap();
    form.end_trial(HERE, Ending::Open).unwrap();
    for _ in 0..3 {
        assert_eq!(form.standing(HERE), Standing::Unproved);
        form.begin_trial(HERE).unwrap();
    }
    assert_eq!(form.standing(HERE), Standing::Refused("bf16 has ended its process 3 times".into()));
}

#[test]
fn a_source_that_changed_has_its_form_made_again() {
    let (models, cache) = dirs();
    let mine = source(models.path());
    let form = Form::of(cache.path(), &mine, WeightType::Q8_0).unwrap();
    form.make().unwrap();
    let file = fs::File::options().write(true).open(&mine.path).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let changed = Form::of(cache.path(), &mine, WeightType::Q8_0).unwrap();
    assert_eq!(changed.standing(HERE), Standing::Missing);
    // Its weights are the same, so what was found out about them holds.
    form.end_trial(HERE, Ending::Compared { apart: 0.1, agrees: true }).unwrap();
    changed.make().unwrap();
    assert_eq!(changed.standing(HERE), Standing::Agrees(0.1));
}

#[test]
fn what_belongs_to_models_that_are_gone_is_cleared_away() {
    let (models, cache) = dirs();
    let (old, other) = (models.path().join("old"), models.path().join("other"));
    fs::create_dir_all(&old).unwrap();
    fs::create_dir_all(&other).unwrap();
    let (from, to) = (source(&old), source(&other));
    Form::of(cache.path(), &from, WeightType::Q8_0).unwrap().make().unwrap();
    fs::write(cache.path().join("notes.json"), "{}").unwrap();
    fs::write(cache.path().join("ggml-notes.json"), "mine").unwrap();
    fs::remove_dir_all(&old).unwrap();
    Form::of(cache.path(), &to, WeightType::Q8_0).unwrap().make().unwrap();
    assert_eq!(files(cache.path()), 4, "one form with its record, and two files of somebody else");
}
