//! # What the exchanges of a connection mean together
//!
//! Some explanations need both directions: why a page does not see a response, which copy a 304 is
//! about, and what the end of a connection means.
//!
//! ```text
//! client  GET / … Origin: http://a.test …                         (end)
//! server                 200 OK … (no Access-Control-Allow-Origin)
//!                        └ hidden from the page                    └ nothing is lost
//! ```
//! Of pipelined requests, the response's own is not known here, so what needs it is left out.
//! Next: [`first_use`](super::first_use).

use std::mem;

use super::words::element_name;
use crate::message::dialogue::Side;
use crate::message::fields::FieldLines;
use crate::message::method::Method;
use crate::message::outline::Outline;
use crate::message::persistence::Persistence;
use crate::transcript::glossary::{self, Row};
use crate::transcript::model::EventKind;

/// The state of a connection's exchanges.
#[derive(Debug, Default)]
pub(super) struct ExchangeExplainer {
    /// Whether a byte has crossed.
    pub has_bytes: bool,
    /// Requests whose final response has no head yet.
    unanswered: u64,
    /// What the request asked whose response is next; `None` if several wait.
    asked: Option<Asked>,
    /// Whether the last request says that the connection ends after its response.
    request_closes: bool,
    /// Whether a response came before the head of its request was complete.
    is_ahead: bool,
    /// Whether the last response came before its request was complete.
    is_early: bool,
    /// What said that the connection ends after the last response, if something did.
    closes: Option<Closes>,
    /// Whether the client has ended its direction.
    client_ended: bool,
    /// Whether the server has ended its direction.
    server_ended: bool,
}

/// Which message said that the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closes {
    Request,
    Response,
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

