//! The daemon's HTTP face: routes and what the handlers share. Knows nothing of engines, SQL or the wire format of
//! subtitles.
//!
//! The server's threads never wait for a disk, a database or an engine: heartbeats run on them. What blocks goes
//! through `ask` or to the threads of `intake`.

mod access;
mod beside;
pub mod callback;
mod error;
mod guard;
mod gzip;
mod held;
mod intake;
mod jobs;
pub mod key;
mod openapi;
mod params;
mod provider;
mod pulse;
mod result;
mod submit;
mod system;
mod view;
mod workers;

pub use access::{Access, Net, Required};
pub use error::Error;
pub use openapi::openapi;
pub use pulse::answers;

use crate::job::{Options, Preset, Task};
use crate::language::{Language, Naming};
use crate::library::Library;
use crate::pool::status::PoolStatus;
use crate::queue::Queue;
use crate::spool::Spool;
use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::{Next, NormalizePath, from_fn};
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{App, HttpRequest, HttpServer, Resource};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All that the handlers know.
#[derive(Clone)]
pub struct Shared {
    pub queue: Queue,
    pub spool: Arc<Spool>,
    pub settings: Settings,
    pub pool: Arc<dyn Fn() -> PoolStatus + Send + Sync>,
    /// Why the daemon is degraded, one sentence each; empty when it is healthy. May block.
    pub health: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    pub started: Instant,
    /// Turns true when the server stops: every open body is then ended in the way that harms no client.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// What an `/asr` request gets when nothing is said in the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSpeech {
    /// No text at all: Bazarr keeps the film wanted and asks again at its next search.
    Empty,
    /// An empty subtitle: Bazarr saves it and the film counts as done.
    Blank,
}

/// Chooses the rank of a result (model and preset as one number) for `NewJob::rank`.
pub type Rank = Arc<dyn Fn(Preset, Task, Option<Language>) -> i64 + Send + Sync>;

/// Plain values of the configuration.
#[derive(Clone)]
pub struct Settings {
    /// This node's name: uploads can be worked on here alone.
    pub node: String,
    /// Path jobs are allowed inside these folders only.
    pub library: Vec<PathBuf>,
    /// Beginnings of Bazarr's paths and what they are here; none when paths are not mapped.
    pub path_mapping: Vec<(String, String)>,
    /// Time between two heartbeats of an open answer.
    pub heartbeat_ms: u64,
    /// The preset of provider requests.
    pub provider_preset: Preset,
    /// The preset of all other jobs that name none.
    pub preset: Preset,
    /// What each job is asked with, unless its request says otherwise.
    pub options: Options,
    /// Whisper is told the film's title and names too.
    pub prompt_from_title: bool,
    pub no_speech: NoSpeech,
    /// How long a synchronous provider request is held; until it is done when there is no limit.
    pub hold: Option<Duration>,
    /// The `Retry-After` of a 202.
    pub retry_after_s: u32,
    pub max_upload_bytes: u64,
    /// Uploads taken in at the same time; more are read and refused.
    pub max_uploads: usize,
    pub max_retries: u32,
    /// How a subtitle's file names its language.
    pub naming: Naming,
    pub access: Access,
    pub rank: Rank,
}

impl Settings {
    /// The defaults of rest-api.md.
    pub fn new(node: String, rank: Rank) -> Settings {
        Settings {
            node,
            library: Vec::new(),
            path_mapping: Vec::new(),
            heartbeat_ms: 2000,
            provider_preset: Preset::Balanced,
            preset: Preset::Fast,
            options: Options::default(),
            prompt_from_title: false,
            no_speech: NoSpeech::Empty,
            hold: None,
            retry_after_s: 30,
            max_upload_bytes: 2048 << 20,
            max_uploads: 64,
            max_retries: 3,
            naming: Naming::default(),
            access: Access {
                key: String::new(),
                required: Required::External,
                proxies: Vec::new(),
                names: Vec::new(),
            },
            rank,
        }
    }
}

impl Settings {
    /// The library as Bazarr's paths lead there.
    fn mapped_library(&self) -> Library {
        Library { roots: self.library.clone(), mapping: self.path_mapping.clone() }
    }
}

