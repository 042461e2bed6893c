//! Tells a web address of every job's end. Knows nothing of who listens there, and holds nothing up for them.
//!
//! Each end is told once: a receiver that does not answer is tried again with growing pauses, then given up. What was
//! not told when the daemon stops stays untold: who must not miss an end asks `GET /api/jobs/{id}`.

use super::view::JobView;
use crate::job::{Job, JobId, JobState, Origin};
use crate::queue::{Notice, Queue};
use ring::hmac;
use serde::Serialize;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

/// The pauses between tries: half an hour in all.
pub const PAUSES: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(25 * 60),
];
/// A receiver that takes longer is tried again.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages on their way at once; the others wait.
const AT_ONCE: usize = 4;
/// Messages that wait, pauses included; further ones are dropped.
const WAITING: usize = 1000;
/// A lost notice of a job's end costs at most this.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Ends that are remembered, so that a second notice of one tells nobody.
const REMEMBERED: usize = 10_000;

/// Who is told.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    /// Signs each body: HMAC-SHA256, in the header `X-Transcriptord-Signature`.
    pub secret: Option<String>,
    /// Whether ends of provider requests are told too.
    pub provider_jobs: bool,
    /// Before the second try, the third, and so on.
    pub pauses: Vec<Duration>,
}

#[derive(Serialize)]
struct Message<'a> {
    event: &'static str,
    job: &'a JobView,
}

/// Tells of the ends that this process hears of from now on, in a thread of its own as long as it lives.
pub fn start(queue: Queue, receiver: Receiver) -> std::io::Result<()> {
    // Told once for the program; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("transcriptord/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(std::io::Error::other)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before the thread runs, so that no end falls between.
    let notices = queue.notices();
    let sender = Sender {
        client,
        receiver: Arc::new(receiver),
        lanes: Arc::new(Semaphore::new(AT_ONCE)),
        places: Arc::new(Semaphore::new(WAITING)),
    };
    let listen = move || runtime.block_on(listen(queue, notices, sender));
    std::thread::Builder::new().name("webhook".into()).spawn(listen)?;
    Ok(())
}

async fn listen(queue: Queue, mut notices: tokio::sync::broadcast::Receiver<Notice>, sender: Sender) {
    let mut ends = Ends::default();
    let mut beat = tokio::time::interval(LOOK_AGAIN);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let notice = tokio::select! {
            notice = notices.recv() => notice,
            // As if one had been missed.
            _ = beat.tick() => Err(RecvError::Lagged(0)),
        };
        let look_at = match notice {
            Ok(notice) => vec![notice.job()],
            // Every job that was not at its end may be by now.
            Err(RecvError::Lagged(_)) => ends.open.iter().copied().collect(),
            Err(RecvError::Closed) => return,
        };
        for id in look_at {
            let reader = queue.clone();
            match tokio::task::spawn_blocking(move || reader.get(id)).await {
                Ok(Ok(Some(job))) => {
                    if let Some(job) = ends.see(job) {
                        sender.tell(&job);
                    }
                }
                Ok(Ok(None)) => drop(ends.open.remove(&id)),
                // Looked at again later: the job is still among the open ones.
                Ok(Err(e)) => log::warn!("cannot tell the webhook about job {id}: {e}"),
                Err(_) => return,
            }
        }
    }
}

/// What is known of jobs: which are under way, and which ends were told.
#[derive(Default)]
struct Ends {
    open: HashSet<JobId>,
    told: HashSet<(JobId, i64)>,
    oldest: VecDeque<(JobId, i64)>,
}

impl Ends {
    /// Gives the job back when it is at an end that was not seen before. A job that was retried ends anew.
    fn see(&mut self, job: Job) -> Option<Job> {
        if !job.state.is_end() {
            self.open.insert(job.id);
            return None;
        }
        self.open.remove(&job.id);
        let end = (job.id, job.completed_at.unwrap_or_default());
        if !self.told.insert(end) {
            return None;
        }
        self.oldest.push_back(end);
        if self.oldest.len() > REMEMBERED
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.told.remove(&oldest);
        }
        Some(job)
    }
}

struct Sender {
    client: reqwest::Client,
    receiver: Arc<Receiver>,
    lanes: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Sender {
    /// Sends in a task of its own.
    fn tell(&self, job: &Job) {
        let event = match job.state {
            JobState::Completed => "job.completed",
            JobState::Failed => "job.failed",
            JobState::Cancelled => "job.cancelled",
            JobState::Queued | JobState::Processing => return,
        };
        if job.origin == Origin::Provider && !self.receiver.provider_jobs {
            return;
        }
        let id = job.id;
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            log::warn!("the webhook is not told of job {id}: {WAITING} messages wait for it already");
            return;
        };
        let body = match serde_json::to_vec(&Message { event, job: &JobView::from(job) }) {
            Ok(body) => body,
            Err(e) => return log::error!("the webhook is not told of job {id}: {e}"),
        };
        let (client, receiver, lanes) = (self.client.clone(), self.receiver.clone(), self.lanes.clone());
        tokio::spawn(async move {
            let _place = place;
            deliver(&client, &receiver, &lanes, event, body, id).await;
        });
    }
}

async fn deliver(
    client: &reqwest::Client,
    receiver: &Receiver,
    lanes: &Semaphore,
    event: &str,
    body: Vec<u8>,
    id: JobId,
) {
    let delivery = Uuid::new_v4().to_string();
    for pause in receiver.pauses.iter().map(Some).chain([None]) {
        let mut request = client
            .post(&receiver.url)
            .header("Content-Type", "application/json")
            .header("X-Transcriptord-Event", event)
            .header("X-Transcriptord-Delivery", &delivery)
            .body(body.clone());
        if let Some(secret) = &receiver.secret {
            request = request.header("X-Transcriptord-Signature", signature(secret, &body));
        }
        let answer = {
            // The semaphore is never closed. Nobody pauses while holding a lane.
            let _lane = lanes.acquire().await;
            request.send().await
        };
        let why = match answer {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) => format!("it answered {}", answer.status()),
            // The address may hold a password.
            Err(e) => e.without_url().to_string(),
        };
        match pause {
            Some(pause) => {
                log::info!(
                    "the webhook has not taken the end of job {id} ({why}): again in {} s",
                    pause.as_secs()
                );
                tokio::time::sleep(*pause).await;
            }
            None => log::warn!("the webhook was not told of the end of job {id}: {why}"),
        }
    }
}

/// `sha256=` and the HMAC-SHA256 (RFC 2104) of the body in hex.
fn signature(secret: &str, body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body);
    tag.as_ref().iter().fold(String::from("sha256="), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::signature;

    /// RFC 4231, test case 2.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
