//! Cues as a reader sees them. Knows nothing of costs.

use super::limits::hard_faults;
use super::{cues, cues_within};
use crate::subtitle::profile::Name;
use crate::subtitle::scripts::columns;
use crate::subtitle::{Profile, Regroup, Word};

/// Words at an even pace: 60 ms a character, 40 ms between words, 250 ms after a comma, 600 ms after a sentence;
/// a bare number in the text is a silence of so many milliseconds.
fn speak(text: &str) -> Vec<Word> {
    let mut at_ms = 0;
    let mut words = Vec::new();
    for token in text.split_whitespace() {
        if let Some(ms) = token.strip_prefix('+').and_then(|ms| ms.parse::<i64>().ok()) {
            at_ms += ms;
            continue;
        }
        let end_ms = at_ms + 60 * token.chars().count() as i64;
        words.push(Word { text: format!(" {token}"), start_ms: at_ms, end_ms, p: 0.9 });
        at_ms = end_ms
            + match token.chars().next_back() {
                Some('.' | '?' | '!') => 600,
                Some(',' | ';') => 250,
                _ => 40,
            };
    }
    words
}

/// Lines of one cue joined by `/`, cues by line ends.
fn check(language: &str, text: &str, expected: &[&str]) {
    let cues = cues(&speak(text), language.parse().unwrap(), &Profile::netflix());
    let texts: Vec<String> = cues.iter().map(|c| c.lines.join("/")).collect();
    assert_eq!(texts, expected);
}

#[test]
fn a_short_sentence_is_one_line() {
    check("en", "And so it begins.", &["And so it begins."]);
    check("en", "", &[]);
    check("en", "... !", &[]);
}

#[test]
fn sentences_are_cut_before_clauses_and_clauses_before_words() {
    check(
        "en",
        "You are about to enter an echo test. In this mode everything you say will be repeated back to you, \
         just as soon as it is received.",
        &[
            "You are about to enter an echo test.",
            "In this mode everything you say/will be repeated back to you,",
            "just as soon as it is received.",
        ],
    );
}

#[test]
fn lines_break_at_the_comma_or_before_a_small_word_and_never_after_an_article() {
    check(
        "en",
        "If you open the old wooden door, you will see the garden.",
        &["If you open the old wooden door,/you will see the garden."],
    );
    check(
        "en",
        "She had left her umbrella and her coat in the restaurant.",
        &["She had left her umbrella/and her coat in the restaurant."],
    );
    check(
        "de",
        "Er wartete den ganzen Tag auf die Antwort seiner Schwester.",
        &["Er wartete den ganzen Tag/auf die Antwort seiner Schwester."],
    );
}

#[test]
fn what_belongs_together_stays_together() {
    check(
        "en",
        "The woman who lives next door has never been very fond of dogs, cats or children.",
        &["The woman who lives next door", "has never been very fond/of dogs, cats or children."],
    );
    check(
        "en",
        "There are twenty five thousand people in this town, and not one of them will lift a finger.",
        &["There are twenty five thousand people/in this town,", "and not one of them will lift a finger."],
    );
    check(
        "de",
        "Die Frau, die nebenan wohnt, hat Hunde, Katzen und Kinder noch nie besonders gern gehabt.",
        &["Die Frau, die nebenan wohnt,", "hat Hunde, Katzen und Kinder/noch nie besonders gern gehabt."],
    );
    check(
        "de",
        "Die Ein- und Ausfahrt muss Tag und Nacht freigehalten werden.",
        &["Die Ein- und Ausfahrt/muss Tag und Nacht freigehalten werden."],
    );
    check(
        "fr",
        "Mais personne là-bas n'avait jamais entendu parler de lui.",
        &["Mais personne là-bas/n'avait jamais entendu parler de lui."],
    );
    check(
        "es",
        "Era una de esas mañanas frías y grises en las que uno prefiere quedarse en la cama.",
        &["Era una de esas mañanas frías y grises", "en las que uno prefiere/quedarse en la cama."],
    );
}

#[test]
fn two_speakers_that_the_text_tells_apart_have_a_line_each() {
    check("en", "- Are you there? - Yes. - Good.", &["- Are you there?", "- Yes./- Good."]);
    check("en", "It is ten - perhaps eleven.", &["It is ten - perhaps eleven."]);
}

#[test]
fn no_line_ends_a_word_after_a_mark_or_begins_a_word_before_one() {
    check(
        "en",
        "In this mode, everything you say will be repeated back to you just as soon as it is received.",
        &["In this mode, everything you say", "will be repeated back/to you just as soon as it is received."],
    );
}

#[test]
fn abbreviations_and_numbers_end_no_sentence() {
    check("en", "Mr. Smith paid 1,000 dollars.", &["Mr. Smith paid 1,000 dollars."]);
    check(
        "en",
        "The house on the corner of the street was sold to Dr. John Watson.",
        &["The house on the corner of the street/was sold to Dr. John Watson."],
    );
}

#[test]
fn no_cue_spans_a_long_silence() {
    check("en", "Wait +1001 for me.", &["Wait", "for me."]);
    check("en", "Wait +900 for me.", &["Wait for me."]);
}

#[test]
fn no_word_is_left_alone_at_the_end_of_a_sentence() {
    for cue in cues(
        &speak(
            "It is of the first importance that every single letter that is used in it should be fine in form today.",
        ),
        "en".parse().unwrap(),
        &Profile::netflix(),
    ) {
        assert!(cue.words.len() > 3, "{:?}", cue.lines);
    }
}

