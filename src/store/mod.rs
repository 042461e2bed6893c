//! The only door to a database: opening, migrating, changing in one piece. Knows no policy: which job
//! comes first and what is tried again is the queue's.

pub mod db;
pub(crate) mod deliveries;
mod error;
pub(crate) mod facts;
pub(crate) mod jobs;
mod migrate;
mod place;
pub(crate) mod results;
pub(crate) mod row;
pub mod sql;
mod sqlite;
pub(crate) mod windows;

pub use error::{Error, Result};

use db::{Db, Durability, Read, Row, Tx, Value};
use place::Place;
use sql::Sql;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a change that lost against another writer is run again.
const TRIES: u32 = 5;

/// One logic over any database. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Store {
    db: Arc<dyn Db>,
    /// A change has found no room, and none of `check_room` has succeeded since.
    full: Arc<AtomicBool>,
}

impl Store {
    /// Opens the database of `url` (`sqlite:///absolute/path`, `sqlite::memory:`), makes what is missing, and
    /// brings its tables to the form of this version.
    ///
    /// Fails when the folder is on a network file system, when a newer version has written the database, when
    /// the file cannot be opened or is none of SQLite's, and for databases that are not built in.
    pub fn open(url: &str) -> Result<Store> {
        let db: Arc<dyn Db> = match place::parse(url)? {
            Place::Memory => Arc::new(sqlite::Sqlite::memory()?),
            Place::File(path) => {
                let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
                std::fs::create_dir_all(folder)
                    .map_err(|e| Error::Open { path: path.clone(), detail: e.to_string() })?;
                place::refuse_network(folder)?;
                Arc::new(sqlite::Sqlite::file(&path)?)
            }
        };
        migrate::forward(&*db, sql::MIGRATIONS)?;
        Ok(Store { db, full: Arc::default() })
    }

    /// Runs `f` as one change and gives what it returns. `f` may run more than once; only its last run counts.
    pub(crate) fn write<T>(
        &self,
        durability: Durability,
        mut f: impl FnMut(&mut dyn Tx) -> Result<T>,
    ) -> Result<T> {
        let mut tries = 0;
        let changed = loop {
            tries += 1;
            let mut answer = None;
            let run = self.db.write(durability, &mut |tx| {
                answer = Some(f(tx)?);
                Ok(())
            });
            match (run, answer) {
                (Ok(()), Some(answer)) => break Ok(answer),
                (Ok(()), None) => break Err(Error::Other("the change was not run".to_owned())),
                (Err(Error::Conflict { .. }), _) if tries < TRIES => {}
                (Err(e), _) => break Err(e),
            }
        };
        if matches!(changed, Err(Error::Full { .. })) {
            self.full.store(true, Ordering::Relaxed);
        }
        changed
    }

    /// Once a change of this process has found no room, runs `f` to see whether there is some now: it has to change
    /// something. Does nothing otherwise.
    pub(crate) fn check_room(&self, f: impl FnOnce() -> Result<()>) -> Result<()> {
        if self.full.swap(false, Ordering::Relaxed) { f() } else { Ok(()) }
    }
}

impl Read for &Store {
    fn query(&mut self, sql: &Sql, args: &[Value]) -> Result<Vec<Row>> {
        self.db.query(sql, args)
    }
}
