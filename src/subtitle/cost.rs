//! What a cue costs: the smaller, the better it reads. Knows nothing of how the cheapest cues are found.
//!
//! The weights were set by eye on read and spoken text; only their relations matter. A cue that starts and
//! ends with a sentence and is read at ease costs about `CUE`; a break inside a phrase costs several cues.

use super::breaks::{Grade, grades};
use super::regroup::Seam;
use super::units::Unit;
use super::{Profile, timing};
use crate::language::Language;

/// Any cue at all: the fewer the better.
const CUE: f32 = 26.0;
/// A cut that somebody's own regrouping does not have: more than all else that a cue costs.
const UNASKED: f32 = 2_000.0;
/// A second line.
const SECOND_LINE: f32 = 6.0;
/// The part of a line from which on a fragment beside a mark is no stub.
const STUB: f32 = 0.43;

/// What a cue's end costs there.
fn cue_end(grade: Grade) -> f32 {
    match grade {
        Grade::Sentence => 0.0,
        Grade::Clause => 10.0,
        Grade::Comma => 18.0,
        Grade::Conjunction => 34.0,
        Grade::Preposition => 44.0,
        Grade::Of => 62.0,
        Grade::Plain => 70.0,
        Grade::Near => 95.0,
        Grade::Bound => 125.0,
        Grade::Tight => 180.0,
    }
}

/// What a line's end costs there.
fn line_end(grade: Grade) -> f32 {
    match grade {
        Grade::Sentence => 0.0,
        Grade::Clause => 2.0,
        Grade::Comma => 3.0,
        Grade::Conjunction => 7.0,
        Grade::Preposition => 10.0,
        Grade::Of => 13.0,
        Grade::Plain => 18.0,
        Grade::Near => 27.0,
        Grade::Bound => 45.0,
        Grade::Tight => 90.0,
    }
}

/// `- Yes.`
fn is_turn(text: &str) -> bool {
    text.strip_prefix(['-', '–', '—']).is_some_and(|rest| rest.starts_with(' '))
}

/// For each boundary the nearest ones with a mark before and after it.
fn marks(grades: &[Grade]) -> Vec<(usize, usize)> {
    let mut marks = vec![(0, grades.len()); grades.len()];
    for k in 1..grades.len() {
        marks[k].0 = if grades[k - 1] <= Grade::Comma { k - 1 } else { marks[k - 1].0 };
    }
    for k in (0..grades.len().saturating_sub(1)).rev() {
        marks[k].1 = if grades[k + 1] <= Grade::Comma { k + 1 } else { marks[k + 1].1 };
    }
    marks
}

/// The units with everything that the cost of a cue needs, in sums, so that a cue is judged in constant time.
pub struct Costs<'a> {
    pub units: &'a [Unit],
    pub profile: &'a Profile,
    /// The end of the media.
    until_ms: Option<i64>,
    columns: usize,
    cps: f64,
    grades: Vec<Grade>,
    /// Sums over the units before `k`: columns and characters with the space before each.
    widths: Vec<usize>,
    chars: Vec<usize>,
    /// Sum of what the boundaries up to `k` cost inside a cue.
    inner: Vec<f32>,
    /// Number of sentence ends among the boundaries up to `k`.
    sentences: Vec<u32>,
    /// Whether another speaker begins there: the text says so by a dash. Each has a line.
    turns: Vec<bool>,
    /// The nearest boundaries with a mark, before and after `k`.
    marks: Vec<(usize, usize)>,
    /// What somebody's own regrouping puts before each unit.
    seams: Option<Vec<Seam>>,
    /// Number of its cuts up to `k`.
    cuts: Vec<u32>,
}

