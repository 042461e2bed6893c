//! Where a reader would rather not see a break. Knows nothing of cost.

use super::{Grade, grades};
use crate::subtitle::units::units;
use crate::subtitle::{Profile, Word};

/// `text` has a `|` where the break is graded.
fn check(language: &str, text: &str, expected: Grade) {
    check_behind(50, language, text, expected);
}

/// As [`check`], with so much silence there.
fn check_behind(pause_ms: i64, language: &str, text: &str, expected: Grade) {
    let (before, after) = text.split_once('|').unwrap();
    let at = before.split_whitespace().count() as i64;
    let word = |(k, text): (i64, &str)| {
        let start_ms = k * 250 + if k < at { 0 } else { pause_ms - 50 };
        Word { text: format!(" {text}"), start_ms, end_ms: start_ms + 200, p: 1.0 }
    };
    let words: Vec<Word> =
        (0..).zip(before.split_whitespace().chain(after.split_whitespace())).map(word).collect();
    let language = language.parse().unwrap();
    let units = units(&words, language, &Profile::netflix());
    assert_eq!(grades(&units, language)[at as usize], expected, "{text}");
}

#[test]
fn a_sentence_ends_at_its_mark_and_not_at_an_abbreviation() {
    check("en", "Oh no. | I won't.", Grade::Sentence);
    check("en", "It is No. | 5 again.", Grade::Tight);
    check("en", "Ask Mr. | Smith.", Grade::Tight);
    check("de", "Am 3. | Oktober", Grade::Bound);
    check("de", "die Ein- | und Ausfahrt", Grade::Tight);
    check("en", "Stop there-- | now", Grade::Clause);
}

#[test]
fn a_capital_behind_a_pause_begins_where_marks_are_left_out() {
    check_behind(500, "en", "can do for you | Ask what you can", Grade::Comma);
    check_behind(500, "en", "Goodbye | He was not", Grade::Comma);
    check_behind(100, "en", "can do for you | Ask what you can", Grade::Bound);
    check_behind(500, "en", "can do for you | ask what you can", Grade::Bound);
    // A name behind its article, another one, "I", and German nouns.
    check_behind(500, "en", "before the | Netherlands fell", Grade::Tight);
    check_behind(500, "en", "saw Elizabeth | Warren there", Grade::Tight);
    check_behind(500, "en", "so we think | I'm right", Grade::Preposition);
    check_behind(500, "de", "weil er gern | Kuchen isst", Grade::Plain);
}

#[test]
fn a_noun_phrase_stays_together() {
    check("en", "in the | house", Grade::Tight);
    check("en", "an old | house", Grade::Tight);
    check("en", "my brother's | house", Grade::Tight);
    check("en", "the kitchen | table", Grade::Near);
    check("en", "with John's | car", Grade::Tight);
    check("en", "of twenty five | thousand people", Grade::Tight);
    check("en", "Professor Elizabeth | Warren", Grade::Tight);
    check("de", "die Kanzlerin Angela | Merkel", Grade::Bound);
    check("de", "mit dem französischen | Präsidenten", Grade::Tight);
    check("fr", "la chancelière | allemande", Grade::Near);
    check("es", "cuenta todo lo | que pasó", Grade::Tight);
    check("it", "tutto quello | che è successo", Grade::Plain);
    check("en", "to any person | obtaining a copy", Grade::Of);
    check("en", "one of those cold, | grey mornings", Grade::Plain);
    check("en", "in the car, | which was grey", Grade::Comma);
    check("en", "fond of dogs, | cats or children", Grade::Conjunction);
    check("es", "mañanas frías | y grises", Grade::Of);
    check("en", "She left her hat | and her coat.", Grade::Conjunction);
}

#[test]
fn a_verb_stays_with_what_belongs_to_it() {
    check("en", "he has | gone", Grade::Tight);
    check("en", "he has never | been there", Grade::Tight);
    check("en", "it is | not mine", Grade::Tight);
    check("en", "it is | a house", Grade::Bound);
    check("it", "siamo finalmente | arrivati", Grade::Bound);
    check("de", "Am Montag fuhren | wir nach Hause", Grade::Bound);
    check("en", "my mother told | us that she", Grade::Bound);
    check("en", "my mother told us | that she", Grade::Conjunction);
    check("en", "is to give | you an idea", Grade::Bound);
    check("en", "is to give you | an idea", Grade::Plain);
    check("en", "I think | you are right", Grade::Plain);
    check("en", "I think you | are right", Grade::Bound);
    check("en", "thank you for trying | out the program", Grade::Bound);
    check("en", "what he was looking | for.", Grade::Bound);
    check("de", "dass er es gesehen | hat.", Grade::Bound);
    check("fr", "merci d'avoir | essayé", Grade::Tight);
    check("fr", "ce qui s'est | passé", Grade::Tight);
    check("fr", "je sais | qu'il vient", Grade::Conjunction);
    check("it", "perché abbia | voluto", Grade::Tight);
    check("hi", "आज फिर कहता | हूँ कि", Grade::Tight);
}

#[test]
fn tokens_are_parted_where_their_script_allows_it() {
    /// Tokens without spaces, with a `|` where the break is graded.
    fn check(language: &str, text: &str, expected: Grade) {
        let (before, after) = text.split_once(" | ").unwrap();
        let words: Vec<Word> = (0i64..)
            .zip(before.split(' ').chain(after.split(' ')))
            .map(|(k, t)| Word { text: t.into(), start_ms: k * 250, end_ms: k * 250 + 200, p: 1.0 })
            .collect();
        let language = language.parse().unwrap();
        let units = units(&words, language, &Profile::netflix());
        assert_eq!(units.len(), words.len(), "{text}");
        assert_eq!(grades(&units, language)[before.split(' ').count()], expected, "{text}");
    }
    check("ja", "今日 は | 晴れ", Grade::Conjunction);
    check("ja", "晴れ | です", Grade::Bound);
    check("ja", "一緒 | に", Grade::Tight);
    check("ja", "インター | ネット", Grade::Tight);
    check("zh", "他 在 纽约 | 的", Grade::Tight);
    check("ja", "これ で | す", Grade::Bound);
    check("zh", "你 就 得 告 | 诉 我", Grade::Tight);
    check("zh", "我 很 | 高兴", Grade::Bound);
    check("zh", "他 说 | 但是", Grade::Preposition);
    // A vowel written first begins a syllable, a sign may end one.
    check("th", "ผม | เป็น", Grade::Plain);
    check("th", "ค่ะ | ผม", Grade::Plain);
    check("th", "กำลั | งหา", Grade::Near);
    check("lo", "ຂອງ | ໄທ", Grade::Plain);
    check("my", "မြ | န်မာ", Grade::Tight);
}
