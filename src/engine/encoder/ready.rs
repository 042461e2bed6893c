//! Matrices made ready to be multiplied: in bytes, in bf16 or as f32. Knows nothing of transformers.

use super::super::Error;
use super::bytes::{self, GROUP, Values, Way};
use super::half;
use super::math::{self, Into, View};
use super::weights::{self, Weights};
use std::fmt;
use std::ops::Range;

/// Rows of a file's matrix that are read at once: what they are turned into stays in the cache.
pub const READ: usize = 64;

/// What matrices are made ready as. Both sides of a product are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Form {
    Plain,
    Half,
    Bytes(Way),
}

impl Form {
    /// Of what is made of the sound: bf16 where the CPU multiplies that, else bytes where it multiplies those, else f32.
    pub fn of_sound() -> Form {
        if half::is_here() { Form::Half } else { bytes::way().map_or(Form::Plain, Form::Bytes) }
    }

    /// The bytes that so many numbers take.
    fn size(self, numbers: u64) -> u64 {
        match self {
            Form::Plain => 4 * numbers,
            Form::Half => 2 * numbers,
            // A right matrix has a scale and a sum for each group, of four bytes each.
            Form::Bytes(_) => numbers + numbers / (GROUP as u64 / 8),
        }
    }

    /// Columns of a left matrix, and rows of a right one, that stand for so many: zeros are put behind them.
    pub fn whole(self, columns: usize) -> usize {
        if let Form::Bytes(_) = self { columns.next_multiple_of(GROUP) } else { columns }
    }

    /// Of layers and of what goes through them: bytes where the CPU multiplies those.
    pub fn of_layers() -> Form {
        bytes::way().map_or(Form::of_sound(), Form::Bytes)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Plain => "f32",
            Form::Half => "bf16",
            Form::Bytes(Way::Wide) => "bytes (AVX-512 VNNI)",
            Form::Bytes(Way::Narrow) => "bytes (AVX-VNNI)",
            Form::Bytes(Way::Pairs) => "bytes (AVX2)",
        })
    }
}

/// So many numbers of a layer, or of what goes through it, made ready, in bytes.
pub fn of_layers(numbers: u64) -> u64 {
    Form::of_layers().size(numbers)
}

/// As [`of_layers`], of what is made of the sound.
pub fn of_sound(numbers: u64) -> u64 {
    Form::of_sound().size(numbers)
}

/// A left matrix, of which parts are put in place one after the other.
pub(in crate::engine) struct Rows {
    columns: usize,
    data: RowData,
}

enum RowData {
    Plain(Vec<f32>),
    Half(Vec<u32>),
    Bytes(bytes::Left),
}

impl Rows {
    pub fn new(form: Form) -> Rows {
        Rows::of(Values::All, form)
    }

    /// Of such values; the matrices that it is multiplied with are made for them ([`Columns::beside`]).
    pub fn of(values: Values, form: Form) -> Rows {
        let data = match form {
            Form::Plain => RowData::Plain(Vec::new()),
            Form::Half => RowData::Half(Vec::new()),
            Form::Bytes(way) => RowData::Bytes(bytes::Left::new(way, values)),
        };
        Rows { columns: 0, data }
    }

    /// Becomes a matrix of that shape; what is in it then is of no use. In bytes its rows are whole groups.
    pub fn shape(&mut self, rows: usize, columns: usize) {
        self.columns = columns;
        match &mut self.data {
            RowData::Plain(numbers) => numbers.resize(rows * columns, 0.0),
            RowData::Half(pairs) => pairs.resize(rows * columns.div_ceil(2), 0),
            RowData::Bytes(left) => left.shape(rows, columns),
        }
    }

