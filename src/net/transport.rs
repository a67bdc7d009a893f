//! # 3. Bytes take time
//!
//! A socket gives what has arrived: half a line, or three requests at once. Between it and the
//! rules that want whole messages stands a buffer, and since some clients never send the rest, a
//! deadline.
//!
//! ```text
//! "GET / HT"   ...   "TP/1.1\r\nHost: h\r\n\r\nGET /about HT"   ...
//!  └ read 1 ┘         └ read 2 ─────────────────────────────┘
//! ```
//! A plain request costs one read, and its answer one write: the socket's own timeout stands at the
//! idle time, and only when a read leaves something incomplete is the clock looked at and the timeout
//! shortened to what is left.  Next: [`head`](crate::message::head).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// A connection's two directions: a socket, a tap around one, or memory.
pub trait Io: Read + Write {
    /// How long a read may wait from now on. Not zero.
    fn set_read_timeout(&mut self, time: Duration) -> io::Result<()>;
    /// Says that nothing more will be written.
    fn half_close(&mut self) -> io::Result<()>;
}

impl Io for &TcpStream {
    fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
        TcpStream::set_read_timeout(self, Some(time))
    }

    fn half_close(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// Bytes of the buffer that is always there. A browser's head has 650; what does not fit has a larger
/// one until it has been consumed.
const SMALL: usize = 2 * 1024;

/// Bytes of an output buffer that are worth keeping between exchanges.
const KEPT: usize = 16 * 1024;

/// Bytes of content that share a write with the head before them. Copying them costs less than a
/// second system call would.
pub(crate) const ONE_WRITE: usize = 64 * 1024;

/// How often a half that has been shut is looked at again for bytes that were on their way.
const RECHECKS: u32 = 200;

/// Time between two looks.
const RECHECK_PAUSE: Duration = Duration::from_millis(1);

/// What a thread takes from one connection to the next: making it anew would cost a short connection a
/// quarter of its time, and as arrays on the stack it would cost each idle thread a page more.
pub(crate) struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Buffers {
    /// Two empty buffers.
    pub fn new() -> Buffers {
        Buffers { input: vec![0; SMALL], output: Vec::new() }
    }

    /// Lets go of what a connection made large and did not consume, because it ended: the thread may wait
    /// for the next one for long.
    pub fn shrink(&mut self) {
        if self.input.len() > SMALL {
            self.input = vec![0; SMALL];
        }
        if self.output.capacity() > KEPT {
            self.output = Vec::new();
        }
    }
}

/// A line with buffers and a sense of time.
pub(crate) struct Transport<'a, L> {
    io: L,
    /// What has come and was not consumed stands in it from `start` to `end`.
    input: &'a mut Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes to send; whoever fills it sends it.
    pub out: &'a mut Vec<u8>,
    idle_timeout: Duration,
    /// What the socket's read timeout was last set to.
    timeout: Duration,
    /// The server itself has shut the half it reads from.
    is_shut: bool,
}

