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
pub struct Trouble(Mutex<Option<Instant>>);

/// Time until it is told again.
const AGAIN: Duration = Duration::from_secs(60);

impl Trouble {
    /// Whether to tell that it has happened: not where that was told within the last minute.
    pub fn is_news(&self) -> bool {
        self.is_news_at(Instant::now())
    }

    fn is_news_at(&self, now: Instant) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = told.is_none_or(|told| now.saturating_duration_since(told) >= AGAIN);
        if is_news {
            *told = Some(now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_that_goes_on_is_told_once_a_minute() {
        let (trouble, now) = (Trouble::default(), Instant::now());
        let told = (0..150).filter(|&second| trouble.is_news_at(now + Duration::from_secs(second)));
        assert_eq!(told.collect::<Vec<_>>(), [0, 60, 120]);
    }
}
