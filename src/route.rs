//! # The route table: which handler answers
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
//! The table is read from top to bottom: the first row with the path and the method answers. A path is
//! matched whole, or up to one `/*` at its end. HEAD uses the row of GET. OPTIONS, `Allow` and 405 come
//! from the table, so no handler has to know them.
//!
//! The table is checked at compile time. A path without its slash, a row that is listed twice and a row
//! that can never answer do not compile, and the error names the row:
//! `route "about": a path begins with a slash`.
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
//! [`Routes::fallback`] adds a handler for the requests that no row answers, such as a page that says
//! that there is nothing at this path.
//!
//! Rule: RFC 9110 sections 9.3, 10.2.1 and 15.5.6.  Left out: named parameters in a path, which is where
//! frameworks begin.  Next: [`request`](crate::request).

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use crate::message::method::Method;
use crate::message::response::Response;
use crate::message::status::Status;
use crate::message::target::decode_path;
use crate::request::Request;

/// A function that takes a request and returns the response. `S` is the state that all handlers share;
/// `()` if there is none.
///
/// A closure is a handler if it captures nothing. What it would capture belongs in the state:
///
/// ```
/// use openkitchen::{Request, Response, Routes, Server, get};
///
/// let greeting = String::from("hello");
/// let greet = |request: &Request<String>| Response::text(request.state().clone());
/// let server = Server::bind("127.0.0.1:0")?.start(Routes::new(vec![get("/", greet)])?, greeting)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type Handler<S = ()> = fn(&Request<'_, S>) -> Response;

/// A function that answers a request which no row of the table answers. The status says why:
/// [`Status::NOT_FOUND`] if no row has the path, [`Status::METHOD_NOT_ALLOWED`] if a row has the path, but
/// not the method.
pub type Fallback<S = ()> = fn(&Request<'_, S>, Status) -> Response;

/// One row of the table: a method, a path, and the handler for both.
pub struct Route<S = ()> {
    row: RouteRow,
    handler: Handler<S>,
    keeps_raw: bool,
    is_before_content: bool,
}

/// What a row says besides its handler: for observers, which do not know the state `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// The method of the row, or any.
    pub method: RouteMethod,
    /// The path of the row, with the `/*` at its end if it has one.
    pub path: &'static str,
    /// Whether the row is left out of the access log and the trace: see [`Route::quiet`].
    pub is_quiet: bool,
    /// The place of the row in the source.
    pub place: &'static Location<'static>,
}

/// The methods that a row answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMethod {
    /// This one. GET is HEAD, too.
    One(Method),
    /// Every method that a route can have: see [`any`].
    Any,
}

impl RouteMethod {
    /// The name, such as `GET`, or `any`.
    pub const fn name(self) -> &'static str {
        match self {
            RouteMethod::One(method) => method.name(),
            RouteMethod::Any => "any",
        }
    }

    /// Whether a row with it answers this method, which is GET in place of HEAD.
    fn answers(self, wanted: Method) -> bool {
        match self {
            RouteMethod::One(method) => method == wanted,
            RouteMethod::Any => !matches!(wanted, Method::Connect | Method::Trace),
        }
    }

    /// Whether it has every method of `other`.
    const fn covers(self, other: RouteMethod) -> bool {
        match (self, other) {
            (RouteMethod::Any, _) => true,
            (RouteMethod::One(method), RouteMethod::One(other)) => method as u8 == other as u8,
            (RouteMethod::One(_), RouteMethod::Any) => false,
        }
    }
}

impl fmt::Display for RouteMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A checked table of routes. [`routes`] makes one at compile time, [`Routes::new`] at run time.
pub struct Routes<S: 'static = ()> {
    rows: Cow<'static, [Route<S>]>,
    fallback: Option<Fallback<S>>,
}

/// A row for GET and HEAD.
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

/// A row for every method: GET, HEAD, POST, PUT, PATCH, DELETE and also OPTIONS, which the server answers
/// by itself where no such row is. TRACE gets 405 all the same, and CONNECT 501.
///
/// ```
/// use openkitchen::{Request, Response, Routes, any, get, routes};
///
/// static ROUTES: Routes = routes(&[get("/", home), any("/*", other)]);
/// # fn home(_: &Request) -> Response { Response::text("") }
///
/// fn other(request: &Request) -> Response {
///     Response::text(format!("{} is not supported yet", request.method()))
/// }
/// ```
#[track_caller]
pub const fn any<S>(path: &'static str, handler: Handler<S>) -> Route<S> {
    Route::with(RouteMethod::Any, path, handler)
}

