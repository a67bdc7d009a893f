//! # Restoring the line ends of pasted text
//!
//! ```text
//! POST / HTTP/1.1␊  Content-Length: 4␊  ␊  a␊b␊       becomes
//! POST / HTTP/1.1␍␊ Content-Length: 4␍␊ ␍␊ a␊b␊
//! ```
//! In text that was pasted from a terminal or an editor, lines end in LF where HTTP has CR LF. Lines of
//! heads and of framing get their CR LF back. Content keeps its bytes, if the messages before it can be
//! followed.

use super::sender;
use crate::message::dialogue::{Dialogue, Side};

/// Returns the text with the line ends of HTTP. `None` if it has a CR LF already, or if its first line is
/// not printable ASCII that ends in LF.
pub fn with_line_ends(text: &[u8]) -> Option<Vec<u8>> {
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let is_text = first.len() < text.len() && first.iter().all(|byte| (b' '..=b'~').contains(byte));
    if !is_text || text.windows(2).any(|two| two == b"\r\n") {
        return None;
    }
    let (mut dialogue, mut side) = (Dialogue::new(), Side::Client);
    let (mut wire, mut rest) = (Vec::with_capacity(text.len() + text.len() / 16), text);
    while !rest.is_empty() {
        side = sender(&dialogue, side, rest);
        let start = wire.len();
        let content = dialogue.reader(side).content_left();
        let line = rest.iter().position(|&byte| byte == b'\n');
        let length = match usize::try_from(content).unwrap_or(usize::MAX) {
            0 => line.unwrap_or(rest.len()),
            content => content.min(rest.len()),
        };
        wire.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
        if content == 0 && line.is_some() {
            wire.extend_from_slice(b"\r\n");
            rest = &rest[1..];
        }
        dialogue.follow(side, &wire[start..]);
    }
    Some(wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_framing_get_cr_lf_and_content_keeps_its_line_ends() {
        for (text, wire) in [
            ("GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            (
                "POST / HTTP/1.1\nContent-Length: 4\n\na\nb\nGET / HTTP/1.1",
                "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\na\nb\nGET / HTTP/1.1",
            ),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\na\nb\n0\n\nHTTP/1.1 204 N\n\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n0\r\n\r\nHTTP/1.1 204 N\r\n\r\n",
            ),
            ("HTTP/1.1 200 OK\n\na\nb\n", "HTTP/1.1 200 OK\r\n\r\na\nb\n"),
        ] {
            let restored = with_line_ends(text.as_bytes()).expect("text");
            assert_eq!(String::from_utf8_lossy(&restored), wire);
        }
        for other in [&b"GET / HTTP/1.1\nHost: h\r\n\n"[..], b"GET /", b"\x16\x03\n", b""] {
            assert_eq!(with_line_ends(other), None);
        }
    }
}
