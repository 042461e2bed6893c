//! When a track's sound begins, by ffprobe. Knows nothing of tracks' languages or of decoding for good.

use super::decode::as_file_url;
use std::path::Path;
use std::process::{Command, Stdio};

/// Packets from whose head a frame is decoded: the first ones of a recording may be torn.
const PACKETS: &str = "%+#16";

/// The time stamp of the first frame that can be decoded, in milliseconds as the container counts; nothing when there
/// is none.
///
/// A stream's `start_time` is no help: ffprobe gives that of the container where a track begins later than it looks.
pub fn first_frame_ms(path: &Path, track: u32) -> Option<i64> {
    let output = Command::new(ffmpeg_sidecar::ffprobe::ffprobe_path())
        .args(["-v", "quiet", "-select_streams", &format!("a:{track}"), "-read_intervals", PACKETS])
        .args([
            "-show_entries",
            "frame=best_effort_timestamp_time",
            "-print_format",
            "csv=print_section=0",
            "-i",
        ])
        .arg(as_file_url(path))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    first(&String::from_utf8_lossy(&output.stdout))
}

fn first(lines: &str) -> Option<i64> {
    let seconds = lines.lines().find_map(|line| line.split(',').next()?.trim().parse::<f64>().ok())?;
    Some((seconds * 1000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn the_first_line_with_a_time_counts() {
        let check = |lines: &str, expected| assert_eq!(first(lines), expected, "{lines:?}");
        check("1005.445933\n1005.517933\n", Some(1_005_446));
        check("4.936000,\n", Some(4_936));
        check("N/A\n-0.021000\n", Some(-21));
        check("\n", None);
        check("", None);
    }
}
