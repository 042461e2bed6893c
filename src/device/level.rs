//! How much of x86-64 a CPU has, in the steps that packages are built for. Knows no program.
//!
//! The steps are those of the x86-64 psABI ("Micro-Architecture Levels"), as compilers know them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A step of x86-64; each has all of the one before. A program for one runs on CPUs of that step and above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// SSE 4.2: nearly every CPU since 2009.
    #[serde(rename = "x86-64-v2")]
    V2,
    /// AVX2, FMA: most since 2013.
    #[serde(rename = "x86-64-v3")]
    V3,
    /// AVX-512.
    #[serde(rename = "x86-64-v4")]
    V4,
}

/// The CPU that runs this, in a word.
pub fn cpu_name() -> String {
    match Level::of_cpu() {
        Some(level) => level.to_string(),
        None if cfg!(target_arch = "x86_64") => format!("less than {}", Level::V2),
        None => std::env::consts::ARCH.into(),
    }
}

/// The steps and what each adds to the one before. LAHF is left out: no CPU has the rest and lacks it.
const STEPS: [(Level, &[&str]); 3] = [
    (Level::V2, &["cmpxchg16b", "popcnt", "sse3", "ssse3", "sse4.1", "sse4.2"]),
    (Level::V3, &["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe"]),
    (Level::V4, &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
];

impl Level {
    /// All, the highest first.
    pub fn descending() -> impl Iterator<Item = Level> {
        STEPS.iter().rev().map(|(level, _)| *level)
    }

    /// The highest step of which all features, and those of the steps below, are there.
    fn reached(has: impl Fn(&str) -> bool) -> Option<Level> {
        let whole = STEPS.iter().take_while(|(_, features)| features.iter().all(|name| has(name)));
        whole.last().map(|(level, _)| *level)
    }

    /// Of the CPU that runs this, as far as its system lets programs use it; `None` below the first and on others
    /// than x86-64.
    pub fn of_cpu() -> Option<Level> {
        Level::reached(detected)
    }

    /// That this program was built for; `None` outside packages: then for the CPU that built it.
    pub fn of_program() -> Option<Level> {
        let name = option_env!("TRANSCRIPTORD_LEVEL")?;
        Level::descending().find(|level| level.to_string() == name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::V2 => "x86-64-v2",
            Level::V3 => "x86-64-v3",
            Level::V4 => "x86-64-v4",
        })
    }
}

/// Whether the CPU has the feature of this name; what is not known here is not there.
#[cfg(target_arch = "x86_64")]
fn detected(name: &str) -> bool {
    macro_rules! asked {
        ($($name:tt)*) => {
            match name {
                $($name => std::arch::is_x86_feature_detected!($name),)*
                _ => false,
            }
        };
    }
    asked! {
        "cmpxchg16b" "popcnt" "sse3" "ssse3" "sse4.1" "sse4.2"
        "avx" "avx2" "bmi1" "bmi2" "f16c" "fma" "lzcnt" "movbe"
        "avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl"
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detected(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::{Level, STEPS};

    fn check(lacking: &[&str], expected: Option<Level>) {
        assert_eq!(Level::reached(|name| !lacking.contains(&name)), expected, "without {lacking:?}");
    }

    #[test]
    fn a_level_is_reached_when_nothing_of_it_and_of_those_below_is_missing() {
        check(&[], Some(Level::V4));
        check(&["avx512vl"], Some(Level::V3));
        check(&["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"], Some(Level::V3));
        // AVX without AVX2 and FMA (2011 to 2012), and a machine that hides FMA while it shows AVX-512.
        check(&["avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe", "avx512f"], Some(Level::V2));
        check(&["fma"], Some(Level::V2));
        check(&["popcnt"], None);
        assert_eq!(Level::reached(|_| false), None);
    }

    #[test]
    fn the_cpu_has_the_level_that_linux_says() {
        // Linux names the same features in its own way.
        let Ok(cpu) = std::fs::read_to_string("/proc/cpuinfo") else { return };
        let flags = cpu.lines().find_map(|line| line.strip_prefix("flags\t\t: ")).unwrap_or_default();
        let linux = |name: &str| match name {
            "cmpxchg16b" => "cx16".to_owned(),
            "sse3" => "pni".to_owned(),
            "lzcnt" => "abm".to_owned(),
            other => other.replace('.', "_"),
        };
        let told = Level::reached(|name| flags.split(' ').any(|flag| flag == linux(name)));
        assert_eq!(Level::of_cpu(), told, "{flags}");
    }

    #[test]
    fn levels_are_in_order_and_print_as_compilers_call_them() {
        assert!(STEPS.windows(2).all(|two| two[0].0 < two[1].0) && None < Some(Level::V2));
        let names: Vec<String> = Level::descending().map(|level| level.to_string()).collect();
        assert_eq!(names, ["x86-64-v4", "x86-64-v3", "x86-64-v2"]);
        for level in Level::descending() {
            assert_eq!(serde_json::to_string(&level).unwrap(), format!("\"{level}\""));
        }
    }
}
