//! Lines for stdout or stderr: a queue, and a thread that writes them.
//!
//! A program that reads the lines may be slow, or may have stopped reading: a pipe takes 64 KiB more, and
//! then each write waits, perhaps for ever. If the server's threads wrote the lines, all of them could wait
//! there: the server would not respond, or even stop.
//!
//! ```text
//! threads of connections --> queue --> one thread --> stdout or stderr
//! ```
//! So only that thread writes. Lines that are lost are counted.

use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{mem, thread};

/// Bytes in the queue at which no more lines are added.
const MAX_QUEUED_BYTES: usize = 64 * 1024;

/// How long the thread collects lines before it writes them together: to wake the thread and to write
/// costs more than to make a line.
const BATCH_DELAY: Duration = Duration::from_millis(5);

/// How long the end of the program waits until the queue is written.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// The lines that are not written yet.
pub struct LineQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
    /// How long a thread that adds a line waits for room. If it waits in vain, later lines are dropped at
    /// once, until the writing thread takes the queue again.
    push_timeout: Duration,
}

#[derive(Default)]
struct QueueState {
    text: Vec<u8>,
    /// Lines that were dropped since the writing thread last took the text.
    lost: usize,
    /// The writing thread is writing the text that it took last.
    is_writing: bool,
    /// A thread waited for room in vain, so the next ones do not wait.
    is_stuck: bool,
}

impl LineQueue {
    /// An empty queue. A thread that adds a line waits no longer than this for room.
    pub fn new(push_timeout: Duration) -> LineQueue {
        LineQueue { state: Mutex::default(), changed: Condvar::new(), push_timeout }
    }

    /// Adds a line, with its line end.
    pub fn push(&self, line: &[u8]) {
        let is_full = |state: &mut QueueState| state.text.len() >= MAX_QUEUED_BYTES;
        let mut state = self.state();
        if is_full(&mut state) && !state.is_stuck {
            let waited = self.changed.wait_timeout_while(state, self.push_timeout, is_full);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.is_stuck = is_full(&mut state);
        }
        let is_first = state.text.is_empty();
        match is_full(&mut state) {
            true => state.lost += 1,
            false => state.text.extend_from_slice(line),
        }
        drop(state);
        if is_first {
            self.changed.notify_all();
        }
    }

    /// The loop of the writing thread. `on_loss` gets the number of lines that were lost, and returns what is
    /// written about it. An error of `out` is ignored: there is no place to report it.
    pub fn write_to(&self, mut out: impl Write, on_loss: impl Fn(usize) -> String) {
        loop {
            let (mut text, lost) = self.take();
            if lost > 0 {
                text.extend(on_loss(lost).bytes());
            }
            let _ = out.write_all(&text).and_then(|()| out.flush());
            self.state().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits until the queue is written, at most [`FLUSH_TIMEOUT`]. To be called before the process ends.
    pub fn finish(&self) {
        let is_unwritten = |state: &mut QueueState| state.is_writing || !state.text.is_empty();
        drop(self.changed.wait_timeout_while(self.state(), FLUSH_TIMEOUT, is_unwritten));
    }

    /// Waits for the first line, collects more for [`BATCH_DELAY`], and takes all of them and the number of
    /// lost ones.
    fn take(&self) -> (Vec<u8>, usize) {
        let is_empty = |state: &mut QueueState| state.text.is_empty();
        drop(self.changed.wait_while(self.state(), is_empty));
        thread::sleep(BATCH_DELAY);
        let mut state = self.state();
        (state.is_writing, state.is_stuck) = (true, false);
        let taken = (mem::take(&mut state.text), mem::take(&mut state.lost));
        self.changed.notify_all();
        taken
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
