//! # Follows each connection once, for all viewers
//!
//! The trace, the recordings and the kept exchanges all need to know which bytes are head and content,
//! and where each message ends. A follower follows each connection once, for all of its viewers.
//!
//! ```text
//! Server or watch ── bytes ──> Follower ── bytes and their ranges ──> Trace, Recorder, Exchanges
//!                              one Dialogue for each connection
//! ```
//! While no viewer is active, no connection is followed: that costs a request more than all the rest of
//! the server. When one becomes active, the connections that are open are followed from their next
//! request on.
//!
//! Bounds: a dialogue keeps little of usual messages. All connections together keep 64 MiB of long heads
//! and lines; beyond that, a connection keeps only what frames its messages.
//!
//! Left out: judging the messages, and printing them.  Next: `trace`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::message::dialogue::{Dialogue, Followed, Side, begins_message};
use crate::message::reader::Part;
use crate::net::observer::{Answered, End, Observer, report};
use crate::route::RouteRow;
use crate::transcript::EventKind;

/// The bytes of one read or write, and what they are.
pub struct FollowedBytes<'a> {
    /// The side that sent them.
    pub from: Side,
    /// The bytes.
    pub bytes: &'a [u8],
    /// What they are part of. The lengths of the ranges add up to the bytes.
    pub ranges: &'a Arc<[Followed]>,
    /// Whether the first of them begins a message.
    pub begins_message: bool,
    /// Bytes of content of the message that they continue, before them.
    pub content_before: u64,
    /// Whether an exchange is in flight after them.
    pub is_in_flight: bool,
}

/// What is told by a [`Follower`]. It is told what an [`Observer`] is told, but for the bytes it is also told
/// what they are. (It is no `Observer` itself, since without a follower it would show no byte.)
pub trait Viewer: Send + Sync {
    /// One side sent these bytes: [`Observer::received`] and [`Observer::sent`].
    fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>);
    /// Whether it shows or keeps what it is told. While no viewer does, it is told of no connection that
    /// is opened.
    fn is_active(&self) -> bool {
        true
    }
    /// See [`Observer::started`].
    fn started(&self, _address: SocketAddr, _routes: &[RouteRow]) {}
    /// See [`Observer::opened`].
    fn opened(&self, _connection: u64, _peer: SocketAddr) {}
    /// A connection that was opened before is followed from here on.
    fn joined(&self, connection: u64, peer: SocketAddr) {
        self.opened(connection, peer);
    }
    /// See [`Observer::routed`].
    fn routed(&self, _connection: u64, _route: Option<&RouteRow>) {}
    /// See [`Observer::handling`].
    fn handling(&self, _connection: u64) {}
    /// See [`Observer::handled`].
    fn handled(&self, _connection: u64, _notes: &[String]) {}
    /// See [`Observer::answered`].
    fn answered(&self, _connection: u64, _exchange: &Answered<'_>) {}
    /// See [`Observer::ended`].
    fn ended(&self, _connection: u64, _end: End) {}
    /// A sentence about the connection that is true of neither side: watch itself has ended it.
    fn noted(&self, _connection: u64, _sentence: &str) {}
    /// See [`Observer::gone`].
    fn gone(&self, _connection: u64) {}
}

/// An observer that follows each connection from its first byte, and tells its viewers what crossed. A
/// viewer that panics is logged, and the others are told all the same.
pub struct Follower {
    viewers: Vec<Arc<dyn Viewer>>,
    connections: Mutex<HashMap<u64, OpenConnection>>,
    /// How many of them are followed.
    followed: AtomicUsize,
    /// What the long messages of all connections take in memory.
    long_bytes: AtomicUsize,
}

/// A connection, and what is known of its bytes if it is followed.
struct OpenConnection {
    peer: SocketAddr,
    followed: Option<Arc<Mutex<FollowedDialogue>>>,
}

/// Bytes of memory that a dialogue may take before they are counted.
const USUAL_BYTES: usize = 32 * 1024;

/// Bytes that the long messages of all connections may take.
const MAX_LONG_BYTES: usize = 64 * 1024 * 1024;

/// A connection that is followed.
#[derive(Default)]
struct FollowedDialogue {
    dialogue: Dialogue,
    /// Bytes of content of the current message: the client's, and the server's.
    client_content: u64,
    server_content: u64,
    /// Its part of [`Follower::long_bytes`].
    long_bytes: usize,
}

