//! Downloads from a server on this machine that breaks off, lies, or is not there.

use super::{Pulled, fetch, pull_from};
use crate::model::samples::{self, sample};
use crate::model::{Catalogued, Error, WeightType};
use sha1::{Digest, Sha1};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};

/// A small sound model, and its SHA-1.
static MODEL: LazyLock<(Vec<u8>, String)> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    samples::write(&path, &sample(WeightType::Q5_1));
    let bytes = fs::read(path).unwrap();
    let sha1 = Sha1::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    (bytes, sha1)
});

fn model(sha1: Option<&'static str>) -> Catalogued {
    let bytes = MODEL.0.len() as u64;
    Catalogued {
        name: "mini",
        sha1,
        bytes,
        exact_bytes: true,
        multilingual: false,
        translates: false,
        memory_mb: 1,
    }
}

/// Writes the answer to a request whose `Range` header is given.
type Answer = Box<dyn FnOnce(&mut TcpStream, Option<u64>) + Send>;

/// Answers one connection after the other, then is gone. Gives its address and what ranges were asked for.
fn server(answers: Vec<Answer>) -> (String, JoinHandle<Vec<Option<u64>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let one = |answer: Answer| {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            assert_eq!(head[0], "GET /ggml-mini.bin HTTP/1.1");
            let from = head.iter().find_map(|line| {
                line.to_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse::<u64>().ok()
            });
            answer(&mut stream, from);
            from
        };
        answers.into_iter().map(one).collect()
    });
    (address, asked)
}

fn head(stream: &mut TcpStream, status: &str, length: usize, more: &str) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
}

/// Gives what is asked for, at most `most` bytes of it.
fn honest(most: usize) -> Answer {
    Box::new(move |stream, from| {
        let all = &MODEL.0;
        let from = from.unwrap_or(0) as usize;
        let range = format!("Content-Range: bytes {from}-{}/{}\r\n", all.len() - 1, all.len());
        match from {
            0 => head(stream, "200 OK", all.len(), ""),
            _ => head(stream, "206 Partial Content", all.len() - from, &range),
        }
        stream.write_all(&all[from..all.len().min(from + most)]).ok();
    })
}

fn says(status: &'static str, body: &'static str) -> Answer {
    Box::new(move |stream, _| {
        head(stream, status, body.len(), "");
        stream.write_all(body.as_bytes()).ok();
    })
}

struct Outcome {
    pulled: Result<Pulled, Error>,
    asked: Vec<Option<u64>>,
    files: Vec<String>,
}

/// Pulls from such a server into `dir`.
fn try_in(dir: &Path, answers: Vec<Answer>, sha1: Option<&'static str>) -> Outcome {
    let (address, asked) = server(answers);
    let pulled = fetch(&address, dir, &model(sha1), &mut |done, total| assert!(done <= total));
    let asked = asked.join().unwrap();
    let mut files: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    Outcome { pulled, asked, files }
}

