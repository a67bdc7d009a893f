//! Lines for stdout or stderr: a queue, and a thread that writes them.
//!
//! A program that reads the lines may be slow, or may have stopped reading: a pipe takes 64 KiB more, and
//! then each write waits, perhaps for ever. If the server's threads wrote the lines, all of them could wait
//! there: the server would not respond, or even stop.
//!
//! ```text
//! threads of connections --> queue of blocks --> one thread --> stdout or stderr
//! ```
//! So only that thread writes. While its writes go on, a thread that finds the queue full waits for them: a
//! file, or a pipe that is read, gets every line. A write that takes too long is *stuck*: from then on no
//! thread waits, until a write is quick again, and lines that do not fit are lost. They are counted, and a
//! line says how many there were, in the place where they are missing.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{mem, thread};

use openkitchen::sys;

/// Bytes of lines that are written together, at most. A pipe holds as many.
const BLOCK_BYTES: usize = 64 * 1024;

/// Blocks in the queue: 1 MiB in all.
const MAX_BLOCKS: usize = 16;

/// The least time between two writes of blocks that are not full: to wake the thread and to write costs
/// more than to make a line. A line after a pause is written at once.
const BATCH_DELAY: Duration = Duration::from_millis(5);

/// How long the end of the program waits until the queue is written.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// When a write to a pipe or a terminal is stuck: one that is read takes a block sooner.
pub const STUCK_AFTER: Duration = Duration::from_millis(50);

/// The lines that are not written yet.
pub struct LineQueue {
    state: Mutex<LineQueueState>,
    changed: Condvar,
    /// A write that takes longer than this is stuck.
    stuck_after: Duration,
    on_loss: OnLoss,
}

/// Is told how many lines are lost so far, and the error if they could not be written.
pub type OnLoss = fn(usize, Option<&io::Error>);

#[derive(Default)]
struct LineQueueState {
    blocks: VecDeque<QueueBlock>,
    /// Lines that were lost after the last block.
    lost: usize,
    lost_in_all: usize,
    /// What the thread is writing.
    writing: Option<Writing>,
    /// When its last write has ended.
    written: Option<Instant>,
    /// The last write was stuck.
    was_stuck: bool,
}

/// Whole lines that are written together.
#[derive(Default)]
struct QueueBlock {
    /// Lines that were lost before these.
    lost_before: usize,
    lines: usize,
    text: Vec<u8>,
}

struct Writing {
    since: Instant,
    lines: usize,
}

