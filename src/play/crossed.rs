//! # What has crossed a connection, kept as a transcript
//!
//! A test that fails shows it: each write or read is a block, each end an event.
//!
//! ```text
//! >>> 27 bytes, +0.1 ms
//! <<< 43 bytes, +0.2 ms           the time since the bytes before
//! --- server closed
//! ```
//! Bounds: [`MAX_KEPT_BYTES`] of a connection; what crosses after them is counted. Of that, a test that
//! fails shows the last [`MAX_SHOWN_BYTES`].  Next: `difference`.

use std::time::Instant;

use crate::message::counted::counted;
use crate::transcript::{
    Block, Bytes, Event, EventKind, Item, Note, Prose, Side, Transcript, notes,
};

/// Bytes that are kept of a connection.
pub const MAX_KEPT_BYTES: usize = 1024 * 1024;

/// Roughly what a block takes in memory besides its bytes.
const BLOCK_BYTES: usize = 256;

/// What has crossed one connection so far.
pub struct Crossed {
    connection: u32,
    items: Vec<Item>,
    /// When the last bytes crossed.
    last: Instant,
    /// Bytes that may still be kept.
    room: usize,
    /// Bytes that crossed and are not kept.
    left_out: u64,
}

impl Crossed {
    /// A connection with this number that is open from now on.
    pub fn new(connection: u32) -> Crossed {
        let (items, last) = (Vec::new(), Instant::now());
        Crossed { connection, items, last, room: MAX_KEPT_BYTES, left_out: 0 }
    }

    /// Adds the bytes of one write or read.
    pub fn bytes(&mut self, from: Side, bytes: &[u8], at: Instant) {
        let took = at.saturating_duration_since(self.last);
        self.last = at;
        let kept = &bytes[..bytes.len().min(self.room.saturating_sub(BLOCK_BYTES))];
        self.room = self.room.saturating_sub(BLOCK_BYTES + kept.len());
        if kept.is_empty() {
            self.left_out += bytes.len() as u64;
            return;
        }
        let note = Note::new(&notes::crossed(bytes.len() as u64, 1, took));
        let mut block = Bytes::raw(kept);
        block.push_left_out((bytes.len() - kept.len()) as u64);
        let connection = self.connection;
        self.items.push(Item::Block(Block { connection, from, note, bytes: block }));
    }

    /// Adds the end of a side.
    pub fn event(&mut self, kind: EventKind) {
        let (connection, note) = (self.connection, Note::default());
        self.items.push(Item::Event(Event { connection, kind, note }));
    }

    /// All of it, as a transcript.
    pub fn transcript(&self) -> Transcript {
        let mut items = self.items.clone();
        if self.left_out > 0 {
            let more = counted(self.left_out, "more byte is", "more bytes are");
            items.push(Item::Prose(Prose::new(&format!("{more} not kept"))));
        }
        Transcript { items }
    }
}

/// Bytes of text that are shown of what crossed.
const MAX_SHOWN_BYTES: usize = 64 * 1024;

/// What crossed as text, for the message of a test that fails: the last lines if there are many.
pub fn shown(transcript: &Transcript) -> String {
    let text = transcript.to_string();
    let Some(from) = text.len().checked_sub(MAX_SHOWN_BYTES) else { return text };
    let from = text.as_bytes()[from..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(0, |lf| from + lf + 1);
    let (left_out, last) = text.split_at(from);
    let lines = counted(left_out.lines().count(), "line is", "lines are");
    format!("# the first {lines} left out\n{last}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Piece;

    /// The bytes that are kept of one side.
    fn bytes_of(transcript: &Transcript, side: Side) -> Vec<u8> {
        let raw = |item: &Item| match item {
            Item::Block(block) if block.from == side => match &block.bytes.pieces()[0] {
                Piece::Raw(bytes) => bytes.clone(),
                piece => panic!("{piece:?}"),
            },
            _ => Vec::new(),
        };
        transcript.items.iter().flat_map(raw).collect()
    }

    #[test]
    fn what_is_beyond_the_bound_is_counted() {
        let mut crossed = Crossed::new(1);
        let at = crossed.last;
        crossed.bytes(Side::Client, b"GET / HTTP/1.1\r\n\r\n", at);
        crossed.bytes(Side::Server, &vec![b'x'; MAX_KEPT_BYTES], at);
        crossed.bytes(Side::Server, b"y", at);
        crossed.event(EventKind::Closed(Side::Server));
        let transcript = crossed.transcript();
        assert_eq!(bytes_of(&transcript, Side::Client), b"GET / HTTP/1.1\r\n\r\n");
        let kept = bytes_of(&transcript, Side::Server).len();
        assert!((MAX_KEPT_BYTES / 2..MAX_KEPT_BYTES).contains(&kept), "{kept}");
        let text = transcript.to_string();
        let left_out = MAX_KEPT_BYTES - kept;
        assert!(text.contains(&format!("\\{{{left_out} bytes}}")), "the first block is cut");
        assert!(
            text.ends_with("--- server closed\n\n# 1 more byte is not kept\n"),
            "{}",
            &text[text.len() - 80..]
        );
    }

    #[test]
    fn the_last_lines_of_much_are_shown() {
        let mut crossed = Crossed::new(1);
        let at = crossed.last;
        crossed.bytes(Side::Client, b"GET / HTTP/1.1\r\n\r\n", at);
        let few = crossed.transcript();
        assert_eq!(shown(&few), few.to_string());
        (0..MAX_SHOWN_BYTES).for_each(|_| crossed.bytes(Side::Server, b"x\r\n", at));
        crossed.event(EventKind::Closed(Side::Server));
        let text = shown(&crossed.transcript());
        assert!(text.len() <= MAX_SHOWN_BYTES + 100, "{}", text.len());
        assert!(text.starts_with("# the first ") && text.contains("--- server closed\n"));
    }
}
