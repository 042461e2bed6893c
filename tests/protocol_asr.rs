//! What becomes of a download in Bazarr, in each situation that the daemon can be in: saved, or asked for again, and
//! never a throttle, a blank file or an error that is saved as a subtitle. Knows no engine.

mod bazarr;
mod http_fixture;

use bazarr::{Bazarr, Outcome, asr};
use http_fixture::client::{Reply, api};
use http_fixture::{Daemon, PATIENCE, pcm, until};
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use transcriptord::http::{NoSpeech, Required};
use transcriptord::job::{JobId, JobState};
use transcriptord::spool::Spool;

/// The ways that requests reach the daemon.
fn clients(daemon: &Daemon) -> [(&'static str, Bazarr); 4] {
    let bazarr = || Bazarr::at(daemon.addr, PATIENCE);
    [
        ("plain Bazarr", bazarr()),
        ("without gzip", bazarr().without_gzip()),
        ("HTTP/1.0", bazarr().behind_http_1_0()),
        ("HTTP/1.0 without gzip", bazarr().without_gzip().behind_http_1_0()),
    ]
}

fn english() -> String {
    asr("transcribe", "en", None)
}

/// What every client sees when `happens` to the job while the answer is held, and when it asks the same again.
fn held(daemon: &Daemon, happens: impl Fn(&Daemon, JobId), expected: &Outcome, again: &Outcome) {
    for ((who, mut bazarr), seed) in clients(daemon).into_iter().zip(1..) {
        let mut answer = bazarr.post(&english(), &pcm(seed)).unwrap();
        assert_eq!(answer.status, 200, "{who}: no interim response");
        if answer.header("transfer-encoding").is_some() {
            answer.beats(3);
        }
        happens(daemon, answer.job().parse().unwrap());
        assert_eq!(&bazarr.end(answer).trimmed(), expected, "{who}");
        assert_eq!(&bazarr.download(&english(), &pcm(seed)).trimmed(), again, "{who}, asked again");
        assert_eq!(bazarr.uploads, 2, "{who}");
    }
}

trait Trimmed {
    /// New lines before the text are no harm.
    fn trimmed(self) -> Outcome;
}

impl Trimmed for Outcome {
    fn trimmed(self) -> Outcome {
        match self {
            Outcome::Saved(text) => Outcome::Saved(text.trim_start_matches('\n').into()),
            other => other,
        }
    }
}

#[test]
fn a_finished_job_is_saved_with_all_its_text() {
    let daemon = Daemon::start();
    let text = "1\n00:00:00,000 --> 00:00:01,500\nGrüße.\n\n2\n00:00:02,000 --> 00:00:03,500\nHello.\n\n";
    let saved = Outcome::Saved(text.into());
    held(&daemon, |daemon, _| drop(daemon.transcribe(&["Grüße.", "Hello."])), &saved, &saved);
}

#[test]
fn a_job_that_fails_for_good_saves_and_throttles_nothing() {
    let daemon = Daemon::start();
    held(&daemon, |daemon, _| drop(daemon.fail("not audio")), &Outcome::Nothing, &Outcome::Nothing);
}

#[test]
fn a_cancelled_or_deleted_job_saves_and_throttles_nothing() {
    let daemon = Daemon::start();
    for happens in ["POST /cancel", "DELETE "] {
        let (method, rest) = happens.split_once(' ').unwrap();
        for ((who, mut bazarr), seed) in clients(&daemon).into_iter().zip(1..) {
            let answer = bazarr.post(&english(), &pcm(seed)).unwrap();
            let target = format!("/api/jobs/{}{rest}", answer.job());
            assert!(Reply::to(daemon.addr, &api(method, &target, "")).status < 300, "{target}");
            assert_eq!(bazarr.end(answer), Outcome::Nothing, "{happens} {who}");
        }
    }
}

#[test]
fn speech_that_is_not_there_saves_nothing_unless_a_blank_file_is_wanted() {
    let silent = |daemon: &Daemon, _: JobId| drop(daemon.transcribe(&[]));
    held(&Daemon::start(), silent, &Outcome::Nothing, &Outcome::Nothing);
    // Cues that hold no letter are no text either.
    let marks = |daemon: &Daemon, _: JobId| drop(daemon.transcribe(&["", " \t"]));
    held(&Daemon::start(), marks, &Outcome::Nothing, &Outcome::Nothing);
    let wanted = Daemon::start_with(|shared| shared.settings.no_speech = NoSpeech::Blank);
    held(&wanted, silent, &Outcome::Blank, &Outcome::Blank);
}

#[test]
fn a_stop_ends_every_answer_whole_and_keeps_every_job() {
    let daemon = Daemon::start();
    let mut open = Vec::new();
    for ((who, mut bazarr), seed) in clients(&daemon).into_iter().zip(1..) {
        let answer = bazarr.post(&english(), &pcm(seed)).unwrap();
        open.push((who, bazarr, answer));
    }
    // One more is in the middle of its upload.
    let (head, body) = ("POST /asr HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n", pcm(9));
    let mut late = TcpStream::connect(daemon.addr).unwrap();
    late.write_all(format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes()).unwrap();
    late.write_all(&body[..1000]).unwrap();
    until("the upload to begin", || {
        daemon.spooled().iter().any(|n| n.starts_with(".partial-")).then_some(())
    });
    daemon.announce_stop();
    for (who, mut bazarr, answer) in open {
        let id: JobId = answer.job().parse().unwrap();
        assert_eq!(bazarr.end(answer), Outcome::Nothing, "{who}");
        assert_eq!(daemon.queue.get(id).unwrap().unwrap().state, JobState::Queued, "{who}");
    }
    late.write_all(&body[1000..]).unwrap();
    let late = Reply::head(late);
    assert_eq!((late.status, late.header("connection")), (200, Some("close")));
    assert_eq!(late.decoded(), "");
    assert_eq!(daemon.queue.counts().unwrap().queued, 5);
}

/// Bazarr sends it once, saves nothing, throttles nothing.
fn harmless(daemon: &Daemon, what: &str, target: &str, audio: &[u8], status: u16) {
    for (who, mut bazarr) in clients(daemon) {
        let answer = bazarr.post(target, audio).unwrap();
        assert_eq!(answer.status, status, "{what}, {who}");
        assert_eq!(bazarr.end(answer), Outcome::Nothing, "{what}, {who}");
    }
}

#[test]
fn every_refusal_is_harmless() {
    // More than the buffers of two sockets: it is read to its end, or the client notices.
    let large = vec![7; 16 << 20];
    let daemon = Daemon::start();
    for query in ["task=dance&language=en", "task=transcribe&language=xx", "output=pdf"] {
        harmless(&daemon, query, &format!("/asr?{query}"), &large, 422);
    }
    harmless(&daemon, "no sound", &english(), b"", 422);
    harmless(&daemon, "another path", "/some/where/asr", &large, 404);
    harmless(&daemon, "another endpoint", "/status", &large, 405);
    assert_eq!(daemon.queue.counts().unwrap().total, 0);

    let small = Daemon::start_with(|shared| shared.settings.max_upload_bytes = 1 << 20);
    harmless(&small, "too large", &english(), &large, 413);
    let busy = Daemon::start_with(|shared| shared.settings.max_uploads = 0);
    harmless(&busy, "one too many", &english(), &large, 503);
    let locked = Daemon::start_with(|shared| shared.settings.access.required = Required::Always);
    harmless(&locked, "without a key", &english(), &large, 401);

    let dir = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(&dir.path().join("gone")).unwrap());
    std::fs::remove_dir(dir.path().join("gone")).unwrap();
    let lost = Daemon::start_with(|shared| shared.spool = spool);
    harmless(&lost, "a spool that is gone", &english(), &large, 500);
}

