//! # What differs
//!
//! ```text
//! request 1 differs at byte 4:
//!   expected: GET /about HTTP/1.1\r\n
//!   got:      GET / HTTP/1.1\r\n
//!                  ^
//! ```
//! Request is compared with request, and of a head line with line, so that one more byte in the first
//! does not make all that follows different. Two things never count: the port in Host, which is a new
//! one each time, and the line User-Agent.

use openkitchen::message::visible::Visible;

use super::steps::{ExpectedRequests, MockConnection};
use crate::cli::send::progress::DirectionProgress;

/// Bytes that are shown before the one that differs, and behind it.
const BEFORE: usize = 40;
const BEHIND: usize = 40;

/// The first difference between what a part expects and what came, in words. What has not come yet is
/// no difference.
pub fn requests(
    part: &MockConnection,
    ends: &[usize],
    got: &[u8],
    real: &DirectionProgress,
) -> Option<String> {
    let ExpectedRequests { bytes, unknown } = &part.expected;
    let (mut from, mut got_from) = (0, 0);
    for request in 0.. {
        let is_whole = request < ends.len() && request < real.ends().len();
        let to = ends.get(request).map_or(bytes.len(), |&end| end.min(bytes.len()));
        let got_to = real.ends().get(request).map_or(got.len(), |&end| end.min(got.len()));
        let one = ExpectedMessage { bytes: &bytes[from..to], unknown: shifted(unknown, from) };
        let other = &got[got_from..got_to];
        // Of a request that is not whole on one side, only as much as both have can be compared.
        let at = first(&one, other)
            .filter(|&(at, got_at)| is_whole || (at < one.bytes.len() && got_at < other.len()));
        if let Some((at, got_at)) = at {
            let shown = shown(one.bytes, at, other, got_at);
            return Some(format!("request {} differs at byte {got_at}:\n{shown}", request + 1));
        }
        if !is_whole {
            break;
        }
        (from, got_from) = (to, got_to);
    }
    None
}

/// A message, of which some bytes are unknown.
struct ExpectedMessage<'a> {
    bytes: &'a [u8],
    unknown: Vec<(usize, usize)>,
}

fn shifted(unknown: &[(usize, usize)], by: usize) -> Vec<(usize, usize)> {
    let behind = unknown.iter().filter(|(_, to)| *to > by);
    behind.map(|(from, to)| (from.saturating_sub(by), to - by)).collect()
}

/// The first place where both differ, on either side.
fn first(expected: &ExpectedMessage<'_>, got: &[u8]) -> Option<(usize, usize)> {
    let (heads, content) = lines(expected.bytes);
    let (got_heads, got_content) = lines(got);
    let mut others = got_heads.into_iter();
    for (at, line) in heads {
        let Some((got_at, other)) = others.next() else { return Some((at, got.len())) };
        if without_port(line) != without_port(other) {
            let common = common(line, other);
            return Some((at + common, got_at + common));
        }
    }
    if let Some((got_at, _)) = others.next() {
        return Some((content, got_at));
    }
    let is_unknown = |at| expected.unknown.iter().any(|&(from, to)| (from..to).contains(&at));
    let (rest, got_rest) = (&expected.bytes[content..], &got[got_content..]);
    let same = (0..rest.len().min(got_rest.len()))
        .find(|&at| rest[at] != got_rest[at] && !is_unknown(content + at));
    let length = rest.len().min(got_rest.len());
    let at = same.or((rest.len() != got_rest.len()).then_some(length))?;
    Some((content + at, got_content + at))
}

/// The lines of a head that count, each with its offset, and where the content begins. What is no head
/// has no lines, and is content.
fn lines(message: &[u8]) -> (Vec<(usize, &[u8])>, usize) {
    let (mut lines, mut at) = (Vec::new(), 0);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        let is_user_agent =
            line.get(..11).is_some_and(|name| name.eq_ignore_ascii_case(b"user-agent:"));
        if !is_user_agent {
            lines.push((at, line));
        }
        at += line.len();
        if line == b"\r\n" && at > 2 {
            return (lines, at);
        }
    }
    (lines, at)
}

