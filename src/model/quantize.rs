//! Turns numbers into the bytes of ggml's tensor types. Knows nothing of tensors or files.

use super::weights::WeightType;
use half::f16;
use half::slice::HalfFloatSliceExt;

/// Values in a block of q8_0 and q5_1.
const BLOCK: usize = 32;

/// Room for `N` bytes a value at the end of `out`. Plain loops over it stay fast in unoptimised builds.
fn room<const N: usize>(values: usize, out: &mut Vec<u8>) -> &mut [[u8; N]] {
    let start = out.len();
    out.resize(start + values * N, 0);
    out[start..].as_chunks_mut::<N>().0
}

/// Appends f32 as they are.
pub(super) fn f32_bytes(values: &[f32], out: &mut Vec<u8>) {
    for (bytes, v) in room(values.len(), out).iter_mut().zip(values) {
        *bytes = v.to_le_bytes();
    }
}

/// Appends f16, rounded to nearest even.
pub(super) fn f16_bytes(values: &[f32], out: &mut Vec<u8>) {
    let mut halves = vec![f16::ZERO; values.len()];
    halves.convert_from_f32_slice(values);
    for (bytes, half) in room(values.len(), out).iter_mut().zip(&halves) {
        *bytes = half.to_le_bytes();
    }
}

/// Appends bf16, rounded to nearest even. The values are finite.
fn bf16_bytes(values: &[f32], out: &mut Vec<u8>) {
    for (bytes, v) in room(values.len(), out).iter_mut().zip(values) {
        let bits = v.to_bits();
        let rounded = bits + 0x7fff + (bits >> 16 & 1);
        *bytes = ((rounded >> 16) as u16).to_le_bytes();
    }
}

/// Appends the values as a matrix of this type holds them. Their number is a multiple of the block.
/// False when the type cannot be made here.
pub(super) fn matrix_bytes(values: &[f32], to: WeightType, out: &mut Vec<u8>) -> bool {
    match to {
        WeightType::F16 => f16_bytes(values, out),
        WeightType::Bf16 => bf16_bytes(values, out),
        WeightType::Q8_0 => values.chunks_exact(BLOCK).for_each(|block| q8_0(block, out)),
        WeightType::Q5_1 => values.chunks_exact(BLOCK).for_each(|block| q5_1(block, out)),
        _ => return false,
    }
    true
}

/// One scale, then a signed byte for each value. Source: `quantize_row_q8_0_ref` of ggml.
fn q8_0(block: &[f32], out: &mut Vec<u8>) {
    let mut largest = 0f32;
    for v in block {
        largest = largest.max(v.abs());
    }
    let d = largest / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let mut bytes = [0u8; 2 + BLOCK];
    bytes[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    for (byte, v) in bytes[2..].iter_mut().zip(block) {
        // Halves away from zero, as C's roundf.
        *byte = (v * inverse).round() as i8 as u8;
    }
    out.extend_from_slice(&bytes);
}

/// Scale and least value, the fifth bits of all values, then four bits of each. Source: `quantize_row_q5_1_ref`.
fn q5_1(block: &[f32], out: &mut Vec<u8>) {
    let (mut least, mut most) = (f32::MAX, f32::MIN);
    for &v in block {
        least = least.min(v);
        most = most.max(v);
    }
    let d = (most - least) / 31.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let mut bytes = [0u8; 8 + BLOCK / 2];
    let mut high = 0u32;
    for (j, v) in block.iter().enumerate() {
        let q = ((v - least) * inverse + 0.5) as u8;
        high |= u32::from(q >> 4 & 1) << j;
        bytes[8 + j % 16] |= (q & 15) << (if j < 16 { 0 } else { 4 });
    }
    bytes[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    bytes[2..4].copy_from_slice(&f16::from_f32(least).to_le_bytes());
    bytes[4..8].copy_from_slice(&high.to_le_bytes());
    out.extend_from_slice(&bytes);
}

#[cfg(test)]
mod tests {
    use super::{f16_bytes, matrix_bytes};
    use crate::model::WeightType;

    fn check(values: &[f32], to: WeightType, expected: &[u8]) {
        let mut out = Vec::new();
        assert!(matrix_bytes(values, to, &mut out));
        assert_eq!(out, expected, "{to}");
    }

    #[test]
    fn zeros_stay_zeros() {
        check(&[0.0; 32], WeightType::Q8_0, &[0; 34]);
        check(&[0.0; 32], WeightType::Q5_1, &[0; 24]);
    }

    #[test]
    fn q8_0_rounds_halves_away_from_zero() {
        let mut values = [0f32; 32];
        (values[0], values[1], values[2], values[31]) = (127.0, 0.5, -0.5, -127.0);
        let mut expected = [0u8; 34];
        expected[..2].copy_from_slice(&[0x00, 0x3c]); // 1.0 as f16
        (expected[2], expected[3], expected[4], expected[33]) = (127, 1, 255, 129);
        check(&values, WeightType::Q8_0, &expected);
    }

    #[test]
    fn q5_1_puts_the_fifth_bit_aside() {
        let values: Vec<f32> = (0..32).map(|v| v as f32).collect();
        let mut expected = vec![0x00, 0x3c, 0, 0]; // scale 1, least 0
        expected.extend(0xffff_0000u32.to_le_bytes());
        expected.extend((0..16u8).map(|j| j | j << 4));
        check(&values, WeightType::Q5_1, &expected);
    }

    #[test]
    fn bf16_rounds_to_nearest_even() {
        let (tie_down, tie_up) = (f32::from_bits(0x3f80_8000), f32::from_bits(0x3f81_8000));
        check(&[tie_down, tie_up], WeightType::Bf16, &[0x80, 0x3f, 0x82, 0x3f]);
    }

    #[test]
    fn f16_rounds_to_nearest_even() {
        let mut out = Vec::new();
        f16_bytes(&[1.0 + 1.0 / 2048.0, 1.0 + 3.0 / 2048.0], &mut out);
        assert_eq!(out, [0x00, 0x3c, 0x02, 0x3c]);
    }

    #[test]
    fn a_type_that_cannot_be_made_is_not_made() {
        assert!(!matrix_bytes(&[0.0; 32], WeightType::Q5_0, &mut Vec::new()));
    }
}