impl FollowedDialogue {
    /// Follows these bytes. Returns how much content was before them, and what they are.
    fn follow(&mut self, from: Side, bytes: &[u8]) -> (u64, Vec<Followed>) {
        let ranges = self.dialogue.follow(from, bytes);
        let content = match from {
            Side::Client => &mut self.client_content,
            Side::Server => &mut self.server_content,
        };
        let before = *content;
        for range in &ranges {
            match range.part {
                Part::Content => *content += range.length as u64,
                Part::Head => *content = 0,
                Part::Framing | Part::Unframed => {}
            }
        }
        (before, ranges)
    }

    /// Counts what a long message takes in memory, and gives it up if all together take too much.
    fn bound_memory(&mut self, of_all: &AtomicUsize) {
        let long_bytes = |dialogue: &Dialogue| match dialogue.memory() {
            usual if usual <= USUAL_BYTES => 0,
            long => long,
        };
        let before = self.long_bytes;
        self.long_bytes = long_bytes(&self.dialogue);
        if before == 0 && self.long_bytes == 0 {
            return;
        }
        let others = of_all.fetch_sub(before, Ordering::Relaxed) - before;
        if self.long_bytes > 0 && others + self.long_bytes > MAX_LONG_BYTES {
            self.dialogue.shrink();
            self.long_bytes = long_bytes(&self.dialogue);
        }
        of_all.fetch_add(self.long_bytes, Ordering::Relaxed);
    }
}

