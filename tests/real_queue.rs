//! What people do to the queue while the real program hears real speech: order, pause, cancel, retry, clear.

mod daemon;

use daemon::client::{Reply, api};
use daemon::speech::{self, clip, errors, said};
use daemon::{Daemon, Home, names, until};
use serde_json::{Value, json};

/// One job at a time, so that order can be seen.
fn running() -> Option<(Home, Daemon)> {
    let home = speech::home()?;
    let daemon = Daemon::start_with(&home, |c| {
        c.env("TRANSCRIPTORD_CONCURRENT_TRANSCRIPTIONS", "1").env("TRANSCRIPTORD_LOG_LEVEL", "debug");
    });
    Some((home, daemon))
}

fn id_of(job: &Value) -> String {
    job["id"].as_str().unwrap().to_string()
}

/// Asks for an upload without waiting for it.
fn submit(daemon: &Daemon, pcm: &[u8]) -> String {
    id_of(&daemon.asr("language=en&encode=false&async=true", pcm).json())
}

fn change(daemon: &Daemon, method: &str, target: &str, body: &str) -> Value {
    let reply = Reply::to(daemon.addr, &api(method, target, body));
    assert_eq!(reply.status, 200, "{method} {target}");
    reply.json()
}

/// Waits until windows of the job are being decoded, some already are.
fn under_way(daemon: &Daemon, id: &str) {
    daemon.job_is(id, "some of it", |job| job["progress"].as_f64() > Some(0.0));
}

/// RFC 3339 with fixed width: these sort as they are.
fn time(job: &Value, what: &str) -> String {
    job[what].as_str().unwrap_or_else(|| panic!("no {what}: {job}")).to_string()
}

fn text(daemon: &Daemon, id: &str) -> String {
    let reply = Reply::to(daemon.addr, &api("GET", &format!("/api/jobs/{id}/subtitle?format=txt"), ""));
    assert_eq!(reply.status, 200);
    reply.text()
}

#[test]
fn a_raised_priority_overtakes_the_running_job_which_goes_on_afterwards() {
    let Some((_home, daemon)) = running() else { return };
    let (long, short) = (submit(&daemon, &speech::long(2)), clip("en_echo"));
    under_way(&daemon, &long);
    let second = submit(&daemon, &short.pcm);
    let job = change(&daemon, "PATCH", &format!("/api/jobs/{second}"), r#"{"priority": 50}"#);
    assert_eq!(job["priority"], 50);
    let second = daemon.job_ended(&second);
    let long = daemon.job_ended(&long);
    assert_eq!((&second["status"], &long["status"]), (&"completed".into(), &"completed".into()));
    assert!(time(&second, "completed_at") < time(&long, "completed_at"), "{second} {long}");
    assert!(time(&long, "started_at") < time(&second, "started_at"));
    assert!(daemon.log().contains("gives way to job"), "{}", daemon.log());
}

#[test]
fn a_paused_queue_ends_what_runs_and_begins_nothing_until_it_is_resumed() {
    let Some((_home, daemon)) = running() else { return };
    let first = submit(&daemon, &speech::long(1));
    under_way(&daemon, &first);
    change(&daemon, "POST", "/api/queue/pause", "");
    let second = submit(&daemon, &clip("en_echo").pcm);
    assert_eq!(daemon.job_ended(&first)["status"], "completed", "what runs goes on");
    assert_eq!(daemon.get("/api/status")["queue"]["paused"], true);
    assert_eq!(daemon.job(&second)["status"], "queued");
    // Submitted after the first has ended: whatever has begun before it has begun too soon.
    let mark = daemon.job(&submit(&daemon, &clip("en_thanks").pcm));
    change(&daemon, "POST", "/api/queue/resume", "");
    let second = daemon.job_ended(&second);
    assert_eq!(second["status"], "completed");
    assert!(time(&second, "started_at") >= time(&mark, "created_at"), "{second} {mark}");
}

#[test]
fn a_cancelled_job_stops_in_the_midst_of_a_window_and_a_retry_completes_it() {
    let Some((_home, daemon)) = running() else { return };
    let id = submit(&daemon, &speech::long(2));
    under_way(&daemon, &id);
    let answer = change(&daemon, "POST", &format!("/api/jobs/{id}/cancel"), "");
    assert_eq!(answer["message"], format!("Job {id} cancelled"));
    assert_eq!(daemon.job(&id)["status"], "cancelled", "at once");
    // Not by the end of the window, which may be far: whisper.cpp itself was stopped while it decoded.
    let stopped = format!("job {id}: window ");
    until("a window to be given up", || {
        let log = daemon.log();
        log.lines()
            .any(|line| line.contains(&stopped) && line.ends_with("was given up in its midst"))
            .then_some(())
    });
    until("the workers to be free", || (daemon.get("/api/workers/stats")["busy_workers"] == 0).then_some(()));
    let again = Reply::to(daemon.addr, &api("POST", &format!("/api/jobs/{id}/cancel"), ""));
    assert_eq!(again.status, 400, "it has ended");

    let job = change(&daemon, "POST", &format!("/api/jobs/{id}/retry"), "");
    assert_eq!((&job["status"], &job["completed_at"]), (&"queued".into(), &Value::Null));
    assert_eq!(daemon.job_ended(&id)["status"], "completed");
    let right = clip("en_demo").text.repeat(2);
    let found = errors(&right, &text(&daemon, &id).replace('\n', " "));
    assert!(found.rate() <= 0.15, "{found:?}");
    let refused = daemon.post(&format!("/api/jobs/{id}/retry"), "");
    assert_eq!(refused.status, 400, "only what failed or was cancelled");
}

#[test]
fn a_failed_job_is_retried_when_its_film_is_mended_and_completed_ones_are_cleared() {
    let Some((home, daemon)) = running() else { return };
    let film = home.path("library/film.mkv");
    std::fs::write(&film, "this is no film at all").unwrap();
    let body = json!({ "file_path": film, "source_lang": "en", "target_lang": "en" }).to_string();
    let id = id_of(&daemon.post("/api/jobs", &body).json());
    let failed = daemon.job_ended(&id);
    assert_eq!(failed["status"], "failed");
    speech::ffmpeg(&clip("en_echo").path, &["-c:a", "ac3"], &film);
    let job = change(&daemon, "POST", &format!("/api/jobs/{id}/retry"), "");
    assert_eq!(job["error"], Value::Null);
    assert_eq!(daemon.job_ended(&id)["status"], "completed");
    let srt = std::fs::read_to_string(home.path("library/film.eng.srt")).unwrap();
    assert!(errors(&clip("en_echo").text, &said(&srt)).rate() <= 0.10, "{srt}");

    change(&daemon, "POST", "/api/queue/pause", "");
    let waiting = submit(&daemon, &clip("en_thanks").pcm);
    let gone = submit(&daemon, &clip("en_echo").pcm);
    change(&daemon, "DELETE", &format!("/api/jobs/{gone}"), "");
    let cleared = change(&daemon, "POST", "/api/jobs/queue/clear", "");
    assert_eq!(cleared["message"], "Cleared 1 completed jobs");
    let status = |id: &str| Reply::to(daemon.addr, &api("GET", &format!("/api/jobs/{id}"), "")).status;
    assert_eq!([&id, &waiting, &gone].map(|id| status(id)), [404, 200, 200]);
    assert_eq!(daemon.get("/api/jobs/stats")["total_jobs"], 2);
    assert_eq!(names(&home.path("library")), ["film.eng.srt", "film.mkv"], "files are nobody's to clear");
}
