//! # How far a conversation has come
//!
//! A script says "after the answer". When is that, if a stranger's server answers with other bytes,
//! and TCP cuts them where it likes?
//!
//! ```text
//! the file:  >>> GET  <<< 100 bytes, one whole answer      >>> GET
//! the wire:  >>> GET  <<< 512 bytes, then 40: one, too     now
//! ```
//! Rule: both are followed message by message (RFC 9112 section 6.3), and the wire has reached the
//! file's place when as many messages are whole. Within a message, bytes count; so they do where
//! there is none.

use openkitchen::Method;
use openkitchen::message::reader::{Part, Reader};

/// A place in a stream of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Messages that are whole, interim answers apart.
    pub finals: u64,
    /// Interim answers since (RFC 9110 section 15.2). A server need not send those that the file has.
    interims: u64,
    /// Bytes of the message that is not whole, whether its head is, and how many are behind that.
    open: u64,
    head_is_whole: bool,
    body: u64,
    /// All bytes, and whether they are messages.
    total: u64,
    is_lost: bool,
}

impl Progress {
    /// Whether whoever is here has come as far as that.
    pub fn has_reached(&self, goal: &Progress) -> bool {
        let messages = |place: &Progress| (place.finals, place.interims);
        if messages(self) != messages(goal) {
            let counts_bytes = self.is_lost && self.total >= goal.total;
            return messages(self) > messages(goal) || counts_bytes;
        }
        match (self.head_is_whole, goal.head_is_whole) {
            _ if goal.is_lost => self.open >= goal.open,
            (true, true) => self.body >= goal.body,
            (true, false) => true,
            (false, _) => self.open >= goal.open,
        }
    }
}

/// What was met on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Met {
    /// A request: what its answer is like depends on its method.
    Request(Method),
    /// A whole answer that is not an interim one.
    Response,
}

/// One direction, followed.
pub struct DirectionProgress {
    reader: Reader,
    place: Progress,
    is_client: bool,
    /// How the message that is open begins.
    beginning: Vec<u8>,
    /// The offset behind each whole message.
    ends: Vec<usize>,
}

impl DirectionProgress {
    /// What a client sends.
    pub fn requests() -> DirectionProgress {
        DirectionProgress::new(Reader::requests(), true)
    }

    /// What a server sends.
    pub fn answers() -> DirectionProgress {
        DirectionProgress::new(Reader::responses(), false)
    }

    fn new(reader: Reader, is_client: bool) -> DirectionProgress {
        let (beginning, ends) = (Vec::new(), Vec::new());
        DirectionProgress { reader, place: Progress::default(), is_client, beginning, ends }
    }

    /// How far it has come.
    pub fn place(&self) -> &Progress {
        &self.place
    }

    /// Where each whole message ended.
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Follows the first of these bytes, up to the end of a message at most, and says how many they
    /// were.
    pub fn step(&mut self, bytes: &[u8]) -> (usize, Option<Met>) {
        let Some(stretch) = self.reader.next(bytes) else { return (0, None) };
        let place = &mut self.place;
        let room = MESSAGE_START - self.beginning.len().min(MESSAGE_START);
        self.beginning.extend_from_slice(&bytes[..stretch.length.min(room)]);
        (place.open, place.total) =
            (place.open + stretch.length as u64, place.total + stretch.length as u64);
        let mut met = None;
        match stretch.part {
            Part::Unframed if !place.is_lost => {
                place.is_lost = true;
                // Who answers what is no request still leaves out the content where it says HEAD.
                let start = self.beginning.trim_ascii_start();
                let method = if start.starts_with(b"HEAD ") { Method::Head } else { Method::Get };
                met = self.is_client.then_some(Met::Request(method));
            }
            Part::Framing | Part::Content => place.body += stretch.length as u64,
            _ => {}
        }
        let outline = self.reader.outline();
        let status = outline.and_then(|outline| outline.status);
        if stretch.head_is_whole {
            place.head_is_whole = true;
            let method = outline.and_then(|outline| outline.method).unwrap_or(Method::Get);
            met = self.is_client.then_some(Met::Request(method));
        }
        // What follows 101 is no longer HTTP, and the answer is whole with its head.
        let switches = stretch.head_is_whole && status == Some(101);
        if stretch.ends_message || switches {
            let is_interim = status.is_some_and(|status| status < 200) && !switches;
            self.whole(is_interim);
            met = met.or((!self.is_client && !is_interim).then_some(Met::Response));
        }
        (stretch.length, met)
    }

