//! What Bazarr asks for: `/asr`, `/detect-language` and `/status`. Knows nothing of how speech is heard.

use super::beside;
use super::error::{Detail, Error};
use super::held::{self, Ending, Pulse};
use super::intake::{self, Intake};
use super::params::Params;
use super::result::Heard;
use super::submit::{self, AsrAsk, UploadAsk};
use super::view::JobView;
use super::{NoSpeech, Shared, ask};
use crate::job::{Job, JobState, NewJob, Source};
use crate::language::Language;
use crate::queue::Submitted;
use crate::subtitle::{Format, Transcript, formats};
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What Bazarr's Test button looks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    pub name: &'static str,
    pub version: &'static str,
}

/// Answers Bazarr's Test button.
#[utoipa::path(get, path = "/status", tag = "provider", responses((status = 200, body = Version)))]
pub async fn status() -> HttpResponse {
    HttpResponse::Ok().json(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}

/// Makes a subtitle of the audio in the body.
///
/// The job's id leaves in the header `X-Job-Id` as soon as the upload is stored; the body is kept alive until the
/// subtitle is there, and is empty when there is none.
#[utoipa::path(post, path = "/asr", tag = "provider",
    params(
        ("task" = Option<String>, Query, description = "`transcribe` (default) or `translate` (to English)"),
        ("language" = Option<String>, Query, description = "The language spoken; absent or `auto`: found out"),
        ("output" = Option<String>, Query, description = "`srt` (default), `vtt`, `txt`, `tsv`, `json`, `verbose_json`, `lrc`, `ass`"),
        ("encode" = Option<bool>, Query, description = "`false`: bare samples, s16le, mono, 16 kHz"),
        ("video_file" = Option<String>, Query, description = "The video's path as the client sees it: a label"),
        ("initial_prompt" = Option<String>, Query, description = "Names and words to expect"),
        ("async" = Option<bool>, Query, description = "`true`: answer 202 with the job (also `Prefer: respond-async`)"),
    ),
    request_body(content_type = "multipart/form-data", content = inline(Upload)),
    responses(
        (status = 200, content_type = "text/plain", body = String, headers(("X-Job-Id" = String))),
        (status = 202, body = JobView, headers(("Location" = String), ("Retry-After" = u32))),
        (status = 401, body = Detail), (status = 403, body = Detail), (status = 413, body = Detail),
        (status = 422, body = Detail), (status = 503, body = Detail), (status = 507, body = Detail),
    ))]
pub async fn asr(
    req: HttpRequest,
    shared: Data<Shared>,
    intake: Data<Intake>,
    params: Params,
    body: Payload,
) -> Result<HttpResponse, Error> {
    let asked = match AsrAsk::read(&params) {
        Ok(asked) => asked,
        Err(refused) => return intake::drain(body).await.and(Err(refused)),
    };
    let received = intake.receive(&req, body, asked.upload.raw).await?;
    let library = shared.settings.mapped_library();
    let title = match shared.settings.prompt_from_title {
        true => beside::title(asked.upload.video_file.as_deref(), &library).await,
        false => None,
    };
    let (theirs, wish) = (shared.clone(), asked.clone());
    // It looks at the models on the disk, and heartbeats run here.
    let job = web::block(move || submit::transcription(&wish, title, received, &theirs.settings)).await;
    let job = job.map_err(|_| Error::Stopping)?;
    let job = beside::better(job, asked.upload.video_file.as_deref(), &library).await;
    let submitted = enter(&shared, job).await?;
    let pulse = Pulse::for_text(req.headers());
    reply(&req, &shared, submitted, &asked.upload, pulse, asked.output, subtitle).await
}

/// Tells which language is spoken in the audio of the body.
///
/// Every failure has an empty body, its sentence stands in the header `X-Detail`.
#[utoipa::path(post, path = "/detect-language", tag = "provider",
    params(
        ("encode" = Option<bool>, Query, description = "`false`: bare samples, s16le, mono, 16 kHz"),
        ("video_file" = Option<String>, Query, description = "The video's path as the client sees it: a label"),
        ("async" = Option<bool>, Query, description = "`true`: answer 202 with the job (also `Prefer: respond-async`)"),
    ),
    request_body(content_type = "multipart/form-data", content = inline(Upload)),
    responses(
        (status = 200, body = Detected, headers(("X-Job-Id" = String))),
        (status = 202, body = JobView, headers(("Location" = String), ("Retry-After" = u32))),
        (status = 401), (status = 403), (status = 413), (status = 422), (status = 503), (status = 507),
    ))]
