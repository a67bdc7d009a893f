//! # Escapes: any byte as printable ASCII, and back
//!
//! ```text
//! A ~ \r \n \t \0 \\ \x1b \xff
//! ```
//!
//! Rule: ASCII 0x20 to 0x7E except the backslash is written as itself. Five bytes have a short escape.
//! All others are `\xHH` in lower case. Each function that escapes is followed by the one that parses.
//! A parser returns what it read and the rest of the text, or what it expected.

/// The bytes with a short escape.
const SHORT: [(&str, u8); 5] =
    [(r"\r", b'\r'), (r"\n", b'\n'), (r"\t", b'\t'), (r"\0", b'\0'), (r"\\", b'\\')];

/// Appends a byte: by its short escape if it has one, raw if it is printable, or else as `\xHH`.
pub(super) fn escape(byte: u8, text: &mut String) {
    match SHORT.iter().find(|(_, known)| *known == byte) {
        Some((short, _)) => text.push_str(short),
        None if needs_hex(byte) => text.push_str(&hex_escape(byte)),
        None => text.push(char::from(byte)),
    }
}

/// Any byte as `\xHH`.
pub(super) fn hex_escape(byte: u8) -> String {
    format!(r"\x{byte:02x}")
}

/// Whether `\xHH` is the only way to write this byte.
pub(super) fn needs_hex(byte: u8) -> bool {
    !matches!(byte, b' '..=b'~') && SHORT.iter().all(|(_, known)| *known != byte)
}

/// Undoes [`escape`]: parses the first byte of a text that is not empty.
pub(super) fn parse_byte(text: &str) -> Result<(u8, &str), String> {
    for (short, byte) in SHORT {
        if let Some(rest) = text.strip_prefix(short) {
            return Ok((byte, rest));
        }
    }
    if let Some(digits) = text.strip_prefix(r"\x") {
        return parse_hex(digits).ok_or_else(|| r"two hexadecimal digits after \x".to_owned());
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

fn parse_hex(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    if digits.starts_with('+') {
        return None; // std's own parser would accept `+5`
    }
    Some((u8::from_str_radix(digits, 16).ok()?, rest))
}

/// Bytes between quotes, such as `"X: y\r\n"`.
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

/// Bytes without quotes, for the rest of a line. A space at either end is written as `\x20`.
pub(super) fn escape_value(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b' ' if at == 0 || at + 1 == bytes.len() => text.push_str(&hex_escape(b' ')),
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
            assert_eq!(parse_byte(&(hex_escape(byte) + "0")), Ok((byte, "0")));
            assert_eq!(parse_quoted(&(quote(&[byte]) + "0")), Ok((vec![byte], "0")));
            assert_eq!(parse_value(escape_value(&[byte]).trim()), Ok(vec![byte]));
        }
    }

    #[test]
    fn text_that_is_no_escape_is_an_error_that_says_how_to_write_it() {
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
