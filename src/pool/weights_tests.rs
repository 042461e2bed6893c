//! Tests of which models are let in: models of one layer, loaded by the real engine.

use super::{Error, Folder, Weights, must_know, open};
use crate::engine::scripted;
use crate::engine::whisper::{self, Place};
use crate::engine::{Ask, Engine, Sound};
use crate::job::Task;
use crate::language::Language;
use crate::model::{ComputeType, WeightType, samples};
use crate::pool::board::tests::job;
use crate::pool::memory;
use crate::pool::setup::Setup;
use crate::pool::setup::tests::setup;
use std::path::Path;
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// A folder of models that may take so many MB.
fn folder(dir: &Path, memory_limit_mb: u64) -> Folder {
    Folder::new(Setup {
        models_dir: dir.to_owned(),
        cache_dir: dir.join("cache"),
        model: Some("mine".into()),
        compute: ComputeType::Fixed(WeightType::Q8_0),
        memory_limit_mb,
        ..setup("cpu", 3, 1)
    })
}

fn ask(prompt: Option<&str>) -> Ask {
    Ask { prompt: prompt.map(str::to_owned), dice: false, ..scripted::ask() }
}

/// The model that is used and how many sessions of it there may be; or the MB that would do.
fn check(folder: &Folder, prompt: Option<&str>) -> Result<(String, usize), u64> {
    match folder.for_words(&job(0).job, &ask(prompt), &NEVER) {
        Ok(seat) => Ok((seat.name.clone(), seat.staff)),
        Err(Error::Short(short)) => Err(memory::mb_above(short.needed)),
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn a_limit_that_is_too_small_names_the_figure_that_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    samples::write_filled(&dir.path().join("ggml-mine.bin"), &samples::sample(WeightType::F16));
    let check = |limit_mb| check(&folder(dir.path(), limit_mb), None);
    let enough = check(1).unwrap_err();
    assert_eq!(check(enough - 1), Err(enough));
    let (name, sessions) = check(enough).unwrap();
    assert!(name.starts_with("mine-q") && sessions >= 1, "{sessions} of {name}");
    assert_eq!(check(4_000), Ok(("mine-q8_0".into(), 3)));
    assert_eq!(check(0), Ok(("mine-q8_0".into(), 3)), "a share of what is free");
}

#[test]
fn a_long_prompt_needs_more() {
    let dir = tempfile::tempdir().unwrap();
    samples::write(&dir.path().join("ggml-mine-q8_0.bin"), &samples::sample(WeightType::Q8_0));
    let folder = folder(dir.path(), 1);
    let (without, with) =
        (check(&folder, None).unwrap_err(), check(&folder, Some(&"name ".repeat(99))).unwrap_err());
    // 224 tokens of a narrow model: nodes in our decoder, logits in whisper.cpp.
    let own = whisper::is_own(false);
    let more = if own { 2..6 } else { 85..95 };
    assert!(more.contains(&(with - without)), "{without} and {with}");
}

#[test]
fn a_language_is_told_by_a_session_that_takes_less_and_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    samples::write_filled(&dir.path().join("ggml-mine.bin"), &samples::sample(WeightType::F16));
    let folder = folder(dir.path(), 4_000);
    let before = folder.residents.room();
    let seat = folder.for_languages(&NEVER).unwrap();
    seat.dismiss();
    assert_eq!(folder.residents.room(), before, "the limit is what it was");
    assert!(
        matches!(folder.for_words(&job(0).job, &ask(None), &NEVER), Ok(seat) if seat.name == "mine-q8_0")
    );
}

#[test]
fn a_film_that_was_found_to_be_english_may_hold_other_languages() {
    let (english, german) = (Language::ENGLISH, "de".parse().unwrap());
    assert_eq!(must_know(None, english), None);
    assert_eq!(must_know(None, german), Some(german));
    assert_eq!(must_know(Some(english), english), Some(english));
}

#[test]
fn a_model_that_knows_english_alone_transcribes_that_and_refuses_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ggml-mine.en.bin");
    samples::write_filled(&path, &samples::sample(WeightType::F16));
    assert!(!samples::sample(WeightType::F16).header.multilingual());
    let model = open(&path, &Place { gpu: None, threads: 1 }).unwrap();
    let mut session = model.session().unwrap();
    let samples: Vec<f32> = (0..32_000).map(|i| (i as f32 * 0.3).sin() * 0.1).collect();
    let sound = Sound { samples: &samples, speech: &[] };
    let mut ask = scripted::ask();
    for beam in [1, 5] {
        ask.beam = beam;
        session.transcribe(sound, &ask, &NEVER).unwrap();
    }
    ask.prompt = Some("a name".into());
    session.transcribe(sound, &ask, &NEVER).unwrap();
    for ask in
        [Ask { language: "de".parse().unwrap(), ..ask.clone() }, Ask { task: Task::Translate, ..ask.clone() }]
    {
        let refused = session.transcribe(sound, &ask, &NEVER);
        assert!(matches!(refused, Err(crate::engine::Error::Unable(_))), "{refused:?}");
    }
}
