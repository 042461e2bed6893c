//! Bazarr's HTTP client (requests 2.32, urllib3 2.2) on a socket: what goes out, and the faults it can meet. Knows
//! nothing of what a body says.

use super::Throttle;
use flate2::read::GzDecoder;
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What goes wrong between client and server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refused, reset, or closed before the head; an upload that was not drained in time.
    Connection(String),
    /// No head in time.
    ReadTimeout,
    /// Silence between head and end.
    SilentBody,
    /// The body ended before its end.
    CutBody(String),
}

impl Fault {
    /// Whether the upload is sent again at once.
    pub fn again(&self) -> bool {
        !matches!(self, Fault::CutBody(_))
    }

    pub fn throttle(&self) -> Throttle {
        match self {
            Fault::Connection(_) | Fault::SilentBody => Throttle::TwentyFourHours,
            Fault::ReadTimeout => Throttle::OneHour,
            Fault::CutBody(_) => Throttle::TenMinutes,
        }
    }
}

/// A session: it keeps a connection that can be used again.
pub struct Line {
    addr: SocketAddr,
    patience: Duration,
    pub gzip: bool,
    pub version: &'static str,
    pub connections: usize,
    idle: Option<BufReader<TcpStream>>,
}

/// An answer whose body is still to come.
pub struct Answer {
    reader: BufReader<TcpStream>,
    pub status: u16,
    headers: HashMap<String, String>,
    old: bool,
    /// What was read of a chunked body.
    read: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn job(&self) -> String {
        self.header("x-job-id").expect("the head has the job's id").to_string()
    }

    /// The next chunk; `None` after the last.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let mut line = String::new();
        self.reader.read_line(&mut line).map_err(in_body)?;
        let size = line.trim_end().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16).map_err(|_| Fault::CutBody(format!("size {line:?}")))?;
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).map_err(in_body)?;
        chunk.truncate(size);
        self.read.extend_from_slice(&chunk);
        Ok((size > 0).then_some(chunk))
    }

    /// Waits for so many signs of life: each came within the client's patience.
    pub fn beats(&mut self, count: usize) -> Vec<u8> {
        let beats = (0..count).map(|_| self.chunk().expect("a sign of life").expect("the body goes on"));
        beats.flatten().collect()
    }

    fn chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }

    fn keeps_connection(&self) -> bool {
        let told = self.header("connection").map(str::to_ascii_lowercase);
        match told.as_deref() {
            Some("close") => false,
            Some("keep-alive") => true,
            _ => !self.old,
        }
    }

    fn body(&mut self) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        if matches!(self.status, 100..200 | 204 | 304) {
            return Ok(body);
        }
        if self.chunked() {
            while self.chunk()?.is_some() {}
            body = std::mem::take(&mut self.read);
        } else if let Some(length) = self.header("content-length").map(|l| l.parse().unwrap()) {
            body.resize(length, 0);
            self.reader.read_exact(&mut body).map_err(in_body)?;
        } else {
            self.reader.read_to_end(&mut body).map_err(in_body)?;
        }
        Ok(body)
    }
}

impl Line {
    pub fn to(addr: SocketAddr, patience: Duration) -> Line {
        Line { addr, patience, gzip: true, version: "HTTP/1.1", connections: 0, idle: None }
    }

    pub fn post(&mut self, target: &str, pcm: &[u8]) -> Result<Answer, Fault> {
        let mut reader = self.connection()?;
        let stream = reader.get_mut();
        let (head, body) = self.request(target, pcm);
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).map_err(broken)?;
        head_of(reader)
    }

    /// The rest of the body without its coding. The connection is kept when it can be used again.
    pub fn read_out(&mut self, mut answer: Answer) -> Result<Vec<u8>, Fault> {
        let body = answer.body()?;
        let coding = answer.header("content-encoding").map(str::to_owned);
        if answer.keeps_connection() && (answer.chunked() || answer.header("content-length").is_some()) {
            self.idle = Some(answer.reader);
        }
        match coding.as_deref() {
            None => Ok(body),
            Some("gzip") => {
                assert!(self.gzip, "gzip for a client that does not take it");
                let mut text = Vec::new();
                let mut decoder = GzDecoder::new(body.as_slice());
                decoder.read_to_end(&mut text).map_err(|e| Fault::CutBody(format!("gzip: {e}")))?;
                Ok(text)
            }
            Some(other) => panic!("Bazarr did not ask for {other}"),
        }
    }

    fn connection(&mut self) -> Result<BufReader<TcpStream>, Fault> {
        if let Some(idle) = self.idle.take().filter(still_open) {
            return Ok(idle);
        }
        self.connections += 1;
        let stream = TcpStream::connect_timeout(&self.addr, self.patience).map_err(broken)?;
        stream.set_read_timeout(Some(self.patience)).map_err(broken)?;
        stream.set_write_timeout(Some(self.patience)).map_err(broken)?;
        Ok(BufReader::new(stream))
    }

    /// Head and body. The boundary is another each time.
    fn request(&self, target: &str, pcm: &[u8]) -> (String, Vec<u8>) {
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"audio_file\"; filename=\"audio_file\"\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(pcm);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert_eq!(body.len(), pcm.len() + 152, "as measured");
        let encoding = if self.gzip { "Accept-Encoding: gzip, deflate\r\n" } else { "" };
        let connection = if self.version == "HTTP/1.0" { "close" } else { "keep-alive" };
        let head = format!(
            "POST {target} {}\r\nHost: {}\r\nUser-Agent: Subliminal/2.1\r\n{encoding}Accept: */*\r\n\
             Connection: {connection}\r\nContent-Length: {}\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n\r\n",
            self.version,
            self.addr,
            body.len()
        );
        (head, body)
    }
}

/// A connection with something to read is one that the server has closed, or that is out of step.
fn still_open(idle: &BufReader<TcpStream>) -> bool {
    let stream = idle.get_ref();
    if !idle.buffer().is_empty() || stream.set_nonblocking(true).is_err() {
        return false;
    }
    let quiet = stream.peek(&mut [0]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
    quiet && stream.set_nonblocking(false).is_ok()
}

/// Only `100 Continue` is skipped: any other interim response counts as the answer.
fn head_of(mut reader: BufReader<TcpStream>) -> Result<Answer, Fault> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(before_head)?;
        let mut words = line.split(' ');
        let old = words.next() == Some("HTTP/1.0");
        let status = words.next().and_then(|s| s.trim_end().parse().ok());
        let status: u16 = status.ok_or_else(|| Fault::Connection(format!("no status line: {line:?}")))?;
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).map_err(before_head)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_string());
        }
        if status != 100 {
            return Ok(Answer { reader, status, headers, old, read: Vec::new() });
        }
    }
}

fn timed_out(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn broken(e: io::Error) -> Fault {
    Fault::Connection(e.to_string())
}

fn before_head(e: io::Error) -> Fault {
    if timed_out(&e) { Fault::ReadTimeout } else { broken(e) }
}

fn in_body(e: io::Error) -> Fault {
    if timed_out(&e) { Fault::SilentBody } else { Fault::CutBody(e.to_string()) }
}
