//! The builds of this program for better CPUs and for GPUs that lie beside it in a package, and which one works here. Knows
//! nothing of the work.
//!
//! A package has the program itself for the lowest level in `bin`, and in `lib/transcriptord` the same program for higher
//! ones. Before one is used it has to say that it is the same program, and to show that the CPU runs its kernels.
//!
//! Those for GPUs are apart because of what they load as they start: CUDA's libraries are 200 MB, of which a daemon that
//! waits has no use, and without a driver the program would not start at all.

use crate::device::Device;
use crate::device::level::Level;
use crate::engine::{self, Kernels};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::{fmt, io};

/// What the builds' files are called, before what they are for.
const NAME: &str = "transcriptord-worker-";

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Level(Level),
    /// GPUs of that kind.
    Gpu(Device),
}

impl fmt::Display for For {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            For::Level(level) => level.fmt(f),
            For::Gpu(device) => f.write_str(device.feature().unwrap_or("cpu")),
        }
    }
}

/// What a build says of itself (`transcriptord worker --about`), as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    version: String,
    /// The mark of its sources; empty outside packages.
    mark: String,
    /// What it was built for; `None` outside packages.
    pub level: Option<Level>,
    /// The features for GPUs that it was built with.
    #[serde(default)]
    pub gpus: Vec<String>,
    /// The GPUs that it finds here, by name, in the order of their numbers.
    #[serde(default)]
    pub devices: Vec<String>,
    pub kernels: Kernels,
}

impl About {
    fn of(kernels: Kernels) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").into(),
            mark: option_env!("TRANSCRIPTORD_BUILD").unwrap_or_default().into(),
            level: Level::of_program(),
            gpus: Device::features().map(str::to_owned).collect(),
            devices: engine::gpus(),
            kernels,
        }
    }

    /// Of this program.
    pub fn here() -> About {
        About::of(Kernels::here())
    }

    /// Whether it can use the device.
    pub fn can_use(&self, device: Device) -> bool {
        device.feature().is_none_or(|feature| self.gpus.iter().any(|gpu| gpu == feature))
    }

    /// What the GPU is called that it finds under the device's number, if it finds one.
    pub fn finds(&self, device: Device) -> Option<&str> {
        self.devices.get(device.index()? as usize).map(String::as_str)
    }

    /// As [`About::here`]. Its kernels have been tried then: with one that the CPU lacks the process ends (SIGILL).
    pub fn tried() -> Result<About, engine::Error> {
        Ok(About::of(Kernels::tried()?))
    }
}

/// A program that can do a device's work.
#[derive(Debug, Clone)]
pub struct Build {
    /// Where it was found; `None`: this very process's program.
    path: Option<PathBuf>,
    /// What is run, also when the file was replaced meanwhile. Open as long as it may be run.
    program: PathBuf,
    held: Option<Arc<File>>,
    /// What it says of itself.
    pub about: About,
}

impl Build {
    fn own() -> Build {
        Build { path: None, program: "/proc/self/exe".into(), held: None, about: About::here() }
    }

    /// The one at `path`, when it is what its place says. Fails with the end of a sentence.
    fn found(path: PathBuf, suits: For, own: &About) -> Result<Build, String> {
        let file = File::open(&path).map_err(|e| e.to_string())?;
        let program = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
        let mut build = Build { path: Some(path), program, held: Some(Arc::new(file)), about: own.clone() };
        let about = build.ask()?;
        if (&about.version, &about.mark) != (&own.version, &own.mark) {
            let told = |a: &About| format!("{} {}", a.version, a.mark).trim_end().to_owned();
            let (its, ours) = (told(&about), told(own));
            return Err(format!("it is of version {its} and this is {ours}: install the whole package anew"));
        }
        match suits {
            For::Level(level) if about.level != Some(level) => {
                Err("it was built for another CPU than its name says: install the package anew".into())
            }
            For::Gpu(device) if !about.can_use(device) => {
                Err(format!("it was built without {suits}: install the package anew"))
            }
            _ => {
                build.about = about;
                Ok(build)
            }
        }
    }

