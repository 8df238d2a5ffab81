//! For random files and random `Range` fields the answer equals that of a naive model, byte for byte.

use std::collections::HashMap;
use std::sync::Arc;

use http::header::RANGE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use proptest::prelude::*;
use secure_download::{Download, FileKey, Gate, RequestHead, Stream};
use system_tests::{Answer, allow_everybody};

/// What a file of `length` bytes answers, worked out as the RFC words it, with a mark for every byte.
#[derive(Debug, PartialEq)]
enum Model {
    Whole,
    Unsatisfiable,
    /// First and last positions.
    Ranges(Vec<(usize, usize)>),
}

fn model(field: &str, length: usize, media_type: &str) -> Model {
    let lower = field.to_ascii_lowercase();
    let Some(set) = lower.strip_prefix("bytes=") else { return Model::Whole };
    if length == 0 {
        return Model::Whole;
    }
    // The documented caps: 32 ranges, or one for each 8 KiB of the file, but never more than 200.
    let cap = if length < 33 * 8192 { 32 } else { (length / 8192).min(200) };
    if field.len() > 8 * 1024 || set.split(',').count() > cap {
        return Model::Whole;
    }
    // Which member of the field asked for a byte first.
    let mut asked_by: Vec<Option<usize>> = vec![None; length];
    let mut members = 0;
    for member in set.split(',') {
        let member = member.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        let Some((first, last)) = member.split_once('-') else { return Model::Whole };
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
            // No test writes a number that 128 bits do not hold.
            is_number.then(|| text.parse::<u128>().expect("a number"))
        };
        let (file, length) = (length, length as u128);
        let wanted = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..=last,
            (Some(first), None) if last.is_empty() => first..=u128::MAX,
            (None, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..=u128::MAX,
            _ => return Model::Whole,
        };
        let last = usize::try_from(*wanted.end()).unwrap_or(usize::MAX).min(file - 1);
        let first = usize::try_from(*wanted.start()).unwrap_or(usize::MAX);
        for mark in asked_by.get_mut(first..=last).into_iter().flatten() {
            mark.get_or_insert(members);
        }
        members += 1;
    }
    if members == 0 {
        return Model::Whole;
    }
    // Runs of marked bytes, each known by the earliest member that wanted any of it.
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for (position, mark) in asked_by.iter().enumerate() {
        let Some(member) = *mark else { continue };
        match runs.last_mut() {
            Some((earliest, _, last)) if *last + 1 == position => {
                *earliest = member.min(*earliest);
                *last = position;
            }
            _ => runs.push((member, position, position)),
        }
    }
    runs.sort_unstable();
    if runs.is_empty() {
        return Model::Unsatisfiable;
    }
    let ranges: Vec<_> = runs.into_iter().map(|(_, first, last)| (first, last)).collect();
    let bytes: usize = ranges.iter().map(|(first, last)| last + 1 - first).sum();
    let framing = framing(&ranges, length, media_type).len();
    if ranges.len() > 1 && framing > FREE_FRAMING.max(bytes) {
        return Model::Whole;
    }
    Model::Ranges(ranges)
}

/// The documented allowance: framing up to it is sent whatever it frames.
const FREE_FRAMING: usize = 32 * 1024;

/// All that is sent between the ranges, with any boundary of the documented length.
fn framing(ranges: &[(usize, usize)], length: usize, media_type: &str) -> String {
    let boundary = "b".repeat(32);
    let mut framing = String::new();
    for (number, (first, last)) in ranges.iter().enumerate() {
        let line_break = if number == 0 { "" } else { "\r\n" };
        framing += &format!("{line_break}--{boundary}\r\nContent-Type: {media_type}\r\n");
        framing += &format!("Content-Range: bytes {first}-{last}/{length}\r\n\r\n");
    }
    framing + &format!("\r\n--{boundary}--\r\n")
}

