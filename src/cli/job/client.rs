//! Calls of the daemon's REST API, its errors as sentences. Does not know what is done with the answers.

use super::Failure;
use crate::cli::key;
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// A daemon that is talked to.
pub struct Client {
    server: String,
    http: reqwest::blocking::Client,
}

/// What became of a new job.
pub enum Added {
    New(String),
    /// The same work is queued, running or done.
    AlreadyThere {
        id: String,
        why: String,
    },
}

/// A job as the API tells it, as far as it is shown; a field that is missing counts as null.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Job {
    pub id: String,
    pub file_name: Option<String>,
    pub file_path: Option<String>,
    pub status: String,
    pub source_lang: Option<String>,
    pub target_lang: Option<String>,
    pub transcribe_or_translate: Option<String>,
    pub progress: f64,
    pub current_stage: Option<String>,
    pub eta_seconds: Option<f64>,
    pub created_at: Option<String>,
    pub output_path: Option<String>,
    pub note: Option<String>,
    pub segments_count: Option<u64>,
    pub error: Option<String>,
    pub processing_time_seconds: Option<f64>,
}

/// A page of jobs.
#[derive(Debug, Deserialize)]
pub struct Page {
    pub jobs: Vec<Job>,
    pub total: u64,
}

impl Client {
    /// Fails on a URL that is none.
    pub fn new(server: &str) -> Result<Client, Failure> {
        let server = server.trim_end_matches('/').to_string();
        if !server.starts_with("http://") && !server.starts_with("https://") {
            return Err(Failure::Usage(format!(
                "--server: '{server}' is not a URL: give one like http://127.0.0.1:9000"
            )));
        }
        // The daemon is ours: a proxy of the environment has no business between.
        let http = reqwest::blocking::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers(&server))
            .build()
            .map_err(|e| Failure::failed(format!("no HTTP client: {e}")))?;
        Ok(Client { server, http })
    }

    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.http.get(self.url(path)).timeout(SOON))
    }

    /// As `get`, where the daemon may hold its answer back for `hold_seconds`.
    pub fn poll(&self, path: &str, hold_seconds: u64) -> Result<Value, Failure> {
        let patience = SOON + Duration::from_secs(hold_seconds);
        self.json(self.http.get(self.url(&format!("{path}?wait={hold_seconds}"))).timeout(patience))
    }

    pub fn post(&self, path: &str) -> Result<Value, Failure> {
        self.json(self.http.post(self.url(path)).timeout(SOON))
    }

    /// `POST /api/jobs`. A conflict is no failure: the job is there.
    pub fn add(&self, ask: &Value) -> Result<Added, Failure> {
        let response = self.send(self.http.post(self.url("/api/jobs")).json(ask).timeout(SOON))?;
        let conflict = response.status() == reqwest::StatusCode::CONFLICT;
        let answer = if conflict { self.body(response)? } else { self.good(response)? };
        let text = |key: &str| answer[key].as_str().map(str::to_string);
        match (conflict, text("job_id"), text("id")) {
            (true, Some(id), _) => {
                let why = text("detail").unwrap_or_else(|| "the same work is there already".to_string());
                Ok(Added::AlreadyThere { id, why })
            }
            (false, _, Some(id)) => Ok(Added::New(id)),
            _ => Err(self.not_ours()),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn json(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let response = self.send(request)?;
        self.good(response)
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        request.send().map_err(|e| {
            let server = &self.server;
            Failure::failed(match (e.is_connect(), e.is_timeout()) {
                (true, _) => format!(
                    "no daemon answers at {server}: start one with 'transcriptord serve', or name it with --server URL"
                ),
                (_, true) => format!("the daemon at {server} did not answer in time: look at its log"),
                _ => format!("the daemon at {server} could not be asked: {e}"),
            })
        })
    }

    fn good(&self, response: Response) -> Result<Value, Failure> {
        let status = response.status();
        let answer = self.body(response)?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(Failure::failed(match answer["detail"].as_str() {
            Some(detail) => detail.to_string(),
            None => format!("the daemon at {} answered {status}", self.server),
        }))
    }

    fn body(&self, response: Response) -> Result<Value, Failure> {
        let text = response.text().map_err(|e| {
            Failure::failed(format!("the answer of the daemon at {} broke off: {e}", self.server))
        })?;
        serde_json::from_str(&text).map_err(|_| self.not_ours())
    }

    fn not_ours(&self) -> Failure {
        Failure::failed(format!(
            "what answers at {} is not transcriptord: name it with --server URL",
            self.server
        ))
    }
}

/// The key, where there is one. It goes nowhere else: see `key::for_server`.
fn headers(server: &str) -> HeaderMap {
    let key = key::for_server(server).and_then(|key| HeaderValue::from_str(&key).ok());
    let named = key.map(|mut key| {
        key.set_sensitive(true);
        (HeaderName::from_static("x-api-key"), key)
    });
    named.into_iter().collect()
}

/// How long an answer may take that needs no waiting.
const SOON: Duration = Duration::from_secs(30);

/// An answer in the shape it should have.
pub fn shaped<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|e| {
        Failure::failed(format!("the daemon's answer is not understood: {e}; is it of another version?"))
    })
}
