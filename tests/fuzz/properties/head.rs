//! Heads: a parsed head matches its bytes, and the result does not depend on where they were cut.

use openkitchen::Limits;
use openkitchen::message::fields::trim;
use openkitchen::message::head::{Head, Version};
use openkitchen::message::limits::MAX_FIELDS;
use openkitchen::message::refusal::Refused;

use super::{PROXY, is_printable, limits};

pub fn check(bytes: &[u8]) {
    if bytes.starts_with(PROXY) {
        return;
    }
    for limits in limits() {
        let parsed = Head::parse(bytes, &limits);
        let enough = the_shortest_prefix_decides(bytes, &limits, &parsed);
        match &parsed {
            Ok(None) => assert!(bytes.len() < limits.head, "the parser needs more than the limit"),
            Ok(Some(head)) => {
                assert_eq!(head.length, enough, "the parser needs more than the head");
                the_head_matches_its_bytes(head, &bytes[..head.length], &limits);
            }
            Err(refused) => the_refusal_is_explained(refused, bytes, enough, &limits),
        }
    }
}

/// The first result of a prefix, other than "incomplete", is the result of all longer ones. Otherwise the
/// response would depend on where TCP cuts the bytes. Returns the length of the shortest such prefix.
fn the_shortest_prefix_decides(
    bytes: &[u8],
    limits: &Limits,
    parsed: &Result<Option<Head>, Refused>,
) -> usize {
    let parse = |length: usize| Head::parse(&bytes[..length], limits);
    let Some(enough) = (0..=bytes.len()).find(|&length| parse(length) != Ok(None)) else {
        return bytes.len();
    };
    // Each length is parsed from the start, so only some of the longer ones are tried.
    let near = enough..(enough + 8).min(bytes.len());
    for length in near.chain((enough..=bytes.len()).step_by(61)) {
        assert_eq!(&parse(length), parsed, "cut at {length}");
    }
    enough
}

/// Parses the head a second time, by its line ends, spaces and colons.
fn the_head_matches_its_bytes(head: &Head, bytes: &[u8], limits: &Limits) {
    assert!(bytes.len() <= limits.head);
    let text = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
    let text = text.strip_suffix(b"\r\n\r\n").expect("an empty line at the end");
    let lines = text.split(|&byte| byte == b'\n');
    let mut lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut words = lines.next().expect("a request line").split(|&byte| byte == b' ');
    assert_eq!(words.next(), Some(head.method.name().as_bytes()));
    let target = head.target.whole.in_bytes(bytes);
    assert_eq!(words.next(), Some(target));
    assert!(!target.is_empty() && target.len() <= limits.target);
    let version = match words.next() {
        Some(b"HTTP/1.0") => Version::Http10,
        Some([b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9']) => Version::Http11,
        other => panic!("{other:?} is not a version"),
    };
    assert_eq!(head.version, version);
    assert_eq!(words.next(), None, "a fourth word");

    let fields: Vec<(&str, &[u8])> = head.fields(bytes).iter().collect();
    assert!(fields.len() <= MAX_FIELDS);
    let expected: Vec<(&str, &[u8])> = lines.map(field).collect();
    assert_eq!(fields, expected);
    let is_host = |(name, _): &&(&str, &[u8])| name.eq_ignore_ascii_case("host");
    let hosts = fields.iter().filter(is_host).count();
    assert!(hosts == 1 || (hosts == 0 && head.version == Version::Http10), "{hosts} hosts");
}

/// Parses a field line by RFC 9110 section 5: a token, a colon, and a value without control characters.
fn field(line: &[u8]) -> (&str, &[u8]) {
    let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
    let name = std::str::from_utf8(&line[..colon]).expect("ASCII");
    let is_token = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
    assert!(!name.is_empty() && name.chars().all(is_token), "{name:?} is not a name");
    let value = trim(&line[colon + 1..]);
    assert!(!value.iter().any(|&byte| byte != b'\t' && byte.is_ascii_control()), "a control byte");
    (name, value)
}

/// A refusal is at a received byte, or at the first one past the limit. Its explanation does not depend
/// on the bytes received after it.
fn the_refusal_is_explained(refused: &Refused, bytes: &[u8], enough: usize, limits: &Limits) {
    assert!(refused.at.is_none_or(|at| at < enough || at == limits.head));
    let explain = |received: usize| refused.explained(&bytes[..received.min(limits.head)], limits);
    let text = explain(enough);
    assert_eq!(text, explain(bytes.len()), "the text depends on the bytes after it");
    assert!(is_printable(&text) && text.len() < 1500, "{text}");
    assert!(text.starts_with(refused.refusal.rule().why), "{text}");
}
