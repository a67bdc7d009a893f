//! # One connection, and who listens to it
//!
//! A thread for each connection reads, so that what comes is seen when it comes: while bytes are
//! being sent, too. What it sees goes into one queue with all the others.

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use super::progress::ConnectionProgress;
use crate::cli::address;

/// What is read at once.
const PIECE: usize = 64 * 1024;

/// How long a write waits for room before somebody looks at what has come.
const WRITE: Duration = Duration::from_millis(50);

/// Something that happened.
pub struct SocketEvent {
    pub connection: u32,
    pub at: Instant,
    pub what: What,
}

/// What it was.
pub enum What {
    /// Bytes came.
    Came(Vec<u8>),
    /// The server says that no more will come.
    Closed,
    /// The connection was broken off.
    Reset,
    /// Bytes to be sent, from stdin.
    Typed(Vec<u8>),
    /// Stdin has no more.
    TypedAll,
}

/// A connection.
pub struct ClientConnection {
    stream: Arc<TcpStream>,
    /// What has crossed.
    pub real: ConnectionProgress,
    /// What crosses by the file, up to where it is played.
    pub planned: ConnectionProgress,
    /// Whether the server has ended it.
    pub is_ended: bool,
    /// Whether this side has.
    pub is_left: bool,
    /// Nothing can be sent any more.
    pub is_mute: bool,
}

impl ClientConnection {
    /// Connects to the first address that answers.
    pub fn open(
        connection: u32,
        addresses: &[SocketAddr],
        timeout: Duration,
        queue: SyncSender<SocketEvent>,
    ) -> io::Result<ClientConnection> {
        ClientConnection::listen(connection, address::connect(addresses, timeout)?, queue)
    }

    fn listen(
        connection: u32,
        stream: TcpStream,
        queue: SyncSender<SocketEvent>,
    ) -> io::Result<ClientConnection> {
        stream.set_nodelay(true)?; // each write is to be a segment of its own
        stream.set_write_timeout(Some(WRITE))?;
        let stream = Arc::new(stream);
        let ear = Arc::clone(&stream);
        thread::Builder::new().name("reader".into()).spawn(move || {
            let mut piece = vec![0; PIECE];
            loop {
                let what = match (&*ear).read(&mut piece) {
                    Ok(0) => What::Closed,
                    Ok(length) => What::Came(piece[..length].to_vec()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => What::Reset,
                };
                let is_last = !matches!(what, What::Came(_));
                let told = queue.send(SocketEvent { connection, at: Instant::now(), what });
                if is_last || told.is_err() {
                    return;
                }
            }
        })?;
        Ok(ClientConnection {
            stream,
            real: ConnectionProgress::new(),
            planned: ConnectionProgress::new(),
            is_ended: false,
            is_left: false,
            is_mute: false,
        })
    }

    /// Whether more may come.
    pub fn is_open(&self) -> bool {
        !self.is_ended && !self.is_left
    }

    /// The address that was reached.
    pub fn peer(&self) -> String {
        self.stream.peer_addr().map_or_else(|_| "somebody".into(), |peer| peer.to_string())
    }

    /// Writes what there is room for; `None` where there was none for a while.
    pub fn write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        use std::io::Write;
        match (&*self.stream).write(bytes) {
            Ok(length) => Ok(Some(length)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Says that no more will be sent. It may fail where the server is gone; nothing is lost by that.
    pub fn half_close(&mut self) {
        self.is_mute = true;
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Leaves.
    pub fn close(&mut self) {
        (self.is_mute, self.is_left) = (true, true);
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
