//! # 8. Which function answers
//!
//! ```
//! use openkitchen::{Request, Response, Routes, get, post, routes};
//!
//! static ROUTES: Routes = routes(&[
//!     get("/", home),
//!     post("/echo", echo),
//! ]);
//!
//! fn home(_: &Request) -> Response {
//!     Response::text("Welcome!")
//! }
//!
//! fn echo(request: &Request) -> Response {
//!     Response::bytes("text/plain", request.content().to_vec())
//! }
//! ```
//! A table that can be read from top to bottom: the first row with the path and the method answers. A
//! path is matched whole, or up to one `/*` at its end. HEAD uses GET's row, and OPTIONS, `Allow` and
//! 405 are read off the table, so no handler has to know them.
//!
//! The table is checked while it compiles: a path without its slash does not build, nor does a door
//! that is listed twice, and the error says so.
//!
//! ```compile_fail,E0080
//! # use openkitchen::{Request, Response, Routes, get, routes};
//! # fn home(_: &Request) -> Response { Response::text("") }
//! static ROUTES: Routes = routes(&[get("about", home)]);
//! ```
//! ```compile_fail,E0080
//! # use openkitchen::{Request, Response, Routes, get, routes};
//! # fn home(_: &Request) -> Response { Response::text("") }
//! static ROUTES: Routes = routes(&[get("/", home), get("/", home)]);
//! ```
//! Rule: RFC 9110 sections 9.3, 10.2.1 and 15.5.6.  Left out: patterns inside a path, which is where
//! frameworks begin.  Next: [`request`](crate::request).

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use crate::message::method::Method;
use crate::message::response::Response;
use crate::message::target::decode_path;
use crate::request::Request;

/// A function that answers. `S` is the state that all handlers share; `()` where there is none.
pub type Handler<S = ()> = fn(&Request<'_, S>) -> Response;

/// One row of the table: a method, a path, and the function behind that door.
pub struct Route<S = ()> {
    method: Method,
    path: &'static str,
    handler: Handler<S>,
    is_quiet: bool,
    place: &'static Location<'static>,
}

/// A table of routes, checked. [`routes`] makes one while compiling, [`Routes::new`] at run time.
pub struct Routes<S: 'static = ()> {
    rows: Cow<'static, [Route<S>]>,
}

/// A row for GET, and for HEAD.
#[track_caller]
pub const fn get<S>(path: &'static str, handler: Handler<S>) -> Route<S> {
    Route::new(Method::Get, path, handler)
}

/// A row for POST.
#[track_caller]
pub const fn post<S>(path: &'static str, handler: Handler<S>) -> Route<S> {
    Route::new(Method::Post, path, handler)
}

/// A row for PUT.
#[track_caller]
pub const fn put<S>(path: &'static str, handler: Handler<S>) -> Route<S> {
    Route::new(Method::Put, path, handler)
}

/// A row for PATCH.
#[track_caller]
pub const fn patch<S>(path: &'static str, handler: Handler<S>) -> Route<S> {
    Route::new(Method::Patch, path, handler)
}

/// A row for DELETE.
#[track_caller]
pub const fn delete<S>(path: &'static str, handler: Handler<S>) -> Route<S> {
    Route::new(Method::Delete, path, handler)
}

/// The rows as a table. In a `static`, a bad table is a compile error.
///
/// # Panics
/// Where [`Routes::new`] gives an error.
pub const fn routes<S>(rows: &'static [Route<S>]) -> Routes<S> {
    if let Some(fault) = fault(rows) {
        panic!("{}", fault);
    }
    Routes { rows: Cow::Borrowed(rows) }
}

impl<S> Route<S> {
    #[track_caller]
    const fn new(method: Method, path: &'static str, handler: Handler<S>) -> Route<S> {
        Route { method, path, handler, is_quiet: false, place: Location::caller() }
    }

    /// The same row, left out of the access log: for what a supervisor asks every second.
    pub const fn quiet(self) -> Route<S> {
        Route { is_quiet: true, ..self }
    }

    /// Its method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Its path, with the `/*` at its end if it has one.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Where in the source the row stands.
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    /// Whether the access log leaves it out.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Runs the function.
    pub(crate) fn call(&self, request: &Request<'_, S>) -> Response {
        (self.handler)(request)
    }

    /// What a `/*` stands for in this path; empty for a path that is matched whole.
    pub(crate) fn rest<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        match self.path.as_bytes() {
            [prefix @ .., b'*'] => path.strip_prefix(prefix),
            whole => (path == whole).then_some(b""),
        }
    }
}

// By hand, since a derived one would ask for `S: Clone`, and no row holds an `S`.
impl<S> Clone for Route<S> {
    fn clone(&self) -> Route<S> {
        *self
    }
}

impl<S> Copy for Route<S> {}

/// What the table says to a method and a path.
pub(crate) enum Lookup<'a, S> {
    /// This row answers.
    Found(&'a Route<S>),
    /// OPTIONS: these methods are there.
    Options(String),
    /// The path is there, the method is not; these are.
    WrongMethod(String),
    /// No row has the path.
    Nowhere,
}

impl<S> Routes<S> {
    /// A table made at run time.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence: a path that does not begin with a slash, a `*` that is not
    /// the whole last segment, a query or fragment in a path, a door listed twice.
    pub fn new(rows: Vec<Route<S>>) -> Result<Routes<S>, String> {
        match fault(&rows) {
            Some(fault) => Err(fault.to_string()),
            None => Ok(Routes { rows: Cow::Owned(rows) }),
        }
    }

