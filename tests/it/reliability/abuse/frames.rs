//! Frames that RFC 6455 or API Gateway does not take.

/// A masked frame, or one without a mask; `length` is what it says about itself.
fn frame(first: u8, payload: &[u8], masked: bool, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    let mask = if masked { 0x80 } else { 0 };
    match length {
        0..=125 => bytes.push(mask | u8::try_from(length).unwrap()),
        126..=65_535 => {
            bytes.push(mask | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    if masked {
        // A mask of zeros leaves the payload as it is.
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

fn good(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, true, payload.len() as u64)
}

/// The code in the close frame that a stream of server frames ends with.
pub(super) fn close_code(bytes: &[u8]) -> String {
    let mut rest = bytes;
    while let [first, length, tail @ ..] = rest {
        let (length, tail) = match (length, tail) {
            (126, [high, low, tail @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), tail),
            (length, tail) => (usize::from(*length), tail),
        };
        if first & 0x0f == 8 && tail.len() >= 2 {
            return u16::from_be_bytes([tail[0], tail[1]]).to_string();
        }
        rest = tail.get(length..).unwrap_or_default();
    }
    "closed".to_owned()
}

/// What is sent on an open socket, by what is wrong with it.
pub(super) fn cases() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a frame without a mask", frame(0x81, b"{}", false, 2)),
        ("a reserved bit", good(0xc1, b"{}")),
        ("a reserved kind of data", good(0x83, b"{}")),
        ("a reserved kind of control", good(0x8b, b"")),
        ("a ping in fragments", good(0x09, b"a")),
        ("a ping of 126 bytes", good(0x89, &[b'a'; 126])),
        ("a fragment of nothing", good(0x80, b"a")),
        ("a message within another", [good(0x01, b"a"), good(0x81, b"b")].concat()),
        ("text that is no UTF-8", good(0x81, b"\xc3\x28")),
        ("UTF-8 that ends too early, in fragments", [good(0x01, b"\xe2\x82"), good(0x80, b"")].concat()),
        ("a close of one byte", good(0x88, b"\x03")),
        ("a close with a code that may not be sent", good(0x88, &1005_u16.to_be_bytes())),
        ("a close with a reason that is no UTF-8", good(0x88, b"\x03\xe8\xff")),
        ("a frame that says it has 2^63 bytes", frame(0x81, b"a", true, 1 << 63)),
        ("a frame that says it has 1 GB", frame(0x81, b"a", true, 1 << 30)),
        ("a frame of 32 KB and a byte", good(0x81, &[b' '; 32 * 1024 + 1])),
        ("200 KB in fragments", (0..7).flat_map(|at| good(if at == 0 { 0x01 } else { 0x00 }, &[b' '; 30_000])).collect()),
        ("a binary frame", good(0x82, b"a")),
        ("half a frame, and the end", frame(0x81, b"a", true, 100)),
        ("HTTP on an open socket", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
    ]
}
