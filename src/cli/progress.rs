//! Bars on a terminal, nothing in a pipe. Does not know what moves forward.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// A bar for bytes, on standard error when that is a terminal.
pub fn bytes(what: &str) -> ProgressBar {
    bar("{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left", what, 0)
}

/// A bar from 0 to 100.
pub fn percent(what: &str) -> ProgressBar {
    bar("{prefix} {bar:30} {pos:>3} % {msg}", "", 100).with_prefix(what.to_string())
}

/// Whether somebody watches.
pub fn watched() -> bool {
    std::io::stderr().is_terminal()
}

fn bar(template: &str, message: &str, length: u64) -> ProgressBar {
    let target = if watched() { ProgressDrawTarget::stderr_with_hz(5) } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(length), target)
        .with_style(style.progress_chars("━╸ "))
        .with_message(message.to_string())
}
