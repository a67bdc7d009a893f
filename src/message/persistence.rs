//! # 11. Again, or goodbye
//!
//! Opening a connection costs a round trip, so HTTP/1.1 keeps it for the next request unless one of
//! the two says otherwise; HTTP/1.0 closes it unless both say otherwise.
//!
//! ```text
//! Connection: close            Connection: keep-alive
//! ```
//! Rule: RFC 9112 section 9.3.  Next: [`refusal`](super::refusal).

use super::fields::FieldLines;
use super::head::{Head, Version};

/// Whether a connection outlives an exchange.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// The next request may follow.
    KeepAlive,
    /// The answer is the last, and says so.
    Close,
}

impl Persistence {
    /// What the client asks for with its head.
    pub fn of_request(head: &Head, bytes: &[u8]) -> Persistence {
        Persistence::of_fields(head.version, head.fields(bytes))
    }

    /// What the sender of a head with these fields, a client or a server, says.
    pub fn of_fields(version: Version, fields: FieldLines<'_>) -> Persistence {
        // `close` is a wish that cannot be refused, whatever else stands in the list.
        if fields.lists("connection", "close") {
            return Persistence::Close;
        }
        match version {
            Version::Http11 => Persistence::KeepAlive,
            Version::Http10 if fields.lists("connection", "keep-alive") => Persistence::KeepAlive,
            Version::Http10 => Persistence::Close,
        }
    }

    /// This, unless `reason` holds to close.
    pub fn unless(self, reason: bool) -> Persistence {
        if reason { Persistence::Close } else { self }
    }
}
