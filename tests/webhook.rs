//! What a receiver of job ends gets, on a bare socket. Knows no engine.

mod http_fixture;
mod post;

use http_fixture::client::{Reply, bazarr};
use http_fixture::{Daemon, PATIENCE, pcm, until};
use post::Post;
use std::time::Duration;
use transcriptord::http::callback::{Receiver, start, words};
use transcriptord::queue::Told;

const ASR: &str = "/asr?task=transcribe&language=en&output=srt&encode=false";

/// A daemon that tells these ends.
fn telling(told: Told) -> (Daemon, Post) {
    let daemon = Daemon::start_with(|shared| shared.queue = shared.queue.clone().telling(told, words));
    (daemon, Post::open())
}

fn tell(daemon: &Daemon, post: &Post) {
    let pauses = vec![Duration::from_millis(1); 3];
    start(daemon.queue.clone(), Receiver { url: post.url(), secret: Some("a secret".into()), pauses })
        .unwrap();
}

fn ask(daemon: &Daemon, seed: u8) -> Reply {
    Reply::to(daemon.addr, &bazarr(ASR, &pcm(seed)))
}

#[test]
fn each_end_of_a_job_is_told_once_with_its_signature() {
    let (daemon, post) = telling(Told::All);
    tell(&daemon, &post);
    let reply = ask(&daemon, 1);
    let job = daemon.transcribe(&["Hello."]);
    let message = post.next();
    assert_eq!(message.line, "POST /hook HTTP/1.1");
    assert_eq!(message.headers["content-type"], "application/json");
    assert_eq!(message.headers["x-transcriptord-event"], "job.completed");
    let told = message.json();
    assert_eq!(
        (told["event"].as_str(), told["job"]["id"].as_str()),
        (Some("job.completed"), Some(job.id.to_string().as_str()))
    );
    assert_eq!(told["job"]["status"], "completed");
    message.verify("a secret");
    message.answer("204 No Content");
    reply.body();

    ask(&daemon, 2);
    daemon.fail("it is not audio");
    let message = post.next();
    assert_eq!(
        (&message.json()["event"], &message.json()["job"]["error"]),
        (&"job.failed".into(), &"it is not audio".into())
    );
    message.answer("200 OK");

    let id = ask(&daemon, 3).header("x-job-id").unwrap().parse().unwrap();
    daemon.queue.cancel(id).unwrap();
    let message = post.next();
    assert_eq!(message.json()["event"], "job.cancelled", "and nothing was told twice between");
    message.answer("200 OK");
}

#[test]
fn a_second_notice_of_the_same_end_tells_nobody() {
    let (daemon, post) = telling(Told::All);
    tell(&daemon, &post);
    ask(&daemon, 1);
    let job = daemon.transcribe(&["Once."]);
    for _ in 0..5 {
        daemon.queue.announce(transcriptord::queue::Notice::Changed(job.id));
    }
    post.next().answer("200 OK");
    ask(&daemon, 2);
    let other = daemon.transcribe(&["Another."]);
    let message = post.next();
    assert_eq!(message.json()["job"]["id"], other.id.to_string());
    message.answer("200 OK");
    assert!(post.is_empty());
}

#[test]
fn a_receiver_that_fails_is_tried_again_with_the_same_message_then_given_up() {
    let (daemon, post) = telling(Told::All);
    tell(&daemon, &post);
    ask(&daemon, 1);
    daemon.transcribe(&["Hello."]);
    let first = post.next();
    let (body, delivery) = (first.body.clone(), first.delivery());
    first.answer("500 Internal Server Error");
    // Hangs up without an answer.
    assert_eq!(post.next().body, body);
    post.next().answer("302 Found");
    let last = post.next();
    assert_eq!((&last.body, last.delivery()), (&body, delivery));
    last.answer("503 Service Unavailable");
    ask(&daemon, 2);
    let next = daemon.transcribe(&["Goes on."]);
    let message = post.next();
    assert_eq!(message.json()["job"]["id"], next.id.to_string(), "the first was given up after four tries");
    message.answer("200 OK");
}

#[test]
fn a_slow_receiver_holds_nothing_up() {
    let (daemon, post) = telling(Told::All);
    tell(&daemon, &post);
    ask(&daemon, 1);
    daemon.transcribe(&["One."]);
    let slow = post.next();
    let reply = ask(&daemon, 2);
    let two = daemon.transcribe(&["Two."]);
    assert!(reply.decoded().contains("Two."), "subtitles go on");
    let message = post.next();
    assert_eq!(message.json()["job"]["id"], two.id.to_string(), "so do messages");
    message.answer("200 OK");
    slow.answer("200 OK");
}

#[test]
fn provider_jobs_are_left_out_when_the_setting_says_so() {
    let (daemon, post) = telling(Told::Own);
    tell(&daemon, &post);
    ask(&daemon, 1);
    daemon.transcribe(&["For Bazarr."]);
    let body = serde_json::json!({"file_path": daemon.media("a.mkv"), "target_lang": "en"}).to_string();
    let request = http_fixture::client::api("POST", "/api/jobs", &body);
    let id = Reply::to(daemon.addr, &request).json()["id"].clone();
    daemon.transcribe(&["For a person."]);
    let message = post.next();
    assert_eq!(message.json()["job"]["id"], id);
    message.answer("200 OK");
}

#[test]
fn ends_from_before_the_sender_began_are_told_too_and_outlive_their_jobs() {
    let (daemon, post) = telling(Told::All);
    ask(&daemon, 1);
    let first = daemon.transcribe(&["Before."]).id;
    assert_eq!(daemon.queue.clear_completed().unwrap(), 1);
    tell(&daemon, &post);
    let message = post.next();
    assert_eq!(message.json()["job"]["id"], first.to_string());
    message.answer("200 OK");
    until("the message to be forgotten", || daemon.queue.next_delivery_in().unwrap().is_none().then_some(()));
}

#[test]
fn with_no_receiver_nothing_is_kept_for_one() {
    let daemon = Daemon::start();
    ask(&daemon, 1);
    daemon.transcribe(&["For nobody."]);
    assert_eq!(daemon.queue.next_delivery_in().unwrap(), None);
}
