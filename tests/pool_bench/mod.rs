//! A pool that runs in the test, on a queue of its own, with an engine that follows a script. Knows nothing of what is
//! tested.
#![allow(dead_code, reason = "each test program uses its part")]

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;
use transcriptord::clock::Manual;
use transcriptord::engine::scripted::Scripted;
use transcriptord::engine::{Ask, Engine, Error, Heard, LanguageOdds, Sound};
use transcriptord::job::{Job, JobId, JobKind, JobState, NewJob, Options, Origin, Preset, Source, Task};
use transcriptord::language::Language;
use transcriptord::model::ComputeType;
use transcriptord::pool::device;
use transcriptord::pool::hints::{self, Order};
use transcriptord::pool::seat::Seat;
use transcriptord::pool::setup::Setup;
use transcriptord::pool::weights::{self, Weights};
use transcriptord::queue::{Queue, Told};
use transcriptord::store::Store;
use transcriptord::subtitle::{Transcript, Word};

pub struct One(Scripted);

impl Weights for One {
    fn for_words(&self, _: &Job, _: &Ask, _: &AtomicBool) -> Result<Seat, weights::Error> {
        Ok(Seat::of("scripted", self.0.session()?))
    }

    fn for_languages(&self, _: &AtomicBool) -> Result<Seat, weights::Error> {
        Ok(Seat::of("scripted", self.0.session()?))
    }
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub queue: Queue,
    pub link: UnixStream,
    /// What a detection hears.
    pub odds: LanguageOdds,
    /// The queue's; it stands still.
    pub clock: Arc<Manual>,
    /// For the pools that begin from now on.
    pub ageing_ms_per_point: i64,
    pool: Option<JoinHandle<std::io::Result<()>>>,
}

impl Bench {
    pub fn start(
        workers: usize,
        concurrent: usize,
        line: impl Fn(Sound<'_>, &Ask, &AtomicBool) -> Result<Heard, Error> + Send + Sync + 'static,
    ) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/queue.db", dir.path().display())).unwrap();
        let clock = Arc::new(Manual::at(1_769_860_800_000));
        let queue = Queue::new(store, "here".into(), clock.clone());
        let odds = LanguageOdds(vec![("de".parse().unwrap(), 0.9), (Language::ENGLISH, 0.1)]);
        let link = UnixStream::pair().unwrap().0;
        let mut bench = Bench { queue, link, odds, clock, ageing_ms_per_point: 0, pool: None, dir };
        bench.begin(workers, concurrent, line);
        bench
    }

