//! Sound out of real containers, made by ffmpeg: when it begins, which track and which channels it has, where it ends.
//! Knows no engine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use transcriptord::audio::{self, Wish};
use transcriptord::language::Language;

/// A folder for films; None, said aloud, without ffmpeg.
fn folder() -> Option<tempfile::TempDir> {
    let there = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("SKIPPED: ffmpeg is not installed");
    }
    there.then(|| tempfile::tempdir().unwrap())
}

fn ffmpeg(words: &[&str], output: &Path) {
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(words)
        .arg(output)
        .stdin(Stdio::null())
        .status();
    assert!(made.unwrap().success(), "{words:?} {}", output.display());
}

/// So many seconds of a tone of this pitch, as an input of ffmpeg's.
fn tone(hertz: u32, seconds: u32) -> String {
    format!("sine=frequency={hertz}:duration={seconds}:sample_rate=48000")
}

const PICTURE: &str = "testsrc=size=32x32:rate=25:duration=12";

/// The samples of a file, and the length that it promises.
fn heard(path: &Path, wish: Wish<'_>) -> (Vec<f32>, i64) {
    let mut opened = audio::open_media(path, wish, 0).unwrap();
    let mut samples = Vec::new();
    while opened.pcm.read(&mut samples, 4096).unwrap() > 0 {}
    (samples, opened.promised_ms)
}

/// Where the first and the last loud sample is, in milliseconds.
fn loud(samples: &[f32]) -> (i64, i64) {
    let is_loud = |s: &f32| s.abs() > 0.01;
    let first = samples.iter().position(is_loud).expect("something is heard");
    let last = samples.iter().rposition(is_loud).unwrap();
    (first as i64 / 16, last as i64 / 16)
}

/// The pitch of its loud part: half as many changes of sign as a second has.
fn pitch(samples: &[f32]) -> i64 {
    let (first, last) = loud(samples);
    let part = &samples[first as usize * 16..last as usize * 16];
    let changes = part.windows(2).filter(|w| w[0].signum() != w[1].signum()).count() as i64;
    changes * 16_000 / 2 / part.len() as i64
}

#[test]
fn a_track_that_begins_late_is_heard_late_in_every_container() {
    let Some(dir) = folder() else { return };
    let (speech, film) = (tone(400, 3), dir.path().join("made.mkv"));
    let late = |codec: &str, words: &[&str], name: &str| {
        let inputs = ["-f", "lavfi", "-i", PICTURE, "-itsoffset", "5", "-f", "lavfi", "-i", &speech];
        ffmpeg(&[&inputs[..], &["-c:v", "mpeg4", "-c:a", codec]].concat(), &film);
        let path = dir.path().join(name);
        ffmpeg(&[&["-i", film.to_str().unwrap(), "-c", "copy"][..], words].concat(), &path);
        let (samples, _) = heard(&path, Wish::default());
        let (first, last) = loud(&samples);
        assert!((4_960..5_080).contains(&first), "{name} of {codec}: heard from {first} ms on");
        assert!((7_920..8_130).contains(&last), "{name} of {codec}: heard until {last} ms");
    };
    for codec in ["aac", "ac3", "flac", "libopus"] {
        late(codec, &[], "film.mkv");
    }
    late("aac", &[], "film.mp4");
    late("aac", &[], "film.ts");
    late("ac3", &[], "recorded.ts");
    // A broadcast does not begin at 0; players count from its first time stamp.
    late("mp2", &["-f", "mpegts", "-output_ts_offset", "3000"], "broadcast.ts");
    late("mp2", &["-f", "vob"], "disc.vob");
}

