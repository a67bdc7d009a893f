//! # Requests that wait for their response, and the line about each exchange
//!
//! ```text
//! 5 POST /api/likes 201 · 0.8 ms
//! ```
//! The time is from the last byte of the request to the last byte of the response. A server without
//! a route table, which `watch` watches, reports no exchange, so a screen finds them in the bytes.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Instant;

use super::clients::ClientFields;
use super::entry::LogLine;
use crate::message::method::Method;
use crate::message::outline::Outline;
use crate::message::target::masked;
use crate::transcript::Prose;
use crate::transcript::notes::Took;

/// Requests of one connection that are remembered until they are answered. A client may send more
/// at once; those have no method and target in their line.
const MAX_PENDING: usize = 256;

/// Characters of a method and of a target in a line.
const MAX_METHOD: usize = 20;
const MAX_TARGET: usize = 200;

/// The first status code of an error.
pub(super) const FIRST_ERROR: u16 = 400;

/// The requests of a connection that have no complete response, the oldest first.
#[derive(Default)]
pub(super) struct PendingRequests {
    requests: VecDeque<PendingRequest>,
    /// Requests after those that are remembered.
    more: u64,
}

/// A request without a complete response.
pub(super) struct PendingRequest {
    /// `GET /about`
    name: String,
    fields: Option<ClientFields>,
    /// The time of its last byte so far.
    last: Instant,
}

impl PendingRequests {
    /// Whether each request is answered.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.more == 0
    }

    /// Adds a request.
    pub fn add(&mut self, at: Instant, head: &Outline, fields: Option<ClientFields>) {
        if self.more > 0 || self.requests.len() == MAX_PENDING {
            self.more += 1;
            return;
        }
        let target = String::from_utf8_lossy(head.target());
        let method = String::from_utf8_lossy(head.method_name());
        let name = format!("{} {}", cut(&method, MAX_METHOD), cut(&masked(&target), MAX_TARGET));
        // Bytes of a client never reach a terminal unescaped.
        let name = Prose::new(&name).as_str().to_owned();
        // Many may wait on one connection, and what is kept of each must be small.
        let fields = fields.filter(|_| self.requests.is_empty());
        self.requests.push_back(PendingRequest { name, fields, last: at });
    }

    /// Takes the time of the next bytes of the newest request.
    pub fn received(&mut self, at: Instant) {
        self.requests.back_mut().into_iter().for_each(|request| request.last = at);
    }

    /// Takes the oldest request, which has a response with this status now. Returns the line about
    /// it.
    pub fn answered(&mut self, at: Instant, status: Option<u16>, connection: u32) -> LogLine {
        let status_text = status.map_or_else(|| "-".into(), |status| status.to_string());
        let Some(PendingRequest { name, fields, last }) = self.requests.pop_front() else {
            let name = if self.more > 0 { "request" } else { "no valid request" };
            self.more = self.more.saturating_sub(1);
            let text = format!("{name} {status_text}");
            return LogLine { connection, text, status, fields: None };
        };
        let took = Took(at.saturating_duration_since(last));
        let text = format!("{name} {status_text} · {took}");
        LogLine { connection, text, status, fields }
    }
}

/// The first characters of a text, with dots if it has more.
fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => text.into(),
        Some((end, _)) => format!("{}...", &text[..end]).into(),
    }
}

impl LogLine {
    /// Shortens the line, for an exchange that is folded: without its time.
    pub fn fold(&mut self) {
        if let Some((text, _)) = self.text.split_once(" · ") {
            self.text = text.to_owned();
        }
        if self.text.contains(" /favicon.ico ") {
            self.text += " (the icon of the browser's tab)";
        }
    }
}

/// Whether a browser asks for a part of a page: a style sheet, a script, an image or a font. What a
/// person asks for is none: the address bar sends `Sec-Fetch-Dest: document`, and curl sends no
/// Referer.
pub(super) fn asks_for_part_of_page(head: &Outline) -> bool {
    let value = |name: &str| head.fields().values(name).next();
    if head.method != Some(Method::Get) {
        return false;
    }
    if let Some(destination) = value("sec-fetch-dest") {
        return [&b"style"[..], b"script", b"image", b"font"].contains(&destination);
    }
    // Over plain HTTP from another machine, browsers do not send it.
    let path = head.target().split(|&byte| byte == b'?').next().unwrap_or_default();
    let accept = value("accept").unwrap_or_default();
    value("referer").is_some()
        && (accept.starts_with(b"text/css")
            || accept.starts_with(b"image/")
            || path.ends_with(b".js")
            || path.ends_with(b".css"))
}

