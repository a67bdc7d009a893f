//! # Collects the responses of a connection, as they arrive
//!
//! A tool that tests a server must know which responses it has sent so far, and whether the bytes are
//! responses at all.
//!
//! ```text
//! sent      GET / HTTP/1.1␍␊ … HEAD / HTTP/1.1␍␊ …       two requests, so two final responses
//! received  HTTP/1.1 100 … HTTP/1.1 405 … no HTTP/1.1 200 … hello
//!                          └ number 1 ─────┘└ number 2 ─────┘└ the fault
//! ```
//! [`ResponseCollector`] follows the connection, and reads each byte once. It also finds what a client
//! may accept and a server must not send: a client may read LF as a line end, but a server must send
//! CR LF (RFC 9112 section 2.2).
//!
//! Rule: RFC 9110 section 15.2, a request waits for its final response, so interim responses (1xx) do
//! not count. A 101 does, since no other response follows it.  Next: [`requests`](super::requests).

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::dialogue::{Dialogue, Followed, Side};
use super::ending::Ending;
use super::outline::Outline;
use super::reader::Part;
use super::requests::{ReceivedRequest, RequestCollector};
use super::visible::Visible;

/// How each response begins. The digits of the minor version are left out.
const RESPONSE_START: &[u8] = b"HTTP/1.";

/// Bytes of a head that are searched for the first wrong one. Most servers send and accept less.
const MAX_SEARCHED_BYTES: usize = 64 * 1024;

const BARE_LF: &str = "each line of a head ends in CR LF, not in LF alone";

/// A response that a server sent, with the content received so far.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceivedResponse {
    /// The status code; 1xx for an interim response.
    pub status: u16,
    /// The offsets of its first byte, and after its last. A line of chunked framing that is not complete
    /// is left out.
    pub span: Range<usize>,
    /// The head, as it was sent.
    pub head: Vec<u8>,
    /// The content, without framing.
    pub content: Vec<u8>,
    /// Whether it was received to its end.
    pub is_whole: bool,
}

impl ReceivedResponse {
    /// Parses the head.
    #[doc(hidden)] // its type is not public
    pub fn outline(&self) -> Option<Outline> {
        Outline::parse(&self.head, false).flatten()
    }

    /// The value of the first field line with that name.
    ///
    /// ```
    /// # use openkitchen::{Client, Request, Response, Routes, Server, get, routes};
    /// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
    /// # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
    /// let mut client = Client::connect(server.address())?;
    /// client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// let response = client.response()?;
    /// assert_eq!(response.field("content-length").as_deref(), Some("8"));
    /// assert_eq!(response.text(), "Welcome!");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn field(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }

    /// The content as text. Bytes that are no UTF-8 become `U+FFFD`.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.content)
    }

    /// The values of the field lines with that name.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.outline().map(|outline| outline.values(name)).unwrap_or_default()
    }
}

impl fmt::Debug for ReceivedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.is_whole { "" } else { ", and not whole" };
        write!(f, "{}{}{whole}", Visible(&self.head), Visible(&self.content))
    }
}

/// A byte that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseFault {
    /// Its offset in the bytes that the server sent.
    pub at: usize,
    /// The rule.
    pub rule: &'static str,
}

/// Follows a connection from its first byte, and collects the responses.
#[derive(Debug, Default)]
pub struct ResponseCollector {
    dialogue: Dialogue,
    requests: RequestCollector,
    /// All bytes that the server sent.
    received: Vec<u8>,
    finals: Vec<ReceivedResponse>,
    interims: Vec<ReceivedResponse>,
    /// The response whose head is complete, and whose end was not received.
    incomplete: Option<ReceivedResponse>,
    /// The end of the last complete response.
    end: usize,
    /// Whether the bytes of the client end within a head.
    is_within_request_head: bool,
    fault: Option<ResponseFault>,
    beyond: Option<&'static str>,
}

impl ResponseCollector {
    /// A connection on which no byte has crossed yet.
    pub fn new() -> ResponseCollector {
        ResponseCollector::default()
    }

    /// Takes bytes that the client sent.
    pub fn sent(&mut self, mut bytes: &[u8]) {
        while let Some(range) = self.dialogue.next(Side::Client, bytes) {
            let (taken, rest) = bytes.split_at(range.length);
            self.requests.take(&range, taken);
            self.beyond = self.beyond.or(range.beyond);
            self.is_within_request_head = range.part == Part::Head && range.head.is_none();
            bytes = rest;
        }
    }

