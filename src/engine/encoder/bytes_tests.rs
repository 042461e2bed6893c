//! Products in bytes beside sums of the rounded values. Knows nothing of where matrices come from.

use super::super::half;
use super::*;

/// Some values are far greater than the others, as they are in a transformer.
fn matrix(rows: usize, columns: usize, seed: u32) -> Vec<f32> {
    let mut values = half::tests::matrix(rows, columns, seed);
    values.iter_mut().step_by(97).for_each(|v| *v *= 20.0);
    values
}

/// What a group becomes: whole numbers, and what one of them is worth.
fn shrunk(group: &[f32], most: u8, shift: u8) -> (Vec<f64>, f64) {
    let mut bytes = [0; GROUP];
    let scale = shrink(group.try_into().unwrap(), most, shift, &mut bytes);
    let whole = bytes.iter().map(|b| f64::from(*b) - f64::from(shift)).collect::<Vec<_>>();
    for (whole, value) in whole.iter().zip(group) {
        assert!((whole * f64::from(scale) - f64::from(*value)).abs() <= 0.501 * f64::from(scale));
    }
    (whole, f64::from(scale))
}

/// Compares with sums of the rounded values, in f64.
fn check(way: Way, values: Values, rows: usize, inner: usize, columns: usize) {
    if !way.is_here() {
        eprintln!("skipped: this CPU lacks {way:?}");
        return;
    }
    let (mut a, b) = (matrix(rows + 2, inner, 1), matrix(columns, inner, 2));
    if values == Values::Positive {
        a.iter_mut().for_each(|v| *v = v.abs());
    }
    let (mut left, mut panels) = (Left::new(way, values), Panels::new(way, values));
    left.shape(rows + 2, inner);
    left.put((0, 0), GROUP, (&a, inner));
    left.put((0, GROUP), inner - GROUP, (&a[GROUP..], inner));
    panels.shape(inner, columns);
    panels.put_columns(0, (&b[..5 * inner], inner));
    panels.put_columns(5, (&b[5 * inner..], inner));
    let step = columns + 3;
    let mut out = vec![5.0; rows * step];
    product(&mut out, step, (&left, 2..rows + 2), &panels, 0..columns, Into::Instead);
    product(&mut out, step, (&left, 2..rows + 2), &panels, 0..columns, Into::Added);
    for row in 0..rows {
        for column in 0..columns {
            let (a, b) = (&a[(row + 2) * inner..][..inner], &b[column * inner..][..inner]);
            let groups = a.chunks(GROUP).zip(b.chunks(GROUP));
            let expected: f64 = groups
                .map(|(a, b)| {
                    let (a, by) = shrunk(a, way.most(values), way.shift(values));
                    let (b, times) = shrunk(b, 127, 128);
                    2.0 * by * times * a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>()
                })
                .sum();
            let got = f64::from(out[row * step + column]);
            assert!((got - expected).abs() < 1e-3, "{way:?} {row} {column}: {got}, {expected} expected");
        }
        // What lies between the rows is not touched.
        assert!(out[row * step + columns..(row + 1) * step].iter().all(|v| *v == 5.0));
    }
}

#[test]
fn products_of_all_shapes_are_right() {
    for way in [Way::Wide, Way::Narrow, Way::Pairs] {
        for values in [Values::All, Values::Positive] {
            check(way, values, 12, 128, 32);
            check(way, values, 17, 192, 70);
            check(way, values, 1, 128, 6);
            check(way, values, 40, 512, 100);
        }
    }
}

#[test]
fn every_way_that_this_cpu_has_is_found_right() {
    let ways = [Way::Wide, Way::Narrow, Way::Pairs].into_iter().filter(|way| way.is_here());
    ways.for_each(|way| assert!(way.is_right(), "{way:?}"));
}

#[test]
fn the_greatest_values_do_not_overflow() {
    let way = Way::Pairs;
    if !way.is_here() {
        eprintln!("skipped: this CPU lacks {way:?}");
        return;
    }
    for values in [Values::All, Values::Positive] {
        let (mut left, mut panels) = (Left::new(way, values), Panels::new(way, values));
        left.shape(1, GROUP);
        left.put((0, 0), GROUP, (&[1.0; GROUP], GROUP));
        panels.shape(GROUP, 2);
        panels.put_columns(0, (&[1.0; GROUP], GROUP));
        panels.put_columns(1, (&[-1.0; GROUP], GROUP));
        let mut out = [0.0; 2];
        product(&mut out, 2, (&left, 0..1), &panels, 0..2, Into::Instead);
        assert_eq!(out, [64.0, -64.0]);
    }
}

#[test]
fn rows_become_columns_with_zeros_behind() {
    let Some(way) = way() else {
        eprintln!("skipped: this CPU multiplies no bytes");
        return;
    };
    // Three numbers of each of 70 rows that are five apart, as columns; as if they had lain so.
    let (rows, width, step) = (70, 3, 5);
    let data = matrix(rows, step, 3);
    let whole = rows.next_multiple_of(GROUP);
    let mut turned = vec![0.0; width * whole];
    for (i, row) in data.chunks(step).enumerate() {
        (0..width).for_each(|column| turned[column * whole + i] = row[column]);
    }
    let [mut got, mut expected] = [(); 2].map(|()| Panels::new(way, Values::All));
    got.put_rows(width, (&data, step));
    expected.shape(whole, width);
    expected.put_columns(0, (&turned, whole));
    assert_eq!((&got.quads, &got.scales), (&expected.quads, &expected.scales));
    assert_eq!((got.rows, got.columns), (whole, width));
}

#[test]
fn nothing_becomes_nothing() {
    assert_eq!(shrunk(&[0.0; GROUP], 127, 128), (vec![0.0; GROUP], 0.0));
}
