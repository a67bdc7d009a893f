//! # 14. Reading over the shoulder
//!
//! A server reads requests and writes answers. Who watches, tests or checks one reads both: where
//! does this answer end, which bytes are head and which content, and what comes next?
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ … ␍␊   5␍␊      hello     ␍␊0␍␊␍␊      HTTP/1.1 204 …
//! └─ head ────────────────┘└ framing ┘└ content ┘└ framing, end ┘└ the next head
//! ```
//! [`Reader`] takes a stream of messages that go one way, in pieces of any size, and judges nothing:
//! what it cannot follow it calls [`Part::Unframed`], from there to the end.
//!
//! Rule: [`Ending`], by which each message ends.  Left out: what follows a tunnel or an upgrade.
//! Next: [`ending`](super::ending).

use std::collections::VecDeque;
use std::ops::Range;

use super::chunked::{Decoded, Decoder};
use super::ending::Ending;
use super::fields::FieldLines;
use super::method::Method;
use super::outline::Outline;
use super::refusal::Refusal;

/// Bytes of a head that a reader keeps while it waits for the end. Far beyond any limit of our own,
/// since it reads what others allow.
pub const KEPT: usize = 256 * 1024;

/// What a stretch of a stream of messages is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Start line and fields, with the empty line that ends them.
    Head,
    /// Chunk sizes, their line ends, and trailers.
    Framing,
    /// Content, as the handler or the page will see it.
    Content,
    /// Bytes that are no message, or behind something that was none.
    Unframed,
}

/// The first bytes of what was given are of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRange {
    /// Of which.
    pub part: Part,
    /// How many bytes.
    pub length: usize,
    /// Whether they complete a head.
    pub head_is_whole: bool,
    /// Whether a message is complete with them.
    pub ends_message: bool,
}

impl PartRange {
    fn new(part: Part, length: usize, ends_message: bool) -> PartRange {
        PartRange { part, length, head_is_whole: false, ends_message }
    }
}

/// Follows one direction of a connection.
#[derive(Debug)]
pub struct Reader {
    is_client: bool,
    /// What has come of the part that is not complete.
    kept: Vec<u8>,
    state: ReaderState,
    /// The head that was read last, and where its message ends.
    outline: Option<Outline>,
    ending: Option<Ending>,
    /// The rule of chunked content that was broken.
    fault: Option<(Refusal, usize)>,
    /// The methods of requests whose answers have not been read: only they tell that an answer to
    /// HEAD has no content.
    asked: VecDeque<Method>,
}

#[derive(Debug)]
enum ReaderState {
    Head,
    Length(u64),
    Chunked(Decoder),
    /// Chunked, behind bytes that nobody kept: the next ones begin a line.
    SomewhereInChunks,
    UntilClose,
    Lost,
}

impl Reader {
    /// A reader of what a client sends.
    pub fn requests() -> Reader {
        Reader::new(true)
    }

    /// A reader of what a server sends.
    pub fn responses() -> Reader {
        Reader::new(false)
    }

    fn new(is_client: bool) -> Reader {
        let (kept, asked) = (Vec::new(), VecDeque::new());
        let (outline, ending, fault) = (None, None, None);
        Reader { is_client, kept, state: ReaderState::Head, outline, ending, fault, asked }
    }

    /// Tells a reader of answers which method it was that the next unanswered request had. A server
    /// that is told nothing is taken to answer a GET. A stream without answers is not kept for ever.
    pub fn asked(&mut self, method: Method) {
        if self.asked.len() < 1024 {
            self.asked.push_back(method);
        }
    }

    /// The head of the message that is being read, and the last one after its end.
    pub fn outline(&self) -> Option<&Outline> {
        self.outline.as_ref()
    }

    /// The method of that head, which the answer's reader has to be [told](Reader::asked). An answer
    /// to a method that nobody knows ends as one to GET does.
    pub fn method(&self) -> Method {
        self.outline.as_ref().and_then(|outline| outline.method).unwrap_or(Method::Get)
    }

    /// Where the message with that head ends, and why.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The rule that chunked content has broken, and the offset from the start of its line.
    pub fn fault(&self) -> Option<(Refusal, usize)> {
        self.fault
    }

