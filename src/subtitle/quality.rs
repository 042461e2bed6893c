//! One number for a subtitle, with its reasons: how sure the words are, what was left in doubt, how it is laid out.
//! Pure; knows nothing of how the words were found.

use super::{Cue, Report, cue};
use crate::language::Language;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is known of a stretch of sound that was decoded at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    pub start_ms: i64,
    pub end_ms: i64,
    /// Speech that the detector heard in it.
    pub speech_ms: i64,
    /// Speech that no word covers.
    pub wordless_ms: i64,
    /// What was still doubtful after the second look: `loop`, `crowded`, `stock`, `hum`, `unsure`; or `damaged`: its sound.
    pub doubt: Option<String>,
    /// The language that it sounds like, where that was asked though somebody had told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sounds_like: Option<Language>,
}

/// A subtitle's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// 0 to 100.
    pub score: u8,
    /// What was taken off, the most first; empty at 100.
    pub reasons: Vec<String>,
    /// What went wrong besides the words, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The stretches that were left in doubt or without words, for whoever wants to listen.
    pub doubtful: Vec<Stretch>,
    #[serde(flatten)]
    pub report: Report,
}

/// Points at most for each thing.
const FOR_PROBABILITY: f64 = 40.0;
const FOR_DOUBT: f64 = 30.0;
const FOR_WORDLESS: f64 = 30.0;
const FOR_HARD: f64 = 30.0;
const FOR_SOFT: f64 = 15.0;
const FOR_LACKING: f64 = 100.0;
const FOR_MISTOLD: f64 = 60.0;
/// A sound may end so much before its file does, and by this part of it.
const LACKING_MS: i64 = 5_000;
const LACKING_PART: i64 = 50;
/// The mean probability of words that nothing is taken off for, and that at which all is.
const SURE: f64 = 0.9;
const LOST: f64 = 0.4;
/// A stretch with this much speech without words is named.
const NAMED_MS: i64 = 1_500;

/// Speech of which no word was made out is worth a warning from this length on, and from this part of the sound.
const UNCLEAR_MS: i64 = 3_000;
const UNCLEAR_PART: i64 = 4;
const FOR_UNCLEAR: f64 = 70.0;

/// Puts a number on a subtitle.
pub fn judge(report: Report, cues: &[Cue], stretches: &[Stretch]) -> Quality {
    let words: Vec<f64> = cues.iter().flat_map(|c| &c.words).map(|w| f64::from(w.p)).collect();
    let mean = if words.is_empty() { 1.0 } else { words.iter().sum::<f64>() / words.len() as f64 };
    let speech = stretches.iter().map(|s| s.speech_ms).sum::<i64>().max(1) as f64;
    let doubtful: i64 = stretches.iter().filter(|s| s.doubt.is_some()).map(|s| s.speech_ms).sum();
    let wordless: i64 = stretches.iter().map(|s| s.wordless_ms).sum();
    let share = |part: f64| part.clamp(0.0, 1.0);
    let of_cues = |count: usize| share(count as f64 / cues.len().max(1) as f64);
    let mut taken = vec![
        (
            FOR_PROBABILITY * share((SURE - mean) / (SURE - LOST)),
            format!("words are {:.0} % probable on average", mean * 100.0),
        ),
        (FOR_DOUBT * share(doubtful as f64 / speech), format!("{} of speech is in doubt", seconds(doubtful))),
        (
            FOR_WORDLESS * share(wordless as f64 / speech * 3.0),
            format!("{} of speech has no words", seconds(wordless)),
        ),
        (FOR_HARD * share(of_cues(report.hard_violations) * 10.0), broken(report.hard_violations, "hard")),
        (FOR_SOFT * of_cues(report.soft_violations), broken(report.soft_violations, "soft")),
    ];
    taken.sort_by(|a, b| b.0.total_cmp(&a.0));
    let score = (100.0 - taken.iter().map(|t| t.0).sum::<f64>()).round().clamp(0.0, 100.0) as u8;
    let reasons =
        taken.into_iter().filter(|t| t.0 >= 0.5).map(|(points, why)| format!("-{points:.0}: {why}"));
    let named = |s: &&Stretch| s.doubt.is_some() || s.wordless_ms >= NAMED_MS;
    Quality {
        score,
        reasons: reasons.collect(),
        warnings: Vec::new(),
        doubtful: stretches.iter().filter(named).cloned().collect(),
        report,
    }
}

