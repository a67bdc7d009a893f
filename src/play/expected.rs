//! # The bytes that a transcript expects, and where the received ones differ
//!
//! Bytes are compared exactly, with exceptions: what no two runs have in common, and what was left out.
//!
//! ```text
//! >>>                                      GET / HTTP/1.1
//! GET / HTTP/1.1                           Host: h:41233                             equal: a port
//! Host: h:5000                             User-Agent: other                         equal: or none
//!
//! <<<                                      HTTP/1.1 200 OK
//! HTTP/1.1 200 OK                          Date: Mon, 02 Mar 2026 09:00:00 GMT       equal: a date
//! Date: Sun, 06 Nov 1994 08:49:37 GMT      Content-Length: 8412
//! Content-Length: 8412
//!                                          %PNG ... 8412 bytes                       equal: any bytes
//! \{8412 bytes}\
//! ```
//! Rule: of a server, two valid `Date` values are equal, because no server responds twice at the same
//! time. Of a client, the port in `Host` and the line `User-Agent` are not compared.
//! Next: `difference`.

use crate::message::date::parse_imf_fixdate;
use crate::message::dialogue::Side;
use crate::transcript::{Bytes, Piece};

/// Bytes that one side should send on a connection, joined, because TCP may cut them anywhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExpectedBytes {
    /// Each span with its offset.
    spans: Vec<(u64, ByteSpan)>,
    /// The number of bytes, with the left-out ones.
    length: u64,
}

/// A span of expected bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum ByteSpan {
    /// These bytes.
    Known(Vec<u8>),
    /// So many bytes, which were left out.
    LeftOut(u64),
}

/// How far the expected and the received bytes are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EqualUpTo {
    /// The offset in the expected bytes.
    pub expected: u64,
    /// The offset in the received bytes.
    pub received: usize,
}

impl EqualUpTo {
    fn advance(&mut self, length: usize) {
        self.expected += length as u64;
        self.received += length;
    }
}

impl ExpectedBytes {
    /// Adds a block.
    pub fn push(&mut self, block: &Bytes) {
        for piece in block.pieces() {
            self.push_span(match piece {
                Piece::Raw(bytes) => ByteSpan::Known(bytes.clone()),
                Piece::Repeat { times, bytes } => {
                    ByteSpan::Known(bytes.repeat(usize::try_from(*times).unwrap_or(usize::MAX)))
                }
                Piece::LeftOut { count } => ByteSpan::LeftOut(*count),
            });
        }
    }

    /// Adds the bytes after these.
    pub fn append(&mut self, more: ExpectedBytes) {
        more.spans.into_iter().for_each(|(_, span)| self.push_span(span));
    }

    fn push_span(&mut self, span: ByteSpan) {
        let length = match &span {
            ByteSpan::Known(bytes) => bytes.len() as u64,
            ByteSpan::LeftOut(count) => *count,
        };
        match (self.spans.last_mut(), span) {
            (Some((_, ByteSpan::Known(before))), ByteSpan::Known(bytes)) => before.extend(bytes),
            (_, span) => self.spans.push((self.length, span)),
        }
        self.length = self.length.saturating_add(length);
    }

    /// The spans, in order.
    pub fn spans(&self) -> impl Iterator<Item = &ByteSpan> {
        self.spans.iter().map(|(_, span)| span)
    }

    /// The number of bytes, with the left-out ones.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// The bytes to the first left-out one.
    pub fn known(&self) -> &[u8] {
        self.known_between(0, self.length)
    }

    /// The bytes between two offsets, to the first left-out one.
    pub fn known_between(&self, from: u64, to: u64) -> &[u8] {
        let Some((start, ByteSpan::Known(bytes))) = self.span_at(from) else { return &[] };
        let in_span =
            |offset: u64| usize::try_from(offset - start).unwrap_or(usize::MAX).min(bytes.len());
        &bytes[in_span(from)..in_span(to)]
    }

    fn span_at(&self, offset: u64) -> Option<&(u64, ByteSpan)> {
        self.spans[..self.spans.partition_point(|(start, _)| *start <= offset)].last()
    }

    /// Compares the bytes that `sender` has sent with those up to the offset `to`. Moves `equal` as far
    /// as they are equal, and returns whether they differ there. If not, one of them ends there, or a
    /// `Date` is not complete. A client's bytes are compared from the start of a message.
    pub fn compare(&self, equal: &mut EqualUpTo, to: u64, got: &[u8], sender: Side) -> bool {
        self.compare_but(equal, to, got, Some(sender))
    }

    /// Compares content, of which nothing is skipped: see [`ExpectedBytes::compare`].
    pub fn compare_content(&self, equal: &mut EqualUpTo, to: u64, got: &[u8]) -> bool {
        self.compare_but(equal, to, got, None)
    }

