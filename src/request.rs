//! # The request, as a handler sees it
//!
//! A [`Request`] is a view of the received bytes. It is made when the content is complete, and it
//! copies nothing before a handler asks for it.
//!
//! ```text
//! POST /api/likes?from=menu HTTP/1.1␍␊        method, target, path, query, params
//! Host: 127.0.0.1:5000␍␊                      host, field, fields
//! Content-Length: 6␍␊ ␍␊
//! post=3                                      content
//! ```
//! Next: [`response`](crate::message::response).

use std::borrow::Cow;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::message::fields::FieldLines;
use crate::message::head::{Head, Version};
use crate::message::limits::Limits;
use crate::message::method::Method;
use crate::message::refusal::{Refusal, Refused};
use crate::message::response::Response;
use crate::message::status::Status;
use crate::message::target::{decode_path, decode_segment, form};

/// A complete request: what a handler gets. It borrows the received bytes, and its content is in memory
/// as a whole, [`Limits::content`](crate::Limits::content) bytes at most.
///
/// ```
/// use openkitchen::{Method, Request, Response, Routes, Server, post, routes};
/// # use std::io::{Read, Write};
///
/// static ROUTES: Routes<u32> = routes(&[post("/menu/*", order)]);
///
/// fn order(request: &Request<u32>) -> Response {
///     assert_eq!(request.method(), Method::Post);
///     assert_eq!(request.target(), "/menu/hot%20soup?table=7");
///     assert_eq!((&*request.path(), &*request.rest()), ("/menu/hot soup", "hot soup"));
///     assert_eq!(request.param("table").as_deref(), Some("7"));
///     assert_eq!((request.host(), request.field("x-a")), (Some("h"), Some("1")));
///     assert_eq!(request.only("x-a"), None, "there are two lines with that name");
///     assert_eq!(request.content(), b"salt");
///     Response::text(format!("{} is served {} times", request.rest(), request.state()))
/// }
///
/// let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, 2)?;
/// let mut client = std::net::TcpStream::connect(server.address())?;
/// client.write_all(
///     b"POST /menu/hot%20soup?table=7 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\n\
///       Content-Length: 4\r\nConnection: close\r\n\r\nsalt",
/// )?;
/// # let mut response = String::new();
/// # client.read_to_string(&mut response)?;
/// assert!(response.ends_with("hot soup is served 2 times"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Paths
///
/// [`path`](Request::path), [`rest`](Request::rest) and the route table decode a path once: `/%61bout` is
/// `/about`. Two things stay as they were sent:
///
/// - **An escaped slash, `%2F`.** It is a part of a segment and separates none: `/a%2Fb` is not `/a/b`. And
///   `%252F`, which stands for the text `%2F`, stays too. So two paths never become one.
/// - **Dot segments, `..` and `.`, and empty segments.** Clients resolve dot segments before they send a
///   path, and attackers do not. A path from a request is no path of a file: use
///   [`file_below`](Request::file_below).
pub struct Request<'a, S = ()> {
    pub(crate) state: &'a S,
    /// The limits of the server, which a refusal may name.
    pub(crate) limits: &'a Limits,
    /// What the table answers where no row does.
    pub(crate) fallback: Option<fn(&Request<'_, S>, Status) -> Response>,
    /// The path of the route, without the `*` at its end.
    pub(crate) prefix: &'static str,
    pub(crate) head: &'a Head,
    /// The head as received, and what follows it if the route keeps it.
    pub(crate) raw: &'a [u8],
    pub(crate) content: &'a [u8],
    pub(crate) peer: SocketAddr,
    pub(crate) connection: u64,
}

