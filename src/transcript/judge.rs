//! # Assertions, judged
//!
//! A stranger's server has answered. Are the assertions of a page true of what came, and if not, what is
//! true instead?
//!
//! ```text
//! sent   GET / HTTP/1.1␍␊ … HEAD / HTTP/1.1␍␊ …          two requests, so two final answers
//! came   HTTP/1.1 100 … HTTP/1.1 405 … no HTTP/1.1 200 …
//!                       └ number 1 ─────┘└ number 2 ─────┘
//! ```
//! Rule: RFC 9110 section 15.2, an interim answer (1xx) is not the one that a request waits for, so
//! only final ones are counted. What was asked has to be known, for only that tells that an answer
//! to HEAD has no content (RFC 9112 section 6.3).
//!
//! Left out: `closed` and `open`, for they need a connection and a clock; whoever has both judges
//! them.

use std::fmt;

use super::{Assertion, Fact, FieldName};
use crate::message::ending::Ending;
use crate::message::method::Method;
use crate::message::outline::Outline;
use crate::message::reader::{Part, Reader, ReceivedResponse};
use crate::message::visible::Visible;

/// Bytes of a head in which a byte is looked for that breaks it: more than most servers send or take.
const SEARCHED: usize = 64 * 1024;

/// The methods of the requests, as far as they can be followed. Of one that cannot, only this counts:
/// whether it is a HEAD, whose answer has no content.
pub fn methods(requests: &[u8]) -> Vec<Method> {
    let (mut reader, mut methods, mut used) = (Reader::requests(), Vec::new(), 0);
    let mut uncounted = Some(0);
    while let Some(stretch) = reader.next(&requests[used..]) {
        used += stretch.length;
        if stretch.part == Part::Unframed {
            // One whose head could be read is counted, though nobody can tell where it ends.
            methods.extend(uncounted.map(|start| {
                let request = &requests[start..];
                let request = request.strip_prefix(b"\r\n").unwrap_or(request);
                if request.starts_with(b"HEAD ") { Method::Head } else { Method::Get }
            }));
            break;
        }
        if stretch.head_is_whole {
            methods.push(reader.method());
            uncounted = None;
        }
        if stretch.ends_message {
            uncounted = Some(used);
        }
    }
    methods
}

/// Whether the last of what a client sent is the beginning of a head, which a server may yet answer: with
/// 400, or 408.
pub fn ends_within_a_head(requests: &[u8]) -> bool {
    let (mut reader, mut used, mut is_within) = (Reader::requests(), 0, false);
    while let Some(stretch) = reader.next(&requests[used..]) {
        used += stretch.length;
        is_within = stretch.part == Part::Head && !stretch.head_is_whole;
    }
    is_within
}

/// The final answers in what a server sent to a client that sent `requests`. One that is not whole
/// yet is left out, unless the connection has ended and no more will come.
pub fn finals(requests: &[u8], answers: &[u8], ended: bool) -> Vec<ReceivedResponse> {
    let (mut answers, _) = ReceivedResponse::all(answers, &methods(requests), ended);
    answers.retain(|answer| answer.status >= 200 && (answer.is_whole || ended));
    answers
}

/// The offsets behind each answer that is whole, interim ones too.
pub fn ends(requests: &[u8], answers: &[u8]) -> Vec<usize> {
    let (answers, _) = ReceivedResponse::all(answers, &methods(requests), false);
    answers.iter().filter(|answer| answer.is_whole).map(|answer| answer.span.end).collect()
}

/// Whether each request that is whole has its final answer, and that one is whole.
pub fn is_answered(requests: &[u8], answers: &[u8]) -> bool {
    finals(requests, answers, false).len() >= methods(requests).len()
}

/// What follows the last answer and is the beginning of none: content where there should be none.
pub fn stray<'a>(requests: &[u8], answers: &'a [u8], ended: bool) -> Option<&'a [u8]> {
    let (_, used) = ReceivedResponse::all(answers, &methods(requests), ended);
    let rest = &answers[used..];
    let begins = rest.iter().zip(b"HTTP/1.").all(|(one, other)| one == other);
    (!begins).then_some(rest)
}

