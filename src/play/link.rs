//! # Relays one connection: two sockets, two threads
//!
//! ```text
//! client ── read ──> observer ── write ──> server         one thread
//!        <── write ── observer <── read ──                another
//!
//! read 0 bytes (FIN)           ->  shutdown(Write) on the other socket; the other direction goes on
//! a read or write fails (RST)  ->  a reset on the other socket; both directions end
//! ```
//! Rule: bytes are shown before they are written to the other side. So no peer can answer bytes that were
//! not shown yet, and the transcript has each request before its response.
//!
//! A socket that is closed sends FIN, unless the kernel was asked to send RST instead
//! (`sys::reset_on_close`). It may be closed only after both threads have ended. `shutdown(Read)` wakes a
//! thread that waits in `read`, and sends nothing. A thread that waits in `write` checks every second.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::message::limits::Limits;
use crate::net::connections::{Entry, FINAL_REQUEST_WAIT};
use crate::net::observer::{End, Observer};
use crate::net::shared::set_stream_options;
use crate::observe::Follower;
use crate::sys;
use crate::transcript::Side;

/// Bytes of one read: as many as a fast sender's read returns, and few on a stack.
const BUFFER_BYTES: usize = 16 * 1024;

/// A thread's stack: one buffer, and room for calls.
const STACK_BYTES: usize = 256 * 1024;

/// How often a thread that waits in `write` checks whether the link is over.
pub const WRITE_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Why a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// The client and the server ended it, or watch is stopping.
    Closed,
    /// No byte crossed for the idle timeout.
    Idle,
}

/// The two sockets of a connection: the client's and the server's.
pub struct Link<'a> {
    entry: &'a Entry,
    number: u64,
    client: &'a TcpStream,
    server: TcpStream,
    follower: &'a Follower,
    idle_timeout: Duration,
    /// True once watch is to stop.
    stopping: &'a AtomicBool,
    opened: Instant,
    /// When the last bytes crossed, in milliseconds since `opened`.
    last_active: AtomicU64,
    state: Mutex<LinkState>,
}

struct LinkState {
    /// Reads whose bytes are not yet written to the other side.
    unwritten_reads: usize,
    client_ended: bool,
    server_ended: bool,
    /// Whether the link is over: nothing more is read, written or shown.
    is_over: bool,
    /// Whether watch is stopping, and has ended the client's half itself.
    is_ended_by_watch: bool,
    end: LinkEnd,
}

