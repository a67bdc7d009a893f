//! # The dining room
//!
//! What a guest sees: HTML from files, with a few names in double braces that a handler fills in.
//! That is all the templating there is. What comes from outside (the environment, a request) passes
//! [`escape`] on its way in.

use openkitchen::{Request, Response, Status};

use super::{Site, accept_field, posts};

/// A page may load from this site and nowhere else, and runs no script that stands inside it:
/// should a guest's words ever reach a page unescaped, they stay words.
/// <https://www.w3.org/TR/CSP3/>
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors \
                      'none'";

/// `GET /`
pub fn home(request: &Request<Site>) -> Response {
    let menu: String = posts::feed(&request.state().likes.counts())
        .into_iter()
        .map(|(post, likes)| {
            fill(
                include_str!("html/post.html"),
                &[
                    ("id", &post.id.to_string()),
                    ("title", &escape(post.title)),
                    ("text", &escape(post.text)),
                    ("likes", &counted(likes)),
                ],
            )
        })
        .collect();
    let content = fill(
        include_str!("html/home.html"),
        &[("menu", &menu), ("kept", kept(request)), ("host", &escape(host(request)))],
    );
    page("/", "Menu", &content).field("Cache-Control", "no-store")
}

/// `GET /about`
pub fn about(request: &Request<Site>) -> Response {
    let content = fill(include_str!("html/about.html"), &[("kept", kept(request))]);
    page("/about", "About", &content)
}

/// `GET /contact`: the lesson's challenge. Name and email come from the environment; an unset one
/// is told with the way out.
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

/// `GET /site.css`
pub fn css(_: &Request<Site>) -> Response {
    asset("text/css; charset=utf-8", include_str!("html/site.css"))
}

/// `GET /like.js`
pub fn js(_: &Request<Site>) -> Response {
    asset("text/javascript; charset=utf-8", include_str!("html/like.js"))
}

/// `GET /favicon.ico`: browsers ask for it by themselves. The name is theirs, the type is ours, and
/// the type counts.
pub fn icon(_: &Request<Site>) -> Response {
    asset("image/svg+xml", include_str!("html/icon.svg"))
}

/// Something that changes only when the program does. Ten minutes, so that after a new build nobody
/// looks at old paint for long.
fn asset(kind: &str, text: &'static str) -> Response {
    Response::bytes(kind, text.as_bytes())
        .field("Cache-Control", "max-age=600")
        .field("X-Content-Type-Options", "nosniff")
}

/// A whole page. `path` is marked in the menu bar as the present one; `content` is HTML.
pub fn page(path: &str, title: &str, content: &str) -> Response {
    let here = |row: &str| {
        if row == path { " aria-current=\"page\"" } else { "" }
    };
    let whole = fill(
        include_str!("html/frame.html"),
        &[
            ("title", &escape(title)),
            ("at-menu", here("/")),
            ("at-about", here("/about")),
            ("at-contact", here("/contact")),
            ("at-staff", here("/staff")),
            ("content", content),
        ],
    );
    Response::html(whole)
        .field("Content-Security-Policy", POLICY)
        .field("X-Content-Type-Options", "nosniff")
        .field("Referrer-Policy", "same-origin")
}

/// A few sentences: a page where the client would rather have one (a browser), otherwise plain text
/// (curl).
pub fn notice(
    request: &Request<Site>,
    status: Status,
    title: &str,
    sentences: &[&str],
) -> Response {
    let response = if accept_field::prefers(request, "text/html", "text/plain") {
        let paragraphs: String =
            sentences.iter().map(|sentence| format!("<p>{}</p>\n", escape(sentence))).collect();
        page(&request.path(), title, &format!("<h1>{}</h1>\n{paragraphs}", escape(title)))
    } else {
        Response::text(format!("{title}.\n\n{}\n", sentences.join("\n\n")))
    };
    response.status(status).field("Cache-Control", "no-store")
}

/// Puts values where their names stand in double braces. One pass: braces inside a value are only
/// text.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, name, after)) = next_name(rest) {
        filled.push_str(before);
        filled.push_str(
            values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value),
        );
        rest = after;
    }
    filled + rest
}

fn next_name(template: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = template.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

/// Text as HTML that says just this text, between tags and inside a quoted attribute.
/// <https://html.spec.whatwg.org/#escapingString>
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

/// The address under which this guest found us, for the examples on the page; the usual one where
/// the field holds anything but an address. RFC 9110 section 7.2.
fn host<'a>(request: &'a Request<Site>) -> &'a str {
    let address = |host: &&str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte))
    };
    request.field("host").filter(address).unwrap_or("127.0.0.1:5000")
}

/// What the guest may believe of a like.
fn kept(request: &Request<Site>) -> &'static str {
    match request.state().likes.path() {
        Some(_) => "A like is on the disk before you see the number move.",
        None => {
            "Today the kitchen has no disk: likes are kept in memory, and forgotten when it closes."
        }
    }
}

/// "1 like", "2 likes": like.js writes it the same way.
fn counted(likes: u64) -> String {
    format!("{likes} {}", if likes == 1 { "like" } else { "likes" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_read_as_a_template() {
        assert_eq!(fill("<{{a}}|{{b}}|{{a}}>", &[("a", "{{b}}"), ("b", "2")]), "<{{b}}|2|{{b}}>");
        assert_eq!(fill("{{unknown}}, {{ open", &[]), ", {{ open");
    }

    #[test]
    fn markup_from_outside_is_text() {
        assert_eq!(
            escape("<a href=\"x\" id='y'>&amp;"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;"
        );
    }

    #[test]
    fn a_count_is_a_number_and_a_word() {
        assert_eq!([0, 1, 2].map(counted), ["0 likes", "1 like", "2 likes"]);
    }
}
