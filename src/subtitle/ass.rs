//! Advanced SubStation Alpha: cues to text. Knows nothing of files or layout.

use super::Cue;
use super::escape::ass as escape;
use super::formats::Highlight;
use super::highlight::stretches;
use super::scripts::is_right_to_left;
use super::srt::clean_lines;

/// White with a thin black edge, at the bottom; the second colour is that of words still to be spoken. The style lacks
/// its last number, the encoding.
const HEAD: &str = "\
[Script Info]
ScriptType: v4.00+
WrapStyle: 2
ScaledBorderAndShadow: yes
PlayResX: 1920
PlayResY: 1080

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, \
Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, \
MarginV, Encoding
Style: Default,Arial,64,&H00FFFFFF,&H0080D0FF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,96,96,54,";
const EVENTS: &str = "
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
";

/// libass lays every line out from left to right, which puts the full stop of a Hebrew sentence at its wrong end,
/// unless the encoding is -1: then the first letter decides.
fn encoding(cues: &[Cue]) -> i32 {
    let from_the_right = |line: &String| line.contains(is_right_to_left);
    if cues.iter().any(|c| c.lines.iter().any(from_the_right)) { -1 } else { 1 }
}

/// An ASS script. With highlighting each word changes its colour when it is spoken (karaoke tags).
pub fn render(cues: &[Cue], highlight: Highlight) -> String {
    let mut out = format!("{HEAD}{}\n{EVENTS}", encoding(cues));
    for cue in cues {
        let timed = if highlight == Highlight::On { timed(cue) } else { None };
        let text = timed.unwrap_or_else(|| {
            clean_lines(&cue.lines).iter().map(|l| escape(l)).collect::<Vec<_>>().join("\\N")
        });
        if !text.is_empty() {
            let (start, end) = (stamp(cue.start_ms), stamp(cue.end_ms));
            out.push_str(&format!("Dialogue: 0,{start},{end},Default,,0,0,0,,{text}\n"));
        }
    }
    out
}

/// `h:mm:ss.cc`.
fn stamp(ms: i64) -> String {
    let cs = centis(ms);
    format!("{}:{:02}:{:02}.{:02}", cs / 360_000, cs / 6000 % 60, cs / 100 % 60, cs % 100)
}

fn centis(ms: i64) -> i64 {
    (ms.max(0) + 5) / 10
}

/// Each word with the time until the next in hundredths; what passes before the first word comes first.
fn timed(cue: &Cue) -> Option<String> {
    let stretches = stretches(cue)?;
    let within = |ms: i64| centis(ms.clamp(cue.start_ms, cue.end_ms));
    let starts: Vec<i64> = stretches.iter().filter_map(|s| s.word).map(|w| within(w.start_ms)).collect();
    let lead = starts.first().map_or(0, |first| first - centis(cue.start_ms));
    let mut out = if lead > 0 { format!("{{\\k{lead}}}") } else { String::new() };
    let (mut line, mut n) = (0, 0);
    for stretch in &stretches {
        if stretch.line > line {
            out.push_str("\\N");
            line = stretch.line;
        }
        if stretch.word.is_some() {
            let until = starts.get(n + 1).copied().unwrap_or_else(|| centis(cue.end_ms));
            out.push_str(&format!("{{\\k{}}}", (until - starts[n]).max(0)));
            n += 1;
        }
        out.push_str(&escape(stretch.text));
    }
    Some(out)
}