impl<'a, S> Request<'a, S> {
    /// The state that all handlers share: what the caller passed to [`Server::run`](crate::Server::run).
    pub fn state(&self) -> &'a S {
        self.state
    }

    /// The method. A HEAD request reaches the handler of GET with the method HEAD.
    pub fn method(&self) -> Method {
        self.head.method
    }

    /// The version of HTTP that the client sent.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The request target, as sent.
    pub fn target(&self) -> &'a str {
        // A checked target is ASCII.
        std::str::from_utf8(self.head.target.whole.in_bytes(self.raw)).unwrap_or_default()
    }

    /// The path, decoded: see [Paths](Request#paths). Bytes that are not UTF-8 become U+FFFD, so `/%FF` and
    /// `/%FE` become the same text: see [`path_bytes`](Request::path_bytes). It is no path of a file: see
    /// [`file_below`](Request::file_below).
    pub fn path(&self) -> Cow<'a, str> {
        lossy(self.path_bytes())
    }

    /// The path, decoded, with every byte: see [Paths](Request#paths).
    pub fn path_bytes(&self) -> Cow<'a, [u8]> {
        decode_path(self.head.target.path(self.raw))
    }

    /// The part of the path that the `/*` of the route matched; empty where the route has no `/*`. It is
    /// decoded as [`path`](Request::path) is.
    ///
    /// It is no path of a file. `fs::read(folder.join(request.rest()))` serves files outside of the folder:
    /// of `/files/../x`, `/files/%2e%2e/x` and `/files//etc/hostname`. Use
    /// [`file_below`](Request::file_below).
    pub fn rest(&self) -> String {
        lossy(self.rest_bytes()).into_owned()
    }

    /// What [`rest`](Request::rest) gives, with every byte.
    pub fn rest_bytes(&self) -> Cow<'a, [u8]> {
        match self.path_bytes() {
            Cow::Borrowed(path) => {
                path.strip_prefix(self.prefix.as_bytes()).unwrap_or_default().into()
            }
            Cow::Owned(path) => {
                path.strip_prefix(self.prefix.as_bytes()).unwrap_or_default().to_vec().into()
            }
        }
    }

    /// The path of a file or folder below `folder` that [`rest`](Request::rest) names; `None` if it names
    /// none, for which the answer is 404.
    ///
    /// ```
    /// use std::fs;
    /// use std::path::Path;
    /// use openkitchen::{Request, Response, Routes, Status, get, routes};
    ///
    /// static ROUTES: Routes = routes(&[get("/files/*", file)]);
    ///
    /// fn file(request: &Request) -> Response {
    ///     // Not `join(request.rest())`: that leaves the folder at `/files/../x` and `/files//etc/hostname`.
    ///     let path = request.file_below(Path::new("public"));
    ///     match path.and_then(|path| fs::read(path).ok()) {
    ///         Some(bytes) => Response::bytes("application/octet-stream", bytes),
    ///         None => Response::text("no such file").status(Status::NOT_FOUND),
    ///     }
    /// }
    /// ```
    /// Each segment is the name of one file or folder, and no byte is lost: two paths never become one.
    /// A segment is none if it is `..`, `.` or empty, or has a NUL or an escaped slash (`%2F`). On
    /// Windows neither is one that has a `\`, a `:` or another character that names cannot have, that
    /// ends in a dot or a space, that is a device (`NUL`, `com1.txt`), or that is not UTF-8.
    ///
    /// A slash at the end stays: the system then finds folders only. An empty rest is the folder itself.
    /// Names that begin with a dot (`.git`) are names as any other. The file system is not asked: whether
    /// the file exists is not known, and **symbolic links are followed when the file is opened**, also out
    /// of the folder.
    pub fn file_below(&self, folder: &Path) -> Option<PathBuf> {
        below(folder, &self.rest_bytes())
    }

    /// The query, as sent, without its question mark.
    pub fn query(&self) -> Option<&'a str> {
        let query = self.head.target.query?;
        std::str::from_utf8(query.in_bytes(self.raw)).ok()
    }

    /// The host that the request is for, with its port if it has one. If the target is a whole URI, its
    /// host counts and the Host field does not (RFC 9112 section 3.2.2). `None` only for an HTTP/1.0
    /// request with neither.
    pub fn host(&self) -> Option<&'a str> {
        match self.head.target.authority {
            Some(authority) => std::str::from_utf8(authority.in_bytes(self.raw)).ok(),
            None => self.field("host"),
        }
    }

    /// The parameters of the query, decoded, in their order.
    pub fn params(&self) -> Vec<(String, String)> {
        form(self.query().unwrap_or_default().as_bytes())
    }

    /// The first parameter with that name, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        self.params().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The value of the first header field with that name, in any case; `None` also if the value is not
    /// UTF-8.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.field_lines().values(name).next()?).ok()
    }

    /// The value of the only field with that name; `None` if there are two, since another server might
    /// take the other. Use it for fields that decide something, such as Authorization.
    pub fn only(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.field_lines().only(name)?).ok()
    }

    /// All fields in their order, with their names as sent.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.field_lines().iter()
    }

    /// The field lines, with methods for lists that stand in several of them.
    pub fn field_lines(&self) -> FieldLines<'a> {
        self.head.fields(self.raw)
    }

    /// The content (frameworks say body), without chunk framing; empty if there is none.
    pub fn content(&self) -> &'a [u8] {
        self.content
    }

    /// Every byte of the request as received, if the row of the route says
    /// [`keep_raw`](crate::Route::keep_raw): head, chunk framing, content, trailers. Otherwise the head
    /// alone: request line, field lines and the empty line.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The answer to a path that no row has: the 404 of the server, or of the table's
    /// [fallback](crate::Routes::fallback). So a handler of `/files/*` answers as the server does.
    ///
    /// ```
    /// use openkitchen::{Request, Response};
    ///
    /// fn post(request: &Request) -> Response {
    ///     match request.rest().parse::<u32>() {
    ///         Ok(number) => Response::text(format!("post {number}")),
    ///         Err(_) => request.not_found(),
    ///     }
    /// }
    /// ```
    pub fn not_found(&self) -> Response {
        self.no_route(Refusal::NotFound)
    }

    /// The answer to a request that no row answers: see [`Request::not_found`]. The query may hold
    /// a secret of which no row knows: logs do not show it.
    pub(crate) fn no_route(&self, refusal: Refusal) -> Response {
        let Some(fallback) = self.fallback else {
            return Refused::from(refusal).response(self.raw, self.limits).hide_query();
        };
        let (status, response) = (refusal.rule().status, fallback(self, refusal.rule().status));
        match response.status {
            Status::OK => response.status(status).hide_query(),
            _ => response.hide_query(),
        }
    }

    /// The client's address; 0.0.0.0, port 0, if it is connected through a Unix socket.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The number of the connection, counted from 1 since the server started.
    pub fn connection(&self) -> u64 {
        self.connection
    }
}

