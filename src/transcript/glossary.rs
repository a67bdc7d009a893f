//! # The glossary
//!
//! What do the words of a message mean, and where does it say so? A table of data: each row is a
//! word as it stands on the wire, the clause that defines it, and one sentence.
//!
//! ```text
//! Host     RFC 9110 section 7.2     which host, and which port, of all that this address may serve
//! ```
//! Rule: where no RFC defines a word, the row names the standard that does, or says nothing. Left
//! out: the syntax of values, but for what [`SHAPES`] names.

use crate::message::ending::Ending;

/// A word, its source, and one sentence without a full stop.
pub type Row = (&'static str, &'static str, &'static str);

/// The row of that name, whatever its case.
pub fn find(table: &'static [Row], name: &[u8]) -> Option<Row> {
    table.iter().find(|(known, ..)| known.as_bytes().eq_ignore_ascii_case(name)).copied()
}

/// What a word means in the value of that field.
pub fn find_word(field: &[u8], word: &[u8]) -> Option<Row> {
    let is = |known: &str, bytes: &[u8]| known.as_bytes().eq_ignore_ascii_case(bytes);
    let found = WORDS
        .iter()
        .find(|(fields, known, ..)| is(known, word) && fields.split(' ').any(|known| is(known, field)));
    found.map(|&(_, word, clause, meaning)| (word, clause, meaning))
}

/// Methods. They are case-sensitive, and so is this list.
pub const METHODS: &[Row] = &[
    ("GET", "RFC 9110 section 9.3.1", "asks for the current representation of the target; safe: it changes nothing that the client answers for"),
    ("HEAD", "RFC 9110 section 9.3.2", "asks for the head that a GET would get, and no content"),
    ("POST", "RFC 9110 section 9.3.3", "gives the content to the target, to do with it what the target does; sent twice, it may be done twice"),
    ("PUT", "RFC 9110 section 9.3.4", "makes the content the new state of the target; sent twice, it is as sent once"),
    ("DELETE", "RFC 9110 section 9.3.5", "asks to remove the target; sent twice, it is as sent once"),
    ("CONNECT", "RFC 9110 section 9.3.6", "asks a proxy for a tunnel to the host and port of the target; what follows is not HTTP for the proxy"),
    ("OPTIONS", "RFC 9110 section 9.3.7", "asks what can be done with the target, or with * of the whole server"),
    ("TRACE", "RFC 9110 section 9.3.8", "asks to have the request sent back as it arrived; off nearly everywhere, for it would show secrets"),
    ("PATCH", "RFC 5789 section 2", "changes a part of the target as the content says"),
    ("PROPFIND", "RFC 4918 section 9.1", "asks for properties of the target, in WebDAV"),
    ("MKCOL", "RFC 4918 section 9.3", "makes a collection, which is a folder, in WebDAV"),
];

/// Versions, as they end a request line or begin a status line.
pub const VERSIONS: &[Row] = &[
    ("HTTP/1.1", "RFC 9112 section 2.3", "the version of the message's syntax; 1.1 keeps the connection open unless one side says close"),
    ("HTTP/1.0", "RFC 9112 section 2.3", "the version of 1996: no chunks, no need for Host, and a connection for each request unless both sides say keep-alive"),
];

/// Status codes.
pub const STATUSES: &[Row] = &[
    ("100", "RFC 9110 section 15.2.1", "go on: send the content; the final answer is still to come"),
    ("101", "RFC 9110 section 15.2.2", "agreed: behind this head the connection speaks the protocol that Upgrade names"),
    ("102", "RFC 2518 section 10.1", "still at work on it; the final answer is still to come"),
    ("103", "RFC 8297 section 2", "fields that the final answer will probably have, sent early so that the client can begin to load what they name"),
    ("200", "RFC 9110 section 15.3.1", "done; for a GET the content is what was asked for"),
    ("201", "RFC 9110 section 15.3.2", "a new resource was made; Location names it, or else it is the target"),
    ("202", "RFC 9110 section 15.3.3", "taken, and not done yet: nothing here says how it will end"),
    ("203", "RFC 9110 section 15.3.4", "done, but a proxy on the way changed the content"),
    ("204", "RFC 9110 section 15.3.5", "done, and there is nothing to show: no content, ever"),
    ("205", "RFC 9110 section 15.3.6", "done: clear the form that this came from"),
    ("206", "RFC 9110 section 15.3.7", "the part, or the parts, that Range asked for"),
    ("207", "RFC 4918 section 11.1", "several answers in one: the content has a status for each"),
    ("208", "RFC 5842 section 7.1", "this member was listed before, in the same WebDAV answer"),
    ("226", "RFC 3229 section 10.4.1", "not the whole, but its difference to what the client has"),
    ("300", "RFC 9110 section 15.4.1", "there are several representations: choose one"),
    ("301", "RFC 9110 section 15.4.2", "it has moved for good, to where Location says: use that from now on; a POST may turn into a GET"),
    ("302", "RFC 9110 section 15.4.3", "for now it is where Location says; a POST may turn into a GET"),
    ("303", "RFC 9110 section 15.4.4", "see what Location names, with a GET: so a form that was sent is not sent again by a reload"),
    ("304", "RFC 9110 section 15.4.5", "what you have is still good: no content, ever"),
    ("305", "RFC 9110 section 15.4.6", "once: use a proxy; deprecated, for anyone could have sent it"),
    ("306", "RFC 9110 section 15.4.7", "no longer used, and kept free"),
    ("307", "RFC 9110 section 15.4.8", "for now it is where Location says; ask there with the same method and content"),
    ("308", "RFC 9110 section 15.4.9", "it has moved for good, to where Location says; ask there with the same method and content"),
    ("400", "RFC 9110 section 15.5.1", "the server cannot or will not read this request: the fault is in the request"),
    ("401", "RFC 9110 section 15.5.2", "who are you? WWW-Authenticate says how to tell"),
    ("402", "RFC 9110 section 15.5.3", "kept for a future use; some ask for money with it"),
    ("403", "RFC 9110 section 15.5.4", "understood, and refused: to say who you are again will not help"),
    ("404", "RFC 9110 section 15.5.5", "there is nothing at this target, or the server will not say that there is"),
    ("405", "RFC 9110 section 15.5.6", "the target is known, but not for this method; Allow names those it has"),
    ("406", "RFC 9110 section 15.5.7", "there is nothing in a form that the Accept fields take"),
    ("407", "RFC 9110 section 15.5.8", "who are you? asks the proxy; Proxy-Authenticate says how to tell"),
    ("408", "RFC 9110 section 15.5.9", "the request did not come in the time that the server waits"),
    ("409", "RFC 9110 section 15.5.10", "the request is at odds with the state of the target, such as somebody else's change"),
    ("410", "RFC 9110 section 15.5.11", "it is gone, and will not come back"),
    ("411", "RFC 9110 section 15.5.12", "the server wants to know the length of the content first: send Content-Length"),
    ("412", "RFC 9110 section 15.5.13", "a condition of the request, such as If-Match, is not met"),
    ("413", "RFC 9110 section 15.5.14", "the content is longer than the server takes"),
    ("414", "RFC 9110 section 15.5.15", "the target is longer than the server reads"),
    ("415", "RFC 9110 section 15.5.16", "the content is of a type, or in a coding, that the target does not take"),
    ("416", "RFC 9110 section 15.5.17", "the range that was asked for is not there; Content-Range says how long the whole is"),
    ("417", "RFC 9110 section 15.5.18", "what Expect asked for cannot be met"),
    ("418", "RFC 9110 section 15.5.19", "kept free because of a joke: I am a teapot"),
    ("421", "RFC 9110 section 15.5.20", "this server does not answer for that host"),
    ("422", "RFC 9110 section 15.5.21", "well written, of a known type, and still nothing that can be done"),
    ("423", "RFC 4918 section 11.3", "somebody holds a WebDAV lock on it"),
    ("424", "RFC 4918 section 11.4", "not done, since something else that it needs was not done"),
    ("425", "RFC 8470 section 5.2", "it came in TLS early data, which can be replayed: send it again after the handshake"),
    ("426", "RFC 9110 section 15.5.22", "not in this protocol; Upgrade names those that will do"),
    ("428", "RFC 6585 section 3", "send a condition such as If-Match, so that nobody else's change is lost"),
    ("429", "RFC 6585 section 4", "too many requests in too little time; Retry-After may say when to come back"),
    ("431", "RFC 6585 section 5", "the fields, one or all together, are longer than the server reads; cookies are the usual reason"),
    ("451", "RFC 7725 section 3", "the law, or somebody who can appeal to it, forbids to show it"),
    ("500", "RFC 9110 section 15.6.1", "the server failed: the fault is not in the request"),
    ("501", "RFC 9110 section 15.6.2", "the server does not know how to do this at all, for any target"),
    ("502", "RFC 9110 section 15.6.3", "the server is a gateway, and the one behind it gave an answer that makes no sense"),
    ("503", "RFC 9110 section 15.6.4", "not now: too busy, or under repair; Retry-After may say when to come back"),
    ("504", "RFC 9110 section 15.6.5", "the server is a gateway, and the one behind it gave no answer in time"),
    ("505", "RFC 9110 section 15.6.6", "the server does not speak this major version"),
    ("506", "RFC 2295 section 8.1", "the server's own choice of a variant leads back to itself"),
    ("507", "RFC 4918 section 11.5", "the server has no room to store it"),
    ("508", "RFC 5842 section 7.2", "the request leads in a circle"),
    ("511", "RFC 6585 section 6", "log in to the network first: this comes from a portal in between and not from the server"),
];

/// The classes of status codes, for codes that no table has.
pub const CLASSES: &[Row] = &[
    ("1", "RFC 9110 section 15.2", "not in this glossary; 1xx: an interim answer, and the final one is still to come"),
    ("2", "RFC 9110 section 15.3", "not in this glossary; 2xx: received, understood and accepted, as 200"),
    ("3", "RFC 9110 section 15.4", "not in this glossary; 3xx: the client has more to do, as for 300"),
    ("4", "RFC 9110 section 15.5", "not in this glossary; 4xx: the client is at fault, as for 400"),
    ("5", "RFC 9110 section 15.6", "not in this glossary; 5xx: the server is at fault, as for 500"),
];

/// Where a message ends, told where its head does: the clause and the sentence.
pub fn ending(ending: Ending) -> (&'static str, String) {
    let (clause, meaning) = match ending {
        Ending::Length(length @ 1..) => ("RFC 9112 section 6.3", &*format!("the head ends here; the content follows, and ends after {length} bytes, as Content-Length says")),
        Ending::Length(_) => ("RFC 9112 section 6.3", "the head ends here, and so does the message: Content-Length is 0"),
        Ending::Interim => ("RFC 9110 section 15.2", "the head ends here, and so does this interim answer: the final one follows"),
        Ending::NoContent => ("RFC 9112 section 6.3", "the head ends here, and so does the answer: 204 and 304 have no content, whatever the fields say"),
        Ending::ToHead => ("RFC 9112 section 6.3", "the head ends here, and so does the answer: to HEAD it speaks of content that is not sent"),
        Ending::NoFraming => ("RFC 9112 section 6.3", "the head ends here, and so does the request: without Content-Length or Transfer-Encoding it has no content"),
        Ending::Chunked => ("RFC 9112 section 6.3", "the head ends here; the content follows in chunks, and a chunk of size zero ends it"),
        Ending::Close => ("RFC 9112 section 6.3", "the head ends here; the content goes on until the server closes the connection, for no field says where it ends"),
        Ending::CloseCoded => ("RFC 9112 section 6.3", "the head ends here; the content goes on until the server closes the connection, for chunked, which would end it, is not its last coding"),
        Ending::Switched => ("RFC 9110 section 15.2.2", "the head ends here, and the connection changes its protocol"),
        Ending::Tunnel => ("RFC 9112 section 6.3", "the head ends here, and the tunnel begins"),
        Ending::CodingUnknown => ("RFC 9112 section 6.3", "the head ends here, and nobody can tell where the content does, for chunked, which would end it, is not its last coding"),
        Ending::LengthInvalid => ("RFC 9112 section 6.3", "the head ends here, and nobody can tell where the content does, for Content-Length is no number of bytes"),
        Ending::LengthsDiffer => ("RFC 9112 section 6.3", "the head ends here, and nobody can tell where the content does, for there are two lengths"),
    };
    (clause, meaning.to_owned())
}

/// What is known by its first bytes, and cannot be read as HTTP/1.1: what to do, the clause, and what it is.
pub const OTHER_PROTOCOLS: &[(&[u8], Row)] = &[
    (b"PRI * HTTP/2.0\r\n", ("ask the client for HTTP/1.1, as curl --http1.1 does", "RFC 9113 section 3.4", "this is HTTP/2, by its preface, and cannot be read as HTTP/1.1")),
    (b"\x16\x03", ("use http:// instead of https://", "RFC 8446 section 4", "this is TLS, by its handshake, and what it carries cannot be read as HTTP: it is encrypted")),
    (b"\x15\x03", ("its last byte says why", "RFC 8446 section 6", "this is TLS, by its alert, and cannot be read as HTTP: one side gives up")),
    (b"SSH-", ("check the port", "RFC 4253 section 4.2", "this is SSH, by its greeting, and cannot be read as HTTP")),
    (b"PROXY ", ("switch it off in the proxy that stands in front", "PROXY protocol", "this is a line of the PROXY protocol, and cannot be read as HTTP")),
    (b"\r\n\r\n\0\r\nQUIT\n", ("switch it off in the proxy that stands in front", "PROXY protocol", "this is the PROXY protocol, in its second version, and cannot be read as HTTP")),
    (b"220 ", ("check the port", "RFC 5321 section 4.2", "this is a server for mail or files, by its greeting, and cannot be read as HTTP")),
    (b"EHLO ", ("check the port", "RFC 5321 section 4.1", "this is SMTP, by which mail is sent, and cannot be read as HTTP")),
    (b"ICY ", ("read it as HTTP/1.0 200 OK, as players do", "SHOUTcast", "this is a radio stream, by its first word, and cannot be read as HTTP")),
];

// Rows of what has no name of its own.

/// Of a target that begins with a slash.
pub const ORIGIN_FORM: Row = ("", "RFC 9112 section 3.2.1", "the path: which resource of the host is meant");
/// Of a target with a scheme.
pub const ABSOLUTE_FORM: Row = ("", "RFC 9112 section 3.2.2", "a whole URI, as a proxy is asked; its host counts, and not the one in Host");
/// Of CONNECT's target.
pub const AUTHORITY_FORM: Row = ("", "RFC 9112 section 3.2.3", "a host and a port, as CONNECT names them");
/// Of the target `*`.
pub const ASTERISK_FORM: Row = ("", "RFC 9112 section 3.2.4", "the server as a whole, and none of its resources");
/// Behind an exchange.
pub const CLOSES: Row = ("", "RFC 9112 section 9.6", "the connection ends after this exchange: Connection says close");
/// Behind an exchange.
pub const CLOSES_IN_1_0: Row = ("", "RFC 9112 section 9.3", "the connection ends after this exchange, as it does in HTTP/1.0");
/// Behind an exchange.
pub const STAYS: Row = ("", "RFC 9112 section 9.3", "the connection stays open for the next request, since nothing here says close");
/// Behind an exchange.
pub const STAYS_IN_1_0: Row = ("", "RFC 9112 section 9.3", "the connection stays open: in HTTP/1.0 only because Connection says keep-alive");
/// Behind a chunk's size.
pub const CHUNK_EXTENSION: Row = ("", "RFC 9112 section 7.1.1", "an extension of the chunk; who does not know it passes over it");
/// Behind the last chunk.
pub const TRAILER: Row = ("", "RFC 9110 section 6.5", "a trailer: a field that was not known before the content was sent");
/// Before a request line.
pub const EMPTY_LINE: Row = ("", "RFC 9112 section 2.2", "an empty line; a server passes over one before a request line");
/// Behind a status code.
pub const PHRASE: Row = ("", "RFC 9112 section 4", "the phrase, for people: no program goes by it");
/// In a query.
pub const KEY_IN_QUERY: Row = ("", "RFC 9110 section 17.9", "a key in the query: the worst place, for targets are kept in logs, histories and Referer; it belongs into a field such as Authorization");
/// In a `Cookie`.
pub const COOKIE: Row = ("", "RFC 6265 section 4.2", "the name of a cookie; its value tells the server who this is");
/// In a `Set-Cookie`.
pub const NEW_COOKIE: Row = ("", "RFC 6265 section 4.1", "the name of the cookie; its value is for this server alone");
/// In a `Connection`.
pub const HOP_FIELD: Row = ("", "RFC 9110 section 7.6.1", "the name of a field that is for this connection alone");
/// A field that begins with `X-`.
pub const OWN_FIELD: Row = ("", "RFC 6648 section 3", "somebody's own field, as X- says");
/// A field that no table has.
pub const NO_FIELD: Row = ("", "RFC 9110 section 5.1", "not in this glossary; who does not know a field passes over it");
/// A method that no table has.
pub const NO_METHOD: Row = ("", "RFC 9110 section 9.1", "a method that is not in this glossary; the names are case-sensitive");
/// A version that no table has.
pub const NO_VERSION: Row = ("", "RFC 9110 section 2.5", "a version that is not seen on the wire in this form");
/// A scheme of credentials that no table has.
pub const NO_SCHEME: Row = ("", "RFC 9110 section 11.1", "a scheme of authentication");

// Flaws of which no refusal tells, most of them of answers: how to mend it, the clause, and what is wrong.

/// Not even the form is right.
pub const NO_STATUS_LINE: Row = ("write it like HTTP/1.1 200 OK", "RFC 9112 section 4", "a status line is a version, three digits and a phrase, with one space between each");
/// A tool has put a line there.
pub const TOLD_BY_A_TOOL: Row = ("in HTTP/1.1 it would be like HTTP/1.1 200 OK", "RFC 9113 section 8.3.2", "a tool wrote this line for people: from HTTP/2 on a head is binary");
/// `HTTP/1.1 200`, and the line ends.
pub const NO_SPACE_BEHIND_CODE: Row = ("write a space behind the status code", "RFC 9112 section 4", "the space behind the status code is missing: it stands there even where no phrase follows");
/// `HTTP/1.1 099 Odd`
pub const CODE_OUT_OF_RANGE: Row = ("use a code from 100 to 599", "RFC 9110 section 15", "no status code begins with this digit: a client takes it for a 5xx");
/// In the phrase.
pub const CONTROL_IN_PHRASE: Row = ("use visible characters, spaces and tabs only", "RFC 9112 section 4", "a control byte stands in the phrase");
/// Fields that no answer with 1xx or 204 has.
pub const NEVER_WITHOUT_CONTENT: &[(&str, Row)] = &[
    ("transfer-encoding", ("leave the field out", "RFC 9112 section 6.1", "an answer with 1xx or 204 has no content, so nothing may say how it is packed")),
    ("content-length", ("leave the field out", "RFC 9110 section 8.6", "an answer with 1xx or 204 has no content, so nothing may say how long it is")),
];
/// Where a message should begin.
pub const HEADLESS: Row = ("begin with a request line or a status line", "RFC 9112 section 2.1", "this is content, and no head stands before it");
/// Behind the end of a message.
pub const STRAY: Row = ("count the bytes of its content, or leave them out where there can be none", "RFC 9112 section 6.3", "the message before has ended, and this begins no other");
/// A length, or the size of a chunk, of more than 64 bits.
pub const UNCOUNTABLE: Row = ("write how many bytes there are", "RFC 9110 section 8.6", "nobody counts to this number: it has more than 64 bits");

/// Field names.
pub const FIELDS: &[Row] = &[
    ("Accept", "RFC 9110 section 12.5.1", "the media types that the client takes, and how gladly"),
    ("Accept-Charset", "RFC 9110 section 12.5.2", "the character encodings that the client takes; deprecated, since all is UTF-8 now"),
    ("Accept-Encoding", "RFC 9110 section 12.5.3", "the compressions that the client can undo"),
    ("Accept-Language", "RFC 9110 section 12.5.4", "the languages that the user reads, and how gladly"),
    ("Accept-Patch", "RFC 5789 section 3.1", "the media types that a PATCH of this target may have"),
    ("Accept-Ranges", "RFC 9110 section 14.3", "whether parts of this can be asked for with Range"),
    ("Access-Control-Allow-Credentials", "Fetch standard", "whether a page of another origin may see an answer to a request that had cookies"),
    ("Access-Control-Allow-Headers", "Fetch standard", "the fields that a page of another origin may send"),
    ("Access-Control-Allow-Methods", "Fetch standard", "the methods that a page of another origin may use"),
    ("Access-Control-Allow-Origin", "Fetch standard", "the origin whose pages may read this answer; without it the answer arrives, and the browser hides it from the page"),
    ("Access-Control-Expose-Headers", "Fetch standard", "the fields that a page of another origin may read"),
    ("Access-Control-Max-Age", "Fetch standard", "for how many seconds a browser may remember what is allowed"),
    ("Access-Control-Request-Headers", "Fetch standard", "a browser asks ahead: may a page send these fields?"),
    ("Access-Control-Request-Method", "Fetch standard", "a browser asks ahead: may a page use this method?"),
    ("Age", "RFC 9111 section 5.1", "for how many seconds this answer has been in a cache"),
    ("Allow", "RFC 9110 section 10.2.1", "the methods that this target has"),
    ("Alt-Svc", "RFC 7838 section 3", "the same site can also be reached there, and in that protocol"),
    ("Authentication-Info", "RFC 9110 section 11.6.3", "what the server adds after it has accepted the credentials"),
    ("Authorization", "RFC 9110 section 11.6.2", "the credentials of the user: this is the field where a key belongs"),
    ("Cache-Control", "RFC 9111 section 5.2", "what caches on the way, and the browser's own, may and must do"),
    ("Connection", "RFC 9110 section 7.6.1", "options for this connection alone; a proxy takes them out, with the fields they name"),
    ("Content-Disposition", "RFC 6266 section 4", "show it, or save it as a file, and under which name"),
    ("Content-Encoding", "RFC 9110 section 8.4", "how the content was compressed: undo it to get the media type"),
    ("Content-Language", "RFC 9110 section 8.5", "the language of those whom this is for"),
    ("Content-Length", "RFC 9110 section 8.6", "how many bytes of content follow the head, so that the reader knows where they end"),
    ("Content-Location", "RFC 9110 section 8.7", "the URI of exactly the representation that is in this message"),
    ("Content-Range", "RFC 9110 section 14.4", "which part of the whole this is"),
    ("Content-Security-Policy", "CSP Level 3", "from where the page may load scripts, styles and pictures: what a browser blocks then cannot be smuggled in"),
    ("Content-Type", "RFC 9110 section 8.3", "what the content is: its media type, and for text its character encoding"),
    ("Cookie", "RFC 6265 section 4.2", "what Set-Cookie once gave to this browser, sent back with each request: as good as a password, often"),
    ("Cross-Origin-Opener-Policy", "HTML standard", "whether pages of other origins keep a hold on this page's window"),
    ("Cross-Origin-Resource-Policy", "Fetch standard", "whether pages of other origins may load this at all"),
    ("Date", "RFC 9110 section 6.6.1", "when the message was made, by the sender's clock"),
    ("DNT", "", "do not track me; few ever listened, and it was given up"),
    ("Early-Data", "RFC 8470 section 5.1", "this request came in TLS early data, which can be replayed"),
    ("ETag", "RFC 9110 section 8.8.3", "a name for exactly this state of the content; a client sends it back in If-None-Match to ask whether it changed"),
    ("Expect", "RFC 9110 section 10.1.1", "what the client waits for before it goes on"),
    ("Expires", "RFC 9111 section 5.3", "from when on this is stale; Cache-Control's max-age wins over it"),
    ("Forwarded", "RFC 7239 section 4", "what proxies on the way know of the client; anyone can write it, so trust it only from your own proxy"),
    ("From", "RFC 9110 section 10.1.2", "the address of the person behind a robot"),
    ("Host", "RFC 9110 section 7.2", "which host, and which port, of all that this address may serve; HTTP/1.1 needs exactly one"),
    ("HTTP2-Settings", "RFC 7540 section 3.2.1", "a client that would go on in HTTP/2; obsolete"),
    ("If-Match", "RFC 9110 section 13.1.1", "do it only if the target is still in this state: so nobody else's change is lost"),
    ("If-Modified-Since", "RFC 9110 section 13.1.3", "send it only if it changed after this date; else 304"),
    ("If-None-Match", "RFC 9110 section 13.1.2", "send it only if it is no longer in the state with this ETag; else 304"),
    ("If-Range", "RFC 9110 section 13.1.5", "send the part if the whole is still the same, or else the whole"),
    ("If-Unmodified-Since", "RFC 9110 section 13.1.4", "do it only if the target has not changed after this date"),
    ("Keep-Alive", "RFC 2068 section 19.7.1", "for how long, or for how many requests, a connection that stays open will stay"),
    ("Last-Modified", "RFC 9110 section 8.8.2", "when the content changed last; a client sends it back in If-Modified-Since"),
    ("Link", "RFC 8288 section 3", "another resource and how it relates to this one, such as next or preload"),
    ("Location", "RFC 9110 section 10.2.2", "where to go on, or what was made"),
    ("Max-Forwards", "RFC 9110 section 7.6.2", "how many proxies may pass on a TRACE or OPTIONS"),
    ("Origin", "RFC 6454 section 7", "the scheme, host and port of the page that asks: a browser sets it, and a script cannot change it"),
    ("Permissions-Policy", "Permissions Policy", "which abilities, such as camera or place, the page may use"),
    ("Pragma", "RFC 9111 section 5.4", "Cache-Control's predecessor; deprecated"),
    ("Prefer", "RFC 7240 section 2", "what the client would like, and can do without"),
    ("Priority", "RFC 9218 section 5", "how urgent this is among the client's requests"),
    ("Proxy-Authenticate", "RFC 9110 section 11.7.1", "how to tell the proxy who you are"),
    ("Proxy-Authorization", "RFC 9110 section 11.7.2", "the credentials for the proxy"),
    ("Proxy-Connection", "RFC 9110 section 7.6.1", "Connection as some clients send it to a proxy: not HTTP, and it can keep a connection open that nobody serves"),
    ("Range", "RFC 9110 section 14.2", "send only this part, such as the rest of a download"),
    ("Referer", "RFC 9110 section 10.1.3", "the page that led here, without its fragment; misspelt in 1996 and kept so"),
    ("Referrer-Policy", "Referrer Policy", "how much of this page's address a browser tells others in Referer"),
    ("Refresh", "HTML standard", "load again, or load something else, after so many seconds"),
    ("Retry-After", "RFC 9110 section 10.2.3", "when to come back: seconds, or a date"),
    ("Sec-CH-UA", "User-Agent Client Hints", "the browser and its version, in short"),
    ("Sec-CH-UA-Mobile", "User-Agent Client Hints", "whether the browser wants pages for a telephone"),
    ("Sec-CH-UA-Platform", "User-Agent Client Hints", "the system that the browser runs on"),
    ("Sec-Fetch-Dest", "Fetch Metadata", "what the browser will do with the answer: a document, an image, a script"),
    ("Sec-Fetch-Mode", "Fetch Metadata", "how the browser asks: navigate for a page that opens, cors for a script"),
    ("Sec-Fetch-Site", "Fetch Metadata", "whether the page that asks is of the same origin; a script cannot change it"),
    ("Sec-Fetch-User", "Fetch Metadata", "the user did it: a click, say"),
    ("Sec-GPC", "Global Privacy Control", "the user asks not to be sold or tracked"),
    ("Sec-WebSocket-Accept", "RFC 6455 section 11.3.3", "proof that the server has read the key, so it means WebSocket"),
    ("Sec-WebSocket-Extensions", "RFC 6455 section 11.3.2", "extensions of WebSocket, such as compression"),
    ("Sec-WebSocket-Key", "RFC 6455 section 11.3.1", "a random number that the server has to answer to; no secret"),
    ("Sec-WebSocket-Protocol", "RFC 6455 section 11.3.4", "the language to speak over the WebSocket"),
    ("Sec-WebSocket-Version", "RFC 6455 section 11.3.5", "the version of WebSocket: 13"),
    ("Server", "RFC 9110 section 10.2.4", "the software that answers; less is more here, for a version is a help to attackers"),
    ("Server-Timing", "Server Timing", "where the server's time went, for the tools of a browser"),
    ("Set-Cookie", "RFC 6265 section 4.1", "asks the browser to keep a value and to send it back with later requests; each cookie has a line of its own"),
    ("Strict-Transport-Security", "RFC 6797 section 6.1", "from now on reach this host by https only; it counts only if it came by https"),
    ("TE", "RFC 9110 section 10.1.4", "the transfer codings, and trailers, that the client takes"),
    ("Trailer", "RFC 9110 section 6.6.2", "the fields that will come behind the content"),
    ("Transfer-Encoding", "RFC 9112 section 6.1", "how the content is packed for this connection alone; chunked says where it ends"),
    ("Upgrade", "RFC 9110 section 7.8", "protocols to go on with, on this very connection"),
    ("Upgrade-Insecure-Requests", "Upgrade Insecure Requests", "the browser would rather have https"),
    ("User-Agent", "RFC 9110 section 10.1.5", "the software that asks; most browsers name the others too, for old reasons"),
    ("Vary", "RFC 9110 section 12.5.5", "the fields of the request that this answer depends on: a cache must not give it to a request in which they differ"),
    ("Via", "RFC 9110 section 7.6.3", "the proxies that passed the message on"),
    ("Warning", "RFC 9111 section 5.5", "once a word about a stale answer; obsolete"),
    ("WWW-Authenticate", "RFC 9110 section 11.6.1", "how to tell the server who you are"),
    ("X-Content-Type-Options", "Fetch standard", "nosniff: believe Content-Type, and do not guess from the bytes"),
    ("X-Forwarded-For", "RFC 7239 section 7.4", "the client's address, as a proxy says; anyone can write it, so trust it only from your own proxy"),
    ("X-Forwarded-Host", "RFC 7239 section 7.4", "the Host that the client sent, as a proxy says"),
    ("X-Forwarded-Proto", "RFC 7239 section 7.4", "http or https, as the client spoke to the proxy"),
    ("X-Frame-Options", "RFC 7034 section 2", "whether other pages may show this one in a frame"),
    ("X-Requested-With", "", "a script asks; a convention of old libraries"),
];

/// How the value of a field is taken apart, where it is not a list of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `name=value` pairs, whose values are secret.
    Cookies,
    /// One such pair, then words.
    NewCookie,
    /// A word, then something that is secret.
    Credentials,
    /// Members with weights.
    Weighted,
    /// A host, and perhaps a port.
    Host,
}

