//! # The registry of open connections, idle marks, and permits
//!
//! The registry is used in two cases. At the limit on connections, and in a shortage of descriptors
//! or threads, to choose an idle connection to close. When the server stops, to find all
//! connections.
//!
//! ```text
//! WAITING ── a request arrives ──> BUSY ── it is answered ──> WAITING
//!    │          RECEIVING <── a part of it arrives ── ┘
//!    └────── another thread shuts the reading half ──> CLOSED
//! ```
//! Next: [`shutdown`](super::shutdown).

use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Every open connection by its number, and whether the server is stopping.
#[derive(Default)]
pub struct Connections {
    stopping: AtomicBool,
    /// Whether it stops at once: a connection is not given time for a request, or for the rest of one.
    stopping_at_once: AtomicBool,
    entries: Mutex<Entries>,
    /// Notified when the server is to stop, when the supervisor is needed and, while the server is
    /// stopping, when a connection ends.
    changed: Condvar,
    /// When no connection was found that had been idle for long enough: microseconds since 1970.
    none_idle_at: AtomicU64,
}

pub(super) type Entries = HashMap<u64, Arc<Entry>>;

/// One open connection. Its worker and the thread that may shut the socket share one `TcpStream`: a
/// `try_clone` would need a second descriptor for each connection, and so allow half as many.
pub struct Entry {
    /// Its number, and the client's address.
    pub identity: Identity,
    /// The client's socket.
    pub stream: TcpStream,
    /// Whether another thread may close it.
    pub idle: IdleMark,
}

/// What names a connection in logs and to the observers.
#[derive(Clone, Copy)]
pub struct Identity {
    /// Counted from 1 since the server started.
    pub number: u64,
    /// The client's address.
    pub peer: SocketAddr,
}

impl Entry {
    /// If the connection waits for a request, shuts its reading half: the worker's blocked read returns 0
    /// bytes, and the worker closes it. A request that has arrived is still read and answered. Returns
    /// false if the connection is busy, or closed already.
    pub fn close_if_idle(&self) -> bool {
        self.close_if(WAITING)
    }

    /// As [`close_if_idle`](Entry::close_if_idle), if the connection waits for the rest of a request.
    fn close_if_receiving(&self) -> bool {
        self.close_if(RECEIVING)
    }

    fn close_if(&self, state: u8) -> bool {
        let was_waiting = self.idle.try_close(state);
        if was_waiting {
            let _ = self.stream.shutdown(Shutdown::Read);
        }
        was_waiting
    }

