//! Where a request's content ends is said once, by the letter of RFC 9112 section 6.3, and whoever
//! reads over the shoulder comes to the same end.

use openkitchen::message::chunked::{Decoded, Decoder};
use openkitchen::message::fields::trim;
use openkitchen::message::framing::Framing;
use openkitchen::message::head::{Head, Version};
use openkitchen::message::reader::Reader;
use openkitchen::{Limits, Method};

use super::Random;

pub fn holds(bytes: &[u8]) {
    let requests = requests(bytes, &Limits::default());
    for request in &requests {
        let head = &bytes[request.start..request.start + request.head.length];
        let framing = Framing::of(&request.head, head).ok();
        assert_eq!(framing, by_the_letter(&request.head, head), "{request:?}");
    }
    the_reader_comes_to_the_same_ends(bytes, &requests);
    for is_client in [true, false] {
        let whole = landmarks(bytes, is_client, |all| all);
        let mut random = Random::from(bytes);
        assert_eq!(landmarks(bytes, is_client, |_| 1), whole, "byte by byte");
        assert_eq!(landmarks(bytes, is_client, |all| 1 + random.below(all)), whole, "in pieces");
    }
}

/// A request of a stream, as the parts of this server see it.
#[derive(Debug)]
pub struct Request {
    pub head: Head,
    /// Where it begins in the stream.
    pub start: usize,
    /// Where it ends, and what its content is; `None` where that is refused, or has not come.
    pub whole: Option<(usize, Vec<u8>)>,
}

/// The requests at the start of a stream, up to the first that cannot be read or has not come whole.
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

/// The end of the request at the start of these bytes, and its content.
fn content(head: &Head, bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    let behind = &bytes[head.length..];
    match Framing::of(head, bytes).ok()? {
        Framing::None => Some((head.length, Vec::new())),
        Framing::Length(length) => {
            let length = usize::try_from(length).ok()?;
            Some((head.length + length, behind.get(..length)?.to_vec()))
        }
        Framing::Chunked => {
            let (mut decoder, mut content, mut used) = (Decoder::new(u64::MAX), Vec::new(), 0);
            loop {
                match decoder.step(&behind[used..]).ok()? {
                    Decoded::Partial => return None,
                    Decoded::Framing(length) => used += length,
                    Decoded::Content(length) => {
                        content.extend_from_slice(&behind[used..used + length]);
                        used += length;
                    }
                    Decoded::End(length) => return Some((head.length + used + length, content)),
                }
            }
        }
    }
}

/// What the fields of a head say of its content, counted and compared line by line.
fn by_the_letter(head: &Head, bytes: &[u8]) -> Option<Framing> {
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

/// Who disagreed with the server here would show a request that it never saw.
fn the_reader_comes_to_the_same_ends(bytes: &[u8], requests: &[Request]) {
    let followed = landmarks(bytes, true, |all| all);
    for request in requests {
        let version = &bytes[..request.start + request.head.length];
        let line = version[request.start..].strip_prefix(b"\r\n");
        let line = line.unwrap_or(&version[request.start..]);
        let line = line.split(|&byte| byte == b'\r').next().unwrap_or_default();
        if !line.ends_with(b"1.0") && !line.ends_with(b"1.1") {
            return; // The reader follows no other minor version.
        }
        let head = Landmark::Head(request.start + request.head.length, Some(request.head.method));
        let Some((end, _)) = &request.whole else { continue };
        assert!(followed.contains(&head), "{head:?} is not among {followed:?}");
        let end = Landmark::End(*end);
        assert!(followed.contains(&end), "{end:?} is not among {followed:?}");
    }
}

/// What a reader finds, by the offset behind it.
#[derive(Debug, PartialEq, Eq)]
enum Landmark {
    Head(usize, Option<Method>),
    End(usize),
}

/// What a reader finds in bytes that come in pieces, each as long as `pace` says of what is left.
fn landmarks(bytes: &[u8], is_client: bool, mut pace: impl FnMut(usize) -> usize) -> Vec<Landmark> {
    let mut reader = if is_client { Reader::requests() } else { Reader::responses() };
    let (mut found, mut used, mut come) = (Vec::new(), 0, 0);
    while come < bytes.len() {
        come += pace(bytes.len() - come);
        while let Some(stretch) = reader.next(&bytes[used..come]) {
            used += stretch.length;
            if stretch.head_is_whole {
                found.push(Landmark::Head(used, reader.outline().and_then(|head| head.method)));
            }
            if stretch.ends_message {
                found.push(Landmark::End(used));
            }
        }
    }
    found
}
