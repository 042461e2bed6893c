//! Matrices that are multiplied with a few vectors at a time, as a decoder does. Knows nothing of Whisper or files.
//!
//! Such a product waits for memory: each weight is used once or a few times. So weights lie in the order in which they
//! are read, sixteen rows side by side, so that a vector register holds one sum for each row, and as small as their type
//! allows: bytes with a scale for each 32 of them (what q8_0 says, or less than it says), else f16.

use super::super::encoder::math::{ROUND, greatest, with_vectors};
use super::super::{Error, pages};
#[cfg(target_arch = "x86_64")]
use super::x86;
use half::f16;
use half::slice::HalfFloatSliceExt;

/// Rows that lie side by side.
pub(super) const SIDE: usize = 16;
/// Values with a scale of their own.
pub(super) const BLOCK: usize = 32;
/// Values of a row that are multiplied at once as bytes.
pub(super) const QUAD: usize = 4;
/// Vectors that are multiplied at once.
const MOST: usize = 6;
/// A block of sixteen rows: their bytes, then their scales.
pub(super) const BLOCK_LINES: usize = BLOCK / QUAD + 1;

/// A line of the cache, so that rows begin with one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// How the values of a matrix are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As whole numbers up to 127, for [`BLOCK`] values one scale.
    Bytes,
    Half,
}

/// A matrix of `rows` rows and `columns` columns, whose values stand in a [`Store`]; behind its rows are zeros up to a
/// multiple of [`SIDE`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix {
    rows: usize,
    columns: usize,
    kind: Kind,
    /// Where its lines begin.
    first: usize,
}

/// Matrices one behind the other.
#[derive(Default)]
pub(super) struct Store(Vec<Line>);

/// What products work in.
#[derive(Default)]
pub(super) struct Room {
    /// The vectors as bytes, the scale of each block, and what [`OFFSET`] adds to a sum of it.
    bytes: Vec<i8>,
    scales: Vec<f32>,
    offsets: Vec<i32>,
    padded: Vec<f32>,
}

/// Kernels take the weights as bytes without a sign.
const OFFSET: i32 = 128;

/// Whether this CPU multiplies in the ways that are here.
pub(in crate::engine) fn is_here() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c")
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The vectors that products are made with.
pub(in crate::engine) fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if is_wide() {
        return "AVX-512 and VNNI";
    }
    "AVX2"
}

/// Whether it has the widest of them.
#[cfg(target_arch = "x86_64")]
fn is_wide() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512vnni")
}

impl Matrix {
    /// Of that kind behind `used` lines. Fails when columns are no whole blocks.
    pub fn new(rows: usize, columns: usize, kind: Kind, used: &mut usize) -> Result<Matrix, Error> {
        if rows == 0 || columns == 0 || (kind == Kind::Bytes && !columns.is_multiple_of(BLOCK)) {
            return Err(Error::Failed(format!("no matrix has {rows} rows of {columns} here")));
        }
        let matrix = Matrix { rows, columns, kind, first: *used };
        *used += matrix.lines();
        Ok(matrix)
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Lines of the store that it takes.
    fn lines(&self) -> usize {
        let sides = self.rows.div_ceil(SIDE);
        match self.kind {
            Kind::Half => (sides * SIDE * self.columns * 2).div_ceil(64),
            Kind::Bytes => sides * self.columns / BLOCK * BLOCK_LINES,
        }
    }

    /// The first line of a block of bytes.
    fn block(&self, side: usize, block: usize) -> usize {
        self.first + (side * (self.columns / BLOCK) + block) * BLOCK_LINES
    }
}

impl Store {
    /// Room for so many lines, all zero.
    pub fn new(lines: usize) -> Store {
        let mut store = Vec::new();
        pages::resize(&mut store, lines, Line([0; 64]));
        Store(store)
    }

    /// The bytes it takes.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.0.len() * 64
    }

