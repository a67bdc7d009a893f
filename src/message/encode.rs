//! # Encodes the head of a response
//!
//! ```text
//! HTTP/1.1 200 OK␍␊
//! Date: Sun, 06 Nov 1994 08:49:37 GMT␍␊
//! Content-Type: text/plain; charset=utf-8␍␊
//! Content-Length: 32␍␊
//! ␍␊
//! Welcome to RohithBuilds Backend!
//! ```
//! Whether a response has content, and how its end is marked, depends on four things: the status, the
//! request's method, the client's version, and whether the length is known. One `match` decides it.
//! HEAD is the exception: its response has the fields of the response to GET, and no content.
//!
//! Rule: RFC 9112 sections 4 and 6, RFC 9110 section 6.6.1 for the date.
//! Next: [`delivery`](crate::net::delivery).

use std::time::SystemTime;

use super::date::imf_fixdate;
use super::head::Version;
use super::persistence::Persistence;
use super::response::{Body, Response};
use super::status::Status;

/// How the end of a response's content is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// No content follows the head, whatever its fields say.
    Head,
    /// Exactly this many bytes follow.
    Length(u64),
    /// Chunks follow.
    Chunked,
    /// Bytes follow until the connection closes. HTTP/1.0 has no other way for an unknown length, and
    /// [`Response::steps`] takes it.
    Close,
}

/// How a response is sent to one request.
#[derive(Clone, Copy, Debug)]
pub struct ResponseContext {
    /// Whether the method is HEAD: the response has no content.
    is_head: bool,
    /// The client's version.
    version: Version,
    /// What the fields say. For HEAD they are those of the response to GET.
    announced: Delimiter,
    /// Whether the connection stays open after the response, which says so.
    pub persistence: Persistence,
}

impl ResponseContext {
    /// For a request with or without the method HEAD, and of this version. The connection closes, unless
    /// the caller changes that.
    pub fn of(response: &Response, is_head: bool, version: Version) -> ResponseContext {
        let length = match &response.body {
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Sized(_, length) => Some(*length),
            Body::Stream(_) | Body::Steps(_) => None,
        };
        let ends_with_connection = matches!(response.body, Body::Steps(_));
        let announced = match (length, version) {
            // RFC 9110 section 8.6, RFC 9112 section 6.1: neither field with 1xx and 204. A 304 may
            // have the length that a 200 would have, but it is not known here.
            _ if response.status.has_no_content() => Delimiter::Head,
            // RFC 9110 section 15.3.6: a 205 has no content either, but it needs a Content-Length.
            _ if response.status == Status::RESET_CONTENT => Delimiter::Length(0),
            (Some(length), _) => Delimiter::Length(length),
            (None, Version::Http11) if !ends_with_connection => Delimiter::Chunked,
            (None, _) => Delimiter::Close,
        };
        ResponseContext { is_head, version, announced, persistence: Persistence::Close }
    }

    /// How the end of the content is marked.
    pub fn delimiter(&self) -> Delimiter {
        if self.is_head { Delimiter::Head } else { self.announced }
    }
}

/// Bytes of a usual head with little content. Space for them is allocated at once: growth in steps
/// would leave freed blocks of the same size in total, which every idle thread would keep.
const USUAL_BYTES: usize = 256;

/// Appends the head of a response to `out`.
pub fn encode_head(
    response: &Response,
    context: ResponseContext,
    now: SystemTime,
    out: &mut Vec<u8>,
) {
    let ResponseContext { version, announced, persistence, .. } = context;
    if out.is_empty() {
        out.reserve(USUAL_BYTES);
    }
    // RFC 9110 section 6.2: a server sends its highest version, also to an HTTP/1.0 client.
    out.extend_from_slice(b"HTTP/1.1 ");
    push_number(u64::from(response.status.code()), out);
    out.push(b' ');
    out.extend_from_slice(response.status.reason().as_bytes());
    out.extend_from_slice(b"\r\nDate: ");
    out.extend_from_slice(&imf_fixdate(now));
    out.extend_from_slice(b"\r\n");
    match (persistence, version) {
        (Persistence::Close, _) => out.extend_from_slice(b"Connection: close\r\n"),
        (_, Version::Http10) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (_, Version::Http11) => {}
    }
    out.extend_from_slice(&response.fields);
    match announced {
        Delimiter::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            push_number(length, out);
            out.extend_from_slice(b"\r\n");
        }
        Delimiter::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Delimiter::Head | Delimiter::Close => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends decimal digits. `format!` would take longer than the rest of a small head.
fn push_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[first..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(response: Response, is_head: bool, version: Version) -> (String, Delimiter) {
        let mut out = Vec::new();
        let mut context = ResponseContext::of(&response, is_head, version);
        let delimiter = context.delimiter();
        context.persistence = Persistence::KeepAlive.unless(delimiter == Delimiter::Close);
        encode_head(&response, context, crate::message::date::example(), &mut out);
        let text = String::from_utf8(out).expect("a head in ASCII");
        let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        assert!(text.contains(date));
        (text.replace(date, ""), delimiter)
    }

    #[test]
    fn the_end_of_the_content_is_marked_as_the_version_allows() {
        let stream = || Response::stream("text/plain", &b"x"[..]);
        let bytes = || Response::bytes("text/plain", &b"hello"[..]);
        let (http10, http11) = (Version::Http10, Version::Http11);
        for (response, is_head, version, fields, delimiter) in [
            (stream(), false, http11, "Transfer-Encoding: chunked\r\n", Delimiter::Chunked),
            (stream(), true, http11, "Transfer-Encoding: chunked\r\n", Delimiter::Head),
            (bytes(), true, http11, "Content-Length: 5\r\n", Delimiter::Head),
            (stream(), false, http10, "", Delimiter::Close),
        ] {
            let close = if delimiter == Delimiter::Close { "Connection: close\r\n" } else { "" };
            let head =
                format!("HTTP/1.1 200 OK\r\n{close}Content-Type: text/plain\r\n{fields}\r\n");
            assert_eq!(encode(response, is_head, version), (head, delimiter));
        }
    }

    #[test]
    fn a_response_without_content_announces_none() {
        let response = Response::text("dropped").status(Status::NO_CONTENT);
        let (head, delimiter) = encode(response, false, Version::Http10);
        assert_eq!(delimiter, Delimiter::Head);
        assert!(!head.contains("Content-Length") && head.contains("Connection: keep-alive"));
        let reset = Response::text("dropped").status(Status::RESET_CONTENT);
        let (head, delimiter) = encode(reset, false, Version::Http11);
        assert!(delimiter == Delimiter::Length(0) && head.ends_with("Content-Length: 0\r\n\r\n"));
        let (head, _) = encode(Response::new(Status::NOT_FOUND), false, Version::Http11);
        assert_eq!(head, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
}
