//! Conditions of any bytes: no panic, no status but the five, and what must be certain is.
#![no_main]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arbitrary::Arbitrary;
use http::header::{ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use secure_download_core::{Download, ETag, FileKey, Representation};
use secure_download_fuzz::{Memory, ask};

#[derive(Debug, Arbitrary)]
enum Field {
    Bytes(Vec<u8>),
    Date(u64),
    Own,
    OwnInList(Vec<u8>),
}

#[derive(Debug, Arbitrary)]
struct Input {
    fields: Vec<(u8, Field)>,
    opaque: String,
    weak: bool,
    modified: Option<u32>,
    head: bool,
}

fuzz_target!(|input: Input| {
    let etag = if input.weak { ETag::weak(input.opaque.as_str()) } else { ETag::strong(input.opaque.as_str()) };
    let own = etag.as_ref().map(ToString::to_string);
    let now = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    let modified = input.modified.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds.into()));
    let mut headers = HeaderMap::new();
    let mut plain = true;
    for (name, field) in input.fields.iter().take(8) {
        let names = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE];
        let name = names[usize::from(*name) % names.len()].clone();
        let value = match field {
            Field::Bytes(bytes) => bytes.clone(),
            Field::Date(seconds) => {
                let time = UNIX_EPOCH + Duration::from_secs(seconds % 253_402_300_799);
                httpdate::fmt_http_date(time).into_bytes()
            }
            Field::Own => own.clone().unwrap_or_default().into_bytes(),
            Field::OwnInList(before) => {
                plain = false;
                [&before[..], b", ", own.clone().unwrap_or_default().as_bytes()].concat()
            }
        };
        let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
        headers.append(name, value);
    }
    let bytes = b"0123456789";
    let file = Representation { length: 10, etag, last_modified: modified };
    let strategy = Memory { bytes: bytes.as_slice().into(), file, now: SystemTime::max(now, UNIX_EPOCH) };
    let download = Download::new(FileKey::parse("a").expect("a key"));
    let method = if input.head { Method::HEAD } else { Method::GET };
    let (answer, body) = ask(strategy, &download, &method, &headers);
    let status = answer.status().as_u16();
    assert!([200, 206, 304, 412, 416].contains(&status), "{status}");
    assert!(!input.head || body.is_empty());
    let has = |name| headers.contains_key(name);
    if matches!(status, 304 | 412 | 416) {
        assert!(body.is_empty());
    }
    assert!(status != 304 || has(IF_NONE_MATCH) || has(IF_MODIFIED_SINCE));
    assert!(status != 412 || has(IF_MATCH) || has(IF_UNMODIFIED_SINCE));
    assert!(!matches!(status, 206 | 416) || has(RANGE) && !input.head);
    if let Some(own) = &own
        && status == 200
    {
        assert_eq!(answer.headers()[ETAG].as_bytes(), own.as_bytes());
    }
    // The own tag alone: certain either way.
    let only = |name| headers.len() == 1 && has(name) && plain;
    if let Some(own) = own {
        let sent = |name| headers.get(name).is_some_and(|value| value.as_bytes() == own.as_bytes());
        if only(IF_NONE_MATCH) && sent(IF_NONE_MATCH) {
            assert_eq!(status, 304, "{own:?}");
        }
        if only(IF_MATCH) && sent(IF_MATCH) {
            assert_eq!(status, if input.weak { 412 } else { 200 }, "{own:?}");
        }
    }
});
