//! Products beside sums in f64. Knows nothing of where matrices come from.

use super::*;

fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A store with that matrix behind another.
fn filled(values: &[f32], columns: usize, kind: Kind) -> (Store, Matrix) {
    let mut used = 0;
    let other = Matrix::new(3, 32, Kind::Half, &mut used).unwrap();
    let matrix = Matrix::new(values.len() / columns, columns, kind, &mut used).unwrap();
    let mut store = Store::new(used);
    store.put(&other, 0, &[7.0; 96]);
    // In two parts, the second in the midst of sixteen rows.
    let first = values.len() / columns / 3;
    store.put(&matrix, 0, &values[..first * columns]);
    store.put(&matrix, first, &values[first * columns..]);
    (store, matrix)
}

/// Compares with sums in f64 of what the matrix says that its values are.
fn check(rows: usize, columns: usize, count: usize, kind: Kind) {
    if !is_here() {
        eprintln!("skipped: this CPU does not multiply so");
        return;
    }
    let (weights, vectors) = (values(rows * columns, 1), values(count * columns, 2));
    let (store, matrix) = filled(&weights, columns, kind);
    let mut out = vec![f32::NAN; rows * count];
    store.product(&matrix, &vectors, &mut Room::default(), &mut out);
    let mut kept = vec![0.0; columns];
    for row in 0..rows {
        store.row(&matrix, row, &mut kept);
        let off = kept.iter().zip(&weights[row * columns..]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < if kind == Kind::Half { 1e-3 } else { 5e-3 }, "{off}");
        for (n, vector) in vectors.chunks_exact(columns).enumerate() {
            let exact: f64 = kept.iter().zip(vector).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let got = f64::from(out[n * rows + row]);
            // A vector's bytes are each half a step off at most.
            let most = if kind == Kind::Half { 1e-4 } else { 0.008 * (columns as f64).sqrt() };
            assert!((got - exact).abs() < most, "{row} {n}: {got}, {exact} expected");
        }
    }
}

#[test]
fn products_are_right_for_all_counts_of_rows_and_vectors() {
    for kind in [Kind::Bytes, Kind::Half] {
        check(16, 32, 1, kind);
        check(48, 512, 1, kind);
        check(37, 96, 2, kind);
        check(33, 64, 5, kind);
        check(64, 64, 13, kind);
    }
}

#[test]
fn the_narrow_kernels_give_what_the_wide_ones_give() {
    #[cfg(target_arch = "x86_64")]
    if is_here() && is_wide() {
        let (rows, columns) = (32, 128);
        let vectors = values(3 * columns, 5);
        for kind in [Kind::Bytes, Kind::Half] {
            let (store, matrix) = filled(&values(rows * columns, 4), columns, kind);
            let mut room = Room::default();
            room.take(&vectors);
            let mut wide = vec![0.0; 3 * rows];
            store.product(&matrix, &vectors, &mut room, &mut wide);
            let mut narrow = vec![0.0; 3 * rows];
            let lines = store.0[matrix.first..].as_ptr().cast::<u8>();
            // SAFETY: a CPU with the wide kernels has the narrow ones; all sizes are those of the matrix.
            unsafe {
                match kind {
                    Kind::Half => x86::halves::<3>(lines.cast(), vectors.as_ptr(), columns, &mut narrow),
                    Kind::Bytes => x86::bytes::<3>(
                        &x86::Bytes {
                            weights: lines,
                            vectors: room.bytes.as_ptr(),
                            scales: room.scales.as_ptr(),
                            offsets: room.offsets.as_ptr(),
                            blocks: columns / BLOCK,
                        },
                        &mut narrow,
                    ),
                }
            }
            let off = wide.iter().zip(&narrow).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{kind:?}: {off}");
        }
    }
}

#[test]
fn bytes_are_a_little_over_a_byte_a_value() {
    let mut used = 0;
    Matrix::new(64, 64, Kind::Bytes, &mut used).unwrap();
    assert_eq!(Store::new(used).size(), 64 * 64 + 64 * 64 / BLOCK * 4);
}

#[test]
fn rows_that_are_no_whole_blocks_are_refused() {
    assert!(Matrix::new(2, 20, Kind::Bytes, &mut 0).is_err());
    assert!(Matrix::new(0, 32, Kind::Half, &mut 0).is_err());
}
