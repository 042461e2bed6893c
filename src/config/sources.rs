//! Where values come from, and how each place writes them. Does not know what a value means.

use super::keys::{self, Key};
use super::{Error, Flags};
use std::fmt;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// The place a value came from; its text starts the message when the value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    File {
        key: String,
        file: String,
        line: usize,
    },
    Environment {
        name: &'static str,
    },
    DotEnv {
        name: &'static str,
        line: usize,
    },
    Flag {
        name: &'static str,
    },
    /// `--set KEY=VALUE`.
    Set {
        key: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File { key, file, line } => write!(f, "{key} in {file} line {line}"),
            Source::Environment { name } => write!(f, "{name} (environment)"),
            Source::DotEnv { name, line } => write!(f, "{name} (.env line {line})"),
            Source::Flag { name } => f.write_str(name),
            Source::Set { key } => write!(f, "--set {key}"),
        }
    }
}

/// A value as written: one word, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    One(String),
    Many(Vec<String>),
}

/// One value from one place.
pub struct Given {
    pub key: &'static Key,
    pub raw: Raw,
    pub source: Source,
}

/// The value of a variable; an empty one counts as absent.
pub fn present(env: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.trim().is_empty())
}

/// Every key of a TOML file, in the order of its lines.
pub fn file(path: &Path, text: &str) -> Result<Vec<Given>, Error> {
    let name = path.display().to_string();
    let table = DeTable::parse(text).map_err(|e| Error::Syntax {
        path: match e.span() {
            Some(span) => format!("{name} line {}", line(text, span.start)),
            None => name.clone(),
        },
        problem: e.message().to_string(),
    })?;
    let mut given = Vec::new();
    for (key, value) in table.get_ref() {
        let at = key.span().start;
        let source =
            Source::File { key: key.get_ref().to_string(), file: name.clone(), line: line(text, at) };
        let Some(known) = keys::named(key.get_ref()) else {
            return Err(Error::Unknown { place: source.to_string(), hint: keys::hint(key.get_ref()) });
        };
        let raw = raw(value.get_ref())
            .ok_or_else(|| Error::Value { place: source.to_string(), problem: NOT_PLAIN.to_string() })?;
        given.push((at, Given { key: known, raw, source }));
    }
    given.sort_by_key(|(at, _)| *at);
    Ok(given.into_iter().map(|(_, given)| given).collect())
}

const NOT_PLAIN: &str =
    "a table or a nested list does not fit here: give a text, a number, or a list of texts";

fn raw(value: &DeValue<'_>) -> Option<Raw> {
    match value {
        DeValue::Array(items) => {
            items.iter().map(|item| word(item.get_ref())).collect::<Option<_>>().map(Raw::Many)
        }
        other => word(other).map(Raw::One),
    }
}

fn word(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(s) => Some(s.to_string()),
        DeValue::Integer(n) => Some(n.to_string()),
        DeValue::Float(n) => Some(n.to_string()),
        DeValue::Boolean(b) => Some(b.to_string()),
        DeValue::Datetime(d) => Some(d.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|&&b| b == b'\n').count() + 1
}

/// Every key that a variable of the environment or a line of `.env` gives; the environment wins.
pub fn environment(env: &dyn Fn(&str) -> Option<String>, dotenv: Option<&str>) -> Vec<Given> {
    let lines = dotenv.map(parse_dotenv).unwrap_or_default();
    let mut given = Vec::new();
    for key in keys::all() {
        let real = || {
            let named = |name: &&'static str| Some((*name, present(env, name)?));
            let (name, value) = key.env.iter().find_map(named)?;
            Some((value, Source::Environment { name }))
        };
        let file = || {
            let named = |name: &&'static str| Some((*name, lines.iter().rev().find(|l| l.name == *name)?));
            let (name, found) = key.env.iter().find_map(named)?;
            Some((found.value.clone(), Source::DotEnv { name, line: found.number }))
        };
        if let Some((value, source)) = real().or_else(file) {
            let raw = if key.list { Raw::Many(split(&value)) } else { Raw::One(value) };
            given.push(Given { key, raw, source });
        }
    }
    given
}

