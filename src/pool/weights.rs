//! The models of a device, loaded once and shared by its sessions. Knows nothing of windows or the board.

use super::forms::{self, Forms};
use super::setup::Setup;
use crate::engine::whisper::{Place, Whisper};
use crate::engine::{self, Engine, Part};
use crate::job::{Job, Preset, Task};
use crate::language::Language;
use crate::model::{self, WeightType};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// An engine and the name of its model.
#[derive(Clone)]
pub struct Loaded {
    pub name: String,
    pub engine: Arc<dyn Engine>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another time: the model is not there (any more).
    #[error(transparent)]
    Model(#[from] model::Error),
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

/// Which engine does a job.
pub trait Weights: Send + Sync {
    fn for_words(&self, job: &Job, language: Language) -> Result<Loaded, Error>;
    fn for_languages(&self) -> Result<Loaded, Error>;
    /// Gives the memory back: nothing is open.
    fn unload(&self);
}

/// The ggml models in a folder.
pub struct Folder {
    setup: Setup,
    threads: usize,
    wanted: WeightType,
    forms: Arc<Forms>,
    loaded: Mutex<Vec<(PathBuf, Loaded)>>,
}

/// Sets of weights kept at once: that of the last jobs, and the small one of language detection.
const KEPT: usize = 2;

impl Folder {
    pub fn new(setup: Setup, threads: usize) -> Folder {
        let (wanted, forms) = (forms::wanted(&setup), Forms::new(&setup));
        Folder { setup, threads, wanted, forms, loaded: Mutex::default() }
    }

    /// Loads a model unless it is; workers that need the same one wait here for it.
    fn load(&self, chosen: &model::Installed) -> Result<Loaded, Error> {
        let chosen = self.forms.of(chosen, self.wanted);
        let mut loaded = self.loaded.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(at) = loaded.iter().position(|(path, _)| *path == chosen.path) {
            let entry = loaded.remove(at);
            loaded.push(entry);
        } else {
            // Checked again right before whisper.cpp sees it: the file may have changed since it was listed.
            if loaded.len() >= KEPT {
                loaded.remove(0);
            }
            let place = Place { gpu: self.setup.gpu(), threads: self.threads };
            let engine = Arc::new(open(&chosen.path, &place)?);
            log::info!("model {} loaded on {}", chosen.name, self.setup.device);
            loaded.push((chosen.path.clone(), Loaded { name: chosen.name.clone(), engine }));
        }
        loaded.last().map(|(_, l)| l.clone()).ok_or_else(|| engine::Error::Failed("no model".into()).into())
    }
}

/// Loads a model file when its structure is sound.
pub(super) fn open(path: &Path, place: &Place) -> Result<Whisper, Error> {
    let part = |(name, ggml_type, shape, place)| Part { name, ggml_type, shape, place };
    Ok(Whisper::load(path, model::parts(path)?.into_iter().map(part).collect(), place)?)
}

/// The language that a model is chosen by: none for English that was found and not `told`, since windows in other
/// languages may come, which a model that knows English alone would garble.
fn must_know(told: Option<Language>, language: Language) -> Option<Language> {
    (told.is_some() || language != Language::ENGLISH).then_some(language)
}

impl Weights for Folder {
    fn for_words(&self, job: &Job, language: Language) -> Result<Loaded, Error> {
        let configured = job.options.model.as_deref().or(self.setup.model.as_deref());
        let dir = &self.setup.models_dir;
        let known = must_know(job.source_lang, language);
        self.load(&model::choose_in(dir, configured, job.preset, job.task, known, self.wanted)?)
    }

    fn for_languages(&self) -> Result<Loaded, Error> {
        let smallest = model::smallest_multilingual(&self.setup.models_dir, self.wanted);
        let chosen = match smallest {
            Some(found) => found,
            None => model::choose_in(
                &self.setup.models_dir,
                self.setup.model.as_deref(),
                Preset::Fast,
                Task::Transcribe,
                None,
                self.wanted,
            )?,
        };
        self.load(&chosen)
    }

    fn unload(&self) {
        self.forms.end();
        self.loaded.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::must_know;
    use crate::language::Language;

    #[test]
    fn a_film_that_was_found_to_be_english_may_hold_other_languages() {
        let (english, german) = (Language::ENGLISH, "de".parse().unwrap());
        assert_eq!(must_know(None, english), None);
        assert_eq!(must_know(None, german), Some(german));
        assert_eq!(must_know(Some(english), english), Some(english));
    }
}
