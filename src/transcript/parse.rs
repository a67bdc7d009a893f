//! # Parsing a transcript: text to model
//!
//! Any line of the text may be a mistake, so an error shows the line, where in it, and what was expected.
//!
//! ```text
//! line 3: expected what the server did: half-close, closed or reset; did you mean `closed`?
//!     --- server close
//!                ^
//! ```
//!
//! Rule: text is read line by line. The last item says what a line without a marker is: content, an
//! assertion, or an error. Each function below reads one line or a part of one, and its `Err` is a
//! [`LineFault`] of that line. Only [`Parser`] knows the line's number. A byte order mark at the start of the
//! text is passed over.

use std::fmt;

use super::assertions::Assertion;
use super::bytes::Bytes;
use super::content::ParsedBlock;
use super::fault::LineFault;
use super::model::{Block, Event, EventKind, Item, MARKERS, Transcript};
use super::text::{Millis, Note, Prose, first_word};
use crate::message::caret::picture;
use crate::message::dialogue::Side;
use crate::message::fields::parse_digits;

/// Why a text is not a transcript: the first line that is wrong, and what was expected there.
///
/// `Display` prints a sentence, then the line with a caret below it. It has visible ASCII only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line's number, from 1.
    pub line: usize,
    /// The character in that line, from 1. It is one after the last if the line is too short.
    pub column: usize,
    /// What was expected there.
    pub expected: String,
    /// The word that was probably meant, if one that is allowed there is similar.
    pub nearest: Option<&'static str>,
    /// The line, without its line end.
    pub text: String,
}

impl ParseError {
    fn new((number, line): (usize, &str), fault: LineFault<'_>) -> ParseError {
        let before = line.get(..fault.offset(line)).unwrap_or(line);
        ParseError {
            line: number,
            column: before.chars().count() + 1,
            expected: fault.expected,
            nearest: fault.nearest,
            text: line.to_owned(),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: expected {}", self.line, self.expected)?;
        if let Some(nearest) = self.nearest {
            write!(f, "; did you mean `{nearest}`?")?;
        }
        let before = self.text.chars().take(self.column.saturating_sub(1));
        let offset = before.map(char::len_utf8).sum();
        match picture(self.text.as_bytes(), offset) {
            Some(picture) => write!(f, "\n{}", picture.trim_end()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ParseError {}

impl Transcript {
    /// Parses the text of a transcript. `Display` is the other direction.
    ///
    /// # Errors
    ///
    /// Returns the first line that the grammar does not allow.
    pub fn parse(text: &str) -> Result<Transcript, ParseError> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut parser = Parser::default();
        for line in (1..).zip(text.lines()) {
            if let Err(error) = parser.line(line) {
                // A letter in a head is found only at the end of its block, and is in an earlier line.
                parser.end_block()?;
                return Err(error);
            }
        }
        parser.end_block()?;
        Ok(Transcript { items: parser.items })
    }
}

/// Some editors write it at the start of each text. It is no part of the text.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text that is being parsed.
#[derive(Default)]
struct Parser<'a> {
    items: Vec<Item>,
    /// The last item, if it is a block.
    block: ParsedBlock<'a>,
}

impl<'a> Parser<'a> {
    /// Ends the block above, if there is one: its heads are complete now.
    fn end_block(&mut self) -> Result<(), ParseError> {
        let block = std::mem::take(&mut self.block);
        match self.items.last() {
            Some(Item::Block(Block { bytes, .. })) => {
                block.end(bytes).map_err(|(line, fault)| ParseError::new(line, fault))
            }
            _ => Ok(()),
        }
    }

    fn line(&mut self, (number, line): (usize, &'a str)) -> Result<(), ParseError> {
        let error = |fault| ParseError::new((number, line), fault);
        if let Some(marker) = MARKERS.into_iter().find(|marker| line.starts_with(marker)) {
            self.end_block()?;
            self.items.push(parse_marked(marker, line).map_err(error)?);
            return Ok(());
        }
        match self.items.last_mut() {
            Some(Item::Block(Block { bytes, .. })) => {
                self.block.parse_line((number, line), bytes).map_err(error)?;
            }
            _ if line.trim().is_empty() => {}
            Some(Item::Assertions(assertions)) => {
                let assertion = Assertion::parse(line);
                let fault = |fault| error(misspelt_marker(line).unwrap_or(fault));
                assertions.push(assertion.map_err(fault)?);
            }
            _ => {
                let other = || LineFault::new(line.trim_start(), OUTSIDE);
                return Err(error(misspelt_marker(line).unwrap_or_else(other)));
            }
        }
        Ok(())
    }
}

/// What is expected outside of blocks.
const OUTSIDE: &str = "#, >>>, <<<, --- or ???: content must be below >>> or <<<";

/// The mistake of a line that begins almost as a marker does, such as `>>` or `> GET / HTTP/1.1`.
fn misspelt_marker(line: &str) -> Option<LineFault<'_>> {
    let text = line.trim_start();
    let marker = MARKERS.into_iter().find(|marker| text.starts_with(&marker[..1]))?;
    Some(LineFault { nearest: Some(marker), ..LineFault::new(text, OUTSIDE) })
}

fn parse_marked<'a>(marker: &str, line: &'a str) -> Result<Item, LineFault<'a>> {
    let rest = &line[marker.len()..];
    if marker == "#" {
        return Ok(Item::Prose(Prose::new(rest.strip_prefix(' ').unwrap_or(rest))));
    }
    // A multipart boundary also begins with dashes. Without this error its bytes would be lost.
    if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
        let first = marker.as_bytes()[0];
        let expected =
            format!(r"a space after {marker}, or \x{first:02x} for the first byte of content");
        return Err(LineFault::new(rest, expected));
    }
    match marker {
        ">>>" => parse_block(Side::Client, rest),
        "<<<" => parse_block(Side::Server, rest),
        "---" => parse_event(rest),
        _ if rest.trim().is_empty() => Ok(Item::Assertions(Vec::new())),
        _ => {
            let expected = "nothing after ???: assertions are on the lines below it";
            Err(LineFault::new(rest.trim_start(), expected))
        }
    }
}