impl<'a> Link<'a> {
    /// A link of an accepted connection and one to the server.
    pub fn new(
        entry: &'a Entry,
        server: TcpStream,
        follower: &'a Follower,
        limits: &Limits,
        stopping: &'a AtomicBool,
    ) -> Link<'a> {
        // If that fails, the connection is broken already, and its first read says so.
        let _ = set_stream_options(&server, limits);
        let state = LinkState {
            unwritten_reads: 0,
            client_ended: false,
            server_ended: false,
            is_over: false,
            is_ended_by_watch: false,
            end: LinkEnd::Closed,
        };
        Link {
            entry,
            number: entry.identity.number,
            client: &entry.stream,
            server,
            follower,
            idle_timeout: limits.idle_timeout,
            stopping,
            opened: Instant::now(),
            last_active: AtomicU64::new(0),
            state: Mutex::new(state),
        }
    }

    /// Copies both ways until both directions have ended.
    ///
    /// # Errors
    /// The thread for the second direction cannot be created.
    pub fn relay(&self) -> io::Result<LinkEnd> {
        self.follower.opened(self.number, self.entry.identity.peer);
        if self.stopping.load(Ordering::SeqCst) {
            // The client has connected just now, and may be about to send its request.
            thread::sleep(FINAL_REQUEST_WAIT);
        }
        self.mark_idle(&self.state());
        let relayed = thread::scope(|scope| {
            let thread = thread::Builder::new().name("watch back".into()).stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, || self.copy(Side::Server))?;
            self.copy(Side::Client);
            Ok(())
        });
        let mut state = self.state();
        state.is_over = true;
        // A reset ends both sides, and so does watch itself: the ends that were not reported follow.
        for (side, end) in [(Side::Server, End::ServerClosed), (Side::Client, End::ClientClosed)] {
            if !std::mem::replace(state.has_ended(side), true) {
                self.follower.ended(self.number, end);
            }
        }
        self.follower.gone(self.number);
        relayed.map(|()| state.end)
    }

    /// Marks the connection as idle if no exchange is in flight. When watch stops, the client's half of
    /// an idle connection is ended: bytes that have arrived are still relayed, then a FIN to the server.
    fn mark_idle(&self, state: &LinkState) {
        if state.unwritten_reads > 0 || self.follower.is_in_flight(self.number) {
            return;
        }
        // First the mark is set, then the flag is read: the thread that stops does it the other way
        // round, so one of the two sees the other.
        self.entry.idle.begin();
        if self.stopping.load(Ordering::SeqCst) {
            self.entry.close_if_idle();
        }
    }

    /// Copies the bytes of one side to the other, until that direction ends.
    fn copy(&self, from: Side) {
        let mut buffer = [0; BUFFER_BYTES];
        let (mut source, sink) = match from {
            Side::Client => (self.client, &self.server),
            Side::Server => (&self.server, self.client),
        };
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return self.half_close(from, sink),
                Ok(length) => {
                    let bytes = &buffer[..length];
                    if !(self.crossed(from, bytes) && self.write(from, sink, bytes)) {
                        return;
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => match self.time_left() {
                        Some(left) => drop(source.set_read_timeout(Some(left))),
                        None => return,
                    },
                    _ => return self.reset(from),
                },
            }
        }
    }

    /// Shows bytes that were read. False if the link is over, so that they are not to be written.
    fn crossed(&self, from: Side, bytes: &[u8]) -> bool {
        self.mark_active();
        let mut state = self.state();
        if state.is_over {
            return false;
        }
        state.unwritten_reads += 1;
        state.is_ended_by_watch |= self.entry.idle.end();
        match from {
            Side::Client => self.follower.received(self.number, bytes),
            Side::Server => self.follower.sent(self.number, bytes),
        }
        true
    }

    /// Writes all of the bytes. False if the link is over.
    fn write(&self, from: Side, mut sink: &TcpStream, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match sink.write(bytes) {
                Ok(length) => {
                    self.mark_active();
                    bytes = &bytes[length..];
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock if self.time_left().is_some() => {}
                    ErrorKind::WouldBlock => return false,
                    _ => {
                        self.reset(from.other());
                        return false;
                    }
                },
            }
        }
        let mut state = self.state();
        state.unwritten_reads -= 1;
        self.mark_idle(&state);
        true
    }

    /// Ends a direction on the other socket too, after its side has closed.
    fn half_close(&self, from: Side, sink: &TcpStream) {
        let mut state = self.state();
        if state.is_over {
            return;
        }
        let is_by_watch =
            from == Side::Client && (self.entry.idle.end() || state.is_ended_by_watch);
        if !is_by_watch {
            *state.has_ended(from) = true;
            let end = match from {
                Side::Client => End::ClientClosed,
                Side::Server => End::ServerClosed,
            };
            self.follower.ended(self.number, end);
        }
        let _ = sink.shutdown(Shutdown::Write); // fails if that side has closed
    }

    /// Resets the other socket too, after a side has reset the connection. Ends both directions.
    fn reset(&self, side: Side) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_over, true) {
            return;
        }
        *state.has_ended(side) = true;
        let (end, failed, other) = match side {
            Side::Client => (End::ClientReset, self.client, &self.server),
            Side::Server => (End::ServerReset, &self.server, self.client),
        };
        self.follower.ended(self.number, end);
        if let Err(error) = sys::reset_on_close(other) {
            log::debug!("connection {}: a reset is passed on as a close: {error}", self.number);
        }
        let _ = other.shutdown(Shutdown::Read);
        let _ = failed.shutdown(Shutdown::Both);
    }

    /// How long a waiting thread may go on waiting. `None` if the link is over. Ends the link if no byte
    /// has crossed for the idle timeout.
    fn time_left(&self) -> Option<Duration> {
        let mut state = self.state();
        if state.is_over {
            return None;
        }
        let last_active = Duration::from_millis(self.last_active.load(Ordering::Relaxed));
        let left = (last_active + self.idle_timeout).saturating_sub(self.opened.elapsed());
        if !left.is_zero() {
            return Some(left.max(Duration::from_millis(1)));
        }
        (state.is_over, state.end) = (true, LinkEnd::Idle);
        for stream in [self.client, &self.server] {
            let _ = stream.shutdown(Shutdown::Both);
        }
        None
    }

    fn mark_active(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_active.store(now, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LinkState {
    fn has_ended(&mut self, side: Side) -> &mut bool {
        match side {
            Side::Client => &mut self.client_ended,
            Side::Server => &mut self.server_ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use crate::net::connections::{Identity, IdleMark};

    use super::*;
    use crate::observe::{FollowedBytes, Viewer};

    /// Records the ends that are reported.
    #[derive(Default)]
    struct Ends(Mutex<Vec<String>>);

    impl Viewer for Ends {
        fn ended(&self, _: u64, end: End) {
            self.0.lock().unwrap().push(format!("{end:?}"));
        }

        fn gone(&self, _: u64) {
            self.0.lock().unwrap().push("gone".into());
        }

        fn crossed(&self, _: u64, _: &FollowedBytes<'_>) {}
    }

    #[test]
    fn a_link_that_is_over_is_gone_and_no_exchange_of_it_is_in_flight() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pair = || {
            let outer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (outer, listener.accept().unwrap().0)
        };
        let ((mut client, to_client), (server, to_server)) = (pair(), pair());
        let ends = Arc::new(Ends::default());
        let follower = Follower::new(vec![ends.clone()]);
        let identity = Identity { number: 1, peer: ([127, 0, 0, 1], 4000).into() };
        let entry = Entry { identity, stream: to_client, idle: IdleMark::default() };
        let (limits, stopping) = (Limits::default(), AtomicBool::new(false));
        let link = Link::new(&entry, to_server, &follower, &limits, &stopping);
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        thread::scope(|scope| {
            let relay = scope.spawn(|| link.relay());
            (&server).read_exact(&mut [0; 16]).unwrap();
            assert!(follower.is_in_flight(1));
            drop(client);
            assert_eq!((&server).read(&mut [0; 16]).unwrap(), 0);
            server.shutdown(Shutdown::Both).unwrap();
            assert_eq!(relay.join().unwrap().unwrap(), LinkEnd::Closed);
        });
        assert_eq!(*ends.0.lock().unwrap(), ["ClientClosed", "ServerClosed", "gone"]);
        assert!(!follower.is_in_flight(1));
    }
}
