//! How the real program starts, and what it does without what it needs. Knows nothing of speech.

mod daemon;

use daemon::client::{Reply, api, bazarr};
use daemon::{Daemon, Home, names};

const ASK: &str = "task=transcribe&language=en&output=srt&encode=false&async=true";

fn pcm() -> Vec<u8> {
    (0..64_000u32).map(|i| (i * i % 251) as u8).collect()
}

#[test]
fn a_second_daemon_on_the_same_data_folder_is_refused() {
    let home = Home::new();
    let first = Daemon::start(&home);
    let (code, log) = Daemon::refused(&home, |_| {});
    assert_eq!(code, Some(1), "{log}");
    let folder = home.path("data");
    let sentence = format!("another transcriptord uses the data folder {}", folder.display());
    assert!(log.contains(&sentence), "{log}");
    assert!(log.contains("--data-dir"), "{log}");
    assert_eq!(first.get("/health")["database"], "connected");
}

#[test]
fn a_second_daemon_on_the_same_port_is_refused() {
    let (home, other) = (Home::new(), Home::new());
    let first = Daemon::start(&home);
    let (code, log) = Daemon::refused(&other, |c| {
        c.env("TRANSCRIPTORD_LISTEN", first.addr.to_string());
    });
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(&format!("cannot listen on {}", first.addr)), "{log}");
    assert!(log.contains("is another transcriptord running? --listen"), "{log}");
    assert!(!other.path("data").exists(), "a daemon that was refused left a data folder");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_named() {
    let home = Home::new();
    std::fs::write(home.path("data"), "a file").unwrap();
    let (code, log) = Daemon::refused(&home, |_| {});
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(&format!("the data folder {}", home.path("data").display())), "{log}");
}

#[test]
fn without_a_model_every_endpoint_answers_and_jobs_wait() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let health = daemon.get("/health");
    assert_eq!(health["status"], "degraded", "{health}");
    let reasons = health["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|why| why.as_str().unwrap().contains("model")), "{health}");

    let status = daemon.get("/status");
    assert!(status["version"].is_string());
    for target in
        ["/api/status", "/api/jobs", "/api/jobs/stats", "/api/workers", "/api/workers/stats", "/openapi.json"]
    {
        let reply = Reply::to(daemon.addr, &api("GET", target, ""));
        assert_eq!(reply.status, 200, "{target}");
        reply.json();
    }

    let accepted = daemon.asr(ASK, &pcm());
    assert_eq!(accepted.status, 202);
    let id = accepted.json()["id"].as_str().unwrap().to_string();
    let detection = Reply::to(daemon.addr, &bazarr("/detect-language?encode=false&async=true", &pcm()));
    assert_eq!(detection.status, 202);
    assert_eq!(daemon.job(&id)["status"], "queued");
    assert!(daemon.workers().is_empty(), "a process was started that can do nothing");
    let subtitle = Reply::to(daemon.addr, &api("GET", &format!("/api/jobs/{id}/subtitle"), ""));
    assert_eq!(subtitle.status, 409);

    // Told to stop it ends at once, and the job is there at the next start.
    daemon.terminate();
    let (status, log) = daemon.ended();
    assert!(status.success(), "{status}:\n{log}");
    let daemon = Daemon::start(&home);
    assert_eq!(daemon.job(&id)["status"], "queued");
}

#[test]
fn a_file_that_is_no_whisper_model_is_refused_with_its_reason() {
    let check = |bytes: &[u8], sentence: &str| {
        let home = Home::new();
        std::fs::write(home.path("models/ggml-base.bin"), bytes).unwrap();
        let daemon = Daemon::start_with(&home, |c| {
            c.env("TRANSCRIPTORD_MODEL", "base");
        });
        let health = daemon.get("/health");
        assert_eq!(health["status"], "degraded", "{health}");
        let reasons = health["reasons"].to_string();
        assert!(reasons.contains("ggml-base.bin") && reasons.contains(sentence), "{reasons}");
        let id = daemon.asr(ASK, &pcm()).json()["id"].as_str().unwrap().to_string();
        assert_eq!(daemon.job(&id)["status"], "queued");
        assert!(daemon.workers().is_empty());
    };
    check(b"", "is empty");
    check(b"this is a text", "not a Whisper model");
    check(include_bytes!("../src/engine/voice/silero-v6-16k.bin"), "a voice detector (Silero)");
    let whole: Vec<u8> = std::iter::once(0x67676d6c_u32)
        .chain([51865, 1500, 512, 8, 6, 448, 512, 8, 6, 80, 1])
        .flat_map(u32::to_le_bytes)
        .collect();
    check(&whole, "is damaged");
}

#[test]
fn without_ffmpeg_samples_and_wav_go_on_and_the_rest_is_told() {
    let home = Home::new();
    let daemon = Daemon::start_with(&home, |c| {
        c.env("PATH", home.path("spare"));
    });
    let reasons = daemon.get("/health")["reasons"].to_string();
    for tool in ["ffmpeg is not installed", "ffprobe is not installed", "apt install ffmpeg"] {
        assert!(reasons.contains(tool), "{reasons}");
    }
    assert_eq!(daemon.asr(ASK, &pcm()).status, 202);
}

#[test]
fn told_to_stop_it_ends_well_and_leaves_no_half_written_file() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    daemon.asr(ASK, &pcm());
    daemon.terminate();
    let (status, log) = daemon.ended();
    assert!(status.success(), "{status}:\n{log}");
    assert_eq!(home.spooled().len(), 1);
    let left = names(&home.path("data"));
    assert!(!left.iter().any(|name| name.contains("partial")), "{left:?}");
}
