//! stdout of a server: its first lines, and the access log. A thread of its own writes them, so a server
//! starts, responds and stops also where stdout is a pipe that nothing reads.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openkitchen::message::counted::counted;
use openkitchen::sys;

use super::line_queue::{LineQueue, STUCK_AFTER};
use crate::json;

/// When a write to a file is stuck. A disk may keep a write waiting for some time, and then goes on.
const FILE_STUCK_AFTER: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<Arc<LineQueue>> = OnceLock::new();

/// The queue of the lines. The first call starts the thread that writes them.
///
/// # Errors
/// The system grants no thread.
pub fn queue() -> io::Result<&'static LineQueue> {
    queue_with(|lost| format!("# {} lost here\n", counted(lost, "line was", "lines were")))
}

/// The same queue for lines of JSON: the line about lost ones is such a line too. To be called before
/// anything is printed.
///
/// # Errors
/// The system grants no thread.
pub fn json_queue() -> io::Result<&'static LineQueue> {
    queue_with(|lost| json::line("lost", [("lines", lost.to_string())]))
}

fn queue_with(about_loss: fn(usize) -> String) -> io::Result<&'static LineQueue> {
    if let Some(queue) = QUEUE.get() {
        return Ok(queue);
    }
    let stuck_after = if sys::stdout_is_file() { FILE_STUCK_AFTER } else { STUCK_AFTER };
    let started =
        LineQueue::start("stdout", io::stdout(), stuck_after, about_loss, report_tenfold)?;
    Ok(QUEUE.get_or_init(|| started))
}

/// Prints a line of prose, as it stands in a transcript.
pub fn print_line(line: &str) {
    push(&format!("# {line}\n"));
}

/// Prints a line that has its line end.
pub fn push(line: &str) {
    match queue() {
        Ok(queue) => queue.push(line.as_bytes()),
        Err(_) => drop(super::print(line)), // the server goes on all the same
    }
}

/// Waits until the lines are written, not long. Reports those that are lost.
pub fn finish() {
    let lost = QUEUE.get().map_or(0, |queue| queue.finish());
    if lost > REPORTED.load(Ordering::Relaxed) {
        log::warn!("{} lost", lines_of_stdout(lost));
    }
}

/// How many lost lines the last report has.
static REPORTED: AtomicUsize = AtomicUsize::new(0);

/// Reports the first loss, and then each time that it is tenfold: a closed stdout loses every line.
fn report_tenfold(lost: usize, error: Option<&io::Error>) {
    let is_due = |reported| (lost >= reported * 10).then_some(lost);
    if REPORTED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_ok() {
        let lost = lines_of_stdout(lost);
        match error {
            Some(error) => log::warn!("{lost} lost so far: {error}"),
            None => log::warn!("{lost} lost so far: it is read too slowly, or not at all"),
        }
    }
}

fn lines_of_stdout(count: usize) -> String {
    counted(count, "line of stdout was", "lines of stdout were")
}
