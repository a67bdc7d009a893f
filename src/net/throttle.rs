//! # Rate limit for log messages: each kind at most once a minute
//!
//! An error under load can happen ten thousand times in a second. A log with a line for each hides
//! everything else, and fills the disk.
//!
//! ```text
//! 12:00:01 error: no connection can be accepted for now: Too many open files
//! 12:01:01 error: no connection can be accepted for now: Too many open files
//! ```
//! Next: [`connection`](super::connection).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Limits one kind of message; holds the time of the last one.
#[derive(Default)]
pub struct Throttle(Mutex<Option<Instant>>);

/// Time from one message to the next of its kind.
const INTERVAL: Duration = Duration::from_secs(60);

impl Throttle {
    /// Whether to print the message now. False if it was printed within the last minute.
    pub fn allows(&self) -> bool {
        self.allows_at(Instant::now())
    }

    /// Forgets the last message: the next one is of another cause.
    pub fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn allows_at(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allows = last.is_none_or(|last| now.saturating_duration_since(last) >= INTERVAL);
        if allows {
            *last = Some(now);
        }
        allows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_message_is_allowed_once_a_minute() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let allowed =
            (0..150).filter(|&second| throttle.allows_at(now + Duration::from_secs(second)));
        assert_eq!(allowed.collect::<Vec<_>>(), [0, 60, 120]);
        throttle.reset();
        assert!(throttle.allows_at(now) && !throttle.allows_at(now));
    }
}
