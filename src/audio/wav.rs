//! WAV files without ffmpeg: hound reads, rubato resamples. Knows nothing of other containers.

use super::{Error, Pcm, RATE, mix};
use hound::{SampleFormat, WavReader, WavSpec};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Frames that go through the resampler at once.
const CHUNK: usize = 4096;
/// Sample rates that our resampler is given: its tables grow with the rate, and a header may say anything.
const RATES: RangeInclusive<u32> = 1_000..=768_000;

/// A WAV file, mixed down to mono and brought to 16 kHz.
pub struct Wav {
    reader: WavReader<BufReader<File>>,
    path: PathBuf,
    /// The part of each channel in the sum.
    weights: Vec<f32>,
    /// Of two channels.
    pair: Option<mix::Pair>,
    /// 1 over the largest value of an integer sample; 1 for floats.
    scale: f32,
    float: bool,
    resampler: Option<Resampled>,
}

struct Resampled {
    fft: Fft<f32>,
    ready: Vec<f32>,
    /// Samples at the head of the output that are the filter's delay, still to be dropped.
    delay: usize,
    /// Samples that the whole file gives, still to come.
    left: usize,
    /// Frames taken, and samples given, so far.
    taken: usize,
    given: usize,
    ended: bool,
}

/// Opens a RIFF/WAVE file that our reader understands at `start_ms`, with its whole length in milliseconds.
///
/// `None` when it is something else (another container, a compressed WAV): that is ffmpeg's. Fails for a rate below all
/// sound: a few bytes would be days of it.
pub fn open(path: &Path, start_ms: i64) -> Result<Option<(Wav, i64)>, Error> {
    let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut head = [0u8; 12];
    let read = file.read(&mut head).map_err(|e| Error::io(path, e))?;
    if read < 12 || &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        return Ok(None);
    }
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let Ok(mut reader) = WavReader::new(BufReader::new(file)) else { return Ok(None) };
    let spec = reader.spec();
    let frames = reader.duration() as usize;
    // A writer to a pipe cannot know the length and leaves 0 or the maximum: ffmpeg copes with those.
    if spec.channels == 0 || spec.sample_rate == 0 || frames == 0 || reader.len() >= u32::MAX / 8 {
        return Ok(None);
    }
    if spec.sample_rate < *RATES.start() {
        let why = format!("it has {} samples a second, which is no sound", spec.sample_rate);
        return Err(Error::NotMedia { path: path.to_owned(), why });
    }
    if !RATES.contains(&spec.sample_rate) || !is_read(&spec) {
        return Ok(None);
    }
    let rate = spec.sample_rate as usize;
    let skipped = (start_ms.max(0) as usize).saturating_mul(rate) / 1000;
    if skipped > 0 {
        reader.seek(skipped.min(frames) as u32).map_err(|e| Error::io(path, e))?;
    }
    let resampler = if spec.sample_rate == RATE {
        None
    } else {
        let Ok(fft) = Fft::new(rate, RATE as usize, CHUNK, 1, FixedSync::Input) else { return Ok(None) };
        let ahead = frames - skipped.min(frames);
        let left = (ahead as u64 * u64::from(RATE)).div_ceil(rate as u64) as usize;
        Some(Resampled {
            delay: fft.output_delay(),
            fft,
            ready: Vec::new(),
            left,
            taken: 0,
            given: 0,
            ended: false,
        })
    };
    let float = spec.sample_format == SampleFormat::Float;
    let scale = if float { 1.0 } else { 1.0 / (1i64 << (spec.bits_per_sample - 1)) as f32 };
    let duration_ms = (frames as i64) * 1000 / rate as i64;
    let weights = mix::weights(usize::from(spec.channels), None);
    let pair = mix::Pair::of(u32::from(spec.channels), spec.sample_rate);
    Ok(Some((Wav { reader, path: path.to_owned(), weights, pair, scale, float, resampler }, duration_ms)))
}

/// Whether hound gives the samples of this kind: of others it opens the file and then fails at the first of them.
fn is_read(spec: &WavSpec) -> bool {
    match spec.sample_format {
        SampleFormat::Float => spec.bits_per_sample == 32,
        SampleFormat::Int => matches!(spec.bits_per_sample, 8 | 16 | 24 | 32),
    }
}

