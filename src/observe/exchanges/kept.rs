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
use crate::observe::feed::{KeptConnection, Subject};
use crate::route::RouteRow;
use crate::transcript::notes::crossed;
use crate::transcript::{Block, Bytes, Event, EventKind, Item, Note, Transcript};

/// Roughly what an exchange, and each read or write of it, takes in memory besides its bytes.
pub(super) const EXCHANGE_BYTES: usize = size_of::<KeptExchange>() + 64;
pub(super) const READ_BYTES: usize = size_of::<ReadOrWrite>();

/// Reads or writes of a message that are kept. The last one stands for those beyond.
pub(super) const MAX_READS: usize = 1024;

/// A request and its response, byte for byte. It prints as a transcript.
///
/// ```
/// # use std::time::Duration;
/// # use openkitchen::{Request, Response, Routes, Server, get, routes};
/// # use std::io::{Read, Write};
/// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
/// # let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
/// # let mut client = std::net::TcpStream::connect(server.address())?;
/// # client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// # client.read_to_string(&mut String::new())?;
/// let kept = &server.exchanges().wait_for(1, Duration::from_secs(5))[0];
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
    /// Which exchange of its connection it is, from 1. `None` if others were before the first that is kept.
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
    /// Whether it is set aside: see [`Exchanges::setting_aside`].
    pub is_aside: bool,
    /// The number of its server.
    pub(super) server: u64,
    /// The number of its last event.
    pub(super) event: u64,
}

/// The bytes of a message, with the reads or writes in which they crossed.
#[derive(Clone, Debug, Default)]
pub struct KeptBytes {
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

impl KeptBytes {
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

    /// Appends bytes of one read, and keeps at most `room` of them.
    pub(super) fn push(&mut self, bytes: &[u8], at: Duration, room: usize) {
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

    /// The bytes as one block of a transcript.
    fn block(&self, connection: u32, from: Side, since: Duration) -> Option<Item> {
        let (_, last) = self.times?;
        let mut bytes = Bytes::raw(&self.bytes);
        bytes.push_left_out(self.total - self.bytes.len() as u64);
        let note = Note::new(&crossed(self.total, self.count, last.saturating_sub(since)));
        Some(Item::Block(Block { connection, from, note, bytes }))
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
            request: KeptBytes::default(),
            response: KeptBytes::default(),
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
        }
    }

    /// The time from the last byte of the request to the last byte of the response, where both are known.
    pub fn took(&self) -> Option<Duration> {
        let ((_, asked), (_, answered)) = (self.request.times?, self.response.times?);
        Some(answered.saturating_sub(asked))
    }

    /// The exchange as a transcript. It can be played again if no byte was left out.
    pub fn transcript(&self) -> Transcript {
        let connection = u32::try_from(self.connection).unwrap_or(u32::MAX);
        let (begun, asked) = self.request.times.unwrap_or_default();
        let request = self.request.block(connection, Side::Client, begun);
        let response = self.response.block(connection, Side::Server, asked);
        let ends = self.ends.iter().map(|&kind| {
            let note = Note::default();
            Item::Event(Event { connection, kind, note })
        });
        Transcript { items: request.into_iter().chain(response).chain(ends).collect() }
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
