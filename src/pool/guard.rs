//! Judges what a window gave: is it speech written down, or one of the things Whisper makes up? Pure; decodes nothing.

use crate::engine::Heard;
use crate::subtitle::Word;

/// Below this mean log probability a window is worth a second, more careful decoding: on the speech set all windows
/// with more than one word in ten wrong lie below it, and two thirds of the others above.
const UNSURE: f32 = -0.2;
/// Letters of a hum that somebody may have written down.
const LONGEST_HUM: usize = 8;
/// More words in a second of speech than anybody says.
const FASTEST: f32 = 7.5;
/// A run of this many words said again right away is a loop; shorter runs must come more often, and a single word
/// more often than people say "no".
const LOOP_WORDS: usize = 5;
const LOOP_TIMES: usize = 4;
const LOOP_TIMES_ALONE: usize = 7;
/// But rounds with so much silence between them, whose words come at the same times but for this (and an eighth of the time
/// since their first), are a sentence that somebody says again: a loop has the times of what is said in its place.
const APART_MS: i64 = 300;
const OFF_MS: i64 = 250;
/// With others in between a run of so many words, so often, is a loop where it is a third of them and they come faster
/// than most people speak, in words a second: who repeats himself takes his time.
const REFRAIN_WORDS: usize = 3;
const REFRAIN_TIMES: usize = 3;
const HURRIED: f32 = 4.5;
/// Of so many words one may be another the next time: "beauty's" and "beauties".
const ALIKE: usize = 8;
/// So much surer must a decoding be for each part without words that the other has words for.
const GAP: f32 = 0.1;
/// So many words more are worth so much less sureness.
const MANY_MORE: usize = 3;
const HARDLY_LESS: f32 = 0.45;
/// A stock phrase is believed when the decoder is as sure as this.
const SURE: f32 = -0.15;

/// What is wrong with a window's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The same words over and over.
    Loop,
    /// More words than the speech has room for.
    Crowded,
    /// A phrase that Whisper writes where nobody speaks.
    Stock,
    /// Nothing but humming.
    Hum,
    /// The decoder itself was not sure.
    Unsure,
}

impl Doubt {
    /// Its name in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Doubt::Loop => "loop",
            Doubt::Crowded => "crowded",
            Doubt::Stock => "stock",
            Doubt::Hum => "hum",
            Doubt::Unsure => "unsure",
        }
    }
}

/// The first doubt there is; `speech_ms` is what the detector heard in the window.
pub fn doubt(heard: &Heard, speech_ms: i64) -> Option<Doubt> {
    let words = &heard.words;
    if words.is_empty() {
        return None;
    }
    let lettered: Vec<Word> = words.iter().filter(|w| !w.plain().is_empty()).cloned().collect();
    let plain = plain_words(&lettered);
    let rate = spaced_rate(words, speech_ms);
    if first_loop(&lettered, &plain).is_some() || (rate > HURRIED && has_refrain(&plain)) {
        Some(Doubt::Loop)
    } else if plain.iter().all(|w| is_hum(w)) {
        Some(Doubt::Hum)
    } else if heard.avg_logprob < SURE && is_stock(words) {
        Some(Doubt::Stock)
    } else if plain.len() > 4 && rate > FASTEST {
        Some(Doubt::Crowded)
    } else if heard.avg_logprob < UNSURE {
        Some(Doubt::Unsure)
    } else {
        None
    }
}

/// The better of two decodings of one window, and the other: the one with less to doubt, then the surer one. `gaps` is how
/// many parts of the window each leaves without words.
pub fn better(first: Heard, second: Heard, speech_ms: i64, gaps: [usize; 2]) -> (Heard, Heard) {
    let standing = |heard: &Heard| match doubt(heard, speech_ms) {
        None => 0,
        Some(Doubt::Unsure) => 0,
        Some(Doubt::Crowded) => 1,
        Some(_) => 2,
    };
    let (a, b) = (standing(&first), standing(&second));
    // Words that the second way lost were not there, or not heard: where nothing is doubtful, more words win.
    let fewer = |some: &Heard, others: &Heard| some.words.len() * 3 < others.words.len() * 2;
    let lost = a == 0 && fewer(&second, &first);
    let [first_sure, second_sure] =
        [(&first, gaps[0]), (&second, gaps[1])].map(|(heard, gaps)| heard.avg_logprob - GAP * gaps as f32);
    let found = b == 0
        && fewer(&first, &second)
        && first.words.len() + MANY_MORE <= second.words.len()
        && second_sure > first_sure - HARDLY_LESS;
    if b < a || (a == b && !lost && (found || second_sure > first_sure)) {
        (second, first)
    } else {
        (first, second)
    }
}

