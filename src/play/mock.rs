//! # Mock: plays the server of a transcript, to test a client
//!
//! What does a client do when the response is cut, never arrives, or is not HTTP?
//!
//! ```text
//! >>>
//! GET / HTTP/1.1
//! Host: h
//!
//! <<<
//! HTTP/1.1 200 OK
//! Content-Length: 100
//!
//! only this\
//! --- server closed          curl: (18) transfer closed with 91 bytes remaining to read
//! ```
//! Rule: the server waits until as many messages are complete as the transcript has, because no two
//! clients send the same fields; then it reports what differs. What the server sends is exact: each
//! block is one write, after the waits of the transcript, and then the event.
//!
//! ```
//! # use std::io::{Read, Write};
//! # use std::net::TcpStream;
//! use openkitchen::{Mock, Transcript};
//!
//! let page = Transcript::parse(
//!     ">>>\nGET /menu HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 204 No Content\n\n--- server closed\n",
//! )?;
//! let mock = Mock::start(&page)?;
//! # fn client_under_test(mock: &openkitchen::play::mock::StartedMock) -> std::io::Result<String> {
//! #     let mut client = TcpStream::connect(mock.address())?;
//! #     client.write_all(b"GET /menu HTTP/1.1\r\nAccept: */*\r\nHost: h\r\n\r\n")?;
//! #     let mut response = String::new();
//! #     client.read_to_string(&mut response)?;
//! #     Ok(response)
//! # }
//! assert_eq!(client_under_test(&mock)?, "HTTP/1.1 204 No Content\r\n\r\n");
//!
//! let played = mock.finish();
//! assert!(played.is_as_written(), "{played}");
//! openkitchen::assert_bytes!(
//!     played.received(),
//!     "GET /menu HTTP/1.1\r\nAccept: */*\r\nHost: h\r\n\r\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! When does it answer? What a page says of the request decides what is a difference:
//!
//! | the page has | the request |
//! |---|---|
//! | no `>>>` and no `???` | may be any |
//! | `???` with `method GET`, `target is /menu` ... | must be as they say |
//! | `>>>` with a request | must have its request line, its field lines and its content |
//! | the same, and [`Mock::exact`] | must have these lines in this order, and no others |
//!
//! In a request that must be as in a `>>>`, `Host` may be this machine, and `User-Agent` is not
//! compared; [`Mock::ignoring`] adds names.
//!
//! Each connection is played by a thread of its own: the first that is accepted as the first in the
//! transcript, and so on. It is closed at once after its last step. A mock that loops keeps it, if
//! HTTP does, and the next request on it plays it again: clients that pool their connections need
//! no `Connection: close` in the page. [`Answers`](answers::Answers) are for a server with
//! handlers, where only the responses are data. Left out: the order between two connections.  Next:
//! `watch`.

pub mod answers;
mod connection;
mod differ;
mod session;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::crossed::{Crossed, bytes_of};
use super::script;
use crate::message::counted::counted;
use crate::message::dialogue::Side;
use crate::net::connections::Identity;
use crate::net::observer::{End, Observer, Tapped};
use crate::observe::follower::{end_event, lock};
use crate::transcript::{Item, Prose, Transcript};
use connection::MockConnection;
use differ::RequestRules;
use session::{MockOutcome, MockSocket, SessionOptions};

pub use differ::MockDifference;

/// The pause after a failed `accept`.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(10);

/// A time that can be added to the clock.
const MAX_TIMEOUT: Duration = Duration::from_secs(86_400 * 365);

/// Connections of a started mock whose bytes are kept for its report. The last ones are.
const MAX_KEPT_CONNECTIONS: usize = 100;

/// How often a stop looks whether the connections are over.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The time for a connection of a started mock to itself, which wakes its thread in `accept`.
const WAKE_TIMEOUT: Duration = Duration::from_millis(100);

/// How the connections of a mock went: the worst of them, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MockVerdict {
    /// Each client did what the transcript has.
    #[default]
    AsWritten,
    /// A client did not connect, send or read in time.
    TimedOut,
    /// A client sent something else than the transcript has.
    Different,
}

