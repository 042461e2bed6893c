//! Real speech and the real model for tests, and the word error rate. Knows nothing of the daemon.

use super::Home;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A recording with its text.
pub struct Clip {
    pub name: String,
    pub path: PathBuf,
    /// s16le, mono, 16 kHz.
    pub pcm: Vec<u8>,
    pub text: String,
}

impl Clip {
    /// The code that begins its name: `en`, or `none` where nobody speaks.
    pub fn language(&self) -> &str {
        self.name.split('_').next().unwrap_or_default()
    }
}

fn folder(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    if found.is_none() {
        eprintln!("SKIPPED: {variable} is not set; 'make test' sets it");
    }
    found
}

/// Folders with the real model in `models`, or a word about why the test is skipped.
pub fn home() -> Option<Home> {
    let models = folder("TRANSCRIPTORD_TEST_MODELS")?;
    folder("TRANSCRIPTORD_TEST_SPEECH")?;
    let home = Home::new();
    std::os::unix::fs::symlink(models.join("ggml-base.bin"), home.path("models/ggml-base.bin")).unwrap();
    Some(home)
}

/// Every recording of the set: 16 kHz mono WAV with a text beside it.
pub fn clips() -> Vec<Clip> {
    let dir = folder("TRANSCRIPTORD_TEST_SPEECH").expect("asked for after home()");
    let names = super::names(&dir).into_iter();
    names.filter_map(|name| name.strip_suffix(".wav").and_then(|stem| read(&dir, stem))).collect()
}

pub fn clip(name: &str) -> Clip {
    let found = clips().into_iter().find(|clip| clip.name == name);
    found.unwrap_or_else(|| panic!("no recording {name}: 'make speech' fetches it"))
}

fn read(dir: &Path, stem: &str) -> Option<Clip> {
    let path = dir.join(format!("{stem}.wav"));
    let mut wav = hound::WavReader::open(&path).unwrap();
    if (wav.spec().sample_rate, wav.spec().channels) != (16_000, 1) {
        return None;
    }
    let pcm = wav.samples::<i16>().flat_map(|s| s.unwrap().to_le_bytes()).collect();
    let text = std::fs::read_to_string(dir.join(format!("{stem}.txt"))).unwrap_or_default();
    Some(Clip { name: stem.to_string(), path, pcm, text })
}

/// Speech of a few minutes: the longest English recording again and again, a second of silence between.
pub fn long(times: usize) -> Vec<u8> {
    let demo = clip("en_demo");
    let mut pcm = Vec::new();
    for _ in 0..times {
        pcm.extend_from_slice(&demo.pcm);
        pcm.resize(pcm.len() + 32_000, 0);
    }
    pcm
}

/// Runs ffmpeg on one file; the end of the output's name says what it becomes.
pub fn ffmpeg(input: &Path, options: &[&str], output: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-i"])
        .arg(input)
        .args(options)
        .arg(output)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
}

/// What an SRT text says, without its numbers and times.
pub fn said(srt: &str) -> String {
    let is_text = |line: &&str| !line.contains("-->") && line.parse::<u32>().is_err();
    srt.lines().filter(is_text).collect::<Vec<_>>().join(" ")
}

/// Errors in words and their number in the right text; case, punctuation and accents do not count.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Errors {
    pub wrong: usize,
    pub words: usize,
}

impl Errors {
    pub fn add(&mut self, other: Errors) {
        self.wrong += other.wrong;
        self.words += other.words;
    }

    pub fn rate(self) -> f64 {
        self.wrong as f64 / self.words.max(1) as f64
    }
}

/// The least number of words to replace, insert or leave out (Levenshtein).
pub fn errors(right: &str, heard: &str) -> Errors {
    let (right, heard) = (words(right), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, a) in right.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, b) in heard.iter().enumerate() {
            let replaced = before + usize::from(a != b);
            before = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(before + 1);
        }
    }
    Errors { wrong: row[heard.len()], words: right.len() }
}

fn words(text: &str) -> Vec<String> {
    let plain: String = text.to_lowercase().chars().map(plain).collect();
    plain.split_whitespace().map(str::to_string).collect()
}

/// A letter without its accent; a space for what is no letter and no digit. Apostrophes part words on both sides.
fn plain(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ä' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        'ё' => 'е',
        c if c.is_alphanumeric() => c,
        _ => ' ',
    }
}
