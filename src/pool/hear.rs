//! One window from sound to words of the film: decoded, doubted, decoded again where something is missing, put in
//! its place. Knows nothing of threads, queues or models.

use super::alone::{self, AGREED, FEW, agreement};
use super::guard::{self, Doubt};
use super::islands;
use super::lone;
use super::looked::Looked;
use super::reader::Window;
use super::tongues::Tongues;
use super::{echo, unheard, words};
use crate::audio::PER_MS;
use crate::engine::{Ask, Beside, Context, Error, Heard, LanguageOdds, Session, Sound};
use crate::job::{Preset, Task};
use crate::language::Language;
use crate::subtitle::Word;
use crate::subtitle::quality::Stretch;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

/// Beams of the preset `best`, and of every second look.
pub const CAREFUL_BEAM: u32 = 5;
/// A word is taken to fill this much more than its times say.
const SLACK_MS: i64 = 200;
/// Speech without words of this length is decoded by itself: a stretch with no word at all, or a part of one beside
/// words. A breath after the last word is half a second long, and decoded alone it becomes "Yeah."
const MISSED_WHOLE_MS: i64 = 450;
const MISSED_BESIDE_MS: i64 = 1_100;
/// And what is parted by less is decoded together.
const BREATH_MS: i64 = 550;
/// Of a sound that is shorter the encoder sees little of what it was trained with: 10 s.
const SHORT: usize = 160_000;
/// Nobody says a letter in less.
const LETTER_LEAST_MS: i64 = 25;
/// Stretches a window that are tried, those nearest to words first: further off it is mostly a noise that comes again.
const STRETCHES: usize = 3;
/// From this mean log probability on a first look is good enough; below it more beams often know a name better.
const SURE: f32 = -0.12;
/// A window whose mean log probability is below this is left in doubt.
const BELIEVED: f32 = -0.6;

/// Whether somebody said which language is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    Told,
    Found,
}

/// So much speech tells a language.
pub(super) const TELLING_MS: i64 = 1_500;
/// Odds for another language, and against the usual one, that make a window foreign.
pub(super) const CLEARLY: f32 = 0.85;
const HARDLY: f32 = 0.05;
/// As much is enough where there are next to none for the usual one.
const LIKELY: f32 = 0.6;
const NONE: f32 = 0.0025;
/// Of so many windows one is asked what it sounds like where the language was told: that may be wrong.
const ASKED_EVERY: u32 = 4;

