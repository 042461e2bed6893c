//! SQLite behind `Db`: one writer, a few readers, write-ahead log. Knows no statement but its own pragmas.

use super::db::{Db, Dialect, Durability, Read, Row, Tx, Value};
use super::error::{Error, Result};
use super::sql::Sql;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, Transaction, TransactionBehavior, ffi};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a writer waits for the writer of another process.
const BUSY_S: u64 = 10;
const READERS: u32 = 4;

pub struct Sqlite {
    writer: Mutex<Writer>,
    /// `None` in memory: there the writer's connection is the database.
    readers: Option<r2d2::Pool<SqliteConnectionManager>>,
}

struct Writer {
    connection: Connection,
    /// What `PRAGMA synchronous` stands at.
    durability: Durability,
}

impl Sqlite {
    /// Opens or makes the file. Its folder must exist.
    pub fn file(path: &Path) -> Result<Sqlite> {
        let connection =
            Connection::open(path).map_err(|e| Error::Open { path: path.to_owned(), detail: detail(&e) })?;
        let writer = Writer::new(connection)?;
        use_wal(&writer.connection)?;
        let manager = SqliteConnectionManager::file(path).with_init(|connection| {
            prepare(connection)?;
            connection.pragma_update(None, "query_only", true)
        });
        let readers = r2d2::Pool::builder()
            .max_size(READERS)
            .min_idle(Some(1))
            .test_on_check_out(false)
            .connection_timeout(Duration::from_secs(BUSY_S))
            .build(manager)
            .map_err(|e| Error::Open { path: path.to_owned(), detail: e.to_string() })?;
        Ok(Sqlite { writer: Mutex::new(writer), readers: Some(readers) })
    }

    /// A database that is gone with this value.
    pub fn memory() -> Result<Sqlite> {
        let connection = Connection::open_in_memory().map_err(error)?;
        Ok(Sqlite { writer: Mutex::new(Writer::new(connection)?), readers: None })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic inside a change has undone the change; the connection is good.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn new(connection: Connection) -> Result<Writer> {
        prepare(&connection).map_err(error)?;
        let mut writer = Writer { connection, durability: Durability::Normal };
        writer.promise(Durability::Full)?;
        Ok(writer)
    }

    /// Outside a transaction: inside one the pragma does nothing.
    fn promise(&mut self, durability: Durability) -> Result<()> {
        if self.durability != durability {
            let level = match durability {
                Durability::Full => "FULL",
                Durability::Normal => "NORMAL",
            };
            self.connection.pragma_update(None, "synchronous", level).map_err(error)?;
            self.durability = durability;
        }
        Ok(())
    }
}

impl Db for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn query(&self, sql: &Sql, args: &[Value]) -> Result<Vec<Row>> {
        match &self.readers {
            Some(readers) => rows(&*readers.get().map_err(|_| Error::Busy { waited_s: BUSY_S })?, sql, args),
            None => rows(&self.writer().connection, sql, args),
        }
    }

    fn write(&self, durability: Durability, f: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
        let mut writer = self.writer();
        writer.promise(durability)?;
        // Takes the write lock now: a transaction that reads first could fail when it comes to write.
        let tx =
            writer.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(error)?;
        f(&mut Change(&tx))?;
        tx.commit().map_err(error)
    }
}

struct Change<'a>(&'a Transaction<'a>);

impl Read for Change<'_> {
    fn query(&mut self, sql: &Sql, args: &[Value]) -> Result<Vec<Row>> {
        rows(self.0, sql, args)
    }
}

impl Tx for Change<'_> {
    fn execute(&mut self, sql: &Sql, args: &[Value]) -> Result<u64> {
        let mut statement = self.0.prepare_cached(sql.text(Dialect::Sqlite)).map_err(error)?;
        let changed = statement.execute(rusqlite::params_from_iter(args)).map_err(error)?;
        Ok(changed as u64)
    }

    fn batch(&mut self, text: &str) -> Result<()> {
        self.0.execute_batch(text).map_err(error)
    }
}

fn rows(connection: &Connection, sql: &Sql, args: &[Value]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql.text(Dialect::Sqlite)).map_err(error)?;
    let columns: Arc<[String]> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut found = statement.query(rusqlite::params_from_iter(args)).map_err(error)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(error)? {
        let values = (0..columns.len()).map(|i| row.get_ref(i).map(value).map_err(error)?);
        rows.push(Row::new(columns.clone(), values.collect::<Result<_>>()?));
    }
    Ok(rows)
}

fn value(found: ValueRef<'_>) -> Result<Value> {
    Ok(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Real(v) => Value::Real(v),
        ValueRef::Text(v) => {
            let text = std::str::from_utf8(v).map_err(|e| Error::Corrupt(e.to_string()))?;
            Value::Text(text.to_owned())
        }
        ValueRef::Blob(v) => Value::Blob(v.to_owned()),
    })
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(v) => ValueRef::Integer(*v),
            Value::Real(v) => ValueRef::Real(*v),
            Value::Text(v) => ValueRef::Text(v.as_bytes()),
            Value::Blob(v) => ValueRef::Blob(v),
        }))
    }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(BUSY_S))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", true)?;
    // 1 MiB: rows are small, and the idle program is too.
    connection.pragma_update(None, "cache_size", -1024)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
}

/// Turns the write-ahead log on, which stays in the file. SQLite does not wait for others here, so we do.
fn use_wal(connection: &Connection) -> Result<()> {
    let step = Duration::from_millis(20);
    let mut patience = Duration::from_secs(BUSY_S);
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
            .map_err(error);
        match mode {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(mode) => {
                return Err(Error::Other(format!(
                    "the file system does not allow a write-ahead log ({mode})"
                )));
            }
            Err(Error::Busy { .. }) if !patience.is_zero() => {
                patience = patience.saturating_sub(step);
                std::thread::sleep(step);
            }
            Err(e) => return Err(e),
        }
    }
}

