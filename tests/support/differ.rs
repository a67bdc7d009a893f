//! Shows the first byte at which received bytes differ from expected bytes.

use openkitchen::message::visible::Visible;

/// Bytes that are shown before the one that differs, and from it on.
const BYTES_BEFORE: usize = 40;
const BYTES_AFTER: usize = 30;

/// Returns the offset of the first byte that differs, or `None` if all are the same.
pub fn first(expected: &[u8], got: &[u8]) -> Option<usize> {
    let common = expected.iter().zip(got).take_while(|(one, other)| one == other).count();
    (common < expected.len().max(got.len())).then_some(common)
}

/// Returns both around that byte, one on a line, and a caret under it.
///
/// ```text
///   expected: Content-Length: 52\r\n\r\na space stan
///   got:      Content-Length: 53\r\n\r\na space stan
///                              ^ byte 131
/// ```
pub fn shown(expected: &[u8], got: &[u8], at: usize) -> String {
    let start = at.saturating_sub(BYTES_BEFORE);
    let line = |bytes: &[u8]| {
        let part = &bytes[start.min(bytes.len())..bytes.len().min(at + BYTES_AFTER)];
        Visible(part).to_string()
    };
    let caret = Visible(&expected[start..at]).to_string().len();
    let (expected, got) = (line(expected), line(got));
    format!("  expected: {expected}\n  got:      {got}\n            {:caret$}^ byte {at}\n", "")
}