#[test]
fn japanese_is_cut_after_its_marks_and_never_starts_a_line_with_one() {
    let words: Vec<Word> = "昨日友達と一緒に東京へ行って、美味しいものをたくさん食べました。"
        .chars()
        .enumerate()
        .map(|(k, c)| Word {
            text: c.to_string(),
            start_ms: k as i64 * 150,
            end_ms: k as i64 * 150 + 150,
            p: 1.0,
        })
        .collect();
    let cues = cues(&words, "ja".parse().unwrap(), &Profile::netflix());
    let texts: Vec<String> = cues.iter().map(|c| c.lines.join("/")).collect();
    assert_eq!(texts, ["昨日友達と一緒に/東京へ行って、", "美味しいものをたくさん/食べました。"]);
}

#[test]
fn right_to_left_text_stays_in_logical_order() {
    check("ar", "نعم، بالتأكيد.", &["نعم، بالتأكيد."]);
    let text = "في البداية كنا نعتقد أن الأمر سيكون سهلا، لكننا اكتشفنا ذلك.";
    let lines = cues(&speak(text), "ar".parse().unwrap(), &Profile::netflix())[0].lines.join(" ");
    assert_eq!(lines, text);
}

#[test]
fn scripts_are_mixed_as_they_are_spoken() {
    check("he", "הוא אמר: \"Windows 11\" לא עובד.", &["הוא אמר: \"Windows 11\" לא עובד."]);
    check(
        "ar",
        "نستخدم نظام Linux 6.1 (النسخة الجديدة) في كل مكان، أليس كذلك؟",
        &["نستخدم نظام Linux 6.1/(النسخة الجديدة) في كل مكان، أليس كذلك؟"],
    );
    check("ru", "Он купил iPhone 15 за 999 долларов.", &["Он купил iPhone 15 за 999 долларов."]);
}

#[test]
fn the_same_word_again_is_not_the_same_cue_again() {
    let cues = cues(
        &speak("No. No. No. No. No. No. No. No. No. No. No. No."),
        "en".parse().unwrap(),
        &Profile::netflix(),
    );
    assert!(cues.windows(2).all(|c| c[0].lines != c[1].lines), "{cues:?}");
}

#[test]
fn another_house_has_shorter_lines_and_longer_gaps() {
    let text = "If you open the old wooden door, you will see the garden. It is green.";
    let bbc = Profile::of(Name::Bbc);
    let cues = cues(&speak(text), "en".parse().unwrap(), &bbc);
    let lines: Vec<&String> = cues.iter().flat_map(|c| &c.lines).collect();
    assert!(lines.iter().all(|l| columns(l) <= 37), "{lines:?}");
    assert!(cues.windows(2).all(|c| c[1].start_ms - c[0].end_ms >= 120));
    let narrow = Profile { max_lines: 1, columns: Some(20), ..Profile::of(Name::Custom) };
    let narrow = super::cues(&speak(text), "en".parse().unwrap(), &narrow);
    assert!(narrow.iter().all(|c| c.lines.len() == 1 && columns(&c.lines[0]) <= 20), "{narrow:?}");
}

/// As `check`, with a regrouping.
fn check_regrouped(regroup: &str, text: &str, expected: &[&str]) {
    let regroup: Regroup = regroup.parse().unwrap();
    let (language, profile) = ("en".parse().unwrap(), Profile::netflix());
    let cues = cues_within(&speak(text), language, &profile, Some(&regroup), i64::MAX);
    let texts: Vec<String> = cues.iter().map(|c| c.lines.join("/")).collect();
    assert_eq!(texts, expected);
}

#[test]
fn a_regrouping_cuts_cues_where_it_says_and_the_limits_do_the_rest() {
    let text = "You are about to enter an echo test. In this mode everything you say will be repeated back to you, \
                just as soon as it is received.";
    check_regrouped(
        "cm_sl=84_sl=42++++++1",
        text,
        &[
            "You are about to enter an echo test.",
            "In this mode everything/you say will be repeated",
            "back to you, just as/soon as it is received.",
        ],
    );
    check_regrouped("sl=+3+0", "Who is there? It is me again.", &["Who is there?", "It is me", "again."]);
    // Everything in one group: no cue may be that long.
    check_regrouped(
        "ms",
        text,
        &[
            "You are about to enter an echo test./In this mode everything you say",
            "will be repeated back to you,/just as soon as it is received.",
        ],
    );
}

#[test]
fn nothing_ends_after_the_media() {
    let words = speak("This is the end. +200 Bye.");
    let until = words[words.len() - 1].start_ms + 300;
    let cues = cues_within(&words, "en".parse().unwrap(), &Profile::netflix(), None, until);
    assert_eq!(cues[cues.len() - 1].end_ms, until);
    assert_eq!(hard_faults(&cues, "en"), Vec::<String>::new());
}

#[test]
fn a_word_longer_than_a_line_stands_alone_on_its_line() {
    let long = "x".repeat(60);
    let cues = cues(&speak(&format!("We say {long} here.")), "en".parse().unwrap(), &Profile::netflix());
    assert!(cues.iter().any(|c| c.lines.contains(&long)));
    assert_eq!(hard_faults(&cues, "en"), Vec::<String>::new());
}
