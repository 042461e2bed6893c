//! The Bazarr that other tests ask with does what was measured of the real one (bazarr-protocol.md, sections 3 and 4):
//! each harmful answer is seen as harmful. Knows nothing of the daemon.

mod bazarr;

use bazarr::reading::{Detection, detection};
use bazarr::{Bazarr, Outcome, Throttle, asr};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Long enough for a server of the same program to answer, short enough to wait for where it never does.
const PATIENCE: Duration = Duration::from_millis(500);
const SRT: &str = "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n";

/// What a scripted server does with a connection.
#[derive(Clone, Copy)]
enum Then {
    Close,
    /// Nothing more, and the connection stays open.
    Silence,
    /// It does not even read.
    Deaf,
}

fn read_request(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(told) = line.strip_prefix("Content-Length: ") {
            length = told.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
}

fn server(answer: Vec<u8>, then: Then) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            if !matches!(then, Then::Deaf) {
                read_request(&stream);
                stream.write_all(&answer).unwrap();
            }
            if !matches!(then, Then::Close) {
                held.push(stream);
            }
        }
    });
    at
}

fn met(answer: &[u8], then: Then, pcm: usize) -> (Outcome, usize) {
    let mut bazarr = Bazarr::at(server(answer.to_vec(), then), PATIENCE);
    let outcome = bazarr.download(&asr("transcribe", "en", None), &vec![0; pcm]);
    (outcome, bazarr.uploads)
}

fn whole(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A body that came whole, with any status.
fn check(body: &str, expected: Outcome) {
    for status in ["200 OK", "202 Accepted", "404 Not Found", "500 Internal Server Error"] {
        let seen = met(&whole(status, body), Then::Close, 1000);
        assert_eq!(seen, (expected.clone(), 1), "{status} {body:?}");
    }
}

#[test]
fn a_whole_body_counts_whatever_its_status() {
    let saved = |text: &str| Outcome::Saved(text.into());
    check(SRT, saved(SRT));
    check("", Outcome::Nothing);
    check(r#"{"detail":"why"}"#, Outcome::Nothing);
    check("Internal Server Error", Outcome::Nothing);
    check("<html>\n<p>Bad Gateway</p>\n</html>", Outcome::Nothing);
    check("\n\n", Outcome::Blank);
    check("   ", Outcome::Blank);
    let error = "1\n00:00:00,000 --> 00:00:05,000\nTranscription failed\n\n";
    check(error, saved(error));
    check(&format!("\u{feff}{SRT}"), saved(SRT));
    check(&format!("\n\n{SRT}"), saved(&format!("\n\n{SRT}")));
    assert_eq!(met(b"HTTP/1.1 204 No Content\r\n\r\n", Then::Close, 1000), (Outcome::Nothing, 1));
}

#[test]
fn an_interim_response_is_the_answer_unless_it_says_continue() {
    let after = |interim: &str| [interim.as_bytes(), &whole("200 OK", SRT)].concat();
    let lost = met(&after("HTTP/1.1 102 Processing\r\n\r\n"), Then::Close, 1000);
    assert_eq!(lost, (Outcome::Nothing, 1));
    let twice = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(met(&after(twice), Then::Close, 1000), (Outcome::Saved(SRT.into()), 1));
}

#[test]
fn faults_of_the_connection_throttle_as_measured() {
    use Throttle::{OneHour, TenMinutes, TwentyFourHours};
    let check = |answer: &str, then: Then, pcm: usize, expected: Throttle, uploads: usize| {
        let seen = met(answer.as_bytes(), then, pcm);
        assert_eq!(seen, (Outcome::Throttled(expected), uploads), "{answer:?}");
    };
    let begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    check("", Then::Silence, 1000, OneHour, 9);
    check(begun, Then::Silence, 1000, TwentyFourHours, 9);
    check(begun, Then::Close, 1000, TenMinutes, 1);
    check("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello", Then::Close, 1000, TenMinutes, 1);
    check("", Then::Close, 1000, TwentyFourHours, 9);
    // Far more than the buffers of two sockets.
    check("", Then::Deaf, 32 << 20, TwentyFourHours, 9);
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut bazarr = Bazarr::at(refused, PATIENCE);
    assert_eq!(bazarr.download("/asr", &[0; 1000]), Outcome::Throttled(TwentyFourHours));
    assert_eq!(bazarr.uploads, 9);
}

#[test]
fn a_detection_is_read_as_measured() {
    let check = |body: &str, expected: Detection| assert_eq!(detection(body.as_bytes()), expected, "{body}");
    let pair = |code: &str, name: &str| format!(r#"{{"language_code":{code},"detected_language":{name}}}"#);
    let language = |told: &str| Detection::Language(told.into());
    let ten_minutes = || Detection::Throttled(Throttle::TenMinutes);
    check(&format!("   {}", pair(r#""de""#, r#""german""#)), language("de"));
    check(&pair(r#""de""#, r#""nonsense""#), language("de"));
    check(&pair(r#""haw""#, r#""Hawaiian""#), language("hawaiian"));
    check(&pair(r#""jw""#, r#""javanese""#), language("javanese"));
    check(&pair(r#""yue""#, r#""cantonese""#), ten_minutes());
    check(&pair(r#""und""#, r#""unknown""#), ten_minutes());
    check(&pair("null", "null"), ten_minutes());
    check(r#"{"detail":"why"}"#, ten_minutes());
    for harmless in ["", "{}", "[]", "   ", "failed", "<html></html>"] {
        check(harmless, Detection::Untold);
    }
}

#[test]
fn a_connection_is_used_again_only_while_the_server_keeps_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (closed, tell) = std::sync::mpsc::channel();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..2 {
            read_request(&stream);
            stream.write_all(&whole("200 OK", SRT)).unwrap();
        }
        stream.shutdown(std::net::Shutdown::Both).unwrap();
        closed.send(()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&stream);
        stream.write_all(&whole("200 OK", SRT)).unwrap();
        assert_eq!(stream.read(&mut [0]).map_err(|e| e.kind()), Ok::<usize, ErrorKind>(0));
    });
    let mut bazarr = Bazarr::at(at, PATIENCE * 20);
    for _ in 0..2 {
        assert_eq!(bazarr.download("/asr", &[0; 1000]), Outcome::Saved(SRT.into()));
    }
    assert_eq!(bazarr.connections(), 1);
    tell.recv().unwrap();
    assert_eq!(bazarr.download("/asr", &[0; 1000]), Outcome::Saved(SRT.into()));
    assert_eq!(bazarr.connections(), 2);
    drop(bazarr);
    served.join().unwrap();
}
