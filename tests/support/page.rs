//! A transcript below `tests/exchanges/`, and the form that all of them keep. The lessons are pages,
//! too, of another form (`tests/check.rs`) and another server.
//!
//! ```text
//! # A space before the colon is refused              the title: one fact, in a sentence
//! # RFC 9112 section 5.1: "A server MUST reject ..." the clause that the folder is named for, and why
//! # fixture: impatient                               only where the usual limits will not do
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use openkitchen::Transcript;
use openkitchen::transcript::{Item, Prose};

use super::app::SITE;

/// A page, read.
pub struct Page {
    /// Where it lies: `tests/exchanges/9112-5-fields/a-space-before-the-colon.wire`.
    pub name: String,
    /// As it stands in the file.
    pub text: String,
    /// What it says.
    pub transcript: Transcript,
}

/// The entries of a folder, as names from the top of the tree.
fn names_in(folder: &str) -> Vec<String> {
    let entries =
        fs::read_dir(Page::path(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
    entries.map(|entry| folder.to_string() + &name(entry.expect("an entry"))).collect()
}

/// Where the pages are: below a folder for each topic, and the lessons in one.
const EXCHANGES: &str = "tests/exchanges/";
const LESSONS: &str = "src/bin/openkitchen/site/lessons/";

impl Page {
    /// All pages, in the order of their names.
    ///
    /// # Panics
    /// Where a file cannot be read, or is no transcript.
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

    /// The file of that name.
    pub fn path(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// Whether it is one of the built-in lessons.
    pub fn is_lesson(&self) -> bool {
        self.name.starts_with(LESSONS)
    }

    /// A page from its text.
    ///
    /// # Panics
    /// Where it is no transcript.
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

    /// The server that it asks for, by its limits; empty for the usual ones.
    pub fn fixture(&self) -> &str {
        if self.is_lesson() {
            return SITE;
        }
        self.prose().find_map(|line| line.strip_prefix("fixture: ")).unwrap_or_default()
    }

    /// What is wrong with its form, if anything is.
    pub fn fault(&self) -> Option<String> {
        let mut prose = self.prose();
        let (title, clause) = (prose.next().unwrap_or_default(), prose.next().unwrap_or_default());
        let cited = self.clause();
        let is_behind = |rest: &str| self.is_lesson() || rest.starts_with([':', '.', ',']);
        let is_empty = |item: &Item| matches!(item, Item::Block(block) if block.bytes.is_empty());
        let fault = if self.transcript.title() != Some(title) || title.starts_with("RFC ") {
            "its first line is not a title".to_string()
        } else if title.ends_with('.') {
            "its title ends in a full stop".to_string()
        } else if !clause.strip_prefix(&cited).is_some_and(is_behind) {
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

    /// `RFC 9112 section 5.1` for what lies in `9112-5.1-names/`, and any RFC for a lesson.
    fn clause(&self) -> String {
        let Some(name) = self.name.strip_prefix(EXCHANGES) else { return "RFC ".to_string() };
        let mut parts = name.split('-');
        let (rfc, section) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        format!("RFC {rfc} section {section}")
    }
}

#[test]
fn a_page_has_a_title_and_cites_the_clause_of_its_folder() {
    let fault = |text: &str| {
        Page::parse("tests/exchanges/9112-5-fields/x.wire", text).fault().unwrap_or_default()
    };
    assert_eq!(fault("# A fact\n# RFC 9112 section 5.1: why\n"), "");
    assert_eq!(fault("# A fact\n# RFC 9112 section 5: why\n"), "");
    assert!(fault("").contains("title"));
    assert!(fault("# A fact.\n# RFC 9112 section 5: why\n").contains("full stop"));
    assert!(fault("# A fact\n# RFC 9112 section 51: why\n").contains("RFC 9112 section 5"));
    assert!(fault("#  A fact\n\n# RFC 9112 section 5: why\n").contains("canonical"));
    assert!(fault("# A fact\n# RFC 9112 section 5: why\n\n<<<\n").contains("empty"));
}
