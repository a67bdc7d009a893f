//! # Keep the last exchanges in memory
//!
//! A test wants to see the exact bytes of both directions after it has run, and a page shows the exchange
//! that a click has made.
//!
//! ```text
//! request 1   ── Follower ──>  kept while it is in flight
//! response 1  ── Follower ──>  over: the newest of the last 100
//! ```
//! An exchange is a request and the responses to it, interim ones included. It is over when the final
//! response and the request have ended, or with its connection. Bytes that are no message belong to the
//! exchange that is in flight.
//!
//! Bounds: the number of exchanges that are kept, and the bytes and reads of each message. All of them
//! together, those in flight included, take at most as many bytes as the exchanges that may be kept.
//! Beyond that the oldest are dropped. A connection for which there is no room even then is not kept.
//!
//! What changes is told to those that wait for it, as numbered events.  Next: [`feed`](super::feed).

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::feed::{ConnectionState, Feed, KeptConnection, Subject};
use super::follower::{FollowedBytes, Follower, Viewer, end_event, lock};
use crate::message::dialogue::{Followed, Side};
use crate::message::ending::Ending;
use crate::net::observer::End;
use crate::net::server::{Server, ServerHandle};
use crate::route::RouteRow;
use crate::transcript::notes::crossed;
use crate::transcript::{Block, Bytes, Event, EventKind, Item, Note, Transcript};

/// Bytes that are kept of a message, unless told otherwise.
const MESSAGE_BYTES: usize = 64 * 1024;

/// Roughly what an exchange, and each read or write of it, takes in memory besides its bytes.
const EXCHANGE_BYTES: usize = size_of::<KeptExchange>() + 64;
const READ_BYTES: usize = size_of::<ReadOrWrite>();

/// Reads or writes of a message that are kept. The last one stands for those beyond.
const MAX_READS: usize = 1024;

/// Exchanges that are set aside and kept, at most.
const MAX_ASIDE: usize = 16;

/// Time for which exchanges are kept after the last one that wanted them: a page that is hidden reads
/// nothing, and is to find what has crossed meanwhile.
const KEPT_AFTER: Duration = Duration::from_secs(600);

/// Events that one call tells: each may come with a whole exchange.
const MAX_TOLD: usize = 16;

/// The last exchanges of a server, byte for byte. A clone is a handle to the same exchanges.
///
/// It prints as a transcript. So a test that fails shows what crossed, and a page that the commands
/// can play again is a file with that text:
///
/// ```
/// use std::time::Duration;
/// use openkitchen::{Request, Response, Routes, Server, get, routes};
/// # use std::io::{Read, Write};
///
/// static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
///
/// let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
/// # let mut client = std::net::TcpStream::connect(server.address())?;
/// # client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// // ... the client under test sends a request ...
/// let kept = server.exchanges().wait_for(1, Duration::from_secs(5));
/// assert_eq!(kept.len(), 1, "{}", server.exchanges());
/// assert!(kept[0].request.bytes().starts_with(b"GET / "), "{}", kept[0]);
/// # let page = std::env::temp_dir().join(format!("exchanges-{}.wire", std::process::id()));
/// std::fs::write(&page, server.exchanges().to_string())?;
/// # std::fs::remove_file(page)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Exchanges {
    shared: Arc<SharedExchanges>,
}

struct SharedExchanges {
    /// Exchanges that are kept, and the bytes of each message.
    capacity: usize,
    message_bytes: usize,
    /// Whether the exchanges of a route are set aside.
    sets_aside: fn(&RouteRow) -> bool,
    /// Whether somebody wants them; `None` if they are always kept.
    demand: Option<Demand>,
    state: Mutex<ExchangesState>,
    changed: Condvar,
    /// Servers whose exchanges are kept.
    servers: AtomicU64,
}

#[derive(Default)]
struct ExchangesState {
    /// The exchanges that are over, the oldest first.
    kept: VecDeque<KeptExchange>,
    connections: HashMap<ConnectionKey, ConnectionInFlight>,
    /// Exchanges that are over, since the start.
    over: u64,
    /// What all exchanges take in memory.
    bytes: usize,
    /// The exchanges of `kept` that are set aside.
    aside: usize,
    /// Exchanges that have begun, since the start.
    begun: u64,
    feed: Feed,
    /// Threads that wait for a change. Without one, none is woken: that is a system call.
    waiting: usize,
}

/// A connection: the number of its server, since each server counts from 1, and its own number.
type ConnectionKey = (u64, u64);

/// A connection, and its exchanges that are not over.
struct ConnectionInFlight {
    /// What readers of the feed are told of it.
    told: KeptConnection,
    /// The exchanges of it that were set aside.
    aside: u64,
    opened: Instant,
    opened_at: SystemTime,
    server_ended: bool,
    exchanges: VecDeque<KeptExchange>,
    /// Whether there was no room for an exchange. Requests and responses are not paired any more.
    is_lost: bool,
}

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
    server: u64,
    /// The number of its last event.
    event: u64,
}

/// The bytes of a message, with the reads or writes in which they crossed.
#[derive(Clone, Debug, Default)]
pub struct KeptBytes {
    bytes: Vec<u8>,
    total: u64,
    reads: Vec<ReadOrWrite>,
    /// How many reads or writes there were, and the times of the first and the last one.
    count: u64,
    times: Option<(Duration, Duration)>,
    /// Bytes up to the end of the final head, and where that head says that the message ends.
    head: Option<u64>,
    ending: Option<Ending>,
    is_whole: bool,
    /// Whether the end of the connection ends the message.
    ends_with_connection: bool,
}

