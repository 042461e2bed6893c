//! Bazarr's Whisper provider: its requests byte for byte, and what each answer does to it (bazarr-protocol.md, sections
//! 1 to 4). Knows nothing of the server under test.
#![allow(dead_code, reason = "each test program uses its part")]

pub mod reading;
mod wire;

pub use wire::{Answer, Fault};

use reading::{Detection, detection, subtitle};
use std::net::SocketAddr;
use std::time::Duration;
use wire::Line;

/// What becomes of one download in Bazarr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Written beside the film; the item is no longer wanted.
    Saved(String),
    /// A subtitle without any text was written, and the item is no longer wanted.
    Blank,
    /// Nothing was written, nothing was throttled: it is asked for again.
    Nothing,
    /// The provider is left alone for so long.
    Throttled(Throttle),
}

/// In Bazarr's table of May 2025.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    TenMinutes,
    OneHour,
    TwentyFourHours,
}

/// Tries of the session, and rounds of the pool around it.
const TRIES: usize = 3;
const ROUNDS: usize = 3;

pub struct Bazarr {
    line: Line,
    /// How many bodies went out whole or in part.
    pub uploads: usize,
}

impl Bazarr {
    /// With a time limit for each read, and the same for the whole upload.
    pub fn at(addr: SocketAddr, patience: Duration) -> Bazarr {
        Bazarr { line: Line::to(addr, patience), uploads: 0 }
    }

    /// Behind something that takes `Accept-Encoding` out of requests.
    pub fn without_gzip(mut self) -> Bazarr {
        self.line.gzip = false;
        self
    }

    /// Behind a proxy that speaks HTTP/1.0 to what is behind it, as nginx does by default.
    pub fn behind_http_1_0(mut self) -> Bazarr {
        self.line.version = "HTTP/1.0";
        self
    }

    /// Connections opened so far: an answer that ended whole leaves its connection for the next request.
    pub fn connections(&self) -> usize {
        self.line.connections
    }

    /// One upload; gives the answer when its head is there.
    pub fn post(&mut self, target: &str, pcm: &[u8]) -> Result<Answer, Fault> {
        self.uploads += 1;
        self.line.post(target, pcm)
    }

    /// The rest of an answer to `/asr`, in Bazarr's eyes.
    pub fn end(&mut self, answer: Answer) -> Outcome {
        match self.line.read_out(answer) {
            Ok(body) => subtitle(&body),
            Err(fault) => Outcome::Throttled(fault.throttle()),
        }
    }

    /// The rest of an answer to `/detect-language`, in Bazarr's eyes.
    pub fn end_detection(&mut self, answer: Answer) -> Detection {
        match self.line.read_out(answer) {
            Ok(body) => detection(&body),
            Err(fault) => Detection::Throttled(fault.throttle()),
        }
    }

    /// One download with all its tries. The pauses between them (5 s and 6 s) are left out.
    pub fn download(&mut self, target: &str, pcm: &[u8]) -> Outcome {
        let mut last = None;
        for _ in 0..ROUNDS * TRIES {
            match self.try_once(target, pcm) {
                Ok(body) => return subtitle(&body),
                Err(fault) if fault.again() => last = Some(fault),
                Err(fault) => return Outcome::Throttled(fault.throttle()),
            }
        }
        Outcome::Throttled(last.expect("a round has tries").throttle())
    }

    /// One detection with all its tries.
    pub fn detect(&mut self, target: &str, pcm: &[u8]) -> Detection {
        let mut last = None;
        for _ in 0..TRIES {
            match self.try_once(target, pcm) {
                Ok(body) => return detection(&body),
                Err(fault) if fault.again() => last = Some(fault),
                Err(fault) => return Detection::Throttled(fault.throttle()),
            }
        }
        Detection::Throttled(last.expect("a detection has tries").throttle())
    }

    fn try_once(&mut self, target: &str, pcm: &[u8]) -> Result<Vec<u8>, Fault> {
        let answer = self.post(target, pcm)?;
        self.line.read_out(answer)
    }
}

/// The target of a download.
pub fn asr(task: &str, language: &str, video_file: Option<&str>) -> String {
    let named = video_file.map(|path| format!("&video_file={}", quoted(path))).unwrap_or_default();
    format!("/asr?task={task}&language={language}&output=srt&encode=false{named}")
}

/// The target of a detection.
pub fn detect_language(video_file: Option<&str>) -> String {
    let named = video_file.map(|path| format!("&video_file={}", quoted(path))).unwrap_or_default();
    format!("/detect-language?encode=false{named}")
}

/// As Python's `urlencode` writes a value: a space is a plus, all but letters, digits and `_.-~` is `%XX` of its UTF-8.
pub fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-~".contains(&b);
    text.bytes()
        .map(|b| match b {
            b' ' => "+".to_string(),
            b if plain(b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}
