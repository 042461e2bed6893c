//! How a job ends: with its result, or given up after its attempts.

use super::bench::*;
use transcriptord::job::{JobState, NewJob, Stage};
use transcriptord::language::Language;
use transcriptord::queue::{Again, Outcome, Stored};

on_every_database! {
    a_finished_job_has_its_result,
    a_long_result_comes_back_as_it_was,
    a_job_without_a_result_gives_none,
    a_failed_attempt_waits_longer_each_time,
    a_job_out_of_attempts_is_failed,
    a_failure_for_good_is_not_tried_again,
    a_new_attempt_forgets_the_old_error,
}

fn a_finished_job_has_its_result(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    b.clock.advance(1_500);
    let made = Outcome {
        result: r#"{"words":[]}"#.to_owned(),
        report: Some(r#"{"score":98}"#.to_owned()),
        language: Some(Language::ENGLISH),
        segments_count: Some(12),
        model_used: Some("base".to_owned()),
        device_used: Some("cpu".to_owned()),
        output_path: Some("/films/k.en.srt".into()),
    };
    assert!(b.queue.finish(&claim, &made).unwrap());
    let job = b.job(id);
    assert_eq!((job.state, job.stage, job.progress), (JobState::Completed, Stage::Finalizing, 100.0));
    assert_eq!((job.completed_at, job.processing_ms), (Some(NOON + 1_500), Some(1_500)));
    assert_eq!(
        (job.segments_count, job.model_used, job.device_used),
        (Some(12), made.model_used, made.device_used)
    );
    assert_eq!((job.output_path, job.worker.as_deref()), (made.output_path, Some("here/cpu")));
    let expected = Stored { result: made.result, report: made.report, language: made.language };
    assert_eq!(b.queue.result(id).unwrap(), Some(expected));
}

fn a_long_result_comes_back_as_it_was(b: &Bench) {
    let id = b.submit("k");
    let result: String = (0..200_000).map(|n| format!("{n} Wörter\u{0} 词\n")).collect();
    assert!(b.queue.finish(&b.claim().1, &outcome(&result)).unwrap());
    assert!(b.queue.result(id).unwrap().unwrap().result == result);
}

fn a_job_without_a_result_gives_none(b: &Bench) {
    let id = b.submit("k");
    assert_eq!(b.queue.result(id).unwrap(), None);
}

fn a_failed_attempt_waits_longer_each_time(b: &Bench) {
    let id = b.submit("k");
    for (attempt, delay_ms) in [(1, 30_000), (2, 60_000), (3, 120_000)] {
        assert!(b.queue.fail(&b.claim().1, "the file is locked", Again::Yes).unwrap());
        let job = b.job(id);
        assert_eq!((job.state, job.retry_count), (JobState::Queued, attempt));
        assert_eq!(job.error.as_deref(), Some("the file is locked"));
        b.clock.advance(delay_ms - 1);
        assert!(b.queue.claim(&ask()).unwrap().is_none());
        b.clock.advance(1);
    }
    b.claim();
}

fn a_job_out_of_attempts_is_failed(b: &Bench) {
    let id = b.queue.submit(NewJob { max_retries: 1, ..film("k") }).unwrap().id;
    b.queue.fail(&b.claim().1, "first", Again::Yes).unwrap();
    b.clock.advance(30_000);
    b.queue.fail(&b.claim().1, "second", Again::Yes).unwrap();
    let job = b.job(id);
    assert_eq!((job.state, job.error.as_deref()), (JobState::Failed, Some("second")));
    assert_eq!((job.retry_count, job.completed_at), (1, Some(NOON + 30_000)));
}

fn a_failure_for_good_is_not_tried_again(b: &Bench) {
    let id = b.submit("k");
    assert!(b.queue.fail(&b.claim().1, "no sound in it", Again::Never).unwrap());
    assert_eq!((b.state(id), b.job(id).retry_count), (JobState::Failed, 0));
    b.clock.advance(100 * HOUR_MS);
    assert!(b.queue.claim(&ask()).unwrap().is_none());
}

fn a_new_attempt_forgets_the_old_error(b: &Bench) {
    b.submit("k");
    b.queue.fail(&b.claim().1, "the file is locked", Again::Yes).unwrap();
    b.clock.advance(30_000);
    assert_eq!(b.claim().0.error, None);
}
