//! # Between those who answer and the one who prints
//!
//! A terminal takes bytes when it likes. How does a connection's thread hand over what it saw, and
//! never wait?
//!
//! Rule: to hand over is to take a lock that nobody holds for long: the printing thread takes all
//! that is there at once, and prints with the lock free. What finds no room is counted instead; from
//! then on everything is, until the queue is taken. So what is lost always follows what is kept, and
//! the order needs no bookkeeping.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::view::{Observed, TraceEvent};

/// What may wait, in bytes. As much again may be in the printing thread's hands: 4 MiB in all.
const ROOM: usize = 2 * 1024 * 1024;

/// What an event takes beside its bytes, roughly.
const EVENT: usize = 128;

/// What happened and is not printed yet.
#[derive(Default)]
pub(super) struct TraceQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: Vec<TraceEvent>,
    bytes: usize,
    /// How much was lost since the queue was taken, and how many exchanges were among it.
    lost: usize,
    lost_exchanges: u64,
    is_closing: bool,
    is_over: bool,
}

impl TraceQueue {
    /// Hands over what happened, or counts it as lost. Never waits for the printing thread.
    pub fn push(&self, happened: TraceEvent) {
        let mut state = self.state();
        let cost = EVENT + happened.event.bytes();
        // One event alone fits whatever its size: it is a copy of one write, which has a bound.
        let is_full = state.bytes + cost > ROOM && !state.waiting.is_empty();
        match happened.event {
            _ if state.is_closing || state.is_over => {}
            // What the program itself says is little, and somebody waits for it.
            Observed::ParsedArgs(_) => state.add(happened, cost),
            _ if !is_full && state.lost == 0 => state.add(happened, cost),
            event => {
                state.lost += 1;
                state.lost_exchanges += u64::from(matches!(event, Observed::Answered(_)));
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Takes all that happened, in order. Waits until there is something, until the time has come,
    /// or until there will be nothing any more, which is `None`.
    pub fn take(&self, wake_at: Option<Instant>) -> Option<Vec<TraceEvent>> {
        let mut state = self.state();
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

    /// Takes nothing more in, and waits a while for what is there to be printed. Says whether it was.
    pub fn close(&self, patience: Duration) -> bool {
        let mut state = self.state();
        state.is_closing = true;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, patience, |state| !state.is_over);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_over
    }

    /// The printing thread has ended: nobody will take anything any more.
    pub fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.waiting = Vec::new();
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    fn add(&mut self, happened: TraceEvent, cost: usize) {
        self.bytes += cost;
        self.waiting.push(happened);
    }

    fn take(&mut self) -> Vec<TraceEvent> {
        let (events, exchanges) = (mem::take(&mut self.lost), mem::take(&mut self.lost_exchanges));
        if events > 0 {
            let event = Observed::Lost { events, exchanges };
            self.waiting.push(TraceEvent { at: Instant::now(), connection: 0, event });
        }
        self.bytes = 0;
        mem::take(&mut self.waiting)
    }
}
