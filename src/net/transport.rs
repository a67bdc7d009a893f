//! # Reads and writes of one connection: buffers and deadlines
//!
//! A read gives what has arrived: half a line, or three requests at once. The rules in
//! [`message`](crate::message) want whole messages, so the bytes are collected in a buffer. Some
//! clients never send the rest, so each wait has a deadline.
//!
//! ```text
//! "GET / HT"   ...   "TP/1.1\r\nHost: h\r\n\r\nGET /about HT"   ...
//!  └ read 1 ┘         └ read 2 ─────────────────────────────┘
//! ```
//! A plain request costs one read, and its response one write. The socket's read timeout is set to the
//! idle timeout. If a read leaves a message incomplete, the code reads the clock and shortens the timeout
//! to the time that is left.  Next: [`memory`](super::memory).

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::memory::{FREE_BYTES, Memory, OutOfMemory, Reservation, enlarge};
use crate::sys;

/// Both directions of a connection: a socket, a socket with a tap, or memory.
#[doc(hidden)]
pub trait Io: Read + Write {
    /// Sets how long a read may wait from now on. `time` is not zero.
    fn set_read_timeout(&mut self, time: Duration) -> io::Result<()>;
    /// Closes the writing half: the peer reads the end of the stream.
    fn half_close(&mut self) -> io::Result<()>;
    /// Whether the client has taken nothing for the write timeout, after a write that has waited so long.
    fn is_stalled(&self) -> bool {
        false
    }
    /// Makes the end of the connection a reset, once what was written has arrived, or after this time: a
    /// reset drops what has not. If the server is stopping, it waits only a moment.
    fn reset_at_end(&mut self, time: Duration, is_stopping: &dyn Fn() -> bool) -> io::Result<()>;
}

impl Io for &TcpStream {
    fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
        TcpStream::set_read_timeout(self, Some(time))
    }

    fn half_close(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn is_stalled(&self) -> bool {
        let limit = self.write_timeout().ok().flatten().unwrap_or(Duration::MAX);
        sys::time_since_sent(self).is_some_and(|time| time >= limit)
    }

    fn reset_at_end(&mut self, time: Duration, is_stopping: &dyn Fn() -> bool) -> io::Result<()> {
        if !cfg!(target_os = "linux") {
            thread::sleep(UNKNOWN_ARRIVAL_WAIT);
        }
        let (since, mut time) = (Instant::now(), time);
        while sys::unacknowledged(self) > 0 && since.elapsed() < time {
            if is_stopping() {
                time = time.min(since.elapsed() + STOPPING_ARRIVAL_WAIT);
            }
            thread::sleep(RECHECK_PAUSE);
        }
        sys::reset_on_close(self)
    }
}

/// Bytes of the input buffer. A browser's head has 650. A larger request gets a larger buffer until it
/// is consumed.
const SMALL_INPUT: usize = FREE_BYTES;

/// Bytes of an input buffer that has to grow, at least.
const MIN_LARGE_INPUT: usize = 16 * 1024;

/// Bytes up to which the input buffer grows before they arrive.
pub(super) const MAX_INPUT_AHEAD: usize = 64 * 1024;

/// Bytes of an output buffer that is kept for the next exchange. A larger one is freed.
pub(super) const MAX_KEPT_OUTPUT: usize = 16 * 1024;

/// Bytes of content that share a write with the head. To copy them costs less than a second system
/// call.
pub(crate) const ONE_WRITE: usize = 64 * 1024;

/// Time for which a closed connection is still read, so that a client that goes on sending gets its
/// response.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// The longest pause of a client in this time, once the server is stopping: so a client that has
/// its response and keeps its socket open does not delay the stop.
const LINGER_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause of a client in this time, if the server has shut the reading half. The end of
/// the client's bytes is not seen then, and a new connection may wait for this one to end.
const LINGER_READ_SHUT: Duration = Duration::from_millis(10);

/// Bytes that are read and dropped while a closed connection lingers, at most.
const LINGER_BYTES: usize = 8 << 20;

/// How many times [`Transport::fill`] reads again after the reading half was shut, in case the rest of a
/// request still arrives.
const RECHECKS: u32 = 200;

/// The longest wait until the bytes before a reset have arrived, once the server is stopping.
const STOPPING_ARRIVAL_WAIT: Duration = Duration::from_millis(40);

/// The wait for the same, on systems that do not tell what has arrived.
const UNKNOWN_ARRIVAL_WAIT: Duration = Duration::from_millis(50);

/// Pause between two of these reads, or two looks at what has arrived.
const RECHECK_PAUSE: Duration = Duration::from_millis(1);

/// The buffers that a worker thread keeps from one connection to the next. To make them anew would take
/// a quarter of the time of a short connection, and on the stack they would cost each idle thread a
/// page.
pub(crate) struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Default for Buffers {
    fn default() -> Buffers {
        Buffers { input: vec![0; SMALL_INPUT], output: Vec::new() }
    }
}