    fn compare_but(
        &self,
        equal: &mut EqualUpTo,
        to: u64,
        got: &[u8],
        sender: Option<Side>,
    ) -> bool {
        let message = equal.expected;
        while equal.expected < to && equal.received < got.len() {
            let Some((start, span)) = self.span_at(equal.expected) else { return false };
            let at = equal.expected - start;
            let left = usize::try_from(to - equal.expected).unwrap_or(usize::MAX);
            let left = left.min(got.len() - equal.received);
            let bytes = match span {
                ByteSpan::Known(bytes) => bytes,
                ByteSpan::LeftOut(count) => {
                    equal.advance(left.min(usize::try_from(count - at).unwrap_or(usize::MAX)));
                    continue;
                }
            };
            let rest = &bytes[at as usize..];
            let rest = &rest[..rest.len().min(left)];
            let same = common_length(rest, &got[equal.received..]);
            equal.advance(same);
            if same == rest.len() {
                continue;
            }
            let at = at as usize + same;
            let (line, got_line) = (Line::around(bytes, at), Line::around(got, equal.received));
            let skipped = match sender {
                None => None,
                Some(Side::Server) if got_line.may_become_date() => return false,
                Some(Side::Server) => skipped_date(&line, &got_line),
                // Only in a head: left-out bytes are content.
                Some(Side::Client) if *start > message => None,
                Some(Side::Client)
                    if head_length(&bytes[(message - start) as usize..at]).is_some() =>
                {
                    None
                }
                Some(Side::Client) => skipped_line(&line, &got_line),
            };
            let Some((skipped, got_skipped)) = skipped else { return true };
            equal.expected = start + (line.start + skipped) as u64;
            equal.received = got_line.start + got_skipped;
        }
        false
    }
}

/// The line of a byte.
struct Line<'a> {
    /// The offset of its first byte.
    start: usize,
    /// The line, with its LF if that was received.
    text: &'a [u8],
    /// The offset of the byte in the line.
    at: usize,
}

impl Line<'_> {
    fn around(bytes: &[u8], at: usize) -> Line<'_> {
        let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
        let rest = &bytes[start..];
        let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |lf| lf + 1);
        Line { start, text: &rest[..length], at: at - start }
    }

    /// Whether it is a Date line that is not complete, so that its value is not known.
    fn may_become_date(&self) -> bool {
        starts_with_name(self.text, b"Date:")
            && self.text.len() < DATE_LINE_BYTES
            && !self.text.ends_with(b"\n")
    }

    fn is_date(&self) -> bool {
        self.text.len() == DATE_LINE_BYTES
            && starts_with_name(self.text, b"Date: ")
            && parse_imf_fixdate(&self.text[DATE_VALUE..DATE_LINE_BYTES - 2]).is_some()
            && self.text.ends_with(b"\r\n")
    }
}

/// The offset of the value in a Date line, and the length of the line.
const DATE_VALUE: usize = 6;
const DATE_LINE_BYTES: usize = DATE_VALUE + 29 + 2;

/// Returns how many bytes of both lines are skipped, if both have a valid Date.
fn skipped_date(expected: &Line<'_>, got: &Line<'_>) -> Option<(usize, usize)> {
    let are_dates = expected.is_date() && got.is_date();
    let differ_in_value = expected.at == got.at && got.at >= DATE_VALUE;
    (are_dates && differ_in_value).then_some((DATE_LINE_BYTES, DATE_LINE_BYTES))
}

/// Returns how many bytes of both lines are skipped, if they need not be equal in a client's head.
fn skipped_line(expected: &Line<'_>, got: &Line<'_>) -> Option<(usize, usize)> {
    let (length, got_length) = (expected.text.len(), got.text.len());
    if starts_with_name(expected.text, b"User-Agent:") {
        return Some((length, 0));
    }
    if starts_with_name(got.text, b"User-Agent:") {
        return Some((0, got_length));
    }
    let hosts = (host_without_port(expected.text)?, host_without_port(got.text)?);
    (hosts.0 == hosts.1).then_some((length, got_length))
}

fn starts_with_name(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Returns a Host line without its port and its line end.
pub fn host_without_port(line: &[u8]) -> Option<&[u8]> {
    if !starts_with_name(line, b"Host:") {
        return None;
    }
    let host = line.trim_ascii_end();
    let digits = host.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let without_port = host[..host.len() - digits].strip_suffix(b":");
    Some(without_port.filter(|host| host.len() > 4).unwrap_or(host))
}

/// The name of a field line in lower case; of another line, all of it.
pub fn name_of(line: &[u8]) -> Vec<u8> {
    let end = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
    line[..end].to_ascii_lowercase()
}

/// The length of the head at the start of these bytes, with the empty line that ends it.
pub fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|three| three == b"\n\r\n").map(|at| at + 3)
}

