//! Where a request ends: the framing follows RFC 9112 section 6.3, and the reader, which follows both
//! directions of a connection, finds the same ends as the server.

use openkitchen::message::chunked::{Decoded, Decoder};
use openkitchen::message::fields::trim;
use openkitchen::message::framing::Framing;
use openkitchen::message::head::{Head, Version};
use openkitchen::message::reader::Reader;
use openkitchen::{Limits, Method};

use super::Random;

pub fn check(bytes: &[u8]) {
    let requests = requests(bytes, &Limits::default());
    for request in &requests {
        let head = &bytes[request.start..request.start + request.head.length];
        let framing = Framing::of(&request.head, head).ok();
        assert_eq!(framing, framing_by_the_rfc(&request.head, head), "{request:?}");
    }
    the_reader_finds_the_same_ends(bytes, &requests);
    for is_client in [true, false] {
        let whole = boundaries(bytes, is_client, |left| left);
        let mut random = Random::from(bytes);
        assert_eq!(boundaries(bytes, is_client, |_| 1), whole, "byte by byte");
        let cut = boundaries(bytes, is_client, |left| 1 + random.below(left));
        assert_eq!(cut, whole, "in random reads");
    }
}

/// A request of a stream, as the server parses it.
#[derive(Debug)]
pub struct Request {
    pub head: Head,
    /// The offset where it begins in the stream.
    pub start: usize,
    /// The offset where it ends, and its content. `None` if the content is refused or incomplete.
    pub whole: Option<(usize, Vec<u8>)>,
}

/// The requests at the start of a stream, up to the first one that is refused or incomplete.
pub fn requests(bytes: &[u8], limits: &Limits) -> Vec<Request> {
    let (mut requests, mut start) = (Vec::new(), 0);
    while let Ok(Some(head)) = Head::parse(&bytes[start..], limits) {
        let whole = content(&head, &bytes[start..]).map(|(end, content)| (start + end, content));
        let next = whole.as_ref().map(|&(end, _)| end);
        requests.push(Request { head, start, whole });
        match next {
            Some(next) => start = next,
            None => break,
        }
    }
    requests
}

/// The offset where the request at the start of these bytes ends, and its content.
fn content(head: &Head, bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    let body = &bytes[head.length..];
    match Framing::of(head, bytes).ok()? {
        Framing::None => Some((head.length, Vec::new())),
        Framing::Length(length) => {
            let length = usize::try_from(length).ok()?;
            Some((head.length + length, body.get(..length)?.to_vec()))
        }
        Framing::Chunked => {
            let (mut decoder, mut content, mut used) = (Decoder::new(u64::MAX), Vec::new(), 0);
            loop {
                match decoder.step(&body[used..]).ok()? {
                    Decoded::Partial => return None,
                    Decoded::Framing(length) => used += length,
                    Decoded::Content(length) => {
                        content.extend_from_slice(&body[used..used + length]);
                        used += length;
                    }
                    Decoded::End(length) => return Some((head.length + used + length, content)),
                }
            }
        }
    }
}

/// The framing of a head, read a second time from its field lines. `None` if it is refused.
fn framing_by_the_rfc(head: &Head, bytes: &[u8]) -> Option<Framing> {
    let lines = || bytes.split(|&byte| byte == b'\n').skip(1);
    let values = |name: &str| -> Vec<&[u8]> {
        let is_named = |line: &&[u8]| {
            line.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name.as_bytes()))
                && line.get(name.len()) == Some(&b':')
        };
        let values = lines().filter(is_named).map(|line| &line[name.len() + 1..]);
        values.map(|value| trim(value.strip_suffix(b"\r").unwrap_or(value))).collect()
    };
    match (&values("content-length")[..], &values("transfer-encoding")[..]) {
        ([], []) => Some(Framing::None),
        ([digits], []) if digits.iter().all(u8::is_ascii_digit) => {
            let length = std::str::from_utf8(digits).expect("digits are ASCII").parse();
            length.ok().map(Framing::Length)
        }
        ([], codings) if head.version == Version::Http11 => {
            let list = codings.join(&b","[..]);
            let members = list.split(|&byte| byte == b',').map(trim);
            let members: Vec<&[u8]> = members.filter(|member| !member.is_empty()).collect();
            match members[..] {
                [only] if only.eq_ignore_ascii_case(b"chunked") => Some(Framing::Chunked),
                _ => None,
            }
        }
        _ => None,
    }
}

/// If the reader and the server disagreed here, the trace would show a request that the server never
/// received.
fn the_reader_finds_the_same_ends(bytes: &[u8], requests: &[Request]) {
    let found = boundaries(bytes, true, |left| left);
    for request in requests {
        let head = &bytes[request.start..request.start + request.head.length];
        let line = head.strip_prefix(b"\r\n").unwrap_or(head);
        let line = line.split(|&byte| byte == b'\r').next().unwrap_or_default();
        if !line.ends_with(b"1.0") && !line.ends_with(b"1.1") {
            return; // The reader follows no other minor version.
        }
        let head = Boundary::Head(request.start + request.head.length, Some(request.head.method));
        let Some((end, _)) = &request.whole else { continue };
        assert!(found.contains(&head), "{head:?} is not among {found:?}");
        let end = Boundary::End(*end);
        assert!(found.contains(&end), "{end:?} is not among {found:?}");
    }
}

/// The end of a head or of a message, as the offset after it.
#[derive(Debug, PartialEq, Eq)]
enum Boundary {
    Head(usize, Option<Method>),
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
                found.push(Boundary::Head(used, reader.outline().and_then(|head| head.method)));
            }
            if range.ends_message {
                found.push(Boundary::End(used));
            }
        }
    }
    found
}
