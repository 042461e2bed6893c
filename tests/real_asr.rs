//! What Bazarr asks for, from the real program with the real model and real speech: words, languages, containers.

mod daemon;

use daemon::client::{Reply, multipart, part, plain};
use daemon::speech::{self, Errors, clip, clips, errors, said};
use daemon::{Daemon, Home};

const ASK: &str = "task=transcribe&output=srt&encode=false";

fn running() -> Option<(Home, Daemon)> {
    let home = speech::home()?;
    let daemon = Daemon::start(&home);
    Some((home, daemon))
}

#[test]
fn speech_is_written_down_as_it_was_said() {
    let Some((_home, daemon)) = running() else { return };
    let (mut english, mut others) = (Errors::default(), Errors::default());
    for clip in clips().iter().filter(|clip| clip.language() != "none") {
        let reply = daemon.asr(&format!("{ASK}&language={}", clip.language()), &clip.pcm);
        assert_eq!(reply.status, 200);
        assert!(reply.header("x-job-id").is_some());
        let srt = reply.decoded();
        assert!(srt.starts_with("1\n00:00:"), "{srt}");
        let found = errors(&clip.text, &said(&srt));
        println!("{}: {} of {} words wrong", clip.name, found.wrong, found.words);
        if clip.language() == "en" { &mut english } else { &mut others }.add(found);
    }
    println!("English {:.3}, others {:.3}", english.rate(), others.rate());
    assert!(english.words > 100 && others.words > 100);
    assert!(english.rate() <= 0.10, "English: {english:?}");
    assert!(others.rate() <= 0.20, "others: {others:?}");
}

#[test]
fn where_nobody_speaks_there_is_no_cue() {
    let Some((_home, daemon)) = running() else { return };
    let silent: Vec<_> = clips().into_iter().filter(|clip| clip.language() == "none").collect();
    assert!(!silent.is_empty());
    for clip in silent {
        let reply = daemon.asr(&format!("{ASK}&language=en"), &clip.pcm);
        let id = reply.header("x-job-id").unwrap().to_string();
        assert_eq!(reply.decoded(), "", "{}", clip.name);
        let job = daemon.job(&id);
        assert_eq!((job["status"].as_str(), job["segments_count"].as_u64()), (Some("completed"), Some(0)));
    }
}

#[test]
fn the_language_is_told_and_needs_no_label() {
    let Some((_home, daemon)) = running() else { return };
    let heard = |name: &str| {
        let target = "/detect-language?encode=false";
        Reply::to(daemon.addr, &daemon::client::bazarr(target, &clip(name).pcm)).json()
    };
    let check = |name: &str, code: &str, language: &str| {
        let answer = heard(name);
        let told = (answer["language_code"].as_str(), answer["detected_language"].as_str());
        assert_eq!(told, (Some(code), Some(language)), "{name}: {answer}");
    };
    check("en_echo", "en", "english");
    check("es_prompts", "es", "spanish");
    check("fr_prompts", "fr", "french");
    check("it_prompts", "it", "italian");
    check("ru_prompts", "ru", "russian");
    // The same without a label, and with the label `auto`.
    let italian = clip("it_prompts");
    for query in [ASK.to_string(), format!("{ASK}&language=auto")] {
        let reply = daemon.asr(&query, &italian.pcm);
        let id = reply.header("x-job-id").unwrap().to_string();
        let found = errors(&italian.text, &said(&reply.text_of()));
        assert!(found.rate() <= 0.15, "{found:?}");
        assert_eq!(daemon.job(&id)["source_lang"], "it");
    }
}

#[test]
fn the_same_request_again_gets_the_finished_subtitle() {
    let Some((_home, daemon)) = running() else { return };
    let (query, clip) = (format!("{ASK}&language=en"), clip("en_thanks"));
    let first = daemon.asr(&query, &clip.pcm);
    let id = first.header("x-job-id").unwrap().to_string();
    let first = first.text_of();
    assert!(!first.is_empty());
    let again = daemon.asr(&query, &clip.pcm);
    assert_eq!(again.header("x-job-id"), Some(id.as_str()));
    assert_eq!(again.text_of(), first);
    // A client that reads no gzip has the same text.
    let unpacked = Reply::to(daemon.addr, &plain(&format!("/asr?{query}"), &clip.pcm));
    assert_eq!(unpacked.text_of(), first);
    assert_eq!(daemon.get("/api/jobs/stats")["total_jobs"], 1);
}

#[test]
fn containers_are_read_as_raw_samples_are() {
    let Some((home, daemon)) = running() else { return };
    let clip = clip("en_echo");
    let check = |name: &str, options: &[&str], query: &str| {
        let file = home.path("spare").join(name);
        speech::ffmpeg(&clip.path, options, &file);
        let named = format!(r#"name="audio_file"; filename="{name}""#);
        let body = multipart(&[part(&named, &std::fs::read(&file).unwrap())]);
        let head = daemon::client::bazarr_head(&format!("/asr?language=en{query}"), body.len());
        let reply = Reply::to(daemon.addr, &[head.into_bytes(), body].concat());
        let id = reply.header("x-job-id").unwrap().to_string();
        let found = errors(&clip.text, &said(&reply.text_of()));
        assert!(found.rate() <= 0.10, "{name}: {found:?}");
        assert_eq!(daemon.job(&id)["file_name"], name);
    };
    check("a.flac", &["-c:a", "flac"], "&encode=true");
    check("b.opus", &["-c:a", "libopus", "-b:a", "32k"], "");
    check("c.mp4", &["-c:a", "aac", "-ar", "44100", "-ac", "2"], "&encode=true");
    // Bazarr's label on a file with a header of its own: it is looked at, not believed.
    check("d.wav", &["-c:a", "pcm_s16le", "-ar", "48000"], "&encode=false");
}

#[test]
fn speech_in_another_language_becomes_english() {
    let Some((_home, daemon)) = running() else { return };
    let spoken = clip("es_prompts");
    let reply = daemon.asr("task=translate&language=es&output=srt&encode=false", &spoken.pcm);
    let id = reply.header("x-job-id").unwrap().to_string();
    let english = said(&reply.text_of()).to_lowercase();
    // A small model's translation: most of what must be in it is, names may be spelt otherwise.
    let expected = ["test", "everything", "repeated", "received", "system", "purpose", "time"];
    let found: Vec<_> = expected.iter().filter(|word| english.contains(**word)).collect();
    assert!(found.len() >= 5, "only {found:?} in: {english}");
    let job = daemon.job(&id);
    let told =
        ["transcribe_or_translate", "source_lang", "target_lang"].map(|key| job[key].as_str().unwrap());
    assert_eq!(told, ["translate", "es", "en"]);
}
