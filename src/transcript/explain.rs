//! # What the bytes mean
//!
//! A message is read line by line and word by word: what is this, and who says so?
//!
//! ```text
//! Connection: close
//!     Connection: options for this connection alone; ... (RFC 9110 section 7.6.1)
//!     close: the connection ends after this exchange (RFC 9112 section 9.6)
//! ```
//! Rule: every element gets a [`Remark`] with its meaning, from the [`glossary`](super::glossary), and
//! its clause. [`follow`] goes along one direction and says where its content ends and why; [`words`]
//! takes a head apart; [`faults`] says what is broken; [`pasted`] reads text that lost its line ends.
//!
//! Left out: what stands within content; anything behind a broken head or a change of protocol. No
//! sentence repeats a secret: it says what is there.

mod faults;
mod direction;
mod pasted;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Event, EventKind, Item, Piece, Prose, Side, Transcript};
use crate::message::ending::Ending;
use crate::message::fields::trim;
use crate::message::method::Method;
use crate::message::visible::Visible;
use direction::DirectionExplainer;

pub use pasted::with_line_ends;

/// Characters of an element that a remark names.
const NAMED: usize = 60;

/// What the lines of a picture begin with: the line that is broken, the caret, and how it should be.
const PICTURE: &str = "    ";

/// Columns of a line of prose: with `# ` before it, 100.
const PROSE: usize = 98;

/// What there is to say about a stretch of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remark {
    /// Where it stands, as offsets into the stream of its side.
    pub span: Range<usize>,
    /// The element by its name, safe to show; empty where the sentence says it all.
    pub about: String,
    /// The sentence. A fault has several lines: the rule, the line and the caret (which begin with
    /// four spaces), and how to mend it.
    pub text: String,
    /// Where it says so, such as `RFC 9112 section 5.1`; empty where nothing does.
    pub clause: &'static str,
    /// Whether a rule is broken here.
    pub is_fault: bool,
}

impl Remark {
    fn new(span: Range<usize>, text: impl Into<String>, clause: &'static str) -> Remark {
        Remark { span, about: String::new(), text: text.into(), clause, is_fault: false }
    }

    fn fault(span: Range<usize>, text: impl Into<String>, clause: &'static str) -> Remark {
        Remark { is_fault: true, ..Remark::new(span, text, clause) }
    }

    /// The remark as lines of at most `width` columns.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let mut text = self.text.clone();
        if !self.about.is_empty() {
            text.insert_str(0, &format!("{}: ", self.about));
        }
        if !self.clause.is_empty() {
            // A clause is looked up as a whole, so no line ends within it.
            text += &format!(" ({})", self.clause.replace(' ', "\x1f"));
        }
        // A picture is not folded: it is cut, and moved to the left until the caret's byte is seen.
        let caret = text.lines().find(|line| line.trim() == "^").map_or(0, |line| line.len() + 8);
        let lines = text.lines().flat_map(|line| match line.strip_prefix(PICTURE) {
            Some(line) => {
                let line = line.get(caret.saturating_sub(width)..).unwrap_or_default();
                vec![format!("{PICTURE}{line:.*}", width.saturating_sub(PICTURE.len()))]
            }
            None => fold(line, width),
        });
        lines.map(|line| line.replace('\x1f', " ")).collect()
    }
}

/// What the bytes of one stream mean. `from` is who sent them; `None` for a capture in which requests
/// and answers stand one behind the other, told apart by how they begin. `asked` is the method of
/// the request that the first answer belongs to, if that is known: only it tells that there is no
/// content.
///
/// ```
/// use openkitchen::transcript::{Side, explain::explain};
///
/// let remarks = explain(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", Some(Side::Client), None);
/// assert_eq!((remarks[0].about.as_str(), remarks[0].clause), ("GET", "RFC 9110 section 9.3.1"));
/// ```
pub fn explain(bytes: &[u8], from: Option<Side>, asked: Option<Method>) -> Vec<Remark> {
    let mut conversation = Conversation::new();
    asked.into_iter().for_each(|method| conversation.server.reader.expect_response_to(method));
    let (mut remarks, mut at) = (Vec::new(), 0);
    let mut side = from.unwrap_or(Side::Client);
    while at < bytes.len() {
        if from.is_none() {
            side = conversation.speaker(side, &bytes[at..]);
        }
        conversation.side(side).at = at;
        at += conversation.step(side, &bytes[at..], &mut remarks);
    }
    remarks.extend(conversation.all_ended());
    remarks.sort_by_key(|remark| remark.span.start);
    remarks
}

