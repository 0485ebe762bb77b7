//! Random ids as AWS makes them.

use std::fmt::Write as _;

use ring::rand::{SecureRandom, SystemRandom};

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// So many random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The operating system's generator fails only where nothing else works either; ids need no secrecy then.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        bytes.iter_mut().for_each(|byte| *byte = hasher_byte());
    }
    bytes
}

fn hasher_byte() -> u8 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish().to_le_bytes()[0]
}

/// A version 4 UUID, as request ids and table ids are.
pub(crate) fn uuid() -> String {
    let mut bytes = bytes::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Lower-case letters and digits, at most 32, as ids of APIs, routes and stages are.
pub(crate) fn alphanumeric(length: usize) -> String {
    bytes::<32>().iter().take(length).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{alphanumeric, uuid};

    #[test]
    fn a_uuid_says_its_version_and_differs() {
        let one = uuid();
        assert_eq!((one.len(), &one[14..15]), (36, "4"));
        assert_ne!(one, uuid());
    }

    #[test]
    fn an_id_has_the_length_asked_for() {
        assert_eq!(alphanumeric(10).len(), 10);
    }
}
