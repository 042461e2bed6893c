//! Says which limits of the profile cues keep and which they break. Knows nothing of how they were laid out.

use super::layout::characters;
use super::profile::Name;
use super::scripts::{columns, is_unspaced, never_starts};
use super::{Cue, Profile, manner};
use crate::language::Language;
use serde::{Deserialize, Serialize};

/// At most so many offenders are named.
const NAMED: usize = 20;

/// The rules that hold always, in the order of the report.
const HARD: &[&str] =
    &["text", "lines", "line_length", "min_duration", "max_duration", "overlap", "gap", "small_gap", "pause"];
/// The rules that speech itself may break.
const SOFT: &[&str] = &["reading_speed", "start", "end", "repetition", "line_start"];

/// How cues stand to a profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whose limits they are.
    #[serde(default)]
    pub profile: Name,
    /// Some of them were set otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adjusted: bool,
    pub cues: usize,
    /// Violations of hard rules: none in what our layout makes.
    pub hard_violations: usize,
    pub soft_violations: usize,
    pub rules: Vec<Rule>,
    /// The first ones, hard rules and soft ones as they come.
    pub offenders: Vec<Offender>,
}

/// One rule's count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub name: String,
    pub hard: bool,
    /// How many cues (or pairs of cues) the rule applies to.
    pub checked: usize,
    pub violations: usize,
}

/// A cue that breaks a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offender {
    pub rule: String,
    /// Counted from 1, as in a SubRip file.
    pub cue: usize,
    pub at_ms: i64,
    /// What is wrong, for people.
    pub what: String,
}

impl Report {
    fn new(cues: usize, profile: &Profile) -> Report {
        let rule =
            |hard: bool| move |name: &&str| Rule { name: name.to_string(), hard, checked: 0, violations: 0 };
        let rules = HARD.iter().map(rule(true)).chain(SOFT.iter().map(rule(false))).collect();
        Report {
            profile: profile.name,
            adjusted: *profile != Profile::of(profile.name),
            cues,
            hard_violations: 0,
            soft_violations: 0,
            rules,
            offenders: Vec::new(),
        }
    }

    /// The count of one rule, if there is such a rule.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|r| r.name == name)
    }

    /// Counts one look at a rule; `wrong` says what is wrong, if anything is.
    fn count(&mut self, name: &str, (k, cue): (usize, &Cue), wrong: Option<String>) {
        let Some(rule) = self.rules.iter_mut().find(|r| r.name == name) else { return };
        rule.checked += 1;
        let Some(what) = wrong else { return };
        rule.violations += 1;
        *(if rule.hard { &mut self.hard_violations } else { &mut self.soft_violations }) += 1;
        if self.offenders.len() < NAMED {
            self.offenders.push(Offender { rule: name.to_string(), cue: k + 1, at_ms: cue.start_ms, what });
        }
    }
}

/// Looks at every cue and every pair of neighbours.
pub fn report(cues: &[Cue], language: Language, profile: &Profile) -> Report {
    let mut report = Report::new(cues.len(), profile);
    for (k, cue) in cues.iter().enumerate() {
        let next = cues.get(k + 1);
        let own = manner::of_cue(&cue.lines.join(" "), language);
        let columns = manner::columns(own, language, profile);
        lines(&mut report, (k, cue), own, columns, profile);
        times(&mut report, (k, cue), next, profile);
        speech(&mut report, (k, cue), own, profile);
        if let Some(next) = next {
            pair(&mut report, (k + 1, cue, next), profile);
        }
    }
    report
}

fn lines(report: &mut Report, at: (usize, &Cue), language: Language, max: usize, profile: &Profile) {
    let lines = &at.1.lines;
    let empty = lines.is_empty() || lines.iter().any(|l| l.trim().is_empty());
    report.count("text", at, empty.then(|| "an empty line".to_string()));
    let many = lines.len() > profile.max_lines.clamp(1, 2);
    report.count("lines", at, many.then(|| format!("{} lines", lines.len())));
    let may_cut = |l: &str| l.trim().contains(' ') || language.is_unspaced();
    let long = lines.iter().find(|l| columns(l) > max && may_cut(l));
    report.count("line_length", at, long.map(|l| format!("a line of {} columns, {max} fit", columns(l))));
    if lines.iter().any(|l| l.contains(is_unspaced)) {
        let mark = lines.iter().skip(1).filter_map(|l| l.chars().next()).find(|c| never_starts(*c));
        report.count("line_start", at, mark.map(|c| format!("a line starts with '{c}'")));
    }
}

fn times(report: &mut Report, at: (usize, &Cue), next: Option<&Cue>, profile: &Profile) {
    let cue = at.1;
    let ms = cue.end_ms - cue.start_ms;
    let room = next.map_or(i64::MAX, |n| n.start_ms - cue.start_ms - profile.gap_ms);
    let short = ms <= 0 || ms < profile.min_ms.min(room);
    report.count("min_duration", at, short.then(|| format!("stands for {ms} ms")));
    report.count("max_duration", at, (ms > profile.max_ms).then(|| format!("stands for {ms} ms")));
    let rests: Vec<i64> = cue.words.windows(2).map(|w| w[1].start_ms - w[0].end_ms).collect();
    let rest = rests.iter().copied().max().filter(|r| *r > profile.pause_ms);
    report.count("pause", at, rest.map(|r| format!("spans {r} ms of silence")));
}

