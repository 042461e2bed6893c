//! Who is let in over a real socket: keys, proxies, web pages, and HEAD. Knows no engine.

mod http_fixture;

use http_fixture::client::{Reply, bazarr, bazarr_body, bazarr_head, connect};
use http_fixture::{Daemon, pcm};
use std::io::{Read, Write};
use transcriptord::http::Required;

const KEY: &str = "5d1c0a9be7d04c5f8a6b2d1e9c7f4a30";
const QUERY: &str = "task=transcribe&language=en&output=srt&encode=false";

/// A daemon that treats the test as a stranger unless it shows the key.
fn locked() -> Daemon {
    Daemon::start_with(|shared| {
        shared.settings.access.key = KEY.into();
        shared.settings.access.required = Required::Always;
    })
}

/// The default: loopback needs no key.
fn open() -> Daemon {
    Daemon::start_with(|shared| shared.settings.access.key = KEY.into())
}

fn ask(method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nContent-Length: 0\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += "Host: 127.0.0.1:9000\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n").into_bytes()
}

fn status(daemon: &Daemon, method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
    let reply = Reply::to(daemon.addr, &ask(method, target, headers));
    let status = reply.status;
    if method != "HEAD" {
        reply.body();
    }
    status
}

#[test]
fn the_key_comes_as_a_header_or_in_the_query() {
    let daemon = locked();
    assert_eq!(status(&daemon, "GET", "/api/jobs", &[]), 401);
    assert_eq!(status(&daemon, "GET", "/api/jobs", &[("X-Api-Key", "wrong")]), 401);
    assert_eq!(status(&daemon, "GET", "/api/jobs", &[("X-Api-Key", KEY)]), 200);
    assert_eq!(status(&daemon, "GET", &format!("/api/jobs?page=1&apikey={KEY}"), &[]), 200);
    assert_eq!(status(&daemon, "POST", "/api/queue/pause", &[]), 401);
    assert!(!daemon.queue.paused().unwrap());
    assert_eq!(status(&daemon, "GET", &format!("/{KEY}/api/jobs"), &[]), 401, "only where Bazarr keeps it");
}

#[test]
fn a_refusal_says_what_to_do_and_names_no_key() {
    let daemon = locked();
    let reply = Reply::to(daemon.addr, &ask("GET", "/api/jobs?apikey=nearly-the-key", &[]));
    assert_eq!(reply.header("www-authenticate"), Some("ApiKey realm=\"transcriptord\""));
    let detail = reply.json()["detail"].as_str().unwrap().to_string();
    assert!(detail.contains("X-Api-Key") && detail.contains("transcriptord key"), "{detail}");
    assert!(!detail.contains(KEY) && !detail.contains("nearly"), "{detail}");
}

#[test]
fn status_and_health_need_no_key_anywhere() {
    let daemon = locked();
    for target in ["/status", "/health", "/anything/status", &format!("/{KEY}/status"), "/status/"] {
        assert_eq!(status(&daemon, "GET", target, &[]), 200, "{target}");
    }
    let version = Reply::to(daemon.addr, &ask("GET", "/wrong-key/status", &[])).json();
    assert!(version["version"].is_string());
    assert_eq!(status(&daemon, "GET", "/api/status", &[]), 401, "that one tells more");
}

