//! # Judging assertions against received bytes
//!
//! Finds the responses in the bytes that a server sent, and says whether assertions about them are
//! true. If one is not, it says what is true instead.
//!
//! ```text
//! sent      GET / HTTP/1.1␍␊ … HEAD / HTTP/1.1␍␊ …       two requests, so two final responses
//! received  HTTP/1.1 100 … HTTP/1.1 405 … no HTTP/1.1 200 …
//!                          └ number 1 ─────┘└ number 2 ─────┘
//! ```
//! Rule: RFC 9110 section 15.2, a request waits for its final response, so interim responses (1xx) are
//! not counted. The requests must be known, because the response to HEAD has no content (RFC 9112
//! section 6.3).
//!
//! Left out: `closed` and `open`. They need a connection and a clock, so the caller judges them.

use std::fmt;

use super::assertions::{Assertion, Fact, FieldName};
use crate::message::ending::Ending;
use crate::message::method::Method;
use crate::message::outline::Outline;
use crate::message::reader::{Part, Reader, ReceivedResponse};
use crate::message::visible::Visible;

/// Bytes of a head that [`broken`] searches for the first wrong one. Most servers send and accept less.
const MAX_SEARCHED_BYTES: usize = 64 * 1024;

/// Returns the methods of the requests, up to the first one that cannot be parsed. That one counts as
/// HEAD or as GET, because only the response to HEAD has no content.
pub fn methods(requests: &[u8]) -> Vec<Method> {
    let (mut reader, mut methods, mut used) = (Reader::requests(), Vec::new(), 0);
    let mut uncounted = Some(0);
    while let Some(range) = reader.next(&requests[used..]) {
        used += range.length;
        if range.part == Part::Unframed {
            // A request whose head was parsed is counted already, even if its end is unknown.
            methods.extend(uncounted.map(|start| {
                let request = &requests[start..];
                let request = request.strip_prefix(b"\r\n").unwrap_or(request);
                if request.starts_with(b"HEAD ") { Method::Head } else { Method::Get }
            }));
            break;
        }
        if range.head_is_whole {
            methods.push(reader.method());
            uncounted = None;
        }
        if range.ends_message {
            uncounted = Some(used);
        }
    }
    methods
}

/// Whether the requests end within a head. A server may answer such a request with 400 or 408.
pub fn ends_within_a_head(requests: &[u8]) -> bool {
    let (mut reader, mut used, mut is_within) = (Reader::requests(), 0, false);
    while let Some(range) = reader.next(&requests[used..]) {
        used += range.length;
        is_within = range.part == Part::Head && !range.head_is_whole;
    }
    is_within
}

/// Returns the final responses in the bytes that a server sent after these requests. One that is not
/// complete is left out, unless the connection has ended.
pub fn finals(requests: &[u8], responses: &[u8], ended: bool) -> Vec<ReceivedResponse> {
    let (mut responses, _) = ReceivedResponse::all(responses, &methods(requests), ended);
    responses.retain(|response| response.status >= 200 && (response.is_whole || ended));
    responses
}

/// Returns the end offset of each complete response, interim ones included.
pub fn ends(requests: &[u8], responses: &[u8]) -> Vec<usize> {
    let (responses, _) = ReceivedResponse::all(responses, &methods(requests), false);
    responses
        .iter()
        .filter(|response| response.is_whole)
        .map(|response| response.span.end)
        .collect()
}

/// Whether each request that [`methods`] counts has a complete final response.
pub fn is_answered(requests: &[u8], responses: &[u8]) -> bool {
    finals(requests, responses, false).len() >= methods(requests).len()
}

/// Returns the bytes after the last response if they cannot begin another one, such as content that
/// should not be there.
pub fn stray<'a>(requests: &[u8], responses: &'a [u8], ended: bool) -> Option<&'a [u8]> {
    let (_, used) = ReceivedResponse::all(responses, &methods(requests), ended);
    let rest = &responses[used..];
    let begins = rest.iter().zip(b"HTTP/1.").all(|(one, other)| one == other);
    (!begins).then_some(rest)
}

