//! `transcriptord key`. Does not know who needs the key.

use super::{Failure, print};
use crate::config::{self, AuthRequired, Config, Flags};
use crate::http;
use argh::FromArgs;
use std::path::PathBuf;

/// Print the API key, and the endpoint to enter in Bazarr.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "key",
    example = "{command_name}\n\
        curl -H \"X-Api-Key: $({command_name} --only)\" http://nas:9000/api/jobs",
    note = "Callers on the daemon's own machine need no key, unless auth_required says so. The key is in \
        DATA_DIR/api_key, made now if the daemon was never started; delete the file and start the daemon again for a \
        new one."
)]
pub struct Key {
    /// print the key and nothing else
    #[argh(switch)]
    only: bool,
    /// folder of the database and the uploads
    #[argh(option, arg_name = "dir")]
    data_dir: Option<String>,
    /// address and port of the HTTP server, as 'serve' was given it
    #[argh(option, arg_name = "addr:port")]
    listen: Option<String>,
    /// configuration file (TOML)
    #[argh(option, arg_name = "file")]
    config: Option<PathBuf>,
}

impl Key {
    pub fn run(self) -> Result<(), Failure> {
        let config = super::configured(&Flags {
            config: self.config,
            data_dir: self.data_dir,
            listen: self.listen,
            ..Flags::default()
        })?;
        let key = key(&config)?;
        if self.only {
            return print(&format!("{key}\n"));
        }
        print(&told(&config, &key))
    }
}

fn key(config: &Config) -> Result<String, Failure> {
    if let Some(key) = &config.doors.api_key {
        return Ok(key.0.clone());
    }
    std::fs::create_dir_all(&config.data_dir).map_err(|e| {
        Failure::failed(format!("the data folder {} cannot be made: {e}", config.data_dir.display()))
    })?;
    http::key::read_or_make(&config.data_dir).map_err(Failure::failed)
}

/// The key and what to do with it.
fn told(config: &Config, key: &str) -> String {
    let (ip, port) = (config.listen.ip(), config.listen.port());
    let host = match ip {
        ip if ip.is_unspecified() => crate::serve::node(),
        ip if ip.is_ipv6() => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    let mut text = format!("API key:             {key}\nEndpoint in Bazarr:  http://{host}:{port}/{key}\n");
    match config.doors.auth_required {
        AuthRequired::Never => text += "No caller needs the key: auth_required is 'never'.\n",
        AuthRequired::External => {
            text += &format!("On this machine itself http://127.0.0.1:{port} does without the key.\n");
        }
        AuthRequired::Always => {}
    }
    if config.doors.api_key.is_none() {
        let file = http::key::path(&config.data_dir);
        text +=
            &format!("It is the key in {}; a daemon with another data folder has its own.\n", file.display());
    }
    if ip.is_loopback() {
        text += "The daemon listens for this machine alone: 'transcriptord serve --listen 0.0.0.0:9000' lets others \
                 in.\n";
    }
    text
}

/// The key for a daemon at `server`: from the environment, or, when it is on this machine, from the data folder.
/// Nothing when there is none or it cannot be read: most daemons need none from here.
pub fn for_server(server: &str) -> Option<String> {
    let given = std::env::var("TRANSCRIPTORD_API_KEY").ok().filter(|key| !key.trim().is_empty());
    given.or_else(|| {
        let url = reqwest::Url::parse(server).ok()?;
        // The key of this machine's daemon is nobody else's business.
        let here = url.host_str().is_some_and(|host| {
            let ip: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
            host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())
        });
        let config = here.then(|| config::read(&Flags::default()).ok()).flatten()?;
        match config.doors.api_key {
            Some(key) => Some(key.0),
            None => http::key::read(&config.data_dir).ok().flatten(),
        }
    })
}
