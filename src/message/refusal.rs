//! # 12. Saying no
//!
//! A request can be wrong in many ways, and a bare "400 Bad Request" teaches nobody anything. So
//! every "no" of this server is a row of one table: the status, the clause of the RFC, one sentence
//! why, and how to mend it. The answer, the log, the trace and the tests all read that table.
//!
//! ```text
//! Host : example.test
//!     ^
//! Host: example.test
//! a space stands between a field's name and its colon
//! ```
//! Rule: RFC 9112 section 2.2 asks for 400 and a close; where a sharper status exists it is used.
//! Left out: repairing. A recipient that guesses what was meant disagrees, one day, with the
//! recipient behind it, and the gap between the two is where requests are smuggled.
//! Next: [`mended`](super::mended).

use std::ops::Range;

use super::limits;
use super::mended::mended_line;
use super::status::Status;
use super::visible::Visible;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What the answer's status line says.
    pub status: Status,
    /// Where the RFC says so, such as `RFC 9112 section 5.1`.
    pub clause: &'static str,
    /// What is wrong, in a sentence without a full stop.
    pub why: &'static str,
    /// What to write instead.
    pub mend: &'static str,
}

/// Writes the enum and the table from the same rows, so that neither can have what the other lacks.
macro_rules! refusals {
    ($($refusal:ident, $status:ident, $clause:literal, $why:literal, $mend:literal;)*) => {
        /// A reason to turn a request down. [`Refusal::rule`] has the row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $(#[doc = $why] $refusal,)*
        }

        const TABLE: &[(Refusal, Rule)] = &[$({
            let status = Status::$status;
            (Refusal::$refusal, Rule { status, clause: $clause, why: $why, mend: $mend })
        }),*];
    };
}

