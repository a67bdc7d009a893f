//! # Assertions: the lines below `???`
//!
//! An assertion says what must be true of a message whose exact bytes are not known:
//!
//! ```text
//! >>>
//! ???                            a group about the request, which the next block answers
//! method POST
//! field Content-Type contains json
//! <<<
//! ???                            a group about the responses since the last group
//! status 405
//! field Allow contains GET
//! 2: status 200
//! 2: body "hello"
//! closed
//! ```
//!
//! Rule: an assertion is about the first message since the last group, or about the one whose number
//! precedes it. Of the responses only final ones count (RFC 9110 §15: a 1xx is not final). Only a request
//! has a method and a target, and only a response has a status. `closed` and `open` are about the
//! connection, after all responses. What other assertions are about, [`subjects`](super::subjects) says.
//! Left out: whether an assertion is true, which [`judge`](super::judge) says.

use std::fmt;
use std::num::NonZeroU32;

use super::escape::{Letters, escape_value, parse_quoted, parse_value, quote};
use super::fault::LineFault;
use super::text::{Millis, first_word};
use crate::message::dialogue::Side;
use crate::message::fields::{is_token, parse_digits};

/// One assertion: one line below `???`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// `status 400`, `2: status 200`, `method POST`
    Message {
        /// Which request or final response since the last group; the first is 1.
        nth: NonZeroU32,
        /// What must be true of that message.
        fact: Fact,
    },
    /// `closed`: the server closed the connection.
    Closed,
    /// `open 300ms`: the server left the connection open for this long.
    Open(Millis),
}

/// A fact about a request or a response, which is true of it or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `status 400|501`: only about a response.
    Status(Statuses),
    /// `method GET|HEAD`: only about a request.
    Method(Methods),
    /// `target is /x`: only about a request. The target is compared as it was sent.
    TargetIs(Vec<u8>),
    /// `target contains /x`
    TargetContains(Vec<u8>),
    /// `field Date`: the message has this field, with any value.
    Field(FieldName),
    /// `field Content-Length is 5`
    FieldIs(FieldName, Vec<u8>),
    /// `field Allow contains GET`
    FieldContains(FieldName, Vec<u8>),
    /// `no field Content-Length`
    NoField(FieldName),
    /// `body "hello"`: the content, without its framing, is exactly this.
    Body(Vec<u8>),
    /// `body contains "hello"`
    BodyContains(Vec<u8>),
}

/// The status codes that an assertion allows: `400`, `4xx`, `400|501`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(String);

impl Statuses {
    /// Parses codes of three digits and classes such as `4xx`, separated by `|`. `None` for other text.
    pub fn new(text: &str) -> Option<Statuses> {
        let is_status = |status: &str| match status.as_bytes() {
            [b'1'..=b'9', b'x', b'x'] => true,
            [b'1'..=b'9', rest @ ..] => rest.len() == 2 && rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        text.split('|').all(is_status).then(|| Statuses(text.to_owned()))
    }

    /// Whether this status code is allowed.
    pub fn allow(&self, code: u16) -> bool {
        let class = format!("{}xx", code / 100);
        let code = code.to_string();
        self.0.split('|').any(|status| status == code || status == class)
    }
}

/// The methods that an assertion allows: `POST`, `GET|HEAD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods(String);

impl Methods {
    /// Parses methods, separated by `|`: any tokens (RFC 9110 §9.1). `None` for other text.
    pub fn new(text: &str) -> Option<Methods> {
        let is_method = |method: &str| is_token(method.as_bytes());
        text.split('|').all(is_method).then(|| Methods(text.to_owned()))
    }

    /// Whether this method is allowed. The case of its letters counts.
    pub fn allow(&self, method: &[u8]) -> bool {
        self.0.split('|').any(|allowed| allowed.as_bytes() == method)
    }
}

/// A field name: a token (RFC 9110 §5.6.2), in the case in which it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName(String);

impl FieldName {
    /// A field name, or `None` if this is not a token.
    pub fn new(name: &str) -> Option<FieldName> {
        is_token(name.as_bytes()).then(|| FieldName(name.to_owned()))
    }

    /// The name as written. Compare it without regard to case (RFC 9110 §5.1).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Assertion {
    /// An assertion about the first message.
    pub fn first(fact: Fact) -> Assertion {
        Assertion::Message { nth: NonZeroU32::MIN, fact }
    }

