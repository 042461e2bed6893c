//! `/asr` and `/detect-language` as Bazarr sees them. Knows no engine: a scripted worker stands for it.

mod http_fixture;

use http_fixture::client::{Reply, api, bazarr, bazarr_body, bazarr_head, connect, gunzip, plain};
use http_fixture::{Daemon, exists, pcm, transcript, until};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use transcriptord::http::NoSpeech;
use transcriptord::job::{JobId, JobKind, JobState, Options, Origin, Preset, Source, Task};
use transcriptord::language::Language;

const ASR: &str = "/asr?task=transcribe&language=en&output=srt&encode=false";
const DETECT: &str = "/detect-language?encode=false";
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
const NOTHING: [u8; 5] = [0, 0, 0, 0xFF, 0xFF];

fn job_id(reply: &Reply) -> JobId {
    reply.header("x-job-id").expect("the job's id").parse().unwrap()
}

fn state(daemon: &Daemon, id: JobId) -> JobState {
    daemon.queue.get(id).unwrap().expect("the job").state
}

#[test]
fn the_headers_leave_before_anybody_has_worked_on_the_job() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert_eq!(reply.header("x-accel-buffering"), Some("no"));
    assert_eq!(state(&daemon, job_id(&reply)), JobState::Queued);
}

#[test]
fn a_slow_models_folder_holds_nobody_else_up() {
    let (held, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (seen, closed) = (held.clone(), gate.clone());
    let daemon = Daemon::start_with(move |shared| {
        shared.settings.rank = Arc::new(move |_, _, _| {
            seen.fetch_add(1, Ordering::SeqCst);
            while !closed.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            1
        });
    });
    // More of them than threads that serve sockets.
    let waiting: Vec<_> = (1..=4)
        .map(|seed| {
            let mut stream = connect(daemon.addr);
            stream.write_all(&bazarr(ASR, &pcm(seed))).unwrap();
            stream
        })
        .collect();
    until("all to look at the models", || (held.load(Ordering::SeqCst) == 4).then_some(()));
    assert_eq!(Reply::to(daemon.addr, &api("GET", "/status", "")).status, 200);
    gate.store(true, Ordering::SeqCst);
    for stream in waiting {
        assert_eq!(Reply::head(stream).status, 200);
    }
}

#[test]
fn heartbeats_decode_to_nothing_and_the_subtitle_follows() {
    let daemon = Daemon::start();
    let mut reply = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    let mut body = reply.chunk().unwrap();
    assert_eq!(body, HEADER);
    for _ in 0..3 {
        let beat = reply.chunk().unwrap();
        assert_eq!(beat, NOTHING);
        body.extend(beat);
    }
    daemon.transcribe(&["Hello there."]);
    body.extend(reply.body());
    let srt = gunzip(&body);
    assert!(srt.starts_with("1\n00:00:00,000 --> "), "{srt:?}");
    assert!(srt.contains("Hello there."));
}

#[test]
fn the_job_is_what_the_query_asked_for() {
    let daemon = Daemon::start();
    let target = "/asr?task=translate&language=de&output=srt&encode=false&video_file=%2Ffilms%2FDas+Boot%2B.mkv\
                  &initial_prompt=Kaleun&word_timestamps=true";
    let audio = pcm(7);
    let id = job_id(&Reply::to(daemon.addr, &bazarr(target, &audio)));
    let job = daemon.queue.get(id).unwrap().unwrap();
    let hash = blake3::hash(&audio).to_hex().to_string();
    assert_eq!(std::fs::read(daemon.spool_dir.join(&hash)).unwrap(), audio);
    assert_eq!(job.source, Source::Spool { hash, raw: true });
    assert_eq!((job.kind, job.origin, job.task), (JobKind::Transcription, Origin::Provider, Task::Translate));
    assert_eq!(job.source_lang, Some("de".parse().unwrap()));
    assert_eq!(job.target_lang, Some(Language::ENGLISH));
    assert_eq!((job.preset, job.priority, job.rank), (Preset::Balanced, 10, 1));
    assert_eq!(job.home.as_deref(), Some("here"));
    assert_eq!(job.file_name, "Das Boot+.mkv");
    assert_eq!(job.options, Options { initial_prompt: Some("Kaleun".into()), ..Options::default() });
}

#[test]
fn audio_in_a_container_is_not_taken_for_samples() {
    let daemon = Daemon::start();
    let wav = [b"RIFF\x00\x00\x00\x00WAVEfmt ".as_slice(), &pcm(1)].concat();
    for (target, audio) in [(ASR, &wav), ("/asr?language=en", &pcm(2))] {
        let id = job_id(&Reply::to(daemon.addr, &bazarr(target, audio)));
        let source = daemon.queue.get(id).unwrap().unwrap().source;
        assert!(matches!(source, Source::Spool { raw: false, .. }), "{target}: {source:?}");
    }
}

#[test]
fn a_language_that_is_absent_or_auto_is_found_out() {
    let daemon = Daemon::start();
    for (seed, target) in [(1, "/asr"), (2, "/asr?language=auto"), (3, "/asr?language=")] {
        let id = job_id(&Reply::to(daemon.addr, &bazarr(target, &pcm(seed))));
        let job = daemon.queue.get(id).unwrap().unwrap();
        assert_eq!((job.source_lang, job.task), (None, Task::Transcribe), "{target}");
    }
}

#[test]
fn the_same_request_joins_the_running_job_and_later_gets_its_result_at_once() {
    let daemon = Daemon::start();
    let first = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    let second = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    let id = job_id(&first);
    assert_eq!(id, job_id(&second));
    daemon.transcribe(&["Once."]);
    let (first, second) = (first.decoded(), second.decoded());
    assert_eq!(first, second);
    let third = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    assert_eq!(job_id(&third), id);
    assert!(third.header("content-length").is_some(), "there is nothing to wait for");
    assert_eq!(third.text(), first);
    assert_eq!(daemon.queue.counts().unwrap().total, 1);
}

#[test]
fn another_task_is_another_job() {
    let daemon = Daemon::start();
    let transcribe = job_id(&Reply::to(daemon.addr, &bazarr(ASR, &pcm(1))));
    let translate = ASR.replace("transcribe", "translate");
    assert_ne!(transcribe, job_id(&Reply::to(daemon.addr, &bazarr(&translate, &pcm(1)))));
}

#[test]
fn a_failed_job_ends_as_an_empty_text() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    daemon.fail("it is not audio");
    assert_eq!(reply.decoded(), "");
    let again = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    assert_eq!((again.status, again.text().as_str()), (200, ""), "while it is not tried again");
}

