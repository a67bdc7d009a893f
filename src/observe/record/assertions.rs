//! # The assertions on the responses of a connection
//!
//! Which response has just ended, and what must be true of a response that is like it?
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ … Content-Length: 5␍␊ ␍␊ hello      status 200, field Content-Length
//! HTTP/1.1 200 OK␍␊ … ␍␊ to the end FIN                  no field Content-Length … , closed
//! HTTP/1.1 200 OK␍␊ Da      the recording ends here      an empty group: nothing is said of it
//! ```
//! Rule: RFC 9112 section 6.3, as [`Ending`] has it. An assertion names the kind of framing, and not the
//! length: the file has the exact bytes, and a later response may have longer content. Interim (1xx)
//! responses have no assertions, because assertions are about final responses. A 101 is final: what
//! follows it is no HTTP.

use std::mem;
use std::num::NonZeroU32;

use crate::message::dialogue::Followed;
use crate::message::ending::Ending;
use crate::message::outline::Outline;
use crate::message::reader::Part;
use crate::transcript::{Assertion, Fact, FieldName, Statuses};

/// What is known of the responses of a connection.
#[derive(Default)]
pub(super) struct ResponseFacts {
    /// The facts of each final response that has no assertions yet.
    pending: Vec<Vec<Fact>>,
    /// Whether a response has begun: the server speaks HTTP.
    has_responses: bool,
    /// Whether the last bytes of the server are a head that is not complete.
    is_within_head: bool,
}

impl ResponseFacts {
    /// Takes bytes that the server sent. Returns the assertions on the responses that end in them.
    pub fn sent(&mut self, ranges: &[Followed]) -> Vec<Assertion> {
        let mut complete = 0;
        for range in ranges {
            self.is_within_head =
                range.part == Part::Head && range.head.is_none() && range.is_within;
            self.has_responses |= self.is_within_head || range.head.is_some();
            if range.resumes && self.pending.is_empty() {
                self.pending.push(Vec::new()); // the bytes before count as a response
            }
            if let Some(head) = &range.head
                && range.ending != Some(Ending::Interim)
            {
                self.pending.push(facts(head, range.ending));
            }
            let leaves_http = range.head.is_some() && range.ending.is_some_and(Ending::leaves_http);
            if (range.ends_message && range.ending != Some(Ending::Interim)) || leaves_http {
                complete = self.pending.len();
            }
        }
        self.assertions(complete)
    }

    /// Takes the close by the server. Returns the assertions on the close, and on a response that
    /// it ends, complete or cut short. `is_first` says that the client had not closed before. A server
    /// that sent no response gets no assertions, so its bytes are compared.
    pub fn server_closed(&mut self, is_first: bool) -> Vec<Assertion> {
        let ends_response = !self.pending.is_empty() || mem::take(&mut self.is_within_head);
        let mut assertions = self.assertions(self.pending.len());
        if self.has_responses && (is_first || ends_response) {
            assertions.push(Assertion::Closed);
        }
        assertions
    }

    /// Takes the end of the recording. Returns the assertions on a response that is cut short by it. They
    /// are none if its head is, so that nothing is said of it.
    pub fn cut(&mut self) -> Option<Vec<Assertion>> {
        let is_cut = !self.pending.is_empty() || mem::take(&mut self.is_within_head);
        is_cut.then(|| self.assertions(self.pending.len()))
    }

    /// The assertions on the first `count` responses that have none yet.
    fn assertions(&mut self, count: usize) -> Vec<Assertion> {
        let numbers = (1..).map_while(NonZeroU32::new);
        let numbered = numbers.zip(self.pending.drain(..count));
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
        for (is_first, sent) in [
            (true, &b"SSH-2.0\r\n"[..]),
            (false, b"SSH-2.0\r\n"),
            (true, b"\x15\x03\x01\x00\x02\x02\x46"),
            (true, b"\x00\x00\x06\x04\x00\x00\x00\x00\x00"),
            (true, b""),
        ] {
            let [sent, closed] = assertions(b"\x16\x03\x01", sent, is_first);
            assert_eq!((sent, closed), (vec![], vec![]));
        }
    }

    #[test]
    fn a_recording_that_ends_within_a_response_says_what_is_true_of_its_head() {
        let cut = |sent: &[u8]| {
            let mut dialogue = Dialogue::new();
            let mut facts = ResponseFacts::default();
            dialogue.follow(Side::Client, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
            facts.sent(&dialogue.follow(Side::Server, sent));
            let lines = |group: Vec<Assertion>| group.iter().map(Assertion::to_string).collect();
            let group: Option<Vec<String>> = facts.cut().map(lines);
            assert_eq!(facts.cut(), None); // once is enough
            group
        };
        let half = cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        assert_eq!(half.unwrap(), ["status 200", "field Content-Length"]);
        assert_eq!(cut(b"HTTP/1.1 200 OK\r\nDate: 1\r\n").unwrap(), [""; 0]);
        assert_eq!(cut(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), None);
        assert_eq!(cut(b"SSH-2.0\r\n"), None);
        assert_eq!(cut(b""), None);
    }

    #[test]
    fn half_a_head_has_no_assertions_but_the_close() {
        let half = b"HTTP/1.1 200 OK\r\nDate: 1\r\n";
        let [sent, closed] = assertions(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", half, false);
        assert_eq!((sent, closed), (vec![], vec!["closed".to_owned()]));
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