fn compare(model: &Model, file: &[u8], answer: &Answer) {
    let length = file.len();
    match model {
        Model::Whole => {
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.field("content-range"), None);
            assert!(answer.body == file, "the whole file");
        }
        Model::Unsatisfiable => {
            assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE);
            assert_eq!(answer.field("content-range"), Some(&*format!("bytes */{length}")));
            assert!(answer.body.is_empty());
        }
        Model::Ranges(ranges) => {
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
            let expected = ranges.iter().map(|&(first, last)| {
                (format!("bytes {first}-{last}/{length}"), file[first..=last].to_vec())
            });
            let expected: Vec<_> = expected.collect();
            let found: Vec<_> = if let Some(range) = answer.field("content-range") {
                vec![(range.to_owned(), answer.body.clone())]
            } else {
                let parts = answer.byteranges();
                assert!(parts.len() > 1, "one range is no multipart");
                let bytes: usize = parts.iter().map(|(_, _, bytes)| bytes.len()).sum();
                assert!(answer.body.len() - bytes <= FREE_FRAMING.max(bytes), "in proportion");
                parts.into_iter().map(|(_, range, bytes)| (range, bytes)).collect()
            };
            assert!(found == expected, "{:?}", found.iter().map(|(range, _)| range).collect::<Vec<_>>());
        }
    }
    let announced = answer.field("content-length").map(str::parse);
    assert_eq!(announced, Some(Ok(answer.body.len())));
}

fn gate(strategy: Stream, media_type: &str) -> Gate<(), Download> {
    let download = Download::new(FileKey::parse("file").expect("a key")).content_type(media_type);
    allow_everybody(HashMap::from([("file".to_owned(), download)]), strategy)
}

async fn ask(gate: &Gate<(), Download>, field: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(RANGE, HeaderValue::from_str(field).expect("a value"));
    let response = gate.serve(&(), "file", &RequestHead::new(&Method::GET, &headers)).await;
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = std::future::poll_fn(|cx| body.poll_chunk(cx)).await {
        bytes.extend_from_slice(&chunk.expect("a whole body"));
    }
    Answer { status: parts.status, headers: parts.headers, body: bytes }
}

async fn both_sources_are_as_the_model(file: Vec<u8>, media_type: &str, fields: Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), &file).expect("written");
    let local = gate(Stream::local(folder.path()).expect("a folder"), media_type);
    let memory = InMemory::new();
    memory.put(&"file".into(), file.clone().into()).await.expect("put");
    let store = gate(Stream::object_store(Arc::new(memory) as Arc<dyn ObjectStore>), media_type);
    for field in fields {
        let model = model(&field, file.len(), media_type);
        for gate in [&local, &store] {
            compare(&model, &file, &ask(gate, &field).await);
        }
    }
}

/// A usual type, and the longest that is one.
fn media_type() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("text/plain".to_owned()), 1 => Just(format!("text/plain; a={}", "x".repeat(241)))]
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let lengths = prop_oneof![4 => 0..40_usize, 1 => 65_530..65_545_usize, 1 => 100_000..300_100_usize, 1 => 1_700_000..1_700_100_usize];
    (lengths, any::<u8>())
        .prop_map(|(length, seed)| (0..length).map(|n| (n / 251) as u8 ^ (n % 251) as u8 ^ seed).collect())
}

/// One member of a field, well-formed or nearly so, near the length of a small or a large file.
fn member() -> impl Strategy<Value = String> {
    let number = || {
        prop_oneof![
            6 => (0..45_u64).prop_map(|n| n.to_string()),
            3 => (0..300_100_u64).prop_map(|n| n.to_string()),
            1 => Just("18446744073709551615".to_owned()),
            1 => Just("18446744073709551616".to_owned()),
            1 => Just("0000".to_owned()),
            1 => Just("99999999999999999999999999999999999999".to_owned()),
        ]
    };
    prop_oneof![
        8 => (number(), number()).prop_map(|(one, two)| {
            // Mostly in order: a reversed range ends the game for the whole field.
            if (one.len(), &one) <= (two.len(), &two) { format!("{one}-{two}") } else { format!("{two}-{one}") }
        }),
        3 => number().prop_map(|first| format!("{first}-")),
        3 => number().prop_map(|suffix| format!("-{suffix}")),
        1 => "[ \t]{0,2}",
    ]
}