/// Takes out what nobody said: humming, stock phrases, and the repeats of a loop.
pub fn purge(heard: Heard, speech_ms: i64) -> Heard {
    let mut heard = match doubt(&heard, speech_ms) {
        Some(Doubt::Hum | Doubt::Stock) => Heard { words: Vec::new(), ..heard },
        Some(Doubt::Loop) => Heard { words: without_loops(heard.words), ..heard },
        _ => heard,
    };
    heard.words.retain(|w| !is_drone(&w.plain()));
    heard
}

/// A hum of more letters than people write: a machine, or wind.
fn is_drone(word: &str) -> bool {
    is_hum(word) && word.chars().count() > LONGEST_HUM
}

/// As [`Word::plain`], of each word.
pub fn plain_words(words: &[Word]) -> Vec<String> {
    words.iter().map(Word::plain).collect()
}

/// The first loop of what was spoken, in `words` the same plainly, as (start, length of one round, end).
fn first_loop(spoken: &[Word], words: &[String]) -> Option<(usize, usize, usize)> {
    for start in 0..words.len() {
        for round in 1..=(words.len() - start) / 2 {
            let times = |from: usize| {
                let unit = &words[from..from + round];
                words[from..].chunks(round).take_while(|c| are_alike(c, unit)).count()
            };
            let least = match round {
                1 => LOOP_TIMES_ALONE,
                r if r < LOOP_WORDS => LOOP_TIMES,
                _ => 2,
            };
            // With a word that may be another, what is said again seems to begin before or behind its first, too.
            let is_no_loop = |from: usize| {
                times(from) >= least && is_said_again(&spoken[from..from + times(from) * round], round)
            };
            let around = (start + 1).saturating_sub(round)..=(start + round - 1).min(words.len() - 2 * round);
            if times(start) >= least && !around.into_iter().any(is_no_loop) {
                return Some((start, round, start + times(start) * round));
            }
        }
    }
    None
}

/// Whether somebody says all these rounds, one after the other.
fn is_said_again(words: &[Word], round: usize) -> bool {
    words.iter().zip(&words[round..]).enumerate().all(|(i, (word, again))| {
        let (first, first_again) = (i / round * round, (i / round + 1) * round);
        let since = word.start_ms - words[first].start_ms;
        let since_again = again.start_ms - words[first_again].start_ms;
        words[first_again].start_ms - words[first_again - 1].end_ms >= APART_MS
            && (since - since_again).abs() <= OFF_MS + since / 8
    })
}

/// Whether one run of words makes up a third of them, with others in between.
fn has_refrain(words: &[String]) -> bool {
    let mut runs = words.windows(REFRAIN_WORDS).enumerate();
    runs.any(|(at, run)| {
        let (mut times, mut from) = (0, at);
        while let Some(next) = words[from..].windows(REFRAIN_WORDS).position(|other| other == run) {
            if times > 0 && next == 0 {
                return false;
            }
            (times, from) = (times + 1, from + next + REFRAIN_WORDS);
        }
        times >= REFRAIN_TIMES && times * REFRAIN_WORDS * 3 >= words.len()
    })
}

/// Whether two rounds are the same, but for a word in [`ALIKE`].
fn are_alike(round: &[String], unit: &[String]) -> bool {
    let most = unit.len() / ALIKE;
    let others = round.iter().zip(unit).filter(|(a, b)| a != b);
    round.len() == unit.len() && others.take(most + 1).count() <= most
}

/// Keeps one round of each loop.
fn without_loops(mut words: Vec<Word>) -> Vec<Word> {
    words.retain(|w| !w.plain().is_empty());
    loop {
        let Some((start, round, end)) = first_loop(&words, &plain_words(&words)) else { return words };
        words.drain(start + round..end);
    }
}

