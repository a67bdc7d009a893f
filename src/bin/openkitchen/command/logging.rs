//! The log on stderr, a line for each record, and what else the program says there.
//!
//! A thread that logs waits for a slow reader, but not longer than [`PUSH_TIMEOUT`]: see
//! [`LineQueue`]. Lines that are lost are counted, and the count is logged later.

use std::env::{self, VarError};
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{process, thread};

use env_logger::{Builder, Env};
use log::{Log, Metadata, Record};
use openkitchen::message::counted::counted;

use super::CliError;
use super::line_queue::LineQueue;

/// How long a thread that logs waits for room in the queue. If it waits in vain, later lines are
/// dropped at once, until the log thread takes the queue again.
const PUSH_TIMEOUT: Duration = Duration::from_secs(1);

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
    let queue = Arc::new(LineQueue::new(PUSH_TIMEOUT));
    let reader = Arc::clone(&queue);
    let on_loss = |lost| {
        let lost = counted(lost, "line of the log was", "lines of the log were");
        format!("openkitchen: warn: {lost} lost\n")
    };
    let write = move || reader.write_to(io::stderr(), on_loss);
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

/// Waits until the log is written: see [`LineQueue::finish`]. To be called before the process ends.
pub fn finish() {
    log::logger().flush();
}

/// The queue of the log thread. Empty if the system granted no thread: then each thread writes its own
/// lines.
static QUEUE: OnceLock<Arc<LineQueue>> = OnceLock::new();

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
        if let Some(queue) = QUEUE.get() {
            queue.finish();
        }
    }
}
