//! # Relays one connection: two sockets, two threads
//!
//! ```text
//! client ── read ──> observer ── write ──> server         one thread
//!        <── write ── observer <── read ──                another
//!
//! read 0 bytes (FIN)           ->  shutdown(Write) on the other socket; the other direction goes on
//! a read or write fails (RST)  ->  what that side has sent is read and written, then a reset follows
//! a write says EPIPE           ->  the server sent FIN before RST: its bytes and its FIN are passed on
//! ```
//! Rule: bytes are shown before they are written to the other side. So no peer can answer bytes that were
//! not shown yet, and the transcript has each request before its response.
//!
//! Rule: a direction ends when its own reading ends. A failed write says that the other side has reset the
//! connection; what that side sent before may still wait in the kernel. A server that refuses an upload
//! does this: it answers, and closes with unread bytes. Its answer is read and written first. Meanwhile
//! the client's bytes are read and dropped, since a client that cannot write may not read either.
//!
//! What watch does itself, at a stop or after the idle timeout, is reported as the end of no side. If it
//! cuts a response short, it resets the client's connection: a FIN would end content without a length
//! (RFC 9112 section 8), and the client would take half of it for the whole.
//!
//! A socket that is closed sends FIN, unless the kernel was asked to send RST instead
//! (`sys::reset_on_close`). It may be closed only after both threads have ended. `shutdown(Read)` wakes a
//! thread that waits in `read`, and sends nothing. A thread that waits in `write` checks every second.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::message::limits::Limits;
use crate::message::seconds::InSeconds;
use crate::net::connections::{Entry, FINAL_REQUEST_WAIT};
use crate::net::observer::{End, Observer};
use crate::net::shared::set_stream_options;
use crate::observe::Follower;
use crate::sys;
use crate::transcript::Side;

/// Bytes of a read on a connection that never had more to read at once.
const BUFFER_BYTES: usize = 16 * 1024;

/// Bytes of a read after one that filled the buffer. A fast sender's bytes take fewer calls and fewer
/// acknowledgements: with 1 MiB, all three programs of a download together take a tenth less processor
/// time than with 256 KiB. (Linux's splice(2) copies nothing, and was slower between sockets of one
/// machine in each round.)
pub const LARGE_READ: usize = 1024 * 1024;

/// The same where all bytes are recorded: what is printed of one read waits in memory.
pub const LARGE_RECORDED_READ: usize = 256 * 1024;

/// A thread's stack: room for calls.
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

/// How long the end of the server's direction waits to be reported. If the client ends within this
/// time and sends nothing before, the connection is closed. Otherwise the server has half-closed,
/// as far as is known: the client may still send.
const HALF_CLOSE_WAIT: Duration = Duration::from_millis(100);

/// How long a reset waits until the bytes before it have arrived. A reset lets the kernel drop them.
const RESET_WAIT: Duration = Duration::from_secs(5);

/// How long bytes are read from a side to which a reset is passed on: those that it has sent before.
const DRAIN_TIME: Duration = Duration::from_millis(100);

/// Time between two checks whether bytes have arrived.
const RESET_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The two sockets of a connection: the client's and the server's.
pub struct Link<'a> {
    entry: &'a Entry,
    number: u64,
    client: &'a TcpStream,
    server: TcpStream,
    follower: &'a Follower,
    /// Bytes of a read after one that filled the buffer.
    large_read: usize,
    idle_timeout: Duration,
    /// True once watch is to stop.
    stopping: &'a AtomicBool,
    opened: Instant,
    /// When the last bytes crossed, in milliseconds since `opened`.
    last_active: AtomicU64,
    state: Mutex<LinkState>,
    /// Notified when the end of the server's direction is reported or a write that is awaited is
    /// over, and when the link is.
    changed: Condvar,
}

struct LinkState {
    /// Reads whose bytes are not yet written to the other side.
    unwritten_reads: usize,
    client: SideState,
    server: SideState,
    /// Whether the thread of one direction waits until the write of the other is over.
    awaits_write: bool,
    /// Whether the server's direction has ended, and this is not reported yet.
    has_unreported_end: bool,
    /// The side that has reset the connection first.
    first_reset: Option<Side>,
    /// Whether the link is over: nothing more is read, written or shown.
    is_over: bool,
    /// Whether watch is stopping, and has ended the client's half itself.
    is_ended_by_watch: bool,
    end: LinkEnd,
}

/// What is known of one side.
#[derive(Clone, Copy, Default)]
struct SideState {
    /// Whether all that it sent was read.
    has_ended: bool,
    /// Whether it has reset the connection: nothing can be written to it.
    is_reset: bool,
}