impl Buffers {
    /// Frees buffers that a connection has made large. The thread may wait long for the next one.
    pub fn shrink(&mut self) {
        if self.input.len() > SMALL_INPUT {
            self.input = vec![0; SMALL_INPUT];
        }
        if self.output.capacity() > MAX_KEPT_OUTPUT {
            self.output = Vec::new();
        }
    }
}

/// An [`Io`] with buffers and deadlines.
pub(crate) struct Transport<'a, I> {
    io: I,
    /// Holds the bytes that were received and not consumed, from `start` to `end`.
    input: &'a mut Vec<u8>,
    start: usize,
    end: usize,
    /// The memory of all connections.
    pub memory: &'a Memory,
    /// What the input buffer takes of it.
    reserved: Reservation<'a>,
    /// Bytes to send. The code that fills it calls [`flush`](Transport::flush).
    pub out: &'a mut Vec<u8>,
    idle_timeout: Duration,
    /// What the socket's read timeout was set to last.
    timeout: Duration,
    /// Whether the server itself has shut the reading half.
    is_shut: bool,
    /// Bytes that were sent on this connection.
    sent: u64,
    /// Where among them the content of the last response begins.
    content_start: u64,
}

impl<'a, I: Io> Transport<'a, I> {
    /// `io` must have a read timeout of `idle_timeout`. Bytes that an earlier connection left in the
    /// buffers are not seen here.
    pub fn new(
        io: I,
        buffers: &'a mut Buffers,
        memory: &'a Memory,
        idle_timeout: Duration,
    ) -> Transport<'a, I> {
        let Buffers { input, output: out } = buffers;
        out.clear();
        let (start, end, timeout, is_shut) = (0, 0, sys::read_slice(idle_timeout), false);
        let (sent, content_start, reserved) = (0, 0, memory.reservation());
        Transport {
            io,
            input,
            start,
            end,
            memory,
            reserved,
            out,
            idle_timeout,
            timeout,
            is_shut,
            sent,
            content_start,
        }
    }

    /// Records that the bytes in `out` are the head of a response, and that content follows them.
    pub fn mark_content(&mut self) {
        self.content_start = self.sent + self.out.len() as u64;
    }

    /// Bytes that were sent of the last response's content, with its framing.
    pub fn content_sent(&self) -> u64 {
        self.sent.saturating_sub(self.content_start)
    }

    /// Records that another thread shut the reading half to end an idle wait, just when a request arrived.
    /// From now on `Ok(0)` can mean "nothing yet", so [`fill`](Transport::fill) reads again.
    pub fn mark_read_shut(&mut self) {
        self.is_shut = true;
    }

    /// Whether the server itself has shut the reading half.
    pub fn is_read_shut(&self) -> bool {
        self.is_shut
    }

    /// All bytes that were received and not consumed.
    pub fn bytes(&self) -> &[u8] {
        &self.input[self.start..self.end]
    }

    /// Drops the first `length` bytes.
    pub fn consume(&mut self, length: usize) {
        self.start = self.start.saturating_add(length).min(self.end);
        self.shrink();
    }

    /// Removes these of the bytes; those after them move up. The buffer stays as large as it is.
    pub fn remove(&mut self, span: Range<usize>) {
        self.input.copy_within(self.start + span.end..self.end, self.start + span.start);
        self.end -= span.len();
    }

    /// Whether the input buffer is larger than the small one.
    pub fn is_large(&self) -> bool {
        self.input.len() > SMALL_INPUT
    }

    /// Gives memory back that the bytes do not need any more.
    pub fn shrink(&mut self) {
        let waiting = self.end - self.start;
        if waiting == 0 {
            (self.start, self.end) = (0, 0);
        }
        let enough = if waiting <= SMALL_INPUT / 2 { SMALL_INPUT } else { larger(waiting) };
        // Not for less than half: many short requests in one large buffer are consumed one by one.
        if enough <= self.input.len() / 2 {
            self.input.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, waiting);
            self.input.truncate(enough);
            self.input.shrink_to_fit();
        }
        self.reserved.shrink(self.input.len());
    }

    /// Reserves memory for a message of this many bytes before they arrive. The buffer has at most 64 KiB
    /// until these are full: a client that announces much and sends little uses little.
    ///
    /// # Errors
    /// There is no memory for so many bytes.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        if bytes <= self.input.len() {
            return Ok(());
        }
        self.reserved.grow(bytes)?;
        self.grow(bytes.min(MAX_INPUT_AHEAD))
    }

    /// Reads once and appends what arrived. Waits until the deadline, or for the idle timeout where
    /// `deadline` is `None`. `Ok(0)` means that the client sends no more.
    ///
    /// # Errors
    /// `TimedOut` at the deadline; `OutOfMemory` if the bytes do not fit into the memory of all
    /// connections; other errors mean that the connection is broken.
    pub fn fill(&mut self, deadline: Option<Instant>) -> io::Result<usize> {
        let timeout = match deadline {
            None => self.idle_timeout,
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
        };
        if timeout.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let slice = sys::read_slice(timeout);
        // The plain way reads no clock.
        let end = (slice < timeout).then(|| Instant::now() + timeout);
        if slice != self.timeout {
            self.io.set_read_timeout(slice)?;
            self.timeout = slice;
        }
        self.make_room()?;
        let mut rechecks = 0..RECHECKS;
        loop {
            match self.io.read(&mut self.input[self.end..]) {
                Ok(0) if self.is_shut => {
                    let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                    if is_late || rechecks.next().is_none() {
                        return Err(ErrorKind::TimedOut.into());
                    }
                    thread::sleep(RECHECK_PAUSE);
                }
                Ok(length) => {
                    self.end += length;
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if sys::is_read_timeout(&error) => {
                    if end.is_none_or(|end| Instant::now() >= end) {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) if sys::is_shut(&error) => return Ok(0),
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes room after the last byte. The callers of [`Transport::fill`] stop when a limit is reached,
    /// so the buffer is bounded.
    fn make_room(&mut self) -> Result<(), OutOfMemory> {
        if self.end < self.input.len() {
            return Ok(());
        }
        let waiting = self.end - self.start;
        self.input.copy_within(self.start.., 0);
        (self.start, self.end) = (0, waiting);
        if waiting <= self.input.len() / 2 {
            return Ok(());
        }
        // If the length of a message is known, it is reserved already, and no more is needed.
        let known = Some(self.reserved.bytes()).filter(|&bytes| bytes > waiting);
        self.grow(known.unwrap_or_else(|| larger(waiting)))
    }

    /// Makes the buffer at least this large.
    fn grow(&mut self, length: usize) -> Result<(), OutOfMemory> {
        if length > self.input.len() {
            self.reserved.grow(length)?;
            enlarge(self.input, length)?;
            self.input.resize(length, 0);
        }
        Ok(())
    }

    /// Sends what is in `out`, within `budget`.
    pub fn flush(&mut self, budget: Duration) -> io::Result<()> {
        let out = std::mem::take(self.out);
        self.send(&out, budget)?;
        if out.capacity() <= MAX_KEPT_OUTPUT {
            *self.out = out;
            self.out.clear();
        }
        Ok(())
    }

    /// Sends bytes: see [`send`].
    ///
    /// # Errors
    /// Those of [`send`].
    pub fn send(&mut self, bytes: &[u8], budget: Duration) -> io::Result<()> {
        send(&mut self.io, bytes, budget, &mut self.sent)
    }

    /// Both directions themselves, past the buffers, and the count of bytes that were sent: for what is
    /// sent in steps.
    pub fn io(&mut self) -> (&mut I, &mut u64) {
        (&mut self.io, &mut self.sent)
    }

    /// Closes the writing half. If that fails, the client is gone already.
    pub fn half_close(&mut self) {
        let _ = self.io.half_close();
    }

    /// Shuts the writing half, then reads and drops what the client still sends (lingering close). So the
    /// client can read the last response. The socket is closed when the caller drops it.
    ///
    /// If a socket is closed while received bytes are unread, TCP sends a reset. A reset makes the
    /// client's kernel drop what the client has not read yet: the response is lost. So the server
    /// closes its writing half, then reads and drops for `time` at most (RFC 9112 section 9.6). If
    /// the server is stopping, a client that sends nothing more is not waited for.
    #[cold]
    pub fn linger(&mut self, time: Duration, stopping: &AtomicBool) {
        if self.io.half_close().is_err() {
            return;
        }
        let (deadline, mut bytes) = (Instant::now() + time, LINGER_BYTES);
        let pause = if self.is_shut { LINGER_READ_SHUT } else { LINGER_PAUSE };
        // The pauses are counted: an `Io` of memory takes no time for them.
        let mut pauses = if self.is_shut { 0 } else { time.as_millis() / pause.as_millis() };
        loop {
            self.consume(usize::MAX);
            match self.fill(Some(deadline.min(Instant::now() + pause))) {
                Ok(length @ 1..) if length < bytes => bytes -= length,
                Err(error)
                    if error.kind() == ErrorKind::TimedOut
                        && pauses > 0
                        && !stopping.load(Ordering::SeqCst) =>
                {
                    pauses -= 1;
                }
                _ => return,
            }
        }
    }
}

/// Sends bytes.
///
/// # Errors
/// The client took no byte for the socket's write timeout, or not all within `budget`, or is gone.
pub(super) fn send(
    io: &mut impl Io,
    bytes: &[u8],
    budget: Duration,
    sent: &mut u64,
) -> io::Result<()> {
    let mut rest = bytes;
    let mut since = None;
    while !rest.is_empty() {
        match io.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => {
                rest = &rest[length..];
                *sent += length as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        // The clock is read only when one write was not enough. Such a write has waited for the write timeout,
        // in which the kernel enlarges its buffer: that it took bytes does not say that the client did.
        if !rest.is_empty()
            && (io.is_stalled() || since.get_or_insert_with(Instant::now).elapsed() > budget)
        {
            return Err(ErrorKind::TimedOut.into());
        }
    }
    Ok(())
}

/// Bytes of a buffer that is larger than this many bytes that wait in it.
fn larger(waiting: usize) -> usize {
    (2 * waiting).max(MIN_LARGE_INPUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `Io` that gives `read_size` bytes at a read, and records the timeouts that are set.
    struct SlowIo<'a> {
        bytes: &'a [u8],
        read_size: usize,
        timeouts: Vec<Duration>,
    }

    impl Read for SlowIo<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.read_size.min(buffer.len()).min(self.bytes.len());
            self.bytes.read(&mut buffer[..length])
        }
    }

    impl Write for SlowIo<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Io for SlowIo<'_> {
        fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
            self.timeouts.push(time);
            Ok(())
        }
        fn half_close(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn reset_at_end(&mut self, _: Duration, _: &dyn Fn() -> bool) -> io::Result<()> {
            Ok(())
        }
    }

    fn transport<'a>(
        bytes: &'a [u8],
        read_size: usize,
        buffers: &'a mut Buffers,
        memory: &'a Memory,
    ) -> Transport<'a, SlowIo<'a>> {
        let io = SlowIo { bytes, read_size, timeouts: Vec::new() };
        Transport::new(io, buffers, memory, Duration::from_secs(60))
    }

    #[test]
    fn a_large_request_has_a_larger_buffer_until_it_is_consumed() {
        let bytes: Vec<u8> = (0..100_000u32).map(|number| number as u8).collect();
        let (mut buffers, memory) = (Buffers::default(), Memory::new(u64::MAX));
        for read_size in [1000, 2048, 5000] {
            let mut transport = transport(&bytes, read_size, &mut buffers, &memory);
            while transport.fill(None).unwrap() > 0 {}
            assert_eq!(transport.bytes(), bytes, "{read_size}");
            assert_eq!(transport.reserved.bytes(), transport.input.len());
            transport.consume(60_000);
            assert_eq!(transport.bytes(), &bytes[60_000..]);
            transport.consume(39_990);
            assert_eq!(transport.bytes(), &bytes[99_990..]);
            assert!(transport.input.len() == SMALL_INPUT && transport.reserved.bytes() == 0);
            transport.consume(10);
            assert!(transport.input.len() == SMALL_INPUT && transport.bytes().is_empty());
        }
    }

    #[test]
    fn bytes_past_the_memory_of_all_connections_are_not_received() {
        let (bytes, memory) = ([b'x'; 50_000], Memory::new(40_000));
        let [mut one, mut other] = [Buffers::default(), Buffers::default()];
        let mut transports =
            [&mut one, &mut other].map(|buffers| transport(&bytes, 5_000, buffers, &memory));
        let [one, other] = &mut transports;
        // A length that is reserved is received, in a buffer that grows up to it and no further.
        assert_eq!((one.reserve(30_000), other.reserve(30_000)), (Ok(()), Err(OutOfMemory)));
        while one.bytes().len() < 30_000 {
            one.fill(None).unwrap();
        }
        assert_eq!((one.input.len(), one.reserved.bytes()), (30_000, 30_000));
        // A small buffer is still there, and a larger one is not.
        while other.bytes().len() < SMALL_INPUT {
            other.fill(None).unwrap();
        }
        assert_eq!(other.fill(None).unwrap_err().kind(), ErrorKind::OutOfMemory);
        one.consume(30_000);
        assert!(other.fill(None).is_ok());
    }

    #[test]
    fn removed_bytes_leave_the_others_in_order() {
        let (mut buffers, memory) = (Buffers::default(), Memory::new(0));
        let mut transport = transport(b"one two three four", 100, &mut buffers, &memory);
        transport.fill(None).unwrap();
        transport.consume(4);
        transport.remove(4..10);
        assert_eq!(transport.bytes(), b"two four");
    }

    #[cfg(unix)] // Windows reads in slices
    #[test]
    fn a_read_without_a_deadline_sets_no_timeout_and_a_deadline_shortens_it() {
        let (mut buffers, memory) = (Buffers::default(), Memory::new(0));
        let mut transport = transport(b"GET / HTTP/1.1\r\n\r\n", 8, &mut buffers, &memory);
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