#[test]
fn a_cancelled_job_ends_as_an_empty_text() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    daemon.queue.cancel(job_id(&reply)).unwrap();
    assert_eq!(reply.decoded(), "");
}

#[test]
fn no_speech_is_empty_or_blank_as_the_setting_says() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    daemon.transcribe(&[]);
    assert_eq!(reply.decoded(), "");
    assert_eq!(Reply::to(daemon.addr, &bazarr(ASR, &pcm(1))).text(), "");

    let daemon = Daemon::start_with(|shared| shared.settings.no_speech = NoSpeech::Blank);
    let reply = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    daemon.transcribe(&[]);
    assert_eq!(reply.decoded(), "\n");
}

#[test]
fn a_client_without_gzip_is_kept_alive_by_new_lines() {
    let daemon = Daemon::start();
    let mut reply = Reply::to(daemon.addr, &plain(ASR, &pcm(1)));
    assert_eq!(reply.header("content-encoding"), None);
    assert_eq!(reply.chunk().unwrap(), b"\n");
    assert_eq!(reply.chunk().unwrap(), b"\n");
    daemon.transcribe(&["Plain."]);
    let text = reply.text();
    assert!(text.trim_start_matches('\n').starts_with("1\n00:00:00,000 --> "), "{text:?}");
}