/// The first byte that cannot stand where it does in any stream of answers to these requests, and
/// the rule that it breaks. It finds what a client may forgive, too: a client may take LF for a
/// line's end, and a server has to send CR LF all the same (RFC 9112 section 2.2).
pub fn broken(requests: &[u8], answers: &[u8], ended: bool) -> Option<(usize, &'static str)> {
    let (read, used) = ReceivedResponse::all(answers, &methods(requests), ended);
    for answer in &read {
        if let Some(at) = bare_lf(&answer.head) {
            let rule = "each line of a head ends in CR LF, not in LF alone";
            return Some((answer.span.start + at, rule));
        }
        if let Some(at) = bad_length(answer) {
            let rule =
                "Content-Length is one number: by this nobody can tell where the content ends";
            return Some((answer.span.start + at, rule));
        }
    }
    let rest = &answers[used..];
    if read.last().is_some_and(|last| !last.is_whole) {
        let is_lost = !rest.is_empty();
        return is_lost.then_some((used, "a chunk is its size in hex, CR LF, its bytes, CR LF"));
    }
    if stray(requests, answers, ended).is_some() {
        let rule = match read.is_empty() {
            true => "an answer begins with its status line, such as HTTP/1.1 200 OK",
            false => "the answer has ended, so nothing but the next answer can follow",
        };
        return Some((used, rule));
    }
    if let Some(at) = bare_lf(rest) {
        return Some((used + at, "each line of a head ends in CR LF, not in LF alone"));
    }
    // What is no head at any length has a shortest beginning that is none: it ends at the byte.
    let rest = &rest[..rest.len().min(SEARCHED)];
    let is_none = |length: usize| Outline::parse(&rest[..length], false).is_none();
    let lengths: Vec<usize> = (1..=rest.len()).collect();
    let shortest = lengths.partition_point(|&length| !is_none(length));
    (shortest < rest.len()).then_some((used + shortest, "this byte cannot stand here in a head"))
}

/// The first LF without its CR.
fn bare_lf(head: &[u8]) -> Option<usize> {
    (0..head.len()).find(|&at| head[at] == b'\n' && (at == 0 || head[at - 1] != b'\r'))
}

/// The last of the fields because of which nobody can tell how long the content is.
fn bad_length(answer: &ReceivedResponse) -> Option<usize> {
    let outline = answer.outline()?;
    let ending = Ending::of(&outline, None);
    let is_bad = matches!(ending, Ending::LengthInvalid | Ending::LengthsDiffer);
    let place = outline.fields().spans("content-length").last();
    place.filter(|_| is_bad && !answer.is_whole).map(|(name, _)| name.start())
}

/// Which final answer a assertion speaks of, counted from 1; 0 for one on the connection.
pub fn nth(assertion: &Assertion) -> usize {
    match assertion {
        Assertion::Response { nth, .. } => nth.get() as usize,
        Assertion::Closed | Assertion::Open(_) => 0,
    }
}

/// What is true where a assertion is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Only so many answers, so there is none that the assertion could speak of.
    Answers(usize),
    /// This status code.
    Status(u16),
    /// No field with that name.
    NoField,
    /// This value, of all field lines with that name (RFC 9110 section 5.2).
    Value(Vec<u8>),
    /// This content.
    Content(Vec<u8>),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Answers(1) => f.write_str("1 answer came"),
            Found::Answers(count) => write!(f, "{count} answers came"),
            Found::Status(status) => write!(f, "the status is {status}"),
            Found::NoField => f.write_str("there is no such field"),
            Found::Value(value) => write!(f, "the value is \"{}\"", Visible(value)),
            Found::Content(content) => write!(f, "the content is \"{}\"", Visible(content)),
        }
    }
}

/// Whether a assertion on an answer is true of these answers, the first of which is number 1. Assertions on
/// the connection are not for this function, and always true.
///
/// # Errors
///
/// What is true instead.
pub fn judge(assertion: &Assertion, answers: &[ReceivedResponse]) -> Result<(), Found> {
    let Assertion::Response { nth, fact } = assertion else { return Ok(()) };
    match answers.get(nth.get() as usize - 1) {
        Some(answer) => judge_fact(fact, answer),
        None => Err(Found::Answers(answers.len())),
    }
}

