//! Language detection as Bazarr needs it (bazarr-protocol.md, section 6, point 8): at once, whatever else is decoded, and
//! from several places of the film. In a device's pool on real sound, with an engine of the test's own.

mod pool_bench;

use pool_bench::{Bench, say, speech};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Barrier, Mutex};
use transcriptord::engine::{Ask, Engine, Error, Heard, LanguageOdds, Session, Sound};
use transcriptord::job::{Job, JobId, JobKind, JobState, Origin};
use transcriptord::language::Language;
use transcriptord::pool::seat::Seat;
use transcriptord::pool::weights::{self, Weights};

/// Notes how many seconds of sound each detection heard; writes down only when it may.
#[derive(Clone)]
struct Listener {
    heard: Arc<Mutex<Vec<usize>>>,
    /// Met at the beginning and at the end of each window that is written down.
    gate: Arc<Barrier>,
}

impl Engine for Listener {
    fn session(&self) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(self.clone()))
    }
}

impl Session for Listener {
    fn transcribe(&mut self, sound: Sound<'_>, _: &Ask, _: &AtomicBool) -> Result<Heard, Error> {
        self.gate.wait();
        self.gate.wait();
        Ok(say(sound))
    }

    fn detect(&mut self, sound: Sound<'_>) -> Result<LanguageOdds, Error> {
        self.heard.lock().unwrap().push((sound.samples.len() + 8_000) / 16_000);
        Ok(LanguageOdds(vec![("de".parse().unwrap(), 0.9), (Language::ENGLISH, 0.1)]))
    }
}

impl Weights for Listener {
    fn for_words(&self, _: &Job, _: &Ask, _: &AtomicBool) -> Result<Seat, weights::Error> {
        Ok(Seat::of("listener", self.session()?))
    }

    fn for_languages(&self, _: &AtomicBool) -> Result<Seat, weights::Error> {
        Ok(Seat::of("listener", self.session()?))
    }
}

/// A pool of one worker with this engine.
fn pool() -> (Bench, Listener) {
    let listener = Listener { heard: Arc::default(), gate: Arc::new(Barrier::new(2)) };
    let mut bench = Bench::start(1, 1, |sound, _, _| Ok(say(sound)));
    bench.stop();
    bench.begin_with(1, 1, Arc::new(listener.clone()));
    (bench, listener)
}

fn detection(bench: &Bench, sound: &[i16]) -> JobId {
    bench.ask("asked", sound, |job| {
        (job.kind, job.origin, job.source_lang) = (JobKind::LanguageDetection, Origin::Provider, None);
    })
}

fn told(bench: &Bench, id: JobId) -> String {
    let job = bench.ended(id);
    assert_eq!(job.state, JobState::Completed, "{:?}", job.error);
    let result = bench.queue.result(id).unwrap().unwrap().result;
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    result["language"].as_str().unwrap().to_string()
}

#[test]
fn a_detection_is_answered_while_every_worker_is_in_the_middle_of_a_window() {
    let (mut bench, listener) = pool();
    let film = bench.ask("film", &speech(&[(3.0, 1.0)]), |_| {});
    listener.gate.wait();
    // The only worker stands still; the one job that may be open is open.
    let id = detection(&bench, &speech(&[(4.0, 1.0)]));
    assert_eq!(told(&bench, id), "de");
    assert_eq!(bench.queue.get(film).unwrap().unwrap().state, JobState::Processing);
    listener.gate.wait();
    bench.transcript(film);
    bench.stop();
}

#[test]
fn a_language_is_told_from_four_places_across_the_film() {
    let (mut bench, listener) = pool();
    // 200 s: an opening of 2 s, then speech soon after 8, 30, 55 and 80 percent.
    let film = speech(&[(2.0, 18.0), (4.0, 43.0), (7.0, 46.0), (10.0, 45.0), (13.0, 12.0)]);
    assert_eq!(film.len(), 200 * 16_000);
    let id = detection(&bench, &film);
    assert_eq!(told(&bench, id), "de");
    let heard = listener.heard.lock().unwrap().clone();
    let near = |(heard, spoken): (&usize, usize)| heard.abs_diff(spoken) <= 1;
    assert!(heard.len() == 4 && heard.iter().zip([4, 7, 10, 13]).all(near), "{heard:?}");
    bench.stop();
}

#[test]
fn a_film_in_which_nobody_speaks_has_no_language_and_fails_at_once() {
    let (mut bench, listener) = pool();
    let job = bench.ended(detection(&bench, &vec![0; 20 * 16_000]));
    assert_eq!((job.state, job.retry_count), (JobState::Failed, 0));
    assert!(listener.heard.lock().unwrap().is_empty());
    bench.stop();
}
