//! # 6. Where the content ends
//!
//! TCP has no full stops, so how does the server know that the client has finished speaking?
//!
//! ```text
//! POST /echo HTTP/1.1␍␊   Content-Length: 5␍␊   ␍␊   hello|GET / HTTP/1.1␍␊…
//! ```
//! Two fields can say it, and only one of them may. If a proxy in front went by one and this server
//! by the other, the bytes between the two ends would be a request that the proxy never saw. So
//! whatever could be read in two ways is refused, and the connection with it.
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
        let mut codings = fields.places("transfer-encoding");
        let mut lengths = fields.places("content-length");
        match (codings.next(), lengths.next()) {
            (None, None) => Ok(Framing::None),
            // RFC 9112 section 6.3, rule 3: an attempt at smuggling, as a rule.
            (Some(_), Some((name, _))) => Err(Refusal::LengthAndCoding.at(name.start())),
            // RFC 9112 section 6.1: chunked came with 1.1, so something older rewrote this head.
            (Some((name, _)), None) if head.version == Version::Http10 => {
                Err(Refusal::CodingInHttp10.at(name.start()))
            }
            (Some((name, _)), None) => chunked(fields).map_err(|refusal| refusal.at(name.start())),
            (None, Some((_, value))) => match lengths.next() {
                Some((second, _)) => Err(Refusal::LengthTwice.at(second.start())),
                None => length(value.in_bytes(bytes), value),
            },
        }
    }
}

/// RFC 9112 section 6.3, rule 4: chunked must be the last coding; here it must be the only one.
fn chunked(fields: FieldLines<'_>) -> Result<Framing, Refusal> {
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    // Empty members of the list do not count (RFC 9110 section 5.6.1): `chunked,` is chunked to whoever
    // reads it as a list, and no coding at all to nobody.
    let codings: Vec<&[u8]> = fields.members("transfer-encoding").collect();
    match codings.split_last() {
        Some((last, [])) if is_chunked(last) => Ok(Framing::Chunked),
        Some((last, others)) if is_chunked(last) => {
            let twice = others.iter().any(is_chunked);
            Err(if twice { Refusal::CodingTwice } else { Refusal::CodingUnknown })
        }
        _ => Err(Refusal::CodingNotLast),
    }
}

/// Digits and nothing else: what a number parser takes beyond them (`+5`) is where parsers differ.
fn length(value: &[u8], place: Span) -> Result<Framing, Refused> {
    let mut members = value.split(|&byte| byte == b',').map(trim);
    if value.contains(&b',') && members.all(is_number) {
        return Err(Refusal::LengthTwice.at(place.start()));
    }
    if let Some(bad) = value.iter().position(|byte| !byte.is_ascii_digit()) {
        return Err(Refusal::LengthInvalid.at(place.start() + bad));
    }
    match std::str::from_utf8(value).ok().map(str::parse) {
        _ if value.is_empty() => Err(Refusal::LengthInvalid.at(place.start())),
        Some(Ok(length)) => Ok(Framing::Length(length)),
        // More digits than 64 bits hold: a number, and far too large.
        _ => Err(Refusal::ContentTooLarge.at(place.start())),
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
