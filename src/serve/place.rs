//! Which program does the work of the device, and whether the device is there. Knows nothing of jobs.

use super::Error;
use crate::config::{Config, PoolMode};
use crate::device::{Device, level};
use crate::engine::{self, Kernels};
use crate::pool::builds::{Builds, Trouble};
use crate::pool::children::Place;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the pool works, with which kernels, and whether it can; the log is told.
pub(super) fn place(config: &Config) -> Result<(Place, Kernels, Reach), Error> {
    let device = config.device;
    let builds = match config.pool {
        PoolMode::Processes => Builds::here(device),
        // The best for this CPU already: the command line saw to that.
        PoolMode::InProcess => {
            check_device(device)?;
            Builds::only("/proc/self/exe".into())
        }
    };
    for why in builds.passed_over() {
        log::warn!("{why}");
    }
    let reach = Reach { device, seen: Mutex::new((Instant::now(), builds.trouble())) };
    let used = builds.used();
    let does = if used.about.can_use(device) { "does" } else { "cannot do" };
    log::info!("the CPU is {}; {used} {does} the work of {device}", level::cpu_name());
    log::info!("whisper.cpp: {}", used.about.kernels);
    if device != Device::Cpu {
        // Where there is none `Reach` says why, also later on.
        if let Some(name) = used.about.finds(device) {
            log::info!("the products are those of whisper.cpp on {device}, {name}");
        }
    } else if let Some(ours) = engine::ours() {
        log::info!("on this CPU the products are {ours}");
    } else if !used.about.kernels.have_seat() {
        log::warn!("this build lacks the fast encoder for CPUs: `transcriptord doctor` says how to get it");
    }
    let place = match config.pool {
        PoolMode::Processes => Place::Process(Box::new(builds)),
        PoolMode::InProcess => Place::Here,
    };
    Ok((place, used.about.kernels, reach))
}

/// Whether the device can be used now. A driver may come later than the daemon, at the start of a machine above all.
pub(super) struct Reach {
    device: Device,
    /// When it was looked at last, and why it could not be used; nothing more is asked once it could.
    seen: Mutex<(Instant, Option<Trouble>)>,
}

/// Looked at again after this time.
const AGAIN: Duration = Duration::from_secs(20);

impl Reach {
    /// Why it cannot be used, as a sentence.
    pub fn trouble(&self) -> Option<String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.1.is_some() && seen.0.elapsed() >= AGAIN {
            *seen = (Instant::now(), Builds::here(self.device).trouble());
        }
        seen.1.as_ref().map(Trouble::to_string)
    }
}

/// Fails when this build cannot use the device, or it is not there: whisper.cpp would take the CPU and say nothing.
pub fn check_device(device: Device) -> Result<(), Error> {
    match device.index() {
        _ if !device.built_in() => Err(Trouble::no_program(device).into()),
        Some(index) if !engine::has_gpu(index) => Err(Trouble::not_there(device).into()),
        _ => Ok(()),
    }
}
