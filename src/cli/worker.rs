//! `transcriptord worker`. Does not know how windows become words.

use super::{Failure, log, print};
use crate::config::{self, Flags};
use crate::pool::builds::{self, About};
use argh::FromArgs;
use std::path::PathBuf;

/// Transcribe jobs of the shared queue on one device.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "worker",
    note = "The daemon starts one by itself for each device. Start one by hand on another machine that shares the \
        database."
)]
pub struct Worker {
    /// what transcribes: cpu, cuda:0 or vulkan:0 (default cpu)
    #[argh(option, arg_name = "name")]
    pub device: Option<String>,
    /// configuration file (TOML)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
    /// folder of the database and the uploads
    #[argh(option, arg_name = "dir")]
    pub data_dir: Option<String>,
    /// folder of the models
    #[argh(option, arg_name = "dir")]
    pub models_dir: Option<String>,
    /// where jobs are kept
    #[argh(option, arg_name = "url")]
    pub database_url: Option<String>,
    /// model for everything, by name or path
    #[argh(option, arg_name = "name|path")]
    pub model: Option<String>,
    /// threads that transcribe
    #[argh(option, arg_name = "n")]
    pub workers: Option<String>,
    /// threads inside each of them
    #[argh(option, arg_name = "n")]
    pub threads: Option<String>,
    /// off, error, warn, info, debug or trace (default info)
    #[argh(option, arg_name = "level")]
    pub log_level: Option<String>,
    /// say what this program is, for the daemon that may start it
    #[argh(switch, hidden_help)]
    pub about: bool,
    /// the file descriptor on which the daemon that started this process speaks
    #[argh(option, arg_name = "fd", hidden_help)]
    pub hints: Option<i32>,
}

impl Worker {
    /// What the command line says about the configuration.
    pub fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            models_dir: self.models_dir.clone(),
            database_url: self.database_url.clone(),
            model: self.model.clone(),
            workers: self.workers.clone(),
            device: self.device.clone(),
            whisper_threads: self.threads.clone(),
            log_level: self.log_level.clone(),
            ..Flags::default()
        }
    }

    /// Returns when the daemon that started it has gone, when it was told to stop, or on SIGTERM.
    pub fn run(self) -> Result<(), Failure> {
        if self.about {
            let about = About::tried().map_err(Failure::failed)?;
            return print(&format!("{}\n", serde_json::to_string(&about).map_err(Failure::failed)?));
        }
        if let Some(fd) = self.hints {
            log::start(
                self.log_level.as_deref().and_then(|l| l.parse().ok()).unwrap_or(::log::LevelFilter::Info),
            );
            return crate::serve::attached(fd).map_err(Failure::failed);
        }
        let config = config::read(&self.flags())?;
        log::start(config.log_level);
        config.strangers.iter().for_each(|stranger| ::log::warn!("{stranger}"));
        builds::become_best(config.device, |why| ::log::warn!("{why}"));
        crate::serve::worker(&config).map_err(Failure::failed)
    }
}
