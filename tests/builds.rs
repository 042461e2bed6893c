//! The real program in a package whose builds for better CPUs are scripts: which one does the work, and what is said of it.

mod package_of_scripts;

use package_of_scripts::Package;
use std::process::{Command, Output};
use transcriptord::device::level::Level;

/// A package with a build for the CPU at hand that writes its words down, unless this CPU has no levels.
fn package(about: Option<&str>) -> Option<(Package, Level)> {
    let Some(level) = Level::of_cpu() else {
        eprintln!("SKIPPED: there are levels of x86-64 only");
        return None;
    };
    let package = Package::new();
    let script = "echo better \"$@\"";
    match about {
        Some(about) => package.has_saying(level, about, script),
        None => package.has(level, script),
    };
    Some((package, level))
}

fn run(package: &Package, words: &[&str]) -> Output {
    Command::new(package.program())
        .args(words)
        .current_dir(package.path(""))
        .env_clear()
        .env("HOME", package.path(""))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_transcribes_is_the_best_build_with_the_same_words() {
    let Some((package, _)) = package(None) else { return };
    for words in [
        &["transcribe", "--language", "en", "a film.mkv"][..],
        &["worker", "--device", "cpu", "--workers", "1"],
        &["serve", "--listen", "127.0.0.1:0", "--pool", "in-process"],
    ] {
        let output = run(&package, words);
        assert_eq!(out(&output), format!("better {}\n", words.join(" ")), "{}", err(&output));
        assert!(output.status.success());
    }
    // What does not transcribe stays, and so does what `serve` has chosen.
    assert!(out(&run(&package, &["--version"])).starts_with("transcriptord "));
    assert!(!out(&run(&package, &["model", "list"])).contains("better"));
    assert!(!out(&run(&package, &["worker", "--hints", "0"])).contains("better"));
}

#[test]
fn a_build_of_another_version_is_named_and_not_used() {
    let about = r#"{"version":"0.0.1","mark":"","level":"x86-64-v3","kernels":""}"#;
    let Some((package, level)) = package(Some(about)) else { return };
    let output = run(&package, &["transcribe", "absent.mkv"]);
    assert!(!out(&output).contains("better"));
    let said = err(&output);
    assert!(
        said.contains(&format!("transcriptord-worker-{level} is not used: it is of version 0.0.1")),
        "{said}"
    );
    assert!(said.contains("absent.mkv: there is no such file"), "{said}");
    let doctor = out(&run(&package, &["doctor"]));
    assert!(doctor.contains("warn  build ") && doctor.contains("is of version 0.0.1"), "{doctor}");
}

#[test]
fn the_doctor_names_the_cpu_and_the_build_that_does_the_work() {
    let Some((package, level)) = package(None) else { return };
    let doctor = out(&run(&package, &["doctor"]));
    let path = package.path(&format!("lib/transcriptord/transcriptord-worker-{level}"));
    assert!(doctor.contains(&format!("the CPU is {level}; {} does the work", path.display())), "{doctor}");
    std::fs::remove_file(path).unwrap();
    let doctor = out(&run(&package, &["doctor"]));
    assert!(doctor.contains(&format!("the CPU is {level}; this program does the work")), "{doctor}");
}

#[test]
fn a_program_says_what_it_is_after_trying_its_kernels() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_transcriptord")).args(["worker", "--about"]).output().unwrap();
    let about: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    assert!(about["kernels"].as_str().unwrap().contains(" = 1"), "{about}");
}
