//! Prints what crossed for a lesson, with its explanations.
//!
//! A lesson explains what it is about: the lines that its text names, where content and connections
//! end if it says so, and what is broken. Of that, it leaves out what was explained before.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use openkitchen::message::dialogue::Dialogue;
use openkitchen::message::reader::Part;
use openkitchen::transcript::explain::{ConnectionExplainer, FirstUses, Remark};
use openkitchen::transcript::{Block, Bytes, Event, Item, Note, Piece, Side, Transcript};

use super::screen::{LessonScreen, is_of_client};
use crate::site::course::Notes;

/// Bytes of content in one read that are shown whole; of more, [`MAX_START`] bytes are.
const MAX_CONTENT: usize = 1000;

/// Bytes at the start of longer content that are shown at most, up to the end of a line.
const MAX_START: usize = 240;

/// Lines and bytes of heads and framing, and messages, of one read that are shown at most.
const MAX_FRAMING_LINES: usize = 120;
const MAX_FRAMING: usize = 4096;
const MAX_MESSAGES: usize = 12;

/// Explanations that are remembered, so that each is printed once.
pub const MAX_EXPLAINED: usize = 1500;

/// For explanations at the end of a head, of content or of a connection: how their clauses begin, and
/// how words begin in lessons that are about them.
const ENDS: [(&str, &[&str]); 3] = [
    ("RFC 9112 section 9", &["stays open", "clos", "reset", "silent"]),
    ("RFC 9110 section 13", &["ETag", "tag"]),
    ("Fetch standard", &["browser"]),
];

/// As [`ENDS`], for all other clauses: where a message ends.
const MESSAGE_ENDS: &[&str] = &["empty line", "ends", "length", "Length", "chunk", "framework"];

/// What a lesson is about.
pub struct Topic {
    text: String,
}

impl Topic {
    /// That of a lesson, and of a page that breaks it.
    pub fn of(pages: &[&Notes]) -> Topic {
        let texts = pages.iter().flat_map(|notes| {
            let Notes { title, about, predict, because, keep, .. } = notes;
            [title, predict, because, keep].into_iter().chain(about)
        });
        Topic { text: texts.map(|text| format!("{text}\n")).collect() }
    }

    /// Whether the text has this word.
    fn names(&self, word: &str) -> bool {
        let goes_on = |next: Option<char>| next.is_some_and(|it| it.is_alphanumeric() || it == '-');
        let mut found = self.text.match_indices(word).filter(|_| !word.is_empty());
        found.any(|(at, _)| {
            let (before, after) = (&self.text[..at], &self.text[at + word.len()..]);
            !goes_on(before.chars().next_back()) && !goes_on(after.chars().next())
        })
    }

    /// Whether an explanation with this clause, at an end, is about what the text is about.
    fn is_about_end(&self, clause: &str) -> bool {
        let row = ENDS.iter().find(|(start, _)| clause.starts_with(start));
        let words = row.map_or(MESSAGE_ENDS, |(_, words)| words);
        let begins = |at| !self.text[..at].ends_with(char::is_alphanumeric);
        words.iter().any(|word| self.text.match_indices(word).any(|(at, _)| begins(at)))
    }

    /// Whether the text is about what a remark explains. `stream` has the bytes of its side, and is
    /// empty for an event.
    fn is_about(&self, remark: &Remark, stream: &[u8]) -> bool {
        let line = line_at(stream, remark.span.start);
        if remark.is_fault || remark.about.is_empty() && remark.span.len() <= 1 {
            return remark.is_fault || self.is_about_end(remark.clause);
        }
        let first_word = line.split([' ', '\t']).next().unwrap_or_default();
        let field = first_word.split_once(':').map(|(name, _)| name);
        let named = remark.about.split('=').next().unwrap_or_default();
        field.is_some_and(|name| self.names(name)) || self.names(named)
    }
}

/// The line with this byte, without its end.
fn line_at(stream: &[u8], at: usize) -> String {
    let (before, after) = stream.split_at(at.min(stream.len()));
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let end = after.iter().position(|&byte| byte == b'\n').unwrap_or(after.len());
    String::from_utf8_lossy(&stream[start..before.len() + end]).trim_end().to_owned()
}

