//! How a device is asked to store its weights: the values of `cpu_compute_type` and `gpu_compute_type`. Knows no device.

use super::weights::WeightType;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What the setting says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ComputeType {
    /// What is fastest on the device.
    #[default]
    Auto,
    /// One of the types that can be made from f16.
    Fixed(WeightType),
}

impl ComputeType {
    /// The type that is wanted where `fastest` is the device's own choice.
    pub fn wanted(self, fastest: WeightType) -> WeightType {
        match self {
            ComputeType::Auto => fastest,
            ComputeType::Fixed(weights) => weights,
        }
    }
}

impl fmt::Display for ComputeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ComputeType::Auto => f.write_str("auto"),
            ComputeType::Fixed(weights) => weights.fmt(f),
        }
    }
}

impl FromStr for ComputeType {
    type Err = String;
    /// Fails with one sentence that names the value and those allowed.
    fn from_str(s: &str) -> Result<ComputeType, String> {
        match s.parse::<WeightType>() {
            _ if s == "auto" => Ok(ComputeType::Auto),
            Ok(weights) if weights.is_writable() => Ok(ComputeType::Fixed(weights)),
            _ => Err(format!("'{s}' is not one of auto, f16, bf16, q8_0, q5_1")),
        }
    }
}

impl TryFrom<String> for ComputeType {
    type Error = String;
    fn try_from(s: String) -> Result<ComputeType, String> {
        s.parse()
    }
}

impl From<ComputeType> for String {
    fn from(compute: ComputeType) -> String {
        compute.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::ComputeType;
    use crate::model::WeightType;

    #[test]
    fn a_setting_prints_as_it_is_read() {
        for word in ["auto", "f16", "bf16", "q8_0", "q5_1"] {
            assert_eq!(word.parse::<ComputeType>().unwrap().to_string(), word);
        }
    }

    #[test]
    fn what_cannot_be_made_is_no_setting() {
        for word in ["q4_0", "int8", "", "AUTO"] {
            let error = word.parse::<ComputeType>().unwrap_err();
            assert_eq!(error, format!("'{word}' is not one of auto, f16, bf16, q8_0, q5_1"));
        }
    }

    #[test]
    fn a_fixed_type_wins_over_what_is_fastest() {
        assert_eq!(ComputeType::Auto.wanted(WeightType::Bf16), WeightType::Bf16);
        assert_eq!(ComputeType::Fixed(WeightType::F16).wanted(WeightType::Bf16), WeightType::F16);
    }
}
