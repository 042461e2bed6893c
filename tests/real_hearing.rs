//! What is heard and what is written down, with the real model and real speech: hotwords, tracks, late sound, no sound,
//! half a file; from the command line and as jobs by path.

mod daemon;

use daemon::speech::{self, clip, errors, ffmpeg, said};
use daemon::{Daemon, Home, names};
use serde_json::json;
use std::path::Path;
use std::process::Output;

/// Runs `transcribe` on a file of the library; gives what it writes and what it says.
fn transcribe(home: &Home, words: &[&str]) -> (String, String) {
    let output = home.program(&[&["transcribe", "-o", "-"], words].concat()).output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    (String::from_utf8(output.stdout.clone()).unwrap(), err(&output))
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The start of the first cue, in milliseconds.
fn begins(srt: &str) -> i64 {
    let line = srt.lines().find(|line| line.contains("-->")).expect(srt);
    let (clock, ms) = line.split(" --> ").next().unwrap().split_once(',').unwrap();
    clock.split(':').fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap()) * 1000
        + ms.parse::<i64>().unwrap()
}

/// A film whose picture is black and whose only track is a clip, five seconds late.
fn late(from: &Path, options: &[&str], to: &Path) {
    let filter = ["-itsoffset", "5", "-i", from.to_str().unwrap(), "-map", "0:v", "-map", "1:a"];
    let mut command = std::process::Command::new("ffmpeg");
    command.args([
        "-nostdin",
        "-v",
        "error",
        "-y",
        "-f",
        "lavfi",
        "-i",
        "color=black:size=32x32:rate=25:duration=14",
    ]);
    assert!(command.args(filter).args(options).arg(to).status().unwrap().success());
}

#[test]
fn a_hotword_changes_how_a_name_is_spelled() {
    let Some(home) = speech::home() else { return };
    std::fs::copy(clip("en_thanks").path, home.path("library/talk.wav")).unwrap();
    let ask = ["--language", "en", "--format", "txt", "library/talk.wav"];
    let (plain, _) = transcribe(&home, &ask);
    assert!(!plain.contains("Astorisque"), "{plain}");
    let (told, _) = transcribe(&home, &[&["--hotwords", "Astorisque"][..], &ask].concat());
    assert!(told.contains("Astorisque"), "{told}");
    // The same from the film's own description.
    let nfo = "<movie><title>A talk</title><actor><name>A</name><role>Astorisque</role></actor></movie>";
    std::fs::write(home.path("library/talk.nfo"), nfo).unwrap();
    let (told, _) = transcribe(&home, &[&["--prompt-from-title"][..], &ask].concat());
    assert!(told.contains("Astorisque"), "{told}");
    let right = clip("en_thanks").text;
    assert!(errors(&right, &said(&told)).wrong <= 3, "{told}");
}

#[test]
fn where_nobody_speaks_no_prompt_makes_words() {
    let Some(home) = speech::home() else { return };
    for name in ["none_noise", "none_silence"] {
        std::fs::copy(clip(name).path, home.path("library").join(format!("{name}.wav"))).unwrap();
        let film = format!("library/{name}.wav");
        let (text, _) =
            transcribe(&home, &["--language", "en", "--prompt", "Frodo, Gandalf. Thank you.", &film]);
        assert_eq!(text, "", "{name}");
    }
}

#[test]
fn sound_that_begins_late_has_late_cues() {
    let Some(home) = speech::home() else { return };
    let thanks = clip("en_thanks");
    std::fs::copy(&thanks.path, home.path("library/plain.wav")).unwrap();
    let (plain, _) = transcribe(&home, &["--language", "en", "library/plain.wav"]);
    let daemon = Daemon::start(&home);
    for (name, options) in [
        ("film.mkv", &["-c:v", "mpeg4", "-c:a", "ac3"][..]),
        ("film.mp4", &["-c:v", "mpeg4", "-c:a", "aac"]),
        ("film.ts", &["-c:v", "mpeg2video", "-c:a", "mp2", "-output_ts_offset", "3000"]),
    ] {
        let film = home.path("library").join(name);
        late(&thanks.path, options, &film);
        let (srt, _) = transcribe(&home, &["--language", "en", film.to_str().unwrap()]);
        let apart = begins(&srt) - begins(&plain) - 5_000;
        assert!(apart.abs() <= 150, "{name}: {apart} ms off\n{srt}");

        let body = json!({ "file_path": film, "source_lang": "en", "target_lang": "en" }).to_string();
        let job = daemon.post("/api/jobs", &body).json();
        let job = daemon.job_ended(job["id"].as_str().unwrap());
        let srt =
            std::fs::read_to_string(job["output_path"].as_str().unwrap_or_else(|| panic!("{job}"))).unwrap();
        let apart = begins(&srt) - begins(&plain) - 5_000;
        assert!(apart.abs() <= 300, "{name} as a job: {apart} ms off\n{srt}");
        std::fs::remove_file(film).unwrap();
    }
}

