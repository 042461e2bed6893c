//! What computes here, and where: processors, memory, GPUs, disks. Does not know what is computed.

pub mod level;

use serde::Serialize;
use std::ffi::CString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

/// Something Whisper can run on, by the name it has in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Device {
    Cpu,
    /// The CUDA device of that index.
    Cuda(u32),
    /// The Vulkan device of that index.
    Vulkan(u32),
}

impl Device {
    /// `cpu` or `gpu`, as the API calls the kind of a worker.
    pub fn kind(self) -> &'static str {
        match self {
            Device::Cpu => "cpu",
            Device::Cuda(_) | Device::Vulkan(_) => "gpu",
        }
    }

    /// The GPU's index; a CPU has none.
    pub fn index(self) -> Option<u32> {
        match self {
            Device::Cpu => None,
            Device::Cuda(index) | Device::Vulkan(index) => Some(index),
        }
    }

    /// What a program has to be built with to use it: the feature's name; nothing for a CPU.
    pub fn feature(self) -> Option<&'static str> {
        match self {
            Device::Cpu => None,
            Device::Cuda(_) => Some("cuda"),
            Device::Vulkan(_) => Some("vulkan"),
        }
    }

    /// Whether this build can use it: CUDA and Vulkan are chosen when the program is built.
    pub fn built_in(self) -> bool {
        self.feature().is_none_or(|feature| Device::features().any(|built| built == feature))
    }

    /// What this build has of those.
    pub fn features() -> impl Iterator<Item = &'static str> {
        let all = [("cuda", cfg!(feature = "cuda")), ("vulkan", cfg!(feature = "vulkan"))];
        all.into_iter().filter_map(|(feature, is_built)| is_built.then_some(feature))
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(index) => write!(f, "cuda:{index}"),
            Device::Vulkan(index) => write!(f, "vulkan:{index}"),
        }
    }
}

impl FromStr for Device {
    type Err = String;
    /// `cpu`, `cuda:N`, `vulkan:N`; without `:N` the first one is meant.
    fn from_str(s: &str) -> Result<Device, String> {
        let wrong = || format!("'{s}' is not a device: give cpu, cuda:0 or vulkan:0");
        let (name, index) = s.split_once(':').unwrap_or((s, "0"));
        match (name, index.parse()) {
            ("cpu", _) if s == "cpu" => Ok(Device::Cpu),
            ("cuda", Ok(index)) => Ok(Device::Cuda(index)),
            ("vulkan", Ok(index)) => Ok(Device::Vulkan(index)),
            _ => Err(wrong()),
        }
    }
}

/// Processors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cpus {
    /// Threads of execution that the machine has.
    pub logical: usize,
    pub physical: usize,
    /// Those this process may use (affinity and cgroup quota count).
    pub usable: usize,
}

/// Memory in bytes, as far as this process may use it (a cgroup's limit counts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    pub total: u64,
    pub available: u64,
}

/// An NVIDIA GPU. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gpu {
    pub index: u32,
    pub name: String,
    pub memory_total: u64,
    pub memory_used: u64,
    pub memory_free: u64,
    /// 0 to 100 over the last sample period of the driver; `None` where the driver does not tell.
    pub utilization_percent: Option<u32>,
}

/// The processors of this machine.
pub fn cpus() -> Cpus {
    let usable = std::thread::available_parallelism().map_or(1, |n| n.get());
    let each = sysinfo::CpuRefreshKind::nothing();
    let logical = sysinfo::System::new_with_specifics(sysinfo::RefreshKind::nothing().with_cpu(each))
        .map_or(0, |system| system.cpus().len())
        .max(usable);
    Cpus { logical, physical: sysinfo::System::physical_core_count().unwrap_or(logical), usable }
}

/// The memory of this machine, or of the control group that this process is in when that allows less; `None` where the
/// system does not tell.
pub fn memory() -> Option<Memory> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    let whole = Memory { total: system.total_memory(), available: system.available_memory() };
    let own = sysinfo::Pid::from_u32(std::process::id());
    let facts = sysinfo::ProcessRefreshKind::nothing();
    system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::Some(&[own]), false, facts);
    let limits = system.process(own).and_then(|process| process.cgroup_limits());
    // What the group's files take in the system's cache is given back when it is needed: only `rss` is really gone.
    Some(match limits.filter(|limits| (1..whole.total).contains(&limits.total_memory)) {
        Some(limits) => {
            let left = limits.total_memory.saturating_sub(limits.rss);
            Memory { total: limits.total_memory, available: left.min(whole.available) }
        }
        None => whole,
    })
}

/// Blocks of 4 MB and more go back to the system as soon as they are freed. glibc would keep the more the larger the blocks
/// are that it has seen (mallopt(3)), and a session's are many megabytes large. Smaller ones are asked for all the time.
pub fn return_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: these parameters of the allocator may be set at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 << 20);
    }
}

