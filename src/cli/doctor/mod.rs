//! `transcriptord doctor`: what is there, what is missing, what to do about it. Mends nothing.

mod checks;

use super::{Failure, print};
use crate::config::{self, Flags};
use argh::FromArgs;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Check database, API key, models, devices, ffmpeg and folders, and say what to do about each.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "doctor",
    note = "It reads the same configuration as 'serve' and mends nothing. Exit code 1 when something stands in the way."
)]
pub struct Doctor {
    /// configuration file (TOML)
    #[argh(option, arg_name = "file")]
    config: Option<PathBuf>,
    /// folder of the database and the uploads
    #[argh(option, arg_name = "dir")]
    data_dir: Option<String>,
    /// folder of the models
    #[argh(option, arg_name = "dir")]
    models_dir: Option<String>,
    /// model by name or path
    #[argh(option, arg_name = "name|path")]
    model: Option<String>,
    /// what transcribes: cpu, cuda:0 or vulkan:0
    #[argh(option, arg_name = "name")]
    device: Option<String>,
    /// a folder with media; may be given several times
    #[argh(option, arg_name = "path")]
    library: Vec<String>,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    Ok,
    /// Something will not be possible, or slow.
    Warn,
    /// Jobs will wait or fail.
    Fail,
}

/// One thing looked at.
#[derive(Debug)]
pub(super) struct Finding {
    pub grade: Grade,
    pub what: &'static str,
    /// What was found.
    pub is: String,
    /// What to do about it; empty when nothing.
    pub todo: String,
}

impl Doctor {
    /// Fails when a finding does.
    pub fn run(self) -> Result<(), Failure> {
        let flags = Flags {
            config: self.config,
            data_dir: self.data_dir,
            models_dir: self.models_dir,
            model: self.model,
            device: self.device,
            library: self.library,
            ..Flags::default()
        };
        let config = config::read(&flags)?;
        let file = config::find(&flags, &|name| std::env::var(name).ok());
        let colour = std::io::stdout().is_terminal();
        let mut grave = 0;
        for check in checks::ALL {
            for finding in check(&config, file.as_deref()) {
                grave += usize::from(finding.grade == Grade::Fail);
                print(&line(&finding, colour))?;
            }
        }
        match grave {
            0 => Ok(()),
            1 => Err(Failure::failed("one thing stands in the way")),
            n => Err(Failure::failed(format!("{n} things stand in the way"))),
        }
    }
}

fn line(finding: &Finding, colour: bool) -> String {
    let (word, code) = match finding.grade {
        Grade::Ok => ("ok", "32"),
        Grade::Warn => ("warn", "33"),
        Grade::Fail => ("fail", "31"),
    };
    let word = if colour { format!("\x1b[{code}m{word:4}\x1b[0m") } else { format!("{word:4}") };
    let mut text = format!("{word}  {:11} {}\n", finding.what, finding.is);
    if !finding.todo.is_empty() {
        text += &format!("      {:11} -> {}\n", "", finding.todo);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Finding, Grade, line};

    #[test]
    fn a_finding_is_a_line_and_what_to_do_another() {
        let mut finding = Finding { grade: Grade::Ok, what: "ffmpeg", is: "7.1".into(), todo: String::new() };
        assert_eq!(line(&finding, false), "ok    ffmpeg      7.1\n");
        finding.grade = Grade::Warn;
        finding.todo = "install it".into();
        assert_eq!(line(&finding, false), "warn  ffmpeg      7.1\n                  -> install it\n");
    }
}
