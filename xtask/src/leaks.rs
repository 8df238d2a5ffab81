//! [`Leaks`]: secrets that tests print.

use std::fs;

use crate::command::{Failed, root};

/// The list that the system tests use too.
const LIST: &str = "tests/leaks.txt";

/// How secrets begin, and how many characters follow at least.
pub(crate) struct Leaks(Vec<(String, usize)>);

impl Leaks {
    pub(crate) fn listed() -> Result<Self, Failed> {
        let text = fs::read_to_string(root().join(LIST))
            .map_err(|error| Failed(format!("cannot read {LIST}: {error}")))?;
        Self::parse(&text).ok_or_else(|| Failed(format!("{LIST}: a beginning and a number in each line")))
    }

    fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let leak = |line: &str| {
            let (beginning, length) = line.rsplit_once(' ')?;
            Some((beginning.to_owned(), length.parse().ok()?))
        };
        Some(Self(lines.map(leak).collect::<Option<_>>()?))
    }

    /// The beginning of a secret in a line, if there is any. The secret itself is not shown again.
    pub(crate) fn find(&self, line: &str) -> Option<String> {
        let found = self.0.iter().find(|(beginning, length)| {
            line.match_indices(beginning.as_str()).any(|(at, _)| {
                let rest = line[at + beginning.len()..].trim_start().bytes();
                let secret = |byte: &u8| byte.is_ascii_alphanumeric() || b"%-_+/=.~".contains(byte);
                rest.take_while(secret).count() >= *length
            })
        });
        found.map(|(beginning, _)| beginning.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_secrets_are_leaks() {
        let leaks = Leaks::parse("# a comment\n\nX-Signature= 8\nhush 0\n").expect("a list");
        for (line, leak) in [
            ("GET /?X-Signature=0123abcd HTTP/1.1", Some("X-Signature=")),
            ("X-Signature=0123", None),
            ("X-Signature", None),
            ("say hush", Some("hush")),
            ("", None),
        ] {
            assert_eq!(leaks.find(line).as_deref(), leak, "{line}");
        }
        assert!(Leaks::parse("X-Signature=").is_none());
    }
}
