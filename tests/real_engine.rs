//! The engine on real speech: our encoder beside whisper.cpp's own. Knows nothing of jobs or windows.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use transcriptord::engine::whisper::{Place, Whisper};
use transcriptord::engine::{Ask, Context, Engine, Error, Heard, Kernels, Part, Sound};
use transcriptord::job::Task;
use transcriptord::language::Language;
use transcriptord::model;

/// The model that `make test` fetches, and 20 s of a recording; None, said aloud, without them.
fn real() -> Option<(Whisper, Vec<f32>)> {
    let folder = |variable| std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from);
    let (Some(models), Some(speech)) =
        (folder("TRANSCRIPTORD_TEST_MODELS"), folder("TRANSCRIPTORD_TEST_SPEECH"))
    else {
        eprintln!("SKIPPED: TRANSCRIPTORD_TEST_MODELS or _SPEECH is not set; 'make test' sets them");
        return None;
    };
    let path = models.join("ggml-base.bin");
    let part = |(name, ggml_type, shape, place)| Part { name, ggml_type, shape, place };
    let parts = model::parts(&path).unwrap().into_iter().map(part).collect();
    let whisper = Whisper::load(&path, parts, &Place { gpu: None, threads: 2 }).unwrap();
    let wav = hound::WavReader::open(speech.join("en_demo.wav")).unwrap();
    let samples = wav.into_samples::<i16>().take(20 * 16_000).map(|s| f32::from(s.unwrap()) / 32_768.0);
    Some((whisper, samples.collect()))
}

fn hear(whisper: &Whisper, samples: &[f32], context: Context, stop: bool) -> Result<Heard, Error> {
    let (language, task) = (Language::ENGLISH, Task::Transcribe);
    let ask = Ask { language, task, beam: 1, context, prompt: None, dice: false };
    let speech = std::iter::once(0..samples.len() as i64).collect::<Vec<_>>();
    whisper.session().unwrap().transcribe(Sound { samples, speech: &speech }, &ask, &AtomicBool::new(stop))
}

#[test]
fn our_encoder_hears_what_that_of_whisper_cpp_hears() {
    let Some((whisper, samples)) = real() else { return };
    assert!(
        Kernels::here().have_seat(),
        "built without the seat: CXXFLAGS of .cargo/config.toml did not arrive"
    );
    let ours = hear(&whisper, &samples, Context::Fitted, false).unwrap();
    let theirs = hear(&whisper.with_foreign_encoder(), &samples, Context::Fitted, false).unwrap();
    let text = |heard: &Heard| heard.words.iter().map(|w| w.text.clone()).collect::<String>();
    assert!(ours.words.len() > 20, "{}", text(&ours));
    assert_eq!(text(&ours), text(&theirs));
    assert!((ours.avg_logprob - theirs.avg_logprob).abs() < 0.02);
    // What the decoder thinks of the time of one word is a close call now and then; the middle of all is not.
    let pairs = ours.words.iter().zip(&theirs.words);
    let mut apart: Vec<i64> = pairs.map(|(a, b)| (a.start_ms - b.start_ms).abs()).collect();
    apart.sort_unstable();
    assert!(apart[apart.len() / 2] <= 40, "{apart:?}");
}

#[test]
fn a_raised_flag_ends_the_work() {
    let Some((whisper, samples)) = real() else { return };
    let done = hear(&whisper, &samples, Context::Whole, true);
    assert!(matches!(done, Err(Error::Stopped)), "{done:?}");
}