    /// Whether a message has begun and not ended. Content that ends with the connection counts as
    /// begun until then.
    pub fn is_within(&self) -> bool {
        match self.state {
            ReaderState::Head => !self.kept.is_empty(),
            _ => true,
        }
    }

    /// Whether the content ends when the connection does, and not before.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.state, ReaderState::UntilClose)
    }

    /// Whether nobody can tell any more what is head and what is content.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, ReaderState::Lost)
    }

    /// How many bytes of content come next, for certain: all, or those of a chunk. Zero where a head
    /// or framing is due, or nobody knows.
    pub fn content_left(&self) -> u64 {
        match &self.state {
            ReaderState::Length(left) => *left,
            ReaderState::Chunked(decoder) => decoder.left(),
            ReaderState::UntilClose => u64::MAX,
            ReaderState::Head | ReaderState::SomewhereInChunks | ReaderState::Lost => 0,
        }
    }

    /// What the first of these bytes are. Call it again with the rest; `None` when there is none.
    pub fn next(&mut self, bytes: &[u8]) -> Option<PartRange> {
        if bytes.is_empty() {
            return None;
        }
        let left = usize::try_from(self.content_left()).unwrap_or(usize::MAX);
        if left > 0 {
            let length = left.min(bytes.len());
            self.skip(length as u64);
            return Some(PartRange::new(Part::Content, length, !self.is_within()));
        }
        if let ReaderState::SomewhereInChunks = self.state {
            self.state = ReaderState::Chunked(Decoder::new(u64::MAX));
            // Of what is known again, only the line end before it may belong to what is not.
            if bytes.starts_with(b"\r\n") {
                return Some(PartRange::new(Part::Framing, 2, false));
            }
        }
        let some = &bytes[..bytes.len().min(KEPT)];
        Some(match self.state {
            ReaderState::Head => self.head(some),
            _ => self.framing(some),
        })
    }

    /// Passes over bytes that were there and that nobody kept.
    pub fn skip(&mut self, bytes: u64) {
        let is_within_line = !std::mem::take(&mut self.kept).is_empty();
        self.state = match std::mem::replace(&mut self.state, ReaderState::Lost) {
            ReaderState::Length(left) if left == bytes => ReaderState::Head,
            ReaderState::Length(left) if left > bytes => ReaderState::Length(left - bytes),
            ReaderState::Chunked(mut decoder) if !is_within_line => match decoder.skip(bytes) {
                skipped if skipped == bytes => ReaderState::Chunked(decoder),
                _ => ReaderState::SomewhereInChunks,
            },
            place @ (ReaderState::SomewhereInChunks | ReaderState::UntilClose) => place,
            _ => ReaderState::Lost,
        };
    }

    fn head(&mut self, bytes: &[u8]) -> PartRange {
        let before = self.kept.len();
        self.kept.extend_from_slice(bytes);
        match Outline::parse(&self.kept, self.is_client) {
            Some(None) if self.kept.len() < KEPT => PartRange::new(Part::Head, bytes.len(), false),
            Some(Some(outline)) => {
                self.kept.clear();
                let length = outline.length - before;
                self.state = self.content_of(&outline);
                self.outline = Some(outline);
                let ends_message = !self.is_within();
                PartRange {
                    head_is_whole: true,
                    ..PartRange::new(Part::Head, length, ends_message)
                }
            }
            _ => {
                self.kept.clear();
                self.state = ReaderState::Lost;
                PartRange::new(Part::Unframed, bytes.len(), false)
            }
        }
    }

    fn framing(&mut self, bytes: &[u8]) -> PartRange {
        let ReaderState::Chunked(decoder) = &mut self.state else {
            return PartRange::new(Part::Unframed, bytes.len(), false);
        };
        let before = self.kept.len();
        self.kept.extend_from_slice(bytes);
        let stretch = match decoder.step(&self.kept) {
            Ok(Decoded::Partial) => return PartRange::new(Part::Framing, bytes.len(), false),
            Ok(Decoded::Content(used)) => PartRange::new(Part::Content, used - before, false),
            Ok(Decoded::Framing(used)) => PartRange::new(Part::Framing, used - before, false),
            Ok(Decoded::End(used)) => {
                self.state = ReaderState::Head;
                PartRange::new(Part::Framing, used - before, true)
            }
            Err(fault) => {
                self.state = ReaderState::Lost;
                self.fault = Some(fault);
                PartRange::new(Part::Unframed, bytes.len(), false)
            }
        };
        self.kept.clear();
        stretch
    }

    fn content_of(&mut self, outline: &Outline) -> ReaderState {
        // An interim answer precedes the one that the request is waiting for.
        let is_interim = matches!(outline.status, Some(100..200));
        let asked = if is_interim { None } else { self.asked.pop_front() };
        let ending = Ending::of(outline, asked);
        self.ending = Some(ending);
        match ending {
            Ending::Interim | Ending::NoContent | Ending::ToHead => ReaderState::Head,
            Ending::NoFraming | Ending::Length(0) => ReaderState::Head,
            Ending::Length(length) => ReaderState::Length(length),
            Ending::Chunked => ReaderState::Chunked(Decoder::new(u64::MAX)),
            Ending::Close | Ending::CloseCoded => ReaderState::UntilClose,
            Ending::Switched | Ending::Tunnel => ReaderState::Lost,
            Ending::CodingUnknown | Ending::LengthInvalid | Ending::LengthsDiffer => {
                ReaderState::Lost
            }
        }
    }
}

