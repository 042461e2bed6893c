//! Boot facts, merged once: file < environment and `.env` < flags. Does not know what they are used for.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::device::Device;
use crate::job::Preset;
pub use crate::language::Naming;
use crate::model::ComputeType;
pub use bazarr::Bazarr;
pub use doors::{AuthRequired, Doors, Secret};
pub use hearing::Hearing;
use sources::Given;
pub use sources::Source;
pub use wording::Wording;

/// Why there is no configuration. Each text names the key and the place it came from.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: this is not TOML: {problem}")]
    Syntax { path: String, problem: String },
    #[error("{place}: there is no such key{hint}")]
    Unknown { place: String, hint: String },
    #[error("{place}: {problem}")]
    Value { place: String, problem: String },
    #[error("{path}: cannot be read: {problem}")]
    File { path: String, problem: String },
    #[error("data_dir: no STATE_DIRECTORY, XDG_DATA_HOME or HOME says where data goes: give --data-dir DIR")]
    NoDataDir,
}

/// Declares an enum whose variants are words in a configuration, with `FromStr` and `Display`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(s: &str) -> Result<$name, String> {
                match s {
                    $($word => Ok($name::$variant),)+
                    _ => Err(format!("'{s}' is not one of {}", [$($word),+].join(", "))),
                }
            }
        }
    };
}

/// Makes a [`Key`] of one value with the variable `TRANSCRIPTORD_<KEY>` and the further names given.
macro_rules! key {
    ($name:literal, $env:literal, $set:expr) => {
        $crate::config::keys::Key {
            name: $name,
            env: &[concat!("TRANSCRIPTORD_", $env)],
            list: false,
            set: $set,
        }
    };
}

/// The same for a key that takes several values.
macro_rules! list {
    ($name:literal, $env:literal, $set:expr) => {
        $crate::config::keys::Key {
            name: $name,
            env: &[concat!("TRANSCRIPTORD_", $env)],
            list: true,
            set: $set,
        }
    };
}

// After the macros, which some of them use.
mod bazarr;
mod doors;
mod hearing;
mod keys;
mod sources;
mod wording;

words! {
    /// Where Whisper runs.
    PoolMode {
        /// A process of its own for each device: a crash in there costs a window, not the daemon.
        Processes = "processes",
        /// Threads inside the daemon.
        InProcess = "in-process",
    }
}

words! {
    /// What the provider answers when nobody speaks.
    NoSpeech {
        /// An empty body: Bazarr keeps the item on its list.
        Empty = "empty",
        /// A blank subtitle: Bazarr saves it and asks no more.
        Blank = "blank",
    }
}

/// All that is decided before anything starts. Paths are absolute.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    /// Where `ggml-*.bin` files are looked for and put.
    pub models_dir: PathBuf,
    /// `sqlite:///absolute/path` or `sqlite::memory:`.
    pub database_url: String,
    /// Name or path; `None` lets the preset choose from what is installed.
    pub model: Option<String>,
    /// How weights are stored on a CPU and on a GPU.
    pub cpu_compute_type: ComputeType,
    pub gpu_compute_type: ComputeType,
    /// Where forms of models are kept that were made from f16.
    pub cache_dir: PathBuf,
    /// Threads that transcribe, on each device; `None` lets the machine decide.
    pub workers: Option<usize>,
    pub device: Device,
    /// Folders that hold media. Jobs by path are allowed inside them only.
    pub library: Vec<PathBuf>,
    pub pool: PoolMode,
    /// Jobs open at once on one device.
    pub concurrent_transcriptions: usize,
    pub lease_seconds: u64,
    /// A worker process without work ends after this and gives its memory back; 0 keeps it.
    pub model_idle_seconds: u64,
    /// Memory that all of the daemon may take; 0: a share of what is free.
    pub memory_limit_mb: u64,
    /// So many minutes of waiting are worth one point of priority; 0: none are.
    pub priority_ageing_minutes: u64,
    pub max_retries: u32,
    pub max_upload_mb: u64,
    pub provider_heartbeat_seconds: u64,
    pub provider_no_speech: NoSpeech,
    pub provider_quality_preset: Preset,
    pub quality_preset: Preset,
    /// Threads inside one session; `None` divides the cores among the workers.
    pub whisper_threads: Option<usize>,
    pub log_level: log::LevelFilter,
    pub subtitle_language_naming_type: Naming,
    /// Who is let in, how much is kept, who is told.
    pub doors: Doors,
    /// Bazarr's own address and paths.
    pub bazarr: Bazarr,
    /// How the text is laid out.
    pub wording: Wording,
    /// What Whisper is told beforehand, and which track is heard.
    pub hearing: Hearing,
    /// What was written as a setting and is none, one sentence each.
    pub strangers: Vec<String>,
}

