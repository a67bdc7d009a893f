//! The bytes that a transcript expects, compared exactly, with two exceptions: two valid `Date` values
//! are equal, because no server responds twice at the same time; and left-out bytes equal any bytes.
//!
//! ```text
//! <<<                                      HTTP/1.1 200 OK
//! HTTP/1.1 200 OK                          Date: Mon, 02 Mar 2026 09:00:00 GMT       equal
//! Date: Sun, 06 Nov 1994 08:49:37 GMT      Content-Length: 8412
//! Content-Length: 8412
//!                                          %PNG ... 8412 bytes                       equal
//! \{8412 bytes}\
//! ```
//! Neither exception changes a length, so an offset names the same byte on both sides.

use openkitchen::message::date::parse_imf_fixdate;
use openkitchen::transcript::{Bytes, Piece};

/// The bytes that the server should send on a connection: all its blocks, joined, because TCP may cut
/// them anywhere.
#[derive(Default)]
pub struct ExpectedBytes {
    spans: Vec<KnownOrAny>,
}

enum KnownOrAny {
    Known(Vec<u8>),
    /// The number of left-out bytes.
    Any(u64),
}

impl ExpectedBytes {
    /// Adds a block.
    pub fn push(&mut self, block: &Bytes) {
        for piece in block.pieces() {
            let bytes = match piece {
                Piece::Raw(bytes) => bytes.clone(),
                Piece::Repeat { times, bytes } => {
                    bytes.repeat(usize::try_from(*times).unwrap_or(usize::MAX))
                }
                Piece::LeftOut { count } => {
                    self.spans.push(KnownOrAny::Any(*count));
                    continue;
                }
            };
            match self.spans.last_mut() {
                Some(KnownOrAny::Known(before)) => before.extend(bytes),
                _ => self.spans.push(KnownOrAny::Known(bytes)),
            }
        }
    }

    /// The number of bytes, with the left-out ones.
    pub fn len(&self) -> u64 {
        let length = |span: &KnownOrAny| match span {
            KnownOrAny::Known(bytes) => bytes.len() as u64,
            KnownOrAny::Any(count) => *count,
        };
        self.spans.iter().map(length).fold(0, u64::saturating_add)
    }

    /// Returns the bytes up to the first left-out one.
    pub fn known(&self) -> Vec<u8> {
        self.known_from(0, usize::MAX)
    }

    /// Returns the offset of the first received byte that differs, is missing, or is too many.
    pub fn difference(&self, got: &[u8]) -> Option<usize> {
        let differs = self.difference_so_far(got);
        differs.or((self.len() != got.len() as u64).then_some(got.len()))
    }

    /// Returns the offset of the first received byte that differs or is too many. Missing bytes may
    /// still arrive.
    pub fn difference_so_far(&self, got: &[u8]) -> Option<usize> {
        let masked = &dates_masked(got)[..];
        let mut at = 0;
        for span in &self.spans {
            let rest = &masked[at..];
            match span {
                KnownOrAny::Known(bytes) => {
                    let bytes = dates_masked(bytes);
                    let same = bytes.iter().zip(rest).take_while(|(one, other)| one == other);
                    let same = same.count();
                    at += same;
                    if same < bytes.len() {
                        return (at < got.len() && !is_in_incomplete_date(got, at)).then_some(at);
                    }
                }
                KnownOrAny::Any(count) => {
                    at += rest.len().min(usize::try_from(*count).unwrap_or(usize::MAX))
                }
            }
        }
        (at < got.len()).then_some(at)
    }

    /// Returns at most `limit` bytes from this offset, up to the first left-out one.
    pub fn known_from(&self, offset: usize, limit: usize) -> Vec<u8> {
        let (mut bytes, mut skip) = (Vec::new(), offset as u64);
        for span in &self.spans {
            match span {
                KnownOrAny::Any(count) if skip < *count => break,
                KnownOrAny::Any(count) => skip -= count,
                KnownOrAny::Known(known) => {
                    let from = usize::try_from(skip).unwrap_or(usize::MAX).min(known.len());
                    skip -= from as u64;
                    let rest = &known[from..];
                    bytes.extend_from_slice(&rest[..rest.len().min(limit - bytes.len())]);
                }
            }
        }
        bytes
    }
}

