//! A film's title from its file name: without year, episode number and what releases add. Pure; opens no file.

/// Ends a title wherever it stands: nobody calls a film so.
const MARKS: &[&str] = &[
    "4k", "8bit", "10bit", "aac", "ac3", "amzn", "atmos", "av1", "avc", "bdremux", "bdrip", "bluray",
    "brrip", "ddp", "dsnp", "dts", "dvdrip", "dvdscr", "eac3", "flac", "h264", "h265", "hdcam", "hdr10",
    "hdrip", "hdtv", "hevc", "hmax", "opus", "pdtv", "remux", "sdr", "truehd", "uhd", "vc1", "vhsrip",
    "webdl", "webrip", "x264", "x265", "xvid",
];

/// Before a mark these belong to it; elsewhere they are words of a title.
const WEAK: &[&str] = &[
    "amzn",
    "cut",
    "directors",
    "dl",
    "dual",
    "dubbed",
    "dvd",
    "extended",
    "final",
    "french",
    "german",
    "hdr",
    "imax",
    "internal",
    "limited",
    "multi",
    "nf",
    "proper",
    "ray",
    "remastered",
    "repack",
    "subbed",
    "theatrical",
    "uncut",
    "unrated",
    "web",
];

/// Title and, of an episode, its own title; empty when the name has no word in it.
pub fn titles(stem: &str) -> Vec<String> {
    let plain = without_brackets(stem);
    // Dots stand for spaces only where there are none: "Mr. Robot" keeps its own.
    let spaced =
        if plain.trim().contains(' ') { plain.replace('_', " ") } else { plain.replace(['_', '.'], " ") };
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let episode = words.iter().position(|w| is_episode(w));
    let parts = match episode {
        Some(at) => vec![&words[..at], title_part(&words[at + 1..], 0)],
        None => vec![film(&words)],
    };
    parts.into_iter().map(joined).filter(|title| has_word(title)).collect()
}

/// The words before the year, or before the first mark.
fn film<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    let end = title_part(words, 1);
    // "Blade Runner 2049 2017" has two: the last one is the year; a title may be one itself.
    let year = end.iter().rposition(|w| is_year(w)).filter(|at| *at > 0);
    year.map_or(end, |at| title_part(&words[..at], 1))
}

/// Up to the first mark from the word `from` on, and without the weak ones before it.
fn title_part<'a>(words: &'a [&'a str], from: usize) -> &'a [&'a str] {
    let mark = (from..words.len()).find(|at| is_mark(words[*at]));
    let Some(mut end) = mark else { return words };
    while end > from && WEAK.contains(&bare(words[end - 1]).as_str()) {
        end -= 1;
    }
    &words[..end]
}

fn joined(words: &[&str]) -> String {
    let text = words.join(" ");
    // "Show - 05": an episode of a series that counts through.
    let text = match text.rsplit_once(" - ") {
        Some((title, number)) if number.chars().all(|c| c.is_ascii_digit()) => title,
        _ => &text,
    };
    text.trim_matches(|c: char| c.is_whitespace() || "-–,;:".contains(c)).to_string()
}

/// Group names, checksums and years stand in brackets; other words in round ones belong to the title.
fn without_brackets(name: &str) -> String {
    let (mut out, mut inside, mut depth) = (String::new(), String::new(), 0usize);
    for c in name.chars() {
        match c {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' if depth > 0 => {
                depth -= 1;
                let kept = c == ')' && !inside.split_whitespace().any(|w| is_year(w) || is_mark(w));
                if kept && has_word(&inside) {
                    out += &inside;
                }
                inside.clear();
                // The year of a film in brackets ends its title like one without.
                out.push(' ');
            }
            _ if depth > 0 => inside.push(c),
            _ => out.push(c),
        }
    }
    out
}

fn bare(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// `1080p`, `x264-GROUP`, `WEB-DL`.
fn is_mark(word: &str) -> bool {
    let resolution = |w: &str| {
        let lines = w.strip_suffix(['p', 'i']).unwrap_or_default();
        (3..=4).contains(&lines.len()) && lines.chars().all(|c| c.is_ascii_digit())
    };
    let first = word.split('-').next().unwrap_or_default();
    [bare(word), bare(first)].iter().any(|w| {
        MARKS.contains(&w.as_str())
            || resolution(w)
            || w.strip_prefix("ddp").is_some_and(|n| n.starts_with('5'))
    })
}

/// `S01E02`, `s1e2-e3`, `1x02`, `E07` after a season's folder.
fn is_episode(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
    if let Some(rest) = word.strip_prefix('s') {
        let season = digits(rest);
        let behind = &rest[season..];
        return (1..=4).contains(&season) && behind.strip_prefix('e').is_some_and(|e| digits(e) > 0);
    }
    let season = digits(&word);
    let behind = word[season..].strip_prefix('x').unwrap_or_default();
    (1..=2).contains(&season) && (2..=3).contains(&digits(behind)) && digits(behind) == behind.len()
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.parse::<u32>().is_ok_and(|year| (1900..2100).contains(&year))
}

fn has_word(text: &str) -> bool {
    text.split_whitespace().any(|w| w.chars().filter(|c| c.is_alphabetic()).count() >= 2)
        || text.chars().any(|c| c.is_alphabetic() && !c.is_ascii())
        || text.parse::<u32>().is_ok_and(|n| n >= 100)
}

#[cfg(test)]
mod tests {
    use super::titles;

    fn check(stem: &str, expected: &[&str]) {
        assert_eq!(titles(stem), expected, "{stem}");
    }

    #[test]
    fn a_film_is_called_by_what_stands_before_year_and_release() {
        check("The.Third.Man.1949.1080p.BluRay.x264-GROUP", &["The Third Man"]);
        check("The Third Man (1949) [imdbid-tt0041959]", &["The Third Man"]);
        check("Das_Boot_(1981)_{edition-Directors Cut}", &["Das Boot"]);
        check("Night.of.the.Living.Dead.German.DL.720p.WEB-DL.h264", &["Night of the Living Dead"]);
        check("Charade EXTENDED 2160p", &["Charade"]);
        check("Charlotte's Web", &["Charlotte's Web"]);
        check("Metropolis", &["Metropolis"]);
    }

    #[test]
    fn a_title_may_hold_a_year_or_be_one() {
        check("Blade.Runner.2049.2017.2160p.UHD", &["Blade Runner 2049"]);
        check("1917.2019.1080p", &["1917"]);
        check("2001 A Space Odyssey (1968)", &["2001 A Space Odyssey"]);
        check("1984", &["1984"]);
    }

    #[test]
    fn an_episode_has_the_title_of_its_series_and_its_own() {
        check("Babylon.5.S02E09.The.Coming.of.Shadows.DVDRip.x264", &["Babylon 5", "The Coming of Shadows"]);
        check("Mr. Robot - S01E01 - eps1.0_hellofriend.mov", &["Mr. Robot", "eps1.0 hellofriend.mov"]);
        check("Show 1x02 Pilot", &["Show", "Pilot"]);
        check("S01E02", &[]);
        check("Show.s1e2-e3.1080p", &["Show"]);
        check("[Group] Long Name of a Show - 05 [1080p][ABCD1234]", &["Long Name of a Show"]);
    }

    #[test]
    fn a_name_without_words_is_no_title() {
        check("VTS_01_1", &["VTS 01 1"]);
        check("00001", &[]);
        check("", &[]);
        check("...", &[]);
        check("雪国.1957", &["雪国"]);
    }
}
