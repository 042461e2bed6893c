//! Makes jobs of requests. Knows nothing of how they are answered.

use super::error::Error;
use super::intake::Received;
use super::params::Params;
use super::{Settings, Shared, ask};
use crate::dedup::{self, Audio};
use crate::job::{JobKind, NewJob, Options, Origin, Preset, Source, Task};
use crate::language::Language;
use crate::queue::Submitted;
use crate::subtitle::Format;
use crate::title;
use actix_web::web::Data;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use utoipa::ToSchema;

/// What the query of `/asr` asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct AsrAsk {
    pub task: Task,
    /// As the sender labels the sound; nothing when it is to be found out.
    pub language: Option<Language>,
    pub output: Format,
    pub upload: UploadAsk,
}

/// What the queries of both provider endpoints have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadAsk {
    /// `encode=false`: the sender says that these are bare samples.
    pub raw: bool,
    /// The path of the video as the sender sees it.
    pub video_file: Option<String>,
    pub initial_prompt: Option<String>,
    /// `async=true`: answer with the job instead of waiting for it.
    pub respond_async: bool,
}

impl UploadAsk {
    pub fn read(params: &Params) -> UploadAsk {
        UploadAsk {
            raw: params.switch("encode") == Some(false),
            video_file: params.text("video_file").map(str::to_string),
            initial_prompt: params.text("initial_prompt").map(str::to_string),
            respond_async: params.switch("async") == Some(true),
        }
    }
}

impl AsrAsk {
    /// Fails with 422 for an unknown task, language or output. `language` may be absent or `auto`.
    pub fn read(params: &Params) -> Result<AsrAsk, Error> {
        let detect = params.text("language").is_none_or(|l| l.eq_ignore_ascii_case("auto"));
        Ok(AsrAsk {
            task: params.one_of("task")?.unwrap_or(Task::Transcribe),
            language: if detect { None } else { params.one_of("language")? },
            output: params.one_of("output")?.unwrap_or(Format::Srt),
            upload: UploadAsk::read(params),
        })
    }
}

/// The job of an `/asr` upload; `title` is what is known of the film, as a prompt.
pub fn transcription(ask: &AsrAsk, title: Option<String>, received: Received, settings: &Settings) -> NewJob {
    let target = (ask.task == Task::Translate).then_some(Language::ENGLISH);
    let options = Options { title, ..settings.options.clone() };
    let languages = (ask.language, target);
    upload(JobKind::Transcription, ask.task, languages, options, &ask.upload, received, settings)
}

/// The job of a `/detect-language` upload.
pub fn detection(ask: &UploadAsk, received: Received, settings: &Settings) -> NewJob {
    let options = settings.options.clone();
    upload(JobKind::LanguageDetection, Task::Transcribe, (None, None), options, ask, received, settings)
}

fn upload(
    kind: JobKind,
    task: Task,
    (source_lang, target_lang): (Option<Language>, Option<Language>),
    options: Options,
    ask: &UploadAsk,
    received: Received,
    settings: &Settings,
) -> NewJob {
    let Received { entry, name } = received;
    let options =
        Options { initial_prompt: ask.initial_prompt.clone().or(options.initial_prompt.clone()), ..options };
    let audio = Audio::Upload { hash: &entry.hash, raw: entry.raw };
    let preset = settings.provider_preset;
    NewJob {
        kind,
        origin: Origin::Provider,
        key: dedup::key(audio, kind, task, source_lang, target_lang, &options),
        home: Some(settings.node.clone()),
        file_name: label(ask.video_file.as_deref(), name.as_deref(), &entry.hash),
        task,
        source_lang,
        target_lang,
        preset,
        options,
        priority: 0,
        rank: (settings.rank)(preset, task, source_lang),
        output: None,
        max_retries: settings.max_retries,
        source: Source::Spool { hash: entry.hash, raw: entry.raw },
    }
}

/// What people read in the job list: the last part of either name (of a Windows path too), else the upload's hash.
fn label(video_file: Option<&str>, part_name: Option<&str>, hash: &str) -> String {
    let base = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_string();
    [video_file, part_name]
        .into_iter()
        .flatten()
        .map(base)
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| format!("upload {}", hash.get(..8).unwrap_or(hash)))
}

/// The body of `POST /api/jobs`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct CreateJob {
    /// A media file inside the library paths, as the daemon sees it.
    pub file_path: String,
    /// For people; the file's own name when absent.
    pub file_name: Option<String>,
    /// The language spoken, in any ISO 639 spelling or by its English name; found out when absent.
    pub source_lang: Option<String>,
    /// The language of the subtitle: that of the speech, or English for a translation.
    pub target_lang: String,
    /// `fast`, `balanced` or `best`; the setting `quality_preset` when absent.
    pub quality_preset: Option<String>,
    /// `transcribe` (the default) or `translate`.
    pub transcribe_or_translate: Option<String>,
    #[serde(default)]
    pub priority: i64,
    /// `true` (the default) puts it before what scans found.
    pub is_manual_request: Option<bool>,
}

