//! Where webhook messages arrive: a bare socket that is asked for one after the other. Knows nothing of what is tested.
#![allow(dead_code, reason = "each test program uses its part")]

use crate::{PATIENCE, until};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// The receiver.
pub struct Post(TcpListener);

/// One message; its sender waits for the answer.
pub struct Message {
    stream: TcpStream,
    pub line: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Post {
    pub fn open() -> Post {
        Post::open_at("127.0.0.1:0".parse().unwrap())
    }

    pub fn open_at(addr: SocketAddr) -> Post {
        Post(TcpListener::bind(addr).unwrap())
    }

    pub fn addr(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.addr())
    }

    pub fn next(&self) -> Message {
        self.0.set_nonblocking(true).unwrap();
        let (stream, _) = until("a message", || self.0.accept().ok());
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let mut headers = HashMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_string());
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        Message { stream, line: line.trim_end().to_string(), headers, body }
    }

    /// Nobody has called.
    pub fn is_empty(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.accept().is_err()
    }
}

impl Message {
    pub fn answer(mut self, status: &str) {
        write!(self.stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn delivery(&self) -> String {
        self.headers["x-transcriptord-delivery"].clone()
    }

    /// Fails when the signature is not that of this secret and body.
    pub fn verify(&self, secret: &str) {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        let hex = self.headers["x-transcriptord-signature"].strip_prefix("sha256=").unwrap();
        let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
        let tag: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        ring::hmac::verify(&key, &self.body, &tag).unwrap();
    }
}