#[test]
fn channels_that_change_in_the_midst_of_a_track_move_nothing() {
    let Some(dir) = folder() else { return };
    let part = |name: &str, mix: &str| {
        let path = dir.path().join(name);
        ffmpeg(&["-f", "lavfi", "-i", &tone(400, 4), "-af", mix, "-c:a", "ac3"], &path);
        std::fs::read(path).unwrap()
    };
    let (stereo, surround) = (part("a.ac3", "pan=stereo|FL=c0|FR=c0"), part("b.ac3", "pan=5.1|FC=c0"));
    for (name, parts) in [("ads_first", [&stereo, &surround]), ("film_first", [&surround, &stereo])] {
        let raw = dir.path().join(format!("{name}.ac3"));
        std::fs::write(&raw, parts.map(Vec::as_slice).concat()).unwrap();
        let recorded = dir.path().join(format!("{name}.ts"));
        ffmpeg(&["-i", raw.to_str().unwrap(), "-c", "copy"], &recorded);
        let (samples, _) = heard(&recorded, Wish::default());
        assert!((7_900..8_200).contains(&(samples.len() as i64 / 16)), "{name}: {}", samples.len() / 16);
        for second in [1, 2, 5, 6] {
            let part = &samples[second * 16_000..(second + 1) * 16_000];
            let loudest = part.iter().fold(0.0f32, |a, b| a.max(b.abs()));
            assert!(loudest > 0.01, "{name}: second {second} is silent");
        }
    }
}

#[test]
fn speech_in_any_one_channel_is_heard() {
    let Some(dir) = folder() else { return };
    let layouts = [
        ("mono", "c0"),
        ("stereo", "c0 c1"),
        ("2.1", "c0 c1"),
        ("3.0", "c0 c1 c2"),
        ("4.0", "c0 c1 c2 c3"),
        ("quad", "c0 c1 c2 c3"),
        ("5.1", "c0 c1 c2 c4 c5"),
        ("5.1(side)", "c0 c1 c2 c4 c5"),
        // The fourth is taken for the bass where the file does not tell the layout, as Matroska's do not.
        ("6.0(front)", "c0 c1 c2 c4 c5"),
        ("7.1", "c0 c1 c2 c4 c5 c6 c7"),
        ("hexadecagonal", "c0 c2 c9 c15"),
    ];
    for (layout, channels) in layouts {
        for channel in channels.split(' ') {
            for (codec, name) in
                [("pcm_s16le", "film.mov"), ("pcm_s16le", "film.mkv"), ("pcm_s16le", "film.wav")]
            {
                let path = dir.path().join(name);
                let mix = format!("volume=2,pan={layout}|{channel}=0.99*c0");
                ffmpeg(&["-f", "lavfi", "-i", &tone(400, 1), "-af", &mix, "-c:a", codec], &path);
                let (samples, _) = heard(&path, Wish::default());
                let loudest = samples.iter().fold(0.0f32, |a, b| a.max(b.abs()));
                // Of a tone at a quarter of the scale; the least is one of the thirteen that share what 16 have left.
                assert!(loudest > 0.0025, "{layout} {channel} {name}: {loudest}");
                assert!(loudest <= 0.26, "{layout} {channel} {name}: {loudest}");
            }
        }
    }
}

#[test]
fn two_channels_that_cancel_each_other_out_are_heard() {
    let Some(dir) = folder() else { return };
    for (codec, name) in [
        ("aac", "film.mkv"),
        ("libmp3lame", "film.mp3"),
        ("pcm_s16le", "film.wav"),
        ("pcm_f32le", "film.wav"),
    ] {
        let path = dir.path().join(name);
        let turned = "volume=2,pan=stereo|c0=0.99*c0|c1=-0.99*c0";
        ffmpeg(&["-f", "lavfi", "-i", &tone(400, 3), "-af", turned, "-c:a", codec], &path);
        let (samples, _) = heard(&path, Wish::default());
        assert!((2_900..3_200).contains(&(samples.len() as i64 / 16)), "{name}: {}", samples.len() / 16);
        let second = &samples[16_000..32_000];
        let loudest = second.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        assert!((0.23..0.27).contains(&loudest), "{codec} {name}: {loudest}");
    }
}

