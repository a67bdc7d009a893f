//! # Refuses what a page of another site sends
//!
//! A page of any site can send a form to this one: its visitor's browser does it, without a question.
//! Browsers add two fields that no page can change:
//!
//! ```text
//! Sec-Fetch-Site: cross-site          how the page's site and this one are related
//! Origin: https://other.example       the site of the page; `null` if the browser does not tell
//! ```
//! A handler that changes something refuses a request of another origin. A client that sends neither
//! field is no browser (curl, a program), and no page stands behind it: it is served.
//!
//! Rule: RFC 6454 section 7 (Origin), the Fetch standard (Sec-Fetch-Site,
//! <https://www.w3.org/TR/fetch-metadata/>). Left out: reading. A browser hides a response from the
//! pages of other origins by itself.

use openkitchen::Request;

const OTHER_HOST: &str = "its field Origin names another site than its field Host (a proxy in \
                          front must pass Host unchanged)";

/// Why a request comes from a page of another origin, as a sentence; `None` if it does not.
pub fn foreign<S>(request: &Request<S>) -> Option<&'static str> {
    let fields = request.field_lines();
    let has = |name| fields.values(name).next().is_some();
    // Sec-Fetch-Site is the browser's own verdict, so it is right also behind a proxy that changes Host.
    // Browsers send it to https:// and to this machine, and Origin to every site.
    if has("sec-fetch-site") {
        return match request.only("sec-fetch-site") {
            Some("same-origin" | "none") => None,
            _ => Some("its field Sec-Fetch-Site does not say same-origin"),
        };
    }
    if !has("origin") {
        return None;
    }
    let (origin, host) = (request.only("origin"), request.host());
    match origin.zip(host) {
        Some((origin, host)) if names(origin, host) => None,
        _ => Some(OTHER_HOST),
    }
}

/// Whether an origin (`https://example.test:8443`) names this host. The scheme may differ: a proxy in
/// front speaks TLS, and this server does not. A port that is the scheme's default may be left out.
fn names(origin: &str, host: &str) -> bool {
    let same = |rest: &str, default_port| {
        let strip =
            |host: &str| host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
        strip(rest) == strip(host)
    };
    match origin.split_once("://") {
        Some(("http", rest)) => same(rest, ":80"),
        Some(("https", rest)) => same(rest, ":443"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn an_origin_names_the_host_with_its_port() {
        for (origin, host) in [
            ("http://h:5000", "h:5000"),
            ("http://[::1]:5000", "[::1]:5000"),
            ("http://example.test", "Example.TEST"),
            ("http://example.test", "example.test:80"),
            ("https://example.test", "example.test"),
            ("https://example.test", "example.test:443"),
            ("https://example.test:8443", "example.test:8443"),
        ] {
            assert!(names(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "null"),
            ("", ""),
            ("http://h:3000", "h:5000"),
            ("http://h", "h:5000"),
            ("http://h:5000", "h"),
            ("http://h", "h:443"),
            ("https://h", "h:80"),
            ("https://evil.example", "h"),
            ("http://h.evil.example", "h"),
            ("http://h@evil.example", "h"),
            ("http://h/", "h"),
            ("ftp://h", "h"),
            ("//h", "h"),
        ] {
            assert!(!names(origin, host), "{origin} {host}");
        }
    }
}
