//! URLs and origins.

use url::{Host, Url};

/// What is wrong and what to do; never with the URL in it, which may hold a password.
type Refused = (&'static str, String);

/// The backend's base URL, without a trailing slash.
pub(super) fn backend(text: &str) -> Result<String, Refused> {
    let url = base(text, "https://xxxx.ap-south-1.awsapprunner.com")?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(("sends sessions and commands over plain http", "write https://; http is for this machine alone".to_owned())),
        "wss" | "ws" => return Err(("is a WebSocket URL", "write the https:// URL: the backend is asked over HTTP".to_owned())),
        _ => return Err(("is no https URL", "write https://HOST".to_owned())),
    }
    Ok(without_slash(&url))
}

/// The endpoint of the local cloud or of an emulator, without a trailing slash.
pub(super) fn endpoint(text: &str) -> Result<String, Refused> {
    let url = base(text, "http://127.0.0.1:4566")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(("is no http or https URL", "write it like http://127.0.0.1:4566".to_owned()));
    }
    Ok(without_slash(&url))
}

/// Where an issuer publishes its keys.
pub(super) fn issuer(text: &str) -> Result<String, Refused> {
    const EXAMPLE: &str = "https://issuer.example/.well-known/jwks.json";
    // A query is fine here: some issuers tell their applications apart by it.
    let (address, query) = text.split_once('?').map_or((text, None), |(address, query)| (address, Some(query)));
    let url = base(address, EXAMPLE)?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err(("is no https URL: whoever is on the way could put in keys", format!("write it like {EXAMPLE}")));
    }
    if query.is_some_and(|query| query.contains('#') || query.chars().any(|c| c.is_whitespace() || c.is_control())) {
        return Err(("has a fragment or a space", format!("write it like {EXAMPLE}")));
    }
    Ok(query.map_or_else(|| url.to_string(), |query| format!("{url}?{query}")))
}

fn base(text: &str, example: &str) -> Result<Url, Refused> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(("has a space or a line break in it", format!("write it like {example}")));
    }
    if !text.contains("://") {
        return Err(("has no scheme", format!("write it like {example}")));
    }
    let url = Url::parse(text).map_err(|error| ("is no URL", format!("{error}; write it like {example}")))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(("has no host", format!("write it like {example}")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("holds a user name or a password", "take out what stands before the `@`".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(("has a query or a fragment", "end it before the `?` or the `#`".to_owned()));
    }
    Ok(url)
}

fn without_slash(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether the URL points to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An `Origin` exactly as a browser sends it.
pub(super) fn origin(text: &str) -> Result<(), Refused> {
    const EXAMPLE: &str = "write scheme, host and port, like https://app.example.com or http://localhost:3000";
    if text.contains('*') {
        return Err(("is no origin: there are no wildcards", "write each origin; to allow any, leave `allowed_origins` empty".to_owned()));
    }
    if text.contains([',', ' ']) {
        return Err(("is more than one origin", "write one origin an item".to_owned()));
    }
    if text == "null" || !text.contains("://") {
        return Err(("is no origin", EXAMPLE.to_owned()));
    }
    let url = Url::parse(text).map_err(|error| ("is no origin", format!("{error}; {EXAMPLE}")))?;
    if url.host_str().is_none_or(str::is_empty) || !url.username().is_empty() || url.password().is_some() {
        return Err(("is no origin", EXAMPLE.to_owned()));
    }
    // Schemes of applications (`capacitor://localhost`) have no origin by the book, but webviews send them so.
    let sent = match url.origin() {
        origin @ url::Origin::Tuple(..) => origin.ascii_serialization(),
        url::Origin::Opaque(_) => {
            let host = url.host_str().unwrap_or_default();
            url.port().map_or_else(|| format!("{}://{host}", url.scheme()), |port| format!("{}://{host}:{port}", url.scheme()))
        }
    };
    if sent == text { Ok(()) } else { Err(("is not what a browser sends", format!("write `{sent}`"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends() {
        for (text, url) in [
            ("https://x.awsapprunner.com", "https://x.awsapprunner.com"),
            ("https://x.awsapprunner.com/", "https://x.awsapprunner.com"),
            ("https://X.example/base//", "https://x.example/base"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.1.2.3:80/", "http://127.1.2.3"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(backend(text).as_deref(), Ok(url), "{text}");
        }
        for (text, part) in [
            ("x.awsapprunner.com", "no scheme"),
            ("http://x.awsapprunner.com", "plain http"),
            ("http://localhost.example.com", "plain http"),
            ("http://api.localhost", "plain http"),
            ("http://10.0.0.1", "plain http"),
            ("wss://x.example", "WebSocket"),
            ("ftp://x.example", "no https"),
            ("https://user:secret@x.example", "password"),
            ("https://x.example/?a=b", "query"),
            ("https://x.example/#a", "fragment"),
            ("https://", "URL"),
            ("https://x example", "space"),
            ("https://x.example:99999", "URL"),
        ] {
            let (what, remedy) = backend(text).unwrap_err();
            assert!(what.contains(part), "{text}: {what}");
            assert!(!remedy.contains("secret"), "{remedy}");
        }
    }

    #[test]
    fn endpoints() {
        assert_eq!(endpoint("http://127.0.0.1:4566/").as_deref(), Ok("http://127.0.0.1:4566"));
        assert_eq!(endpoint("https://localstack.internal").as_deref(), Ok("https://localstack.internal"));
        for bad in ["localhost:4566", "ws://localhost:4566", "http://a@b", "http://", "http:///x?y"] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins() {
        for good in
            ["https://app.example.com", "http://localhost:3000", "https://a.example:8443", "capacitor://localhost", "http://[::1]:3000"]
        {
            assert_eq!(origin(good), Ok(()), "{good}");
        }
        for (bad, remedy) in [
            ("https://app.example.com/", "write `https://app.example.com`"),
            ("https://app.example.com:443", "write `https://app.example.com`"),
            ("https://App.Example.com", "write `https://app.example.com`"),
            ("https://app.example.com/path", "write `https://app.example.com`"),
            ("https://münchen.example", "write `https://xn--mnchen-3ya.example`"),
            ("*", "to allow any"),
            ("null", "write scheme"),
            ("app.example.com", "write scheme"),
            ("https://*.example.com", "to allow any"),
            ("https://a.example,https://b.example", "one origin an item"),
            ("", "write scheme"),
        ] {
            let (_, told) = origin(bad).unwrap_err();
            assert!(told.contains(remedy), "{bad}: {told}");
        }
    }
}
