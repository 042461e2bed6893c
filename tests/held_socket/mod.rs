//! A listening socket that the test holds, as systemd would, and the real program on it. Knows nothing of what is tested.
#![allow(dead_code, reason = "each test program uses its part")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for any machine; what is awaited comes in a fraction of it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The socket and the data folder; both outlive each daemon.
pub struct Holder {
    socket: OwnedFd,
    pub at: SocketAddr,
    dir: TempDir,
    notified: UnixDatagram,
}

impl Holder {
    pub fn listening() -> Holder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        Holder::of(listener.into(), at)
    }

    pub fn of(socket: OwnedFd, at: SocketAddr) -> Holder {
        let dir = tempfile::tempdir().unwrap();
        let notified = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        notified.set_read_timeout(Some(PATIENCE)).unwrap();
        Holder { socket, at, dir, notified }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts `serve` on the socket.
    pub fn start(&self) -> Daemon {
        let log = self.path("log");
        let file = File::options().append(true).create(true).open(&log).unwrap();
        // LISTEN_PID is only known after the fork: the shell replaces itself with the program.
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", "sh", env!("CARGO_BIN_EXE_transcriptord")])
            .args(["serve", "--listen", "127.0.0.1:1", "--data-dir"])
            .arg(self.path("data"))
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("WATCHDOG_USEC", "400000")
            .env_remove("WATCHDOG_PID")
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stderr(file);
        let fd = self.socket.as_raw_fd();
        // SAFETY: only async-signal-safe calls are made.
        unsafe {
            command.pre_exec(move || {
                let passed = if fd == 3 { libc::fcntl(3, libc::F_SETFD, 0) } else { libc::dup2(fd, 3) };
                if passed < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
            });
        }
        Daemon { child: command.spawn().unwrap(), log }
    }

    /// Waits for this word to the service manager.
    pub fn told(&self, word: &str) {
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

    /// A connection on which this was asked.
    pub fn asks(&self, path: &str) -> TcpStream {
        asks(self.at, path).expect("a connection was refused or cut")
    }

    /// The whole answer, as text.
    pub fn get(&self, path: &str) -> String {
        get(self.at, path).expect("a connection was refused or cut")
    }
}

pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill has no memory effects; the pid is that of our own child, not yet waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the log has this.
    pub fn says(&self, words: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.log().contains(words) {
            assert!(Instant::now() < until, "it did not say '{words}':\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub fn stop(mut self) {
        self.signal(libc::SIGTERM);
        assert!(self.ended().success());
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.ended();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

fn asks(at: SocketAddr, path: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    Ok(stream)
}

/// The whole answer, as text.
pub fn get(at: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut answer = String::new();
    asks(at, path)?.read_to_string(&mut answer)?;
    Ok(answer)
}
