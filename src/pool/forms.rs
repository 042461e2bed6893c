//! Which form of a model a device works with: what is missing is made from f16, and compared with f16 before it is used.
//! Knows nothing of jobs or sessions.

use super::admission::Candidate;
use super::residents::Residents;
use super::setup::Setup;
use super::weights::open;
use crate::device;
use crate::engine::{Kernels, whisper};
use crate::model::{Ending, Form, Installed, Standing, WeightType};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Larger f16 files are made into another form beside the work; up to `small` it takes seconds, and jobs wait for it.
const AT_ONCE: u64 = 640 << 20;
/// So much of the disk stays free: jobs and uploads need it more.
const SPARED: u64 = 512 << 20;

/// The type that a device's weights are wanted in. `auto`: f16 on a GPU. On CPU q8_0: our encoder takes every type
/// alike, and the decoder's steps take as long as the weights take to read (3.3 ms with q8_0, 3.7 with q5_1, 4.8 with
/// f16 for `base`). In a build without our encoder bf16, where it is multiplied by the CPU.
pub fn wanted(setup: &Setup, kernels: &Kernels) -> WeightType {
    setup.compute.wanted(match setup.gpu() {
        Some(_) => WeightType::F16,
        None if !whisper::is_own(false) && kernels.multiply_bf16() && !kernels.have_seat() => {
            WeightType::Bf16
        }
        None => WeightType::Q8_0,
    })
}

/// How far from f16 a form may be: above what storing it so costs (measured with `base`: bf16 0.03, q8_0 0.07, q5_1
/// 0.45), below what kernels that are 0.13 off in every product make of it (0.9).
fn tolerated(weights: WeightType) -> f32 {
    if weights == WeightType::Q5_1 { 0.7 } else { 0.3 }
}

/// What a model will be used as, without touching anything.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// As it lies there.
    AsIs(WeightType),
    /// In a form that is there and agrees with f16: so far apart.
    Ready(WeightType, f32),
    /// In a form that is made, or compared with f16, at the first use.
    Comes(WeightType),
    /// As f16, because the form wanted is not to be trusted.
    Stays(String),
}

impl Outlook {
    /// `kernels`: of the build that does the work, which may be another than this program.
    pub fn of(setup: &Setup, model: &Installed, kernels: &Kernels) -> Outlook {
        let wanted = wanted(setup, kernels);
        if model.header.ftype != WeightType::F16 || wanted == WeightType::F16 {
            return Outlook::AsIs(model.header.ftype);
        }
        match Form::of(&setup.cache_dir, model, wanted) {
            Ok(form) => match form.standing(&here(setup, kernels)) {
                Standing::Agrees(apart) => Outlook::Ready(wanted, apart),
                Standing::Refused(why) => Outlook::Stays(why),
                Standing::Missing | Standing::Unproved => Outlook::Comes(wanted),
            },
            Err(e) => Outlook::Stays(e.to_string()),
        }
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outlook::AsIs(weights) => write!(f, "used as {weights}"),
            Outlook::Ready(weights, apart) => write!(f, "used as {weights} ({apart:.2} apart from f16)"),
            Outlook::Comes(weights) => write!(f, "made into {weights} at its first use"),
            Outlook::Stays(why) => write!(f, "used as f16: {why}"),
        }
    }
}

/// The CPU (or GPU) and the build with these kernels, for which a verdict holds.
fn here(setup: &Setup, kernels: &Kernels) -> String {
    let gpu = |index: u32| device::gpus().into_iter().find(|g| g.index == index).map(|g| g.name);
    let gpu = setup.gpu().and_then(gpu).unwrap_or_default();
    let build = blake3::hash(kernels.to_string().as_bytes());
    let version = env!("CARGO_PKG_VERSION");
    format!("{}, {version} {}, {} {gpu}", device::cpu_mark(), &build.to_hex()[..8], setup.device)
}

/// The forms of one device's models.
pub struct Forms {
    dir: PathBuf,
    gpu: Option<u32>,
    on: String,
    at_once: u64,
    /// Where a comparison borrows its memory.
    residents: Arc<Residents>,
    settled: Mutex<HashMap<(PathBuf, WeightType), Settled>>,
    /// Held while an engine compares forms: the process must not end then.
    comparing: Mutex<()>,
    ending: AtomicBool,
}

enum Settled {
    Use(Installed),
    /// It cannot be had: f16.
    Stay,
    /// It is being made: f16 until then.
    Coming,
}

impl Forms {
    pub fn new(setup: &Setup, residents: Arc<Residents>) -> Arc<Forms> {
        Arc::new(Forms {
            residents,
            dir: setup.cache_dir.clone(),
            gpu: setup.gpu(),
            on: here(setup, &Kernels::here()),
            at_once: AT_ONCE,
            settled: Mutex::default(),
            comparing: Mutex::default(),
            ending: AtomicBool::new(false),
        })
    }

