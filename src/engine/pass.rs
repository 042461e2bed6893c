//! From tokens to what was heard, and on to a rest of the sound that has no words yet. Knows nothing of who decodes.

use super::times::Said;
use super::words::{Token, join};
use super::{Ask, Context, Error, Heard, Sound};
use crate::job::Task;
use crate::language::Language;
use crate::subtitle::Word;
use std::ops::Range;

/// Samples per millisecond.
pub(super) const PER_MS: i64 = 16;
/// Samples for one position of the encoder: 20 ms.
pub(super) const PER_POSITION: usize = 320;
/// The encoder's positions for 30 s.
pub(super) const POSITIONS: usize = 1500;
/// `audio_ctx` goes in steps of 64, which the fast kernels need; the rounding never exceeds 1472.
const POSITION_STEP: usize = 64;
const POSITIONS_ROUNDED: usize = 1472;
/// Fewer positions make the decoder loop on short sounds (seen: one sentence three times over at 256).
const POSITIONS_LEAST: usize = 512;
/// Of [`Context::Ample`], for up to 20 s.
const AMPLE_POSITIONS: usize = 1024;
/// A tail is decoded when this much speech lies behind the last time stamp.
const TAIL_SPEECH: i64 = 400 * PER_MS;
const TAIL_LEAD: i64 = 200 * PER_MS;
const TAILS: u32 = 4;
/// A tail in which Whisper thinks that nobody speaks has no words: those it writes ("you", "Oh.") are made up.
pub(super) const SPEECHLESS: f32 = 0.6;
/// The end of a stretch that has words is mostly a breath, or the room, when it is shorter than this: there Whisper writes
/// "Yeah." (0.24 and more on 30 of them), where it broke off before a last word or two it is sure that somebody speaks (0.08).
const BREATH: i64 = 1_100 * PER_MS;
const HARDLY_SPEECHLESS: f32 = 0.2;
/// Words that go on so far behind the time stamp that ends them are in the tail once more.
const OVER_MS: i64 = 200;
/// A text with a mean log probability below this is tried again with dice, and so is one whose last tokens are too much
/// alike (in nats; whisper.cpp's limits). Where nobody seems to speak an improbable text is none.
pub(super) const UNSURE: f32 = -1.0;
pub(super) const ALIKE: f32 = 2.4;
pub(super) const ALIKE_OVER: usize = 32;
/// More tokens than these and one for each so many samples are a loop: the densest script has 20 a second.
const FEWEST_TOKENS: usize = 24;
const SAMPLES_A_TOKEN: usize = 800;

/// What one encoder run gave.
#[derive(Default)]
pub(super) struct Pass {
    pub tokens: Vec<Token>,
    /// The probability that nobody speaks, from who can tell.
    pub no_speech: Option<f32>,
    pub logprob_sum: f32,
    pub listened: Listened,
    /// The last time stamp, in samples, when it was not at the end.
    pub stopped_at: Option<i64>,
}

/// A token of a segment with what the decoder thought of it.
pub(super) struct Decoded<'a> {
    pub said: Said<'a>,
    pub p: f32,
    pub logprob: f32,
}

#[cfg(test)]
impl Decoded<'_> {
    /// A token that the decoder was sure of.
    pub fn sure(text: &str) -> Decoded<'_> {
        let said = Said { text: text.as_bytes(), stamp_ms: 0, stamp_p: 0.0, stamps_p: 0.0 };
        Decoded { said, p: 1.0, logprob: 0.0 }
    }
}

/// Less than this was listened to for words that are made up, of so many tokens or more.
const MADE_UP: f32 = 0.7;
const MADE_UP_OF: usize = 3;

/// How much was listened to for the tokens of words.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Listened {
    sum: f32,
    count: usize,
}

impl Listened {
    /// Of tokens with how much was listened to for each; marks are not heard.
    pub fn of(tokens: &[Decoded<'_>], each: impl Iterator<Item = f32>) -> Listened {
        let is_mark =
            |token: &Decoded<'_>| token.said.text.iter().all(|b| b.is_ascii() && !b.is_ascii_alphanumeric());
        let each = tokens.iter().zip(each).filter(|(token, _)| !is_mark(token)).map(|(_, each)| each);
        each.fold(Listened::default(), |all, each| Listened { sum: all.sum + each, count: all.count + 1 })
    }

    pub fn add(&mut self, more: Listened) {
        *self = Listened { sum: self.sum + more.sum, count: self.count + more.count };
    }

    /// The mean of the tokens.
    pub fn mean(self) -> Option<f32> {
        (self.count > 0).then(|| self.sum / self.count as f32)
    }

    /// Whether nobody said the words.
    pub fn is_made_up(self) -> bool {
        self.count >= MADE_UP_OF && self.mean().is_some_and(|mean| mean < MADE_UP)
    }
}

impl Pass {
    /// Adds tokens with their times in milliseconds.
    pub fn add(&mut self, tokens: &[Decoded<'_>], times: &[Range<i64>]) {
        for (token, time) in tokens.iter().zip(times) {
            self.logprob_sum += token.logprob;
            let (start_ms, end_ms) = (time.start, time.end);
            self.tokens.push(Token { bytes: token.said.text.to_vec(), start_ms, end_ms, p: token.p });
        }
    }
}

impl Pass {
    /// The mean log probability of the text; 0 without any.
    pub fn mean(&self) -> f32 {
        self.logprob_sum / self.tokens.len().max(1) as f32
    }