/// What was explained so far. Two elements that mean the same, such as two reason phrases, are
/// explained once, and so are two sentences that differ in a number.
#[derive(Default)]
pub struct Explained {
    keys: HashSet<u64>,
    words: FirstUses,
}

impl Explained {
    /// Adds what was explained earlier: see [`Explained::keys`].
    pub fn know(&mut self, keys: impl Iterator<Item = u64>) {
        self.keys.extend(keys.take(MAX_EXPLAINED));
    }

    /// A number for each explanation.
    pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.keys.iter().copied()
    }

    /// Returns the remarks that are new, and after them the meanings of words that are. A fault
    /// always is.
    fn new_of(&mut self, mut remarks: Vec<Remark>) -> Vec<Remark> {
        remarks.retain(|remark| remark.is_fault || self.is_new(&remark.text));
        let known: HashSet<String> = remarks.iter().map(|remark| remark.text.clone()).collect();
        let mut with_words = self.words.explain_in(remarks);
        with_words.retain(|it| it.is_fault || known.contains(&it.text) || self.is_new(&it.text));
        with_words
    }

    /// Notes that a text is explained. False if it was before, or if more is not remembered.
    fn is_new(&mut self, text: &str) -> bool {
        self.keys.len() < MAX_EXPLAINED && self.keys.insert(key(text))
    }
}

/// A number for a text. All numbers in the text count as one.
fn key(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in text.split(|it: char| it.is_ascii_digit()).filter(|part| !part.is_empty()) {
        part.hash(&mut hasher);
    }
    hasher.finish()
}

/// Prints the items of a transcript, each with what is new about it and belongs to the topic. What
/// the client sends before the first answer was shown before: of it, only the explanations are
/// printed.
pub fn print(
    transcript: &Transcript,
    topic: &Topic,
    explained: &mut Explained,
    screen: &mut LessonScreen,
) {
    let before = transcript.items.iter().take_while(|item| is_of_client(item)).count();
    let mut is_request_explained = false;
    let mut explainers = Explainers::default();
    for (index, item) in transcript.items.iter().enumerate() {
        if index == before {
            if is_request_explained {
                screen.gap();
            }
            screen.line("What comes back:");
        }
        explainers.explain(item, |shown, mut remarks, stream| {
            if index >= before {
                screen.item(shown);
            }
            remarks.retain(|remark| topic.is_about(remark, stream));
            let new = explained.new_of(remarks);
            if index < before && !new.is_empty() && !is_request_explained {
                is_request_explained = true;
                screen.line("About the request:");
            }
            screen.remarks(&new);
        });
    }
    if transcript.items.len() == before && is_request_explained {
        screen.gap();
    }
}

/// Prints the items of a transcript, each with all its explanations.
pub fn print_all(transcript: &Transcript, screen: &mut LessonScreen) {
    let mut explained = Explained::default();
    let mut explainers = Explainers::default();
    for item in &transcript.items {
        explainers.explain(item, |shown, remarks, _| {
            screen.item(shown);
            screen.remarks(&explained.new_of(remarks));
        });
    }
}

/// Follows and explains the connections of a transcript.
#[derive(Default)]
struct Explainers(BTreeMap<u32, PrintedConnection>);

#[derive(Default)]
struct PrintedConnection {
    explainer: ConnectionExplainer,
    dialogue: Dialogue,
    /// The bytes of the client and of the server so far.
    streams: (Vec<u8>, Vec<u8>),
}

impl Explainers {
    /// Calls `show` with the item as it is to be shown, its remarks, and the bytes of its side; and
    /// for each message of a block by itself.
    fn explain(&mut self, item: &Item, mut show: impl FnMut(&Item, Vec<Remark>, &[u8])) {
        match item {
            Item::Block(block) => {
                let bytes = known(&block.bytes);
                let connection = self.0.entry(block.connection).or_default();
                let stream = match block.from {
                    Side::Client => &mut connection.streams.0,
                    Side::Server => &mut connection.streams.1,
                };
                let mut start = 0;
                for (shown, length) in messages(block, &bytes, &mut connection.dialogue) {
                    let bytes = &bytes[start..start + length];
                    start += length;
                    stream.extend_from_slice(bytes);
                    let mut remarks = connection.explainer.explain_bytes(block.from, bytes);
                    if let [Piece::LeftOut { .. }] = shown.bytes.pieces() {
                        remarks.clear(); // they would explain what is not shown
                    }
                    show(&Item::Block(shown), remarks, stream);
                }
            }
            Item::Event(Event { connection, kind, .. }) => {
                let connection = self.0.entry(*connection).or_default();
                show(item, connection.explainer.explain_event(*kind), b"");
            }
            Item::Prose(_) | Item::Assertions(_) => show(item, Vec::new(), b""),
        }
    }
}

