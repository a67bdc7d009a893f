//! # Parses the head of a request or response without checking it
//!
//! Traces and recordings contain responses, and requests that this server would refuse. [`Outline`]
//! parses both and applies no rule. It allows any number of fields.
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ Content-Length: 5␍␊ ␍␊        status 200, version 1.1, one field line
//! ```
//! Rule: RFC 9112 sections 2 to 5.  Next: [`responses`](super::responses).

use super::fields::{FieldLines, Span};
use super::head::{Version, spans};
use super::method::Method;

/// The head of a request or of a response, unchecked. For tools that trace, record and explain.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The method of a request, if this server knows it.
    pub method: Option<Method>,
    /// The status code of a response.
    pub status: Option<u16>,
    /// The HTTP version.
    pub version: Version,
    /// Length in bytes, with the empty line that ends the head.
    pub length: usize,
    bytes: Vec<u8>,
    fields: Vec<(Span, Span)>,
}

impl Outline {
    /// Parses the head at the start of `bytes`. Returns `None` if there is no head, and `Some(None)`
    /// while the head is incomplete.
    pub fn parse(bytes: &[u8], is_request: bool) -> Option<Option<Outline>> {
        let mut outline = Outline::split(bytes, is_request);
        if let (Err(httparse::Error::Version), Some(bytes)) = (&outline, as_http11(bytes)) {
            outline = Outline::split(&bytes, is_request);
        }
        outline.ok()
    }

    fn split(bytes: &[u8], is_request: bool) -> Result<Option<Outline>, httparse::Error> {
        // One read may have thousands of heads, so only the lines of this one are counted.
        let start = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let end = empty_line_end(&bytes[start..]).map_or(bytes.len(), |end| start + end);
        let bytes = &bytes[..end];
        // A line has one field at most, so there is always room.
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        let mut fields = vec![httparse::EMPTY_HEADER; lines];
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

    /// The field lines.
    pub fn fields(&self) -> FieldLines<'_> {
        FieldLines::new(&self.bytes, &self.fields)
    }

    /// The values of the field lines with that name, as text. Bytes that are no UTF-8 become `U+FFFD`.
    pub fn values(&self, name: &str) -> Vec<String> {
        let values = self.fields().values(name);
        values.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The first word of the first line: in a request, the method as it was sent.
    pub fn method_name(&self) -> &[u8] {
        self.word(0)
    }

    /// The second word of the first line: in a request, the target as it was sent.
    pub fn target(&self) -> &[u8] {
        self.word(1)
    }

    /// A word of the first line, of which the first is number 0.
    fn word(&self, number: usize) -> &[u8] {
        let text = self.bytes.trim_ascii_start();
        let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        line.split(|&byte| byte == b' ').nth(number).unwrap_or_default()
    }

    /// Bytes that it takes in memory.
    pub fn memory(&self) -> usize {
        size_of::<Outline>() + self.bytes.len() + size_of_val(&self.fields[..])
    }
}

/// Returns the offset after the first empty line that follows another line, if there is one.
pub(super) fn empty_line_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += bytes[at..].iter().position(|&byte| byte == b'\n')? + 1;
        match bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// Replaces a higher minor version in the first line by 1.1 (RFC 9110 section 6.2).
#[cold]
fn as_http11(bytes: &[u8]) -> Option<Vec<u8>> {
    let blank = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let line = bytes[blank..].split(|&byte| byte == b'\n').next()?;
    let is_version = |eight: &[u8]| eight.starts_with(b"HTTP/1.") && eight[7].is_ascii_digit();
    let version = line.windows(8).rposition(is_version)?;
    let mut as_http11 = bytes.to_vec();
    as_http11[blank + version + 7] = b'1';
    Some(as_http11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_minor_version_is_read_as_1_1_in_both_directions() {
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

    #[test]
    fn a_head_may_have_any_number_of_fields() {
        for fields in [0, 1, 101, 5000] {
            let text = format!("\r\nGET /a?b=c HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(fields));
            for cut in [text.len() - 1, text.len() - 3] {
                let early = Outline::parse(&text.as_bytes()[..cut], true);
                assert!(matches!(early, Some(None)), "{fields} cut at {cut}");
            }
            let outline = Outline::parse(text.as_bytes(), true).flatten().expect("a head");
            assert_eq!((outline.fields().iter().count(), outline.length), (fields, text.len()));
            assert_eq!(outline.target(), b"/a?b=c");
        }
    }
}
