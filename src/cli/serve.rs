//! `transcriptord serve`. Does not know what a daemon consists of.

use super::{Failure, log};
use crate::config::{self, Flags, PoolMode};
use crate::pool::builds;
use argh::FromArgs;
use std::path::PathBuf;

/// Run the daemon: it answers Bazarr, the REST API and 'transcriptord job'.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "serve",
    example = "{command_name}\n\
        {command_name} --listen 0.0.0.0:9000 --library /media/films --library /media/series\n\
        {command_name} --config /etc/transcriptord/transcriptord.toml",
    note = "It starts without a model, a GPU or ffmpeg: jobs then wait, and /health says what is missing.\n\
        In Bazarr: Settings, Providers, Whisper, endpoint http://127.0.0.1:9000; from elsewhere what 'transcriptord key' \
        prints.\n\
        SIGTERM ends it; running jobs go on \
        from where they were at the next start."
)]
pub struct Serve {
    /// address and port of the HTTP server (default 127.0.0.1:9000)
    #[argh(option, arg_name = "addr:port")]
    listen: Option<String>,
    /// folder of the database and the uploads (default: STATE_DIRECTORY, else ~/.local/share/transcriptord)
    #[argh(option, arg_name = "dir")]
    data_dir: Option<String>,
    /// folder of the models (default: 'models' in the data folder)
    #[argh(option, arg_name = "dir")]
    models_dir: Option<String>,
    /// where jobs are kept (default: sqlite:///DATA_DIR/transcriptord.db)
    #[argh(option, arg_name = "url")]
    database_url: Option<String>,
    /// model for everything, by name or path (default: each quality preset picks from those installed)
    #[argh(option, arg_name = "name|path")]
    model: Option<String>,
    /// threads that transcribe (default: what suits the machine)
    #[argh(option, arg_name = "n")]
    workers: Option<String>,
    /// threads inside each of them (default: the cores divided among the workers)
    #[argh(option, arg_name = "n")]
    threads: Option<String>,
    /// what transcribes: cpu, cuda:0 or vulkan:0 (default cpu)
    #[argh(option, arg_name = "name")]
    device: Option<String>,
    /// a folder with media; may be given several times. Jobs by path are allowed inside these only
    #[argh(option, arg_name = "path")]
    library: Vec<String>,
    /// configuration file (TOML)
    #[argh(option, arg_name = "file")]
    config: Option<PathBuf>,
    /// where Whisper runs: 'processes' survives a crash of the engine, 'in-process' is one process (default processes)
    #[argh(option, arg_name = "mode")]
    pool: Option<String>,
    /// off, error, warn, info, debug or trace (default info)
    #[argh(option, arg_name = "level")]
    log_level: Option<String>,
    /// any key of the configuration, as KEY=VALUE; may be given several times
    #[argh(option, arg_name = "key=value")]
    set: Vec<String>,
}

impl Serve {
    /// Returns when the daemon has shut down.
    pub fn run(self) -> Result<(), Failure> {
        let config = config::read(&Flags {
            config: self.config,
            listen: self.listen,
            data_dir: self.data_dir,
            models_dir: self.models_dir,
            database_url: self.database_url,
            model: self.model,
            workers: self.workers,
            device: self.device,
            library: self.library,
            pool: self.pool,
            whisper_threads: self.threads,
            log_level: self.log_level,
            set: self.set,
            ..Flags::default()
        })?;
        log::start(config.log_level);
        config.strangers.iter().for_each(|stranger| ::log::warn!("{stranger}"));
        if config.pool == PoolMode::InProcess {
            builds::become_best(config.device, |why| ::log::warn!("{why}"));
        }
        crate::serve::run(config).map_err(Failure::failed)
    }
}
