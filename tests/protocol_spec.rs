//! The tests that provider-spec/whisper-provider.md names are there. Knows nothing of what they check.

use std::path::{Path, PathBuf};

/// Where the test of `pool::label::name` or `http_provider::name` stands.
fn places(path: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let room = path.join("/");
    vec![root.join(format!("src/{room}.rs")), root.join(format!("tests/{room}.rs"))]
}

#[test]
fn every_row_of_the_table_names_tests_that_exist() {
    let page = include_str!("../provider-spec/whisper-provider.md");
    let (_, table) = page.split_once("\n| what was measured | tests |\n").expect("the table");
    let mut wrong = Vec::new();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with("| "));
    for row in rows {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap();
        for named in tests.split(',').map(|name| name.trim().trim_matches('`')) {
            let mut path: Vec<&str> = named.split("::").collect();
            let test = path.pop().unwrap();
            let declared = format!("fn {test}()");
            let texts = places(&path).into_iter().filter_map(|place| std::fs::read_to_string(place).ok());
            let found = texts.into_iter().any(|text| {
                text.split_once(&declared).is_some_and(|(before, _)| before.trim_end().ends_with("#[test]"))
            });
            if !found {
                wrong.push(named.to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "no such tests:\n{}", wrong.join("\n"));
}
