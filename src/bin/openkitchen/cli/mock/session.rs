//! # One session
//!
//! How does a server break a connection off, when std can only close one in order?
//!
//! ```text
//! receive buffer:  GET / HTTP/1.1␍␊ Host: h␍␊ ␍␊
//!                  └─ read ──────────────────┘└ one byte is left where it is
//! ```
//! Rule: whoever closes a socket with unread bytes in its receive buffer sends RST instead of FIN
//! (RFC 1122 section 4.2.2.13 asks for it, to show that data was lost). So everything here looks
//! with `peek` first and takes only what it has understood: before a reset all but the last byte. A
//! client that has sent nothing leaves no byte, so the system is asked for the reset as well.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use openkitchen::message::visible::Visible;

use super::differ;
use super::steps::{MockConnection, Step};
use crate::cli::send::progress::DirectionProgress;
use crate::sys;

/// How long a client may take to notice the end, or to leave where the file does not say who does.
const LINGER: Duration = Duration::from_millis(500);

/// What was written gets so much time to leave before a reset, which takes along what has not.
const BEFORE_RESET: Duration = Duration::from_millis(50);

/// What is kept of a client that sends more than the file has: enough to see where they part.
const SURPLUS: usize = 64 * 1024;

/// What is shown of it.
const SHOWN: usize = 60;

/// How it went.
pub struct MockOutcome {
    /// What was not as written, each in a sentence.
    pub differences: Vec<String>,
    /// What the client did not do in time.
    pub timed_out: Option<String>,
}

/// Why no more of a part can be played.
enum MockStop {
    /// The client stalls; this is what was waited for.
    Stalled(String),
    /// The client is gone; this is what was left to do.
    Gone(String),
}

/// Plays a part.
pub fn play(stream: TcpStream, part: &MockConnection, timeout: Duration) -> MockOutcome {
    let mut session = Session {
        stream,
        part,
        timeout,
        planned: DirectionProgress::requests(),
        read_to: 0,
        real: DirectionProgress::requests(),
        got: Vec::new(),
        unread: 0,
        surplus: Vec::new(),
    };
    let stop = session.play().err();
    session.outcome(stop)
}

struct Session<'a> {
    stream: TcpStream,
    part: &'a MockConnection,
    timeout: Duration,
    /// What should have come by now, and how many bytes of the part that is.
    planned: DirectionProgress,
    read_to: usize,
    /// What has.
    real: DirectionProgress,
    got: Vec<u8>,
    /// Bytes that were seen, and are left in the socket.
    unread: usize,
    /// What came although nothing was due.
    surplus: Vec<u8>,
}

