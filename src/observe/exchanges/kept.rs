//! # What is kept of an exchange
//!
//! ```text
//! KeptExchange
//!   ├ request    KeptBytes   its bytes, and the reads in which they arrived
//!   ├ response   KeptBytes   its bytes, interim responses included, and the writes
//!   └ route, status, times, notes, and how the connection ended
//! ```
//! Bounds: of each message the first bytes, and 1,024 reads or writes. What is beyond is counted.
//! Next: `state`.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::message::dialogue::Side;
use crate::message::ending::Ending;
use crate::message::method::Method;
use crate::message::outline::Outline;
use crate::message::reader::{Part, Reader};
use crate::observe::feed::{KeptConnection, Subject};
use crate::route::RouteRow;
use crate::transcript::notes::{crossed, silence};
use crate::transcript::{Block, Bytes, Event, EventKind, Item, Note, Transcript};

/// Roughly what an exchange, and each read or write of it, takes in memory besides its bytes.
pub(super) const EXCHANGE_BYTES: usize = size_of::<KeptExchange>() + 64;
pub(super) const READ_BYTES: usize = size_of::<ReadOrWrite>();

/// Bytes that are kept of a message in flight if there is no room for more: most heads have less.
const CUT_BYTES: usize = 1024;

/// Reads or writes of a message that are kept. The last one stands for those beyond.
pub(super) const MAX_READS: usize = 1024;

/// A request and its response, byte for byte. It prints as a transcript.
///
/// ```
/// # use openkitchen::{Request, Response, Routes, Server, get, routes};
/// # use std::io::{Read, Write};
/// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
/// # let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
/// # let mut client = std::net::TcpStream::connect(server.address())?;
/// # client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// # client.read_to_string(&mut String::new())?;
/// let kept = server.exchange(1);
/// assert_eq!((kept.status, kept.route.map(|row| row.path)), (Some(200), Some("/")));
/// assert!(kept.response.bytes().ends_with(b"\r\n\r\nWelcome!") && kept.response.is_whole());
/// assert_eq!(kept.request.reads().len(), 1, "it arrived in one read");
/// println!("{kept} took {:?} and ended with {:?}", kept.took(), kept.ends);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct KeptExchange {
    /// The number of the exchange, from 1, in the order in which they began.
    pub number: u64,
    /// The number of the connection, from 1.
    pub connection: u64,
    /// Which exchange of its connection it is, from 1. `None` if others were before the first that
    /// is kept.
    pub position: Option<u64>,
    /// The client's address.
    pub peer: SocketAddr,
    /// What the client sent.
    pub request: KeptBytes,
    /// What the server sent.
    pub response: KeptBytes,
    /// The status of the final response, once its head has crossed.
    pub status: Option<u16>,
    /// The row of the route table, if the server has looked up one and found it.
    pub route: Option<RouteRow>,
    /// How the connection ended, if it has, and this was its last exchange.
    pub ends: Vec<EventKind>,
    /// When its connection was accepted, or was followed first. All times of the exchange are counted
    /// from then.
    pub opened: SystemTime,
    /// When the route was looked up.
    pub routed_at: Option<Duration>,
    /// When the content was complete and the handler was called.
    pub handling_at: Option<Duration>,
    /// When the handler returned.
    pub handled_at: Option<Duration>,
    /// What the handler says that it did: see [`Response::note`](crate::Response::note).
    pub notes: Vec<String>,
    /// Whether the exchange is over.
    pub is_over: bool,
    /// Whether it is set aside: see [`Exchanges::setting_aside`](super::Exchanges::setting_aside).
    pub is_aside: bool,
    /// The number of its server.
    pub(super) server: u64,
    /// The number of its last event.
    pub(super) event: u64,
    /// Which of all that are over it is, from 1; 0 while it is in flight.
    pub(super) over: u64,
}

/// The bytes of a message, with the reads or writes in which they crossed. What the server sends after the
/// end of its last response belongs to that response.
///
/// ```
/// # use openkitchen::{Client, Request, Response, Routes, Server, post, routes};
/// # static ROUTES: Routes = routes(&[post("/order", |_: &Request| Response::text("it is cooking"))]);
/// # let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
/// # let mut client = Client::connect(server.address())?;
/// # client.send("POST /order HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n")?;
/// # client.send("Transfer-Encoding: chunked\r\n\r\n4\r\nrice\r\n0\r\n\r\n")?;
/// // ... the client under test sends a request ...
/// let kept = server.exchange(1);
/// assert_eq!((kept.method(), kept.target()), ("POST".into(), "/order".into()));
/// assert_eq!(kept.request.field("content-type").as_deref(), Some("text/plain"));
/// assert_eq!(kept.request.text(), "rice"); // without the framing of its chunks
/// assert!(kept.request.bytes().ends_with(b"\r\n4\r\nrice\r\n0\r\n\r\n"));
/// assert_eq!(kept.response.text(), "it is cooking");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeptBytes {
    from: Side,
    pub(super) bytes: Vec<u8>,
    pub(super) total: u64,
    pub(super) reads: Vec<ReadOrWrite>,
    /// How many reads or writes there were, and the times of the first and the last one.
    pub(super) count: u64,
    pub(super) times: Option<(Duration, Duration)>,
    /// Bytes up to the end of the final head, and where that head says that the message ends.
    pub(super) head: Option<u64>,
    pub(super) ending: Option<Ending>,
    pub(super) is_whole: bool,
    /// Whether the end of the connection ends the message.
    pub(super) ends_with_connection: bool,
}

