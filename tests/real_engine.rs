//! The engine on real speech: our encoder and our decoder beside whisper.cpp's own. Knows nothing of jobs or windows.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use transcriptord::engine::whisper::{Cpp, Place, Whisper};
use transcriptord::engine::{Ask, Beside, Context, Engine, Error, Heard, Kernels, Part, Session, Sound};
use transcriptord::job::Task;
use transcriptord::language::Language;
use transcriptord::model;

/// The model that `make test` fetches, and 20 s of a recording; None, said aloud, without them.
struct Real {
    path: PathBuf,
    samples: Vec<f32>,
}

/// Samples of the recording.
const END_OF_A_SENTENCE: usize = 227_200;
const PLACE: Place = Place { gpu: None, threads: 2 };

impl Real {
    fn new() -> Option<Real> {
        let folder = |variable| std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
        let (Some(models), Some(speech)) =
            (folder("TRANSCRIPTORD_TEST_MODELS"), folder("TRANSCRIPTORD_TEST_SPEECH"))
        else {
            eprintln!("SKIPPED: TRANSCRIPTORD_TEST_MODELS or _SPEECH is not set; 'make test' sets them");
            return None;
        };
        let wav = hound::WavReader::open(speech.join("en_demo.wav")).unwrap();
        let samples = wav.into_samples::<i16>().take(20 * 16_000).map(|s| f32::from(s.unwrap()) / 32_768.0);
        Some(Real { path: models.join("ggml-base.bin"), samples: samples.collect() })
    }

    fn parts(&self) -> Vec<Part> {
        let part = |(name, ggml_type, shape, place)| Part { name, ggml_type, shape, place };
        model::parts(&self.path).unwrap().into_iter().map(part).collect()
    }

    /// What is used.
    fn ours(&self) -> Whisper {
        Whisper::load(&self.path, self.parts(), &PLACE).unwrap()
    }

    /// whisper.cpp with our encoder in its seat.
    fn cpp(&self) -> Cpp {
        Cpp::load(&self.path, self.parts(), &PLACE).unwrap()
    }

    fn hear(&self, engine: &dyn Engine, ask: &Ask, stop: bool) -> Result<Heard, Error> {
        let speech = std::iter::once(0..self.samples.len() as i64).collect::<Vec<_>>();
        let sound = Sound { samples: &self.samples, speech: &speech };
        engine.session().unwrap().transcribe(sound, ask, &AtomicBool::new(stop))
    }
}

/// What nobody speaks in: noise, 8 s of it.
fn noise() -> Vec<f32> {
    let mut state = 1u32;
    let next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 0.1 - 0.05
    };
    std::iter::repeat_with(next).take(8 * 16_000).collect()
}

fn ask(beam: u32, prompt: Option<&str>) -> Ask {
    let (language, task) = (Language::ENGLISH, Task::Transcribe);
    let prompt = prompt.map(str::to_owned);
    Ask { language, task, beam, beside: None, context: Context::Fitted, prompt, dice: false }
}

fn text(heard: &Heard) -> String {
    heard.words.iter().map(|w| w.text.clone()).collect()
}

/// How far the starts of the same words lie apart, in milliseconds, the least first.
fn apart(starts_ms: impl Iterator<Item = (i64, i64)>) -> Vec<i64> {
    let mut apart: Vec<i64> = starts_ms.map(|(a, b)| (a - b).abs()).collect();
    apart.sort_unstable();
    apart
}

/// The same words, as sure of them.
fn check(ours: &Heard, theirs: &Heard) {
    assert!(ours.words.len() > 20, "{}", text(ours));
    assert_eq!(text(ours), text(theirs));
    let (p, q) = (ours.avg_logprob, theirs.avg_logprob);
    assert!((p - q).abs() < 0.02, "{p} {q}");
    let (p, q) = (ours.no_speech.unwrap(), theirs.no_speech.unwrap());
    assert!((p - q).abs() < 0.02, "nobody speaks: {p} {q}");
}

#[test]
fn our_encoder_hears_what_that_of_whisper_cpp_hears() {
    let Some(real) = Real::new() else { return };
    assert!(
        Kernels::here().have_seat(),
        "built without the seat: CXXFLAGS of .cargo/config.toml did not arrive"
    );
    let cpp = real.cpp();
    let ours = real.hear(&cpp, &ask(1, None), false).unwrap();
    let theirs = real.hear(&cpp.with_foreign_encoder(), &ask(1, None), false).unwrap();
    check(&ours, &theirs);
    // What the decoder thinks of the time of one word is a close call now and then; the middle of all is not.
    let pairs = ours.words.iter().zip(&theirs.words);
    let apart = apart(pairs.map(|(a, b)| (a.start_ms, b.start_ms)));
    assert!(apart[apart.len() / 2] <= 40, "{apart:?}");
}

