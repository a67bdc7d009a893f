//! # A range of a file
//!
//! ```text
//! bytes=0-4      the first five bytes          bytes=-5    the last five
//! bytes=5-       all but the first five        bytes=9-4   none: the field is ignored
//! bytes=0-4,50-54                              near to each other: one range, 0 to 54
//! ```
//! Rule: RFC 9110 section 14. Several ranges are sent as one if the bytes between them are fewer than the
//! framing of two parts would take (section 15.3.7.2), and as the whole file otherwise.
//! Next: [`media_type`](super::media_type).

use std::ops::Range;

use crate::message::fields::{members, parse_digits};

/// Ranges in one field, at most. With more, the whole file is sent.
const MAX_RANGES: usize = 64;

/// Bytes that the framing of a part would take: RFC 9110 section 15.3.7.2 says around 80.
const PART_FRAMING: u64 = 80;

/// How much of a file a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The whole file.
    Whole,
    /// These bytes of it: one at least.
    Part(Range<u64>),
    /// 416: no range begins within the file.
    BeyondTheEnd,
}

/// What this value of a Range field asks for, of a file with `length` bytes. A malformed one, and one in
/// another unit, count as none (RFC 9110 section 14.2).
pub(super) fn extent(value: &[u8], length: u64) -> Extent {
    let Some(mut ranges) = ranges(value, length) else { return Extent::Whole };
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    let Some(mut joined) = ranges.first().cloned() else { return Extent::BeyondTheEnd };
    for range in ranges {
        if range.start.saturating_sub(joined.end) > PART_FRAMING {
            return Extent::Whole;
        }
        joined.end = joined.end.max(range.end);
    }
    Extent::Part(joined)
}

/// The ranges of a field, in bytes of the file. `None` if the whole file is to be sent.
fn ranges(value: &[u8], length: u64) -> Option<Vec<Range<u64>>> {
    let (unit, list) = value.split_at_checked("bytes=".len())?;
    // RFC 9110 section 5.6.1: blanks may stand at the commas only, and one member there must be.
    let is_list = unit.eq_ignore_ascii_case(b"bytes=") && !matches!(list, [b' ' | b'\t', ..]);
    let are_few = (1..=MAX_RANGES).contains(&members(list).count());
    (is_list && are_few).then(|| members(list).map(|member| range(member, length)).collect())?
}

/// One range, in bytes of the file: an empty one if it is not within the file. `None` if it is malformed, or
/// asks for the whole file.
fn range(member: &[u8], length: u64) -> Option<Range<u64>> {
    let hyphen = member.iter().position(|&byte| byte == b'-')?;
    Some(match (&member[..hyphen], &member[hyphen + 1..]) {
        // Section 14.1.2: the last bytes of an empty file are all that it has.
        ([], last) if length == 0 && number(last)? > 0 => return None,
        ([], last) => length.saturating_sub(number(last)?)..length,
        (first, []) => number(first)?..length,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| first..length.min(last.saturating_add(1)))?
        }
    })
}

/// A number in decimal digits. One beyond 64 bits is beyond every file.
fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| parse_digits(digits).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_of_the_file_or_beyond_it_or_ignored() {
        let part = |first, length| Extent::Part(first..first + length);
        let large = 5 << 30;
        for (value, length, expected) in [
            ("bytes=0-4", 100, part(0, 5)),
            ("BYTES=0-0", 100, part(0, 1)),
            ("bytes=95-", 100, part(95, 5)),
            ("bytes=-5", 100, part(95, 5)),
            ("bytes=-500", 100, part(0, 100)),
            ("bytes=90-500", 100, part(90, 10)),
            ("bytes=1-2 , ,", 100, part(1, 2)),
            ("bytes=,1-2", 100, part(1, 2)),
            ("bytes=4294967296-4294967300", large, part(1 << 32, 5)),
            ("bytes=100-", 100, Extent::BeyondTheEnd),
            ("bytes=100-200,300-", 100, Extent::BeyondTheEnd),
            ("bytes=-0", 100, Extent::BeyondTheEnd),
            ("bytes=-0", 0, Extent::BeyondTheEnd),
            ("bytes=0-", 0, Extent::BeyondTheEnd),
            ("bytes=-5", 0, Extent::Whole),
            ("bytes=,-5", 0, Extent::Whole),
            ("bytes=0-,-5", 0, Extent::Whole),
            ("bytes=18446744073709551616-18446744073709551620", 100, Extent::BeyondTheEnd),
            ("bytes=0-18446744073709551616", 100, part(0, 100)),
            // Several: one range if little is between them.
            ("bytes=0-4,50-54", 100, part(0, 55)),
            ("bytes=50-54,0-4", 100, part(0, 55)),
            ("bytes=0-9,5-6", 100, part(0, 10)),
            ("bytes=0-0,82-82", 100, Extent::Whole),
            ("bytes=0-0,81-81", 100, part(0, 82)),
            ("bytes=0-0,500-", 100, part(0, 1)),
            // Malformed, or in another unit.
            ("bytes=9-4", 100, Extent::Whole),
            ("bytes=0-4,9-4", 100, Extent::Whole),
            ("bytes=", 100, Extent::Whole),
            ("bytes=,", 100, Extent::Whole),
            ("bytes= 1-2", 100, Extent::Whole),
            ("bytes=1 - 2", 100, Extent::Whole),
            ("bytes=1- 2", 100, Extent::Whole),
            ("bytes= -5", 0, Extent::Whole),
            ("bytes=-", 100, Extent::Whole),
            ("bytes=a-b", 100, Extent::Whole),
            ("bytes=+1-2", 100, Extent::Whole),
            ("bytes 0-4", 100, Extent::Whole),
            ("lines=0-4", 100, Extent::Whole),
            ("bytes", 100, Extent::Whole),
        ] {
            assert_eq!(extent(value.as_bytes(), length), expected, "{value} of {length}");
        }
        let many = format!("bytes={}0-", "0-,".repeat(300));
        assert_eq!(extent(many.as_bytes(), 100), Extent::Whole);
    }
}
