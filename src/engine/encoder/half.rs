//! Products of matrices in bf16 with sums in f32, for CPUs that multiply pairs of bf16 (AVX512_BF16: Zen 4, Sapphire
//! Rapids and later). Knows nothing of transformers.
//!
//! One instruction multiplies and adds twice as many numbers as in f32. bf16 has f32's range and eight bits of precision;
//! Whisper's words are the same with it (engine tests compare).

use super::math::{Into, View};
use super::pages;

/// Columns of a panel of the right matrix: two vectors.
const PANEL: usize = 32;

/// A right matrix in panels of [`PANEL`] columns: for each two rows, a pair of values a column.
#[derive(Default)]
pub(super) struct Panels {
    pairs: Vec<u32>,
    rows: usize,
    columns: usize,
}

/// True when this CPU multiplies bf16.
pub(in crate::engine) fn is_here() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl Panels {
    /// Takes the place of whatever was in it.
    pub fn fill(&mut self, b: View<'_>) {
        (self.rows, self.columns) = (b.rows, b.columns);
        let pairs = b.rows.div_ceil(2);
        self.pairs.clear();
        self.pairs.resize(b.columns.div_ceil(PANEL) * pairs * PANEL, 0);
        for (panel, left) in self.pairs.chunks_exact_mut(pairs * PANEL).zip((0..b.columns).step_by(PANEL)) {
            let columns = PANEL.min(b.columns - left);
            if b.row_step == 1 {
                // A column lies in one piece: down it, pair by pair.
                for column in 0..columns {
                    let data = &b.data[(left + column) * b.column_step..][..b.rows];
                    let (whole, rest) = data.as_chunks::<2>();
                    for (pair, to) in whole.iter().zip(panel.iter_mut().skip(column).step_by(PANEL)) {
                        *to = pair_of(pair[0], pair[1]);
                    }
                    if let ([last], true) = (rest, pairs > 0) {
                        panel[(pairs - 1) * PANEL + column] = pair_of(*last, 0.0);
                    }
                }
                continue;
            }
            for (pair, to) in panel.chunks_exact_mut(PANEL).enumerate() {
                for (column, to) in to.iter_mut().take(columns).enumerate() {
                    let at = 2 * pair * b.row_step + (left + column) * b.column_step;
                    let second = if 2 * pair + 1 < b.rows { b.data[at + b.row_step] } else { 0.0 };
                    *to = pair_of(b.data[at], second);
                }
            }
        }
    }
}

/// Two values side by side, the first in the low half.
fn pair_of(first: f32, second: f32) -> u32 {
    u32::from(round(first)) | u32::from(round(second)) << 16
}

