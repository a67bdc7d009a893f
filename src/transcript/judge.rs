//! # Judges assertions about responses
//!
//! Says whether an assertion is true of the responses that a server sent, as
//! `message::responses::ResponseCollector` finds them. If it is not, says what is true instead.
//!
//! ```text
//! received          HTTP/1.1 405 … Allow: GET, HEAD …
//! field Allow       true
//! status 404        the status is 405
//! 2: status 200     1 response was received
//! ```
//! Rule: interim responses (1xx, and not 101) are not counted.
//!
//! Left out: `closed` and `open`. They need a connection and a clock, so the caller judges them.
//! Next: [`explain`](super::explain).

use std::fmt;

use super::assertions::{Assertion, Fact, FieldName};
use crate::message::responses::ReceivedResponse;
use crate::message::visible::Visible;

/// Returns the number of the final response that an assertion is about, from 1. It is 0 for an assertion
/// about the connection.
pub fn nth(assertion: &Assertion) -> usize {
    match assertion {
        Assertion::Response { nth, .. } => nth.get() as usize,
        Assertion::Closed | Assertion::Open(_) => 0,
    }
}

/// What is true of the responses if an assertion is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There are only so many responses, so the one that the assertion is about is missing.
    Responses(usize),
    /// The status code.
    Status(u16),
    /// The response has no field with that name.
    NoField,
    /// The combined value of all field lines with that name (RFC 9110 section 5.2).
    Value(Vec<u8>),
    /// The content.
    Content(Vec<u8>),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Responses(1) => f.write_str("1 response was received"),
            Found::Responses(count) => write!(f, "{count} responses were received"),
            Found::Status(status) => write!(f, "the status is {status}"),
            Found::NoField => f.write_str("there is no such field"),
            Found::Value(value) => write!(f, "the value is \"{}\"", Visible(value)),
            Found::Content(content) => write!(f, "the content is \"{}\"", Visible(content)),
        }
    }
}

/// Judges an assertion against these responses, the first of which is number 1. An assertion about the
/// connection passes, because the caller judges it.
///
/// # Errors
///
/// Returns what is true instead.
pub fn judge(assertion: &Assertion, responses: &[ReceivedResponse]) -> Result<(), Found> {
    let Assertion::Response { nth, fact } = assertion else { return Ok(()) };
    match responses.get(nth.get() as usize - 1) {
        Some(response) => judge_fact(fact, response),
        None => Err(Found::Responses(responses.len())),
    }
}

fn judge_fact(fact: &Fact, response: &ReceivedResponse) -> Result<(), Found> {
    let value = |name: &FieldName| value(response, name.as_str());
    let field = |is_true: bool, value: Option<Vec<u8>>| match value {
        _ if is_true => Ok(()),
        Some(value) => Err(Found::Value(value)),
        None => Err(Found::NoField),
    };
    let content = |is_true: bool| {
        if is_true { Ok(()) } else { Err(Found::Content(response.content.clone())) }
    };
    match fact {
        Fact::Status(statuses) if statuses.allow(response.status) => Ok(()),
        Fact::Status(_) => Err(Found::Status(response.status)),
        Fact::Field(name) => field(value(name).is_some(), value(name)),
        Fact::NoField(name) => field(value(name).is_none(), value(name)),
        Fact::FieldIs(name, wanted) => field(value(name).as_ref() == Some(wanted), value(name)),
        Fact::FieldContains(name, part) => {
            field(value(name).is_some_and(|value| contains(&value, part)), value(name))
        }
        Fact::Body(wanted) => content(response.content == *wanted),
        Fact::BodyContains(part) => content(contains(&response.content, part)),
    }
}

fn value(response: &ReceivedResponse, name: &str) -> Option<Vec<u8>> {
    let outline = response.outline()?;
    let values: Vec<&[u8]> = outline.fields().values(name).collect();
    (!values.is_empty()).then(|| values.join(&b", "[..]))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::responses::ResponseCollector;
    use crate::transcript::{Item, Transcript};

    const RESPONSES: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nallow: HEAD\r\nContent-Length: 2\r\n\r\nno\
        HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

    const REQUESTS: &[u8] = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwhat\
        HEAD / HTTP/1.1\r\nHost : h\r\n\r\n";

    fn judged(assertions: &str) -> Result<(), String> {
        let transcript = Transcript::parse(&format!("???\n{assertions}\n")).expect("assertions");
        let [Item::Assertions(assertions)] = &transcript.items[..] else {
            panic!("only assertions")
        };
        let mut collector = ResponseCollector::new();
        collector.sent(REQUESTS);
        collector.received(RESPONSES);
        assertions
            .iter()
            .try_for_each(|assertion| judge(assertion, collector.finals()))
            .map_err(|found| found.to_string())
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
            ("no field Allow", "the value is \"GET, HEAD\""),
            ("field Allow is GET", "the value is \"GET, HEAD\""),
            ("field Date is now", "there is no such field"),
            ("field Allow contains PUT", "the value is \"GET, HEAD\""),
            ("body \"n\"", "the content is \"no\""),
            ("body contains \"yes\"", "the content is \"no\""),
            ("2: status 405", "the status is 200"),
            ("3: status 200", "2 responses were received"),
        ] {
            assert_eq!(judged(assertion), Err(found.to_owned()), "{assertion}");
        }
    }
}
