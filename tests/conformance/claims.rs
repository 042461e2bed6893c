//! Each job has one holder, and the urgent goes first.

use super::bench::*;
use std::collections::HashSet;
use std::sync::Barrier;
use transcriptord::job::{Claim, JobId, JobKind, JobState, NewJob, Origin, Stage};
use transcriptord::language::Language;
use transcriptord::queue::{Again, Begun, ClaimAsk, Place, Progress, Queue};

on_every_database! {
    a_claimed_job_is_processing_under_a_lease,
    the_urgent_goes_first_then_the_oldest,
    an_empty_queue_gives_nothing,
    only_what_is_above_is_taken_when_asked_so,
    with_ageing_what_waited_long_enough_is_above,
    only_the_kinds_asked_for_are_taken,
    an_upload_is_taken_by_its_home_alone,
    a_paused_queue_gives_nothing_on_any_node,
    waiting_raises_a_job_when_ageing_is_on,
    a_renewed_lease_holds_longer,
    a_lost_lease_cannot_touch_the_job,
    progress_is_seen_and_kept_within_bounds,
    a_released_job_is_claimed_again_and_nothing_is_counted,
    the_time_under_claims_is_summed_up,
    eight_threads_claim_two_hundred_jobs_each_once,
    two_processes_claim_two_hundred_jobs_each_once,
}

fn a_claimed_job_is_processing_under_a_lease(b: &Bench) {
    let id = b.submit("k");
    b.clock.advance(5);
    let (job, claim) = b.claim();
    assert_eq!((job.id, claim.job), (id, id));
    assert_eq!(claim.until, NOON + 5 + LEASE_MS);
    assert_eq!((job.state, job.started_at), (JobState::Processing, Some(NOON + 5)));
    assert_eq!(job.worker.as_deref(), Some("here/cpu"));
    assert!(b.queue.claim(&ask()).unwrap().is_none());
}

fn the_urgent_goes_first_then_the_oldest(b: &Bench) {
    let scan = b.submit("scan");
    let same_age = b.submit("same age");
    b.clock.advance(1);
    let younger = b.submit("younger");
    let urgent = b.queue.submit(NewJob { origin: Origin::Provider, ..film("urgent") }).unwrap().id;
    let low = b.queue.submit(NewJob { priority: -1, ..film("low") }).unwrap().id;
    let order: Vec<JobId> = (0..5).map(|_| b.claim().0.id).collect();
    assert_eq!(order, [urgent, scan, same_age, younger, low]);
}

fn an_empty_queue_gives_nothing(b: &Bench) {
    assert!(b.queue.claim(&ask()).unwrap().is_none());
}

fn only_what_is_above_is_taken_when_asked_so(b: &Bench) {
    b.submit("k");
    let above = |priority| {
        let above = Some(Place { priority, created_at: NOON });
        b.queue.claim(&ClaimAsk { above, ..ask() }).unwrap()
    };
    assert!(above(0).is_none());
    assert!(above(-1).is_some());
}

fn with_ageing_what_waited_long_enough_is_above(b: &Bench) {
    let old = Place { priority: 0, created_at: NOON };
    b.submit("old");
    b.clock.advance(11 * MINUTE_MS);
    let young = Place { priority: 10, created_at: b.now() };
    let above = |above, ageing_ms_per_point| {
        let taken = b.queue.claim(&ClaimAsk { above: Some(above), ageing_ms_per_point, ..ask() }).unwrap();
        taken.map(|(job, claim)| {
            b.queue.release(&claim).unwrap();
            job.file_name
        })
    };
    assert_eq!(above(young, 0), None);
    assert_eq!(above(young, 2 * MINUTE_MS), None, "eleven minutes are worth five points of ten");
    assert_eq!(above(young, MINUTE_MS).as_deref(), Some("old.mkv"), "eleven minutes are worth eleven points");
    assert_eq!(above(Place { priority: 11, ..young }, MINUTE_MS), None, "as urgent is not more urgent");

    // Nor is the old one above itself, nor the young one above the old: it would never come to its end.
    let urgent = NewJob { origin: Origin::Provider, ..film("young") };
    b.queue.submit(urgent).unwrap();
    let (_, open) = b.queue.claim(&ClaimAsk { ageing_ms_per_point: MINUTE_MS, ..ask() }).unwrap().unwrap();
    assert_eq!(b.job(open.job).file_name, "old.mkv");
    assert_eq!(above(old, MINUTE_MS), None);
    assert_eq!(above(old, 0).as_deref(), Some("young.mkv"), "without ageing");
}

