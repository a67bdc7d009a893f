//! # 8b. What a handler sees
//!
//! A [`Request`] is a view of the bytes that came, made when the content is complete. Nothing is copied
//! before a handler asks for it.
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
use crate::route::Route;

/// A request, whole: what a handler sees. It borrows the very bytes that came.
pub struct Request<'a, S = ()> {
    pub(crate) state: &'a S,
    pub(crate) route: &'a Route<S>,
    pub(crate) head: &'a Head,
    /// All bytes of the request, as they came.
    pub(crate) raw: &'a [u8],
    pub(crate) content: &'a [u8],
    pub(crate) peer: SocketAddr,
    pub(crate) connection: u64,
}

impl<'a, S> Request<'a, S> {
    /// What all handlers share: what was handed to the server with the routes.
    pub fn state(&self) -> &'a S {
        self.state
    }

    /// What is to be done.
    pub fn method(&self) -> Method {
        self.head.method
    }

    /// The client's version of the protocol.
    pub fn version(&self) -> Version {
        self.head.version
    }

    /// The target as it was sent.
    pub fn target(&self) -> &'a str {
        // A checked target is ASCII.
        std::str::from_utf8(self.head.target.whole.in_bytes(self.raw)).unwrap_or_default()
    }

    /// The path, decoded; an escaped slash (`%2F`) stays as it was sent.
    pub fn path(&self) -> Cow<'a, str> {
        match decode_path(self.head.target.path(self.raw)) {
            Cow::Borrowed(path) => String::from_utf8_lossy(path),
            Cow::Owned(path) => Cow::Owned(String::from_utf8_lossy(&path).into_owned()),
        }
    }

    /// What the `/*` of the route stands for in this path, decoded; empty where it has none.
    pub fn rest(&self) -> String {
        let path = decode_path(self.head.target.path(self.raw));
        String::from_utf8_lossy(self.route.rest(&path).unwrap_or_default()).into_owned()
    }

    /// The query as it was sent, without its question mark.
    pub fn query(&self) -> Option<&'a str> {
        let query = self.head.target.query?;
        std::str::from_utf8(query.in_bytes(self.raw)).ok()
    }

    /// The host that the request is for, with its port if it has one. A target that is a whole URI names
    /// it, and then the Host field counts for nothing (RFC 9112 section 3.2.2). `None` only for an
    /// HTTP/1.0 client that said neither.
    pub fn host(&self) -> Option<&'a str> {
        match self.head.target.authority {
            Some(authority) => std::str::from_utf8(authority.in_bytes(self.raw)).ok(),
            None => self.field("host"),
        }
    }

    /// The parameters of the query, decoded, in the order they came in.
    pub fn params(&self) -> Vec<(String, String)> {
        form(self.query().unwrap_or_default().as_bytes())
    }

    /// The first parameter with that name, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        self.params().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The value of the first field with that name, whatever its case; `None` also for one that is not
    /// UTF-8.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.field_lines().values(name).next()?).ok()
    }

    /// The value of the only field with that name; `None` where there are two, of which another server may
    /// take the other. For fields that decide something, such as Authorization.
    pub fn only(&self, name: &str) -> Option<&'a str> {
        let mut values = self.field_lines().values(name);
        let value = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(value).ok()
    }

    /// All fields, in the order they came in, with their names as they were written.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.field_lines().iter()
    }

    /// The field lines, for lists that stand in several of them.
    pub fn field_lines(&self) -> FieldLines<'a> {
        self.head.fields(self.raw)
    }

    /// The content, without chunk framing; empty where there is none.
    pub fn content(&self) -> &'a [u8] {
        self.content
    }

    /// Every byte of the request as it came: head, chunk framing, content, trailers.
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
