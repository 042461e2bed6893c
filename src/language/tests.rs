//! What the language table promises. Knows nothing of its private rows.

use super::{Language, Naming};
use std::collections::HashSet;

fn check(spelling: &str, whisper: &str) {
    match spelling.parse::<Language>() {
        Ok(l) => assert_eq!(l.whisper_code(), whisper, "{spelling}"),
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn there_are_a_hundred_languages_with_distinct_codes_and_names() {
    let distinct = |f: &dyn Fn(Language) -> String| Language::all().map(f).collect::<HashSet<_>>().len();
    assert_eq!(Language::all().count(), 100);
    assert_eq!(distinct(&|l| l.whisper_code().into()), 100);
    assert_eq!(distinct(&|l| l.iso639_3().into()), 100);
    assert_eq!(distinct(&|l| l.english_name().into()), 100);
    assert_eq!(distinct(&|l| l.native_name().into()), 100);
}

#[test]
fn every_language_is_found_by_each_of_its_names() {
    for l in Language::all() {
        for name in [l.whisper_code(), l.iso639_3(), l.english_name(), l.native_name(), l.answer_code()] {
            check(name, l.whisper_code());
            check(&name.to_uppercase(), l.whisper_code());
        }
        check(&l.whisper_name(), l.whisper_code());
        if l.whisper_code() != "yue" {
            check(l.iso639_2b(), l.whisper_code());
            check(l.iso639_2t(), l.whisper_code());
        }
    }
}

#[test]
fn codes_have_the_lengths_of_their_standards() {
    for l in Language::all() {
        assert!(l.iso639_1().is_none_or(|c| c.len() == 2), "{l}");
        assert!([l.iso639_2b(), l.iso639_2t(), l.iso639_3()].iter().all(|c| c.len() == 3), "{l}");
    }
}

#[test]
fn other_spellings_are_understood() {
    for (spelling, code) in [
        ("flemish", "nl"),
        ("Castilian", "es"),
        ("mandarin", "zh"),
        ("gsw", "de"),
        ("zh-CN", "zh"),
        ("zh_Hant_TW", "zh"),
        ("pt-BR", "pt"),
        ("pob", "pt"),
        (" en-US ", "en"),
        ("Spanish (Mexico)", "es"),
        ("jv", "jw"),
        ("Javanese", "jw"),
        ("iw", "he"),
        ("nb", "no"),
        ("fil", "tl"),
        ("myanmar", "my"),
        ("nynorsk", "nn"),
        ("haitian creole", "ht"),
        ("zh-yue", "yue"),
        ("cantonese", "yue"),
    ] {
        check(spelling, code);
    }
}

#[test]
fn what_is_no_language_is_refused_with_advice() {
    for s in ["", " ", "xx", "auto", "und", "-", "english german", "("] {
        assert!(s.parse::<Language>().is_err(), "{s:?}");
    }
    assert_eq!(
        "Klingon".parse::<Language>().unwrap_err(),
        "unknown language 'Klingon': use a code such as 'de' or 'deu', or a name such as 'German'"
    );
}

#[test]
fn bazarr_is_given_pairs_that_it_can_read() {
    let pair = |code: &str| code.parse::<Language>().unwrap().bazarr_pair();
    assert_eq!(pair("de"), ("de", "german".into()));
    assert_eq!(pair("yue"), ("zh", "chinese".into()));
    assert_eq!(pair("jw"), ("jw", "javanese".into()));
    assert_eq!(pair("haw"), ("haw", "hawaiian".into()));
    assert_eq!(pair("my"), ("my", "myanmar".into()));
    assert!(Language::all().all(|l| l.bazarr_pair().0 != "yue"));
}

#[test]
fn files_are_named_as_the_setting_asks() {
    let named = |naming: &str| {
        let german: Language = "de".parse().unwrap();
        german.named(naming.parse().unwrap())
    };
    assert_eq!(named("ISO_639_1"), "de");
    assert_eq!(named("iso_639_2_b"), "ger");
    assert_eq!(named("ISO_639_2_T"), "deu");
    assert_eq!(named("NAME"), "German");
    assert_eq!(named("NATIVE"), "Deutsch");
    assert!("ISO".parse::<Naming>().is_err());
    assert_eq!(serde_json::to_string(&Naming::default()).unwrap(), "\"ISO_639_2_B\"");
}

#[test]
fn a_language_is_one_value_however_it_was_named() {
    let english: Language = "eng".parse().unwrap();
    assert_eq!(english, Language::ENGLISH);
    assert_eq!(serde_json::to_string(&english).unwrap(), "\"en\"");
    assert_eq!(serde_json::from_str::<Language>("\"English\"").unwrap(), english);
}