/// What the command line said, as typed. Each command fills in the flags that it has.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    pub data_dir: Option<String>,
    pub models_dir: Option<String>,
    pub database_url: Option<String>,
    pub model: Option<String>,
    pub workers: Option<String>,
    pub device: Option<String>,
    pub library: Vec<String>,
    pub pool: Option<String>,
    pub whisper_threads: Option<String>,
    pub log_level: Option<String>,
    pub subtitle_profile: Option<String>,
    pub custom_regroup: Option<String>,
    pub word_level_highlight: Option<String>,
    pub initial_prompt: Option<String>,
    pub hotwords: Vec<String>,
    pub prompt_from_title: bool,
    /// Any keys, as `KEY=VALUE`.
    pub set: Vec<String>,
}

/// Merges what was given; later wins: default, file, environment and `.env`, flags.
///
/// `env` looks up one variable; `dotenv` and `file` are contents, with the file's path for messages. An empty
/// variable counts as absent. Fails on the first value that does not fit and on an unknown key of the file.
pub fn load(
    flags: &Flags,
    env: &dyn Fn(&str) -> Option<String>,
    dotenv: Option<&str>,
    file: Option<(&Path, &str)>,
) -> Result<Config, Error> {
    let mut given = Vec::new();
    if let Some((path, text)) = file {
        given.extend(sources::file(path, text)?);
    }
    given.extend(sources::environment(env, dotenv));
    given.extend(sources::flags(flags)?);

    let mut draft = keys::Draft::default();
    for Given { key, raw, source } in given {
        (key.set)(&mut draft, &raw).map_err(|problem| Error::Value { place: source.to_string(), problem })?;
    }
    draft.settle(env)
}

/// [`load`] from this process's environment, the `.env` of the working folder, and the file that
/// `--config` or `TRANSCRIPTORD_CONFIG` names, else the first of [`places`] that exists.
pub fn read(flags: &Flags) -> Result<Config, Error> {
    let env = |name: &str| std::env::var(name).ok();
    let dotenv = optional(Path::new(".env"))?;
    let file = match find(flags, &env) {
        Some(path) => Some((path.clone(), must(&path)?)),
        None => None,
    };
    let file = file.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
    let config = load(flags, &env, dotenv.as_deref(), file)?;
    // Names that are no text are none of ours.
    let mut names: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    names.sort();
    Ok(Config { strangers: sources::strangers(names.into_iter(), dotenv.as_deref()), ..config })
}

/// The configuration file in force, if there is one: asked for, or found.
pub fn find(flags: &Flags, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let asked =
        flags.config.clone().or_else(|| sources::present(env, "TRANSCRIPTORD_CONFIG").map(PathBuf::from));
    asked.or_else(|| places(env).into_iter().find(|path| path.is_file()))
}

/// Where a configuration file is looked for, first to last.
pub fn places(env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let home = sources::present(env, "XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| sources::present(env, "HOME").map(|home| Path::new(&home).join(".config")));
    let mut places = vec![PathBuf::from("transcriptord.toml")];
    places.extend(home.map(|home| home.join("transcriptord").join("transcriptord.toml")));
    places.push(PathBuf::from("/etc/transcriptord/transcriptord.toml"));
    places
}

fn optional(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::File { path: path.display().to_string(), problem: e.to_string() }),
    }
}

fn must(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path)
        .map_err(|e| Error::File { path: path.display().to_string(), problem: e.to_string() })
}

#[cfg(test)]
mod tests;
