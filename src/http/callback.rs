//! Tells a web address of every job's end. Knows nothing of who listens there, and holds nothing up for them.
//!
//! The words are put into the database with the end itself (`queue::Told`), and stay there until the receiver has taken
//! them or has failed to for three days: neither a restart nor `kill -9` loses one. A death between the receiver's
//! answer and our note of it sends one twice, with the same delivery id.

use super::view::JobView;
use crate::clock::Millis;
use crate::job::Job;
use crate::queue::{self, Delivery, Notice, Queue};
use ring::hmac;
use serde::Serialize;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

/// The first pauses between tries; after them it is an hour each time.
const FIRST_PAUSES_S: [u64; 5] = [2, 15, 60, 5 * 60, 25 * 60];
const HOURS: usize = 72;
/// A receiver that takes longer is tried again.
const PATIENCE: Duration = Duration::from_secs(10);
/// A delivery whose sender died is sent again after this.
const HOLD_MS: Millis = 15_000;
/// Messages on their way at once; the others wait.
const AT_ONCE: usize = 4;
/// A lost notice of a job's end costs at most this.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Who is told.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    /// Signs each body: HMAC-SHA256, in the header `X-Transcriptord-Signature`.
    pub secret: Option<String>,
    /// Before the second try, the third, and so on; when they are used up, the receiver is given up.
    pub pauses: Vec<Duration>,
}

/// The pauses between tries: three days in all.
pub fn pauses() -> Vec<Duration> {
    let hours = std::iter::repeat_n(3600, HOURS);
    FIRST_PAUSES_S.into_iter().chain(hours).map(Duration::from_secs).collect()
}

#[derive(Serialize)]
struct Message<'a> {
    event: &'a str,
    job: JobView,
}

/// What is said of a job's end, as JSON.
pub fn words(event: &str, job: &Job) -> serde_json::Result<String> {
    serde_json::to_string(&Message { event, job: JobView::from(job) })
}

/// Delivers in a thread of its own as long as the process lives.
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
    let sender = Arc::new(Sender { client, receiver, queue });
    let deliver = move || runtime.block_on(deliver(sender, notices));
    std::thread::Builder::new().name("webhook".into()).spawn(deliver)?;
    Ok(())
}

async fn deliver(sender: Arc<Sender>, mut notices: tokio::sync::broadcast::Receiver<Notice>) {
    let mut under_way = JoinSet::new();
    loop {
        let free = AT_ONCE - under_way.len();
        let wait = if free == 0 { LOOK_AGAIN } else { sender.clone().begin(free, &mut under_way).await };
        tokio::select! {
            heard = notices.recv() => if matches!(heard, Err(RecvError::Closed)) { return },
            Some(_) = under_way.join_next() => {}
            _ = tokio::time::sleep(wait) => {}
        }
        // One look serves all that was heard meanwhile.
        while notices.try_recv().is_ok() {}
    }
}

struct Sender {
    client: reqwest::Client,
    receiver: Receiver,
    queue: Queue,
}

impl Sender {
    /// Sends what is due, at most so many, each in a task of its own. Gives the time until there may be more.
    async fn begin(self: Arc<Self>, at_most: usize, under_way: &mut JoinSet<()>) -> Duration {
        let looked = self.ask(move |queue| {
            let taken = queue.take_deliveries(u32::try_from(at_most).unwrap_or(1), HOLD_MS)?;
            Ok((taken, queue.next_delivery_in()?))
        });
        let Some((taken, next_ms)) = looked.await else { return LOOK_AGAIN };
        for one in taken {
            let sender = self.clone();
            under_way.spawn(async move { sender.send(&one).await });
        }
        let next = next_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        // With every lane taken, the end of a task is what is waited for.
        if under_way.len() < AT_ONCE {
            next.map_or(LOOK_AGAIN, |next| next.min(LOOK_AGAIN))
        } else {
            LOOK_AGAIN
        }
    }

    async fn send(&self, one: &Delivery) {
        let mut request = self
            .client
            .post(&self.receiver.url)
            .header("Content-Type", "application/json")
            .header("X-Transcriptord-Event", &one.event)
            .header("X-Transcriptord-Delivery", one.id.to_string())
            .body(one.body.clone());
        if let Some(secret) = &self.receiver.secret {
            request = request.header("X-Transcriptord-Signature", signature(secret, one.body.as_bytes()));
        }
        let why = match request.send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answered {}", answer.status())),
            // The address may hold a password.
            Err(e) => Some(e.without_url().to_string()),
        };
        let job = one.job;
        let pause = self.receiver.pauses.get(one.tries.saturating_sub(1) as usize).copied();
        let told = one.clone();
        match (why, pause) {
            (Some(why), Some(pause)) => {
                log::info!(
                    "the webhook has not taken the end of job {job} ({why}): again in {} s",
                    pause.as_secs()
                );
                self.ask(move |queue| queue.put_off_delivery(&told, pause.as_millis() as Millis)).await;
            }
            (None, _) => drop(self.ask(move |queue| queue.drop_delivery(&told)).await),
            (Some(why), None) => {
                log::warn!("the webhook was not told of the end of job {job} and is given up: {why}");
                self.ask(move |queue| queue.drop_delivery(&told)).await;
            }
        }
    }

    /// Asks the queue where it may block. What fails is tried again: each delivery is due until it is dropped.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Queue) -> queue::Result<T> + Send + 'static,
    ) -> Option<T> {
        let queue = self.queue.clone();
        match tokio::task::spawn_blocking(move || question(&queue)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(e)) => {
                log::warn!("what the webhook is to be told waits: {e}");
                None
            }
            Err(_) => None,
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
    use super::{pauses, signature};
    use std::time::Duration;

    /// RFC 4231, test case 2.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn pauses_grow_and_are_over_after_three_days() {
        let pauses = pauses();
        assert!(pauses.is_sorted());
        let days = pauses.iter().sum::<Duration>().as_secs_f64() / 86_400.0;
        assert!((3.0..3.1).contains(&days), "{days}");
    }
}
