//! Between words without a mark, by the small words around. Knows nothing of scripts without spaces.

use super::Grade;
use crate::language::Language;
use crate::subtitle::phrases::{Faces, Kind, SmallWords};
use crate::subtitle::units::Unit;

/// Endings of German adjectives before their noun.
const ENDINGS: [&str; 5] = ["e", "en", "em", "er", "es"];
/// Endings of adverbs.
const ADVERBS: [&str; 3] = ["ly", "mente", "ment"];
/// Endings of participles that begin a phrase behind a noun.
const GERUNDS: [&str; 5] = ["ing", "ando", "endo", "iendo", "indo"];
/// Determiners of so many letters can stand for a noun: "those | who", but "lo que", "ce qui".
const PRONOMINAL: usize = 4;
/// Languages whose verb stands second: a subject that follows it is a part of it.
const VERB_SECOND: [&str; 6] = ["de", "nl", "sv", "da", "no", "nn"];

/// One word as its neighbours see it.
struct Word {
    faces: Faces,
    capital: bool,
    number: bool,
    /// A mark follows.
    closes: bool,
    /// In lower case with the ending of a German adjective.
    ending: bool,
    adverb: bool,
    gerund: bool,
    letters: usize,
}

/// The words of a text in one language.
pub struct Phrase {
    words: Vec<Word>,
    /// Whether a mark stands before each word.
    marked: Vec<bool>,
    german: bool,
    verb_second: bool,
}

