//! # 12c. The line as it should be
//!
//! Where a single change makes a line good, the answer to a refusal shows the line with that change.
//!
//! ```text
//! Host : example.test          the line that came
//!     ^
//! Host: example.test           the line as it should be
//! ```
//! It is shown and never acted upon: what a client meant, only the client knows. Where there is more
//! than one thing it could have meant (two lengths that differ, a fold), or where the line should not be
//! there at all (a second Host), nothing is shown.
//! Next: [`tap`](crate::net::observer).

use std::ops::Range;

use super::chunked::{Decoded, Decoder};
use super::fields::{is_value_byte, members, trim};
use super::framing::Framing;
use super::head::Head;
use super::limits::Limits;
use super::method::Method;
use super::refusal::{Refusal, Refused};
use super::target::is_target_byte;

/// Changes that are tried on one line: a target may hold an escape that is none, and a bad byte too.
const CHANGES: usize = 4;

/// The line that was refused, made good, or `None` where a change or a few do not make it that.
pub(super) fn corrected_line(
    refused: &Refused,
    bytes: &[u8],
    line: Range<usize>,
    limits: &Limits,
) -> Option<Vec<u8>> {
    let before = &bytes[..line.start];
    let (mut refused, mut line) = (*refused, bytes[line].to_vec());
    for _ in 0..CHANGES {
        line = corrected(refused.refusal, &line, refused.at?.checked_sub(before.len())?)?;
        match still_refused(&line, before, limits) {
            Some(next) => refused = next,
            None => return Some(line),
        }
    }
    None
}

/// What a line that stands behind `before` is refused for: it has to pass where the other has failed, or
/// it would teach the wrong thing. What came behind it is left out, since it may not have come yet.
fn still_refused(line: &[u8], before: &[u8], limits: &Limits) -> Option<Refused> {
    let line = line.strip_suffix(b"\r\n").unwrap_or(line);
    let judged = |rest: &[u8]| judged(&[before, line, rest].concat(), limits).err();
    let refused = match judged(b"\r\n\r\n")? {
        Refused { refusal: Refusal::HostMissing, .. } => judged(b"\r\nHost: h\r\n\r\n")?,
        refused => refused,
    };
    let place = before.len()..before.len() + line.len() + 2;
    refused.at.is_none_or(|at| place.contains(&at)).then_some(refused)
}

