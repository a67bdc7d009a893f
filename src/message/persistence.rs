//! # Keep-alive or close: whether a connection stays open after an exchange
//!
//! Opening a connection costs a round trip. So HTTP/1.1 keeps it for the next request, unless one side
//! sends `close`. HTTP/1.0 closes it, unless both sides send `keep-alive`.
//!
//! ```text
//! Connection: close            Connection: keep-alive
//! ```
//! Rule: RFC 9112 section 9.3.  Next: [`refusal`](super::refusal).

use super::fields::FieldLines;
use super::head::{Head, Version};

/// Whether a connection stays open after an exchange.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// The connection stays open for the next request.
    KeepAlive,
    /// The connection closes after this exchange. The response then has `Connection: close`.
    Close,
}

impl Persistence {
    /// Returns what the client requests. `bytes` are those that `head` was parsed from.
    #[doc(hidden)]
    pub fn of_request(head: &Head, bytes: &[u8]) -> Persistence {
        Persistence::of_fields(head.version, head.fields(bytes))
    }

    /// Returns what a head with this version and these fields says. Its sender is a client or a server.
    pub fn of_fields(version: Version, fields: FieldLines<'_>) -> Persistence {
        // RFC 9112 section 9.3: `close` overrides the version and all other members of the list.
        if fields.has_member("connection", "close") {
            return Persistence::Close;
        }
        match version {
            Version::Http11 => Persistence::KeepAlive,
            Version::Http10 if fields.has_member("connection", "keep-alive") => {
                Persistence::KeepAlive
            }
            Version::Http10 => Persistence::Close,
        }
    }

    /// Returns `Close` if the connection must close, and otherwise this value.
    pub fn unless(self, must_close: bool) -> Persistence {
        if must_close { Persistence::Close } else { self }
    }
}