    /// The side whose messages it is about, in a group about this side's. `None` if it is about the
    /// connection.
    pub fn about(&self, group: Side) -> Option<Side> {
        match self {
            Assertion::Closed | Assertion::Open(_) => None,
            Assertion::Message { fact, .. } => Some(match fact {
                Fact::Method(_) | Fact::TargetIs(_) | Fact::TargetContains(_) => Side::Client,
                Fact::Status(_) => Side::Server,
                _ => group,
            }),
        }
    }

    pub(super) fn parse(line: &str) -> Result<Assertion, LineFault<'_>> {
        let (word, rest) = first_word(line);
        match word {
            "closed" if rest.is_empty() => return Ok(Assertion::Closed),
            "closed" => return Err(LineFault::new(rest, "nothing after closed")),
            "open" => return Millis::parse(rest).map(Assertion::Open),
            _ => {}
        }
        let Some(name) = word.strip_suffix(':') else {
            return Fact::parse(line).map(Assertion::first);
        };
        let nth = parse_digits(name.as_bytes()).ok_or_else(|| {
            let expected = "the number of a message, from 1, before the colon";
            let known = WORDS.iter().find(|known| **known == name);
            LineFault { nearest: known.copied(), ..LineFault::new(word, expected) }
        })?;
        Fact::parse(rest).map(|fact| Assertion::Message { nth, fact })
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Assertion::Message { nth: NonZeroU32::MIN, fact } => write!(f, "{fact}"),
            Assertion::Message { nth, fact } => write!(f, "{nth}: {fact}"),
            Assertion::Closed => f.write_str("closed"),
            Assertion::Open(millis) => write!(f, "open {millis}"),
        }
    }
}

/// The words that an assertion begins with.
const WORDS: [&str; 8] = ["status", "method", "target", "field", "no", "body", "closed", "open"];

/// What frameworks say, and the word of the format.
const SYNONYMS: [(&str, &str); 7] = [
    ("header", "field"),
    ("path", "target"),
    ("uri", "target"),
    ("url", "target"),
    ("content", "body"),
    ("code", "status"),
    ("verb", "method"),
];

impl Fact {
    fn parse(text: &str) -> Result<Fact, LineFault<'_>> {
        let (word, rest) = first_word(text);
        match word {
            "status" => match Statuses::new(rest) {
                Some(statuses) => Ok(Fact::Status(statuses)),
                None => Err(LineFault::new(rest, "a status: 400, 4xx or 400|501")),
            },
            "method" => match Methods::new(rest) {
                Some(methods) => Ok(Fact::Method(methods)),
                None => Err(LineFault::new(rest, "a method: POST or GET|HEAD")),
            },
            "target" => match first_word(rest) {
                ("is", value) => Ok(Fact::TargetIs(parse_value(value)?)),
                ("contains", value) => Ok(Fact::TargetContains(parse_value(value)?)),
                (verb, _) => Err(no_verb(verb)),
            },
            "field" => parse_field(rest),
            "no" => match first_word(rest) {
                ("field", name) => Ok(Fact::NoField(parse_name(name)?)),
                (word, _) => Err(LineFault::word(word, "no field NAME", &["field"])),
            },
            "body" => match first_word(rest) {
                ("contains", quoted) => Ok(Fact::BodyContains(parse_whole_quoted(quoted)?)),
                // As a field and a target are spelled.
                ("is", quoted) => Ok(Fact::Body(parse_whole_quoted(quoted)?)),
                (word, _) if !word.starts_with('"') => {
                    let expected = "the content in quotes, or contains and a part of it in quotes";
                    Err(LineFault::word(word, expected, &["contains"]))
                }
                _ => Ok(Fact::Body(parse_whole_quoted(rest)?)),
            },
            _ => {
                let expected = "an assertion: status, method, target, field, no field or body, or \
                                closed or open alone";
                let fault = LineFault::word(word, expected, &WORDS);
                let synonym = SYNONYMS.iter().find(|(other, _)| *other == word);
                Err(LineFault {
                    nearest: synonym.map(|(_, ours)| *ours).or(fault.nearest),
                    ..fault
                })
            }
        }
    }
}

