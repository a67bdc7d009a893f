//! # The first difference between the requests of a transcript and those of a client
//!
//! ```text
//! request 1 differs at byte 4:
//!   expected: GET /about HTTP/1.1\r\n
//!   got:      GET / HTTP/1.1\r\n
//!                  ^
//! ```
//! Requests are compared in pairs, and their heads line by line; so one more byte in the first request
//! does not make all later ones differ. Two things are not compared: the port in Host, which is a new
//! one each time, and the field line User-Agent.

use openkitchen::message::visible::Visible;

use super::steps::{ExpectedRequests, MockConnection};
use crate::cli::send::progress::DirectionProgress;

/// Bytes that are shown before and after the one that differs.
const SHOWN_BEFORE: usize = 40;
const SHOWN_AFTER: usize = 40;

/// Returns the first difference between the expected and the received requests, as text. Bytes that
/// were not received yet are no difference. `ends` are the end offsets of the expected requests, and
/// `actual` has those of the received ones.
pub fn first_difference(
    script: &MockConnection,
    ends: &[usize],
    got: &[u8],
    actual: &DirectionProgress,
) -> Option<String> {
    let ExpectedRequests { bytes, unknown } = &script.expected;
    let (mut from, mut got_from) = (0, 0);
    for request in 0.. {
        let is_whole = request < ends.len() && request < actual.ends().len();
        let to = ends.get(request).map_or(bytes.len(), |&end| end.min(bytes.len()));
        let got_to = actual.ends().get(request).map_or(got.len(), |&end| end.min(got.len()));
        let expected = ExpectedMessage { bytes: &bytes[from..to], unknown: shifted(unknown, from) };
        let received = &got[got_from..got_to];
        // If a request is not complete on one side, only the bytes that both sides have are compared.
        let at = first_in_message(&expected, received).filter(|&(at, got_at)| {
            is_whole || (at < expected.bytes.len() && got_at < received.len())
        });
        if let Some((at, got_at)) = at {
            let shown = both_lines(expected.bytes, at, received, got_at);
            return Some(format!("request {} differs at byte {got_at}:\n{shown}", request + 1));
        }
        if !is_whole {
            break;
        }
        (from, got_from) = (to, got_to);
    }
    None
}

/// An expected message, with the spans of its unknown bytes.
struct ExpectedMessage<'a> {
    bytes: &'a [u8],
    unknown: Vec<(usize, usize)>,
}

/// The spans that end after `by`, with offsets that count from there.
fn shifted(unknown: &[(usize, usize)], by: usize) -> Vec<(usize, usize)> {
    let after = unknown.iter().filter(|(_, to)| *to > by);
    after.map(|(from, to)| (from.saturating_sub(by), to - by)).collect()
}

/// Returns the offsets of the first byte that differs, in the expected and in the received message.
fn first_in_message(expected: &ExpectedMessage<'_>, got: &[u8]) -> Option<(usize, usize)> {
    let (lines, content) = head_lines(expected.bytes);
    let (got_lines, got_content) = head_lines(got);
    let mut got_lines = got_lines.into_iter();
    for (at, line) in lines {
        let Some((got_at, got_line)) = got_lines.next() else { return Some((at, got.len())) };
        if without_port(line) != without_port(got_line) {
            let common = common_length(line, got_line);
            return Some((at + common, got_at + common));
        }
    }
    if let Some((got_at, _)) = got_lines.next() {
        return Some((content, got_at));
    }
    let is_unknown = |at| expected.unknown.iter().any(|&(from, to)| (from..to).contains(&at));
    let (rest, got_rest) = (&expected.bytes[content..], &got[got_content..]);
    let length = rest.len().min(got_rest.len());
    let differs = (0..length).find(|&at| rest[at] != got_rest[at] && !is_unknown(content + at));
    let at = differs.or((rest.len() != got_rest.len()).then_some(length))?;
    Some((content + at, got_content + at))
}

/// Returns the lines of a head that are compared, each with its offset, and the offset of the content.
/// Without an empty line, all lines are taken for a head.
fn head_lines(message: &[u8]) -> (Vec<(usize, &[u8])>, usize) {
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

/// Returns a line as it is compared: Host without its port.
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

fn common_length(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// Returns both lines around the byte that differs, and a caret under it.
fn both_lines(expected: &[u8], at: usize, got: &[u8], got_at: usize) -> String {
    let before = shown_before(expected, at).min(shown_before(got, got_at));
    let line = |bytes: &[u8], at: usize| {
        let rest = &bytes[at..bytes.len().min(at + SHOWN_AFTER)];
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |lf| lf + 1);
        Visible(&bytes[at - before..at + end]).to_string()
    };
    let caret = Visible(&expected[at - before..at]).to_string().len();
    let (expected, got) = (line(expected, at), line(got, got_at));
    format!("  expected: {expected}\n  got:      {got}\n            {:caret$}^", "")
}

/// The number of bytes that are shown before this one: those of the same line.
fn shown_before(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rev().take(SHOWN_BEFORE).take_while(|&&byte| byte != b'\n').count()
}

#[cfg(test)]
mod tests {
    use openkitchen::Transcript;

    use super::super::steps::connections;
    use super::*;

    fn difference(file: &str, got: &str) -> Option<String> {
        let connections = connections(&Transcript::parse(file).unwrap().items);
        let follow = |bytes: &[u8]| {
            let (mut direction, mut used) = (DirectionProgress::requests(), 0);
            while used < bytes.len() {
                used += direction.step(&bytes[used..]).0;
            }
            direction
        };
        let planned = follow(&connections[0].expected.bytes);
        let actual = follow(got.as_bytes());
        first_difference(&connections[0], planned.ends(), got.as_bytes(), &actual)
    }

    const FILE: &str = ">>>\nPOST /a HTTP/1.1\nHost: 127.0.0.1:5000\nUser-Agent: curl/8\n\
        Content-Length: 5\n\nhello\\\n>>>\nGET /b HTTP/1.1\nHost: h\n\n";

    #[test]
    fn the_port_in_host_and_user_agent_are_not_compared() {
        let next = "GET /b HTTP/1.1\r\nHost: h:80\r\nuser-agent: x\r\n\r\n";
        let post = "POST /a HTTP/1.1\r\nHost: 127.0.0.1:41233\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(difference(FILE, &format!("{post}{next}")), None);
        assert_eq!(difference(FILE, &post[..post.len() - 2]), None, "no difference yet");
        assert_eq!(difference(&FILE.replace("hello", "\\{5 bytes}"), post), None);
    }

    #[test]
    fn the_caret_stands_under_the_first_byte_that_differs() {
        let post = "POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\nhello";
        for (got, expected) in [
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
            let found = difference(FILE, &got);
            let shown = found.clone().unwrap_or_default();
            assert_eq!(found.as_deref(), Some(expected), "{got}\n{shown}");
        }
    }
}
