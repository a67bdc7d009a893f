//! # The server's side, step by step
//!
//! ```text
//! >>> half   >>> the other half        Read    joined: how the client's TCP cuts is its own affair
//! --- wait 200ms   <<< HTTP/1.1 ...    Wait, Write
//! --- server reset                     Reset
//! ```

use openkitchen::transcript::{EventKind, Item, Side};
use std::time::Duration;

use crate::cli::script::{connection, filled, left_out, next_side};

/// What is played on one connection.
pub struct MockConnection {
    /// Its number in the file.
    pub connection: u32,
    /// All that the client should send.
    pub expected: ExpectedRequests,
    pub steps: Vec<Step>,
}

/// Bytes, of which some may be unknown.
#[derive(Default)]
pub struct ExpectedRequests {
    pub bytes: Vec<u8>,
    /// Which are not: from and to.
    pub unknown: Vec<(usize, usize)>,
}

/// What the server does.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Waits until the client has sent the expected bytes up to there.
    Read(usize),
    /// Writes them at once.
    Write(Vec<u8>),
    /// Sends nothing for so long.
    Wait(Duration),
    /// Sends nothing for so long, or until the client leaves.
    Stall(Duration),
    /// Says that no more will come.
    HalfClose,
    /// Ends the connection in order.
    Close,
    /// Breaks it off.
    Reset,
    /// Waits until the client has ended its side.
    ClientLeaves,
}

/// The connections of a file, in the order they come.
pub fn parts(items: &[Item]) -> Vec<MockConnection> {
    let mut parts: Vec<MockConnection> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let Some(connection) = connection(item) else { continue };
        let known = parts.iter().position(|part| part.connection == connection);
        let index = known.unwrap_or(parts.len());
        if known.is_none() {
            let (expected, steps) = (ExpectedRequests::default(), Vec::new());
            parts.push(MockConnection { connection, expected, steps });
        }
        let MockConnection { expected, steps, .. } = &mut parts[index];
        let Some(step) = step(item, &items[at + 1..], expected) else { continue };
        match (steps.last_mut(), step) {
            (Some(Step::Read(to)), Step::Read(further)) => *to = further,
            (_, step) => steps.push(step),
        }
    }
    parts
}

fn step(item: &Item, rest: &[Item], expected: &mut ExpectedRequests) -> Option<Step> {
    let event = match item {
        Item::Prose(_) | Item::Assertions(_) => return None,
        Item::Block(block) if block.from == Side::Server => {
            return Some(Step::Write(filled(&block.bytes)));
        }
        Item::Block(block) => {
            let start = expected.bytes.len();
            let unknown = left_out(&block.bytes).into_iter();
            let unknown = unknown.map(|(at, count)| (start + at, start + at + count as usize));
            expected.unknown.extend(unknown);
            expected.bytes.extend(filled(&block.bytes));
            return Some(Step::Read(expected.bytes.len()));
        }
        Item::Event(event) => event,
    };
    // What the client takes its time for is awaited anyway.
    let is_ours = next_side(rest, event.connection) != Some(Side::Client);
    match event.kind {
        EventKind::Open => None,
        EventKind::Wait(time) => is_ours.then(|| Step::Wait(time.into())),
        EventKind::Silent(time) => is_ours.then(|| Step::Stall(time.into())),
        EventKind::HalfClose(Side::Server) => Some(Step::HalfClose),
        EventKind::Closed(Side::Server) => Some(Step::Close),
        EventKind::Reset(Side::Server) => Some(Step::Reset),
        EventKind::HalfClose(Side::Client)
        | EventKind::Closed(Side::Client)
        | EventKind::Reset(Side::Client) => Some(Step::ClientLeaves),
    }
}

#[cfg(test)]
mod tests {
    use openkitchen::Transcript;

    use super::*;

    #[test]
    fn a_file_is_taken_apart_into_what_each_connection_does() {
        let text = "# t\n--- @2 open\n>>>\nab\n>>>\ncd\n--- wait 1s\n>>>\nef\n\
            --- silent 1s\n>>>\ngh\n\
            --- wait 200ms\n<<<\nij\n<<< @2\n\\{2 \"x\"}\\\n--- silent 2s\n--- server reset\n\
            --- @2 client closed\n--- @2 wait 1s\n--- @2 server closed\n";
        let parts = parts(&Transcript::parse(text).unwrap().items);
        let numbers: Vec<u32> = parts.iter().map(|part| part.connection).collect();
        assert_eq!(numbers, [2, 1]);
        assert_eq!(
            parts[0].steps,
            [
                Step::Write(b"xx".into()),
                Step::ClientLeaves,
                Step::Wait(Duration::from_secs(1)),
                Step::Close
            ]
        );
        assert_eq!(
            parts[1].steps,
            [
                Step::Read(16),
                Step::Wait(Duration::from_millis(200)),
                Step::Write(b"ij\r\n".into()),
                Step::Stall(Duration::from_secs(2)),
                Step::Reset,
            ]
        );
        assert_eq!(parts[1].expected.bytes, b"ab\r\ncd\r\nef\r\ngh\r\n");
    }
}
