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
//! use openkitchen::Mock;
//!
//! let page = ">>>\nGET /menu HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 204 No Content\n\n--- server closed\n";
//! let mock = Mock::parse(page)?.start()?;
//! # fn client_under_test(mock: &openkitchen::StartedMock) -> std::io::Result<String> {
//! #     let mut client = TcpStream::connect(mock.address())?;
//! #     client.write_all(b"GET /menu HTTP/1.1\r\nAccept: */*\r\nHost: h\r\n\r\n")?;
//! #     let mut response = String::new();
//! #     client.read_to_string(&mut response)?;
//! #     Ok(response)
//! # }
//! assert_eq!(client_under_test(&mock)?, "HTTP/1.1 204 No Content\r\n\r\n");
//!
//! let played = mock.finish();
//! assert!(played.passed(), "{played}");
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
//! compared; [`Mock::ignoring`] adds names. With [`Mock::exact`], the host must be that of the page, and
//! no name is added. If the empty line below a request is missing and the response follows at once, the
//! page has a note, and the request is compared as a whole one. A client that sends the very bytes is
//! answered too, since the page may be meant so. A line such as `--- silent 1s` between the two says it.
//!
//! Each connection is played by a thread of its own: the first that is accepted as the first in the
//! transcript, and so on. It is closed at once after its last step. A mock that loops keeps it, if
//! HTTP does, and the next request on it plays it again: clients that pool their connections need
//! no `Connection: close` in the page. [`Answers`](answers::Answers) are for a server with
//! handlers, where only the responses are data. Left out: the order between two connections.  Next:
//! `watch`.

pub mod answers;
mod connection;
mod control;
mod differ;
mod notes;
mod report;
mod run;
mod session;

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::connect::MAX_TIMEOUT;
use super::script;
use crate::message::dialogue::Side;
use crate::net::observer::Observer;
use crate::net::start_error::StartError;
use crate::sys::Listener;
use crate::transcript::{Prose, Transcript};
use connection::MockConnection;
use differ::RequestRules;
use run::{MockRun, MockSetup};
use session::SessionOptions;

pub use control::MockControl;
pub use differ::MockDifference;
pub use report::{MockEvent, MockReport, MockVerdict, MockedConnection};
pub use run::StartedMock;

/// The longest wait for the client, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A server that plays the server's side of a transcript, for a test of a client.
///
/// It answers as soon as a request is whole. What the page has of the request decides what is reported as
/// a difference: with no `>>>` and no `???` above the response, the request may be any; with assertions
/// (`???`), they must be true; with a request (`>>>`), its request line, its field lines and its content
/// must be there, whatever fields the client adds: see [`Mock::exact`] and [`Mock::ignoring`].
///
/// ```
/// use openkitchen::{Client, Mock};
///
/// let page = ">>>\nGET /menu HTTP/1.1\n\n<<<\nHTTP/1.1 200 OK\nContent-Length: 100\n\nonly this\\\n\
///             --- server closed\n";
/// let mock = Mock::parse(page)?.start()?;
///
/// let mut client = Client::connect(mock.address())?; // yours, in your test
/// client.send("GET /menu HTTP/1.1\r\nHost: h\r\n\r\n")?;
/// assert!(client.response().is_err(), "91 bytes are missing");
///
/// let played = mock.finish();
/// assert!(played.passed(), "{played}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// Each connection of the page is played once, the next one that is accepted as the next one in the page;
/// [`Mock::looping`] plays it again and again. The timeout is five seconds: see [`Mock::timeout`].
pub struct Mock(MockSetup);

impl Mock {
    /// Parses a transcript, and makes a mock of its server.
    ///
    /// # Errors
    /// A sentence with the line: it is no transcript, or it leaves out bytes that the server sends. Or as
    /// [`Mock::of`].
    pub fn parse(text: &str) -> Result<Mock, StartError> {
        Mock::of(&script::parse(text, Side::Server).map_err(StartError::unplayable)?)
    }

    /// A mock of this transcript's server.
    ///
    /// # Errors
    /// A sentence: the transcript leaves out bytes that the server sends, or it has no connection to play.
    pub fn of(transcript: &Transcript) -> Result<Mock, StartError> {
        script::sendable(transcript, Side::Server).map_err(StartError::unplayable)?;
        let connections = MockConnection::all(&transcript.items);
        if connections.is_empty() {
            let nothing = "line 1: expected a connection to play, such as >>> or <<<";
            return Err(StartError::unplayable(nothing.into()));
        }
        let rules = RequestRules::default();
        let options = SessionOptions { timeout: TIMEOUT, may_keep: false, rules };
        let (control, observers) = (Arc::default(), Vec::new());
        Ok(Mock(MockSetup { connections, pages: 1, options, control, observers }))
    }

