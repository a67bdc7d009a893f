//! # A connection of `send`, with a thread that reads from it
//!
//! The reader thread reads all the time, so bytes of the server are seen while the client sends. The
//! events of all connections go into one queue, in the order in which they happen.

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use super::progress::ConnectionProgress;
use crate::cli::address;

/// Bytes of one read at most.
const READ_BYTES: usize = 64 * 1024;

/// How long a write waits for room in the send buffer. After that, received bytes are printed first.
const WRITE_TIMEOUT: Duration = Duration::from_millis(50);

/// An event for the player: on a connection, or on stdin.
pub struct SocketEvent {
    pub connection: u32,
    pub at: Instant,
    pub kind: SocketEventKind,
}

/// What kind of event it is.
pub enum SocketEventKind {
    /// The server sent bytes: those of one read.
    Received(Vec<u8>),
    /// The server closed the connection, or its side of it.
    Closed,
    /// The server reset the connection.
    Reset,
    /// Bytes were read from stdin.
    Stdin(Vec<u8>),
    /// stdin has ended.
    StdinEnd,
}

/// A connection to the server.
pub struct ClientConnection {
    stream: Arc<TcpStream>,
    /// The position after the bytes that crossed.
    pub actual: ConnectionProgress,
    /// The position in the transcript, up to where it was played.
    pub planned: ConnectionProgress,
    /// The server has closed or reset the connection.
    pub is_ended_by_server: bool,
    /// This side has closed the connection.
    pub is_ended_by_client: bool,
    /// This side can send no more.
    pub is_write_closed: bool,
}

impl ClientConnection {
    /// Connects to the first address that accepts, and starts the reader thread.
    ///
    /// # Errors
    /// No connection within `timeout`, or no thread.
    pub fn open(
        connection: u32,
        addresses: &[SocketAddr],
        timeout: Duration,
        queue: SyncSender<SocketEvent>,
    ) -> io::Result<ClientConnection> {
        ClientConnection::start(connection, address::connect(addresses, timeout)?, queue)
    }

    fn start(
        connection: u32,
        stream: TcpStream,
        queue: SyncSender<SocketEvent>,
    ) -> io::Result<ClientConnection> {
        stream.set_nodelay(true)?; // each write is sent at once, as a segment of its own
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let stream = Arc::new(stream);
        let reader = Arc::clone(&stream);
        thread::Builder::new().name("reader".into()).spawn(move || {
            let mut buffer = vec![0; READ_BYTES];
            loop {
                let kind = match (&*reader).read(&mut buffer) {
                    Ok(0) => SocketEventKind::Closed,
                    Ok(length) => SocketEventKind::Received(buffer[..length].to_vec()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => SocketEventKind::Reset,
                };
                let is_last = !matches!(kind, SocketEventKind::Received(_));
                let queued = queue.send(SocketEvent { connection, at: Instant::now(), kind });
                if is_last || queued.is_err() {
                    return;
                }
            }
        })?;
        Ok(ClientConnection {
            stream,
            actual: ConnectionProgress::new(),
            planned: ConnectionProgress::new(),
            is_ended_by_server: false,
            is_ended_by_client: false,
            is_write_closed: false,
        })
    }

    /// Whether the server may still send.
    pub fn is_open(&self) -> bool {
        !self.is_ended_by_server && !self.is_ended_by_client
    }

    /// The address of the server.
    pub fn peer(&self) -> String {
        self.stream.peer_addr().map_or_else(|_| "a server".into(), |peer| peer.to_string())
    }

    /// Writes as many bytes as the send buffer takes. Returns `None` if it took none in time.
    ///
    /// # Errors
    /// The connection is closed or reset.
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

    /// Closes this side: the client sends no more. An error means that the server has closed before.
    pub fn half_close(&mut self) {
        self.is_write_closed = true;
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        (self.is_write_closed, self.is_ended_by_client) = (true, true);
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
