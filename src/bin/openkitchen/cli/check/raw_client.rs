//! A client that sends and receives raw bytes on one TCP connection, with a time limit for each wait,
//! and a limit of [`MAX_RECEIVED_BYTES`].

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use openkitchen::message::responses::ResponseCollector;

/// Bytes that are received on one connection at most, up to one read.
pub const MAX_RECEIVED_BYTES: usize = 16 * 1024 * 1024;

/// Whether and how the server has ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has not: more bytes may arrive.
    Open,
    /// It has closed the connection, or its side of it.
    Closed,
    /// It has reset the connection.
    Reset,
}

/// A socket, and the bytes that crossed it.
pub struct RawClient<N> {
    stream: TcpStream,
    /// The bytes that were sent, or would have been if the server had not closed.
    pub sent: Vec<u8>,
    /// The responses that were received.
    pub responses: ResponseCollector,
    /// Whether the server has ended the connection.
    pub ended: Ended,
    /// State of the caller about this connection.
    pub noted: N,
    /// The client can send no more.
    is_write_closed: bool,
}

impl<N: Default> RawClient<N> {
    /// Makes a client of a connected socket. Each write is sent at once, as a segment of its own, and
    /// may take `write_timeout`.
    ///
    /// # Errors
    /// The socket options cannot be set.
    pub fn new(stream: TcpStream, write_timeout: Duration) -> io::Result<RawClient<N>> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(write_timeout))?;
        let (sent, responses, noted) = (Vec::new(), ResponseCollector::new(), N::default());
        Ok(RawClient { stream, sent, responses, ended: Ended::Open, noted, is_write_closed: false })
    }
}

impl<N> RawClient<N> {
    /// All bytes that were received.
    pub fn got(&self) -> &[u8] {
        self.responses.bytes()
    }

    /// Sends bytes in one write, and returns whether they were sent. If not, the server may have
    /// responded early and closed. That is no failure of the case: the response decides.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.sent.extend_from_slice(bytes);
        self.responses.sent(bytes);
        self.is_write_closed |= !self.is_write_closed && self.stream.write_all(bytes).is_err();
        !self.is_write_closed
    }

    /// Closes the client's side: it sends no more.
    pub fn half_close(&mut self) {
        self.is_write_closed = true;
        // It fails if the server has closed the connection; then there is nothing to close.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads as long as `wanted` is true of this client, at most for this time. Returns early when the
    /// server ends the connection.
    pub fn read_while(&mut self, time: Duration, wanted: impl Fn(&RawClient<N>) -> bool) {
        let deadline = Instant::now() + time;
        let mut buffer = [0; 64 * 1024];
        while self.ended == Ended::Open && self.got().len() < MAX_RECEIVED_BYTES && wanted(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return;
            }
            self.ended = match self.stream.read(&mut buffer) {
                Ok(0) => Ended::Closed,
                Ok(length) => {
                    self.responses.received(&buffer[..length]);
                    continue;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                        continue;
                    }
                    _ => Ended::Reset, // any error that is not a close
                },
            };
            self.responses.end();
        }
    }
}
