//! # Assertions: the lines below `???`
//!
//! An assertion says what must be true of a response whose exact bytes are not known:
//!
//! ```text
//! ???
//! status 405
//! field Allow contains GET
//! 2: status 200
//! 2: body "hello"
//! closed
//! ```
//!
//! Rule: an assertion is about one of the final responses since the last `???` (RFC 9110 §15: a 1xx is
//! not final). It is about the first, or about the one whose number precedes it. `closed` and `open` are
//! about the connection, after all responses. Left out: whether an assertion is true, which
//! [`judge`](super::judge) says.

use std::fmt;
use std::num::NonZeroU32;

use super::escape::{escape_value, parse_quoted, parse_value, quote};
use super::text::{Millis, first_word};
use crate::message::fields::{is_token, parse_digits};

/// One assertion: one line below `???`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// `status 400`, `2: status 200`
    Response {
        /// Which final response since the last `???`; the first is 1.
        nth: NonZeroU32,
        /// What must be true of that response.
        fact: Fact,
    },
    /// `closed`: the server closed the connection.
    Closed,
    /// `open 300ms`: the server left the connection open for this long.
    Open(Millis),
}

/// A fact about a response, which is true of it or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `status 400|501`
    Status(Statuses),
    /// `field Date`: the response has this field, with any value.
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
    /// An assertion about the first final response.
    pub fn first(fact: Fact) -> Assertion {
        Assertion::Response { nth: NonZeroU32::MIN, fact }
    }

    pub(super) fn parse(line: &str) -> Result<Assertion, String> {
        let (word, rest) = first_word(line);
        match word {
            "closed" if rest.is_empty() => return Ok(Assertion::Closed),
            "open" => return Millis::parse(rest).map(Assertion::Open),
            _ => {}
        }
        let Some(nth) = word.strip_suffix(':') else {
            return Fact::parse(line).map(Assertion::first);
        };
        let nth = parse_digits(nth.as_bytes())
            .ok_or("the number of a response, from 1, before the colon")?;
        Fact::parse(rest).map(|fact| Assertion::Response { nth, fact })
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Assertion::Response { nth: NonZeroU32::MIN, fact } => write!(f, "{fact}"),
            Assertion::Response { nth, fact } => write!(f, "{nth}: {fact}"),
            Assertion::Closed => f.write_str("closed"),
            Assertion::Open(millis) => write!(f, "open {millis}"),
        }
    }
}

impl Fact {
    fn parse(text: &str) -> Result<Fact, String> {
        let (word, rest) = first_word(text);
        match word {
            "status" => {
                let statuses = Statuses::new(rest).ok_or("a status: 400, 4xx or 400|501")?;
                Ok(Fact::Status(statuses))
            }
            "field" => parse_field(rest),
            "no" => match first_word(rest) {
                ("field", name) => Ok(Fact::NoField(parse_name(name)?)),
                _ => Err("no field NAME".to_owned()),
            },
            "body" => match first_word(rest) {
                ("contains", quoted) => Ok(Fact::BodyContains(parse_whole_quoted(quoted)?)),
                _ => Ok(Fact::Body(parse_whole_quoted(rest)?)),
            },
            _ => {
                Err("an assertion: status, field, no field or body, or closed or open alone"
                    .to_owned())
            }
        }
    }
}

fn parse_field(text: &str) -> Result<Fact, String> {
    let (name, rest) = first_word(text);
    let name = parse_name(name)?;
    match first_word(rest) {
        ("", _) => Ok(Fact::Field(name)),
        ("is", value) => Ok(Fact::FieldIs(name, parse_value(value)?)),
        ("contains", value) => Ok(Fact::FieldContains(name, parse_value(value)?)),
        _ => Err("is VALUE or contains VALUE".to_owned()),
    }
}

fn parse_name(name: &str) -> Result<FieldName, String> {
    FieldName::new(name).ok_or_else(|| "a field's name, without its colon".to_owned())
}

fn parse_whole_quoted(text: &str) -> Result<Vec<u8>, String> {
    match parse_quoted(text)? {
        (bytes, "") => Ok(bytes),
        _ => Err("nothing after the closing quote".to_owned()),
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Status(Statuses(statuses)) => write!(f, "status {statuses}"),
            Fact::Field(FieldName(name)) => write!(f, "field {name}"),
            Fact::FieldIs(FieldName(name), value) => print_field(name, "is", value, f),
            Fact::FieldContains(FieldName(name), value) => print_field(name, "contains", value, f),
            Fact::NoField(FieldName(name)) => write!(f, "no field {name}"),
            Fact::Body(bytes) => write!(f, "body {}", quote(bytes)),
            Fact::BodyContains(bytes) => write!(f, "body contains {}", quote(bytes)),
        }
    }
}

fn print_field(name: &str, verb: &str, value: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "field {name} {verb}")?;
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
        ] {
            both_ways(line, &Assertion::first(fact));
        }
    }

    #[test]
    fn a_number_before_an_assertion_selects_the_response() {
        let fact = Fact::Status(statuses("200"));
        let nth = NonZeroU32::new(2).expect("not zero");
        both_ways("2: status 200", &Assertion::Response { nth, fact: fact.clone() });
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
        const ASSERTION: &str =
            "an assertion: status, field, no field or body, or closed or open alone";
        const STATUS: &str = "a status: 400, 4xx or 400|501";
        const NAME: &str = "a field's name, without its colon";
        for (line, expected) in [
            ("Status 400", ASSERTION),
            ("2: closed", ASSERTION),
            ("2: open 1s", ASSERTION),
            ("closed at once", ASSERTION),
            ("2:", ASSERTION),
            ("0: status 200", "the number of a response, from 1, before the colon"),
            ("Allow: GET", "the number of a response, from 1, before the colon"),
            ("open", "a duration: 200ms or 2s"),
            ("status", STATUS),
            ("status 40", STATUS),
            ("status 4x0", STATUS),
            ("status 400|", STATUS),
            ("status 400 | 501", STATUS),
            ("field", NAME),
            ("field Allow: GET", NAME),
            ("no field", NAME),
            ("no field Date is x", NAME),
            ("no body", "no field NAME"),
            ("field Allow has GET", "is VALUE or contains VALUE"),
            (r"field X is \q", r"an escape: \r \n \t \0 \\ or \xHH"),
            ("body hello", "an opening quote"),
            ("body \"hello", "a closing quote"),
            ("body \"hello\" there", "nothing after the closing quote"),
            ("body contains", "an opening quote"),
        ] {
            assert_eq!(Assertion::parse(line), Err(expected.to_owned()), "{line}");
        }
    }
}
