//! # Both directions of one connection, followed together
//!
//! Where a response ends depends on its request: the response to HEAD has no content, and after a 101
//! neither side sends HTTP. So the two directions are followed by one [`Dialogue`].
//!
//! ```text
//! client   HEAD / HTTP/1.1 …                        Host : h …
//! server              HTTP/1.1 200 OK … (no content)          HTTP/1.1 400 Bad Request …
//! counts   1 request, 1 final response, nothing in flight       2 requests, 2 final responses
//! ```
//! It follows what other servers and clients allow, and judges nothing. After bytes of one side that
//! cannot be followed, it finds the next message of that side where that is certain enough: a request at
//! the start of a read once all requests are answered, and a response at the start of a read to the one
//! request that was sent in the meantime.
//!
//! Rule: RFC 9112 section 6.3, by [`Ending`]. A broken head counts as a request too, since the server
//! answers it: as HEAD if it begins so, else as GET.  Next: [`reader`](super::reader).

use super::ending::Ending;
use super::fields::{is_token, without_line_end};
use super::method::Method;
use super::outline::Outline;
use super::reader::{Part, PartRange, Reader};
use super::refusal::Refusal;

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client, which sends requests.
    Client,
    /// The server, which sends responses.
    Server,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// A range of bytes of one part, and the state of its direction after them.
#[derive(Clone, Debug)]
pub struct Followed {
    /// What the bytes are part of.
    pub part: Part,
    /// Length in bytes.
    pub length: usize,
    /// The head that is complete with these bytes.
    pub head: Option<Box<Outline>>,
    /// Whether a message is complete with these bytes.
    pub ends_message: bool,
    /// Where the message of the last complete head ends.
    pub ending: Option<Ending>,
    /// The rule that chunked content broke, and the offset of the bad byte in its line.
    pub fault: Option<(Refusal, usize)>,
    /// Bytes of content that certainly follow; see [`Reader::content_left`].
    pub content_left: u64,
    /// Whether a message has begun and not ended; see [`Reader::is_within`].
    pub is_within: bool,
    /// Whether all further bytes of this direction are unframed.
    pub is_lost: bool,
    /// What is more than is followed, if they are unframed from here on because of that; see
    /// [`Reader::beyond`].
    pub beyond: Option<&'static str>,
    /// Whether a message begins here after unframed bytes. The message before has no known end.
    pub resumes: bool,
}

impl Followed {
    /// Bytes that it takes in memory.
    pub fn memory(&self) -> usize {
        size_of::<Followed>() + self.head.as_ref().map_or(0, |head| head.memory())
    }
}

/// A position in the messages of one direction. Two positions of different byte streams can be
/// compared: in the messages that are complete, and within a message in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Complete messages, without interim responses.
    pub finals: u64,
    /// Interim responses since the last of them (RFC 9110 section 15.2).
    interims: u64,
    /// Bytes of the message that is not complete.
    incomplete: u64,
    /// Whether the head of that message is complete.
    head_is_whole: bool,
    /// Bytes of that message after its head.
    after_head: u64,
    /// All bytes of the direction.
    pub total: u64,
    /// Whether the bytes are no HTTP messages any more.
    is_lost: bool,
}

impl Progress {
    /// Whether a message is complete, interim responses included.
    pub fn has_messages(&self) -> bool {
        self.finals > 0 || self.interims > 0
    }

    /// Whether the bytes at this position are no messages, as after a switch to another protocol.
    pub fn is_unframed(&self) -> bool {
        self.is_lost
    }

    /// Whether the head of a message has begun and is not complete.
    pub fn is_within_head(&self) -> bool {
        self.incomplete > 0 && !self.head_is_whole && !self.is_lost
    }

    /// Whether this position is at `goal` or after it. A server need not send the interim responses
    /// that stand before `goal`.
    pub fn has_reached(&self, goal: &Progress) -> bool {
        let messages = |progress: &Progress| (progress.finals, progress.interims);
        if messages(self) != messages(goal) {
            let counts_bytes = self.is_lost && self.total >= goal.total;
            return messages(self) > messages(goal) || counts_bytes;
        }
        match (self.head_is_whole, goal.head_is_whole) {
            _ if goal.is_lost => self.incomplete >= goal.incomplete,
            (true, true) => self.after_head >= goal.after_head,
            (true, false) => true,
            (false, _) => self.incomplete >= goal.incomplete,
        }
    }

