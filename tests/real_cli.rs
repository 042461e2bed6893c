//! The command line with the real model and real speech: without a daemon, and against one.

mod daemon;

use daemon::speech::{self, clip, said};
use daemon::{Daemon, Home, names};
use std::process::Output;

/// Runs the program to its end.
fn run(home: &Home, words: &[&str]) -> Output {
    home.program(words).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn ended(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", out(output), err(output));
}

/// Two recordings and a file that is none, in the library.
fn home() -> Option<Home> {
    let home = speech::home()?;
    for (from, to) in [("en_thanks", "talk.wav"), ("fr_prompts", "discours.wav")] {
        std::fs::copy(clip(from).path, home.path("library").join(to)).unwrap();
    }
    std::fs::write(home.path("library/text.mkv"), "no film").unwrap();
    Some(home)
}

#[test]
fn transcribe_writes_beside_the_file_to_standard_output_and_to_a_file() {
    let Some(home) = home() else { return };
    let beside = run(&home, &["transcribe", "library/talk.wav"]);
    ended(&beside, 0);
    assert_eq!(out(&beside), "");
    assert!(err(&beside).contains("1 cue in English, written to library/talk.eng.srt"), "{}", err(&beside));
    let srt = std::fs::read_to_string(home.path("library/talk.eng.srt")).unwrap();
    assert!(said(&srt).to_lowercase().contains("asterisk"), "{srt}");

    let piped = run(&home, &["transcribe", "--language", "en", "-o", "-", "library/talk.wav"]);
    ended(&piped, 0);
    assert_eq!(out(&piped), srt);
    assert_eq!(err(&piped), "");

    let named = run(&home, &["transcribe", "--language", "en", "-o", "spare/a.vtt", "library/talk.wav"]);
    ended(&named, 0);
    assert!(std::fs::read_to_string(home.path("spare/a.vtt")).unwrap().starts_with("WEBVTT"));
}

#[test]
fn transcribe_does_the_good_files_though_one_is_bad() {
    let Some(home) = home() else { return };
    let words = [
        "transcribe",
        "-o",
        "spare",
        "library/talk.wav",
        "library/text.mkv",
        "library/none.mkv",
        "library/discours.wav",
    ];
    let output = run(&home, &words);
    ended(&output, 1);
    assert_eq!(names(&home.path("spare")), ["discours.fre.srt", "talk.eng.srt"]);
    let told = err(&output);
    let count = |sentence: &str| told.matches(sentence).count();
    assert_eq!(count("transcriptord: library/text.mkv: "), 1, "{told}");
    assert_eq!(count("not audio or video that ffmpeg can read"), 1, "{told}");
    assert_eq!(count("transcriptord: library/none.mkv: there is no such file"), 1, "{told}");
    assert_eq!(count("written to spare/"), 2, "{told}");
}

#[test]
fn transcribe_refuses_what_it_cannot_mean() {
    let Some(home) = home() else { return };
    let check = |words: &[&str], code: i32, sentence: &str| {
        let output = run(&home, &[&["transcribe"], words].concat());
        ended(&output, code);
        assert!(err(&output).contains(sentence), "{}", err(&output));
    };
    check(&["-o", "one.srt", "library/talk.wav", "library/discours.wav"], 2, "there are 2 files");
    check(&["--language", "klingon", "library/talk.wav"], 2, "klingon");
    check(&["--format", "pdf", "library/talk.wav"], 2, "pdf");
    check(&["--model", "small", "library/talk.wav"], 1, "the model 'small' is not installed");
    check(&["library"], 1, "this is a folder");
    assert_eq!(names(&home.path("library")), ["discours.wav", "talk.wav", "text.mkv"]);
}

#[test]
fn jobs_are_added_watched_and_ended_from_the_command_line() {
    let Some(home) = home() else { return };
    let daemon = Daemon::start(&home);
    let url = daemon.url();
    let job = |words: &[&str]| run(&home, &[&["job"], words, &["--server", &url]].concat());
    let film = home.path("library/talk.wav");
    let film = film.to_str().unwrap();

    let added = job(&["add", "--language", "en", "--wait", film]);
    ended(&added, 0);
    let text = out(&added);
    let id = text.lines().next().unwrap();
    assert!(text.contains("talk.wav completed in ") && text.contains("talk.eng.srt"), "{text}");
    let srt = std::fs::read_to_string(home.path("library/talk.eng.srt")).unwrap();
    // The preset `fast` of eleven words: two of them may be names that it does not know.
    assert!(speech::errors(&clip("en_thanks").text, &said(&srt)).wrong <= 2, "{srt}");
    let shown = job(&["show", id]);
    ended(&shown, 0);
    assert!(out(&shown).contains("completed") && out(&shown).contains(film), "{}", out(&shown));
    ended(&job(&["wait", id]), 0);
    let listed = job(&["list"]);
    ended(&listed, 0);
    assert!(out(&listed).contains(id) && out(&listed).contains("talk.wav"), "{}", out(&listed));
    // The same work again is named, not done twice.
    let again = job(&["add", "--language", "en", film]);
    ended(&again, 0);
    assert_eq!(out(&again).trim(), id);
    assert!(err(&again).contains("already completed"), "{}", err(&again));

    // A job that cannot be done says why, a cancelled one can be queued again.
    let bad = job(&["add", "--language", "en", "--wait", home.path("library/text.mkv").to_str().unwrap()]);
    ended(&bad, 1);
    assert!(err(&bad).contains("text.mkv failed: "), "{}", err(&bad));
    assert_eq!(daemon.post("/api/queue/pause", "").status, 200);
    let other = home.path("library/discours.wav");
    let waiting = job(&["add", "--language", "fr", other.to_str().unwrap()]);
    ended(&waiting, 0);
    let waiting = out(&waiting).trim().to_string();
    let cancelled = job(&["cancel", &waiting]);
    ended(&cancelled, 0);
    assert_eq!(out(&cancelled), format!("{waiting} cancelled\n"));
    ended(&job(&["wait", &waiting]), 1);
    ended(&job(&["cancel", &waiting]), 1);
    ended(&job(&["retry", &waiting]), 0);
    assert_eq!(daemon.post("/api/queue/resume", "").status, 200);
    ended(&job(&["wait", &waiting]), 0);
    assert!(home.path("library/discours.fre.srt").exists());

    let outside = job(&["add", "--language", "en", home.path("spare/x.mkv").to_str().unwrap()]);
    ended(&outside, 1);
    assert!(err(&outside).contains("outside the library"), "{}", err(&outside));
}

#[test]
fn the_doctor_says_what_is_there_and_what_to_do() {
    let Some(home) = home() else { return };
    let well = run(&home, &["doctor"]);
    ended(&well, 0);
    for word in ["base in ", "ffmpeg version", "LLAMAFILE = 1", home.path("library").to_str().unwrap()] {
        assert!(out(&well).contains(word), "no '{word}' in:\n{}", out(&well));
    }
    let ill = Home::new();
    std::fs::write(ill.path("models/ggml-tiny.bin"), "<!DOCTYPE html>").unwrap();
    let found = run(&ill, &["doctor"]);
    ended(&found, 1);
    assert!(out(&found).contains("transcriptord model pull"), "{}", out(&found));
    assert!(out(&found).contains("ggml-tiny.bin") && out(&found).contains("a web page"), "{}", out(&found));
}
