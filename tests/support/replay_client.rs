//! The client of the replay: sends and receives bytes on one TCP connection, with a time limit for
//! each wait. It is not the client of `send` and `check`, so that no fault of theirs can hide here.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use openkitchen::message::responses::ResponseCollector;
use openkitchen::transcript::judge::Judged;

/// Whether and how the server has ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Open,
    Closed,
    Reset,
}

/// A socket, and what crossed it.
pub struct ReplayClient {
    stream: TcpStream,
    /// The client's own address.
    pub address: SocketAddr,
    /// The bytes that were sent, or would have been if the server had not closed.
    pub sent: usize,
    /// What was received.
    pub received: ResponseCollector,
    pub ended: Ended,
    is_write_closed: bool,
    /// How many of the received bytes the page has judged.
    pub judged: usize,
    /// The messages that assertions have judged.
    pub judged_messages: Judged,
    /// Whether the server's end of the connection is judged.
    pub is_end_judged: bool,
}

impl ReplayClient {
    /// Connects. Each write may take `write_timeout`.
    pub fn connect(server: SocketAddr, write_timeout: Duration) -> io::Result<ReplayClient> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?; // each write is sent at once, as a segment of its own
        stream.set_write_timeout(Some(write_timeout))?;
        Ok(ReplayClient {
            address: stream.local_addr()?,
            stream,
            sent: 0,
            received: ResponseCollector::new(),
            ended: Ended::Open,
            is_write_closed: false,
            judged: 0,
            judged_messages: Judged::default(),
            is_end_judged: false,
        })
    }

    /// All bytes that were received.
    pub fn got(&self) -> &[u8] {
        self.received.bytes()
    }

    /// The received bytes that are not judged yet.
    pub fn unjudged(&self) -> &[u8] {
        &self.got()[self.judged..]
    }

    /// Sends bytes in one write, and returns whether they were sent. If not, the server may have
    /// responded early and closed.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.sent += bytes.len();
        self.received.sent(bytes);
        self.is_write_closed |= !self.is_write_closed && self.stream.write_all(bytes).is_err();
        !self.is_write_closed
    }

    /// Closes the client's side: it sends no more.
    pub fn half_close(&mut self) {
        self.is_write_closed = true;
        let _ = self.stream.shutdown(Shutdown::Write); // it fails if the server has closed
    }

    /// Reads as long as `wanted` is true of this client, at most for this time. Returns early when
    /// the server ends the connection.
    pub fn read_while(&mut self, time: Duration, mut wanted: impl FnMut(&ReplayClient) -> bool) {
        let deadline = Instant::now() + time;
        let mut buffer = [0; 64 * 1024];
        while self.ended == Ended::Open && wanted(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return;
            }
            self.ended = match self.stream.read(&mut buffer) {
                Ok(0) => Ended::Closed,
                Ok(length) => {
                    self.received.received(&buffer[..length]);
                    continue;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                        continue;
                    }
                    _ => Ended::Reset, // any error that is not a close
                },
            };
            self.received.end();
        }
    }
}
