//! # The log
//!
//! One line on stderr for each record. Whoever reads it may be slow, or have stopped: a pipe takes
//! 64 KiB more, and from then on a write waits, perhaps for ever. A server whose threads all wait for
//! that answers nobody, and does not even end when it is asked to.
//!
//! ```text
//! connections' threads --> queue --> the log's own thread --> stderr
//! ```
//! So nobody who answers requests writes to stderr. A slow reader is waited for, a little; one that has
//! stopped is not. What is lost then is counted, and told when somebody reads again.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{mem, thread};

use env_logger::{Builder, Env};
use log::{Log, Metadata, Record};

/// Bytes that may wait.
const ROOM: usize = 64 * 1024;

/// How long a line waits for room. Who took nothing for so long is not waited for again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time in which lines gather that are written at once: a write, and being woken for it, costs more
/// than to make a line.
const GATHERING: Duration = Duration::from_millis(5);

/// How long the end of the program waits until all is written.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Logs from now on: warnings and worse, unless RUST_LOG says otherwise.
pub fn start() {
    let filter = Builder::from_env(Env::default().default_filter_or("warn")).build();
    log::set_max_level(filter.filter());
    let queue = Arc::new(LogQueue::default());
    let taker = Arc::clone(&queue);
    let write = move || taker.write_to(io::stderr());
    let thread = thread::Builder::new().name("log".into()).spawn(write);
    let queue = thread.is_ok().then_some(queue);
    // It fails only where there is a log already.
    let _ = log::set_boxed_logger(Box::new(Logger { filter, queue }));
}

/// Waits until what was logged is written, if anybody reads it: the last thing before the end.
pub fn finish() {
    log::logger().flush();
}

struct Logger {
    /// What RUST_LOG says.
    filter: env_logger::Logger,
    /// None where the system granted no thread.
    queue: Option<Arc<LogQueue>>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.filter.matches(record) {
            return;
        }
        let level = record.level().as_str().to_lowercase();
        let line = format!("openkitchen: {level}: {}\n", record.args());
        match &self.queue {
            Some(queue) => queue.push(line.as_bytes()),
            None => drop(io::stderr().write_all(line.as_bytes())),
        }
    }

    fn flush(&self) {
        let is_written = |state: &mut LogQueueState| state.is_writing || !state.text.is_empty();
        if let Some(LogQueue { state, changed }) = self.queue.as_deref() {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            drop(changed.wait_timeout_while(state, LAST_WORDS, is_written));
        }
    }
}

/// What is logged and not written yet.
#[derive(Default)]
struct LogQueue {
    state: Mutex<LogQueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogQueueState {
    text: Vec<u8>,
    /// Lines that found no room since the text was taken last.
    lost: usize,
    /// What was taken last is being written.
    is_writing: bool,
    /// That has lasted longer than lines wait for.
    is_stuck: bool,
}

impl LogQueue {
    fn push(&self, line: &[u8]) {
        let no_room = |state: &mut LogQueueState| state.text.len() >= ROOM;
        let mut state = self.state();
        if no_room(&mut state) && !state.is_stuck {
            let waited = self.changed.wait_timeout_while(state, PATIENCE, no_room);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.is_stuck = no_room(&mut state);
        }
        let is_first = state.text.is_empty();
        match no_room(&mut state) {
            true => state.lost += 1,
            false => state.text.extend_from_slice(line),
        }
        drop(state);
        if is_first {
            self.changed.notify_all();
        }
    }

    /// The life of the thread. That a line could not be written is told to nobody: where should that be?
    fn write_to(&self, mut out: impl Write) {
        loop {
            let text = self.take();
            let _ = out.write_all(&text);
            self.state().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Takes all that is there, and waits for it.
    fn take(&self) -> Vec<u8> {
        let nothing = |state: &mut LogQueueState| state.text.is_empty();
        drop(self.changed.wait_while(self.state(), nothing));
        thread::sleep(GATHERING);
        let mut state = self.state();
        let mut text = mem::take(&mut state.text);
        let lost = mem::take(&mut state.lost);
        if lost > 0 {
            text.extend(format!("openkitchen: warn: {lost} lines of the log were lost\n").bytes());
        }
        (state.is_writing, state.is_stuck) = (true, false);
        self.changed.notify_all();
        text
    }

    fn state(&self) -> MutexGuard<'_, LogQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
