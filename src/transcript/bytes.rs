//! # The bytes of a block
//!
//! A test can repeat a hundred equal fields, and a trace can leave out a picture:
//!
//! ```text
//! GET / HTTP/1.1
//! \{101 "X: y\r\n"}\
//!
//! ```
//!
//! Rule: bytes are a list of pieces. No piece is empty, and two raw pieces never follow each other. So
//! bytes that are pushed in two halves equal bytes that are pushed at once, and text can carry them.

use std::fmt;

/// The limit on all repeats of one block, in bytes when expanded. It is more than a test of a server's
/// limits needs, and it bounds the memory that a file of one line can make a program allocate.
pub const REPEATED_BYTES: u64 = 64 * 1024 * 1024;

/// The bytes of a block, as a list of [`Piece`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    pieces: Vec<Piece>,
    /// The bytes of all repeats when expanded; at most [`REPEATED_BYTES`].
    repeated: u64,
}

/// A piece of a block's content. It is never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// `\{101 "X: y\r\n"}`: the same bytes, several times.
    Repeat {
        /// How many times.
        times: u64,
        /// The bytes that are repeated.
        bytes: Vec<u8>,
    },
    /// `\{8412 bytes}`: bytes of which only the count is known.
    LeftOut {
        /// How many bytes.
        count: u64,
    },
}

impl Bytes {
    /// No bytes.
    pub fn new() -> Bytes {
        Bytes::default()
    }

    /// These bytes, as one raw piece.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Bytes {
        let mut all = Bytes::new();
        all.push_raw(bytes.as_ref());
        all
    }

    /// Appends bytes as they are.
    pub fn push_raw(&mut self, bytes: &[u8]) {
        match self.pieces.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Piece::Raw(before)) => before.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Raw(bytes.to_vec())),
        }
    }

    /// Appends the same bytes `times` times.
    ///
    /// # Errors
    ///
    /// If all repeats together would exceed [`REPEATED_BYTES`]. Then nothing is appended.
    pub fn push_repeat(&mut self, times: u64, bytes: &[u8]) -> Result<(), TooLong> {
        let repeated = times.saturating_mul(bytes.len() as u64).saturating_add(self.repeated);
        if repeated > REPEATED_BYTES {
            return Err(TooLong);
        }
        if times > 0 && !bytes.is_empty() {
            self.pieces.push(Piece::Repeat { times, bytes: bytes.to_vec() });
            self.repeated = repeated;
        }
        Ok(())
    }

    /// Appends `count` bytes whose values are not known.
    pub fn push_left_out(&mut self, count: u64) {
        if count > 0 {
            self.pieces.push(Piece::LeftOut { count });
        }
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many bytes crossed the connection. Repeats are expanded, and left-out bytes are counted.
    pub fn len(&self) -> u64 {
        self.pieces.iter().map(Piece::len).fold(0, u64::saturating_add)
    }

    /// All bytes with the repeats expanded. `None` if some were left out, because their values are not
    /// known.
    pub fn expand(&self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Raw(bytes) => all.extend_from_slice(bytes),
                Piece::Repeat { times, bytes } => {
                    all.extend(bytes.repeat(usize::try_from(*times).unwrap_or(usize::MAX)));
                }
                Piece::LeftOut { .. } => return None,
            }
        }
        Some(all)
    }
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Raw(bytes) => bytes.len() as u64,
            Piece::Repeat { times, bytes } => times * bytes.len() as u64,
            Piece::LeftOut { count } => *count,
        }
    }
}

/// The error of repeats that would exceed [`REPEATED_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repeats of at most {REPEATED_BYTES} bytes in one block")
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pushed_in_halves_equal_bytes_pushed_at_once() {
        let mut halves = Bytes::raw("GET / ");
        halves.push_raw(b"");
        halves.push_left_out(0);
        halves.push_raw(b"HTTP/1.1\r\n");
        assert_eq!(halves, Bytes::raw("GET / HTTP/1.1\r\n"));
    }

    #[test]
    fn repeats_are_expanded_and_counted() {
        let mut bytes = Bytes::raw("<");
        assert_eq!(bytes.push_repeat(3, b"ab"), Ok(()));
        bytes.push_raw(b">");
        assert_eq!(bytes.len(), 8);
        assert_eq!(bytes.expand().as_deref(), Some(b"<ababab>".as_slice()));
    }

    #[test]
    fn left_out_bytes_are_counted_but_cannot_be_expanded() {
        let mut bytes = Bytes::raw("\u{89}PNG");
        bytes.push_left_out(8412);
        assert_eq!(bytes.len(), 5 + 8412);
        assert_eq!(bytes.expand(), None);
    }

    #[test]
    fn all_repeats_of_a_block_share_one_limit() {
        let mut bytes = Bytes::new();
        assert_eq!(bytes.push_repeat(REPEATED_BYTES / 2, b"ab"), Ok(()));
        assert_eq!(bytes.push_repeat(1, b"c"), Err(TooLong));
        assert_eq!(bytes.push_repeat(u64::MAX, b"ab"), Err(TooLong));
        assert_eq!(bytes.push_repeat(u64::MAX, b""), Ok(()));
        assert_eq!(bytes.len(), REPEATED_BYTES);
    }
}
