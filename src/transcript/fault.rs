//! # A mistake in a line: where it is, and what was expected there
//!
//! ```text
//! --- server close
//!            └ expected what the server did: half-close, closed or reset
//! ```
//! Each parser of a part of a line returns one. [`ParseError`](super::ParseError) is the mistake with the
//! number of its line.

use super::nearest::nearest;

/// A mistake in a line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineFault<'a> {
    /// The text that is wrong: a part of the line, which begins at the mistake.
    pub at: &'a str,
    /// What was expected there.
    pub expected: String,
    /// The allowed word that is nearest to the one that is there.
    pub nearest: Option<&'static str>,
}

impl<'a> LineFault<'a> {
    /// A mistake at the start of `at`, which is a part of the line.
    pub fn new(at: &'a str, expected: impl Into<String>) -> LineFault<'a> {
        LineFault { at, expected: expected.into(), nearest: None }
    }

    /// A word that is none of those that are allowed there.
    pub fn word(
        word: &'a str,
        expected: impl Into<String>,
        allowed: &[&'static str],
    ) -> LineFault<'a> {
        // A word that is allowed elsewhere is not misspelt.
        let nearest = nearest(word, allowed.iter().copied()).filter(|nearest| *nearest != word);
        LineFault { nearest, ..LineFault::new(word, expected) }
    }

    /// The offset of the mistake in this line, of which `at` is a part.
    pub fn offset(&self, line: &str) -> usize {
        self.at.as_ptr().addr().saturating_sub(line.as_ptr().addr()).min(line.len())
    }
}
