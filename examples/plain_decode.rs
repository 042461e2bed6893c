//! whisper.cpp as it comes: one `full()` over the whole file. A peer for benches/speed.py; knows nothing of windows.
//!
//! `plain_decode MODEL AUDIO.wav LANGUAGE THREADS DEVICE` prints the text. The audio is 16 kHz mono; the device `cpu`, `cuda:0`…

use std::error::Error;
use transcriptord::device::Device;
use transcriptord::engine;
use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, audio, language, threads, device] = args.as_slice() else {
        return Err("usage: plain_decode MODEL AUDIO.wav LANGUAGE THREADS DEVICE".into());
    };
    let gpu = device.parse::<Device>()?.index();
    let samples = hound::WavReader::open(audio)?
        .samples::<i16>()
        .map(|s| s.map(|s| f32::from(s) / 32768.0))
        .collect::<Result<Vec<f32>, _>>()?;
    // States that are made here get no encoder from us: whisper.cpp uses its own. The call links what its build asks for.
    eprintln!("{}", engine::Kernels::here());
    let mut place = WhisperContextParameters::default();
    place.use_gpu(gpu.is_some()).gpu_device(gpu.unwrap_or(0) as i32).flash_attn(true);
    let context = WhisperContext::new_with_params(model, place)?;
    let mut state = context.create_state()?;
    let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    params.set_language(Some(language));
    params.set_n_threads(threads.parse()?);
    params.set_print_progress(false);
    params.set_print_realtime(false);
    params.set_print_timestamps(false);
    state.full(params, &samples)?;
    for segment in state.as_iter() {
        println!("{}", segment.to_str_lossy()?.trim());
    }
    Ok(())
}
