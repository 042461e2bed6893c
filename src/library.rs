//! The folders that hold media, and what other programs call them. Knows nothing of jobs, tracks or who asks.

use std::path::{Path, PathBuf};

/// Where media may be read, and how another program's paths lead there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Library {
    /// Nothing outside these folders is read.
    pub roots: Vec<PathBuf>,
    /// Pairs of beginnings: as the other program says it, as it is here. The longest that fits is taken.
    pub mapping: Vec<(String, String)>,
}

impl Library {
    /// The file that another program calls `named`, with all links followed.
    ///
    /// Nothing when it is missing, no file, cannot be read, or lies outside the folders. Blocks on the file system.
    pub fn find(&self, named: &str) -> Option<PathBuf> {
        let real = Path::new(&self.mapped(named)).canonicalize().ok()?;
        let inside =
            self.roots.iter().filter_map(|root| root.canonicalize().ok()).any(|r| real.starts_with(r));
        (inside && real.is_file() && std::fs::File::open(&real).is_ok()).then_some(real)
    }

    /// The path as it is called here. A beginning fits at whole names only; `\` in a Windows path counts as `/`.
    fn mapped(&self, named: &str) -> String {
        let longest = self
            .mapping
            .iter()
            .filter_map(|(from, to)| Some((from.len(), to, rest(named, from)?)))
            .max_by_key(|(length, ..)| *length);
        match longest {
            Some((_, to, rest)) => {
                format!("{}/{}", to.trim_end_matches(['/', '\\']), rest.replace('\\', "/"))
            }
            None => named.to_owned(),
        }
    }
}

/// What follows `from` in the path, when `from` is a whole number of its names.
fn rest<'a>(path: &'a str, from: &str) -> Option<&'a str> {
    let from = from.trim_end_matches(['/', '\\']);
    let after = path.strip_prefix(from)?;
    // A root itself ("/") leaves nothing to strip but its separator.
    after.strip_prefix(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(pairs: &[(&str, &str)], path: &str) -> String {
        let mapping = pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        Library { roots: Vec::new(), mapping }.mapped(path)
    }

    #[test]
    fn a_path_is_mapped_at_whole_names_by_the_longest_beginning() {
        let pairs = [("/media", "/srv"), ("/media/films/", "/films"), ("D:\\tv", "/tv")];
        assert_eq!(mapped(&pairs, "/media/x.mkv"), "/srv/x.mkv");
        assert_eq!(mapped(&pairs, "/media/films/a/x.mkv"), "/films/a/x.mkv");
        assert_eq!(mapped(&pairs, "/mediaplayer/x.mkv"), "/mediaplayer/x.mkv");
        assert_eq!(mapped(&pairs, "D:\\tv\\show\\1.mkv"), "/tv/show/1.mkv");
        assert_eq!(mapped(&[("/", "/mnt")], "/x.mkv"), "/mnt/x.mkv");
        assert_eq!(mapped(&[], "/x.mkv"), "/x.mkv");
    }

    #[test]
    fn only_files_inside_the_folders_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let (library, outside) = (dir.path().join("library"), dir.path().join("secret.mkv"));
        std::fs::create_dir(&library).unwrap();
        std::fs::write(library.join("film.mkv"), "x").unwrap();
        std::fs::write(&outside, "x").unwrap();
        std::os::unix::fs::symlink(&outside, library.join("link.mkv")).unwrap();
        let to = library.to_string_lossy().into_owned();
        let here = Library { roots: vec![library.clone()], mapping: vec![("/films".into(), to)] };
        assert_eq!(here.find("/films/film.mkv"), Some(library.join("film.mkv").canonicalize().unwrap()));
        for named in ["/films/link.mkv", "/films/../secret.mkv", "/films/none.mkv", "/films", "", "\0"] {
            assert_eq!(here.find(named), None, "{named:?}");
        }
    }
}
