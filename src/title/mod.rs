//! A film's title and names as a prompt: from its file name, and the `.nfo` files of Kodi and Jellyfin beside it.
//! Knows nothing of jobs, or of what a prompt is for.

mod name;
mod nfo;

use nfo::Nfo;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A larger NFO is none.
const LARGEST_BYTES: u64 = 1 << 20;
/// Names from the cast, and as many from the plot.
const NAMES: usize = 12;
/// German writes every noun with a capital, so there capitals tell no names: more of these than this part of the words.
const GERMAN: &[&str] = &["der", "die", "das", "dem", "den", "ein", "eine", "und", "mit", "ist"];
const GERMAN_PART: f32 = 0.08;

/// Title and names of a film, the least important first; nothing when there are none. Blocks on the file system.
///
/// Read are `FILM.nfo` or else `movie.nfo`, and `tvshow.nfo` in the folder or the one above. What cannot be read is
/// left out, with a word in the debug log.
pub fn of(film: &Path) -> Option<String> {
    let folder = film.parent()?;
    let own = read(&film.with_extension("nfo")).or_else(|| read(&folder.join("movie.nfo")));
    let above = || folder.parent().and_then(|above| read(&above.join("tvshow.nfo")));
    let series = read(&folder.join("tvshow.nfo")).or_else(above);
    let stem = film.file_stem()?.to_string_lossy();
    said(name::titles(&stem), own.into_iter().chain(series))
}

/// As [`of`], where only the file's name is known: the last part of a path of any system.
pub fn named(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next()?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    said(name::titles(stem), [])
}

