//! The board's promises, with jobs that no database knows.

use super::*;
use crate::audio::windows::{Span, TimeMap};
use crate::job::{Claim, Job, JobKind, JobState, Options, Origin, Preset, Source, Stage, Task};
use std::sync::atomic::AtomicU32;
use uuid::Uuid;

pub fn job(priority: i64) -> Arc<Open> {
    let id = JobId::new();
    let job = Job {
        id,
        kind: JobKind::Transcription,
        origin: Origin::Scan,
        source: Source::Path { path: "film.mkv".into(), track: None },
        home: None,
        file_name: "film.mkv".into(),
        task: Task::Transcribe,
        source_lang: None,
        target_lang: None,
        preset: Preset::Fast,
        options: Options::default(),
        priority,
        key: String::new(),
        rank: 0,
        output: None,
        state: JobState::Processing,
        stage: Stage::Pending,
        progress: 0.0,
        eta_ms: None,
        created_at: 0,
        started_at: None,
        completed_at: None,
        error: None,
        retry_count: 0,
        max_retries: 3,
        worker: None,
        segments_count: None,
        model_used: None,
        device_used: None,
        processing_ms: None,
        output_path: None,
    };
    let claim = Claim { job: id, token: Uuid::new_v4(), until: 0 };
    Arc::new(Open::new(job, claim))
}

fn window(index: u32) -> Window {
    Window::new(index, &[], TimeMap::new(vec![]), vec![Span { start: 0, end: 1 }])
}

fn english(board: &Board, open: &Arc<Open>, windows: std::ops::Range<u32>) {
    board.open(open.clone(), Some(Language::ENGLISH), HashSet::new());
    for index in windows {
        assert!(board.offer(open, window(index), 0));
    }
}

fn next(board: &Board) -> (JobId, u32) {
    next_now(board).expect("a window")
}

/// What a free worker is given at once.
fn next_now(board: &Board) -> Option<(JobId, u32)> {
    match board.next_within(Lane::Words, 0, Duration::ZERO).unwrap()? {
        Work::Window { open, window, .. } => Some((open.job.id, window.index)),
        Work::Detect { .. } => panic!("no work for words"),
    }
}

#[test]
fn the_urgent_job_gets_the_next_window_and_the_parked_one_goes_on_behind_it() {
    let board = Board::new(4);
    let (long, urgent) = (job(0), job(10));
    english(&board, &long, 0..3);
    assert_eq!(next(&board), (long.job.id, 0));
    english(&board, &urgent, 0..2);
    assert_eq!(next(&board), (urgent.job.id, 0));
    assert_eq!(next(&board), (urgent.job.id, 1));
    assert_eq!(next(&board), (long.job.id, 1));
}

/// An urgent job opened so long ago.
fn urgent_since(ago: Duration) -> Arc<Open> {
    let open = Arc::into_inner(job(10)).unwrap();
    Arc::new(Open { opened: Instant::now().checked_sub(ago).unwrap(), ..open })
}

#[test]
fn a_free_worker_waits_for_a_more_urgent_job_that_begins_soon() {
    let board = Board::new(4);
    let (long, same, urgent) = (job(0), job(10), urgent_since(Duration::ZERO));
    english(&board, &long, 0..2);
    board.open(urgent.clone(), None, HashSet::new());
    assert_eq!(next_now(&board), None, "its source is being read");
    english(&board, &same, 0..1);
    assert_eq!(next(&board), (same.job.id, 0), "one as urgent is not held back");
    board.offer(&urgent, window(0), 0);
    board.tell_language(&urgent, Language::ENGLISH);
    assert_eq!(next(&board), (urgent.job.id, 0));
    assert_eq!(next(&board), (long.job.id, 0), "it has begun: nobody waits for its second window");
}

#[test]
fn a_slow_source_is_not_waited_for_but_a_language_that_is_being_told_is() {
    let board = Board::new(4);
    let (long, urgent) = (job(0), urgent_since(SOON));
    english(&board, &long, 0..3);
    board.open(urgent.clone(), None, HashSet::new());
    assert_eq!(next(&board), (long.job.id, 0));
    board.offer(&urgent, window(0), 0);
    board.read_all(&urgent, 0);
    assert!(matches!(board.next_within(Lane::Languages, 0, Duration::ZERO), Ok(Some(Work::Detect { .. }))));
    assert_eq!(next_now(&board), None);
    board.close(&urgent);
    assert_eq!(next(&board), (long.job.id, 1), "a job that is closed holds nobody");
}