/// Words a second; in scripts without spaces a word is about two characters.
fn spaced_rate(words: &[Word], speech_ms: i64) -> f32 {
    let spaced = words.iter().filter(|w| w.text.starts_with(char::is_whitespace)).count();
    let count = if spaced * 2 >= words.len() { words.len() } else { words.len() / 2 };
    count as f32 * 1000.0 / speech_ms.max(1) as f32
}

/// Nothing, or nothing but humming.
pub fn is_humming(words: &[Word]) -> bool {
    words.iter().map(|w| w.plain()).all(|w| w.is_empty() || is_hum(&w))
}

fn is_hum(word: &str) -> bool {
    let letters = |set: &str| !word.is_empty() && word.chars().all(|c| set.contains(c));
    word.len() > 1 && (letters("hm") || letters("uh") || letters("um") || letters("хм") || letters("мм"))
}

/// Phrases from the subtitles that Whisper learnt from, in lower case without marks.
static STOCK: &[&str] = &[
    "you",
    "thank you",
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "thanks for watching and dont forget to like and subscribe",
    "please subscribe",
    "please subscribe to my channel",
    "subtitles by the amaraorg community",
    "see you next time",
    "bye",
    "vielen dank",
    "vielen dank fürs zuschauen",
    "untertitel im auftrag des zdf für funk 2017",
    "untertitelung des zdf 2020",
    "untertitel der amaraorg community",
    "sous titres réalisés par la communauté damaraorg",
    "soustitres réalisés par la communauté damaraorg",
    "merci davoir regardé cette vidéo",
    "subtítulos realizados por la comunidad de amaraorg",
    "gracias por ver el video",
    "sottotitoli creati dalla comunità amaraorg",
    "sottotitoli e revisione a cura di qtss",
    "grazie per la visione",
    "legendas pela comunidade amaraorg",
    "субтитры сделал dimatorzok",
    "продолжение следует",
    "спасибо за просмотр",
    "ご視聴ありがとうございました",
    "字幕由amaraorg社群提供",
    "請不吝點贊訂閱轉發打賞支持明鏡與點點欄目",
];

