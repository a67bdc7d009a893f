//! # The course: the lessons, in five groups
//!
//! `learn` teaches them, and `check` plays them against any server. A lesson is a transcript. Its
//! prose is its text:
//!
//! ```text
//! # A request without Host is refused                the title
//! # RFC 9112 section 3.2: "A server MUST ..."        the clause
//! #
//! # One address can be many sites ...                what it is about
//! #
//! # predict: What comes back?                        a question, with two to four answers:
//! # answer: The front page                           a wrong one,
//! # right: 400 Bad Request                           the right one,
//! # because: The server cannot know which ...        and why it is right
//! # keep: One address can be many sites.             the sentence to remember
//! # next: Count the Host fields ...                  what to do if the server fails it
//! # only: our site                                   another server need not pass it
//! ```
//! `break-1.wire` and so on, after the name of a lesson, change its request: a title, why it
//! matters, the requests, and what this site answers. A lesson without requests is only read.
//!
//! A lesson is played with the address of the server as its host, where the file has [`SITE_HOST`]:
//! many servers refuse the host of another. What is wrong in a request stays so.

use std::fmt::Write;

use openkitchen::Transcript;
use openkitchen::message::fold::fold;
use openkitchen::play::check::Case;
use openkitchen::play::script;
use openkitchen::transcript::Side;
use openkitchen::transcript::paragraphs::{key, paragraphs};

/// The host in the files: the address of the site, if no flag gives another.
pub const SITE_HOST: &str = "127.0.0.1:5000";

/// Another name of the site's machine, with its port: see [`other_name`].
const OTHER_NAME: &str = "localhost:5000";

/// Columns of the contents.
const COLUMNS: usize = 80;

/// Lessons with one goal.
pub struct LessonGroup {
    /// What they are about, in a few words.
    pub title: &'static str,
    /// What a reader can do after them, in a sentence.
    pub goal: &'static str,
    /// The lessons, in reading order.
    pub lessons: &'static [Lesson],
}

/// A lesson: its file, and those that break it.
pub struct Lesson {
    /// The file's name without its ending, such as `21-no-host`.
    pub name: &'static str,
    text: &'static str,
    breaks: &'static [&'static str],
}

macro_rules! lesson {
    ($name:literal $(, $number:literal)*) => {
        Lesson {
            name: $name,
            text: include_str!(concat!("lessons/", $name, ".wire")),
            breaks: &[$(include_str!(concat!("lessons/", $name, ".break-", $number, ".wire"))),*],
        }
    };
}

/// The course. Lesson numbers run through all groups.
#[rustfmt::skip] // a row is a line
pub static GROUPS: [LessonGroup; 5] = [
    LessonGroup {
        title: "the message",
        goal: "You can read every line of a request and of its response.",
        lessons: &[
            lesson!("01-a-port-opens", 1, 2),
            lesson!("02-the-request-line", 1, 2, 3),
            lesson!("03-the-status-line", 1, 2, 3),
            lesson!("04-fields-have-no-case", 1, 2, 3),
            lesson!("05-a-host-in-the-target", 1, 2, 3),
            lesson!("06-the-date", 1, 2),
            lesson!("07-the-media-type", 1, 2),
            lesson!("08-the-query", 1, 2),
            lesson!("09-nothing-here", 1, 2),
            lesson!("10-not-allowed", 1, 2),
            lesson!("11-an-unknown-method", 1, 2),
            lesson!("12-head", 1, 2),
            lesson!("13-options", 1, 2),
            lesson!("14-the-like-button", 1, 2, 3),
        ],
    },
    LessonGroup {
        title: "where the content ends",
        goal: "You can say where a body (content) ends, and by which rule.",
        lessons: &[
            lesson!("15-content-and-its-length", 1, 2, 3),
            lesson!("16-a-length-too-small", 1, 2),
            lesson!("17-a-length-too-large", 1, 2, 3),
            lesson!("18-chunks", 1, 2, 3),
            lesson!("19-three-ends", 1, 2, 3),
            lesson!("20-the-etag", 1, 2, 3),
            lesson!("21-conditional", 1, 2),
            lesson!("22-range", 1, 2),
            lesson!("23-under-your-framework"),
        ],
    },
    LessonGroup {
        title: "the connection",
        goal: "You can say why a connection stays open, and who ends it.",
        lessons: &[
            lesson!("24-keep-alive", 1, 2),
            lesson!("25-close", 1, 2),
            lesson!("26-pipelining", 1, 2),
            lesson!("27-an-empty-line-first", 1, 2),
            lesson!("28-100-continue", 1, 2, 3),
            lesson!("29-half-close", 1, 2),
            lesson!("30-a-slow-answer", 1, 2),
            lesson!("31-a-reset", 1, 2),
            lesson!("32-the-spare-connection", 1, 2),
            lesson!("33-http-1.0", 1, 2),
        ],
    },
    LessonGroup {
        title: "saying no",
        goal: "You can say what a server must refuse, and what would go wrong if it did not.",
        lessons: &[
            lesson!("34-no-host", 1, 2),
            lesson!("35-two-hosts", 1, 2),
            lesson!("36-a-space-before-the-colon", 1, 2),
            lesson!("37-a-folded-line", 1, 2),
            lesson!("38-a-bare-lf", 1, 2),
            lesson!("39-two-lengths", 1, 2),
            lesson!("40-a-length-and-chunks", 1, 2),
            lesson!("41-a-bad-chunk-size", 1, 2),
        ],
    },
    LessonGroup {
        title: "browsers and secrets",
        goal: "You can say what a browser sends by itself, and who can read a secret on its way.",
        lessons: &[
            lesson!("42-the-redirect", 1, 2),
            lesson!("43-the-cookie", 1, 2),
            lesson!("44-params-are-in-the-url", 1, 2, 3),
            lesson!("45-a-key-in-a-field", 1, 2),
            lesson!("46-keys-from-the-environment", 1, 2),
            lesson!("47-basic", 1, 2),
            lesson!("48-two-worlds", 1, 2),
            lesson!("49-the-response-a-browser-hides", 1, 2),
            lesson!("50-a-like-from-another-site", 1, 2, 3),
        ],
    },
];