/// A server that plays the server's side of a transcript.
pub struct Mock {
    connections: Vec<MockConnection>,
    pages: usize,
    options: SessionOptions,
    control: Arc<MockControl>,
    observers: Vec<Arc<dyn Observer>>,
}

/// The verdict so far, and the stop, for another thread.
#[derive(Default)]
pub struct MockControl {
    verdict: AtomicU8,
    stopping: AtomicBool,
    /// The connections that are played.
    open: Mutex<Vec<Weak<TcpStream>>>,
}

impl MockControl {
    /// The verdict so far.
    pub fn verdict(&self) -> MockVerdict {
        match self.verdict.load(Ordering::SeqCst) {
            0 => MockVerdict::AsWritten,
            1 => MockVerdict::TimedOut,
            _ => MockVerdict::Different,
        }
    }

    /// Makes the verdict at least as bad as this one.
    pub fn raise(&self, to: MockVerdict) {
        self.verdict.fetch_max(to as u8, Ordering::SeqCst);
    }

    /// Ends each wait for a client, and waits at most this long until the connections are over, and
    /// reported.
    pub fn stop(&self, time: Duration) {
        self.stopping.store(true, Ordering::SeqCst);
        let deadline = Instant::now() + time;
        loop {
            let open: Vec<_> = lock(&self.open).iter().filter_map(Weak::upgrade).collect();
            for stream in &open {
                let _ = stream.shutdown(Shutdown::Read); // fails if the client has closed
            }
            if open.is_empty() || Instant::now() >= deadline {
                return;
            }
            drop(open);
            thread::sleep(STOP_POLL_INTERVAL);
        }
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Adds a connection.
    fn opened(&self, stream: &Arc<TcpStream>) {
        let mut open = lock(&self.open);
        open.retain(|stream| stream.strong_count() > 0);
        open.push(Arc::downgrade(stream));
    }
}

/// How a connection went, or one more request on it if it was kept. It prints as lines of text.
#[derive(Clone, Debug)]
pub struct MockedConnection {
    /// Counts the accepted connections from 1.
    pub connection: usize,
    /// What was played: `@1`, `first.wire @1`, `@1, again`.
    pub name: String,
    /// Whether the client did what the transcript has.
    pub verdict: MockVerdict,
    /// What it did otherwise.
    pub differences: Vec<MockDifference>,
    /// Whether a mock that loops has played nothing, because the client sent no byte.
    pub is_unused: bool,
    /// What crossed, the first MiB of it.
    pub crossed: Transcript,
}

impl MockedConnection {
    /// The bytes that the client sent.
    pub fn received(&self) -> Vec<u8> {
        bytes_of(&self.crossed, Side::Client)
    }
}

impl MockedConnection {
    /// What crossed, with the number of this connection.
    #[doc(hidden)]
    pub fn numbered(&self) -> Vec<Item> {
        let number = u32::try_from(self.connection).unwrap_or(u32::MAX);
        let mut items = self.crossed.items.clone();
        items.iter_mut().for_each(|item| match item {
            Item::Block(block) => block.connection = number,
            Item::Event(event) => event.connection = number,
            Item::Prose(_) | Item::Assertions(_) => {}
        });
        items
    }
}

impl fmt::Display for MockedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        if self.is_unused {
            return writeln!(f, "{name}: nothing was played, because the client sent no byte");
        }
        if self.differences.is_empty() {
            return writeln!(f, "{name}: as written");
        }
        self.differences.iter().try_for_each(|difference| writeln!(f, "{name}: {difference}"))
    }
}

/// What a mock reports.
#[derive(Clone, Debug)]
pub enum MockEvent {
    /// A connection is over, or was kept.
    Played(MockedConnection),
    /// Fewer connections were opened than the transcript has, and no other in time. A sentence.
    Missing(String),
}

impl fmt::Display for MockEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MockEvent::Played(played) => played.fmt(f),
            MockEvent::Missing(sentence) => writeln!(f, "{sentence}"),
        }
    }
}

