//! Which program does the work of the device, and whether the device is there. Knows nothing of jobs.

use super::Error;
use crate::config::{Config, PoolMode};
use crate::device::{Device, level};
use crate::engine::{self, Kernels};
use crate::pool::builds::Builds;
use crate::pool::children::Place;

/// Where the pool works and with which kernels; the log is told.
pub(super) fn place(config: &Config) -> Result<(Place, Kernels), Error> {
    let device = config.device.parse().unwrap_or(Device::Cpu);
    let builds = match config.pool {
        PoolMode::Processes => Builds::here(device),
        // The best for this CPU already: the command line saw to that.
        PoolMode::InProcess => Builds::only("/proc/self/exe".into()),
    };
    for why in builds.passed_over() {
        log::warn!("{why}");
    }
    let used = builds.used();
    if !used.can_use(device) {
        return Err(no_device(&config.device));
    }
    log::info!("the CPU is {}; {used} does the work", level::cpu_name());
    log::info!("whisper.cpp: {}", used.kernels);
    if device != Device::Cpu {
        match used.finds(device) {
            Some(name) => log::info!("the products are those of whisper.cpp on {device}, {name}"),
            None => log::warn!("{}; jobs wait until then", Error::NoGpu(device.to_string())),
        }
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

/// Fails when this build cannot use the device, or it is not there: whisper.cpp would take the CPU and say nothing.
pub fn check_device(device: &str) -> Result<(), Error> {
    let known = device.parse().ok().filter(|device: &Device| device.built_in());
    match known.ok_or_else(|| no_device(device))?.index() {
        Some(index) if engine::gpus().len() <= index as usize => Err(Error::NoGpu(device.to_owned())),
        _ => Ok(()),
    }
}

pub(super) fn no_device(device: &str) -> Error {
    let feature = device.parse::<Device>().ok().and_then(Device::feature);
    Error::Device(device.to_owned(), feature.unwrap_or("cuda"))
}
