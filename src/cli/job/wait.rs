//! Waits for the end of a job: a bar on a terminal, lines in a pipe. Does not know who works on it.

use super::client::{self, Client, Job};
use super::{Failure, text};
use crate::cli::{print, progress};
use crate::job::JobState;
use std::time::{Duration, Instant};

/// How long the daemon may hold an answer back when nobody watches, in seconds; it answers earlier when the job ends.
const HOLD: u64 = 10;
/// Between two questions at least this long.
const PACE: Duration = Duration::from_secs(1);
/// A daemon that restarts is asked again until this long after its last answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns when the job has completed; fails when it failed, was cancelled, or is not known.
pub fn until_ended(client: &Client, id: &str) -> Result<(), Failure> {
    let path = format!("/api/jobs/{id}");
    let mut job: Job = client::shaped(client.get(&path)?)?;
    let bar = progress::percent(text::name(&job));
    let mut told = String::new();
    let mut heard = Instant::now();
    while !ended(&job) {
        tell(&job, &bar, &mut told);
        let asked = Instant::now();
        // A bar that is watched wants a look each second.
        match client.poll(&path, if progress::watched() { 1 } else { HOLD }) {
            Ok(answer) => {
                job = client::shaped(answer)?;
                heard = Instant::now();
            }
            Err(failure) if heard.elapsed() > PATIENCE => return Err(failure),
            Err(_) => {}
        }
        std::thread::sleep(PACE.saturating_sub(asked.elapsed()));
    }
    bar.finish_and_clear();
    match job.status.as_str() {
        "completed" => print(&done(&job)),
        status => {
            let why = job.error.as_deref().unwrap_or("no reason was given");
            let name = text::name(&job);
            Err(Failure::failed(if status == "failed" {
                format!("{name} failed: {why}")
            } else {
                format!("{name} was {status}")
            }))
        }
    }
}

fn ended(job: &Job) -> bool {
    job.status.parse::<JobState>().is_ok_and(JobState::is_end)
}

fn done(job: &Job) -> String {
    let mut line = format!("{} completed", text::name(job));
    if let Some(seconds) = job.processing_time_seconds {
        line += &format!(" in {}", text::clock(seconds));
    }
    if let Some(cues) = job.segments_count {
        line += &format!(", {cues} cues");
    }
    if let Some(path) = &job.output_path {
        line += &format!(", {path}");
    }
    if let Some(note) = &job.note {
        line += &format!(" ({note})");
    }
    line + "\n"
}

/// The bar, or a line when the stage changes or ten more percent are done.
fn tell(job: &Job, bar: &indicatif::ProgressBar, told: &mut String) {
    let stage = job.current_stage.as_deref().unwrap_or(&job.status).replace('_', " ");
    let left = job.eta_seconds.map(|s| format!(", {} left", text::clock(s))).unwrap_or_default();
    bar.set_position(job.progress.clamp(0.0, 100.0) as u64);
    bar.set_message(format!("{stage}{left}"));
    let tens = (job.progress / 10.0).floor() * 10.0;
    let news = format!("{stage} {tens}");
    if !progress::watched() && *told != news {
        eprintln!("{}: {stage}, {:.0} %{left}", text::name(job), job.progress);
        *told = news;
    }
}