#[test]
fn a_held_answer_leaves_its_connection_for_the_next_request() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    for seed in 1..=3 {
        let mut answer = bazarr.post(&english(), &pcm(seed)).unwrap();
        answer.beats(2);
        daemon.transcribe(&["Hello."]);
        assert!(matches!(bazarr.end(answer), Outcome::Saved(_)));
    }
    assert!(matches!(bazarr.download(&english(), &pcm(1)), Outcome::Saved(_)), "from the store");
    assert_eq!(bazarr.connections(), 1);
}

#[test]
fn nine_uploads_of_the_same_sound_are_one_job_and_one_file() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let mut ids: Vec<String> = (0..9)
        .map(|_| {
            let mut answer = bazarr.post(&english(), &pcm(1)).unwrap();
            answer.beats(1);
            // It hangs up and sends the same again, under another boundary.
            answer.job()
        })
        .collect();
    ids.dedup();
    assert_eq!((ids.len(), daemon.queue.counts().unwrap().total), (1, 1));
    assert_eq!(daemon.spooled(), [blake3::hash(&pcm(1)).to_hex().to_string()]);
    daemon.transcribe(&["Once."]);
    assert!(matches!(bazarr.download(&english(), &pcm(1)), Outcome::Saved(text) if text.contains("Once.")));
}

#[test]
fn a_client_with_a_deadline_of_its_own_finds_the_result_later() {
    let daemon = Daemon::start();
    let mut bazarr = Bazarr::at(daemon.addr, PATIENCE);
    let mut answer = bazarr.post(&english(), &pcm(1)).unwrap();
    answer.beats(2);
    let id = answer.job();
    drop(answer);
    daemon.transcribe(&["While nobody listened."]);
    let stored = bazarr.post(&english(), &pcm(1)).unwrap();
    assert_eq!(stored.job(), id);
    assert!(stored.header("content-length").is_some(), "nothing to wait for");
    assert!(matches!(bazarr.end(stored), Outcome::Saved(text) if text.contains("While nobody")));
}

#[test]
fn head_makes_no_job() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &api("HEAD", &english(), ""));
    assert_eq!(reply.status, 405);
    assert_eq!(daemon.queue.counts().unwrap().total, 0);
}
