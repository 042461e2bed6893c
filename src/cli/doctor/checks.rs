//! The things a doctor looks at, one function each. Does not know how findings are shown.

use super::{Finding, Grade};
use crate::config::Config;
use crate::device::{self, Device, level};
use crate::engine::{self, Kernels};
use crate::http;
use crate::model::{self, Installed};
use crate::pool::admission::forecast;
use crate::pool::builds::{Builds, Trouble};
use crate::pool::forms::Outlook;
use crate::pool::memory;
use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Looks at one thing; the path is that of the configuration file, where there is one.
pub type Check = fn(&Config, Option<&Path>) -> Vec<Finding>;

pub static ALL: &[Check] =
    &[configuration, data_folder, key, database, models, memory, whisper, devices, media, library, address];

const GB: u64 = 1 << 30;

fn ok(what: &'static str, is: impl Into<String>) -> Finding {
    Finding { grade: Grade::Ok, what, is: is.into(), todo: String::new() }
}

fn warn(what: &'static str, is: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding { grade: Grade::Warn, what, is: is.into(), todo: todo.into() }
}

fn fail(what: &'static str, is: impl Into<String>, todo: impl Into<String>) -> Finding {
    Finding { grade: Grade::Fail, what, is: is.into(), todo: todo.into() }
}

fn configuration(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let read = match file {
        Some(file) => ok("config", file.display().to_string()),
        None => ok("config", "no file: defaults, environment and flags"),
    };
    let strangers = config.strangers.iter().map(|stranger| warn("config", stranger, "correct or remove it"));
    std::iter::once(read).chain(strangers).collect()
}

fn data_folder(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    let dir = config.data_dir.as_path();
    // A folder that is not there yet is made at the first start, if the nearest one above lets us.
    let Some(nearest) = dir.ancestors().find(|path| path.exists()) else {
        return vec![fail("data folder", format!("{} cannot be made", dir.display()), "give --data-dir DIR")];
    };
    if !writable(nearest) {
        let is = format!("{} cannot be written", nearest.display());
        return vec![fail("data folder", is, "let this user write there, or give --data-dir DIR")];
    }
    let is = match dir.exists() {
        true => dir.display().to_string(),
        false => format!("{} (made at the first start)", dir.display()),
    };
    let mut found = vec![ok("data folder", is)];
    let needs = "an upload of three hours takes 0.35 GB until its subtitle is made";
    found.extend(device::free_bytes(nearest).map(|free| {
        let is = format!("{:.1} GB free", free as f64 / GB as f64);
        match free {
            _ if free < GB / 2 => fail("disk", is, format!("make room: {needs}")),
            _ if free < 5 * GB => warn("disk", is, needs),
            _ => ok("disk", is),
        }
    }));
    found
}

/// The API key's file. What it holds is not shown: 'transcriptord key' does that.
fn key(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    const WHAT: &str = "API key";
    if config.doors.api_key.is_some() {
        return vec![ok(WHAT, "the key 'api_key' of the configuration")];
    }
    let path = http::key::path(&config.data_dir);
    let is = path.display();
    let mode = match path.metadata() {
        Ok(facts) => facts.permissions().mode() & 0o777,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return vec![ok(WHAT, format!("{is} (made at the first start)"))];
        }
        Err(e) => return vec![fail(WHAT, format!("{is}: {e}"), "run this as the user who runs the daemon")],
    };
    vec![match fs::read_to_string(&path) {
        Err(e) => fail(
            WHAT,
            format!("{is} cannot be read: {e}"),
            "let the user who runs the daemon read it (chown), or remove it: a new key is made at the next start",
        ),
        Ok(key) if key.trim().is_empty() => {
            fail(WHAT, format!("{is} is empty"), "remove it: a new key is made at the next start")
        }
        Ok(_) if mode & 0o077 != 0 => warn(
            WHAT,
            format!("{is} can be read by others (mode {mode:o})"),
            format!("chmod 600 {is}; who has read it may call the daemon: remove it for a new key"),
        ),
        Ok(_) => ok(WHAT, format!("{is}: 'transcriptord key' prints it")),
    }]
}

