//! What a request's job is told of its film: the settings, the request's own prompt, the film's title. Knows no engine.

mod http_fixture;

use http_fixture::client::{Reply, api, bazarr};
use http_fixture::{Daemon, pcm};
use transcriptord::job::{Job, JobKind, Options};
use transcriptord::language::Language;

fn daemon(titles: bool) -> Daemon {
    Daemon::start_with(|shared| {
        let here = shared.settings.library[0].to_str().unwrap().to_string();
        shared.settings.path_mapping = vec![("/films".into(), here)];
        shared.settings.prompt_from_title = titles;
        shared.settings.options = Options {
            initial_prompt: Some("As set.".into()),
            hotwords: vec!["Bree".into()],
            audio_languages: vec![Language::ENGLISH],
            ..Options::default()
        };
    })
}

fn asked(daemon: &Daemon, query: &str) -> Job {
    let target = format!("/asr?language=en&encode=false&async=true&{query}");
    let reply = Reply::to(daemon.addr, &bazarr(&target, &pcm(1)));
    assert_eq!(reply.status, 202);
    claimed(daemon)
}

fn claimed(daemon: &Daemon) -> Job {
    let (job, claim) = daemon.claim(JobKind::Transcription);
    assert!(daemon.queue.finish(&claim, &http_fixture::transcript(&["Hello."])).unwrap());
    job
}

const NFO: &str = "<movie><title>The Third Man</title><actor><name>Joseph Cotten</name><role>Holly Martins</role></actor>\
    </movie>";

#[test]
fn a_requests_own_prompt_takes_the_place_of_the_one_that_is_set() {
    let daemon = daemon(false);
    let set = asked(&daemon, "video_file=/films/a.mkv").options;
    assert_eq!((set.initial_prompt.as_deref(), set.title), (Some("As set."), None));
    let own = asked(&daemon, "initial_prompt=Kaleun").options;
    assert_eq!(
        (own.initial_prompt.as_deref(), own.hotwords.as_slice()),
        (Some("Kaleun"), &["Bree".to_string()][..])
    );
}

#[test]
fn the_title_of_a_film_in_the_library_comes_with_its_names() {
    let daemon = daemon(true);
    std::fs::write(daemon.library.join("Third.Man.1949.mkv"), "film").unwrap();
    std::fs::write(daemon.library.join("Third.Man.1949.nfo"), NFO).unwrap();
    let title = |query: &str| asked(&daemon, query).options.title;
    assert_eq!(
        title("video_file=/films/Third.Man.1949.mkv").as_deref(),
        Some("Holly Martins. The Third Man.")
    );
    // Elsewhere the name is all there is.
    assert_eq!(title("video_file=/other/Third.Man.1949.720p.mkv").as_deref(), Some("Third Man."));
    assert_eq!(title("video_file=/films/../Fourth.Man.1949.mkv").as_deref(), Some("Fourth Man."));
    assert_eq!(title("output=srt"), None);

    let film = daemon.library.join("Third.Man.1949.mkv").canonicalize().unwrap();
    let body = serde_json::json!({ "file_path": film, "target_lang": "en" }).to_string();
    assert_eq!(Reply::to(daemon.addr, &api("POST", "/api/jobs", &body)).status, 201);
    let by_path = claimed(&daemon).options;
    assert_eq!(by_path.title.as_deref(), Some("Holly Martins. The Third Man."));
    assert_eq!(by_path.audio_languages, [Language::ENGLISH]);
}

#[test]
fn another_title_is_other_work() {
    let daemon = daemon(true);
    let keys = ["video_file=/films/A+Film.mkv", "video_file=/films/Another.mkv", "output=srt"];
    let keys = keys.map(|query| asked(&daemon, query).key);
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
}
