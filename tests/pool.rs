//! A device's pool on a real queue and real sound, with an engine that follows a script.

mod pool_bench;

use pool_bench::{Bench, say, speech};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use transcriptord::engine::Error;
use transcriptord::job::{JobKind, JobState, Origin, Source};
use transcriptord::pool::hints::{self, Order};
use transcriptord::queue::Moved;

#[test]
fn sound_becomes_a_subtitle_with_times_of_the_film() {
    let mut bench = Bench::start(2, 2, |sound, _, _| Ok(say(sound)));
    let id = bench.ask("film", &speech(&[(3.0, 6.0), (3.0, 6.0), (3.0, 1.0)]), |_| {});
    let transcript = bench.transcript(id);
    assert!(transcript.cues.len() >= 3, "{:?}", transcript.cues);
    let last = transcript.cues.last().unwrap();
    assert!((17_500..21_500).contains(&last.start_ms), "{last:?}");
    assert_eq!(transcript.duration_ms, 22_000);
    let job = bench.ended(id);
    assert_eq!(
        (job.progress, job.model_used.as_deref(), job.device_used.as_deref()),
        (100.0, Some("scripted"), Some("cpu"))
    );
    bench.stop();
}

#[test]
fn silence_becomes_an_empty_subtitle_without_the_engine() {
    let mut bench = Bench::start(1, 1, |_, _, _| panic!("silence was decoded"));
    let id = bench.ask("silence", &vec![0; 16_000 * 5], |_| {});
    assert!(bench.transcript(id).cues.is_empty());
    let id = bench.ask("nothing", &[], |_| {});
    assert!(bench.transcript(id).cues.is_empty());
    bench.stop();
}

#[test]
fn a_language_that_is_not_told_is_found_out() {
    let mut bench = Bench::start(1, 1, |sound, ask, _| {
        assert_eq!(ask.language.whisper_code(), "de");
        Ok(say(sound))
    });
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), |job| job.source_lang = None);
    assert_eq!(bench.transcript(id).language.whisper_code(), "de");
    let id = bench.ask("film2", &speech(&[(3.0, 1.0)]), |job| {
        job.kind = JobKind::LanguageDetection;
        job.source_lang = None;
    });
    bench.ended(id);
    let result: serde_json::Value =
        serde_json::from_str(&bench.queue.result(id).unwrap().unwrap().result).unwrap();
    assert_eq!(result["language"], "de");
    bench.stop();
}

/// A gate that windows wait at until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
    waiting: AtomicU32,
}

