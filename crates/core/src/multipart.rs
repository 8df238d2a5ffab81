//! `multipart/byteranges`, RFC 9110 section 14.6.

use std::fmt::Write as _;
use std::hash::BuildHasher as _;
use std::ops::Range;

use bytes::Bytes;
use http::HeaderValue;

use crate::parts::Part;

/// So many bytes of framing are sent whatever they frame: enough for 200 ranges of a file with a usual type, too little
/// for 200 repetitions of a long one.
const FREE_FRAMING: usize = 32 * 1024;

/// Framing of one part besides its boundary, type and numbers, and the end of the whole.
const PART: &str = "\r\n--\r\nContent-Type: \r\nContent-Range: bytes -/\r\n\r\n";
const END: &str = "\r\n----\r\n";

/// The length of a boundary.
const BOUNDARY: usize = 32;

/// Whether the framing of `ranges` outweighs them: it has more bytes than the ranges, and more than 32 KiB. All framing is
/// made at once and kept until the last part has left.
pub(crate) fn outweighs(ranges: &[Range<u64>], file_type: &HeaderValue, length: u64) -> bool {
    let each = PART.len() + BOUNDARY + file_type.len() + digits(length);
    let numbers: usize = ranges.iter().map(|range| digits(range.start) + digits(range.end - 1)).sum();
    // The first part needs no line break before it.
    let framing = ranges.len() * each + numbers + END.len() + BOUNDARY - 2;
    let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    framing > FREE_FRAMING && framing as u64 > bytes
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// Frames several ranges. Each part carries the file's own type. Returns the parts and the `Content-Type` of the answer.
pub(crate) fn frame(ranges: &[Range<u64>], file_type: &HeaderValue, length: u64) -> (Vec<Part>, HeaderValue) {
    let boundary = boundary();
    let file_type = file_type.to_str().unwrap_or_default();
    // All framing is written into one buffer, of which each literal is a piece.
    let mut framing = String::with_capacity((ranges.len() + 1) * (120 + file_type.len()));
    let mut ends = Vec::with_capacity(ranges.len());
    let mut break_line = "";
    for range in ranges {
        let (first, last) = (range.start, range.end - 1);
        let _ = write!(
            framing,
            "{break_line}--{boundary}\r\nContent-Type: {file_type}\r\nContent-Range: bytes {first}-{last}/{length}\r\n\r\n"
        );
        break_line = "\r\n";
        ends.push(framing.len());
    }
    let _ = write!(framing, "\r\n--{boundary}--\r\n");
    let mut framing = Bytes::from(framing);
    let mut parts = Vec::with_capacity(2 * ranges.len() + 1);
    let mut cut = 0;
    for (range, end) in ranges.iter().zip(ends) {
        parts.push(Part::Literal(framing.split_to(end - cut)));
        parts.push(Part::File(range.clone()));
        cut = end;
    }
    parts.push(Part::Literal(framing));
    let value = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}"));
    (parts, value.unwrap_or(HeaderValue::from_static("multipart/byteranges")))
}

/// 128 bits that an uploader cannot guess, so that no file holds its own boundary.
fn boundary() -> String {
    let random = || std::hash::RandomState::new().hash_one(0_u8);
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(parts: &[Part]) -> usize {
        let of = |part: &Part| match part {
            Part::Literal(bytes) => bytes.len(),
            Part::File(_) => 0,
        };
        parts.iter().map(of).sum()
    }

    #[test]
    fn framing_outweighs_by_its_exact_length() {
        let single = |count: u64, apart: u64| -> Vec<Range<u64>> {
            (0..count).map(|n| n * apart..n * apart + 1).collect()
        };
        for (name, ranges, file_type, length) in [
            ("two of a small file", vec![0..1, 9..10], "text/plain", 10_u64),
            ("as many as are read", single(200, 10_000), "text/plain", 3 << 20),
            ("numbers of many digits", single(200, 1 << 50), "application/octet-stream", u64::MAX),
            ("the longest type, a few", single(32, 10_000), &*"x".repeat(255), 1 << 20),
            ("the longest type, many", single(200, 10_000), &*"x".repeat(255), 3 << 20),
            (
                "the longest type, long ranges",
                (0..200).map(|n| n * 10_000..n * 10_000 + 5_000).collect(),
                &*"x".repeat(255),
                3 << 20,
            ),
        ] {
            let file_type = HeaderValue::from_str(file_type).expect("a value");
            let (parts, _) = frame(&ranges, &file_type, length);
            let written = framing(&parts);
            let bytes = ranges.iter().map(|range| range.end - range.start).sum::<u64>() as usize;
            assert_eq!(
                outweighs(&ranges, &file_type, length),
                written > FREE_FRAMING.max(bytes),
                "{name}: {written}"
            );
        }
        // To the byte: the type is the free part of the length.
        let ranges = single(100, 10_000);
        let (parts, _) = frame(&ranges, &HeaderValue::from_static(""), 1 << 20);
        let room = (FREE_FRAMING - framing(&parts)) / 100;
        let rest = FREE_FRAMING - framing(&parts) - 100 * room;
        let of = |length: usize| HeaderValue::from_str(&"x".repeat(length)).expect("a value");
        assert!(
            !outweighs(&ranges, &of(room), 1 << 20) && outweighs(&ranges, &of(room + 1), 1 << 20),
            "{rest}"
        );
    }
}
