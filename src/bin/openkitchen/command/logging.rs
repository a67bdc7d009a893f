//! The log on stderr, a line for each record, and what else the program says there.
//!
//! An error under load can happen for each request, and a line for each would hide all else. So of one kind,
//! ten warnings or errors are printed in a minute, and the others are counted.
//!
//! A thread that logs waits for no reader that is too slow or gone. Lines that are lost are counted, and the
//! count is logged later: see [`LineQueue`].

use std::env::{self, VarError};
use std::io::{self, Write};
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use env_logger::Builder;
use log::{Level, Log, Metadata, Record};
use openkitchen::message::counted::counted;
use openkitchen::message::seconds::InSeconds;

use super::CliError;
use super::line_queue::{LineQueue, STUCK_AFTER};
use super::stdout;

/// Starts the log. It shows warnings and errors, unless RUST_LOG says otherwise.
///
/// # Errors
/// RUST_LOG cannot be read.
pub fn start() -> Result<(), CliError> {
    let filters = match env::var("RUST_LOG") {
        Ok(filters) => filters,
        Err(VarError::NotPresent) => "warn".into(),
        Err(VarError::NotUnicode(_)) => {
            return Err(CliError::Usage("RUST_LOG is not UTF-8".into()));
        }
    };
    let filter = Builder::new().parse_filters(&filters).build();
    log::set_max_level(filter.filter());
    let about_loss = |lost| {
        let lost = counted(lost, "line of the log was", "lines of the log were");
        format!("openkitchen: warn: {lost} lost\n")
    };
    let no_report = |_: usize, _: Option<&io::Error>| {}; // stderr is the place for it
    let queue = LineQueue::start("log", io::stderr(), STUCK_AFTER, about_loss, no_report);
    // These fail only if the log was started before.
    if let Ok(queue) = queue {
        let _ = QUEUE.set(queue);
    }
    let _ = log::set_boxed_logger(Box::new(Logger { filter, kinds: Mutex::default() }));
    Ok(())
}

/// Writes a line that is no warning, whatever RUST_LOG says.
pub fn say(line: &str) {
    write(&format!("openkitchen: {line}\n"));
}

/// Waits until stdout and the log are written: see [`LineQueue::finish`]. To be called before the process
/// ends.
pub fn finish() {
    stdout::finish();
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
    let seconds = InSeconds(grace);
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
    /// The warnings and errors of the last minute, by their place in the source: each place is a kind.
    kinds: Mutex<Vec<(LogPlace, MessageKind)>>,
}

/// A file of the source, and a line in it.
type LogPlace = (Option<&'static str>, Option<u32>);

/// The lines of one kind.
struct MessageKind {
    since: Instant,
    count: usize,
}

impl MessageKind {
    /// Lines of a kind that are printed in a minute.
    const MAX_LINES: usize = 10;
    const MINUTE: Duration = Duration::from_secs(60);

    /// Counts a line. Returns how many lines before it were left out, and its number in its minute.
    fn count(&mut self, now: Instant) -> (usize, usize) {
        let mut left_out = 0;
        if now.saturating_duration_since(self.since) >= MessageKind::MINUTE {
            left_out = self.left_out();
            *self = MessageKind { since: now, count: 0 };
        }
        self.count += 1;
        (left_out, self.count)
    }

    fn left_out(&self) -> usize {
        self.count.saturating_sub(MessageKind::MAX_LINES)
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.filter.matches(record) {
            return;
        }
        let (mut left_out, mut number) = (0, 0);
        if record.level() <= Level::Warn {
            let (mut kinds, now) = (self.kinds(), Instant::now());
            let place = (record.file_static(), record.line());
            let at = kinds.iter().position(|(known, _)| *known == place);
            let at = at.unwrap_or_else(|| {
                kinds.push((place, MessageKind { since: now, count: 0 }));
                kinds.len() - 1
            });
            (left_out, number) = kinds[at].1.count(now);
        }
        say_left_out(left_out);
        let level = record.level().as_str().to_ascii_lowercase();
        let rest = if number == MessageKind::MAX_LINES {
            "; more of these in a minute are counted"
        } else {
            ""
        };
        if number <= MessageKind::MAX_LINES {
            write(&format!("openkitchen: {level}: {}{rest}\n", record.args()));
        }
    }

    fn flush(&self) {
        say_left_out(self.kinds().drain(..).map(|(_, kind)| kind.left_out()).sum());
        if let Some(queue) = QUEUE.get() {
            queue.finish();
        }
    }
}

impl Logger {
    fn kinds(&self) -> MutexGuard<'_, Vec<(LogPlace, MessageKind)>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn say_left_out(lines: usize) {
    if lines > 0 {
        let lines = counted(lines, "warning or error was", "warnings or errors were");
        say(&format!("{lines} left out, of kinds that are printed above"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_lines_of_a_kind_are_printed_in_a_minute() {
        let since = Instant::now();
        let mut kind = MessageKind { since, count: 0 };
        let lines = (0..150).map(|second| kind.count(since + Duration::from_secs(second)));
        let printed =
            lines.filter(|&(_, number)| number <= MessageKind::MAX_LINES).collect::<Vec<_>>();
        let minute =
            |left_out| (1..=10).map(move |number| (if number == 1 { left_out } else { 0 }, number));
        assert!(printed.into_iter().eq([0, 50, 50].into_iter().flat_map(minute)));
        assert_eq!(kind.left_out(), 20);
    }
}
