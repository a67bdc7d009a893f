//! # Which side sent the bytes of a capture
//!
//! In a capture, responses follow their requests, and no byte says which side sent it. The first
//! line of each message shows it.

use super::words::before;
use crate::message::dialogue::{Dialogue, Side};
use crate::message::fields::without_line_end;

/// Empty lines before the first line of a message that are skipped: more than people paste.
const MAX_EMPTY_LINES: usize = 64;

/// Returns the side that sent these bytes, in a stream of both directions. `last` sent the bytes before
/// them.
pub(super) fn sender(dialogue: &Dialogue, last: Side, bytes: &[u8]) -> Side {
    if dialogue.reader(last).is_within() {
        return last;
    }
    match bytes {
        // The second type of handshake message is ServerHello (RFC 8446 section 4).
        [0x16, 3, _, _, _, 2, ..] => return Side::Server,
        // A client that sends HTTP has no reason for an alert of TLS.
        [0x15, 3, ..] if dialogue.requests() > 0 => return Side::Server,
        _ => {}
    }
    let lines = bytes.split(|&byte| byte == b'\n').map(without_line_end);
    // This is asked again for each of many empty lines.
    let line = lines.take(MAX_EMPTY_LINES).find(|line| !line.is_empty()).unwrap_or_default();
    let mut sides = [Side::Server, Side::Client].into_iter();
    sides.find(|&side| can_begin_message(side, line)).unwrap_or(last)
}

/// Whether a message of this side can begin with this line.
pub(super) fn can_begin_message(side: Side, line: &[u8]) -> bool {
    let word = before(line, b" /\r\n");
    match side {
        Side::Server => !word.is_empty() && b"HTTP".starts_with(&word.to_ascii_uppercase()),
        Side::Client if line.windows(6).any(|six| six == b" HTTP/") => true,
        Side::Client => !word.is_empty() && word.iter().all(u8::is_ascii_uppercase),
    }
}