/// One answer, read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedResponse {
    /// Its status code; 1xx for an interim one.
    pub status: u16,
    /// The offsets of its first byte, and behind its last.
    pub span: Range<usize>,
    /// Its head, as sent.
    pub head: Vec<u8>,
    /// Its content, without the framing.
    pub content: Vec<u8>,
    /// Whether all of it came.
    pub is_whole: bool,
}

impl ReceivedResponse {
    /// The answers in what a server sent to requests with these methods. `ended` says that no more
    /// will come, which is where content without any framing ends. Bytes that are no answer end the
    /// list; they are what is left over.
    pub fn all(bytes: &[u8], methods: &[Method], ended: bool) -> (Vec<ReceivedResponse>, usize) {
        let mut reader = Reader::responses();
        methods.iter().for_each(|&method| reader.asked(method));
        let (mut answers, mut used) = (Vec::<ReceivedResponse>::new(), 0);
        let end = |answers: &[ReceivedResponse]| answers.last().map_or(0, |last| last.span.end);
        while let Some(stretch) = reader.next(&bytes[used..]) {
            let run = used..used + stretch.length;
            used = run.end;
            match (stretch.part, reader.outline()) {
                (Part::Head, Some(outline)) if stretch.head_is_whole => {
                    let (status, span) = (outline.status.unwrap_or(0), end(&answers)..used);
                    let (head, content) = (bytes[span.clone()].to_vec(), Vec::new());
                    answers.push(ReceivedResponse { status, span, head, content, is_whole: false });
                }
                (Part::Head, _) => continue,
                (Part::Unframed, _) => break,
                (Part::Content | Part::Framing, _) => {}
            }
            if let Some(last) = answers.last_mut() {
                let is_content = stretch.part == Part::Content;
                last.content.extend_from_slice(if is_content { &bytes[run] } else { b"" });
                last.span.end = used;
                last.is_whole |= stretch.ends_message || (ended && reader.ends_with_connection());
            }
        }
        let end = end(&answers);
        (answers, end)
    }

    /// The field lines of the head.
    pub fn outline(&self) -> Option<Outline> {
        Outline::parse(&self.head, false).flatten()
    }

