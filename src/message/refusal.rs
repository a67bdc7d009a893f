//! # Refusals: the table of error responses, with status, RFC clause, reason and fix
//!
//! A request can be wrong in many ways, and a bare "400 Bad Request" explains none of them. So each
//! refusal is a row of one table: the status, the clause of the RFC, the reason in one sentence, and
//! the fix. The response, the log, the trace and the tests read that table.
//!
//! ```text
//! Host : example.test
//!     ^
//! Host: example.test
//! a space stands between a field's name and its colon
//! ```
//! Rule: RFC 9112 section 2.2 asks for 400 and a close; a more specific status is used if one exists.
//! Left out: repair. Two recipients that repair a request may do it differently, and requests are
//! smuggled through the difference.
//! Next: [`caret`](super::caret).

use super::status::Status;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The status of the response.
    pub status: Status,
    /// The clause of the RFC, such as `RFC 9112 section 5.1`.
    pub clause: &'static str,
    /// The reason, as a sentence without a full stop.
    pub why: &'static str,
    /// What to send instead.
    pub fix: &'static str,
}

/// Defines the enum and the table from the same rows, so that they always agree.
macro_rules! refusals {
    ($($refusal:ident, $status:ident, $clause:literal, $why:literal, $fix:literal;)*) => {
        /// Why a request is refused. [`Refusal::rule`] has the status, clause, reason and fix.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $(#[doc = $why] $refusal,)*
        }

        const TABLE: &[(Refusal, Rule)] = &[$({
            let status = Status::$status;
            (Refusal::$refusal, Rule { status, clause: $clause, why: $why, fix: $fix })
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
        "this byte is not allowed in a method",
        "a method is letters, such as GET or POST";
    MethodUnknown, NOT_IMPLEMENTED, "RFC 9110 section 9.1",
        "this method is not one that this server knows",
        "use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, in capitals";
    Connect, NOT_IMPLEMENTED, "RFC 9110 section 9.3.6",
        "CONNECT asks a proxy for a tunnel, and this is not a proxy",
        "send the request to the server that you want to reach";
    TargetTooLong, URI_TOO_LONG, "RFC 9112 section 3",
        "the target is longer than this server reads",
        "shorten the target, or send the data in the body (content) of a POST";
    TargetByte, BAD_REQUEST, "RFC 9112 section 3.2",
        "this byte is not allowed in a target",
        "write it as % and two hex digits";
    TargetFragment, BAD_REQUEST, "RFC 9110 section 7.1",
        "a # begins a fragment, which is for the client only, and a target has none",
        "leave the fragment out; a # that begins none is written %23";
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
        "white space stands between the request line and the first header field",
        "begin each line with the name of a header field";
    Folding, BAD_REQUEST, "RFC 9112 section 5.2",
        "a line begins with white space, which once continued the line before",
        "write each header field in one line";
    SpaceBeforeColon, BAD_REQUEST, "RFC 9112 section 5.1",
        "a space stands between a header field's name and its colon",
        "put the colon directly after the name";
    NoColon, BAD_REQUEST, "RFC 9112 section 5",
        "a header field has no colon",
        "write it like Name: value; an empty line ends the header fields";
    FieldName, BAD_REQUEST, "RFC 9110 section 5.1",
        "this byte is not allowed in a header field's name",
        "use letters, digits and hyphens";
    FieldValue, BAD_REQUEST, "RFC 9110 section 5.5",
        "a control byte stands in a header field's value",
        "send visible characters, spaces and tabs only";
    HeadTooLong, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the request line and header fields are longer than this server reads",
        "send fewer or shorter header fields; large cookies are the usual reason";
    TooManyFields, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the request has more header fields than this server reads",
        "send fewer header fields";
    HostMissing, BAD_REQUEST, "RFC 9112 section 3.2",
        "a request in HTTP/1.1 must say which host it is for",
        "add a line such as Host: example.test";
    HostTwice, BAD_REQUEST, "RFC 9112 section 3.2",
        "there are two Host header fields, and two servers may choose differently",
        "send one";
    HostInvalid, BAD_REQUEST, "RFC 9112 section 3.2",
        "the Host header field is not a host and an optional port",
        "write it like Host: example.test:5000";
    LengthInvalid, BAD_REQUEST, "RFC 9112 section 6.3",
        "Content-Length is not a number in decimal digits",
        "write it like Content-Length: 5";
    LengthTwice, BAD_REQUEST, "RFC 9112 section 6.3",
        "there are two lengths, and two servers may choose differently",
        "send one Content-Length with one number";
    LengthRepeated, BAD_REQUEST, "RFC 9112 section 6.3",
        "the same length is written twice, which a recipient may take as one length or refuse",
        "send one Content-Length with one number";
    LengthAndCoding, BAD_REQUEST, "RFC 9112 section 6.3",
        "Content-Length and Transfer-Encoding both say where the body (content) ends",
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
        "chunked is not the last transfer coding, so nothing says where the body (content) ends",
        "write Transfer-Encoding: chunked";
    ExpectationUnknown, EXPECTATION_FAILED, "RFC 9110 section 10.1.1",
        "the only expectation that can be met is 100-continue",
        "write Expect: 100-continue, or leave the header field out";
    ContentTooLarge, CONTENT_TOO_LARGE, "RFC 9110 section 15.5.14",
        "the body (content) is longer than this server reads",
        "send less, or have the server's limit raised";
    ContentCutShort, BAD_REQUEST, "RFC 9112 section 8",
        "the connection was half-closed before the body (content) was complete",
        "send as many bytes as the framing says";
    ContentTimeout, REQUEST_TIMEOUT, "RFC 9110 section 15.5.9",
        "the body (content) was not complete in the time that its size is granted",
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
    ChunkFramingTooLong, CONTENT_TOO_LARGE, "RFC 9110 section 15.5.14",
        "the chunks are so short that the body (content) with its framing is longer than this server reads",
        "send fewer and longer chunks";
    ChunkEnd, BAD_REQUEST, "RFC 9112 section 7.1",
        "a chunk's data is not followed by CR LF, so its size was wrong",
        "count the bytes of the chunk";
    TrailersTooLong, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the trailer fields are longer than this server reads",
        "send fewer or shorter trailer fields";
    NotFound, NOT_FOUND, "RFC 9110 section 15.5.5",
        "there is nothing at this path",
        "check the spelling of the path";
    MethodNotAllowed, METHOD_NOT_ALLOWED, "RFC 9110 section 15.5.6",
        "the path is known, but not for this method",
        "use a method that the Allow header field names";
    HandlerPanicked, INTERNAL_SERVER_ERROR, "RFC 9110 section 15.6.1",
        "the handler of this route panicked",
        "read the server's log: the fault is there, not in the request";
    TooManyConnections, SERVICE_UNAVAILABLE, "RFC 9110 section 15.6.4",
        "as many connections are open as this server allows",
        "try again in a moment";
    OutOfMemory, SERVICE_UNAVAILABLE, "RFC 9110 section 15.6.4",
        "the requests and responses of all clients take as much memory as this server allows",
        "try again in a moment";
}

impl Refusal {
    /// This refusal, with the offset of the bad byte.
    pub fn at(self, at: usize) -> Refused {
        Refused { refusal: self, at: Some(at) }
    }

    /// All refusals, about in the order in which they are checked.
    pub fn all() -> impl Iterator<Item = Refusal> {
        TABLE.iter().map(|&(refusal, ..)| refusal)
    }

    /// Returns whether the bytes are no HTTP/1 request at all: the client has the wrong port, or one
    /// of the two sides has a wrong setting.
    pub fn is_not_http(self) -> bool {
        use Refusal::*;
        matches!(self, TlsHello | Http2Preface | ProxyLine | SshBanner | BlankLines | NoVersion)
    }

    /// The row of the table.
    pub fn rule(self) -> Rule {
        TABLE[self as usize].1
    }
}

/// A refusal, and the offset of the bad byte if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The row of the table.
    pub refusal: Refusal,
    /// Offset of the bad byte from the first byte of the request.
    pub at: Option<usize>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused { refusal, at: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_status_a_clause_and_two_sentences() {
        for &(refusal, Rule { status, clause, why, fix }) in TABLE {
            assert!(status.code() >= 400 && clause.starts_with("RFC "), "{refusal:?}");
            assert!(!why.ends_with('.') && !fix.ends_with('.'), "{refusal:?}");
            assert!(why.is_ascii() && fix.is_ascii(), "{refusal:?}");
        }
    }
}
