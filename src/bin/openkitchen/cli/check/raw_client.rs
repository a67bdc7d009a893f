//! One connection, seen from the client, who writes when it likes and waits no longer than it wants
//! to. No server can make it keep more than [`MOST`].
//!
//! The runner of `tests/exchanges.rs` plays with this file, too; so it stands on std alone.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Bytes that are taken from a server on one connection.
pub const MOST: usize = 16 * 1024 * 1024;

/// How the server's side stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// More may come.
    Open,
    /// It said that nothing more will come.
    Closed,
    /// It broke the connection off.
    Reset,
}

/// A socket, and all that crossed it.
pub struct RawClient<N> {
    stream: TcpStream,
    /// What was sent, or would have been, had the server not closed.
    pub sent: Vec<u8>,
    /// What came.
    pub got: Vec<u8>,
    /// Whether more may come.
    pub ended: Ended,
    /// What whoever plays has to remember of it.
    pub noted: N,
    /// The client sends no more, or cannot.
    is_silent: bool,
}

impl<N: Default> RawClient<N> {
    /// A line on a socket that is connected. Each write is to be a segment of its own, and may take so
    /// long.
    ///
    /// # Errors
    /// A socket that is broken.
    pub fn new(stream: TcpStream, patience: Duration) -> io::Result<RawClient<N>> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(patience))?;
        let (sent, got, noted) = (Vec::new(), Vec::new(), N::default());
        Ok(RawClient { stream, sent, got, ended: Ended::Open, noted, is_silent: false })
    }
}

impl<N> RawClient<N> {
    /// Sends bytes in one write, and says whether they left. A server that has answered early may have
    /// closed: then they did not, and that is no fault; what came is judged.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.sent.extend_from_slice(bytes);
        self.is_silent |= !self.is_silent && self.stream.write_all(bytes).is_err();
        !self.is_silent
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&mut self) {
        self.is_silent = true;
        // It may fail where the server has closed before; nothing is lost by that.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads on while `wanted` says so of all that came, at most for that time. Ends early when the
    /// connection does.
    pub fn read_while(&mut self, time: Duration, wanted: impl Fn(&RawClient<N>) -> bool) {
        let deadline = Instant::now() + time;
        let mut piece = [0; 64 * 1024];
        while self.ended == Ended::Open && self.got.len() < MOST && wanted(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return;
            }
            match self.stream.read(&mut piece) {
                Ok(0) => self.ended = Ended::Closed,
                Ok(length) => self.got.extend_from_slice(&piece[..length]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => self.ended = Ended::Reset, // whatever is no orderly end
                },
            }
        }
    }
}
