//! Bazarr's own REST API: what is missing, where the videos are, and uploading a subtitle. Knows nothing of jobs.
//!
//! As Bazarr 1.5 answers; its wanted lists carry no path, so that is a second question.

use reqwest::StatusCode;
use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::time::Duration;

/// Reading a list of a big library.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bazarr syncs and post-processes before it answers an upload.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0:?} is not Bazarr's address: set bazarr_url to one like http://127.0.0.1:6767")]
    Address(String),
    #[error("Bazarr does not answer ({0}): is it running, and is bazarr_url right?")]
    Away(String),
    #[error("Bazarr refuses the key: set bazarr_api_key to the one under Settings > General > Security")]
    Key,
    #[error("Bazarr answered {status} to {path}: its own log says why")]
    Status { status: u16, path: String },
    #[error("what Bazarr answered to {path} is not understood ({why}): is bazarr_url right?")]
    Answer { path: String, why: String },
}

/// One of Bazarr's two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    Movies,
    Episodes,
}

impl Shelf {
    pub const ALL: [Shelf; 2] = [Shelf::Movies, Shelf::Episodes];

    fn path(self) -> &'static str {
        match self {
            Shelf::Movies => "movies",
            Shelf::Episodes => "episodes",
        }
    }
}

/// A video by Bazarr's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Id {
    Movie { radarr: i64 },
    Episode { series: i64, episode: i64 },
}

impl Id {
    pub fn shelf(self) -> Shelf {
        match self {
            Id::Movie { .. } => Shelf::Movies,
            Id::Episode { .. } => Shelf::Episodes,
        }
    }

    fn number(self) -> i64 {
        match self {
            Id::Movie { radarr } => radarr,
            Id::Episode { episode, .. } => episode,
        }
    }
}

/// A subtitle that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Missing {
    /// Bazarr's code; mostly ISO 639-1.
    pub code2: String,
    #[serde(default, deserialize_with = "flag")]
    pub forced: bool,
    #[serde(default, deserialize_with = "flag")]
    pub hi: bool,
}

/// A video with missing subtitles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub id: Id,
    pub missing: Vec<Missing>,
}

/// Where a video is, and what is spoken in it by its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// As Bazarr sees it.
    pub path: String,
    /// Bazarr's codes; empty ones are tracks without a known tag.
    pub audio: Vec<String>,
}

/// Bazarr at one address. Each method blocks for its answer.
pub struct Bazarr {
    base: Url,
    key: String,
    http: Client,
}

