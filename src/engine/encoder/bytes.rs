//! Products of matrices in bytes, with a scale for each 64 values on both sides and sums in whole numbers, for CPUs that
//! multiply bytes. Knows nothing of transformers.
//!
//! One instruction multiplies and adds four times as many bytes as f32s. Values of the left matrix become numbers without a
//! sign, shifted by half of their range, as the instructions want them; what the shift adds is taken off the sums again
//! where they begin.

use super::half::{PANEL, check_places};
use super::math::{Into, ROUND, greatest, turn, with_vectors};
use super::pages;
use std::ops::Range;
use std::sync::OnceLock;

/// Values that share a scale: a head's.
pub(super) const GROUP: usize = 64;
const QUAD: usize = 4;
const QUADS: usize = GROUP / QUAD;

/// With which instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// AVX-512 with VNNI.
    Wide,
    /// AVX-VNNI: CPUs of Intel without AVX-512, from Alder Lake and N100 on.
    Narrow,
    /// AVX2. It adds pairs in 16 bits: the left values get seven bits, so that nothing is lost.
    Pairs,
}

/// The best this CPU has, of those that give what they should; None where there is none.
pub fn way() -> Option<Way> {
    static BEST: OnceLock<Option<Way>> = OnceLock::new();
    let all = [Way::Wide, Way::Narrow, Way::Pairs];
    *BEST.get_or_init(|| all.into_iter().find(|way| way.is_here() && way.is_right()))
}

impl Way {
    /// Whether this CPU can go it.
    fn is_here(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return match self {
            Way::Wide => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni"),
            Way::Narrow => {
                Way::Pairs.is_here() && (is_x86_feature_detected!("avxvnni") || has_narrow_of_avx512())
            }
            Way::Pairs => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        };
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Whether a small product is near what it is in f32: CPUs had wrong kernels before, and not every kind was at hand.
    fn is_right(self) -> bool {
        const ROWS: usize = 7;
        const INNER: usize = 2 * GROUP;
        const COLUMNS: usize = PANEL + 5;
        let numbers =
            |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
        let (a, b) = (numbers(ROWS * INNER, 0.7), numbers(COLUMNS * INNER, 0.3));
        let (mut left, mut panels) = (Left::new(self, Values::All), Panels::new(self, Values::All));
        left.shape(ROWS, INNER);
        left.put((0, 0), INNER, (&a, INNER));
        panels.shape(INNER, COLUMNS);
        panels.put_columns(0, (&b, INNER));
        let mut out = vec![0.0; ROWS * COLUMNS];
        product(&mut out, COLUMNS, (&left, 0..ROWS), &panels, 0..COLUMNS, Into::Instead);
        let dot = |at: usize| {
            let (a, b) = (&a[at / COLUMNS * INNER..][..INNER], &b[at % COLUMNS * INNER..][..INNER]);
            a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()
        };
        // Rounding alone is far below that, a wrong kernel far above.
        let most = INNER as f32 / f32::from(self.most(Values::All)) / 4.0;
        out.iter().enumerate().all(|(at, got)| (got - dot(at)).abs() < most)
    }

    /// The greatest value of the left matrix as a byte, before the shift.
    fn most(self, values: Values) -> u8 {
        match (self, values) {
            (Way::Wide | Way::Narrow, Values::All) | (Way::Pairs, Values::Positive) => 127,
            (Way::Wide | Way::Narrow, Values::Positive) => 255,
            (Way::Pairs, Values::All) => 63,
        }
    }

    fn shift(self, values: Values) -> u8 {
        if values == Values::All { self.most(values) + 1 } else { 0 }
    }
}

/// What the values of a left matrix are: those that none is below 0 of need no shift, and get twice as many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Values {
    All,
    Positive,
}

/// Whether the instructions of [`Way::Narrow`] are here as AVX-512 has them: where they can be tried, but not needed.
#[cfg(target_arch = "x86_64")]
fn has_narrow_of_avx512() -> bool {
    is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512vnni")
}

/// A left matrix; its rows are whole groups.
pub(super) struct Left {
    way: Way,
    values: Values,
    bytes: Vec<u8>,
    scales: Vec<f32>,
    columns: usize,
}

/// A right matrix in panels of [`PANEL`] columns: for each four rows of a group, four values a column.
pub(super) struct Panels {
    way: Way,
    /// Of the left matrices that it is multiplied with.
    values: Values,
    quads: Vec<u32>,
    /// Of each group of each column, and where its sums begin.
    scales: Vec<f32>,
    starts: Vec<i32>,
    rows: usize,
    columns: usize,
}

impl Left {
    pub fn new(way: Way, values: Values) -> Left {
        Left { way, values, bytes: Vec::new(), scales: Vec::new(), columns: 0 }
    }

    /// Becomes a matrix of that shape; what is in it then is of no use.
    pub fn shape(&mut self, rows: usize, columns: usize) {
        assert!(columns.is_multiple_of(GROUP), "whole groups");
        self.columns = columns;
        self.bytes.resize(rows * columns, 0);
        self.scales.resize(rows * columns / GROUP, 0.0);
    }

