//! The signature of requests to the backend: what is signed, and how it is written into the headers.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use ring::hmac;

/// What a header value may not hold as it is: anything but visible ASCII, and the sign of the encoding itself.
const NOT_IN_HEADERS: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// What a signature is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    /// `X-Request-Id` as it is sent. It tells two equal messages of one second from one that is replayed.
    pub(crate) request_id: &'a str,
    pub(crate) method: &'a str,
    /// As it is sent, with its query.
    pub(crate) path: &'a str,
    pub(crate) body: &'a str,
}

impl Signed<'_> {
    /// The value of the signature's header, signed at `at` (epoch seconds): one `v1` a key.
    pub(crate) fn header(&self, keys: &[hmac::Key], at: i64) -> String {
        let Self { request_id, method, path, body } = self;
        let signed = format!("{at}.{request_id}.{method}.{path}.{body}");
        keys.iter().fold(format!("t={at}"), |header, key| format!("{header},v1={}", hex(hmac::sign(key, signed.as_bytes()))))
    }
}

/// Text from outside as a header has it.
pub(crate) fn in_header(text: &str) -> String {
    utf8_percent_encode(text, NOT_IN_HEADERS).to_string()
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| char::from(DIGITS[usize::from(four & 15)]);
    bytes.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_a_known_request() {
        let keys = ["k".repeat(32), "l".repeat(32)].map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
        let request = Signed { request_id: "R1knNHGmtjMFqVg=", method: "POST", path: "/base/api/ws/message", body: r#"{"a":1}"# };
        let (first, second) = (
            "ba4c95bc2264c2e5ce66e616e000e1271ddf79d272225407c5223a8bdf143549",
            "289daddd1ef6d1c6f6f938da80b14bd4e8e6a5738fa807b5998991e991c1af77",
        );
        assert_eq!(request.header(&keys, 1_700_000_000), format!("t=1700000000,v1={first},v1={second}"));
        assert_eq!(request.header(&keys[..1], 1_700_000_000), format!("t=1700000000,v1={first}"));
    }

    #[test]
    fn ids_are_headers_as_they_are_or_encoded() {
        assert_eq!(in_header("R1kmxc2VNjMCFIA="), "R1kmxc2VNjMCFIA=");
        assert_eq!(in_header("é 1%\r\nX: y"), "%C3%A9%201%25%0D%0AX:%20y");
    }
}