/// The same transcript, with what it means as prose behind its blocks and endings: never inside, for
/// prose ends a block.
pub fn annotate(transcript: &Transcript) -> Transcript {
    let mut conversations = BTreeMap::<u32, Conversation>::new();
    let mut items = Vec::new();
    for item in &transcript.items {
        items.push(item.clone());
        let mut remarks = Vec::new();
        match item {
            Item::Block(block) => {
                let conversation = conversations.entry(block.connection).or_default();
                for piece in block.bytes.pieces() {
                    remarks.extend(conversation.piece(block.from, piece));
                }
            }
            Item::Event(Event { connection, kind, .. }) => {
                let conversation = conversations.entry(*connection).or_default();
                remarks = match kind {
                    EventKind::HalfClose(side) => conversation.ended(*side),
                    EventKind::Closed(_) | EventKind::Reset(_) => conversation.all_ended(),
                    EventKind::Open | EventKind::Wait(_) | EventKind::Silent(_) => Vec::new(),
                };
            }
            Item::Prose(_) | Item::Assertions(_) => {}
        }
        // Of a thousand chunks of one size, one is told of.
        remarks.dedup_by(|next, one| (&next.about, &next.text) == (&one.about, &one.text));
        items.extend(prose(&remarks));
    }
    let rest: Vec<Remark> = conversations.values_mut().flat_map(Conversation::all_ended).collect();
    items.extend(prose(&rest));
    Transcript { items }
}

/// Remarks as lines of prose, for a transcript.
pub fn prose(remarks: &[Remark]) -> impl Iterator<Item = Item> {
    let lines = remarks.iter().flat_map(|remark| remark.lines(PROSE));
    lines.map(|line| Item::Prose(Prose::new(&line)))
}

/// Both directions of one connection, which may come in pieces of any size. A remark is made when
/// what it is about is whole.
#[derive(Debug)]
pub struct Conversation {
    client: DirectionExplainer,
    server: DirectionExplainer,
}

impl Default for Conversation {
    fn default() -> Conversation {
        Conversation::new()
    }
}

impl Conversation {
    /// Nothing has crossed yet.
    pub fn new() -> Conversation {
        Conversation {
            client: DirectionExplainer::new(Side::Client),
            server: DirectionExplainer::new(Side::Server),
        }
    }

    /// What can be said now that these bytes have come from that side, in their order.
    pub fn crossed(&mut self, from: Side, bytes: &[u8]) -> Vec<Remark> {
        let (mut remarks, mut used) = (Vec::new(), 0);
        while used < bytes.len() {
            used += self.step(from, &bytes[used..], &mut remarks);
        }
        remarks.sort_by_key(|remark| remark.span.start);
        remarks
    }

    fn piece(&mut self, from: Side, piece: &Piece) -> Vec<Remark> {
        let mut remarks = Vec::new();
        match piece {
            Piece::Raw(bytes) => remarks = self.crossed(from, bytes),
            Piece::Repeat { times, bytes } => {
                let times = usize::try_from(*times).unwrap_or_default();
                remarks = self.crossed(from, &bytes.repeat(times));
            }
            Piece::LeftOut { count } => self.side(from).left_out(*count, &mut remarks),
        }
        remarks
    }

    /// What can be said now that no more will come from that side.
    pub fn ended(&mut self, from: Side) -> Vec<Remark> {
        let mut remarks = Vec::new();
        self.side(from).finish(&mut remarks);
        remarks
    }

    fn all_ended(&mut self) -> Vec<Remark> {
        [self.ended(Side::Client), self.ended(Side::Server)].concat()
    }

