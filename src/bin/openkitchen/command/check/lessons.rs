//! The built-in lessons of `check`, in reading order: first the basics (a port, a status line, content),
//! then connections, then dangerous requests, then the lesson site's API. Each is a file of the site.
//!
//! A lesson is played with the address that `check` was given as its host, where the file has
//! [`SITE_HOST`]: many servers refuse the host of another. What is wrong in a request stays so.

use openkitchen::play::check::Case;
use openkitchen::transcript::{Block, Bytes, Item, Side};

/// The host in the files: the address of the site, if no flag gives another.
pub const SITE_HOST: &str = "127.0.0.1:5000";

/// A lesson's file name, and its text.
type Lesson = (&'static str, &'static str);

macro_rules! lesson {
    ($name:literal) => {
        ($name, include_str!(concat!("../../site/lessons/", $name)))
    };
}

/// All lessons.
static LESSONS: [Lesson; 34] = [
    lesson!("01-a-port-opens.wire"),
    lesson!("02-the-status-line.wire"),
    lesson!("03-fields-have-no-case.wire"),
    lesson!("04-the-date.wire"),
    lesson!("05-content-and-its-length.wire"),
    lesson!("06-chunks.wire"),
    lesson!("07-nothing-here.wire"),
    lesson!("08-head.wire"),
    lesson!("09-options.wire"),
    lesson!("10-not-allowed.wire"),
    lesson!("11-an-unknown-method.wire"),
    lesson!("12-a-host-in-the-target.wire"),
    lesson!("13-an-empty-line-first.wire"),
    lesson!("14-keep-alive.wire"),
    lesson!("15-close.wire"),
    lesson!("16-pipelining.wire"),
    lesson!("17-100-continue.wire"),
    lesson!("18-conditional.wire"),
    lesson!("19-range.wire"),
    lesson!("20-http-1.0.wire"),
    lesson!("21-no-host.wire"),
    lesson!("22-two-hosts.wire"),
    lesson!("23-two-lengths.wire"),
    lesson!("24-a-length-and-chunks.wire"),
    lesson!("25-a-space-before-the-colon.wire"),
    lesson!("26-a-bare-lf.wire"),
    lesson!("27-a-folded-line.wire"),
    lesson!("28-a-bad-chunk-size.wire"),
    lesson!("29-params-are-in-the-url.wire"),
    lesson!("30-a-key-in-a-field.wire"),
    lesson!("31-a-key-in-a-url-is-refused.wire"),
    lesson!("32-two-worlds.wire"),
    lesson!("33-the-response-a-browser-hides.wire"),
    lesson!("34-a-like-from-another-site.wire"),
];

/// Returns all lessons as cases, for a server with this host.
///
/// # Errors
/// A lesson is not a valid case. The tests make sure that each one is.
pub fn all(host: &str) -> Result<Vec<Case>, String> {
    (1..=LESSONS.len()).map(|number| with_number(number, host)).collect()
}

/// Returns the lesson with that file name, with or without its ending, or with that number. `None` if
/// the name is neither.
pub fn find(name: &str, host: &str) -> Option<Result<Case, String>> {
    let is_named = |lesson: &Lesson| {
        lesson.0 == name || lesson.0.strip_suffix(".wire").is_some_and(|short| short == name)
    };
    let number = LESSONS.iter().position(is_named).map(|index| index + 1);
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.or(is_number.then(|| name.parse().unwrap_or(usize::MAX)))?;
    let numbers = 1..=LESSONS.len();
    Some(match numbers.contains(&number) {
        true => with_number(number, host),
        false => Err(format!("there is no lesson {name}: lessons are 1 to {}", LESSONS.len())),
    })
}

/// Returns the lesson with that number.
///
/// # Errors
/// There is none, or it is not a valid case.
pub fn with_number(number: usize, host: &str) -> Result<Case, String> {
    let lesson = number.checked_sub(1).and_then(|index| LESSONS.get(index));
    let (name, text) = lesson.ok_or_else(|| format!("there is no lesson {number}"))?;
    let case = Case::read(name, text)?;
    let items = case.items.into_iter().map(|item| with_host(item, host)).collect();
    Ok(Case { lesson: Some(number), items, ..case })
}

/// Replaces the host of the site in what the client sends.
fn with_host(item: Item, host: &str) -> Item {
    match item {
        Item::Block(block) if block.from == Side::Client => {
            let replaced = block.bytes.expand().and_then(|bytes| {
                let text = String::from_utf8(bytes).ok()?;
                Some(Bytes::raw(text.replace(SITE_HOST, host).as_bytes()))
            });
            let bytes = replaced.unwrap_or(block.bytes);
            Item::Block(Block { bytes, ..block })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesson_has_the_host_of_the_server_in_what_the_client_sends() {
        let sent = |number, host: &str| -> String {
            let case = with_number(number, host).expect("a lesson");
            let blocks = case.items.iter().filter_map(|item| match item {
                Item::Block(block) if block.from == Side::Client => block.bytes.expand(),
                _ => None,
            });
            String::from_utf8(blocks.flatten().collect()).expect("text")
        };
        assert_eq!(sent(2, "[::1]:80"), "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
        let absolute = "GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n\r\n";
        assert!(sent(12, "h.test").ends_with(absolute), "{}", sent(12, "h.test"));
        assert_eq!(sent(21, "h.test"), "GET / HTTP/1.1\r\n\r\n", "without Host");
        for number in 1..=LESSONS.len() {
            assert!(!sent(number, "h.test").contains(SITE_HOST), "{number}");
        }
    }
}
