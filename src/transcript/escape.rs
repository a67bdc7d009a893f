//! # Escapes: any byte as visible text, and back
//!
//! ```text
//! A ~ é \r \n \t \0 \\ \x1b \xff
//! ```
//!
//! Rule: ASCII 0x20 to 0x7E except the backslash is written as itself. Where letters are raw, so is a
//! character beyond ASCII that is showable. Five bytes have a short escape. All others are `\xHH` in
//! lower case. Each function that escapes is followed by the one that parses. A parser returns what it
//! read and the rest of the text, or what it expected.

use super::fault::LineFault;
use super::letters::{is_mark, is_showable};

/// The bytes with a short escape.
const SHORT: [(&str, u8); 5] =
    [(r"\r", b'\r'), (r"\n", b'\n'), (r"\t", b'\t'), (r"\0", b'\0'), (r"\\", b'\\')];

/// What becomes of the characters beyond ASCII in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// Each is raw if it is showable: in content.
    Raw,
    /// Each byte is escaped: in heads, values and repeats.
    Escaped,
}

/// Appends a byte: by its short escape if it has one, raw if it is printable, or else as `\xHH`.
pub(super) fn escape(byte: u8, text: &mut String) {
    if is_raw(byte) {
        return text.push(char::from(byte));
    }
    match SHORT.iter().find(|(_, known)| *known == byte) {
        Some((short, _)) => text.push_str(short),
        None => escape_as_hex(byte, text),
    }
}

/// Whether a byte is written as itself.
fn is_raw(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\\'
}

/// Splits a text after the bytes at its start that are written as themselves.
pub(super) fn split_raw(text: &str) -> (&str, &str) {
    let is_escaped = |byte: &u8| !is_raw(*byte);
    text.split_at(text.as_bytes().iter().position(is_escaped).unwrap_or(text.len()))
}

/// Appends any byte as `\xHH`.
pub(super) fn escape_as_hex(byte: u8, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    text.push_str(r"\x");
    text.push(digit(byte >> 4));
    text.push(digit(byte & 0xf));
}

/// Whether `\xHH` is the only way to write this byte, if it is no part of a letter.
pub(super) fn needs_hex(byte: u8) -> bool {
    !is_raw(byte) && SHORT.iter().all(|(_, known)| *known != byte)
}

/// Appends bytes. A combining mark is raw only after another raw character, because it would change an
/// escape or the text before it.
pub(super) fn escape_all(bytes: &[u8], letters: Letters, text: &mut String) {
    if letters == Letters::Escaped {
        return bytes.iter().for_each(|byte| escape(*byte, text));
    }
    let mut is_after_raw = false;
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        loop {
            let (raw, after) = split_raw(rest);
            text.push_str(raw);
            is_after_raw |= !raw.is_empty();
            let mut characters = after.chars();
            let Some(character) = characters.next() else { break };
            is_after_raw = is_showable(character) && (is_after_raw || !is_mark(character));
            match is_after_raw {
                true => text.push(character),
                false => escape_bytes_of(character, text),
            }
            rest = characters.as_str();
        }
        for byte in chunk.invalid() {
            escape(*byte, text);
            is_after_raw = false;
        }
    }
}

/// Appends the bytes of a character, each as `\xHH` unless it has a short escape.
pub(super) fn escape_bytes_of(character: char, text: &mut String) {
    character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| escape(byte, text));
}

/// Undoes [`escape`]: parses the first byte of a text that is not empty.
pub(super) fn parse_byte(text: &str) -> Result<(u8, &str), LineFault<'_>> {
    if let [raw, ..] = text.as_bytes()
        && is_raw(*raw)
    {
        return Ok((*raw, &text[1..]));
    }
    if let Some(digits) = text.strip_prefix(r"\x") {
        return parse_hex(digits)
            .ok_or_else(|| LineFault::new(text, r"two hexadecimal digits after \x"));
    }
    for (short, byte) in SHORT {
        if let Some(rest) = text.strip_prefix(short) {
            return Ok((byte, rest));
        }
    }
    match text.chars().next() {
        Some(other) if other != '\\' => {
            let why = match is_showable(other) {
                true => "letters beyond ASCII are raw only in content",
                false => "only what a reader can see is raw",
            };
            Err(not_raw(text, other, why))
        }
        _ => Err(LineFault::new(text, r"an escape: \r \n \t \0 \\ or \xHH")),
    }
}

/// The mistake that the first character of `at` is raw.
pub(super) fn not_raw<'a>(at: &'a str, character: char, why: &str) -> LineFault<'a> {
    let mut escaped = String::new();
    escape_bytes_of(character, &mut escaped);
    let shown = match character.is_ascii() || is_showable(character) {
        true => format!("{character:?}"),
        false => format!("'{}'", character.escape_unicode()),
    };
    LineFault::new(at, format!("{escaped} for {shown}: {why}"))
}

fn parse_hex(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    if digits.starts_with('+') {
        return None; // std's own parser would accept `+5`
    }
    Some((u8::from_str_radix(digits, 16).ok()?, rest))
}

/// Splits a text after its first character, if that may stand raw beyond ASCII. A combining mark may
/// stand anywhere: which characters are marks may change, and every text of today stays valid.
pub(super) fn parse_letter(text: &str) -> Option<(&str, &str)> {
    let letter = text.chars().next().filter(|letter| is_showable(*letter))?;
    Some(text.split_at(letter.len_utf8()))
}

