//! What the queue tells of itself is so.

use super::bench::*;
use transcriptord::job::{JobId, JobState, NewJob, Source};
use transcriptord::queue::{Again, Counts};

on_every_database! {
    a_list_is_newest_first_and_paged,
    a_list_of_one_state_has_no_others,
    jobs_are_counted_by_state_and_day,
    uploads_are_in_use_until_their_last_job_ends,
    another_process_sees_what_was_written,
}

fn ids(b: &Bench, state: Option<JobState>, page: u32, page_size: u32) -> (Vec<JobId>, u64) {
    let (jobs, total) = b.queue.list(state, page, page_size).unwrap();
    (jobs.into_iter().map(|job| job.id).collect(), total)
}

fn a_list_is_newest_first_and_paged(b: &Bench) {
    let mut newest: Vec<JobId> = Vec::new();
    for key in ["a", "b", "c", "d", "e"] {
        newest.insert(0, b.submit(key));
        b.clock.advance(1);
    }
    assert_eq!(ids(b, None, 1, 2), (newest[..2].to_vec(), 5));
    assert_eq!(ids(b, None, 2, 2), (newest[2..4].to_vec(), 5));
    assert_eq!(ids(b, None, 3, 2), (newest[4..].to_vec(), 5));
    assert_eq!(ids(b, None, 4, 2), (vec![], 5));
    assert_eq!(ids(b, None, u32::MAX, u32::MAX), (vec![], 5));
}

fn a_list_of_one_state_has_no_others(b: &Bench) {
    let (first, second, third) = (b.submit("a"), b.submit("b"), b.submit("c"));
    b.claim();
    assert_eq!(ids(b, Some(JobState::Queued), 1, 10), (vec![third, second], 2));
    assert_eq!(ids(b, Some(JobState::Processing), 1, 10), (vec![first], 1));
    assert_eq!(ids(b, Some(JobState::Failed), 1, 10), (vec![], 0));
}

fn jobs_are_counted_by_state_and_day(b: &Bench) {
    assert_eq!(b.queue.counts().unwrap(), Counts::default());
    b.finished(film("completed"));
    b.submit("failed");
    b.queue.fail(&b.claim().1, "no sound", Again::Never).unwrap();
    b.queue.cancel(b.submit("cancelled")).unwrap();
    b.submit("processing");
    b.claim();
    b.submit("queued");
    b.submit("queued too");
    let today = Counts {
        total: 6,
        queued: 2,
        processing: 1,
        completed: 1,
        failed: 1,
        cancelled: 1,
        completed_today: 1,
        failed_today: 1,
    };
    assert_eq!(b.queue.counts().unwrap(), today);
    b.clock.advance(12 * HOUR_MS - 1);
    assert_eq!(b.queue.counts().unwrap(), today);
    b.clock.advance(1);
    assert_eq!(b.queue.counts().unwrap(), Counts { completed_today: 0, failed_today: 0, ..today });
}

fn uploads_are_in_use_until_their_last_job_ends(b: &Bench) {
    let upload = |key: &str, hash: &str, home: &str| {
        let source = Source::Spool { hash: hash.to_owned(), raw: false };
        let job = NewJob { source, home: Some(home.to_owned()), ..film(key) };
        b.queue.submit(job).unwrap().id
    };
    let (detection, subtitle) = (upload("a", "h1", "here"), upload("b", "h1", "here"));
    upload("c", "h2", "there");
    assert_eq!(b.queue.spools_in_use().unwrap(), ["h1"]);
    b.queue.cancel(detection).unwrap();
    assert_eq!(b.queue.spools_in_use().unwrap(), ["h1"]);
    b.queue.cancel(subtitle).unwrap();
    assert!(b.queue.spools_in_use().unwrap().is_empty());
}

fn another_process_sees_what_was_written(b: &Bench) {
    let other = b.process();
    let id = b.submit("k");
    assert!(other.get(id).unwrap().is_some());
    let (_, claim) = other.claim(&ask()).unwrap().unwrap();
    assert_eq!(b.state(id), JobState::Processing);
    other.finish(&claim, &outcome("theirs")).unwrap();
    assert_eq!(b.queue.result(id).unwrap().unwrap().result, "theirs");
}
