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
use openkitchen::transcript::{BYTE_ORDER_MARK, Item, Piece, Side};

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