fn only_the_kinds_asked_for_are_taken(b: &Bench) {
    let transcription = b.submit("film");
    let detection = b.queue.submit(NewJob { kind: JobKind::LanguageDetection, ..film("heard") }).unwrap().id;
    let take = |kinds| b.queue.claim(&ClaimAsk { kinds, ..ask() }).unwrap().map(|(job, _)| job.id);
    assert_eq!(take(&[]), None);
    assert_eq!(take(&[JobKind::LanguageDetection]), Some(detection));
    assert_eq!(take(&[JobKind::LanguageDetection]), None);
    assert_eq!(take(&[JobKind::Transcription]), Some(transcription));
}

fn an_upload_is_taken_by_its_home_alone(b: &Bench) {
    let id = b.queue.submit(NewJob { home: Some("there".to_owned()), ..film("k") }).unwrap().id;
    assert!(b.queue.claim(&ask()).unwrap().is_none());
    let (job, _) = b.node("there").claim(&ask()).unwrap().unwrap();
    assert_eq!((job.id, job.worker.as_deref()), (id, Some("there/cpu")));
}

fn a_paused_queue_gives_nothing_on_any_node(b: &Bench) {
    b.submit("running");
    let (_, claim) = b.claim();
    b.submit("k");
    assert!(!b.queue.paused().unwrap());
    b.queue.set_paused(true).unwrap();
    assert!(b.process().paused().unwrap());
    assert!(b.node("there").claim(&ask()).unwrap().is_none());
    assert!(b.queue.renew(&claim, LEASE_MS).unwrap(), "what runs goes on");
    b.queue.set_paused(false).unwrap();
    assert!(b.queue.claim(&ask()).unwrap().is_some());
}

fn waiting_raises_a_job_when_ageing_is_on(b: &Bench) {
    let old = b.submit("old");
    b.clock.advance(11 * MINUTE_MS);
    let urgent = b.queue.submit(NewJob { origin: Origin::Provider, ..film("urgent") }).unwrap().id;
    let first = |ageing_ms_per_point| {
        let (job, claim) = b.queue.claim(&ClaimAsk { ageing_ms_per_point, ..ask() }).unwrap().unwrap();
        b.queue.release(&claim).unwrap();
        job.id
    };
    assert_eq!(first(0), urgent);
    assert_eq!(first(2 * MINUTE_MS), urgent, "eleven minutes are worth five points of ten");
    assert_eq!(first(MINUTE_MS), old, "eleven minutes are worth eleven points");
}

fn a_renewed_lease_holds_longer(b: &Bench) {
    b.submit("k");
    let (_, claim) = b.claim();
    b.clock.advance(LEASE_MS - 1);
    assert!(b.queue.renew(&claim, LEASE_MS).unwrap());
    b.clock.advance(LEASE_MS - 1);
    assert_eq!(b.queue.reap().unwrap(), []);
    b.clock.advance(1);
    assert_eq!(b.queue.reap().unwrap(), [claim.job]);
    assert!(!b.queue.renew(&claim, LEASE_MS).unwrap());
}

fn a_lost_lease_cannot_touch_the_job(b: &Bench) {
    let id = b.submit("k");
    let (_, lost) = b.claim();
    b.clock.advance(LEASE_MS);
    b.queue.reap().unwrap();
    cannot_touch(&b.queue, &lost);
    assert_eq!(b.state(id), JobState::Queued);

    let (_, held) = b.claim();
    assert_eq!(b.queue.begin_window(&held, 0).unwrap(), Begun::Go);
    cannot_touch(&b.queue, &lost);
    let job = b.job(id);
    assert_eq!((job.state, job.stage, job.retry_count), (JobState::Processing, Stage::Pending, 0));
    assert_eq!(b.queue.checkpoints(id).unwrap(), []);
    assert_eq!(b.queue.result(id).unwrap(), None);
    assert!(b.queue.renew(&held, LEASE_MS).unwrap());

    b.queue.finish(&held, &outcome("mine")).unwrap();
    cannot_touch(&b.queue, &lost);
    cannot_touch(&b.queue, &held);
    assert_eq!(b.queue.result(id).unwrap().unwrap().result, "mine");
}