/// Iterates over all lessons with their numbers, in reading order.
pub fn lessons() -> impl Iterator<Item = (usize, &'static Lesson)> {
    (1..).zip(GROUPS.iter().flat_map(|group| group.lessons))
}

/// How many lessons there are.
pub fn count() -> usize {
    lessons().count()
}

/// Returns the group of a lesson. A number that no lesson has is counted to the last group.
pub fn group_of(number: usize) -> &'static LessonGroup {
    let mut before = 0;
    let holds = |group: &&LessonGroup| {
        before += group.lessons.len();
        number <= before
    };
    GROUPS.iter().find(holds).unwrap_or(&GROUPS[GROUPS.len() - 1])
}

/// Returns the lesson with that number.
///
/// # Errors
/// There is none.
pub fn with_number(number: usize) -> Result<&'static Lesson, String> {
    let lesson = lessons().find(|(known, _)| *known == number).map(|(_, lesson)| lesson);
    lesson.ok_or_else(|| format!("there is no lesson {number}: lessons are 1 to {}", count()))
}

/// Returns the number of the lesson with this name, with or without the number in it and the ending
/// of the file; or the number itself, in digits. `None` if it is neither.
pub fn find(typed: &str) -> Option<Result<usize, String>> {
    let name = typed.strip_suffix(".wire").unwrap_or(typed);
    let is_named = |lesson: &Lesson| name == lesson.name || name == lesson.short_name();
    if let Some((number, _)) = lessons().find(|(_, lesson)| is_named(lesson)) {
        return Some(Ok(number));
    }
    let is_number = !typed.is_empty() && typed.bytes().all(|byte| byte.is_ascii_digit());
    let there_is_none = || format!("there is no lesson {typed}: lessons are 1 to {}", count());
    let number = is_number.then(|| typed.parse().unwrap_or(usize::MAX))?;
    Some(with_number(number).map(|_| number).map_err(|_| there_is_none()))
}

/// Returns the lessons that have this word, or its plural, in their names, or else in their titles.
pub fn search(word: &str) -> Vec<(usize, &'static Lesson)> {
    let has_word = |text: &str| {
        let mut words = text.split(|it: char| !it.is_ascii_alphanumeric());
        words
            .any(|it| [it, it.trim_end_matches('s')].iter().any(|it| it.eq_ignore_ascii_case(word)))
    };
    let found: Vec<_> = lessons().filter(|(_, lesson)| has_word(lesson.short_name())).collect();
    if !found.is_empty() {
        return found;
    }
    lessons().filter(|(_, lesson)| has_word(&lesson.notes().title)).collect()
}

