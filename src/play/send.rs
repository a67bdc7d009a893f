//! # Send: plays the client's side of a transcript, or of bytes as they are typed
//!
//! Silence ends each wait, so a server that responds in another way does not stop the player. What
//! crosses is printed as a transcript.
//!
//! ```
//! # use openkitchen::{Request, Response, Routes, Server, get, routes};
//! use openkitchen::Transcript;
//! use openkitchen::play::send::{SendOptions, SendOutcome, SendPlayer};
//! # static ROUTES: Routes = routes(&[get("/", home)]);
//! # fn home(_: &Request) -> Response { Response::text("Welcome!") }
//! # let server = Server::bind("127.0.0.1:0")?.start(&ROUTES, ())?;
//!
//! let page = Transcript::parse(">>>\nGET / HTTP/1.1\nHost: h\nConnection: close\n\n")?;
//! let mut printed = Vec::new();
//! let mut player =
//!     SendPlayer::new(vec![server.address()], SendOptions::default(), &mut printed);
//! player.play(&page)?;
//! assert_eq!(player.finish(), SendOutcome::Answered);
//! assert!(String::from_utf8(printed)?.ends_with("Welcome!\\\n--- server closed\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! Next: `check`.

mod output;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, channel};
use std::time::{Duration, Instant};

use self::output::Output;
pub use self::output::SendViewer;
use super::clients::{ClientConnection, ClientEvent, ClientEventKind, Clients, EventSource};
use super::connect;
use super::turns::{Step, ToReceive, Turns};
use crate::message::counted::counted;
use crate::message::dialogue::{Dialogue, Progress};
use crate::sys;
use crate::transcript::{EventKind, Item, Millis, Side, Transcript};

/// The pause after each byte, where the bytes are sent slowly: long enough that the server reads each
/// byte alone, short enough that a head arrives before a server's timeout.
const SLOW_PAUSE: Duration = Duration::from_millis(5);

/// Events that may wait to be printed. If the queue is full, the reader threads wait, and with them
/// the server.
const MAX_QUEUED_EVENTS: usize = 16;

/// Bytes of one read of stdin at most.
const STDIN_BYTES: usize = 64 * 1024;

/// How the bytes are sent.
#[derive(Clone, Copy, Debug)]
pub struct SendOptions {
    /// Send byte by byte.
    pub slow: bool,
    /// Half-close the connection after the last byte.
    pub half_close: bool,
    /// The silence that ends a wait.
    pub timeout: Duration,
    /// The time after which the player stops, whatever is left.
    pub time: Option<Duration>,
    /// The bytes received after which the player stops.
    pub max_received: u64,
}

impl Default for SendOptions {
    /// At once, and with two seconds of silence.
    fn default() -> SendOptions {
        let (timeout, max_received) = (Duration::from_secs(2), u64::MAX);
        SendOptions { slow: false, half_close: false, timeout, time: None, max_received }
    }
}

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// A complete final response was received, or one with more than is followed here.
    Answered,
    /// No complete response, and a connection is still open.
    Silent,
    /// No complete response, and all connections are closed.
    Closed,
}

/// Plays the client, and tells a viewer what crosses.
pub struct SendPlayer<V> {
    /// The addresses of the server, for an error.
    address: String,
    options: SendOptions,
    /// When the player stops.
    until: Option<Instant>,
    /// Bytes received on all connections.
    received: u64,
    output: V,
    /// Each with what has crossed it.
    clients: Clients<Dialogue>,
    /// The connections on which the client is still to send.
    unsent: BTreeSet<u32>,
    /// When bytes last crossed, on any connection.
    last: Instant,
    /// The event of stdin that was taken from the queue last.
    stdin: Option<ClientEventKind>,
}

/// A connection, with what has crossed it.
type FollowedConnection = ClientConnection<Dialogue>;

