//! # What a mock reports: how each connection went, and what crossed it
//!
//! ```text
//! @1: as written
//! @2: request 1 differs at byte 4:
//!   expected: GET /about HTTP/1.1\r\n
//!   got:      GET / HTTP/1.1\r\n
//!                  ^
//! what crossed:
//! >>> ...
//! ```
//! Bounds: of each connection, 1 MiB of what crossed and, apart from that, 1 MiB of what the client sent;
//! the last hundred connections of a started mock. Of what crossed, the last 64 KiB are printed.
//! Next: `control`.

use std::collections::VecDeque;
use std::fmt;

use super::differ::MockDifference;
use crate::message::counted::counted;
use crate::play::crossed::shown;
use crate::transcript::{Item, Transcript};

/// Connections of a started mock whose bytes are kept for its report. The last ones are.
const MAX_KEPT_CONNECTIONS: usize = 100;

/// How the connections of a mock went: the worst of them, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MockVerdict {
    /// Each client did what the transcript says.
    #[default]
    AsWritten,
    /// A client did not connect, send or read in time.
    TimedOut,
    /// A client sent something else than the transcript has.
    Different,
}

/// How a connection went, or one more request on it if it was kept. It prints as lines of text.
#[derive(Clone, Debug)]
pub struct MockedConnection {
    /// Counts the accepted connections from 1.
    pub connection: usize,
    /// What was played: `@1`, `first.wire @1`, `@1, again`.
    pub name: String,
    /// Whether the client did what the transcript says.
    pub verdict: MockVerdict,
    /// What it did otherwise.
    pub differences: Vec<MockDifference>,
    /// What may be a mistake in the transcript itself, in sentences: a head without its empty line, a
    /// Content-Length that its block does not have. No difference, since it may be meant.
    pub notes: Vec<String>,
    /// Whether a mock that loops has played nothing, because the client sent no byte.
    pub is_unused: bool,
    /// What crossed, the first MiB of it.
    pub crossed: Transcript,
    /// What the client sent, the first MiB of it.
    pub received: Vec<u8>,
    /// How many bytes the client sent after these.
    pub left_out: u64,
}

impl MockedConnection {
    /// What crossed, with the number of this connection.
    #[doc(hidden)]
    pub fn numbered(&self) -> Vec<Item> {
        let number = u32::try_from(self.connection).unwrap_or(u32::MAX);
        let mut items = self.crossed.items.clone();
        items.iter_mut().for_each(|item| match item {
            Item::Block(block) => block.connection = number,
            Item::Event(event) => event.connection = number,
            Item::Prose(_) | Item::Assertions(_) => {}
        });
        items
    }
}

impl fmt::Display for MockedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        if self.is_unused {
            return writeln!(f, "{name}: nothing was played, because the client sent no byte");
        }
        if self.differences.is_empty() {
            writeln!(f, "{name}: as written")?;
        }
        self.differences.iter().try_for_each(|difference| writeln!(f, "{name}: {difference}"))?;
        self.notes.iter().try_for_each(|note| writeln!(f, "{name}: note: {note}"))?;
        if self.left_out > 0 {
            let more = counted(
                self.left_out,
                "more byte of the client is",
                "more bytes of the client are",
            );
            writeln!(f, "{name}: {more} not kept")?;
        }
        Ok(())
    }
}

/// What a mock reports while it plays.
#[derive(Clone, Debug)]
pub enum MockEvent {
    /// A connection is over, or was kept.
    Played(MockedConnection),
    /// Fewer connections were opened than the transcript has, and no other in time. A sentence.
    Missing(String),
}

impl fmt::Display for MockEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MockEvent::Played(played) => played.fmt(f),
            MockEvent::Missing(sentence) => writeln!(f, "{sentence}"),
        }
    }
}

/// How a started mock went. It prints what differed, and then what crossed.
///
/// ```
/// use openkitchen::{Client, Mock, MockVerdict};
///
/// let page = ">>>\nGET /menu HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 204 No Content\n\n";
/// let mock = Mock::parse(page)?.start()?;
/// let mut client = Client::connect(mock.address())?;
/// client.send("GET /m HTTP/1.1\r\nHost: h\r\n\r\n")?;
/// client.response()?;
///
/// let played = mock.finish();
/// assert_eq!((played.passed(), played.verdict()), (false, MockVerdict::Different));
/// assert!(played.to_string().starts_with(
///     "@1: request 1 differs at byte 6:\n  \
///        expected: GET /menu HTTP/1.1\\r\\n\n  \
///        got:      GET /m HTTP/1.1\\r\\n\n                  ^\n"
/// ));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct MockReport {
    /// The connections, in the order in which they ended; the last hundred of them.
    pub connections: VecDeque<MockedConnection>,
    /// How many connections were opened, if they were fewer than the transcript has: a sentence.
    pub missing: Option<String>,
    pub(super) verdict: MockVerdict,
    /// How many connections were dropped.
    dropped: usize,
}

impl MockReport {
    pub(super) fn add(&mut self, event: MockEvent) {
        match event {
            MockEvent::Missing(sentence) => self.missing = Some(sentence),
            MockEvent::Played(played) => {
                if self.connections.len() == MAX_KEPT_CONNECTIONS {
                    self.connections.pop_front();
                    self.dropped += 1;
                }
                self.connections.push_back(played);
            }
        }
    }

    /// Whether each client did what the transcript says, and each connection in it was opened.
    ///
    /// A mock that [loops](super::Mock::looping) asks for no connection: it has passed if none was opened,
    /// and [`connections`](MockReport::connections) is empty then.
    pub fn passed(&self) -> bool {
        self.verdict == MockVerdict::AsWritten
    }

    /// The worst verdict of all connections.
    pub fn verdict(&self) -> MockVerdict {
        self.verdict
    }

    /// All differences.
    pub fn differences(&self) -> impl Iterator<Item = &MockDifference> {
        self.connections.iter().flat_map(|played| &played.differences)
    }

    /// What the clients sent, byte for byte: the connections in the order in which they ended, the first
    /// MiB of each.
    pub fn received(&self) -> Vec<u8> {
        self.connections.iter().flat_map(|played| &played.received).copied().collect()
    }

    /// What crossed, as a transcript that can be played again.
    pub fn transcript(&self) -> Transcript {
        let items = self.connections.iter().flat_map(MockedConnection::numbered).collect();
        Transcript { items }
    }
}

impl fmt::Display for MockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            let dropped = counted(self.dropped, "connection is", "connections are");
            writeln!(f, "{dropped} not shown")?;
        }
        self.connections.iter().try_for_each(|played| played.fmt(f))?;
        self.missing.iter().try_for_each(|sentence| writeln!(f, "{sentence}"))?;
        match self.connections.is_empty() {
            true => Ok(()),
            false => write!(f, "what crossed:\n{}", shown(&self.transcript())),
        }
    }
}
