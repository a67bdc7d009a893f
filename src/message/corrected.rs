//! # The corrected line in an error response
//!
//! If a small change makes a refused line valid, the error response shows the line with that change.
//!
//! ```text
//! Host : example.test          the line received
//!     ^
//! Host: example.test           the corrected line
//! ```
//! The corrected line is shown and never used: only the client knows what it meant. Nothing is shown if
//! the line could mean two things (two lengths that differ, a folded line), or if it should not be there
//! at all (a second Host).
//! Next: [`observer`](crate::net::observer).

use std::ops::Range;

use super::chunked::{Decoded, Decoder};
use super::fields::{is_value_byte, members, trim};
use super::framing::Framing;
use super::head::Head;
use super::limits::Limits;
use super::method::Method;
use super::refusal::{Refusal, Refused};
use super::target::is_target_byte;

/// Changes that are tried on one line. A target may contain both a bad escape and a bad byte.
const MAX_CHANGES: usize = 4;

/// Returns the refused line in a valid form, or `None` if [`MAX_CHANGES`] changes do not make it valid.
pub(super) fn corrected_line(
    refused: &Refused,
    bytes: &[u8],
    line: Range<usize>,
    limits: &Limits,
) -> Option<Vec<u8>> {
    let before = &bytes[..line.start];
    let (mut refused, mut line) = (*refused, bytes[line].to_vec());
    for _ in 0..MAX_CHANGES {
        line = corrected(refused.refusal, &line, refused.at?.checked_sub(before.len())?)?;
        match still_refused(&line, before, limits) {
            Some(next) => refused = next,
            None => return Some(line),
        }
    }
    None
}

/// Returns why a corrected line after the bytes `before` would still be refused. The bytes that follow
/// it in the request are left out, since they may not have arrived.
fn still_refused(line: &[u8], before: &[u8], limits: &Limits) -> Option<Refused> {
    let line = line.strip_suffix(b"\r\n").unwrap_or(line);
    let check = |rest: &[u8]| check_request(&[before, line, rest].concat(), limits).err();
    let refused = match check(b"\r\n\r\n")? {
        Refused { refusal: Refusal::HostMissing, .. } => check(b"\r\nHost: h\r\n\r\n")?,
        refused => refused,
    };
    let span = before.len()..before.len() + line.len() + 2;
    refused.at.is_none_or(|at| span.contains(&at)).then_some(refused)
}

/// Checks the bytes of a request that may be incomplete, with the rules that the server applies.
pub(crate) fn check_request(bytes: &[u8], limits: &Limits) -> Result<(), Refused> {
    let Some(head) = Head::parse(bytes, limits)? else { return Ok(()) };
    let framing = Framing::of(&head, bytes)?;
    head.expects_continue(bytes)?;
    if framing != Framing::Chunked {
        return Ok(());
    }
    let (mut decoder, mut at) = (Decoder::new(limits.content), head.length);
    loop {
        match decoder.step(&bytes[at..]).map_err(|(refusal, bad)| refusal.at(at + bad))? {
            Decoded::Framing(length) | Decoded::Content(length) => at += length,
            Decoded::Partial | Decoded::End(_) => return Ok(()),
        }
    }
}

/// Makes the one change that `refusal` at byte `at` of the line needs. `line` has its line end only if
/// the line end is wrong.
fn corrected(refusal: Refusal, line: &[u8], at: usize) -> Option<Vec<u8>> {
    let byte = *line.get(at)?;
    let rest = |from: usize| from..line.len();
    let (span, with): (Range<usize>, Vec<u8>) = match refusal {
        Refusal::BareLf => (rest(at), b"\r\n".to_vec()),
        Refusal::RequestLine if byte == b' ' => {
            let spaces = at - blanks(line[..at].iter().rev())..at + blanks(&line[at..]);
            let with: &[u8] = match spaces.len() {
                _ if spaces.start == 0 || spaces.end == line.len() => b"",
                // A space inside the target becomes an escape.
                1 => b"%20",
                _ => b" ",
            };
            (spaces, with.to_vec())
        }
        // Only if the line begins with a method: `EHLO example.test` is no HTTP.
        Refusal::NoVersion if method(line).is_some() => (at..at, b" HTTP/1.1".to_vec()),
        Refusal::Version | Refusal::VersionUnsupported => {
            let version = line.iter().rposition(|&byte| byte == b' ')? + 1;
            (rest(version), b"HTTP/1.1".to_vec())
        }
        Refusal::MethodUnknown => {
            let name = method(&line.to_ascii_uppercase())?.name();
            (0..name.len(), name.into())
        }
        Refusal::TargetFragment => (at..at + word(&line[at..]).len(), Vec::new()),
        // These bytes become escapes, except control bytes, which are errors.
        Refusal::TargetByte if !byte.is_ascii_control() => {
            let word = word(&line[at..]);
            (at..at + word.len(), word.iter().flat_map(|&byte| escaped(byte)).collect())
        }
        Refusal::TargetPercent => (at..at + 1, b"%25".to_vec()),
        Refusal::TargetForm
            if byte.is_ascii_alphanumeric() && !word(&line[at..]).contains(&b':') =>
        {
            (at..at, b"/".to_vec())
        }
        Refusal::SpaceBeforeFields | Refusal::SpaceBeforeColon => {
            (at..at + blanks(&line[at..]), Vec::new())
        }
        // `Host h`, but not a line that begins with a method, such as a second request line.
        Refusal::NoColon if is_blank(byte) && method(line).is_none() => {
            (at..at + blanks(&line[at..]), b": ".to_vec())
        }
        Refusal::FieldValue => {
            let value = line[at..].iter().filter(|&&byte| is_value_byte(byte));
            (rest(at), value.copied().collect())
        }
        Refusal::LengthInvalid | Refusal::ChunkSize if byte == b'+' => (at..at + 1, Vec::new()),
        // Equal members become one.
        Refusal::LengthInvalid | Refusal::LengthRepeated | Refusal::CodingTwice
            if line.contains(&b',') =>
        {
            let value = after_colon(line)?;
            let mut members = members(&line[value..]);
            let first = members.next()?;
            if members.any(|other| !other.eq_ignore_ascii_case(first)) {
                return None;
            }
            (rest(value), [b" ", first].concat())
        }
        Refusal::ExpectationUnknown => (rest(after_colon(line)?), b" 100-continue".to_vec()),
        Refusal::ChunkSize if line.starts_with(b"0x") && at == 1 => (0..2, Vec::new()),
        Refusal::ChunkSize | Refusal::ChunkExtension if is_blank(byte) => {
            (rest(0), trim(line).to_vec())
        }
        _ => return None,
    };
    Some([&line[..span.start], &with, &line[span.end..]].concat())
}

