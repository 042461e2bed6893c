//! Where the language changes within a window. Knows nothing of threads, queues or models, nor of what was said.
//!
//! What a stretch sounds like among the others is told with the window, for next to nothing, and is often wrong; so where
//! it is another language than the film's, and not just a little, the stretch is asked by itself.

use super::alone;
use super::hear::{Spoken, TELLING_MS, language_of};
use crate::audio::PER_MS;
use crate::engine::{Error, LanguageOdds, Session, Sound};
use crate::language::Language;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// No odds are taken to be below.
const LEAST: f32 = 0.005;
/// What a change of language costs, in log odds. Of lines in another language among English ones, half a second to one and
/// a half apart, 34 in 37 are worth two of them; of what sounds like another for other reasons one in three.
const CHANGE: f32 = 1.9;
/// And at a breath.
const AT_BREATH: f32 = 3.0;
const BREATH_MS: i64 = 300;
/// Stretches of this length count once, in ms; shorter ones less, longer ones more.
const WEIGHT_MS: f32 = 1_500.0;
const LIGHTEST: f32 = 0.2;
const HEAVIEST: f32 = 1.5;

/// The languages of a window's stretches of speech, where they may differ and are told with little effort.
pub(super) struct Tongues<'a> {
    sound: Sound<'a>,
    /// That of most of the film.
    usual: Language,
    /// What they sound like among the others; nothing where that was not asked.
    seem: Vec<Language>,
    proven: Option<Vec<Language>>,
}

impl<'a> Tongues<'a> {
    pub fn of(
        session: &mut dyn Session,
        sound: Sound<'a>,
        usual: Language,
        spoken: Spoken,
    ) -> Result<Tongues<'a>, Error> {
        let may_differ = spoken == Spoken::Found && sound.speech.len() > 1 && session.tells_parts_at_once();
        let mut seem = Vec::new();
        if may_differ {
            seem = likeliest(sound.speech, &session.detect_parts(sound, sound.speech)?, usual);
        }
        Ok(Tongues { sound, usual, seem, proven: None })
    }

    /// The language to hear the window in, which as a whole sounds like one (mostly that of its first words): that of most of
    /// the film, if most of the window is.
    pub fn of_most(&mut self, session: &mut dyn Session, sounds_like: Language) -> Result<Language, Error> {
        if sounds_like == self.usual || self.seem.is_empty() {
            return Ok(sounds_like);
        }
        let proven = if self.are_one() { self.seem.clone() } else { self.prove(session, &[])? };
        let length = |usual: bool| {
            let stretches = self.sound.speech.iter().zip(&proven);
            let stretches = stretches.filter(|(_, tongue)| (**tongue == self.usual) == usual);
            stretches.map(|(speech, _)| speech.end - speech.start).sum::<i64>()
        };
        let is_usual = length(true) > length(false);
        self.proven = Some(proven);
        Ok(if is_usual { self.usual } else { sounds_like })
    }

    /// Each stretch's language: the film's, unless it is clearly another by itself; the places in `but` are not asked. Nothing
    /// where all sound the same.
    pub fn proven(self, session: &mut dyn Session, but: &[Range<i64>]) -> Result<Vec<Language>, Error> {
        match self.proven {
            _ if self.are_one() => Ok(Vec::new()),
            Some(proven) => Ok(proven),
            None => self.prove(session, but),
        }
    }

    fn are_one(&self) -> bool {
        self.seem.iter().all(|tongue| Some(tongue) == self.seem.first())
    }

    fn prove(&self, session: &mut dyn Session, but: &[Range<i64>]) -> Result<Vec<Language>, Error> {
        let mut proven = Vec::with_capacity(self.seem.len());
        for run in self.seem.chunk_by(|a, b| a == b) {
            let speech = &self.sound.speech[proven.len()..proven.len() + run.len()];
            let place = speech[0].start..speech[speech.len() - 1].end;
            let spoken_ms = speech.iter().map(|s| s.end - s.start).sum::<i64>() / PER_MS;
            let found = if run[0] == self.usual || spoken_ms < TELLING_MS || but.contains(&place) {
                self.usual
            } else {
                language_of(session, alone::cut(self.sound, &place).0, self.usual)?
            };
            proven.extend(std::iter::repeat_n(found, run.len()));
        }
        Ok(proven)
    }
}

