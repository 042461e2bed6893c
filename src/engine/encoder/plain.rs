//! The product of matrices where `gemm` has no kernel for the CPU's vectors. Knows nothing of what is multiplied.
//!
//! On x86-64 `gemm` needs FMA and multiplies one number at a time without it: 13 GF/s where this does 32 (x86-64-v2 on a
//! core that does 200 with AVX-512). The inner loop is written so that the compiler keeps its sums in registers.

use super::math::{Into, View};
use std::cell::RefCell;

/// Rows and columns of the result that are summed at once: eight vectors of four.
const ROWS: usize = 4;
const COLUMNS: usize = 8;
/// Numbers of a row that are multiplied before the sums are put down, and columns that are gone through with them: what is
/// packed stays in the second cache.
const DEPTH: usize = 256;
const WIDTH: usize = 512;

thread_local! {
    /// The packed part of the second matrix, in panels of `COLUMNS` columns.
    static ROOM: RefCell<Vec<[f32; COLUMNS]>> = const { RefCell::new(Vec::new()) };
}

/// As [`super::math::product`].
pub(super) fn product(out: &mut [f32], row_step: usize, a: View<'_>, b: View<'_>, into: Into) {
    ROOM.with_borrow_mut(|room| {
        for from in (0..b.columns).step_by(WIDTH) {
            let columns = WIDTH.min(b.columns - from);
            for deep in (0..a.columns).step_by(DEPTH) {
                let depth = DEPTH.min(a.columns - deep);
                pack(room, b.part(deep, from), depth, columns);
                let first = deep == 0 && into == Into::Instead;
                for row in (0..a.rows).step_by(ROWS) {
                    let rows = ROWS.min(a.rows - row);
                    let strip = strip(a.part(row, deep), rows, depth);
                    for (panel, at) in room.chunks_exact(depth).zip((from..from + columns).step_by(COLUMNS)) {
                        let sums = tile(&strip[..depth], panel);
                        let width = COLUMNS.min(from + columns - at);
                        for (r, sums) in sums.iter().enumerate().take(rows) {
                            let to = &mut out[(row + r) * row_step + at..][..width];
                            match first {
                                true => to.copy_from_slice(&sums[..width]),
                                false => to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum),
                            }
                        }
                    }
                }
            }
        }
    });
}

/// The sums of a strip of rows times a panel of columns.
#[inline(always)]
fn tile(strip: &[[f32; ROWS]], panel: &[[f32; COLUMNS]]) -> [[f32; COLUMNS]; ROWS] {
    let mut sums = [[0.0; COLUMNS]; ROWS];
    for (a, b) in strip.iter().zip(panel) {
        for (sums, a) in sums.iter_mut().zip(a) {
            sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
        }
    }
    sums
}

/// The first `rows` rows side by side; what is missing of `ROWS` is 0.
fn strip(a: View<'_>, rows: usize, depth: usize) -> [[f32; ROWS]; DEPTH] {
    let mut strip = [[0.0; ROWS]; DEPTH];
    for r in 0..rows {
        let numbers = a.data[r * a.row_step..].iter().step_by(a.column_step);
        strip[..depth].iter_mut().zip(numbers).for_each(|(to, number)| to[r] = *number);
    }
    strip
}

/// The first `columns` columns in panels; what is missing of the last one is 0.
fn pack(room: &mut Vec<[f32; COLUMNS]>, b: View<'_>, depth: usize, columns: usize) {
    room.clear();
    room.resize(columns.div_ceil(COLUMNS) * depth, [0.0; COLUMNS]);
    for c in 0..columns {
        let numbers = b.data[c * b.column_step..].iter().step_by(b.row_step);
        let panel = &mut room[c / COLUMNS * depth..][..depth];
        panel.iter_mut().zip(numbers).for_each(|(to, number)| to[c % COLUMNS] = *number);
    }
}

#[cfg(test)]
mod tests {
    use super::super::math::{self, Into, View};

    fn check(rows: usize, depth: usize, columns: usize) {
        let numbers = |count: usize, salt: usize| -> Vec<f32> {
            (0..count).map(|i| ((i * 7919 + salt) % 1009) as f32 / 1009.0 - 0.5).collect()
        };
        let (a, b) = (numbers(rows * depth, 1), numbers(columns * depth * 2, 2));
        // Every other number of the columns, and a gap behind each row of the result.
        let second = View { data: &b, rows: depth, columns, row_step: 2, column_step: 2 * depth };
        let first = View::rows(&a, rows, depth);
        let (mut ours, mut theirs) = (vec![9.0; rows * (columns + 3)], vec![9.0; rows * (columns + 3)]);
        for into in [Into::Instead, Into::Added] {
            super::product(&mut ours, columns + 3, first, second, into);
            // SAFETY: the views are inside their data and fit each other, and there is room.
            unsafe { math::by_gemm(&mut theirs, columns + 3, first, second, into) };
            for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                assert!((ours - theirs).abs() < 1e-4, "{rows} x {depth} x {columns}, {i}: {ours}, {theirs}");
            }
        }
    }

    #[test]
    fn it_is_the_product_that_gemm_makes_of_the_same_views() {
        check(1, 1, 1);
        check(4, 64, 8);
        check(7, 300, 13);
        // More columns and more depth than are packed at once.
        check(5, 517, 531);
    }
}