impl Gate {
    fn pass(&self, stop: &AtomicBool) -> Result<(), Error> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock().unwrap();
        while !*open {
            if stop.load(Ordering::SeqCst) {
                return Err(Error::Stopped);
            }
            open = self.changed.wait_timeout(open, Duration::from_millis(5)).unwrap().0;
        }
        Ok(())
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn wait_for(&self, count: u32) {
        while self.waiting.load(Ordering::SeqCst) < count {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_cancelled_job_stops_in_the_middle_of_a_window() {
    let gate = Arc::new(Gate::default());
    let theirs = gate.clone();
    let mut bench = Bench::start(1, 1, move |sound, _, stop| theirs.pass(stop).map(|()| say(sound)));
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), |_| {});
    gate.wait_for(1);
    assert!(matches!(bench.queue.cancel(id).unwrap(), Moved::Done(_)));
    hints::send(&bench.link, &Order::Cancelled(id)).unwrap();
    // The one worker is free again: another job gets it.
    let next = bench.ask("other", &speech(&[(2.0, 1.0)]), |_| {});
    gate.wait_for(2);
    gate.open();
    bench.transcript(next);
    assert_eq!(bench.ended(id).state, JobState::Cancelled);
    bench.stop();
}

#[test]
fn the_urgent_job_goes_first_and_the_parked_one_ends_as_if_undisturbed() {
    let film = speech(&[(10.0, 6.0), (9.0, 6.0), (8.0, 6.0), (7.0, 6.0)]);
    let mut plain = Bench::start(1, 1, |sound, _, _| Ok(say(sound)));
    let undisturbed = plain.transcript(plain.ask("film", &film, |_| {}));
    plain.stop();

    let order = Arc::new(Mutex::new(Vec::new()));
    let gate = Arc::new(Gate::default());
    let (seen, theirs) = (order.clone(), gate.clone());
    let mut bench = Bench::start(1, 1, move |sound, _, stop| {
        seen.lock().unwrap().push(sound.samples.len() / 16_000);
        theirs.pass(stop).map(|()| say(sound))
    });
    let long = bench.ask("film", &film, |_| {});
    gate.wait_for(1);
    let urgent = bench.ask("urgent", &speech(&[(4.0, 1.0)]), |job| job.origin = Origin::Provider);
    gate.wait_for(2);
    gate.open();
    bench.transcript(urgent);
    assert_eq!(bench.transcript(long), undisturbed);
    assert_eq!(order.lock().unwrap()[1], 4, "the second window decoded is the urgent one");
    bench.stop();
}

#[test]
fn a_job_that_has_waited_long_keeps_its_turn_while_more_urgent_ones_come() {
    let gate = Arc::new(Gate::default());
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut bench = Bench::start(1, 1, |_, _, _| panic!("no job yet"));
    bench.stop();
    bench.ageing_ms_per_point = 60_000;
    let (seen, theirs) = (order.clone(), gate.clone());
    bench.begin(1, 1, move |sound, _, stop| {
        seen.lock().unwrap().push(sound.samples.len() / 16_000);
        theirs.pass(stop).map(|()| say(sound))
    });
    let old = bench.ask("old", &speech(&[(3.0, 1.0)]), |_| {});
    gate.wait_for(1);
    bench.clock.advance(11 * 60_000);
    let young = bench.ask("young", &speech(&[(5.0, 1.0)]), |job| job.origin = Origin::Provider);
    // A detection has a lane of its own: when the second has ended, the dispatcher has seen the young job and left it.
    for name in ["heard", "heard too"] {
        let heard = bench.ask(name, &speech(&[(3.0, 1.0)]), |job| job.kind = JobKind::LanguageDetection);
        bench.ended(heard);
    }
    let states = [old, young].map(|id| bench.queue.get(id).unwrap().unwrap().state);
    assert_eq!(states, [JobState::Processing, JobState::Queued]);

    // One that is more urgent by more than the waiting is worth takes its place.
    let urgent = bench.ask("urgent", &speech(&[(7.0, 1.0)]), |job| job.priority = 20);
    gate.wait_for(2);
    gate.open();
    for id in [old, young, urgent] {
        bench.transcript(id);
    }
    assert_eq!(*order.lock().unwrap(), [3, 7, 3, 5]);
    bench.stop();
}

#[test]
fn a_stopped_pool_gives_its_jobs_back_and_the_next_goes_on_from_their_checkpoints() {
    let film = speech(&[(10.0, 6.0), (9.0, 6.0), (8.0, 6.0)]);
    let decoded = Arc::new(AtomicU32::new(0));
    let gate = Arc::new(Gate::default());
    let (count, theirs) = (decoded.clone(), gate.clone());
    let mut bench = Bench::start(1, 1, move |sound, _, stop| {
        if count.fetch_add(1, Ordering::SeqCst) >= 2 {
            theirs.pass(stop)?;
        }
        Ok(say(sound))
    });
    let id = bench.ask("film", &film, |_| {});
    gate.wait_for(1);
    bench.stop();
    let job = bench.queue.get(id).unwrap().unwrap();
    assert_eq!((job.state, job.retry_count), (JobState::Queued, 0));
    assert_eq!(bench.queue.checkpoints(id).unwrap().len(), 2);

    let count = decoded.clone();
    bench.begin(1, 1, move |sound, _, _| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(say(sound))
    });
    bench.transcript(id);
    assert_eq!(decoded.load(Ordering::SeqCst), 4, "two windows, one given up, and that one again");
    bench.stop();
}

