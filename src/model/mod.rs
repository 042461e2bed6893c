//! Whisper models as files: which exist, what is in them, how they get here. Does not know whisper.cpp or jobs.

mod catalogue;
mod check;
mod choose;
mod compute;
mod convert;
mod ct2;
mod forms;
mod gather;
mod header;
mod import;
mod installed;
mod joined;
mod mapping;
mod mel;
mod naming;
mod pull;
mod quantize;
#[cfg(test)]
pub(crate) mod samples;
mod tensors;
mod vocabulary;
mod weights;
mod write;

pub use catalogue::{CATALOGUE, Catalogued, catalogued};
pub use check::{check, parts};
pub use choose::{choose, choose_among, choose_in, smallest_multilingual};
pub use compute::ComputeType;
pub use convert::{Converted, convert};
pub use forms::{Ending, Form, Standing};
pub use header::Header;
pub use import::{Imported, import};
pub use installed::{Installed, find, installed, survey};
pub use pull::{BASE_URL, Pulled, pull, pull_from};
pub use weights::WeightType;

use std::io;
use std::path::{Path, PathBuf};

/// What can be wrong with a model or the way to it. Each text is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is something else: `what` names it, `hint` says what to do instead.
    #[error("'{path}' is {what}, not a Whisper model file of whisper.cpp: {hint}")]
    WrongKind { path: PathBuf, what: &'static str, hint: &'static str },
    /// The file begins as a model and then is not one: cut short, overwritten, or longer than it should be.
    #[error("the model file '{path}' is damaged ({why}): delete it and get it again")]
    Damaged { path: PathBuf, why: String },
    /// A whole file that whisper.cpp would stumble over.
    #[error("the model file '{path}' cannot be used: {why}")]
    Unusable { path: PathBuf, why: String },
    /// What `import` was given is not a model it can read.
    #[error("cannot import '{path}': {why}")]
    Source { path: PathBuf, why: String },
    /// `import` and `convert` write fewer weight types than whisper.cpp reads.
    #[error("weights of type {0} cannot be made here: use one of f16, q8_0, q5_1, bf16")]
    NotWritable(WeightType),
    /// Nothing of that name is in the models folder.
    #[error(
        "the model '{name}' is not installed: run `transcriptord model pull {name}`, or `transcriptord model import PATH` \
         with a faster-whisper folder or a ggml file, or put 'ggml-{name}.bin' into '{dir}'"
    )]
    NotInstalled { name: String, dir: PathBuf },
    /// No model at all, or none that can do what is asked.
    #[error("no installed model can {wanted}: {hint}")]
    NoneFits { wanted: String, hint: String },
    /// The configured model cannot do what is asked.
    #[error("the model '{model}' cannot {wanted}: {hint}")]
    Unfit { model: String, wanted: String, hint: String },
    #[error("unknown model '{name}': `pull` knows {known}")]
    NotCatalogued { name: String, known: String },
    /// A name that would leave the models folder.
    #[error("'{0}' cannot be a model's name: use letters, digits, '.', '-' and '_'")]
    BadName(String),
    /// The host of the models cannot be reached, or refuses.
    #[error(
        "cannot download '{url}' ({why}): try again later, or run `transcriptord model import PATH` with a faster-whisper \
         folder or a ggml file that you have, or put '{file}' into '{dir}' by hand"
    )]
    Unreachable { url: String, why: String, file: String, dir: PathBuf },
    /// The connection broke; what had come is kept.
    #[error(
        "the download of '{url}' broke off at {done} of {total} bytes ({why}): run the same command again to go on from there"
    )]
    BrokeOff { url: String, done: u64, total: u64, why: String },
    #[error("'{url}' came with SHA-1 {got}, but {want} is published: it was deleted, try again")]
    Checksum { url: String, got: String, want: &'static str },
    #[error("another process is downloading '{0}': wait for it, or end it")]
    Busy(PathBuf),
    #[error("cannot {doing} '{path}': {source}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
}

impl Error {
    /// True when a model that is put in its place, or a disk that is back, cures it: a job can wait for that.
    pub fn may_come(&self) -> bool {
        matches!(self, Error::NotInstalled { .. } | Error::NoneFits { .. } | Error::Io { .. })
            || self.file().is_some()
    }

    /// The file that is no model, or not a whole one.
    fn file(&self) -> Option<&Path> {
        match self {
            Error::WrongKind { path, .. } | Error::Damaged { path, .. } | Error::Unusable { path, .. } => {
                Some(path)
            }
            _ => None,
        }
    }

    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { doing, path: path.to_owned(), source }
    }
}