impl<'a, L: Io> Transport<'a, L> {
    /// `line` must stand at a read timeout of `idle_timeout`. Nothing that an earlier connection left in
    /// the buffers gets into this one.
    pub fn new(io: L, buffers: &'a mut Buffers, idle_timeout: Duration) -> Transport<'a, L> {
        let Buffers { input, output: out } = buffers;
        out.clear();
        let (start, end, timeout, is_shut) = (0, 0, idle_timeout, false);
        Transport { io, input, start, end, out, idle_timeout, timeout, is_shut }
    }

    /// The reading half has been shut, to end a wait, just when a request arrived. What is on its way is
    /// still received, but while there is nothing, a read says that the end has come.
    pub fn mark_read_shut(&mut self) {
        self.is_shut = true;
    }

    /// All bytes that have come and were not consumed.
    pub fn bytes(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    /// Lets go of the first bytes.
    pub fn consume(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.input.len() > SMALL {
                *self.input = vec![0; SMALL];
            }
        }
    }

    /// Reads once, behind what is there, and waits for it until the deadline, or for the idle time
    /// where there is none. `Ok(0)` is the end of what the client sends, `TimedOut` the deadline.
    pub fn fill(&mut self, deadline: Option<Instant>) -> io::Result<usize> {
        let timeout = match deadline {
            None => self.idle_timeout,
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
        };
        if timeout.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if timeout != self.timeout {
            self.io.set_read_timeout(timeout)?;
            self.timeout = timeout;
        }
        self.make_room();
        let mut rechecks = 0..RECHECKS;
        loop {
            match self.io.read(&mut self.input[self.end..]) {
                Ok(0) if self.is_shut => match rechecks.next() {
                    Some(_) => thread::sleep(RECHECK_PAUSE),
                    None => return Err(ErrorKind::TimedOut.into()),
                },
                Ok(length) => {
                    self.end += length;
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ErrorKind::TimedOut.into());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sees to it that there is room behind the last byte. What is asked for is bounded by those who
    /// call [`Transport::fill`]: they stop when a limit is reached.
    fn make_room(&mut self) {
        if self.end < self.input.len() {
            return;
        }
        let waiting = self.end - self.start;
        if waiting <= self.input.len() / 2 {
            self.input.copy_within(self.start.., 0);
        } else {
            let mut larger = vec![0; (2 * waiting).max(KEPT)];
            larger[..waiting].copy_from_slice(self.bytes());
            *self.input = larger;
        }
        (self.start, self.end) = (0, waiting);
    }

    /// Sends what is in `out`. `budget` is the time for all of it.
    pub fn flush(&mut self, budget: Duration) -> io::Result<()> {
        let out = std::mem::take(self.out);
        self.send(&out, budget)?;
        if out.capacity() <= KEPT {
            *self.out = out;
            self.out.clear();
        }
        Ok(())
    }

    /// Sends bytes. A client that takes none of them for the socket's write timeout, or not all
    /// within the budget, is given up.
    pub fn send(&mut self, bytes: &[u8], budget: Duration) -> io::Result<()> {
        let mut rest = bytes;
        let mut since = None;
        while !rest.is_empty() {
            match self.io.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => rest = &rest[length..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // The clock is looked at only when one write was not enough.
            if !rest.is_empty() && since.get_or_insert_with(Instant::now).elapsed() > budget {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    /// Says that nothing more will be sent. Where that fails, the client is gone already.
    pub fn half_close(&mut self) {
        let _ = self.io.half_close();
    }

    /// Ends the connection so that the client can still read what was sent to it.
    ///
    /// Closing a socket while bytes wait in it unread makes TCP send a reset, and a reset makes the
    /// client's side forget what it has received and not read. So: say that nothing more will come,
    /// then read and drop for a little while (RFC 9112 section 9.6).
    #[cold]
    pub fn linger(&mut self, time: Duration, mut bytes: usize) {
        if self.io.half_close().is_err() {
            return;
        }
        let deadline = Instant::now() + time;
        loop {
            self.consume(usize::MAX);
            match self.fill(Some(deadline)) {
                Ok(length @ 1..) if length < bytes => bytes -= length,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that gives its bytes in pieces of a size and remembers how long reads may wait.
    struct Pieces<'a> {
        bytes: &'a [u8],
        pace: usize,
        timeouts: Vec<Duration>,
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.pace.min(buffer.len()).min(self.bytes.len());
            self.bytes.read(&mut buffer[..length])
        }
    }

    impl Write for Pieces<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Io for Pieces<'_> {
        fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
            self.timeouts.push(time);
            Ok(())
        }
        fn half_close(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn transport<'a>(
        bytes: &'a [u8],
        pace: usize,
        buffers: &'a mut Buffers,
    ) -> Transport<'a, Pieces<'a>> {
        let io = Pieces { bytes, pace, timeouts: Vec::new() };
        Transport::new(io, buffers, Duration::from_secs(60))
    }

    #[test]
    fn what_does_not_fit_has_a_larger_buffer_until_it_is_consumed() {
        let bytes: Vec<u8> = (0..100_000u32).map(|number| number as u8).collect();
        let mut buffers = Buffers::new();
        for pace in [1000, 2048, 5000] {
            let mut transport = transport(&bytes, pace, &mut buffers);
            while transport.fill(None).unwrap() > 0 {}
            assert_eq!(transport.bytes(), bytes, "{pace}");
            transport.consume(99_990);
            assert_eq!(transport.bytes(), &bytes[99_990..]);
            transport.consume(10);
            assert!(transport.input.len() == SMALL && transport.bytes().is_empty());
        }
    }

    #[test]
    fn a_plain_read_leaves_the_socket_alone_and_a_deadline_shortens_its_timeout() {
        let mut buffers = Buffers::new();
        let mut transport = transport(b"GET / HTTP/1.1\r\n\r\n", 8, &mut buffers);
        transport.fill(None).unwrap();
        assert!(transport.io.timeouts.is_empty());
        transport.fill(Some(Instant::now() + Duration::from_secs(10))).unwrap();
        assert!(transport.io.timeouts[0] <= Duration::from_secs(10));
        transport.fill(None).unwrap();
        assert_eq!(transport.io.timeouts[1], Duration::from_secs(60));
        let passed = transport.fill(Some(Instant::now())).unwrap_err();
        assert_eq!(passed.kind(), ErrorKind::TimedOut);
    }
}
