//! # A difference between a transcript and what was received, as text
//!
//! What a transcript expects, what the other side sent or did, and a caret under the first byte that
//! differs.
//!
//! ```text
//! expected:  field Allow is GET, HEAD
//! got:       field Allow is GET, POST
//!                                ^ byte 5 of the value
//! ```
//! Next: `send`.

use super::expected::common_length;
use crate::message::counted::counted;
use crate::message::visible::Visible;
use crate::transcript::judge::Found;
use crate::transcript::{Assertion, Fact};

/// Bytes of a line that are shown before the one that differs, and from it on.
const SHOWN_BEFORE: usize = 30;
const SHOWN_AFTER: usize = 30;

/// What stands where a line is cut.
const CUT: &str = "...";

/// What a caret's byte is a part of, if all received bytes of a connection are compared.
pub const RECEIVED: &str = "the received bytes";

/// One difference. All texts have visible characters only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the transcript expects.
    pub expected: String,
    /// What the other side sent or did.
    pub got: String,
    /// The first byte that differs, if bytes were compared.
    pub caret: Option<Caret>,
    /// What other cases fail for too, whatever they test: two differences with the same cause are one.
    pub cause: Option<Cause>,
}

/// A cause of differences in many cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The difference has this cause.
    Certain(String),
    /// It has this cause if another case has failed for it.
    Possible(String),
}

impl Cause {
    /// The cause itself.
    pub fn as_str(&self) -> &str {
        match self {
            Cause::Certain(cause) | Cause::Possible(cause) => cause,
        }
    }
}

/// The position of a caret below the line `got`, and the byte that it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caret {
    /// The number of characters before the caret.
    pub column: usize,
    /// The offset of the byte, from 0.
    pub byte: usize,
    /// What the byte is a part of, such as `the value`.
    pub of: &'static str,
}

impl Difference {
    /// A difference without a caret.
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Difference {
        Difference { expected: expected.into(), got: got.into(), caret: None, cause: None }
    }

    /// The same difference, with this cause.
    pub fn because(self, cause: impl Into<String>) -> Difference {
        Difference { cause: Some(Cause::Certain(cause.into())), ..self }
    }

    /// A difference of the received bytes at the offset `at` from these `expected` ones. Only the line
    /// of that byte is shown, with `...` where it is cut. Both begin with the same `word`, and with the
    /// bytes of the line that were received before.
    pub fn bytes(
        word: &str,
        expected: &[u8],
        (got, at): (&[u8], usize),
        of: &'static str,
    ) -> Difference {
        let (before, rest) = got.split_at(at);
        let line = before.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        let from = line.len().saturating_sub(SHOWN_BEFORE);
        let cut = if from > 0 { CUT } else { "" };
        let start = format!("{word}{cut}{}", Visible(&line[from..]));
        let after = |bytes: &[u8]| {
            let line = bytes.split_inclusive(|&byte| byte == b'\n').next();
            let text = line.map_or("(nothing)".to_owned(), |line| shown(line, SHOWN_AFTER));
            format!("{start}{text}")
        };
        let caret = Some(Caret { column: start.len(), byte: at, of });
        Difference { caret, ..Difference::new(after(expected), after(rest)) }
    }

    /// A byte of the response that breaks a rule.
    pub fn rule(rule: &str, got: &[u8], at: usize) -> Difference {
        let difference = Difference::bytes("", &[], (got, at), RECEIVED);
        Difference { expected: rule.to_owned(), ..difference }.because(rule)
    }