/// How our variables begin.
const OURS: &str = "TRANSCRIPTORD_";
/// Ours that are no key's: where the file is, and what the tests look for.
const OTHERS: &[&str] = &["TRANSCRIPTORD_CONFIG", "TRANSCRIPTORD_TEST_"];

/// Variables, of the environment or of `.env`, that are called like ours and stand for no key: one sentence each.
pub fn strangers(environment: impl Iterator<Item = String>, dotenv: Option<&str>) -> Vec<String> {
    let given = environment.map(|name| (format!("{name} (environment)"), name));
    let lines = dotenv.map(parse_dotenv).unwrap_or_default().into_iter();
    let all =
        given.chain(lines.map(|line| (format!("{} (.env line {})", line.name, line.number), line.name)));
    let known = |name: &str| {
        keys::all().any(|key| key.env.contains(&name)) || OTHERS.iter().any(|other| name.starts_with(other))
    };
    let told = all.filter(|(_, name)| name.starts_with(OURS) && !known(name)).map(|(place, name)| {
        let hint = keys::nearest(&name[OURS.len()..].to_lowercase());
        let hint = hint.map_or("README.md lists them all".to_string(), |near| {
            format!("did you mean {OURS}{}?", near.to_uppercase())
        });
        format!("{place} is ignored: there is no such key, {hint}")
    });
    told.collect()
}

/// Lists in the environment are separated by `|`, as `LIBRARY_PATHS` always was.
fn split(value: &str) -> Vec<String> {
    value.split('|').map(str::trim).filter(|item| !item.is_empty()).map(str::to_string).collect()
}

struct Line {
    name: String,
    value: String,
    number: usize,
}

/// `NAME=value` lines; `export`, quotes, comments and blank lines as shells write them. Others are skipped.
fn parse_dotenv(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else { continue };
        if name.starts_with('#') {
            continue;
        }
        let value = unquote(value.trim());
        if !value.is_empty() {
            lines.push(Line { name: name.trim().to_string(), value, number: index + 1 });
        }
    }
    lines
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner.0.to_string();
        }
    }
    value.split(" #").next().unwrap_or_default().trim().to_string()
}

/// What the command line gave. Fails on a `--set` that names no key.
pub fn flags(flags: &Flags) -> Result<Vec<Given>, Error> {
    let single = [
        ("listen", "--listen", &flags.listen),
        ("data_dir", "--data-dir", &flags.data_dir),
        ("models_dir", "--models-dir", &flags.models_dir),
        ("database_url", "--database-url", &flags.database_url),
        ("model", "--model", &flags.model),
        ("workers", "--workers", &flags.workers),
        ("device", "--device", &flags.device),
        ("pool", "--pool", &flags.pool),
        ("whisper_threads", "--threads", &flags.whisper_threads),
        ("log_level", "--log-level", &flags.log_level),
        ("subtitle_profile", "--profile", &flags.subtitle_profile),
        ("custom_regroup", "--regroup", &flags.custom_regroup),
        ("word_level_highlight", "--word-highlight", &flags.word_level_highlight),
        ("initial_prompt", "--prompt", &flags.initial_prompt),
        ("prompt_from_title", "--prompt-from-title", &flags.prompt_from_title.then(|| "true".to_string())),
    ];
    let mut given = Vec::new();
    for (key, name, value) in single {
        if let (Some(key), Some(value)) = (keys::named(key), value) {
            given.push(Given { key, raw: Raw::One(value.clone()), source: Source::Flag { name } });
        }
    }
    let several = [("library", "--library", &flags.library), ("hotwords", "--hotwords", &flags.hotwords)];
    for (key, name, values) in several {
        if let (Some(key), false) = (keys::named(key), values.is_empty()) {
            given.push(Given { key, raw: Raw::Many(values.clone()), source: Source::Flag { name } });
        }
    }
    for set in &flags.set {
        let (name, value) = set.split_once('=').unwrap_or((set, ""));
        let source = Source::Set { key: name.trim().to_string() };
        let Some(key) = keys::named(name.trim()) else {
            return Err(Error::Unknown { place: source.to_string(), hint: keys::hint(name.trim()) });
        };
        let raw = if key.list { Raw::Many(split(value)) } else { Raw::One(value.to_string()) };
        given.push(Given { key, raw, source });
    }
    Ok(given)
}
