//! The arithmetic of a transformer on rows of f32. Knows nothing of Whisper, weights or files.
//!
//! What is not a matrix product is written so that the compiler makes vector code of it, and compiled for each
//! level of the CPU's vector instructions; the one at hand is chosen at run time (`pulp`, as `gemm` itself does).

use super::plain;
use gemm_common::Parallelism;
use pulp::{Arch, Simd, WithSimd};

/// Numbers taken at once; a multiple of every vector's length.
const LANES: usize = 16;
/// What is added to a variance, as PyTorch's layer norm does.
const EPSILON: f32 = 1e-5;

/// A matrix as a start and the steps to the next row and to the next column.
#[derive(Clone, Copy)]
pub(in crate::engine) struct View<'a> {
    pub data: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub row_step: usize,
    pub column_step: usize,
}

impl<'a> View<'a> {
    /// Rows one after the other.
    pub fn rows(data: &'a [f32], rows: usize, columns: usize) -> View<'a> {
        View { data, rows, columns, row_step: columns, column_step: 1 }
    }

    pub fn transposed(self) -> View<'a> {
        View {
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
            ..self
        }
    }

    /// From that row and column on; rows and columns are counted as before.
    pub fn part(self, row: usize, column: usize) -> View<'a> {
        View { data: &self.data[row * self.row_step + column * self.column_step..], ..self }
    }

    fn last(self) -> usize {
        (self.rows - 1) * self.row_step + (self.columns - 1) * self.column_step
    }
}

/// Whether a product replaces what stands in its place or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Into {
    Instead,
    Added,
}

/// `out = a b` or `out += a b`; the rows of `out` are `row_step` apart. On the caller's thread.
///
/// Panics when a view reaches beyond its data: a mistake of ours, never of a file.
pub(super) fn product(out: &mut [f32], row_step: usize, a: View<'_>, b: View<'_>, into: Into) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert!(k == b.rows && m > 0 && n > 0 && k > 0, "matrices that fit each other");
    assert!(a.last() < a.data.len() && b.last() < b.data.len(), "views inside their data");
    assert!((m - 1) * row_step + n <= out.len() && n <= row_step, "room for the product");
    match gemm_has_vectors() {
        // SAFETY: the assertions above.
        true => unsafe { by_gemm(out, row_step, a, b, into) },
        false => plain::product(out, row_step, a, b, into),
    }
}

/// Whether `gemm` has a kernel that uses this CPU's vectors.
fn gemm_has_vectors() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// As [`product`].
///
/// # Safety
/// What [`product`] asserts is true.
pub(super) unsafe fn by_gemm(out: &mut [f32], row_step: usize, a: View<'_>, b: View<'_>, into: Into) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    let gemm = gemm_f32::gemm::f32::get_gemm_fn();
    // Transposed, because its kernels write columns: outᵀ = bᵀ aᵀ.
    // SAFETY: all that is read and written lies inside the three slices, as the caller promises, and `out` is borrowed alone.
    unsafe {
        gemm(
            n,
            m,
            k,
            out.as_mut_ptr(),
            row_step as isize,
            1,
            into == Into::Added,
            b.data.as_ptr(),
            b.row_step as isize,
            b.column_step as isize,
            a.data.as_ptr(),
            a.row_step as isize,
            a.column_step as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Adds the same numbers to each row.
pub(in crate::engine) fn add_to_rows(rows: &mut [f32], numbers: &[f32]) {
    each_row(
        rows,
        numbers.len(),
        #[inline(always)]
        |row| row.iter_mut().zip(numbers).for_each(|(v, n)| *v += n),
    );
}

/// The exact GELU, in place.
pub(in crate::engine) fn gelu(values: &mut [f32]) {
    let width = values.len().max(1);
    each_row(
        values,
        width,
        #[inline(always)]
        |row| row.iter_mut().for_each(|v| *v = gelu_of(*v)),
    );
}

/// Each row's soft-max of the values times `scale`, in place.
pub(in crate::engine) fn soft_max(rows: &mut [f32], width: usize, scale: f32) {
    each_row(
        rows,
        width,
        #[inline(always)]
        |row| {
            let part = 1.0 / raise(row, scale);
            row.iter_mut().for_each(|v| *v *= part);
        },
    );
}

/// A soft-max but for the last step: each number would have to be divided by the sum that it gives.
pub(super) fn powers(row: &mut [f32]) -> f32 {
    let mut all = 0.0;
    with_vectors(
        #[inline(always)]
        || all = raise(row, 1.0),
    );
    all
}

/// e to the power of each number's distance from the greatest, times `scale`, in place; gives their sum.
#[inline(always)]
fn raise(row: &mut [f32], scale: f32) -> f32 {
    let most = greatest(row, |v| v);
    row.iter_mut().for_each(|v| *v = exp((*v - most) * scale));
    sum(row, |v| v)
}

/// Each row shifted and scaled to mean 0 and variance 1, then by `weight` and `bias`.
pub(super) fn layer_norm(out: &mut [f32], rows: &[f32], weight: &[f32], bias: &[f32]) {
    let width = weight.len();
    out.copy_from_slice(rows);
    each_row(
        out,
        width,
        #[inline(always)]
        |row| {
            let mean = sum(row, |v| v) / width as f32;
            row.iter_mut().for_each(|v| *v -= mean);
            let variance = sum(row, |v| v * v) / width as f32;
            let scale = 1.0 / (variance + EPSILON).sqrt();
            for ((v, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
                *v = *v * scale * weight + bias;
            }
        },
    );
}

/// The first `width` numbers of rows that are `step` apart, each as a row of `length` numbers: one of each row, and zeros
/// behind the last.
pub(in crate::engine) fn turn((rows, step): (&[f32], usize), width: usize, length: usize, to: &mut Vec<f32>) {
    /// Rows that are gone through at once: what is read of them stays in the cache.
    const AT_ONCE: usize = 32;
    to.clear();
    to.resize(width * length, 0.0);
    for (rows, first) in rows.chunks(step * AT_ONCE).zip((0..).step_by(AT_ONCE)) {
        for (i, to) in to.chunks_exact_mut(length).enumerate() {
            to[first..].iter_mut().zip(rows.iter().skip(i).step_by(step)).for_each(|(to, v)| *to = *v);
        }
    }
}

/// Calls `f`, compiled for the vectors at hand: for loops that are to become vector code. It must be inlined.
pub(in crate::engine) fn with_vectors<F: FnOnce()>(f: F) {
    struct Once<F>(F);
    impl<F: FnOnce()> WithSimd for Once<F> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            (self.0)();
        }
    }
    Arch::new().dispatch(Once(f));
}

/// Calls `f`, compiled for the vectors at hand, with one row after the other.
fn each_row<F: FnMut(&mut [f32])>(rows: &mut [f32], width: usize, f: F) {
    struct Each<'a, F>(&'a mut [f32], usize, F);
    impl<F: FnMut(&mut [f32])> WithSimd for Each<'_, F> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) {
            self.0.chunks_exact_mut(self.1).for_each(|row| (self.2)(row));
        }
    }
    Arch::new().dispatch(Each(rows, width, f));
}

