//! A silence that is doubted (`audio::silences`): listened to, and believed only when everything speaks for speech.
//! Knows nothing of threads, queues or models.
//!
//! Over music and noise Whisper writes whole sentences, some of them with a good log probability. What tells speech from
//! the rest is the language (of 75 stretches of music and noise 5 had odds over 0.6 for any) and a second decoding,
//! cut in another place: it says the same of speech and something else, mostly nothing, of music.

use super::alone::{FEW, agreement};
use super::guard::{self, Doubt};
use super::hear::{CAREFUL_BEAM, CLEARLY, Spoken, unprompted};
use super::reader::Window;
use super::words;
use crate::audio::PER_MS;
use crate::engine::{Ask, Context, Error, Heard, Session, Sound};
use crate::language::Language;
use crate::subtitle::quality::Stretch;
use std::sync::atomic::AtomicBool;

/// The mean log probability of both decodings: not high, since they must agree too.
const BELIEVED: f32 = -0.9;
/// Odds of the language, from which on it is worth decoding.
const SPOKEN: f32 = 0.5;
/// The second decoding begins so much later.
const LATER_MS: i64 = 1_000;
/// The part of the words that both decodings must have in common.
const AGREED: f32 = 0.65;

/// As [`super::hear::hear`], for a window without detected speech: mostly no words.
pub fn hear(
    session: &mut dyn Session,
    window: &Window,
    ask: &Ask,
    spoken: Spoken,
    stop: &AtomicBool,
) -> Result<(Heard, Stretch), Error> {
    let heard = listen(session, window, ask, spoken, stop)?.unwrap_or_default();
    let outer = window.map.outer();
    let speech_ms = heard.words.iter().map(|w| w.end_ms - w.start_ms).sum();
    let (start_ms, end_ms) = (outer.start / PER_MS, outer.end / PER_MS);
    let stretch = Stretch { start_ms, end_ms, speech_ms, wordless_ms: 0, doubt: None, sounds_like: None };
    let words = words::place(heard.words, &window.map, &[outer], ask.language);
    Ok((Heard { words, ..heard }, stretch))
}

/// The words of the window, if there is speech beyond doubt.
fn listen(
    session: &mut dyn Session,
    window: &Window,
    ask: &Ask,
    spoken: Spoken,
    stop: &AtomicBool,
) -> Result<Option<Heard>, Error> {
    let samples = &window.samples();
    let Some(language) = language(session, samples, ask.language, spoken)? else { return Ok(None) };
    // Both decodings would agree on the prompt.
    let ask = unprompted(ask);
    let careful = Ask { language, beam: CAREFUL_BEAM, context: Context::Whole, dice: false, ..ask };
    let first = session.transcribe(all(samples), &careful, stop)?;
    if !believable(&first, samples.len()) {
        return Ok(None);
    }
    let later = &samples[samples.len().min((LATER_MS * PER_MS) as usize)..];
    let quick = Ask { beam: 1, context: Context::Fitted, ..careful };
    let second = session.transcribe(all(later), &quick, stop)?;
    let agree = believable(&second, later.len()) && agreement(&first.words, &second.words) >= AGREED;
    Ok(agree.then_some(first))
}

/// The language to decode in, if the odds for it are good.
fn language(
    session: &mut dyn Session,
    samples: &[f32],
    usual: Language,
    spoken: Spoken,
) -> Result<Option<Language>, Error> {
    let odds = session.detect(all(samples))?;
    let other = odds.best().filter(|&(_, p)| spoken == Spoken::Found && p >= CLEARLY);
    let usual = (odds.of(usual) >= SPOKEN).then_some(usual);
    Ok(other.map(|(language, _)| language).or(usual))
}

/// No speech is marked in it: a tail behind the last word is not gone on with.
fn all(samples: &[f32]) -> Sound<'_> {
    Sound { samples, speech: &[] }
}

/// Some words, none of the things that Whisper makes up, and the decoder is sure of them.
fn believable(heard: &Heard, samples: usize) -> bool {
    let doubt = guard::doubt(heard, samples as i64 / PER_MS);
    heard.words.len() >= FEW
        && heard.avg_logprob >= BELIEVED
        && matches!(doubt, None | Some(Doubt::Unsure))
        && !guard::is_stock(&heard.words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::windows::{Span, TimeMap};
    use crate::engine::scripted::Scripted;
    use crate::engine::{Engine, LanguageOdds};
    use crate::job::Task;
    use crate::subtitle::Word;

    fn said(text: &str, avg_logprob: f32) -> Heard {
        let word = |(i, w): (usize, &str)| {
            let start_ms = i as i64 * 300;
            Word { text: format!(" {w}"), start_ms, end_ms: start_ms + 250, p: 0.8 }
        };
        Heard {
            words: text.split(' ').enumerate().map(word).collect(),
            no_speech: None,
            avg_logprob,
            listened: None,
        }
    }

    /// Odds for English, and what the two decodings say with which log probability; the words that are believed.
    fn check(odds: f32, first: (&'static str, f32), second: (&'static str, f32), expected: &str) {
        let english = Language::ENGLISH;
        let odds = LanguageOdds(vec![(english, odds), ("cy".parse().unwrap(), 1.0 - odds)]);
        let engine = Scripted::new(odds, move |_, ask, _| {
            let (text, p) = if ask.beam > 1 { first } else { second };
            Ok(if text.is_empty() { Heard::default() } else { said(text, p) })
        });
        let samples = vec![0.1; 16_000 * 8];
        let span = Span { start: 160_000, end: 160_000 + samples.len() as i64 };
        let window = Window::new(0, &samples, TimeMap::new(vec![span]), vec![]);
        let (beam, context) = (1, Context::Fitted);
        let task = Task::Transcribe;
        let ask = Ask { language: english, task, beam, beside: None, context, prompt: None, dice: true };
        let mut session = engine.session().unwrap();
        let stop = AtomicBool::new(false);
        let (heard, stretch) = hear(session.as_mut(), &window, &ask, Spoken::Told, &stop).unwrap();
        let text: String = heard.words.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(text.trim(), expected);
        assert!(heard.words.iter().all(|w| (10_000..18_000).contains(&w.start_ms)));
        assert_eq!(
            (stretch.start_ms, stretch.end_ms, stretch.speech_ms > 0),
            (10_000, 18_000, !text.is_empty())
        );
    }

    #[test]
    fn what_two_decodings_agree_on_is_believed() {
        let text = "I'm Abigail. You can call me Abby.";
        check(0.9, (text, -0.4), ("Abigail, you can call me Abby.", -0.5), text);
    }

    #[test]
    fn without_a_clear_language_certainty_or_agreement_nothing_is() {
        let text = "I'm going to have to go.";
        check(0.4, (text, -0.1), (text, -0.1), "");
        check(0.9, (text, -1.0), (text, -0.1), "");
        check(0.9, (text, -0.1), (text, -1.0), "");
        check(0.9, (text, -0.1), ("The next day we will be back.", -0.1), "");
        check(0.9, (text, -0.1), ("", 0.0), "");
        check(0.9, ("", 0.0), (text, -0.1), "");
    }

    #[test]
    fn what_whisper_makes_up_is_not_however_sure_it_is() {
        for text in [
            "Thank you.",
            "Thanks for watching!",
            "Hm hm hm hm",
            "go back home go back home go back home go back home",
        ] {
            check(0.9, (text, -0.01), (text, -0.01), "");
        }
    }
}