    /// What to load for `model` when `wanted` is the type: the model itself where nothing else is to be had (yet).
    ///
    /// Blocks for some seconds when a form has to be made of a small model; others are made in the background.
    pub fn of(self: &Arc<Forms>, model: &Installed, wanted: WeightType) -> Installed {
        if model.header.ftype != WeightType::F16 || wanted == WeightType::F16 {
            return model.clone();
        }
        let key = (model.path.clone(), wanted);
        let mut settled = lock(&self.settled);
        if !settled.contains_key(&key) {
            let now = if model.bytes <= self.at_once || self.is_ready(model, wanted) {
                self.settle(model, wanted)
            } else {
                self.settle_later(model, wanted)
            };
            settled.insert(key.clone(), now);
        }
        match settled.get(&key) {
            Some(Settled::Use(form)) => form.clone(),
            _ => model.clone(),
        }
    }

    /// The form itself, made and compared now if it is not yet, however long that takes. `None`: it is not to be had.
    pub fn now(&self, model: &Installed, wanted: WeightType) -> Option<Installed> {
        let mut settled = lock(&self.settled);
        let now = settled.entry((model.path.clone(), wanted)).or_insert_with(|| self.settle(model, wanted));
        match now {
            Settled::Use(form) => Some(form.clone()),
            Settled::Stay | Settled::Coming => None,
        }
    }

    /// Whether the form is there and compared.
    pub fn is_ready(&self, model: &Installed, wanted: WeightType) -> bool {
        let form = Form::of(&self.dir, model, wanted);
        form.is_ok_and(|form| matches!(form.standing(&self.on), Standing::Agrees(_)) && form.made().is_ok())
    }

