//! # The first difference between the requests of a transcript and those of a client
//!
//! ```text
//! request 1 differs at byte 4:
//!   expected: GET /about HTTP/1.1\r\n
//!   got:      GET / HTTP/1.1\r\n
//!                  ^
//! ```
//! Requests are compared in pairs, so one more byte in the first request does not make all later ones
//! differ.
//!
//! Rule: a page that a person writes has the fields that matter, and each client sends more, in an order
//! of its own. So each field line of the transcript must be there, and a client may send others, unless
//! the mock is exact. The request line and the content are compared byte for byte.
//! Next: `notes`.

use std::fmt;

use super::connection::MockConnection;
use crate::play::difference::Difference;
use crate::play::expected::{EqualUpTo, common_length, head_length, host_without_port, name_of};
use crate::transcript::Side;

/// What of a request must be as in the transcript.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestRules {
    /// Whether the client may send no field line that the transcript does not have, and in no other
    /// order.
    pub is_exact: bool,
    /// The names of fields that are not compared, in lower case, unless it is exact.
    pub ignored: Vec<String>,
}

/// What a client did that is not in the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockDifference {
    /// In a sentence, or in lines with a caret: what is printed.
    pub text: String,
    /// What the transcript has and what the client sent instead, with the first byte of the request that
    /// differs, if bytes were compared.
    pub bytes: Option<Difference>,
}

impl MockDifference {
    pub(super) fn new(text: impl Into<String>) -> MockDifference {
        MockDifference { text: text.into(), bytes: None }
    }

    fn of_request(number: usize, difference: Difference, hint: &str) -> MockDifference {
        let Difference { expected, got, caret, .. } = &difference;
        let (column, at) = caret.as_ref().map_or((0, 0), |caret| (caret.column, caret.byte));
        let column = 12 + column;
        let text = format!(
            "request {number} differs at byte {at}:\n  expected: {expected}\n  got:      {got}\n\
             {:column$}^{hint}",
            ""
        );
        MockDifference { text, bytes: Some(difference) }
    }
}

impl fmt::Display for MockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a caret's byte is a part of.
const REQUEST: &str = "the request";

/// Returns the first difference between the expected and the received requests. Bytes that were not
/// received yet are no difference. `received_ends` are the ends of the complete requests.
pub(super) fn first_difference(
    script: &MockConnection,
    got: &[u8],
    received_ends: &[u64],
    rules: &RequestRules,
) -> Option<MockDifference> {
    let MockConnection { expected, request_ends, added, .. } = script;
    let mut ignored = rules.ignored.clone();
    ignored.push("user-agent".into());
    ignored.extend(added.has_length.then(|| "content-length".into()));
    let mut start = EqualUpTo::default();
    for request in 0.. {
        let is_whole = request < request_ends.len() && request < received_ends.len();
        let to = request_ends.get(request).copied().unwrap_or(expected.len());
        let got_to =
            received_ends.get(request).map_or(got.len(), |&end| got.len().min(end as usize));
        // A client may send empty lines above a request (RFC 9112 section 2.2).
        if !expected.known_between(start.expected, to).starts_with(b"\r\n") {
            while got[start.received..got_to].starts_with(b"\r\n") {
                start.received += 2;
            }
        }
        let (got, from) = (&got[..got_to], start.received);
        let (number, mut equal) = (request + 1, start);
        let heads = (
            head_length(expected.known_between(start.expected, to)),
            head_length(&got[from.min(got_to)..]),
        );
        // If a request is not complete on one side, only the bytes that both sides have are compared.
        let differs = match heads {
            (Some(length), Some(got_length)) if !rules.is_exact => {
                let head = &expected.known_between(start.expected, to)[..length];
                let got_head = &got[from..from + got_length];
                if let Some(difference) = head_difference(head, got_head, &ignored) {
                    return Some(MockDifference::of_request(number, difference, ""));
                }
                equal.expected += length as u64;
                equal.received += got_length;
                expected.compare_content(&mut equal, to, got)
            }
            _ => expected.compare(&mut equal, to, got, Side::Client),
        };
        if differs || (is_whole && (equal.expected < to || equal.received < got_to)) {
            let at = equal.received - from;
            let rest = expected.known_between(equal.expected, to);
            let difference = Difference::bytes("", rest, (&got[from..], at), REQUEST);
            let hint = match heads {
                (None, Some(_)) if !is_whole => {
                    "\nthe head in the file has no end: an empty line is missing below it"
                }
                _ => "",
            };
            return Some(MockDifference::of_request(number, difference, hint));
        }
        if !is_whole {
            break;
        }
        start = EqualUpTo { expected: to, received: got_to };
    }
    None
}

