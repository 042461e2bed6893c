//! The language that Bazarr says against the one that is heard, in a device's pool with a scripted engine. Knows no
//! model.

mod pool_bench;

use pool_bench::{Bench, say, speech};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use transcriptord::dedup::{self, Audio};
use transcriptord::engine::{Error, LanguageOdds};
use transcriptord::job::{Job, JobId, JobKind, JobState, NewJob, Options, Origin, Source, Task};
use transcriptord::language::Language;

/// What the engine was asked for, in order.
type Asked = Arc<Mutex<Vec<(String, Task)>>>;

fn odds(of: &[(&str, f32)]) -> LanguageOdds {
    LanguageOdds(of.iter().map(|(code, p)| (code.parse().unwrap(), *p)).collect())
}

/// A pool whose detections hear these odds, and what it was asked for.
fn pool(heard: &[(&str, f32)]) -> (Bench, Asked) {
    let asked = Asked::default();
    let note = asked.clone();
    let mut bench = Bench::start(1, 1, |sound, _, _| Ok(say(sound)));
    bench.stop();
    bench.odds = odds(heard);
    bench.begin(1, 1, move |sound, ask, _| {
        note.lock().unwrap().push((ask.language.whisper_code().into(), ask.task));
        Ok(say(sound))
    });
    (bench, asked)
}

fn from_bazarr(bench: &Bench, label: &str) -> JobId {
    bench.ask("film", &speech(&[(3.0, 1.0)]), |job| provider(job, label))
}

fn provider(job: &mut NewJob, label: &str) {
    job.origin = Origin::Provider;
    job.source_lang = Some(label.parse().unwrap());
}

fn check(label: &str, heard: &[(&str, f32)], expected: (&str, Task)) {
    let (mut bench, asked) = pool(heard);
    let id = from_bazarr(&bench, label);
    let transcript = bench.transcript(id);
    assert_eq!(transcript.task, expected.1);
    let asked = asked.lock().unwrap().clone();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|a| *a == (expected.0.to_string(), expected.1)), "{asked:?}");
    bench.stop();
}

#[test]
fn speech_that_is_not_the_english_it_is_called_is_translated() {
    let (mut bench, asked) = pool(&[("ja", 0.97), ("en", 0.01)]);
    let id = from_bazarr(&bench, "en");
    let transcript = bench.transcript(id);
    assert_eq!((transcript.language, transcript.task), (Language::ENGLISH, Task::Translate));
    assert_eq!(transcript.spoken, "ja".parse().unwrap());
    assert!(asked.lock().unwrap().iter().all(|a| *a == ("ja".to_string(), Task::Translate)));
    bench.stop();
}

#[test]
fn a_label_that_may_be_right_is_left_alone() {
    check("en", &[("en", 0.98), ("ja", 0.01)], ("en", Task::Transcribe));
    check("en", &[("ja", 0.7), ("en", 0.01)], ("en", Task::Transcribe));
    check("de", &[("fr", 0.97), ("de", 0.01)], ("de", Task::Transcribe));
}

#[test]
fn a_label_that_a_person_gave_is_not_checked() {
    let (mut bench, asked) = pool(&[("ja", 0.97), ("en", 0.01)]);
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), |job| job.origin = Origin::Manual);
    assert_eq!(bench.transcript(id).task, Task::Transcribe);
    assert!(asked.lock().unwrap().iter().all(|(language, _)| language == "en"));
    bench.stop();
}

#[test]
fn odds_that_an_earlier_detection_stored_are_taken_and_nothing_is_heard_again() {
    let (mut bench, asked) = pool(&[("ja", 0.97), ("en", 0.01)]);
    let detection = bench.ask("film", &speech(&[(3.0, 1.0)]), |job| {
        job.kind = JobKind::LanguageDetection;
        job.origin = Origin::Provider;
        job.source_lang = None;
        let Source::Spool { hash, raw } = &job.source else { panic!("an upload") };
        let audio = Audio::Upload { hash, raw: *raw };
        job.key = dedup::key(audio, job.kind, Task::Transcribe, None, None, &Options::default());
    });
    bench.ended(detection);
    bench.stop();
    // From here on a detection would say that the label is right.
    bench.odds = odds(&[("en", 1.0)]);
    let note = asked.clone();
    bench.begin(1, 1, move |sound, ask, _| {
        note.lock().unwrap().push((ask.language.whisper_code().into(), ask.task));
        Ok(say(sound))
    });
    let id = from_bazarr(&bench, "en");
    assert_eq!(bench.transcript(id).task, Task::Translate);
    assert!(asked.lock().unwrap().iter().all(|(language, _)| language == "ja"));
    bench.stop();
}

