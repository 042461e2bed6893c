//! SubGen's `custom_regroup`: the strings in which stable-ts says how words are grouped, read and refused. Knows
//! nothing of how groups become cues.
//!
//! Grammar (stable-ts's README, "Regrouping Words"): methods are joined by `_`, a method and its arguments by `=`,
//! arguments by `+`, the strings of a list by `/`, the two strings of a pair by `*`; an empty argument is the default.

mod args;
mod seams;

use std::str::FromStr;

use args::Args;
pub use seams::{Seam, seams};

/// What `da` stands for.
const DEFAULT: &str = "isp_cm_sp=.* /。/?/？_sg=.5_sp=,* /，++++50_sl=70_cm";

/// A mark between two words: the first ends with it or the second begins with it; of a pair, both.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    Any(String),
    Between(String, String),
}

/// What becomes of the places a method finds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct How {
    /// Later methods leave them alone.
    pub lock: bool,
    /// A line break instead of a new cue.
    pub newline: bool,
}

/// The size of a group; `None` does not count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Size {
    pub words: Option<usize>,
    pub chars: Option<usize>,
    pub ms: Option<i64>,
}

/// One method. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Cuts where words are further apart.
    SplitByGap {
        over_ms: i64,
        how: How,
    },
    /// Cuts at marks, in groups of at least this size.
    SplitByMark {
        marks: Vec<Mark>,
        least: Size,
        how: How,
    },
    /// Cuts groups that are larger, `even`ly or when they are full; `anew`: all groups are joined first.
    SplitBySize {
        most: Size,
        even: bool,
        anew: bool,
        how: How,
    },
    /// Joins groups that are no further apart, and not larger: each of them, or with `sum` together.
    MergeByGap {
        up_to_ms: i64,
        most: Size,
        sum: bool,
        how: How,
    },
    MergeByMark {
        marks: Vec<Mark>,
        most: Size,
        sum: bool,
        how: How,
    },
    MergeAll,
    /// Shortens words that are longer than `factor` times the median of their group, or than `most_ms`: at the start or
    /// the end of each (`clip_start`), else at the outer ends of the group.
    Clamp {
        factor: Option<f64>,
        most_ms: Option<i64>,
        clip_start: Option<bool>,
    },
    /// Keeps words that begin or end so with the next or the one before.
    Lock {
        starts: Vec<String>,
        ends: Vec<String>,
        right: bool,
        left: bool,
        exact: bool,
    },
    Unlock,
    /// From here on no cut stands after `Mr.` and its like.
    KeepAbbreviations,
}

/// A regrouping that is understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Regroup(pub Vec<Method>);

/// What stable-ts has and we do not: its short and its long name, and why.
const REFUSED: &[(&str, &str, &str)] = &[
    ("rw", "remove_word", "it names a word of one result"),
    ("rs", "remove_segment", "it names a segment of one result"),
    ("rp", "remove_repetition", "repeated words are found while listening, where they can be heard again"),
    ("rws", "remove_words_by_str", "words are not removed here"),
    ("fg", "fill_in_gaps", "it needs a second result"),
    (
        "p",
        "pad",
        "the times of cues follow the limits of the profile (subtitle_linger_ms, subtitle_min_duration_ms)",
    ),
    (
        "ag",
        "adjust_gaps",
        "the gaps of cues follow the limits of the profile (subtitle_min_gap_ms, subtitle_close_gap_ms)",
    ),
    ("csl", "convert_to_segment_level", "the words keep their times"),
    ("co", "custom_operation", "it is a program of its own"),
];

impl FromStr for Regroup {
    type Err = String;

    /// Fails with the method that is not understood, and why.
    fn from_str(text: &str) -> Result<Regroup, String> {
        let whole = text.trim();
        if whole.is_empty() {
            return Err("it is empty: give a stable-ts regroup string, or leave it out".into());
        }
        let mut methods = Vec::new();
        for part in whole.split('_') {
            if part == "da" {
                for part in DEFAULT.split('_') {
                    methods.push(method(part)?);
                }
            } else {
                methods.push(method(part)?);
            }
        }
        Ok(Regroup(methods))
    }
}

