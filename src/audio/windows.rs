//! Cuts sound at silences into windows of at most 30 s and maps their time back. Pure: takes speech odds,
//! knows nothing of detectors, files or Whisper.
//!
//! Odds become *segments* of speech (hysteresis); segments, with a little silence around each, become the
//! *pieces* of a window; long silences between pieces are left out, so that they are never decoded. The
//! same odds always give the same windows, whatever blocks they come in: checkpoints rely on it.

use super::PER_MS;
use super::silences::Silences;

/// Samples for one value of the detector: 32 ms at 16 kHz.
pub const FRAME: i64 = 512;

/// The longest window, in samples: 29.3 s leaves Whisper's 30 s some silence at the end.
pub const LONGEST: i64 = 29_300 * PER_MS;

/// Speech begins at these odds and ends below `OFF` (scaled sound: engine-speed measurements).
const ON: f32 = 0.35;
const OFF: f32 = 0.2;
/// A dip shorter than this does not end a segment, in frames.
const DIP: i64 = 3;
/// A segment is kept from 8 frames (256 ms), or from 4 when the detector is sure.
const SHORT: i64 = 8;
const SHORT_SURE: i64 = 4;
const SURE: f32 = 0.8;
/// Silence kept around a piece, in samples.
pub const PAD: i64 = 300 * PER_MS;
/// A silence up to this length stays whole inside a piece.
const KEEP: i64 = 1_000 * PER_MS;
/// From this silence on a window that has some length is closed.
const PART: i64 = 4_000 * PER_MS;
const PART_FROM: i64 = 6_000 * PER_MS;
/// From this silence on, or over this time from first to last, any window is closed: bounds what is held.
const FAR: i64 = 20_000 * PER_MS;
const SPREAD: i64 = 120_000 * PER_MS;
/// A full window is not cut before this point.
const CUT_FROM: i64 = 12_000 * PER_MS;

/// A stretch of samples, `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: i64,
    pub end: i64,
}

impl Span {
    pub fn len(self) -> i64 {
        self.end - self.start
    }

    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }
}

/// What a window is made of, in samples of the file, ascending and apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub pieces: Vec<Span>,
    /// Where the detector heard speech; nowhere: a silence that is doubted.
    pub speech: Vec<Span>,
}

/// Turns odds, as they come, into cuts.
#[derive(Debug, Default)]
pub struct Cutter {
    /// Frames seen.
    frames: i64,
    /// The segment being heard: first frame, frames below `OFF` in a row, highest odds.
    open: Option<(i64, i64, f32)>,
    /// Odds of the open segment's frames, to cut speech that never pauses.
    odds: Vec<f32>,
    /// Segments not yet in a window.
    held: Vec<Span>,
    /// End of the last segment handed out: the next window's padding stays behind it.
    behind: i64,
    /// Where silences are doubted: windows without speech are given too.
    silences: Option<Silences>,
}

impl Cutter {
    /// A cutter that gives long silences too that may hold speech after all, as windows of their own.
    pub fn doubting() -> Cutter {
        Cutter { silences: Some(Silences::default()), ..Cutter::default() }
    }

    /// Frames taken so far.
    pub fn frames(&self) -> i64 {
        self.frames
    }

    /// Takes the next frames as odds and level (in dB) and gives the windows that are complete, in the order of time.
    pub fn push(&mut self, frames: impl IntoIterator<Item = (f32, f32)>) -> Vec<Cut> {
        let mut cuts = Vec::new();
        for (odds, level) in frames {
            if let Some(silences) = &mut self.silences {
                silences.push(odds, level);
            }
            self.hear(odds, &mut cuts);
            self.frames += 1;
            let part = self.silences.as_mut().filter(|_| self.open.is_none()).and_then(Silences::part);
            self.doubt(part, &mut cuts);
        }
        cuts
    }

    /// The last windows, when the sound has ended after `samples`.
    pub fn finish(&mut self, samples: i64) -> Vec<Cut> {
        let mut cuts = Vec::new();
        if let Some((first, dip, best)) = self.open.take() {
            self.close(first, self.frames - dip, best, &mut cuts);
        }
        let last = self.silences.as_mut().and_then(Silences::finish);
        self.doubt(last, &mut cuts);
        self.flush(i64::MAX, &mut cuts);
        for cut in &mut cuts {
            for span in cut.pieces.iter_mut().chain(&mut cut.speech) {
                span.end = span.end.min(samples);
            }
            cut.pieces.retain(|s| !s.is_empty());
            cut.speech.retain(|s| !s.is_empty());
        }
        cuts.retain(|cut| !cut.pieces.is_empty());
        cuts
    }

