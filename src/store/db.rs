//! All that a database must know: statements in, rows out, changes in one piece. Knows nothing of jobs.

use super::error::{Error, Result};
use super::sql::Sql;
use std::sync::Arc;

/// Which database speaks. Statements are shared; a dialect may have a text of its own for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
    Mariadb,
}

impl Dialect {
    /// The name that people use.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::Sqlite => "SQLite",
            Dialect::Postgres => "PostgreSQL",
            Dialect::Mariadb => "MariaDB",
        }
    }
}

/// What a committed change must outlive. Both outlive the death of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut too: submit, finish, what people decide.
    Full,
    /// May be lost to a power cut: progress, windows, leases, which are all made again.
    Normal,
}

/// Reads, inside a change or on their own.
pub trait Read {
    /// All rows of a statement. Fails as `Error` says.
    fn query(&mut self, sql: &Sql, args: &[Value]) -> Result<Vec<Row>>;
}

/// An open change: what it did is kept as a whole or not at all.
pub trait Tx: Read {
    /// The number of rows that match (not: that differ afterwards).
    fn execute(&mut self, sql: &Sql, args: &[Value]) -> Result<u64>;
    /// Runs a migration: several statements without arguments.
    fn batch(&mut self, text: &str) -> Result<()>;
}

/// One database. The only trait that a new one implements, along with its `Tx`.
///
/// Statements use `?1 ?2`; a database that numbers or orders its arguments otherwise rewrites them itself.
pub trait Db: Send + Sync {
    fn dialect(&self) -> Dialect;

    /// A read on its own, on any connection.
    fn query(&self, sql: &Sql, args: &[Value]) -> Result<Vec<Row>>;

    /// Runs `f` as one change: committed when it returns `Ok`, undone when it fails or panics.
    ///
    /// Rows that `f` reads are not changed by others before the commit where `f` relies on it (SQLite holds the
    /// write lock, others lock the rows read). `f` must not use the `Db` itself.
    fn write(&self, durability: Durability, f: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()>;
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

macro_rules! value_from {
    ($($from:ty, $v:ident => $to:expr);+ $(;)?) => {
        $(impl From<$from> for Value { fn from($v: $from) -> Value { $to } })+
    };
}

value_from! {
    i64, v => Value::Int(v);
    u32, v => Value::Int(v.into());
    bool, v => Value::Int(v.into());
    f64, v => Value::Real(v);
    &str, v => Value::Text(v.to_owned());
    String, v => Value::Text(v);
    Vec<u8>, v => Value::Blob(v);
    crate::job::JobId, v => Value::Text(v.to_string());
    uuid::Uuid, v => Value::Text(v.to_string());
    crate::language::Language, v => v.whisper_code().into();
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Value {
        v.map_or(Value::Null, Into::into)
    }
}

/// A row whose values are asked for by column name. A missing column or a wrong type is `Error::Corrupt`.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub fn new(columns: Arc<[String]>, values: Vec<Value>) -> Row {
        Row { columns, values }
    }

    fn value(&self, column: &str) -> Result<&Value> {
        let at = self.columns.iter().position(|c| c == column);
        at.and_then(|i| self.values.get(i)).ok_or_else(|| Error::Corrupt(format!("no column {column}")))
    }

    pub fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Int(v) => Ok(Some(*v)),
            other => Err(unexpected(column, "a whole number", other)),
        }
    }

    pub fn int(&self, column: &str) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| unexpected(column, "a whole number", &Value::Null))
    }

    /// A whole number that fits `T`.
    pub fn opt_small<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>> {
        let narrow =
            |v: i64| T::try_from(v).map_err(|_| Error::Corrupt(format!("{column} is out of range: {v}")));
        self.opt_int(column)?.map(narrow).transpose()
    }

    pub fn small<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        self.opt_small(column)?.ok_or_else(|| unexpected(column, "a whole number", &Value::Null))
    }

    pub fn real(&self, column: &str) -> Result<f64> {
        match self.value(column)? {
            Value::Real(v) => Ok(*v),
            Value::Int(v) => Ok(*v as f64),
            other => Err(unexpected(column, "a number", other)),
        }
    }

    pub fn opt_text(&self, column: &str) -> Result<Option<&str>> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(v) => Ok(Some(v)),
            other => Err(unexpected(column, "a text", other)),
        }
    }

    pub fn text(&self, column: &str) -> Result<&str> {
        self.opt_text(column)?.ok_or_else(|| unexpected(column, "a text", &Value::Null))
    }

    pub fn blob(&self, column: &str) -> Result<&[u8]> {
        match self.value(column)? {
            Value::Blob(v) => Ok(v),
            other => Err(unexpected(column, "bytes", other)),
        }
    }

    /// A text that parses as `T`.
    pub fn opt_parsed<T: std::str::FromStr>(&self, column: &str) -> Result<Option<T>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Error::Corrupt(format!("{column} has an unknown value '{text}'")))
        };
        self.opt_text(column)?.map(parse).transpose()
    }

    pub fn parsed<T: std::str::FromStr>(&self, column: &str) -> Result<T> {
        self.opt_parsed(column)?.ok_or_else(|| unexpected(column, "a text", &Value::Null))
    }
}

fn unexpected(column: &str, expected: &str, found: &Value) -> Error {
    let found = match found {
        Value::Null => "nothing",
        Value::Int(_) => "a whole number",
        Value::Real(_) => "a number",
        Value::Text(_) => "a text",
        Value::Blob(_) => "bytes",
    };
    Error::Corrupt(format!("{column} should be {expected} and is {found}"))
}