#[test]
fn an_engine_that_fails_or_panics_fails_the_job_with_the_reason() {
    let mut bench = Bench::start(1, 1, |_, _, _| Err(Error::Failed("no luck".into())));
    let job = bench.ended(bench.ask("film", &speech(&[(3.0, 1.0)]), |_| {}));
    assert_eq!((job.state, job.error.as_deref()), (JobState::Failed, Some("the engine failed: no luck")));
    bench.stop();

    let mut bench = Bench::start(1, 1, |_, _, _| panic!("on purpose"));
    let job = bench.ended(bench.ask("film", &speech(&[(3.0, 1.0)]), |_| {}));
    assert_eq!(job.state, JobState::Failed);
    assert!(job.error.unwrap().contains("internal error"));
    bench.stop();
}

#[test]
fn only_a_few_detections_are_open_at_once() {
    let mut bench = Bench::start(1, 1, |sound, _, _| Ok(say(sound)));
    bench.stop();
    let ids: Vec<_> = (0..20)
        .map(|i| {
            let mut job = pool_bench::new_job(&format!("film{i}"));
            (job.kind, job.source_lang) = (JobKind::LanguageDetection, None);
            let sound: Vec<u8> = speech(&[(2.0, 1.0)]).iter().flat_map(|s| s.to_le_bytes()).collect();
            std::fs::write(bench.dir.path().join(&job.file_name), sound).unwrap();
            bench.queue.submit(job).unwrap().id
        })
        .collect();
    // Raised by every job that begins, so that none goes by unseen.
    let mut notices = bench.queue.notices();
    bench.begin(1, 1, |sound, _, _| Ok(say(sound)));
    let mut most = 0;
    while bench.queue.counts().unwrap().completed < 20 {
        let _ = notices.blocking_recv();
        most = most.max(bench.queue.counts().unwrap().processing);
    }
    assert!((1..=4).contains(&most), "{most} were open at once");
    for id in ids {
        assert_eq!(bench.ended(id).state, JobState::Completed);
    }
    bench.stop();
}

#[test]
fn what_is_no_sound_fails_for_good_and_says_why() {
    let mut bench = Bench::start(1, 1, |_, _, _| panic!("nothing to decode"));
    let gone = bench.ask("gone", &[], |job| {
        job.source = Source::Path { path: "/no/such/film.mkv".into(), track: None };
        job.max_retries = 3;
    });
    let job = bench.ended(gone);
    assert_eq!((job.state, job.retry_count), (JobState::Failed, 0));
    assert!(job.error.unwrap().contains("/no/such/film.mkv: no such file"));

    let text = bench.dir.path().join("text.mkv");
    std::fs::write(&text, "this is not a film").unwrap();
    let job =
        bench.ended(bench.ask("text", &[], |job| job.source = Source::Path { path: text, track: None }));
    assert_eq!(job.state, JobState::Failed);
    assert!(job.error.as_ref().unwrap().contains("not audio or video"), "{:?}", job.error);

    // The header of a Sun audio file, as a download leaves it that broke off.
    let cut = bench.dir.path().join("cut.au");
    std::fs::write(&cut, b".snd\0\0\0\x18\0\0\0\0\0\0\0\x03\0\0\x3E\x80\0\0\0\x01").unwrap();
    let job = bench.ended(bench.ask("cut", &[], |job| job.source = Source::Path { path: cut, track: None }));
    assert_eq!(job.state, JobState::Failed);
    assert!(job.error.as_ref().unwrap().contains("its audio track is empty"), "{:?}", job.error);
    bench.stop();
}

#[test]
fn the_subtitle_file_is_written_whole_beside_the_film() {
    let mut bench = Bench::start(1, 1, |sound, _, _| Ok(say(sound)));
    let out = bench.dir.path().join("film.eng.srt");
    let wanted = out.clone();
    let id = bench.ask("film", &speech(&[(3.0, 1.0)]), |job| job.output = Some(wanted));
    bench.transcript(id);
    assert!(std::fs::read_to_string(&out).unwrap().contains(" --> "));
    assert!(Path::new(&bench.ended(id).output_path.unwrap()) == out);
    let left: Vec<_> = std::fs::read_dir(bench.dir.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("partial"))
        .collect();
    assert!(left.is_empty());
    bench.stop();
}
