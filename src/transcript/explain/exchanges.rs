//! # What the exchanges of a connection mean together
//!
//! Some explanations need both directions: why a page does not see a response, which copy a 304 is about,
//! and what the end of a connection means.
//!
//! ```text
//! client  GET / … Origin: http://a.test …                         (end)
//! server                 200 OK … (no Access-Control-Allow-Origin)
//!                        └ hidden from the page                    └ nothing is open, so nothing is lost
//! ```
//! Of pipelined requests, the response's own is not known here, so what needs it is left out.
//! Next: [`first_use`](super::first_use).

use super::words::element_name;
use crate::message::dialogue::Side;
use crate::message::ending::Ending;
use crate::message::fields::FieldLines;
use crate::message::method::Method;
use crate::message::outline::Outline;
use crate::transcript::glossary::{self, Row};
use crate::transcript::model::EventKind;

/// The state of a connection's exchanges.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    /// Whether a byte has crossed.
    pub has_bytes: bool,
    /// Requests whose final response has no head yet.
    unanswered: u64,
    /// What the request asked whose response is next; `None` if several wait.
    asked: Option<Asked>,
    /// Whether the last response said that the connection ends.
    closes: bool,
}

/// What a response is explained with.
#[derive(Debug)]
struct Asked {
    /// The origin of the page that sent the request, if it is not that of the server.
    other_origin: Option<Box<[u8]>>,
    is_preflight: bool,
    has_tag: bool,
}

/// How far the messages of both sides are, at the end of a direction.
pub(super) struct Position {
    /// Whether the client is within a request.
    pub within_request: bool,
    /// Whether the server is within a response.
    pub within_response: bool,
}

impl Exchanges {
    /// Takes the head of a request.
    pub fn request(&mut self, head: &Outline) {
        let fields = head.fields();
        self.unanswered = self.unanswered.saturating_add(1);
        self.asked = (self.unanswered == 1).then(|| Asked {
            other_origin: other_origin(fields).map(Box::from),
            is_preflight: head.method == Some(Method::Options)
                && fields.values("access-control-request-method").next().is_some(),
            has_tag: fields.values("if-none-match").next().is_some(),
        });
    }

    /// Takes a request that cannot be read. The server answers it, too.
    pub fn broken_request(&mut self) {
        self.unanswered = self.unanswered.max(1);
        self.asked = None;
    }

