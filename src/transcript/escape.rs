//! # A byte in the midst of text
//!
//! How does any of 256 bytes become characters that a terminal may show, and become that byte
//! again?
//!
//! ```text
//! A ~ \r \n \t \0 \\ \x1b \xff
//! ```
//!
//! Rule: ASCII 0x20 to 0x7E but for the backslash stands for itself; five bytes have a letter; the
//! others have their number, in lower case. Writers and readers stand side by side; a reader
//! returns what it read and the text behind it, or else what it expected.

/// The bytes whose escape is a letter.
const NAMED: [(&str, u8); 5] =
    [(r"\r", b'\r'), (r"\n", b'\n'), (r"\t", b'\t'), (r"\0", b'\0'), (r"\\", b'\\')];

/// Appends a byte: raw if it can be, or else by its letter, or else by its number.
pub(super) fn escape(byte: u8, text: &mut String) {
    match NAMED.iter().find(|(_, named)| *named == byte) {
        Some((name, _)) => text.push_str(name),
        None if needs_number(byte) => text.push_str(&number_escape(byte)),
        None => text.push(char::from(byte)),
    }
}

/// `\x1b`: any byte by its number.
pub(super) fn number_escape(byte: u8) -> String {
    format!(r"\x{byte:02x}")
}

/// Is there no other way to show this byte?
pub(super) fn needs_number(byte: u8) -> bool {
    !matches!(byte, b' '..=b'~') && NAMED.iter().all(|(_, named)| *named != byte)
}

/// Undoes [`escape`]: reads the first byte of a text that is not empty.
pub(super) fn parse_byte(text: &str) -> Result<(u8, &str), String> {
    for (name, byte) in NAMED {
        if let Some(rest) = text.strip_prefix(name) {
            return Ok((byte, rest));
        }
    }
    if let Some(digits) = text.strip_prefix(r"\x") {
        return parse_number(digits).ok_or_else(|| r"two hexadecimal digits after \x".to_owned());
    }
    match text.chars().next() {
        Some(raw @ ' '..='~') if raw != '\\' => Ok((raw as u8, &text[1..])),
        Some(other) if other != '\\' => {
            let mut escaped = String::new();
            other.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| escape(byte, &mut escaped));
            Err(format!("{escaped} for {other:?}: raw are ASCII 0x20 to 0x7E"))
        }
        _ => Err(r"an escape: \r \n \t \0 \\ or \xHH".to_owned()),
    }
}

fn parse_number(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    if digits.starts_with('+') {
        return None; // std's own parser would take `+5`
    }
    Some((u8::from_str_radix(digits, 16).ok()?, rest))
}

/// `"X: y\r\n"`: bytes between quotes.
pub(super) fn quote(bytes: &[u8]) -> String {
    let mut text = String::from('"');
    for byte in bytes {
        match byte {
            b'"' => text.push_str("\\\""),
            _ => escape(*byte, &mut text),
        }
    }
    text + "\""
}

/// Undoes [`quote`].
pub(super) fn parse_quoted(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut bytes = Vec::new();
    let mut rest = text.strip_prefix('"').ok_or("an opening quote")?;
    loop {
        if let Some(after) = rest.strip_prefix('"') {
            return Ok((bytes, after));
        }
        let (byte, after) = match rest.strip_prefix("\\\"") {
            Some(after) => (b'"', after),
            None if rest.is_empty() => return Err("a closing quote".to_owned()),
            None => parse_byte(rest)?,
        };
        bytes.push(byte);
        rest = after;
    }
}

/// Bytes that are the rest of a line, without quotes: there a space at either end needs its number.
pub(super) fn escape_value(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b' ' if at == 0 || at + 1 == bytes.len() => text.push_str(&number_escape(b' ')),
            _ => escape(*byte, &mut text),
        }
    }
    text
}

/// Undoes [`escape_value`].
pub(super) fn parse_value(text: &str) -> Result<Vec<u8>, String> {
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
            let mut text = String::new();
            escape(byte, &mut text);
            assert!(text.bytes().all(|shown| matches!(shown, b' '..=b'~')), "{byte}");
            assert_eq!(parse_byte(&(text + "0")), Ok((byte, "0")));
            assert_eq!(parse_byte(&(number_escape(byte) + "0")), Ok((byte, "0")));
            assert_eq!(parse_quoted(&(quote(&[byte]) + "0")), Ok((vec![byte], "0")));
            assert_eq!(parse_value(escape_value(&[byte]).trim()), Ok(vec![byte]));
        }
    }

    #[test]
    fn what_is_not_an_escape_is_told_how_to_become_one() {
        for (text, expected) in [
            ("é", r"\xc3\xa9 for 'é': raw are ASCII 0x20 to 0x7E"),
            ("\tb", r"\t for '\t': raw are ASCII 0x20 to 0x7E"),
            (r"\q", r"an escape: \r \n \t \0 \\ or \xHH"),
            (r#"\""#, r"an escape: \r \n \t \0 \\ or \xHH"),
            (r"\", r"an escape: \r \n \t \0 \\ or \xHH"),
            (r"\x+5", r"two hexadecimal digits after \x"),
            (r"\x4", r"two hexadecimal digits after \x"),
            (r"\xé", r"two hexadecimal digits after \x"),
        ] {
            assert_eq!(parse_byte(text), Err(expected.to_owned()), "{text}");
        }
    }
}