impl Phrase {
    /// `marks[k]`: the grade that a mark before unit `k` gives.
    pub fn new(units: &[Unit], marks: &[Option<Grade>], language: Language) -> Phrase {
        let small = SmallWords::of(language.whisper_code());
        let word = |(k, unit): (usize, &Unit)| {
            let bare = bare(&unit.text);
            Word {
                capital: unit.text.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_uppercase),
                number: unit.text.ends_with(|c: char| c.is_numeric()),
                closes: marks.get(k + 1).is_none_or(Option::is_some),
                ending: ENDINGS.iter().any(|e| bare.ends_with(e))
                    && unit.text.starts_with(char::is_lowercase),
                adverb: ADVERBS.iter().any(|e| bare.ends_with(e)),
                gerund: GERUNDS.iter().any(|e| bare.ends_with(e)),
                letters: bare.chars().count(),
                faces: small.faces(&bare),
            }
        };
        Phrase {
            words: units.iter().enumerate().map(word).collect(),
            marked: marks.iter().map(Option::is_some).collect(),
            german: language.whisper_code() == "de",
            verb_second: VERB_SECOND.contains(&language.whisper_code()),
        }
    }

    fn front(&self, k: usize) -> Option<Kind> {
        self.words.get(k)?.faces.front
    }

    /// What word `k` is for the break after it; nothing for a pronoun that is the object of what stands before.
    fn back(&self, k: usize) -> Option<Kind> {
        let back = self.words[k].faces.back?;
        let alone = matches!(back, Kind::Pronoun | Kind::Article) && !self.marked[k] && self.is_object(k);
        (!alone).then_some(back)
    }

    /// Nothing that could be its verb or noun follows.
    fn is_object(&self, k: usize) -> bool {
        let pronoun = self.words[k].faces.back == Some(Kind::Pronoun);
        match self.front(k + 1) {
            _ if self.words[k].closes => true,
            Some(Kind::Preposition | Kind::Of | Kind::And | Kind::Particle) => true,
            // "You the best" is rare, "give you the best" is not. "Those who", "lo que" are one.
            Some(Kind::Article | Kind::Conjunction) => pronoun,
            _ => false,
        }
    }

    /// Nothing is known of the word.
    fn is_plain(&self, k: usize) -> bool {
        self.words.get(k).is_some_and(|w| w.faces == Faces::default())
    }

    /// The grade before word `k`, which no mark stands before.
    pub fn between(&self, k: usize) -> Grade {
        let (a, b) = (&self.words[k - 1], &self.words[k]);
        let front = b.faces.front;
        if front == Some(Kind::Enclitic) {
            return Grade::Tight;
        }
        let back = self.back(k - 1);
        match (back, front) {
            (Some(Kind::Article), Some(Kind::Auxiliary)) => return Grade::Bound,
            (Some(Kind::Article), Some(Kind::Conjunction)) if a.letters >= PRONOMINAL => return Grade::Plain,
            (Some(Kind::Article | Kind::Preposition | Kind::Of), _) => return Grade::Tight,
            (Some(Kind::Adjective), None) => return Grade::Tight,
            // "Has gone" is one verb, "is a house" is not.
            (
                Some(Kind::Auxiliary | Kind::Participle | Kind::Negation),
                None | Some(Kind::Auxiliary | Kind::Participle),
            ) => {
                return Grade::Tight;
            }
            (_, Some(Kind::Negation)) => return Grade::Tight,
            (Some(Kind::Auxiliary | Kind::Participle | Kind::Negation), _) => return Grade::Bound,
            (Some(Kind::Subject | Kind::Pronoun | Kind::And | Kind::Conjunction), _) => return Grade::Bound,
            _ => {}
        }
        // Two capitals in a row are a name; German writes all nouns with one.
        let named = !(self.marked[k - 1] && a.faces.front.is_some());
        if named && a.capital && b.capital && front.is_none() {
            return if self.german { Grade::Bound } else { Grade::Tight };
        }
        if self.german && a.ending && b.capital && back.is_none() && front.is_none() {
            let determined = k >= 2 && !self.marked[k - 1] && self.back(k - 2).is_some();
            return if determined { Grade::Tight } else { Grade::Bound };
        }
        let number = a.number && front.is_none();
        // "Siamo finalmente | arrivati"
        let within_verb = a.adverb
            && front.is_none()
            && k >= 2
            && !self.marked[k - 1]
            && self.back(k - 2) == Some(Kind::Auxiliary);
        if number || within_verb || self.follows(k) {
            return Grade::Bound;
        }
        match front {
            Some(Kind::And) if self.is_pair(k) => Grade::Of,
            Some(Kind::And | Kind::Conjunction) => Grade::Conjunction,
            Some(Kind::Preposition | Kind::Auxiliary) => Grade::Preposition,
            Some(Kind::Of) => Grade::Of,
            None if self.is_in_noun_phrase(k) && b.gerund => Grade::Of,
            None if self.is_in_noun_phrase(k) => Grade::Near,
            _ => Grade::Plain,
        }
    }

    /// Word `k` belongs to the verb before it.
    fn follows(&self, k: usize) -> bool {
        let word = &self.words[k];
        match word.faces.front {
            Some(Kind::Participle | Kind::Object | Kind::Particle) => true,
            Some(Kind::Subject) => self.verb_second,
            Some(Kind::Pronoun) => self.verb_second || self.is_object(k),
            // "What are you looking at?", "… die er gesehen hat."
            Some(Kind::Preposition | Kind::Of | Kind::Auxiliary) => word.closes,
            _ => false,
        }
    }

    /// `and` between two single words: "grey and cold", "Tag und Nacht".
    fn is_pair(&self, k: usize) -> bool {
        self.is_plain(k - 1)
            && self.is_plain(k + 1)
            && !self.words[k].closes
            && self.words[k - 1].capital == self.words[k + 1].capital
    }

    /// "The old | house", "la chancelière | allemande", and "the man | went": which, is not known.
    fn is_in_noun_phrase(&self, k: usize) -> bool {
        let noun = self.german && self.words[k - 1].capital;
        k >= 2
            && !noun
            && !self.marked[k - 1]
            && matches!(self.back(k - 2), Some(Kind::Article | Kind::Adjective))
            && self.is_plain(k - 1)
    }

    /// The grade before word `k`, before which a comma stands.
    pub fn after_comma(&self, k: usize) -> Grade {
        // "Those cold, grey | mornings"
        let lower = |k: usize| !self.words[k].capital;
        let described = k >= 2
            && !self.marked[k - 1]
            && matches!(self.back(k - 2), Some(Kind::Article))
            && (self.is_plain(k - 1) || self.front(k - 1) == Some(Kind::Adjective))
            && (self.is_plain(k) || self.front(k) == Some(Kind::Adjective))
            && !self.words[k].closes
            && lower(k - 1)
            && lower(k);
        if described {
            return Grade::Plain;
        }
        // "Dogs, cats and children"
        let and = |k: usize| self.front(k) == Some(Kind::And) && !self.marked[k];
        let listed =
            self.front(k) != Some(Kind::Conjunction) && (and(k + 1) || and(k + 2) && !self.words[k].closes);
        if listed && k + 1 < self.words.len() { Grade::Conjunction } else { Grade::Comma }
    }
}

/// A word in lower case without the punctuation around it, apostrophes made straight.
fn bare(text: &str) -> String {
    let word = text.replace('’', "'").to_lowercase();
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_string()
}
