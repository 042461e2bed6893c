//! Where `transcribe` puts a subtitle, and in which format. Does not know what it says.

use super::Failure;
use crate::job::Task;
use crate::pool::finish;
use crate::subtitle::{Format, Transcript, cue};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// So much of a file tells whether it is a text.
const BEGINNING: u64 = 4_096;

/// The format: the one asked for, else that of the output's name, else SubRip. Of names that end in none of these and in
/// something else, SubRip would be a surprise.
pub(super) fn format_of(asked: Option<&str>, target: &Target) -> Result<Format, Failure> {
    if let Some(name) = asked {
        return name.parse().map_err(|e: crate::subtitle::Error| Failure::Usage(e.to_string()));
    }
    let Target::File(path) = target else { return Ok(Format::Srt) };
    let Some(extension) = path.extension().and_then(|e| e.to_str()) else { return Ok(Format::Srt) };
    extension.parse().map_err(|_| {
        let known = Format::ALL.iter().map(|f| f.as_str()).collect::<Vec<_>>().join(", ");
        let name = path.display();
        Failure::Usage(format!("{name}: '.{extension}' tells no format, name one with --format ({known})"))
    })
}

/// Where the text goes.
pub(super) enum Target {
    Beside,
    Stdout,
    File(PathBuf),
    Folder(PathBuf),
}

impl Target {
    pub(super) fn of(output: Option<&Path>, files: usize) -> Result<Target, Failure> {
        match output {
            None => Ok(Target::Beside),
            Some(path) if path.as_os_str().is_empty() => {
                Err(Failure::Usage("--output names nothing: name a file or a folder, or '-'".into()))
            }
            Some(path) if path == Path::new("-") => Ok(Target::Stdout),
            Some(path) if path.is_dir() => Ok(Target::Folder(path.to_owned())),
            Some(path) if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
                Err(Failure::Usage(format!(
                    "there is no folder {}: make it first, or name another one with --output",
                    path.display()
                )))
            }
            Some(path) if files == 1 => Ok(Target::File(path.to_owned())),
            Some(path) => Err(Failure::Usage(format!(
                "{} is not a folder, and there are {files} files: name a folder with --output, or '-'",
                path.display()
            ))),
        }
    }

    /// The person said where, to the file.
    pub(super) fn is_named(&self) -> bool {
        matches!(self, Target::Stdout | Target::File(_))
    }

    /// Fails where two of the files would have one subtitle, which would be the later one's.
    pub(super) fn tell_apart(&self, files: &[PathBuf], format: Format) -> Result<(), Failure> {
        let mut taken = HashMap::new();
        for file in files {
            let Some(path) = self.path(file, "LANGUAGE", format) else { continue };
            if let Some(before) = taken.insert(path.clone(), file) {
                let (before, file, path) = (before.display(), file.display(), path.display());
                let both = format!("{before} and {file} would both be written to {path}");
                return Err(Failure::Usage(format!(
                    "{both}: do one of them in a run of its own, with --output"
                )));
            }
        }
        Ok(())
    }

    /// Fails as writing a file's subtitle would, now instead of after hours of work.
    pub(super) fn try_out(&self, media: &Path, language: &str, format: Format) -> Result<(), String> {
        let Some(path) = self.path(media, language, format) else { return Ok(()) };
        // What there is to hear comes first: without it there is nothing to write.
        if !media.is_file() {
            return Ok(());
        }
        if is_media(&path) {
            return Err(no_subtitle(&path));
        }
        if path.is_dir() {
            return Err(format!("{} is a folder: name another place with --output", path.display()));
        }
        finish::try_out(&path).map_err(|e| unwritable(&path, &e))
    }

    pub(super) fn path(&self, media: &Path, language: &str, format: Format) -> Option<PathBuf> {
        let extension = format!("{language}.{}", format.extension());
        match self {
            Target::Beside => Some(media.with_extension(extension)),
            Target::Stdout => None,
            Target::File(path) => Some(path.clone()),
            Target::Folder(dir) => Some(dir.join(media.with_extension(extension).file_name()?)),
        }
    }
}

/// Whether a file is there that nobody wrote as a text: it has a zero byte near its beginning, and does not begin as UTF-16
/// does.
fn is_media(path: &Path) -> bool {
    let mut beginning = Vec::new();
    let read =
        path.is_file().then(|| File::open(path).and_then(|f| f.take(BEGINNING).read_to_end(&mut beginning)));
    let is_utf16 = beginning.starts_with(&[0xff, 0xfe]) || beginning.starts_with(&[0xfe, 0xff]);
    matches!(read, Some(Ok(_))) && beginning.contains(&0) && !is_utf16
}

