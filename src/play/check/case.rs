//! A case of `check`: a transcript, and what its prose says about it.
//!
//! ```text
//! # A request without Host is refused                    the title
//! # RFC 9112 section 3.2: "A server MUST respond ..."    the clause
//! # One address can be many sites ...
//! # only: our site                                       another server need not pass it
//! # about: your code                                     a framework leaves the response to its user
//! # needs: lesson 14                                     it says nothing if that lesson fails
//! # same: status                                         the groups are about responses of one status
//! # next: Count the Host fields before anything else     what to do if it fails
//! ```
//! Only `check` uses the lines with `only:`, `about:`, `needs:`, `same:` and `next:`, and `learn` a few more:
//! see `transcript/paragraphs.rs`. To everything else they are prose.

use std::collections::BTreeMap;

use crate::play::script;
use crate::play::turns::{Step, Turn, Turns};
use crate::transcript::paragraphs::{paragraphs, with_key};
use crate::transcript::{Event, EventKind, Item, Prose, Side, Transcript};

/// A transcript whose client can be played.
#[derive(Debug)]
pub struct Case {
    /// The file's name.
    pub name: String,
    /// The lesson's number, if the case is a lesson.
    pub lesson: Option<usize>,
    /// The first line of prose, or the name if there is none.
    pub title: String,
    /// The line of prose that cites a clause; empty if there is none.
    pub clause: String,
    /// What to do if the case fails; empty if the prose does not say it.
    pub next: String,
    /// Whether the case is about our lesson site, so that another server need not pass it.
    pub is_about_site: bool,
    /// Whether the code on top of a framework decides how the case goes, and not the server under it.
    pub is_about_code: bool,
    /// The number of the lesson without which the case says nothing.
    pub needs: Option<usize>,
    /// Whether the responses that assertions are about must have one status.
    pub has_one_status: bool,
    /// Whether assertions are tested on the responses, and not the bytes.
    pub has_assertions: bool,
    /// Whether the transcript does not say what the server should send, as a recording whose server had
    /// no time to answer. Then the case is not played.
    pub has_nothing_to_judge: bool,
    /// The items of the transcript.
    pub items: Vec<Item>,
}

impl Case {
    /// Reads a case from the text of a transcript.
    ///
    /// # Errors
    /// The file, the line, and what was expected there.
    pub fn read(name: &str, text: &str) -> Result<Case, String> {
        let transcript =
            script::parse(text, Side::Client).map_err(|error| format!("{name}: {error}"))?;
        Case::new(name, transcript, text.lines().count() + 1)
    }

    /// The case of a transcript.
    ///
    /// # Errors
    /// A sentence: bytes of the client are left out, or nothing happens in it.
    pub fn of(name: &str, transcript: &Transcript) -> Result<Case, String> {
        script::sendable(transcript, Side::Client)?;
        Case::new(name, transcript.clone(), transcript.to_string().lines().count() + 1)
    }

    /// `line` is the one after the last.
    fn new(name: &str, transcript: Transcript, line: usize) -> Result<Case, String> {
        let has_assertions = asserts_responses(&transcript.items);
        let has_nothing_to_judge = !has_assertions && !shows_server(&transcript.items);
        if has_nothing_to_judge && !script::has_connection(&transcript.items) {
            let what = "??? or <<<: the file does not say what the server should send";
            return Err(format!("{name}: line {line}: expected {what}"));
        }
        let prose = paragraphs(&transcript.items);
        let keyed = |key| with_key(&prose, key).next().unwrap_or_default();
        Ok(Case {
            name: name.to_owned(),
            lesson: None,
            title: transcript
                .title()
                .map_or_else(|| Prose::new(name).as_str().into(), String::from),
            clause: prose.iter().find(|line| line.starts_with("RFC ")).cloned().unwrap_or_default(),
            next: keyed("next").to_owned(),
            is_about_site: keyed("only") == "our site",
            is_about_code: keyed("about") == "your code",
            needs: keyed("needs").strip_prefix("lesson ").and_then(|number| number.parse().ok()),
            has_one_status: keyed("same") == "status",
            has_assertions,
            has_nothing_to_judge,
            items: transcript.items,
        })
    }

    /// Whether it is a lesson that the server under a framework passes or fails.
    pub fn is_about_server(&self) -> bool {
        self.lesson.is_some() && !self.is_about_site && !self.is_about_code
    }

    /// The short name for the report: a lesson's number, or the file's name without folders and ending.
    /// What a reader could not see in it is escaped.
    pub fn label(&self) -> String {
        if let Some(number) = self.lesson {
            return format!("{number:02}");
        }
        let file = self.name.rsplit('/').next().unwrap_or_default();
        Prose::new(file.strip_suffix(".wire").unwrap_or(file)).as_str().to_owned()
    }
}

