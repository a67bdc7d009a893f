//! # The steps of `mock`: turns a transcript into what the server does on each connection
//!
//! ```text
//! >>> half   >>> the other half        Read     joined: TCP may cut the client's bytes anywhere
//! --- wait 200ms   <<< HTTP/1.1 ...    Wait, Write
//! --- server reset                     Reset
//! ```

use openkitchen::transcript::{EventKind, Item, Side};
use std::time::Duration;

use crate::cli::script::{connection_of, filled, left_out, next_side};

/// What the server does on one connection.
pub struct MockConnection {
    /// The connection's number in the transcript.
    pub connection: u32,
    /// All bytes that the client should send.
    pub expected: ExpectedRequests,
    pub steps: Vec<Step>,
}

/// The bytes that a client should send. Those that the transcript leaves out are unknown.
#[derive(Default)]
pub struct ExpectedRequests {
    pub bytes: Vec<u8>,
    /// The spans of unknown bytes: start and end offset.
    pub unknown: Vec<(usize, usize)>,
}

/// One step of the server.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Reads until the client has sent the expected bytes up to this offset.
    Read(usize),
    /// Writes these bytes in one write.
    Write(Vec<u8>),
    /// Sends nothing for this time.
    Wait(Duration),
    /// Sends nothing for this time, or until the client closes the connection.
    Stall(Duration),
    /// Closes the server's side.
    HalfClose,
    /// Closes the connection.
    Close,
    /// Resets the connection.
    Reset,
    /// Waits until the client has closed its side.
    AwaitClose,
}

/// Returns the connections of a transcript, in the order in which they first appear.
pub fn connections(items: &[Item]) -> Vec<MockConnection> {
    let mut connections: Vec<MockConnection> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let Some(number) = connection_of(item) else { continue };
        let known = connections.iter().position(|known| known.connection == number);
        let index = known.unwrap_or(connections.len());
        if known.is_none() {
            let (expected, steps) = (ExpectedRequests::default(), Vec::new());
            connections.push(MockConnection { connection: number, expected, steps });
        }
        let MockConnection { expected, steps, .. } = &mut connections[index];
        let Some(step) = step(item, &items[at + 1..], expected) else { continue };
        match (steps.last_mut(), step) {
            (Some(Step::Read(to)), Step::Read(further)) => *to = further,
            (_, step) => steps.push(step),
        }
    }
    connections
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
    // A wait of the client needs no step: the server reads until the client has sent.
    let is_servers = next_side(rest, event.connection) != Some(Side::Client);
    match event.kind {
        EventKind::Open => None,
        EventKind::Wait(time) => is_servers.then(|| Step::Wait(time.into())),
        EventKind::Silent(time) => is_servers.then(|| Step::Stall(time.into())),
        EventKind::HalfClose(Side::Server) => Some(Step::HalfClose),
        EventKind::Closed(Side::Server) => Some(Step::Close),
        EventKind::Reset(Side::Server) => Some(Step::Reset),
        EventKind::HalfClose(Side::Client)
        | EventKind::Closed(Side::Client)
        | EventKind::Reset(Side::Client) => Some(Step::AwaitClose),
    }
}

#[cfg(test)]
mod tests {
    use openkitchen::Transcript;

    use super::*;

    #[test]
    fn a_transcript_becomes_the_steps_of_each_connection() {
        let text = "# t\n--- @2 open\n>>>\nab\n>>>\ncd\n--- wait 1s\n>>>\nef\n\
            --- silent 1s\n>>>\ngh\n\
            --- wait 200ms\n<<<\nij\n<<< @2\n\\{2 \"x\"}\\\n--- silent 2s\n--- server reset\n\
            --- @2 client closed\n--- @2 wait 1s\n--- @2 server closed\n";
        let connections = connections(&Transcript::parse(text).unwrap().items);
        let numbers: Vec<u32> = connections.iter().map(|known| known.connection).collect();
        assert_eq!(numbers, [2, 1]);
        assert_eq!(
            connections[0].steps,
            [
                Step::Write(b"xx".into()),
                Step::AwaitClose,
                Step::Wait(Duration::from_secs(1)),
                Step::Close
            ]
        );
        assert_eq!(
            connections[1].steps,
            [
                Step::Read(16),
                Step::Wait(Duration::from_millis(200)),
                Step::Write(b"ij\r\n".into()),
                Step::Stall(Duration::from_secs(2)),
                Step::Reset,
            ]
        );
        assert_eq!(connections[1].expected.bytes, b"ab\r\ncd\r\nef\r\ngh\r\n");
    }
}
