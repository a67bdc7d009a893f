//! # A session of `mock`: plays the server's side of one connection
//!
//! How does a server reset a connection, when std can only close it?
//!
//! ```text
//! receive buffer:  GET / HTTP/1.1␍␊ Host: h␍␊ ␍␊
//!                  └─ read ──────────────────┘└ one byte stays unread
//! ```
//! Rule: if a socket is closed with unread bytes in its receive buffer, the kernel sends RST instead
//! of FIN (RFC 1122 section 4.2.2.13: TCP shows that data was lost). So the session looks at bytes with
//! `peek`, and reads only those that it has understood; before a reset, all except the last byte. If
//! the client has sent nothing, no byte is unread, so the session also sets SO_LINGER to zero.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::message::visible::Visible;
use openkitchen::sys;

use super::differ;
use super::steps::{MockConnection, Step};
use crate::cli::send::progress::DirectionProgress;

/// How long the server still reads after its last step, if the client does not close its side. In this
/// time the client reads the rest, before the socket is closed.
const LINGER: Duration = Duration::from_millis(500);

/// How long written bytes have to be sent before a reset, which drops those that were not sent.
const DELAY_BEFORE_RESET: Duration = Duration::from_millis(50);

/// Bytes of one read at most.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that are kept if the client sends more than the transcript has: enough to show a difference.
const MAX_SURPLUS_BYTES: usize = 64 * 1024;

/// Bytes of the surplus that are printed.
const SHOWN_BYTES: usize = 60;

/// How a session ended.
pub struct MockOutcome {
    /// What was not as in the transcript, each in a sentence.
    pub differences: Vec<String>,
    /// What the client did not do in time.
    pub timed_out: Option<String>,
}

/// Why a session stopped before its last step.
enum MockStop {
    /// The client did not act in time; what was awaited.
    Stalled(String),
    /// The client closed or reset the connection; what was left to do.
    ClientLeft(String),
}

/// Plays a connection of the transcript. Each wait for the client takes at most `timeout`.
pub fn play(stream: TcpStream, script: &MockConnection, timeout: Duration) -> MockOutcome {
    let mut session = Session {
        stream,
        script,
        timeout,
        planned: DirectionProgress::requests(),
        planned_bytes: 0,
        actual: DirectionProgress::requests(),
        received: Vec::new(),
        unread: 0,
        surplus: Vec::new(),
    };
    let stop = session.play().err();
    session.outcome(stop)
}

struct Session<'a> {
    stream: TcpStream,
    script: &'a MockConnection,
    timeout: Duration,
    /// The position in the transcript, and how many of its bytes that is.
    planned: DirectionProgress,
    planned_bytes: usize,
    /// The position in what the client has sent.
    actual: DirectionProgress,
    received: Vec<u8>,
    /// Bytes that were understood, and stay unread in the socket.
    unread: usize,
    /// What the client sent and no step reads.
    surplus: Vec<u8>,
}

