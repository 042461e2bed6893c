//! From the configuration to the plain values that the rooms below are given. Starts nothing.

use super::Error;
use crate::bazarr::Bazarr;
use crate::clock::System;
use crate::config::{AuthRequired, Config, NoSpeech};
use crate::device::{self, Device};
use crate::engine::Kernels;
use crate::job::{Options, Preset, Task};
use crate::language::Language;
use crate::library::Library;
use crate::model::{Installed, WeightType};
use crate::pool::admission::forecast;
use crate::pool::forms::Outlook;
use crate::pool::setup::Setup;
use crate::push::{self, Push};
use crate::queue::{Queue, Told};
use crate::store::Store;
use crate::subtitle::Profile;
use crate::{audio, housekeeping, http, model};
use std::sync::Arc;
use std::time::Duration;

/// What the device's pool works with.
pub fn setup(config: &Config) -> Setup {
    Setup {
        device: config.device.to_string(),
        node: node(),
        database_url: config.database_url.clone(),
        spool_dir: config.data_dir.join("spool"),
        models_dir: config.models_dir.clone(),
        model: config.model.clone(),
        compute: if config.device == Device::Cpu { config.cpu_compute_type } else { config.gpu_compute_type },
        cache_dir: config.cache_dir.clone(),
        workers: config.workers.unwrap_or(0),
        threads: config.whisper_threads.unwrap_or(0),
        memory_limit_mb: config.memory_limit_mb,
        concurrent: config.concurrent_transcriptions,
        lease_ms: config.lease_seconds as i64 * 1000,
        ageing_ms_per_point: config.priority_ageing_minutes as i64 * 60_000,
        idle_ms: config.model_idle_seconds as i64 * 1000,
        told: told(config),
    }
}

/// Whose ends a webhook is told.
fn told(config: &Config) -> Told {
    match (&config.doors.webhook_url, config.doors.provider_callback_enabled) {
        (None, _) => Told::None,
        (Some(_), false) => Told::Own,
        (Some(_), true) => Told::All,
    }
}

/// The queue as every process of the daemon uses it.
pub(super) fn queue(store: Store, node: String, told: Told) -> Queue {
    Queue::new(store, node, Arc::new(System)).telling(told, http::callback::words)
}

/// What every job is asked with, unless its request says otherwise.
pub fn options(config: &Config) -> Options {
    let profile = Some(config.wording.profile()).filter(|p| *p != Profile::netflix());
    Options {
        profile: profile.map(|p| serde_json::to_value(p).expect("a profile is plain numbers")),
        regroup: config.wording.regroup.clone(),
        word_highlight: config.wording.word_highlight,
        initial_prompt: config.hearing.initial_prompt.clone(),
        hotwords: config.hearing.hotwords.clone(),
        audio_languages: config.hearing.preferred_audio_languages.clone(),
        ..Options::default()
    }
}

pub(super) fn settings(config: &Config) -> Result<http::Settings, Error> {
    let choosing = config.clone();
    let rank = move |preset, task, language| rank(&choosing, preset, task, language);
    let doors = &config.doors;
    let hold = doors.provider_timeout_seconds;
    Ok(http::Settings {
        library: config.library.clone(),
        path_mapping: config.bazarr.path_mapping(),
        heartbeat_ms: config.provider_heartbeat_seconds * 1000,
        provider_preset: config.provider_quality_preset,
        preset: config.quality_preset,
        options: options(config),
        prompt_from_title: config.hearing.prompt_from_title,
        no_speech: match config.provider_no_speech {
            NoSpeech::Empty => http::NoSpeech::Empty,
            NoSpeech::Blank => http::NoSpeech::Blank,
        },
        hold: (hold > 0).then(|| Duration::from_secs(hold)),
        retry_after_s: doors.provider_polling_interval,
        max_upload_bytes: config.max_upload_mb << 20,
        max_uploads: doors.max_concurrent_uploads,
        max_retries: config.max_retries,
        naming: config.subtitle_language_naming_type,
        access: access(config)?,
        ..http::Settings::new(node(), Arc::new(rank))
    })
}

/// Who may call. The key is made at the first start, also where nobody needs it yet.
fn access(config: &Config) -> Result<http::Access, Error> {
    let doors = &config.doors;
    let key = match &doors.api_key {
        Some(key) => key.0.clone(),
        None => http::key::read_or_make(&config.data_dir)?,
    };
    let required = match doors.auth_required {
        AuthRequired::External => http::Required::External,
        AuthRequired::Always => http::Required::Always,
        AuthRequired::Never => http::Required::Never,
    };
    match (config.listen.ip().is_loopback(), required) {
        (_, http::Required::Always) => {
            log::info!("every caller needs the API key: 'transcriptord key' prints it")
        }
        (false, http::Required::External) => log::info!(
            "callers on other machines and in containers need the API key: 'transcriptord key' prints it and what to \
             enter in Bazarr"
        ),
        (false, http::Required::Never) => {
            log::warn!("auth_required is 'never': whoever reaches this port may do everything")
        }
        (true, _) => {}
    }
    let names = doors.host_names.iter().cloned().chain([node()]).collect();
    Ok(http::Access { key, required, proxies: doors.trusted_proxies.clone(), names })
}

