//! The REST contract of jobs, workers and system. Knows no engine.

mod http_fixture;

use http_fixture::client::{Reply, api, bazarr};
use http_fixture::{Daemon, pcm, until};
use serde_json::{Value, json};
use transcriptord::job::{JobId, JobKind, JobState};

fn get(daemon: &Daemon, target: &str) -> (u16, Value) {
    call(daemon, "GET", target, "")
}

fn call(daemon: &Daemon, method: &str, target: &str, body: &str) -> (u16, Value) {
    let reply = Reply::to(daemon.addr, &api(method, target, body));
    (reply.status, reply.json())
}

fn create(daemon: &Daemon, name: &str) -> Value {
    let body = json!({"file_path": daemon.media(name), "target_lang": "en"}).to_string();
    let (status, job) = call(daemon, "POST", "/api/jobs", &body);
    assert_eq!(status, 201, "{job}");
    job
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_job_has_every_field_of_the_contract() {
    let daemon = Daemon::start();
    let path = daemon.media("Das Boot.1981.mkv");
    let body =
        json!({"file_path": path, "target_lang": "German", "source_lang": "deu", "priority": 2}).to_string();
    let (status, job) = call(&daemon, "POST", "/api/jobs/", &body);
    assert_eq!(status, 201);
    let expected = "created_at completed_at current_stage device_used error eta_seconds file_name file_path id \
                    job_type max_retries model_used note output_path priority processing_time_seconds progress \
                    quality_preset retry_count segments_count source_lang started_at status target_lang \
                    transcribe_or_translate vram_used_mb worker_id";
    let mut expected: Vec<_> = expected.split_whitespace().collect();
    expected.sort_unstable();
    assert_eq!(keys(&job), expected);
    assert_eq!(job["file_path"], json!(path.canonicalize().unwrap()));
    for (field, value) in [
        ("file_name", json!("Das Boot.1981.mkv")),
        ("job_type", json!("transcription")),
        ("status", json!("queued")),
        ("priority", json!(7)),
        ("source_lang", json!("de")),
        ("target_lang", json!("de")),
        ("quality_preset", json!("fast")),
        ("transcribe_or_translate", json!("transcribe")),
        ("current_stage", json!("pending")),
        ("progress", json!(0.0)),
        ("started_at", Value::Null),
        ("retry_count", json!(0)),
        ("max_retries", json!(3)),
    ] {
        assert_eq!(job[field], value, "{field}");
    }
    let id = job["id"].as_str().unwrap();
    assert_eq!(get(&daemon, &format!("/api/jobs/{id}")), (200, job.clone()));
    let stored = daemon.queue.get(id.parse().unwrap()).unwrap().unwrap();
    let beside = daemon.library.canonicalize().unwrap().join("Das Boot.1981.ger.srt");
    assert_eq!(stored.output, Some(beside));
}

#[test]
fn a_path_job_is_refused_for_what_is_wrong_with_it() {
    let daemon = Daemon::start();
    let inside = daemon.media("a.mkv");
    let check = |body: Value, status: u16, sentence: &str| {
        let (got, answer) = call(&daemon, "POST", "/api/jobs", &body.to_string());
        let detail = answer["detail"].as_str().unwrap();
        assert_eq!(got, status, "{detail}");
        assert!(detail.contains(sentence), "{detail:?} does not say {sentence:?}");
    };
    check(json!({"target_lang": "en"}), 422, "`file_path`");
    check(json!({"file_path": inside}), 422, "`target_lang`");
    check(json!({"file_path": 5, "target_lang": "en"}), 422, "field file_path: ");
    check(json!({"file_path": inside, "target_lang": "en", "priority": "x"}), 422, "field priority: ");
    check(json!([]), 422, "");
    check(json!({"file_path": inside, "target_lang": "klingon"}), 400, "klingon");
    check(json!({"file_path": inside, "target_lang": "en", "source_lang": "xx"}), 400, "xx");
    check(
        json!({"file_path": inside, "target_lang": "en", "quality_preset": "good"}),
        400,
        "quality preset 'good'",
    );
    check(
        json!({"file_path": inside, "target_lang": "en", "transcribe_or_translate": "sing"}),
        400,
        "'sing'",
    );
    check(
        json!({"file_path": inside, "target_lang": "de", "transcribe_or_translate": "translate"}),
        400,
        "Whisper translates to English alone",
    );
    check(
        json!({"file_path": inside, "target_lang": "en", "source_lang": "ja"}),
        400,
        "English text of Japanese speech is a translation",
    );
    check(json!({"file_path": daemon.library.join("no.mkv"), "target_lang": "en"}), 400, "there is no file");
    check(json!({"file_path": daemon.library, "target_lang": "en"}), 400, "is not a file");
    check(json!({"file_path": "/etc/passwd", "target_lang": "en"}), 403, "LIBRARY_PATHS, --library PATH");
    check(json!({"file_path": "/no/such/file", "target_lang": "en"}), 403, "the setting library");
    check(json!({"file_path": daemon.library.join("../spool"), "target_lang": "en"}), 403, "outside");
    check(json!({"file_path": daemon.library.join("../nothing"), "target_lang": "en"}), 403, "outside");
    std::os::unix::fs::symlink("/etc/passwd", daemon.library.join("link.mkv")).unwrap();
    check(json!({"file_path": daemon.library.join("link.mkv"), "target_lang": "en"}), 403, "outside");
    assert_eq!(daemon.queue.counts().unwrap().total, 0);
    let (status, answer) = call(&daemon, "POST", "/api/jobs", "{\"file_path\": ");
    assert_eq!((status, answer["detail"].as_str().unwrap().starts_with("the body is not JSON")), (422, true));
}

#[test]
fn without_a_library_no_path_is_allowed() {
    let daemon = Daemon::start_with(|shared| shared.settings.library.clear());
    let body = json!({"file_path": daemon.media("a.mkv"), "target_lang": "en"}).to_string();
    assert_eq!(call(&daemon, "POST", "/api/jobs", &body).0, 403);
}

#[test]
fn the_same_work_asked_for_twice_names_the_first_job() {
    let daemon = Daemon::start();
    let job = create(&daemon, "a.mkv");
    let body = json!({"file_path": daemon.library.join("a.mkv"), "target_lang": "eng"}).to_string();
    for (state, finish) in [("queued", true), ("completed", false)] {
        let (status, answer) = call(&daemon, "POST", "/api/jobs", &body);
        assert_eq!((status, &answer["job_id"]), (409, &job["id"]));
        assert!(answer["detail"].as_str().unwrap().contains(state), "{answer}");
        if finish {
            daemon.transcribe(&["Hi."]);
        }
    }
    std::fs::write(daemon.library.join("a.mkv"), "another cut").unwrap();
    assert_eq!(call(&daemon, "POST", "/api/jobs", &body).0, 201, "a changed file is other work");
}

#[test]
fn jobs_are_listed_newest_first_by_page_and_state() {
    let daemon = Daemon::start();
    let ids: Vec<Value> = ["a.mkv", "b.mkv", "c.mkv"].map(|name| create(&daemon, name)["id"].clone()).into();
    daemon.queue.cancel(ids[0].as_str().unwrap().parse().unwrap()).unwrap();
    let (_, page) = get(&daemon, "/api/jobs?page=1&page_size=2");
    assert_eq!((&page["total"], &page["page"], &page["page_size"]), (&json!(3), &json!(1), &json!(2)));
    assert_eq!((&page["jobs"][0]["id"], &page["jobs"][1]["id"]), (&ids[2], &ids[1]));
    let (_, page) = get(&daemon, "/api/jobs/?page=2&page_size=2");
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1);
    let (_, cancelled) = get(&daemon, "/api/jobs?status_filter=cancelled");
    assert_eq!((&cancelled["total"], &cancelled["jobs"][0]["id"]), (&json!(1), &ids[0]));
    let (_, stats) = get(&daemon, "/api/jobs/stats");
    let expected =
        json!({"total_jobs": 3, "queued": 2, "processing": 0, "completed": 0, "failed": 0, "cancelled": 1});
    assert_eq!(stats, expected);
    let check = |target: &str, status: u16, sentence: &str| {
        let (got, answer) = get(&daemon, target);
        assert_eq!(got, status);
        assert!(answer["detail"].as_str().unwrap().starts_with(sentence), "{answer}");
    };
    check("/api/jobs?status_filter=lost", 400, "unknown status 'lost'");
    check("/api/jobs?page_size=501", 422, "field page_size: ");
    check("/api/jobs?page=zero", 422, "field page: ");
}

