//! # 12b. The line as it should be
//!
//! Where a single change makes a line good, the answer to a refusal shows the line with that change.
//!
//! ```text
//! Host : example.test          the line that came
//!     ^
//! Host: example.test           the line as it should be
//! ```
//! It is shown and never acted upon: what a client meant, only the client knows. Where there is more
//! than one thing it could have meant (two lengths, a fold), nothing is shown.
//! Next: [`tap`](crate::net::tap).

use std::ops::Range;

use super::fields::is_value_byte;
use super::head::Head;
use super::limits::Limits;
use super::method::Method;
use super::refusal::{Refusal, Refused, line_of};
use super::target::is_target_byte;

/// Changes that are tried on one line: a target may hold an escape that is none, and a bad byte too.
const CHANGES: usize = 4;

/// The line that was refused, made good, or `None` where a change or a few do not make it that.
pub(super) fn mended_line(refused: &Refused, bytes: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let line = line_of(bytes, refused.at?)?;
    let (start, before) = (line.start, &bytes[..line.start]);
    let (mut refused, mut mended_line) = (*refused, bytes[line].to_vec());
    for _ in 0..CHANGES {
        mended_line = mended(refused.refusal, &mended_line, refused.at?.checked_sub(start)?)?;
        // It has to pass where the other has failed: what is still refused would teach the wrong thing.
        // What came behind it is left out, since it may not have come yet.
        let end = mended_line.strip_suffix(b"\r\n").unwrap_or(&mended_line);
        let head = [before, end, b"\r\nHost: h\r\n\r\n"].concat();
        match Head::parse(&head, limits).map_err(|next| (next, next.at)) {
            Err((next, Some(at))) if (start..start + end.len() + 2).contains(&at) => refused = next,
            _ => return Some(mended_line),
        }
    }
    None
}

/// The line with the one change that `refusal`, which arose at byte `at` of it, asks for. `line` is
/// without its line end, unless that is what is wrong.
fn mended(refusal: Refusal, line: &[u8], at: usize) -> Option<Vec<u8>> {
    let byte = *line.get(at)?;
    let rest = |from: usize| from..line.len();
    let (place, with): (Range<usize>, Vec<u8>) = match refusal {
        Refusal::BareLf => (rest(at), b"\r\n".to_vec()),
        Refusal::RequestLine if byte == b' ' && is_doubled(line, at) => {
            (at..at + blanks(&line[at..]), Vec::new())
        }
        // A space within the target: it travels as an escape.
        Refusal::RequestLine if byte == b' ' => (at..at + 1, b"%20".to_vec()),
        // `EHLO example.test` lacks more than a version.
        Refusal::NoVersion if method(line).is_some() => (rest(at), b" HTTP/1.1".to_vec()),
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
        Refusal::SpaceBeforeFields => (at..at + blanks(&line[at..]), Vec::new()),
        Refusal::SpaceBeforeColon => (at..at + blanks(&line[at..]), Vec::new()),
        Refusal::FieldValue => {
            let value = line[at..].iter().filter(|&&byte| is_value_byte(byte));
            (rest(at), value.copied().collect())
        }
        Refusal::ExpectationUnknown => {
            let colon = line.iter().position(|&byte| byte == b':')?;
            (rest(colon + 1), b" 100-continue".to_vec())
        }
        _ => return None,
    };
    Some([&line[..place.start], &with, &line[place.end..]].concat())
}

/// Whether the space at `at` is one too many: beside another, or at an end of the line.
fn is_doubled(line: &[u8], at: usize) -> bool {
    at == 0 || line[at - 1] == b' ' || at + blanks(&line[at..]) == line.len()
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

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| b" \t".contains(byte)).count()
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
            (RequestLine, "GET / HTTP/1.1  ", 14, "GET / HTTP/1.1"),
            (RequestLine, "GET /a b HTTP/1.1", 6, "GET /a%20b HTTP/1.1"),
            (NoVersion, "GET /\r\n", 5, "GET / HTTP/1.1"),
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
        ] {
            let mended = mended(refusal, line.as_bytes(), at).expect(line);
            assert_eq!(String::from_utf8_lossy(&mended), good);
        }
    }

    #[test]
    fn what_could_have_been_meant_in_two_ways_is_left_to_the_client() {
        use Refusal::*;
        for (refusal, line, at) in [
            (LengthTwice, "Content-Length: 5", 0),
            (Folding, " b", 0),
            (MethodUnknown, "BREW /", 0),
            (NoVersion, "EHLO h", 6),
            (TargetByte, "GET /a\0", 6),
        ] {
            assert_eq!(mended(refusal, line.as_bytes(), at), None, "{line}");
        }
    }
}
