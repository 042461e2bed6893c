//! What is in a media file, by ffprobe. Knows nothing of how sound is decoded.

use super::Error;
use crate::language::Language;
use serde::Deserialize;
use std::path::Path;
use std::process::{Command, Stdio};

/// How the channels are to be mixed to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Their mean.
    Plain,
    /// With a centre and two sides in front: the centre counts most.
    Surround,
}

/// An audio stream of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Among the audio streams, from 0: ffmpeg's `0:a:index`.
    pub index: u32,
    pub codec: String,
    /// As tagged in the file, not interpreted.
    pub language: Option<String>,
    pub title: Option<String>,
    pub channels: u32,
    pub layout: Layout,
    pub default: bool,
    pub commentary: bool,
}

impl Track {
    /// The tagged language, when it is one that is known.
    pub fn spoken(&self) -> Option<Language> {
        self.language.as_ref().and_then(|tag| tag.parse().ok())
    }
}

/// A media file's sound and length.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    pub tracks: Vec<Track>,
    /// 0 when the container does not say.
    pub duration_ms: i64,
    pub is_video: bool,
}

impl Media {
    /// The track asked for by number; else one tagged with the language `wanted`, else the one marked default, else the
    /// one with most channels; never a commentary while there is another.
    pub fn choose(&self, path: &Path, track: Option<u32>, wanted: Option<Language>) -> Result<&Track, Error> {
        match track {
            Some(wanted) => self.tracks.iter().find(|t| t.index == wanted).ok_or_else(|| Error::NoTrack {
                path: path.to_owned(),
                track: wanted,
                count: self.tracks.len(),
            }),
            None => self
                .tracks
                .iter()
                .max_by_key(|t| {
                    let speaks = wanted.is_some() && t.spoken() == wanted;
                    (!t.commentary, speaks, t.default, t.channels, std::cmp::Reverse(t.index))
                })
                .ok_or_else(|| Error::NoAudio(path.to_owned())),
        }
    }
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    channels: Option<u32>,
    channel_layout: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    tags: Tags,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Disposition {
    default: u8,
    comment: u8,
    attached_pic: u8,
}

#[derive(Deserialize, Default)]
struct Tags {
    #[serde(alias = "LANGUAGE")]
    language: Option<String>,
    #[serde(alias = "TITLE")]
    title: Option<String>,
}

/// Asks ffprobe. Fails when it is missing, or when the file is gone or no media.
pub fn probe(path: &Path) -> Result<Media, Error> {
    std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    let output = Command::new(ffmpeg_sidecar::ffprobe::ffprobe_path())
        .args(["-v", "error", "-print_format", "json", "-show_format", "-show_streams", "-i"])
        .arg(super::decode::as_file_url(path))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::NoFfmpeg { tool: "ffprobe" },
            _ => Error::io(path, e),
        })?;
    if !output.status.success() {
        let why = super::decode::last_line(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::NotMedia { path: path.to_owned(), why });
    }
    let report: Report = serde_json::from_slice(&output.stdout)
        .map_err(|e| Error::NotMedia { path: path.to_owned(), why: e.to_string() })?;
    let media = read(report);
    if media.tracks.is_empty() {
        return Err(Error::NoAudio(path.to_owned()));
    }
    Ok(media)
}

/// ffmpeg's names of the layouts that have a centre between two sides.
fn layout(name: Option<&str>) -> Layout {
    let name = name.unwrap_or_default();
    let surround = ["3.0", "3.1", "4.0", "4.1", "5.0", "5.1", "6.0", "6.1", "7.0", "7.1"];
    // `3.0(back)` has no centre in front.
    if name != "3.0(back)" && surround.contains(&name.split('(').next().unwrap_or_default()) {
        Layout::Surround
    } else {
        Layout::Plain
    }
}

fn read(report: Report) -> Media {
    let ms = |text: &Option<String>| {
        text.as_ref().and_then(|t| t.parse::<f64>().ok()).map(|s| (s * 1000.0) as i64)
    };
    let mut media = Media { tracks: Vec::new(), duration_ms: 0, is_video: false };
    for stream in &report.streams {
        match stream.codec_type.as_deref() {
            Some("video") if stream.disposition.attached_pic == 0 => media.is_video = true,
            Some("audio") => {
                let title = stream.tags.title.clone();
                let says = |word| title.as_ref().is_some_and(|t| t.to_lowercase().contains(word));
                media.duration_ms = media.duration_ms.max(ms(&stream.duration).unwrap_or(0));
                media.tracks.push(Track {
                    index: media.tracks.len() as u32,
                    codec: stream.codec_name.clone().unwrap_or_default(),
                    language: stream.tags.language.clone(),
                    channels: stream.channels.unwrap_or(0),
                    layout: layout(stream.channel_layout.as_deref()),
                    default: stream.disposition.default != 0,
                    commentary: stream.disposition.comment != 0 || says("comment") || says("descri"),
                    title,
                });
            }
            _ => {}
        }
    }
    if let Some(whole) = report.format.as_ref().and_then(|f| ms(&f.duration)) {
        media.duration_ms = whole;
    }
    media
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<u32, String> {
        let media = read(serde_json::from_str(json).unwrap());
        media.choose(Path::new("film.mkv"), None, None).map(|t| t.index).map_err(|e| e.to_string())
    }

    #[test]
    fn the_default_track_is_chosen_but_never_the_commentary() {
        let two = r#"{"streams":[
            {"codec_type":"video"},
            {"codec_type":"audio","channels":2,"disposition":{"default":1},"tags":{"title":"Director's Commentary"}},
            {"codec_type":"audio","channels":6,"disposition":{"default":0}}]}"#;
        assert_eq!(check(two), Ok(1));
        assert_eq!(
            check(r#"{"streams":[{"codec_type":"video"}]}"#),
            Err("film.mkv: has no audio track".into())
        );
    }

    #[test]
    fn the_track_in_the_language_wanted_goes_before_the_default() {
        let two = r#"{"streams":[
            {"codec_type":"audio","channels":6,"disposition":{"default":1},"tags":{"language":"jpn"}},
            {"codec_type":"audio","channels":2,"tags":{"language":"eng"}},
            {"codec_type":"audio","channels":2,"disposition":{"comment":1},"tags":{"language":"fre"}}]}"#;
        let media = read(serde_json::from_str(two).unwrap());
        let check = |wanted: &str, expected| {
            let chosen = media.choose(Path::new("film.mkv"), None, wanted.parse().ok()).unwrap();
            assert_eq!(chosen.index, expected, "{wanted}");
        };
        check("en", 1);
        check("ja", 0);
        check("fr", 0);
        check("none", 0);
    }

    #[test]
    fn only_layouts_with_a_centre_are_mixed_around_it() {
        let surround = |name| layout(Some(name)) == Layout::Surround;
        assert!(surround("5.1(side)") && surround("7.1") && surround("3.0") && !surround("3.0(back)"));
        assert!(
            !surround("stereo") && !surround("quad") && !surround("5.1.4x") && layout(None) == Layout::Plain
        );
    }

    #[test]
    fn a_track_that_is_not_there_is_named_with_those_that_are() {
        let one = r#"{"streams":[{"codec_type":"audio"}],"format":{"duration":"12.5"}}"#;
        let media = read(serde_json::from_str(one).unwrap());
        assert_eq!(media.duration_ms, 12_500);
        let error = media.choose(Path::new("a.mkv"), Some(3), None).unwrap_err().to_string();
        assert_eq!(error, "a.mkv: has no audio track 3, there are 1 (numbered from 0)");
    }
}