/// Something that happened, for a reader of the feed.
#[derive(Clone, Debug)]
pub enum FeedEvent {
    /// An exchange has begun, more of it is known, or it is over. A later event with the same number
    /// replaces this one.
    Exchange(Box<KeptExchange>),
    /// A connection has changed.
    Connection(KeptConnection),
}

/// What has happened after an event: see [`Exchanges::wait_after`].
#[derive(Clone, Debug, Default)]
pub struct Happened {
    /// The events with their numbers, in order.
    pub events: Vec<(u64, FeedEvent)>,
    /// The number after which to ask next.
    pub last: u64,
    /// Whether events between are not kept any more. There are no `events` then.
    pub is_lost: bool,
    /// Whether nothing more will be told: see [`Exchanges::close`].
    pub is_closed: bool,
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
    fn memory(&self) -> usize {
        self.bytes.len() + self.reads.len() * READ_BYTES
    }

    /// Appends bytes of one read, and keeps at most `room` of them.
    fn push(&mut self, bytes: &[u8], at: Duration, room: usize) {
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
    fn new(server: u64, told: &KeptConnection, opened: SystemTime, number: u64) -> KeptExchange {
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

    fn memory(&self) -> usize {
        let notes: usize = self.notes.iter().map(|note| size_of::<String>() + note.len()).sum();
        EXCHANGE_BYTES + self.request.memory() + self.response.memory() + notes
    }

    fn subject(&self) -> Subject {
        Subject::Exchange { number: self.number, is_aside: self.is_aside }
    }

    /// Whether both messages have crossed to their ends.
    fn is_whole(&self) -> bool {
        self.request.is_whole && self.response.is_whole
    }

    fn message(&self, from: Side) -> &KeptBytes {
        match from {
            Side::Client => &self.request,
            Side::Server => &self.response,
        }
    }

    fn message_mut(&mut self, from: Side) -> &mut KeptBytes {
        match from {
            Side::Client => &mut self.request,
            Side::Server => &mut self.response,
        }
    }
}

impl Server {
    /// Keeps the last so many exchanges of this server in memory, with 64 KiB of each message: see
    /// [`Exchanges`]. Where a message is longer, its bytes are counted.
    pub fn keep(self, count: usize) -> Server {
        self.keep_first(count, MESSAGE_BYTES)
    }

    /// Keeps the last so many exchanges, as [`Server::keep`], with the first `message_bytes` of
    /// each message.
    pub fn keep_first(self, count: usize, message_bytes: usize) -> Server {
        let exchanges = Exchanges::with_message_bytes(count, message_bytes);
        let follower = Follower::new(vec![exchanges.viewer()]);
        self.observed_by(Arc::new(follower)).accompanied_by(Arc::new(exchanges))
    }

    /// The exchanges that this server keeps, for a state that shows them to its handlers.
    ///
    /// # Panics
    /// If the server keeps none: call [`Server::keep`] before.
    #[track_caller]
    pub fn exchanges(&self) -> Exchanges {
        kept(self.companion()).clone()
    }
}

impl<S> ServerHandle<S> {
    /// The exchanges that the server keeps.
    ///
    /// # Panics
    /// If the server keeps none: call [`Server::keep`] before it is started.
    #[track_caller]
    pub fn exchanges(&self) -> &Exchanges {
        kept(self.companion())
    }
}

#[track_caller]
fn kept(companion: Option<&(dyn Any + Send + Sync)>) -> &Exchanges {
    match companion.and_then(|companion| companion.downcast_ref()) {
        Some(exchanges) => exchanges,
        None => panic!("this server keeps no exchanges; call `Server::keep` before it is started"),
    }
}

impl Exchanges {
    /// Keeps the last `capacity` exchanges, with 64 KiB of each message.
    pub fn new(capacity: usize) -> Exchanges {
        Exchanges::with_message_bytes(capacity, MESSAGE_BYTES)
    }

    /// Keeps the last `capacity` exchanges, with the first so many bytes of each message.
    pub fn with_message_bytes(capacity: usize, message_bytes: usize) -> Exchanges {
        Exchanges::start(capacity, message_bytes, |_| false, None)
    }

    /// As [`Exchanges::new`], but the exchanges of some routes are set aside: those by which a page asks
    /// for the exchanges. They are kept beside the others, 16 of them, and push out none of the others.
    pub fn setting_aside(capacity: usize, sets_aside: fn(&RouteRow) -> bool) -> Exchanges {
        Exchanges::start(capacity, MESSAGE_BYTES, sets_aside, None)
    }

    /// As [`Exchanges::setting_aside`], but a server keeps exchanges for this alone only as long as somebody
    /// wants them: see [`Exchanges::want`]. Until then they cost its requests next to nothing.
    pub fn on_demand(capacity: usize, sets_aside: fn(&RouteRow) -> bool) -> Exchanges {
        Exchanges::start(capacity, MESSAGE_BYTES, sets_aside, Some(Demand::default()))
    }

    fn start(
        capacity: usize,
        message_bytes: usize,
        sets_aside: fn(&RouteRow) -> bool,
        demand: Option<Demand>,
    ) -> Exchanges {
        let (state, changed, servers) = (Mutex::default(), Condvar::new(), AtomicU64::new(0));
        let shared = SharedExchanges {
            capacity,
            message_bytes,
            sets_aside,
            demand,
            state,
            changed,
            servers,
        };
        Exchanges { shared: Arc::new(shared) }
    }

    /// Exchanges are kept as long as the returned value lives, and ten minutes after. Connections that
    /// are open already are kept from their next request on.
    pub fn want(&self) -> Wanted {
        if let Some(demand) = &self.shared.demand {
            demand.begin();
        }
        Wanted { shared: Arc::clone(&self.shared) }
    }

    /// A viewer of one server's connections, for a [`Follower`]. Each server needs one of its own.
    pub fn viewer(&self) -> Arc<dyn Viewer> {
        let shared = Arc::clone(&self.shared);
        let server = shared.servers.fetch_add(1, Ordering::Relaxed);
        Arc::new(ExchangesOfServer { shared, server, has_routes: AtomicBool::new(false) })
    }

    /// The exchanges that are over, in the order in which they ended, the oldest first.
    pub fn all(&self) -> Vec<KeptExchange> {
        lock(&self.shared.state).kept.iter().cloned().collect()
    }

    /// Waits until so many exchanges are over since the start, or for this long. Returns those that
    /// are kept: fewer than so many if the time is over. A client may have its response a moment
    /// before the exchange is over here.
    pub fn wait_for(&self, count: u64, timeout: Duration) -> Vec<KeptExchange> {
        let state = self.shared.wait_while(timeout, |state| state.over < count);
        state.kept.iter().cloned().collect()
    }

    /// The exchange with this number, in flight or over, if it is kept.
    pub fn get(&self, number: u64) -> Option<KeptExchange> {
        lock(&self.shared.state).find(number).cloned()
    }

    /// The numbers of all exchanges that are kept, those in flight included, in the order in which they
    /// began.
    pub fn numbers(&self) -> Vec<u64> {
        let state = lock(&self.shared.state);
        let in_flight = state.connections.values().flat_map(|connection| &connection.exchanges);
        let mut numbers: Vec<u64> =
            state.kept.iter().chain(in_flight).map(|it| it.number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The connections that are open, by their numbers.
    pub fn connections(&self) -> Vec<KeptConnection> {
        let state = lock(&self.shared.state);
        let mut open: Vec<_> =
            state.connections.values().map(|connection| connection.told).collect();
        open.sort_unstable_by_key(|told| told.connection);
        open
    }

    /// The number of the last event.
    pub fn last_event(&self) -> u64 {
        lock(&self.shared.state).feed.last
    }

    /// Waits until something has happened after this event, or for this long. Returns what it was: of each
    /// exchange its last event only, and 16 events at most. What is set aside is told only if
    /// `tells_aside` is true.
    pub fn wait_after(&self, event: u64, timeout: Duration, tells_aside: bool) -> Happened {
        let is_early = |state: &ExchangesState| state.feed.last == event && !state.feed.is_closed;
        let state = self.shared.wait_while(timeout, is_early);
        let is_closed = state.feed.is_closed;
        let lost = Happened { last: state.feed.last, is_lost: true, is_closed, events: Vec::new() };
        let Some(after) = state.feed.after(event) else { return lost };
        let mut happened = Happened { last: event, is_closed, ..Happened::default() };
        for (number, subject) in after {
            happened.last = number;
            if subject.is_aside() && !tells_aside {
                continue;
            }
            let told = match subject {
                Subject::Connection(connection) => FeedEvent::Connection(connection),
                Subject::Exchange { number: exchange, .. } => match state.find(exchange) {
                    Some(exchange) if exchange.event != number => continue,
                    Some(exchange) => FeedEvent::Exchange(Box::new(exchange.clone())),
                    None => return lost,
                },
            };
            happened.events.push((number, told));
            if happened.events.len() == MAX_TOLD {
                break;
            }
        }
        happened
    }

    /// Ends the feed: all that wait for events are told at once that there will be none.
    pub fn close(&self) {
        lock(&self.shared.state).feed.is_closed = true;
        self.shared.changed.notify_all();
    }

    /// All exchanges that are kept, as one transcript.
    pub fn transcript(&self) -> Transcript {
        let items = self.all().iter().flat_map(|exchange| exchange.transcript().items).collect();
        Transcript { items }
    }
}

/// As long as it lives, exchanges are kept: see [`Exchanges::want`].
pub struct Wanted {
    shared: Arc<SharedExchanges>,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        if let Some(demand) = &self.shared.demand {
            demand.end();
        }
    }
}

/// Whether somebody wants the exchanges.
#[derive(Default)]
struct Demand {
    /// Whether they are kept. It may still be true when the time is over.
    is_active: AtomicBool,
    /// How many want them, and when the last one of the others has ended.
    wanted: Mutex<(usize, Option<Instant>)>,
}

impl Demand {
    fn begin(&self) {
        lock(&self.wanted).0 += 1;
        self.is_active.store(true, Ordering::Relaxed);
    }

    fn end(&self) {
        let mut wanted = lock(&self.wanted);
        *wanted = (wanted.0 - 1, Some(Instant::now()));
    }

    fn is_active(&self) -> bool {
        if !self.is_active.load(Ordering::Relaxed) {
            return false;
        }
        let wanted = lock(&self.wanted);
        let is_active = wanted.0 > 0 || wanted.1.is_some_and(|end| end.elapsed() < KEPT_AFTER);
        if !is_active {
            self.is_active.store(false, Ordering::Relaxed);
        }
        is_active
    }
}

impl fmt::Display for Exchanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transcript().fmt(f)
    }
}

impl fmt::Debug for Exchanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
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

impl SharedExchanges {
    /// What all exchanges together may take in memory.
    fn budget(&self) -> usize {
        let reads = self.message_bytes.min(MAX_READS) * READ_BYTES;
        let message = self.message_bytes.saturating_add(reads);
        let exchange = message.saturating_mul(2).saturating_add(EXCHANGE_BYTES);
        self.capacity.max(1).saturating_mul(exchange)
    }

