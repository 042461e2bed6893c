//! The provider plug-in in a Python of its own, with stand-ins for the classes that it gets from Bazarr. Knows nothing of
//! what is asked for.
#![allow(dead_code, reason = "each test program uses its part")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A download under way.
pub struct Plugin {
    child: Child,
    orders: ChildStdin,
    words: BufReader<ChildStdout>,
}

/// Whether this machine has what the plug-in needs; says so where it has not.
pub fn runs_here() -> bool {
    let works = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let requests = ["import requests", "import pip._vendor.requests"];
    let here = requests.iter().any(|import| works("python3", &["-c", import]))
        && works("ffmpeg", &["-version"])
        && works("ffprobe", &["-version"]);
    if !here {
        eprintln!(
            "SKIPPED: the plug-in needs python3 with requests (or pip, which carries it), ffmpeg and ffprobe"
        );
    }
    here
}

impl Plugin {
    pub fn ask(asked: &Value) -> Plugin {
        let mut child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bazarr_plugin/ask.py"))
            .arg(asked.to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, words) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Plugin { child, orders, words: BufReader::new(words) }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.words.read_line(&mut line).unwrap() > 0, "the plug-in failed, see above");
        serde_json::from_str(&line).unwrap()
    }

    fn told(&mut self) -> Value {
        std::iter::repeat_with(|| self.line()).find(|told| told["get"].is_null()).expect("it goes on")
    }

    /// Waits until it asks for this path.
    pub fn gets(&mut self, path: &str) {
        let told = self.line();
        assert!(told["get"].as_str().is_some_and(|url| url.ends_with(path)), "{path}: {told}");
    }

    /// Waits until it would pause; gives the seconds. It pauses until [`Plugin::go_on`].
    pub fn pauses(&mut self) -> u64 {
        let told = self.told();
        told["pause"].as_u64().unwrap_or_else(|| panic!("no pause: {told}"))
    }

    pub fn go_on(&mut self) {
        self.orders.write_all(b"\n").unwrap();
    }

    /// What it made of it in the end.
    pub fn ended(&mut self) -> Value {
        let told = self.told();
        assert!(told["found"].is_array(), "it pauses: {told}");
        assert!(self.child.wait().unwrap().success());
        told
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A film whose tracks have these tags (`""` for none), each a tone of its own.
pub fn film(path: &Path, tags: &[&str]) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]);
    for (index, _) in tags.iter().enumerate() {
        command.args(["-f", "lavfi", "-i", &format!("sine=frequency={}:duration=2", 300 + 100 * index)]);
    }
    for (index, tag) in tags.iter().enumerate() {
        command.args(["-map", &format!("{index}:a")]);
        if !tag.is_empty() {
            command.args([&format!("-metadata:s:a:{index}"), &format!("language={tag}")]);
        }
    }
    assert!(command.args(["-c:a", "pcm_s16le"]).arg(path).status().unwrap().success());
}

/// A track as it is to be sent.
pub fn samples(path: &Path, track: usize) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path).args(["-map", &format!("0:a:{track}")]);
    command.args(["-ac", "1", "-ar", "16000", "-f", "s16le", "-"]);
    let output = command.output().unwrap();
    assert!(output.status.success());
    output.stdout
}