#[test]
fn a_job_that_is_taken_up_again_keeps_its_decision() {
    let film = speech(&[(10.0, 6.0), (9.0, 6.0), (8.0, 6.0)]);
    let (mut bench, asked) = pool(&[("ja", 0.97), ("en", 0.01)]);
    bench.stop();
    let (count, reached) = (Arc::new(AtomicU32::new(0)), Arc::new(std::sync::Barrier::new(2)));
    let (theirs, there) = (count.clone(), reached.clone());
    bench.begin(1, 1, move |sound, _, stop| {
        if theirs.fetch_add(1, Ordering::SeqCst) == 1 {
            there.wait();
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            return Err(transcriptord::engine::Error::Stopped);
        }
        Ok(say(sound))
    });
    let id = bench.ask("film", &film, |job| provider(job, "en"));
    reached.wait();
    bench.stop();
    let job = bench.queue.get(id).unwrap().unwrap();
    assert_eq!(job.source_lang, Some(Language::ENGLISH), "the label itself stays");

    bench.odds = odds(&[("en", 1.0)]);
    let note = asked.clone();
    bench.begin(1, 1, move |sound, ask, _| {
        note.lock().unwrap().push((ask.language.whisper_code().into(), ask.task));
        Ok(say(sound))
    });
    assert_eq!(bench.transcript(id).task, Task::Translate);
    let asked = asked.lock().unwrap().clone();
    assert!(
        !asked.is_empty() && asked.iter().all(|a| *a == ("ja".to_string(), Task::Translate)),
        "{asked:?}"
    );
    bench.stop();
}

/// A job without a language told, for text in `wanted`; its end.
fn untold(heard: &[(&str, f32)], wanted: &str, task: Task) -> (Job, Vec<(String, Task)>, bool) {
    let (mut bench, asked) = pool(heard);
    let out = bench.dir.path().join("film.srt");
    let output = Some(out.clone());
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), |job| {
        (job.source_lang, job.target_lang, job.task) = (None, wanted.parse().ok(), task);
        job.output = output;
    });
    let job = bench.ended(id);
    bench.stop();
    let asked = asked.lock().unwrap().clone();
    (job, asked, out.exists())
}

#[test]
fn a_file_named_after_a_language_never_holds_another() {
    let (job, asked, written) = untold(&[("en", 0.97), ("de", 0.01)], "de", Task::Transcribe);
    assert_eq!((job.state, asked.len(), written), (JobState::Failed, 0, false));
    assert!(job.error.as_ref().unwrap().contains("English is spoken"), "{:?}", job.error);

    let (job, asked, written) = untold(&[("ja", 0.97), ("en", 0.01)], "en", Task::Transcribe);
    assert_eq!((job.state, written), (JobState::Completed, true), "{:?}", job.error);
    assert_eq!(asked[0], ("ja".to_string(), Task::Translate));
}

#[test]
fn the_language_wanted_is_believed_where_the_odds_are_unclear() {
    let (job, asked, written) = untold(&[("nl", 0.7), ("de", 0.2)], "de", Task::Transcribe);
    assert_eq!((job.state, written), (JobState::Completed, true), "{:?}", job.error);
    assert_eq!(asked[0], ("de".to_string(), Task::Transcribe));
}

#[test]
fn a_language_that_was_found_stays_when_the_job_is_taken_up_again() {
    let (mut bench, _) = pool(&[("de", 0.97)]);
    bench.stop();
    let stopped = Arc::new(AtomicU32::new(0));
    let seen = stopped.clone();
    bench.begin(1, 1, move |_, _, stop| {
        seen.fetch_add(1, Ordering::SeqCst);
        while !stop.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Err(Error::Stopped)
    });
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), |job| job.source_lang = None);
    while stopped.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    bench.stop();
    bench.odds = odds(&[("ja", 0.97)]);
    bench.begin(1, 1, |sound, _, _| Ok(say(sound)));
    assert_eq!(bench.transcript(id).spoken.whisper_code(), "de");
    bench.stop();
}
