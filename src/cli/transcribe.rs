//! `transcriptord transcribe`: subtitles without a daemon. Does not know how windows become words.

use super::output::{self, Target};
use super::{Failure, log, progress};
use crate::clock::System;
use crate::config::{self, Config, Flags};
use crate::job::{JobKind, JobState, NewJob, Options, Origin, Preset, Source, Task};
use crate::language::Language;
use crate::pool::hints::{self, Order, Report};
use crate::pool::{builds, device, setup::Setup};
use crate::queue::Queue;
use crate::serve;
use crate::store::Store;
use crate::subtitle::quality::Quality;
use crate::subtitle::{Transcript, formats};
use crate::title;
use argh::FromArgs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

/// Make subtitles for media files, without a daemon.
///
/// The subtitle goes beside each file, named FILE.LANGUAGE.FORMAT, unless --output says otherwise. A file that has this
/// name already is replaced; where nobody speaks none is written, or an empty one if --output names it and none is there.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "transcribe",
    example = "{command_name} film.mkv\n\
        {command_name} --language de --task translate film.mkv\n\
        {command_name} --format vtt --output - talk.mp3 > talk.vtt\n\
        {command_name} --quality best --report episode1.mkv episode2.mkv"
)]
pub struct Transcribe {
    /// video or audio files
    #[argh(positional, arg_name = "file")]
    pub files: Vec<PathBuf>,
    /// model by name or path (default: the quality preset picks from those installed)
    #[argh(option, arg_name = "name|path")]
    pub model: Option<String>,
    /// the language spoken: a code or an English name (default: found out)
    #[argh(option, arg_name = "language")]
    pub language: Option<String>,
    /// the audio track to hear, counted from 0 (default: by --language, else preferred_audio_languages, else the default
    /// track; no commentary)
    #[argh(option, arg_name = "n")]
    pub track: Option<u32>,
    /// what to make: 'transcribe' writes what is said, 'translate' writes it in English (default transcribe)
    #[argh(option, arg_name = "task")]
    pub task: Option<String>,
    /// srt, vtt, txt, tsv, json, verbose_json, lrc or ass (default: the output's extension, else srt)
    #[argh(option, arg_name = "format")]
    pub format: Option<String>,
    /// file or folder to write to; '-' is standard output (default: beside the media)
    #[argh(option, short = 'o', arg_name = "path")]
    pub output: Option<PathBuf>,
    /// folder of the models
    #[argh(option, arg_name = "dir")]
    pub models_dir: Option<String>,
    /// what transcribes: cpu, cuda:0 or vulkan:0 (default cpu)
    #[argh(option, arg_name = "name")]
    pub device: Option<String>,
    /// threads that transcribe (default: what suits the machine)
    #[argh(option, arg_name = "n")]
    pub workers: Option<String>,
    /// threads inside each of them (default: the cores divided among the workers)
    #[argh(option, arg_name = "n")]
    pub threads: Option<String>,
    /// fast, balanced or best (default balanced)
    #[argh(option, arg_name = "preset")]
    pub quality: Option<String>,
    /// whose limits the subtitle keeps: netflix (the default), amazon, arte, bbc or custom
    #[argh(option, arg_name = "name")]
    pub profile: Option<String>,
    /// how words are grouped, as stable-ts says it (cm_sl=84_sl=42++++++1)
    #[argh(option, arg_name = "string")]
    pub regroup: Option<String>,
    /// text as it might stand before what is said: names, spellings, style
    #[argh(option, arg_name = "text")]
    pub prompt: Option<String>,
    /// words and names that may come up, with commas between them; may be given several times
    #[argh(option, arg_name = "words")]
    pub hotwords: Vec<String>,
    /// tell Whisper title and names of the film too, from its file name and the .nfo files beside it
    #[argh(switch)]
    pub prompt_from_title: bool,
    /// any key of the configuration, as KEY=VALUE (subtitle_max_line_length=37); may be given several times
    #[argh(option, arg_name = "key=value")]
    pub set: Vec<String>,
    /// print how well the subtitle keeps to the rules of good subtitles
    #[argh(switch)]
    pub report: bool,
    /// mark each word while it is spoken (srt, vtt, lrc, ass)
    #[argh(switch)]
    pub word_highlight: bool,
    /// configuration file (TOML)
    #[argh(option, arg_name = "file")]
    pub config: Option<PathBuf>,
}

