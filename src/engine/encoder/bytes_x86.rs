//! The innermost loops of products in bytes, for AVX-512 and AVX2. Knows nothing of where matrices stand.

use super::{GROUP, PANEL, QUAD, QUADS};
use std::arch::x86_64::*;

/// Some rows of a left matrix, a panel of a right one, and where their product goes.
pub(super) struct Of<'a> {
    pub left: &'a [u8],
    pub left_scales: &'a [f32],
    pub quads: &'a [u32],
    pub scales: &'a [f32],
    pub starts: &'a [i32],
    pub row_step: usize,
    pub columns: usize,
    pub added: bool,
}

impl Of<'_> {
    fn groups(&self) -> usize {
        self.starts.len() / PANEL
    }

    fn rows(&self) -> usize {
        self.left_scales.len() / self.groups()
    }

    /// Four values of that row, from that quad on.
    ///
    /// # Safety
    /// It has such a row, with such a quad.
    #[inline(always)]
    unsafe fn four(&self, row: usize, quad: usize) -> i32 {
        let at = row * self.groups() * GROUP + quad * QUAD;
        // SAFETY: as the caller promises.
        unsafe { self.left.as_ptr().add(at).cast::<i32>().read_unaligned() }
    }
}

/// # Safety
/// `out` has room for the columns of each row, `row_step` apart.
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) unsafe fn wide(of: &Of<'_>, out: &mut [f32]) {
    let (rows, mut row) = (of.rows(), 0);
    // SAFETY: as the caller promises; rows are within `rows`.
    unsafe {
        while row < rows {
            row += match rows - row {
                6.. => wide_rows::<6>(of, row, out),
                3.. => wide_rows::<3>(of, row, out),
                _ => wide_rows::<1>(of, row, out),
            };
        }
    }
}

/// `R` rows from that one on; gives `R`.
///
/// # Safety
/// As for [`wide`], for that many rows.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn wide_rows<const R: usize>(of: &Of<'_>, first: usize, out: &mut [f32]) -> usize {
    let masks = [mask(of.columns), mask(of.columns.saturating_sub(16))];
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        for group in 0..of.groups() {
            let start = of.starts.as_ptr().add(group * PANEL);
            let start = [_mm512_loadu_si512(start.cast()), _mm512_loadu_si512(start.add(16).cast())];
            let mut whole = [start; R];
            for quad in group * QUADS..(group + 1) * QUADS {
                let at = of.quads.as_ptr().add(quad * PANEL);
                let right = [_mm512_loadu_si512(at.cast()), _mm512_loadu_si512(at.add(16).cast())];
                for (row, whole) in whole.iter_mut().enumerate() {
                    let four = _mm512_set1_epi32(of.four(first + row, quad));
                    whole[0] = _mm512_dpbusd_epi32(whole[0], four, right[0]);
                    whole[1] = _mm512_dpbusd_epi32(whole[1], four, right[1]);
                }
            }
            let scales = of.scales.as_ptr().add(group * PANEL);
            let scales = [_mm512_loadu_ps(scales), _mm512_loadu_ps(scales.add(16))];
            for (row, (sums, whole)) in sums.iter_mut().zip(whole).enumerate() {
                let scale = *of.left_scales.as_ptr().add((first + row) * of.groups() + group);
                let scale = _mm512_set1_ps(scale);
                for part in 0..2 {
                    let scale = _mm512_mul_ps(scales[part], scale);
                    sums[part] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole[part]), scale, sums[part]);
                }
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (part, (sum, mask)) in sums.into_iter().zip(masks).enumerate() {
                // Behind a narrow panel nothing is touched, and nothing may be there.
                let to = out.as_mut_ptr().wrapping_add((first + row) * of.row_step + part * 16);
                let sum = if of.added { _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, to)) } else { sum };
                _mm512_mask_storeu_ps(to, mask, sum);
            }
        }
    }
    R
}

fn mask(columns: usize) -> __mmask16 {
    if columns >= 16 { 0xffff } else { (1u16 << columns) - 1 }
}