/// The first line of a head that is not as in the transcript.
fn head_difference(head: &[u8], got_head: &[u8], ignored: &[String]) -> Option<Difference> {
    let mut offset = 0;
    let mut got_lines: Vec<(usize, &[u8])> = Vec::new();
    for line in got_head.split_inclusive(|&byte| byte == b'\n') {
        got_lines.push((offset, line));
        offset += line.len();
    }
    let differ = |line: &[u8], start: usize, got: &[u8]| {
        let at = start + common_length(line, got);
        Difference::bytes("", &line[at - start..], (&got_head[..start + got.len()], at), REQUEST)
    };
    let mut lines = head.split_inclusive(|&byte| byte == b'\n');
    let (first, (_, got_first)) = (lines.next()?, *got_lines.first()?);
    if first != got_first {
        return Some(differ(first, 0, got_first));
    }
    // The line that ends the head stays, for a field that is not there.
    let mut left: Vec<(usize, &[u8])> = got_lines[1..got_lines.len() - 1].to_vec();
    for line in lines.filter(|line| *line != b"\r\n") {
        let name = name_of(line);
        if ignored.iter().any(|ignored| ignored.as_bytes() == name) {
            continue;
        }
        let is_same = |&(_, got): &(usize, &[u8])| {
            name_of(got) == name && (value_of(got) == value_of(line) || is_same_host(line, got))
        };
        if let Some(index) = left.iter().position(is_same) {
            left.remove(index);
            continue;
        }
        // A space may be before the colon.
        let has_name = |(_, got): &&(usize, &[u8])| name_of(got).trim_ascii_end() == name;
        return Some(match left.iter().find(has_name) {
            Some((start, got)) => differ(line, *start, got),
            None => {
                let difference = differ(line, got_head.len() - 2, b"");
                Difference { got: "(no such field)".into(), ..difference }
            }
        });
    }
    None
}

fn value_of(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|&byte| byte == b':').map_or(line.len(), |at| at + 1);
    line[end..].trim_ascii()
}

/// Whether both are a `Host`, and the client's is the one of the transcript but for the port, or is this
/// machine: that is only where the mock is.
fn is_same_host(line: &[u8], got: &[u8]) -> bool {
    let (Some(host), Some(got)) = (host_without_port(line), host_without_port(got)) else {
        return false;
    };
    let is_here = |host: &[u8]| {
        let host = value_of(host);
        host.starts_with(b"127.") || host == b"[::1]" || host.eq_ignore_ascii_case(b"localhost")
    };
    value_of(host) == value_of(got) || is_here(got)
}

#[cfg(test)]
mod tests {
    use crate::message::dialogue::Dialogue;
    use crate::transcript::Transcript;

    use super::*;

    fn difference(file: &str, got: &str) -> Option<String> {
        compared(file, got, &RequestRules { is_exact: true, ignored: Vec::new() })
    }

