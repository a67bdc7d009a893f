//! # Keep the last exchanges in memory
//!
//! A test wants to see the exact bytes of both directions after it has run, and a page shows the exchange
//! that a click has made.
//!
//! ```text
//! request 1   ── Follower ──>  kept while it is in flight
//! response 1  ── Follower ──>  over: the newest of the last 100
//! ```
//! An exchange is a request and what the server sends until it answers the next one: the responses,
//! interim ones included, and bytes that are none. It is over when the final response and the request
//! have ended, when the next request is answered, or with its connection.
//!
//! Bounds: the number of exchanges that are kept, and the bytes and reads of each message. All of them
//! together, those in flight included, take at most as many bytes as the exchanges that may be kept.
//! Beyond that the oldest are dropped, and of those in flight only the first KiB of each message is kept.
//! A connection for which there is no room even then is not kept.
//!
//! What changes is told to those that wait for it, as numbered events.  Next: `kept`.

mod kept;
mod state;
mod viewer;
mod demand;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::feed::{KeptConnection, Subject};
use super::follower::{Follower, Viewer, lock};
use crate::message::counted::counted;
use crate::net::handle::ServerHandle;
use crate::net::server::{Companion, Server};
use crate::route::RouteRow;
use crate::transcript::{Item, Prose, Transcript};
use demand::Demand;
use state::{ExchangesState, SharedExchanges};
use viewer::ExchangesOfServer;

pub use demand::Wanted;
pub use kept::{KeptBytes, KeptExchange, ReadOrWrite};

/// Bytes that are kept of a message, unless told otherwise.
const MESSAGE_BYTES: usize = 64 * 1024;

/// The longest time for which [`Exchanges::transcript`] waits. A write is reported within microseconds, if
/// its thread runs.
const SENT_WAIT: Duration = Duration::from_millis(50);

/// The longest time for which [`ServerHandle::exchange`] waits.
const EXCHANGE_WAIT: Duration = Duration::from_secs(5);

/// Events that one call tells: each may come with a whole exchange.
const MAX_TOLD: usize = 16;

/// The last exchanges of a server, byte for byte. A clone is a handle to the same exchanges.
///
/// It prints as a transcript. So a test that fails shows what crossed, and a page that the commands
/// can play again is a file with that text:
///
/// ```
/// use openkitchen::{Request, Response, Routes, Server, get, routes};
/// # use std::io::{Read, Write};
///
/// static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
///
/// let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
/// # let mut client = std::net::TcpStream::connect(server.address())?;
/// # client.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
/// // ... the client under test sends a request ...
/// let kept = server.exchange(1);
/// assert!(kept.request.bytes().starts_with(b"GET / HTTP/1.0\r\n"), "{kept}");
/// assert_eq!(kept.response.text(), "Welcome!", "{}", server.exchanges());
/// # let page = std::env::temp_dir().join(format!("exchanges-{}.wire", std::process::id()));
/// std::fs::write(&page, server.exchanges().to_string())?;
/// # std::fs::remove_file(page)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Exchanges {
    shared: Arc<SharedExchanges>,
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

impl Server {
    /// Keeps the last `count` exchanges of this server in memory, with 64 KiB of each message: see
    /// [`Exchanges`]. Where a message is longer, its bytes are counted.
    pub fn keep(self, count: usize) -> Server {
        self.keep_first(count, MESSAGE_BYTES)
    }

    /// Keeps the last `count` exchanges, as [`Server::keep`], with the first `message_bytes` of
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
    /// ```
    /// # use openkitchen::{Client, Request, Response, Routes, Server, get, routes};
    /// # static ROUTES: Routes = routes(&[get("/menu", |_: &Request| Response::text("tea"))]);
    /// # fn my_client(url: &str) -> Result<u16, openkitchen::ClientError> {
    /// #     let address = url.strip_prefix("http://").unwrap().strip_suffix("/menu").unwrap();
    /// #     let mut client = Client::connect(address)?;
    /// #     client.send("GET /menu HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// #     client.response().map(|response| response.status)
    /// # }
    /// let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
    /// assert_eq!(my_client(&server.url("/menu"))?, 200, "{}", server.exchanges());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the server keeps none: call [`Server::keep`] before it is started.
    #[track_caller]
    pub fn exchanges(&self) -> &Exchanges {
        kept(self.companion())
    }

