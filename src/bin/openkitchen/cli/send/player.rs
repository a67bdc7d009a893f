//! # The player of `send`: plays the client's side of a transcript, or of stdin
//!
//! The server's responses are not known in advance, so when does the client send the next bytes?
//!
//! ```text
//! >>> POST, Expect: 100-continue      send
//! <<< 100 Continue                    record: an interim response is due
//! >>> the content                     wait for that response, or for silence; then send
//! --- server closed                   wait for the close, or for silence
//! ```
//! Rule: the transcript is read from the top. What the server does in it is recorded, and awaited
//! before the client's next step on that connection. Silence ends each wait, so a server that responds
//! in another way does not stop the player.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::{Event, EventKind, Item, Millis, Side};

use super::connection::{ClientConnection, SocketEvent, SocketEventKind};
use super::output::Output;
use crate::cli::script::{connection_of, filled, next_side};
use crate::cli::{CliError, address};

/// The pause after each byte of `--slow`: long enough that the server reads each byte alone, short
/// enough that a head arrives before a server's timeout.
const SLOW_PAUSE: Duration = Duration::from_millis(5);

/// Events that may wait to be printed. If the queue is full, the reader threads wait, and with them
/// the server.
const MAX_QUEUED_EVENTS: usize = 16;

/// Bytes of one read of stdin at most.
const STDIN_BYTES: usize = 64 * 1024;

/// How the bytes are sent.
#[derive(Clone, Copy)]
pub struct SendOptions {
    /// Send byte by byte.
    pub slow: bool,
    /// Half-close the connection after the last byte.
    pub half_close: bool,
    /// The silence that ends a wait.
    pub timeout: Duration,
}

/// How sending ended.
pub enum SendOutcome {
    /// A complete final response was received.
    Answered,
    /// No complete response, and a connection is still open.
    Silent,
    /// No complete response, and all connections are closed.
    Closed,
}

/// Plays the client, and prints what crosses.
pub struct SendPlayer<W> {
    addresses: Vec<SocketAddr>,
    options: SendOptions,
    output: Output<W>,
    connections: BTreeMap<u32, ClientConnection>,
    queue: (SyncSender<SocketEvent>, Receiver<SocketEvent>),
    /// When bytes last crossed, on any connection.
    last: Instant,
    /// The event of stdin that was taken from the queue last.
    stdin: Option<SocketEventKind>,
}

impl<W: Write> SendPlayer<W> {
    /// A player without a connection: the first step on a connection opens it.
    pub fn new(addresses: Vec<SocketAddr>, options: SendOptions, out: W) -> SendPlayer<W> {
        SendPlayer {
            addresses,
            options,
            output: Output::new(out),
            connections: BTreeMap::new(),
            queue: sync_channel(MAX_QUEUED_EVENTS),
            last: Instant::now(),
            stdin: None,
        }
    }

    /// Sends the bytes of stdin on connection 1, as they are read.
    ///
    /// # Errors
    /// No connection, or no thread to read stdin.
    pub fn send_stdin(
        &mut self,
        stdin: impl Read + Send + 'static,
        is_terminal: bool,
    ) -> Result<(), CliError> {
        self.connection(1)?;
        let (request_read, read_requests) = channel();
        let queue = self.queue.0.clone();
        thread::Builder::new()
            .name("stdin".into())
            .spawn(move || read_stdin(stdin, &queue, &read_requests))
            .map_err(|error| CliError::Failed(format!("cannot read stdin: {error}")))?;
        loop {
            let _ = request_read.send(()); // fails when the thread has read the end of stdin
            while self.stdin.is_none() && self.connection(1)?.is_open() {
                self.print_next(None);
            }
            match self.stdin.take() {
                Some(SocketEventKind::Stdin(bytes)) if is_terminal => {
                    self.send(1, &with_crlf(&bytes))?;
                }
                Some(SocketEventKind::Stdin(bytes)) => self.send(1, &bytes)?,
                _ => break,
            }
        }
        if self.options.half_close {
            self.half_close(1)?;
        }
        Ok(())
    }