impl<W: Write> SendPlayer<Output<W>> {
    /// A player that prints what crosses, without a connection: the first step on a connection opens it.
    pub fn new(addresses: Vec<SocketAddr>, options: SendOptions, out: W) -> Self {
        SendPlayer::telling(addresses, options, Output::new(out))
    }
}

impl<V: SendViewer> SendPlayer<V> {
    /// A player that tells this viewer what crosses.
    pub fn telling(addresses: Vec<SocketAddr>, options: SendOptions, viewer: V) -> SendPlayer<V> {
        SendPlayer {
            address: connect::listed(&addresses),
            options,
            until: options.time.map(|time| Instant::now() + time),
            received: 0,
            output: viewer,
            clients: Clients::new(addresses, options.timeout, MAX_QUEUED_EVENTS),
            unsent: BTreeSet::new(),
            last: Instant::now(),
            stdin: None,
        }
    }

    /// Sends the bytes of stdin, or of another reader, on connection 1, as they are read.
    ///
    /// # Errors
    /// A sentence: no connection, or no thread to read stdin.
    pub fn send_stdin(
        &mut self,
        stdin: impl Read + Send + 'static,
        is_terminal: bool,
    ) -> Result<(), String> {
        self.connection(1)?;
        let (request_read, read_requests) = channel();
        let queue = self.clients.sender();
        sys::spawn("stdin", move || read_stdin(stdin, &queue, &read_requests))
            .map_err(|error| format!("cannot read stdin: {error}"))?;
        loop {
            let _ = request_read.send(()); // fails when the thread has read the end of stdin
            while self.stdin.is_none() && self.connection(1)?.is_open() {
                self.print_next(None);
            }
            let Some(ClientEventKind::Bytes(bytes)) = self.stdin.take() else { break };
            self.unsent.insert(1);
            self.send(1, &if is_terminal { with_crlf(&bytes) } else { bytes })?;
            self.unsent.remove(&1);
        }
        if self.options.half_close {
            self.half_close(1)?;
        }
        Ok(())
    }

    /// Plays the client's side of a transcript.
    ///
    /// # Errors
    /// A sentence: a connection could not be opened.
    pub fn play(&mut self, transcript: &Transcript) -> Result<(), String> {
        let senders = transcript.items.iter().filter_map(|item| match item {
            Item::Block(block) if block.from == Side::Client => Some(block.connection),
            _ => None,
        });
        self.unsent.extend(senders);
        for turn in Turns::new(&transcript.items, Side::Client) {
            if self.is_over() {
                break;
            }
            self.connection(turn.connection)?;
            self.step(turn.connection, turn.step)?;
        }
        Ok(())
    }

    fn step(&mut self, number: u32, step: Step) -> Result<(), String> {
        match step {
            Step::Receive(ToReceive { is_awaited: true, position, .. }) => {
                self.await_position(number, &position);
            }
            // Assertions stand for responses whose bytes are not known.
            Step::Assert { about: Side::Server, .. } => self.await_responses(number),
            Step::Receive(_) | Step::Open | Step::Assert { .. } => {}
            Step::Wait { by: Side::Server, .. } => {}
            Step::Send { bytes, is_last } => {
                self.send(number, &bytes)?;
                if is_last {
                    self.unsent.remove(&number);
                }
                if self.options.half_close && is_last {
                    self.half_close(number)?;
                }
            }
            Step::Wait { time, .. } | Step::Silent { time, .. } => self.print_for(time),
            Step::HalfClose => self.half_close(number)?,
            Step::Close => {
                let connection = self.connection(number)?;
                if !connection.is_closed {
                    connection.close();
                    self.output.event(number, EventKind::Closed(Side::Client));
                }
            }
            Step::Reset => {
                if !self.connection(number)?.is_closed {
                    self.clients.reset(number);
                    self.output.event(number, EventKind::Reset(Side::Client));
                }
            }
            Step::AwaitEnd(_) => self.print_while(number, |_| true),
        }
        Ok(())
    }

