//! The systemd units, judged by systemd's own tools. Knows nothing of a running systemd.

use std::process::Command;

#[test]
fn systemd_finds_no_fault_in_the_units() {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/units")).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() == Some(77) {
        eprint!("{err}");
        return;
    }
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out.matches("Overall exposure level").count(), 2, "{out}");
    print!("{out}");
}
