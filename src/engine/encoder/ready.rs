//! Matrices made ready to be multiplied: in bf16 where the CPU multiplies that, else as f32. Knows nothing of
//! transformers.

use super::super::Error;
use super::half::{self, Panels};
use super::math::{self, Into, View};
use super::weights::{self, Weights};
use std::ops::Range;

/// Rows of a file's matrix that are read at once: what they are turned into stays in the cache.
pub const READ: usize = 64;

/// A left matrix, of which parts are put in place one after the other.
pub(in crate::engine) struct Rows {
    /// In bf16, else as f32.
    half: bool,
    plain: Vec<f32>,
    pairs: Vec<u32>,
    columns: usize,
}

impl Default for Rows {
    fn default() -> Rows {
        Rows::new(half::is_here())
    }
}

impl Rows {
    fn new(half: bool) -> Rows {
        Rows { half, plain: Vec::new(), pairs: Vec::new(), columns: 0 }
    }

    /// Becomes a matrix of that shape; what is in it then is of no use.
    pub fn shape(&mut self, rows: usize, columns: usize) {
        self.columns = columns;
        match self.half {
            true => self.pairs.resize(rows * columns.div_ceil(2), 0),
            false => self.plain.resize(rows * columns, 0.0),
        }
    }

    /// Puts rows of `width` numbers, which begin `step` apart, in place, from that row and column on. Such a column is
    /// even; `width` is too, or ends with the matrix.
    pub fn put(&mut self, row: usize, column: usize, width: usize, (numbers, step): (&[f32], usize)) {
        debug_assert!(
            column.is_multiple_of(2) && (width.is_multiple_of(2) || column + width == self.columns)
        );
        if self.half {
            let of_row = self.columns.div_ceil(2);
            half::put(&mut self.pairs[row * of_row + column / 2..], of_row, width, (numbers, step));
            return;
        }
        let to = self.plain[row * self.columns + column..].chunks_mut(self.columns);
        to.zip(numbers.chunks(step)).for_each(|(to, from)| to[..width].copy_from_slice(&from[..width]));
    }

    fn view(&self, of: &Range<usize>) -> View<'_> {
        View::rows(&self.plain[of.start * self.columns..], of.len(), self.columns)
    }

    fn pairs(&self, of: &Range<usize>) -> &[u32] {
        let of_row = self.columns.div_ceil(2);
        &self.pairs[of.start * of_row..of.end * of_row]
    }
}

/// A right matrix.
pub(in crate::engine) struct Columns {
    /// In bf16, else as f32.
    half: bool,
    /// Its columns lie one behind the other, or else its rows.
    plain: Vec<f32>,
    by_columns: bool,
    panels: Panels,
    rows: usize,
    columns: usize,
}

/// What reading works in.
#[derive(Default)]
pub(in crate::engine) struct Reading {
    bytes: weights::Room,
    numbers: Vec<f32>,
}

impl Default for Columns {
    fn default() -> Columns {
        Columns::new(half::is_here())
    }
}

impl Columns {
    fn new(half: bool) -> Columns {
        let (plain, panels) = (Vec::new(), Panels::default());
        Columns { half, plain, by_columns: false, panels, rows: 0, columns: 0 }
    }

    /// A layer's matrix, which has a row for each of its outputs in the file: here a column.
    pub fn read(&mut self, weights: &Weights, name: &str, reading: &mut Reading) -> Result<(), Error> {
        let [outputs, inputs] = *weights.shape(name)? else {
            return Err(Error::Failed(format!("{name} is no matrix")));
        };
        (self.rows, self.columns, self.by_columns) = (inputs, outputs, true);
        let Reading { bytes, numbers } = reading;
        self.plain.clear();
        match self.half {
            true => self.panels.shape(inputs, outputs),
            false => self.plain.reserve_exact(inputs * outputs),
        }
        for first in (0..outputs).step_by(READ) {
            weights.read_rows(name, first..outputs.min(first + READ), bytes, numbers)?;
            match self.half {
                true => self.panels.put_columns(first, (numbers, inputs)),
                false => self.plain.extend_from_slice(numbers),
            }
        }
        Ok(())
    }

