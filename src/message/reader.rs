//! # Reads a stream of messages in one direction: requests or responses
//!
//! A server reads requests and writes responses. A tool that traces, tests or checks it reads both.
//! Which bytes are head, framing and content, and where does each message end?
//!
//! ```text
//! HTTP/1.1 200 OK␍␊ … ␍␊   5␍␊      hello     ␍␊0␍␊␍␊      HTTP/1.1 204 …
//! └─ head ────────────────┘└ framing ┘└ content ┘└ framing, end ┘└ the next head
//! ```
//! [`Reader`] takes the bytes of one direction, in reads of any size, and splits them into ranges of
//! one [`Part`] each. It does not judge. From the first byte that it cannot follow, all bytes are
//! [`Part::Unframed`], until the caller knows where a message begins again.
//!
//! Bounds: a head has any length and any number of fields, but of a long one only the fields that frame
//! the message are kept. A line of chunked framing has 256 KiB at most. Beyond a bound the bytes are
//! unframed too, and [`Reader::beyond`] says so: the bound is this program's, and no rule is broken.
//!
//! Rule: [`Ending`] says where each message ends.  Left out: what follows a tunnel or an upgrade.
//! Next: [`ending`](super::ending).

use std::borrow::Cow;
use std::collections::VecDeque;

use super::chunked::{Decoded, Decoder, MAX_FOLLOWED_LINE_BYTES};
use super::ending::Ending;
use super::method::Method;
use super::outline::{Outline, empty_line_end};
use super::refusal::Refusal;

/// Bytes of an incomplete head that a reader keeps, at most. Far more than the default of
/// [`Limits::head`](super::limits::Limits), since other servers allow more.
pub const MAX_KEPT_BYTES: usize = 256 * 1024;

/// The fields that are kept of a head of more than [`MAX_KEPT_BYTES`]: they say where the message ends,
/// what its content is, and whether the connection stays open.
const KEPT_FIELDS: [&str; 5] =
    ["content-length", "transfer-encoding", "content-type", "content-encoding", "connection"];

/// Bytes of an incomplete head that is parsed at each read. A longer one is parsed again when it has
/// grown by an eighth, or may be complete: so the time is in proportion to its length. A line of it that
/// is broken may be found some reads later.
const PARSED_AT_EACH_READ: usize = 4 * 1024;

/// Runs of requests with one method whose responses have not been read, that a reader keeps at most.
const MAX_METHOD_RUNS: usize = 4096;

/// What [`Reader::beyond`] returns.
const HEAD_TOO_LONG: &str =
    "a head whose first line and Content-Length and the like take more than 128 KiB";
const LINE_TOO_LONG: &str = "a chunk-size line or trailer line of more than 256 KiB";
const LINES_TOO_LONG: &str =
    "long heads and lines of many connections at once, which take more than 64 MiB in all";
const TOO_MANY_METHODS: &str = "thousands of requests with changing methods before their responses";

/// What a byte in a stream of messages is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A head: start line and field lines, with the empty line that ends them.
    Head,
    /// Chunk sizes, their line ends, and trailers.
    Framing,
    /// Content, without its framing.
    Content,
    /// No message, or what follows bytes that are no message.
    Unframed,
}

/// A range of bytes of one part, at the start of the bytes that [`Reader::next`] was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRange {
    /// What the bytes are part of.
    pub part: Part,
    /// Length in bytes.
    pub length: usize,
    /// Whether a head is complete with these bytes.
    pub head_is_whole: bool,
    /// Whether a message is complete with these bytes.
    pub ends_message: bool,
}

impl PartRange {
    fn new(part: Part, length: usize, ends_message: bool) -> PartRange {
        PartRange { part, length, head_is_whole: false, ends_message }
    }
}