    /// Takes bytes that the server sent.
    pub fn received(&mut self, mut bytes: &[u8]) {
        while let Some(range) = self.dialogue.next(Side::Server, bytes) {
            let (taken, rest) = bytes.split_at(range.length);
            self.take(&range, taken);
            bytes = rest;
        }
    }

    /// Takes the end of the connection. It ends content without framing, and cuts other content.
    pub fn end(&mut self) {
        let Some(mut last) = self.incomplete.take() else { return };
        last.is_whole = self.dialogue.reader(Side::Server).ends_with_connection();
        if last.is_whole {
            self.end = last.span.end;
        }
        self.dialogue.end(Side::Server);
        self.finals.push(last);
    }

    /// The whole requests that the client sent.
    pub fn requests(&self) -> &[ReceivedRequest] {
        self.requests.whole()
    }

    /// All bytes that the server sent.
    pub fn bytes(&self) -> &[u8] {
        &self.received
    }

    /// The final responses that are complete. The last one may be cut if the connection has ended.
    pub fn finals(&self) -> &[ReceivedResponse] {
        &self.finals
    }

    /// The interim responses: 1xx, and not 101.
    pub fn interims(&self) -> &[ReceivedResponse] {
        &self.interims
    }

    /// The last response if its head is complete and its content is not.
    pub fn incomplete(&self) -> Option<&ReceivedResponse> {
        self.incomplete.as_ref().or(self.finals.last().filter(|last| !last.is_whole))
    }

    /// The bytes after the last complete response.
    pub fn rest(&self) -> &[u8] {
        &self.received[self.end..]
    }

    /// The first byte that breaks a rule.
    pub fn fault(&self) -> Option<ResponseFault> {
        self.fault
    }

