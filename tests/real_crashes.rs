//! The real program killed, stopped and starved in the middle of real work: no window done is done again, no open
//! connection is cut, nothing is left behind.

mod daemon;

use daemon::client::{Reply, api, multipart, part};
use daemon::speech::{self, clip, errors, said};
use daemon::{Daemon, Home, signal, until};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ASK: &str = "task=transcribe&language=en&output=srt&encode=false";
/// The long recording is the longest one this many times: more than four minutes, about ten windows.
const TIMES: usize = 4;

fn database(home: &Home) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(home.path("data/transcriptord.db")).unwrap();
    db.busy_timeout(daemon::PATIENCE).unwrap();
    db
}

fn checkpoints(home: &Home) -> i64 {
    database(home).query_row("SELECT count(*) FROM checkpoints", [], |row| row.get(0)).unwrap()
}

/// Waits until the first window and another are done, and marks what was heard in the first: were it decoded again,
/// the mark would be gone.
fn mark_first_window(home: &Home) {
    until("two windows", || (checkpoints(home) >= 2).then_some(()));
    until("the first window", || {
        let sql = "UPDATE checkpoints SET body = replace(body, 'Congratul', 'Kongratul') WHERE idx = 0";
        (database(home).execute(sql, []).unwrap() == 1).then_some(())
    });
}

fn is_whole(srt: &str) {
    let found = errors(&clip("en_demo").text.repeat(TIMES), &said(srt));
    assert!(found.rate() <= 0.10, "{found:?}:\n{srt}");
    assert_eq!(srt.matches("Kongratulations").count(), 1, "the first window was decoded again:\n{srt}");
}