impl LineQueue {
    /// Starts a thread with this name, which writes the lines to `out`. `about_loss` makes the line about a
    /// number of lines that were lost.
    ///
    /// # Errors
    /// The system grants no thread.
    pub fn start(
        thread_name: &str,
        out: impl Write + Send + 'static,
        stuck_after: Duration,
        about_loss: fn(usize) -> String,
        on_loss: OnLoss,
    ) -> io::Result<Arc<LineQueue>> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let queue = Arc::new(LineQueue { state, changed, stuck_after, on_loss });
        let to_write = Arc::clone(&queue);
        let write = move || to_write.write_to(out, about_loss);
        sys::spawn(thread_name, write)?;
        Ok(queue)
    }

    /// Adds a line, with its line end.
    pub fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if !state.has_room(line.len()) && !state.was_stuck {
            let has_none = |state: &mut LineQueueState| !state.has_room(line.len());
            let left = self.stuck_after.saturating_sub(state.writing_for());
            let waited = self.changed.wait_timeout_while(state, left, has_none);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if !state.has_room(line.len()) {
            state.lost += 1;
            self.count_loss(state, 1, None);
            return;
        }
        let blocks = state.blocks.len();
        state.add(line);
        // The thread waits for the first line, and then for a second block.
        let is_awaited = state.blocks.len() > blocks && blocks < 2;
        drop(state);
        if is_awaited {
            self.changed.notify_all();
        }
    }

    /// Waits until the queue is written, at most [`FLUSH_TIMEOUT`], and no longer than until the write is
    /// stuck. To be called before the process ends. Returns how many lines are lost then.
    pub fn finish(&self) -> usize {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        let mut state = self.state();
        while state.writing.is_some() || !state.blocks.is_empty() || state.lost > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.min(self.stuck_after.saturating_sub(state.writing_for()));
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let waiting = state.blocks.iter().map(|block| block.lines).sum::<usize>();
        state.lost_in_all + waiting + state.writing.as_ref().map_or(0, |writing| writing.lines)
    }

    /// The loop of the thread.
    fn write_to(&self, mut out: impl Write, about_loss: fn(usize) -> String) {
        // Lines that are missing before the next one; whether the last one was written in part.
        let (mut missing, mut is_cut) = (0, false);
        loop {
            let block = self.take();
            missing += block.lost_before;
            let about = match (missing, is_cut) {
                (0, _) => String::new(),
                (_, false) => about_loss(missing),
                (_, true) => format!("\n{}", about_loss(missing)),
            };
            let written = match write_lines(&mut out, about.as_bytes(), &mut is_cut) {
                Ok(()) => {
                    missing = 0;
                    write_lines(&mut out, &block.text, &mut is_cut)
                }
                Err((_, error)) => Err((block.lines, error)),
            };
            let mut state = self.state();
            state.was_stuck = state.writing_for() >= self.stuck_after;
            (state.writing, state.written) = (None, Some(Instant::now()));
            match written {
                Ok(()) => drop(state),
                Err((unwritten, error)) => {
                    missing += unwritten;
                    self.count_loss(state, unwritten, Some(&error));
                }
            }
            self.changed.notify_all();
        }
    }

    /// Waits for a line, and then for a full block, or until the last write is [`BATCH_DELAY`] ago. Takes the
    /// first block.
    fn take(&self) -> QueueBlock {
        let is_empty = |state: &mut LineQueueState| state.blocks.is_empty() && state.lost == 0;
        let state = self.changed.wait_while(self.state(), is_empty);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let is_small = |state: &mut LineQueueState| state.blocks.len() == 1;
        let pause = state.written.map_or(BATCH_DELAY, |written| written.elapsed());
        let left = BATCH_DELAY.saturating_sub(pause);
        let waited = self.changed.wait_timeout_while(state, left, is_small);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let block = match state.blocks.pop_front() {
            Some(block) => block,
            None => QueueBlock { lost_before: mem::take(&mut state.lost), ..QueueBlock::default() },
        };
        state.writing = Some(Writing { since: Instant::now(), lines: block.lines });
        drop(state);
        self.changed.notify_all();
        block
    }

    /// Counts lines that are lost. Frees the lock before it tells.
    fn count_loss(
        &self,
        mut state: MutexGuard<'_, LineQueueState>,
        lines: usize,
        error: Option<&io::Error>,
    ) {
        state.lost_in_all += lines;
        let lost_in_all = state.lost_in_all;
        drop(state);
        (self.on_loss)(lost_in_all, error);
    }

    fn state(&self) -> MutexGuard<'_, LineQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LineQueueState {
    /// Whether there is room for a line of this length.
    fn has_room(&self, length: usize) -> bool {
        self.blocks.len() < MAX_BLOCKS || self.fits_in_last(length)
    }

    /// Lines after lost ones are a block of their own, since a line between them tells of the loss.
    fn fits_in_last(&self, length: usize) -> bool {
        let fits = |block: &QueueBlock| block.text.len() + length <= BLOCK_BYTES;
        self.lost == 0 && self.blocks.back().is_some_and(fits)
    }

    fn add(&mut self, line: &[u8]) {
        if !self.fits_in_last(line.len()) {
            let lost_before = mem::take(&mut self.lost);
            self.blocks.push_back(QueueBlock { lost_before, ..QueueBlock::default() });
        }
        if let Some(block) = self.blocks.back_mut() {
            block.lines += 1;
            block.text.extend_from_slice(line);
        }
    }

    /// How long the thread has been writing. Zero if it is not.
    fn writing_for(&self) -> Duration {
        self.writing.as_ref().map_or(Duration::ZERO, |writing| writing.since.elapsed())
    }
}