    fn side(&mut self, side: Side) -> &mut DirectionExplainer {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Who says this, in a stream of both directions in which that side spoke last.
    fn speaker(&mut self, last: Side, bytes: &[u8]) -> Side {
        if self.side(last).is_within() {
            return last;
        }
        let mut lines = bytes.split(|&byte| byte == b'\n').map(without_line_end);
        let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
        let mut sides = [Side::Server, Side::Client].into_iter();
        sides.find(|&side| begins(side, line)).unwrap_or(last)
    }

    /// Explains the first of these bytes; how many they were.
    fn step(&mut self, from: Side, bytes: &[u8], remarks: &mut Vec<Remark>) -> usize {
        let Some(stretch) = self.side(from).step(bytes, remarks) else { return 0 };
        if stretch.head_is_whole && from == Side::Client {
            self.server.reader.expect_response_to(self.client.reader.method());
        }
        // Both sides leave HTTP at once.
        let ending = self.server.reader.ending();
        self.client.is_over |= matches!(ending, Some(Ending::Switched | Ending::Tunnel));
        stretch.length
    }
}

/// Whether a message of that side may begin with this line.
fn begins(side: Side, line: &[u8]) -> bool {
    let word = before(line, b" /\r\n");
    match side {
        Side::Server => !word.is_empty() && b"HTTP".starts_with(&word.to_ascii_uppercase()),
        Side::Client if line.windows(6).any(|six| six == b" HTTP/") => true,
        Side::Client => !word.is_empty() && word.iter().all(u8::is_ascii_uppercase),
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What stands before the first of these bytes, or all.
fn before<'a>(text: &'a [u8], stops: &[u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| stops.contains(byte)).unwrap_or(text.len());
    trim(&text[..end])
}

/// An element's name: visible, and not too long.
fn named(bytes: &[u8]) -> String {
    let mut name = Visible(&bytes[..bytes.len().min(NAMED)]).to_string();
    if name.len() > NAMED || bytes.len() > NAMED {
        name.truncate(NAMED);
        name += "...";
    }
    name
}

/// Lines of at most `width` columns, those behind the first set in.
fn fold(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.trim().is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::replace(&mut line, "  ".to_owned()));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;
    use crate::message::reader::{Part, Reader};

    pub const REQUEST: &[u8] = b"\r\nPOST /a?q=b+c&API_key=s3cret HTTP/1.1\r\nHost: h:80\r\n\
        Authorization: Basic c3RhZmY6czNjcmV0\r\nCookie: id=s3cret; x\r\nExpect: 100-continue\r\n\
        Accept: */*;q=0.1, text/html, image/*;q=0\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
        Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";

    pub const STREAM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n\
        HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope\
        HTTP/1.0 200 OK\r\n\r\nto the end";

    pub fn sentences(remarks: &[Remark]) -> Vec<String> {
        remarks.iter().map(|remark| remark.lines(1000).join("\n")).collect()
    }

    pub fn has(remarks: &[Remark], sentence: &str) -> bool {
        sentences(remarks).iter().any(|text| text.starts_with(sentence))
    }

    #[test]
    fn requests_and_answers_of_one_capture_are_told_apart() {
        let both =
            [&b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"[..], &STREAM[..STREAM.len() - 10]].concat();
        let remarks = explain(&both, None, None);
        assert!(remarks.iter().all(|remark| !remark.is_fault), "{:#?}", sentences(&remarks));
        assert!(has(&remarks, "the head ends here, and so does the answer: to HEAD"));
    }

    #[test]
    fn prose_is_all_that_is_added_to_a_transcript_and_it_parses_again() {
        let mut random = Random(7);
        for _ in 0..2000 {
            let transcript = random.transcript();
            let annotated = annotate(&transcript);
            let text = annotated.to_string();
            assert_eq!(Transcript::parse(&text).as_ref(), Ok(&annotated), "{text}");
            let bare = |transcript: Transcript| -> Vec<Item> {
                let is_prose = |item: &Item| matches!(item, Item::Prose(_));
                transcript.items.into_iter().filter(|item| !is_prose(item)).collect()
            };
            assert_eq!(bare(annotated), bare(transcript));
        }
    }

    #[test]
    fn where_nothing_can_be_followed_it_is_said_why_and_at_every_pace() {
        let mut random = Random(11);
        for round in 0..10_000 {
            let (side, mut reader, bytes) = match round % 2 {
                0 => (Side::Client, Reader::requests(), REQUEST),
                _ => (Side::Server, Reader::responses(), STREAM),
            };
            let mut bytes = bytes.to_vec();
            (0..=random.below(4)).for_each(|_| random.mutate(&mut bytes));
            let (mut at, mut is_lost) = (0, false);
            while let Some(stretch) = reader.next(&bytes[at..]) {
                at += stretch.length;
                is_lost |= stretch.part == Part::Unframed;
            }
            let remarks = explain(&bytes, Some(side), None);
            let is_told = remarks.iter().any(|remark| remark.is_fault);
            let leaves = matches!(reader.ending(), Some(Ending::Switched | Ending::Tunnel));
            let text = String::from_utf8_lossy(&bytes);
            assert!(is_told || leaves || !is_lost, "{text:?}");

            let mut conversation = Conversation::new();
            let pieces = bytes.chunks(1 + round % 7);
            let mut slow: Vec<Remark> =
                pieces.flat_map(|piece| conversation.crossed(side, piece)).collect();
            slow.extend(conversation.ended(side));
            let places = |remarks: Vec<Remark>| -> Vec<Range<usize>> {
                remarks.into_iter().filter(|it| it.is_fault).map(|it| it.span).collect()
            };
            assert_eq!(places(slow), places(remarks), "{text:?}");
        }
    }

    #[test]
    fn whatever_comes_the_lines_are_plain_and_fit() {
        let mut random = Random(3);
        for round in 0..3000 {
            let mut bytes = if round % 2 == 0 { REQUEST.to_vec() } else { STREAM.to_vec() };
            (0..=random.below(4)).for_each(|_| random.mutate(&mut bytes));
            for side in [None, Some(Side::Client), Some(Side::Server)] {
                for remark in explain(&bytes, side, None) {
                    assert!(remark.span.end <= bytes.len().max(1), "{remark:?}");
                    for line in remark.lines(96) {
                        let is_plain = line.bytes().all(|byte| (b' '..=b'~').contains(&byte));
                        assert!(is_plain && line.len() <= 96, "{line:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_caret_stays_on_the_page_and_under_its_byte() {
        let head = [b"GET / HTTP/1.1\r\nHost: h\r\nX: ", &[0xff; 90][..], b"\x01\r\n\r\n"].concat();
        let remarks = explain(&head, Some(Side::Client), None);
        let lines = remarks.iter().find(|remark| remark.is_fault).expect("a fault").lines(96);
        let caret = lines.iter().position(|line| line.trim() == "^").expect("a caret");
        assert!(lines[caret - 1][lines[caret].len() - 1..].starts_with(r"\x01"), "{lines:#?}");
        assert!(lines.iter().all(|line| line.len() <= 96), "{lines:#?}");
    }
}
