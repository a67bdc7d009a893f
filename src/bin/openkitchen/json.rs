//! Writes JSON: the access log of `serve`, `mock --json`, `check --json`, and the API and the kitchen of the
//! site. Rule: RFC 8259.

use std::fmt::Write as _;
use std::time::Duration;

use openkitchen::message::seconds::InMillis;
use openkitchen::message::visible::is_bidi_control;

/// Returns an object on one line. Each value is JSON already: a number, `null`, or a [`string`].
pub fn object<N: AsRef<str>>(members: impl IntoIterator<Item = (N, String)>) -> String {
    let mut json = String::from("{");
    for (name, value) in members {
        add(&mut json, &[&string(name.as_ref()), ":", &value]);
    }
    json + "}"
}

/// Adds a member or an element to an object or a list that is not closed.
#[inline(never)] // called by a function for each kind of iterator
fn add(json: &mut String, parts: &[&str]) {
    json.push_str(if json.len() > 1 { "," } else { "" });
    json.extend(parts.iter().copied());
}

/// Returns an object of this kind as a line of output, with its line end.
pub fn line<'a>(kind: &str, members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    object([("kind", string(kind))].into_iter().chain(members)) + "\n"
}

/// Returns a text as a string, quotes included. RFC 8259 section 7: quotes, backslashes and control
/// characters must be escaped. DEL, the C1 controls, bidirectional controls and line separators are
/// escaped too, because they could act on a terminal.
pub fn string(text: &str) -> String {
    string_of_at_most(usize::MAX, text)
}

/// Returns the start of a text as a [`string`], with so many bytes between the quotes at most. Neither a
/// character nor its escape is cut.
pub fn string_of_at_most(max_bytes: usize, text: &str) -> String {
    let mut json = String::with_capacity(text.len().min(max_bytes) + 2);
    json.push('"');
    for character in text.chars() {
        let before = json.len();
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            ' '..='~' => json.push(character), // most of them
            _ if acts_on_a_terminal(character) => {
                let _ = write!(json, "\\u{:04x}", u32::from(character)); // a `String` takes everything
            }
            _ => json.push(character),
        }
        if json.len() - 1 > max_bytes {
            json.truncate(before);
            break;
        }
    }
    json.push('"');
    json
}

/// Whether a character could act on a terminal: it is a control, changes the direction of writing, or
/// separates lines.
fn acts_on_a_terminal(character: char) -> bool {
    character.is_control()
        || is_bidi_control(character)
        || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Returns a list. Each value is JSON already.
#[cfg(feature = "site")]
pub fn array(values: impl IntoIterator<Item = String>) -> String {
    let mut json = String::from("[");
    for value in values {
        add(&mut json, &[&value]);
    }
    json + "]"
}

/// Returns bytes as a string in which each character, U+0000 to U+00FF, is one byte.
#[cfg(feature = "site")]
pub fn bytes(bytes: &[u8]) -> String {
    let text: String = bytes.iter().copied().map(char::from).collect();
    string(&text)
}

/// Returns a value that is JSON already, or `null`.
pub fn or_null(value: Option<String>) -> String {
    value.unwrap_or_else(|| "null".to_owned())
}

/// Returns a time as a number of milliseconds.
pub fn millis(time: Duration) -> String {
    format!("{:.3}", InMillis(time))
}

#[cfg(all(test, feature = "site"))]
mod tests {
    use super::*;

    #[test]
    fn a_written_string_escapes_quotes_backslashes_and_controls() {
        assert_eq!(
            string("a \"b\" \\ \n \0 \x7f \u{85} é \u{61c} \u{202e} \u{2028}"),
            r#""a \"b\" \\ \u000a \u0000 \u007f \u0085 é \u061c \u202e \u2028""#
        );
    }

    #[test]
    fn a_string_ends_before_the_character_that_is_too_much() {
        assert_eq!(string_of_at_most(3, "abc"), "\"abc\"");
        for (text, expected) in
            [("abcd", "\"abc\""), ("a\0b", "\"a\""), ("ab\"", "\"ab\""), ("aé€", "\"aé\"")]
        {
            assert_eq!(string_of_at_most(3, text), expected);
        }
    }

    #[test]
    fn each_byte_is_one_character() {
        assert_eq!(
            bytes(b"a\r\n\x00\x1b\x9b\xe9\xff\""),
            r#""a\u000d\u000a\u0000\u001b\u009béÿ\"""#
        );
        assert_eq!(array([bytes(b""), or_null(None)]), r#"["",null]"#);
    }

    #[test]
    fn milliseconds_have_three_places() {
        for (nanos, expected) in [(0, "0.000"), (83_400, "0.083"), (61_020_007_000, "61020.007")] {
            assert_eq!(millis(Duration::from_nanos(nanos)), expected);
        }
    }

    #[test]
    fn a_written_object_has_its_members_in_order() {
        let members = [("post", "4".to_owned()), ("a \"b\"", string("c"))];
        assert_eq!(object(members), r#"{"post":4,"a \"b\"":"c"}"#);
    }
}
