//! Which installed model does a job. Knows nothing of how models get here.

use super::header::Header;
use super::installed::{Installed, installed, look, survey};
use super::weights::WeightType;
use super::{Error, naming};
use crate::job::{Preset, Task};
use crate::language::Language;
use std::path::Path;

/// The form to use among forms of one model: the one wanted, else f16, from which it can be made, else what comes nearest.
pub(super) fn preferred<'a>(
    forms: impl Iterator<Item = &'a Installed>,
    wanted: WeightType,
) -> Option<&'a Installed> {
    use WeightType::{Bf16, F16, Q5_1, Q8_0};
    let order = [wanted, F16, Q8_0, Q5_1, Bf16];
    let place = |model: &&Installed| {
        let place = order.iter().position(|&weights| weights == model.header.ftype).unwrap_or(order.len());
        (place, std::cmp::Reverse(model.bytes), model.name.clone())
    };
    forms.min_by_key(place)
}

/// The model for a job, in the form that is `wanted`, or in one from which that can be made.
///
/// `configured`, a name among `installed` or a path, wins over the preset; a name without a weight type stands for
/// any form of that model. Without one: `fast` takes `base` or what comes next to it, `balanced` the best up to
/// `small` or turbo, `best` the best. A model that cannot do the job is passed over: only whole multilingual
/// models translate, English-only models hear nothing but English. `language` is that of the speech, if it is known.
///
/// Fails when nothing fits, and when the configured model is missing or cannot do the job.
pub fn choose(
    installed: &[Installed],
    configured: Option<&str>,
    preset: Preset,
    task: Task,
    language: Option<Language>,
    wanted: WeightType,
) -> Result<Installed, Error> {
    let ask = Ask { task, language };
    let found = match configured {
        Some(name) => {
            let model = named(installed, name, wanted).or_else(|missing| match is_path(name) {
                true => look(Path::new(name), naming::name(Path::new(name))),
                false => Err(missing),
            })?;
            if let Some((wanted, hint)) = ask.refuses(&model.header) {
                return Err(Error::Unfit { model: model.name.clone(), wanted, hint });
            }
            model
        }
        None => choose_among(installed, preset, task, language, wanted)?.clone(),
    };
    Ok(found)
}

/// As [`choose`], from a models folder. When the file that would have done it is broken, the error says how.
pub fn choose_in(
    dir: &Path,
    configured: Option<&str>,
    preset: Preset,
    task: Task,
    language: Option<Language>,
    wanted: WeightType,
) -> Result<Installed, Error> {
    let (known, mut broken) = survey(dir);
    choose(&known, configured, preset, task, language, wanted).map_err(|e| match e {
        Error::NotInstalled { name, .. } => {
            let at = broken.iter().position(|e| e.file().is_some_and(|file| naming::name(file) == name));
            match at {
                Some(at) => broken.swap_remove(at),
                None => Error::NotInstalled { name, dir: dir.to_owned() },
            }
        }
        Error::NoneFits { .. } if known.is_empty() && !broken.is_empty() => broken.swap_remove(0),
        other => other,
    })
}

/// The model that tells a language soonest: the smallest multilingual one.
pub fn smallest_multilingual(dir: &Path, wanted: WeightType) -> Option<Installed> {
    let known = installed(dir);
    let able = || known.iter().filter(|m| m.header.multilingual());
    let rank = able().map(|m| m.header.rank()).min()?;
    preferred(able().filter(|m| m.header.rank() == rank), wanted).cloned()
}

