//! # 1c. Who is in?
//!
//! The list of connections that are open, and of seats that are taken. It exists for two moments: when
//! somebody comes and all seats are taken, and when the house closes and everybody has to be found.
//! Next: [`house`](super::house).

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who is in, by number, and whether the house is closing.
#[derive(Default)]
pub(super) struct Hall {
    stopping: AtomicBool,
    guests: Mutex<Guests>,
    changed: Condvar,
}

pub(super) type Guests = HashMap<u64, Arc<Guest>>;

/// One connection. The socket is shared with the thread that closes the house, which may have to end
/// a read that waits: a second descriptor for that would halve the number of connections.
pub(super) struct Guest {
    pub stream: TcpStream,
    pub idle: Idle,
}

impl Guest {
    /// Ends its waiting, if it waits for a request. What has arrived is still read and answered.
    fn hang_up(&self) {
        if self.idle.hang_up() {
            let _ = self.stream.shutdown(Shutdown::Read);
        }
    }
}

impl Hall {
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

    pub fn enter(&self, number: u64, stream: TcpStream) -> Arc<Guest> {
        let guest = Arc::new(Guest { stream, idle: Idle::default() });
        self.guests().insert(number, Arc::clone(&guest));
        guest
    }

    pub fn leave(&self, number: u64) {
        self.guests().remove(&number);
        if self.is_stopping() {
            self.changed.notify_all();
        }
    }

    /// Everybody. A panic while the lock is held is impossible: nothing is called under it that could.
    pub fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hangs up on everybody who waits for a request.
    pub fn let_the_idle_go(&self) {
        self.guests().values().for_each(|guest| guest.hang_up());
    }

    /// Hangs up on one of them, who has been here longest: so somebody else can come in.
    pub fn let_one_go(&self) {
        let guests = self.guests();
        let idle = guests.iter().filter(|(_, guest)| guest.idle.is_waiting());
        if let Some((_, guest)) = idle.min_by_key(|(number, _)| **number) {
            guest.hang_up();
        }
    }

    /// Has everybody who waits look again. The lock is taken so that nobody is between looking and
    /// waiting meanwhile.
    pub fn wake_all(&self) {
        drop(self.guests());
        self.changed.notify_all();
    }

    /// Waits while that holds, or until the deadline.
    pub fn wait_while(
        &self,
        holds: impl Fn(&Guests) -> bool,
        deadline: Option<Instant>,
    ) -> MutexGuard<'_, Guests> {
        let mut guests = self.guests();
        while holds(&guests) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            guests = match left {
                Some(Duration::ZERO) => break,
                None => self.changed.wait(guests).unwrap_or_else(PoisonError::into_inner),
                Some(left) => {
                    let waited = self.changed.wait_timeout(guests, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        guests
    }
}

/// Whether a connection waits for a request. Then, and only then, it may be hung up on when the server
/// stops; the two sides of that are settled by one atomic step each.
#[derive(Default)]
pub(super) struct Idle(AtomicU8);

const BUSY: u8 = 0;
const WAITING: u8 = 1;
const HUNG_UP_ON: u8 = 2;

impl Idle {
    /// The connection waits from now on.
    pub fn begin(&self) {
        self.0.store(WAITING, Ordering::SeqCst);
    }

    /// It waits no more. True if the server has ended the wait by shutting the half it reads from.
    pub fn end(&self) -> bool {
        self.0.swap(BUSY, Ordering::SeqCst) == HUNG_UP_ON
    }

    /// Whether it waits, as far as one can tell from outside.
    pub fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed) == WAITING
    }

    /// Takes the right to end the wait; false where nobody waits.
    pub fn hang_up(&self) -> bool {
        let step = self.0.compare_exchange(WAITING, HUNG_UP_ON, Ordering::SeqCst, Ordering::SeqCst);
        step.is_ok()
    }
}

/// One of a bounded number, given back when it is dropped.
pub(super) struct Seat<'a>(&'a AtomicUsize);

impl<'a> Seat<'a> {
    /// One more, unless so many are taken.
    pub fn take(taken: &'a AtomicUsize, of: usize) -> Option<Seat<'a>> {
        let one_more = |taken| (taken < of).then_some(taken + 1);
        taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok().map(|_| Seat(taken))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wait_can_be_ended_and_whose_wait_it_was_gets_to_know() {
        let idle = Idle::default();
        assert!(!idle.hang_up() && !idle.end());
        idle.begin();
        assert!(idle.hang_up() && !idle.hang_up());
        assert!(idle.end() && !idle.end());
    }

    #[test]
    fn a_seat_is_free_again_when_its_guest_has_left() {
        let taken = AtomicUsize::new(0);
        let first = Seat::take(&taken, 1);
        assert!(first.is_some() && Seat::take(&taken, 1).is_none());
        drop(first);
        assert!(Seat::take(&taken, 1).is_some());
    }
}
