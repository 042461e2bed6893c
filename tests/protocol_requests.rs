//! Bazarr's requests as they come over the wire, and what the daemon owes them before it answers: nothing is waited
//! for while a body is read. Knows no engine.

mod bazarr;
mod http_fixture;

use bazarr::{Bazarr, Outcome, asr, detect_language};
use http_fixture::client::Reply;
use http_fixture::{Daemon, PATIENCE, pcm, transcript};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use transcriptord::clock::{Manual, System};
use transcriptord::job::{Claim, JobId, JobKind, JobState, Source, Task};
use transcriptord::language::Language;
use transcriptord::queue::{Again, ClaimAsk, Queue};
use transcriptord::store::Store;

fn job(daemon: &Daemon, id: &str) -> transcriptord::job::Job {
    daemon.queue.get(id.parse().unwrap()).unwrap().unwrap()
}

#[test]
fn each_of_whispers_codes_is_taken_for_either_task() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let bazarrs = Language::all().map(Language::whisper_code).filter(|code| *code != "yue");
    // Versions since May 2025 say `de` for Swiss German; others may not.
    let codes: Vec<_> = bazarrs.map(|code| (code, code)).chain([("gsw", "de")]).collect();
    assert_eq!(codes.len(), 100);
    for (code, meant) in codes {
        for task in ["transcribe", "translate"] {
            let answer = bazarr.post(&asr(task, code, None), &pcm(1)).unwrap();
            let job = job(&daemon, &answer.job());
            assert_eq!(job.source_lang.unwrap().whisper_code(), meant, "{task} {code}");
            let target = (task == "translate").then_some(Language::ENGLISH);
            assert_eq!((job.task, job.target_lang), (task.parse::<Task>().unwrap(), target), "{code}");
        }
    }
}

#[test]
fn a_path_is_read_as_bazarr_writes_it_and_may_be_absent() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let mut name = |path: Option<&str>, seed: u8| {
        let answer = bazarr.post(&asr("transcribe", "en", path), &pcm(seed)).unwrap();
        job(&daemon, &answer.job()).file_name
    };
    assert_eq!(name(Some("/films/Amélie & 1+1=2 (2001) 100%.mkv"), 1), "Amélie & 1+1=2 (2001) 100%.mkv");
    assert_eq!(name(Some(r"D:\Films\映画.mkv"), 2), "映画.mkv");
    let hash = blake3::hash(&pcm(3)).to_hex().to_string();
    assert_eq!(name(None, 3), format!("upload {}", &hash[..8]));
}

#[test]
fn the_sound_counts_and_not_the_boundary_the_path_or_the_endpoint() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let mut id = |target: &str| bazarr.post(target, &pcm(1)).unwrap().job();
    let first = id(&asr("transcribe", "en", None));
    assert_eq!(id(&asr("transcribe", "en", None)), first, "the boundary was another");
    assert_eq!(id(&asr("transcribe", "en", Some("/films/a.mkv"))), first);
    let detection = id(&detect_language(None));
    assert_eq!(id(&detect_language(Some("/films/a.mkv"))), detection);
    // Detection and subtitle share the file that was uploaded.
    let hash = blake3::hash(&pcm(1)).to_hex().to_string();
    assert_eq!(daemon.spooled(), std::slice::from_ref(&hash));
    for id in [first, detection] {
        assert_eq!(job(&daemon, &id).source, Source::Spool { hash: hash.clone(), raw: true });
    }
}

