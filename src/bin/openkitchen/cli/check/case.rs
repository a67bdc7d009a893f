//! A case: a transcript, and what its prose says to whoever fails it.
//!
//! ```text
//! # A request without Host is refused                    the title
//! # RFC 9112 section 3.2: "A server MUST respond ..."    the clause
//! # One address can be many sites ...
//! # about: this site                                     where it asks for what only our site has
//! # next: Count the Host fields before anything else     what to do where it fails
//! ```
//! The last two are for this command; to every other reader they are prose.

use openkitchen::Transcript;
use openkitchen::transcript::{Event, EventKind, Item, Piece, Side};

/// A transcript that can be played.
#[derive(Debug)]
pub struct Case {
    /// The file's name.
    pub name: String,
    /// Its first line of prose, or its name where that is none.
    pub title: String,
    /// The line that cites a clause; empty where none does.
    pub clause: String,
    /// What to do where it fails; empty where it does not say.
    pub next: String,
    /// Whether it is about our lesson site, so that another server need not have what it asks for.
    pub is_about_site: bool,
    /// Whether claims judge it, and not the bytes.
    pub has_claims: bool,
    /// What it says.
    pub items: Vec<Item>,
}

impl Case {
    /// A case from a file's content.
    ///
    /// # Errors
    /// The file, the line, and what was expected there.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Case, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count();
            format!("{name}: line {line}: expected UTF-8, with other bytes as \\xHH")
        })?;
        Case::read(name, text)
    }

    /// A case from its text.
    ///
    /// # Errors
    /// As [`Case::from_bytes`].
    pub fn read(name: &str, text: &str) -> Result<Case, String> {
        let transcript = Transcript::parse(text).map_err(|error| format!("{name}: {error}"))?;
        if !can_be_sent(&transcript) {
            let line = line_of(text, |part| !can_be_sent(part));
            let why = "bytes to send: what was left out of a block of the client nobody knows";
            return Err(format!("{name}: line {line}: expected {why}"));
        }
        let has_claims = transcript.items.iter().any(|item| matches!(item, Item::Claims(_)));
        if !has_claims && !transcript.items.iter().any(speaks_of_server) {
            let line = text.lines().count() + 1;
            let what = "??? or <<<: nothing here says what the server should do";
            return Err(format!("{name}: line {line}: expected {what}"));
        }
        let prose = prose(&transcript.items);
        Ok(Case {
            name: name.to_owned(),
            title: transcript.title().unwrap_or(name).to_owned(),
            clause: prose
                .iter()
                .find(|line| line.starts_with("RFC "))
                .copied()
                .unwrap_or_default()
                .to_owned(),
            next: next(&prose),
            is_about_site: prose.contains(&"about: this site"),
            has_claims,
            items: transcript.items,
        })
    }

    /// The name without the folders and the ending.
    pub fn short_name(&self) -> &str {
        let file = self.name.rsplit('/').next().unwrap_or_default();
        file.strip_suffix(".wire").unwrap_or(file)
    }
}

/// The lines of prose that stand at the top.
fn prose(items: &[Item]) -> Vec<&str> {
    let lines = items.iter().map_while(|item| match item {
        Item::Prose(line) => Some(line.as_str()),
        _ => None,
    });
    lines.collect()
}

/// What stands behind `next:`, to the end of the prose.
fn next(prose: &[&str]) -> String {
    let from = prose.iter().position(|line| line.starts_with("next: ")).unwrap_or(prose.len());
    let sentence = prose[from..].join(" ");
    sentence.strip_prefix("next: ").unwrap_or_default().to_owned()
}

fn can_be_sent(transcript: &Transcript) -> bool {
    !transcript.items.iter().any(|item| match item {
        Item::Block(block) if block.from == Side::Client => {
            block.bytes.pieces().iter().any(|piece| matches!(piece, Piece::LeftOut { .. }))
        }
        _ => false,
    })
}

fn speaks_of_server(item: &Item) -> bool {
    match item {
        Item::Block(block) => block.from == Side::Server,
        Item::Event(Event { kind, .. }) => matches!(
            kind,
            EventKind::Closed(Side::Server)
                | EventKind::Reset(Side::Server)
                | EventKind::HalfClose(Side::Server)
        ),
        Item::Prose(_) | Item::Claims(_) => false,
    }
}

/// The line with which a text begins to be so. A text that can be parsed can be up to any line.
fn line_of(text: &str, is_so: impl Fn(&Transcript) -> bool) -> usize {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let is_not_yet = |end: &usize| Transcript::parse(&text[..*end]).is_ok_and(|part| !is_so(&part));
    ends.partition_point(is_not_yet) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prose_says_what_a_failure_needs() {
        let text = "# A title\n# RFC 9112 section 5.1: why\n# More.\n# about: this site\n\
                    # next: Do this,\n# and that.\n\n>>>\nGET / HTTP/1.1\n\n???\nstatus 200\n";
        let case = Case::read("lessons/01-x.wire", text).expect("a case");
        assert_eq!((case.title.as_str(), case.short_name()), ("A title", "01-x"));
        assert_eq!(case.clause, "RFC 9112 section 5.1: why");
        assert_eq!(case.next, "Do this, and that.");
        assert!(case.is_about_site && case.has_claims);
        let bare = Case::read("bare.wire", "<<<\nhello\\\n").expect("a case");
        assert_eq!((bare.title.as_str(), bare.next.as_str()), ("bare.wire", ""));
        assert!(!bare.is_about_site && !bare.has_claims);
    }

    #[test]
    fn what_cannot_be_played_is_told_with_its_line() {
        for (text, told) in [
            ("# t\n--- wait a bit\n", "x: line 2: expected a duration"),
            ("# t\n\n>>>\nGET\n\\{12 bytes}\n\n???\nclosed\n", "x: line 5: expected bytes to send"),
            ("# t\n\n>>>\nGET / HTTP/1.1\n\n", "x: line 6: expected ??? or <<<"),
        ] {
            let error = Case::from_bytes("x", text.as_bytes()).expect_err(text);
            assert!(error.starts_with(told), "{error}");
        }
        let error = Case::from_bytes("x", b"# t\n\n>>>\n\xe9\n").expect_err("Latin-1");
        assert!(error.starts_with("x: line 4: expected UTF-8"), "{error}");
    }
}