/// Returns the method that a request line begins with.
fn method(line: &[u8]) -> Option<Method> {
    Method::named(word(line))
}

/// Returns the bytes up to the first space.
fn word(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == b' ').next().unwrap_or_default()
}

/// Escapes a byte for a target if it needs it. A percent sign stays: it may begin an escape.
fn escaped(byte: u8) -> Vec<u8> {
    match is_target_byte(byte) || byte == b'%' {
        true => vec![byte],
        false => format!("%{byte:02X}").into_bytes(),
    }
}

/// Returns the offset after the first colon.
fn after_colon(line: &[u8]) -> Option<usize> {
    line.iter().position(|&byte| byte == b':').map(|colon| colon + 1)
}

fn is_blank(byte: u8) -> bool {
    b" \t".contains(&byte)
}

/// Counts the spaces and tabs at the start.
fn blanks<'a>(text: impl IntoIterator<Item = &'a u8>) -> usize {
    text.into_iter().take_while(|&&byte| is_blank(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_makes_the_line_valid() {
        use Refusal::*;
        for (refusal, line, at, expected) in [
            (SpaceBeforeColon, "Host \t: h", 4, "Host: h"),
            (SpaceBeforeFields, "  Host: h", 0, "Host: h"),
            (RequestLine, "GET  / HTTP/1.1", 4, "GET / HTTP/1.1"),
            (RequestLine, "GET /  HTTP/1.1", 5, "GET / HTTP/1.1"),
            (RequestLine, "GET / HTTP/1.1  ", 14, "GET / HTTP/1.1"),
            (RequestLine, "GET /a b HTTP/1.1", 6, "GET /a%20b HTTP/1.1"),
            (NoVersion, "GET /\r\n", 5, "GET / HTTP/1.1\r\n"),
            (Version, "GET / http/1.1", 6, "GET / HTTP/1.1"),
            (VersionUnsupported, "GET / HTTP/2.0", 6, "GET / HTTP/1.1"),
            (MethodUnknown, "get / HTTP/1.1", 0, "GET / HTTP/1.1"),
            (TargetByte, "GET /a|b{ HTTP/1.1", 6, "GET /a%7Cb%7B HTTP/1.1"),
            (TargetFragment, "GET /a#b HTTP/1.1", 6, "GET /a HTTP/1.1"),
            (TargetPercent, "GET /100% HTTP/1.1", 8, "GET /100%25 HTTP/1.1"),
            (TargetForm, "GET about HTTP/1.1", 4, "GET /about HTTP/1.1"),
            (FieldValue, "X: a\u{7}b", 4, "X: ab"),
            (BareLf, "Host: h\n", 7, "Host: h\r\n"),
            (ExpectationUnknown, "Expect: 200-ok", 8, "Expect: 100-continue"),
            (NoColon, "Host \th", 4, "Host: h"),
            (LengthInvalid, "Content-Length: +5", 16, "Content-Length: 5"),
            (LengthInvalid, "Content-Length: 5,", 17, "Content-Length: 5"),
            (LengthRepeated, "Content-Length: 5, 5", 19, "Content-Length: 5"),
            (CodingTwice, "TE: chunked,Chunked", 12, "TE: chunked"),
            (ChunkSize, " 5", 0, "5"),
            (ChunkSize, "+5", 0, "5"),
            (ChunkSize, "0x5;a", 1, "5;a"),
            (ChunkExtension, "5 ", 1, "5"),
        ] {
            let corrected = corrected(refusal, line.as_bytes(), at).expect(line);
            assert_eq!(String::from_utf8_lossy(&corrected), expected);
        }
    }

    #[test]
    fn a_line_that_could_mean_two_things_is_not_corrected() {
        use Refusal::*;
        for (refusal, line, at) in [
            (LengthTwice, "Content-Length: 5, 6", 19),
            (LengthInvalid, "Content-Length: 5x", 17),
            (LengthInvalid, "Content-Length: -5", 16),
            (ChunkSize, "0x5", 2),
            (NoColon, "GET / HTTP/1.1", 3),
            (Folding, " b", 0),
            (MethodUnknown, "BREW /", 0),
            (NoVersion, "EHLO h", 6),
            (TargetByte, "GET /a\0", 6),
        ] {
            assert_eq!(corrected(refusal, line.as_bytes(), at), None, "{line}");
        }
    }
}
