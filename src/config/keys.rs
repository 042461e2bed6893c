//! Every key: its names, what fits, and its default. Does not know where a value came from.

use super::bazarr::{Bazarr, absolute};
use super::doors::{Doors, Secret, api_key, switch, web_address};
use super::hearing::{self, Hearing};
use super::sources::{Raw, present};
use super::wording::{self, Wording};
use super::{Config, Error, Naming, NoSpeech, PoolMode};
use crate::device::Device;
use crate::job::Preset;
use crate::model::ComputeType;
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// One key.
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// Its names in the environment, the first present wins.
    pub env: &'static [&'static str],
    /// Takes several values.
    pub list: bool,
    /// Fails with the rest of a sentence that starts with the source.
    pub set: fn(&mut Draft, &Raw) -> Result<(), String>,
}

/// A configuration in the making: keys without a fixed default are still open.
pub struct Draft {
    listen: SocketAddr,
    data_dir: Option<PathBuf>,
    models_dir: Option<PathBuf>,
    database_url: Option<String>,
    model: Option<String>,
    cpu_compute_type: ComputeType,
    gpu_compute_type: ComputeType,
    cache_dir: Option<PathBuf>,
    workers: Option<usize>,
    device: Device,
    library: Vec<PathBuf>,
    pool: PoolMode,
    concurrent_transcriptions: usize,
    lease_seconds: u64,
    model_idle_seconds: u64,
    memory_limit_mb: u64,
    priority_ageing_minutes: u64,
    max_retries: u32,
    max_upload_mb: u64,
    provider_heartbeat_seconds: u64,
    provider_no_speech: NoSpeech,
    provider_quality_preset: Preset,
    quality_preset: Preset,
    whisper_threads: Option<usize>,
    log_level: log::LevelFilter,
    subtitle_language_naming_type: Naming,
    doors: Doors,
    bazarr: Bazarr,
    pub(super) wording: Wording,
    pub(super) hearing: Hearing,
}

/// Bazarr's own default endpoint is port 9000 of the machine it runs on.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9000);

impl Default for Draft {
    fn default() -> Draft {
        Draft {
            listen: LISTEN,
            data_dir: None,
            models_dir: None,
            database_url: None,
            model: None,
            cpu_compute_type: ComputeType::Auto,
            gpu_compute_type: ComputeType::Auto,
            cache_dir: None,
            workers: None,
            device: Device::Cpu,
            library: Vec::new(),
            pool: PoolMode::Processes,
            concurrent_transcriptions: 2,
            lease_seconds: 60,
            model_idle_seconds: 300,
            memory_limit_mb: 0,
            priority_ageing_minutes: 0,
            max_retries: 3,
            max_upload_mb: 2048,
            provider_heartbeat_seconds: 2,
            provider_no_speech: NoSpeech::Empty,
            provider_quality_preset: Preset::Balanced,
            quality_preset: Preset::Fast,
            whisper_threads: None,
            log_level: log::LevelFilter::Info,
            subtitle_language_naming_type: Naming::Iso639_2B,
            doors: Doors::default(),
            bazarr: Bazarr::default(),
            wording: Wording::default(),
            hearing: Hearing::default(),
        }
    }
}

