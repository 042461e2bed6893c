//! How a log line looks. Does not know what is logged.

use log::{Level, LevelFilter};
use std::io::Write;

/// Starts logging to standard error: `2026-01-31T23:59:59Z INFO  text`.
///
/// `level` is for our own lines; other crates are heard from `warn` up. `RUST_LOG` overrides both. Under systemd
/// the journal keeps time and level, so lines carry its level mark instead.
pub fn start(level: LevelFilter) {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level.min(LevelFilter::Warn)).filter_module("transcriptord", level);
    builder.parse_default_env();
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.format(|line, record| writeln!(line, "<{}>{}", journal(record.level()), record.args()));
    } else {
        builder.format(|line, record| {
            let (time, level) = (line.timestamp_seconds(), record.level());
            let style = line.default_level_style(level);
            writeln!(line, "{time} {style}{level:<5}{style:#} {}", record.args())
        });
    }
    // A second start, as in tests, keeps the first.
    let _ = builder.try_init();
}

/// syslog's levels (sd-daemon(3)).
fn journal(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