fn parse_block(from: Side, text: &str) -> Result<Item, LineFault<'_>> {
    let (connection, note) = parse_connection(text)?;
    Ok(Item::Block(Block { connection, from, note: Note::new(note), bytes: Bytes::new() }))
}

fn parse_event(text: &str) -> Result<Item, LineFault<'_>> {
    let (connection, text) = parse_connection(text)?;
    let (kind, note) = match first_word(text) {
        ("open", note) => (EventKind::Open, note),
        ("client", rest) => parse_side_event(Side::Client, rest)?,
        ("server", rest) => parse_side_event(Side::Server, rest)?,
        ("wait", rest) => {
            let (duration, note) = first_word(rest);
            (EventKind::Wait(Millis::parse(duration)?), note)
        }
        ("silent", rest) => {
            let (duration, note) = first_word(rest);
            (EventKind::Silent(Millis::parse(duration)?), note)
        }
        (word, _) => {
            let kinds = ["open", "client", "server", "wait", "silent"];
            return Err(LineFault::word(word, AN_EVENT, &kinds));
        }
    };
    Ok(Item::Event(Event { connection, kind, note: Note::new(note) }))
}

const AN_EVENT: &str = "an event: open, client half-close, client closed, client reset (or server), \
                        wait 200ms or silent 2s";

fn parse_side_event(side: Side, text: &str) -> Result<(EventKind, &str), LineFault<'_>> {
    match first_word(text) {
        ("half-close", note) => Ok((EventKind::HalfClose(side), note)),
        ("closed", note) => Ok((EventKind::Closed(side), note)),
        ("reset", note) => Ok((EventKind::Reset(side), note)),
        (word, _) => {
            let expected = format!("what the {side} did: half-close, closed or reset");
            Err(LineFault::word(word, expected, &["half-close", "closed", "reset"]))
        }
    }
}