    /// Returns the connection with that number, and opens it if it is new.
    fn connection(&mut self, number: u32) -> Result<&mut FollowedConnection, String> {
        let (start, is_new) = (Instant::now(), self.clients.get_mut(number).is_none());
        let connection = self.clients.open(number).map_err(|error| {
            let (address, why) = (&self.address, connect::why(&error));
            let hint = "start the server, or give another address";
            format!("cannot connect to {address}: {why}; {hint}")
        })?;
        if is_new {
            let (server, local) = (connection.peer().ok(), connection.local().ok());
            self.output.opened(number, server, local, start.elapsed());
            self.last = Instant::now();
        }
        Ok(connection)
    }

    /// Sends these bytes. If the server has closed or reads no more, a line of prose says how many
    /// bytes were not sent, and the player goes on.
    fn send(&mut self, number: u32, bytes: &[u8]) -> Result<(), String> {
        self.print_queued(); // bytes that were received before are printed before
        self.last = Instant::now();
        let mut sent = 0;
        while sent < bytes.len() {
            let slow = self.options.slow;
            let next = if slow { &bytes[sent..=sent] } else { &bytes[sent..] };
            // Read the clock before the write: a near server may respond before the write returns.
            let at = Instant::now();
            let connection = self.connection(number)?;
            match connection.write(next) {
                Some(length) if length > 0 => {
                    connection.state.follow(Side::Client, &next[..length]);
                    self.last = at;
                    self.output.sent(number, &next[..length], at);
                    sent += length;
                    if slow {
                        self.print_for(SLOW_PAUSE);
                    }
                }
                None if self.last.elapsed() < self.options.timeout && !self.is_over() => {
                    self.print_queued();
                }
                _ => break,
            }
        }
        self.output.flush();
        if sent < bytes.len() {
            self.connection(number)?.is_write_closed = true;
            let left = bytes.len() - sent;
            let all = counted(bytes.len(), "byte was", "bytes were");
            let why = "the server does not read them";
            self.output.prose(&format!("{left} of {all} not sent: {why}"));
        }
        Ok(())
    }

    /// Whether the player has stopped: its time is over, or it has received too much.
    fn is_over(&self) -> bool {
        self.received >= self.options.max_received
            || self.until.is_some_and(|until| until <= Instant::now())
    }

    fn half_close(&mut self, number: u32) -> Result<(), String> {
        let connection = self.connection(number)?;
        if !connection.is_write_closed {
            connection.half_close();
            self.output.event(number, EventKind::HalfClose(Side::Client));
        }
        Ok(())
    }

    /// Waits until the responses have reached this position of the transcript, or for silence.
    fn await_position(&mut self, number: u32, position: &Progress) {
        self.print_while(number, |dialogue| !dialogue.progress(Side::Server).has_reached(position));
    }

    /// Waits until each request has its final response, or the first one an interim response, or for
    /// silence.
    fn await_responses(&mut self, number: u32) {
        self.print_while(number, |dialogue| {
            let progress = dialogue.progress(Side::Server);
            let has_interim = progress.finals == 0 && progress.has_messages();
            dialogue.unanswered() > 0 && !has_interim
        });
    }

    /// Prints events as long as the connection is open and this is true of it, but not after a silence
    /// of the timeout.
    fn print_while(&mut self, number: u32, is_true: impl Fn(&Dialogue) -> bool) {
        self.print_until_silence(|clients| {
            let connection = clients.get_mut(number).filter(|connection| connection.is_open());
            connection.is_some_and(|connection| is_true(&connection.state))
        });
    }

    fn print_until_silence(&mut self, goes_on: impl Fn(&mut Clients<Dialogue>) -> bool) {
        self.last = Instant::now();
        while goes_on(&mut self.clients) && self.print_next(Some(self.last + self.options.timeout))
        {
        }
    }

