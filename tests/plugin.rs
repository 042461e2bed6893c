//! The provider plug-in for Bazarr against the daemon: it submits, polls, and never holds Bazarr up. Knows no engine.

mod bazarr_plugin;
mod http_fixture;

use bazarr_plugin::{Plugin, film, runs_here, samples};
use http_fixture::{Daemon, pcm, transcript};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;
use transcriptord::http::Required;
use transcriptord::job::{Job, JobKind, Source, Task};

const KEY: &str = "5d1c0a9be7d04c5f8a6b2d1e9c7f4a30";

/// A daemon whose jobs the test does, and a film; nothing where the plug-in cannot run.
fn ready(tags: &[&str]) -> Option<(Daemon, PathBuf, TempDir)> {
    if !runs_here() {
        return None;
    }
    // Not in the daemon's library: what is sent counts.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("A film (2020).mkv");
    film(&path, tags);
    Some((Daemon::start(), path, dir))
}

/// English is wanted of a film with these tags.
fn english(daemon: &Daemon, path: &std::path::Path, tags: &[&str]) -> Value {
    json!({"endpoint": format!("http://{}", daemon.addr), "film": path, "tags": tags, "wanted": "eng"})
}

fn text_of(made: &Value) -> &str {
    made["made"][0].as_str().unwrap_or_else(|| panic!("nothing was made: {made}"))
}

/// Nothing is left in `content`: Bazarr saves nothing and throttles nothing.
fn nothing(ended: &Value) {
    assert_eq!(ended["made"], json!([null]), "{ended}");
}

#[test]
fn the_track_in_the_language_is_sent_and_its_subtitle_fetched() {
    let Some((daemon, path, _dir)) = ready(&["jpn", "eng"]) else { return };
    let mut asked = english(&daemon, &path, &["jpn", "eng"]);
    asked["ping"] = true.into();
    let mut plugin = Plugin::ask(&asked);
    let (job, claim) = daemon.claim(JobKind::Transcription);
    assert!(daemon.queue.finish(&claim, &transcript(&["Grüße."])).unwrap());
    let ended = plugin.ended();
    assert_eq!(ended["found"], json!([["eng", "eng", "transcribe"]]), "neither forced nor for the deaf");
    assert!(text_of(&ended).contains(" --> ") && text_of(&ended).contains("Grüße."), "{ended}");
    assert_eq!((ended["ping"].as_bool(), &ended["log"]), (Some(true), &json!([])));
    let hash = blake3::hash(&samples(&path, 1)).to_hex().to_string();
    assert_eq!(job.source, Source::Spool { hash, raw: true });
    assert_eq!((job.source_lang, job.file_name.as_str()), (Some("en".parse().unwrap()), "A film (2020).mkv"));
}

/// The job that an ask for English becomes.
fn job(film_tags: &[&str], known_tags: &[&str]) -> Option<Job> {
    let (daemon, path, _dir) = ready(film_tags)?;
    let mut plugin = Plugin::ask(&english(&daemon, &path, known_tags));
    let job = daemon.transcribe(&["Hello."]);
    text_of(&plugin.ended());
    Some(job)
}

#[test]
fn english_of_other_speech_is_a_translation_and_untagged_speech_is_found_out() {
    let Some(german) = job(&["ger"], &["deu"]) else { return };
    assert_eq!((german.task, german.source_lang), (Task::Translate, Some("de".parse().unwrap())));
    let untagged = job(&[""], &["und"]).unwrap();
    assert_eq!((untagged.task, untagged.source_lang), (Task::Translate, None));
}

#[test]
fn a_job_that_fails_or_is_cancelled_leaves_nothing_and_says_why() {
    let Some((daemon, path, _dir)) = ready(&["eng"]) else { return };
    let asked = english(&daemon, &path, &["eng"]);
    let mut plugin = Plugin::ask(&asked);
    let failed = daemon.fail("there is nothing to hear");
    let ended = plugin.ended();
    nothing(&ended);
    assert!(ended["log"].to_string().contains("there is nothing to hear"), "{ended}");
    // Its key is held back: the next search hears so at once.
    nothing(&Plugin::ask(&asked).ended());

    daemon.queue.retry(failed.id).unwrap();
    let mut plugin = Plugin::ask(&asked);
    plugin.gets(&format!("/api/jobs/{}", failed.id));
    daemon.queue.cancel(failed.id).unwrap();
    let ended = plugin.ended();
    nothing(&ended);
    assert!(ended["log"].to_string().contains("cancelled"), "{ended}");
}

#[test]
fn silence_leaves_nothing() {
    let Some((daemon, path, _dir)) = ready(&["eng"]) else { return };
    let mut plugin = Plugin::ask(&english(&daemon, &path, &["eng"]));
    daemon.transcribe(&[]);
    nothing(&plugin.ended());
}

#[test]
fn when_its_time_is_over_the_job_goes_on_and_the_next_search_finds_it() {
    let Some((daemon, path, _dir)) = ready(&["eng"]) else { return };
    let mut asked = english(&daemon, &path, &["eng"]);
    asked["timeout"] = 1.into();
    let ended = Plugin::ask(&asked).ended();
    nothing(&ended);
    assert!(ended["log"].to_string().contains("goes on"), "{ended}");
    daemon.transcribe(&["Late."]);
    assert!(text_of(&Plugin::ask(&asked).ended()).contains("Late."));
    assert_eq!(daemon.queue.counts().unwrap().total, 1);
}

#[test]
fn the_key_is_sent_and_without_it_nothing_is_made() {
    if !runs_here() {
        return;
    }
    let daemon = Daemon::start_with(|shared| {
        shared.settings.access.key = KEY.into();
        shared.settings.access.required = Required::Always;
    });
    let path = daemon.library.join("film.mkv");
    film(&path, &["eng"]);
    let mut asked = english(&daemon, &path, &["eng"]);
    let ended = Plugin::ask(&asked).ended();
    nothing(&ended);
    assert!(ended["log"].to_string().contains("401"), "{ended}");
    asked["api_key"] = KEY.into();
    let mut plugin = Plugin::ask(&asked);
    daemon.transcribe(&["Let in."]);
    assert!(text_of(&plugin.ended()).contains("Let in."));
}

#[test]
fn a_daemon_with_no_room_is_asked_again_after_the_time_it_says() {
    if !runs_here() {
        return;
    }
    let daemon = Daemon::start_with(|shared| shared.settings.max_uploads = 1);
    let path = daemon.library.join("film.mkv");
    film(&path, &["eng"]);
    // The only seat is taken by an upload that does not end.
    let other = http_fixture::client::bazarr("/asr", &pcm(1));
    let mut seated = http_fixture::client::connect(daemon.addr);
    seated.write_all(&other[..1000]).unwrap();
    http_fixture::until("the upload to begin", || (!daemon.spooled().is_empty()).then_some(()));
    let mut plugin = Plugin::ask(&english(&daemon, &path, &["eng"]));
    assert_eq!(plugin.pauses(), 5);
    drop(seated);
    http_fixture::until("the seat to be free", || daemon.spooled().is_empty().then_some(()));
    plugin.go_on();
    daemon.transcribe(&["At last."]);
    assert!(text_of(&plugin.ended()).contains("At last."));
}

#[test]
fn a_film_that_ffmpeg_cannot_read_is_given_up() {
    let Some((daemon, _, _dir)) = ready(&["eng"]) else { return };
    let broken = daemon.media("broken.mkv");
    let ended = Plugin::ask(&english(&daemon, &broken, &["eng"])).ended();
    nothing(&ended);
    assert_eq!(daemon.queue.counts().unwrap().total, 0);
}
