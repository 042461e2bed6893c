//! The mel filter bank that Whisper hears through. Pure arithmetic.

/// Frequency bins of a 400-point transform: 0 to 8000 Hz in steps of 40 Hz.
pub(super) const BINS: usize = 201;

/// Where Slaney's scale turns from linear to logarithmic, in hertz.
const BREAK_HZ: f64 = 1000.0;
/// Hertz of one mel below the break.
const LINEAR_HZ: f64 = 200.0 / 3.0;

/// The filters for 16 kHz, `bands` rows of [`BINS`] values: Slaney's scale and area normalisation, as
/// librosa's `filters.mel` makes them and as the published files hold them, bit for bit.
///
/// Two things decide the last bits: the slope is rounded to f32 before it is scaled, and a value that is not
/// positive is plus zero.
pub(super) fn filters(bands: usize) -> Vec<f32> {
    let break_mel = BREAK_HZ / LINEAR_HZ;
    let log_step = 6.4f64.ln() / 27.0;
    let top = break_mel + 8f64.ln() / log_step;
    let step = top / (bands as f64 + 1.0);
    let hertz = |i: usize| {
        let mel = if i == bands + 1 { top } else { i as f64 * step };
        if mel >= break_mel { BREAK_HZ * (log_step * (mel - break_mel)).exp() } else { LINEAR_HZ * mel }
    };
    let mut out = Vec::with_capacity(bands * BINS);
    for band in 0..bands {
        let (low, middle, high) = (hertz(band), hertz(band + 1), hertz(band + 2));
        for bin in 0..BINS {
            let f = 40.0 * bin as f64;
            let slope = ((f - low) / (middle - low)).min((high - f) / (high - middle));
            let slope = if slope > 0.0 { slope as f32 } else { 0.0 };
            out.push((f64::from(slope) * (2.0 / (high - low))) as f32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::filters;
    use sha1::{Digest, Sha1};

    /// Source of the hash: the mel block of the published ggml-base.bin.
    #[test]
    fn eighty_bands_are_those_of_the_published_files() {
        let bytes: Vec<u8> = filters(80).into_iter().flat_map(f32::to_le_bytes).collect();
        let digest: String = Sha1::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(digest, "62112822d7d0fd04b443ddb20d18cde62da25003");
    }

    #[test]
    fn no_value_is_negative_or_minus_zero() {
        for bands in [80, 128] {
            let filters = filters(bands);
            assert_eq!(filters.len(), bands * 201);
            assert!(filters.iter().all(|v| v.is_sign_positive() && v.is_finite()));
        }
    }
}
