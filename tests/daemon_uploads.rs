//! Bad uploads and bad requests at the real program: a clear sentence, nothing lost, nothing left. Knows nothing of speech.

mod daemon;

use daemon::client::{Reply, bazarr, bazarr_body, bazarr_head, connect, multipart, part};
use daemon::{Daemon, Home, until};
use std::io::ErrorKind::StorageFull;
use std::io::Write;
use std::path::Path;
use std::process::Command;

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

/// Writes zeros to `path` until the disk is full, or `limit` bytes are there.
fn fill(path: &Path, limit: usize) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    (0..limit / 4096).try_for_each(|_| file.write_all(&[0; 4096]))
}

/// A file system of 8 MiB, unmounted when dropped.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// None where one cannot be had: without root, or in a sandbox whose tmpfs knows no size.
    fn mount(at: &'a Path) -> Option<Small<'a>> {
        std::fs::create_dir_all(at).unwrap();
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "none"]).arg(at).output();
        let disk = done.is_ok_and(|output| output.status.success()).then_some(Small(at));
        let probe = at.join("probe");
        let small = disk.filter(|_| fill(&probe, 16 << 20).is_err_and(|e| e.kind() == StorageFull));
        if small.is_none() {
            eprintln!("SKIPPED: the small disk that this test fills cannot be mounted here (it takes root)");
        }
        let _ = std::fs::remove_file(&probe);
        small
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_the_upload_and_is_well_again_when_there_is_room() {
    let home = Home::new();
    let data = home.path("data");
    let Some(_disk) = Small::mount(&data) else { return };
    let daemon = Daemon::start(&home);
    // More than fits: it is read to its end all the same.
    let reply = Reply::to(daemon.addr, &bazarr(ASK, &vec![7; 24 << 20]));
    assert_eq!(reply.status, 507);
    let detail = reply.json()["detail"].as_str().unwrap().to_string();
    assert!(detail.contains("is full: free some space"), "{detail}");
    assert_eq!(home.spooled(), [""; 0]);
    // Language detection says it in a header, with no body that Bazarr could misread.
    let silent = Reply::to(daemon.addr, &bazarr("/detect-language?encode=false", &vec![7; 24 << 20]));
    assert_eq!(silent.status, 507);
    assert!(silent.header("x-detail").unwrap().contains("is full"));
    assert_eq!(silent.text(), "");

    // Not even the database has room: the upload that would fit is no job, and does not stay.
    let ballast = data.join("ballast");
    assert_eq!(fill(&ballast, 16 << 20).unwrap_err().kind(), StorageFull);
    let reply = Reply::to(daemon.addr, &bazarr(ASK, &[7; 2048]));
    assert!(reply.status == 507 || reply.status == 500, "{}", reply.status);
    let detail = reply.json()["detail"].as_str().unwrap().to_string();
    assert!(detail.contains("full"), "{detail}");
    assert_eq!(home.spooled(), [""; 0]);

    std::fs::remove_file(&ballast).unwrap();
    let reply = Reply::to(daemon.addr, &bazarr(&format!("{ASK}&async=true"), &[7; 64_000]));
    assert_eq!(reply.status, 202);
    assert_eq!(daemon.get("/health")["database"], "connected");
}