    /// Takes the head of a response, and whether it says that the connection ends. Returns what its
    /// request tells about it: the text and its clause.
    pub fn response(
        &mut self,
        head: &Outline,
        ending: Ending,
        closes: bool,
    ) -> Vec<(String, &'static str)> {
        if ending == Ending::Interim {
            return Vec::new();
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        self.closes = closes;
        let Some(asked) = self.asked.take() else { return Vec::new() };
        let mut remarks = Vec::new();
        if let Some(origin) = asked.other_origin {
            let is_named = |value: &[u8]| value == b"*" || value == &origin[..];
            if !head.fields().values("access-control-allow-origin").any(is_named) {
                let text = glossary::hidden(&element_name(&origin), asked.is_preflight);
                remarks.push((text, "Fetch standard"));
            }
        }
        if asked.has_tag && head.status == Some(304) {
            let (_, clause, text) = glossary::SAME_TAG;
            remarks.push((text.to_owned(), clause));
        }
        remarks
    }

    /// Returns what an event means at this position; `None` if there is nothing to say.
    pub fn event(&self, kind: EventKind, position: &Position) -> Option<Row> {
        let is_open = self.unanswered > 0 || position.within_request || position.within_response;
        Some(match kind {
            EventKind::HalfClose(Side::Client) if !self.has_bytes => glossary::SPARE,
            EventKind::HalfClose(Side::Client) if is_open => glossary::CLIENT_SENDS_NO_MORE,
            EventKind::HalfClose(Side::Client) => glossary::CLIENT_HAS_ALL,
            EventKind::HalfClose(Side::Server) => glossary::SERVER_SENDS_NO_MORE,
            EventKind::Closed(Side::Client) if !self.has_bytes => glossary::SPARE,
            EventKind::Closed(Side::Client) if is_open => glossary::CLIENT_IS_GONE,
            EventKind::Closed(Side::Client) => glossary::CLIENT_CLOSES,
            EventKind::Closed(Side::Server) if !self.has_bytes => glossary::NEVER_ASKED,
            EventKind::Closed(Side::Server) if position.within_response => return None,
            EventKind::Closed(Side::Server) if position.within_request || self.unanswered > 0 => {
                glossary::NO_RESPONSE
            }
            EventKind::Closed(Side::Server) if self.closes => glossary::CLOSES_AS_SAID,
            EventKind::Closed(Side::Server) => glossary::IDLE_CLOSE,
            EventKind::Reset(Side::Client) => glossary::RESET_BY_CLIENT,
            EventKind::Reset(Side::Server) => glossary::RESET_BY_SERVER,
            EventKind::Open | EventKind::Wait(_) | EventKind::Silent(_) => return None,
        })
    }
}

/// Returns the origin of the page whose script sent the request, if the response is for another origin.
/// A page that is opened, and a WebSocket, are not hidden from anyone.
fn other_origin(fields: FieldLines<'_>) -> Option<&[u8]> {
    let first = |name| fields.values(name).next();
    let origin = first("origin")?;
    if first("upgrade").is_some() || first("sec-fetch-mode") == Some(b"navigate") {
        return None;
    }
    let is_same = match first("sec-fetch-site") {
        Some(site) => site == b"same-origin",
        None => {
            let scheme_end = origin.windows(3).position(|three| three == b"://")?;
            first("host")?.eq_ignore_ascii_case(&origin[scheme_end + 3..])
        }
    };
    (!is_same).then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::super::{annotate, explain};
    use crate::transcript::Transcript;

    /// Explains a request with these fields, and a response with these.
    fn about(request: &str, response: &str) -> String {
        let capture =
            format!("GET / HTTP/1.1\r\nHost: h:1\r\n{request}\r\nHTTP/1.1 {response}\r\n\r\n");
        let remarks = explain(capture.as_bytes(), None, None);
        assert!(remarks.iter().all(|remark| !remark.is_fault), "{remarks:#?}");
        remarks.iter().map(|remark| remark.text.clone() + "\n").collect()
    }

    #[test]
    fn a_page_does_not_see_the_response_of_another_origin_unless_it_is_named() {
        let ok = "200 OK\r\nContent-Length: 0";
        let star = &format!("{ok}\r\nAccess-Control-Allow-Origin: *");
        let named = &format!("{ok}\r\nAccess-Control-Allow-Origin: http://a.test");
        let other = &format!("{ok}\r\nAccess-Control-Allow-Origin: http://b.test");
        for (request, response, is_hidden) in [
            ("Origin: http://a.test\r\n", ok, true),
            ("Origin: http://a.test\r\n", star, false),
            ("Origin: http://a.test\r\n", named, false),
            ("Origin: http://a.test\r\n", other, true),
            ("Origin: http://h:1\r\n", ok, false),
            ("", ok, false),
            ("Origin: http://h\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\n", ok, true),
            ("Origin: http://x\r\nSec-Fetch-Site: same-origin\r\n", ok, false),
            ("Origin: http://a.test\r\nSec-Fetch-Mode: navigate\r\n", ok, false),
            ("Origin: http://a.test\r\nUpgrade: websocket\r\n", ok, false),
            ("Origin: null\r\nSec-Fetch-Site: cross-site\r\n", ok, true),
        ] {
            let text = about(request, response);
            assert_eq!(text.contains("the browser hides it"), is_hidden, "{request}{text}");
        }
    }

    #[test]
    fn a_304_is_about_the_copy_that_the_request_named() {
        let text = about("If-None-Match: \"a\"\r\n", "304 Not Modified");
        assert!(text.contains("the request named the ETag of the copy"), "{text}");
        let text = about("", "304 Not Modified");
        assert!(!text.contains("the request named"), "{text}");
    }

    #[test]
    fn each_end_is_told_as_what_is_known_of_it() {
        let get = ">>>\nGET / HTTP/1.1\nHost: h\n\n";
        let ok = "<<<\nHTTP/1.1 200 OK\nContent-Length: 0\n\n";
        let close = "<<<\nHTTP/1.1 200 OK\nConnection: close\nContent-Length: 0\n\n";
        let until_close = "<<<\nHTTP/1.0 200 OK\n\nhi\n";
        let cut = "<<<\nHTTP/1.1 200 OK\nContent-Length: 9\n\nhi\\\n";
        for (before, event, expected) in [
            (String::new(), "client half-close", "a spare connection"),
            (String::new(), "client closed", "a spare connection"),
            (String::new(), "server closed", "no request came on this connection"),
            (get.into(), "client half-close", "it may be waiting for the response, or be gone"),
            (format!("{get}{ok}"), "client half-close", "it has all its responses"),
            (format!("{get}{close}"), "server half-close", "it still reads what the client"),
            (get.into(), "client closed", "the client is gone before"),
            (format!("{get}{ok}"), "client closed", "nothing is lost"),
            (
                format!("{get}{until_close}"),
                "server closed",
                "the content ends with the connection, after 4 bytes; a server",
            ),
            (format!("{get}{cut}"), "server closed", "the content stops after 2 bytes"),
            (get.into(), "server closed", "without a response"),
            (format!("{get}{close}"), "server closed", "as the response said"),
            (format!("{get}{ok}"), "server closed", "an idle connection"),
            (format!("{get}{ok}"), "server reset", "the client gets an error"),
            (format!("{get}{ok}"), "client reset", "the server gets an error"),
        ] {
            let text = format!("{before}--- {event}\n");
            let transcript = Transcript::parse(&text).expect(&text);
            let annotated = annotate(&transcript, 200).to_string();
            let (_, after) = annotated.split_once(&format!("--- {event}\n")).expect("the event");
            assert!(after.contains(expected), "{annotated}");
            let told = after.lines().filter(|line| line.starts_with("# "));
            assert_eq!(told.count() - after.matches("# (").count(), 1, "{annotated}");
        }
    }

    #[test]
    fn after_an_upgrade_an_end_is_not_one_of_http() {
        let text = ">>>\nGET / HTTP/1.1\nHost: h\nUpgrade: websocket\n\n\
            <<<\nHTTP/1.1 101 Switching Protocols\n\n--- server closed\n";
        let annotated = annotate(&Transcript::parse(text).expect(text), 200).to_string();
        assert!(annotated.ends_with("--- server closed\n"), "{annotated}");
    }
}
