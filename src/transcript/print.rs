//! # Printing a transcript: model to text
//!
//! Empty lines separate the parts of a transcript. In a block, an empty line would be two more bytes:
//!
//! ```text
//! GET / HTTP/1.1
//! Host: example.test
//!
//! <<< this empty line was the end of the head
//! ```
//!
//! Rule: no empty line follows a block. Otherwise an empty line precedes assertions, precedes a block
//! (except after a `wait`, which belongs to the block), and precedes prose that follows an event or
//! assertions.

use std::fmt;

use super::content;
use super::model::{Block, Event, EventKind, Item, Transcript};
use super::text::Note;
use crate::message::dialogue::Side;

/// Prints items one by one, with the empty lines between them, as `Display` of the whole transcript
/// does. It keeps only the kind of the last item.
#[derive(Clone, Copy, Debug, Default)]
pub struct Printer {
    last: Kind,
}

/// The kind of an item, as far as the empty line after it depends on it.
#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    #[default]
    Nothing,
    Prose,
    Block,
    Wait,
    Event,
    Assertions,
}

impl Printer {
    /// A printer that has printed nothing yet.
    pub fn new() -> Printer {
        Printer::default()
    }

    /// Appends the item's canonical text to `out`, after an empty line if one is needed.
    pub fn print(&mut self, item: &Item, out: &mut String) {
        if self.empty_line_before(item) {
            out.push('\n');
        }
        out.push_str(&item.to_string());
    }

    /// Whether an empty line is needed before this item. The item counts as printed from now on, so
    /// the caller must print its text (in colours, for example).
    pub fn empty_line_before(&mut self, item: &Item) -> bool {
        use Kind::{Assertions, Block, Event, Prose, Wait};
        let before = self.last;
        self.last = Kind::of(item);
        matches!(
            (before, self.last),
            (Prose | Event | Assertions, Block)
                | (Prose | Event | Wait | Assertions, Assertions)
                | (Event | Wait | Assertions, Prose)
        )
    }
}

impl Kind {
    fn of(item: &Item) -> Kind {
        match item {
            Item::Prose(_) => Kind::Prose,
            Item::Block(_) => Kind::Block,
            Item::Event(Event { kind: EventKind::Wait(_), .. }) => Kind::Wait,
            Item::Event(_) => Kind::Event,
            Item::Assertions(_) => Kind::Assertions,
        }
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::new();
        for item in &self.items {
            if printer.empty_line_before(item) {
                writeln!(f)?;
            }
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Prose(prose) if prose.as_str().is_empty() => writeln!(f, "#"),
            Item::Prose(prose) => writeln!(f, "# {}", prose.as_str()),
            Item::Block(block) => print_block(block, f),
            Item::Event(event) => print_event(event, f),
            Item::Assertions(assertions) => {
                writeln!(f, "???")?;
                assertions.iter().try_for_each(|assertion| writeln!(f, "{assertion}"))
            }
        }
    }
}

fn print_block(block: &Block, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(match block.from {
        Side::Client => ">>>",
        Side::Server => "<<<",
    })?;
    // Without a connection before it, a note that begins with @ would be parsed as a connection.
    if block.connection != 1 || block.note.as_str().starts_with('@') {
        write!(f, " @{}", block.connection)?;
    }
    print_note(&block.note, f)?;
    content::print(&block.bytes, f)
}

fn print_event(event: &Event, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("---")?;
    if event.connection != 1 {
        write!(f, " @{}", event.connection)?;
    }
    write!(f, " {}", event.kind)?;
    print_note(&event.note, f)
}

/// Prints the note, if there is one, and ends the line.
fn print_note(note: &Note, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match note.as_str() {
        "" => writeln!(f),
        note => writeln!(f, " {note}"),
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventKind::Open => f.write_str("open"),
            EventKind::HalfClose(side) => write!(f, "{side} half-close"),
            EventKind::Closed(side) => write!(f, "{side} closed"),
            EventKind::Reset(side) => write!(f, "{side} reset"),
            EventKind::Wait(millis) => write!(f, "wait {millis}"),
            EventKind::Silent(millis) => write!(f, "silent {millis}"),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Client => "client",
            Side::Server => "server",
        })
    }
}
