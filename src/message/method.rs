//! # Request methods
//!
//! The list is closed. A request with any other method gets 501 (RFC 9110 section 9.1). Names are
//! case-sensitive: `get` is not `GET`.

use std::fmt;

/// A request method: those of RFC 9110 section 9.3, and PATCH of RFC 5789.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Send the resource.
    Get,
    /// Send the head of the response to GET, without the content.
    Head,
    /// Process this content in the way that the resource defines.
    Post,
    /// Replace the resource with this content.
    Put,
    /// Remove the resource.
    Delete,
    /// Open a tunnel. Only proxies do; this server refuses it with 501.
    Connect,
    /// Send the methods that the resource allows. The server itself answers it.
    Options,
    /// Send the request back. No route can have it, since the response would show cookies to scripts.
    Trace,
    /// Change a part of the resource.
    Patch,
}

const NAMES: [(Method, &str); 9] = [
    (Method::Get, "GET"),
    (Method::Head, "HEAD"),
    (Method::Post, "POST"),
    (Method::Put, "PUT"),
    (Method::Delete, "DELETE"),
    (Method::Connect, "CONNECT"),
    (Method::Options, "OPTIONS"),
    (Method::Trace, "TRACE"),
    (Method::Patch, "PATCH"),
];

impl Method {
    /// Returns the method with this name, compared byte for byte.
    pub fn named(name: &[u8]) -> Option<Method> {
        NAMES.iter().find(|(_, known)| known.as_bytes() == name).map(|&(method, _)| method)
    }

    /// The name in a request line, such as `GET`.
    pub const fn name(self) -> &'static str {
        NAMES[self as usize].1
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_order_of_the_enum_and_are_case_sensitive() {
        for (method, name) in NAMES {
            assert_eq!(method.name(), name);
            assert_eq!(Method::named(name.as_bytes()), Some(method));
            assert_eq!(Method::named(name.to_lowercase().as_bytes()), None);
        }
    }
}
