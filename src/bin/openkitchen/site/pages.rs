//! # The HTML pages
//!
//! The site calls them the dining room. Each page is an HTML file with names in double braces, which
//! a handler replaces with values. Values from outside (the environment, a request) pass through
//! [`escape`] first.

use std::sync::LazyLock;

use openkitchen::message::html::escape;
use openkitchen::{Request, Response, Status};

use super::kitchen::files::slim;
use super::{Site, accept_field, posts};

/// The style of every page. It stands in the page, so that the first paint needs one request.
static STYLE: LazyLock<String> = LazyLock::new(|| slim(include_str!("html/site.css")));

/// The Content-Security-Policy of a page: it loads from this site alone, and runs no inline script.
/// So even unescaped text from a client could not run as a script. The one inline style is allowed by
/// the SHA-256 of its text. With Trusted Types, scripts can write text to the page, but no markup.
/// <https://www.w3.org/TR/CSP3/>
const POLICY: &str = "default-src 'none'; style-src 'self' \
     'sha256-xbjgdPz9Su9bFgoTZJXRA89fQqjgpZfhcae4Bo/Bt5c='; script-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors \
     'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// `GET /`: the posts, each with a Like button.
pub fn home(request: &Request<Site>) -> Response {
    let menu: String = posts::feed(&request.state().likes.counts())
        .into_iter()
        .map(|(post, likes)| {
            fill(
                include_str!("html/post.html"),
                &[
                    ("id", &post.id.to_string()),
                    ("title", &escape(post.title)),
                    ("text", &with_code(post.text)),
                    ("likes", &likes_text(likes)),
                ],
            )
        })
        .collect();
    let content = fill(
        include_str!("html/home.html"),
        &[
            ("menu", &menu),
            ("kept", durability(request)),
            ("printed", printed(request)),
            ("host", &escape(host(request))),
        ],
    );
    page("/", "Menu", &content).field("Cache-Control", "no-store")
}

/// `GET /about`: what the site is and how it is built.
pub fn about(request: &Request<Site>) -> Response {
    let content = fill(include_str!("html/about.html"), &[("kept", durability(request))]);
    page("/about", "About", &content)
}

/// `GET /contact`: the challenge of the lesson. Name and email come from the environment. If a
/// variable is unset, the page says how to set it.
pub fn contact(request: &Request<Site>) -> Response {
    let contact = &request.state().contact;
    let unset = |variable: &str| {
        format!("<span class=\"unset\">not told yet: set <code>{variable}</code></span>")
    };
    let name = contact.name.as_deref().map_or_else(|| unset("CONTACT_NAME"), escape);
    let email = contact.email.as_deref().map_or_else(
        || unset("CONTACT_EMAIL"),
        |email| fill("<a href=\"mailto:{{email}}\">{{email}}</a>", &[("email", &escape(email))]),
    );
    let how = match contact {
        super::Contact { name: Some(_), email: Some(_) } => "",
        _ => include_str!("html/contact-how.html"),
    };
    let content = fill(
        include_str!("html/contact.html"),
        &[("name", &name), ("email", &email), ("how", how)],
    );
    page("/contact", "Contact", &content)
}

/// `GET /like.js`: the script of the Like buttons.
pub fn js(_: &Request<Site>) -> Response {
    asset("text/javascript; charset=utf-8", include_str!("html/like.js"))
}

/// `GET /favicon.ico`: browsers request this path even where no page names it. The content is SVG, because the
/// media type counts, and not the name.
pub fn icon(_: &Request<Site>) -> Response {
    asset("image/svg+xml", include_str!("html/icon.svg"))
}

/// A file that changes only with a new build. Browsers may cache it for 10 minutes, so that a new
/// build is seen soon.
pub fn asset(kind: &str, text: &'static str) -> Response {
    Response::bytes(kind, text.as_bytes())
        .field("Cache-Control", "max-age=600")
        .field("X-Content-Type-Options", "nosniff")
}

/// A whole page. `path` is marked as the current page in the menu bar; `content` is HTML.
pub fn page(path: &str, title: &str, content: &str) -> Response {
    let current = |link: &str| {
        if link == path { " aria-current=\"page\"" } else { "" }
    };
    let whole = fill(
        include_str!("html/frame.html"),
        &[
            ("title", &escape(title)),
            ("style", &STYLE),
            ("at-menu", current("/")),
            ("at-about", current("/about")),
            ("at-contact", current("/contact")),
            ("at-staff", current("/staff")),
            ("content", content),
        ],
    );
    html(whole)
}