    /// Changes the state, and wakes those that wait if an exchange is over or an event was added.
    fn change(&self, change: impl FnOnce(&mut ExchangesState)) {
        let mut state = lock(&self.state);
        let before = (state.over, state.feed.last);
        change(&mut state);
        if (state.over, state.feed.last) != before && state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    /// Waits as long as this is true of the state, but not longer than `timeout`.
    fn wait_while(
        &self,
        timeout: Duration,
        is_early: impl Fn(&ExchangesState) -> bool,
    ) -> MutexGuard<'_, ExchangesState> {
        let mut state = lock(&self.state);
        state.waiting += 1;
        let waited = self.changed.wait_timeout_while(state, timeout, |state| is_early(state));
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state
    }
}

impl ExchangesState {
    /// Returns how many bytes of memory are left. Drops the oldest exchanges if it is less than `wanted`.
    fn make_room(&mut self, wanted: usize, budget: usize) -> usize {
        while budget.saturating_sub(self.bytes) < wanted && self.drop_kept(0) {}
        budget.saturating_sub(self.bytes)
    }

    /// Drops one of the exchanges that are over; false if there is none at this index.
    fn drop_kept(&mut self, index: usize) -> bool {
        let Some(dropped) = self.kept.remove(index) else { return false };
        self.bytes -= dropped.memory();
        self.aside -= usize::from(dropped.is_aside);
        true
    }

