//! The one place where a failure gets its status code and its JSON. Knows nothing of what failed.

use crate::job::JobId;
use crate::{queue, spool, store};
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use std::fmt::Display;
use utoipa::ToSchema;

/// Why a request is refused. Each text is one clear sentence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that no request may have; the text names the field. 422.
    #[error("{0}")]
    Invalid(String),
    /// 400.
    #[error("{0}")]
    Bad(String),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 401.
    #[error(
        "the API key is missing or wrong: send it as the header X-Api-Key or the query apikey, in Bazarr as \
         http://HOST:PORT/KEY; 'transcriptord key' on the daemon's machine prints it"
    )]
    Unauthorized,
    /// More uploads at once than are allowed. 503.
    #[error("more than {limit} uploads at once: send it again, or raise the setting max_concurrent_uploads")]
    Busy { limit: usize },
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 405.
    #[error("{0}")]
    NoSuchMethod(String),
    /// The job's state does not allow it, or the job is there already. 409.
    #[error("{detail}")]
    Conflict { detail: String, job: Option<JobId> },
    #[error("the body is larger than the {limit_mb} MB allowed: raise the setting max_upload_mb")]
    TooLarge { limit_mb: u64 },
    /// The connection broke before the body was whole. 400, for whoever may still read it.
    #[error("the body ended before it was whole: send it again ({0})")]
    CutOff(String),
    #[error("{0}")]
    Spool(#[from] spool::Error),
    /// 507 when the database has no room, 503 for what else passes by itself, otherwise 500.
    #[error("{0}")]
    Queue(#[from] queue::Error),
    /// Not the client's fault. 500.
    #[error("{0}")]
    Internal(String),
    /// The server is stopping. 503.
    #[error("the server is stopping: ask again in a moment")]
    Stopping,
}

/// The body of each error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detail {
    /// One clear sentence.
    pub detail: String,
    /// 409 only: the job that is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub job_id: Option<JobId>,
}

impl Error {
    /// 422 for one field: `field page: must be a number`.
    pub fn field(name: &str, wrong: impl Display) -> Error {
        Error::Invalid(format!("field {name}: {wrong}"))
    }

    /// 404 for a job.
    pub fn no_job(id: impl Display) -> Error {
        Error::NotFound(format!("there is no job '{id}'"))
    }

    /// A 409 without a job to name.
    pub fn conflict(detail: String) -> Error {
        Error::Conflict { detail, job: None }
    }

    fn status(&self) -> StatusCode {
        match self {
            Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Bad(_) | Error::CutOff(_) => StatusCode::BAD_REQUEST,
            Error::Unauthorized => StatusCode::UNAUTHORIZED,
            Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::NoSuchMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Error::Conflict { .. } => StatusCode::CONFLICT,
            Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Error::Spool(spool::Error::Full(_) | spool::Error::OverQuota) => StatusCode::INSUFFICIENT_STORAGE,
            Error::Queue(queue::Error::Store(store::Error::Full { .. })) => StatusCode::INSUFFICIENT_STORAGE,
            Error::Queue(queue::Error::Store(e)) if e.passes() => StatusCode::SERVICE_UNAVAILABLE,
            Error::Queue(queue::Error::Gone(_)) => StatusCode::NOT_FOUND,
            Error::Queue(queue::Error::Stopping) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Spool(_) | Error::Queue(_) | Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Error::Busy { .. } | Error::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The same status with an empty body, for `/detect-language`: there Bazarr takes a body with other keys
    /// than it looks for as a fault of the provider (bazarr-protocol.md, section 4). The sentence goes into
    /// the header `X-Detail`.
    pub fn without_body(&self) -> HttpResponse {
        let text: String =
            self.to_string().chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect();
        self.begun().insert_header(("X-Detail", text)).finish()
    }

    fn begun(&self) -> HttpResponseBuilder {
        let status = self.status();
        let mut answer = HttpResponse::build(status);
        match status {
            StatusCode::UNAUTHORIZED => {
                answer.insert_header((WWW_AUTHENTICATE, "ApiKey realm=\"transcriptord\""));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                answer.insert_header((RETRY_AFTER, "5"));
            }
            _ => {}
        }
        answer
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let job_id = match self {
            Error::Conflict { job, .. } => *job,
            _ => None,
        };
        self.begun().json(Detail { detail: self.to_string(), job_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_status() {
        let check = |error: Error, status: u16| assert_eq!(error.status().as_u16(), status, "{error}");
        let text = || "why".to_string();
        check(Error::Invalid(text()), 422);
        check(Error::Bad(text()), 400);
        check(Error::CutOff(text()), 400);
        check(Error::Unauthorized, 401);
        check(Error::Forbidden(text()), 403);
        check(Error::NotFound(text()), 404);
        check(Error::NoSuchMethod(text()), 405);
        check(Error::conflict(text()), 409);
        check(Error::TooLarge { limit_mb: 1 }, 413);
        check(Error::Spool(spool::Error::Full("/spool".into())), 507);
        check(Error::Spool(spool::Error::OverQuota), 507);
        let database = |e: store::Error| Error::Queue(e.into());
        check(database(store::Error::Full { detail: text() }), 507);
        check(database(store::Error::Busy { waited_s: 1 }), 503);
        check(database(store::Error::ReadOnly), 500);
        check(Error::Queue(queue::Error::Gone(JobId::new())), 404);
        check(Error::Internal(text()), 500);
        check(Error::Busy { limit: 1 }, 503);
        check(Error::Stopping, 503);
    }

    #[test]
    fn a_silent_failure_has_its_sentence_in_a_header() {
        let answer = Error::field("task", "unknown task 'é\n'").without_body();
        assert_eq!(answer.headers().get("X-Detail").unwrap(), "field task: unknown task '  '");
    }
}
