//! The track of the file beside an upload, with a real film of two tracks. Knows no engine.

mod http_fixture;

use http_fixture::client::{Reply, bazarr};
use http_fixture::{Daemon, pcm};
use std::path::Path;
use std::process::{Command, Stdio};
use transcriptord::job::{Job, JobKind, Source};

/// A film with Japanese first and English behind it; false without ffmpeg.
fn two_tracks(path: &Path) -> bool {
    let sine = ["-f", "lavfi", "-i", "sine=frequency=300:duration=2"];
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(sine)
        .args(sine)
        .args(["-map", "0:a", "-map", "1:a", "-c:a", "ac3", "-disposition:a:0", "default"])
        .args(["-metadata:s:a:0", "language=jpn", "-metadata:s:a:1", "language=eng"])
        .arg(path)
        .stdin(Stdio::null())
        .status();
    match made {
        Ok(status) => {
            assert!(status.success());
            true
        }
        Err(_) => {
            eprintln!("SKIPPED: ffmpeg is not installed");
            false
        }
    }
}

/// The job that an upload with this label and this path becomes.
fn job(daemon: &Daemon, language: &str, video_file: &str) -> Job {
    let target =
        format!("/asr?task=transcribe&language={language}&output=srt&encode=false&video_file={video_file}");
    let reply = Reply::to(daemon.addr, &bazarr(&target, &pcm(1)));
    let (job, claim) = daemon.claim(JobKind::Transcription);
    assert!(daemon.queue.finish(&claim, &http_fixture::transcript(&["Hello."])).unwrap());
    assert!(reply.decoded().contains("Hello."));
    job
}

#[test]
fn the_wanted_track_is_read_from_the_file_that_the_daemon_can_see() {
    let daemon = Daemon::start_with(|shared| {
        let here = shared.settings.library[0].to_str().unwrap().to_string();
        shared.settings.path_mapping = vec![("/films".into(), here)];
    });
    let film = daemon.library.join("film.mkv");
    if !two_tracks(&film) {
        return;
    }
    let english = job(&daemon, "en", "/films/film.mkv");
    assert_eq!(english.source, Source::Path { path: film.canonicalize().unwrap(), track: Some(1) });
    assert_eq!(english.file_name, "film.mkv");
    for (language, path) in [
        // What ffmpeg takes by itself is what was sent.
        ("ja", "/films/film.mkv"),
        ("fr", "/films/film.mkv"),
        ("de", "/films/none.mkv"),
        ("es", "/elsewhere/film.mkv"),
        ("it", "/films/../film.mkv"),
    ] {
        let kept = job(&daemon, language, path);
        assert!(matches!(kept.source, Source::Spool { .. }), "{language} {path}: {:?}", kept.source);
    }
}
