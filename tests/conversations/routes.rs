//! The doors of `tests/support/app.rs`, told a second time: which path and method leads where, and what
//! its function gives.

use super::oracle::Content;

/// RFC 9110 §9.1, and PATCH (RFC 5789). What is not here is not implemented.
pub const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// What a function makes of a request.
pub type Reply = fn(&Asked) -> Said;

/// Where a request leads.
pub enum Door {
    Opens(Reply),
    /// OPTIONS, with the methods that are allowed.
    Options(Vec<&'static str>),
    OtherMethod(Vec<&'static str>),
    Nowhere,
}

/// A request, as far as the functions look at it.
pub struct Asked<'a> {
    pub method: &'a [u8],
    pub path: &'a [u8],
    pub query: Option<&'a [u8]>,
    pub fields: &'a [(&'a [u8], &'a [u8])],
    pub content: &'a [u8],
    pub raw: &'a [u8],
}

/// What it gives.
pub struct Said {
    pub status: u16,
    pub content: Content,
    pub closes: bool,
    /// Its length is not known before its end.
    pub is_stream: bool,
}

const DOORS: [(&str, &str, Reply); 19] = [
    ("GET", "/", |_| text("hello\n")),
    ("GET", "/raw", |asked| bytes(asked.raw)),
    ("POST", "/raw", |asked| bytes(asked.raw)),
    ("POST", "/echo", |asked| bytes(asked.content)),
    ("PUT", "/echo", |asked| bytes(asked.content)),
    ("POST", "/count", |asked| text(&format!("{} bytes\n", asked.content.len()))),
    ("GET", "/fields", fields),
    ("GET", "/files/*", file),
    ("DELETE", "/files/*", file),
    ("GET", "/large", |_| bytes(&[b'x'; 100_000])),
    ("GET", "/chunks", |_| Said { is_stream: true, ..text("one\ntwo\nthree\n") }),
    ("GET", "/torn", |_| Said { is_stream: true, ..torn("one\n") }),
    ("GET", "/sized", |_| text("0123456789")),
    ("GET", "/short", |_| torn("0123")),
    ("GET", "/empty", |_| text("")),
    ("GET", "/nothing", |_| nothing(204)),
    ("GET", "/unchanged", |_| nothing(304)),
    ("GET", "/reset", |_| Said { status: 205, ..text("") }),
    ("GET", "/goodbye", |_| Said { closes: true, ..text("goodbye\n") }),
];

/// Paths of the app that no conversation asks for.
pub const LEFT_OUT: [&str; 5] =
    ["/elsewhere", "/greet", "/greet-carelessly", "/panic", "/panic-halfway"];

/// Where it leads; no path is the whole server.
pub fn find(method: &[u8], path: Option<&[u8]>) -> Door {
    let Some(path) = path else { return Door::Options(allow(&DOORS)) };
    let path = decode(path);
    let leads = |door: &str| match door.strip_suffix('*') {
        Some(folder) => path.starts_with(folder.as_bytes()),
        None => path == door.as_bytes(),
    };
    assert!(!LEFT_OUT.iter().any(|door| leads(door)), "the oracle does not know this door");
    let there: Vec<_> = DOORS.into_iter().filter(|(_, door, _)| leads(door)).collect();
    // RFC 9110 §9.3.2: HEAD is GET without the content.
    let wanted = if method == b"HEAD" { b"GET" } else { method };
    match there.iter().find(|(known, ..)| known.as_bytes() == wanted) {
        Some(&(_, _, reply)) => Door::Opens(reply),
        None if there.is_empty() => Door::Nowhere,
        None if method == b"OPTIONS" => Door::Options(allow(&there)),
        None => Door::OtherMethod(allow(&there)),
    }
}

/// RFC 9110 §10.2.1: the methods of these doors, HEAD beside GET, and OPTIONS, each once.
fn allow(doors: &[(&'static str, &str, Reply)]) -> Vec<&'static str> {
    let mut methods: Vec<&str> = doors.iter().map(|&(method, ..)| method).collect();
    methods.push("OPTIONS");
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    methods
}

/// RFC 3986 §2.1, once (§2.4). But an escaped slash is data where a slash divides (§2.2), and stays as it
/// was sent; and so does a percent sign, where it would make one of what follows, or one of those.
fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    // From the end, for what follows decides.
    let mut rest = bytes;
    while !rest.is_empty() {
        let (before, last) = match rest {
            [before @ .., b'%', one, other] => (before, digit(*one) * 16 + digit(*other)),
            [before @ .., byte] => (before, *byte),
            [] => break,
        };
        let is_escaped = rest.len() - before.len() == 3;
        let stays = match last {
            b'/' => true,
            b'%' => looks_like_a_slash(&decoded),
            _ => false,
        };
        match is_escaped && stays {
            true => drop(decoded.splice(0..0, rest[before.len()..].iter().copied())),
            false => decoded.insert(0, last),
        }
        rest = before;
    }
    decoded
}

/// `2F`, or `252F`, or `25252F`: behind a percent sign.
fn looks_like_a_slash(mut bytes: &[u8]) -> bool {
    while let [b'2', b'5', deeper @ ..] = bytes {
        bytes = deeper;
    }
    matches!(bytes, [b'2', b'F' | b'f', ..])
}

fn digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).unwrap_or(0) as u8
}

fn bytes(content: &[u8]) -> Said {
    Said { status: 200, content: Content::Is(content.to_vec()), closes: false, is_stream: false }
}

fn text(content: &str) -> Said {
    bytes(content.as_bytes())
}

fn torn(content: &str) -> Said {
    Said { content: Content::Torn(content.into()), ..text("") }
}

/// RFC 9110 §6.4.1: 204 and 304 have no content, whatever the function made.
fn nothing(status: u16) -> Said {
    Said { status, content: Content::No(None), ..text("") }
}

/// The fields, a line for each, with bytes that are not visible as escapes.
fn fields(asked: &Asked) -> Said {
    let mut lines = Vec::new();
    for (name, value) in asked.fields {
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

/// The target, as a function sees it below a folder.
fn file(asked: &Asked) -> Said {
    let method = String::from_utf8_lossy(asked.method);
    let path = decode(asked.path);
    let rest = String::from_utf8_lossy(path.strip_prefix(b"/files/").unwrap_or_default());
    let query = asked.query.map(String::from_utf8_lossy);
    text(&format!("{method} rest={rest:?} query={query:?}\n"))
}