/// Bytes of memory that a process takes now, this one without a number; 0 when it is gone (proc(5), statm).
pub fn resident(pid: Option<u32>) -> u64 {
    let name = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let text = std::fs::read_to_string(format!("/proc/{name}/statm")).unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    // SAFETY: asks for a number of the system.
    pages * u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// The NVIDIA GPUs. Without the driver's library, or when it fails, the list is empty.
pub fn gpus() -> Vec<Gpu> {
    let Ok(nvml) = nvml_wrapper::Nvml::init() else { return Vec::new() };
    let count = nvml.device_count().unwrap_or(0);
    (0..count)
        .filter_map(|index| {
            let device = nvml.device_by_index(index).ok()?;
            let memory = device.memory_info().ok()?;
            Some(Gpu {
                index,
                name: device.name().unwrap_or_else(|_| "NVIDIA GPU".to_string()),
                memory_total: memory.total,
                memory_used: memory.used,
                memory_free: memory.free,
                utilization_percent: device.utilization_rates().ok().map(|rates| rates.gpu),
            })
        })
        .collect()
}

/// Cores for arithmetic: two threads of one core share its multipliers, so physical ones count, as far as this
/// process may use them.
pub fn cores() -> usize {
    let cpus = cpus();
    let physical = if cpus.physical == 0 { cpus.usable } else { cpus.physical };
    physical.min(cpus.usable).max(1)
}

/// The processor: its name, and a mark that another one of that name does not have (other features, another stepping).
pub fn cpu_mark() -> String {
    const TELLING: [&str; 10] = [
        "vendor_id",
        "cpu family",
        "model",
        "stepping",
        "flags",
        "Features",
        "CPU implementer",
        "CPU variant",
        "CPU part",
        "CPU revision",
    ];
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let first = text.split("\n\n").next().unwrap_or_default();
    let fields = first.lines().filter_map(|line| line.split_once(':')).map(|(k, v)| (k.trim(), v.trim()));
    let name =
        fields.clone().find(|(key, _)| *key == "model name").map_or(std::env::consts::ARCH, |(_, v)| v);
    let mut mark = blake3::Hasher::new();
    for (key, value) in fields.filter(|(key, _)| TELLING.contains(key)) {
        mark.update(key.as_bytes()).update(value.as_bytes());
    }
    format!("{name} {}", &mark.finalize().to_hex()[..8])
}

/// Bytes that an ordinary user may still write on the disk of that file or folder (statvfs(3)).
pub fn free_bytes(path: &Path) -> Option<u64> {
    let name = CString::new(path.as_os_str().as_bytes()).ok()?;
    // SAFETY: all-zero bytes are a valid `statvfs`, a struct of plain integers.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is a C string and `found` a writable `statvfs`; both outlive the call.
    let done = unsafe { libc::statvfs(name.as_ptr(), &mut found) };
    (done == 0).then(|| found.f_bavail * found.f_frsize)
}

/// This machine's name, `localhost` when it has none.
pub fn host_name() -> String {
    sysinfo::System::host_name().unwrap_or_else(|_| "localhost".into())
}

#[cfg(test)]
mod tests {
    use super::Device;

    fn check(text: &str, expected: Result<Device, &str>) {
        assert_eq!(text.parse(), expected.map_err(str::to_string), "{text}");
    }

    #[test]
    fn a_device_is_known_by_its_name() {
        check("cpu", Ok(Device::Cpu));
        check("cuda:1", Ok(Device::Cuda(1)));
        check("cuda", Ok(Device::Cuda(0)));
        check("vulkan:0", Ok(Device::Vulkan(0)));
        check("cpu:0", Err("'cpu:0' is not a device: give cpu, cuda:0 or vulkan:0"));
        check("cuda:x", Err("'cuda:x' is not a device: give cpu, cuda:0 or vulkan:0"));
        check("", Err("'' is not a device: give cpu, cuda:0 or vulkan:0"));
    }

    #[test]
    fn a_device_prints_as_it_is_read() {
        for device in [Device::Cpu, Device::Cuda(3), Device::Vulkan(0)] {
            check(&device.to_string(), Ok(device));
        }
    }

    #[test]
    fn this_machine_has_a_processor_and_memory() {
        let (cpus, memory) = (super::cpus(), super::memory());
        assert!(cpus.usable >= 1 && cpus.logical >= cpus.usable && cpus.physical >= 1, "{cpus:?}");
        assert!(memory.is_some_and(|m| m.total >= m.available && m.total > 0), "{memory:?}");
        assert!(super::resident(None) > 1 << 20);
        assert_eq!(super::resident(Some(std::process::id())) >> 30, super::resident(None) >> 30);
    }
}