    fn compared(file: &str, got: &str, rules: &RequestRules) -> Option<String> {
        let items = Transcript::parse(file).unwrap().items;
        let script = &MockConnection::all(&items)[0];
        let (mut dialogue, mut ends, mut rest) = (Dialogue::new(), Vec::new(), got.as_bytes());
        while let Some(range) = dialogue.next(Side::Client, rest) {
            rest = &rest[range.length..];
            ends.extend(range.ends_message.then(|| dialogue.progress(Side::Client).total));
        }
        first_difference(script, got.as_bytes(), &ends, rules).map(|it| it.text)
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

    const WRITTEN: &str = ">>>\nPOST /a HTTP/1.1\nHost: example.test\nContent-Type: text/plain\n\
        Content-Length: 5\n\nhello\\\n";

    #[test]
    fn the_fields_of_the_file_are_enough_in_any_order() {
        let loose = RequestRules::default();
        let head = "POST /a HTTP/1.1\r\nHost: localhost:4\r\nAccept: */*\r\ncontent-length:5\r\n\
            User-Agent: x\r\nContent-Type: text/plain\r\n\r\n";
        assert_eq!(compared(WRITTEN, &format!("{head}hello"), &loose), None);
        assert_eq!(compared(WRITTEN, &format!("{head}he"), &loose), None, "no difference yet");
        assert_eq!(compared(WRITTEN, &head[..20], &loose), None, "no difference yet");
        let exact = RequestRules { is_exact: true, ..loose.clone() };
        assert!(compared(WRITTEN, &format!("{head}hello"), &exact).is_some());
        let post = |replaced: &str, by: &str| format!("{head}hello").replacen(replaced, by, 1);
        for (got, expected) in [
            (
                post("/a", "/b"),
                "request 1 differs at byte 6:\n  expected: POST /a HTTP/1.1\\r\\n\n  \
                 got:      POST /b HTTP/1.1\\r\\n\n                  ^",
            ),
            (
                post("plain", "html"),
                "request 1 differs at byte 102:\n  expected: Content-Type: text/plain\\r\\n\n  \
                 got:      Content-Type: text/html\\r\\n\n                               ^",
            ),
            (
                post("Content-Type: text/plain\r\n", ""),
                "request 1 differs at byte 83:\n  expected: Content-Type: text/plain\\r\\n\n  \
                 got:      (no such field)\n            ^",
            ),
            (
                post("Content-Type: text", "Content-Type : text"),
                "request 1 differs at byte 95:\n  expected: Content-Type: text/plain\\r\\n\n  \
                 got:      Content-Type : text/plain\\r\\n\n                        ^",
            ),
            (
                post("localhost:4", "other.test"),
                "request 1 differs at byte 24:\n  expected: Host: example.test\\r\\n\n  \
                 got:      Host: other.test\\r\\n\n                  ^",
            ),
            (
                post("hello", "hallo"),
                "request 1 differs at byte 112:\n  expected: hello\n  got:      hallo\n             ^",
            ),
        ] {
            let found = compared(WRITTEN, &got, &loose);
            let shown = found.clone().unwrap_or_default();
            assert_eq!(found.as_deref(), Some(expected), "{got}\n{shown}");
        }
        let ignored = RequestRules { ignored: vec!["content-type".into()], ..loose };
        assert_eq!(compared(WRITTEN, &post("plain", "html"), &ignored), None);
    }

    #[test]
    fn a_field_that_is_repeated_must_be_there_as_often() {
        let file = ">>>\nGET / HTTP/1.1\nA: 1\nA: 2\nA: 1\n\n";
        let get = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\n");
        let loose = RequestRules::default();
        assert_eq!(compared(file, &get("A: 2\r\nA: 1\r\nA: 1\r\nA: 3\r\n"), &loose), None);
        assert!(compared(file, &get("A: 1\r\nA: 2\r\n"), &loose).is_some());
    }

    #[test]
    fn a_head_without_an_end_in_the_file_is_named() {
        let file = ">>>\nPOST / HTTP/1.1\nA: 1\nhello\\\n<<<\nx\n";
        let difference =
            compared(file, "POST / HTTP/1.1\r\nB: 1\r\n\r\n", &RequestRules::default());
        assert!(difference.unwrap().ends_with("an empty line is missing below it"));
    }
}
