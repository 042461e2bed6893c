//! What this build of whisper.cpp computes with. Knows nothing of models, and of no other build than this.

use super::voice::Voice;
use super::{Error, decoder, encoder, whisper};
use serde::{Deserialize, Serialize};
use std::ffi::CStr;
use std::fmt;
use whisper_rs::whisper_rs_sys as sys;

/// What a build of whisper.cpp says of itself (`AVX2 = 1 | LLAMAFILE = 1 | …`): its kernels, chosen when it was compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kernels(String);

/// Values in a row of the trial; whole blocks of every type.
const ROW: usize = 512;
/// How far a product of such rows may be off: what q5_1 costs, twice.
const TOLERATED: f64 = 0.1;

impl Kernels {
    /// Of this program.
    pub fn here() -> Kernels {
        Kernels(whisper::system_info())
    }

    /// Of this program, after each had something to do: one that the CPU lacks ends the process here (SIGILL), before
    /// anything depends on it. Fails when a product is wrong. Takes some milliseconds.
    pub fn tried() -> Result<Kernels, Error> {
        let mut voice = Voice::new()?;
        voice.push(&row(0.0))?;
        voice.finish()?;
        for (name, ggml_type) in TYPES {
            let (got, expected) = product(ggml_type)?;
            let off = (got - expected).abs();
            if off.is_nan() || off > TOLERATED * expected.abs() {
                return Err(Error::Failed(format!("it multiplies {name} wrongly: {got}, not {expected}")));
            }
        }
        Ok(Kernels::here())
    }

    /// Whether bf16 is multiplied as such: elsewhere it is turned to f32 first, which is slow.
    pub fn multiply_bf16(&self) -> bool {
        self.0.contains("AVX512_BF16 = 1")
    }

    /// Whether whisper.cpp has the seat that our encoder sits in; else its own is used, which is slower.
    pub fn have_seat(&self) -> bool {
        self.0.contains("COREML = 1")
    }

    /// Whether matrices are multiplied by the tuned kernels. On ARM they make no difference.
    pub fn are_tuned(&self) -> bool {
        cfg!(target_arch = "aarch64") || self.0.contains("LLAMAFILE = 1")
    }
}

/// The names of the GPUs that whisper.cpp finds, in the order of their numbers; none in a build without a feature for them.
pub fn gpus() -> Vec<String> {
    whisper::quiet_logs();
    // SAFETY: ggml's list of devices lives as long as the process, and so do the names in it.
    unsafe {
        let devices = (0..sys::ggml_backend_dev_count()).map(|i| sys::ggml_backend_dev_get(i));
        let is_gpu = |device: &_| {
            [
                sys::ggml_backend_dev_type_GGML_BACKEND_DEVICE_TYPE_GPU,
                sys::ggml_backend_dev_type_GGML_BACKEND_DEVICE_TYPE_IGPU,
            ]
            .contains(&sys::ggml_backend_dev_type(*device))
        };
        let name = |device| CStr::from_ptr(sys::ggml_backend_dev_description(device));
        devices.filter(is_gpu).map(|device| name(device).to_string_lossy().into_owned()).collect()
    }
}

/// Whether there is a GPU of that number: whisper.cpp takes the CPU where there is none, and says nothing.
pub fn has_gpu(index: u32) -> bool {
    gpus().len() > index as usize
}

/// What our encoder and decoder multiply with on this CPU; None where whisper.cpp decodes.
pub fn ours() -> Option<String> {
    if !decoder::is_here() {
        return None;
    }
    Some(format!("our own: encoder in {}, decoder with {}", encoder::numbers(), decoder::vectors()))
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The types that weights are stored in.
const TYPES: [(&str, sys::ggml_type); 5] = [
    ("f32", sys::ggml_type_GGML_TYPE_F32),
    ("f16", sys::ggml_type_GGML_TYPE_F16),
    ("bf16", sys::ggml_type_GGML_TYPE_BF16),
    ("q8_0", sys::ggml_type_GGML_TYPE_Q8_0),
    ("q5_1", sys::ggml_type_GGML_TYPE_Q5_1),
];

/// Numbers between -1 and 1, the same in every run.
fn row(shift: f32) -> Vec<f32> {
    (0..ROW).map(|i| (i as f32 * 0.7 + shift).sin()).collect()
}

/// The product of two rows, the first stored in that type, as ggml's kernels make it and as it is.
fn product(ggml_type: sys::ggml_type) -> Result<(f64, f64), Error> {
    let (weights, sound) = (row(0.3), row(0.5));
    let expected = weights.iter().zip(&sound).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    let missing = || Error::Failed("a type of weights has no kernels".into());
    let mut got = f32::NAN;
    // SAFETY: the traits of ggml's own types exist for ever. A row of `ROW` values is whole blocks of each type and no
    // larger than as f32, for which there is room.
    unsafe {
        sys::ggml_cpu_init();
        let traits = *sys::ggml_get_type_traits_cpu(ggml_type);
        let others = *sys::ggml_get_type_traits_cpu(traits.vec_dot_type);
        let dot = traits.vec_dot.ok_or_else(missing)?;
        let [mut stored, mut other] = [[0u64; ROW / 2]; 2];
        traits.from_float.ok_or_else(missing)?(weights.as_ptr(), stored.as_mut_ptr().cast(), ROW as i64);
        others.from_float.ok_or_else(missing)?(sound.as_ptr(), other.as_mut_ptr().cast(), ROW as i64);
        dot(ROW as i32, &mut got, 0, stored.as_ptr().cast(), 0, other.as_ptr().cast(), 0, 1);
    }
    Ok((f64::from(got), expected))
}

#[cfg(test)]
mod tests {
    use super::{Kernels, TYPES, product};

    #[test]
    fn the_kernels_of_this_build_run_here_and_are_right() {
        assert_eq!(Kernels::tried().unwrap(), Kernels::here());
    }

    #[test]
    fn a_product_is_as_near_as_its_type_allows() {
        // Whole numbers of bits lost: 24 of f32, 11 of f16, 8 of bf16 and q8_0, 5 of q5_1.
        let off = TYPES.map(|(_, ggml_type)| {
            let (got, expected) = product(ggml_type).unwrap();
            ((got - expected) / expected).abs()
        });
        for (off, most) in off.iter().zip([1e-5, 1e-3, 1e-2, 1e-2, 5e-2]) {
            assert!(off < &most, "{off:?}");
        }
    }
}
