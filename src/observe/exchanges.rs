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
//! Next: [`play`](crate::play).

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
const EXCHANGE_BYTES: usize = 512;
const READ_BYTES: usize = size_of::<ReadOrWrite>();

/// Reads or writes of a message that are kept. The last one stands for those beyond.
const MAX_READS: usize = 1024;

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
}

/// A connection: the number of its server, since each server counts from 1, and its own number.
type ConnectionKey = (u64, u64);

/// A connection, and its exchanges that are not over.
struct ConnectionInFlight {
    peer: SocketAddr,
    opened: Instant,
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
    /// The number of the connection, from 1.
    pub connection: u64,
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
    is_routed: bool,
    /// The number of its server.
    server: u64,
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
    is_whole: bool,
    /// Whether the end of the connection ends the message.
    ends_with_connection: bool,
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
    fn new((server, connection): ConnectionKey, peer: SocketAddr) -> KeptExchange {
        let (request, response) = (KeptBytes::default(), KeptBytes::default());
        let (status, route, ends, is_routed) = (None, None, Vec::new(), false);
        KeptExchange { connection, peer, request, response, status, route, ends, is_routed, server }
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
        EXCHANGE_BYTES + self.request.memory() + self.response.memory()
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
        let (state, changed, servers) = (Mutex::default(), Condvar::new(), AtomicU64::new(0));
        let shared = SharedExchanges { capacity, message_bytes, state, changed, servers };
        Exchanges { shared: Arc::new(shared) }
    }

    /// A viewer of one server's connections, for a [`Follower`]. Each server needs one of its own.
    pub fn viewer(&self) -> Arc<dyn Viewer> {
        let shared = Arc::clone(&self.shared);
        let server = shared.servers.fetch_add(1, Ordering::Relaxed);
        Arc::new(ExchangesOfServer { shared, server })
    }

    /// The exchanges that are over, in the order in which they ended, the oldest first.
    pub fn all(&self) -> Vec<KeptExchange> {
        lock(&self.shared.state).kept.iter().cloned().collect()
    }

    /// Waits until so many exchanges are over since the start, or for this long. Returns those that
    /// are kept: fewer than so many if the time is over. A client may have its response a moment
    /// before the exchange is over here.
    pub fn wait_for(&self, count: u64, timeout: Duration) -> Vec<KeptExchange> {
        let is_early = |state: &mut ExchangesState| state.over < count;
        let state = lock(&self.shared.state);
        let waited = self.shared.changed.wait_timeout_while(state, timeout, is_early);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.kept.iter().cloned().collect()
    }

    /// All exchanges that are kept, as one transcript.
    pub fn transcript(&self) -> Transcript {
        let items = self.all().iter().flat_map(|exchange| exchange.transcript().items).collect();
        Transcript { items }
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

    /// Changes the state, and wakes those that wait for exchanges to be over, if one is.
    fn change(&self, change: impl FnOnce(&mut ExchangesState)) {
        let mut state = lock(&self.state);
        let over = state.over;
        change(&mut state);
        if state.over > over {
            self.changed.notify_all();
        }
    }
}

impl ExchangesState {
    /// Returns how many bytes of memory are left. Drops the oldest exchanges if it is less than `wanted`.
    fn make_room(&mut self, wanted: usize, budget: usize) -> usize {
        while budget.saturating_sub(self.bytes) < wanted
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= oldest.memory();
        }
        budget.saturating_sub(self.bytes)
    }

    /// Adds a range of bytes that one side sent.
    fn add(
        &mut self,
        key: ConnectionKey,
        from: Side,
        (range, bytes): (&Followed, &[u8]),
        at: Instant,
        shared: &SharedExchanges,
    ) {
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
            connection.exchanges.push_back(KeptExchange::new(key, connection.peer));
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
        self.bytes += cost + message.memory() - before;
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
            self.kept.extend(connection.exchanges.pop_front());
            self.over += 1;
        }
        while self.kept.len() > capacity
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= oldest.memory();
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
}

impl Viewer for ExchangesOfServer {
    fn opened(&self, connection: u64, peer: SocketAddr) {
        let (opened, exchanges) = (Instant::now(), VecDeque::new());
        let (server_ended, is_lost) = (false, false);
        let in_flight = ConnectionInFlight { peer, opened, server_ended, exchanges, is_lost };
        lock(&self.shared.state).connections.insert((self.server, connection), in_flight);
    }

    fn routed(&self, connection: u64, route: Option<&RouteRow>) {
        let mut state = lock(&self.shared.state);
        if let Some(exchange) =
            state.of_connection((self.server, connection)).find(|exchange| !exchange.is_routed)
        {
            (exchange.route, exchange.is_routed) = (route.copied(), true);
        }
    }

    fn ended(&self, connection: u64, end: End) {
        self.shared.change(|state| {
            let Some(in_flight) = state.connections.get_mut(&(self.server, connection)) else {
                return;
            };
            let kind = end_event(end, in_flight.server_ended);
            in_flight.server_ended |= end.side() == Side::Server;
            let server_ended = in_flight.server_ended;
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
            state.connections.remove(&(self.server, connection));
        });
    }

    fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>) {
        let at = Instant::now();
        self.shared.change(|state| {
            let mut rest = followed.bytes;
            for range in &**followed.ranges {
                let (bytes, after) = rest.split_at(range.length);
                state.add(
                    (self.server, connection),
                    followed.from,
                    (range, bytes),
                    at,
                    &self.shared,
                );
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