/// What a window sounds like as a whole: mostly what it begins with.
pub(super) fn whole(
    session: &mut dyn Session,
    sound: Sound<'_>,
    _: &AtomicBool,
) -> Result<LanguageOdds, Error> {
    session.detect(sound)
}

/// What a window sounds like. Where languages change it sounds like the one it begins with, however little of it that is; so
/// where its stretches seem to differ they are asked by themselves, and count by their length.
pub(super) fn odds(
    session: &mut dyn Session,
    sound: Sound<'_>,
    stop: &AtomicBool,
) -> Result<LanguageOdds, Error> {
    let whole = session.detect(sound)?;
    let Some((first, _)) = whole.best().filter(|_| sound.speech.len() > 1 && session.tells_parts_at_once())
    else {
        return Ok(whole);
    };
    let seem = likeliest(sound.speech, &session.detect_parts(sound, sound.speech)?, first);
    if seem.iter().all(|tongue| *tongue == first) {
        return Ok(whole);
    }
    let mut parts = Vec::new();
    for (place, spoken) in long_enough(sound.speech) {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped);
        }
        let (samples, _) = alone::cut(sound, &place);
        parts.push((session.detect(Sound { samples, speech: &[] })?, spoken as f32));
    }
    Ok(LanguageOdds::mean(&parts))
}

/// Stretches of speech, each with those behind it until a language can be told from them (the last may have none behind it),
/// and how much of each is speech; in samples.
fn long_enough(speech: &[Range<i64>]) -> Vec<(Range<i64>, i64)> {
    let mut out: Vec<(Range<i64>, i64)> = Vec::new();
    for stretch in speech {
        let spoken = stretch.end - stretch.start;
        match out.last_mut().filter(|(_, spoken)| *spoken < TELLING_MS * PER_MS) {
            Some((place, so_far)) => (place.end, *so_far) = (stretch.end, *so_far + spoken),
            None => out.push((stretch.clone(), spoken)),
        }
    }
    out
}

