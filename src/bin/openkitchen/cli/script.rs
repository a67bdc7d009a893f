//! # A transcript as a script: what `send`, `check` and `mock` read before they play one side of it
//!
//! A recording may have left bytes out, and bytes that are not in the file cannot be sent:
//!
//! ```text
//! openkitchen: get.wire: line 12: 8412 bytes of this block were left out, so the block cannot be sent
//! ```
//! Rule: the side that is played must be complete; of the other side the number of bytes is enough.

use std::fs;

use openkitchen::Transcript;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Piece, REPEATED_BYTES, Side};

use crate::cli::CliError;

/// Reads a transcript from a file, to play this side of it.
///
/// # Errors
/// The file, the line, and what was expected there.
pub fn read(file: &str, played: Side) -> Result<Transcript, CliError> {
    let transcript = text(file)
        .and_then(|text| parse(&text, played).map_err(|error| format!("{file}: {error}")));
    transcript.map_err(CliError::Unusable)
}

/// Reads a file as UTF-8.
///
/// # Errors
/// Why it cannot be read, or the first line that is not UTF-8.
pub fn text(file: &str) -> Result<String, String> {
    let bytes =
        fs::read(file).map_err(|error| format!("cannot read {file}: {}", FileError(&error)))?;
    String::from_utf8(bytes).map_err(|error| {
        let text = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = text.split(|&byte| byte == b'\n').count();
        format!("{file}: line {line}: expected UTF-8, with other bytes as \\xHH")
    })
}

/// Parses a transcript, to play this side of it.
///
/// # Errors
/// The line, and what was expected there.
pub fn parse(text: &str, played: Side) -> Result<Transcript, String> {
    let transcript = Transcript::parse(text).map_err(|error| error.to_string())?;
    let marker = if played == Side::Client { ">>>" } else { "<<<" };
    // No line of content begins with a marker, so each marker opens a block.
    let lines = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with(marker));
    let blocks = transcript.items.iter().filter_map(|item| match item {
        Item::Block(block) if block.from == played => Some(block),
        _ => None,
    });
    for ((line, _), block) in lines.zip(blocks) {
        let left_out: u64 = left_out(&block.bytes).iter().map(|(_, count)| count).sum();
        if left_out > 0 {
            return Err(format!(
                "line {line}: {left_out} bytes of this block were left out, so the block cannot be sent"
            ));
        }
    }
    Ok(transcript)
}

/// Displays why a file cannot be read, without the system's error number where that is known.
pub struct FileError<'a>(pub &'a std::io::Error);

impl std::fmt::Display for FileError<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.kind() {
            std::io::ErrorKind::NotFound => f.write_str("there is no such file"),
            std::io::ErrorKind::PermissionDenied => f.write_str("this user may not read it"),
            std::io::ErrorKind::IsADirectory => f.write_str("it is a folder"),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// Returns the number of the connection of a block or an event.
pub fn connection_of(item: &Item) -> Option<u32> {
    match item {
        Item::Block(Block { connection, .. }) | Item::Event(Event { connection, .. }) => {
            Some(*connection)
        }
        Item::Prose(_) | Item::Assertions(_) => None,
    }
}

/// Returns the side that acts next on that connection, so that waits after a `wait`: the side of the
/// next block, or, if no block follows, of the next event.
pub fn next_side(items: &[Item], connection: u32) -> Option<Side> {
    let later = || items.iter().filter(|item| connection_of(item) == Some(connection));
    let block = later().find_map(|item| match item {
        Item::Block(block) => Some(block.from),
        _ => None,
    });
    block.or_else(|| {
        later().find_map(|item| match item {
            Item::Event(Event {
                kind: EventKind::HalfClose(side) | EventKind::Closed(side) | EventKind::Reset(side),
                ..
            }) => Some(*side),
            _ => None,
        })
    })
}

/// Returns all bytes of a block, with `?` for each byte that was left out. Framing can still be
/// followed, because the left-out bytes are usually content.
pub fn filled(bytes: &Bytes) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in bytes.pieces() {
        match piece {
            Piece::Raw(raw) => all.extend_from_slice(raw),
            Piece::Repeat { times, bytes } => (0..*times).for_each(|_| all.extend(bytes)),
            Piece::LeftOut { count } => {
                let count = (*count).min(REPEATED_BYTES) as usize;
                all.resize(all.len() + count, b'?');
            }
        }
    }
    all
}

/// Returns where [`filled`] has left-out bytes: offset and count of each span.
pub fn left_out(bytes: &Bytes) -> Vec<(usize, u64)> {
    let (mut at, mut spans) = (0, Vec::new());
    for piece in bytes.pieces() {
        at += match piece {
            Piece::Raw(raw) => raw.len(),
            Piece::Repeat { times, bytes } => *times as usize * bytes.len(),
            Piece::LeftOut { count } => {
                let count = (*count).min(REPEATED_BYTES);
                spans.push((at, count));
                count as usize
            }
        };
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_that_is_played_must_be_complete() {
        let text = "# t\n\n>>>\nGET / HTTP/1.1\n\n<<<\nHTTP/1.1 200 OK\n\n\\{8412 bytes}\\\n";
        assert!(parse(text, Side::Client).is_ok());
        let error = parse(text, Side::Server).unwrap_err();
        assert!(error.starts_with("line 6: 8412 bytes of this block were left out"), "{error}");
        let malformed = parse("# t\nGET / HTTP/1.1\n", Side::Client).unwrap_err();
        assert!(malformed.starts_with("line 2: expected "), "{malformed}");
    }

    #[test]
    fn left_out_bytes_are_filled_and_their_spans_are_known() {
        let mut bytes = Bytes::raw("ab");
        bytes.push_repeat(2, b"cd").unwrap();
        bytes.push_left_out(3);
        bytes.push_raw(b"e");
        assert_eq!(filled(&bytes), b"abcdcd???e");
        assert_eq!(left_out(&bytes), [(6, 3)]);
    }

    #[test]
    fn the_side_of_the_next_block_acts_next() {
        let next = |text: &str| next_side(&Transcript::parse(text).unwrap().items, 1);
        assert_eq!(next(">>> @2\na\n<<<\nb\n>>>\nc\n"), Some(Side::Server));
        assert_eq!(next("--- client half-close\n"), Some(Side::Client));
        assert_eq!(next("--- client half-close\n<<<\nb\n"), Some(Side::Server));
        assert_eq!(next("# nothing\n"), None);
    }
}
