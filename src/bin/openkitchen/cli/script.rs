//! # A transcript as a script
//!
//! A recording may have left bytes out. Who is to say them, then?
//!
//! ```text
//! openkitchen: get.wire: line 12: 8412 bytes of this block were left out, so nobody can send them
//! ```
//! Rule: the side that is played must be there in full; of the other side a count is enough.

use std::fs;

use openkitchen::Transcript;
use openkitchen::transcript::{Block, Bytes, Event, EventKind, Item, Piece, REPEATED_BYTES, Side};

use crate::cli::CliError;

/// Reads a file of which this side will be played.
///
/// # Errors
/// The file, the line, and what was expected there.
pub fn read(file: &str, played: Side) -> Result<Transcript, CliError> {
    let transcript = text(file)
        .and_then(|text| parse(&text, played).map_err(|fault| format!("{file}: {fault}")));
    transcript.map_err(CliError::Unusable)
}

/// The text of a file.
///
/// # Errors
/// Why it cannot be read, or the line in which it is no text.
pub fn text(file: &str) -> Result<String, String> {
    let bytes = fs::read(file).map_err(|error| format!("cannot read {file}: {}", Why(&error)))?;
    String::from_utf8(bytes).map_err(|error| {
        let text = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = text.split(|&byte| byte == b'\n').count();
        format!("{file}: line {line}: expected UTF-8, with other bytes as \\xHH")
    })
}

/// Reads a text of which this side will be played.
///
/// # Errors
/// The line, and what was expected there.
pub fn parse(text: &str, played: Side) -> Result<Transcript, String> {
    let transcript = Transcript::parse(text).map_err(|error| error.to_string())?;
    let marker = if played == Side::Client { ">>>" } else { "<<<" };
    // No line of content begins with a marker, so the blocks are where the markers are.
    let lines = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with(marker));
    let blocks = transcript.items.iter().filter_map(|item| match item {
        Item::Block(block) if block.from == played => Some(block),
        _ => None,
    });
    for ((line, _), block) in lines.zip(blocks) {
        let left_out: u64 = left_out(&block.bytes).iter().map(|(_, count)| count).sum();
        if left_out > 0 {
            return Err(format!(
                "line {line}: {left_out} bytes of this block were left out, so nobody can send them"
            ));
        }
    }
    Ok(transcript)
}

/// What went wrong with a file, in the system's words without its numbers.
pub struct Why<'a>(pub &'a std::io::Error);

impl std::fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.kind() {
            std::io::ErrorKind::NotFound => f.write_str("there is no such file"),
            std::io::ErrorKind::PermissionDenied => f.write_str("this user may not"),
            std::io::ErrorKind::IsADirectory => f.write_str("it is a folder"),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// The connection that an item speaks of.
pub fn connection(item: &Item) -> Option<u32> {
    match item {
        Item::Block(Block { connection, .. }) | Item::Event(Event { connection, .. }) => {
            Some(*connection)
        }
        Item::Prose(_) | Item::Assertions(_) => None,
    }
}

/// Whose turn it is after a `wait`: the side of the next block, and where none follows, of what
/// happens next.
pub fn next_side(items: &[Item], of: u32) -> Option<Side> {
    let later = || items.iter().filter(|item| connection(item) == Some(of));
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

/// All bytes, with something in the place of those that were left out: it can be followed, for what
/// is left out is content as a rule.
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

/// Where bytes are left out of [`filled`]: offset and count.
pub fn left_out(bytes: &Bytes) -> Vec<(usize, u64)> {
    let (mut at, mut places) = (0, Vec::new());
    for piece in bytes.pieces() {
        at += match piece {
            Piece::Raw(raw) => raw.len(),
            Piece::Repeat { times, bytes } => *times as usize * bytes.len(),
            Piece::LeftOut { count } => {
                let count = (*count).min(REPEATED_BYTES);
                places.push((at, count));
                count as usize
            }
        };
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_side_that_is_played_must_be_there_in_full() {
        let text = "# t\n\n>>>\nGET / HTTP/1.1\n\n<<<\nHTTP/1.1 200 OK\n\n\\{8412 bytes}\\\n";
        assert!(parse(text, Side::Client).is_ok());
        let fault = parse(text, Side::Server).unwrap_err();
        assert!(fault.starts_with("line 6: 8412 bytes of this block were left out"), "{fault}");
        let malformed = parse("# t\nGET / HTTP/1.1\n", Side::Client).unwrap_err();
        assert!(malformed.starts_with("line 2: expected "), "{malformed}");
    }

    #[test]
    fn what_was_left_out_has_its_place() {
        let mut bytes = Bytes::raw("ab");
        bytes.push_repeat(2, b"cd").unwrap();
        bytes.push_left_out(3);
        bytes.push_raw(b"e");
        assert_eq!(filled(&bytes), b"abcdcd???e");
        assert_eq!(left_out(&bytes), [(6, 3)]);
    }

    #[test]
    fn the_side_of_the_next_block_waits() {
        let next = |text: &str| next_side(&Transcript::parse(text).unwrap().items, 1);
        assert_eq!(next(">>> @2\na\n<<<\nb\n>>>\nc\n"), Some(Side::Server));
        assert_eq!(next("--- client half-close\n"), Some(Side::Client));
        assert_eq!(next("--- client half-close\n<<<\nb\n"), Some(Side::Server));
        assert_eq!(next("# nothing\n"), None);
    }
}
