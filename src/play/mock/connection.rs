//! What the server does on one connection of a transcript.

use std::mem;

use crate::play::expected::ExpectedBytes;
use crate::play::turns::{Step, Turn, Turns};
use crate::transcript::{Item, Side};

/// What the server does on one connection.
pub(super) struct MockConnection {
    /// The connection's number in the transcript.
    pub number: u32,
    pub steps: Vec<Step>,
    /// All bytes that the client should send.
    pub expected: ExpectedBytes,
    /// The end of each complete request in them.
    pub request_ends: Vec<u64>,
}

impl MockConnection {
    /// Returns the connections of a transcript, in the order in which they first appear.
    pub fn all(items: &[Item]) -> Vec<MockConnection> {
        let mut connections: Vec<MockConnection> = Vec::new();
        for Turn { connection: number, mut step } in Turns::new(items, Side::Server) {
            let index = connections.iter().position(|known| known.number == number);
            let index = index.unwrap_or_else(|| {
                let (expected, steps) = (ExpectedBytes::default(), Vec::new());
                connections.push(MockConnection {
                    number,
                    steps,
                    expected,
                    request_ends: Vec::new(),
                });
                connections.len() - 1
            });
            let connection = &mut connections[index];
            if let Step::Receive(shown) = &mut step {
                connection.expected.append(mem::take(&mut shown.bytes));
                connection.request_ends.extend(&shown.message_ends);
            }
            connection.steps.push(step);
        }
        // Assertions alone are nothing to play.
        connections.retain(|it| it.steps.iter().any(|step| !matches!(step, Step::Assert(..))));
        connections
    }

    /// Whether assertions are tested on the requests, and not the bytes.
    pub fn has_assertions(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Assert(Side::Client, _)))
    }
}