#[test]
fn a_detection_holds_nobody_back() {
    let board = Board::new(4);
    let (long, detection) = (job(0), Arc::into_inner(urgent_since(Duration::ZERO)).unwrap());
    let kind = JobKind::LanguageDetection;
    let detection = Arc::new(Open { job: Job { kind, ..detection.job.clone() }, ..detection });
    english(&board, &long, 0..2);
    board.open(detection.clone(), None, HashSet::new());
    board.offer(&detection, window(0), 0);
    board.read_all(&detection, 0);
    assert_eq!(next(&board), (long.job.id, 0));
    assert!(matches!(board.next_within(Lane::Languages, 0, Duration::ZERO), Ok(Some(Work::Detect { .. }))));
    assert_eq!(next(&board), (long.job.id, 1));
}

#[test]
fn exactly_one_is_told_to_end_a_job() {
    let board = Board::new(2);
    let open = job(0);
    english(&board, &open, 0..2);
    next(&board);
    next(&board);
    assert!(!board.done(&open));
    assert!(!board.read_all(&open, 1_000));
    assert!(board.done(&open));
    assert!(!board.read_all(&open, 1_000));
}

#[test]
fn a_source_without_speech_is_complete_when_it_is_read() {
    let board = Board::new(2);
    let open = job(0);
    english(&board, &open, 0..0);
    assert!(board.read_all(&open, 1_000));
}

#[test]
fn windows_with_a_checkpoint_are_not_handed_out_again() {
    let board = Board::new(2);
    let open = job(0);
    board.open(open.clone(), Some(Language::ENGLISH), HashSet::from([0, 2]));
    for index in 0..4 {
        assert!(board.offer(&open, window(index), 0));
    }
    assert_eq!(next(&board).1, 1);
    assert_eq!(next(&board).1, 3);
    board.read_all(&open, 0);
    assert!(!board.done(&open));
    assert!(board.done(&open));
}

#[test]
fn a_job_without_a_language_waits_in_the_lane_of_languages() {
    let board = Board::new(2);
    let open = job(0);
    board.open(open.clone(), None, HashSet::new());
    board.offer(&open, window(0), 0);
    let soon = Duration::ZERO;
    assert!(board.next_within(Lane::Words, 0, soon).unwrap().is_none());
    assert!(board.next_within(Lane::Languages, 0, soon).unwrap().is_none(), "one window is too few");
    board.read_all(&open, 0);
    assert!(
        matches!(board.next_within(Lane::Languages, 0, soon), Ok(Some(Work::Detect { windows, .. })) if windows.len() == 1)
    );
    assert!(board.next_within(Lane::Languages, 0, soon).unwrap().is_none(), "it is being told");
    board.tell_language(&open, Language::ENGLISH);
    assert_eq!(next(&board), (open.job.id, 0));
}

#[test]
fn a_reader_waits_for_room_and_ends_when_the_job_is_closed() {
    let board = Arc::new(Board::new(2));
    let open = job(0);
    english(&board, &open, 0..3);
    let (other, theirs) = (board.clone(), open.clone());
    let reader =
        std::thread::spawn(move || (other.offer(&theirs, window(3), 0), other.offer(&theirs, window(4), 0)));
    assert_eq!(next(&board).1, 0);
    while board.standing(&open).unwrap().found < 4 {
        std::thread::yield_now();
    }
    board.close(&open);
    assert_eq!(reader.join().unwrap(), (true, false));
    assert!(open.stop.load(Ordering::Relaxed));
}

#[test]
fn a_suspect_runs_with_nothing_beside_it() {
    let board = Arc::new(Board::new(2));
    let open = job(0);
    english(&board, &open, 0..3);
    next(&board);
    next(&board);
    let (other, theirs) = (board.clone(), open.clone());
    let suspect = std::thread::spawn(move || {
        other.alone(|| {
            let flying = other.standing(&theirs).unwrap().in_flight;
            (flying, other.next_within(Lane::Words, 0, Duration::ZERO).unwrap().is_none())
        })
    });
    board.done(&open);
    assert_eq!(suspect.join().unwrap(), (1, true));
    assert_eq!(next(&board).1, 2);
}

#[test]
fn of_two_suspects_in_flight_one_runs_after_the_other() {
    let board = Board::new(2);
    let open = job(0);
    english(&board, &open, 0..2);
    next(&board);
    next(&board);
    let running = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let beside = board.alone(|| {
                    let beside = running.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    beside
                });
                assert_eq!(beside, 0);
                board.done(&open);
            });
        }
    });
    assert_eq!(board.standing(&open).unwrap().done, 2);
}

