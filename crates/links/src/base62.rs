//! Bytes as letters and digits alone: a URL that ends in them survives mail programs, chats and Markdown.
//!
//! Eight bytes are a number of eleven digits to the base 62. What is left at the end is a shorter number. Each text
//! stands for one sequence of bytes at most, and each sequence has one text.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many digits so many bytes have.
const LENGTHS: [usize; 9] = [0, 2, 3, 5, 6, 7, 9, 10, 11];

/// The value of each digit, and 62 for every other byte.
const VALUES: [u8; 256] = {
    let mut values = [62; 256];
    let mut value = 0;
    while value < 62 {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(8) * 11);
    for chunk in bytes.chunks(8) {
        let mut number = chunk.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let mut digits = [0; 11];
        let digits = &mut digits[..LENGTHS[chunk.len()]];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(number % 62) as usize];
            number /= 62;
        }
        text.extend(digits.iter().copied().map(char::from));
    }
    text
}

/// The bytes of a text, at the beginning of `room`: how many they are.
pub(crate) fn decode(text: &str, room: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    for digits in text.as_bytes().chunks(11) {
        let count = LENGTHS.iter().position(|length| *length == digits.len())?;
        let mut number = 0_u64;
        for digit in digits {
            let value = VALUES[usize::from(*digit)];
            if value == 62 {
                return None;
            }
            number = number.checked_mul(62)?.checked_add(u64::from(value))?;
        }
        let bytes = number.to_be_bytes();
        let (above, bytes) = bytes.split_at(8 - count);
        if above.iter().any(|byte| *byte != 0) {
            return None;
        }
        room.get_mut(length..length + count)?.copy_from_slice(bytes);
        length += count;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_too_large_and_lengths_that_do_not_occur_are_refused() {
        for (text, bytes) in [
            ("", Some(&[][..])),
            ("00", Some(&[0])),
            ("47", Some(&[255])),
            ("48", None),
            ("zz", None),
            ("0", None),
            ("0000", None),
            ("H31", Some(&[255, 255])),
            ("H32", None),
            ("LygHa16AHYF", Some(&[255; 8])),
            ("LygHa16AHYG", None),
            ("zzzzzzzzzzz", None),
            ("00-", None),
            ("0 ", None),
        ] {
            let mut room = [0; 8];
            let found = decode(text, &mut room).map(|length| &room[..length]);
            assert_eq!(found, bytes, "{text}");
            if let Some(bytes) = bytes {
                assert_eq!(encode(bytes), text);
            }
        }
        assert_eq!(decode("0000", &mut [0; 2]), None, "no room");
    }

    proptest::proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes: Vec<u8>) {
            let mut room = vec![0; bytes.len()];
            let text = encode(&bytes);
            proptest::prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            proptest::prop_assert_eq!(decode(&text, &mut room), Some(bytes.len()));
            proptest::prop_assert_eq!(room, bytes);
        }

        #[test]
        fn what_is_decoded_has_one_text(text in "[0-9A-Za-z]{0,40}") {
            let mut room = [0; 40];
            if let Some(length) = decode(&text, &mut room) {
                proptest::prop_assert_eq!(encode(&room[..length]), text);
            }
        }
    }
}
