//! Downloads published models: resumes, verifies, renames. Knows nothing of what is done with them.

use super::catalogue::{CATALOGUE, Catalogued, catalogued};
use super::check::{check, foreign};
use super::write::{hex, place};
use super::{Error, naming};
use reqwest::blocking::{Client, Response};
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{StatusCode, Url};
use sha1::{Digest, Sha1};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where whisper.cpp's models are published.
pub const BASE_URL: &str = "https://huggingface.co/ggerganov/whisper.cpp/resolve/main";

/// Breaks without a byte between them after which a download is given up for now.
const TRIES: u32 = 3;

/// A published model that is in the models folder now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    pub path: PathBuf,
    pub name: String,
    /// Of the file, hex.
    pub sha1: String,
    /// True when that is the published SHA-1; false when none is published.
    pub verified: bool,
    /// False when it was there before.
    pub fresh: bool,
}

/// Downloads a published model into `dir` as `ggml-NAME.bin`. See [`pull_from`].
pub fn pull(dir: &Path, name: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<Pulled, Error> {
    pull_from(BASE_URL, dir, name, progress)
}

/// As [`pull`], from another place that has the files under the same names. Blocks; not for asynchronous threads.
///
/// What is there of an earlier try (`ggml-NAME.bin.part`) is not loaded again. The file gets its name when it is
/// whole, checked, of the published SHA-1, and synced. `progress` hears of bytes done and in all. Fails when the
/// host cannot be reached (saying which other ways there are), when the connection breaks, and for a wrong SHA-1.
pub fn pull_from(
    base_url: &str,
    dir: &Path,
    name: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Pulled, Error> {
    let name = name.strip_prefix("ggml-").unwrap_or(name);
    let name = name.strip_suffix(".bin").unwrap_or(name);
    let model = catalogued(name).ok_or_else(|| {
        let known = CATALOGUE.iter().map(|model| model.name).collect::<Vec<_>>().join(", ");
        Error::NotCatalogued { name: name.to_owned(), known }
    })?;
    fetch(base_url, dir, model, progress)
}

fn fetch(
    base_url: &str,
    dir: &Path,
    model: &Catalogued,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Pulled, Error> {
    let name = model.name;
    fs::create_dir_all(dir).map_err(Error::io("create the folder", dir))?;
    let target = naming::path(dir, name)?;
    if let Some(sha1) = already(&target, model)? {
        return Ok(Pulled {
            path: target,
            name: name.to_owned(),
            verified: model.sha1.is_some(),
            sha1,
            fresh: false,
        });
    }
    let url = format!("{}/ggml-{name}.bin", base_url.trim_end_matches('/'));
    let mut part = Part::open(&target)?;
    if let Err(error) = download(&mut part, &url, model, dir, progress) {
        if part.bytes == 0 {
            fs::remove_file(&part.path).ok();
        }
        return Err(error);
    }
    let sha1 = hex(part.sha1.clone());
    part.file.sync_all().map_err(Error::io("write", &part.path))?;
    if let Err(error) = verify(&part.path, &url, &sha1, model) {
        fs::remove_file(&part.path).ok();
        return Err(error);
    }
    place(&part.path, &target)?;
    Ok(Pulled { path: target, name: name.to_owned(), verified: model.sha1.is_some(), sha1, fresh: true })
}

/// The SHA-1 of a file that is there and as published. One that is not is loaded again, and replaced only then.
fn already(target: &Path, model: &Catalogued) -> Result<Option<String>, Error> {
    let Ok(mut file) = File::open(target) else { return Ok(None) };
    if check(target).is_err() {
        return Ok(None);
    }
    let mut sha1 = Sha1::new();
    hash(&mut file, &mut sha1).map_err(Error::io("read", target))?;
    let sha1 = hex(sha1);
    Ok(model.sha1.is_none_or(|published| published == sha1).then_some(sha1))
}

fn hash(file: &mut File, sha1: &mut Sha1) -> std::io::Result<u64> {
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes),
            n => {
                sha1.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
}

fn verify(path: &Path, url: &str, sha1: &str, model: &Catalogued) -> Result<(), Error> {
    check(path)?;
    match model.sha1 {
        Some(want) if want != sha1 => {
            Err(Error::Checksum { url: url.to_owned(), got: sha1.to_owned(), want })
        }
        _ => Ok(()),
    }
}

/// The part of the file that has come.
struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Of these bytes.
    sha1: Sha1,
}

impl Part {
    /// Takes up what an earlier try left. Fails when another process is at it.
    fn open(target: &Path) -> Result<Part, Error> {
        let path = target.with_added_extension("part");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("write", &path))?;
        if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::Busy(path));
        }
        let mut sha1 = Sha1::new();
        let bytes = hash(&mut file, &mut sha1).map_err(Error::io("read", &path))?;
        Ok(Part { path, file, bytes, sha1 })
    }

    fn restart(&mut self) -> Result<(), Error> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(Error::io("write", &self.path))?;
        (self.bytes, self.sha1) = (0, Sha1::new());
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))?;
        self.sha1.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