impl<'a> Costs<'a> {
    pub fn new(
        units: &'a [Unit],
        language: Language,
        profile: &'a Profile,
        seams: Option<Vec<Seam>>,
        until_ms: Option<i64>,
    ) -> Costs<'a> {
        let grades = grades(units, language);
        let mut cuts = Vec::new();
        for seam in seams.iter().flatten() {
            cuts.push(cuts.last().map_or(0, |n| n + u32::from(*seam == Seam::Cut)));
        }
        let mut costs = Costs {
            units,
            profile,
            until_ms,
            columns: profile.columns(language),
            cps: profile.chars_per_second(language),
            grades,
            widths: vec![0],
            chars: vec![0],
            inner: vec![0.0],
            sentences: vec![0],
            turns: units.iter().map(|u| is_turn(&u.text)).collect(),
            marks: Vec::new(),
            seams,
            cuts,
        };
        for (k, unit) in units.iter().enumerate() {
            let space = usize::from(unit.space);
            costs.widths.push(costs.widths[k] + unit.columns + space);
            costs.chars.push(costs.chars[k] + unit.chars + space);
            if k == 0 {
                continue;
            }
            let sentence = costs.grades[k] == Grade::Sentence;
            let pause = costs.pause(k) as f32;
            let inside = if sentence { 8.0 } else { 0.0 } + ((pause - 250.0) / 25.0).clamp(0.0, 30.0);
            costs.inner.push(costs.inner[k - 1] + inside);
            costs.sentences.push(costs.sentences[k - 1] + u32::from(sentence));
        }
        costs.marks = marks(&costs.grades);
        costs
    }

    /// How much a break before unit `k` cuts off behind a mark or before the next, of the text `i..j`: "In this mode,
    /// everything | you say", "I told you | today: go". 1 is the worst.
    fn stub(&self, i: usize, k: usize, j: usize) -> f32 {
        if self.grades[k] <= Grade::Comma {
            return 0.0;
        }
        let (before, after) = self.marks[k];
        let tail = if before > i { self.width(before, k) } else { self.columns };
        let head = if after < j { self.width(k, after) } else { self.columns };
        (1.0 - tail.min(head) as f32 / (STUB * self.columns as f32)).max(0.0)
    }

    /// The silence before unit `k`.
    fn pause(&self, k: usize) -> i64 {
        self.units[k].start_ms - self.units[k - 1].end_ms
    }

    /// Columns of the units `i..j` on one line.
    fn width(&self, i: usize, j: usize) -> usize {
        self.widths[j] - self.widths[i] - usize::from(self.units[i].space)
    }

    /// One unit may be wider than a line.
    fn fits(&self, i: usize, j: usize) -> bool {
        j - i == 1 || self.width(i, j) <= self.columns
    }

    /// Where the second line of the cue `i..j` starts, with its cost; `j` for one line, `None` if it cannot be.
    pub fn second_line(&self, i: usize, j: usize) -> Option<(usize, f32)> {
        if let Some(k) = self.own_line(i, j) {
            return Some((k, 0.0));
        }
        let two = self.profile.max_lines > 1;
        let mut turns = (i + 1..j).filter(|k| self.turns[*k]);
        if let Some(k) = turns.next() {
            let fits = two && turns.next().is_none() && self.fits(i, k) && self.fits(k, j);
            return fits.then_some((k, SECOND_LINE));
        }
        if self.fits(i, j) {
            return Some((j, 0.0));
        }
        if !two {
            return None;
        }
        let mut best: Option<(usize, f32)> = None;
        for k in (i + 1..j).rev() {
            if !self.fits(k, j) {
                break;
            }
            if !self.fits(i, k) {
                continue;
            }
            let (upper, lower) = (self.width(i, k) as f32, self.width(k, j) as f32);
            let lean = (upper - lower) / (upper + lower);
            let balance = if lean > 0.0 { 3.0 + 35.0 * lean * lean } else { 32.0 * lean * lean };
            let cost = SECOND_LINE + line_end(self.grades[k]) + balance + 16.0 * self.stub(i, k, j);
            if best.is_none_or(|b| cost < b.1) {
                best = Some((k, cost));
            }
        }
        best
    }

    /// The line break that a regrouping wants in the cue `i..j`, if the lines fit: of several the one nearest the middle.
    fn own_line(&self, i: usize, j: usize) -> Option<usize> {
        let seams = self.seams.as_ref().filter(|_| self.profile.max_lines > 1)?;
        let fitting = (i + 1..j).filter(|&k| seams[k] == Seam::Line && self.fits(i, k) && self.fits(k, j));
        fitting.min_by_key(|&k| self.width(i, k).abs_diff(self.width(k, j)))
    }

    /// What it costs besides to end a cue before unit `j`: with a regrouping only its own cuts are free.
    fn unasked(&self, j: usize) -> f32 {
        let asked = self.seams.as_ref().is_none_or(|s| s.get(j).is_none_or(|seam| *seam == Seam::Cut));
        if asked { 0.0 } else { UNASKED }
    }

    /// True when no cue that ends before unit `j` can start at `i` or before it.
    pub fn too_long(&self, i: usize, j: usize) -> bool {
        j - i > 1
            && (self.seams.is_some() && self.cuts[j - 1] > self.cuts[i]
                || self.pause(i + 1) > self.profile.pause_ms
                || self.units[j - 1].end_ms - self.units[i].start_ms > self.profile.max_ms
                || self.width(i, j) > 2 * self.columns + self.widest_exception(i, j))
    }

    /// A unit wider than a line may stand on either line.
    fn widest_exception(&self, i: usize, j: usize) -> usize {
        let over = |k: usize| self.units[k].columns.saturating_sub(self.columns);
        1 + over(i) + over(j - 1)
    }

    /// The cost of showing the units `i..j` as one cue; `None` where a hard limit forbids it.
    pub fn cue(&self, i: usize, j: usize) -> Option<f32> {
        let (start_ms, end_ms) = (self.units[i].start_ms, self.units[j - 1].end_ms);
        let next_ms = self.units.get(j).map(|u| u.start_ms);
        if j - i > 1 && timing::cannot_close(start_ms, end_ms, next_ms, self.profile) {
            return None;
        }
        let (_, lines) = self.second_line(i, j)?;
        let inner = self.inner[j - 1] - self.inner[i];
        Some(CUE + lines + inner + self.unasked(j) + self.ends(i, j) + self.shape(i, j) + self.pace(i, j))
    }

    /// A cut is best at the end of a sentence, and better at a pause than without one.
    fn ends(&self, i: usize, j: usize) -> f32 {
        if j == self.units.len() {
            return 0.0;
        }
        let pause = self.pause(j);
        if pause > self.profile.pause_ms {
            return 0.0;
        }
        // A speaker who searches for the noun after his article does not end a phrase.
        let most = if self.grades[j] >= Grade::Bound { 0.4 } else { 0.85 };
        let relief = most * (pause as f32 / 700.0).clamp(0.0, 1.0);
        let inside = self.sentences[j - 1] - self.sentences[i];
        // "… said he. And then the" | "house fell": the start of a sentence belongs to its rest.
        let torn = if inside > 0 && self.grades[j] > Grade::Comma { 45.0 } else { 0.0 }
            + if inside > 0 && self.grades[j] == Grade::Comma { 24.0 } else { 0.0 };
        (cue_end(self.grades[j]) + torn + 40.0 * self.stub(i, j, self.units.len())) * (1.0 - relief)
    }

    /// Whole at both ends: a sentence, or what silence cuts off.
    pub fn is_whole(&self, i: usize, j: usize) -> bool {
        let edge = |k: usize| {
            k == 0
                || k == self.units.len()
                || self.grades[k] == Grade::Sentence
                || self.pause(k) > self.profile.pause_ms
        };
        edge(i) && edge(j)
    }

    /// Even filling, and no orphans.
    fn shape(&self, i: usize, j: usize) -> f32 {
        let fill = self.width(i, j) as f32 / (2 * self.columns) as f32;
        let mut cost = 16.0 * fill * fill;
        if !self.is_whole(i, j) {
            cost += 60.0 * (1.0 - fill / 0.33).max(0.0);
            if j - i == 1 {
                cost += 25.0;
            }
        }
        let sentences = self.sentences[j - 1] - self.sentences[i];
        if sentences > 0 && i > 0 && self.grades[i] != Grade::Sentence {
            cost += 10.0;
        }
        // Two short sentences are company; three are a crowd.
        cost + 10.0 * sentences.saturating_sub(1) as f32
    }

    /// Time to read.
    fn pace(&self, i: usize, j: usize) -> f32 {
        let profile = self.profile;
        let start_ms = self.units[i].start_ms;
        let latest_ms = self.units[j - 1].end_ms + profile.linger_ms;
        let room_ms = match self.units.get(j) {
            Some(next) => latest_ms.min(next.start_ms - profile.gap_ms),
            None => latest_ms.max(start_ms + profile.min_ms).min(self.until_ms.unwrap_or(i64::MAX)),
        };
        let shown = (room_ms - start_ms).max(1) as f32;
        let min = profile.min_ms as f32;
        let brief =
            if shown < min { 90.0 + 100.0 * (1.0 - shown / min) } else { ((1300.0 - shown) / 30.0).max(0.0) };
        let long = ((shown - 6000.0) / 100.0).max(0.0);
        let chars = (self.chars[j] - self.chars[i] - usize::from(self.units[i].space)) as f32;
        let over = chars * 1000.0 / shown / self.cps as f32 - 1.0;
        brief + long + (30.0 * over).clamp(0.0, 60.0)
    }
}
