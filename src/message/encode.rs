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
    /// Bytes follow until the connection closes. HTTP/1.0 has no other way for an unknown length.
    Close,
}

/// What the encoder needs to know about the request.
#[derive(Clone, Copy, Debug)]
pub struct ResponseContext {
    /// Whether the method is HEAD: the response has no content.
    pub is_head: bool,
    /// The client's version.
    pub version: Version,
    /// Whether the server wants to keep the connection open.
    pub persistence: Persistence,
}

/// Bytes of a usual head with little content. Space for them is allocated at once: growth in steps
/// would leave freed blocks of the same size in total, which every idle thread would keep.
const USUAL_BYTES: usize = 256;

/// Appends the head of a response to `out`. Returns how the content must be sent, and whether the
/// connection stays open after it.
pub fn encode_head(
    response: &Response,
    context: ResponseContext,
    now: SystemTime,
    out: &mut Vec<u8>,
) -> (Delimiter, Persistence) {
    let length = match &response.body {
        Body::Bytes(bytes) => Some(bytes.len() as u64),
        Body::Sized(_, length) => Some(*length),
        Body::Stream(_) => None,
    };
    let framed = match (length, context.version) {
        // RFC 9110 section 8.6, RFC 9112 section 6.1: neither field with 1xx and 204. A 304 may have
        // the length that a 200 would have, but it is not known here.
        _ if response.status.has_no_content() => Delimiter::Head,
        // RFC 9110 section 15.3.6: a 205 has no content either, but it needs a Content-Length.
        _ if response.status == Status::RESET_CONTENT => Delimiter::Length(0),
        (Some(length), _) => Delimiter::Length(length),
        (None, Version::Http11) => Delimiter::Chunked,
        (None, Version::Http10) => Delimiter::Close,
    };
    // The fields come from `framed`: those for HEAD are those for GET.
    let sent = if context.is_head { Delimiter::Head } else { framed };
    let persistence = context.persistence.unless(response.close || sent == Delimiter::Close);

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
    match (persistence, context.version) {
        (Persistence::Close, _) => out.extend_from_slice(b"Connection: close\r\n"),
        (_, Version::Http10) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (_, Version::Http11) => {}
    }
    out.extend_from_slice(&response.fields);
    match framed {
        Delimiter::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            push_number(length, out);
            out.extend_from_slice(b"\r\n");
        }
        Delimiter::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Delimiter::Head | Delimiter::Close => {}
    }
    out.extend_from_slice(b"\r\n");
    (sent, persistence)
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

    fn encode(
        response: Response,
        is_head: bool,
        version: Version,
    ) -> (String, Delimiter, Persistence) {
        let mut out = Vec::new();
        let persistence = Persistence::KeepAlive;
        let context = ResponseContext { is_head, version, persistence };
        let now = crate::message::date::example();
        let (delimiter, persistence) = encode_head(&response, context, now, &mut out);
        let text = String::from_utf8(out).expect("a head in ASCII");
        let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        assert!(text.contains(date));
        (text.replace(date, ""), delimiter, persistence)
    }

    #[test]
    fn the_end_of_the_content_is_marked_as_the_version_allows() {
        let stream = || Response::stream("text/plain", &b"x"[..]);
        let text = "HTTP/1.1 200 OK\r\nContent-Type: text/plain";
        for (response, is_head, version, head, delimiter, persistence) in [
            (
                stream(),
                false,
                Version::Http11,
                "\r\nTransfer-Encoding: chunked\r\n\r\n",
                Delimiter::Chunked,
                Persistence::KeepAlive,
            ),
            (
                stream(),
                true,
                Version::Http11,
                "\r\nTransfer-Encoding: chunked\r\n\r\n",
                Delimiter::Head,
                Persistence::KeepAlive,
            ),
            (
                Response::bytes("text/plain", &b"hello"[..]),
                true,
                Version::Http11,
                "\r\nContent-Length: 5\r\n\r\n",
                Delimiter::Head,
                Persistence::KeepAlive,
            ),
        ] {
            let expected = (format!("{text}{head}"), delimiter, persistence);
            assert_eq!(encode(response, is_head, version), expected);
        }
        let expected = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n";
        assert_eq!(
            encode(stream(), false, Version::Http10),
            (expected.to_string(), Delimiter::Close, Persistence::Close)
        );
    }

    #[test]
    fn a_response_without_content_announces_none() {
        let response = Response::text("dropped").status(Status::NO_CONTENT);
        let (head, delimiter, _) = encode(response, false, Version::Http10);
        assert_eq!(delimiter, Delimiter::Head);
        assert!(!head.contains("Content-Length") && head.contains("Connection: keep-alive"));
        let reset = Response::text("dropped").status(Status::RESET_CONTENT);
        let (head, delimiter, _) = encode(reset, false, Version::Http11);
        assert!(delimiter == Delimiter::Length(0) && head.ends_with("Content-Length: 0\r\n\r\n"));
        let (head, ..) = encode(Response::new(Status::NOT_FOUND), false, Version::Http11);
        assert_eq!(head, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
}
