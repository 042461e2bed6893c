//! A database, a clock that the test owns, and jobs to put in. Asserts nothing.

use std::sync::Arc;
use tempfile::TempDir;
use transcriptord::clock::{Clock, Manual, Millis};
use transcriptord::job::{
    Claim, Job, JobId, JobKind, JobState, NewJob, Options, Origin, Preset, Source, Task,
};
use transcriptord::queue::{ClaimAsk, Moved, Outcome, Queue, Submitted};
use transcriptord::store::Store;

/// 2026-01-31T12:00:00Z.
pub const NOON: Millis = 1_769_860_800_000;
pub const LEASE_MS: Millis = 60_000;
pub const MINUTE_MS: Millis = 60_000;
pub const HOUR_MS: Millis = 60 * MINUTE_MS;

pub struct Bench {
    pub queue: Queue,
    pub clock: Arc<Manual>,
    store: Store,
    /// `None`: in memory, where there is one process only.
    file: Option<(TempDir, String)>,
}

impl Bench {
    pub fn file() -> Bench {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("queue.db").display());
        Bench::new(&url.clone(), Some((folder, url)))
    }

    pub fn memory() -> Bench {
        Bench::new("sqlite::memory:", None)
    }

    fn new(url: &str, file: Option<(TempDir, String)>) -> Bench {
        let store = Store::open(url).unwrap();
        let clock = Arc::new(Manual::at(NOON));
        let queue = Queue::new(store.clone(), "here".to_owned(), clock.clone());
        Bench { queue, clock, store, file }
    }

    /// A queue on the same database under another name.
    pub fn node(&self, name: &str) -> Queue {
        Queue::new(self.store.clone(), name.to_owned(), self.clock.clone())
    }

    /// A queue of this node with connections of its own, as another process has them. It hears no notices.
    pub fn process(&self) -> Queue {
        let store = match &self.file {
            Some((_, url)) => Store::open(url).unwrap(),
            None => self.store.clone(),
        };
        Queue::new(store, "here".to_owned(), self.clock.clone())
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub fn submit(&self, key: &str) -> JobId {
        self.queue.submit(film(key)).unwrap().id
    }

    pub fn claim(&self) -> (Job, Claim) {
        self.queue.claim(&ask()).unwrap().expect("a job to claim")
    }

    pub fn job(&self, id: JobId) -> Job {
        self.queue.get(id).unwrap().expect("the job")
    }

    pub fn state(&self, id: JobId) -> JobState {
        self.job(id).state
    }

    /// Submits a job and finishes it.
    pub fn finished(&self, job: NewJob) -> JobId {
        let Submitted { id, joined: false, .. } = self.queue.submit(job).unwrap() else { panic!("joined") };
        let (job, claim) = self.claim();
        assert_eq!(job.id, id);
        assert!(self.queue.finish(&claim, &outcome("{}")).unwrap());
        id
    }
}

/// A library scan's job.
pub fn film(key: &str) -> NewJob {
    NewJob {
        kind: JobKind::Transcription,
        origin: Origin::Scan,
        source: Source::Path { path: format!("/films/{key}.mkv").into(), track: None },
        home: None,
        file_name: format!("{key}.mkv"),
        task: Task::Transcribe,
        source_lang: None,
        target_lang: None,
        preset: Preset::Fast,
        options: Options::default(),
        priority: 0,
        key: key.to_owned(),
        rank: 10,
        output: None,
        max_retries: 3,
    }
}

pub fn ask() -> ClaimAsk<'static> {
    ClaimAsk {
        device: "cpu".to_owned(),
        kinds: JobKind::ALL,
        above: None,
        lease_ms: LEASE_MS,
        ageing_ms_per_point: 0,
    }
}

pub fn outcome(result: &str) -> Outcome {
    Outcome { result: result.to_owned(), ..Outcome::default() }
}

#[track_caller]
pub fn done(moved: Moved) -> Job {
    match moved {
        Moved::Done(job) => job,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn refused(moved: Moved) -> JobState {
    match moved {
        Moved::Refused(state) => state,
        other => panic!("{other:?}"),
    }
}
