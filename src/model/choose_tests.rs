//! The table of who does what.

use super::choose;
use crate::job::{Preset, Task};
use crate::language::Language;
use crate::model::header::tests::header;
use crate::model::naming::without_type;
use crate::model::{Header, Installed, WeightType};

fn model(name: &str) -> Installed {
    let (heads, audio, text) = match without_type(name).trim_end_matches(".en") {
        "tiny" => (6, 4, 4),
        "base" => (8, 6, 6),
        "small" => (12, 12, 12),
        "medium" => (16, 24, 24),
        "large-v3-turbo" => (20, 32, 4),
        _ => (20, 32, 32),
    };
    let n_vocab = if name.contains(".en") { 51864 } else { 51865 };
    let ftype = name.rsplit('-').next().and_then(|t| t.parse().ok()).unwrap_or(WeightType::F16);
    let path = format!("/m/ggml-{name}.bin").into();
    Installed {
        name: name.into(),
        path,
        bytes: 1,
        header: Header { ftype, ..header(n_vocab, heads, audio, text) },
    }
}

/// `installed` and the answer are names separated by spaces; the answer may be a part of the error.
fn check(installed: &str, configured: Option<&str>, ask: (Preset, Task, Option<&str>), expected: &str) {
    check_form(installed, configured, ask, WeightType::Q8_0, expected);
}

fn check_form(
    installed: &str,
    configured: Option<&str>,
    ask: (Preset, Task, Option<&str>),
    wanted: WeightType,
    expected: &str,
) {
    let models: Vec<Installed> = installed.split_whitespace().map(model).collect();
    let language = ask.2.map(|l| l.parse::<Language>().unwrap());
    match choose(&models, configured, ask.0, ask.1, language, wanted) {
        Ok(found) => assert_eq!(found.name, expected, "{installed}"),
        Err(error) => assert!(error.to_string().contains(expected), "{installed}: {error}"),
    }
}

use Preset::{Balanced, Best, Fast};
use Task::{Transcribe, Translate};
const ALL: &str = "tiny base small medium large-v3-turbo large-v3";

#[test]
fn presets_take_what_they_promise() {
    check(ALL, None, (Fast, Transcribe, None), "base");
    check(ALL, None, (Balanced, Transcribe, None), "large-v3-turbo");
    check("tiny base small medium large-v3", None, (Balanced, Transcribe, None), "small");
    check(ALL, None, (Best, Transcribe, None), "large-v3");
}

#[test]
fn presets_take_the_nearest_when_theirs_is_missing() {
    check("tiny small", None, (Fast, Transcribe, None), "tiny");
    check("small medium", None, (Fast, Transcribe, None), "small");
    check("medium large-v3", None, (Balanced, Transcribe, None), "medium");
    check("tiny", None, (Best, Transcribe, None), "tiny");
}

#[test]
fn translation_never_takes_a_turbo_or_english_model() {
    check(ALL, None, (Balanced, Translate, Some("de")), "small");
    check("small large-v3-turbo medium.en", None, (Best, Translate, None), "small");
    check("large-v3-turbo base.en", None, (Best, Translate, None), "no installed model can translate");
    check(ALL, Some("large-v3-turbo"), (Fast, Translate, None), "cannot translate");
    check("base base.en", Some("base.en"), (Fast, Translate, None), "name has no `.en`");
}

#[test]
fn english_models_hear_english_alone() {
    check("base base.en", None, (Fast, Transcribe, Some("en")), "base.en");
    check("base base.en", None, (Fast, Transcribe, Some("de")), "base");
    check("base base.en", None, (Fast, Transcribe, None), "base");
    check("base.en", None, (Fast, Transcribe, None), "base.en");
    check("base.en", None, (Fast, Transcribe, Some("de")), "no installed model can transcribe German");
    check(
        "base base.en",
        Some("base.en"),
        (Fast, Transcribe, Some("de")),
        "the model 'base.en' cannot transcribe",
    );
    check("base base.en", Some("base.en"), (Fast, Transcribe, None), "base.en");
}

#[test]
fn a_configured_model_wins_over_the_preset() {
    check(ALL, Some("tiny"), (Best, Transcribe, None), "tiny");
    check(ALL, Some("/m/ggml-tiny.bin"), (Best, Transcribe, None), "tiny");
    check("base base-q8_0 base-bf16", Some("ggml-base.bin"), (Best, Transcribe, None), "base");
    check("base base-q8_0 base-bf16", Some("base-q8_0"), (Best, Transcribe, None), "base-q8_0");
    check("base-q5_0", Some("base"), (Best, Transcribe, None), "base-q5_0");
}

#[test]
fn a_configured_model_that_is_missing_says_how_to_get_it() {
    check("base", Some("small"), (Best, Transcribe, None), "transcriptord model pull small");
    check("", Some("small"), (Best, Transcribe, None), "transcriptord model pull small");
    check("base", Some("/m/none.bin"), (Best, Transcribe, None), "cannot read '/m/none.bin'");
    check("", None, (Fast, Transcribe, None), "none is installed; run `transcriptord model pull base`");
}

#[test]
fn the_form_is_the_one_wanted_or_one_from_which_it_can_be_made() {
    use WeightType::{Bf16, F16, Q5_1};
    let ask = (Fast, Transcribe, None);
    check_form("base base-bf16 base-q5_1 base-q8_0", None, ask, Bf16, "base-bf16");
    check_form("base base-bf16 base-q5_1 base-q8_0", Some("base"), ask, Q5_1, "base-q5_1");
    check_form("base base-bf16 base-q8_0", None, ask, F16, "base");
    check_form("base-q5_1 base base-q8_0", None, ask, Bf16, "base");
    check_form("base-q5_1 base-q8_0", None, ask, Bf16, "base-q8_0");
    check_form("base base-q8_0", Some("base-q8_0"), ask, Bf16, "base-q8_0");
}
