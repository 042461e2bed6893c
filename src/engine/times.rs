//! When each token of a segment was said. Knows nothing of whisper_rs: it takes what the decoder thought of times.
//!
//! At every token Whisper also weighs the time stamps. Where it gives them any weight, its favourite is where the token
//! begins; between two such anchors the time is shared out by how long the text takes to say; at last each border
//! moves to where the sound swells or fades.

use std::ops::Range;

/// A text token with the decoder's second thoughts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub text: &'a [u8],
    /// The time stamp that the decoder would have written here, from the first sample on, and its probability.
    pub stamp_ms: i64,
    pub stamp_p: f32,
    /// The probability of all time stamps together.
    pub stamps_p: f32,
}

/// Stamps of less probability than this are no anchors.
const THINKABLE: f32 = 0.01;
/// The sound is averaged over so much to each side.
const SMOOTHED_MS: usize = 2;
/// A token's loudness is judged with so much around it, and its border lies where half of that is passed.
const AROUND_MS: usize = 125;
const LOUD: f32 = 0.5;
const PER_MS: usize = 16;

/// Loudness in steps of a millisecond.
pub(super) struct Loudness(Vec<f32>);

impl Loudness {
    pub fn of(samples: &[f32]) -> Loudness {
        let steps: Vec<f32> =
            samples.chunks(PER_MS).map(|c| c.iter().map(|v| v.abs()).sum::<f32>()).collect();
        let smooth = |at: usize| {
            let near = &steps[at.saturating_sub(SMOOTHED_MS)..(at + SMOOTHED_MS + 1).min(steps.len())];
            near.iter().sum::<f32>() / near.len() as f32
        };
        Loudness((0..steps.len()).map(smooth).collect())
    }

    /// Half the mean loudness of a stretch and what is around it.
    fn threshold(&self, from: usize, to: usize) -> f32 {
        let near = &self.0[from.saturating_sub(AROUND_MS)..(to + AROUND_MS).min(self.0.len())];
        LOUD * near.iter().sum::<f32>() / near.len().max(1) as f32
    }
}

