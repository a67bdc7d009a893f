//! The routes of `tests/support/app.rs`, written a second time for the oracle: the handler for each
//! method and path, and the response that it returns.

use super::predict::Content;

pub type Handler = fn(&HandlerRequest) -> HandlerResponse;

/// The result of a lookup.
pub enum Lookup {
    Found(Handler),
    /// OPTIONS, with the allowed methods.
    Options(Vec<&'static str>),
    /// The path has other methods.
    WrongMethod(Vec<&'static str>),
    NotFound,
}

/// The parts of a request that handlers use.
pub struct HandlerRequest<'a> {
    pub method: &'a [u8],
    pub path: &'a [u8],
    pub query: Option<&'a [u8]>,
    pub fields: &'a [(&'a [u8], &'a [u8])],
    pub content: &'a [u8],
    pub raw: &'a [u8],
}

/// What a handler returns.
pub struct HandlerResponse {
    pub status: u16,
    pub content: Content,
    /// Whether the handler closes the connection.
    pub closes: bool,
    /// Whether the length of the content is unknown until its end.
    pub is_stream: bool,
}

const ROUTES: [(&str, &str, Handler); 19] = [
    ("GET", "/", |_| text("hello\n")),
    ("GET", "/raw", |request| bytes(request.raw)),
    ("POST", "/raw", |request| bytes(request.raw)),
    ("POST", "/echo", |request| bytes(request.content)),
    ("PUT", "/echo", |request| bytes(request.content)),
    ("POST", "/count", |request| text(&format!("{} bytes\n", request.content.len()))),
    ("GET", "/fields", fields),
    ("GET", "/files/*", file),
    ("DELETE", "/files/*", file),
    ("GET", "/large", |_| bytes(&[b'x'; 100_000])),
    ("GET", "/chunks", |_| HandlerResponse { is_stream: true, ..text("one\ntwo\nthree\n") }),
    ("GET", "/torn", |_| HandlerResponse { is_stream: true, ..incomplete("one\n") }),
    ("GET", "/sized", |_| text("0123456789")),
    ("GET", "/short", |_| incomplete("0123")),
    ("GET", "/empty", |_| text("")),
    ("GET", "/nothing", |_| no_content(204)),
    ("GET", "/unchanged", |_| no_content(304)),
    ("GET", "/reset", |_| HandlerResponse { status: 205, ..text("") }),
    ("GET", "/goodbye", |_| HandlerResponse { closes: true, ..text("goodbye\n") }),
];

/// Paths of the app that no conversation requests.
pub const LEFT_OUT: [&str; 5] =
    ["/elsewhere", "/greet", "/greet-carelessly", "/panic", "/panic-halfway"];

/// Finds the handler for a method and a path. `None` as the path means the whole server.
pub fn lookup(method: &[u8], path: Option<&[u8]>) -> Lookup {
    let Some(path) = path else { return Lookup::Options(allow(&ROUTES)) };
    let path = decode(path);
    let matches = |route: &str| match route.strip_suffix('*') {
        Some(folder) => path.starts_with(folder.as_bytes()),
        None => path == route.as_bytes(),
    };
    assert!(!LEFT_OUT.iter().any(|route| matches(route)), "the oracle does not know this route");
    let found: Vec<_> = ROUTES.into_iter().filter(|(_, route, _)| matches(route)).collect();
    // RFC 9110 §9.3.2: HEAD "is identical to GET", without content in the response.
    let wanted = if method == b"HEAD" { b"GET" } else { method };
    match found.iter().find(|(known, ..)| known.as_bytes() == wanted) {
        Some(&(_, _, handler)) => Lookup::Found(handler),
        None if found.is_empty() => Lookup::NotFound,
        None if method == b"OPTIONS" => Lookup::Options(allow(&found)),
        None => Lookup::WrongMethod(allow(&found)),
    }
}

/// RFC 9110 §10.2.1: the methods of these routes, HEAD if there is GET, and OPTIONS. Sorted, each once.
fn allow(routes: &[(&'static str, &str, Handler)]) -> Vec<&'static str> {
    let mut methods: Vec<&str> = routes.iter().map(|&(method, ..)| method).collect();
    methods.push("OPTIONS");
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    methods
}

/// Decodes percent-encoding (RFC 3986 §2.1) once (§2.4). `%2F` stays encoded: its slash is data, not a
/// delimiter (§2.2). `%25` stays encoded where its "%" and the bytes after it would look like a `%2F` or
/// a `%25` that stayed encoded.
fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    // From the end, because the bytes after "%25" decide.
    let mut rest = bytes;
    while !rest.is_empty() {
        let (before, last) = match rest {
            [before @ .., b'%', one, other] => (before, digit(*one) * 16 + digit(*other)),
            [before @ .., byte] => (before, *byte),
            [] => break,
        };
        let is_encoded = rest.len() - before.len() == 3;
        let stays = match last {
            b'/' => true,
            b'%' => completes_a_slash(&decoded),
            _ => false,
        };
        match is_encoded && stays {
            true => drop(decoded.splice(0..0, rest[before.len()..].iter().copied())),
            false => decoded.insert(0, last),
        }
        rest = before;
    }
    decoded
}

/// Whether the bytes begin with `2F`, `252F`, `25252F` and so on: an encoded slash after a "%".
fn completes_a_slash(mut bytes: &[u8]) -> bool {
    while let [b'2', b'5', rest @ ..] = bytes {
        bytes = rest;
    }
    matches!(bytes, [b'2', b'F' | b'f', ..])
}

fn digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).unwrap_or(0) as u8
}

fn bytes(content: &[u8]) -> HandlerResponse {
    let content = Content::Bytes(content.to_vec());
    HandlerResponse { status: 200, content, closes: false, is_stream: false }
}

fn text(content: &str) -> HandlerResponse {
    bytes(content.as_bytes())
}

/// The handler fails after this content.
fn incomplete(content: &str) -> HandlerResponse {
    HandlerResponse { content: Content::Incomplete(content.into()), ..text("") }
}

/// RFC 9110 §6.4.1: 204 and 304 have no content, whatever the handler returns.
fn no_content(status: u16) -> HandlerResponse {
    HandlerResponse { status, content: Content::Absent(None), ..text("") }
}

/// One line for each field. Bytes that are not visible are escaped.
fn fields(request: &HandlerRequest) -> HandlerResponse {
    let mut lines = Vec::new();
    for (name, value) in request.fields {
        lines.extend_from_slice(name);
        lines.push(b'=');
        for &byte in *value {
            match byte {
                b'\t' => lines.extend(b"\\t"),
                b' '..=b'~' => lines.push(byte),
                _ => lines.extend(format!("\\x{byte:02x}").bytes()),
            }
        }
        lines.push(b'\n');
    }
    bytes(&lines)
}

/// The method and the target, as the handler of `/files/*` gets them.
fn file(request: &HandlerRequest) -> HandlerResponse {
    let method = String::from_utf8_lossy(request.method);
    let path = decode(request.path);
    let rest = String::from_utf8_lossy(path.strip_prefix(b"/files/").unwrap_or_default());
    let query = request.query.map(String::from_utf8_lossy);
    text(&format!("{method} rest={rest:?} query={query:?}\n"))
}
