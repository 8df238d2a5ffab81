//! [`leak_in`]: secrets where none belong. `cargo xtask test` holds everything that the tests print to it.

const LEAKS: &str = include_str!("../leaks.txt");

/// The beginning of the first secret in a text, if there is any.
///
/// # Panics
/// If the list is malformed.
#[must_use]
pub fn leak_in(text: &str) -> Option<&'static str> {
    let listed = LEAKS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    listed
        .map(|line| line.rsplit_once(' ').expect("a beginning and a number"))
        .find(|(beginning, length)| {
            let length: usize = length.parse().expect("a number");
            text.match_indices(beginning).any(|(at, _)| {
                let rest = text[at + beginning.len()..].trim_start();
                let follows = rest.bytes().take_while(|byte| is_secret(*byte)).count();
                follows >= length
            })
        })
        .map(|(beginning, _)| beginning)
}

fn is_secret(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"%-_+/=.~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_found_and_their_names_are_not() {
        let signed = format!("GET /?X-Amz-Signature={}", "0a".repeat(32));
        for (text, leaks) in [
            (signed.as_str(), true),
            ("X-Amz-Signature=1", false),
            ("X-Amz-Signature=SIGNATURE", false),
            ("?sv=1&sig=short&x", false),
            ("X-Secure-Download-Proof: 0123456789abcdef", true),
            ("X-Secure-Download-Proof", false),
            ("", false),
            ("x-secure-download-audit-id: 1", false),
            ("fedcba9876543210fedcba9876543210", true),
        ] {
            assert_eq!(leak_in(text).is_some(), leaks, "{text}");
        }
    }
}
