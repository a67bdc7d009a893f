//! What holds for any bytes at all. A property takes bytes and panics where it does not hold.
//!
//! The fuzzer looks for bytes that break one (`make fuzz`); `tests/corpus.rs` tries each of them on
//! what the fuzzer once found worth keeping, and on every page below `tests/exchanges/`.

mod chunked;
mod connection;
mod explain;
mod framing;
mod head;
mod memory;
mod target;
mod transcript;

use openkitchen::Limits;

/// One property, or a family of them over the same bytes.
pub type Property = fn(&[u8]);

/// All properties, each with the name of its fuzz target and of its folder in the corpus.
pub const ALL: [(&str, Property); 8] = [
    ("head", head::holds),
    ("framing", framing::holds),
    ("chunked", chunked::holds),
    ("target", target::holds),
    ("transcript", transcript::holds),
    ("explain", explain::holds),
    ("connection", connection::holds),
    ("paces", connection::holds_at_every_pace),
];

/// Tries the property of that name.
///
/// # Panics
/// Where it does not hold, and where there is none of that name.
pub fn try_on(name: &str, bytes: &[u8]) {
    let property = ALL.iter().find(|(known, _)| *known == name);
    property.unwrap_or_else(|| panic!("no property is called {name}")).1(bytes);
}

/// How the second version of the PROXY protocol begins. It is known only where it comes in one piece: its
/// first four bytes are two empty lines, and whoever types those is not left to wait for an answer.
const PROXY: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The usual limits, and limits that are soon met.
fn limits() -> [Limits; 2] {
    [Limits::default(), Limits { head: 256, target: 64, content: 16, ..Limits::default() }]
}

/// Numbers that look random, and are the same for the same bytes.
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

/// Whether text may go to a terminal: visible ASCII and line feeds.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
}
