//! Which program does the work of the device, and whether the device is there. Knows nothing of jobs.

use super::Error;
use crate::config::{Config, PoolMode};
use crate::device::{Device, level};
use crate::engine::{self, Kernels};
use crate::pool::builds::{self, Builds};
use crate::pool::children::Place;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the pool works and with which kernels; the log is told.
pub(super) fn place(config: &Config) -> Result<(Place, Kernels), Error> {
    let device = config.device.parse().unwrap_or(Device::Cpu);
    let builds = match config.pool {
        PoolMode::Processes => Builds::here(device),
        // The best for this CPU already: the command line saw to that.
        PoolMode::InProcess => {
            check_device(&config.device)?;
            Builds::only("/proc/self/exe".into())
        }
    };
    for why in builds.passed_over() {
        log::warn!("{why}");
    }
    let used = builds.used();
    let does = if used.can_use(device) { "does" } else { "cannot do" };
    log::info!("the CPU is {}; {used} {does} the work of {device}", level::cpu_name());
    log::info!("whisper.cpp: {}", used.kernels);
    if let Some(name) = used.finds(device) {
        log::info!("the products are those of whisper.cpp on {device}, {name}");
    } else if device != Device::Cpu {
        // `Reach` says why, also later on.
    } else if let Some(ours) = engine::ours() {
        log::info!("on this CPU the products are {ours}");
    } else if !used.kernels.have_seat() {
        log::warn!("this build lacks the fast encoder for CPUs: `transcriptord doctor` says how to get it");
    }
    let place = match config.pool {
        PoolMode::Processes => Place::Process(Box::new(builds)),
        PoolMode::InProcess => Place::Here,
    };
    Ok((place, used.kernels))
}

/// Whether the device can be used now. A driver may come later than the daemon, at the start of a machine above all.
pub(super) struct Reach {
    device: Device,
    /// When it was looked at last, and why it could not be used; nothing more is asked once it could.
    seen: Mutex<Option<(Instant, Option<String>)>>,
}

/// Looked at again after this time.
const AGAIN: Duration = Duration::from_secs(20);

impl Reach {
    pub fn of(config: &Config) -> Reach {
        Reach { device: config.device.parse().unwrap_or(Device::Cpu), seen: Mutex::default() }
    }

    /// Why it cannot be used, as a sentence.
    pub fn trouble(&self) -> Option<String> {
        if self.device == Device::Cpu {
            return None;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &*seen {
            Some((_, None)) => return None,
            Some((at, why)) if at.elapsed() < AGAIN => return why.clone(),
            _ => {}
        }
        let why = Builds::here(self.device).trouble(self.device);
        *seen = Some((Instant::now(), why.clone()));
        why
    }
}

/// Fails when this build cannot use the device, or it is not there: whisper.cpp would take the CPU and say nothing.
pub fn check_device(device: &str) -> Result<(), Error> {
    let known = device.parse().ok().filter(|device: &Device| device.built_in());
    match known.ok_or_else(|| no_device(device))?.index() {
        Some(index) if engine::gpus().len() <= index as usize => Err(Error::NoGpu(builds::not_there(device))),
        _ => Ok(()),
    }
}

pub(super) fn no_device(device: &str) -> Error {
    let feature = device.parse::<Device>().ok().and_then(Device::feature);
    Error::Device(device.to_owned(), feature.unwrap_or("cuda"))
}