impl Mock {
    /// Starts a mock of this transcript's server, on a free port of 127.0.0.1. It waits five seconds for
    /// a client. [`Mock::of`] and [`Mock::listen`] are for other settings.
    ///
    /// ```
    /// use openkitchen::{Client, Mock, Transcript};
    ///
    /// // No `>>>`: any request is answered, and then the connection is reset.
    /// let mock = Mock::start(&Transcript::parse("<<<\nHTTP/1.1 200 OK\n--- server reset\n")?)?;
    /// let mut client = Client::connect(mock.address())?;
    /// client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// assert!(client.response().is_err());
    /// assert_eq!(mock.finish().received(), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A sentence: see [`Mock::of`] and [`Mock::listen`].
    pub fn start(transcript: &Transcript) -> Result<StartedMock, String> {
        Mock::of(transcript)?.timeout(Duration::from_secs(5)).listen()
    }

    /// A mock of this transcript's server.
    ///
    /// # Errors
    /// A sentence: the transcript leaves out bytes that the server sends, or it has no connection to
    /// play.
    pub fn of(transcript: &Transcript) -> Result<Mock, String> {
        if let Some((index, left_out)) = script::incomplete_block(transcript, Side::Server) {
            let number = index + 1;
            return Err(format!("block {number} of the server: {left_out}, so it cannot be sent"));
        }
        let connections = MockConnection::all(&transcript.items);
        if connections.is_empty() {
            return Err("line 1: expected a connection to play, such as >>> or <<<".into());
        }
        let timeout = Duration::from_secs(30);
        let options = SessionOptions { timeout, may_keep: false, rules: RequestRules::default() };
        let (control, observers) = (Arc::default(), Vec::new());
        Ok(Mock { connections, pages: 1, options, control, observers })
    }

    /// Parses a transcript, and makes a mock of its server.
    ///
    /// # Errors
    /// A sentence with the line: it is no transcript, it leaves out bytes that the server sends, or it has no
    /// connection to play.
    pub fn parse(text: &str) -> Result<Mock, String> {
        Mock::of(&script::parse(text, Side::Server)?)
    }

    /// Gives the transcript a name, for the reports.
    pub fn named(mut self, name: &str) -> Mock {
        let name = Prose::new(name).as_str().to_owned();
        self.connections.iter_mut().for_each(|connection| connection.page.clone_from(&name));
        self
    }

