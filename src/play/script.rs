//! # A transcript as a script: what is read before one side of it is played
//!
//! A recording may have left bytes out, and bytes that are not in the file cannot be sent:
//!
//! ```text
//! line 12: 8412 bytes of this block were left out, so the block cannot be sent
//! ```
//! Rule: the side that is played must be complete; of the other side the number of bytes is enough.
//! Next: `turns`.

use crate::message::counted::counted;
use crate::transcript::{BYTE_ORDER_MARK, Item, Piece, Side, Transcript};

/// A request of a client whose bytes the transcript does not have.
pub(crate) const ANY_REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// Parses a transcript, to play this side of it.
///
/// # Errors
/// The line, and what was expected there.
pub fn parse(text: &str, played: Side) -> Result<Transcript, String> {
    let transcript = Transcript::parse(text).map_err(|error| error.to_string())?;
    let marker = if played == Side::Client { ">>>" } else { "<<<" };
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    // No line of content begins with a marker, so each marker opens a block.
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with(marker));
    if let Some((index, left_out)) = incomplete_block(&transcript, played)
        && let Some((line, _)) = lines.nth(index)
    {
        return Err(format!("line {line}: {left_out}, so the block cannot be sent"));
    }
    Ok(transcript)
}

/// Whether this side of a transcript can be played.
///
/// # Errors
/// A sentence: bytes of a block were left out.
pub fn sendable(transcript: &Transcript, played: Side) -> Result<(), String> {
    match incomplete_block(transcript, played) {
        None => Ok(()),
        Some((index, left_out)) => {
            let number = index + 1;
            Err(format!("block {number} of the {played}: {left_out}, so it cannot be sent"))
        }
    }
}

/// The first block of this side whose bytes are not all there: its index among those of the side,
/// and how many are left out, in words.
pub fn incomplete_block(transcript: &Transcript, of: Side) -> Option<(usize, String)> {
    let blocks = transcript.items.iter().filter_map(|item| match item {
        Item::Block(block) if block.from == of => Some(block),
        _ => None,
    });
    let left_out = |piece: &Piece| match piece {
        Piece::LeftOut { count } => *count,
        Piece::Raw(_) | Piece::Repeat { .. } => 0,
    };
    blocks.enumerate().find_map(|(index, block)| {
        let count: u64 = block.bytes.pieces().iter().map(left_out).sum();
        let words = counted(count, "byte of this block was", "bytes of this block were");
        (count > 0).then(|| (index, format!("{words} left out")))
    })
}

/// Whether something happens on a connection in these items: bytes or an event.
pub fn has_connection(items: &[Item]) -> bool {
    items.iter().any(|item| matches!(item, Item::Block(_) | Item::Event(_)))
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
}