fn database(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    let url = &config.database_url;
    let new = url.strip_prefix("sqlite://").is_some_and(|path| !Path::new(path).exists());
    if new {
        return vec![ok("database", format!("{url} (made at the first start)"))];
    }
    vec![match crate::store::Store::open(url) {
        Ok(_) => ok("database", url.clone()),
        Err(e) => {
            fail("database", e.to_string(), "jobs are kept there: until it opens, the daemon cannot work")
        }
    }]
}

fn models(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    let dir = &config.models_dir;
    let mut found = Vec::new();
    if let Some(name) = &config.model {
        found.push(match model::find(dir, name) {
            Ok(model) => ok("model", format!("{} at {}", model.name, model.path.display())),
            Err(e) => fail("model", e.to_string(), "jobs wait until it is there"),
        });
    }
    let (installed, broken) = model::survey(dir);
    found.extend(broken.iter().map(|e| warn("model", e.to_string(), "it is passed over until then")));
    let names: Vec<&str> = installed.iter().map(|model| model.name.as_str()).collect();
    if names.is_empty() && config.model.is_none() {
        let todo = "transcriptord model pull small, or model import FOLDER of a faster-whisper model: jobs wait until then";
        found.push(fail("models", format!("none in {}", dir.display()), todo));
    } else if !names.is_empty() {
        found.push(ok("models", format!("{} in {}", names.join(", "), dir.display())));
        let kernels = Builds::here(config.device).used().about.kernels;
        found.extend(installed.iter().map(|model| weights(config, model, &kernels)));
        if !installed.iter().any(|model| model.header.multilingual()) {
            found.push(warn(
                "languages",
                "every model here is English only",
                "transcriptord model pull small",
            ));
        } else if !installed.iter().any(|model| model.header.translates()) {
            found.push(warn("translation", "no model here can translate", "transcriptord model pull small"));
        }
    }
    found
}

/// The form that a model is used in.
fn weights(config: &Config, model: &Installed, kernels: &Kernels) -> Finding {
    let outlook = Outlook::of(&crate::serve::setup(config), model, kernels);
    let is = format!("{} is {outlook}", model.name);
    match outlook {
        Outlook::Stays(_) => {
            warn("weights", is, "cpu_compute_type = \"f16\" (or gpu_compute_type) says that this is well")
        }
        _ => ok("weights", is),
    }
}

/// How many sessions of each model the memory is enough for.
fn memory(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    const WHAT: &str = "memory";
    let setup = crate::serve::setup(config);
    let taken = device::resident(None);
    let allowed = memory::allowed(&setup, taken);
    let look = |model: &Installed| match forecast(&setup, model, taken) {
        Ok(found) if found.sessions == found.wanted => ok(WHAT, format!("{}: {found}", model.name)),
        Ok(found) => warn(
            WHAT,
            format!("{}: {found}, {} MB are allowed", model.name, allowed >> 20),
            "a higher memory_limit_mb, more free memory or a smaller model lets more of them work at once",
        ),
        Err(short) => warn(WHAT, short.to_string(), "its jobs wait until then"),
    };
    model::installed(&config.models_dir).iter().map(look).collect()
}

/// The CPU, the build that suits it, and what that computes with.
fn whisper(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    let builds = Builds::here(config.device);
    let used = builds.used();
    if !used.about.can_use(config.device) {
        // `devices` says why, and what to do.
        return Vec::new();
    }
    let mut found = vec![ok("build", format!("the CPU is {}; {used} does the work", level::cpu_name()))];
    let slower = |why| warn("build", why, "until then the work takes longer than it could");
    found.extend(builds.passed_over().into_iter().map(slower));
    let kernels = used.about.kernels;
    let info = kernels.to_string();
    if config.device != Device::Cpu {
        // All is computed there.
        found.push(ok("whisper.cpp", info));
        return found;
    }
    if let Some(ours) = engine::ours() {
        found.push(ok("products", ours));
        // What whisper.cpp multiplies with matters on GPUs alone then.
        found.push(ok("whisper.cpp", info));
        return found;
    }
    let missing = match (kernels.are_tuned(), kernels.have_seat()) {
        (true, true) => {
            found.push(ok("whisper.cpp", info));
            return found;
        }
        (true, false) => "the seat for the fast encoder is missing",
        (false, true) => "its fast matrix kernels are missing",
        (false, false) => "its fast matrix kernels and the seat for the fast encoder are missing",
    };
    let todo = format!(
        "{missing}: build inside the repository, where .cargo/config.toml asks for them (CXXFLAGS unset)"
    );
    found.push(warn("whisper.cpp", info, todo));
    found
}

