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
//! Letters beyond ASCII are raw, except in a head and in a binary line. A line is binary if it has a byte
//! that needs `\xHH` and is no part of valid UTF-8. It is folded after every 64 bytes, so that an image
//! is not one very long line. Text lines are not folded. A character that is cut by the start or the
//! end of the raw bytes, because a read ended there, makes no line binary.

use std::fmt::{self, Write};
use std::ops::Range;

use super::bytes::{Bytes, Piece};
use super::escape::{
    Letters, escape_all, escape_as_hex, needs_hex, not_raw, parse_byte, parse_letter, parse_quoted,
    quote, split_raw,
};
use super::fault::LineFault;
use super::heads::Heads;
use super::model::MARKERS;
use crate::message::fields::parse_digits;

/// Bytes in a line of binary. Escaped, they are at most 256 characters.
const FOLD_BYTES: usize = 64;

// Printing: bytes to lines.

/// Prints a block's content. Each line has its line end.
pub(super) fn print(bytes: &Bytes, out: &mut impl Write) -> fmt::Result {
    let is_ascii = |piece: &Piece| !matches!(piece, Piece::Raw(raw) if !raw.is_ascii());
    let heads = match bytes.pieces().iter().all(is_ascii) {
        true => Heads::default(), // no letter needs them
        false => Heads::of(bytes),
    };
    let mut line = PrintedLine::default();
    let mut raw_bytes = 0;
    for piece in bytes.pieces() {
        match piece {
            Piece::Raw(raw) => {
                print_raw(raw, |at| heads.contain(raw_bytes + at), &mut line, out)?;
                raw_bytes += raw.len();
            }
            Piece::Repeat { times, bytes } => line.parts.push(LinePart::Repeat(*times, bytes)),
            Piece::LeftOut { count } => line.parts.push(LinePart::LeftOut(*count)),
        }
    }
    if line.parts.is_empty() { Ok(()) } else { line.end(r"\", out) }
}

fn print_raw<'a>(
    raw: &'a [u8],
    is_in_head: impl Fn(usize) -> bool,
    line: &mut PrintedLine<'a>,
    out: &mut impl Write,
) -> fmt::Result {
    let whole = whole_characters(raw);
    let mut start = 0;
    for part in raw.split_inclusive(|&byte| byte == b'\n') {
        let (text, ending) = match part {
            [text @ .., b'\r', b'\n'] => (text, Some("")),
            [text @ .., b'\n'] => (text, Some(r"\n")),
            text => (text, None),
        };
        if !text.is_empty() {
            let end = start + text.len();
            line.is_binary |=
                is_binary(&raw[whole.start.clamp(start, end)..whole.end.clamp(start, end)]);
            let letters = if is_in_head(start) { Letters::Escaped } else { Letters::Raw };
            line.parts.push(LinePart::Raw(text, letters));
        }
        if let Some(ending) = ending {
            line.end(ending, out)?;
        }
        start += part.len();
    }
    Ok(())
}

/// The bytes of a raw piece without the characters that its start and its end cut.
fn whole_characters(raw: &[u8]) -> Range<usize> {
    let is_continuation = |byte: &&u8| matches!(byte, 0x80..=0xbf);
    let start = raw.iter().take(3).take_while(is_continuation).count();
    let is_cut = |length: &usize| {
        let end = std::str::from_utf8(&raw[raw.len() - length..]);
        end.is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    let cut = (1..=raw.len().min(3)).find(is_cut).unwrap_or(0);
    start..raw.len() - cut
}

/// Whether a byte needs `\xHH` and is no part of valid UTF-8.
fn is_binary(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| {
        let is_control = |byte: u8| needs_hex(byte) && byte.is_ascii();
        !chunk.invalid().is_empty() || chunk.valid().bytes().any(is_control)
    })
}

/// The line that is being collected, up to its LF. Only at its end is it known whether it is binary.
#[derive(Default)]
struct PrintedLine<'a> {
    parts: Vec<LinePart<'a>>,
    is_binary: bool,
    /// The text of the line, or of a fold of it. The same memory serves all lines.
    text: String,
}

