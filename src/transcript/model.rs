//! # The model: a transcript as values
//!
//! ```text
//! # A title              Item::Prose
//! >>> @2 a note          Item::Block { connection: 2, from: Side::Client, note, bytes }
//! GET / HTTP/1.1
//!
//! --- server closed      Item::Event { connection: 1, kind: EventKind::Closed(Side::Server), note }
//! ???                    Item::Assertions
//! status 400
//! ```
//! Next: [`bytes`](super::bytes).

use std::collections::BTreeMap;

use super::assertions::Assertion;
use super::bytes::Bytes;
use super::text::{Millis, Note, Prose};
use crate::message::dialogue::Side;

/// A transcript: the items of one or more TCP connections, in order. [`Transcript::parse`] reads one,
/// and `Display` prints its canonical text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// All items, in the order of the text.
    pub items: Vec<Item>,
}

impl Transcript {
    /// Returns the title: the first item, if it is prose.
    pub fn title(&self) -> Option<&str> {
        match self.items.first() {
            Some(Item::Prose(title)) => Some(title.as_str()),
            _ => None,
        }
    }
}

/// Returns for each item the side whose messages it is about, if it is a group of assertions.
///
/// A group is about the request if the next block below it, on its connection, is `<<<`, and it has
/// assertions, but no `status`, `closed` or `open`. Any other group is about the responses above it. Its
/// connection is that of the last block or event above it, or 1. [`Assertion::about`] says it of one
/// assertion.
pub fn subjects(items: &[Item]) -> Vec<Side> {
    let mut connection = 1;
    let connections: Vec<u32> = items
        .iter()
        .map(|item| {
            connection = item.connection().unwrap_or(connection);
            connection
        })
        .collect();
    // From below, since the next block decides.
    let mut next_blocks = BTreeMap::new();
    let mut subjects = vec![Side::Server; items.len()];
    for (index, item) in items.iter().enumerate().rev() {
        match item {
            Item::Block(block) => drop(next_blocks.insert(block.connection, block.from)),
            Item::Assertions(group) => {
                let next = next_blocks.get(&connections[index]);
                let is_about_request =
                    |assertion: &Assertion| assertion.about(Side::Client) == Some(Side::Client);
                let is_request_group = !group.is_empty() && group.iter().all(is_about_request);
                if is_request_group && next == Some(&Side::Server) {
                    subjects[index] = Side::Client;
                }
            }
            Item::Prose(_) | Item::Event(_) => {}
        }
    }
    subjects
}

/// One item of a transcript: a line with a marker and, in a block or in assertions, the lines below it.
/// `Display` prints its canonical text, in which each line has its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `# A space before the colon is refused`
    Prose(Prose),
    /// `>>>` or `<<<` and the bytes below it.
    Block(Block),
    /// `--- server closed`
    Event(Event),
    /// `???` and the assertions below it.
    Assertions(Vec<Assertion>),
}

impl Item {
    /// The connection of a block or an event.
    fn connection(&self) -> Option<u32> {
        match self {
            Item::Block(block) => Some(block.connection),
            Item::Event(event) => Some(event.connection),
            Item::Prose(_) | Item::Assertions(_) => None,
        }
    }
}

/// A block: the bytes of one write, and the side that wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The connection's number, as in `@2`; 1 if the line has none. It is a name, not an index.
    pub connection: u32,
    /// The side that wrote the bytes: the client for `>>>`, the server for `<<<`.
    pub from: Side,
    /// The note: the rest of the marker's line, such as `204 bytes, +0.1 ms`.
    pub note: Note,
    /// The bytes that were written.
    pub bytes: Bytes,
}

/// An event: something that happened on a connection, or a wait for the program that replays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The connection's number, as in a [`Block`].
    pub connection: u32,
    /// What happened, and on which side.
    pub kind: EventKind,
    /// The note: the rest of the line.
    pub note: Note,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// `open`: the client connected.
    Open,
    /// `client half-close`: this side writes no more, and may still read.
    HalfClose(Side),
    /// `server closed`: this side closed the connection in order.
    Closed(Side),
    /// `server reset`: this side reset the connection; bytes in flight may be lost.
    Reset(Side),
    /// `wait 200ms`: the side of the next block waits before it writes.
    Wait(Millis),
    /// `silent 2s`: neither side sent a byte for this long.
    Silent(Millis),
}

/// The five markers. A content line never begins with one, because its first byte is then escaped. In
/// a transcript, the first line that is not empty always does.
pub const MARKERS: [&str; 5] = ["#", ">>>", "<<<", "---", "???"];