refusals! {
    TlsHello, BAD_REQUEST, "RFC 9112 section 2.2",
        "these bytes open a TLS connection, and this server speaks plain HTTP",
        "use http:// instead of https://, or put a proxy that speaks TLS in front";
    Http2Preface, HTTP_VERSION_NOT_SUPPORTED, "RFC 9113 section 3.4",
        "this is the preface of HTTP/2, and this server speaks HTTP/1.1",
        "ask your client for HTTP/1.1, as curl --http1.1 does";
    ProxyLine, BAD_REQUEST, "RFC 9112 section 3",
        "this is a line of the PROXY protocol, which is not HTTP",
        "switch the PROXY protocol off in the proxy that stands in front";
    SshBanner, BAD_REQUEST, "RFC 9112 section 3",
        "this is the greeting of an SSH client, and this server speaks HTTP",
        "check the port: SSH listens on 22 as a rule";
    BlankLines, BAD_REQUEST, "RFC 9112 section 2.2",
        "an empty line is no request, and only one may stand before the request line",
        "begin with the request line, such as GET / HTTP/1.1";
    BareLf, BAD_REQUEST, "RFC 9112 section 2.2",
        "a line ends in LF alone, where HTTP ends its lines in CR LF",
        "end each line in CR LF (\\r\\n)";
    BareCr, BAD_REQUEST, "RFC 9112 section 2.2",
        "a CR stands alone, and two parsers may disagree whether it ends the line",
        "end each line in CR LF (\\r\\n), and send no other CR";
    HeadCutShort, BAD_REQUEST, "RFC 9112 section 8",
        "the connection was half-closed before the head was complete",
        "end the head with an empty line";
    HeadTimeout, REQUEST_TIMEOUT, "RFC 9110 section 15.5.9",
        "the head was not complete in the time that a head is given",
        "send the whole head at once, and end it with an empty line";
    RequestLine, BAD_REQUEST, "RFC 9112 section 3",
        "a request line is a method, a target and a version with one space between each",
        "write it like GET / HTTP/1.1";
    NoVersion, BAD_REQUEST, "RFC 9112 section 3",
        "the request line ends without a version, as HTTP/0.9 did",
        "end the line with HTTP/1.1";
    Version, BAD_REQUEST, "RFC 9112 section 2.3",
        "a version is written HTTP/, a digit, a dot, a digit, in capitals",
        "end the request line with HTTP/1.1";
    VersionUnsupported, HTTP_VERSION_NOT_SUPPORTED, "RFC 9110 section 15.6.6",
        "this server speaks HTTP/1.1 and HTTP/1.0 only",
        "end the request line with HTTP/1.1";
    MethodToken, BAD_REQUEST, "RFC 9112 section 3.1",
        "this byte cannot stand in a method",
        "a method is letters, such as GET or POST";
    MethodUnknown, NOT_IMPLEMENTED, "RFC 9110 section 9.1",
        "this method is not one that this server knows",
        "use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, in capitals";
    Connect, NOT_IMPLEMENTED, "RFC 9110 section 9.3.6",
        "CONNECT asks a proxy for a tunnel, and this is not a proxy",
        "send the request to the server that you want to reach";
    TargetTooLong, URI_TOO_LONG, "RFC 9112 section 3",
        "the target is longer than this server reads",
        "shorten the target, or send the data as content of a POST";
    TargetByte, BAD_REQUEST, "RFC 9112 section 3.2",
        "this byte cannot stand in a target",
        "write it as % and two hex digits; a fragment (#...) is never sent";
    TargetPercent, BAD_REQUEST, "RFC 3986 section 2.1",
        "a % in a target must be followed by two hex digits",
        "write a plain % as %25";
    TargetForm, BAD_REQUEST, "RFC 9112 section 3.2",
        "a target is a path that begins with a slash, or a whole http:// URI, or * with OPTIONS",
        "write it like GET /about HTTP/1.1";
    TargetScheme, MISDIRECTED_REQUEST, "RFC 9110 section 7.4",
        "this connection serves http:// targets and no other scheme",
        "begin the target with http://, or with the path";
    TargetAuthority, BAD_REQUEST, "RFC 9110 section 4.2.4",
        "the host in the target is empty or invalid, or carries a user name",
        "write it like http://example.test/about";
    SpaceBeforeFields, BAD_REQUEST, "RFC 9112 section 2.2",
        "white space stands between the request line and the first field",
        "begin each field line with the field's name";
    Folding, BAD_REQUEST, "RFC 9112 section 5.2",
        "a line begins with white space, which once continued the line before",
        "write each field in one line";
    SpaceBeforeColon, BAD_REQUEST, "RFC 9112 section 5.1",
        "a space stands between a field's name and its colon",
        "put the colon straight behind the name";
    NoColon, BAD_REQUEST, "RFC 9112 section 5",
        "a field line has no colon",
        "write it like Name: value; an empty line ends the head";
    FieldName, BAD_REQUEST, "RFC 9110 section 5.1",
        "this byte cannot stand in a field's name",
        "use letters, digits and hyphens";
    FieldValue, BAD_REQUEST, "RFC 9110 section 5.5",
        "a control byte stands in a field's value",
        "send visible characters, spaces and tabs only";
    HeadTooLong, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the head is longer than this server reads",
        "send fewer or shorter fields; large cookies are the usual reason";
    TooManyFields, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the head has more fields than this server reads",
        "send fewer fields";
    HostMissing, BAD_REQUEST, "RFC 9112 section 3.2",
        "a request in HTTP/1.1 must say which host it is for",
        "add a line such as Host: example.test";
    HostTwice, BAD_REQUEST, "RFC 9112 section 3.2",
        "there are two Host fields, and two servers may choose differently",
        "send one";
    HostInvalid, BAD_REQUEST, "RFC 9112 section 3.2",
        "the Host field is not a host and an optional port",
        "write it like Host: example.test:5000";
    LengthInvalid, BAD_REQUEST, "RFC 9112 section 6.3",
        "Content-Length is not a number in decimal digits",
        "write it like Content-Length: 5";
    LengthTwice, BAD_REQUEST, "RFC 9112 section 6.3",
        "there are two lengths, and two servers may choose differently",
        "send one Content-Length with one number";
    LengthAndCoding, BAD_REQUEST, "RFC 9112 section 6.3",
        "Content-Length and Transfer-Encoding both say where the content ends",
        "send one of the two";
    CodingInHttp10, BAD_REQUEST, "RFC 9112 section 6.1",
        "HTTP/1.0 has no Transfer-Encoding, so its framing cannot be trusted here",
        "use Content-Length, or HTTP/1.1";
    CodingTwice, BAD_REQUEST, "RFC 9112 section 6.1",
        "chunked is applied more than once",
        "write Transfer-Encoding: chunked";
    CodingUnknown, NOT_IMPLEMENTED, "RFC 9112 section 6.1",
        "this server decodes no transfer coding but chunked",
        "write Transfer-Encoding: chunked";
    CodingNotLast, BAD_REQUEST, "RFC 9112 section 6.3",
        "chunked is not the last transfer coding, so nothing says where the content ends",
        "write Transfer-Encoding: chunked";
    ExpectationUnknown, EXPECTATION_FAILED, "RFC 9110 section 10.1.1",
        "the only expectation that can be met is 100-continue",
        "write Expect: 100-continue, or leave the field out";
    ContentTooLarge, CONTENT_TOO_LARGE, "RFC 9110 section 15.5.14",
        "the content is longer than this server reads",
        "send less, or ask whoever runs the server for a larger limit";
    ContentCutShort, BAD_REQUEST, "RFC 9112 section 8",
        "the connection was half-closed before the content was complete",
        "send as many bytes as the framing says";
    ContentTimeout, REQUEST_TIMEOUT, "RFC 9110 section 15.5.9",
        "the content was not complete in the time that content of its size is given",
        "send as many bytes as the framing says, and send them without long pauses";
    ChunkSize, BAD_REQUEST, "RFC 9112 section 7.1",
        "a chunk's size is not a number in hex digits",
        "write the size in hex, then CR LF";
    ChunkExtension, BAD_REQUEST, "RFC 9112 section 7.1.1",
        "what follows a chunk's size is not an extension",
        "write ;name or ;name=value or nothing";
    ChunkExtensionsTooLong, CONTENT_TOO_LARGE, "RFC 9112 section 7.1.1",
        "the chunk extensions are longer than this server reads",
        "leave them out: they mean nothing here";
    ChunkEnd, BAD_REQUEST, "RFC 9112 section 7.1",
        "a chunk's data is not followed by CR LF, so its size was wrong",
        "count the bytes of the chunk";
    TrailersTooLong, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the trailer fields are longer than this server reads",
        "send fewer or shorter fields";
    NotFound, NOT_FOUND, "RFC 9110 section 15.5.5",
        "no route has this path",
        "compare the path with the route table";
    MethodNotAllowed, METHOD_NOT_ALLOWED, "RFC 9110 section 15.5.6",
        "the path is known, but not for this method",
        "use a method that the Allow field names";
    HandlerPanicked, INTERNAL_SERVER_ERROR, "RFC 9110 section 15.6.1",
        "the function behind this route panicked",
        "read the server's log: the fault is there, not in the request";
    TooManyConnections, SERVICE_UNAVAILABLE, "RFC 9110 section 15.6.4",
        "as many connections are open as this server allows",
        "try again in a moment";
}

