//! Tests of `whisper`: the real ones with the real model.

use super::*;

#[test]
fn the_context_fits_the_sound_in_steps_of_64() {
    let check = |ms: usize, expected| assert_eq!(positions(ms * 16), expected, "{ms} ms");
    check(100, 512);
    check(10_240, 512);
    check(10_260, 576);
    check(29_300, 1472);
    check(29_460, 1500);
    check(30_000, 1500);
}

#[test]
fn only_speech_behind_the_last_word_is_gone_on_with() {
    let speech = [0..32_000, 80_000..120_000];
    assert_eq!(unheard(&speech, 118_000), None);
    assert_eq!(unheard(&speech, 40_000), Some(80_000 - TAIL_LEAD));
    assert_eq!(unheard(&speech, 90_000), Some(90_000));
    assert_eq!(unheard(&[], 0), None);
}

/// The real model from `make test`, and a recording; None, said aloud, without them.
fn real() -> Option<(Whisper, Vec<f32>)> {
    let folder = |variable| std::env::var_os(variable).map(std::path::PathBuf::from);
    let (Some(models), Some(speech)) =
        (folder("TRANSCRIPTORD_TEST_MODELS"), folder("TRANSCRIPTORD_TEST_SPEECH"))
    else {
        eprintln!("SKIPPED: TRANSCRIPTORD_TEST_MODELS or _SPEECH is not set; 'make test' sets them");
        return None;
    };
    let path = models.join("ggml-base.bin");
    let part = |(name, ggml_type, shape, place)| Part { name, ggml_type, shape, place };
    let parts = crate::model::parts(&path).unwrap().into_iter().map(part).collect();
    let whisper = Whisper::load(&path, parts, &Place { gpu: None, threads: 2 }).unwrap();
    let wav = hound::WavReader::open(speech.join("en_demo.wav")).unwrap();
    let samples =
        wav.into_samples::<i16>().take(20 * 16_000).map(|s| f32::from(s.unwrap()) / 32_768.0).collect();
    Some((whisper, samples))
}

fn ask(context: Context) -> Ask {
    let (language, task) = (Language::ENGLISH, Task::Transcribe);
    Ask { language, task, beam: 1, context, prompt: None, dice: false }
}

#[test]
fn real_speech_is_the_same_to_our_encoder_and_to_whisper_cpp_s() {
    let Some((mut whisper, samples)) = real() else { return };
    assert!(
        crate::engine::own_encoder(),
        "built without the seat: CXXFLAGS of .cargo/config.toml did not arrive"
    );
    let speech = [0..samples.len() as i64];
    let ask = ask(Context::Fitted);
    let hear = |whisper: &Whisper| {
        let sound = Sound { samples: &samples, speech: &speech };
        whisper.session().unwrap().transcribe(sound, &ask, &AtomicBool::new(false)).unwrap()
    };
    let ours = hear(&whisper);
    whisper.encoder = None;
    let theirs = hear(&whisper);
    let texts = |heard: &Heard| heard.words.iter().map(|w| w.text.clone()).collect::<String>();
    assert!(ours.words.len() > 20, "{}", texts(&ours));
    assert_eq!(texts(&ours), texts(&theirs));
    assert!((ours.avg_logprob - theirs.avg_logprob).abs() < 0.02);
    let apart = ours.words.iter().zip(&theirs.words).map(|(a, b)| (a.start_ms - b.start_ms).abs()).max();
    assert!(apart <= Some(100), "words {apart:?} ms apart");
}

#[test]
fn real_work_ends_soon_after_the_stop_flag_is_raised() {
    let Some((whisper, samples)) = real() else { return };
    let ask = ask(Context::Whole);
    let sound = Sound { samples: &samples, speech: &[] };
    let done = whisper.session().unwrap().transcribe(sound, &ask, &AtomicBool::new(true));
    assert!(matches!(done, Err(Error::Stopped)));
}