    /// Plays the transcript of another mock after this one: its connections follow. With
    /// [`Mock::looping`], the next request on a connection that is kept plays the next transcript.
    ///
    /// ```
    /// use openkitchen::{Client, Mock};
    ///
    /// let busy = Mock::parse("<<<\nHTTP/1.1 503 Service Unavailable\nContent-Length: 0\n\n")?;
    /// let done = Mock::parse("<<<\nHTTP/1.1 204 No Content\n\n")?;
    /// let mock = busy.then(done).looping().listen()?;
    /// let mut client = Client::connect(mock.address())?;
    /// for status in [503, 204, 503] {
    ///     client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    ///     assert_eq!(client.response()?.status, status);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn then(mut self, next: Mock) -> Mock {
        self.connections.extend(next.connections);
        self.pages += next.pages;
        self
    }

    /// Plays again for each new connection, and for the next request on a connection that HTTP keeps
    /// open, without end. A connection on which a client sends nothing is no difference: some open one
    /// more than they use.
    pub fn looping(mut self) -> Mock {
        self.options.may_keep = true;
        self
    }

    /// Sets the longest wait for the client: to connect, to send, to read. It is 30 seconds if not set, and
    /// a year at most.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openkitchen::play::mock::{Mock, MockVerdict};
    ///
    /// let mock = Mock::parse("--- server closed\n")?.timeout(Duration::from_millis(20)).listen()?;
    /// assert_eq!(mock.finish().verdict(), MockVerdict::TimedOut); // no client has connected
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Mock {
        self.options.timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Does not compare fields with this name, such as one with a date.
    ///
    /// ```
    /// use openkitchen::{Client, Mock};
    ///
    /// let page = ">>>\nGET / HTTP/1.1\nX-Request-Id: 1\n\n<<<\nHTTP/1.1 204 No Content\n\n";
    /// let mock = Mock::parse(page)?.ignoring("X-Request-Id").listen()?;
    /// let mut client = Client::connect(mock.address())?;
    /// client.send("GET / HTTP/1.1\r\nX-Request-Id: 2\r\n\r\n")?;
    /// client.response()?;
    /// assert!(mock.finish().is_as_written());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ignoring(mut self, field: &str) -> Mock {
        self.options.rules.ignored.push(field.to_ascii_lowercase());
        self
    }

    /// Compares each byte of the requests, but for the port in `Host` and the line `User-Agent`: a field
    /// that the transcript does not have is a difference.
    ///
    /// ```
    /// use openkitchen::{Client, Mock};
    ///
    /// let page = ">>>\nGET / HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 204 No Content\n\n";
    /// let mock = Mock::parse(page)?.exact().listen()?;
    /// let mut client = Client::connect(mock.address())?;
    /// client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")?;
    /// client.response()?;
    /// assert!(!mock.finish().is_as_written());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exact(mut self) -> Mock {
        self.options.rules.is_exact = true;
        self
    }

    /// Adds an observer of the connections. It is told nothing of routes.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use openkitchen::Mock;
    /// use openkitchen::observe::{Exchanges, Follower};
    ///
    /// let exchanges = Exchanges::new(10);
    /// let follower = Arc::new(Follower::new(vec![exchanges.viewer()]));
    /// let mock = Mock::parse("<<<\nHTTP/1.1 204 No Content\n\n")?.observed_by(follower).listen()?;
    /// # let mut client = openkitchen::Client::connect(mock.address())?;
    /// # client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// // ... the client under test sends a request ...
    /// mock.finish();
    /// assert_eq!(exchanges.all()[0].status, Some(204));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Mock {
        self.observers.push(observer);
        self
    }

    /// The verdict so far, and the stop, for another thread.
    pub fn control(&self) -> Arc<MockControl> {
        Arc::clone(&self.control)
    }

    /// Starts on a free port of 127.0.0.1, in threads of its own. It accepts when this returns.
    ///
    /// # Errors
    /// A sentence: no port is free, or a thread cannot be created.
    pub fn listen(self) -> Result<StartedMock, String> {
        let failed = |error: io::Error| format!("cannot start the mock: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let run = Arc::new(MockRun { address: Some(address), ..MockRun::new(self) });
        let kept = Arc::new(Mutex::new(MockReport::default()));
        let (played, events) = (Arc::clone(&run), Arc::clone(&kept));
        let play = move || {
            let report = move |event| lock(&events).add(event);
            if let Err(error) = played.accept(vec![listener], report) {
                log::error!("the mock has stopped: {error}");
                played.control.raise(MockVerdict::TimedOut);
            }
        };
        let thread = thread::Builder::new().name("mock".into()).spawn(play).map_err(failed)?;
        Ok(StartedMock { address, run, kept, thread: Some(thread) })
    }

    /// Accepts as many connections as the transcript has, or any number if it loops, and plays each in a
    /// thread of its own. Each connection that is over is reported.
    ///
    /// ```no_run
    /// # use openkitchen::Mock;
    /// let listener = std::net::TcpListener::bind("127.0.0.1:8080")?;
    /// let mock = Mock::parse("<<<\nHTTP/1.1 204 No Content\n\n")?;
    /// let verdict = mock.play(listener, |event| print!("{event}"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A sentence: a thread cannot be created.
    pub fn play(
        self,
        listener: TcpListener,
        report: impl Fn(MockEvent) + Clone + Send + 'static,
    ) -> Result<MockVerdict, String> {
        self.play_on(vec![listener], report)
    }

    /// Does the same on several listeners: the connections are those of all of them. When the
    /// transcript is played, a listener on which no more connection arrives stays open.
    ///
    /// # Errors
    /// See [`Mock::play`].
    pub fn play_on(
        self,
        listeners: Vec<TcpListener>,
        report: impl Fn(MockEvent) + Clone + Send + 'static,
    ) -> Result<MockVerdict, String> {
        Arc::new(MockRun::new(self))
            .accept(listeners, report)
            .map_err(|error| format!("cannot create a thread for a connection: {error}"))
    }
}