impl Refusal {
    /// This refusal, with the place it arose at.
    pub fn at(self, at: usize) -> Refused {
        Refused { refusal: self, at: Some(at) }
    }

    /// Every refusal there is, in the order in which a request can meet them.
    pub fn all() -> impl Iterator<Item = Refusal> {
        TABLE.iter().map(|&(refusal, ..)| refusal)
    }

    /// Whether what came is no request of HTTP/1 at all: somebody is at the wrong port, or a setting is
    /// wrong on one of the two sides.
    pub fn is_no_request(self) -> bool {
        use Refusal::*;
        matches!(self, TlsHello | Http2Preface | ProxyLine | SshBanner | BlankLines | NoVersion)
    }

    /// Its row in the table.
    pub fn rule(self) -> Rule {
        TABLE[self as usize].1
    }
}

/// A refusal, and where in the bytes of the message it arose, if it arose at a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which row of the table.
    pub refusal: Refusal,
    /// Offset of the offending byte from the first byte of the request.
    pub at: Option<usize>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused { refusal, at: None }
    }
}

/// Bytes of the offending line that an answer shows, at most, around the caret.
const SHOWN: usize = 72;

impl Refused {
    /// The answer's content: what is wrong, the line with a caret under the byte, the line as it should
    /// be, the clause and the way to mend it. `bytes` are those of the request, from its first; `limits`
    /// are named where one was met.
    pub fn explained(&self, bytes: &[u8], limits: &limits::Limits) -> String {
        let rule = self.refusal.rule();
        let mut text = String::from(rule.why);
        if let Some(limit) = self.refusal.limit(limits) {
            text += &format!(" ({limit})");
        }
        text.push('\n');
        if let Some(picture) = self.picture(bytes, limits) {
            text += &format!("\n{picture}\n");
        }
        text + &format!("{}: {}\n", rule.clause, rule.mend)
    }

    /// The lines that the answer shows.
    fn picture(&self, bytes: &[u8], limits: &limits::Limits) -> Option<String> {
        if self.refusal == Refusal::HostMissing {
            // No byte is wrong, a line is missing: it is shown where it belongs.
            let bytes = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
            let line = &bytes[window(&line_of(bytes, 0)?, 0)];
            return Some(format!("    {}\n    Host: example.test\n", Visible(line)));
        }
        let at = self.at?.min(bytes.len());
        let line = line_of(bytes, at)?;
        let shown = window(&line, at);
        let caret = Visible(&bytes[shown.start..at]).to_string().len();
        let mut picture = format!("    {}\n    {:caret$}^\n", Visible(&bytes[shown.clone()]), "");
        // A long line is cut at the same places. If something was changed beyond them, what is left
        // would not be the line as it should be.
        let (before, behind) = (&bytes[line.start..shown.start], &bytes[shown.end..line.end]);
        let cut = |good: Vec<u8>| Some(good.strip_prefix(before)?.strip_suffix(behind)?.to_vec());
        if let Some(good) = mended_line(self, bytes, line, limits).and_then(cut) {
            picture += &format!("    {}\n", Visible(&good));
        }
        Some(picture)
    }
}

