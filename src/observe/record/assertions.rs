//! # The assertions on the responses of a connection
//!
//! Which response has just ended, and what must be true of a response that is like it?
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ … Content-Length: 5␍␊ ␍␊ hello      status 200, field Content-Length
//! HTTP/1.1 200 OK␍␊ … ␍␊ to the end FIN                  no field Content-Length … , closed
//! ```
//! Rule: RFC 9112 section 6.3, as [`Ending`] has it. An assertion names the kind of framing, and not the
//! length: the file has the exact bytes, and a later response may have longer content. Interim (1xx)
//! responses have no assertions, because assertions are about final responses. A 101 is final: what
//! follows it is no HTTP.

use std::num::NonZeroU32;

use crate::message::dialogue::Followed;
use crate::message::ending::Ending;
use crate::message::outline::Outline;
use crate::transcript::{Assertion, Fact, FieldName, Statuses};

/// The facts of each final response that has no assertions yet.
#[derive(Default)]
pub(super) struct ResponseFacts(Vec<Vec<Fact>>);

impl ResponseFacts {
    /// Takes bytes that the server sent. Returns the assertions on the responses that end in them.
    pub fn sent(&mut self, ranges: &[Followed]) -> Vec<Assertion> {
        let mut complete = 0;
        for range in ranges {
            if range.resumes && self.0.is_empty() {
                self.0.push(Vec::new()); // the bytes before count as a response
            }
            if let Some(head) = &range.head
                && range.ending != Some(Ending::Interim)
            {
                self.0.push(facts(head, range.ending));
            }
            let leaves_http = range.head.is_some() && range.ending.is_some_and(Ending::leaves_http);
            if (range.ends_message && range.ending != Some(Ending::Interim)) || leaves_http {
                complete = self.0.len();
            }
        }
        self.assertions(complete)
    }

    /// Takes the close by the server. Returns the assertions on the close, and on a response that
    /// it ends, complete or cut short. `is_first` says that the client had not closed before.
    pub fn server_closed(&mut self, is_first: bool) -> Vec<Assertion> {
        let ends_response = !self.0.is_empty();
        let mut assertions = self.assertions(self.0.len());
        if is_first || ends_response {
            assertions.push(Assertion::Closed);
        }
        assertions
    }

    /// The assertions on the first `count` responses that have none yet.
    fn assertions(&mut self, count: usize) -> Vec<Assertion> {
        let numbers = (1..).map_while(NonZeroU32::new);
        let numbered = numbers.zip(self.0.drain(..count));
        let assertions = |(nth, facts): (_, Vec<Fact>)| {
            facts.into_iter().map(move |fact| Assertion::Message { nth, fact })
        };
        numbered.flat_map(assertions).collect()
    }
}

/// The status of a response, and the fields that frame its content.
fn facts(outline: &Outline, ending: Option<Ending>) -> Vec<Fact> {
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
        None if matches!(ending, Some(Ending::Close | Ending::CloseCoded)) => {
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
    use crate::message::dialogue::{Dialogue, Side};

    use super::*;

    /// The assertions on what a server sends in answer to this request, and on its close.
    fn assertions(request: &[u8], sent: &[u8], is_first: bool) -> [Vec<String>; 2] {
        let (mut dialogue, mut facts) = (Dialogue::new(), ResponseFacts::default());
        dialogue.follow(Side::Client, request);
        let sent = facts.sent(&dialogue.follow(Side::Server, sent));
        [sent, facts.server_closed(is_first)]
            .map(|assertions| assertions.iter().map(Assertion::to_string).collect())
    }

    #[test]
    fn a_response_that_is_cut_short_gets_its_assertions_when_the_server_closes() {
        let half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        let [sent, closed] = assertions(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", half, false);
        assert_eq!(sent, [""; 0]);
        assert_eq!(closed, ["status 200", "field Content-Length", "closed"]);
    }

    #[test]
    fn bytes_that_are_no_messages_have_no_assertions() {
        for (is_first, expected) in [(true, vec!["closed"]), (false, vec![])] {
            let [sent, closed] = assertions(b"\x16\x03\x01", b"SSH-2.0\r\n", is_first);
            assert_eq!(
                (sent, closed),
                (vec![], expected.iter().map(|it| it.to_string()).collect())
            );
        }
    }

    #[test]
    fn a_switch_is_a_final_response() {
        let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x81\x02hi";
        let [sent, closed] = assertions(b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n", switch, false);
        assert_eq!((sent, closed), (vec!["status 101".to_owned()], vec![]));
        let connect = b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n";
        let [sent, _] = assertions(connect, b"HTTP/1.1 200 OK\r\n\r\n\x16\x03", false);
        assert_eq!(sent, ["status 200"]);
    }
}