/// Makes a table of the rows. In a `static`, a mistake in the table is a compile error that names the
/// row.
///
/// # Panics
/// At run time, if [`Routes::new`] would return an error.
pub const fn routes<S>(rows: &'static [Route<S>]) -> Routes<S> {
    if let Some(mistake) = mistake(rows) {
        panic!("{}", mistake.text());
    }
    Routes { rows: Cow::Borrowed(rows), fallback: None }
}

impl<S> Route<S> {
    #[track_caller]
    const fn new(method: Method, path: &'static str, handler: Handler<S>) -> Route<S> {
        Route::with(RouteMethod::One(method), path, handler)
    }

    #[track_caller]
    const fn with(method: RouteMethod, path: &'static str, handler: Handler<S>) -> Route<S> {
        let row = RouteRow { method, path, is_quiet: false, place: Location::caller() };
        Route { row, handler, keeps_raw: false, is_before_content: false }
    }

    /// The same row, left out of the access log and the trace: for a health check every second.
    pub const fn quiet(self) -> Route<S> {
        Route { row: RouteRow { is_quiet: true, ..self.row }, ..self }
    }

    /// The same row, with every byte of its requests in [`Request::raw`], chunk framing too. These bytes
    /// take memory beside the content, so other rows do not keep them.
    pub const fn keep_raw(self) -> Route<S> {
        Route { keeps_raw: true, ..self }
    }

    /// The same row, whose handler runs before the content is read: for an answer that does not
    /// need it, such as "too large", or one that a client does not expect so early.
    ///
    /// [`Request::content`] is empty there, and a client that waits for `100 Continue` gets the
    /// response instead. After the response, content of up to 64 KiB is read and dropped; more ends
    /// the connection.
    ///
    /// ```
    /// use openkitchen::{Request, Response, Routes, Status, put, routes};
    ///
    /// static ROUTES: Routes = routes(&[put("/film", full).before_content()]);
    ///
    /// fn full(_: &Request) -> Response {
    ///     Response::text("the disk is full").status(Status::INSUFFICIENT_STORAGE)
    /// }
    /// ```
    pub const fn before_content(self) -> Route<S> {
        Route { is_before_content: true, ..self }
    }

    /// The row without its handler.
    pub fn row(&self) -> &RouteRow {
        &self.row
    }

    /// Whether requests are kept as received: see [`Route::keep_raw`].
    pub(crate) fn keeps_raw(&self) -> bool {
        self.keeps_raw
    }

    /// Whether the handler runs before the content is read: see [`Route::before_content`].
    pub(crate) fn is_before_content(&self) -> bool {
        self.is_before_content
    }

    /// Calls the handler.
    pub(crate) fn call(&self, request: &Request<'_, S>) -> Response {
        (self.handler)(request)
    }

    /// The path of the row, without the `*` at its end.
    pub(crate) fn prefix(&self) -> &'static str {
        self.row.path.strip_suffix('*').unwrap_or(self.row.path)
    }

    /// Whether the row matches this decoded path.
    fn matches(&self, path: &[u8]) -> bool {
        match self.row.path.as_bytes() {
            [prefix @ .., b'*'] => path.starts_with(prefix),
            whole => path == whole,
        }
    }
}

// A derived `Clone` would require `S: Clone`, although no row holds an `S`.
impl<S> Clone for Route<S> {
    fn clone(&self) -> Route<S> {
        *self
    }
}

impl<S> Copy for Route<S> {}

/// What the table has for a method and a path.
pub(crate) enum Lookup<'a, S> {
    /// This row answers.
    Found(&'a Route<S>),
    /// The method is OPTIONS: the value of `Allow`.
    Options(String),
    /// Rows have the path, but not the method (405): the value of `Allow`.
    WrongMethod(String),
    /// No row has the path (404).
    NotFound,
}

impl<S> Routes<S> {
    /// Makes a table at run time. [`Server::start`](crate::Server::start) takes it as it is.
    ///
    /// Its paths are in the source all the same. Where paths are data too, such as those of a list
    /// of answers, a row `/*` finds them in the state.
    ///
    /// ```
    /// use openkitchen::{Request, Response, Routes, Server, get};
    ///
    /// fn home(_: &Request) -> Response {
    ///     Response::text("home")
    /// }
    ///
    /// let server = Server::bind("127.0.0.1:0")?.start(Routes::new(vec![get("/", home)])?, ())?;
    /// assert!(Routes::new(vec![get("home", home)]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first mistake, in a sentence that names the row: a path that does not begin with a slash, a
    /// `*` that is not the whole last segment, a query, fragment, escape or named parameter in a path, a
    /// row that is listed twice or can never answer.
    pub fn new(rows: Vec<Route<S>>) -> Result<Routes<S>, String> {
        match mistake(&rows) {
            Some(mistake) => Err(mistake.text().to_string()),
            None => Ok(Routes { rows: Cow::Owned(rows), fallback: None }),
        }
    }

