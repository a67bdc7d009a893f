//! One connection, seen from the client, and the door through which it came to be. Nothing here waits
//! longer than it was told to, and no server can make it keep more than [`MOST`].

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::bytes::Expected;

/// Bytes that are taken from a server on one connection.
pub const MOST: usize = 16 * 1024 * 1024;

/// Where the server is, and how patient one is with it.
pub struct Door {
    said: String,
    addresses: Vec<SocketAddr>,
    /// The longest wait for anything.
    pub timeout: Duration,
}

impl Door {
    /// Looks the address up.
    ///
    /// # Errors
    /// Why there is no such address.
    pub fn find(address: &str, timeout: Duration) -> Result<Door, String> {
        let found = address.to_socket_addrs().map_err(|error| error.to_string())?;
        Ok(Door { said: address.to_owned(), addresses: found.collect(), timeout })
    }

    /// The address, as it was said.
    pub fn address(&self) -> &str {
        &self.said
    }

    /// A new connection. Each write is to be a segment of its own.
    ///
    /// # Errors
    /// Why nobody can be reached.
    pub fn connect(&self) -> Result<Line, String> {
        let mut why = "the name has no address".to_owned();
        for address in &self.addresses {
            let connected = TcpStream::connect_timeout(address, self.timeout).and_then(|stream| {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(self.timeout))?;
                Ok(stream)
            });
            match connected {
                Ok(stream) => return Ok(Line::new(stream)),
                Err(error) => why = error.to_string(),
            }
        }
        Err(why)
    }
}

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

/// A socket, all that crossed it, and what the page says of it.
pub struct Line {
    stream: TcpStream,
    /// What was sent, or would have been, had the server not closed.
    pub sent: Vec<u8>,
    /// What came.
    pub got: Vec<u8>,
    /// What the page shows from the server, so far.
    pub expected: Expected,
    /// How many final answers its claims have spoken of.
    pub answered: usize,
    /// Whether more may come.
    pub ended: Ended,
    /// The client sends no more, or cannot.
    is_silent: bool,
}

impl Line {
    fn new(stream: TcpStream) -> Line {
        Line {
            stream,
            sent: Vec::new(),
            got: Vec::new(),
            expected: Expected::default(),
            answered: 0,
            ended: Ended::Open,
            is_silent: false,
        }
    }

    /// Sends bytes in one write. A server that has answered early may have closed: then they are not
    /// sent, and that is no fault; what came is judged.
    pub fn send(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        if !self.is_silent && self.stream.write_all(bytes).is_err() {
            self.is_silent = true;
        }
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&mut self) {
        self.is_silent = true;
        // It may fail where the server has closed before; nothing is lost by that.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads on while `wanted` says so of all that came, at most for that time. Ends early when the
    /// connection does.
    pub fn read_while(&mut self, time: Duration, wanted: impl Fn(&Line) -> bool) {
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
                    _ => self.ended = reset(&error),
                },
            }
        }
    }
}

/// Whatever ends a connection and is no orderly end.
fn reset(error: &io::Error) -> Ended {
    log::debug!("the connection broke: {error}");
    Ended::Reset
}