    /// The rows, from top to bottom.
    pub fn iter(&self) -> impl Iterator<Item = &Route<S>> {
        self.rows.iter()
    }

    /// Which row answers. `path` is the target's, as sent.
    pub(crate) fn lookup(&self, method: Method, path: &[u8]) -> Lookup<'_, S> {
        let path = &*decode_path(path);
        // RFC 9110 section 9.3.2: HEAD is GET without the content.
        let wanted = if method == Method::Head { Method::Get } else { method };
        let mut fitting = self.rows.iter().filter(|row| row.rest(path).is_some());
        if let Some(row) = fitting.clone().find(|row| row.method == wanted) {
            return Lookup::Found(row);
        }
        match (fitting.next(), method) {
            (None, _) => Lookup::Nowhere,
            (Some(_), Method::Options) => Lookup::Options(self.allow(Some(path))),
            (Some(_), _) => Lookup::WrongMethod(self.allow(Some(path))),
        }
    }

    /// The value of `Allow` (RFC 9110 section 10.2.1) for a path, or for the whole server.
    pub(crate) fn allow(&self, path: Option<&[u8]>) -> String {
        let mut names = Vec::new();
        for row in self.rows.iter().filter(|row| path.is_none_or(|path| row.rest(path).is_some())) {
            names.push(row.method.name());
            if row.method == Method::Get {
                names.push(Method::Head.name());
            }
        }
        names.push(Method::Options.name());
        let mut seen = Vec::new();
        names.retain(|name| {
            !seen.contains(name) && {
                seen.push(name);
                true
            }
        });
        names.join(", ")
    }
}

impl<S> fmt::Display for Routes<S> {
    /// A line for each row: method, path, and the place in the source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|row| writeln!(f, "{:7} {:24} {}", row.method, row.path, row.place))
    }
}

/// What is wrong with a table. `const`, so that the compiler can ask; hence the loops by hand.
const fn fault<S>(rows: &[Route<S>]) -> Option<&'static str> {
    let mut at = 0;
    while at < rows.len() {
        let path = rows[at].path.as_bytes();
        if path.is_empty() || path[0] != b'/' {
            return Some("a route's path begins with a slash: get(\"/about\", about)");
        }
        let mut byte = 0;
        while byte < path.len() {
            let is_last = byte + 1 == path.len();
            match path[byte] {
                b'*' if !(is_last && path[byte - 1] == b'/') => {
                    return Some("a `*` stands only at the end of a route's path, as in /files/*");
                }
                b'?' | b'#' => return Some("a route's path has no query and no fragment"),
                b'%' => return Some("a route's path is written decoded: /a b and not /a%20b"),
                _ => {}
            }
            byte += 1;
        }
        let mut other = 0;
        while other < at {
            if rows[other].method as u8 == rows[at].method as u8
                && are_equal(rows[other].path.as_bytes(), path)
            {
                return Some("a route is listed twice: the second could never answer");
            }
            other += 1;
        }
        at += 1;
    }
    None
}

const fn are_equal(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(_: &Request) -> Response {
        Response::text("")
    }

    static TABLE: Routes = routes(&[
        get("/", door),
        get("/likes", door).quiet(),
        post("/likes", door),
        get("/files/*", door),
        delete("/files/old", door),
    ]);

    fn lookup(method: Method, path: &str) -> String {
        match TABLE.lookup(method, path.as_bytes()) {
            Lookup::Found(row) => format!("{} {}", row.method, row.path),
            Lookup::Options(allow) | Lookup::WrongMethod(allow) => allow,
            Lookup::Nowhere => "nowhere".to_string(),
        }
    }

    #[test]
    fn the_first_row_with_the_path_and_the_method_answers() {
        assert_eq!(lookup(Method::Head, "/"), "GET /");
        assert_eq!(lookup(Method::Post, "/lik%65s"), "POST /likes");
        assert_eq!(lookup(Method::Get, "/files/a/b"), "GET /files/*");
        assert_eq!(lookup(Method::Get, "/files/"), "GET /files/*");
        assert_eq!(lookup(Method::Get, "/files"), "nowhere");
        assert_eq!(lookup(Method::Get, "/files%2Fa"), "nowhere");
        assert_eq!(lookup(Method::Delete, "/files/old"), "DELETE /files/old");
    }

    #[test]
    fn what_is_allowed_is_read_off_the_table() {
        assert_eq!(lookup(Method::Put, "/"), "GET, HEAD, OPTIONS");
        assert_eq!(lookup(Method::Options, "/likes"), "GET, HEAD, POST, OPTIONS");
        assert_eq!(lookup(Method::Put, "/files/old"), "GET, HEAD, DELETE, OPTIONS");
        assert_eq!(TABLE.allow(None), "GET, HEAD, POST, DELETE, OPTIONS");
    }

    #[test]
    fn a_bad_table_says_what_is_wrong_with_it() {
        for (path, fault) in [
            ("about", "begins with a slash"),
            ("", "begins with a slash"),
            ("/a*", "only at the end"),
            ("/*/a", "only at the end"),
            ("/a?b", "no query"),
            ("/a%20b", "written decoded"),
            ("/twice", "listed twice"),
        ] {
            let rows = vec![get("/twice", door), get(path, door)];
            assert!(Routes::new(rows).is_err_and(|said| said.contains(fault)), "{path}");
        }
        assert!(Routes::new(vec![get("/*", door), post("/*", door)]).is_ok());
    }

    #[test]
    fn a_row_knows_its_place_in_the_source() {
        let (row, line) = (get("/", door), line!());
        assert!(row.place().file().ends_with("route.rs"));
        assert_eq!(row.place().line(), line);
    }
}
