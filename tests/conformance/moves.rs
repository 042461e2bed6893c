//! What people do to jobs, and what they may not.

use super::bench::*;
use transcriptord::job::{JobId, JobState, NewJob};
use transcriptord::queue::{Again, Mark, Moved, Notice};

on_every_database! {
    a_queued_job_can_be_cancelled,
    a_running_job_is_cancelled_and_its_holder_loses_it,
    what_has_ended_cannot_be_cancelled,
    a_failed_job_is_retried_with_all_its_attempts,
    a_cancelled_job_goes_on_from_its_checkpoints,
    only_what_failed_or_was_cancelled_can_be_retried,
    a_retry_is_refused_while_the_same_work_is_live,
    priority_can_be_changed_until_the_end,
    a_change_of_order_and_a_resumed_queue_are_told,
    an_unknown_job_is_not_found,
    clearing_removes_completed_jobs_alone,
    pruning_removes_old_ends_and_old_results,
    what_nobody_comes_back_to_is_forgotten_after_a_month,
}

fn in_state(b: &Bench, state: JobState) -> JobId {
    let id = b.submit(state.as_str());
    if state == JobState::Queued {
        b.queue.set_priority(id, -100).unwrap();
        return id;
    }
    let (job, claim) = b.claim();
    assert_eq!(job.id, id);
    match state {
        JobState::Queued | JobState::Processing => {}
        JobState::Completed => assert!(b.queue.finish(&claim, &outcome("{}")).unwrap()),
        JobState::Failed => assert!(b.queue.fail(&claim, "no sound", Again::Never).unwrap()),
        JobState::Cancelled => drop(done(b.queue.cancel(id).unwrap())),
    }
    id
}

fn a_change_of_order_and_a_resumed_queue_are_told(b: &Bench) {
    let id = b.submit("k");
    let mut notices = b.queue.notices();
    b.queue.set_priority(id, 7).unwrap();
    assert_eq!(notices.try_recv().unwrap(), Notice::Moved(id));
    assert_eq!(b.submit("k"), id);
    assert_eq!(notices.try_recv().unwrap(), Notice::Moved(id), "joining may raise it");
    b.queue.set_paused(true).unwrap();
    assert!(notices.try_recv().is_err());
    b.queue.set_paused(false).unwrap();
    assert_eq!(notices.try_recv().unwrap(), Notice::Added(id));
}

fn a_queued_job_can_be_cancelled(b: &Bench) {
    let id = b.submit("k");
    b.clock.advance(7);
    let job = done(b.queue.cancel(id).unwrap());
    assert_eq!((job.state, job.completed_at), (JobState::Cancelled, Some(NOON + 7)));
    assert_eq!(job.processing_ms, None);
    assert!(b.queue.claim(&ask()).unwrap().is_none());
}

fn a_running_job_is_cancelled_and_its_holder_loses_it(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    b.queue.begin_window(&claim, 0).unwrap();
    b.clock.advance(7);
    assert_eq!(done(b.queue.cancel(id).unwrap()).processing_ms, Some(7));
    assert!(!b.queue.renew(&claim, LEASE_MS).unwrap());
    assert!(!b.queue.finish(&claim, &outcome("late")).unwrap());
    assert_eq!(b.state(id), JobState::Cancelled);
    assert_eq!(b.queue.release_dead("cpu").unwrap(), []);
}

fn what_has_ended_cannot_be_cancelled(b: &Bench) {
    for state in [JobState::Completed, JobState::Failed, JobState::Cancelled] {
        let id = in_state(b, state);
        assert_eq!(refused(b.queue.cancel(id).unwrap()), state);
        assert_eq!(b.state(id), state);
    }
}

fn a_failed_job_is_retried_with_all_its_attempts(b: &Bench) {
    let id = b.queue.submit(NewJob { max_retries: 1, ..film("k") }).unwrap().id;
    b.queue.fail(&b.claim().1, "first", Again::Yes).unwrap();
    b.clock.advance(30_000);
    b.queue.fail(&b.claim().1, "second", Again::Yes).unwrap();
    let job = done(b.queue.retry(id).unwrap());
    assert_eq!((job.state, job.retry_count, job.error), (JobState::Queued, 0, None));
    assert_eq!((job.started_at, job.completed_at, job.processing_ms), (None, None, None));
    assert_eq!((job.progress, job.worker), (0.0, None));
    assert_eq!(b.claim().0.id, id);
}

fn a_cancelled_job_goes_on_from_its_checkpoints(b: &Bench) {
    let id = b.submit("k");
    b.queue.end_window(&b.claim().1, 0, "kept").unwrap();
    b.queue.cancel(id).unwrap();
    done(b.queue.retry(id).unwrap());
    assert_eq!(b.claim().0.id, id);
    assert_eq!(b.queue.checkpoints(id).unwrap(), [(0, "kept".to_owned())]);
}

