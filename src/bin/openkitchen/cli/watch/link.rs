//! # One connection, twice
//!
//! A client on one side, a server on the other: how do two sockets become one connection?
//!
//! ```text
//! client ── read ──> seen ── write ──> server         one thread
//!        <── write ── seen <── read ──                another
//!
//! read 0 bytes (FIN)   ->  shutdown(Write) on the other side; the other direction goes on
//! a read or write fails (RST)  ->  a reset on the other side; both directions end
//! ```
//! Rule: what was read is shown before it is passed on. So nobody can answer what was not yet shown,
//! and the transcript has each question before its answer.
//!
//! A reset needs a word: a socket that is closed sends FIN, unless the system is asked before that to
//! send RST instead (`sys::reset_on_close`). And it may be closed only when both threads are out:
//! the one that waits is woken by `shutdown(Read)`, which sends nothing. One that waits for room to
//! write looks up every second.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::transcript::Side;
use openkitchen::{End, Observer};

use super::STACK;
use crate::cli::record::ExchangeFollower;
use crate::sys;

/// Bytes that are read at once: what one read of a fast sender holds, and small on a stack.
const BUFFER: usize = 16 * 1024;

/// How often somebody who waits for room to write looks whether it is still wanted.
const LOOK_UP: Duration = Duration::from_secs(1);

/// How a link came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEnd {
    /// Its sides ended it, or it was asked to.
    ByThem,
    /// Nothing crossed for too long.
    Idle,
}

/// Two sockets, and what is known of the connection that they are.
pub(super) struct Link {
    number: u64,
    client: TcpStream,
    server: TcpStream,
    observer: Option<Arc<dyn Observer>>,
    idle: Duration,
    opened: Instant,
    /// When bytes crossed last, in milliseconds since it opened.
    last: AtomicU64,
    state: Mutex<LinkState>,
}

struct LinkState {
    follower: ExchangeFollower,
    /// Pieces that were read and are not passed on yet.
    on_the_way: usize,
    client_left: bool,
    server_left: bool,
    /// Nothing more is read, passed on or shown.
    is_over: bool,
    /// Watch itself has said that the client will send no more.
    is_leaving: bool,
    ending: LinkEnd,
}

