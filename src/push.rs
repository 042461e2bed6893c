//! Push mode: asks Bazarr what it misses, has it made, hands it back. Knows neither HTTP nor how subtitles are made.
//!
//! Invariant: what was tried is remembered by the file as it is (path, size, time) and the language, so that no restart
//! and no failure leads to the same work twice in a row.

mod marks;
mod plan;

use crate::bazarr::{self, Bazarr, Id, Missing, Shelf};
use crate::clock::{Clock, Millis};
use crate::job::{JobId, JobState, Options, Preset, Task};
use crate::language::Language;
use crate::library::Library;
use crate::queue::{self, Queue};
use crate::subtitle::{Transcript, srt};
use marks::Marks;
use plan::Film;
use std::sync::Arc;
use std::time::Duration;

/// Jobs under way for Bazarr's lists at once.
const LIVE: usize = 4;
/// Videos asked for at once.
const PAGE: usize = 50;
/// A list longer than this is not read to its end.
const PAGES: usize = 1000;
/// How often jobs under way are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Pauses after a failed question, doubled each time.
const FIRST_PAUSE_MS: Millis = 60_000;
const LONGEST_PAUSE_MS: Millis = 3_600_000;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Bazarr(#[from] bazarr::Error),
    #[error(transparent)]
    Queue(#[from] queue::Error),
}

/// What push mode is told.
pub struct Settings {
    /// Nothing outside it is read.
    pub library: Library,
    pub preset: Preset,
    /// What each job is asked with.
    pub options: Options,
    /// Whisper is told the film's title and names too.
    pub prompt_from_title: bool,
    pub max_retries: u32,
    /// Between two questions.
    pub interval: Duration,
    /// The rank of a result (model and preset as one number) for `NewJob::rank`.
    pub rank: Rank,
}

/// Chooses a result's rank.
pub type Rank = Arc<dyn Fn(Preset, Task, Option<Language>) -> i64 + Send + Sync>;

/// A subtitle that is being made.
struct Live {
    job: JobId,
    id: Id,
    missing: Missing,
    language: Language,
    mark: String,
    name: String,
}

/// Push mode between two rounds.
pub struct Push {
    bazarr: Bazarr,
    queue: Queue,
    settings: Settings,
    live: Vec<Live>,
    ask_at: Millis,
    /// Questions that failed in a row.
    failed: u32,
    /// Wanted videos that are not in the library, at the last look.
    elsewhere: usize,
}

/// Pushes in a thread of its own as long as the process lives.
pub fn start(mut push: Push, clock: Arc<dyn Clock>) -> std::io::Result<()> {
    let keep_pushing = move || {
        loop {
            std::thread::sleep(push.round(clock.now()));
        }
    };
    std::thread::Builder::new().name("push".into()).spawn(keep_pushing)?;
    Ok(())
}

impl Push {
    pub fn new(bazarr: Bazarr, queue: Queue, settings: Settings) -> Push {
        Push { bazarr, queue, settings, live: Vec::new(), ask_at: Millis::MIN, failed: 0, elsewhere: 0 }
    }

    /// Hands back what is done, and asks for more when it is time to. Gives the time until the next round.
    pub fn round(&mut self, now: Millis) -> Duration {
        let room = self.hand_back(now);
        if now >= self.ask_at || (room && self.failed == 0) {
            match self.look(now) {
                Ok(()) => {
                    self.failed = 0;
                    self.ask_at = now.saturating_add(self.settings.interval.as_millis() as Millis);
                }
                Err(e) => {
                    let pause = (FIRST_PAUSE_MS << self.failed.min(6)).min(LONGEST_PAUSE_MS);
                    log::warn!("push: {e}; asked again in {} min", pause / 60_000);
                    self.failed += 1;
                    self.ask_at = now.saturating_add(pause);
                }
            }
        }
        let wait = Duration::from_millis(self.ask_at.saturating_sub(now).max(1) as u64);
        if self.live.is_empty() { wait } else { wait.min(LOOK) }
    }

    /// Ends what has ended. True when there is room for more.
    fn hand_back(&mut self, now: Millis) -> bool {
        let before = self.live.len();
        for live in std::mem::take(&mut self.live) {
            match self.settle(&live, now) {
                Ok(true) => {}
                Ok(false) => self.live.push(live),
                Err(e) => {
                    log::warn!("push: {}: {e}", live.name);
                    self.postpone(&live, now);
                }
            }
        }
        self.live.len() < before
    }

    /// True: it is done with, however it went.
    fn settle(&self, live: &Live, now: Millis) -> Result<bool, Error> {
        let job = match self.queue.get(live.job)? {
            Some(job) if !job.state.is_end() => return Ok(false),
            Some(job) if job.state == JobState::Completed => job,
            // Failed, cancelled or cleared: the job itself says why.
            _ => {
                self.postpone(live, now);
                return Ok(true);
            }
        };
        let stored = self.queue.result(job.id)?;
        let transcript = stored.and_then(|s| serde_json::from_str::<Transcript>(&s.result).ok());
        let fits = |t: &Transcript| t.language == live.language && !t.cues.is_empty();
        let Some(transcript) = transcript.filter(fits) else {
            log::info!("push: {}: nothing is said in {}", live.name, live.language.english_name());
            Marks(&self.queue).vain(&live.mark, now)?;
            return Ok(true);
        };
        if !self.is_wanted(live)? {
            return Ok(true);
        }
        let text = srt::render(&transcript.cues, job.options.word_highlight.into());
        self.bazarr.upload(live.id, &live.missing.code2, live.missing.hi, &text)?;
        if self.is_wanted(live)? {
            log::warn!("push: {}: Bazarr took the subtitle but still lists it as missing", live.name);
            self.postpone(live, now);
        } else {
            log::info!("push: {}: Bazarr has its {} subtitle", live.name, live.language.english_name());
            Marks(&self.queue).done(&live.mark, now)?;
        }
        Ok(true)
    }

    fn postpone(&self, live: &Live, now: Millis) {
        if let Err(e) = Marks(&self.queue).failed(&live.mark, now) {
            log::warn!("push: {}: {e}", live.name);
        }
    }

    fn is_wanted(&self, live: &Live) -> Result<bool, Error> {
        for page in 0..PAGES {
            let wanted = self.bazarr.wanted(live.id.shelf(), page * PAGE, PAGE)?;
            if let Some(video) = wanted.iter().find(|w| w.id == live.id) {
                return Ok(video.missing.contains(&live.missing));
            }
            if wanted.len() < PAGE {
                break;
            }
        }
        Ok(false)
    }

    /// Reads what is wanted, and has it made as far as there is room.
    fn look(&mut self, now: Millis) -> Result<(), Error> {
        let mut elsewhere = 0;
        for shelf in Shelf::ALL {
            for page in 0..PAGES {
                if self.live.len() >= LIVE {
                    return Ok(());
                }
                let wanted = self.bazarr.wanted(shelf, page * PAGE, PAGE)?;
                let ids: Vec<Id> = wanted.iter().map(|w| w.id).collect();
                let videos =
                    if ids.is_empty() { Default::default() } else { self.bazarr.videos(shelf, &ids)? };
                for video in &wanted {
                    let Some(facts) = videos.get(&video.id) else { continue };
                    match Film::find(&self.settings.library, facts) {
                        Some(film) => self.make(video.id, &video.missing, &film, now)?,
                        None => elsewhere += 1,
                    }
                }
                if wanted.len() < PAGE {
                    break;
                }
            }
        }
        if elsewhere > self.elsewhere {
            log::warn!(
                "push: {elsewhere} videos that Bazarr wants subtitles for are not in the library here: check library and \
                 path_mapping_from"
            );
        }
        self.elsewhere = elsewhere;
        Ok(())
    }

    fn make(&mut self, id: Id, missing: &[Missing], film: &Film, now: Millis) -> Result<(), Error> {
        for wish in plan::wishes(missing) {
            if self.live.len() >= LIVE {
                return Ok(());
            }
            let Ok(language) = wish.code2.parse::<Language>() else { continue };
            let Some(job) = film.job(language, &self.settings) else { continue };
            let mark = film.mark(wish);
            let under_way = self.live.iter().any(|live| live.mark == mark);
            if under_way || !Marks(&self.queue).free(&mark, now)? {
                continue;
            }
            let name = job.file_name.clone();
            let job = self.queue.submit(job)?.id;
            self.live.push(Live { job, id, missing: wish.clone(), language, mark, name });
        }
        Ok(())
    }
}
