//! # A connection of `check`: what has crossed it, and what is wrong with it
//!
//! ```text
//! expected: the whole content that the head promises
//! got:      Content-Length: 9, and 4 bytes before the connection ended
//! ```

use std::time::Duration;

use crate::message::counted::counted;
use crate::message::responses::ResponseCollector;
use crate::message::seconds::InSeconds;
use crate::play::clients::{ClientConnection, Ended, ServerEvents};
use crate::play::difference::{Difference, RECEIVED};
use crate::play::expected::{EqualUpTo, ExpectedBytes};
use crate::transcript::judge::{Group, Judged};
use crate::transcript::{EventKind, Side};

/// How many bytes are taken on one connection, up to one read.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedBound {
    bytes: usize,
    /// `16 MiB`
    name: &'static str,
    /// What it is, as a reason: `16 MiB on a connection`.
    reason: &'static str,
}

impl ReceivedBound {
    /// For a case that is judged.
    pub const JUDGED: ReceivedBound =
        ReceivedBound { bytes: 16 << 20, name: "16 MiB", reason: "16 MiB on a connection" };
    /// For a case that a person is to look at.
    pub const SHOWN: ReceivedBound =
        ReceivedBound { bytes: 1 << 20, name: "1 MiB", reason: "1 MiB on a connection" };
}

impl Default for ReceivedBound {
    fn default() -> ReceivedBound {
        ReceivedBound::JUDGED
    }
}

/// A connection, with what has crossed it and what the transcript has shown of it.
pub type CheckedConnection = ClientConnection<CheckState>;

/// What has crossed a connection, and what the transcript has shown of it so far.
#[derive(Default)]
pub struct CheckState {
    /// The bytes that were sent, or would have been if the server had not closed.
    pub sent: Vec<u8>,
    /// How many bytes are taken.
    pub bound: ReceivedBound,
    pub responses: ResponseCollector,
    /// The bytes that the transcript shows from the server.
    pub expected: ExpectedBytes,
    /// How far the received bytes are equal to them.
    pub equal: EqualUpTo,
    /// The messages that its assertions were tested on.
    pub judged: Judged,
    /// The time that it gives the server, since the client last sent.
    pub extra_time: Duration,
    /// How the server ends the connection in it.
    pub end: Option<EventKind>,
}

impl CheckState {
    /// All bytes that were received.
    pub fn got(&self) -> &[u8] {
        self.responses.bytes()
    }

    /// Whether a received byte differs from the one that the transcript shows.
    pub fn differs(&mut self) -> bool {
        let (got, to) = (self.responses.bytes(), self.expected.len());
        self.expected.compare(&mut self.equal, to, got, Side::Server)
    }

    /// Whether as many bytes were received as are taken.
    pub fn is_too_long(&self) -> bool {
        self.got().len() >= self.bound.bytes
    }

    /// What was more than is followed here, if no byte before it broke a rule.
    pub fn beyond(&self) -> Option<&'static str> {
        let too_long = self.is_too_long().then_some(self.bound.reason);
        let beyond = self.responses.beyond().or(too_long);
        beyond.filter(|_| self.responses.fault().is_none())
    }

    /// The messages of the next group of assertions. They count as judged in `judged`.
    pub fn group(&self, judged: &mut Judged, about: Side) -> Group<'_> {
        judged.next(about, self.responses.requests(), self.responses.finals())
    }

    /// Whether the transcript is cut within a response: a recording that was stopped there.
    pub fn is_cut(&self) -> bool {
        self.end.is_none() && self.expected_responses().incomplete().is_some()
    }

    /// The responses that the transcript shows, as far as it has their bytes.
    fn expected_responses(&self) -> ResponseCollector {
        let mut responses = ResponseCollector::new();
        responses.sent(&self.sent);
        responses.received(self.expected.known());
        responses
    }
}

impl ServerEvents for CheckState {
    fn received(&mut self, bytes: &[u8]) {
        if !self.is_too_long() {
            self.responses.received(bytes);
        }
    }

    fn ended(&mut self, _: Ended) {
        self.responses.end();
    }
}

/// Fails if the received bytes are not responses.
pub fn require_well_formed(client: &CheckedConnection) -> Result<(), Difference> {
    let state = &client.state;
    match state.responses.fault() {
        Some(fault) => Err(Difference::rule(fault.rule, state.got(), fault.at)),
        None if state.is_too_long() => {
            let ReceivedBound { name, reason, .. } = state.bound;
            Err(Difference::new(format!("less than {reason}"), format!("{name}, and more")))
        }
        None => Ok(()),
    }
}

