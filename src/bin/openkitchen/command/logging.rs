//! # The log: a queue, and a thread that writes to stderr
//!
//! Each record is one line on stderr. A program that reads stderr may be slow, or may have stopped
//! reading: a pipe takes 64 KiB more, and then each write waits, perhaps for ever. If the server's
//! threads wrote to stderr, all of them could wait there: the server would not respond, or even stop.
//!
//! ```text
//! threads of connections --> queue --> log thread --> stderr
//! ```
//! So only the log thread writes to stderr. A thread that logs waits for a slow reader, but not longer
//! than [`PUSH_TIMEOUT`]. Lines that are lost are counted, and the count is logged later.

use std::env::{self, VarError};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{mem, process, thread};

use env_logger::{Builder, Env};
use log::{Log, Metadata, Record};
use openkitchen::message::counted::counted;

use super::CliError;

/// Bytes in the queue at which no more lines are added.
const MAX_QUEUED_BYTES: usize = 64 * 1024;

/// How long a thread that logs waits for room in the queue. If it waits in vain, later lines are
/// dropped at once, until the log thread takes the queue again.
const PUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the log thread collects lines before it writes them together: to wake the thread and to
/// write costs more than to make a line.
const BATCH_DELAY: Duration = Duration::from_millis(5);

/// How long the end of the program waits until the queue is written.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Starts the log. It shows warnings and errors, unless RUST_LOG says otherwise.
///
/// # Errors
/// RUST_LOG cannot be read.
pub fn start() -> Result<(), CliError> {
    if let Err(VarError::NotUnicode(_)) = env::var("RUST_LOG") {
        return Err(CliError::Usage("RUST_LOG is not UTF-8".into()));
    }
    let filter = Builder::from_env(Env::default().default_filter_or("warn")).build();
    log::set_max_level(filter.filter());
    let queue = Arc::new(LogQueue::default());
    let reader = Arc::clone(&queue);
    let write = move || reader.write_to(io::stderr());
    let thread = thread::Builder::new().name("log".into()).spawn(write);
    // These fail only if the log was started before.
    if thread.is_ok() {
        let _ = QUEUE.set(queue);
    }
    let _ = log::set_boxed_logger(Box::new(Logger { filter }));
    Ok(())
}

/// Writes a line that is no warning, whatever RUST_LOG says.
pub fn say(line: &str) {
    write(&format!("openkitchen: {line}\n"));
}

/// Waits until the queue is written, at most [`FLUSH_TIMEOUT`]. To be called before the process ends.
pub fn finish() {
    log::logger().flush();
}

/// The queue of the log thread. Empty if the system granted no thread: then each thread writes its own
/// lines.
static QUEUE: OnceLock<Arc<LogQueue>> = OnceLock::new();

/// Writes a line, with its line end.
fn write(line: &str) {
    match QUEUE.get() {
        Some(queue) => queue.push(line.as_bytes()),
        None => drop(io::stderr().write_all(line.as_bytes())),
    }
}

/// Says that a signal stops a server.
pub fn say_stopping(signal: &str, grace: Duration) {
    let seconds = grace.as_secs_f64();
    say(&format!("{signal}: stopping; open exchanges have {seconds} s to finish (--grace)"));
}

/// Ends the process at a second signal, with exit status 1.
pub fn end_at_second_signal() -> ! {
    say("a second signal: the process ends at once");
    finish();
    process::exit(1);
}

struct Logger {
    /// The filter from RUST_LOG.
    filter: env_logger::Logger,
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
        write(&format!("openkitchen: {level}: {}\n", record.args()));
    }

    fn flush(&self) {
        let is_unwritten = |state: &mut LogQueueState| state.is_writing || !state.text.is_empty();
        if let Some(LogQueue { state, changed }) = QUEUE.get().map(Arc::as_ref) {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            drop(changed.wait_timeout_while(state, FLUSH_TIMEOUT, is_unwritten));
        }
    }
}

/// The lines that were logged and not written yet.
#[derive(Default)]
struct LogQueue {
    state: Mutex<LogQueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogQueueState {
    text: Vec<u8>,
    /// Lines that were dropped since the log thread last took the text.
    lost: usize,
    /// The log thread is writing the text that it took last.
    is_writing: bool,
    /// A thread waited for room in vain, so the next ones do not wait.
    is_stuck: bool,
}

impl LogQueue {
    fn push(&self, line: &[u8]) {
        let is_full = |state: &mut LogQueueState| state.text.len() >= MAX_QUEUED_BYTES;
        let mut state = self.state();
        if is_full(&mut state) && !state.is_stuck {
            let waited = self.changed.wait_timeout_while(state, PUSH_TIMEOUT, is_full);
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

    /// The loop of the log thread. An error of `out` is ignored: there is no place to report it.
    fn write_to(&self, mut out: impl Write) {
        loop {
            let text = self.take();
            let _ = out.write_all(&text);
            self.state().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits for the first line, collects more for [`BATCH_DELAY`], and takes all of them.
    fn take(&self) -> Vec<u8> {
        let is_empty = |state: &mut LogQueueState| state.text.is_empty();
        drop(self.changed.wait_while(self.state(), is_empty));
        thread::sleep(BATCH_DELAY);
        let mut state = self.state();
        let mut text = mem::take(&mut state.text);
        let lost = mem::take(&mut state.lost);
        if lost > 0 {
            let lost = counted(lost, "line of the log was", "lines of the log were");
            text.extend(format!("openkitchen: warn: {lost} lost\n").bytes());
        }
        (state.is_writing, state.is_stuck) = (true, false);
        self.changed.notify_all();
        text
    }

    fn state(&self) -> MutexGuard<'_, LogQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
