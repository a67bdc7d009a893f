//! # The client's side, played
//!
//! When is it our turn, if the answers are a stranger's?
//!
//! ```text
//! >>> POST, Expect: 100-continue      send
//! <<< 100 Continue                    remember: one interim answer is due
//! >>> the content                     wait until it has come, or silence; then send
//! --- server closed                   wait until it has, or silence
//! ```
//! Rule: the file is read from the top. What the server does in it is remembered, and waited for
//! before the client does something else on that connection. Silence ends each wait, so a server
//! that answers differently is shown, and not waited for.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::Transcript;
use openkitchen::transcript::{Event, EventKind, Item, Millis, Side};

use super::connection::{ClientConnection, SocketEvent, What};
use super::output::Output;
use crate::cli::script::{connection, filled, next_side};
use crate::cli::{CliError, address};

/// Between two bytes of `--slow`: long enough for each to be read alone, short enough for a head to
/// arrive before any server's patience ends.
const SLOW: Duration = Duration::from_millis(5);

/// Pieces that may wait to be printed. A server that sends more has to wait.
const QUEUE: usize = 16;

/// How bytes are sent.
#[derive(Clone, Copy)]
pub struct Manner {
    /// Byte by byte.
    pub slow: bool,
    /// With a half-close behind the last one.
    pub half_close: bool,
    /// The silence that ends a wait.
    pub timeout: Duration,
}

/// How it came out.
pub enum SendOutcome {
    /// A final answer was read whole.
    Answered,
    /// None was, and the server said nothing more.
    Silent,
    /// None was, and the connection is over.
    Closed,
}

/// Plays, and prints what happens.
pub struct SendPlayer<W> {
    addresses: Vec<SocketAddr>,
    manner: Manner,
    page: Output<W>,
    lines: BTreeMap<u32, ClientConnection>,
    queue: (SyncSender<SocketEvent>, Receiver<SocketEvent>),
    /// When something crossed last, on any connection.
    last: Instant,
    typed: Option<What>,
}

impl<W: Write> SendPlayer<W> {
    /// A player that has not connected yet.
    pub fn new(addresses: Vec<SocketAddr>, manner: Manner, out: W) -> SendPlayer<W> {
        let (page, lines, last) = (Output::new(out), BTreeMap::new(), Instant::now());
        SendPlayer { addresses, manner, page, lines, queue: sync_channel(QUEUE), last, typed: None }
    }

    /// Sends what stdin has, as it comes.
    pub fn pass_on(
        &mut self,
        stdin: impl Read + Send + 'static,
        is_terminal: bool,
    ) -> Result<(), CliError> {
        self.line(1)?;
        let (more, wanted) = channel();
        let queue = self.queue.0.clone();
        thread::Builder::new()
            .name("stdin".into())
            .spawn(move || listen_to(stdin, &queue, &wanted))
            .map_err(|error| CliError::Failed(format!("cannot read stdin: {error}")))?;
        loop {
            let _ = more.send(()); // nobody is there any more once all was read
            while self.typed.is_none() && self.line(1)?.is_open() {
                self.take(None);
            }
            match self.typed.take() {
                Some(What::Typed(bytes)) if is_terminal => self.send(1, &with_crlf(&bytes))?,
                Some(What::Typed(bytes)) => self.send(1, &bytes)?,
                _ => break,
            }
        }
        if self.manner.half_close {
            self.half_close(1)?;
        }
        Ok(())
    }

