//! `transcriptord model`: what is installed, and three ways to get more. Does not know what is inside a model.

use super::{Failure, print, progress};
use crate::config::{Config, Flags};
use crate::model::{self, CATALOGUE, WeightType};
use crate::pool::builds::Builds;
use crate::pool::forms::Outlook;
use argh::FromArgs;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// List, download and convert Whisper models.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "model",
    example = "{command_name} list\n\
        {command_name} pull small\n\
        {command_name} import ~/.cache/huggingface/hub/models--Systran--faster-whisper-small/snapshots/*\n\
        {command_name} path small",
    note = "A third way: put a ggml-NAME.bin of whisper.cpp into the folder of the models by hand."
)]
pub struct Command {
    #[argh(subcommand)]
    what: What,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum What {
    List(List),
    Pull(Pull),
    Import(Import),
    Path(Where),
}

/// List the models that are installed, and those that can be pulled.
#[derive(FromArgs)]
#[argh(subcommand, name = "list")]
struct List {
    /// those installed only
    #[argh(switch)]
    installed: bool,
    /// folder of the models
    #[argh(option, arg_name = "dir")]
    models_dir: Option<String>,
}

/// Download a model; a download that broke off goes on where it was.
#[derive(FromArgs)]
#[argh(subcommand, name = "pull")]
struct Pull {
    /// a name of 'model list': tiny, base, small, medium, large-v3, large-v3-turbo, …
    #[argh(positional, arg_name = "name")]
    names: Vec<String>,
    /// folder of the models
    #[argh(option, arg_name = "dir")]
    models_dir: Option<String>,
}

/// Convert a model of faster-whisper (CTranslate2), as SubGen and whisper-asr-webservice use.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "import",
    example = "{command_name} --weights q8_0 faster-whisper-small",
    note = "Several folders are taken as parts of one model."
)]
struct Import {
    /// the folder with model.bin (or its parts) and the vocabulary; or a ggml file, to store it in another type
    #[argh(positional, arg_name = "folder")]
    folders: Vec<PathBuf>,
    /// how to call it (default: found out from its size)
    #[argh(option, arg_name = "name")]
    name: Option<String>,
    /// f16, bf16, q8_0 or q5_1: the smaller the faster and the less exact (default f16)
    #[argh(option, default = "String::from(\"f16\")", arg_name = "type")]
    weights: String,
    /// folder of the models
    #[argh(option, arg_name = "dir")]
    models_dir: Option<String>,
}

/// Print where a model's file is.
#[derive(FromArgs)]
#[argh(subcommand, name = "path")]
struct Where {
    /// its name
    #[argh(positional)]
    name: String,
    /// folder of the models
    #[argh(option, arg_name = "dir")]
    models_dir: Option<String>,
}

impl Command {
    /// Fails with the sentence of the model room.
    pub fn run(self) -> Result<(), Failure> {
        match self.what {
            What::List(List { installed, models_dir }) => print(&list(&config(models_dir)?, installed)),
            What::Pull(pull) => pull.run(),
            What::Import(import) => import.run(),
            What::Path(Where { name, models_dir }) => {
                let found = model::find(&folder(models_dir)?, &name).map_err(Failure::failed)?;
                print(&format!("{}\n", found.path.display()))
            }
        }
    }
}

fn config(models_dir: Option<String>) -> Result<Config, Failure> {
    super::configured(&Flags { models_dir, ..Flags::default() })
}

fn folder(models_dir: Option<String>) -> Result<PathBuf, Failure> {
    Ok(config(models_dir)?.models_dir)
}

fn list(config: &Config, installed_only: bool) -> String {
    let (dir, setup) = (&config.models_dir, crate::serve::setup(config));
    let kernels = Builds::here(config.device).used().about.kernels;
    let (installed, broken) = model::survey(dir);
    let mut text = format!("Installed in {}:\n", dir.display());
    for model in &installed {
        let header = &model.header;
        let outlook = format!("; {}", Outlook::of(&setup, model, &kernels));
        text += &line(&model.name, model.bytes, header.multilingual(), header.translates(), &outlook);
    }
    if installed.is_empty() {
        text += "  none\n";
    }
    for error in broken {
        text += &format!("  not usable: {error}\n");
    }
    if installed_only {
        return text;
    }
    text += "\nCan be pulled:\n";
    let here: BTreeSet<&str> = installed.iter().map(|model| model.name.as_str()).collect();
    for known in CATALOGUE.iter().filter(|known| !here.contains(known.name)) {
        let memory = format!(", about {} MB of memory", known.memory_mb);
        text += &line(known.name, known.bytes, known.multilingual, known.translates, &memory);
    }
    text
}

fn line(name: &str, bytes: u64, multilingual: bool, translates: bool, more: &str) -> String {
    let can = match (multilingual, translates) {
        (true, true) => "99 languages, translates",
        (true, false) => "99 languages",
        _ => "English only",
    };
    format!("  {name:22} {:>6.0} MB  {can}{more}\n", bytes as f64 / 1e6)
}

impl Pull {
    fn run(self) -> Result<(), Failure> {
        if self.names.is_empty() {
            return Err(Failure::Usage("say which model: 'transcriptord model list' names them".to_string()));
        }
        let dir = folder(self.models_dir)?;
        for name in &self.names {
            let bar = progress::bytes(name);
            let pulled = model::pull(&dir, name, &mut |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            let pulled = pulled.map_err(Failure::failed)?;
            let news = if pulled.fresh { "downloaded" } else { "was there" };
            let checked =
                if pulled.verified { "SHA-1 is the published one" } else { "no SHA-1 is published for it" };
            print(&format!("{}\n", pulled.path.display()))?;
            eprintln!("{} ({news}, {checked})", pulled.name);
        }
        Ok(())
    }
}

impl Import {
    fn run(self) -> Result<(), Failure> {
        let weights: WeightType = self.weights.parse().map_err(|_| {
            let text = format!("--weights: '{}' is not one of f16, bf16, q8_0, q5_1", self.weights);
            Failure::Usage(text)
        })?;
        let dir = folder(self.models_dir)?;
        if self.folders.is_empty() {
            return Err(Failure::Usage("say which folder holds the model".to_string()));
        }
        let bar = progress::bytes("converting");
        let imported =
            model::import(&self.folders, &dir, self.name.as_deref(), weights, &mut |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            });
        bar.finish_and_clear();
        let imported = imported.map_err(Failure::failed)?;
        let verdict = match (imported.published, imported.stock) {
            (true, _) => "verified: it is the published file, byte for byte".to_string(),
            (false, Some(stock)) => {
                format!("the weights of the published {stock}, stored as {}", self.weights)
            }
            _ => "not a known published model, which is fine for one that was trained further".to_string(),
        };
        print(&format!("{}\n", imported.path.display()))?;
        eprintln!("{} ({verdict}, SHA-1 {})", imported.name, imported.sha1);
        Ok(())
    }
}
