//! Push mode against a Bazarr that the test scripts, with a queue whose jobs the test ends. Knows no engine.

mod push_bazarr;

use push_bazarr::{KEY, Server, Want};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use transcriptord::bazarr::Bazarr;
use transcriptord::clock::{Clock, Manual};
use transcriptord::job::{Job, JobKind, Options, Origin, Preset, Source, Task};
use transcriptord::language::Language;
use transcriptord::library::Library;
use transcriptord::push::{Push, Settings};
use transcriptord::queue::{Again, ClaimAsk, Outcome, Queue};
use transcriptord::store::Store;
use transcriptord::subtitle::{Cue, Transcript};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A library, a queue and a clock that the test owns.
struct Bench {
    dir: tempfile::TempDir,
    queue: Queue,
    clock: Arc<Manual>,
    server: Server,
}

impl Bench {
    fn start() -> Bench {
        let clock = Arc::new(Manual::at(1_000_000));
        let store = Store::open("sqlite::memory:").unwrap();
        let queue = Queue::new(store, "here".into(), clock.clone());
        Bench { dir: tempfile::tempdir().unwrap(), queue, clock, server: Server::start() }
    }

    fn push(&self) -> Push {
        self.push_to(&self.server.url, KEY)
    }

    /// Bazarr's `/films` is the library here.
    fn push_to(&self, url: &str, key: &str) -> Push {
        let here = self.dir.path().to_owned();
        let mapping = vec![("/films".to_string(), here.to_str().unwrap().to_string())];
        let settings = Settings {
            library: Library { roots: vec![here], mapping },
            options: Options::default(),
            prompt_from_title: false,
            preset: Preset::Fast,
            max_retries: 1,
            interval: Duration::from_secs(15 * 60),
            rank: Arc::new(|_, _, _| 1),
        };
        Push::new(Bazarr::new(url, key).unwrap(), self.queue.clone(), settings)
    }