    /// The better of two: what goes round in circles is sure of itself, anything else is better.
    pub fn or_better(self, other: Pass) -> Pass {
        let rank = |pass: &Pass| (!pass.is_looping(), pass.mean());
        if rank(&other) > rank(&self) { other } else { self }
    }

    /// Whether the text goes round in circles at its end.
    pub fn is_looping(&self) -> bool {
        let last = &self.tokens[self.tokens.len().saturating_sub(ALIKE_OVER)..];
        let last: Vec<&[u8]> = last.iter().map(|token| &token.bytes[..]).collect();
        self.tokens.len() > ALIKE_OVER && entropy(&last) < ALIKE
    }
}

/// Of the tokens, in nats: 0 when all are the same.
pub(super) fn entropy<T: PartialEq>(tokens: &[T]) -> f32 {
    let share = |of: &T| tokens.iter().filter(|t| *t == of).count() as f32 / tokens.len() as f32;
    tokens.iter().map(|of| -share(of).ln() / tokens.len() as f32).sum()
}

/// Fails when a model that knows English alone is asked for something else.
pub(super) fn able(multilingual: bool, ask: &Ask) -> Result<(), Error> {
    if multilingual || (ask.language == Language::ENGLISH && ask.task == Task::Transcribe) {
        return Ok(());
    }
    Err(Error::Unable(format!(
        "this model knows English only and cannot {} {}: use a model without '.en' in its name",
        ask.task, ask.language
    )))
}

/// Makes one pass over the sound, and others over the rest of it while there is speech behind the last time stamp.
pub(super) fn passes(
    sound: Sound<'_>,
    ask: &Ask,
    mut pass: impl FnMut(&[f32]) -> Result<Pass, Error>,
) -> Result<Heard, Error> {
    let mut heard = Heard::default();
    let (mut logprob, mut count, mut from, mut speechless) = (0.0, 0usize, 0i64, SPEECHLESS);
    let mut listened = Listened::default();
    for _ in 0..=TAILS {
        let pass = pass(sound.samples.get(from as usize..).unwrap_or_default())?;
        if from > 0 && pass.no_speech.is_some_and(|p| p > speechless) {
            break;
        }
        logprob += pass.logprob_sum;
        count += pass.tokens.len();
        listened.add(pass.listened);
        heard.no_speech = heard.no_speech.into_iter().chain(pass.no_speech).reduce(f32::max);
        let mut words = join(&pass.tokens, ask.language.is_unspaced());
        for word in &mut words {
            word.start_ms += from / PER_MS;
            word.end_ms += from / PER_MS;
        }
        words.drain(..known(&heard.words, &words, from / PER_MS));
        heard.words.extend(words);
        match pass.stopped_at.and_then(|at| unheard(sound.speech, from + at)) {
            Some(next) if next.from > from => (from, speechless) = (next.from, next.speechless),
            _ => break,
        }
    }
    heard.listened = listened.mean();
    heard.avg_logprob = if count == 0 { 0.0 } else { logprob / count as f32 };
    Ok(heard)
}

/// Speech that has no words yet.
#[derive(Debug, PartialEq)]
struct Tail {
    /// Where to go on, in samples.
    from: i64,
    /// It has words up to this probability that nobody speaks.
    speechless: f32,
}

/// Where to go on when enough speech lies behind `from`, in samples.
fn unheard(speech: &[Range<i64>], from: i64) -> Option<Tail> {
    let rest: i64 = speech.iter().map(|s| (s.end - s.start.max(from)).max(0)).sum();
    let next = speech.iter().find(|s| s.end > from)?;
    let is_new = speech.iter().any(|s| s.start + TAIL_LEAD >= from && s.end - s.start >= TAIL_SPEECH);
    let speechless = if is_new || rest >= BREATH { SPEECHLESS } else { HARDLY_SPEECHLESS };
    (rest >= TAIL_SPEECH).then(|| Tail { from: from.max(next.start - TAIL_LEAD), speechless })
}

/// How many of a tail's words, from the first on, are known: the last of those before it, which go on behind `from_ms`.
fn known(before: &[Word], tail: &[Word], from_ms: i64) -> usize {
    let Some(last) = before.last().filter(|w| w.end_ms > from_ms + OVER_MS) else { return 0 };
    let over = before.iter().rev().take_while(|w| w.end_ms > from_ms).count();
    let near = &tail[..tail.len().min(2 * over - 1)];
    let Some(at) = near.iter().rposition(|w| w.plain() == last.plain()) else { return 0 };
    let again = |w: &&Word| near[..=at].iter().any(|other| other.plain() == w.plain());
    let twice = before[before.len() - over..].iter().filter(again).count();
    if twice * 2 >= over { at + 1 } else { 0 }
}

/// The encoder positions that hold so many samples.
pub(super) fn positions(samples: usize) -> usize {
    let rounded = samples.div_ceil(PER_POSITION).next_multiple_of(POSITION_STEP).max(POSITIONS_LEAST);
    if rounded > POSITIONS_ROUNDED { POSITIONS } else { rounded }
}

/// The positions that are looked at of so many samples.
pub(super) fn context(context: Context, samples: usize) -> usize {
    match context {
        Context::Fitted => positions(samples),
        Context::Ample if positions(samples) > AMPLE_POSITIONS => POSITIONS,
        Context::Ample => AMPLE_POSITIONS,
        Context::Whole => POSITIONS,
    }
}

/// As many tokens as so many samples can hold.
pub(super) fn most_tokens(samples: usize) -> usize {
    FEWEST_TOKENS + samples / SAMPLES_A_TOKEN
}

#[cfg(test)]
mod tests {
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
        let check = |of, ms: usize, expected| assert_eq!(context(of, ms * 16), expected, "{ms} ms");
        check(Context::Fitted, 3_000, 512);
        check(Context::Ample, 3_000, 1024);
        check(Context::Ample, 20_000, 1024);
        check(Context::Ample, 21_000, 1500);
        check(Context::Whole, 3_000, 1500);
    }