/// The language of each stretch of speech: the likeliest way through the odds, on which none changes for nothing.
fn likeliest(speech: &[Range<i64>], odds: &[LanguageOdds], usual: Language) -> Vec<Language> {
    let mut tongues = vec![usual];
    for (tongue, _) in odds.iter().filter_map(LanguageOdds::best) {
        if !tongues.contains(&tongue) {
            tongues.push(tongue);
        }
    }
    // What the cheapest way costs that ends in each language, and from which it came.
    let mut costs: Vec<f32> =
        tongues.iter().map(|tongue| if *tongue == usual { 0.0 } else { CHANGE }).collect();
    let mut came: Vec<Vec<usize>> = Vec::with_capacity(speech.len());
    for (i, (stretch, odds)) in speech.iter().zip(odds).enumerate() {
        let ms = (stretch.end - stretch.start) / PER_MS;
        let weight = (ms as f32 / WEIGHT_MS).clamp(LIGHTEST, HEAVIEST);
        let silence = i.checked_sub(1).map(|last| (stretch.start - speech[last].end) / PER_MS);
        let change = if silence.is_some_and(|ms| ms < BREATH_MS) { AT_BREATH } else { CHANGE };
        let cheapest = (0..costs.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b])).unwrap_or(0);
        let from: Vec<usize> = (0..costs.len())
            .map(|to| if costs[to] <= costs[cheapest] + change { to } else { cheapest })
            .collect();
        let reach = |(to, from): (usize, &usize)| {
            costs[*from] + if *from == to { 0.0 } else { change }
                - odds.of(tongues[to]).max(LEAST).ln() * weight
        };
        costs = from.iter().enumerate().map(reach).collect();
        came.push(from);
    }
    let mut at = (0..costs.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b])).unwrap_or(0);
    let mut told = vec![usual; speech.len()];
    for i in (0..came.len()).rev() {
        told[i] = tongues[at];
        at = came[i][at];
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Ask, Heard};

    /// Stretches of speech: the silence before and the length in ms, the odds of English and of Russian.
    fn check(stretches: &[(i64, i64, f32, f32)], expected: &[bool]) {
        let (mut speech, mut odds, mut at) = (Vec::new(), Vec::new(), 0);
        for &(silence, ms, english, russian) in stretches {
            at += silence * PER_MS;
            speech.push(at..at + ms * PER_MS);
            at += ms * PER_MS;
            let mut of = vec![(Language::ENGLISH, english), ("ru".parse().unwrap(), russian)];
            of.sort_by(|a, b| b.1.total_cmp(&a.1));
            odds.push(LanguageOdds(of));
        }
        let told = likeliest(&speech, &odds, Language::ENGLISH);
        let strange: Vec<bool> = told.iter().map(|tongue| *tongue != Language::ENGLISH).collect();
        assert_eq!(strange, expected, "{stretches:?}");
    }

    #[test]
    fn a_line_in_another_language_is_told_from_its_neighbours() {
        let english = (500, 3_000, 0.6, 0.01);
        check(&[english, (400, 3_000, 0.01, 0.9), english], &[false, true, false]);
        check(&[english, english], &[false, false]);
        // Of pauses in a line each piece says little, and all of them much.
        let piece = (400, 500, 0.01, 0.9);
        check(&[english, piece, piece, piece, english], &[false, true, true, true, false]);
        check(&[english, piece, english], &[false, false, false]);
        check(&[], &[]);
    }

    #[test]
    fn a_breath_is_no_place_to_change_the_language() {
        let english = (500, 3_000, 0.6, 0.01);
        check(&[english, (400, 1_500, 0.01, 0.7), english], &[false, true, false]);
        check(&[english, (150, 1_500, 0.01, 0.7), (150, 3_000, 0.6, 0.01)], &[false, false, false]);
    }

    /// Tells the parts of a sound, and each part by itself, by their samples: 1 is Russian, 2 English that sounds like Russian
    /// among others, all else English.
    struct Teller;

    impl Session for Teller {
        fn transcribe(&mut self, _: Sound<'_>, _: &Ask, _: &AtomicBool) -> Result<Heard, Error> {
            Err(Error::Unable("not asked for".into()))
        }

        fn detect(&mut self, sound: Sound<'_>) -> Result<LanguageOdds, Error> {
            Ok(odds_of(sound.samples.contains(&1.0)))
        }

        fn detect_parts(
            &mut self,
            sound: Sound<'_>,
            parts: &[Range<i64>],
        ) -> Result<Vec<LanguageOdds>, Error> {
            let is_russian = |part: &Range<i64>| sound.samples[part.start as usize] > 0.0;
            Ok(parts.iter().map(|part| odds_of(is_russian(part))).collect())
        }

        fn tells_parts_at_once(&self) -> bool {
            true
        }
    }

    fn odds_of(is_russian: bool) -> LanguageOdds {
        let mut odds = vec![(Language::ENGLISH, 0.99), ("ru".parse().unwrap(), 0.004)];
        if is_russian {
            odds = vec![("ru".parse().unwrap(), 0.99), (Language::ENGLISH, 0.004)];
        }
        LanguageOdds(odds)
    }

    /// Stretches so long, in seconds, with half a second between.
    fn film(stretches: &[(u8, i64)]) -> (Vec<f32>, Vec<Range<i64>>) {
        let (mut samples, mut speech) = (vec![0.0; 16_000], Vec::new());
        for (kind, seconds) in stretches {
            let start = samples.len();
            samples.resize(start + *seconds as usize * 16_000, f32::from(*kind));
            speech.push(start as i64..samples.len() as i64);
            samples.resize(samples.len() + 8_000, 0.0);
        }
        (samples, speech)
    }

    /// Stretches of two seconds, what they are to the teller, and what the window by itself sounds like; the language to hear
    /// it in, and which stretches are Russian then.
    fn check_window(kinds: &[u8], sounds_like: &str, spoken: Spoken, expected: (&str, &[bool])) {
        let stretches: Vec<(u8, i64)> = kinds.iter().map(|kind| (*kind, 2)).collect();
        let (samples, speech) = film(&stretches);
        let sound = Sound { samples: &samples, speech: &speech };
        let mut tongues = Tongues::of(&mut Teller, sound, Language::ENGLISH, spoken).unwrap();
        let language = tongues.of_most(&mut Teller, sounds_like.parse().unwrap()).unwrap();
        let proven = tongues.proven(&mut Teller, &[]).unwrap();
        let russian: Vec<bool> = proven.iter().map(|tongue| *tongue != Language::ENGLISH).collect();
        assert_eq!((language.whisper_code(), russian.as_slice()), expected, "{kinds:?} {sounds_like}");
    }

    #[test]
    fn what_sounds_like_another_language_is_asked_by_itself() {
        check_window(&[0, 1, 0], "en", Spoken::Found, ("en", &[false, true, false]));
        check_window(&[0, 2, 0], "en", Spoken::Found, ("en", &[false, false, false]));
        // Nobody asks where the language was told, or where all sounds the same.
        check_window(&[0, 1, 0], "en", Spoken::Told, ("en", &[]));
        check_window(&[1, 1], "ru", Spoken::Found, ("ru", &[]));
        check_window(&[1], "ru", Spoken::Found, ("ru", &[]));
    }

    #[test]
    fn a_window_is_heard_in_the_language_of_most_of_it() {
        check_window(&[0, 1, 0], "ru", Spoken::Found, ("en", &[false, true, false]));
        check_window(&[1, 1, 0], "ru", Spoken::Found, ("ru", &[true, true, false]));
        check_window(&[0, 0, 0], "ru", Spoken::Found, ("en", &[]));
    }

    /// Of stretches so long, in seconds; where Russian ones are among them the whole sounds Russian to the teller.
    fn check_odds(stretches: &[(u8, i64)], expected: &[(&str, f32)]) {
        let (samples, speech) = film(stretches);
        let odds = odds(&mut Teller, Sound { samples: &samples, speech: &speech }, &AtomicBool::new(false));
        let odds = odds.unwrap();
        for (language, p) in expected {
            let told = odds.of(language.parse().unwrap());
            assert!((told - p).abs() < 0.01, "{stretches:?}: {odds:?}");
        }
    }

    #[test]
    fn a_window_sounds_like_most_of_it() {
        check_odds(&[(1, 2), (0, 3), (0, 3)], &[("en", 0.75), ("ru", 0.25)]);
        check_odds(&[(1, 2), (1, 3)], &[("ru", 0.99)]);
        check_odds(&[(0, 2), (0, 3)], &[("en", 0.99)]);
        // Short ones are asked with what follows.
        check_odds(&[(0, 1), (0, 1), (1, 2), (0, 4)], &[("en", 0.75), ("ru", 0.25)]);
        check_odds(&[(1, 3)], &[("ru", 0.99)]);
    }

    #[test]
    fn a_film_may_begin_or_end_in_another_language() {
        let (english, russian) = ((500, 3_000, 0.6, 0.01), (500, 2_000, 0.01, 0.9));
        check(&[russian, english], &[true, false]);
        check(&[english, russian, russian], &[false, true, true]);
    }
}
