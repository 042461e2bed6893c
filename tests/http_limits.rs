//! What is taken in at once, how much is kept and how long. Knows no engine.

mod http_fixture;

use http_fixture::client::{Reply, api, bazarr, bazarr_body, bazarr_head, connect};
use http_fixture::{Daemon, exists, pcm, transcript, until};
use serde_json::json;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use transcriptord::clock::Manual;
use transcriptord::housekeeping::{Rules, make_room, prune};
use transcriptord::http::Settings;
use transcriptord::job::{JobId, JobKind};
use transcriptord::language::Naming;
use transcriptord::queue::Queue;
use transcriptord::spool::{Need, Spool};
use transcriptord::store::Store;

const ASR: &str = "/asr?task=transcribe&language=en&output=srt&encode=false";
const DETECT: &str = "/detect-language?encode=false";

#[test]
fn one_upload_too_many_is_read_and_refused_without_waiting() {
    let daemon = Daemon::start_with(|shared| shared.settings.max_uploads = 1);
    let body = bazarr_body(&pcm(1));
    let mut first = connect(daemon.addr);
    first.write_all(bazarr_head(ASR, body.len()).as_bytes()).unwrap();
    let (begun, rest) = body.split_at(1000);
    first.write_all(begun).unwrap();
    until("the upload to begin", || (!daemon.spooled().is_empty()).then_some(()));

    let refused = Reply::to(daemon.addr, &bazarr(ASR, &vec![3; 2 << 20]));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    let detail = refused.json()["detail"].as_str().unwrap().to_string();
    assert!(detail.contains("max_concurrent_uploads"), "{detail}");
    let refused = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(2)));
    assert_eq!((refused.status, refused.text().as_str()), (503, ""));

    first.write_all(rest).unwrap();
    assert_eq!(Reply::head(first).status, 200);
    assert_eq!(Reply::to(daemon.addr, &bazarr(ASR, &pcm(2))).status, 200, "there is room again");
}

/// A daemon, its spool, and house rules without a time of grace.
fn with_rules(quota_bytes: u64) -> (Daemon, Arc<Spool>, Rules) {
    let mut spool = None;
    let daemon = Daemon::start_with(|shared| spool = Some(shared.spool.clone()));
    let rules =
        Rules { quota_bytes: Some(quota_bytes), results_ms: None, jobs_ms: None, grace: Duration::ZERO };
    (daemon, spool.unwrap(), rules)
}

fn stored(daemon: &Daemon, seed: u8) -> bool {
    exists(&daemon.spool_dir.join(blake3::hash(&pcm(seed)).to_hex().to_string()))
}

#[test]
fn finished_audio_goes_when_the_quota_is_reached_and_live_audio_stays() {
    let (daemon, spool, rules) = with_rules(40_000);
    for seed in 1..=3 {
        Reply::to(daemon.addr, &bazarr(ASR, &pcm(seed)));
    }
    let done = daemon.transcribe(&["The first."]);
    assert_eq!(make_room(&daemon.queue, &spool, &rules, Need::Quota).unwrap().files, 1);
    assert_eq!([1, 2, 3].map(|seed| stored(&daemon, seed)), [false, true, true]);
    assert!(Reply::to(daemon.addr, &bazarr(ASR, &pcm(1))).text().contains("The first."), "{}", done.id);
}

#[test]
fn audio_of_a_finished_detection_stays_a_while_for_the_subtitle() {
    let (daemon, spool, rules) = with_rules(0);
    let reply = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(1)));
    daemon.detect(r#"{"language":"de","odds":[["de",0.98]]}"#);
    reply.body();
    let rules = Rules { grace: Duration::from_secs(900), ..rules };
    make_room(&daemon.queue, &spool, &rules, Need::Quota).unwrap();
    assert!(stored(&daemon, 1));
}

#[test]
fn a_quota_full_of_live_audio_refuses_uploads_until_a_job_ends() {
    let (daemon, spool, rules) = with_rules(10_000);
    Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    make_room(&daemon.queue, &spool, &rules, Need::Quota).unwrap();
    let refused = Reply::to(daemon.addr, &bazarr(ASR, &pcm(2)));
    assert_eq!(refused.status, 507);
    assert!(refused.json()["detail"].as_str().unwrap().contains("spool_quota_gb"));
    let refused = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(2)));
    assert_eq!((refused.status, refused.text().as_str()), (507, ""));
    daemon.transcribe(&["Over."]);
    make_room(&daemon.queue, &spool, &rules, Need::Quota).unwrap();
    assert_eq!(Reply::to(daemon.addr, &bazarr(ASR, &pcm(2))).status, 200);
}

