//! Percent-encoding as signatures want it: everything but RFC 3986's unreserved characters, a space as `%20`.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends one segment, query name or query value.
pub(crate) fn push(out: &mut String, text: &str) {
    push_with(out, text, is_unreserved);
}

/// Appends a key; its `/` stay.
pub(crate) fn push_path(out: &mut String, key: &str) {
    push_with(out, key, |byte| is_unreserved(byte) || byte == b'/');
}

fn push_with(out: &mut String, text: &str, stays: impl Fn(u8) -> bool) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !stays(byte) {
            // Only whole characters lie between; inside of one there is nothing.
            if from < at {
                out.push_str(&text[from..at]);
            }
            let hex = [b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend(hex.map(char::from));
            from = at + 1;
        }
    }
    out.push_str(&text[from..]);
}

const fn is_unreserved(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        for (text, segment, path) in [
            ("aZ09-._~", "aZ09-._~", "aZ09-._~"),
            ("a b/c", "a%20b%2Fc", "a%20b/c"),
            ("ä", "%C3%A4", "%C3%A4"),
            ("%2e+*&=?#'\"", "%252e%2B%2A%26%3D%3F%23%27%22", "%252e%2B%2A%26%3D%3F%23%27%22"),
            ("", "", ""),
        ] {
            let (mut one, mut two) = (String::new(), String::new());
            push(&mut one, text);
            push_path(&mut two, text);
            assert_eq!((one.as_str(), two.as_str()), (segment, path));
        }
    }
}
