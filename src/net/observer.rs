//! # 13. Watching the wire
//!
//! The glass wall. [`Tapped`] stands around the socket and sees what a packet dump would see, garbage
//! included; the protocol code below it and above it holds no line for it. One more call comes when
//! an exchange has been answered, for what only the server knows: the route, the status, the time.
//!
//! ```text
//! client ── bytes ── │ Tapped │ ── bytes ── transport, connection, handler
//!                     └─ Observer: opened, received, sent, ended ─┘
//! ```
//! A server without an observer has no tap around its sockets at all.
//! Next: [`reader`](crate::message::reader).

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::panic::Location;
use std::time::Duration;

use crate::message::persistence::Persistence;
use crate::message::status::Status;
use crate::net::transport::Io;

/// Who watches. Calls come from the threads of the connections, in order for each connection; one
/// that waits makes the client wait.
pub trait Observer: Send + Sync {
    /// A connection was accepted. Connections are counted from 1.
    fn opened(&self, _connection: u64, _peer: SocketAddr) {}
    /// These bytes came from the client, in one read.
    fn received(&self, _connection: u64, _bytes: &[u8]) {}
    /// These bytes went to the client, in one write.
    fn sent(&self, _connection: u64, _bytes: &[u8]) {}
    /// An exchange was answered.
    fn answered(&self, _connection: u64, _exchange: &Answered<'_>) {}
    /// One side ended its half of the connection, or all of it. Comes once for each side at
    /// most, but that a reset may follow a close.
    fn ended(&self, _connection: u64, _end: End) {}
}

/// An exchange that is over.
#[derive(Clone, Debug)]
pub struct Answered<'a> {
    /// The method as sent; `-` where the head could not be read.
    pub method: &'a str,
    /// The target, with what looks like a key [masked](crate::message::target::masked); `-` where the
    /// head could not be read.
    pub target: Cow<'a, str>,
    /// The answer's status.
    pub status: Status,
    /// Where the row of the route table stands that answered, if one did.
    pub route: Option<&'static Location<'static>>,
    /// Whether that row asked to be left out of the log.
    pub is_quiet: bool,
    /// Bytes of the request.
    pub received: usize,
    /// From the last byte of the head read to the last byte of the answer written.
    pub took: Duration,
    /// What the answer said of the connection. One that was to stay may yet close, where the client goes
    /// on sending content that nobody asked for.
    pub persistence: Persistence,
}

/// How a side took its leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client will send no more.
    ClientClosed,
    /// The client's side broke the connection off.
    ClientReset,
    /// The server will send no more.
    ServerClosed,
    /// The server's side broke the connection off. Only who stands between the two sees that.
    ServerReset,
}

/// A line whose bytes are shown to an observer as they cross.
pub struct Tapped<'o, L> {
    io: L,
    connection: u64,
    observer: &'o dyn Observer,
    client_ended: Cell<bool>,
    server_ended: Cell<bool>,
}

impl<'o, L: Io> Tapped<'o, L> {
    /// Puts the tap around a line.
    pub fn new(io: L, connection: u64, observer: &'o dyn Observer) -> Tapped<'o, L> {
        let (client_ended, server_ended) = (Cell::new(false), Cell::new(false));
        Tapped { io, connection, observer, client_ended, server_ended }
    }

    fn client_ended(&self, end: End) {
        if !self.client_ended.replace(true) {
            self.observer.ended(self.connection, end);
        }
    }

    fn server_ended(&self) {
        if !self.server_ended.replace(true) {
            self.observer.ended(self.connection, End::ServerClosed);
        }
    }

    fn noticed<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
            if kinds.contains(&error.kind()) {
                self.client_ended(End::ClientReset);
            }
        }
        result
    }
}

impl<L: Io> Read for Tapped<'_, L> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.io.read(buffer);
        let length = self.noticed(read)?;
        match length {
            0 => self.client_ended(End::ClientClosed),
            _ => self.observer.received(self.connection, &buffer[..length]),
        }
        Ok(length)
    }
}

impl<L: Io> Write for Tapped<'_, L> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.io.write(bytes);
        let length = self.noticed(written)?;
        self.observer.sent(self.connection, &bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

impl<L: Io> Io for Tapped<'_, L> {
    fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
        self.io.set_read_timeout(time)
    }

    fn half_close(&mut self) -> io::Result<()> {
        self.server_ended();
        self.io.half_close()
    }
}

impl<L> Drop for Tapped<'_, L> {
    fn drop(&mut self) {
        if !self.server_ended.replace(true) {
            self.observer.ended(self.connection, End::ServerClosed);
        }
    }
}
