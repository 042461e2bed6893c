//! Regrouping done: units in, the places between them out, each a cut, a line break or neither. Knows nothing of cost,
//! widths or the limits of cues.
//!
//! stable-ts begins with Whisper's own segments; we begin with sentences, and with what a long silence cuts off.

use super::{How, Mark, Method, Regroup, Size};
use crate::language::Language;
use crate::subtitle::breaks::{Grade, grades, is_sentence_end};
use crate::subtitle::units::Unit;

/// What stands before a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seam {
    #[default]
    Joined,
    /// A line break in a cue.
    Line,
    /// The start of a cue.
    Cut,
}

struct State<'a> {
    units: &'a mut [Unit],
    /// One for each unit; the first is a cut.
    seams: Vec<Seam>,
    locked: Vec<bool>,
    keep_abbreviations: bool,
}

/// What the regrouping puts before each unit; the first is a cut. Clamping moves the units' times, never out of order.
pub fn seams(units: &mut [Unit], language: Language, pause_ms: i64, regroup: &Regroup) -> Vec<Seam> {
    let grades = grades(units, language);
    let first = |k: usize| {
        let silence = k > 0 && units[k].start_ms - units[k - 1].end_ms > pause_ms;
        if grades[k] == Grade::Sentence || silence { Seam::Cut } else { Seam::Joined }
    };
    let seams = (0..units.len()).map(first).collect();
    let locked = vec![false; units.len()];
    let mut state = State { units, seams, locked, keep_abbreviations: false };
    for method in &regroup.0 {
        state.apply(method);
    }
    state.seams
}

