//! Whether a server answers, asked as a client asks. Knows nothing of who wants to know.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Asks the server that listens at `at` for `/status`: its accepting thread and an event loop have to move for that.
///
/// Fails when connecting, sending or the answer takes longer than `patience`, or when it is no answer of ours.
pub fn answers(at: SocketAddr, patience: Duration) -> io::Result<()> {
    let patience = patience.max(Duration::from_millis(1));
    let mut stream = TcpStream::connect_timeout(&reachable(at), patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    if &start != b"HTTP/1.1 200" {
        return Err(io::Error::other(String::from_utf8_lossy(&start).into_owned()));
    }
    // Read out, so that the server does not see a connection torn off.
    io::copy(&mut stream.take(1 << 16), &mut io::sink()).map(|_| ())
}

/// The address by which a socket on all interfaces is reached from this machine.
fn reachable(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_server_that_accepts_and_says_nothing_does_not_answer() {
        // The kernel accepts; nobody reads.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        assert!(answers(at, Duration::from_millis(50)).is_err());
    }

    #[test]
    fn what_answers_otherwise_is_not_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), listener.local_addr().unwrap().port());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\n\r\n").unwrap();
        });
        assert_eq!(answers(at, Duration::from_secs(10)).unwrap_err().to_string(), "HTTP/1.1 500");
        server.join().unwrap();
    }
}