    /// Plays the client's side of a transcript.
    ///
    /// # Errors
    /// A connection could not be opened.
    pub fn play(&mut self, transcript: &Transcript) -> Result<(), CliError> {
        for (at, item) in transcript.items.iter().enumerate() {
            let rest = &transcript.items[at + 1..];
            match item {
                Item::Prose(_) | Item::Assertions(_) => {}
                Item::Block(block) if block.from == Side::Server => {
                    self.connection(block.connection)?.planned.received(&filled(&block.bytes));
                }
                Item::Block(block) => {
                    let bytes = filled(&block.bytes);
                    self.await_responses(block.connection)?;
                    self.send(block.connection, &bytes)?;
                    self.connection(block.connection)?.planned.sent(&bytes);
                    let sends_again = rest.iter().any(|item| {
                        connection_of(item) == Some(block.connection)
                            && matches!(item, Item::Block(block) if block.from == Side::Client)
                    });
                    if self.options.half_close && !sends_again {
                        self.half_close(block.connection)?;
                    }
                }
                Item::Event(event) => self.event(event, rest)?,
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event, rest: &[Item]) -> Result<(), CliError> {
        let number = event.connection;
        self.connection(number)?;
        match event.kind {
            EventKind::Open => {}
            EventKind::Wait(time) if next_side(rest, number) == Some(Side::Client) => {
                // The wait begins after the responses, as it did in the recording.
                self.await_responses(number)?;
                self.print_for(time.into());
            }
            EventKind::Wait(_) => {}
            EventKind::Silent(time) => {
                self.await_responses(number)?;
                self.print_for(time.into());
            }
            EventKind::HalfClose(Side::Client) => {
                self.await_responses(number)?;
                self.half_close(number)?;
            }
            EventKind::Closed(Side::Client) | EventKind::Reset(Side::Client) => {
                self.await_responses(number)?;
                let connection = self.connection(number)?;
                if !connection.is_ended_by_client {
                    connection.close();
                    self.output.event(number, EventKind::Closed(Side::Client));
                }
            }
            EventKind::HalfClose(Side::Server)
            | EventKind::Closed(Side::Server)
            | EventKind::Reset(Side::Server) => {
                self.print_while(|connections| {
                    connections.get(&number).is_some_and(ClientConnection::is_open)
                });
            }
        }
        Ok(())
    }

    /// Returns the connection with that number, and opens it if it is new.
    fn connection(&mut self, number: u32) -> Result<&mut ClientConnection, CliError> {
        if !self.connections.contains_key(&number) {
            let (start, queue) = (Instant::now(), self.queue.0.clone());
            let connection =
                ClientConnection::open(number, &self.addresses, self.options.timeout, queue);
            let connection = connection.map_err(|error| self.cannot_connect(&error))?;
            self.output.opened(number, &connection.peer(), start.elapsed());
            self.last = Instant::now();
            self.connections.insert(number, connection);
        }
        self.connections.get_mut(&number).ok_or_else(|| CliError::Failed("no connection".into()))
    }

    fn cannot_connect(&self, error: &io::Error) -> CliError {
        let address = self.addresses.first().map(SocketAddr::to_string).unwrap_or_default();
        CliError::Failed(format!(
            "cannot connect to {address}: {}; start the server, or give another address",
            address::why(error)
        ))
    }

    /// Sends these bytes. If the server has closed or reads no more, a line of prose says how many
    /// bytes were not sent, and the player goes on.
    fn send(&mut self, number: u32, bytes: &[u8]) -> Result<(), CliError> {
        self.print_queued(); // bytes that were received before are printed before
        self.last = Instant::now();
        let mut sent = 0;
        while sent < bytes.len() {
            let slow = self.options.slow;
            let next = if slow { &bytes[sent..=sent] } else { &bytes[sent..] };
            // Read the clock before the write: a near server may respond before the write returns.
            let at = Instant::now();
            let connection = self.connection(number)?;
            let written =
                if connection.is_write_closed { Ok(Some(0)) } else { connection.write(next) };
            match written {
                Ok(Some(length)) if length > 0 => {
                    connection.actual.sent(&next[..length]);
                    self.last = at;
                    self.output.sent(number, &next[..length], at);
                    sent += length;
                    if slow {
                        self.print_for(SLOW_PAUSE);
                    }
                }
                Ok(None) if self.last.elapsed() < self.options.timeout => {
                    self.print_queued();
                }
                _ => break,
            }
        }
        self.output.flush();
        if sent < bytes.len() {
            self.connection(number)?.is_write_closed = true;
            let (left, all) = (bytes.len() - sent, bytes.len());
            let why = "the server does not read them";
            self.output.prose(&format!("{left} of {all} bytes were not sent: {why}"));
        }
        Ok(())
    }

    fn half_close(&mut self, number: u32) -> Result<(), CliError> {
        let connection = self.connection(number)?;
        if !connection.is_write_closed {
            connection.half_close();
            self.output.event(number, EventKind::HalfClose(Side::Client));
        }
        Ok(())
    }

    /// Waits until as many responses were received as the transcript has up to here, or for silence.
    fn await_responses(&mut self, number: u32) -> Result<(), CliError> {
        self.connection(number)?;
        self.print_while(|connections| {
            connections.get(&number).is_some_and(|connection| {
                let (actual, planned) = (&connection.actual, &connection.planned);
                connection.is_open() && !actual.responses().has_reached(planned.responses())
            })
        });
        Ok(())
    }

    /// Prints events as long as this is true, but not after a silence of the timeout.
    fn print_while(&mut self, is_true: impl Fn(&BTreeMap<u32, ClientConnection>) -> bool) {
        self.last = Instant::now();
        while is_true(&self.connections) && self.print_next(Some(self.last + self.options.timeout))
        {
        }
    }

    /// Prints the events that are queued now. Their number is limited, so a server that sends without
    /// end cannot hold up the client.
    fn print_queued(&mut self) {
        let now = Some(Instant::now());
        let _ = (0..=MAX_QUEUED_EVENTS).all(|_| self.print_next(now));
    }

    /// Prints the events of this time.
    fn print_for(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.print_next(Some(deadline)) {}
    }

    /// Waits for the next event and prints it. Returns false if there was none before the deadline.
    fn print_next(&mut self, deadline: Option<Instant>) -> bool {
        let queue = &self.queue.1;
        let event = match deadline {
            Some(deadline) => {
                queue.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let Ok(SocketEvent { connection: number, at, kind }) = event else { return false };
        let connection = self.connections.get_mut(&number);
        let Some(connection) = connection.filter(|connection| !connection.is_ended_by_client)
        else {
            return true;
        };
        match kind {
            SocketEventKind::Received(bytes) => {
                self.last = at.max(self.last);
                connection.actual.received(&bytes);
                self.output.received(number, &bytes, at);
            }
            SocketEventKind::Closed => {
                connection.is_ended_by_server = true;
                connection.actual.end();
                self.output.event(number, EventKind::Closed(Side::Server));
            }
            SocketEventKind::Reset => {
                (connection.is_ended_by_server, connection.is_write_closed) = (true, true);
                self.output.event(number, EventKind::Reset(Side::Server));
            }
            SocketEventKind::Stdin(_) | SocketEventKind::StdinEnd => self.stdin = Some(kind),
        }
        true
    }

    /// Waits until the server has closed all connections, or for silence. Returns how it ended.
    pub fn finish(mut self) -> SendOutcome {
        self.print_while(|connections| connections.values().any(ClientConnection::is_open));
        let silent: Vec<u32> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_open())
            .map(|(number, _)| *number)
            .collect();
        for &number in &silent {
            self.output.event(number, EventKind::Silent(Millis::from(self.options.timeout)));
        }
        if self.connections.values().any(|connection| connection.actual.responses().finals > 0) {
            return SendOutcome::Answered;
        }
        if silent.is_empty() { SendOutcome::Closed } else { SendOutcome::Silent }
    }
}

/// The loop of the thread that reads stdin: one read for each request.
fn read_stdin(mut stdin: impl Read, queue: &SyncSender<SocketEvent>, read_requests: &Receiver<()>) {
    let mut buffer = vec![0; STDIN_BYTES];
    while read_requests.recv().is_ok() {
        let kind = match stdin.read(&mut buffer) {
            Ok(0) => SocketEventKind::StdinEnd,
            Ok(length) => SocketEventKind::Stdin(buffer[..length].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                SocketEventKind::Stdin(Vec::new())
            }
            Err(_) => SocketEventKind::StdinEnd,
        };
        if queue.send(SocketEvent { connection: 1, at: Instant::now(), kind }).is_err() {
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