    /// Shuts both halves: the worker's next read or write ends.
    pub(super) fn cut_off(&self) {
        self.idle.was_closed.store(true, Ordering::SeqCst);
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Connections {
    /// The flag that [`stop`](Connections::stop) sets. A connection reads it before each response
    /// and each wait for a request.
    pub fn stopping(&self) -> &AtomicBool {
        &self.stopping
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The flag that [`stop_at_once`](Connections::stop_at_once) sets.
    pub(super) fn stopping_at_once(&self) -> &AtomicBool {
        &self.stopping_at_once
    }

    pub(super) fn is_stopping_at_once(&self) -> bool {
        self.stopping_at_once.load(Ordering::SeqCst)
    }

    /// Tells the server to stop, and wakes the supervisor. Returns at once.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// As [`stop`](Connections::stop), also where the server is stopping already. A connection that waits
    /// for a request, or for the rest of one, is closed at once.
    pub(super) fn stop_at_once(&self) {
        self.stopping_at_once.store(true, Ordering::SeqCst);
        self.stop();
    }

    /// Adds a connection.
    pub(super) fn register(&self, identity: Identity, stream: TcpStream) -> Arc<Entry> {
        let entry = Arc::new(Entry { identity, stream, idle: IdleMark::default() });
        self.entries().insert(identity.number, Arc::clone(&entry));
        entry
    }

    /// Removes a connection that has ended, and passes its permit on. Both happen under the lock:
    /// so [`close_oldest_idle`](Connections::close_oldest_idle) closes exactly as many as are
    /// missing.
    pub(super) fn unregister(&self, entry: &Entry, permit: Option<Permit<'_>>) {
        let mut entries = self.entries();
        entries.remove(&entry.identity.number);
        drop(permit);
        drop(entries);
        if self.is_stopping() {
            self.changed.notify_all();
        }
    }

    /// All entries, locked. Nothing that runs under the lock can panic, so it is never poisoned.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes every connection that waits for a request.
    pub(super) fn close_idle(&self) {
        for entry in self.entries().values() {
            entry.close_if_idle();
        }
    }

    /// Closes every connection that waits for a request, or for the rest of one.
    pub(super) fn close_waiting(&self) {
        for entry in self.entries().values() {
            let _ = entry.close_if_idle() || entry.close_if_receiving();
        }
    }

    /// Closes (evicts) the connection that has been idle longest, so that a new one can be
    /// accepted. Closes none if none has been idle for [`MIN_IDLE_TIME`], or if as many as are
    /// `missing` are being closed already.
    pub(super) fn close_oldest_idle(&self, missing: impl Fn() -> usize) {
        let now = microseconds(SystemTime::now());
        let entries = self.entries();
        // To look at every connection takes time, and many new ones may ask at once.
        if is_just_before(self.none_idle_at.load(Ordering::Relaxed), now) {
            return;
        }
        if entries.values().filter(|entry| entry.idle.is_closed()).count() >= missing() {
            return;
        }
        loop {
            let idle = entries.values().filter(|entry| entry.idle.is_waiting_at(now));
            let oldest = idle.min_by_key(|entry| (entry.idle.since(), entry.identity.number));
            match oldest {
                None => return self.none_idle_at.store(now, Ordering::Relaxed),
                Some(entry) if entry.close_if_idle() => return,
                Some(_) => {} // a request has arrived there just now
            }
        }
    }

    /// Wakes every thread in [`wait_while`](Connections::wait_while). The lock is taken first, so that
    /// no thread is between its check and its wait.
    pub(super) fn wake_all(&self) {
        drop(self.entries());
        self.changed.notify_all();
    }

    /// Waits while `holds` is true of the entries, until the deadline if there is one.
    pub(super) fn wait_while(
        &self,
        holds: impl Fn(&Entries) -> bool,
        deadline: Option<Instant>,
    ) -> MutexGuard<'_, Entries> {
        let mut entries = self.entries();
        while holds(&entries) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            entries = match left {
                Some(Duration::ZERO) => break,
                None => self.changed.wait(entries).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.changed.wait_timeout(entries, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        entries
    }
}

/// Whether a connection is idle: it waits for a request. Only then may another thread close it, and
/// if the server stops at once, also while it waits for the rest of a request. The worker and the
/// closing thread each change the mark in one atomic step, so exactly one of them wins.
#[derive(Default)]
pub struct IdleMark {
    state: AtomicU8,
    /// Whether another thread has shut the reading half.
    was_closed: AtomicBool,
    /// The time since which it is idle: microseconds since 1970.
    since: AtomicU64,
}

/// The shortest idle time after which a connection is closed to make room for a new one. The client
/// of a younger one is probably about to send a request: its first one, or the next of several. A
/// request that crosses the close on its way is lost (RFC 9112 section 9.5).
pub(super) const MIN_IDLE_TIME: Duration = Duration::from_millis(2);

const BUSY: u8 = 0;
const WAITING: u8 = 1;
const RECEIVING: u8 = 2;
const CLOSED: u8 = 3;

impl IdleMark {
    /// Marks the connection as waiting for a request.
    pub fn begin(&self) {
        self.state.store(WAITING, Ordering::SeqCst);
    }

    /// Marks the connection as waiting for the rest of a request.
    pub(super) fn begin_rest(&self) {
        self.state.store(RECEIVING, Ordering::SeqCst);
    }

    /// Marks the connection as busy. True if another thread has shut its reading half, or is about
    /// to.
    pub fn end(&self) -> bool {
        self.state.swap(BUSY, Ordering::SeqCst) == CLOSED
    }

    /// Records the time from which on the next wait counts: the connection was accepted then, or
    /// its last response was sent. It is the time of the Date field, so that a request needs no
    /// clock of its own for this. If that clock is set back, another idle connection may be closed
    /// first.
    pub fn set_since(&self, time: SystemTime) {
        self.since.store(microseconds(time), Ordering::Relaxed);
    }

    fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// Whether the connection waits, and did so [`MIN_IDLE_TIME`] before `now`. Seen from another
    /// thread, this can change at any moment.
    fn is_waiting_at(&self, now: u64) -> bool {
        self.state.load(Ordering::SeqCst) == WAITING && !is_just_before(self.since(), now)
    }

    /// Whether its reading half is shut, and its worker has not ended it yet.
    fn is_closed(&self) -> bool {
        self.state.load(Ordering::SeqCst) == CLOSED
    }

    /// Claims the right to shut the reading half. False if the connection is in another state.
    fn try_close(&self, waits: u8) -> bool {
        let step = self.state.compare_exchange(waits, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
        self.was_closed.fetch_or(step.is_ok(), Ordering::SeqCst);
        step.is_ok()
    }

    /// Whether another thread has shut its reading half. If it waited, the end of its socket cuts off
    /// nothing, unless a request arrived in that very moment. A read that returns 0 after this does not
    /// say that the client has ended.
    pub fn was_closed(&self) -> bool {
        self.was_closed.load(Ordering::SeqCst)
    }
}

/// Whether less than [`MIN_IDLE_TIME`] lies between two times in microseconds. False if the second
/// is the earlier one, because the clock was set back.
fn is_just_before(time: u64, now: u64) -> bool {
    now.checked_sub(time).is_some_and(|passed| Duration::from_micros(passed) < MIN_IDLE_TIME)
}

/// Microseconds since 1970. A time before 1970 becomes 1970.
fn microseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().saturating_mul(1_000_000).saturating_add(since.subsec_micros().into())
}

/// Time for which a stopping server waits for a request on each idle connection. A request within this
/// time is answered with `Connection: close`; after it the connection is closed. A request that is on
/// its way at that moment is lost, which no server can prevent (RFC 9112 section 9.5). The longer a
/// client has been silent, the less likely it is to send just then.
pub const FINAL_REQUEST_WAIT: Duration = Duration::from_millis(50);

/// Time for the same where the server stops at once: enough to read what has arrived.
pub(super) const ARRIVED_WAIT: Duration = Duration::from_millis(1);

/// Permits to serve a connection. A dropped one is passed on to the connection that has waited
/// longest, so that a new one does not overtake it.
#[derive(Default)]
pub(super) struct Permits(Mutex<PermitState>);

#[derive(Default)]
struct PermitState {
    /// Permits that exist.
    taken: usize,
    /// The threads that wait for one, in their order. A permit is passed on to a thread by removing
    /// it here. While a thread waits, all permits are taken.
    waiting: VecDeque<Thread>,
}

/// New connections that wait for a permit at one time, at most. Each has a thread on top of the
/// limit.
const MAX_WAITING: usize = 64;

impl Permits {
    /// Takes a permit; `None` if `limit` permits are taken.
    pub fn acquire(&self, limit: usize) -> Option<Permit<'_>> {
        let mut state = self.state();
        let is_free = state.taken < limit;
        state.taken += usize::from(is_free);
        is_free.then(|| Permit(self))
    }

    /// Takes a permit, and waits for it for `time` at most. Calls `make_room` at once and then each
    /// [`MIN_IDLE_TIME`]: it may close connections. `None` when the time is over, or at once if too
    /// many wait.
    pub fn wait(&self, limit: usize, time: Duration, make_room: impl Fn()) -> Option<Permit<'_>> {
        let (this, deadline) = (thread::current(), Instant::now() + time);
        let mut state = self.state();
        if state.taken < limit {
            state.taken += 1;
            return Some(Permit(self));
        }
        if state.waiting.len() >= MAX_WAITING {
            return None;
        }
        state.waiting.push_back(this.clone());
        loop {
            drop(state);
            make_room();
            let left = deadline.saturating_duration_since(Instant::now());
            thread::park_timeout(left.min(MIN_IDLE_TIME));
            state = self.state();
            let place = state.waiting.iter().position(|thread| thread.id() == this.id());
            let Some(place) = place else { return Some(Permit(self)) };
            if Instant::now() >= deadline {
                state.waiting.remove(place);
                return None;
            }
        }
    }

    /// How many connections wait for a permit.
    pub fn missing(&self) -> usize {
        self.state().waiting.len()
    }

    /// The state, locked. Nothing that runs under the lock can panic.
    fn state(&self) -> MutexGuard<'_, PermitState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A permit to serve one connection.
pub(super) struct Permit<'a>(&'a Permits);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        match state.waiting.pop_front() {
            Some(thread) => thread.unpark(),
            None => state.taken -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn only_an_idle_connection_can_be_closed_and_its_worker_sees_it() {
        let idle = IdleMark::default();
        assert!(!idle.try_close(WAITING) && !idle.end());
        idle.begin();
        assert!(idle.try_close(WAITING) && !idle.try_close(WAITING));
        assert!(idle.end() && !idle.end());
        idle.begin_rest();
        assert!(!idle.try_close(WAITING) && idle.try_close(RECEIVING) && idle.end());
    }

    /// An entry that has waited for a request for so many milliseconds.
    fn idle_entry(connections: &Connections, number: u64, milliseconds: u64) -> Arc<Entry> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let stream = TcpStream::connect(peer).unwrap();
        let entry = connections.register(Identity { number, peer }, stream);
        entry.idle.set_since(SystemTime::now() - Duration::from_millis(milliseconds));
        entry.idle.begin();
        entry
    }

    #[test]
    fn the_connection_that_has_been_idle_longest_is_closed_first() {
        let connections = Connections::default();
        let idle_times = [(1, 60_000), (2, 3_600_000), (3, 120_000)];
        for (number, idle) in idle_times {
            idle_entry(&connections, number, idle);
        }
        let busy = idle_entry(&connections, 4, 7_200_000);
        assert!(!busy.idle.end());
        for expected in [2, 3, 1] {
            connections.close_oldest_idle(|| 1);
            connections.close_oldest_idle(|| 1); // one is being closed already
            let closed = connections.entries().remove(&expected);
            assert!(closed.is_some_and(|entry| entry.idle.end()), "{expected}");
        }
        connections.close_oldest_idle(|| 1);
        assert!(!busy.idle.end());
    }

    #[test]
    fn a_connection_that_became_idle_just_now_is_not_closed_unless_the_clock_was_set_back() {
        let (now, idle) = (microseconds(SystemTime::now()), IdleMark::default());
        idle.set_since(UNIX_EPOCH + Duration::from_micros(now));
        idle.begin();
        let minimum = MIN_IDLE_TIME.as_micros() as u64;
        for (later, may_close) in [(0, false), (minimum - 1, false), (minimum, true)] {
            assert_eq!(idle.is_waiting_at(now + later), may_close, "{later}");
        }
        assert!(idle.is_waiting_at(now - 1));
        idle.end();
        assert!(!idle.is_waiting_at(now + minimum));
    }

    #[test]
    fn a_dropped_permit_can_be_acquired_again() {
        let permits = Permits::default();
        let first = permits.acquire(1);
        assert!(first.is_some() && permits.acquire(1).is_none());
        drop(first);
        assert!(permits.acquire(1).is_some());
    }

    #[test]
    fn a_dropped_permit_is_passed_on_to_the_thread_that_has_waited_longest() {
        let (permits, order) = (Permits::default(), Mutex::new(Vec::new()));
        let first = permits.acquire(1).unwrap();
        thread::scope(|scope| {
            for number in 0..5 {
                let (permits, order) = (&permits, &order);
                scope.spawn(move || {
                    let permit = permits.wait(1, Duration::from_secs(60), || {}).unwrap();
                    order.lock().unwrap().push(number);
                    assert!(permits.acquire(1).is_none());
                    drop(permit);
                });
                while permits.state().waiting.len() <= number {
                    thread::yield_now();
                }
            }
            drop(first);
        });
        assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4]);
        assert!(permits.acquire(1).is_some());
    }

    #[test]
    fn a_wait_for_a_permit_ends_in_time_and_is_refused_if_too_many_wait() {
        let (permits, calls) = (Permits::default(), Mutex::new(Vec::new()));
        let first = permits.acquire(1);
        let time = 50 * MIN_IDLE_TIME;
        let since = Instant::now();
        let none = permits.wait(1, time, || calls.lock().unwrap().push(permits.missing()));
        assert!(none.is_none() && since.elapsed() >= time);
        let calls = calls.into_inner().unwrap();
        assert!(calls.len() >= 2 && calls.iter().all(|missing| *missing == 1), "{calls:?}");

        let waiting = || permits.wait(1, Duration::from_secs(60), || {}).is_some();
        thread::scope(|scope| {
            let threads = (0..MAX_WAITING).map(|_| scope.spawn(waiting)).collect::<Vec<_>>();
            while permits.state().waiting.len() < MAX_WAITING {
                thread::yield_now();
            }
            assert!(permits.wait(1, Duration::from_secs(60), || {}).is_none());
            drop(first);
            assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
        });
    }
}