/// Returns the offset of the first byte that breaks a rule in a stream of responses to these requests,
/// and the rule. It also finds what a client may accept: a client may read LF as a line end, but a
/// server must send CR LF (RFC 9112 section 2.2).
pub fn broken(requests: &[u8], responses: &[u8], ended: bool) -> Option<(usize, &'static str)> {
    let (read, used) = ReceivedResponse::all(responses, &methods(requests), ended);
    for response in &read {
        if let Some(at) = bare_lf(&response.head) {
            let rule = "each line of a head ends in CR LF, not in LF alone";
            return Some((response.span.start + at, rule));
        }
        if let Some(at) = bad_length(response) {
            let rule =
                "Content-Length is one number: with this value the end of the content is unknown";
            return Some((response.span.start + at, rule));
        }
    }
    let rest = &responses[used..];
    if read.last().is_some_and(|last| !last.is_whole) {
        let is_lost = !rest.is_empty();
        return is_lost.then_some((used, "a chunk is its size in hex, CR LF, its bytes, CR LF"));
    }
    if stray(requests, responses, ended).is_some() {
        let rule = match read.is_empty() {
            true => "a response begins with its status line, such as HTTP/1.1 200 OK",
            false => "the response has ended, so only the next response can follow",
        };
        return Some((used, rule));
    }
    if let Some(at) = bare_lf(rest) {
        return Some((used + at, "each line of a head ends in CR LF, not in LF alone"));
    }
    // If these bytes are not the start of a head, one of their prefixes is the shortest that is not. It
    // ends with the byte that breaks the head.
    let rest = &rest[..rest.len().min(MAX_SEARCHED_BYTES)];
    let is_no_head = |length: usize| Outline::parse(&rest[..length], false).is_none();
    let lengths: Vec<usize> = (1..=rest.len()).collect();
    let shortest = lengths.partition_point(|&length| !is_no_head(length));
    (shortest < rest.len()).then_some((used + shortest, "this byte is not allowed here in a head"))
}

/// Returns the offset of the first LF without a CR before it.
fn bare_lf(head: &[u8]) -> Option<usize> {
    (0..head.len()).find(|&at| head[at] == b'\n' && (at == 0 || head[at - 1] != b'\r'))
}

/// Returns the offset of the last Content-Length field if the fields do not give one length.
fn bad_length(response: &ReceivedResponse) -> Option<usize> {
    let outline = response.outline()?;
    let ending = Ending::of(&outline, None);
    let is_bad = matches!(ending, Ending::LengthInvalid | Ending::LengthsDiffer);
    let last = outline.fields().spans("content-length").last();
    last.filter(|_| is_bad && !response.is_whole).map(|(name, _)| name.start())
}

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
    use crate::transcript::{Item, Transcript};

    const RESPONSES: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nallow: HEAD\r\nContent-Length: 2\r\n\r\nno\
        HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

    const REQUESTS: &[u8] = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwhat\
        HEAD / HTTP/1.1\r\nHost : h\r\n\r\n";

    fn judged(assertions: &str) -> Result<(), String> {
        let page = Transcript::parse(&format!("???\n{assertions}\n")).expect("assertions");
        let [Item::Assertions(assertions)] = &page.items[..] else { panic!("only assertions") };
        let responses = finals(REQUESTS, RESPONSES, false);
        assertions
            .iter()
            .try_for_each(|assertion| judge(assertion, &responses))
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

    #[test]
    fn the_ends_of_responses_and_stray_bytes_are_found() {
        assert_eq!(methods(REQUESTS), [Method::Put, Method::Head]);
        assert_eq!(methods(b"PUT / HTTP/1.1\r\nContent-Length: x\r\n\r\nhi\r\n"), [Method::Put]);
        assert_eq!(ends(REQUESTS, RESPONSES), [25, 25 + 81, RESPONSES.len()]);
        assert!(is_answered(REQUESTS, RESPONSES) && !is_answered(REQUESTS, &RESPONSES[..110]));
        assert_eq!(stray(REQUESTS, RESPONSES, false), None);
        let more = [RESPONSES, b"hello"].concat();
        assert_eq!(stray(REQUESTS, &more, false), Some(&b"hello"[..]));
    }

    #[test]
    fn a_response_that_is_cut_short_counts_only_after_the_connection_has_ended() {
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour";
        assert_eq!(finals(b"GET / HTTP/1.1\r\n\r\n", cut, false), []);
        let responses = finals(b"GET / HTTP/1.1\r\n\r\n", cut, true);
        assert_eq!((responses.len(), responses[0].is_whole), (1, false));
    }

    #[test]
    fn the_first_byte_that_breaks_a_rule_is_found_with_the_rule() {
        let found = |responses: &str| broken(REQUESTS, responses.as_bytes(), false);
        for cut in 0..RESPONSES.len() {
            assert_eq!(broken(REQUESTS, &RESPONSES[..cut], false), None, "cut at {cut}");
        }
        for (responses, at, rule) in [
            ("hello", 0, "status line"),
            ("HTTP/2 200\r\n\r\n", 0, "status line"),
            ("HTTP/1.1 ok\r\n\r\n", 9, "this byte"),
            ("HTTP/1.1 200 OK\r\nDate : x\r\n\r\n", 21, "this byte"),
            ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", 15, "CR LF"),
            ("HTTP/1.1 200 OK\r\nDate: x\n", 24, "CR LF"),
            ("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nsome", 46, "ended"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsome\r\n", 47, "a chunk"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
                36,
                "one number",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", 17, "one number"),
        ] {
            let (offset, why) = found(responses).expect(responses);
            assert_eq!(offset, at, "{responses}");
            assert!(why.contains(rule), "{responses}: {why}");
        }
    }
}
