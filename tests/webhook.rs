//! What a receiver of job ends gets, on a bare socket. Knows no engine.

mod http_fixture;

use http_fixture::client::{Reply, bazarr};
use http_fixture::{Daemon, PATIENCE, pcm, until};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use transcriptord::http::callback::{Receiver, start};

const ASR: &str = "/asr?task=transcribe&language=en&output=srt&encode=false";

/// Where messages arrive.
struct Post(TcpListener);

/// One message; its sender waits for the answer.
struct Message {
    stream: TcpStream,
    line: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Post {
    fn open() -> Post {
        Post(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn receiver(&self) -> Receiver {
        Receiver {
            url: format!("http://{}/hook", self.0.local_addr().unwrap()),
            secret: Some("a secret".into()),
            provider_jobs: true,
            pauses: vec![Duration::from_millis(1); 3],
        }
    }

    fn next(&self) -> Message {
        self.0.set_nonblocking(true).unwrap();
        let (stream, _) = until("a message", || self.0.accept().ok());
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let mut headers = HashMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_string());
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        Message { stream, line: line.trim_end().to_string(), headers, body }
    }

    /// Nobody has called.
    fn is_empty(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.accept().is_err()
    }
}

impl Message {
    fn answer(mut self, status: &str) {
        write!(self.stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn ask(daemon: &Daemon, seed: u8) -> Reply {
    Reply::to(daemon.addr, &bazarr(ASR, &pcm(seed)))
}

#[test]
fn each_end_of_a_job_is_told_once_with_its_signature() {
    let (daemon, post) = (Daemon::start(), Post::open());
    start(daemon.queue.clone(), post.receiver()).unwrap();
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
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"a secret");
    let hex = message.headers["x-transcriptord-signature"].strip_prefix("sha256=").unwrap();
    let tag: Vec<u8> =
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
    ring::hmac::verify(&key, &message.body, &tag).unwrap();
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
    let (daemon, post) = (Daemon::start(), Post::open());
    start(daemon.queue.clone(), post.receiver()).unwrap();
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
    let (daemon, post) = (Daemon::start(), Post::open());
    start(daemon.queue.clone(), post.receiver()).unwrap();
    ask(&daemon, 1);
    daemon.transcribe(&["Hello."]);
    let first = post.next();
    let (body, delivery) = (first.body.clone(), first.headers["x-transcriptord-delivery"].clone());
    first.answer("500 Internal Server Error");
    // Hangs up without an answer.
    assert_eq!(post.next().body, body);
    post.next().answer("302 Found");
    let last = post.next();
    assert_eq!((&last.body, &last.headers["x-transcriptord-delivery"]), (&body, &delivery));
    last.answer("503 Service Unavailable");
    ask(&daemon, 2);
    let next = daemon.transcribe(&["Goes on."]);
    let message = post.next();
    assert_eq!(message.json()["job"]["id"], next.id.to_string(), "the first was given up after four tries");
    message.answer("200 OK");
}

#[test]
fn a_slow_receiver_holds_nothing_up() {
    let (daemon, post) = (Daemon::start(), Post::open());
    start(daemon.queue.clone(), post.receiver()).unwrap();
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
    let (daemon, post) = (Daemon::start(), Post::open());
    start(daemon.queue.clone(), Receiver { provider_jobs: false, ..post.receiver() }).unwrap();
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