impl Session<'_> {
    fn play(&mut self) -> Result<(), MockStop> {
        // Each write is sent at once, as a segment of its own. If the system refuses, the bytes arrive
        // all the same.
        let _ = self.stream.set_nodelay(true);
        let _ = self.stream.set_write_timeout(Some(self.timeout));
        let script = self.script;
        for (at, step) in script.steps.iter().enumerate() {
            match step {
                Step::Read(to) => self.read(*to, is_last_before_reset(&script.steps[at + 1..]))?,
                Step::Write(bytes) => self.write(bytes)?,
                Step::Wait(time) => thread::sleep(*time),
                Step::Stall(time) => self.stall(*time),
                Step::HalfClose => self.half_close(),
                Step::Reset => return self.reset(),
                Step::Close => {
                    self.half_close();
                    self.read_rest(LINGER);
                    return Ok(());
                }
                Step::AwaitClose => {
                    if !self.read_rest(self.timeout) {
                        let what = "the client did not close the connection";
                        return Err(MockStop::Stalled(what.into()));
                    }
                }
            }
        }
        self.read_rest(LINGER);
        Ok(())
    }

    /// Reads until the client has reached the position that the transcript has after `to` bytes.
    fn read(&mut self, to: usize, leaves_one_byte: bool) -> Result<(), MockStop> {
        let script = self.script;
        while self.planned_bytes < to {
            self.planned_bytes +=
                self.planned.step(&script.expected.bytes[self.planned_bytes..to]).0;
        }
        let mut buffer = vec![0; READ_BYTES];
        while !self.has_reached_plan() {
            let seen = match self.peek(&mut buffer, self.timeout) {
                Peek::Bytes(length) => &buffer[..length],
                Peek::Silence => return Err(MockStop::Stalled(self.request_so_far())),
                Peek::End => return Err(MockStop::ClientLeft(self.request_so_far())),
            };
            let mut used = 0;
            while used < seen.len() && !self.has_reached_plan() {
                used += self.actual.step(&seen[used..]).0;
            }
            let limit = script.expected.bytes.len() + MAX_SURPLUS_BYTES;
            let room = limit.saturating_sub(self.received.len());
            self.received.extend_from_slice(&seen[..used.min(room)]);
            self.unread = usize::from(leaves_one_byte && self.has_reached_plan());
            self.consume(&mut buffer[..used - self.unread]);
        }
        Ok(())
    }

    fn has_reached_plan(&self) -> bool {
        self.actual.progress().has_reached(self.planned.progress())
    }

    fn request_so_far(&self) -> String {
        let whole = self.actual.ends();
        let end = whole.last().map_or(0, |&end| end.min(self.received.len()));
        let (length, number) = (self.received.len() - end, whole.len() + 1);
        format!("{length} bytes of request {number} were received, and it is not complete")
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), MockStop> {
        let length = bytes.len();
        self.stream.write_all(bytes).map_err(|error| match is_timeout(&error) {
            true => MockStop::Stalled(format!("the client does not read {length} bytes")),
            false => MockStop::ClientLeft(format!("{length} bytes were not sent")),
        })
    }

    /// Sends nothing for this time. It ends early if the client closes the connection.
    fn stall(&self, time: Duration) {
        let deadline = Instant::now() + time;
        match self.peek(&mut [0], time) {
            Peek::Bytes(_) => thread::sleep(deadline.saturating_duration_since(Instant::now())),
            Peek::Silence | Peek::End => {}
        }
    }

    fn half_close(&self) {
        let _ = self.stream.shutdown(Shutdown::Write); // fails if the client has closed before
    }

    fn reset(&mut self) -> Result<(), MockStop> {
        let left = || MockStop::ClientLeft("the server was to reset the connection".into());
        if let Peek::End = self.peek(&mut [0], DELAY_BEFORE_RESET) {
            return Err(left());
        }
        thread::sleep(DELAY_BEFORE_RESET); // what was written is sent by then
        sys::reset_on_close(&self.stream).map_err(|_| left())
    }

    /// Reads what still arrives, at most for this time. Returns whether the client has closed its side.
    /// If the socket were closed with unread bytes, the kernel would send RST, and the client could
    /// lose the response.
    fn read_rest(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.peek(&mut buffer, left) {
                Peek::End => return true,
                Peek::Silence => return false,
                Peek::Bytes(length) => {
                    self.consume(&mut buffer[..length]);
                    let start = std::mem::take(&mut self.unread).min(length);
                    let room = MAX_SURPLUS_BYTES.saturating_sub(self.surplus.len());
                    let more = &buffer[start..length];
                    self.surplus.extend_from_slice(&more[..more.len().min(room)]);
                }
            }
        }
    }

    /// Looks at the received bytes without reading them, and waits for the first one.
    fn peek(&self, buffer: &mut [u8], time: Duration) -> Peek {
        // std refuses a timeout of zero, since the system would wait for ever.
        let _ = self.stream.set_read_timeout(Some(time.max(Duration::from_millis(1))));
        loop {
            return match self.stream.peek(buffer) {
                Ok(0) => Peek::End,
                Ok(length) => Peek::Bytes(length),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if is_timeout(&error) => Peek::Silence,
                Err(_) => Peek::End,
            };
        }
    }

    /// Reads bytes that `peek` has seen. If there was a reset since then, the next `peek` reports it.
    fn consume(&mut self, seen: &mut [u8]) {
        let _ = self.stream.read_exact(seen);
    }

    fn outcome(&self, stop: Option<MockStop>) -> MockOutcome {
        let difference = differ::first_difference(
            self.script,
            self.planned.ends(),
            &self.received,
            &self.actual,
        );
        let mut differences = Vec::from_iter(difference);
        if !self.surplus.is_empty() {
            let shown = &self.surplus[..self.surplus.len().min(SHOWN_BYTES)];
            let length = self.surplus.len();
            differences.push(format!("the client sent more, {length} bytes: {}", Visible(shown)));
        }
        let mut timed_out = None;
        match stop {
            Some(MockStop::Stalled(what)) => {
                timed_out = Some(format!("timed out after {:?}: {what}", self.timeout));
            }
            Some(MockStop::ClientLeft(what)) => {
                differences.push(format!("the client closed the connection early: {what}"));
            }
            None => {}
        }
        MockOutcome { differences, timed_out }
    }
}

enum Peek {
    Bytes(usize),
    /// No byte in time.
    Silence,
    /// The client has closed its side, or reset the connection.
    End,
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether a reset is the next of these steps that is a read or a reset.
fn is_last_before_reset(rest: &[Step]) -> bool {
    let next = rest.iter().find(|step| matches!(step, Step::Read(_) | Step::Reset));
    next == Some(&Step::Reset)
}
