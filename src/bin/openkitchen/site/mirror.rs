//! # Mirrors: routes that send the request back
//!
//! They show what a client really sent:
//!
//! ```text
//! POST /echo      the content, with its media type
//! /raw            every byte of the request, as received: head, framing, content
//! /fields         the fields, as a handler gets them: one line each, in order
//! ```
//! The client chose these bytes, so a browser must not run them as a page of this site. A form on
//! another site can post them here. `nosniff` forbids the browser to guess another media type. The
//! `sandbox` policy takes scripts and the origin of this site away from a page.

use openkitchen::{Request, Response};

use super::Site;

/// The media type for bytes of unknown type. RFC 9110 section 8.3.
const OCTETS: &str = "application/octet-stream";

/// `POST /echo`: the content, with the media type of the request if it is valid.
pub fn echo(request: &Request<Site>) -> Response {
    let content = request.content().to_vec();
    match request.field("content-type") {
        Some(kind) if is_media_type(kind) => restricted(Response::bytes(kind, content)),
        _ => restricted(Response::bytes(OCTETS, content)),
    }
}

/// `GET /raw`, `POST /raw`: the bytes of the request.
pub fn raw(request: &Request<Site>) -> Response {
    text_or_bytes(request.raw().to_vec())
}

/// `GET /fields`, `POST /fields`: the fields of the request.
pub fn fields(request: &Request<Site>) -> Response {
    let mut lines = Vec::new();
    for (name, value) in request.fields() {
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value);
        lines.push(b'\n');
    }
    text_or_bytes(lines)
}

/// UTF-8 is sent as plain text, so that a browser shows it; other bytes as octets.
fn text_or_bytes(bytes: Vec<u8>) -> Response {
    let kind = if str::from_utf8(&bytes).is_ok() { "text/plain; charset=utf-8" } else { OCTETS };
    restricted(Response::bytes(kind, bytes))
}

/// Adds the fields that keep a browser from running the content, and caches from storing it.
fn restricted(response: Response) -> Response {
    response
        .field("X-Content-Type-Options", "nosniff")
        .field("Content-Security-Policy", "default-src 'none'; sandbox")
        .field("Cache-Control", "no-store")
}

/// RFC 9110 section 8.3.1: a media type is `type "/" subtype` and parameters. Control characters
/// (except tabs) and bytes beyond ASCII are refused.
fn is_media_type(kind: &str) -> bool {
    let name = kind.split(';').next().unwrap_or_default();
    let named =
        name.trim().split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty());
    named && kind.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_media_type_is_sent_back() {
        for kind in ["text/plain", "a/b; c=\"d e\"", "multipart/form-data; boundary=x"] {
            assert!(is_media_type(kind), "{kind}");
        }
        for kind in [
            "",
            "text",
            "/",
            "a/",
            "text/plain\r\nSet-Cookie: a=b",
            "text/plain; x=\0",
            "text/plän",
        ] {
            assert!(!is_media_type(kind), "{kind:?}");
        }
    }
}