fn gone(pid: u32) {
    until("a process to be gone", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
}

#[test]
fn a_killed_worker_costs_no_connection_and_no_window_that_was_done() {
    let Some(home) = speech::home() else { return };
    let daemon = Daemon::start(&home);
    let reply = daemon.asr(ASK, &speech::long(TIMES));
    let id = reply.header("x-job-id").unwrap().to_string();
    mark_first_window(&home);
    let worker = daemon.worker();
    signal(worker, libc::SIGKILL);
    gone(worker);
    is_whole(&reply.decoded());
    assert!(daemon.log().contains("died (signal: 9 (SIGKILL)); its jobs go on"), "{}", daemon.log());
    let job = daemon.job(&id);
    assert_eq!((job["status"].as_str(), job["progress"].as_f64()), (Some("completed"), Some(100.0)), "{job}");
    assert_ne!(daemon.worker(), worker);
}

#[test]
fn after_a_kill_of_the_daemon_the_same_request_joins_the_job_that_goes_on() {
    let Some(home) = speech::home() else { return };
    let daemon = Daemon::start(&home);
    let (audio, addr) = (speech::long(TIMES), daemon.addr);
    let reply = daemon.asr(ASK, &audio);
    let id = reply.header("x-job-id").unwrap().to_string();
    mark_first_window(&home);
    let worker = daemon.worker();
    daemon.kill();
    gone(worker);
    drop(reply);
    // Back on the same port, as Bazarr needs it.
    let daemon = Daemon::start_with(&home, |c| {
        c.env("TRANSCRIPTORD_LISTEN", addr.to_string());
    });
    let again = daemon.asr(ASK, &audio);
    assert_eq!(again.header("x-job-id"), Some(id.as_str()));
    is_whole(&again.decoded());
    assert_eq!(daemon.get("/api/jobs/stats")["total_jobs"], 1);
}

#[test]
fn a_hand_over_in_the_middle_of_a_job_refuses_nobody_and_repeats_no_window_that_was_done() {
    let Some(home) = speech::home() else { return };
    let daemon = Daemon::start(&home);
    let (audio, addr) = (speech::long(TIMES), daemon.addr);
    let reply = daemon.asr(ASK, &audio);
    let id = reply.header("x-job-id").unwrap().to_string();
    mark_first_window(&home);
    let worker = daemon.worker();
    let over = Arc::new(AtomicBool::new(false));
    let until = over.clone();
    let knocking = std::thread::spawn(move || {
        let mut answered = 0;
        while !until.load(Ordering::SeqCst) {
            assert_eq!(Reply::to(addr, &api("GET", "/status", "")).status, 200);
            answered += 1;
        }
        answered
    });
    signal(daemon.pid(), libc::SIGUSR2);
    assert_eq!(reply.decoded(), "", "the open answer ends whole and empty");
    gone(worker);
    // The same process, the next program: it answers when it has the socket.
    let again = daemon.asr(ASK, &audio);
    assert_eq!(again.header("x-job-id"), Some(id.as_str()));
    assert_eq!(daemon.log().matches("listens on").count(), 2, "{}", daemon.log());
    over.store(true, Ordering::SeqCst);
    assert!(knocking.join().expect("a connection was refused or cut") > 0);
    is_whole(&again.decoded());
    assert_eq!(daemon.get("/api/jobs/stats")["total_jobs"], 1);
}

#[test]
fn told_to_stop_it_ends_the_answer_empty_and_keeps_the_job() {
    let Some(home) = speech::home() else { return };
    let daemon = Daemon::start(&home);
    let reply = daemon.asr(ASK, &speech::long(TIMES));
    let id = reply.header("x-job-id").unwrap().to_string();
    until("two windows", || (checkpoints(&home) >= 2).then_some(()));
    let worker = daemon.worker();
    daemon.terminate();
    assert_eq!(reply.decoded(), "");
    let (status, log) = daemon.ended();
    assert!(status.success(), "{status}:\n{log}");
    assert!(!log.contains("is killed"), "the worker did not end by itself:\n{log}");
    assert!(!Path::new(&format!("/proc/{worker}")).exists(), "the worker outlived the daemon");
    assert!(checkpoints(&home) >= 2);
    let sql = "SELECT state FROM jobs WHERE id = ?1";
    let state: String = database(&home).query_row(sql, [&id], |row| row.get(0)).unwrap();
    assert_eq!(state, "queued");
}

#[test]
fn a_job_that_waits_for_a_model_runs_when_the_file_is_copied_in() {
    let Some(real) = speech::home() else { return };
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let reply = daemon.asr(ASK, &clip("en_thanks").pcm);
    let id = reply.header("x-job-id").unwrap().to_string();
    assert_eq!(daemon.job(&id)["status"], "queued");
    std::fs::copy(real.path("models/ggml-base.bin"), home.path("models/ggml-base.bin")).unwrap();
    assert!(said(&reply.decoded()).to_lowercase().contains("asterisk"));
    assert_eq!(daemon.get("/health")["status"], "healthy");
}

#[test]
fn without_ffmpeg_samples_and_wav_are_heard_and_a_film_waits_with_the_reason() {
    let Some(home) = speech::home() else { return };
    let clip = clip("en_thanks");
    let film = home.path("library/film.mkv");
    speech::ffmpeg(&clip.path, &["-c:a", "libopus"], &film);
    let daemon = Daemon::start_with(&home, |c| {
        c.env("PATH", home.path("spare"));
    });
    let raw = daemon.asr(ASK, &clip.pcm).decoded();
    assert!(said(&raw).to_lowercase().contains("asterisk"), "{raw}");
    let named = r#"name="audio_file"; filename="talk.wav""#;
    let body = multipart(&[part(named, &std::fs::read(&clip.path).unwrap())]);
    let head = daemon::client::bazarr_head("/asr?language=en&output=txt", body.len());
    let wav = Reply::to(daemon.addr, &[head.into_bytes(), body].concat()).decoded();
    assert!(wav.to_lowercase().contains("asterisk"), "{wav}");

    let ask = serde_json::json!({ "file_path": film, "source_lang": "en", "target_lang": "en" });
    let id = daemon.post("/api/jobs", &ask.to_string()).json()["id"].as_str().unwrap().to_string();
    let job = daemon.job_is(&id, "the reason", |job| job["error"].is_string());
    assert_eq!(job["status"], "queued", "{job}");
    let why = job["error"].as_str().unwrap();
    assert!(why.starts_with("ffprobe is not installed") && why.contains("apt install ffmpeg"), "{why}");
}

#[test]
fn one_process_can_do_it_all() {
    let Some(home) = speech::home() else { return };
    let daemon = Daemon::start_with(&home, |c| {
        c.env("TRANSCRIPTORD_POOL", "in-process");
    });
    let reply = daemon.asr(ASK, &clip("en_thanks").pcm);
    assert!(said(&reply.decoded()).to_lowercase().contains("asterisk"));
    assert!(daemon.workers().is_empty());
}
