//! # Mirrors
//!
//! What did my program really send? Three doors hand it back:
//!
//! ```text
//! POST /echo      the content, with its type
//! /raw            every byte of the request, as it came: head, framing, content
//! /fields         the fields, as a handler gets them: one line each, in order
//! ```
//! What comes back is the client's, not ours, so no browser may take it for a page of this site:
//! `nosniff` keeps it to the type it is sent with, and the policy takes a page's powers away. (A
//! form on a strange site can post here, and what it posted would otherwise run as if we had
//! written it.)

use openkitchen::{Request, Response};

use super::Site;

/// Bytes of whatever kind. RFC 9110 section 8.3.
const OCTETS: &str = "application/octet-stream";

/// `POST /echo`
pub fn echo(request: &Request<Site>) -> Response {
    let content = request.content().to_vec();
    match request.field("content-type") {
        Some(kind) if sendable(kind) => mirrored(Response::bytes(kind, content)),
        _ => mirrored(Response::bytes(OCTETS, content)),
    }
}

/// `GET /raw`, `POST /raw`
pub fn raw(request: &Request<Site>) -> Response {
    shown(request.raw().to_vec())
}

/// `GET /fields`, `POST /fields`
pub fn fields(request: &Request<Site>) -> Response {
    let mut lines = Vec::new();
    for (name, value) in request.fields() {
        lines.extend_from_slice(name.as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value);
        lines.push(b'\n');
    }
    shown(lines)
}

/// To be read in a browser where it is text, and otherwise not to be called text.
fn shown(bytes: Vec<u8>) -> Response {
    let kind = if str::from_utf8(&bytes).is_ok() { "text/plain; charset=utf-8" } else { OCTETS };
    mirrored(Response::bytes(kind, bytes))
}

fn mirrored(response: Response) -> Response {
    response
        .field("X-Content-Type-Options", "nosniff")
        .field("Content-Security-Policy", "default-src 'none'; sandbox")
        .field("Cache-Control", "no-store")
}

/// RFC 9110 section 8.3.1: a media type is `type "/" subtype` and parameters; nothing in it is
/// beyond ASCII or a control.
fn sendable(kind: &str) -> bool {
    let name = kind.split(';').next().unwrap_or_default();
    let named =
        name.trim().split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty());
    named && kind.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_media_type_is_sent_back_as_one() {
        for kind in ["text/plain", "a/b; c=\"d e\"", "multipart/form-data; boundary=x"] {
            assert!(sendable(kind), "{kind}");
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
            assert!(!sendable(kind), "{kind:?}");
        }
    }
}
