//! # Collect the items that the trace prints
//!
//! ```text
//! <<< @2 655360 bytes in 10 pieces, +3.1 ms
//! \{655360 bytes}\
//! ```
//! Consecutive reads or writes of which no byte is shown share one block, for a second at most. So a file
//! of 10 MiB is one line, and not 160.

use std::time::{Duration, Instant};

use crate::transcript::notes::crossed;
use crate::transcript::{Block, Bytes, Item, Note, Prose, Side};

/// How long counted bytes may wait for more, before their block is printed.
pub(super) const COUNT_TIME: Duration = Duration::from_secs(1);

/// The items to print, and the bytes and exchanges that are being counted.
#[derive(Default)]
pub(super) struct Collector {
    /// Items that are ready to print.
    pub items: Vec<Item>,
    /// Exchanges that were answered so far, except those that are not shown.
    pub exchanges: u64,
    counting: Option<CountedBytes>,
}

/// Bytes that crossed in one direction, in one or more reads or writes.
pub(super) struct CountedBytes {
    pub connection: u32,
    pub from: Side,
    pub length: u64,
    pub reads: u64,
    /// When the event before them was.
    pub since: Instant,
    pub first: Instant,
    pub last: Instant,
}

impl CountedBytes {
    /// `214 bytes, +0.1 ms`, `65536 bytes in 8 pieces, +3.1 ms`: the time is up to the last read.
    pub fn note(&self) -> String {
        crossed(self.length, self.reads, self.last.saturating_duration_since(self.since))
    }
}

impl Collector {
    /// Adds an item.
    pub fn push(&mut self, item: Item) {
        self.stop_counting();
        self.items.push(item);
    }

    /// Adds a line of prose.
    pub fn push_prose(&mut self, text: &str) {
        self.push(Item::Prose(Prose::new(text)));
    }

    /// Adds the line about an exchange that was answered, after its number.
    pub fn push_summary(&mut self, line: &str) {
        self.exchanges += 1;
        self.push_prose(&format!("{} {line}", self.exchanges));
    }

    /// Adds bytes of which none is shown.
    pub fn count(&mut self, next: CountedBytes) {
        match &mut self.counting {
            Some(counting)
                if (counting.connection, counting.from) == (next.connection, next.from)
                    && next.first < counting.first + COUNT_TIME =>
            {
                counting.length += next.length;
                counting.reads += next.reads;
                counting.last = next.last;
            }
            _ => {
                self.stop_counting();
                self.counting = Some(next);
            }
        }
    }

    /// When the counted bytes have to be printed, if there are any.
    pub fn counts_until(&self) -> Option<Instant> {
        self.counting.as_ref().map(|counting| counting.first + COUNT_TIME)
    }

    /// Adds the counted bytes as one block, if there are any.
    pub fn stop_counting(&mut self) {
        if let Some(counting) = self.counting.take() {
            let note = Note::new(&counting.note());
            let CountedBytes { connection, from, length, .. } = counting;
            let mut bytes = Bytes::new();
            bytes.push_left_out(length);
            self.items.push(Item::Block(Block { connection, from, note, bytes }));
        }
    }
}
