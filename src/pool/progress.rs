//! How far a job is, in numbers for people. Pure; knows nothing of queues.

use super::open::Standing;

/// Percent done, 0 to 99: 100 is said by the result alone.
///
/// Of a source that is still being read, the windows found so far stand for the part read so far.
pub fn percent(standing: &Standing, duration_ms: i64) -> f64 {
    if standing.found == 0 {
        return 0.0;
    }
    let read = if standing.read_all || duration_ms <= 0 {
        1.0
    } else {
        (standing.read_ms as f64 / duration_ms as f64).clamp(0.0, 1.0)
    };
    let percent = 100.0 * read * f64::from(standing.done) / f64::from(standing.found);
    percent.clamp(0.0, 99.0)
}

/// Milliseconds to go, by what was done since the job was opened here at `from` percent.
pub fn eta_ms(elapsed_ms: i64, from: f64, percent: f64) -> Option<i64> {
    let done = percent - from;
    (done > 0.5 && elapsed_ms > 0).then(|| ((100.0 - percent) / done * elapsed_ms as f64) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(done: u32, found: u32, read_all: bool, read_ms: i64, expected: f64) {
        let standing = Standing { done, found, read_all, read_ms, in_flight: 0 };
        let got = percent(&standing, 100_000);
        assert!((got - expected).abs() < 0.01, "{standing:?} gave {got}");
    }

    #[test]
    fn windows_found_stand_for_the_part_read() {
        check(0, 0, false, 10_000, 0.0);
        check(2, 4, false, 40_000, 20.0);
        check(2, 4, true, 100_000, 50.0);
        check(4, 4, true, 100_000, 99.0);
    }

    #[test]
    fn the_rest_takes_as_long_in_proportion() {
        assert_eq!(eta_ms(10_000, 0.0, 50.0), Some(10_000));
        assert_eq!(eta_ms(10_000, 40.0, 60.0), Some(20_000));
        assert_eq!(eta_ms(10_000, 0.0, 0.1), None);
    }
}
