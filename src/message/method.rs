//! # Appendix: methods
//!
//! A closed list. A token that is not on it is a method this server does not know, and the answer to
//! that is 501 (RFC 9110 section 9.1), never a guess. Names are case-sensitive: `get` is not `GET`.

use std::fmt;

/// A request method of RFC 9110 section 9.3, and PATCH of RFC 5789.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Send me this.
    Get,
    /// Send me the head that a GET would get.
    Head,
    /// Take this content and do with it what the resource does.
    Post,
    /// Let the resource be this content.
    Put,
    /// Let the resource be gone.
    Delete,
    /// Open a tunnel: for proxies, refused here.
    Connect,
    /// What may I do?
    Options,
    /// Send my request back: refused everywhere, for it would show cookies to scripts.
    Trace,
    /// Change the resource a little.
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
    /// The method of that name, byte for byte.
    pub fn named(name: &[u8]) -> Option<Method> {
        NAMES.iter().find(|(_, known)| known.as_bytes() == name).map(|&(method, _)| method)
    }

    /// The name as it stands on the wire.
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
    fn names_stand_in_the_order_of_the_enum_and_have_no_other_case() {
        for (method, name) in NAMES {
            assert_eq!(method.name(), name);
            assert_eq!(Method::named(name.as_bytes()), Some(method));
            assert_eq!(Method::named(name.to_lowercase().as_bytes()), None);
        }
    }
}
