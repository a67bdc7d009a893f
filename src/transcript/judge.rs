//! # Judges assertions about requests and responses
//!
//! Says whether an assertion is true of the messages that crossed a connection, as
//! `message::responses::ResponseCollector` finds them. If it is not, says what is true instead.
//!
//! ```text
//! sent              PUT /a HTTP/1.1 …
//! received          HTTP/1.1 405 … Allow: GET, HEAD …
//! method GET        the method is PUT
//! field Allow       true
//! status 404        the status is 405
//! 2: status 200     1 response was received
//! ```
//! Rule: messages are counted from the last group on. Whole requests and final responses count; interim
//! responses (1xx, and not 101) do not. In a group about responses, a request has the number of the
//! response that answers it. Where the transcript shows responses, those below a group are for the next
//! group, even if they have come already.
//!
//! Left out: `closed` and `open`. They need a connection and a clock, so the caller judges them.
//! Next: [`explain`](super::explain).

use std::fmt;

use super::assertions::{Assertion, Fact, FieldName};
use crate::message::counted::counted;
use crate::message::dialogue::Side;
use crate::message::outline::Outline;
use crate::message::requests::ReceivedRequest;
use crate::message::responses::ReceivedResponse;
use crate::message::visible::Visible;

/// Returns the number of the message that an assertion is about, from 1. It is 0 for an assertion about
/// the connection.
pub fn nth(assertion: &Assertion) -> usize {
    match assertion {
        Assertion::Message { nth, .. } => nth.get() as usize,
        Assertion::Closed | Assertion::Open(_) => 0,
    }
}

/// What is true if an assertion is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There are only so many requests, so the one that the assertion is about is missing.
    Requests(usize),
    /// There are only so many responses.
    Responses(usize),
    /// The status code.
    Status(u16),
    /// The method.
    Method(Vec<u8>),
    /// The target.
    Target(Vec<u8>),
    /// The message has no field with that name.
    NoField,
    /// The combined value of all field lines with that name (RFC 9110 section 5.2).
    Value(Vec<u8>),
    /// The content.
    Content(Vec<u8>),
}

/// Bytes of content that are shown where an assertion is not true.
const SHOWN_BYTES: usize = 60;

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Requests(count) => {
                write!(f, "{} received", counted(*count, "request was", "requests were"))
            }
            Found::Responses(count) => {
                write!(f, "{} received", counted(*count, "response was", "responses were"))
            }
            Found::Status(status) => write!(f, "the status is {status}"),
            Found::Method(method) => write!(f, "the method is {}", Visible(method)),
            Found::Target(target) => write!(f, "the target is {}", Visible(target)),
            Found::NoField => f.write_str("there is no such field"),
            Found::Value(value) => write!(f, "the value is {}", Visible(value)),
            Found::Content(content) => {
                let shown = &content[..content.len().min(SHOWN_BYTES)];
                write!(f, "the content is \"{}\"", Visible(shown))?;
                match content.len() - shown.len() {
                    0 => Ok(()),
                    more => write!(f, " and {more} bytes more"),
                }
            }
        }
    }
}

/// How many messages of a connection the groups so far have judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    requests: usize,
    responses: usize,
}

/// The messages that a group of assertions is about.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    about: Side,
    requests: &'a [ReceivedRequest],
    responses: &'a [ReceivedResponse],
}

impl Judged {
    /// Requests that were judged, or are answered above the next group.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// Final responses that were judged.
    pub fn responses(&self) -> usize {
        self.responses
    }

