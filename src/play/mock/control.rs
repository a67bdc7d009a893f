//! # The verdict of a mock so far, and its stop, for another thread
//!
//! A thread that waits for a client does not see the stop. So the stop shuts the sockets: a read ends at
//! once, and a write to a client that does not read ends after the time that the caller gives.
//! Next: `run`.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::report::MockVerdict;
use crate::observe::follower::lock;

/// How often a stop looks whether the connections are over.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The verdict so far, and the stop, for another thread.
#[doc(hidden)]
#[derive(Default)]
pub struct MockControl {
    verdict: AtomicU8,
    stopping: AtomicBool,
    finishing: AtomicBool,
    /// The connections that are played.
    open: Mutex<Vec<Weak<TcpStream>>>,
}

impl MockControl {
    /// The verdict so far.
    pub fn verdict(&self) -> MockVerdict {
        match self.verdict.load(Ordering::SeqCst) {
            0 => MockVerdict::AsWritten,
            1 => MockVerdict::TimedOut,
            _ => MockVerdict::Different,
        }
    }

    /// Makes the verdict at least as bad as this one.
    pub fn raise(&self, to: MockVerdict) {
        self.verdict.fetch_max(to as u8, Ordering::SeqCst);
    }

    /// Ends each wait for a client, and waits at most this long until the connections are over, and
    /// reported. What is still sent to a client that does not read is cut off then.
    pub fn stop(&self, time: Duration) {
        self.begin_stop();
        let deadline = Instant::now() + time;
        loop {
            let open: Vec<_> = lock(&self.open).iter().filter_map(Weak::upgrade).collect();
            let is_late = Instant::now() >= deadline;
            let half = if is_late { Shutdown::Both } else { Shutdown::Read };
            for stream in &open {
                let _ = stream.shutdown(half); // fails if the client has closed
            }
            if open.is_empty() || is_late {
                return;
            }
            drop(open);
            thread::sleep(STOP_POLL_INTERVAL);
        }
    }

    /// Ends each wait for a client from now on, and says that no connection is accepted any more.
    pub(super) fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Says that the test waits for the end.
    pub(super) fn begin_finish(&self) {
        self.finishing.store(true, Ordering::SeqCst);
    }

    /// Whether the test waits for the end.
    pub(super) fn is_finishing(&self) -> bool {
        self.finishing.load(Ordering::SeqCst)
    }

    /// Adds a connection.
    pub(super) fn opened(&self, stream: &Arc<TcpStream>) {
        let mut open = lock(&self.open);
        open.retain(|stream| stream.strong_count() > 0);
        open.push(Arc::downgrade(stream));
    }
}