    fn film(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, name).unwrap();
        path.canonicalize().unwrap()
    }

    fn movie(&self, missing: &[&'static str], audio: &'static [&'static str]) -> PathBuf {
        let path = self.film("film.mkv");
        let missing = missing.to_vec();
        let want = Want { ids: r#""radarrId": 1"#, path: "/films/film.mkv".into(), audio, missing };
        self.server.set(|s| s.movies.push(want));
        path
    }

    fn round(&self, push: &mut Push) -> Duration {
        push.round(self.clock.now())
    }

    fn claim(&self) -> Option<(Job, transcriptord::job::Claim)> {
        let ask = ClaimAsk {
            device: "cpu".into(),
            kinds: &[JobKind::Transcription],
            above: None,
            lease_ms: DAY,
            ageing_ms_per_point: 0,
        };
        self.queue.claim(&ask).unwrap()
    }

    /// The job that is waiting is done, with this line in this language.
    fn transcribe(&self, language: &str, line: &str) -> Job {
        let (job, claim) = self.claim().expect("a job waits");
        let language: Language = language.parse().unwrap();
        let cue = Cue { start_ms: 0, end_ms: 1500, lines: vec![line.into()], words: Vec::new() };
        let transcript = Transcript {
            language,
            spoken: language,
            task: job.task,
            duration_ms: 10_000,
            cues: if line.is_empty() { Vec::new() } else { vec![cue] },
        };
        let outcome = Outcome { result: serde_json::to_string(&transcript).unwrap(), ..Outcome::default() };
        assert!(self.queue.finish(&claim, &outcome).unwrap());
        job
    }

    fn idle(&self) -> bool {
        self.claim().is_none()
    }
}

fn path_of(job: &Job) -> &Path {
    match &job.source {
        Source::Path { path, .. } => path,
        Source::Spool { .. } => panic!("an upload"),
    }
}

#[test]
fn a_wanted_movie_is_made_and_handed_back() {
    let bench = Bench::start();
    let film = bench.movie(&["de"], &["ja", "de"]);
    let mut push = bench.push();
    bench.round(&mut push);
    let job = bench.transcribe("de", "Guten Tag.");
    assert_eq!(path_of(&job), film);
    assert_eq!((job.origin, job.task), (Origin::Scan, Task::Transcribe));
    assert_eq!(job.source_lang, Some("de".parse().unwrap()));
    bench.round(&mut push);
    let uploads = bench.server.uploads();
    let [(path, fields)] = &uploads[..] else { panic!("{uploads:?}") };
    assert_eq!(path, "movies/subtitles");
    let expected = [("radarrid", "1"), ("language", "de"), ("forced", "false"), ("hi", "false")];
    for (name, value) in expected {
        assert_eq!(fields[name], value, "{name}");
    }
    assert!(fields["filename"].ends_with(".srt"));
    assert_eq!(fields["file"], "1\n00:00:00,000 --> 00:00:01,500\nGuten Tag.\n\n");
    bench.clock.advance(20 * MINUTE);
    bench.round(&mut push);
    assert!(bench.idle() && bench.server.uploads().len() == 1);
}

#[test]
fn episodes_are_found_on_every_page_and_translated_when_english_is_wanted() {
    let bench = Bench::start();
    bench.film("show.mkv");
    bench.server.set(|s| {
        let far = Want {
            ids: r#""sonarrSeriesId": 3, "sonarrEpisodeId": 30"#,
            path: "/films/none.mkv".into(),
            audio: &["ja"],
            missing: vec!["en"],
        };
        s.episodes = vec![far; 60];
        s.episodes.push(Want {
            ids: r#""sonarrSeriesId": 7, "sonarrEpisodeId": 70"#,
            path: "/films/show.mkv".into(),
            audio: &["ja"],
            missing: vec!["de", "en"],
        });
    });
    let mut push = bench.push();
    bench.round(&mut push);
    let job = bench.transcribe("en", "Hello.");
    assert_eq!((job.task, job.target_lang), (Task::Translate, Some(Language::ENGLISH)));
    assert!(bench.idle(), "nobody can make German of Japanese");
    bench.round(&mut push);
    let uploads = bench.server.uploads();
    let [(path, fields)] = &uploads[..] else { panic!("{uploads:?}") };
    assert_eq!(path, "episodes/subtitles");
    assert_eq!((&fields["seriesid"][..], &fields["episodeid"][..]), ("7", "70"));
}

#[test]
fn forced_is_skipped_and_hearing_impaired_is_served_alone() {
    let bench = Bench::start();
    bench.movie(&["en:forced", "de:hi", "de", "ja:hi"], &["en", "de", "ja"]);
    let mut push = bench.push();
    bench.round(&mut push);
    let first = bench.transcribe("de", "Hallo.");
    let second = bench.transcribe("ja", "はい。");
    assert!(bench.idle());
    assert_ne!(first.id, second.id);
    bench.round(&mut push);
    let made: Vec<(String, String)> =
        bench.server.uploads().iter().map(|(_, f)| (f["language"].clone(), f["hi"].clone())).collect();
    assert_eq!(made, [("de".into(), "false".into()), ("ja".into(), "true".into())]);
}

#[test]
fn no_more_than_four_jobs_are_under_way() {
    let bench = Bench::start();
    for (name, ids) in [
        ("1.mkv", r#""radarrId": 1"#),
        ("2.mkv", r#""radarrId": 2"#),
        ("3.mkv", r#""radarrId": 3"#),
        ("4.mkv", r#""radarrId": 4"#),
        ("5.mkv", r#""radarrId": 5"#),
    ] {
        bench.film(name);
        let want = Want { ids, path: format!("/films/{name}"), audio: &["en"], missing: vec!["en"] };
        bench.server.set(|s| s.movies.push(want));
    }
    let mut push = bench.push();
    bench.round(&mut push);
    assert_eq!(bench.queue.counts().unwrap().queued, 4);
    bench.transcribe("en", "Hello.");
    bench.round(&mut push);
    assert_eq!(bench.queue.counts().unwrap().queued, 4);
}

#[test]
fn a_wrong_key_a_fault_and_a_dead_port_are_asked_again_with_growing_pauses() {
    let bench = Bench::start();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    bench.movie(&["en"], &["en"]);
    let mut wrong = bench.push_to(&bench.server.url, "another key");
    let mut away = bench.push_to(&format!("http://{dead}"), KEY);
    for minutes in [1, 2, 4] {
        assert_eq!(bench.round(&mut wrong), Duration::from_secs(60 * minutes));
        assert_eq!(bench.round(&mut away), Duration::from_secs(60 * minutes));
        let asked = bench.server.asked();
        bench.round(&mut wrong);
        assert_eq!(bench.server.asked(), asked, "not before its time");
        bench.clock.advance(60_000 * minutes as i64);
    }
    let mut push = bench.push();
    bench.server.set(|s| s.status = Some(502));
    assert_eq!(bench.round(&mut push), Duration::from_secs(60));
    assert!(bench.idle());
    bench.server.set(|s| s.status = None);
    bench.clock.advance(MINUTE);
    bench.round(&mut push);
    assert!(!bench.idle());
}

#[test]
fn a_fault_at_the_upload_keeps_the_text_and_hands_it_over_later() {
    let bench = Bench::start();
    bench.movie(&["en"], &["en"]);
    let mut push = bench.push();
    bench.round(&mut push);
    bench.transcribe("en", "Hello.");
    bench.server.set(|s| s.status = Some(500));
    bench.round(&mut push);
    assert!(bench.server.uploads().is_empty());
    bench.server.set(|s| s.status = None);
    bench.clock.advance(20 * MINUTE);
    bench.round(&mut push);
    bench.round(&mut push);
    assert_eq!(bench.server.uploads().len(), 1);
    assert!(bench.idle(), "the text was there");
}

#[test]
fn a_204_that_saves_nothing_is_noticed_and_tried_again_ever_later() {
    let bench = Bench::start();
    bench.movie(&["en"], &["en"]);
    bench.server.set(|s| s.forgetful = true);
    let mut push = bench.push();
    bench.round(&mut push);
    bench.transcribe("en", "Hello.");
    bench.round(&mut push);
    for (wait, uploads) in [(10, 1), (10, 2), (20, 2), (20, 3)] {
        bench.clock.advance(wait * MINUTE);
        bench.round(&mut push);
        bench.round(&mut push);
        assert_eq!(bench.server.uploads().len(), uploads);
    }
    assert!(bench.idle(), "the text was made once");
}

#[test]
fn what_is_wanted_no_more_is_not_uploaded() {
    let bench = Bench::start();
    bench.movie(&["en"], &["en"]);
    let mut push = bench.push();
    bench.round(&mut push);
    bench.transcribe("en", "Hello.");
    bench.server.set(|s| s.movies[0].missing.clear());
    bench.round(&mut push);
    assert!(bench.server.uploads().is_empty());
}

#[test]
fn a_restart_joins_the_job_and_does_nothing_twice() {
    let bench = Bench::start();
    bench.movie(&["en"], &["en"]);
    bench.round(&mut bench.push());
    let mut second = bench.push();
    bench.round(&mut second);
    assert_eq!(bench.queue.counts().unwrap().total, 1);
    bench.transcribe("en", "Hello.");
    bench.server.set(|s| s.forgetful = true);
    bench.round(&mut second);
    assert_eq!(bench.server.uploads().len(), 1);
    let mut third = bench.push();
    bench.round(&mut third);
    bench.round(&mut third);
    assert_eq!((bench.server.uploads().len(), bench.queue.counts().unwrap().total), (1, 1));
}

#[test]
fn a_failed_job_and_speech_in_another_language_are_left_for_later() {
    let bench = Bench::start();
    let film = bench.movie(&["de"], &[]);
    let mut push = bench.push();
    bench.round(&mut push);
    let (_, claim) = bench.claim().unwrap();
    assert!(bench.queue.fail(&claim, "it is no film", Again::Never).unwrap());
    bench.round(&mut push);
    assert!(bench.idle());
    // Another file at the same place is other work.
    std::fs::write(&film, "a better copy").unwrap();
    bench.clock.advance(20 * MINUTE);
    bench.round(&mut push);
    bench.transcribe("fr", "Bonjour.");
    for _ in 0..3 {
        bench.round(&mut push);
        bench.clock.advance(DAY);
    }
    assert!(bench.server.uploads().is_empty() && bench.idle());
}
