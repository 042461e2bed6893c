//! Cuts words into cues and cues into lines at the least total cost. Knows nothing of formats.
//!
//! As TeX breaks a paragraph: the cheapest way to lay out the first `j` units is the cheapest, over the start
//! `i` of the last cue, of the way to `i` and that cue. A cue holds few units, so the work grows with the words.

use super::cost::Costs;
use super::timing::{Spoken, times};
use super::units::{Unit, units};
use super::{Cue, Profile, Regroup, Word, manner, regroup};
use crate::language::Language;

/// What a cue costs that only repeats the one before it, unless both are sentences: more than any other fault.
const REPEATED: f64 = 400.0;
/// A sentence that somebody says again has so many units; shorter ones are shown together.
const SENTENCE: usize = 3;

/// The cues of a text, all hard limits kept.
pub fn cues(words: &[Word], language: Language, profile: &Profile) -> Vec<Cue> {
    lay_out(words, language, profile, None, None)
}

/// As `cues`, for media of a known length: no cue ends after it. With a regrouping, cues are cut where that cuts, and
/// elsewhere only where a limit demands it.
pub fn cues_within(
    words: &[Word],
    language: Language,
    profile: &Profile,
    regroup: Option<&Regroup>,
    duration_ms: i64,
) -> Vec<Cue> {
    let until = |ms: i64| ms.min(duration_ms);
    let words: Vec<Word> = words
        .iter()
        .map(|w| Word { start_ms: until(w.start_ms), end_ms: until(w.end_ms), ..w.clone() })
        .collect();
    lay_out(&words, language, profile, regroup, Some(duration_ms))
}

fn lay_out(
    words: &[Word],
    language: Language,
    profile: &Profile,
    regroup: Option<&Regroup>,
    until_ms: Option<i64>,
) -> Vec<Cue> {
    let runs = manner::runs(words, language);
    let mut laid: Vec<Laid> = Vec::new();
    for (k, (own, run)) in runs.iter().enumerate() {
        let columns = Some(manner::columns(*own, language, profile));
        let profile = &Profile { columns, ..profile.clone() };
        let until_ms = match runs.get(k + 1) {
            Some((_, next)) => Some(words[next.start].start_ms - profile.gap_ms),
            None => until_ms,
        };
        laid.extend(lay_out_run(&words[run.clone()], *own, profile, regroup, until_ms));
    }
    let spoken: Vec<Spoken> = laid.iter().map(|l| l.spoken).collect();
    let times = times(&spoken, profile, until_ms);
    let cue = |(Laid { lines, words, .. }, (start_ms, end_ms))| Cue { start_ms, end_ms, lines, words };
    laid.into_iter().zip(times).map(cue).collect()
}

/// A cue before its times are settled.
struct Laid {
    lines: Vec<String>,
    spoken: Spoken,
    words: Vec<Word>,
}

fn lay_out_run(
    words: &[Word],
    language: Language,
    profile: &Profile,
    regroup: Option<&Regroup>,
    until_ms: Option<i64>,
) -> Vec<Laid> {
    let mut units: Vec<Unit> = units(words, language, profile);
    if units.is_empty() {
        return Vec::new();
    }
    let seams = regroup.map(|r| regroup::seams(&mut units, language, profile.pause_ms, r));
    let costs = Costs::new(&units, language, profile, seams, until_ms);
    let cps = profile.chars_per_second(language);
    let laid = |(i, j): (usize, usize)| {
        let lines = lines(&costs, i, j);
        let spoken = Spoken {
            start_ms: units[i].start_ms,
            end_ms: units[j - 1].end_ms,
            // One more, so that whoever measures in seconds finds it no faster either.
            reading_ms: (characters(&lines) as f64 * 1000.0 / cps).ceil() as i64 + 1,
        };
        Laid { lines, spoken, words: units[i..j].iter().flat_map(|u| u.words.iter().cloned()).collect() }
    };
    cheapest(&costs).into_iter().map(laid).collect()
}

/// Characters to read, with one for the line break.
pub(super) fn characters(lines: &[String]) -> usize {
    lines.iter().map(|l| l.chars().count()).sum::<usize>() + lines.len().saturating_sub(1)
}

/// One way to reach a boundary: its cost, the start of its last cue, and which way to that start it took.
#[derive(Debug, Clone, Copy)]
struct Way {
    cost: f64,
    from: usize,
    rank: usize,
}

/// The spans of units, one a cue, that cost least together.
///
/// The two best ways with different last cues are kept at each boundary: a cue that repeats the one before it
/// can then take the other.
fn cheapest(costs: &Costs) -> Vec<(usize, usize)> {
    let n = costs.units.len();
    let mut ways: Vec<Vec<Way>> = vec![vec![Way { cost: 0.0, from: 0, rank: 0 }]];
    for j in 1..=n {
        let mut best: Vec<Way> = Vec::with_capacity(3);
        for i in (0..j).rev() {
            if costs.too_long(i, j) {
                break;
            }
            let Some(cue) = costs.cue(i, j) else { continue };
            let Some((rank, before)) = (0..ways[i].len())
                .map(|r| {
                    (r, ways[i][r].cost + if repeats(costs, ways[i][r].from, i, j) { REPEATED } else { 0.0 })
                })
                .min_by(|a, b| a.1.total_cmp(&b.1))
            else {
                continue;
            };
            let way = Way { cost: before + f64::from(cue), from: i, rank };
            let at = best.iter().position(|w| way.cost < w.cost).unwrap_or(best.len());
            best.insert(at, way);
            best.truncate(2);
        }
        if best.is_empty() {
            // No limit forbids a unit alone; this holds whatever the costs say.
            best.push(Way { cost: ways[j - 1][0].cost + REPEATED, from: j - 1, rank: 0 });
        }
        ways.push(best);
    }
    let mut spans = Vec::new();
    let (mut j, mut rank) = (n, 0);
    while j > 0 {
        let way = ways[j][rank];
        spans.push((way.from, j));
        (j, rank) = (way.from, way.rank);
    }
    spans.reverse();
    spans
}

/// Whether the cue `i..j` says the same as `h..i` before it, without being a sentence that is said again.
fn repeats(costs: &Costs, h: usize, i: usize, j: usize) -> bool {
    let same = |(a, b): (&Unit, &Unit)| a.text == b.text;
    h < i
        && i - h == j - i
        && costs.units[h..i].iter().zip(&costs.units[i..j]).all(same)
        && !(i - h >= SENTENCE && costs.is_whole(h, i) && costs.is_whole(i, j))
}

fn lines(costs: &Costs, i: usize, j: usize) -> Vec<String> {
    let second = costs.second_line(i, j).map_or(j, |s| s.0);
    [(i, second), (second, j)]
        .iter()
        .filter(|(a, b)| a < b)
        .map(|(a, b)| line(&costs.units[*a..*b]))
        .collect()
}

fn line(units: &[Unit]) -> String {
    let mut text = String::new();
    for unit in units {
        if unit.space && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&unit.text);
    }
    text
}

#[cfg(test)]
mod limits;
#[cfg(test)]
mod tests;
