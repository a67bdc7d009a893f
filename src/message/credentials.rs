//! # Credentials: what a client sends in its Authorization field, and how a secret is compared
//!
//! ```text
//! Authorization: Basic c3RhZmY6YWJjMTIz    base64 of "staff:abc123"
//! Authorization: Bearer abc123
//! ```
//! Rule: RFC 9110 section 11.4 (credentials), RFC 7617 (Basic).  Next: [`base64`].

use std::hint::black_box;

use super::base64;

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 1024;

/// The key. It has no `Debug` and no getter, so that it cannot reach a log: it can only be compared.
pub struct Key {
    bytes: [u8; MAX_KEY_BYTES], // zeros after the key
    length: usize,
}

impl Key {
    /// A key of 1 to 1,024 bytes that clients can send. The error completes a sentence.
    pub fn new(key: &str) -> Result<Key, String> {
        let length = key.len();
        if !(1..=MAX_KEY_BYTES).contains(&length) {
            return Err(format!("it has {length} bytes, and 1 to {MAX_KEY_BYTES} are allowed"));
        }
        // RFC 9110 section 5.5: no field has a CR, LF or NUL, and spaces around a value are not
        // part of it. RFC 7617 section 2: a password has no control characters.
        if key.contains(['\r', '\n']) {
            return Err("it has a line end, which no client can send (`$(cat FILE)` removes the \
                        last one of a file)"
                .to_owned());
        }
        if key.contains(char::is_control) {
            return Err("it has a control character, which no client can send".to_owned());
        }
        if key.trim() != key {
            return Err("it has spaces around it, which clients leave out".to_owned());
        }
        Ok(Key { bytes: padded(key.as_bytes()), length })
    }

    /// Whether `given` is the key. The time that this takes does not depend on the key. (`==` stops at
    /// the first difference, so its time would reveal the key to an attacker, byte by byte.) It grows
    /// with the length of `given`, which the attacker knows: a query of 4,000 short values costs no more
    /// than one long value.
    pub fn matches(&self, given: &[u8]) -> bool {
        if given.len() > MAX_KEY_BYTES {
            return false;
        }
        // The loop reads all of `given` and collects every difference; the key is followed by zeros.
        // `black_box` stops the compiler from ending it early.
        let mut difference = self.length ^ given.len();
        for (ours, theirs) in self.bytes.iter().zip(given) {
            difference = black_box(difference | usize::from(ours ^ theirs));
        }
        difference == 0
    }
}

/// `bytes`, filled up with zeros.
fn padded(bytes: &[u8]) -> [u8; MAX_KEY_BYTES] {
    let mut padded = [0; MAX_KEY_BYTES];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

/// The credentials of a scheme in the value of an Authorization field; `None` if it has another scheme.
pub fn credentials<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    // RFC 9110 section 11.4: the scheme in any case, one or more spaces, the credentials.
    let (sent, credentials) = value.split_once(' ')?;
    sent.eq_ignore_ascii_case(scheme).then(|| credentials.trim_matches(' '))
}

/// The user name, a colon and the password of Basic, in the value of an Authorization field.
pub fn basic_credentials(value: &str) -> Option<Vec<u8>> {
    base64::decode(credentials(value, "basic")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new("abc:123+xyz").expect("a valid key")
    }

    #[test]
    fn a_key_matches_only_itself() {
        assert!(key().matches(b"abc:123+xyz"));
        for given in
            ["", "abc:123+xy", "abc:123+xyz ", "abc:123+xyz\0", "Abc:123+xyz", "bbc:123+xyz"]
        {
            assert!(!key().matches(given.as_bytes()), "{given:?}");
        }
        let longest = "k".repeat(MAX_KEY_BYTES);
        assert!(Key::new(&longest).expect("fits").matches(longest.as_bytes()));
        assert!(!Key::new(&longest).expect("fits").matches(&[b'k'; MAX_KEY_BYTES + 1]));
        assert!(Key::new("").is_err() && Key::new(&"k".repeat(MAX_KEY_BYTES + 1)).is_err());
    }

    #[test]
    fn a_key_that_no_client_can_send_is_an_error() {
        for (key, expected) in [
            ("abc\n", "a line end"),
            ("abc\r\n", "a line end"),
            ("a\nb", "a line end"),
            ("a\tb", "a control character"),
            ("\u{1b}", "a control character"),
            ("a\u{7f}", "a control character"),
            ("\u{85}a", "a control character"),
            (" abc", "spaces around it"),
            ("abc ", "spaces around it"),
        ] {
            let why = Key::new(key).err().expect("an error");
            assert!(why.contains(expected), "{key:?}: {why}");
        }
        for key in ["a b", "=", "\u{e9}t\u{e9}"] {
            assert!(Key::new(key).is_ok(), "{key:?}");
        }
    }
}
