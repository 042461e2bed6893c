//! A package whose builds for better CPUs are scripts. Knows nothing of what is tested.
#![allow(dead_code, reason = "each test program uses its part")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use transcriptord::device::level::Level;
use transcriptord::pool::builds::About;

pub struct Package {
    dir: TempDir,
}

impl Package {
    /// With the real program in `bin`.
    pub fn new() -> Package {
        // On the same disk as the program, which is linked.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let package = Package { dir };
        std::fs::create_dir(package.path("bin")).unwrap();
        std::fs::hard_link(env!("CARGO_BIN_EXE_transcriptord"), package.program()).unwrap();
        package
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    pub fn program(&self) -> PathBuf {
        self.path("bin/transcriptord")
    }

    /// Puts a build there that says it is this very program for that level, and does its work by this script.
    pub fn has(&self, level: Level, script: &str) -> PathBuf {
        let mut about = About::here();
        about.level = Some(level);
        self.has_saying(level, &serde_json::to_string(&about).unwrap(), script)
    }

    /// As [`Package::has`], with its own words about itself.
    pub fn has_saying(&self, level: Level, about: &str, script: &str) -> PathBuf {
        let path = self.path(&format!("lib/transcriptord/transcriptord-worker-{level}"));
        let text = format!("#!/bin/sh\nif [ \"$2\" = --about ]; then echo '{about}'; exit; fi\n{script}\n");
        write_program(&path, &text);
        path
    }
}

/// Written by another process: while this one had it open, none could run it.
fn write_program(path: &Path, text: &str) {
    let mut install = Command::new("install")
        .args(["-D", "-m", "755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    install.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success());
}
