//! Tests of what is in memory: engines that do nothing, and numbers of a test's own.

use super::{Residents, Wanted};
use crate::engine::scripted::Scripted;
use crate::engine::{self, Engine, Heard, LanguageOdds};
use crate::pool::seat::Seat;
use crate::pool::weights::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;

static NEVER: AtomicBool = AtomicBool::new(false);

/// 10 bytes are taken in any case, 100 may be.
fn residents() -> Arc<Residents> {
    Residents::new(10, Box::new(|_| 100))
}

fn wanted(name: &str, weights: u64, session: u64) -> Wanted {
    Wanted { name: name.into(), path: name.into(), multilingual: name != "english", weights, session }
}

fn engine() -> Arc<dyn Engine> {
    Arc::new(Scripted::new(LanguageOdds::default(), |_, _, _| Ok(Heard::default())))
}

fn take(residents: &Arc<Residents>, wanted: &Wanted) -> Result<Seat, Error> {
    residents.take(wanted, &NEVER, || Ok(engine()))
}

/// What is in memory: models in order of use with their idle and their busy sessions.
fn check(residents: &Residents, expected: &[(&str, usize, usize)]) {
    let state = residents.lock();
    let found: Vec<_> =
        state.models.iter().map(|m| (m.wanted.name.as_str(), m.idle.len(), m.busy.len())).collect();
    assert_eq!(found, expected);
}

/// Waits until so many are in line.
fn in_line(residents: &Residents, count: usize) {
    while residents.lock().line.len() < count {
        std::thread::yield_now();
    }
}

#[test]
fn sessions_of_a_model_share_its_weights_and_are_used_again() {
    let residents = residents();
    let loads = AtomicU32::new(0);
    let load = || {
        loads.fetch_add(1, Ordering::Relaxed);
        Ok(engine())
    };
    let base = wanted("base", 30, 20);
    let one = residents.take(&base, &NEVER, load).unwrap();
    let two = residents.take(&base, &NEVER, load).unwrap();
    check(&residents, &[("base", 0, 2)]);
    assert_eq!(residents.room(), 90);
    drop((one, two));
    let again = residents.take(&base, &NEVER, load).unwrap();
    check(&residents, &[("base", 1, 1)]);
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    drop(again);
    residents.rest();
    check(&residents, &[("base", 0, 0)]);
    residents.unload();
    check(&residents, &[]);
}

#[test]
fn a_session_for_which_there_is_no_room_waits_for_one_that_is_given_back() {
    let residents = residents();
    let base = wanted("base", 40, 30);
    let only = take(&residents, &base).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| take(&residents, &base).map(drop));
        in_line(&residents, 1);
        check(&residents, &[("base", 0, 1)]);
        drop(only);
        waiting.join().unwrap().unwrap();
    });
    check(&residents, &[("base", 1, 0)]);
}

#[test]
fn what_nobody_uses_makes_room_sessions_first() {
    let residents = residents();
    let (small, base, large) = (wanted("small", 20, 20), wanted("base", 20, 20), wanted("large", 60, 20));
    let busy = take(&residents, &small).unwrap();
    drop(take(&residents, &base).unwrap());
    check(&residents, &[("small", 0, 1), ("base", 1, 0)]);
    let second = take(&residents, &small).unwrap();
    check(&residents, &[("base", 0, 0), ("small", 0, 2)]);
    drop((busy, second));
    drop(take(&residents, &large).unwrap());
    check(&residents, &[("large", 1, 0)]);
}

#[test]
fn a_model_that_others_use_is_waited_for_in_order() {
    let residents = residents();
    let (small, large) = (wanted("small", 40, 40), wanted("large", 60, 30));
    let busy = take(&residents, &small).unwrap();
    let (told, order) = mpsc::channel();
    std::thread::scope(|scope| {
        for (at, model) in [&large, &small].into_iter().enumerate() {
            let (told, residents) = (told.clone(), &residents);
            scope.spawn(move || {
                let seat = take(residents, model).unwrap();
                told.send(seat.name.clone()).unwrap();
            });
            in_line(residents, at + 1);
        }
        drop(busy);
    });
    // The second asked for what was there, and had to wait for the first nevertheless.
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["large", "small"]);
}

#[test]
fn what_can_never_fit_is_told_at_once_with_its_figure() {
    let residents = residents();
    let Err(Error::Short(short)) = take(&residents, &wanted("large", 80, 20)) else { panic!("it fits") };
    assert_eq!((short.needed, short.allowed, short.model.as_str()), (110, 100, "large"));
    check(&residents, &[]);
    assert!(residents.lock().line.is_empty());
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_nothing_behind() {
    let residents = residents();
    let base = wanted("base", 30, 20);
    let failed = residents.take(&base, &NEVER, || Err(engine::Error::Failed("odd".into()).into()));
    assert!(matches!(failed, Err(Error::Engine(_))));
    check(&residents, &[]);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _seat = take(&residents, &base).unwrap();
        panic!("in the midst of a window");
    }));
    assert!(panicked.is_err());
    // What it may have left in the session is used by nobody.
    check(&residents, &[("base", 0, 0)]);
}

#[test]
fn who_is_stopped_leaves_the_line() {
    let residents = residents();
    let base = wanted("base", 60, 30);
    let _busy = take(&residents, &base).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| residents.take(&base, &stop, || Ok(engine())).map(drop));
        in_line(&residents, 1);
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(waiting.join().unwrap(), Err(Error::Engine(engine::Error::Stopped))));
    });
    assert!(residents.lock().line.is_empty());
}

#[test]
fn a_longer_prompt_gets_a_larger_session() {
    let residents = residents();
    drop(take(&residents, &wanted("base", 20, 20)).unwrap());
    let larger = take(&residents, &wanted("base", 20, 60)).unwrap();
    // The idle one made room for it.
    check(&residents, &[("base", 0, 1)]);
    drop(larger);
    drop(take(&residents, &wanted("base", 20, 20)).unwrap());
    check(&residents, &[("base", 1, 0)]);
}

#[test]
fn what_is_lent_counts_until_it_is_given_back() {
    let residents = residents();
    let base = wanted("base", 30, 20);
    drop(take(&residents, &base).unwrap());
    let lent = residents.lend("a comparison", 80).unwrap();
    check(&residents, &[]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| take(&residents, &base).map(drop));
        in_line(&residents, 1);
        check(&residents, &[]);
        drop(lent);
        waiting.join().unwrap().unwrap();
    });
    assert!(matches!(residents.lend("a comparison", 91), Err(Error::Short(_))));
}

#[test]
fn a_model_in_memory_stands_in_for_one_that_has_no_room_beside_it() {
    let residents = residents();
    let (small, tiny) = (wanted("small", 40, 30), wanted("tiny", 10, 5));
    let busy = take(&residents, &small).unwrap();
    assert!(residents.has_room(&tiny) && !residents.has_room(&wanted("tiny", 20, 5)));
    assert_eq!(residents.multilingual(), Some(small));
    drop(busy);
    assert!(residents.has_room(&wanted("tiny", 85, 5)), "nobody uses the other any more");
    drop(take(&residents, &wanted("english", 10, 5)).unwrap());
    assert_eq!(residents.multilingual().unwrap().path, Path::new("small"));
}

#[test]
fn no_more_than_two_models_stay_that_nobody_uses() {
    let residents = Residents::new(0, Box::new(|_| u64::MAX));
    for name in ["a", "b", "c"] {
        drop(take(&residents, &wanted(name, 1, 1)).unwrap());
    }
    check(&residents, &[("b", 1, 0), ("c", 1, 0)]);
}
