//! Who is let in, how much is taken in and kept, and who is told. Does not know how any of it is done.

use crate::http::Net;
use std::fmt;

words! {
    /// Who needs the API key.
    AuthRequired {
        /// Everyone but those on this machine.
        External = "external",
        /// Everyone.
        Always = "always",
        /// Nobody.
        Never = "never",
    }
}

/// A value that no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What the HTTP face and the housekeeping are told.
#[derive(Debug, Clone)]
pub struct Doors {
    /// `None`: the one in `DATA_DIR/api_key`, made at the first start.
    pub api_key: Option<Secret>,
    pub auth_required: AuthRequired,
    /// Peers whose `X-Forwarded-For` counts.
    pub trusted_proxies: Vec<Net>,
    /// Names that this daemon is called by, besides addresses, the machine's name and those that only a home
    /// network knows.
    pub host_names: Vec<String>,
    pub max_concurrent_uploads: usize,
    /// 0: no limit.
    pub spool_quota_gb: u64,
    /// 0: for ever.
    pub result_retention_days: u64,
    /// 0: for ever.
    pub job_retention_days: u64,
    /// How long a provider request is held; 0 is until its job has ended.
    pub provider_timeout_seconds: u64,
    /// The `Retry-After` of a 202.
    pub provider_polling_interval: u32,
    /// Who is told of every job's end.
    pub webhook_url: Option<String>,
    pub webhook_secret: Option<Secret>,
    /// Whether ends of Bazarr's jobs are told too.
    pub provider_callback_enabled: bool,
}

impl Default for Doors {
    fn default() -> Doors {
        Doors {
            api_key: None,
            auth_required: AuthRequired::External,
            trusted_proxies: Vec::new(),
            host_names: Vec::new(),
            max_concurrent_uploads: 64,
            spool_quota_gb: 20,
            result_retention_days: 90,
            job_retention_days: 90,
            provider_timeout_seconds: 0,
            provider_polling_interval: 30,
            webhook_url: None,
            webhook_secret: None,
            provider_callback_enabled: true,
        }
    }
}

/// A key that may stand in a URL's path. The value itself is in no message.
pub fn api_key(value: &str) -> Result<Secret, String> {
    let fits = value.len() >= 16 && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits {
        Ok(Secret(value.to_string()))
    } else {
        Err("the key does not fit: give at least 16 letters, digits, '-' or '_', as it may stand in a URL"
            .to_string())
    }
}

/// `true` or `false` in the usual spellings.
pub fn switch(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("'{value}' does not fit: give true or false")),
    }
}

/// A URL that a message can be posted to. It may hold a password, so the value is in no message.
pub fn web_address(value: &str) -> Result<String, String> {
    let fits =
        reqwest::Url::parse(value).is_ok_and(|u| matches!(u.scheme(), "http" | "https") && u.has_host());
    if fits {
        Ok(value.to_string())
    } else {
        Err("this is not a web address: give one like http://127.0.0.1:8080/hook".to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{api_key, switch, web_address};

    #[test]
    fn a_key_fits_into_a_url_and_is_in_no_message() {
        assert!(api_key("0123456789abcdef").is_ok());
        for bad in ["short", "0123456789abcdef/../x", "0123456789 abcdef"] {
            let error = api_key(bad).unwrap_err();
            assert!(!error.contains(bad), "{error}");
        }
    }

    #[test]
    fn switches_and_addresses_are_checked() {
        assert_eq!((switch("On"), switch("0")), (Ok(true), Ok(false)));
        assert!(switch("perhaps").is_err());
        assert!(web_address("https://user:pw@host/hook?x=1").is_ok());
        for bad in ["ftp://host/", "host:80", "http://", "/hook"] {
            assert!(web_address(bad).is_err(), "{bad}");
        }
    }
}
