//! Where Bazarr is and what its paths are called here. Does not know what is asked of it.

use super::Error;
use super::doors::Secret;

/// What is known of Bazarr itself.
#[derive(Debug, Clone)]
pub struct Bazarr {
    pub use_path_mapping: bool,
    /// How paths begin in Bazarr, one for each of `path_mapping_to`.
    pub path_mapping_from: Vec<String>,
    pub path_mapping_to: Vec<String>,
    pub url: Option<String>,
    pub api_key: Option<Secret>,
    /// With it, address and key are there.
    pub push_enabled: bool,
    pub push_interval_minutes: u64,
}

impl Default for Bazarr {
    fn default() -> Bazarr {
        Bazarr {
            use_path_mapping: false,
            path_mapping_from: Vec::new(),
            path_mapping_to: Vec::new(),
            url: None,
            api_key: None,
            push_enabled: false,
            push_interval_minutes: 15,
        }
    }
}

impl Bazarr {
    /// Beginnings of Bazarr's paths and what they are here; empty unless they are mapped.
    pub fn path_mapping(&self) -> Vec<(String, String)> {
        let pairs = self.path_mapping_from.iter().cloned().zip(self.path_mapping_to.iter().cloned());
        if self.use_path_mapping { pairs.collect() } else { Vec::new() }
    }

    /// Fails when values do not go together.
    pub fn check(&self) -> Result<(), Error> {
        let (from, to) = (self.path_mapping_from.len(), self.path_mapping_to.len());
        let wrong = |place: &str, problem: String| Err(Error::Value { place: place.to_owned(), problem });
        if from != to {
            let problem = format!(
                "it has {from} entries, path_mapping_to has {to}: give one for each, in the same order"
            );
            return wrong("path_mapping_from", problem);
        }
        if self.push_enabled && (self.url.is_none() || self.api_key.is_none()) {
            let problem =
                "push needs bazarr_url and bazarr_api_key (Bazarr shows its key under Settings > General)";
            return wrong("bazarr_push_enabled", problem.to_owned());
        }
        Ok(())
    }
}

/// A path from the root.
pub fn absolute(value: &str) -> Result<String, String> {
    if value.starts_with('/') {
        return Ok(value.to_string());
    }
    Err(format!("'{value}' is not a path from the root: give one like /media/films"))
}
