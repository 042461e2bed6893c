//! One stretch of a window decoded by itself, and whether that is to be believed. Knows nothing of threads, queues or
//! models, nor why the stretch is heard alone.

use super::guard::{self, Doubt};
use super::hear::{CAREFUL_BEAM, unprompted};
use crate::audio::PER_MS;
use crate::engine::{Ask, Error, Heard, Session, Sound};
use crate::subtitle::Word;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// Silence around the stretch.
const LEAD_MS: i64 = 200;
/// Believed from this mean log probability on.
const BELIEVED: f32 = -0.6;
/// Not believed where Whisper thinks that nobody speaks: of stretches of speech on music and noise nine in ten lie below
/// 0.35, of music and noise alone all but few above 0.55.
const SPEECHLESS: f32 = 0.55;
/// Three words and more that the decoder listened to as much as this are said by somebody, whatever it thinks of them: of
/// 90 stretches of music and noise none was above 1.1, of 178 of speech three in four are. Below the other they are made up.
const LISTENED: f32 = 1.6;
const UNLISTENED: f32 = 1.0;
/// But words as improbable as this are not the ones.
pub(super) const FAINT: f32 = -1.2;
/// Of a word or two, which noise alone can be, more is asked.
pub(super) const FEW: usize = 3;
const BELIEVED_OF_FEW: f32 = -0.3;
/// But little where Whisper is sure that somebody speaks: of noise it never was.
const SPOKEN: f32 = 0.1;
const BELIEVED_OF_SPOKEN: f32 = -0.8;
/// Below that, down to here, when another decoding says so much the same.
const SAID_TWICE: f32 = -1.0;
pub(super) const AGREED: f32 = 0.6;

/// What was heard in a stretch.
pub(super) struct Alone {
    /// With times of the window.
    pub words: Vec<Word>,
    /// Beyond reasonable doubt.
    pub believed: bool,
}

/// Decodes one stretch of the sound, in samples.
pub(super) fn hear(
    session: &mut dyn Session,
    sound: Sound<'_>,
    stretch: &Range<i64>,
    ask: &Ask,
    stop: &AtomicBool,
) -> Result<Alone, Error> {
    let (part, from) = cut(sound, stretch);
    let speech: Vec<Range<i64>> = inside(sound.speech, stretch, from);
    let part = Sound { samples: part, speech: &speech };
    // Short sounds are where a prompt is repeated.
    // What dice find in a short sound is not believed, and takes five times as long.
    let ask = &Ask { dice: false, ..unprompted(ask) };
    let mut heard = session.transcribe(part, ask, stop)?;
    let speech_ms = (stretch.end - stretch.start) / PER_MS;
    let few = heard.words.len() < FEW;
    let listened = |heard: &Heard| heard.listened.filter(|_| heard.words.len() >= FEW);
    let is_said = |heard: &Heard| listened(heard).is_some_and(|l| l >= LISTENED);
    let made_up = guard::doubt(&heard, speech_ms).is_some_and(|d| d != Doubt::Unsure)
        || listened(&heard).is_some_and(|l| l < UNLISTENED)
        || (!is_said(&heard) && heard.no_speech.is_some_and(|p| p > SPEECHLESS));
    let believed = match heard.avg_logprob {
        _ if made_up || heard.words.is_empty() => false,
        p if is_said(&heard) && (FAINT..BELIEVED).contains(&p) => {
            let wider = Ask { context: ask.context.wider(), ..ask.clone() };
            let second = session.transcribe(part, &wider, stop)?;
            // Of two looks the surer one is nearer to what was said.
            if is_said(&second) && second.avg_logprob > p {
                heard = second;
            }
            true
        }
        p if few && heard.no_speech.is_some_and(|p| p < SPOKEN) => p >= BELIEVED_OF_SPOKEN,
        p if p >= if few { BELIEVED_OF_FEW } else { BELIEVED } => true,
        p if p >= if few { BELIEVED_OF_SPOKEN } else { SAID_TWICE } => {
            let beam = if ask.beam > 1 { 1 } else { CAREFUL_BEAM };
            // Of a word or two beams find no other: they are looked at anew.
            let context = if few { ask.context.wider() } else { ask.context };
            let second = session.transcribe(part, &Ask { beam, context, ..ask.clone() }, stop)?;
            agreement(&heard.words, &second.words) >= AGREED
        }
        _ => false,
    };
    let shift = from / PER_MS;
    let shifted = |w: Word| Word { start_ms: w.start_ms + shift, end_ms: w.end_ms + shift, ..w };
    Ok(Alone { words: heard.words.into_iter().map(shifted).collect(), believed })
}