    /// The first numbers of rows that are `step` apart, each row as a column (`by_columns`) or as a row.
    pub fn take(&mut self, (data, step): (&[f32], usize), width: usize, by_columns: bool) {
        let count = data.len().div_ceil(step);
        self.by_columns = by_columns;
        (self.rows, self.columns) = if by_columns { (width, count) } else { (count, width) };
        if self.half {
            let rows = View { data, rows: count, columns: width, row_step: step, column_step: 1 };
            return self.panels.fill(if by_columns { rows.transposed() } else { rows });
        }
        self.plain.clear();
        self.plain.reserve_exact(count * width);
        data.chunks(step).for_each(|row| self.plain.extend(&row[..width]));
    }

    /// `out = a b` or `out += a b` of some of the rows of `a` and of some of these columns, from a multiple of
    /// [`half::PANEL`] on; the rows of `out` are `row_step` apart.
    ///
    /// Panics where [`math::product`] does.
    pub fn product(
        &self,
        out: &mut [f32],
        row_step: usize,
        (a, of): (&Rows, Range<usize>),
        columns: Range<usize>,
        into: Into,
    ) {
        assert!(a.columns == self.rows && a.half == self.half, "matrices that fit each other");
        if self.half {
            return half::product(out, row_step, a.pairs(&of), &self.panels, columns, into);
        }
        let all = match self.by_columns {
            true => View::rows(&self.plain, self.columns, self.rows).transposed(),
            false => View::rows(&self.plain, self.rows, self.columns),
        };
        let right = View { columns: columns.len(), ..all.part(0, columns.start) };
        math::product(out, row_step, a.view(&of), right, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919) % 257) as f32 / 128.0 - 1.0).collect()
    }

    /// Parts of a product, put and taken in pieces, are those of the whole.
    fn check(half: bool, inner: usize, by_columns: bool) {
        let (outer, count) = (70, 9);
        let (a, b) = (numbers(count * inner), numbers((inner + 3) * (outer + 3)));
        let mut rows = Rows::new(half);
        rows.shape(count, inner);
        rows.put(0, 0, 8, (&a, inner));
        rows.put(0, 8, inner - 8, (&a[8..], inner));
        let mut columns = Columns::new(half);
        // First another matrix, of which nothing stays.
        columns.take((&numbers(5000), 50), 50, !by_columns);
        // Rows of the matrix, or its columns, are three numbers apart.
        let (step, width, last) =
            if by_columns { (inner + 3, inner, outer - 1) } else { (outer + 3, outer, inner - 1) };
        columns.take((&b[..last * step + width], step), width, by_columns);
        let mut out = vec![1.0; 4 * 40];
        columns.product(&mut out, 40, (&rows, 3..7), 32..70, Into::Added);
        for row in 0..4 {
            for column in 0..38 {
                let of_right = |k: usize| match by_columns {
                    true => b[(32 + column) * step + k],
                    false => b[k * step + 32 + column],
                };
                let expected: f32 = (0..inner).map(|k| a[(3 + row) * inner + k] * of_right(k)).sum();
                let got = out[row * 40 + column] - 1.0;
                assert!((got - expected).abs() < 0.05, "{row} {column}: {got}, {expected} expected");
            }
            assert_eq!(out[row * 40 + 38..(row + 1) * 40], [1.0; 2]);
        }
    }

    #[test]
    fn products_of_parts_are_right() {
        for half in [false, true] {
            if half && !half::is_here() {
                eprintln!("skipped: this CPU does not multiply bf16");
                continue;
            }
            for inner in [20, 21] {
                check(half, inner, true);
                check(half, inner, false);
            }
        }
    }
}