#[test]
fn a_job_is_cancelled_and_retried_only_where_that_makes_sense() {
    let daemon = Daemon::start();
    let id = create(&daemon, "a.mkv")["id"].as_str().unwrap().to_string();
    let check = |method: &str, target: &str, status: u16, sentence: &str| {
        let (got, answer) = call(&daemon, method, target, "");
        assert_eq!(got, status, "{method} {target}: {answer}");
        let text = answer["message"].as_str().or(answer["detail"].as_str()).unwrap_or_default();
        assert!(text.starts_with(sentence), "{answer}");
    };
    check("POST", &format!("/api/jobs/{id}/retry"), 400, "a job that is queued cannot be retried");
    check("POST", &format!("/api/jobs/{id}/cancel"), 200, &format!("Job {id} cancelled"));
    check("POST", &format!("/api/jobs/{id}/cancel/"), 400, "a job that is cancelled cannot be cancelled");
    check("POST", &format!("/api/jobs/{id}/retry/"), 200, "");
    check("DELETE", &format!("/api/jobs/{id}"), 200, &format!("Job {id} cancelled"));
    let nobody = JobId::new();
    for target in [nobody.to_string(), "17".to_string()] {
        check("DELETE", &format!("/api/jobs/{target}"), 404, &format!("there is no job '{target}'"));
        check("GET", &format!("/api/jobs/{target}"), 404, &format!("there is no job '{target}'"));
        check("GET", &format!("/api/jobs/{target}/subtitle"), 404, "there is no job");
        check("POST", &format!("/api/jobs/{target}/retry"), 404, "there is no job");
    }
}