    /// Has it say what it is.
    fn ask(&self) -> Result<About, String> {
        let asked = self.command().args(["worker", "--about"]).stdin(Stdio::null()).output();
        let said = asked.map_err(|e| format!("it cannot be run: {e}"))?;
        match said.status {
            status if status.signal() == Some(libc::SIGILL) => Err(CANNOT_RUN.into()),
            status if !status.success() => {
                let last = String::from_utf8_lossy(&said.stderr);
                let why = last.lines().last().map(|line| format!(": {line}")).unwrap_or_default();
                Err(format!("it ended with {status}{why}"))
            }
            _ => serde_json::from_slice(&said.stdout).map_err(|_| "it does not say what it is".into()),
        }
    }

    /// Runs it; the caller adds the words.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // For those who list processes.
        command.arg0("transcriptord");
        if let Some(file) = self.held.clone() {
            // SAFETY: between fork and exec only async-signal-safe calls are made.
            unsafe {
                // An interpreter opens the file once more.
                command.pre_exec(move || pass_on(file.as_raw_fd()));
            }
        }
        command
    }

    /// Whether it is this process's own program.
    pub fn is_own(&self) -> bool {
        self.path.is_none()
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.path, self.about.level) {
            (Some(path), _) => write!(f, "{}", path.display()),
            (None, Some(level)) => write!(f, "this program, built for {level}"),
            (None, None) => write!(f, "this program"),
        }
    }
}

/// Why a build that dies of SIGILL is not used.
const CANNOT_RUN: &str = "it needs what this CPU does not have (SIGILL)";

