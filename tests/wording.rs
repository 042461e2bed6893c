//! What the settings say of the text reaches each job, and the subtitle that is made of it.

mod http_fixture;
mod pool_bench;

use http_fixture::Daemon;
use http_fixture::client::{Reply, api, bazarr};
use pool_bench::{Bench, speech};
use transcriptord::engine::Heard;
use transcriptord::job::{Job, JobState, Options};
use transcriptord::subtitle::profile::Name;
use transcriptord::subtitle::{Profile, Word};

fn asked_with(profile: &Profile) -> Options {
    Options { profile: Some(serde_json::to_value(profile).unwrap()), ..Options::default() }
}

/// The job of one upload and of one path to a daemon with these settings.
fn jobs(options: &Options) -> [Job; 2] {
    let daemon = Daemon::start_with(|shared| shared.settings.options = options.clone());
    let asr = "/asr?task=transcribe&language=en&encode=false&async=true";
    let upload = Reply::to(daemon.addr, &bazarr(asr, b"audio")).json();
    let body = serde_json::json!({ "file_path": daemon.media("film.mkv"), "target_lang": "en" }).to_string();
    let path = Reply::to(daemon.addr, &api("POST", "/api/jobs", &body)).json();
    let get = |job: serde_json::Value| {
        let id = job["id"].as_str().unwrap_or_else(|| panic!("{job}")).parse().unwrap();
        daemon.queue.get(id).unwrap().unwrap()
    };
    [get(upload), get(path)]
}

#[test]
fn each_job_carries_the_settings_and_other_settings_are_other_work() {
    let bbc = asked_with(&Profile::of(Name::Bbc));
    let (plain, changed) = (jobs(&Options::default()), jobs(&bbc));
    assert!(plain.iter().all(|job| job.options == Options::default()));
    assert!(changed.iter().all(|job| job.options == bbc));
    assert_ne!(plain[0].key, changed[0].key);
}

#[test]
fn words_are_marked_in_what_a_daemon_with_that_setting_answers() {
    let daemon = Daemon::start_with(|shared| shared.settings.options.word_highlight = true);
    let asr = "/asr?task=transcribe&language=en&encode=false";
    let queued = Reply::to(daemon.addr, &bazarr(&format!("{asr}&async=true"), b"audio")).json();
    daemon.transcribe(&["Two words."]);
    let answer = Reply::to(daemon.addr, &bazarr(asr, b"audio")).text();
    assert!(answer.contains("<u>Two</u> words.\n") && answer.contains("Two <u>words.</u>\n"), "{answer}");
    let kept = |query: &str| {
        let target = format!("/api/jobs/{}/subtitle?{query}", queued["id"].as_str().unwrap());
        Reply::to(daemon.addr, &api("GET", &target, "")).text()
    };
    assert_eq!(kept("format=srt"), answer);
    assert!(kept("format=vtt").contains("Two <00:00:00.100>words."));
    assert!(!kept("word_highlight=false").contains("<u>"));
}

/// Ten words of eight letters, one a half second.
fn ten_words() -> Heard {
    let word = |i: i64| Word {
        text: format!(" {}", char::from(b'a' + i as u8).to_string().repeat(8)),
        start_ms: 300 + i * 500,
        end_ms: 700 + i * 500,
        p: 0.9,
    };
    Heard { words: (0..10).map(word).collect(), no_speech: None, avg_logprob: -0.1, listened: None }
}

#[test]
fn the_pool_lays_out_and_judges_as_the_job_says() {
    let mut bench = Bench::start(1, 1, |_, _, _| Ok(ten_words()));
    let own = Profile { max_lines: 1, columns: Some(20), ..Profile::of(Name::Custom) };
    let sound = speech(&[(6.0, 1.0)]);
    let narrow = bench.ask("narrow", &sound, |job| job.options = asked_with(&own));
    let cues = bench.transcript(narrow).cues;
    assert!(cues.len() >= 5 && cues.iter().all(|c| c.lines.len() == 1 && c.lines[0].len() <= 20), "{cues:?}");
    let report = bench.queue.result(narrow).unwrap().unwrap().report.unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["profile"], &report["hard_violations"]), (&"custom".into(), &0.into()));
    let wide = bench.ask("wide", &sound, |_| {});
    assert!(bench.transcript(wide).cues.len() <= 3);
    let grouped = bench.ask("grouped", &sound, |job| job.options.regroup = Some("ms_sl=+2+0".into()));
    assert!(bench.transcript(grouped).cues.iter().all(|c| c.words.len() == 2));
    let file = bench.dir.path().join("marked.srt");
    let marked = bench.ask("marked", &sound, |job| {
        job.options.word_highlight = true;
        job.output = Some(file.clone());
    });
    bench.transcript(marked);
    assert_eq!(std::fs::read_to_string(file).unwrap().matches("<u>").count(), 10);

    // A job of another version fails with the reason instead of in the middle.
    let strange = bench.ask("strange", &sound, |job| {
        job.options.profile = Some(serde_json::json!({ "name": "imax" }));
    });
    let job = bench.ended(strange);
    assert_eq!(job.state, JobState::Failed);
    assert!(job.error.unwrap().contains("subtitle profile cannot be read"));
    bench.stop();
}