    /// Puts rows of `width` numbers, which begin `step` apart, in place, from that row and column on: whole groups.
    pub fn put(&mut self, (row, column): (usize, usize), width: usize, from: (&[f32], usize)) {
        debug_assert!(column.is_multiple_of(GROUP) && width.is_multiple_of(GROUP));
        let (numbers, step) = from;
        let bytes = self.bytes[row * self.columns + column..].chunks_mut(self.columns);
        let (most, shift) = (self.way.most(self.values), self.way.shift(self.values));
        let of_row = self.columns / GROUP;
        let scales = self.scales[row * of_row + column / GROUP..].chunks_mut(of_row);
        with_vectors(
            #[inline(always)]
            || {
                for ((bytes, scales), row) in bytes.zip(scales).zip(numbers.chunks(step)) {
                    let groups = row[..width].as_chunks::<GROUP>().0;
                    for ((to, scale), group) in
                        bytes.as_chunks_mut::<GROUP>().0.iter_mut().zip(scales).zip(groups)
                    {
                        *scale = shrink(group, most, shift, to);
                    }
                }
            },
        );
    }
}

/// Values as bytes from `shift - most`, or 0, to `shift + most`; gives what a step of one is worth.
#[inline(always)]
fn shrink(group: &[f32; GROUP], most: u8, shift: u8, to: &mut [u8; GROUP]) -> f32 {
    let size = greatest(group, f32::abs).max(0.0);
    let steps = if size > 0.0 { f32::from(most) / size } else { 0.0 };
    let middle = ROUND + f32::from(shift);
    for (to, value) in to.iter_mut().zip(group) {
        *to = (value * steps + middle).to_bits() as u8;
    }
    size / f32::from(most)
}

impl Panels {
    pub fn new(way: Way, values: Values) -> Panels {
        let (quads, scales, starts) = (Vec::new(), Vec::new(), Vec::new());
        Panels { way, values, quads, scales, starts, rows: 0, columns: 0 }
    }

    /// Becomes a matrix of that shape; what is in it then is of no use.
    pub fn shape(&mut self, rows: usize, columns: usize) {
        assert!(rows.is_multiple_of(GROUP), "whole groups");
        (self.rows, self.columns) = (rows, columns);
        let groups = columns.div_ceil(PANEL) * rows / GROUP;
        pages::resize(&mut self.quads, groups * QUADS * PANEL, 0);
        self.scales.resize(groups * PANEL, 0.0);
        self.starts.resize(groups * PANEL, 0);
    }

    /// Becomes the first numbers of rows, which begin `step` apart, with zeros behind the last up to whole groups.
    pub fn put_rows(&mut self, width: usize, (data, step): (&[f32], usize)) {
        self.shape(data.len().div_ceil(step).next_multiple_of(GROUP), width);
        let mut turned = Vec::new();
        turn((data, step), width, self.rows, &mut turned);
        self.put_columns(0, (&turned, self.rows));
    }

    /// Puts columns, which begin `step` apart and lie in one piece, in place from that one on.
    pub fn put_columns(&mut self, first: usize, (data, step): (&[f32], usize)) {
        let (groups, shift) = (self.rows / GROUP, i32::from(self.way.shift(self.values)));
        with_vectors(
            #[inline(always)]
            || {
                let mut bytes = [0; GROUP];
                for (column, data) in (first..self.columns).zip(data.chunks(step)) {
                    let at = column / PANEL * groups;
                    for (group, data) in data[..self.rows].as_chunks::<GROUP>().0.iter().enumerate() {
                        let place = (at + group) * PANEL + column % PANEL;
                        self.scales[place] = shrink(data, 127, 0, &mut bytes);
                        let sum: i32 = bytes.iter().map(|b| i32::from(*b as i8)).sum();
                        self.starts[place] = -shift * sum;
                        let quads = &mut self.quads[(at + group) * QUADS * PANEL + column % PANEL..];
                        for (to, quad) in quads.iter_mut().step_by(PANEL).zip(bytes.as_chunks::<QUAD>().0) {
                            *to = u32::from_le_bytes(*quad);
                        }
                    }
                }
            },
        );
    }
}

/// As [`super::math::product`], of some rows with those columns of a right matrix in panels; the first begins a panel.
///
/// Panics where that does, and on a CPU that lacks the way.
pub(super) fn product(
    out: &mut [f32],
    row_step: usize,
    (a, of): (&Left, Range<usize>),
    b: &Panels,
    columns: Range<usize>,
    into: Into,
) {
    assert!((a.way, a.values) == (b.way, b.values) && a.way.is_here(), "a CPU that can go the way");
    assert!(
        a.columns == b.rows && !of.is_empty() && of.end * a.columns <= a.bytes.len(),
        "matrices that fit"
    );
    check_places((out.len(), row_step), of.len(), b.columns, &columns);
    #[cfg(target_arch = "x86_64")]
    for first in columns.clone().step_by(PANEL) {
        let groups = b.rows / GROUP;
        let at = first / PANEL * groups * PANEL;
        let of = kernels::Of {
            left: &a.bytes[of.start * a.columns..of.end * a.columns],
            left_scales: &a.scales[of.start * groups..of.end * groups],
            quads: &b.quads[at * QUADS..][..groups * QUADS * PANEL],
            scales: &b.scales[at..][..groups * PANEL],
            starts: &b.starts[at..][..groups * PANEL],
            row_step,
            columns: PANEL.min(columns.end - first),
            added: into == Into::Added,
        };
        let out = &mut out[first - columns.start..];
        // SAFETY: the CPU has what the functions are compiled for; the sizes were asserted above.
        unsafe {
            match a.way {
                Way::Wide => kernels::wide(&of, out),
                Way::Narrow if has_narrow_of_avx512() => kernels::narrow_of_avx512(&of, out),
                Way::Narrow => kernels::narrow(&of, out),
                Way::Pairs => kernels::pairs(&of, out),
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = into;
}

#[cfg(target_arch = "x86_64")]
#[path = "bytes_x86.rs"]
mod kernels;

#[cfg(test)]
#[path = "bytes_tests.rs"]
mod tests;