/// Reads a request, as far as it goes, as the server does.
fn judged(bytes: &[u8], limits: &Limits) -> Result<(), Refused> {
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

/// The line with the one change that `refusal`, which arose at byte `at` of it, asks for. `line` is
/// without its line end, unless that is what is wrong.
fn corrected(refusal: Refusal, line: &[u8], at: usize) -> Option<Vec<u8>> {
    let byte = *line.get(at)?;
    let rest = |from: usize| from..line.len();
    let (place, with): (Range<usize>, Vec<u8>) = match refusal {
        Refusal::BareLf => (rest(at), b"\r\n".to_vec()),
        Refusal::RequestLine if byte == b' ' => {
            let run = at - blanks(line[..at].iter().rev())..at + blanks(&line[at..]);
            let with: &[u8] = match run.len() {
                _ if run.start == 0 || run.end == line.len() => b"",
                // A space within the target: it travels as an escape.
                1 => b"%20",
                _ => b" ",
            };
            (run, with.to_vec())
        }
        // `EHLO example.test` lacks more than a version.
        Refusal::NoVersion if method(line).is_some() => (at..at, b" HTTP/1.1".to_vec()),
        Refusal::Version | Refusal::VersionUnsupported => {
            let version = line.iter().rposition(|&byte| byte == b' ')? + 1;
            (rest(version), b"HTTP/1.1".to_vec())
        }
        Refusal::MethodUnknown => {
            let name = method(&line.to_ascii_uppercase())?.name();
            (0..name.len(), name.into())
        }
        // A fragment is never sent; other bytes travel as escapes, but for those nobody means to send.
        Refusal::TargetByte if byte == b'#' => (at..at + word(&line[at..]).len(), Vec::new()),
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
        // `Host h`, but not a second request line.
        Refusal::NoColon if is_blank(byte) && method(line).is_none() => {
            (at..at + blanks(&line[at..]), b": ".to_vec())
        }
        Refusal::FieldValue => {
            let value = line[at..].iter().filter(|&&byte| is_value_byte(byte));
            (rest(at), value.copied().collect())
        }
        Refusal::LengthInvalid | Refusal::ChunkSize if byte == b'+' => (at..at + 1, Vec::new()),
        // The same thing said twice is said once.
        Refusal::LengthInvalid | Refusal::LengthTwice | Refusal::CodingTwice
            if line.contains(&b',') =>
        {
            let value = behind_colon(line)?;
            let mut said = members(&line[value..]);
            let first = said.next()?;
            if said.any(|other| !other.eq_ignore_ascii_case(first)) {
                return None;
            }
            (rest(value), [b" ", first].concat())
        }
        Refusal::ExpectationUnknown => (rest(behind_colon(line)?), b" 100-continue".to_vec()),
        Refusal::ChunkSize if line.starts_with(b"0x") && at == 1 => (0..2, Vec::new()),
        Refusal::ChunkSize | Refusal::ChunkExtension if is_blank(byte) => {
            (rest(0), trim(line).to_vec())
        }
        _ => return None,
    };
    Some([&line[..place.start], &with, &line[place.end..]].concat())
}

/// The method that a request line begins with.
fn method(line: &[u8]) -> Option<Method> {
    Method::named(word(line))
}

/// Up to the first space.
fn word(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == b' ').next().unwrap_or_default()
}

/// A byte as it may stand in a target. A percent sign is taken to begin an escape.
fn escaped(byte: u8) -> Vec<u8> {
    match is_target_byte(byte) || byte == b'%' {
        true => vec![byte],
        false => format!("%{byte:02X}").into_bytes(),
    }
}

fn behind_colon(line: &[u8]) -> Option<usize> {
    line.iter().position(|&byte| byte == b':').map(|colon| colon + 1)
}

fn is_blank(byte: u8) -> bool {
    b" \t".contains(&byte)
}

fn blanks<'a>(text: impl IntoIterator<Item = &'a u8>) -> usize {
    text.into_iter().take_while(|&&byte| is_blank(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_makes_the_line_good() {
        use Refusal::*;
        for (refusal, line, at, good) in [
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
            (TargetByte, "GET /a#b HTTP/1.1", 6, "GET /a HTTP/1.1"),
            (TargetPercent, "GET /100% HTTP/1.1", 8, "GET /100%25 HTTP/1.1"),
            (TargetForm, "GET about HTTP/1.1", 4, "GET /about HTTP/1.1"),
            (FieldValue, "X: a\u{7}b", 4, "X: ab"),
            (BareLf, "Host: h\n", 7, "Host: h\r\n"),
            (ExpectationUnknown, "Expect: 200-ok", 8, "Expect: 100-continue"),
            (NoColon, "Host \th", 4, "Host: h"),
            (LengthInvalid, "Content-Length: +5", 16, "Content-Length: 5"),
            (LengthInvalid, "Content-Length: 5,", 17, "Content-Length: 5"),
            (LengthTwice, "Content-Length: 5, 5", 19, "Content-Length: 5"),
            (CodingTwice, "TE: chunked,Chunked", 12, "TE: chunked"),
            (ChunkSize, " 5", 0, "5"),
            (ChunkSize, "+5", 0, "5"),
            (ChunkSize, "0x5;a", 1, "5;a"),
            (ChunkExtension, "5 ", 1, "5"),
        ] {
            let corrected = corrected(refusal, line.as_bytes(), at).expect(line);
            assert_eq!(String::from_utf8_lossy(&corrected), good);
        }
    }

    #[test]
    fn what_could_have_been_meant_in_two_ways_is_left_to_the_client() {
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
