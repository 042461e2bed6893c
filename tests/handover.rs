//! Hand-over at SIGUSR2 and sd_notify, with the real program on a socket that was passed in. Knows nothing of Whisper:
//! without a model jobs wait.

mod bazarr;
mod held_socket;

use bazarr::{Bazarr, Outcome, asr};
use held_socket::{Holder, PATIENCE, get};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_passed_socket_is_served_and_the_manager_is_told() {
    let holder = Holder::listening();
    let daemon = holder.start();
    // Nobody waits for the daemon to be ready: the socket listens already.
    assert!(holder.get("/status").contains("200 OK"));
    holder.told("READY=1");
    holder.told("WATCHDOG=1");
    holder.told("WATCHDOG=1");
    daemon.signal(libc::SIGTERM);
    holder.told("STOPPING=1");
    daemon.stop();
}

#[test]
fn a_hand_over_refuses_nobody_and_loses_no_job() {
    let holder = Holder::listening();
    let daemon = holder.start();
    holder.told("READY=1");
    let mut bazarr = Bazarr::at(holder.at, PATIENCE);
    let (target, sound) = (asr("transcribe", "en", None), [0; 32_000]);
    let held = bazarr.post(&target, &sound).unwrap();
    let id = held.job();

    let (at, enough) = (holder.at, Arc::new(AtomicBool::new(false)));
    let until = enough.clone();
    let client = std::thread::spawn(move || {
        let mut asked = 0;
        while !until.load(Ordering::SeqCst) {
            let answer = get(at, "/status").expect("a connection was refused or cut");
            assert!(answer.contains("200 OK"), "{answer}");
            asked += 1;
        }
        asked
    });
    for _ in 0..3 {
        daemon.signal(libc::SIGUSR2);
        // A second wish while the first is being fulfilled is no harm.
        daemon.signal(libc::SIGUSR2);
        holder.told("RELOADING=1");
        holder.told("READY=1");
    }
    enough.store(true, Ordering::SeqCst);
    assert!(client.join().unwrap() > 0);

    assert_eq!(bazarr.end(held), Outcome::Nothing, "the open answer ended whole and empty");
    let job = holder.get(&format!("/api/jobs/{id}"));
    assert!(job.contains("\"queued\""), "{job}");
    assert_eq!(bazarr.post(&target, &sound).unwrap().job(), id, "the same request joins the same job");
    daemon.stop();
}

#[test]
fn what_cannot_be_listened_on_is_refused_in_one_sentence() {
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = datagrams.local_addr().unwrap();
    let holder = Holder::of(datagrams.into(), at);
    let mut daemon = holder.start();
    assert_eq!(daemon.ended().code(), Some(1));
    assert!(daemon.log().contains("it carries datagrams"), "{}", daemon.log());
}

#[test]
fn sockets_meant_for_another_process_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_transcriptord"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path())
        .env("LISTEN_PID", "1")
        .env("LISTEN_FDS", "1")
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stderr.take().unwrap());
    assert!(said.lines().map_while(Result::ok).any(|line| line.contains("listens on http://127.0.0.1:")));
    child.kill().unwrap();
    child.wait().unwrap();
}
