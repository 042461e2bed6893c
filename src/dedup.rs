//! The key by which two requests are known to be the same work. Knows nothing of queues, files or HTTP.

use crate::clock::Millis;
use crate::job::{JobKind, Options, Task};
use crate::language::Language;
use std::path::Path;

/// What is heard, by identity: two that are equal sound the same.
#[derive(Debug, Clone, Copy)]
pub enum Audio<'a> {
    /// An upload by the BLAKE3 hash of its bytes; read as PCM (`raw`) they are another sound than as a container.
    Upload { hash: &'a str, raw: bool },
    /// A file as it was when asked for: a changed one is other work.
    File { path: &'a Path, bytes: u64, modified_ms: Millis, track: Option<u32> },
}

/// The dedup key: 64 hex digits, the BLAKE3 hash of all that changes the text (design.md, "Dedup").
///
/// Model and preset are left out on purpose: they are compared by rank. A language detection does not depend on
/// task and languages, so these are left out for it too.
pub fn key(
    audio: Audio,
    kind: JobKind,
    task: Task,
    source_lang: Option<Language>,
    target_lang: Option<Language>,
    options: &Options,
) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    match audio {
        Audio::Upload { hash, raw } => {
            part(if raw { b"raw" } else { b"upload" });
            part(hash.as_bytes());
        }
        Audio::File { path, bytes, modified_ms, track } => {
            part(b"file");
            part(path.as_os_str().as_encoded_bytes());
            part(&bytes.to_le_bytes());
            part(&modified_ms.to_le_bytes());
            part(track.map_or_else(String::new, |t| t.to_string()).as_bytes());
        }
    }
    part(kind.as_str().as_bytes());
    if kind == JobKind::Transcription {
        part(task.as_str().as_bytes());
        part(source_lang.map_or("", Language::whisper_code).as_bytes());
        part(target_lang.map_or("", Language::whisper_code).as_bytes());
        part(serde_json::to_string(options).expect("options are plain text fields").as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(hash: &str, raw: bool, task: Task, lang: Option<Language>) -> String {
        key(Audio::Upload { hash, raw }, JobKind::Transcription, task, lang, None, &Options::default())
    }

    #[test]
    fn the_same_request_has_the_same_key() {
        let ask = || spoken("ab", true, Task::Transcribe, Some(Language::ENGLISH));
        assert_eq!(ask(), ask());
        assert_eq!(ask().len(), 64);
    }

    #[test]
    fn whatever_changes_the_text_changes_the_key() {
        let english = Some(Language::ENGLISH);
        let prompted = Options { initial_prompt: Some("Frodo".into()), ..Options::default() };
        let narrow = Options { profile: Some(serde_json::json!({ "columns": 30 })), ..Options::default() };
        let grouped = Options { regroup: Some("ms".into()), ..Options::default() };
        let upload = Audio::Upload { hash: "ab", raw: true };
        let keys = [
            spoken("ab", true, Task::Transcribe, english),
            spoken("ac", true, Task::Transcribe, english),
            spoken("ab", false, Task::Transcribe, english),
            spoken("ab", true, Task::Translate, english),
            spoken("ab", true, Task::Transcribe, None),
            key(upload, JobKind::Transcription, Task::Transcribe, english, english, &Options::default()),
            key(upload, JobKind::Transcription, Task::Transcribe, english, None, &prompted),
            key(upload, JobKind::Transcription, Task::Transcribe, english, None, &narrow),
            key(upload, JobKind::Transcription, Task::Transcribe, english, None, &grouped),
            key(upload, JobKind::LanguageDetection, Task::Transcribe, english, None, &Options::default()),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[i + 1..] {
                assert_ne!(a, b, "key {i} is not its own");
            }
        }
    }

    #[test]
    fn a_changed_file_is_other_work() {
        let file = |bytes, modified_ms, track| {
            let audio = Audio::File { path: Path::new("/films/a.mkv"), bytes, modified_ms, track };
            key(audio, JobKind::Transcription, Task::Transcribe, None, None, &Options::default())
        };
        assert_eq!(file(1, 2, None), file(1, 2, None));
        for other in [file(2, 2, None), file(1, 3, None), file(1, 2, Some(0))] {
            assert_ne!(file(1, 2, None), other);
        }
    }

    #[test]
    fn a_detection_depends_on_the_audio_alone() {
        let ask = |task, lang| {
            let audio = Audio::Upload { hash: "ab", raw: true };
            key(audio, JobKind::LanguageDetection, task, lang, lang, &Options::default())
        };
        assert_eq!(ask(Task::Transcribe, None), ask(Task::Translate, Some(Language::ENGLISH)));
    }
}
