//! # Base64, read strictly
//!
//! Three bytes as four letters, so that any bytes can stand in a field. It hides nothing: it is a
//! spelling, not a lock.
//!
//! ```text
//! c3RhZmY6YWJjMTIz   is   staff:abc123
//! ```
//! Rule: RFC 4648 section 4 (alphabet, padding), section 3.3 (no other bytes), section 3.5 (the
//! bits left over are zero). One text has one spelling, and whatever else arrives is refused.

/// The bytes that `text` spells, or `None` where it breaks a rule.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return None; // section 3.2: the padding is part of it
    }
    let letters = match text {
        [letters @ .., b'=', b'='] | [letters @ .., b'='] => letters,
        letters => letters,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in letters.chunks(4) {
        // Six bits a letter, the first letter highest.
        let mut bits = 0u32;
        for &letter in group {
            bits = bits << 6 | six_bits(letter)?;
        }
        match group.len() {
            4 => bytes.extend([(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]),
            // section 3.5: 18 bits hold two bytes and 2 bits of nothing; 12 hold one and 4.
            3 if bits & 0b11 == 0 => bytes.extend([(bits >> 10) as u8, (bits >> 2) as u8]),
            2 if bits & 0b1111 == 0 => bytes.push((bits >> 4) as u8),
            _ => return None,
        }
    }
    Some(bytes)
}

fn six_bits(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
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
    fn a_second_spelling_is_refused() {
        for text in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "=", "Zg==Zg==", "Zm 9v", "Zm9v\n",
            "Zm9-", "Zm9ö", "Zm9",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