    /// Plays the client's side of a transcript.
    pub fn play(&mut self, transcript: &Transcript) -> Result<(), CliError> {
        for (at, item) in transcript.items.iter().enumerate() {
            let rest = &transcript.items[at + 1..];
            match item {
                Item::Prose(_) | Item::Assertions(_) => {}
                Item::Block(block) if block.from == Side::Server => {
                    self.line(block.connection)?.planned.came(&filled(&block.bytes));
                }
                Item::Block(block) => {
                    let bytes = filled(&block.bytes);
                    self.await_answers(block.connection)?;
                    self.send(block.connection, &bytes)?;
                    self.line(block.connection)?.planned.sent(&bytes);
                    let speaks_again = rest.iter().any(|item| {
                        connection(item) == Some(block.connection)
                            && matches!(item, Item::Block(block) if block.from == Side::Client)
                    });
                    if self.manner.half_close && !speaks_again {
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
        self.line(number)?;
        match event.kind {
            EventKind::Open => {}
            EventKind::Wait(time) if next_side(rest, number) == Some(Side::Client) => {
                // It counts from when the answers are there, as it did when it was written down.
                self.await_answers(number)?;
                self.pass(time.into());
            }
            EventKind::Wait(_) => {}
            EventKind::Silent(time) => {
                self.await_answers(number)?;
                self.pass(time.into());
            }
            EventKind::HalfClose(Side::Client) => {
                self.await_answers(number)?;
                self.half_close(number)?;
            }
            EventKind::Closed(Side::Client) | EventKind::Reset(Side::Client) => {
                self.await_answers(number)?;
                let line = self.line(number)?;
                if !line.is_left {
                    line.close();
                    self.page.happened(number, EventKind::Closed(Side::Client));
                }
            }
            EventKind::HalfClose(Side::Server)
            | EventKind::Closed(Side::Server)
            | EventKind::Reset(Side::Server) => {
                self.wait_while(|lines| lines.get(&number).is_some_and(ClientConnection::is_open));
            }
        }
        Ok(())
    }

    /// The connection with that number; whoever asks first opens it.
    fn line(&mut self, number: u32) -> Result<&mut ClientConnection, CliError> {
        if !self.lines.contains_key(&number) {
            let (begun, queue) = (Instant::now(), self.queue.0.clone());
            let line = ClientConnection::open(number, &self.addresses, self.manner.timeout, queue);
            let line = line.map_err(|error| self.cannot_connect(&error))?;
            self.page.opened(number, &line.peer(), begun.elapsed());
            self.last = Instant::now();
            self.lines.insert(number, line);
        }
        self.lines.get_mut(&number).ok_or_else(|| CliError::Failed("no connection".into()))
    }

    fn cannot_connect(&self, error: &io::Error) -> CliError {
        let address = self.addresses.first().map(SocketAddr::to_string).unwrap_or_default();
        CliError::Failed(format!("cannot connect to {address}: {}", address::why(error)))
    }

    /// Sends these bytes. A server that is gone, or takes no more, is told of; it ends nothing.
    fn send(&mut self, number: u32, bytes: &[u8]) -> Result<(), CliError> {
        self.catch_up(); // what came before stands before it
        self.last = Instant::now();
        let mut sent = 0;
        while sent < bytes.len() {
            let slow = self.manner.slow;
            let piece = if slow { &bytes[sent..=sent] } else { &bytes[sent..] };
            // Before the write: a server that is near has answered by the time it returns.
            let at = Instant::now();
            let line = self.line(number)?;
            let written = if line.is_mute { Ok(Some(0)) } else { line.write(piece) };
            match written {
                Ok(Some(length)) if length > 0 => {
                    line.real.sent(&piece[..length]);
                    self.last = at;
                    self.page.sent(number, &piece[..length], at);
                    sent += length;
                    if slow {
                        self.pass(SLOW);
                    }
                }
                Ok(None) if self.last.elapsed() < self.manner.timeout => {
                    self.catch_up();
                }
                _ => break,
            }
        }
        self.page.flush();
        if sent < bytes.len() {
            self.line(number)?.is_mute = true;
            let (left, all) = (bytes.len() - sent, bytes.len());
            self.page.say(&format!("{left} of {all} bytes were not sent: nobody takes them"));
        }
        Ok(())
    }

    fn half_close(&mut self, number: u32) -> Result<(), CliError> {
        let line = self.line(number)?;
        if !line.is_mute {
            line.half_close();
            self.page.happened(number, EventKind::HalfClose(Side::Client));
        }
        Ok(())
    }

    /// Waits until as many answers have come as the file has up to here.
    fn await_answers(&mut self, number: u32) -> Result<(), CliError> {
        self.line(number)?;
        self.wait_while(|lines| {
            lines.get(&number).is_some_and(|line| {
                line.is_open() && !line.real.answers().has_reached(line.planned.answers())
            })
        });
        Ok(())
    }

    /// Shows what happens while this is so, or until silence.
    fn wait_while(&mut self, is_so: impl Fn(&BTreeMap<u32, ClientConnection>) -> bool) {
        self.last = Instant::now();
        while is_so(&self.lines) && self.take(Some(self.last + self.manner.timeout)) {}
    }

    /// Shows what has happened by now, and no more: a server that floods holds up nobody.
    fn catch_up(&mut self) {
        let now = Some(Instant::now());
        let _ = (0..=QUEUE).all(|_| self.take(now));
    }

    /// Shows what happens for so long.
    fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while self.take(Some(until)) {}
    }

    /// Shows the next thing that happens, if one does in time.
    fn take(&mut self, until: Option<Instant>) -> bool {
        let queue = &self.queue.1;
        let happened = match until {
            Some(until) => queue.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let Ok(SocketEvent { connection, at, what }) = happened else { return false };
        let Some(line) = self.lines.get_mut(&connection).filter(|line| !line.is_left) else {
            return true;
        };
        if matches!(what, What::Came(_)) {
            self.last = at.max(self.last);
        }
        match what {
            What::Came(bytes) => {
                line.real.came(&bytes);
                self.page.came(connection, &bytes, at);
            }
            What::Closed => {
                line.is_ended = true;
                line.real.end();
                self.page.happened(connection, EventKind::Closed(Side::Server));
            }
            What::Reset => {
                (line.is_ended, line.is_mute) = (true, true);
                self.page.happened(connection, EventKind::Reset(Side::Server));
            }
            What::Typed(_) | What::TypedAll => self.typed = Some(what),
        }
        true
    }

    /// Waits for the end of all connections, or silence, and says which it was.
    pub fn finish(mut self) -> SendOutcome {
        self.wait_while(|lines| lines.values().any(ClientConnection::is_open));
        let silent: Vec<u32> = self
            .lines
            .iter()
            .filter(|(_, line)| line.is_open())
            .map(|(number, _)| *number)
            .collect();
        for &number in &silent {
            self.page.happened(number, EventKind::Silent(Millis::from(self.manner.timeout)));
        }
        if self.lines.values().any(|line| line.real.answers().finals > 0) {
            return SendOutcome::Answered;
        }
        if silent.is_empty() { SendOutcome::Closed } else { SendOutcome::Silent }
    }
}

/// The life of the thread that reads stdin: a piece whenever one is wanted.
fn listen_to(mut stdin: impl Read, queue: &SyncSender<SocketEvent>, wanted: &Receiver<()>) {
    let mut piece = vec![0; 64 * 1024];
    while wanted.recv().is_ok() {
        let what = match stdin.read(&mut piece) {
            Ok(0) => What::TypedAll,
            Ok(length) => What::Typed(piece[..length].to_vec()),
            Err(error) if error.kind() == ErrorKind::Interrupted => What::Typed(Vec::new()),
            Err(_) => What::TypedAll,
        };
        if queue.send(SocketEvent { connection: 1, at: Instant::now(), what }).is_err() {
            return;
        }
    }
}

/// A terminal's Enter is LF; HTTP's line end is CR LF.
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
fn enter_is_the_end_of_a_line() {
    assert_eq!(with_crlf(b"GET / HTTP/1.1\n\nab\r\nc"), b"GET / HTTP/1.1\r\n\r\nab\r\nc");
}
