//! # What the answers promised
//!
//! Which answer has just ended, and what must be true of another that is to be like it?
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ … Content-Length: 5␍␊ ␍␊ hello      status 200, field Content-Length
//! HTTP/1.1 200 OK␍␊ … ␍␊ to the end FIN                  no field Content-Length … , closed
//! ```
//! Rule: RFC 9112 section 6.3, as the [`Reader`] reads it. A assertion names the kind of framing and not
//! the length: the exact bytes stand in the file anyway, and a assertion is for a server whose content
//! may be longer tomorrow. Interim answers have no assertions, for assertions speak of final ones.

use std::num::NonZeroU32;

use openkitchen::message::method::Method;
use openkitchen::message::outline::Outline;
use openkitchen::message::reader::Reader;
use openkitchen::transcript::{Assertion, Fact, FieldName, Statuses};

/// Follows both directions of a connection from its first byte.
pub struct ExchangeFollower {
    requests: Reader,
    answers: Reader,
    /// Requests whose final answer has not ended.
    unanswered: usize,
    /// What is true of final answers that were not asserted yet.
    facts: Vec<Vec<Fact>>,
}

impl ExchangeFollower {
    /// Nothing has crossed yet.
    pub fn new() -> ExchangeFollower {
        let (requests, answers) = (Reader::requests(), Reader::responses());
        ExchangeFollower { requests, answers, unanswered: 0, facts: Vec::new() }
    }

    /// Whether a request or an answer has begun and not ended. What cannot be followed may be in
    /// the middle of anything.
    pub fn is_in_flight(&self) -> bool {
        self.unanswered > 0 || self.requests.is_within() || self.answers.is_within()
    }

    /// Bytes came from the client.
    pub fn received(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(stretch) = self.requests.next(rest) {
            rest = &rest[stretch.length..];
            if stretch.head_is_whole {
                let method = self.requests.outline().and_then(|outline| outline.method);
                // An answer to a method that nobody knows ends as one to GET does.
                self.answers.expect_response_to(method.unwrap_or(Method::Get));
                self.unanswered += 1;
            }
        }
    }

    /// Bytes came from the server. Assertions are on the answers that ended with them.
    pub fn sent(&mut self, bytes: &[u8]) -> Vec<Assertion> {
        let (mut rest, mut whole) = (bytes, 0);
        while let Some(stretch) = self.answers.next(rest) {
            rest = &rest[stretch.length..];
            let Some(outline) = self.answers.outline() else { continue };
            if outline.status.is_none_or(|status| status < 200) {
                continue;
            }
            if stretch.head_is_whole {
                self.facts.push(facts(outline, self.answers.ends_with_connection()));
            }
            if stretch.ends_message {
                self.unanswered = self.unanswered.saturating_sub(1);
                whole = self.facts.len();
            }
        }
        self.assertions(whole)
    }

    /// The server will send no more, which it may have been the first to say. Assertions are on that, and
    /// on an answer that ends with it, as its framing says or not.
    pub fn server_closed(&mut self, is_first: bool) -> Vec<Assertion> {
        let ends_answer = !self.facts.is_empty();
        let mut assertions = self.assertions(self.facts.len());
        if is_first || ends_answer {
            assertions.push(Assertion::Closed);
        }
        assertions
    }

    /// The assertions on the first of the answers that have none yet.
    fn assertions(&mut self, answers: usize) -> Vec<Assertion> {
        let numbers = (1..).map_while(NonZeroU32::new);
        let numbered = numbers.zip(self.facts.drain(..answers));
        let assertions = |(nth, facts): (_, Vec<Fact>)| {
            facts.into_iter().map(move |fact| Assertion::Response { nth, fact })
        };
        numbered.flat_map(assertions).collect()
    }
}

/// The status of an answer, and how it says where its content ends.
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
        // Its status, or the method that was asked for, has no content to frame.
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
    fn a_connection_is_in_flight_from_the_first_byte_of_a_request_to_the_last_of_its_answer() {
        let mut follower = ExchangeFollower::new();
        assert!(!follower.is_in_flight());
        for byte in GET {
            follower.received(&[*byte]);
            assert!(follower.is_in_flight());
        }
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for byte in answer {
            assert!(follower.is_in_flight());
            follower.sent(&[*byte]);
        }
        assert!(!follower.is_in_flight());
    }

    #[test]
    fn an_answer_that_is_cut_short_is_asserted_when_the_server_closes() {
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
