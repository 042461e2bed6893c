//! What a job is and which states it may move between. Knows nothing of databases, files or engines.

use crate::clock::Millis;
use crate::language::Language;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use uuid::Uuid;

/// A UUID v7 (RFC 9562): sorts by age, written as the usual hyphenated string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

impl JobId {
    pub fn new() -> JobId {
        JobId(Uuid::now_v7())
    }
}

impl Default for JobId {
    fn default() -> JobId {
        JobId::new()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = uuid::Error;
    fn from_str(s: &str) -> Result<JobId, uuid::Error> {
        Uuid::parse_str(s).map(JobId)
    }
}

/// Makes an enum of unit variants with its wire names: `as_str`, `FromStr`, `Display`, serde.
macro_rules! named {
    ($(#[$meta:meta])* $vis:vis enum $name:ident ($what:literal) { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        $vis enum $name { $($(#[$vmeta])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The name in the API and the database.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;
            /// Fails with one sentence that names the value and those allowed.
            fn from_str(s: &str) -> Result<$name, String> {
                match s {
                    $($text => Ok($name::$variant),)+
                    _ => Err(format!(concat!("unknown ", $what, " '{}': use one of {}"), s, [$($text),+].join(", "))),
                }
            }
        }
    };
}

named! {
    /// Where a job stands. `Completed`, `Failed` and `Cancelled` are ends; only `retry` leaves the last two.
    pub enum JobState("status") {
        /// Waits to be claimed.
        Queued = "queued",
        /// Claimed by a device under a lease.
        Processing = "processing",
        /// Its result is stored.
        Completed = "completed",
        /// Given up, with `error` saying why.
        Failed = "failed",
        /// Ended by a person.
        Cancelled = "cancelled",
    }
}

named! {
    /// What can happen to a job.
    pub enum Event("event") {
        Claim = "claim",
        Finish = "finish",
        /// For good: a failure that is tried again is a `Release`.
        Fail = "fail",
        /// Back to the queue: stop, pause, park, a dead worker, an expired lease, another try.
        Release = "release",
        Cancel = "cancel",
        Retry = "retry",
    }
}

impl JobState {
    /// The one table of legal moves; `None` means the event does not apply in this state.
    pub fn after(self, event: Event) -> Option<JobState> {
        use Event::*;
        use JobState::*;
        match (self, event) {
            (Queued, Claim) => Some(Processing),
            (Processing, Finish) => Some(Completed),
            (Processing, Fail) => Some(Failed),
            (Processing, Release) => Some(Queued),
            (Queued | Processing, Cancel) => Some(Cancelled),
            (Failed | Cancelled, Retry) => Some(Queued),
            _ => None,
        }
    }

    /// True when nothing more happens by itself.
    pub fn is_end(self) -> bool {
        matches!(self, JobState::Completed | JobState::Failed | JobState::Cancelled)
    }
}

named! {
    pub enum JobKind("job type") {
        Transcription = "transcription",
        LanguageDetection = "language_detection",
    }
}

named! {
    /// Whisper's two tasks: write what is said, or write it in English.
    pub enum Task("task") {
        Transcribe = "transcribe",
        Translate = "translate",
    }
}

named! {
    /// How much work a subtitle is worth: chooses model, beam and re-decoding.
    pub enum Preset("quality preset") {
        Fast = "fast",
        Balanced = "balanced",
        Best = "best",
    }
}

named! {
    /// Who asked. Decides the base of the priority.
    pub enum Origin("origin") {
        Provider = "provider",
        Manual = "manual",
        Scan = "scan",
    }
}

impl Origin {
    /// Added to the priority that was asked for: Bazarr before people before scans.
    pub fn priority_bonus(self) -> i64 {
        match self {
            Origin::Provider => 10,
            Origin::Manual => 5,
            Origin::Scan => 0,
        }
    }
}

named! {
    /// What is being done to a job now.
    pub enum Stage("stage") {
        Pending = "pending",
        LoadingModel = "loading_model",
        DetectingLanguage = "detecting_language",
        ExtractingAudio = "extracting_audio",
        Transcribing = "transcribing",
        Translating = "translating",
        GeneratingSubtitles = "generating_subtitles",
        PostProcessing = "post_processing",
        Finalizing = "finalizing",
    }
}

/// Where the sound is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Source {
    /// A media file; `track` is the index among its audio streams (0 is the first), `None` lets us choose.
    Path { path: PathBuf, track: Option<u32> },
    /// An upload in the spool of the node `home`, by its BLAKE3 hash (hex). `raw`: s16le, mono, 16 kHz, no header.
    Spool { hash: String, raw: bool },
}

