//! What is told to Whisper beforehand, and which audio track is heard. Does not know how either is used.

use super::doors::switch;
use super::keys::{Key, many, one, put};
use crate::language::Language;

/// What is decided about what is heard.
#[derive(Debug, Clone)]
pub struct Hearing {
    /// Text as it might stand before what is said: names, spellings, style.
    pub initial_prompt: Option<String>,
    /// Words and names that may come up.
    pub hotwords: Vec<String>,
    /// Also title and names of the film are told: from its file name, and the `.nfo` files beside it.
    pub prompt_from_title: bool,
    /// Among several audio tracks the first of these languages that is there is heard.
    pub preferred_audio_languages: Vec<Language>,
}

impl Default for Hearing {
    fn default() -> Hearing {
        Hearing {
            initial_prompt: None,
            hotwords: Vec::new(),
            prompt_from_title: false,
            preferred_audio_languages: vec![Language::ENGLISH],
        }
    }
}

pub static KEYS: &[Key] = &[
    key!("initial_prompt", "INITIAL_PROMPT", |d, v| {
        let text = one(v)?;
        put(&mut d.hearing.initial_prompt, Ok(Some(text.to_string()).filter(|t| !t.is_empty())))
    }),
    list!("hotwords", "HOTWORDS", |d, v| put(&mut d.hearing.hotwords, Ok(words(many(v))))),
    key!("prompt_from_title", "PROMPT_FROM_TITLE", |d, v| {
        put(&mut d.hearing.prompt_from_title, switch(one(v)?))
    }),
    list!("preferred_audio_languages", "PREFERRED_AUDIO_LANGUAGES", |d, v| {
        let language = |name: &str| name.parse::<Language>().map_err(|e| e.to_string());
        let named = words(many(v));
        put(&mut d.hearing.preferred_audio_languages, named.iter().map(|name| language(name)).collect())
    }),
];

/// The entries of a list, which may be written with commas too.
fn words(list: &[String]) -> Vec<String> {
    let entries = list.iter().flat_map(|entry| entry.split([',', '|'])).map(str::trim);
    entries.filter(|entry| !entry.is_empty()).map(str::to_string).collect()
}