    /// The values of all fields with that name.
    pub fn values(&self, name: &str) -> Vec<String> {
        let outline = self.outline();
        let values = outline.iter().flat_map(|outline| {
            let fields: FieldLines<'_> = outline.fields();
            fields
                .all(name)
                .map(|value| String::from_utf8_lossy(value).into_owned())
                .collect::<Vec<_>>()
        });
        values.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n\
        HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope\
        HTTP/1.0 200 OK\r\n\r\nto the end";

    #[test]
    fn each_answer_ends_where_its_own_framing_says() {
        let methods = [Method::Head, Method::Get, Method::Get, Method::Post, Method::Get];
        let (answers, used) = ReceivedResponse::all(STREAM, &methods, true);
        let read: Vec<(u16, &[u8], bool)> =
            answers.iter().map(|one| (one.status, &one.content[..], one.is_whole)).collect();
        assert_eq!(
            read,
            [
                (100, &b""[..], true),
                (200, b"", true),
                (200, b"hello!", true),
                (304, b"", true),
                (404, b"nope", true),
                (200, b"to the end", true),
            ]
        );
        assert_eq!(used, STREAM.len());
        assert!(!ReceivedResponse::all(STREAM, &methods, false).0[5].is_whole);
    }

    #[test]
    fn the_parts_are_the_same_however_the_stream_is_cut() {
        let parts = |pace: usize| {
            let (mut reader, mut parts) = (Reader::responses(), Vec::new());
            reader.asked(Method::Head);
            for piece in STREAM.chunks(pace) {
                let mut rest = piece;
                while let Some(stretch) = reader.next(rest) {
                    parts.extend(std::iter::repeat_n(stretch.part, stretch.length));
                    rest = &rest[stretch.length..];
                }
            }
            parts
        };
        let whole = parts(STREAM.len());
        assert_eq!(whole.len(), STREAM.len());
        for pace in 1..40 {
            assert_eq!(parts(pace), whole, "{pace} bytes at a time");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_left_unframed() {
        let (answers, used) =
            ReceivedResponse::all(b"HTTP/1.1 204 No Content\r\n\r\ngarbage\r\n", &[], true);
        assert_eq!((answers.len(), used), (1, 27));
        let mut reader = Reader::requests();
        let stretch =
            reader.next(b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nxx").expect("bytes");
        assert_eq!((stretch.part, stretch.head_is_whole), (Part::Head, true));
        assert_eq!(reader.next(b"xx").map(|stretch| stretch.part), Some(Part::Unframed));
    }

    #[test]
    fn nobody_can_tell_where_an_answer_with_two_lengths_ends() {
        for lengths in ["2\r\nContent-Length: 3", "2, 3", "x", ""] {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {lengths}\r\n\r\nhi!");
            let (answers, used) = ReceivedResponse::all(answer.as_bytes(), &[], true);
            assert!(answers.len() == 1 && !answers[0].is_whole, "{lengths}");
            assert_eq!((&answers[0].content[..], used), (&b""[..], answer.len() - 3), "{lengths}");
        }
        let (answers, _) =
            ReceivedResponse::all(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", &[], false);
        assert_eq!((&answers[0].content[..], answers[0].is_whole), (&b"hi"[..], true));
    }

    #[test]
    fn chunked_content_that_breaks_says_at_which_byte_of_its_line() {
        let mut reader = Reader::responses();
        let stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n5 \r\n";
        for byte in stream {
            assert_eq!(reader.fault(), None);
            reader.next(&[*byte]);
        }
        assert_eq!(reader.fault(), Some((Refusal::ChunkExtension, 1)));
    }

    #[test]
    fn what_nobody_kept_is_passed_over_and_the_next_line_found() {
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n";
        let length = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
        for (head, skipped, rest, ends) in [
            (&chunks[..], 5, &b"\r\n0\r\n\r\n"[..], true),
            (chunks, 4, b"o\r\n0\r\n\r\n", true),
            (chunks, 5000, b"\r\n0\r\n\r\n", true),
            (chunks, u64::MAX, b"0\r\n\r\n", true),
            (length, 8, b"!", true),
            (length, 9, b"HTTP/1.1 204 N\r\n\r\n", true),
            (length, 10, b"HTTP/1.1 204 N\r\n\r\n", false),
            (b"HTTP/1.1 2", 1, b"0 OK\r\n\r\n", false),
        ] {
            let mut reader = Reader::responses();
            let read = |reader: &mut Reader, bytes: &[u8]| {
                let (mut at, mut last) = (0, None);
                while let Some(stretch) = reader.next(&bytes[at..]) {
                    (at, last) = (at + stretch.length, Some(stretch));
                }
                last.map(|stretch| stretch.ends_message)
            };
            assert_eq!(read(&mut reader, head), Some(false));
            reader.skip(skipped);
            assert_eq!(read(&mut reader, rest), Some(ends), "{skipped}");
        }
    }
}