/// Every endpoint. Needs `Data<Shared>` and `Data<Intake>` in the application.
pub fn routes(cfg: &mut ServiceConfig) {
    let get = web::get;
    let post = web::post;
    cfg.service(at("/").route(get().to(system::home)))
        .service(at("/asr").route(post().to(provider::asr)))
        .service(at("/detect-language").route(post().to(provider::detect_language)))
        .service(at("/status").route(get().to(provider::status)))
        .service(at("/health").route(get().to(system::health)))
        .service(at("/openapi.json").route(get().to(system::document)))
        .service(at("/api/status").route(get().to(system::status)))
        .service(at("/api/queue/pause").route(post().to(system::pause)))
        .service(at("/api/queue/resume").route(post().to(system::resume)))
        .service(at("/api/workers").route(get().to(workers::list)))
        .service(at("/api/workers/stats").route(get().to(workers::stats)))
        .service(at("/api/workers/{worker_id}").route(get().to(workers::get)))
        .service(at("/api/jobs").route(get().to(jobs::list)).route(post().to(jobs::create)))
        .service(at("/api/jobs/stats").route(get().to(jobs::stats)))
        .service(at("/api/jobs/queue/clear").route(post().to(jobs::clear)))
        .service(
            at("/api/jobs/{id}")
                .route(get().to(jobs::get))
                .route(web::delete().to(jobs::remove))
                .route(web::patch().to(jobs::change)),
        )
        .service(at("/api/jobs/{id}/retry").route(post().to(jobs::retry)))
        .service(at("/api/jobs/{id}/cancel").route(post().to(jobs::cancel)))
        .service(at("/api/jobs/{id}/subtitle").route(get().to(jobs::subtitle)))
        .service(at("/api/jobs/{id}/result").route(get().to(result::odds)))
        .service(at("/api/jobs/{id}/report").route(get().to(jobs::report)))
        .default_service(web::to(unknown));
}

fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(no_such_method))
}

async fn unknown(req: HttpRequest, body: Payload) -> Result<String, Error> {
    intake::drain(body).await?;
    Err(Error::NotFound(format!("there is no endpoint {} {}", req.method(), req.path())))
}

async fn no_such_method(req: HttpRequest, body: Payload) -> Result<String, Error> {
    intake::drain(body).await?;
    Err(Error::NoSuchMethod(format!("{} cannot be called with {}", req.path(), req.method())))
}

/// The server on a socket that listens already. It has no signal handlers: whoever runs it sets
/// `Shared::stopping` and then stops it.
pub fn server(listener: TcpListener, shared: Shared) -> std::io::Result<Server> {
    let settings = &shared.settings;
    let intake = intake::Intake::new(shared.spool.clone(), settings.max_upload_bytes, settings.max_uploads);
    let intake = Data::new(intake);
    let shared = Data::new(shared);
    let app = move || {
        App::new()
            .app_data(shared.clone())
            .app_data(intake.clone())
            .wrap(from_fn(guard::guard))
            // Wrapped last, it comes first: all that follows sees the path without a slash at its end.
            .wrap(NormalizePath::trim())
            .wrap(from_fn(close_when_stopping))
            .configure(routes)
    };
    let server = HttpServer::new(app)
        .workers(2)
        .worker_max_blocking_threads(256)
        .keep_alive(Duration::from_secs(75))
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(Duration::from_secs(5))
        .disable_signals()
        .shutdown_timeout(3)
        .listen(listener)?;
    Ok(server.run())
}

/// Tells clients that a connection is over before it is, so that none asks again on one that is about to be closed.
async fn close_when_stopping(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let stopping = req.app_data::<Data<Shared>>().map(|shared| shared.stopping.clone());
    let mut answer = next.call(req).await?;
    if stopping.is_some_and(|stopping| *stopping.borrow()) {
        answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(answer)
}

/// Asks the database, off the threads that serve sockets.
async fn ask<T, E, F>(question: F) -> Result<T, Error>
where
    T: Send + 'static,
    E: Into<Error> + Send + 'static,
    F: FnOnce() -> Result<T, E> + Send + 'static,
{
    let answer = web::block(question).await.map_err(|_| Error::Stopping)?;
    answer.map_err(|e| {
        let e = e.into();
        log::error!("a request cannot be served: {e}");
        e
    })
}
