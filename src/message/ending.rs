//! # 14b. Where a message ends, and why
//!
//! A watcher has read a head, of a request or of an answer. Where does the message end, and which
//! rule says so?
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ Content-Length: 5␍␊ ␍␊                           after 5 bytes
//! HTTP/1.1 200 OK␍␊ Content-Length: 5␍␊ Content-Length: 6␍␊ ␍␊       nobody can tell
//! HTTP/1.1 304 Not Modified␍␊ Content-Length: 5␍␊ ␍␊                 here
//! ```
//! Rule: RFC 9112 section 6.3, all eight rules, for both sides.  The server itself goes by
//! [`Framing`](super::framing): that one refuses what is still followed here (one length said twice, a
//! length beside chunks, a coding in HTTP/1.0), and names the byte.
//! Next: [`transcript`](crate::transcript).

use super::fields::trim;
use super::method::Method;
use super::outline::Outline;

/// Where a message ends, by the rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its head: a 1xx, and the final answer follows.
    Interim,
    /// With its head: a 204 or a 304, whatever its fields say.
    NoContent,
    /// With its head: an answer to HEAD, whatever its fields say.
    ToHead,
    /// With its head: a request without a field that announces content.
    NoFraming,
    /// After so many bytes of content.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection: an answer without a field that says it.
    Close,
    /// With the connection: an answer whose last coding is not chunked.
    CloseCoded,
    /// Its head is the last of HTTP: a 101.
    Switched,
    /// Its head is the last of HTTP: a 2xx to CONNECT.
    Tunnel,
    /// Nobody can tell: a request whose last coding is not chunked.
    CodingUnknown,
    /// Nobody can tell: a length that is not a number.
    LengthInvalid,
    /// Nobody can tell: lengths that differ.
    LengthsDiffer,
}

impl Ending {
    /// Where the message with this head ends. `asked` is the method of the request that an answer
    /// belongs to; one that nobody knows counts as a GET.
    pub fn of(head: &Outline, asked: Option<Method>) -> Ending {
        match head.status {
            Some(101) => return Ending::Switched,
            Some(100..200) => return Ending::Interim,
            Some(200..300) if asked == Some(Method::Connect) => return Ending::Tunnel,
            Some(204 | 304) => return Ending::NoContent,
            Some(_) if asked == Some(Method::Head) => return Ending::ToHead,
            _ => {}
        }
        let (fields, is_answer) = (head.fields(), head.status.is_some());
        if fields.all("transfer-encoding").next().is_some() {
            // Rule 3: a coding overrides a length.
            return match fields.members("transfer-encoding").last() {
                Some(last) if last.eq_ignore_ascii_case(b"chunked") => Ending::Chunked,
                _ if is_answer => Ending::CloseCoded,
                _ => Ending::CodingUnknown,
            };
        }
        // Rule 5: `5, 5` is one length that was said twice, and so are two equal lines.
        let lengths = fields.all("content-length").flat_map(|value| value.split(|&b| b == b','));
        let lengths: Vec<Option<u64>> = lengths.map(|length| number(trim(length))).collect();
        match lengths[..] {
            [] if is_answer => Ending::Close,
            [] => Ending::NoFraming,
            [Some(length), ref others @ ..]
                if others.iter().all(|&other| other == Some(length)) =>
            {
                Ending::Length(length)
            }
            _ if lengths.contains(&None) => Ending::LengthInvalid,
            _ => Ending::LengthsDiffer,
        }
    }
}

/// Digits alone: std's own parser would take `+5`.
fn number(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::Ending::*;
    use super::*;

    #[track_caller]
    fn ending(head: &str, asked: Option<Method>) -> Ending {
        let is_request = !head.starts_with("HTTP/");
        let text = format!("{head}\r\n\r\n");
        let outline = Outline::parse(text.as_bytes(), is_request).flatten().expect(head);
        Ending::of(&outline, asked)
    }

    #[test]
    fn each_rule_has_its_ending_in_both_directions() {
        for (fields, request, answer) in [
            ("", NoFraming, Close),
            ("Content-Length: 5", Length(5), Length(5)),
            ("Content-Length: 0", Length(0), Length(0)),
            ("Content-Length: 5\r\ncontent-length: 05", Length(5), Length(5)),
            ("Content-Length: 5, 5", Length(5), Length(5)),
            ("Content-Length: 5\r\nContent-Length: 6", LengthsDiffer, LengthsDiffer),
            ("Content-Length: 5,6", LengthsDiffer, LengthsDiffer),
            ("Content-Length: x", LengthInvalid, LengthInvalid),
            ("Content-Length:", LengthInvalid, LengthInvalid),
            ("Content-Length: 5,", LengthInvalid, LengthInvalid),
            ("Content-Length: +5", LengthInvalid, LengthInvalid),
            ("Content-Length: 5\r\nContent-Length: x", LengthInvalid, LengthInvalid),
            ("Content-Length: 18446744073709551616", LengthInvalid, LengthInvalid),
            ("Transfer-Encoding: gzip, Chunked", Chunked, Chunked),
            ("Transfer-Encoding: chunked\r\nContent-Length: x", Chunked, Chunked),
            ("Transfer-Encoding: chunked, gzip", CodingUnknown, CloseCoded),
            ("Transfer-Encoding:\r\nContent-Length: 5", CodingUnknown, CloseCoded),
        ] {
            let start =
                |line: &str| [line, fields].join(if fields.is_empty() { "" } else { "\r\n" });
            assert_eq!(ending(&start("POST / HTTP/1.1"), None), request, "{fields}");
            assert_eq!(ending(&start("HTTP/1.1 200 OK"), None), answer, "{fields}");
        }
    }

    #[test]
    fn some_answers_end_with_their_head_whatever_their_fields_say() {
        for (status, asked, expected) in [
            ("101 S", None, Switched),
            ("103 E", Some(Method::Head), Interim),
            ("204 N", None, NoContent),
            ("304 N", Some(Method::Head), NoContent),
            ("404 N", Some(Method::Head), ToHead),
            ("200 OK", Some(Method::Connect), Tunnel),
            ("204 N", Some(Method::Connect), Tunnel),
            ("407 P", Some(Method::Connect), Length(5)),
        ] {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 5");
            assert_eq!(ending(&head, asked), expected, "{status}");
        }
    }
}