pub async fn detect_language(
    req: HttpRequest,
    shared: Data<Shared>,
    intake: Data<Intake>,
    params: Params,
    body: Payload,
) -> HttpResponse {
    let asked = UploadAsk::read(&params);
    let answer = async {
        let received = intake.receive(&req, body, asked.raw).await?;
        let (theirs, wish) = (shared.clone(), asked.clone());
        let job = web::block(move || submit::detection(&wish, received, &theirs.settings)).await;
        let submitted = enter(&shared, job.map_err(|_| Error::Stopping)?).await?;
        reply(&req, &shared, submitted, &asked, Pulse::Spaces, Format::Json, detected).await
    };
    answer.await.unwrap_or_else(|e| e.without_body())
}

/// The multipart body of both.
#[derive(ToSchema)]
#[allow(dead_code)]
pub struct Upload {
    #[schema(value_type = String, format = Binary)]
    audio_file: Vec<u8>,
}

/// What Bazarr reads of a detection: one of Whisper's 99 pairs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Detected {
    /// The English name in lower case.
    pub detected_language: String,
    pub language_code: String,
    /// 0 to 1.
    pub confidence: f64,
}

async fn enter(shared: &Data<Shared>, job: NewJob) -> Result<Submitted, Error> {
    let (queue, spool, name) = (shared.queue.clone(), shared.spool.clone(), job.file_name.clone());
    let submit = move || {
        let source = job.source.clone();
        let submitted = queue.submit(job);
        if let (Err(_), Source::Spool { hash, .. }) = (&submitted, &source) {
            spool.disown(hash);
        }
        submitted
    };
    let submitted = ask(submit).await?;
    let how = if submitted.joined { "joined" } else { "entered" };
    log::info!("job {} {how} for {name:?}, it is {}", submitted.id, submitted.state);
    Ok(submitted)
}

/// Answers with the job, with its result, or with a body that waits for it.
async fn reply(
    req: &HttpRequest,
    shared: &Data<Shared>,
    submitted: Submitted,
    asked: &UploadAsk,
    pulse: Pulse,
    format: Format,
    finish: held::Finish,
) -> Result<HttpResponse, Error> {
    let id = submitted.id;
    let preferred = prefers_async(req);
    if asked.respond_async || preferred {
        return accepted(shared, submitted, preferred).await;
    }
    if !submitted.state.is_end() {
        return Ok(held::answer(req, shared, id, pulse, format, finish));
    }
    let queue = shared.queue.clone();
    let job = ask(move || queue.get(id)).await?.ok_or_else(|| Error::no_job(id))?;
    let body = match finish(shared.clone(), job, format).await {
        Ending::Text(text) => text,
        Ending::Nothing(_) => String::new(),
    };
    let mime = if pulse == Pulse::Spaces { "application/json" } else { "text/plain; charset=utf-8" };
    Ok(HttpResponse::Ok().content_type(mime).insert_header(("X-Job-Id", id.to_string())).body(body))
}

/// RFC 7240.
fn prefers_async(req: &HttpRequest) -> bool {
    let values = req.headers().get_all("Prefer").filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|p| p.trim().eq_ignore_ascii_case("respond-async"))
}

async fn accepted(
    shared: &Data<Shared>,
    submitted: Submitted,
    preferred: bool,
) -> Result<HttpResponse, Error> {
    let (id, queue) = (submitted.id, shared.queue.clone());
    let job = ask(move || queue.get(id)).await?.ok_or_else(|| Error::no_job(id))?;
    let mut answer = HttpResponse::Accepted();
    answer
        .insert_header(("Location", format!("/api/jobs/{id}")))
        .insert_header(("Retry-After", shared.settings.retry_after_s.to_string()))
        .insert_header(("X-Job-Id", id.to_string()));
    if preferred {
        answer.insert_header(("Preference-Applied", "respond-async"));
    }
    Ok(answer.json(JobView::from(&job)))
}

