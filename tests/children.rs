//! What `serve` starts for a device, with scripts in the place of the programs.

mod package_of_scripts;
mod pool_bench;

use package_of_scripts::Package;
use pool_bench::{new_job, setup};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transcriptord::clock::System;
use transcriptord::device::Device;
use transcriptord::device::level::Level::{V2, V3, V4};
use transcriptord::job::{Claim, JobKind};
use transcriptord::pool::builds::{About, Builds};
use transcriptord::pool::children::{Children, Place};
use transcriptord::queue::{Begun, ClaimAsk, Queue};
use transcriptord::store::Store;

fn queue() -> Queue {
    Queue::new(Store::open("sqlite::memory:").unwrap(), "here".into(), Arc::new(System))
}

fn start(dir: &Path, queue: &Queue, builds: Builds) -> Children {
    Children::start(setup(dir, 1, 1), queue.clone(), Place::Process(Box::new(builds)), Box::new(|| None))
        .unwrap()
}

/// What a script has written, once it is there.
fn written(path: &Path) -> String {
    let end = Instant::now() + Duration::from_secs(60);
    while !path.exists() && Instant::now() < end {
        std::thread::yield_now();
    }
    std::fs::read_to_string(path).unwrap()
}

/// A script that writes its words down and then lives until it is killed.
fn working(said: &Path) -> String {
    format!("echo \"$@\" >'{0}.new' && mv '{0}.new' '{0}'\nexec sleep 600", said.display())
}

/// A package with builds for two levels, on a CPU that has both.
fn package(better: &str, lower: &str) -> (Package, Builds) {
    let package = Package::new();
    package.has(V4, better);
    package.has(V3, lower);
    let mut own = About::here();
    own.level = Some(V2);
    let builds = Builds::beside(&package.program(), Some(V4), Device::Cpu, own);
    assert_eq!(builds.used().about.level, Some(V4), "{builds:?}");
    (package, builds)
}

#[test]
fn the_process_of_a_device_logs_at_the_level_of_the_daemon() {
    let package = Package::new();
    let said = package.path("said");
    let program = package.has(V2, &working(&said));
    let queue = queue();
    queue.submit(new_job("film")).unwrap();
    log::set_max_level(log::LevelFilter::Error);

    let children = start(&package.path(""), &queue, Builds::only(program));
    let said = written(&said);
    assert!(said.starts_with("worker --hints ") && said.ends_with(" --log-level ERROR\n"), "{said}");
    children.stop(Duration::ZERO);
}

fn claim(queue: &Queue) -> Claim {
    let ask = ClaimAsk {
        device: "cpu".into(),
        kinds: &[JobKind::Transcription],
        above: None,
        lease_ms: 60_000,
        ageing_ms_per_point: 0,
    };
    queue.claim(&ask).unwrap().unwrap().1
}

#[test]
fn a_build_that_dies_of_an_illegal_instruction_gives_way_to_the_next_and_no_sound_is_blamed() {
    let dir = tempfile::tempdir().unwrap();
    let said = dir.path().join("said");
    let (_package, builds) = package("kill -ILL $$", &working(&said));
    let queue = queue();
    queue.submit(new_job("film")).unwrap();
    // A window that has died once already, and is in flight when the build dies.
    queue.begin_window(&claim(&queue), 4).unwrap();
    queue.release_dead("cpu").unwrap();
    queue.begin_window(&claim(&queue), 4).unwrap();
    queue.submit(new_job("another")).unwrap();

    let children = start(dir.path(), &queue, builds);
    assert!(written(&said).starts_with("worker --hints "));
    // Had it been charged, it would have to run alone.
    assert_eq!(queue.begin_window(&claim(&queue), 4).unwrap(), Begun::Go);
    children.stop(Duration::ZERO);
}

#[test]
fn a_build_that_cannot_be_run_any_more_gives_way_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let said = dir.path().join("said");
    let (package, builds) = package("exit 1", &working(&said));
    let better = package.path("lib/transcriptord/transcriptord-worker-x86-64-v4");
    std::fs::set_permissions(better, std::fs::Permissions::from_mode(0o644)).unwrap();
    let queue = queue();
    queue.submit(new_job("film")).unwrap();
    let children = start(dir.path(), &queue, builds);
    assert!(written(&said).starts_with("worker --hints "));
    children.stop(Duration::ZERO);
}
