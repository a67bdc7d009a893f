//! # 1b. Who stands at the door?
//!
//! The Rust book's server has one thread that accepts, and a new one for every connection:
//!
//! ```no_run
//! # fn converse(_: std::net::TcpStream) {}
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
//! for stream in listener.incoming().flatten() {
//!     std::thread::spawn(move || {
//!         converse(stream);
//!     });
//! }
//! ```
//! That is right, and slow where connections are short: making a thread takes four times as long as
//! answering a request. So here the threads accept for themselves: each loops *accept, converse,
//! accept*, and one that comes back to find enough of them at the door goes home. Still one thread has
//! one connection at a time, and twice as many short ones are served (`make bench`, workload d).
//!
//! When all of them are busy, nobody stands at the door, which is well as long as somebody comes back
//! soon: a few threads that never sleep are faster than many that are woken. Somebody may not come
//! back, though, from a silent client or a slow handler. So whoever takes the last place wakes the
//! host, who glances at the door every half millisecond. Where nobody has come back since the last
//! glance, more are called: one, then two, then four.  Next: [`hall`](super::hall).

use std::sync::atomic::Ordering;
use std::thread::{self, Scope};
use std::time::Duration;

use super::house::House;
use super::transport::Buffers;

/// Threads that may wait at the door; those who come back later go home.
const ENOUGH: usize = 4;

/// A thread's stack. Pages are taken as they are touched, so this is room for handlers, not memory.
const STACK: usize = 256 * 1024;

/// Time between two glances at an empty door.
const GLANCE: Duration = Duration::from_micros(500);

/// Threads that are called at one glance, at most.
const CALLED_AT_ONCE: usize = 64;

impl<S: Sync> House<'_, S> {
    /// The host's work, until the house closes.
    pub(super) fn watch_the_door<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        let (mut returned, mut to_call) = (0, 1);
        while self.until_nobody_is_there() {
            thread::sleep(GLANCE);
            let before =
                std::mem::replace(&mut returned, self.door.returned.load(Ordering::Relaxed));
            let is_stuck = self.nobody_is_there() && returned == before;
            if !is_stuck {
                to_call = 1;
                continue;
            }
            let called = (0..to_call).try_for_each(|_| self.call_another(scope));
            self.say_whether_short_of_threads(called);
            to_call = (2 * to_call).min(CALLED_AT_ONCE);
        }
    }

    /// Calls one more thread to the door.
    pub(super) fn call_another<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
    ) -> std::io::Result<()> {
        self.door.waiting.fetch_add(1, Ordering::SeqCst);
        let called = a_thread().spawn_scoped(scope, || self.stand_at_the_door());
        if called.is_err() {
            self.door.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        called.map(drop)
    }

    /// The life of a thread.
    fn stand_at_the_door(&self) {
        let mut buffers = Buffers::new();
        while let Some((stream, peer)) = self.accept() {
            let admitted = self.admit(stream);
            if self.door.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.wake_the_host(); // that was the last place
            }
            self.welcome(admitted, peer, &mut buffers);
            self.door.returned.fetch_add(1, Ordering::Relaxed);
            // Taking a place only to give it up again could leave the door empty and the host asleep.
            let take_a_place = |waiting| (waiting < ENOUGH).then_some(waiting + 1);
            let places = &self.door.waiting;
            if places.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_a_place).is_err() {
                return;
            }
        }
        self.door.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A thread for connections.
pub(super) fn a_thread() -> thread::Builder {
    thread::Builder::new().name("openkitchen".into()).stack_size(STACK)
}