/// The words of a window with times of the film, and how it went.
///
/// `ask` is the first, quick look; with `Spoken::Found` its language is that of most of the film, and a window that is
/// clearly in another is written in that. What is in doubt is looked at again with more care (`fast` does so only where
/// something is plainly wrong); speech without words is decoded by itself.
pub fn hear(
    session: &mut dyn Session,
    window: &Window,
    ask: &Ask,
    preset: Preset,
    spoken: Spoken,
    stop: &AtomicBool,
) -> Result<(Heard, Stretch), Error> {
    if !window.is_spoken() {
        return unheard::hear(session, window, ask, spoken, stop);
    }
    let speech = window.speech_inside();
    let speech_ms = speech.iter().map(|s| s.end - s.start).sum::<i64>() / PER_MS;
    let samples = window.samples();
    let sound = Sound { samples: &samples, speech: &speech };
    let mut ask = ask.clone();
    let usual = ask.language;
    let mut looked =
        Looked { sound, speech: &window.speech, spoken, usual, tongues: &[], strangers: &[], other: &[] };
    let mut sounds_like = None;
    if speech_ms >= TELLING_MS && (spoken == Spoken::Found || window.index.is_multiple_of(ASKED_EVERY)) {
        let found = language_of(session, sound.samples, ask.language)?;
        match spoken {
            Spoken::Found => ask.language = found,
            Spoken::Told => sounds_like = Some(found),
        }
    }
    let mut tongues = Tongues::of(session, sound, usual, spoken)?;
    ask.language = tongues.of_most(session, ask.language)?;
    let ask = &ask;
    let strangers = looked.strangers(session, ask.language)?;
    looked.strangers = &strangers;
    // Of a translation the decoder is never sure, and beams make it no better (measured in four languages).
    let worth_it = preset != Preset::Fast && ask.task == Task::Transcribe;
    // A second look at a short sound is often one over more context.
    let beside =
        (worth_it && sound.samples.len() >= SHORT).then_some(Beside { beams: CAREFUL_BEAM, below: SURE });
    let mut heard = look(session, sound, &Ask { beside, ..ask.clone() }, stop)?;
    let mut other = Vec::new();
    let doubt = guard::doubt(&heard, speech_ms);
    let again = match doubt {
        None => worth_it && !heard.words.is_empty() && heard.avg_logprob < SURE,
        Some(Doubt::Unsure) => worth_it,
        Some(_) => true,
    };
    if again {
        // What is plainly wrong may be the prompt's doing.
        let prompt = ask.prompt.clone().filter(|_| matches!(doubt, None | Some(Doubt::Unsure)));
        // Translations and short sounds are steadier over more context; else what is encoded already serves as well.
        let context = match ask.task {
            Task::Translate => Context::Whole,
            Task::Transcribe if doubt.is_some() && sound.samples.len() < SHORT => ask.context.wider(),
            Task::Transcribe => ask.context,
        };
        // The same again would say the same.
        let same = context == ask.context && ask.beam == CAREFUL_BEAM;
        let beam = if same { 1 } else { CAREFUL_BEAM };
        let careful = Ask { beam, context, prompt, ..ask.clone() };
        let second = look(session, sound, &careful, stop)?;
        let gaps = [&heard, &second].map(|heard| looked.gaps(&heard.words, ask.language));
        let (better, worse) = guard::better(heard, second, speech_ms, gaps);
        (heard, other) = (better, worse.words);
    }
    // What stands apart is asked by itself where it is strange.
    let tongues = tongues.proven(session, &looked.apart())?;
    (looked.other, looked.tongues) = (&other, &tongues);
    heard = guard::purge(heard, speech_ms);
    let (mut heard, alone) = islands::hear(session, looked, heard, ask, stop)?;
    if worth_it {
        heard = lone::hear(session, looked, heard, ask, stop)?;
    }
    // Less than half of what was heard by itself is another stretch.
    let is_most = |s: &Range<i64>, a: &Range<i64>| (s.end - s.start) * 2 > a.end - a.start;
    let is_new =
        |s: &Range<i64>| !alone.iter().any(|a| a.start <= s.start && s.end <= a.end && is_most(s, a));
    let careful = Ask { beam: CAREFUL_BEAM, ..ask.clone() };
    let mut left: Vec<Range<i64>> = missed(&heard.words, &speech).into_iter().filter(is_new).collect();
    for _ in 0..STRETCHES {
        let Some(stretch) = nearest(&left, &heard.words) else { break };
        left.retain(|other| *other != stretch);
        let found = alone::hear(session, sound, &stretch, &careful, stop)?;
        if found.believed || was_said(&found.words, &other) {
            insert(&mut heard.words, found.words, &speech);
        } else {
            // Of a noise and the speech behind it as one nothing may be believed.
            let inside = |s: &Range<i64>| stretch.start <= s.start && s.end <= stretch.end && *s != stretch;
            let long = |s: &Range<i64>| s.end - s.start >= MISSED_WHOLE_MS * PER_MS;
            let pieces: Vec<Range<i64>> =
                speech.iter().filter(|s| inside(s) && long(s) && is_new(s)).cloned().collect();
            left.extend(nearest(&pieces, &heard.words));
        }
    }
    // A third of the windows are a little unsure and right: only what is far below is left in doubt.
    let doubt = guard::doubt(&heard, speech_ms)
        .filter(|d| *d != Doubt::Unsure || heard.avg_logprob < BELIEVED)
        .map(|d| d.as_str().to_owned());
    let wordless = missed(&heard.words, &speech);
    let outer = window.map.outer();
    let stretch = Stretch {
        start_ms: (outer.start / PER_MS).max(0),
        end_ms: outer.end / PER_MS,
        speech_ms,
        wordless_ms: wordless.iter().map(|s| (s.end - s.start) / PER_MS).sum(),
        doubt,
        sounds_like,
    };
    heard.words = words::place(heard.words, &window.map, &window.speech, ask.language);
    Ok((heard, stretch))
}