impl State<'_> {
    fn apply(&mut self, method: &Method) {
        match method {
            Method::SplitByGap { over_ms, how } => self.cut_where(*how, |s, k| s.gap(k) > *over_ms),
            Method::SplitByMark { marks, least, how } => {
                let large: Vec<(usize, usize)> =
                    self.groups().into_iter().filter(|g| self.reaches(*g, *least)).collect();
                let inside = |k: usize| large.iter().any(|&(from, to)| from < k && k < to);
                self.cut_where(*how, |s, k| inside(k) && s.marked(k, marks));
            }
            Method::SplitBySize { most, even, anew, how } => {
                if *anew {
                    self.merge_all();
                }
                for group in self.groups() {
                    for k in if *even { self.even(group, *most) } else { self.full(group, *most) } {
                        self.set(k, how.seam(), how.lock);
                    }
                }
            }
            Method::MergeByGap { up_to_ms, most, sum, how } => {
                self.merge_where(*most, *sum, *how, |s, k| s.gap(k) <= *up_to_ms)
            }
            Method::MergeByMark { marks, most, sum, how } => {
                self.merge_where(*most, *sum, *how, |s, k| s.marked(k, marks))
            }
            Method::MergeAll => self.merge_all(),
            Method::Clamp { factor, most_ms, clip_start } => {
                for group in self.groups() {
                    self.clamp(group, *factor, *most_ms, *clip_start);
                }
            }
            Method::Lock { starts, ends, right, left, exact } => {
                self.lock(starts, ends, (*left, *right), *exact)
            }
            Method::Unlock => self.locked.fill(false),
            Method::KeepAbbreviations => self.keep_abbreviations = true,
        }
    }

    /// The groups as ranges of units.
    fn groups(&self) -> Vec<(usize, usize)> {
        let mut starts: Vec<usize> =
            (0..self.seams.len()).filter(|&k| k == 0 || self.seams[k] == Seam::Cut).collect();
        starts.push(self.seams.len());
        starts.windows(2).map(|w| (w[0], w[1])).collect()
    }

    fn gap(&self, k: usize) -> i64 {
        self.units[k].start_ms - self.units[k - 1].end_ms
    }

    fn chars(&self, (from, to): (usize, usize)) -> usize {
        let spaces = (from + 1..to).filter(|&k| self.units[k].space).count();
        self.units[from..to].iter().map(|u| u.chars).sum::<usize>() + spaces
    }

    fn ms(&self, (from, to): (usize, usize)) -> i64 {
        self.units[to - 1].end_ms - self.units[from].start_ms
    }

    fn reaches(&self, group: (usize, usize), least: Size) -> bool {
        least.words.is_none_or(|n| group.1 - group.0 >= n)
            && least.chars.is_none_or(|n| self.chars(group) >= n)
            && least.ms.is_none_or(|n| self.ms(group) >= n)
    }

    fn fits(&self, group: (usize, usize), most: Size) -> bool {
        most.words.is_none_or(|n| group.1 - group.0 <= n)
            && most.chars.is_none_or(|n| self.chars(group) <= n)
            && most.ms.is_none_or(|n| self.ms(group) <= n)
    }

    /// Whether one of the marks stands before unit `k`.
    fn marked(&self, k: usize, marks: &[Mark]) -> bool {
        let (left, right) = (&self.units[k - 1].text, &self.units[k]);
        let begins = |mark: &str| match mark.strip_prefix(' ') {
            Some(rest) => right.space && right.text.starts_with(rest),
            None => right.text.starts_with(mark),
        };
        let abbreviation = self.keep_abbreviations && left.ends_with('.') && !is_sentence_end(left);
        !abbreviation
            && marks.iter().any(|mark| match mark {
                Mark::Any(m) => left.ends_with(m.as_str()) || begins(m),
                Mark::Between(a, b) => left.ends_with(a.as_str()) && begins(b),
            })
    }

    fn set(&mut self, k: usize, seam: Seam, lock: bool) {
        if !self.locked[k] {
            self.seams[k] = seam;
            self.locked[k] = lock;
        }
    }

    fn cut_where(&mut self, how: How, here: impl Fn(&Self, usize) -> bool) {
        for k in 1..self.seams.len() {
            if self.seams[k] != Seam::Cut && here(self, k) {
                self.set(k, how.seam(), how.lock);
            }
        }
    }

    fn merge_where(&mut self, most: Size, sum: bool, how: How, here: impl Fn(&Self, usize) -> bool) {
        let mut from = 0;
        for k in 1..self.seams.len() {
            if self.seams[k] != Seam::Cut {
                continue;
            }
            let to =
                (k + 1..self.seams.len()).find(|&j| self.seams[j] == Seam::Cut).unwrap_or(self.seams.len());
            let small = if sum {
                self.fits((from, to), most)
            } else {
                self.fits((from, k), most) && self.fits((k, to), most)
            };
            if small && !self.locked[k] && here(self, k) {
                self.set(k, if how.newline { Seam::Line } else { Seam::Joined }, how.lock);
            } else {
                from = k;
            }
        }
    }

    fn merge_all(&mut self) {
        for k in 1..self.seams.len() {
            self.set(k, Seam::Joined, false);
        }
    }

    /// Where a group that is too large is cut into the least number of parts of about one length.
    fn even(&self, (from, to): (usize, usize), most: Size) -> Vec<usize> {
        if self.fits((from, to), most) {
            return Vec::new();
        }
        // As a length counts what is limited: time, characters, or words.
        let length = |k: usize| match most {
            Size { ms: Some(_), .. } => self.units[k - 1].end_ms - self.units[from].start_ms,
            Size { chars: Some(_), .. } => self.chars((from, k)) as i64,
            _ => (k - from) as i64,
        };
        let parts = |whole: i64, most: i64| (whole + most - 1) / most.max(1);
        let needed = [
            most.ms.map(|n| parts(self.ms((from, to)), n)),
            most.chars.map(|n| parts(self.chars((from, to)) as i64, n as i64)),
            most.words.map(|n| parts((to - from) as i64, n as i64)),
        ];
        let count = needed.into_iter().flatten().max().unwrap_or(1).min((to - from) as i64);
        let whole = length(to);
        let mut cuts: Vec<usize> = (1..count)
            .filter_map(|part| {
                let free = (from + 1..to).filter(|&k| !self.locked[k]);
                free.min_by_key(|&k| (length(k) * count - whole * part).abs())
            })
            .collect();
        cuts.dedup();
        cuts
    }

    /// Where a group is cut so that each part is as full as it may be.
    fn full(&self, (from, to): (usize, usize), most: Size) -> Vec<usize> {
        let (mut cuts, mut start) = (Vec::new(), from);
        for k in from + 1..to {
            if !self.locked[k] && !self.fits((start, k + 1), most) {
                cuts.push(k);
                start = k;
            }
        }
        cuts
    }

    fn clamp(
        &mut self,
        (from, to): (usize, usize),
        factor: Option<f64>,
        most_ms: Option<i64>,
        clip_start: Option<bool>,
    ) {
        let mut lengths: Vec<i64> = self.units[from..to].iter().map(|u| u.end_ms - u.start_ms).collect();
        lengths.sort_unstable();
        let median = lengths[lengths.len() / 2];
        let by_median = factor.filter(|_| to - from > 2).map(|f| (f * median as f64) as i64);
        let Some(limit) = [by_median, most_ms].into_iter().flatten().min() else { return };
        let limit = limit.max(1);
        for k in from..to {
            let unit = &mut self.units[k];
            if clip_start.unwrap_or(k == from) {
                unit.start_ms = unit.start_ms.max(unit.end_ms - limit);
            } else if clip_start == Some(false) || k + 1 == to {
                unit.end_ms = unit.end_ms.min(unit.start_ms + limit);
            }
            let (start, end) = (unit.start_ms, unit.end_ms);
            for word in &mut unit.words {
                word.start_ms = word.start_ms.clamp(start, end);
                word.end_ms = word.end_ms.clamp(start, end);
            }
        }
    }

    fn lock(&mut self, starts: &[String], ends: &[String], (left, right): (bool, bool), exact: bool) {
        let plain = |s: &str| if exact { s.to_string() } else { s.to_lowercase() };
        for k in 0..self.units.len() {
            let text = plain(&self.units[k].text);
            let begins = starts.iter().any(|s| text.starts_with(&plain(s)));
            if begins || ends.iter().any(|s| text.ends_with(&plain(s))) {
                self.locked[k] |= left;
                if let Some(next) = self.locked.get_mut(k + 1) {
                    *next |= right;
                }
            }
        }
    }
}

