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

/// Parses a transcript, to play this side of it.
///
/// # Errors
/// The line, and what was expected there.
pub fn parse(text: &str, played: Side) -> Result<Transcript, String> {
    let transcript = Transcript::parse(text).map_err(|error| error.to_string())?;
    let marker = if played == Side::Client { ">>>" } else { "<<<" };
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    // No line of content begins with a marker, so each marker opens a block.
    let lines = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with(marker));
    let blocks = transcript.items.iter().filter_map(|item| match item {
        Item::Block(block) if block.from == played => Some(block),
        _ => None,
    });
    for ((line, _), block) in lines.zip(blocks) {
        let left_out = |piece: &Piece| match piece {
            Piece::LeftOut { count } => *count,
            Piece::Raw(_) | Piece::Repeat { .. } => 0,
        };
        let left_out: u64 = block.bytes.pieces().iter().map(left_out).sum();
        if left_out > 0 {
            return Err(format!(
                "line {line}: {} left out, so the block cannot be sent",
                counted(left_out, "byte of this block was", "bytes of this block were")
            ));
        }
    }
    Ok(transcript)
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