    /// Starts on a free port of 127.0.0.1, in threads of its own. It accepts when this returns.
    ///
    /// ```
    /// use openkitchen::{Client, Mock};
    ///
    /// // No `>>>`: any request is answered, and then the connection is reset.
    /// let mock = Mock::parse("<<<\nHTTP/1.1 200 OK\n--- server reset\n")?.start()?;
    /// let mut client = Client::connect(mock.address())?;
    /// client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// assert!(client.response().is_err());
    /// assert_eq!(mock.finish().received(), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// A sentence: no port is free, or a thread cannot be created.
    pub fn start(self) -> Result<StartedMock, StartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|error| StartError::new("cannot start the mock", error))?;
        StartedMock::new(self.0, listener.into())
    }

    /// Gives the transcript a name, for the reports.
    pub fn named(mut self, name: &str) -> Mock {
        let name = Prose::new(name).as_str().to_owned();
        self.0.connections.iter_mut().for_each(|connection| connection.page.clone_from(&name));
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
    /// let mock = busy.then(done).looping().start()?;
    /// let mut client = Client::connect(mock.address())?;
    /// for status in [503, 204, 503] {
    ///     client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    ///     assert_eq!(client.response()?.status, status);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn then(mut self, next: Mock) -> Mock {
        self.0.connections.extend(next.0.connections);
        self.0.pages += next.0.pages;
        self
    }

    /// Plays again for each new connection, and for the next request on a connection that HTTP keeps
    /// open, without end. A connection on which a client sends nothing is no difference: some open one
    /// more than they use.
    pub fn looping(mut self) -> Mock {
        self.0.options.may_keep = true;
        self
    }

    /// Sets the longest wait for the client: to connect, to begin a request, to send all of it, to read a
    /// block. It is five seconds if not set, and a year at most.
    ///
    /// ```
    /// use std::time::Duration;
    /// use openkitchen::{Mock, MockVerdict};
    ///
    /// let mock = Mock::parse("--- server closed\n")?.timeout(Duration::from_millis(20)).start()?;
    /// assert_eq!(mock.finish().verdict(), MockVerdict::TimedOut); // no client has connected
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Mock {
        self.0.options.timeout = timeout.min(MAX_TIMEOUT);
        self
    }

    /// Does not compare fields with this name, such as one with a date.
    ///
    /// ```
    /// use openkitchen::{Client, Mock};
    ///
    /// let page = ">>>\nGET / HTTP/1.1\nX-Request-Id: 1\n\n<<<\nHTTP/1.1 204 No Content\n\n";
    /// let mock = Mock::parse(page)?.ignoring("X-Request-Id").start()?;
    /// let mut client = Client::connect(mock.address())?;
    /// client.send("GET / HTTP/1.1\r\nX-Request-Id: 2\r\n\r\n")?;
    /// client.response()?;
    /// assert!(mock.finish().passed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ignoring(mut self, field: &str) -> Mock {
        self.0.options.rules.ignored.push(field.to_ascii_lowercase());
        self
    }

    /// Compares each byte of the requests, but for the port in `Host` and the line `User-Agent`: each head
    /// must have the lines of the transcript in this order, and no others. [`Mock::ignoring`] has no effect
    /// then.
    ///
    /// ```
    /// use openkitchen::{Client, Mock};
    ///
    /// let page = ">>>\nGET / HTTP/1.1\nHost: h\n\n<<<\nHTTP/1.1 204 No Content\n\n";
    /// let mock = Mock::parse(page)?.exact().start()?;
    /// let mut client = Client::connect(mock.address())?;
    /// client.send("GET / HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")?;
    /// client.response()?;
    /// assert!(!mock.finish().passed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exact(mut self) -> Mock {
        self.0.options.rules.is_exact = true;
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
    /// let mock = Mock::parse("<<<\nHTTP/1.1 204 No Content\n\n")?.observed_by(follower).start()?;
    /// # let mut client = openkitchen::Client::connect(mock.address())?;
    /// # client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// // ... the client under test sends a request ...
    /// mock.finish();
    /// assert_eq!(exchanges.all()[0].status, Some(204));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Mock {
        self.0.observers.push(observer);
        self
    }
}

/// For a program that plays a mock on a listener of its own, and reports while it plays.
impl Mock {
    /// Plays the transcript on this thread. It accepts as many connections as the transcript has, or any
    /// number if it loops, and plays each in a thread of its own. Each connection that is over is reported.
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
        listener: impl Into<Listener>,
        report: impl Fn(MockEvent) + Clone + Send + 'static,
    ) -> Result<MockVerdict, StartError> {
        self.play_on(vec![listener.into()], report)
    }

    /// Plays the transcript on several listeners: the connections are those of all of them. When the
    /// transcript is played, a listener on which no more connection arrives stays open.
    ///
    /// # Errors
    /// See [`Mock::play`].
    #[doc(hidden)]
    pub fn play_on(
        self,
        listeners: Vec<Listener>,
        report: impl Fn(MockEvent) + Clone + Send + 'static,
    ) -> Result<MockVerdict, StartError> {
        Arc::new(MockRun::new(self.0))
            .accept(listeners, report)
            .map_err(|error| StartError::new("cannot create a thread for a connection", error))
    }

    /// The verdict so far, and the stop, for another thread.
    #[doc(hidden)]
    pub fn control(&self) -> Arc<MockControl> {
        Arc::clone(&self.0.control)
    }
}