    /// Counts bytes. A transcript can leave out as many as a `u64` counts.
    fn add(&mut self, bytes: u64, is_after_head: bool) {
        self.total = self.total.saturating_add(bytes);
        self.incomplete = self.incomplete.saturating_add(bytes);
        if is_after_head {
            self.after_head = self.after_head.saturating_add(bytes);
        }
    }
}

/// Follows both directions of a connection, from its first byte.
#[derive(Debug)]
pub struct Dialogue {
    client: Stream,
    server: Stream,
    /// Requests, broken ones included.
    requests: u64,
    /// Requests whose final response is not complete.
    unanswered: u64,
    /// Requests since the server's bytes cannot be followed.
    requests_unseen: u64,
    /// Whether the connection has left HTTP: a 101, or a tunnel.
    has_switched: bool,
}

/// One direction.
#[derive(Debug)]
struct Stream {
    reader: Reader,
    progress: Progress,
    /// The first bytes of the message that is not complete: they show a HEAD request whose head is
    /// broken.
    start: Vec<u8>,
}

/// Bytes of a message's start that are kept: an empty line, and the method.
const START_BYTES: usize = 16;

impl Default for Dialogue {
    fn default() -> Dialogue {
        Dialogue::new()
    }
}

impl Dialogue {
    /// A connection on which no byte has crossed yet.
    pub fn new() -> Dialogue {
        Dialogue {
            client: Stream::new(Reader::requests()),
            server: Stream::new(Reader::responses()),
            requests: 0,
            unanswered: 0,
            requests_unseen: 0,
            has_switched: false,
        }
    }

    /// Takes the first of these bytes that one side sent, and says what they are; `None` if there are
    /// none. Call it again with the bytes after them.
    pub fn next(&mut self, from: Side, bytes: &[u8]) -> Option<Followed> {
        let resumes = self.stream(from).reader.is_lost() && self.can_resume(from, bytes);
        if resumes {
            self.resume(from);
        }
        let stream = self.stream_mut(from);
        let was_lost = stream.progress.is_lost;
        let range = stream.next(bytes)?;
        match from {
            Side::Client => self.follow_request(&range, was_lost),
            Side::Server => self.follow_response(&range),
        }
        let reader = &self.stream(from).reader;
        let head = range.head_is_whole.then(|| reader.outline().cloned().map(Box::new)).flatten();
        Some(Followed {
            part: range.part,
            length: range.length,
            head,
            ends_message: range.ends_message,
            ending: reader.ending(),
            fault: reader.fault(),
            content_left: reader.content_left(),
            is_within: reader.is_within(),
            is_lost: reader.is_lost(),
            beyond: reader.beyond().filter(|_| !was_lost),
            resumes,
        })
    }

    /// Whether a read that begins with these bytes begins a message, after bytes that could not be
    /// followed. A client that has its response sends the next request, and a server that has a new
    /// request has ended its response. It can be mistaken only about content that is sent after that
    /// all the same, and that begins a read with a whole request line or status line.
    #[cold]
    fn can_resume(&self, from: Side, bytes: &[u8]) -> bool {
        let is_due = match from {
            Side::Client => self.unanswered == 0 && !self.server.reader.is_within(),
            Side::Server => self.requests_unseen == 1 && self.unanswered <= 2,
        };
        is_due && !self.has_switched && begins_message(from, bytes)
    }

    #[cold]
    fn resume(&mut self, from: Side) {
        let stream = self.stream_mut(from);
        stream.reader.resume();
        // The unframed bytes count as one message, as the broken request has counted.
        stream.complete(false);
        if from == Side::Server {
            (self.requests_unseen, self.unanswered) = (0, 1);
        }
    }

