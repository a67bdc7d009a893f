//! # The registry of open connections, idle marks, and permits
//!
//! The registry is used in two cases. In a shortage of descriptors or threads, to choose an idle
//! connection to close. When the server stops, to find all connections.
//!
//! ```text
//! WAITING ── a request arrives ──> BUSY ── it is answered ──> WAITING
//!    └────── another thread shuts the reading half ──> CLOSED
//! ```
//! Next: [`shutdown`](super::shutdown).

use std::collections::{HashMap, HashSet};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Every open connection by its number, and whether the server is stopping.
#[derive(Default)]
pub struct Connections {
    stopping: AtomicBool,
    entries: Mutex<Entries>,
    /// Notified when the server is to stop, when the supervisor is needed and, while the server is
    /// stopping, when a connection ends.
    changed: Condvar,
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
    /// whether it waited.
    pub fn close_if_idle(&self) -> bool {
        let was_waiting = self.idle.try_close();
        if was_waiting {
            let _ = self.stream.shutdown(Shutdown::Read);
        }
        was_waiting
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

    /// Tells the server to stop, and wakes the supervisor. Returns at once.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    /// Adds a connection.
    pub(super) fn register(&self, identity: Identity, stream: TcpStream) -> Arc<Entry> {
        let entry = Arc::new(Entry { identity, stream, idle: IdleMark::default() });
        self.entries().insert(identity.number, Arc::clone(&entry));
        entry
    }

    /// Removes a connection that has ended.
    pub(super) fn unregister(&self, entry: &Entry) {
        self.entries().remove(&entry.identity.number);
        if self.is_stopping() {
            self.changed.notify_all();
        }
    }

    /// All entries, locked. Nothing that runs under the lock can panic, so it is never poisoned.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes every connection that waits for a request. Returns their numbers.
    pub(super) fn close_idle(&self) -> HashSet<u64> {
        let entries = self.entries();
        let closed = entries.iter().filter(|(_, entry)| entry.close_if_idle());
        closed.map(|(&number, _)| number).collect()
    }

    /// Closes (evicts) the idle connection that was accepted first, so that a new one can be accepted. If
    /// none is idle, closes none.
    pub(super) fn close_oldest_idle(&self) {
        let entries = self.entries();
        let idle = entries.iter().filter(|(_, entry)| entry.idle.is_waiting());
        if let Some((_, entry)) = idle.min_by_key(|(number, _)| **number) {
            entry.close_if_idle();
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

/// Whether a connection is idle: it waits for a request. Only then may another thread close it. The
/// worker and the closing thread each change the mark in one atomic step, so exactly one of them wins.
#[derive(Default)]
pub struct IdleMark(AtomicU8);

const BUSY: u8 = 0;
const WAITING: u8 = 1;
const CLOSED: u8 = 2;

impl IdleMark {
    /// Marks the connection as waiting for a request.
    pub fn begin(&self) {
        self.0.store(WAITING, Ordering::SeqCst);
    }

    /// Marks the connection as busy. True if another thread has shut its reading half, or is about
    /// to.
    pub fn end(&self) -> bool {
        self.0.swap(BUSY, Ordering::SeqCst) == CLOSED
    }

    /// Whether the connection waits. Seen from another thread, this can change at any moment.
    fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WAITING
    }

    /// Claims the right to shut the reading half. False if the connection is busy, or closed already.
    fn try_close(&self) -> bool {
        let step = self.0.compare_exchange(WAITING, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
        step.is_ok()
    }
}

/// Time for which a stopping server waits for a request on each idle connection. A request within this
/// time is answered with `Connection: close`; after it the connection is closed. A request that is on
/// its way at that moment is lost, which no server can prevent (RFC 9112 section 9.5). The longer a
/// client has been silent, the less likely it is to send just then.
pub const FINAL_REQUEST_WAIT: Duration = Duration::from_millis(50);

/// A permit to serve one connection. At most `limit` exist at a time; dropping one frees it for another
/// connection.
pub(super) struct Permit<'a>(&'a AtomicUsize);

impl<'a> Permit<'a> {
    /// Takes a permit; `None` if `limit` permits are taken.
    pub fn acquire(taken: &'a AtomicUsize, limit: usize) -> Option<Permit<'a>> {
        let one_more = |taken| (taken < limit).then_some(taken + 1);
        taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok().map(|_| Permit(taken))
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_idle_connection_can_be_closed_and_its_worker_sees_it() {
        let idle = IdleMark::default();
        assert!(!idle.try_close() && !idle.end());
        idle.begin();
        assert!(idle.try_close() && !idle.try_close());
        assert!(idle.end() && !idle.end());
    }

    #[test]
    fn a_dropped_permit_can_be_acquired_again() {
        let taken = AtomicUsize::new(0);
        let first = Permit::acquire(&taken, 1);
        assert!(first.is_some() && Permit::acquire(&taken, 1).is_none());
        drop(first);
        assert!(Permit::acquire(&taken, 1).is_some());
    }
}
