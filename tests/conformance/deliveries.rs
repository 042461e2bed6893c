//! Words about an end are kept with the end, and until they were heard.

use super::bench::*;
use transcriptord::job::{NewJob, Origin};
use transcriptord::queue::{Again, Queue, Told};

on_every_database! {
    each_end_leaves_its_words,
    what_is_no_end_leaves_none,
    ends_of_provider_requests_can_be_left_out,
    a_delivery_is_taken_by_one_and_due_again_when_its_taker_is_dead,
    a_delivery_waits_as_long_as_it_was_put_off,
    a_dropped_delivery_is_gone,
    deliveries_that_nobody_takes_are_not_kept_for_ever,
}

const HOLD_MS: i64 = 30_000;

fn telling(b: &Bench, told: Told) -> Queue {
    b.process().telling(told, |event, job| Ok(format!("{event} {}", job.file_name)))
}

/// What is due, without a look at who has it.
fn due(queue: &Queue) -> Vec<String> {
    let mut bodies: Vec<String> =
        queue.take_deliveries(100, 0).unwrap().into_iter().map(|one| one.body).collect();
    bodies.sort();
    bodies
}

fn each_end_leaves_its_words(b: &Bench) {
    let queue = telling(b, Told::All);
    b.submit("done");
    queue.finish(&b.claim().1, &outcome("{}")).unwrap();
    b.submit("hopeless");
    queue.fail(&b.claim().1, "no sound", Again::Never).unwrap();
    done(queue.cancel(b.submit("unwanted")).unwrap());
    b.queue.submit(NewJob { max_retries: 0, ..film("deadly") }).unwrap();
    for _ in 0..3 {
        b.queue.begin_window(&b.claim().1, 0).unwrap();
        queue.release_dead("cpu").unwrap();
    }
    let words = ["job.cancelled unwanted.mkv", "job.completed done.mkv", "job.failed deadly.mkv"];
    assert_eq!(due(&queue), [&words[..], &["job.failed hopeless.mkv"]].concat());
}

fn what_is_no_end_leaves_none(b: &Bench) {
    let queue = telling(b, Told::All);
    let id = b.submit("k");
    let (_, claim) = b.claim();
    queue.fail(&claim, "locked", Again::Yes).unwrap();
    assert!(!queue.fail(&claim, "late", Again::Never).unwrap());
    assert!(!queue.finish(&claim, &outcome("late")).unwrap());
    done(b.queue.cancel(id).unwrap());
    refused(queue.cancel(id).unwrap());
    assert_eq!(queue.next_delivery_in().unwrap(), None);
}

fn ends_of_provider_requests_can_be_left_out(b: &Bench) {
    let queue = telling(b, Told::Own);
    let bazarrs = b.queue.submit(NewJob { origin: Origin::Provider, ..film("bazarr's") }).unwrap().id;
    done(queue.cancel(bazarrs).unwrap());
    done(queue.cancel(b.submit("own")).unwrap());
    assert_eq!(due(&queue), ["job.cancelled own.mkv"]);
}

fn a_delivery_is_taken_by_one_and_due_again_when_its_taker_is_dead(b: &Bench) {
    let (queue, other) = (telling(b, Told::All), b.process());
    let id = b.submit("k");
    done(queue.cancel(id).unwrap());
    let first = queue.take_deliveries(4, HOLD_MS).unwrap();
    assert_eq!((first.len(), first[0].job, first[0].tries), (1, id, 1));
    assert_eq!(other.take_deliveries(4, HOLD_MS).unwrap(), []);
    assert_eq!(other.next_delivery_in().unwrap(), Some(HOLD_MS));
    b.clock.advance(HOLD_MS);
    let second = other.take_deliveries(4, HOLD_MS).unwrap();
    assert_eq!((second[0].id, &second[0].body, second[0].tries), (first[0].id, &first[0].body, 2));
    // The first taker was only slow: what it says does not count any more.
    queue.put_off_delivery(&first[0], 0).unwrap();
    assert_eq!(queue.take_deliveries(4, HOLD_MS).unwrap(), []);
}

fn a_delivery_waits_as_long_as_it_was_put_off(b: &Bench) {
    let queue = telling(b, Told::All);
    done(queue.cancel(b.submit("k")).unwrap());
    let taken = queue.take_deliveries(4, HOLD_MS).unwrap();
    queue.put_off_delivery(&taken[0], 2_000).unwrap();
    b.clock.advance(1_999);
    assert_eq!((queue.next_delivery_in().unwrap(), due(&queue)), (Some(1), vec![]));
    b.clock.advance(1);
    assert_eq!(due(&queue).len(), 1);
}

fn a_dropped_delivery_is_gone(b: &Bench) {
    let queue = telling(b, Told::All);
    done(queue.cancel(b.submit("k")).unwrap());
    let taken = queue.take_deliveries(4, HOLD_MS).unwrap();
    queue.drop_delivery(&taken[0]).unwrap();
    assert_eq!(queue.next_delivery_in().unwrap(), None);
}

fn deliveries_that_nobody_takes_are_not_kept_for_ever(b: &Bench) {
    let queue = telling(b, Told::All);
    done(queue.cancel(b.submit("k")).unwrap());
    let prune = || queue.prune(i64::MIN, i64::MIN).unwrap();
    b.clock.advance(30 * 24 * HOUR_MS);
    prune();
    assert!(queue.next_delivery_in().unwrap().is_some(), "jobs and results are kept for ever, this is not");
    b.clock.advance(1);
    prune();
    assert_eq!(queue.next_delivery_in().unwrap(), None);
}
