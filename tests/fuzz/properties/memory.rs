//! A client of memory: its bytes come at a pace, and then it closes or falls silent.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use openkitchen::net::transport::Io;

use super::Random;

/// How the bytes are cut, in both directions.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Nowhere.
    Whole,
    /// Behind each byte that comes; the answers are taken a few at a time.
    Bytes,
    /// Anywhere, and now and then a signal interrupts.
    Random(Random),
}

/// What a client does when all is sent.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// It closes its half.
    Closes,
    /// It waits, for longer than anybody has patience.
    FallsSilent,
}

/// What a client does.
#[derive(Clone, Debug)]
pub struct Client<'a> {
    pub bytes: &'a [u8],
    pub pace: Pace,
    pub ending: Ending,
    /// Bytes that it takes before it is gone.
    pub room: usize,
}

/// The server's end of a line to a client.
pub struct Memory<'a> {
    pub client: Client<'a>,
    /// What the server has sent.
    pub answers: &'a mut Vec<u8>,
}

/// Bytes of an answer that are taken at a time where all else goes byte by byte.
const A_FEW: usize = 13;

impl<'a> Client<'a> {
    /// One that sends these bytes at once, and takes whatever comes.
    pub fn new(bytes: &'a [u8], ending: Ending) -> Client<'a> {
        Client { bytes, pace: Pace::Whole, ending, room: usize::MAX }
    }
}

impl Pace {
    /// How many of so many bytes cross at a time.
    fn of(&mut self, all: usize, few: usize) -> io::Result<usize> {
        match self {
            Pace::Whole => Ok(all),
            Pace::Bytes => Ok(all.min(few)),
            Pace::Random(random) => match random.below(8) {
                0 => Err(ErrorKind::Interrupted.into()),
                _ => Ok(1 + random.below(all)),
            },
        }
    }
}

impl Read for Memory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Client { bytes, pace, ending, .. } = &mut self.client;
        assert!(!buffer.is_empty(), "a read without room would look like the end");
        match (bytes.len(), ending) {
            (0, Ending::Closes) => Ok(0),
            (0, Ending::FallsSilent) => Err(ErrorKind::WouldBlock.into()),
            (left, _) => {
                let length = pace.of(left.min(buffer.len()), 1)?;
                bytes.read(&mut buffer[..length])
            }
        }
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Client { pace, room, .. } = &mut self.client;
        if *room == 0 {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let length = pace.of(bytes.len().min(*room), A_FEW)?;
        *room -= length;
        self.answers.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Io for Memory<'_> {
    fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
        assert!(!time.is_zero(), "a socket takes no timeout of zero");
        Ok(())
    }

    fn half_close(&mut self) -> io::Result<()> {
        Ok(())
    }
}