    /// Waits until the process may end.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
        drop(lock(&self.comparing));
    }

    fn settle(&self, model: &Installed, wanted: WeightType) -> Settled {
        match self.prepare(model, wanted) {
            Ok(form) => Settled::Use(form),
            Err(why) => {
                log::warn!("{} is used as f16: {why}", model.name);
                Settled::Stay
            }
        }
    }

    fn settle_later(self: &Arc<Forms>, model: &Installed, wanted: WeightType) -> Settled {
        log::info!("{} is used as f16 until its {wanted} form is made", model.name);
        let (forms, model) = (self.clone(), model.clone());
        let making = std::thread::Builder::new().name("forms".into()).spawn(move || {
            let found = forms.settle(&model, wanted);
            lock(&forms.settled).insert((model.path, wanted), found);
        });
        match making {
            Ok(_) => Settled::Coming,
            Err(e) => {
                log::warn!("no thread to make a form with: {e}");
                Settled::Stay
            }
        }
    }

    /// The form, made and compared if it is not yet. Fails with the end of a sentence.
    fn prepare(&self, model: &Installed, wanted: WeightType) -> Result<Installed, String> {
        let told = |e: crate::model::Error| e.to_string();
        let form = Form::of(&self.dir, model, wanted).map_err(told)?;
        let standing = form.standing(&self.on);
        if let Standing::Refused(why) = standing {
            return Err(why);
        }
        if standing == Standing::Missing || form.made().is_err() {
            room(&self.dir, model.bytes_as(wanted))?;
            let begun = Instant::now();
            form.make().map_err(told)?;
            let (name, dir) = (&form.name, self.dir.display());
            log::info!("{name} made of {} in {:.1} s, in {dir}", model.name, begun.elapsed().as_secs_f32());
        }
        if !matches!(standing, Standing::Agrees(_)) {
            self.compare(model, &form)?;
        }
        form.made().map_err(told)
    }

    fn compare(&self, model: &Installed, form: &Form) -> Result<(), String> {
        let _comparing = lock(&self.comparing);
        let bytes = Candidate::made(model, form.weights, self.gpu.is_some()).trial_bytes(self.gpu.is_some());
        let lent = self.residents.lend(&model.name, bytes).map_err(|e| e.to_string())?;
        if self.ending.load(Ordering::Relaxed) {
            return Err("the process ends".into());
        }
        form.begin_trial(&self.on).map_err(|e| e.to_string())?;
        let apart = self.apart(&model.path, &form.path);
        drop(lent);
        let most = tolerated(form.weights);
        let ending = match apart {
            // A number that is none is no agreement.
            Ok(apart) => Ending::Compared { apart, agrees: apart <= most },
            Err(_) => Ending::Open,
        };
        form.end_trial(&self.on, ending).map_err(|e| e.to_string())?;
        let apart = apart.map_err(|e| e.to_string())?;
        if apart <= most {
            log::info!("{} agrees with f16 here: {apart:.2} apart, {most} at most", form.name);
            return Ok(());
        }
        Err(format!("{} is {apart:.2} apart from f16 on this CPU, {most} at most", form.name))
    }

    /// One after the other: both in memory at once might be too much.
    fn apart(&self, f16: &Path, form: &Path) -> Result<f32, super::weights::Error> {
        let place = whisper::Place { gpu: self.gpu, threads: device::cores() };
        let first = open(f16, &place)?.trial(None)?;
        let second = open(form, &place)?.trial(Some(&first))?;
        Ok(first.apart(&second))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails when the folder's disk would be too full with so many bytes more.
fn room(dir: &Path, bytes: u64) -> Result<(), String> {
    let there = dir.ancestors().find(|path| path.exists()).unwrap_or(dir);
    match device::free_bytes(there) {
        Some(free) if free < bytes + SPARED => {
            let mb = |bytes: u64| bytes / 1_000_000;
            let (free, needed, dir) = (mb(free), mb(bytes + SPARED), dir.display());
            Err(format!(
                "{dir} has {free} MB free, and {needed} MB are needed (cache_dir names another folder)"
            ))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, Forms, Installed, Kernels, Outlook, Path, Residents, SPARED, Setup, room, tolerated};
    use crate::model::{ComputeType, WeightType, find, samples};
    use crate::pool::setup::tests::setup;

    fn unlimited() -> Arc<Residents> {
        Residents::new(0, Box::new(|_| u64::MAX))
    }

    /// A model of one layer, and a pool that wants it as q8_0.
    fn small(dir: &Path) -> (Installed, Setup) {
        samples::write_filled(&dir.join("ggml-mine.bin"), &samples::sample(WeightType::F16));
        let compute = ComputeType::Fixed(WeightType::Q8_0);
        let setup = Setup { compute, cache_dir: dir.join("cache"), ..setup("cpu", 0, 0) };
        (find(dir, "mine").unwrap(), setup)
    }

    #[test]
    fn a_large_model_works_as_f16_until_its_form_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (model, setup) = small(dir.path());
        let mut forms = Forms::new(&setup, unlimited());
        Arc::get_mut(&mut forms).unwrap().at_once = 0;
        let wanted = WeightType::Q8_0;
        assert_eq!(forms.of(&model, wanted), model);
        while forms.of(&model, wanted) == model {
            std::thread::yield_now();
        }
        assert_eq!(forms.of(&model, wanted).header.ftype, wanted);
        let Outlook::Ready(_, apart) = Outlook::of(&setup, &model, &Kernels::here()) else {
            panic!("it is not there")
        };
        assert!(apart > 0.0 && apart < 0.3, "{apart}");
        forms.end();
        // Another build on the same CPU has other kernels, and a verdict of its own to reach.
        let others: Kernels = serde_json::from_str("\"AVX = 1 | COREML = 1 |\"").unwrap();
        assert_eq!(Outlook::of(&setup, &model, &others), Outlook::Comes(wanted));
        // The next process finds it ready.
        assert_eq!(Forms::new(&setup, unlimited()).of(&model, wanted).header.ftype, wanted);
    }

    #[test]
    fn a_gpu_keeps_f16_and_a_fixed_type_wins() {
        let check = |device, compute: &str, expected| {
            let setup = Setup { compute: compute.parse().unwrap(), ..setup(device, 0, 0) };
            assert_eq!(super::wanted(&setup, &Kernels::here()), expected);
        };
        check("cuda:0", "auto", WeightType::F16);
        check("cuda:0", "q8_0", WeightType::Q8_0);
        check("cpu", "q5_1", WeightType::Q5_1);
        let here = Kernels::here();
        let bf16 = !crate::engine::whisper::is_own(false) && here.multiply_bf16() && !here.have_seat();
        check("cpu", "auto", if bf16 { WeightType::Bf16 } else { WeightType::Q8_0 });
    }

    #[test]
    fn a_full_disk_is_told_before_it_is_full() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(room(&dir.path().join("none/yet"), 1), Ok(()));
        let why = room(dir.path(), u64::MAX - SPARED).unwrap_err();
        assert!(why.contains("MB free") && why.contains("cache_dir"), "{why}");
    }

    #[test]
    fn no_type_tolerates_what_wrong_kernels_make() {
        for weights in [WeightType::Bf16, WeightType::Q8_0, WeightType::Q5_1] {
            assert!(tolerated(weights) < 0.9);
        }
    }

    #[test]
    fn a_model_that_is_no_longer_there_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let (model, setup) = small(dir.path());
        let outlook = || Outlook::of(&setup, &model, &Kernels::here());
        assert_eq!(outlook(), Outlook::Comes(WeightType::Q8_0));
        std::fs::remove_file(&model.path).unwrap();
        assert!(matches!(outlook(), Outlook::Stays(_)));
        assert_eq!(Forms::new(&setup, unlimited()).of(&model, WeightType::Q8_0), model);
        assert!(!setup.cache_dir.exists());
    }
}