/// A line as it is compared: Host without its port.
fn without_port(line: &[u8]) -> &[u8] {
    let is_host = line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:"));
    if !is_host {
        return line;
    }
    let host = line.trim_ascii_end();
    let digits = host.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    match host[..host.len() - digits].strip_suffix(b":") {
        Some(host) if host.len() > 4 => host,
        _ => host,
    }
}

fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// Both lines around the byte that differs, and a caret under it.
fn shown(expected: &[u8], at: usize, got: &[u8], got_at: usize) -> String {
    let before = before(expected, at).min(before(got, got_at));
    let line = |bytes: &[u8], at: usize| {
        let rest = &bytes[at..bytes.len().min(at + BEHIND)];
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |lf| lf + 1);
        Visible(&bytes[at - before..at + end]).to_string()
    };
    let caret = Visible(&expected[at - before..at]).to_string().len();
    let (expected, got) = (line(expected, at), line(got, got_at));
    format!("  expected: {expected}\n  got:      {got}\n            {:caret$}^", "")
}

/// Bytes of the same line before this one, as far as they are shown.
fn before(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rev().take(BEFORE).take_while(|&&byte| byte != b'\n').count()
}

#[cfg(test)]
mod tests {
    use openkitchen::Transcript;

    use super::super::steps::parts;
    use super::*;

    fn told(file: &str, got: &str) -> Option<String> {
        let parts = parts(&Transcript::parse(file).unwrap().items);
        let follow = |bytes: &[u8]| {
            let (mut direction, mut used) = (DirectionProgress::requests(), 0);
            while used < bytes.len() {
                used += direction.step(&bytes[used..]).0;
            }
            direction
        };
        let planned = follow(&parts[0].expected.bytes);
        requests(&parts[0], planned.ends(), got.as_bytes(), &follow(got.as_bytes()))
    }

    const FILE: &str = ">>>\nPOST /a HTTP/1.1\nHost: 127.0.0.1:5000\nUser-Agent: curl/8\n\
        Content-Length: 5\n\nhello\\\n>>>\nGET /b HTTP/1.1\nHost: h\n\n";

    #[test]
    fn a_port_and_a_user_agent_make_no_difference() {
        let next = "GET /b HTTP/1.1\r\nHost: h:80\r\nuser-agent: x\r\n\r\n";
        let post = "POST /a HTTP/1.1\r\nHost: 127.0.0.1:41233\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(told(FILE, &format!("{post}{next}")), None);
        assert_eq!(told(FILE, &post[..post.len() - 2]), None, "no difference yet");
        assert_eq!(told(&FILE.replace("hello", "\\{5 bytes}"), post), None);
    }

    #[test]
    fn the_caret_stands_under_the_first_byte_that_differs() {
        let post = "POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhello";
        for (got, said) in [
            (
                post.replace("/a", "/about"),
                "request 1 differs at byte 7:\n  expected: POST /a HTTP/1.1\\r\\n\n  \
                 got:      POST /about HTTP/1.1\\r\\n\n                   ^",
            ),
            (
                post.replace("127.0.0.1", "127.0.0.2"),
                "request 1 differs at byte 32:\n  expected: Host: 127.0.0.1:5000\\r\\n\n  \
                 got:      Host: 127.0.0.2\\r\\n\n                          ^",
            ),
            (
                post.replace("hello", "hallo"),
                "request 1 differs at byte 57:\n  expected: hello\n  got:      hallo\n             ^",
            ),
            (
                post.replace("Content", "Accept: */*\r\nContent"),
                "request 1 differs at byte 35:\n  expected: Content-Length: 5\\r\\n\n  \
                 got:      Accept: */*\\r\\n\n            ^",
            ),
            (
                format!("{post}GET /b HTTP/1.0\r\nHost: h\r\n\r\n"),
                "request 2 differs at byte 14:\n  expected: GET /b HTTP/1.1\\r\\n\n  \
                 got:      GET /b HTTP/1.0\\r\\n\n                          ^",
            ),
        ] {
            let told = told(FILE, &got);
            assert_eq!(told.as_deref(), Some(said), "{got}\n{}", told.clone().unwrap_or_default());
        }
    }
}
