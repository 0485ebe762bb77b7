//! What keeps web pages away from a server on this machine: checks of `Host`, `Origin` and `Sec-Fetch-Site`. Pure.

use std::net::{IpAddr, SocketAddr};

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

/// Why a request to a server that listens at `here` is refused, or `None`.
pub(crate) fn refusal(door: Door, uri: &Uri, headers: &HeaderMap, here: SocketAddr) -> Option<&'static str> {
    let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| headers.get(HOST)?.to_str().ok());
    // A name that resolves to loopback by DNS rebinding shows itself here.
    let host = host.filter(|host| is_here(host, here));
    let Some(host) = host else {
        return Some(if here.ip().is_loopback() {
            "the Host header must be 127.0.0.1, localhost or [::1] with the port"
        } else {
            "the Host header must be localhost or an IP address, with the port"
        });
    };
    if door == Door::Open {
        return None;
    }
    if let Some(origin) = headers.get(ORIGIN) {
        // Another machine may serve pages at the same port: an address is our own only where the request names it too.
        let own = |origin: &str| {
            origin.strip_prefix("http://").is_some_and(|from| is_local(from, here.port()) || from.eq_ignore_ascii_case(host))
        };
        if !origin.to_str().is_ok_and(own) {
            return Some("requests of another origin are refused");
        }
    }
    match headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => None,
        Some(_) => Some("requests of another site are refused"),
    }
}

/// Whether this is a name or an address that a server at `here` goes by. Beyond loopback all addresses are: DNS rebinding needs a name.
fn is_here(host: &str, here: SocketAddr) -> bool {
    is_local(host, here.port()) || (!here.ip().is_loopback() && is_address(host, here.port()))
}

fn is_address(host: &str, port: u16) -> bool {
    match host.parse::<SocketAddr>() {
        Ok(address) => address.port() == port,
        Err(_) => port == 80 && host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok(),
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
    use std::net::SocketAddr;

    use http::{HeaderMap, HeaderName, HeaderValue, Uri};

    use super::{Door, refusal};

    fn refused_at(here: &str, door: Door, headers: &[(&'static str, &'static str)]) -> bool {
        let pairs = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let here: SocketAddr = here.parse().unwrap();
        refusal(door, &Uri::from_static("/"), &HeaderMap::from_iter(pairs), here).is_some()
    }

    fn refused(door: Door, headers: &[(&'static str, &'static str)]) -> bool {
        refused_at("127.0.0.1:4566", door, headers)
    }

    #[test]
    fn beyond_loopback_addresses_are_served_and_names_are_not() {
        let at = |host: &'static str| refused_at("0.0.0.0:4566", Door::Control, &[("host", host)]);
        for host in ["10.0.0.5:4566", "[fe80::1]:4566", "localhost:4566"] {
            assert!(!at(host), "{host}");
            assert!(refused(Door::Control, &[("host", host)]) != host.starts_with("localhost"), "{host}");
        }
        for host in ["10.0.0.5", "10.0.0.5:80", "evil.example:4566", "10.0.0.5.evil.example:4566"] {
            assert!(at(host), "{host}");
        }
    }

    #[test]
    fn beyond_loopback_only_the_address_that_was_asked_is_its_own_origin() {
        let from = |origin| refused_at("0.0.0.0:4566", Door::Control, &[("host", "10.0.0.5:4566"), ("origin", origin)]);
        assert!(!from("http://10.0.0.5:4566"));
        assert!(from("http://10.0.0.66:4566"));
        assert!(from("https://10.0.0.5:4566"));
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