/// A mock that runs beside a test. It stops when it is dropped.
pub struct StartedMock {
    address: SocketAddr,
    run: Arc<MockRun>,
    kept: Arc<Mutex<MockReport>>,
    thread: Option<JoinHandle<()>>,
}

impl StartedMock {
    /// The address, with the port that the system has chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, such as `http://127.0.0.1:41233/menu`.
    ///
    /// ```
    /// # use openkitchen::{Mock, Transcript};
    /// # let page = Transcript::parse("<<<\nHTTP/1.1 204 No Content\n\n")?;
    /// let mock = Mock::start(&page)?;
    /// assert_eq!(mock.url("/menu"), format!("http://{}/menu", mock.address()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until the transcript is played, or for the timeout: what differed, and what the client sent,
    /// byte for byte. A mock that loops is stopped.
    pub fn finish(mut self) -> MockReport {
        if self.run.options.may_keep {
            self.run.stop();
        }
        self.join();
        mem::take(&mut *lock(&self.kept))
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.run.control.raise(MockVerdict::Different); // the panic was printed on stderr
        }
        lock(&self.kept).verdict = self.run.control.verdict();
    }
}

impl Drop for StartedMock {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.run.stop();
            self.join();
        }
    }
}

/// How a started mock went. It prints what differed, and then what crossed.
#[derive(Clone, Debug, Default)]
pub struct MockReport {
    /// The connections, in the order in which they ended; the last hundred of them.
    pub connections: VecDeque<MockedConnection>,
    /// How many connections were opened, if they were fewer than the transcript has: a sentence.
    pub missing: Option<String>,
    verdict: MockVerdict,
    /// How many connections were dropped.
    dropped: usize,
}

impl MockReport {
    fn add(&mut self, event: MockEvent) {
        match event {
            MockEvent::Missing(sentence) => self.missing = Some(sentence),
            MockEvent::Played(played) => {
                if self.connections.len() == MAX_KEPT_CONNECTIONS {
                    self.connections.pop_front();
                    self.dropped += 1;
                }
                self.connections.push_back(played);
            }
        }
    }

    /// Whether each client did what the transcript has.
    pub fn is_as_written(&self) -> bool {
        self.verdict == MockVerdict::AsWritten
    }

    /// The worst verdict of all connections.
    pub fn verdict(&self) -> MockVerdict {
        self.verdict
    }

    /// All differences.
    pub fn differences(&self) -> impl Iterator<Item = &MockDifference> {
        self.connections.iter().flat_map(|played| &played.differences)
    }

    /// What the clients sent, byte for byte: the connections in the order in which they ended.
    pub fn received(&self) -> Vec<u8> {
        self.connections.iter().flat_map(MockedConnection::received).collect()
    }

    /// What crossed, as a transcript that can be played again.
    pub fn transcript(&self) -> Transcript {
        let items = self.connections.iter().flat_map(MockedConnection::numbered).collect();
        Transcript { items }
    }
}

impl fmt::Display for MockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dropped > 0 {
            let dropped = counted(self.dropped, "connection is", "connections are");
            writeln!(f, "{dropped} not shown")?;
        }
        self.connections.iter().try_for_each(|played| played.fmt(f))?;
        self.missing.iter().try_for_each(|sentence| writeln!(f, "{sentence}"))?;
        match self.connections.is_empty() {
            true => Ok(()),
            false => write!(f, "what crossed:\n{}", self.transcript()),
        }
    }
}