/// Options that change the text; part of the dedup key through their JSON form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_prompt: Option<String>,
    /// Words and names that may come up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hotwords: Vec<String>,
    /// Names and title of the film, as a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where the file has several tracks and nothing says which one is meant: the first of these languages that is
    /// there is heard.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audio_languages: Vec<Language>,
    /// A model asked for by name or path; `None` lets preset and configuration choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The limits of the layout, a `subtitle::Profile` as JSON; `None` is Netflix's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<serde_json::Value>,
    /// A stable-ts regroup string that `subtitle::Regroup` understands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regroup: Option<String>,
    /// Each word is marked while it is spoken, where a format can.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub word_highlight: bool,
}

/// A job that is asked for.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub kind: JobKind,
    pub origin: Origin,
    pub source: Source,
    /// The node whose spool holds the upload; `None`: any node that can read the path.
    pub home: Option<String>,
    /// For people: the film's name or the upload's.
    pub file_name: String,
    pub task: Task,
    /// The language spoken; `None` is to be found out.
    pub source_lang: Option<Language>,
    /// The language of the subtitle; `None` is that of the task.
    pub target_lang: Option<Language>,
    pub preset: Preset,
    pub options: Options,
    /// As asked for, before the origin's bonus.
    pub priority: i64,
    /// The dedup key, hex (design.md, "Dedup").
    pub key: String,
    /// How good the result would be (model and preset as one number): a stored result of at least this rank counts.
    pub rank: i64,
    /// Where the subtitle file goes; `None`: into the database alone.
    pub output: Option<PathBuf>,
    pub max_retries: u32,
}

/// A job as stored.
#[derive(Debug, Clone)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    pub origin: Origin,
    pub source: Source,
    pub home: Option<String>,
    pub file_name: String,
    pub task: Task,
    pub source_lang: Option<Language>,
    pub target_lang: Option<Language>,
    pub preset: Preset,
    pub options: Options,
    /// With the origin's bonus.
    pub priority: i64,
    pub key: String,
    pub rank: i64,
    pub output: Option<PathBuf>,
    pub state: JobState,
    pub stage: Stage,
    /// 0 to 100.
    pub progress: f64,
    pub eta_ms: Option<Millis>,
    pub created_at: Millis,
    pub started_at: Option<Millis>,
    pub completed_at: Option<Millis>,
    pub error: Option<String>,
    pub retry_count: u32,
    pub max_retries: u32,
    /// Node and device of the claim, `node/cpu`.
    pub worker: Option<String>,
    pub segments_count: Option<u32>,
    pub model_used: Option<String>,
    pub device_used: Option<String>,
    pub processing_ms: Option<Millis>,
    /// Where the subtitle file was written.
    pub output_path: Option<PathBuf>,
}

/// The right to work on a job until `until`; every write of the holder names the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub job: JobId,
    pub token: Uuid,
    pub until: Millis,
}

#[cfg(test)]
mod tests {
    use super::{Event, JobState};

    /// Rows are states, columns events: a change here is a change of the contract.
    #[test]
    fn the_table_of_moves_is_the_golden_one() {
        let mut table = String::new();
        for state in JobState::ALL {
            for event in Event::ALL {
                let to = state.after(*event).map_or("-", JobState::as_str);
                table += &format!("{state} {event} {to}\n");
            }
        }
        assert_eq!(table, include_str!("../tests/golden/job_moves.txt"));
    }
}