/// The ending of an `/asr` request.
fn subtitle(shared: Data<Shared>, job: Job, format: Format) -> LocalBoxFuture<'static, Ending> {
    async move {
        let (no_speech, highlight) = (shared.settings.no_speech, job.options.word_highlight.into());
        let text = ended(&shared, &job, move |result| {
            let transcript: Transcript = serde_json::from_str(result)?;
            let text = formats::render(&transcript, format, highlight);
            let silent = transcript.cues.is_empty() || text.trim().is_empty();
            Ok(match (silent, no_speech) {
                (false, _) => Ending::Text(text),
                (true, NoSpeech::Empty) => Ending::Nothing("no speech"),
                // White space is what Bazarr saves as a blank subtitle.
                (true, NoSpeech::Blank) if text.is_empty() => Ending::Text("\n".into()),
                (true, NoSpeech::Blank) => Ending::Text(text),
            })
        });
        text.await
    }
    .boxed_local()
}

/// The ending of a `/detect-language` request.
fn detected(shared: Data<Shared>, job: Job, _: Format) -> LocalBoxFuture<'static, Ending> {
    async move {
        let text = ended(&shared, &job, |result| {
            let Some(best) = best_odds(result)? else { return Ok(Ending::Nothing("unknown language")) };
            Ok(Ending::Text(serde_json::to_string(&best)?))
        });
        text.await
    }
    .boxed_local()
}

/// The language that was heard; of those Bazarr cannot read the name it reads instead. Nothing for one that nobody
/// knows.
fn best_odds(result: &str) -> Result<Option<Detected>, serde_json::Error> {
    let heard: Heard = serde_json::from_str(result)?;
    let Ok(language) = heard.language.parse::<Language>() else { return Ok(None) };
    let confidence = heard.odds.iter().find(|(code, _)| *code == heard.language).map_or(0.0, |(_, p)| *p);
    let (code, name) = language.bazarr_pair();
    Ok(Some(Detected {
        detected_language: name.to_lowercase(),
        language_code: code.to_string(),
        confidence: confidence.clamp(0.0, 1.0),
    }))
}

/// Reads the stored result of a completed job; everything else ends with nothing and a word in the log.
async fn ended<F>(shared: &Data<Shared>, job: &Job, read: F) -> Ending
where
    F: FnOnce(&str) -> Result<Ending, serde_json::Error> + Send + 'static,
{
    let (id, queue) = (job.id, shared.queue.clone());
    match job.state {
        JobState::Completed => {}
        JobState::Cancelled => return Ending::Nothing("cancelled"),
        _ => return Ending::Nothing("failed"),
    }
    let result = ask(move || {
        let missing = || Error::Internal("its result is not stored".into());
        let stored = queue.result(id)?.ok_or_else(missing)?;
        read(&stored.result).map_err(|e| Error::Internal(format!("its stored result cannot be read: {e}")))
    });
    result.await.unwrap_or_else(|e| {
        log::error!("job {id} is completed, but {e}");
        Ending::Nothing("failed")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odds_of_the_language_heard_are_the_confidence() {
        let best = best_odds(r#"{"language":"de","odds":[["en",0.01],["de",0.98]]}"#).unwrap().unwrap();
        assert_eq!((best.detected_language.as_str(), best.language_code.as_str()), ("german", "de"));
        assert_eq!(best.confidence, 0.98);
    }

    #[test]
    fn a_language_that_bazarr_cannot_read_is_answered_as_the_nearest_it_can() {
        let check = |heard: &str, code: &str, name: &str| {
            let result = format!(r#"{{"language":"{heard}","odds":[["{heard}",0.9]]}}"#);
            let best = best_odds(&result).unwrap().unwrap();
            assert_eq!((best.language_code.as_str(), best.detected_language.as_str()), (code, name));
        };
        check("yue", "zh", "chinese");
        check("haw", "haw", "hawaiian");
        check("jw", "jw", "javanese");
    }

    #[test]
    fn an_unknown_language_is_no_answer() {
        assert!(best_odds(r#"{"language":"xx","odds":[]}"#).unwrap().is_none());
        assert!(best_odds(r#"{"language":"de"}"#).is_err());
    }
}
