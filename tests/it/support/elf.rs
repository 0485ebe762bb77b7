//! The smallest file that passes for a Lambda's `bootstrap`. It is never started.

/// A static x86_64 executable; `mark` makes it differ from another.
pub(crate) fn executable(mark: &[u8]) -> Vec<u8> {
    let (header, segment) = (64_u64, 56_u64);
    let entry = 0x40_0000 + header + segment;
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |bytes: &mut Vec<u8>, value: u16| bytes.extend(value.to_le_bytes());
    let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
    let long = |bytes: &mut Vec<u8>, value: u64| bytes.extend(value.to_le_bytes());
    half(&mut bytes, 2); // ET_EXEC
    half(&mut bytes, 0x3e); // EM_X86_64
    word(&mut bytes, 1);
    long(&mut bytes, entry);
    long(&mut bytes, header); // program headers
    long(&mut bytes, 0); // no section headers
    word(&mut bytes, 0);
    for value in [64, 56, 1, 64, 0, 0] {
        half(&mut bytes, value);
    }
    let size = header + segment + 16 + mark.len() as u64;
    word(&mut bytes, 1); // PT_LOAD
    word(&mut bytes, 5); // readable and executable
    for value in [0, 0x40_0000, 0x40_0000, size, size, 0x1000] {
        long(&mut bytes, value);
    }
    bytes.extend([0x90; 16]);
    bytes.extend(mark);
    bytes
}
