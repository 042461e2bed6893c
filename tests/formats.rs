//! Every format that ffmpeg knows, opened by ffmpeg: no cue is lost, moved or changed. Knows no engine.

use std::path::Path;
use std::process::Command;
use transcriptord::job::Task;
use transcriptord::language::Language;
use transcriptord::subtitle::{Cue, Format, Highlight, Transcript, Word, formats, srt};

/// Cues as they come from a film of two hours, with what is special to one format or another.
fn film() -> Transcript {
    let texts: [&[&str]; 9] = [
        &["Tom & Jerry: 5 < 6,", "and <b>not</b> &amp; but {\\an8} {Y:i}."],
        &["Line one", "--> line two"],
        &["[12:30.00] sings <00:01.00>"],
        &["C:\\New folder {sic} [sic]"],
        &["שלום, עולם!", "مرحبا بالعالم؟"],
        &["今日は、良い天気です。", "「テスト」"],
        &["👩‍👩‍👧 🇩🇪 ♪ la la ♪"],
        &["1"],
        &["Ünïcode, naïve – “yes”"],
    ];
    let cue = |k: i64| {
        let lines: Vec<String> = texts[k as usize % texts.len()].iter().map(|l| l.to_string()).collect();
        let (start_ms, end_ms) = (250 + k * 70_010, 250 + k * 70_010 + 2_340);
        let texts = lines.iter().flat_map(|l| l.split(' '));
        let word = |(n, text): (i64, &str)| Word {
            text: format!(" {text}"),
            start_ms: start_ms + n * 100,
            end_ms: start_ms + n * 100 + 90,
            p: 0.9,
        };
        let words = (0i64..).zip(texts).map(word).collect();
        Cue { start_ms, end_ms, lines, words }
    };
    Transcript {
        language: Language::ENGLISH,
        spoken: Language::ENGLISH,
        task: Task::Transcribe,
        duration_ms: 7_200_000,
        cues: (0..100).map(cue).collect(),
    }
}

/// ffmpeg with these words, in this folder; fails with what it says.
fn ffmpeg(dir: &Path, words: &[&str]) -> String {
    let run = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-y"])
        .args(words)
        .current_dir(dir)
        .output();
    let run = run.expect("ffmpeg is installed");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "ffmpeg {words:?}: {said}");
    said
}

/// The text as a person sees it, in one line and without joiners. Inside ffmpeg braces, and backslashes at times, have a
/// backslash before them.
fn seen(cue: &Cue) -> String {
    let escapes = [("\u{2060}", ""), ("\\\\", "\\"), ("\\{", "{"), ("\\}", "}")];
    let text = escapes.iter().fold(cue.lines.join(" "), |text, (from, to)| text.replace(from, to));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What ffmpeg makes of the film in one format, as cues. The letters' size, which SubRip has no word for, is left out.
fn through(format: Format, highlight: Highlight) -> Vec<Cue> {
    let dir = tempfile::tempdir().unwrap();
    let name = format!("film.{}", format.extension());
    std::fs::write(dir.path().join(&name), formats::render(&film(), format, highlight)).unwrap();
    let said = ffmpeg(dir.path(), &["-i", &name, "-c:s", "subrip", "out.srt"]);
    assert_eq!(said, "", "{format}");
    let text = std::fs::read_to_string(dir.path().join("out.srt")).unwrap();
    srt::parse(&text.replace("<font size=\"64\">", "").replace("</font>", "")).unwrap()
}

/// `within_ms`: how finely the format keeps times.
fn check(format: Format, highlight: Highlight, within_ms: i64) {
    let (film, read) = (film().cues, through(format, highlight));
    assert_eq!(read.len(), film.len(), "{format}");
    for (wrote, read) in film.iter().zip(&read) {
        assert!((wrote.start_ms - read.start_ms).abs() <= within_ms, "{format}: {wrote:?} is {read:?}");
        assert!((wrote.end_ms - read.end_ms).abs() <= within_ms, "{format}: {wrote:?} is {read:?}");
        assert_eq!(seen(read), seen(wrote), "{format}");
    }
}

#[test]
fn ffmpeg_reads_srt_vtt_and_ass_as_they_were_meant() {
    check(Format::Srt, Highlight::Off, 0);
    check(Format::Vtt, Highlight::Off, 0);
    check(Format::Vtt, Highlight::On, 0);
    check(Format::Ass, Highlight::Off, 5);
    check(Format::Ass, Highlight::On, 5);
}

#[test]
fn ffmpeg_reads_lrc_and_each_cue_but_the_last_lasts_until_the_next() {
    let (film, read) = (film().cues, through(Format::Lrc, Highlight::Off));
    // An empty line ends each cue where a pause follows.
    let shown: Vec<&Cue> = read.iter().filter(|c| !seen(c).is_empty()).collect();
    assert_eq!(shown.len(), film.len());
    for (wrote, read) in film.iter().zip(shown) {
        assert!((wrote.start_ms - read.start_ms).abs() <= 5, "{wrote:?} is {read:?}");
        // The lines of a cue stand in one, Japanese ones without a space between.
        assert_eq!(seen(read).replace(' ', ""), seen(wrote).replace(' ', ""));
    }
}

#[test]
fn ffmpeg_reads_srt_with_each_word_underlined() {
    let (film, read) = (film().cues, through(Format::Srt, Highlight::On));
    assert_eq!(read.len(), film.iter().map(|c| c.words.len()).sum::<usize>());
    let underlined = |cue: &Cue| {
        let text = seen(cue);
        let (_, rest) = text.split_once("<u>").unwrap_or_else(|| panic!("{cue:?}"));
        rest.split_once("</u>").map(|(word, _)| word.to_string())
    };
    let words = film.iter().flat_map(|c| &c.words);
    for (word, read) in words.zip(&read) {
        assert_eq!((read.start_ms, underlined(read).as_deref()), (word.start_ms, Some(word.text.trim())));
    }
}

#[test]
fn an_srt_is_the_same_after_it_was_in_a_matroska_film() {
    let dir = tempfile::tempdir().unwrap();
    let text = formats::render(&film(), Format::Srt, Highlight::Off);
    std::fs::write(dir.path().join("film.srt"), &text).unwrap();
    ffmpeg(dir.path(), &["-i", "film.srt", "-c", "copy", "film.mkv"]);
    ffmpeg(dir.path(), &["-i", "film.mkv", "-map", "0:s", "-c", "copy", "out.srt"]);
    let out = std::fs::read_to_string(dir.path().join("out.srt")).unwrap();
    assert_eq!(srt::parse(&out).unwrap(), srt::parse(&text).unwrap());
    let joiners = |text: &str| text.matches('\u{2060}').count();
    assert_eq!(joiners(&out), joiners(&text));
}