#[test]
fn our_decoder_writes_what_that_of_whisper_cpp_writes() {
    let Some(real) = Real::new() else { return };
    let (ours, cpp) = (real.ours(), real.cpp());
    if matches!(ours, Whisper::Cpp(_)) {
        eprintln!("skipped: our decoder has no kernels for this CPU");
        return;
    }
    let both = |ask: &Ask| (real.hear(&ours, ask, false).unwrap(), real.hear(&cpp, ask, false).unwrap());
    let (own, theirs) = both(&ask(1, None));
    check(&own, &theirs);
    // Beams are ended and prompts are cut in other ways: marks and capitals may differ.
    for ask in [ask(5, None), ask(1, Some("Asterisk, Digium, the open source PBX."))] {
        let (own, theirs) = both(&ask);
        let plain = |heard: &Heard| {
            text(heard)
                .to_lowercase()
                .replace(|c: char| !c.is_alphanumeric() && c != ' ', " ")
                .replace("  ", " ")
        };
        // The sound is cut inside a sentence: what is made of its end is anybody's guess.
        let (own, theirs) = (plain(&own), plain(&theirs));
        let words = own.split(' ').zip(theirs.split(' ')).take_while(|(a, b)| a == b).count();
        let most = own.split(' ').count().max(theirs.split(' ').count());
        assert!(words > 35 && words + 2 >= most, "{own}\n{theirs}");
    }
}

/// Where words begin, in milliseconds: by PocketSphinx 5.1, which was told the text (`benches/times.py`).
const STARTS_MS: &[(&str, i64)] = &[
    ("congratulations", 230),
    ("you", 1530),
    ("have", 1730),
    ("successfully", 1930),
    ("installed", 2760),
    ("and", 3380),
    ("executed", 3710),
    ("the", 4390),
    ("asterisk", 4690),
    ("open", 5460),
    ("source", 5780),
    ("pbx", 6250),
    ("you", 7330),
    ("have", 7510),
    ("also", 7720),
    ("installed", 8090),
    ("a", 8840),
    ("set", 8900),
    ("of", 9140),
    ("sample", 9240),
    ("sounds", 9770),
    ("and", 10450),
    ("configuration", 10650),
    ("files", 11510),
    ("that", 12300),
    ("should", 12540),
    ("help", 12750),
    ("you", 13040),
    ("to", 13110),
    ("get", 13170),
    ("started", 13390),
    ("like", 14220),
    ("a", 14500),
    ("normal", 14540),
    ("pbx", 14920),
    ("you", 15890),
    ("will", 16050),
    ("navigate", 16180),
    ("this", 16790),
    ("demonstration", 17010),
    ("by", 17960),
    ("dialing", 18170),
    ("digits", 18610),
];

#[test]
fn words_are_where_a_forced_aligner_finds_them() {
    let Some(real) = Real::new() else { return };
    let ours = real.ours();
    // Between time stamps whisper.cpp's decoder shares the time out by letters.
    let (middle, most) = if matches!(ours, Whisper::Cpp(_)) { (100, 400) } else { (45, 120) };
    for beams in [1, 5] {
        let heard = real.hear(&ours, &ask(beams, None), false).unwrap();
        let mut rest = STARTS_MS.iter();
        // Words that are written in another way are passed by.
        let pairs = heard.words.iter().filter_map(|word| {
            let plain = word.text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let at = rest.as_slice().iter().take(4).position(|(text, _)| *text == plain)?;
            Some((word.start_ms, rest.nth(at)?.1))
        });
        let apart = apart(pairs);
        assert!(apart.len() > 35, "{}", text(&heard));
        assert!(apart[apart.len() / 2] <= middle && apart[apart.len() * 9 / 10] <= most, "{apart:?}");
        let ordered = heard.words.windows(2).all(|w| w[0].end_ms <= w[1].start_ms);
        assert!(ordered && heard.words.iter().all(|w| w.start_ms < w.end_ms), "{:?}", heard.words);
    }
}

