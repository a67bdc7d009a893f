//! # A client for tests: it sends any bytes, and reads whole responses
//!
//! Tests of a server write `read`, and get half a response, or wait for ever on a connection that is
//! kept. This client knows where a response ends, and no wait of it is without a deadline.
//!
//! ```
//! # use openkitchen::{Request, Response, Routes, Server, get, routes};
//! use openkitchen::Client;
//! # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
//! # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
//!
//! let mut client = Client::connect(server.address())?;
//! client.send("GET / HTT")?; // each call is one write
//! client.send("P/1.1\r\nHost: h\r\n\r\n")?;
//! let response = client.response()?;
//! assert_eq!((response.status, &*response.text()), (200, "Welcome!"));
//!
//! client.send("GET / HTTP/1.1\r\nHost : h\r\n\r\n")?; // the same connection
//! assert_eq!(client.response()?.status, 400);
//! assert_eq!(client.read_to_end()?, b""); // the server closes it after a malformed request
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! An error has what crossed until then, and a test that unwraps it prints that:
//!
//! ```text
//! no whole response in 5s; until then:
//! >>> 27 bytes, +0.04 ms
//! GET / HTTP/1.1
//! Host: h
//!
//! <<< 41 bytes, +0.2 ms
//! HTTP/1.1 200 OK
//! Content-Length: 5
//!
//! he\
//! ```
//! Bounds: it takes 16 MiB of a server, and keeps the first MiB for errors, which print the last 64 KiB
//! of that.  Next: `crossed`.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::clients::{ClientConnection, ClientEvent, ClientEventKind, Clients};
use super::connect::{self, MAX_TIMEOUT};
use super::crossed::{Crossed, shown};
use crate::message::counted::counted;
use crate::message::responses::ResponseCollector;
use crate::message::visible::Visible;
use crate::transcript::{EventKind, Side, Transcript};

pub use super::clients::Ended;
pub use crate::message::responses::ReceivedResponse;

/// Bytes of the server that are taken. With more, each call is an error.
const MAX_RECEIVED_BYTES: usize = 16 * 1024 * 1024;

/// The longest time for a call, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Events that may wait to be taken.
const MAX_QUEUED_EVENTS: usize = 16;

/// The connection has this number.
const NUMBER: u32 = 1;

/// One connection to a server, for a test: it sends any bytes, and reads whole responses. It is closed
/// when it is dropped.
///
/// ```
/// # use openkitchen::{Request, Response, Routes, Server, get, routes};
/// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
/// # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
/// use openkitchen::Client;
///
/// let mut client = Client::connect(server.address())?;
/// client.send("GET / HTTP/1.1\r\nHo")?; // no HTTP library sends it so
/// client.send("st: h\r\n\r\n")?;
/// let response = client.response()?;
/// assert_eq!((response.status, response.text().as_ref()), (200, "Welcome!"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Client {
    clients: Clients<ResponseCollector>,
    timeout: Duration,
    crossed: Crossed,
    /// How many final and interim responses were returned.
    finals: usize,
    interims: usize,
    /// The end of the bytes that were returned.
    taken: usize,
}

/// Why a call of a [`Client`] failed, and what had crossed until then. Both are printed.
pub struct ClientError {
    /// Why, in a sentence.
    pub why: String,
    /// What had crossed.
    pub transcript: Transcript,
}

impl Client {
    /// Connects to a server. Each call may take five seconds: see [`Client::timeout`].
    ///
    /// # Errors
    /// No connection.
    pub fn connect(address: impl ToSocketAddrs) -> Result<Client, ClientError> {
        let failed = |why: String| ClientError { why, transcript: Transcript::default() };
        let addresses: Vec<SocketAddr> =
            address.to_socket_addrs().map_err(|error| failed(no_address(&error)))?.collect();
        let listed = connect::listed(&addresses);
        let mut clients = Clients::new(addresses, TIMEOUT, MAX_QUEUED_EVENTS);
        let opened = clients.open(NUMBER).map(|_| ()).map_err(|error: io::Error| {
            failed(format!("cannot connect to {listed}: {}", connect::why(&error)))
        });
        let (crossed, timeout) = (Crossed::new(NUMBER), TIMEOUT);
        opened.map(|()| Client { clients, timeout, crossed, finals: 0, interims: 0, taken: 0 })
    }

