//! # Parsing a transcript: text to model
//!
//! Any line of the text may be a mistake, so an error has the line's number and what was expected there.
//!
//! ```text
//! line 12: expected \x20 for the last space of a line, so that it can be seen
//! ```
//!
//! Rule: text is read line by line. The last item says what a line without a marker is: content, an
//! assertion, or an error. Each function below reads one line or a part of one, and its `Err` is what
//! was expected. Only the loop in [`Transcript::parse`] knows the line's number.

use std::fmt;

use super::assertions::Assertion;
use super::bytes::Bytes;
use super::content;
use super::model::{Block, Event, EventKind, Item, MARKERS, Transcript};
use super::text::{Millis, Note, Prose, first_word};
use crate::message::dialogue::Side;
use crate::message::fields::parse_digits;

/// Why a text is not a transcript: the first line that is wrong, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line's number, from 1.
    pub line: usize,
    /// What was expected there.
    pub expected: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: expected {}", self.line, self.expected)
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
        let mut items = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            parse_line(line, &mut items)
                .map_err(|expected| ParseError { line: number, expected })?;
        }
        Ok(Transcript { items })
    }
}

fn parse_line(line: &str, items: &mut Vec<Item>) -> Result<(), String> {
    if let Some(marker) = MARKERS.into_iter().find(|marker| line.starts_with(marker)) {
        items.push(parse_marked(marker, &line[marker.len()..])?);
        return Ok(());
    }
    match items.last_mut() {
        Some(Item::Block(block)) => content::parse_line(line, &mut block.bytes)?,
        _ if line.trim().is_empty() => {}
        Some(Item::Assertions(assertions)) => assertions.push(Assertion::parse(line)?),
        _ => {
            return Err("#, >>>, <<<, --- or ???: content must be below >>> or <<<".to_owned());
        }
    }
    Ok(())
}

fn parse_marked(marker: &str, rest: &str) -> Result<Item, String> {
    if marker == "#" {
        return Ok(Item::Prose(Prose::new(rest.strip_prefix(' ').unwrap_or(rest))));
    }
    // A multipart boundary also begins with dashes. Without this error its bytes would be lost.
    if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
        let first = marker.as_bytes()[0];
        return Err(format!(
            r"a space after {marker}, or \x{first:02x} for the first byte of content"
        ));
    }
    match marker {
        ">>>" => parse_block(Side::Client, rest),
        "<<<" => parse_block(Side::Server, rest),
        "---" => parse_event(rest),
        _ if rest.trim().is_empty() => Ok(Item::Assertions(Vec::new())),
        _ => Err("nothing after ???: assertions are on the lines below it".to_owned()),
    }
}

fn parse_block(from: Side, text: &str) -> Result<Item, String> {
    let (connection, note) = parse_connection(text)?;
    Ok(Item::Block(Block { connection, from, note: Note::new(note), bytes: Bytes::new() }))
}

fn parse_event(text: &str) -> Result<Item, String> {
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
        _ => return Err("an event: open, client, server, wait or silent".to_owned()),
    };
    Ok(Item::Event(Event { connection, kind, note: Note::new(note) }))
}

fn parse_side_event(side: Side, text: &str) -> Result<(EventKind, &str), String> {
    match first_word(text) {
        ("half-close", note) => Ok((EventKind::HalfClose(side), note)),
        ("closed", note) => Ok((EventKind::Closed(side), note)),
        ("reset", note) => Ok((EventKind::Reset(side), note)),
        _ => Err(format!("what the {side} did: half-close, closed or reset")),
    }
}

/// Reads `@2` if the text begins with it. Returns the number (1 without it) and the rest.
fn parse_connection(text: &str) -> Result<(u32, &str), String> {
    let (word, rest) = first_word(text);
    match word.strip_prefix('@') {
        None => Ok((1, text)),
        Some(digits) => match parse_digits(digits.as_bytes()) {
            Some(connection) => Ok((connection, rest)),
            None => Err("the number of a connection after @".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_line_number_and_what_was_expected() {
        const OUTSIDE: &str = "#, >>>, <<<, --- or ???: content must be below >>> or <<<";
        const CONNECTION: &str = "the number of a connection after @";
        const EVENT: &str = "an event: open, client, server, wait or silent";
        for (text, (line, expected)) in [
            ("GET / HTTP/1.1", (1, OUTSIDE)),
            (">>>\na\n--- open\n\nb", (5, OUTSIDE)),
            (">>>\n# prose ends a block\n\n-", (4, OUTSIDE)),
            (">>>\n----boundary", (2, r"a space after ---, or \x2d for the first byte of content")),
            (">>>\n\n>>>>", (3, r"a space after >>>, or \x3e for the first byte of content")),
            (">>> @", (1, CONNECTION)),
            ("<<< @two", (1, CONNECTION)),
            ("--- @+2 open", (1, CONNECTION)),
            ("<<< @4294967296", (1, CONNECTION)),
            ("---", (1, EVENT)),
            ("--- opened", (1, EVENT)),
            ("--- client", (1, "what the client did: half-close, closed or reset")),
            ("--- server close", (1, "what the server did: half-close, closed or reset")),
            ("--- wait", (1, "a duration: 200ms or 2s")),
            ("--- silent 2", (1, "a duration: 200ms or 2s")),
            ("??? status 400", (1, "nothing after ???: assertions are on the lines below it")),
            ("???\n\nstatus 4", (3, "a status: 400, 4xx or 400|501")),
            (">>>\n\n ", (3, r"\x20 for the last space of a line, so that it can be seen")),
        ] {
            let error = ParseError { line, expected: expected.to_owned() };
            assert_eq!(Transcript::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_error_reads_as_a_sentence() {
        let error =
            Transcript::parse("# title\n--- wait a bit").err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("line 2: expected a duration: 200ms or 2s"));
    }
}
