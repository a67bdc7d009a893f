//! # 4c. The head of any message, read without judging it
//!
//! A trace or a recording follows messages that this server would refuse, and answers too. [`Outline`]
//! reads what stands in a head of either direction and checks none of it.
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ Content-Length: 5␍␊ ␍␊        status 200, version 1.1, one field line
//! ```
//! Rule: RFC 9112 sections 2 to 5.  Next: [`fields`](super::fields).

use super::fields::{FieldLines, Span};
use super::head::{Version, spans};
use super::limits;
use super::method::Method;

/// The head of any message, in either direction, read without judging it: for those who watch.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The method, of a request with one that this server knows.
    pub method: Option<Method>,
    /// The status code, of an answer.
    pub status: Option<u16>,
    /// The version of either.
    pub version: Version,
    /// Bytes of the head, with the empty line.
    pub length: usize,
    bytes: Vec<u8>,
    fields: Vec<(Span, Span)>,
}

impl Outline {
    /// `None` for what is no head, `Some(None)` for the beginning of one.
    pub fn parse(bytes: &[u8], is_request: bool) -> Option<Option<Outline>> {
        let mut outline = Outline::split(bytes, is_request);
        if let (Err(httparse::Error::Version), Some(bytes)) = (&outline, as_http11(bytes)) {
            outline = Outline::split(&bytes, is_request);
        }
        outline.ok()
    }

    fn split(bytes: &[u8], is_request: bool) -> Result<Option<Outline>, httparse::Error> {
        let mut fields = [httparse::EMPTY_HEADER; 2 * limits::FIELDS];
        let (method, status, minor, parsed, lines);
        if is_request {
            let mut request = httparse::Request::new(&mut fields);
            parsed = request.parse(bytes);
            (method, status) =
                (request.method.and_then(|name| Method::named(name.as_bytes())), None);
            (minor, lines) = (request.version, request.headers);
        } else {
            let mut response = httparse::Response::new(&mut fields);
            parsed = response.parse(bytes);
            (method, status) = (None, response.code);
            (minor, lines) = (response.version, response.headers);
        }
        let version = if minor == Some(0) { Version::Http10 } else { Version::Http11 };
        Ok(match parsed? {
            httparse::Status::Partial => None,
            httparse::Status::Complete(length) => {
                let fields = lines.iter().map(|field| spans(field, bytes)).collect();
                let bytes = bytes[..length].to_vec();
                Some(Outline { method, status, version, length, bytes, fields })
            }
        })
    }

    /// Its field lines.
    pub fn fields(&self) -> FieldLines<'_> {
        FieldLines::new(&self.bytes, &self.fields)
    }
}

/// A higher minor version on the first line, read as 1.1 (RFC 9110 section 6.2).
#[cold]
fn as_http11(bytes: &[u8]) -> Option<Vec<u8>> {
    let blank = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let line = bytes[blank..].split(|&byte| byte == b'\n').next()?;
    let is_version = |eight: &[u8]| eight.starts_with(b"HTTP/1.") && eight[7].is_ascii_digit();
    let place = line.windows(8).rposition(is_version)?;
    let mut as_http11 = bytes.to_vec();
    as_http11[blank + place + 7] = b'1';
    Some(as_http11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_reads_a_higher_minor_version_in_both_directions() {
        for (text, is_request) in
            [("GET /HTTP/1.9 HTTP/1.7\r\n\r\n", true), ("HTTP/1.2 200 OK\r\n\r\n", false)]
        {
            for cut in 0..text.len() {
                let early = Outline::parse(&text.as_bytes()[..cut], is_request);
                assert!(matches!(early, Some(None)), "{text} cut at {cut}");
            }
            let outline = Outline::parse(text.as_bytes(), is_request).flatten().unwrap();
            assert_eq!((outline.version, outline.length), (Version::Http11, text.len()));
        }
        assert!(Outline::parse(b"GET / HTTP/2.0\r\n\r\n", true).is_none());
    }
}
