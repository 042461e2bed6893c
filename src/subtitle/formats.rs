//! Every way a transcript is written. Knows nothing of files or HTTP.

use super::scripts::joined;
use super::srt::clean_lines;
use super::{Cue, Error, Transcript, ass, lrc, srt, vtt};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Srt,
    Vtt,
    /// One cue a line.
    Txt,
    /// `start`, `end` (milliseconds) and text, as Whisper's own command line writes it.
    Tsv,
    /// Text, language and segments with their words.
    Json,
    /// OpenAI's `verbose_json`: task, language, duration, text, segments, words; seconds.
    VerboseJson,
    Lrc,
    Ass,
}

/// Whether each word is marked while it is spoken, in the formats that can: `srt`, `vtt`, `lrc`, `ass`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Highlight {
    #[default]
    Off,
    On,
}

impl From<bool> for Highlight {
    fn from(on: bool) -> Highlight {
        if on { Highlight::On } else { Highlight::Off }
    }
}

impl Format {
    pub const ALL: &'static [Format] = &[
        Format::Srt,
        Format::Vtt,
        Format::Txt,
        Format::Tsv,
        Format::Json,
        Format::VerboseJson,
        Format::Lrc,
        Format::Ass,
    ];

    /// The name in the API and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Srt => "srt",
            Format::Vtt => "vtt",
            Format::Txt => "txt",
            Format::Tsv => "tsv",
            Format::Json => "json",
            Format::VerboseJson => "verbose_json",
            Format::Lrc => "lrc",
            Format::Ass => "ass",
        }
    }

    /// Whether it can mark each word while it is spoken.
    pub fn highlights(self) -> bool {
        matches!(self, Format::Srt | Format::Vtt | Format::Lrc | Format::Ass)
    }

    /// The end of a file name, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::VerboseJson => "json",
            other => other.as_str(),
        }
    }

    /// The value of a `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Srt => "application/x-subrip; charset=utf-8",
            Format::Vtt => "text/vtt; charset=utf-8",
            Format::Txt | Format::Lrc => "text/plain; charset=utf-8",
            Format::Tsv => "text/tab-separated-values; charset=utf-8",
            Format::Json | Format::VerboseJson => "application/json",
            Format::Ass => "text/x-ssa; charset=utf-8",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    /// Fails with the names of all formats. `text` (OpenAI's name for `txt`) and `ssa` are understood.
    fn from_str(s: &str) -> Result<Format, Error> {
        let name = s.trim().to_lowercase();
        let other = match name.as_str() {
            "text" => "txt",
            "ssa" => "ass",
            "webvtt" => "vtt",
            same => same,
        };
        let found = Format::ALL.iter().copied().find(|f| f.as_str() == other);
        found.ok_or_else(|| Error::UnknownFormat(s.to_string()))
    }
}

/// The transcript as a file's text.
pub fn render(t: &Transcript, format: Format, word_highlight: Highlight) -> String {
    match format {
        Format::Srt => srt::render(&t.cues, word_highlight),
        Format::Vtt => vtt::render(&t.cues, word_highlight),
        Format::Txt => texts(t).iter().map(|text| format!("{text}\n")).collect(),
        Format::Tsv => tsv(t),
        Format::Json => json(&Json::of(t)),
        Format::VerboseJson => json(&VerboseJson::of(t)),
        Format::Lrc => lrc::render(&t.cues, word_highlight),
        Format::Ass => ass::render(&t.cues, word_highlight),
    }
}

/// A cue's text on one line.
fn text(cue: &Cue) -> String {
    joined(&clean_lines(&cue.lines))
}

fn texts(t: &Transcript) -> Vec<String> {
    t.cues.iter().map(text).filter(|s| !s.is_empty()).collect()
}

fn tsv(t: &Transcript) -> String {
    let mut out = String::from("start\tend\ttext\n");
    for cue in &t.cues {
        out.push_str(&format!("{}\t{}\t{}\n", cue.start_ms, cue.end_ms, text(cue)));
    }
    out
}

#[derive(Serialize)]
struct Json {
    text: String,
    language: &'static str,
    segments: Vec<Segment>,
}

#[derive(Serialize)]
struct VerboseJson {
    task: &'static str,
    language: String,
    duration: f64,
    text: String,
    segments: Vec<Segment>,
    words: Vec<Spoken>,
}

#[derive(Serialize)]
struct Segment {
    id: usize,
    start: f64,
    end: f64,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<Spoken>>,
}

#[derive(Serialize)]
struct Spoken {
    word: String,
    start: f64,
    end: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
}

impl Json {
    fn of(t: &Transcript) -> Json {
        let words = |c: &Cue| Some(c.words.iter().map(|w| Spoken::of(w, true)).collect());
        let segments = segments(t, &words);
        Json { text: joined(&texts(t)), language: t.language.answer_code(), segments }
    }
}

impl VerboseJson {
    fn of(t: &Transcript) -> VerboseJson {
        VerboseJson {
            task: t.task.as_str(),
            language: t.language.whisper_name(),
            duration: seconds(t.duration_ms),
            text: joined(&texts(t)),
            segments: segments(t, &|_| None),
            words: t.cues.iter().flat_map(|c| &c.words).map(|w| Spoken::of(w, false)).collect(),
        }
    }
}

fn segments(t: &Transcript, words: &dyn Fn(&Cue) -> Option<Vec<Spoken>>) -> Vec<Segment> {
    let segment = |(id, c): (usize, &Cue)| Segment {
        id,
        start: seconds(c.start_ms),
        end: seconds(c.end_ms),
        text: text(c),
        words: words(c),
    };
    t.cues.iter().enumerate().map(segment).collect()
}

impl Spoken {
    fn of(w: &super::Word, with_odds: bool) -> Spoken {
        Spoken {
            word: w.text.trim().to_string(),
            start: seconds(w.start_ms),
            end: seconds(w.end_ms),
            probability: with_odds.then(|| (f64::from(w.p) * 1000.0).round() / 1000.0),
        }
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// JSON with a line end; values of ours always can be written.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests;
