//! `Range` of any bytes on a file of any length, against a reader of the grammar written anew from RFC 9110.
#![no_main]

use std::sync::LazyLock;
use std::time::SystemTime;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use secure_download_core::{Download, FileKey, Representation};
use secure_download_fuzz::{Memory, ask};

#[derive(Debug, Arbitrary)]
struct Input {
    length: u16,
    field: Vec<u8>,
    prefixed: bool,
}

/// The longest file; others are beginnings of it.
static CONTENT: LazyLock<Bytes> =
    LazyLock::new(|| (0..u32::from(u16::MAX)).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect());

/// First and last position of each satisfiable range, or nothing if the field must be ignored.
fn model(field: &str, length: u128) -> Option<Vec<(u128, u128)>> {
    if length == 0 {
        return None;
    }
    let (unit, set) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut ranges = Vec::new();
    let mut specs = 0;
    for spec in set.split(',') {
        let spec = spec.trim_matches([' ', '\t']);
        if spec.is_empty() {
            continue;
        }
        specs += 1;
        let (first, last) = spec.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(first) || !digits(last) || (first.is_empty() && last.is_empty()) {
            return None;
        }
        // Only positions that fit are modelled exactly.
        let number = |text: &str| text.trim_start_matches('0').parse::<u128>().unwrap_or(if text.trim_start_matches('0').is_empty() { 0 } else { u128::MAX });
        if first.is_empty() {
            let suffix = number(last);
            if suffix > 0 {
                ranges.push((length.saturating_sub(suffix), length - 1));
            }
        } else {
            // Positions of any size compare, by their length first.
            let significant = |text: &str| text.trim_start_matches('0').to_owned();
            let size = |text: &str| (significant(text).len(), significant(text));
            if !last.is_empty() && size(last) < size(first) {
                return None;
            }
            let (first, last) = (number(first), if last.is_empty() { u128::MAX } else { number(last) });
            if first < length {
                ranges.push((first, last.min(length - 1)));
            }
        }
    }
    (specs > 0).then_some(ranges)
}

/// The same positions in ranges that neither overlap nor touch, in order.
fn united(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut united: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match united.last_mut() {
            Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
            _ => united.push((first, last)),
        }
    }
    united
}

fuzz_target!(|input: Input| {
    let bytes = CONTENT.slice(..usize::from(input.length));
    let field = if input.prefixed { [b"bytes=", &input.field[..]].concat() } else { input.field };
    let Ok(value) = HeaderValue::from_bytes(&field) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::RANGE, value);
    let file = Representation { length: bytes.len() as u64, etag: None, last_modified: None };
    let strategy = Memory { bytes: bytes.clone(), file, now: SystemTime::UNIX_EPOCH };
    let download = Download::new(FileKey::parse("a").expect("a key"));
    let (answer, body) = ask(strategy, &download, &Method::GET, &headers);
    let announced = answer.headers()["content-length"].to_str().expect("ASCII");
    assert_eq!(announced, body.len().to_string());

    let text = String::from_utf8_lossy(&field);
    let model = if field.len() > 8192 || text.matches(',').count() >= 32 { None } else { model(&text, bytes.len() as u128) };
    match (answer.status().as_u16(), model) {
        (200, None) => assert_eq!(body, bytes),
        (416, Some(ranges)) => assert!(ranges.is_empty() && body.is_empty(), "{text:?}"),
        (206, Some(ranges)) => {
            assert!(!ranges.is_empty(), "{text:?}");
            let wanted = united(ranges.clone());
            if let Some(range) = answer.headers().get("content-range") {
                let range = range.to_str().expect("ASCII").strip_prefix("bytes ").expect("bytes");
                let (range, length) = range.split_once('/').expect("a length");
                let (first, last) = range.split_once('-').expect("two positions");
                let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().expect("a number"));
                assert_eq!(length, bytes.len().to_string());
                assert_eq!(body, bytes[first..=last]);
                assert_eq!(wanted, [(first as u128, last as u128)], "{text:?}");
            } else {
                assert!(ranges.len() > 1, "{text:?}");
            }
        }
        (status, model) => panic!("{status} for {text:?}, the model says {model:?}"),
    }
});
