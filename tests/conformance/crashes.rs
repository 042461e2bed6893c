//! A process killed in the midst of writing loses nothing that it was told is stored.
//!
//! For databases in a file of their own: the child is this test binary, run for one test.

use super::bench::*;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use transcriptord::clock;
use transcriptord::job::{JobId, JobState};
use transcriptord::queue::Queue;
use transcriptord::store::Store;

const CHILD: &str = "conformance::crashes::the_child_that_writes_until_it_is_killed";
const DATABASE: &str = "CONFORMANCE_DATABASE";
const ROUND: &str = "CONFORMANCE_ROUND";
const KILLS: usize = 20;

fn open(url: &str) -> Queue {
    Queue::new(Store::open(url).unwrap(), "here".to_owned(), Arc::new(clock::System))
}

#[test]
fn a_killed_writer_loses_nothing_and_tears_nothing() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("queue.db");
    let url = format!("sqlite://{}", file.display());
    let mut told: BTreeMap<JobId, &str> = BTreeMap::new();

    for round in 0..KILLS {
        // 3 to 80 lines: the moments of the kills are spread over what a writer does.
        let heard = killed_after(&url, round, 3 + round * 37 % 78);
        for (what, id) in heard {
            told.insert(id, what);
        }
        check_file(&file);
        let queue = open(&url);
        for (id, what) in &told {
            let job = queue.get(*id).unwrap().unwrap_or_else(|| panic!("{id} was {what} and is lost"));
            if *what == "finished" {
                assert_eq!(job.state, JobState::Completed, "{id} was finished");
                assert_eq!(queue.result(*id).unwrap().unwrap().result, id.to_string());
            }
        }
        queue.release_node().unwrap();
        assert_eq!(queue.counts().unwrap().processing, 0);
    }

    // All that is left can be done, each once.
    let queue = open(&url);
    while let Some((job, claim)) = queue.claim(&ask()).unwrap() {
        assert!(queue.finish(&claim, &outcome(&job.id.to_string())).unwrap());
    }
    let counts = queue.counts().unwrap();
    assert_eq!(counts.total, counts.completed);
    assert!(counts.total >= told.len() as u64);
    assert!(told.values().any(|what| *what == "finished"), "some were finished before the kills");
}

/// Starts the child, kills it after so many lines, and gives what it said.
fn killed_after(url: &str, round: usize, lines: usize) -> Vec<(&'static str, JobId)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture", "--test-threads=1"])
        .env(DATABASE, url)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut said = out.lines().map_while(Result::ok).filter_map(|line| {
        let (what, id) = line.split_once(' ')?;
        let what = ["submitted", "finished"].into_iter().find(|w| *w == what)?;
        Some((what, id.parse().ok()?))
    });
    let mut heard: Vec<_> = said.by_ref().take(lines).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(heard.len(), lines, "the child ended by itself");
    heard.extend(said);
    heard
}

fn check_file(file: &Path) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
    let orphans = connection.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!orphans);
}

/// Two threads submit, claim, decode and finish, and say what is stored once it is.
#[test]
#[ignore = "the child of the test above"]
fn the_child_that_writes_until_it_is_killed() {
    let (Ok(url), Ok(round)) = (std::env::var(DATABASE), std::env::var(ROUND)) else { return };
    let queue = open(&url);
    let say = |what: &str, id: JobId| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{what} {id}").and_then(|()| out.flush()).is_ok()
    };
    let write = |thread: usize| {
        for n in 0..100_000 {
            let id = queue.submit(film(&format!("{round} {thread} {n}"))).unwrap().id;
            if !say("submitted", id) {
                return;
            }
            let Some((job, claim)) = queue.claim(&ask()).unwrap() else { continue };
            for index in 0..3 {
                queue.begin_window(&claim, index).unwrap();
                queue.end_window(&claim, index, "{}").unwrap();
            }
            queue.begin_window(&claim, 3).unwrap();
            if n % 5 == 0 {
                queue.release(&claim).unwrap();
            } else if queue.finish(&claim, &outcome(&job.id.to_string())).unwrap() && !say("finished", job.id)
            {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(0));
        scope.spawn(|| write(1));
    });
}