#[test]
fn without_gzip_a_failure_or_silence_ends_with_a_word_that_is_no_subtitle() {
    let daemon = Daemon::start();
    let mut failed = Reply::to(daemon.addr, &plain(ASR, &pcm(1)));
    assert_eq!(failed.chunk().unwrap(), b"\n");
    daemon.fail("it is not audio");
    assert_eq!(failed.text().trim(), "failed");
    let mut silent = Reply::to(daemon.addr, &plain(ASR, &pcm(2)));
    assert_eq!(silent.chunk().unwrap(), b"\n");
    daemon.transcribe(&[]);
    assert_eq!(silent.text().trim(), "no speech");
}

#[test]
fn a_stopping_server_ends_every_open_answer_and_keeps_the_job() {
    let daemon = Daemon::start();
    let gzip = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    let lines = Reply::to(daemon.addr, &plain(ASR, &pcm(1)));
    let spaces = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(1)));
    let id = job_id(&gzip);
    daemon.announce_stop();
    assert_eq!(gzip.decoded(), "");
    assert_eq!(lines.text().trim(), "stopped: ask again");
    assert_eq!(spaces.text().trim(), "");
    assert_eq!(state(&daemon, id), JobState::Queued);
}

#[test]
fn an_answer_is_held_no_longer_than_the_setting_says() {
    let daemon = Daemon::start_with(|shared| shared.settings.hold = Some(Duration::from_millis(50)));
    let reply = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    let id = job_id(&reply);
    assert_eq!(reply.decoded(), "");
    assert_eq!(state(&daemon, id), JobState::Queued);
}

#[test]
fn a_client_that_hangs_up_does_not_cancel_its_job() {
    let daemon = Daemon::start();
    let mut reply = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    let id = job_id(&reply);
    reply.chunk().unwrap();
    drop(reply);
    daemon.transcribe(&["For nobody."]);
    assert_eq!(state(&daemon, id), JobState::Completed);
    assert!(Reply::to(daemon.addr, &bazarr(ASR, &pcm(1))).text().contains("For nobody."));
}

#[test]
fn an_http_1_0_client_gets_the_same_bytes_without_chunks() {
    let daemon = Daemon::start();
    let old = String::from_utf8_lossy(&bazarr(ASR, b"samples!")).replace("HTTP/1.1", "HTTP/1.0");
    let reply = Reply::to(daemon.addr, old.replace("keep-alive", "close").as_bytes());
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("transfer-encoding"), None);
    assert_eq!(reply.header("content-length"), None);
    daemon.transcribe(&["Old."]);
    assert!(reply.decoded().contains("Old."));
    let finished = Reply::to(daemon.addr, old.as_bytes());
    assert!(finished.header("content-length").is_some());
    assert!(finished.text().contains("Old."));
}

#[test]
fn a_client_may_ask_for_the_job_instead_of_the_subtitle() {
    let daemon = Daemon::start();
    let prefer = String::from_utf8_lossy(&bazarr(ASR, b"samples!"))
        .replace("Accept: ", "Prefer: respond-async\r\nAccept: ");
    for (request, preferred) in [
        (bazarr(&format!("{ASR}&async=true"), b"samples!"), None),
        (prefer.into_bytes(), Some("respond-async")),
    ] {
        let reply = Reply::to(daemon.addr, &request);
        assert_eq!(reply.status, 202);
        let id = job_id(&reply);
        assert_eq!(reply.header("location"), Some(format!("/api/jobs/{id}").as_str()));
        assert_eq!(reply.header("retry-after"), Some("30"));
        assert_eq!(reply.header("preference-applied"), preferred);
        let job = reply.json();
        assert_eq!(
            (job["id"].as_str(), job["status"].as_str()),
            (Some(id.to_string().as_str()), Some("queued"))
        );
    }
    assert_eq!(Reply::to(daemon.addr, &bazarr(&format!("{DETECT}&async=true"), b"samples!")).status, 202);
    assert_eq!(daemon.queue.counts().unwrap().total, 2);
}

