//! Where a server does other than the page says: what was expected, what came instead, and a caret
//! under the first byte that differs.
//!
//! ```text
//! expected:  field Allow is GET, HEAD
//! got:       field Allow is GET, POST
//!                                ^ byte 5 of the value
//! ```

use openkitchen::message::visible::Visible;
use openkitchen::transcript::judge::Found;
use openkitchen::transcript::{Assertion, Fact};

/// Bytes that are shown before the one that differs, and behind it.
const BEFORE: usize = 30;
const BEHIND: usize = 30;

/// A difference.
#[derive(Debug, PartialEq)]
pub struct Difference {
    /// What the page asks for. Visible characters only, as everything here.
    pub expected: String,
    /// What there was.
    pub got: String,
    /// The place of the first byte that differs, where bytes were compared.
    pub caret: Option<Caret>,
}

/// Where in a line of `got` a caret is due, and what it points at.
#[derive(Debug, PartialEq)]
pub struct Caret {
    /// Characters before it.
    pub column: usize,
    /// The byte's number, from 0.
    pub byte: usize,
    /// What it is a byte of.
    pub of: &'static str,
}

impl Difference {
    /// A difference that has no place.
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Difference {
        Difference { expected: expected.into(), got: got.into(), caret: None }
    }

    /// Two runs of bytes that part at that byte, or end there, shown behind the same word.
    pub fn bytes(
        word: &str,
        (expected, got): (&[u8], &[u8]),
        at: usize,
        of: &'static str,
    ) -> Difference {
        let before = shown(got, at);
        let behind = |bytes: &[u8]| match bytes.get(at..).unwrap_or_default() {
            [] => "(nothing)".to_owned(),
            rest => Visible(&rest[..rest.len().min(BEHIND)]).to_string(),
        };
        let start = format!("{word}{before}");
        Difference {
            expected: format!("{start}{}", behind(expected)),
            got: format!("{start}{}", behind(got)),
            caret: Some(Caret { column: start.len(), byte: at, of }),
        }
    }

    /// A byte that breaks a rule, wherever it stands.
    pub fn rule(rule: &str, got: &[u8], at: usize) -> Difference {
        let fault = Difference::bytes("", (&[], got), at, "what came");
        Difference { expected: rule.to_owned(), ..fault }
    }

    /// A assertion that is not true, where an answer is there that it speaks of.
    pub fn assertion(assertion: &Assertion, found: &Found) -> Difference {
        let Assertion::Response { nth, fact } = assertion else {
            return Difference::new(assertion.to_string(), found.to_string());
        };
        let number = if nth.get() == 1 { String::new() } else { format!("{nth}: ") };
        match (fact, found) {
            (Fact::Status(statuses), Found::Status(status)) => {
                let word = format!("{number}status ");
                // The first digit with which no status begins that is allowed.
                let begins = |digits: u32| {
                    let cut = |code: u16| code / 10_u16.pow(3 - digits);
                    (100..1000).any(|code| cut(code) == cut(*status) && statuses.allow(code))
                };
                let digit = (1..=3).find(|&digits| !begins(digits)).unwrap_or(1) as usize - 1;
                // In the status line it stands behind `HTTP/1.1 `.
                let (column, byte) = (word.len() + digit, 9 + digit);
                let caret = Some(Caret { column, byte, of: "the answer" });
                Difference {
                    expected: assertion.to_string(),
                    got: format!("{word}{status}"),
                    caret,
                }
            }
            (Fact::FieldIs(name, wanted), Found::Value(value)) => {
                let word = format!("{number}field {} is ", name.as_str());
                Difference::bytes(&word, (wanted, value), parting(wanted, value), "the value")
            }
            (Fact::Body(wanted), Found::Content(content)) => {
                let word = format!("{number}body: ");
                Difference::bytes(&word, (wanted, content), parting(wanted, content), "the content")
            }
            (
                Fact::FieldContains(name, _) | Fact::NoField(name) | Fact::Field(name),
                Found::Value(value),
            ) => {
                let value = Visible(&value[..value.len().min(BEFORE + BEHIND)]);
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
                let part = Visible(&content[..content.len().min(BEFORE + BEHIND)]);
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

/// What stands before a byte, cut to what fits.
fn shown(bytes: &[u8], at: usize) -> String {
    let before = &bytes[..at.min(bytes.len())];
    let from = before.len().saturating_sub(BEFORE);
    let cut = if from > 0 { "..." } else { "" };
    format!("{cut}{}", Visible(&before[from..]))
}

fn parting(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use openkitchen::Transcript;
    use openkitchen::transcript::Item;

    /// The three lines of a assertion that is not true.
    fn told(assertion: &str, found: &Found) -> String {
        let page = Transcript::parse(&format!("???\n{assertion}\n")).expect("a assertion");
        let [Item::Assertions(assertions)] = &page.items[..] else { panic!("only assertions") };
        let fault = Difference::assertion(&assertions[0], found);
        let caret = fault.caret.map(|caret| format!("{:1$}^ {2}", "", caret.column, caret.byte));
        format!("{}\n{}\n{}", fault.expected, fault.got, caret.unwrap_or_default())
    }

    #[test]
    fn the_caret_stands_under_the_first_byte_that_differs() {
        let value = |value: &str| Found::Value(value.into());
        for (assertion, found, lines) in [
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
            assert_eq!(told(assertion, &found), lines, "{assertion}");
        }
    }

    #[test]
    fn long_runs_are_cut_around_the_byte() {
        let (one, other) = ([b'x'; 200], [[b'x'; 100].as_slice(), &[b'y'; 100]].concat());
        let fault = Difference::bytes("", (&one, &other), 100, "what came");
        assert_eq!(fault.got, format!("...{}{}", "x".repeat(BEFORE), "y".repeat(BEHIND)));
        assert_eq!(fault.expected, format!("...{}", "x".repeat(BEFORE + BEHIND)));
        assert_eq!(fault.caret.map(|caret| caret.column), Some(3 + BEFORE));
        let fault = Difference::rule("no control bytes", b"\x1b[2J", 0);
        assert_eq!((fault.expected.as_str(), fault.got.as_str()), ("no control bytes", "\\x1b[2J"));
    }
}