impl Link {
    /// A link of two sockets that are connected.
    pub fn new(
        number: u64,
        client: TcpStream,
        server: TcpStream,
        observer: Option<Arc<dyn Observer>>,
        idle: Duration,
    ) -> io::Result<Link> {
        for stream in [&client, &server] {
            stream.set_nonblocking(false)?; // on the BSDs it is inherited from the listener
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(idle))?;
            stream.set_write_timeout(Some(LOOK_UP))?;
        }
        let state = LinkState {
            follower: ExchangeFollower::new(),
            on_the_way: 0,
            client_left: false,
            server_left: false,
            is_over: false,
            is_leaving: false,
            ending: LinkEnd::ByThem,
        };
        let (opened, last) = (Instant::now(), AtomicU64::new(0));
        let state = Mutex::new(state);
        Ok(Link { number, client, server, observer, idle, opened, last, state })
    }

    /// Copies both ways until it is over.
    ///
    /// # Errors
    /// When there is no thread for the second direction.
    pub fn pass(&self, peer: SocketAddr) -> io::Result<LinkEnd> {
        self.show(|observer| observer.opened(self.number, peer));
        let passed = thread::scope(|scope| {
            let thread = thread::Builder::new().name("watch back".into()).stack_size(STACK);
            thread.spawn_scoped(scope, || self.copy(Side::Server))?;
            self.copy(Side::Client);
            Ok(())
        });
        let mut state = self.state();
        state.is_over = true;
        // A reset is the end of both sides, and so is what watch does by itself.
        for (side, end) in [(Side::Server, End::ServerClosed), (Side::Client, End::ClientClosed)] {
            if !std::mem::replace(state.has_left(side), true) {
                self.show(|observer| observer.ended(self.number, end));
            }
        }
        passed.map(|()| state.ending)
    }

    /// Asked to stop: where nothing is in flight, the server is told that the client will send no
    /// more. What the client has sent by now still arrives.
    pub fn leave_if_idle(&self) {
        let mut state = self.state();
        let is_in_flight = state.on_the_way > 0 || state.follower.is_in_flight();
        if !(is_in_flight || state.is_over || state.is_leaving) {
            state.is_leaving = true;
            let _ = self.client.shutdown(Shutdown::Read);
        }
    }

    /// Copies what comes from one side to the other.
    fn copy(&self, from: Side) {
        let mut buffer = [0; BUFFER];
        let (mut source, sink) = match from {
            Side::Client => (&self.client, &self.server),
            Side::Server => (&self.server, &self.client),
        };
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return self.left(from, sink),
                Ok(length) => {
                    let bytes = &buffer[..length];
                    if !(self.crossed(from, bytes) && self.write(from, sink, bytes)) {
                        return;
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => match self.patience() {
                        Some(left) => drop(source.set_read_timeout(Some(left))),
                        None => return,
                    },
                    _ => return self.broken(from),
                },
            }
        }
    }

    /// Bytes were read. Says whether they are to be passed on.
    fn crossed(&self, from: Side, bytes: &[u8]) -> bool {
        self.touch();
        let mut state = self.state();
        if state.is_over {
            return false;
        }
        state.on_the_way += 1;
        match from {
            Side::Client => {
                state.follower.received(bytes);
                self.show(|observer| observer.received(self.number, bytes));
            }
            Side::Server => {
                state.follower.sent(bytes);
                self.show(|observer| observer.sent(self.number, bytes));
            }
        }
        true
    }

    /// Passes on what was read. Says whether that was possible.
    fn write(&self, from: Side, mut sink: &TcpStream, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match sink.write(bytes) {
                Ok(length) => {
                    self.touch();
                    bytes = &bytes[length..];
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock if self.patience().is_some() => {}
                    ErrorKind::WouldBlock => return false,
                    _ => {
                        self.broken(other(from));
                        return false;
                    }
                },
            }
        }
        self.state().on_the_way -= 1;
        true
    }

    /// A side will send no more.
    fn left(&self, from: Side, sink: &TcpStream) {
        let mut state = self.state();
        if state.is_over {
            return;
        }
        let was_us = from == Side::Client && state.is_leaving;
        if !was_us {
            *state.has_left(from) = true;
            let end = match from {
                Side::Client => End::ClientClosed,
                Side::Server => End::ServerClosed,
            };
            self.show(|observer| observer.ended(self.number, end));
        }
        let _ = sink.shutdown(Shutdown::Write); // it may be gone, too
    }

    /// A side broke the connection off.
    fn broken(&self, side: Side) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_over, true) {
            return;
        }
        *state.has_left(side) = true;
        let (end, broken, whole) = match side {
            Side::Client => (End::ClientReset, &self.client, &self.server),
            Side::Server => (End::ServerReset, &self.server, &self.client),
        };
        self.show(|observer| observer.ended(self.number, end));
        if let Err(error) = sys::reset_on_close(whole) {
            log::debug!("a reset is passed on as a close: {error}");
        }
        let _ = whole.shutdown(Shutdown::Read);
        let _ = broken.shutdown(Shutdown::Both);
    }

    /// For how long a thread that waits may wait on; `None` when it is over, or is now because
    /// nothing has crossed for too long.
    fn patience(&self) -> Option<Duration> {
        let mut state = self.state();
        if state.is_over {
            return None;
        }
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        let left = (last + self.idle).saturating_sub(self.opened.elapsed());
        if !left.is_zero() {
            return Some(left.max(Duration::from_millis(1)));
        }
        (state.is_over, state.ending) = (true, LinkEnd::Idle);
        for stream in [&self.client, &self.server] {
            let _ = stream.shutdown(Shutdown::Both);
        }
        None
    }

    fn touch(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    fn show(&self, what: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.observer {
            what(&**observer);
        }
    }

    fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkState {
    fn has_left(&mut self, side: Side) -> &mut bool {
        match side {
            Side::Client => &mut self.client_left,
            Side::Server => &mut self.server_left,
        }
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}