impl Transcribe {
    /// What the command line says about the configuration.
    pub fn flags(&self) -> Flags {
        Flags {
            config: self.config.clone(),
            models_dir: self.models_dir.clone(),
            model: self.model.clone(),
            workers: self.workers.clone(),
            device: self.device.clone(),
            whisper_threads: self.threads.clone(),
            subtitle_profile: self.profile.clone(),
            custom_regroup: self.regroup.clone(),
            word_level_highlight: self.word_highlight.then(|| "true".into()),
            initial_prompt: self.prompt.clone(),
            hotwords: self.hotwords.clone(),
            prompt_from_title: self.prompt_from_title,
            set: self.set.clone(),
            ..Flags::default()
        }
    }

    /// Returns when each file has its subtitle, or has been said to have none.
    pub fn run(self) -> Result<(), Failure> {
        let usage = Failure::Usage;
        if self.files.is_empty() {
            return Err(usage("name at least one media file; --help shows how".into()));
        }
        let config = config::read(&self.flags())?;
        // Before anything is said, so that it is said once.
        builds::become_best(config.device, |why| eprintln!("transcriptord: {why}"));
        super::name_strangers(&config);
        serve::check_device(config.device).map_err(|e| usage(e.to_string()))?;
        // What a file's job warns of is what this command prints.
        log::start(config.log_level.min(::log::LevelFilter::Error));
        let language = match self.language.as_deref().filter(|l| *l != "auto") {
            Some(name) => Some(name.parse::<Language>().map_err(|e| usage(e.to_string()))?),
            None => None,
        };
        let task = self.task.as_deref().map_or(Ok(Task::Transcribe), str::parse).map_err(usage)?;
        let preset = self.quality.as_deref().map_or(Ok(Preset::Balanced), str::parse).map_err(usage)?;
        let target = Target::of(self.output.as_deref(), self.files.len())?;
        let format = output::format_of(self.format.as_deref(), &target)?;
        target.tell_apart(&self.files, format)?;
        if self.word_highlight && !format.highlights() {
            return Err(usage(format!(
                "{format} marks no words: leave --word-highlight out, or make srt, vtt, lrc or ass"
            )));
        }
        let options = Options { model: config.model.clone(), ..serve::options(&config) };
        let asked = Asked {
            language,
            track: self.track,
            task,
            preset,
            options,
            titles: config.hearing.prompt_from_title,
        };
        let bench = Bench::start(&config).map_err(Failure::failed)?;
        let highlight = config.wording.word_highlight.into();
        let mut failed = false;
        for file in &self.files {
            // Of the language that it will be in, as far as that is known.
            let likely = asked.language.filter(|_| task == Task::Transcribe).unwrap_or(Language::ENGLISH);
            let tried = target.try_out(file, likely.named(config.subtitle_language_naming_type), format);
            let done =
                tried.and_then(|()| bench.transcribe(file, &asked)).and_then(|(transcript, report)| {
                    let language = transcript.language.named(config.subtitle_language_naming_type);
                    let to = target.path(file, language, format);
                    output::put(file, &transcript, target.is_named(), to.as_deref(), |t| {
                        formats::render(t, format, highlight)
                    })?;
                    for warning in &report.warnings {
                        eprintln!("{}: warning: {warning}", file.display());
                    }
                    if self.report {
                        eprint!("{report}");
                    }
                    Ok(())
                });
            if let Err(why) = done {
                // Many reasons name the file themselves.
                let whole = file.canonicalize().unwrap_or_default().display().to_string();
                let why = why.strip_prefix(&format!("{whole}: ")).unwrap_or(&why);
                eprintln!("transcriptord: {}: {why}", file.display());
                failed = true;
            }
        }
        bench.stop();
        if failed { Err(Failure::Told) } else { Ok(()) }
    }
}