    /// Puts rows of `width` numbers, which begin `step` apart, in place, from that row and column on. Such a column is
    /// even; `width` is too, or ends with the matrix. In bytes both are whole groups.
    pub fn put(&mut self, row: usize, column: usize, width: usize, (numbers, step): (&[f32], usize)) {
        let columns = self.columns;
        debug_assert!(column.is_multiple_of(2) && (width.is_multiple_of(2) || column + width == columns));
        match &mut self.data {
            RowData::Plain(to) => {
                let to = to[row * columns + column..].chunks_mut(columns);
                to.zip(numbers.chunks(step))
                    .for_each(|(to, from)| to[..width].copy_from_slice(&from[..width]));
            }
            RowData::Half(pairs) => {
                let of_row = columns.div_ceil(2);
                half::put(&mut pairs[row * of_row + column / 2..], of_row, width, (numbers, step));
            }
            RowData::Bytes(left) => left.put((row, column), width, (numbers, step)),
        }
    }
}

/// A right matrix.
pub(in crate::engine) struct Columns {
    rows: usize,
    columns: usize,
    data: ColumnData,
}

enum ColumnData {
    /// Its columns lie one behind the other, or else its rows.
    Plain {
        numbers: Vec<f32>,
        by_columns: bool,
    },
    Half(half::Panels),
    Bytes(bytes::Panels),
}

/// What reading works in.
#[derive(Default)]
pub(in crate::engine) struct Reading {
    bytes: weights::Room,
    numbers: Vec<f32>,
}

impl Columns {
    pub fn new(form: Form) -> Columns {
        Columns::beside(Values::All, form)
    }

    /// To be multiplied with a left matrix of such values.
    pub fn beside(values: Values, form: Form) -> Columns {
        let data = match form {
            Form::Plain => ColumnData::Plain { numbers: Vec::new(), by_columns: false },
            Form::Half => ColumnData::Half(half::Panels::default()),
            Form::Bytes(way) => ColumnData::Bytes(bytes::Panels::new(way, values)),
        };
        Columns { rows: 0, columns: 0, data }
    }

    /// A layer's matrix, which has a row for each of its outputs in the file: here a column.
    pub fn read(&mut self, weights: &Weights, name: &str, reading: &mut Reading) -> Result<(), Error> {
        let [outputs, inputs] = *weights.shape(name)? else {
            return Err(Error::Failed(format!("{name} is no matrix")));
        };
        (self.rows, self.columns) = (inputs, outputs);
        let Reading { bytes, numbers } = reading;
        match &mut self.data {
            ColumnData::Plain { numbers, by_columns } => {
                *by_columns = true;
                numbers.clear();
                numbers.reserve_exact(inputs * outputs);
            }
            ColumnData::Half(panels) => panels.shape(inputs, outputs),
            ColumnData::Bytes(panels) => panels.shape(inputs, outputs),
        }
        for first in (0..outputs).step_by(READ) {
            weights.read_rows(name, first..outputs.min(first + READ), bytes, numbers)?;
            match &mut self.data {
                ColumnData::Plain { numbers: all, .. } => all.extend_from_slice(numbers),
                ColumnData::Half(panels) => panels.put_columns(first, (numbers, inputs)),
                ColumnData::Bytes(panels) => panels.put_columns(first, (numbers, inputs)),
            }
        }
        Ok(())
    }

    /// The first numbers of rows that are `step` apart, each row as a column (`by_columns`) or as a row. In bytes zeros
    /// follow up to whole groups of rows.
    pub fn take(&mut self, (data, step): (&[f32], usize), width: usize, by_columns: bool) {
        let count = data.len().div_ceil(step);
        (self.rows, self.columns) = if by_columns { (width, count) } else { (count, width) };
        match &mut self.data {
            ColumnData::Plain { numbers, by_columns: so } => {
                *so = by_columns;
                numbers.clear();
                numbers.reserve_exact(count * width);
                data.chunks(step).for_each(|row| numbers.extend(&row[..width]));
            }
            ColumnData::Half(panels) => {
                let rows = View { data, rows: count, columns: width, row_step: step, column_step: 1 };
                panels.fill(if by_columns { rows.transposed() } else { rows });
            }
            ColumnData::Bytes(panels) if by_columns => {
                panels.shape(width, count);
                panels.put_columns(0, (data, step));
            }
            ColumnData::Bytes(panels) => {
                self.rows = count.next_multiple_of(GROUP);
                panels.put_rows(width, (data, step));
            }
        }
    }

