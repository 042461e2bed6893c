//! `transcriptord job` against a daemon that answers from a script. Knows nothing of the real one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread::JoinHandle;

const ID: &str = "0198c0de-7000-7000-8000-0000000000aa";

/// A daemon that gives these answers (status, JSON) in order, then ends with the requests it got.
struct Scripted {
    url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Scripted {
    fn start(answers: Vec<(u16, String)>) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                asked.push(read(&mut stream));
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
            }
            asked
        });
        Scripted { url, thread }
    }

    /// The first line of each request, with its body behind it.
    fn asked(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

fn read(stream: &mut std::net::TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    format!("{} {}", lines[0].trim(), String::from_utf8(body).unwrap()).trim_end().to_string()
}

fn job(daemon: &Scripted, words: &[&str]) -> Output {
    let mut all = vec!["job"];
    all.extend(words);
    all.extend(["--server", &daemon.url]);
    Command::new(env!("CARGO_BIN_EXE_transcriptord")).args(all).current_dir("/").output().unwrap()
}

fn check(answers: &[(u16, String)], words: &[&str], code: i32, out: &str, err: &str) -> Vec<String> {
    let daemon = Scripted::start(answers.to_vec());
    let output = job(&daemon, words);
    assert_eq!(String::from_utf8_lossy(&output.stderr), err, "on standard error");
    assert_eq!(String::from_utf8_lossy(&output.stdout), out, "on standard output");
    assert_eq!(output.status.code(), Some(code));
    daemon.asked()
}

fn told(status: &str, stage: &str, progress: f64, error: &str) -> (u16, String) {
    let error = if error.is_empty() { "null".to_string() } else { format!("\"{error}\"") };
    let text = format!(
        r#"{{"id":"{ID}","file_name":"film.mkv","status":"{status}","current_stage":"{stage}","progress":{progress},
        "eta_seconds":90,"source_lang":"de","target_lang":"de","error":{error},"segments_count":12,"vram_used_mb":null,
        "processing_time_seconds":75.5,"output_path":"/films/film.ger.srt"}}"#
    );
    (200, text)
}

#[test]
fn a_list_asks_for_one_page() {
    let (_, job) = told("completed", "finalizing", 100.0, "");
    let page = (200, format!(r#"{{"jobs":[{job}],"total":1,"page":1,"page_size":5}}"#));
    let out = format!(
        "{:36}  STATUS       DONE  LANG     FILE\n{ID}  completed   100 %  de       film.mkv\n",
        "ID"
    );
    let asked = check(&[page], &["list", "--status", "completed", "--limit", "5"], 0, &out, "");
    assert_eq!(asked, ["GET /api/jobs?page=1&page_size=5&status_filter=completed HTTP/1.1"]);
}

#[test]
fn an_added_file_is_named_by_its_full_path() {
    let created = (201, told("queued", "pending", 0.0, "").1);
    let asked = check(&[created], &["add", "--language", "de", "films/film.mkv"], 0, &format!("{ID}\n"), "");
    for part in [
        "POST /api/jobs HTTP/1.1",
        r#""file_path":"/films/film.mkv""#,
        r#""source_lang":"de""#,
        r#""target_lang":"de""#,
        r#""transcribe_or_translate":"transcribe""#,
    ] {
        assert!(asked[0].contains(part), "no {part} in {}", asked[0]);
    }
    assert!(!asked[0].contains("quality_preset"), "the daemon's own setting is left alone");
}

#[test]
fn work_that_is_there_already_is_no_failure() {
    let conflict = (409, format!(r#"{{"detail":"this subtitle is queued already","job_id":"{ID}"}}"#));
    let err = "transcriptord: this subtitle is queued already\n";
    check(&[conflict], &["add", "--task", "translate", "film.mkv"], 0, &format!("{ID}\n"), err);
}

#[test]
fn a_refusal_is_passed_on_in_the_daemons_words() {
    let refusal = (403, r#"{"detail":"/film.mkv is outside the library: see LIBRARY_PATHS"}"#.to_string());
    let err = "transcriptord: /film.mkv is outside the library: see LIBRARY_PATHS\n";
    check(&[refusal], &["add", "--to", "en", "film.mkv"], 1, "", err);
}

#[test]
fn several_jobs_are_cancelled_though_one_cannot_be() {
    let answers = [
        (400, r#"{"detail":"the job has finished already"}"#.to_string()),
        (200, r#"{"message":"Job cancelled"}"#.to_string()),
    ];
    let (out, err) = (format!("{ID} cancelled\n"), "transcriptord: the job has finished already\n");
    let asked = check(&answers, &["cancel", ID, ID], 1, &out, err);
    assert_eq!(asked[1], format!("POST /api/jobs/{ID}/cancel HTTP/1.1"));
}

#[test]
fn waiting_in_a_pipe_prints_lines_and_ends_with_the_job() {
    let answers = [told("processing", "transcribing", 41.0, ""), told("completed", "finalizing", 100.0, "")];
    let out = "film.mkv completed in 1:16, 12 cues, /films/film.ger.srt\n";
    let asked = check(&answers, &["wait", ID], 0, out, "film.mkv: transcribing, 41 %, 1:30 left\n");
    assert!(asked[1].starts_with(&format!("GET /api/jobs/{ID}?wait=")), "{}", asked[1]);
}

#[test]
fn waiting_for_a_job_that_fails_fails_with_its_reason() {
    let answers = [told("failed", "transcribing", 41.0, "the file vanished")];
    check(&answers, &["wait", ID], 1, "", "transcriptord: film.mkv failed: the file vanished\n");
}

#[test]
fn something_else_on_that_port_is_recognised() {
    let daemon = Scripted::start(vec![(200, "<html>".to_string())]);
    let output = job(&daemon, &["show", ID]);
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("is not transcriptord: name it with --server URL"), "{err}");
}
