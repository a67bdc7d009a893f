//! # The page that is being made
//!
//! ```text
//! <<< @2 655360 bytes in 10 pieces, +3.1 ms
//! \{655360 bytes}\
//! ```
//! Pieces of which nothing is shown are counted together while nothing else happens, and for a
//! second at most: a file of 10 MiB is a line, not 160 of them.

use std::time::{Duration, Instant};

use openkitchen::transcript::{Block, Bytes, Item, Note, Prose, Side};

use crate::cli::note::crossed;

/// How long what is only counted may wait for more of its kind.
const COUNTING: Duration = Duration::from_secs(1);

/// The items that have been made, and bytes that are only counted.
#[derive(Default)]
pub(super) struct Collector {
    /// What there is to print.
    pub items: Vec<Item>,
    counting: Option<Crossed>,
}

/// Bytes that crossed in one direction, in one piece or in several.
pub(super) struct Crossed {
    connection: u32,
    from: Side,
    length: u64,
    pieces: u64,
    /// When something crossed before them.
    since: Instant,
    first: Instant,
    last: Instant,
}

impl Crossed {
    /// One piece.
    pub fn once(connection: u32, from: Side, length: u64, since: Instant, at: Instant) -> Crossed {
        Crossed { connection, from, length, pieces: 1, since, first: at, last: at }
    }

    /// `214 bytes, +0.1 ms`, `65536 bytes in 8 pieces, +3.1 ms`: up to the last of them.
    pub fn note(&self) -> String {
        crossed(self.length, self.pieces, self.last.saturating_duration_since(self.since))
    }
}

impl Collector {
    /// Adds an item.
    pub fn put(&mut self, item: Item) {
        self.stop_counting();
        self.items.push(item);
    }

    /// Adds a line of prose.
    pub fn say(&mut self, text: &str) {
        self.put(Item::Prose(Prose::new(text)));
    }

    /// Adds bytes of which nothing is shown.
    pub fn count(&mut self, next: Crossed) {
        match &mut self.counting {
            Some(counting)
                if (counting.connection, counting.from) == (next.connection, next.from)
                    && next.first < counting.first + COUNTING =>
            {
                counting.length += next.length;
                counting.pieces += 1;
                counting.last = next.last;
            }
            _ => {
                self.stop_counting();
                self.counting = Some(next);
            }
        }
    }

    /// When counting has taken long enough, if anything is being counted.
    pub fn counts_until(&self) -> Option<Instant> {
        self.counting.as_ref().map(|counting| counting.first + COUNTING)
    }

    /// Adds what was counted.
    pub fn stop_counting(&mut self) {
        if let Some(counting) = self.counting.take() {
            let note = Note::new(&counting.note());
            let Crossed { connection, from, length, .. } = counting;
            let mut bytes = Bytes::new();
            bytes.push_left_out(length);
            self.items.push(Item::Block(Block { connection, from, note, bytes }));
        }
    }
}