/// One read or write of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOrWrite {
    /// The time since the connection was accepted.
    pub at: Duration,
    /// Bytes of this message in it.
    pub length: usize,
}

/// One read or write, for a transcript. The last of a message stands for those that are not kept, too.
struct KeptBlock<'a> {
    from: Side,
    bytes: &'a [u8],
    left_out: u64,
    begun: Duration,
    ended: Duration,
    /// How many reads or writes it is.
    count: u64,
}

impl KeptBytes {
    fn new(from: Side) -> KeptBytes {
        KeptBytes {
            from,
            bytes: Vec::new(),
            total: 0,
            reads: Vec::new(),
            count: 0,
            times: None,
            head: None,
            ending: None,
            is_whole: false,
            ends_with_connection: false,
        }
    }

    /// The bytes that are kept: all, or the first ones.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes crossed.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The reads or writes of the bytes that are kept.
    pub fn reads(&self) -> &[ReadOrWrite] {
        &self.reads
    }

    /// Whether the message has crossed to its end.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// How many bytes there are up to the end of the head, interim responses included; `None` if the head
    /// is not complete.
    pub fn head_length(&self) -> Option<u64> {
        self.head
    }

    /// The value of the first field line with that name in the head; of a response, in the final head.
    pub fn field(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }

    /// The values of the field lines with that name.
    pub fn values(&self, name: &str) -> Vec<String> {
        self.read().0.map(|head| head.values(name)).unwrap_or_default()
    }

    /// The content that is kept, without its framing.
    pub fn content(&self) -> Vec<u8> {
        self.read().1
    }

    /// The content as text. Bytes that are no UTF-8 become `U+FFFD`.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.content()).into_owned()
    }

    /// The head, and the content that is kept.
    fn read(&self) -> (Option<Outline>, Vec<u8>) {
        let mut reader = match self.from {
            Side::Client => Reader::requests(),
            Side::Server => Reader::responses(),
        };
        // The method of the request, as far as the response depends on it.
        reader.expect_response_to(match self.ending {
            Some(Ending::ToHead) => Method::Head,
            Some(Ending::Tunnel) => Method::Connect,
            _ => Method::Get,
        });
        let (mut head, mut content, mut bytes) = (None, Vec::new(), &self.bytes[..]);
        while let Some(range) = reader.next(bytes) {
            let (these, rest) = bytes.split_at(range.length);
            bytes = rest;
            if range.part == Part::Content {
                content.extend_from_slice(these);
            }
            let is_final = reader.ending() != Some(Ending::Interim);
            if range.head_is_whole && is_final {
                head = reader.outline().cloned();
            }
            if (range.ends_message && is_final) || range.part == Part::Unframed {
                break;
            }
        }
        (head, content)
    }

    /// Where the head says that the message ends.
    #[doc(hidden)]
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The times of the first and the last byte.
    pub fn times(&self) -> Option<(Duration, Duration)> {
        self.times
    }

    /// What it takes in memory.
    pub(super) fn memory(&self) -> usize {
        self.bytes.len() + self.reads.len() * READ_BYTES
    }

    /// Whether bytes of it are not kept.
    pub(super) fn is_cut(&self) -> bool {
        self.total > self.bytes.len() as u64
    }

    /// Drops all but the first bytes. Returns how much memory that frees.
    pub(super) fn cut(&mut self) -> usize {
        let before = self.memory();
        self.bytes.truncate(CUT_BYTES);
        self.bytes.shrink_to_fit();
        let mut room = self.bytes.len();
        self.reads.retain_mut(|read| {
            read.length = read.length.min(room);
            room -= read.length;
            read.length > 0
        });
        before - self.memory()
    }

    /// Appends bytes of one read, and keeps at most `room` of them.
    pub(super) fn push(&mut self, bytes: &[u8], at: Duration, room: usize) {
        let room = if self.is_cut() { 0 } else { room }; // what is kept has no gap
        self.total += bytes.len() as u64;
        let (first, last) = self.times.unwrap_or((at, at));
        self.count += u64::from(self.count == 0 || last != at);
        self.times = Some((first, at));
        let kept = &bytes[..bytes.len().min(room)];
        if kept.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(kept);
        let is_full = self.reads.len() == MAX_READS;
        match self.reads.last_mut() {
            Some(last) if last.at == at || is_full => last.length += kept.len(),
            _ => self.reads.push(ReadOrWrite { at, length: kept.len() }),
        }
    }

    /// A block for each read or write. `bytes` stand for those that are kept.
    fn blocks<'a>(&'a self, mut bytes: &'a [u8]) -> impl Iterator<Item = KeptBlock<'a>> {
        let (first, last) = self.times.unwrap_or_default();
        // Without room for a byte, all reads are one block. The last block has what is beyond.
        let reads = match &self.reads[..] {
            [] if self.count > 0 => vec![ReadOrWrite { at: first, length: 0 }],
            reads => reads.to_vec(),
        };
        let (blocks, left_out) = (reads.len() as u64, self.total - self.bytes.len() as u64);
        (1..).zip(reads).map(move |(number, read)| {
            let (kept, rest) = bytes.split_at(read.length);
            bytes = rest;
            let is_last = number == blocks;
            KeptBlock {
                from: self.from,
                bytes: kept,
                left_out: if is_last { left_out } else { 0 },
                begun: read.at,
                ended: if is_last { last } else { read.at },
                count: if is_last { self.count - blocks + 1 } else { 1 },
            }
        })
    }
}