/// Splits one direction of a connection into heads, framing and content.
#[derive(Debug)]
pub struct Reader {
    reads_requests: bool,
    /// The bytes received of a head or of a line of framing that is not complete.
    kept: Vec<u8>,
    state: ReaderState,
    /// The head that was read last.
    outline: Option<Outline>,
    /// Where the message with that head ends.
    ending: Option<Ending>,
    /// The rule that chunked content broke, and the offset in its line.
    fault: Option<(Refusal, usize)>,
    /// What was more than a bound of this reader, so that nothing is followed after it.
    beyond: Option<&'static str>,
    /// Bytes of the incomplete head when it was parsed last.
    parsed: usize,
    /// The methods of requests whose responses have not been read, in runs of equal ones.
    request_methods: VecDeque<(Method, u32)>,
    /// Requests after those, whose methods are not kept.
    unknown_methods: u64,
}

/// What the reader expects next.
#[derive(Debug)]
enum ReaderState {
    Head,
    /// Content, of which this many bytes are missing.
    Length(u64),
    Chunked(Decoder),
    /// Chunked content after skipped bytes: the next byte begins a line.
    ChunkedAfterSkip,
    /// Content that ends when the connection closes.
    UntilClose,
    /// Unframed bytes only.
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

    fn new(reads_requests: bool) -> Reader {
        Reader {
            reads_requests,
            kept: Vec::new(),
            state: ReaderState::Head,
            outline: None,
            ending: None,
            fault: None,
            beyond: None,
            parsed: 0,
            request_methods: VecDeque::new(),
            unknown_methods: 0,
        }
    }

    /// Records the method of the next request. The response to HEAD has no content, so a reader of
    /// responses must know the method. Without a record, it assumes GET.
    pub fn expect_response_to(&mut self, method: Method) {
        let method = match method {
            Method::Head | Method::Connect => method,
            _ => Method::Get, // the responses to all others end alike
        };
        let has_room = self.request_methods.len() < MAX_METHOD_RUNS;
        match self.request_methods.back_mut() {
            _ if self.unknown_methods > 0 => self.unknown_methods += 1,
            Some((last, count)) if *last == method && *count < u32::MAX => *count += 1,
            _ if has_room => self.request_methods.push_back((method, 1)),
            _ => self.unknown_methods += 1,
        }
    }

    /// Takes the method of the oldest request without a response.
    fn take_request_method(&mut self) -> Option<Method> {
        let Some((method, count)) = self.request_methods.front_mut() else {
            if self.unknown_methods > 0 {
                self.unknown_methods -= 1;
                self.beyond = Some(TOO_MANY_METHODS);
            }
            return None;
        };
        let method = *method;
        *count -= 1;
        if *count == 0 {
            self.request_methods.pop_front();
        }
        Some(method)
    }

    /// The last head that was read completely.
    pub fn outline(&self) -> Option<&Outline> {
        self.outline.as_ref()
    }

    /// The method of that head, for [`Reader::expect_response_to`]. GET if this server does not know
    /// it: a response to an unknown method ends as one to GET does.
    pub fn method(&self) -> Method {
        self.outline.as_ref().and_then(|outline| outline.method).unwrap_or(Method::Get)
    }

    /// Where the message with that head ends.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The rule that chunked content broke, and the offset of the bad byte in its line.
    pub fn fault(&self) -> Option<(Refusal, usize)> {
        self.fault
    }