/// Fails if the end of the connection has cut a response, unless the transcript shows such a response.
pub fn require_complete(client: &CheckedConnection) -> Result<(), Difference> {
    let state = &client.state;
    if client.ended == Ended::Open || state.responses.incomplete().is_none() {
        return Ok(());
    }
    let mut expected = state.expected_responses();
    expected.end();
    if expected.incomplete().is_some() {
        return Ok(());
    }
    Err(Difference::new(WHOLE_CONTENT, incomplete_response(client)).because(INCOMPLETE))
}

/// Describes the last response, which is not complete.
fn incomplete_response(client: &CheckedConnection) -> String {
    let state = &client.state;
    let Some(response) = state.responses.incomplete() else {
        return format!("{}, and no complete head", counted(state.got().len(), "byte", "bytes"));
    };
    let received = counted(response.content.len(), "byte", "bytes");
    let length = match response.values("content-length").first() {
        Some(length) => format!("Content-Length: {length}, and {received}"),
        None => format!("{received}, and not the end of the content"),
    };
    match client.ended {
        Ended::Open => length,
        _ => format!("{length} before the connection ended"),
    }
}

/// The difference that the expected response was not received.
pub fn no_response(
    expected: impl Into<String>,
    client: &CheckedConnection,
    timeout: Duration,
) -> Difference {
    let got = received_so_far(client, timeout);
    let expected = expected.into();
    if client.state.got().is_empty() {
        Difference::new(expected, got.clone()).because(got)
    } else if client.state.responses.incomplete().is_some() {
        Difference::new(format!("{expected}, and {WHOLE_CONTENT}"), got).because(INCOMPLETE)
    } else {
        Difference::new(expected, got)
    }
}

/// What is expected after a head.
const WHOLE_CONTENT: &str = "the whole content that the head promises";

/// The cause of differences where a response has no end.
const INCOMPLETE: &str = "a response is not complete";

/// Describes what was received in place of the expected response.
fn received_so_far(client: &CheckedConnection, timeout: Duration) -> String {
    let seconds = InSeconds(timeout);
    let state = &client.state;
    let count = state.responses.finals().len();
    let has_switched = state.responses.dialogue().has_switched();
    let is_incomplete = !state.responses.rest().is_empty() && !has_switched;
    match client.ended {
        Ended::Closed if state.got().is_empty() => {
            "the server closed the connection without a byte".to_owned()
        }
        Ended::Reset if state.got().is_empty() => "the server reset the connection".to_owned(),
        Ended::Open if state.got().is_empty() => format!("nothing in {seconds} s"),
        Ended::Open if is_incomplete => {
            format!("after {seconds} s: {}", incomplete_response(client))
        }
        _ if is_incomplete => incomplete_response(client),
        Ended::Open => format!("{}, and nothing more in {seconds} s", counted_responses(count)),
        _ => format!("{}, then the connection ended", counted_responses(count)),
    }
}

/// `1 response`, or `2 responses`.
pub fn counted_responses(responses: usize) -> String {
    counted(responses, "response", "responses")
}

/// Describes how the connection ended, or that it is open.
pub fn end_of(client: &CheckedConnection, timeout: Duration) -> String {
    match client.ended {
        Ended::Open => format!("still open after {} s", InSeconds(timeout)),
        Ended::Closed => "the server closed the connection".to_owned(),
        Ended::Reset => "the server reset the connection".to_owned(),
    }
}

/// Describes the received byte that differs from those that the transcript shows, is missing, or is too
/// many.
pub fn different(client: &CheckedConnection, got: (&[u8], usize), timeout: Duration) -> Difference {
    let expected = &client.state.expected;
    let (bytes, at) = got;
    let rest = expected.known_between(at as u64, expected.len());
    let mut difference = Difference::bytes("", rest, got, RECEIVED);
    if at == bytes.len() {
        difference.got = difference.got.trim_end_matches("(nothing)").to_owned();
        difference.got += &match client.ended {
            Ended::Open => format!("(nothing more in {} s)", InSeconds(timeout)),
            _ => format!("({})", end_of(client, timeout)),
        };
    }
    difference
}