fn only_what_failed_or_was_cancelled_can_be_retried(b: &Bench) {
    for state in [JobState::Completed, JobState::Processing, JobState::Queued] {
        let id = in_state(b, state);
        assert_eq!(refused(b.queue.retry(id).unwrap()), state);
        assert_eq!(b.state(id), state);
    }
}

fn a_retry_is_refused_while_the_same_work_is_live(b: &Bench) {
    let first = b.submit("k");
    b.queue.cancel(first).unwrap();
    let second = b.submit("k");
    assert_eq!(refused(b.queue.retry(first).unwrap()), JobState::Cancelled);
    b.queue.cancel(second).unwrap();
    assert_eq!(done(b.queue.retry(first).unwrap()).state, JobState::Queued);
}

fn priority_can_be_changed_until_the_end(b: &Bench) {
    let (first, second) = (b.submit("a"), b.submit("b"));
    assert_eq!(done(b.queue.set_priority(second, 3).unwrap()).priority, 3);
    let (job, claim) = b.claim();
    assert_eq!(job.id, second);
    assert_eq!(done(b.queue.set_priority(second, -3).unwrap()).priority, -3);
    b.queue.finish(&claim, &outcome("{}")).unwrap();
    assert_eq!(refused(b.queue.set_priority(second, 9).unwrap()), JobState::Completed);
    assert_eq!(b.job(first).priority, 0);
}

fn an_unknown_job_is_not_found(b: &Bench) {
    let nobody = JobId::new();
    assert!(b.queue.get(nobody).unwrap().is_none());
    assert!(matches!(b.queue.cancel(nobody).unwrap(), Moved::NotFound));
    assert!(matches!(b.queue.retry(nobody).unwrap(), Moved::NotFound));
    assert!(matches!(b.queue.set_priority(nobody, 1).unwrap(), Moved::NotFound));
    assert_eq!(b.queue.checkpoints(nobody).unwrap(), []);
    assert_eq!(b.queue.result(nobody).unwrap(), None);
}

fn clearing_removes_completed_jobs_alone(b: &Bench) {
    let completed = in_state(b, JobState::Completed);
    let others = [JobState::Failed, JobState::Cancelled, JobState::Processing, JobState::Queued];
    let others = others.map(|state| in_state(b, state));
    assert_eq!(b.queue.clear_completed().unwrap(), 1);
    assert!(b.queue.get(completed).unwrap().is_none());
    assert_eq!(b.queue.result(completed).unwrap(), None);
    assert!(others.iter().all(|id| b.queue.get(*id).unwrap().is_some()));
}

fn pruning_removes_old_ends_and_old_results(b: &Bench) {
    let old = [JobState::Completed, JobState::Failed, JobState::Cancelled].map(|s| in_state(b, s));
    let live = [JobState::Processing, JobState::Queued].map(|s| in_state(b, s));
    b.clock.advance(HOUR_MS);
    let young = b.finished(film("young"));

    assert_eq!(b.queue.prune(NOON, NOON + 1).unwrap(), 1, "the old result");
    assert!(b.queue.get(old[0]).unwrap().is_some());
    assert_eq!(b.queue.result(old[0]).unwrap(), None);
    assert_eq!(b.queue.prune(NOON + 1, NOON + 1).unwrap(), 3, "the old jobs");
    assert!(old.iter().all(|id| b.queue.get(*id).unwrap().is_none()));
    assert!(live.iter().all(|id| b.queue.get(*id).unwrap().is_some()));
    assert!(b.queue.result(young).unwrap().is_some());
}

fn what_nobody_comes_back_to_is_forgotten_after_a_month(b: &Bench) {
    const MONTH_MS: i64 = 30 * 24 * HOUR_MS;
    let mark = Mark { tries: 2, until: NOON + HOUR_MS };
    b.queue.set_mark("film", Mark { tries: 1, until: 0 }).unwrap();
    b.queue.set_mark("film", mark).unwrap();
    assert_eq!((b.queue.mark("film").unwrap(), b.queue.mark("other").unwrap()), (Some(mark), None));
    let fail = || {
        let id = b.submit("k");
        b.queue.fail(&b.claim().1, "no sound", Again::Never).unwrap();
        id
    };
    let failed = fail();
    // Jobs and results are kept for ever; the key was held back for ten minutes.
    let forget = |at| {
        b.clock.advance(at - b.now());
        b.queue.prune(i64::MIN, i64::MIN).unwrap();
    };
    forget(NOON + 10 * MINUTE_MS + MONTH_MS + 1);
    assert_eq!(b.queue.mark("film").unwrap(), Some(mark), "its time ended later");
    assert_ne!(fail(), failed);
    b.clock.advance(10 * MINUTE_MS);
    assert_ne!(b.submit("k"), failed, "a first failure again: held back for ten minutes, not for an hour");
    forget(NOON + HOUR_MS + MONTH_MS + 1);
    assert_eq!(b.queue.mark("film").unwrap(), None);
    assert!(b.queue.get(failed).unwrap().is_some());
}