#[test]
fn the_test_button_finds_a_version_at_the_root() {
    let daemon = Daemon::start();
    let ask = "GET /status HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nUser-Agent: python-requests/2.32.3\r\n\
               Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n";
    let reply = Reply::to(daemon.addr, ask.as_bytes());
    assert_eq!(reply.status, 200, "no redirect is followed");
    assert_eq!(reply.json()["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn what_was_cut_off_is_asked_again_whole() {
    let daemon = Daemon::start();
    let target = asr("transcribe", "en", None);
    let half = http_fixture::client::bazarr(&target, &pcm(1));
    let mut cut = http_fixture::client::connect(daemon.addr);
    std::io::Write::write_all(&mut cut, &half[..half.len() / 2]).unwrap();
    drop(cut);
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let answer = bazarr.post(&target, &pcm(1)).unwrap();
    daemon.transcribe(&["All of it."]);
    assert!(matches!(bazarr.end(answer), Outcome::Saved(text) if text.contains("All of it.")));
    assert_eq!(daemon.queue.counts().unwrap().total, 1);
}

/// A daemon whose database is a file, and that file.
fn with_file() -> (Daemon, Queue, tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("queue.db");
    let store = Store::open(&format!("sqlite://{}", file.display())).unwrap();
    let queue = Queue::new(store, "here".into(), Arc::new(System));
    let theirs = queue.clone();
    let daemon = Daemon::start_with(|shared| shared.queue = theirs);
    (daemon, queue, dir, file)
}

/// Somebody writes into the database and does not end it; dropped, the lock is gone.
fn locked(file: &Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[test]
fn a_body_is_drained_while_the_database_is_locked() {
    let (daemon, queue, _dir, file) = with_file();
    let lock = locked(&file);
    let drained = Arc::new(AtomicBool::new(false));
    let (told, addr) = (drained.clone(), daemon.addr);
    // Far more than the buffers of two sockets: it can be written only while somebody reads.
    let request = http_fixture::client::bazarr(&asr("transcribe", "en", None), &vec![7; 64 << 20]);
    let client = std::thread::spawn(move || {
        let mut stream = http_fixture::client::connect(addr);
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        std::io::Write::write_all(&mut stream, &request).unwrap();
        told.store(true, Ordering::SeqCst);
        Reply::head(stream)
    });
    http_fixture::until("the body to be drained", || drained.load(Ordering::SeqCst).then_some(()));
    assert_eq!(queue.counts().unwrap().total, 0);
    drop(lock);
    let reply = client.join().unwrap();
    assert_eq!(reply.status, 200);
    let id: JobId = reply.header("x-job-id").unwrap().parse().unwrap();
    assert_eq!(queue.get(id).unwrap().unwrap().state, JobState::Queued, "the head came after the row");
}

#[test]
fn signs_of_life_go_on_while_the_database_is_locked() {
    let (daemon, queue, _dir, file) = with_file();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let mut answer = bazarr.post(&asr("transcribe", "en", None), &pcm(1)).unwrap();
    let lock = locked(&file);
    answer.beats(20);
    drop(lock);
    let claim = claim(&queue);
    assert!(queue.finish(&claim, &transcript(&["Here."])).unwrap());
    assert!(matches!(bazarr.end(answer), Outcome::Saved(_)));
}

fn claim(queue: &Queue) -> Claim {
    let ask = ClaimAsk {
        device: "cpu".into(),
        kinds: &[JobKind::Transcription],
        above: None,
        lease_ms: 60_000,
        ageing_ms_per_point: 0,
    };
    queue.claim(&ask).unwrap().expect("a job to claim").1
}

#[test]
fn a_job_is_tried_again_inside_before_its_answer_ends() {
    let clock = Arc::new(Manual::at(1_700_000_000_000));
    let queue = Queue::new(Store::open("sqlite::memory:").unwrap(), "here".into(), clock.clone());
    let theirs = queue.clone();
    let daemon = Daemon::start_with(|shared| shared.queue = theirs);
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let mut answer = bazarr.post(&asr("transcribe", "en", None), &pcm(1)).unwrap();
    for _ in 0..3 {
        assert!(queue.fail(&claim(&queue), "the engine had no luck", Again::Yes).unwrap());
        answer.beats(3);
        clock.advance(3_600_000);
    }
    assert!(queue.finish(&claim(&queue), &transcript(&["At last."])).unwrap());
    assert!(matches!(bazarr.end(answer), Outcome::Saved(text) if text.contains("At last.")));
}
