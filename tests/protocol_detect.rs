//! What becomes of a language detection in Bazarr: a language, or none, and never a throttle. Knows no engine.

mod bazarr;
mod http_fixture;

use bazarr::reading::Detection;
use bazarr::{Bazarr, detect_language};
use http_fixture::client::{Reply, api};
use http_fixture::{Daemon, PATIENCE, pcm};
use std::sync::Arc;
use transcriptord::http::Required;
use transcriptord::job::{JobId, JobKind, JobState};
use transcriptord::language::Language;
use transcriptord::queue::{Again, Outcome};
use transcriptord::spool::Spool;

#[test]
fn each_of_whispers_languages_is_told_as_one_that_bazarr_knows() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    for (language, seed) in Language::all().zip(0..) {
        let code = language.whisper_code();
        let answer = bazarr.post(&detect_language(None), &pcm(seed)).unwrap();
        daemon.detect(&format!(r#"{{"language":"{code}","odds":[["{code}",0.9]]}}"#));
        let told = bazarr.end_detection(answer);
        let expected = match code {
            "yue" => "zh",
            "haw" => "hawaiian",
            "jw" => "javanese",
            code => code,
        };
        assert_eq!(told, Detection::Language(expected.into()), "{code}");
        assert_eq!(bazarr.detect(&detect_language(None), &pcm(seed)), told, "{code}, asked again");
    }
    assert_eq!(bazarr.uploads, 200);
}

#[test]
fn nothing_is_told_before_the_language_is_known() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let mut answer = bazarr.post(&detect_language(None), &pcm(1)).unwrap();
    assert_eq!(answer.beats(3), b"   ", "JSON allows space before its value");
    let (job, claim) = daemon.claim(JobKind::LanguageDetection);
    assert!(daemon.queue.fail(&claim, "the engine had no luck", Again::Later).unwrap());
    assert_eq!(answer.beats(3), b"   ", "a try that fails is tried again inside");
    assert_eq!(daemon.queue.get(job.id).unwrap().unwrap().state, JobState::Queued);
}

/// Every way in which a detection can end without a language.
#[test]
fn a_detection_without_a_language_throttles_nothing() {
    let daemon = Daemon::start();
    let fail = |daemon: &Daemon| {
        let (_, claim) = daemon.claim(JobKind::LanguageDetection);
        assert!(daemon.queue.fail(&claim, "no speech was found", Again::Never).unwrap());
    };
    let end = |daemon: &Daemon, result: &str| {
        let (_, claim) = daemon.claim(JobKind::LanguageDetection);
        let outcome = Outcome { result: result.into(), ..Outcome::default() };
        assert!(daemon.queue.finish(&claim, &outcome).unwrap());
    };
    type Happens<'a> = &'a dyn Fn(&Daemon, JobId);
    let ways: [(&str, Happens); 6] = [
        ("fails", &|daemon, _| fail(daemon)),
        ("hears no language", &|daemon, _| end(daemon, r#"{"language":"und","odds":[]}"#)),
        ("has odds that name none", &|daemon, _| end(daemon, r#"{"language":null,"odds":[]}"#)),
        ("has a result of another kind", &|daemon, _| end(daemon, "[]")),
        ("is cancelled", &|daemon, id| drop(daemon.queue.cancel(id).unwrap())),
        ("is deleted", &|daemon, id| {
            Reply::to(daemon.addr, &api("DELETE", &format!("/api/jobs/{id}"), ""));
        }),
    ];
    for ((how, happens), seed) in ways.into_iter().zip(1..) {
        for (who, old) in [("HTTP/1.1", false), ("HTTP/1.0", true)] {
            let bazarr = Bazarr::at(daemon.addr, PATIENCE);
            let mut bazarr = if old { bazarr.behind_http_1_0() } else { bazarr };
            let sound = pcm(seed * 2 + u8::from(old));
            let answer = bazarr.post(&detect_language(None), &sound).unwrap();
            happens(&daemon, answer.job().parse().unwrap());
            assert_eq!(bazarr.end_detection(answer), Detection::Untold, "{how}, {who}");
        }
    }
}

#[test]
fn a_stop_ends_an_open_detection_without_a_key_in_its_body() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let mut answer = bazarr.post(&detect_language(None), &pcm(1)).unwrap();
    answer.beats(1);
    daemon.announce_stop();
    assert_eq!(bazarr.end_detection(answer), Detection::Untold);
}

/// Bazarr asks once and throttles nothing.
fn harmless(daemon: &Daemon, what: &str, target: &str, audio: &[u8], status: u16) {
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let answer = bazarr.post(target, audio).unwrap();
    assert_eq!(answer.status, status, "{what}");
    assert!(answer.header("x-detail").is_some(), "{what}: the reason is in a header");
    assert_eq!(bazarr.end_detection(answer), Detection::Untold, "{what}");
}

#[test]
fn every_refusal_of_a_detection_has_no_body_that_could_be_misread() {
    let (large, target) = (vec![7; 16 << 20], detect_language(None));
    harmless(&Daemon::start(), "no sound", &target, b"", 422);
    let small = Daemon::start_with(|shared| shared.settings.max_upload_bytes = 1 << 20);
    harmless(&small, "too large", &target, &large, 413);
    let busy = Daemon::start_with(|shared| shared.settings.max_uploads = 0);
    harmless(&busy, "one too many", &target, &large, 503);
    let locked = Daemon::start_with(|shared| shared.settings.access.required = Required::Always);
    harmless(&locked, "without a key", &target, &large, 401);
    let dir = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(&dir.path().join("gone")).unwrap());
    std::fs::remove_dir(dir.path().join("gone")).unwrap();
    let lost = Daemon::start_with(|shared| shared.spool = spool);
    harmless(&lost, "a spool that is gone", &target, &large, 500);
}