    /// Takes all of these bytes.
    pub fn follow(&mut self, from: Side, mut bytes: &[u8]) -> Vec<Followed> {
        let mut ranges = Vec::new();
        while let Some(range) = self.next(from, bytes) {
            bytes = &bytes[range.length..];
            ranges.push(range);
        }
        ranges
    }

    /// Skips bytes of which only the count is known.
    pub fn skip(&mut self, from: Side, bytes: u64) {
        let stream = self.stream_mut(from);
        stream.progress.add(bytes, true);
        let was_within = stream.reader.is_within();
        stream.reader.skip(bytes);
        stream.progress.is_lost |= stream.reader.is_lost();
        if was_within && !stream.reader.is_within() {
            self.complete(from);
        }
    }

    /// Takes the end of one side's direction. Content that ends with the connection is complete now.
    pub fn end(&mut self, from: Side) {
        if self.stream(from).reader.ends_with_connection() {
            self.complete(from);
        }
    }

    /// Counts a side's message, which is no interim response, as complete.
    fn complete(&mut self, from: Side) {
        self.stream_mut(from).complete(false);
        if from == Side::Server {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
    }

    /// Counts a request with this method. Call it for a request that crossed before the first byte
    /// that is followed here.
    pub fn expect_response_to(&mut self, method: Method) {
        self.requests += 1;
        self.unanswered += 1;
        self.requests_unseen += u64::from(self.server.reader.is_lost());
        self.server.reader.expect_response_to(method);
    }

    /// Requests so far. A request counts when its head is complete, or is found to be broken.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests whose final response is not complete.
    pub fn unanswered(&self) -> u64 {
        self.unanswered
    }

    /// Whether a request or a response has begun and not ended. Also true where that is unknown,
    /// because the bytes are no messages.
    pub fn is_in_flight(&self) -> bool {
        self.unanswered > 0 || self.client.reader.is_within() || self.server.reader.is_within()
    }

    /// Whether the connection has left HTTP: a 101, or a tunnel after CONNECT.
    pub fn has_switched(&self) -> bool {
        self.has_switched
    }

    /// Bytes that the dialogue takes in memory, besides its own size: few, but for long heads and lines.
    pub fn memory(&self) -> usize {
        self.client.reader.memory() + self.server.reader.memory()
    }

    /// Gives up memory that long heads and lines take; see [`Reader::shrink`].
    pub fn shrink(&mut self) {
        self.client.reader.shrink();
        self.server.reader.shrink();
    }

    /// The position in the messages of one side.
    pub fn progress(&self, of: Side) -> &Progress {
        &self.stream(of).progress
    }

    /// The reader of one side.
    pub fn reader(&self, of: Side) -> &Reader {
        &self.stream(of).reader
    }

    fn follow_request(&mut self, range: &PartRange, was_lost: bool) {
        if range.head_is_whole {
            self.expect_response_to(self.client.reader.method());
        } else if range.part == Part::Unframed && !was_lost && !self.client.progress.head_is_whole {
            let is_head = without_empty_lines(&self.client.start).starts_with(b"HEAD ");
            self.expect_response_to(if is_head { Method::Head } else { Method::Get });
        }
    }

    fn follow_response(&mut self, range: &PartRange) {
        let ending = self.server.reader.ending();
        if range.head_is_whole && ending.is_some_and(Ending::leaves_http) {
            self.has_switched = true;
            // This response is complete with its head. Neither side sends HTTP after it.
            self.server.complete(false);
            self.server.progress.is_lost = true;
            self.client.reader.stop();
            self.client.progress.is_lost = true;
            // What the client has sent early is no request.
            self.requests = self.server.progress.finals;
        }
        let is_final = !matches!(ending, Some(Ending::Interim));
        if self.has_switched {
            self.unanswered = 0;
        } else if is_final && range.ends_message {
            self.unanswered = self.unanswered.saturating_sub(1);
        }
    }

    fn stream(&self, of: Side) -> &Stream {
        match of {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn stream_mut(&mut self, of: Side) -> &mut Stream {
        match of {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

impl Stream {
    fn new(reader: Reader) -> Stream {
        Stream { reader, progress: Progress::default(), start: Vec::new() }
    }

    fn next(&mut self, bytes: &[u8]) -> Option<PartRange> {
        let range = self.reader.next(bytes)?;
        let room = START_BYTES.saturating_sub(self.start.len());
        self.start.extend_from_slice(&bytes[..range.length.min(room)]);
        let is_after_head = matches!(range.part, Part::Framing | Part::Content);
        self.progress.add(range.length as u64, is_after_head);
        self.progress.is_lost |= range.part == Part::Unframed;
        self.progress.head_is_whole |= range.head_is_whole;
        if range.ends_message {
            self.complete(matches!(self.reader.ending(), Some(Ending::Interim)));
        }
        Some(range)
    }

    /// Counts the message as complete.
    fn complete(&mut self, is_interim: bool) {
        let Progress { finals, interims, total, .. } = self.progress;
        let (finals, interims) = if is_interim { (finals, interims + 1) } else { (finals + 1, 0) };
        self.progress = Progress { finals, interims, total, ..Progress::default() };
        self.start.clear();
    }
}

/// The bytes after the empty lines that may stand before a request. Other blanks would break it before
/// its method is read.
fn without_empty_lines(mut start: &[u8]) -> &[u8] {
    while let Some(rest) = start.strip_prefix(b"\r\n").or(start.strip_prefix(b"\n")) {
        start = rest;
    }
    start
}

/// Whether these bytes begin with a whole request line or status line (RFC 9112 sections 3 and 4).
pub(crate) fn begins_message(from: Side, bytes: &[u8]) -> bool {
    let bytes = if from == Side::Client { without_empty_lines(bytes) } else { bytes };
    let Some(line) = bytes.split_inclusive(|&byte| byte == b'\n').next() else { return false };
    let words: Vec<&[u8]> = without_line_end(line).splitn(3, |&byte| byte == b' ').collect();
    let is_version = |word: &[u8]| word.len() == 8 && word.starts_with(b"HTTP/1.");
    let [first, second, third] = words[..] else { return false };
    line.ends_with(b"\n")
        && match from {
            Side::Client => is_token(first) && !second.is_empty() && is_version(third),
            Side::Server => {
                is_version(first) && second.len() == 3 && second.iter().all(u8::is_ascii_digit)
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

    /// Follows the bytes of both sides, each in reads of this size.
    fn dialogue(requests: &str, responses: &str, read_size: usize) -> Dialogue {
        let mut dialogue = Dialogue::new();
        for (from, bytes) in [(Side::Client, requests), (Side::Server, responses)] {
            for read in bytes.as_bytes().chunks(read_size) {
                let ranges = dialogue.follow(from, read);
                let length: usize = ranges.iter().map(|range| range.length).sum();
                assert_eq!(length, read.len());
            }
        }
        dialogue
    }

    fn responses(requests: &str, responses: &str) -> Progress {
        *dialogue(requests, responses, 1000).progress(Side::Server)
    }

    #[test]
    fn a_response_to_head_has_no_content_even_if_the_request_was_broken() {
        let head = "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\n";
        for read_size in [1, 7, 1000] {
            for (requests, finals) in [
                ("HEAD / HTTP/1.1\r\n\r\n", 1),
                ("HEAD / HTTP/1.1\r\nHost : h\r\n\r\n", 1),
                ("\r\nHEAD / HTTP/1.1\r\nHost : h\r\n\r\n", 1),
                ("\rHEAD / HTTP/1.1\r\n\r\n", 0),
                ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 0),
            ] {
                let dialogue = dialogue(requests, head, read_size);
                let counts = (dialogue.requests(), dialogue.progress(Side::Server).finals);
                assert_eq!(counts, (1, finals), "{requests:?}");
            }
        }
    }

    #[test]
    fn a_request_whose_content_is_broken_counts_once() {
        let post = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n";
        assert_eq!(dialogue(post, "", 1).requests(), 1);
        let post = "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nxx\r\n";
        assert_eq!(dialogue(post, "", 1000).requests(), 1);
    }

    #[test]
    fn an_exchange_is_in_flight_until_its_final_response_is_complete() {
        let mut dialogue = Dialogue::new();
        assert!(!dialogue.is_in_flight());
        for byte in GET.as_bytes() {
            dialogue.follow(Side::Client, &[*byte]);
            assert!(dialogue.is_in_flight());
        }
        for byte in format!("{CONTINUE}{OK}").as_bytes() {
            assert!(dialogue.is_in_flight());
            dialogue.follow(Side::Server, &[*byte]);
        }
        assert!(!dialogue.is_in_flight());
        dialogue.follow(Side::Client, b"\x16\x03\x01");
        assert!(dialogue.is_in_flight(), "unknown counts as in flight");
    }

    #[test]
    fn after_a_switch_neither_side_sends_http() {
        let connect = "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n";
        for (requests, response) in [
            (GET, "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            (connect, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ] {
            let mut dialogue = dialogue(requests, response, 1000);
            assert!(dialogue.has_switched() && dialogue.unanswered() == 0);
            assert_eq!(dialogue.progress(Side::Server).finals, 1);
            for from in [Side::Client, Side::Server] {
                let ranges = dialogue.follow(from, GET.as_bytes());
                assert!(ranges.iter().all(|range| range.part == Part::Unframed));
            }
            assert_eq!((dialogue.requests(), dialogue.unanswered()), (1, 0));
        }
    }

    #[test]
    fn a_head_beyond_this_servers_limits_is_followed() {
        use crate::message::limits::{Limits, MAX_FIELDS};
        let long = format!("X: {}\r\n", "y".repeat(8 * Limits::default().head));
        for fields in ["X: y\r\n".repeat(20 * MAX_FIELDS), long] {
            let request = format!("HEAD / HTTP/1.1\r\n{fields}\r\n");
            let response = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 5\r\n\r\n");
            let dialogue = dialogue(&request.repeat(2), &response.repeat(2), 4096);
            assert_eq!((dialogue.requests(), dialogue.unanswered()), (2, 0));
            assert!(!dialogue.is_in_flight());
        }
    }

    #[test]
    fn content_without_framing_is_complete_when_its_side_ends() {
        let mut dialogue = dialogue(GET, "HTTP/1.0 200 OK\r\n\r\nall of it", 1);
        assert_eq!((dialogue.progress(Side::Server).finals, dialogue.unanswered()), (0, 1));
        dialogue.end(Side::Server);
        assert_eq!((dialogue.progress(Side::Server).finals, dialogue.unanswered()), (1, 0));
    }

    #[test]
    fn skipped_bytes_count_as_content() {
        let mut dialogue = dialogue(GET, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 1000);
        dialogue.skip(Side::Server, 499);
        assert!(dialogue.is_in_flight());
        dialogue.skip(Side::Server, 1);
        assert!(!dialogue.is_in_flight());
        assert_eq!(dialogue.progress(Side::Server).finals, 1);
        dialogue.skip(Side::Server, u64::MAX);
        dialogue.follow(Side::Server, OK.as_bytes());
        assert_eq!(dialogue.progress(Side::Server).total, u64::MAX);
    }

    #[test]
    fn a_response_counts_as_one_whatever_its_bytes() {
        let goal = responses(GET, OK);
        for (received, is_reached) in [
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true),
            (CONTINUE, false),
            (&OK[..OK.len() - 1], false),
            ("", false),
            ("a banner of more bytes than the response that the file expects\r\n", true),
        ] {
            assert_eq!(responses(GET, received).has_reached(&goal), is_reached, "{received}");
        }
    }

    #[test]
    fn an_interim_response_is_awaited_only_if_it_is_the_last_one() {
        let interim = responses(GET, CONTINUE);
        assert!(!responses(GET, "").has_reached(&interim));
        assert!(responses(GET, OK).has_reached(&interim));
        assert!(responses(GET, OK).has_reached(&responses(GET, &format!("{CONTINUE}{OK}"))));
    }

    #[test]
    fn interim_responses_are_messages() {
        assert!(responses(GET, CONTINUE).has_messages() && responses(GET, OK).has_messages());
        assert!(!responses(GET, &OK[..OK.len() - 1]).has_messages());
        assert!(!responses(GET, "HTTP 200 fine\r\n").has_messages());
    }

    #[test]
    fn within_a_message_bytes_are_counted() {
        let goal = responses(GET, &OK[..OK.len() - 2]);
        assert!(!responses(GET, &OK[..OK.len() - 3]).has_reached(&goal));
        assert!(responses(GET, &OK[..OK.len() - 2]).has_reached(&goal));
        assert!(responses(GET, OK).has_reached(&goal));
        let garbage = responses(GET, "HTTP 200 fine\r\n");
        assert!(!responses(GET, "HTTP 200").has_reached(&garbage));
        assert!(responses(GET, "HTTP 200 fine\r\n").has_reached(&garbage));
    }

    /// Follows reads of both sides, one after another. Returns the parts of the last one.
    fn last_parts(dialogue: &mut Dialogue, reads: &[(Side, &str)]) -> Vec<Part> {
        let mut parts = Vec::new();
        for (from, read) in reads {
            let ranges = dialogue.follow(*from, read.as_bytes());
            parts = ranges.iter().map(|range| range.part).collect();
        }
        parts
    }

    #[test]
    fn after_a_broken_request_the_next_one_is_found_when_its_response_has_ended() {
        use Side::{Client, Server};
        let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
        let (broken, head) = ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n");
        let no_content = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let (first, rest) = refused.split_at(refused.len() - 1);
        let mut dialogue = Dialogue::new();
        let reads = [(Client, broken), (Server, first), (Client, head)];
        assert_eq!(last_parts(&mut dialogue, &reads), [Part::Unframed], "the response goes on");
        let reads = [(Server, rest), (Client, "no request"), (Client, head)];
        assert_eq!(last_parts(&mut dialogue, &reads), [Part::Head]);
        assert_eq!((dialogue.requests(), dialogue.unanswered()), (2, 1));
        // A broken HEAD is one, too.
        let reads = [(Server, no_content), (Client, "HEAD / HTTP/1.1\r\nHost : h\r\n\r\n")];
        assert_eq!(last_parts(&mut dialogue, &reads), [Part::Unframed]);
        assert_eq!(dialogue.progress(Client).finals, 2);
        let reads = [(Server, no_content), (Client, GET), (Server, OK)];
        last_parts(&mut dialogue, &reads);
        assert_eq!((dialogue.requests(), dialogue.is_in_flight()), (4, false));
        assert_eq!(dialogue.progress(Server).finals, 4);
    }

    #[test]
    fn after_a_response_that_cannot_be_followed_the_response_to_the_next_request_is_found() {
        use Side::{Client, Server};
        let long = format!("HTTP/1.1 200 {}", "y".repeat(300 * 1024));
        for lost in [long.as_str(), "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello"] {
            let mut dialogue = Dialogue::new();
            let reads = [(Client, GET), (Server, lost), (Server, OK)];
            assert_eq!(last_parts(&mut dialogue, &reads), [Part::Unframed], "no request since");
            let head = "HEAD / HTTP/1.1\r\n\r\n";
            let no_content = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
            let reads = [(Client, head), (Server, "no response"), (Server, no_content)];
            assert_eq!(last_parts(&mut dialogue, &reads), [Part::Head]);
            assert_eq!((dialogue.progress(Server).finals, dialogue.is_in_flight()), (2, false));
            // Which of three requests a response answers would be a guess.
            let reads = [(Client, GET), (Client, GET), (Server, lost), (Client, GET), (Server, OK)];
            assert_eq!(last_parts(&mut dialogue, &reads), [Part::Unframed]);
        }
    }

    #[test]
    fn what_a_client_sends_before_its_tunnel_is_open_is_no_request() {
        let early = "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n\u{16}\u{3}\u{1}";
        let mut dialogue = dialogue(early, "HTTP/1.1 200 OK\r\n\r\n", 1000);
        assert_eq!((dialogue.requests(), dialogue.unanswered()), (1, 0));
        let ranges = dialogue.follow(Side::Client, GET.as_bytes());
        assert_eq!(ranges[0].part, Part::Unframed);
        assert_eq!(dialogue.requests(), 1);
    }
}