/// The fields whose values have a shape.
pub const SHAPES: &[(&str, Shape)] = &[
    ("accept", Shape::Weighted),
    ("accept-charset", Shape::Weighted),
    ("accept-encoding", Shape::Weighted),
    ("accept-language", Shape::Weighted),
    ("authorization", Shape::Credentials),
    ("cookie", Shape::Cookies),
    ("host", Shape::Host),
    ("proxy-authenticate", Shape::Credentials),
    ("proxy-authorization", Shape::Credentials),
    ("set-cookie", Shape::NewCookie),
    ("www-authenticate", Shape::Credentials),
];

/// Words in values: the fields they stand in, the word, its source and a sentence.
pub const WORDS: &[(&str, &str, &str, &str)] = &[
    ("accept-ranges", "bytes", "RFC 9110 section 14.1.2", "yes, by counting bytes"),
    ("accept-ranges", "none", "RFC 9110 section 14.3", "no"),
    ("authorization proxy-authorization", "Basic", "RFC 7617 section 2", "a user name and a password, joined by a colon and spelled in base64: a spelling, not a lock, so whoever sees the line has the password"),
    ("www-authenticate proxy-authenticate", "Basic", "RFC 7617 section 2", "with a name and a password: a browser opens a window and asks for them"),
    ("authorization proxy-authorization", "Bearer", "RFC 6750 section 2.1", "a token: whoever holds it is let in, so it is a key"),
    ("www-authenticate proxy-authenticate", "Bearer", "RFC 6750 section 3", "with a token"),
    ("authorization proxy-authorization", "Digest", "RFC 7616 section 3.4", "a proof that the client knows the password, which does not cross itself"),
    ("www-authenticate proxy-authenticate", "Digest", "RFC 7616 section 3.3", "with a proof of the password, which does not cross itself"),
    ("cache-control", "immutable", "RFC 8246 section 2", "it will not change while it is fresh: no need to ask, not even at a reload"),
    ("cache-control", "max-age", "RFC 9111 section 5.2.2.1", "it is fresh for so many seconds; in a request: nothing older than that"),
    ("cache-control", "max-stale", "RFC 9111 section 5.2.1.2", "stale will do, up to so many seconds"),
    ("cache-control", "min-fresh", "RFC 9111 section 5.2.1.3", "it must stay fresh for so many seconds yet"),
    ("cache-control", "must-revalidate", "RFC 9111 section 5.2.2.2", "once it is stale, never use it without asking the server"),
    ("cache-control", "must-understand", "RFC 9111 section 5.2.2.3", "keep it only if you know what the status code asks of a cache"),
    ("cache-control", "no-cache", "RFC 9111 section 5.2.2.4", "it may be kept, but ask the server each time before it is used"),
    ("cache-control", "no-store", "RFC 9111 section 5.2.2.5", "do not keep it at all"),
    ("cache-control", "no-transform", "RFC 9111 section 5.2.2.6", "proxies leave the content as it is"),
    ("cache-control", "only-if-cached", "RFC 9111 section 5.2.1.7", "only from a cache, or else 504"),
    ("cache-control", "private", "RFC 9111 section 5.2.2.7", "for one user: only the browser may keep it, and no shared cache"),
    ("cache-control", "proxy-revalidate", "RFC 9111 section 5.2.2.8", "as must-revalidate, for shared caches only"),
    ("cache-control", "public", "RFC 9111 section 5.2.2.9", "any cache may keep it, even where it otherwise would not"),
    ("cache-control", "s-maxage", "RFC 9111 section 5.2.2.10", "max-age for shared caches"),
    ("cache-control", "stale-if-error", "RFC 5861 section 4", "so many seconds longer, if the server fails"),
    ("cache-control", "stale-while-revalidate", "RFC 5861 section 3", "so many seconds longer, while the cache asks in the background"),
    ("connection", "close", "RFC 9112 section 9.6", "the connection ends after this exchange"),
    ("connection", "keep-alive", "RFC 9112 section 9.3", "the connection shall stay open; HTTP/1.1 does that anyway"),
    ("connection", "upgrade", "RFC 9110 section 7.8", "the Upgrade field is meant for this connection"),
    ("content-encoding transfer-encoding te", "compress", "RFC 9110 section 8.4.1.1", "compressed with LZW, as the old Unix program did; rare"),
    ("content-encoding transfer-encoding te", "deflate", "RFC 9110 section 8.4.1.2", "compressed in the zlib format"),
    ("content-encoding transfer-encoding te", "gzip", "RFC 9110 section 8.4.1.3", "compressed as the program gzip does"),
    ("content-encoding", "br", "RFC 7932 section 1", "compressed with Brotli"),
    ("content-encoding", "zstd", "RFC 8878 section 7.2", "compressed with Zstandard"),
    ("expect", "100-continue", "RFC 9110 section 10.1.1", "the client holds the content back until the server says 100, so that a refusal costs nothing"),
    ("pragma", "no-cache", "RFC 9111 section 5.4", "the same as Cache-Control: no-cache, for caches of HTTP/1.0"),
    ("set-cookie", "Domain", "RFC 6265 section 5.2.3", "send it to this domain and to all below it; without this, to this host alone"),
    ("set-cookie", "Expires", "RFC 6265 section 5.2.1", "keep it until then; a date in the past deletes it"),
    ("set-cookie", "HttpOnly", "RFC 6265 section 5.2.6", "scripts cannot read it, so a foreign script cannot steal it"),
    ("set-cookie", "Max-Age", "RFC 6265 section 5.2.2", "keep it for so many seconds; without this or Expires, until the browser closes"),
    ("set-cookie", "Partitioned", "", "a jar of its own for each site that this one is shown in"),
    ("set-cookie", "Path", "RFC 6265 section 5.2.4", "send it with targets below this path"),
    ("set-cookie", "SameSite", "", "whether it goes along when another site makes the request: Strict never, Lax when a link is followed, None always"),
    ("set-cookie", "Secure", "RFC 6265 section 5.2.5", "send it by https only"),
    ("strict-transport-security", "includeSubDomains", "RFC 6797 section 6.1.2", "and all hosts below it"),
    ("strict-transport-security", "max-age", "RFC 6797 section 6.1.1", "for so many seconds"),
    ("strict-transport-security", "preload", "", "put it on the list that browsers are built with"),
    ("te", "trailers", "RFC 9110 section 10.1.4", "fields behind the content are welcome"),
    ("transfer-encoding", "chunked", "RFC 9112 section 7.1", "in pieces, each behind its size; a piece of size zero ends the content"),
    ("transfer-encoding", "identity", "RFC 9112 section 7", "as it is; no longer a coding, so it is an error"),
    ("upgrade", "h2c", "RFC 7540 section 3.2", "HTTP/2 without TLS; obsolete"),
    ("upgrade", "websocket", "RFC 6455 section 1.3", "messages in both directions, whenever one side likes"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::status::Status;

    /// Those who define what no RFC does.
    const OTHERS: [&str; 13] = [
        "",
        "CSP Level 3",
        "Fetch Metadata",
        "Fetch standard",
        "Global Privacy Control",
        "HTML standard",
        "PROXY protocol",
        "Permissions Policy",
        "Referrer Policy",
        "SHOUTcast",
        "Server Timing",
        "Upgrade Insecure Requests",
        "User-Agent Client Hints",
    ];

    /// The rows that stand in no table.
    const NAMED: [Row; 29] = [
        ORIGIN_FORM, ABSOLUTE_FORM, AUTHORITY_FORM, ASTERISK_FORM, CLOSES, CLOSES_IN_1_0, STAYS, STAYS_IN_1_0,
        CHUNK_EXTENSION, TRAILER, EMPTY_LINE, PHRASE, KEY_IN_QUERY, COOKIE, NEW_COOKIE, HOP_FIELD, OWN_FIELD,
        NO_FIELD, NO_METHOD, NO_VERSION, NO_SCHEME, NO_STATUS_LINE, TOLD_BY_A_TOOL, NO_SPACE_BEHIND_CODE,
        CODE_OUT_OF_RANGE, CONTROL_IN_PHRASE, UNCOUNTABLE, STRAY, HEADLESS,
    ];

    const ENDINGS: [Ending; 14] = [
        Ending::Interim, Ending::NoContent, Ending::ToHead, Ending::NoFraming, Ending::Length(0), Ending::Length(5),
        Ending::Chunked, Ending::Close, Ending::CloseCoded, Ending::Switched, Ending::Tunnel, Ending::CodingUnknown,
        Ending::LengthInvalid, Ending::LengthsDiffer,
    ];

    /// `RFC NNNN section N.N`.
    fn is_clause(text: &str) -> bool {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.strip_prefix("RFC ").and_then(|rest| rest.split_once(" section ")).is_some_and(
            |(rfc, section)| rfc.len() == 4 && number(rfc) && section.split('.').all(number),
        )
    }

    #[test]
    fn every_row_has_a_source_and_one_plain_sentence() {
        let endings = ENDINGS.map(ending);
        let words = WORDS.iter().map(|&(_, word, clause, meaning)| (word, clause, meaning));
        let tables = [METHODS, VERSIONS, STATUSES, CLASSES, FIELDS];
        let rows = words.chain(tables.into_iter().flatten().copied());
        let rows = rows.chain(OTHER_PROTOCOLS.iter().map(|&(_, row)| row));
        let rows = rows.chain(NEVER_WITHOUT_CONTENT.iter().map(|&(_, row)| row)).chain(NAMED);
        let rows = rows.map(|(_, clause, meaning)| (clause, meaning));
        for (clause, meaning) in rows.chain(endings.iter().map(|(clause, meaning)| (*clause, &**meaning))) {
            assert!(is_clause(clause) || OTHERS.contains(&clause), "{clause}: {meaning}");
            assert!(meaning.is_ascii() && !meaning.ends_with('.'), "{clause}: {meaning}");
        }
        assert!(!is_clause("RFC 9112") && !is_clause("section 3"));
    }

    #[test]
    fn names_are_sorted_and_stand_once() {
        assert!(FIELDS.len() >= 90, "{} field names", FIELDS.len());
        for table in [STATUSES, FIELDS] {
            let names: Vec<_> = table.iter().map(|(name, ..)| name.to_lowercase()).collect();
            assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        }
        let fields = WORDS.iter().flat_map(|row| row.0.split(' ')).chain(SHAPES.iter().map(|row| row.0));
        for field in fields {
            assert!(find(FIELDS, field.as_bytes()).is_some(), "{field}");
        }
    }

    #[test]
    fn every_status_code_that_has_a_phrase_is_explained() {
        let known = (200..600).filter(|&code| !Status::new(code).reason().is_empty());
        for code in known.chain([100, 101]) {
            assert!(find(STATUSES, code.to_string().as_bytes()).is_some(), "{code}");
        }
    }
}
