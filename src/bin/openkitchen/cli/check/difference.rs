//! A difference between the transcript and the server: what was expected, what was received, and a
//! caret under the first byte that differs.
//!
//! ```text
//! expected:  field Allow is GET, HEAD
//! got:       field Allow is GET, POST
//!                                ^ byte 5 of the value
//! ```

use openkitchen::message::visible::Visible;
use openkitchen::transcript::judge::Found;
use openkitchen::transcript::{Assertion, Fact};

/// Bytes that are shown before and after the one that differs.
const SHOWN_BEFORE: usize = 30;
const SHOWN_AFTER: usize = 30;

/// What a caret's byte is a part of, if all received bytes of a connection are compared.
pub const RECEIVED: &str = "the received bytes";

/// One difference. All texts have visible characters only.
#[derive(Debug, PartialEq)]
pub struct Difference {
    /// What the transcript expects.
    pub expected: String,
    /// What the server sent or did.
    pub got: String,
    /// The first byte that differs, if bytes were compared.
    pub caret: Option<Caret>,
}

/// The position of a caret below the line `got`, and the byte that it points at.
#[derive(Debug, PartialEq)]
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
        Difference { expected: expected.into(), got: got.into(), caret: None }
    }

    /// A difference between two byte strings at the offset `at`, where one of them may end. Both are
    /// shown after the same `word`.
    pub fn bytes(
        word: &str,
        (expected, got): (&[u8], &[u8]),
        at: usize,
        of: &'static str,
    ) -> Difference {
        let before = shown_before(got, at);
        let after = |bytes: &[u8]| match bytes.get(at..).unwrap_or_default() {
            [] => "(nothing)".to_owned(),
            rest => Visible(&rest[..rest.len().min(SHOWN_AFTER)]).to_string(),
        };
        let start = format!("{word}{before}");
        Difference {
            expected: format!("{start}{}", after(expected)),
            got: format!("{start}{}", after(got)),
            caret: Some(Caret { column: start.len(), byte: at, of }),
        }
    }

    /// A byte of the response that breaks a rule.
    pub fn rule(rule: &str, got: &[u8], at: usize) -> Difference {
        let difference = Difference::bytes("", (&[], got), at, RECEIVED);
        Difference { expected: rule.to_owned(), ..difference }
    }

    /// An assertion that is not true of the response that it names.
    pub fn assertion(assertion: &Assertion, found: &Found) -> Difference {
        let Assertion::Response { nth, fact } = assertion else {
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
                Difference {
                    expected: assertion.to_string(),
                    got: format!("{word}{status}"),
                    caret,
                }
            }
            (Fact::FieldIs(name, wanted), Found::Value(value)) => {
                let word = format!("{number}field {} is ", name.as_str());
                Difference::bytes(&word, (wanted, value), common_length(wanted, value), "the value")
            }
            (Fact::Body(wanted), Found::Content(content)) => {
                let word = format!("{number}body: ");
                Difference::bytes(
                    &word,
                    (wanted, content),
                    common_length(wanted, content),
                    "the content",
                )
            }
            (
                Fact::FieldContains(name, _) | Fact::NoField(name) | Fact::Field(name),
                Found::Value(value),
            ) => {
                let value = Visible(&value[..value.len().min(SHOWN_BEFORE + SHOWN_AFTER)]);
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
                let part = Visible(&content[..content.len().min(SHOWN_BEFORE + SHOWN_AFTER)]);
                let length = content.len();
                Difference::new(
                    assertion.to_string(),
                    format!("{number}body: {part} ({length} bytes)"),
                )
            }
            _ => Difference::new(assertion.to_string(), found.to_string()),
        }
    }
}

/// Returns the bytes before this one, cut at the front to what is shown.
fn shown_before(bytes: &[u8], at: usize) -> String {
    let before = &bytes[..at.min(bytes.len())];
    let from = before.len().saturating_sub(SHOWN_BEFORE);
    let cut = if from > 0 { "..." } else { "" };
    format!("{cut}{}", Visible(&before[from..]))
}

fn common_length(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use openkitchen::Transcript;
    use openkitchen::transcript::Item;

    /// The lines `expected`, `got` and the caret for an assertion that is not true.
    fn lines(assertion: &str, found: &Found) -> String {
        let transcript = Transcript::parse(&format!("???\n{assertion}\n")).expect("an assertion");
        let [Item::Assertions(assertions)] = &transcript.items[..] else {
            panic!("only assertions")
        };
        let Difference { expected, got, caret } = Difference::assertion(&assertions[0], found);
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
                "body: a\\nb\nbody: a\\n(nothing)\n         ^ 2",
            ),
            ("field A contains b", value("c"), "field A contains b\nfield A is c\n"),
            ("no field A", value("c"), "no field A\nfield A is c\n"),
            ("2: field A", Found::NoField, "2: field A\n2: no field A\n"),
            (
                "body contains \"b\"",
                Found::Content(b"c".into()),
                "body contains \"b\"\nbody: c (1 bytes)\n",
            ),
        ] {
            assert_eq!(lines(assertion, &found), expected, "{assertion}");
        }
    }

    #[test]
    fn long_bytes_are_cut_around_the_first_difference() {
        let (one, other) = ([b'x'; 200], [[b'x'; 100].as_slice(), &[b'y'; 100]].concat());
        let Difference { expected, got, caret } =
            Difference::bytes("", (&one, &other), 100, RECEIVED);
        assert_eq!(got, format!("...{}{}", "x".repeat(SHOWN_BEFORE), "y".repeat(SHOWN_AFTER)));
        assert_eq!(expected, format!("...{}", "x".repeat(SHOWN_BEFORE + SHOWN_AFTER)));
        assert_eq!(caret.map(|caret| caret.column), Some(3 + SHOWN_BEFORE));
        let Difference { expected, got, .. } = Difference::rule("no control bytes", b"\x1b[2J", 0);
        assert_eq!((expected.as_str(), got.as_str()), ("no control bytes", "\\x1b[2J"));
    }
}
