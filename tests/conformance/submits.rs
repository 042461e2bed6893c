//! What is asked for twice is made once.

use super::bench::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Barrier;
use transcriptord::job::{JobId, JobKind, JobState, NewJob, Options, Origin, Preset, Source, Stage, Task};
use transcriptord::language::Language;
use transcriptord::queue::{Again, Submitted};

on_every_database! {
    a_submitted_job_is_stored_with_all_that_was_asked,
    an_upload_is_stored_with_its_home,
    the_origin_raises_the_priority,
    the_same_work_joins_the_live_job,
    a_joiner_raises_the_priority_and_never_lowers_it,
    a_joiner_says_where_the_file_goes_if_nobody_has,
    a_better_ask_upgrades_a_job_that_nobody_has_started,
    a_started_job_is_not_upgraded,
    a_finished_result_is_joined,
    a_result_of_lower_rank_is_made_again,
    the_best_result_is_joined,
    a_result_that_was_pruned_is_made_again,
    a_cancelled_job_is_not_joined,
    a_failed_key_is_held_back_longer_each_time,
    a_person_is_not_held_back_by_a_failure,
    a_retry_by_hand_frees_the_key,
    a_success_frees_the_key,
    a_new_model_frees_all_keys,
    a_path_that_is_not_utf8_is_refused,
    eight_who_ask_at_once_get_one_job,
}

fn a_submitted_job_is_stored_with_all_that_was_asked(b: &Bench) {
    let asked = NewJob {
        origin: Origin::Manual,
        source: Source::Path { path: "/films/Größe, 你好.mkv".into(), track: Some(2) },
        task: Task::Translate,
        source_lang: Some("de".parse().unwrap()),
        target_lang: Some(Language::ENGLISH),
        preset: Preset::Best,
        options: Options { initial_prompt: Some("It's \"quoted\"".to_owned()), ..Options::default() },
        priority: 3,
        output: Some("/films/a.srt".into()),
        max_retries: 7,
        ..film("k")
    };
    let submitted = b.queue.submit(asked.clone()).unwrap();
    assert!(!submitted.joined);
    assert_eq!(submitted.state, JobState::Queued);
    let job = b.job(submitted.id);
    assert_eq!(job.id, submitted.id);
    assert_eq!((job.kind, job.origin, job.task), (asked.kind, asked.origin, asked.task));
    assert_eq!((&job.source, &job.home), (&asked.source, &None));
    assert_eq!(job.file_name, asked.file_name);
    assert_eq!((job.source_lang, job.target_lang), (asked.source_lang, asked.target_lang));
    assert_eq!((job.preset, &job.options, job.rank), (asked.preset, &asked.options, asked.rank));
    assert_eq!((&job.key, &job.output, job.max_retries), (&asked.key, &asked.output, 7));
    assert_eq!((job.state, job.stage, job.progress), (JobState::Queued, Stage::Pending, 0.0));
    assert_eq!((job.created_at, job.started_at, job.completed_at), (NOON, None, None));
    assert_eq!((job.retry_count, job.error, job.worker), (0, None, None));
}

fn an_upload_is_stored_with_its_home(b: &Bench) {
    let source = Source::Spool { hash: "abc".to_owned(), raw: true };
    let id = b
        .queue
        .submit(NewJob {
            source: source.clone(),
            home: Some("here".to_owned()),
            kind: JobKind::LanguageDetection,
            ..film("k")
        })
        .unwrap()
        .id;
    let job = b.job(id);
    assert_eq!(
        (job.source, job.home.as_deref(), job.kind),
        (source, Some("here"), JobKind::LanguageDetection)
    );
}

fn the_origin_raises_the_priority(b: &Bench) {
    let check = |origin, expected| {
        let job = NewJob { origin, priority: 100, ..film(origin.as_str()) };
        let id = b.queue.submit(job).unwrap().id;
        assert_eq!(b.job(id).priority, expected);
    };
    check(Origin::Provider, 110);
    check(Origin::Manual, 105);
    check(Origin::Scan, 100);
}

fn the_same_work_joins_the_live_job(b: &Bench) {
    let first = b.submit("k");
    assert_eq!(b.queue.submit(film("k")).unwrap(), joined(first, JobState::Queued));
    b.claim();
    assert_eq!(b.queue.submit(film("k")).unwrap(), joined(first, JobState::Processing));
    assert_ne!(b.submit("other"), first);
    assert_eq!(b.queue.counts().unwrap().total, 2);
}

fn a_joiner_raises_the_priority_and_never_lowers_it(b: &Bench) {
    let id = b.submit("k");
    b.queue.submit(NewJob { origin: Origin::Provider, ..film("k") }).unwrap();
    assert_eq!(b.job(id).priority, 10);
    b.queue.submit(NewJob { priority: -5, ..film("k") }).unwrap();
    assert_eq!(b.job(id).priority, 10);
}

fn a_joiner_says_where_the_file_goes_if_nobody_has(b: &Bench) {
    let id = b.submit("k");
    for path in ["/first.srt", "/second.srt"] {
        b.queue.submit(NewJob { output: Some(path.into()), ..film("k") }).unwrap();
    }
    assert_eq!(b.job(id).output, Some(PathBuf::from("/first.srt")));
}