/// SQLite's result codes (sqlite.org/rescode.html) as ours.
fn error(e: rusqlite::Error) -> Error {
    let detail = detail(&e);
    let rusqlite::Error::SqliteFailure(code, _) = e else { return Error::Other(detail) };
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Busy { waited_s: BUSY_S },
        ErrorCode::DiskFull | ErrorCode::SystemIoFailure => Error::Full { detail },
        ErrorCode::ReadOnly => Error::ReadOnly,
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => Error::Corrupt(detail),
        ErrorCode::CannotOpen => Error::Lost { detail },
        ErrorCode::ConstraintViolation
            if matches!(
                code.extended_code,
                ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            ) =>
        {
            Error::Conflict { detail }
        }
        _ => Error::Other(detail),
    }
}

fn detail(e: &rusqlite::Error) -> String {
    match e {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqliteFailure(code, None) => code.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{migrate, sql};
    use super::*;
    use std::path::PathBuf;
    use tempfile::TempDir;

    fn database() -> (TempDir, PathBuf, Sqlite) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("queue.db");
        let db = Sqlite::file(&path).unwrap();
        migrate::forward(&db, sql::MIGRATIONS).unwrap();
        (folder, path, db)
    }

    fn remember(db: &Sqlite, name: &str, value: &str) -> Result<()> {
        db.write(Durability::Full, &mut |tx| {
            tx.execute(&sql::FACT_PUT, &[name.into(), value.into()]).map(drop)
        })
    }

    fn remembered(db: &Sqlite, name: &str) -> bool {
        !db.query(&sql::FACT_GET, &[name.into()]).unwrap().is_empty()
    }

    #[test]
    fn a_full_disk_is_told_apart_and_passes_when_space_is_back() {
        let (_folder, _, db) = database();
        let pages = |n: u32| {
            let set = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            db.writer().connection.pragma_update_and_check(None, "max_page_count", n, set).unwrap()
        };
        pages(1);
        let full = remember(&db, "big", &"x".repeat(1_000_000)).unwrap_err();
        assert!(matches!(full, Error::Full { .. }), "{full}");
        assert!(full.passes());
        assert_eq!(
            full.to_string(),
            "the disk under the database is full or failing (database or disk is full): free some space, then the queue goes on by itself"
        );
        assert!(!remembered(&db, "big"));
        pages(100_000);
        remember(&db, "big", &"x".repeat(1_000_000)).unwrap();
        assert!(remembered(&db, "big"));
    }

    #[test]
    fn result_codes_are_told_apart() {
        let check = |code, expected: &str| {
            let ours = error(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            let name = format!("{ours:?}");
            assert!(name.starts_with(expected), "{code}: {name}");
        };
        check(ffi::SQLITE_BUSY, "Busy");
        check(ffi::SQLITE_FULL, "Full");
        check(ffi::SQLITE_IOERR_WRITE, "Full");
        check(ffi::SQLITE_IOERR_FSYNC, "Full");
        check(ffi::SQLITE_IOERR_SHMSIZE, "Full");
        check(ffi::SQLITE_READONLY, "ReadOnly");
        check(ffi::SQLITE_NOTADB, "Corrupt");
        check(ffi::SQLITE_CORRUPT, "Corrupt");
        check(ffi::SQLITE_CONSTRAINT_UNIQUE, "Conflict");
        check(ffi::SQLITE_CONSTRAINT_CHECK, "Other");
    }

    #[test]
    fn a_change_that_fails_or_panics_is_undone() {
        let (_folder, _, db) = database();
        let put = |tx: &mut dyn Tx| tx.execute(&sql::FACT_PUT, &["half".into(), "1".into()]).map(drop);
        let failed = db.write(Durability::Normal, &mut |tx| {
            put(tx)?;
            Err(Error::ReadOnly)
        });
        assert!(matches!(failed, Err(Error::ReadOnly)));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            db.write(Durability::Normal, &mut |tx| {
                put(tx)?;
                panic!("in the midst of a change")
            })
        }));
        assert!(panicked.is_err());
        assert!(!remembered(&db, "half"));
        remember(&db, "whole", "1").unwrap();
        assert!(remembered(&db, "whole"));
    }

    #[test]
    fn each_change_is_as_durable_as_it_asks_for() {
        let (_folder, _, db) = database();
        let synchronous = |durability| {
            db.write(durability, &mut |_| Ok(())).unwrap();
            let level = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
            db.writer().connection.pragma_query_value(None, "synchronous", level).unwrap()
        };
        assert_eq!(synchronous(Durability::Normal), 1);
        assert_eq!(synchronous(Durability::Full), 2);
        assert_eq!(synchronous(Durability::Normal), 1);
    }

    #[test]
    fn readers_cannot_write() {
        let (_folder, _, db) = database();
        let refused = db.query(&sql::FACT_PUT, &["name".into(), "value".into()]);
        assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_and_left_alone() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("film.mkv");
        let film = [0x1A; 4096];
        std::fs::write(&path, film).unwrap();
        let Err(refused) = Sqlite::file(&path) else { panic!("opened a film") };
        assert!(matches!(refused, Error::Corrupt(_)), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), film);
    }

    #[test]
    fn a_folder_in_the_place_of_the_file_is_refused() {
        let folder = TempDir::new().unwrap();
        let Err(refused) = Sqlite::file(folder.path()) else { panic!("opened a folder") };
        assert!(refused.to_string().starts_with("cannot open the database"), "{refused}");
    }
}