#[test]
fn in_surround_sound_the_centre_counts_most() {
    let Some(dir) = folder() else { return };
    let path = dir.path().join("film.mkv");
    let level = |channel: &str| {
        let mix = format!("pan=5.1(side)|{channel}=c0");
        ffmpeg(&["-f", "lavfi", "-i", &tone(400, 1), "-af", &mix, "-c:a", "ac3", "-b:a", "448k"], &path);
        let (samples, _) = heard(&path, Wish::default());
        samples.iter().map(|s| s * s).sum::<f32>().sqrt()
    };
    let (centre, side, back) = (level("FC"), level("FL"), level("SR"));
    assert!(centre > 2.5 * side && side > 1.5 * back, "{centre} {side} {back}");
}

#[test]
fn more_channels_than_any_layout_has_are_heard() {
    let Some(dir) = folder() else { return };
    let (wav, film) = (dir.path().join("many.wav"), dir.path().join("many.mkv"));
    let spec = hound::WavSpec {
        channels: 12,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&wav, spec).unwrap();
    for frame in 0..16_000 {
        let sample = if frame / 20 % 2 == 0 { 8_000i16 } else { -8_000 };
        (0..12).for_each(|channel| writer.write_sample(if channel == 11 { sample } else { 0 }).unwrap());
    }
    writer.finalize().unwrap();
    ffmpeg(&["-i", wav.to_str().unwrap(), "-c:a", "pcm_s16le"], &film);
    for path in [&wav, &film] {
        let (samples, _) = heard(path, Wish::default());
        assert_eq!((pitch(&samples) - 400).abs() / 10, 0, "{}", path.display());
    }
}

/// Three tracks of one second: 300 Hz Japanese and default, 500 Hz English, 700 Hz a French commentary.
fn three_tracks(path: &Path) {
    let tones = [tone(300, 1), tone(500, 1), tone(700, 1)];
    let mut words: Vec<&str> = tones.iter().flat_map(|tone| ["-f", "lavfi", "-i", tone.as_str()]).collect();
    words.extend(["-map", "0", "-map", "1", "-map", "2", "-c:a", "ac3", "-disposition:a:0", "default"]);
    words.extend(["-disposition:a:1", "0", "-disposition:a:2", "comment"]);
    words.extend(["-metadata:s:a:0", "language=jpn", "-metadata:s:a:1", "language=eng"]);
    words.extend(["-metadata:s:a:2", "language=fre"]);
    ffmpeg(&words, path);
}

#[test]
fn the_track_is_the_one_asked_for_else_a_preferred_one_else_the_default() {
    let Some(dir) = folder() else { return };
    let film: PathBuf = dir.path().join("film.mkv");
    three_tracks(&film);
    let check = |track: Option<u32>, asked: Option<&str>, preferred: &[&str], hertz: i64| {
        let preferred: Vec<Language> = preferred.iter().map(|l| l.parse().unwrap()).collect();
        let wish = Wish { track, language: asked.map(|l| l.parse().unwrap()), preferred: &preferred };
        let (samples, _) = heard(&film, wish);
        assert!((pitch(&samples) - hertz).abs() < 20, "{wish:?}: {} Hz", pitch(&samples));
    };
    check(None, None, &[], 300);
    check(None, None, &["en"], 500);
    check(None, None, &["de", "ja", "en"], 300);
    check(None, Some("ja"), &["en"], 300);
    check(None, Some("fr"), &["en"], 500);
    check(Some(2), Some("ja"), &["en"], 700);
    let missing = audio::open_media(&film, Wish { track: Some(3), ..Wish::default() }, 0);
    let told = missing.map(drop).unwrap_err().to_string();
    assert!(
        told.ends_with("0 (jpn, ac3, 1 channels), 1 (eng, ac3, 1 channels), 2 (fre, ac3, 1 channels)"),
        "{told}"
    );
}