fn lossy(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// The path below `folder` for this decoded rest of a path: see [`Request::file_below`].
fn below(folder: &Path, rest: &[u8]) -> Option<PathBuf> {
    let mut path = folder.to_path_buf();
    let mut segments = rest.split(|&byte| byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() {
            // Only the last segment may be empty, after the slash at the end.
            if segments.peek().is_some() {
                return None;
            }
            if !rest.is_empty() {
                path.push("");
            }
            break;
        }
        let name = decode_segment(segment)?;
        if name == b"." || name == b".." || name.contains(&0) {
            return None;
        }
        path.push(file_name(&name)?);
    }
    Some(path)
}

/// The bytes as a name for the file system. On Unix each byte stays.
#[cfg(unix)]
fn file_name(bytes: &[u8]) -> Option<&OsStr> {
    Some(std::os::unix::ffi::OsStrExt::from_bytes(bytes))
}

/// The bytes as a name for the file system, which has names in Unicode only.
#[cfg(not(unix))]
fn file_name(bytes: &[u8]) -> Option<&OsStr> {
    std::str::from_utf8(bytes).ok().filter(|name| is_windows_name(name)).map(OsStr::new)
}

/// Whether Windows takes this text as the name of one file. It would take `a\b` for two names, `C:a` for
/// a drive, `a:b` for a stream of `a`, `NUL.txt` for a device, and `a.` or `a ` for `a`.
#[cfg(any(not(unix), test))]
fn is_windows_name(name: &str) -> bool {
    let is_bad = |byte: u8| byte < b' ' || br#"\/:*?"<>|"#.contains(&byte);
    // The digits of COM1 and LPT1 may be superscript.
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_numbered = |port: &str| {
        let number = stem.strip_prefix(port).map(|number| number.chars().collect::<Vec<_>>());
        matches!(number.as_deref(), Some(['0'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}']))
    };
    let is_device = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&&*stem)
        || is_numbered("COM")
        || is_numbered("LPT");
    !name.bytes().any(is_bad) && !name.ends_with(['.', ' ']) && !is_device
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_below(sent: &str) -> Option<PathBuf> {
        below(Path::new("/srv"), &decode_path(sent.as_bytes()))
    }

    #[cfg(unix)] // Windows separates by backslashes
    #[test]
    fn a_path_below_a_folder_has_every_segment() {
        for (sent, path) in [
            ("", "/srv"),
            ("a", "/srv/a"),
            ("a/b.txt", "/srv/a/b.txt"),
            ("a/", "/srv/a/"),
            (".git/config", "/srv/.git/config"),
            ("...", "/srv/..."),
            ("..a/b..", "/srv/..a/b.."),
            ("caf%C3%A9", "/srv/café"),
            ("a%20b", "/srv/a b"),
            ("100%25", "/srv/100%"),
            ("a%252Fb", "/srv/a%2Fb"),
        ] {
            let below = path_below(sent).expect(sent);
            // `Path` compares without the slash at the end.
            assert_eq!(below.as_os_str(), OsStr::new(path), "{sent}");
        }
    }

    #[test]
    fn no_path_leaves_the_folder() {
        for sent in [
            "..",
            "../x",
            "%2e%2e/x",
            "%2E./x",
            ".%2e",
            "a/../../x",
            "a/..",
            "./a",
            "a/./b",
            "/",
            "/etc/hostname",
            "a//b",
            "a//",
            "%2Fetc",
            "..%2Fx",
            "a%2f..%2fx",
            "a%00",
            "%00",
            "a%00/b",
        ] {
            assert_eq!(path_below(sent), None, "{sent}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_below_a_folder_loses_no_byte() {
        let bytes =
            |sent: &str| path_below(sent).expect(sent).into_os_string().into_encoded_bytes();
        assert_eq!((bytes("%FF"), bytes("%FE")), (b"/srv/\xff".to_vec(), b"/srv/\xfe".to_vec()));
        assert_eq!(bytes("%5C..%5Cx"), br"/srv/\..\x", "a backslash is a letter here");
    }

    #[test]
    fn windows_takes_some_texts_for_more_than_a_name() {
        for name in ["a", ".git", "a.b.c", "a b", "café", "nuls", "com", "com10", "x.nul", "conin"]
        {
            assert!(is_windows_name(name), "{name}");
        }
        for name in [
            r"..\x", r"\x", "C:", "c:x", "a:stream", "a.", "a ", ".. ", "...", "nul", "NUL.txt",
            "Con .x", "com1", "LPT9.a.b", "com²", "aux", "conout$", "a*", "a?", "a|b", "a\n",
            "a\"",
        ] {
            assert!(!is_windows_name(name), "{name}");
        }
    }
}