/// The same on vectors of half the length: for both halves of a panel, four rows at a time. `$dot` adds to whole numbers
/// the products of four bytes without a sign and four with one.
macro_rules! half_as_wide {
    ($name:ident, $rows:ident, $features:literal, $dot:expr) => {
        /// # Safety
        /// As for [`wide`].
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name(of: &Of<'_>, out: &mut [f32]) {
            for left in (0..of.columns).step_by(16) {
                let (rows, mut row) = (of.rows(), 0);
                // SAFETY: as the caller promises; rows are within `rows`.
                unsafe {
                    while row < rows {
                        row += match rows - row {
                            4.. => $rows::<4>(of, row, left, out),
                            _ => $rows::<1>(of, row, left, out),
                        };
                    }
                }
            }
        }

        /// `R` rows from that one on, of 16 columns from that one on; gives `R`.
        ///
        /// # Safety
        /// As for [`wide`], for that many rows.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $rows<const R: usize>(of: &Of<'_>, first: usize, left: usize, out: &mut [f32]) -> usize {
            // SAFETY: as the caller promises.
            unsafe {
                let mut sums = [[_mm256_setzero_ps(); 2]; R];
                for group in 0..of.groups() {
                    let start = of.starts.as_ptr().add(group * PANEL + left);
                    let start = [_mm256_loadu_si256(start.cast()), _mm256_loadu_si256(start.add(8).cast())];
                    let mut whole = [start; R];
                    for quad in group * QUADS..(group + 1) * QUADS {
                        let at = of.quads.as_ptr().add(quad * PANEL + left);
                        let right = [_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(8).cast())];
                        for (row, whole) in whole.iter_mut().enumerate() {
                            let four = _mm256_set1_epi32(of.four(first + row, quad));
                            whole[0] = $dot(whole[0], four, right[0]);
                            whole[1] = $dot(whole[1], four, right[1]);
                        }
                    }
                    let scales = of.scales.as_ptr().add(group * PANEL + left);
                    let scales = [_mm256_loadu_ps(scales), _mm256_loadu_ps(scales.add(8))];
                    for (row, (sums, whole)) in sums.iter_mut().zip(whole).enumerate() {
                        let scale = *of.left_scales.as_ptr().add((first + row) * of.groups() + group);
                        let scale = _mm256_set1_ps(scale);
                        for part in 0..2 {
                            let scale = _mm256_mul_ps(scales[part], scale);
                            sums[part] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole[part]), scale, sums[part]);
                        }
                    }
                }
                let count = (of.columns - left).min(16);
                for (row, mut sums) in sums.into_iter().enumerate() {
                    let to = &mut out[(first + row) * of.row_step + left..][..count];
                    let mut sixteen = [0.0; 16];
                    // Behind a narrow panel nothing is touched, and nothing may be there.
                    let whole = count == 16;
                    let at = if whole { to.as_mut_ptr() } else { sixteen.as_mut_ptr() };
                    if of.added {
                        if !whole {
                            sixteen[..count].copy_from_slice(to);
                        }
                        let before = [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))];
                        sums = [_mm256_add_ps(before[0], sums[0]), _mm256_add_ps(before[1], sums[1])];
                    }
                    _mm256_storeu_ps(at, sums[0]);
                    _mm256_storeu_ps(at.add(8), sums[1]);
                    if !whole {
                        to.copy_from_slice(&sixteen[..count]);
                    }
                }
            }
            R
        }
    };
}

half_as_wide!(narrow, narrow_rows, "avx2,fma,avxvnni", _mm256_dpbusd_avx_epi32);
half_as_wide!(narrow_of_avx512, narrow_of_avx512_rows, "avx2,fma,avx512vl,avx512vnni", _mm256_dpbusd_epi32);
half_as_wide!(pairs, pairs_rows, "avx2,fma", |whole, four, right| {
    _mm256_add_epi32(whole, _mm256_madd_epi16(_mm256_maddubs_epi16(four, right), _mm256_set1_epi16(1)))
});
