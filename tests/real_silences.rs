//! What the voice detector calls silent though it is not: speech that is quiet, speech through a bad line, and sound
//! that is no speech. With the real model; knows no daemon.

mod daemon;

use daemon::Home;
use daemon::speech::{self, clip, said};
use std::path::Path;

/// What `transcribe` writes of a file.
fn subtitle(home: &Home, file: &Path) -> String {
    let output = home.program(&["transcribe", "--language", "en", "-o", "-"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The part of the clip's words that are wrong, when ffmpeg changed its sound with this filter.
fn wrong(home: &Home, name: &str, filter: &str) -> f64 {
    let clip = clip(name);
    let file = home.path("spare/changed.wav");
    speech::ffmpeg(&clip.path, &["-af", filter, "-ar", "16000"], &file);
    let text = said(&subtitle(home, &file));
    let rate = speech::errors(&clip.text, &text).rate();
    eprintln!("{filter}: {rate:.2} of the words are wrong");
    rate
}

#[test]
fn speech_that_the_detector_cannot_hear_is_written_down_where_it_can_be_understood() {
    let Some(home) = speech::home() else { return };
    // 900 to 3000 Hz: the detector hears a tenth of it, the decoder understands most.
    let line = "firequalizer=gain='if(between(f,900,3000),0,-90)':delay=0.1,adelay=3000";
    assert!(wrong(&home, "en_demo", line) < 0.7);
}

#[test]
fn quiet_and_slow_speech_is_heard() {
    let Some(home) = speech::home() else { return };
    assert!(wrong(&home, "en_echo", "volume=0.03") < 0.1);
    assert!(wrong(&home, "en_demo", "volume=0.05,atempo=0.75") < 0.2);
}

/// So many seconds of `wave`, which is given the time in seconds, at 16 kHz.
fn sound(home: &Home, name: &str, seconds: u32, wave: impl Fn(f64) -> f64) -> std::path::PathBuf {
    let path = home.path(&format!("spare/{name}.wav"));
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    for i in 0..seconds * 16_000 {
        wav.write_sample((wave(f64::from(i) / 16_000.0) * 32_000.0) as i16).unwrap();
    }
    wav.finalize().unwrap();
    path
}

#[test]
fn music_noise_and_hum_become_no_cue() {
    let Some(home) = speech::home() else { return };
    let tone = |t: f64, hz: f64| (t * hz * std::f64::consts::TAU).sin();
    // A chord every two seconds, from 3 s on, that fades away.
    let chords = |t: f64| {
        let root = [130.8, 174.6, 196.0, 146.8][(t / 2.0) as usize % 4];
        let partials = [1.0, 1.26, 1.5, 2.0, 2.52, 3.0];
        let chord: f64 = partials.iter().map(|m| tone(t, root * m) / m).sum();
        if t < 3.0 { 0.0 } else { 0.06 * chord * (-(t % 2.0) * 0.7).exp() }
    };
    let hum = |t: f64| (1..8).map(|k| tone(t, 50.0 * f64::from(k)) / f64::from(k)).sum::<f64>() * 0.05;
    // Noise that swells and falls, as surf does.
    let hash = |t: f64| (tone(t * 7.13, 1234.567) * 43_758.545).fract();
    let surf = |t: f64| hash(t) * 0.15 * (0.5 - 0.5 * tone(t, 0.1));
    let files = [
        sound(&home, "chords", 40, chords),
        sound(&home, "hum", 20, |t| if t < 3.0 { 0.0 } else { hum(t) }),
        sound(&home, "surf", 40, surf),
        clip("none_noise").path,
        clip("none_silence").path,
    ];
    for file in files {
        assert_eq!(subtitle(&home, &file), "", "{}", file.display());
    }
}