    /// `out = a b` or `out += a b` of some of the rows of `a` and of some of these columns, from a multiple of
    /// [`half::PANEL`] on; the rows of `out` are `row_step` apart.
    ///
    /// Panics where [`math::product`] does, and where the two are not ready in the same form.
    pub fn product(
        &self,
        out: &mut [f32],
        row_step: usize,
        (a, of): (&Rows, Range<usize>),
        columns: Range<usize>,
        into: Into,
    ) {
        assert!(a.columns == self.rows, "matrices that fit each other");
        match (&a.data, &self.data) {
            (RowData::Plain(left), ColumnData::Plain { numbers, by_columns }) => {
                let all = match by_columns {
                    true => View::rows(numbers, self.columns, self.rows).transposed(),
                    false => View::rows(numbers, self.rows, self.columns),
                };
                let right = View { columns: columns.len(), ..all.part(0, columns.start) };
                let left = View::rows(&left[of.start * a.columns..], of.len(), a.columns);
                math::product(out, row_step, left, right, into);
            }
            (RowData::Half(left), ColumnData::Half(panels)) => {
                let of_row = a.columns.div_ceil(2);
                let left = &left[of.start * of_row..of.end * of_row];
                half::product(out, row_step, left, panels, columns, into);
            }
            (RowData::Bytes(left), ColumnData::Bytes(panels)) => {
                bytes::product(out, row_step, (left, of), panels, columns, into);
            }
            _ => panic!("matrices that are ready in the same form"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919) % 257) as f32 / 128.0 - 1.0).collect()
    }

    /// Parts of a product, put and taken in pieces, are those of the whole.
    fn check(form: Form, inner: usize, by_columns: bool) {
        let (outer, count) = (70, 9);
        let (whole, first) = (form.whole(inner), if let Form::Bytes(_) = form { GROUP } else { 8 });
        let (mut a, b) = (numbers(count * whole), numbers((inner + 3) * (outer + 3)));
        a.chunks_exact_mut(whole).for_each(|row| row[inner..].fill(0.0));
        let mut rows = Rows::new(form);
        rows.shape(count, whole);
        rows.put(0, 0, first, (&a, whole));
        if whole > first {
            rows.put(0, first, whole - first, (&a[first..], whole));
        }
        let mut columns = Columns::new(form);
        // First another matrix, of which nothing stays.
        columns.take((&numbers(6400), GROUP), GROUP, !by_columns);
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
                let expected: f32 = (0..inner).map(|k| a[(3 + row) * whole + k] * of_right(k)).sum();
                let got = out[row * 40 + column] - 1.0;
                let most = if let Form::Bytes(_) = form { 0.2 } else { 0.05 };
                assert!((got - expected).abs() < most, "{row} {column}: {got}, {expected} expected");
            }
            assert_eq!(out[row * 40 + 38..(row + 1) * 40], [1.0; 2]);
        }
    }

    #[test]
    fn products_of_parts_are_right() {
        for form in [Form::Plain, Form::Half] {
            if form == Form::Half && !half::is_here() {
                eprintln!("skipped: this CPU does not multiply bf16");
                continue;
            }
            for inner in [20, 21] {
                check(form, inner, true);
                check(form, inner, false);
            }
        }
        let Some(way) = bytes::way() else {
            eprintln!("skipped: this CPU multiplies no bytes");
            return;
        };
        // Columns are whole groups, rows become so.
        check(Form::Bytes(way), 2 * GROUP, true);
        for inner in [GROUP, GROUP + 7] {
            check(Form::Bytes(way), inner, false);
        }
    }
}