fn devices(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    let cpus = device::cpus();
    let mut text = format!("{} of {} processors usable", cpus.usable, cpus.logical);
    if let Some(memory) = device::memory() {
        let gb = |bytes: u64| bytes as f64 / GB as f64;
        text += &format!(", {:.1} of {:.1} GB memory available", gb(memory.available), gb(memory.total));
    }
    let mut found = vec![ok("machine", text)];
    let gpus = device::gpus();
    for gpu in &gpus {
        let memory = format!(
            "{:.1} of {:.1} GB free",
            gpu.memory_free as f64 / GB as f64,
            gpu.memory_total as f64 / GB as f64
        );
        found.push(ok("gpu", format!("cuda:{} is {}, {memory}", gpu.index, gpu.name)));
    }
    found.push(match config.device {
        Device::Cpu if gpus.is_empty() => ok("device", "cpu"),
        Device::Cpu if Builds::here(Device::Cuda(0)).used().about.can_use(Device::Cuda(0)) => {
            warn("device", "cpu, though there is a GPU", "--device cuda:0 is many times faster")
        }
        Device::Cpu => warn(
            "device",
            "cpu, though there is a GPU",
            "install a package with transcriptord-worker-cuda, or cargo build --release --features cuda; then --device cuda:0",
        ),
        device => {
            let builds = Builds::here(device);
            match (builds.trouble(), builds.used().about.finds(device)) {
                (Some(Trouble { what, todo }), _) => fail("device", what, format!("{todo}: jobs wait until then")),
                (None, name) => ok("device", format!("{device} is {}", name.unwrap_or("there"))),
            }
        }
    });
    found
}

fn media(_: &Config, _: Option<&Path>) -> Vec<Finding> {
    ["ffmpeg", "ffprobe"]
        .map(|name| match version(name) {
            Some(version) => ok(name, version),
            None => warn(
                name,
                "not found: media files cannot be read (what Bazarr sends, and WAV, can)",
                "install it (Debian: apt-get install ffmpeg)",
            ),
        })
        .into()
}

fn library(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    if config.library.is_empty() {
        let todo = "--library PATH, LIBRARY_PATHS or the key 'library', when there should be any";
        return vec![warn("library", "no folder: jobs by file path are refused", todo)];
    }
    let look = |path: &std::path::PathBuf| match std::fs::read_dir(path) {
        Ok(_) if writable(path) => ok("library", path.display().to_string()),
        Ok(_) => warn(
            "library",
            format!("{} cannot be written", path.display()),
            "subtitles are put beside the media: let this user write there",
        ),
        Err(e) => fail("library", format!("{}: {e}", path.display()), "check the path and who may read it"),
    };
    config.library.iter().map(look).collect()
}

fn address(config: &Config, _: Option<&Path>) -> Vec<Finding> {
    let listen = config.listen;
    if TcpStream::connect_timeout(&listen, Duration::from_secs(1)).is_err() {
        return vec![ok(
            "address",
            format!("{listen} is free: 'transcriptord serve' starts the daemon there"),
        )];
    }
    let ask = || -> Option<String> {
        let http =
            reqwest::blocking::Client::builder().timeout(Duration::from_secs(5)).no_proxy().build().ok()?;
        let answer: serde_json::Value =
            http.get(format!("http://{listen}/status")).send().ok()?.json().ok()?;
        Some(answer["version"].as_str()?.to_string())
    };
    vec![match ask() {
        Some(version) => ok("address", format!("{listen}: a daemon answers, version {version}")),
        None => fail(
            "address",
            format!("{listen} belongs to another program"),
            "end it, or give --listen ADDR:PORT",
        ),
    }]
}

/// What the program says of its version; `None` when it does not run.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("-version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next()?.split(" Copyright").next()?.to_string();
    output.status.success().then_some(first)
}

/// Whether this user may write there (access(2)); a read-only file system says no to everybody.
fn writable(path: &Path) -> bool {
    let Ok(name) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: `name` is a C string that outlives the call.
    unsafe { libc::access(name.as_ptr(), libc::W_OK) == 0 }
}