/// As [`choose`], by the preset alone.
pub fn choose_among(
    installed: &[Installed],
    preset: Preset,
    task: Task,
    language: Option<Language>,
    wanted: WeightType,
) -> Result<&Installed, Error> {
    let ask = Ask { task, language };
    let able: Vec<&Installed> =
        installed.iter().filter(|model| ask.refuses(&model.header).is_none()).collect();
    // Speech that is not known to be English is nothing for an English-only model while there is another.
    let safe: Vec<&Installed> = able.iter().copied().filter(|m| m.header.multilingual()).collect();
    let unknown = language.is_none() && !safe.is_empty();
    let able = if unknown { safe } else { able };
    let Some(rank) = rank_for(preset, &able) else {
        let wanted = ask.wanted();
        let hint = match installed.is_empty() {
            true => {
                "none is installed; run `transcriptord model pull base` or `transcriptord model import PATH`"
            }
            false => "install one that can, as `transcriptord model pull base` does",
        };
        return Err(Error::NoneFits { wanted, hint: hint.to_owned() });
    };
    let ranked: Vec<&Installed> = able.into_iter().filter(|m| m.header.rank() == rank).collect();
    // At the same size the English-only model hears English better.
    let english: Vec<&Installed> = ranked.iter().copied().filter(|m| !m.header.multilingual()).collect();
    let ranked = if english.is_empty() || language != Some(Language::ENGLISH) { ranked } else { english };
    // Several models of one size: stay with the one that sorts first.
    let model = ranked.iter().map(|m| naming::without_type(&m.name)).min().unwrap_or_default();
    let forms = ranked.into_iter().filter(|m| naming::without_type(&m.name) == model);
    preferred(forms, wanted)
        .ok_or_else(|| Error::NoneFits { wanted: ask.wanted(), hint: "none is installed".to_owned() })
}

/// Whether it is meant as a path, be there a file or not.
fn is_path(given: &str) -> bool {
    given.contains('/') || Path::new(given).is_file()
}

/// The installed model that a name, a file name or a path means.
fn named(installed: &[Installed], given: &str, wanted: WeightType) -> Result<Installed, Error> {
    let path = Path::new(given);
    let name = naming::name(path);
    let by_path = installed.iter().find(|model| model.path == path);
    let by_file =
        || installed.iter().find(|m| given.ends_with(".bin") && m.path.file_name() == path.file_name());
    let by_form =
        || preferred(installed.iter().filter(|model| naming::without_type(&model.name) == name), wanted);
    let by_name = || installed.iter().find(|model| model.name == name);
    by_path.or_else(by_file).or_else(by_form).or_else(by_name).cloned().ok_or_else(|| Error::NotInstalled {
        name,
        dir: installed
            .first()
            .and_then(|m| m.path.parent())
            .unwrap_or(Path::new("the models folder"))
            .to_owned(),
    })
}

struct Ask {
    task: Task,
    language: Option<Language>,
}

impl Ask {
    fn wanted(&self) -> String {
        let what = match self.task {
            Task::Transcribe => "transcribe",
            Task::Translate => "translate",
        };
        self.language.map_or_else(|| what.to_owned(), |language| format!("{what} {language}"))
    }

    /// What the model cannot do and what helps, when it cannot do this.
    fn refuses(&self, model: &Header) -> Option<(String, String)> {
        let hint = if self.task == Task::Translate && !model.translates() {
            if model.multilingual() {
                "its decoder was shortened for transcription alone; use `small`, `medium` or `large-v3`"
            } else {
                "it knows English alone; use a model whose name has no `.en`"
            }
        } else if !model.multilingual() && self.language.is_some_and(|language| language != Language::ENGLISH)
        {
            "it knows English alone; use a model whose name has no `.en`"
        } else {
            return None;
        };
        Some((self.wanted(), hint.to_owned()))
    }
}

/// Depth of `base` and of `small`, the ends that presets count from. See `Header::rank`.
const BASE: i64 = 6060;
const SMALL: i64 = 12_120;

/// The rank that a preset takes among the models that can do the job.
fn rank_for(preset: Preset, able: &[&Installed]) -> Option<i64> {
    let ranks = || able.iter().map(|model| model.header.rank());
    match preset {
        // Nearest to base, the smaller first: the preset promises speed.
        Preset::Fast => ranks().filter(|&r| r <= BASE).max().or_else(|| ranks().min()),
        Preset::Balanced => {
            let quick = |model: &&&Installed| {
                let short = model.header.n_text_layer < model.header.n_audio_layer;
                model.header.rank() <= SMALL || short
            };
            able.iter().filter(quick).map(|m| m.header.rank()).max().or_else(|| ranks().min())
        }
        Preset::Best => ranks().max(),
    }
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