#[track_caller]
fn cannot_touch(queue: &Queue, lost: &Claim) {
    let p = Progress { percent: 50.0, stage: Stage::Transcribing, eta_ms: None, source_lang: None };
    assert!(!queue.renew(lost, LEASE_MS).unwrap());
    assert!(!queue.progress(lost, &p).unwrap());
    assert_eq!(queue.begin_window(lost, 0).unwrap(), Begun::Lost);
    assert!(!queue.end_window(lost, 0, "late").unwrap());
    assert!(!queue.drop_window(lost, 0).unwrap());
    assert!(!queue.release(lost).unwrap());
    assert!(!queue.fail(lost, "late", Again::Yes).unwrap());
    assert!(!queue.fail(lost, "late", Again::Never).unwrap());
    assert!(!queue.finish(lost, &outcome("late")).unwrap());
}

fn progress_is_seen_and_kept_within_bounds(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    let p = Progress {
        percent: 12.5,
        stage: Stage::Transcribing,
        eta_ms: Some(9_000),
        source_lang: Some(Language::ENGLISH),
    };
    assert!(b.queue.progress(&claim, &p).unwrap());
    let job = b.job(id);
    assert_eq!((job.progress, job.stage, job.eta_ms), (12.5, Stage::Transcribing, Some(9_000)));
    assert_eq!(job.source_lang, Some(Language::ENGLISH));
    let check = |percent, expected| {
        assert!(b.queue.progress(&claim, &Progress { percent, source_lang: None, ..p }).unwrap());
        assert_eq!((b.job(id).progress, b.job(id).source_lang), (expected, Some(Language::ENGLISH)));
    };
    check(-1.0, 0.0);
    check(101.0, 100.0);
    check(f64::NAN, 0.0);
    check(f64::INFINITY, 100.0);
}

fn a_released_job_is_claimed_again_and_nothing_is_counted(b: &Bench) {
    let id = b.submit("k");
    let (_, first) = b.claim();
    b.queue.end_window(&first, 0, "kept").unwrap();
    assert!(b.queue.release(&first).unwrap());
    let job = b.job(id);
    assert_eq!((job.state, job.retry_count, job.worker), (JobState::Queued, 0, None));
    let (_, second) = b.claim();
    assert_ne!(first.token, second.token);
    assert_eq!(b.queue.checkpoints(id).unwrap(), [(0, "kept".to_owned())]);
}

fn the_time_under_claims_is_summed_up(b: &Bench) {
    let id = b.submit("k");
    b.clock.advance(1_000);
    let (_, first) = b.claim();
    b.clock.advance(20_000);
    b.queue.release(&first).unwrap();
    b.clock.advance(300_000);
    let (_, second) = b.claim();
    b.clock.advance(4_000);
    b.queue.finish(&second, &outcome("{}")).unwrap();
    let job = b.job(id);
    assert_eq!((job.started_at, job.completed_at), (Some(NOON + 1_000), Some(NOON + 325_000)));
    assert_eq!(job.processing_ms, Some(24_000));
}

fn eight_threads_claim_two_hundred_jobs_each_once(b: &Bench) {
    each_once(b, &vec![b.queue.clone(); 8]);
}

fn two_processes_claim_two_hundred_jobs_each_once(b: &Bench) {
    each_once(b, &[b.process(), b.process()]);
}

fn each_once(b: &Bench, claimers: &[Queue]) {
    let submitted: HashSet<JobId> = (0..200).map(|n| b.submit(&format!("film {n}"))).collect();
    let start = Barrier::new(claimers.len());
    let claimed: Vec<JobId> = std::thread::scope(|scope| {
        let claim_all = |queue: &Queue| {
            start.wait();
            let next = || queue.claim(&ask()).unwrap().map(|(job, _)| job.id);
            std::iter::from_fn(next).collect::<Vec<_>>()
        };
        let threads: Vec<_> = claimers.iter().map(|q| scope.spawn(move || claim_all(q))).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(claimed.len(), 200);
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), submitted);
}