static KEYS: &[Key] = &[
    key!("listen", "LISTEN", |d, v| put(&mut d.listen, listen(one(v)?))),
    key!("data_dir", "DATA_DIR", |d, v| put(&mut d.data_dir, folder(one(v)?).map(Some))),
    key!("models_dir", "MODELS_DIR", |d, v| put(&mut d.models_dir, folder(one(v)?).map(Some))),
    Key {
        name: "database_url",
        env: &["TRANSCRIPTORD_DATABASE_URL", "DATABASE_URL"],
        list: false,
        set: |d, v| put(&mut d.database_url, database(one(v)?).map(Some)),
    },
    key!("model", "MODEL", |d, v| put(&mut d.model, text(one(v)?).map(Some))),
    key!("cpu_compute_type", "CPU_COMPUTE_TYPE", |d, v| put(&mut d.cpu_compute_type, one(v)?.parse())),
    key!("gpu_compute_type", "GPU_COMPUTE_TYPE", |d, v| put(&mut d.gpu_compute_type, one(v)?.parse())),
    key!("cache_dir", "CACHE_DIR", |d, v| put(&mut d.cache_dir, folder(one(v)?).map(Some))),
    key!("workers", "WORKERS", |d, v| put(&mut d.workers, automatic(v, 256))),
    key!("device", "DEVICE", |d, v| put(&mut d.device, one(v)?.parse())),
    Key {
        name: "library",
        env: &["TRANSCRIPTORD_LIBRARY", "LIBRARY_PATHS"],
        list: true,
        set: |d, v| put(&mut d.library, many(v).iter().map(|path| folder(path)).collect()),
    },
    key!("pool", "POOL", |d, v| put(&mut d.pool, one(v)?.parse())),
    key!("concurrent_transcriptions", "CONCURRENT_TRANSCRIPTIONS", |d, v| {
        put(&mut d.concurrent_transcriptions, number(v, 1..=64))
    }),
    key!("lease_seconds", "LEASE_SECONDS", |d, v| put(&mut d.lease_seconds, number(v, 10..=3600))),
    key!("model_idle_seconds", "MODEL_IDLE_SECONDS", |d, v| {
        put(&mut d.model_idle_seconds, number(v, 0..=86_400 * 365))
    }),
    key!("memory_limit_mb", "MEMORY_LIMIT_MB", |d, v| put(&mut d.memory_limit_mb, number(v, 0..=16_777_216))),
    key!("priority_ageing_minutes", "PRIORITY_AGEING_MINUTES", |d, v| {
        put(&mut d.priority_ageing_minutes, number(v, 0..=527_040))
    }),
    key!("max_retries", "MAX_RETRIES", |d, v| put(&mut d.max_retries, number(v, 1..=100))),
    key!("max_upload_mb", "MAX_UPLOAD_MB", |d, v| put(&mut d.max_upload_mb, number(v, 1..=1_048_576))),
    key!("provider_heartbeat_seconds", "PROVIDER_HEARTBEAT_SECONDS", |d, v| {
        put(&mut d.provider_heartbeat_seconds, number(v, 1..=60))
    }),
    key!("provider_no_speech", "PROVIDER_NO_SPEECH", |d, v| put(&mut d.provider_no_speech, one(v)?.parse())),
    key!("provider_quality_preset", "PROVIDER_QUALITY_PRESET", |d, v| {
        put(&mut d.provider_quality_preset, one(v)?.parse())
    }),
    key!("quality_preset", "QUALITY_PRESET", |d, v| put(&mut d.quality_preset, one(v)?.parse())),
    key!("whisper_threads", "WHISPER_THREADS", |d, v| put(&mut d.whisper_threads, automatic(v, 256))),
    key!("log_level", "LOG_LEVEL", |d, v| put(&mut d.log_level, level(one(v)?))),
    key!("subtitle_language_naming_type", "SUBTITLE_LANGUAGE_NAMING_TYPE", |d, v| {
        put(&mut d.subtitle_language_naming_type, one(v)?.parse())
    }),
    key!("api_key", "API_KEY", |d, v| put(&mut d.doors.api_key, api_key(one(v)?).map(Some))),
    key!("auth_required", "AUTH_REQUIRED", |d, v| put(&mut d.doors.auth_required, one(v)?.parse())),
    list!("trusted_proxies", "TRUSTED_PROXIES", |d, v| {
        put(&mut d.doors.trusted_proxies, many(v).iter().map(|net| net.parse()).collect())
    }),
    list!("host_names", "HOST_NAMES", |d, v| {
        put(&mut d.doors.host_names, many(v).iter().map(|name| text(name)).collect())
    }),
    key!("max_concurrent_uploads", "MAX_CONCURRENT_UPLOADS", |d, v| {
        put(&mut d.doors.max_concurrent_uploads, number(v, 1..=10_000))
    }),
    key!("spool_quota_gb", "SPOOL_QUOTA_GB", |d, v| put(
        &mut d.doors.spool_quota_gb,
        number(v, 0..=1_000_000)
    )),
    key!("result_retention_days", "RESULT_RETENTION_DAYS", |d, v| {
        put(&mut d.doors.result_retention_days, number(v, 0..=36_500))
    }),
    key!("job_retention_days", "JOB_RETENTION_DAYS", |d, v| {
        put(&mut d.doors.job_retention_days, number(v, 0..=36_500))
    }),
    key!("provider_timeout_seconds", "PROVIDER_TIMEOUT_SECONDS", |d, v| {
        put(&mut d.doors.provider_timeout_seconds, number(v, 0..=86_400 * 365))
    }),
    key!("provider_polling_interval", "PROVIDER_POLLING_INTERVAL", |d, v| {
        put(&mut d.doors.provider_polling_interval, number(v, 1..=86_400))
    }),
    key!("webhook_url", "WEBHOOK_URL", |d, v| put(&mut d.doors.webhook_url, web_address(one(v)?).map(Some))),
    key!("webhook_secret", "WEBHOOK_SECRET", |d, v| {
        put(&mut d.doors.webhook_secret, text(one(v)?).map(|secret| Some(Secret(secret))))
    }),
    key!("provider_callback_enabled", "PROVIDER_CALLBACK_ENABLED", |d, v| {
        put(&mut d.doors.provider_callback_enabled, switch(one(v)?))
    }),
    key!("use_path_mapping", "USE_PATH_MAPPING", |d, v| put(&mut d.bazarr.use_path_mapping, switch(one(v)?))),
    list!("path_mapping_from", "PATH_MAPPING_FROM", |d, v| {
        put(&mut d.bazarr.path_mapping_from, Ok(many(v).to_vec()))
    }),
    list!("path_mapping_to", "PATH_MAPPING_TO", |d, v| {
        put(&mut d.bazarr.path_mapping_to, many(v).iter().map(|path| absolute(path)).collect())
    }),
    key!("bazarr_url", "BAZARR_URL", |d, v| put(&mut d.bazarr.url, web_address(one(v)?).map(Some))),
    key!("bazarr_api_key", "BAZARR_API_KEY", |d, v| {
        put(&mut d.bazarr.api_key, text(one(v)?).map(|key| Some(Secret(key))))
    }),
    key!("bazarr_push_enabled", "BAZARR_PUSH_ENABLED", |d, v| {
        put(&mut d.bazarr.push_enabled, switch(one(v)?))
    }),
    key!("bazarr_push_interval_minutes", "BAZARR_PUSH_INTERVAL_MINUTES", |d, v| {
        put(&mut d.bazarr.push_interval_minutes, number(v, 1..=1440))
    }),
];