/// Returns the bytes with the RFC's example in place of each valid `Date` value; it is as long.
fn dates_masked(bytes: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"Date: ";
    const EXAMPLE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";
    let mut masked = bytes.to_vec();
    let is_line_start = |at: &usize| *at == 0 || bytes[at - 1] == b'\n';
    for at in (0..bytes.len()).filter(is_line_start) {
        let Some((name, rest)) = bytes[at..].split_at_checked(NAME.len()) else { break };
        match rest.split_at_checked(EXAMPLE.len()) {
            Some((value, end))
                if name.eq_ignore_ascii_case(NAME)
                    && parse_imf_fixdate(value).is_some()
                    && end.starts_with(b"\r\n") =>
            {
                let from = at + NAME.len();
                masked[from..from + EXAMPLE.len()].copy_from_slice(EXAMPLE);
            }
            _ => {}
        }
    }
    masked
}

/// Whether a byte is in a Date line whose end was not received yet, so the value is not known.
fn is_in_incomplete_date(got: &[u8], at: usize) -> bool {
    let start = got[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
    let line = &got[start..];
    let name = line.get(..5).unwrap_or_default();
    name.eq_ignore_ascii_case(b"date:") && !line.contains(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(blocks: &[Bytes]) -> ExpectedBytes {
        let mut expected = ExpectedBytes::default();
        blocks.iter().for_each(|block| expected.push(block));
        expected
    }

    #[test]
    fn joined_blocks_are_compared_byte_for_byte() {
        let blocks = expected(&[Bytes::raw("one"), Bytes::raw("two")]);
        assert_eq!((blocks.len(), blocks.known()), (6, b"onetwo".to_vec()));
        for (got, so_far, in_all) in [
            ("onetwo", None, None),
            ("one", None, Some(3)),
            ("oneTwo", Some(3), Some(3)),
            ("onetwo!", Some(6), Some(6)),
            ("", None, Some(0)),
        ] {
            assert_eq!(blocks.difference_so_far(got.as_bytes()), so_far, "{got}");
            assert_eq!(blocks.difference(got.as_bytes()), in_all, "{got}");
        }
    }

    #[test]
    fn a_date_is_compared_only_when_its_line_is_complete() {
        let block = b"OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        let received = b"OK\r\nDate: Mon, 02 Mar 2026 09:00:00 GMT\r\n\r\n";
        let block = expected(&[Bytes::raw(block)]);
        for cut in 0..=received.len() {
            assert_eq!(block.difference_so_far(&received[..cut]), None, "cut at {cut}");
        }
        assert_eq!(block.difference_so_far(b"OK\r\nDate: now\r\n"), Some(10));
    }

    #[test]
    fn left_out_bytes_equal_any_bytes_of_the_same_number() {
        let mut block = Bytes::raw("<");
        block.push_left_out(3);
        block.push_raw(b">");
        let block = expected(&[block]);
        assert_eq!(block.difference(b"<abc>"), None);
        assert_eq!(block.difference(b"<ab>"), Some(4));
        assert_eq!(block.difference(b"<abcd>"), Some(4));
        assert_eq!(block.difference(b"<ab"), Some(3));
        assert_eq!(block.difference_so_far(b"<ab"), None);
        assert_eq!(
            (block.known_from(0, 9), block.known_from(4, 9)),
            (b"<".to_vec(), b">".to_vec())
        );
        assert_eq!(block.known_from(2, 9), b"");
    }

    #[test]
    fn two_valid_dates_are_equal() {
        let block = expected(&[Bytes::raw("A: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n")]);
        let with = |date: &str| format!("A: 1\r\nDate: {date}\r\n\r\n").into_bytes();
        assert_eq!(block.difference(&with("Mon, 02 Mar 2026 23:59:60 GMT")), None);
        for date in ["Mon, 02 Mar 2026 24:00:00 GMT", "Monday, 02-Mar-26 23:00:00 GMT"] {
            assert!(block.difference(&with(date)).is_some_and(|at| at >= 12), "{date}");
        }
    }
}
