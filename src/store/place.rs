//! Where a database lives: its URL, and file systems that would lose it. Opens nothing.

use super::db::Dialect;
use super::error::{Error, Result};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a database URL names.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Gone with the program; for tests.
    Memory,
    File(PathBuf),
}

/// Reads `sqlite:///absolute/path`, `sqlite://relative/path` or `sqlite::memory:`.
///
/// Fails with `NotBuilt` for the other databases that design allows, with `Url` for anything else.
/// The URL of those may hold a password, so the error does not repeat it.
pub fn parse(url: &str) -> Result<Place> {
    let (scheme, rest) = url.split_once(':').ok_or_else(|| Error::Url(url.to_owned()))?;
    match scheme {
        "sqlite" if rest == ":memory:" => Ok(Place::Memory),
        "sqlite" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.ends_with('/') {
                return Err(Error::Url(url.to_owned()));
            }
            Ok(Place::File(PathBuf::from(path)))
        }
        "postgres" | "postgresql" => Err(Error::NotBuilt(Dialect::Postgres)),
        "mariadb" | "mysql" => Err(Error::NotBuilt(Dialect::Mariadb)),
        _ => Err(Error::Url(format!("{scheme}:…"))),
    }
}

/// Refuses a folder on a network file system: SQLite's write-ahead log needs memory shared by all who open it
/// (sqlite.org/wal.html, "all processes using a database must be on the same host computer").
pub fn refuse_network(folder: &Path) -> Result<()> {
    let open = |detail: String| Error::Open { path: folder.to_owned(), detail };
    let name = CString::new(folder.as_os_str().as_bytes()).map_err(|e| open(e.to_string()))?;
    // SAFETY: all-zero bytes are a valid `statfs`, a struct of plain integers.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is a C string and `found` a writable `statfs`; both outlive the call.
    if unsafe { libc::statfs(name.as_ptr(), &mut found) } != 0 {
        return Err(open(std::io::Error::last_os_error().to_string()));
    }
    match network(found.f_type as u32) {
        Some(fs) => Err(Error::Network { folder: folder.to_owned(), fs }),
        None => Ok(()),
    }
}

/// The network file system with this number (statfs(2), linux/magic.h).
fn network(f_type: u32) -> Option<&'static str> {
    match f_type {
        0x6969 => Some("NFS"),
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => Some("SMB"),
        0x5346_414F => Some("AFS"),
        0x0102_1997 => Some("9P"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_place() {
        let check = |url, expected: Place| assert_eq!(parse(url).unwrap(), expected);
        check("sqlite::memory:", Place::Memory);
        check("sqlite:///var/lib/t/t.db", Place::File("/var/lib/t/t.db".into()));
        check("sqlite:///with space/t.db", Place::File("/with space/t.db".into()));
        check("sqlite://t.db", Place::File("t.db".into()));
    }

    #[test]
    fn a_url_that_names_no_place_is_refused_without_its_password() {
        let check = |url, expected: &str| assert_eq!(parse(url).unwrap_err().to_string(), expected);
        let form = "write sqlite:///absolute/path/of/the.db";
        check("", &format!("the database URL '' is not understood: {form}"));
        check(
            "sqlite:///folder/",
            &format!("the database URL 'sqlite:///folder/' is not understood: {form}"),
        );
        check("oracle://me:secret@host", &format!("the database URL 'oracle:…' is not understood: {form}"));
        check(
            "postgres://me:secret@host/db",
            "PostgreSQL is not built into this version yet: use a URL that starts with sqlite://",
        );
        check(
            "mysql://me:secret@host/db",
            "MariaDB is not built into this version yet: use a URL that starts with sqlite://",
        );
    }

    #[test]
    fn network_file_systems_are_known_by_number() {
        let check = |f_type, expected| assert_eq!(network(f_type), expected);
        check(0x6969, Some("NFS"));
        check(0xFF53_4D42, Some("SMB"));
        check(0xFE53_4D42, Some("SMB"));
        check(0xEF53, None); // ext4
        check(0x0102_1994, None); // tmpfs
    }
}
