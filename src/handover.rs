//! The listening socket across programs: taken from whoever started this one, passed on to the one that replaces it.
//! Knows nothing of what is served on it.
//!
//! Both directions speak systemd's socket activation (sd_listen_fds(3)): `LISTEN_PID` names the process that is
//! meant, `LISTEN_FDS` counts the sockets, and the first of them is descriptor 3.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// `SD_LISTEN_FDS_START`.
const FIRST: RawFd = 3;
/// Connections that the kernel holds while nobody accepts them; net.core.somaxconn (4096) may allow less.
const BACKLOG: i32 = 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{0} sockets were passed in and one is expected: keep a single ListenStream= in transcriptord.socket"
    )]
    Several(u32),
    #[error(
        "the socket that was passed in cannot be listened on ({0}): write ListenStream=ADDRESS:PORT in transcriptord.socket"
    )]
    NotTcp(&'static str),
    #[error("the socket that was passed in: {0}")]
    Io(#[from] io::Error),
}

/// The socket that systemd, or the program before this one, listens on already. `None`: none was passed to us.
///
/// Processes started from here do not inherit it. To be called once, before threads open files.
pub fn inherited() -> Result<Option<TcpListener>, Error> {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u32>().ok());
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(None);
    }
    match number("LISTEN_FDS").unwrap_or(0) {
        0 => Ok(None),
        1 => adopt(FIRST).map(Some),
        several => Err(Error::Several(several)),
    }
}

/// Makes descriptor `fd` ours, if it is a TCP socket that listens.
fn adopt(fd: RawFd) -> Result<TcpListener, Error> {
    // SAFETY: looks at a descriptor number; a closed one is answered with an error.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error().into());
    }
    if !matches!(option(fd, libc::SO_DOMAIN)?, libc::AF_INET | libc::AF_INET6) {
        return Err(Error::NotTcp("it is not of the internet family"));
    }
    if option(fd, libc::SO_TYPE)? != libc::SOCK_STREAM {
        return Err(Error::NotTcp("it carries datagrams"));
    }
    if option(fd, libc::SO_ACCEPTCONN)? == 0 {
        return Err(Error::NotTcp("it is a connection"));
    }
    // SAFETY: it is open, it was passed to this process for this purpose, and nothing else here uses it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) }.into())
}

fn option(fd: RawFd, name: i32) -> io::Result<i32> {
    let mut value: i32 = 0;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `value` and `length` are writable, of the size given, and outlive the call.
    let got =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length) };
    if got < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// Lets more connections wait than the standard library's 128 while a restart is under way.
pub fn deepen(listener: &TcpListener) {
    // SAFETY: changes the length of the socket's queue. A refusal leaves it as it was.
    unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) };
}

/// A signal that comes while no handler is there is not to end the process: neither in the first moments of this
/// program nor in those of the next one.
pub fn ignore_signal() {
    // SAFETY: setting a disposition has no other effect; a handler set later takes its place.
    unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
}

/// The program that takes over: the file this one was started from, or what lies in its place by now.
pub struct Successor {
    program: PathBuf,
}

impl Successor {
    /// The program at this path, asked for at start: later the file may have been replaced, and the kernel's name for it
    /// says so.
    pub fn of(program: PathBuf) -> Successor {
        Successor { program }
    }

    /// Fails with one sentence when the file cannot be run: then it is better to stay. Blocks until it answered.
    pub fn check(&self) -> Result<(), String> {
        let program = self.program.display();
        let asked =
            Command::new(&self.program).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).status();
        match asked {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                Err(format!("{program} --version ended with {status}: install it anew, then try again"))
            }
            Err(e) => Err(format!("{program} cannot be run: {e}; install it anew, then try again")),
        }
    }

    /// Becomes the next program, with this one's arguments, environment and process id. Returns only on failure.
    ///
    /// All that this process has open closes in the same moment, the lock of the data folder among it, except the
    /// standard streams and `listener`.
    pub fn become_with(&self, listener: &TcpListener) -> io::Error {
        ignore_signal();
        let fd = listener.as_raw_fd();
        let mut command = Command::new(&self.program);
        command
            .args(std::env::args_os().skip(1))
            .env("LISTEN_PID", std::process::id().to_string())
            .env("LISTEN_FDS", "1")
            .env_remove("LISTEN_FDNAMES");
        // SAFETY: only async-signal-safe calls are made.
        unsafe {
            command.pre_exec(move || {
                // The copy is inherited; where both are the same number nothing is copied and the flag has to go.
                let passed =
                    if fd == FIRST { libc::fcntl(fd, libc::F_SETFD, 0) } else { libc::dup2(fd, FIRST) };
                if passed < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
            });
        }
        command.exec()
    }
}
