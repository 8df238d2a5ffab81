//! Whether anything of the bucket shows.

use super::{BUCKET_HOST, MaskingProxy};
use crate::Answer;

/// Nothing in an answer may tell where the file came from, or hand a key to it out.
///
/// # Panics
/// If something does.
pub fn hides_the_bucket(proxy: MaskingProxy, answer: &Answer) {
    let mut shown = format!("{} ", answer.status);
    for (name, value) in &answer.headers {
        shown.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
    }
    if answer.status != 200 && answer.status != 206 {
        shown.push_str(&String::from_utf8_lossy(&answer.body));
    }
    let shown = shown.to_ascii_lowercase();
    let mut secrets = vec![
        BUCKET_HOST,
        "x-amz-s",
        "x-store",
        "x-accel",
        "_bucket",
        "<?xml",
        "bucketserver",
        "bucket=1",
        "bucket-evil",
        "bucket-host",
        "bucket-request",
        "www-authenticate",
        "2099",
    ];
    // nginx knows no wildcard without the module.
    if proxy != MaskingProxy::Nginx {
        secrets.extend(["x-amz", "bucket-invented"]);
    }
    for secret in secrets {
        assert!(!shown.contains(secret), "{proxy:?} shows {secret}: {shown}");
    }
}