/// The bytes up to the first that were left out.
fn known(bytes: &Bytes) -> Vec<u8> {
    let mut known = Vec::new();
    for piece in bytes.pieces() {
        match piece {
            Piece::Raw(bytes) => known.extend_from_slice(bytes),
            Piece::Repeat { .. } | Piece::LeftOut { .. } => break,
        }
    }
    known
}

/// Returns the messages of a block as blocks, each with how many bytes it has. Of long content, the
/// middle and the end are left out, and of a server's many or long messages the last. What the client
/// sends stays one block.
fn messages(block: &Block, bytes: &[u8], dialogue: &mut Dialogue) -> Vec<(Block, usize)> {
    let (mut messages, mut note) = (Vec::new(), block.note.clone());
    let (mut shown, mut length, mut rest) = (Bytes::new(), 0, bytes);
    let mut left_out = 0;
    let of_server = block.from == Side::Server;
    let mut framing = FramingLines { lines_left: MAX_FRAMING_LINES, bytes_left: MAX_FRAMING };
    while let Some(range) = dialogue.next(block.from, rest) {
        let (now, later) = rest.split_at(range.length);
        rest = later;
        let start = match range.part {
            _ if of_server && messages.len() >= MAX_MESSAGES => &[],
            Part::Content if framing.is_over() => &[],
            Part::Content if now.len() > MAX_CONTENT => start_of(now),
            Part::Head | Part::Framing | Part::Unframed if of_server => framing.start_of(now),
            _ => now,
        };
        if !start.is_empty() {
            shown.push_left_out(std::mem::take(&mut left_out));
            shown.push_raw(start);
        }
        left_out += (now.len() - start.len()) as u64;
        length += now.len();
        if range.ends_message && of_server && !rest.is_empty() && messages.len() < MAX_MESSAGES {
            shown.push_left_out(std::mem::take(&mut left_out));
            let bytes = std::mem::replace(&mut shown, Bytes::new());
            messages.push((Block { bytes, note, ..*block }, std::mem::take(&mut length)));
            note = Note::new("in the same read");
        }
    }
    shown.push_left_out(left_out + block.bytes.len() - bytes.len() as u64);
    messages.push((Block { bytes: shown, note, ..*block }, length));
    messages
}

/// How much framing of one read may still be shown.
struct FramingLines {
    lines_left: usize,
    bytes_left: usize,
}

impl FramingLines {
    fn is_over(&self) -> bool {
        self.lines_left == 0 || self.bytes_left == 0
    }

    /// The start of these bytes that is shown.
    fn start_of<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut start = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.is_over() {
                break;
            }
            let length = line.len().min(self.bytes_left);
            (self.lines_left, self.bytes_left) = (self.lines_left - 1, self.bytes_left - length);
            start += length;
        }
        &bytes[..start]
    }
}

