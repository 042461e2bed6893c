//! From a source to windows: decode, listen, cut. Knows nothing of who decodes the words. Holds a bounded stretch of sound.

use crate::audio::windows::{Cut, Cutter, FRAME, LONGEST, PAD, Span, TimeMap};
use crate::audio::{self, Damage, Kept, Opened, PER_MS, Pcm, onset, silences};
use crate::engine::{self, voice::Voice};
use std::collections::VecDeque;
use std::ops::Range;

/// Samples read at once: one second.
const BLOCK: usize = 16_000;

/// Up to 30 s of sound to be decoded at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// From 0, in the order of time; the same for the same sound.
    pub index: u32,
    pub(super) samples: Kept,
    pub map: TimeMap,
    /// Where speech is, in samples of the file; nowhere in a silence that is doubted.
    pub speech: Vec<Span>,
}

impl Window {
    pub fn new(index: u32, samples: &[f32], map: TimeMap, speech: Vec<Span>) -> Window {
        Window { index, samples: Kept::of(samples), map, speech }
    }

    /// Its sound at 16 kHz, -1 to 1.
    pub fn samples(&self) -> Vec<f32> {
        self.samples.samples(0..self.samples.count())
    }

    /// The detector heard speech in it.
    pub fn is_spoken(&self) -> bool {
        !self.speech.is_empty()
    }

    /// Where speech is, in samples of the window.
    pub fn speech_inside(&self) -> Vec<Range<i64>> {
        self.map.to_window(&self.speech).into_iter().map(|s| s.start..s.end).collect()
    }

    /// Where it ends in the file.
    pub fn end_ms(&self) -> i64 {
        self.map.outer().end / PER_MS
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Audio(#[from] audio::Error),
    #[error(transparent)]
    Engine(#[from] engine::Error),
}

/// Gives the windows of one source, one after the other.
pub struct Reader {
    pcm: Box<dyn Pcm>,
    voice: Voice,
    cutter: Cutter,
    /// Samples of the file from `first` on.
    held: Kept,
    first: i64,
    cuts: VecDeque<Cut>,
    next_index: u32,
    ended: bool,
    /// As far as it was read.
    read: i64,
}

impl Reader {
    /// Gives windows of speech, and of silences that may hold some.
    pub fn new(opened: Opened) -> Result<Reader, Error> {
        Reader::with(opened, Cutter::doubting())
    }

    /// Gives windows of speech alone.
    pub fn of_speech(opened: Opened) -> Result<Reader, Error> {
        Reader::with(opened, Cutter::default())
    }

    fn with(opened: Opened, cutter: Cutter) -> Result<Reader, Error> {
        Ok(Reader {
            pcm: opened.pcm,
            voice: Voice::new()?,
            cutter,
            held: Kept::default(),
            first: 0,
            cuts: VecDeque::new(),
            next_index: 0,
            ended: false,
            read: 0,
        })
    }

    /// Milliseconds of sound read so far; at the end, its whole length.
    pub fn read_ms(&self) -> i64 {
        self.read / PER_MS
    }

    /// Where the sound read so far was damaged.
    pub fn damage(&self) -> Vec<Damage> {
        self.pcm.damage()
    }

    /// The next window, or `None` at the end of the sound.
    pub fn next_window(&mut self) -> Result<Option<Window>, Error> {
        loop {
            if let Some(cut) = self.cuts.pop_front() {
                return Ok(Some(self.window(cut)));
            }
            if self.ended {
                return Ok(None);
            }
            self.forget();
            self.advance()?;
        }
    }

    /// As [`Reader::next_window`], but gives up once `ms` were read without a window.
    pub fn next_within(&mut self, ms: i64) -> Result<Option<Window>, Error> {
        let end = self.read_ms() + ms;
        loop {
            if let Some(cut) = self.cuts.pop_front() {
                return Ok(Some(self.window(cut)));
            }
            if self.ended || self.read_ms() >= end {
                // What was heard so far, if only a little, is better than nothing.
                self.end()?;
                return Ok(self.cuts.pop_front().map(|cut| self.window(cut)));
            }
            self.forget();
            self.advance()?;
        }
    }

    fn advance(&mut self) -> Result<(), Error> {
        let mut block = Vec::with_capacity(BLOCK);
        if self.pcm.read(&mut block, BLOCK)? == 0 {
            return self.end();
        }
        self.read += block.len() as i64;
        self.held.extend(&block);
        let odds = self.voice.push(&block)?;
        self.cut(odds);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.ended = true;
        let odds = self.voice.finish()?;
        self.cut(odds);
        self.cuts.extend(self.cutter.finish(self.read));
        Ok(())
    }

    /// Takes the odds of the next frames; their samples are held.
    fn cut(&mut self, odds: Vec<f32>) {
        let from = (self.cutter.frames() * FRAME - self.first) as usize;
        let new = self.held.samples(from.min(self.held.count())..self.held.count());
        let levels = new.chunks(FRAME as usize).map(silences::level);
        self.cuts.extend(self.cutter.push(odds.into_iter().zip(levels)));
    }

    /// Drops the samples that no later window needs.
    fn forget(&mut self) {
        let needed = self.cutter.needed_from().clamp(self.first, self.read);
        self.held.forget((needed - self.first) as usize);
        self.first = needed;
    }

    fn window(&mut self, mut cut: Cut) -> Window {
        let mut samples = Vec::with_capacity(LONGEST as usize);
        // Whisper mishears a first word without silence before it: where the file has none, some is put there.
        if let (Some(first), Some(speech)) = (cut.pieces.first_mut(), cut.speech.first())
            && first.start == 0
        {
            first.start = (speech.start - PAD).min(0);
            samples.resize(-first.start as usize, 0.0);
        }
        for piece in &cut.pieces {
            let from = (piece.start - self.first).max(0) as usize;
            let to = ((piece.end - self.first).max(0) as usize).min(self.held.count());
            samples.extend(self.held.samples(from.min(to)..to));
        }
        let index = self.next_index;
        self.next_index += 1;
        let map = TimeMap::new(cut.pieces);
        let speech = refined(&samples, &map, cut.speech);
        Window::new(index, &samples, map, speech)
    }
}

/// Stretches of speech with their starts where the sound begins.
fn refined(samples: &[f32], map: &TimeMap, speech: Vec<Span>) -> Vec<Span> {
    // Silence before the file's beginning is none of its own.
    let mut behind = (-map.outer().start).max(0);
    let refine = |span: Span| {
        // Inside its piece a stretch is one stretch of the window too, and starts are moved by as much.
        let Some(inside) = map.to_window(&[span]).into_iter().next() else { return span };
        let start = span.start - (inside.start - onset::refine(samples, inside, behind));
        behind = inside.end;
        Span { start, ..span }
    };
    speech.into_iter().map(refine).collect()
}