    /// What one side sent that is more than is followed here, if there was any. It may break no rule.
    pub fn beyond(&self) -> Option<&'static str> {
        self.beyond
    }

    /// Whether more bytes of the server can be understood: none broke a rule, or was beyond a bound.
    pub fn can_go_on(&self) -> bool {
        self.fault.is_none() && self.beyond.is_none()
    }

    /// Whether each request has a complete final response.
    pub fn is_answered(&self) -> bool {
        self.dialogue.progress(Side::Server).finals >= self.dialogue.requests()
    }

    /// How many final responses the server may send: one for each request, and one for an incomplete
    /// head, which may get 400 or 408.
    pub fn allowed_responses(&self) -> u64 {
        self.dialogue.requests() + u64::from(self.is_within_request_head)
    }

    /// What both sides have sent, in messages.
    pub fn dialogue(&self) -> &Dialogue {
        &self.dialogue
    }

    /// Takes a range of bytes that the server sent.
    fn take(&mut self, range: &Followed, bytes: &[u8]) {
        let start = self.received.len();
        if range.resumes {
            self.skip_unframed(start);
        }
        self.received.extend_from_slice(bytes);
        self.beyond = self.beyond.or(range.beyond);
        if self.fault.is_none() {
            self.fault = self.find_fault(range, start);
        }
        if let Some(head) = &range.head {
            self.incomplete = Some(ReceivedResponse {
                status: head.status.unwrap_or(0),
                span: self.end..self.end,
                head: self.rest().to_vec(),
                content: Vec::new(),
                is_whole: false,
            });
        }
        let Some(last) = &mut self.incomplete else { return };
        match range.part {
            Part::Unframed => return,
            Part::Content => last.content.extend_from_slice(bytes),
            Part::Head | Part::Framing => {}
        }
        if range.part != Part::Framing || bytes.ends_with(b"\n") {
            last.span.end = self.received.len();
        }
        // A response that leaves HTTP is complete with its head.
        if range.ends_message || range.ending.is_some_and(Ending::leaves_http) {
            last.is_whole = true;
            self.end = last.span.end;
            let is_interim = range.ending == Some(Ending::Interim);
            let list = if is_interim { &mut self.interims } else { &mut self.finals };
            list.extend(self.incomplete.take());
        }
    }

    /// Counts the bytes from the last complete response up to `start` as one response without an end.
    fn skip_unframed(&mut self, start: usize) {
        let (span, head, content) = (self.end..start, Vec::new(), Vec::new());
        let unknown = ReceivedResponse { status: 0, span, head, content, is_whole: false };
        self.finals.push(self.incomplete.take().unwrap_or(unknown));
        self.end = start;
    }

    /// Searches a range that begins at `start` for the first byte that breaks a rule.
    fn find_fault(&self, range: &Followed, start: usize) -> Option<ResponseFault> {
        match range.part {
            Part::Content | Part::Framing => None,
            Part::Unframed if self.dialogue.has_switched() || self.beyond.is_some() => None,
            Part::Head | Part::Unframed => match &self.incomplete {
                None => self.find_fault_of_head(range, start),
                Some(response) => Some(ResponseFault {
                    at: response.span.end,
                    rule: "a chunk is its size in hex, CR LF, its bytes, CR LF",
                }),
            },
        }
    }

    fn find_fault_of_head(&self, range: &Followed, start: usize) -> Option<ResponseFault> {
        let head = self.rest();
        if head.iter().zip(RESPONSE_START).any(|(one, other)| one != other) {
            let rule = match self.end {
                0 => "a response begins with its status line, such as HTTP/1.1 200 OK",
                _ => "the response has ended, so only the next response can follow",
            };
            return Some(ResponseFault { at: self.end, rule });
        }
        let is_bare_lf = |&at: &usize| head[at] == b'\n' && (at == 0 || head[at - 1] != b'\r');
        let fault = |at: usize, rule: &'static str| Some(ResponseFault { at: self.end + at, rule });
        if let Some(at) = (start - self.end..head.len()).find(is_bare_lf) {
            return fault(at, BARE_LF);
        }
        if let (Some(head), Some(Ending::LengthInvalid | Ending::LengthsDiffer)) =
            (&range.head, range.ending)
        {
            let (name, _) = head.fields().spans("content-length").last()?;
            let rule =
                "Content-Length is one number: with this value the end of the content is unknown";
            return fault(name.start(), rule);
        }
        if range.part == Part::Head || start - self.end >= MAX_SEARCHED_BYTES {
            return None;
        }
        // If these bytes are not the start of a head, one of their prefixes is the shortest that is not.
        // It ends with the byte that breaks the head.
        let head = &head[..head.len().min(MAX_SEARCHED_BYTES)];
        let is_no_head = |length: usize| Outline::parse(&head[..length], false).is_none();
        let lengths: Vec<usize> = (1..=head.len()).collect();
        let shortest = lengths.partition_point(|&length| !is_no_head(length));
        let rule = "this byte is not allowed here in a head";
        (shortest < head.len()).then(|| fault(shortest, rule))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::reader::tests::STREAM;

    const REQUESTS: &[u8] = b"HEAD /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n\
        GET /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\n\r\nGET /5 HTTP/1.1\r\n\r\n";

    fn collector(requests: &[u8], responses: &[u8], read_size: usize) -> ResponseCollector {
        let mut collector = ResponseCollector::new();
        collector.sent(requests);
        responses.chunks(read_size).for_each(|read| collector.received(read));
        collector
    }

    #[test]
    fn each_response_ends_where_its_framing_says() {
        for read_size in [1, 7, STREAM.len()] {
            let mut collector = collector(REQUESTS, STREAM, read_size);
            let cut = collector.incomplete().map(|last| last.content.len());
            assert_eq!((collector.finals().len(), cut), (4, Some(10)));
            assert!(!collector.is_answered());
            collector.end();
            assert!(collector.is_answered() && collector.incomplete().is_none());
            let parts: Vec<(u16, &[u8], Range<usize>)> = collector
                .interims()
                .iter()
                .chain(collector.finals())
                .map(|one| (one.status, &one.content[..], one.span.clone()))
                .collect();
            assert_eq!(
                parts,
                [
                    (100, &b""[..], 0..25),
                    (200, b"", 25..63),
                    (200, b"hello!", 63..131),
                    (304, b"", 131..179),
                    (404, b"nope", 179..228),
                    (200, b"to the end", 228..257),
                ]
            );
            assert!(collector.finals().iter().all(|one| one.is_whole));
            assert_eq!((collector.rest(), collector.fault()), (&b""[..], None));
            assert_eq!(collector.bytes(), STREAM);
        }
    }

    #[test]
    fn a_response_that_is_cut_short_counts_only_after_the_connection_has_ended() {
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour";
        let mut collector = collector(b"GET / HTTP/1.1\r\n\r\n", cut, 10);
        assert_eq!(collector.finals(), []);
        collector.end();
        assert_eq!(collector.finals().len(), 1);
        assert!(!collector.finals()[0].is_whole && !collector.is_answered());
        assert_eq!(collector.incomplete(), collector.finals().last());
    }

    #[test]
    fn a_response_without_one_valid_length_has_no_known_end() {
        for lengths in ["2\r\nContent-Length: 3", "2, 3", "x", ""] {
            let sent = format!("HTTP/1.1 200 OK\r\nContent-Length: {lengths}\r\n\r\nhi!");
            let mut collector = collector(b"", sent.as_bytes(), sent.len());
            collector.end();
            let [response] = collector.finals() else { panic!("{lengths}") };
            assert_eq!((response.is_whole, &response.content[..]), (false, &b""[..]), "{lengths}");
        }
        let collector = collector(b"", b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", 100);
        assert_eq!(collector.finals()[0].content, b"hi");
    }

    #[test]
    fn a_head_that_is_not_complete_may_get_a_response_too() {
        for (requests, allowed) in [
            ("GET / HTTP/1.1\r\n\r\n", 1),
            ("GET / HTTP/1.1\r\n\r\nGET /", 2),
            ("GET /", 1),
            ("", 0),
        ] {
            let collector = collector(requests.as_bytes(), b"", 1);
            assert_eq!(collector.allowed_responses(), allowed, "{requests:?}");
        }
    }

    #[test]
    fn what_follows_a_switch_is_no_fault() {
        let switch = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello";
        let collector = collector(b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n", switch, 3);
        assert_eq!((collector.fault(), collector.finals().len()), (None, 1));
        assert_eq!((collector.finals()[0].status, collector.rest().len()), (101, 7));
        assert!(collector.is_answered());
    }

    #[test]
    fn the_first_byte_that_breaks_a_rule_is_found_with_the_rule() {
        assert_eq!(collector(REQUESTS, STREAM, 1).fault(), None);
        let requests = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwhat\
            HEAD / HTTP/1.1\r\nHost : h\r\n\r\n";
        for (responses, at, rule) in [
            ("hello", 0, "status line"),
            ("HTTP/2 200\r\n\r\n", 0, "status line"),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", 0, "status line"),
            ("HTTP/1.1 ok\r\n\r\n", 9, "this byte"),
            ("HTTP/1.1 200 OK\r\nDate : x\r\n\r\n", 21, "this byte"),
            ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", 15, "CR LF"),
            ("HTTP/1.1 200 OK\r\nDate: x\n", 24, "CR LF"),
            ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nsome", 46, "ended"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsome\r\n", 47, "a chunk"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2x\r\n",
                53,
                "a chunk",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
                36,
                "one number",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 17, "one number"),
        ] {
            for read_size in [1, 5, responses.len()] {
                let collector = collector(requests, responses.as_bytes(), read_size);
                let fault = collector.fault().expect(responses);
                assert_eq!(fault.at, at, "{responses}, {read_size} bytes in a read");
                assert!(fault.rule.contains(rule), "{responses}: {}", fault.rule);
            }
        }
    }

    #[test]
    fn what_is_more_than_is_followed_breaks_no_rule_and_the_next_response_is_found() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let long = "y".repeat(300 * 1024);
        for lost in [format!("HTTP/1.1 200 {long}\r\n\r\n"), format!("{chunked}1;{long}\r\n")] {
            let mut collector = collector(b"GET /1 HTTP/1.1\r\n\r\n", lost.as_bytes(), 1 << 16);
            assert!(collector.fault().is_none() && collector.beyond().is_some());
            collector.sent(b"GET /2 HTTP/1.1\r\n\r\n");
            collector.received(b"HTTP/1.1 204 N\r\n\r\n");
            let [first, second] = collector.finals() else { panic!("two responses") };
            assert_eq!((first.is_whole, second.is_whole, second.status), (false, true, 204));
            assert_eq!(second.head, b"HTTP/1.1 204 N\r\n\r\n");
            assert!(collector.is_answered() && collector.rest().is_empty());
        }
        let many =
            format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(5000));
        let collector = collector(b"GET / HTTP/1.1\r\n\r\n", many.as_bytes(), 1 << 16);
        assert_eq!((collector.fault(), collector.beyond()), (None, None));
        assert_eq!(collector.finals()[0].values("x").len(), 5000);
    }
}