fn judge_fact(fact: &Fact, answer: &ReceivedResponse) -> Result<(), Found> {
    let value = |name: &FieldName| value(answer, name.as_str());
    let field = |is_true: bool, value: Option<Vec<u8>>| match value {
        _ if is_true => Ok(()),
        Some(value) => Err(Found::Value(value)),
        None => Err(Found::NoField),
    };
    let content = |is_true: bool| {
        if is_true { Ok(()) } else { Err(Found::Content(answer.content.clone())) }
    };
    match fact {
        Fact::Status(statuses) if statuses.allow(answer.status) => Ok(()),
        Fact::Status(_) => Err(Found::Status(answer.status)),
        Fact::Field(name) => field(value(name).is_some(), value(name)),
        Fact::NoField(name) => field(value(name).is_none(), value(name)),
        Fact::FieldIs(name, wanted) => field(value(name).as_ref() == Some(wanted), value(name)),
        Fact::FieldContains(name, part) => {
            field(value(name).is_some_and(|value| contains(&value, part)), value(name))
        }
        Fact::Body(wanted) => content(answer.content == *wanted),
        Fact::BodyContains(part) => content(contains(&answer.content, part)),
    }
}

fn value(answer: &ReceivedResponse, name: &str) -> Option<Vec<u8>> {
    let outline = answer.outline()?;
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

    const ANSWERS: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nallow: HEAD\r\nContent-Length: 2\r\n\r\nno\
        HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

    const REQUESTS: &[u8] = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nwhat\
        HEAD / HTTP/1.1\r\nHost : h\r\n\r\n";

    fn judged(assertions: &str) -> Result<(), String> {
        let page = Transcript::parse(&format!("???\n{assertions}\n")).expect("assertions");
        let [Item::Assertions(assertions)] = &page.items[..] else { panic!("only assertions") };
        let answers = finals(REQUESTS, ANSWERS, false);
        assertions
            .iter()
            .try_for_each(|assertion| judge(assertion, &answers))
            .map_err(|found| found.to_string())
    }

    #[test]
    fn what_is_asserted_must_be_true_of_the_answer_it_speaks_of() {
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
    fn a_failed_assertion_tells_what_is_true() {
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
            ("3: status 200", "2 answers came"),
        ] {
            assert_eq!(judged(assertion), Err(found.to_owned()), "{assertion}");
        }
    }

    #[test]
    fn answers_have_ends_and_nothing_stands_behind_them() {
        assert_eq!(methods(REQUESTS), [Method::Put, Method::Head]);
        assert_eq!(methods(b"PUT / HTTP/1.1\r\nContent-Length: x\r\n\r\nhi\r\n"), [Method::Put]);
        assert_eq!(ends(REQUESTS, ANSWERS), [25, 25 + 81, ANSWERS.len()]);
        assert!(is_answered(REQUESTS, ANSWERS) && !is_answered(REQUESTS, &ANSWERS[..110]));
        assert_eq!(stray(REQUESTS, ANSWERS, false), None);
        let more = [ANSWERS, b"hello"].concat();
        assert_eq!(stray(REQUESTS, &more, false), Some(&b"hello"[..]));
    }

    #[test]
    fn an_answer_that_is_cut_short_is_one_only_when_the_connection_has_ended() {
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour";
        assert_eq!(finals(b"GET / HTTP/1.1\r\n\r\n", cut, false), []);
        let answers = finals(b"GET / HTTP/1.1\r\n\r\n", cut, true);
        assert_eq!((answers.len(), answers[0].is_whole), (1, false));
    }

    #[test]
    fn the_first_byte_that_no_answer_has_is_found_with_its_rule() {
        let found = |answers: &str| broken(REQUESTS, answers.as_bytes(), false);
        for cut in 0..ANSWERS.len() {
            assert_eq!(broken(REQUESTS, &ANSWERS[..cut], false), None, "cut at {cut}");
        }
        for (answers, at, rule) in [
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
            let (place, why) = found(answers).expect(answers);
            assert_eq!(place, at, "{answers}");
            assert!(why.contains(rule), "{answers}: {why}");
        }
    }
}