fn client(url: &Url) -> reqwest::Result<Client> {
    // Whoever installed a provider before us may keep it.
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::builder()
        .user_agent(concat!("transcriptord/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(15))
        // For each read, not for the whole.
        .timeout(Duration::from_secs(60));
    // A proxy's own loopback is not ours.
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if here { client.no_proxy() } else { client }.build()
}

/// A request's error with its causes in one line; reqwest's own text leaves them out.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(error.source(), |e| e.source());
    chain.last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn download(
    part: &mut Part,
    url: &str,
    model: &Catalogued,
    dir: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), Error> {
    let unreachable = |why: String| Error::Unreachable {
        url: url.to_owned(),
        why,
        file: format!("ggml-{}.bin", model.name),
        dir: dir.to_owned(),
    };
    if model.exact_bytes && part.bytes > model.bytes {
        part.restart()?;
    }
    let parsed = Url::parse(url).map_err(|e| unreachable(e.to_string()))?;
    let client = client(&parsed).map_err(|e| unreachable(causes(&e)))?;
    let (mut failures, mut begun) = (0, false);
    loop {
        if model.exact_bytes && part.bytes == model.bytes {
            return Ok(());
        }
        let before = part.bytes;
        let mut request = client.get(parsed.clone());
        if before > 0 {
            request = request.header(RANGE, format!("bytes={before}-"));
        }
        let response = match request.send() {
            Ok(response) => response,
            Err(e) if !begun => return Err(unreachable(causes(&e))),
            Err(e) => return Err(broke_off(url, part, model, causes(&e))),
        };
        let total = match accept(&response, before) {
            Accepted::From(0) if before > 0 => {
                part.restart()?;
                response.content_length()
            }
            Accepted::From(at) => response.content_length().map(|n| n + at),
            Accepted::Restart => {
                part.restart()?;
                failures += 1;
                if failures >= TRIES {
                    return Err(unreachable("it does not resume".to_owned()));
                }
                continue;
            }
            Accepted::No(why) => return Err(unreachable(why)),
        };
        let total = total.unwrap_or(model.bytes);
        if model.exact_bytes && total != model.bytes {
            return Err(unreachable(format!("it offers {total} bytes where the model has {}", model.bytes)));
        }
        begun = true;
        let start = part.bytes;
        let why = match receive(part, response, total, progress)? {
            None if part.bytes == total => return Ok(()),
            None => "the server ends it early".to_owned(),
            Some(why) => why,
        };
        failures = if part.bytes > start { 0 } else { failures + 1 };
        if failures >= TRIES {
            return Err(broke_off(url, part, model, why));
        }
    }
}

fn broke_off(url: &str, part: &Part, model: &Catalogued, why: String) -> Error {
    Error::BrokeOff { url: url.to_owned(), done: part.bytes, total: model.bytes, why }
}

/// What an answer means.
enum Accepted {
    /// Its body begins at that byte of the file.
    From(u64),
    /// What is there cannot be continued.
    Restart,
    No(String),
}

fn accept(response: &Response, asked: u64) -> Accepted {
    match response.status() {
        StatusCode::OK => Accepted::From(0),
        StatusCode::PARTIAL_CONTENT => {
            let range = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok()).unwrap_or("");
            let start =
                range.strip_prefix("bytes ").and_then(|r| r.split('-').next()).and_then(|n| n.parse().ok());
            if start == Some(asked) { Accepted::From(asked) } else { Accepted::Restart }
        }
        StatusCode::RANGE_NOT_SATISFIABLE => Accepted::Restart,
        other => Accepted::No(format!("it answers {other}")),
    }
}

/// Appends the body; `Some` says why it ended early.
fn receive(
    part: &mut Part,
    mut body: Response,
    total: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<String>, Error> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        progress(part.bytes, total);
        let n = match body.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Ok(Some(causes(&e))),
        };
        if part.bytes == 0
            && let Some((what, hint)) = foreign(&buffer[..n])
        {
            return Err(Error::WrongKind { path: part.path.clone(), what, hint });
        }
        if part.bytes.saturating_add(n as u64) > total {
            return Ok(Some("more came than was announced".to_owned()));
        }
        part.append(&buffer[..n])?;
    }
}

#[cfg(test)]
#[path = "pull_tests.rs"]
mod tests;