    /// The exchange with this number.
    fn find(&self, number: u64) -> Option<&KeptExchange> {
        let in_flight = self.connections.values().flat_map(|connection| &connection.exchanges);
        self.kept.iter().rev().chain(in_flight).find(|exchange| exchange.number == number)
    }

    /// Tells readers of the feed what has happened to a connection.
    fn tell_connection(&mut self, key: ConnectionKey, state: ConnectionState) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.told.state = state;
        connection.told.since = SystemTime::now();
        self.feed.push(Subject::Connection(connection.told));
    }

    /// Adds a range of bytes that one side sent.
    fn add(
        &mut self,
        key: ConnectionKey,
        from: Side,
        (range, bytes): (&Followed, &[u8]),
        at: Instant,
        ExchangesOfServer { shared, has_routes, .. }: &ExchangesOfServer,
    ) {
        let has_routes = has_routes.load(Ordering::Relaxed);
        if range.resumes {
            self.end_unframed(key, from, shared.capacity);
        }
        let Some(connection) = self.connections.get(&key).filter(|it| !it.is_lost) else { return };
        let is_open = |exchange: &KeptExchange| !exchange.message(from).is_whole;
        let position = connection.exchanges.iter().position(is_open);
        // After its end, the server reads only to drain what the client had sent.
        if position.is_none() && connection.server_ended {
            return;
        }
        let cost = if position.is_none() { EXCHANGE_BYTES } else { 0 };
        let kept = bytes.len().min(shared.message_bytes);
        let wanted = cost + if kept > 0 { READ_BYTES + kept } else { 0 };
        let left = self.make_room(wanted, shared.budget());
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if left < cost {
            connection.is_lost = true;
            let exchanges = std::mem::take(&mut connection.exchanges);
            self.bytes -= exchanges.iter().map(KeptExchange::memory).sum::<usize>();
            return;
        }
        let position = position.unwrap_or(connection.exchanges.len());
        if position == connection.exchanges.len() {
            self.begun += 1;
            connection.told.exchanges += 1;
            let (told, opened) = (&connection.told, connection.opened_at);
            connection.exchanges.push_back(KeptExchange::new(key.0, told, opened, self.begun));
        }
        let at = at.saturating_duration_since(connection.opened);
        let exchange = &mut connection.exchanges[position];
        let is_final = range.ending != Some(Ending::Interim);
        if from == Side::Server && is_final {
            exchange.status = range.head.as_ref().map_or(exchange.status, |head| head.status);
        }
        let message = exchange.message_mut(from);
        let before = message.memory();
        let room = left.saturating_sub(cost + READ_BYTES);
        message.push(bytes, at, room.min(shared.message_bytes.saturating_sub(message.bytes.len())));
        message.is_whole |= range.ends_message && is_final;
        message.ends_with_connection =
            matches!(range.ending, Some(Ending::Close | Ending::CloseCoded));
        if range.head.is_some() && is_final {
            (message.head, message.ending) = (Some(message.total), range.ending);
        }
        self.bytes += cost + message.memory() - before;
        // A server looks up the route of a request at its head, and tells the exchange then.
        let is_news = range.head.is_some() && is_final && (from == Side::Server || !has_routes);
        if is_news && !exchange.is_whole() {
            exchange.event = self.feed.push(exchange.subject());
        }
        self.keep_while(key, shared.capacity, KeptExchange::is_whole);
    }