/// Decodes a window; a second time without the prompt where the words may be nothing but the prompt's.
fn look(session: &mut dyn Session, sound: Sound<'_>, ask: &Ask, stop: &AtomicBool) -> Result<Heard, Error> {
    let heard = session.transcribe(sound, ask, stop)?;
    let suspect = ask.prompt.as_ref().and_then(|prompt| echo::suspect(&heard.words, prompt));
    let Some(doubted) = suspect.filter(|doubted| !echo::is_listened(&heard, doubted)) else {
        return Ok(heard);
    };
    let bare = session.transcribe(sound, &unprompted(ask), stop)?;
    if echo::is_confirmed(&heard.words[doubted.clone()], &bare.words) {
        return Ok(heard);
    }
    let echo: String = heard.words[doubted].iter().map(|w| w.text.as_str()).collect();
    log::debug!("'{}' stands in the prompt and was not heard without it: left out", echo.trim());
    Ok(bare)
}

/// The same without a prompt.
pub(super) fn unprompted(ask: &Ask) -> Ask {
    Ask { prompt: None, ..ask.clone() }
}

/// The language of a stretch: `usual`, unless the odds are clearly for another. What is encoded for it is used again when
/// the same stretch is transcribed.
pub(super) fn language_of(
    session: &mut dyn Session,
    samples: &[f32],
    usual: Language,
) -> Result<Language, Error> {
    Ok(clearly(&session.detect(Sound { samples, speech: &[] })?, usual))
}

/// `usual`, unless the odds are clearly for another.
pub(super) fn clearly(odds: &LanguageOdds, usual: Language) -> Language {
    match odds.best() {
        Some((other, p)) if p >= CLEARLY && odds.of(usual) < HARDLY => other,
        Some((other, p)) if p >= LIKELY && odds.of(usual) < NONE => other,
        _ => usual,
    }
}

/// Whether words that are not believed by themselves are what another look had in their place: two that hear the same.
fn was_said(words: &[Word], other: &[Word]) -> bool {
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return false };
    let (from, to) = (first.start_ms - SLACK_MS, last.end_ms + SLACK_MS);
    let there: Vec<Word> = other.iter().filter(|w| w.end_ms > from && w.start_ms < to).cloned().collect();
    words.len() >= FEW && agreement(words, &there) >= AGREED && !guard::is_stock(words)
}

/// Stretches of speech, in samples, that no word covers; what only a breath parts is one.
fn missed(words: &[Word], speech: &[Range<i64>]) -> Vec<Range<i64>> {
    let mut out = Vec::new();
    for stretch in speech {
        let (begin, end) = (stretch.start / PER_MS, stretch.end / PER_MS);
        let near = words.iter().filter(|w| w.end_ms + SLACK_MS > begin && w.start_ms - SLACK_MS < end);
        let mut from = begin;
        for word in near {
            if word.start_ms - SLACK_MS - from >= MISSED_BESIDE_MS {
                out.push(from * PER_MS..(word.start_ms - SLACK_MS) * PER_MS);
            }
            from = from.max(word.end_ms + SLACK_MS);
        }
        let least = if from == begin { MISSED_WHOLE_MS } else { MISSED_BESIDE_MS };
        if end - from >= least {
            out.push(from * PER_MS..end * PER_MS);
        }
    }
    out.dedup_by(|next, last| {
        let is_one = next.start - last.end < BREATH_MS * PER_MS
            && !words.iter().any(|w| w.end_ms > last.end / PER_MS && w.start_ms < next.start / PER_MS);
        if is_one {
            last.end = next.end;
        }
        is_one
    });
    out
}