    /// Sets the longest time for each call, a year at most.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # use std::time::Duration;
    /// use openkitchen::Client;
    /// let silent = TcpListener::bind("127.0.0.1:0")?;
    /// let client = Client::connect(silent.local_addr()?)?;
    /// let error = client.timeout(Duration::from_millis(20)).response().unwrap_err();
    /// assert_eq!(error.to_string(), "no whole response in 20ms; no byte has crossed");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeout(self, timeout: Duration) -> Client {
        Client { timeout: timeout.min(MAX_TIMEOUT), ..self }
    }

    /// Sends these bytes, in one write if the system takes them at once.
    ///
    /// # Errors
    /// The server does not take them all: it has closed, or it does not read. A server that refuses a
    /// request early does the first, and its response can be read all the same.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), ClientError> {
        let (bytes, deadline) = (bytes.as_ref(), Instant::now() + self.timeout);
        let mut rest = bytes;
        while !rest.is_empty() {
            // The clock is read before the write: a near server may respond before it returns.
            let at = Instant::now();
            match self.connection().and_then(|it| it.write(rest)) {
                Some(0) => break,
                None if Instant::now() >= deadline => break,
                // The server may read on only when its own bytes are taken.
                None => while self.take_event(at) {},
                Some(length) => {
                    let (sent, left) = rest.split_at(length);
                    rest = left;
                    self.crossed.bytes(Side::Client, sent, at);
                    if let Some(connection) = self.connection() {
                        connection.state.sent(sent);
                    }
                }
            }
        }
        let left = rest.len();
        if left == 0 {
            return Ok(());
        }
        // The server may have said why it reads no more.
        while self.take_event(Instant::now()) {}
        let all = counted(bytes.len(), "byte was", "bytes were");
        let why = self.why_closed().unwrap_or("the server does not read them");
        Err(self.error(format!("{left} of {all} not sent: {why}")))
    }

    /// Why this side can send no more, if it is known.
    fn why_closed(&mut self) -> Option<&'static str> {
        let connection = self.connection()?;
        match connection.ended {
            _ if connection.is_closed => Some(CLIENT_RESET),
            Ended::Reset => Some("the server has reset the connection"),
            _ if connection.is_write_closed => Some("the client has closed its side"),
            Ended::Closed => Some("the server has closed the connection"),
            Ended::Open => None,
        }
    }

    /// Closes this side of the connection: the server reads its end, and can still respond.
    ///
    /// ```
    /// # use openkitchen::{Client, Request, Response, Routes, Server, get, routes};
    /// # use openkitchen::play::client::Ended;
    /// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::text("Welcome!"))]);
    /// # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
    /// let mut client = Client::connect(server.address())?;
    /// client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// client.half_close();
    /// assert_eq!(client.response()?.status, 200);
    /// assert_eq!(client.read_to_end()?, b"");
    /// assert_eq!(client.ended(), Ended::Closed);
    /// assert!(client.received().ends_with(b"\r\n\r\nWelcome!"));
    /// assert!(client.transcript().to_string().ends_with("--- server closed\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn half_close(&mut self) {
        if let Some(connection) = self.connection().filter(|it| !it.is_write_closed) {
            connection.half_close();
            self.crossed.event(EventKind::HalfClose(Side::Client));
        }
    }

    /// Resets the connection (RST): the server's next read or write fails. What was sent before arrives
    /// first. Where the system cannot reset, it is closed.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # use std::io::{ErrorKind, Read};
    /// use openkitchen::Client;
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = Client::connect(listener.local_addr()?)?;
    /// client.send("GET")?;
    /// client.reset();
    /// let (mut server, _) = listener.accept()?;
    /// # if cfg!(unix) {
    /// let error = server.read_to_end(&mut Vec::new()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reset(&mut self) {
        while self.take_event(Instant::now()) {}
        if self.connection().is_some_and(|it| !it.is_closed) {
            self.clients.reset(NUMBER);
            self.crossed.event(EventKind::Reset(Side::Client));
        }
    }

    /// Reads exactly one response: the next one that is no interim one (1xx). Its end is found as
    /// RFC 9112 section 6.3 says: by the request's method, by its status, its length, its chunks, or
    /// the end of the connection.
    ///
    /// # Errors
    /// The response is not whole when the time is over or the connection ends; or the bytes are no
    /// HTTP.
    pub fn response(&mut self) -> Result<ReceivedResponse, ClientError> {
        let at = self.finals;
        let response =
            self.next(RESPONSE, |responses| responses.finals().get(at).or(responses.incomplete()))?;
        self.finals += 1;
        self.taken = response.span.end;
        Ok(response)
    }

    /// Reads the next interim response, such as `100 Continue`. [`Client::response`] passes over them.
    ///
    /// ```
    /// # use openkitchen::{Request, Response, Routes, Server, post, routes};
    /// # use openkitchen::Client;
    /// # static ROUTES: Routes = routes(&[post("/", |request: &Request| {
    /// #     Response::bytes("text/plain", request.content().to_vec())
    /// # })]);
    /// # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
    /// let mut client = Client::connect(server.address())?;
    /// client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")?;
    /// assert_eq!(client.interim_response()?.status, 100);
    /// client.send("hi")?;
    /// assert_eq!(client.response()?.content, b"hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Client::response`]; or a final response came first.
    pub fn interim_response(&mut self) -> Result<ReceivedResponse, ClientError> {
        let (at, finals) = (self.interims, self.finals);
        let response = self.next("interim response", |responses| {
            let next = responses.interims().get(at).or(responses.finals().get(finals));
            next.or(responses.incomplete())
        })?;
        if is_final(&response) {
            return Err(self.error(format!("a final response came first: {}", response.status)));
        }
        self.interims += 1;
        self.taken = response.span.end;
        Ok(response)
    }

    /// Reads until the server closes the connection. Returns the bytes after the last response that
    /// was returned.
    ///
    /// ```
    /// # use openkitchen::{Request, Response, Routes, Server, get, routes};
    /// # use openkitchen::Client;
    /// # static ROUTES: Routes = routes(&[get("/", |_: &Request| Response::raw(b"SSH-2.0-x\r\n"))]);
    /// # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
    /// let mut client = Client::connect(server.address())?;
    /// client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
    /// assert_eq!(client.read_to_end()?, b"SSH-2.0-x\r\n"); // no HTTP, and all the bytes
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The server resets the connection, or does not close it in time.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, ClientError> {
        let deadline = Instant::now() + self.timeout;
        while self.take_event(deadline) {}
        let is_reset = self.connection().is_some_and(|it| it.is_closed);
        match self.ended() {
            _ if self.is_full() => Err(self.error(too_much())),
            _ if is_reset => Err(self.error(CLIENT_RESET.into())),
            Ended::Closed => {
                let taken = self.taken;
                let rest = self.received()[taken..].to_vec();
                self.taken += rest.len();
                Ok(rest)
            }
            Ended::Reset => Err(self.error("the server reset the connection".into())),
            Ended::Open => {
                let time = self.timeout;
                Err(self.error(format!("the server did not close the connection in {time:?}")))
            }
        }
    }

    /// Asserts that the server is quiet: that it sends nothing for this time, and keeps the connection.
    ///
    /// ```
    /// # use openkitchen::{Client, Mock};
    /// # use std::time::Duration;
    /// let mock = Mock::parse("--- silent 10s\n")?.start()?;
    /// let mut client = Client::connect(mock.address())?;
    /// client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")?;
    /// client.quiet_for(Duration::from_millis(50))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Bytes after the last response that was returned, or the end of the connection.
    pub fn quiet_for(&mut self, time: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + time.min(MAX_TIMEOUT);
        let is_quiet = |client: &mut Client| client.received().len() == client.taken;
        while is_quiet(self) && self.take_event(deadline) {}
        match self.ended() {
            _ if !is_quiet(self) => Err(self.error("the server has sent more".into())),
            Ended::Open => Ok(()),
            Ended::Closed => Err(self.error("the server has closed the connection".into())),
            Ended::Reset => Err(self.error("the server has reset the connection".into())),
        }
    }

    /// Whether and how the server has ended the connection, as far as it was read.
    pub fn ended(&mut self) -> Ended {
        self.connection().map_or(Ended::Closed, |connection| connection.ended)
    }

    /// All bytes of the server that were read, responses included: see [`Client::half_close`].
    pub fn received(&mut self) -> &[u8] {
        self.connection().map_or(&[], |connection| connection.state.bytes())
    }

    /// What has crossed until now, as far as it was read: see [`Client::half_close`].
    pub fn transcript(&self) -> Transcript {
        self.crossed.transcript()
    }

    fn connection(&mut self) -> Option<&mut ClientConnection<ResponseCollector>> {
        self.clients.get_mut(NUMBER)
    }

    fn is_full(&mut self) -> bool {
        self.received().len() >= MAX_RECEIVED_BYTES
    }

    /// Reads until `find` finds a whole response.
    fn next(
        &mut self,
        what: &str,
        find: impl Fn(&ResponseCollector) -> Option<&ReceivedResponse>,
    ) -> Result<ReceivedResponse, ClientError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let Some(connection) = self.connection() else {
                return Err(self.error("the connection is closed".into()));
            };
            let state = &connection.state;
            let found = find(state);
            // A final response ends the wait for an interim one with its head.
            let is_enough =
                |it: &&ReceivedResponse| it.is_whole || (is_final(it) && what != RESPONSE);
            if let Some(whole) = found.filter(is_enough) {
                return Ok(whole.clone());
            }
            let part = if found.is_some() { "within" } else { "before" };
            let why = match (state.fault(), state.beyond(), connection.ended) {
                (Some(fault), ..) => {
                    let rest = &state.bytes()[fault.at..];
                    let rest = Visible(&rest[..rest.len().min(SHOWN_BYTES)]);
                    Some(format!("byte {} breaks a rule: {}: {rest}", fault.at, fault.rule))
                }
                (_, Some(what), _) => {
                    Some(format!("the server sent more than is followed here: {what}"))
                }
                _ if connection.is_closed => Some(CLIENT_RESET.into()),
                (.., Ended::Closed) => {
                    Some(format!("the server closed the connection {part} the {what}"))
                }
                (.., Ended::Reset) => {
                    Some(format!("the server reset the connection {part} the {what}"))
                }
                (.., Ended::Open) => self.is_full().then(too_much),
            };
            if let Some(why) = why {
                return Err(self.error(why));
            }
            if !self.take_event(deadline) {
                let time = self.timeout;
                return Err(self.error(format!("no whole {what} in {time:?}")));
            }
        }
    }

    /// Takes the next event. Returns false if there is none before the deadline, or none any more.
    fn take_event(&mut self, deadline: Instant) -> bool {
        let is_open = self.connection().is_some_and(|it| it.is_open());
        if !is_open || self.is_full() {
            return false;
        }
        let Some(ClientEvent { at, kind, .. }) = self.clients.next(Some(deadline)) else {
            return false;
        };
        match kind {
            ClientEventKind::Bytes(bytes) => self.crossed.bytes(Side::Server, &bytes, at),
            ClientEventKind::End => self.crossed.event(EventKind::Closed(Side::Server)),
            ClientEventKind::Reset => self.crossed.event(EventKind::Reset(Side::Server)),
        }
        true
    }

    fn error(&self, why: String) -> ClientError {
        ClientError { why, transcript: self.transcript() }
    }
}

/// What [`Client::next`] waits for, if it is no interim response.
const RESPONSE: &str = "response";

const CLIENT_RESET: &str = "the client has reset the connection";

/// Whether no other response to the same request follows.
fn is_final(response: &ReceivedResponse) -> bool {
    !matches!(response.status, 100..=199) || response.status == 101
}

fn no_address(error: &io::Error) -> String {
    format!("this is no address to connect to, such as 127.0.0.1:5000 (a URL is none): {error}")
}

/// Bytes that are shown after a fault.
const SHOWN_BYTES: usize = 40;

fn too_much() -> String {
    "the server sent 16 MiB or more".into()
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.transcript.items.is_empty() {
            true => write!(f, "{}; no byte has crossed", self.why),
            false => write!(f, "{}; until then:\n{}", self.why, shown(&self.transcript)),
        }
    }
}

impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Error for ClientError {}
