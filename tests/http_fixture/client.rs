//! A client on a bare socket. Knows nothing of the server under test but HTTP/1.1.

use super::PATIENCE;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

const BOUNDARY: &str = "3f1c0a9be7d04c5f8a6b2d1e9c7f4a30";

/// One part of a multipart body.
pub fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").into_bytes();
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// A whole multipart body.
pub fn multipart(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut body = parts.concat();
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// The body that Bazarr sends.
pub fn bazarr_body(audio: &[u8]) -> Vec<u8> {
    multipart(&[part(r#"name="audio_file"; filename="audio_file""#, audio)])
}

/// The head that Bazarr sends, for a body of this length.
pub fn bazarr_head(target: &str, length: usize) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nUser-Agent: Subliminal/2.1\r\n\
         Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n\
         Content-Length: {length}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
}

/// A request as Bazarr sends it.
pub fn bazarr(target: &str, audio: &[u8]) -> Vec<u8> {
    let body = bazarr_body(audio);
    [bazarr_head(target, body.len()).into_bytes(), body].concat()
}

/// The same from a client that reads no gzip.
pub fn plain(target: &str, audio: &[u8]) -> Vec<u8> {
    let body = bazarr_body(audio);
    let head = bazarr_head(target, body.len()).replace("Accept-Encoding: gzip, deflate\r\n", "");
    [head.into_bytes(), body].concat()
}

/// An API request with a JSON body, or none when it is empty.
pub fn api(method: &str, target: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A connection whose answer is being read.
pub struct Reply {
    reader: BufReader<TcpStream>,
    pub status: u16,
    headers: HashMap<String, String>,
}

impl Reply {
    /// Sends the request and reads the head of the answer.
    pub fn to(addr: SocketAddr, request: &[u8]) -> Reply {
        let mut stream = connect(addr);
        stream.write_all(request).unwrap();
        Reply::head(stream)
    }

    /// Reads the head of the answer.
    pub fn head(stream: TcpStream) -> Reply {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_string());
        }
        Reply { reader, status, headers }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The next chunk of a chunked body; nothing after the last.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        assert_eq!(self.header("transfer-encoding"), Some("chunked"));
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim_end(), 16).unwrap_or_else(|_| panic!("no size: {line:?}"));
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).unwrap();
        chunk.truncate(size);
        (size > 0).then_some(chunk)
    }

    /// The rest of the body, however it is framed.
    pub fn body(mut self) -> Vec<u8> {
        let mut body = Vec::new();
        if self.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk() {
                body.extend(chunk);
            }
        } else if let Some(length) = self.header("content-length").map(|l| l.parse().unwrap()) {
            body.resize(length, 0);
            self.reader.read_exact(&mut body).unwrap();
        } else if self.status != 304 {
            self.reader.read_to_end(&mut body).unwrap();
        }
        body
    }

    pub fn text(self) -> String {
        String::from_utf8(self.body()).unwrap()
    }

    /// The body without its content coding.
    pub fn decoded(self) -> String {
        assert_eq!(self.header("content-encoding"), Some("gzip"));
        gunzip(&self.body())
    }

    /// The body as text, whether it is coded or not.
    pub fn text_of(self) -> String {
        if self.header("content-encoding").is_some() { self.decoded() } else { self.text() }
    }

    pub fn json(self) -> serde_json::Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"))
    }
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}