/// Whether the file has assertions on responses, in place of their bytes. An empty group counts
/// where the head of a response is cut: a recording has it there, since nothing is known of that
/// response.
fn asserts_responses(items: &[Item]) -> bool {
    let mut cut_heads = BTreeMap::new();
    Turns::new(items, Side::Client).any(|Turn { connection, step }| match step {
        Step::Receive(shown) => {
            cut_heads.insert(connection, shown.position.is_within_head());
            false
        }
        Step::Assert { assertions, .. } if assertions.is_empty() => {
            cut_heads.get(&connection) == Some(&true)
        }
        Step::Assert { about, assertions, .. } => {
            assertions.iter().any(|assertion| assertion.about(about) != Some(Side::Client))
        }
        _ => false,
    })
}

/// Whether the file shows what the server should do. Bytes for which the client of their connection has
/// asked nothing are not that, if an empty group follows: a recording has them where watch itself has
/// ended the connection, and the server had something to say to that.
fn shows_server(items: &[Item]) -> bool {
    let is_asked = |number| {
        let asks = |item: &Item| matches!(item, Item::Block(it) if it.connection == number && it.from == Side::Client);
        items.iter().any(asks)
    };
    let is_known = |(index, item): (usize, &Item)| match (item, items.get(index + 1)) {
        (Item::Block(block), Some(Item::Assertions(group))) if group.is_empty() => {
            is_of_server(item) && is_asked(block.connection)
        }
        _ => is_of_server(item),
    };
    items.iter().enumerate().any(is_known)
}

fn is_of_server(item: &Item) -> bool {
    match item {
        Item::Block(block) => block.from == Side::Server,
        Item::Event(Event { kind, .. }) => matches!(
            kind,
            EventKind::Closed(Side::Server)
                | EventKind::Reset(Side::Server)
                | EventKind::HalfClose(Side::Server)
        ),
        Item::Prose(_) | Item::Assertions(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_clause_and_next_step_are_read_from_the_prose() {
        let text = "# A title\n# RFC 9112 section 5.1: why\n# More.\n# only: our site\n\
                    # next: Do this,\n# and that.\n\n>>>\nGET / HTTP/1.1\n\n???\nstatus 200\n";
        let case = Case::read("lessons/01-x.wire", text).expect("a case");
        assert_eq!((case.title.as_str(), case.label().as_str()), ("A title", "01-x"));
        assert_eq!(case.clause, "RFC 9112 section 5.1: why");
        assert_eq!(case.next, "Do this, and that.");
        assert!(case.is_about_site && case.has_assertions);
        assert!(!case.is_about_code && case.needs.is_none() && !case.has_one_status);
        let text = "# t\n# about: your code\n# needs: lesson 14\n# same: status\n\n???\nopen 1s\n";
        let case = Case::read("x", text).expect("a case");
        assert_eq!((case.is_about_code, case.needs, case.has_one_status), (true, Some(14), true));
        let bare = Case::read("bare.wire", "<<<\nhello\\\n").expect("a case");
        assert_eq!((bare.title.as_str(), bare.next.as_str()), ("bare.wire", ""));
        assert!(!bare.is_about_site && !bare.has_assertions);
    }

    #[test]
    fn an_empty_group_stands_for_the_bytes_only_of_a_head_that_is_cut() {
        let request = ">>>\nGET / HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 200 OK\n";
        for (rest, expected) in [
            ("???\n", true),
            ("???\n--- client reset\n", true),
            ("Content-Length: 5\n\nhello\\\n???\n", false),
            ("Content-Length: 5\n\nhal\\\n???\n", false),
            ("Content-Length: 5\n\nhal\\\n???\nstatus 200\n", true),
            ("Content-Length: 5\n\nhal\\\n???\nmethod GET\n", false),
        ] {
            let case = Case::read("x", &format!("{request}{rest}")).expect("a case");
            assert_eq!(case.has_assertions, expected, "{rest}");
        }
        let unanswered = Case::read("x", ">>>\nGET / HTTP/1.1\n\n???\n").expect("a case");
        assert!(unanswered.has_nothing_to_judge && !unanswered.has_assertions);
        let unasked = "# watch is stopping\n\n<<<\nHTTP/1.1 408 Request Timeout\n\n";
        for (rest, expected) in [("???\n", true), ("", false), ("???\nstatus 408\n", false)] {
            let case = Case::read("x", &format!("{unasked}{rest}")).expect("a case");
            assert_eq!(case.has_nothing_to_judge, expected, "{rest}");
        }
    }

    #[test]
    fn an_error_names_the_line() {
        for (text, expected) in [
            ("# t\n--- wait a bit\n", "x: line 2: expected a duration"),
            ("# t\n\n>>>\nGET\n\\{12 bytes}\n\n???\nclosed\n", "x: line 3: 12 bytes of this block"),
            ("# t\n", "x: line 2: expected ??? or <<<"),
        ] {
            let error = Case::read("x", text).expect_err(text);
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
