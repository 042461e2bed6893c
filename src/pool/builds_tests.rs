//! Which build is used, with scripts in the place of the programs. Knows nothing of children or the command line.

use super::{About, Builds, front};
use crate::device::Device;
use crate::device::level::Level::{self, V2, V3, V4};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A package in a folder; its program is for v2.
struct Package(tempfile::TempDir);

impl Package {
    fn new() -> Package {
        let package = Package(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(package.path("bin")).unwrap();
        package
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts a script where the build for this level, or for GPUs of a kind, belongs.
    fn has(&self, level: impl std::fmt::Display, script: &str) -> PathBuf {
        let path = self.path(&format!("lib/transcriptord/transcriptord-worker-{level}"));
        // Written by another process: while this one had it open, none could run it.
        let mut install = Command::new("install")
            .args(["-D", "-m", "755", "/dev/stdin"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(install.stdin.take().unwrap(), "#!/bin/sh\n{script}").unwrap();
        assert!(install.wait().unwrap().success());
        path
    }

    fn on(&self, cpu: Option<Level>) -> Builds {
        Builds::beside(&self.path("bin/transcriptord"), cpu, Device::Cpu, about(V2))
    }

    /// The level that is used, and why others are not.
    fn check(&self, cpu: impl Into<Option<Level>>, expected: Option<Level>, why: &[&str]) {
        let builds = self.on(cpu.into());
        let used = builds.used();
        assert_eq!((!used.is_own()).then_some(used.about.level).flatten(), expected, "{builds:?}");
        let told = builds.passed_over();
        assert_eq!(told.len(), why.len(), "{told:?}");
        for (told, why) in told.iter().zip(why) {
            assert!(told.contains(why) && told.contains(" is not used: "), "{told}");
        }
    }
}

fn about(level: Level) -> About {
    About { level: Some(level), ..About::here() }
}

/// A script that says so.
fn says(about: &About) -> String {
    format!("echo '{}'", serde_json::to_string(about).unwrap())
}

fn whole_package() -> Package {
    let package = Package::new();
    package.has(V3, &says(&about(V3)));
    package.has(V4, &says(&about(V4)));
    package
}

#[test]
fn the_highest_that_the_cpu_can_run_is_used() {
    let package = whole_package();
    package.check(V4, Some(V4), &[]);
    package.check(V3, Some(V3), &[]);
    package.check(V2, None, &[]);
    // Another kind of CPU.
    package.check(None, None, &[]);
}

#[test]
fn without_builds_beside_it_the_program_does_the_work_itself() {
    let package = Package::new();
    package.check(V4, None, &[]);
    package.has(V3, &says(&about(V3)));
    package.check(V4, Some(V3), &[]);
    let builds = Builds::beside(Path::new(""), Some(V4), Device::Cpu, about(V2));
    assert!(builds.used().is_own() && builds.passed_over().is_empty());
}

#[test]
fn a_gpu_is_used_by_the_build_that_was_made_for_it_alone() {
    let package = whole_package();
    let gpu = |features: &[&str]| About {
        gpus: features.iter().map(|&feature| feature.to_owned()).collect(),
        ..about(V3)
    };
    let check = |own: About, device: Device, expected: Option<&str>, why: &[&str]| {
        let builds = Builds::beside(&package.path("bin/transcriptord"), Some(V4), device, own.clone());
        let used = builds.used();
        let path = used.path.as_ref().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
        assert_eq!(path.as_deref(), expected, "{builds:?}");
        if path.is_some() {
            assert!(used.about.can_use(device), "{used:?}");
        }
        let told = builds.passed_over();
        assert!(told.len() == why.len() && told.iter().zip(why).all(|(t, w)| t.contains(w)), "{told:?}");
    };
    let (cuda, vulkan) = (Device::Cuda(0), Device::Vulkan(1));
    check(about(V2), cuda, None, &[]);
    package.has("cuda", &says(&gpu(&["cuda"])));
    check(about(V2), cuda, Some("transcriptord-worker-cuda"), &[]);
    check(about(V2), Device::Cpu, Some("transcriptord-worker-x86-64-v4"), &[]);
    // There is none for that, and this program cannot; nor does one do that was built with something else.
    check(about(V2), vulkan, None, &[]);
    package.has("vulkan", &says(&gpu(&["cuda"])));
    check(about(V2), vulkan, None, &["it was built without vulkan"]);
    package.has("cuda", "echo libcuda.so.1: cannot open shared object file >&2; exit 127");
    check(about(V2), cuda, None, &["libcuda.so.1: cannot open"]);
    // A driver may come later: then it is used, and nothing replaces it.
    let builds = Builds::beside(&package.path("bin/transcriptord"), Some(V4), cuda, about(V2));
    assert!(
        !builds.used().about.can_use(cuda) && builds.trouble().unwrap().to_string().contains("libcuda.so.1")
    );
    package.has("cuda", &says(&gpu(&["cuda"])));
    assert!(builds.trouble().unwrap().to_string().contains("cuda:0 is not there"));
    assert!(builds.give_up(&builds.used(), "it is tired").is_none() && builds.used().about.can_use(cuda));
    package.has("cuda", &says(&About { devices: vec!["Card".into()], ..gpu(&["cuda"]) }));
    let builds = Builds::beside(&package.path("bin/transcriptord"), Some(V4), cuda, about(V2));
    assert_eq!((builds.used().about.finds(cuda), builds.trouble()), (Some("Card"), None));
    // What can use it itself looks no further.
    check(gpu(&["cuda"]), cuda, None, &[]);
}

#[test]
fn a_program_uses_no_build_for_less_than_itself() {
    let package = whole_package();
    let used =
        |own| Builds::beside(&package.path("bin/transcriptord"), Some(V4), Device::Cpu, about(own)).used();
    assert!(used(V4).is_own());
    assert_eq!(used(V3).about.level, Some(V4));
}

#[test]
fn a_build_of_another_version_or_other_sources_is_not_used() {
    let package = whole_package();
    package.has(V4, &says(&About { version: "0.0.1".into(), ..about(V4) }));
    package.check(V4, Some(V3), &["is of version 0.0.1"]);
    package.has(V3, &says(&About { mark: "0123abc".into(), ..about(V3) }));
    package.check(V4, None, &["0.0.1", "install the whole package anew"]);
}

#[test]
fn what_is_no_build_for_that_level_is_not_used() {
    let package = whole_package();
    // This program under another name: it would start itself for ever.
    package.has(V4, &says(&about(V2)));
    package.check(V4, Some(V3), &["for another CPU than its name says"]);
    package.has(V4, "exit 3");
    package.check(V4, Some(V3), &["exit status: 3"]);
    package.has(V4, "echo hello");
    package.check(V4, Some(V3), &["does not say what it is"]);
    let path = package.has(V4, &says(&about(V4)));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    package.check(V4, Some(V3), &["cannot be run"]);
}

#[test]
fn a_build_that_needs_more_than_the_cpu_has_is_passed_over() {
    let package = whole_package();
    package.has(V4, "kill -ILL $$");
    package.check(V4, Some(V3), &["needs what this CPU does not have"]);
}

#[test]
fn what_was_given_up_is_not_used_again() {
    let package = whole_package();
    let builds = package.on(Some(V4));
    let first = builds.used();
    let told = builds.give_up_illegal(&first).unwrap();
    assert!(told.contains("-v4 is not used") && told.contains("-v3 does the work"), "{told}");
    // Somebody else noticed the same: nothing more is given up.
    builds.give_up_illegal(&first).unwrap();
    let second = builds.used();
    assert_eq!(second.about.level, Some(V3));
    builds.give_up(&second, "it is gone").unwrap();
    assert!(builds.used().is_own());
    assert_eq!(builds.give_up_illegal(&builds.used()), None);
    assert_eq!(builds.passed_over().len(), 2);
}

#[test]
fn what_was_chosen_is_run_also_when_its_file_was_replaced() {
    let package = Package::new();
    package.has(V3, &says(&about(V3)));
    let build = package.on(Some(V3)).used();
    let path = package.has(V4, "exit 3");
    std::fs::rename(path, package.path("lib/transcriptord/transcriptord-worker-x86-64-v3")).unwrap();
    assert!(build.command().stdout(Stdio::null()).status().unwrap().success());
    package.check(V3, None, &["exit status: 3"]);
}

#[test]
fn a_builds_front_is_the_program_of_its_package() {
    let package = whole_package();
    let worker = package.path("lib/transcriptord/transcriptord-worker-x86-64-v3");
    // Without the program there is nothing in front.
    assert_eq!(front(&worker), worker);
    std::fs::write(package.path("bin/transcriptord"), "").unwrap();
    assert_eq!(front(&worker), package.path("bin/transcriptord"));
    for other in ["bin/transcriptord", "lib/transcriptord/other", "transcriptord-worker-x86-64-v3"] {
        assert_eq!(front(&package.path(other)), package.path(other));
    }
}

#[test]
fn this_program_can_run_its_own_kernels() {
    assert_eq!(About::tried().unwrap(), About::here());
}