    pub fn begin(
        &mut self,
        workers: usize,
        concurrent: usize,
        line: impl Fn(Sound<'_>, &Ask, &AtomicBool) -> Result<Heard, Error> + Send + Sync + 'static,
    ) {
        self.begin_with(workers, concurrent, Arc::new(One(Scripted::new(self.odds.clone(), line))));
    }

    /// As [`Bench::begin`], with engines of the test's own.
    pub fn begin_with(&mut self, workers: usize, concurrent: usize, weights: Arc<dyn Weights>) {
        let (link, theirs) = UnixStream::pair().unwrap();
        let mut drain = link.try_clone().unwrap();
        std::thread::spawn(move || std::io::copy(&mut drain, &mut std::io::sink()));
        let setup = Setup {
            ageing_ms_per_point: self.ageing_ms_per_point,
            ..setup(self.dir.path(), workers, concurrent)
        };
        let queue = self.queue.clone();
        self.link = link;
        self.pool = Some(std::thread::spawn(move || device::run_with(setup, queue, Some(theirs), weights)));
    }

    pub fn stop(&mut self) {
        hints::send(&self.link, &Order::Stop).unwrap();
        self.pool.take().unwrap().join().unwrap().unwrap();
    }

    /// Puts sound into the spool and asks for it.
    pub fn ask(&self, name: &str, sound: &[i16], change: impl FnOnce(&mut NewJob)) -> JobId {
        let bytes: Vec<u8> = sound.iter().flat_map(|s| s.to_le_bytes()).collect();
        std::fs::write(self.dir.path().join(name), bytes).unwrap();
        let mut job = new_job(name);
        change(&mut job);
        let id = self.queue.submit(job).unwrap().id;
        hints::send(&self.link, &Order::Added).unwrap();
        id
    }

    pub fn ended(&self, id: JobId) -> Job {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(self.queue.wait(id, Duration::from_millis(20))).unwrap()
    }

    pub fn transcript(&self, id: JobId) -> Transcript {
        let job = self.ended(id);
        assert_eq!(job.state, JobState::Completed, "{:?}", job.error);
        serde_json::from_str(&self.queue.result(id).unwrap().unwrap().result).unwrap()
    }
}

/// What a pool in this folder works with.
pub fn setup(dir: &Path, workers: usize, concurrent: usize) -> Setup {
    Setup {
        device: "cpu".into(),
        node: "here".into(),
        database_url: String::new(),
        spool_dir: dir.to_owned(),
        models_dir: dir.to_owned(),
        model: None,
        compute: ComputeType::Auto,
        cache_dir: dir.to_owned(),
        workers,
        threads: 1,
        memory_limit_mb: 0,
        concurrent,
        lease_ms: 60_000,
        ageing_ms_per_point: 0,
        idle_ms: 0,
        told: Told::None,
    }
}

/// A job of the upload of this name, as a scan would ask for it.
pub fn new_job(name: &str) -> NewJob {
    NewJob {
        kind: JobKind::Transcription,
        origin: Origin::Scan,
        source: Source::Spool { hash: name.into(), raw: true },
        home: None,
        file_name: name.into(),
        task: Task::Transcribe,
        source_lang: Some(Language::ENGLISH),
        target_lang: None,
        preset: Preset::Fast,
        options: Options::default(),
        priority: 0,
        key: name.into(),
        rank: 0,
        output: None,
        max_retries: 0,
    }
}

/// Sound that the detector takes for speech: a voice-like buzz, in bursts, of so many seconds with pauses between.
pub fn speech(bursts: &[(f64, f64)]) -> Vec<i16> {
    let mut sound = Vec::new();
    for &(spoken, silent) in bursts {
        sound.extend(voice(spoken));
        sound.extend(std::iter::repeat_n(0i16, (silent * 16_000.0) as usize));
    }
    sound
}

/// Real speech is needed for the detector; espeak-ng is not everywhere, so a recording of ours made by formants:
/// a pulse train at 120 Hz through three resonances that glide between vowels.
pub fn voice(seconds: f64) -> Vec<i16> {
    let vowels =
        [[730.0, 1090.0, 2440.0], [270.0, 2290.0, 3010.0], [570.0, 840.0, 2410.0], [300.0, 870.0, 2240.0]];
    let mut state = [[0.0f64; 2]; 3];
    let (mut phase, count) = (0.0f64, (seconds * 16_000.0) as usize);
    (0..count)
        .map(|i| {
            let t = i as f64 / 16_000.0;
            let (at, part) = ((t * 5.0) as usize, (t * 5.0).fract());
            let pitch = 120.0 + 25.0 * (t * 3.1).sin();
            phase += pitch / 16_000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let syllable = (part * std::f64::consts::PI).sin().powf(0.6);
            let mut sum = 0.0;
            for (f, s) in state.iter_mut().enumerate() {
                let from = vowels[at % 4][f];
                let to = vowels[(at + 1) % 4][f];
                let (freq, width) = (from + (to - from) * part, 60.0 + 40.0 * f as f64);
                let r = (-std::f64::consts::PI * width / 16_000.0).exp();
                let y =
                    pulse + 2.0 * r * (std::f64::consts::TAU * freq / 16_000.0).cos() * s[0] - r * r * s[1];
                s[1] = s[0];
                s[0] = y;
                sum += y / (f + 1) as f64;
            }
            (sum * syllable * 1500.0).clamp(-32_000.0, 32_000.0) as i16
        })
        .collect()
}

/// One word in the middle of each stretch of speech, named by its length in tenths of a second.
pub fn say(sound: Sound<'_>) -> Heard {
    let word = |s: &std::ops::Range<i64>| Word {
        text: format!(" w{}", (s.end - s.start + 800) / 1600),
        start_ms: s.start / 16,
        end_ms: s.end / 16,
        p: 0.9,
    };
    Heard {
        words: sound.speech.iter().map(word).collect(),
        no_speech: None,
        avg_logprob: -0.1,
        listened: None,
    }
}