impl Lesson {
    /// The name without the number, such as `no-host`.
    pub fn short_name(&self) -> &'static str {
        self.name.split_once('-').map_or(self.name, |(_, name)| name)
    }

    /// Returns the text of the lesson.
    pub fn notes(&self) -> Notes {
        Notes::of(self.text)
    }

    /// Returns the lesson as a case, for a server with this host. `None` if it has no request to
    /// send.
    ///
    /// # Errors
    /// It is not a valid case. The tests make sure that it is.
    pub fn case(&self, number: usize, host: &str) -> Result<Option<Case>, String> {
        let case = case(&format!("{}.wire", self.name), self.text, host)?;
        Ok(case.map(|case| Case { lesson: Some(number), ..case }))
    }

    /// Returns what breaks the lesson: the text of each page, and its case.
    ///
    /// # Errors
    /// As [`Lesson::case`].
    pub fn breaks(&self, host: &str) -> Result<Vec<(Notes, Case)>, String> {
        let page = |(number, text): (usize, &&'static str)| {
            let name = format!("{}.break-{number}.wire", self.name);
            let case = case(&name, text, host)?.ok_or_else(|| format!("{name}: no request"))?;
            // Most of them ask for a page that only the lesson site has.
            Ok((Notes::of(text), Case { is_about_site: true, ..case }))
        };
        (1..).zip(self.breaks).map(page).collect()
    }
}

/// The text of a lesson, or of a page that breaks one.
#[derive(Debug, Default, PartialEq)]
pub struct Notes {
    /// The title.
    pub title: String,
    /// The clause, with what it says.
    pub clause: String,
    /// What it is about, as paragraphs.
    pub about: Vec<String>,
    /// The question before the answer is seen; empty if there is none.
    pub predict: String,
    /// The possible answers to it, and whether each is the right one.
    pub answers: Vec<(String, bool)>,
    /// Why the right one is right.
    pub because: String,
    /// The sentence to remember.
    pub keep: String,
}

impl Notes {
    fn of(text: &str) -> Notes {
        let items = Transcript::parse(text).map(|transcript| transcript.items).unwrap_or_default();
        let mut notes = Notes::default();
        for paragraph in paragraphs(&items) {
            let text = key(&paragraph).map(|(_, text)| text.to_owned()).unwrap_or_default();
            match key(&paragraph).map(|(key, _)| key) {
                Some("predict") => notes.predict = text,
                Some("answer") => notes.answers.push((text, false)),
                Some("right") => notes.answers.push((text, true)),
                Some("because") => notes.because = text,
                Some("keep") => notes.keep = text,
                Some(_) => {} // for `check`
                None if notes.title.is_empty() => notes.title = paragraph,
                None if notes.clause.is_empty() && paragraph.starts_with("RFC ") => {
                    notes.clause = paragraph;
                }
                None => notes.about.push(paragraph),
            }
        }
        notes
    }

    /// The right answer, with its number from 1.
    pub fn right(&self) -> Option<(usize, &str)> {
        let mut answers = (1..).zip(&self.answers);
        answers.find(|(_, (_, is_right))| *is_right).map(|(number, (text, _))| (number, &**text))
    }
}

/// Returns a transcript as a case, for a server with this host. `None` if nothing happens on a
/// connection in it.
fn case(name: &str, text: &str, host: &str) -> Result<Option<Case>, String> {
    // Other bytes could mean something in a transcript; no host has them.
    let is_host =
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]%".contains(&byte));
    let text = &*if is_host {
        text.replace(SITE_HOST, host).replace(OTHER_NAME, &other_name(host))
    } else {
        text.to_owned()
    };
    let transcript =
        script::parse(text, Side::Client).map_err(|error| format!("{name}: {error}"))?;
    let has_connection = script::has_connection(&transcript.items);
    has_connection.then(|| Case::read(name, text)).transpose()
}

/// Returns another name for this machine, with the port of `host`.
fn other_name(host: &str) -> String {
    let port = host.rfind(':').filter(|&colon| !host[colon..].contains(']'));
    let (name, port) = host.split_at(port.unwrap_or(host.len()));
    let other = if name == "localhost" { "127.0.0.1" } else { "localhost" };
    format!("{other}{port}")
}