/// Lets a program that is started inherit the descriptor. Async-signal-safe.
pub(super) fn pass_on(fd: i32) -> io::Result<()> {
    // SAFETY: changes a flag of a descriptor, or fails.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        done if done < 0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The builds that can do the work, and the one in use.
#[derive(Debug)]
pub struct Builds {
    device: Device,
    folder: PathBuf,
    own: About,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: Build,
    /// Not looked at yet, the best last.
    lower: Vec<For>,
    passed_over: Vec<String>,
}

impl Builds {
    /// Of the package that this program lies in, for this CPU and that device. Outside a package there is this program
    /// alone.
    pub fn here(device: Device) -> Builds {
        Builds::beside(&program(), Level::of_cpu(), device, About::here())
    }

    /// Those beside `program`, which says `own` of itself, on a CPU of this level: the highest that it runs is used. For a
    /// GPU that it was not built for, the one that was, if it is there.
    pub fn beside(program: &Path, cpu: Option<Level>, device: Device, own: About) -> Builds {
        let fits = |level: &Level| Some(*level) <= cpu && Some(*level) > own.level;
        let lower = match device {
            Device::Cpu => {
                let mut lower: Vec<For> = Level::descending().filter(fits).map(For::Level).collect();
                lower.reverse();
                lower
            }
            _ if own.can_use(device) => Vec::new(),
            _ => vec![For::Gpu(device)],
        };
        let state = State { used: Build::own(), lower, passed_over: Vec::new() };
        let builds = Builds { device, folder: folder(program), own, state: Mutex::new(state) };
        builds.take_next(&mut builds.lock());
        builds
    }

    /// One program, whatever it is.
    pub fn only(program: PathBuf) -> Builds {
        let used = Build { program, ..Build::own() };
        let state = State { used, lower: Vec::new(), passed_over: Vec::new() };
        Builds { device: Device::Cpu, folder: PathBuf::new(), own: About::here(), state: Mutex::new(state) }
    }

    /// The build in use. Looks again for one that can use the GPU while there is none: its driver may have come.
    pub fn used(&self) -> Build {
        let mut state = self.lock();
        if !self.own.can_use(self.device) && !state.used.about.can_use(self.device) {
            (state.lower, state.passed_over) = (vec![For::Gpu(self.device)], Vec::new());
            self.take_next(&mut state);
        }
        state.used.clone()
    }

    /// Why none can use the device now.
    pub fn trouble(&self) -> Option<Trouble> {
        let about = self.used().about;
        let passed_over = self.passed_over();
        match about.can_use(self.device) {
            true if self.device == Device::Cpu || about.finds(self.device).is_some() => None,
            true => Some(Trouble::not_there(self.device)),
            false if passed_over.is_empty() => Some(Trouble::no_program(self.device)),
            false => Some(Trouble {
                what: passed_over.join("; "),
                todo: "install its driver and what goes with that, or use --device cpu".into(),
            }),
        }
    }

    /// Why builds that are there are not used, a sentence each.
    pub fn passed_over(&self) -> Vec<String> {
        self.lock().passed_over.clone()
    }

    /// Takes the next lower one, for good, unless another thread has done so. Gives the reason as a sentence; `None` when
    /// `failed` is this program itself, below which there is none.
    pub fn give_up(&self, failed: &Build, why: &str) -> Option<String> {
        let mut state = self.lock();
        let path = failed.path.clone()?;
        if self.device != Device::Cpu {
            // No other can do this work.
            return None;
        }
        if state.used.path == failed.path {
            let told = not_used(&path, why);
            state.passed_over.push(told);
            self.take_next(&mut state);
        }
        Some(format!("{}; {} does the work from now on", not_used(&path, why), state.used))
    }

    /// As [`Builds::give_up`], for one that died of SIGILL.
    pub fn give_up_illegal(&self, failed: &Build) -> Option<String> {
        self.give_up(failed, CANNOT_RUN)
    }

    /// The next that is there and can be used, else this program.
    fn take_next(&self, state: &mut State) {
        while let Some(suits) = state.lower.pop() {
            let path = self.folder.join(format!("{NAME}{suits}"));
            if !path.exists() {
                continue;
            }
            match Build::found(path.clone(), suits, &self.own) {
                Ok(build) => {
                    state.used = build;
                    return;
                }
                Err(why) => state.passed_over.push(not_used(&path, &why)),
            }
        }
        state.used = Build::own();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {todo}")]
pub struct Trouble {
    pub what: String,
    /// What would help.
    pub todo: String,
}

impl Trouble {
    /// No driver shows the GPU.
    pub fn not_there(device: Device) -> Trouble {
        let todo = "look with nvidia-smi or vulkaninfo whether its driver works, or use --device cpu".into();
        Trouble { what: format!("{device} is not there"), todo }
    }

    /// Neither this program nor one beside it was built for it.
    pub fn no_program(device: Device) -> Trouble {
        let feature = device.feature().unwrap_or_default();
        let todo = format!(
            "install a package with transcriptord-worker-{feature}, build with `cargo build --release --features {feature}`, or use --device cpu"
        );
        Trouble { what: format!("this program cannot use {device}"), todo }
    }
}

fn not_used(path: &Path, why: &str) -> String {
    format!("{} is not used: {why}", path.display())
}

fn program() -> PathBuf {
    std::env::current_exe().unwrap_or_default()
}

/// Where a package has the builds that go with its program.
fn folder(program: &Path) -> PathBuf {
    let prefix = program.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    prefix.join("lib/transcriptord")
}

/// Whether this program was built for the device, or one lies beside it that says so by its name.
pub fn has_one_for(device: Device) -> bool {
    let beside = |feature| folder(&program()).join(format!("{NAME}{feature}")).exists();
    device.built_in() || device.feature().is_some_and(beside)
}

/// The program that a person started, when `program` is one of its builds.
pub fn front(program: &Path) -> PathBuf {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let prefix = program.ancestors().nth(3).filter(|prefix| {
        name.starts_with(NAME) && program.parent() == Some(&prefix.join("lib/transcriptord"))
    });
    let front = prefix.map(|prefix| prefix.join("bin/transcriptord"));
    front.filter(|front| front.exists()).unwrap_or_else(|| program.to_owned())
}

/// Becomes the build that is best for the device, with this process's words, and returns only where that is this program.
/// `say` is told why a better one that is there is not used.
pub fn become_best(device: Device, say: impl Fn(&str)) {
    let builds = Builds::here(device);
    builds.passed_over().iter().for_each(|why| say(why));
    loop {
        let build = builds.used();
        let Some(path) = &build.path else { return };
        // By its name, not by its descriptor: lists of processes show that.
        let why = Command::new(path).arg0("transcriptord").args(std::env::args_os().skip(1)).exec();
        if let Some(told) = builds.give_up(&build, &format!("it cannot be run: {why}")) {
            say(&told);
        }
    }
}

#[cfg(test)]
#[path = "builds_tests.rs"]
mod tests;
