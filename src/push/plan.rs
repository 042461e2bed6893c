//! What is to be made of a film for a wish, if anything can be. Asks nobody but the file system.

use super::Settings;
use crate::bazarr::{Missing, Video};
use crate::clock::Millis;
use crate::dedup::{self, Audio};
use crate::job::{JobKind, NewJob, Options, Origin, Source, Task};
use crate::language::Language;
use crate::library::Library;
use crate::title;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

/// A video of the library, as it is now.
pub struct Film {
    path: PathBuf,
    bytes: u64,
    modified_ms: Millis,
    /// By the tracks' tags; empty when one of them is unknown.
    audio: Vec<Language>,
}

/// The wishes that can be served: no forced ones, and those for the hard of hearing only where no plain one stands
/// beside them.
pub fn wishes(missing: &[Missing]) -> impl Iterator<Item = &Missing> {
    let plain = |code2: &str| missing.iter().any(|m| m.code2 == code2 && !m.hi && !m.forced);
    missing.iter().filter(move |m| !(m.forced || m.hi && plain(&m.code2)))
}

impl Film {
    /// Nothing when the file is not in the library. Blocks on the file system.
    pub fn find(library: &Library, video: &Video) -> Option<Film> {
        let path = library.find(&video.path)?;
        let facts = path.metadata().ok()?;
        let since_1970 = facts.modified().ok().and_then(|m| m.duration_since(UNIX_EPOCH).ok());
        let audio: Option<Vec<Language>> = video.audio.iter().map(|code| code.parse().ok()).collect();
        Some(Film {
            path,
            bytes: facts.len(),
            modified_ms: since_1970.map_or(0, |d| d.as_millis() as Millis),
            audio: audio.unwrap_or_default(),
        })
    }

    /// The name under which a try for this wish is remembered: a changed file is another film.
    pub fn mark(&self, wish: &Missing) -> String {
        let of = format!("{}|{}|{}|{}", self.bytes, self.modified_ms, wish.code2, wish.hi);
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.path.as_os_str().as_encoded_bytes());
        hasher.update(&[0]);
        hasher.update(of.as_bytes());
        format!("push:{}", hasher.finalize().to_hex())
    }

    /// The job that gives text in `language`; nothing when Whisper cannot make it of what is spoken.
    pub fn job(&self, language: Language, settings: &Settings) -> Option<NewJob> {
        let (task, source_lang) = way(&self.audio, language)?;
        // Whatever the wish: the same text is made once.
        let target_lang = (task == Task::Translate).then_some(Language::ENGLISH);
        let kind = JobKind::Transcription;
        let title = settings.prompt_from_title.then(|| title::of(&self.path)).flatten();
        let options = Options { title, ..settings.options.clone() };
        let audio =
            Audio::File { path: &self.path, bytes: self.bytes, modified_ms: self.modified_ms, track: None };
        Some(NewJob {
            kind,
            origin: Origin::Scan,
            key: dedup::key(audio, kind, task, source_lang, target_lang, &options),
            home: None,
            file_name: self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            task,
            source_lang,
            target_lang,
            preset: settings.preset,
            options,
            priority: 0,
            rank: (settings.rank)(settings.preset, task, source_lang),
            // Bazarr writes the file.
            output: None,
            max_retries: settings.max_retries,
            source: Source::Path { path: self.path.clone(), track: None },
        })
    }
}

/// How text in `wanted` comes from speech in `audio`: written as it is said, or translated, which Whisper does to
/// English alone. Where nobody says what is spoken it is found out, and compared when it is done.
fn way(audio: &[Language], wanted: Language) -> Option<(Task, Option<Language>)> {
    match audio {
        _ if audio.contains(&wanted) => Some((Task::Transcribe, Some(wanted))),
        [only] if wanted == Language::ENGLISH => Some((Task::Translate, Some(*only))),
        _ if wanted == Language::ENGLISH => Some((Task::Translate, None)),
        [] => Some((Task::Transcribe, None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_way(audio: &[&str], wanted: &str, expected: Option<(Task, Option<&str>)>) {
        let audio: Vec<Language> = audio.iter().map(|code| code.parse().unwrap()).collect();
        let expected = expected.map(|(task, from)| (task, from.map(|code| code.parse().unwrap())));
        assert_eq!(way(&audio, wanted.parse().unwrap()), expected);
    }

    #[test]
    fn only_what_whisper_can_make_is_made() {
        check_way(&["ja", "de"], "de", Some((Task::Transcribe, Some("de"))));
        check_way(&["ja"], "en", Some((Task::Translate, Some("ja"))));
        check_way(&["ja", "de"], "en", Some((Task::Translate, None)));
        check_way(&["ja"], "de", None);
        check_way(&[], "de", Some((Task::Transcribe, None)));
        check_way(&[], "en", Some((Task::Translate, None)));
    }

    #[test]
    fn forced_is_left_out_and_hearing_impaired_yields_to_plain() {
        let missing = |code2: &str, forced, hi| Missing { code2: code2.into(), forced, hi };
        let all = [
            missing("en", true, false),
            missing("de", false, true),
            missing("de", false, false),
            missing("fr", false, true),
        ];
        let served: Vec<&Missing> = wishes(&all).collect();
        assert_eq!(served, [&all[2], &all[3]]);
    }
}
