//! A crash takes nothing but the windows in flight, and is charged to the guilty one.

use super::bench::*;
use transcriptord::job::{Claim, JobId, JobState, NewJob};
use transcriptord::queue::{Begun, ClaimAsk, OPENING};

on_every_database! {
    a_dead_device_gives_back_its_jobs_and_no_others,
    a_window_that_died_twice_runs_alone,
    a_window_that_died_too_often_fails_its_job,
    a_window_is_never_blamed_before_it_died_alone,
    a_window_that_ends_well_is_forgiven,
    a_dropped_window_is_not_charged,
    windows_that_were_not_in_flight_are_not_charged,
    a_crash_while_opening_is_charged_to_the_opening,
    any_finished_window_forgives_the_opening,
    a_job_without_windows_in_flight_is_only_given_back,
    a_retry_by_hand_forgives_all_windows,
    a_start_gives_back_this_nodes_claims_and_charges_nothing,
    a_device_ended_from_outside_gives_back_its_jobs_uncharged,
    an_expired_lease_is_charged_like_a_death,
    a_key_that_crashed_is_held_back,
}

/// Claims the job and dies with these windows in flight.
fn die_in(b: &Bench, windows: &[u32]) -> Vec<JobId> {
    let (_, claim) = b.claim();
    for index in windows {
        assert_ne!(b.queue.begin_window(&claim, *index).unwrap(), Begun::Lost);
    }
    b.queue.release_dead("cpu").unwrap()
}

fn begin(b: &Bench, claim: &Claim, index: u32) -> Begun {
    b.queue.begin_window(claim, index).unwrap()
}

fn a_dead_device_gives_back_its_jobs_and_no_others(b: &Bench) {
    for key in ["a", "b", "c", "d"] {
        b.submit(key);
    }
    let (a, c) = (b.claim().1, b.claim().1);
    let gpu = b.queue.claim(&ClaimAsk { device: "cuda:0".to_owned(), ..ask() }).unwrap().unwrap().1;
    let there = b.node("there").claim(&ask()).unwrap().unwrap().1;
    assert_eq!(b.queue.release_dead("cpu").unwrap(), [a.job, c.job]);
    assert!(!b.queue.renew(&a, LEASE_MS).unwrap());
    assert!(b.queue.renew(&gpu, LEASE_MS).unwrap());
    assert!(b.queue.renew(&there, LEASE_MS).unwrap());
    assert_eq!((b.state(a.job), b.job(a.job).retry_count), (JobState::Queued, 0));
}

fn a_window_that_died_twice_runs_alone(b: &Bench) {
    b.submit("k");
    die_in(b, &[4]);
    die_in(b, &[4, 5]);
    let (_, claim) = b.claim();
    assert_eq!(begin(b, &claim, 5), Begun::Go);
    assert_eq!(begin(b, &claim, 4), Begun::Alone);
}

fn a_window_that_died_too_often_fails_its_job(b: &Bench) {
    let id = b.queue.submit(NewJob { max_retries: 4, ..film("k") }).unwrap().id;
    for _ in 0..3 {
        assert_eq!(die_in(b, &[16]), [id]);
        assert_eq!(b.state(id), JobState::Queued);
    }
    assert_eq!(die_in(b, &[16]), [id]);
    let job = b.job(id);
    assert_eq!((job.state, job.completed_at), (JobState::Failed, Some(NOON)));
    assert_eq!(
        job.error.as_deref(),
        Some(
            "the engine died 4 times in a row on the same part of 'k.mkv' (window 17, at most 30 s of audio): retry with another model"
        )
    );
}

fn a_window_is_never_blamed_before_it_died_alone(b: &Bench) {
    let id = b.queue.submit(NewJob { max_retries: 0, ..film("k") }).unwrap().id;
    die_in(b, &[0]);
    die_in(b, &[0]);
    assert_eq!(b.state(id), JobState::Queued);
    die_in(b, &[0]);
    assert_eq!(b.state(id), JobState::Failed);
}

fn a_window_that_ends_well_is_forgiven(b: &Bench) {
    let id = b.submit("k");
    die_in(b, &[0, 1]);
    die_in(b, &[0, 1]);
    let (_, claim) = b.claim();
    assert_eq!(begin(b, &claim, 0), Begun::Alone);
    b.queue.end_window(&claim, 0, "fine").unwrap();
    assert_eq!(begin(b, &claim, 0), Begun::Go);
    assert_eq!(begin(b, &claim, 1), Begun::Alone, "its neighbour is still suspect");
    b.queue.release_dead("cpu").unwrap();
    assert_eq!(b.state(id), JobState::Failed);
}

