//! One connection, seen from the client.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::pace::{Gate, Pace};

/// How long an answer may take to come. Nobody waits for it but where the server is wrong.
pub const PATIENCE: Duration = Duration::from_secs(5);

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
pub struct Line {
    stream: TcpStream,
    /// What was sent, or would have been, had the server not closed.
    pub sent: Vec<u8>,
    /// What came.
    pub got: Vec<u8>,
    /// How many of those bytes a page has spoken of.
    pub judged: usize,
    /// How many final answers its claims have spoken of.
    pub answered: usize,
    /// Whether more may come.
    pub ended: Ended,
    /// Whether a page has spoken of that end.
    pub end_is_told: bool,
    /// The client sends no more, or cannot.
    is_silent: bool,
}

impl Line {
    /// Connects. Each write is to be a segment of its own.
    pub fn open(address: SocketAddr) -> io::Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Line {
            stream,
            sent: Vec::new(),
            got: Vec::new(),
            judged: 0,
            answered: 0,
            ended: Ended::Open,
            end_is_told: false,
            is_silent: false,
        })
    }

    /// Sends a block at that pace; the gate tells when the server has read a piece. A server that
    /// has refused early may have closed: then the rest is not sent, and that is no fault.
    pub fn send(&mut self, bytes: &[u8], pace: Pace, gate: Option<&Gate>) -> Result<(), String> {
        for piece in pace.pieces(bytes) {
            self.sent.extend_from_slice(piece);
            if self.is_silent {
                continue;
            }
            match self.stream.write_all(piece) {
                Ok(()) => {}
                Err(error) if is_reset(&error) => self.is_silent = true,
                Err(error) => return Err(format!("could not send: {error}\n")),
            }
            let Some(gate) = gate else { continue };
            let client = self.stream.local_addr().map_err(|error| format!("{error}\n"))?;
            if !gate.wait(client, self.sent.len()) {
                return Err(format!("the server does not read byte {}\n", self.sent.len()));
            }
        }
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&mut self) {
        self.is_silent = true;
        // It may fail where the server has closed before; nothing is lost by that.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads on while `wanted` says so of all that came, at most until the deadline. Ends early when
    /// the connection does.
    pub fn read_while(&mut self, time: Duration, wanted: impl Fn(&[u8]) -> bool) -> io::Result<()> {
        let deadline = Instant::now() + time;
        let mut piece = [0; 64 * 1024];
        while self.ended == Ended::Open && wanted(&self.got) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut piece) {
                Ok(0) => self.ended = Ended::Closed,
                Ok(length) => self.got.extend_from_slice(&piece[..length]),
                Err(error) if is_reset(&error) => self.ended = Ended::Reset,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// What came and no page has spoken of.
    pub fn unjudged(&self) -> &[u8] {
        &self.got[self.judged..]
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}
