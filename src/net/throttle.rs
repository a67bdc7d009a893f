//! # 1e. Said once
//!
//! What goes wrong under load goes wrong ten thousand times in a second. A log that says so each time
//! buries what else it has to say, and fills the disk.
//!
//! ```text
//! 12:00:01 error: no connection can be accepted for now: Too many open files
//! 12:01:01 error: no connection can be accepted for now: Too many open files    still, or again
//! ```
//! Next: [`connection`](super::connection).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something that goes wrong, and when it was told last.
#[derive(Default)]
pub struct Throttle(Mutex<Option<Instant>>);

/// Time until it is told again.
const AGAIN: Duration = Duration::from_secs(60);

impl Throttle {
    /// Whether to tell that it has happened: not where that was told within the last minute.
    pub fn allows(&self) -> bool {
        self.allows_at(Instant::now())
    }

    fn allows_at(&self, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allows = told.is_none_or(|told| now.saturating_duration_since(told) >= AGAIN);
        if allows {
            *told = Some(now);
        }
        allows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_that_goes_on_is_told_once_a_minute() {
        let (trouble, now) = (Throttle::default(), Instant::now());
        let told = (0..150).filter(|&second| trouble.allows_at(now + Duration::from_secs(second)));
        assert_eq!(told.collect::<Vec<_>>(), [0, 60, 120]);
    }
}
