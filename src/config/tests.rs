//! What wins over what, and what each error says. Knows nothing of real files or the real environment.

use super::{Config, Flags, Naming, PoolMode, load};
use crate::job::Preset;
use std::path::{Path, PathBuf};

fn given(flags: &Flags, env: &[(&str, &str)], dotenv: &str, file: &str) -> Result<Config, String> {
    let look = |name: &str| {
        let home = [("HOME", "/home/kim")];
        env.iter().chain(&home).find(|(n, _)| *n == name).map(|(_, value)| value.to_string())
    };
    load(flags, &look, Some(dotenv), Some((Path::new("transcriptord.toml"), file))).map_err(|e| e.to_string())
}

fn ok(env: &[(&str, &str)], dotenv: &str, file: &str) -> Config {
    match given(&Flags::default(), env, dotenv, file) {
        Ok(config) => config,
        Err(e) => panic!("{e}"),
    }
}

fn check_error(env: &[(&str, &str)], dotenv: &str, file: &str, expected: &str) {
    match given(&Flags::default(), env, dotenv, file) {
        Ok(_) => panic!("this was accepted, instead of: {expected}"),
        Err(e) => assert_eq!(e, expected),
    }
}

#[test]
fn with_nothing_given_bazarrs_default_endpoint_is_served() {
    let config = ok(&[], "", "");
    assert_eq!(config.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(config.data_dir, Path::new("/home/kim/.local/share/transcriptord"));
    assert_eq!(config.models_dir, Path::new("/home/kim/.local/share/transcriptord/models"));
    assert_eq!(config.database_url, "sqlite:///home/kim/.local/share/transcriptord/transcriptord.db");
    assert_eq!(config.device.to_string(), "cpu");
    assert_eq!(config.pool, PoolMode::Processes);
    assert_eq!((config.quality_preset, config.provider_quality_preset), (Preset::Fast, Preset::Balanced));
    assert_eq!(config.subtitle_language_naming_type, Naming::Iso639_2B);
    assert_eq!(config.cache_dir, Path::new("/home/kim/.local/share/transcriptord/cache"));
    assert!(config.library.is_empty() && config.workers.is_none() && config.model.is_none());
}

#[test]
fn the_environment_wins_over_the_file_and_flags_win_over_both() {
    let file = "workers = 1\nmax_retries = 1\nlease_seconds = 11\nmodel = \"tiny\"\n";
    let dotenv = "TRANSCRIPTORD_WORKERS=2\nTRANSCRIPTORD_MAX_RETRIES=2\nTRANSCRIPTORD_MODEL=base\n";
    let env = [("TRANSCRIPTORD_WORKERS", "3"), ("TRANSCRIPTORD_MODEL", "small")];
    let flags = Flags { model: Some("medium".into()), ..Flags::default() };
    let config = given(&flags, &env, dotenv, file).unwrap();
    assert_eq!(config.lease_seconds, 11, "only the file has it");
    assert_eq!(config.max_retries, 2, ".env wins over the file");
    assert_eq!(config.workers, Some(3), "the environment wins over .env");
    assert_eq!(config.model.as_deref(), Some("medium"), "a flag wins over all");
}

#[test]
fn the_names_that_users_of_transcriptarr_have_still_work() {
    let env = [("LIBRARY_PATHS", "/media/films | /media/series"), ("DATABASE_URL", "sqlite:///srv/t.db")];
    let config = ok(&env, "", "");
    assert_eq!(config.library, [PathBuf::from("/media/films"), PathBuf::from("/media/series")]);
    assert_eq!(config.database_url, "sqlite:///srv/t.db");
}

#[test]
fn an_empty_variable_counts_as_absent() {
    assert_eq!(ok(&[("TRANSCRIPTORD_WORKERS", "")], "LIBRARY_PATHS=", "workers = 4").workers, Some(4));
}

#[test]
fn systemds_state_directory_is_where_data_goes() {
    let config = ok(&[("STATE_DIRECTORY", "/var/lib/transcriptord:/x"), ("XDG_DATA_HOME", "/xdg")], "", "");
    assert_eq!(config.data_dir, Path::new("/var/lib/transcriptord"));
    assert_eq!(ok(&[("XDG_DATA_HOME", "/xdg")], "", "").data_dir, Path::new("/xdg/transcriptord"));
}

#[test]
fn a_dotenv_file_may_be_written_as_shells_do() {
    let dotenv = "# a comment\nexport TRANSCRIPTORD_MODEL='base.en'\n\nTRANSCRIPTORD_WORKERS=2 # two\nLIBRARY_PATHS=\"/a b|/c\"\n";
    let config = ok(&[], dotenv, "");
    assert_eq!(config.model.as_deref(), Some("base.en"));
    assert_eq!(config.workers, Some(2));
    assert_eq!(config.library, [PathBuf::from("/a b"), PathBuf::from("/c")]);
}

#[test]
fn an_address_may_be_a_port_or_localhost() {
    let check = |given: &str, expected: &str| {
        assert_eq!(ok(&[("TRANSCRIPTORD_LISTEN", given)], "", "").listen.to_string(), expected);
    };
    check("9001", "127.0.0.1:9001");
    check("localhost:9002", "127.0.0.1:9002");
    check("0.0.0.0:9000", "0.0.0.0:9000");
    check("[::1]:9000", "[::1]:9000");
}

#[test]
fn an_error_names_the_key_and_the_place_it_came_from() {
    check_error(
        &[],
        "",
        "# mine\nmodel = \"base\"\nworkers = \"many\"\n",
        "workers in transcriptord.toml line 3: 'many' does not fit: give a whole number from 1 to 256, or 'auto' (0 is the same)",
    );
    check_error(
        &[("TRANSCRIPTORD_LISTEN", "here")],
        "",
        "",
        "TRANSCRIPTORD_LISTEN (environment): 'here' is not an address with a port: give one like 127.0.0.1:9000, or 0.0.0.0:9000 for all networks",
    );
    check_error(
        &[],
        "\nTRANSCRIPTORD_DEVICE=gpu",
        "",
        "TRANSCRIPTORD_DEVICE (.env line 2): 'gpu' is not a device: give cpu, cuda:0 or vulkan:0",
    );
    check_error(
        &[],
        "",
        "lease_seconds = 1",
        "lease_seconds in transcriptord.toml line 1: '1' does not fit: give a whole number from 10 to 3600",
    );
    check_error(
        &[],
        "",
        "model = [\"a\"]",
        "model in transcriptord.toml line 1: a list does not fit here: give one value",
    );
    check_error(
        &[("TRANSCRIPTORD_CPU_COMPUTE_TYPE", "int8")],
        "",
        "",
        "TRANSCRIPTORD_CPU_COMPUTE_TYPE (environment): 'int8' is not one of auto, f16, bf16, q8_0, q5_1",
    );
    let flags = Flags { pool: Some("threads".into()), ..Flags::default() };
    let error = given(&flags, &[], "", "").unwrap_err();
    assert_eq!(error, "--pool: 'threads' is not one of processes, in-process");
}

#[test]
fn an_unknown_key_is_an_error_with_the_nearest_one() {
    check_error(
        &[],
        "",
        "worker = 2",
        "worker in transcriptord.toml line 1: there is no such key, did you mean 'workers'?",
    );
    let error = given(&Flags::default(), &[], "", "[server]\nport = 1\n").unwrap_err();
    assert!(
        error.starts_with("server in transcriptord.toml line 1: there is no such key (known are listen, "),
        "{error}"
    );
}

#[test]
fn what_is_not_toml_is_named_with_its_line() {
    let error = given(&Flags::default(), &[], "", "workers = 2\nmodel = base\n").unwrap_err();
    assert!(error.starts_with("transcriptord.toml line 2: this is not TOML: "), "{error}");
}

#[test]
fn a_password_in_a_database_url_stays_out_of_the_message() {
    check_error(
        &[("DATABASE_URL", "postgresql://kim:secret@db/t")],
        "",
        "",
        "DATABASE_URL (environment): 'postgresql://kim:…@db/t' is not a database this build can open: give sqlite:///absolute/path/to/transcriptord.db",
    );
}

#[test]
fn the_example_file_is_accepted_and_names_every_key() {
    let example = include_str!("../../examples/transcriptord.toml");
    let all = example.replace("\n# ", "\n");
    for key in super::keys::all() {
        assert!(
            all.contains(&format!("\n{} = ", key.name)),
            "examples/transcriptord.toml does not show {}",
            key.name
        );
    }
    ok(&[], "", example);
    let values: String = example
        .lines()
        .filter_map(|l| l.strip_prefix("# "))
        .filter(|l| l.contains(" = "))
        .map(|l| format!("{l}\n"))
        .collect();
    ok(&[], "", &values);
}

#[test]
fn the_readme_describes_every_key() {
    let readme = include_str!("../../README.md");
    for key in super::keys::all() {
        assert!(readme.contains(&format!("| `{}` |", key.name)), "README.md does not describe {}", key.name);
    }
}

#[test]
fn paths_are_mapped_pair_by_pair_and_only_when_asked_for() {
    let lists = "path_mapping_from = [\"/tv\"]\npath_mapping_to = [\"/media/tv\"]\n";
    assert!(ok(&[], "", lists).bazarr.path_mapping().is_empty());
    let mapped = ok(&[("TRANSCRIPTORD_USE_PATH_MAPPING", "true")], "", lists).bazarr.path_mapping();
    assert_eq!(mapped, [("/tv".to_string(), "/media/tv".to_string())]);
    check_error(
        &[],
        "",
        "path_mapping_from = [\"/tv\", \"/movies\"]\npath_mapping_to = [\"/media/tv\"]\n",
        "path_mapping_from: it has 2 entries, path_mapping_to has 1: give one for each, in the same order",
    );
}

#[test]
fn push_needs_bazarrs_address_and_key() {
    check_error(
        &[],
        "",
        "bazarr_push_enabled = true\nbazarr_url = \"http://127.0.0.1:6767\"\n",
        "bazarr_push_enabled: push needs bazarr_url and bazarr_api_key (Bazarr shows its key under Settings > General)",
    );
}

#[test]
fn single_limits_refine_the_named_profile() {
    use crate::subtitle::{Profile, profile::Name};
    assert_eq!(ok(&[], "", "").wording.profile(), Profile::netflix());
    let file =
        "subtitle_profile = \"bbc\"\nsubtitle_max_duration_ms = 6000\nsubtitle_max_chars_per_second = 12.5\n";
    let flags = Flags { set: vec!["subtitle_max_lines=1".into()], ..Flags::default() };
    let profile =
        given(&flags, &[], "TRANSCRIPTORD_SUBTITLE_MAX_LINE_LENGTH=30", file).unwrap().wording.profile();
    let expected = Profile {
        max_lines: 1,
        columns: Some(30),
        chars_per_second: Some(12.5),
        max_ms: 6000,
        ..Profile::of(Name::Bbc)
    };
    assert_eq!(profile, expected);
}

#[test]
fn a_limit_that_does_not_fit_names_its_key_and_range() {
    check_error(
        &[],
        "",
        "subtitle_max_lines = 3",
        "subtitle_max_lines in transcriptord.toml line 1: '3' does not fit: give a whole number from 1 to 2",
    );
    check_error(
        &[("TRANSCRIPTORD_SUBTITLE_PROFILE", "disney")],
        "",
        "",
        "TRANSCRIPTORD_SUBTITLE_PROFILE (environment): 'disney' is not one of netflix, amazon, arte, bbc, custom",
    );
    check_error(
        &[],
        "",
        "subtitle_max_chars_per_second = 0",
        "subtitle_max_chars_per_second in transcriptord.toml line 1: '0' does not fit: give a number from 1 to 100",
    );
    check_error(
        &[],
        "",
        "subtitle_min_duration_ms = 3000\nsubtitle_max_duration_ms = 2000",
        "subtitle_max_duration_ms: 2000 is less than subtitle_min_duration_ms and subtitle_close_gap_ms together, 3000 and 500",
    );
    check_error(
        &[],
        "",
        "subtitle_min_gap_ms = 300\nsubtitle_close_gap_ms = 200",
        "subtitle_min_gap_ms: 300 is more than subtitle_close_gap_ms, 200",
    );
    check_error(
        &[],
        "",
        "subtitle_close_gap_ms = 0",
        "subtitle_close_gap_ms: 0 is less than subtitle_min_gap_ms, 83",
    );
}

#[test]
fn a_regrouping_that_is_not_understood_is_refused_at_the_start() {
    let config = ok(&[("CUSTOM_REGROUP", "cm_sl=84_sl=42++++++1")], "", "");
    assert_eq!(config.wording.regroup.as_deref(), Some("cm_sl=84_sl=42++++++1"));
    check_error(
        &[],
        "",
        "custom_regroup = \"sl=42_p=.1\"",
        "custom_regroup in transcriptord.toml line 1: 'p' (pad) is not done here, the times of cues follow the limits of the \
         profile (subtitle_linger_ms, subtitle_min_duration_ms): leave it out",
    );
}

#[test]
fn words_are_marked_by_either_name_of_the_setting() {
    assert!(!ok(&[], "", "").wording.word_highlight);
    assert!(ok(&[], "", "word_level_highlight = true").wording.word_highlight);
    // As SubGen calls it.
    assert!(ok(&[("WORD_LEVEL_HIGHLIGHT", "True")], "", "").wording.word_highlight);
    check_error(
        &[],
        "",
        "word_level_highlight = \"green\"",
        "word_level_highlight in transcriptord.toml line 1: 'green' does not fit: give true or false",
    );
}

#[test]
fn a_flag_sets_any_key_and_an_unknown_one_is_named() {
    let set = |text: &str| given(&Flags { set: vec![text.into()], ..Flags::default() }, &[], "", "");
    assert_eq!(set("workers=3").unwrap().workers, Some(3));
    assert_eq!(set("library=/a|/b").unwrap().library.len(), 2);
    assert_eq!(set("worker=3").unwrap_err(), "--set worker: there is no such key, did you mean 'workers'?");
    assert_eq!(
        set("workers").unwrap_err(),
        "--set workers: '' does not fit: give a whole number from 1 to 256, or 'auto' (0 is the same)"
    );
}

#[test]
fn hotwords_and_languages_are_lists_however_they_are_written() {
    let config = ok(&[], "", "");
    assert_eq!(config.hearing.preferred_audio_languages, [crate::language::Language::ENGLISH]);
    assert!(config.hearing.initial_prompt.is_none() && !config.hearing.prompt_from_title);
    let file = "hotwords = [\"Frodo Baggins\", \"Bree\"]\npreferred_audio_languages = [\"ger\", \"ja\"]\n\
                initial_prompt = \"In the Shire.\"\nprompt_from_title = true\n";
    let config = ok(&[], "", file);
    assert_eq!(config.hearing.hotwords, ["Frodo Baggins", "Bree"]);
    let codes: Vec<_> = config.hearing.preferred_audio_languages.iter().map(|l| l.whisper_code()).collect();
    assert_eq!(codes, ["de", "ja"]);
    assert_eq!(config.hearing.initial_prompt.as_deref(), Some("In the Shire."));
    assert!(config.hearing.prompt_from_title);
    let env = [("TRANSCRIPTORD_HOTWORDS", "Frodo Baggins, Bree|Gandalf")];
    assert_eq!(ok(&env, "", file).hearing.hotwords, ["Frodo Baggins", "Bree", "Gandalf"]);
    let flags = Flags { hotwords: vec!["Sam".into()], prompt_from_title: true, ..Flags::default() };
    let config = given(&flags, &env, "", "").unwrap();
    assert_eq!((config.hearing.hotwords, config.hearing.prompt_from_title), (vec!["Sam".to_string()], true));
    assert!(ok(&[], "", "preferred_audio_languages = []").hearing.preferred_audio_languages.is_empty());
    let refused = given(&Flags::default(), &[], "", "preferred_audio_languages = [\"klingon\"]").unwrap_err();
    assert!(
        refused.starts_with("preferred_audio_languages in transcriptord.toml line 1: ")
            && refused.contains("klingon"),
        "{refused}"
    );
}

#[test]
fn a_variable_that_is_called_like_ours_and_is_none_is_told_with_the_nearest() {
    let check = |names: &[&str], dotenv: &str, expected: &[&str]| {
        let names = names.iter().map(|name| name.to_string());
        assert_eq!(super::sources::strangers(names, Some(dotenv)), expected);
    };
    check(
        &["TRANSCRIPTORD_WORKERS", "TRANSCRIPTORD_CONFIG", "TRANSCRIPTORD_TEST_MODELS", "HOME"],
        "LANG=de",
        &[],
    );
    check(&["CUSTOM_REGROUP", "WORKER", "TRANSCRIPTORD"], "", &[]);
    check(
        &["TRANSCRIPTORD_WOKERS"],
        "\nTRANSCRIPTORD_HOTWORD=Bree",
        &[
            "TRANSCRIPTORD_WOKERS (environment) is ignored: there is no such key, did you mean TRANSCRIPTORD_WORKERS?",
            "TRANSCRIPTORD_HOTWORD (.env line 2) is ignored: there is no such key, did you mean TRANSCRIPTORD_HOTWORDS?",
        ],
    );
    check(
        &["TRANSCRIPTORD_X"],
        "",
        &["TRANSCRIPTORD_X (environment) is ignored: there is no such key, README.md lists them all"],
    );
}
