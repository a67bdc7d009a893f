//! # Collect what the trace prints
//!
//! ```text
//! <<< @2 655360 bytes in 10 pieces, +3.1 ms
//! \{655360 bytes}\
//! ```
//! Consecutive reads or writes of which no byte is shown share one block, for a second at most. So
//! a file of 10 MiB is one line, and not 160. On a screen, so do folded exchanges and connections
//! that their clients have ended first.

use std::mem;
use std::time::{Duration, Instant};

use super::clients::KnownClients;
use super::entry::{LogLine, NumberedLine, ShownBytes, TraceEntry};
use crate::message::counted::counted;
use crate::transcript::explain::Remark;
use crate::transcript::notes::{Took, crossed};
use crate::transcript::{Block, Bytes, Item, Note, Prose, Side};

/// How long what is counted may wait for more, before it is printed.
pub(super) const COUNT_TIME: Duration = Duration::from_secs(1);

/// Exchanges or connections that are counted together.
const MAX_TOGETHER: usize = 64;

/// What is to be printed, and the bytes and exchanges that are being counted.
pub(super) struct Collector {
    /// What is ready to print.
    pub entries: Vec<TraceEntry>,
    /// Exchanges that were answered so far, except those that are not shown.
    pub exchanges: u64,
    /// The fields of each client's last request that was shown.
    pub clients: KnownClients,
    is_screen: bool,
    counting: Counting,
}

/// What is being counted. Another kind ends it.
enum Counting {
    Nothing,
    Bytes(CountedBytes),
    /// Exchanges that are folded, on a screen.
    Folded {
        since: Instant,
        lines: Vec<NumberedLine>,
    },
    /// Connections that their clients have ended first, on a screen.
    Closed {
        since: Instant,
        connections: Vec<u32>,
        meaning: Vec<Remark>,
    },
}

/// Bytes that crossed in one direction, in one or more reads or writes.
pub(super) struct CountedBytes {
    pub connection: u32,
    pub from: Side,
    pub length: u64,
    pub reads: u64,
    /// When the event before them was; `None` if events were lost since.
    pub since: Option<Instant>,
    pub first: Instant,
    pub last: Instant,
}

impl CountedBytes {
    fn took(&self) -> Option<Duration> {
        self.since.map(|since| self.last.saturating_duration_since(since))
    }

    /// `214 bytes, +0.1 ms`, `65536 bytes in 8 pieces, +3.1 ms`: the time is up to the last read.
    pub fn note(&self) -> String {
        crossed(self.length, self.reads, self.took())
    }

    /// `214 bytes, 0.1 ms later`: the same on a screen, for a connection that was opened then.
    pub fn note_on_screen(&self, opened: Option<Instant>) -> String {
        let mut note = counted(self.length, "byte", "bytes");
        if self.reads > 1 {
            note += &format!(" in {} pieces", self.reads);
        }
        if let Some(took) = self.took() {
            let is_first = self.since == opened;
            let since = if is_first { "after the connection opened" } else { "later" };
            note += &format!(", {} {since}", Took(took));
        }
        note
    }
}

impl Collector {
    /// A collector of nothing, for a screen or for a transcript.
    pub fn new(is_screen: bool) -> Collector {
        Collector {
            entries: Vec::new(),
            exchanges: 0,
            clients: KnownClients::default(),
            is_screen,
            counting: Counting::Nothing,
        }
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: TraceEntry) {
        self.stop_counting();
        self.entries.push(entry);
    }

    /// Adds a line of prose.
    pub fn push_prose(&mut self, text: &str) {
        self.push(TraceEntry::Item(Item::Prose(Prose::new(text))));
    }

    /// Adds the line about an exchange that was answered, after its number.
    pub fn push_line(&mut self, mut line: LogLine) {
        let fields = line.fields.take();
        let line = self.numbered(line);
        fields.into_iter().for_each(|fields| self.clients.remember(fields, line.number));
        match self.is_screen {
            true => self.push(TraceEntry::Exchange(line)),
            false => self.push_prose(&format!("{} {}", line.number, line.text)),
        }
    }

    /// Adds the line about an exchange of which nothing else is shown, on a screen.
    pub fn fold(&mut self, at: Instant, line: LogLine) {
        let line = self.numbered(line);
        match &mut self.counting {
            Counting::Folded { since, lines }
                if at < *since + COUNT_TIME && lines.len() < MAX_TOGETHER =>
            {
                lines.push(line);
            }
            _ => {
                self.stop_counting();
                self.counting = Counting::Folded { since: at, lines: vec![line] };
            }
        }
    }

    fn numbered(&mut self, line: LogLine) -> NumberedLine {
        self.exchanges += 1;
        let number = self.exchanges;
        NumberedLine { number, connection: line.connection, text: line.text, status: line.status }
    }

    /// Adds a connection that its client and then its server has ended, on a screen, and what that
    /// means.
    pub fn close(&mut self, at: Instant, connection: u32, ends: Vec<Remark>) {
        match &mut self.counting {
            Counting::Closed { since, connections, meaning }
                if at < *since + COUNT_TIME && connections.len() < MAX_TOGETHER =>
            {
                connections.push(connection);
                meaning.extend(ends);
            }
            _ => {
                self.stop_counting();
                let connections = vec![connection];
                self.counting = Counting::Closed { since: at, connections, meaning: ends };
            }
        }
    }

    /// Adds bytes of which none is shown.
    pub fn count(&mut self, next: CountedBytes) {
        match &mut self.counting {
            Counting::Bytes(counting)
                if (counting.connection, counting.from) == (next.connection, next.from)
                    && next.first < counting.first + COUNT_TIME =>
            {
                counting.length += next.length;
                counting.reads += next.reads;
                counting.last = next.last;
            }
            _ => {
                self.stop_counting();
                self.counting = Counting::Bytes(next);
            }
        }
    }

    /// When what is counted has to be printed, if there is anything.
    pub fn counts_until(&self) -> Option<Instant> {
        let since = match &self.counting {
            Counting::Nothing => return None,
            Counting::Bytes(counting) => counting.first,
            Counting::Folded { since, .. } | Counting::Closed { since, .. } => *since,
        };
        Some(since + COUNT_TIME)
    }

    /// Adds what is counted as one entry, if there is anything.
    pub fn stop_counting(&mut self) {
        let entry = match mem::replace(&mut self.counting, Counting::Nothing) {
            Counting::Nothing => return,
            Counting::Bytes(counting) if self.is_screen => {
                let note = counting.note_on_screen(None);
                let CountedBytes { connection, from, .. } = counting;
                let lines = Vec::new();
                TraceEntry::Bytes(ShownBytes { connection, from, note, lines, may_cut: true })
            }
            Counting::Bytes(counting) => {
                let note = Note::new(&counting.note());
                let CountedBytes { connection, from, length, .. } = counting;
                let mut bytes = Bytes::new();
                bytes.push_left_out(length);
                TraceEntry::Item(Item::Block(Block { connection, from, note, bytes }))
            }
            Counting::Folded { lines, .. } => TraceEntry::Folded(lines),
            Counting::Closed { mut connections, meaning, .. } => {
                connections.sort_unstable();
                TraceEntry::Closed { connections, meaning }
            }
        };
        self.entries.push(entry);
    }
}