/// Returns how many bytes at the start of both are equal.
pub fn common_length(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(blocks: &[Bytes]) -> ExpectedBytes {
        let mut expected = ExpectedBytes::default();
        blocks.iter().for_each(|block| expected.push(block));
        expected
    }

    /// Where the bytes of a side differ from these, and whether they do not just end there.
    fn compared(expected: &ExpectedBytes, got: &[u8], sender: Side) -> (usize, bool) {
        // The bytes are compared as they arrive, in reads of every size.
        let results = [1, 3, 7, got.len().max(1)].map(|read_size| {
            let (mut equal, mut differs) = (EqualUpTo::default(), false);
            let mut received = 0;
            while received < got.len() && !differs {
                received = got.len().min(received + read_size);
                differs = expected.compare(&mut equal, expected.len(), &got[..received], sender);
            }
            (equal.received, differs)
        });
        assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
        results[0]
    }

    #[test]
    fn joined_blocks_are_compared_byte_for_byte() {
        let blocks = expected(&[Bytes::raw("one"), Bytes::raw("two")]);
        assert_eq!((blocks.len(), blocks.known()), (6, &b"onetwo"[..]));
        for (got, result) in [
            ("onetwo", (6, false)),
            ("one", (3, false)),
            ("oneTwo", (3, true)),
            ("onetwo!", (6, false)),
            ("", (0, false)),
        ] {
            assert_eq!(compared(&blocks, got.as_bytes(), Side::Server), result, "{got}");
        }
    }

    #[test]
    fn left_out_bytes_equal_any_bytes_of_the_same_number() {
        let mut block = Bytes::raw("<");
        block.push_left_out(3);
        block.push_raw(b">");
        let block = expected(&[block]);
        for (got, result) in [
            ("<abc>", (5, false)),
            ("<ab>", (4, false)),
            ("<ab>x", (4, true)),
            ("<abcd>", (4, true)),
            ("<ab", (3, false)),
        ] {
            assert_eq!(compared(&block, got.as_bytes(), Side::Server), result, "{got}");
        }
        assert_eq!((block.known(), block.known_between(4, 5)), (&b"<"[..], &b">"[..]));
        assert_eq!(block.known_between(2, 5), b"");
    }

    #[test]
    fn two_valid_dates_of_a_server_are_equal() {
        let block = Bytes::raw("A: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
        let block = expected(&[block]);
        let with = |date: &str| format!("A: 1\r\nDate: {date}\r\n\r\n").into_bytes();
        let valid = with("Mon, 02 Mar 2026 23:59:60 GMT");
        assert_eq!(compared(&block, &valid, Side::Server), (valid.len(), false));
        assert_eq!(compared(&block, &valid, Side::Client), (12, true));
        // A Date is compared when its line is complete.
        for cut in 0..=valid.len() {
            assert!(!compared(&block, &valid[..cut], Side::Server).1, "cut at {cut}");
        }
        for date in [
            "Mon, 02 Mar 2026 24:00:00 GMT",
            "Mon, 32 Mar 2026 23:00:00 GMT",
            "Moo, 02 Mar 2026 23:00:00 GMT",
            "Mon, 02 Mär 2026 23:00:00 GM",
            "Mon, 02 Mar 2026 23:00:00 UTC",
            "Monday, 02-Mar-26 23:00:00 GMT",
            "now",
        ] {
            assert_eq!(compared(&block, &with(date), Side::Server), (12, true), "{date}");
        }
        let lower = String::from_utf8(valid).unwrap().replace("Date", "date");
        assert_eq!(compared(&block, lower.as_bytes(), Side::Server), (6, true));
    }

    #[test]
    fn the_port_in_host_and_user_agent_of_a_client_are_not_compared() {
        let post = "POST / HTTP/1.1\r\nHost: h:5000\r\nUser-Agent: curl/8\r\nX: y\r\n\r\n\
            Host: h:5000\r\n";
        let block = expected(&[Bytes::raw(post)]);
        let result = |got: &str| {
            let (mut equal, got) = (EqualUpTo::default(), got.as_bytes());
            let differs = block.compare(&mut equal, block.len(), got, Side::Client);
            (equal.received, differs)
        };
        let other = post.replacen(":5000", ":41233", 1).replace("curl/8", "an agent");
        assert_eq!(result(&other), (other.len(), false));
        let other = post.replacen(":5000", "", 1).replace("User-Agent: curl/8\r\n", "");
        assert_eq!(result(&other), (other.len(), false));
        let other = other.replace("X:", "user-agent: z\r\nX:");
        assert_eq!(result(&other), (other.len(), false));
        assert_eq!(result(&post.replacen("h:5000", "host", 1)), (24, true));
        let content = format!("{}Host: h:1\r\n", &post[..59]);
        assert_eq!(result(&content), (67, true), "content is compared");
    }
}