    /// Returns what was more than is followed here, if the bytes are unframed only because of that: they
    /// may break no rule.
    pub fn beyond(&self) -> Option<&'static str> {
        self.beyond
    }

    /// Whether a message has begun and not ended. Also true for content that ends when the connection
    /// closes, and for unframed bytes.
    pub fn is_within(&self) -> bool {
        match self.state {
            ReaderState::Head => !self.kept.is_empty(),
            _ => true,
        }
    }

    /// Whether the content ends when the connection closes.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.state, ReaderState::UntilClose)
    }

    /// Whether all further bytes are unframed.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, ReaderState::Lost)
    }

    /// How many bytes of content certainly follow: the rest of a length or of a chunk, `u64::MAX` if
    /// the content ends when the connection closes. Zero if a head or framing is next, or unknown.
    pub fn content_left(&self) -> u64 {
        match &self.state {
            ReaderState::Length(left) => *left,
            ReaderState::Chunked(decoder) => decoder.data_left(),
            ReaderState::UntilClose => u64::MAX,
            ReaderState::Head | ReaderState::ChunkedAfterSkip | ReaderState::Lost => 0,
        }
    }

    /// Returns the part range at the start of `bytes`, or `None` if there are no bytes. Call it again
    /// with the bytes after the range.
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
        if let ReaderState::ChunkedAfterSkip = self.state {
            self.state = ReaderState::Chunked(Decoder::of_others());
            // A CR LF may come before the size line: it ends the data that was skipped.
            if bytes.starts_with(b"\r\n") {
                return Some(PartRange::new(Part::Framing, 2, false));
            }
        }
        let bytes = &bytes[..bytes.len().min(MAX_KEPT_BYTES)];
        Some(match self.state {
            ReaderState::Head => self.next_of_head(bytes),
            _ => self.next_of_framing(bytes),
        })
    }

    /// Calls all further bytes unframed: the connection has left HTTP.
    pub fn stop(&mut self) {
        self.kept.clear();
        self.state = ReaderState::Lost;
    }

    /// Takes the next byte as the first of a message, after unframed bytes. If it is a response, it
    /// answers the last request.
    pub fn resume(&mut self) {
        let last = self.request_methods.pop_back();
        self.request_methods.clear();
        self.request_methods.extend(last.map(|(method, _)| (method, 1)));
        (self.unknown_methods, self.parsed) = (0, 0);
        (self.fault, self.beyond) = (None, None);
        self.kept.clear();
        self.state = ReaderState::Head;
    }

    /// Bytes that it takes in memory, besides its own size.
    pub fn memory(&self) -> usize {
        let head = self.outline.as_ref().map_or(0, Outline::memory);
        self.kept.capacity() + head + self.request_methods.len() * size_of::<(Method, u32)>()
    }

    /// Gives up memory: the last head, and of an incomplete head all but the fields that frame the
    /// message. A long line that is still kept then is not followed to its end.
    pub fn shrink(&mut self) {
        self.outline = None;
        if let ReaderState::Head = self.state {
            self.kept = with_kept_fields(&self.kept);
            self.parsed = self.kept.len();
        }
        if self.kept.len() > PARSED_AT_EACH_READ {
            (self.state, self.beyond) = (ReaderState::Lost, Some(LINES_TOO_LONG));
            self.kept = Vec::new();
        }
        self.kept.shrink_to_fit();
    }

    /// Skips bytes of the stream that the caller does not have.
    pub fn skip(&mut self, bytes: u64) {
        let is_within_line = !std::mem::take(&mut self.kept).is_empty();
        self.state = match std::mem::replace(&mut self.state, ReaderState::Lost) {
            ReaderState::Length(left) if left == bytes => ReaderState::Head,
            ReaderState::Length(left) if left > bytes => ReaderState::Length(left - bytes),
            ReaderState::Chunked(mut decoder) if !is_within_line => match decoder.skip(bytes) {
                skipped if skipped == bytes => ReaderState::Chunked(decoder),
                _ => ReaderState::ChunkedAfterSkip,
            },
            state @ (ReaderState::ChunkedAfterSkip | ReaderState::UntilClose) => state,
            _ => ReaderState::Lost,
        };
    }

    fn next_of_head(&mut self, bytes: &[u8]) -> PartRange {
        let before = self.kept.len();
        if !self.is_worth_parsing(bytes) {
            self.kept.extend_from_slice(bytes);
            return PartRange::new(Part::Head, bytes.len(), false);
        }
        let all = self.take_kept_and(bytes);
        match Outline::parse(&all, self.reads_requests) {
            Some(None) if all.len() < MAX_KEPT_BYTES => {
                (self.kept, self.parsed) = (all.into_owned(), before + bytes.len());
                PartRange::new(Part::Head, bytes.len(), false)
            }
            Some(None) => {
                let kept = with_kept_fields(&all);
                self.parsed = kept.len();
                if kept.len() > MAX_KEPT_BYTES / 2 {
                    return self.lose(bytes, Some(HEAD_TOO_LONG));
                }
                self.kept = kept;
                PartRange::new(Part::Head, bytes.len(), false)
            }
            Some(Some(outline)) => {
                self.parsed = 0;
                let length = outline.length - before;
                self.state = self.state_after(&outline);
                self.outline = Some(outline);
                let ends_message = !self.is_within();
                PartRange {
                    head_is_whole: true,
                    ..PartRange::new(Part::Head, length, ends_message)
                }
            }
            None => self.lose(bytes, None),
        }
    }

    /// Whether the incomplete head with these bytes is to be parsed: it may be complete, or has grown.
    fn is_worth_parsing(&self, bytes: &[u8]) -> bool {
        let length = self.kept.len() + bytes.len();
        if length <= PARSED_AT_EACH_READ || length >= self.parsed + self.parsed / 8 {
            return true;
        }
        // The empty line may begin in the kept bytes.
        let last = &self.kept[self.kept.len().saturating_sub(2)..];
        let start = [last, &bytes[..bytes.len().min(2)]].concat();
        empty_line_end(&start).or(empty_line_end(bytes)).is_some()
    }

    /// Calls these and all further bytes unframed.
    fn lose(&mut self, bytes: &[u8], beyond: Option<&'static str>) -> PartRange {
        (self.state, self.beyond) = (ReaderState::Lost, beyond);
        PartRange::new(Part::Unframed, bytes.len(), false)
    }

    fn next_of_framing(&mut self, bytes: &[u8]) -> PartRange {
        let before = self.kept.len();
        // A line is read when it is complete, so that a long one is not searched at each read.
        if before > 0 && before + bytes.len() < MAX_FOLLOWED_LINE_BYTES && !bytes.contains(&b'\n') {
            self.kept.extend_from_slice(bytes);
            return PartRange::new(Part::Framing, bytes.len(), false);
        }
        let all = self.take_kept_and(bytes);
        let ReaderState::Chunked(decoder) = &mut self.state else {
            return PartRange::new(Part::Unframed, bytes.len(), false);
        };
        match decoder.step(&all) {
            Ok(Decoded::Partial) => {
                self.kept = all.into_owned();
                PartRange::new(Part::Framing, bytes.len(), false)
            }
            Ok(Decoded::Content(used)) => PartRange::new(Part::Content, used - before, false),
            Ok(Decoded::Framing(used)) => PartRange::new(Part::Framing, used - before, false),
            Ok(Decoded::End(used)) => {
                self.state = ReaderState::Head;
                PartRange::new(Part::Framing, used - before, true)
            }
            Err((Refusal::ChunkExtensionsTooLong | Refusal::TrailersTooLong, _)) => {
                self.lose(bytes, Some(LINE_TOO_LONG))
            }
            Err(fault) => {
                self.fault = Some(fault);
                self.lose(bytes, None)
            }
        }
    }

    /// Takes the kept bytes, with these after them. Copies nothing if none are kept, since one read may
    /// hold thousands of small chunks.
    fn take_kept_and<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut kept = std::mem::take(&mut self.kept);
        if kept.is_empty() {
            return Cow::Borrowed(bytes);
        }
        kept.extend_from_slice(bytes);
        Cow::Owned(kept)
    }

    /// The state after this head.
    fn state_after(&mut self, outline: &Outline) -> ReaderState {
        // An interim response precedes the final response to the same request.
        let is_interim = matches!(outline.status, Some(100..200));
        let request_method = if is_interim { None } else { self.take_request_method() };
        let ending = Ending::of(outline, request_method);
        self.ending = Some(ending);
        if self.beyond.is_some() {
            return ReaderState::Lost;
        }
        match ending {
            Ending::Interim | Ending::NoContent | Ending::ToHead => ReaderState::Head,
            Ending::NoFraming | Ending::Length(0) => ReaderState::Head,
            Ending::Length(length) => ReaderState::Length(length),
            Ending::Chunked => ReaderState::Chunked(Decoder::of_others()),
            Ending::Close | Ending::CloseCoded => ReaderState::UntilClose,
            Ending::Switched | Ending::Tunnel => ReaderState::Lost,
            Ending::CodingUnknown | Ending::LengthInvalid | Ending::LengthsDiffer => {
                ReaderState::Lost
            }
        }
    }
}

