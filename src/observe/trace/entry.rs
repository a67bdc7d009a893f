//! What the trace prints: items of a transcript, or what a screen shows instead.

use super::clients::ClientFields;
use crate::transcript::explain::Remark;
use crate::transcript::{Item, Side};

/// What is printed next.
pub(super) enum TraceEntry {
    /// An item of a transcript. On a screen: prose or an event.
    Item(Item),
    /// Bytes on a screen.
    Bytes(ShownBytes),
    /// An exchange that was answered, on a screen.
    Exchange(NumberedLine),
    /// Exchanges of which nothing else is shown on the screen.
    Folded(Vec<NumberedLine>),
    /// Connections that their clients and then their servers have ended, on a screen, and what
    /// that means.
    Closed { connections: Vec<u32>, meaning: Vec<Remark> },
    /// What the event before means, on a screen.
    Meaning(Remark),
}

/// The bytes of one read or write, as a screen shows them.
pub(super) struct ShownBytes {
    pub connection: u32,
    pub from: Side,
    /// How many they are, and when they came. It is shown if they begin no message.
    pub note: String,
    /// Their lines. None if they are only counted.
    pub lines: Vec<EntryLine>,
    /// Whether long fields are cut.
    pub may_cut: bool,
}

/// A line of bytes.
pub(super) struct EntryLine {
    pub kind: LineKind,
    /// Without its line end.
    pub text: String,
    /// How it ends, if not in CR LF: `\n` or `\`.
    pub ending: &'static str,
    /// What it means.
    pub meaning: Vec<Remark>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    /// A request line.
    Request,
    /// A status line: of an error if the status is 400 or more.
    Status { is_error: bool },
    /// A field.
    Field,
    /// Fields that are folded.
    Folded,
    /// The end of a head, and everything that is no part of a head.
    Content,
    /// Bytes that are left out.
    LeftOut,
}

/// The line about an exchange, before it has its number.
pub(super) struct LogLine {
    pub connection: u32,
    /// `GET /about 200 · 0.2 ms`
    pub text: String,
    /// The status, if it is known.
    pub status: Option<u16>,
    /// The fields of the request.
    pub fields: Option<ClientFields>,
}

/// The line about an exchange.
pub(super) struct NumberedLine {
    pub number: u64,
    pub connection: u32,
    pub text: String,
    pub status: Option<u16>,
}