/// The samples of a stretch with a little silence around them, and where they begin.
pub(super) fn cut<'a>(sound: Sound<'a>, stretch: &Range<i64>) -> (&'a [f32], i64) {
    let from = (stretch.start - LEAD_MS * PER_MS).max(0);
    let to = (stretch.end + LEAD_MS * PER_MS).min(sound.samples.len() as i64);
    (sound.samples.get(from as usize..to as usize).unwrap_or_default(), from)
}

/// What of the speech lies in the stretch, counted from `from`.
fn inside(speech: &[Range<i64>], stretch: &Range<i64>, from: i64) -> Vec<Range<i64>> {
    let common = |s: &Range<i64>| s.start.max(stretch.start) - from..s.end.min(stretch.end) - from;
    speech.iter().map(common).filter(|s| s.start < s.end).collect()
}

/// The part of the words that stand in both, in the same order.
pub(super) fn agreement(a: &[Word], b: &[Word]) -> f32 {
    let (a, b) = (guard::plain_words(a), guard::plain_words(b));
    // The longest common subsequence, row by row.
    let mut row = vec![0usize; b.len() + 1];
    for x in &a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    2.0 * row[b.len()] as f32 / (a.len() + b.len()).max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::scripted::{self, Scripted};
    use crate::engine::{Context, Engine, LanguageOdds};

    /// The text, and after a bar what is heard over more context, with its mean log probability and the probability that
    /// nobody speaks.
    fn check(text: &'static str, avg_logprob: f32, no_speech: impl Into<Option<f32>>, believed: bool) {
        let no_speech = no_speech.into();
        assert_eq!(heard(text, [avg_logprob; 2], no_speech, None).believed, believed, "{text}");
    }

    /// As [`check`], where the decoder tells how much it listened; the text that is taken, where one is believed.
    fn check_listened(text: &'static str, avg_logprobs: [f32; 2], listened: f32, expected: Option<&str>) {
        let alone = heard(text, avg_logprobs, Some(0.6), Some(listened));
        let said: String = alone.words.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(alone.believed.then(|| said.trim()), expected, "{text}");
    }

    fn heard(
        text: &'static str,
        avg_logprobs: [f32; 2],
        no_speech: Option<f32>,
        listened: Option<f32>,
    ) -> Alone {
        let engine = Scripted::new(LanguageOdds::default(), move |_, ask, _| {
            let (first, wider) = text.split_once('|').unwrap_or((text, text));
            let is_first = ask.context == Context::Fitted;
            let text = if is_first { first } else { wider };
            let avg_logprob = avg_logprobs[usize::from(!is_first)];
            let word = |(i, text): (usize, &str)| {
                let start_ms = i as i64 * 300;
                Word { text: format!(" {text}"), start_ms, end_ms: start_ms + 250, p: 0.5 }
            };
            let words = text.split_whitespace().enumerate().map(word).collect();
            Ok(Heard { words, no_speech, avg_logprob, listened })
        });
        let ask = Ask { beam: CAREFUL_BEAM, ..scripted::ask() };
        let samples = vec![0.1; 32_000];
        let stretch = 3_200..16_000;
        let speech = [stretch.clone()];
        let sound = Sound { samples: &samples, speech: &speech };
        let (mut session, stop) = (engine.session().unwrap(), AtomicBool::new(false));
        hear(session.as_mut(), sound, &stretch, &ask, &stop).unwrap()
    }

    #[test]
    fn words_that_were_listened_to_are_said_and_others_made_up() {
        let text = "You can call me.|You can call me Abby.";
        check_listened(text, [-0.8, -0.7], 2.0, Some("You can call me Abby."));
        check_listened(text, [-0.8, -0.9], 2.0, Some("You can call me."));
        check_listened(text, [-0.1, -0.9], 2.0, Some("You can call me."));
        check_listened(text, [-1.3, -0.1], 2.0, None);
        check_listened(text, [-0.1, -0.1], 1.4, None);
        check_listened(text, [-0.1, -0.1], 0.5, None);
        check_listened("Good bye.", [-0.8, -0.8], 2.0, None);
    }

    #[test]
    fn few_words_are_believed_where_they_are_sure_or_somebody_surely_speaks() {
        check("Goodbye.", -0.72, 0.06, true);
        check("Goodbye.|", -0.72, 0.2, false);
        check("Goodbye.", -1.1, 0.03, false);
        check("Goodbye.|Good luck!", -0.72, None, false);
        check("Goodbye.", -0.2, None, true);
        check("Goodbye.", -0.2, 0.4, true);
        check("Goodbye.", -0.2, 0.6, false);
    }

    #[test]
    fn few_words_are_believed_where_they_are_heard_twice() {
        check("Goodbye.|goodbye", -0.72, 0.2, true);
        check("Goodbye.|goodbye", -0.72, 0.6, false);
        check("Goodbye.|goodbye", -0.9, 0.2, false);
    }
}
