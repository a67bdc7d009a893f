//! # Observers: what crosses each connection, byte for byte
//!
//! [`Tapped`] wraps the socket and passes every read and write to an [`Observer`]. So the observer sees
//! what a packet dump shows, malformed bytes included, and nothing in the protocol code calls it for
//! bytes. Four more calls report each exchange, with what only the server knows: `routed` gives the route,
//! `handling` and `handled` stand around the handler, `answered` gives the status and the time.
//!
//! ```text
//! client ── bytes ── │ Tapped │ ── bytes ── transport, connection, handler
//!                     └─ Observer: opened, received, sent, ended, gone ─┘
//! ```
//! Every socket has a tap. Without an observer it has nothing to call, and costs a plain request nothing.
//! Next: [`outline`](crate::message::outline).

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

use log::error;

use super::connections::{Identity, IdleMark};
use super::transport::Io;
use crate::message::dialogue::Side;
use crate::message::fields::FieldLines;
use crate::message::head::Version;
use crate::message::persistence::Persistence;
use crate::message::status::Status;
use crate::route::RouteRow;

/// Receives the bytes that are read from and written to each connection. The thread that serves a
/// connection makes that connection's calls, in order, so a slow call delays that client only. A call
/// that panics is logged, and nothing else changes: the client is served as without it.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use openkitchen::{Answered, Observer, Server, StartError};
///
/// #[derive(Default)]
/// struct Errors(AtomicUsize);
///
/// impl Observer for Errors {
///     fn answered(&self, _connection: u64, exchange: &Answered<'_>) {
///         if exchange.status.code() >= 500 {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let errors = Arc::new(Errors::default());
/// let server = Server::bind("127.0.0.1:0")?.observed_by(errors.clone());
/// # Ok::<(), StartError>(())
/// ```
pub trait Observer: Send + Sync {
    /// The server has started at this address, with these rows of its route table. Called once, on the
    /// thread of [`Server::run`](crate::Server::run), before the first connection.
    fn started(&self, _address: SocketAddr, _routes: &[RouteRow]) {}
    /// A connection was accepted. Connections are counted from 1.
    fn opened(&self, _connection: u64, _peer: SocketAddr) {}
    /// One read gave these bytes from the client.
    fn received(&self, _connection: u64, _bytes: &[u8]) {}
    /// One write sent these bytes to the client.
    fn sent(&self, _connection: u64, _bytes: &[u8]) {}
    /// The head of a request was read, and its route was looked up: `None` for a 404, a 405 or an
    /// OPTIONS that the server answers itself. The content is read after this.
    fn routed(&self, _connection: u64, _route: Option<&RouteRow>) {}
    /// The content of the request was read, and its handler is called now.
    fn handling(&self, _connection: u64) {}
    /// The handler has returned, with these notes: see [`Response::note`](crate::Response::note).
    fn handled(&self, _connection: u64, _notes: &[String]) {}
    /// A request was answered.
    fn answered(&self, _connection: u64, _exchange: &Answered<'_>) {}
    /// One side closed its half of the connection, or reset it. There is one call for each side at
    /// most, except that a reset may follow a close.
    fn ended(&self, _connection: u64, _end: End) {}
    /// The connection is over. No further call names it.
    fn gone(&self, _connection: u64) {}
}

/// An exchange that is over, for [`Observer::answered`].
#[derive(Clone, Debug)]
pub struct Answered<'a> {
    /// The client's address.
    pub peer: SocketAddr,
    /// The method as sent; `-` where the head could not be read.
    pub method: &'a str,
    /// The target, with what looks like a key masked; `-` where the head could not be read.
    pub target: Cow<'a, str>,
    /// The version that the client sent; `None` where the head could not be read.
    pub version: Option<Version>,
    /// The first line of a request whose head could not be read, as far as it arrived. It may hold secrets.
    /// Empty where the head was read.
    pub unread_line: &'a [u8],
    /// The header fields of the request; `None` where the head could not be read. They may hold secrets.
    pub fields: Option<FieldLines<'a>>,
    /// The response's status.
    pub status: Status,
    /// The row of the route table that answered, if one did.
    pub route: Option<&'a RouteRow>,
    /// Bytes of the request.
    pub received: usize,
    /// Bytes of the response after its head that were written, with the framing of chunks.
    pub content_sent: u64,
    /// Time from the last byte of the head read to the last byte of the response written.
    pub took: Duration,
    /// Whether the connection stays open after the response. `KeepAlive` may still be followed by a
    /// close, if unread content cannot be drained.
    pub persistence: Persistence,
}

/// Makes a call to each observer, and catches its panic. The end of a connection is reported while it is
/// dropped, where a second panic would abort the process.
pub(crate) fn report<O: ?Sized>(observers: &[Arc<O>], call: impl Fn(&O)) {
    for observer in observers {
        if panic::catch_unwind(AssertUnwindSafe(|| call(&**observer))).is_err() {
            error!("a call to an observer ended by a panic");
        }
    }
}