fn field() -> impl Strategy<Value = String> {
    let spaced = ("[ \t]{0,1}", member(), "[ \t]{0,1}").prop_map(|(a, member, b)| format!("{a}{member}{b}"));
    prop_oneof![
        12 => prop::collection::vec(spaced, 1..8).prop_map(|members| format!("bytes={}", members.join(","))),
        // Far apart and short: framing is most of it.
        2 => (60..200_u64, 0..900_u64).prop_map(|(count, last)| {
            let apart = |n: u64| format!("{}-{}", n * 8_000, n * 8_000 + last);
            format!("bytes={}", (0..count).map(apart).collect::<Vec<_>>().join(","))
        }),
        1 => prop_oneof![30..40_usize, 195..205_usize].prop_flat_map(|count| prop::collection::vec(member(), count)).prop_map(|members| format!("Bytes={}", members.join(","))),
        3 => "bytes=[0-9, \t-]{0,20}",
        1 => "bytes=[0-9a-f+, -]{1,12}",
        1 => "[ -~]{0,20}",
        1 => "(bytes|items|byte|BYTES)[ =:]{0,2}[0-9]-[0-9]",
    ]
    // A client cannot send spaces at the ends of a field.
    .prop_map(|field| field.trim_matches([' ', '\t']).to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_answer_is_the_models(file in file(), media_type in media_type(), fields in prop::collection::vec(field(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(both_sources_are_as_the_model(file, &media_type, fields));
    }
}

/// The longest type, in every part of an answer of as many as are read.
#[tokio::test]
async fn framing_is_in_proportion() {
    let file: Vec<u8> = (0..1_700_000_usize).map(|n| (n % 251) as u8).collect();
    let apart = |count: usize, length: usize| {
        let ranges = (0..count).map(|n| format!("{}-{}", n * 8_000, n * 8_000 + length - 1));
        format!("bytes={}", ranges.collect::<Vec<_>>().join(","))
    };
    let longest = format!("text/plain; a={}", "x".repeat(241));
    for (media_type, field, whole) in [
        ("text/plain", apart(200, 1), false),
        (&*longest, apart(2, 1), false),
        (&*longest, apart(32, 1), false),
        (&*longest, apart(200, 1), true),
        (&*longest, apart(200, 100), true),
        (&*longest, apart(200, 1_000), false),
    ] {
        assert_eq!(model(&field, file.len(), media_type) == Model::Whole, whole, "{field}");
        both_sources_are_as_the_model(file.clone(), media_type, vec![field]).await;
    }
}

/// The model itself, against the RFC's words.
#[test]
fn the_model_knows_the_examples() {
    for (field, length, expected) in [
        ("bytes=0-499", 10_000, Model::Ranges(vec![(0, 499)])),
        ("bytes=-500", 10_000, Model::Ranges(vec![(9_500, 9_999)])),
        ("bytes=0-0,-1", 10_000, Model::Ranges(vec![(0, 0), (9_999, 9_999)])),
        ("bytes=500-600,601-999", 10_000, Model::Ranges(vec![(500, 999)])),
        ("bytes=9-,0-1", 10, Model::Ranges(vec![(9, 9), (0, 1)])),
        ("bytes=10-", 10, Model::Unsatisfiable),
        ("bytes=0-", 0, Model::Whole),
        ("bytes=-5", 0, Model::Whole),
        ("bytes=5-4", 10, Model::Whole),
        ("items=0-1", 10, Model::Whole),
    ] {
        assert_eq!(model(field, length, "text/plain"), expected, "{field}");
    }
}