#[test]
fn a_file_that_is_cut_short_promises_more_than_it_gives() {
    let Some(dir) = folder() else { return };
    let cut = |name: &str, words: &[&str], exact: bool| {
        let whole = dir.path().join(name);
        let inputs = ["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", &tone(400, 60)];
        ffmpeg(&[&inputs[..], words].concat(), &whole);
        let (samples, promised_ms) = heard(&whole, Wish::default());
        let whole_ms = samples.len() as i64 / 16;
        assert!((59_900..60_200).contains(&whole_ms), "{name}: {whole_ms}");
        let apart = (promised_ms - whole_ms).abs();
        assert!(if exact { apart < 200 } else { promised_ms == 0 }, "{name}: {promised_ms} and {whole_ms}");
        let bytes = std::fs::read(&whole).unwrap();
        let half = dir.path().join(format!("half_{name}"));
        std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
        let (samples, still_promised_ms) = heard(&half, Wish::default());
        let half_ms = samples.len() as i64 / 16;
        assert!((20_000..50_000).contains(&half_ms), "{name}: {half_ms}");
        assert_eq!(still_promised_ms, promised_ms, "{name}");
    };
    let sound = ["-map", "1", "-c:a"];
    cut("a.mkv", &[&sound[..], &["ac3"]].concat(), true);
    cut("a.mp4", &[&sound[..], &["aac", "-movflags", "+faststart"]].concat(), true);
    cut("a.flac", &[&sound[..], &["flac"]].concat(), true);
    cut("a.wav", &[&sound[..], &["pcm_s16le"]].concat(), true);
    cut("a.ts", &[&sound[..], &["mp2"]].concat(), false);
}

/// Overwrites what lies between the half and three quarters of a file.
fn spoil(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let (from, to) = (bytes.len() / 2, bytes.len() * 3 / 4);
    bytes[from..to].fill(0x55);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damage_in_the_midst_of_the_sound_is_told_with_its_place_and_size() {
    let Some(dir) = folder() else { return };
    let noise = "anoisesrc=duration=60:sample_rate=48000:amplitude=0.3:seed=1";
    let damage = |path: &Path| {
        let mut opened = audio::open_media(path, Wish::default(), 0).unwrap();
        let mut samples = Vec::new();
        while opened.pcm.read(&mut samples, 16_000).unwrap() > 0 {
            samples.clear();
        }
        opened.pcm.damage()
    };
    for (name, codec) in [("a.mkv", "aac"), ("b.mkv", "ac3"), ("c.mp4", "aac"), ("d.flac", "flac")] {
        let path = dir.path().join(name);
        ffmpeg(&["-f", "lavfi", "-i", noise, "-c:a", codec], &path);
        assert_eq!(damage(&path), [], "{name} as it was made");
        // 15 of 60 seconds, from the thirtieth on.
        spoil(&path);
        let told = damage(&path);
        let lost: i64 = told.iter().map(|d| d.lost_ms).sum();
        assert!((10_000..20_000).contains(&lost), "{name}: {told:?}");
        assert!((25_000..31_000).contains(&told[0].start_ms), "{name}: {told:?}");
        assert!((40_000..55_000).contains(&told[told.len() - 1].end_ms), "{name}: {told:?}");
    }
}

#[test]
fn where_damage_ends_the_sound_more_is_promised() {
    let Some(dir) = folder() else { return };
    let path = dir.path().join("a.ogg");
    ffmpeg(&["-f", "lavfi", "-i", &tone(400, 60), "-c:a", "libopus", "-b:a", "96k"], &path);
    spoil(&path);
    let (samples, promised_ms) = heard(&path, Wish::default());
    assert!(promised_ms - samples.len() as i64 / 16 > 10_000, "{promised_ms} {}", samples.len() / 16);
    assert!((59_900..60_200).contains(&promised_ms), "{promised_ms}");
}
