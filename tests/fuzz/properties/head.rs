//! A head says what stands there and nothing else, and says it wherever the bytes were cut.

use openkitchen::Limits;
use openkitchen::message::fields::trim;
use openkitchen::message::head::{Head, Version};
use openkitchen::message::limits::MAX_FIELDS;
use openkitchen::message::refusal::Refused;

use super::{PROXY, is_plain, limits};

pub fn holds(bytes: &[u8]) {
    if bytes.starts_with(PROXY) {
        return;
    }
    for limits in limits() {
        let read = Head::parse(bytes, &limits);
        let enough = the_shortest_beginning_decides(bytes, &limits, &read);
        match &read {
            Ok(None) => assert!(bytes.len() < limits.head, "a full head is waited for"),
            Ok(Some(head)) => {
                assert_eq!(head.length, enough, "more is waited for than a head");
                it_says_what_stands_there(head, &bytes[..head.length], &limits);
            }
            Err(refused) => it_is_explained(refused, bytes, enough, &limits),
        }
    }
}

/// What is said of a beginning, other than "more", is said of all: or else what a server answers
/// would depend on how TCP cut the bytes. Returns how many bytes were enough to tell.
fn the_shortest_beginning_decides(
    bytes: &[u8],
    limits: &Limits,
    read: &Result<Option<Head>, Refused>,
) -> usize {
    let parse = |length: usize| Head::parse(&bytes[..length], limits);
    let Some(enough) = (0..=bytes.len()).find(|&length| parse(length) != Ok(None)) else {
        return bytes.len();
    };
    // From here on each length takes a parser that begins anew: a few have to do for all.
    let near = enough..(enough + 8).min(bytes.len());
    for length in near.chain((enough..=bytes.len()).step_by(61)) {
        assert_eq!(&parse(length), read, "cut at {length}");
    }
    enough
}

/// The head read a second time, by looking for line ends, spaces and colons.
fn it_says_what_stands_there(head: &Head, bytes: &[u8], limits: &Limits) {
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
        other => panic!("{other:?} is no version"),
    };
    assert_eq!(head.version, version);
    assert_eq!(words.next(), None, "a fourth word");

    let fields: Vec<(&str, &[u8])> = head.fields(bytes).iter().collect();
    assert!(fields.len() <= MAX_FIELDS);
    let again: Vec<(&str, &[u8])> = lines.map(field).collect();
    assert_eq!(fields, again);
    let is_host = |(name, _): &&(&str, &[u8])| name.eq_ignore_ascii_case("host");
    let hosts = fields.iter().filter(is_host).count();
    assert!(hosts == 1 || (hosts == 0 && head.version == Version::Http10), "{hosts} hosts");
}

/// A field line by the letter of RFC 9110 section 5: a token, a colon, and a value without controls.
fn field(line: &[u8]) -> (&str, &[u8]) {
    let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
    let name = std::str::from_utf8(&line[..colon]).expect("ASCII");
    let is_token = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
    assert!(!name.is_empty() && name.chars().all(is_token), "{name:?} is no name");
    let value = trim(&line[colon + 1..]);
    assert!(!value.iter().any(|&byte| byte != b'\t' && byte.is_ascii_control()), "a control byte");
    (name, value)
}

/// A refusal points at a byte that has come, or at the first for which there is no room, and is told in
/// the same words however much more has come.
fn it_is_explained(refused: &Refused, bytes: &[u8], enough: usize, limits: &Limits) {
    assert!(refused.at.is_none_or(|at| at < enough || at == limits.head));
    let told = |come: usize| refused.explained(&bytes[..come.min(limits.head)], limits);
    let text = told(enough);
    assert_eq!(text, told(bytes.len()), "the words depend on what came behind");
    assert!(is_plain(&text) && text.len() < 1500, "{text}");
    assert!(text.starts_with(refused.refusal.rule().why), "{text}");
}