/// Where ends are told.
pub(super) fn receiver(config: &Config) -> Option<http::callback::Receiver> {
    let doors = &config.doors;
    Some(http::callback::Receiver {
        url: doors.webhook_url.clone()?,
        secret: doors.webhook_secret.as_ref().map(|secret| secret.0.clone()),
        pauses: http::callback::pauses(),
    })
}

/// Push mode, where it is switched on.
pub(super) fn push(config: &Config, queue: Queue) -> Result<Option<Push>, Error> {
    let known = &config.bazarr;
    let (true, Some(url), Some(key)) = (known.push_enabled, &known.url, &known.api_key) else {
        return Ok(None);
    };
    let choosing = config.clone();
    let settings = push::Settings {
        library: Library { roots: config.library.clone(), mapping: known.path_mapping() },
        preset: config.quality_preset,
        options: options(config),
        prompt_from_title: config.hearing.prompt_from_title,
        max_retries: config.max_retries,
        interval: Duration::from_secs(known.push_interval_minutes * 60),
        rank: Arc::new(move |preset, task, language| rank(&choosing, preset, task, language)),
    };
    Ok(Some(Push::new(Bazarr::new(url, &key.0)?, queue, settings)))
}

/// How good a result made now would be: the model first, the preset within it.
pub fn rank(config: &Config, preset: Preset, task: Task, language: Option<Language>) -> i64 {
    let step = match preset {
        Preset::Fast => 0,
        Preset::Balanced => 1,
        Preset::Best => 2,
    };
    let chosen = chosen(config, preset, task, language);
    chosen.map_or(0, |model| model.header.rank() * 10) + step
}

/// The model that does a job, whatever the form it is used in.
fn chosen(
    config: &Config,
    preset: Preset,
    task: Task,
    language: Option<Language>,
) -> Result<Installed, model::Error> {
    let (dir, configured) = (&config.models_dir, config.model.as_deref());
    model::choose_in(dir, configured, preset, task, language, WeightType::F16)
}

/// This machine's name among those that share a database.
pub fn node() -> String {
    crate::device::host_name()
}

pub(super) fn missing_model(config: &Config) -> Option<String> {
    let preset = config.quality_preset;
    chosen(config, preset, Task::Transcribe, None).err().map(|e| e.to_string())
}

/// In which form each installed model is used, and by how many sessions, one line each.
pub(super) fn uses(config: &Config, kernels: &Kernels) -> Vec<String> {
    let setup = setup(config);
    let installed = model::installed(&config.models_dir);
    let line = |model: &Installed| {
        let outlook = Outlook::of(&setup, model, kernels);
        let fits = match forecast(&setup, model, device::resident(None)) {
            Ok(forecast) => forecast.to_string(),
            Err(_) => "too large for the memory".to_owned(),
        };
        format!("model {}: {outlook}; {fits}", model.name)
    };
    installed.iter().map(line).collect()
}

/// Why there is not enough memory for what the presets use, one sentence for each model. `taken`: bytes that the daemon
/// takes now.
fn short_of_memory(config: &Config, taken: u64) -> Vec<String> {
    let setup = setup(config);
    let presets = [config.provider_quality_preset, config.quality_preset];
    let models = presets.iter().filter_map(|preset| chosen(config, *preset, Task::Transcribe, None).ok());
    let mut found: Vec<String> = models
        .filter_map(|model| forecast(&setup, &model, taken).err())
        .map(|short| short.to_string())
        .collect();
    found.dedup();
    found
}

/// Why the daemon can do less than it should, one sentence each. `taken`: bytes of memory that it takes now.
pub(super) fn reasons(config: &Config, taken: u64) -> Vec<String> {
    let mut reasons: Vec<String> = missing_model(config).into_iter().collect();
    reasons.extend(short_of_memory(config, taken));
    reasons.extend(audio::missing_tools());
    reasons.extend(housekeeping::nearly_full(&config.data_dir).map(|free| {
        format!(
            "the disk that holds {} has {} MB left: free some space, without it uploads are refused and jobs wait",
            config.data_dir.display(),
            free >> 20
        )
    }));
    reasons
}
