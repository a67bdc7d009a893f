//! # Bytes as lines
//!
//! How does every one of 256 bytes get onto a page on which a head still looks like a head?
//!
//! ```text
//! HTTP/1.1 200 OK                  485454502f312e3120323030204f4b 0d0a
//! two words\x20                    74776f20776f72647320 0d0a
//! \x23 not prose                   23206e6f742070726f7365 0d0a
//! a Unix line\n                    6120556e6978206c696e65 0a
//! the end\                         74686520656e64
//! ```
//!
//! Rule: LF ends a line of text wherever it stands, and the line says whether CR stood before it.
//! Two bytes that could be raw are escaped all the same: a space directly at the end of the text
//! line, which nobody sees and many an editor removes (before `\n` or `\` it is seen, and stays
//! raw), and the first of a line that would begin with a marker.
//!
//! A line with a byte that only `\xHH` can show is binary: it is folded after every 64 of its raw
//! bytes, so that a picture is a column and not one endless line. Text is not folded: a long line
//! is a long line.

use std::fmt::{self, Write};

use super::escape::{escape, needs_number, number_escape, parse_byte, parse_quoted, quote};
use super::parse::number;
use super::{Bytes, MARKERS, Piece};

/// Raw bytes in a line of binary, which escaped is at most 256 characters wide.
const FOLD: usize = 64;

// Writing: bytes to lines.

/// Writes a block's content, each line with its line end.
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

/// The line that is being written, up to its LF. Only then is it known whether it is binary.
#[derive(Default)]
struct PrintedLine {
    text: String,
    raw_bytes: usize,
    binary: bool,
    /// Where the text is cut, should it be binary.
    folds: Vec<usize>,
}

impl PrintedLine {
    fn push(&mut self, byte: u8) {
        if self.raw_bytes > 0 && self.raw_bytes.is_multiple_of(FOLD) {
            self.folds.push(self.text.len());
        }
        self.raw_bytes += 1;
        self.binary |= needs_number(byte);
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
        out.write_str(&number_escape(text.as_bytes()[0]))?;
        text = &text[1..];
    }
    match text.strip_suffix(' ') {
        Some(text) if ending.is_empty() => writeln!(out, r"{text}\x20"),
        _ => writeln!(out, "{text}{ending}"),
    }
}

// Reading: lines to bytes. An `Err` is what was expected instead.

/// Reads one line of a block's content and adds its bytes.
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

/// What follows `\{`: `101 "X: y\r\n"}` or `8412 bytes}`. Returns what follows that.
fn parse_counted<'a>(text: &'a str, bytes: &mut Bytes) -> Result<&'a str, String> {
    let expected = || r#"\{101 "repeated"} or \{8412 bytes}"#.to_owned();
    let (count, what) = text.split_once(' ').ok_or_else(expected)?;
    let count = number(count).ok_or_else(expected)?;
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

    /// The worked examples: canonical lines, and the bytes that they are.
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
    fn a_line_says_how_it_ends() {
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
    fn a_last_space_is_escaped_where_nobody_would_see_it() {
        both_ways("a \\x20\n", &Bytes::raw("a  \r\n"));
        both_ways("a \\n\n", &Bytes::raw("a \n"));
        both_ways("a \\\n", &Bytes::raw("a "));
    }

    #[test]
    fn a_line_never_begins_like_a_marker() {
        both_ways("\\x23 a\n", &Bytes::raw("# a\r\n"));
        both_ways("\\x3e>>\n", &Bytes::raw(">>>\r\n"));
        both_ways("\\x3c<<<\n", &Bytes::raw("<<<<\r\n"));
        both_ways("\\x2d---boundary\\n\n", &Bytes::raw("----boundary\n"));
        both_ways("\\x3f??\\\n", &Bytes::raw("???"));
        both_ways("--boundary--\n", &Bytes::raw("--boundary--\r\n"));
        both_ways("\\x23\n #\n", &Bytes::raw("#\r\n #\r\n"));
    }

    #[test]
    fn repeats_and_gaps_stand_in_a_line() {
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
    fn binary_is_folded_and_text_is_not() {
        let text = "-".repeat(65);
        both_ways(&format!("\\x2d{}\n", "-".repeat(64)), &Bytes::raw(format!("{text}\r\n")));
        // Each line that folding makes minds the markers, too.
        let folded = format!("\\x80{}\\\n\\x2d-- \\n\n", "-".repeat(63));
        both_ways(&folded, &Bytes::raw([b"\x80".as_slice(), &[b'-'; 66], b" \n"].concat()));
        // No fold without a byte behind it.
        let whole = format!("{}\n", r"\xff".repeat(FOLD));
        both_ways(&whole, &Bytes::raw([[0xff; FOLD].as_slice(), b"\r\n"].concat()));
    }

    #[test]
    fn what_is_not_canonical_is_read_all_the_same() {
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
    fn what_is_malformed_is_told_how_to_mend_it() {
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