/// A mock that plays.
struct MockRun {
    connections: Vec<MockConnection>,
    options: SessionOptions,
    control: Arc<MockControl>,
    observers: Vec<Arc<dyn Observer>>,
    /// Whether each request takes the next transcript, also on a connection that is kept.
    takes_turns: bool,
    /// How many connections of the transcripts were begun.
    begun: AtomicUsize,
    /// The address of a started mock, to wake its thread in `accept`.
    address: Option<SocketAddr>,
}

impl MockRun {
    fn new(mock: Mock) -> MockRun {
        let Mock { connections, pages, options, control, observers } = mock;
        let begun = AtomicUsize::new(0);
        let takes_turns = options.may_keep
            && pages > 1
            && connections.iter().all(MockConnection::begins_with_client);
        let address = None;
        MockRun { connections, options, control, observers, takes_turns, begun, address }
    }

    /// Ends each wait of a started mock.
    fn stop(&self) {
        self.control.stop(Duration::ZERO);
        // The thread in `accept` sees it at the next connection. If it has ended, none is accepted.
        let address = self.address.as_ref();
        drop(address.map(|address| TcpStream::connect_timeout(address, WAKE_TIMEOUT)));
    }

    fn accept(
        self: &Arc<MockRun>,
        listeners: Vec<TcpListener>,
        report: impl Fn(MockEvent) + Clone + Send + 'static,
    ) -> io::Result<MockVerdict> {
        let (loops, timeout) = (self.options.may_keep, self.options.timeout);
        let wanted = if loops { usize::MAX } else { self.connections.len() };
        let (accepted, streams) = mpsc::sync_channel(0);
        let mut acceptors = Vec::new();
        for listener in listeners {
            let (accepted, run) = (accepted.clone(), Arc::clone(self));
            // The thread owns the listener, so the port is closed after the last connection.
            let accept = move || {
                for _ in 0..wanted {
                    let next = loop {
                        match listener.accept() {
                            Ok(next) => break next,
                            // The connection was reset already, or no descriptor is free.
                            Err(_) => thread::sleep(ACCEPT_RETRY_DELAY),
                        }
                    };
                    if run.control.is_stopping() || accepted.send(next).is_err() {
                        return;
                    }
                }
            };
            acceptors.push(thread::Builder::new().name("accept".into()).spawn(accept)?);
        }
        drop(accepted);
        let mut sessions: Vec<JoinHandle<()>> = Vec::new();
        let mut count = 0;
        while count < wanted {
            let next = loop {
                match streams.recv_timeout(timeout) {
                    // A client may open its next connection when the one before is finished.
                    Err(RecvTimeoutError::Timeout)
                        if loops || sessions.iter().any(|session| !session.is_finished()) => {}
                    next => break next,
                }
            };
            let Ok((stream, peer)) = next else {
                if !self.control.is_stopping() {
                    let due = self.connections.len();
                    let due = counted(due, "connection was", "connections were");
                    let missing = format!("{count} of {due} opened, then none for {timeout:?}");
                    report(MockEvent::Missing(missing));
                    self.control.raise(MockVerdict::TimedOut);
                }
                break;
            };
            count += 1;
            let stream = Arc::new(stream);
            self.control.opened(&stream);
            let (run, report) = (Arc::clone(self), report.clone());
            let identity = Identity { number: count as u64, peer };
            let index = match self.takes_turns {
                true => 0, // not known yet
                false => self.begun.fetch_add(1, Ordering::SeqCst),
            };
            let play = move || run.play_connection(&stream, identity, index, &report);
            sessions.push(thread::Builder::new().name("session".into()).spawn(play)?);
            if loops {
                // There may be many.
                let (over, open) = sessions.into_iter().partition(JoinHandle::is_finished);
                self.join(over);
                sessions = open;
            }
        }
        self.join(sessions);
        if self.address.is_some() {
            drop(streams);
            self.stop();
            self.join(acceptors);
        }
        Ok(self.control.verdict())
    }

    fn join(&self, threads: Vec<JoinHandle<()>>) {
        for thread in threads {
            if thread.join().is_err() {
                self.control.raise(MockVerdict::Different); // the panic was printed on stderr
            }
        }
    }