#[test]
fn a_full_disk_takes_all_audio_that_nobody_needs() {
    let (daemon, spool, rules) = with_rules(1 << 40);
    for seed in 1..=2 {
        Reply::to(daemon.addr, &bazarr(ASR, &pcm(seed)));
    }
    daemon.transcribe(&["The first."]);
    make_room(&daemon.queue, &spool, &rules, Need::Disk).unwrap();
    assert_eq!([1, 2].map(|seed| stored(&daemon, seed)), [false, true]);
    spool.room().unwrap();
}

#[test]
fn results_and_jobs_go_when_their_time_is_over() {
    const DAY: i64 = 86_400_000;
    let clock = Arc::new(Manual::at(1000 * DAY));
    let queue = Queue::new(Store::open("sqlite::memory:").unwrap(), "here".into(), clock.clone());
    let (daemon, spool, _) = with_rules(0);
    Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    let (job, claim) = daemon.claim(JobKind::Transcription);
    daemon.queue.finish(&claim, &transcript(&["Old."])).unwrap();
    let ended = daemon.queue.get(job.id).unwrap().unwrap().completed_at.unwrap();

    let rules = Rules::new(20, 30, 90);
    assert_eq!(prune(&daemon.queue, &spool, &rules, ended + 29 * DAY).unwrap(), 0);
    assert!(daemon.queue.result(job.id).unwrap().is_some());
    assert_eq!(prune(&daemon.queue, &spool, &rules, ended + 31 * DAY).unwrap(), 1);
    assert!(daemon.queue.result(job.id).unwrap().is_none());
    assert!(daemon.queue.get(job.id).unwrap().is_some());
    assert_eq!(
        prune(&daemon.queue, &spool, &Rules::new(0, 0, 0), ended + 36_500 * DAY).unwrap(),
        0,
        "0 is for ever"
    );
    // Without a quota too, audio does not outlive its job; what a job waits for stays.
    Reply::to(daemon.addr, &bazarr(ASR, &pcm(2)));
    assert_eq!([1, 2].map(|seed| stored(&daemon, seed)), [true, true]);
    assert_eq!(prune(&daemon.queue, &spool, &rules, ended + 91 * DAY).unwrap(), 1);
    assert!(daemon.queue.get(job.id).unwrap().is_none());
    assert_eq!([1, 2].map(|seed| stored(&daemon, seed)), [false, true]);
    assert_eq!(
        prune(&queue, &spool, &rules, SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64).unwrap(),
        0
    );
}

#[test]
fn a_detection_tells_all_its_odds() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(1)));
    let id: JobId = reply.header("x-job-id").unwrap().parse().unwrap();
    let result =
        |query: &str| Reply::to(daemon.addr, &api("GET", &format!("/api/jobs/{id}/result{query}"), ""));
    assert_eq!(result("").status, 409);
    daemon.detect(r#"{"language":"yue","odds":[["de",0.01],["yue",0.9],["zh",0.05]]}"#);
    reply.body();
    let odds =
        |code: &str, name: &str, p: f64| json!({"language_code": code, "language": name, "probability": p});
    assert_eq!(
        result("").json(),
        json!({
            "language_code": "yue", "detected_language": "Cantonese", "confidence": 0.9,
            "odds": [odds("yue", "Cantonese", 0.9), odds("zh", "Chinese", 0.05), odds("de", "German", 0.01)],
        })
    );
    assert_eq!(result("?top=1").json()["odds"].as_array().unwrap().len(), 1);
    assert_eq!(result("?top=0").status, 422);
    let other = Reply::to(daemon.addr, &bazarr(ASR, &pcm(2)));
    let target = format!("/api/jobs/{}/result", other.header("x-job-id").unwrap());
    assert_eq!(Reply::to(daemon.addr, &api("GET", &target, "")).status, 404);
}

#[test]
fn a_subtitles_name_has_the_language_as_the_setting_asks() {
    let check = |naming: Naming, expected: &str| {
        let daemon = Daemon::start_with(|shared| shared.settings.naming = naming);
        let body = json!({"file_path": daemon.media("film.mkv"), "target_lang": "de"}).to_string();
        let id = Reply::to(daemon.addr, &api("POST", "/api/jobs", &body)).json()["id"].clone();
        let job = daemon.queue.get(id.as_str().unwrap().parse().unwrap()).unwrap().unwrap();
        assert_eq!(job.output.unwrap().file_name().unwrap(), expected);
    };
    check(Naming::Iso639_1, "film.de.srt");
    check(Naming::Iso639_2T, "film.deu.srt");
    check(Settings::new("here".into(), Arc::new(|_, _, _| 1)).naming, "film.ger.srt");
    check(Naming::Name, "film.German.srt");
}

#[test]
fn a_202_says_how_soon_to_ask_again() {
    let daemon = Daemon::start_with(|shared| shared.settings.retry_after_s = 7);
    let reply = Reply::to(daemon.addr, &bazarr(&format!("{ASR}&async=true"), &pcm(1)));
    assert_eq!((reply.status, reply.header("retry-after")), (202, Some("7")));
}
