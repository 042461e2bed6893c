//! Text that no player takes for markup, in formats that cannot write such text otherwise. Knows nothing of cues.
//!
//! SubRip and LRC have no escapes: what looks like a tag there is eaten or obeyed. A word joiner (U+2060) inside it is
//! not seen and ends the likeness. Layout drops joiners, so that each one in a file is ours.

/// Stands where markup would begin; shown as nothing.
pub(super) const JOINER: char = '\u{2060}';

/// With a backslash before them, breaks and spaces of ASS.
const BREAKS: [char; 3] = ['N', 'n', 'h'];

/// SubRip as players read it: HTML tags, ASS overrides (`{\an8}`, `\N`), MicroDVD codes (`{Y:i}`), entities, and the
/// arrow of a time line.
pub(super) fn subrip(text: &str) -> String {
    parted(text, |c, rest| match c {
        '<' => rest.starts_with(|n: char| n == '/' || n == '!' || n.is_ascii_alphabetic()),
        '{' => rest.starts_with(|n: char| n == '\\' || n.is_ascii_alphanumeric()) && rest.contains('}'),
        '\\' => rest.starts_with(BREAKS),
        '-' => rest.starts_with("->"),
        '&' => is_entity(rest),
        _ => false,
    })
}

/// LRC: `[00:01.00]`, `[ar:...]` and `<00:01.00>` are tags, and ffmpeg eats any bracket behind a line's own time.
pub(super) fn lrc(text: &str) -> String {
    let parted = parted(text, |c, rest| match c {
        '[' => rest.contains(':'),
        '<' => rest.starts_with(|n: char| n.is_ascii_digit()),
        '\\' => rest.starts_with(BREAKS),
        _ => false,
    });
    if parted.starts_with('[') { format!("{JOINER}{parted}") } else { parted }
}

/// ASS: `\N` and its like; a pair of braces is an override. libass reads `\{` as a brace, ffmpeg sees an override
/// where a backslash follows.
pub(super) fn ass(text: &str) -> String {
    let text = parted(text, |c, rest| c == '\\' || c == '{' && rest.starts_with('\\'));
    text.replace('{', "\\{").replace('}', "\\}")
}

/// WebVTT has entities; what goes through ffmpeg must not hold a line break of ASS either.
pub(super) fn vtt(text: &str) -> String {
    let text = parted(text, |c, rest| c == '\\' && rest.starts_with(BREAKS));
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What stands after an ampersand in `&amp;` and `&#39;`.
fn is_entity(rest: &str) -> bool {
    let name = rest.split_once(';').map_or("", |(name, _)| name);
    (1..=8).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
}

/// The text with a joiner behind each character of which `begins` says, by what follows it, that it begins markup.
fn parted(text: &str, begins: impl Fn(char, &str) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        out.push(c);
        if begins(c, &text[at + c.len_utf8()..]) {
            out.push(JOINER);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{ass, lrc, subrip, vtt};

    /// In `expected` a joiner is written as `|`.
    fn check(escape: fn(&str) -> String, text: &str, expected: &str) {
        assert_eq!(escape(text).replace(super::JOINER, "|"), expected);
    }

    #[test]
    fn what_looks_like_markup_is_parted_and_the_rest_is_left() {
        check(subrip, "<i>x</i> 5 < 6 <3", "<|i>x<|/i> 5 < 6 <3");
        check(subrip, "{\\an8}{Y:i}{ sic } {", "{|\\an8}{|Y:i}{ sic } {");
        check(subrip, "a --> b ---> c", "a -|-> b --|-> c");
        check(subrip, "&lt; &#39; AT&T; R&D, & so; on", "&|lt; &|#39; AT&|T; R&D, & so; on");
        check(subrip, "C:\\New \\o/", "C:\\|New \\o/");
        check(lrc, "[12:30] <00:01.00> [sic] <i>", "|[|12:30] <|00:01.00> [sic] <i>");
        check(vtt, "<C:\\New> &", "&lt;C:\\|New&gt; &amp;");
        check(ass, "{\\b1} \\N", "\\{|\\|b1\\} \\|N");
    }
}
