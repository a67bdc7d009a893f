//! # Progress of a connection, counted in messages
//!
//! A transcript says "send this after the response". When is that, if the server sends other bytes
//! than the file has, and TCP cuts them anywhere?
//!
//! ```text
//! the file:        >>> GET  <<< 100 bytes: one complete response            >>> GET
//! the connection:  >>> GET  <<< 512 bytes, then 40: one complete response   now
//! ```
//! Rule: both are read message by message (RFC 9112 section 6.3). The connection has reached a
//! position in the file when as many messages are complete. Within a message, and where the bytes are
//! no message, bytes are counted.

use openkitchen::Method;
use openkitchen::message::reader::{Part, Reader};

/// A position in a stream of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Complete messages, without interim responses.
    pub finals: u64,
    /// Interim responses since the last of them (RFC 9110 section 15.2). A server need not send those
    /// that the file has.
    interims: u64,
    /// Bytes of the message that is not complete.
    incomplete: u64,
    /// Whether the head of that message is complete, and how many of the bytes follow it.
    head_is_whole: bool,
    after_head: u64,
    /// All bytes of the stream.
    total: u64,
    /// The bytes are not HTTP messages any more.
    is_lost: bool,
}

impl Progress {
    /// Whether this position is at `goal` or after it.
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
}

/// What a step has completed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Milestone {
    /// The head of a request. The framing of its response depends on the method.
    Request(Method),
    /// A complete final response.
    Response,
}

/// The progress of one direction of a connection.
pub struct DirectionProgress {
    reader: Reader,
    progress: Progress,
    is_client: bool,
    /// The first bytes of the message that is not complete.
    beginning: Vec<u8>,
    /// The end offset of each complete message.
    ends: Vec<usize>,
}

impl DirectionProgress {
    /// The direction from the client to the server.
    pub fn requests() -> DirectionProgress {
        DirectionProgress::new(Reader::requests(), true)
    }

    /// The direction from the server to the client.
    pub fn responses() -> DirectionProgress {
        DirectionProgress::new(Reader::responses(), false)
    }

    fn new(reader: Reader, is_client: bool) -> DirectionProgress {
        let (beginning, ends) = (Vec::new(), Vec::new());
        DirectionProgress { reader, progress: Progress::default(), is_client, beginning, ends }
    }

    /// The position after the bytes that were read.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The end offset of each complete message.
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Reads the first of these bytes, at most to the end of a message. Returns how many bytes it
    /// read, and what they completed.
    pub fn step(&mut self, bytes: &[u8]) -> (usize, Option<Milestone>) {
        let Some(range) = self.reader.next(bytes) else { return (0, None) };
        let progress = &mut self.progress;
        let room = BEGINNING_BYTES - self.beginning.len().min(BEGINNING_BYTES);
        self.beginning.extend_from_slice(&bytes[..range.length.min(room)]);
        progress.incomplete += range.length as u64;
        progress.total += range.length as u64;
        let mut milestone = None;
        match range.part {
            Part::Unframed if !progress.is_lost => {
                progress.is_lost = true;
                // A server that responds to a broken HEAD request leaves the content out, too.
                let start = self.beginning.trim_ascii_start();
                let method = if start.starts_with(b"HEAD ") { Method::Head } else { Method::Get };
                milestone = self.is_client.then_some(Milestone::Request(method));
            }
            Part::Framing | Part::Content => progress.after_head += range.length as u64,
            _ => {}
        }
        let outline = self.reader.outline();
        let status = outline.and_then(|outline| outline.status);
        if range.head_is_whole {
            progress.head_is_whole = true;
            let method = outline.and_then(|outline| outline.method).unwrap_or(Method::Get);
            milestone = self.is_client.then_some(Milestone::Request(method));
        }
        // The bytes after a 101 are no longer HTTP, so this response is complete with its head.
        let switches = range.head_is_whole && status == Some(101);
        if range.ends_message || switches {
            let is_interim = status.is_some_and(|status| status < 200) && !switches;
            self.complete(is_interim);
            let is_final = !self.is_client && !is_interim;
            milestone = milestone.or(is_final.then_some(Milestone::Response));
        }
        (range.length, milestone)
    }

