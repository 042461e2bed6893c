//! Each caller that is let in or turned away. Knows no server.

use super::*;

const KEY: &str = "0123456789abcdef";

fn access(required: Required) -> Access {
    Access { key: KEY.into(), required, proxies: Vec::new(), names: vec!["subs.example.com".into()] }
}

fn asked(peer: &str) -> Asked<'static> {
    Asked {
        path: "/api/jobs",
        peer: Some(peer.parse().unwrap()),
        host: Some("127.0.0.1:9000"),
        ..Asked::default()
    }
}

/// The status of the answer, 200 when it is let through.
fn status(access: &Access, asked: &Asked<'_>) -> u16 {
    match access.judge(asked) {
        Ok(()) => 200,
        Err(Error::Unauthorized) => 401,
        Err(Error::Forbidden(_)) => 403,
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn who_is_on_this_machine_needs_no_key_unless_the_setting_says_so() {
    let check = |required, peer, expected| {
        assert_eq!(status(&access(required), &asked(peer)), expected, "{required:?} {peer}");
    };
    for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        check(Required::External, own, 200);
        check(Required::Always, own, 401);
        check(Required::Never, own, 200);
    }
    for stranger in ["192.168.1.7", "172.17.0.2", "2001:db8::1"] {
        check(Required::External, stranger, 401);
        check(Required::Always, stranger, 401);
        check(Required::Never, stranger, 200);
    }
}

#[test]
fn a_key_opens_everything_and_only_the_whole_key() {
    let check = |keys: Vec<&'static str>, expected| {
        let stranger = Asked { keys, ..asked("192.168.1.7") };
        assert_eq!(status(&access(Required::Always), &stranger), expected, "{:?}", stranger.keys);
    };
    check(vec![KEY], 200);
    check(vec!["wrong", KEY], 200);
    check(vec!["0123456789abcdeF"], 401);
    check(vec!["0123456789abcde"], 401);
    check(vec![""], 401);
    let keyless = Access { key: String::new(), ..access(Required::Always) };
    assert_eq!(status(&keyless, &Asked { keys: vec![""], ..asked("127.0.0.1") }), 401, "no key, no way in");
}

#[test]
fn status_and_health_are_open_to_be_read() {
    for path in ["/", "/status", "/health"] {
        let read = Asked { path, ..asked("192.168.1.7") };
        assert_eq!(status(&access(Required::Always), &read), 200, "{path}");
        assert_eq!(status(&access(Required::Always), &Asked { changes: true, ..read }), 401, "{path}");
    }
}

#[test]
fn what_a_proxy_says_counts_only_when_the_proxy_is_listed() {
    let listed = Access {
        proxies: vec!["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
        ..access(Required::External)
    };
    let check = |access: &Access, hops: &str, expected| {
        let by_proxy = Asked { forwarded: Some(hops.into()), ..asked("127.0.0.1") };
        assert_eq!(status(access, &by_proxy), expected, "{hops}");
    };
    check(&access(Required::External), "203.0.113.9", 401);
    check(&access(Required::External), "127.0.0.1", 401);
    check(&listed, "203.0.113.9", 401);
    check(&listed, "127.0.0.2", 200);
    check(&listed, "127.0.0.2, 203.0.113.9", 401);
    check(&listed, "203.0.113.9, 10.1.2.3", 401);
    check(&listed, "203.0.113.9:4711, [::1]", 200);
    check(&listed, "unknown", 401);
    check(&listed, "", 401);
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let check = |origin: &'static str, host: &'static str, expected| {
        for required in [Required::External, Required::Never] {
            let page = Asked { changes: true, origin: Some(origin), host: Some(host), ..asked("127.0.0.1") };
            assert_eq!(status(&access(required), &page), expected, "{required:?} {origin} {host}");
        }
    };
    check("http://127.0.0.1:9000", "127.0.0.1:9000", 200);
    check("http://localhost:9000", "localhost:9000", 200);
    check("https://subs.example.com", "127.0.0.1:9000", 200);
    check("https://evil.example", "127.0.0.1:9000", 403);
    check("http://localhost:3000", "localhost:9000", 403);
    check("null", "localhost:9000", 403);
    let form = Asked { changes: true, cross_site: true, ..asked("127.0.0.1") };
    assert_eq!(status(&access(Required::External), &form), 403);
    let with_key = Asked { keys: vec![KEY], ..form };
    assert_eq!(status(&access(Required::External), &with_key), 200);
}

#[test]
fn a_name_that_a_stranger_can_point_here_is_no_way_in() {
    let check = |host: &'static str, external, never| {
        let rebound = Asked { host: Some(host), ..asked("127.0.0.1") };
        assert_eq!(status(&access(Required::External), &rebound), external, "{host}");
        assert_eq!(status(&access(Required::Never), &rebound), never, "{host}");
    };
    for own in [
        "localhost:9000",
        "127.0.0.1",
        "[::1]:9000",
        "nas",
        "transcriptord:9000",
        "host.docker.internal:9000",
        "nas.local",
        "nas.fritz.home.arpa",
        "whisper.media_default:9000",
        "subs.example.com",
        "localhost.:9000",
    ] {
        check(own, 200, 200);
    }
    check("evil.example:9000", 401, 403);
    check("127.0.0.1.nip.example", 401, 403);
    // From the network any name will do: there the key decides, or the user has decided that there is none.
    let lan = Asked { host: Some("media.example.org"), ..asked("192.168.1.7") };
    assert_eq!(status(&access(Required::Never), &lan), 200);
}

#[test]
fn a_key_may_stand_before_the_providers_paths_only() {
    assert_eq!(key_in_path("/abc/asr"), Some(("abc", "/asr")));
    assert_eq!(key_in_path("/abc/detect-language"), Some(("abc", "/detect-language")));
    assert_eq!(key_in_path("/abc/status"), Some(("abc", "/status")));
    for path in ["/asr", "/api/status", "/abc/api/jobs", "//asr", "/a/b/asr", "/abc/health"] {
        assert_eq!(key_in_path(path), None, "{path}");
    }
}

#[test]
fn a_network_holds_its_addresses() {
    let check = |net: &str, ip: &str, expected| {
        let net: Net = net.parse().unwrap();
        assert_eq!(net.contains(ip.parse().unwrap()), expected, "{net:?} {ip}");
    };
    check("172.16.0.0/12", "172.31.255.255", true);
    check("172.16.0.0/12", "172.32.0.0", false);
    check("10.0.0.1", "::ffff:10.0.0.1", true);
    check("10.0.0.1", "10.0.0.2", false);
    check("0.0.0.0/0", "8.8.8.8", true);
    check("0.0.0.0/0", "::1", false);
    check("fd00::/8", "fd12::1", true);
    for bad in ["", "nginx", "10.0.0.0/33", "10.0.0.0/x", "10.0.0/8"] {
        assert!(bad.parse::<Net>().is_err(), "{bad}");
    }
}
