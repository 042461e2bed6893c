//! Products of matrices with a few vectors, for AVX2 and for AVX-512 with VNNI. Knows nothing of where matrices stand.

use super::matrix::{BLOCK, BLOCK_LINES, QUAD, SIDE};
use std::arch::x86_64::*;

/// Where all that a product in bytes needs begins.
pub(super) struct Bytes {
    pub weights: *const u8,
    pub vectors: *const i8,
    pub scales: *const f32,
    pub offsets: *const i32,
    pub blocks: usize,
}

const QUADS: usize = BLOCK / QUAD;

/// # Safety
/// `of` points to a matrix as [`super::matrix::Store`] keeps it, with as many sixteens of rows as `out` has room for, and to
/// `N` vectors.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn bytes_wide<const N: usize>(of: &Bytes, out: &mut [f32]) {
    let rows = out.len() / N;
    let columns = of.blocks * BLOCK;
    let offset = _mm512_set1_epi8(-128);
    // SAFETY: as the caller promises.
    unsafe {
        for side in 0..rows / SIDE {
            let mut sums = [_mm512_setzero_ps(); N];
            for block in 0..of.blocks {
                let at = side * of.blocks + block;
                let mut whole = [_mm512_setzero_si512(); N];
                for (n, whole) in whole.iter_mut().enumerate() {
                    *whole = _mm512_set1_epi32(*of.offsets.add(n * of.blocks + block));
                }
                for quad in 0..QUADS {
                    let weights = _mm512_load_si512(of.weights.add((at * BLOCK_LINES + quad) * 64).cast());
                    let weights = _mm512_xor_si512(weights, offset);
                    for (n, whole) in whole.iter_mut().enumerate() {
                        let four = of.vectors.add(n * columns + block * BLOCK + quad * QUAD);
                        let four = _mm512_set1_epi32(four.cast::<i32>().read_unaligned());
                        *whole = _mm512_dpbusd_epi32(*whole, weights, four);
                    }
                }
                let scales = _mm512_load_ps(of.weights.add((at * BLOCK_LINES + QUADS) * 64).cast());
                for (n, (sum, whole)) in sums.iter_mut().zip(whole).enumerate() {
                    let scale = _mm512_mul_ps(scales, _mm512_set1_ps(*of.scales.add(n * of.blocks + block)));
                    *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), scale, *sum);
                }
            }
            for (n, sum) in sums.into_iter().enumerate() {
                _mm512_storeu_ps(out.as_mut_ptr().add(n * rows + side * SIDE), sum);
            }
        }
    }
}

/// # Safety
/// As for [`bytes_wide`].
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn bytes<const N: usize>(of: &Bytes, out: &mut [f32]) {
    let rows = out.len() / N;
    let columns = of.blocks * BLOCK;
    let ones = _mm256_set1_epi16(1);
    // SAFETY: as the caller promises.
    unsafe {
        for half in 0..rows / 8 {
            let (side, right) = (half / 2, half % 2 * 32);
            let mut sums = [_mm256_setzero_ps(); N];
            for block in 0..of.blocks {
                let at = side * of.blocks + block;
                let mut whole = [_mm256_setzero_si256(); N];
                for quad in 0..QUADS {
                    let from = of.weights.add((at * BLOCK_LINES + quad) * 64 + right);
                    let weights = _mm256_load_si256(from.cast());
                    let sizes = _mm256_abs_epi8(weights);
                    for (n, whole) in whole.iter_mut().enumerate() {
                        let four = of.vectors.add(n * columns + block * BLOCK + quad * QUAD);
                        let four = _mm256_set1_epi32(four.cast::<i32>().read_unaligned());
                        let signed = _mm256_sign_epi8(four, weights);
                        let pairs = _mm256_maddubs_epi16(sizes, signed);
                        *whole = _mm256_add_epi32(*whole, _mm256_madd_epi16(pairs, ones));
                    }
                }
                let scales = of.weights.add((at * BLOCK_LINES + QUADS) * 64 + right);
                let scales = _mm256_load_ps(scales.cast());
                for (n, (sum, whole)) in sums.iter_mut().zip(whole).enumerate() {
                    let scale = _mm256_mul_ps(scales, _mm256_set1_ps(*of.scales.add(n * of.blocks + block)));
                    *sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole), scale, *sum);
                }
            }
            for (n, sum) in sums.into_iter().enumerate() {
                _mm256_storeu_ps(out.as_mut_ptr().add(n * rows + half * 8), sum);
            }
        }
    }
}

/// # Safety
/// `weights` points to values as [`super::matrix::Store::halves`] has them, with as many sixteens of rows as `out` has room
/// for, and `vectors` to `N` vectors of `columns` values.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn halves_wide<const N: usize>(
    weights: *const u16,
    vectors: *const f32,
    columns: usize,
    out: &mut [f32],
) {
    let rows = out.len() / N;
    // SAFETY: as the caller promises.
    unsafe {
        for side in 0..rows / SIDE {
            // Two sums for each vector, so that one does not wait for the other.
            let mut sums = [[_mm512_setzero_ps(); 2]; N];
            let weights = weights.add(side * SIDE * columns);
            for pair in 0..columns / 2 {
                for (odd, column) in [2 * pair, 2 * pair + 1].into_iter().enumerate() {
                    let some = _mm256_loadu_si256(weights.add(column * SIDE).cast());
                    let some = _mm512_cvtph_ps(some);
                    for (n, sums) in sums.iter_mut().enumerate() {
                        let value = _mm512_set1_ps(*vectors.add(n * columns + column));
                        sums[odd] = _mm512_fmadd_ps(some, value, sums[odd]);
                    }
                }
            }
            if columns % 2 == 1 {
                let some = _mm256_loadu_si256(weights.add((columns - 1) * SIDE).cast());
                for (n, sums) in sums.iter_mut().enumerate() {
                    let value = _mm512_set1_ps(*vectors.add(n * columns + columns - 1));
                    sums[0] = _mm512_fmadd_ps(_mm512_cvtph_ps(some), value, sums[0]);
                }
            }
            for (n, sums) in sums.into_iter().enumerate() {
                let to = out.as_mut_ptr().add(n * rows + side * SIDE);
                _mm512_storeu_ps(to, _mm512_add_ps(sums[0], sums[1]));
            }
        }
    }
}

/// # Safety
/// As for [`halves_wide`].
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn halves<const N: usize>(
    weights: *const u16,
    vectors: *const f32,
    columns: usize,
    out: &mut [f32],
) {
    let rows = out.len() / N;
    // SAFETY: as the caller promises.
    unsafe {
        for side in 0..rows / SIDE {
            let mut sums = [[_mm256_setzero_ps(); 2]; N];
            let weights = weights.add(side * SIDE * columns);
            for column in 0..columns {
                let at = weights.add(column * SIDE);
                let some = [
                    _mm256_cvtph_ps(_mm_loadu_si128(at.cast())),
                    _mm256_cvtph_ps(_mm_loadu_si128(at.add(8).cast())),
                ];
                for (n, sums) in sums.iter_mut().enumerate() {
                    let value = _mm256_set1_ps(*vectors.add(n * columns + column));
                    sums[0] = _mm256_fmadd_ps(some[0], value, sums[0]);
                    sums[1] = _mm256_fmadd_ps(some[1], value, sums[1]);
                }
            }
            for (n, sums) in sums.into_iter().enumerate() {
                let to = out.as_mut_ptr().add(n * rows + side * SIDE);
                _mm256_storeu_ps(to, sums[0]);
                _mm256_storeu_ps(to.add(8), sums[1]);
            }
        }
    }
}
