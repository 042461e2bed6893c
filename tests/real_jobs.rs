//! Jobs over the REST API with the real program and real speech: by path, by upload without waiting, in every format.

mod daemon;

use daemon::client::{Reply, api};
use daemon::speech::{self, clip, errors, said};
use daemon::{Daemon, Home, names, until};
use serde_json::{Value, json};
use std::path::Path;

fn running() -> Option<(Home, Daemon)> {
    let home = speech::home()?;
    let daemon = Daemon::start(&home);
    Some((home, daemon))
}

fn ask(daemon: &Daemon, path: &Path) -> Reply {
    let body = json!({ "file_path": path, "source_lang": "en", "target_lang": "en" });
    daemon.post("/api/jobs", &body.to_string())
}

fn id_of(job: &Value) -> String {
    job["id"].as_str().unwrap().to_string()
}

#[test]
fn a_job_by_path_puts_the_subtitle_beside_the_film() {
    let Some((home, daemon)) = running() else { return };
    let clip = clip("en_echo");
    let film = home.path("library/A film (2020).mkv");
    speech::ffmpeg(&clip.path, &["-c:a", "ac3"], &film);
    let created = ask(&daemon, &film);
    assert_eq!(created.status, 201);
    let id = id_of(&created.json());
    let job = daemon.job_ended(&id);
    let written = home.path("library/A film (2020).eng.srt");
    assert_eq!(
        (job["status"].as_str(), job["output_path"].as_str()),
        (Some("completed"), written.to_str()),
        "{job}"
    );
    let srt = std::fs::read_to_string(&written).unwrap();
    let found = errors(&clip.text, &said(&srt));
    assert!(found.rate() <= 0.10, "{found:?}: {srt}");
    let cues = srt.matches("-->").count() as u64;
    assert_eq!(job["segments_count"].as_u64(), Some(cues));
    assert_eq!(names(&home.path("library")), ["A film (2020).eng.srt", "A film (2020).mkv"]);

    // The same again names the job that did it.
    let again = ask(&daemon, &film);
    assert_eq!(again.status, 409);
    assert_eq!(again.json()["job_id"], id.as_str());
}

#[test]
fn a_path_that_may_not_be_read_or_is_not_there_is_refused() {
    let Some((home, daemon)) = running() else { return };
    std::fs::write(home.path("spare/film.mkv"), "elsewhere").unwrap();
    std::os::unix::fs::symlink(home.path("spare/film.mkv"), home.path("library/link.mkv")).unwrap();
    let check = |path: &str, status: u16, sentence: &str| {
        let reply = ask(&daemon, &home.path(path));
        assert_eq!(reply.status, status, "{path}");
        let answer = reply.json();
        assert!(answer["detail"].as_str().unwrap().contains(sentence), "{answer}");
    };
    check("spare/film.mkv", 403, "is outside the library");
    check("library/../spare/film.mkv", 403, "is outside the library");
    check("library/link.mkv", 403, "is outside the library");
    check("library/none.mkv", 400, "there is no file");
    check("library", 400, "is not a file");
}

#[test]
fn a_job_whose_film_vanished_or_is_none_fails_with_the_reason() {
    let Some((home, daemon)) = running() else { return };
    let text = home.path("library/text.mkv");
    std::fs::write(&text, "this is no film at all").unwrap();
    let job = daemon.job_ended(&id_of(&ask(&daemon, &text).json()));
    assert_eq!(job["status"], "failed");
    assert!(job["error"].as_str().unwrap().contains("not audio or video that ffmpeg can read"), "{job}");

    let film = home.path("library/film.mkv");
    std::fs::write(&film, "soon gone").unwrap();
    assert_eq!(daemon.post("/api/queue/pause", "").status, 200);
    let id = id_of(&ask(&daemon, &film).json());
    std::fs::remove_file(&film).unwrap();
    assert_eq!(daemon.post("/api/queue/resume", "").status, 200);
    let job = daemon.job_ended(&id);
    assert_eq!(job["status"], "failed");
    assert!(job["error"].as_str().unwrap().contains("moved or deleted since"), "{job}");

    // The same as an upload: Bazarr gets an empty body, never a cue.
    let reply = daemon.asr("language=en", b"this is no sound at all");
    let id = reply.header("x-job-id").unwrap().to_string();
    assert_eq!(reply.text_of(), "");
    assert_eq!(daemon.job_ended(&id)["status"], "failed");
    assert_eq!(names(&home.path("library")), ["text.mkv"]);
}

#[test]
fn an_upload_without_waiting_is_polled_and_read_in_every_format() {
    let Some((home, daemon)) = running() else { return };
    let clip = clip("en_echo");
    let accepted = daemon.asr("task=transcribe&language=en&encode=false&async=true", &clip.pcm);
    assert_eq!(accepted.status, 202);
    let location = accepted.header("location").unwrap().to_string();
    let id = id_of(&accepted.json());
    assert_eq!(location, format!("/api/jobs/{id}"));
    let job = daemon.job_ended(&id);
    // `base` in the form that suits this CPU.
    assert!(job["model_used"].as_str().unwrap().starts_with("base"), "{job}");
    assert_eq!(job["status"], "completed", "{job}");

    let text_in = |format: &str| {
        let reply = Reply::to(daemon.addr, &api("GET", &format!("{location}/subtitle?format={format}"), ""));
        assert_eq!(reply.status, 200, "{format}");
        reply.text()
    };
    let check = |format: &str, start: &str| {
        let text = text_in(format);
        assert!(text.starts_with(start), "{format}: {text}");
        assert!(text.to_lowercase().contains("echo test"), "{format}: {text}");
        text
    };
    check("srt", "1\n00:00:0");
    check("vtt", "WEBVTT\n");
    check("txt", "You");
    check("tsv", "start\tend\ttext\n");
    check("lrc", "[");
    check("ass", "[Script Info]\n");
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert!(read(&check("json", "{"))["segments"].is_array());
    assert_eq!(read(&check("verbose_json", "{"))["language"], "english");
    // Those that ffmpeg knows are opened by it.
    for format in ["srt", "vtt", "lrc", "ass"] {
        let file = home.path(&format!("spare/text.{format}"));
        std::fs::write(&file, text_in(format)).unwrap();
        let out = home.path(&format!("spare/read-{format}.vtt"));
        speech::ffmpeg(&file, &[], &out);
        let found = errors(&clip.text, &said(&std::fs::read_to_string(&out).unwrap()));
        assert!(found.rate() <= 0.15, "{format} as ffmpeg reads it: {found:?}");
    }
    let report = daemon.get(&format!("{location}/report"));
    assert!(report.is_object(), "{report}");
}

#[test]
fn a_running_job_is_cancelled_and_its_answer_ends_empty() {
    let Some((_home, daemon)) = running() else { return };
    let reply = daemon.asr("task=transcribe&language=en&encode=false", &speech::long(3));
    let id = reply.header("x-job-id").unwrap().to_string();
    daemon.job_is(&id, "the job to run", |job| job["current_stage"] == "transcribing");
    assert_eq!(daemon.post(&format!("/api/jobs/{id}/cancel"), "").status, 200);
    assert_eq!(reply.decoded(), "");
    assert_eq!(daemon.job(&id)["status"], "cancelled");
    until("the workers to be free", || {
        let workers = daemon.get("/api/workers/stats");
        (workers["busy_workers"] == 0).then_some(())
    });
}