/// How one side ended the connection, for [`Observer::ended`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client will send no more.
    ClientClosed,
    /// The client's side reset the connection.
    ClientReset,
    /// The server will send no more, and reads no more.
    ServerClosed,
    /// The server will send no more. It still reads, or it may: the client has not ended.
    ServerHalfClosed,
    /// The server's side reset the connection: a response had that [step](crate::DeliveryStep::Reset), or
    /// a program between the two, as `watch` is, has seen it.
    ServerReset,
}

impl End {
    /// The side that ended the connection.
    pub fn side(self) -> Side {
        match self {
            End::ClientClosed | End::ClientReset => Side::Client,
            End::ServerClosed | End::ServerHalfClosed | End::ServerReset => Side::Server,
        }
    }

    /// Whether the server sends no more and has not reset the connection (FIN). Content without a length
    /// is complete then (RFC 9112 section 6.3).
    pub fn is_fin_of_server(self) -> bool {
        matches!(self, End::ServerClosed | End::ServerHalfClosed)
    }

    /// Whether the side reset the connection, which ends both directions.
    pub fn is_reset(self) -> bool {
        matches!(self, End::ClientReset | End::ServerReset)
    }
}

/// The tap: an [`Io`] that passes every byte to an observer as it crosses.
#[doc(hidden)]
pub struct Tapped<'o, I> {
    io: I,
    connection: u64,
    observers: &'o [Arc<dyn Observer>],
    client_ended: Cell<bool>,
    server_end: Cell<ServerEnd>,
    /// Whether the connection ends in a reset.
    resets: bool,
    /// Says whether another thread of the server has shut the reading half.
    idle: Option<&'o IdleMark>,
}

/// Whether the server has ended its half, and this is reported. It is reported with what comes
/// next: only that tells whether the server has closed, or has half-closed and reads on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServerEnd {
    Open,
    Unreported,
    Reported,
}

impl<'o, I> Tapped<'o, I> {
    /// Wraps the `Io` of a new connection, and reports it as opened. Dropping it reports the end.
    pub fn new(io: I, identity: Identity, observers: &'o [Arc<dyn Observer>]) -> Tapped<'o, I> {
        let Identity { number: connection, peer } = identity;
        let (client_ended, server_end) = (Cell::new(false), Cell::new(ServerEnd::Open));
        let (resets, idle) = (false, None);
        let tapped = Tapped { io, connection, observers, client_ended, server_end, resets, idle };
        report(observers, |observer| observer.opened(connection, peer));
        tapped
    }

    /// The same tap, where other threads may shut the socket: they set the mark before. What a read or
    /// write returns because of that is no event of the client.
    pub(super) fn shut_by_others(mut self, idle: &'o IdleMark) -> Tapped<'o, I> {
        self.idle = Some(idle);
        self
    }

    fn was_shut(&self) -> bool {
        self.idle.is_some_and(IdleMark::was_closed)
    }

    fn client_ended(&self, end: End) {
        self.report_server_end(End::ServerClosed);
        if !self.client_ended.replace(true) {
            report(self.observers, |observer| observer.ended(self.connection, end));
        }
    }

    fn server_ended(&self) {
        if self.server_end.get() == ServerEnd::Open {
            self.server_end.set(ServerEnd::Unreported);
        }
    }

    /// Reports the end of the server's half in this way, if there is one to report.
    fn report_server_end(&self, end: End) {
        if self.server_end.get() == ServerEnd::Unreported {
            self.server_end.set(ServerEnd::Reported);
            report(self.observers, |observer| observer.ended(self.connection, end));
        }
    }

    fn note_reset<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            match error.kind() {
                ErrorKind::ConnectionReset => self.client_ended(End::ClientReset),
                ErrorKind::BrokenPipe if !self.was_shut() => self.client_ended(End::ClientReset),
                _ => {}
            }
        }
        result
    }
}

impl<I: Io> Read for Tapped<'_, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.io.read(buffer);
        let length = self.note_reset(read)?;
        match length {
            0 if self.was_shut() => {}
            0 => self.client_ended(End::ClientClosed),
            _ => {
                self.report_server_end(End::ServerHalfClosed);
                report(self.observers, |observer| {
                    observer.received(self.connection, &buffer[..length])
                });
            }
        }
        Ok(length)
    }
}

impl<I: Io> Write for Tapped<'_, I> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.io.write(bytes);
        let length = self.note_reset(written)?;
        report(self.observers, |observer| observer.sent(self.connection, &bytes[..length]));
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.io.flush()
    }
}

impl<I: Io> Io for Tapped<'_, I> {
    fn set_read_timeout(&mut self, time: Duration) -> io::Result<()> {
        self.io.set_read_timeout(time)
    }

    fn half_close(&mut self) -> io::Result<()> {
        self.server_ended();
        self.io.half_close()
    }

    fn is_stalled(&self) -> bool {
        self.io.is_stalled()
    }

    fn reset_at_end(&mut self, time: Duration, is_stopping: &dyn Fn() -> bool) -> io::Result<()> {
        self.io.reset_at_end(time, is_stopping)?;
        self.resets = true;
        Ok(())
    }
}

impl<I> Drop for Tapped<'_, I> {
    fn drop(&mut self) {
        self.server_ended();
        self.report_server_end(if self.resets { End::ServerReset } else { End::ServerClosed });
        report(self.observers, |observer| observer.gone(self.connection));
    }
}