    /// An assertion that is not true of the message that it names.
    pub fn assertion(assertion: &Assertion, found: &Found) -> Difference {
        let Assertion::Message { nth, fact } = assertion else {
            return Difference::new(assertion.to_string(), found.to_string());
        };
        let number = if nth.get() == 1 { String::new() } else { format!("{nth}: ") };
        match (fact, found) {
            (Fact::Status(statuses), Found::Status(status)) => {
                let word = format!("{number}status ");
                // The caret points at the first digit that no allowed status has there.
                let is_prefix = |digits: u32| {
                    let cut = |code: u16| code / 10_u16.pow(3 - digits);
                    (100..1000).any(|code| cut(code) == cut(*status) && statuses.allow(code))
                };
                let digit = (1..=3).find(|&digits| !is_prefix(digits)).unwrap_or(1) as usize - 1;
                // In the status line, the status follows `HTTP/1.1 `.
                let (column, byte) = (word.len() + digit, 9 + digit);
                let caret = Some(Caret { column, byte, of: "the response" });
                let difference = Difference::new(assertion.to_string(), format!("{word}{status}"));
                // A server that answers an ordinary request with such a status does so to all of them.
                let is_general = *status >= 500 || (*status >= 400 && statuses.allow(200));
                let name = format!("status {status}");
                let cause = match is_general {
                    true => Some(Cause::Certain(name)),
                    false if *status >= 400 => Some(Cause::Possible(name)),
                    false => None,
                };
                Difference { caret, cause, ..difference }
            }
            (Fact::TargetIs(wanted), Found::Target(target)) => {
                let word = format!("{number}target is ");
                let at = common_length(wanted, target);
                Difference::bytes(&word, &wanted[at..], (target, at), "the target")
            }
            (Fact::FieldIs(name, wanted), Found::Value(value)) => {
                let word = format!("{number}field {} is ", name.as_str());
                let at = common_length(wanted, value);
                Difference::bytes(&word, &wanted[at..], (value, at), "the value")
            }
            (Fact::Body(wanted), Found::Content(content)) => {
                let word = format!("{number}body: ");
                let at = common_length(wanted, content);
                Difference::bytes(&word, &wanted[at..], (content, at), "the content")
            }
            (
                Fact::FieldContains(name, _) | Fact::NoField(name) | Fact::Field(name),
                Found::Value(value),
            ) => {
                let value = shown(value, SHOWN_BEFORE + SHOWN_AFTER);
                Difference::new(
                    assertion.to_string(),
                    format!("{number}field {} is {value}", name.as_str()),
                )
            }
            (
                Fact::FieldIs(name, _) | Fact::FieldContains(name, _) | Fact::Field(name),
                Found::NoField,
            ) => Difference::new(
                assertion.to_string(),
                format!("{number}no field {}", name.as_str()),
            ),
            (_, Found::Content(content)) => {
                let part = shown(content, SHOWN_BEFORE + SHOWN_AFTER);
                let length = counted(content.len(), "byte", "bytes");
                Difference::new(assertion.to_string(), format!("{number}body: {part} ({length})"))
            }
            _ => Difference::new(assertion.to_string(), found.to_string()),
        }
    }
}

