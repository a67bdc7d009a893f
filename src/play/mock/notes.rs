//! # What may be a mistake in the page itself
//!
//! A page is played as it is written. If its author has forgotten something, only the client shows it:
//!
//! ```text
//! <<<
//! HTTP/1.1 200 OK
//! Content-Length: 3
//!
//! tea                  3 bytes and CR LF: with tea\ there would be no line end
//! ```
//! A note says so, beside the result. It is no difference, since it may be meant: a client must be tested
//! with a wrong length, too.  Next: `report`.

use crate::message::counted::counted;
use crate::message::dialogue::{Dialogue, Side};
use crate::message::ending::Ending;
use crate::play::script::ANY_REQUEST;
use crate::play::turns::Step;
use crate::transcript::{Assertion, Event, EventKind, Item};

/// What follows a response on its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// More bytes of the server.
    Bytes,
    /// The end of the server's side, or a wait: a response that is not whole is meant.
    Deliberate,
    /// Bytes of the client, or nothing.
    Other,
}

/// The first note on the responses of this connection.
pub(super) fn on_responses(items: &[Item], connection: u32) -> Option<String> {
    let is_here = |item: &&Item| match item {
        Item::Block(block) => block.connection == connection,
        Item::Event(event) => event.connection == connection,
        Item::Prose(_) | Item::Assertions(_) => false,
    };
    let items: Vec<&Item> = items.iter().filter(is_here).collect();
    let is_of_client = |item: &&Item| matches!(item, Item::Block(it) if it.from == Side::Client);
    let has_requests = items.iter().any(is_of_client);
    let mut dialogue = Dialogue::new();
    for (at, item) in items.iter().enumerate() {
        let Item::Block(block) = item else { continue };
        let bytes = block.bytes.expand()?; // after bytes that are left out, nothing is certain
        if block.from == Side::Client {
            dialogue.follow(Side::Client, &bytes);
            continue;
        }
        if !has_requests && !dialogue.is_in_flight() {
            dialogue.follow(Side::Client, ANY_REQUEST);
        }
        if let Some(note) = on_block(&mut dialogue, &bytes, next(&items[at + 1..])) {
            return Some(note);
        }
    }
    None
}

/// The note on the head of this message, which has no empty line.
pub(super) fn on_head(message: &str, number: u64) -> String {
    format!("the head of {message} {number} has no end: an empty line is missing below it")
}

/// The note on an assertion that is about a response and stands above it: no response is between it and
/// the request or the assertions before it.
pub(super) fn on_assertions(steps: &[Step]) -> Option<String> {
    let (mut has_response, mut follows_group) = (false, false);
    for step in steps {
        match step {
            Step::Send { .. } => (has_response, follows_group) = (true, false),
            Step::Receive(_) => follows_group = false,
            Step::Assert { about: Side::Server, assertions, .. } => {
                let on_response = |it: &&Assertion| it.about(Side::Server) == Some(Side::Server);
                if !has_response
                    && !follows_group
                    && let Some(assertion) = assertions.iter().find(on_response)
                {
                    let place = "stands above its response, where nothing tests it";
                    return Some(format!("`{assertion}` {place}: put its ??? below the response"));
                }
                (has_response, follows_group) = (false, true);
            }
            _ => {}
        }
    }
    None
}

fn next(items: &[&Item]) -> Next {
    match items.first() {
        Some(Item::Block(block)) if block.from == Side::Server => Next::Bytes,
        Some(Item::Event(Event { kind, .. })) => match kind {
            EventKind::Closed(Side::Client) | EventKind::HalfClose(Side::Client) => Next::Other,
            _ => Next::Deliberate,
        },
        _ => Next::Other,
    }
}

/// The note on a block of the server, if there is one.
fn on_block(dialogue: &mut Dialogue, bytes: &[u8], next: Next) -> Option<String> {
    let mut rest = bytes;
    let mut ending = None;
    while let Some(range) = dialogue.next(Side::Server, rest) {
        rest = &rest[range.length..];
        ending = range.ending;
        if range.ends_message && !rest.is_empty() && !rest.starts_with(b"HTTP/") {
            let number = dialogue.progress(Side::Server).finals;
            let more = counted(rest.len(), "byte follows", "bytes follow");
            let hint = match rest.starts_with(b"\r\n") {
                true => "; to leave its line end out, end its last line with \\",
                false => "",
            };
            let length = match ending {
                Some(Ending::Length(length)) => format!("has Content-Length {length}"),
                _ => "is whole".to_owned(),
            };
            return Some(format!("response {number} {length}, and {more} it in its block{hint}"));
        }
    }
    let (reader, progress) = (dialogue.reader(Side::Server), dialogue.progress(Side::Server));
    let number = progress.finals + 1;
    match (ending, next) {
        (_, Next::Bytes) => None,
        _ if progress.is_within_head() && bytes.starts_with(b"HTTP/") => {
            Some(on_head("response", number))
        }
        (Some(Ending::Length(length)), Next::Other) if reader.content_left() > 0 => {
            let left = counted(reader.content_left(), "byte is", "bytes are");
            Some(format!("response {number} has Content-Length {length}, and {left} missing"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Transcript;

    #[test]
    fn what_may_be_a_mistake_is_told() {
        let get = ">>>\nGET / HTTP/1.1\n\n";
        let length = |bytes| format!("<<<\nHTTP/1.1 200 OK\nContent-Length: {bytes}\n\n");
        let (three, four) = (length(3), length(4));
        let no_line_end = "; to leave its line end out, end its last line with \\";
        for (page, expected) in [
            (
                format!("{three}tea\n"),
                format!(
                    "response 1 has Content-Length 3, and 2 bytes follow it in its block{no_line_end}"
                ),
            ),
            (
                format!("{get}{three}tea\\\n{get}{three}teas\\\n"),
                "response 2 has Content-Length 3, and 1 byte follows it in its block".into(),
            ),
            (
                format!("{get}{four}tea\\\n{get}<<<\nx\n"),
                "response 1 has Content-Length 4, and 1 byte is missing".into(),
            ),
            (
                "<<<\nHTTP/1.1 200 OK\n".into(),
                "the head of response 1 has no end: an empty line is missing below it".into(),
            ),
            (
                "<<<\nHTTP/1.1 204 No Content\n\nhello\\\n".into(),
                "response 1 is whole, and 5 bytes follow it in its block".into(),
            ),
            // As it should be, or meant.
            (format!("{get}{four}teas\\\n"), String::new()),
            (format!("{four}te\\\n<<<\nas\\\n"), String::new()),
            (format!("{four}te\\\n--- server closed\n"), String::new()),
            (format!("{four}te\\\n--- wait 1s\n<<<\nas\\\n"), String::new()),
            ("<<<\nno HTTP\n--- server closed\n".into(), String::new()),
            (format!("<<<\nHTTP/1.1 100 Continue\n\n{four}teas\\\n"), String::new()),
            (format!("<<<\nHTTP/1.1 200 OK\n\nto the end\n{four}"), String::new()),
            ("<<<\nHTTP/1.1 200 OK\nContent-Length: 0\n\nHTTP/1.1 204 N\n\n".into(), String::new()),
        ] {
            let items = Transcript::parse(&page).unwrap().items;
            assert_eq!(on_responses(&items, 1).unwrap_or_default(), expected, "{page}");
        }
    }
}