    /// Returns the messages that the next group is about, which are judged from now on. `about` is what
    /// [`subjects`](super::subjects) returns; the messages are all whole ones of the connection.
    pub fn next<'a>(
        &mut self,
        about: Side,
        requests: &'a [ReceivedRequest],
        responses: &'a [ReceivedResponse],
    ) -> Group<'a> {
        // A request has the number of its response.
        let first_request = match about {
            Side::Client => self.requests,
            Side::Server => self.responses,
        };
        let group = Group {
            about,
            requests: requests.get(first_request..).unwrap_or_default(),
            responses: responses.get(self.responses..).unwrap_or_default(),
        };
        match about {
            Side::Client => self.requests = requests.len(),
            Side::Server => self.count_responses(responses.len()),
        }
        group
    }

    /// Passes over so many requests of the connection, because a response above the group answers them.
    /// To be called before a group about requests.
    pub fn skip_requests(&mut self, answered: usize) {
        self.requests = self.requests.max(answered);
    }

    /// Counts so many final responses of the connection as judged, and the requests that they answer.
    /// For a server, which does not collect its own responses.
    pub fn count_responses(&mut self, responses: usize) {
        self.responses = responses;
        self.requests = self.requests.max(responses);
    }
}

impl Group<'_> {
    /// Judges an assertion of the group. An assertion about the connection passes, because the caller
    /// judges it.
    ///
    /// # Errors
    ///
    /// Returns what is true instead.
    pub fn judge(&self, assertion: &Assertion) -> Result<(), Found> {
        let Assertion::Message { nth, fact } = assertion else { return Ok(()) };
        let index = nth.get() as usize - 1;
        let message = match assertion.about(self.about) {
            Some(Side::Client) => {
                let request = self.requests.get(index).map(Message::from);
                request.ok_or(Found::Requests(self.requests.len()))
            }
            _ => {
                let response = self.responses.get(index).map(Message::from);
                response.ok_or(Found::Responses(self.responses.len()))
            }
        };
        message?.judge(fact)
    }
}

/// A request or a response.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The head, as it was sent.
    pub head: &'a [u8],
    /// The content, without framing.
    pub content: &'a [u8],
}

impl<'a> From<&'a ReceivedRequest> for Message<'a> {
    fn from(request: &'a ReceivedRequest) -> Message<'a> {
        Message { head: &request.head, content: &request.content }
    }
}

impl<'a> From<&'a ReceivedResponse> for Message<'a> {
    fn from(response: &'a ReceivedResponse) -> Message<'a> {
        Message { head: &response.head, content: &response.content }
    }
}