/// Checks the request and submits its job.
///
/// Fails with 400 for a bad preset, an unknown language, text that Whisper cannot make or no such file, with 403
/// outside the library, and with 409 and the job's id when the same work is there already.
pub async fn create(shared: &Data<Shared>, asked: CreateJob) -> Result<Submitted, Error> {
    let settings = shared.clone();
    let job = actix_web::web::block(move || from_path(&asked, &settings.settings))
        .await
        .map_err(|_| Error::Stopping)??;
    let name = job.file_name.clone();
    let queue = shared.queue.clone();
    let submitted = ask(move || queue.submit(job)).await?;
    if submitted.joined {
        let detail = format!("'{name}' is already {} as job {}", submitted.state, submitted.id);
        return Err(Error::Conflict { detail, job: Some(submitted.id) });
    }
    Ok(submitted)
}

/// Blocks on the file system.
fn from_path(asked: &CreateJob, settings: &Settings) -> Result<NewJob, Error> {
    let bad = |e: String| Error::Bad(e);
    let language = |text: &str| text.parse::<Language>().map_err(|e| Error::Bad(e.to_string()));
    let preset: Preset =
        asked.quality_preset.as_deref().map_or(Ok(settings.preset), str::parse).map_err(bad)?;
    let task: Task =
        asked.transcribe_or_translate.as_deref().map_or(Ok(Task::Transcribe), str::parse).map_err(bad)?;
    let source_lang = asked.source_lang.as_deref().filter(|l| !l.is_empty()).map(language).transpose()?;
    let target_lang = language(&asked.target_lang)?;
    can_be_made(task, source_lang, target_lang)?;
    let path = inside_library(Path::new(&asked.file_path), &settings.library)?;
    let facts = path.metadata().map_err(|_| no_such_file(&path))?;
    if !facts.is_file() {
        return Err(Error::Bad(format!("'{}' is not a file", path.display())));
    }
    let since_1970 = facts.modified().ok().and_then(|m| m.duration_since(UNIX_EPOCH).ok());
    let audio = Audio::File {
        path: &path,
        bytes: facts.len(),
        modified_ms: since_1970.map_or(0, |d| d.as_millis() as i64),
        track: None,
    };
    let kind = JobKind::Transcription;
    let title = settings.prompt_from_title.then(|| title::of(&path)).flatten();
    let options = Options { title, ..settings.options.clone() };
    let own_name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let manual = asked.is_manual_request.unwrap_or(true);
    Ok(NewJob {
        kind,
        origin: if manual { Origin::Manual } else { Origin::Scan },
        key: dedup::key(audio, kind, task, source_lang, Some(target_lang), &options),
        home: None,
        file_name: asked.file_name.clone().filter(|n| !n.is_empty()).unwrap_or_else(own_name),
        task,
        source_lang,
        target_lang: Some(target_lang),
        preset,
        options,
        priority: asked.priority,
        rank: (settings.rank)(preset, task, source_lang),
        output: Some(path.with_extension(format!("{}.srt", target_lang.named(settings.naming)))),
        max_retries: settings.max_retries,
        source: Source::Path { path, track: None },
    })
}

/// Fails with 400 for text that Whisper cannot make: a file named after one language must not hold another.
fn can_be_made(task: Task, source: Option<Language>, target: Language) -> Result<(), Error> {
    match (task, source) {
        (Task::Translate, _) if target != Language::ENGLISH => Err(Error::Bad(format!(
            "Whisper translates to English alone: ask for target_lang 'en', not '{}'",
            target.answer_code()
        ))),
        (Task::Transcribe, Some(source)) if source != target => Err(Error::Bad(format!(
            "{} text of {} speech is a translation: ask for transcribe_or_translate 'translate', to 'en' alone",
            target.english_name(),
            source.english_name()
        ))),
        _ => Ok(()),
    }
}

fn no_such_file(path: &Path) -> Error {
    Error::Bad(format!("there is no file '{}' that the daemon can read", path.display()))
}

/// The path with all links followed, if it is inside one of the library's folders.
///
/// A path that does not exist is refused with 400 inside the library and with 403 outside: who may not read there
/// shall not learn what is there either.
fn inside_library(path: &Path, library: &[PathBuf]) -> Result<PathBuf, Error> {
    let outside = || {
        Error::Forbidden(format!(
            "'{}' is outside the library: allow its folder with LIBRARY_PATHS, --library PATH or the setting \
             library",
            path.display()
        ))
    };
    let roots = || library.iter().filter_map(|root| root.canonicalize().ok().map(|c| (root, c)));
    match path.canonicalize() {
        Ok(real) if roots().any(|(_, root)| real.starts_with(root)) => Ok(real),
        Ok(_) => Err(outside()),
        Err(_) => {
            let climbs = path.components().any(|c| c == std::path::Component::ParentDir);
            let named_inside = !climbs
                && roots().any(|(as_named, root)| path.starts_with(as_named) || path.starts_with(root));
            Err(if named_inside { no_such_file(path) } else { outside() })
        }
    }
}