fn a_dropped_window_is_not_charged(b: &Bench) {
    b.submit("k");
    for _ in 0..3 {
        let (_, claim) = b.claim();
        assert_eq!(begin(b, &claim, 0), Begun::Go);
        assert!(b.queue.drop_window(&claim, 0).unwrap());
        b.queue.release_dead("cpu").unwrap();
    }
}

fn windows_that_were_not_in_flight_are_not_charged(b: &Bench) {
    b.submit("k");
    for _ in 0..3 {
        let (_, claim) = b.claim();
        begin(b, &claim, 0);
        b.queue.release(&claim).unwrap();
        b.claim();
        b.queue.release_dead("cpu").unwrap();
    }
    assert_eq!(begin(b, &b.claim().1, 0), Begun::Go);
}

fn a_crash_while_opening_is_charged_to_the_opening(b: &Bench) {
    let id = b.submit("k");
    for _ in 0..3 {
        assert_eq!(b.state(id), JobState::Queued);
        die_in(b, &[OPENING]);
    }
    assert_eq!(
        b.job(id).error.as_deref(),
        Some("the engine died 3 times in a row while opening 'k.mkv': check the file, then retry the job")
    );
}

fn any_finished_window_forgives_the_opening(b: &Bench) {
    b.submit("k");
    die_in(b, &[OPENING]);
    die_in(b, &[OPENING]);
    let (_, claim) = b.claim();
    b.queue.end_window(&claim, 7, "fine").unwrap();
    assert_eq!(begin(b, &claim, OPENING), Begun::Go);
}

fn a_job_without_windows_in_flight_is_only_given_back(b: &Bench) {
    let id = b.submit("k");
    for _ in 0..20 {
        assert_eq!(die_in(b, &[]), [id]);
    }
    assert_eq!(b.state(id), JobState::Queued);
}

fn a_retry_by_hand_forgives_all_windows(b: &Bench) {
    let id = b.submit("k");
    for _ in 0..3 {
        die_in(b, &[0]);
    }
    done(b.queue.retry(id).unwrap());
    assert_eq!(begin(b, &b.claim().1, 0), Begun::Go);
}

fn a_start_gives_back_this_nodes_claims_and_charges_nothing(b: &Bench) {
    for key in ["a", "b"] {
        b.submit(key);
    }
    let mine = b.claim().1;
    let there = b.node("there").claim(&ask()).unwrap().unwrap().1;
    for _ in 0..3 {
        begin(b, &mine, 0);
        begin(b, &there, 0);
    }
    assert_eq!(b.process().release_node().unwrap(), [mine.job]);
    assert!(!b.queue.renew(&mine, LEASE_MS).unwrap());
    assert!(b.queue.renew(&there, LEASE_MS).unwrap());
    assert_eq!(begin(b, &b.claim().1, 0), Begun::Go);
}

fn an_expired_lease_is_charged_like_a_death(b: &Bench) {
    let id = b.submit("k");
    let there = b.node("there");
    for deaths in 0..3 {
        let (_, claim) = there.claim(&ask()).unwrap().unwrap();
        let expected = if deaths < 2 { Begun::Go } else { Begun::Alone };
        assert_eq!(there.begin_window(&claim, 0).unwrap(), expected);
        b.clock.advance(LEASE_MS - 1);
        assert_eq!(b.queue.reap().unwrap(), []);
        b.clock.advance(1);
        assert_eq!(b.queue.reap().unwrap(), [id]);
    }
    assert_eq!(b.state(id), JobState::Failed);
}

fn a_key_that_crashed_is_held_back(b: &Bench) {
    let id = b.submit("k");
    for _ in 0..3 {
        die_in(b, &[0]);
    }
    let again = b.queue.submit(film("k")).unwrap();
    assert_eq!((again.id, again.state), (id, JobState::Failed));
    b.clock.advance(10 * MINUTE_MS);
    assert!(!b.queue.submit(film("k")).unwrap().joined);
}

fn a_device_ended_from_outside_gives_back_its_jobs_uncharged(b: &Bench) {
    let id = b.submit("k");
    for _ in 0..5 {
        let (_, claim) = b.claim();
        assert_eq!(begin(b, &claim, 0), Begun::Go);
        assert!(b.queue.release_device("cuda:0").unwrap().is_empty());
        assert_eq!(b.queue.release_device("cpu").unwrap(), [id]);
    }
    assert_eq!(b.state(id), JobState::Queued);
}