/// The page of `watch`: the kitchen without the dining room.
pub fn watch() -> Response {
    html(fill(include_str!("html/watch.html"), &[("style", &STYLE)]))
}

/// A response with this page.
fn html(page: String) -> Response {
    Response::html(page)
        .field("Content-Security-Policy", POLICY)
        .field("X-Content-Type-Options", "nosniff")
        .field("Referrer-Policy", "same-origin")
}

/// Answers where no row of the table does: that there is nothing at this path (404), or that there is
/// something, but not for this method (405).
pub fn no_route(request: &Request<Site>, status: Status) -> Response {
    match status {
        Status::METHOD_NOT_ALLOWED => {
            let method = request.method();
            let why = format!("There is something at this address, but {method} is not for it.");
            let way = "The field Allow of this response names the methods that are.";
            notice(request, status, "Not that way", &[&why, way])
        }
        _ => {
            let why = "There is nothing at this address.";
            let way = "Check its spelling: capital letters count, and so does a slash at the end.";
            notice(request, status, "Not on the menu", &[why, way])
        }
    }
}

/// A few sentences: as a page if the client prefers HTML (a browser), otherwise as plain text
/// (curl).
pub fn notice(
    request: &Request<Site>,
    status: Status,
    title: &str,
    sentences: &[&str],
) -> Response {
    if accept_field::prefers(request, "text/html", "text/plain") {
        return notice_page(&request.path(), title, sentences, status);
    }
    Response::text(format!("{title}.\n\n{}\n", sentences.join("\n\n")))
        .status(status)
        .field("X-Content-Type-Options", "nosniff")
        .field("Cache-Control", "no-store")
}

/// A few sentences as a page, with a way back.
pub fn notice_page(path: &str, title: &str, sentences: &[&str], status: Status) -> Response {
    let paragraphs: String =
        sentences.iter().map(|sentence| format!("<p>{}</p>\n", escape(sentence))).collect();
    let heading = escape(title);
    let back = "<p><a href=\"/\">Back to the menu</a></p>";
    page(path, title, &format!("<h1>{heading}</h1>\n{paragraphs}{back}"))
        .status(status)
        .field("Cache-Control", "no-store")
}

/// Replaces names in double braces with their values, and unknown names with nothing. Braces inside
/// a value stay text, because there is only one pass.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, name, after)) = next_name(rest) {
        filled.push_str(before);
        filled.push_str(values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
        rest = after;
    }
    filled + rest
}

/// The text before the next name in double braces, the name, and the text after it.
fn next_name(template: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = template.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

/// The host and port that the client used, for the examples on the page. If they have other
/// characters, the default address. RFC 9110 section 7.2.
fn host<'a>(request: &'a Request<Site>) -> &'a str {
    let is_address = |host: &&str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte))
    };
    request.host().filter(is_address).unwrap_or("127.0.0.1:5000")
}

/// Escapes `text` for HTML. What stands between backticks is code.
fn with_code(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for (number, part) in text.split('`').enumerate() {
        let (open, close) = if number % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
        html += &format!("{open}{}{close}", escape(part));
    }
    html
}

/// Says whether the terminal shows what crosses. Quiet rows of the route table are not shown.
fn printed(request: &Request<Site>) -> &'static str {
    if request.state().is_traced {
        "What you click here is printed in the terminal where the server runs; its first lines say \
         what is left out. Try:"
    } else {
        "The blind is down: this server was started with <code>--no-trace</code>, so it prints no \
         request. In a terminal of your own, <code>curl -v</code> shows one:"
    }
}

/// Says whether likes are stored on disk.
fn durability(request: &Request<Site>) -> &'static str {
    match request.state().likes.path() {
        Some(_) => "A like is on the disk before you see the number move.",
        None => {
            "Today the kitchen has no disk: likes are kept in memory, and forgotten when it closes."
        }
    }
}

/// "1 like", "2 likes": like.js writes the same text.
fn likes_text(likes: u64) -> String {
    format!("{likes} {}", if likes == 1 { "like" } else { "likes" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_inside_a_value_are_not_replaced() {
        assert_eq!(fill("<{{a}}|{{b}}|{{a}}>", &[("a", "{{b}}"), ("b", "2")]), "<{{b}}|2|{{b}}>");
        assert_eq!(fill("{{unknown}}, {{ open", &[]), ", {{ open");
    }

    #[test]
    fn one_like_is_singular_and_other_counts_are_plural() {
        assert_eq!([0, 1, 2].map(likes_text), ["0 likes", "1 like", "2 likes"]);
    }
}
