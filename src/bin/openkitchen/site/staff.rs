//! # Kitchen staff only
//!
//! "When you log in, the backend verifies your password." The password is `API_KEY`, from the
//! environment; it may come in two ways, both in the Authorization field:
//!
//! ```text
//! Authorization: Basic c3RhZmY6YWJjMTIz    what a browser sends, after asking its user:
//!                                          base64 of "staff:abc123" (any name, the key)
//! Authorization: Bearer abc123             what a program sends
//! ```
//! Rule: RFC 9110 section 11 (challenge and answer), RFC 7617 (Basic), RFC 6750 (Bearer). Base64
//! hides nothing: beyond your own machine this wants TLS in front. Left out: users, sessions,
//! logging out.

use std::hint::black_box;

use openkitchen::{Request, Response, Status};

use super::pages::{self, escape, fill, page};
use super::{Site, base64, posts};

/// The longest key. A comparison always walks over this many bytes.
const KEY_BYTES: usize = 1024;

/// The staff's key. It has no `Debug` and no way out: all it does is to say whether another is the
/// same.
pub struct Key {
    bytes: [u8; KEY_BYTES], // behind the key: zeros
    length: usize,
}

impl Key {
    /// A key of 1 to 1,024 bytes; the error is half a sentence.
    pub fn new(key: &str) -> Result<Key, String> {
        match key.len() {
            0 => Err("it is empty".to_owned()),
            length @ 1..=KEY_BYTES => Ok(Key { bytes: padded(key.as_bytes()), length }),
            length => Err(format!("it has {length} bytes, and {KEY_BYTES} is the most")),
        }
    }

    /// Whether `given` is the key, in a time that tells nothing about the key: neither how far both
    /// agree (`==` stops at the first difference, and a patient stranger finds the key byte by
    /// byte) nor how long the key is. What it may depend on is the length of `given`, which the
    /// stranger knows anyway.
    pub fn is(&self, given: &[u8]) -> bool {
        if given.len() > KEY_BYTES {
            return false;
        }
        // Always all the bytes, and every difference is kept; `black_box` keeps the compiler from
        // stopping early.
        let mut difference = self.length ^ given.len();
        for (ours, theirs) in self.bytes.iter().zip(&padded(given)) {
            difference = black_box(difference | usize::from(ours ^ theirs));
        }
        difference == 0
    }
}

fn padded(bytes: &[u8]) -> [u8; KEY_BYTES] {
    let mut padded = [0; KEY_BYTES];
    padded[..bytes.len()].copy_from_slice(bytes);
    padded
}

/// `GET /staff`
pub fn door(request: &Request<Site>) -> Response {
    let key = request.state().key.as_ref();
    if key_in_query(request.query().unwrap_or_default(), &request.params(), key) {
        return key_in_target(request);
    }
    let Some(key) = key else { return shut(request) };
    match request.only("authorization").and_then(|value| visitor(value, key)) {
        Some(visitor) => inside(request, visitor),
        None => ask(request),
    }
}

/// How someone came in.
#[derive(Debug, PartialEq)]
enum Visitor {
    Basic { user: String },
    Bearer,
}

/// Who shows the right key in this value of an Authorization field.
fn visitor(value: &str, key: &Key) -> Option<Visitor> {
    // RFC 9110 section 11.4: the scheme in any case, one space or more, the credentials.
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        return key.is(credentials.as_bytes()).then_some(Visitor::Bearer);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // RFC 7617 section 2: the user's name ends at the first colon; the password may hold more of
    // them.
    let pair = base64::decode(credentials)?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    let user = String::from_utf8_lossy(&pair[..colon]).into_owned();
    key.is(&pair[colon + 1..]).then_some(Visitor::Basic { user })
}

/// Whether the query holds a key: by the parameter's name, or because something in it *is* the key.
fn key_in_query(query: &str, params: &[(String, String)], key: Option<&Key>) -> bool {
    let is_key = |text: &str| key.is_some_and(|key| key.is(text.as_bytes()));
    let named =
        |(name, value): &(String, String)| is_key_name(name) || is_key(name) || is_key(value);
    // As sent, too: a key with a `+` in it that nobody encoded would be a space in `params`.
    let sent =
        |pair: &str| is_key(pair) || pair.split_once('=').is_some_and(|(_, value)| is_key(value));
    params.iter().any(named) || query.split('&').any(sent)
}

