//! Where a request ends: the library and the second reading of RFC 9112 find the same requests, and
//! so does the reader, which follows both directions of a connection.

use openkitchen::message::chunked::{Decoded, Decoder};
use openkitchen::message::framing::Framing;
use openkitchen::message::head::Head;
use openkitchen::message::reader::Reader;
use openkitchen::{Limits, Method};

use crate::rfc::grammar;
use crate::rfc::requests::Request;

use super::{Random, limits, requests};

pub fn check(bytes: &[u8]) {
    for limits in limits() {
        let expected: Vec<FoundRequest> =
            requests(bytes, &limits).iter().map_while(FoundRequest::of).collect();
        assert_eq!(found_by_the_library(bytes, &limits), expected, "{limits:?}");
    }
    the_reader_finds_the_same_ends(bytes, &requests(bytes, &Limits::default()));
    for is_client in [true, false] {
        let whole = boundaries(bytes, is_client, |left| left);
        let mut random = Random::from(bytes);
        assert_eq!(boundaries(bytes, is_client, |_| 1), whole, "byte by byte");
        let cut = boundaries(bytes, is_client, |left| 1 + random.below(left));
        assert_eq!(cut, whole, "in random reads");
    }
}

/// What both readings must agree on.
#[derive(Debug, PartialEq, Eq)]
struct FoundRequest {
    start: usize,
    method: String,
    head_end: usize,
    framing: Framing,
    expects_continue: bool,
    whole: Option<(usize, Vec<u8>)>,
}

impl FoundRequest {
    /// `None` for a length that the library refuses, because it needs more than 64 bits.
    fn of(request: &Request) -> Option<FoundRequest> {
        let Request { start, head, head_end, whole } = request;
        let framing = match head.framing {
            grammar::Framing::None => Framing::None,
            grammar::Framing::Length(u64::MAX) => return None,
            grammar::Framing::Length(length) => Framing::Length(length),
            grammar::Framing::Chunked => Framing::Chunked,
        };
        Some(FoundRequest {
            start: *start,
            method: String::from_utf8_lossy(head.method).into_owned(),
            head_end: *head_end,
            framing,
            expects_continue: head.expects_continue,
            whole: whole.clone(),
        })
    }
}

/// The requests at the start of a stream, up to the first one that is refused or incomplete.
fn found_by_the_library(bytes: &[u8], limits: &Limits) -> Vec<FoundRequest> {
    let (mut found, mut start) = (Vec::new(), 0);
    while let Ok(Some(head)) = Head::parse(&bytes[start..], limits) {
        let rest = &bytes[start..];
        let (Ok(framing), Ok(expects_continue)) =
            (Framing::of(&head, rest), head.expects_continue(rest))
        else {
            break;
        };
        if framing == Framing::Length(u64::MAX) {
            break;
        }
        let content = content(framing, &rest[head.length..]);
        let head_end = start + head.length;
        let whole = content.map(|(length, content)| (head_end + length, content));
        let next = whole.as_ref().map(|&(end, _)| end);
        let method = head.method.name().to_owned();
        found.push(FoundRequest { start, method, head_end, framing, expects_continue, whole });
        match next {
            Some(next) => start = next,
            None => break,
        }
    }
    found
}

/// The length of the content at the start of these bytes with its framing, and the content.
fn content(framing: Framing, bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    match framing {
        Framing::None => Some((0, Vec::new())),
        Framing::Length(length) => {
            let length = usize::try_from(length).ok()?;
            Some((length, bytes.get(..length)?.to_vec()))
        }
        Framing::Chunked => {
            let (mut decoder, mut content, mut used) = (Decoder::new(u64::MAX), Vec::new(), 0);
            loop {
                match decoder.step(&bytes[used..]).ok()? {
                    Decoded::Partial => return None,
                    Decoded::Framing(length) => used += length,
                    Decoded::Content(length) => {
                        content.extend_from_slice(&bytes[used..used + length]);
                        used += length;
                    }
                    Decoded::End(length) => return Some((used + length, content)),
                }
            }
        }
    }
}

/// If the reader and the server disagreed here, the trace would show a request that the server never
/// received.
fn the_reader_finds_the_same_ends(bytes: &[u8], requests: &[Request]) {
    let found = boundaries(bytes, true, |left| left);
    for Request { head, head_end, whole, .. } in requests {
        if head.minor > 1 {
            return; // The reader follows no other minor version.
        }
        let method = String::from_utf8_lossy(head.method).into_owned();
        let head = Boundary::Head(*head_end, Some(method));
        let Some((end, _)) = whole else { continue };
        assert!(found.contains(&head), "{head:?} is not among {found:?}");
        let end = Boundary::End(*end);
        assert!(found.contains(&end), "{end:?} is not among {found:?}");
    }
}

/// The end of a head or of a message, as the offset after it.
#[derive(Debug, PartialEq, Eq)]
enum Boundary {
    Head(usize, Option<String>),
    End(usize),
}

/// The boundaries that a reader finds in bytes that arrive in several reads. `read_length` gives the
/// length of the next read from the number of bytes left.
fn boundaries(
    bytes: &[u8],
    is_client: bool,
    mut read_length: impl FnMut(usize) -> usize,
) -> Vec<Boundary> {
    let mut reader = if is_client { Reader::requests() } else { Reader::responses() };
    let (mut found, mut used, mut received) = (Vec::new(), 0, 0);
    while received < bytes.len() {
        received += read_length(bytes.len() - received);
        while let Some(range) = reader.next(&bytes[used..received]) {
            used += range.length;
            if range.head_is_whole {
                let method = reader.outline().and_then(|head| head.method);
                let name = |method: Method| method.name().to_owned();
                found.push(Boundary::Head(used, method.map(name)));
            }
            if range.ends_message {
                found.push(Boundary::End(used));
            }
        }
    }
    found
}