impl Quality {
    /// Takes points off where there are no cues at all though somebody spoke for much of the sound's `duration_ms`.
    pub fn unclear(&mut self, stretches: &[Stretch], duration_ms: i64) {
        let wordless: i64 = stretches.iter().map(|s| s.wordless_ms).sum();
        if self.report.cues == 0 && wordless >= UNCLEAR_MS.max(duration_ms / UNCLEAR_PART) {
            let heard = seconds(wordless);
            let why = format!(
                "somebody seems to speak for {heard}, and no words were made out: check the language and the track, or use a larger model"
            );
            self.take(FOR_UNCLEAR, why);
        }
    }

    /// Takes points off where the sound broke off before the end that its file promises.
    ///
    /// `promised_ms` is 0 where the file promises nothing.
    pub fn cut_off(&mut self, read_ms: i64, promised_ms: i64) {
        let lacks = promised_ms - read_ms;
        if lacks > LACKING_MS.max(promised_ms / LACKING_PART) {
            let (read, promised) = (seconds(read_ms), seconds(promised_ms));
            let why = format!("the sound ends after {read} of {promised}: the file is cut short or damaged");
            self.lacks(lacks, promised_ms, why);
        }
    }

    /// Takes points off where the sound is damaged, and names these places. `lost_ms`: all that is lost, of `read_ms`.
    pub fn damaged(&mut self, places: Vec<Stretch>, lost_ms: i64, read_ms: i64) {
        let Some(first) = places.first() else { return };
        let (at, lost) = (seconds(first.start_ms), seconds(lost_ms));
        let at = match places.len() {
            1 => format!("at {at}"),
            n => format!("in {n} places, first at {at}"),
        };
        let why = format!("{lost} of the sound is damaged, {at}: words may be missing there");
        self.lacks(lost_ms, read_ms, why);
        self.doubtful.extend(places);
        self.doubtful.sort_by_key(|s| s.start_ms);
    }

    /// Takes points off where most of the speech sounds like another language than was told.
    pub fn mistold(&mut self, told: Language, stretches: &[Stretch]) {
        let asked = stretches.iter().filter_map(|s| Some((s.sounds_like?, s.speech_ms)));
        let all: i64 = asked.clone().map(|(_, ms)| ms).sum();
        let mut others: Vec<(Language, i64)> = Vec::new();
        for (language, ms) in asked.filter(|(language, _)| *language != told) {
            match others.iter_mut().find(|(other, _)| *other == language) {
                Some((_, sum)) => *sum += ms,
                None => others.push((language, ms)),
            }
        }
        let Some((other, ms)) = others.into_iter().max_by_key(|(_, ms)| *ms).filter(|(_, ms)| ms * 2 > all)
        else {
            return;
        };
        let (heard, told) = (other.english_name(), told.english_name());
        let why = format!("the speech sounds like {heard}, not {told} as was told: most words may be wrong");
        self.take((FOR_MISTOLD * ms as f64 / all as f64).round(), why);
    }

    fn lacks(&mut self, lacking_ms: i64, of_ms: i64, why: String) {
        let points = (FOR_LACKING * lacking_ms as f64 / of_ms.max(1) as f64).round().clamp(1.0, FOR_LACKING);
        self.take(points, why);
    }

    fn take(&mut self, points: f64, why: String) {
        self.score = self.score.saturating_sub(points as u8);
        self.reasons.insert(0, format!("-{points:.0}: {why}"));
        self.warnings.push(why);
    }
}

fn broken(count: usize, kind: &str) -> String {
    match count {
        1 => format!("1 {kind} limit is broken"),
        n => format!("{n} {kind} limits are broken"),
    }
}

