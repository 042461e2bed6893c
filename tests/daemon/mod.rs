//! The real program as a daemon process, with a data folder and a free port of its own. Knows nothing of what is tested.
#![allow(dead_code, reason = "each test program uses its part")]

#[path = "../http_fixture/client.rs"]
pub mod client;
pub mod speech;

use client::{Reply, api, bazarr};
use serde_json::Value;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing that a test waits for takes longer unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_transcriptord");

/// The folders of one daemon; they outlive its process.
pub struct Home {
    dir: TempDir,
}

impl Home {
    pub fn new() -> Home {
        let home = Home { dir: tempfile::tempdir().unwrap() };
        for folder in ["library", "models", "spare"] {
            std::fs::create_dir(home.path(folder)).unwrap();
        }
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        // Canonical, as the daemon names its files.
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// What the spool holds, also what is being written.
    pub fn spooled(&self) -> Vec<String> {
        names(&self.path("data/spool"))
    }

    /// The program with a clean environment that points here.
    pub fn program(&self, words: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(words)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TRANSCRIPTORD_LISTEN", "127.0.0.1:0")
            .env("TRANSCRIPTORD_DATA_DIR", self.path("data"))
            .env("TRANSCRIPTORD_MODELS_DIR", self.path("models"))
            // Forms of the real model are made once for all tests.
            .env("TRANSCRIPTORD_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/forms"))
            .env("TRANSCRIPTORD_LIBRARY", self.path("library"))
            .stdin(Stdio::null());
        command
    }
}

/// File names in a folder, sorted; none when there is no such folder.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    pub addr: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub fn start(home: &Home) -> Daemon {
        Daemon::start_with(home, |_| {})
    }

    /// Fails the test with the daemon's log when it does not listen.
    pub fn start_with(home: &Home, change: impl FnOnce(&mut Command)) -> Daemon {
        let (mut child, log) = launch(home, change);
        let addr = until("the daemon to listen", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the daemon ended at once ({status}):\n{}", read(&log));
            }
            let text = read(&log);
            let (_, rest) = text.split_once("listens on http://")?;
            let (addr, _) = rest.split_once('\n')?;
            Some(addr.trim().parse().unwrap())
        });
        Daemon { addr, child, log }
    }

    /// Starts one that cannot run; gives its exit code and what it says.
    pub fn refused(home: &Home, change: impl FnOnce(&mut Command)) -> (Option<i32>, String) {
        let (mut child, log) = launch(home, change);
        let status = ended(&mut child, &log);
        (status.code(), read(&log))
    }

    pub fn log(&self) -> String {
        read(&self.log)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processes that it has started and that still run.
    pub fn workers(&self) -> Vec<u32> {
        children(self.child.id())
    }

    /// Waits for the worker process.
    pub fn worker(&self) -> u32 {
        until("a worker process", || self.workers().first().copied())
    }

    /// SIGKILL: it has no time for anything.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        signal(self.child.id(), libc::SIGTERM);
    }

    /// Waits for its end.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = ended(&mut self.child, &self.log);
        (status, self.log())
    }

    pub fn get(&self, target: &str) -> Value {
        Reply::to(self.addr, &api("GET", target, "")).json()
    }

    pub fn get_text(&self, target: &str) -> String {
        Reply::to(self.addr, &api("GET", target, "")).text()
    }

    pub fn post(&self, target: &str, body: &str) -> Reply {
        Reply::to(self.addr, &api("POST", target, body))
    }

    /// Asks as Bazarr does; gives the reply when its head is there.
    pub fn asr(&self, query: &str, audio: &[u8]) -> Reply {
        Reply::to(self.addr, &bazarr(&format!("/asr?{query}"), audio))
    }

    pub fn job(&self, id: &str) -> Value {
        self.get(&format!("/api/jobs/{id}"))
    }

    /// Waits until the job has ended.
    pub fn job_ended(&self, id: &str) -> Value {
        until("the end of a job", || {
            let job = self.get(&format!("/api/jobs/{id}?wait=20"));
            ["completed", "failed", "cancelled"].contains(&job["status"].as_str()?).then_some(job)
        })
    }

    /// Waits until something is true of the job.
    pub fn job_is(&self, id: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        until(what, || Some(self.job(id)).filter(&is))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Already ended in most tests that come here; the worker notices by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

fn launch(home: &Home, change: impl FnOnce(&mut Command)) -> (Child, PathBuf) {
    let log = home.path(&format!("log-{}", names(home.dir.path()).len()));
    let file = File::create(&log).unwrap();
    let mut command = home.program(&["serve"]);
    command.stdout(Stdio::null()).stderr(file);
    change(&mut command);
    (command.spawn().unwrap(), log)
}

fn ended(child: &mut Child, log: &Path) -> ExitStatus {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    panic!("the daemon did not end:\n{}", read(log));
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

/// Asks until there is an answer; a condition, not a time, ends the wait.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("waited in vain for {what}");
}

pub fn signal(pid: u32, signal: i32) {
    // SAFETY: kill has no memory effects; the pid is that of a process these tests have started.
    assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0, "{}", std::io::Error::last_os_error());
}

/// Processes whose parent this is, without those that have ended and wait to be buried.
pub fn children(parent: u32) -> Vec<u32> {
    let of = |pid: u32| -> Option<(u32, String)> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?.to_string();
        Some((fields.next()?.parse().ok()?, state))
    };
    let pids = names(Path::new("/proc")).into_iter().filter_map(|name| name.parse::<u32>().ok());
    pids.filter(|pid| of(*pid).is_some_and(|(ppid, state)| ppid == parent && state != "Z")).collect()
}