fn part(dir: &Path) -> PathBuf {
    dir.join("ggml-mini.bin.part")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

const ALL: usize = usize::MAX / 2;

#[test]
fn a_download_is_verified_and_gets_its_name() {
    let dir = folder();
    let outcome = try_in(dir.path(), vec![honest(ALL)], Some(&MODEL.1));
    let pulled = outcome.pulled.unwrap();
    assert!(pulled.verified && pulled.fresh);
    assert_eq!(pulled.sha1, MODEL.1);
    assert_eq!(outcome.files, ["ggml-mini.bin"]);
    assert!(fs::read(pulled.path).unwrap() == MODEL.0);

    let again = try_in(dir.path(), vec![], Some(&MODEL.1)).pulled.unwrap();
    assert!(again.verified && !again.fresh, "what is there is not loaded again");
}

#[test]
fn without_a_published_hash_size_and_structure_decide() {
    let dir = folder();
    let pulled = try_in(dir.path(), vec![honest(ALL)], None).pulled.unwrap();
    assert!(!pulled.verified);
}

#[test]
fn a_broken_connection_is_taken_up_again() {
    let dir = folder();
    let outcome = try_in(dir.path(), vec![honest(1000), honest(500), honest(ALL)], Some(&MODEL.1));
    assert!(outcome.pulled.unwrap().verified);
    assert_eq!(outcome.asked, [None, Some(1000), Some(1500)]);
}

#[test]
fn a_later_run_goes_on_where_an_earlier_one_ended() {
    let dir = folder();
    let first = try_in(dir.path(), vec![honest(70_000)], Some(&MODEL.1));
    let error = first.pulled.unwrap_err().to_string();
    assert!(error.contains("broke off at 70000 of") && error.contains("same command again"), "{error}");
    assert_eq!(first.files, ["ggml-mini.bin.part"]);

    let second = try_in(dir.path(), vec![honest(ALL)], Some(&MODEL.1));
    assert_eq!(second.asked, [Some(70_000)]);
    assert!(second.pulled.unwrap().verified);
    assert_eq!(second.files, ["ggml-mini.bin"]);
}

#[test]
fn a_server_that_cannot_resume_sends_all() {
    let dir = folder();
    fs::write(part(dir.path()), &MODEL.0[..5000]).unwrap();
    let all = Box::new(|stream: &mut TcpStream, _| {
        head(stream, "200 OK", MODEL.0.len(), "");
        stream.write_all(&MODEL.0).unwrap();
    });
    assert!(try_in(dir.path(), vec![all], Some(&MODEL.1)).pulled.unwrap().verified);
}

#[test]
fn a_range_that_is_refused_or_wrong_starts_again() {
    let wrong = || -> Answer {
        Box::new(|stream, _| head(stream, "206 Partial Content", 0, "Content-Range: bytes 7-8/9\r\n"))
    };
    for answer in [says("416 Range Not Satisfiable", ""), wrong()] {
        let dir = folder();
        fs::write(part(dir.path()), &MODEL.0[..5000]).unwrap();
        let outcome = try_in(dir.path(), vec![answer, honest(ALL)], Some(&MODEL.1));
        assert!(outcome.pulled.unwrap().verified);
        assert_eq!(outcome.asked, [Some(5000), None]);
    }
}

#[test]
fn another_models_part_ends_in_a_wrong_hash_and_is_deleted() {
    let dir = folder();
    let mut other = MODEL.0[..2_000_000].to_vec();
    other[1_900_000] ^= 1;
    fs::write(part(dir.path()), other).unwrap();
    let outcome = try_in(dir.path(), vec![honest(ALL)], Some(&MODEL.1));
    let error = outcome.pulled.unwrap_err().to_string();
    assert!(error.contains(&MODEL.1) && error.contains("deleted"), "{error}");
    assert!(outcome.files.is_empty());
}

#[test]
fn a_whole_part_is_only_verified() {
    let dir = folder();
    fs::write(part(dir.path()), &MODEL.0).unwrap();
    assert!(try_in(dir.path(), vec![], Some(&MODEL.1)).pulled.unwrap().verified);
}

#[test]
fn a_damaged_model_is_replaced_when_the_new_one_is_there() {
    let dir = folder();
    fs::write(dir.path().join("ggml-mini.bin"), "GGUF").unwrap();
    let failed = try_in(dir.path(), vec![says("503 Service Unavailable", "")], Some(&MODEL.1));
    assert!(failed.pulled.is_err() && failed.files.contains(&"ggml-mini.bin".to_owned()));
    assert!(try_in(dir.path(), vec![honest(ALL)], Some(&MODEL.1)).pulled.unwrap().fresh);
}

#[test]
fn refusals_and_pages_are_not_taken_for_models() {
    let check = |answer: Answer, word: &str| {
        let dir = folder();
        let outcome = try_in(dir.path(), vec![answer], Some(&MODEL.1));
        let error = outcome.pulled.unwrap_err().to_string();
        assert!(error.contains(word), "'{word}' is not in: {error}");
        assert!(outcome.files.is_empty(), "{:?}", outcome.files);
    };
    check(says("404 Not Found", "gone"), "404 Not Found");
    check(says("200 OK", "<!doctype html>please log in"), "it offers 28 bytes where the model has");
    let page: Answer = Box::new(|stream, _| {
        head(stream, "200 OK", MODEL.0.len(), "");
        stream.write_all(b"<!doctype html>please log in").ok();
    });
    check(page, "a web page");
}

#[test]
fn a_host_that_is_not_there_names_the_other_ways() {
    let dir = folder();
    let address = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let error = pull_from(&address, dir.path(), "tiny", &mut |_, _| {}).unwrap_err().to_string();
    for word in ["refused", "model import PATH", "ggml-tiny.bin", "by hand", dir.path().to_str().unwrap()] {
        assert!(error.contains(word), "'{word}' is not in: {error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let error =
        pull_from("http://x", Path::new("/nowhere"), "gigantic", &mut |_, _| {}).unwrap_err().to_string();
    assert!(error.contains("'gigantic'") && error.contains("large-v3-turbo-q5_0"), "{error}");
}

#[test]
fn two_downloads_of_one_model_do_not_mix() {
    let dir = folder();
    let held = fs::File::create(part(dir.path())).unwrap();
    held.lock().unwrap();
    let error = fetch("http://127.0.0.1:1", dir.path(), &model(None), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::Busy(_)), "{error}");
}
