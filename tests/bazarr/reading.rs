//! What Bazarr reads in a body: subtitle or none, language or none. Knows nothing of HTTP.

use super::{Outcome, Throttle};
use serde_json::Value;

/// What becomes of one language detection in Bazarr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detection {
    /// The language, by its English name in lower case or its code.
    Language(String),
    /// "Bad or missing audio track", and remembered for hours.
    Untold,
    Throttled(Throttle),
}

/// A body that came whole, whatever its status (section 3, "Validity in detail").
pub fn subtitle(body: &[u8]) -> Outcome {
    if body.is_empty() {
        return Outcome::Nothing;
    }
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
    let text = text.trim_start_matches(['\u{feff}', '\0']);
    if text.trim().is_empty() {
        return Outcome::Blank;
    }
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty() && *block != "WEBVTT");
    let timed = |block: &str| {
        block.lines().count() >= 2 && block.lines().take(2).filter(|line| line.contains("-->")).count() == 1
    };
    if blocks.clone().all(timed) { Outcome::Saved(text.to_string()) } else { Outcome::Nothing }
}

/// ISO 639-1, as the table behind Bazarr has it.
const ISO_639_1: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de \
    dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it \
    iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd \
    ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st \
    su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// Names that are looked up where the code is none of those.
const NAMES: &[&str] = &["hawaiian", "javanese"];

/// A body that came whole, whatever its status (section 4).
pub fn detection(body: &[u8]) -> Detection {
    let Ok(told) = serde_json::from_slice::<Value>(body) else { return Detection::Untold };
    if told.as_object().is_none_or(|keys| keys.is_empty()) {
        return Detection::Untold;
    }
    let text = |key: &str| told[key].as_str().map(str::to_lowercase);
    let (Some(code), Some(name)) = (text("language_code"), text("detected_language")) else {
        return Detection::Throttled(Throttle::TenMinutes);
    };
    if ISO_639_1.split_whitespace().any(|known| known == code) {
        Detection::Language(code)
    } else if NAMES.contains(&name.as_str()) {
        Detection::Language(name)
    } else {
        Detection::Throttled(Throttle::TenMinutes)
    }
}
