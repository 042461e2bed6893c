//! What a detection heard, with all its odds. Knows nothing of Bazarr, which reads only the best.

use super::error::{Detail, Error};
use super::jobs::find;
use super::params::Params;
use super::{Shared, ask};
use crate::job::{JobKind, JobState};
use crate::language::Language;
use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the pool stores for a detection: Whisper's codes and their odds.
#[derive(Debug, Deserialize)]
pub struct Heard {
    pub language: String,
    pub odds: Vec<(String, f64)>,
}

/// The languages that may be spoken in the audio.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detection {
    /// ISO 639-1 where it has a code, else 639-3; `null` when nobody speaks.
    pub language_code: Option<&'static str>,
    /// Its English name.
    pub detected_language: Option<&'static str>,
    /// 0 to 1.
    pub confidence: f64,
    /// The most likely first.
    pub odds: Vec<Odds>,
}

/// How likely a language is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Odds {
    pub language_code: &'static str,
    pub language: &'static str,
    /// 0 to 1.
    pub probability: f64,
}

impl From<Heard> for Detection {
    fn from(heard: Heard) -> Detection {
        let known = |code: &str| code.parse::<Language>().ok();
        let mut odds: Vec<(Language, f64)> =
            heard.odds.iter().filter_map(|(code, p)| Some((known(code)?, p.clamp(0.0, 1.0)))).collect();
        odds.sort_by(|a, b| b.1.total_cmp(&a.1));
        let best = known(&heard.language);
        let confidence = odds.iter().find(|(language, _)| Some(*language) == best).map_or(0.0, |(_, p)| *p);
        Detection {
            language_code: best.map(Language::answer_code),
            detected_language: best.map(Language::english_name),
            confidence,
            odds: odds
                .into_iter()
                .map(|(language, probability)| Odds {
                    language_code: language.answer_code(),
                    language: language.english_name(),
                    probability,
                })
                .collect(),
        }
    }
}

/// What a language detection heard, with the odds of all languages.
#[utoipa::path(get, path = "/api/jobs/{id}/result", tag = "jobs",
    params(
        ("id" = String, Path),
        ("top" = Option<u32>, Query, description = "Only so many languages; all when absent"),
    ),
    responses((status = 200, body = Detection), (status = 404, body = Detail), (status = 409, body = Detail)))]
pub async fn odds(shared: Data<Shared>, id: Path<String>, params: Params) -> Result<HttpResponse, Error> {
    let top = params.number("top", u32::MAX, 1..=u32::MAX)?;
    let job = find(&shared, &id).await?;
    let id = job.id;
    if job.kind != JobKind::LanguageDetection {
        let elsewhere = format!("job '{id}' makes a subtitle: ask for /api/jobs/{id}/subtitle");
        return Err(Error::NotFound(elsewhere));
    }
    if job.state != JobState::Completed {
        let why = job.error.map(|e| format!(" ({e})")).unwrap_or_default();
        return Err(Error::conflict(format!("job '{id}' is {}, it has no result{why}", job.state)));
    }
    let queue = shared.queue.clone();
    let stored = ask(move || queue.result(id)).await?;
    let stored =
        stored.ok_or_else(|| Error::NotFound(format!("the result of job '{id}' is no longer kept")))?;
    let heard: Heard = serde_json::from_str(&stored.result)
        .map_err(|e| Error::Internal(format!("the stored result of job {id} cannot be read: {e}")))?;
    let mut detection = Detection::from(heard);
    detection.odds.truncate(usize::try_from(top).unwrap_or(usize::MAX));
    Ok(HttpResponse::Ok().json(detection))
}