    /// Prints the events that have happened.
    fn print_queued(&mut self) {
        self.print_for(Duration::ZERO);
    }

    /// Prints the events of this time.
    fn print_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.print_next(Some(deadline)) {}
    }

    /// Waits for the next event and prints it. Returns false if there was none before the deadline.
    fn print_next(&mut self, deadline: Option<Instant>) -> bool {
        if self.received >= self.options.max_received {
            return false;
        }
        let deadline = deadline.into_iter().chain(self.until).min();
        let Some(ClientEvent { source, at, kind }) = self.clients.next(deadline) else {
            return false;
        };
        let EventSource::Connection { number, .. } = source else {
            self.stdin = Some(kind);
            return true;
        };
        match kind {
            ClientEventKind::Bytes(bytes) => {
                self.last = at.max(self.last);
                self.received += bytes.len() as u64;
                self.output.received(number, &bytes, at);
            }
            ClientEventKind::End if self.unsent.contains(&number) => {
                self.output.event(number, EventKind::HalfClose(Side::Server));
            }
            ClientEventKind::End => self.output.event(number, EventKind::Closed(Side::Server)),
            ClientEventKind::Reset => self.output.event(number, EventKind::Reset(Side::Server)),
        }
        true
    }

    /// Waits until the server has closed all connections, or for silence. Returns how it ended.
    pub fn finish(mut self) -> SendOutcome {
        self.print_until_silence(|clients| {
            clients.iter().any(|(_, connection)| connection.is_open())
        });
        let open = self.clients.iter().filter(|(_, connection)| connection.is_open());
        let silent: Vec<u32> = open.map(|(number, _)| number).collect();
        for &number in &silent {
            self.output.event(number, EventKind::Silent(Millis::from(self.options.timeout)));
        }
        let beyond = self
            .clients
            .iter()
            .filter_map(|(_, connection)| connection.state.reader(Side::Server).beyond());
        for what in beyond {
            self.output.prose(&format!("the response has more than is followed here: {what}"));
        }
        let has_response = |connection: &FollowedConnection| {
            let is_beyond = connection.state.reader(Side::Server).beyond().is_some();
            connection.state.progress(Side::Server).finals > 0 || is_beyond
        };
        if self.clients.iter().any(|(_, connection)| has_response(connection)) {
            return SendOutcome::Answered;
        }
        if silent.is_empty() { SendOutcome::Closed } else { SendOutcome::Silent }
    }
}

/// The loop of the thread that reads stdin: one read for each request.
fn read_stdin(mut stdin: impl Read, queue: &SyncSender<ClientEvent>, read_requests: &Receiver<()>) {
    let mut buffer = vec![0; STDIN_BYTES];
    while read_requests.recv().is_ok() {
        let kind = match stdin.read(&mut buffer) {
            Ok(0) => ClientEventKind::End,
            Ok(length) => ClientEventKind::Bytes(buffer[..length].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                ClientEventKind::Bytes(Vec::new())
            }
            Err(_) => ClientEventKind::End,
        };
        if queue.send(ClientEvent { source: EventSource::Input, at: Instant::now(), kind }).is_err()
        {
            return;
        }
    }
}

/// Turns each LF into CR LF: Enter on a terminal is LF, and a line of HTTP ends in CR LF.
fn with_crlf(typed: &[u8]) -> Vec<u8> {
    let lines = typed.split_inclusive(|&byte| byte == b'\n');
    lines
        .flat_map(|line| match line {
            [.., b'\r', b'\n'] => line.to_vec(),
            [text @ .., b'\n'] => [text, b"\r\n"].concat(),
            _ => line.to_vec(),
        })
        .collect()
}

#[test]
fn a_typed_line_ends_in_cr_lf() {
    assert_eq!(with_crlf(b"GET / HTTP/1.1\n\nab\r\nc"), b"GET / HTTP/1.1\r\n\r\nab\r\nc");
}