/// The sum of what `f` makes of each number, in [`LANES`] strands, so that vectors can do it.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut strands = [0.0; LANES];
    for chunk in whole {
        strands.iter_mut().zip(chunk).for_each(|(strand, v)| *strand += f(*v));
    }
    strands.iter().sum::<f32>() + rest.iter().map(|v| f(*v)).sum::<f32>()
}

/// The greatest of what `f` makes of each number, in strands as well.
#[inline(always)]
pub(in crate::engine) fn greatest(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut strands = [f32::MIN; LANES];
    for chunk in whole {
        strands.iter_mut().zip(chunk).for_each(|(strand, v)| *strand = greater(*strand, f(*v)));
    }
    rest.iter().map(|v| f(*v)).chain(strands).fold(f32::MIN, greater)
}

/// Adding this rounds to a whole number, half of one to the even one, and leaves it in the lowest bits.
pub(in crate::engine) const ROUND: f32 = 12_582_912.0;

/// e to the power of `x`, right to 2e-7 relative for x from -87 to 88; less is taken as -87.
///
/// 2^n times a polynomial on half an octave around 0 (Taylor; the last term is below 1e-7).
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let tail = 1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0));
    let p = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * tail)));
    f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// x Φ(x) with the error function of Abramowitz and Stegun 7.1.26 (right to 1.5e-7).
#[inline(always)]
fn gelu_of(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let sum =
        t * (0.254_829_6 + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152 + t * 1.061_405_4))));
    let erf = (1.0 - sum * exp(-z * z)).copysign(x);
    0.5 * x * (1.0 + erf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: &[f32], expected: &[f32]) {
        assert_eq!(got.len(), expected.len());
        for (g, e) in got.iter().zip(expected) {
            assert!((g - e).abs() <= 1e-5 * e.abs().max(1.0), "{got:?}, {expected:?} expected");
        }
    }

    #[test]
    fn a_product_of_views_is_that_of_the_matrices() {
        // [1 2; 3 4] times the transposed of [5 6; 7 8], with a gap in the rows of the result.
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]);
        let mut out = [9.0; 5];
        let times = |out: &mut [f32], into| {
            product(out, 3, View::rows(&a, 2, 2), View::rows(&b, 2, 2).transposed(), into);
        };
        times(&mut out, Into::Instead);
        close(&out, &[17.0, 23.0, 9.0, 39.0, 53.0]);
        times(&mut out, Into::Added);
        close(&out, &[34.0, 46.0, 9.0, 78.0, 106.0]);
    }

    #[test]
    fn exp_and_gelu_are_right() {
        for i in -870..=100 {
            let x = i as f32 / 10.0;
            let expected = x.exp();
            assert!((exp(x) - expected).abs() <= 4e-7 * expected.max(1e-30), "exp({x}) = {}", exp(x));
        }
        assert!(exp(-1e9) < 1e-37);
        // Of the standard normal distribution: Φ(1) = 0.8413447, Φ(-2) = 0.0227501.
        let mut values = [0.0, 1.0, -2.0, 10.0, -10.0];
        gelu(&mut values);
        close(&values, &[0.0, 0.841_344_7, -0.045_500_3, 10.0, 0.0]);
    }

    #[test]
    fn soft_max_gives_shares_of_one_row_by_row() {
        let mut rows: Vec<f32> = (0..40).map(|i| (i % 20) as f32).collect();
        soft_max(&mut rows, 20, 0.5);
        for row in rows.chunks(20) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!((row[19] / row[18] - 0.5f32.exp()).abs() < 1e-4);
        }
    }

    #[test]
    fn layer_norm_gives_mean_and_spread() {
        let rows: Vec<f32> = (0..18).map(|i| i as f32).collect();
        let mut out = vec![0.0; 18];
        layer_norm(&mut out, &rows, &[2.0; 18], &[1.0; 18]);
        let spread = (rows.iter().map(|v| (v - 8.5).powi(2)).sum::<f32>() / 18.0).sqrt();
        close(&out, &rows.iter().map(|v| 2.0 * (v - 8.5) / spread + 1.0).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_are_added_to_each_row() {
        let mut rows = [1.0, 2.0, 3.0, 4.0];
        add_to_rows(&mut rows, &[10.0, 20.0]);
        close(&rows, &[11.0, 22.0, 13.0, 24.0]);
    }
}
