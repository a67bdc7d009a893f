//! # Prose, notes and durations, and the words of a line
//!
//! Prose and notes may hold text that a client sent, and they are printed on terminals, so what a reader
//! cannot see in them is escaped:
//!
//! ```text
//! # 12 GET /about 200 0.2 ms, stays open
//! # what the client sent: \x1b[2J\r\n
//! ```
//!
//! Rule: any UTF-8 except control characters and characters that change the direction of writing, such
//! as U+202E: see [`is_raw_in_prose`]. `new` escapes those once. The escape is then plain text, and
//! parsing does not undo it.

use std::fmt;
use std::time::Duration;

use super::escape::{escape, escape_bytes_of};
use super::fault::LineFault;
use super::letters::is_raw_in_prose;
use crate::message::fields::parse_digits;

/// A line of prose: nothing that a reader cannot see, and no white space at its end. White space at its
/// start is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prose(String);

impl Prose {
    /// Makes one line of prose from any text. Line ends and what else a reader cannot see are escaped.
    pub fn new(text: &str) -> Prose {
        Prose(one_line(text.trim_end()))
    }

    /// The line, without its `#`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A note, which is the rest of a marker's line: nothing that a reader cannot see, and no white space
/// at either end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note(String);

impl Note {
    /// Makes a note from any text. Line ends and what else a reader cannot see are escaped.
    pub fn new(text: &str) -> Note {
        Note(one_line(text.trim()))
    }

    /// The note; empty if the line has none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(character) {
            _ if is_raw_in_prose(character) => line.push(character),
            Ok(control) => escape(control, &mut line),
            Err(_) => escape_bytes_of(character, &mut line),
        }
    }
    line
}

/// Splits a text into its first word and the rest, both without white space around them.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    (word, rest.trim_start())
}

/// A duration in whole milliseconds. `Display` prints `200ms`, or `2s` where it is whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    pub(super) fn parse(text: &str) -> Result<Millis, LineFault<'_>> {
        let millis = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
            (Some(millis), _) => parse_digits(millis.as_bytes()),
            (None, Some(seconds)) => {
                parse_digits::<u64>(seconds.as_bytes()).and_then(|s| s.checked_mul(1000))
            }
            (None, None) => None,
        };
        millis.map(Millis).ok_or_else(|| LineFault::new(text, "a duration: 200ms or 2s"))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            millis if millis % 1000 == 0 => write!(f, "{}s", millis / 1000),
            millis => write!(f, "{millis}ms"),
        }
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Duration {
        Duration::from_millis(millis.0)
    }
}

impl From<Duration> for Millis {
    /// Rounds down to a whole millisecond.
    fn from(duration: Duration) -> Millis {
        Millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_prose_and_notes_are_escaped() {
        assert_eq!(
            Prose::new("\x1b[2J\r\nbell\x07\u{85}é\n").as_str(),
            r"\x1b[2J\r\nbell\x07\x85é"
        );
        assert_eq!(Note::new("two\nlines").as_str(), r"two\nlines");
        // U+202E would show the rest of the line from right to left.
        let title = Prose::new("safe \u{202e}eriw.exe\u{2028}\u{a0}東");
        assert_eq!(title.as_str(), "safe \\xe2\\x80\\xaeeriw.exe\\xe2\\x80\\xa8\u{a0}東");
        assert_eq!(Prose::new(title.as_str()), title);
    }

    #[test]
    fn a_note_is_trimmed_and_prose_keeps_its_indent() {
        assert_eq!(Note::new("\t +0.1 ms \n").as_str(), "+0.1 ms");
        assert_eq!(Prose::new("    ^ here \n").as_str(), "    ^ here");
    }

    #[test]
    fn durations_are_printed_in_the_largest_unit_that_is_whole() {
        for (text, millis) in [("0s", 0), ("200ms", 200), ("2s", 2000), ("2500ms", 2500)] {
            assert_eq!(Millis::parse(text), Ok(Millis(millis)));
            assert_eq!(Millis(millis).to_string(), text);
        }
        assert_eq!(Millis::parse("2000ms"), Ok(Millis(2000)));
        for text in ["", "s", "ms", "2", "+2s", "2 s", "2m", "18446744073709551615s"] {
            assert_eq!(Millis::parse(text), Err(LineFault::new(text, "a duration: 200ms or 2s")));
        }
    }
}
