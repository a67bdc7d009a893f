//! # The glossary: what the words of a message mean
//!
//! Tables of data. Each row is a word as it is on the wire, the clause that defines it, and its
//! explanation.
//!
//! ```text
//! Host     RFC 9110 section 7.2     which host, and which port, of all that this address may serve
//! ```
//! Rule: if no RFC defines a word, the row names the standard that does, or has an empty clause. Left
//! out: the syntax of values, except what [`SHAPES`] names.

use std::iter;

use crate::message::counted::counted;
use crate::message::ending::Ending;

/// A word, the clause that defines it, and its explanation without a full stop.
pub type Row = (&'static str, &'static str, &'static str);

/// A table as one text, with a line for each cell. Pointers and lengths for the cells of 400 rows
/// would be 50 KiB more in the program.
#[derive(Clone, Copy, Debug)]
pub struct Table<const COLUMNS: usize>(&'static str);

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Iterates over the rows.
    pub fn rows(self) -> impl Iterator<Item = [&'static str; COLUMNS]> {
        let mut cells = self.0.split_terminator('\n');
        iter::from_fn(move || {
            let mut row = [""; COLUMNS];
            for cell in &mut row {
                *cell = cells.next()?;
            }
            Some(row)
        })
    }
}

/// Writes the rows of a [`Table`].
macro_rules! table {
    ($(($($cell:literal),+),)*) => { Table(concat!($($($cell, "\n",)+)*)) };
}

/// Returns the row with that name, without regard to case.
pub fn find(table: Table<3>, name: &[u8]) -> Option<Row> {
    table.rows().find(|row| row[0].as_bytes().eq_ignore_ascii_case(name)).map(Row::from)
}

/// Returns the row of a field: that of its name, or of how its name starts.
pub fn find_field(name: &[u8]) -> Option<Row> {
    let starts_name = |start: &str| {
        name.get(..start.len()).is_some_and(|name| name.eq_ignore_ascii_case(start.as_bytes()))
    };
    let by_start = || FIELD_PREFIXES.rows().find(|row| starts_name(row[0])).map(Row::from);
    find(FIELDS, name).or_else(by_start)
}

/// Returns the row of a word in the value of that field, without regard to case.
pub fn find_word(field: &[u8], word: &[u8]) -> Option<Row> {
    let is = |known: &str, bytes: &[u8]| known.as_bytes().eq_ignore_ascii_case(bytes);
    let mut rows = VALUE_WORDS.rows();
    let found = rows
        .find(|[fields, known, ..]| is(known, word) && fields.split(' ').any(|known| is(known, field)));
    found.map(|[_, word, clause, meaning]| (word, clause, meaning))
}

/// The words of HTTP that explanations use, in the order of the alphabet: what each one means.
pub fn words() -> impl Iterator<Item = Row> {
    WORDS.rows().map(Row::from)
}

/// See [`words`]. The explanations are for readers who know none of the other words.
const WORDS: Table<3> = table! {
    ("base64", "RFC 4648 section 4", "any bytes written as letters, digits, + and /; it hides nothing, because everyone can turn it back"),
    ("cache", "RFC 9111 section 1", "a place that keeps responses, to use them again without asking the server; every browser has one"),
    ("chunk", "RFC 9112 section 7.1", "a piece of content with its own size before it; a sender in chunks need not know the whole length when it begins"),
    ("client", "RFC 9110 section 3.3", "the program that connects and sends requests, such as a browser or curl"),
    ("coding", "RFC 9110 section 8.4", "a way to write content that the other side undoes: gzip makes it shorter, chunked cuts it into pieces"),
    ("connection", "RFC 9110 section 3.3", "two streams of bytes between two programs, one in each direction; many requests can follow each other on one"),
    ("content", "RFC 9110 section 6.4", "what a message carries after its head, such as a page or a form; frameworks call it the body"),
    ("content delivery network", "", "servers in many places that keep copies of a site near its readers; CDN for short"),
    ("cookie", "RFC 6265 section 3", "a small value that a server gives to a browser, and that the browser sends back with its later requests"),
    ("CR LF", "RFC 9112 section 2.2", "the two bytes that end a line in HTTP, 13 and 10, often written \\r\\n; LF is the second one alone"),
    ("credentials", "RFC 9110 section 11.4", "what proves who the client is, such as a name with a password, or a secret key"),
    ("ETag", "RFC 9110 section 8.8.3", "a name that a server gives to the present state of a resource; another state gets another name"),
    ("exchange", "RFC 9110 section 3.4", "a request and the response to it"),
    ("field", "RFC 9110 section 5", "in full header field: a line with a name, a colon and a value, which says something about the message; frameworks call it a header"),
    ("final response", "RFC 9110 section 15", "the response that answers the request, with a status code from 200 on; each request gets one"),
    ("fragment", "RFC 3986 section 3.5", "the part of a URL from # on; a browser keeps it for itself and never sends it"),
    ("framing", "RFC 9112 section 6", "how a receiver knows where a message ends: by a length, by chunks, or by the end of the connection"),
    ("fresh", "RFC 9111 section 4.2", "young enough to be used again without asking the server; later it is stale"),
    ("gateway", "RFC 9110 section 3.7", "a server that gets its responses from another server behind it; also called a reverse proxy"),
    ("half-close", "RFC 9293 section 3.6", "one side ends its own direction of a connection: it sends no more, and can still receive"),
    ("handler", "", "the function that makes the response to a request; in Flask, the one under @app.route"),
    ("handshake", "RFC 8446 section 2", "the first messages of an encrypted connection, in which both sides agree on a key"),
    ("hash", "", "a short number that is computed from bytes; other bytes give another number"),
    ("head", "RFC 9112 section 2.1", "the start of a message: its first line, its header fields, and an empty line that ends it"),
    ("host", "RFC 3986 section 3.2.2", "the name or the address of a machine, such as example.test or 127.0.0.1"),
    ("interim response", "RFC 9110 section 15.2", "a short note before the answer, with a status code from 100 to 199; it has no content"),
    ("media type", "RFC 9110 section 8.3.1", "what kind of data it is, such as text/html, application/json or image/png; also called MIME type"),
    ("method", "RFC 9110 section 9.1", "the first word of a request, such as GET or POST: what the client wants to have done"),
    ("origin", "RFC 6454 section 4", "the http or https, the host and the port of a page, taken together; if one of them differs, it is another origin, and the browser keeps their data apart"),
    ("pipelining", "RFC 9112 section 9.3.2", "to send the next request before the response to the last one has arrived"),
    ("port", "RFC 9110 section 4.2.1", "a number that chooses one of the programs that listen on a machine; 80 for http if none is written"),
    ("preflight", "Fetch standard", "the browser's question before a request: with OPTIONS, it asks whether a page of another origin may send it"),
    ("proxy", "RFC 9110 section 3.7", "a program on the way that passes requests and responses on"),
    ("query", "RFC 3986 section 3.4", "the part of a URL after the question mark, such as q=tea&page=2"),
    ("redirect", "RFC 9110 section 15.4", "a response that says: ask again, at the URL in the field Location"),
    ("representation", "RFC 9110 section 3.2", "the bytes that stand for a page or an image at this moment; a page in two languages has two"),
    ("reset", "RFC 9293 section 3.5.2", "the abrupt end of a connection: what has not reached the other program yet may be lost in both directions"),
    ("resource", "RFC 9110 section 3.1", "what a URL names: a page, an image, the list of posts"),
    ("server", "RFC 9110 section 3.3", "the program that waits for connections and answers requests"),
    ("smuggling", "RFC 9112 section 11.2", "to hide a second request within a first one, so that a server sees a request that the proxy before it never checked"),
    ("stale", "RFC 9111 section 4.2", "too old to be used again without asking the server"),
    ("status code", "RFC 9110 section 15", "three digits that say how it went: 2xx done, 3xx go elsewhere, 4xx the client's mistake, 5xx the server's"),
    ("target", "RFC 9110 section 7.1", "what a request is about: the part of the URL that is sent, such as /search?q=tea"),
    ("thread", "", "a worker within a program; some servers need one for each connection, and have only so many"),
    ("TLS", "RFC 8446 section 1", "the encryption of https: nobody on the way can read or change the bytes"),
    ("trailer", "RFC 9110 section 6.5", "a header field that comes after the content, because its value was not known before"),
    ("tunnel", "RFC 9110 section 3.7", "a connection through a proxy that only copies bytes, and does not read them"),
    ("URI", "RFC 3986 section 1.1", "the whole name of a resource, such as http://example.test/about?q=tea; browsers call it URL or address"),
    ("WebDAV", "RFC 4918 section 1", "more methods for HTTP, to keep and share files on a server"),
};

/// Returns the words that a learner looks up, in the order of the alphabet: those of [`words`], and
/// everyday ones that explanations use without a meaning beside them.
pub fn dictionary() -> Vec<Row> {
    let mut rows: Vec<Row> = words().chain(EVERYDAY_WORDS.rows().map(Row::from)).collect();
    rows.sort_by_key(|row| row.0.to_lowercase());
    rows
}

/// Returns what a word means, without regard to case: as a word of the [`dictionary`], as a method and, if
/// it is written as the field is, as a field. If it is none of them: as a status code, a version, a field,
/// or in the words of values. Where a word of the dictionary is the name of a field, the field is meant.
pub fn look_up(word: &str) -> Vec<Row> {
    let is = |row: &Row| row.0.eq_ignore_ascii_case(word);
    let in_table = |table| find(table, word.as_bytes());
    let in_fields = || find_field(word.as_bytes());
    let same_field = |row: &Row| find(FIELDS, row.0.as_bytes()).filter(|field| field.0 == row.0);
    let in_dictionary = dictionary().into_iter().find(is);
    let in_dictionary = in_dictionary.map(|row| same_field(&row).unwrap_or(row));
    let field = in_fields().filter(|row| row.0 == word && in_dictionary != Some(*row));
    let mut known: Vec<Row> =
        in_dictionary.into_iter().chain(in_table(METHODS)).chain(field).collect();
    if known.is_empty() {
        let tables = [STATUSES, VERSIONS, PSEUDO_FIELDS, CLASSES];
        known.extend(tables.into_iter().find_map(in_table).or_else(in_fields));
    }
    if known.is_empty() {
        let words = VALUE_WORDS.rows().map(|[_, word, clause, meaning]| (word, clause, meaning));
        known.extend(words.filter(is));
    }
    known
}

/// See [`dictionary`].
const EVERYDAY_WORDS: Table<3> = table! {
    ("body", "RFC 9110 section 6.4", "what frameworks call content: what a message carries after its head, such as a page or a form"),
    ("byte", "", "a number from 0 to 255; a letter of English is one byte, and in UTF-8 other letters are two to four"),
    ("certificate", "RFC 8446 section 4.4.2", "what a server shows over TLS, to prove that it owns the name in the URL"),
    ("CORS", "Fetch standard", "cross-origin resource sharing: header fields by which a server lets pages of another origin read its responses"),
    ("CSRF", "", "cross-site request forgery: a page of another site makes a browser send a request that its user did not want"),
    ("header", "RFC 9110 section 5", "what frameworks call a header field: a line with a name, a colon and a value; all of them are in the head"),
    ("hex", "", "numbers to the base 16, with the digits 0 to 9 and a to f; two of them are a byte"),
    ("HTTP", "RFC 9110 section 1", "the language of browsers and servers: a client sends a request, and a server sends a response"),
    ("HTTP/2", "RFC 9113 section 1", "the version of 2015: the same methods, status codes and fields, but in binary, and many exchanges at once on one connection"),
    ("HTTP/3", "RFC 9114 section 1", "the version of 2022: as HTTP/2, but over UDP in place of TCP"),
    ("https", "RFC 9110 section 4.2.2", "HTTP over TLS, at port 443 if none is written: no program on the way can read or change what is sent"),
    ("idle", "RFC 9112 section 9.5", "open, with no request under way; servers close a connection that is idle for long"),
    ("keep-alive", "RFC 9112 section 9.3", "the connection stays open for the next request; HTTP/1.1 does so unless one side says close"),
    ("path", "RFC 3986 section 3.3", "the part of a URL after the host and the port, such as /about"),
    ("request", "RFC 9110 section 3.4", "a message of a client: what it wants to have done, and with which target"),
    ("request line", "RFC 9112 section 3", "the first line of a request: the method, the target and the version"),
    ("response", "RFC 9110 section 3.4", "a message of a server: how the request went, and often a page or data"),
    ("route", "", "which function answers which path and method; in Flask, a line with @app.route"),
    ("status line", "RFC 9112 section 4", "the first line of a response: the version, the status code and a phrase for people"),
    ("TCP", "RFC 9293 section 2.2", "carries bytes between two programs, in order and without a loss; it does not know what they mean, nor where a message ends"),
    ("timeout", "RFC 9112 section 9.5", "the time after which a program waits no longer"),
    ("URL", "RFC 3986 section 1.1.3", "the address of a page, such as http://example.test:5000/about?q=tea#top: how to reach it (http), the host, the port, the path, the query and the fragment"),
};

/// Methods. They are case-sensitive, so compare them as they are.
pub const METHODS: Table<3> = table! {
    ("GET", "RFC 9110 section 9.3.1", "asks for the current representation of the target; it is safe: the client does not ask for a change"),
    ("HEAD", "RFC 9110 section 9.3.2", "asks for the head that GET would return, without the content"),
    ("POST", "RFC 9110 section 9.3.3", "gives the body (content) to the target, which decides what to do with it; sent twice, it may be done twice"),
    ("PUT", "RFC 9110 section 9.3.4", "replaces the state of the target with the body (content); sent twice, it has the same effect as once"),
    ("DELETE", "RFC 9110 section 9.3.5", "asks to remove the target; sent twice, it has the same effect as once"),
    ("CONNECT", "RFC 9110 section 9.3.6", "asks a proxy for a tunnel to the host and port in the target; the proxy does not read what follows as HTTP"),
    ("OPTIONS", "RFC 9110 section 9.3.7", "asks what can be done with the target, or with the whole server if the target is *"),
    ("TRACE", "RFC 9110 section 9.3.8", "asks the server to send the request back as it arrived; most servers turn it off, because it shows secrets"),
    ("PATCH", "RFC 5789 section 2", "changes a part of the target as the content says"),
    ("PROPFIND", "RFC 4918 section 9.1", "asks for properties of the target, in WebDAV"),
    ("MKCOL", "RFC 4918 section 9.3", "makes a collection (a folder), in WebDAV"),
    ("PROPPATCH", "RFC 4918 section 9.2", "changes properties of the target, in WebDAV"),
    ("COPY", "RFC 4918 section 9.8", "copies the target to the URI in Destination, in WebDAV"),
    ("MOVE", "RFC 4918 section 9.9", "moves the target to the URI in Destination, in WebDAV"),
    ("LOCK", "RFC 4918 section 9.10", "locks the target, so that other users cannot change it, in WebDAV"),
    ("UNLOCK", "RFC 4918 section 9.11", "removes the lock that Lock-Token names, in WebDAV"),
    ("REPORT", "RFC 3253 section 3.6", "asks for a report on the target, such as the events of a calendar; the content says which one"),
    ("SEARCH", "RFC 5323 section 2", "asks for the resources that match the content, in WebDAV"),
    ("ACL", "RFC 3744 section 8.1", "changes who may do what with the target, in WebDAV"),
    ("MKCALENDAR", "RFC 4791 section 5.3.1", "makes a calendar, in CalDAV"),
    ("BIND", "RFC 5842 section 4", "gives a resource one more name in a collection (a folder), in WebDAV"),
    ("UNBIND", "RFC 5842 section 5", "takes a name of a resource away, in WebDAV"),
    ("REBIND", "RFC 5842 section 6", "moves a name of a resource to another collection (folder), in WebDAV"),
    ("ORDERPATCH", "RFC 3648 section 7", "changes the order of what a collection (a folder) holds, in WebDAV"),
    ("MKREDIRECTREF", "RFC 4437 section 6", "makes a resource that redirects to another one, in WebDAV"),
    ("UPDATEREDIRECTREF", "RFC 4437 section 7", "changes where such a resource redirects to, in WebDAV"),
    ("VERSION-CONTROL", "RFC 3253 section 3.5", "puts the target under version control: from now on, its states are kept as versions"),
    ("CHECKOUT", "RFC 3253 section 4.3", "makes the target writable, so that it can become a new version"),
    ("CHECKIN", "RFC 3253 section 4.4", "makes the state of a target that was checked out a new version"),
    ("UNCHECKOUT", "RFC 3253 section 4.5", "undoes a checkout: the target is again what it was before"),
    ("UPDATE", "RFC 3253 section 7.1", "makes the target the version that the content names"),
    ("LABEL", "RFC 3253 section 8.2", "adds, moves or removes a name of a version"),
    ("MKWORKSPACE", "RFC 3253 section 6.3", "makes a workspace: a collection (a folder) in which one user changes versions"),
    ("BASELINE-CONTROL", "RFC 3253 section 12.6", "puts a collection (a folder) under baseline control: from now on, states of it as a whole are kept"),
    ("MERGE", "RFC 3253 section 11.2", "merges versions into the target; Subversion ends a commit with it"),
    ("MKACTIVITY", "RFC 3253 section 13.5", "begins a set of changes; Subversion begins a commit with it"),
    ("QUERY", "RFC 10008 section 2", "asks for a result that the content describes; it is safe like GET, and has content like POST"),
    ("PURGE", "", "asks a cache to delete its copy of the target; a convention of Varnish, Squid and CDNs"),
};

/// Versions, at the end of a request line or the start of a status line.
pub const VERSIONS: Table<3> = table! {
    ("HTTP/1.1", "RFC 9112 section 2.3", "the version of HTTP; in 1.1 the connection stays open unless one side says close"),
    ("HTTP/2", "RFC 9113 section 8.3", "the version of 2015; its heads are binary, so a tool wrote this line for people, and a server of HTTP/1.1 would refuse it"),
    ("HTTP/2.0", "RFC 9113 section 8.3", "HTTP/2, the version of 2015; its heads are binary, so a tool wrote this line for people, and a server of HTTP/1.1 would refuse it"),
    ("HTTP/3", "RFC 9114 section 4.3", "the version of 2022, over UDP; its heads are binary, so a tool wrote this line for people, and a server of HTTP/1.1 would refuse it"),
    ("HTTP/1.0", "RFC 9112 section 2.3", "the version of 1996: it has no chunks, does not need Host, and ends the connection after each response unless both sides say keep-alive"),
};

/// The fields in which HTTP/2 and HTTP/3 have the words of the first line.
pub const PSEUDO_FIELDS: Table<3> = table! {
    (":authority", "RFC 9113 section 8.3.1", "the host and the port; HTTP/1.1 has them in the field Host"),
    (":method", "RFC 9113 section 8.3.1", "the method; in HTTP/1.1, the first word of the request line"),
    (":path", "RFC 9113 section 8.3.1", "the target; in HTTP/1.1, the second word of the request line"),
    (":protocol", "RFC 8441 section 4", "the protocol to change to, such as websocket; HTTP/1.1 has it in the field Upgrade"),
    (":scheme", "RFC 9113 section 8.3.1", "http or https; HTTP/1.1 does not send it"),
    (":status", "RFC 9113 section 8.3.2", "the status code; in HTTP/1.1, the second word of the status line"),
};

/// Fields that only requests have.
pub const REQUEST_FIELDS: &str = "accept accept-encoding accept-language authorization cookie host if-none-match origin referer sec-fetch-mode user-agent";

/// Status codes.
pub const STATUSES: Table<3> = table! {
    ("100", "RFC 9110 section 15.2.1", "go on: send the body (content); the final response follows"),
    ("101", "RFC 9110 section 15.2.2", "the server agrees; after this head, the connection uses the protocol that Upgrade names"),
    ("102", "RFC 2518 section 10.1", "the server is still working on it; the final response follows"),
    ("103", "RFC 8297 section 2", "header fields that the final response will probably have; the client can begin to load what they name"),
    ("200", "RFC 9110 section 15.3.1", "the request succeeded; for GET, the body (content) is what was requested"),
    ("201", "RFC 9110 section 15.3.2", "a new resource was created; Location names it, or else it is the target"),
    ("202", "RFC 9110 section 15.3.3", "the request was accepted, and the work is not finished; this does not say how it will end"),
    ("203", "RFC 9110 section 15.3.4", "the request succeeded, but a proxy on the way changed the content"),
    ("204", "RFC 9110 section 15.3.5", "the request succeeded; this response never has a body (content)"),
    ("205", "RFC 9110 section 15.3.6", "the request succeeded: clear the form that sent it; it must not have a body (content)"),
    ("206", "RFC 9110 section 15.3.7", "this is the part, or these are the parts, that Range requested"),
    ("207", "RFC 4918 section 11.1", "the content has several statuses, one for each resource, in WebDAV"),
    ("208", "RFC 5842 section 7.1", "this member was listed before in the same response, in WebDAV"),
    ("226", "RFC 3229 section 10.4.1", "the content is the difference from what the client has, not the whole"),
    ("300", "RFC 9110 section 15.4.1", "there are several representations: choose one"),
    ("301", "RFC 9110 section 15.4.2", "the resource has moved permanently to the URI in Location: use that from now on; a POST may become a GET"),
    ("302", "RFC 9110 section 15.4.3", "the resource is temporarily at the URI in Location; a POST may become a GET"),
    ("303", "RFC 9110 section 15.4.4", "see the URI in Location, with GET; a reload then does not send a form again"),
    ("304", "RFC 9110 section 15.4.5", "the client's copy is still valid; this response never has a body (content)"),
    ("305", "RFC 9110 section 15.4.6", "formerly: use a proxy; deprecated, because an attacker could send it too"),
    ("306", "RFC 9110 section 15.4.7", "no longer used; the code is reserved"),
    ("307", "RFC 9110 section 15.4.8", "the resource is temporarily at the URI in Location; send the same method and content there"),
    ("308", "RFC 9110 section 15.4.9", "the resource has moved permanently to the URI in Location; send the same method and content there"),
    ("400", "RFC 9110 section 15.5.1", "the server cannot or will not process this request; the error is in the request"),
    ("401", "RFC 9110 section 15.5.2", "the request needs valid credentials; WWW-Authenticate says how to send them"),
    ("402", "RFC 9110 section 15.5.3", "reserved for future use; some services ask for money with it"),
    ("403", "RFC 9110 section 15.5.4", "the server understood the request and refuses it; the same credentials will not help"),
    ("404", "RFC 9110 section 15.5.5", "there is no resource at this target, or the server does not say that there is one"),
    ("405", "RFC 9110 section 15.5.6", "the target exists, but not for this method; Allow lists its methods"),
    ("406", "RFC 9110 section 15.5.7", "the target has no representation that the Accept fields allow"),
    ("407", "RFC 9110 section 15.5.8", "the proxy needs valid credentials; Proxy-Authenticate says how to send them"),
    ("408", "RFC 9110 section 15.5.9", "the request did not arrive in the time that the server waits"),
    ("409", "RFC 9110 section 15.5.10", "the request conflicts with the state of the target, such as another user's change"),
    ("410", "RFC 9110 section 15.5.11", "the resource is gone and will not come back"),
    ("411", "RFC 9110 section 15.5.12", "the server needs the length of the content first: send Content-Length"),
    ("412", "RFC 9110 section 15.5.13", "a condition of the request, such as If-Match, is not met"),
    ("413", "RFC 9110 section 15.5.14", "the body (content) is longer than the server accepts"),
    ("414", "RFC 9110 section 15.5.15", "the target is longer than the server accepts"),
    ("415", "RFC 9110 section 15.5.16", "the target does not accept the media type or the coding of the content"),
    ("416", "RFC 9110 section 15.5.17", "the requested range does not exist; Content-Range says how long the whole is"),
    ("417", "RFC 9110 section 15.5.18", "the server cannot do what Expect asks for"),
    ("418", "RFC 9110 section 15.5.19", "reserved because of a joke: I am a teapot"),
    ("419", "Laravel", "the form was open for too long, so that its X-CSRF-Token is no longer valid"),
    ("421", "RFC 9110 section 15.5.20", "this server does not answer for that host"),
    ("422", "RFC 9110 section 15.5.21", "the server can read the content, but cannot do what it says"),
    ("423", "RFC 4918 section 11.3", "a WebDAV lock protects the resource"),
    ("424", "RFC 4918 section 11.4", "not done, because something else that it needs failed"),
    ("425", "RFC 8470 section 5.2", "the request arrived in TLS early data, which can be replayed: send it again after the handshake"),
    ("426", "RFC 9110 section 15.5.22", "the server does not accept this protocol; Upgrade names those that it accepts"),
    ("428", "RFC 6585 section 3", "send a condition such as If-Match, so that another user's change is not lost"),
    ("429", "RFC 6585 section 4", "the client sent too many requests in too little time; Retry-After may say when to try again"),
    ("431", "RFC 6585 section 5", "one header field, or all of them together, are longer than the server accepts; cookies are the usual reason"),
    ("451", "RFC 7725 section 3", "the server may not show this, for legal reasons"),
    ("500", "RFC 9110 section 15.6.1", "the server failed; the error is not in the request"),
    ("501", "RFC 9110 section 15.6.2", "the server does not support what the request needs, such as its method"),
    ("502", "RFC 9110 section 15.6.3", "the server is a gateway, and the next server sent an invalid response"),
    ("503", "RFC 9110 section 15.6.4", "the server is too busy, or under maintenance; Retry-After may say when to try again"),
    ("504", "RFC 9110 section 15.6.5", "the server is a gateway, and the next server sent no response in time"),
    ("505", "RFC 9110 section 15.6.6", "the server does not support this major version of HTTP"),
    ("506", "RFC 2295 section 8.1", "the server's choice between variants leads back to itself"),
    ("507", "RFC 4918 section 11.5", "the server has no space to store it"),
    ("508", "RFC 5842 section 7.2", "the server found an endless loop in the request, in WebDAV"),
    ("510", "RFC 2774 section 7", "the request lacks an extension that the server needs"),
    ("511", "RFC 6585 section 6", "log in to the network first: a portal on the way sends this, not the server"),
    ("520", "Cloudflare", "Cloudflare is the gateway, and the server behind it sent no valid response"),
    ("521", "Cloudflare", "Cloudflare is the gateway, and the server behind it refused the connection"),
    ("522", "Cloudflare", "Cloudflare is the gateway, and could not connect to the server behind it in time"),
    ("523", "Cloudflare", "Cloudflare is the gateway, and found no route to the server behind it"),
    ("524", "Cloudflare", "Cloudflare is the gateway, and the server behind it sent no response in time"),
    ("525", "Cloudflare", "Cloudflare is the gateway, and its TLS handshake with the server behind it failed"),
    ("526", "Cloudflare", "Cloudflare is the gateway, and the certificate of the server behind it is not valid"),
};

/// The classes of status codes, for codes that are not in [`STATUSES`].
pub const CLASSES: Table<3> = table! {
    ("1", "RFC 9110 section 15.2", "not in this glossary; 1xx: an interim response, and the final one follows"),
    ("2", "RFC 9110 section 15.3", "not in this glossary; 2xx: received, understood and accepted, as for 200"),
    ("3", "RFC 9110 section 15.4", "not in this glossary; 3xx: the client must do more, as for 300"),
    ("4", "RFC 9110 section 15.5", "not in this glossary; 4xx: the error is in the request, as for 400"),
    ("5", "RFC 9110 section 15.6", "not in this glossary; 5xx: the server failed, as for 500"),
};

/// Returns the clause and the explanation of where a message ends. It is shown at the end of the head.
pub fn ending(ending: Ending) -> (&'static str, String) {
    let (clause, meaning) = match ending {
        Ending::Length(length @ 1..) => ("RFC 9112 section 6.3", &*format!("the empty line: the head ends here; the body (content) follows, and ends after {}, as Content-Length says", counted(length, "byte", "bytes"))),
        Ending::Length(_) => ("RFC 9112 section 6.3", "the empty line: the head ends here, and so does the message: Content-Length is 0"),
        Ending::Interim => ("RFC 9110 section 15.2", "the empty line: the head ends here, and so does this interim response: the final one follows"),
        Ending::NoContent => ("RFC 9112 section 6.3", "the empty line: the head ends here, and so does the response: 204 and 304 have no content, whatever the fields say"),
        Ending::ToHead => ("RFC 9112 section 6.3", "the empty line: the head ends here, and so does the response: HEAD asks for no body (content)"),
        Ending::NoFraming => ("RFC 9112 section 6.3", "the empty line: the head ends here, and so does the request: without Content-Length or Transfer-Encoding it has no body (content)"),
        Ending::Chunked => ("RFC 9112 section 6.3", "the empty line: the head ends here; the body (content) follows in chunks, and a chunk of size zero ends it"),
        Ending::Close => ("RFC 9112 section 6.3", "the empty line: the head ends here; the body (content) ends when the server closes the connection, because no field says where it ends"),
        Ending::CloseCoded => ("RFC 9112 section 6.3", "the empty line: the head ends here; the body (content) ends when the server closes the connection, because its last coding is not chunked"),
        Ending::Switched => ("RFC 9110 section 15.2.2", "the empty line: the head ends here, and the connection changes its protocol"),
        Ending::Tunnel => ("RFC 9112 section 6.3", "the empty line: the head ends here, and the tunnel begins"),
        Ending::CodingUnknown => ("RFC 9112 section 6.3", "the empty line: the head ends here, and the end of the body (content) is unknown, because its last coding is not chunked"),
        Ending::LengthInvalid => ("RFC 9112 section 6.3", "the empty line: the head ends here, and the end of the body (content) is unknown, because Content-Length is not a number of bytes"),
        Ending::LengthsDiffer => ("RFC 9112 section 6.3", "the empty line: the head ends here, and the end of the body (content) is unknown, because there are two lengths"),
    };
    (clause, meaning.to_owned())
}

/// Other protocols, known by their first bytes: what to do, the clause, and which protocol it is.
pub const OTHER_PROTOCOLS: &[(&[u8], Row)] = &[
    (b"PRI * HTTP/2.0\r\n", ("ask the client for HTTP/1.1, as curl --http1.1 does", "RFC 9113 section 3.4", "this is HTTP/2, as its preface shows, and cannot be read as HTTP/1.1")),
    (b"\x16\x03", ("use http:// instead of https://", "RFC 8446 section 4", "this is TLS, as its handshake shows, and cannot be read as HTTP, because it is encrypted")),
    (b"\x15\x03", ("look at its last byte, which says why", "RFC 8446 section 6", "this is TLS, as its alert shows, and cannot be read as HTTP: one side ends the connection")),
    (b"SSH-", ("check the port", "RFC 4253 section 4.2", "this is SSH, as its greeting shows, and cannot be read as HTTP")),
    (b"PROXY ", ("turn it off in the proxy in front of the server", "PROXY protocol", "this is a line of the PROXY protocol, and cannot be read as HTTP")),
    (b"\r\n\r\n\0\r\nQUIT\n", ("turn it off in the proxy in front of the server", "PROXY protocol", "this is the PROXY protocol, in its second version, and cannot be read as HTTP")),
    (b"220 ", ("check the port", "RFC 5321 section 4.2", "this is a server for mail or files, as its greeting shows, and cannot be read as HTTP")),
    (b"EHLO ", ("check the port", "RFC 5321 section 4.1", "this is SMTP, which sends mail, and cannot be read as HTTP")),
    (b"ICY ", ("read it as HTTP/1.0 200 OK, as players do", "SHOUTcast", "this is a radio stream, as its first word shows, and cannot be read as HTTP")),
];

/// The same, for the bytes of a server, where they mean something else than those of a client.
pub const PROTOCOLS_OF_SERVERS: &[(&[u8], Row)] = &[
    (b"\x16\x03", ("use a port of the server that speaks plain HTTP", "RFC 8446 section 4", "this is TLS, as its handshake shows, and cannot be read as HTTP, because it is encrypted")),
    (b"\x15\x03", ("use https:// if the request was plain HTTP; the last byte says more", "RFC 8446 section 6", "this is TLS, as its alert shows, and cannot be read as HTTP: the server ends the connection")),
];

/// Other protocols with lines like those of HTTP, known by their version. It is at the end of a
/// request line, or at the start of a status line.
pub const PROTOCOLS_BY_VERSION: &[(&[u8], Row)] = &[
    (b"RTSP/", ("check the port", "RFC 2326 section 3.1", "this is RTSP, which controls video streams, as its version shows, and cannot be read as HTTP")),
    (b"ICAP/", ("check the port", "RFC 3507 section 4.3", "this is ICAP, by which proxies have messages checked, as its version shows, and cannot be read as HTTP")),
    (b"SIP/", ("check the port", "RFC 3261 section 7", "this is SIP, which sets up telephone calls, as its version shows, and cannot be read as HTTP")),
];

/// The first frame of a server, in HTTP/2.
pub const HTTP2_FRAME: Row = ("send it HTTP/2, as curl --http2-prior-knowledge does", "RFC 9113 section 3.4", "this is HTTP/2, as its first frame shows, and cannot be read as HTTP/1.1");

// Rows for elements that are not found by a name.

/// An entity tag.
pub const STRONG_TAG: Row = ("", "RFC 9110 section 8.8.1", "a strong tag: it changes whenever a byte of the content changes");
/// An entity tag that begins with `W/`.
pub const WEAK_TAG: Row = ("", "RFC 9110 section 8.8.1", "a weak tag: it may stay the same when the content changes a little");
/// Such a tag in `If-Match` or `If-Range`.
pub const WEAK_TAG_IN_CONDITION: Row = ("", "RFC 9110 section 8.8.3.2", "a weak tag: it never matches here, because the bytes must be the same");

/// A target that begins with a slash.
pub const ORIGIN_FORM: Row = ("", "RFC 9112 section 3.2.1", "the path: it names a resource of the host");
/// A target with a scheme.
pub const ABSOLUTE_FORM: Row = ("", "RFC 9112 section 3.2.2", "a whole URI, as a proxy receives it; its host counts, not the one in Host");
/// The target of CONNECT.
pub const AUTHORITY_FORM: Row = ("", "RFC 9112 section 3.2.3", "a host and a port, as CONNECT names them");
/// The target `*`.
pub const ASTERISK_FORM: Row = ("", "RFC 9112 section 3.2.4", "the whole server, and not one of its resources");
/// Before [`WAYS`].
pub const THREE_WAYS: &str = "a message says in one of three ways where its content ends:";
/// The ways in which a message says where its content ends.
pub const WAYS: [&str; 3] = [
    "Content-Length: N           after N bytes",
    "Transfer-Encoding: chunked  after a chunk of size 0",
    "neither field               at the close; a request has none",
];
/// After the head of a response that a framework made.
pub fn added_by_framework(software: &str, fields: usize) -> String {
    let fields = counted(fields as u64, "header field", "header fields");
    format!("none of this is in your three lines, if your function only returns a text: the framework and its server ({software}) add the status line and {fields}")
}
/// Words in the names of software that runs a framework's code, in lower case. A program on
/// Python's own http.server has no framework: it writes its fields itself.
pub const FRAMEWORK_SERVERS: [&str; 24] = [
    "aiohttp", "cheroot", "cherrypy", "cowboy", "daphne", "express", "gunicorn",
    "hypercorn", "jetty", "kestrel", "next", "passenger", "php", "puma", "thin",
    "tomcat", "tornadoserver", "undertow", "unicorn", "uvicorn", "waitress", "webrick", "werkzeug",
    "wsgiserver",
];
/// Fields that such software adds by itself, in lower case.
pub const ADDED_FIELDS: &str = "connection content-length content-type date etag keep-alive server transfer-encoding x-powered-by";
/// Whether this is a name of such software, such as `Werkzeug/3.0.1 Python/3.12.3`.
pub fn is_framework(software: &str) -> bool {
    let name = software.to_ascii_lowercase();
    let mut words = name.split(|it: char| !it.is_alphanumeric());
    words.any(|word| FRAMEWORK_SERVERS.contains(&word))
}
/// The response to a request of a page of another origin, without a field that allows it.
pub fn hidden(origin: &str, is_preflight: bool) -> String {
    match is_preflight {
        true => format!("the browser does not send the request that it asks about: Access-Control-Allow-Origin does not name {origin}"),
        false => format!("the response arrives, but if a script of the page at {origin} asked for it, the browser hides it from the script: that is another origin, and Access-Control-Allow-Origin does not name it; what the server did stays done"),
    }
}
/// A 304 to a request with If-None-Match.
pub const SAME_TAG: Row = ("", "RFC 9110 section 15.4.5", "the request named the ETag of the copy that the client keeps, and that copy is still right: no content has to cross");
/// The end of a connection without a byte.
pub const SPARE: Row = ("", "", "a spare connection: a browser opens one more than it needs, to have it ready, and ends it when nothing is left to ask; no request is lost");
/// A half-close of the client before it has its responses.
pub const CLIENT_SENDS_NO_MORE: Row = ("", "RFC 9293 section 3.6", "the client will send no more; it may be waiting for the response, or be gone: the server sees no difference");
/// A half-close of the client after its responses.
pub const CLIENT_HAS_ALL: Row = ("", "RFC 9293 section 3.6", "the client will send no more; it has all its responses, so nothing is lost");
/// A half-close of the server.
pub const SERVER_SENDS_NO_MORE: Row = ("", "RFC 9112 section 9.6", "the server will send no more; it may still read what the client sends, so that no reset destroys the response, or it has closed: the bytes do not tell");
/// The client closes before it has its responses.
pub const CLIENT_IS_GONE: Row = ("", "", "the client is gone before it had the whole response: it stopped waiting, or its page was closed");
/// The client closes after its responses.
pub const CLIENT_CLOSES: Row = ("", "RFC 9112 section 9.6", "the client closes the connection after its last response: it needs it no more, and nothing is lost");
/// The server closes a connection without a request.
pub const NEVER_ASKED: Row = ("", "RFC 9112 section 9.5", "no request came on this connection, and a server does not wait for ever");
/// The server closes, and a request has no response.
pub const NO_RESPONSE: Row = ("", "RFC 9112 section 9.3.1", "the server closes without a response: the client does not know whether the request was carried out");
/// The server closes after a response that said so.
pub const CLOSES_AS_SAID: Row = ("", "RFC 9112 section 9.6", "the server closes, as the response said; its content was complete before");
/// The server closes after a response to a request that said so.
pub const CLOSES_AS_ASKED: Row = ("", "RFC 9112 section 9.3", "the server closes, as the request had said: by Connection: close, or by HTTP/1.0 without keep-alive");
/// The server closes after a response that said so, and the request was not complete.
pub const CLOSES_EARLY_AS_SAID: Row = ("", "RFC 9112 section 9.3", "the server closes, as the response said; it did not wait for the rest of the request");
/// The server closes after a response, and the request was not complete.
pub const CLOSES_EARLY: Row = ("", "RFC 9112 section 9.3", "the server closes after its response; it did not wait for the rest of the request");
/// Why a request has no more content, after `100-continue`.
pub const CONTENT_NOT_ASKED_FOR: Row = ("", "RFC 9110 section 10.1.1", "with Expect: 100-continue the client waits, and the response says no, so it need not send more");
/// Why a request has no more content.
pub const CONTENT_NOT_NEEDED: Row = ("", "RFC 9112 section 9.5", "the server answered before it was complete, so it was not needed");
/// The server closes a connection whose client has ended its direction, after the last response.
pub const CLOSES_AFTER_CLIENT: Row = ("", "RFC 9112 section 9.6", "the client had said that it sends no more, and everything is answered, so the server closes");
/// The same, without a request.
pub const CLOSES_UNUSED: Row = ("", "RFC 9112 section 9.5", "the client had said that it sends no more, and it asked for nothing, so the server closes");
/// The server closes a connection that is kept alive.
pub const IDLE_CLOSE: Row = ("", "RFC 9112 section 9.5", "the server closes the connection between two requests, and no field of its response said so; nothing is lost, and the client opens a new one when it needs one");
/// A reset, as the server sends it.
pub const RESET_BY_SERVER: Row = ("", "RFC 9112 section 9.6", "a reset: the client gets an error, and can lose bytes that had arrived and that it had not read; after a close, it would read all of them and then the end");
/// A reset, as the client sends it.
pub const RESET_BY_CLIENT: Row = ("", "RFC 9112 section 9.6", "a reset: the server gets an error, and what it has sent may be lost; after a close, it would read all bytes that the client sent and then the end");
/// After an exchange: the connection closes.
pub const CLOSES: Row = ("", "RFC 9112 section 9.6", "the connection ends after this exchange: Connection says close");
/// After an exchange in HTTP/1.0: the connection closes.
pub const CLOSES_IN_1_0: Row = ("", "RFC 9112 section 9.3", "the connection ends after this exchange, as it does in HTTP/1.0");
/// After an exchange: the connection stays open.
pub const STAYS_OPEN: Row = ("", "RFC 9112 section 9.3", "the connection stays open for the next request, because no field says close");
/// After a request: the connection stays open if the response says nothing else.
pub const WOULD_STAY_OPEN: Row = ("", "RFC 9112 section 9.3", "the client would keep the connection open: no field says close");
/// After a request in HTTP/1.0: the same.
pub const WOULD_STAY_OPEN_IN_1_0: Row = ("", "RFC 9112 section 9.3", "the client would keep the connection open: in HTTP/1.0 only because Connection says keep-alive");
/// After a response to a request that says that the connection ends.
pub const CLOSES_FOR_REQUEST: Row = ("", "RFC 9112 section 9.3", "the connection ends after this exchange, because of the request: it says close, or it is in HTTP/1.0 without keep-alive");
/// After an exchange in HTTP/1.0: the connection stays open.
pub const STAYS_OPEN_IN_1_0: Row = ("", "RFC 9112 section 9.3", "the connection stays open: in HTTP/1.0 only because Connection says keep-alive");
/// After a chunk's size.
pub const CHUNK_EXTENSION: Row = ("", "RFC 9112 section 7.1.1", "an extension of the chunk; a recipient that does not know it ignores it");
/// After the last chunk.
pub const TRAILER: Row = ("", "RFC 9110 section 6.5", "a trailer: a field after the content, because its value was not known before");
/// Before a request line.
pub const EMPTY_LINE: Row = ("", "RFC 9112 section 2.2", "an empty line; a server ignores one before a request line");
/// After a status code.
pub const REASON_PHRASE: Row = ("", "RFC 9112 section 4", "the reason phrase, for people; programs ignore it");
/// A parameter of the query whose name is that of a secret.
pub const KEY_IN_QUERY: Row = ("", "RFC 9110 section 17.9", "a key in the query, which is the worst place: logs, histories and Referer keep the target; send it in a field such as Authorization");
/// A member of a weighted list whose weight breaks the grammar.
pub const BAD_WEIGHT: Row = ("", "RFC 9110 section 12.4.2", "this weight breaks the rule: it is a number from 0 to 1 with at most three digits after the dot, such as q=0.5; servers differ in what they do with others");
/// In a `Cookie`.
pub const COOKIE: Row = ("", "RFC 6265 section 4.2", "the name of a cookie; its value often tells the server which client this is");
/// In a `Set-Cookie`.
pub const NEW_COOKIE: Row = ("", "RFC 6265 section 4.1", "the name of the cookie; its value may be as good as a password");
/// In a `Connection`.
pub const HOP_BY_HOP_FIELD: Row = ("", "RFC 9110 section 7.6.1", "the name of a field that is for this connection only");
/// A field that is not in [`FIELDS`].
pub const UNKNOWN_FIELD: Row = ("", "RFC 9110 section 5.1", "this header field is not in this glossary; a recipient ignores those that it does not know");
/// A method that is not in [`METHODS`].
pub const UNKNOWN_METHOD: Row = ("", "RFC 9110 section 9.1", "a method that is not in this glossary; methods are case-sensitive");
/// A version that is not in [`VERSIONS`].
pub const UNKNOWN_VERSION: Row = ("", "RFC 9110 section 2.5", "a version that is not in this glossary");
/// A scheme of credentials that is not in [`VALUE_WORDS`].
pub const UNKNOWN_SCHEME: Row = ("", "RFC 9110 section 11.1", "a scheme of authentication");

// Notes on pasted text.

/// Lines that end in LF.
pub const LF_OF_PASTED_TEXT: Row = ("", "RFC 9112 section 2.2", "the lines end in LF alone, as in pasted text; they are read as if each ended in CR LF, as HTTP requires");
/// A head without its empty line.
pub const NO_EMPTY_LINE: Row = ("", "RFC 9112 section 2.1", "the empty line that ends the head is missing: a server would wait for it; text that was copied from a browser has none, so it is added here");
/// A line with a shell's prompt.
pub const PROMPT: Row = ("", "", "the line with the prompt of a shell is left out");
/// What `curl -v` prints.
pub const CURL: Row = ("", "", "this is what curl -v prints: > before what it sent, < before what it received; what it says with * is left out, content that it does not show is only counted, and what comes in chunks is one chunk here");
/// A URL where a message should be.
pub const URL_ALONE: Row = ("", "", "this is a URL and not a message: run curl -v with it, and paste what that prints");
/// A command for curl where a message should be.
pub const CURL_COMMAND: Row = ("", "", "this is a command for curl and not a message: run it with -v added, and paste what that prints");
/// After a head of HTTP/2 with content.
pub const CONTENT_OF_HTTP2: Row = ("", "RFC 9113 section 8.1", "the content is left out here; in HTTP/2 and HTTP/3, a flag in the binary data says where it ends");
/// Heads that a browser shows.
pub const COPIED_HEADS: Row = ("", "", "these are heads as a browser or a tool shows them, and not the bytes of HTTP/1.1");
/// A name and its value in two lines.
pub const JOINED_LINES: Row = ("", "", "each name and its value stood in two lines; here they are in one");
/// After heads of HTTP/2.
pub const HTTP2_HEADS: Row = ("", "RFC 9113 section 8.1", "in HTTP/2 and HTTP/3, a flag in the binary data says where the head and the content end: they need no empty line, no Content-Length, no chunks and no Connection");
/// After header fields without a first line.
pub const NO_FIRST_LINE: Row = ("", "", "the first line is missing, so where the content ends is not explained: copy the raw head, or use curl -v");

// Faults that no refusal covers, most of them in responses: how to fix it, the clause, and what is wrong.

/// The first line has another form.
pub const NO_STATUS_LINE: Row = ("write it like HTTP/1.1 200 OK", "RFC 9112 section 4", "a status line is a version, three digits and a phrase, with one space between each");
/// `HTTP/2 200`, as curl prints it.
pub const WRITTEN_BY_A_TOOL: Row = ("in HTTP/1.1 the line begins with HTTP/1.1", "RFC 9113 section 8.3.2", "a tool wrote this line for people, because heads in HTTP/2 and HTTP/3 are binary");
/// `HTTP/1.1 200`, and the line ends.
pub const NO_SPACE_AFTER_CODE: Row = ("write a space after the status code", "RFC 9112 section 4", "the space after the status code is missing: it is needed even without a phrase");
/// `HTTP/1.1 099 Odd`
pub const CODE_OUT_OF_RANGE: Row = ("use a code from 100 to 599", "RFC 9110 section 15", "no status code begins with this digit: a client treats it as a 5xx");
/// In the phrase.
pub const CONTROL_IN_PHRASE: Row = ("use visible characters, spaces and tabs only", "RFC 9112 section 4", "the phrase has a control byte");
/// Fields that a response with 1xx or 204 must not have.
pub const NEVER_WITHOUT_CONTENT: &[(&str, Row)] = &[
    ("transfer-encoding", ("leave the field out", "RFC 9112 section 6.1", "a response with 1xx or 204 has no content, so no field may say how it is coded")),
    ("content-length", ("leave the field out", "RFC 9110 section 8.6", "a response with 1xx or 204 has no content, so no field may say how long it is")),
];
/// A response with 205 and content.
pub const RESET_WITH_CONTENT: Row = ("send Content-Length: 0 and no content", "RFC 9110 section 15.3.6", "a response with 205 must not have content");
/// A field of [`NEVER_IN_TRAILERS`] after the content.
pub const TRAILER_TOO_LATE: Row = ("send it in the head", "RFC 9110 section 6.5.1", "this field must not be a trailer: a recipient needs it before the content, and ignores it here");
/// Where a message should begin.
pub const NO_HEAD: Row = ("begin with a request line or a status line", "RFC 9112 section 2.1", "this is content without a head before it");
/// After the end of a message.
pub const STRAY: Row = ("count the bytes of its content, or send none if it may not have content", "RFC 9112 section 6.3", "this comes after the end of the message before, so it is not its content: the other side takes it for the start of the next message, and reads that one wrong");
/// A length, or the size of a chunk, of more than 64 bits.
pub const LENGTH_OVER_64_BITS: Row = ("write how many bytes there are", "RFC 9110 section 8.6", "this number has more than 64 bits, and no message is that long");

/// Fields that mean something else in a response.
pub const FIELDS_OF_RESPONSES: Table<3> = table! {
    ("Accept", "RFC 9110 section 12.5.1", "the media types that this target takes as the body (content) of a request"),
    ("Accept-Encoding", "RFC 9110 section 12.5.3", "the compressions that this target takes in the body (content) of a request"),
};

/// Field names.
pub const FIELDS: Table<3> = table! {
    ("Accept", "RFC 9110 section 12.5.1", "the media types that the client accepts, and which it prefers"),
    ("Accept-CH", "RFC 8942 section 3.1", "the client hints that the server asks for: fields such as Sec-CH-UA, in the requests that follow"),
    ("Accept-Charset", "RFC 9110 section 12.5.2", "the character encodings that the client accepts; deprecated, because nearly all text is UTF-8 now"),
    ("Accept-Encoding", "RFC 9110 section 12.5.3", "the compressions that the client can undo"),
    ("Accept-Language", "RFC 9110 section 12.5.4", "the languages that the user reads, and which the user prefers"),
    ("Accept-Patch", "RFC 5789 section 3.1", "the media types that a PATCH of this target may have"),
    ("Accept-Query", "RFC 10008 section 3", "the media types that a QUERY of this target may have"),
    ("Accept-Ranges", "RFC 9110 section 14.3", "whether Range can request parts of this"),
    ("Accept-Signature", "RFC 9421 section 5.1", "which parts of the response, or of the next request, should be signed"),
    ("Access-Control-Allow-Credentials", "Fetch standard", "whether a page of another origin may read the response to a request with cookies"),
    ("Access-Control-Allow-Headers", "Fetch standard", "the header fields that a page of another origin may send"),
    ("Access-Control-Allow-Methods", "Fetch standard", "the methods that a page of another origin may use"),
    ("Access-Control-Allow-Origin", "Fetch standard", "the origin whose pages may read this response; without it the browser receives the response and hides it from the page"),
    ("Access-Control-Allow-Private-Network", "Private Network Access", "whether a page of a public site may send requests to this private address"),
    ("Access-Control-Expose-Headers", "Fetch standard", "the fields that a page of another origin may read"),
    ("Access-Control-Max-Age", "Fetch standard", "for how many seconds a browser may remember what is allowed"),
    ("Access-Control-Request-Headers", "Fetch standard", "the browser asks before the request: may the page send these fields?"),
    ("Access-Control-Request-Method", "Fetch standard", "a preflight, the browser's question before a request: may the page use this method?"),
    ("Access-Control-Request-Private-Network", "Private Network Access", "the browser asks before the request: may a page of a public site reach this private address?"),
    ("Age", "RFC 9111 section 5.1", "for how many seconds this response has been in a cache"),
    ("Allow", "RFC 9110 section 10.2.1", "the methods that this target supports"),
    ("Alt-Svc", "RFC 7838 section 3", "another address and protocol at which the same site can be reached"),
    ("Alt-Used", "RFC 7838 section 5", "the address from Alt-Svc that the client uses"),
    ("Authentication-Info", "RFC 9110 section 11.6.3", "what the server adds after it has accepted the credentials"),
    ("Authorization", "RFC 9110 section 11.6.2", "the credentials of the user; a key belongs in this field"),
    ("Available-Dictionary", "RFC 9842 section 2.2", "the hash of a file that the client has; the server may compress the content as the difference from it"),
    ("baggage", "Baggage", "values that services pass on with a trace, for their logs"),
    ("Cache-Control", "RFC 9111 section 5.2", "what caches may and must do, including the browser's own cache"),
    ("Cache-Status", "RFC 9211 section 2", "what each cache on the way did: hit if it had the response, fwd if it asked the next server"),
    ("CDN-Cache-Control", "RFC 9213 section 3", "Cache-Control for content delivery networks (CDN) only; they use it instead of Cache-Control"),
    ("CDN-Loop", "RFC 8586 section 2", "the content delivery networks that forwarded the request, so that a loop is noticed"),
    ("CF-Cache-Status", "Cloudflare", "whether the cache of Cloudflare had the response"),
    ("CF-Connecting-IP", "Cloudflare", "the client's address, as Cloudflare saw it; any client can write it, so trust it only from Cloudflare"),
    ("CF-Ray", "Cloudflare", "the number of this request at Cloudflare, to find it in logs"),
    ("Clear-Site-Data", "Clear Site Data", "asks the browser to delete what it keeps for this site, such as cookies or cached responses"),
    ("Connection", "RFC 9110 section 7.6.1", "options for this connection only; a proxy removes them, and the fields that they name"),
    ("Content-Digest", "RFC 9530 section 2", "a hash of the content of this message, so that the recipient can check its bytes"),
    ("Content-Disposition", "RFC 6266 section 4", "whether to show the content or to save it as a file, and the file's name"),
    ("Content-Encoding", "RFC 9110 section 8.4", "how the content was compressed; undo it to get the media type"),
    ("Content-Language", "RFC 9110 section 8.5", "the language of the readers that the content is for"),
    ("Content-Length", "RFC 9110 section 8.6", "how many bytes of body (content) follow the head, so that the recipient knows where they end"),
    ("Content-Location", "RFC 9110 section 8.7", "the URI of exactly the representation in this message"),
    ("Content-MD5", "RFC 1864 section 2", "formerly a hash of the content; obsolete, see Content-Digest"),
    ("Content-Range", "RFC 9110 section 14.4", "which part of the whole this is"),
    ("Content-Security-Policy", "CSP Level 3", "from where the page may load scripts, styles and images; the browser blocks all others"),
    ("Content-Security-Policy-Report-Only", "CSP Level 3", "a Content-Security-Policy on trial: the browser reports what it would block, and blocks nothing"),
    ("Content-Type", "RFC 9110 section 8.3", "the media type of the body (content), and for text its character encoding"),
    ("Cookie", "RFC 6265 section 4.2", "values that Set-Cookie gave to this browser, sent back with each request; often they are as good as a password"),
    ("Critical-CH", "Client Hint Reliability", "the client hints without which the browser should send the request again"),
    ("Cross-Origin-Embedder-Policy", "HTML standard", "whether this page may load files of other origins that do not allow it"),
    ("Cross-Origin-Embedder-Policy-Report-Only", "HTML standard", "a Cross-Origin-Embedder-Policy on trial: the browser reports, and blocks nothing"),
    ("Cross-Origin-Opener-Policy", "HTML standard", "whether pages of other origins keep access to this page's window"),
    ("Cross-Origin-Opener-Policy-Report-Only", "HTML standard", "a Cross-Origin-Opener-Policy on trial: the browser reports, and separates nothing"),
    ("Cross-Origin-Resource-Policy", "Fetch standard", "whether pages of other origins may load this"),
    ("Date", "RFC 9110 section 6.6.1", "when the message was made, by the sender's clock"),
    ("DAV", "RFC 4918 section 10.1", "which parts of WebDAV the target supports"),
    ("Deprecation", "RFC 9745 section 2", "since when, or from when, clients should no longer use this resource; it still works"),
    ("Depth", "RFC 4918 section 10.2", "whether the request is for the target only (0), its members too (1), or all below it (infinity), in WebDAV"),
    ("Destination", "RFC 4918 section 10.3", "the URI that COPY or MOVE writes to, in WebDAV"),
    ("Device-Memory", "Device Memory", "a client hint: how many GiB of memory the device has, roughly"),
    ("Digest", "RFC 3230 section 4.3.2", "formerly a hash of the representation; obsolete, see Repr-Digest"),
    ("DNT", "", "the user asks not to be tracked; few sites obeyed, and it was given up"),
    ("Downlink", "Network Information", "a client hint: how many megabits a second the network carries, roughly"),
    ("DPoP", "RFC 9449 section 4.1", "a proof that the client has the private key of its token, so that a stolen token is useless"),
    ("Early-Data", "RFC 8470 section 5.1", "this request arrived in TLS early data, which can be replayed"),
    ("ECT", "Network Information", "a client hint: how fast the network is, such as 4g"),
    ("ETag", "RFC 9110 section 8.8.3", "a name for this state of the content; a client sends it back in If-None-Match to ask whether it changed"),
    ("Expect", "RFC 9110 section 10.1.1", "what the client waits for before it goes on"),
    ("Expect-CT", "RFC 9163 section 2.1", "formerly asked browsers to check that the certificate was logged in public; they always do that now"),
    ("Expires", "RFC 9111 section 5.3", "when this becomes stale; max-age in Cache-Control overrides it"),
    ("Feature-Policy", "Permissions Policy", "the earlier name of Permissions-Policy"),
    ("Forwarded", "RFC 7239 section 4", "what proxies on the way know about the client; any client can write it, so trust it only from your own proxy"),
    ("From", "RFC 9110 section 10.1.2", "the email address of a robot's operator"),
    ("Host", "RFC 9110 section 7.2", "which host, and which port, of all that this address may serve; HTTP/1.1 needs exactly one"),
    ("HTTP2-Settings", "RFC 7540 section 3.2.1", "the client would like to go on in HTTP/2; obsolete"),
    ("HX-Request", "htmx", "the library htmx sends the request, and expects a part of a page"),
    ("Idempotency-Key", "Idempotency-Key draft", "a name for this request: if it arrives twice, the server should do it once"),
    ("If", "RFC 4918 section 10.4", "do it only if these lock tokens and ETags are right, in WebDAV"),
    ("If-Match", "RFC 9110 section 13.1.1", "do it only if the target is still in this state, so that another user's change is not lost"),
    ("If-Modified-Since", "RFC 9110 section 13.1.3", "send it only if it changed after this date; otherwise 304"),
    ("If-None-Match", "RFC 9110 section 13.1.2", "do it only if the target's ETag is none of these; otherwise the response is 304 for GET and HEAD, and 412 for other methods"),
    ("If-Range", "RFC 9110 section 13.1.5", "send the part if the whole is still the same; otherwise send the whole"),
    ("If-Unmodified-Since", "RFC 9110 section 13.1.4", "do it only if the target has not changed after this date"),
    ("Keep-Alive", "RFC 2068 section 19.7.1", "for how long, or for how many requests, the connection stays open"),
    ("Last-Event-ID", "HTML standard", "the last event that the browser received; the server continues the stream after it"),
    ("Last-Modified", "RFC 9110 section 8.8.2", "when the content last changed; a client sends it back in If-Modified-Since"),
    ("Link", "RFC 8288 section 3", "another resource and how it relates to this one, such as next or preload"),
    ("Location", "RFC 9110 section 10.2.2", "the URI to go to, or the URI of what was created"),
    ("Lock-Token", "RFC 4918 section 10.5", "the name of a lock that LOCK made, or that UNLOCK removes, in WebDAV"),
    ("Max-Forwards", "RFC 9110 section 7.6.2", "how many proxies may forward a TRACE or OPTIONS"),
    ("MCP-Protocol-Version", "Model Context Protocol", "the version of the protocol between an AI application and its tools"),
    ("Mcp-Session-Id", "Model Context Protocol", "the session of an AI application with a server of tools"),
    ("MIME-Version", "RFC 2045 section 4", "a field of email; HTTP does not need it"),
    ("NEL", "Network Error Logging", "asks the browser to report requests to this host that fail; Report-To says where to"),
    ("Origin", "RFC 6454 section 7", "the origin of the page that sends the request: its http or https, its host and its port; the browser sets it, and a script cannot change it"),
    ("Origin-Agent-Cluster", "HTML standard", "whether the browser should keep this origin apart from others of its site"),
    ("Overwrite", "RFC 4918 section 10.6", "whether COPY or MOVE may replace what is at the destination (T or F), in WebDAV"),
    ("Permissions-Policy", "Permissions Policy", "which features, such as the camera or the location, the page may use"),
    ("Pragma", "RFC 9111 section 5.4", "the predecessor of Cache-Control; deprecated"),
    ("Prefer", "RFC 7240 section 2", "what the client prefers, and does not need"),
    ("Preference-Applied", "RFC 7240 section 3", "the preferences in Prefer that the server followed"),
    ("Priority", "RFC 9218 section 5", "how urgent this is among the client's requests"),
    ("Proxy-Authenticate", "RFC 9110 section 11.7.1", "how to send credentials to the proxy"),
    ("Proxy-Authentication-Info", "RFC 9110 section 11.7.3", "what the proxy adds after it has accepted the credentials"),
    ("Proxy-Authorization", "RFC 9110 section 11.7.2", "the credentials for the proxy"),
    ("Proxy-Connection", "RFC 9110 section 7.6.1", "Connection as some clients send it to a proxy: it is not HTTP, and it can keep an unused connection open"),
    ("Proxy-Status", "RFC 9209 section 2", "what each proxy on the way did, and which error it met"),
    ("Public-Key-Pins", "RFC 7469 section 2.1", "formerly fixed the keys that the host may use; browsers ignore it now"),
    ("Purpose", "", "the earlier name of Sec-Purpose"),
    ("Range", "RFC 9110 section 14.2", "send only this part, such as the rest of a download"),
    ("Referer", "RFC 9110 section 10.1.3", "the page that led here, without its fragment; the name was misspelt in 1996 and kept so"),
    ("Referrer-Policy", "Referrer Policy", "how much of this page's address the browser sends in Referer"),
    ("Refresh", "HTML standard", "load this again, or load something else, after so many seconds"),
    ("Report-To", "Reporting API", "where the browser sends reports; Reporting-Endpoints replaces it, except for NEL"),
    ("Reporting-Endpoints", "Reporting API", "names for the URIs that the browser sends reports to, such as those of a Content-Security-Policy"),
    ("Repr-Digest", "RFC 9530 section 3", "a hash of the whole representation, even if this message has only a part of it"),
    ("Retry-After", "RFC 9110 section 10.2.3", "when to try again: seconds, or a date"),
    ("RSC", "Next.js", "a page of the framework Next.js asks for data instead of HTML"),
    ("RTT", "Network Information", "a client hint: how many milliseconds a round trip takes, roughly"),
    ("Save-Data", "Save Data", "the user asks for less data, such as smaller images"),
    ("Sec-CH-Prefers-Color-Scheme", "User Preference Client Hints", "whether the user prefers light or dark colours"),
    ("Sec-CH-UA", "User-Agent Client Hints", "the browser and its version, in short"),
    ("Sec-CH-UA-Mobile", "User-Agent Client Hints", "whether the browser prefers pages for a phone"),
    ("Sec-CH-UA-Platform", "User-Agent Client Hints", "the operating system that the browser runs on"),
    ("Sec-Fetch-Dest", "Fetch Metadata", "what the browser will use the response for: a document, an image, a script"),
    ("Sec-Fetch-Mode", "Fetch Metadata", "how the browser sends the request: navigate for a page that opens, cors for a script"),
    ("Sec-Fetch-Site", "Fetch Metadata", "whether the page that sends the request is of the same origin; a script cannot change it"),
    ("Sec-Fetch-User", "Fetch Metadata", "the user caused the request, with a click for example"),
    ("Sec-GPC", "Global Privacy Control", "the user asks that personal data is not sold or shared"),
    ("Sec-Purpose", "Fetch standard", "prefetch: the browser loads this before the user asks for it"),
    ("Sec-WebSocket-Accept", "RFC 6455 section 11.3.3", "proof that the server has read the key and supports WebSocket"),
    ("Sec-WebSocket-Extensions", "RFC 6455 section 11.3.2", "extensions of WebSocket, such as compression"),
    ("Sec-WebSocket-Key", "RFC 6455 section 11.3.1", "a random number that the server must respond to; it is not a secret"),
    ("Sec-WebSocket-Protocol", "RFC 6455 section 11.3.4", "the protocol to use within the WebSocket"),
    ("Sec-WebSocket-Version", "RFC 6455 section 11.3.5", "the version of WebSocket: 13"),
    ("sentry-trace", "Sentry", "the trace that this request belongs to, for the error reports of Sentry"),
    ("Server", "RFC 9110 section 10.2.4", "the software that answers; less is more here, because a version helps attackers"),
    ("Server-Timing", "Server Timing", "how the server spent its time, for the tools of a browser"),
    ("Service-Worker", "Service Workers", "the browser loads the script of a service worker"),
    ("Service-Worker-Allowed", "Service Workers", "the path below which the service worker may handle requests"),
    ("Service-Worker-Navigation-Preload", "Service Workers", "the browser sends the request while the service worker starts"),
    ("Set-Cookie", "RFC 6265 section 4.1", "asks the browser to keep a value and to send it back with later requests; each cookie has its own line"),
    ("Signature", "RFC 9421 section 4.2", "one or more signatures of parts of this message; Signature-Input says which parts"),
    ("Signature-Input", "RFC 9421 section 4.1", "which parts of this message each signature covers, with which key and when it was made"),
    ("SOAPAction", "SOAP 1.1", "the operation that a SOAP message asks for"),
    ("SourceMap", "Source Map", "where the browser's tools find the original source of this script or style"),
    ("Strict-Transport-Security", "RFC 6797 section 6.1", "reach this host by https only from now on; this counts only if it arrived by https"),
    ("Sunset", "RFC 8594 section 3", "when this resource will probably stop working"),
    ("Surrogate-Control", "Edge Architecture", "Cache-Control for the server's own content delivery network, which removes it"),
    ("Surrogate-Key", "Fastly", "names by which the content delivery network can delete its copy"),
    ("TE", "RFC 9110 section 10.1.4", "the transfer codings that the client accepts, and whether it accepts trailers"),
    ("Timeout", "RFC 4918 section 10.7", "for how long a lock should last, in WebDAV"),
    ("Timing-Allow-Origin", "Resource Timing", "the origins whose scripts may see how long each step of loading this took"),
    ("traceparent", "Trace Context", "the trace and the step that this request belongs to, so that the logs of several services can be joined"),
    ("tracestate", "Trace Context", "what each tracing system adds to traceparent"),
    ("Trailer", "RFC 9110 section 6.6.2", "the fields that will follow the content"),
    ("Transfer-Encoding", "RFC 9112 section 6.1", "how the content is coded for this connection only; chunked says where it ends"),
    ("True-Client-IP", "Akamai", "the client's address, as the content delivery network saw it; any client can write it"),
    ("Upgrade", "RFC 9110 section 7.8", "other protocols to use on this connection"),
    ("Upgrade-Insecure-Requests", "Upgrade Insecure Requests", "the browser prefers https"),
    ("Use-As-Dictionary", "RFC 9842 section 2.1", "the client may keep this to decompress later responses with"),
    ("User-Agent", "RFC 9110 section 10.1.5", "the software that sends the request; most browsers also name other browsers, for old reasons"),
    ("Vary", "RFC 9110 section 12.5.5", "the request fields that this response depends on; a cache must not use it for a request in which they differ"),
    ("Via", "RFC 9110 section 7.6.3", "the proxies that forwarded the message"),
    ("Want-Content-Digest", "RFC 9530 section 4", "the sender would like a Content-Digest, with one of these hash functions"),
    ("Want-Repr-Digest", "RFC 9530 section 4", "the sender would like a Repr-Digest, with one of these hash functions"),
    ("Warning", "RFC 9111 section 5.5", "formerly a warning about a stale response; obsolete"),
    ("WWW-Authenticate", "RFC 9110 section 11.6.1", "how to send credentials to the server"),
    ("X-Accel-Buffering", "nginx", "no: asks nginx to pass the content on at once, as a stream of events needs"),
    ("X-Accel-Redirect", "nginx", "asks nginx to send this file instead; nginx removes the field"),
    ("X-Amz-Cf-Id", "CloudFront", "the number of this request at Amazon CloudFront"),
    ("X-Amzn-Trace-Id", "Amazon Web Services", "the number of this request at a load balancer of Amazon"),
    ("X-API-Key", "", "a key for the API; keep it as secret as a password"),
    ("X-AspNet-Version", "ASP.NET", "the version of ASP.NET; less is more here, because a version helps attackers"),
    ("X-Cache", "", "whether a cache on the way had the response, often HIT or MISS; Cache-Status is the standard"),
    ("X-Content-Type-Options", "Fetch standard", "nosniff: trust Content-Type, and do not guess from the bytes"),
    ("X-Correlation-ID", "", "a number that services pass on, to find one request in all logs; traceparent is the standard"),
    ("X-CSRF-Token", "", "a value that only the site's own pages know, so that a page of another site cannot send the request"),
    ("X-DNS-Prefetch-Control", "", "whether the browser may look up the hosts of links before a click"),
    ("X-Download-Options", "Internet Explorer", "noopen: do not open a download within the site; other browsers ignore it"),
    ("X-Forwarded-For", "RFC 7239 section 7.4", "the client's address, as a proxy says; any client can write it, so trust it only from your own proxy"),
    ("X-Forwarded-Host", "RFC 7239 section 7.4", "the Host that the client sent, as a proxy says"),
    ("X-Forwarded-Port", "", "the port that the client connected to, as a proxy says"),
    ("X-Forwarded-Prefix", "", "the start of the path, which a proxy removed"),
    ("X-Forwarded-Proto", "RFC 7239 section 7.4", "http or https, as the client used it to reach the proxy"),
    ("X-Frame-Options", "RFC 7034 section 2", "whether other pages may show this one in a frame"),
    ("X-HTTP-Method-Override", "", "the method that the client means, sent with POST because something on the way allows no other"),
    ("X-Permitted-Cross-Domain-Policies", "Adobe Flash", "whether Flash and PDF files of other sites may read data here"),
    ("X-Powered-By", "", "the framework that made the response; less is more here, because it helps attackers"),
    ("X-Real-IP", "nginx", "the client's address, as a proxy says; any client can write it, so trust it only from your own proxy"),
    ("X-Request-ID", "", "a number for this request, to find it in logs"),
    ("X-Requested-With", "", "a script sends the request; a convention of old libraries"),
    ("X-Robots-Tag", "Google Search", "whether search engines may list this"),
    ("X-Runtime", "Ruby on Rails", "for how many seconds the application worked on the response"),
    ("X-Sendfile", "Apache mod_xsendfile", "asks the web server to send this file instead; it removes the field"),
    ("X-Served-By", "Fastly", "the caches that the response came through"),
    ("X-Timer", "Fastly", "when the request arrived, and how long the response took"),
    ("X-UA-Compatible", "Internet Explorer", "which version of itself the browser should imitate; other browsers ignore it"),
    ("X-XSRF-TOKEN", "", "X-CSRF-Token, as Angular and Laravel call it"),
    ("X-XSS-Protection", "Internet Explorer", "a filter against foreign scripts in old browsers; it did harm, and new ones have none"),
};

/// Starts of the names of fields that are not in [`FIELDS`].
pub const FIELD_PREFIXES: Table<3> = table! {
    ("CF-", "Cloudflare", "a field that Cloudflare adds"),
    ("Fly-", "Fly.io", "a field that the hosting service Fly.io adds"),
    ("HX-", "htmx", "a field of the library htmx"),
    ("Next-", "Next.js", "a field of the framework Next.js"),
    ("RateLimit", "RateLimit draft", "how many requests the client may still send, and for how long"),
    ("Sec-CH-", "User-Agent Client Hints", "a client hint: the browser describes itself or its device; Accept-CH can ask for it"),
    ("Sec-", "Fetch standard", "a field that only the browser itself can set, and no script"),
    ("X-Amz", "Amazon Web Services", "a field of Amazon Web Services"),
    ("X-Azure-", "Microsoft Azure", "a field of Microsoft Azure"),
    ("X-B3-", "B3 propagation", "the trace that this request belongs to, as Zipkin writes it; traceparent is the standard"),
    ("X-Envoy-", "Envoy", "a field of the proxy Envoy"),
    ("X-GitHub-", "GitHub", "a field of GitHub"),
    ("X-Goog", "Google Cloud", "a field of Google"),
    ("X-RateLimit-", "", "how many requests the client may still send, and for how long"),
    ("X-Vercel-", "Vercel", "a field of the hosting service Vercel"),
    ("X-", "RFC 6648 section 3", "a header field of one application or vendor, as X- says"),
};

/// Fields that a recipient needs before the content, so that they must not be trailers (RFC 9110
/// section 6.5.1): message framing, routing, authentication, request modifiers, response controls
/// and content format.
pub const NEVER_IN_TRAILERS: &str = "age authorization cache-control connection content-encoding content-length content-range content-type cookie expect expires host if-match if-modified-since if-none-match if-range if-unmodified-since location max-forwards pragma proxy-authenticate proxy-authorization range retry-after set-cookie te trailer transfer-encoding upgrade vary www-authenticate";

/// The syntax of a field's value that is not a list of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `name=value` pairs with secret values.
    Cookies,
    /// One such pair, and then words.
    NewCookie,
    /// A word, and then a secret.
    Credentials,
    /// Members that each begin with a word. Their parameters are separated by commas too.
    Challenges,
    /// Entity tags, or `*`.
    Tags,
    /// Members with weights.
    Weighted,
    /// A host, and optionally a port.
    Host,
}

