//! The provider plug-in for Bazarr against the real program: killed meanwhile, and with the real model and real speech.

mod bazarr_plugin;
mod daemon;

use bazarr_plugin::{Plugin, film, runs_here};
use daemon::speech::{self, clip, errors, said};
use daemon::{Daemon, Home, until};
use serde_json::json;

#[test]
fn a_film_with_two_tracks_gets_the_subtitle_of_the_one_that_was_wanted() {
    let Some(home) = speech::home() else { return };
    if !runs_here() {
        return;
    }
    let (spanish, english) = (clip("es_prompts"), clip("en_echo"));
    let film = home.path("spare/film.mkv");
    let both = [
        "-i",
        english.path.to_str().unwrap(),
        "-map",
        "0:a",
        "-map",
        "1:a",
        "-c:a",
        "flac",
        "-metadata:s:a:0",
        "language=spa",
        "-metadata:s:a:1",
        "language=eng",
    ];
    speech::ffmpeg(&spanish.path, &both, &film);
    let daemon = Daemon::start(&home);
    let asked = json!({"endpoint": daemon.url(), "film": film, "tags": ["spa", "eng"], "wanted": "eng", "timeout": 300});
    let ended = Plugin::ask(&asked).ended();
    let srt = ended["made"][0].as_str().unwrap_or_else(|| panic!("nothing was made: {ended}"));
    let found = errors(&english.text, &said(srt));
    assert!(found.rate() <= 0.10, "{found:?}: {srt}");
    let jobs = daemon.get("/api/jobs");
    assert_eq!(jobs["jobs"][0]["file_name"], "film.mkv", "{jobs}");
    assert_eq!(jobs["total"], 1);
}

#[test]
fn a_daemon_that_is_killed_meanwhile_is_waited_for() {
    if !runs_here() {
        return;
    }
    let home = Home::new();
    let path = home.path("library").join("film.mkv");
    film(&path, &["eng"]);
    let daemon = Daemon::start(&home);
    let addr = daemon.addr;
    let asked = json!({"endpoint": format!("http://{addr}"), "film": path, "tags": ["eng"], "wanted": "eng"});
    let mut plugin = Plugin::ask(&asked);
    // Without a model the job waits.
    let id = until("the job", || Some(daemon.get("/api/jobs")["jobs"][0]["id"].as_str()?.to_string()));
    plugin.gets(&format!("/api/jobs/{id}"));
    daemon.kill();
    assert_eq!(plugin.pauses(), 5);
    let daemon = Daemon::start_with(&home, |c| {
        c.env("TRANSCRIPTORD_LISTEN", addr.to_string());
    });
    plugin.go_on();
    daemon.post(&format!("/api/jobs/{id}/cancel"), "");
    let ended = plugin.ended();
    assert_eq!(ended["made"], json!([null]), "{ended}");
    assert!(ended["log"].to_string().contains(&format!("job {id} cancelled")), "{ended}");
}
