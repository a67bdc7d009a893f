//! # The heads of a block: where bytes beyond ASCII stay escaped
//!
//! In a head, one byte decides what a message means. So `\xc3\xa9` and not é: which bytes they are
//! matters there. In content, é is easier to read.
//!
//! ```text
//! \x16\x03\x01                   content: no head has begun
//! GET /caf\xc3\xa9 HTTP/1.1      a start line, so a head begins
//! X: \xff
//!                                the empty line ends it
//! café                           content
//! ```
//! Rule: a head goes from a start line to the next empty line. A start line begins with `HTTP/` or ends
//! with ` HTTP/` DIGIT `.` DIGIT. The first line of a block is one too if it begins with a method in
//! capital letters and ` /`: a request line may be malformed behind that. A line goes to its LF, and
//! the CR before that is no part of it. All else in a block is content. A repeat counts as its bytes
//! once, and left-out bytes as one letter.
//!
//! The rule reads one block alone. If a head is cut into two blocks, the second has no start line.

use std::ops::Range;

use super::bytes::{Bytes, Piece};

/// The raw bytes of a block that are in heads. Offsets count raw bytes only.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heads(Vec<Range<usize>>);

impl Heads {
    /// Finds the heads of a block.
    pub fn of(bytes: &Bytes) -> Heads {
        let mut reader = HeadReader::default();
        for piece in bytes.pieces() {
            match piece {
                Piece::Raw(raw) => reader.push(raw, true),
                Piece::Repeat { bytes, .. } => reader.push(bytes, false),
                Piece::LeftOut { .. } => reader.line.push(b'?'),
            }
        }
        reader.end_line();
        Heads(reader.heads)
    }

    /// Whether the raw byte at this offset is in a head.
    pub fn contain(&self, offset: usize) -> bool {
        let next = self.0.partition_point(|head| head.end <= offset);
        self.0.get(next).is_some_and(|head| head.contains(&offset))
    }
}

#[derive(Default)]
struct HeadReader {
    heads: Vec<Range<usize>>,
    is_within_head: bool,
    /// The line so far.
    line: Vec<u8>,
    /// The offset of its first raw byte.
    line_start: usize,
    offset: usize,
    /// Whether a line of the block has ended.
    has_line: bool,
}

impl HeadReader {
    fn push(&mut self, bytes: &[u8], is_raw: bool) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            self.offset += if is_raw { part.len() } else { 0 };
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !self.is_within_head && (is_start_line(line) || !self.has_line && is_asking(line)) {
            self.is_within_head = true;
            self.heads.push(self.line_start..self.offset);
        }
        if self.is_within_head
            && let Some(head) = self.heads.last_mut()
        {
            head.end = self.offset;
            self.is_within_head = !line.is_empty();
        }
        self.has_line = true;
        self.line.clear();
        self.line_start = self.offset;
    }
}

/// Whether a line, without its line end, begins a head.
fn is_start_line(line: &[u8]) -> bool {
    line.starts_with(b"HTTP/")
        || matches!(line, [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Whether a line begins with a method in capital letters and a path.
fn is_asking(line: &[u8]) -> bool {
    let length = line.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    length > 0 && line[length..].starts_with(b" /")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The raw bytes of a block that are in heads, as text.
    fn in_heads(bytes: &Bytes) -> String {
        let raw = bytes.pieces().iter().filter_map(|piece| match piece {
            Piece::Raw(raw) => Some(&raw[..]),
            Piece::Repeat { .. } | Piece::LeftOut { .. } => None,
        });
        let raw: Vec<u8> = raw.flatten().copied().collect();
        let heads = Heads::of(bytes);
        let kept = (0..raw.len()).filter(|&at| heads.contain(at)).map(|at| raw[at]);
        String::from_utf8_lossy(&kept.collect::<Vec<u8>>()).into_owned()
    }

    #[test]
    fn a_head_goes_from_a_start_line_to_the_next_empty_line() {
        for (bytes, expected) in [
            ("GET / HTTP/1.1\r\nA: b\r\n\r\nc\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r\n"),
            ("a\nHTTP/1.1 200 OK\nA: b\n\nc", "HTTP/1.1 200 OK\nA: b\n\n"),
            ("GET /é HTTP/1.1", "GET /é HTTP/1.1"),
            ("é\r\n\r\nHTTP/9\r\n\r\né HTTP/1.0\r\né", "HTTP/9\r\n\r\né HTTP/1.0\r\né"),
            ("a\r\nGET /HTTP/1.1\r\nGET / HTTP/1.1 \r\n HTTP/1.10\r\n HTTP/x.1\r\n", ""),
            ("GET /é http/1.1\r\nX: é\r\n\r\né", "GET /é http/1.1\r\nX: é\r\n\r\n"),
            ("Get /é\r\n", ""),
            ("", ""),
        ] {
            assert_eq!(in_heads(&Bytes::raw(bytes)), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_repeat_counts_once_and_left_out_bytes_as_a_letter() {
        let mut bytes = Bytes::raw("GET / HTTP/1.1\r\n");
        assert_eq!(bytes.push_repeat(101, b"X: y\r\n"), Ok(()));
        bytes.push_raw(b"\r\nabc\r\nHTTP/");
        bytes.push_left_out(5);
        bytes.push_raw(b"d\r\n");
        bytes.push_left_out(5);
        bytes.push_raw(b"\r\n");
        assert_eq!(bytes.push_repeat(2, b"\r\n"), Ok(()));
        bytes.push_raw(b"content");
        assert_eq!(in_heads(&bytes), "GET / HTTP/1.1\r\n\r\nHTTP/d\r\n\r\n");
    }
}
