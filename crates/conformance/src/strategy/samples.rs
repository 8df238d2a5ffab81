//! The files that the laws ask for.

use std::sync::LazyLock;

use bytes::Bytes;
use secure_download_core::{Download, FileKey};

/// A file that must be in storage before the laws of a strategy that sends bytes run.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its key.
    pub key: FileKey,
    /// Its content.
    pub bytes: Bytes,
}

impl Sample {
    pub(crate) fn download(&self) -> Download {
        Download::new(self.key.clone()).filename("sample.bin").content_type("application/x-sample")
    }
}

pub(super) const PLAIN: &str = "laws/plain";
pub(super) const LARGE: &str = "laws/large";
pub(super) const EMPTY: &str = "laws/empty";
pub(super) const ONE: &str = "laws/one";
pub(super) const MISSING: &str = "laws/missing";

/// The length of the sample that ranges are asked of. Prime, so that no buffer fits.
pub(super) const PLAIN_LENGTH: usize = 100_003;

/// The length of the one that takes many chunks.
pub(super) const LARGE_LENGTH: usize = 700_001;

/// Keys that one layer or another likes to change. Each stands beside what it would be changed into.
pub(crate) const ODD_KEYS: [&str; 34] = [
    "laws/a b",
    "laws/a+b",
    "laws/a%20b",
    "laws/a%2520b",
    "laws/a%2Fb",
    "laws/a/b",
    "laws/%2e%2e/x",
    "laws/x",
    "laws/%",
    "laws/%00",
    "laws/q?b=c&d",
    "laws/q",
    "laws/q#b",
    "laws/a;b=c",
    "laws/a:b@c",
    "laws/a\"b'c`d",
    "laws/a<b>c|d^e",
    "laws/a{b}c[d]e",
    "laws/a*b(c)d!e",
    "laws/a$b,c=d~e",
    "laws/ü/é/漢字/🙂",
    "laws/\u{e9}",
    "laws/e\u{301}",
    "laws/...",
    "laws/..a/b..",
    "laws/.hidden/.x",
    "laws/CON/nul.txt",
    "laws/ lead/ trail ",
    "laws/a\u{a0}b\u{200b}c\u{202e}d",
    "laws/{env.HOME}",
    "laws/$uri",
    "laws/~root",
    "laws/-rf",
    "laws/http:/host",
];

/// Every file that the laws ask a strategy for that sends bytes itself: put them into its storage first. About 900 KB.
///
/// Among them are names with blanks, percent signs, quotes, other scripts and one of 250 bytes in a segment. What a
/// storage cannot hold is named by [`Laws::cannot_hold`](super::Laws::cannot_hold).
#[must_use]
pub fn samples() -> Vec<Sample> {
    static MADE: LazyLock<Vec<Sample>> = LazyLock::new(make);
    MADE.clone()
}

fn make() -> Vec<Sample> {
    let mut samples = vec![
        sample(PLAIN, noise(1, PLAIN_LENGTH)),
        sample(LARGE, noise(2, LARGE_LENGTH)),
        sample(EMPTY, Bytes::new()),
        sample(ONE, Bytes::from_static(b"1")),
    ];
    samples.extend(ODD_KEYS.iter().map(|key| sample(key, format!("this is {key}").into())));
    let long = format!("laws/{}", "é".repeat(125));
    samples.push(sample(&long, format!("this is {long}").into()));
    samples
}

fn sample(key: &str, bytes: Bytes) -> Sample {
    #[expect(clippy::expect_used, reason = "the keys above are keys")]
    let key = FileKey::parse(key).expect("a key");
    Sample { key, bytes }
}

/// Bytes that repeat nowhere near, so that each offset shows.
fn noise(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}
