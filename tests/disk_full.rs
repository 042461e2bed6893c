//! A disk without room under the database, the uploads or the films: each says so, nothing is lost, all goes on when
//! there is room. Knows nothing of databases.

mod daemon;

use daemon::client::{Reply, api, bazarr};
use daemon::speech::{self, clip};
use daemon::{Daemon, Home, names, until};
use serde_json::{Value, json};
use std::io::ErrorKind::StorageFull;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const ASK: &str = "/asr?task=transcribe&language=en&output=srt&encode=false";

/// A small file system, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    /// None where one cannot be had: without root, or in a sandbox whose tmpfs knows no size.
    fn mount(at: PathBuf, mb: usize) -> Option<Disk> {
        std::fs::create_dir_all(&at).unwrap();
        let size = format!("size={mb}m");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&at).output();
        let disk = done.is_ok_and(|output| output.status.success()).then_some(Disk(at));
        let small = disk.filter(|disk| disk.filled(2 * mb));
        match &small {
            Some(disk) => disk.empty(),
            None => eprintln!(
                "SKIPPED: the small disk that this test fills cannot be mounted here (it takes root)"
            ),
        }
        small
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Writes zeros until the disk is full, or so many MB are there. True: it is full.
    fn filled(&self, at_most_mb: usize) -> bool {
        let mut file = std::fs::File::create(self.ballast()).unwrap();
        let written = (0..at_most_mb << 8).try_for_each(|_| file.write_all(&[0; 4096]));
        written.is_err_and(|e| e.kind() == StorageFull)
    }

    fn fill(&self) {
        assert!(self.filled(1024));
    }

    /// Room for a small file, not for a change of the database.
    fn leave_a_page(&self) {
        let ballast = std::fs::File::options().write(true).open(self.ballast()).unwrap();
        ballast.set_len(ballast.metadata().unwrap().len() - 4096).unwrap();
    }

    fn empty(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn id_of(job: &Value) -> String {
    job["id"].as_str().unwrap().to_string()
}

fn health(daemon: &Daemon) -> (u16, Value) {
    let reply = Reply::to(daemon.addr, &api("GET", "/health", ""));
    (reply.status, reply.json())
}

fn says(health: &Value, what: &str) -> bool {
    health["reasons"].as_array().unwrap().iter().any(|reason| reason.as_str().unwrap().contains(what))
}

#[test]
fn an_upload_that_does_not_fit_is_refused() {
    let home = Home::new();
    let Some(_disk) = Disk::mount(home.path("data"), 8) else { return };
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
    let reply = Reply::to(daemon.addr, &bazarr(&format!("{ASK}&async=true"), &[7; 64_000]));
    assert_eq!(reply.status, 202);
}

#[test]
fn a_database_without_room_refuses_every_change_and_is_well_again_when_there_is_some() {
    let home = Home::new();
    let Some(disk) = Disk::mount(home.path("data"), 128) else { return };
    let daemon = Daemon::start(&home);
    let kept = daemon.asr("language=en&encode=false&async=true", &[7; 64_000]).json();
    let id = id_of(&kept);
    let uploads = home.spooled();
    std::fs::write(home.path("library/film.mkv"), "a film").unwrap();
    assert!(!says(&health(&daemon).1, "MB left"));
    disk.fill();
    let (status, answer) = health(&daemon);
    assert_eq!((status, &answer["status"]), (200, &"degraded".into()), "nothing has failed yet: {answer}");
    assert!(says(&answer, "has 0 MB left: free some space"), "{answer}");

    let film = json!({ "file_path": home.path("library/film.mkv"), "target_lang": "en" }).to_string();
    let changes = [
        ("POST", "/api/queue/pause".to_string(), ""),
        ("POST", "/api/jobs".to_string(), film.as_str()),
        ("PATCH", format!("/api/jobs/{id}"), r#"{"priority": 7}"#),
        ("POST", format!("/api/jobs/{id}/cancel"), ""),
    ];
    for (method, target, body) in &changes {
        let reply = Reply::to(daemon.addr, &api(method, target, body));
        assert_eq!(reply.status, 507, "{method} {target}");
        let detail = reply.json()["detail"].as_str().unwrap().to_string();
        assert!(detail.contains("full or failing") && detail.contains("free some space"), "{detail}");
    }
    let (status, answer) = health(&daemon);
    assert_eq!((status, &answer["status"], &answer["database"]), (503, &"unhealthy".into(), &"error".into()));
    assert!(says(&answer, "the disk under the database is full or failing"), "{answer}");
    assert_eq!(daemon.job(&id)["status"], "queued", "what is there can be read");

    // An upload fits that its job does not: it is no job, and it does not stay.
    disk.leave_a_page();
    for target in [ASK, "/detect-language?encode=false"] {
        assert_eq!(Reply::to(daemon.addr, &bazarr(target, &[9; 2048])).status, 507, "{target}");
    }
    until("the upload to go", || (home.spooled() == uploads).then_some(()));
    assert_eq!(daemon.get("/api/jobs/stats")["total_jobs"], 1);

    // A restart changes nothing about it.
    daemon.kill();
    disk.filled(1024);
    let daemon = Daemon::start(&home);
    assert_eq!(daemon.job(&id)["status"], "queued");
    assert_eq!(daemon.post("/api/queue/pause", "").status, 507);
    assert_eq!(health(&daemon).0, 503);

    disk.empty();
    let (status, answer) = health(&daemon);
    assert_eq!((status, &answer["database"]), (200, &"connected".into()), "{answer}");
    assert!(!says(&answer, "MB left") && !says(&answer, "full"), "{answer}");
    for (method, target, body) in &changes {
        let status = Reply::to(daemon.addr, &api(method, target, body)).status;
        assert!((200..300).contains(&status), "{method} {target}: {status}");
    }
}

#[test]
fn real_job_whose_words_cannot_be_stored_waits_and_goes_on() {
    let Some(home) = speech::home() else { return };
    let Some(disk) = Disk::mount(home.path("data"), 32) else { return };
    let daemon = Daemon::start(&home);
    let job = daemon.asr("language=en&encode=false&async=true", &speech::long(2)).json();
    let id = id_of(&job);
    daemon.job_is(&id, "the first window", |job| job["progress"].as_f64() > Some(0.0));
    disk.fill();
    until("a write in vain", || daemon.log().contains("trying again").then_some(()));
    assert_eq!(daemon.post("/api/queue/pause", "").status, 507);
    assert_eq!(health(&daemon).1["status"], "unhealthy");
    assert_eq!(daemon.job(&id)["status"], "processing");
    disk.empty();
    let job = daemon.job_ended(&id);
    assert_eq!((&job["status"], &job["retry_count"]), (&"completed".into(), &0.into()), "{job}");
    assert!(!daemon.log().contains("died"), "{}", daemon.log());
    assert_eq!(health(&daemon).1["database"], "connected");
}

#[test]
fn real_subtitle_file_without_room_is_written_later() {
    let Some(home) = speech::home() else { return };
    let Some(disk) = Disk::mount(home.path("library/small"), 2) else { return };
    let film = home.path("library/small/film.mkv");
    speech::ffmpeg(&clip("en_echo").path, &["-c:a", "ac3"], &film);
    disk.fill();
    let daemon = Daemon::start(&home);
    let body = json!({ "file_path": film, "source_lang": "en", "target_lang": "en" }).to_string();
    let id = id_of(&daemon.post("/api/jobs", &body).json());
    let job = daemon.job_is(&id, "a word about the disk", |job| !job["error"].is_null());
    let error = job["error"].as_str().unwrap();
    assert!(error.contains("film.eng.srt: the disk is full; free some space"), "{error}");
    assert_eq!((&job["status"], &job["retry_count"]), (&"queued".into(), &0.into()), "{job}");
    assert_eq!(names(Path::new(film.parent().unwrap())), ["ballast", "film.mkv"]);
    disk.empty();
    let job = daemon.job_ended(&id);
    assert_eq!((&job["status"], &job["error"]), (&"completed".into(), &Value::Null), "{job}");
    assert_eq!(names(film.parent().unwrap()), ["film.eng.srt", "film.mkv"]);
}
