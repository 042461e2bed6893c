//! Products of matrices in bf16 with sums in f32, for CPUs that multiply pairs of bf16 (AVX512_BF16: Zen 4, Sapphire
//! Rapids and later). Knows nothing of transformers.
//!
//! One instruction multiplies and adds twice as many numbers as in f32. bf16 has f32's range and eight bits of precision;
//! Whisper's words are the same with it (engine tests compare).

use super::math::{Into, View, with_vectors};
use super::pages;
use std::ops::Range;

/// Columns of a panel of the right matrix: two vectors.
pub(super) const PANEL: usize = 32;

/// A right matrix in panels of [`PANEL`] columns: for each two rows, a pair of values a column.
#[derive(Default)]
pub(super) struct Panels {
    pairs: Vec<u32>,
    rows: usize,
    columns: usize,
}

/// True when this CPU multiplies bf16.
pub fn is_here() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl Panels {
    /// Becomes a matrix of that shape; what is in it then is of no use.
    pub fn shape(&mut self, rows: usize, columns: usize) {
        (self.rows, self.columns) = (rows, columns);
        let len = columns.div_ceil(PANEL) * self.of_panel();
        pages::resize(&mut self.pairs, len, 0);
    }

    /// Pairs of a panel.
    fn of_panel(&self) -> usize {
        self.rows.div_ceil(2) * PANEL
    }

    /// Puts columns, which begin `step` apart and lie in one piece, in place from that one on.
    pub fn put_columns(&mut self, first: usize, (data, step): (&[f32], usize)) {
        let of_panel = self.of_panel();
        for (column, data) in (first..self.columns).zip(data.chunks(step)) {
            let panel = &mut self.pairs[column / PANEL * of_panel..][..of_panel];
            put_column(panel, column % PANEL, &data[..self.rows]);
        }
    }

    /// Takes the place of whatever was in it.
    pub fn fill(&mut self, b: View<'_>) {
        self.shape(b.rows, b.columns);
        if b.row_step == 1 {
            return self.put_columns(0, (b.data, b.column_step));
        }
        let of_panel = self.of_panel();
        for (panel, left) in self.pairs.chunks_exact_mut(of_panel).zip((0..b.columns).step_by(PANEL)) {
            let columns = PANEL.min(b.columns - left);
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

/// A column that lies in one piece: down it, pair by pair.
fn put_column(panel: &mut [u32], column: usize, data: &[f32]) {
    let (whole, rest) = data.as_chunks::<2>();
    let mut to = panel.iter_mut().skip(column).step_by(PANEL);
    to.by_ref().zip(whole).for_each(|(to, pair)| *to = pair_of(pair[0], pair[1]));
    if let ([last], Some(to)) = (rest, to.next()) {
        *to = pair_of(*last, 0.0);
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

/// Puts rows of `width` numbers, which begin `step` apart, as pairs where rows are `of_row` pairs apart; the odd last of
/// each is filled up with nothing.
pub(super) fn put(pairs: &mut [u32], of_row: usize, width: usize, (numbers, step): (&[f32], usize)) {
    with_vectors(
        #[inline(always)]
        || {
            for (to, from) in pairs.chunks_mut(of_row).zip(numbers.chunks(step)) {
                let (whole, rest) = from[..width].as_chunks::<2>();
                to.iter_mut().zip(whole).for_each(|(to, pair)| *to = pair_of(pair[0], pair[1]));
                if let [last] = rest {
                    to[whole.len()] = pair_of(*last, 0.0);
                }
            }
        },
    );
}

/// As [`super::math::product`], of rows in pairs with those columns of a right matrix in panels; the first begins a panel.
///
/// Panics where that does, and on a CPU that does not multiply bf16.
pub(super) fn product(
    out: &mut [f32],
    row_step: usize,
    a: &[u32],
    b: &Panels,
    columns: Range<usize>,
    into: Into,
) {
    assert!(is_here(), "a CPU that multiplies bf16");
    let pairs = b.rows.div_ceil(2);
    let rows = a.len() / pairs.max(1);
    assert!(rows > 0 && rows * pairs == a.len(), "matrices that fit each other");
    check_places((out.len(), row_step), rows, b.columns, &columns);
    #[cfg(target_arch = "x86_64")]
    for left in columns.clone().step_by(PANEL) {
        let panel = &b.pairs[left / PANEL * b.of_panel()..][..b.of_panel()];
        let (to, count) = (&mut out[left - columns.start..], PANEL.min(columns.end - left));
        // SAFETY: the CPU has what the function is compiled for; the sizes were asserted above.
        unsafe { kernels::panel(to, row_step, a, panel, count, into == Into::Added) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = into;
}

/// Panics where those are no columns of a right matrix in panels that has `all`, from the beginning of a panel on, or where
/// their products with so many rows have no room in `out`, a length with the step from row to row.
pub(super) fn check_places(out: (usize, usize), rows: usize, all: usize, columns: &Range<usize>) {
    let (len, row_step) = out;
    assert!(
        columns.start.is_multiple_of(PANEL) && columns.end <= all && !columns.is_empty(),
        "columns of it"
    );
    assert!(
        (rows - 1) * row_step + columns.len() <= len && columns.len() <= row_step,
        "room for the product"
    );
}

#[cfg(target_arch = "x86_64")]
mod kernels {
    use super::PANEL;
    use std::arch::x86_64::*;

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
                    // Behind a narrow panel nothing is touched, and nothing may be there.
                    let to = out.wrapping_add(row * row_step + part * 16);
                    let sum = if added { _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, to)) } else { sum };
                    _mm512_mask_storeu_ps(to, mask, sum);
                }
            }
        }
        R
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn matrix(rows: usize, columns: usize, seed: u32) -> Vec<f32> {
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
        let of_row = inner.div_ceil(2);
        let mut left = vec![0; rows * of_row];
        put(&mut left, of_row, inner, (&a, inner));
        product(&mut out, step, &left, &panels, 0..columns, Into::Instead);
        product(&mut out, step, &left, &panels, 0..columns, Into::Added);
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