    /// Puts whole rows of a matrix in place, from that row on.
    pub fn put(&mut self, matrix: &Matrix, first: usize, values: &[f32]) {
        let columns = matrix.columns;
        let mut halves = vec![f16::ZERO; columns];
        for (row, from) in (first..).zip(values.chunks_exact(columns)) {
            let (side, lane) = (row / SIDE, row % SIDE);
            if matrix.kind == Kind::Half {
                halves.convert_from_f32_slice(from);
                let to = &mut self.halves(matrix)[side * SIDE * columns..];
                to.iter_mut().skip(lane).step_by(SIDE).zip(&halves).for_each(|(to, v)| *to = v.to_bits());
                continue;
            }
            let first = matrix.block(side, 0);
            let blocks = self.0[first..].chunks_exact_mut(BLOCK_LINES).zip(from.as_chunks::<BLOCK>().0);
            with_vectors(
                #[inline(always)]
                || {
                    for (lines, from) in blocks {
                        let mut bytes = [0; BLOCK];
                        let scale = shrink(from, &mut bytes).0;
                        lines[BLOCK / QUAD].0[lane * 4..][..4].copy_from_slice(&scale.to_ne_bytes());
                        for (line, four) in lines.iter_mut().zip(bytes.as_chunks::<QUAD>().0) {
                            line.0[lane * QUAD..][..QUAD].copy_from_slice(bytemuck::cast_slice(four));
                        }
                    }
                },
            );
        }
    }

