//! # 6. Where the content ends
//!
//! TCP has no full stops, so how does the server know that the client has finished speaking?
//!
//! ```text
//! POST /echo HTTP/1.1␍␊   Content-Length: 5␍␊   ␍␊   hello|GET / HTTP/1.1␍␊…
//! ```
//! Two fields can say it, and only one of them may. If a proxy in front went by one and this server
//! by the other, the bytes between the two ends would be a request that the proxy never saw. So
//! whatever could be read in two ways is refused, and the connection with it. A refusal points at what
//! should not be there: a whole field at its name, a member of a list at its first byte.
//!
//! Rule: RFC 9112 section 6.3.  Left out: every transfer coding but chunked.  Next:
//! [`chunked`](super::chunked).

use super::fields::{FieldLines, Span, trim};
use super::head::{Head, Version};
use super::refusal::{Refusal, Refused};

/// How a request's content is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none: the next byte begins the next request.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunk by chunk, until one of size zero.
    Chunked,
}

impl Framing {
    /// How the content behind this head is delimited.
    ///
    /// # Errors
    /// Every way in which two recipients could come to different ends.
    pub fn of(head: &Head, bytes: &[u8]) -> Result<Framing, Refused> {
        let fields = head.fields(bytes);
        let mut lengths = fields.spans("content-length");
        match (fields.spans("transfer-encoding").next(), lengths.next()) {
            (None, None) => Ok(Framing::None),
            // RFC 9112 section 6.2: beside a coding it is the length that must not be sent. Section 6.3,
            // rule 3: an attempt at smuggling, as a rule.
            (Some(_), Some((name, _))) => Err(Refusal::LengthAndCoding.at(name.start())),
            // RFC 9112 section 6.1: chunked came with 1.1, so something older rewrote this head.
            (Some((name, _)), None) if head.version == Version::Http10 => {
                Err(Refusal::CodingInHttp10.at(name.start()))
            }
            (Some((_, value)), None) => chunked(fields, bytes, value),
            (None, Some((_, value))) => match lengths.next() {
                Some((second, _)) => Err(Refusal::LengthTwice.at(second.start())),
                None => length(bytes, value),
            },
        }
    }
}

/// RFC 9112 section 6.3, rule 4: chunked must be the last coding; here it must be the only one. `first`
/// is the value of the first line.
fn chunked(fields: FieldLines<'_>, bytes: &[u8], first: Span) -> Result<Framing, Refused> {
    let is_chunked = |coding: &&&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let at = |refusal: Refusal, coding: &[u8]| Err(refusal.at(Span::of(coding, bytes).start()));
    // Empty members of the list do not count (RFC 9110 section 5.6.1): `chunked,` is chunked to whoever
    // reads it as a list, and no coding at all to nobody.
    let codings: Vec<&[u8]> = fields.members("transfer-encoding").collect();
    match &codings[..] {
        [] => Err(Refusal::CodingNotLast.at(first.start())),
        [.., last] if !is_chunked(&last) => at(Refusal::CodingNotLast, last),
        [_] => Ok(Framing::Chunked),
        [other, ..] => match codings.iter().filter(is_chunked).nth(1) {
            Some(second) => at(Refusal::CodingTwice, second),
            None => at(Refusal::CodingUnknown, other),
        },
    }
}

/// Digits and nothing else: what a number parser takes beyond them (`+5`) is where parsers differ.
fn length(bytes: &[u8], place: Span) -> Result<Framing, Refused> {
    let value = place.in_bytes(bytes);
    let members = || value.split(|&byte| byte == b',').map(trim);
    let bad = value.iter().position(|byte| !byte.is_ascii_digit());
    match (bad, members().nth(1)) {
        (_, Some(second)) if members().all(is_number) => {
            Err(Refusal::LengthTwice.at(Span::of(second, bytes).start()))
        }
        (Some(bad), _) => Err(Refusal::LengthInvalid.at(place.start() + bad)),
        (None, _) if value.is_empty() => Err(Refusal::LengthInvalid.at(place.start())),
        // More digits than 64 bits hold are a number too, and larger than any limit.
        (None, _) => std::str::from_utf8(value)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .map(Framing::Length)
            .ok_or(Refusal::ContentTooLarge.at(place.start())),
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
    fn one_length_or_one_chunked_says_where_the_content_ends() {
        assert_eq!(framing(""), Ok(Framing::None));
        assert_eq!(framing("Content-Length: 005\r\n"), Ok(Framing::Length(5)));
        assert_eq!(framing("Transfer-Encoding: ,CHUNKED,\r\n"), Ok(Framing::Chunked));
    }

    #[test]
    fn whatever_could_end_in_two_places_is_refused() {
        use Refusal::*;
        for (fields, refusal) in [
            ("Content-Length: 5\r\nContent-Length: 5\r\n", LengthTwice),
            ("Content-Length: 5, 5\r\n", LengthTwice),
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
