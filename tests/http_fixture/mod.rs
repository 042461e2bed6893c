//! A real server on a free port, a worker that the test scripts, and a client that sees each byte. Knows nothing of
//! what is tested.
#![allow(dead_code, reason = "each test program uses its part")]

pub mod client;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use transcriptord::clock::System;
use transcriptord::http::{self, Settings, Shared};
use transcriptord::job::{Claim, Job, JobKind, Task};
use transcriptord::language::Language;
use transcriptord::pool::status::{PoolStatus, WorkerStatus};
use transcriptord::queue::{Again, ClaimAsk, Outcome, Queue};
use transcriptord::spool::Spool;
use transcriptord::store::Store;
use transcriptord::subtitle::{Cue, Transcript, Word};

/// Nothing in a test takes longer unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Short, so that tests see heartbeats soon.
pub const HEARTBEAT_MS: u64 = 20;

pub struct Daemon {
    pub addr: SocketAddr,
    pub queue: Queue,
    pub spool_dir: PathBuf,
    pub library: PathBuf,
    stop: tokio::sync::watch::Sender<bool>,
    handle: actix_web::dev::ServerHandle,
    thread: Option<JoinHandle<()>>,
    _dir: TempDir,
}

impl Daemon {
    pub fn start() -> Daemon {
        Daemon::start_with(|_| {})
    }

    pub fn start_with(change: impl FnOnce(&mut Shared)) -> Daemon {
        let dir = tempfile::tempdir().unwrap();
        let (spool_dir, library) = (dir.path().join("spool"), dir.path().join("library"));
        std::fs::create_dir(&library).unwrap();
        let store = Store::open("sqlite::memory:").unwrap();
        let queue = Queue::new(store, "here".into(), Arc::new(System));
        let mut settings = Settings::new("here".into(), Arc::new(|_, _, _| 1));
        settings.heartbeat_ms = HEARTBEAT_MS;
        settings.library = vec![library.clone()];
        let (stop, stopping) = tokio::sync::watch::channel(false);
        let mut shared = Shared {
            queue,
            spool: Arc::new(Spool::open(&spool_dir).unwrap()),
            settings,
            pool: Arc::new(one_worker),
            health: Arc::new(Vec::new),
            started: Instant::now(),
            stopping,
        };
        change(&mut shared);
        let queue = shared.queue.clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (handles, handle) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let server = http::server(listener, shared).unwrap();
                handles.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        let handle = handle.recv().unwrap();
        Daemon { addr, queue, spool_dir, library, stop, handle, thread: Some(thread), _dir: dir }
    }

    /// Waits until there is a job of this kind and claims it.
    pub fn claim(&self, kind: JobKind) -> (Job, Claim) {
        let ask = ClaimAsk {
            device: "cpu".into(),
            kinds: &[kind],
            above: None,
            lease_ms: 60_000,
            ageing_ms_per_point: 0,
        };
        until("a job to claim", || self.queue.claim(&ask).unwrap())
    }

    /// Finishes the next transcription with these lines, one a cue.
    pub fn transcribe(&self, lines: &[&str]) -> Job {
        let (job, claim) = self.claim(JobKind::Transcription);
        assert!(self.queue.finish(&claim, &transcript(lines)).unwrap());
        job
    }

    /// Fails the next transcription for good.
    pub fn fail(&self, why: &str) -> Job {
        let (job, claim) = self.claim(JobKind::Transcription);
        assert!(self.queue.fail(&claim, why, Again::Never).unwrap());
        job
    }

    /// Finishes the next detection.
    pub fn detect(&self, result: &str) -> Job {
        let (job, claim) = self.claim(JobKind::LanguageDetection);
        let outcome = Outcome { result: result.into(), ..Outcome::default() };
        assert!(self.queue.finish(&claim, &outcome).unwrap());
        job
    }

    /// What `serve` does first when it is told to stop.
    pub fn announce_stop(&self) {
        self.stop.send_replace(true);
    }

    pub fn spooled(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.spool_dir).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub fn media(&self, name: &str) -> PathBuf {
        let path = self.library.join(name);
        std::fs::write(&path, name).unwrap();
        path
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Asks until there is an answer; a condition, not a time, ends the wait.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("waited in vain for {what}");
}

pub fn transcript(lines: &[&str]) -> Outcome {
    let words = |line: &str, start_ms: i64| {
        let word = |(k, w): (i64, &str)| Word {
            text: format!(" {w}"),
            start_ms: start_ms + k * 100,
            end_ms: start_ms + k * 100 + 90,
            p: 1.0,
        };
        (0..).zip(line.split_whitespace()).map(word).collect()
    };
    let cues = lines.iter().zip(0..).map(|(line, i)| Cue {
        start_ms: i * 2000,
        end_ms: i * 2000 + 1500,
        lines: vec![line.to_string()],
        words: words(line, i * 2000),
    });
    let transcript = Transcript {
        language: Language::ENGLISH,
        spoken: Language::ENGLISH,
        task: Task::Transcribe,
        duration_ms: 10_000,
        cues: cues.collect(),
    };
    Outcome {
        result: serde_json::to_string(&transcript).unwrap(),
        report: Some(r#"{"score":100}"#.into()),
        language: Some(Language::ENGLISH),
        segments_count: Some(lines.len() as u32),
        ..Outcome::default()
    }
}

fn one_worker() -> PoolStatus {
    let worker = WorkerStatus {
        worker_id: "cpu-0".into(),
        worker_type: "cpu".into(),
        device_id: None,
        status: "idle".into(),
        current_job_id: None,
        jobs_completed: 3,
        jobs_failed: 1,
        uptime_seconds: 5.0,
        current_job_progress: 0.0,
        current_job_eta: None,
    };
    PoolStatus { workers: vec![worker], running: true, uptime_seconds: 5.0 }
}

/// Bare samples: half a second of a tone nobody hears, told apart by `seed`.
pub fn pcm(seed: u8) -> Vec<u8> {
    (0..16_000u32).map(|i| if i % 2 == 0 { (i % 251) as u8 ^ seed } else { 0 }).collect()
}

pub fn exists(path: &Path) -> bool {
    path.exists()
}