impl Follower {
    /// A follower for these viewers. They are told in this order.
    pub fn new(viewers: Vec<Arc<dyn Viewer>>) -> Follower {
        let (followed, long_bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Follower { viewers, connections: Mutex::default(), followed, long_bytes }
    }

    /// Whether new connections are followed. Without viewers they are, for those that ask what is in
    /// flight.
    fn is_active(&self) -> bool {
        self.viewers.is_empty() || self.viewers.iter().any(|viewer| viewer.is_active())
    }

    /// Makes a call to each viewer, if any connection is followed.
    fn tell(&self, call: impl Fn(&(dyn Viewer + 'static))) {
        if self.followed.load(Ordering::Relaxed) > 0 {
            report(&self.viewers, call);
        }
    }

    /// Whether a request or a response has begun and not ended; see [`Dialogue::is_in_flight`].
    pub(crate) fn is_in_flight(&self, connection: u64) -> bool {
        self.connection(connection).is_some_and(|it| lock(&it).dialogue.is_in_flight())
    }

    /// Whether the server has begun a message and not ended it.
    pub(crate) fn is_within_response(&self, connection: u64) -> bool {
        self.connection(connection)
            .is_some_and(|it| lock(&it).dialogue.reader(Side::Server).is_within())
    }

    /// Tells the viewers a sentence about a connection: see [`Viewer::noted`].
    pub(crate) fn noted(&self, connection: u64, sentence: &str) {
        self.tell(|viewer| viewer.noted(connection, sentence));
    }

    /// Whether bytes may have to be followed. If not, the thread of a connection goes no deeper into its
    /// stack: each page of it that is touched stays in memory as long as the connection.
    fn may_follow(&self) -> bool {
        self.followed.load(Ordering::Relaxed) > 0 || self.is_active()
    }

    #[inline(never)]
    fn follow(&self, connection: u64, from: Side, bytes: &[u8]) {
        let known = self.connection(connection);
        let Some(followed) = known.or_else(|| self.join(connection, from, bytes)) else { return };
        let (begins_message, content_before, ranges, is_in_flight) = {
            let mut followed = lock(&followed);
            let begins_message = !followed.dialogue.reader(from).is_within();
            let (content_before, ranges) = followed.follow(from, bytes);
            followed.bound_memory(&self.long_bytes);
            (begins_message, content_before, ranges.into(), followed.dialogue.is_in_flight())
        };
        let followed = FollowedBytes {
            from,
            bytes,
            ranges: &ranges,
            begins_message,
            content_before,
            is_in_flight,
        };
        report(&self.viewers, |viewer| viewer.crossed(connection, &followed));
    }

    /// Follows a connection from here on, if a viewer is active and the client begins a request.
    fn join(
        &self,
        connection: u64,
        from: Side,
        bytes: &[u8],
    ) -> Option<Arc<Mutex<FollowedDialogue>>> {
        if from == Side::Server || !self.is_active() || !begins_message(from, bytes) {
            return None;
        }
        let (peer, joined) = {
            let mut connections = lock(&self.connections);
            let open = connections.get_mut(&connection).filter(|open| open.followed.is_none())?;
            (open.peer, Arc::clone(open.followed.insert(Arc::default())))
        };
        self.followed.fetch_add(1, Ordering::Relaxed);
        self.tell(|viewer| viewer.joined(connection, peer));
        Some(joined)
    }

    /// The connection, if it is followed.
    fn connection(&self, connection: u64) -> Option<Arc<Mutex<FollowedDialogue>>> {
        if self.followed.load(Ordering::Relaxed) == 0 {
            return None;
        }
        lock(&self.connections).get(&connection)?.followed.clone()
    }
}

impl Observer for Follower {
    fn started(&self, address: SocketAddr, routes: &[RouteRow]) {
        report(&self.viewers, |viewer| viewer.started(address, routes));
    }

    fn opened(&self, connection: u64, peer: SocketAddr) {
        let followed = self.is_active().then(Arc::default);
        let is_followed = followed.is_some();
        lock(&self.connections).insert(connection, OpenConnection { peer, followed });
        if is_followed {
            self.followed.fetch_add(1, Ordering::Relaxed);
            self.tell(|viewer| viewer.opened(connection, peer));
        }
    }

    fn received(&self, connection: u64, bytes: &[u8]) {
        if self.may_follow() {
            self.follow(connection, Side::Client, bytes);
        }
    }

    fn sent(&self, connection: u64, bytes: &[u8]) {
        if self.may_follow() {
            self.follow(connection, Side::Server, bytes);
        }
    }

    fn routed(&self, connection: u64, route: Option<&RouteRow>) {
        self.tell(|viewer| viewer.routed(connection, route));
    }

    fn handling(&self, connection: u64) {
        self.tell(|viewer| viewer.handling(connection));
    }

    fn handled(&self, connection: u64, notes: &[String]) {
        self.tell(|viewer| viewer.handled(connection, notes));
    }

    fn answered(&self, connection: u64, exchange: &Answered<'_>) {
        self.tell(|viewer| viewer.answered(connection, exchange));
    }

    fn ended(&self, connection: u64, end: End) {
        self.tell(|viewer| viewer.ended(connection, end));
    }

    fn gone(&self, connection: u64) {
        let removed = lock(&self.connections).remove(&connection);
        if let Some(followed) = removed.and_then(|open| open.followed) {
            self.long_bytes.fetch_sub(lock(&followed).long_bytes, Ordering::Relaxed);
            self.tell(|viewer| viewer.gone(connection));
            self.followed.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// `--- client half-close`, `--- server reset`: how a viewer writes the end of one side. A FIN says only
/// that its side sends no more. It may still read, until the other side has ended too.
pub(crate) fn end_event(end: End, server_ended: bool) -> EventKind {
    match end {
        End::ClientClosed if !server_ended => EventKind::HalfClose(Side::Client),
        End::ServerHalfClosed => EventKind::HalfClose(Side::Server),
        End::ClientClosed | End::ServerClosed => EventKind::Closed(end.side()),
        End::ClientReset | End::ServerReset => EventKind::Reset(end.side()),
    }
}

/// Locks a mutex, also after a thread that held it has panicked: the data of this folder is whole after
/// each step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is told, a line for each call.
    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Viewer for Lines {
        fn gone(&self, connection: u64) {
            lock(&self.0).push(format!("{connection} gone"));
        }

        fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>) {
            let FollowedBytes { from, bytes, ranges, is_in_flight, .. } = followed;
            let parts: Vec<String> =
                ranges.iter().map(|range| format!("{:?} {}", range.part, range.length)).collect();
            let (length, parts) = (bytes.len(), parts.join(", "));
            lock(&self.0).push(format!("{connection} {from:?} {length}: {parts}; {is_in_flight}"));
        }
    }

    /// A viewer that panics at each read and write.
    struct Panics;

    impl Viewer for Panics {
        fn crossed(&self, _: u64, _: &FollowedBytes<'_>) {
            panic!("a viewer's fault");
        }
    }

    #[test]
    fn each_viewer_is_told_what_crossed_until_the_connection_is_gone() {
        let (one, other) = (Arc::new(Lines::default()), Arc::new(Lines::default()));
        let follower = Follower::new(vec![one.clone(), Arc::new(Panics), other.clone()]);
        for connection in [1, 2] {
            follower.opened(connection, ([127, 0, 0, 1], 4000).into());
            follower.received(connection, b"HEAD / HTTP/1.1\r\n\r\n");
        }
        assert!(follower.is_in_flight(1) && follower.is_in_flight(2));
        follower.sent(1, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1");
        follower.sent(2, b"SSH");
        follower.gone(1);
        follower.received(1, b"after the end");
        assert!(!follower.is_in_flight(1) && follower.is_in_flight(2));
        let expected = [
            "1 Client 19: Head 19; true",
            "2 Client 19: Head 19; true",
            "1 Server 46: Head 38, Head 8; true",
            "2 Server 3: Unframed 3; true",
            "1 gone",
        ];
        assert_eq!(*lock(&one.0), expected);
        assert_eq!(*lock(&other.0), expected);
        follower.gone(2);
        assert!(lock(&follower.connections).is_empty());
    }

    /// A viewer that keeps lines only while it is active.
    #[derive(Default)]
    struct Sleeper {
        is_awake: std::sync::atomic::AtomicBool,
        lines: Lines,
    }

    impl Viewer for Sleeper {
        fn is_active(&self) -> bool {
            self.is_awake.load(Ordering::Relaxed)
        }

        fn joined(&self, connection: u64, peer: SocketAddr) {
            lock(&self.lines.0).push(format!("{connection} joined from {peer}"));
        }

        fn crossed(&self, connection: u64, followed: &FollowedBytes<'_>) {
            self.lines.crossed(connection, followed);
        }

        fn gone(&self, connection: u64) {
            self.lines.gone(connection);
        }
    }

    #[test]
    fn connections_that_are_open_already_are_followed_from_their_next_request_on() {
        let sleeper = Arc::new(Sleeper::default());
        let follower = Follower::new(vec![sleeper.clone()]);
        for connection in [1, 2, 3] {
            follower.opened(connection, ([127, 0, 0, 1], 4000).into());
            follower.received(connection, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
        }
        follower.gone(3);
        sleeper.is_awake.store(true, Ordering::Relaxed);
        follower.received(1, b"content 1");
        follower.sent(1, b"HTTP/1.1 204 N\r\n\r\n");
        assert_eq!(*lock(&sleeper.lines.0), [""; 0]);
        follower.received(1, b"GET / HTTP/1.1\r\n\r\n");
        follower.sent(1, b"HTTP/1.1 204 N\r\n\r\n");
        // What is followed is followed to its end.
        sleeper.is_awake.store(false, Ordering::Relaxed);
        follower.received(1, b"GET / HTTP/1.1\r\n\r\n");
        follower.received(2, b"GET / HTTP/1.1\r\n\r\n");
        follower.gone(1);
        follower.gone(2);
        let expected = [
            "1 joined from 127.0.0.1:4000",
            "1 Client 18: Head 18; true",
            "1 Server 18: Head 18; false",
            "1 Client 18: Head 18; true",
            "1 gone",
        ];
        assert_eq!(*lock(&sleeper.lines.0), expected);
        assert_eq!(follower.followed.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_long_heads_of_many_connections_take_bounded_memory_and_are_followed() {
        let lines = Arc::new(Lines::default());
        let follower = Follower::new(vec![lines.clone()]);
        let field = format!("X: {}\r\n", "y".repeat(1000));
        let long = format!("GET / HTTP/1.1\r\n{}", field.repeat(200));
        let connections = 1..=(MAX_LONG_BYTES / long.len() * 5 / 4) as u64;
        for connection in connections.clone() {
            follower.opened(connection, ([127, 0, 0, 1], 4000).into());
            follower.received(connection, long.as_bytes());
            assert!(follower.long_bytes.load(Ordering::Relaxed) <= MAX_LONG_BYTES);
        }
        assert!(follower.long_bytes.load(Ordering::Relaxed) > MAX_LONG_BYTES / 2);
        for connection in connections {
            follower.received(connection, b"\r\n");
            follower.sent(connection, b"HTTP/1.1 204 N\r\n\r\n");
            assert!(!follower.is_in_flight(connection), "{connection}");
            follower.gone(connection);
        }
        assert_eq!(follower.long_bytes.load(Ordering::Relaxed), 0);
        assert!(!lock(&lines.0).iter().any(|line| line.contains("Unframed")));
    }
}