    /// Ends a message of this side that has no known end, because the next one has begun.
    fn end_unframed(&mut self, key: ConnectionKey, from: Side, capacity: usize) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let mut messages = connection.exchanges.iter_mut().map(|it| it.message_mut(from));
        if let Some(message) = messages.find(|message| !message.is_whole && message.total > 0) {
            message.is_whole = true;
        }
        self.keep_while(key, capacity, KeptExchange::is_whole);
    }

    /// Moves the first exchanges of a connection to those that are over, as long as this is true of them.
    fn keep_while(
        &mut self,
        key: ConnectionKey,
        capacity: usize,
        is_over: fn(&KeptExchange) -> bool,
    ) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        while connection.exchanges.front().is_some_and(is_over) {
            let Some(mut exchange) = connection.exchanges.pop_front() else { break };
            exchange.is_over = true;
            exchange.event = self.feed.push(exchange.subject());
            self.aside += usize::from(exchange.is_aside);
            self.kept.push_back(exchange);
            self.over += 1;
        }
        for (is_aside, most) in [(false, capacity), (true, MAX_ASIDE)] {
            let count = |state: &ExchangesState| match is_aside {
                true => state.aside,
                false => state.kept.len() - state.aside,
            };
            while count(self) > most
                && let Some(oldest) = self.kept.iter().position(|it| it.is_aside == is_aside)
                && self.drop_kept(oldest)
            {}
        }
    }

    /// The exchanges of a connection, the oldest first.
    fn of_connection(
        &mut self,
        key: ConnectionKey,
    ) -> impl DoubleEndedIterator<Item = &mut KeptExchange> {
        let kept = self
            .kept
            .iter_mut()
            .filter(move |exchange| (exchange.server, exchange.connection) == key);
        let connection = self.connections.get_mut(&key).into_iter();
        kept.chain(connection.flat_map(|connection| connection.exchanges.iter_mut()))
    }
}

/// What a follower of one server tells: see [`Exchanges`].
struct ExchangesOfServer {
    shared: Arc<SharedExchanges>,
    server: u64,
    /// Whether the server tells the route of each request: watch has none.
    has_routes: AtomicBool,
}

impl ExchangesOfServer {
    /// Adds a connection. `is_whole` is false if there were exchanges on it before.
    fn add_connection(&self, connection: u64, peer: SocketAddr, is_whole: bool) {
        let (opened, opened_at) = (Instant::now(), SystemTime::now());
        let told = KeptConnection {
            connection,
            peer,
            state: ConnectionState::Opened,
            since: opened_at,
            exchanges: 0,
            is_whole,
            is_aside: false,
            is_newly_aside: false,
        };
        let in_flight = ConnectionInFlight {
            told,
            aside: 0,
            opened,
            opened_at,
            server_ended: false,
            exchanges: VecDeque::new(),
            is_lost: false,
        };
        self.shared.change(|state| {
            state.connections.insert((self.server, connection), in_flight);
            state.feed.push(Subject::Connection(told));
        });
    }

    /// Changes the exchange that is being answered, with the time since its connection was opened. It may
    /// grow by `wanted` bytes; without room for them it stays as it is.
    fn change_answered(
        &self,
        connection: u64,
        wanted: usize,
        change: impl FnOnce(&mut KeptExchange, Duration),
    ) {
        let at = Instant::now();
        let mut state = lock(&self.shared.state);
        let key = (self.server, connection);
        let Some(opened) = state.connections.get(&key).map(|connection| connection.opened) else {
            return;
        };
        let at = at.saturating_duration_since(opened);
        if wanted > 0 && state.make_room(wanted, self.shared.budget()) < wanted {
            return;
        }
        let mut answered = state.of_connection(key).rev();
        let Some(exchange) = answered.find(|it| it.routed_at.is_some()) else { return };
        let before = exchange.memory();
        change(exchange, at);
        let grown = exchange.memory() - before;
        drop(answered);
        state.bytes += grown;
    }
}

impl Viewer for ExchangesOfServer {
    fn started(&self, _: SocketAddr, routes: &[RouteRow]) {
        self.has_routes.store(!routes.is_empty(), Ordering::Relaxed);
    }

    fn is_active(&self) -> bool {
        self.shared.demand.as_ref().is_none_or(Demand::is_active)
    }

    fn opened(&self, connection: u64, peer: SocketAddr) {
        self.add_connection(connection, peer, true);
    }

    fn joined(&self, connection: u64, peer: SocketAddr) {
        self.add_connection(connection, peer, false);
    }

    fn routed(&self, connection: u64, route: Option<&RouteRow>) {
        let at = Instant::now();
        let key = (self.server, connection);
        self.shared.change(|state| {
            let is_aside = route.is_some_and(self.shared.sets_aside);
            let event = state.feed.last + 1;
            let Some(in_flight) = state.connections.get_mut(&key) else { return };
            let at = at.saturating_duration_since(in_flight.opened);
            in_flight.aside += u64::from(is_aside);
            let is_all_aside = in_flight.aside > 0 && in_flight.aside == in_flight.told.exchanges;
            let was_all_aside = std::mem::replace(&mut in_flight.told.is_aside, is_all_aside);
            let told = in_flight.told;
            let Some(exchange) = state.of_connection(key).find(|it| it.routed_at.is_none()) else {
                return;
            };
            (exchange.route, exchange.routed_at) = (route.copied(), Some(at));
            (exchange.is_aside, exchange.event) = (is_aside, event);
            let (number, is_over) = (exchange.number, exchange.is_over);
            state.aside += usize::from(is_aside && is_over);
            state.feed.push(Subject::Exchange { number, is_aside });
            if is_all_aside != was_all_aside {
                let told = KeptConnection { is_newly_aside: is_all_aside, ..told };
                state.feed.push(Subject::Connection(told));
            }
        });
    }

