//! The ways a model's matrices are stored. Knows nothing of files.

use std::fmt;
use std::str::FromStr;

/// How the matrices of a model are stored; vectors and positions are f32 in all of them, convolutions f16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WeightType {
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
}

/// Name, `ftype` in the header (without the version, `ftype % 1000`), type of a tensor, values and bytes of a block.
/// Source: `ggml_ftype`, `ggml_type` and the block structures of ggml.
struct Row(WeightType, &'static str, i32, i32, u64, u64);

const TABLE: [Row; 12] = [
    Row(WeightType::F16, "f16", 1, 1, 1, 2),
    Row(WeightType::Bf16, "bf16", 24, 30, 1, 2),
    Row(WeightType::Q4_0, "q4_0", 2, 2, 32, 18),
    Row(WeightType::Q4_1, "q4_1", 3, 3, 32, 20),
    Row(WeightType::Q5_0, "q5_0", 8, 6, 32, 22),
    Row(WeightType::Q5_1, "q5_1", 9, 7, 32, 24),
    Row(WeightType::Q8_0, "q8_0", 7, 8, 32, 34),
    Row(WeightType::Q2K, "q2_k", 10, 10, 256, 84),
    Row(WeightType::Q3K, "q3_k", 11, 11, 256, 110),
    Row(WeightType::Q4K, "q4_k", 12, 12, 256, 144),
    Row(WeightType::Q5K, "q5_k", 13, 13, 256, 176),
    Row(WeightType::Q6K, "q6_k", 14, 14, 256, 210),
];

impl WeightType {
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The name as in file names: `q8_0`.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// What follows the model in its name: nothing for f16, else `-q8_0`.
    pub fn suffix(self) -> String {
        if self == WeightType::F16 { String::new() } else { format!("-{}", self.as_str()) }
    }

    /// True for the types that `import` and `convert` can make.
    pub fn is_writable(self) -> bool {
        matches!(self, WeightType::F16 | WeightType::Bf16 | WeightType::Q8_0 | WeightType::Q5_1)
    }

    /// The type that a header's `ftype` stands for. The thousands are the version of the quantisation.
    pub(super) fn from_ftype(ftype: i32) -> Option<WeightType> {
        TABLE.iter().find(|row| row.2 == ftype % 1000).map(|row| row.0)
    }

    /// The `ftype` that goes into a header, with the version that the published files have.
    pub(super) fn ftype(self) -> i32 {
        match self {
            WeightType::F16 | WeightType::Bf16 => self.row().2,
            WeightType::Q5_0 | WeightType::Q5_1 => 1000 + self.row().2,
            _ => 2000 + self.row().2,
        }
    }

    /// ggml's number of the type of a matrix.
    pub(super) fn tensor_type(self) -> i32 {
        self.row().3
    }

    /// Values in one block; rows are multiples of it.
    pub(super) fn block_values(self) -> u64 {
        self.row().4
    }

    /// Bytes of one block.
    pub(super) fn block_bytes(self) -> u64 {
        self.row().5
    }
}

impl fmt::Display for WeightType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WeightType {
    type Err = String;
    /// Fails with one sentence that names the value and those allowed.
    fn from_str(s: &str) -> Result<WeightType, String> {
        let wanted = s.to_lowercase();
        TABLE.iter().find(|row| row.1 == wanted).map(|row| row.0).ok_or_else(|| {
            format!("unknown weight type '{s}': use one of {}", TABLE.map(|row| row.1).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{TABLE, WeightType};

    #[test]
    fn every_type_is_found_by_its_name_its_ftype_and_its_place() {
        for row in &TABLE {
            assert_eq!(row.1.parse(), Ok(row.0));
            assert_eq!(WeightType::from_ftype(row.0.ftype()), Some(row.0));
            assert_eq!(row.0.row().1, row.1);
        }
    }

    #[test]
    fn all_f32_is_no_weight_type() {
        assert_eq!(WeightType::from_ftype(0), None);
    }
}
