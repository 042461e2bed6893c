//! What is refused, and how: always after the whole body was read, always in a form that harms no client. Knows no
//! engine.

mod http_fixture;

use http_fixture::client::{Reply, api, bazarr, bazarr_body, bazarr_head, connect, multipart, part};
use http_fixture::{Daemon, pcm, until};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use transcriptord::spool::Spool;

const ASR: &str = "/asr?task=transcribe&language=en&output=srt&encode=false";
const DETECT: &str = "/detect-language?encode=false";

/// The request is refused with this status and a sentence that begins so; nothing is left behind.
fn check(daemon: &Daemon, request: &[u8], status: u16, sentence: &str) {
    let reply = Reply::to(daemon.addr, request);
    assert_eq!(reply.status, status, "{sentence}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let detail = reply.json()["detail"].as_str().expect("a detail").to_string();
    assert!(detail.starts_with(sentence), "{detail:?} does not begin with {sentence:?}");
    nothing_is_left(daemon);
}

fn nothing_is_left(daemon: &Daemon) {
    until("the spool to be empty", || daemon.spooled().is_empty().then_some(()));
    assert_eq!(daemon.queue.counts().unwrap().total, 0);
}

/// A request with Bazarr's head and this body.
fn with_body(target: &str, body: &[u8]) -> Vec<u8> {
    [bazarr_head(target, body.len()).into_bytes(), body.to_vec()].concat()
}

#[test]
fn an_unknown_value_is_refused_by_the_name_of_its_field() {
    let daemon = Daemon::start();
    let asr = |query: &str| bazarr(&format!("/asr?{query}"), &pcm(1));
    check(&daemon, &asr("task=summarize"), 422, "field task: unknown task 'summarize'");
    check(&daemon, &asr("language=klingon"), 422, "field language: unknown language 'klingon'");
    check(&daemon, &asr("output=docx"), 422, "field output: unknown ");
}

#[test]
fn a_body_without_audio_is_refused_by_the_name_of_the_part() {
    let daemon = Daemon::start();
    let other = multipart(&[part(r#"name="something""#, b"else")]);
    check(&daemon, &with_body(ASR, &other), 422, "field audio_file: the multipart body has no such part");
    check(&daemon, &with_body(ASR, &multipart(&[])), 422, "field audio_file: the multipart body");
    check(&daemon, &with_body(ASR, b""), 422, "field audio_file: the multipart body");
    check(&daemon, &with_body(ASR, b"no multipart at all"), 422, "field audio_file: the multipart body");
    let endless = vec![7; 1 << 20];
    check(&daemon, &with_body(ASR, &endless), 422, "field audio_file: the multipart body has no boundary");
    check(&daemon, &bazarr(ASR, b""), 422, "field audio_file: it is empty");
    check(&daemon, &api("POST", ASR, ""), 422, "field audio_file: it is empty");
    let body = bazarr_body(&pcm(1));
    let without_end = &body[..body.len() - 40];
    check(&daemon, &with_body(ASR, without_end), 422, "field audio_file: the multipart body ends before");
}

#[test]
fn the_part_called_audio_file_goes_before_other_files() {
    let daemon = Daemon::start();
    let other = part(r#"name="cover"; filename="cover.png""#, b"a picture");
    let field = part(r#"name="note""#, b"a note");
    let audio = part(r#"name="audio_file"; filename="talk.wav""#, b"the sound");
    let last = part(r#"name="more"; filename="more.wav""#, b"more sound");
    let reply = Reply::to(daemon.addr, &with_body(ASR, &multipart(&[field, other.clone(), audio, last])));
    assert_eq!(reply.status, 200);
    let hash = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
    assert_eq!(until_one(&daemon), hash(b"the sound"));
    let job = daemon.queue.list(None, 1, 10).unwrap().0.remove(0);
    assert_eq!(job.file_name, "talk.wav");

    let daemon = Daemon::start();
    assert_eq!(Reply::to(daemon.addr, &with_body(ASR, &multipart(&[other]))).status, 200);
    assert_eq!(until_one(&daemon), hash(b"a picture"), "the first file, where no part has the name");
}

fn until_one(daemon: &Daemon) -> String {
    until("one upload", || <[String; 1]>::try_from(daemon.spooled()).ok()).into_iter().next().unwrap()
}

#[test]
fn a_body_that_is_no_multipart_is_the_audio_itself() {
    let daemon = Daemon::start();
    let audio = pcm(3);
    let head = format!("POST {ASR} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", audio.len());
    assert_eq!(Reply::to(daemon.addr, &[head.into_bytes(), audio.clone()].concat()).status, 200);
    assert_eq!(daemon.spooled(), [blake3::hash(&audio).to_hex().to_string()]);
}

#[test]
fn too_large_a_body_is_read_to_its_end_and_then_refused() {
    let daemon = Daemon::start_with(|shared| shared.settings.max_upload_bytes = 1 << 20);
    check(&daemon, &bazarr(ASR, &vec![7; 3 << 20]), 413, "the body is larger than the 1 MB allowed");
    let whole =
        [b"POST /asr HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n".to_vec(), vec![7; 3 << 20]];
    check(&daemon, &whole.concat(), 413, "the body is larger than the 1 MB allowed");
}

#[test]
fn a_refused_connection_can_be_used_again() {
    let daemon = Daemon::start();
    let mut stream = connect(daemon.addr);
    for _ in 0..2 {
        stream.write_all(&bazarr("/asr?task=dance", &vec![7; 2 << 20])).unwrap();
        let reply = Reply::head(stream.try_clone().unwrap());
        assert_eq!(reply.status, 422);
        reply.json();
    }
}

#[test]
fn an_upload_that_is_cut_off_leaves_nothing_behind() {
    let daemon = Daemon::start();
    let request = bazarr(ASR, &pcm(1));
    let mut stream = connect(daemon.addr);
    stream.write_all(&request[..request.len() / 2]).unwrap();
    until("the upload to begin", || (!daemon.spooled().is_empty()).then_some(()));
    drop(stream);
    nothing_is_left(&daemon);

    let mut stream = connect(daemon.addr);
    stream.write_all(&request[..request.len() / 2]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    nothing_is_left(&daemon);
}

#[test]
fn a_spool_that_cannot_be_written_is_told_after_the_whole_body() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    let spool = Arc::new(Spool::open(&gone).unwrap());
    std::fs::remove_dir(&gone).unwrap();
    let daemon = Daemon::start_with(|shared| shared.spool = spool);
    check(&daemon, &bazarr(ASR, &vec![7; 3 << 20]), 500, "cannot create ");
    let silent = Reply::to(daemon.addr, &bazarr(DETECT, &vec![7; 3 << 20]));
    assert_eq!((silent.status, silent.text().as_str()), (500, ""));
}

#[test]
fn a_refused_detection_has_an_empty_body_and_its_reason_in_a_header() {
    let daemon = Daemon::start();
    let reply = Reply::to(daemon.addr, &bazarr(DETECT, b""));
    assert_eq!(reply.status, 422);
    assert!(reply.header("x-detail").unwrap().starts_with("field audio_file: it is empty"));
    assert_eq!(reply.text(), "");
    nothing_is_left(&daemon);
}

#[test]
fn an_unknown_endpoint_or_method_has_the_shape_of_every_error() {
    let daemon = Daemon::start();
    check(&daemon, &api("GET", "/api/nothing", ""), 404, "there is no endpoint GET /api/nothing");
    check(&daemon, &bazarr("/asr/more", &vec![7; 2 << 20]), 404, "there is no endpoint POST /asr/more");
    check(&daemon, &api("GET", "/asr", ""), 405, "/asr cannot be called with GET");
    check(&daemon, &api("PUT", "/api/jobs", "{}"), 405, "/api/jobs cannot be called with PUT");
}

#[test]
fn a_client_that_asks_first_or_sends_chunks_is_served_too() {
    let daemon = Daemon::start();
    let audio = pcm(4);
    let mut stream = connect(daemon.addr);
    let head = "POST /asr HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    for chunk in audio.chunks(1000) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).unwrap();
        stream.write_all(chunk).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(Reply::head(stream).status, 200);
    assert_eq!(daemon.spooled(), [blake3::hash(&audio).to_hex().to_string()]);
}