    /// Waits until the exchange with this number is over, for five seconds at most, and returns it. The
    /// first request that arrives begins exchange 1.
    ///
    /// ```
    /// # use openkitchen::{Client, Request, Response, Routes, Server, get, routes};
    /// # static ROUTES: Routes = routes(&[get("/menu", |_: &Request| Response::text("tea"))]);
    /// let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
    /// # let mut client = Client::connect(server.address())?;
    /// # client.send("GET /menu HTTP/1.1\r\nHost: h\r\nCookie: size=2\r\n\r\n")?;
    /// // ... the client under test sends a request ...
    /// let kept = server.exchange(1);
    /// assert_eq!((kept.target(), kept.status), ("/menu".into(), Some(200)));
    /// assert_eq!(kept.request.field("Cookie").as_deref(), Some("size=2"), "{kept}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// As [`Exchanges::expect`]; or if the server keeps none.
    #[track_caller]
    pub fn exchange(&self, number: u64) -> KeptExchange {
        self.exchanges().expect(number, EXCHANGE_WAIT)
    }
}

#[track_caller]
fn kept(companion: Option<&dyn Companion>) -> &Exchanges {
    match companion.and_then(|companion| (companion as &dyn Any).downcast_ref()) {
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

    fn start(
        capacity: usize,
        message_bytes: usize,
        sets_aside: fn(&RouteRow) -> bool,
        demand: Option<Arc<Demand>>,
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

    /// A viewer of one server's connections, for a [`Follower`]. Each server needs one of its own.
    pub fn viewer(&self) -> Arc<dyn Viewer> {
        Arc::new(ExchangesOfServer::new(Arc::clone(&self.shared)))
    }

    /// The exchanges that are over, in the order in which they ended, the oldest first.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use openkitchen::{Client, Request, Response, Routes, Server, get, routes};
    /// # static ROUTES: Routes = routes(&[get("/menu", |_: &Request| Response::text("tea"))]);
    /// # let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
    /// # let mut client = Client::connect(server.address())?;
    /// # client.send("GET /menu HTTP/1.1\r\nHost: h\r\n\r\nGET /missing HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// # server.exchanges().wait_for(2, Duration::from_secs(5));
    /// // ... the client under test sends two requests, and has both responses ...
    /// let all = server.exchanges().all();
    /// let asked: Vec<_> = all.iter().map(|kept| (kept.target(), kept.status)).collect();
    /// assert_eq!(asked, [("/menu".into(), Some(200)), ("/missing".into(), Some(404))]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn all(&self) -> Vec<KeptExchange> {
        lock(&self.shared.state).kept.iter().cloned().collect()
    }

    /// Waits until `count` exchanges are over since the start, or for this long. Returns those that
    /// are kept: fewer than `count` if the time is over. A client may have its response a moment
    /// before the exchange is over here.
    pub fn wait_for(&self, count: u64, timeout: Duration) -> Vec<KeptExchange> {
        let state = self.shared.wait_while(timeout, |state| state.over < count);
        state.kept.iter().cloned().collect()
    }

    /// Waits until the exchange with this number is over, for `timeout` at most, and returns it. They are
    /// counted from 1, in the order in which they began.
    ///
    /// # Panics
    /// It is not over in time, or not kept any more. The message says which, and has what crossed.
    #[track_caller]
    pub fn expect(&self, number: u64, timeout: Duration) -> KeptExchange {
        let is_early = |state: &ExchangesState| match state.find(number) {
            Some(exchange) => !exchange.is_over,
            None => number > state.begun,
        };
        let (found, begun) = {
            let state = self.shared.wait_while(timeout, is_early);
            (state.find(number).cloned(), state.begun)
        };
        let why = match found {
            Some(exchange) if exchange.is_over => return exchange,
            Some(_) => format!("is not over in {timeout:?}"),
            None if number > begun => format!("has not begun in {timeout:?}"),
            None => "is not kept".into(),
        };
        panic!("exchange {number} {why}; until now:\n{self}");
    }

    /// The exchange with this number, in flight or over, if it is kept.
    ///
    /// ```
    /// # use openkitchen::{Client, Request, Response, Routes, Server, get, routes};
    /// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text(""))]);
    /// # let server = Server::bind("127.0.0.1:0")?.keep(100).start(&ROUTES, ())?;
    /// # let mut client = Client::connect(server.address())?;
    /// client.send("GET / HTT")?;
    /// # while server.exchanges().numbers().is_empty() {
    /// #     std::thread::yield_now();
    /// # }
    /// // ... when it has arrived ...
    /// let kept = server.exchanges().get(1).unwrap();
    /// assert_eq!((kept.request.bytes(), kept.is_over), (&b"GET / HTT"[..], false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get(&self, number: u64) -> Option<KeptExchange> {
        lock(&self.shared.state).find(number).cloned()
    }

    /// The numbers of all exchanges that are kept, those in flight included, in the order in which they
    /// began.
    pub fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> =
            lock(&self.shared.state).all().map(|exchange| exchange.number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// All exchanges that are kept, those in flight last, as one transcript. If there are none, a line of
    /// prose says whether a request has arrived.
    ///
    /// A client may have its response a moment before it is known here. So this waits a moment, if a
    /// handler has returned and no byte of its response is known.
    pub fn transcript(&self) -> Transcript {
        let (all, why_none, lost) = {
            let state = self.shared.wait_while(SENT_WAIT, ExchangesState::is_sending);
            (state.all().cloned().collect::<Vec<_>>(), state.why_none(), state.lost)
        };
        // Each server counts its connections from 1, so those of several need other names.
        let is_one_server = all.iter().all(|exchange| exchange.server == all[0].server);
        let mut names = HashMap::new();
        let mut items = Vec::new();
        for exchange in &all {
            let next = names.len() as u64 + 1;
            let name = match is_one_server {
                true => exchange.connection,
                false => *names.entry((exchange.server, exchange.connection)).or_insert(next),
            };
            let name = u32::try_from(name).unwrap_or(u32::MAX);
            items.extend(exchange.items(name, exchange.request.bytes(), exchange.response.bytes()));
        }
        if items.is_empty() {
            items.push(Item::Prose(Prose::new(&why_none)));
        }
        if lost > 0 {
            let lost = counted(lost, "connection was", "connections were");
            let why = format!("{lost} not kept to the end: there was no room for more exchanges");
            items.push(Item::Prose(Prose::new(&why)));
        }
        Transcript { items }
    }
}

/// For a page that follows a server: what it asks for itself is set aside, and it is told each change.
impl Exchanges {
    /// As [`Exchanges::new`], but the exchanges of some routes are set aside: those by which a page asks
    /// for the exchanges. They are kept beside the others, 16 of them, and push out none of the others.
    pub fn setting_aside(capacity: usize, sets_aside: fn(&RouteRow) -> bool) -> Exchanges {
        Exchanges::start(capacity, MESSAGE_BYTES, sets_aside, None)
    }

    /// As [`Exchanges::setting_aside`], but a server keeps exchanges for this alone only while they are
    /// wanted: see [`Exchanges::want`]. Until then, a request costs about as much as without them.
    pub fn on_demand(capacity: usize, sets_aside: fn(&RouteRow) -> bool) -> Exchanges {
        Exchanges::start(capacity, MESSAGE_BYTES, sets_aside, Some(Arc::default()))
    }

    /// Exchanges are kept as long as the returned value lives, and ten minutes after. Connections that
    /// are open already are kept from their next request on.
    pub fn want(&self) -> Wanted {
        Wanted::new(self.shared.demand.clone())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::observer::{End, Observer};

    pub(super) const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    pub(super) const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

    /// Exchanges, and what follows connection 1, which is open.
    pub(super) fn followed(capacity: usize, message_bytes: usize) -> (Exchanges, Follower) {
        let exchanges = Exchanges::with_message_bytes(capacity, message_bytes);
        let follower = Follower::new(vec![exchanges.viewer()]);
        follower.opened(1, ([127, 0, 0, 1], 4000).into());
        (exchanges, follower)
    }

    pub(super) fn lengths(exchanges: &Exchanges) -> Vec<(usize, usize)> {
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
        let blocks: Vec<&str> = text.lines().filter(|line| line.contains(" bytes, +")).collect();
        let blocks: Vec<&str> = blocks.iter().filter_map(|line| line.split(',').next()).collect();
        assert_eq!(blocks, [">>> 10 bytes", ">>> 17 bytes", "<<< 25 bytes", "<<< 27 bytes"]);
        assert_eq!(Transcript::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn a_transcript_has_what_is_in_flight_or_says_that_nothing_has_arrived() {
        let exchanges = Exchanges::new(1);
        let follower = Follower::new(vec![exchanges.viewer()]);
        let expected = "# no request has arrived, and no connection was opened\n";
        assert_eq!(exchanges.to_string(), expected);
        follower.opened(1, ([127, 0, 0, 1], 4000).into());
        let expected = "# no request has arrived; 1 connection was opened\n";
        assert_eq!(exchanges.to_string(), expected);
        follower.received(1, &GET[..9]);
        let text = exchanges.to_string();
        assert!(text.starts_with(">>> 9 bytes") && text.ends_with("\nGET / HTT\\\n"), "{text}");
        follower.received(1, &GET[9..]);
        follower.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
        let text = exchanges.to_string();
        assert!(text.contains("\n<<< 41 bytes") && text.ends_with("\nhel\\\n"), "{text}");
        assert_eq!(exchanges.all().len(), 0);
        // In flight after those that are over, in the order in which they began.
        follower.opened(2, ([127, 0, 0, 1], 4000).into());
        follower.received(2, &GET.repeat(2));
        follower.sent(2, NO_CONTENT);
        let text = exchanges.to_string();
        let order: Vec<_> = text.lines().filter(|line| line.starts_with(">>>")).collect();
        assert!(
            order[0].starts_with(">>> @2 27 bytes") && order[1].starts_with(">>> 9 "),
            "{text}"
        );
        assert!(order[2].starts_with(">>> 18 ") && order[3].starts_with(">>> @2 27 "), "{text}");
        let none = Exchanges::new(0);
        let follower = Follower::new(vec![none.viewer()]);
        follower.opened(1, ([127, 0, 0, 1], 4000).into());
        follower.received(1, GET);
        follower.sent(1, NO_CONTENT);
        assert_eq!(none.to_string(), "# no exchange is kept; 1 request has arrived\n");
    }

    #[test]
    fn an_exchange_that_is_not_there_is_a_panic_that_says_what_crossed() {
        let (exchanges, follower) = followed(1, 1024);
        let why = |number: u64| {
            let call = || exchanges.expect(number, Duration::from_millis(1));
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
            panic.downcast_ref::<String>().unwrap().clone()
        };
        let expected = "exchange 1 has not begun in 1ms; until now:\n\
            # no request has arrived; 1 connection was opened\n";
        assert_eq!(why(1), expected);
        follower.received(1, &GET[..9]);
        let text = why(1);
        assert!(
            text.starts_with("exchange 1 is not over in 1ms; until now:\n>>> 9 bytes"),
            "{text}"
        );
        follower.received(1, &GET[9..]);
        follower.sent(1, NO_CONTENT);
        assert_eq!(exchanges.expect(1, Duration::ZERO).status, Some(204));
        follower.received(1, GET);
        follower.sent(1, NO_CONTENT);
        assert!(why(1).starts_with("exchange 1 is not kept; until now:\n>>> 27 bytes"));
    }

    /// The events after this one, each as text, and the number after which to ask next.
    pub(super) fn told(exchanges: &Exchanges, after: u64, tells_aside: bool) -> (Vec<String>, u64) {
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
}
