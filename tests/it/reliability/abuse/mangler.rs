//! Changes good bytes into bad ones, the same way again for the same seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// A source of changes.
pub(super) struct Mangler {
    /// What it started from; the variable WSFIX_SEED sets it.
    pub(super) seed: u64,
    state: u64,
}

impl Mangler {
    pub(super) fn new() -> Self {
        let given = std::env::var_os("WSFIX_SEED").and_then(|seed| seed.to_str()?.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = given.unwrap_or_else(|| u64::from(now.subsec_nanos()) << 20 | 1);
        Self { seed, state: seed }
    }

    /// xorshift: no secret, and no two in a row alike.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }

    /// One of these, with one to eight bytes changed, cut out or put in.
    pub(super) fn mangle(&mut self, from: &[Vec<u8>]) -> Vec<u8> {
        let at = self.below(from.len());
        let mut bytes = from[at].clone();
        for _ in 0..=self.below(8) {
            let at = self.below(bytes.len());
            let byte = self.next().to_le_bytes()[0];
            match self.below(4) {
                0 if !bytes.is_empty() => drop(bytes.remove(at)),
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
            }
        }
        bytes
    }
}