impl KeptExchange {
    pub(super) fn new(
        server: u64,
        told: &KeptConnection,
        opened: SystemTime,
        number: u64,
    ) -> KeptExchange {
        KeptExchange {
            number,
            connection: told.connection,
            position: told.is_whole.then_some(told.exchanges),
            peer: told.peer,
            request: KeptBytes::new(Side::Client),
            response: KeptBytes::new(Side::Server),
            status: None,
            route: None,
            ends: Vec::new(),
            opened,
            routed_at: None,
            handling_at: None,
            handled_at: None,
            notes: Vec::new(),
            is_over: false,
            is_aside: false,
            server,
            event: 0,
            over: 0,
        }
    }

    /// The method of the request, as it was sent; empty if its head is not whole.
    pub fn method(&self) -> String {
        self.request_word(Outline::method_name)
    }

    /// The target of the request, as it was sent, such as `/menu?size=2`; empty if its head is not whole.
    pub fn target(&self) -> String {
        self.request_word(Outline::target)
    }

    fn request_word(&self, word: fn(&Outline) -> &[u8]) -> String {
        let (head, _) = self.request.read();
        head.map(|head| String::from_utf8_lossy(word(&head)).into_owned()).unwrap_or_default()
    }

    /// The time from the last byte of the request to the last byte of the response, where both are known.
    pub fn took(&self) -> Option<Duration> {
        let ((_, asked), (_, answered)) = (self.request.times?, self.response.times?);
        Some(answered.saturating_sub(asked))
    }

    /// The exchange as a transcript, with a block for each read or write. It can be played again if no
    /// byte was left out.
    pub fn transcript(&self) -> Transcript {
        self.transcript_with(self.request.bytes(), self.response.bytes())
    }

    /// The same transcript with other bytes, which are as long: a page masks what is secret.
    #[doc(hidden)]
    pub fn transcript_with(&self, request: &[u8], response: &[u8]) -> Transcript {
        let connection = u32::try_from(self.connection).unwrap_or(u32::MAX);
        Transcript { items: self.items(connection, request, response) }
    }

    /// The items of its transcript, where its connection has this name.
    pub(super) fn items(&self, connection: u32, request: &[u8], response: &[u8]) -> Vec<Item> {
        let mut blocks: Vec<KeptBlock<'_>> =
            self.request.blocks(request).chain(self.response.blocks(response)).collect();
        blocks.sort_by_key(|block| block.begun); // of two at one time, the request's is first
        // The end of the exchange before is not known here.
        let mut before = (self.position == Some(1)).then_some(Duration::ZERO);
        let mut items = Vec::new();
        for block in blocks {
            let took = before.map(|before| block.ended.saturating_sub(before));
            let silence = before.and_then(|before| silence(block.begun.saturating_sub(before)));
            if let Some(kind) = silence.filter(|_| !items.is_empty()) {
                items.push(Item::Event(Event { connection, kind, note: Note::default() }));
            }
            before = Some(block.ended);
            let length = block.bytes.len() as u64 + block.left_out;
            let note = Note::new(&crossed(length, block.count, took));
            let mut bytes = Bytes::raw(block.bytes);
            bytes.push_left_out(block.left_out);
            items.push(Item::Block(Block { connection, from: block.from, note, bytes }));
        }
        let end = |&kind| Item::Event(Event { connection, kind, note: Note::default() });
        items.extend(self.ends.iter().map(end));
        items
    }

