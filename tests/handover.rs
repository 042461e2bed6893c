//! Restarts that clients do not notice, with the real program: sockets passed in, hand-over at SIGUSR2, sd_notify.
//! Knows nothing of Whisper: without a model jobs wait.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Long enough for any machine; what is awaited comes in a fraction of it.
const PATIENCE: Duration = Duration::from_secs(60);

struct Daemon {
    child: Child,
    at: SocketAddr,
    /// Goes with the daemon.
    _dir: tempfile::TempDir,
    notified: UnixDatagram,
}

impl Daemon {
    /// Starts `serve` on a socket that the test listens on, as systemd would.
    fn activated() -> Daemon {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        Daemon::with_socket(listener.as_raw_fd(), at, Stdio::inherit())
    }

    /// As [`Daemon::activated`] with any descriptor; it may be closed here afterwards.
    fn with_socket(fd: RawFd, at: SocketAddr, log: Stdio) -> Daemon {
        let dir = tempfile::tempdir().unwrap();
        let notified = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        notified.set_read_timeout(Some(PATIENCE)).unwrap();
        // LISTEN_PID is only known after the fork: the shell replaces itself with the program.
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", "sh", env!("CARGO_BIN_EXE_transcriptord")])
            .args(["serve", "--listen", "127.0.0.1:1", "--data-dir"])
            .arg(dir.path())
            .env("NOTIFY_SOCKET", dir.path().join("notify"))
            .env("WATCHDOG_USEC", "400000")
            .env_remove("WATCHDOG_PID")
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stderr(log);
        // SAFETY: only async-signal-safe calls are made.
        unsafe {
            command.pre_exec(move || {
                let passed = if fd == 3 { libc::fcntl(3, libc::F_SETFD, 0) } else { libc::dup2(fd, 3) };
                if passed < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
            });
        }
        let child = command.spawn().unwrap();
        Daemon { child, at, _dir: dir, notified }
    }

    /// Waits for this word to the service manager.
    fn told(&self, word: &str) {
        let mut heard = [0; 256];
        let until = Instant::now() + PATIENCE;
        loop {
            let length = self.notified.recv(&mut heard).expect("the daemon said no more");
            assert!(Instant::now() < until, "{word} was not said, only the watchdog's word");
            if String::from_utf8_lossy(&heard[..length]).lines().any(|line| line == word) {
                return;
            }
        }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: kill has no memory effects; the pid is that of our own child, not yet waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    fn stop(mut self) {
        self.signal(libc::SIGTERM);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn send(at: SocketAddr, request: &str, body: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    stream.write_all(body)?;
    Ok(stream)
}

/// The whole answer, as text.
fn get(at: SocketAddr, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    send(at, &request, b"")?.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks as Bazarr does; gives the job's id and the connection, whose body is still to come.
fn ask(at: SocketAddr) -> (String, BufReader<TcpStream>) {
    let part = "--x\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"audio\"\r\n\r\n";
    let body = [part.as_bytes(), &[0; 32_000], b"\r\n--x--\r\n"].concat();
    let request = format!(
        "POST /asr?task=transcribe&language=en&output=srt&encode=false HTTP/1.1\r\nHost: localhost\r\n\
         Accept-Encoding: gzip, deflate\r\nContent-Type: multipart/form-data; boundary=x\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = BufReader::new(send(at, &request, &body).unwrap());
    let mut id = None;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            return (id.expect("no X-Job-Id"), answer);
        }
        if let Some(value) = line.to_lowercase().strip_prefix("x-job-id:") {
            id = Some(value.trim().to_owned());
        }
    }
}

/// A chunked gzip body, read to its end and unpacked.
fn text_of(mut answer: BufReader<TcpStream>) -> String {
    let mut packed = Vec::new();
    loop {
        let mut size = String::new();
        answer.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim(), 16).expect("the body was cut off");
        let mut chunk = vec![0; size + 2];
        answer.read_exact(&mut chunk).unwrap();
        if size == 0 {
            break;
        }
        packed.extend_from_slice(&chunk[..size]);
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_passed_socket_is_served_and_the_manager_is_told() {
    let daemon = Daemon::activated();
    // Nobody waits for the daemon to be ready: the socket listens already.
    assert!(get(daemon.at, "/status").unwrap().contains("200 OK"));
    daemon.told("READY=1");
    daemon.told("WATCHDOG=1");
    daemon.told("WATCHDOG=1");
    daemon.signal(libc::SIGTERM);
    daemon.told("STOPPING=1");
    daemon.stop();
}

#[test]
fn a_hand_over_refuses_nobody_and_loses_no_job() {
    let daemon = Daemon::activated();
    daemon.told("READY=1");
    let (id, held) = ask(daemon.at);

    let (at, enough) = (daemon.at, Arc::new(AtomicBool::new(false)));
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
        daemon.told("RELOADING=1");
        daemon.told("READY=1");
    }
    enough.store(true, Ordering::SeqCst);
    assert!(client.join().unwrap() > 0);

    assert_eq!(text_of(held), "", "the open answer ended whole and empty");
    let job = get(daemon.at, &format!("/api/jobs/{id}")).unwrap();
    assert!(job.contains("\"queued\""), "{job}");
    let (again, _held) = ask(daemon.at);
    assert_eq!(again, id, "the same request joins the same job");
    daemon.stop();
}

#[test]
fn what_cannot_be_listened_on_is_refused_in_one_sentence() {
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = datagrams.local_addr().unwrap();
    let mut daemon = Daemon::with_socket(datagrams.as_raw_fd(), at, Stdio::piped());
    let mut said = String::new();
    daemon.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("it carries datagrams"), "{said}");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(1));
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