/// A part of a line.
enum LinePart<'a> {
    /// Raw bytes: at least one, and no LF.
    Raw(&'a [u8], Letters),
    /// Bytes that are repeated, and how many times.
    Repeat(u64, &'a [u8]),
    /// The number of left-out bytes.
    LeftOut(u64),
}

impl PrintedLine<'_> {
    /// Prints the line, and begins the next one.
    fn end(&mut self, ending: &str, out: &mut impl Write) -> fmt::Result {
        let (text, mut room) = (&mut self.text, FOLD_BYTES);
        for part in self.parts.drain(..) {
            match part {
                LinePart::Raw(raw, letters) if !self.is_binary => push_raw(raw, letters, text),
                LinePart::Raw(mut rest, _) => {
                    while !rest.is_empty() {
                        if room == 0 {
                            write_line(text, r"\", out)?;
                            room = FOLD_BYTES;
                        }
                        let (now, later) = rest.split_at(rest.len().min(room));
                        push_raw(now, Letters::Escaped, text);
                        room -= now.len();
                        rest = later;
                    }
                }
                LinePart::Repeat(times, bytes) => {
                    write!(text, r"\{{{times} {}}}", quote(bytes, Letters::Escaped))?;
                }
                LinePart::LeftOut(count) => write!(text, r"\{{{count} bytes}}")?,
            }
        }
        self.is_binary = false;
        write_line(text, ending, out)
    }
}

/// Appends raw bytes to a line. At its start they must not look like a marker.
fn push_raw(mut raw: &[u8], letters: Letters, text: &mut String) {
    if text.is_empty() && MARKERS.iter().any(|marker| raw.starts_with(marker.as_bytes())) {
        escape_as_hex(raw[0], text);
        raw = &raw[1..];
    }
    escape_all(raw, letters, text);
}

/// Writes a line, and clears its text.
fn write_line(text: &mut String, ending: &str, out: &mut impl Write) -> fmt::Result {
    match text.strip_suffix(' ') {
        Some(text) if ending.is_empty() => writeln!(out, r"{text}\x20")?,
        _ => writeln!(out, "{text}{ending}")?,
    }
    text.clear();
    Ok(())
}

/// One line, up to its LF, for a screen: its text, and how it ends if not in CR LF. A screen has
/// its own width, so nothing is folded.
pub(crate) fn content_line(line: &[u8], is_in_head: bool) -> (String, &'static str) {
    let (raw, ending) = match line {
        [raw @ .., b'\r', b'\n'] => (raw, ""),
        [raw @ .., b'\n'] => (raw, r"\n"),
        raw => (raw, r"\"),
    };
    let is_raw = !is_in_head && !is_binary(&raw[whole_characters(raw)]);
    let mut text = String::new();
    escape_all(raw, if is_raw { Letters::Raw } else { Letters::Escaped }, &mut text);
    (text, ending)
}

// Parsing: lines to bytes.

/// The block whose lines are being parsed: what must be known of the lines before.
#[derive(Debug, Default)]
pub(super) struct ParsedBlock<'a> {
    /// How many raw bytes the block has so far.
    raw_bytes: usize,
    /// The raw letters, of those on one line the first.
    letters: Vec<RawLetter<'a>>,
}

/// A raw letter beyond ASCII, which must not be in a head.
#[derive(Clone, Copy, Debug)]
struct RawLetter<'a> {
    /// Its offset in the raw bytes of the block.
    offset: usize,
    /// The number of its line, and the line.
    line: (usize, &'a str),
    /// The rest of the line, from the letter on.
    at: &'a str,
}

impl<'a> ParsedBlock<'a> {
    /// Parses one line of the block's content and appends its bytes.
    pub fn parse_line(
        &mut self,
        (number, line): (usize, &'a str),
        bytes: &mut Bytes,
    ) -> Result<(), LineFault<'a>> {
        if line.ends_with(' ') {
            let expected = r"\x20 for the last space of a line, so that it can be seen";
            return Err(LineFault::new(&line[line.len() - 1..], expected));
        }
        let mut rest = line;
        let mut is_first_letter = true;
        loop {
            let (raw, after) = split_raw(rest);
            self.push(raw.as_bytes(), bytes);
            rest = after;
            match rest {
                "" => break,
                r"\" => return Ok(()),
                r"\n" => {
                    self.push(b"\n", bytes);
                    return Ok(());
                }
                _ => {}
            }
            if let Some((letter, after)) = parse_letter(rest) {
                if is_first_letter {
                    let offset = self.raw_bytes;
                    self.letters.push(RawLetter { offset, line: (number, line), at: rest });
                }
                is_first_letter = false;
                self.push(letter.as_bytes(), bytes);
                rest = after;
            } else if rest.starts_with(r"\{") {
                rest = parse_counted(rest, bytes)?;
                is_first_letter = true; // a repeat may have an LF
            } else {
                let (byte, after) = parse_byte(rest)?;
                self.push(&[byte], bytes);
                is_first_letter |= byte == b'\n';
                rest = after;
            }
        }
        self.push(b"\r\n", bytes);
        Ok(())
    }

    fn push(&mut self, raw: &[u8], bytes: &mut Bytes) {
        bytes.push_raw(raw);
        self.raw_bytes += raw.len();
    }

    /// Ends the block, which has these bytes: no raw letter may be in a head. The error has the
    /// letter's line.
    pub fn end(self, bytes: &Bytes) -> Result<(), ((usize, &'a str), LineFault<'a>)> {
        if self.letters.is_empty() {
            return Ok(()); // the heads are not needed
        }
        let heads = Heads::of(bytes);
        let letter = self.letters.iter().find(|letter| heads.contain(letter.offset));
        letter.map_or(Ok(()), |letter| {
            let why = "heads stay escaped, because there the bytes matter";
            let character = letter.at.chars().next().unwrap_or_default();
            Err((letter.line, not_raw(letter.at, character, why)))
        })
    }
}

/// Parses `\{101 "X: y\r\n"}` or `\{8412 bytes}` at the start of a text. Returns the text after it.
fn parse_counted<'a>(text: &'a str, bytes: &mut Bytes) -> Result<&'a str, LineFault<'a>> {
    let expected = || LineFault::new(text, r#"\{101 "repeated"} or \{8412 bytes}"#);
    let (count, what) = text[2..].split_once(' ').ok_or_else(expected)?;
    let count = parse_digits(count.as_bytes()).ok_or_else(expected)?;
    if let Some(rest) = what.strip_prefix("bytes}") {
        bytes.push_left_out(count);
        return Ok(rest);
    }
    if !what.starts_with('"') {
        return Err(expected());
    }
    let (repeated, rest) = parse_quoted(what, Letters::Escaped)?;
    bytes
        .push_repeat(count, &repeated)
        .map_err(|too_long| LineFault::new(text, too_long.to_string()))?;
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
        let (mut bytes, mut block) = (Bytes::new(), ParsedBlock::default());
        (1..)
            .zip(lines.lines())
            .try_for_each(|line| block.parse_line(line, &mut bytes))
            .map_err(|fault| fault.expected)?;
        block.end(&bytes).map_err(|((line, _), fault)| format!("{line}: {}", fault.expected))?;
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
        let folded = format!("\\xff{}\\\n\\x2d-- \\n\n", "-".repeat(63));
        both_ways(&folded, &Bytes::raw([b"\xff".as_slice(), &[b'-'; 66], b" \n"].concat()));
        // A fold needs a byte after it.
        let whole = format!("{}\n", r"\xff".repeat(FOLD_BYTES));
        both_ways(&whole, &Bytes::raw([[0xff; FOLD_BYTES].as_slice(), b"\r\n"].concat()));
    }

    #[test]
    fn letters_are_raw_in_content_and_escaped_in_a_head() {
        both_ways("caf\u{e9} \u{6771}\\n\n", &Bytes::raw("café 東\n"));
        both_ways("\\x23\\xcc\\x81\n", &Bytes::raw("#\u{301}\r\n"));
        both_ways("\\x3e>>\u{301}\n", &Bytes::raw(">>>\u{301}\r\n"));
        both_ways("\\xcc\\x81\\xe2\\x80\\xae\\xc2\\x85\\\n", &Bytes::raw("\u{301}\u{202e}\u{85}"));
        let message = "GET /é HTTP/1.1\r\nX: é\r\n\r\né\r\n";
        both_ways("GET /\\xc3\\xa9 HTTP/1.1\nX: \\xc3\\xa9\n\né\n", &Bytes::raw(message));
        let mut bytes = Bytes::raw("HTTP/1.1 200 OK\r\n");
        assert_eq!(bytes.push_repeat(2, "X: é\r\n".as_bytes()), Ok(()));
        bytes.push_raw("Y: é\r\n\r\né".as_bytes());
        bytes.push_left_out(5);
        bytes.push_raw("é".as_bytes());
        both_ways(
            "HTTP/1.1 200 OK\n\\{2 \"X: \\xc3\\xa9\\r\\n\"}Y: \\xc3\\xa9\n\né\\{5 bytes}é\\\n",
            &bytes,
        );
    }

    #[test]
    fn a_raw_letter_in_a_head_is_an_error_in_its_line() {
        const HEAD: &str = r"\xc3\xa9 for 'é': heads stay escaped, because there the bytes matter";
        for (lines, line) in [
            ("GET /é HTTP/1.1", 1),
            ("é\nHTTP/1.1 200 OK\nX: é\n\né", 3),
            ("a\\nGET /é\\\n HTTP/1.1\\", 1),
            ("é\\nGET /é HTTP/1.1", 1),
            ("é\\{1 \"\\n\"}é\\\n HTTP/1.1", 1),
        ] {
            assert_eq!(parsed(lines), Err(format!("{line}: {HEAD}")), "{lines}");
        }
    }

    #[test]
    fn a_line_of_text_in_any_language_is_not_folded() {
        let text = "東".repeat(100);
        both_ways(&format!("{text}\n"), &Bytes::raw(format!("{text}\r\n")));
        // Cut by a read, at both ends.
        let cut = &text.as_bytes()[1..299];
        let lines = format!("\\x9d\\xb1{}\\xe6\\x9d\\\n", "東".repeat(98));
        both_ways(&lines, &Bytes::raw(cut));
        // A control byte or a byte that is no UTF-8 makes a line binary, from its first letter on.
        for byte in ["\\x1b", "\\xff"] {
            let value = u8::from_str_radix(&byte[2..], 16).unwrap();
            let bytes = [text.as_bytes(), &[value], "é\r\né\r\n".as_bytes()].concat();
            let mut printed = String::new();
            assert_eq!(print(&Bytes::raw(&bytes), &mut printed), Ok(()));
            assert!(printed.starts_with(&(r"\xe6\x9d\xb1".repeat(21) + r"\xe6\" + "\n")));
            assert!(printed.ends_with(&format!("{byte}\\xc3\\xa9\né\n")), "{printed}");
            assert_eq!(parsed(&printed), Ok(Bytes::raw(&bytes)));
        }
    }

    #[test]
    fn lines_that_are_not_canonical_are_parsed() {
        for (lines, bytes) in [
            ("a\\r\\n", "a\r\n"),
            ("a\\nb\\x0a", "a\nb\n\r\n"),
            ("\\x6A\\x6a", "jj\r\n"),
            ("GET \\\n/\\\n", "GET /"),
            ("\u{301}é\\x1bé\\", "\u{301}é\x1bé"),
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
