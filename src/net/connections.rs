//! # 1c. Who is in?
//!
//! The list of connections that are open, and of seats that are taken. It exists for two moments: when
//! somebody comes and all seats are taken, and when the shared closes and everybody has to be found.
//! Next: [`shared`](super::shared).

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who is in, by number, and whether the shared is closing.
#[derive(Default)]
pub(super) struct Connections {
    stopping: AtomicBool,
    entries: Mutex<Entries>,
    changed: Condvar,
}

pub(super) type Entries = HashMap<u64, Arc<Entry>>;

/// One connection. The socket is shared with the thread that closes the shared, which may have to end
/// a read that waits: a second descriptor for that would halve the number of connections.
pub(super) struct Entry {
    pub stream: TcpStream,
    pub idle: IdleMark,
}

impl Entry {
    /// Ends its waiting, if it waits for a request. What has arrived is still read and answered.
    fn close_if_idle(&self) {
        if self.idle.try_close() {
            let _ = self.stream.shutdown(Shutdown::Read);
        }
    }
}

impl Connections {
    pub fn stopping(&self) -> &AtomicBool {
        &self.stopping
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.wake_all();
    }

    pub fn register(&self, number: u64, stream: TcpStream) -> Arc<Entry> {
        let entry = Arc::new(Entry { stream, idle: IdleMark::default() });
        self.entries().insert(number, Arc::clone(&entry));
        entry
    }

    pub fn unregister(&self, number: u64) {
        self.entries().remove(&number);
        if self.is_stopping() {
            self.changed.notify_all();
        }
    }

    /// Everybody. A panic while the lock is held is impossible: nothing is called under it that could.
    pub fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hangs up on everybody who waits for a request.
    pub fn close_idle(&self) {
        self.entries().values().for_each(|entry| entry.close_if_idle());
    }

    /// Hangs up on one of them, who has been here longest: so somebody else can come in.
    pub fn close_oldest_idle(&self) {
        let entries = self.entries();
        let idle = entries.iter().filter(|(_, entry)| entry.idle.is_waiting());
        if let Some((_, entry)) = idle.min_by_key(|(number, _)| **number) {
            entry.close_if_idle();
        }
    }

    /// Has everybody who waits look again. The lock is taken so that nobody is between looking and
    /// waiting meanwhile.
    pub fn wake_all(&self) {
        drop(self.entries());
        self.changed.notify_all();
    }

    /// Waits while that holds, or until the deadline.
    pub fn wait_while(
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

/// Whether a connection waits for a request. Then, and only then, it may be hung up on when the server
/// stops; the two sides of that are settled by one atomic step each.
#[derive(Default)]
pub(super) struct IdleMark(AtomicU8);

const BUSY: u8 = 0;
const WAITING: u8 = 1;
const CLOSED: u8 = 2;

impl IdleMark {
    /// The connection waits from now on.
    pub fn begin(&self) {
        self.0.store(WAITING, Ordering::SeqCst);
    }

    /// It waits no more. True if the server has ended the wait by shutting the half it reads from.
    pub fn end(&self) -> bool {
        self.0.swap(BUSY, Ordering::SeqCst) == CLOSED
    }

    /// Whether it waits, as far as one can tell from outside.
    pub fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WAITING
    }

    /// Takes the right to end the wait; false where nobody waits.
    pub fn try_close(&self) -> bool {
        let step = self.0.compare_exchange(WAITING, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
        step.is_ok()
    }
}

/// How long a server that stops waits for a request on a connection that is idle. Who asks within this
/// time is answered, and told that it was the last time; who does not is hung up on. A request that is
/// on its way just then is lost, which no server can help (RFC 9112 section 9.5); but the longer a
/// client has been silent, the less likely it speaks at that very moment.
pub(super) const FINAL_REQUEST_WAIT: Duration = Duration::from_millis(50);

/// One of a bounded number, given back when it is dropped.
pub(super) struct Permit<'a>(&'a AtomicUsize);

impl<'a> Permit<'a> {
    /// One more, unless so many are taken.
    pub fn acquire(taken: &'a AtomicUsize, of: usize) -> Option<Permit<'a>> {
        let one_more = |taken| (taken < of).then_some(taken + 1);
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
    fn only_a_wait_can_be_ended_and_whose_wait_it_was_gets_to_know() {
        let idle = IdleMark::default();
        assert!(!idle.try_close() && !idle.end());
        idle.begin();
        assert!(idle.try_close() && !idle.try_close());
        assert!(idle.end() && !idle.end());
    }

    #[test]
    fn a_seat_is_free_again_when_its_guest_has_left() {
        let taken = AtomicUsize::new(0);
        let first = Permit::acquire(&taken, 1);
        assert!(first.is_some() && Permit::acquire(&taken, 1).is_none());
        drop(first);
        assert!(Permit::acquire(&taken, 1).is_some());
    }
}