    #[test]
    fn words_that_were_not_listened_to_are_made_up_and_marks_do_not_count() {
        let check = |texts: &[(&str, f32)], expected_mean, expected| {
            let tokens: Vec<Decoded<'_>> = texts.iter().map(|(text, _)| Decoded::sure(text)).collect();
            let listened = Listened::of(&tokens, texts.iter().map(|(_, each)| *each));
            assert_eq!((listened.mean(), listened.is_made_up()), (expected_mean, expected), "{texts:?}");
        };
        check(&[(" Thanks", 0.75), (" for", 0.0), (" watching", 0.0), ("!", 2.0)], Some(0.25), true);
        check(&[(" You", 1.5), (" can", 2.0), (" call", 2.5)], Some(2.0), false);
        check(&[(" Good", 0.25), ("bye", 0.25), (".", 0.0)], Some(0.25), false);
        check(&[("…", 0.5), ("電", 0.5), ("球", 0.5)], Some(0.5), true);
        check(&[(".", 1.0)], None, false);
    }

    #[test]
    fn only_speech_behind_the_last_word_is_gone_on_with() {
        let speech = [0..32_000, 80_000..120_000];
        let check = |from, expected: Option<(i64, f32)>| {
            let expected = expected.map(|(from, speechless)| Tail { from, speechless });
            assert_eq!(unheard(&speech, from), expected, "{from}");
        };
        check(118_000, None);
        check(40_000, Some((80_000 - TAIL_LEAD, SPEECHLESS)));
        check(90_000, Some((90_000, SPEECHLESS)));
        // The end of a stretch that has words, and all of one that has just begun.
        check(104_000, Some((104_000, HARDLY_SPEECHLESS)));
        let begun = 80_000..96_000;
        assert_eq!(unheard(std::slice::from_ref(&begun), 82_000).map(|t| t.speechless), Some(SPEECHLESS));
        assert_eq!(unheard(&[], 0), None);
    }

    #[test]
    fn words_that_go_on_behind_their_time_stamp_are_not_heard_twice() {
        let words = |text: &str, from_ms: i64| -> Vec<Word> {
            let word = |(i, text): (i64, &str)| {
                let start_ms = from_ms + i * 300;
                Word { text: format!(" {text}"), start_ms, end_ms: start_ms + 300, p: 1.0 }
            };
            (0..).zip(text.split(' ')).map(word).collect()
        };
        // The words before end at 3 s.
        let check = |before: &str, tail: &str, from_ms: i64, expected| {
            let before = words(before, 3_000 - 300 * before.split(' ').count() as i64);
            assert_eq!(known(&before, &words(tail, from_ms), from_ms), expected, "{before:?} {tail}");
        };
        check("for your country.", "Country. And so", 2_720, 1);
        check("an ill-sposed young man.", "and they'll dispose young man. Today", 2_150, 5);
        check("for your country", "Yeah.", 2_720, 0);
        // Said again behind the first, and what only ends with the same word.
        check("no, no,", "no, I", 3_000, 0);
        check("of the", "art of the book", 2_750, 0);
        check("than he was", "as ever it was", 2_150, 0);
        check("", "Yes.", 2_750, 0);
    }
}
