//! # The bytes of a block
//!
//! Which bytes are these, when a test speaks of a hundred equal fields, and a trace left a picture
//! out?
//!
//! ```text
//! GET / HTTP/1.1
//! \{101 "X: y\r\n"}\
//!
//! ```
//!
//! Rule: bytes are a list of pieces, kept normal: no piece is empty, and no two raw ones are
//! neighbours. So bytes that were pushed in two halves equal those that were pushed at once, and
//! text can carry them.

use std::fmt;

/// All repeats of one block together, in bytes, when written out: more than any limit that a test
/// of a server tries, and a bound on what a file of one line can make a reader allocate.
pub const REPEATED_BYTES: u64 = 64 * 1024 * 1024;

/// The bytes of a block: see [`Piece`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    pieces: Vec<Piece>,
    repeated: u64,
}

/// A run of bytes, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes as they are.
    Raw(Vec<u8>),
    /// `\{101 "X: y\r\n"}`: the same bytes over and over.
    Repeat {
        /// How often they stand there.
        times: u64,
        /// What is repeated.
        bytes: Vec<u8>,
    },
    /// `\{8412 bytes}`: bytes that were there and are not kept.
    LeftOut {
        /// How many they were.
        count: u64,
    },
}

impl Bytes {
    /// No bytes yet.
    pub fn new() -> Bytes {
        Bytes::default()
    }

    /// These bytes, all raw.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Bytes {
        let mut all = Bytes::new();
        all.push_raw(bytes.as_ref());
        all
    }

    /// Adds bytes as they are.
    pub fn push_raw(&mut self, bytes: &[u8]) {
        match self.pieces.last_mut() {
            _ if bytes.is_empty() => {}
            Some(Piece::Raw(before)) => before.extend_from_slice(bytes),
            _ => self.pieces.push(Piece::Raw(bytes.to_vec())),
        }
    }

    /// Adds the same bytes so many times.
    ///
    /// # Errors
    ///
    /// When all repeats together would come to more than [`REPEATED_BYTES`]; then nothing is added.
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

    /// Adds so many bytes that nobody kept.
    pub fn push_left_out(&mut self, count: u64) {
        if count > 0 {
            self.pieces.push(Piece::LeftOut { count });
        }
    }

    /// The pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Is there not one byte?
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many bytes crossed the connection, repeats written out and what was left out counted.
    pub fn len(&self) -> u64 {
        self.pieces.iter().map(Piece::len).fold(0, u64::saturating_add)
    }

    /// Every byte, repeats written out; `None` where some were left out, for nobody knows them.
    pub fn expand(&self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Raw(bytes) => all.extend_from_slice(bytes),
                Piece::Repeat { times, bytes } => {
                    (0..*times).for_each(|_| all.extend_from_slice(bytes));
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

/// Repeats that would come to more than [`REPEATED_BYTES`].
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
    fn repeats_are_written_out_and_counted() {
        let mut bytes = Bytes::raw("<");
        assert_eq!(bytes.push_repeat(3, b"ab"), Ok(()));
        bytes.push_raw(b">");
        assert_eq!(bytes.len(), 8);
        assert_eq!(bytes.expand().as_deref(), Some(b"<ababab>".as_slice()));
    }

    #[test]
    fn what_was_left_out_is_counted_but_cannot_be_written_out() {
        let mut bytes = Bytes::raw("\u{89}PNG");
        bytes.push_left_out(8412);
        assert_eq!(bytes.len(), 5 + 8412);
        assert_eq!(bytes.expand(), None);
    }

    #[test]
    fn all_repeats_of_a_block_share_one_bound() {
        let mut bytes = Bytes::new();
        assert_eq!(bytes.push_repeat(REPEATED_BYTES / 2, b"ab"), Ok(()));
        assert_eq!(bytes.push_repeat(1, b"c"), Err(TooLong));
        assert_eq!(bytes.push_repeat(u64::MAX, b"ab"), Err(TooLong));
        assert_eq!(bytes.push_repeat(u64::MAX, b""), Ok(()));
        assert_eq!(bytes.len(), REPEATED_BYTES);
    }
}