/// Gives each token of a segment its start and end in milliseconds: inside the segment but for the swelling and fading
/// of the sound, in order, none before the one ahead of it.
pub(super) fn place<'a>(
    tokens: impl IntoIterator<Item = Said<'a>>,
    segment_ms: Range<i64>,
    loudness: &Loudness,
) -> Vec<Range<i64>> {
    let tokens: &[Said<'_>] = &tokens.into_iter().collect::<Vec<_>>();
    let mut borders = anchors(tokens, &segment_ms);
    share_out(tokens, &mut borders);
    let mut times: Vec<Range<i64>> = borders.windows(2).map(|b| b[0].1..b[1].1).collect();
    for i in 0..times.len() {
        let before = i.checked_sub(1).map(|i| times[i].end);
        let after = times.get(i + 1).map(|next| next.start);
        times[i] = hear(times[i].clone(), before, after, loudness);
    }
    times
}

/// The borders between tokens, the segment's own among them; true marks those that are known.
fn anchors(tokens: &[Said<'_>], segment: &Range<i64>) -> Vec<(bool, i64)> {
    let mut borders = vec![(false, segment.start); tokens.len() + 1];
    borders[0].0 = true;
    borders[tokens.len()] = (true, segment.end.max(segment.start));
    let mut last = segment.start;
    for (border, token) in borders.iter_mut().zip(tokens) {
        let thinkable = token.stamp_p > THINKABLE && token.stamps_p > THINKABLE;
        if thinkable && token.stamp_ms > last && token.stamp_ms <= segment.end {
            last = token.stamp_ms;
            *border = (true, last);
        }
    }
    borders
}

/// Fills in the unknown borders.
fn share_out(tokens: &[Said<'_>], borders: &mut [(bool, i64)]) {
    let mut from = 0;
    for to in 1..borders.len() {
        if !borders[to].0 {
            continue;
        }
        let (start, span) = (borders[from].1, (borders[to].1 - borders[from].1) as f32);
        let whole: f32 = tokens[from..to].iter().map(|t| weight(t.text)).sum();
        let mut said = 0.0;
        for i in from + 1..to {
            said += weight(tokens[i - 1].text);
            borders[i].1 = start + (span * said / whole) as i64;
        }
        from = to;
    }
}

/// How long a text takes to say, in letters. A full stop takes the pause behind it, a comma a shorter one, a digit a
/// word's time; a byte that is a part of a character counts by itself.
fn weight(text: &[u8]) -> f32 {
    let of = |byte: &u8| match byte {
        b' ' => 0.01,
        b',' | b';' | b':' => 2.0,
        b'.' | b'!' | b'?' | b'0'..=b'9' => 3.0,
        _ => 1.0,
    };
    text.iter().map(of).sum::<f32>().max(0.01)
}

/// Moves both ends of a token: out while it is loud there, but not past its neighbours, in while it is quiet.
fn hear(token: Range<i64>, before: Option<i64>, after: Option<i64>, loudness: &Loudness) -> Range<i64> {
    let steps = &loudness.0;
    let Some(last) = steps.len().checked_sub(1) else { return token };
    let inside = |ms: i64| usize::try_from(ms).unwrap_or(0).min(last);
    let (mut start, mut end) = (inside(token.start), inside(token.end));
    let threshold = loudness.threshold(start, end);
    if steps[start] > threshold {
        // The first token has nothing before it that tells how far back it may go.
        let limit = before.map_or(start, inside);
        while start > limit && steps[start] > threshold {
            start -= 1;
        }
    } else {
        while start < end && steps[start] < threshold {
            start += 1;
        }
    }
    if steps[end] > threshold {
        let limit = after.map_or(last, inside);
        while end < limit && steps[end] > threshold {
            end += 1;
        }
    } else {
        while end > start && steps[end] < threshold {
            end -= 1;
        }
    }
    let start = (start as i64).max(before.unwrap_or(0));
    start..(end as i64).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loud where the stretches say so, in milliseconds.
    fn sound(ms: usize, loud: &[(usize, usize)]) -> Loudness {
        let at = |i: usize| loud.iter().any(|l| (l.0..l.1).contains(&(i / PER_MS)));
        Loudness::of(&(0..ms * PER_MS).map(|i| if at(i) { 0.5 } else { 0.001 }).collect::<Vec<_>>())
    }

    fn said(text: &str, stamp_ms: i64, p: f32) -> Said<'_> {
        Said { text: text.as_bytes(), stamp_ms, stamp_p: p, stamps_p: p }
    }

    fn check(tokens: &[Said<'_>], segment: Range<i64>, loudness: &Loudness, expected: &[(i64, i64)]) {
        let got: Vec<(i64, i64)> =
            place(tokens.to_vec(), segment, loudness).iter().map(|t| (t.start, t.end)).collect();
        let near = |a: i64, b: i64| (a - b).abs() <= 5;
        let fits = got.iter().zip(expected).all(|(g, e)| near(g.0, e.0) && near(g.1, e.1));
        assert!(got.len() == expected.len() && fits, "{got:?}, {expected:?} expected");
    }

    #[test]
    fn without_anchors_the_time_is_shared_out_by_letters() {
        let even = sound(1_000, &[(0, 1_000)]);
        let tokens = [said(" abc", 0, 0.0), said("defghi", 0, 0.0)];
        check(&tokens, 0..900, &even, &[(0, 300), (300, 1_000)]);
    }

    #[test]
    fn an_anchor_is_where_its_token_begins_unless_it_goes_back_or_is_hardly_thinkable() {
        let even = sound(1_000, &[(0, 1_000)]);
        let tokens = [said(" a", 0, 0.5), said(" b", 700, 0.5), said(" c", 600, 0.5), said(" d", 900, 0.001)];
        check(&tokens, 0..1_000, &even, &[(0, 700), (700, 800), (800, 900), (900, 999)]);
    }

    #[test]
    fn borders_move_to_where_the_sound_swells_and_fades() {
        let two = sound(2_000, &[(200, 700), (1_100, 1_600)]);
        let tokens = [said(" one", 0, 0.5), said(" two.", 1_000, 0.5)];
        check(&tokens, 0..2_000, &two, &[(200, 700), (1_100, 1_600)]);
    }

    #[test]
    fn nothing_overlaps_whatever_the_decoder_thought() {
        let quiet = sound(100, &[]);
        let tokens: Vec<_> = (0..20).map(|i| said(" x", (i * 37) % 90, 0.5)).collect();
        let times = place(tokens, 0..90, &quiet);
        assert_eq!(times.len(), 20);
        assert!(times.windows(2).all(|p| p[0].end <= p[1].start.max(p[0].end) && p[0].start <= p[1].start));
        assert!(place([], 0..90, &quiet).is_empty());
        assert_eq!(place([said(" x", 0, 0.0)], 40..90, &Loudness::of(&[])), vec![40..90]);
    }
}