/// The nearest bf16, to even in the middle. What is no number stays none: its highest bits are kept.
#[inline(always)]
fn round(value: f32) -> u16 {
    let bits = value.to_bits();
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// The left matrix as pairs, row by row, the odd last column filled up with nothing.
fn left(a: View<'_>, pairs: &mut Vec<u32>) {
    let of_row = a.columns.div_ceil(2);
    pages::resize(pairs, a.rows * of_row, 0);
    for (row, to) in pairs.chunks_exact_mut(of_row).enumerate() {
        let data = &a.data[row * a.row_step..];
        if a.column_step == 1 {
            let (whole, rest) = data[..a.columns].as_chunks::<2>();
            to.iter_mut().zip(whole).for_each(|(to, pair)| *to = pair_of(pair[0], pair[1]));
            if let [last] = rest {
                to[of_row - 1] = pair_of(*last, 0.0);
            }
            continue;
        }
        for (pair, to) in to.iter_mut().enumerate() {
            let at = 2 * pair * a.column_step;
            let second = if 2 * pair + 1 < a.columns { data[at + a.column_step] } else { 0.0 };
            *to = pair_of(data[at], second);
        }
    }
}

/// As [`super::math::product`], with a right matrix in panels; `room` is for the left one.
///
/// Panics where that does, and on a CPU that does not multiply bf16.
pub(super) fn product(
    out: &mut [f32],
    row_step: usize,
    a: View<'_>,
    b: &Panels,
    into: Into,
    room: &mut Vec<u32>,
) {
    assert!(is_here(), "a CPU that multiplies bf16");
    assert!(a.columns == b.rows && a.rows > 0 && b.columns > 0, "matrices that fit each other");
    assert!(
        (a.rows - 1) * row_step + b.columns <= out.len() && b.columns <= row_step,
        "room for the product"
    );
    #[cfg(target_arch = "x86_64")]
    {
        let pairs = a.columns.div_ceil(2);
        // SAFETY: the CPU has what the functions are compiled for; the sizes were asserted above.
        unsafe {
            kernels::left(a, room);
            for (panel, left) in b.pairs.chunks_exact(pairs * PANEL).zip((0..b.columns).step_by(PANEL)) {
                let columns = PANEL.min(b.columns - left);
                kernels::panel(&mut out[left..], row_step, room, panel, columns, into == Into::Added);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod kernels {
    use super::{PANEL, View};
    use std::arch::x86_64::*;

    /// As its namesake outside, compiled for wide vectors.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn left(a: View<'_>, pairs: &mut Vec<u32>) {
        super::left(a, pairs);
    }

    /// One panel's columns of all rows.
    ///
    /// # Safety
    /// `a` holds rows of `b.len() / PANEL` pairs; `out` has room for `columns` values in each row, `row_step` apart.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn panel(
        out: &mut [f32],
        row_step: usize,
        a: &[u32],
        b: &[u32],
        columns: usize,
        added: bool,
    ) {
        let pairs = b.len() / PANEL;
        let rows = a.len() / pairs;
        let masks = [mask(columns), mask(columns.saturating_sub(16))];
        let mut row = 0;
        // SAFETY: as the caller promises; rows are within `rows`.
        unsafe {
            while row < rows {
                let (out, a) = (out.as_mut_ptr().add(row * row_step), a.as_ptr().add(row * pairs));
                let b = b.as_ptr();
                row += match rows - row {
                    12.. => rows_of::<12>(out, row_step, a, b, pairs, masks, added),
                    8.. => rows_of::<8>(out, row_step, a, b, pairs, masks, added),
                    4.. => rows_of::<4>(out, row_step, a, b, pairs, masks, added),
                    _ => rows_of::<1>(out, row_step, a, b, pairs, masks, added),
                };
            }
        }
    }

    fn mask(columns: usize) -> __mmask16 {
        if columns >= 16 { 0xffff } else { (1u16 << columns) - 1 }
    }

    /// `R` rows of a panel; gives `R`.
    ///
    /// # Safety
    /// As for [`panel`], for that many rows.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn rows_of<const R: usize>(
        out: *mut f32,
        row_step: usize,
        a: *const u32,
        b: *const u32,
        pairs: usize,
        masks: [__mmask16; 2],
        added: bool,
    ) -> usize {
        // SAFETY: as the caller promises.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); 2]; R];
            for pair in 0..pairs {
                let at = b.add(pair * PANEL);
                let columns: [__m512bh; 2] = [
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(at.cast())),
                    std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(at.add(16).cast())),
                ];
                for (row, sums) in sums.iter_mut().enumerate() {
                    let both: __m512bh = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(
                        *a.add(row * pairs + pair) as i32,
                    ));
                    sums[0] = _mm512_dpbf16_ps(sums[0], both, columns[0]);
                    sums[1] = _mm512_dpbf16_ps(sums[1], both, columns[1]);
                }
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (part, (sum, mask)) in sums.into_iter().zip(masks).enumerate() {
                    let to = out.add(row * row_step + part * 16);
                    let sum = if added { _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, to)) } else { sum };
                    _mm512_mask_storeu_ps(to, mask, sum);
                }
            }
        }
        R
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..rows * columns).map(|_| next()).collect()
    }

    /// Compares with sums of the rounded values, in f64.
    fn check(rows: usize, inner: usize, columns: usize, transposed: bool) {
        if !is_here() {
            eprintln!("skipped: this CPU does not multiply bf16");
            return;
        }
        let (a, b) = (matrix(rows, inner, 1), matrix(inner, columns, 2));
        let right = if transposed {
            View::rows(&b, columns, inner).transposed()
        } else {
            View::rows(&b, inner, columns)
        };
        let mut panels = Panels::default();
        panels.fill(right);
        let step = columns + 3;
        let mut out = vec![5.0; rows * step];
        let mut room = Vec::new();
        product(&mut out, step, View::rows(&a, rows, inner), &panels, Into::Instead, &mut room);
        product(&mut out, step, View::rows(&a, rows, inner), &panels, Into::Added, &mut room);
        let exact = |v: f32| f64::from(f32::from_bits(u32::from(round(v)) << 16));
        for row in 0..rows {
            for column in 0..columns {
                let at = |k: usize| b[k * right.row_step + column * right.column_step];
                let expected: f64 = (0..inner).map(|k| 2.0 * exact(a[row * inner + k]) * exact(at(k))).sum();
                let got = f64::from(out[row * step + column]);
                assert!((got - expected).abs() < 1e-3, "{row} {column}: {got}, {expected} expected");
            }
            // What lies between the rows is not touched.
            assert!(out[row * step + columns..(row + 1) * step].iter().all(|v| *v == 5.0));
        }
    }

    #[test]
    fn products_of_all_shapes_are_right() {
        check(12, 64, 32, true);
        check(25, 63, 33, true);
        check(7, 80, 16, false);
        check(1, 1, 1, false);
        check(40, 129, 100, false);
    }

    #[test]
    fn rounding_goes_to_the_nearest() {
        let check =
            |value: f32, expected: f32| assert_eq!(f32::from_bits(u32::from(round(value)) << 16), expected);
        check(1.0, 1.0);
        check(-2.5, -2.5);
        check(1.003_906_3, 1.0);
        check(1.011_718_8, 1.015_625);
        check(f32::INFINITY, f32::INFINITY);
    }
}
