//! # What crossed, as it crosses
//!
//! ```text
//! >>> 27 bytes in 27 pieces, +135.2 ms          sent slowly: one block, until something else happens
//! <<< 157 bytes, +0.2 ms                        a read
//! ```
//! The time is that since the bytes before, in either direction; of the first ones, since it opened.
//! Each item is written at once, so that Ctrl-C loses nothing.

use std::collections::BTreeMap;
use std::io::Write;
use std::mem;
use std::time::{Duration, Instant};

use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Note, Printer, Prose, Side};

use crate::cli::note::{self, Took};

/// A page that grows.
pub struct Output<W> {
    out: W,
    printer: Printer,
    /// When bytes crossed last, for each connection.
    last: BTreeMap<u32, Instant>,
    sending: Option<Sending>,
}

/// Bytes that were sent, and may be joined by more.
struct Sending {
    connection: u32,
    bytes: Vec<u8>,
    pieces: u64,
    at: Instant,
}

impl<W: Write> Output<W> {
    /// An empty page.
    pub fn new(out: W) -> Output<W> {
        let (printer, last) = (Printer::new(), BTreeMap::new());
        Output { out, printer, last, sending: None }
    }

    /// A connection was opened, which took so long.
    pub fn opened(&mut self, connection: u32, to: &str, took: Duration) {
        self.last.insert(connection, Instant::now());
        self.noted(connection, EventKind::Open, &format!("to {to}, +{}", Took(took)));
    }

    /// A piece was sent. It is shown with those that follow, up to [`flush`](Output::flush).
    pub fn sent(&mut self, connection: u32, piece: &[u8], at: Instant) {
        if self.sending.as_ref().is_some_and(|sending| sending.connection != connection) {
            self.flush();
        }
        let empty = Sending { connection, bytes: Vec::new(), pieces: 0, at };
        let sending = self.sending.get_or_insert(empty);
        sending.bytes.extend_from_slice(piece);
        sending.pieces += 1;
        sending.at = at;
    }

    /// Shows what was sent.
    pub fn flush(&mut self) {
        let Some(Sending { connection, bytes, pieces, at }) = self.sending.take() else { return };
        self.block(connection, Side::Client, &bytes, pieces, at);
    }

    /// A piece came.
    pub fn came(&mut self, connection: u32, bytes: &[u8], at: Instant) {
        self.flush();
        self.block(connection, Side::Server, bytes, 1, at);
    }

    fn block(&mut self, connection: u32, from: Side, bytes: &[u8], pieces: u64, at: Instant) {
        let since = mem::replace(self.last.entry(connection).or_insert(at), at);
        let took = at.saturating_duration_since(since);
        let note = Note::new(&note::crossed(bytes.len() as u64, pieces, took));
        self.print(&Item::Block(Block { connection, from, note, bytes: Bytes::raw(bytes) }));
    }

    /// Something happened.
    pub fn happened(&mut self, connection: u32, kind: EventKind) {
        self.noted(connection, kind, "");
    }

    fn noted(&mut self, connection: u32, kind: EventKind, note: &str) {
        self.flush();
        self.print(&Item::Event(Event { connection, kind, note: Note::new(note) }));
    }

    /// A line of prose.
    pub fn say(&mut self, text: &str) {
        self.flush();
        self.print(&Item::Prose(Prose::new(text)));
    }

    fn print(&mut self, item: &Item) {
        let mut text = String::new();
        self.printer.print(item, &mut text);
        // Whoever has closed stdout does not want to be told; the exit code is still of use.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_slowly_is_one_block_until_an_answer_comes() {
        let (mut out, now) = (Vec::new(), Instant::now());
        let mut page = Output::new(&mut out);
        for piece in [b"G", b"E", b"T"] {
            page.sent(1, piece, now);
        }
        page.came(1, b"no\r\n", now + Duration::from_millis(20));
        page.sent(1, b"?", now + Duration::from_millis(1520));
        page.happened(1, EventKind::Closed(Side::Server));
        let page = String::from_utf8(out).unwrap();
        assert_eq!(
            page,
            ">>> 3 bytes in 3 pieces, +0.00 ms\nGET\\\n<<< 4 bytes, +20.0 ms\nno\n\
             >>> 1 byte, +1.5 s\n?\\\n--- server closed\n"
        );
    }
}
