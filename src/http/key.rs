//! The API key's file. Does not know who needs the key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the API key in {}: {why}; delete the file and a new key is made at the next start", .path.display())]
    File { path: PathBuf, why: io::Error },
    #[error("the API key in {} belongs to another user: ask for it as that user, or with sudo", .0.display())]
    Foreign(PathBuf),
}

/// Where the key of this data folder is.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("api_key")
}

/// The key of this data folder; nothing when the daemon was never started there.
pub fn read(data_dir: &Path) -> Result<Option<String>, Error> {
    let path = path(data_dir);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text.trim().to_string(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(Error::Foreign(path)),
        Err(why) => return Err(Error::File { path, why }),
    };
    if text.is_empty() {
        return Err(Error::File { path, why: io::Error::other("it is empty") });
    }
    Ok(Some(text))
}

/// The key of this data folder, made now when there is none. The file appears whole, readable by its owner alone;
/// of two that make it at once both get the same key.
pub fn read_or_make(data_dir: &Path) -> Result<String, Error> {
    if let Some(key) = read(data_dir)? {
        return Ok(key);
    }
    let path = path(data_dir);
    let failed = |why| Error::File { path: path.clone(), why };
    // 122 random bits, written as its relatives Sonarr, Radarr and Bazarr write theirs: 32 hex digits.
    let key = Uuid::new_v4().simple().to_string();
    let draft = data_dir.join(format!(".api_key-{}", Uuid::new_v4()));
    let made = write(&draft, &key).and_then(|()| match fs::hard_link(&draft, &path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems know no links.
        Err(_) => fs::rename(&draft, &path),
        Ok(()) => Ok(()),
    });
    let _ = fs::remove_file(&draft);
    made.and_then(|()| File::open(data_dir)?.sync_all()).map_err(failed)?;
    read(data_dir)?.ok_or_else(|| failed(io::Error::other("it has vanished")))
}

fn write(path: &Path, key: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{key}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        let key = read_or_make(dir.path()).unwrap();
        assert!(key.len() == 32 && key.chars().all(|c| c.is_ascii_hexdigit()), "{key}");
        assert_eq!(read_or_make(dir.path()).unwrap(), key);
        assert_eq!(read(dir.path()).unwrap(), Some(key));
        let mode = fs::metadata(path(dir.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn those_who_make_it_at_once_get_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| read_or_make(dir.path()).unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn the_key_of_another_user_is_not_to_be_deleted() {
        // SAFETY: asks the kernel for a number.
        if unsafe { libc::geteuid() } == 0 {
            eprintln!("SKIPPED: root may read every file");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        read_or_make(dir.path()).unwrap();
        fs::set_permissions(path(dir.path()), fs::Permissions::from_mode(0o000)).unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("with sudo") && !error.contains("delete"), "{error}");
    }

    #[test]
    fn an_empty_file_is_an_error_that_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(path(dir.path()), "\n").unwrap();
        let error = read_or_make(dir.path()).unwrap_err().to_string();
        assert!(error.contains("it is empty; delete the file"), "{error}");
    }
}
