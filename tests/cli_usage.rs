//! The command line as people meet it: help, version, exit codes. Knows nothing of what the commands do.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// Runs the program with a home of its own and nothing else of the caller's environment.
fn run(words: &[&str], env: &[(&str, &str)]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_transcriptord"))
        .args(words)
        .current_dir(home.path())
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

fn check(words: &[&str], code: i32, says: &str) {
    let output = run(words, &[]);
    let text = String::from_utf8(if code == 0 { output.stdout } else { output.stderr }).unwrap();
    assert!(text.contains(says), "{words:?} says:\n{text}");
    assert_eq!(output.status.code(), Some(code), "{words:?}");
}

#[test]
fn help_names_every_command_and_each_explains_itself() {
    for command in ["serve", "transcribe", "job", "key", "model", "doctor", "worker"] {
        check(&["--help"], 0, &format!("\n  {command} "));
        check(&[command, "--help"], 0, &format!("Usage: transcriptord {command}"));
    }
    check(&["-h"], 0, "Examples:");
    check(&["model", "import", "-h"], 0, "--weights");
}

#[test]
fn the_version_is_that_of_the_package() {
    check(&["--version"], 0, concat!("transcriptord ", env!("CARGO_PKG_VERSION"), "\n"));
    check(&["-V"], 0, env!("CARGO_PKG_VERSION"));
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    check(&[], 2, "'transcriptord --help' lists the commands");
    check(&["sing"], 2, "sing");
    check(&["serve", "--loud"], 2, "--loud");
    check(&["serve", "--workers=none"], 2, "--workers: 'none' does not fit");
    check(&["serve", "--pool", "swimming"], 2, "--pool: 'swimming' is not one of processes, in-process");
    check(
        &["transcribe", "--profile", "imax", "a.mkv"],
        2,
        "--profile: 'imax' is not one of netflix, amazon",
    );
    check(
        &["transcribe", "--set", "subtitle_max_lines=3", "a.mkv"],
        2,
        "'3' does not fit: give a whole number",
    );
    check(&["serve", "--config", "absent.toml"], 2, "absent.toml: cannot be read");
    check(&["job", "show", "../../etc"], 2, "'../../etc' is not a job id");
    check(&["job", "list", "--status", "lost"], 2, "unknown status 'lost'");
    check(&["job", "list", "--server", "localhost"], 2, "--server: 'localhost' is not a URL");
    check(&["job", "add"], 2, "name at least one media file");
    check(&["job", "add", "film.mkv"], 2, "--language");
    check(&["model", "pull"], 2, "say which model");
}

#[test]
fn a_bad_variable_is_named() {
    let output = run(&["model", "list"], &[("TRANSCRIPTORD_WORKERS", "many")]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("TRANSCRIPTORD_WORKERS (environment): 'many' does not fit"), "{text}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_variable_that_is_misspelt_is_told_and_nothing_else_changes() {
    let misspelt = [("TRANSCRIPTORD_WOKERS", "many"), ("TRANSCRIPTORD_LISTEN", "127.0.0.1:0")];
    let expected = "TRANSCRIPTORD_WOKERS (environment) is ignored: there is no such key, did you mean TRANSCRIPTORD_WORKERS?";
    let listed = run(&["model", "list"], &misspelt);
    assert_eq!(listed.status.code(), Some(0));
    assert_eq!(String::from_utf8(listed.stderr).unwrap(), format!("transcriptord: warning: {expected}\n"));
    let looked = String::from_utf8(run(&["doctor"], &misspelt).stdout).unwrap();
    assert!(looked.contains(&format!("warn  config      {expected}")), "{looked}");
}

#[test]
fn without_a_daemon_the_job_commands_say_how_to_start_one() {
    // The port of a listener that is gone again: nobody answers there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("http://127.0.0.1:{port}");
    check(&["job", "list", "--server", &server], 1, "start one with 'transcriptord serve'");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_transcriptord"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn the_doctor_says_what_is_missing_and_what_to_do() {
    let output = run(&["doctor", "--library", "absent"], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "ok    config ",
        "ok    data folder ",
        "fail  models ",
        "model pull",
        "whisper.cpp",
        "fail  library ",
    ] {
        assert!(text.contains(part), "no '{part}' in:\n{text}");
    }
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_doctor_looks_at_the_key_and_never_shows_it() {
    let data = tempfile::tempdir().unwrap();
    let key = data.path().join("api_key");
    let check = |expected: &str| {
        let output = run(&["doctor", "--data-dir", data.path().to_str().unwrap()], &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        let found = text.lines().skip_while(|line| !line.contains("API key")).take(2).collect::<String>();
        let place = found.replace(key.to_str().unwrap(), "KEY");
        assert!(place.contains(expected), "no '{expected}' in: {place}");
        assert!(!text.contains("0123456789abcdef"), "{text}");
    };
    check("ok    API key     KEY (made at the first start)");
    std::fs::write(&key, "0123456789abcdef\n").unwrap();
    let mode = |bits| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(bits)).unwrap();
    mode(0o600);
    check("ok    API key     KEY: 'transcriptord key' prints it");
    mode(0o640);
    check("warn  API key     KEY can be read by others (mode 640)");
    check("chmod 600 KEY");
    std::fs::write(&key, " \n").unwrap();
    check("fail  API key     KEY is empty");
    check("remove it: a new key is made at the next start");
    std::fs::remove_file(&key).unwrap();
    std::fs::create_dir(&key).unwrap();
    check("fail  API key     KEY cannot be read");
}

#[test]
fn the_doctor_reports_a_database_that_is_none() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("transcriptord.db");
    std::fs::write(&path, "this is no database, however long one looks at it\n".repeat(100)).unwrap();
    let output = run(&["doctor", "--data-dir", &home.path().display().to_string()], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("fail  database "), "{text}");
}
