//! The way back: where a visitor wanted to go before signing in.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// The longest way back, in bytes.
const LONGEST: usize = 2048;

/// All but the unreserved characters of RFC 3986 section 2.3 and the slash.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The path, if it leads to this site for every browser and proxy, however often they decode it.
pub(crate) fn checked(path: &str) -> Option<&str> {
    let fits =
        path.len() <= LONGEST && path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    let mut decoded = path.as_bytes().to_vec();
    loop {
        // Browsers read `\` as `/`, and what follows `//` as another host; a control character they leave out.
        let is_odd = decoded.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control());
        if !fits || is_odd || decoded.windows(2).any(|pair| pair == b"//") {
            return None;
        }
        let once_more: Vec<u8> = percent_decode(&decoded).collect();
        if once_more == decoded {
            return Some(path);
        }
        decoded = once_more;
    }
}

/// The address of the page to sign in, with the way back to `target`.
pub(crate) fn sign_in_for(target: &str) -> String {
    match checked(target) {
        Some(target) => format!("/login?next={}", utf8_percent_encode(target, RESERVED)),
        None => "/login".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_taken() {
        for good in [
            "/",
            "/files/6f1f4bd4-54dd-4d51-9f33-d4b3c8d5a1ee",
            "/files/x?inline=1",
            "/files/x/a%20b%2Fc%25.txt",
            "/files/x/caf%E9.txt",
            "/files/x/1:2@3.txt",
        ] {
            assert_eq!(checked(good), Some(good));
            let link = sign_in_for(good);
            let (_, query) = link.split_once('?').expect("a query");
            let (_, value) = form_urlencoded::parse(query.as_bytes()).next().expect("a value");
            assert_eq!(value, good, "as the form has it");
        }
        for bad in [
            "",
            "files/x",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " /files/x",
            "/files/x y",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "/%2fevil.example",
            "/%2Fevil.example",
            "%2f%2fevil.example",
            "/%5cevil.example",
            "/%5Cevil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:a=b",
            "/%00",
            "/%252fevil.example",
            "/%25255cevil.example",
            "/..//evil.example",
            "/files//x",
            "/files/x?to=//evil.example",
            "/files/\u{e4}",
            &format!("/{}", "a".repeat(LONGEST)),
        ] {
            assert_eq!(checked(bad), None, "{bad:?}");
            assert_eq!(sign_in_for(bad), "/login");
        }
    }
}