impl Bazarr {
    /// `url` is that of Bazarr's start page, with its base URL if it has one.
    pub fn new(url: &str, key: &str) -> Result<Bazarr, Error> {
        let wrong = || Error::Address(url.to_owned());
        let base = Url::parse(&format!("{}/api/", url.trim_end_matches('/'))).map_err(|_| wrong())?;
        // Whoever installed a provider before us may keep it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .user_agent(concat!("transcriptord/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(15))
            .timeout(PATIENCE)
            // The key goes to the address that was set and to no other.
            .redirect(Policy::none());
        let here = matches!(base.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        let http = if here { http.no_proxy() } else { http }.build().map_err(|e| Error::Away(causes(&e)))?;
        Ok(Bazarr { base, key: key.to_owned(), http })
    }

    /// A page of what is missing; an empty one follows the last.
    pub fn wanted(&self, shelf: Shelf, start: usize, length: usize) -> Result<Vec<Wanted>, Error> {
        let path = format!("{}/wanted", shelf.path());
        let query = [("start", start.to_string()), ("length", length.to_string())];
        let rows: Vec<WantedRow> = self.list(&path, &query)?;
        Ok(rows.into_iter().filter_map(WantedRow::read).collect())
    }

    /// Paths and tags of videos of one shelf, by id. Those that Bazarr does not know any more are left out.
    pub fn videos(&self, shelf: Shelf, ids: &[Id]) -> Result<HashMap<Id, Video>, Error> {
        let name = match shelf {
            Shelf::Movies => "radarrid[]",
            Shelf::Episodes => "episodeid[]",
        };
        let query: Vec<_> = ids.iter().map(|id| (name, id.number().to_string())).collect();
        let rows: Vec<VideoRow> = self.list(shelf.path(), &query)?;
        let found = rows.into_iter().filter_map(|row| {
            let number = match shelf {
                Shelf::Movies => row.radarr?,
                Shelf::Episodes => row.episode?,
            };
            let id = ids.iter().find(|id| id.number() == number)?;
            let audio = row.audio.unwrap_or_default().into_iter();
            let audio = audio.map(|a| a.code2.unwrap_or_default()).collect();
            Some((*id, Video { path: row.path?, audio }))
        });
        Ok(found.collect())
    }

    /// Hands a subtitle over. `Ok` says that it was taken, not that it was kept: look at the list again.
    pub fn upload(&self, id: Id, code2: &str, hi: bool, srt: &str) -> Result<(), Error> {
        let path = format!("{}/subtitles", id.shelf().path());
        let ids = match id {
            Id::Movie { radarr } => vec![("radarrid", radarr)],
            Id::Episode { series, episode } => vec![("seriesid", series), ("episodeid", episode)],
        };
        let ids = ids.into_iter().map(|(name, number)| (name, number.to_string()));
        let rest = [("language", code2.to_owned()), ("forced", "false".to_owned()), ("hi", hi.to_string())];
        let fields: Vec<(&str, String)> = ids.chain(rest).collect();
        let (boundary, body) = multipart(&fields, srt);
        let request = self
            .http
            .post(self.url(&path, &[])?)
            .timeout(UPLOAD_PATIENCE)
            .header("Content-Type", format!("multipart/form-data; boundary={boundary}"))
            .body(body);
        self.send(&path, request).map(drop)
    }

    fn list<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<Vec<T>, Error> {
        #[derive(Deserialize)]
        struct Page<T> {
            data: Vec<T>,
        }
        let answer = self.send(path, self.http.get(self.url(path, query)?))?;
        let text = answer.text().map_err(|e| Error::Away(causes(&e)))?;
        let page: Page<T> = serde_json::from_str(&text)
            .map_err(|e| Error::Answer { path: path.to_owned(), why: e.to_string() })?;
        Ok(page.data)
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> Result<Url, Error> {
        let mut url = self.base.join(path).map_err(|_| Error::Address(self.base.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn send(&self, path: &str, request: RequestBuilder) -> Result<Response, Error> {
        let answer = request.header("X-API-KEY", &self.key).send().map_err(|e| Error::Away(causes(&e)))?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Key),
            status => Err(Error::Status { status: status.as_u16(), path: path.to_owned() }),
        }
    }
}

#[derive(Deserialize)]
struct WantedRow {
    #[serde(rename = "radarrId")]
    radarr: Option<i64>,
    #[serde(rename = "sonarrSeriesId")]
    series: Option<i64>,
    #[serde(rename = "sonarrEpisodeId")]
    episode: Option<i64>,
    #[serde(rename = "missing_subtitles")]
    missing: Option<Vec<Missing>>,
}

impl WantedRow {
    fn read(self) -> Option<Wanted> {
        let id = match (self.radarr, self.series, self.episode) {
            (Some(radarr), ..) => Id::Movie { radarr },
            (None, Some(series), Some(episode)) => Id::Episode { series, episode },
            _ => return None,
        };
        Some(Wanted { id, missing: self.missing.unwrap_or_default() })
    }
}

#[derive(Deserialize)]
struct VideoRow {
    #[serde(rename = "radarrId")]
    radarr: Option<i64>,
    #[serde(rename = "sonarrEpisodeId")]
    episode: Option<i64>,
    path: Option<String>,
    #[serde(rename = "audio_language")]
    audio: Option<Vec<AudioRow>>,
}

#[derive(Deserialize)]
struct AudioRow {
    code2: Option<String>,
}

/// Versions differ: a switch is `true`, `"True"` or nothing.
fn flag<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Switch(bool),
        Text(String),
        Nothing(()),
    }
    Ok(match Flag::deserialize(from)? {
        Flag::Switch(on) => on,
        Flag::Text(text) => text.eq_ignore_ascii_case("true"),
        Flag::Nothing(()) => false,
    })
}

/// The boundary and a body of fields and one file. The boundary is the text's hash: it does not stand in the text.
fn multipart(fields: &[(&str, String)], srt: &str) -> (String, String) {
    let boundary = blake3::hash(srt.as_bytes()).to_hex().to_string();
    let head = |rest: &str| format!("--{boundary}\r\nContent-Disposition: form-data; {rest}\r\n");
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("{}\r\n{value}\r\n", head(&format!("name=\"{name}\"")));
    }
    body += &head("name=\"file\"; filename=\"subtitle.srt\"");
    body += &format!("Content-Type: application/x-subrip\r\n\r\n{srt}\r\n--{boundary}--\r\n");
    (boundary, body)
}

/// The innermost cause in one line; reqwest's own text leaves it out.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(error.source(), |e| e.source());
    chain.last().map_or_else(|| error.to_string(), ToString::to_string)
}