impl Message<'_> {
    /// Judges a fact. A response has an empty method and target, and a request the status 0.
    ///
    /// # Errors
    ///
    /// Returns what is true instead.
    pub fn judge(&self, fact: &Fact) -> Result<(), Found> {
        // A method is a token, so it has no slash.
        let is_request = !self.head.starts_with(b"HTTP/");
        let outline = Outline::parse(self.head, is_request).flatten();
        let value = |name: &FieldName| {
            let fields = outline.as_ref()?.fields();
            let values: Vec<&[u8]> = fields.values(name.as_str()).collect();
            (!values.is_empty()).then(|| values.join(&b", "[..]))
        };
        let field = |is_true: bool, value: Option<Vec<u8>>| match value {
            _ if is_true => Ok(()),
            Some(value) => Err(Found::Value(value)),
            None => Err(Found::NoField),
        };
        let or = |is_true: bool, found: fn(Vec<u8>) -> Found, bytes: &[u8]| {
            if is_true { Ok(()) } else { Err(found(bytes.to_vec())) }
        };
        let request = outline.as_ref().filter(|_| is_request);
        let method = request.map_or(&b""[..], Outline::method_name);
        let target = request.map_or(&b""[..], Outline::target);
        let status = outline.as_ref().and_then(|outline| outline.status).unwrap_or(0);
        match fact {
            Fact::Status(statuses) if statuses.allow(status) => Ok(()),
            Fact::Status(_) => Err(Found::Status(status)),
            Fact::Method(methods) => or(methods.allow(method), Found::Method, method),
            Fact::TargetIs(wanted) => or(target == wanted, Found::Target, target),
            Fact::TargetContains(part) => or(contains(target, part), Found::Target, target),
            Fact::Field(name) => field(value(name).is_some(), value(name)),
            Fact::NoField(name) => field(value(name).is_none(), value(name)),
            Fact::FieldIs(name, wanted) => field(value(name).as_ref() == Some(wanted), value(name)),
            Fact::FieldContains(name, part) => {
                field(value(name).is_some_and(|value| contains(&value, part)), value(name))
            }
            Fact::Body(wanted) => or(self.content == wanted, Found::Content, self.content),
            Fact::BodyContains(part) => {
                or(contains(self.content, part), Found::Content, self.content)
            }
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::responses::ResponseCollector;
    use crate::transcript::{Item, Transcript, subjects};

    const RESPONSES: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nallow: HEAD\r\nContent-Length: 2\r\n\r\nno\
        HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

    const REQUESTS: &[u8] = b"PUT /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwhat\
        HEAD / HTTP/1.1\r\nHost: h\r\n\r\n";

    /// Judges all groups of this text on the messages above.
    fn judged_groups(text: &str) -> Result<(), String> {
        let items = Transcript::parse(text).expect("assertions").items;
        let mut collector = ResponseCollector::new();
        collector.sent(REQUESTS);
        collector.received(RESPONSES);
        let mut judged = Judged::default();
        for (item, about) in items.iter().zip(subjects(&items)) {
            let Item::Assertions(assertions) = item else { continue };
            let group = judged.next(about, collector.requests(), collector.finals());
            assertions
                .iter()
                .try_for_each(|assertion| group.judge(assertion))
                .map_err(|found| found.to_string())?;
        }
        Ok(())
    }

    fn judged(assertions: &str) -> Result<(), String> {
        judged_groups(&format!("???\n{assertions}\n"))
    }

    #[test]
    fn an_assertion_that_is_true_of_its_response_passes() {
        for assertion in [
            "status 405",
            "status 2xx|405",
            "field Allow is GET, HEAD",
            "field allow contains HEAD",
            "field Content-Length",
            "no field Date",
            "body \"no\"",
            "body contains \"o\"",
            "2: status 200",
            "2: body \"\"",
            "method PUT|POST",
            "target is /a?b=c",
            "2: target contains /",
            "2: method HEAD",
            "closed",
        ] {
            assert_eq!(judged(assertion), Ok(()), "{assertion}");
        }
    }

    #[test]
    fn a_failed_assertion_reports_what_is_true_instead() {
        for (assertion, found) in [
            ("status 100", "the status is 405"),
            ("field Date", "there is no such field"),
            ("no field Allow", "the value is GET, HEAD"),
            ("field Allow is GET", "the value is GET, HEAD"),
            ("field Date is now", "there is no such field"),
            ("field Allow contains PUT", "the value is GET, HEAD"),
            ("body \"n\"", "the content is \"no\""),
            ("body contains \"yes\"", "the content is \"no\""),
            ("2: status 405", "the status is 200"),
            ("3: status 200", "2 responses were received"),
            ("method put", "the method is PUT"),
            ("target is /a", "the target is /a?b=c"),
            ("2: target contains x", "the target is /"),
            ("3: method GET", "2 requests were received"),
        ] {
            assert_eq!(judged(assertion), Err(found.to_owned()), "{assertion}");
        }
    }

    #[test]
    fn a_group_before_a_response_is_about_the_request() {
        for assertions in [
            "field Host is h\nno field Allow\nbody \"what\"\nmethod PUT\n2: method HEAD",
            "status 405\nfield Allow\nmethod PUT", // a status makes it about responses
        ] {
            assert_eq!(judged_groups(&format!("???\n{assertions}\n<<<\n")), Ok(()), "{assertions}");
        }
        let both = judged_groups("???\nmethod PUT\n<<<\n???\n2: status 200\nmethod PUT\n");
        assert_eq!(both, Ok(()));
        let second = judged_groups("???\nmethod PUT\n<<<\n???\nmethod HEAD\n<<<\n");
        assert_eq!(second, Err("0 requests were received".to_owned()));
        let answered = judged_groups("???\nstatus 405\n???\nfield Host\n<<<\n");
        assert_eq!(answered, Err("0 requests were received".to_owned()));
    }
}