/// Every key.
pub fn all() -> impl Iterator<Item = &'static Key> {
    KEYS.iter().chain(wording::KEYS).chain(hearing::KEYS)
}

impl Draft {
    /// Fills in what depends on other values.
    pub fn settle(self, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let data_dir = match self.data_dir {
            Some(dir) => dir,
            None => default_data_dir(env).ok_or(Error::NoDataDir)?,
        };
        let database = || format!("sqlite://{}", data_dir.join("transcriptord.db").display());
        self.bazarr.check()?;
        self.wording.check()?;
        Ok(Config {
            listen: self.listen,
            models_dir: self.models_dir.unwrap_or_else(|| data_dir.join("models")),
            database_url: self.database_url.unwrap_or_else(database),
            cache_dir: self.cache_dir.unwrap_or_else(|| data_dir.join("cache")),
            data_dir,
            model: self.model,
            cpu_compute_type: self.cpu_compute_type,
            gpu_compute_type: self.gpu_compute_type,
            workers: self.workers,
            device: self.device,
            library: self.library,
            pool: self.pool,
            concurrent_transcriptions: self.concurrent_transcriptions,
            lease_seconds: self.lease_seconds,
            model_idle_seconds: self.model_idle_seconds,
            memory_limit_mb: self.memory_limit_mb,
            priority_ageing_minutes: self.priority_ageing_minutes,
            max_retries: self.max_retries,
            max_upload_mb: self.max_upload_mb,
            provider_heartbeat_seconds: self.provider_heartbeat_seconds,
            provider_no_speech: self.provider_no_speech,
            provider_quality_preset: self.provider_quality_preset,
            quality_preset: self.quality_preset,
            whisper_threads: self.whisper_threads,
            log_level: self.log_level,
            subtitle_language_naming_type: self.subtitle_language_naming_type,
            doors: self.doors,
            bazarr: self.bazarr,
            wording: self.wording,
            hearing: self.hearing,
            strangers: Vec::new(),
        })
    }
}