    /// The values of a matrix of f16: for each sixteen rows, column by column, the sixteen.
    fn halves(&mut self, matrix: &Matrix) -> &mut [u16] {
        let lines = &mut self.0[matrix.first..][..matrix.lines()];
        let values = matrix.rows.next_multiple_of(SIDE) * matrix.columns;
        // SAFETY: a line is 64 bytes without any between, aligned for 32 u16, of which every value is one.
        let halves = unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 32) };
        &mut halves[..values]
    }

    /// Writes a row of a matrix as f32.
    pub fn row(&self, matrix: &Matrix, row: usize, out: &mut [f32]) {
        let (side, lane) = (row / SIDE, row % SIDE);
        for (column, out) in out.iter_mut().enumerate() {
            *out = match matrix.kind {
                Kind::Half => {
                    let at = (side * matrix.columns + column) * SIDE + lane;
                    let line = &self.0[matrix.first + at / 32].0;
                    f16::from_le_bytes([line[at % 32 * 2], line[at % 32 * 2 + 1]]).to_f32()
                }
                Kind::Bytes => {
                    let lines = &self.0[matrix.block(side, column / BLOCK)..];
                    let value = lines[column % BLOCK / QUAD].0[lane * QUAD + column % QUAD] as i8;
                    let scale =
                        lines[BLOCK / QUAD].0[lane * 4..].first_chunk().expect("a line has 16 scales");
                    f32::from(value) * f32::from_ne_bytes(*scale)
                }
            };
        }
    }

    /// Multiplies a matrix with each of the vectors, which lie one behind the other; `out` gets [`Matrix::rows`] values
    /// for each.
    ///
    /// Panics on a CPU that [`is_here`] is false of, and when lengths do not fit: a mistake of ours.
    pub fn product(&self, matrix: &Matrix, vectors: &[f32], room: &mut Room, out: &mut [f32]) {
        assert!(is_here(), "a CPU that multiplies these");
        let count = vectors.len() / matrix.columns;
        assert!(
            count * matrix.columns == vectors.len() && count * matrix.rows == out.len(),
            "vectors that fit the matrix"
        );
        assert!(matrix.first + matrix.lines() <= self.0.len(), "a matrix of this store");
        if matrix.kind == Kind::Bytes {
            room.take(vectors);
        }
        let padded = matrix.rows.next_multiple_of(SIDE);
        let mut results = std::mem::take(&mut room.padded);
        let mut done = 0;
        while done < count {
            let now = MOST.min(count - done);
            // Where the last rows are no whole sixteen the result needs room behind them.
            let direct = matrix.rows == padded;
            let to: &mut [f32] = if direct {
                &mut out[done * padded..(done + now) * padded]
            } else {
                results.resize(now * padded, 0.0);
                &mut results
            };
            match now {
                1 => self.some::<1>(matrix, vectors, room, done, to),
                2 => self.some::<2>(matrix, vectors, room, done, to),
                3 => self.some::<3>(matrix, vectors, room, done, to),
                4 => self.some::<4>(matrix, vectors, room, done, to),
                5 => self.some::<5>(matrix, vectors, room, done, to),
                _ => self.some::<MOST>(matrix, vectors, room, done, to),
            }
            if !direct {
                for (to, from) in out[done * matrix.rows..(done + now) * matrix.rows]
                    .chunks_exact_mut(matrix.rows)
                    .zip(results.chunks_exact(padded))
                {
                    to.copy_from_slice(&from[..matrix.rows]);
                }
            }
            done += now;
        }
        room.padded = results;
    }

    /// The product with `N` vectors from the `first` on; `out` has rows in whole sixteens.
    fn some<const N: usize>(&self, of: &Matrix, vectors: &[f32], room: &Room, first: usize, out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        {
            let blocks = of.columns / BLOCK;
            // SAFETY: the CPU has what the kernels are compiled for; sizes were checked by `product`, and `room` was made
            // for them.
            unsafe {
                let vectors = vectors.as_ptr().add(first * of.columns);
                let lines = self.0.as_ptr().add(of.first).cast::<u8>();
                match (of.kind, is_wide()) {
                    (Kind::Half, true) => x86::halves_wide::<N>(lines.cast(), vectors, of.columns, out),
                    (Kind::Half, false) => x86::halves::<N>(lines.cast(), vectors, of.columns, out),
                    (Kind::Bytes, wide) => {
                        let bytes = x86::Bytes {
                            weights: lines,
                            vectors: room.bytes.as_ptr().add(first * of.columns),
                            scales: room.scales.as_ptr().add(first * blocks),
                            offsets: room.offsets.as_ptr().add(first * blocks),
                            blocks,
                        };
                        match wide {
                            true => x86::bytes_wide::<N>(&bytes, out),
                            false => x86::bytes::<N>(&bytes, out),
                        }
                    }
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (of, vectors, room, first, out);
    }
}

/// Values as whole numbers up to 127; gives what one of them is worth, and their sum.
#[inline(always)]
fn shrink(from: &[f32; BLOCK], to: &mut [i8; BLOCK]) -> (f32, i32) {
    let scale = greatest(from, f32::abs) / 127.0;
    // Of numbers next to nothing there would be too many.
    let (scale, part) = if scale >= f32::MIN_POSITIVE { (scale, 1.0 / scale) } else { (0.0, 0.0) };
    let mut sum = 0;
    for (to, from) in to.iter_mut().zip(from) {
        let value = (from * part + ROUND).to_bits() as i8;
        sum += i32::from(value);
        *to = value;
    }
    (scale, sum)
}

impl Room {
    /// Turns vectors into bytes.
    fn take(&mut self, vectors: &[f32]) {
        self.bytes.resize(vectors.len(), 0);
        self.scales.resize(vectors.len() / BLOCK, 0.0);
        self.offsets.resize(vectors.len() / BLOCK, 0);
        let to = self.bytes.as_chunks_mut::<BLOCK>().0.iter_mut();
        let scales = self.scales.iter_mut().zip(&mut self.offsets);
        let blocks = vectors.as_chunks::<BLOCK>().0.iter().zip(to).zip(scales);
        with_vectors(
            #[inline(always)]
            || {
                for ((from, to), (scale, offset)) in blocks {
                    let sum;
                    (*scale, sum) = shrink(from, to);
                    *offset = -OFFSET * sum;
                }
            },
        );
    }
}

#[cfg(test)]
#[path = "matrix_tests.rs"]
mod tests;