fn parse_field(text: &str) -> Result<Fact, LineFault<'_>> {
    let (name, rest) = first_word(text);
    let name = parse_name(name)?;
    match first_word(rest) {
        ("", _) => Ok(Fact::Field(name)),
        ("is", value) => Ok(Fact::FieldIs(name, parse_value(value)?)),
        ("contains", value) => Ok(Fact::FieldContains(name, parse_value(value)?)),
        (verb, _) => Err(no_verb(verb)),
    }
}

fn no_verb(word: &str) -> LineFault<'_> {
    LineFault::word(word, "is VALUE or contains VALUE", &["is", "contains"])
}

fn parse_name(name: &str) -> Result<FieldName, LineFault<'_>> {
    FieldName::new(name).ok_or_else(|| LineFault::new(name, "a field's name, without its colon"))
}

/// Parses the quoted text of a body, which ends the line.
fn parse_whole_quoted(text: &str) -> Result<Vec<u8>, LineFault<'_>> {
    match parse_quoted(text, Letters::Raw)? {
        (bytes, "") => Ok(bytes),
        (_, rest) => Err(LineFault::new(rest, "nothing after the closing quote")),
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Status(Statuses(statuses)) => write!(f, "status {statuses}"),
            Fact::Method(Methods(methods)) => write!(f, "method {methods}"),
            Fact::TargetIs(value) => print_value("target is", value, f),
            Fact::TargetContains(value) => print_value("target contains", value, f),
            Fact::Field(FieldName(name)) => write!(f, "field {name}"),
            Fact::FieldIs(FieldName(name), value) => {
                print_value(&format!("field {name} is"), value, f)
            }
            Fact::FieldContains(FieldName(name), value) => {
                print_value(&format!("field {name} contains"), value, f)
            }
            Fact::NoField(FieldName(name)) => write!(f, "no field {name}"),
            Fact::Body(bytes) => write!(f, "body {}", quote(bytes, Letters::Raw)),
            Fact::BodyContains(bytes) => write!(f, "body contains {}", quote(bytes, Letters::Raw)),
        }
    }
}