fn a_better_ask_upgrades_a_job_that_nobody_has_started(b: &Bench) {
    let id = b.submit("k");
    b.queue.submit(NewJob { preset: Preset::Best, rank: 30, ..film("k") }).unwrap();
    b.queue.submit(NewJob { preset: Preset::Balanced, rank: 20, ..film("k") }).unwrap();
    assert_eq!((b.job(id).preset, b.job(id).rank), (Preset::Best, 30));
}

fn a_started_job_is_not_upgraded(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    let better = NewJob { preset: Preset::Best, rank: 30, ..film("k") };
    b.queue.submit(better.clone()).unwrap();
    b.queue.release(&claim).unwrap();
    b.queue.submit(better).unwrap();
    assert_eq!((b.job(id).preset, b.job(id).rank), (Preset::Fast, 10));
}

fn a_finished_result_is_joined(b: &Bench) {
    let id = b.finished(film("k"));
    assert_eq!(b.queue.submit(film("k")).unwrap(), joined(id, JobState::Completed));
    let less = NewJob { rank: 9, ..film("k") };
    assert_eq!(b.queue.submit(less).unwrap(), joined(id, JobState::Completed));
}

fn a_result_of_lower_rank_is_made_again(b: &Bench) {
    let id = b.finished(film("k"));
    let submitted = b.queue.submit(NewJob { rank: 11, ..film("k") }).unwrap();
    assert!(!submitted.joined);
    assert_ne!(submitted.id, id);
}

fn the_best_result_is_joined(b: &Bench) {
    b.finished(film("k"));
    let best = b.finished(NewJob { rank: 30, ..film("k") });
    assert_eq!(b.queue.submit(film("k")).unwrap().id, best);
}

fn a_result_that_was_pruned_is_made_again(b: &Bench) {
    let id = b.finished(film("k"));
    assert_eq!(b.queue.prune(0, b.now() + 1).unwrap(), 1);
    assert_eq!(b.state(id), JobState::Completed);
    assert!(!b.queue.submit(film("k")).unwrap().joined);
}

fn a_cancelled_job_is_not_joined(b: &Bench) {
    let id = b.submit("k");
    b.queue.cancel(id).unwrap();
    let submitted = b.queue.submit(film("k")).unwrap();
    assert!(!submitted.joined);
    assert_ne!(submitted.id, id);
}

fn a_failed_key_is_held_back_longer_each_time(b: &Bench) {
    for back_off in [10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, 24 * HOUR_MS] {
        let submitted = b.queue.submit(film("k")).unwrap();
        assert!(!submitted.joined);
        b.queue.fail(&b.claim().1, "no sound in it", Again::Never).unwrap();
        assert_eq!(b.queue.submit(film("k")).unwrap(), joined(submitted.id, JobState::Failed));
        b.clock.advance(back_off - 1);
        assert_eq!(b.queue.submit(film("k")).unwrap(), joined(submitted.id, JobState::Failed));
        b.clock.advance(1);
    }
}

fn a_person_is_not_held_back_by_a_failure(b: &Bench) {
    let failed = failed(b);
    let submitted = b.queue.submit(NewJob { origin: Origin::Manual, ..film("k") }).unwrap();
    assert!(!submitted.joined);
    assert_ne!(submitted.id, failed);
}

fn a_retry_by_hand_frees_the_key(b: &Bench) {
    let failed = failed(b);
    done(b.queue.retry(failed).unwrap());
    assert_eq!(b.queue.submit(film("k")).unwrap(), joined(failed, JobState::Queued));
    b.queue.cancel(failed).unwrap();
    assert!(!b.queue.submit(film("k")).unwrap().joined);
}

fn a_success_frees_the_key(b: &Bench) {
    failed(b);
    let made = b.finished(NewJob { origin: Origin::Manual, ..film("k") });
    assert_eq!(b.queue.submit(film("k")).unwrap(), joined(made, JobState::Completed));
    assert!(!b.queue.submit(NewJob { rank: 99, ..film("k") }).unwrap().joined);
}

fn a_new_model_frees_all_keys(b: &Bench) {
    failed(b);
    assert_eq!(b.queue.forget_failures().unwrap(), 1);
    assert!(!b.queue.submit(film("k")).unwrap().joined);
}

fn a_path_that_is_not_utf8_is_refused(b: &Bench) {
    let path = PathBuf::from(OsStr::from_bytes(b"/films/\xFF.mkv"));
    let refused = b.queue.submit(NewJob { source: Source::Path { path, track: None }, ..film("k") });
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("is not valid UTF-8 and cannot be stored: rename the file"), "{text}");
    assert_eq!(b.queue.counts().unwrap().total, 0);
}

fn eight_who_ask_at_once_get_one_job(b: &Bench) {
    let start = Barrier::new(8);
    let submitted: Vec<Submitted> = std::thread::scope(|scope| {
        let ask = |_| {
            scope.spawn(|| {
                let queue = b.process();
                start.wait();
                queue.submit(film("k")).unwrap()
            })
        };
        let threads: Vec<_> = (0..8).map(ask).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(submitted.iter().filter(|s| !s.joined).count(), 1);
    assert!(submitted.iter().all(|s| s.id == submitted[0].id));
}

fn joined(id: JobId, state: JobState) -> Submitted {
    Submitted { id, joined: true, state }
}

fn failed(b: &Bench) -> JobId {
    let id = b.submit("k");
    b.queue.fail(&b.claim().1, "no sound in it", Again::Never).unwrap();
    assert_eq!(b.queue.submit(film("k")).unwrap(), joined(id, JobState::Failed));
    id
}