/// Bytes between quotes, such as `"X: y\r\n"`.
pub(super) fn quote(bytes: &[u8], letters: Letters) -> String {
    let mut text = String::new();
    for part in bytes.split(|&byte| byte == b'"') {
        text.push_str(if text.is_empty() { "\"" } else { "\\\"" });
        escape_all(part, letters, &mut text);
    }
    text + "\""
}

/// Undoes [`quote`].
pub(super) fn parse_quoted(text: &str, letters: Letters) -> Result<(Vec<u8>, &str), LineFault<'_>> {
    let mut bytes = Vec::new();
    let mut rest =
        text.strip_prefix('"').ok_or_else(|| LineFault::new(text, "an opening quote"))?;
    loop {
        if let Some(after) = rest.strip_prefix('"') {
            return Ok((bytes, after));
        }
        if letters == Letters::Raw
            && let Some((letter, after)) = parse_letter(rest)
        {
            bytes.extend_from_slice(letter.as_bytes());
            rest = after;
            continue;
        }
        let (byte, after) = match rest.strip_prefix("\\\"") {
            Some(after) => (b'"', after),
            None if rest.is_empty() => return Err(LineFault::new(rest, "a closing quote")),
            None => parse_byte(rest)?,
        };
        bytes.push(byte);
        rest = after;
    }
}

/// Bytes without quotes, for the rest of a line. A space at either end is written as `\x20`.
pub(super) fn escape_value(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b' ' if at == 0 || at + 1 == bytes.len() => escape_as_hex(b' ', &mut text),
            _ => escape(*byte, &mut text),
        }
    }
    text
}

/// Undoes [`escape_value`].
pub(super) fn parse_value(text: &str) -> Result<Vec<u8>, LineFault<'_>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (byte, after) = parse_byte(rest)?;
        bytes.push(byte);
        rest = after;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_becomes_printable_text_and_that_byte_again() {
        for byte in 0..=u8::MAX {
            let (mut text, mut hex) = (String::new(), String::new());
            escape(byte, &mut text);
            escape_as_hex(byte, &mut hex);
            assert_eq!(hex, format!("\\x{byte:02x}"));
            assert!(text.bytes().all(|shown| matches!(shown, b' '..=b'~')), "{byte}");
            assert_eq!(parse_byte(&(text + "0")), Ok((byte, "0")));
            assert_eq!(parse_byte(&(hex + "0")), Ok((byte, "0")));
            for letters in [Letters::Raw, Letters::Escaped] {
                let quoted = quote(&[byte], letters) + "0";
                assert_eq!(parse_quoted(&quoted, letters), Ok((vec![byte], "0")));
            }
            assert_eq!(parse_value(escape_value(&[byte]).trim()), Ok(vec![byte]));
        }
    }

    #[test]
    fn a_letter_that_can_be_seen_is_raw_and_a_mark_only_after_a_raw_character() {
        for (bytes, text) in [
            ("Grüße, 東京".as_bytes(), "Grüße, 東京"),
            ("e\u{301}\u{302} \u{301}".as_bytes(), "e\u{301}\u{302} \u{301}"),
            ("\u{301}a\\\u{301}\"\u{301}".as_bytes(), r#"\xcc\x81a\\\xcc\x81\"\xcc\x81"#),
            ("\u{202e}\u{301}\u{3164}\u{a0}".as_bytes(), {
                r"\xe2\x80\xae\xcc\x81\xe3\x85\xa4\xc2\xa0"
            }),
            (b"\xc3\xc3\xa9\xff\xcc\x81\xe6\x9d", r"\xc3é\xff\xcc\x81\xe6\x9d"),
        ] {
            let quoted = quote(bytes, Letters::Raw);
            assert_eq!(quoted, format!("\"{text}\""));
            assert_eq!(parse_quoted(&quoted, Letters::Raw), Ok((bytes.to_vec(), "")));
        }
        assert_eq!(quote("é".as_bytes(), Letters::Escaped), r#""\xc3\xa9""#);
        let mark = parse_quoted("\"\u{301}\"", Letters::Raw);
        assert_eq!(mark, Ok(("\u{301}".into(), "")));
    }

    #[test]
    fn text_that_is_no_escape_is_an_error_that_says_how_to_write_it() {
        for (text, expected) in [
            ("é", r"\xc3\xa9 for 'é': letters beyond ASCII are raw only in content"),
            ("\u{3000}", r"\xe3\x80\x80 for '\u{3000}': only what a reader can see is raw"),
            ("\tb", r"\t for '\t': only what a reader can see is raw"),
            (r"\q", r"an escape: \r \n \t \0 \\ or \xHH"),
            (r#"\""#, r"an escape: \r \n \t \0 \\ or \xHH"),
            (r"\", r"an escape: \r \n \t \0 \\ or \xHH"),
            (r"\x+5", r"two hexadecimal digits after \x"),
            (r"\x4", r"two hexadecimal digits after \x"),
            (r"\xé", r"two hexadecimal digits after \x"),
        ] {
            assert_eq!(parse_byte(text), Err(LineFault::new(text, expected)), "{text}");
        }
    }
}
