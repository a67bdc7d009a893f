//! # On demand: exchanges are kept only while they are wanted
//!
//! To follow a connection costs a request more than all the rest of the server. A page that shows
//! exchanges wants them only while it is open.
//!
//! ```text
//! a page reads ── Wanted lives ──> kept ── dropped ──> kept for ten more minutes ──> not kept
//! ```
//! Next: `feed`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::observe::follower::lock;

/// Time for which exchanges are kept after the last one that wanted them: a page that is hidden reads
/// nothing, and is to find what has crossed meanwhile.
pub(super) const KEPT_AFTER: Duration = Duration::from_secs(600);

/// As long as it lives, exchanges are kept: see [`Exchanges::want`](super::Exchanges::want).
pub struct Wanted {
    demand: Option<Arc<Demand>>,
}

impl Wanted {
    /// Begins to want them; `None` if they are always kept.
    pub(super) fn new(demand: Option<Arc<Demand>>) -> Wanted {
        if let Some(demand) = &demand {
            demand.begin();
        }
        Wanted { demand }
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        if let Some(demand) = &self.demand {
            demand.end();
        }
    }
}

/// Whether the exchanges are wanted.
#[derive(Default)]
pub(super) struct Demand {
    /// Whether they are kept. It may still be true when the time is over.
    is_active: AtomicBool,
    /// How many want them, and when the last one of the others has ended.
    pub(super) wanted: Mutex<(usize, Option<Instant>)>,
}

impl Demand {
    fn begin(&self) {
        lock(&self.wanted).0 += 1;
        self.is_active.store(true, Ordering::Relaxed);
    }

    fn end(&self) {
        let mut wanted = lock(&self.wanted);
        *wanted = (wanted.0 - 1, Some(Instant::now()));
    }

    pub fn is_active(&self) -> bool {
        if !self.is_active.load(Ordering::Relaxed) {
            return false;
        }
        let wanted = lock(&self.wanted);
        let is_active = wanted.0 > 0 || wanted.1.is_some_and(|end| end.elapsed() < KEPT_AFTER);
        if !is_active {
            self.is_active.store(false, Ordering::Relaxed);
        }
        is_active
    }
}

#[cfg(test)]
mod tests {
    use super::super::Exchanges;
    use super::super::tests::{GET, NO_CONTENT};
    use super::*;
    use crate::net::observer::Observer;
    use crate::observe::follower::Follower;

    #[test]
    fn on_demand_exchanges_are_kept_from_the_next_request_on_while_they_are_wanted() {
        let exchanges = Exchanges::on_demand(10, |_| false);
        let follower = Follower::new(vec![exchanges.viewer()]);
        let exchange = |connection| {
            follower.received(connection, GET);
            follower.sent(connection, NO_CONTENT);
        };
        (1..=2).for_each(|number| follower.opened(number, ([127, 0, 0, 1], 4000).into()));
        (1..=2).for_each(exchange);
        let (first, second) = (exchanges.want(), exchanges.want());
        follower.opened(3, ([127, 0, 0, 1], 4000).into());
        [1, 1, 3].into_iter().for_each(exchange);
        let kept = exchanges.all();
        let numbers: Vec<_> = kept.iter().map(|kept| (kept.connection, kept.position)).collect();
        assert_eq!(numbers, [(1, None), (1, None), (3, Some(1))]);
        drop(first);
        let demand = exchanges.shared.demand.as_ref().unwrap();
        let end_long_ago = || {
            let Some(long_ago) = Instant::now().checked_sub(KEPT_AFTER) else { return };
            lock(&demand.wanted).1 = Some(long_ago);
        };
        end_long_ago();
        assert!(demand.is_active());
        drop(second);
        assert!(demand.is_active(), "the page may only be hidden");
        end_long_ago();
        exchange(2);
        assert!(!demand.is_active() && exchanges.all().len() == 3);
    }
}
