//! # The content lines of a block: bytes to lines, and back
//!
//! Any of 256 bytes can be written, and a head still looks like a head:
//!
//! ```text
//! HTTP/1.1 200 OK                  485454502f312e3120323030204f4b 0d0a
//! two words\x20                    74776f20776f72647320 0d0a
//! \x23 not prose                   23206e6f742070726f7365 0d0a
//! a Unix line\n                    6120556e6978206c696e65 0a
//! the end\                         74686520656e64
//! ```
//!
//! Rule: every LF ends a line of text, and the end of that line shows whether a CR precedes the LF. Two
//! printable bytes are escaped. The first is a space at the end of a text line, because readers cannot
//! see it and editors remove it (before `\n` or `\` it is visible and stays raw). The second is the
//! first byte of a line that would begin with a marker.
//!
//! A line with a byte that needs `\xHH` is binary. It is folded after every 64 bytes, so that an image
//! is not one very long line. Text lines are not folded.

use std::fmt::{self, Write};

use super::bytes::{Bytes, Piece};
use super::escape::{escape, hex_escape, needs_hex, parse_byte, parse_quoted, quote};
use super::model::MARKERS;
use crate::message::fields::parse_digits;

/// Bytes in a line of binary. Escaped, they are at most 256 characters.
const FOLD_BYTES: usize = 64;

// Printing: bytes to lines.