#[test]
fn other_formats_are_written_as_asked() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr("/asr?output=vtt", &pcm(1)));
    daemon.transcribe(&["Hello."]);
    assert!(reply.decoded().contains("Hello."));
    let json: serde_json::Value =
        serde_json::from_str(&Reply::to(daemon.addr, &bazarr("/asr?output=json", &pcm(1))).text()).unwrap();
    assert!(json.is_object());
    let text = Reply::to(daemon.addr, &bazarr("/asr?output=txt", &pcm(1))).text();
    assert_eq!(text.trim(), "Hello.");
    assert_eq!(daemon.queue.counts().unwrap().total, 1, "the format does not make another job");
}

#[test]
fn a_detection_is_kept_alive_by_spaces_and_answers_a_pair_that_bazarr_reads() {
    let daemon = Daemon::start();
    let mut reply = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(1)));
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!(reply.chunk().unwrap(), b" ");
    let job = daemon.detect(r#"{"language":"de","odds":[["de",0.98],["nl",0.01]]}"#);
    assert_eq!((job.origin, job.kind), (Origin::Provider, JobKind::LanguageDetection));
    let answer = reply.json();
    assert_eq!(answer["detected_language"], "german");
    assert_eq!(answer["language_code"], "de");
    assert_eq!(answer["confidence"], 0.98);
    let again = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(1)));
    assert!(again.header("content-length").is_some());
    assert_eq!(again.json(), answer);
}

#[test]
fn a_detection_that_fails_has_no_keys() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(1)));
    daemon.detect(r#"{"language":"xx","odds":[]}"#);
    assert_eq!(reply.text().trim(), "");
}

#[test]
fn the_upload_for_a_detection_is_the_upload_for_the_subtitle() {
    let daemon = Daemon::start();
    let _detect = Reply::to(daemon.addr, &bazarr(DETECT, &pcm(1)));
    let _asr = Reply::to(daemon.addr, &bazarr(ASR, &pcm(1)));
    assert_eq!(daemon.spooled().len(), 1);
    assert_eq!(daemon.queue.counts().unwrap().total, 2);
}

#[test]
fn a_slow_upload_is_waited_for() {
    let daemon = Daemon::start();
    let body = bazarr_body(&pcm(1));
    let mut stream = connect(daemon.addr);
    stream.write_all(bazarr_head(ASR, body.len()).as_bytes()).unwrap();
    let (first, rest) = body.split_at(1000);
    stream.write_all(first).unwrap();
    until("the upload to begin", || {
        daemon.spooled().iter().any(|n| n.starts_with(".partial-")).then_some(())
    });
    for bytes in rest.chunks(5000) {
        stream.write_all(bytes).unwrap();
    }
    let reply = Reply::head(stream);
    assert_eq!(reply.status, 200);
    let hash = blake3::hash(&pcm(1)).to_hex().to_string();
    assert!(exists(&daemon.spool_dir.join(hash)));
}

#[test]
fn many_requests_at_once_each_get_their_subtitle() {
    let daemon = Daemon::start();
    let addr = daemon.addr;
    let clients: Vec<_> = (0..24u8)
        .map(|seed| std::thread::spawn(move || Reply::to(addr, &bazarr(ASR, &pcm(seed))).decoded()))
        .collect();
    for _ in 0..24 {
        let (job, claim) = daemon.claim(JobKind::Transcription);
        let outcome = transcript(&[&format!("of {}", job.file_name)]);
        assert!(daemon.queue.finish(&claim, &outcome).unwrap());
    }
    for (client, seed) in clients.into_iter().zip(0..) {
        let hash = blake3::hash(&pcm(seed)).to_hex().to_string();
        let text = client.join().unwrap();
        assert!(text.contains(&format!("of upload {}", &hash[..8])), "{text:?}");
    }
}