/// Returns the contents of the course, a line or two for each lesson. `mark` is what stands before a
/// lesson, and `after` what follows its title.
pub fn contents(
    mark: impl Fn(usize, &Lesson) -> &'static str,
    after: impl Fn(usize, &Lesson) -> String,
) -> String {
    let mut text = String::new();
    let mut number = 0;
    for (index, group) in (1..).zip(&GROUPS) {
        for line in fold(&format!("{index}. {}: {}", group.title, group.goal), COLUMNS, "   ") {
            let _ = writeln!(text, "{line}");
        }
        for lesson in group.lessons {
            number += 1;
            let (mark, after) = (mark(number, lesson), after(number, lesson));
            let line = format!("{mark}{number:02}  {}{after}", lesson.notes().title);
            for line in fold(&line, COLUMNS, &" ".repeat(mark.len() + 4)) {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use openkitchen::transcript::Item;

    use super::*;

    fn sent(number: usize, host: &str) -> String {
        let lesson = with_number(number).expect("a lesson");
        let Some(case) = lesson.case(number, host).expect("a case") else { return String::new() };
        let blocks = case.items.iter().filter_map(|item| match item {
            Item::Block(block) if block.from == Side::Client => block.bytes.expand(),
            _ => None,
        });
        String::from_utf8(blocks.flatten().collect()).expect("text")
    }

    #[test]
    fn a_lesson_has_the_host_of_the_server_in_what_the_client_sends() {
        let number = |name| find(name).expect("a lesson").expect("a number");
        assert_eq!(
            sent(number("the-status-line"), "[::1]:80"),
            "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"
        );
        assert_eq!(sent(number("no-host"), "h.test"), "GET / HTTP/1.1\r\n\r\n", "without Host");
        for (number, lesson) in lessons() {
            assert!(!sent(number, "h.test").contains(SITE_HOST), "{}", lesson.name);
            for (_, case) in lesson.breaks("h.test").expect("cases") {
                assert!(!format!("{:?}", case.items).contains(SITE_HOST), "{}", case.name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_course_and_in_order() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/openkitchen/site/lessons");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("UTF-8");
        let mut files: Vec<String> =
            fs::read_dir(folder).expect("the folder").map(|it| name(it.expect("a file"))).collect();
        files.sort();
        let mut known = Vec::new();
        for (number, lesson) in lessons() {
            assert!(lesson.name.starts_with(&format!("{number:02}-")), "{}", lesson.name);
            known.push(format!("{}.wire", lesson.name));
            known.extend(
                (1..=lesson.breaks.len()).map(|it| format!("{}.break-{it}.wire", lesson.name)),
            );
        }
        known.sort();
        assert_eq!(files, known);
    }

    #[test]
    fn a_lesson_is_found_by_its_number_and_by_its_name() {
        for typed in ["1", "01", "a-port-opens", "01-a-port-opens", "01-a-port-opens.wire"] {
            assert_eq!(find(typed), Some(Ok(1)), "{typed}");
        }
        assert_eq!(find("no-such-lesson"), None);
        let last = count();
        for number in ["0", &(last + 1).to_string(), "99999999999999999999999"] {
            let error = format!("there is no lesson {number}: lessons are 1 to {last}");
            assert_eq!(find(number), Some(Err(error)));
        }
        assert_eq!((group_of(1).title, group_of(last).title), ("the message", GROUPS[4].title));
    }

    #[test]
    fn a_lesson_is_found_by_a_word_of_its_name_or_else_of_its_title() {
        let names = |word| -> Vec<_> {
            search(word).into_iter().map(|(_, lesson)| lesson.short_name()).collect()
        };
        assert_eq!(names("ETag"), ["the-etag"]);
        assert_eq!(names("host"), ["a-host-in-the-target", "no-host", "two-hosts"]);
        assert_eq!(names("303"), ["the-redirect"], "in its title");
        assert_eq!(names("no-such-word"), [""; 0]);
    }

    #[test]
    fn the_other_name_of_the_machine_has_the_port_of_the_server() {
        for (host, expected) in [
            ("127.0.0.1:41233", "localhost:41233"),
            ("localhost:80", "127.0.0.1:80"),
            ("[::1]:80", "localhost:80"),
            ("[::1]", "localhost"),
            ("h.test", "localhost"),
        ] {
            assert_eq!(other_name(host), expected, "{host}");
        }
        let (_, lesson) = search("worlds")[0];
        let (_, case) = &lesson.breaks("127.0.0.1:41233").expect("cases")[0];
        let sent: String = case.items.iter().map(Item::to_string).collect();
        assert!(sent.contains("Origin: http://localhost:41233\n"), "{sent}");
    }

    #[test]
    fn the_notes_of_a_lesson_are_read_from_its_prose() {
        let notes = Notes::of(
            "# A title\n# RFC 9112 section 3.2: why\n#\n# One.\n# Two.\n#\n# Three.\n#\n\
             # predict: What?\n# answer: This\n# right: That,\n# surely\n# because: It is so.\n\
             # keep: Remember.\n# next: Do.\n# only: our site\n\n>>>\nGET / HTTP/1.1\n\n",
        );
        assert_eq!((&*notes.title, &*notes.clause), ("A title", "RFC 9112 section 3.2: why"));
        assert_eq!(notes.about, ["One. Two.", "Three."]);
        assert_eq!(notes.right(), Some((2, "That, surely")));
        let rest = [&notes.predict, &notes.because, &notes.keep];
        assert_eq!(rest, ["What?", "It is so.", "Remember."]);
    }
}
