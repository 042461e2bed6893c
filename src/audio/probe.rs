//! What is in a media file, by ffprobe. Knows nothing of how sound is decoded.

use super::Error;
use super::decode::reason;
use crate::language::Language;
use serde::Deserialize;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// An audio stream of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Track {
    /// Among the audio streams, from 0: ffmpeg's `0:a:index`.
    pub index: u32,
    pub codec: String,
    /// As tagged in the file, not interpreted.
    pub language: Option<String>,
    pub title: Option<String>,
    pub channels: u32,
    /// ffmpeg's name of how the channels are placed.
    pub layout: Option<String>,
    pub default: bool,
    /// Somebody talks about the film, or describes it.
    pub commentary: bool,
    /// Of the sound alone.
    pub duration_ms: Option<i64>,
    /// Where it ends in the film; Matroska says this instead.
    pub end_ms: Option<i64>,
}

impl Track {
    /// The tagged language, when it is one that is known.
    pub fn spoken(&self) -> Option<Language> {
        self.language.as_ref().and_then(|tag| tag.parse().ok())
    }
}

impl fmt::Display for Track {
    /// `1 (eng, ac3, 6 channels, "Commentary")`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let language = self.language.as_deref().unwrap_or("language not told");
        write!(f, "{} ({language}, {}, {} channels", self.index, self.codec, self.channels)?;
        self.title.iter().try_for_each(|title| write!(f, ", {title:?}"))?;
        f.write_str(")")
    }
}

/// A media file's sound and length.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    pub tracks: Vec<Track>,
    /// 0 when the container does not say.
    pub duration_ms: i64,
    pub is_video: bool,
    /// The first time stamp of all, which players count from.
    pub begins_ms: i64,
    /// The container knows its length for sure, also when its end is missing.
    pub exact: bool,
}

/// Which track is meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// Its number among the audio streams, from 0: nothing else is asked then.
    pub track: Option<u32>,
    /// The language that is asked for.
    pub language: Option<Language>,
    /// Where that says nothing, the first of these that is there.
    pub preferred: &'a [Language],
}

impl Media {
    /// The track asked for by number; else one tagged with the language asked for, else with the first preferred language
    /// that is there, else the one marked default, else the one with most channels; never a commentary while there is
    /// another.
    pub fn choose(&self, path: &Path, wish: Wish<'_>) -> Result<&Track, Error> {
        if let Some(track) = wish.track {
            let listed = || self.tracks.iter().map(Track::to_string).collect::<Vec<_>>().join(", ");
            let missing = || Error::NoTrack { path: path.to_owned(), track, there: listed() };
            return self.tracks.iter().find(|t| t.index == track).ok_or_else(missing);
        }
        let order: Vec<Language> = wish.language.iter().chain(wish.preferred).copied().collect();
        let standing = |t: &&Track| {
            let liked = t.spoken().and_then(|spoken| order.iter().position(|l| *l == spoken));
            let liked = liked.map(std::cmp::Reverse);
            (!t.commentary, liked, t.default, t.channels, std::cmp::Reverse(t.index))
        };
        self.tracks.iter().max_by_key(standing).ok_or_else(|| Error::NoAudio(path.to_owned()))
    }

    /// Where this track's sound ends when nothing is missing; 0 where that is not sure. `start_ms`: where it begins.
    pub fn promised_ms(&self, track: &Track, start_ms: i64) -> i64 {
        let end = track.end_ms.or(track.duration_ms.map(|own| own + start_ms));
        if self.exact { end.unwrap_or(self.duration_ms) } else { 0 }
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
    #[serde(default)]
    format_name: String,
    start_time: Option<String>,
    duration: Option<String>,
}

impl Format {
    /// Whether ffmpeg calls it by one of these names; it may have several.
    fn is_one(&self, of: &[&str]) -> bool {
        self.format_name.split(',').any(|name| of.contains(&name))
    }
}

/// What only names other files, which ffmpeg would read in their place: whoever may send a file may not read all others.
const LISTS: &[&str] = &["hls", "applehttp", "concat", "dash", "imf", "sdp", "rtsp"];

/// Containers whose head or last page tells the length; of others it is guessed.
const EXACT: &[&str] = &["matroska", "mov", "flac", "ogg"];

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
    descriptions: u8,
    visual_impaired: u8,
    attached_pic: u8,
}

