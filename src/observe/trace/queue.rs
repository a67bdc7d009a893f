//! # The queue between the connections' threads and the printing thread
//!
//! A terminal may take bytes slowly or not at all. How does a connection's thread pass its events on
//! without waiting for it?
//!
//! Rule: a push takes a lock that is never held for long. The printing thread takes all events at once,
//! and prints with the lock free. An event that finds the queue full is lost: it is only counted. From
//! then on every event is lost until the queue is taken. So lost events always follow kept ones, and the
//! order needs no bookkeeping. Only the program's own lines are never lost.
//!
//! Reads of which no byte is shown are one event while it waits. And they do not wake the printing thread
//! if it wakes up soon by itself: a fast download has thousands of them in a second.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::collector::COUNT_TIME;
use super::event::{Observed, TraceEvent};

/// Bytes that may wait in the queue. The printing thread may hold as many again: 4 MiB in all.
const MAX_QUEUED_BYTES: usize = 2 * 1024 * 1024;

/// After this time, a write is taken for one that never ends.
const STUCK_AFTER: Duration = Duration::from_millis(500);

/// Roughly what an event takes in memory besides its bytes.
const EVENT_BYTES: usize = 128;

/// Events that are not printed yet.
#[derive(Default)]
pub(super) struct TraceQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: Vec<TraceEvent>,
    bytes: usize,
    /// Events that were lost since the queue was taken.
    lost: usize,
    /// Answered exchanges among them.
    lost_exchanges: u64,
    is_closing: bool,
    is_ended: bool,
    /// Whether the printing thread waits no longer than until a given time.
    wakes_by_itself: bool,
    /// Since when the printing thread waits for a write.
    writing_since: Option<Instant>,
}

impl TraceQueue {
    /// Adds an event, or counts it as lost. Never waits for the printing thread.
    pub fn push(&self, event: TraceEvent) {
        let mut state = self.state();
        let is_counted = matches!(event.observed, Observed::Counted(_));
        if is_counted
            && state.lost == 0
            && state.waiting.last_mut().is_some_and(|it| it.join(&event))
        {
            return;
        }
        let cost = EVENT_BYTES + event.observed.bytes();
        // An empty queue takes an event of any size: it is a copy of one read or write.
        let is_full = state.bytes + cost > MAX_QUEUED_BYTES && !state.waiting.is_empty();
        match event.observed {
            _ if state.is_closing || state.is_ended => {}
            // The program's own lines are few, and a caller may wait for them.
            Observed::Prose(_) => state.add(event, cost),
            _ if !is_full && state.lost == 0 => state.add(event, cost),
            observed => {
                state.lost += 1;
                state.lost_exchanges += u64::from(matches!(observed, Observed::Answered(_)));
            }
        }
        let may_wait = is_counted && state.wakes_by_itself && state.waiting.len() == 1;
        drop(state);
        if !may_wait {
            self.changed.notify_one();
        }
    }

    /// Takes all events, in order. Waits until there are some, or until `wake_at`. `None` once the queue
    /// is closing and empty.
    pub fn take(&self, wake_at: Option<Instant>) -> Option<Vec<TraceEvent>> {
        let mut state = self.state();
        state.wakes_by_itself = wake_at.is_some_and(|at| at <= Instant::now() + COUNT_TIME);
        loop {
            if !state.waiting.is_empty() || state.lost > 0 {
                return Some(state.take());
            }
            if state.is_closing {
                return None;
            }
            state = match wake_at.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Some(Vec::new()),
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Accepts no more events, and waits for the printing thread to end. False after the timeout, or after a
    /// write that has taken [`STUCK_AFTER`].
    pub fn close(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.state();
        state.is_closing = true;
        self.changed.notify_all();
        while !state.is_ended {
            let writing = state.writing_since.map_or(Duration::ZERO, |since| since.elapsed());
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.min(STUCK_AFTER.saturating_sub(writing));
            if left.is_zero() {
                return false;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Writes to a terminal, in the printing thread.
    pub fn write<T>(&self, write: impl FnOnce() -> T) -> T {
        self.state().writing_since = Some(Instant::now());
        let result = write();
        self.state().writing_since = None;
        result
    }

    /// Reports that the printing thread has ended: from now on events are dropped.
    pub fn end(&self) {
        let mut state = self.state();
        state.is_ended = true;
        state.waiting = Vec::new();
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    fn add(&mut self, event: TraceEvent, cost: usize) {
        self.bytes += cost;
        self.waiting.push(event);
    }

    fn take(&mut self) -> Vec<TraceEvent> {
        let (events, exchanges) = (mem::take(&mut self.lost), mem::take(&mut self.lost_exchanges));
        if events > 0 {
            let observed = Observed::Lost { events, exchanges };
            self.waiting.push(TraceEvent { at: Instant::now(), connection: 0, observed });
        }
        self.bytes = 0;
        mem::take(&mut self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{CountedReads, CrossedBytes};
    use crate::message::dialogue::{Dialogue, Side};

    use super::*;

    #[test]
    fn counted_reads_of_one_direction_are_one_event_while_they_wait() {
        let queue = TraceQueue::default();
        let at = Instant::now();
        for (connection, from) in
            [(1, Side::Server), (1, Side::Server), (2, Side::Server), (2, Side::Client)]
        {
            for _ in 0..50_000 {
                let counted = CountedReads { from, length: 16, reads: 1, last: at };
                let observed = Observed::Counted(counted);
                queue.push(TraceEvent { at, connection, observed });
            }
        }
        let events = queue.take(None).unwrap_or_default();
        let reads = events.iter().map(|event| match event.observed {
            Observed::Counted(it) => (event.connection, it.length, it.reads),
            _ => (0, 0, 0),
        });
        let expected = [(1, 1_600_000, 100_000), (2, 800_000, 50_000), (2, 800_000, 50_000)];
        assert_eq!(reads.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_ranges_of_the_bytes_count_too() {
        let (queue, mut dialogue) = (TraceQueue::default(), Dialogue::new());
        dialogue.follow(Side::Server, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let bytes = b"1\r\nx\r\n".repeat(2000);
        for _ in 0..100 {
            let ranges = dialogue.follow(Side::Server, &bytes).into();
            let (from, bytes, begins_message) = (Side::Server, bytes.clone(), false);
            let crossed = CrossedBytes { from, bytes, ranges, begins_message };
            let observed = Observed::Crossed(crossed);
            queue.push(TraceEvent { at: Instant::now(), connection: 1, observed });
        }
        let kept = queue.take(None).map_or(0, |events| events.len() - 1);
        assert!((1..10).contains(&kept), "{kept} reads of 12,000 bytes and 6,000 ranges");
    }
}
