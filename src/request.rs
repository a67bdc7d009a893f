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
use std::net::SocketAddr;

use crate::message::fields::FieldLines;
use crate::message::head::{Head, Version};
use crate::message::method::Method;
use crate::message::target::{decode_path, form};

/// A complete request: what a handler gets. It borrows the received bytes, and its content is in memory
/// as a whole, [`Limits::content`](crate::Limits::content) bytes at most.
pub struct Request<'a, S = ()> {
    pub(crate) state: &'a S,
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

    /// The path, decoded. An escaped slash (`%2F`) stays escaped, and bytes that are not UTF-8 become
    /// U+FFFD. Dot segments (`..`) are not resolved: do not use it as the path of a file.
    pub fn path(&self) -> Cow<'a, str> {
        match decode_path(self.head.target.path(self.raw)) {
            Cow::Borrowed(path) => String::from_utf8_lossy(path),
            Cow::Owned(path) => Cow::Owned(String::from_utf8_lossy(&path).into_owned()),
        }
    }

    /// The part of the path that the `/*` of the route matched, decoded as in [`path`](Request::path);
    /// empty where the route has no `/*`. Dot segments (`..`) are not resolved: do not use it as the
    /// path of a file.
    pub fn rest(&self) -> String {
        let path = decode_path(self.head.target.path(self.raw));
        let rest = path.strip_prefix(self.prefix.as_bytes()).unwrap_or_default();
        String::from_utf8_lossy(rest).into_owned()
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
        let mut values = self.field_lines().values(name);
        let value = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(value).ok()
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

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The number of the connection, counted from 1 since the server started.
    pub fn connection(&self) -> u64 {
        self.connection
    }
}
