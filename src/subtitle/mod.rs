//! Subtitles as pure values: laid out, checked, written. Knows nothing of files, jobs in a queue, or Whisper.

pub mod ass;
mod breaks;
pub mod check;
pub mod clean;
mod cost;
pub mod cue;
mod error;
mod escape;
pub mod formats;
mod highlight;
pub mod layout;
pub mod lrc;
mod manner;
mod phrases;
pub mod profile;
pub mod quality;
pub mod regroup;
mod scripts;
pub mod spelling;
pub mod srt;
mod timing;
mod units;
pub mod vtt;

pub use check::Report;
pub use cue::{Cue, Transcript, Word};
pub use error::Error;
pub use formats::{Format, Highlight};
pub use phrases::{SmallWords, is_abbreviation, is_raised};
pub use profile::Profile;
pub use regroup::Regroup;