/// Writes whole lines. After an error, returns how many of them are not written to their end; `is_cut` says
/// whether one was begun.
fn write_lines(
    out: &mut impl Write,
    mut text: &[u8],
    is_cut: &mut bool,
) -> Result<(), (usize, io::Error)> {
    while !text.is_empty() {
        let error = match out.write(text) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(length) => {
                *is_cut = text[length - 1] != b'\n';
                text = &text[length..];
                continue;
            }
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Interrupted => {}
            // Another program has set stdout so that a write does not wait.
            ErrorKind::WouldBlock => thread::sleep(BATCH_DELAY),
            _ => return Err((text.iter().filter(|&&byte| byte == b'\n').count(), error)),
        }
    }
    let _ = out.flush(); // all is written already, as far as it can be
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    /// Each write tells its text, and waits for its result.
    struct Scripted {
        texts: Sender<String>,
        results: Receiver<io::Result<usize>>,
    }

    impl Write for Scripted {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.texts.send(String::from_utf8_lossy(text).into_owned());
            let result = self.results.recv().unwrap_or(Ok(text.len()));
            result.map(|length| length.min(text.len()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A queue, the texts that it writes, and what each write returns. Dropped, all writes succeed.
    fn scripted(
        stuck_after: Duration,
    ) -> (Arc<LineQueue>, Receiver<String>, Sender<io::Result<usize>>) {
        let ((texts, written), (script, results)) = (mpsc::channel(), mpsc::channel());
        let about = |lost| format!("# {lost} lost\n");
        let out = Scripted { texts, results };
        let queue = LineQueue::start("test", out, stuck_after, about, |_, _| {}).unwrap();
        (queue, written, script)
    }

    #[test]
    fn while_a_write_is_stuck_lines_are_lost_and_told_in_their_place() {
        let (queue, written, script) = scripted(Duration::from_millis(20));
        queue.push(b"first\n");
        assert_eq!(written.recv().unwrap(), "first\n");
        let since = Instant::now();
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        (0..1124).for_each(|_| queue.push(&line));
        assert!(since.elapsed() < Duration::from_secs(5), "they wait once, and not each");
        assert_eq!(queue.finish(), 1125, "and these are not written yet");
        drop(script);
        let mut rest = String::new();
        while !rest.ends_with("# 100 lost\n") {
            rest += &written.recv().unwrap();
        }
        assert_eq!(rest.matches('x').count(), 1024 * 1023);
        queue.push(b"next\n");
        assert_eq!(written.recv().unwrap(), "next\n");
        assert_eq!(queue.finish(), 100);
    }

    #[test]
    fn after_a_stuck_write_no_thread_waits_until_one_is_quick() {
        let (queue, written, script) = scripted(Duration::from_secs(1));
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        let fill = || {
            let since = Instant::now();
            (0..1200).for_each(|_| queue.push(&line));
            since.elapsed()
        };
        queue.push(b"first\n");
        assert!(written.recv().unwrap() == "first\n"); // it is being written
        assert!(fill() >= Duration::from_millis(900), "the write may yet end");
        script.send(Ok(usize::MAX)).unwrap();
        drop(written.recv().unwrap()); // the second one is being written
        assert!(fill() < Duration::from_millis(900));
        drop(script);
        (0..MAX_BLOCKS).for_each(|_| drop(written.recv().unwrap()));
        assert!(queue.finish() > 0);
        assert!(!queue.state().was_stuck);
    }

    #[test]
    fn while_writes_go_on_a_full_queue_is_waited_for() {
        let (queue, written, script) = scripted(Duration::from_secs(10));
        let read = thread::spawn(move || {
            let mut length = 0;
            while length < 4 * MAX_BLOCKS * BLOCK_BYTES {
                length += written.recv().unwrap().len();
                script.send(Ok(usize::MAX)).unwrap();
            }
        });
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        (0..4 * 1024).for_each(|_| queue.push(&line));
        read.join().unwrap();
        assert_eq!(queue.finish(), 0);
    }

    #[test]
    fn a_line_that_is_written_in_part_is_lost_and_ended() {
        let (queue, written, script) = scripted(Duration::from_secs(10));
        let texts = |count| written.iter().take(count).collect::<Vec<_>>();
        let full = || Err(io::Error::from(ErrorKind::StorageFull));
        queue.push(b"zero\n");
        assert_eq!(texts(1), ["zero\n"]);
        queue.push(b"one\n");
        queue.push(b"two\n");
        for result in [Err(ErrorKind::WouldBlock.into()), Ok(5), Ok(5), full(), full()] {
            script.send(result).unwrap();
        }
        assert_eq!(texts(3), ["zero\n", "one\ntwo\n", "wo\n"]);
        assert_eq!(queue.finish(), 1);
        queue.push(b"three\n");
        assert_eq!(texts(1), ["\n# 1 lost\n"]);
        assert_eq!(queue.finish(), 2);
        drop(script);
        queue.push(b"four\n");
        assert_eq!(texts(2), ["\n# 2 lost\n", "four\n"]);
        assert_eq!(queue.finish(), 2);
    }
}