    /// Plays the connection of the transcript with this index, and again for each further request if it
    /// is kept. Reports how each ended.
    fn play_connection(
        &self,
        stream: &TcpStream,
        client: Identity,
        mut index: usize,
        report: &impl Fn(MockEvent),
    ) {
        let log = Arc::new(CrossedLog::default());
        let mut observers = self.observers.clone();
        observers.push(Arc::clone(&log) as Arc<dyn Observer>);
        let tap = Tapped::new(stream, client, &observers);
        let mut socket = Some(MockSocket { stream, tap, stopping: &self.control.stopping });
        let connection = usize::try_from(client.number).unwrap_or(usize::MAX);
        if self.takes_turns {
            // A connection on which nothing is sent takes no turn.
            let has_request = socket
                .as_mut()
                .is_some_and(|open| session::has_next_request(open, self.options.timeout));
            if !has_request {
                drop(socket);
                return report(MockEvent::Played(MockedConnection {
                    connection,
                    name: format!("connection {connection}"),
                    verdict: MockVerdict::AsWritten,
                    differences: Vec::new(),
                    is_unused: true,
                    crossed: log.take(),
                }));
            }
            index = self.begun.fetch_add(1, Ordering::SeqCst);
        }
        for round in 1_u64.. {
            let script = &self.connections[index % self.connections.len()];
            let Some(open) = &mut socket else { return };
            let outcome = session::play(open, script, &self.options);
            let MockOutcome { differences, timed_out, is_unused, is_kept } = outcome;
            if !is_kept {
                socket = None; // the tap sees the end
            }
            let is_unused = is_unused && self.options.may_keep;
            let verdict = match (differences.is_empty(), timed_out.is_none()) {
                _ if is_unused => MockVerdict::AsWritten,
                (true, true) => MockVerdict::AsWritten,
                (true, false) => MockVerdict::TimedOut,
                (false, _) => MockVerdict::Different,
            };
            self.control.raise(verdict);
            let timed_out = timed_out.map(MockDifference::new);
            report(MockEvent::Played(MockedConnection {
                connection,
                name: self.name(script, index, round),
                verdict,
                differences: match is_unused {
                    true => Vec::new(),
                    false => differences.into_iter().chain(timed_out).collect(),
                },
                is_unused,
                crossed: log.take(),
            }));
            let Some(open) = &mut socket else { return };
            if !session::has_next_request(open, self.options.timeout) {
                return;
            }
            if self.takes_turns {
                index = self.begun.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// What a report calls a connection that was played.
    fn name(&self, script: &MockConnection, index: usize, round: u64) -> String {
        let page = if script.page.is_empty() { "" } else { " " };
        let mut name = format!("{}{page}@{}", script.page, script.number);
        if index >= self.connections.len() && (round == 1 || self.takes_turns) {
            name += &format!(" as connection {}", index + 1);
        }
        if round > 1 && !self.takes_turns {
            name += ", again";
        }
        name
    }
}

/// Keeps what crosses one connection.
struct CrossedLog(Mutex<(Crossed, bool)>);

impl Default for CrossedLog {
    fn default() -> CrossedLog {
        CrossedLog(Mutex::new((Crossed::new(1), false)))
    }
}

impl CrossedLog {
    /// What has crossed since the last call.
    fn take(&self) -> Transcript {
        let (crossed, _) = &mut *lock(&self.0);
        mem::replace(crossed, Crossed::new(1)).transcript()
    }
}

impl Observer for CrossedLog {
    fn received(&self, _: u64, bytes: &[u8]) {
        lock(&self.0).0.bytes(Side::Client, bytes, Instant::now());
    }

    fn sent(&self, _: u64, bytes: &[u8]) {
        lock(&self.0).0.bytes(Side::Server, bytes, Instant::now());
    }

    fn ended(&self, _: u64, end: End) {
        let (crossed, server_ended) = &mut *lock(&self.0);
        crossed.event(end_event(end, *server_ended));
        *server_ended |= end.side() == Side::Server;
    }
}