impl ExchangeExplainer {
    /// Takes the head of a request.
    pub fn request(&mut self, head: &Outline) {
        let fields = head.fields();
        let persistence = Persistence::of_fields(head.version, fields);
        self.request_closes = persistence == Persistence::Close;
        if mem::take(&mut self.is_ahead) {
            return; // it is answered
        }
        self.is_early = false;
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

    /// Whether the next response is to a request that says that the connection ends after it.
    pub fn answers_last_request(&self) -> bool {
        self.request_closes && self.unanswered <= 1
    }

    /// Whether all requests are answered.
    pub fn is_answered(&self) -> bool {
        self.unanswered == 0
    }

    /// Takes the head of a final response, and whether it says that the connection ends.
    /// `within_request`: the client is within a request. Returns what its request tells about it:
    /// the text and its clause.
    pub fn response(
        &mut self,
        head: &Outline,
        closes: bool,
        within_request: bool,
    ) -> Vec<(String, &'static str)> {
        self.is_ahead = within_request && self.unanswered == 0;
        let asked_to_close = self.answers_last_request();
        self.unanswered = self.unanswered.saturating_sub(1);
        self.is_early = within_request && self.unanswered == 0;
        self.closes = match closes {
            true => Some(Closes::Response),
            false => asked_to_close.then_some(Closes::Request),
        };
        let Some(asked) = self.asked.take() else { return Vec::new() };
        let mut remarks = Vec::new();
        // A response with 4xx did nothing, and a form shows it as a page.
        let is_refused = matches!(head.status, Some(400..500)) && !asked.is_preflight;
        if let Some(origin) = asked.other_origin.filter(|_| !is_refused) {
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
    pub fn event(&mut self, kind: EventKind, position: &Position) -> Option<Row> {
        let had_ended = self.client_ended;
        let is_second = self.server_ended && kind == EventKind::Closed(Side::Client);
        self.client_ended |= kind == EventKind::HalfClose(Side::Client);
        self.server_ended |=
            matches!(kind, EventKind::HalfClose(Side::Server) | EventKind::Closed(Side::Server));
        let is_open = self.unanswered > 0 || position.within_request || position.within_response;
        Some(match kind {
            _ if is_second => return None, // it follows from the server's end
            EventKind::HalfClose(Side::Client) if !self.has_bytes => glossary::SPARE,
            EventKind::HalfClose(Side::Client) if is_open => glossary::CLIENT_SENDS_NO_MORE,
            EventKind::HalfClose(Side::Client) => glossary::CLIENT_HAS_ALL,
            EventKind::HalfClose(Side::Server) => glossary::SERVER_SENDS_NO_MORE,
            EventKind::Closed(Side::Client) if !self.has_bytes => glossary::SPARE,
            EventKind::Closed(Side::Client) if is_open => glossary::CLIENT_IS_GONE,
            EventKind::Closed(Side::Client) => glossary::CLIENT_CLOSES,
            EventKind::Closed(Side::Server) => return self.server_close(had_ended, position),
            EventKind::Reset(Side::Client) => glossary::RESET_BY_CLIENT,
            EventKind::Reset(Side::Server) => glossary::RESET_BY_SERVER,
            EventKind::Open | EventKind::Wait(_) | EventKind::Silent(_) => return None,
        })
    }
}

impl ExchangeExplainer {
    /// Returns what a close of the server means. `client_ended`: the client had ended its direction.
    fn server_close(&self, client_ended: bool, position: &Position) -> Option<Row> {
        let is_early = self.is_early && position.within_request;
        Some(match self.closes {
            _ if !self.has_bytes && client_ended => glossary::CLOSES_UNUSED,
            _ if !self.has_bytes => glossary::NEVER_ASKED,
            _ if position.within_response => return None,
            Some(Closes::Response) if is_early => glossary::CLOSES_EARLY_AS_SAID,
            _ if is_early => glossary::CLOSES_EARLY,
            _ if position.within_request || self.unanswered > 0 => glossary::NO_RESPONSE,
            Some(Closes::Response) => glossary::CLOSES_AS_SAID,
            Some(Closes::Request) => glossary::CLOSES_AS_ASKED,
            None if client_ended => glossary::CLOSES_AFTER_CLIENT,
            None => glossary::IDLE_CLOSE,
        })
    }
}

/// Returns the origin of the page whose script sent the request, if the response is for another
/// origin. A page that is opened, and a WebSocket, are not hidden from anyone.
fn other_origin(fields: FieldLines<'_>) -> Option<&[u8]> {
    let first = |name| fields.values(name).next();
    let origin = first("origin")?;
    if first("upgrade").is_some() || first("sec-fetch-mode") == Some(b"navigate") {
        return None;
    }
    let is_same = match first("sec-fetch-site") {
        Some(site) => site == b"same-origin",
        // `null` stands for an origin that the browser does not tell.
        None if origin == b"null" => false,
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
    use crate::message::dialogue::Side;
    use crate::transcript::Transcript;
    use crate::transcript::model::EventKind;

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
            ("Origin: null\r\n", ok, true),
            ("Origin: http://a.test\r\n", "403 Forbidden\r\nContent-Length: 0", false),
            ("Origin: http://a.test\r\n", "500 Odd\r\nContent-Length: 0", true),
        ] {
            let text = about(request, response);
            assert_eq!(
                text.contains("the browser hides it from the script"),
                is_hidden,
                "{request}{text}"
            );
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
        let get_close = ">>>\nGET / HTTP/1.1\nHost: h\nConnection: close\n\n";
        let end = "--- client half-close\n";
        for (before, event, expected) in [
            (String::new(), "client half-close", "a spare connection"),
            (String::new(), "client closed", "a spare connection"),
            (String::new(), "server closed", "no request came on this connection"),
            (get.into(), "client half-close", "it may be waiting for the response, or be gone"),
            (format!("{get}{ok}"), "client half-close", "it has all its responses"),
            (format!("{get}{close}"), "server half-close", "it may still read what the client"),
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
            (format!("{get}{ok}"), "server closed", "between two requests"),
            (format!("{get_close}{ok}"), "server closed", "as the request had said"),
            (format!("{get}{end}{ok}"), "server closed", "that it sends no more, and everything"),
            (format!("{get}{ok}{end}"), "server closed", "that it sends no more, and everything"),
            (format!("{get}{end}{close}"), "server closed", "as the response said"),
            (end.into(), "server closed", "that it sends no more, and it asked for nothing"),
            (format!("{get}{end}"), "server closed", "without a response"),
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
    fn a_close_of_the_client_after_the_servers_says_nothing_new() {
        let mut exchanges = super::ExchangeExplainer { has_bytes: true, ..Default::default() };
        let position = super::Position { within_request: false, within_response: false };
        let mut event = |kind| exchanges.event(kind, &position).map(|row| row.2);
        assert!(event(EventKind::Closed(Side::Server)).is_some());
        assert_eq!(event(EventKind::Closed(Side::Client)), None);
    }

    #[test]
    fn after_an_end_of_the_connection_the_other_sides_end_says_nothing() {
        let get = ">>>\nGET / HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 204 N\n\n";
        for (first, second) in [
            ("client closed", "server closed"),
            ("server reset", "client closed"),
            ("server closed", "client closed"),
        ] {
            let text = format!("{get}--- {first}\n--- {second}\n");
            let annotated = annotate(&Transcript::parse(&text).expect(&text), 200).to_string();
            assert!(annotated.ends_with(&format!("\n--- {second}\n")), "{annotated}");
            // Another connection may have the same number.
            let text = format!("{text}--- open\n--- server closed\n{get}");
            let annotated = annotate(&Transcript::parse(&text).expect(&text), 200).to_string();
            assert!(annotated.contains("# no request came on this connection"), "{annotated}");
            assert_eq!(annotated.matches("\n# 204: ").count(), 2, "{annotated}");
        }
    }

    #[test]
    fn a_response_that_comes_before_the_end_of_its_request_is_a_response() {
        let post = ">>>\nPOST / HTTP/1.1\nHost: h\nContent-Length: 9\n";
        let expects = format!("{post}Expect: 100-continue\n\n");
        let post = format!("{post}\n");
        let ok = "<<<\nHTTP/1.1 413 N\nContent-Length: 0\n\n";
        let close = "<<<\nHTTP/1.1 413 N\nConnection: close\nContent-Length: 0\n\n";
        let interim = "<<<\nHTTP/1.1 100 Continue\n\n";
        let rest = ">>>\nhello you\\\n";
        let as_said = "the server closes, as the response said; it did not wait for the rest";
        let not_needed = "the content stops after 0 bytes: the server answered before";
        for (before, expected) in [
            (format!("{post}{close}"), [as_said, not_needed]),
            (format!("{post}{ok}"), ["the server closes after its response; it did", not_needed]),
            (format!("{expects}{close}"), [as_said, "the content stops after 0 bytes: with Exp"]),
            (format!("{post}{interim}"), ["without a response", "9 more were promised"]),
            (format!("{post}{close}{rest}"), ["as the response said; its content was", ""]),
            (">>>\nPOST / HT\\\n".to_owned() + close, [as_said, "stops within its head"]),
        ] {
            let text = format!("{before}--- server closed\n");
            let annotated = annotate(&Transcript::parse(&text).expect(&text), 200).to_string();
            let (_, after) = annotated.split_once("--- server closed\n").expect("the event");
            assert!(expected.iter().all(|part| after.contains(part)), "{annotated}");
        }
    }

    #[test]
    fn bytes_after_an_answered_request_are_a_request_and_not_its_content() {
        let ok = "<<<\nHTTP/1.1 200 OK\nContent-Length: 0\n\n";
        let get = ">>>\nGET / HTTP/1.1\nHost: h\n\n";
        let (of_request, stray) = ("a request line is a method", "so it is not its content");
        for (text, expected, other) in [
            (format!("{get}{ok}>>>\nhello\n\n"), of_request, stray),
            (format!("{get}{ok}>>>\nhello\n\n<<<\n"), of_request, stray),
            (format!("{get}hello\n\n{ok}"), stray, of_request),
            (format!("{get}>>>\nhello\n\n{ok}"), stray, of_request),
            (format!("{get}{ok}>>>\nGET / HTTP/1.1\nHost: h\n\nhello\n"), stray, of_request),
            (format!("{get}{ok}hello\n"), stray, "a status line is"),
        ] {
            let annotated = annotate(&Transcript::parse(&text).expect(&text), 200).to_string();
            assert!(annotated.contains(expected) && !annotated.contains(other), "{annotated}");
        }
    }

    #[test]
    fn a_close_is_what_both_messages_say() {
        for (request, response, expected) in [
            ("", "", ["the client would keep the connection open", "the connection stays open"]),
            ("Connection: close\r\n", "", ["Connection says close", "because of the request"]),
            ("", "Connection: close\r\n", ["the client would keep", "Connection says close"]),
        ] {
            let text = about(request, &format!("200 OK\r\n{response}Content-Length: 0"));
            let (of_request, of_response) = text.split_once("the reason phrase").expect("both");
            assert!(of_request.contains(expected[0]), "{text}");
            assert!(of_response.contains(expected[1]), "{text}");
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