impl Session<'_> {
    fn play(&mut self) -> Result<(), MockStop> {
        // Each write is a segment of its own; where the system refuses that, they still come.
        let _ = self.stream.set_nodelay(true);
        let _ = self.stream.set_write_timeout(Some(self.timeout));
        let part = self.part;
        for (at, step) in part.steps.iter().enumerate() {
            match step {
                Step::Read(to) => self.read(*to, is_last_before_reset(&part.steps[at + 1..]))?,
                Step::Write(bytes) => self.write(bytes)?,
                Step::Wait(time) => thread::sleep(*time),
                Step::Stall(time) => self.stall(*time),
                Step::HalfClose => self.half_close(),
                Step::Reset => return self.reset(),
                Step::Close => {
                    self.half_close();
                    self.drain(LINGER);
                    return Ok(());
                }
                Step::ClientLeaves => {
                    if !self.drain(self.timeout) {
                        return Err(MockStop::Stalled("the client did not leave".into()));
                    }
                }
            }
        }
        self.drain(LINGER);
        Ok(())
    }

    /// Waits until the client has come as far as the part has there.
    fn read(&mut self, to: usize, leaves_one: bool) -> Result<(), MockStop> {
        let part = self.part;
        while self.read_to < to {
            self.read_to += self.planned.step(&part.expected.bytes[self.read_to..to]).0;
        }
        let mut piece = vec![0; 64 * 1024];
        while !self.real.place().has_reached(self.planned.place()) {
            let came = match self.peek(&mut piece, self.timeout) {
                Peek::Bytes(length) => &piece[..length],
                Peek::Silence => return Err(MockStop::Stalled(self.so_far())),
                Peek::End => return Err(MockStop::Gone(self.so_far())),
            };
            let mut used = 0;
            while used < came.len() && !self.real.place().has_reached(self.planned.place()) {
                used += self.real.step(&came[used..]).0;
            }
            let room = (part.expected.bytes.len() + SURPLUS).saturating_sub(self.got.len());
            self.got.extend_from_slice(&came[..used.min(room)]);
            let is_all = self.real.place().has_reached(self.planned.place());
            self.unread = usize::from(is_all && leaves_one);
            self.consume(&mut piece[..used - self.unread]);
        }
        Ok(())
    }

    fn so_far(&self) -> String {
        let whole = self.real.ends();
        let of_this = self.got.len() - whole.last().map_or(0, |&end| end.min(self.got.len()));
        format!("{of_this} bytes of request {} had come, and more was due", whole.len() + 1)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), MockStop> {
        let length = bytes.len();
        self.stream.write_all(bytes).map_err(|error| match is_silence(&error) {
            true => MockStop::Stalled(format!("the client does not take {length} bytes")),
            false => MockStop::Gone(format!("{length} bytes were to be sent")),
        })
    }

    /// Nothing, for so long. A client that gives up ends it.
    fn stall(&self, time: Duration) {
        let until = Instant::now() + time;
        match self.peek(&mut [0], time) {
            Peek::Bytes(_) => thread::sleep(until.saturating_duration_since(Instant::now())),
            Peek::Silence | Peek::End => {}
        }
    }

    fn half_close(&self) {
        let _ = self.stream.shutdown(Shutdown::Write); // fails where the client is gone
    }

    fn reset(&mut self) -> Result<(), MockStop> {
        let gone = || MockStop::Gone("the server was to reset".into());
        if let Peek::End = self.peek(&mut [0], BEFORE_RESET) {
            return Err(gone());
        }
        thread::sleep(BEFORE_RESET); // what was written has left by then
        sys::reset_on_close(&self.stream).map_err(|_| gone())
    }

    /// Takes what still comes, at most for so long; true where the client has ended its side. A socket
    /// that is closed before would reset, and take the answer away from the client.
    fn drain(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.peek(&mut piece, left) {
                Peek::End => return true,
                Peek::Silence => return false,
                Peek::Bytes(length) => {
                    self.consume(&mut piece[..length]);
                    let start = std::mem::take(&mut self.unread).min(length);
                    let room = SURPLUS.saturating_sub(self.surplus.len());
                    let more = &piece[start..length];
                    self.surplus.extend_from_slice(&more[..more.len().min(room)]);
                }
            }
        }
    }

    /// Looks at what is there, or waits for it.
    fn peek(&self, piece: &mut [u8], time: Duration) -> Peek {
        // A time of zero is refused by std, for it means for ever.
        let _ = self.stream.set_read_timeout(Some(time.max(Duration::from_millis(1))));
        loop {
            return match self.stream.peek(piece) {
                Ok(0) => Peek::End,
                Ok(length) => Peek::Bytes(length),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if is_silence(&error) => Peek::Silence,
                Err(_) => Peek::End,
            };
        }
    }

    /// Takes bytes that were seen.
    fn consume(&mut self, seen: &mut [u8]) {
        let _ = self.stream.read_exact(seen); // they are there; a reset since then is seen by the next peek
    }

    fn outcome(&self, stop: Option<MockStop>) -> MockOutcome {
        let different = differ::requests(self.part, self.planned.ends(), &self.got, &self.real);
        let mut differences = Vec::from_iter(different);
        if !self.surplus.is_empty() {
            let shown = &self.surplus[..self.surplus.len().min(SHOWN)];
            let length = self.surplus.len();
            differences.push(format!("the client sent more, {length} bytes: {}", Visible(shown)));
        }
        let mut timed_out = None;
        match stop {
            Some(MockStop::Stalled(what)) => {
                timed_out = Some(format!("timed out after {:?}: {what}", self.timeout));
            }
            Some(MockStop::Gone(what)) => {
                differences.push(format!("the client left early: {what}"))
            }
            None => {}
        }
        MockOutcome { differences, timed_out }
    }
}

enum Peek {
    Bytes(usize),
    Silence,
    End,
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether nothing is read after this up to a reset.
fn is_last_before_reset(rest: &[Step]) -> bool {
    let next = rest.iter().find(|step| matches!(step, Step::Read(_) | Step::Reset));
    next == Some(&Step::Reset)
}
