//! # The transcript
//!
//! What crossed a connection, written down so that a person can read it and a program can replay
//! it: how does one keep every byte, and yet a page that looks like the message itself?
//!
//! ```text
//! # A space before the colon is refused
//! # RFC 9112 §5.1: two parsers may disagree about "Host " and "Host"; the answer is 400, without mercy.
//!
//! >>>
//! GET / HTTP/1.1
//! Host : example.test
//!
//! <<< 197 bytes, +0.1 ms
//! HTTP/1.1 400 Bad Request
//! Date: Sun, 06 Nov 1994 08:49:37 GMT
//! Connection: close
//! Content-Type: text/plain; charset=utf-8
//! Content-Length: 52
//!
//! a space stands between a field's name and its colon\n
//! --- server closed
//!
//! ???
//! status 400
//! closed
//! ```
//!
//! Rule: **a content line ends in CR LF.** If it ends in the escape `\n` it ends in LF alone; if it
//! ends in a lone `\`, in nothing. HTTP's own lines end in CR LF, so a head needs no escape at all.
//!
//! The first character tells what a line is. `#` is prose: by custom the first line is the title
//! and the second cites a clause. `>>>` opens a block of bytes from the client, `<<<` from the
//! server, each one write; all lines below it are content, the empty ones too (a CR LF each), up to
//! the next line that begins with one of the five markers. `---` is something that happened, or a
//! wait. `???` opens assertions: what must be true of the responses since the last `???`, where exact
//! bytes would ask too much of a stranger's server. Outside a block, empty lines mean nothing.
//!
//! ```text
//! transcript = *( prose / block / event / assertions / empty )          each line ends in LF or CR LF
//! prose      = "#" [ " " text ]
//! block      = ( ">>>" / "<<<" ) [ " " connection ] [ " " note ] *content
//! connection = "@" number                                           connection 1 when absent
//! content    = *( char / escape / repeat / left-out ) [ "\" ]       not beginning with a marker
//! char       = %x20-5B / %x5D-7E                                    but no space at a line's end
//! escape     = "\r" / "\n" / "\t" / "\0" / "\\" / "\x" 2HEXDIG
//! repeat     = "\{" number " " quoted "}"                           \{101 "X: y\r\n"}
//! left-out   = "\{" number " bytes}"                                only their count is known
//! quoted     = DQUOTE *( char / escape / "\" DQUOTE ) DQUOTE        a raw DQUOTE ends it
//! event      = "---" [ " " connection ] " " kind [ " " note ]
//! kind       = "open" / side " " ( "half-close" / "closed" / "reset" )
//!            / "wait " duration                                     the side of the next block waits
//!            / "silent " duration
//! side       = "client" / "server"
//! duration   = number ( "ms" / "s" )
//! assertions     = "???" *assertion
//! assertion      = [ number ": " ] fact / "closed" / "open " duration   2: is the second final response
//! fact       = "status " status *( "|" status )                     status 400|501
//!            / [ "no " ] "field " token
//!            / "field " token ( " is" / " contains" ) [ " " value ]
//!            / "body " [ "contains " ] quoted
//! status     = 3DIGIT / DIGIT "xx"
//! value      = *( char / escape )
//! ```
//!
//! The same bytes can be written in several ways, and one of them is canonical: it is what
//! [`Transcript`]'s `Display` prints. Two laws hold, and `tests.rs` tries them on random models: to
//! print and parse is to get the same model; to parse and print canonical text is to get the same
//! text. They hold for every model there is, for a type that text could not carry (a note of two
//! lines, an empty run of bytes, half a millisecond) cannot be built.
//!
//! What the bytes mean, [`explain`] says; whether assertions are true, [`judge`]. Prose and notes may be
//! any UTF-8, but no control character enters them: it is escaped at the door, for all this goes to
//! terminals. Next: `bytes`, then `content`, where they become lines.

mod bytes;
mod content;
mod escape;

mod assertions;
pub mod judge;
mod text;

mod parse;
mod print;
#[rustfmt::skip] // a row is a line
pub mod glossary;
pub mod explain;

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

pub use assertions::{Assertion, Fact, FieldName, Statuses};
pub use bytes::{Bytes, Piece, REPEATED_BYTES, TooLong};
pub use parse::ParseError;
pub use print::Printer;
pub use text::{Millis, Note, Prose};

/// What crossed one TCP connection, or several, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// All of it, from the top of the page.
    pub items: Vec<Item>,
}

impl Transcript {
    /// The first line, if it is prose, as custom has it.
    pub fn title(&self) -> Option<&str> {
        match self.items.first() {
            Some(Item::Prose(title)) => Some(title.as_str()),
            _ => None,
        }
    }
}

/// One thing on the page. Its `Display` is its canonical text: first the line with the marker, then
/// (for a block or assertions) the lines that belong to it, each with its line end.
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

/// The bytes of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// `@2`. A name rather than an index: where there is only one connection it is 1.
    pub connection: u32,
    /// Who wrote: `>>>` is the client, `<<<` the server.
    pub from: Side,
    /// What else stands on the marker's line: `197 bytes, +0.1 ms`.
    pub note: Note,
    /// What was written.
    pub bytes: Bytes,
}

/// Something that happened between the bytes, or a pause that a player keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `@2`, as in a [`Block`].
    pub connection: u32,
    /// What happened, and by whom.
    pub kind: EventKind,
    /// What else stands on the line.
    pub note: Note,
}

/// What an [`Event`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// `open`: the client connected.
    Open,
    /// `client half-close`: this side will write no more, and still reads.
    HalfClose(Side),
    /// `server closed`: this side ended the connection in order.
    Closed(Side),
    /// `server reset`: this side tore it down; bytes on their way may be lost.
    Reset(Side),
    /// `wait 200ms`: the side of the next block waits before it writes.
    Wait(Millis),
    /// `silent 2s`: for so long nothing came from anyone.
    Silent(Millis),
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who asks.
    Client,
    /// Who answers.
    Server,
}

/// What no content line begins with, for a line that does is something else. A transcript begins with
/// one of them.
pub const MARKERS: [&str; 5] = ["#", ">>>", "<<<", "---", "???"];