/// Prints a value after these words. An empty one leaves no space at the end of the line.
fn print_value(words: &str, value: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(words)?;
    if value.is_empty() { Ok(()) } else { write!(f, " {}", escape_value(value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn both_ways(line: &str, assertion: &Assertion) {
        assert_eq!(assertion.to_string(), line);
        assert_eq!(Assertion::parse(line).as_ref(), Ok(assertion));
    }

    fn name(name: &str) -> FieldName {
        FieldName::new(name).expect("a token")
    }

    fn statuses(text: &str) -> Statuses {
        Statuses::new(text).expect("statuses")
    }

    #[test]
    fn each_assertion_is_printed_and_parsed_as_one_line() {
        both_ways("closed", &Assertion::Closed);
        both_ways("open 300ms", &Assertion::Open(Millis(300)));
        for (line, fact) in [
            ("status 400", Fact::Status(statuses("400"))),
            ("status 4xx|501", Fact::Status(statuses("4xx|501"))),
            ("method POST", Fact::Method(Methods::new("POST").expect("a method"))),
            ("method get|M-X", Fact::Method(Methods::new("get|M-X").expect("methods"))),
            (r"target is /x?\xe9=\\", Fact::TargetIs(b"/x?\xe9=\\".into())),
            ("target contains", Fact::TargetContains(Vec::new())),
            ("field Date", Fact::Field(name("Date"))),
            ("field is is is", Fact::FieldIs(name("is"), b"is".into())),
            (
                "field Allow contains GET, HEAD",
                Fact::FieldContains(name("Allow"), b"GET, HEAD".into()),
            ),
            (r"field X is \x20a: \t\xe9\x20", Fact::FieldIs(name("X"), b" a: \t\xe9 ".into())),
            ("field X is", Fact::FieldIs(name("X"), Vec::new())),
            ("no field Content-Length", Fact::NoField(name("Content-Length"))),
            (r#"body """#, Fact::Body(Vec::new())),
            (r#"body "say \"hi\" \\\n ""#, Fact::Body(b"say \"hi\" \\\n ".into())),
            (r#"body contains "x""#, Fact::BodyContains(b"x".into())),
            (r#"body "\xcc\x81 Grüße\x1b""#, Fact::Body("\u{301} Grüße\x1b".into())),
        ] {
            both_ways(line, &Assertion::first(fact));
        }
    }

    #[test]
    fn a_number_before_an_assertion_selects_the_message() {
        let fact = Fact::Status(statuses("200"));
        let nth = NonZeroU32::new(2).expect("not zero");
        both_ways("2: status 200", &Assertion::Message { nth, fact: fact.clone() });
        assert_eq!(Assertion::parse(" 1:   status  200 "), Ok(Assertion::first(fact)));
    }

    #[test]
    fn statuses_allow_codes_and_classes() {
        let either = statuses("4xx|501");
        let allowed: Vec<u16> = (0..u16::MAX).filter(|code| either.allow(*code)).collect();
        assert_eq!(allowed, (400..=499).chain([501]).collect::<Vec<u16>>());
    }

    #[test]
    fn a_malformed_assertion_is_an_error_that_says_what_was_expected() {
        const ASSERTION: &str = "an assertion: status, method, target, field, no field or body, or \
                                 closed or open alone";
        const NUMBER: &str = "the number of a message, from 1, before the colon";
        const STATUS: &str = "a status: 400, 4xx or 400|501";
        const NAME: &str = "a field's name, without its colon";
        for (line, expected) in [
            ("Status 400", ASSERTION),
            ("2: closed", ASSERTION),
            ("2: open 1s", ASSERTION),
            ("closed at once", "nothing after closed"),
            ("2:", ASSERTION),
            ("0: status 200", NUMBER),
            ("Allow: GET", NUMBER),
            ("open", "a duration: 200ms or 2s"),
            ("status", STATUS),
            ("status 40", STATUS),
            ("status 4x0", STATUS),
            ("status 400|", STATUS),
            ("status 400 | 501", STATUS),
            ("method", "a method: POST or GET|HEAD"),
            ("method GET, HEAD", "a method: POST or GET|HEAD"),
            ("method GET|", "a method: POST or GET|HEAD"),
            ("target /x", "is VALUE or contains VALUE"),
            ("target is /é", r"\xc3\xa9 for 'é': letters beyond ASCII are raw only in content"),
            ("field", NAME),
            ("field Allow: GET", NAME),
            ("no field", NAME),
            ("no field Date is x", NAME),
            ("no body", "no field NAME"),
            ("field Allow has GET", "is VALUE or contains VALUE"),
            (r"field X is \q", r"an escape: \r \n \t \0 \\ or \xHH"),
            ("body hello", "the content in quotes, or contains and a part of it in quotes"),
            ("body \"hello", "a closing quote"),
            ("body \"hello\" there", "nothing after the closing quote"),
            ("body contains", "an opening quote"),
        ] {
            let fault = Assertion::parse(line).expect_err(line);
            assert_eq!(fault.expected, expected, "{line}");
            assert_eq!(fault.nearest.is_some(), line.starts_with("Status"), "{line}");
        }
    }

    #[test]
    fn a_misspelt_word_gets_the_nearest_one_that_is_allowed_there() {
        for (line, nearest) in [
            ("stauts 200", "status"),
            ("2: metod GET", "method"),
            ("feild Date", "field"),
            ("close", "closed"),
            ("field Allow contians GET", "contains"),
            ("target iss /x", "is"),
            ("body contians \"x\"", "contains"),
            ("no fields Date", "field"),
        ] {
            let fault = Assertion::parse(line).expect_err(line);
            assert_eq!(fault.nearest, Some(nearest), "{line}");
        }
    }

    #[test]
    fn only_a_request_has_a_method_and_only_a_response_a_status() {
        for (line, in_request_group, in_response_group) in [
            ("method GET", Some(Side::Client), Some(Side::Client)),
            ("target contains /", Some(Side::Client), Some(Side::Client)),
            ("status 200", Some(Side::Server), Some(Side::Server)),
            ("field Date", Some(Side::Client), Some(Side::Server)),
            ("body \"\"", Some(Side::Client), Some(Side::Server)),
            ("closed", None, None),
        ] {
            let assertion = Assertion::parse(line).expect(line);
            let about = (assertion.about(Side::Client), assertion.about(Side::Server));
            assert_eq!(about, (in_request_group, in_response_group), "{line}");
        }
    }
}
