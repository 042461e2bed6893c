//! Decides who may call what. Knows nothing of sockets, of handlers, or of where the key comes from.
//!
//! Two dangers meet here: a stranger on the network, and a web page open in the user's own browser, which reaches
//! loopback as the user does. The first needs the key. The second has no key either, and is told apart by the
//! headers that a page cannot choose: `Origin`, and `Host` with a name that someone else's DNS answers for.

use super::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The key's header, and its place in the query.
pub const KEY_HEADER: &str = "X-Api-Key";
pub const KEY_QUERY: &str = "apikey";
/// Endpoints that tell nothing worth hiding. Bazarr's Test button drops the path, and with it the key.
pub const OPEN: [&str; 3] = ["/", "/status", "/health"];
/// What a key may stand before in the path.
const PROVIDER: [&str; 3] = ["asr", "detect-language", "status"];
/// Last labels of names that no public DNS server answers for.
const PRIVATE: [&str; 7] = ["localhost", "local", "lan", "home", "internal", "localdomain", "corp"];

/// Who needs the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// All but callers on this machine.
    External,
    Always,
    Never,
}

/// The rules.
#[derive(Clone)]
pub struct Access {
    /// Empty: no key fits.
    pub key: String,
    pub required: Required,
    /// Peers whose `X-Forwarded-For` counts.
    pub proxies: Vec<Net>,
    /// Names of this daemon that public DNS may know.
    pub names: Vec<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("required", &self.required).finish_non_exhaustive()
    }
}

/// What is looked at of a request.
#[derive(Debug, Clone, Default)]
pub struct Asked<'a> {
    /// As it will be routed: without a key.
    pub path: &'a str,
    /// Neither GET nor HEAD.
    pub changes: bool,
    pub peer: Option<IpAddr>,
    /// `X-Forwarded-For`, all lines joined by commas.
    pub forwarded: Option<String>,
    pub host: Option<&'a str>,
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site: cross-site`.
    pub cross_site: bool,
    pub keys: Vec<&'a str>,
}

impl Access {
    /// Fails with 401 when the key is missing or wrong, with 403 for what another web page asks.
    pub fn judge(&self, asked: &Asked<'_>) -> Result<(), Error> {
        let open = !asked.changes && OPEN.contains(&asked.path);
        if open || asked.keys.iter().any(|key| self.fits(key)) {
            return Ok(());
        }
        if asked.changes && self.is_foreign(asked) {
            return Err(Error::Forbidden(
                "another web page may not ask this: send the API key, or add this page's host to the setting \
                 host_names"
                    .into(),
            ));
        }
        let ours = asked.host.is_none_or(|host| self.is_own(host));
        let loopback = asked.peer.is_some_and(|ip| ip.to_canonical().is_loopback());
        let by_proxy = asked.peer.is_some_and(|ip| self.trusts(ip)) && asked.forwarded.is_some();
        match self.required {
            Required::Never if loopback && !by_proxy && !ours => Err(Error::Forbidden(
                "this daemon is not called by the name in the Host header: add it to the setting host_names"
                    .into(),
            )),
            Required::Never => Ok(()),
            Required::External if ours && self.is_local(asked) => Ok(()),
            Required::External | Required::Always => Err(Error::Unauthorized),
        }
    }

    /// Takes as long for a key that is nearly right as for any other: BLAKE3 hashes compare in constant time.
    fn fits(&self, key: &str) -> bool {
        !self.key.is_empty() && blake3::hash(key.as_bytes()) == blake3::hash(self.key.as_bytes())
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.proxies.iter().any(|net| net.contains(ip))
    }

    /// Whether the caller is on this machine. Who came by a proxy that is not listed is not: its loopback address
    /// says nothing about the caller.
    fn is_local(&self, asked: &Asked<'_>) -> bool {
        let Some(peer) = asked.peer else { return false };
        let caller = match &asked.forwarded {
            None => Some(peer),
            Some(hops) if self.trusts(peer) => self.caller(hops),
            Some(_) => None,
        };
        caller.is_some_and(|ip| ip.to_canonical().is_loopback())
    }

    /// The last hop that is no listed proxy: what stands before it the caller may have invented.
    fn caller(&self, hops: &str) -> Option<IpAddr> {
        for hop in hops.rsplit(',') {
            let ip = address(hop.trim())?;
            if !self.trusts(ip) {
                return Some(ip);
            }
        }
        address(hops.split(',').next()?.trim())
    }

    /// Whether a page of another site asks. Programs send no `Origin`.
    fn is_foreign(&self, asked: &Asked<'_>) -> bool {
        let Some(origin) = asked.origin else { return asked.cross_site };
        let Some((_, from)) = origin.split_once("://") else { return true };
        let same = asked.host.is_some_and(|host| host.eq_ignore_ascii_case(from));
        !same && !self.is_listed(name_of(from))
    }

    /// Whether the name in a `Host` header is one that no stranger's DNS server can point at this machine: an
    /// address, a name without a dot (`localhost`, a container, the machine), one of a home network, or a listed one.
    fn is_own(&self, host: &str) -> bool {
        let name = name_of(host).trim_end_matches('.').to_ascii_lowercase();
        let Some((_, last)) = name.rsplit_once('.') else { return true };
        address(&name).is_some()
            || PRIVATE.contains(&last)
            || name.ends_with(".home.arpa")
            // Docker's networks: `container.project_default`.
            || last.contains('_')
            || self.is_listed(&name)
    }

    fn is_listed(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// The key in `/KEY/asr` and the path without it; nothing for all other paths.
pub fn key_in_path(path: &str) -> Option<(&str, &str)> {
    let (key, rest) = path.strip_prefix('/')?.split_once('/')?;
    let fits = !key.is_empty() && key != "api" && PROVIDER.contains(&rest);
    fits.then(|| (key, &path[1 + key.len()..]))
}

/// `host:port` without the port, `[::1]:80` without the brackets.
fn name_of(host: &str) -> &str {
    let host = host.trim();
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None if host.matches(':').count() > 1 => host,
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// An address, also with a port and in brackets.
fn address(text: &str) -> Option<IpAddr> {
    name_of(text).parse().ok()
}

/// One address, or a network as `172.16.0.0/12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    ip: IpAddr,
    bits: u8,
}

impl Net {
    fn contains(&self, ip: IpAddr) -> bool {
        let number = |ip: IpAddr| match ip.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        };
        let ((ours, v4), (theirs, theirs_v4)) = (number(self.ip), number(ip));
        let differ = (ours ^ theirs).checked_shr(128 - u32::from(self.bits)).unwrap_or_default();
        v4 == theirs_v4 && differ == 0
    }
}

impl FromStr for Net {
    type Err = String;
    fn from_str(text: &str) -> Result<Net, String> {
        let wrong =
            || format!("'{text}' is not an address or a network: give one like 127.0.0.1 or 172.16.0.0/12");
        let (ip, bits) = match text.trim().split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text.trim(), None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let ip = ip.to_canonical();
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits <= most { Ok(Net { ip, bits }) } else { Err(wrong()) }
    }
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