/// The first lines of long content, or nothing if the first line is too long.
fn start_of(content: &[u8]) -> &[u8] {
    let end = content[..MAX_START].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    &content[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(from: Side, bytes: &[u8]) -> Block {
        Block { connection: 1, from, note: Note::default(), bytes: Bytes::raw(bytes) }
    }

    fn about(text: &str) -> Topic {
        Topic { text: text.to_owned() }
    }

    /// The names and the texts of the remarks that belong to the topic.
    fn explained(topic: &Topic, bytes: &str) -> String {
        let (mut explainers, mut text) = (Explainers::default(), String::new());
        let item = Item::Block(block(Side::Client, bytes.as_bytes()));
        explainers.explain(&item, |_, remarks, stream| {
            let named = remarks.iter().filter(|remark| topic.is_about(remark, stream));
            named.for_each(|remark| text += &format!("{}: {}\n", remark.about, remark.text));
        });
        text
    }

    #[test]
    fn long_content_is_shown_by_its_first_lines_and_its_length() {
        let lines = "a line of text\n".repeat(100);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", lines.len());
        let bytes = (head.clone() + &lines).into_bytes();
        let block = block(Side::Server, &bytes);
        let shown = messages(&block, &bytes, &mut Dialogue::new());
        assert_eq!((shown.len(), shown[0].0.bytes.len()), (1, block.bytes.len()));
        let text = Item::Block(shown[0].0.clone()).to_string();
        assert!(text.ends_with("a line of text\\n\n\\{1260 bytes}\\\n"), "{text}");
    }

    #[test]
    fn of_a_server_without_end_a_few_screens_are_shown() {
        let one = "HTTP/1.1 204 No Content\r\n\r\n";
        let head = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(10_000));
        let chunks = "1\r\nx\r\n".repeat(10_000);
        let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        for bytes in [one.repeat(10_000), head, chunked, "no HTTP\n".repeat(10_000)] {
            let mut block = block(Side::Server, bytes.as_bytes());
            block.bytes.push_left_out(5);
            let shown = messages(&block, bytes.as_bytes(), &mut Dialogue::new());
            let lengths: usize = shown.iter().map(|(_, length)| length).sum();
            let all: u64 = shown.iter().map(|(block, _)| block.bytes.len()).sum();
            assert_eq!((lengths, all), (bytes.len(), bytes.len() as u64 + 5));
            let text = shown.iter().map(|(block, _)| Item::Block(block.clone()).to_string());
            let lines = text.map(|text| text.lines().count()).sum::<usize>();
            assert!(lines < 2 * MAX_FRAMING_LINES, "{lines} lines: {}", &bytes[..60]);
        }
    }

    #[test]
    fn two_responses_of_one_read_are_two_blocks() {
        let one = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        let bytes = format!("HTTP/1.1 100 Continue\r\n\r\n{one}{one}").into_bytes();
        let shown = messages(&block(Side::Server, &bytes), &bytes, &mut Dialogue::new());
        let lengths: Vec<usize> = shown.iter().map(|(_, length)| *length).collect();
        assert_eq!(lengths, [25, one.len(), one.len()]);
        let text = Item::Block(shown[2].0.clone()).to_string();
        assert!(text.starts_with("<<< in the same read\nHTTP/1.1 200 OK\n"), "{text}");
    }

    #[test]
    fn a_lesson_explains_the_lines_that_it_names_and_faults() {
        let request = "GET /tea HTTP/1.1\r\nHost: h:1\r\nAccept: text/html, */*;q=0.1\r\n\r\n";
        let text = explained(&about("In Accept, a client says what it can read."), request);
        assert!(text.contains("Accept: ") && text.contains("in order of preference"), "{text}");
        for other in ["GET: ", "Host: ", "h:1: ", "the empty line", "stays open"] {
            assert!(!text.contains(other), "{other}{text}");
        }
        let text = explained(&about("GET asks for /tea; the connection stays open"), request);
        for part in ["GET: ", "/tea: ", "the connection"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("Accept: ") && !text.contains("empty line"), "{text}");
        // A word within another is not named.
        assert!(explained(&about("GETS /teapot, Hosts"), request).is_empty());
        let broken = explained(&about("nothing"), "GET / HTTP/1.1\r\nHost : h\r\n\r\n");
        assert!(broken.contains("a space"), "{broken}");
    }

    #[test]
    fn an_explanation_is_new_once_whatever_its_numbers_and_in_a_later_session() {
        let remark = |text: &str| {
            let (text, about) = (text.to_owned(), String::new());
            vec![Remark { span: 0..1, about, text, clause: "", is_fault: false }]
        };
        let mut explained = Explained::default();
        assert_eq!(explained.new_of(remark("it ends after 12 bytes")).len(), 1);
        assert_eq!(explained.new_of(remark("it ends after 340 bytes")), []);
        assert!(explained.new_of(remark("a page of another origin")).len() > 1, "with its words");
        let mut later = Explained::default();
        later.know(explained.keys());
        assert_eq!(later.new_of(remark("it ends after 5 bytes")), []);
        let words = later.new_of(remark("see the origin"));
        assert_eq!(words.len(), 1, "the word is known: {words:?}");
    }
}