#[test]
fn a_search_that_goes_beside_another_finds_what_it_finds_alone() {
    let Some(real) = Real::new() else { return };
    let ours = real.ours();
    if matches!(ours, Whisper::Cpp(_)) {
        eprintln!("skipped: our decoder has no kernels for this CPU");
        return;
    }
    // Up to where a sentence ends, so that nothing is gone over again.
    let samples = &real.samples[..END_OF_A_SENTENCE];
    let speech = std::iter::once(0..samples.len() as i64).collect::<Vec<_>>();
    let sound = Sound { samples, speech: &speech };
    let hear =
        |session: &mut dyn Session, ask: &Ask, stop| session.transcribe(sound, ask, &AtomicBool::new(stop));
    let ask = |beam, prompt| Ask { dice: true, ..ask(beam, prompt) };
    let alone = |beam| hear(&mut *ours.session().unwrap(), &ask(beam, None), false).unwrap();
    let both = |below, other: &Ask| {
        let mut session = ours.session().unwrap();
        let beside = Some(Beside { beams: 5, below });
        let first = hear(&mut *session, &Ask { beside, ..ask(1, None) }, false).unwrap();
        assert_eq!(first, alone(1));
        hear(&mut *session, other, true)
    };
    // Raised flags end what has to be worked for.
    assert_eq!(both(0.0, &ask(5, None)).unwrap(), alone(5));
    assert!(matches!(both(0.0, &ask(5, Some("Digium"))), Err(Error::Stopped)));
    assert!(matches!(both(-9.0, &ask(5, None)), Err(Error::Stopped)));
}

#[test]
fn where_nobody_speaks_both_decoders_say_so_and_write_nothing_improbable() {
    let Some(real) = Real::new() else { return };
    let samples = noise();
    let sound = Sound { samples: &samples, speech: &[] };
    let ask = Ask { dice: true, ..ask(1, None) };
    for engine in [&real.ours() as &dyn Engine, &real.cpp()] {
        let heard = engine.session().unwrap().transcribe(sound, &ask, &AtomicBool::new(false)).unwrap();
        assert!(heard.no_speech.is_some_and(|p| p > 0.6), "{heard:?}");
        assert!(heard.words.is_empty() || heard.avg_logprob >= -1.0, "{heard:?}");
    }
}

#[test]
fn our_decoder_tells_languages_and_cuts_prompts_as_that_of_whisper_cpp_does() {
    let Some(real) = Real::new() else { return };
    let [mut ours, mut theirs] = [real.ours().session().unwrap(), real.cpp().session().unwrap()];
    let sound = Sound { samples: &real.samples, speech: &[] };
    let (odds, others) = (ours.detect(sound).unwrap(), theirs.detect(sound).unwrap());
    assert_eq!((odds.0[0].0, others.0[0].0), (Language::ENGLISH, Language::ENGLISH));
    assert!((odds.0.iter().map(|(_, p)| p).sum::<f32>() - 1.0).abs() < 1e-3);
    assert!((odds.0[0].1 - others.0[0].1).abs() < 0.01, "{:?} {:?}", odds.0[0], others.0[0]);
    let long = "Frodo Baggins's ring, 1954: it's one of 20 -- isn't it?  Yes. ".repeat(60);
    assert_eq!(ours.fitting(&long), theirs.fitting(&long));
}

#[test]
fn a_foreign_part_of_a_sound_is_told_without_encoding_it_again() {
    let Some(real) = Real::new() else { return };
    let speech = std::env::var_os("TRANSCRIPTORD_TEST_SPEECH").map(PathBuf::from).unwrap();
    let of = |name: &str, seconds: usize| {
        let wav = hound::WavReader::open(speech.join(name)).unwrap();
        let samples = wav.into_samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0);
        samples.take(seconds * 16_000).collect::<Vec<f32>>()
    };
    let (mut samples, mut parts) = (Vec::new(), Vec::new());
    for name in ["en_demo.wav", "fr_prompts.wav", "en_echo.wav"] {
        let start = samples.len() as i64;
        samples.extend(of(name, 5));
        parts.push(start..samples.len() as i64);
        samples.extend([0.0; 8_000]);
    }
    let sound = Sound { samples: &samples, speech: &parts };
    let mut session = real.ours().session().unwrap();
    let odds = session.detect_parts(sound, &parts).unwrap();
    let english: Vec<f32> = odds.iter().map(|odds| odds.of(Language::ENGLISH)).collect();
    assert!(english[0] > 0.05 && english[1] < 0.05 && english[2] > 0.05, "{english:?}");
    // The whole is told as if nothing had been asked of its parts.
    let whole = session.detect(sound).unwrap();
    assert_eq!(whole, real.ours().session().unwrap().detect(sound).unwrap());
    assert!(session.detect_parts(sound, &[]).unwrap().is_empty());
}

#[test]
fn a_raised_flag_ends_the_work() {
    let Some(real) = Real::new() else { return };
    for engine in [&real.ours() as &dyn Engine, &real.cpp()] {
        let done = real.hear(engine, &Ask { context: Context::Whole, ..ask(1, None) }, true);
        assert!(matches!(done, Err(Error::Stopped)), "{done:?}");
    }
}
