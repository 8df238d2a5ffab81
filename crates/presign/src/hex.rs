//! Lower-case hexadecimal.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// 32 bytes as 64 digits.
pub(crate) fn hex(bytes: [u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}

/// Appends bytes as digits.
#[cfg(feature = "gcs")]
pub(crate) fn push(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
}