    fn complete(&mut self, is_interim: bool) {
        let Progress { finals, interims, total, .. } = self.progress;
        let (finals, interims) = if is_interim { (finals, interims + 1) } else { (finals + 1, 0) };
        self.progress = Progress { finals, interims, total, ..Progress::default() };
        self.ends.push(usize::try_from(total).unwrap_or(usize::MAX));
        self.beginning.clear();
    }

    /// The sender has closed its side: content without any framing is complete now.
    pub fn end(&mut self) {
        if self.reader.ends_with_connection() {
            self.complete(false);
        }
    }
}

/// Bytes of a message that are kept, to recognise a HEAD request.
const BEGINNING_BYTES: usize = 16;

/// The progress of both directions of a connection.
pub struct ConnectionProgress {
    requests: DirectionProgress,
    responses: DirectionProgress,
}

impl ConnectionProgress {
    /// The progress of a new connection.
    pub fn new() -> ConnectionProgress {
        ConnectionProgress {
            requests: DirectionProgress::requests(),
            responses: DirectionProgress::responses(),
        }
    }

    /// Records bytes that were sent to the server.
    pub fn sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (length, milestone) = self.requests.step(bytes);
            if let Some(Milestone::Request(method)) = milestone {
                self.responses.reader.expect_response_to(method);
            }
            bytes = &bytes[length..];
        }
    }

    /// Records bytes that were received from the server.
    pub fn received(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.responses.step(bytes).0..];
        }
    }

    /// Records that the server closed the connection, without a reset.
    pub fn end(&mut self) {
        self.responses.end();
    }

    /// The position in the responses.
    pub fn responses(&self) -> &Progress {
        self.responses.progress()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn responses(request: &str, responses: &str) -> Progress {
        let mut exchange = ConnectionProgress::new();
        exchange.sent(request.as_bytes());
        exchange.received(responses.as_bytes());
        *exchange.responses()
    }

    const GET: &str = "GET / HTTP/1.1\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

    #[test]
    fn a_response_counts_as_one_whatever_its_bytes() {
        let planned = responses(GET, OK);
        for (received, is_reached) in [
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true),
            (CONTINUE, false),
            (&OK[..OK.len() - 1], false),
            ("", false),
            ("a banner of more bytes than the response that the file expects\r\n", true),
        ] {
            assert_eq!(responses(GET, received).has_reached(&planned), is_reached, "{received}");
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
    fn within_a_message_bytes_are_counted() {
        let planned = responses(GET, &OK[..OK.len() - 2]);
        assert!(!responses(GET, &OK[..OK.len() - 3]).has_reached(&planned));
        assert!(responses(GET, &OK[..OK.len() - 2]).has_reached(&planned));
        assert!(responses(GET, OK).has_reached(&planned));
        let garbage = responses(GET, "HTTP 200 fine\r\n");
        assert!(!responses(GET, "HTTP 200").has_reached(&garbage));
        assert!(responses(GET, "HTTP 200 fine\r\n").has_reached(&garbage));
    }

    #[test]
    fn a_response_to_head_has_no_content_even_if_the_request_was_broken() {
        let head = "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(responses("HEAD / HTTP/1.1\r\n\r\n", head).finals, 1);
        assert_eq!(responses("HEAD / HTTP/1.1\r\nHost : h\r\n\r\n", head).finals, 1);
        assert_eq!(responses("GET / HTTP/1.1\r\nHost : h\r\n\r\n", head).finals, 0);
    }

    #[test]
    fn content_without_framing_is_complete_when_the_connection_ends() {
        let mut exchange = ConnectionProgress::new();
        exchange.sent(GET.as_bytes());
        exchange.received(b"HTTP/1.0 200 OK\r\n\r\nall of it");
        assert_eq!(exchange.responses().finals, 0);
        exchange.end();
        assert_eq!(exchange.responses().finals, 1);
        assert_eq!(responses(GET, "HTTP/1.1 101 Switching Protocols\r\n\r\nxx").finals, 1);
    }
}
