//! When each token was said, by what the decoder listened to while it chose it. Knows nothing of decoders or time stamps.
//!
//! While a token is chosen some heads attend to where it is said. Their mean is large there, and next to nothing
//! elsewhere. So the tokens are laid over the sound in their order, with silences between the words where it is quiet, on the
//! way that has the most attention (Viterbi). Time stamps tell less: the decoder means the end of what was said as often as
//! the beginning of what follows, and between two of them the time can only be guessed from letters.

use super::pass::{PER_MS, PER_POSITION};
use std::ops::Range;

/// A frame is a position of the encoder.
pub(super) const FRAME_MS: i64 = PER_POSITION as i64 / PER_MS;
/// Attention below this is chance.
const CHANCE: f32 = 0.003;
/// Steps of a trace for each e-fold of attention.
const STEPS: f32 = 40.0;
/// What a quiet frame costs a token, and brings a silence; and what any brings a silence: no token takes a noise that was not
/// listened to.
const QUIET: f32 = 1.0;
const ANY: f32 = 0.2;
/// What a loud frame costs a silence inside a segment: there it is a pause, where elsewhere it may be any noise.
const LOUD: f32 = 0.5;
/// A token is attended to a little before it is heard.
const AHEAD_MS: i64 = 30;
/// Quiet is what lies below this part of the way from the quietest to the loudest, in decibels, give or take so many.
const LOW: f32 = 0.4;
const SOFT_DB: f32 = 4.0;
/// Farther from its time stamps than this a frame costs a token so much: where a text comes twice, each has its place.
const NEAR_MS: i64 = 1_000;
const FAR: f32 = 1.0;
/// Nothing is quieter than so many decibels below the loudest.
const SPAN_DB: f32 = 45.0;

/// What was attended to while a token was chosen, position by position: logarithms, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace(Box<[u8]>);

impl Trace {
    /// Of the mean of some heads' attention, which sums up to 1 over all positions.
    pub fn of(attention: &[f32]) -> Trace {
        Trace(attention.iter().map(|a| ((a / CHANCE).ln_1p() * STEPS) as u8).collect())
    }

    /// How much it is from one time to another, in milliseconds, on average.
    pub fn over(&self, time: &Range<i64>) -> f32 {
        let from = (time.start / FRAME_MS) as usize;
        let frames = (((time.end - time.start) / FRAME_MS) as usize).max(1);
        (from..from + frames).map(|frame| self.at(frame)).sum::<f32>() / frames as f32
    }

    fn at(&self, frame: usize) -> f32 {
        self.0.get(frame).map_or(0.0, |step| f32::from(*step) / STEPS)
    }
}

/// A token of the text, with no time stamps between.
pub(super) struct Heard<'a> {
    pub text: &'a [u8],
    pub trace: &'a Trace,
    /// The time stamps that it stands between.
    pub within_ms: Range<i64>,
}

impl Heard<'_> {
    fn at(&self, frame: usize) -> f32 {
        let at = frame as i64 * FRAME_MS;
        let is_far = at < self.within_ms.start - NEAR_MS || at > self.within_ms.end + NEAR_MS;
        self.trace.at(frame) - if is_far { FAR } else { 0.0 }
    }
}

/// How quiet each frame of a sound is, from 0 to 1.
pub(super) fn quiet(samples: &[f32]) -> Vec<f32> {
    let decibels = |frame: &[f32]| {
        let power = frame.iter().map(|v| v * v).sum::<f32>() / frame.len() as f32;
        10.0 * (power + 1e-12).log10()
    };
    let levels: Vec<f32> = samples.chunks(PER_POSITION).map(decibels).collect();
    let mut sorted = levels.clone();
    sorted.sort_by(f32::total_cmp);
    let part = |part: usize| sorted.get(sorted.len() * part / 100).copied().unwrap_or_default();
    let (loudest, quietest) = (part(90), part(5));
    let quietest = quietest.max(loudest - SPAN_DB);
    let middle = quietest + (loudest - quietest) * LOW;
    levels.iter().map(|level| 1.0 / (1.0 + ((level - middle) / SOFT_DB).exp())).collect()
}

