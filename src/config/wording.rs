//! How subtitles are laid out. Does not know how cues are cut.

use super::Error;
use super::doors::switch;
use super::keys::{Draft, Key, number, one, put};
use super::sources::Raw;
use crate::subtitle::profile::Name;
use crate::subtitle::{Profile, Regroup};

/// What is decided about the text of subtitles.
#[derive(Debug, Clone, Default)]
pub struct Wording {
    named: Option<Name>,
    max_lines: Option<usize>,
    columns: Option<usize>,
    chars_per_second: Option<f64>,
    min_ms: Option<i64>,
    max_ms: Option<i64>,
    gap_ms: Option<i64>,
    close_gap_ms: Option<i64>,
    pause_ms: Option<i64>,
    linger_ms: Option<i64>,
    /// As written; it is understood.
    pub regroup: Option<String>,
    /// Whether each word is marked while it is spoken.
    pub word_highlight: bool,
}

pub static KEYS: &[Key] = &[
    key!("subtitle_profile", "SUBTITLE_PROFILE", |d, v| {
        put(&mut d.wording.named, one(v)?.parse().map(Some))
    }),
    key!("subtitle_max_lines", "SUBTITLE_MAX_LINES", |d, v| within(&mut d.wording.max_lines, v, 1..=2)),
    key!("subtitle_max_line_length", "SUBTITLE_MAX_LINE_LENGTH", |d, v| {
        within(&mut d.wording.columns, v, 12..=100)
    }),
    key!("subtitle_max_chars_per_second", "SUBTITLE_MAX_CHARS_PER_SECOND", |d, v| speed(d, v)),
    key!("subtitle_min_duration_ms", "SUBTITLE_MIN_DURATION_MS", |d, v| {
        within(&mut d.wording.min_ms, v, 100..=5_000)
    }),
    key!("subtitle_max_duration_ms", "SUBTITLE_MAX_DURATION_MS", |d, v| {
        within(&mut d.wording.max_ms, v, 2_000..=30_000)
    }),
    key!("subtitle_min_gap_ms", "SUBTITLE_MIN_GAP_MS", |d, v| within(&mut d.wording.gap_ms, v, 0..=500)),
    key!("subtitle_close_gap_ms", "SUBTITLE_CLOSE_GAP_MS", |d, v| {
        within(&mut d.wording.close_gap_ms, v, 0..=2_000)
    }),
    key!("subtitle_max_pause_ms", "SUBTITLE_MAX_PAUSE_MS", |d, v| {
        within(&mut d.wording.pause_ms, v, 200..=5_000)
    }),
    key!("subtitle_linger_ms", "SUBTITLE_LINGER_MS", |d, v| within(&mut d.wording.linger_ms, v, 0..=5_000)),
    Key {
        name: "custom_regroup",
        // SubGen's name of it works too.
        env: &["TRANSCRIPTORD_CUSTOM_REGROUP", "CUSTOM_REGROUP"],
        list: false,
        set: |d, v| {
            let text = one(v)?;
            text.parse::<Regroup>()?;
            put(&mut d.wording.regroup, Ok(Some(text.to_string())))
        },
    },
    Key {
        name: "word_level_highlight",
        // SubGen's name of it works too.
        env: &["TRANSCRIPTORD_WORD_LEVEL_HIGHLIGHT", "WORD_LEVEL_HIGHLIGHT"],
        list: false,
        set: |d, v| put(&mut d.wording.word_highlight, switch(one(v)?)),
    },
];

impl Wording {
    /// The named profile with the single limits in their places.
    pub fn profile(&self) -> Profile {
        let base = Profile::of(self.named.unwrap_or(Name::Netflix));
        Profile {
            max_lines: self.max_lines.unwrap_or(base.max_lines),
            columns: self.columns,
            chars_per_second: self.chars_per_second,
            min_ms: self.min_ms.unwrap_or(base.min_ms),
            max_ms: self.max_ms.unwrap_or(base.max_ms),
            gap_ms: self.gap_ms.unwrap_or(base.gap_ms),
            close_gap_ms: self.close_gap_ms.unwrap_or(base.close_gap_ms),
            pause_ms: self.pause_ms.unwrap_or(base.pause_ms),
            linger_ms: self.linger_ms.unwrap_or(base.linger_ms),
            ..base
        }
    }

    /// Fails when limits do not go together.
    pub fn check(&self) -> Result<(), Error> {
        let Profile { min_ms, max_ms, gap_ms, close_gap_ms, .. } = self.profile();
        let wrong = |place: &str, problem: String| Err(Error::Value { place: place.to_owned(), problem });
        // A cue that cannot be stretched to the next must be able to end early enough before it.
        if min_ms + close_gap_ms > max_ms {
            let problem = format!(
                "{max_ms} is less than subtitle_min_duration_ms and subtitle_close_gap_ms together, {min_ms} and \
                 {close_gap_ms}"
            );
            return wrong("subtitle_max_duration_ms", problem);
        }
        if gap_ms > close_gap_ms {
            // Told of the one that was given.
            return match self.gap_ms {
                Some(_) => wrong(
                    "subtitle_min_gap_ms",
                    format!("{gap_ms} is more than subtitle_close_gap_ms, {close_gap_ms}"),
                ),
                None => wrong(
                    "subtitle_close_gap_ms",
                    format!("{close_gap_ms} is less than subtitle_min_gap_ms, {gap_ms}"),
                ),
            };
        }
        Ok(())
    }
}

fn within<T>(place: &mut Option<T>, raw: &Raw, fits: std::ops::RangeInclusive<T>) -> Result<(), String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    put(place, number(raw, fits).map(Some))
}

fn speed(draft: &mut Draft, raw: &Raw) -> Result<(), String> {
    let value = one(raw)?;
    let found = value.parse().ok().filter(|n| (1.0..=100.0).contains(n));
    draft.wording.chars_per_second =
        Some(found.ok_or_else(|| format!("'{value}' does not fit: give a number from 1 to 100"))?);
    Ok(())
}