/// Nothing but one of the phrases that Whisper writes where nobody speaks.
pub fn is_stock(words: &[Word]) -> bool {
    let text = words.iter().map(|w| w.plain()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    STOCK.iter().any(|phrase| *phrase == text || phrase.replace(' ', "") == text.replace(' ', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str, avg_logprob: f32) -> Heard {
        let words = text
            .split_inclusive(' ')
            .map(|w| Word { text: format!(" {}", w.trim()), start_ms: 0, end_ms: 100, p: 0.5 })
            .collect();
        Heard { words, no_speech: None, avg_logprob, listened: None }
    }

    fn check(text: &str, avg_logprob: f32, expected: Option<Doubt>) {
        assert_eq!(doubt(&heard(text, avg_logprob), 3_000), expected, "{text}");
    }

    #[test]
    fn what_people_say_is_not_doubted() {
        check("And so my fellow Americans", -0.1, None);
        check("No, no, no, no!", -0.1, None);
        check("Thank you.", -0.05, None);
        check("He said that that was that", -0.1, None);
        let haste = heard("I don't know, I don't know, I don't know at all, I tell you!", -0.1);
        assert_eq!(doubt(&haste, 2_500), None);
        check("", -1.0, None);
    }

    #[test]
    fn loops_hums_stock_phrases_and_crowds_are_doubted() {
        check(
            "made amiable himself. He might have made amiable himself. He might have",
            -0.1,
            Some(Doubt::Loop),
        );
        check("no no no no no no no", -0.1, Some(Doubt::Loop));
        // One of eight words may be another.
        let lines = "beauty's rose might never die but as the beauties rose might never die but as the";
        check(lines, -0.1, Some(Doubt::Loop));
        check(&lines.replacen("never", "ever", 1), -0.1, None);
        // A run that comes back between other words.
        let party =
            "The Communist Party of China, the Communist Party and the Communist Party are in the middle";
        check(party, -0.1, Some(Doubt::Loop));
        assert_eq!(doubt(&heard(party, -0.1), 6_000), None);
        check(&party.replacen("Communist", "other", 1), -0.1, None);
        check("Hmm.", -0.1, Some(Doubt::Hum));
        check("Thanks for watching!", -0.3, Some(Doubt::Stock));
        check("Sous-titres réalisés par la communauté d'Amara.org", -0.3, Some(Doubt::Stock));
        check("a b c d e f g h i j k l m n o p q r s t u v w x", -0.1, Some(Doubt::Crowded));
        check("something else", -0.5, Some(Doubt::Unsure));
    }

    #[test]
    fn a_sentence_that_somebody_says_again_is_no_loop() {
        let check = |pause_ms: i64, slower_ms: i64, expected| {
            let texts = ["He", "was", "not", "an", "idle", "man."];
            let word = |(i, text): (i64, &&str)| {
                let (round, at) = (i / 6, i % 6);
                let start_ms = round * (1_800 + pause_ms) + at * (300 + round * slower_ms);
                Word { text: format!(" {text}"), start_ms, end_ms: start_ms + 300, p: 0.9 }
            };
            let mut words: Vec<Word> = (0..).zip(texts.iter().chain(&texts)).map(word).collect();
            // The sentence before ends as this one does, so that it may seem to begin a word earlier.
            words.insert(0, Word { text: " man.".to_owned(), start_ms: -1_000, end_ms: -700, p: 0.9 });
            words.push(Word { text: " Had".to_owned(), start_ms: 9_000, end_ms: 9_300, p: 0.9 });
            let twice = Heard { words, no_speech: None, avg_logprob: -0.1, listened: None };
            assert_eq!(doubt(&twice, 6_000), expected, "{pause_ms} {slower_ms}");
            let left = if expected.is_none() { 14 } else { 8 };
            assert_eq!(purge(twice, 6_000).words.len(), left);
        };
        check(500, 0, None);
        check(500, 60, None);
        check(100, 0, Some(Doubt::Loop));
        check(500, 150, Some(Doubt::Loop));
    }

    #[test]
    fn a_loop_is_purged_to_one_round_and_a_hum_to_nothing() {
        let words = |h: Heard| h.words.iter().map(|w| w.text.trim().to_owned()).collect::<Vec<_>>().join(" ");
        let looped = heard("it was so good it was so good it was so good indeed", -0.1);
        assert_eq!(words(purge(looped, 9_000)), "it was so good it was so good it was so good indeed");
        let looped = heard("it was so very good it was so very good it was so very good indeed", -0.1);
        assert_eq!(words(purge(looped, 9_000)), "it was so very good indeed");
        assert_eq!(words(purge(heard("Mm.", -0.1), 9_000)), "");
        assert_eq!(words(purge(heard("Mmmmmmmmmmmm. Goodbye.", -0.1), 9_000)), "Goodbye.");
        assert_eq!(words(purge(heard("Hmm, goodbye.", -0.1), 9_000)), "Hmm, goodbye.");
    }

    #[test]
    fn of_two_decodings_the_one_without_a_loop_wins_then_the_surer() {
        let looped = heard("no no no no no no no no", -0.05);
        let sure = heard("no way out", -0.3);
        let better =
            |first: &Heard, second: &Heard, gaps| better(first.clone(), second.clone(), 3_000, gaps).0;
        assert_eq!(better(&looped, &sure, [0, 0]), sure);
        let surer = heard("no way home", -0.1);
        assert_eq!(better(&sure, &surer, [0, 0]), surer);
        assert_eq!(better(&sure, &surer, [0, 1]), surer);
        assert_eq!(better(&sure, &surer, [0, 3]), sure);
        let shorter = heard("no", -0.01);
        assert_eq!(better(&sure, &shorter, [0, 0]), sure);
        assert_eq!(better(&shorter, &sure, [0, 0]), shorter);
        let longer = heard("there is no way out", -0.3);
        assert_eq!(better(&shorter, &longer, [0, 0]), longer);
        let fuller = heard("there is no way out", -0.5);
        assert_eq!(better(&shorter, &fuller, [0, 0]), shorter);
    }
}
