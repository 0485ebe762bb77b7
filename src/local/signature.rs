//! Signature Version 4, the checking side: whether a request was signed with this key, and lately. Pure.

use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use ring::{digest, hmac};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::identity::{Credential, Unidentified};
use super::ids::hex;

/// RFC 3986 leaves these as they are.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
/// How far a client's clock may be off, in seconds.
const SKEW_SECONDS: i64 = 5 * 60;

/// What was signed.
pub(crate) struct Signed<'a> {
    pub method: &'a Method,
    /// As it was sent, percent-encoded once.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl<'a> Signed<'a> {
    /// A request whose body has been read.
    pub(crate) fn of(parts: &'a Parts, body: &'a [u8]) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self { method: &parts.method, path: parts.uri.path(), query, headers: &parts.headers, body }
    }
}

/// Checks a signature; `now` is in epoch seconds.
pub(crate) fn check(credential: &Credential, secret: &str, request: &Signed<'_>, now: i64) -> Result<(), Unidentified> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let stamp = header("x-amz-date").ok_or(Unidentified::Malformed)?;
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let signed_at = PrimitiveDateTime::parse(stamp, format).map_err(|_| Unidentified::Malformed)?.assume_utc();
    if !stamp.starts_with(&credential.date) || !credential.signed_headers.iter().any(|name| name == "host") {
        return Err(Unidentified::Mismatch);
    }
    if (signed_at.unix_timestamp() - now).abs() > SKEW_SECONDS {
        let text = |at: i64| OffsetDateTime::from_unix_timestamp(at).ok().and_then(|at| at.format(format).ok()).unwrap_or_default();
        let bound = if signed_at.unix_timestamp() < now { now - SKEW_SECONDS } else { now + SKEW_SECONDS };
        return Err(Unidentified::Expired { signed: stamp.to_owned(), bound: text(bound), now: text(now) });
    }
    let payload = match header("x-amz-content-sha256") {
        Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
        _ => sha256(request.body),
    };
    let canonical = canonical(credential, request, &payload);
    let scope = format!("{}/{}/{}/aws4_request", credential.date, credential.region, credential.service);
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let start = format!("AWS4{secret}").into_bytes();
    let parts = [credential.date.as_str(), &credential.region, &credential.service, "aws4_request"];
    let key = parts.iter().fold(start, |key, part| mac(&key, part.as_bytes()).as_ref().to_vec());
    let expected = hex(mac(&key, to_sign.as_bytes()).as_ref());
    if expected == credential.signature { Ok(()) } else { Err(Unidentified::Mismatch) }
}

fn canonical(credential: &Credential, request: &Signed<'_>, payload: &str) -> String {
    let headers: String = credential.signed_headers.iter().map(|name| format!("{name}:{}\n", values(request.headers, name))).collect();
    // Every service but S3 encodes the path once more than it is sent.
    let path = percent_encode(normal(request.path).as_bytes(), PATH).to_string();
    let query = canonical_query(request.query);
    format!("{}\n{path}\n{query}\n{headers}\n{}\n{payload}", request.method, credential.signed_headers.join(";"))
}

/// A path without empty and dotted segments, as it is signed.
fn normal(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let end = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{end}", segments.join("/"))
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| percent_encode(&percent_decode_str(text).collect::<Vec<u8>>(), UNRESERVED).to_string();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> =
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// All values of a header, each without needless spaces.
fn values(headers: &HeaderMap, name: &str) -> String {
    let value = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" ");
    headers.get_all(name).iter().map(value).collect::<Vec<_>>().join(",")
}

fn mac(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};

    use super::{Signed, canonical_query, check, normal};
    use crate::local::identity::{Credential, Unidentified};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// 2015-08-30T12:36:00Z
    const NOW: i64 = 1_440_938_160;

    /// The vector `get-vanilla-query-order-key-case` of AWS's test suite for Signature Version 4.
    fn request() -> (HeaderMap, Credential) {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
        headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        headers.insert(
            "authorization",
            HeaderValue::from_static(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, \
             Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        );
        let credential = Credential::read(&headers).unwrap();
        (headers, credential)
    }

    fn checked(secret: &str, query: &str, now: i64) -> Result<(), Unidentified> {
        let (headers, credential) = request();
        check(&credential, secret, &Signed { method: &Method::GET, path: "/", query, headers: &headers, body: b"" }, now)
    }

    #[test]
    fn the_vector_of_aws_passes() {
        assert_eq!(checked(SECRET, "Param2=value2&Param1=value1", NOW), Ok(()));
    }

    #[test]
    fn another_key_or_request_or_time_does_not() {
        assert_eq!(checked("other", "Param2=value2&Param1=value1", NOW), Err(Unidentified::Mismatch));
        assert_eq!(checked(SECRET, "Param2=value2&Param1=value9", NOW), Err(Unidentified::Mismatch));
        assert!(matches!(checked(SECRET, "Param2=value2&Param1=value1", NOW + 301), Err(Unidentified::Expired { .. })));
    }

    #[test]
    fn paths_and_queries_are_brought_into_one_form() {
        assert_eq!(normal("/a//b/../c/./"), "/a/c/");
        assert_eq!(normal("/"), "/");
        assert_eq!(canonical_query("b=%7e&a=x%2fy&a&c=%20"), "a=&a=x%2Fy&b=~&c=%20");
    }
}