    /// The same table, with a handler for the requests that no row answers. Without one, the server
    /// answers 404 and 405 with a sentence of plain text.
    ///
    /// A response with the status 200 gets the status that the handler was given, so a page for 404
    /// needs no `.status(...)`; any other status stays. The server adds `Allow` to a 405. OPTIONS never
    /// comes here. The content of the request has not been read, so [`Request::content`] is empty.
    ///
    /// ```
    /// use openkitchen::{Request, Response, Routes, Status, get, routes};
    ///
    /// static ROUTES: Routes = routes(&[get("/", home)]).fallback(no_route);
    ///
    /// fn no_route(_: &Request, status: Status) -> Response {
    ///     Response::html(format!("<!doctype html><title>{status}</title><a href='/'>Home</a>"))
    /// }
    /// # fn home(_: &Request) -> Response { Response::text("") }
    /// ```
    pub const fn fallback(mut self, handler: Fallback<S>) -> Routes<S> {
        self.fallback = Some(handler);
        self
    }

    /// The handler for the requests that no row answers.
    pub(crate) fn fallback_handler(&self) -> Option<Fallback<S>> {
        self.fallback
    }

    /// The rows, from top to bottom.
    ///
    /// ```
    /// # use openkitchen::{Request, Response, Routes, get, post, routes};
    /// # fn home(_: &Request) -> Response { Response::text("") }
    /// static ROUTES: Routes = routes(&[get("/", home), post("/likes", home).quiet()]);
    ///
    /// let rows: Vec<_> = ROUTES.iter().map(|route| (route.row().path, route.row().is_quiet)).collect();
    /// assert_eq!(rows, [("/", false), ("/likes", true)]);
    /// println!("{ROUTES}"); // a line for each: method, path, place in the source
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &Route<S>> {
        self.rows.iter()
    }

    /// Looks up the row for a method and a path. `path` is the target's, as sent.
    pub(crate) fn lookup(&self, method: Method, path: &[u8]) -> Lookup<'_, S> {
        let path = &*decode_path(path);
        // RFC 9110 section 9.3.2: HEAD is GET without the content.
        let wanted = if method == Method::Head { Method::Get } else { method };
        let mut matching = self.rows.iter().filter(|row| row.matches(path));
        if let Some(row) = matching.clone().find(|row| row.row.method.answers(wanted)) {
            return Lookup::Found(row);
        }
        match (matching.next(), method) {
            (None, _) => Lookup::NotFound,
            (Some(_), Method::Options) => Lookup::Options(self.allow(Some(path))),
            (Some(_), _) => Lookup::WrongMethod(self.allow(Some(path))),
        }
    }

    /// The value of `Allow` (RFC 9110 section 10.2.1) for a path, or for the whole server.
    pub(crate) fn allow(&self, path: Option<&[u8]>) -> String {
        let mut names = Vec::new();
        for row in self.rows.iter().filter(|row| path.is_none_or(|path| row.matches(path))) {
            match row.row.method {
                RouteMethod::One(Method::Get) => names.extend(["GET", "HEAD"]),
                RouteMethod::One(method) => names.push(method.name()),
                RouteMethod::Any => {
                    names.extend(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
                }
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

// A derived `Clone` would require `S: Clone`.
impl<S> Clone for Routes<S> {
    fn clone(&self) -> Routes<S> {
        Routes { rows: self.rows.clone(), fallback: self.fallback }
    }
}

impl<S> From<&Routes<S>> for Routes<S> {
    /// A copy of the table. The rows of a table of [`routes`] are not copied.
    fn from(routes: &Routes<S>) -> Routes<S> {
        routes.clone()
    }
}

impl<S> fmt::Display for Routes<S> {
    /// Prints a line for each row: method, path, and place in the source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().map(Route::row).try_for_each(|RouteRow { method, path, place, .. }| {
            writeln!(f, "{method:7} {path:24} {place}")
        })
    }
}

/// The first mistake in a table, as a sentence that names the row. `const`, so that the compiler can
/// check a `static` table: hence the loops by hand.
const fn mistake<S>(rows: &[Route<S>]) -> Option<Sentence> {
    let mut at = 0;
    while at < rows.len() {
        let RouteRow { method, path, .. } = rows[at].row;
        if let Some(rule) = broken_path_rule(path.as_bytes()) {
            let row = Sentence::new().and("route \"").and(path).and("\": ");
            return Some(row.and(rule));
        }
        let mut above = 0;
        while above < at {
            let earlier = rows[above].row;
            if earlier.method.covers(method) && is_covered(path, earlier.path) {
                let row = Sentence::new().and("route ").and(method.name());
                let row = row.and(" \"").and(path);
                return Some(if method.covers(earlier.method) && is_covered(earlier.path, path) {
                    row.and("\" is listed twice")
                } else {
                    row.and("\" never answers, because \"")
                        .and(earlier.path)
                        .and("\" stands above it")
                });
            }
            above += 1;
        }
        at += 1;
    }
    None
}

/// The rule that a path breaks, if it breaks one.
const fn broken_path_rule(path: &[u8]) -> Option<&'static str> {
    if path.is_empty() || path[0] != b'/' {
        return Some("a path begins with a slash");
    }
    let mut at = 1;
    while at < path.len() {
        let (begins_segment, is_last) = (path[at - 1] == b'/', at + 1 == path.len());
        match path[at] {
            b'*' if !(is_last && begins_segment) => {
                return Some("a `*` is the whole last segment of a path, as in /files/*");
            }
            b'?' | b'#' => return Some("a path has no query and no fragment"),
            b'%' => return Some("a path is written decoded: /a b and not /a%20b"),
            b'{' | b'}' | b'<' | b'>' => return Some(NO_PARAMETERS),
            b':' if begins_segment => return Some(NO_PARAMETERS),
            _ => {}
        }
        at += 1;
    }
    None
}

