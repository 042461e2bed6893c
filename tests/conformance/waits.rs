//! Who waits for a job learns its end. The runtime has one thread, as the server's have.

use super::bench::*;
use std::time::Duration;
use transcriptord::job::{Job, JobId, JobState};
use transcriptord::queue::{Again, Error, Notice, Result};

on_every_database! {
    a_notice_ends_the_wait,
    each_kind_of_end_ends_the_wait,
    a_job_that_has_ended_is_not_waited_for,
    an_end_in_another_process_is_found_by_the_slow_poll,
    an_end_in_another_process_is_heard_of_by_a_hint,
    notices_that_were_missed_do_not_prolong_the_wait,
    a_job_that_does_not_exist_is_not_waited_for,
    each_change_is_announced,
}

/// Longer than any test runs: only a notice can end the wait.
const NEVER: Duration = Duration::from_secs(3600);

/// Waits for the job and does `meanwhile` once the wait has begun.
fn wait_while(b: &Bench, id: JobId, slow_poll: Duration, meanwhile: impl FnOnce()) -> Result<Job> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (waited, ()) = tokio::join!(b.queue.wait(id, slow_poll), async { meanwhile() });
        waited
    })
}

fn a_notice_ends_the_wait(b: &Bench) {
    let id = b.submit("k");
    let (_, claim) = b.claim();
    let job = wait_while(b, id, NEVER, || {
        assert!(b.queue.finish(&claim, &outcome("{}")).unwrap());
    });
    assert_eq!(job.unwrap().state, JobState::Completed);
}

fn each_kind_of_end_ends_the_wait(b: &Bench) {
    let id = b.submit("failed");
    let (_, claim) = b.claim();
    let job = wait_while(b, id, NEVER, || {
        b.queue.fail(&claim, "no sound", Again::Never).unwrap();
    });
    assert_eq!(job.unwrap().state, JobState::Failed);

    let id = b.submit("cancelled");
    let job = wait_while(b, id, NEVER, || {
        b.queue.cancel(id).unwrap();
    });
    assert_eq!(job.unwrap().state, JobState::Cancelled);

    let id = b.submit("crashed");
    let mut deaths = 0;
    let die = || {
        for _ in 0..3 {
            b.queue.begin_window(&b.claim().1, 0).unwrap();
            b.queue.release_dead("cpu").unwrap();
            deaths += 1;
        }
    };
    assert_eq!(wait_while(b, id, NEVER, die).unwrap().state, JobState::Failed);
    assert_eq!(deaths, 3);
}

fn a_job_that_has_ended_is_not_waited_for(b: &Bench) {
    let id = b.finished(film("k"));
    assert_eq!(wait_while(b, id, NEVER, || {}).unwrap().id, id);
}

fn an_end_in_another_process_is_found_by_the_slow_poll(b: &Bench) {
    let id = b.submit("k");
    let (other, (_, claim)) = (b.process(), b.claim());
    let job = wait_while(b, id, Duration::from_millis(1), || {
        assert!(other.finish(&claim, &outcome("{}")).unwrap());
    });
    assert_eq!(job.unwrap().state, JobState::Completed);
}

fn an_end_in_another_process_is_heard_of_by_a_hint(b: &Bench) {
    let id = b.submit("k");
    let (other, (_, claim)) = (b.process(), b.claim());
    let job = wait_while(b, id, NEVER, || {
        assert!(other.finish(&claim, &outcome("{}")).unwrap());
        b.queue.announce(Notice::Changed(id));
    });
    assert_eq!(job.unwrap().state, JobState::Completed);
}

fn notices_that_were_missed_do_not_prolong_the_wait(b: &Bench) {
    let id = b.submit("k");
    let (other, (_, claim)) = (b.process(), b.claim());
    let job = wait_while(b, id, NEVER, || {
        assert!(other.finish(&claim, &outcome("{}")).unwrap());
        let someone = JobId::new();
        (0..5_000).for_each(|_| b.queue.announce(Notice::Changed(someone)));
    });
    assert_eq!(job.unwrap().state, JobState::Completed);
}

fn a_job_that_does_not_exist_is_not_waited_for(b: &Bench) {
    let nobody = JobId::new();
    let waited = wait_while(b, nobody, NEVER, || {});
    assert!(matches!(waited, Err(Error::Gone(id)) if id == nobody), "{waited:?}");
}

fn each_change_is_announced(b: &Bench) {
    let mut notices = b.queue.notices();
    let id = b.submit("k");
    assert_eq!(notices.try_recv().unwrap(), Notice::Added(id));
    let (_, claim) = b.claim();
    assert_eq!(notices.try_recv().unwrap(), Notice::Changed(id));
    b.queue.release(&claim).unwrap();
    assert_eq!(notices.try_recv().unwrap(), Notice::Added(id));
    b.queue.set_priority(id, 4).unwrap();
    assert_eq!(notices.try_recv().unwrap(), Notice::Moved(id));
    b.queue.cancel(id).unwrap();
    assert_eq!(notices.try_recv().unwrap(), Notice::Cancelled(id));
    b.queue.retry(id).unwrap();
    assert_eq!(notices.try_recv().unwrap(), Notice::Added(id));
    b.queue.finish(&claim, &outcome("late")).unwrap();
    assert!(notices.try_recv().is_err(), "what was lost is not announced");
}
