//! Byte ranges, RFC 9110 section 14.
//!
//! # What range bombs cost
//!
//! Time of one download in process, gate included, from a warm page cache on one core, in microseconds
//! (`cargo bench -p benches --bench range`):
//!
//! | request | 1 KB file | 46 KB file | 1 MB file |
//! |---|---|---|---|
//! | plain GET | 8.9 | 12.1 | 80 |
//! | 10,000 ranges apart | 9.0 | 14.5 | 80 |
//! | 10,000 ranges, overlapping | 9.1 | 14.1 | 77 |
//! | 1 MB of ranges | 9.7 | 12.8 | 82 |
//! | 1 MB of digits | 9.8 | 11.5 | 84 |
//! | as many as are read (32, 32, 128), overlapping | 11 to 14 | 13.5 | 85 |
//! | as many as are read, one byte each | 38 to 70 | 42 | 141 |
//! | as many as are read, all but a byte between | 38 | 44 | 387 |
//!
//! The last two are what honest clients ask for too. A part costs 1 to 2.5 microseconds, so the cap on their number is what
//! bounds them.

use std::ops::Range;

use http::HeaderValue;

/// A longer `Range` field is ignored. Two hundred ranges fit in well.
const MAX_FIELD: usize = 8 * 1024;

/// So many ranges are read of any file.
const FEW_RANGES: usize = 32;

/// More ranges are read if the file has so many bytes for each of them: sending a part then costs less than sending
/// those bytes.
const WORTH_A_RANGE: u64 = 8 * 1024;

/// More ranges than this are never read.
const MAX_RANGES: usize = 200;

/// How many ranges of a file of `length` bytes are read. A field with more is ignored, so that no field makes work that
/// is out of proportion.
fn cap(length: u64) -> usize {
    let worth = usize::try_from(length / WORTH_A_RANGE).unwrap_or(usize::MAX);
    worth.clamp(FEW_RANGES, MAX_RANGES)
}

/// What a `Range` field asks of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// Absent, malformed, of another unit or over the caps, or of an empty file: the whole file.
    Whole,
    /// At least one range; none empty, none overlapping or adjacent, in the order in which they were asked for.
    Some(Vec<Range<u64>>),
    /// Well-formed, but nothing of it lies in the file.
    Unsatisfiable,
}

/// Reads `field` for a file of `length` bytes.
pub(crate) fn parse(field: &HeaderValue, length: u64) -> Ranges {
    let field = field.as_bytes();
    if field.len() > MAX_FIELD {
        return Ranges::Whole;
    }
    // Section 14.1: unit names are case-insensitive.
    let Some((unit, set)) = field.split_at_checked(6) else { return Ranges::Whole };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return Ranges::Whole;
    }
    // No 206 can describe nothing. Most servers send an empty file whatever the range: see `docs/rfc9110.md`.
    if length == 0 {
        return Ranges::Whole;
    }
    if set.iter().filter(|&&byte| byte == b',').count() >= cap(length) {
        return Ranges::Whole;
    }
    let mut asked = 0;
    let mut wanted = Vec::new();
    for spec in set.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|spec| !spec.is_empty()) {
        asked += 1;
        match resolve(spec, length) {
            Spec::Malformed => return Ranges::Whole,
            Spec::Unsatisfiable => {}
            Spec::Bytes(range) => wanted.push(range),
        }
    }
    match (asked, wanted.len()) {
        (0, _) => Ranges::Whole,
        (_, 0) => Ranges::Unsatisfiable,
        _ => Ranges::Some(coalesce(wanted)),
    }
}

enum Spec {
    Malformed,
    Unsatisfiable,
    Bytes(Range<u64>),
}

/// `first-pos "-" [ last-pos ]` or `"-" suffix-length`, section 14.1.1.
fn resolve(spec: &[u8], length: u64) -> Spec {
    let Some(dash) = spec.iter().position(|&byte| byte == b'-') else { return Spec::Malformed };
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => Spec::Malformed,
        (true, false) => match number(last) {
            None => Spec::Malformed,
            Some(0) => Spec::Unsatisfiable,
            Some(suffix) => Spec::Bytes(length.saturating_sub(suffix)..length),
        },
        (false, open) => {
            let Some(first_pos) = number(first) else { return Spec::Malformed };
            let last_pos = if open { Some(u64::MAX) } else { number(last) };
            match last_pos {
                None => Spec::Malformed,
                Some(last_pos) if last_pos < first_pos || (!open && digits_less(last, first)) => {
                    Spec::Malformed
                }
                Some(_) if first_pos >= length => Spec::Unsatisfiable,
                Some(last_pos) => Spec::Bytes(first_pos..last_pos.saturating_add(1).min(length)),
            }
        }
    }
}

