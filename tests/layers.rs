//! Reads the source and fails where it leaves the shape that ARCHITECTURE.md draws. Knows nothing of what it does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The floors, from the ground up. A room is a file or folder of `src/`; it may use the rooms below.
const FLOORS: &[&[&str]] = &[
    &["job", "rule", "language", "clock", "dedup", "subtitle"],
    &[
        "store",
        "engine",
        "spool",
        "audio",
        "model",
        "device",
        "translate",
        "bazarr",
        "handover",
        "notify",
        "library",
        "title",
    ],
    &["queue", "settings"],
    &["pool", "scan", "housekeeping", "push"],
    &["http"],
    &["config", "serve", "cli", "lib", "main"],
];

/// Rooms of one floor do not know each other, but for these: (who, whom, why).
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("job", "clock", "a job has times"),
    ("job", "language", "a job has languages"),
    ("rule", "language", "a rule asks for languages"),
    ("rule", "job", "a rule asks for a job"),
    ("dedup", "job", "the key is made of what a job asks for"),
    ("dedup", "language", "the key is made of what a job asks for"),
    ("dedup", "clock", "the key has a file's time"),
    ("subtitle", "language", "lines are cut as the language asks"),
    ("subtitle", "clock", "cues have times"),
    ("subtitle", "job", "a transcript says what was asked for"),
    ("serve", "config", "boot facts"),
    ("cli", "config", "boot facts"),
    ("cli", "serve", "the composition root is called from here"),
    ("lib", "*", "it declares the rooms"),
    ("main", "*", "it calls the library"),
];

/// Crates that one room alone may know.
const DOORS: &[(&str, &str)] = &[
    ("whisper_rs", "engine"),
    ("rusqlite", "store"),
    ("nvml_wrapper", "device"),
    ("sysinfo", "device"),
    ("argh", "cli"),
    ("quick_xml", "title"),
];

const LONGEST: usize = 400;
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "service", "services", "misc"];

struct File {
    /// Relative to the repository.
    path: String,
    /// `store` for both `src/store.rs` and `src/store/sqlite.rs`; empty outside `src/`.
    room: String,
    text: String,
}

fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(file(root, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn file(root: &Path, path: &Path) -> File {
    let relative = path.strip_prefix(root).unwrap().to_path_buf();
    let room = match relative.strip_prefix("src") {
        Ok(inside) => PathBuf::from(inside.iter().next().unwrap()).with_extension("").display().to_string(),
        Err(_) => String::new(),
    };
    File { path: relative.display().to_string(), room, text: std::fs::read_to_string(path).unwrap() }
}

/// The lines of code with their numbers: whole-line comments are left out.
fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    file.text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms named after each `crate::`, also in `crate::{a::b, c}` over several lines, with their lines.
fn used(file: &File) -> Vec<(usize, String)> {
    let text: String = code(file).map(|(number, line)| format!("\u{1}{number}\u{1}{line}\n")).collect();
    let mut found = Vec::new();
    let mut line = 0;
    let mut rest = text.as_str();
    while let Some(at) = rest.find("crate::") {
        line = last_number(&rest[..at]).unwrap_or(line);
        let own = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        rest = &rest[at + "crate::".len()..];
        if own {
            found.extend(first_names(rest).into_iter().map(|name| (line, name)));
        }
    }
    found
}

fn last_number(text: &str) -> Option<usize> {
    text.rsplit('\u{1}').find_map(|part| part.parse().ok())
}

fn first_names(path: &str) -> Vec<String> {
    let name = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let mut names = Vec::new();
    let mut depth = 1;
    let mut item = String::new();
    // The marks of line numbers are dropped with the white space around the names.
    let mut in_mark = false;
    for c in group.chars() {
        match c {
            '\u{1}' => in_mark = !in_mark,
            _ if in_mark => {}
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(std::mem::take(&mut item).trim())),
            _ if depth == 1 => item.push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.push(name(item.trim()));
    names.retain(|name| !name.is_empty());
    names
}

fn may_use(who: &str, whom: &str) -> bool {
    let neighbour = |(a, b, _): &(&str, &str, &str)| *a == who && (*b == whom || *b == "*");
    match (floor(who), floor(whom)) {
        _ if who == whom => true,
        _ if NEIGHBOURS.iter().any(neighbour) => true,
        (Some(who), Some(whom)) => whom < who,
        // A name that is no room: an item or macro at the root of the crate.
        (_, None) => true,
        (None, Some(_)) => false,
    }
}

fn complain(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn imports_run_down_only() {
    let mut wrong = Vec::new();
    for file in files("src") {
        for (line, whom) in used(&file) {
            if !may_use(&file.room, &whom) {
                wrong.push(format!("{}:{line}: {} may not know {whom}", file.path, file.room));
            }
        }
    }
    complain(wrong);
}

#[test]
fn every_room_has_a_floor() {
    let rooms: BTreeSet<String> = files("src").into_iter().map(|file| file.room).collect();
    complain(
        rooms
            .into_iter()
            .filter(|room| floor(room).is_none())
            .map(|room| format!("src/{room}: on no floor"))
            .collect(),
    );
}

#[test]
fn each_outside_thing_has_one_door() {
    let mut wrong = Vec::new();
    for file in files("src") {
        for (line, text) in code(&file) {
            for (outside, door) in DOORS {
                if file.room != *door && text.contains(&format!("{outside}::")) {
                    wrong.push(format!("{}:{line}: {outside} is known to src/{door} alone", file.path));
                }
            }
        }
    }
    complain(wrong);
}

#[test]
fn no_file_is_too_long_to_hold_one_idea() {
    let all = ["src", "tests", "benches"].map(files);
    let long = |file: &&File| file.text.lines().count() > LONGEST;
    complain(
        all.iter().flatten().filter(long).map(|f| format!("{}: more than {LONGEST} lines", f.path)).collect(),
    );
}

#[test]
fn every_file_begins_with_what_it_is() {
    let all = ["src", "tests", "benches"].map(files);
    let mute = |file: &&File| !file.text.starts_with("//! ");
    complain(
        all.iter().flatten().filter(mute).map(|f| format!("{}: the first line is not //!", f.path)).collect(),
    );
}

#[test]
fn no_name_is_empty_of_meaning() {
    let mut wrong = Vec::new();
    for file in ["src", "tests", "benches"].map(files).into_iter().flatten() {
        let parts = Path::new(&file.path).with_extension("");
        if parts.iter().any(|part| EMPTY_NAMES.iter().any(|name| part == *name)) {
            wrong.push(format!("{}: say what is in it", file.path));
        }
        for (line, text) in code(&file) {
            let declared = ["struct ", "enum ", "trait ", "mod "].iter().find_map(|word| {
                let rest = text.trim_start().trim_start_matches("pub ").strip_prefix(word)?;
                rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
            });
            let empty = |name: &&str| {
                let name = name.to_lowercase();
                EMPTY_NAMES.iter().any(|word| name == *word || (word.len() > 5 && name.ends_with(word)))
            };
            if let Some(name) = declared.filter(empty) {
                wrong.push(format!("{}:{line}: {name} says nothing", file.path));
            }
        }
    }
    complain(wrong);
}

#[test]
fn groups_and_nested_paths_are_read_right() {
    let text = "use crate::{\n    job::{Job, Task},\n    store,\n};\nlet x = crate::model::find();\n// crate::http\n";
    let file = File { path: String::new(), room: String::new(), text: text.to_string() };
    let expected = [(1, "job"), (1, "store"), (5, "model")].map(|(line, name)| (line, name.to_string()));
    assert_eq!(used(&file), expected);
}
