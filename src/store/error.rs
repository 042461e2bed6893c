//! What can go wrong with a database. Knows no SQL and no jobs.

use super::db::Dialect;
use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database is busy: another process has been writing for longer than {waited_s} s, try again")]
    Busy { waited_s: u64 },
    /// Also what the file system calls an I/O error: with a full disk SQLite reports either.
    #[error(
        "the disk under the database is full or failing ({detail}): free some space, then the queue goes on by itself"
    )]
    Full { detail: String },
    #[error("the database cannot be reached ({detail}): start it or check the database URL")]
    Lost { detail: String },
    /// Another writer got there first. `Store::write` runs the change again.
    #[error("another writer changed the same rows at the same time ({detail}): try again")]
    Conflict { detail: String },
    #[error("cannot open the database {}: {detail}", path.display())]
    Open { path: PathBuf, detail: String },
    #[error(
        "the folder {} is on a network file system ({fs}), where SQLite loses data: put the data folder on a local disk, or use PostgreSQL or MariaDB",
        folder.display()
    )]
    Network { folder: PathBuf, fs: &'static str },
    #[error(
        "the database was made by a newer version (schema {found}, this program knows up to {known}): install that version again, or start with another data folder"
    )]
    Newer { found: i64, known: i64 },
    #[error("the database URL '{0}' is not understood: write sqlite:///absolute/path/of/the.db")]
    Url(String),
    #[error("{} is not built into this version yet: use a URL that starts with sqlite://", .0.as_str())]
    NotBuilt(Dialect),
    #[error("the database is read-only: check who owns its file and folder")]
    ReadOnly,
    #[error(
        "the database is damaged ({0}): stop the program, keep a copy of the file, and restore it from a backup"
    )]
    Corrupt(String),
    #[error("the path '{}' is not valid UTF-8 and cannot be stored: rename the file", .0.display())]
    NotUtf8(PathBuf),
    #[error("the database refused a statement: {0}")]
    Other(String),
}

impl Error {
    /// True when the same call may well succeed a little later without anybody changing the program.
    pub fn passes(&self) -> bool {
        matches!(self, Error::Busy { .. } | Error::Full { .. } | Error::Lost { .. } | Error::Conflict { .. })
    }
}
