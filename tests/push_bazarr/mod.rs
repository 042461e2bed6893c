//! A Bazarr that a test scripts, on a bare socket. Knows nothing of who asks it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub const KEY: &str = "the key";

/// A missing subtitle of one video, as `movies/wanted` and `episodes/wanted` give it.
#[derive(Clone)]
pub struct Want {
    /// `{"radarrId": 1}` or `{"sonarrSeriesId": 7, "sonarrEpisodeId": 70}` without its braces.
    pub ids: &'static str,
    pub path: String,
    pub audio: &'static [&'static str],
    /// Codes with marks: `en`, `en:forced`, `en:hi`.
    pub missing: Vec<&'static str>,
}

#[derive(Default)]
pub struct Script {
    pub movies: Vec<Want>,
    pub episodes: Vec<Want>,
    /// Answered instead of anything else.
    pub status: Option<u16>,
    /// Uploads are answered 204, and nothing is saved.
    pub forgetful: bool,
    asked: usize,
    /// Path, fields and text of each.
    uploads: Vec<(String, HashMap<String, String>)>,
}

pub struct Server {
    pub url: String,
    script: Arc<Mutex<Script>>,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/bazarr/", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let theirs = script.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                answer(stream, &mut theirs.lock().unwrap());
            }
        });
        Server { url, script }
    }

    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    pub fn uploads(&self) -> Vec<(String, HashMap<String, String>)> {
        self.script.lock().unwrap().uploads.clone()
    }

    pub fn asked(&self) -> usize {
        self.script.lock().unwrap().asked
    }
}

fn answer(stream: TcpStream, script: &mut Script) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_string());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |l| l.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    script.asked += 1;
    let known = headers.get("x-api-key").map(String::as_str) == Some(KEY);
    let (status, text) = match script.status {
        Some(status) => (status, String::new()),
        None if !known => (401, String::new()),
        None => reply(&line, &headers, &String::from_utf8(body).unwrap(), script),
    };
    let length = text.len();
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = reader.get_mut().write_all(format!("{head}{text}").as_bytes());
}

fn reply(line: &str, headers: &HashMap<String, String>, body: &str, script: &mut Script) -> (u16, String) {
    let target = line.split(' ').nth(1).unwrap();
    let url = reqwest::Url::parse(&format!("http://x{target}")).unwrap();
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let number = |name: &str| query.iter().find(|(n, _)| n == name).unwrap().1.parse::<usize>().unwrap();
    let shelf =
        |name: &str| if name.contains("/movies") { script.movies.clone() } else { script.episodes.clone() };
    let path = url.path().strip_prefix("/bazarr/api/").unwrap();
    match path {
        "movies/wanted" | "episodes/wanted" => {
            let wanted: Vec<Want> = shelf(url.path()).into_iter().filter(|w| !w.missing.is_empty()).collect();
            let rows: Vec<String> =
                wanted.iter().skip(number("start")).take(number("length")).map(wanted_row).collect();
            (200, format!(r#"{{"data":[{}],"total":{}}}"#, rows.join(","), wanted.len()))
        }
        "movies" | "episodes" => {
            let asked: Vec<&String> = query.iter().map(|(_, value)| value).collect();
            let named = |w: &&Want| asked.iter().any(|id| w.ids.ends_with(&format!(" {id}")));
            let rows: Vec<String> = shelf(url.path()).iter().filter(named).map(video_row).collect();
            (200, format!(r#"{{"data":[{}]}}"#, rows.join(",")))
        }
        "movies/subtitles" | "episodes/subtitles" => {
            assert!(line.starts_with("POST "), "{line}");
            let fields = fields(&headers["content-type"], body);
            let id = fields.get("radarrid").or(fields.get("episodeid")).unwrap();
            let code = &fields["language"];
            let code = if fields["hi"] == "true" { format!("{code}:hi") } else { code.clone() };
            if !script.forgetful {
                for want in script.movies.iter_mut().chain(&mut script.episodes) {
                    if want.ids.ends_with(&format!(" {id}")) {
                        want.missing.retain(|m| *m != code);
                    }
                }
            }
            script.uploads.push((path.to_string(), fields));
            (204, String::new())
        }
        other => panic!("Bazarr has no {other}"),
    }
}

fn wanted_row(want: &Want) -> String {
    let missing: Vec<String> = want
        .missing
        .iter()
        .map(|m| {
            let (code, mark) = m.split_once(':').unwrap_or((m, ""));
            let (forced, hi) = (mark == "forced", mark == "hi");
            format!(r#"{{"name":"x","code2":"{code}","code3":"xxx","forced":{forced},"hi":{hi}}}"#)
        })
        .collect();
    format!(r#"{{"title":"t",{},"missing_subtitles":[{}]}}"#, want.ids, missing.join(","))
}

fn video_row(want: &Want) -> String {
    let audio: Vec<String> = want.audio.iter().map(|code| format!(r#"{{"code2":"{code}"}}"#)).collect();
    format!(
        r#"{{{},"path":"{}","audio_language":[{}],"subtitles":[]}}"#,
        want.ids,
        want.path,
        audio.join(",")
    )
}

/// The parts of a multipart body; the file's name is the field `filename`.
fn fields(content_type: &str, body: &str) -> HashMap<String, String> {
    let boundary = content_type.split_once("boundary=").unwrap().1;
    let mut fields = HashMap::new();
    for part in body.split(&format!("--{boundary}")).filter(|p| p.starts_with("\r\n")) {
        let (head, content) = part.split_once("\r\n\r\n").unwrap();
        let quoted =
            |name: &str| Some(head.split_once(&format!(" {name}=\""))?.1.split('"').next()?.to_string());
        if let Some(file) = quoted("filename") {
            fields.insert("filename".into(), file);
        }
        fields.insert(quoted("name").unwrap(), content.strip_suffix("\r\n").unwrap().to_string());
    }
    assert!(body.ends_with(&format!("--{boundary}--\r\n")));
    fields
}