/// A place on the way: a token, or the silence before it.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Silence,
    /// Between two words of a segment.
    Pause,
    Token(usize),
}

/// The time of each token in milliseconds, in order; none when there are more tokens than frames for them.
///
/// `unspaced`: silence may be before every character, not before words alone.
pub(super) fn align(tokens: &[Heard<'_>], quiet: &[f32], unspaced: bool) -> Option<Vec<Range<i64>>> {
    if tokens.is_empty() || quiet.len() < tokens.len() {
        return None;
    }
    let mut places = vec![Place::Silence];
    for (i, token) in tokens.iter().enumerate() {
        if i > 0 && begins(token.text, unspaced) {
            let parted = token.within_ms != tokens[i - 1].within_ms;
            places.push(if parted { Place::Silence } else { Place::Pause });
        }
        places.push(Place::Token(i));
    }
    places.push(Place::Silence);
    let way = way(&places, quiet, |token, frame| tokens[token].at(frame));
    let mut times = vec![0..0; tokens.len()];
    let mut before = Place::Silence;
    for (frame, place) in way.iter().map(|place| places[*place]).enumerate() {
        let at = frame as i64 * FRAME_MS;
        if let Place::Token(i) = place {
            if place != before {
                // Out of a silence it begins where it is loud.
                let ahead = if matches!(before, Place::Token(_)) { AHEAD_MS } else { 0 };
                times[i] = at + ahead..at + ahead;
                if ahead > 0 {
                    times[i - 1].end = at + ahead;
                }
            }
            times[i].end = times[i].start.max(at + FRAME_MS);
        }
        before = place;
    }
    Some(times)
}

/// Whether a silence may be before a token.
fn begins(text: &[u8], unspaced: bool) -> bool {
    match text.first() {
        Some(b' ') => true,
        // Not within a character.
        Some(first) => unspaced && first & 0xc0 != 0x80 && !first.is_ascii_punctuation(),
        None => false,
    }
}

/// The best way through the places in their order: which one each frame is in. Silences may be left out.
fn way(places: &[Place], quiet: &[f32], attention: impl Fn(usize, usize) -> f32) -> Vec<usize> {
    const NEVER: f32 = f32::NEG_INFINITY;
    let worth = |place: usize, frame: usize| match places[place] {
        Place::Silence => ANY + QUIET * quiet[frame],
        Place::Pause => ANY + QUIET * quiet[frame] - LOUD * (1.0 - quiet[frame]),
        Place::Token(token) => attention(token, frame) - QUIET * quiet[frame],
    };
    let mut sums = vec![NEVER; places.len()];
    sums.iter_mut().take(2).enumerate().for_each(|(place, sum)| *sum = worth(place, 0));
    // How many places back each frame's way came from.
    let mut backs = vec![0u8; places.len() * quiet.len()];
    for frame in 1..quiet.len() {
        let backs = &mut backs[frame * places.len()..][..places.len()];
        // From the end on: a place's sum is that of the frame before until it is reached.
        for place in (0..places.len()).rev() {
            let from = |back: usize| place.checked_sub(back).map_or(NEVER, |from| sums[from]);
            let is_token = |place: usize| matches!(places[place], Place::Token(_));
            let over_silence = place >= 2 && is_token(place) && !is_token(place - 1);
            let mut best = (0u8, sums[place]);
            for back in 1..=if over_silence { 2 } else { 1 } {
                if from(back) > best.1 {
                    best = (back as u8, from(back));
                }
            }
            backs[place] = best.0;
            sums[place] = best.1 + worth(place, frame);
        }
    }
    let last = places.len() - 1;
    let mut place = if sums[last] >= sums[last - 1] { last } else { last - 1 };
    let mut way = vec![0; quiet.len()];
    for frame in (0..quiet.len()).rev() {
        way[frame] = place;
        place -= usize::from(backs[frame * places.len() + place]);
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attends to these frames above all, and a little to the ten before them.
    fn trace(frames: usize, at: Range<usize>) -> Trace {
        let before = at.start.saturating_sub(10)..at.start;
        let part = |f: usize| match () {
            () if at.contains(&f) => 0.9 / at.len() as f32,
            () if before.contains(&f) => 0.003,
            () => 0.0,
        };
        Trace::of(&(0..frames).map(part).collect::<Vec<_>>())
    }

    fn heard<'a>(text: &'a str, trace: &'a Trace, within_ms: Range<i64>) -> Heard<'a> {
        Heard { text: text.as_bytes(), trace, within_ms }
    }

    fn check(tokens: &[(&str, Range<usize>)], loud: &[Range<usize>], expected: &[(i64, i64)]) {
        let frames = 100;
        let quiet: Vec<f32> =
            (0..frames).map(|f| if loud.iter().any(|l| l.contains(&f)) { 0.0 } else { 1.0 }).collect();
        let traces: Vec<Trace> = tokens.iter().map(|(_, at)| trace(frames, at.clone())).collect();
        let tokens = tokens.iter().zip(&traces).map(|((text, _), trace)| heard(text, trace, 0..2_000));
        let tokens: Vec<Heard<'_>> = tokens.collect();
        let times = align(&tokens, &quiet, false).unwrap();
        assert_eq!(times.iter().map(|t| (t.start, t.end)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn tokens_are_where_the_decoder_listened() {
        let expected = [(200, 530), (530, 830), (830, 1200)];
        check(&[(" one", 10..25), (" two", 25..40), (" three", 40..60)], &[10..30, 30..60], &expected);
    }

    #[test]
    fn a_pause_inside_a_sentence_stands_between_its_words() {
        check(&[(" ask", 10..20), (" what", 40..50)], &[10..20, 40..50], &[(200, 400), (800, 1_000)]);
    }

    #[test]
    fn no_silence_parts_the_tokens_of_a_word() {
        check(&[(" coun", 10..20), ("try", 26..40)], &[10..20, 26..40], &[(200, 430), (430, 800)]);
    }

    #[test]
    fn what_is_written_twice_has_the_place_of_its_time_stamps() {
        let (frames, quiet) = (200, vec![0.2; 200]);
        let traces = [trace(frames, 20..40), trace(frames, 20..40)];
        let tokens = [heard(" once", &traces[0], 0..1_000), heard(" once", &traces[1], 3_000..4_000)];
        let times = align(&tokens, &quiet, false).unwrap();
        assert!(times[0].start <= 400 && times[0].end >= 800 && times[1].start >= 2_000, "{times:?}");
    }

    #[test]
    fn times_are_in_order_whatever_was_listened_to() {
        let (traces, quiet) = ([trace(50, 40..45), trace(50, 10..15), trace(50, 0..50)], vec![0.5; 50]);
        let tokens: Vec<Heard<'_>> = traces.iter().map(|trace| heard(" x", trace, 0..1_000)).collect();
        let times = align(&tokens, &quiet, true).unwrap();
        assert!(times.windows(2).all(|t| t[0].start <= t[1].start && t[0].end <= t[1].start), "{times:?}");
        assert!(times.iter().all(|t| t.start <= t.end), "{times:?}");
        assert!(align(&tokens, &quiet[..2], true).is_none());
        assert!(align(&[], &quiet, true).is_none());
    }

    #[test]
    fn quiet_is_what_lies_well_below_the_loudest() {
        let sound: Vec<f32> =
            (0..100 * PER_POSITION).map(|i| if i / PER_POSITION % 10 < 7 { 0.1 } else { 0.0005 }).collect();
        let quiet = quiet(&sound);
        assert!(quiet[0] < 0.05 && quiet[8] > 0.95, "{} {}", quiet[0], quiet[8]);
        assert_eq!(quiet.len(), 100);
    }
}
