//! The command line: words in, one call down, an exit code out. Does not know how anything is done.

pub mod doctor;
pub mod job;
pub mod key;
mod log;
pub mod model;
mod output;
mod progress;
pub mod serve;
pub mod transcribe;
pub mod worker;

use crate::config::{self, Config, Flags};
use argh::FromArgs;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Turns speech in video into subtitles: for Bazarr, for a media library, and for scripts.
#[derive(FromArgs)]
#[argh(
    name = "transcriptord",
    example = "Serve Bazarr on this machine (http://127.0.0.1:9000):\n  \
        {command_name} model pull small\n  \
        {command_name} serve\n\
        Subtitle a film without a daemon, the .srt goes beside it:\n  \
        {command_name} transcribe film.mkv\n\
        Ask the daemon for one, and follow it:\n  \
        {command_name} job add --language de --wait /media/films/film.mkv\n\
        Find out what is missing:\n  \
        {command_name} doctor",
    note = "Each command explains itself: {command_name} COMMAND --help\n\
        Settings may also stand in a file or the \
        environment; README.md lists them.",
    error_code(0, "It was done."),
    error_code(1, "It failed; the last line says why and what to do."),
    error_code(2, "The command line or the configuration is wrong; nothing was done.")
)]
pub struct TopLevel {
    /// print the version and end
    #[argh(switch)]
    version: bool,
    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Serve(serve::Serve),
    Transcribe(transcribe::Transcribe),
    Job(job::Command),
    Key(key::Key),
    Model(model::Command),
    Doctor(doctor::Doctor),
    Worker(worker::Worker),
}

/// Why a command did not succeed; decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What was asked for makes no sense: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It did not work: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// It did not work and everything has been said already: exit code 1.
    #[error("")]
    Told,
    /// The reader of our output has gone, as with `| head`: that is no failure.
    #[error("")]
    NobodyReads,
}

impl Failure {
    pub fn failed(why: impl std::fmt::Display) -> Failure {
        Failure::Failed(why.to_string())
    }
}

impl From<crate::config::Error> for Failure {
    fn from(e: crate::config::Error) -> Failure {
        Failure::Usage(e.to_string())
    }
}

/// Runs one command, given the words after the program's name. 0: done, 1: failed, 2: wrong usage.
pub fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    // The only TLS provider in the program; every HTTPS client below uses it. A second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = understand(words).and_then(|asked| match asked {
        Asked::Text(text) => print(&text),
        Asked::Run(command) => match *command {
            Command::Serve(serve) => serve.run(),
            Command::Transcribe(transcribe) => transcribe.run(),
            Command::Job(job) => job.run(),
            Command::Key(key) => key.run(),
            Command::Model(model) => model.run(),
            Command::Doctor(doctor) => doctor.run(),
            Command::Worker(worker) => worker.run(),
        },
    });
    match done {
        Ok(()) | Err(Failure::NobodyReads) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::from(1),
        Err(Failure::Failed(why)) => {
            eprintln!("transcriptord: {why}");
            ExitCode::from(1)
        }
        Err(Failure::Usage(why)) => {
            eprintln!("transcriptord: {}", why.trim_end());
            ExitCode::from(2)
        }
    }
}

/// The configuration, for a command that has no log: what is no setting is told at once.
fn configured(flags: &Flags) -> Result<Config, Failure> {
    let config = config::read(flags)?;
    name_strangers(&config);
    Ok(config)
}

fn name_strangers(config: &Config) {
    for stranger in &config.strangers {
        eprintln!("transcriptord: warning: {stranger}");
    }
}

enum Asked {
    Text(String),
    Run(Box<Command>),
}

fn understand(words: impl Iterator<Item = OsString>) -> Result<Asked, Failure> {
    let words = spell_out(words)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match TopLevel::from_args(&["transcriptord"], &words) {
        Ok(TopLevel { version: true, .. }) => {
            Ok(Asked::Text(format!("transcriptord {}\n", env!("CARGO_PKG_VERSION"))))
        }
        Ok(TopLevel { command: Some(command), .. }) => Ok(Asked::Run(Box::new(command))),
        Ok(TopLevel { command: None, .. }) => {
            Err(Failure::Usage("say what to do: 'transcriptord --help' lists the commands".to_string()))
        }
        Err(argh::EarlyExit { output, status: Ok(()) }) => {
            Ok(Asked::Text(format!("{}\n", output.trim_end())))
        }
        Err(argh::EarlyExit { output, status: Err(()) }) => Err(Failure::Usage(output)),
    }
}

/// What argh leaves out: `--flag=value`, `-h` and `-V`. After `--` nothing is touched.
fn spell_out(words: impl Iterator<Item = OsString>) -> Result<Vec<String>, Failure> {
    let mut plain = Vec::new();
    let mut rest = false;
    for word in words {
        let word = word
            .into_string()
            .map_err(|word| Failure::Usage(format!("{} is not UTF-8: rename it", word.display())))?;
        rest |= word == "--";
        match word.as_str() {
            _ if rest => plain.push(word),
            "-h" => plain.push("--help".to_string()),
            "-V" => plain.push("--version".to_string()),
            _ => match word.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => {
                    plain.extend([flag.to_string(), value.to_string()]);
                }
                _ => plain.push(word),
            },
        }
    }
    Ok(plain)
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::failed(format!("standard output cannot be written: {e}")),
    })
}

#[cfg(test)]
mod tests {
    use super::spell_out;
    use std::ffi::OsString;

    fn check(given: &[&str], expected: &[&str]) {
        let words = spell_out(given.iter().map(OsString::from)).unwrap();
        assert_eq!(words, expected);
    }

    #[test]
    fn a_value_may_be_joined_to_its_flag() {
        check(&["serve", "--workers=2"], &["serve", "--workers", "2"]);
        check(&["serve", "--model=a=b"], &["serve", "--model", "a=b"]);
        check(&["transcribe", "a=b.mkv"], &["transcribe", "a=b.mkv"]);
    }

    #[test]
    fn short_forms_of_help_and_version_are_known_until_the_double_dash() {
        check(&["-h"], &["--help"]);
        check(&["-V"], &["--version"]);
        check(&["transcribe", "--", "-h", "--x=y"], &["transcribe", "--", "-h", "--x=y"]);
    }
}
