//! # Prints received bytes safely
//!
//! A terminal obeys control bytes, and a log line ends at a line feed. So received bytes are never
//! printed raw: every byte except visible ASCII and space is printed as an escape.

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