impl How {
    fn seam(self) -> Seam {
        if self.newline { Seam::Line } else { Seam::Cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subtitle::units::units;
    use crate::subtitle::{Profile, Word};

    /// Words at 300 ms each, 50 ms apart; `+500` is a silence, `~` before a word makes it two seconds long. The groups
    /// are joined by `|`, their lines by `/`.
    fn check(regroup: &str, text: &str, expected: &str) {
        assert_eq!(grouped(regroup, text).0, expected, "{regroup}");
    }

    fn grouped(regroup: &str, text: &str) -> (String, Vec<Unit>) {
        let mut at_ms = 0;
        let mut words = Vec::new();
        for token in text.split(' ') {
            if let Some(ms) = token.strip_prefix('+') {
                at_ms += ms.parse::<i64>().unwrap();
                continue;
            }
            let (token, ms) = token.strip_prefix('~').map_or((token, 300), |t| (t, 2_000));
            words.push(Word { text: format!(" {token}"), start_ms: at_ms, end_ms: at_ms + ms, p: 1.0 });
            at_ms += ms + 50;
        }
        let (language, profile) = (Language::ENGLISH, Profile::netflix());
        let mut units = units(&words, language, &profile);
        let seams = seams(&mut units, language, profile.pause_ms, &regroup.parse().unwrap());
        let mut out = String::new();
        for (k, (unit, seam)) in units.iter().zip(&seams).enumerate() {
            out += match seam {
                _ if k == 0 => "",
                Seam::Cut => "|",
                Seam::Line => "/",
                Seam::Joined => " ",
            };
            out += &unit.text;
        }
        (out, units)
    }

    const TEXT: &str = "One two, three four. +600 Five six seven eight nine ten.";

    #[test]
    fn splits_by_gap_mark_and_size() {
        check("us", TEXT, "One two, three four.|Five six seven eight nine ten.");
        check("sp=,* ", TEXT, "One two,|three four.|Five six seven eight nine ten.");
        check("sp=,* ++++100", TEXT, "One two, three four.|Five six seven eight nine ten.");
        check("ms_sg=.5", TEXT, "One two, three four.|Five six seven eight nine ten.");
        check("ms_sl=+4+0", TEXT, "One two, three four.|Five six seven eight|nine ten.");
        check("sl=+4", TEXT, "One two, three four.|Five six seven|eight nine ten.");
        check("sl=16++++++1", TEXT, "One two,/three four.|Five six seven/eight nine ten.");
        check("sd=1", TEXT, "One two,|three four.|Five six|seven eight|nine ten.");
        check("sl=+4++1", TEXT, "One two, three|four. Five six seven|eight nine ten.");
    }

    #[test]
    fn merges_by_gap_and_mark_within_limits() {
        check("mg=.7", TEXT, "One two, three four. Five six seven eight nine ten.");
        check("mg=.5", TEXT, "One two, three four.|Five six seven eight nine ten.");
        check("mg=.7+5", TEXT, "One two, three four.|Five six seven eight nine ten.");
        check("mg=.7++30+1", TEXT, "One two, three four.|Five six seven eight nine ten.");
        check("mg=.7+++++1", TEXT, "One two, three four./Five six seven eight nine ten.");
        check("mp=.* ", TEXT, "One two, three four. Five six seven eight nine ten.");
        check("ms", TEXT, "One two, three four. Five six seven eight nine ten.");
    }

    #[test]
    fn locked_places_stay() {
        check("sp=,* +1_ms", TEXT, "One two,|three four. Five six seven eight nine ten.");
        check("sp=,* +1_us_ms", TEXT, "One two, three four. Five six seven eight nine ten.");
        check("l=eight_sl=+2+0", TEXT, "One two,|three four.|Five six|seven eight nine|ten.");
    }

    #[test]
    fn abbreviations_are_kept_when_asked_for() {
        let text = "Ask Mr. Smith for it.";
        check("sp=.* ", text, "Ask Mr.|Smith for it.");
        check("isp_sp=.* ", text, "Ask Mr. Smith for it.");
    }

    #[test]
    fn clamping_shortens_the_outer_words_of_a_group_and_keeps_order() {
        let (_, units) = grouped("cm", "~One two three four ~five.");
        let times: Vec<(i64, i64)> = units.iter().map(|u| (u.start_ms, u.end_ms)).collect();
        assert_eq!(times[0], (1_250, 2_000));
        assert_eq!(times[4].1 - times[4].0, 750);
        assert!(times.windows(2).all(|t| t[0].1 <= t[1].0));
        assert!(
            units.iter().all(|u| u.words.iter().all(|w| w.start_ms >= u.start_ms && w.end_ms <= u.end_ms))
        );
        let (_, units) = grouped("cm=0+.5+0", "~One two ~three.");
        assert!(units.iter().all(|u| u.end_ms - u.start_ms <= 500));
    }

    #[test]
    fn nothing_said_gives_nothing() {
        let mut none: Vec<Unit> = Vec::new();
        let all = "da_sl=3_sd=1_mg_mp=._ms_cm_l=a_us".parse().unwrap();
        assert!(seams(&mut none, Language::ENGLISH, 1000, &all).is_empty());
    }
}