fn method(part: &str) -> Result<Method, String> {
    let (key, text) = part.split_once('=').map_or((part, None), |(key, text)| (key, Some(text)));
    let mut args = Args::new(key, text);
    let found = match key {
        "sg" => {
            let over_ms = args.seconds("max_gap")?.unwrap_or(100);
            let how = args.how()?;
            args.abbreviations()?;
            Method::SplitByGap { over_ms, how }
        }
        "sp" => {
            let (marks, how) = (args.marks()?, args.how()?);
            let words = args.count("min_words")?;
            let least = Size { words, chars: args.count("min_chars")?, ms: args.seconds("min_dur")? };
            args.abbreviations()?;
            Method::SplitByMark { marks, least, how }
        }
        "sl" => {
            let chars = args.count("max_chars")?;
            let most = Size { words: args.count("max_words")?, chars, ms: None };
            args.split(most, "max_chars or max_words")?
        }
        "sd" => {
            let most = Size { ms: args.seconds("max_dur")?, ..Size::default() };
            args.split(most, "max_dur")?
        }
        "mg" => {
            let up_to_ms = args.seconds("min_gap")?.unwrap_or(100);
            let (most, sum, how) = args.merge()?;
            Method::MergeByGap { up_to_ms, most, sum, how }
        }
        "mp" => {
            let marks = args.marks()?;
            let (most, sum, how) = args.merge()?;
            Method::MergeByMark { marks, most, sum, how }
        }
        "ms" => Method::MergeAll,
        "cm" => {
            let factor = args.number("medium_factor")?.map_or(Some(2.5), |f| Some(f).filter(|f| *f > 0.0));
            let most_ms = args.seconds("max_dur")?;
            let clip_start = args.switch("clip_start")?;
            args.switch("verbose")?;
            Method::Clamp { factor, most_ms, clip_start }
        }
        "l" => {
            let (starts, ends) = (args.strings(), args.strings());
            let (right, left) =
                (args.switch("right")?.unwrap_or(true), args.switch("left")?.unwrap_or(false));
            let exact = args.switch("case_sensitive")?.unwrap_or(false);
            if args.switch("strip")? == Some(false) {
                return Err(args.wrong("strip=0 is not understood: spaces never count here"));
            }
            if starts.is_empty() && ends.is_empty() {
                return Err(args.wrong("it needs startswith or endswith"));
            }
            Method::Lock { starts, ends, right, left, exact }
        }
        "us" => Method::Unlock,
        "isp" => match args.switch("enable")? {
            Some(false) => return Err(args.wrong("it cannot be switched off again: leave it out")),
            _ => Method::KeepAbbreviations,
        },
        _ => return Err(refusal(key)),
    };
    args.end()?;
    Ok(found)
}

fn refusal(key: &str) -> String {
    match REFUSED.iter().find(|r| r.0 == key) {
        Some((_, name, why)) => format!("'{key}' ({name}) is not done here, {why}: leave it out"),
        None => format!(
            "'{key}' is no method that is understood: known are sg, sp, sl, sd, mg, mp, ms, cm, l, us, isp and da"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Method> {
        text.parse::<Regroup>().unwrap_or_else(|e| panic!("{text}: {e}")).0
    }

    fn check_refused(text: &str, expected: &str) {
        assert_eq!(text.parse::<Regroup>().unwrap_err(), expected);
    }

    #[test]
    fn subgens_own_default_is_understood() {
        let clamp = Method::Clamp { factor: Some(2.5), most_ms: None, clip_start: None };
        let split = |chars, newline| Method::SplitBySize {
            most: Size { chars: Some(chars), ..Size::default() },
            even: true,
            anew: false,
            how: How { lock: false, newline },
        };
        assert_eq!(read("cm_sl=84_sl=42++++++1"), [clamp, split(84, false), split(42, true)]);
    }

    #[test]
    fn arguments_are_taken_by_position_and_empty_ones_are_defaults() {
        let how = How { lock: true, newline: false };
        let most = Size { words: Some(10), ..Size::default() };
        assert_eq!(read("mg=.2+10+++1"), [Method::MergeByGap { up_to_ms: 200, most, sum: false, how }]);
        assert_eq!(
            read("mg")[0],
            Method::MergeByGap { up_to_ms: 100, most: Size::default(), sum: false, how: How::default() }
        );
        let marks = vec![
            Mark::Between(".".into(), " ".into()),
            Mark::Any("。".into()),
            Mark::Any("?".into()),
            Mark::Any("？".into()),
        ];
        assert_eq!(read("sp=.* /。/?/？+1"), [Method::SplitByMark { marks, least: Size::default(), how }]);
        assert_eq!(read("ms_us").len(), 2);
        assert_eq!(
            read("sd=3.5+0+1")[0],
            Method::SplitBySize {
                most: Size { ms: Some(3500), ..Size::default() },
                even: false,
                anew: true,
                how: How::default()
            }
        );
    }

    #[test]
    fn the_default_of_stable_ts_is_its_seven_methods() {
        assert_eq!(read("da").len(), 7);
        assert_eq!(read("da_mg=.3+3").len(), 8);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_its_name() {
        check_refused(
            "cm_fg",
            "'fg' (fill_in_gaps) is not done here, it needs a second result: leave it out",
        );
        check_refused(
            "xy=3",
            "'xy' is no method that is understood: known are sg, sp, sl, sd, mg, mp, ms, cm, l, us, isp and da",
        );
        check_refused("sl", "'sl': it needs max_chars or max_words");
        check_refused("sl=many", "'sl': max_chars is 'many', which is no number from 0 on");
        check_refused("sl=0", "'sl': max_chars must be at least 1");
        check_refused("sl=42+++++1", "'sl': include_lock is not understood");
        check_refused("sg=.5+yes", "'sg': lock is 'yes': give 1 or 0");
        check_refused("ms=1", "'ms': the argument '1' is one too many");
        check_refused("sp", "'sp': it needs marks, as in .* /。/?/？");
        check_refused("sg=-1", "'sg': max_gap is '-1', which is no number from 0 on");
        check_refused(" ", "it is empty: give a stable-ts regroup string, or leave it out");
    }
}