#[test]
fn bazarr_carries_the_key_in_the_path() {
    let daemon = locked();
    let reply = Reply::to(daemon.addr, &bazarr(&format!("/{KEY}/asr?{QUERY}"), &pcm(1)));
    assert_eq!(reply.status, 200);
    assert!(reply.header("x-job-id").is_some());
    daemon.transcribe(&["Let in."]);
    assert!(reply.decoded().contains("Let in."));
    let reply = Reply::to(daemon.addr, &bazarr(&format!("/{KEY}/detect-language?encode=false"), &pcm(1)));
    assert_eq!(reply.status, 200);
    daemon.detect(r#"{"language":"de","odds":[["de",0.98]]}"#);
    assert_eq!(reply.json()["language_code"], "de");
}

#[test]
fn a_key_in_the_path_does_no_harm_where_none_is_needed() {
    let daemon = open();
    let reply = Reply::to(daemon.addr, &bazarr(&format!("/an-old-key/asr?{QUERY}"), &pcm(1)));
    assert_eq!(reply.status, 200);
}

#[test]
fn an_upload_with_a_wrong_key_is_read_to_its_end_and_leaves_nothing() {
    let daemon = locked();
    let body = bazarr_body(&vec![7; 3 << 20]);
    let mut stream = connect(daemon.addr);
    stream.write_all(bazarr_head(&format!("/wrong/asr?{QUERY}"), body.len()).as_bytes()).unwrap();
    // All of it can be written, however early the refusal was clear.
    stream.write_all(&body).unwrap();
    let again = stream.try_clone().unwrap();
    let reply = Reply::head(stream);
    assert_eq!((reply.status, reply.header("content-type")), (401, Some("application/json")));
    assert!(reply.json()["detail"].is_string());
    let mut stream = again;
    stream.write_all(&ask("GET", "/status", &[])).unwrap();
    assert_eq!(Reply::head(stream).status, 200, "the connection goes on");
    assert!(daemon.spooled().is_empty());
    assert_eq!(daemon.queue.counts().unwrap().total, 0);
}

#[test]
fn a_detection_with_a_wrong_key_has_no_keys_in_its_body() {
    let daemon = locked();
    let reply = Reply::to(daemon.addr, &bazarr("/wrong/detect-language?encode=false", &pcm(1)));
    assert_eq!(reply.status, 401);
    assert!(reply.header("x-detail").unwrap().starts_with("the API key is missing or wrong"));
    assert_eq!(reply.text(), "");
}

#[test]
fn a_proxy_counts_as_a_stranger_until_it_is_listed() {
    let from = |who: &'static str| [("X-Forwarded-For", who)];
    let daemon = open();
    assert_eq!(status(&daemon, "GET", "/api/jobs", &[]), 200);
    assert_eq!(status(&daemon, "GET", "/api/jobs", &from("203.0.113.9")), 401);
    assert_eq!(status(&daemon, "GET", "/api/jobs", &from("127.0.0.1")), 401, "anyone can write that");
    let daemon = Daemon::start_with(|shared| {
        shared.settings.access.key = KEY.into();
        shared.settings.access.proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    assert_eq!(status(&daemon, "GET", "/api/jobs", &from("203.0.113.9")), 401);
    assert_eq!(status(&daemon, "GET", "/api/jobs", &from("127.0.0.1, 203.0.113.9")), 401);
    assert_eq!(status(&daemon, "GET", "/api/jobs", &from("127.0.0.2")), 200);
}

#[test]
fn a_web_page_elsewhere_cannot_post_to_a_daemon_on_loopback() {
    let daemon = open();
    let pause = |headers: &[(&str, &str)]| status(&daemon, "POST", "/api/queue/pause", headers);
    assert_eq!(pause(&[("Origin", "https://evil.example")]), 403);
    assert_eq!(pause(&[("Origin", "null")]), 403);
    assert_eq!(pause(&[("Sec-Fetch-Site", "cross-site")]), 403);
    assert!(!daemon.queue.paused().unwrap());
    assert_eq!(pause(&[("Origin", "http://127.0.0.1:9000")]), 200, "our own page");
    assert_eq!(pause(&[("Origin", "https://evil.example"), ("X-Api-Key", KEY)]), 200);
    let mut upload = String::from_utf8_lossy(&bazarr(&format!("/asr?{QUERY}"), b"samples!")).into_owned();
    upload = upload.replace("Accept: ", "Origin: https://evil.example\r\nAccept: ");
    assert_eq!(Reply::to(daemon.addr, upload.as_bytes()).status, 403);
}

#[test]
fn a_name_bound_to_loopback_by_someone_else_reads_nothing() {
    let daemon = open();
    let read = |host| status(&daemon, "GET", "/api/jobs", &[("Host", host)]);
    assert_eq!(read("rebound.evil.example:9000"), 401);
    for own in
        ["localhost:9000", "127.0.0.1:9000", "[::1]:9000", "host.docker.internal:9000", "transcriptord"]
    {
        assert_eq!(read(own), 200, "{own}");
    }
}

#[test]
fn head_answers_as_get_without_the_body() {
    let daemon = open();
    for target in ["/status", "/health", "/api/jobs", "/api/jobs/stats", "/openapi.json", "/nothing", "/"] {
        let get = Reply::to(daemon.addr, &ask("GET", target, &[]));
        let mut stream = connect(daemon.addr);
        stream.write_all(&ask("HEAD", target, &[("Connection", "close")])).unwrap();
        let mut rest = stream.try_clone().unwrap();
        let head = Reply::head(stream);
        assert_eq!(head.status, get.status, "{target}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{target}");
        let mut body = Vec::new();
        rest.read_to_end(&mut body).unwrap();
        assert!(body.is_empty(), "{target}");
    }
    let get = Reply::to(daemon.addr, &ask("GET", "/status", &[]));
    let head = Reply::to(daemon.addr, &ask("HEAD", "/status", &[]));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(status(&locked(), "HEAD", "/api/jobs", &[]), 401);
}