/// Whether a person opens a page with this request, or sends it by hand: it is not sent by a page.
pub(super) fn is_from_a_person(head: &Outline) -> bool {
    let value = |name: &str| head.fields().values(name).next();
    match value("sec-fetch-mode") {
        Some(mode) => mode == b"navigate",
        None => value("referer").is_none() && value("origin").is_none(),
    }
}

/// Whether this is the head of a response with a style sheet, a script, an image or a font, or says
/// that the browser has it.
pub(super) fn is_part_of_page(head: &Outline) -> bool {
    let kind = head.fields().values("content-type").next().unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let is_part =
        [&b"text/css"[..], b"text/javascript", b"application/javascript", b"image/", b"font/"]
            .iter()
            .any(|part| kind.starts_with(part));
    match head.status {
        Some(200 | 206) => is_part,
        Some(304) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str, is_request: bool) -> Outline {
        Outline::parse(text.as_bytes(), is_request).flatten().expect(text)
    }

    #[test]
    fn a_page_asks_for_its_parts_and_a_person_for_the_rest() {
        for (fields, is_part, is_person) in [
            ("", false, true),
            ("Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n", false, true),
            ("Sec-Fetch-Dest: style\r\nSec-Fetch-Mode: no-cors\r\n", true, false),
            ("Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\n", false, false),
            ("Referer: http://h/\r\nAccept: image/avif,*/*\r\n", true, false),
            ("Referer: http://h/\r\nAccept: text/html\r\n", false, false),
            ("Accept: image/png\r\n", false, true),
        ] {
            let head = head(&format!("GET /a HTTP/1.1\r\n{fields}\r\n"), true);
            assert_eq!(
                (asks_for_part_of_page(&head), is_from_a_person(&head)),
                (is_part, is_person)
            );
        }
        let post = head("POST /a HTTP/1.1\r\nSec-Fetch-Dest: image\r\n\r\n", true);
        assert!(!asks_for_part_of_page(&post));
    }

    #[test]
    fn only_a_style_sheet_a_script_an_image_or_a_font_is_part_of_a_page() {
        for (response, expected) in [
            ("200 OK\r\nContent-Type: text/css; charset=utf-8", true),
            ("200 OK\r\nContent-Type: Image/PNG", true),
            ("304 Not Modified\r\nETag: \"1\"", true),
            ("200 OK\r\nContent-Type: text/html", false),
            ("404 Not Found\r\nContent-Type: image/png", false),
            ("302 Found\r\nLocation: /", false),
        ] {
            let head = head(&format!("HTTP/1.1 {response}\r\n\r\n"), false);
            assert_eq!(is_part_of_page(&head), expected, "{response}");
        }
    }

    #[test]
    fn the_line_has_the_masked_target_and_the_time_since_the_request() {
        let (mut pending, at) = (PendingRequests::default(), Instant::now());
        let secret = format!("GET /?key=abc123{} HTTP/1.1\r\n\r\n", "y".repeat(300));
        pending.add(at, &head(&secret, true), None);
        let long = format!("/{}", "y".repeat(MAX_TARGET));
        pending.add(at, &head(&format!("GET {long} HTTP/1.1\r\n\r\n"), true), None);
        for _ in 1..MAX_PENDING {
            pending.add(at, &head("GET / HTTP/1.1\r\n\r\n", true), None);
        }
        let later = at + std::time::Duration::from_micros(1500);
        assert_eq!(pending.answered(later, Some(200), 1).text, "GET /?key=*** 200 · 1.5 ms");
        let cut = format!("GET {}... 200 · 0.00 ms", &long[..MAX_TARGET]);
        assert_eq!(pending.answered(at, Some(200), 1).text, cut);
        for _ in 2..MAX_PENDING {
            assert_eq!(pending.answered(at, Some(204), 1).text, "GET / 204 · 0.00 ms");
        }
        assert!(!pending.is_empty());
        assert_eq!(pending.answered(at, Some(400), 1).text, "request 400");
        assert!(pending.is_empty());
        assert_eq!(pending.answered(at, None, 1).text, "no valid request -");
    }
}
