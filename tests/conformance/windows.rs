//! What a window gave is kept, once.

use super::bench::*;
use transcriptord::queue::{Again, Begun};

on_every_database! {
    checkpoints_come_by_index_in_whatever_order_they_were_made,
    a_window_decoded_again_replaces_its_checkpoint,
    a_window_may_be_begun_twice,
    checkpoints_outlive_a_failed_attempt,
    checkpoints_go_when_the_job_is_completed,
    checkpoints_of_jobs_do_not_mix,
}

fn checkpoints_come_by_index_in_whatever_order_they_were_made(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    for index in [2, 0, 10, 1] {
        assert_eq!(b.queue.begin_window(&claim, index).unwrap(), Begun::Go);
        assert!(b.queue.end_window(&claim, index, &format!("w{index}")).unwrap());
    }
    let expected: Vec<_> = [0, 1, 2, 10].map(|i| (i, format!("w{i}"))).into();
    assert_eq!(b.queue.checkpoints(id).unwrap(), expected);
}

fn a_window_decoded_again_replaces_its_checkpoint(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    b.queue.end_window(&claim, 0, "first").unwrap();
    b.queue.end_window(&claim, 0, "second").unwrap();
    assert_eq!(b.queue.checkpoints(id).unwrap(), [(0, "second".to_owned())]);
}

fn a_window_may_be_begun_twice(b: &Bench) {
    b.submit("k");
    let (_, claim) = b.claim();
    assert_eq!(b.queue.begin_window(&claim, 0).unwrap(), Begun::Go);
    assert_eq!(b.queue.begin_window(&claim, 0).unwrap(), Begun::Go);
}

fn checkpoints_outlive_a_failed_attempt(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    b.queue.end_window(&claim, 0, "kept").unwrap();
    b.queue.fail(&claim, "the disk is full", Again::Yes).unwrap();
    assert_eq!(b.queue.checkpoints(id).unwrap(), [(0, "kept".to_owned())]);
}

fn checkpoints_go_when_the_job_is_completed(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    b.queue.end_window(&claim, 0, "done").unwrap();
    b.queue.finish(&claim, &outcome("{}")).unwrap();
    assert_eq!(b.queue.checkpoints(id).unwrap(), []);
}

fn checkpoints_of_jobs_do_not_mix(b: &Bench) {
    let (first, second) = (b.submit("a"), b.submit("b"));
    let (claim_first, claim_second) = (b.claim().1, b.claim().1);
    b.queue.end_window(&claim_first, 0, "a").unwrap();
    b.queue.end_window(&claim_second, 0, "b").unwrap();
    b.queue.finish(&claim_first, &outcome("{}")).unwrap();
    assert_eq!(b.queue.checkpoints(first).unwrap(), []);
    assert_eq!(b.queue.checkpoints(second).unwrap(), [(0, "b".to_owned())]);
}
