//! What keeps web pages away from a server on loopback: checks of `Host`, `Origin` and `Sec-Fetch-Site`. Pure.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

/// Which door a request knocks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The AWS services and `@connections`: no page of another origin may call them.
    Control,
    /// The WebSocket front door and the page with the terminal: any origin may come, the handler judges it.
    Open,
}

/// Why a request is refused, or `None`.
pub(crate) fn refusal(door: Door, uri: &Uri, headers: &HeaderMap, port: u16) -> Option<&'static str> {
    let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| headers.get(HOST)?.to_str().ok());
    // A name that resolves to loopback by DNS rebinding shows itself here.
    if !host.is_some_and(|host| is_local(host, port)) {
        return Some("the Host header must be 127.0.0.1, localhost or [::1] with the port");
    }
    if door == Door::Open {
        return None;
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let own = |origin: &str| origin.strip_prefix("http://").is_some_and(|host| is_local(host, port));
        if !origin.to_str().is_ok_and(own) {
            return Some("requests of another origin are refused");
        }
    }
    match headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => None,
        Some(_) => Some("requests of another site are refused"),
    }
}

fn is_local(host: &str, port: u16) -> bool {
    let Some((name, number)) = host.rsplit_once(':') else { return port == 80 && is_local_name(host) };
    number.parse() == Ok(port) && is_local_name(name)
}

fn is_local_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "127.0.0.1" | "localhost" | "[::1]") || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Uri};

    use super::{Door, refusal};

    fn refused(door: Door, headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        refusal(door, &Uri::from_static("/"), &HeaderMap::from_iter(pairs), 4566).is_some()
    }

    #[test]
    fn only_local_hosts_with_the_port_are_served() {
        for host in ["127.0.0.1:4566", "localhost:4566", "LOCALHOST:4566", "[::1]:4566", "abc.execute-api.localhost:4566"] {
            assert!(!refused(Door::Control, &[("host", host)]), "{host}");
        }
        for host in ["127.0.0.1", "localhost:80", "evil.example:4566", "localhost.evil.example:4566", "127.0.0.1.evil:4566", ""] {
            assert!(refused(Door::Open, &[("host", host)]), "{host}");
        }
        assert!(refused(Door::Open, &[]));
    }

    #[test]
    fn other_origins_reach_only_the_open_door() {
        let host = ("host", "localhost:4566");
        assert!(refused(Door::Control, &[host, ("origin", "https://evil.example")]));
        assert!(refused(Door::Control, &[host, ("origin", "null")]));
        assert!(refused(Door::Control, &[host, ("origin", "http://localhost:3000")]));
        assert!(refused(Door::Control, &[host, ("sec-fetch-site", "cross-site")]));
        assert!(refused(Door::Control, &[host, ("sec-fetch-site", "same-site")]));
        assert!(!refused(Door::Control, &[host, ("origin", "http://localhost:4566"), ("sec-fetch-site", "same-origin")]));
        assert!(!refused(Door::Open, &[host, ("origin", "https://app.example"), ("sec-fetch-site", "cross-site")]));
    }
}