/// Prints a block's content. Each line has its line end.
pub(super) fn print(bytes: &Bytes, out: &mut impl Write) -> fmt::Result {
    let mut line = PrintedLine::default();
    for piece in bytes.pieces() {
        match piece {
            Piece::Raw(raw) => print_raw(raw, &mut line, out)?,
            Piece::Repeat { times, bytes } => {
                write!(line.text, r"\{{{times} {}}}", quote(bytes))?;
            }
            Piece::LeftOut { count } => write!(line.text, r"\{{{count} bytes}}")?,
        }
    }
    if line.text.is_empty() { Ok(()) } else { line.end(r"\", out) }
}

fn print_raw(raw: &[u8], line: &mut PrintedLine, out: &mut impl Write) -> fmt::Result {
    let mut rest = raw;
    loop {
        rest = match rest {
            [] => return Ok(()),
            [b'\r', b'\n', after @ ..] => {
                line.end("", out)?;
                after
            }
            [b'\n', after @ ..] => {
                line.end(r"\n", out)?;
                after
            }
            [byte, after @ ..] => {
                line.push(*byte);
                after
            }
        };
    }
}

/// The line that is being collected, up to its LF. Only at its end is it known whether it is binary.
#[derive(Default)]
struct PrintedLine {
    text: String,
    raw_bytes: usize,
    binary: bool,
    /// The offsets at which the text is folded if the line is binary.
    folds: Vec<usize>,
}

impl PrintedLine {
    fn push(&mut self, byte: u8) {
        if self.raw_bytes > 0 && self.raw_bytes.is_multiple_of(FOLD_BYTES) {
            self.folds.push(self.text.len());
        }
        self.raw_bytes += 1;
        self.binary |= needs_hex(byte);
        escape(byte, &mut self.text);
    }

    fn end(&mut self, ending: &str, out: &mut impl Write) -> fmt::Result {
        let mut start = 0;
        for fold in self.folds.drain(..).filter(|_| self.binary) {
            write_line(&self.text[start..fold], r"\", out)?;
            start = fold;
        }
        write_line(&self.text[start..], ending, out)?;
        *self = PrintedLine::default();
        Ok(())
    }
}

fn write_line(mut text: &str, ending: &str, out: &mut impl Write) -> fmt::Result {
    if MARKERS.iter().any(|marker| text.starts_with(marker)) {
        out.write_str(&hex_escape(text.as_bytes()[0]))?;
        text = &text[1..];
    }
    match text.strip_suffix(' ') {
        Some(text) if ending.is_empty() => writeln!(out, r"{text}\x20"),
        _ => writeln!(out, "{text}{ending}"),
    }
}

// Parsing: lines to bytes. An `Err` is what was expected instead.

/// Parses one line of a block's content and appends its bytes.
pub(super) fn parse_line(line: &str, bytes: &mut Bytes) -> Result<(), String> {
    if line.ends_with(' ') {
        return Err(r"\x20 for the last space of a line, so that it can be seen".to_owned());
    }
    let mut rest = line;
    while !rest.is_empty() {
        match rest {
            r"\" => return Ok(()),
            r"\n" => {
                bytes.push_raw(b"\n");
                return Ok(());
            }
            _ => {}
        }
        if let Some(inside) = rest.strip_prefix(r"\{") {
            rest = parse_counted(inside, bytes)?;
        } else {
            let (byte, after) = parse_byte(rest)?;
            bytes.push_raw(&[byte]);
            rest = after;
        }
    }
    bytes.push_raw(b"\r\n");
    Ok(())
}

/// Parses what follows `\{`, which is `101 "X: y\r\n"}` or `8412 bytes}`. Returns the text after it.
fn parse_counted<'a>(text: &'a str, bytes: &mut Bytes) -> Result<&'a str, String> {
    let expected = || r#"\{101 "repeated"} or \{8412 bytes}"#.to_owned();
    let (count, what) = text.split_once(' ').ok_or_else(expected)?;
    let count = parse_digits(count.as_bytes()).ok_or_else(expected)?;
    if let Some(rest) = what.strip_prefix("bytes}") {
        bytes.push_left_out(count);
        return Ok(rest);
    }
    if !what.starts_with('"') {
        return Err(expected());
    }
    let (repeated, rest) = parse_quoted(what)?;
    bytes.push_repeat(count, &repeated).map_err(|too_long| too_long.to_string())?;
    rest.strip_prefix('}').ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that these bytes print as these lines, and that the lines parse to these bytes.
    #[track_caller]
    fn both_ways(lines: &str, bytes: &Bytes) {
        let mut printed = String::new();
        assert_eq!(print(bytes, &mut printed), Ok(()));
        assert_eq!(printed, lines);
        assert_eq!(parsed(lines), Ok(bytes.clone()));
    }

    fn parsed(lines: &str) -> Result<Bytes, String> {
        let mut bytes = Bytes::new();
        lines.lines().try_for_each(|line| parse_line(line, &mut bytes))?;
        Ok(bytes)
    }

    #[test]
    fn a_line_shows_how_it_ends() {
        both_ways("", &Bytes::new());
        both_ways("\n", &Bytes::raw("\r\n"));
        both_ways("a\n", &Bytes::raw("a\r\n"));
        both_ways("a\\n\n", &Bytes::raw("a\n"));
        both_ways("a\\\n", &Bytes::raw("a"));
        both_ways("a\\r\n", &Bytes::raw("a\r\r\n"));
        both_ways("\\n\n\n\\r\\\n", &Bytes::raw("\n\r\n\r"));
        both_ways("a\\\\\n\\\\n\n", &Bytes::raw("a\\\r\n\\n\r\n"));
    }

    #[test]
    fn a_space_at_the_end_of_a_text_line_is_escaped() {
        both_ways("a \\x20\n", &Bytes::raw("a  \r\n"));
        both_ways("a \\n\n", &Bytes::raw("a \n"));
        both_ways("a \\\n", &Bytes::raw("a "));
    }

    #[test]
    fn a_line_never_begins_with_a_marker() {
        both_ways("\\x23 a\n", &Bytes::raw("# a\r\n"));
        both_ways("\\x3e>>\n", &Bytes::raw(">>>\r\n"));
        both_ways("\\x3c<<<\n", &Bytes::raw("<<<<\r\n"));
        both_ways("\\x2d---boundary\\n\n", &Bytes::raw("----boundary\n"));
        both_ways("\\x3f??\\\n", &Bytes::raw("???"));
        both_ways("--boundary--\n", &Bytes::raw("--boundary--\r\n"));
        both_ways("\\x23\n #\n", &Bytes::raw("#\r\n #\r\n"));
    }

    #[test]
    fn a_line_can_hold_repeats_and_left_out_bytes() {
        let mut bytes = Bytes::raw("GET / HTTP/1.1\r\n");
        assert_eq!(bytes.push_repeat(101, b"X: \"y\"\r\n"), Ok(()));
        bytes.push_raw(b"\r\n<");
        bytes.push_left_out(8412);
        bytes.push_raw(b">\n");
        both_ways(
            concat!(
                "GET / HTTP/1.1\n",
                r#"\{101 "X: \"y\"\r\n"}"#,
                "\n",
                r"<\{8412 bytes}>\n",
                "\n"
            ),
            &bytes,
        );
    }

    #[test]
    fn binary_lines_are_folded_and_text_lines_are_not() {
        let text = "-".repeat(65);
        both_ways(&format!("\\x2d{}\n", "-".repeat(64)), &Bytes::raw(format!("{text}\r\n")));
        // A line that folding makes must not begin with a marker either.
        let folded = format!("\\x80{}\\\n\\x2d-- \\n\n", "-".repeat(63));
        both_ways(&folded, &Bytes::raw([b"\x80".as_slice(), &[b'-'; 66], b" \n"].concat()));
        // A fold needs a byte after it.
        let whole = format!("{}\n", r"\xff".repeat(FOLD_BYTES));
        both_ways(&whole, &Bytes::raw([[0xff; FOLD_BYTES].as_slice(), b"\r\n"].concat()));
    }

    #[test]
    fn lines_that_are_not_canonical_are_parsed() {
        for (lines, bytes) in [
            ("a\\r\\n", "a\r\n"),
            ("a\\nb\\x0a", "a\nb\n\r\n"),
            ("\\x6A\\x6a", "jj\r\n"),
            ("GET \\\n/\\\n", "GET /"),
            ("\\{0 \"a\"}\\{0 bytes}\\{3 \"\"}\\", ""),
        ] {
            assert_eq!(parsed(lines), Ok(Bytes::raw(bytes)), "{lines}");
        }
    }

    #[test]
    fn a_malformed_line_is_an_error_that_says_what_was_expected() {
        for (line, expected) in [
            ("a ", r"\x20 for the last space of a line, so that it can be seen"),
            (r#"\""#, r"an escape: \r \n \t \0 \\ or \xHH"),
            (r"\{", r#"\{101 "repeated"} or \{8412 bytes}"#),
            (r"\{+5 bytes}", r#"\{101 "repeated"} or \{8412 bytes}"#),
            (r"\{5 bites}", r#"\{101 "repeated"} or \{8412 bytes}"#),
            (r#"\{5 "a""#, r#"\{101 "repeated"} or \{8412 bytes}"#),
            (r#"\{5 "a"#, "a closing quote"),
            (r#"\{5 "a\"#, r"an escape: \r \n \t \0 \\ or \xHH"),
            (r#"\{99999999 "a"}"#, "repeats of at most 67108864 bytes in one block"),
        ] {
            assert_eq!(parsed(line), Err(expected.to_owned()), "{line}");
        }
    }
}