/// What a float file may hold and a sample may not be.
fn sane(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

impl Wav {
    /// Appends up to `frames` frames as the sum of their channels by weight; fewer at the end.
    fn mono(&mut self, out: &mut Vec<f32>, frames: usize) -> Result<usize, Error> {
        let shares: Vec<f32> = self.weights.iter().map(|weight| weight * self.scale).collect();
        let channels = shares.len();
        let wanted = frames * channels;
        let before = out.len();
        let (mut first, mut sum, mut at) = (0.0f32, 0.0f32, 0usize);
        let (scale, pair) = (self.scale, &mut self.pair);
        let mut add = |sample: f32| {
            if at == 0 {
                first = sample * scale;
            }
            sum += sample * shares[at];
            at += 1;
            if at == channels {
                out.push(pair.as_mut().map_or(sum, |pair| pair.mix(first, sample * scale)));
                (sum, at) = (0.0, 0);
            }
        };
        // A file that is shorter than its header says is taken as far as it goes.
        let ended = |e: hound::Error| match e {
            hound::Error::IoError(e) if e.kind() != std::io::ErrorKind::Other => Err(e),
            _ => Ok(()),
        };
        let mut failed = None;
        if self.float {
            for sample in self.reader.samples::<f32>().take(wanted) {
                match sample {
                    Ok(sample) => add(sane(sample)),
                    Err(e) => {
                        failed = ended(e).err();
                        break;
                    }
                }
            }
        } else {
            for sample in self.reader.samples::<i32>().take(wanted) {
                match sample {
                    Ok(sample) => add(sample as f32),
                    Err(e) => {
                        failed = ended(e).err();
                        break;
                    }
                }
            }
        }
        match failed {
            Some(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Err(Error::io(&self.path, e)),
            _ => Ok(out.len() - before),
        }
    }

    /// Runs one more chunk through the resampler.
    fn fill(&mut self) -> Result<(), Error> {
        let Some(chunk) = self.resampler.as_ref().map(|r| r.fft.input_frames_next()) else { return Ok(()) };
        let mut input = Vec::with_capacity(chunk);
        let got = self.mono(&mut input, chunk)?;
        // Zeros behind the end push the last samples out of the filter.
        input.resize(chunk, 0.0);
        let Some(r) = self.resampler.as_mut() else { return Ok(()) };
        let broken = |why: String| Error::Broken { path: self.path.clone(), why };
        let adapter = InterleavedSlice::new(&input, 1, chunk).map_err(|e| broken(e.to_string()))?;
        let mut fresh = r.fft.process(&adapter, None).map_err(|e| broken(e.to_string()))?.take_data();
        let dropped = r.delay.min(fresh.len());
        r.delay -= dropped;
        fresh.drain(..dropped);
        r.taken += got;
        if got < chunk {
            // The end, wherever the header puts it.
            let whole =
                (r.taken as u64 * u64::from(RATE)).div_ceil(u64::from(self.reader.spec().sample_rate));
            r.left = r.left.min((whole as usize).saturating_sub(r.given));
        }
        fresh.truncate(r.left);
        r.left -= fresh.len();
        r.given += fresh.len();
        r.ended = r.left == 0 || (got == 0 && fresh.is_empty());
        r.ready.extend(fresh);
        Ok(())
    }
}

impl Pcm for Wav {
    fn read(&mut self, out: &mut Vec<f32>, max: usize) -> Result<usize, Error> {
        loop {
            match &mut self.resampler {
                None => return self.mono(out, max),
                Some(r) if r.ready.len() >= max || r.ended => {
                    let count = r.ready.len().min(max);
                    out.extend(r.ready.drain(..count));
                    return Ok(count);
                }
                Some(_) => self.fill()?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a 440 Hz tone of one second, reads it back, gives length and error against the tone at 16 kHz.
    fn check(spec: hound::WavSpec) -> (usize, f32) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.wav");
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        let tone = |i: u32, rate: u32| (i as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin() * 0.5;
        for i in 0..spec.sample_rate {
            for _ in 0..spec.channels {
                let v = tone(i, spec.sample_rate);
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(v).unwrap(),
                    SampleFormat::Int => {
                        let top = (1i64 << (spec.bits_per_sample - 1)) as f32;
                        writer.write_sample((v * top) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        let (mut wav, duration_ms) = open(&path, 0).unwrap().unwrap();
        assert_eq!(duration_ms, 1000);
        let mut out = Vec::new();
        while wav.read(&mut out, 1000).unwrap() > 0 {}
        let error = out
            .iter()
            .enumerate()
            .skip(400)
            .take(15_000)
            .map(|(i, v)| (v - tone(i as u32, RATE)).abs())
            .fold(0.0, f32::max);
        (out.len(), error)
    }

    fn spec(
        channels: u16,
        sample_rate: u32,
        bits_per_sample: u16,
        sample_format: SampleFormat,
    ) -> hound::WavSpec {
        hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    #[test]
    fn every_rate_depth_and_channel_count_gives_the_same_tone() {
        for wanted in [
            spec(1, 16_000, 16, SampleFormat::Int),
            spec(2, 44_100, 16, SampleFormat::Int),
            spec(6, 48_000, 24, SampleFormat::Int),
            spec(1, 8_000, 8, SampleFormat::Int),
            spec(2, 96_000, 32, SampleFormat::Float),
        ] {
            let (length, error) = check(wanted);
            assert_eq!(length, 16_000, "{wanted:?}");
            // Half a sample of delay at 440 Hz is 0.043: the filter's delay is a whole number of samples.
            assert!(error < 0.05, "{wanted:?} is off by {error}");
        }
    }

    /// A file with a header that says this and with 4,800 zero bytes.
    fn opened(format: u16, rate: u32, bits: u16) -> Result<bool, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.wav");
        let frame = bits.div_ceil(8);
        let mut bytes = b"RIFF\xE4\x12\0\0WAVEfmt \x10\0\0\0".to_vec();
        bytes.extend([format.to_le_bytes(), 1u16.to_le_bytes()].concat());
        bytes.extend([rate.to_le_bytes(), rate.wrapping_mul(frame.into()).to_le_bytes()].concat());
        bytes.extend([frame.to_le_bytes(), bits.to_le_bytes()].concat());
        bytes.extend(b"data\xC0\x12\0\0");
        bytes.resize(bytes.len() + 4_800, 0);
        std::fs::write(&path, bytes).unwrap();
        open(&path, 0).map(|wav| wav.is_some()).map_err(|e| e.to_string())
    }

    #[test]
    fn samples_and_rates_that_cannot_be_read_here_are_left_to_ffmpeg() {
        const INT: u16 = 1;
        const FLOAT: u16 = 3;
        for bits in [8, 16, 24, 32] {
            assert_eq!(opened(INT, 16_000, bits), Ok(true), "{bits} bits");
        }
        assert_eq!(opened(FLOAT, 16_000, 32), Ok(true));
        for (format, rate, bits) in
            [(FLOAT, 16_000, 64), (INT, 16_000, 1), (INT, 16_000, 64), (INT, 1_000_000_007, 8)]
        {
            assert_eq!(opened(format, rate, bits), Ok(false), "{format} {rate} {bits}");
        }
    }

    #[test]
    fn a_rate_that_makes_days_of_a_few_bytes_is_refused() {
        let refused = opened(1, 1, 16).unwrap_err();
        assert!(refused.contains("it has 1 samples a second"), "{refused}");
    }

    #[test]
    fn what_is_no_number_or_too_loud_is_brought_within_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.wav");
        let mut writer = hound::WavWriter::create(&path, spec(1, 16_000, 32, SampleFormat::Float)).unwrap();
        for sample in [0.5, f32::NAN, f32::INFINITY, 32_768.0, -2.0] {
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        let (mut wav, _) = open(&path, 0).unwrap().unwrap();
        let mut out = Vec::new();
        wav.read(&mut out, 100).unwrap();
        assert_eq!(out, [0.5, 0.0, 0.0, 1.0, -1.0]);
    }

    #[test]
    fn what_is_not_wav_is_left_to_ffmpeg() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.wav");
        std::fs::write(&path, b"OggS and more than twelve bytes").unwrap();
        assert!(open(&path, 0).unwrap().is_none());
    }
}