/// The names under which keys are put into URLs.
fn is_key_name(name: &str) -> bool {
    let name: String = name.chars().filter(|letter| !matches!(letter, '-' | '_' | '.')).collect();
    const NAMES: [&str; 12] = [
        "key",
        "apikey",
        "appid",
        "appkey",
        "token",
        "apitoken",
        "accesstoken",
        "accesskey",
        "auth",
        "authtoken",
        "secret",
        "password",
    ];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Status 400. RFC 9110 section 17.9: a target is written into logs, histories and Referer fields.
/// The key is not said again here.
fn key_in_target(request: &Request<Site>) -> Response {
    let way = "Send it in a field instead: curl -H \"Authorization: Bearer $API_KEY\". If this \
               was the real one, choose another now.";
    let why = "This URL holds a key. URLs are written into logs, histories and Referer fields, so \
               it is refused even where it is right.";
    pages::notice(request, Status::BAD_REQUEST, "A key does not belong in a URL", &[why, way])
        .hide_query()
}

/// Status 403, for whoever runs this: nobody can come in, and how to change that. RFC 9110 section
/// 15.5.4; to ask for credentials (401) would be a lie, since none would do.
fn shut(request: &Request<Site>) -> Response {
    let why = "This door stays shut, because the kitchen was started without a key.";
    let way = "Start it with one from the environment: read -rs API_KEY; export API_KEY; \
               openkitchen. (Typed after read, it is in no code, no URL and no shell history.)";
    pages::notice(request, Status::FORBIDDEN, "Kitchen staff only", &[why, way])
}

/// Status 401. RFC 9110 section 11.6.1: the challenges name the ways in. A browser knows Basic, and
/// asks its user by itself.
fn ask(request: &Request<Site>) -> Response {
    let why = "Show the key that the kitchen was started with: any user name, and the value of \
               API_KEY as the password.";
    let way = "From a terminal, curl -u staff asks for it without showing it; a program sends \
               Authorization: Bearer and the key.";
    pages::notice(request, Status::UNAUTHORIZED, "Kitchen staff only", &[why, way])
        // RFC 7617 section 2.1: a password may hold any character, and they are sent as UTF-8.
        .field("WWW-Authenticate", "Basic realm=\"staff\", charset=\"UTF-8\"")
        .field("WWW-Authenticate", "Bearer realm=\"staff\"")
}

/// Status 200: what guests do not see.
fn inside(request: &Request<Site>, visitor: Visitor) -> Response {
    let site = request.state();
    let came = match visitor {
        Visitor::Basic { user } if user.is_empty() => "with Basic, without a name".to_owned(),
        Visitor::Basic { user } => format!("with Basic, as {user}"),
        Visitor::Bearer => "with Bearer".to_owned(),
    };
    let counts = site.likes.counts();
    let rows: String = posts::feed(&counts)
        .iter()
        .map(|(post, likes)| {
            let title = escape(post.title);
            format!("<tr><th scope=\"row\">{title}</th><td>{likes}</td></tr>\n")
        })
        .collect();
    let total: u64 = counts.values().sum();
    let place = site
        .likes
        .path()
        .map_or("in memory: forgotten at the end".to_owned(), |path| path.display().to_string());
    let trips = site.likes.trips();
    let content = fill(
        include_str!("html/staff.html"),
        &[
            ("came", &escape(&came)),
            ("peer", &escape(&request.peer().to_string())),
            ("rows", &rows),
            ("total", &total.to_string()),
            ("place", &escape(&place)),
            ("stored", &trips.likes.to_string()),
            ("syncs", &trips.syncs.to_string()),
        ],
    );
    page("/staff", "Staff", &content).field("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new("abc:123+xyz").expect("a fine key")
    }

    #[test]
    fn a_key_is_itself_and_nothing_else() {
        assert!(key().is(b"abc:123+xyz"));
        for given in
            ["", "abc:123+xy", "abc:123+xyz ", "abc:123+xyz\0", "Abc:123+xyz", "bbc:123+xyz"]
        {
            assert!(!key().is(given.as_bytes()), "{given:?}");
        }
        let longest = "k".repeat(KEY_BYTES);
        assert!(Key::new(&longest).expect("fits").is(longest.as_bytes()));
        assert!(!Key::new(&longest).expect("fits").is(&[b'k'; KEY_BYTES + 1]));
        assert!(Key::new("").is_err() && Key::new(&"k".repeat(KEY_BYTES + 1)).is_err());
    }

    #[test]
    fn both_ways_in() {
        let user = "chef".to_owned();
        assert_eq!(
            visitor("Basic Y2hlZjphYmM6MTIzK3h5eg==", &key()),
            Some(Visitor::Basic { user })
        );
        assert_eq!(
            visitor("bAsIc  OmFiYzoxMjMreHl6", &key()),
            Some(Visitor::Basic { user: String::new() })
        );
        assert_eq!(visitor("bearer abc:123+xyz", &key()), Some(Visitor::Bearer));
        for value in [
            "",
            "Basic",
            "Basic ",
            "Bearer",
            "Bearer ",
            "abc:123+xyz",
            "Digest abc:123+xyz",
            "Bearer abc:123",
            "Basic Y2hlZjphYmM6MTIzK3h5eg",
            "Basic Y2hlZg==",
            "Basic abc:123+xyz",
        ] {
            assert_eq!(visitor(value, &key()), None, "{value:?}");
        }
    }

    #[test]
    fn a_key_in_a_query_is_seen_by_its_name_or_its_value() {
        let seen = |query: &str, key: Option<&Key>| {
            key_in_query(query, &openkitchen::form(query.as_bytes()), key)
        };
        for query in
            ["key=", "a=b&API_KEY=x", "appid=abc123", "access-token=x", "Token=x", "%6bey=x"]
        {
            assert!(seen(query, None), "{query}");
        }
        for query in [
            "x=abc:123+xyz",
            "x=abc%3A123%2Bxyz",
            "abc%3A123%2Bxyz",
            "abc:123+xyz",
            "a=1&q=abc:123%2bxyz",
        ] {
            assert!(seen(query, Some(&key())), "{query}");
            assert!(!seen(query, None), "{query}");
        }
        for query in ["", "a=b", "monkey=1", "x=abc:123", "keys=2"] {
            assert!(!seen(query, Some(&key())), "{query}");
        }
    }
}
