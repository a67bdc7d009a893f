//! # Prints received bytes safely
//!
//! A terminal obeys control bytes, and a log line ends at a line feed. So received bytes are never
//! printed raw: every byte except visible ASCII and space is printed as an escape. Where text beyond ASCII
//! is shown as it is, bidirectional controls are not.

use std::fmt::{self, Write};

/// Prints bytes as visible ASCII: `\r`, `\n`, `\t`, and `\xHH` for all others.
///
/// ```
/// # use openkitchen::message::visible::Visible;
/// assert_eq!(Visible(b"a\x1b[2J\r\n").to_string(), r"a\x1b[2J\r\n");
/// ```
pub struct Visible<'a>(pub &'a [u8]);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            match byte {
                b'\r' => f.write_str("\\r")?,
                b'\n' => f.write_str("\\n")?,
                b'\t' => f.write_str("\\t")?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        Ok(())
    }
}

/// The characters with the property Bidi_Control in Unicode: marks, embeddings and overrides, isolates.
const BIDI_CONTROLS: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Whether a character is a bidirectional (bidi) control: it is invisible and changes the direction of
/// writing. After U+202E, `gpj.exe` is shown as `exe.jpg`. Rule: <https://www.unicode.org/reports/tr9/>.
pub fn is_bidi_control(character: char) -> bool {
    BIDI_CONTROLS.contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bidirectional_control_is_one() {
        let all: String = ('\0'..=char::MAX).filter(|one| is_bidi_control(*one)).collect();
        let expected = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\
                        \u{2066}\u{2067}\u{2068}\u{2069}";
        assert_eq!(all, expected);
    }
}
