//! Bad uploads and bad requests at the real program: a clear sentence, nothing lost, nothing left. Knows nothing of speech.

mod daemon;

use daemon::client::{Reply, bazarr, bazarr_body, bazarr_head, connect, multipart, part};
use daemon::{Daemon, Home, until};
use std::io::Write;

const ASK: &str = "/asr?task=transcribe&language=en&output=srt&encode=false";

fn check(target: &str, body: Vec<u8>, status: u16, sentence: &str) {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let head = bazarr_head(target, body.len());
    let reply = Reply::to(daemon.addr, &[head.into_bytes(), body].concat());
    assert_eq!(reply.status, status);
    let answer = reply.json();
    assert!(answer["detail"].as_str().unwrap().contains(sentence), "{answer}");
    assert_eq!(daemon.get("/api/jobs/stats")["total_jobs"], 0);
    assert_eq!(home.spooled(), [""; 0]);
}

#[test]
fn an_empty_upload_is_refused() {
    check(ASK, bazarr_body(b""), 422, "it is empty");
    check(ASK, Vec::new(), 422, "audio_file");
}

#[test]
fn a_missing_field_is_named() {
    check(ASK, multipart(&[part(r#"name="other""#, b"text")]), 422, "field audio_file");
}

#[test]
fn unknown_words_are_named() {
    let with = |query: &str| format!("/asr?{query}");
    check(&with("task=sing"), bazarr_body(&[1; 64_000]), 422, "task");
    check(&with("language=klingon"), bazarr_body(&[1; 64_000]), 422, "language");
    check(&with("output=pdf"), bazarr_body(&[1; 64_000]), 422, "output");
}

#[test]
fn an_upload_over_the_limit_is_read_to_its_end_and_refused() {
    let home = Home::new();
    let daemon = Daemon::start_with(&home, |c| {
        c.env("TRANSCRIPTORD_MAX_UPLOAD_MB", "1");
    });
    let reply = Reply::to(daemon.addr, &bazarr(ASK, &vec![7; 5 << 20]));
    assert_eq!(reply.status, 413);
    assert!(reply.json()["detail"].as_str().unwrap().contains("max_upload_mb"));
    until("the spool to be empty", || home.spooled().is_empty().then_some(()));
}

#[test]
fn an_upload_that_breaks_off_leaves_nothing() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let request = bazarr(ASK, &vec![7; 4 << 20]);
    let mut stream = connect(daemon.addr);
    stream.write_all(&request[..request.len() / 2]).unwrap();
    until("the upload to be in the spool", || (!home.spooled().is_empty()).then_some(()));
    drop(stream);
    until("the spool to be empty", || home.spooled().is_empty().then_some(()));
    assert_eq!(daemon.get("/api/jobs/stats")["total_jobs"], 0);
}

#[test]
fn a_daemon_killed_during_an_upload_cleans_up_at_its_next_start() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let request = bazarr(ASK, &vec![7; 4 << 20]);
    let mut stream = connect(daemon.addr);
    stream.write_all(&request[..request.len() / 2]).unwrap();
    until("the upload to be in the spool", || (!home.spooled().is_empty()).then_some(()));
    daemon.kill();
    assert!(!home.spooled().is_empty());
    let daemon = Daemon::start(&home);
    // It listens before it has looked at the spool; it answers after.
    assert_eq!(daemon.get("/api/jobs/stats")["total_jobs"], 0);
    assert_eq!(home.spooled(), [""; 0]);
}