/// These bytes, visible, in about the columns of so many: cut if they are more.
pub fn shown(bytes: &[u8], columns: usize) -> String {
    match bytes.len() > columns {
        true => format!("{}{CUT}", Visible(&bytes[..columns - CUT.len()])),
        false => Visible(bytes).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Item;
    use crate::transcript::Transcript;

    /// The lines `expected`, `got` and the caret for an assertion that is not true.
    fn lines(assertion: &str, found: &Found) -> String {
        let transcript = Transcript::parse(&format!("???\n{assertion}\n")).expect("an assertion");
        let [Item::Assertions(assertions)] = &transcript.items[..] else {
            panic!("only assertions")
        };
        let Difference { expected, got, caret, .. } = Difference::assertion(&assertions[0], found);
        let caret = caret.map(|caret| format!("{:1$}^ {2}", "", caret.column, caret.byte));
        format!("{expected}\n{got}\n{}", caret.unwrap_or_default())
    }

    #[test]
    fn the_caret_stands_under_the_first_byte_that_differs() {
        let value = |value: &str| Found::Value(value.into());
        for (assertion, found, expected) in [
            ("status 400", Found::Status(200), "status 400\nstatus 200\n       ^ 9"),
            (
                "2: status 404|410",
                Found::Status(401),
                "2: status 404|410\n2: status 401\n            ^ 11",
            ),
            ("status 4xx|500", Found::Status(501), "status 4xx|500\nstatus 501\n         ^ 11"),
            (
                "field A is b, c",
                value("b, d"),
                "field A is b, c\nfield A is b, d\n              ^ 3",
            ),
            (
                "body \"a\\nb\"",
                Found::Content(b"a\n".into()),
                "body: b\nbody: (nothing)\n      ^ 2",
            ),
            (
                "target is /a?b",
                Found::Target("/a?c".into()),
                "target is /a?b\ntarget is /a?c\n             ^ 3",
            ),
            ("method PUT", Found::Method("GET".into()), "method PUT\nthe method is GET\n"),
            ("field A contains b", value("c"), "field A contains b\nfield A is c\n"),
            ("no field A", value("c"), "no field A\nfield A is c\n"),
            ("2: field A", Found::NoField, "2: field A\n2: no field A\n"),
            (
                "body contains \"b\"",
                Found::Content(b"c".into()),
                "body contains \"b\"\nbody: c (1 byte)\n",
            ),
        ] {
            assert_eq!(lines(assertion, &found), expected, "{assertion}");
        }
    }

    #[test]
    fn only_what_other_cases_fail_for_too_has_a_cause() {
        let status = |assertion: &str, status| {
            let transcript = Transcript::parse(&format!("???\n{assertion}\n")).expect(assertion);
            let [Item::Assertions(all)] = &transcript.items[..] else { panic!("{assertion}") };
            Difference::assertion(&all[0], &Found::Status(status)).cause
        };
        let forbidden = || "status 403".to_owned();
        assert_eq!(status("status 2xx|3xx|404", 403), Some(Cause::Certain(forbidden())));
        assert_eq!(status("2: status 200", 403), Some(Cause::Certain(forbidden())));
        assert_eq!(status("status 400", 403), Some(Cause::Possible(forbidden())));
        assert_eq!(status("status 400", 500), Some(Cause::Certain("status 500".into())));
        assert_eq!(status("status 400", 200), None);
        let rule = Difference::rule("a rule", b"hello", 0);
        assert_eq!(rule.cause, Some(Cause::Certain("a rule".into())));
    }

    #[test]
    fn long_bytes_are_cut_around_the_first_difference() {
        let (one, other) = ([b'x'; 200], [[b'x'; 100].as_slice(), &[b'y'; 100]].concat());
        let Difference { expected, got, caret, .. } =
            Difference::bytes("", &one[100..], (&other, 100), RECEIVED);
        let (before, after) = (SHOWN_BEFORE, SHOWN_AFTER - CUT.len());
        assert_eq!(got, format!("...{}{}...", "x".repeat(before), "y".repeat(after)));
        assert_eq!(expected, format!("...{}...", "x".repeat(before + after)));
        assert_eq!(caret.map(|caret| caret.column), Some(3 + SHOWN_BEFORE));
        let Difference { expected, got, .. } = Difference::rule("no control bytes", b"\x1b[2J", 0);
        assert_eq!((expected.as_str(), got.as_str()), ("no control bytes", "\\x1b[2J"));
    }

    #[test]
    fn a_line_is_cut_where_it_begins_and_ends() {
        for (expected, got, at, shown) in [
            ("X: 2\r\nY: z\r\n", "GET\r\nX: 1\r\n", 8, ("X: X: 2\\r\\n", "X: 1\\r\\n", 3)),
            ("", "GET\r\nX: 1\r\n", 5, ("(nothing)", "X: 1\\r\\n", 0)),
        ] {
            let Difference { expected, got, caret, .. } =
                Difference::bytes("", expected.as_bytes(), (got.as_bytes(), at), "the request");
            let column = caret.map_or(0, |caret| caret.column);
            assert_eq!((expected.as_str(), got.as_str(), column), shown);
        }
    }
}