fn speech(report: &mut Report, at: (usize, &Cue), language: Language, profile: &Profile) {
    let cue = at.1;
    let (chars, ms) = (characters(&cue.lines) as f64, (cue.end_ms - cue.start_ms).max(1) as f64);
    let (speed, max) = (chars * 1000.0 / ms, profile.chars_per_second(language));
    report.count(
        "reading_speed",
        at,
        (speed > max).then(|| format!("{speed:.1} characters a second, {max} are easy")),
    );
    let (Some(first), Some(last)) = (cue.words.first(), cue.words.last()) else { return };
    let late = cue.start_ms - first.start_ms;
    let off = (late < 0 || late > profile.late_ms).then(|| format!("starts {late} ms after its first word"));
    report.count("start", at, off);
    let over = cue.end_ms - last.end_ms;
    report.count(
        "end",
        at,
        (over > profile.linger_ms).then(|| format!("ends {over} ms after its last word")),
    );
}

/// What two neighbours owe each other; `k` is the index of the second.
fn pair(report: &mut Report, (k, cue, next): (usize, &Cue, &Cue), profile: &Profile) {
    let gap = next.start_ms - cue.end_ms;
    let at = (k, next);
    report.count(
        "overlap",
        at,
        (gap < 0).then(|| format!("starts {} ms before the end of the one before", -gap)),
    );
    report.count(
        "gap",
        at,
        (0..profile.gap_ms).contains(&gap).then(|| format!("{gap} ms after the one before")),
    );
    let small = gap > profile.gap_ms && gap <= profile.close_gap_ms;
    report.count(
        "small_gap",
        at,
        small.then(|| format!("{gap} ms after the one before, neither close nor apart")),
    );
    let same = next.lines.join(" ") == cue.lines.join(" ");
    report.count("repetition", at, same.then(|| "repeats the one before".to_string()));
}

#[cfg(test)]
mod tests {
    use super::report;
    use crate::language::Language;
    use crate::subtitle::{Cue, Profile, Word};

    /// `cues` are start, end and lines joined by `/`; each is spoken for all of its time.
    fn check(language: &str, cues: &[(i64, i64, &str)], broken: &[&str]) {
        let word = |c: &(i64, i64, &str)| Word { text: c.2.to_string(), start_ms: c.0, end_ms: c.1, p: 1.0 };
        let cue = |c: &(i64, i64, &str)| Cue {
            start_ms: c.0,
            end_ms: c.1,
            lines: c.2.split('/').map(str::to_string).collect(),
            words: vec![word(c)],
        };
        let cues: Vec<Cue> = cues.iter().map(cue).collect();
        let report = report(&cues, language.parse::<Language>().unwrap(), &Profile::netflix());
        let found: Vec<&str> =
            report.rules.iter().filter(|r| r.violations > 0).map(|r| r.name.as_str()).collect();
        assert_eq!(found, broken);
        assert_eq!(report.hard_violations + report.soft_violations, report.offenders.len());
    }

    #[test]
    fn good_cues_break_no_rule() {
        check("en", &[(0, 2000, "All is well."), (2083, 4000, "Indeed it is,/and it stays so.")], &[]);
        check("en", &[], &[]);
    }

    #[test]
    fn each_hard_rule_is_found_broken() {
        check("en", &[(0, 2000, "a/b/c")], &["lines"]);
        check("en", &[(0, 2000, "a/ ")], &["text"]);
        check("en", &[(0, 6000, "this line is a good deal too long for a screen")], &["line_length"]);
        check("en", &[(0, 6000, "thislineisagooddealtoolongbutonewordonlyisitnot")], &[]);
        check("ja", &[(0, 6000, "一二三四五六七八九十一二三四")], &["line_length"]);
        check("en", &[(0, 500, "short")], &["min_duration"]);
        check("en", &[(0, 500, "short"), (583, 2000, "but there is no room")], &[]);
        check("en", &[(0, 7001, "long")], &["max_duration"]);
        check("en", &[(0, 2000, "a"), (1999, 4000, "b")], &["overlap"]);
        check("en", &[(0, 2000, "a"), (2082, 4000, "b")], &["gap"]);
        check("en", &[(0, 2000, "a"), (2500, 4000, "b")], &["small_gap"]);
        check("en", &[(0, 2000, "a"), (2501, 4000, "b")], &[]);
    }

    #[test]
    fn soft_rules_are_counted() {
        check("en", &[(0, 1000, "twenty-one characters")], &["reading_speed"]);
        check("en", &[(0, 1000, "twenty characters ok")], &[]);
        check("en", &[(0, 1000, "No."), (2000, 3000, "No.")], &["repetition"]);
        check("ja", &[(0, 6000, "これは/、テスト")], &["line_start"]);
    }
}
