//! What a trace is told: one event for each call of the observer, with its time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::entry::LogLine;
use super::requests::FIRST_ERROR;
use crate::message::dialogue::{Followed, Side};
use crate::message::persistence::Persistence;
use crate::net::observer::{Answered, End};
use crate::transcript::notes::Took;

/// One event, with its time.
pub(super) struct TraceEvent {
    pub at: Instant,
    /// The connection's number; zero for an event of no connection.
    pub connection: u64,
    pub observed: Observed,
}

/// What an event reports.
pub(super) enum Observed {
    /// The server has started, with these paths of quiet rows in its route table.
    Started {
        quiet: Vec<String>,
    },
    Opened(SocketAddr),
    Crossed(CrossedBytes),
    Counted(CountedReads),
    Routed {
        is_quiet: bool,
    },
    Answered(Summary),
    Ended(End),
    /// Watch itself has ended the connection. Its own line says why.
    EndedByWatch,
    Gone,
    /// Lines that the program itself prints.
    Prose(String),
    /// Events that found the queue full, and the answered exchanges among them.
    Lost {
        events: usize,
        exchanges: u64,
    },
}

/// The bytes of one read or write.
pub(super) struct CrossedBytes {
    pub from: Side,
    pub bytes: Vec<u8>,
    /// What they are.
    pub ranges: Arc<[Followed]>,
    /// Whether the first of them begins a message.
    pub begins_message: bool,
}

/// One or more reads or writes of which no byte is needed.
#[derive(Clone, Copy)]
pub(super) struct CountedReads {
    pub from: Side,
    pub length: u64,
    pub reads: u64,
    /// The time of the last of them. The event has that of the first.
    pub last: Instant,
}

/// One line about an answered exchange.
pub(super) struct Summary {
    pub line: String,
    pub has_failed: bool,
}

/// The number after the `@`. All connections from the 4,294,967,295th on share one.
pub(super) fn number(connection: u64) -> u32 {
    u32::try_from(connection).unwrap_or(u32::MAX)
}

impl TraceEvent {
    /// Joins the next event, if both only count the bytes of one direction. Returns whether it did.
    pub fn join(&mut self, next: &TraceEvent) -> bool {
        let Observed::Counted(more) = next.observed else { return false };
        match &mut self.observed {
            Observed::Counted(counted)
                if (counted.from, self.connection) == (more.from, next.connection) =>
            {
                counted.length += more.length;
                counted.reads += more.reads;
                counted.last = more.last;
                true
            }
            _ => false,
        }
    }
}

impl Observed {
    /// Bytes on the heap.
    pub fn bytes(&self) -> usize {
        match self {
            Observed::Crossed(CrossedBytes { bytes, ranges, .. }) => {
                bytes.len() + ranges.iter().map(Followed::memory).sum::<usize>()
            }
            Observed::Answered(summary) => summary.line.len(),
            Observed::Prose(text) => text.len(),
            _ => 0,
        }
    }
}

impl Summary {
    /// `GET /about 200 0.2 ms, stays open`. Keys in the target are masked, since users copy this line.
    pub fn of(exchange: &Answered<'_>) -> Summary {
        let Answered { method, target, took, .. } = exchange;
        let status = exchange.status.code();
        let persistence = match exchange.persistence {
            Persistence::KeepAlive => "stays open",
            Persistence::Close => "closes",
        };
        let line = format!("{method} {target} {status} {}, {persistence}", Took(*took));
        Summary { line, has_failed: status >= FIRST_ERROR }
    }

    /// The line about an exchange of the connection with this number.
    pub fn into_line(self, connection: u32) -> LogLine {
        LogLine { connection, text: self.line, status: None, fields: None }
    }
}
