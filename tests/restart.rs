//! A daemon that is killed, or whose database lets it wait, on a socket that somebody else holds: clients wait, none is
//! refused. Knows nothing of Whisper: without a model jobs wait.

mod bazarr;
mod held_socket;

use bazarr::{Bazarr, Throttle, asr};
use held_socket::{Holder, PATIENCE, get};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn answered(mut stream: TcpStream) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn after_a_kill_connections_wait_for_the_next_daemon() {
    let holder = Holder::listening();
    let daemon = holder.start();
    let mut bazarr = Bazarr::at(holder.at, PATIENCE);
    let (target, sound) = (asr("transcribe", "en", None), vec![1; 320_000]);
    let mut held = bazarr.post(&target, &sound).unwrap();
    held.beats(1);
    let id = held.job();

    // Somebody connects all the while, and is never refused.
    let (at, enough) = (holder.at, Arc::new(AtomicBool::new(false)));
    let until = enough.clone();
    let knocking = std::thread::spawn(move || {
        let (mut asked, mut refused) = (0, 0);
        while !until.load(Ordering::SeqCst) {
            asked += 1;
            // One that was accepted when the daemon was killed is reset: that is no refusal.
            refused +=
                usize::from(get(at, "/status").is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused));
        }
        (asked, refused)
    });
    daemon.kill();
    let cut = bazarr.end(held);
    assert_eq!(cut, bazarr::Outcome::Throttled(Throttle::TenMinutes), "nothing can end it whole");
    let waiting: Vec<TcpStream> = (0..20).map(|_| holder.asks("/health")).collect();
    let upload = {
        let (target, sound) = (target.clone(), sound.clone());
        std::thread::spawn(move || Bazarr::at(at, PATIENCE).post(&target, &sound).map(|answer| answer.job()))
    };
    let daemon = holder.start();
    waiting.into_iter().for_each(answered);
    assert_eq!(upload.join().unwrap(), Ok(id), "the same request joins the same job");
    enough.store(true, Ordering::SeqCst);
    let (asked, refused) = knocking.join().unwrap();
    assert!(asked > 0 && refused == 0, "{refused} of {asked} were refused");
    daemon.stop();
}

#[test]
fn a_locked_database_delays_answers_and_refuses_nobody() {
    let holder = Holder::listening();
    let daemon = holder.start();
    holder.told("READY=1");
    daemon.kill();
    let other = rusqlite::Connection::open(holder.path("data/transcriptord.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let daemon = holder.start();
    let mut waiting = holder.asks("/health");
    // Longer than a single statement waits for a lock.
    daemon.says("waiting to start: the database is busy");
    assert!(daemon.log().contains(&format!("listens on http://{}", holder.at)), "{}", daemon.log());
    waiting.set_nonblocking(true).unwrap();
    assert_eq!(waiting.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    waiting.set_nonblocking(false).unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    answered(waiting);
    daemon.stop();
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn systemds_own_tool_can_hold_the_socket() {
    let dir = tempfile::tempdir().unwrap();
    let at: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = Command::new("systemd-socket-activate")
        .args([&format!("--listen={at}"), env!("CARGO_BIN_EXE_transcriptord"), "serve"])
        .args(["--listen", "127.0.0.1:1", "--data-dir"])
        .arg(dir.path())
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(started) = started else {
        eprintln!("SKIPPED: systemd-socket-activate is not installed (package systemd)");
        return;
    };
    let mut tool = Running(started);
    // It listens soon; the first connection starts the daemon, in the same process.
    let answer = loop {
        match get(at, "/status") {
            Ok(answer) => break answer,
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => {}
            Err(e) => panic!("{e}"),
        }
        assert!(tool.0.try_wait().unwrap().is_none(), "it ended");
        std::thread::yield_now();
    };
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(get(at, "/health").unwrap().contains("\"database\""));
}
