//! # Watch: relays each connection to a server
//!
//! A [`Watcher`] is a [`Serve`]: it is told each accepted connection, as the HTTP server is, so both accept,
//! limit and stop in the same way. [`link`](super::link) relays one connection.  Next: `link`.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::connect;
pub use super::link::{LARGE_READ, LARGE_RECORDED_READ, WRITE_POLL_INTERVAL, cut_off};
use super::link::{Link, LinkEnd};
use crate::message::limits::Limits;
use crate::net::connections::Entry;
use crate::net::shared::Serve;
use crate::net::throttle::Throttle;
use crate::observe::Follower;

/// How long a connect to one of the server's addresses may take. The kernel alone would try for two
/// minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why watch itself has closed a client's connection.
pub enum ClosedByWatch<'a> {
    /// The server could not be reached. It is told once a minute, until the server is reached again.
    ServerUnreachable(&'a io::Error),
    /// No byte crossed for the idle timeout.
    Idle,
}

/// Relays each accepted connection to the server.
pub struct Watcher<'a> {
    /// The addresses of the server, of which the first that accepts is used.
    pub addresses: Vec<SocketAddr>,
    /// What is told of each byte.
    pub follower: &'a Follower,
    /// Bytes of a read from a side that sends much: [`LARGE_READ`] or [`LARGE_RECORDED_READ`].
    pub large_read: usize,
    /// What is told that watch has closed the connection with this number.
    pub on_close: &'a (dyn Fn(u64, ClosedByWatch) + Sync),
    /// The idle timeout, and the others.
    pub limits: &'a Limits,
    /// True once watch is to stop.
    pub stopping: &'a AtomicBool,
    /// Limits how often it is told that the server cannot be reached.
    pub unreachable: Throttle,
}

impl Serve for Watcher<'_> {
    /// Each direction of a link has its own buffer.
    type Buffers = ();
    const REJECTION: &'static str = "are closed";
    /// The client and the server decide when a connection ends.
    const CLOSES_IDLE: bool = false;

    fn serve(&self, entry: &Entry, (): &mut ()) {
        if let Some(server) = self.connect_to_server(entry.identity.number) {
            self.relay(entry, server);
        }
    }

    fn reject(&self, _: &Entry, (): &mut ()) {}
}

impl Watcher<'_> {
    /// Connects to the server.
    fn connect_to_server(&self, number: u64) -> Option<TcpStream> {
        match connect::connect(&self.addresses, CONNECT_TIMEOUT) {
            Ok(server) => {
                self.unreachable.reset();
                Some(server)
            }
            Err(error) => {
                if self.unreachable.allows() {
                    (self.on_close)(number, ClosedByWatch::ServerUnreachable(&error));
                }
                None
            }
        }
    }

    /// Copies bytes both ways until both sides have ended.
    fn relay(&self, entry: &Entry, server: TcpStream) {
        let number = entry.identity.number;
        let Watcher { follower, large_read, limits, stopping, .. } = *self;
        match Link::new(entry, server, follower, large_read, limits, stopping).relay() {
            Ok(LinkEnd::Closed) => {}
            Ok(LinkEnd::Idle) => (self.on_close)(number, ClosedByWatch::Idle),
            Err(error) => {
                log::warn!("connection {number} was closed: cannot create a thread: {error}");
            }
        }
    }
}
