//! What the service manager is told (sd_notify(3)), and the watchdog. Knows nothing of what makes a daemon healthy.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The daemon serves.
    Ready,
    /// It stops, and nothing takes its place.
    Stopping,
    /// It makes way for another program in the same process, which will be ready.
    Reloading,
    /// It still works.
    Alive,
}

impl Event {
    fn words(self) -> String {
        match self {
            Event::Ready => "READY=1".to_owned(),
            Event::Stopping => "STOPPING=1".to_owned(),
            // The time is asked for since systemd 253, for Type=notify-reload; earlier versions pass over it.
            Event::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_us()),
            Event::Alive => "WATCHDOG=1".to_owned(),
        }
    }
}

/// Tells the service manager, if there is one.
pub fn tell(event: Event) {
    if let Some(to) = std::env::var_os("NOTIFY_SOCKET").filter(|to| !to.is_empty())
        && let Err(e) = send(to.as_bytes(), &event.words())
    {
        log::warn!("the service manager cannot be told {event:?}: {e}");
    }
}

fn send(to: &[u8], words: &str) -> std::io::Result<()> {
    let address = match to {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(words.as_bytes(), &address).map(|_| ())
}

fn monotonic_us() -> i64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is writable and outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

/// After what silence the service manager restarts this process. `None`: it does not watch.
pub fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|us| ours && *us > 0).map(Duration::from_micros)
}

/// Says that the process is alive as long as `check` finds so, twice in each `silence`, from a thread of its own.
///
/// `check` is given the longest time that it may take. A check that fails, or never comes back, is not reported:
/// the service manager ends the process when the silence is over.
pub fn keep_alive(
    silence: Duration,
    check: impl Fn(Duration) -> Result<(), String> + Send + 'static,
) -> std::io::Result<()> {
    let every = silence / 2;
    let watch = move || {
        loop {
            match check(every / 2) {
                Ok(()) => tell(Event::Alive),
                Err(why) => log::error!("the watchdog is not told that all is well: {why}"),
            }
            std::thread::sleep(every / 2);
        }
    };
    std::thread::Builder::new().name("watchdog".into()).spawn(watch).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &[u8], bound: &SocketAddr) {
        let manager = UnixDatagram::bind_addr(bound).unwrap();
        send(name, &Event::Ready.words()).unwrap();
        let mut heard = [0; 64];
        let length = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1");
    }

    #[test]
    fn the_manager_is_reached_by_path_and_by_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        check(path.as_os_str().as_bytes(), &SocketAddr::from_pathname(&path).unwrap());
        let name = format!("transcriptord-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        check(format!("@{name}").as_bytes(), &abstract_name);
    }

    #[test]
    fn a_reload_says_when_it_began() {
        let words = Event::Reloading.words();
        let time = words.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(time.parse::<i64>().unwrap() > 0);
    }
}
