//! Windows from odds. Knows nothing of sound.

use super::*;
use proptest::prelude::*;

/// Odds for stretches of (seconds, odds).
fn odds(stretches: &[(f64, f32)]) -> Vec<f32> {
    stretches
        .iter()
        .flat_map(|&(seconds, p)| {
            std::iter::repeat_n(p, (seconds * 16_000.0 / FRAME as f64).round() as usize)
        })
        .collect()
}

fn cuts(odds: &[f32], block: usize) -> Vec<Cut> {
    cuts_of(Cutter::default(), odds, block)
}

/// All windows; the first three seconds are quiet, the others loud.
fn cuts_of(mut cutter: Cutter, odds: &[f32], block: usize) -> Vec<Cut> {
    let frames: Vec<(f32, f32)> =
        odds.iter().enumerate().map(|(i, &p)| (p, if i < 94 { -70.0 } else { -20.0 })).collect();
    let mut out: Vec<Cut> =
        frames.chunks(block.max(1)).flat_map(|b| cutter.push(b.iter().copied())).collect();
    out.extend(cutter.finish(odds.len() as i64 * FRAME));
    out
}

/// Each window's pieces in tenths of seconds.
fn check(stretches: &[(f64, f32)], expected: &[&[(i64, i64)]]) {
    let tenth = |samples: i64| (samples as f64 / 1600.0).round() as i64;
    let got: Vec<Vec<(i64, i64)>> = cuts(&odds(stretches), 7)
        .iter()
        .map(|c| c.pieces.iter().map(|p| (tenth(p.start), tenth(p.end))).collect())
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn silence_gives_no_window() {
    check(&[(40.0, 0.05)], &[]);
    check(&[], &[]);
}

#[test]
fn a_short_silence_stays_in_the_piece_and_a_longer_one_is_left_out() {
    check(&[(2.0, 0.0), (3.0, 0.9), (0.8, 0.0), (3.0, 0.9), (1.0, 0.0)], &[&[(17, 91)]]);
    check(&[(2.0, 0.0), (3.0, 0.9), (2.8, 0.0), (3.0, 0.9), (1.0, 0.0)], &[&[(17, 53), (75, 111)]]);
}

#[test]
fn a_long_silence_ends_a_window() {
    check(&[(8.0, 0.9), (5.0, 0.0), (3.0, 0.9)], &[&[(0, 83)], &[(127, 160)]]);
    check(&[(2.0, 0.9), (25.0, 0.0), (3.0, 0.9)], &[&[(0, 23)], &[(267, 300)]]);
}

#[test]
fn a_full_window_is_cut_at_its_longest_late_silence() {
    let stretches = [(5.0, 0.9), (0.9, 0.0), (9.0, 0.9), (0.8, 0.0), (10.0, 0.9), (0.2, 0.0), (9.0, 0.9)];
    check(&stretches, &[&[(0, 152)], &[(154, 349)]]);
}

#[test]
fn speech_without_a_pause_is_parted_where_the_odds_are_lowest() {
    let stretches = [(20.0, 0.9), (0.1, 0.4), (25.0, 0.9)];
    let windows = cuts(&odds(&stretches), 11);
    assert_eq!(windows.len(), 2);
    let edge = windows[0].pieces[0].end;
    assert!((19.9..20.2).contains(&(edge as f64 / 16_000.0)), "cut at {edge}");
    assert_eq!(windows[1].pieces[0].start, edge);
}

#[test]
fn a_click_is_no_speech_but_a_short_sure_word_is() {
    check(&[(2.0, 0.0), (0.1, 0.9), (2.0, 0.0)], &[]);
    check(&[(2.0, 0.0), (0.2, 0.5), (2.0, 0.0)], &[]);
    check(&[(2.0, 0.0), (0.2, 0.9), (2.0, 0.0)], &[&[(17, 25)]]);
}

#[test]
fn a_doubtful_silence_is_a_window_of_its_own_between_its_neighbours() {
    let stretches = [(3.0, 0.0), (2.0, 0.9), (9.0, 0.1), (3.0, 0.9), (8.0, 0.0)];
    let windows = cuts_of(Cutter::doubting(), &odds(&stretches), 7);
    let spoken: Vec<bool> = windows.iter().map(|w| !w.speech.is_empty()).collect();
    assert_eq!(spoken, [true, false, true]);
    let tenth = |samples: i64| (samples as f64 / 1600.0).round() as i64;
    let silence = windows[1].pieces[0];
    assert_eq!((tenth(silence.start), tenth(silence.end)), (57, 134));
    assert_eq!(cuts(&odds(&stretches), 7).len(), 1, "without doubt both are in one window");
}

#[test]
fn time_maps_back_one_to_one() {
    let map = TimeMap::new(vec![Span { start: 100, end: 200 }, Span { start: 500, end: 600 }]);
    assert_eq!(map.len(), 200);
    assert_eq!(map.to_file(Span { start: 10, end: 20 }), Span { start: 110, end: 120 });
    assert_eq!(map.to_file(Span { start: 100, end: 120 }), Span { start: 500, end: 520 });
    assert_eq!(map.to_file(Span { start: 90, end: 140 }), Span { start: 500, end: 540 });
    assert_eq!(map.to_file(Span { start: 100, end: 100 }), Span { start: 500, end: 500 });
    assert_eq!(
        map.to_window(&[Span { start: 150, end: 550 }]),
        [Span { start: 50, end: 100 }, Span { start: 100, end: 150 }]
    );
}

proptest! {
    #[test]
    fn windows_are_short_apart_and_hold_all_speech_however_the_odds_come(
        stretches in proptest::collection::vec((0.05f64..40.0, prop_oneof![Just(0.0f32), Just(0.3), Just(0.9)]), 0..30),
        block in 1usize..900,
        doubting in proptest::bool::ANY,
    ) {
        let odds = odds(&stretches);
        let cutter = || if doubting { Cutter::doubting() } else { Cutter::default() };
        let windows = cuts_of(cutter(), &odds, block);
        prop_assert_eq!(&windows, &cuts_of(cutter(), &odds, usize::MAX));
        let mut edge = 0;
        for window in &windows {
            prop_assert!(length(&window.pieces) <= LONGEST);
            for piece in &window.pieces {
                prop_assert!(piece.start >= edge && piece.end > piece.start);
                edge = piece.end;
            }
            for speech in &window.speech {
                prop_assert!(window.pieces.iter().any(|p| p.start <= speech.start && speech.end <= p.end));
            }
        }
        // Every sure frame that is part of a run of ten is in some window.
        for (i, run) in odds.windows(10).enumerate() {
            if run.iter().all(|&p| p > ON) {
                let at = (i as i64 + 5) * FRAME;
                prop_assert!(windows.iter().any(|w| w.speech.iter().any(|s| s.start <= at && at < s.end)));
            }
        }
    }
}
