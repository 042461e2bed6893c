//! The forms of a real model: made from f16 at the first use, compared, kept, and not used where they cannot be trusted.

mod daemon;

use daemon::speech::{self, clip, errors, said};
use daemon::{Daemon, Home, names};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// A home with a cache folder of its own.
fn home() -> Option<Home> {
    let home = speech::home()?;
    fs::copy(clip("en_echo").path, home.path("library/talk.wav")).unwrap();
    Some(home)
}

/// One job under this compute type; gives what the daemon told and the model that was used.
fn heard(home: &Home, compute: &str) -> (String, String) {
    // A daemon of before would have the result.
    let _ = fs::remove_dir_all(home.path("data"));
    let daemon = Daemon::start_with(home, |c| {
        c.env("TRANSCRIPTORD_CPU_COMPUTE_TYPE", compute).env("TRANSCRIPTORD_CACHE_DIR", home.path("cache"));
    });
    let clip = clip("en_echo");
    let accepted = daemon.asr("task=transcribe&language=en&output=srt&encode=false&async=true", &clip.pcm);
    let id = accepted.json()["id"].as_str().unwrap().to_string();
    let job = daemon.job_ended(&id);
    assert_eq!(job["status"], "completed", "{job}\n{}", daemon.log());
    let srt = daemon.get_text(&format!("/api/jobs/{id}/subtitle"));
    let found = errors(&clip.text, &said(&srt));
    assert!(found.rate() <= 0.15, "{found:?}:\n{srt}");
    (daemon.log(), job["model_used"].as_str().unwrap().to_string())
}

/// What a command says of the forms in use.
fn says(home: &Home, words: &[&str], compute: &str) -> String {
    let mut program = home.program(words);
    program.env("TRANSCRIPTORD_CPU_COMPUTE_TYPE", compute).env("TRANSCRIPTORD_CACHE_DIR", home.path("cache"));
    String::from_utf8(program.output().unwrap().stdout).unwrap()
}

fn changed(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

/// The one file of that ending in the cache.
fn kept(home: &Home, ending: &str) -> std::path::PathBuf {
    let all = names(&home.path("cache"));
    let found: Vec<_> = all.iter().filter(|name| name.ends_with(ending)).collect();
    assert_eq!(found.len(), 1, "{all:?}");
    home.path("cache").join(found[0])
}

#[test]
fn the_form_that_is_missing_is_made_and_compared_once() {
    let Some(home) = home() else { return };
    assert!(
        says(&home, &["model", "list", "--installed"], "q8_0").contains("made into q8_0 at its first use")
    );
    let (log, model) = heard(&home, "q8_0");
    assert_eq!(model, "base-q8_0", "{log}");
    assert!(log.contains("base-q8_0 made of base") && log.contains("base-q8_0 agrees with f16"), "{log}");
    assert!(log.contains("model base-q8_0 loaded on cpu"), "{log}");
    assert!(log.contains("model base: made into q8_0 at its first use"), "{log}");
    assert_eq!(names(&home.path("models")), ["ggml-base.bin"]);

    let file = kept(&home, ".bin");
    let when = changed(&file);
    let (log, model) = heard(&home, "q8_0");
    assert_eq!(model, "base-q8_0");
    assert!(!log.contains("made of") && !log.contains("agrees with"), "{log}");
    assert_eq!(changed(&file), when);
    for words in [&["model", "list", "--installed"][..], &["doctor"]] {
        let text = says(&home, words, "q8_0");
        assert!(text.contains("used as q8_0 (0.0") && text.contains("apart from f16)"), "{text}");
    }
}

#[test]
fn f16_is_used_as_it_lies_there_when_it_is_asked_for() {
    let Some(home) = home() else { return };
    let (log, model) = heard(&home, "f16");
    assert_eq!(model, "base", "{log}");
    assert!(!home.path("cache").exists());
    assert!(says(&home, &["doctor"], "f16").contains("base is used as f16"));
}

#[test]
fn a_form_that_disagrees_with_f16_is_not_used() {
    let Some(home) = home() else { return };
    heard(&home, "q8_0");
    // As if its kernels were wrong: the vocabulary's matrix, the first of all, is another one; and it was never compared.
    let (file, record) = (kept(&home, ".bin"), kept(&home, ".json"));
    let mut bytes = fs::read(&file).unwrap();
    bytes[8 << 20..28 << 20].iter_mut().step_by(3).for_each(|byte| *byte ^= 0x15);
    fs::write(&file, bytes).unwrap();
    let unproved = fs::read_to_string(&record).unwrap().replace("\"agrees\": true", "\"agrees\": null");
    fs::write(&record, unproved).unwrap();

    let (log, model) = heard(&home, "q8_0");
    assert_eq!(model, "base", "{log}");
    assert!(log.contains("base is used as f16: base-q8_0 is") && log.contains("apart from f16"), "{log}");
    assert!(!file.exists());
    assert!(says(&home, &["doctor"], "q8_0").contains("base is used as f16: q8_0 is"));
    // Nor is it made again to be refused again.
    let (log, _) = heard(&home, "q8_0");
    assert!(!log.contains("made of") && !file.exists(), "{log}");
}

#[test]
fn where_no_form_can_be_kept_f16_is_used_and_the_log_says_why() {
    let Some(home) = home() else { return };
    fs::write(home.path("cache"), "a file").unwrap();
    let (log, model) = heard(&home, "bf16");
    assert_eq!(model, "base", "{log}");
    assert!(log.contains("base is used as f16: cannot") && log.contains("cache"), "{log}");
}

#[test]
fn what_cannot_be_made_is_refused_at_the_start() {
    let home = Home::new();
    let (code, log) = Daemon::refused(&home, |c| {
        c.env("TRANSCRIPTORD_GPU_COMPUTE_TYPE", "int8");
    });
    assert_eq!(code, Some(2), "{log}");
    assert!(log.contains("'int8' is not one of auto, f16, bf16, q8_0, q5_1"), "{log}");
}

#[test]
fn transcribe_goes_by_the_same_setting() {
    let Some(home) = home() else { return };
    let text = |compute: &str| {
        let words = ["transcribe", "--language", "en", "-o", "-", "library/talk.wav"];
        let text = says(&home, &words, compute);
        assert!(errors(&clip("en_echo").text, &said(&text)).rate() <= 0.15, "{text}");
    };
    text("f16");
    assert!(!home.path("cache").exists());
    text("q5_1");
    assert!(kept(&home, ".bin").to_str().unwrap().contains("ggml-base-q5_1-"));
}
