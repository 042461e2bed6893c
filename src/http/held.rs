//! An answer that is begun at once and ended when its job is: what stands between is heard by the client and read
//! by nobody. Knows nothing of what the text says. (bazarr-protocol.md, section 6, points 2 to 4 and 7)

use super::{Shared, gzip};
use crate::job::{Job, JobId};
use crate::subtitle::Format;
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, VARY};
use actix_web::http::{StatusCode, Version};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, Stream, stream};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

/// A lost notice of the job's end costs at most this.
pub const SLOW_POLL: Duration = Duration::from_secs(2);

/// How the time is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// Empty deflate blocks in a gzip stream: they decode to nothing.
    Gzip,
    /// New lines before the text, for those who do not read gzip. A body of nothing else would count as a blank
    /// subtitle, so it never ends that way unless it is meant to.
    Lines,
    /// Spaces before a JSON value.
    Spaces,
}

/// What there is to say in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The text, or nothing on purpose.
    Text(String),
    /// No text, and the client shall take it as none. The word is for those who can be told.
    Nothing(&'static str),
}

impl Pulse {
    /// Gzip for those who take it.
    pub fn for_text(headers: &HeaderMap) -> Pulse {
        let accepted = headers.get_all(ACCEPT_ENCODING).filter_map(|v| v.to_str().ok()).any(accepts_gzip);
        if accepted { Pulse::Gzip } else { Pulse::Lines }
    }

    fn opening(self) -> &'static [u8] {
        match self {
            Pulse::Gzip => &gzip::HEADER,
            Pulse::Lines | Pulse::Spaces => b"",
        }
    }

    fn beat(self) -> &'static [u8] {
        match self {
            Pulse::Gzip => &gzip::NOTHING,
            Pulse::Lines => b"\n",
            Pulse::Spaces => b" ",
        }
    }

    fn end(self, ending: Ending) -> Vec<u8> {
        match (self, ending) {
            (Pulse::Gzip, Ending::Text(text)) => gzip::end(text.as_bytes()),
            (Pulse::Gzip, Ending::Nothing(_)) => gzip::end(b""),
            (Pulse::Lines | Pulse::Spaces, Ending::Text(text)) => text.into_bytes(),
            (Pulse::Lines, Ending::Nothing(word)) => word.as_bytes().to_vec(),
            (Pulse::Spaces, Ending::Nothing(_)) => Vec::new(),
        }
    }
}

/// Reads one `Accept-Encoding` value (RFC 9110, section 12.5.3).
fn accepts_gzip(value: &str) -> bool {
    value.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|p| {
            p.strip_prefix("q=").and_then(|q| q.trim().parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
        });
        matches!(coding.as_str(), "gzip" | "x-gzip" | "*") && !refused
    })
}

/// Makes the ending of a job that is at its end.
pub type Finish = fn(Data<Shared>, Job, Format) -> LocalBoxFuture<'static, Ending>;

/// The answer to a request whose job is still on its way.
///
/// The headers leave at once. An HTTP/1.0 client (nginx speaks it upstream by default) gets the same bytes without
/// chunks, ended by the end of the connection. The job goes on whatever becomes of the connection.
pub fn answer(
    req: &HttpRequest,
    shared: &Data<Shared>,
    id: JobId,
    pulse: Pulse,
    format: Format,
    finish: Finish,
) -> HttpResponse {
    let mut builder = HttpResponse::build(StatusCode::OK);
    builder.insert_header(("X-Job-Id", id.to_string())).insert_header(("X-Accel-Buffering", "no"));
    builder.content_type(match pulse {
        Pulse::Gzip | Pulse::Lines => "text/plain; charset=utf-8",
        Pulse::Spaces => "application/json",
    });
    if pulse == Pulse::Gzip {
        builder.insert_header((CONTENT_ENCODING, "gzip"));
    }
    if pulse != Pulse::Spaces {
        builder.insert_header((VARY, "accept-encoding"));
    }
    let old = req.version() < Version::HTTP_11;
    if old {
        builder.force_close();
    }
    let mut response = builder.streaming(body(shared, id, pulse, format, finish));
    if old {
        response.head_mut().no_chunking(true);
    }
    response
}

fn body(
    shared: &Data<Shared>,
    id: JobId,
    pulse: Pulse,
    format: Format,
    finish: Finish,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let period = Duration::from_millis(shared.settings.heartbeat_ms.max(1));
    let mut beats = interval_at(Instant::now() + period, period);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let held = Held {
        pulse,
        stage: if pulse.opening().is_empty() { Stage::Waiting } else { Stage::Opening },
        ending: ending(shared.clone(), id, format, finish).boxed_local(),
        beats,
        until: shared.settings.hold.map(|hold| Instant::now() + hold),
        stopping: shared.stopping.clone(),
    };
    stream::unfold(held, |mut held| async move { held.next().await.map(|bytes| (Ok(bytes), held)) })
}

enum Stage {
    Opening,
    Waiting,
    Ended,
}

/// A body while it is being sent.
struct Held {
    pulse: Pulse,
    stage: Stage,
    ending: LocalBoxFuture<'static, Ending>,
    beats: Interval,
    until: Option<Instant>,
    stopping: watch::Receiver<bool>,
}

impl Held {
    async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Ended => return None,
            Stage::Opening => {
                self.stage = Stage::Waiting;
                return Some(Bytes::from_static(self.pulse.opening()));
            }
            Stage::Waiting => {}
        }
        let ending = tokio::select! {
            biased;
            ending = &mut self.ending => ending,
            _ = stopped(&mut self.stopping) => Ending::Nothing("stopped: ask again"),
            _ = passed(self.until) => Ending::Nothing("not ready: ask again"),
            _ = self.beats.tick() => return Some(Bytes::from_static(self.pulse.beat())),
        };
        self.stage = Stage::Ended;
        let end = self.pulse.end(ending);
        // A chunk without bytes would end a chunked body before its time.
        (!end.is_empty()).then(|| Bytes::from(end))
    }
}

/// Resolves when the server stops.
pub async fn stopped(stopping: &mut watch::Receiver<bool>) {
    if stopping.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}

async fn passed(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

async fn ending(shared: Data<Shared>, id: JobId, format: Format, finish: Finish) -> Ending {
    match shared.queue.wait(id, SLOW_POLL).await {
        Ok(job) => finish(shared, job, format).await,
        Err(e) => {
            log::error!("a request for job {id} ends without its result: {e}");
            Ending::Nothing("failed")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_for_those_who_take_it() {
        let check = |value, expected| assert_eq!(accepts_gzip(value), expected, "{value}");
        check("gzip, deflate", true);
        check("deflate, GZIP;q=0.5", true);
        check("*", true);
        check("gzip;q=0", false);
        check("gzip; q=0.0, br", false);
        check("identity", false);
        check("", false);
    }

    #[test]
    fn what_is_no_subtitle_never_ends_as_blank_text() {
        let nothing = Ending::Nothing("failed");
        assert_eq!(Pulse::Gzip.end(nothing.clone()), gzip::end(b""));
        assert_eq!(Pulse::Lines.end(nothing.clone()), b"failed");
        assert_eq!(Pulse::Spaces.end(nothing), b"");
    }
}