impl<'a> Link<'a> {
    /// A link of an accepted connection and one to the server.
    pub fn new(
        entry: &'a Entry,
        server: TcpStream,
        follower: &'a Follower,
        large_read: usize,
        limits: &Limits,
        stopping: &'a AtomicBool,
    ) -> Link<'a> {
        // If that fails, the connection is broken already, and its first read says so.
        let _ = set_stream_options(&server, limits);
        let state = LinkState {
            unwritten_reads: 0,
            awaits_write: false,
            client: SideState::default(),
            server: SideState::default(),
            has_unreported_end: false,
            first_reset: None,
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
            large_read,
            idle_timeout: limits.idle_timeout,
            stopping,
            opened: Instant::now(),
            last_active: AtomicU64::new(0),
            state: Mutex::new(state),
            changed: Condvar::new(),
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
        let first_reset = self.state().first_reset;
        if let Some(side) = first_reset {
            self.pass_reset_on(side);
        }
        let end = self.state().end;
        match &relayed {
            Ok(()) if end == LinkEnd::Closed => {}
            Ok(()) => {
                let seconds = InSeconds(self.idle_timeout);
                self.note(&format!("no byte crossed for {seconds} s"));
            }
            Err(error) => self.note(&format!("cannot create a thread: {error}")),
        }
        self.follower.gone(self.number);
        relayed.map(|()| end)
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

    /// Copies the bytes of one side to the other, until that side has ended, or nothing of the other
    /// side is left to copy after it has reset the connection.
    fn copy(&self, from: Side) {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut source = self.socket(from);
        while self.state().is_needed(from) {
            match source.read(&mut buffer) {
                Ok(0) => return self.end(from),
                Ok(length) => {
                    let bytes = &buffer[..length];
                    if !(self.crossed(from, bytes) && self.write(from.other(), bytes)) {
                        return;
                    }
                    if length == BUFFER_BYTES {
                        buffer.resize(self.large_read, 0);
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    _ if sys::is_shut(&error) => return self.end(from),
                    _ if sys::is_read_timeout(&error) => match self.time_left() {
                        Some(left) => drop(source.set_read_timeout(Some(sys::read_slice(left)))),
                        None => return,
                    },
                    _ => {
                        self.state().mark_reset(from);
                        return self.end(from);
                    }
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
            Side::Client => {
                self.report_server_end(&mut state, End::ServerHalfClosed);
                self.follower.received(self.number, bytes);
            }
            Side::Server => self.follower.sent(self.number, bytes),
        }
        true
    }

    /// Writes all of the bytes to a side, or drops them if it has reset the connection. False if the
    /// link is over.
    fn write(&self, to: Side, mut bytes: &[u8]) -> bool {
        let mut sink = self.socket(to);
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
                    // Its reading half tells whether the server sent FIN or RST first: an early answer
                    // that ends in FIN stays one. A client that has closed resets what it is sent.
                    ErrorKind::BrokenPipe if to == Side::Server => break,
                    _ => {
                        self.state().mark_reset(to);
                        break;
                    }
                },
            }
        }
        let mut state = self.state();
        state.unwritten_reads -= 1;
        if std::mem::take(&mut state.awaits_write) {
            self.changed.notify_all();
        }
        self.mark_idle(&state);
        true
    }

    /// Ends a direction on the other socket too, after all bytes of its side were read.
    fn end(&self, from: Side) {
        let mut state = self.state();
        // The thread that writes to this side may have met its reset just now. Then the socket is
        // not connected, this thread reads as if a FIN had come, and the end of that write marks
        // the reset.
        let may_be_reset = state.unwritten_reads > 0 && !state.side(from).is_reset;
        if may_be_reset && self.socket(from).peer_addr().is_err() {
            state.awaits_write = true;
            let is_writing = |state: &mut LinkState| state.awaits_write && !state.is_over;
            let waited = self.changed.wait_while(state, is_writing);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
        if !state.is_needed(from) {
            return; // watch has woken this thread
        }
        state.side(from).has_ended = true;
        let other = self.socket(from.other());
        if state.side(from).is_reset {
            // Wakes its thread. The reset is passed on when both threads have ended.
            let _ = other.shutdown(Shutdown::Read);
            self.changed.notify_all();
            return;
        }
        match from {
            Side::Client => {
                state.is_ended_by_watch |= self.entry.idle.end();
                self.report_server_end(&mut state, End::ServerClosed);
                match state.is_ended_by_watch {
                    true => self.note("watch is stopping"),
                    false => self.follower.ended(self.number, End::ClientClosed),
                }
            }
            Side::Server => state.has_unreported_end = true,
        }
        let _ = other.shutdown(Shutdown::Write); // fails if that side has closed
        if from == Side::Server {
            self.await_report(state);
        }
    }

    /// Waits until the client has ended or has sent more, which tells how the server has ended. If
    /// it does neither for a while, the server has half-closed: what comes later cannot make that
    /// untrue.
    fn await_report(&self, state: MutexGuard<'_, LinkState>) {
        let is_unknown = |state: &mut LinkState| {
            state.has_unreported_end && !state.client.has_ended && !state.is_over
        };
        let waited = self.changed.wait_timeout_while(state, HALF_CLOSE_WAIT, is_unknown);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let end = if state.client.has_ended { End::ServerClosed } else { End::ServerHalfClosed };
        self.report_server_end(&mut state, end);
    }

    /// Reports the end of the server's direction, unless it was reported, or follows from what watch
    /// did itself.
    fn report_server_end(&self, state: &mut LinkState, end: End) {
        if std::mem::take(&mut state.has_unreported_end) && !state.is_ended_by_watch {
            self.follower.ended(self.number, end);
        }
        self.changed.notify_all();
    }

    /// Passes a reset on to the other side, after the bytes before it have arrived there. What the other
    /// side has sent until then is shown, and goes nowhere.
    fn pass_reset_on(&self, side: Side) {
        let other = side.other();
        let mut stream = self.socket(other);
        let _ = stream.set_nonblocking(true); // else each read waits, and the deadline counts
        let (mut buffer, since) = ([0; BUFFER_BYTES], Instant::now());
        while since.elapsed() < RESET_WAIT {
            let has_arrived = sys::unacknowledged(stream) == 0 || self.state().side(other).is_reset;
            match stream.read(&mut buffer) {
                Ok(length @ 1..) if since.elapsed() < DRAIN_TIME => {
                    self.crossed(other, &buffer[..length]);
                }
                _ if has_arrived => break,
                Ok(1..) => {}
                // The socket is not connected if the other side has reset the connection too.
                _ if stream.peer_addr().is_err() => break,
                _ => thread::sleep(RESET_POLL_INTERVAL),
            }
        }
        if !self.state().is_ended_by_watch {
            let end = match side {
                Side::Client => End::ClientReset,
                Side::Server => End::ServerReset,
            };
            self.follower.ended(self.number, end);
        }
        if let Err(error) = sys::reset_on_close(stream) {
            log::debug!("connection {}: a reset is passed on as a close: {error}", self.number);
        }
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
        self.changed.notify_all();
        let how = match cut_response(self.entry, self.follower) {
            true => Shutdown::Read, // the close is to be a reset, and no FIN before
            false => Shutdown::Both,
        };
        let _ = self.client.shutdown(how);
        let _ = self.server.shutdown(Shutdown::Both);
        None
    }

    fn mark_active(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_active.store(now, Ordering::Relaxed);
    }

    /// Tells the viewers why watch itself has ended the connection.
    fn note(&self, why: &str) {
        note(self.follower, self.number, why);
    }

    fn socket(&self, of: Side) -> &TcpStream {
        match of {
            Side::Client => self.client,
            Side::Server => &self.server,
        }
    }

    fn state(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the viewers why watch itself has ended a connection.
fn note(follower: &Follower, number: u64, why: &str) {
    follower.noted(number, &format!("watch has ended this connection: {why}"));
}

/// If the server's response is not complete, the client's connection will be reset when it is closed.
/// Returns whether that is so.
fn cut_response(entry: &Entry, follower: &Follower) -> bool {
    let number = entry.identity.number;
    follower.is_within_response(number)
        && sys::reset_on_close(&entry.stream)
            .inspect_err(|error| log::debug!("connection {number}: no reset: {error}"))
            .is_ok()
}

/// Ends connections at the end of the grace time. The process ends right after, and so closes them.
pub fn cut_off(entries: &[Arc<Entry>], follower: &Follower) {
    // Watch has ended the other ones before.
    let cut = || entries.iter().filter(|entry| !entry.idle.was_closed());
    for entry in cut() {
        cut_response(entry, follower);
        note(follower, entry.identity.number, "its exchange was not complete in the grace time");
    }
    // A reset lets the kernel drop bytes that have not arrived.
    let since = Instant::now();
    while cut().any(|entry| sys::unacknowledged(&entry.stream) > 0) && since.elapsed() < DRAIN_TIME
    {
        thread::sleep(RESET_POLL_INTERVAL);
    }
}

impl LinkState {
    fn side(&mut self, side: Side) -> &mut SideState {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Whether a side's bytes are still to be read. False once the other side has reset the connection,
    /// and all that it sent was written.
    fn is_needed(&mut self, from: Side) -> bool {
        let other = *self.side(from.other());
        !(self.is_over || (other.is_reset && other.has_ended))
    }

    fn mark_reset(&mut self, side: Side) {
        if self.is_over {
            return; // watch has shut the sockets, and a side may answer that with a reset
        }
        self.side(side).is_reset = true;
        self.first_reset.get_or_insert(side);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

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
        let link = Link::new(&entry, to_server, &follower, LARGE_READ, &limits, &stopping);
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
