//! What `serve` starts for a device, with a script in the place of the program.

mod pool_bench;

use pool_bench::{new_job, setup};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transcriptord::clock::System;
use transcriptord::pool::children::{Children, Place};
use transcriptord::queue::Queue;
use transcriptord::store::Store;

#[test]
fn the_process_of_a_device_logs_at_the_level_of_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let (program, said) = (dir.path().join("program"), dir.path().join("said"));
    let script = format!("#!/bin/sh\necho \"$@\" >'{0}.new' && mv '{0}.new' '{0}'\n", said.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let queue = Queue::new(Store::open("sqlite::memory:").unwrap(), "here".into(), Arc::new(System));
    queue.submit(new_job("film")).unwrap();
    log::set_max_level(log::LevelFilter::Error);

    let place = Place::Process(program);
    let children = Children::start(setup(dir.path(), 1, 1), queue, place, Box::new(|| None)).unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while !said.exists() && Instant::now() < end {
        std::thread::yield_now();
    }
    let said = std::fs::read_to_string(&said).unwrap();
    assert!(said.starts_with("worker --hints ") && said.ends_with(" --log-level ERROR\n"), "{said}");
    children.stop(Duration::from_secs(60));
}