    /// Samples before this one are in no later window.
    pub fn needed_from(&self) -> i64 {
        let earliest = match (self.held.first(), self.open) {
            (Some(span), _) => span.start,
            (None, Some((first, ..))) => first * FRAME,
            (None, None) => self.frames * FRAME,
        };
        let doubted = self.silences.as_ref().map_or(i64::MAX, |s| s.needed_from() * FRAME);
        (earliest - PAD).min(doubted).max(0)
    }

    fn hear(&mut self, p: f32, cuts: &mut Vec<Cut>) {
        let now = self.frames;
        match &mut self.open {
            None if p >= ON => {
                self.open = Some((now, 0, p));
                self.odds.clear();
                self.odds.push(p);
            }
            None => {}
            Some((first, dip, best)) => {
                *best = best.max(p);
                *dip = if p < OFF { *dip + 1 } else { 0 };
                self.odds.push(p);
                let (first, dip, best) = (*first, *dip, *best);
                if dip >= DIP {
                    self.open = None;
                    self.close(first, now + 1 - dip, best, cuts);
                } else if (now + 1 - first) * FRAME >= LONGEST - 2 * PAD {
                    self.cut_unbroken(first, cuts);
                }
            }
        }
    }

    /// Speech without a pause has filled a window: it is parted where the odds are lowest.
    fn cut_unbroken(&mut self, first: i64, cuts: &mut Vec<Cut>) {
        let from = (CUT_FROM / FRAME) as usize;
        let lowest = (from..self.odds.len()).rev().min_by(|&a, &b| self.odds[a].total_cmp(&self.odds[b]));
        let at = lowest.unwrap_or(self.odds.len() - 1).max(1);
        let rest = self.odds.split_off(at);
        let best = self.odds.iter().copied().fold(0.0, f32::max);
        self.odds = rest;
        self.close(first, first + at as i64, best, cuts);
        let best = self.odds.iter().copied().fold(0.0, f32::max);
        self.open = Some((first + at as i64, 0, best));
    }

    /// Takes a finished segment, in frames.
    fn close(&mut self, first: i64, end: i64, best: f32, cuts: &mut Vec<Cut>) {
        let frames = end - first;
        if frames < SHORT_SURE || (frames < SHORT && best < SURE) {
            return;
        }
        let span = Span { start: first * FRAME, end: end * FRAME };
        let before = self.silences.as_mut().and_then(|s| s.speech(first, end));
        self.doubt(before, cuts);
        if let (Some(head), Some(last)) = (self.held.first(), self.held.last()) {
            let silence = span.start - last.end;
            let content = length(&pieces(&self.held, self.behind, i64::MAX));
            let part = silence >= PART && content >= PART_FROM;
            if part || silence >= FAR || span.end - head.start > SPREAD {
                self.flush(span.start, cuts);
            }
        }
        self.held.push(span);
        while length(&pieces(&self.held, self.behind, i64::MAX)) > LONGEST && self.held.len() > 1 {
            let count = self.best_cut();
            let rest = self.held.split_off(count);
            let head = std::mem::replace(&mut self.held, rest);
            let next = self.held.first().map_or(i64::MAX, |s| s.start);
            cuts.push(self.hand_out(&head, next));
        }
    }

    /// How many of the held segments make the best window: cut at the longest silence of its later part.
    fn best_cut(&self) -> usize {
        let silence = |i: usize| self.held[i].start - self.held[i - 1].end;
        let content = |i: usize| length(&pieces(&self.held[..i], self.behind, self.held[i].start));
        let fits: Vec<usize> = (1..self.held.len()).filter(|&i| content(i) <= LONGEST).collect();
        let late = fits.iter().copied().filter(|&i| content(i) >= CUT_FROM);
        // A longer silence is worth more than a fuller window, up to a second and a half.
        let worth = |i: usize| silence(i).min(1_500 * PER_MS) * 8 + content(i) / 8;
        late.max_by_key(|&i| worth(i)).or(fits.last().copied()).unwrap_or(1)
    }