#[derive(Deserialize, Default)]
struct Tags {
    #[serde(alias = "LANGUAGE")]
    language: Option<String>,
    #[serde(alias = "TITLE")]
    title: Option<String>,
    /// Matroska's length of a track, as `01:02:03.456`.
    #[serde(rename = "DURATION")]
    duration: Option<String>,
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
        let why = reason(&String::from_utf8_lossy(&output.stderr), path);
        return Err(Error::NotMedia { path: path.to_owned(), why });
    }
    let report: Report = serde_json::from_slice(&output.stdout)
        .map_err(|e| Error::NotMedia { path: path.to_owned(), why: e.to_string() })?;
    if let Some(list) = report.format.as_ref().filter(|f| f.is_one(LISTS)) {
        let name = &list.format_name;
        let why = format!("it is a list of other files ({name}), not a recording: give the recording itself");
        return Err(Error::NotMedia { path: path.to_owned(), why });
    }
    let media = read(report);
    if media.tracks.is_empty() {
        return Err(Error::NoAudio(path.to_owned()));
    }
    Ok(media)
}

/// Milliseconds of `12.345` or `00:00:12.345`.
fn ms(text: Option<&String>) -> Option<i64> {
    let mut seconds = 0.0;
    for part in text?.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    Some((seconds * 1000.0) as i64)
}

fn read(report: Report) -> Media {
    let format = report.format.as_ref();
    let begins_ms = format.and_then(|f| ms(f.start_time.as_ref())).unwrap_or(0);
    let is_one = |of: &[&str]| format.is_some_and(|f| f.is_one(of));
    let (exact, tells_ends) = (is_one(EXACT), is_one(&["matroska"]));
    let mut media = Media { tracks: Vec::new(), duration_ms: 0, is_video: false, begins_ms, exact };
    for stream in report.streams {
        match stream.codec_type.as_deref() {
            Some("video") if stream.disposition.attached_pic == 0 => media.is_video = true,
            Some("audio") => {
                let mut track = track(stream, media.tracks.len() as u32);
                // Elsewhere the tag is what was left over from the file that the sound was taken from.
                track.end_ms = track.end_ms.filter(|_| tells_ends);
                media.duration_ms = media.duration_ms.max(track.end_ms.or(track.duration_ms).unwrap_or(0));
                media.tracks.push(track);
            }
            _ => {}
        }
    }
    if let Some(whole) = format.and_then(|f| ms(f.duration.as_ref())) {
        media.duration_ms = whole;
    }
    media
}

/// What titles of tracks call a commentary or a description, in lower case; in Japanese, Chinese, Korean and Russian as well.
const TALK: &[&str] = &[
    "comment",
    "coment",
    "komment",
    "komentar",
    "комментар",
    "コメンタリ",
    "评论",
    "評論",
    "解说",
    "解說",
    "코멘터리",
    "descri",
    "deskri",
    "hörfilm",
    "тифло",
    "isolated score",
];

