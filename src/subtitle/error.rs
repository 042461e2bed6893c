//! What can be wrong with a subtitle that is read. Knows nothing of HTTP or exit codes.

/// Why a subtitle text could not be read or a format not be found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("line {line} should hold a time such as '00:00:01,000 --> 00:00:02,500' but reads '{text}'")]
    NoTime { line: usize, text: String },
    #[error("unknown subtitle format '{0}': use one of srt, vtt, txt, tsv, json, verbose_json, lrc, ass")]
    UnknownFormat(String),
}