#[test]
fn the_track_is_chosen_by_number_by_language_and_by_preference() {
    let Some(home) = speech::home() else { return };
    let (english, french) = (clip("en_echo"), clip("fr_prompts"));
    let film = home.path("library/film.mkv");
    let second = ["-i", english.path.to_str().unwrap(), "-map", "0", "-map", "1", "-c:a", "ac3"];
    let tags =
        ["-metadata:s:a:0", "language=fre", "-metadata:s:a:1", "language=eng", "-disposition:a:0", "default"];
    ffmpeg(&french.path, &[&second[..], &tags].concat(), &film);
    let check = |words: &[&str], expected: &speech::Clip| {
        let words = [&["--format", "txt"], words, &["library/film.mkv"]].concat();
        let (text, _) = transcribe(&home, &words);
        let found = errors(&expected.text, &said(&text));
        assert!(found.rate() <= 0.25, "{words:?}: {found:?}\n{text}");
    };
    // English is preferred unless something else is said.
    check(&[], &english);
    check(&["--language", "fr"], &french);
    check(&["--track", "0"], &french);
    check(&["--set", "preferred_audio_languages=de,fr"], &french);
    let missing = home.program(&["transcribe", "--track", "2", "library/film.mkv"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    let told = err(&missing);
    assert!(
        told.contains("has no audio track 2") && told.contains("0 (fre, ac3") && told.contains("1 (eng, ac3"),
        "{told}"
    );
}

#[test]
fn without_speech_no_file_is_written_and_no_language_is_told() {
    let Some(home) = speech::home() else { return };
    std::fs::copy(clip("none_noise").path, home.path("library/noise.wav")).unwrap();
    let output = home.program(&["transcribe", "library/noise.wav"]).output().unwrap();
    assert!(output.status.success());
    assert!(err(&output).contains("noise.wav: no words were found, nothing was written"), "{}", err(&output));
    let output = home.program(&["transcribe", "--output", "-", "library/noise.wav"]).output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(err(&output).contains("noise.wav: no words were found\n"), "{}", err(&output));
    // What is there is not emptied.
    std::fs::write(home.path("library/old.srt"), "OLD").unwrap();
    let output =
        home.program(&["transcribe", "-o", "library/old.srt", "library/noise.wav"]).output().unwrap();
    assert!(output.status.success());
    let left = "noise.wav: no words were found, library/old.srt is left as it was";
    assert!(err(&output).contains(left), "{}", err(&output));
    assert_eq!(std::fs::read(home.path("library/old.srt")).unwrap(), b"OLD");
    std::fs::remove_file(home.path("library/old.srt")).unwrap();
    // Least of all the sound itself.
    let itself = ["transcribe", "--format", "srt", "-o", "library/noise.wav", "library/noise.wav"];
    let output = home.program(&itself).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("library/noise.wav is there and is no subtitle: "), "{}", err(&output));
    // Where nothing can be written nothing is heard: that would be told first.
    let output =
        home.program(&["transcribe", "--output", "nowhere/x.srt", "library/noise.wav"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("noise.wav: cannot write nowhere/x.srt: "), "{}", err(&output));
    assert!(!err(&output).contains("no words"), "{}", err(&output));
    let daemon = Daemon::start(&home);
    let body = json!({ "file_path": home.path("library/noise.wav"), "target_lang": "en" }).to_string();
    let id = daemon.post("/api/jobs", &body).json()["id"].as_str().unwrap().to_string();
    let job = daemon.job_ended(&id);
    assert_eq!((&job["status"], &job["segments_count"]), (&json!("completed"), &json!(0)), "{job}");
    assert_eq!((&job["source_lang"], &job["output_path"]), (&json!(null), &json!(null)), "{job}");
    assert_eq!(job["note"], "no words were found, no subtitle file was written");
    assert_eq!(names(&home.path("library")), ["noise.wav"]);
}

#[test]
fn half_a_file_gives_half_a_subtitle_and_says_so() {
    let Some(home) = speech::home() else { return };
    let whole = home.path("spare/whole.mkv");
    ffmpeg(&clip("en_demo").path, &["-c:a", "ac3"], &whole);
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(home.path("library/half.mkv"), &bytes[..bytes.len() / 2]).unwrap();
    let (srt, told) = transcribe(&home, &["--language", "en", "--report", "library/half.mkv"]);
    assert!(said(&srt).contains("Asterisk"), "{srt}");
    assert!(told.contains("half.mkv: warning: the sound ends after "), "{told}");
    assert!(told.contains(": the sound ends after "), "{told}");

    let daemon = Daemon::start(&home);
    let body =
        json!({ "file_path": home.path("library/half.mkv"), "source_lang": "en", "target_lang": "en" });
    let id = daemon.post("/api/jobs", &body.to_string()).json()["id"].as_str().unwrap().to_string();
    assert_eq!(daemon.job_ended(&id)["status"], "completed");
    let report = daemon.get(&format!("/api/jobs/{id}/report"));
    assert!(report["reasons"][0].as_str().unwrap().contains("the sound ends after "), "{report}");
    assert!(daemon.log().contains("the file is cut short or damaged"), "{}", daemon.log());
}

#[test]
fn a_line_that_is_said_twice_is_written_twice() {
    let Some(home) = speech::home() else { return };
    let twice = "[0:a]apad=pad_dur=0.8,asplit[a][b];[a][b]concat=n=2:v=0:a=1";
    let path = home.path("library/twice.wav");
    ffmpeg(&clip("en_thanks").path, &["-filter_complex", twice], &path);
    let (srt, told) = transcribe(&home, &["--language", "en", "--report", "library/twice.wav"]);
    assert_eq!(
        said(&srt).to_lowercase().matches("thank you for trying out the asterisk").count(),
        2,
        "{srt}"
    );
    assert!(!told.contains("speech has no words") && !told.contains("loop"), "{told}");
}

#[test]
fn damage_in_the_middle_costs_points_and_is_told() {
    let Some(home) = speech::home() else { return };
    let film = home.path("library/film.mkv");
    ffmpeg(&clip("en_demo").path, &["-af", "apad=pad_dur=20", "-c:a", "ac3"], &film);
    let whole = std::fs::read(&film).unwrap();
    let mut bytes = whole.clone();
    let middle = bytes.len() / 3..bytes.len() / 2;
    bytes[middle].fill(0x55);
    std::fs::write(&film, bytes).unwrap();
    let (srt, told) = transcribe(&home, &["--language", "en", "--report", "library/film.mkv"]);
    assert!(said(&srt).contains("Asterisk"), "{srt}");
    assert!(
        told.contains("film.mkv: warning: ") && told.contains(" s of the sound is damaged, at "),
        "{told}"
    );
    assert!(told.contains("words may be missing there\n") && told.contains(": damaged\n"), "{told}");
    std::fs::write(&film, whole).unwrap();
    let (_, told) = transcribe(&home, &["--language", "en", "--report", "library/film.mkv"]);
    assert!(!told.contains("warning") && !told.contains("damaged"), "{told}");
    // Of MP3 the length is guessed, and what is damaged leaves no hole.
    let song = home.path("library/song.mp3");
    ffmpeg(&clip("en_demo").path, &["-af", "apad=pad_dur=20", "-b:a", "64k"], &song);
    let mut bytes = std::fs::read(&song).unwrap();
    let middle = bytes.len() / 3..bytes.len() / 2;
    bytes[middle].fill(0x55);
    std::fs::write(&song, bytes).unwrap();
    let (_, told) = transcribe(&home, &["--language", "en", "--report", "library/song.mp3"]);
    assert!(told.contains("song.mp3: warning: the sound ends after "), "{told}");
}

#[test]
fn a_language_that_was_told_wrong_is_told_back() {
    let Some(home) = speech::home() else { return };
    std::fs::copy(clip("en_demo").path, home.path("library/talk.wav")).unwrap();
    let (_, told) = transcribe(&home, &["--language", "es", "--report", "library/talk.wav"]);
    let why = "the speech sounds like English, not Spanish as was told: most words may be wrong";
    assert!(told.contains(&format!("talk.wav: warning: {why}\n")), "{told}");
    assert!(told.contains(&format!("  -60: {why}\n")), "{told}");
}

#[test]
fn a_subtitle_that_is_there_is_replaced_and_the_command_says_so() {
    let Some(home) = speech::home() else { return };
    std::fs::copy(clip("en_thanks").path, home.path("library/talk.wav")).unwrap();
    std::fs::write(home.path("library/talk.eng.srt"), "made by hand").unwrap();
    let output = home.program(&["transcribe", "--language", "en", "library/talk.wav"]).output().unwrap();
    assert!(err(&output).contains("talk.eng.srt in place of the one that was there"), "{}", err(&output));
    assert!(std::fs::read_to_string(home.path("library/talk.eng.srt")).unwrap().contains("-->"));
}

#[test]
fn a_prompt_that_is_too_long_loses_its_beginning_and_the_command_says_so() {
    let Some(home) = speech::home() else { return };
    std::fs::copy(clip("en_thanks").path, home.path("library/talk.wav")).unwrap();
    let prompt = "Nobody needs so many words as these. ".repeat(60) + "We use the Asterisk PBX.";
    let (srt, told) = transcribe(&home, &["--language", "en", "--prompt", &prompt, "library/talk.wav"]);
    assert!(said(&srt).contains("Asterisk"), "{srt}");
    assert!(told.contains("talk.wav: warning: the prompt is too long: the first "), "{told}");
}