/// The stretch that is nearest to a word.
fn nearest(stretches: &[Range<i64>], words: &[Word]) -> Option<Range<i64>> {
    let apart = |s: &&Range<i64>| {
        let (begin, end) = (s.start / PER_MS, s.end / PER_MS);
        words.iter().map(|w| (begin - w.end_ms).max(w.start_ms - end).max(0)).min()
    };
    stretches.iter().min_by_key(apart).cloned()
}

/// Puts found words in their place, unless their neighbours say the same: then only the times were off. But a neighbour that
/// is said where it stands, in speech of its own and in the time that it takes, is what somebody says again.
fn insert(words: &mut Vec<Word>, found: Vec<Word>, speech: &[Range<i64>]) {
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return };
    let at = words.partition_point(|w| w.start_ms < first.start_ms);
    let near = &words[at.saturating_sub(found.len() + 2)..(at + found.len() + 2).min(words.len())];
    let known = |w: &Word| near.iter().find(|other| other.plain() == w.plain());
    let known: Vec<&Word> = found.iter().filter_map(known).collect();
    let is_said = |w: &&&Word| {
        let middle = (w.start_ms + w.end_ms) / 2;
        let is_apart = w.end_ms + BREATH_MS / 2 < first.start_ms || w.start_ms - BREATH_MS / 2 > last.end_ms;
        let takes = w.plain().chars().count() as i64 * LETTER_LEAST_MS;
        is_apart && w.end_ms - w.start_ms >= takes && speech.iter().any(|s| s.contains(&(middle * PER_MS)))
    };
    if known.len() < found.len() || known.iter().filter(is_said).count() * 3 > known.len() * 2 {
        words.splice(at..at, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::windows::{Span, TimeMap};
    use crate::engine::Engine;
    use crate::engine::scripted::{self, Scripted};

    fn word(text: &str, start_ms: i64, end_ms: i64) -> Word {
        Word { text: format!(" {text}"), start_ms, end_ms, p: 0.9 }
    }

    fn check(words: &[(i64, i64)], speech: &[(i64, i64)], expected: &[(i64, i64)]) {
        let words: Vec<Word> = words.iter().map(|&(start, end)| word("w", start, end)).collect();
        let speech: Vec<Range<i64>> =
            speech.iter().map(|&(start, end)| start * PER_MS..end * PER_MS).collect();
        let got: Vec<(i64, i64)> =
            missed(&words, &speech).iter().map(|s| (s.start / PER_MS, s.end / PER_MS)).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn speech_with_words_is_not_missed() {
        check(&[(100, 500), (500, 900)], &[(0, 1_000)], &[]);
        check(&[(100, 500), (1_500, 1_900)], &[(0, 2_700)], &[]);
        check(&[], &[], &[]);
    }

    #[test]
    fn speech_without_words_is_missed_before_between_and_behind() {
        check(&[], &[(0, 1_000)], &[(0, 1_000)]);
        check(&[(100, 500)], &[(0, 600), (2_000, 2_800)], &[(2_000, 2_800)]);
        check(&[(2_000, 2_500)], &[(0, 2_600)], &[(0, 1_800)]);
        check(&[(0, 500), (3_000, 3_500)], &[(0, 3_600)], &[(700, 2_800)]);
        check(&[(0, 500)], &[(0, 1_900)], &[(700, 1_900)]);
        // What a breath parts is one, unless a word stands there.
        check(&[], &[(0, 1_000), (1_400, 2_400)], &[(0, 2_400)]);
        check(&[(1_050, 1_350)], &[(0, 850), (1_550, 2_400)], &[(0, 850), (1_550, 2_400)]);
    }

    #[test]
    fn what_is_nearest_to_words_is_tried_first() {
        let ms = |start: i64, end: i64| start * PER_MS..end * PER_MS;
        let stretches = [ms(0, 1_000), ms(2_000, 3_000), ms(6_000, 7_000), ms(9_000, 9_800)];
        let words = [word("one", 3_500, 3_900), word("two", 3_900, 5_800)];
        assert_eq!(nearest(&stretches, &words), Some(ms(6_000, 7_000)));
        assert_eq!(nearest(&stretches[..2], &words), Some(ms(2_000, 3_000)));
        assert_eq!(nearest(&stretches, &[]), Some(ms(0, 1_000)));
        assert_eq!(nearest(&[], &words), None);
    }

    #[test]
    fn what_two_looks_heard_was_said() {
        let sentence = |texts: [&str; 4], from: i64| {
            let word = |(i, text): (i64, &&str)| word(text, from + i * 300, from + i * 300 + 250);
            (0..).zip(&texts).map(word).collect::<Vec<_>>()
        };
        let found = sentence(["You", "can", "call", "me."], 1_000);
        assert!(was_said(&found, &sentence(["you", "can", "call", "him"], 1_100)));
        assert!(!was_said(&found, &sentence(["I", "beg", "your", "pardon"], 1_100)));
        assert!(!was_said(&found, &sentence(["you", "can", "call", "me"], 5_000)));
        assert!(!was_said(&found[..2], &found));
        assert!(!was_said(&[], &found));
    }

    #[test]
    fn words_found_stand_between_their_neighbours_but_not_twice() {
        let mut words = vec![word("one", 0, 300), word("four", 2_000, 2_300)];
        let speech = [0..1_200 * PER_MS, 1_500 * PER_MS..2_300 * PER_MS, 3_000 * PER_MS..3_500 * PER_MS];
        insert(&mut words, vec![word("two", 700, 900), word("three", 900, 1_200)], &speech);
        let texts: Vec<&str> = words.iter().map(|w| w.text.trim()).collect();
        assert_eq!(texts, ["one", "two", "three", "four"]);
        insert(&mut words, vec![word("Four.", 1_500, 1_900)], &speech);
        assert_eq!(words.len(), 4);
        // Said again, with the first in speech of its own; that has no time, or stands in silence.
        insert(&mut words, vec![word("Four.", 3_000, 3_400)], &speech);
        assert_eq!(words.len(), 5);
        for (start_ms, end_ms) in [(2_000, 2_050), (2_400, 2_700)] {
            let mut words = vec![word("one", 0, 300), word("four", start_ms, end_ms)];
            insert(&mut words, vec![word("Four.", 3_000, 3_400)], &speech);
            assert_eq!(words.len(), 2, "{start_ms}");
        }
    }

    #[test]
    fn of_a_noise_and_the_speech_behind_it_the_speech_is_heard() {
        let (second, said) = (1_000 * PER_MS, ["And", "so", "it", "begins."]);
        // A noise and the sentence, a breath apart, are taken for one; only the sentence alone is understood.
        let (noise, sentence, rest) =
            (5 * second..7 * second, 73 * second / 10..9 * second, 98 * second / 10..12 * second);
        let engine = Scripted::new(LanguageOdds::default(), move |sound, _, _| {
            let length = sound.samples.len() as i64;
            let (texts, from, avg_logprob) = match length {
                _ if length > 10 * second => (&["He", "went", "on", "and", "on."][..], 9_900, -0.05),
                _ if length > 3 * second => (&said[..], 200, -2.0),
                _ => (&said[..], 200, -0.1),
            };
            let word = |(i, text): (i64, &&str)| word(text, from + i * 400, from + i * 400 + 350);
            let words = (0..).zip(texts).map(word).collect();
            Ok(Heard { words, no_speech: Some(0.01), avg_logprob, listened: None })
        });
        let speech = [noise, sentence, rest].map(|s| Span { start: s.start, end: s.end });
        let whole = Span { start: 0, end: 13 * second };
        let window =
            Window::new(1, &vec![0.1; whole.end as usize], TimeMap::new(vec![whole]), speech.to_vec());
        let ask = scripted::ask();
        let mut session = engine.session().unwrap();
        let stop = AtomicBool::new(false);
        let (heard, _) =
            hear(session.as_mut(), &window, &ask, Preset::Balanced, Spoken::Told, &stop).unwrap();
        let text: String = heard.words.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(text.trim(), "And so it begins. He went on and on.");
        assert!((7_200..7_800).contains(&heard.words[0].start_ms), "{:?}", heard.words[0]);
    }
}
