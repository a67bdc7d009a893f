//! # The page that needs a key
//!
//! "When you log in, the backend verifies your password." The password is `API_KEY`, from the
//! environment. A client sends it in the Authorization field, in one of two ways:
//!
//! ```text
//! Authorization: Basic c3RhZmY6YWJjMTIz    from a browser, which asks its user first:
//!                                          base64 of "staff:abc123" (any name, the key)
//! Authorization: Bearer abc123             from a program
//! ```
//! Rule: RFC 9110 section 11 (challenge and response), RFC 7617 (Basic), RFC 6750 (Bearer). Base64
//! hides nothing, so use TLS beyond your own machine. Left out: users, sessions, logout.

use openkitchen::message::credentials::{Key, basic_credentials, credentials};
use openkitchen::message::html::escape;
use openkitchen::sys::peer_name;
use openkitchen::{Request, Response, Status};

use super::pages::{self, fill};
use super::{Site, posts};

/// `GET /staff`: the page for the right key. A key in the query is refused first, even the right one.
pub fn page(request: &Request<Site>) -> Response {
    let key = request.state().key.as_ref();
    if has_key(request.query().unwrap_or_default(), &request.params(), key) {
        return key_in_query(request);
    }
    let Some(key) = key else { return forbidden(request) };
    match request.only("authorization").and_then(|value| authenticate(value, key)) {
        Some(scheme) => authorized(request, scheme),
        None => unauthorized(request),
    }
}

/// The scheme in which a client sent the key.
#[derive(Debug, PartialEq)]
enum AuthScheme {
    Basic { user: String },
    Bearer,
}

/// The scheme, if this value of an Authorization field has the right key.
fn authenticate(value: &str, key: &Key) -> Option<AuthScheme> {
    if let Some(token) = credentials(value, "bearer") {
        return key.matches(token.as_bytes()).then_some(AuthScheme::Bearer);
    }
    // RFC 7617 section 2: the user name ends at the first colon. The password may contain colons.
    let pair = basic_credentials(value)?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    let user = String::from_utf8_lossy(&pair[..colon]).into_owned();
    key.matches(&pair[colon + 1..]).then_some(AuthScheme::Basic { user })
}

/// Whether the query has a parameter with the name of a key, or contains the key itself.
fn has_key(query: &str, params: &[(String, String)], key: Option<&Key>) -> bool {
    let is_key = |text: &str| key.is_some_and(|key| key.matches(text.as_bytes()));
    let is_key_param =
        |(name, value): &(String, String)| is_key_name(name) || is_key(name) || is_key(value);
    // The raw query is checked as well: in `params`, a `+` that the client did not encode is a space.
    let is_raw_key =
        |pair: &str| is_key(pair) || pair.split_once('=').is_some_and(|(_, value)| is_key(value));
    params.iter().any(is_key_param) || query.split('&').any(is_raw_key)
}