#[test]
fn a_suspect_that_panics_lets_the_others_go_on() {
    let board = Board::new(2);
    let open = job(0);
    english(&board, &open, 0..2);
    next(&board);
    let suspect = std::panic::AssertUnwindSafe(|| board.alone(|| panic!("on purpose")));
    assert!(std::panic::catch_unwind(suspect).is_err());
    assert_eq!(next(&board).1, 1);
}

#[test]
fn a_stopped_board_lets_everybody_go() {
    let board = Arc::new(Board::new(2));
    let other = board.clone();
    let worker =
        std::thread::spawn(move || other.next_within(Lane::Words, 0, Duration::from_secs(3600)).err());
    board.stop();
    assert_eq!(worker.join().unwrap(), Some(Stopped));
    assert_eq!(board.next_within(Lane::Words, 0, Duration::ZERO).err(), Some(Stopped));
}

#[test]
fn threads_of_an_earlier_claim_do_not_touch_the_new_one() {
    let board = Board::new(2);
    let open = job(0);
    english(&board, &open, 0..1);
    board.close(&open);
    let claim = Claim { token: Uuid::new_v4(), ..open.claim };
    let again = Arc::new(Open::new(open.job.clone(), claim));
    english(&board, &again, 0..1);
    assert!(!board.offer(&open, window(1), 0));
    assert!(!board.read_all(&open, 0));
    assert!(!board.done(&open));
    assert_eq!(board.standing(&again).unwrap().found, 1);
}

#[test]
fn a_changed_priority_counts_from_the_next_window_on() {
    let board = Board::new(4);
    let (first, second) = (job(5), job(0));
    english(&board, &first, 0..2);
    english(&board, &second, 0..2);
    assert_eq!(next(&board), (first.job.id, 0));
    board.set_priority(&second, 6);
    assert_eq!(next(&board), (second.job.id, 0));
    let (least, place) = board.least_urgent(JobKind::Transcription).unwrap();
    assert_eq!((least.job.id, place.priority), (first.job.id, 5));
    board.set_priority(&second, -1);
    assert_eq!(next(&board), (first.job.id, 1));
}

#[test]
fn waiting_raises_an_open_job_when_ageing_is_on() {
    let aged = |ms_per_point| {
        let board = Board::new(4).ageing(ms_per_point);
        let (old, mut young) = (job(0), job(2));
        Arc::get_mut(&mut young).unwrap().job.created_at = 3_000;
        english(&board, &young, 0..1);
        english(&board, &old, 0..1);
        next(&board).0 == old.job.id
    };
    assert!(!aged(0), "off: priority alone decides");
    assert!(aged(1_000), "three seconds are three points");
    assert!(!aged(2_000), "they are one and a half");
}

#[test]
fn a_language_is_told_from_speech_alone_and_silences_do_not_block_the_reader() {
    let board = Board::new(1);
    let open = job(0);
    board.open(open.clone(), None, HashSet::new());
    let silence = |index| Window { speech: vec![], ..window(index) };
    for index in 0..5 {
        assert!(board.offer(&open, silence(index), 0));
    }
    let soon = Duration::from_millis(1);
    assert!(matches!(board.next_within(Lane::Languages, 0, soon), Ok(None)));
    for index in 5..8 {
        assert!(board.offer(&open, window(index), 0));
    }
    let Ok(Some(Work::Detect { windows, .. })) = board.next_within(Lane::Languages, 0, soon) else {
        panic!("three windows of speech are enough");
    };
    assert_eq!(windows.iter().map(|w| w.index).collect::<Vec<_>>(), [5, 6, 7]);
}

#[test]
fn where_nothing_but_silences_comes_the_language_is_asked_for_in_the_end() {
    let board = Board::new(1);
    let open = job(0);
    board.open(open.clone(), None, HashSet::new());
    for index in 0..(SAMPLES + SILENCES) as u32 {
        assert!(board.offer(&open, Window { speech: vec![], ..window(index) }, 0));
    }
    match board.next_within(Lane::Languages, 0, Duration::from_millis(1)) {
        Ok(Some(Work::Detect { windows, .. })) => assert!(windows.is_empty()),
        _ => panic!("the reader would wait for ever"),
    }
}

#[test]
fn workers_that_are_not_on_duty_get_no_words_until_they_are_again() {
    let board = Board::new(2);
    let film = job(0);
    english(&board, &film, 0..2);
    assert!(board.staff(1) && !board.staff(1));
    assert!(board.next_within(Lane::Words, 1, Duration::ZERO).unwrap().is_none());
    assert!(board.next_within(Lane::Words, 0, Duration::ZERO).unwrap().is_some());
    assert!(board.staff(2));
    assert!(board.next_within(Lane::Words, 1, Duration::ZERO).unwrap().is_some());
}
