//! A page is a transcript below `tests/exchanges/`, or a lesson. This file reads pages and checks their
//! form. `tests/cli/check.rs` has more rules for lessons.
//!
//! ```text
//! # A space before the colon is refused              the title: one fact, in a sentence
//! # RFC 9112 section 5.1: "A server MUST reject ..." the clause of the folder's name, and the reason
//! # fixture: impatient                               only if the default limits do not fit
//! ```
//! A page that breaks a lesson is about the clause of the lesson, and cites none.

use std::fs;
use std::path::{Path, PathBuf};

use openkitchen::Transcript;
use openkitchen::transcript::{Item, Prose};

use super::app::SITE;

/// A page: its path, its text and the parsed transcript.
pub struct Page {
    /// Its path in the project: `tests/exchanges/9112-5-fields/a-space-before-the-colon.wire`.
    pub name: String,
    /// The text of the file.
    pub text: String,
    /// The parsed text.
    pub transcript: Transcript,
}

/// Returns the entries of a folder, as paths in the project.
fn names_in(folder: &str) -> Vec<String> {
    let entries =
        fs::read_dir(Page::path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    entries.map(|entry| folder.to_string() + &name(entry.expect("an entry"))).collect()
}

/// The folders of the pages: exchanges are in a folder for each topic, and lessons are in one folder.
const EXCHANGES: &str = "tests/exchanges/";
const LESSONS: &str = "src/bin/openkitchen/site/lessons/";

impl Page {
    /// Returns all pages, in the order of their names.
    ///
    /// # Panics
    /// If a file cannot be read or is not a transcript.
    pub fn all() -> Vec<Page> {
        let topics = names_in(EXCHANGES).into_iter().map(|topic| topic + "/");
        let mut names: Vec<String> =
            topics.chain([LESSONS.to_string()]).flat_map(|folder| names_in(&folder)).collect();
        names.sort();
        names.iter().map(|name| Page::read(name)).collect()
    }

    fn read(name: &str) -> Page {
        let text = fs::read_to_string(Page::path(name));
        Page::parse(name, &text.unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    /// Returns the absolute path of the page with that name.
    pub fn path(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// Whether the page is one of the built-in lessons.
    pub fn is_lesson(&self) -> bool {
        self.name.starts_with(LESSONS)
    }

    /// Whether the page changes the request of a lesson.
    fn breaks_a_lesson(&self) -> bool {
        self.is_lesson() && self.name.contains(".break-")
    }

    /// Makes a page from its text.
    ///
    /// # Panics
    /// If the text is not a transcript.
    pub fn parse(name: &str, text: &str) -> Page {
        let transcript = Transcript::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Page { name: name.to_string(), text: text.to_string(), transcript }
    }

    fn prose(&self) -> impl Iterator<Item = &str> {
        self.transcript.items.iter().filter_map(|item| match item {
            Item::Prose(prose) => Some(Prose::as_str(prose)),
            _ => None,
        })
    }

    /// Returns the name of the page's fixture, which is empty for the default limits.
    pub fn fixture(&self) -> &str {
        if self.is_lesson() {
            return SITE;
        }
        self.prose().find_map(|line| line.strip_prefix("fixture: ")).unwrap_or_default()
    }

    /// Returns what is wrong with the page's form, or `None`.
    pub fn fault(&self) -> Option<String> {
        let mut prose = self.prose();
        let (title, clause) = (prose.next().unwrap_or_default(), prose.next().unwrap_or_default());
        let cited = self.clause();
        let may_follow_clause = |rest: &str| self.is_lesson() || rest.starts_with([':', '.', ',']);
        let is_empty = |item: &Item| matches!(item, Item::Block(block) if block.bytes.is_empty());
        let fault = if self.transcript.title() != Some(title) || title.starts_with("RFC ") {
            "its first line is not a title".to_string()
        } else if title.ends_with('.') {
            "its title ends in a full stop".to_string()
        } else if !self.breaks_a_lesson()
            && !clause.strip_prefix(&cited).is_some_and(may_follow_clause)
        {
            format!("its second line does not cite the clause of its folder: {cited}")
        } else if self.transcript.items.iter().any(is_empty) {
            "a block is empty (BLESS=1 fills it)".to_string()
        } else if self.transcript.to_string() != self.text {
            "it is not in canonical form (BLESS=1 writes it so)".to_string()
        } else {
            return None;
        };
        Some(format!("{}: {fault}", self.name))
    }

    /// Returns the clause that the page must cite: `RFC 9112 section 5.1` in `9112-5.1-names/`, and any RFC
    /// in a lesson.
    fn clause(&self) -> String {
        let Some(name) = self.name.strip_prefix(EXCHANGES) else { return "RFC ".to_string() };
        let mut parts = name.split('-');
        let (rfc, section) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        format!("RFC {rfc} section {section}")
    }
}