struct Asked {
    language: Option<Language>,
    /// Counted from 0.
    track: Option<u32>,
    task: Task,
    preset: Preset,
    options: Options,
    /// Whisper is told the film's title and names too.
    titles: bool,
}

/// A queue in memory and a pool in this process: the daemon's own road, without the daemon.
struct Bench {
    queue: Queue,
    link: UnixStream,
    pool: JoinHandle<std::io::Result<()>>,
    reports: Receiver<Report>,
}

impl Bench {
    fn start(config: &Config) -> Result<Bench, String> {
        let told = |e: &dyn std::fmt::Display| e.to_string();
        let store = Store::open("sqlite::memory:").map_err(|e| told(&e))?;
        let queue = Queue::new(store, serve::node(), Arc::new(System));
        // One file after the other.
        let setup = Setup { idle_ms: 0, concurrent: 1, ..serve::setup(config) };
        let (link, theirs) = UnixStream::pair().map_err(|e| told(&e))?;
        let working = queue.clone();
        let pool = std::thread::spawn(move || device::run(setup, working, Some(theirs)));
        let (sender, reports) = mpsc::channel();
        let listening = link.try_clone().map_err(|e| told(&e))?;
        std::thread::spawn(move || {
            while let Ok(Some(report)) = hints::receive(&listening) {
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Ok(Bench { queue, link, pool, reports })
    }

    /// Waits for one file's subtitle, with a bar where somebody watches.
    fn transcribe(&self, file: &Path, asked: &Asked) -> Result<(Transcript, Quality), String> {
        let told = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => e.to_string(),
        };
        // A pipe has no path of its own.
        let there = file.metadata().map_err(told)?;
        if there.is_dir() {
            return Err("this is a folder: name the files in it".into());
        }
        if !there.is_file() {
            return Err("this is no file, but a pipe or a device: write its content to a file first".into());
        }
        let path = file.canonicalize().map_err(told)?;
        let submitted = self.queue.submit(job(&path, asked)).map_err(|e| e.to_string())?;
        hints::send(&self.link, &Order::Added).map_err(|e| e.to_string())?;
        let bar = progress::percent(&file.display().to_string());
        let ended = loop {
            let job = self.queue.get(submitted.id).map_err(|e| e.to_string())?.ok_or("the job is gone")?;
            if job.state.is_end() {
                break job;
            }
            // Missing things do not come while a person waits at a prompt.
            if let (JobState::Queued, Some(why)) = (job.state, &job.error) {
                return Err(why.clone());
            }
            bar.set_position(job.progress as u64);
            bar.set_message(job.stage.as_str().replace('_', " "));
            // Any report may mean a change; without one a look now and then.
            let _ = self.reports.recv_timeout(Duration::from_millis(500));
            while self.reports.try_recv().is_ok() {}
        };
        bar.finish_and_clear();
        if ended.state != JobState::Completed {
            return Err(ended.error.unwrap_or_else(|| format!("the job was {}", ended.state)));
        }
        let stored = self.queue.result(ended.id).map_err(|e| e.to_string())?.ok_or("the result is gone")?;
        let transcript = serde_json::from_str(&stored.result).map_err(|e| e.to_string())?;
        let report = stored.report.ok_or("the report is gone")?;
        Ok((transcript, serde_json::from_str(&report).map_err(|e| e.to_string())?))
    }

    fn stop(self) {
        // When this fails the pool has ended already.
        let _ = hints::send(&self.link, &Order::Stop);
        let _ = self.pool.join();
    }
}

fn job(path: &Path, asked: &Asked) -> NewJob {
    NewJob {
        kind: JobKind::Transcription,
        origin: Origin::Manual,
        source: Source::Path { path: path.to_owned(), track: asked.track },
        home: None,
        file_name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        task: asked.task,
        source_lang: asked.language,
        target_lang: None,
        preset: asked.preset,
        options: Options { title: asked.titles.then(|| title::of(path)).flatten(), ..asked.options.clone() },
        priority: 0,
        key: path.display().to_string(),
        rank: 0,
        output: None,
        max_retries: 1,
    }
}