    /// A silence is a window of its own, after what was said before it.
    fn doubt(&mut self, silence: Option<Span>, cuts: &mut Vec<Cut>) {
        let Some(silence) = silence else { return };
        self.flush(silence.start, cuts);
        cuts.push(Cut { pieces: vec![silence], speech: Vec::new() });
        self.behind = silence.end;
    }

    /// Makes a window of all that is held; what comes next starts at `next`.
    fn flush(&mut self, next: i64, cuts: &mut Vec<Cut>) {
        if !self.held.is_empty() {
            let all = std::mem::take(&mut self.held);
            cuts.push(self.hand_out(&all, next));
        }
    }

    fn hand_out(&mut self, segments: &[Span], next: i64) -> Cut {
        let cut = Cut { pieces: pieces(segments, self.behind, next), speech: segments.to_vec() };
        self.behind = segments.last().map_or(self.behind, |s| s.end);
        cut
    }
}

fn length(pieces: &[Span]) -> i64 {
    pieces.iter().map(|p| p.len()).sum()
}

/// Segments with silence around them; never into the speech `before` or from `after` on.
fn pieces(segments: &[Span], before: i64, after: i64) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::new();
    for (i, segment) in segments.iter().enumerate() {
        let floor = if i == 0 { before } else { segments[i - 1].end };
        let ceiling = segments.get(i + 1).map_or(after, |next| next.start);
        // Between two windows the silence is shared, so that no sound is decoded twice.
        let is_shared = i == 0 && floor > 0;
        let room_before = (segment.start - floor) / if is_shared { 2 } else { 1 };
        let room_after =
            if i + 1 == segments.len() { (ceiling - segment.end) / 2 } else { ceiling - segment.end };
        let padded =
            Span { start: segment.start - PAD.min(room_before), end: segment.end + PAD.min(room_after) };
        match out.last_mut() {
            Some(last) if i > 0 && segment.start - segments[i - 1].end <= KEEP => last.end = padded.end,
            _ => out.push(padded),
        }
    }
    out
}

/// Time in a window to time in the file: one to one inside each piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeMap {
    pieces: Vec<Span>,
}

impl TimeMap {
    pub fn new(pieces: Vec<Span>) -> TimeMap {
        TimeMap { pieces }
    }

    /// Samples in the window.
    pub fn len(&self) -> i64 {
        length(&self.pieces)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// First and last sample of the file.
    pub fn outer(&self) -> Span {
        Span {
            start: self.pieces.first().map_or(0, |p| p.start),
            end: self.pieces.last().map_or(0, |p| p.end),
        }
    }

    /// A stretch of the window as the stretch of the file where most of it lies: a word that the decoder
    /// stretched over a left-out silence is given the piece that it fills most.
    pub fn to_file(&self, span: Span) -> Span {
        let mut offset = 0;
        let mut best: Option<(i64, Span)> = None;
        for piece in &self.pieces {
            let inside = Span {
                start: span.start.clamp(offset, offset + piece.len()),
                end: span.end.clamp(offset, offset + piece.len()),
            };
            let shift = piece.start - offset;
            let mapped = Span { start: inside.start + shift, end: inside.end + shift };
            // For a point (an empty span) the piece that holds it counts as one sample.
            let holds = span.start >= offset && span.start < offset + piece.len();
            let share = mapped.len().max(i64::from(holds));
            if best.is_none_or(|(most, _)| share > most) {
                best = Some((share, mapped));
            }
            offset += piece.len();
        }
        best.map_or(span, |(_, mapped)| mapped)
    }

    /// Stretches of the file as stretches of the window; what is in no piece is left out.
    pub fn to_window(&self, spans: &[Span]) -> Vec<Span> {
        let mut out = Vec::new();
        let mut offset = 0;
        for piece in &self.pieces {
            for span in spans {
                let common = Span { start: span.start.max(piece.start), end: span.end.min(piece.end) };
                if !common.is_empty() {
                    let shift = offset - piece.start;
                    out.push(Span { start: common.start + shift, end: common.end + shift });
                }
            }
            offset += piece.len();
        }
        out
    }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