/// Writes the text and says so. Where nobody speaks a file is written only when it was asked for by name, and none that is
/// there is emptied.
pub(super) fn put(
    media: &Path,
    transcript: &Transcript,
    named: bool,
    to: Option<&Path>,
    render: impl Fn(&Transcript) -> String,
) -> Result<(), String> {
    let silent = transcript.cues.is_empty();
    // Somebody may have spoken; then a warning says so.
    let nothing = "no words were found";
    if silent && !named {
        eprintln!("{}: {nothing}, nothing was written", media.display());
        return Ok(());
    }
    if let Some(there) = to.filter(|to| silent && to.metadata().is_ok_and(|m| m.is_file() && m.len() > 0)) {
        eprintln!("{}: {nothing}, {} is left as it was", media.display(), there.display());
        return Ok(());
    }
    if let Some(media) = to.filter(|to| is_media(to)) {
        return Err(no_subtitle(media));
    }
    let text = render(transcript);
    let replaced = to.is_some_and(Path::is_file);
    match to {
        None => std::io::stdout().lock().write_all(text.as_bytes()),
        Some(path) => finish::write_whole(path, text.as_bytes()),
    }
    .map_err(|e| unwritable(to.unwrap_or(Path::new("standard output")), &e))?;
    if let Some(path) = to {
        let found = match silent {
            true => nothing.to_owned(),
            false => match (cue::counted(transcript.cues.len()), transcript.task) {
                (cues, Task::Transcribe) => format!("{cues} in {}", transcript.spoken),
                (cues, Task::Translate) => {
                    format!("{cues} in {}, translated from {}", transcript.language, transcript.spoken)
                }
            },
        };
        let place = if replaced { " in place of the one that was there" } else { "" };
        eprintln!("{}: {found}, written to {}{place}", media.display(), path.display());
    } else if silent {
        eprintln!("{}: {nothing}", media.display());
    }
    Ok(())
}

fn no_subtitle(there: &Path) -> String {
    format!("{} is there and is no subtitle: name another file with --output, or remove it", there.display())
}

fn unwritable(to: &Path, e: &std::io::Error) -> String {
    format!("cannot write {}: {e}", to.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(result: Result<impl Sized, Failure>) -> Option<String> {
        result.err().map(|e| e.to_string())
    }

    #[test]
    fn the_name_of_the_output_tells_the_format_or_nothing_is_done() {
        let check = |asked, output: &str, expected: Result<Format, &str>| {
            let target = Target::of(Some(Path::new(output)), 1).unwrap();
            let got = format_of(asked, &target).map_err(|e| e.to_string());
            assert_eq!(got, expected.map_err(str::to_owned), "{asked:?} {output}");
        };
        check(None, "film.vtt", Ok(Format::Vtt));
        check(None, "film.ASS", Ok(Format::Ass));
        check(None, "film", Ok(Format::Srt));
        check(None, "-", Ok(Format::Srt));
        check(Some("txt"), "film.sub", Ok(Format::Txt));
        let why = "film.sub: '.sub' tells no format, name one with --format (srt, vtt, txt, tsv, json, verbose_json, lrc, ass)";
        check(None, "film.sub", Err(why));
    }

    #[test]
    fn an_output_that_is_nowhere_or_no_text_is_refused_before_any_work() {
        let of = |output: &str| usage(Target::of(Some(Path::new(output)), 1));
        assert_eq!(of("").unwrap(), "--output names nothing: name a file or a folder, or '-'");
        assert!(of("nowhere/").unwrap().starts_with("there is no folder nowhere/: make it first"));
        assert_eq!(of("nowhere"), None);
        let dir = tempfile::tempdir().unwrap();
        let check = |bytes: &[u8], refused: bool| {
            let path = dir.path().join("film");
            std::fs::write(&path, bytes).unwrap();
            let tried = Target::File(path.clone()).try_out(&path, "en", Format::Srt);
            assert_eq!(tried.is_err(), refused, "{bytes:?}: {tried:?}");
        };
        check(b"RIFF\0\0\0\0WAVE", true);
        check(b"1\n00:00:01,000 --> 00:00:02,000\nHello.\n", false);
        check(b"\xff\xfe1\0\n\0", false);
        check(b"", false);
    }

    #[test]
    fn two_files_never_have_one_subtitle() {
        let files = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let beside = |names: &[&str]| usage(Target::Beside.tell_apart(&files(names), Format::Srt));
        assert_eq!(beside(&["a/film.mkv", "b/film.mkv", "a/talk.mkv"]), None);
        let why = beside(&["a/film.mkv", "a/film.mp4"]).unwrap();
        let expected = "a/film.mkv and a/film.mp4 would both be written to a/film.LANGUAGE.srt: \
                        do one of them in a run of its own, with --output";
        assert_eq!(why, expected);
        let folder = Target::Folder("out".into());
        assert!(usage(folder.tell_apart(&files(&["a/film.mkv", "b/film.mkv"]), Format::Vtt)).is_some());
        assert_eq!(
            usage(Target::Stdout.tell_apart(&files(&["a/film.mkv", "a/film.mkv"]), Format::Srt)),
            None
        );
    }
}
