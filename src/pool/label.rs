//! What to do when the speech is not in the language that Bazarr says. Knows nothing of how languages are heard.
//!
//! Bazarr's `language` is a hint: it labels a wrong track as the wanted language, and sends speech in languages it
//! does not know as English on purpose.

use crate::engine::LanguageOdds;
use crate::job::{Job, JobKind, Origin, Task};
use crate::language::Language;
use crate::queue::OPENING;
use serde::{Deserialize, Serialize};

/// Where the decision is kept among the job's checkpoints: every later life of the job goes by it.
pub const MARK: u32 = OPENING - 1;

/// Windows from whose speech a label is checked.
pub const SAMPLES: usize = 3;

/// Odds below which the label counts as contradicted, and above which another language counts as heard.
const UNLIKELY: f32 = 0.05;
const SURE: f32 = 0.8;

/// What is spoken and what is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    pub language: Language,
    pub task: Task,
}

/// The label that has to be checked before the job's first window.
///
/// None where a person chose the language, and where work was done under the label already (`started`).
pub fn unproved(job: &Job, started: bool) -> Option<Language> {
    let asks = job.origin == Origin::Provider && job.kind == JobKind::Transcription && !started;
    job.source_lang.filter(|_| asks)
}

/// The decision of an earlier life of the job, if its checkpoints hold one.
pub fn decided(stored: &[(u32, String)]) -> Option<Spoken> {
    let (_, text) = stored.iter().find(|(index, _)| *index == MARK)?;
    serde_json::from_str(text).ok()
}

/// What is made of speech with these odds under this label. The label stands unless it is clearly contradicted.
///
/// With the label English the wish is English text: another language is translated then. A translation is made from
/// the language heard. A transcription in another language would need other text than was asked for: there the label
/// stands, for Whisper follows it as far as it can.
pub fn decide(label: Language, task: Task, odds: &LanguageOdds) -> Spoken {
    let kept = Spoken { language: label, task };
    let Some(heard) = contradicted(label, odds) else { return kept };
    match task {
        Task::Translate => Spoken { language: heard, task },
        Task::Transcribe if label == Language::ENGLISH => Spoken { language: heard, task: Task::Translate },
        Task::Transcribe => kept,
    }
}

/// The other language that is clearly spoken.
fn contradicted(label: Language, odds: &LanguageOdds) -> Option<Language> {
    let (heard, p) = odds.best()?;
    let labelled = odds.of(label);
    (heard != label && labelled < UNLIKELY && p > SURE).then_some(heard)
}

/// What is made of a job whose language nobody told. Text in the language that is wanted counts as its label.
///
/// Fails with one sentence when it would be in another: a file named after one language holds no other.
pub fn found(job: &Job, odds: &LanguageOdds) -> Result<Spoken, String> {
    let wanted = job.target_lang.filter(|_| job.task == Task::Transcribe);
    let Some(wanted) = wanted else {
        let language = odds.best().map_or(Language::ENGLISH, |(language, _)| language);
        return Ok(Spoken { language, task: job.task });
    };
    let spoken = decide(wanted, job.task, odds);
    match contradicted(wanted, odds) {
        Some(heard) if spoken.language != heard => Err(format!(
            "{} is spoken, and Whisper translates to English alone: there is no text in {} (say which language is \
             spoken where that was heard wrongly)",
            heard.english_name(),
            wanted.english_name()
        )),
        _ => Ok(spoken),
    }
}

/// Reads the stored result of a detection.
pub fn odds(result: &str) -> Option<LanguageOdds> {
    #[derive(Deserialize)]
    struct Heard {
        odds: Vec<(Language, f32)>,
    }
    serde_json::from_str::<Heard>(result).ok().map(|heard| LanguageOdds(heard.odds))
}

/// The sentence for the log when speech and label differ; nothing when they agree or nobody can tell.
pub fn complaint(label: Language, odds: &LanguageOdds, spoken: Spoken) -> Option<String> {
    let (heard, p) = odds.best().filter(|&(heard, p)| heard != label && p > SURE)?;
    let (heard, label) = (heard.english_name(), label.english_name());
    let done = match spoken.task {
        Task::Translate => "it is translated to English",
        Task::Transcribe => "the label is kept",
    };
    Some(format!("{heard} is spoken ({:.0} %), though the request says {label}: {done}", p * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(label: &str, task: Task, odds: &[(&str, f32)], expected: (&str, Task)) {
        let odds = LanguageOdds(odds.iter().map(|(l, p)| (l.parse().unwrap(), *p)).collect());
        let expected = Spoken { language: expected.0.parse().unwrap(), task: expected.1 };
        assert_eq!(decide(label.parse().unwrap(), task, &odds), expected);
    }

    #[test]
    fn speech_labelled_english_that_is_not_is_translated_to_english() {
        check("en", Task::Transcribe, &[("ja", 0.97), ("en", 0.01)], ("ja", Task::Translate));
        check("en", Task::Transcribe, &[("ja", 0.97)], ("ja", Task::Translate));
    }

    #[test]
    fn a_translation_is_made_from_the_language_heard() {
        check("de", Task::Translate, &[("fr", 0.9), ("de", 0.04)], ("fr", Task::Translate));
        check("de", Task::Translate, &[("en", 0.9), ("de", 0.04)], ("en", Task::Translate));
    }

    #[test]
    fn a_label_stands_unless_it_is_clearly_wrong() {
        check("en", Task::Transcribe, &[("en", 0.6), ("ja", 0.4)], ("en", Task::Transcribe));
        check("en", Task::Transcribe, &[("cy", 0.85), ("en", 0.06)], ("en", Task::Transcribe));
        check("en", Task::Transcribe, &[("cy", 0.7), ("en", 0.01)], ("en", Task::Transcribe));
        check("en", Task::Transcribe, &[], ("en", Task::Transcribe));
        check("de", Task::Transcribe, &[("fr", 0.97), ("de", 0.01)], ("de", Task::Transcribe));
    }
}
