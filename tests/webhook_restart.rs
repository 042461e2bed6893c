//! A webhook's messages outlive the daemon: its receiver is down, the daemon is killed, and each end arrives all the same.

mod daemon;
mod post;

use daemon::{Daemon, Home, PATIENCE, speech, until};
use post::{Message, Post};
use std::net::SocketAddr;

const ASR: &str = "task=transcribe&language=en&output=srt&encode=false&async=true";

/// A daemon whose ends go to `receiver`, whether anybody listens there or not.
fn start(home: &Home, receiver: SocketAddr) -> Daemon {
    Daemon::start_with(home, |c| {
        c.env("TRANSCRIPTORD_WEBHOOK_URL", format!("http://{receiver}/hook"))
            .env("TRANSCRIPTORD_WEBHOOK_SECRET", "a secret");
    })
}

/// An address where nobody listens.
fn down() -> SocketAddr {
    Post::open().addr()
}

fn check(message: &Message, event: &str, id: &str) {
    message.verify("a secret");
    assert_eq!(message.headers["x-transcriptord-event"], event);
    let told = message.json();
    assert_eq!((told["event"].as_str(), told["job"]["id"].as_str()), (Some(event), Some(id)), "{told}");
}

#[test]
fn an_end_is_told_after_kill_9_once_the_receiver_is_up() {
    let (home, receiver) = (Home::new(), down());
    let daemon = start(&home, receiver);
    let id = daemon.asr(ASR, &[1; 64_000]).json()["id"].as_str().unwrap().to_string();
    assert_eq!(daemon.post(&format!("/api/jobs/{id}/cancel"), "").status, 200);
    daemon.kill();
    let daemon = start(&home, receiver);
    until("a try in vain", || daemon.log().contains("the webhook has not taken").then_some(()));
    daemon.kill();

    let post = Post::open_at(receiver);
    let daemon = start(&home, receiver);
    let first = post.next();
    check(&first, "job.cancelled", &id);
    let (delivery, body) = (first.delivery(), first.body.clone());
    // Heard, but the daemon dies before it knows: told again, under the same delivery id.
    daemon.kill();
    let _daemon = start(&home, receiver);
    let again = post.next();
    assert_eq!((again.delivery(), &again.body), (delivery, &body));
    again.answer("204 No Content");
}

#[test]
fn real_subtitle_made_by_a_worker_is_told_after_kill_9() {
    let Some(home) = speech::home() else { return };
    let receiver = down();
    let daemon = start(&home, receiver);
    let clip = speech::clip("en_echo");
    let id = daemon.asr(ASR, &clip.pcm).json()["id"].as_str().unwrap().to_string();
    assert_eq!(daemon.job_ended(&id)["status"], "completed");
    daemon.kill();
    let post = Post::open_at(receiver);
    let daemon = start(&home, receiver);
    let message = post.next();
    check(&message, "job.completed", &id);
    assert_eq!(message.json()["job"], daemon.job(&id), "what the API says of it");
    message.answer("200 OK");
}