fn track(stream: Stream, index: u32) -> Track {
    let title = stream.tags.title.as_ref().map(|t| t.to_lowercase()).unwrap_or_default();
    let marks = &stream.disposition;
    let marked = marks.comment + marks.descriptions + marks.visual_impaired != 0;
    Track {
        index,
        codec: stream.codec_name.unwrap_or_default(),
        language: stream.tags.language,
        title: stream.tags.title,
        channels: stream.channels.unwrap_or(0),
        layout: stream.channel_layout,
        default: marks.default != 0,
        commentary: marked || title == "ad" || TALK.iter().any(|word| title.contains(word)),
        duration_ms: ms(stream.duration.as_ref()),
        end_ms: ms(stream.tags.duration.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<u32, String> {
        let media = read(serde_json::from_str(json).unwrap());
        media.choose(Path::new("film.mkv"), Wish::default()).map(|t| t.index).map_err(|e| e.to_string())
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

    /// Three tracks: Japanese and default, English, and French which is a commentary.
    fn three() -> Media {
        let json = r#"{"streams":[
            {"codec_type":"audio","channels":6,"disposition":{"default":1},"tags":{"language":"jpn"}},
            {"codec_type":"audio","channels":2,"tags":{"language":"eng"}},
            {"codec_type":"audio","channels":2,"disposition":{"comment":1},"tags":{"language":"fre"}}]}"#;
        read(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_language_asked_for_goes_before_preferred_ones_and_these_before_the_default() {
        let check = |asked: &str, preferred: &[&str], expected| {
            let preferred: Vec<Language> = preferred.iter().map(|l| l.parse().unwrap()).collect();
            let wish = Wish { track: None, language: asked.parse().ok(), preferred: &preferred };
            let media = three();
            let chosen = media.choose(Path::new("film.mkv"), wish).unwrap();
            assert_eq!(chosen.index, expected, "{asked:?} {preferred:?}");
        };
        check("en", &[], 1);
        check("ja", &["en"], 0);
        check("fr", &[], 0);
        check("", &[], 0);
        check("", &["en"], 1);
        check("", &["de", "en", "ja"], 1);
        check("", &["ja", "en"], 0);
        check("", &["de", "fr"], 0);
        check("de", &["en"], 1);
    }

    #[test]
    fn a_description_is_known_by_its_marks_and_its_title() {
        let check = |track: &str, expected| {
            let json = format!(r#"{{"streams":[{{"codec_type":"audio",{track}}}]}}"#);
            let media = read(serde_json::from_str(&json).unwrap());
            assert_eq!(media.tracks[0].commentary, expected, "{track}");
        };
        check(r#""disposition":{"visual_impaired":1}"#, true);
        check(r#""disposition":{"descriptions":1}"#, true);
        check(r#""disposition":{"default":1}"#, false);
        check(r#""tags":{"title":"Audiodeskription"}"#, true);
        check(r#""tags":{"TITLE":"Audio Description"}"#, true);
        for title in ["Comentario del director", "Комментарий режиссёра", "コメンタリー", "评论音轨", "AD"]
        {
            check(&format!(r#""tags":{{"title":"{title}"}}"#), true);
        }
        check(r#""tags":{"title":"Surround 5.1"}"#, false);
        check(r#""tags":{"title":"Adagio"}"#, false);
    }

    #[test]
    fn a_length_is_promised_by_containers_that_know_it() {
        let check = |format: &str, stream: &str, expected| {
            let json = format!(
                r#"{{"streams":[{{"codec_type":"audio",{stream}}}],
                "format":{{"format_name":"{format}","start_time":"-0.021","duration":"60.5"}}}}"#
            );
            let media = read(serde_json::from_str(&json).unwrap());
            assert_eq!(media.begins_ms, -21);
            assert_eq!(media.promised_ms(&media.tracks[0], 5_000), expected, "{format} {stream}");
        };
        check("mov,mp4,m4a", r#""duration":"10.0""#, 15_000);
        check("matroska,webm", r#""tags":{"DURATION":"00:00:50.250000000"},"duration":"60.5""#, 50_250);
        check("matroska,webm", r#""tags":{}"#, 60_500);
        check("ogg", r#""duration":"60.5""#, 65_500);
        check("ogg", r#""tags":{"DURATION":"00:10:36.600000000"},"duration":"60.5""#, 65_500);
        check("mpegts", r#""duration":"10.0""#, 0);
    }

    #[test]
    fn a_track_that_is_not_there_is_answered_with_those_that_are() {
        let wish = Wish { track: Some(3), ..Wish::default() };
        let error = three().choose(Path::new("a.mkv"), wish).unwrap_err().to_string();
        assert_eq!(
            error,
            "a.mkv: has no audio track 3, they are numbered from 0: 0 (jpn, , 6 channels), 1 (eng, , 2 channels), \
             2 (fre, , 2 channels)"
        );
    }
}
