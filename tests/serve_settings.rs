//! Settings that act in a real daemon, the API key first. Knows no engine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transcriptord"));
    command.current_dir(home).env_clear().env("HOME", home);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn says(home: &Path, words: &[&str]) -> String {
    let output = program(home).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A daemon that is stopped with this value.
struct Daemon {
    child: Child,
    port: String,
}

impl Daemon {
    fn start(home: &Path, settings: &[(&str, &str)]) -> Daemon {
        let mut child = program(home)
            .args(["serve", "--listen", "127.0.0.1:0", "--pool", "in-process"])
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = log.by_ref().find_map(|line| {
            let line = line.unwrap();
            line.split_once("http://127.0.0.1:").map(|(_, port)| port.trim().to_string())
        });
        // Read on, so that the daemon never waits for us.
        std::thread::spawn(move || log.for_each(drop));
        Daemon { child, port: port.expect("the log names the port") }
    }

    /// The whole answer to one request.
    fn answer(&self, method: &str, target: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.port)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn status(&self, target: &str, key: &str) -> String {
        let answer = self.answer("GET", target, &format!("X-Api-Key: {key}\r\n"), "");
        answer.split(' ').nth(1).unwrap().to_string()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_key_is_printed_with_what_to_enter_in_bazarr() {
    let home = tempfile::tempdir().unwrap();
    let key = says(home.path(), &["key", "--only"]).trim().to_string();
    assert_eq!(key.len(), 32);
    let text = says(home.path(), &["key", "--listen", "192.168.1.5:9000"]);
    assert!(text.contains(&format!("http://192.168.1.5:9000/{key}\n")), "{text}");
    let text = says(home.path(), &["key"]);
    assert!(
        text.contains("/.local/share/transcriptord/api_key; a daemon with another data folder"),
        "{text}"
    );
    assert!(text.contains("--listen 0.0.0.0:9000"), "{text}");
}

#[test]
fn a_daemon_asks_for_the_key_that_the_command_prints() {
    let home = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(home.path(), &[("TRANSCRIPTORD_AUTH_REQUIRED", "always")]);
    let key = says(home.path(), &["key", "--only"]).trim().to_string();
    assert_eq!(daemon.status("/status", ""), "200");
    assert_eq!(daemon.status("/api/jobs", ""), "401");
    assert_eq!(daemon.status("/api/jobs", &key), "200");
    // The command line on this machine finds the key by itself.
    let server = format!("http://127.0.0.1:{}", daemon.port);
    says(home.path(), &["job", "list", "--server", &server]);
}

#[test]
fn the_times_of_a_provider_request_are_those_of_the_settings() {
    let home = tempfile::tempdir().unwrap();
    let settings =
        [("TRANSCRIPTORD_PROVIDER_POLLING_INTERVAL", "7"), ("TRANSCRIPTORD_PROVIDER_TIMEOUT_SECONDS", "1")];
    let daemon = Daemon::start(home.path(), &settings);
    let accepted = daemon.answer("POST", "/asr?async=true", "", "audio");
    assert!(accepted.starts_with("HTTP/1.1 202"), "{accepted}");
    assert!(accepted.to_lowercase().contains("\r\nretry-after: 7\r\n"), "{accepted}");
    // There is no model: without the setting this would wait for ever.
    let held = daemon.answer("POST", "/asr", "", "audio");
    assert!(held.contains("not ready: ask again"), "{held}");
}

#[test]
fn the_end_of_a_job_is_told_to_the_webhook() {
    let home = tempfile::tempdir().unwrap();
    let film = home.path().join("film.mkv");
    std::fs::write(&film, "no film").unwrap();
    let post = TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = format!("http://{}/hook", post.local_addr().unwrap());
    let library = home.path().display().to_string();
    let settings = [("TRANSCRIPTORD_WEBHOOK_URL", hook.as_str()), ("LIBRARY_PATHS", library.as_str())];
    let daemon = Daemon::start(home.path(), &settings);
    let body = serde_json::json!({"file_path": film, "target_lang": "de"}).to_string();
    let created = daemon.answer("POST", "/api/jobs", "Content-Type: application/json\r\n", &body);
    let location = created.lines().find_map(|l| l.strip_prefix("location: ")).expect(&created).trim();
    assert!(daemon.answer("POST", &format!("{location}/cancel"), "", "").starts_with("HTTP/1.1 200"));
    let (told, _) = post.accept().unwrap();
    told.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut lines = BufReader::new(told).lines().map(|line| line.unwrap());
    assert!(lines.any(|line| line.eq_ignore_ascii_case("x-transcriptord-event: job.cancelled")));
}
