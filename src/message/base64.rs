//! # Decodes base64, strictly
//!
//! Base64 writes three bytes as four characters, so that a field can carry any bytes. It is an
//! encoding, not encryption: it hides nothing.
//!
//! ```text
//! c3RhZmY6YWJjMTIz   decodes to   staff:abc123
//! ```
//! Rule: RFC 4648 section 4 (alphabet, padding), section 3.3 (no other characters), section 3.5
//! (unused bits are zero). So every byte string has exactly one encoding, and all others are refused.

/// The bytes that `text` encodes, or `None` if it breaks a rule.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return None; // section 3.2: padding is required
    }
    let characters = match text {
        [characters @ .., b'=', b'='] | [characters @ .., b'='] => characters,
        characters => characters,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in characters.chunks(4) {
        // Six bits a character, the highest first.
        let mut bits = 0u32;
        for &character in group {
            bits = bits << 6 | six_bits(character)?;
        }
        match group.len() {
            4 => bytes.extend([(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]),
            // section 3.5: 18 bits are two bytes and 2 unused bits; 12 are one byte and 4.
            3 if bits & 0b11 == 0 => bytes.extend([(bits >> 10) as u8, (bits >> 2) as u8]),
            2 if bits & 0b1111 == 0 => bytes.push((bits >> 4) as u8),
            _ => return None,
        }
    }
    Some(bytes)
}

/// The value of a character of the alphabet.
fn six_bits(character: u8) -> Option<u32> {
    let value = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4648_section_10() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode("+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
    }

    #[test]
    fn any_other_encoding_is_refused() {
        for text in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "=", "Zg==Zg==", "Zm 9v", "Zm9v\n",
            "Zm9-", "Zm9ö", "Zm9",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