/// Whether APIs commonly use this parameter for a key.
fn is_key_name(name: &str) -> bool {
    let name: String =
        name.chars().filter(|character| !matches!(character, '-' | '_' | '.')).collect();
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
/// The response does not repeat the key, and the access log hides the query.
fn key_in_query(request: &Request<Site>) -> Response {
    let way = "Send it in a field instead: curl -H \"Authorization: Bearer $API_KEY\". If this \
               was the real one, choose another now.";
    let why = "This URL holds a key. URLs are written into logs, histories and Referer fields, so \
               it is refused even where it is right.";
    pages::notice(request, Status::BAD_REQUEST, "A key does not belong in a URL", &[why, way])
        .hide_query()
}

/// Status 403: the server has no key. The page says how to set one. RFC 9110 section 15.5.4. A 401
/// would be wrong, because no credentials would be accepted.
fn forbidden(request: &Request<Site>) -> Response {
    let why = "This door stays shut, because the kitchen was started without a key.";
    let way = "Start it with one from the environment: read -rs API_KEY; export API_KEY; \
               openkitchen. (Typed after read, it is in no code, no URL and no shell history.)";
    pages::notice(request, Status::FORBIDDEN, "Kitchen staff only", &[why, way])
}

/// Status 401. RFC 9110 section 11.6.1: the challenges name the schemes. A browser knows Basic, and
/// asks its user for name and password.
fn unauthorized(request: &Request<Site>) -> Response {
    let (title, why) = match request.field_lines().values("authorization").count() {
        0 => (
            "Kitchen staff only",
            "Show the key that the kitchen was started with: any user name, and the value of \
             API_KEY as the password.",
        ),
        1 => (
            "That is not the key",
            "What your request shows in its Authorization field is not the key that the kitchen \
             was started with. It is the value of API_KEY, as the password of any user name.",
        ),
        _ => (
            "One key at a time",
            "Your request has more than one Authorization field, so none of them is read.",
        ),
    };
    let way = "From a terminal, curl -u staff asks for it without showing it; a program sends \
               Authorization: Bearer and the key.";
    pages::notice(request, Status::UNAUTHORIZED, title, &[why, way])
        // RFC 7617 section 2.1: charset asks the client to encode name and password in UTF-8.
        .field("WWW-Authenticate", "Basic realm=\"staff\", charset=\"UTF-8\"")
        .field("WWW-Authenticate", "Bearer realm=\"staff\"")
}

/// Status 200: the scheme of this request, and the likes with their totals.
fn authorized(request: &Request<Site>, scheme: AuthScheme) -> Response {
    let site = request.state();
    let scheme = match scheme {
        AuthScheme::Basic { user } if user.is_empty() => "with Basic, without a name".to_owned(),
        AuthScheme::Basic { user } => format!("with Basic, as {user}"),
        AuthScheme::Bearer => "with Bearer".to_owned(),
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
    let path = site
        .likes
        .path()
        .map_or("in memory: forgotten at the end".to_owned(), |path| path.display().to_string());
    let totals = site.likes.totals();
    let content = fill(
        include_str!("html/staff.html"),
        &[
            ("came", &escape(&scheme)),
            ("peer", &escape(&peer_name(request.peer()))),
            ("rows", &rows),
            ("total", &total.to_string()),
            ("place", &escape(&path)),
            ("stored", &totals.likes.to_string()),
            ("syncs", &totals.syncs.to_string()),
        ],
    );
    pages::page("/staff", "Staff", &content).field("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new("abc:123+xyz").expect("a valid key")
    }

    #[test]
    fn the_right_key_is_accepted_in_basic_and_bearer_only() {
        let user = "chef".to_owned();
        assert_eq!(
            authenticate("Basic Y2hlZjphYmM6MTIzK3h5eg==", &key()),
            Some(AuthScheme::Basic { user })
        );
        assert_eq!(
            authenticate("bAsIc  OmFiYzoxMjMreHl6", &key()),
            Some(AuthScheme::Basic { user: String::new() })
        );
        assert_eq!(authenticate("bearer abc:123+xyz", &key()), Some(AuthScheme::Bearer));
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
            assert_eq!(authenticate(value, &key()), None, "{value:?}");
        }
    }

    #[test]
    fn a_key_in_a_query_is_found_by_its_name_or_its_value() {
        let found = |query: &str, key: Option<&Key>| {
            has_key(query, &openkitchen::form(query.as_bytes()), key)
        };
        for query in
            ["key=", "a=b&API_KEY=x", "appid=abc123", "access-token=x", "Token=x", "%6bey=x"]
        {
            assert!(found(query, None), "{query}");
        }
        for query in [
            "x=abc:123+xyz",
            "x=abc%3A123%2Bxyz",
            "abc%3A123%2Bxyz",
            "abc:123+xyz",
            "a=1&q=abc:123%2bxyz",
        ] {
            assert!(found(query, Some(&key())), "{query}");
            assert!(!found(query, None), "{query}");
        }
        for query in ["", "a=b", "monkey=1", "x=abc:123", "keys=2"] {
            assert!(!found(query, Some(&key())), "{query}");
        }
    }
}
