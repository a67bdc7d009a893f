//! Properties for the fuzzer: a property holds for any bytes. It takes bytes, and panics if it does not
//! hold for them.
//!
//! The fuzzer looks for bytes that break a property (`make fuzz`). `tests/oracle/corpus.rs` tries
//! each property on the inputs that the fuzzer found and on every transcript of `tests/exchanges/`.

mod chunked;
mod connection;
mod explain;
mod framing;
mod head;
mod memory;
mod target;
mod transcript;

use openkitchen::Limits;

use crate::rfc;

/// A property, or several of the same bytes.
pub type Property = fn(&[u8]);

/// All properties, each with the name of its fuzz target and of its folder in the corpus.
pub const ALL: [(&str, Property); 8] = [
    ("head", head::check),
    ("framing", framing::check),
    ("chunked", chunked::check),
    ("target", target::check),
    ("transcript", transcript::check),
    ("explain", explain::check),
    ("connection", connection::check),
    ("paces", connection::check_at_every_pace),
];

/// Tries the property with this name.
///
/// # Panics
/// If it does not hold, or if no property has this name.
pub fn try_on(name: &str, bytes: &[u8]) {
    let property = ALL.iter().find(|(known, _)| *known == name);
    property.unwrap_or_else(|| panic!("no property has the name {name}")).1(bytes);
}

/// The first bytes of version 2 of the PROXY protocol. The server recognizes them only in one read: the
/// first four bytes are two empty lines, which it refuses at once. So these bytes are left out.
const PROXY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The default limits, and small ones.
fn limits() -> [Limits; 2] {
    [Limits::default(), Limits { head: 256, target: 64, content: 16, ..Limits::default() }]
}

/// The requests at the start of a stream, as the second reading of RFC 9112 finds them.
fn requests<'a>(bytes: &'a [u8], limits: &Limits) -> Vec<rfc::requests::Request<'a>> {
    let &Limits { head, target, content, .. } = limits;
    rfc::requests::requests(bytes, rfc::requests::Limits { head, target, content })
}

/// Pseudo-random numbers that are the same for the same bytes: a hash (FNV-1a), then xorshift.
#[derive(Clone, Copy, Debug)]
struct Random(u64);

impl Random {
    fn from(bytes: &[u8]) -> Random {
        let hash = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Random(bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }
}

/// Whether the text has only visible ASCII, spaces and line feeds.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
}
