//! A client in memory: its bytes arrive at a pace, then it half-closes or stays silent.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use openkitchen::net::transport::Io;

use super::Random;

/// How the bytes are cut into reads and writes.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As few as possible.
    Whole,
    /// One byte in each read, and a few in each write.
    Bytes,
    /// Of random length, and sometimes interrupted by a signal.
    Random(Random),
}

/// What a client does after its last byte.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    HalfCloses,
    /// It waits. Each read of the server times out.
    StaysSilent,
}

/// What a client does.
#[derive(Clone, Debug)]
pub struct Client<'a> {
    /// The bytes that it still has to send.
    pub bytes: &'a [u8],
    pub pace: Pace,
    pub ending: Ending,
    /// How many bytes it takes before it vanishes.
    pub takes: usize,
}

/// The server's end of the connection to a client.
pub struct MemoryIo<'a> {
    pub client: Client<'a>,
    /// What the server has sent.
    pub sent: &'a mut Vec<u8>,
}

/// Bytes of one write at [`Pace::Bytes`].
const WRITE_BYTES: usize = 13;

impl<'a> Client<'a> {
    /// A client that sends these bytes at once, and takes all that the server sends.
    pub fn new(bytes: &'a [u8], ending: Ending) -> Client<'a> {
        Client { bytes, pace: Pace::Whole, ending, takes: usize::MAX }
    }
}

impl Pace {
    /// The length of the next read or write: at most `most`, and `few` at [`Pace::Bytes`].
    fn length(&mut self, most: usize, few: usize) -> io::Result<usize> {
        match self {
            Pace::Whole => Ok(most),
            Pace::Bytes => Ok(most.min(few)),
            Pace::Random(random) => match random.below(8) {
                0 => Err(ErrorKind::Interrupted.into()),
                _ => Ok(1 + random.below(most)),
            },
        }
    }
}

impl Read for MemoryIo<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Client { bytes, pace, ending, .. } = &mut self.client;
        assert!(!buffer.is_empty(), "a read of no bytes would look like the end");
        match (bytes.len(), ending) {
            (0, Ending::HalfCloses) => Ok(0),
            (0, Ending::StaysSilent) => Err(ErrorKind::WouldBlock.into()),
            (left, _) => {
                let length = pace.length(left.min(buffer.len()), 1)?;
                bytes.read(&mut buffer[..length])
            }
        }
    }
}

impl Write for MemoryIo<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Client { pace, takes, .. } = &mut self.client;
        if *takes == 0 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let length = pace.length(bytes.len().min(*takes), WRITE_BYTES)?;
        *takes -= length;
        self.sent.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Io for MemoryIo<'_> {
    fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
        assert!(!time.is_zero(), "a socket refuses a timeout of zero");
        Ok(())
    }

    fn half_close(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn reset_at_end(&mut self, _: Duration, _: &dyn Fn() -> bool) -> io::Result<()> {
        Ok(())
    }
}
