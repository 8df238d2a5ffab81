//! `multipart/byteranges` of any ranges, files and types, taken apart by RFC 2046 alone.
#![no_main]

use std::time::SystemTime;

use arbitrary::Arbitrary;
use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use secure_download_core::{Download, FileKey, Representation};
use secure_download_fuzz::{Memory, ask};

#[derive(Debug, Arbitrary)]
struct Input {
    file: Vec<u8>,
    ranges: Vec<(u16, u16)>,
    content_type: String,
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fuzz_target!(|input: Input| {
    let ranges: Vec<String> =
        input.ranges.iter().take(31).map(|(first, more)| format!("{first}-{}", u32::from(*first) + u32::from(*more))).collect();
    let Ok(value) = HeaderValue::try_from(format!("bytes={}", ranges.join(","))) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::RANGE, value);
    let file = Representation { length: input.file.len() as u64, etag: None, last_modified: None };
    let strategy = Memory { bytes: input.file.clone().into(), file, now: SystemTime::UNIX_EPOCH };
    let download = Download::new(FileKey::parse("a").expect("a key")).content_type(&input.content_type);
    let (answer, body) = ask(strategy, &download, &Method::GET, &headers);
    assert_eq!(answer.headers()["content-length"].to_str().expect("ASCII"), body.len().to_string());
    let content_type = answer.headers().get("content-type").map_or("", |value| value.to_str().expect("ASCII"));
    let Some(boundary) = content_type.strip_prefix("multipart/byteranges; boundary=") else { return };
    assert_eq!(answer.status(), 206);
    assert!((1..=70).contains(&boundary.len()) && boundary.bytes().all(|byte| byte.is_ascii_alphanumeric()));

    let mut rest = body.strip_prefix(format!("--{boundary}").as_bytes()).expect("the first delimiter");
    let mut covered = Vec::new();
    while rest != b"--\r\n" {
        rest = rest.strip_prefix(b"\r\n").expect("a line end behind the delimiter");
        let end = find(rest, b"\r\n\r\n").expect("the end of a head");
        let head = std::str::from_utf8(&rest[..end]).expect("ASCII");
        let mut range = None;
        for line in head.split("\r\n") {
            let (name, value) = line.split_once(": ").expect("a field");
            match name {
                "Content-Type" => assert!(!value.contains(['\r', '\n'])),
                "Content-Range" => range = Some(value),
                other => panic!("a field {other}"),
            }
        }
        let range = range.and_then(|range| range.strip_prefix("bytes ")).expect("a range");
        let (range, length) = range.split_once('/').expect("a length");
        assert_eq!(length, input.file.len().to_string());
        let (first, last) = range.split_once('-').expect("positions");
        let (first, last): (usize, usize) = (first.parse().expect("a number"), last.parse().expect("a number"));
        rest = &rest[end + 4..];
        rest = rest.strip_prefix(&input.file[first..=last]).expect("the bytes");
        rest = rest.strip_prefix(format!("\r\n--{boundary}").as_bytes()).expect("a delimiter");
        covered.push((first, last));
    }
    assert!(covered.len() > 1, "one part is sent plain");
    covered.sort_unstable();
    assert!(covered.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "no two overlap or touch");
    for (first, more) in input.ranges.iter().take(31) {
        let (first, last) = (usize::from(*first), usize::from(*first) + usize::from(*more));
        if first < input.file.len() {
            let last = last.min(input.file.len() - 1);
            assert!(covered.iter().any(|part| part.0 <= first && last <= part.1), "{first}-{last} is missing");
        }
    }
});