const NO_PARAMETERS: &str =
    "a path has no named parameters; end it with /* and take request.rest()";

/// Whether every path that `path` matches is matched by `other`, too.
const fn is_covered(path: &str, other: &str) -> bool {
    let (path, other) = (path.as_bytes(), other.as_bytes());
    let prefix = match other {
        [prefix @ .., b'*'] => prefix,
        whole if whole.len() != path.len() => return false,
        whole => whole,
    };
    let mut at = 0;
    while at < prefix.len() && at < path.len() && prefix[at] == path[at] {
        at += 1;
    }
    at == prefix.len()
}

/// A sentence that can be put together while compiling. What does not fit is cut off.
struct Sentence {
    bytes: [u8; 512],
    length: usize,
}

impl Sentence {
    const fn new() -> Sentence {
        Sentence { bytes: [0; 512], length: 0 }
    }

    const fn and(mut self, text: &str) -> Sentence {
        let text = text.as_bytes();
        let mut at = 0;
        while at < text.len() && self.length < self.bytes.len() {
            self.bytes[self.length] = text[at];
            self.length += 1;
            at += 1;
        }
        self
    }

    const fn text(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.length);
        match std::str::from_utf8(text) {
            Ok(text) => text,
            // The text may be cut off within a character.
            Err(cut) => match std::str::from_utf8(text.split_at(cut.valid_up_to()).0) {
                Ok(text) => text,
                Err(_) => "",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(_: &Request) -> Response {
        Response::text("")
    }

    static TABLE: Routes = routes(&[
        get("/", handler),
        get("/likes", handler).quiet(),
        post("/likes", handler),
        get("/files/*", handler),
        delete("/files/old", handler),
    ]);

    fn lookup(method: Method, path: &str) -> String {
        match TABLE.lookup(method, path.as_bytes()) {
            Lookup::Found(row) => format!("{} {}", row.row.method, row.row.path),
            Lookup::Options(allow) | Lookup::WrongMethod(allow) => allow,
            Lookup::NotFound => "not found".to_string(),
        }
    }

    #[test]
    fn the_first_row_with_the_path_and_the_method_answers() {
        assert_eq!(lookup(Method::Head, "/"), "GET /");
        assert_eq!(lookup(Method::Post, "/lik%65s"), "POST /likes");
        assert_eq!(lookup(Method::Get, "/files/a/b"), "GET /files/*");
        assert_eq!(lookup(Method::Get, "/files/"), "GET /files/*");
        assert_eq!(lookup(Method::Get, "/files"), "not found");
        assert_eq!(lookup(Method::Get, "/files%2Fa"), "not found");
        assert_eq!(lookup(Method::Delete, "/files/old"), "DELETE /files/old");
    }

    #[test]
    fn the_allow_field_lists_the_methods_of_the_table() {
        assert_eq!(lookup(Method::Put, "/"), "GET, HEAD, OPTIONS");
        assert_eq!(lookup(Method::Options, "/likes"), "GET, HEAD, POST, OPTIONS");
        assert_eq!(lookup(Method::Put, "/files/old"), "GET, HEAD, DELETE, OPTIONS");
        assert_eq!(TABLE.allow(None), "GET, HEAD, POST, DELETE, OPTIONS");
    }

    #[test]
    fn a_mistake_in_a_table_is_reported_with_its_row() {
        let slash = "a path begins with a slash";
        let star = "a `*` is the whole last segment of a path, as in /files/*";
        let query = "a path has no query and no fragment";
        for (path, mistake) in [
            ("contact", format!("route \"contact\": {slash}")),
            ("", format!("route \"\": {slash}")),
            ("/a*", format!("route \"/a*\": {star}")),
            ("/*/a", format!("route \"/*/a\": {star}")),
            ("/a?b", format!("route \"/a?b\": {query}")),
            ("/a#b", format!("route \"/a#b\": {query}")),
            (
                "/a%20b",
                "route \"/a%20b\": a path is written decoded: /a b and not /a%20b".to_string(),
            ),
            ("/a/{id}", format!("route \"/a/{{id}}\": {NO_PARAMETERS}")),
            ("/a/<id>", format!("route \"/a/<id>\": {NO_PARAMETERS}")),
            ("/:id", format!("route \"/:id\": {NO_PARAMETERS}")),
            ("/twice", "route GET \"/twice\" is listed twice".to_string()),
            ("/files/*", "route GET \"/files/*\" is listed twice".to_string()),
            (
                "/files/a",
                "route GET \"/files/a\" never answers, because \"/files/*\" stands above it"
                    .to_string(),
            ),
            (
                "/files/a/*",
                "route GET \"/files/a/*\" never answers, because \"/files/*\" stands above it"
                    .to_string(),
            ),
        ] {
            let rows = vec![get("/twice", handler), get("/files/*", handler), get(path, handler)];
            assert_eq!(Routes::new(rows).err(), Some(mistake), "{path}");
        }
        for path in ["/", "/*", "/files", "/a:b", "/twice/a", "/twice/", "/file"] {
            let rows = vec![get("/twice", handler), get("/files/*", handler), get(path, handler)];
            assert_eq!(Routes::new(rows).err(), None, "{path}");
        }
        assert!(Routes::new(vec![get("/*", handler), post("/a", handler)]).is_ok());
        assert!(Routes::new(vec![get("/a", handler), any("/a", handler)]).is_ok());
        let mistake = |rows| Routes::new(rows).err();
        let twice = mistake(vec![any("/a", handler), any("/a", handler)]);
        assert_eq!(twice.as_deref(), Some("route any \"/a\" is listed twice"));
        let never = "route PUT \"/a\" never answers, because \"/a\" stands above it";
        let found = mistake(vec![any("/a", handler), put("/a", handler)]);
        assert_eq!(found.as_deref(), Some(never));
    }

    #[test]
    fn a_row_for_any_method_answers_what_a_route_can_have() {
        let rows = vec![get("/a", handler), any("/*", handler)];
        let table = Routes::new(rows).unwrap();
        for (method, path, row) in [
            (Method::Head, "/a", "GET /a"),
            (Method::Post, "/a", "any /*"),
            (Method::Options, "/a", "any /*"),
            (Method::Patch, "/", "any /*"),
            (Method::Trace, "/a", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ] {
            let found = match table.lookup(method, path.as_bytes()) {
                Lookup::Found(row) => format!("{} {}", row.row.method, row.row.path),
                Lookup::WrongMethod(allow) => allow,
                Lookup::Options(_) | Lookup::NotFound => "nothing".into(),
            };
            assert_eq!(found, row, "{method} {path}");
        }
    }

    #[test]
    #[should_panic(expected = "route \"contact\": a path begins with a slash")]
    fn a_mistake_in_a_static_table_is_a_panic_and_so_a_compile_error() {
        const ROWS: &[Route] = &[get("/", handler), get("contact", handler)];
        let _ = routes(ROWS);
    }

    #[test]
    fn a_long_path_is_cut_off_in_the_sentence() {
        let path: &'static str = Box::leak("é".repeat(400).into_boxed_str());
        let sentence = Routes::new(vec![get(path, handler)]).err().expect("no slash");
        assert!(sentence.starts_with("route \"éé") && sentence.len() <= 512, "{sentence}");
    }

    #[test]
    fn a_row_knows_its_place_in_the_source() {
        let (row, line) = (get("/", handler), line!());
        assert!(row.row.place.file().ends_with("route.rs"));
        assert_eq!(row.row.place.line(), line);
    }
}