impl Refusal {
    /// The limit that this refusal met, in words.
    fn limit(self, limits: &limits::Limits) -> Option<String> {
        let in_a_line =
            |all| format!("at most {} bytes in a line, {all} in all", limits::CHUNK_LINE);
        Some(match self {
            Refusal::TargetTooLong => format!("at most {} bytes", limits.target.min(limits.head)),
            Refusal::HeadTooLong => format!("at most {} bytes", limits.head),
            Refusal::TooManyFields => format!("at most {}", limits::FIELDS),
            Refusal::ContentTooLarge => format!("at most {} bytes", limits.content),
            Refusal::ChunkExtensionsTooLong => in_a_line(limits::CHUNK_EXTENSIONS),
            Refusal::TrailersTooLong => in_a_line(limits::TRAILERS),
            Refusal::HeadTimeout => format!("at most {} s", limits.head_timeout.as_secs_f32()),
            Refusal::TooManyConnections => format!("at most {}", limits.connections),
            _ => return None,
        })
    }
}

/// Where the line is in which byte `at` stands, or behind which. Its line end belongs to it only where
/// the byte stands on it.
fn line_of(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let at = at.min(bytes.len().checked_sub(1)?);
    let start = bytes[..at].iter().rposition(|&byte| byte == b'\n').map_or(0, |lf| lf + 1);
    let whole = bytes[start..].split_inclusive(|&byte| byte == b'\n').next()?;
    let text =
        whole.strip_suffix(b"\n").map_or(whole, |text| text.strip_suffix(b"\r").unwrap_or(text));
    let length = if at < start + text.len() { text.len() } else { whole.len() };
    Some(start..start + length)
}

/// What is shown of a line that may be long.
fn window(line: &Range<usize>, at: usize) -> Range<usize> {
    let start = line.start.max((at + SHOWN / 2).min(line.end).saturating_sub(SHOWN));
    start..line.end.min(start + SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_status_a_clause_and_two_sentences() {
        for &(refusal, Rule { status, clause, why, mend }) in TABLE {
            assert!(status.code() >= 400 && clause.starts_with("RFC "), "{refusal:?}");
            assert!(!why.ends_with('.') && !mend.ends_with('.'), "{refusal:?}");
            assert!(why.is_ascii() && mend.is_ascii(), "{refusal:?}");
        }
    }

    #[test]
    fn an_explanation_shows_the_line_and_puts_a_caret_under_the_byte() {
        let request = b"GET / HTTP/1.1\r\nHost : h\r\n\r\n";
        let text = Refusal::SpaceBeforeColon.at(20).explained(request, &Default::default());
        assert_eq!(
            text,
            "a space stands between a field's name and its colon\n\
             \n    Host : h\n        ^\n    Host: h\n\n\
             RFC 9112 section 5.1: put the colon straight behind the name\n"
        );
    }

    /// The line as it is shown, and the caret's column.
    fn shown(bytes: &[u8], at: usize) -> Option<(String, usize)> {
        let picture = Refusal::FieldName.at(at).picture(bytes, &Default::default())?;
        let mut lines = picture.lines().map(|line| &line[4..]);
        Some((lines.next()?.to_owned(), lines.next()?.len() - 1))
    }

    #[test]
    fn control_bytes_are_shown_and_the_window_moves_with_the_caret() {
        assert_eq!(shown(b"X: a\x07b\r\n", 4), Some((r"X: a\x07b".into(), 4)));
        assert_eq!(shown(b"X: a\nb", 4), Some((r"X: a\n".into(), 4)));
        assert_eq!(shown(b"X: a\r\n", 6), Some((r"X: a\r\n".into(), 8)));
        assert_eq!(shown(b"X: a", 4), Some(("X: a".into(), 4)));
        let long = [b'a'; 500];
        assert_eq!(shown(&long, 400), Some(("a".repeat(SHOWN), SHOWN / 2)));
        assert_eq!(shown(&long, 499), Some(("a".repeat(SHOWN), SHOWN - 1)));
        assert_eq!(shown(b"", 3), None);
    }

    #[test]
    fn a_long_line_as_it_should_be_is_cut_at_the_same_places_or_not_shown() {
        let picture = |name: String| {
            let request = format!("GET /{name} HTTP/1.1\r\n");
            let at = request.find('|').expect("a bad byte");
            Refusal::TargetByte.at(at).picture(request.as_bytes(), &Default::default())
        };
        let long = "a".repeat(SHOWN);
        let told = picture(format!("{long}|{long}")).expect("a picture");
        let half = "a".repeat(SHOWN / 2);
        assert!(told.ends_with(&format!("^\n    {half}%7C{}\n", &half[1..])), "{told}");
        let told = picture(format!("|{long}|")).expect("a picture");
        assert!(told.ends_with("^\n"), "{told}");
    }
}