fn seconds(ms: i64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

impl fmt::Display for Quality {
    /// Lines for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { profile, adjusted, cues, .. } = &self.report;
        let adjusted = if *adjusted { ", some set otherwise" } else { "" };
        let cues = cue::counted(*cues);
        writeln!(f, "score {} of 100, {cues}, by the limits of '{profile}'{adjusted}", self.score)?;
        for reason in &self.reasons {
            writeln!(f, "  {reason}")?;
        }
        for hard in [true, false] {
            let (kind, broken) = match hard {
                true => ("hard limits", self.report.hard_violations),
                false => ("soft limits", self.report.soft_violations),
            };
            writeln!(f, "  {kind} broken: {broken}")?;
            for rule in self.report.rules.iter().filter(|r| r.hard == hard) {
                writeln!(f, "    {:<14} {:>4} of {}", rule.name, rule.violations, rule.checked)?;
            }
        }
        for o in &self.report.offenders {
            writeln!(f, "  cue {} at {}: {}", o.cue, seconds(o.at_ms), o.what)?;
        }
        for s in &self.doubtful {
            let what = s.doubt.as_deref().unwrap_or("speech without words");
            writeln!(f, "  listen at {} to {}: {what}", seconds(s.start_ms), seconds(s.end_ms))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subtitle::{Profile, Word, check, layout};

    fn check(p: f32, doubt: Option<&str>, wordless_ms: i64) -> Quality {
        let words: Vec<Word> = ["It", "was", "a", "dark", "and", "stormy", "night."]
            .iter()
            .enumerate()
            .map(|(i, w)| Word {
                text: format!(" {w}"),
                start_ms: i as i64 * 400,
                end_ms: i as i64 * 400 + 380,
                p,
            })
            .collect();
        let cues = layout::cues(&words, Language::ENGLISH, &Profile::netflix());
        let report = check::report(&cues, Language::ENGLISH, &Profile::netflix());
        let stretch = Stretch {
            start_ms: 0,
            end_ms: 3_000,
            speech_ms: 2_800,
            wordless_ms,
            doubt: doubt.map(str::to_owned),
            sounds_like: None,
        };
        judge(report, &cues, &[stretch])
    }

    #[test]
    fn a_sure_subtitle_scores_full() {
        let quality = check(0.95, None, 0);
        assert_eq!((quality.score, quality.reasons.len(), quality.doubtful.len()), (100, 0, 0));
    }

    #[test]
    fn each_weakness_takes_points_and_says_so() {
        let unsure = check(0.65, None, 0);
        assert_eq!(
            (unsure.score, unsure.reasons.as_slice()),
            (80, &["-20: words are 65 % probable on average".into()][..])
        );
        let doubtful = check(0.95, Some("loop"), 0);
        assert_eq!((doubtful.score, doubtful.doubtful.len()), (70, 1));
        assert!(
            check(0.95, None, 2_000).to_string().contains("listen at 0.0 s to 3.0 s: speech without words")
        );
        assert_eq!(check(0.3, Some("loop"), 2_800).score, 0);
    }

    #[test]
    fn a_terminal_shows_each_rule_with_its_count() {
        let text = check(0.95, None, 0).to_string();
        assert!(text.starts_with("score 100 of 100, 1 cue, by the limits of 'netflix'\n"), "{text}");
        for line in ["hard limits broken: 0", "line_length       0 of 1", "reading_speed     0 of 1"] {
            assert!(text.contains(line), "no '{line}' in:\n{text}");
        }
    }

    #[test]
    fn a_terminal_shows_which_cues_break_a_rule() {
        let mut quality = check(0.95, None, 0);
        let what = "24.1 characters a second, 20 are easy".to_owned();
        quality.report.offenders.push(check::Offender {
            rule: "reading_speed".into(),
            cue: 3,
            at_ms: 12_400,
            what,
        });
        let line = "\n  cue 3 at 12.4 s: 24.1 characters a second, 20 are easy\n";
        assert!(quality.to_string().contains(line), "{quality}");
    }

    #[test]
    fn speech_of_which_nothing_was_made_out_is_no_silence() {
        let check = |wordless_ms: i64, duration_ms, expected: (u8, usize)| {
            let report = check::report(&[], Language::ENGLISH, &Profile::netflix());
            let stretch = Stretch {
                start_ms: 0,
                end_ms: duration_ms,
                speech_ms: wordless_ms,
                wordless_ms,
                doubt: None,
                sounds_like: None,
            };
            let mut quality = judge(report, &[], std::slice::from_ref(&stretch));
            quality.unclear(&[stretch], duration_ms);
            assert_eq!((quality.score, quality.warnings.len()), expected, "{quality}");
        };
        check(12_400, 12_700, (0, 1));
        check(2_000, 12_700, (70, 0));
        check(12_400, 100_000, (70, 0));
        check(0, 12_700, (100, 0));
    }

    #[test]
    fn a_sound_that_breaks_off_takes_points_by_what_is_lacking() {
        let check_cut = |read_ms, promised_ms, score, reason: Option<&str>| {
            let mut quality = check(0.95, None, 0);
            quality.cut_off(read_ms, promised_ms);
            assert_eq!((quality.score, quality.reasons.first().map(String::as_str)), (score, reason));
            assert_eq!(quality.warnings.len(), usize::from(reason.is_some()));
        };
        check_cut(100_000, 0, 100, None);
        check_cut(100_000, 104_000, 100, None);
        check_cut(7_100_000, 7_200_000, 100, None);
        check_cut(
            30_000,
            40_000,
            75,
            Some("-25: the sound ends after 30.0 s of 40.0 s: the file is cut short or damaged"),
        );
        check_cut(
            0,
            40_000,
            0,
            Some("-100: the sound ends after 0.0 s of 40.0 s: the file is cut short or damaged"),
        );
    }

    #[test]
    fn damaged_places_take_points_by_what_is_lost_and_are_named() {
        let mut quality = check(0.95, None, 2_000);
        let before = quality.score;
        quality.damaged(Vec::new(), 0, 100_000);
        assert_eq!((quality.score, quality.warnings.len(), quality.doubtful.len()), (before, 0, 1));
        let damaged = |start_ms| Stretch {
            start_ms,
            end_ms: start_ms + 10_000,
            speech_ms: 0,
            wordless_ms: 0,
            doubt: Some("damaged".into()),
            sounds_like: None,
        };
        let mut one = quality.clone();
        one.damaged(vec![damaged(20_000)], 9_800, 100_000);
        assert_eq!(
            one.reasons[0],
            "-10: 9.8 s of the sound is damaged, at 20.0 s: words may be missing there"
        );
        assert_eq!((one.score, one.warnings.len()), (before - 10, 1));
        quality.damaged(vec![damaged(20_000), damaged(60_000)], 1_000, 9_000_000);
        let why = "1.0 s of the sound is damaged, in 2 places, first at 20.0 s: words may be missing there";
        assert_eq!(quality.warnings, [why]);
        assert_eq!((quality.score, quality.doubtful.len()), (before - 1, 3));
        assert!(quality.to_string().contains("listen at 60.0 s to 70.0 s: damaged\n"));
    }

    #[test]
    fn another_language_than_was_told_takes_points_where_most_sounds_like_it() {
        let [english, spanish] = ["en", "es"].map(|code| code.parse::<Language>().unwrap());
        let sounding = |sounds_like: Option<Language>, speech_ms| Stretch {
            start_ms: 0,
            end_ms: 30_000,
            speech_ms,
            wordless_ms: 0,
            doubt: None,
            sounds_like,
        };
        let mistold = |stretches: &[Stretch]| {
            let mut quality = check(0.95, None, 0);
            quality.mistold(spanish, stretches);
            (quality.score, quality.warnings)
        };
        let told = sounding(Some(spanish), 20_000);
        let other = sounding(Some(english), 20_000);
        assert_eq!(mistold(&[sounding(None, 90_000)]), (100, vec![]));
        assert_eq!(mistold(&[told.clone(), other.clone(), sounding(None, 90_000)]), (100, vec![]));
        let (score, warnings) = mistold(&[told, other.clone(), other.clone(), other, sounding(None, 90_000)]);
        assert_eq!(score, 55);
        assert_eq!(
            warnings,
            ["the speech sounds like English, not Spanish as was told: most words may be wrong"]
        );
    }

    #[test]
    fn nothing_said_and_nothing_written_is_perfect() {
        let report = check::report(&[], Language::ENGLISH, &Profile::netflix());
        assert_eq!(judge(report, &[], &[]).score, 100);
    }
}
