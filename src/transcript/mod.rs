//! # The transcript format (`.wire`)
//!
//! A transcript is the bytes of one or more TCP connections as text. A person can read it, and a
//! program can replay it. It can hold any byte, and a message in it still looks like a message.
//! This is version 1. Files of today will be read by every later version.
//!
//! ```text
//! # A space before the colon is refused
//! # RFC 9112 §5.1: two parsers may disagree about "Host " and "Host"; a server must answer 400.
//!
//! >>>
//! GET / HTTP/1.1
//! Host : example.test
//!
//! <<< 204 bytes, +0.1 ms
//! HTTP/1.1 400 Bad Request
//! Date: Sun, 06 Nov 1994 08:49:37 GMT
//! Connection: close
//! Content-Type: text/plain; charset=utf-8
//! Content-Length: 59
//!
//! a space stands between a header field's name and its colon\n
//! --- server closed
//!
//! ???
//! status 400
//! closed
//! ```
//!
//! Rule: **a content line ends in CR LF.** A line with the escape `\n` at its end stands for a line
//! that ends in LF alone. A line with a lone `\` at its end stands for bytes without a line end.
//! HTTP's own lines end in CR LF, so a head needs no escape.
//!
//! Rule: **in content, letters beyond ASCII stand raw** if a reader can see them: é, 東, 🙂, but no
//! control character, no white space, no character that only changes the direction of
//! writing, and nothing invisible. In a
//! head each of their bytes is `\xHH`, because there the bytes matter. A head goes from a start line (it
//! begins with `HTTP/`, or ends with ` HTTP/1.1`, or is the block's first and begins with `GET /`) to the
//! next empty line, or to the end of the block. All else in a block is content. Each block is judged
//! alone. The texts of `body` assertions are content too.
//!
//! A line that begins with one of five markers opens an item:
//!
//! - `#` is prose. By custom the first line is the title, and the second cites a clause.
//! - `>>>` opens a block of bytes from the client, and `<<<` one from the server. Each block is one
//!   write. All lines below the marker are content (an empty line is a CR LF), up to the next marker.
//! - `---` is an event: something that happened, or a wait.
//! - `???` opens a group of assertions: what must be true of the messages since the last `???`. They are
//!   for peers whose exact bytes are not known.
//!
//! A group is about the request if the next block below it, on its connection, is the `<<<` that answers,
//! and it has no `status`, `closed` or `open`. Requests that are answered above it are passed over. Any
//! other group is about the responses above it.
//! `method` and `target` are about a request wherever they stand; in a group about responses, it is the
//! request that the response answers. [`subjects`] says it for a program.
//!
//! Outside a block, empty lines mean nothing. A byte order mark at the start of the text means nothing.
//!
//! ```text
//! transcript = *( prose / block / event / assertions / empty )          each line ends in LF or CR LF
//! prose      = "#" [ " " text ]
//! block      = ( ">>>" / "<<<" ) [ " " connection ] [ " " note ] *content
//! connection = "@" number                                           connection 1 when absent
//! content    = *( char / letter / escape / repeat / left-out ) [ "\" ]
//!                                                                   not beginning with a marker
//! char       = %x20-5B / %x5D-7E                                    but no space at a line's end
//! letter     = a visible character beyond ASCII                     in a head: escape
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
//! assertions = "???" *assertion
//! assertion  = [ number ": " ] fact / "closed" / "open " duration   2: is the second request, or the
//!                                                                   second final response
//! fact       = "status " status *( "|" status )                     status 400|501
//!            / "method " token *( "|" token )                       method GET|HEAD
//!            / "target " ( "is" / "contains" ) [ " " value ]
//!            / [ "no " ] "field " token
//!            / "field " token ( " is" / " contains" ) [ " " value ]
//!            / "body " [ "is " / "contains " ] body
//! body       = DQUOTE *( char / letter / escape / "\" DQUOTE ) DQUOTE
//! status     = 3DIGIT / DIGIT "xx"
//! value      = *( char / escape )
//! ```
//!
//! The same bytes can be written in several ways. One of them is canonical: the one that
//! [`Transcript`]'s `Display` prints. `tests.rs` checks two laws on random models. Printing a model and
//! parsing the text gives the same model. Parsing canonical text and printing the model gives the same
//! text. They hold for every model, because the types cannot hold what text cannot carry: a note of two
//! lines, an empty piece of bytes, half a millisecond.
//!
//! [`explain`] says what the bytes mean; [`judge`] says whether assertions are true. Prose and notes are
//! any UTF-8 without control characters. `Prose::new` and `Note::new` escape those, because transcripts
//! are printed on terminals. Next: `model`, then `bytes`, and `content`, which turns bytes into lines;
//! `heads` and `letters` say which letters stand raw.

mod model;
mod bytes;
mod content;
mod heads;
mod escape;
mod letters;

mod assertions;
pub mod judge;
mod text;

mod parse;
#[doc(hidden)]
pub mod paragraphs;
mod fault;
#[doc(hidden)]
pub mod nearest;
mod print;
#[doc(hidden)]
pub mod notes;
#[rustfmt::skip] // a row is a line
pub mod glossary;
pub mod explain;

pub use crate::message::dialogue::Side;
pub use assertions::{Assertion, Fact, FieldName, Methods, Statuses};
pub use bytes::{Bytes, Piece, REPEATED_BYTES, TooLong};
pub use model::{Block, Event, EventKind, Item, MARKERS, Transcript, subjects};
pub use parse::{BYTE_ORDER_MARK, ParseError};
pub use print::Printer;
pub use text::{Millis, Note, Prose};

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
