//! When cues come and go. Knows nothing of text.

use super::Profile;

/// The least time between the starts of two cues beyond the gap: words that share one time are spread by it.
const LEAST_MS: i64 = 100;

/// How long the last cue may stand after the media's end, if it must.
const OVER_MS: i64 = 200;

/// Silence after the last word that reading may have even where it is not needed.
const TAIL_MS: i64 = 150;

/// What one cue says: when its first word starts, its last ends, and how long it takes to read.
#[derive(Debug, Clone, Copy)]
pub struct Spoken {
    pub start_ms: i64,
    pub end_ms: i64,
    pub reading_ms: i64,
}

/// True when the gap after a cue must be closed but the cue would then stand too long.
pub fn cannot_close(start_ms: i64, end_ms: i64, next_ms: Option<i64>, profile: &Profile) -> bool {
    next_ms.is_some_and(|next| {
        next - end_ms <= profile.close_gap_ms && next - profile.gap_ms - start_ms > profile.max_ms
    }) || end_ms - start_ms > profile.max_ms
}

/// Start and end of each cue, in milliseconds, all hard limits kept.
///
/// `until_ms` is the end of the media: the last cue ends there at the latest, and starts earlier if it must.
pub fn times(spoken: &[Spoken], profile: &Profile, until_ms: Option<i64>) -> Vec<(i64, i64)> {
    let mut starts: Vec<i64> = Vec::with_capacity(spoken.len());
    for s in spoken {
        let earliest = starts.last().map_or(0, |before| before + LEAST_MS + profile.gap_ms);
        starts.push(s.start_ms.max(earliest));
    }
    if let Some(until) = until_ms {
        draw_back(&mut starts, until, profile);
    }
    let ends = |k: usize| match starts.get(k + 1) {
        Some(next) => end(starts[k], *next, &spoken[k], profile),
        None => {
            let free = wanted(starts[k], &spoken[k], profile);
            until_ms.map_or(free, |until| free.min(until).max(starts[k] + profile.min_ms))
        }
    };
    (0..starts.len()).map(|k| (starts[k], ends(k))).collect()
}

/// Moves the last cue to where it can be read before the media end, and those before it out of its way.
///
/// The cue before it keeps its least time as long as the last one ends hardly after the media.
fn draw_back(starts: &mut [i64], until: i64, profile: &Profile) {
    let Some(last) = starts.len().checked_sub(1) else { return };
    let room = last.checked_sub(1).map_or(0, |before| starts[before] + profile.min_ms + profile.gap_ms);
    let mut latest = (until - profile.min_ms).max(room.min(until.saturating_add(OVER_MS) - profile.min_ms));
    for k in (0..=last).rev() {
        if starts[k] <= latest {
            return;
        }
        // So many cues come before it, whatever the media's end.
        starts[k] = latest.max(k as i64 * (LEAST_MS + profile.gap_ms));
        latest = starts[k] - LEAST_MS - profile.gap_ms;
    }
}

/// Where a cue would end if none came after it.
fn wanted(start_ms: i64, s: &Spoken, profile: &Profile) -> i64 {
    let tail = TAIL_MS.min(profile.linger_ms);
    let end = (start_ms + s.reading_ms).clamp(s.end_ms + tail, s.end_ms + profile.linger_ms);
    end.max(start_ms + profile.min_ms).min(start_ms + profile.max_ms)
}

/// Where a cue ends that another follows: at the gap before it, or clearly earlier.
fn end(start_ms: i64, next_ms: i64, s: &Spoken, profile: &Profile) -> i64 {
    let wanted = wanted(start_ms, s, profile);
    let room = next_ms - profile.gap_ms;
    if next_ms - wanted > profile.close_gap_ms || wanted >= room {
        return wanted.min(room);
    }
    let apart = next_ms - profile.close_gap_ms - 1;
    let closes = room - start_ms <= profile.max_ms;
    let lingers = room > s.end_ms + profile.linger_ms;
    let parts = apart >= s.end_ms.max(start_ms + profile.min_ms);
    if closes && !(lingers && parts) { room } else { apart.max(start_ms + 1) }
}

#[cfg(test)]
mod tests {
    use super::{Spoken, times};
    use crate::subtitle::Profile;

    fn check(spoken: &[(i64, i64, i64)], until: Option<i64>, expected: &[(i64, i64)]) {
        let spoken: Vec<Spoken> =
            spoken.iter().map(|s| Spoken { start_ms: s.0, end_ms: s.1, reading_ms: s.2 }).collect();
        assert_eq!(times(&spoken, &Profile::netflix(), until), expected);
    }

    #[test]
    fn a_small_gap_is_closed_to_two_frames() {
        check(&[(0, 2000, 1000), (2300, 4000, 1000)], None, &[(0, 2217), (2300, 4150)]);
        check(&[(0, 2000, 1000), (2000, 4000, 1000)], None, &[(0, 1917), (2000, 4150)]);
    }

    #[test]
    fn a_cue_lingers_for_the_reader_but_not_over_half_a_second() {
        check(&[(0, 2000, 2400)], None, &[(0, 2400)]);
        check(&[(0, 2000, 9000)], None, &[(0, 2500)]);
        check(&[(0, 2000, 9000), (2900, 4000, 0)], None, &[(0, 2399), (2900, 4150)]);
    }

    #[test]
    fn a_short_word_stands_for_twenty_frames_unless_the_next_cue_comes() {
        check(&[(500, 600, 100)], None, &[(500, 1333)]);
        check(&[(500, 600, 100), (1000, 3000, 100)], None, &[(500, 917), (1000, 3150)]);
    }

    #[test]
    fn a_word_of_ten_seconds_is_shown_for_seven() {
        check(&[(0, 10_000, 100)], None, &[(0, 7000)]);
        check(&[(0, 7200, 100), (7300, 9000, 100)], None, &[(0, 6799), (7300, 9150)]);
    }

    #[test]
    fn the_last_cue_ends_with_the_media() {
        check(&[(0, 2000, 2400)], Some(2100), &[(0, 2100)]);
        check(&[(1700, 2000, 2400)], Some(2100), &[(1267, 2100)]);
        // The one before has room, has hardly any, has none.
        check(&[(0, 900, 0), (1900, 2000, 0)], Some(2000), &[(0, 1084), (1167, 2000)]);
        check(&[(200, 900, 0), (1900, 2000, 0)], Some(2000), &[(200, 1084), (1167, 2000)]);
        check(&[(1000, 1500, 0), (1900, 2000, 0)], Some(2000), &[(1000, 1284), (1367, 2200)]);
        check(&[(1800, 1900, 0), (1900, 2000, 0)], Some(2000), &[(1184, 1284), (1367, 2200)]);
    }

    #[test]
    fn cues_that_would_start_at_one_moment_follow_each_other() {
        check(&[(0, 0, 0), (0, 0, 0)], None, &[(0, 100), (183, 1016)]);
    }
}
