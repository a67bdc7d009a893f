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

use super::connection::MockConnection;
use crate::play::difference::Difference;
use crate::play::expected::EqualUpTo;
use crate::transcript::Side;

/// Returns the first difference between the expected and the received requests, as text. Bytes that
/// were not received yet are no difference. `received_ends` are the ends of the complete requests.
pub(super) fn first_difference(
    script: &MockConnection,
    got: &[u8],
    received_ends: &[u64],
) -> Option<String> {
    let MockConnection { expected, request_ends, .. } = script;
    let mut equal = EqualUpTo::default();
    for request in 0.. {
        let is_whole = request < request_ends.len() && request < received_ends.len();
        let to = request_ends.get(request).copied().unwrap_or(expected.len());
        let got_to =
            received_ends.get(request).map_or(got.len(), |&end| got.len().min(end as usize));
        let (got, from) = (&got[..got_to], equal.received);
        // If a request is not complete on one side, only the bytes that both sides have are compared.
        let differs = expected.compare(&mut equal, to, got, Side::Client)
            || (is_whole && (equal.expected < to || equal.received < got_to));
        if differs {
            let (number, at) = (request + 1, equal.received - from);
            let rest = expected.known_between(equal.expected, to);
            let Difference { expected, got, caret, .. } =
                Difference::line(rest, (&got[from..], at), "the request");
            let column = caret.map_or(0, |caret| caret.column);
            return Some(format!(
                "request {number} differs at byte {at}:\n  expected: {expected}\n  got:      {got}\n\
                 {:width$}^",
                "",
                width = 12 + column
            ));
        }
        if !is_whole {
            break;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::message::dialogue::Dialogue;
    use crate::transcript::Transcript;

    use super::*;

    fn difference(file: &str, got: &str) -> Option<String> {
        let items = Transcript::parse(file).unwrap().items;
        let script = &MockConnection::all(&items)[0];
        let (mut dialogue, mut ends, mut rest) = (Dialogue::new(), Vec::new(), got.as_bytes());
        while let Some(range) = dialogue.next(Side::Client, rest) {
            rest = &rest[range.length..];
            ends.extend(range.ends_message.then(|| dialogue.progress(Side::Client).total));
        }
        first_difference(script, got.as_bytes(), &ends)
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