fn said(by_name: Vec<String>, nfos: impl IntoIterator<Item = Nfo>) -> Option<String> {
    let (mut titles, mut names, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for nfo in nfos {
        told.extend(proper(&nfo.plot));
        names.extend(nfo.names);
        titles.extend(nfo.titles);
    }
    // What stands in an NFO was chosen by people.
    let titles = if titles.is_empty() { by_name } else { titles };
    let names = distinct(names, NAMES);
    let told =
        distinct(told.into_iter().filter(|t| !names.iter().any(|n| n.contains(t.as_str()))).collect(), NAMES);
    let lists = [told, names].into_iter().filter(|list| !list.is_empty()).map(|list| list.join(", "));
    let sentences: Vec<String> = lists.chain(distinct(titles, NAMES)).map(|text| text + ".").collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn distinct(list: Vec<String>, at_most: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for entry in list {
        if out.len() < at_most && !out.contains(&entry) {
            out.push(entry);
        }
    }
    out
}

/// Words with a capital inside a sentence, neighbours together: mostly names.
fn proper(plot: &str) -> Vec<String> {
    let words: Vec<&str> = plot.split_whitespace().collect();
    let german = words.iter().filter(|word| GERMAN.contains(word)).count();
    if german as f32 > GERMAN_PART * words.len() as f32 {
        return Vec::new();
    }
    let (mut out, mut name, mut begins) = (Vec::new(), Vec::new(), true);
    for word in words {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let owned = bare.strip_suffix("'s").or(bare.strip_suffix("’s"));
        let plain = owned.unwrap_or(bare);
        let capital = plain.chars().next().is_some_and(char::is_uppercase) && plain.chars().count() > 1;
        // What is quoted begins like a sentence.
        if capital && !begins && !word.starts_with(['"', '“', '„', '«']) {
            name.push(plain);
        } else {
            flush(&mut name, &mut out);
        }
        begins = word.ends_with(['.', '!', '?', ':', '…', '"', '”']);
        if begins || owned.is_some() || word.ends_with([',', ';', ')']) {
            flush(&mut name, &mut out);
        }
    }
    flush(&mut name, &mut out);
    out
}

fn flush(name: &mut Vec<&str>, out: &mut Vec<String>) {
    if !name.is_empty() {
        out.push(name.join(" "));
        name.clear();
    }
}

/// Nothing for a file that is not there, too large, or no NFO.
fn read(path: &Path) -> Option<Nfo> {
    let facts = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let ignored = |why: &str| log::debug!("{} is ignored: {why}", path.display());
    if facts.len() > LARGEST_BYTES {
        ignored("it is larger than 1 MB");
        return None;
    }
    let mut bytes = Vec::new();
    let done = File::open(path).and_then(|file| file.take(LARGEST_BYTES).read_to_end(&mut bytes));
    if let Err(e) = done {
        ignored(&e.to_string());
        return None;
    }
    nfo::parse(&String::from_utf8_lossy(&bytes)).map_err(|why| ignored(&why)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIES: &str = "<tvshow><title>Babylon 5</title><plot>The station is run by Commander Sinclair. Soon Delenn and \
        Londo Mollari quarrel over the lost rings of it.</plot><actor><name>Mira Furlan</name><role>Delenn</role></actor>\
        </tvshow>";
    const EPISODE: &str = "<episodedetails><title>The Coming of Shadows</title><showtitle>Babylon 5</showtitle><actor>\
        <name>Andreas Katsulas</name><role>G'Kar</role></actor></episodedetails>";

    fn library() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let season = dir.path().join("Babylon 5/Season 02");
        std::fs::create_dir_all(&season).unwrap();
        (dir, season)
    }

    #[test]
    fn an_episode_is_told_by_its_own_nfo_and_that_of_its_series() {
        let (dir, season) = library();
        let film = season.join("Babylon.5.S02E09.mkv");
        assert_eq!(of(&film).unwrap(), "Babylon 5.");
        std::fs::write(dir.path().join("Babylon 5/tvshow.nfo"), SERIES).unwrap();
        std::fs::write(film.with_extension("nfo"), EPISODE).unwrap();
        assert_eq!(
            of(&film).unwrap(),
            "Commander Sinclair, Londo Mollari. G'Kar, Delenn. The Coming of Shadows. Babylon 5."
        );
    }

    #[test]
    fn what_is_no_nfo_is_as_if_it_were_not_there() {
        let (_dir, folder) = library();
        let film = folder.join("Charade (1963).mkv");
        let check = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.join(name), bytes).unwrap();
            assert_eq!(of(&film).unwrap(), "Charade.", "{name}");
            std::fs::remove_file(folder.join(name)).unwrap();
        };
        check("movie.nfo", b"\xff\xfe\x00<movie");
        check("movie.nfo", b"https://films.example/1");
        check("Charade (1963).nfo", b"<movie><title>Another</title>");
        let mut large = b"<movie><title>Another</title></movie>".to_vec();
        large.resize(LARGEST_BYTES as usize + 1, b' ');
        check("movie.nfo", &large);
        std::fs::create_dir(folder.join("movie.nfo")).unwrap();
        assert_eq!(of(&film).unwrap(), "Charade.");
        std::fs::remove_dir(folder.join("movie.nfo")).unwrap();
        std::fs::write(folder.join("movie.nfo"), b"<movie><title>Charade \xe9</title></movie>").unwrap();
        assert_eq!(of(&film).unwrap(), "Charade \u{fffd}.");
    }

    #[test]
    fn of_an_upload_the_name_is_all_that_is_known() {
        assert_eq!(named("D:\\TV\\Dark.S01E02.Lies.1080p.mkv").unwrap(), "Dark. Lies.");
        assert_eq!(named("/tv/00001.mkv"), None);
        assert_eq!(named(""), None);
    }

    #[test]
    fn capitals_inside_sentences_are_names_but_not_where_every_noun_has_one() {
        let check = |plot: &str, expected: &[&str]| assert_eq!(proper(plot), expected, "{plot}");
        check(
            "When Holly meets Harry Lime's friends in Vienna, he doubts. Harry is dead.",
            &["Holly", "Harry Lime", "Vienna"],
        );
        check("In der Stadt sucht der Mann mit dem Hut die Frau mit dem Hund.", &[]);
        check("", &[]);
    }
}
