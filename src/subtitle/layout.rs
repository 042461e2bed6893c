//! Cuts words into cues and cues into lines at the least total cost. Knows nothing of formats.
//!
//! As TeX breaks a paragraph: the cheapest way to lay out the first `j` units is the cheapest, over the start
//! `i` of the last cue, of the way to `i` and that cue. A cue holds few units, so the work grows with the words.

use super::cost::Costs;
use super::timing::{Spoken, times};
use super::units::{Unit, units};
use super::{Cue, Profile, Regroup, Word, regroup};
use crate::language::Language;

/// What a cue costs that only repeats the one before it: more than any other fault.
const REPEATED: f64 = 400.0;

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
    let mut units: Vec<Unit> = units(words, language, profile);
    if units.is_empty() {
        return Vec::new();
    }
    let seams = regroup.map(|r| regroup::seams(&mut units, language, profile.pause_ms, r));
    let costs = Costs::new(&units, language, profile, seams, until_ms);
    let spans = cheapest(&costs);
    let cps = profile.chars_per_second(language);
    let lines: Vec<Vec<String>> = spans.iter().map(|(i, j)| lines(&costs, *i, *j)).collect();
    let spoken: Vec<Spoken> = spans
        .iter()
        .zip(&lines)
        .map(|((i, j), lines)| Spoken {
            start_ms: units[*i].start_ms,
            end_ms: units[*j - 1].end_ms,
            // One more, so that whoever measures in seconds finds it no faster either.
            reading_ms: (characters(lines) as f64 * 1000.0 / cps).ceil() as i64 + 1,
        })
        .collect();
    let times = times(&spoken, profile, until_ms);
    let of = |i: usize, j: usize| units[i..j].iter().flat_map(|u| u.words.iter().cloned()).collect();
    spans
        .iter()
        .zip(lines)
        .zip(times)
        .map(|(((i, j), lines), (start_ms, end_ms))| Cue { start_ms, end_ms, lines, words: of(*i, *j) })
        .collect()
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
                    (
                        r,
                        ways[i][r].cost
                            + if repeats(costs.units, ways[i][r].from, i, j) { REPEATED } else { 0.0 },
                    )
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

/// Whether the cue `i..j` says the same as `h..i` before it.
fn repeats(units: &[Unit], h: usize, i: usize, j: usize) -> bool {
    h < i && i - h == j - i && units[h..i].iter().zip(&units[i..j]).all(|(a, b)| a.text == b.text)
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