/// Returns an incomplete head without the fields that are not kept. Of a line that is not complete, the
/// start is kept, so that the bytes that follow can be appended.
fn with_kept_fields(head: &[u8]) -> Vec<u8> {
    let (mut kept, mut is_first) = (Vec::new(), true);
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let colon = line.iter().position(|&byte| byte == b':').filter(|_| !is_first);
        let is_kept = colon.is_none_or(|colon| {
            KEPT_FIELDS.iter().any(|name| line[..colon].eq_ignore_ascii_case(name.as_bytes()))
        });
        is_first &= line.trim_ascii().is_empty(); // empty lines may precede the first one
        match colon {
            Some(colon) if !is_kept && !line.ends_with(b"\n") => {
                kept.extend_from_slice(&line[..=colon]);
                kept.extend(line.ends_with(b"\r").then_some(b'\r'));
            }
            _ if is_kept => kept.extend_from_slice(line),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Responses of each kind. The first final response is to HEAD, the others are to GET.
    pub const STREAM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n\
        HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\
        HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope\
        HTTP/1.0 200 OK\r\n\r\nto the end";

    #[test]
    fn the_parts_are_the_same_however_the_stream_is_split_into_reads() {
        let parts = |read_size: usize| {
            let (mut reader, mut parts) = (Reader::responses(), Vec::new());
            reader.expect_response_to(Method::Head);
            for read in STREAM.chunks(read_size) {
                let mut rest = read;
                while let Some(range) = reader.next(rest) {
                    parts.extend(std::iter::repeat_n(range.part, range.length));
                    rest = &rest[range.length..];
                }
            }
            parts
        };
        let whole = parts(STREAM.len());
        assert_eq!(whole.len(), STREAM.len());
        for read_size in 1..40 {
            assert_eq!(parts(read_size), whole, "{read_size} bytes in a read");
        }
    }

    #[test]
    fn bytes_after_a_message_that_are_no_message_are_unframed() {
        let mut reader = Reader::requests();
        let range =
            reader.next(b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nxx").expect("bytes");
        assert_eq!((range.part, range.head_is_whole), (Part::Head, true));
        assert_eq!(reader.next(b"xx").map(|range| range.part), Some(Part::Unframed));
    }

    #[test]
    fn a_fault_in_chunked_content_has_the_offset_of_the_bad_byte_in_its_line() {
        let mut reader = Reader::responses();
        let stream = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n5 \r\n";
        for byte in stream {
            assert_eq!(reader.fault(), None);
            reader.next(&[*byte]);
        }
        assert_eq!(reader.fault(), Some((Refusal::ChunkExtension, 1)));
    }

    #[test]
    fn the_reader_finds_the_next_line_after_skipped_bytes() {
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
                while let Some(range) = reader.next(&bytes[at..]) {
                    (at, last) = (at + range.length, Some(range));
                }
                last.map(|range| range.ends_message)
            };
            assert_eq!(read(&mut reader, head), Some(false));
            reader.skip(skipped);
            assert_eq!(read(&mut reader, rest), Some(ends), "{skipped}");
        }
    }

    /// Follows a stream in reads of this size: the messages that ended, and the most bytes kept.
    fn follow(reader: &mut Reader, stream: &[u8], read_size: usize) -> (usize, usize) {
        let (mut ended, mut most_kept) = (0, 0);
        for mut read in stream.chunks(read_size) {
            while let Some(range) = reader.next(read) {
                read = &read[range.length..];
                ended += usize::from(range.ends_message);
                most_kept = most_kept.max(reader.kept.len());
            }
        }
        (ended, most_kept)
    }

    #[test]
    fn what_this_server_refuses_as_too_long_is_followed_between_others() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let long = "y".repeat(300 * 1024);
        for response in [
            format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\nhi", "X: y\r\n".repeat(5000)),
            format!("HTTP/1.1 200 OK\r\nSet-Cookie: {long}\r\nContent-Length: 2\r\n\r\nhi"),
            format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: {long}\r\n\r\nhi"),
            format!("{chunked}2;x={}\r\nhi\r\n0\r\n\r\n", &long[..5 * 1024]),
            chunked.to_owned() + &format!("1;x={}\r\n!\r\n", &long[..3000]).repeat(9) + "0\r\n\r\n",
            format!("{chunked}0\r\nX: {}\r\n\r\n", &long[..9 * 1024]),
            format!("{chunked}0\r\n{}\r\n", "X: y\r\n".repeat(5000)),
        ] {
            for read_size in [7, 1000, response.len()] {
                let mut reader = Reader::responses();
                let (ended, most_kept) = follow(&mut reader, response.as_bytes(), read_size);
                assert_eq!((ended, reader.is_within()), (1, false), "{read_size}: {response:.90}");
                assert!(most_kept <= MAX_KEPT_BYTES * 9 / 8 + read_size, "{most_kept}");
            }
        }
    }

    #[test]
    fn a_head_of_any_length_takes_bounded_memory() {
        let mut reader = Reader::responses();
        follow(&mut reader, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", 9);
        let fields = format!("X: {}\r\n", "y".repeat(1000)).repeat(64);
        for _ in 0..100 {
            let (_, most_kept) = follow(&mut reader, fields.as_bytes(), 16 * 1024);
            assert!(most_kept <= MAX_KEPT_BYTES * 9 / 8, "{most_kept}");
        }
        assert_eq!(follow(&mut reader, b"\r\n0\r\n\r\n", 5).0, 1);
        assert_eq!(reader.ending(), Some(Ending::Chunked));
        // A broken line breaks it, however long it is.
        follow(&mut reader, b"HTTP/1.1 200 OK\r\n", 99);
        follow(&mut reader, fields.repeat(9).as_bytes(), 16 * 1024);
        follow(&mut reader, b"X : y\r\n\r\n", 99);
        assert_eq!((reader.is_lost(), reader.beyond()), (true, None));
    }

    #[test]
    fn beyond_a_bound_nothing_is_called_broken() {
        let long = "y".repeat(300 * 1024);
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (stream, what) in [
            (format!("HTTP/1.1 200 {long}"), HEAD_TOO_LONG),
            (format!("HTTP/1.1 200 OK\r\nContent-Length: {long}"), HEAD_TOO_LONG),
            (format!("{chunked}1;{long}"), LINE_TOO_LONG),
            (format!("{chunked}0\r\nX: {long}"), LINE_TOO_LONG),
        ] {
            for read_size in [1000, stream.len()] {
                let mut reader = Reader::responses();
                follow(&mut reader, stream.as_bytes(), read_size);
                let state = (reader.is_lost(), reader.beyond(), reader.fault());
                assert_eq!(state, (true, Some(what), None), "{stream:.90}");
                reader.resume();
                let ended = follow(&mut reader, b"HTTP/1.1 204 N\r\n\r\n", 9).0;
                assert_eq!((ended, reader.beyond()), (1, None));
            }
        }
    }

    #[test]
    fn each_response_is_read_by_the_method_of_its_request_however_many_wait() {
        const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        let mut reader = Reader::responses();
        for method in [Method::Get, Method::Post, Method::Head] {
            (0..100_000).for_each(|_| reader.expect_response_to(method));
        }
        assert_eq!(reader.request_methods.len(), 2);
        let get = [HEAD, b"hi"].concat();
        assert_eq!(follow(&mut reader, &get.repeat(200_000), 1 << 16).0, 200_000);
        assert_eq!(follow(&mut reader, &HEAD.repeat(100_000), 1 << 16).0, 100_000);
        // Beyond the bound, where a response ends is unknown.
        for _ in 0..MAX_METHOD_RUNS {
            reader.expect_response_to(Method::Get);
            reader.expect_response_to(Method::Head);
        }
        let both = [&get[..], HEAD].concat();
        let count = follow(&mut reader, &both.repeat(MAX_METHOD_RUNS), 1 << 16).0;
        assert_eq!((count, reader.beyond()), (MAX_METHOD_RUNS, Some(TOO_MANY_METHODS)));
    }
}