/// The fields whose values have a [`Shape`].
pub const SHAPES: &[(&str, Shape)] = &[
    ("accept", Shape::Weighted),
    ("accept-charset", Shape::Weighted),
    ("accept-encoding", Shape::Weighted),
    ("accept-language", Shape::Weighted),
    ("authorization", Shape::Credentials),
    ("cookie", Shape::Cookies),
    ("etag", Shape::Tags),
    ("host", Shape::Host),
    ("if-match", Shape::Tags),
    ("if-none-match", Shape::Tags),
    ("if-range", Shape::Tags),
    ("proxy-authenticate", Shape::Challenges),
    ("proxy-authorization", Shape::Credentials),
    ("set-cookie", Shape::NewCookie),
    ("www-authenticate", Shape::Challenges),
];

/// Words in values: the fields that have the word, the word, its clause and its explanation. A word
/// that ends in `=` is the word with an argument, if that has another meaning.
pub const VALUE_WORDS: Table<4> = table! {
    ("accept-ranges", "bytes", "RFC 9110 section 14.1.2", "parts can be requested, by byte offsets"),
    ("accept-ranges", "none", "RFC 9110 section 14.3", "parts cannot be requested"),
    ("authorization proxy-authorization", "Basic", "RFC 7617 section 2", "a name and a password with a colon between them, written in base64, which hides nothing: everyone on the way can read them; TLS hides them"),
    ("www-authenticate proxy-authenticate", "Basic", "RFC 7617 section 2", "with a name and a password; a browser opens a window that asks for them"),
    ("authorization proxy-authorization", "Bearer", "RFC 6750 section 2.1", "a token; it gives access to its holder, so keep it as secret as a password"),
    ("www-authenticate proxy-authenticate", "Bearer", "RFC 6750 section 3", "with a token"),
    ("authorization proxy-authorization", "Digest", "RFC 7616 section 3.4", "a proof that the client knows the password; the password itself is not sent"),
    ("www-authenticate proxy-authenticate", "Digest", "RFC 7616 section 3.3", "with a proof of the password; the password itself is not sent"),
    ("authorization proxy-authorization", "DPoP", "RFC 9449 section 7.1", "a token, which works only together with the proof in the field DPoP"),
    ("www-authenticate proxy-authenticate", "DPoP", "RFC 9449 section 7.1", "with a token, and a proof that the client has its key"),
    ("authorization proxy-authorization", "Negotiate", "RFC 4559 section 4.2", "a Kerberos or NTLM token, as networks of companies use them"),
    ("www-authenticate proxy-authenticate", "Negotiate", "RFC 4559 section 4.1", "with the user's login to the network, by Kerberos or NTLM"),
    ("cache-control", "immutable", "RFC 8246 section 2", "it does not change while it is fresh: no need to ask again, even at a reload"),
    ("cache-control", "max-age", "RFC 9111 section 5.2.2.1", "it is fresh for so many seconds; in a request: accept nothing older"),
    ("cache-control", "max-stale", "RFC 9111 section 5.2.1.2", "the client accepts a stale response of any age"),
    ("cache-control", "max-stale=", "RFC 9111 section 5.2.1.2", "the client accepts a response that is stale for at most so many seconds"),
    ("cache-control", "min-fresh", "RFC 9111 section 5.2.1.3", "it must stay fresh for at least so many seconds"),
    ("cache-control", "must-revalidate", "RFC 9111 section 5.2.2.2", "when it is stale, a cache must ask the server before each use"),
    ("cache-control", "must-understand", "RFC 9111 section 5.2.2.3", "a cache may keep it only if it knows what the status code requires of caches"),
    ("cache-control", "no-cache", "RFC 9111 section 5.2.2.4", "a cache may keep it, but must ask the server before each use"),
    ("cache-control", "no-cache=", "RFC 9111 section 5.2.2.4", "a cache may use the rest, but must ask the server before it uses these fields"),
    ("cache-control", "no-store", "RFC 9111 section 5.2.2.5", "do not keep it at all"),
    ("cache-control", "no-transform", "RFC 9111 section 5.2.2.6", "proxies must not change the content"),
    ("cache-control", "only-if-cached", "RFC 9111 section 5.2.1.7", "only from a cache; otherwise 504"),
    ("cache-control", "private", "RFC 9111 section 5.2.2.7", "for one user: the browser may keep it, and shared caches must not"),
    ("cache-control", "private=", "RFC 9111 section 5.2.2.7", "these fields are for one user: shared caches must not keep them"),
    ("cache-control", "proxy-revalidate", "RFC 9111 section 5.2.2.8", "like must-revalidate, for shared caches only"),
    ("cache-control", "public", "RFC 9111 section 5.2.2.9", "any cache may keep it, even if it otherwise could not"),
    ("cache-control", "s-maxage", "RFC 9111 section 5.2.2.10", "max-age for shared caches"),
    ("cache-control", "stale-if-error", "RFC 5861 section 4", "a cache may use it for so many more seconds if the server fails"),
    ("cache-control", "stale-while-revalidate", "RFC 5861 section 3", "a cache may use it for so many more seconds while it asks the server"),
    ("connection", "close", "RFC 9112 section 9.6", "the connection ends after this exchange"),
    ("connection", "keep-alive", "RFC 9112 section 9.3", "the connection stays open; HTTP/1.1 does that anyway"),
    ("connection", "upgrade", "RFC 9110 section 7.8", "the Upgrade field is for this connection"),
    ("content-encoding transfer-encoding te", "compress", "RFC 9110 section 8.4.1.1", "compressed with LZW, as the old Unix program did; rare"),
    ("content-encoding transfer-encoding te", "deflate", "RFC 9110 section 8.4.1.2", "compressed in the zlib format"),
    ("content-encoding transfer-encoding te", "gzip", "RFC 9110 section 8.4.1.3", "compressed as the program gzip does"),
    ("content-type", "application/json", "RFC 8259 section 11", "JSON: data as text, which JavaScript and nearly all languages can read"),
    ("content-type", "application/octet-stream", "RFC 2046 section 4.5.1", "bytes of an unknown kind; a browser saves them as a file"),
    ("content-type", "application/problem+json", "RFC 9457 section 3", "JSON that says what went wrong"),
    ("content-type", "application/x-www-form-urlencoded", "HTML standard", "a form: its fields as name=value with & between them, written like a query"),
    ("content-type", "application/xml", "RFC 7303 section 9.1", "XML: data as text, in tags like those of HTML"),
    ("content-type", "image", "RFC 2046 section 4.2", "a picture, in the format after the slash"),
    ("content-type", "multipart/form-data", "RFC 7578 section 4", "a form in parts, each with header fields of its own; so it can carry files"),
    ("content-type", "text/css", "", "a style sheet: how a page looks"),
    ("content-type", "text/event-stream", "HTML standard", "events that the server sends one by one, in a response without end"),
    ("content-type", "text/html", "HTML standard", "a page for a browser to show"),
    ("content-type", "text/javascript", "RFC 9239 section 6", "a script for the browser to run"),
    ("content-type", "text/plain", "RFC 2046 section 4.1.3", "text that is shown as it is, tags included"),
    ("content-type", "boundary", "RFC 2046 section 5.1.1", "a line of two hyphens and this text is between the parts, and before the first one"),
    ("content-type", "charset", "RFC 9110 section 8.3.2", "which bytes stand for which letters"),
    ("content-type", "multipart", "RFC 9110 section 8.3.3", "several parts in one body (content), each with header fields of its own"),
    ("content-encoding", "br", "RFC 7932 section 1", "compressed with Brotli"),
    ("content-encoding", "zstd", "RFC 8878 section 7.2", "compressed with Zstandard"),
    ("expect", "100-continue", "RFC 9110 section 10.1.1", "the client waits for 100 before it sends the content, so that a refusal costs little"),
    ("if-match", "*", "RFC 9110 section 13.1.1", "do it only if the target exists"),
    ("if-none-match", "*", "RFC 9110 section 13.1.2", "do it only if the target does not exist"),
    ("pragma", "no-cache", "RFC 9111 section 5.4", "the same as Cache-Control: no-cache, for caches of HTTP/1.0"),
    ("priority", "i", "RFC 9218 section 4.2", "incremental: the client can use each part as it arrives"),
    ("priority", "u=", "RFC 9218 section 4.1", "the urgency, from 0 (first) to 7 (last); 3 if it is not written"),
    ("set-cookie", "Domain", "RFC 6265 section 5.2.3", "send it to this domain and all its subdomains; without this, to this host only"),
    ("set-cookie", "Expires", "RFC 6265 section 5.2.1", "keep it until then; a date in the past deletes it"),
    ("set-cookie", "HttpOnly", "RFC 6265 section 5.2.6", "scripts cannot read it, so a foreign script cannot steal it"),
    ("set-cookie", "Max-Age", "RFC 6265 section 5.2.2", "keep it for so many seconds; without this or Expires, until the browser closes"),
    ("set-cookie", "Partitioned", "", "the browser keeps a separate cookie for each site that this one is shown in"),
    ("set-cookie", "Path", "RFC 6265 section 5.2.4", "send it with targets below this path"),
    ("set-cookie", "SameSite", "", "whether it is sent when another site makes the request: Strict never, Lax when a link is followed, None always"),
    ("set-cookie", "Secure", "RFC 6265 section 5.2.5", "send it by https only"),
    ("strict-transport-security", "includeSubDomains", "RFC 6797 section 6.1.2", "this is also for all its subdomains"),
    ("strict-transport-security", "max-age", "RFC 6797 section 6.1.1", "this is for so many seconds"),
    ("strict-transport-security", "preload", "", "the host asks to be on the list that browsers are built with"),
    ("te", "trailers", "RFC 9110 section 10.1.4", "the client accepts trailers"),
    ("transfer-encoding", "chunked", "RFC 9112 section 7.1", "in chunks, each after its size; a chunk of size zero ends the content"),
    ("transfer-encoding", "identity", "RFC 9112 section 7", "as it is; this is no longer a coding, so it is an error"),
    ("vary", "*", "RFC 9110 section 12.5.5", "anything may decide, even what no field says; so a cache must ask the server before each use"),
    ("upgrade", "h2c", "RFC 7540 section 3.2", "HTTP/2 without TLS; obsolete"),
    ("upgrade", "websocket", "RFC 6455 section 1.3", "messages in both directions, at any time"),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fold::fold;
    use crate::message::status::Status;

    /// The clauses that are not in an RFC.
    const OTHER_STANDARDS: [&str; 55] = [
        "", "ASP.NET", "Adobe Flash", "Akamai", "Amazon Web Services", "Apache mod_xsendfile",
        "B3 propagation", "Baggage", "CSP Level 3", "Clear Site Data", "Client Hint Reliability",
        "CloudFront", "Cloudflare", "Device Memory", "Edge Architecture", "Envoy", "Fastly",
        "Fetch Metadata", "Fetch standard", "Fly.io", "GitHub", "Global Privacy Control", "Google Cloud",
        "Google Search", "HTML standard", "Idempotency-Key draft", "Internet Explorer", "Laravel",
        "Microsoft Azure", "Model Context Protocol", "Network Error Logging", "Network Information",
        "Next.js", "PROXY protocol", "Permissions Policy", "Private Network Access", "RateLimit draft",
        "Referrer Policy", "Reporting API", "Resource Timing", "Ruby on Rails", "SHOUTcast", "SOAP 1.1",
        "Save Data", "Sentry", "Server Timing", "Service Workers", "Source Map", "Trace Context",
        "Upgrade Insecure Requests", "User Preference Client Hints", "User-Agent Client Hints", "Vercel",
        "htmx", "nginx",
    ];

    /// The rows that are in no table.
    const SINGLE_ROWS: [Row; 69] = [
        ORIGIN_FORM, ABSOLUTE_FORM, AUTHORITY_FORM, ASTERISK_FORM, CLOSES, CLOSES_IN_1_0, STAYS_OPEN, STAYS_OPEN_IN_1_0,
        CHUNK_EXTENSION, TRAILER, EMPTY_LINE, REASON_PHRASE, KEY_IN_QUERY, COOKIE, NEW_COOKIE, HOP_BY_HOP_FIELD,
        HTTP2_FRAME, STRONG_TAG, WEAK_TAG, WEAK_TAG_IN_CONDITION, RESET_WITH_CONTENT, TRAILER_TOO_LATE,
        UNKNOWN_FIELD, UNKNOWN_METHOD, UNKNOWN_VERSION, UNKNOWN_SCHEME, NO_STATUS_LINE, WRITTEN_BY_A_TOOL, NO_SPACE_AFTER_CODE,
        CODE_OUT_OF_RANGE, CONTROL_IN_PHRASE, LENGTH_OVER_64_BITS, STRAY, NO_HEAD,
        LF_OF_PASTED_TEXT, NO_EMPTY_LINE, PROMPT, CURL, COPIED_HEADS, JOINED_LINES, HTTP2_HEADS, NO_FIRST_LINE,
        BAD_WEIGHT, SAME_TAG, SPARE, CLIENT_SENDS_NO_MORE, CLIENT_HAS_ALL, SERVER_SENDS_NO_MORE, CLIENT_IS_GONE, CLIENT_CLOSES,
        NEVER_ASKED, NO_RESPONSE, CLOSES_AS_SAID, IDLE_CLOSE, RESET_BY_SERVER, RESET_BY_CLIENT,
        WOULD_STAY_OPEN, WOULD_STAY_OPEN_IN_1_0, CLOSES_FOR_REQUEST, CLOSES_AS_ASKED, CLOSES_EARLY_AS_SAID, CLOSES_EARLY,
        URL_ALONE, CURL_COMMAND, CONTENT_OF_HTTP2, CONTENT_NOT_ASKED_FOR, CONTENT_NOT_NEEDED, CLOSES_AFTER_CLIENT, CLOSES_UNUSED,
    ];

    const ENDINGS: [Ending; 14] = [
        Ending::Interim, Ending::NoContent, Ending::ToHead, Ending::NoFraming, Ending::Length(0), Ending::Length(5),
        Ending::Chunked, Ending::Close, Ending::CloseCoded, Ending::Switched, Ending::Tunnel, Ending::CodingUnknown,
        Ending::LengthInvalid, Ending::LengthsDiffer,
    ];

    /// Whether this is like `RFC NNNN section N.N`.
    fn is_clause(text: &str) -> bool {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.strip_prefix("RFC ").and_then(|rest| rest.split_once(" section ")).is_some_and(
            |(rfc, section)| (4..=5).contains(&rfc.len()) && number(rfc) && section.split('.').all(number),
        )
    }

    #[test]
    fn every_row_has_a_clause_and_an_ascii_explanation_without_a_full_stop() {
        let endings = ENDINGS.map(ending);
        let words = VALUE_WORDS.rows().map(|[_, word, clause, meaning]| (word, clause, meaning));
        let tables = [WORDS, EVERYDAY_WORDS, METHODS, VERSIONS, PSEUDO_FIELDS, STATUSES, CLASSES, FIELDS, FIELD_PREFIXES, FIELDS_OF_RESPONSES];
        let rows = words.chain(tables.into_iter().flat_map(Table::rows).map(Row::from));
        let rows = rows.chain([OTHER_PROTOCOLS, PROTOCOLS_OF_SERVERS, PROTOCOLS_BY_VERSION].concat().into_iter().map(|(_, row)| row));
        let rows = rows.chain(NEVER_WITHOUT_CONTENT.iter().map(|&(_, row)| row)).chain(SINGLE_ROWS);
        let rows = rows.map(|(_, clause, meaning)| (clause, meaning));
        for (clause, meaning) in rows.chain(endings.iter().map(|(clause, meaning)| (*clause, &**meaning))) {
            assert!(is_clause(clause) || OTHER_STANDARDS.contains(&clause), "{clause}: {meaning}");
            assert!(meaning.is_ascii() && !meaning.ends_with('.'), "{clause}: {meaning}");
        }
        assert!(!is_clause("RFC 9112") && !is_clause("section 3"));
    }

    #[test]
    fn every_row_fits_in_80_columns_and_no_word_is_broken() {
        let value_words = VALUE_WORDS.rows().map(|[_, word, clause, meaning]| (word, clause, meaning));
        let tables = [WORDS, EVERYDAY_WORDS, METHODS, VERSIONS, PSEUDO_FIELDS, STATUSES, CLASSES, FIELDS, FIELD_PREFIXES, FIELDS_OF_RESPONSES];
        let rows = value_words.chain(tables.into_iter().flat_map(Table::rows).map(Row::from));
        let protocols = [OTHER_PROTOCOLS, PROTOCOLS_OF_SERVERS, PROTOCOLS_BY_VERSION].concat();
        let rows = rows.chain(protocols.into_iter().map(|(_, row)| row));
        let rows = rows.chain(NEVER_WITHOUT_CONTENT.iter().map(|&(_, row)| row)).chain(SINGLE_ROWS);
        for (word, clause, meaning) in rows {
            // As `explain` prints it, after four spaces.
            let sentence = format!("{word}: {meaning} ({clause})");
            let lines = fold(&sentence, 76, "  ");
            assert!(lines.iter().all(|line| line.len() <= 76), "{lines:#?}");
            assert!(lines.join(" ").split_whitespace().eq(sentence.split_whitespace()), "{lines:#?}");
        }
        // In the trace, a response is indented by four spaces, and its explanations by four more.
        assert!(WAYS.iter().all(|line| line.len() + "            -> ".len() <= 80));
    }

    #[test]
    fn names_are_sorted_and_unique() {
        let dictionary: Vec<_> = dictionary().into_iter().map(|(word, ..)| word.to_lowercase()).collect();
        assert!(dictionary.is_sorted_by(|one, next| one < next), "{dictionary:?}");
        for table in [WORDS, EVERYDAY_WORDS, STATUSES, FIELDS] {
            let names: Vec<_> = table.rows().map(|[name, ..]| name.to_lowercase()).collect();
            assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        }
        for [name, ..] in FIELD_PREFIXES.rows() {
            let found = find_field(format!("{name}?").as_bytes());
            assert_eq!(found.map(|row| row.0), Some(name), "a longer prefix stands before it");
        }
        for name in NEVER_IN_TRAILERS.split(' ') {
            assert!(find(FIELDS, name.as_bytes()).is_some(), "{name}");
        }
        let fields = VALUE_WORDS.rows().flat_map(|row| row[0].split(' ')).chain(SHAPES.iter().map(|row| row.0));
        for field in fields {
            assert!(find(FIELDS, field.as_bytes()).is_some(), "{field}");
        }
    }

    #[test]
    fn a_word_is_looked_up_in_all_tables() {
        for (word, clauses) in [
            ("Header", &["RFC 9110 section 5"][..]),
            ("get", &["RFC 9110 section 9.3.1"]),
            ("404", &["RFC 9110 section 15.5.5"]),
            ("content-type", &["RFC 9110 section 8.3"]),
            ("HTTP/1.1", &["RFC 9112 section 2.3"]),
            ("max-age", &["RFC 9111 section 5.2.2.1", "RFC 6265 section 5.2.2", "RFC 6797 section 6.1.1"]),
            ("no-such-word", &[]),
        ] {
            let found: Vec<_> = look_up(word).into_iter().map(|(_, clause, _)| clause).collect();
            assert_eq!(found, clauses, "{word}");
        }
    }

    #[test]
    fn a_name_is_looked_up_with_one_meaning() {
        let tables = [WORDS, EVERYDAY_WORDS, METHODS, FIELDS, STATUSES, VERSIONS];
        for [name, ..] in tables.into_iter().flat_map(Table::rows) {
            for typed in [name.to_owned(), name.to_lowercase()] {
                let names: Vec<_> = look_up(&typed).into_iter().map(|row| row.0).collect();
                let mut unique = names.clone();
                unique.dedup();
                assert_eq!(names, unique, "{typed}");
            }
        }
        let tag = Some(find_field(b"ETag")).into_iter().collect::<Option<Vec<_>>>();
        assert_eq!((Some(look_up("ETag")), Some(look_up("etag"))), (tag.clone(), tag));
    }

    #[test]
    fn every_status_code_that_has_a_phrase_is_explained() {
        let known = (200..600).filter(|&code| !Status::new(code).reason().is_empty());
        for code in known.chain([100, 101]) {
            assert!(find(STATUSES, code.to_string().as_bytes()).is_some(), "{code}");
        }
    }
}
