//! Small words by what they bind to, and abbreviations. Knows nothing of cost.

mod tables;

use std::collections::HashMap;
use tables::TABLES;

/// What a small word does to the breaks beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Articles, possessives, numerals that count: bound to the noun after it.
    Article,
    /// Bound to a noun after it.
    Adjective,
    /// Bound to what follows; a good place to break is before it.
    Preposition,
    /// As a preposition, but bound to what stands before it too: `of`, `de`.
    Of,
    /// Joins words as well as clauses: `and`, `or`.
    And,
    /// Conjunctions and relative words: the best place to break without punctuation is before it.
    Conjunction,
    /// Auxiliaries and words before the verb: bound to the verb after it.
    Auxiliary,
    /// Auxiliaries that follow another, and bind what follows: `been`.
    Participle,
    /// Negations: bound on both sides.
    Negation,
    /// Pronouns as subjects: bound to the verb after it.
    Subject,
    /// Pronouns that may be subject or object: what follows tells.
    Pronoun,
    /// Pronouns as objects: bound to the verb before it.
    Object,
    /// A part of the verb before it: `out` in `trying out`.
    Particle,
    /// Belongs to the word before it: particles, clitics, postpositions.
    Enclitic,
}

/// What a word is for the break before it and for the break after it: `qu'il` begins with a conjunction and ends with
/// a subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faces {
    pub front: Option<Kind>,
    pub back: Option<Kind>,
}

/// Whether a word begins with a capital that it does not always have, as "I" does and "I'm".
pub fn is_raised(text: &str) -> bool {
    let word = text.trim_matches(|c: char| !c.is_alphanumeric());
    let is_i = word.strip_prefix('I').is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    word.starts_with(char::is_uppercase) && !is_i
}

/// The small words of one language.
pub struct SmallWords(HashMap<&'static str, Kind>);

impl SmallWords {
    /// None where none are known.
    pub fn of(whisper_code: &str) -> SmallWords {
        let mut kinds = HashMap::new();
        for (kind, row) in TABLES.iter().filter(|t| t.language == whisper_code).flat_map(|t| t.rows) {
            for word in row.split(' ') {
                kinds.entry(word).or_insert(*kind);
            }
        }
        SmallWords(kinds)
    }

    /// `word` is in lower case and without punctuation around it, its apostrophes are straight.
    pub fn faces(&self, word: &str) -> Faces {
        if let Some(kind) = self.0.get(word) {
            return Faces { front: Some(*kind), back: Some(*kind) };
        }
        let Some((head, tail)) = word.split_once('\'').filter(|(_, tail)| !tail.is_empty()) else {
            return Faces::default();
        };
        // French and Italian: what was cut short before a vowel.
        if let Some(front) = self.0.get(&word[..head.len() + 1]) {
            return Faces { front: Some(*front), back: self.0.get(tail).copied() };
        }
        // English: `what's` and `that'll`, else `John's`.
        let front = self.0.get(head).copied();
        let back = match tail {
            _ if !self.0.contains_key("'s") => None,
            "s" if front.is_none() => Some(Kind::Article),
            "s" | "ll" | "re" | "ve" | "d" => Some(Kind::Auxiliary),
            _ => None,
        };
        Faces { front, back }
    }
}

/// Titles, whose full stop ends no sentence, in lower case without it. Written with a capital, or they are words.
#[rustfmt::skip]
static TITLES: &[&str] = &[
    "mr", "mrs", "ms", "dr", "st", "prof", "rev", "gen", "col", "capt", "lt", "sgt", "sen", "rep", "gov", "hon", "messrs", "mt",
    "hr", "fr", "frl", "mme", "mlle", "mgr", "sr", "sra", "srta", "ud", "uds", "dña", "dott", "sig", "sig.ra", "avv", "ing",
    "exmo", "dhr", "mevr",
];

/// Other abbreviations after which a sentence goes on.
#[rustfmt::skip]
static ABBREVIATIONS: &[&str] = &[
    "vs", "e.g", "i.e", "cf", "vol", "ca", "approx", "z.b", "d.h", "u.a", "bzw", "nr", "tel", "ул", "т.е", "bijv",
];

/// Abbreviations before a number, words or the end of a sentence elsewhere.
static BEFORE_NUMBERS: &[&str] = &["no", "nos", "fig", "art", "p", "pp", "ch", "op"];

/// True for `Mr.`, `z.B.`, and initials such as `J.`: `word` ends with a full stop, `next` follows it.
pub fn is_abbreviation(word: &str, next: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let capital = bare.starts_with(char::is_uppercase);
    let lower = bare.to_lowercase();
    let initial = capital && bare.chars().count() == 1 && lower != "i";
    initial
        || capital && TITLES.contains(&lower.as_str())
        || ABBREVIATIONS.contains(&lower.as_str())
        || next.starts_with(|c: char| c.is_ascii_digit()) && BEFORE_NUMBERS.contains(&lower.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Faces, Kind, SmallWords, TABLES, is_abbreviation};

    #[test]
    fn tables_are_clean() {
        for table in TABLES {
            table.language.parse::<crate::language::Language>().unwrap();
            for word in table.rows.iter().flat_map(|r| r.1.split(' ')) {
                assert!(!word.is_empty() && word.to_lowercase() == word, "{}: {word:?}", table.language);
            }
        }
    }

    #[test]
    fn a_word_has_two_faces_where_it_was_put_together() {
        let check = |language: &str, word: &str, front: Option<Kind>, back: Option<Kind>| {
            assert_eq!(SmallWords::of(language).faces(word), Faces { front, back }, "{word}");
        };
        use Kind::{Article, Auxiliary, Conjunction, Of, Subject};
        check("en", "the", Some(Article), Some(Article));
        check("en", "house", None, None);
        check("en", "what's", Some(Conjunction), Some(Auxiliary));
        check("en", "john's", None, Some(Article));
        check("en", "o'clock", None, None);
        check("fr", "qu'il", Some(Conjunction), Some(Subject));
        check("fr", "d'avoir", Some(Of), Some(Auxiliary));
        check("fr", "l'incendie", Some(Article), None);
        check("it", "dell'arte", Some(Of), None);
        check("haw", "ka'a", None, None);
    }

    #[test]
    fn titles_and_initials_are_abbreviations_and_words_are_not() {
        let check = |word, next, expected| assert_eq!(is_abbreviation(word, next), expected, "{word}");
        check("Mr.", "Smith", true);
        check("(Dr.", "Who", true);
        check("J.", "Smith", true);
        check("z.B.", "Äpfel", true);
        check("No.", "5", true);
        check("No.", "I", false);
        check("no.", "", false);
        check("it.", "It", false);
        check("I.", "", false);
        check("rep.", "The", false);
    }
}