/// systemd's `STATE_DIRECTORY` (its first folder), else the XDG data folder.
fn default_data_dir(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(state) = present(env, "STATE_DIRECTORY") {
        return state.split(':').next().map(PathBuf::from);
    }
    let xdg = present(env, "XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || present(env, "HOME").map(|home| Path::new(&home).join(".local/share"));
    xdg.or_else(home).map(|base| base.join("transcriptord"))
}

/// The key of that name in the file.
pub fn named(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

/// The end of the message about a key that does not exist: the nearest one, or all of them.
pub fn hint(name: &str) -> String {
    match nearest(name) {
        Some(near) => format!(", did you mean '{near}'?"),
        None => format!(" (known are {})", all().map(|key| key.name).collect::<Vec<_>>().join(", ")),
    }
}

/// The key whose name is written most like this one, if any is.
pub fn nearest(name: &str) -> Option<&'static str> {
    let (steps, near) = all().map(|key| (distance(name, key.name), key.name)).min()?;
    (steps <= name.len().div_ceil(3)).then_some(near)
}

/// How many letters have to be added, dropped or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

pub(super) fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

pub(super) fn one(raw: &Raw) -> Result<&str, String> {
    match raw {
        Raw::One(value) => Ok(value.trim()),
        Raw::Many(_) => Err("a list does not fit here: give one value".to_string()),
    }
}

pub(super) fn many(raw: &Raw) -> &[String] {
    match raw {
        Raw::One(value) => std::slice::from_ref(value),
        Raw::Many(values) => values,
    }
}

pub(super) fn number<T: FromStr + PartialOrd + Display>(
    raw: &Raw,
    fits: RangeInclusive<T>,
) -> Result<T, String> {
    let value = one(raw)?;
    value.parse().ok().filter(|n| fits.contains(n)).ok_or_else(|| {
        format!("'{value}' does not fit: give a whole number from {} to {}", fits.start(), fits.end())
    })
}

/// A count, where `auto` and 0 leave it to the program.
fn automatic(raw: &Raw, most: usize) -> Result<Option<usize>, String> {
    match one(raw)? {
        "auto" | "0" => Ok(None),
        value => number(raw, 1..=most).map(Some).map_err(|_| {
            format!("'{value}' does not fit: give a whole number from 1 to {most}, or 'auto' (0 is the same)")
        }),
    }
}

fn text(value: &str) -> Result<String, String> {
    if value.is_empty() {
        Err("it is empty: give a value or leave it out".to_string())
    } else {
        Ok(value.to_string())
    }
}

fn folder(value: &str) -> Result<PathBuf, String> {
    let path = text(value)?;
    std::path::absolute(&path).map_err(|e| format!("'{path}' is not a path: {e}"))
}

/// `ADDRESS:PORT`, `localhost:PORT` or a port alone (of the loopback address).
fn listen(value: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = value.parse() {
        return Ok(SocketAddr::new(LISTEN.ip(), port));
    }
    let address = match value.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => value.to_string(),
    };
    address.parse().map_err(|_| {
        format!("'{value}' is not an address with a port: give one like 127.0.0.1:9000, or 0.0.0.0:9000 for all networks")
    })
}

fn database(value: &str) -> Result<String, String> {
    if value == "sqlite::memory:" || value.starts_with("sqlite:///") {
        return Ok(value.to_string());
    }
    Err(format!(
        "'{}' is not a database this build can open: give sqlite:///absolute/path/to/transcriptord.db",
        without_password(value)
    ))
}

/// `scheme://user:secret@host/…` without the secret: messages end up in logs.
fn without_password(url: &str) -> String {
    let parts = url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?)));
    match parts {
        Some((scheme, (login, rest))) => {
            format!("{scheme}://{}:…@{rest}", login.split(':').next().unwrap_or_default())
        }
        None => url.to_string(),
    }
}

fn level(value: &str) -> Result<log::LevelFilter, String> {
    value.parse().map_err(|_| format!("'{value}' is not one of off, error, warn, info, debug, trace"))
}
