//! # Refusals: the table of error responses, with status, RFC clause, reason and fix
//!
//! A request can be wrong in many ways, and a bare "400 Bad Request" explains none of them. So each
//! refusal is a row of one table: the status, the clause of the RFC, the reason in one sentence,
//! the fix, and what goes wrong where such a request is accepted. The response, the log, the trace
//! and the tests read that table.
//!
//! ```text
//! Host : example.test
//!     ^
//! Host: example.test
//! a space stands between a field's name and its colon
//! why: one program ignores the space, and another takes it as a part of the name ...
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
    /// What goes wrong where such a request is accepted, as a sentence without a full stop.
    pub harm: &'static str,
}

/// Defines the enum and the table from the same rows, so that they always agree.
macro_rules! refusals {
    ($($refusal:ident, $status:ident, $clause:literal, $why:literal, $fix:literal, $harm:literal;)*) => {
        /// Why a request is refused. [`Refusal::rule`] has the row of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Refusal {
            $(#[doc = $why] $refusal,)*
        }

        const TABLE: &[(Refusal, Rule)] = &[$({
            let status = Status::$status;
            (Refusal::$refusal, Rule { status, clause: $clause, why: $why, fix: $fix, harm: $harm })
        }),*];
    };
}

refusals! {
    TlsHello, BAD_REQUEST, "RFC 9112 section 2.2",
        "these bytes open a TLS connection, and this server speaks plain HTTP",
        "use http:// instead of https://, or put a proxy that speaks TLS in front",
        "these bytes are encrypted: read as text they would be nonsense, and the client waits for an answer that is encrypted too";
    Http2Preface, HTTP_VERSION_NOT_SUPPORTED, "RFC 9113 section 3.4",
        "this is the preface of HTTP/2, and this server speaks HTTP/1.1",
        "ask your client for HTTP/1.1, as curl --http1.1 does",
        "HTTP/2 goes on in binary: read as lines of text, its bytes could be taken for requests that the client never sent";
    ProxyLine, BAD_REQUEST, "RFC 9112 section 3",
        "this is a line of the PROXY protocol, which is not HTTP",
        "switch the PROXY protocol off in the proxy that stands in front",
        "any client can write such a line, and would then be taken for a client at another address";
    SshBanner, BAD_REQUEST, "RFC 9112 section 3",
        "this is the greeting of an SSH client, and this server speaks HTTP",
        "check the port: SSH listens on 22 as a rule",
        "each side would wait for words of its own protocol, and neither would ever get them";
    BlankLines, BAD_REQUEST, "RFC 9112 section 2.2",
        "an empty line is no request, and only one may stand before the request line",
        "begin with the request line, such as GET / HTTP/1.1",
        "a client could keep the server busy for ever with empty lines that ask for nothing";
    BareLf, BAD_REQUEST, "RFC 9112 section 2.2",
        "a line ends in LF alone, where HTTP ends its lines in CR LF",
        "end each line in CR LF, the bytes 13 and 10",
        "if a proxy ends a line only at CR LF, and the server behind it at LF too, the server reads lines, and even whole requests, that the proxy never checked";
    BareCr, BAD_REQUEST, "RFC 9112 section 2.2",
        "a CR stands alone, and two parsers may disagree whether it ends the line",
        "end each line in CR LF, the bytes 13 and 10, and send no other CR",
        "a program that ends the line here reads one header field more than a program that does not: an attacker can hide a field from one of them";
    HeadCutShort, BAD_REQUEST, "RFC 9112 section 8",
        "the connection was half-closed before the head was complete",
        "end the head with an empty line",
        "what is missing may matter most, such as the length of the content: the server would have to guess, and could do what nobody asked for";
    HeadTimeout, REQUEST_TIMEOUT, "RFC 9110 section 15.5.9",
        "the head was not complete in the time that a head is given",
        "send the whole head at once, and end it with an empty line",
        "a client that sends a byte now and then would hold a thread of the server for ever, and many such clients would hold all of them";
    RequestLine, BAD_REQUEST, "RFC 9112 section 3",
        "a request line is a method, a target and a version with one space between each",
        "write it like GET / HTTP/1.1",
        "programs that cut this line at different spaces see different targets: a proxy checks one, and the server behind it serves another";
    NoVersion, BAD_REQUEST, "RFC 9112 section 3",
        "the request line ends without a version, as HTTP/0.9 did",
        "end the line with HTTP/1.1",
        "a client of HTTP/0.9 takes every byte of the response for the page: it would show the status and the header fields as text";
    Version, BAD_REQUEST, "RFC 9112 section 2.3",
        "a version is written HTTP/, a digit, a dot, a digit, in capitals",
        "end the request line with HTTP/1.1",
        "the version decides how a message ends and whether the connection stays open: with a wrong guess, this request and the next one get mixed up";
    VersionUnsupported, HTTP_VERSION_NOT_SUPPORTED, "RFC 9110 section 15.6.6",
        "this server speaks HTTP/1.1 and HTTP/1.0 only",
        "end the request line with HTTP/1.1",
        "in another version, the same bytes can mean something else: the server would do what the client did not ask for";
    MethodToken, BAD_REQUEST, "RFC 9112 section 3.1",
        "this byte is not allowed in a method",
        "a method is letters, such as GET or POST",
        "one program drops this byte, and another keeps it: a proxy that forbids DELETE lets the odd name pass, and the server behind it reads DELETE";
    MethodUnknown, NOT_IMPLEMENTED, "RFC 9110 section 9.1",
        "this method is not one that this server knows",
        "use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, in capitals",
        "what a method means cannot be guessed: taken for GET or POST, it could show or change what it should not";
    Connect, NOT_IMPLEMENTED, "RFC 9110 section 9.3.6",
        "CONNECT asks a proxy for a tunnel, and this is not a proxy",
        "send the request to the server that you want to reach",
        "a server that opens tunnels for everybody carries an attacker's bytes to every machine that it can reach";
    TargetTooLong, URI_TOO_LONG, "RFC 9112 section 3",
        "the target is longer than this server reads",
        "shorten the target, or send the data in the body (content) of a POST",
        "without a limit, one client could fill the memory of the server with a single line";
    TargetByte, BAD_REQUEST, "RFC 9112 section 3.2",
        "this byte is not allowed in a target",
        "write it as % and two hex digits",
        "programs read such a byte in different ways: one checks the path that it sees, and the next one serves another path";
    TargetFragment, BAD_REQUEST, "RFC 9110 section 7.1",
        "a # begins a fragment, which is for the client only, and a target has none",
        "leave the fragment out; a # that begins none is written %23",
        "one program cuts the target at the #, and another does not: one checks a path, and the next one serves another";
    TargetPercent, BAD_REQUEST, "RFC 3986 section 2.1",
        "a % in a target must be followed by two hex digits",
        "write a plain % as %25",
        "one program keeps the %, another drops it, a third decodes what it can: they see different paths, and check the wrong one";
    TargetForm, BAD_REQUEST, "RFC 9112 section 3.2",
        "a target is a path that begins with a slash, or a whole http:// URI, or * with OPTIONS",
        "write it like GET /about HTTP/1.1",
        "put together without a slash, the host and the target name another host: example.test and .evil.test become example.test.evil.test";
    TargetScheme, MISDIRECTED_REQUEST, "RFC 9110 section 7.4",
        "this connection serves http:// targets and no other scheme",
        "begin the target with http://, or with the path",
        "a request for https would be answered over a connection that everyone on the way can read and change";
    TargetAuthority, BAD_REQUEST, "RFC 9110 section 4.2.4",
        "the host in the target is empty or invalid, or carries a user name",
        "write it like http://example.test/about",
        "in http://bank.test@evil.test/ the host is evil.test: a reader, or a program that looks at the start only, is deceived";
    SpaceBeforeFields, BAD_REQUEST, "RFC 9112 section 2.2",
        "white space stands between the request line and the first header field",
        "begin each line with the name of a header field",
        "one program skips this line, and another reads it as a header field: then Host, or the length of the content, counts for one of them only";
    Folding, BAD_REQUEST, "RFC 9112 section 5.2",
        "a line begins with white space, which once continued the line before",
        "write each header field in one line",
        "one program joins the line to the one before, and another reads it as a header field of its own: an attacker can hide a field from one of them";
    SpaceBeforeColon, BAD_REQUEST, "RFC 9112 section 5.1",
        "a space stands between a header field's name and its colon",
        "put the colon directly after the name",
        "one program ignores the space, and another takes it as a part of the name and does not know that field: the two see different requests";
    NoColon, BAD_REQUEST, "RFC 9112 section 5",
        "no colon follows the name of this header field",
        "write it like Name: value; an empty line ends the header fields",
        "one program skips such a line, and another ends the head here: what follows is a header field for one and content for the other";
    FieldName, BAD_REQUEST, "RFC 9110 section 5.1",
        "this byte is not allowed in a header field's name",
        "use letters, digits and hyphens",
        "one program drops or changes this byte, and another does not: a name that a proxy lets pass becomes another name at the server behind it";
    FieldValue, BAD_REQUEST, "RFC 9110 section 5.5",
        "a control byte stands in a header field's value",
        "send visible characters, spaces and tabs only",
        "programs read such bytes in different ways: one may end the value here, and another begin a new line, so that the sender of a value adds header fields of its own";
    HeadTooLong, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the request line and header fields are longer than this server reads",
        "send fewer or shorter header fields; large cookies are the usual reason",
        "without a limit, one client could fill the memory of the server before its request has even begun to be answered";
    TooManyFields, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the request has more header fields than this server reads",
        "send fewer header fields",
        "each field takes time to look at: with thousands of them in every request, one client would keep the server busy";
    HostMissing, BAD_REQUEST, "RFC 9112 section 3.2",
        "a request in HTTP/1.1 must say which host it is for",
        "add a line such as Host: example.test",
        "many sites can share one address: without Host, the server would have to guess which site is meant, and could show the wrong one";
    HostTwice, BAD_REQUEST, "RFC 9112 section 3.2",
        "there are two Host header fields, and two servers may choose differently",
        "send one",
        "a proxy chooses the site by the first one, and the server behind it by the second: the request reaches a site that the proxy never checked";
    HostInvalid, BAD_REQUEST, "RFC 9112 section 3.2",
        "the Host header field is not a host and an optional port",
        "write it like Host: example.test:5000",
        "servers write Host into links and redirects: a value that is no host could make such a link lead to a site of the attacker";
    LengthInvalid, BAD_REQUEST, "RFC 9112 section 6.3",
        "Content-Length is not a number in decimal digits",
        "write it like Content-Length: 5",
        "one program reads 5x as 5, and another as nothing: where the second one ends, the rest of the content is taken for the next request";
    LengthTwice, BAD_REQUEST, "RFC 9112 section 6.3",
        "there are two lengths, and two servers may choose differently",
        "send one Content-Length with one number",
        "a proxy that takes the first one and a server that takes the second cut the bytes at different places: the rest becomes a request that the proxy never saw";
    LengthRepeated, BAD_REQUEST, "RFC 9112 section 6.3",
        "the same length is written twice, which a recipient may take as one length or refuse",
        "send one Content-Length with one number",
        "two equal lengths do no harm, but the program that doubled this one may also join two lengths that differ, and then a request can be hidden between them";
    LengthAndCoding, BAD_REQUEST, "RFC 9112 section 6.3",
        "Content-Length and Transfer-Encoding both say where the body (content) ends",
        "send one of the two",
        "a proxy that counts the length and a server that reads the chunks find different ends: what is left over becomes a request that the proxy never saw (smuggling)";
    CodingInHttp10, BAD_REQUEST, "RFC 9112 section 6.1",
        "HTTP/1.0 has no Transfer-Encoding, so its framing cannot be trusted here",
        "use Content-Length, or HTTP/1.1",
        "a proxy of HTTP/1.0 does not know this field and passes it on: the proxy and the server find different ends, and a request can be hidden between them";
    CodingTwice, BAD_REQUEST, "RFC 9112 section 6.1",
        "chunked is applied more than once",
        "write Transfer-Encoding: chunked",
        "one program undoes the chunks once, and another twice: they read different content, and find different ends";
    CodingUnknown, NOT_IMPLEMENTED, "RFC 9112 section 6.1",
        "this server decodes no transfer coding but chunked",
        "write Transfer-Encoding: chunked",
        "the server could not undo the coding: it would take unreadable bytes for what the client wrote";
    CodingNotLast, BAD_REQUEST, "RFC 9112 section 6.3",
        "chunked is not the last transfer coding, so nothing says where the body (content) ends",
        "write Transfer-Encoding: chunked",
        "the server would have to guess the end: it could take the next request for content, or content for the next request";
    ExpectationUnknown, EXPECTATION_FAILED, "RFC 9110 section 10.1.1",
        "the only expectation that can be met is 100-continue",
        "write Expect: 100-continue, or leave the header field out",
        "the client would rely on something that the server has not even understood";
    ContentTooLarge, CONTENT_TOO_LARGE, "RFC 9110 section 15.5.14",
        "the body (content) is longer than this server reads",
        "send less, or have the server's limit raised",
        "without a limit, one client could fill the memory or the disk of the server";
    ContentCutShort, BAD_REQUEST, "RFC 9112 section 8",
        "the connection was half-closed before the body (content) was complete",
        "send as many bytes as the framing says",
        "the server would work with a part of the data, and store half a file or half an order as if it were whole";
    ContentTimeout, REQUEST_TIMEOUT, "RFC 9110 section 15.5.9",
        "the body (content) was not complete in the time that its size is granted",
        "send as many bytes as the framing says, and send them without long pauses",
        "a client that sends its content byte by byte would hold a thread, and the memory that its content has taken so far, for ever";
    ChunkSize, BAD_REQUEST, "RFC 9112 section 7.1",
        "a chunk's size is not a number in hex digits",
        "write the size in hex, then CR LF",
        "one program reads a size such as 0x5 as 5, and another as 0, which ends the content: the data is then taken for the next request";
    ChunkExtension, BAD_REQUEST, "RFC 9112 section 7.1.1",
        "what follows a chunk's size is not an extension",
        "write ;name or ;name=value or nothing",
        "one program ends the line here, and another reads on: they find the data at different places, and a request can be hidden in it";
    ChunkExtensionsTooLong, CONTENT_TOO_LARGE, "RFC 9112 section 7.1.1",
        "the chunk extensions are longer than this server reads",
        "leave them out: they mean nothing here",
        "extensions are no content: a client could send them for ever and never reach the limit of the content";
    ChunkFramingTooLong, CONTENT_TOO_LARGE, "RFC 9110 section 15.5.14",
        "the chunks are so short that the body (content) with its framing is longer than this server reads",
        "send fewer and longer chunks",
        "a chunk of one byte takes six bytes to send: a client could make the server read far more than the limit of the content allows";
    ChunkEnd, BAD_REQUEST, "RFC 9112 section 7.1",
        "a chunk's data is not followed by CR LF, so its size was wrong",
        "count the bytes of the chunk",
        "after a wrong size, the server no longer knows where the next size is: it could take data for a size, or for the next request";
    TrailersTooLong, REQUEST_HEADER_FIELDS_TOO_LARGE, "RFC 6585 section 5",
        "the trailer fields are longer than this server reads",
        "send fewer or shorter trailer fields",
        "trailers come after the content: a client could send them for ever and never reach another limit";
    NotFound, NOT_FOUND, "RFC 9110 section 15.5.5",
        "there is nothing at this path",
        "check the spelling of the path",
        "a page with 200 for every path would hide misspelt links, and caches and search engines would keep pages that do not exist";
    MethodNotAllowed, METHOD_NOT_ALLOWED, "RFC 9110 section 15.5.6",
        "the path is known, but not for this method",
        "use a method that the Allow header field names",
        "a path that takes every method could change data for a client that only meant to read it";
    HandlerPanicked, INTERNAL_SERVER_ERROR, "RFC 9110 section 15.6.1",
        "the handler of this route panicked",
        "read the server's log: the fault is there, not in the request",
        "the handler has stopped half-way: a response with 200 could say that something was stored which was not";
    TooManyConnections, SERVICE_UNAVAILABLE, "RFC 9110 section 15.6.4",
        "as many connections are open as this server allows",
        "try again in a moment",
        "every connection takes memory and a thread: without a limit, the server would become slow for all clients, or stop";
    OutOfMemory, SERVICE_UNAVAILABLE, "RFC 9110 section 15.6.4",
        "the requests and responses of all clients take as much memory as this server allows",
        "try again in a moment",
        "without a limit, the system would stop the server, and with it the requests of all clients";
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
    fn each_row_has_a_status_a_clause_and_three_sentences() {
        for &(refusal, Rule { status, clause, why, fix, harm }) in TABLE {
            assert!(status.code() >= 400 && clause.starts_with("RFC "), "{refusal:?}");
            for sentence in [why, fix, harm] {
                assert!(!sentence.is_empty() && !sentence.ends_with('.'), "{refusal:?}");
                assert!(sentence.is_ascii(), "{refusal:?}");
            }
        }
    }
}
