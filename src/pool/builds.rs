//! The builds of this program for better CPUs that lie beside it in a package, and which one works here. Knows nothing of
//! the work.
//!
//! A package has the program itself for the lowest level in `bin`, and in `lib/transcriptord` the same program for higher
//! ones. Before one is used it has to say that it is the same program, and to show that the CPU runs its kernels.

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

/// What the builds' files are called, before the level.
const NAME: &str = "transcriptord-worker-";

/// What a build says of itself (`transcriptord worker --about`), as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    version: String,
    /// The mark of its sources; empty outside packages.
    mark: String,
    /// What it was built for; `None` outside packages.
    pub level: Option<Level>,
    kernels: Kernels,
}

impl About {
    fn of(kernels: Kernels) -> About {
        About {
            version: env!("CARGO_PKG_VERSION").into(),
            mark: option_env!("TRANSCRIPTORD_BUILD").unwrap_or_default().into(),
            level: Level::of_program(),
            kernels,
        }
    }

    /// Of this program.
    pub fn here() -> About {
        About::of(Kernels::here())
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
    /// What it was built for.
    pub level: Option<Level>,
    pub kernels: Kernels,
}

impl Build {
    fn own() -> Build {
        let About { level, kernels, .. } = About::here();
        Build { path: None, program: "/proc/self/exe".into(), held: None, level, kernels }
    }

    /// The one at `path`, when it is what its place says. Fails with the end of a sentence.
    fn found(path: PathBuf, level: Level, own: &About) -> Result<Build, String> {
        let file = File::open(&path).map_err(|e| e.to_string())?;
        let program = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
        let kernels = Kernels::here();
        let mut build =
            Build { path: Some(path), program, held: Some(Arc::new(file)), level: Some(level), kernels };
        let about = build.about()?;
        if (&about.version, &about.mark) != (&own.version, &own.mark) {
            let told = |a: &About| format!("{} {}", a.version, a.mark).trim_end().to_owned();
            let (its, ours) = (told(&about), told(own));
            return Err(format!("it is of version {its} and this is {ours}: install the whole package anew"));
        }
        if about.level != Some(level) {
            return Err("it was built for another CPU than its name says: install the package anew".into());
        }
        build.kernels = about.kernels;
        Ok(build)
    }

    /// What it says of itself.
    fn about(&self) -> Result<About, String> {
        let asked = self.command().args(["worker", "--about"]).stdin(Stdio::null()).output();
        let said = asked.map_err(|e| format!("it cannot be run: {e}"))?;
        match said.status {
            status if status.signal() == Some(libc::SIGILL) => Err(CANNOT_RUN.into()),
            status if !status.success() => Err(format!("it ended with {status}")),
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
        match (&self.path, self.level) {
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
    folder: PathBuf,
    own: About,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: Build,
    /// Not looked at yet, the lowest first.
    lower: Vec<Level>,
    passed_over: Vec<String>,
}

impl Builds {
    /// Of the package that this program lies in, for this CPU. Outside a package there is this program alone.
    pub fn here() -> Builds {
        let program = std::env::current_exe().unwrap_or_default();
        Builds::beside(&program, Level::of_cpu(), About::here())
    }

    /// Those beside `program`, which says `own` of itself, on a CPU of this level: the highest that it runs is used.
    pub fn beside(program: &Path, cpu: Option<Level>, own: About) -> Builds {
        let prefix = program.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        let fits = |level: &Level| Some(*level) <= cpu && Some(*level) > own.level;
        let mut lower: Vec<Level> = Level::descending().filter(fits).collect();
        lower.reverse();
        let state = State { used: Build::own(), lower, passed_over: Vec::new() };
        let builds = Builds { folder: prefix.join("lib/transcriptord"), own, state: Mutex::new(state) };
        builds.take_next(&mut builds.lock());
        builds
    }

    /// One program, whatever it is.
    pub fn only(program: PathBuf) -> Builds {
        let used = Build { program, ..Build::own() };
        let state = State { used, lower: Vec::new(), passed_over: Vec::new() };
        Builds { folder: PathBuf::new(), own: About::here(), state: Mutex::new(state) }
    }

    /// The build in use.
    pub fn used(&self) -> Build {
        self.lock().used.clone()
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
        while let Some(level) = state.lower.pop() {
            let path = self.folder.join(format!("{NAME}{level}"));
            if !path.exists() {
                continue;
            }
            match Build::found(path.clone(), level, &self.own) {
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

fn not_used(path: &Path, why: &str) -> String {
    format!("{} is not used: {why}", path.display())
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

/// Becomes the build that is best on this CPU, with this process's words, and returns only where that is this program.
/// `say` is told why a better one that is there is not used.
pub fn become_best(say: impl Fn(&str)) {
    let builds = Builds::here();
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
