//! What ffmpeg tells while it decodes: where a source is damaged, and how much of it is lost. Knows nothing of how it is run.

use super::PER_MS;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Asks ffmpeg for what is read here: each line with its level, none of them left out because it came before.
pub(super) const LOGLEVEL: &str = "repeat+level+verbose";

/// ffmpeg is ahead of who reads from it, by what its pipe and its queues hold; a complaint so close to the end is
/// about what comes behind the sound, as tags do, or about an end that is missed anyway.
const AHEAD_MS: i64 = 5_000;
/// Complaints with less than this between them are about one place.
const ONE_PLACE_MS: i64 = 10_000;
/// A place counts for this much, though less than it, or nothing, is lost there.
const LEAST_MS: i64 = 500;
/// Shorter holes that nothing was complained of are how the file was made.
const HOLE_MS: i64 = 1_000;
/// Samples in a second of most films.
const USUAL_RATE: i64 = 48_000;
/// Of a file that is nothing but damage no more is kept.
const PLACES: usize = 1_000;
/// More than the messages are that tell a cause.
const SAID: usize = 1_024;

/// A place where sound is damaged. ffmpeg says it a few seconds before the sound is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub start_ms: i64,
    pub end_ms: i64,
    /// Silence that stands there for sound, and what else counts as lost.
    pub lost_ms: i64,
}

/// What was told so far; shared by who reads the samples and who reads the messages.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Samples that were read: where the film is, all but [`AHEAD_MS`].
    read: AtomicI64,
    messages: Mutex<Messages>,
}

#[derive(Debug, Default)]
struct Messages {
    places: Vec<Place>,
    /// The last complaint.
    last: String,
    /// Samples in a second, as ffmpeg counts a hole.
    rate: Option<i64>,
}

#[derive(Debug)]
struct Place {
    damage: Damage,
    /// Not a hole alone.
    complained: bool,
}

impl Told {
    /// Samples came.
    pub fn read(&self, count: usize) {
        self.read.fetch_add(count as i64, Ordering::Relaxed);
    }

    /// A message came, a line of it.
    pub fn line(&self, line: &str) {
        let (level, message) = level_of(line);
        let mut messages = self.messages();
        match level {
            Some("error" | "fatal" | "panic") => {
                messages.last = message.chars().take(SAID).collect();
                self.note(&mut messages.places, 0, true);
            }
            Some("verbose") => {
                if let Some(rate) = between(message, " r:", "Hz -> ") {
                    messages.rate = Some(rate).filter(|r| *r > 0);
                } else if let Some(count) = between(message, "adding ", " audio samples of silence") {
                    let lost_ms = count * 1_000 / messages.rate.unwrap_or(USUAL_RATE);
                    self.note(&mut messages.places, lost_ms, false);
                }
            }
            _ => {}
        }
    }

    /// The last complaint, where ffmpeg puts the reason for its end; empty where there was none.
    pub fn last(&self) -> String {
        self.messages().last.clone()
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, places: &mut Vec<Place>, lost_ms: i64, complained: bool) {
        let read = self.read.load(Ordering::Relaxed);
        // What is said before any sound is about other tracks, or about a recording that begins in mid-sentence.
        if read == 0 {
            return;
        }
        let at = read / PER_MS;
        let near = |place: &Place| at - place.damage.end_ms < ONE_PLACE_MS;
        let full = places.len() >= PLACES;
        let Some(place) = places.last_mut().filter(|p| full || near(p)) else {
            let damage = Damage { start_ms: at, end_ms: at + lost_ms, lost_ms };
            return places.push(Place { damage, complained });
        };
        place.complained |= complained;
        let damage = &mut place.damage;
        damage.lost_ms += lost_ms;
        damage.end_ms = damage.end_ms.max(at).max(damage.start_ms + damage.lost_ms);
    }

    /// All that was told of the sound up to its end.
    pub fn damage(&self) -> Vec<Damage> {
        let end = self.read.load(Ordering::Relaxed) / PER_MS;
        let meant =
            |p: &&Place| p.damage.start_ms < end - AHEAD_MS && (p.complained || p.damage.lost_ms >= HOLE_MS);
        let counted = |p: &Place| {
            let damage = &p.damage;
            Damage {
                start_ms: damage.start_ms,
                end_ms: (damage.end_ms + AHEAD_MS).min(end),
                lost_ms: damage.lost_ms.max(LEAST_MS),
            }
        };
        self.messages().places.iter().filter(meant).map(counted).collect()
    }
}

/// A line's level and what stands around it: `[aac @ 0x1] [error] no` is `error`, `[aac @ 0x1] no`.
fn level_of(line: &str) -> (Option<&str>, &str) {
    let mut rest = line.trim();
    while let Some((name, behind)) = rest.strip_prefix('[').and_then(|r| r.split_once("] ")) {
        if !name.contains(" @ ") {
            return (Some(name), behind);
        }
        rest = behind;
    }
    (None, rest)
}

fn between(message: &str, before: &str, behind: &str) -> Option<i64> {
    message.split_once(before)?.1.split_once(behind)?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLE: &str =
        "[Parsed_aresample_0 @ 0x5] [SWR @ 0x6] [verbose] adding 16384 audio samples of silence";

    fn told() -> Told {
        let told = Told::default();
        told.line("[Parsed_aresample_0 @ 0x5] [verbose] ch:2 chl:stereo fmt:fltp r:48000Hz -> ch:1 chl:mono fmt:s16 r:16000Hz");
        told
    }

    fn read(told: &Told, seconds: usize) {
        told.read(seconds * 16_000);
    }

    #[test]
    fn holes_and_complaints_near_each_other_are_one_place() {
        let told = told();
        read(&told, 40);
        told.line(
            "[matroska,webm @ 0x5] [error] 0x00 at pos 6 (0x6) invalid as first byte of an EBML number",
        );
        (0..30).for_each(|_| told.line(HOLE));
        read(&told, 15);
        told.line("[error] Error while decoding stream #0:0: Invalid data found when processing input");
        read(&told, 100);
        let expected = [Damage { start_ms: 40_000, end_ms: 60_000, lost_ms: 10_230 }];
        assert_eq!(told.damage(), expected);
    }

    #[test]
    fn what_is_said_before_the_sound_and_behind_it_is_not_about_it() {
        let told = told();
        told.line("[h264 @ 0x5] [error] non-existing PPS 0 referenced");
        read(&told, 60);
        told.line("[mp3float @ 0x5] [error] Header missing");
        read(&told, 3);
        assert_eq!(told.damage(), []);
        assert_eq!(told.last(), "Header missing");
    }

    #[test]
    fn a_short_hole_that_nobody_complains_of_is_none() {
        let told = told();
        read(&told, 10);
        told.line(HOLE);
        read(&told, 60);
        told.line("[info]     title           : [error] adding 480000 audio samples of silence");
        told.line("[mpegts @ 0x5] [warning] changing packet size to 192");
        assert_eq!(told.damage(), []);
        (0..3).for_each(|_| told.line(HOLE));
        read(&told, 60);
        assert_eq!(told.damage(), [Damage { start_ms: 70_000, end_ms: 76_023, lost_ms: 1_023 }]);
    }
}