    fn whole(&mut self, is_interim: bool) {
        let Progress { finals, interims, total, .. } = self.place;
        let (finals, interims) = if is_interim { (finals, interims + 1) } else { (finals + 1, 0) };
        self.place = Progress { finals, interims, total, ..Progress::default() };
        self.ends.push(usize::try_from(total).unwrap_or(usize::MAX));
        self.beginning.clear();
    }

    /// No more will come: content without any framing is whole.
    pub fn end(&mut self) {
        if self.reader.ends_with_connection() {
            self.whole(false);
        }
    }
}

/// Enough of a message to tell a HEAD.
const MESSAGE_START: usize = 16;

/// Both directions of a connection.
pub struct ConnectionProgress {
    requests: DirectionProgress,
    answers: DirectionProgress,
}

impl ConnectionProgress {
    /// Nothing has crossed yet.
    pub fn new() -> ConnectionProgress {
        ConnectionProgress {
            requests: DirectionProgress::requests(),
            answers: DirectionProgress::answers(),
        }
    }

    /// These bytes went to the server.
    pub fn sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (length, met) = self.requests.step(bytes);
            if let Some(Met::Request(method)) = met {
                self.answers.reader.expect_response_to(method);
            }
            bytes = &bytes[length..];
        }
    }

    /// These bytes came from the server.
    pub fn came(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.answers.step(bytes).0..];
        }
    }

    /// The server ended the connection in order.
    pub fn end(&mut self) {
        self.answers.end();
    }

    /// How far the answers have come.
    pub fn answers(&self) -> &Progress {
        self.answers.place()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(request: &str, answers: &str) -> Progress {
        let mut exchange = ConnectionProgress::new();
        exchange.sent(request.as_bytes());
        exchange.came(answers.as_bytes());
        *exchange.answers()
    }

    const GET: &str = "GET / HTTP/1.1\r\n\r\n";
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

    #[test]
    fn a_strangers_answer_counts_as_one_whatever_its_bytes() {
        let planned = answers(GET, OK);
        for (came, is_reached) in [
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true),
            (CONTINUE, false),
            (&OK[..OK.len() - 1], false),
            ("", false),
            ("a banner, of more bytes than the answer that the file expects\r\n", true),
        ] {
            assert_eq!(answers(GET, came).has_reached(&planned), is_reached, "{came}");
        }
    }

    #[test]
    fn an_interim_answer_is_waited_for_only_where_it_comes_last() {
        let interim = answers(GET, CONTINUE);
        assert!(!answers(GET, "").has_reached(&interim));
        assert!(answers(GET, OK).has_reached(&interim));
        assert!(answers(GET, OK).has_reached(&answers(GET, &format!("{CONTINUE}{OK}"))));
    }

    #[test]
    fn within_a_message_bytes_count() {
        let planned = answers(GET, &OK[..OK.len() - 2]);
        assert!(!answers(GET, &OK[..OK.len() - 3]).has_reached(&planned));
        assert!(answers(GET, &OK[..OK.len() - 2]).has_reached(&planned));
        assert!(answers(GET, OK).has_reached(&planned));
        let garbage = answers(GET, "HTTP 200 fine\r\n");
        assert!(!answers(GET, "HTTP 200").has_reached(&garbage));
        assert!(answers(GET, "HTTP 200 fine\r\n").has_reached(&garbage));
    }

    #[test]
    fn an_answer_to_head_has_no_content_even_where_the_request_was_broken() {
        let head = "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(answers("HEAD / HTTP/1.1\r\n\r\n", head).finals, 1);
        assert_eq!(answers("HEAD / HTTP/1.1\r\nHost : h\r\n\r\n", head).finals, 1);
        assert_eq!(answers("GET / HTTP/1.1\r\nHost : h\r\n\r\n", head).finals, 0);
    }

    #[test]
    fn content_without_framing_is_whole_when_the_connection_ends() {
        let mut exchange = ConnectionProgress::new();
        exchange.sent(GET.as_bytes());
        exchange.came(b"HTTP/1.0 200 OK\r\n\r\nall of it");
        assert_eq!(exchange.answers().finals, 0);
        exchange.end();
        assert_eq!(exchange.answers().finals, 1);
        assert_eq!(answers(GET, "HTTP/1.1 101 Switching Protocols\r\n\r\nxx").finals, 1);
    }
}