#[test]
fn a_job_whose_audio_is_no_longer_kept_is_not_retried() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr("/asr?encode=false&async=true", &pcm(1)));
    let id = reply.json()["id"].as_str().unwrap().to_string();
    daemon.queue.cancel(id.parse().unwrap()).unwrap();
    let upload = daemon.spool_dir.join(&daemon.spooled()[0]);
    let aside = daemon.spool_dir.join(".aside");
    std::fs::rename(&upload, &aside).unwrap();
    let (status, answer) = call(&daemon, "POST", &format!("/api/jobs/{id}/retry"), "");
    assert_eq!(status, 400);
    assert!(answer["detail"].as_str().unwrap().contains("no longer kept: send it again"), "{answer}");
    std::fs::rename(&aside, &upload).unwrap();
    assert_eq!(call(&daemon, "POST", &format!("/api/jobs/{id}/retry"), "").0, 200);
}

#[test]
fn the_priority_can_be_changed_while_it_matters() {
    let daemon = Daemon::start();
    let id = create(&daemon, "a.mkv")["id"].as_str().unwrap().to_string();
    let target = format!("/api/jobs/{id}");
    let (status, job) = call(&daemon, "PATCH", &target, r#"{"priority": 42}"#);
    assert_eq!((status, &job["priority"]), (200, &json!(42)));
    assert_eq!(call(&daemon, "PATCH", &target, r#"{"priority": "x"}"#).0, 422);
    assert_eq!(call(&daemon, "PATCH", &target, "{}").0, 422);
    daemon.transcribe(&["Done."]);
    assert_eq!(call(&daemon, "PATCH", &target, r#"{"priority": 1}"#).0, 400);
}

#[test]
fn a_finished_subtitle_comes_in_each_format_with_its_report() {
    let daemon = Daemon::start();
    let id = create(&daemon, "a.mkv")["id"].as_str().unwrap().to_string();
    let (status, answer) = get(&daemon, &format!("/api/jobs/{id}/subtitle"));
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("is queued"), "{answer}");
    daemon.transcribe(&["Hello."]);
    let srt = Reply::to(daemon.addr, &api("GET", &format!("/api/jobs/{id}/subtitle"), ""));
    assert_eq!(srt.status, 200);
    assert!(srt.header("content-type").unwrap().contains("subrip"));
    assert!(srt.text().starts_with("1\n00:00:00,000 --> "));
    for (format, mime) in [("vtt", "text/vtt"), ("txt", "text/plain"), ("json", "application/json")] {
        let reply =
            Reply::to(daemon.addr, &api("GET", &format!("/api/jobs/{id}/subtitle?format={format}"), ""));
        assert!(reply.header("content-type").unwrap().starts_with(mime), "{format}");
        assert!(reply.text().contains("Hello."), "{format}");
    }
    let marked =
        Reply::to(daemon.addr, &api("GET", &format!("/api/jobs/{id}/subtitle?word_highlight=true"), ""));
    assert!(marked.text().ends_with("<u>Hello.</u>\n\n"));
    let (status, answer) = get(&daemon, &format!("/api/jobs/{id}/subtitle?format=pdf"));
    assert_eq!((status, answer["detail"].as_str().unwrap().starts_with("field format: ")), (422, true));
    assert_eq!(get(&daemon, &format!("/api/jobs/{id}/report")), (200, json!({"score": 100})));
    let (_, cleared) = call(&daemon, "POST", "/api/jobs/queue/clear", "");
    assert_eq!(cleared, json!({"message": "Cleared 1 completed jobs"}));
    assert_eq!(get(&daemon, &format!("/api/jobs/{id}")).0, 404);
}

#[test]
fn a_failed_job_says_why_it_has_no_subtitle() {
    let daemon = Daemon::start();
    let id = create(&daemon, "a.mkv")["id"].as_str().unwrap().to_string();
    daemon.fail("the file has no audio track");
    let (status, answer) = get(&daemon, &format!("/api/jobs/{id}/subtitle"));
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("the file has no audio track"), "{answer}");
    let (_, job) = get(&daemon, &format!("/api/jobs/{id}"));
    assert_eq!((&job["status"], &job["error"]), (&json!("failed"), &json!("the file has no audio track")));
}

#[test]
fn a_long_poll_answers_when_the_job_ends() {
    let daemon = Daemon::start();
    let id = create(&daemon, "a.mkv")["id"].as_str().unwrap().to_string();
    let addr = daemon.addr;
    let target = format!("/api/jobs/{id}?wait=60");
    let poll = std::thread::spawn(move || Reply::to(addr, &api("GET", &target, "")).json());
    daemon.transcribe(&["Done."]);
    assert_eq!(poll.join().unwrap()["status"], "completed");
    assert_eq!(get(&daemon, &format!("/api/jobs/{id}?wait=600")).0, 422);
}

#[test]
fn a_long_poll_ends_with_the_server() {
    let daemon = Daemon::start();
    let id = create(&daemon, "a.mkv")["id"].as_str().unwrap().to_string();
    let addr = daemon.addr;
    let poll = std::thread::spawn(move || {
        Reply::to(addr, &api("GET", &format!("/api/jobs/{id}?wait=60"), "")).json()
    });
    daemon.announce_stop();
    assert_eq!(poll.join().unwrap()["status"], "queued");
}

#[test]
fn a_poll_that_knows_the_answer_gets_none() {
    let daemon = Daemon::start();
    let id = create(&daemon, "a.mkv")["id"].as_str().unwrap().to_string();
    let poll = |tag: &str| {
        let head = format!("GET /api/jobs/{id} HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\n\r\n");
        let reply = Reply::to(daemon.addr, head.as_bytes());
        (reply.status, reply.header("etag").unwrap().to_string())
    };
    let (status, tag) = poll("\"nothing\"");
    assert_eq!(status, 200);
    assert_eq!(poll(&tag), (304, tag.clone()));
    assert_eq!(poll(&format!("W/{tag}, \"other\"")), (304, tag.clone()));
    daemon.claim(JobKind::Transcription);
    assert_eq!(poll(&tag).0, 200);
}

#[test]
fn a_provider_job_is_shown_like_any_other() {
    let daemon = Daemon::start();
    let reply =
        Reply::to(daemon.addr, &bazarr("/detect-language?encode=false&video_file=%2Fa%2Fb.mkv", &pcm(1)));
    let id = reply.header("x-job-id").unwrap().to_string();
    let (_, job) = get(&daemon, &format!("/api/jobs/{id}"));
    assert_eq!((&job["job_type"], &job["file_name"]), (&json!("language_detection"), &json!("b.mkv")));
    assert!(job["file_path"].as_str().unwrap().starts_with("upload:"));
    assert_eq!(get(&daemon, &format!("/api/jobs/{id}/subtitle")).0, 404);
}

#[test]
fn the_system_tells_how_it_is() {
    let daemon = Daemon::start();
    create(&daemon, "a.mkv");
    let (_, status) = get(&daemon, "/api/status/");
    assert_eq!(keys(&status), ["queue", "scanner", "system", "workers"]);
    assert_eq!((&status["queue"]["queued"], &status["queue"]["paused"]), (&json!(1), &json!(false)));
    assert_eq!(
        (&status["workers"]["cpu_workers"], &status["workers"]["total_jobs_completed"]),
        (&json!(1), &json!(3))
    );
    let (code, health) = get(&daemon, "/health");
    let expected =
        json!({"status": "healthy", "database": "connected", "workers": 1, "queue_size": 1, "reasons": []});
    assert_eq!((code, health), (200, expected));
    let (_, version) = get(&daemon, "/status/");
    assert!(version["version"].is_string());
    let (_, document) = get(&daemon, "/openapi.json");
    assert!(document["paths"]["/asr"]["post"].is_object());
}

#[test]
fn a_degraded_daemon_gives_its_reasons() {
    let daemon = Daemon::start_with(|shared| {
        shared.health = std::sync::Arc::new(|| vec!["no model is installed".to_string()]);
    });
    let (code, health) = get(&daemon, "/health");
    assert_eq!((code, &health["status"]), (200, &json!("degraded")));
    assert_eq!(health["reasons"], json!(["no model is installed"]));
}

#[test]
fn the_first_page_is_html_for_people_and_json_for_programs() {
    let daemon = Daemon::start();
    let page = Reply::to(daemon.addr, &api("GET", "/", ""));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().starts_with("<!doctype html>"));
    let head = "GET / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n";
    let hello = Reply::to(daemon.addr, head.as_bytes()).json();
    assert_eq!(keys(&hello), ["message", "name", "status", "version"]);
    assert_eq!(hello["status"], "running");
}

#[test]
fn the_workers_are_shown() {
    let daemon = Daemon::start();
    let (_, workers) = get(&daemon, "/api/workers/");
    assert_eq!(workers[0]["worker_id"], "cpu-0");
    assert_eq!(get(&daemon, "/api/workers/cpu-0").1, workers[0]);
    assert_eq!(get(&daemon, "/api/workers/cpu-9").0, 404);
    let (_, stats) = get(&daemon, "/api/workers/stats");
    assert_eq!((&stats["idle_workers"], &stats["is_running"]), (&json!(1), &json!(true)));
}

#[test]
fn a_paused_queue_begins_nothing_until_it_is_resumed() {
    let daemon = Daemon::start();
    let id: JobId = create(&daemon, "a.mkv")["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(call(&daemon, "POST", "/api/queue/pause", "").0, 200);
    assert!(daemon.queue.paused().unwrap());
    assert_eq!(get(&daemon, "/api/status").1["queue"]["paused"], json!(true));
    assert_eq!(call(&daemon, "POST", "/api/queue/resume/", "").0, 200);
    daemon.transcribe(&["Done."]);
    until("the end", || (daemon.queue.get(id).unwrap().unwrap().state == JobState::Completed).then_some(()));
}