/// A decimal number; one beyond `u64` is as good as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, byte| {
        byte.is_ascii_digit().then(|| value.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
    })
}

/// Whether one number is less than another, both of any size: positions beyond `u64` still compare.
fn digits_less(one: &[u8], two: &[u8]) -> bool {
    let significant = |digits: &'_ [u8]| digits.iter().position(|&byte| byte != b'0').unwrap_or(digits.len());
    let (one, two) = (&one[significant(one)..], &two[significant(two)..]);
    (one.len(), one) < (two.len(), two)
}

/// Joins overlapping and adjacent ranges. Each joined range stands where its first member was asked for.
fn coalesce(wanted: Vec<Range<u64>>) -> Vec<Range<u64>> {
    if wanted.len() == 1 {
        return wanted;
    }
    let mut by_start: Vec<(usize, Range<u64>)> = wanted.into_iter().enumerate().collect();
    by_start.sort_unstable_by_key(|(_, range)| range.start);
    let mut joined: Vec<(usize, Range<u64>)> = Vec::with_capacity(by_start.len());
    for (place, range) in by_start {
        match joined.last_mut() {
            Some((first, last)) if range.start <= last.end => {
                *first = place.min(*first);
                last.end = range.end.max(last.end);
            }
            _ => joined.push((place, range)),
        }
    }
    joined.sort_unstable_by_key(|(place, _)| *place);
    joined.into_iter().map(|(_, range)| range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(field: &str, length: u64) -> Ranges {
        parse(&HeaderValue::from_str(field).expect("a header value"), length)
    }

    #[test]
    fn fields_are_resolved_against_the_length() {
        let some =
            |ranges: &[(u64, u64)]| Ranges::Some(ranges.iter().map(|&(start, end)| start..end).collect());
        let huge = "99999999999999999999999999";
        let over_4_gib = 5 << 30;
        for (field, length, expected) in [
            ("bytes=0-0", 10, some(&[(0, 1)])),
            ("bytes=0-9", 10, some(&[(0, 10)])),
            ("bytes=0-", 10, some(&[(0, 10)])),
            ("bytes=3-", 10, some(&[(3, 10)])),
            ("bytes=9-9", 10, some(&[(9, 10)])),
            ("bytes=0-100", 10, some(&[(0, 10)])),
            (&format!("bytes=0-{huge}"), 10, some(&[(0, 10)])),
            (&format!("bytes={huge}-"), 10, Ranges::Unsatisfiable),
            (&format!("bytes={huge}-{huge}"), 10, Ranges::Unsatisfiable),
            (&format!("bytes={huge}9-{huge}"), 10, Ranges::Whole),
            ("bytes=18446744073709551615-", 10, Ranges::Unsatisfiable),
            ("bytes=0-18446744073709551615", 10, some(&[(0, 10)])),
            ("bytes=-3", 10, some(&[(7, 10)])),
            ("bytes=-10", 10, some(&[(0, 10)])),
            ("bytes=-500", 100, some(&[(0, 100)])),
            (&format!("bytes=-{huge}"), 10, some(&[(0, 10)])),
            ("bytes=-0", 10, Ranges::Unsatisfiable),
            ("bytes=10-", 10, Ranges::Unsatisfiable),
            ("bytes=10-20", 10, Ranges::Unsatisfiable),
            ("bytes=0-", 0, Ranges::Whole),
            ("bytes=0-0", 0, Ranges::Whole),
            ("bytes=5-", 0, Ranges::Whole),
            ("bytes=-5", 0, Ranges::Whole),
            ("bytes=-0", 0, Ranges::Whole),
            ("bytes=0-0,-1", 0, Ranges::Whole),
            ("Bytes=0-1", 10, some(&[(0, 2)])),
            ("bytes=007-08", 10, some(&[(7, 9)])),
            ("bytes= 0-1 ,\t3-4 ", 10, some(&[(0, 2), (3, 5)])),
            ("bytes=,0-1,,", 10, some(&[(0, 2)])),
            ("bytes=0-1,20-30", 10, some(&[(0, 2)])),
            ("bytes=20-30,40-", 10, Ranges::Unsatisfiable),
            ("bytes=0-1,4-5,8-9", 10, some(&[(0, 2), (4, 6), (8, 10)])),
            ("bytes=8-9,0-1", 10, some(&[(8, 10), (0, 2)])),
            ("bytes=0-1,2-3", 10, some(&[(0, 4)])),
            ("bytes=0-5,2-3", 10, some(&[(0, 6)])),
            ("bytes=5-,0-6", 10, some(&[(0, 10)])),
            ("bytes=8-,0-1,1-2", 10, some(&[(8, 10), (0, 3)])),
            ("bytes=0-1,8-9,2-3", 10, some(&[(0, 4), (8, 10)])),
            ("bytes=4294967296-4294967297", over_4_gib, some(&[(4_294_967_296, 4_294_967_298)])),
            ("bytes=5-2", 10, Ranges::Whole),
            ("bytes=0-1,5-2", 10, Ranges::Whole),
            ("bytes=", 10, Ranges::Whole),
            ("bytes=,", 10, Ranges::Whole),
            ("bytes=-", 10, Ranges::Whole),
            ("bytes=a-b", 10, Ranges::Whole),
            ("bytes=0", 10, Ranges::Whole),
            ("bytes=0-1-2", 10, Ranges::Whole),
            ("bytes=+0-1", 10, Ranges::Whole),
            ("bytes=0 -1", 10, Ranges::Whole),
            ("bytes=0x0-1", 10, Ranges::Whole),
            ("bytes =0-1", 10, Ranges::Whole),
            ("bytes:0-1", 10, Ranges::Whole),
            ("bytes", 10, Ranges::Whole),
            ("", 10, Ranges::Whole),
            ("items=0-1", 10, Ranges::Whole),
            ("seconds=1-2", 10, Ranges::Whole),
        ] {
            assert_eq!(of(field, length), expected, "{field} of {length}");
        }
    }

    #[test]
    fn the_caps_make_it_the_whole_file() {
        let many = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        let first_byte = Ranges::Some(vec![Range { start: 0, end: 1 }]);
        for (length, cap) in
            [(10, 32), (32 * 8192, 32), (100 * 8192, 100), (200 * 8192, 200), (u64::MAX, 200)]
        {
            assert_eq!(of(&many(cap), length), first_byte, "{cap} of {length}");
            assert_eq!(of(&many(cap + 1), length), Ranges::Whole, "{cap} + 1 of {length}");
        }
        assert_eq!(of(&format!("bytes=0-{}", "9".repeat(MAX_FIELD)), 10), Ranges::Whole);
    }

    proptest::proptest! {
        /// Against a model that marks every byte asked for.
        #[test]
        fn exactly_the_bytes_asked_for(length in 1_u64..40, specs in proptest::collection::vec((0_u64..50, 0_u64..50, 0..3), 1..8)) {
            let mut wanted = vec![false; usize::try_from(length).expect("small")];
            let mut field = Vec::new();
            for (one, two, form) in specs {
                let (text, range) = match form {
                    0 => (format!("{one}-"), one..length),
                    1 => (format!("-{one}"), length.saturating_sub(one)..length),
                    _ => (format!("{}-{}", one.min(two), one.max(two)), one.min(two)..(one.max(two) + 1).min(length)),
                };
                field.push(text);
                for byte in range {
                    wanted[usize::try_from(byte).expect("small")] = true;
                }
            }
            let answer = of(&format!("bytes={}", field.join(",")), length);
            if let Ranges::Some(ranges) = &answer {
                let mut sent = vec![0; wanted.len()];
                for byte in ranges.iter().cloned().flatten() {
                    sent[usize::try_from(byte).expect("small")] += 1;
                }
                let expected: Vec<i32> = wanted.iter().map(|&byte| i32::from(byte)).collect();
                proptest::prop_assert_eq!(sent, expected);
            } else {
                proptest::prop_assert_eq!(answer, Ranges::Unsatisfiable);
                proptest::prop_assert!(!wanted.contains(&true));
            }
        }
    }
}