/// Reads `@2` if the text begins with it. Returns the number (1 without it) and the rest.
fn parse_connection(text: &str) -> Result<(u32, &str), LineFault<'_>> {
    let (word, rest) = first_word(text);
    match word.strip_prefix('@') {
        None => Ok((1, text)),
        Some(digits) => match parse_digits(digits.as_bytes()) {
            Some(connection) => Ok((connection, rest)),
            None => Err(LineFault::new(digits, "the number of a connection after @")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_line_its_column_and_what_was_expected() {
        const CONNECTION: &str = "the number of a connection after @";
        const EVENT: &str = AN_EVENT;
        for (text, (line, column), expected) in [
            ("GET / HTTP/1.1", (1, 1), OUTSIDE),
            (">>>\na\n--- open\n\n b", (5, 2), OUTSIDE),
            (
                ">>>\n----boundary",
                (2, 4),
                r"a space after ---, or \x2d for the first byte of content",
            ),
            (">>>\n\n>>>>", (3, 4), r"a space after >>>, or \x3e for the first byte of content"),
            (">>> @", (1, 6), CONNECTION),
            ("<<< @two", (1, 6), CONNECTION),
            ("--- @+2 open", (1, 6), CONNECTION),
            ("<<< @4294967296", (1, 6), CONNECTION),
            ("---", (1, 4), EVENT),
            ("--- at once", (1, 5), EVENT),
            ("--- client", (1, 11), "what the client did: half-close, closed or reset"),
            ("--- server  left ", (1, 13), "what the server did: half-close, closed or reset"),
            ("--- wait", (1, 9), "a duration: 200ms or 2s"),
            ("--- silent 2 ", (1, 12), "a duration: 200ms or 2s"),
            ("??? status 400", (1, 5), "nothing after ???: assertions are on the lines below it"),
            ("???\n\nstatus 4", (3, 8), "a status: 400, 4xx or 400|501"),
            ("???\n2: status 4", (2, 11), "a status: 400, 4xx or 400|501"),
            ("<<<\na b ", (2, 4), r"\x20 for the last space of a line, so that it can be seen"),
            ("<<<\né東\\q", (2, 3), r"an escape: \r \n \t \0 \\ or \xHH"),
            ("<<<\né\\{2 \"é\"}", (2, 7), {
                r"\xc3\xa9 for 'é': letters beyond ASCII are raw only in content"
            }),
            ("???\nbody \"é\\\"", (2, 10), "a closing quote"),
        ] {
            let error = Transcript::parse(text).expect_err(text);
            let whole = text.lines().nth(line - 1).unwrap_or_default();
            assert_eq!((error.line, error.column), (line, column), "{text}");
            assert_eq!((&error.expected[..], &error.text[..]), (expected, whole), "{text}");
            assert_eq!(error.nearest, None, "{text}");
            let marked = format!("\u{feff}{text}");
            assert_eq!(Transcript::parse(&marked), Err(error), "{text}");
        }
    }

    #[test]
    fn an_error_at_a_misspelt_word_names_the_nearest_one() {
        for (text, nearest) in [
            ("--- server close", "closed"),
            ("--- client halfclose", "half-close"),
            ("--- clinet closed", "client"),
            ("--- wiat 1s", "wait"),
            (">> @2\n", ">>>"),
            ("> GET / HTTP/1.1", ">>>"),
            ("<< 204 bytes", "<<<"),
            ("-- server closed", "---"),
            (" ??", "???"),
            ("???\nstatus 200\n<<", "<<<"),
            ("???\n-- silent 1s", "---"),
        ] {
            let error = Transcript::parse(text).expect_err(text);
            assert_eq!(error.nearest, Some(nearest), "{text}");
        }
    }

    #[test]
    fn an_error_shows_the_line_and_a_caret() {
        let shown = |text: &str| Transcript::parse(text).expect_err(text).to_string();
        assert_eq!(
            shown("# title\n\n--- server close"),
            "line 3: expected what the server did: half-close, closed or reset; did you mean \
             `closed`?\n    --- server close\n               ^"
        );
        assert_eq!(
            shown("<<<\nHTTP/1.1 200 OK\nX: é\n\né"),
            "line 3: expected \\xc3\\xa9 for 'é': heads stay escaped, because there the bytes \
             matter\n    X: \\xc3\\xa9\n       ^"
        );
        assert_eq!(
            shown("--- wait a\tbit"),
            "line 1: expected a duration: 200ms or 2s\n    --- wait a\\tbit\n             ^"
        );
        let long = format!("<<<\n{}\\q{0}", "é".repeat(100));
        let error = shown(&long);
        assert!(error.lines().all(|line| line.len() <= 80), "{error}");
    }

    #[test]
    fn an_error_is_in_the_first_line_that_is_wrong() {
        for (text, line) in [
            (">>>\nGET /é HTTP/1.1\n\n\\q", 2),
            (">>>\nGET /é HTTP/1.1\n>>> @", 2),
            (">>>\né\n\n\\q", 4),
            (">>>\nget /é\n>>>\n HTTP/1.1\n???\nno", 6),
        ] {
            assert_eq!(Transcript::parse(text).map_err(|error| error.line), Err(line), "{text}");
        }
    }
}