    fn handling(&self, connection: u64) {
        self.change_answered(connection, 0, |exchange, at| exchange.handling_at = Some(at));
    }

    fn handled(&self, connection: u64, notes: &[String]) {
        self.change_answered(connection, 0, |exchange, at| exchange.handled_at = Some(at));
        if notes.is_empty() {
            return;
        }
        let bytes = notes.iter().map(|note| size_of::<String>() + note.len()).sum();
        self.change_answered(connection, bytes, |exchange, _| exchange.notes = notes.to_vec());
    }

    fn ended(&self, connection: u64, end: End) {
        self.shared.change(|state| {
            let Some(in_flight) = state.connections.get_mut(&(self.server, connection)) else {
                return;
            };
            let kind = end_event(end, in_flight.server_ended);
            in_flight.server_ended |= end.side() == Side::Server;
            let server_ended = in_flight.server_ended;
            state.tell_connection((self.server, connection), ConnectionState::Ended(end));
            if let Some(last) = state.of_connection((self.server, connection)).next_back() {
                last.ends.push(kind);
            }
            if server_ended {
                for exchange in state.of_connection((self.server, connection)) {
                    let response = &mut exchange.response;
                    response.is_whole |= end.is_fin_of_server() && response.ends_with_connection;
                }
                // A refused request has no end, and its response has.
                let is_answered = |exchange: &KeptExchange| exchange.response.is_whole;
                state.keep_while((self.server, connection), self.shared.capacity, is_answered);
            }
        });
    }

    fn gone(&self, connection: u64) {
        self.shared.change(|state| {
            state.keep_while((self.server, connection), self.shared.capacity, |_| true);
            state.tell_connection((self.server, connection), ConnectionState::Gone);
            state.connections.remove(&(self.server, connection));
        });
    }

    fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>) {
        let at = Instant::now();
        self.shared.change(|state| {
            let mut rest = followed.bytes;
            for range in &**followed.ranges {
                let (bytes, after) = rest.split_at(range.length);
                state.add((self.server, connection), followed.from, (range, bytes), at, self);
                rest = after;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::observer::Observer;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

    /// Exchanges, and what follows connection 1, which is open.
    fn followed(capacity: usize, message_bytes: usize) -> (Exchanges, Follower) {
        let exchanges = Exchanges::with_message_bytes(capacity, message_bytes);
        let follower = Follower::new(vec![exchanges.viewer()]);
        follower.opened(1, ([127, 0, 0, 1], 4000).into());
        (exchanges, follower)
    }

    fn lengths(exchanges: &Exchanges) -> Vec<(usize, usize)> {
        let length = |kept: &KeptExchange| (kept.request.bytes.len(), kept.response.bytes.len());
        exchanges.all().iter().map(length).collect()
    }

    #[test]
    fn an_exchange_has_its_bytes_its_reads_its_status_and_how_the_connection_ended() {
        let (exchanges, follower) = followed(10, 1024);
        follower.received(1, &GET[..10]);
        follower.received(1, &GET[10..]);
        follower.sent(1, CONTINUE);
        assert_eq!(exchanges.all().len(), 0, "it is in flight");
        follower.sent(1, NO_CONTENT);
        follower.ended(1, End::ServerClosed);
        follower.ended(1, End::ClientClosed);
        let [kept] = &exchanges.wait_for(1, Duration::ZERO)[..] else { panic!("one exchange") };
        assert_eq!((kept.request.bytes(), kept.status), (GET, Some(204)));
        assert_eq!(kept.response.bytes(), [CONTINUE, NO_CONTENT].concat());
        let reads: Vec<usize> = kept.request.reads().iter().map(|read| read.length).collect();
        assert_eq!(reads, [10, GET.len() - 10]);
        assert!(kept.took().is_some() && kept.request.is_whole() && kept.response.is_whole());
        let text = exchanges.transcript().to_string();
        assert!(text.ends_with("--- server closed\n--- client closed\n"), "{text}");
        assert!(text.starts_with(">>> 27 bytes in 2 pieces, +"), "{text}");
    }

    /// The events after this one, each as text, and the number after which to ask next.
    fn told(exchanges: &Exchanges, after: u64, tells_aside: bool) -> (Vec<String>, u64) {
        let Happened { events, last, is_lost, .. } =
            exchanges.wait_after(after, Duration::ZERO, tells_aside);
        assert!(!is_lost);
        let text = |event: &FeedEvent| match event {
            FeedEvent::Exchange(it) => {
                format!("{} {:?} over={}", it.number, it.status, it.is_over)
            }
            FeedEvent::Connection(it) => format!("@{} {:?}", it.connection, it.state),
        };
        (events.iter().map(|(_, event)| text(event)).collect(), last)
    }

    #[test]
    fn the_feed_tells_each_change_once_and_of_an_exchange_the_last_one() {
        let (exchanges, follower) = followed(10, 1024);
        follower.received(1, &GET[..10]);
        let (events, last) = told(&exchanges, 0, false);
        assert_eq!(events, ["@1 Opened"]);
        follower.received(1, &GET[10..]);
        let (events, last) = told(&exchanges, last, false);
        assert_eq!(events, ["1 None over=false"]);
        follower.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        assert_eq!(told(&exchanges, last, false).0, ["1 Some(200) over=false"]);
        follower.sent(1, b"no");
        let (events, later) = told(&exchanges, last, false);
        assert_eq!(events, ["1 Some(200) over=true"], "only the last is told");
        follower.ended(1, End::ClientClosed);
        follower.gone(1);
        let (events, later) = told(&exchanges, later, false);
        assert_eq!(events, ["@1 Ended(ClientClosed)", "@1 Gone"]);
        assert_eq!(told(&exchanges, later, false).0, [""; 0]);
        assert!(exchanges.wait_after(later + 1, Duration::ZERO, false).is_lost);
        // More events than one call tells.
        (2..30).for_each(|number| follower.opened(number, ([127, 0, 0, 1], 4000).into()));
        let (first, middle) = told(&exchanges, later, false);
        let (second, _) = told(&exchanges, middle, false);
        assert_eq!((first.len(), second.len()), (MAX_TOLD, 28 - MAX_TOLD));
        // Of the first exchange nothing is kept any more.
        follower.opened(1, ([127, 0, 0, 1], 4000).into());
        for _ in 0..11 {
            follower.received(1, GET);
            follower.sent(1, NO_CONTENT);
        }
        assert!(exchanges.wait_after(0, Duration::ZERO, false).is_lost);
    }

    #[test]
    fn a_waiting_reader_is_woken_by_an_event_and_by_the_end() {
        let (exchanges, follower) = followed(10, 1024);
        let long = Duration::from_secs(60);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| exchanges.wait_after(1, long, false));
            while lock(&exchanges.shared.state).waiting == 0 {
                std::thread::yield_now();
            }
            follower.received(1, GET);
            assert_eq!(reader.join().unwrap().last, 2);
            let reader = scope.spawn(|| exchanges.wait_after(2, long, false));
            exchanges.close();
            assert!(reader.join().unwrap().is_closed);
        });
    }

    #[test]
    fn what_the_server_knows_is_kept_and_what_is_aside_pushes_nothing_out() {
        static ROUTES: crate::route::Routes = crate::route::routes(&[
            crate::route::get("/", |_| crate::Response::text("")),
            crate::route::get("/aside", |_| crate::Response::text("")),
        ]);
        let rows: Vec<RouteRow> = ROUTES.iter().map(|route| *route.row()).collect();
        let exchanges = Exchanges::setting_aside(2, |row| row.path == "/aside");
        let follower = Follower::new(vec![exchanges.viewer()]);
        follower.started(([127, 0, 0, 1], 80).into(), &rows);
        let exchange = |row: &RouteRow| {
            follower.received(1, GET);
            follower.routed(1, Some(row));
            follower.handling(1);
            follower.handled(1, &["stored".to_owned()]);
            follower.sent(1, NO_CONTENT);
        };
        follower.opened(1, ([127, 0, 0, 1], 4000).into());
        exchange(&rows[1]);
        let connection = |told: &[String]| told.iter().filter(|it| it.starts_with('@')).count();
        let (events, last) = told(&exchanges, 0, false);
        assert_eq!((events.len(), connection(&events)), (2, 2), "{events:?}");
        assert!(exchanges.connections()[0].is_aside);
        exchange(&rows[0]);
        assert!(!exchanges.connections()[0].is_aside);
        let expected = ["@1 Opened", "2 Some(204) over=true"];
        assert_eq!(told(&exchanges, last, false).0, expected);
        (0..50).for_each(|_| exchange(&rows[1]));
        let kept = exchanges.all();
        assert_eq!(kept.iter().filter(|kept| kept.is_aside).count(), MAX_ASIDE);
        let shown = kept.iter().find(|kept| !kept.is_aside).unwrap();
        assert_eq!((shown.number, shown.route), (2, Some(rows[0])));
        assert_eq!(shown.notes, ["stored"]);
        assert!(shown.routed_at <= shown.handling_at && shown.handling_at <= shown.handled_at);
        assert!(shown.handled_at.is_some() && exchanges.get(2).is_some());
        assert_eq!(shown.request.head_length(), Some(GET.len() as u64));
        assert!(exchanges.get(1).is_none() && exchanges.numbers().contains(&2));
        follower.gone(1);
        let state = lock(&exchanges.shared.state);
        let kept: usize = state.kept.iter().map(KeptExchange::memory).sum();
        assert_eq!(kept, state.bytes);
    }

    #[test]
    fn on_demand_exchanges_are_kept_from_the_next_request_on_while_somebody_wants_them() {
        let exchanges = Exchanges::on_demand(10, |_| false);
        let follower = Follower::new(vec![exchanges.viewer()]);
        let exchange = |connection| {
            follower.received(connection, GET);
            follower.sent(connection, NO_CONTENT);
        };
        (1..=2).for_each(|number| follower.opened(number, ([127, 0, 0, 1], 4000).into()));
        (1..=2).for_each(exchange);
        let (first, second) = (exchanges.want(), exchanges.want());
        follower.opened(3, ([127, 0, 0, 1], 4000).into());
        [1, 1, 3].into_iter().for_each(exchange);
        let kept = exchanges.all();
        let numbers: Vec<_> = kept.iter().map(|kept| (kept.connection, kept.position)).collect();
        assert_eq!(numbers, [(1, None), (1, None), (3, Some(1))]);
        drop(first);
        let demand = exchanges.shared.demand.as_ref().unwrap();
        let end_long_ago = || {
            let Some(long_ago) = Instant::now().checked_sub(KEPT_AFTER) else { return };
            lock(&demand.wanted).1 = Some(long_ago);
        };
        end_long_ago();
        assert!(demand.is_active());
        drop(second);
        assert!(demand.is_active(), "the page may only be hidden");
        end_long_ago();
        exchange(2);
        assert!(!demand.is_active() && exchanges.all().len() == 3);
    }

    #[test]
    fn pipelined_exchanges_are_kept_in_order_and_the_oldest_are_dropped() {
        let (exchanges, follower) = followed(2, 1024);
        follower.received(1, &GET.repeat(3));
        follower.sent(1, NO_CONTENT);
        assert_eq!(lengths(&exchanges), [(GET.len(), NO_CONTENT.len())]);
        follower.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
        follower.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        follower.gone(1);
        assert_eq!(lengths(&exchanges), [(GET.len(), 40), (GET.len(), 38)]);
        let kept = exchanges.all();
        assert_eq!([kept[0].response.is_whole, kept[1].response.is_whole], [true, false]);
    }

    #[test]
    fn the_close_of_the_server_ends_a_response_without_a_length() {
        let (exchanges, follower) = followed(2, 20);
        follower.received(1, GET);
        follower.sent(1, b"HTTP/1.1 200 OK\r\n\r\n");
        std::thread::sleep(Duration::from_millis(2));
        follower.sent(1, b"to the end");
        assert_eq!(exchanges.all().len(), 0);
        follower.ended(1, End::ServerClosed);
        let [kept] = &exchanges.wait_for(1, Duration::ZERO)[..] else { panic!("one exchange") };
        assert!(kept.response.is_whole());
        // The bytes beyond the bound are counted, and timed.
        assert!(kept.took() >= Some(Duration::from_millis(2)), "{:?}", kept.took());
        let text = kept.transcript().to_string();
        assert!(text.contains("\n<<< 29 bytes in 2 pieces, +"), "{text}");
    }

    #[test]
    fn bytes_beyond_the_bounds_are_counted_and_memory_is_bounded() {
        let (exchanges, follower) = followed(2, 100);
        for number in 1..20 {
            follower.opened(number, ([127, 0, 0, 1], 4000).into());
            follower.received(number, b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
            (0..50).for_each(|_| follower.received(number, &[b'x'; 1000]));
            let state = lock(&exchanges.shared.state);
            assert!(state.bytes <= exchanges.shared.budget(), "{} bytes", state.bytes);
        }
        (1..20).for_each(|number| follower.gone(number));
        let kept = exchanges.all();
        assert_eq!(kept.len(), 2);
        let whole: Vec<_> = kept.iter().filter(|kept| kept.request.total() == 50_045).collect();
        assert!(whole.iter().all(|kept| kept.request.bytes().len() <= 100), "{kept:?}");
        assert!(lock(&exchanges.shared.state).connections.is_empty());
    }

    #[test]
    fn two_servers_may_keep_their_exchanges_in_one_place() {
        let (exchanges, first) = followed(4, 1024);
        let second = Follower::new(vec![exchanges.viewer()]);
        second.opened(1, ([127, 0, 0, 1], 5000).into());
        first.received(1, GET);
        second.received(1, GET);
        second.sent(1, NO_CONTENT);
        first.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let statuses: Vec<_> = exchanges.all().iter().map(|kept| kept.status).collect();
        assert_eq!(statuses, [Some(204), Some(200)]);
    }

    #[test]
    fn as_many_exchanges_are_kept_as_was_asked_for() {
        for (capacity, message_bytes) in [(0, 100), (1, 0), (10, 0), (100, 30), (10, usize::MAX)] {
            let (exchanges, follower) = followed(capacity, message_bytes);
            for _ in 0..300 {
                follower.received(1, &GET[..9]);
                follower.received(1, &GET[9..]);
                follower.sent(1, NO_CONTENT);
            }
            assert_eq!(exchanges.all().len(), capacity);
            assert_eq!(lock(&exchanges.shared.state).over, 300);
        }
    }

    #[test]
    fn a_connection_without_room_for_an_exchange_is_not_kept_and_nothing_is_paired_wrongly() {
        let (exchanges, follower) = followed(1, 0);
        follower.received(1, &GET.repeat(2));
        follower.sent(1, &NO_CONTENT.repeat(2));
        follower.received(1, GET);
        follower.gone(1);
        follower.opened(2, ([127, 0, 0, 1], 4000).into());
        follower.received(2, GET);
        follower.sent(2, NO_CONTENT);
        let kept: Vec<_> = exchanges.all().iter().map(|kept| kept.connection).collect();
        assert_eq!(kept, [2]);
    }

    #[test]
    fn a_refused_request_is_over_when_the_server_closes_and_what_follows_is_drained() {
        let (exchanges, follower) = followed(10, 1024);
        follower.received(1, b"GET / HTTP/1.1\r\nHost : h\r\n\r\n");
        follower.sent(1, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        follower.ended(1, End::ServerClosed);
        follower.received(1, b"more");
        assert_eq!(exchanges.all().len(), 1);
        follower.gone(1);
        assert_eq!((exchanges.all().len(), exchanges.all()[0].status), (1, Some(400)));
    }

    #[test]
    fn after_a_broken_request_the_next_exchange_is_kept_by_itself() {
        let (exchanges, follower) = followed(10, 1024);
        follower.received(1, b"GET / HTTP/1.1\r\nHost : h\r\n\r\n");
        follower.sent(1, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        follower.received(1, GET);
        follower.sent(1, NO_CONTENT);
        let kept = exchanges.all();
        let statuses: Vec<_> = kept.iter().map(|kept| kept.status).collect();
        assert_eq!(statuses, [Some(400), Some(204)]);
        assert_eq!(kept[1].request.bytes(), GET);
    }
}
