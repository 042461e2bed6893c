//! What the real program takes of memory under a limit, with the real model and real speech.

mod daemon;

use daemon::Daemon;
use daemon::speech::{self, clip, errors, said};
use serde_json::Value;
use std::process::Command;

/// One of three sessions fits, and so does the comparison of the model's q8_0 form with f16.
const FOR_ONE_MB: u64 = 375;
/// Two fit.
const FOR_TWO_MB: u64 = 430;

fn limited(command: &mut Command, limit_mb: u64) {
    command.env("TRANSCRIPTORD_MEMORY_LIMIT_MB", limit_mb.to_string()).env("TRANSCRIPTORD_WORKERS", "3");
}

/// The most that a process has taken so far, in MB.
fn peak_mb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

fn submit(daemon: &Daemon, pcm: &[u8]) -> String {
    let accepted = daemon.asr("language=en&encode=false&async=true", pcm);
    accepted.json()["id"].as_str().unwrap().to_string()
}

fn is_right(daemon: &Daemon, job: &Value, text: &str) {
    assert_eq!(job["status"], "completed", "{job}\n{}", daemon.log());
    let srt = daemon.get_text(&format!("/api/jobs/{}/subtitle", job["id"].as_str().unwrap()));
    let found = errors(text, &said(&srt));
    assert!(found.rate() <= 0.15, "{found:?}:\n{srt}");
}

/// Hears speech of minutes under a limit; gives the log and how many workers there were.
fn heard(limit_mb: u64) -> Option<(String, usize)> {
    let home = speech::home()?;
    let daemon = Daemon::start_with(&home, |c| limited(c, limit_mb));
    let id = submit(&daemon, &speech::long(2));
    let job = daemon.job_ended(&id);
    is_right(&daemon, &job, &clip("en_demo").text.repeat(2));
    let taken = peak_mb(daemon.pid()) + peak_mb(daemon.worker());
    println!("{taken} of {limit_mb} MB");
    assert!(taken < limit_mb, "{taken} of {limit_mb} MB were taken:\n{}", daemon.log());
    let workers = daemon.get("/api/workers").as_array().unwrap().len();
    Some((daemon.log(), workers))
}

#[test]
fn under_a_limit_fewer_sessions_start_and_the_processes_stay_below_it() {
    for (limit_mb, sessions) in [(FOR_ONE_MB, 1), (FOR_TWO_MB, 2)] {
        let Some((log, workers)) = heard(limit_mb) else { return };
        assert_eq!(workers, sessions, "{log}");
        let told = format!("memory: base-q8_0 as q8_0, {sessions} of 3 sessions");
        assert!(log.contains(&told) && log.contains(&format!("{limit_mb} MB are allowed")), "{log}");
        let ahead =
            format!("model base: made into q8_0 at its first use; {sessions} of 3 sessions with q8_0 fit");
        let ahead = [ahead.as_str(), &format!("apart from f16); {sessions} of 3 sessions with q8_0 fit")];
        assert!(ahead.iter().any(|line| log.contains(line)), "{log}");
        assert!(!log.contains("died"), "{log}");
    }
}

#[test]
fn a_limit_that_is_too_small_makes_jobs_wait_until_it_is_raised() {
    let Some(home) = speech::home() else { return };
    let daemon = Daemon::start_with(&home, |c| limited(c, 150));
    let echo = clip("en_echo");
    let id = submit(&daemon, &echo.pcm);
    let job = daemon.job_is(&id, "a reason to wait", |job| job["error"].is_string());
    assert_eq!((&job["status"], &job["retry_count"]), (&"queued".into(), &0.into()), "{job}");
    let why = job["error"].as_str().unwrap();
    for part in [
        "the model base needs ",
        " MB of memory for one session",
        "150 MB may be taken",
        "raise memory_limit_mb",
    ] {
        assert!(why.contains(part), "{why}");
    }
    let health = daemon.get("/health");
    assert_eq!(health["status"], "degraded");
    let reasons = health["reasons"].to_string();
    assert!(reasons.contains("the model base needs ") && reasons.contains("memory_limit_mb"), "{reasons}");
    assert!(!daemon.log().contains("died"), "{}", daemon.log());
    let mut doctor = home.program(&["doctor"]);
    limited(&mut doctor, 150);
    let told = String::from_utf8(doctor.output().unwrap().stdout).unwrap();
    assert!(told.contains("the model base needs ") && told.contains("its jobs wait"), "{told}");

    // The figure that was told is enough.
    let (_, rest) = why.split_once("needs ").unwrap();
    let enough: u64 = rest.split(' ').next().unwrap().parse().unwrap();
    daemon.kill();
    let daemon = Daemon::start_with(&home, |c| limited(c, enough));
    let job = daemon.job_ended(&id);
    is_right(&daemon, &job, &echo.text);
    assert!(peak_mb(daemon.worker()) < enough);
}

#[test]
fn a_smaller_form_is_used_where_the_one_that_is_wanted_has_no_room() {
    let Some(home) = speech::home() else { return };
    // q8_0 is compared with f16 while there is room for that.
    let echo = clip("en_echo");
    let cache = home.path("cache");
    std::fs::copy(&echo.path, home.path("library/talk.wav")).unwrap();
    let words = ["transcribe", "--language", "en", "-o", "-", "library/talk.wav"];
    let mut before = home.program(&words);
    before.env("TRANSCRIPTORD_CACHE_DIR", &cache).env("TRANSCRIPTORD_CPU_COMPUTE_TYPE", "q8_0");
    assert!(before.output().unwrap().status.success());

    let daemon = Daemon::start_with(&home, |c| {
        limited(c, 345);
        c.env("TRANSCRIPTORD_CACHE_DIR", &cache).env("TRANSCRIPTORD_CPU_COMPUTE_TYPE", "f16");
    });
    let id = submit(&daemon, &echo.pcm);
    let job = daemon.job_ended(&id);
    is_right(&daemon, &job, &echo.text);
    assert_eq!(job["model_used"], "base-q8_0", "{}", daemon.log());
    assert!(daemon.log().contains("memory: base-q8_0 as q8_0, 1 of 3 sessions"), "{}", daemon.log());
}

#[test]
fn a_language_is_told_though_there_is_room_for_one_session_alone() {
    let Some(home) = speech::home() else { return };
    let daemon = Daemon::start_with(&home, |c| limited(c, FOR_ONE_MB));
    let accepted = daemon.asr("encode=false&async=true", &clip("fr_prompts").pcm);
    let job = daemon.job_ended(accepted.json()["id"].as_str().unwrap());
    is_right(&daemon, &job, &clip("fr_prompts").text);
    assert_eq!(job["source_lang"], "fr", "{job}");
    let taken = peak_mb(daemon.pid()) + peak_mb(daemon.worker());
    assert!(taken < FOR_ONE_MB, "{taken}");
}
