//! # The output of `send`: a transcript of what crosses, printed as it crosses
//!
//! ```text
//! >>> 27 bytes in 27 pieces, +135.2 ms          27 slow writes: one block, until the next event
//! <<< 157 bytes, +0.2 ms                        one read
//! ```
//! The time counts from the bytes before, in either direction; for the first bytes, from the moment
//! the connection opened. Each item is printed at once, so Ctrl-C loses nothing.

use std::collections::BTreeMap;
use std::io::Write;
use std::mem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::transcript::notes::{self, Took};
use crate::transcript::{Block, Bytes, Event, EventKind, Item, Note, Printer, Prose, Side};

/// Prints a transcript, item by item.
pub struct Output<W> {
    out: W,
    printer: Printer,
    /// When bytes last crossed, for each connection.
    last: BTreeMap<u32, Instant>,
    unprinted: Option<UnprintedBlock>,
}

/// Bytes that were sent and not printed yet: later writes join the same block.
struct UnprintedBlock {
    connection: u32,
    bytes: Vec<u8>,
    writes: u64,
    at: Instant,
}

/// What is told of the connections of a [`SendPlayer`](super::SendPlayer), as it happens.
pub trait SendViewer {
    /// A connection was opened, which took so long. The addresses are those of the server and of this
    /// side; `None` if the connection has ended already.
    fn opened(
        &mut self,
        connection: u32,
        server: Option<SocketAddr>,
        local: Option<SocketAddr>,
        took: Duration,
    );

    /// One write sent these bytes.
    fn sent(&mut self, connection: u32, bytes: &[u8], at: Instant);

    /// All bytes of one step were sent.
    fn flush(&mut self) {}

    /// One read gave these bytes.
    fn received(&mut self, connection: u32, bytes: &[u8], at: Instant);

    /// Something else happened.
    fn event(&mut self, connection: u32, kind: EventKind);

    /// A sentence about what could not be done.
    fn prose(&mut self, text: &str);
}

impl<W: Write> Output<W> {
    /// An output that has printed nothing.
    pub fn new(out: W) -> Output<W> {
        let (printer, last) = (Printer::new(), BTreeMap::new());
        Output { out, printer, last, unprinted: None }
    }

    fn block(&mut self, connection: u32, from: Side, bytes: &[u8], count: u64, at: Instant) {
        let since = mem::replace(self.last.entry(connection).or_insert(at), at);
        let took = at.saturating_duration_since(since);
        let note = Note::new(&notes::crossed(bytes.len() as u64, count, took));
        self.print(&Item::Block(Block { connection, from, note, bytes: Bytes::raw(bytes) }));
    }

    fn event_with_note(&mut self, connection: u32, kind: EventKind, note: &str) {
        self.flush();
        self.print(&Item::Event(Event { connection, kind, note: Note::new(note) }));
    }

    fn print(&mut self, item: &Item) {
        let mut text = String::new();
        self.printer.print(item, &mut text);
        // The reader of a pipe may have closed it; how the connection went is still of use.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write> SendViewer for Output<W> {
    fn opened(
        &mut self,
        connection: u32,
        server: Option<SocketAddr>,
        _: Option<SocketAddr>,
        took: Duration,
    ) {
        self.last.insert(connection, Instant::now());
        let to = server.map_or_else(|| "a server".into(), |it| it.to_string());
        self.event_with_note(connection, EventKind::Open, &format!("to {to}, +{}", Took(took)));
    }

    /// Records one write. It is printed together with the writes that follow: see
    /// [`flush`](SendViewer::flush).
    fn sent(&mut self, connection: u32, bytes: &[u8], at: Instant) {
        if self.unprinted.as_ref().is_some_and(|block| block.connection != connection) {
            self.flush();
        }
        let empty = UnprintedBlock { connection, bytes: Vec::new(), writes: 0, at };
        let block = self.unprinted.get_or_insert(empty);
        block.bytes.extend_from_slice(bytes);
        block.writes += 1;
        block.at = at;
    }

    /// Prints the writes that were recorded, as one block.
    fn flush(&mut self) {
        let Some(UnprintedBlock { connection, bytes, writes, at }) = self.unprinted.take() else {
            return;
        };
        self.block(connection, Side::Client, &bytes, writes, at);
    }

    /// Prints the bytes of one read.
    fn received(&mut self, connection: u32, bytes: &[u8], at: Instant) {
        self.flush();
        self.block(connection, Side::Server, bytes, 1, at);
    }

    /// Prints an event.
    fn event(&mut self, connection: u32, kind: EventKind) {
        self.event_with_note(connection, kind, "");
    }

    /// Prints a line of prose.
    fn prose(&mut self, text: &str) {
        self.flush();
        self.print(&Item::Prose(Prose::new(text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_writes_are_one_block_until_the_server_sends() {
        let (mut out, now) = (Vec::new(), Instant::now());
        let mut output = Output::new(&mut out);
        for byte in [b"G", b"E", b"T"] {
            output.sent(1, byte, now);
        }
        output.received(1, b"no\r\n", now + Duration::from_millis(20));
        output.sent(1, b"?", now + Duration::from_millis(1520));
        output.event(1, EventKind::Closed(Side::Server));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            ">>> 3 bytes in 3 pieces, +0.00 ms\nGET\\\n<<< 4 bytes, +20.0 ms\nno\n\
             >>> 1 byte, +1.5 s\n?\\\n--- server closed\n"
        );
    }
}
