//! Encoded words, as mail has them (RFC 2047). Some programs write the names of files in forms so.

use super::name::decode;

/// The text of a value that consists of encoded words. `None` if it is something else.
pub(super) fn decode_all(value: &str) -> Option<String> {
    let mut whole = String::new();
    for word in value.split_ascii_whitespace() {
        let mut parts = word.strip_prefix("=?")?.strip_suffix("?=")?.splitn(3, '?');
        let (charset, encoding, text) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = match encoding {
            "B" | "b" => base64(text)?,
            "Q" | "q" => quoted(text)?,
            _ => return None,
        };
        // A language may follow (RFC 2231 section 5).
        let charset = charset.split('*').next().unwrap_or(charset);
        whole.push_str(&decode(charset, &bytes)?);
    }
    Some(whole).filter(|text| !text.is_empty())
}

fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

/// RFC 4648 section 4.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for symbol in text.trim_end_matches('=').bytes() {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_decoded_as_a_whole_or_not_at_all() {
        for (value, text) in [
            ("=?utf-8?B?w7w=?=", Some("ü")),
            ("=?utf-8?b?w7wx?=", Some("ü1")),
            ("=?iso-8859-1?q?=FC_1?=", Some("ü 1")),
            ("=?iso-8859-1*de?q?=FC?=", Some("ü")),
            ("=?utf-8?Q?a?= =?utf-8?Q?b?=", Some("ab")),
            ("=?utf-8?Q?=C3?=", None),
            ("=?utf-8?Q?=C?=", None),
            ("=?utf-8?B?w7w-?=", None),
            ("=?what?B?w7w=?=", None),
            ("=?utf-8?X?a?=", None),
            ("=?utf-8?Q?a?= b", None),
            ("=?=", None),
            ("a.txt", None),
            ("", None),
        ] {
            assert_eq!(decode_all(value).as_deref(), text, "{value}");
        }
    }
}
