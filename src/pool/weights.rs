//! The models of a device: which one does a job, in which form, and whether there is room for it. Knows nothing of windows
//! or the board.

use super::admission::{Candidate, Form, candidates, sessions};
use super::forms::{self, Forms};
use super::memory::{self, Short};
use super::residents::{Residents, Wanted};
use super::seat::Seat;
use super::setup::Setup;
use crate::device;
use crate::engine::whisper::{Place, Whisper};
use crate::engine::{self, Ask, Engine, Kernels, Part};
use crate::job::{Job, Preset, Task};
use crate::language::Language;
use crate::model::{self, Installed, WeightType};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another time: the model is not there (any more).
    #[error(transparent)]
    Model(#[from] model::Error),
    /// Another time: there is too little memory.
    #[error(transparent)]
    Short(#[from] Short),
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

/// Which engine does a job.
pub trait Weights: Send + Sync {
    /// A session for what is asked of this job. May wait for another to be given back, until `stop` is raised.
    fn for_words(&self, job: &Job, ask: &Ask, stop: &AtomicBool) -> Result<Seat, Error>;

    /// Fails when no model can do the job for speech in that language. Loads nothing.
    fn look(&self, _: &Job, _: Language) -> Result<(), model::Error> {
        Ok(())
    }

    /// A session that tells languages; waits as the other does.
    fn for_languages(&self, stop: &AtomicBool) -> Result<Seat, Error>;

    /// Gives back the memory of sessions that nobody uses.
    fn rest(&self) {}

    /// Gives all memory back: nothing is open.
    fn unload(&self) {}
}

/// The ggml models in a folder.
pub struct Folder {
    setup: Setup,
    sessions: usize,
    threads: usize,
    wanted: WeightType,
    forms: Arc<Forms>,
    residents: Arc<Residents>,
    /// What was said last of the memory.
    told: Mutex<String>,
}

impl Folder {
    pub fn new(setup: Setup) -> Folder {
        let measured = setup.clone();
        // A GPU does not tell which part of its memory is ours; until something is loaded nothing is.
        let taken = move |used| match measured.gpu() {
            Some(_) if used <= memory::base(&measured) => 0,
            Some(_) => used,
            None => device::resident(None),
        };
        let limits = setup.clone();
        let allowed = move |used| memory::allowed(&limits, taken(used));
        let residents = Residents::new(memory::base(&setup), Box::new(allowed));
        let (sessions, threads) = setup.sessions(device::cores());
        let (wanted, forms) =
            (forms::wanted(&setup, &Kernels::here()), Forms::new(&setup, residents.clone()));
        Folder { setup, sessions, threads, wanted, forms, residents, told: Mutex::default() }
    }

    fn chosen(&self, job: &Job, language: Language) -> Result<Installed, model::Error> {
        let configured = job.options.model.as_deref().or(self.setup.model.as_deref());
        let dir = &self.setup.models_dir;
        model::choose_in(
            dir,
            configured,
            job.preset,
            job.task,
            must_know(job.source_lang, language),
            self.wanted,
        )
    }

    fn is_gpu(&self) -> bool {
        self.setup.gpu().is_some()
    }

    /// The file to load, what it takes, and how many sessions of `session` bytes there may be.
    ///
    /// Fails when there is no room for one session of any form.
    fn admit(
        &self,
        chosen: &Installed,
        session: &dyn Fn(&Candidate) -> u64,
    ) -> Result<(Candidate, usize), Error> {
        let room = self.residents.room();
        let first = Candidate::made(chosen, self.wanted, self.is_gpu());
        let count = |c: &Candidate| self.count(c, session(c), room);
        if count(&first) > 0
            && let Some((found, count)) = self.have(&first, &count)
        {
            return Ok((found, count));
        }
        let installed = model::installed(&self.setup.models_dir);
        let smaller = candidates(chosen, &installed, self.wanted, self.is_gpu());
        for candidate in smaller.iter().skip(1).filter(|c| count(c) > 0) {
            if let Some(found) = self.have(candidate, &count) {
                return Ok(found);
            }
        }
        let allowed = memory::allowed(&self.setup, device::resident(None));
        // What is written down after a language was told, too: who raises the limit does it once.
        let most = |c: &Candidate| session(c).max(c.needs.session);
        let least = smaller.iter().map(|c| self.needed(c, most(c))).min().unwrap_or(u64::MAX);
        Err(Short { model: chosen.name.clone(), needed: least.max(allowed + 1), allowed }.into())
    }

    /// What has to be allowed for one session with this form.
    fn needed(&self, candidate: &Candidate, session: u64) -> u64 {
        let work = candidate.needs.weights + session;
        let first = if self.is_proved(candidate) { 0 } else { candidate.trial_bytes(self.is_gpu()) };
        memory::base(&self.setup) + work.max(first)
    }

    fn is_proved(&self, candidate: &Candidate) -> bool {
        match &candidate.form {
            Form::File(_) => true,
            Form::Made(model, weights) => self.forms.is_ready(model, *weights),
        }
    }

    /// The form as a file, if it is to be had and fits as it is.
    fn have(&self, candidate: &Candidate, count: &dyn Fn(&Candidate) -> usize) -> Option<(Candidate, usize)> {
        let Form::Made(model, weights) = &candidate.form else {
            return Some((candidate.clone(), count(candidate)));
        };
        if !self.forms.is_ready(model, *weights)
            && candidate.trial_bytes(self.is_gpu()) > self.residents.room()
        {
            return None;
        }
        let as_file = |model| Candidate::file(model, self.is_gpu());
        // f16 does meanwhile, where it may.
        let file = match count(&as_file(model.clone())) {
            0 => as_file(self.forms.now(model, *weights)?),
            _ => as_file(self.forms.of(model, *weights)),
        };
        Some((count(&file), file)).filter(|(count, _)| *count > 0).map(|(count, file)| (file, count))
    }

    fn count(&self, candidate: &Candidate, session: u64, room: u64) -> usize {
        let all = sessions(&candidate.needs, session, room, u64::MAX, self.sessions);
        if all == self.sessions {
            return all;
        }
        // Languages are told by the smallest model, if that takes less than this one does for it.
        let small = model::smallest_multilingual(&self.setup.models_dir, self.wanted);
        let small = small.map(|model| Candidate::made(&model, self.wanted, self.is_gpu()).needs);
        let listener = small.map_or(u64::MAX, |needs| needs.weights + needs.listener);
        sessions(&candidate.needs, session, room, listener, self.sessions)
    }

    fn seat(&self, wanted: &Wanted, stop: &AtomicBool) -> Result<Seat, Error> {
        self.residents.take(wanted, stop, || {
            // Checked again right before whisper.cpp sees it: the file may have changed since it was listed.
            let place = Place { gpu: self.setup.gpu(), threads: self.threads };
            let engine: Arc<dyn Engine> = Arc::new(open(&wanted.path, &place)?);
            log::info!("model {} loaded on {}", wanted.name, self.setup.device);
            Ok(engine)
        })
    }

    /// Says once what the memory is used for.
    fn tell(&self, used: &Candidate, session: u64, count: usize) {
        let model = used.model();
        let mb = memory::mb_above;
        let text = format!(
            "memory: {} as {}, {count} of {} sessions, {} MB each, beside {} MB of weights and {} MB for all else; {}",
            model.name,
            model.header.ftype,
            self.sessions,
            mb(session),
            mb(used.needs.weights),
            mb(memory::base(&self.setup)),
            memory::says(&self.setup),
        );
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != text {
            log::info!("{text}");
            *told = text;
        }
    }
}

fn wanted(used: &Candidate, session: u64) -> Wanted {
    let model = used.model();
    Wanted {
        name: model.name.clone(),
        path: model.path.clone(),
        multilingual: model.header.multilingual(),
        weights: used.needs.weights,
        session,
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
    fn for_words(&self, job: &Job, ask: &Ask, stop: &AtomicBool) -> Result<Seat, Error> {
        let chosen = self.chosen(job, ask.language)?;
        let prompt = ask.prompt.as_ref().map_or(0, String::len);
        let (used, count) = self.admit(&chosen, &|c| c.needs.with_prompt(prompt))?;
        let session = used.needs.with_prompt(prompt);
        self.tell(&used, used.needs.session, count);
        let mut seat = self.seat(&wanted(&used, session), stop)?;
        seat.staff = count;
        Ok(seat)
    }

    fn look(&self, job: &Job, language: Language) -> Result<(), model::Error> {
        self.chosen(job, language).map(drop)
    }

    fn for_languages(&self, stop: &AtomicBool) -> Result<Seat, Error> {
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
        let (used, _) = self.admit(&chosen, &|c| c.needs.listener)?;
        let wanted = wanted(&used, used.needs.listener);
        // What is in memory already does it too, and takes its turn with the words.
        let there = self.residents.multilingual().filter(|_| !self.residents.has_room(&wanted));
        self.seat(&there.unwrap_or(wanted), stop)
    }

    fn rest(&self) {
        self.residents.rest();
    }

    fn unload(&self) {
        self.forms.end();
        self.residents.unload();
    }
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
