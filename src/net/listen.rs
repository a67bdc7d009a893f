//! # Binds an address and listens
//!
//! A name may have several addresses, and a browser tries them one after another. So all of them
//! are bound, with one port:
//!
//! ```text
//! localhost:5000   ──>  [::1]:5000  and  127.0.0.1:5000
//! localhost:0      ──>  [::1]:41233 and  127.0.0.1:41233     the first free port that both have
//! ```
//! A Unix socket has a path instead, and one listener.
//! Left out: options of the sockets, which are those of each server.  Next: [`shared`](super::shared).

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;

use log::warn;

use super::start_error::StartError;
use crate::sys::{self, Listener};

/// The backlog: connections that may wait to be accepted. std asks for 128. With that, some of 1,000
/// clients that connect at once wait for whole seconds until TCP tries again.
const BACKLOG: i32 = 4096;

/// The listeners of an address that was bound.
#[doc(hidden)]
pub struct Listening {
    /// One at least.
    pub listeners: Vec<Listener>,
    /// A sentence for each address of the name that could not be bound.
    pub left_out: Vec<String>,
}

/// How often a free port is taken anew, if it is in use on another address of the name.
const MAX_PORT_TRIES: usize = 8;

/// Binds all addresses and listens as [`Server::bind`] does, for a program that needs the listeners
/// themselves.
///
/// # Errors
/// See [`Server::bind`]. A backlog that cannot be set is no error: the log has a warning.
#[doc(hidden)]
pub fn listen(address: impl ToSocketAddrs) -> Result<Listening, StartError> {
    let found = address.to_socket_addrs().map_err(StartError::no_address)?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let (mut listeners, mut failed) = bind_all(&addresses);
    let is_taken = |(address, error): &(SocketAddr, io::Error)| {
        address.port() == 0 && error.kind() == ErrorKind::AddrInUse
    };
    for _ in 0..MAX_PORT_TRIES {
        if listeners.is_empty() || !failed.iter().any(is_taken) {
            break;
        }
        (listeners, failed) = bind_all(&addresses);
    }
    let left_out = |(address, error): &(SocketAddr, io::Error)| {
        let port = listeners.first().and_then(|listener| listener.local_addr().ok());
        let port = port.map_or(address.port(), |bound| bound.port());
        format!("not listening on {}: {error}", SocketAddr::new(address.ip(), port))
    };
    let left_out = failed.iter().map(left_out).collect();
    if listeners.is_empty() {
        return Err(StartError::binding_all(failed));
    }
    let listeners = listeners.into_iter().map(|listener| with_backlog(listener.into())).collect();
    Ok(Listening { listeners, left_out })
}

/// Binds a Unix socket and listens as [`Server::bind_path`] does.
///
/// # Errors
/// See [`Server::bind_path`].
#[doc(hidden)]
pub fn listen_at(path: &Path) -> Result<Listener, StartError> {
    let bound = Listener::bind_path(path);
    bound.map(with_backlog).map_err(|error| StartError::binding_path(path, error))
}

fn with_backlog(listener: Listener) -> Listener {
    if let Err(error) = sys::set_backlog(&listener, BACKLOG) {
        warn!("cannot set the backlog, so a burst of connections may have to wait: {error}");
    }
    listener
}

/// Binds each address. Where port 0 is asked for, all get the port of the first.
fn bind_all(addresses: &[SocketAddr]) -> (Vec<TcpListener>, Vec<(SocketAddr, io::Error)>) {
    let (mut listeners, mut failed) = (Vec::<TcpListener>::new(), Vec::new());
    for &address in addresses {
        let first = listeners.first().and_then(|listener| listener.local_addr().ok());
        let mut wanted = address;
        if let (0, Some(first)) = (address.port(), first) {
            wanted.set_port(first.port());
        }
        match TcpListener::bind(wanted) {
            Ok(listener) => listeners.push(listener),
            Err(error) => failed.push((address, error)),
        }
    }
    (listeners, failed)
}
