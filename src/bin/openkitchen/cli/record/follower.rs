//! # Follow exchanges: when a response ends, and the assertions on it
//!
//! Which response has just ended, and what must be true of a response that is like it?
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ … Content-Length: 5␍␊ ␍␊ hello      status 200, field Content-Length
//! HTTP/1.1 200 OK␍␊ … ␍␊ to the end FIN                  no field Content-Length … , closed
//! ```
//! Rule: RFC 9112 section 6.3, as the [`Reader`] applies it. An assertion names the kind of framing, and
//! not the length: the file has the exact bytes, and a later response may have longer content. Interim
//! (1xx) responses have no assertions, because assertions are about final responses.

use std::num::NonZeroU32;

use openkitchen::message::method::Method;
use openkitchen::message::outline::Outline;
use openkitchen::message::reader::Reader;
use openkitchen::transcript::{Assertion, Fact, FieldName, Statuses};

/// Follows both directions of a connection from its first byte.
pub struct ExchangeFollower {
    requests: Reader,
    responses: Reader,
    /// Requests whose final response has not ended.
    unanswered: usize,
    /// The facts of each final response that has no assertions yet.
    facts: Vec<Vec<Fact>>,
}

impl ExchangeFollower {
    /// A follower of a connection on which no byte has crossed yet.
    pub fn new() -> ExchangeFollower {
        let (requests, responses) = (Reader::requests(), Reader::responses());
        ExchangeFollower { requests, responses, unanswered: 0, facts: Vec::new() }
    }

    /// Whether a request or a response has begun and not ended. Also true once a reader cannot follow
    /// its direction: then the state is unknown.
    pub fn is_in_flight(&self) -> bool {
        self.unanswered > 0 || self.requests.is_within() || self.responses.is_within()
    }

    /// Takes bytes that the client sent.
    pub fn received(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(range) = self.requests.next(rest) {
            rest = &rest[range.length..];
            if range.head_is_whole {
                let method = self.requests.outline().and_then(|outline| outline.method);
                // A response to an unknown method ends as a response to GET does.
                self.responses.expect_response_to(method.unwrap_or(Method::Get));
                self.unanswered += 1;
            }
        }
    }

    /// Takes bytes that the server sent. Returns the assertions on the responses that end in them.
    pub fn sent(&mut self, bytes: &[u8]) -> Vec<Assertion> {
        let (mut rest, mut complete) = (bytes, 0);
        while let Some(range) = self.responses.next(rest) {
            rest = &rest[range.length..];
            let Some(outline) = self.responses.outline() else { continue };
            if outline.status.is_none_or(|status| status < 200) {
                continue;
            }
            if range.head_is_whole {
                self.facts.push(facts(outline, self.responses.ends_with_connection()));
            }
            if range.ends_message {
                self.unanswered = self.unanswered.saturating_sub(1);
                complete = self.facts.len();
            }
        }
        self.assertions(complete)
    }

    /// The server sends no more; `is_first` says that the client had not closed before. Returns the
    /// assertions on the close, and on a response that it ends, complete or cut short.
    pub fn server_closed(&mut self, is_first: bool) -> Vec<Assertion> {
        let ends_response = !self.facts.is_empty();
        let mut assertions = self.assertions(self.facts.len());
        if is_first || ends_response {
            assertions.push(Assertion::Closed);
        }
        assertions
    }

    /// The assertions on the first `count` responses that have none yet.
    fn assertions(&mut self, count: usize) -> Vec<Assertion> {
        let numbers = (1..).map_while(NonZeroU32::new);
        let numbered = numbers.zip(self.facts.drain(..count));
        let assertions = |(nth, facts): (_, Vec<Fact>)| {
            facts.into_iter().map(move |fact| Assertion::Response { nth, fact })
        };
        numbered.flat_map(assertions).collect()
    }
}

/// The status of a response, and the fields that frame its content.
fn facts(outline: &Outline, ends_with_connection: bool) -> Vec<Fact> {
    let fields = outline.fields();
    let (coding, length) = ("Transfer-Encoding", "Content-Length");
    let mut facts = Vec::new();
    let status = outline.status.and_then(|status| Statuses::new(&status.to_string()));
    facts.extend(status.map(Fact::Status));
    let framing = match fields.members(coding).last() {
        Some(last) => vec![FieldName::new(coding).map(|it| Fact::FieldContains(it, last.to_vec()))],
        None if fields.values(length).next().is_some() => {
            vec![FieldName::new(length).map(Fact::Field)]
        }
        None if ends_with_connection => {
            [coding, length].map(|name| FieldName::new(name).map(Fact::NoField)).into()
        }
        // The status or the request's method excludes content, so no framing is needed.
        None => Vec::new(),
    };
    facts.extend(framing.into_iter().flatten());
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

    #[test]
    fn a_connection_is_in_flight_from_a_requests_first_byte_to_its_responses_last_byte() {
        let mut follower = ExchangeFollower::new();
        assert!(!follower.is_in_flight());
        for byte in GET {
            follower.received(&[*byte]);
            assert!(follower.is_in_flight());
        }
        let responses =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for byte in responses {
            assert!(follower.is_in_flight());
            follower.sent(&[*byte]);
        }
        assert!(!follower.is_in_flight());
    }

    #[test]
    fn a_response_that_is_cut_short_gets_its_assertions_when_the_server_closes() {
        let mut follower = ExchangeFollower::new();
        follower.received(GET);
        assert_eq!(follower.sent(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), []);
        let assertions: Vec<String> =
            follower.server_closed(false).iter().map(Assertion::to_string).collect();
        assert_eq!(assertions, ["status 200", "field Content-Length", "closed"]);
    }

    #[test]
    fn bytes_that_are_no_messages_have_no_assertions() {
        let mut follower = ExchangeFollower::new();
        follower.received(b"\x16\x03\x01");
        assert_eq!(follower.sent(b"SSH-2.0\r\n"), []);
        assert!(follower.is_in_flight());
        assert_eq!(follower.server_closed(true), [Assertion::Closed]);
        assert_eq!(follower.server_closed(false), []);
    }
}
