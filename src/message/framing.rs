//! # Framing: decides where a request's content ends
//!
//! TCP delivers a stream of bytes without boundaries. How does the server know where a request ends?
//!
//! ```text
//! POST /echo HTTP/1.1␍␊   Content-Length: 5␍␊   ␍␊   hello|GET / HTTP/1.1␍␊…
//! ```
//! Two fields can say it: Content-Length and Transfer-Encoding. A request may have only one of them.
//! If a proxy used one and this server the other, the bytes between the two ends would be a request
//! that the proxy never saw. So the server refuses a head that can be read in two ways, and closes the
//! connection. The refusal points at the name of a field that must not be there, or at the first bad
//! byte of a value.
//!
//! Rule: RFC 9112 section 6.3.  Left out: every transfer coding but chunked.  Next:
//! [`chunked`](super::chunked).

use super::fields::{FieldLines, Span, parse_digits, trim};
use super::head::{Head, Version};
use super::refusal::{Refusal, Refused};

/// How the end of a request's content is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No content: the next byte begins the next request.
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// Chunks, up to one of size zero.
    Chunked,
}

impl Framing {
    /// Returns the framing of the content after `head`. `bytes` are those that it was parsed from.
    ///
    /// # Errors
    /// A head for which two recipients could find different ends.
    pub fn of(head: &Head, bytes: &[u8]) -> Result<Framing, Refused> {
        let fields = head.fields(bytes);
        let mut lengths = fields.spans("content-length");
        match (fields.spans("transfer-encoding").next(), lengths.next()) {
            (None, None) => Ok(Framing::None),
            // RFC 9112 section 6.2: with a coding, it is the length that must not be sent. Section 6.3,
            // rule 3: it may be an attempt at request smuggling.
            (Some(_), Some((name, _))) => Err(Refusal::LengthAndCoding.at(name.start())),
            // RFC 9112 section 6.1: HTTP/1.0 has no chunked, so the framing of this head is faulty.
            (Some((name, _)), None) if head.version == Version::Http10 => {
                Err(Refusal::CodingInHttp10.at(name.start()))
            }
            (Some((_, value)), None) => chunked(fields, bytes, value),
            (None, Some((_, value))) => match lengths.next() {
                Some((second, _)) => Err(several_lengths(fields).at(second.start())),
                None => length(fields, bytes, value),
            },
        }
    }
}

/// Checks Transfer-Encoding. RFC 9112 section 6.3, rule 4: chunked must be the last coding. Here it
/// must be the only one. `first` is the value of the first line.
fn chunked(fields: FieldLines<'_>, bytes: &[u8], first: Span) -> Result<Framing, Refused> {
    let is_chunked = |coding: &&&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let refuse = |refusal: Refusal, coding: &[u8]| Err(refusal.at(Span::of(coding, bytes).start()));
    // Empty members of a list do not count (RFC 9110 section 5.6.1), so `chunked,` is chunked. No
    // recipient takes it for content without a coding.
    let codings: Vec<&[u8]> = fields.members("transfer-encoding").collect();
    match &codings[..] {
        [] => Err(Refusal::CodingNotLast.at(first.start())),
        [.., last] if !is_chunked(&last) => refuse(Refusal::CodingNotLast, last),
        [_] => Ok(Framing::Chunked),
        [other, ..] => match codings.iter().filter(is_chunked).nth(1) {
            Some(second) => refuse(Refusal::CodingTwice, second),
            None => refuse(Refusal::CodingUnknown, other),
        },
    }
}

/// Returns the refusal of several lengths. RFC 9112 section 6.3, rule 5: a recipient may read equal
/// lengths as one, or refuse them.
fn several_lengths(fields: FieldLines<'_>) -> Refusal {
    let values =
        fields.values("content-length").flat_map(|value| value.split(|&byte| byte == b','));
    let lengths: Vec<Option<u64>> = values.map(|length| parse_digits(trim(length))).collect();
    let are_equal = lengths.windows(2).all(|two| two[0].is_some() && two[0] == two[1]);
    if are_equal { Refusal::LengthRepeated } else { Refusal::LengthTwice }
}

/// Checks Content-Length: digits only. Number parsers differ in what else they accept, such as `+5`.
fn length(fields: FieldLines<'_>, bytes: &[u8], span: Span) -> Result<Framing, Refused> {
    let value = span.in_bytes(bytes);
    let members = || value.split(|&byte| byte == b',').map(trim);
    let bad = value.iter().position(|byte| !byte.is_ascii_digit());
    match (bad, members().nth(1)) {
        (_, Some(second)) if members().all(is_number) => {
            Err(several_lengths(fields).at(Span::of(second, bytes).start()))
        }
        (Some(bad), _) => Err(Refusal::LengthInvalid.at(span.start() + bad)),
        (None, _) if value.is_empty() => Err(Refusal::LengthInvalid.at(span.start())),
        // A number beyond 64 bits is valid, and larger than any limit.
        (None, _) => parse_digits(value)
            .map(Framing::Length)
            .ok_or(Refusal::ContentTooLarge.at(span.start())),
    }
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(fields: &str) -> Result<Framing, Refusal> {
        let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        let head = Head::parse(text.as_bytes(), &Default::default()).expect(fields).expect(fields);
        Framing::of(&head, text.as_bytes()).map_err(|refused| refused.refusal)
    }

    #[test]
    fn one_content_length_or_one_chunked_gives_the_framing() {
        assert_eq!(framing(""), Ok(Framing::None));
        assert_eq!(framing("Content-Length: 005\r\n"), Ok(Framing::Length(5)));
        assert_eq!(framing("Transfer-Encoding: ,CHUNKED,\r\n"), Ok(Framing::Chunked));
    }

    #[test]
    fn content_with_two_possible_ends_is_refused() {
        use Refusal::*;
        for (fields, refusal) in [
            ("Content-Length: 5\r\nContent-Length: 5\r\n", LengthRepeated),
            ("Content-Length: 5, 5\r\n", LengthRepeated),
            ("Content-Length: 5\r\nContent-Length: 05, 5\r\n", LengthRepeated),
            ("Content-Length: 5\r\nContent-Length: 5, 6\r\n", LengthTwice),
            ("Content-Length: 5\r\nContent-Length: x\r\n", LengthTwice),
            ("Content-Length: +5\r\n", LengthInvalid),
            ("Content-Length:\r\n", LengthInvalid),
            ("Content-Length: 5,\r\n", LengthInvalid),
            ("Content-Length: 18446744073709551616\r\n", ContentTooLarge),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", LengthAndCoding),
            ("Transfer-Encoding: gzip, chunked\r\n", CodingUnknown),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CodingTwice),
            ("Transfer-Encoding: chunked, gzip\r\n", CodingNotLast),
            ("Transfer-Encoding: xchunked\r\n", CodingNotLast),
            ("Transfer-Encoding:\r\n", CodingNotLast),
        ] {
            assert_eq!(framing(fields), Err(refusal), "{fields}");
        }
    }
}
