//! What a device's pool works with: plain values, given by `serve` or the command line. Knows nothing of configuration files.

use crate::model::ComputeType;
use crate::queue::Told;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything a pool needs to know; travels to a worker process as its first frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// `cpu`, `cuda:0`, `vulkan:1`.
    pub device: String,
    pub node: String,
    pub database_url: String,
    pub spool_dir: PathBuf,
    pub models_dir: PathBuf,
    /// The model for all presets, by name or path; `None`: the preset chooses.
    pub model: Option<String>,
    /// How the weights are to be stored.
    pub compute: ComputeType,
    /// Where forms of models are kept that were made here.
    pub cache_dir: PathBuf,
    /// Sessions, each on a thread of its own; 0: as many as the device is good for.
    pub workers: usize,
    /// Threads of each session; 0: the cores shared out.
    pub threads: usize,
    /// Memory that all of it may take; 0: a share of what is free.
    pub memory_limit_mb: u64,
    /// Jobs open at once.
    pub concurrent: usize,
    pub lease_ms: i64,
    /// So much waiting is worth one point of priority; 0: none is.
    pub ageing_ms_per_point: i64,
    /// A process without work ends after this time; 0: never.
    pub idle_ms: i64,
    /// Whose ends are kept for the webhook.
    pub told: Told,
}

impl Setup {
    /// The number of the GPU, `None` for the CPU.
    pub fn gpu(&self) -> Option<u32> {
        let (kind, number) = self.device.split_once(':').unwrap_or((&self.device, "0"));
        (kind != "cpu").then(|| number.parse().unwrap_or(0))
    }

    /// Sessions and the threads of each.
    ///
    /// On CPU many sessions of one thread beat one session of many (27.6 against 22.8 times real time on two
    /// cores); more than four cost memory that a small server lacks. A GPU waits for the CPU between two tokens: four
    /// sessions do half as much again as two on a large one, and each keeps a core waiting.
    pub fn sessions(&self, cores: usize) -> (usize, usize) {
        let cores = cores.max(1);
        let fitting = if self.gpu().is_some() { (cores / 2).clamp(2, 4) } else { cores.min(4) };
        let sessions = if self.workers > 0 { self.workers } else { fitting };
        let threads = if self.threads > 0 { self.threads } else { (cores / sessions).max(1) };
        (sessions, threads)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Setup, Told};
    use crate::model::ComputeType;

    pub fn setup(device: &str, workers: usize, threads: usize) -> Setup {
        Setup {
            device: device.into(),
            node: String::new(),
            database_url: String::new(),
            spool_dir: "".into(),
            models_dir: "".into(),
            model: None,
            compute: ComputeType::Auto,
            cache_dir: "".into(),
            workers,
            threads,
            memory_limit_mb: 0,
            concurrent: 2,
            lease_ms: 60_000,
            ageing_ms_per_point: 0,
            idle_ms: 0,
            told: Told::None,
        }
    }

    #[test]
    fn cores_are_shared_out_to_sessions() {
        let check = |device, workers, threads, cores, expected| {
            assert_eq!(setup(device, workers, threads).sessions(cores), expected);
        };
        check("cpu", 0, 0, 1, (1, 1));
        check("cpu", 0, 0, 2, (2, 1));
        check("cpu", 0, 0, 16, (4, 4));
        check("cpu", 1, 0, 8, (1, 8));
        check("cpu", 8, 0, 4, (8, 1));
        check("cpu", 0, 3, 4, (4, 3));
        check("cuda:0", 0, 0, 16, (4, 4));
        check("cuda:0", 0, 0, 2, (2, 1));
    }

    #[test]
    fn the_device_is_chosen_by_name() {
        assert_eq!(setup("cpu", 0, 0).gpu(), None);
        assert_eq!(setup("cuda:1", 0, 0).gpu(), Some(1));
        assert_eq!(setup("vulkan", 0, 0).gpu(), Some(0));
    }
}