    pub(super) fn memory(&self) -> usize {
        let notes: usize = self.notes.iter().map(|note| size_of::<String>() + note.len()).sum();
        EXCHANGE_BYTES + self.request.memory() + self.response.memory() + notes
    }

    pub(super) fn subject(&self) -> Subject {
        Subject::Exchange { number: self.number, is_aside: self.is_aside }
    }

    /// Whether both messages have crossed to their ends.
    pub(super) fn is_whole(&self) -> bool {
        self.request.is_whole && self.response.is_whole
    }

    pub(super) fn message(&self, from: Side) -> &KeptBytes {
        match from {
            Side::Client => &self.request,
            Side::Server => &self.response,
        }
    }

    pub(super) fn message_mut(&mut self, from: Side) -> &mut KeptBytes {
        match from {
            Side::Client => &mut self.request,
            Side::Server => &mut self.response,
        }
    }
}

impl fmt::Debug for KeptExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for KeptExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transcript().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{CONTINUE, GET, followed};
    use super::*;
    use crate::net::observer::Observer;

    #[test]
    fn the_head_and_the_content_of_each_message_are_taken_apart() {
        let (exchanges, follower) = followed(10, 1024);
        let exchange = |request: &[u8], response: &[u8]| {
            follower.received(1, request);
            follower.sent(1, response);
            let number = *exchanges.numbers().last().unwrap();
            exchanges.get(number).unwrap()
        };
        let kept = exchange(
            b"POST /a?b HTTP/1.1\r\nHost: h\r\nX: 1\r\nx: 2\r\nTransfer-Encoding: chunked\r\n\r\n\
              3\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: t\r\n\r\n",
            &[CONTINUE, b"HTTP/1.1 200 OK\r\nX: 3\r\nContent-Length: 2\r\n\r\nhi"].concat(),
        );
        assert_eq!((kept.method(), kept.target()), ("POST".into(), "/a?b".into()));
        assert_eq!(kept.request.values("X"), ["1", "2"]);
        assert_eq!(kept.request.field("trailer"), None);
        assert_eq!((kept.request.text(), kept.response.text()), ("hello".into(), "hi".into()));
        assert_eq!(kept.response.field("x").as_deref(), Some("3"));
        let to_head = exchange(
            b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        );
        assert_eq!(to_head.response.field("Content-Length").as_deref(), Some("5"));
        assert_eq!((to_head.method(), to_head.response.content()), ("HEAD".into(), vec![]));
        // To the end of the connection, as far as it has crossed; and no head at all.
        let open = exchange(GET, b"HTTP/1.1 200 OK\r\n\r\nto the");
        assert_eq!(open.response.text(), "to the");
        follower.opened(2, ([127, 0, 0, 1], 4000).into());
        follower.received(2, b"GET / HTTP/1.1\r\nHost");
        let early = exchanges.get(*exchanges.numbers().last().unwrap()).unwrap();
        assert_eq!((early.method(), early.request.field("Host")), (String::new(), None));
        let (exchanges, follower) = followed(1, 40);
        follower.received(1, &[GET, b"GET /"].concat());
        follower.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        let cut = &exchanges.all()[0];
        assert_eq!((cut.method(), cut.response.text()), ("GET".into(), "he".into()));
    }

    #[test]
    fn a_transcript_has_a_block_for_each_read_and_write_in_their_order() {
        let told = KeptConnection { exchanges: 1, ..followed(1, 1).0.connections()[0] };
        let mut kept = KeptExchange::new(1, &told, SystemTime::now(), 1);
        let at = Duration::from_millis;
        for (side, bytes, time) in [
            (Side::Client, "POST", 10),
            (Side::Server, "100", 20),
            (Side::Client, "content", 3520),
            (Side::Server, "200", 3521),
            (Side::Server, "end", 3522),
            (Side::Server, " beyond", 4000),
            (Side::Server, "!", 4001),
        ] {
            kept.message_mut(side).push(
                bytes.as_bytes(),
                at(time),
                if time < 4000 { 9 } else { 3 },
            );
        }
        kept.ends.push(EventKind::Closed(Side::Server));
        let rest = "<<< 3 bytes, +10.0 ms\n100\\\n--- silent 3s\n\n>>> 7 bytes, +3.5 s\ncontent\\\n\
            <<< 3 bytes, +1.0 ms\n200\\\n<<< 3 bytes, +1.0 ms\nend\\\n\
            <<< 8 bytes in 2 pieces, +479.0 ms\n be\\{5 bytes}\\\n--- server closed\n";
        assert_eq!(kept.to_string(), format!(">>> 4 bytes, +10.0 ms\nPOST\\\n{rest}"));
        // When the exchange before has ended is not known.
        kept.position = Some(2);
        assert_eq!(kept.to_string(), format!(">>> 4 bytes\nPOST\\\n{rest}"));
    }
}
