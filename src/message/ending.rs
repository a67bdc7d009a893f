//! # Where a message ends, and by which rule
//!
//! A tool that traces or checks has read the head of a request or of a response. Where does the
//! message end, and which rule says so?
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ Content-Length: 5␍␊ ␍␊                           5 bytes after the head
//! HTTP/1.1 200 OK␍␊ Content-Length: 5␍␊ Content-Length: 6␍␊ ␍␊       unknown
//! HTTP/1.1 304 Not Modified␍␊ Content-Length: 5␍␊ ␍␊                 at the end of the head
//! ```
//! Rule: RFC 9112 section 6.3, all eight rules, for requests and responses. The server itself uses
//! [`Framing`](super::framing), which is stricter and names the bad byte. It refuses what is accepted
//! here: two equal lengths, a length with a coding, a coding in HTTP/1.0.
//! Next: [`transcript`](crate::transcript).

use super::fields::{parse_digits, trim};
use super::method::Method;
use super::outline::Outline;

/// Where a message ends. Each variant is one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// At the end of the head: an interim response (1xx). The final response follows.
    Interim,
    /// At the end of the head: a response with 204 or 304, whatever its fields say.
    NoContent,
    /// At the end of the head: a response to HEAD, whatever its fields say.
    ToHead,
    /// At the end of the head: a request without Content-Length and Transfer-Encoding.
    NoFraming,
    /// After this many bytes of content.
    Length(u64),
    /// After the last chunk and the trailers.
    Chunked,
    /// When the connection closes: a response without Content-Length and Transfer-Encoding.
    Close,
    /// When the connection closes: a response whose last coding is not chunked.
    CloseCoded,
    /// At the end of the head, and another protocol follows: a response with 101.
    Switched,
    /// At the end of the head, and a tunnel follows: a 2xx response to CONNECT.
    Tunnel,
    /// Unknown: a request whose last coding is not chunked.
    CodingUnknown,
    /// Unknown: a length that is not a number.
    LengthInvalid,
    /// Unknown: lengths that differ.
    LengthsDiffer,
}

impl Ending {
    /// Returns where the message with this head ends. For a response, `request_method` is the method of
    /// its request; `None` counts as GET.
    pub fn of(head: &Outline, request_method: Option<Method>) -> Ending {
        match head.status {
            Some(101) => return Ending::Switched,
            Some(100..200) => return Ending::Interim,
            Some(200..300) if request_method == Some(Method::Connect) => return Ending::Tunnel,
            Some(204 | 304) => return Ending::NoContent,
            Some(_) if request_method == Some(Method::Head) => return Ending::ToHead,
            _ => {}
        }
        let (fields, is_response) = (head.fields(), head.status.is_some());
        if fields.values("transfer-encoding").next().is_some() {
            // Rule 3: Transfer-Encoding overrides Content-Length.
            return match fields.members("transfer-encoding").last() {
                Some(last) if last.eq_ignore_ascii_case(b"chunked") => Ending::Chunked,
                _ if is_response => Ending::CloseCoded,
                _ => Ending::CodingUnknown,
            };
        }
        // Rule 5: `5, 5` is one length, and so are two equal lines.
        let lengths = fields.values("content-length").flat_map(|value| value.split(|&b| b == b','));
        let lengths: Vec<Option<u64>> = lengths.map(|length| parse_digits(trim(length))).collect();
        match lengths[..] {
            [] if is_response => Ending::Close,
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

    /// Whether the connection leaves HTTP after the head: both sides then send something else.
    pub fn leaves_http(self) -> bool {
        matches!(self, Ending::Switched | Ending::Tunnel)
    }
}

#[cfg(test)]
mod tests {
    use super::Ending::*;
    use super::*;

    #[track_caller]
    fn ending(head: &str, request_method: Option<Method>) -> Ending {
        let is_request = !head.starts_with("HTTP/");
        let text = format!("{head}\r\n\r\n");
        let outline = Outline::parse(text.as_bytes(), is_request).flatten().expect(head);
        Ending::of(&outline, request_method)
    }

    #[test]
    fn each_rule_gives_its_ending_for_requests_and_for_responses() {
        for (fields, request, response) in [
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
            assert_eq!(ending(&start("HTTP/1.1 200 OK"), None), response, "{fields}");
        }
    }

    #[test]
    fn some_responses_end_at_their_head_whatever_their_fields_say() {
        for (status, request_method, expected) in [
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
            assert_eq!(ending(&head, request_method), expected, "{status}");
        }
    }
}
